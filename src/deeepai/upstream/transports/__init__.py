"""Transports: clouds that carry a vendor's protocol under addresses, signatures and framings of their own.

A channel names one in `settings.transport`. It changes a request that is otherwise ready, and what comes back, so that
everybody else sees the vendor's own protocol. A transport is one module here and a line in `TRANSPORTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...accounts.models import Channel
from ...declare import Failure, Reason
from ..client import Client
from .azure import Azure
from .base import Transport
from .bedrock import Bedrock
from .through import Through
from .vertex import Vertex

TRANSPORTS: Final[Mapping[str, Transport]] = {"azure": Azure(), "bedrock": Bedrock(), "vertex": Vertex()}


def completed(settings: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    """Return a channel's settings; where they name a transport, with the operations that it carries.

    Raises
    ------
    Failure
        INVALID, where the transport is none, cannot carry the protocol, or needs more.
    """
    found = dict(settings)
    name = settings.get("transport")
    if name is None:
        return found
    transport = TRANSPORTS.get(name) if isinstance(name, str) else None
    if transport is None:
        message = f"There is no such transport; there are {', '.join(sorted(TRANSPORTS))}"
        raise Failure(Reason.INVALID, message, param="settings.transport")
    if protocol not in transport.carries:
        message = f"The transport {name} carries {', '.join(transport.carries)}, not {protocol}"
        raise Failure(Reason.INVALID, message, param="settings.transport")
    for needed in transport.needs:
        if not isinstance(settings.get(needed), str) or not settings[needed]:
            raise Failure(Reason.INVALID, f"The transport {name} needs settings.{needed}", param=f"settings.{needed}")
    found.setdefault("operations", list(transport.operations))
    return found


def through(client: Client, channel: Channel) -> Client | Through:
    """Return what sends a channel's requests: the client itself where the channel has no transport."""
    name = channel.settings.get("transport")
    return client if name is None else Through(client, TRANSPORTS[name], channel)


__all__ = ["TRANSPORTS", "completed", "through"]
