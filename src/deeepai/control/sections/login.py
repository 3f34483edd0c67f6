"""Signing in, and the caller's own keys of this API."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from ...accounts import addresses, keys, passwords, people, sessions
from ...accounts.people import Account, Name, Password, User, UserChanges
from ...accounts.query import Viewer
from ...accounts.units import Moment, moment, ms
from ...declare import Failure, Reason
from ...storage.cache import Cache
from ...storage.database import Tx
from ...storage.ids import now_ms
from ..routes import Call, Route

_MINUTE = 60.0
_FAILURES_AT_FIRST = 5
"""Of one user, from one network in a minute."""
_FAILURES_AT_HOME = 20
"""From a network where the user has signed in before."""
_FAILURES_OF_NETWORK = 20
_FREE_FAILURES = 10
"""Of one user, from anywhere in a minute: from then on who comes from elsewhere waits."""
_LONGEST_WAIT = 5.0


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


async def _throttle(cache: Cache, who: str, network: str, *, at_home: bool) -> None:
    """Count a try, and refuse it where there were too many from here; those from elsewhere only make it wait.

    It is counted before the slow comparison, so that guesses at the same time do not all get through.
    """
    here = await cache.incr(_here(who, network), _MINUTE)
    of_network = await cache.incr(f"login:from:{network}", _MINUTE)
    everywhere = await cache.incr(f"login:of:{who}", _MINUTE)
    most = _FAILURES_AT_HOME if at_home else _FAILURES_AT_FIRST
    if here > most or (of_network > _FAILURES_OF_NETWORK and not at_home):
        raise Failure(Reason.RATE_LIMITED, "Too many failed logins; wait a minute", retry_after=_MINUTE)
    elsewhere = everywhere - here - _FREE_FAILURES
    if elsewhere > 0 and not at_home:
        await asyncio.sleep(min(_LONGEST_WAIT, elsewhere / 10))


def _here(who: str, network: str) -> str:
    return f"login:{who}:{network}"


async def _authenticate(call: Call, name: str, password: str) -> User:
    cache, network = call.context.cache, addresses.network(call.address)

    async def look(tx: Tx) -> tuple[tuple[User, str | None] | None, bool]:
        found = await people.user_named(tx, name)
        return found, found is not None and await sessions.signed_in_from(tx, found[0].id, network)

    found, at_home = await call.read(look)
    # By whatever name: a user's id is another one.
    who = found[0].id if found is not None else keys.digest(name)
    await _throttle(cache, who, network, at_home=at_home)
    good = await passwords.matches(password, found[1] if found is not None else None)
    if found is None or not good or found[0].status != "enabled":
        raise Failure(Reason.UNAUTHENTICATED, "Wrong name or password", code="wrong_password")
    await cache.set(_here(who, network), b"0", _MINUTE)
    await call.write(lambda tx: sessions.note_address(tx, who, network))
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
