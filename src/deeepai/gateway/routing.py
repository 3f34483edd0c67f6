"""From method and path to an operation: one dictionary look-up for fixed paths, a walk over segments for others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..declare import AnyOperation, Failure, Local, Protocol, Reason
from .base_urls import BaseURLs, clean


@dataclass(frozen=True, slots=True)
class Route:
    """An operation under one of its paths."""

    protocol: Protocol
    operation: AnyOperation
    params: Mapping[str, str]
    """What the prefix sets."""
    name: str
    """`protocol.operation`."""
    marked: list[tuple[bytes, Route]] = field(default_factory=list["tuple[bytes, Route]"], compare=False)
    """Other protocols' operations under the same path, each with the header that asks for it."""

    def among(self, headers: Iterable[tuple[bytes, bytes]]) -> Route:
        """Return the route that a request's headers ask for."""
        sent = {name for name, _ in headers}
        return next((route for mark, route in self.marked if mark in sent), self)


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    any: _Node | None = None
    verbs: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    """What follows on any segment that ends in `:verb`."""
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict[str, tuple[Route, tuple[str, ...]]])
    rest: bool = False
    """Its placeholder takes all that follows."""


class Router:
    """All operations of all protocols, compiled once."""

    def __init__(self, protocols: Iterable[Protocol]) -> None:
        self.protocols = tuple(protocols)
        self._fixed: dict[str, dict[str, Route]] = {}
        self._root = _Node()
        self._marks = {one.mark_header.encode(): one for one in self.protocols if one.mark_header is not None}
        self._bases = BaseURLs(self.protocols)
        self._own = [(prefix, protocol) for protocol in self.protocols for prefix in protocol.own_paths]
        for protocol in self.protocols:
            for operation in protocol.operations:
                name = f"{protocol.name}.{operation.name}"
                for path, params in paths(protocol, operation):
                    self._add(operation.method, path, Route(protocol, operation, params, name))

    def _add(self, method: str, path: str, route: Route) -> None:
        if "{" not in path:
            known = self._fixed.setdefault(path, {})
            if method in known:
                _share(known[method], route, path)
            else:
                known[method] = route
            return
        node, names = self._root, []
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                name, _, verb = segment[1:].partition("}")
                names.append(name)
                if verb:
                    node = node.verbs.setdefault(verb.removeprefix(":"), _Node())
                else:
                    node.any = node.any or _Node()
                    node = node.any
            else:
                node = node.fixed.setdefault(segment, _Node())
        if isinstance(route.operation, Local) and route.operation.takes_rest:
            node.rest = True
        if method in node.routes:
            first, named = node.routes[method]
            if named != tuple(names):
                raise ValueError(f"{method} {path} names its placeholders in two ways")
            _share(first, route, path)
        else:
            node.routes[method] = (route, tuple(names))

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Return the route and the parameters in its path.

        Raises
        ------
        Failure
            NOT_FOUND or BAD_METHOD.
        """
        known = self._fixed.get(path)
        if known is not None:
            route = known.get(method)
            if route is not None:
                return route, route.params
        found = self._at(method, path)
        if found is not None:
            return found
        for other, params in self._bases.meant(path):
            found = self._at(method, other)
            if found is not None:
                route, values = found
                return (route, {**values, **params}) if params else found
        raise self._missing(method, path)

    def _at(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """Return what is declared at a path itself."""
        known = self._fixed.get(path)
        if known is not None:
            route = known.get(method) or _headless(method, known.get("GET"))
            return None if route is None else (route, route.params)
        found = self._walk(self._root, path.strip("/").split("/"), 0, ())
        if found is None:
            return None
        node, values = found
        entry = node.routes.get(method)
        if entry is None:
            entry = node.routes.get("GET")
            if entry is None or _headless(method, entry[0]) is None:
                return None
        route, names = entry
        return route, {**route.params, **dict(zip(names, values, strict=True))}

    def _missing(self, method: str, path: str) -> Failure:
        """Say that a path takes other methods, or is none, and what may have been meant."""
        for other in (path, *(other for other, _ in self._bases.meant(path))):
            methods = self._methods(other)
            if methods:
                return _bad_method(method, methods)
        segments = path.strip("/").split("/")
        for start in range(1, min(len(segments), 8)):
            tail = "/" + "/".join(segments[start:])
            for other, _ in self._bases.meant(tail):
                if self._at(method, other) is not None:
                    base = path[: -len(tail)] or "/"
                    return Failure(
                        Reason.NOT_FOUND, f"Invalid URL ({method} {path}): nothing is at {base}; did you mean {other}?"
                    )
        if len(segments) < 2:
            example = next(iter(self.protocols[0].operations)).path
            return Failure(Reason.NOT_FOUND, f"Invalid URL ({method} {path}): a path looks like {example}")
        return Failure(Reason.NOT_FOUND, f"Invalid URL ({method} {path})")

    def _methods(self, path: str) -> Sequence[str]:
        if path in self._fixed:
            return list(self._fixed[path])
        found = self._walk(self._root, path.strip("/").split("/"), 0, ())
        return [] if found is None else list(found[0].routes)

    def has(self, path: str) -> bool:
        """Tell whether a protocol declares a path, by whatever method, or owns what lies there."""
        return any(path.startswith(prefix) for prefix, _ in self._own) or self._first(path) is not None

    def _first(self, path: str) -> Route | None:
        """Return what was first declared at a path, by whatever method."""
        if path in self._fixed:
            return next(iter(self._fixed[path].values()))
        found = self._walk(self._root, path.strip("/").split("/"), 0, ())
        if found is not None:
            return next(iter(found[0].routes.values()))[0]
        other = clean(path)
        return self._first(other) if other != path else None

    def _walk(
        self, node: _Node, segments: list[str], at: int, values: tuple[str, ...]
    ) -> tuple[_Node, tuple[str, ...]] | None:
        if at == len(segments):
            return (node, values) if node.routes else None
        child = node.fixed.get(segments[at])
        if child is not None:
            found = self._walk(child, segments, at + 1, values)
            if found is not None:
                return found
        if node.verbs:
            value, _, verb = segments[at].rpartition(":")
            child = node.verbs.get(verb)
            if child is not None and value:
                found = self._walk(child, segments, at + 1, (*values, value))
                if found is not None:
                    return found
        if node.any is not None and segments[at]:
            found = self._walk(node.any, segments, at + 1, (*values, segments[at]))
            if found is None and node.any.rest:
                found = (node.any, (*values, "/".join(segments[at:])))
            return found
        return None

    def marked(self, headers: Iterable[tuple[bytes, bytes]]) -> Protocol | None:
        """Return the protocol whose clients send such headers."""
        return next((self._marks[name] for name, _ in headers if name in self._marks), None)

    def owner(self, path: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> tuple[Protocol, Failure | None]:
        """Return the protocol in whose shape an error about a path is answered, and what it says of it."""
        for protocol in self.protocols:
            if protocol.claims is not None:
                failure = protocol.claims(path)
                if failure is not None:
                    return protocol, failure
        below = self._bases.protocol(path)
        if below is not None:
            return below, None
        for prefix, protocol in self._own:
            if path.startswith(prefix):
                return protocol, None
        marked = self.marked(headers)
        if marked is not None and path.startswith("/v1/"):
            return marked, None
        meant = (self._first(other) for other in (path, *(other for other, _ in self._bases.meant(path))))
        route = next((route for route in meant if route is not None), None)
        return self.protocols[0] if route is None else route.protocol, None


def _headless(method: str, route: Route | None) -> Route | None:
    """Return the GET route that answers a HEAD: the server leaves the body out."""
    if method != "HEAD" or route is None:
        return None
    # Events go on until the task ends.
    endless = isinstance(route.operation, Local) and "text/event-stream" in route.operation.answers
    return None if endless else route


def _bad_method(method: str, known: Sequence[str]) -> Failure:
    allowed = [*known, *(["HEAD"] if "GET" in known else []), "OPTIONS"]
    return Failure(
        Reason.BAD_METHOD,
        f"{method} is not allowed here; use {', '.join(known)}",
        headers={"allow": ", ".join(dict.fromkeys(allowed))},
    )


def _share(first: Route, other: Route, path: str) -> None:
    """Let a second protocol have a path, for requests that carry its mark."""
    mark = other.protocol.mark_header
    if mark is None or other.protocol is first.protocol:
        raise ValueError(f"{other.operation.method} {path} is declared twice")
    first.marked.append((mark.encode(), other))


def paths(protocol: Protocol, operation: AnyOperation) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield every path of an operation, with what its prefix sets."""
    for prefix, params in protocol.prefixes.items():
        for path in (operation.path, *operation.aliases):
            yield prefix + path, params
