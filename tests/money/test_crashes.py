from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from deeepai.money.ledger import Ledger
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database
from tests.money.world import add_account, hold, proved, rows, settle
from tests.servers import database_url, new_postgresql
from tests.support.until import PATIENCE

USD = 1_000_000_000

CRASH = """
    import asyncio, sys
    from deeepai.money.ledger import Ledger, Settlement
    from deeepai.storage.connect import open_database
    from tests.money.world import hold, settle

    async def main():
        db = await open_database(sys.argv[1])
        ledger = Ledger(db, node="crash", lease_ttl=0.3, lease_chunk=1_000_000)

        async def call():
            while True:
                await settle(ledger, await hold(ledger, 100), 70)
                print("charged", flush=True)

        await asyncio.gather(*[call() for _ in range(4)])

    asyncio.run(main())
"""


async def test_a_process_killed_amid_its_work_loses_and_doubles_nothing(db_url: str) -> None:
    db = await open_database(db_url)
    await add_account(db, "a", 10 * USD, {"t": None})
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", textwrap.dedent(CRASH), db_url],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    told = 0
    while told < 200:
        assert await asyncio.to_thread(process.stdout.readline)
        told += 1
    process.send_signal(signal.SIGKILL)
    told += len(process.stdout.read().splitlines())
    process.wait()
    ledger = Ledger(db, node="n")
    async with asyncio.timeout(PATIENCE):
        while (await ledger.balance("a"))[1]:
            await ledger.maintain()
            await asyncio.sleep(0.02)
    available, _, spent = await ledger.balance("a")
    assert available + spent == 10 * USD
    # Each charge that was told is there; of the four calls that were under way each may be there untold.
    assert told * 70 <= spent <= (told + 4) * 70
    assert len(await rows(db, "SELECT * FROM usage")) * 70 == spent
    await proved(db)
    await db.close()


async def test_a_cut_connection_to_the_server_charges_once() -> None:
    db = await open_database(await new_postgresql())
    await add_account(db, "a", USD, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=USD // 4)
    killer = await open_database_of(db)
    holds = [await hold(ledger, 100) for _ in range(200)]

    async def cut() -> None:
        for _ in range(5):
            await killer.read(
                lambda tx: tx.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            await asyncio.sleep(0.005)

    async def some(start: int) -> None:
        for held in holds[start::8]:
            await settle(ledger, held, 70)

    await asyncio.gather(cut(), *[some(start) for start in range(8)])
    assert (await ledger.balance("a"))[2] == 200 * 70
    await proved(db)
    await killer.close()
    await db.close()


async def open_database_of(db: Database) -> Database:
    """Open another pool on the same PostgreSQL database."""
    name = await db.read(lambda tx: tx.fetchval("SELECT current_database()"))

    return await open_database(database_url(name))
