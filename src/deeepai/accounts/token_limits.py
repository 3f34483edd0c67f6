"""Who set a token's limits: only whoever stands as high lifts one again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from ..declare import Failure, Reason
from ..storage.database import Tx, Value
from .people import may_manage
from .query import Viewer

Level = Literal["operator", "owner", "user"]
_RANK: Final[Mapping[str, int]] = {"operator": 3, "owner": 2, "user": 1}
LIMITS: Final = ("status", "expires_at", "budget", "models", "ips", "rpm", "concurrency", "price_group")
_NUMBERS: Final = ("expires_at", "budget", "rpm", "concurrency")
_OF_WORK: Final = ("budget", "models", "ips", "rpm", "concurrency")
_decode = msgspec.json.Decoder(dict[str, str]).decode


async def level_of(tx: Tx, account_id: str, viewer: Viewer | None) -> Level:
    """Return as what somebody changes an account's tokens; nobody in particular is the operator."""
    if viewer is None or viewer.admin:
        return "operator"
    return "owner" if await may_manage(tx, account_id, viewer) else "user"


def _limits(name: str, value: Value) -> bool:
    return value == "disabled" if name == "status" else value is not None


def noted(values: Mapping[str, Value], level: Level) -> str:
    """Return who set the limits of a new token, as JSON."""
    return _encoded({name: level for name in LIMITS if _limits(name, values.get(name))})


def changed(before: Mapping[str, Any], values: Mapping[str, Value], level: Level) -> str:
    """Return who set a token's limits after a change, as JSON.

    Parameters
    ----------
    before : mapping
        The token's row.

    Raises
    ------
    Failure
        FORBIDDEN, where somebody higher set one that is lifted.
    """
    setters = _decode(before["limits_by"])
    for name in LIMITS:
        if name not in values or values[name] == before[name]:
            continue
        value, setter = values[name], setters.get(name)
        if setter is not None and _RANK[setter] > _RANK[level]:
            if name not in _NUMBERS or not _tighter(before[name], value):
                message = f"The {setter} set this limit of the token, and may lift it"
                raise Failure(Reason.FORBIDDEN, message, param=name)
            continue
        if _limits(name, value):
            setters[name] = level
        else:
            setters.pop(name, None)
    return _encoded(setters)


def _tighter(before: Any, value: Value) -> bool:
    return isinstance(value, int) and (before is None or value <= before)


def _encoded(setters: Mapping[str, str]) -> str:
    return msgspec.json.encode(setters).decode()


async def check_new(tx: Tx, account_id: str, user_id: str | None) -> None:
    """Refuse a plain member's new token where an owner set limits to the member's others, even deleted ones.

    Raises
    ------
    Failure
        FORBIDDEN
    """
    rows = await tx.fetch("SELECT limits_by FROM tokens WHERE account_id = $1 AND user_id = $2", account_id, user_id)
    for row in rows:
        setters = _decode(row["limits_by"])
        if any(_RANK[setters.get(name, "user")] > _RANK["user"] for name in _OF_WORK):
            raise Failure(Reason.FORBIDDEN, "Your tokens of this account have limits: an owner makes further ones")
