"""Small pieces that several declarations use."""

from __future__ import annotations

from collections.abc import Mapping

from ..declare import Request

_USUAL_TIERS = frozenset({"", "auto", "default", "standard", "scale", "on_demand"})


def bearer(credential: str) -> Mapping[str, str]:
    """Return the usual authorization header."""
    return {"authorization": f"Bearer {credential}"}


def no_credential(credential: str) -> Mapping[str, str]:
    """Return no header: the upstream takes no credential."""
    return {}


def service_tier(name: object) -> dict[str, str]:
    """Return what a price depends on, where a vendor worked in another tier than the usual one; no name is a fault."""
    return {} if not isinstance(name, str) or name.lower() in _USUAL_TIERS else {"service_tier": name.lower()}


def body_model(request: Request) -> str:
    """Return the body's `model`."""
    return request.body.model


def rough_tokens(request: Request) -> int:
    """Estimate the tokens of a body: four bytes each."""
    return len(request.raw) // 4 + 1
