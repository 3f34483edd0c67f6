"""What the operator lays over the shipped catalogue: prices, price groups, aliases."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ..declare import Failure, Reason
from ..storage.database import Tx
from ..storage.ids import now_ms
from .changes import bump
from .units import nano


class PriceGroup(msgspec.Struct, kw_only=True):
    """A factor on all prices."""

    name: str
    multiplier: str
    source: str


class Alias(msgspec.Struct, kw_only=True):
    """Another name of a model; a name may end in `*`."""

    name: str
    target: str
    source: str


class OwnPrice(msgspec.Struct, kw_only=True):
    """A price that the operator set."""

    key: str
    entry: dict[str, Any]
    source: str
    updated_at: int


def _taken(what: str) -> Failure:
    return Failure(Reason.CONFLICT, f"{what} stands in the declarative file; change it there", code="foreign_source")


async def _guard(tx: Tx, table: str, key: str, value: str, source: str) -> None:
    """Keep what the file declares from being changed elsewhere, for it would come back unsaid."""
    found = await tx.fetchval(f"SELECT source FROM {table} WHERE {key} = $1", value)
    if found == "file" and source != "file":
        raise _taken(f"{value!r}")


# Price groups ------------------------------------------------------------------------------------------------------


def check_multiplier(text: str) -> Decimal:
    """Read a multiplier.

    Raises
    ------
    Failure
        INVALID.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or value > 1000:
        raise Failure(Reason.INVALID, "A multiplier is a decimal number from 0 to 1000", param="multiplier")
    nano(value, "multiplier")
    return value


async def list_groups(tx: Tx) -> list[PriceGroup]:
    """Return price groups by name; `default` is always one."""
    rows = await tx.fetch("SELECT * FROM price_groups ORDER BY name")
    groups = [PriceGroup(name=row["name"], multiplier=row["multiplier"], source=row["source"]) for row in rows]
    if not any(group.name == "default" for group in groups):
        groups.insert(0, PriceGroup(name="default", multiplier="1", source="builtin"))
    return groups


async def set_group(tx: Tx, name: str, multiplier: str, *, source: str = "api") -> None:
    """Make or change a price group."""
    check_multiplier(multiplier)
    await _guard(tx, "price_groups", "name", name, source)
    await tx.execute(
        "INSERT INTO price_groups (name, multiplier, source) VALUES ($1, $2, $3) "
        "ON CONFLICT (name) DO UPDATE SET multiplier = excluded.multiplier, source = excluded.source",
        name,
        multiplier,
        source,
    )
    await bump(tx)


async def delete_group(tx: Tx, name: str, *, source: str = "api") -> None:
    """Delete a price group that nobody is in.

    Raises
    ------
    Failure
        NOT_FOUND, or CONFLICT.
    """
    await _guard(tx, "price_groups", "name", name, source)
    if name != "default":
        used = await tx.fetchval(
            "SELECT (SELECT COUNT(*) FROM accounts WHERE price_group = $1) + "
            "(SELECT COUNT(*) FROM tokens WHERE price_group = $1 AND status <> 'deleted')",
            name,
        )
        if used:
            raise Failure(Reason.CONFLICT, f"{used} accounts and tokens are in price group {name!r} still")
    if not await tx.execute("DELETE FROM price_groups WHERE name = $1", name):
        raise Failure(Reason.NOT_FOUND, "There is no such price group")
    await bump(tx)


# Aliases -----------------------------------------------------------------------------------------------------------


async def list_aliases(tx: Tx) -> list[Alias]:
    """Return aliases by name."""
    rows = await tx.fetch("SELECT * FROM aliases ORDER BY name")
    return [Alias(name=row["name"], target=row["target"], source=row["source"]) for row in rows]


async def set_alias(tx: Tx, name: str, target: str, *, source: str = "api") -> None:
    """Make or change an alias."""
    if name == target:
        raise Failure(Reason.INVALID, "An alias cannot be its own target", param="target")
    if "*" in name[:-1] or "*" in target:
        raise Failure(Reason.INVALID, "Only the end of an alias's name may be *", param="name")
    await _guard(tx, "aliases", "name", name, source)
    await tx.execute(
        "INSERT INTO aliases (name, target, source) VALUES ($1, $2, $3) "
        "ON CONFLICT (name) DO UPDATE SET target = excluded.target, source = excluded.source",
        name,
        target,
        source,
    )
    await bump(tx)


async def delete_alias(tx: Tx, name: str, *, source: str = "api") -> None:
    """Delete an alias.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    await _guard(tx, "aliases", "name", name, source)
    if not await tx.execute("DELETE FROM aliases WHERE name = $1", name):
        raise Failure(Reason.NOT_FOUND, "There is no such alias")
    await bump(tx)


# Prices ------------------------------------------------------------------------------------------------------------


async def list_prices(tx: Tx) -> list[OwnPrice]:
    """Return the operator's prices by key."""
    return [
        OwnPrice(
            key=row["key"], entry=msgspec.json.decode(row["entry"]), source=row["source"], updated_at=row["updated_at"]
        )
        for row in await tx.fetch("SELECT * FROM prices ORDER BY key")
    ]


async def set_price(tx: Tx, key: str, entry: dict[str, Any], *, source: str = "api") -> None:
    """Set a price; the caller has checked that the price book understands the entry."""
    await _guard(tx, "prices", "key", key, source)
    await tx.execute(
        "INSERT INTO prices (key, entry, source, updated_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (key) DO UPDATE SET entry = excluded.entry, source = excluded.source, "
        "updated_at = excluded.updated_at",
        key,
        msgspec.json.encode(entry).decode(),
        source,
        now_ms(),
    )
    await bump(tx)


async def delete_price(tx: Tx, key: str, *, source: str = "api") -> None:
    """Take an own price back, so that the shipped one counts again.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    await _guard(tx, "prices", "key", key, source)
    if not await tx.execute("DELETE FROM prices WHERE key = $1", key):
        raise Failure(Reason.NOT_FOUND, "The operator has set no such price")
    await bump(tx)
