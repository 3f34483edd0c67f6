"""Operations that channels of other protocols serve, through translators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..accounts.models import Channel
from ..declare import (
    AnyOperation,
    CallTranslator,
    Failure,
    JobTranslator,
    Json,
    LocalAnswer,
    Protocol,
    Reason,
    Stream,
    TaskTranslator,
)
from .body.request import HttpRequest
from .dispatch import serves
from .exchange import Exchange
from .routing import Route

Translator = CallTranslator | JobTranslator
Reachable = tuple[tuple[str, tuple[str, ...]], ...]
"""Protocols whose channels may serve an operation, in order, each with the operations that a channel may do it by."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A translator, with the operations that it leads to."""

    translator: Translator
    plain: Route
    stream: Route


@dataclass(frozen=True, slots=True)
class Translated:
    """A request as a channel's protocol says it."""

    protocol: Protocol
    operation: AnyOperation
    request: HttpRequest
    translator: Translator
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """Of a job: what is kept with the task, of what the vendor is asked for."""


@dataclass(slots=True)
class TranslatorIndex:
    """All translators of calls and jobs, by the operation that they serve."""

    reachable: Mapping[str, Reachable] = field(default_factory=dict[str, Reachable])
    """By the caller's operation."""
    routes: Mapping[str, Route] = field(default_factory=dict[str, Route])
    """Every operation's, by name."""
    _by_source: Mapping[str, Mapping[str, Sequence[_Entry]]] = field(
        default_factory=dict[str, Mapping[str, Sequence[_Entry]]]
    )
    """Source operation → target protocol → translators, in their order."""
    local: Mapping[str, LocalAnswer] = field(default_factory=dict[str, LocalAnswer])
    """What the gateway says itself, by the caller's operation."""

    @classmethod
    def build(
        cls, protocols: Mapping[str, Protocol], translators: Iterable[Translator], local: Iterable[LocalAnswer] = ()
    ) -> TranslatorIndex:
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
        by_source: dict[str, dict[str, list[_Entry]]] = {}
        for translator in translators:
            plain = routes[translator.target]
            stream_target = translator.stream_target if isinstance(translator, CallTranslator) else None
            entry = _Entry(translator, plain, routes[stream_target or translator.target])
            if translator.source not in routes:
                raise KeyError(translator.source)
            by_source.setdefault(translator.source, {}).setdefault(plain.protocol.name, []).append(entry)
        reachable: dict[str, Reachable] = {}
        for name, route in routes.items():
            targets = {route.protocol.name: [route.operation.name]}
            for target, entries in by_source.get(name, {}).items():
                targets.setdefault(target, []).extend(entry.plain.operation.name for entry in entries)
            reachable[name] = tuple((target, tuple(operations)) for target, operations in targets.items())
        return cls(reachable, routes, by_source, {each.source: each for each in local})

    def translate(self, x: Exchange, channel: Channel, model: str) -> Translated:
        """Translate a request for a channel that does not serve the operation itself.

        Parameters
        ----------
        model : str
            The model's name at the upstream: what it can do decides what is written.

        Raises
        ------
        Failure
            INVALID, where the target cannot carry the request.
        """
        entries = self._by_source.get(x.route.name, {}).get(channel.protocol, ())
        served = (each for each in entries if serves(channel, each.plain.operation.name))
        entry = next((each for each in served if _takes(each.translator, x.request)), None)
        if entry is None:
            raise Failure(Reason.INVALID, "The vendor of this model has nothing like it", code="unsupported_operation")
        operation, translator = x.operation, entry.translator
        streams = isinstance(operation, Stream) and operation.rules.wanted(x.request)
        route = entry.stream if streams else entry.plain
        body = translator.request(x.request, model)
        facts = translator.facts(body) if isinstance(translator, JobTranslator) else {}
        return Translated(route.protocol, route.operation, inner_request(route, body, model), translator, facts)


def _takes(translator: Translator, request: HttpRequest) -> bool:
    return translator.takes(request) if isinstance(translator, JobTranslator) else True


def inner_request(route: Route, body: Mapping[str, Any], model: str) -> HttpRequest:
    """Return a request of the gateway's own to an operation.

    Raises
    ------
    Failure
        INVALID, where the operation does not take such a body.
    """
    scope = {"method": "POST", "path": route.operation.path, "query_string": b"", "headers": []}
    request = HttpRequest(scope, route, {"model": model})
    request.raw = msgspec.json.encode(body)
    if route.operation.body is not None:
        try:
            request.body = msgspec.convert(body, route.operation.body)
        except msgspec.ValidationError as fault:
            raise Failure(Reason.INVALID, f"The model's own protocol does not take the request: {fault}") from None
    return request


def by_source(translators: Iterable[TaskTranslator]) -> Mapping[str, Sequence[TaskTranslator]]:
    """Return translators by the operation that they serve, in their order."""
    found: dict[str, list[TaskTranslator]] = {}
    for translator in translators:
        found.setdefault(translator.source, []).append(translator)
    return found
