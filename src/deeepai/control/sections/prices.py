"""Prices, price groups and aliases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...accounts import catalogue
from ...accounts.catalogue import Alias, OwnPrice, PriceGroup
from ...declare import Failure, Reason
from ...storage.database import Tx
from ..routes import Call, Route


class Price(msgspec.Struct, kw_only=True):
    """What counts for a price key, in the price book's own words."""

    key: str
    own: bool
    """Whether the operator set it."""
    source: str
    date: str
    entry: dict[str, Any]


class Prices(msgspec.Struct, kw_only=True):
    """All prices that count."""

    data: list[Price]


class PriceGroups(msgspec.Struct, kw_only=True):
    """All price groups."""

    data: list[PriceGroup]


class Aliases(msgspec.Struct, kw_only=True):
    """All aliases."""

    data: list[Alias]


class PriceEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A price of one's own, as an entry of the price book."""

    entry: dict[str, Any]


class Multiplier(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A factor on all prices, as a decimal string."""

    multiplier: Annotated[str, Meta(max_length=20)]


class Target(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The model that an alias stands for."""

    target: Annotated[str, Meta(min_length=1, max_length=256)]


def _key(call: Call, most: int = 256) -> str:
    key = call.params["key"]
    if not 0 < len(key) <= most or not key.isprintable():
        raise Failure(Reason.INVALID, f"A name has 1 to {most} visible characters", param="key")
    return key


def effective(shipped: dict[str, dict[str, Any]], own: list[OwnPrice]) -> list[Price]:
    """Lay the operator's prices over the shipped ones."""
    prices = {
        key: Price(
            key=key, own=False, source=str(entry.get("source", "")), date=str(entry.get("date", "")), entry=entry
        )
        for key, entry in shipped.items()
    }
    for price in own:
        date = datetime.fromtimestamp(price.updated_at / 1000, UTC).date().isoformat()
        source = str(price.entry.get("source", "operator"))
        prices[price.key] = Price(key=price.key, own=True, source=source, date=date, entry=price.entry)
    return [prices[key] for key in sorted(prices)]


async def _list(call: Call) -> Prices:
    shipped = {key: dict(entry) for key, entry in call.context.prices.listing().items()}
    return Prices(data=effective(shipped, await call.read(catalogue.list_prices)))


async def _set(call: Call) -> Prices:
    body: PriceEntry = call.body
    key = _key(call)
    try:
        call.context.prices.check(key, body.entry)
    except ValueError as fault:
        raise Failure(Reason.INVALID, f"entry: {fault}", param="entry") from None

    async def work(tx: Tx) -> OwnPrice:
        await catalogue.set_price(tx, key, body.entry)
        return next(price for price in await catalogue.list_prices(tx) if price.key == key)

    return Prices(data=effective({}, [await call.configure(work)]))


async def _delete(call: Call) -> None:
    await call.configure(lambda tx: catalogue.delete_price(tx, call.params["key"]))


async def _list_groups(call: Call) -> PriceGroups:
    async def work(tx: Tx) -> PriceGroups:
        groups = await catalogue.list_groups(tx)
        if call.viewer.admin:
            return PriceGroups(data=groups)
        # What others pay is the operator's own affair.
        rows = await tx.fetch(
            "SELECT a.price_group FROM accounts a JOIN members m ON m.account_id = a.id WHERE m.user_id = $1 UNION "
            "SELECT t.price_group FROM tokens t WHERE t.user_id = $1 AND t.status <> 'deleted'",
            call.who.user_id,
        )
        own = {row["price_group"] for row in rows}
        return PriceGroups(data=[group for group in groups if group.name in own])

    return await call.read(work)


async def _set_group(call: Call) -> PriceGroups:
    body: Multiplier = call.body
    name = _key(call, 100)
    await call.configure(lambda tx: catalogue.set_group(tx, name, body.multiplier))
    return await _list_groups(call)


async def _delete_group(call: Call) -> None:
    await call.configure(lambda tx: catalogue.delete_group(tx, call.params["key"]))


async def _list_aliases(call: Call) -> Aliases:
    return Aliases(data=await call.read(catalogue.list_aliases))


async def _set_alias(call: Call) -> Aliases:
    body: Target = call.body
    name = _key(call)
    await call.configure(lambda tx: catalogue.set_alias(tx, name, body.target))
    return await _list_aliases(call)


async def _delete_alias(call: Call) -> None:
    await call.configure(lambda tx: catalogue.delete_alias(tx, call.params["key"]))


ROUTES = (
    Route(method="GET", path="/prices", summary="List prices", handler=_list, role="user", answer=Prices),
    Route(
        method="PUT",
        path="/prices/{key*}",
        summary="Set a price of one's own",
        handler=_set,
        body=PriceEntry,
        answer=Prices,
    ),
    Route(
        method="DELETE",
        path="/prices/{key*}",
        summary="Take an own price back; the shipped one counts again",
        handler=_delete,
    ),
    Route(
        method="GET",
        path="/price-groups",
        summary="List price groups",
        handler=_list_groups,
        role="user",
        answer=PriceGroups,
    ),
    Route(
        method="PUT",
        path="/price-groups/{key}",
        summary="Set a price group's multiplier",
        handler=_set_group,
        body=Multiplier,
        answer=PriceGroups,
    ),
    Route(method="DELETE", path="/price-groups/{key}", summary="Delete a price group", handler=_delete_group),
    Route(
        method="GET",
        path="/aliases",
        summary="List aliases of models",
        handler=_list_aliases,
        answer=Aliases,
    ),
    Route(
        method="PUT",
        path="/aliases/{key*}",
        summary="Let a name stand for a model; it may end in *",
        handler=_set_alias,
        body=Target,
        answer=Aliases,
    ),
    Route(method="DELETE", path="/aliases/{key*}", summary="Delete an alias", handler=_delete_alias),
)
