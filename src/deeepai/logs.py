"""Logging: one line an event, structured, and never a key."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from .settings import Settings

_KEYS = re.compile(
    r"((?:sk|session|access|code)-[A-Za-z0-9_\-]{6})[A-Za-z0-9_\-]{6,}"
    r"|(?i:(bearer\s+|x-key[\"':=\s]+|mj-api-secret[\"':=\s]+|api[-_]?key[\"':=\s]+)[^\s\"',}&]{6,})"
    r"|([?&](?:key|api_key|sig|token)=)[^\s&\"']+"
    r"|(whsec_)[A-Za-z0-9+/=]{8,}"
)


def redact(text: str) -> str:
    """Cut keys out of a text, keeping what tells which kind it was."""
    return _KEYS.sub(lambda match: next(group for group in (*match.groups(), "") if group is not None) + "…", text)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def redact_event(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Clean every value of a log event; stands last before the renderer, so that nothing gets past it."""
    for key, value in event.items():
        event[key] = _clean(value)
    return event


class _Redacting(logging.Formatter):
    """For libraries that log by themselves."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(settings: Settings) -> None:
    """Set up logging for this process, to standard error."""
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
