"""What connections of callers may take of time; what is refused them is counted, and logged now and then."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final, Literal

import structlog

from .settings import Settings

log = structlog.get_logger()

GUARD: Final = "deeepai.guard"
"""Key of the server's state under which connections find theirs."""
_LOOKS: Final = 3
"""How often a connection is looked at while its shortest limit lasts."""
_LOG_SECONDS: Final = 10.0

Why = Literal["all", "address", "files", "head", "body", "reader", "malformed"]
"""Too many connections in all, or of one address; no file left; a head, a body or a reader too slow; no HTTP."""


class Guard:
    """The limits of a process's connections, and what came of them.

    Parameters
    ----------
    settings : Settings, optional

    Attributes
    ----------
    head : float
        Seconds within which a head must be whole, and over which a body's rate is measured.
    rate : float
        Bytes a second that a body must bring.
    reader : float
        Seconds after which a caller that takes nothing of its answer is closed.
    look : float
        Seconds between two looks at a connection.
    refused : Counter
        By reason.
    open : int
        Connections that were accepted and are not closed.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.head, self.rate, self.reader = settings.head_limit, settings.body_rate, settings.reader_limit
        self.look = min(self.head, self.reader) / _LOOKS
        self.refused: Counter[str] = Counter()
        self.open = 0
        self._untold: Counter[str] = Counter()
        self._quiet = False

    def refuse(self, why: Why) -> None:
        """Count something that was refused; what many do at once is one line of the log."""
        self.refused[why] += 1
        self._untold[why] += 1
        if not self._quiet:
            self._tell()

    def _tell(self) -> None:
        self._quiet = bool(self._untold)
        if self._quiet:
            log.warning("connections.refused", **self._untold)
            self._untold.clear()
            asyncio.get_running_loop().call_later(_LOG_SECONDS, self._tell)


DEFAULT: Final = Guard()
"""Of servers that say nothing else."""
