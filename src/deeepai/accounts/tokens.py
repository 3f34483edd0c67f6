"""Callers' tokens: made, listed, changed, found by digest."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..declare import Failure, Reason
from ..storage.database import Row, Tx, Value
from ..storage.ids import new_id, now_ms
from . import keys, sub_tokens, token_limits
from .changes import bump
from .models import Mode, Token
from .people import Name, changed, check_group
from .query import Viewer, Where, assignments, insertion
from .units import Moment, Usd, moment, moment_or_none, ms, nano, usd, usd_or_none

Patterns = Annotated[list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=1000)]
Networks = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=1000)]
StandIns = Annotated[list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=8)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
LEAST_KEY = 20
"""Characters of a key that the operator chooses."""


class TokenSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a token's requests are answered."""

    cache: Annotated[int, Meta(ge=1, le=7 * 86400)] | None = None
    """Seconds for which the answer to an equal request of the account is given again."""
    fallbacks: StandIns | dict[str, StandIns] | None = None
    """Models to try where the one that is asked for does not answer; by model, or for all (`*`)."""
    routing: Literal["weight", "price", "latency"] | None = None
    """How a channel is chosen among those of one priority."""


class TokenView(msgspec.Struct, kw_only=True):
    """A token, without its key."""

    id: str
    account_id: str
    user_id: str | None
    name: str
    hint: str
    mode: Mode
    status: str
    expires_at: datetime | None
    budget: Usd | None
    spent: Usd
    held: Usd
    models: list[str] | None
    ips: list[str] | None
    rpm: int | None
    concurrency: int | None
    price_group: str | None
    settings: dict[str, Any]
    limits_by: dict[str, str]
    """Who set a limit: operator, owner or user; only the same or a higher one lifts it."""
    source: str
    created_at: datetime
    last_used_at: datetime | None


class TokenChanges(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may change of a token. `null` lifts a limit."""

    name: Name | UnsetType = UNSET
    status: Literal["enabled", "disabled"] | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET
    budget: Usd | UnsetType | None = UNSET
    models: Patterns | UnsetType | None = UNSET
    ips: Networks | UnsetType | None = UNSET
    rpm: Positive | UnsetType | None = UNSET
    concurrency: Positive | UnsetType | None = UNSET
    price_group: Name | UnsetType | None = UNSET
    settings: TokenSettings | UnsetType = UNSET


class NewToken(TokenChanges, kw_only=True, forbid_unknown_fields=True):
    """A token to be made."""

    account_id: str | None = None
    """By default the caller's first account."""
    user_id: str | None = None
    mode: Mode = "live"


def _json(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _view(row: Row) -> TokenView:
    return TokenView(
        id=row["id"],
        account_id=row["account_id"],
        user_id=row["user_id"],
        name=row["name"],
        hint=row["hint"],
        mode=row["mode"],
        status=row["status"],
        expires_at=moment_or_none(row["expires_at"]),
        budget=usd_or_none(row["budget"]),
        spent=usd(row["spent"]),
        held=usd(row["held"]),
        models=_json(row["models"]),
        ips=_json(row["ips"]),
        rpm=row["rpm"],
        concurrency=row["concurrency"],
        price_group=row["price_group"],
        settings=_json(row["settings"]),
        limits_by=_json(row["limits_by"]),
        source=row["source"],
        created_at=moment(row["created_at"]),
        last_used_at=moment_or_none(row["last_used_at"]),
    )


def _columns(changes: TokenChanges) -> dict[str, Value]:
    values = changed(changes)
    for name in ("account_id", "user_id", "mode"):
        values.pop(name, None)
    if isinstance(changes.expires_at, datetime):
        values["expires_at"] = ms(changes.expires_at)
    if changes.budget is not UNSET and changes.budget is not None:
        values["budget"] = nano(changes.budget, "budget")
    if isinstance(changes.ips, list):
        for text in changes.ips:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise Failure(Reason.INVALID, f"{text!r} is no IP address or network", param="ips") from None
    for name in ("models", "ips", "settings"):
        if values.get(name) is not None:
            values[name] = msgspec.json.encode(values[name]).decode()
    return values


async def create(
    tx: Tx,
    account_id: str,
    new: NewToken,
    *,
    key: str | None = None,
    source: str = "api",
    viewer: Viewer | None = None,
) -> tuple[str, str]:
    """Make a token of an account.

    Parameters
    ----------
    key : str, optional
        The operator's own key; by default one is generated.
    viewer : Viewer, optional
        Who sets its limits; by default the operator.

    Returns
    -------
    id, key
        The key is nowhere to be had after this.

    Raises
    ------
    Failure
        INVALID, or CONFLICT where the key is taken.
    """
    columns = _columns(new)
    level = await token_limits.level_of(tx, account_id, viewer)
    if level == "user":
        await token_limits.check_new(tx, account_id, new.user_id)
    if isinstance(new.price_group, str):
        await check_group(tx, new.price_group)
    if new.user_id is not None:
        member = "SELECT 1 FROM members WHERE account_id = $1 AND user_id = $2"
        if await tx.fetchval(member, account_id, new.user_id) is None:
            raise Failure(Reason.INVALID, "The user is no member of the account", param="user_id")
    if key is not None and (len(key) < LEAST_KEY or not key.isascii() or not key.isprintable() or " " in key):
        raise Failure(Reason.INVALID, f"A key has at least {LEAST_KEY} visible ASCII characters", param="key")
    key = key or keys.new_key(new.mode)
    values: dict[str, Value] = {
        "id": new_id("tok_"),
        "account_id": account_id,
        "user_id": new.user_id,
        "name": new.name if isinstance(new.name, str) else new.mode,
        "digest": keys.digest(key),
        "hint": keys.hint(key),
        "mode": new.mode,
        "source": source,
        "created_at": now_ms(),
        "limits_by": token_limits.noted(columns, level),
        **columns,
    }
    if not await tx.execute(insertion("tokens", values) + " ON CONFLICT (digest) DO NOTHING", *values.values()):
        raise Failure(Reason.CONFLICT, "A token with that key exists already", param="key")
    await bump(tx)
    return str(values["id"]), key


def _seen(viewer: Viewer | None) -> Where:
    where = Where().add("status <> 'deleted'")
    return where if viewer is None else where.visible(viewer, user="user_id")


async def list_tokens(
    tx: Tx, viewer: Viewer | None, *, account_id: str | None = None, after: str | None = None, limit: int = 100
) -> list[TokenView]:
    """Return tokens by id."""
    where = _seen(viewer).equal("account_id", account_id)
    if after is not None:
        where.add("id > ?", after)
    rows = await tx.fetch(f"SELECT * FROM tokens {where} ORDER BY id LIMIT {int(limit)}", *where.args)
    return [_view(row) for row in rows]


async def get(tx: Tx, token_id: str, viewer: Viewer | None = None) -> TokenView:
    """Return a token that the viewer may see.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    where = _seen(viewer).add("id = ?", token_id)
    row = await tx.fetchrow(f"SELECT * FROM tokens {where}", *where.args)
    if row is None:
        raise Failure(Reason.NOT_FOUND, "There is no such token")
    return _view(row)


async def update(tx: Tx, token_id: str, changes: TokenChanges, viewer: Viewer | None = None) -> None:
    """Change a token.

    Raises
    ------
    Failure
        NOT_FOUND; INVALID; CONFLICT where it stands in the declarative file; FORBIDDEN, where a limit would be lifted
        that somebody higher set.
    """
    token = await get(tx, token_id, viewer)
    _check_source(token)
    values = _columns(changes)
    if isinstance(changes.price_group, str):
        await check_group(tx, changes.price_group)
    if values:
        before = await tx.fetchrow("SELECT * FROM tokens WHERE id = $1", token_id)
        assert before is not None
        level = await token_limits.level_of(tx, token.account_id, viewer)
        values["limits_by"] = token_limits.changed(before, values, level)
        await tx.execute(f"UPDATE tokens SET {assignments(values, 2)} WHERE id = $1", token_id, *values.values())
        await bump(tx)


def _check_source(token: TokenView) -> None:
    if token.source == "file":
        message = "The token stands in the declarative file; change it there"
        raise Failure(Reason.CONFLICT, message, code="foreign_source")


async def delete(tx: Tx, token_id: str, viewer: Viewer | None = None, *, source: str = "api") -> None:
    """Delete a token for good. Its row stays, for usage and money refer to it.

    Raises
    ------
    Failure
        NOT_FOUND; CONFLICT where it stands in the declarative file, unless that is the `source` of the wish.
    """
    found = await get(tx, token_id, viewer)
    if source != "file":
        _check_source(found)
    await tx.execute("UPDATE tokens SET status = 'deleted' WHERE id = $1", token_id)
    await bump(tx)


async def spent(tx: Tx, token_id: str) -> int:
    """Return what was ever spent with a token, in 10⁻⁹ USD."""
    return int(await tx.fetchval("SELECT spent FROM tokens WHERE id = $1", token_id) or 0)


async def write_last_used(tx: Tx, used_at: Mapping[str, int]) -> None:
    """Write when tokens were last used (ms since 1970)."""
    await tx.executemany("UPDATE tokens SET last_used_at = $2 WHERE id = $1", sorted(used_at.items()))


async def find(tx: Tx, digest: str) -> Token | None:
    """Return the token whose key has that digest, or for which a sub-token's key stands; None where there is none."""
    token = await _find(tx, digest)
    if token is not None:
        return token
    found = await sub_tokens.find(tx, digest)
    token = None if found is None else await _find(tx, found[1])
    if token is None or found is None:
        return None
    until = found[0].expires_at if token.expires_at is None else min(token.expires_at, found[0].expires_at)
    return replace(token, sub=found[0], expires_at=until)


async def _find(tx: Tx, digest: str) -> Token | None:
    row = await tx.fetchrow(
        "SELECT t.*, a.price_group AS account_group, "
        "CASE WHEN t.status = 'enabled' AND a.status = 'enabled' AND COALESCE(u.status, 'enabled') = 'enabled' "
        "THEN 1 ELSE 0 END AS enabled "
        "FROM tokens t JOIN accounts a ON a.id = t.account_id LEFT JOIN users u ON u.id = t.user_id "
        "WHERE t.digest = $1 AND t.status <> 'deleted'",
        digest,
    )
    if row is None:
        return None
    models, ips = _json(row["models"]), _json(row["ips"])
    return Token(
        id=row["id"],
        account_id=row["account_id"],
        user_id=row["user_id"],
        name=row["name"],
        mode=row["mode"],
        enabled=row["enabled"] == 1,
        expires_at=row["expires_at"],
        budget=row["budget"],
        models=None if models is None else tuple(models),
        ips=None if ips is None else tuple(ips),
        rpm=row["rpm"],
        concurrency=row["concurrency"],
        price_group=row["price_group"] or row["account_group"],
        settings=_json(row["settings"]),
    )


async def put(tx: Tx, account_id: str, new: NewToken, key: str, *, source: str) -> Literal["made", "changed", "same"]:
    """Make or change the token with that key which came from the same source.

    Raises
    ------
    Failure
        INVALID, or CONFLICT where the key is another account's or came from elsewhere.
    """
    row = await tx.fetchrow("SELECT * FROM tokens WHERE digest = $1", keys.digest(key))
    if row is None:
        await create(tx, account_id, new, key=key, source=source)
        return "made"
    if row["status"] != "deleted" and row["source"] != source:
        raise Failure(Reason.CONFLICT, "A token with that key exists already", param="key")
    if row["account_id"] != account_id:
        raise Failure(Reason.CONFLICT, "The key is of a token of another account", param="key")
    columns = _columns(new)
    values: dict[str, Value] = {
        "name": new.mode,
        "status": "enabled",
        "expires_at": None,
        "budget": None,
        "models": None,
        "ips": None,
        "rpm": None,
        "concurrency": None,
        "price_group": None,
        "settings": "{}",
        **columns,
        "limits_by": token_limits.noted(columns, "operator"),
        "mode": new.mode,
        "user_id": new.user_id,
        "source": source,
    }
    if isinstance(new.price_group, str):
        await check_group(tx, new.price_group)
    if all(row[name] == value for name, value in values.items()):
        return "same"
    await tx.execute(f"UPDATE tokens SET {assignments(values, 2)} WHERE id = $1", row["id"], *values.values())
    await bump(tx)
    return "changed"
