"""Callbacks to callers: stored with the change that they tell of, delivered until they arrive.

Each carries the Standard Webhooks headers beside the vendor's own body; the id is the same on every try. No delivery
waits for another: of one account, and to one host, only so many are under way; the rest of the room is for others.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from standardwebhooks import Webhook

from .. import crash
from ..accounts.vault import Vault
from ..declare import Callback, HookMessage
from ..safe_fetch import SafeFetch, Unsafe
from ..storage.database import Database, Row, StorageFault, Tx
from ..storage.ids import new_id, now_ms
from . import webhooks
from .store import Stored

log = structlog.get_logger()

WAITS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)
"""Seconds between tries: ten tries over some sixteen hours."""
LIMIT = 15.0
"""Seconds that a receiver has for its answer."""
MARGIN = 15.0
"""Seconds after which somebody else may try what one node took and did not end."""
PER_ACCOUNT: Final = 8
PER_HOST: Final = 32
MOST: Final = 128
"""Deliveries under way: of one account, to one host, in all."""
_SWEPT: Final = 200
"""Messages that are forgotten at once."""
_GONE: Final = 410
"""By which a webhook's receiver says that it is no more."""
_FULL_SECONDS: Final = 1.0
"""For which a delivery is put off where its host has enough."""
_STOP_SECONDS: Final = 5.0

SecretOf = Callable[[str], str]
Signer = Callable[[Callback], Mapping[str, str]]


async def enqueue(tx: Tx, task: Stored, message: HookMessage, now: int) -> None:
    """Store a callback in the transaction of the change that it tells of; older news that did not arrive is dropped."""
    assert task.hook is not None
    await tx.execute(
        "UPDATE outbox SET state = 'superseded', next_at = NULL "
        "WHERE task_id = $1 AND webhook_id IS NULL AND state = 'pending'",
        task.id,
    )
    await tx.execute(
        "INSERT INTO outbox (id, task_id, account_id, url, body, headers, state, next_at, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $7)",
        new_id("msg_"),
        task.id,
        task.account_id,
        task.hook.url,
        msgspec.json.encode(message.body).decode(),
        msgspec.json.encode(message.headers).decode(),
        now,
    )


class Outbox:
    """Delivers what is due.

    Parameters
    ----------
    secret : callable
        An account's signing secret (`whsec_…`).
    vault : Vault
        Holds those of webhooks, which have their own.
    signers : mapping
        By protocol, what signs its tasks' callbacks as their vendor does.
    scale : float
        Multiplies the waits between tries, and the margin.
    """

    def __init__(
        self,
        db: Database,
        fetch: SafeFetch,
        secret: SecretOf,
        vault: Vault,
        *,
        signers: Mapping[str, Signer] | None = None,
        scale: float = 1.0,
    ) -> None:
        self._db = db
        self._fetch = fetch
        self._secret = secret
        self._vault = vault
        self._signers = signers or {}
        self._scale = scale
        self._running: set[asyncio.Task[None]] = set()
        self._accounts: Counter[str] = Counter()
        self._hosts: Counter[str] = Counter()
        self._looking: asyncio.Task[None] | None = None
        self._again = False
        """Something has changed since the look that is under way began."""
        self._more = False
        """The last look found something to do."""
        self._stopping = False

    def look(self) -> None:
        """Begin to deliver what is due, as far as there is room."""
        if self._looking is not None and not self._looking.done():
            self._again = True
            return
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        try:
            while True:
                self._again = False
                await self._begin()
                if not self._again:
                    return
        except StorageFault:
            return  # the poller says so
        except Exception:
            log.exception("outbox.failed")

    async def _begin(self) -> None:
        room = MOST - len(self._running)
        rows = await self._db.write(lambda tx: self._lease(tx, room)) if room else []
        self._more = bool(rows)
        full: list[str] = []
        for row in rows:
            host = urlsplit(row["url"]).hostname or ""
            if self._hosts[host] >= PER_HOST:
                full.append(row["id"])
            else:
                self._spawn(row, host)
        if full:
            await self._db.write(lambda tx: _put_off(tx, full, now_ms() + int(_FULL_SECONDS * 1000)))

    async def _lease(self, tx: Tx, room: int) -> list[Row]:
        """Take due rows, each account's as far as it has room: the first of each, then the second, and so on."""
        now = now_ms()
        busy = [(account, count) for account, count in self._accounts.items() if count]
        cases = "".join(f" WHEN ${number} THEN {count}" for number, (_, count) in enumerate(busy, 4))
        taken = f"CASE account_id{cases} ELSE 0 END" if busy else "0"
        locking = "FOR UPDATE SKIP LOCKED" if self._db.dialect == "postgresql" else ""
        return await tx.fetch(
            f"WITH due AS (SELECT id, next_at, {taken} + row_number() OVER (PARTITION BY account_id ORDER BY next_at) "
            "AS place FROM outbox WHERE next_at <= $1 AND leased_until <= $1), "
            f"free AS MATERIALIZED (SELECT id FROM outbox WHERE leased_until <= $1 AND id IN (SELECT id FROM due "
            f"WHERE place <= {PER_ACCOUNT} ORDER BY place, next_at LIMIT $3) {locking}) "
            "UPDATE outbox SET leased_until = $2 WHERE id IN (SELECT id FROM free) "
            "RETURNING *, (SELECT protocol FROM tasks WHERE tasks.id = outbox.task_id) AS protocol",
            now,
            now + int((LIMIT + MARGIN * self._scale) * 1000),
            room,
            *(account for account, _ in busy),
        )

    def _spawn(self, row: Row, host: str) -> None:
        account: str = row["account_id"]
        self._accounts[account] += 1
        self._hosts[host] += 1

        async def deliver() -> None:
            try:
                await self._deliver(row)
            except StorageFault as fault:
                log.warning("outbox.waits", id=row["id"], error=str(fault))
            except Exception:
                log.exception("outbox.failed", id=row["id"])

        def ended(task: asyncio.Task[None]) -> None:
            # A look while there is no room finds nothing, whatever waits.
            full = self._accounts[account] >= PER_ACCOUNT or len(self._running) >= MOST
            self._running.discard(task)
            for counter, key in ((self._accounts, account), (self._hosts, host)):
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]
            if (self._more or full) and not (self._stopping or task.cancelled()):
                self.look()

        running = asyncio.create_task(deliver())
        self._running.add(running)
        running.add_done_callback(ended)

    async def stop(self) -> None:
        """Let what is under way come to its end, for a moment; another node tries again what did not."""
        self._stopping = True
        waiting = self._running | ({self._looking} if self._looking is not None else set())
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=_STOP_SECONDS)
            for task in late:
                task.cancel()

    async def _deliver(self, row: Row) -> None:
        attempt = int(row["attempts"]) + 1
        started = time.monotonic()
        status: int | None = None
        error: str | None = None
        body: str = row["body"]
        stamp = datetime.datetime.now(datetime.UTC)
        secrets = await self._secrets(row)
        if not secrets:
            await self._db.write(lambda tx: webhooks.stop(tx, row["webhook_id"]))
            return
        sign = self._signers.get(row["protocol"]) if row["webhook_id"] is None else None
        told = Callback(row["url"], body.encode(), secrets[0], int(stamp.timestamp()))
        headers = {
            **msgspec.json.decode(row["headers"], type=dict[str, str]),
            "content-type": "application/json",
            "webhook-id": row["id"],
            "webhook-timestamp": str(int(stamp.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(row["id"], stamp, body) for secret in secrets),
            **(sign(told) if sign is not None else {}),
        }
        try:
            answer = await self._fetch.request(
                "POST", row["url"], headers=headers, body=body.encode(), limit=65536, seconds=LIMIT
            )
            status = answer.status
            crash.point("called_back")
        except Unsafe as fault:
            error = str(fault)
        except TimeoutError:
            error = f"no answer within {LIMIT:.0f} s"
        except (aiohttp.ClientError, OSError) as fault:
            error = type(fault).__name__
        delivered = status is not None and 200 <= status < 300
        ended = delivered or attempt > len(WAITS)
        state = "delivered" if delivered else "given_up" if ended else "pending"
        now = now_ms()
        due = None if ended else now + int(WAITS[attempt - 1] * 1000 * self._scale)
        took = int((time.monotonic() - started) * 1000)

        async def work(tx: Tx) -> None:
            await tx.execute(
                "INSERT INTO deliveries (outbox_id, attempt, status, error, duration_ms, created_at) "
                "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                row["id"],
                attempt,
                status,
                error,
                took,
                now,
            )
            await tx.execute(
                "UPDATE outbox SET state = $2, attempts = $3, next_at = $4, leased_until = 0 "
                "WHERE id = $1 AND state = 'pending'",
                row["id"],
                state,
                attempt,
                due,
            )

            if status == _GONE and row["webhook_id"] is not None:
                await webhooks.gone(tx, row["webhook_id"], now)

        await self._db.write(work)
        log.info("callback", id=row["id"], task=row["task_id"], attempt=attempt, status=status, error=error)

    async def _secrets(self, row: Row) -> Sequence[str]:
        """Return what a message is signed with; nothing where its webhook is gone."""
        hook_id: str | None = row["webhook_id"]
        if hook_id is None:
            return (self._secret(row["account_id"]),)
        return await self._db.read(lambda tx: webhooks.secrets_of(tx, self._vault, hook_id, now_ms()))


async def _put_off(tx: Tx, ids: Sequence[str], due: int) -> None:
    for one in ids:
        await tx.execute(
            "UPDATE outbox SET leased_until = 0, next_at = $2 WHERE id = $1 AND state = 'pending'", one, due
        )


async def sweep(tx: Tx, before: int) -> int:
    """Forget some of the messages that were done with before a time, and whose task is gone; return how many."""
    rows = await tx.fetch(
        "SELECT id FROM outbox WHERE state <> 'pending' AND created_at < $1 "
        f"AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = outbox.task_id) LIMIT {_SWEPT}",
        before,
    )
    for row in rows:
        await tx.execute("DELETE FROM deliveries WHERE outbox_id = $1", row["id"])
        await tx.execute("DELETE FROM outbox WHERE id = $1", row["id"])
    return len(rows)
