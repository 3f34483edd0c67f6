"""Users. They are disabled, never deleted: accounts, tokens and usage refer to them."""

from __future__ import annotations

import msgspec

from ...accounts import passwords, people
from ...accounts.people import NewUser, User, UserChanges
from ...declare import Failure, Reason
from ..routes import Call, Paging, Route, following


class Users(msgspec.Struct, kw_only=True):
    """A page of users."""

    data: list[User]
    next: str | None


class MadeUser(msgspec.Struct, kw_only=True):
    """A new user; the password where it was generated."""

    user: User
    account_id: str | None
    password: str | None


async def _list(call: Call) -> Users:
    query: Paging = call.query
    found = await call.read(lambda tx: people.list_users(tx, after=query.cursor, limit=query.limit))
    return Users(data=found, next=following(found, query.limit))


async def _create(call: Call) -> MadeUser:
    new: NewUser = call.body
    password = new.password or passwords.generate()
    stored = await passwords.hashed(password)
    user_id, account_id = await call.configure(lambda tx: people.create_user(tx, new, stored))
    return MadeUser(
        user=await call.read(lambda tx: people.get_user(tx, user_id)),
        account_id=account_id,
        password=None if new.password else password,
    )


async def _get(call: Call) -> User:
    return await call.read(lambda tx: people.get_user(tx, call.params["id"]))


async def _update(call: Call) -> User:
    changes: UserChanges = call.body
    if call.params["id"] == call.who.user_id and changes.status == "disabled":
        raise Failure(Reason.CONFLICT, "You cannot disable yourself")
    stored = await passwords.hashed(changes.password) if isinstance(changes.password, str) else None
    await call.configure(lambda tx: people.update_user(tx, call.params["id"], changes, stored))
    return await _get(call)


ROUTES = (
    Route(method="GET", path="/users", summary="List users", handler=_list, query=Paging, answer=Users),
    Route(
        method="POST",
        path="/users",
        summary="Make a user, with an account of the user's own",
        handler=_create,
        body=NewUser,
        answer=MadeUser,
        status=201,
    ),
    Route(method="GET", path="/users/{id}", summary="Show a user", handler=_get, answer=User),
    Route(
        method="PATCH",
        path="/users/{id}",
        summary="Change a user: name, password, role, or enabled or not",
        handler=_update,
        body=UserChanges,
        answer=User,
    ),
)
