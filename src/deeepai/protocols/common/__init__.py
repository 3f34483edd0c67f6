"""Small pieces that several declarations use; the larger ones are modules beside it."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Mapping
from typing import Protocol as Interface

from ...declare import AnyRequest, Json, Request

_USUAL_TIERS = frozenset({"", "auto", "default", "standard", "scale", "on_demand"})


class HasModel(Interface):
    """A body that names its model."""

    @property
    def model(self) -> str: ...  # noqa: D102


def bearer(credential: str) -> Mapping[str, str]:
    """Return the usual authorization header."""
    return {"authorization": f"Bearer {credential}"}


def digits(length: int) -> str:
    """Return an id of so many digits that nobody can guess."""
    return str(secrets.randbelow(9 * 10 ** (length - 1)) + 10 ** (length - 1))


def iso(milliseconds: int) -> str:
    """Return a time as texts of RFC 3339 have it, in UTC."""
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def service_tier(name: object) -> dict[str, str]:
    """Return what a price depends on, where a vendor worked in another tier than the usual one; no name is a fault."""
    return {} if not isinstance(name, str) or name.lower() in _USUAL_TIERS else {"service_tier": name.lower()}


def body_model(request: Request[HasModel]) -> str:
    """Return the body's `model`."""
    return request.body.model


def rough_tokens(request: AnyRequest) -> int:
    """Estimate the tokens of a body: four bytes each."""
    return len(request.raw) // 4 + 1


def unseen(body: bytes, *marks: bytes) -> int:
    """Return 1 where a body names content that it does not hold, by certain quoted words; else 0."""
    # A generator would take as long again, on each call.
    for mark in marks:
        if mark in body:
            return 1
    return 0


def positive(value: Json, default: int) -> int:
    """Return a positive integer; else the default."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default
