"""What is meant by a path that nobody has: base URLs carry too much, too little, or what another vendor's do.

A client appends a path of its own to the base URL that its user entered. So the same call comes below `/v1`, without
it, with it twice, or below the address at which a vendor imitates another's format.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ..declare import Protocol

MODEL_IN_PATH: Final = "model in the path"
"""Key among a route's parameters; no placeholder has such a name."""

_VERSION: Final = re.compile(r"v\d+[a-z]*\d*", re.IGNORECASE)
_MOST: Final = 64
"""Paths that are tried for one."""
_DEEPEST: Final = 16
"""Slashes in a path that anybody may have meant."""

Params = Mapping[str, str]


class BaseURLs:
    """The places at which clients look for protocols.

    Parameters
    ----------
    protocols : sequence of Protocol
        Their `base_paths` and `model_paths` are meant.
    """

    def __init__(self, protocols: Iterable[Protocol]) -> None:
        bases = [(base, instead, protocol) for protocol in protocols for base, instead in protocol.base_paths.items()]
        self._bases = sorted(bases, key=lambda base: -len(base[0]))
        self._models = [
            (template.removesuffix("{model}"), instead)
            for protocol in protocols
            for template, instead in protocol.model_paths.items()
        ]

    def protocol(self, path: str) -> Protocol | None:
        """Return the protocol below whose base a path lies."""
        return next((protocol for base, _, protocol in self._bases if base and path.startswith(f"{base}/")), None)

    def meant(self, path: str) -> Iterator[tuple[str, Params]]:
        """Yield paths that may be meant by another, the likeliest first, each with what the other one's form says."""
        if path.count("/") > _DEEPEST:
            return
        todo: deque[tuple[str, Params]] = deque([(clean(path), {})])
        seen = {path}
        while todo and len(seen) < _MOST:
            other, params = todo.popleft()
            if other != path:
                yield other, params
            for variant in self._variants(other, params):
                if variant[0] not in seen:
                    seen.add(variant[0])
                    todo.append(variant)

    def _variants(self, path: str, params: Params) -> Iterator[tuple[str, Params]]:
        segments = path.strip("/").split("/")
        first = segments[0]
        for before, after in self._models:
            if path.startswith(before):
                names = path[len(before) :].split("/")
                for cut in range(1, len(names)):
                    name = "/".join(names[:cut])
                    yield f"{after}/{'/'.join(names[cut:])}", {**params, MODEL_IN_PATH: name}
        for base, instead, _ in self._bases:
            if path.startswith(f"{base}/") and (base or not _VERSION.fullmatch(first)):
                yield instead + path[len(base) :], params
        for size in (1, 2):
            if segments[:size] == segments[size : 2 * size]:
                yield "/" + "/".join(segments[size:]), params
            if len(segments) > 2 * size and segments[-size:] == segments[-2 * size : -size]:
                yield "/" + "/".join(segments[:-size]), params
        if _VERSION.fullmatch(first) and len(segments) > 1:
            if first != first.lower():
                yield "/" + "/".join([first.lower(), *segments[1:]]), params
            yield "/" + "/".join(segments[1:]), params


def clean(path: str) -> str:
    """Return a path without doubled slashes and without one at its end."""
    return "/" + "/".join(segment for segment in path.split("/") if segment)
