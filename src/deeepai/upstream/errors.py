"""The four failures of a request. They decide what may be tried again.

`NotSent` is safe to repeat elsewhere, `MaybeSent` is not, `Cut` and `Stalled` come after the answer began.
"""

from __future__ import annotations


class UpstreamError(Exception):
    """A request to an upstream failed."""


class NotSent(UpstreamError):
    """No byte reached the upstream: refused, no such host, or no connection in time."""


class MaybeSent(UpstreamError):
    """The connection ended before any answer; the upstream may have done the work."""


class Cut(UpstreamError):
    """The answer ended before it was complete."""


class Stalled(UpstreamError):
    """Nothing came for longer than the limit."""

    def __init__(self, message: str, *, answered: bool) -> None:
        super().__init__(message)
        self.answered = answered
