"""Transports: clouds that carry a vendor's protocol under addresses, signatures and framings of their own.

A channel names one in `settings.transport`. It changes a request that is otherwise ready, and what comes back, so that
everybody else sees the vendor's own protocol. A transport is one module here and a line in `TRANSPORTS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...accounts.models import Channel
from ...declare import Failure, Reason
from ..client import Client
from .azure import Azure
from .base import Transport
from .bedrock import Bedrock
from .transport_client import TransportClient
from .vertex import Vertex

TRANSPORTS: Final[Mapping[str, Transport]] = {"azure": Azure(), "bedrock": Bedrock(), "vertex": Vertex()}


def named(settings: Mapping[str, Any], protocol: str) -> Transport | None:
    """Return the transport that a channel's settings name; None where they name none.

    Raises
    ------
    Failure
        INVALID, where there is no such transport, or it cannot carry the protocol.
    """
    name = settings.get("transport")
    if name is None:
        return None
    transport = TRANSPORTS.get(name) if isinstance(name, str) else None
    if transport is None:
        message = f"There is no such transport; there are {', '.join(sorted(TRANSPORTS))}"
        raise Failure(Reason.INVALID, message, param="settings.transport")
    if protocol not in transport.carries:
        message = f"The transport {name} carries {', '.join(transport.carries)}, not {protocol}"
        raise Failure(Reason.INVALID, message, param="settings.transport")
    return transport


def operations(settings: Mapping[str, Any]) -> Sequence[str] | None:
    """Return which operations a channel's transport carries, as names or patterns; None where it has no transport."""
    name = settings.get("transport")
    if name is None:
        return None
    transport = TRANSPORTS.get(name)
    return () if transport is None else transport.operations(settings)


def client_for(client: Client, channel: Channel, model: str = "") -> Client | TransportClient:
    """Return what sends a channel's requests, over connections of its own.

    Parameters
    ----------
    model : str
        What the requests are for, as the channel names it; some clouds have it in the address.
    """
    own, name = client.of(channel.id), channel.settings.get("transport")
    return own if name is None else TransportClient(own, TRANSPORTS[name], channel, model)


async def handshake(
    client: Client, channel: Channel, url: str, headers: Mapping[str, str], model: str
) -> tuple[str, Mapping[str, str]]:
    """Return where a channel's WebSocket is opened, and by which headers.

    Raises
    ------
    NotSent
    """
    sender = client_for(client, channel, model)
    return await sender.handshake(url, headers) if isinstance(sender, TransportClient) else (url, headers)


__all__ = ["TRANSPORTS", "client_for", "handshake", "named", "operations"]
