"""Signing in, and the caller's own keys of this API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from ...accounts import keys, passwords, people, sessions
from ...accounts.people import Account, Name, Password, User, UserChanges
from ...accounts.query import Viewer
from ...accounts.units import Moment, moment, ms
from ...declare import Failure, Reason
from ...storage.cache import Cache
from ...storage.database import Tx
from ...storage.ids import now_ms
from ..routes import Call, Route

_MINUTE = 60.0
_FAILURES_OF_NAME = 5
_FAILURES_OF_ADDRESS = 20


class Credentials(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A user's name and password."""

    name: Annotated[str, Meta(max_length=100)]
    password: Annotated[str, Meta(max_length=200)]


class Session(msgspec.Struct, kw_only=True):
    """A session's key, to be sent as `Authorization: Bearer`."""

    token: str
    expires_at: datetime
    user: User


class Me(msgspec.Struct, kw_only=True):
    """The caller."""

    user: User
    accounts: list[Account]


class PasswordChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new password for oneself."""

    old: Annotated[str, Meta(max_length=200)]
    new: Password


class NewAccessKey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A lasting key for scripts."""

    name: Name
    expires_at: Moment | None = None


class IssuedAccessKey(msgspec.Struct, kw_only=True):
    """A lasting key, shown this once."""

    id: str
    key: str


class AccessKeys(msgspec.Struct, kw_only=True):
    """The caller's lasting keys."""

    data: list[sessions.AccessKey]


def _counters(name: str, address: str) -> tuple[tuple[str, int], ...]:
    return (f"login:name:{keys.digest(name)}", _FAILURES_OF_NAME), (f"login:from:{address}", _FAILURES_OF_ADDRESS)


async def _check_throttle(cache: Cache, name: str, address: str) -> None:
    for key, most in _counters(name, address):
        if int(await cache.get(key) or 0) >= most:
            raise Failure(Reason.RATE_LIMITED, "Too many failed logins; wait a minute", retry_after=_MINUTE)


async def _authenticate(call: Call, name: str, password: str) -> User:
    cache = call.context.cache
    await _check_throttle(cache, name, call.address)
    # Counted before the slow comparison, so that guesses at the same time do not all get through.
    for key, _ in _counters(name, call.address):
        await cache.incr(key, _MINUTE)
    found = await call.read(lambda tx: people.user_named(tx, name))
    good = await passwords.matches(password, found[1] if found is not None else None)
    if found is None or not good or found[0].status != "enabled":
        raise Failure(Reason.UNAUTHENTICATED, "Wrong name or password", code="wrong_password")
    for key, _ in _counters(name, call.address)[:1]:
        await cache.set(key, b"0", _MINUTE)
    return found[0]


async def _login(call: Call) -> Session:
    body: Credentials = call.body
    user = await _authenticate(call, body.name, body.password)
    expires_at = now_ms() + sessions.SESSION_MS
    _, key = await call.write(lambda tx: sessions.create(tx, user.id, "session", expires_at=expires_at))
    return Session(token=key, expires_at=moment(expires_at), user=user)


async def _logout(call: Call) -> None:
    await call.write(lambda tx: sessions.delete(tx, call.who.session_id, call.who.user_id))


async def _me(call: Call) -> Me:
    async def work(tx: Tx) -> Me:
        # One's own accounts, an administrator's too.
        own = Viewer(call.who.user_id)
        return Me(user=await people.get_user(tx, call.who.user_id), accounts=await people.list_accounts(tx, own))

    return await call.read(work)


async def _change_password(call: Call) -> None:
    body: PasswordChange = call.body
    await _authenticate(call, call.who.name, body.old)
    stored = await passwords.hashed(body.new)
    await call.configure(lambda tx: people.update_user(tx, call.who.user_id, UserChanges(), stored))


async def _list_keys(call: Call) -> AccessKeys:
    return AccessKeys(data=await call.read(lambda tx: sessions.list_access(tx, call.who.user_id)))


async def _create_key(call: Call) -> IssuedAccessKey:
    body: NewAccessKey = call.body
    expires_at = None if body.expires_at is None else ms(body.expires_at)
    key_id, key = await call.write(
        lambda tx: sessions.create(tx, call.who.user_id, "access", name=body.name, expires_at=expires_at)
    )
    return IssuedAccessKey(id=key_id, key=key)


async def _delete_key(call: Call) -> None:
    await call.write(lambda tx: sessions.delete(tx, call.params["id"], call.who.user_id))


ROUTES = (
    Route(
        method="POST",
        path="/login",
        summary="Sign in",
        handler=_login,
        role="public",
        body=Credentials,
        answer=Session,
    ),
    Route(method="POST", path="/logout", summary="Sign out", handler=_logout, role="user"),
    Route(method="GET", path="/me", summary="Who am I", handler=_me, role="user", answer=Me),
    Route(
        method="PUT",
        path="/me/password",
        summary="Change one's password; ends all sessions",
        handler=_change_password,
        role="user",
        body=PasswordChange,
    ),
    Route(
        method="GET",
        path="/access-keys",
        summary="List one's lasting keys of this API",
        handler=_list_keys,
        role="user",
        answer=AccessKeys,
    ),
    Route(
        method="POST",
        path="/access-keys",
        summary="Make a lasting key of this API, for scripts",
        handler=_create_key,
        role="user",
        body=NewAccessKey,
        answer=IssuedAccessKey,
        status=201,
    ),
    Route(
        method="DELETE",
        path="/access-keys/{id}",
        summary="Delete one of one's lasting keys",
        handler=_delete_key,
        role="user",
    ),
)
