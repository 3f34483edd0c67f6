"""What all commands share: the store, tables, errors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ..accounts.opening import open_store
from ..accounts.own_channels import Node
from ..accounts.vault import Vault, VaultError
from ..declare import Failure
from ..money.ledger import Ledger
from ..settings import Settings, SettingsError
from ..storage.database import Database, DatabaseRefused, DatabaseUnavailable, Work

T = TypeVar("T")

DataOption = Annotated[
    str | None, typer.Option("--data", help="Folder of all state (DEEEPAI_DATA, else ./data)", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="Rows, at most")]


def die(message: str) -> typer.Exit:
    """Print an error; raise what this returns."""
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Store:
    """The data folder's store, open."""

    settings: Settings
    database: Database
    vault: Vault
    ledger: Ledger
    node: Node

    async def read(self, work: Work[T]) -> T:
        """Run work that only reads."""
        return await self.database.read(work)

    async def write(self, work: Work[T]) -> T:
        """Run work in one transaction."""
        return await self.database.write(work)


def load_settings(**flags: Any) -> Settings:
    """Read the settings, or end with a word on what is wrong."""
    try:
        return Settings.load(**flags)
    except SettingsError as fault:
        raise die(str(fault)) from None


@asynccontextmanager
async def opened(data: str | None) -> AsyncGenerator[Store]:
    """Open the store of a data folder that a start has made."""
    settings = load_settings(data=data)
    if settings.database is None and not (settings.folder / "deeepai.db").exists():
        raise die(f"{settings.folder} holds no data yet; `deeepai serve` makes it, --data names another folder")
    database, vault = await open_store(settings)
    try:
        ledger = Ledger(database, node="cli")
        await ledger.recover()
        yield Store(settings, database, vault, ledger, Node.read(settings.node_path))
    finally:
        await database.close()


def run(data: str | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """Run a command's work on the store; a failure ends with its message and status 1."""

    async def whole() -> T:
        async with opened(data) as store:
            return await work(store)

    try:
        return asyncio.run(whole())
    except Failure as failure:
        raise die(f"{failure.param}: {failure.message}" if failure.param else failure.message) from None
    except (VaultError, DatabaseUnavailable, DatabaseRefused, LookupError) as fault:
        raise die(str(fault)) from None
    except OSError as fault:
        raise die(f"{fault.filename or 'the data folder'}: {fault.strerror or fault}") from None


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value)) + b"\n")
    sys.stdout.buffer.flush()


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def show(rows: Iterable[msgspec.Struct], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as a table of some columns, or all of them as JSON."""
    rows = list(rows)
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(getattr(row, column)) for column in columns))
    # A pipe gets whole lines, whatever the width.
    width = None if sys.stdout.isatty() else 240
    Console(highlight=False, markup=False, width=width).print(table)


def split(text: str | None) -> list[str] | None:
    """Read a list divided by commas; None stays None."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def parse_moment(text: str) -> datetime:
    """Read a date, or a date and time; without a zone it is UTC."""
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date like 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def parse_usd(text: str) -> Decimal:
    """Read an amount of USD."""
    try:
        amount = Decimal(text)
    except ArithmeticError:
        raise typer.BadParameter(f"{text!r} is no amount") from None
    return amount


def struct(kind: type[T], values: dict[str, Any]) -> T:
    """Build a checked struct; a wrong value ends the command."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as fault:
        raise die(
            str(fault).replace(" - at `$.", " (").replace("`", ")" if " - at `$." in str(fault) else "`")
        ) from None
