"""Operations that channels of other protocols serve, through translators."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgspec

from ..accounts.models import Channel
from ..declare import (
    AnyOperation,
    CallTranslator,
    Failure,
    JobTranslator,
    Json,
    LocalAnswer,
    Paid,
    Part,
    Protocol,
    Reason,
    Stream,
    TaskTranslator,
    Usage,
)
from .body import forms
from .body.request import HttpRequest
from .dispatch import Reachable, Way
from .exchange import Exchange
from .routing import Route

Translator = CallTranslator | JobTranslator
_IN_MEMORY: Final = 4
"""Times its size that a form on disk takes when it is translated."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A translator, with the operations that it leads to."""

    translator: Translator
    way: Way
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
    _estimating: frozenset[tuple[str, str]] = frozenset()
    """Callers' operations, each with a protocol that says by itself what they will probably consume there."""
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
            plain = stream = routes[translator.target]
            way = Way(plain.operation.name, translator.models)
            if isinstance(translator, CallTranslator):
                stream = routes[translator.stream_target or translator.target]
            entry = _Entry(translator, way, plain, stream)
            if translator.source not in routes:
                raise KeyError(translator.source)
            by_source.setdefault(translator.source, {}).setdefault(plain.protocol.name, []).append(entry)
        reachable: dict[str, Reachable] = {}
        for name, route in routes.items():
            targets = {route.protocol.name: [Way(route.operation.name)]}
            for target, entries in by_source.get(name, {}).items():
                targets.setdefault(target, []).extend(entry.way for entry in entries)
            reachable[name] = Reachable((target, tuple(ways)) for target, ways in targets.items())
        estimating = frozenset(
            (name, target)
            for name, targets in by_source.items()
            for target, entries in targets.items()
            if any(isinstance(each.translator, CallTranslator) and each.translator.estimates for each in entries)
        )
        return cls(reachable, routes, by_source, estimating, {each.source: each for each in local})

    def translate(self, x: Exchange, channel: Channel, model: str) -> Translated:
        """Translate a request for a channel that does not serve the operation itself; for the same one but once.

        Parameters
        ----------
        model : str
            The model's name at the upstream: what it can do decides what is written.

        Raises
        ------
        Failure
            INVALID, where the target cannot carry the request.
        """
        if x.translation is not None and x.translation[:2] == (channel.id, model):
            return x.translation[2]
        entry = next((each for each in self._open(x, channel, model) if each.translator.takes(x.request)), None)
        if entry is None:
            raise Failure(Reason.INVALID, "The vendor of this model has nothing like it", code="unsupported_operation")
        operation, translator = x.operation, entry.translator
        streams = isinstance(operation, Stream) and operation.rules.wanted(x.request)
        route = entry.stream if streams else entry.plain
        if x.request.spool is not None:
            # What lies on disk comes into memory: as it is, as text, and as it goes out.
            x.request.hold(_IN_MEMORY * x.request.spool.size)
        body = translator.request(x.request, model)
        facts = translator.facts(body) if isinstance(translator, JobTranslator) and isinstance(body, Mapping) else {}
        request = inner_request(route, body, model)
        translated = Translated(route.protocol, route.operation, request, translator, facts)
        x.translation = (channel.id, model, translated)
        return translated

    def estimates(self, operation: str, protocol: str) -> bool:
        """Tell whether a protocol says by itself what a caller's operation will probably consume there."""
        return (operation, protocol) in self._estimating

    def estimate(self, x: Exchange, channel: Channel, model: str) -> Usage | None:
        """Return what a request will probably consume at a channel, as its protocol says; None where it says nothing.

        Parameters
        ----------
        model : str
            As for `translate`.
        """
        try:
            translated = self.translate(x, channel, model)
        except Failure:
            return None
        estimate = translated.operation.estimate if isinstance(translated.operation, Paid) else None
        return None if estimate is None else estimate(translated.request)

    def _open(self, x: Exchange, channel: Channel, model: str) -> Iterable[_Entry]:
        entries = self._by_source.get(x.route.name, {}).get(channel.protocol, ())
        # A price is looked for by the operator's name of a model.
        names = {model, channel.model_map.get(model, model)}
        return (entry for entry in entries if any(entry.way.open_at(channel, name) for name in names))


def inner_request(route: Route, body: Mapping[str, Any] | Sequence[Part], model: str) -> HttpRequest:
    """Return a request of the gateway's own to an operation, by JSON's fields or a form's parts.

    Raises
    ------
    Failure
        INVALID, where the operation does not take such a body.
    """
    if route.operation.media in ("multipart", "form") and isinstance(body, Mapping):
        body = _form(body)
    scope = {"method": "POST", "path": route.operation.path, "query_string": b"", "headers": []}
    request = HttpRequest(scope, route, {"model": model})
    fields = body
    if isinstance(body, Mapping):
        request.raw = msgspec.json.encode(body)
    else:
        request.parts = body
        pieces, kind = forms.written(body, {})
        request.raw = b"".join(cast("list[bytes]", pieces))
        request.headers[b"content-type"] = kind.encode()
        fields = {part.name: part.text for part in body if part.filename is None}
    if route.operation.body is not None:
        try:
            request.body = msgspec.convert(fields, route.operation.body, strict=isinstance(body, Mapping))
        except msgspec.ValidationError as fault:
            raise Failure(Reason.INVALID, f"The model's own protocol does not take the request: {fault}") from None
    return request


_PICTURE: Final = re.compile(r"data:([^;,]+);base64,")


def _form(fields: Mapping[str, Json]) -> Sequence[Part]:
    """Return fields as the parts of a form: pictures that came within are files."""
    parts: list[Part] = []
    for name, value in fields.items():
        head = _PICTURE.match(value) if isinstance(value, str) else None
        if head is None:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            parts.append(Part(name, memoryview(text.encode())))
        else:
            try:
                data = base64.b64decode(value[head.end() :], validate=True)
            except ValueError:
                raise Failure(Reason.INVALID, f"'{name}' is no picture in base64", param=name) from None
            parts.append(Part(name, memoryview(data), f"{name}.{head[1].rpartition('/')[2]}", head[1]))
    return parts


def by_source(translators: Iterable[TaskTranslator]) -> Mapping[str, Sequence[TaskTranslator]]:
    """Return translators by the operation that they serve, in their order."""
    found: dict[str, list[TaskTranslator]] = {}
    for translator in translators:
        found.setdefault(translator.source, []).append(translator)
    return found
