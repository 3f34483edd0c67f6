"""Callers' tokens."""

from __future__ import annotations

import msgspec

from ...accounts import people, tokens
from ...accounts.tokens import NewToken, TokenChanges, TokenView
from ...declare import Failure, Reason
from ...storage.database import Tx
from ..routes import Call, Paging, Route, following, get_own_account


class TokenQuery(Paging, kw_only=True, forbid_unknown_fields=True):
    """Which tokens."""

    account_id: str | None = None


class Tokens(msgspec.Struct, kw_only=True):
    """A page of tokens."""

    data: list[TokenView]
    next: str | None


class IssuedToken(msgspec.Struct, kw_only=True):
    """A token and its key, which is shown this once."""

    key: str
    token: TokenView


def _check_rights(call: Call, changes: TokenChanges) -> None:
    # Whoever chose the own price group would choose the price.
    if not call.viewer.admin and isinstance(changes.price_group, str):
        raise Failure(Reason.FORBIDDEN, "Only an administrator sets price groups", param="price_group")


async def _list(call: Call) -> Tokens:
    query: TokenQuery = call.query
    found = await call.read(
        lambda tx: tokens.list_tokens(
            tx, call.viewer, account_id=query.account_id, after=query.cursor, limit=query.limit
        )
    )
    return Tokens(data=found, next=following(found, query.limit))


async def _create(call: Call) -> IssuedToken:
    new: NewToken = call.body
    _check_rights(call, new)

    async def work(tx: Tx) -> IssuedToken:
        account_id = await get_own_account(tx, call.viewer, new.account_id)
        user_id = new.user_id
        if not await people.may_manage(tx, account_id, call.viewer):
            if user_id not in (None, call.who.user_id):
                raise Failure(Reason.FORBIDDEN, "Plain members make tokens for themselves only", param="user_id")
            user_id = call.who.user_id
        elif user_id is None and not call.viewer.admin:
            user_id = call.who.user_id
        new_token = msgspec.structs.replace(new, user_id=user_id)
        token_id, key = await tokens.create(tx, account_id, new_token, viewer=call.viewer)
        return IssuedToken(key=key, token=await tokens.get(tx, token_id))

    return await call.configure(work)


async def _get(call: Call) -> TokenView:
    return await call.read(lambda tx: tokens.get(tx, call.params["id"], call.viewer))


async def _update(call: Call) -> TokenView:
    _check_rights(call, call.body)
    await call.configure(lambda tx: tokens.update(tx, call.params["id"], call.body, call.viewer))
    return await _get(call)


async def _delete(call: Call) -> None:
    await call.configure(lambda tx: tokens.delete(tx, call.params["id"], call.viewer))


ROUTES = (
    Route(
        method="GET",
        path="/tokens",
        summary="List tokens",
        handler=_list,
        role="user",
        query=TokenQuery,
        answer=Tokens,
    ),
    Route(
        method="POST",
        path="/tokens",
        summary="Make a token; the answer holds its key, this once",
        handler=_create,
        role="user",
        body=NewToken,
        answer=IssuedToken,
        status=201,
    ),
    Route(method="GET", path="/tokens/{id}", summary="Show a token", handler=_get, role="user", answer=TokenView),
    Route(
        method="PATCH",
        path="/tokens/{id}",
        summary="Change a token",
        handler=_update,
        role="user",
        body=TokenChanges,
        answer=TokenView,
    ),
    Route(method="DELETE", path="/tokens/{id}", summary="Delete a token", handler=_delete, role="user"),
)
