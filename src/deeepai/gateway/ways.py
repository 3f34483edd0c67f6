"""By which protocol a call reaches a channel: its own, or another one through a translator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from ..declare import CallTranslator, Failure, Operation, Protocol, Reason
from .request import HttpRequest
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


@dataclass(slots=True)
class Bridges:
    """All call translators, by the operation that they serve."""

    by_source: Mapping[str, Mapping[str, Bridge]] = field(default_factory=dict[str, Mapping[str, Bridge]])
    """Source operation → target protocol → bridge."""
    reach: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Source operation → target protocols, the translators' order."""

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
        found: dict[str, dict[str, Bridge]] = {}
        for translator in translators:
            plain = routes[translator.target]
            bridge = Bridge(translator, plain, routes[translator.stream_target or translator.target])
            if translator.source not in routes:
                raise KeyError(translator.source)
            found.setdefault(translator.source, {})[plain.protocol.name] = bridge
        return cls(found, {source: tuple(bridges) for source, bridges in found.items()})

    def way(self, source: str, request: HttpRequest, operation: Operation, protocol: str, asked: str) -> Way:
        """Translate a request for a channel of another protocol.

        Parameters
        ----------
        source : str
            Name of the caller's operation.
        asked : str
            The model, as the caller names it; the target's own declaration renames it for the channel.

        Raises
        ------
        Failure
            INVALID, where the target cannot carry the request.
        """
        bridge = self.by_source[source][protocol]
        streams = operation.stream is not None and operation.stream.wanted(request)
        route = bridge.stream if streams else bridge.plain
        body = bridge.translator.request(request, asked)
        scope = {"method": "POST", "path": route.operation.path, "query_string": b"", "headers": []}
        made = HttpRequest(scope, route, {"model": asked})
        made.raw = msgspec.json.encode(body)
        if route.operation.body is not None:
            try:
                made.body = msgspec.convert(body, route.operation.body)
            except msgspec.ValidationError as fault:
                raise Failure(Reason.INVALID, f"The model's own protocol does not take the request: {fault}") from None
        return Way(route.protocol, route.operation, made, bridge.translator)
