"""What is kept of an account: exported, or deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from ..storage.database import Tx
from ..tasks.assets import AssetStore
from ..tasks.retention import Retention, Terms
from .common import DataOption, Store, die, run
from .people import AccountArgument, accounts, find_account

_AT_ONCE: Final = 500
_TABLES: Final = {
    "tasks": "id",
    "assets": "task_id, number",
    "kept_answers": "protocol, mode, id",
    "kept_conversations": "protocol, mode, id",
    "kept_items": "protocol, mode, conversation_id, place",
    "idempotency": "key",
    "webhooks": "id",
    "usage": "request_id",
    "ledger": "request_id, kind",
}
"""What is exported, and what puts it in order."""
_SECRET: Final = frozenset({"hook_secret", "hook_key", "secret", "secret_before"})


def register() -> None:
    """Add the commands to those of accounts."""
    accounts.command("export")(export)
    accounts.command("purge")(purge)


def export(account: AccountArgument, folder: Path, data: DataOption = None) -> None:
    """Write all that is kept of an account to a new folder: a file of JSON lines a table, and its files."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise die(f"{folder} exists already") from None
    counts = run(data, lambda store: _export(store, account, folder))
    print(", ".join(f"{count} {name}" for name, count in counts.items()))


async def _export(store: Store, account: str, folder: Path) -> dict[str, int]:
    account_id = await store.read(lambda tx: find_account(tx, account))
    counts = {name: await _export_table(store, account_id, name, folder) for name in _TABLES}
    assets = AssetStore(store.settings.assets_url)
    sql = "SELECT key FROM assets WHERE account_id = $1 AND unkept IS NULL"
    counts["files"] = 0
    for row in await store.read(lambda tx: tx.fetch(sql, account_id)):
        place = folder / "files" / row["key"]
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with place.open("wb") as file:
                async for piece in assets.get(row["key"]):
                    file.write(piece)
        except FileNotFoundError:
            place.unlink()
            continue
        counts["files"] += 1
    return counts


async def _export_table(store: Store, account_id: str, table: str, folder: Path) -> int:
    count = 0
    with (folder / f"{table}.jsonl").open("wb") as file:
        while rows := await store.read(lambda tx, done=count: _page(tx, account_id, table, done)):
            for row in rows:
                file.write(msgspec.json.encode(row) + b"\n")
            count += len(rows)
    return count


async def _page(tx: Tx, account_id: str, table: str, done: int) -> list[dict[str, Any]]:
    sql = f"SELECT * FROM {table} WHERE account_id = $1 ORDER BY {_TABLES[table]} LIMIT {_AT_ONCE} OFFSET {done}"
    return [
        {name: value for name, value in dict(row).items() if name not in _SECRET}
        for row in await tx.fetch(sql, account_id)
    ]


def purge(
    account: AccountArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    data: DataOption = None,
) -> None:
    """Delete all that is kept of an account and is not owed: files, tasks, answers, usage. The ledger stays."""
    if not yes:
        typer.confirm(f"Delete what is kept of {account}?", abort=True)

    async def work(store: Store) -> dict[str, int]:
        account_id = await store.read(lambda tx: find_account(tx, account))
        terms = Terms(0, 0, 0, 0, lambda mode: 0)
        assets = AssetStore(store.settings.assets_url)
        return await Retention(store.database, assets, terms, lambda kind, count: None, pause=0).purge(account_id)

    print(", ".join(f"{count} {name}" for name, count in run(data, work).items()))
