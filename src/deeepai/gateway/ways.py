"""By which protocol a call reaches a channel: its own, or another one through a translator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from ..accounts.models import Channel
from ..declare import CallTranslator, Failure, Operation, Protocol, Reason
from .body import HttpRequest
from .dispatch import serves
from .routing import Route


@dataclass(frozen=True, slots=True)
class Bridge:
    """A translator, with the operations that it leads to."""

    translator: CallTranslator
    plain: Route
    stream: Route


@dataclass(slots=True)
class Way:
    """A request as one protocol says it; the caller's own where there is no translator."""

    protocol: Protocol
    operation: Operation
    request: HttpRequest
    translator: CallTranslator | None = None


Reach = tuple[tuple[str, tuple[str, ...]], ...]
"""Protocols whose channels may serve an operation, in order, each with the operations that a channel may do it by."""


@dataclass(slots=True)
class Bridges:
    """All call translators, by the operation that they serve."""

    by_source: Mapping[str, Mapping[str, Sequence[Bridge]]] = field(
        default_factory=dict[str, Mapping[str, Sequence[Bridge]]]
    )
    """Source operation → target protocol → bridges, the translators' order."""
    reach: Mapping[str, Reach] = field(default_factory=dict[str, Reach])
    """By the caller's operation."""

    @classmethod
    def build(cls, protocols: Mapping[str, Protocol], translators: Iterable[CallTranslator]) -> Bridges:
        """Look up what the translators name.

        Raises
        ------
        KeyError
            A translator names what nobody declares.
        """
        routes = {
            f"{protocol.name}.{operation.name}": Route(protocol, operation, {}, f"{protocol.name}.{operation.name}")
            for protocol in protocols.values()
            for operation in protocol.operations
        }
        found: dict[str, dict[str, list[Bridge]]] = {}
        for translator in translators:
            plain = routes[translator.target]
            bridge = Bridge(translator, plain, routes[translator.stream_target or translator.target])
            if translator.source not in routes:
                raise KeyError(translator.source)
            found.setdefault(translator.source, {}).setdefault(plain.protocol.name, []).append(bridge)
        reach: dict[str, Reach] = {}
        for name, route in routes.items():
            ways = {route.protocol.name: [route.operation.name]}
            for target, bridges in found.get(name, {}).items():
                ways.setdefault(target, []).extend(bridge.plain.operation.name for bridge in bridges)
            reach[name] = tuple((target, tuple(operations)) for target, operations in ways.items())
        return cls(found, reach)

    def way(self, source: str, request: HttpRequest, operation: Operation, channel: Channel, model: str) -> Way:
        """Translate a request for a channel that does not serve the operation itself.

        Parameters
        ----------
        source : str
            Name of the caller's operation.
        model : str
            The model's name at the upstream: what it can do decides what is written.

        Raises
        ------
        Failure
            INVALID, where the target cannot carry the request.
        """
        bridge = next(
            one for one in self.by_source[source][channel.protocol] if serves(channel, one.plain.operation.name)
        )
        streams = operation.stream is not None and operation.stream.wanted(request)
        route = bridge.stream if streams else bridge.plain
        body = bridge.translator.request(request, model)
        scope = {"method": "POST", "path": route.operation.path, "query_string": b"", "headers": []}
        made = HttpRequest(scope, route, {"model": model})
        made.raw = msgspec.json.encode(body)
        if route.operation.body is not None:
            try:
                made.body = msgspec.convert(body, route.operation.body)
            except msgspec.ValidationError as fault:
                raise Failure(Reason.INVALID, f"The model's own protocol does not take the request: {fault}") from None
        return Way(route.protocol, route.operation, made, bridge.translator)
