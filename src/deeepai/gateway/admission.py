"""What a caller may do: models, limits, and the price that is held before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..accounts.models import Token
from ..declare import Failure, Protocol, Reason
from .body.request import HttpRequest
from .dispatch import ROUTINGS, Routing, matches

_HEADER = "x-deeepai-routing"
_RAW_HEADER = _HEADER.encode()


@lru_cache(maxsize=8192)
def _allowed(models: tuple[str, ...], name: str) -> bool:
    return matches(name, models)


def may_call(token: Token, name: str) -> None:
    """Refuse a model that is not on the token's list.

    Raises
    ------
    Failure
    """
    if not name.isprintable():
        # It goes into headers and logs.
        raise no_model(name)
    if token.models is not None and not _allowed(token.models, name):
        raise Failure(Reason.FORBIDDEN, f"The API key may not use the model '{name}'", param="model")


def resolve(aliases: Mapping[str, str], name: str) -> str:
    """Follow an alias, which may be a pattern ending in `*`; aliases do not chain."""
    target = aliases.get(name)
    if target is not None:
        return target
    for pattern, target in aliases.items():
        if pattern.endswith("*") and name.startswith(pattern[:-1]):
            return target
    return name


def no_model(name: str) -> Failure:
    """Build the failure of a model that nobody serves."""
    return Failure(
        Reason.NO_MODEL,
        f"The model '{name}' does not exist or you do not have access to it",
        param="model",
    )


def unserved(protocol: Protocol, hint: str, name: str) -> Failure:
    """Build the failure of a model without a channel: the hint where the model is known, else that there is none."""
    if hint and matches(name, protocol.models):
        return Failure(Reason.UNAVAILABLE, hint, param="model", code="no_channel")
    return no_model(name)


def routing(token: Token, request: HttpRequest) -> Routing:
    """Return how channels of one priority are chosen: as the request says, else the token, else by weight.

    Raises
    ------
    Failure
        INVALID, where the request says what there is not.
    """
    asked = request.header(_HEADER) if _RAW_HEADER in request.headers else ""
    if asked:
        if asked not in ROUTINGS:
            raise Failure(Reason.INVALID, f"{_HEADER} is one of {', '.join(ROUTINGS)}")
        return ROUTINGS[asked]
    if "routing" in token.settings:
        return ROUTINGS.get(str(token.settings["routing"]), "weight")
    return "weight"
