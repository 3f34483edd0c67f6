"""Channels to choose among."""

from __future__ import annotations

from typing import Any

from deeepai.accounts.models import Channel, Limits
from tests.support.until import PATIENCE

QUICK = Limits(connect=PATIENCE, first_byte=PATIENCE, between=PATIENCE, whole=PATIENCE)


def channel(name: str, **more: Any) -> Channel:
    given: dict[str, Any] = {
        "protocol": "toy",
        "base_url": "http://127.0.0.1:1",
        "credential": "k",
        "models": ("m",),
        "model_map": {},
        "mode": "live",
        "price_groups": None,
        "priority": 0,
        "weight": 1,
        "concurrency": None,
        "rpm": None,
        "enabled": True,
        "limits": QUICK,
        "settings": {},
        "source": "api",
        **more,
    }
    return Channel(id=f"ch_{name}", name=name, **given)
