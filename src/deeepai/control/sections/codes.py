"""Redemption codes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ...accounts import redemptions
from ...accounts.redemptions import Code, NewCodes
from ...accounts.units import Usd
from ...declare import Failure, Reason
from ...storage.cache import Cache
from ...storage.database import Tx
from ..routes import Call, Paging, Route, following, get_own_account

_TRIES = 20
_MINUTE = 60.0


class CodeQuery(Paging, kw_only=True, forbid_unknown_fields=True):
    """Which codes."""

    status: Literal["enabled", "disabled", "used"] | None = None


class Codes(msgspec.Struct, kw_only=True):
    """A page of codes."""

    data: list[Code]
    next: str | None


class IssuedCode(msgspec.Struct, kw_only=True):
    """A code, shown this once."""

    id: str
    code: str


class IssuedCodes(msgspec.Struct, kw_only=True):
    """A batch of new codes."""

    data: list[IssuedCode]


class CodeChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whether a code can be redeemed."""

    status: Literal["enabled", "disabled"]


class Redemption(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A code to be turned into money."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]
    account_id: str | None = None
    """By default the caller's first account."""


class Redeemed(msgspec.Struct, kw_only=True):
    """What a code was worth."""

    account_id: str
    amount: Usd


async def _list(call: Call) -> Codes:
    query: CodeQuery = call.query
    found = await call.read(
        lambda tx: redemptions.list_codes(tx, status=query.status, after=query.cursor, limit=query.limit)
    )
    return Codes(data=found, next=following(found, query.limit))


async def _create(call: Call) -> IssuedCodes:
    made = await call.write(lambda tx: redemptions.create(tx, call.body))
    return IssuedCodes(data=[IssuedCode(id=code_id, code=code) for code_id, code in made])


async def _update(call: Call) -> None:
    body: CodeChange = call.body
    await call.write(lambda tx: redemptions.set_status(tx, call.params["id"], body.status))


async def _throttle(cache: Cache, user_id: str) -> None:
    if await cache.incr(f"redeem:{user_id}", _MINUTE) > _TRIES:
        raise Failure(Reason.RATE_LIMITED, "Too many codes; wait a minute", retry_after=_MINUTE)


async def _redeem(call: Call) -> Redeemed:
    body: Redemption = call.body
    await _throttle(call.context.cache, call.who.user_id)

    async def work(tx: Tx) -> Redeemed:
        account_id = await get_own_account(tx, call.viewer, body.account_id)
        amount = await redemptions.redeem(tx, call.context.ledger, body.code, account_id)
        return Redeemed(account_id=account_id, amount=amount)

    return await call.write(work)


ROUTES = (
    Route(method="GET", path="/codes", summary="List redemption codes", handler=_list, query=CodeQuery, answer=Codes),
    Route(
        method="POST",
        path="/codes",
        summary="Make a batch of redemption codes; the answer shows them, this once",
        handler=_create,
        body=NewCodes,
        answer=IssuedCodes,
        status=201,
    ),
    Route(
        method="PATCH",
        path="/codes/{id}",
        summary="Disable or enable a redemption code",
        handler=_update,
        body=CodeChange,
    ),
    Route(
        method="POST",
        path="/codes/redeem",
        summary="Turn a redemption code into money of an account",
        handler=_redeem,
        role="user",
        body=Redemption,
        answer=Redeemed,
    ),
)
