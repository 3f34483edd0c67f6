"""Logging: one line an event, structured, and never a key."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final, TextIO, cast

import structlog

from .declare import Protocol
from .settings import Settings

_GENERIC: Final = (r"(?:proxy[-_])?authorization", r"[\w-]*api[-_]?key", r"[\w-]*(?:access|refresh)[-_]token")
"""Names of headers and fields that hold keys anywhere."""
_GENERIC_QUERIES: Final = ("key", "api_key", "sig", "token", "access_token")
_VALUE: Final = r"[^\s\"',;&)\]}\\`]"
_SCHEMES: Final = "bearer|token|basic|key|apikey"
_PAIR: Final = r"(?:[\"'\\]*\s*[:=]>?\s*[(\[]?|[\"'\\]+\s*,\s*)b?[\"'\\]*"
"""What stands between a name and its value: a header's colon, JSON's, a query's `=`, the comma of a pair of texts."""
_QUOTED: Final = r"[\"'\\]+\s*[:=,]\s*b?[\"'\\]+"


class _Secrets:
    """Finds keys, by what they look like and by the names that stand before them.

    Parameters
    ----------
    headers, queries : iterable of str
        Names of headers and of query parameters.
    """

    def __init__(self, headers: Iterable[str], queries: Iterable[str]) -> None:
        names = {name.lower() for name in headers}
        words = sorted(name for name in names if name.isalpha())
        exact = [*_GENERIC, *(re.escape(name).replace(r"\-", "[-_]") for name in sorted(names) if not name.isalpha())]
        asked = "|".join(re.escape(name) for name in sorted({*_GENERIC_QUERIES, *queries}))
        scheme = rf"(?:(?:{_SCHEMES})\s+)?"
        patterns = [
            r"((?<![A-Za-z0-9])(?:sk[-_]|(?:session|access|code)-)[A-Za-z0-9_\-]{6})[A-Za-z0-9_\-]{6,}",
            r"(whsec_)[A-Za-z0-9+/=]{8,}",
            rf"(?i:(\bbearer\s+){_VALUE}{{6,}})",
            # An unknown scheme goes with its key.
            rf"(?i:((?<![\w-])(?:{'|'.join(exact)}){_PAIR}{scheme})"
            rf"(?!(?:{_SCHEMES})\b)(?:[a-z][\w-]*[ ]+)?{_VALUE}{{6,}})",
            rf"(?i:([?&\"'](?:{asked})=){_VALUE}+)",
        ]
        if words:
            # Such a name is also a common word: what follows it must look like a key, or stand in quotes as a value.
            word = rf"(?<![\w-])(?:{'|'.join(words)})"
            key = rf"(?={_VALUE}*[\d_]|{_VALUE}{{16}}){_VALUE}{{8,}}"
            patterns.append(rf"(?i:({word}{_QUOTED}{scheme}){_VALUE}{{8,}})")
            patterns.append(rf"(?i:({word}{_PAIR}{scheme}){key})")
        self._pattern = re.compile("|".join(patterns))
        self._name = re.compile("|".join((*exact, *words)), re.IGNORECASE)

    def cut(self, text: str) -> str:
        """Cut keys out of a text."""
        return self._pattern.sub(lambda match: next(group for group in match.groups() if group is not None) + "…", text)

    def names(self, name: Any) -> bool:
        """Tell whether something is the name of a header or a field that holds a key."""
        text = name.decode("latin-1") if isinstance(name, bytes) else name
        return isinstance(text, str) and self._name.fullmatch(text) is not None


_secrets = _Secrets((), ())


def secret_names(protocols: Iterable[Protocol]) -> tuple[set[str], set[str]]:
    """Return the headers and the query parameters that hold keys in some protocols."""
    known = list(protocols)
    headers = {name for protocol in known for name in protocol.key_headers}
    return headers, {name for protocol in known for name in protocol.key_queries}


def redact(text: str) -> str:
    """Cut keys out of a text, keeping what tells which kind it was."""
    return _secrets.cut(text)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {key: _under(key, item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        items = cast("list[Any] | tuple[Any, ...]", value)
        if len(items) == 2 and _secrets.names(items[0]):
            return [items[0], _under(*items)]
        return [_clean(item) for item in items]
    # The renderer would show it so.
    return redact(repr(value))


def _under(name: Any, value: Any) -> Any:
    """Clean what has a name: under one that holds keys, a text of any length is one."""
    if not _secrets.names(name):
        return _clean(value)
    if isinstance(value, list | tuple):
        return ["…" if isinstance(item, str | bytes) else _clean(item) for item in cast("list[Any]", value)]
    return "…" if isinstance(value, str | bytes) else _clean(value)


def redact_event(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Clean every value of a log event; stands last before the renderer, so that nothing gets past it."""
    for key, value in event.items():
        event[key] = _under(key, value)
    return event


class _Unfailing:
    """A stream to which nothing is written where that cannot be: no work fails because its log is full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class _Redacting(logging.Formatter):
    """For libraries that log by themselves."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(settings: Settings, secret_headers: Iterable[str], secret_queries: Iterable[str]) -> None:
    """Set up logging for this process, to standard error.

    Parameters
    ----------
    secret_headers, secret_queries : iterable of str
        Names under which keys come, beside those that hold them anywhere; see `secret_names`.
    """
    global _secrets
    _secrets = _Secrets(secret_headers, secret_queries)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    pretty = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
