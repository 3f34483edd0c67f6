"""WebSockets to upstreams.

By the library `websockets`, which is the server's end, too: both ends wait for a slow reader, and a refused handshake
shows its whole answer, which decides whether another channel may be tried.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from .. import __version__
from ..accounts.models import Limits
from ..declare import Answer
from .errors import NotSent, UpstreamError

MOST_EVENT: Final = 24 * 1024 * 1024
"""Bytes of one event."""
_MOST_WAITING: Final = 4
"""Events that are read ahead."""
_CLOSE_SECONDS: Final = 2.0
_ALIVE_SECONDS: Final = 20.0
_AGENT: Final = f"deeepai/{__version__}"
_log = logging.getLogger(__name__)
# What the library says of a handshake holds the credential.
_log.setLevel(logging.WARNING)


class Refused(UpstreamError):
    """The upstream answered the handshake otherwise than by a WebSocket."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


class Closed(UpstreamError):
    """The upstream closed the socket.

    Attributes
    ----------
    code : int
        RFC 6455's; 1006 where it went without a word.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class _Once(connect):
    """A handshake that follows no redirect: a credential goes where the channel says, and nowhere else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Socket:
    """An open WebSocket whose messages are text."""

    __slots__ = ("_connection",)

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> str:
        """Return the next message, waiting for it; cancelling loses none.

        Raises
        ------
        Closed
        """
        try:
            message = await self._connection.recv()
        except ConnectionClosed as fault:
            raise _closed(fault) from None
        if isinstance(message, bytes):
            return message.decode("utf-8", "replace")
        return message

    async def send(self, text: str) -> None:
        """Send a message, waiting while the upstream reads too slowly.

        Raises
        ------
        Closed
        """
        try:
            await self._connection.send(text)
        except ConnectionClosed as fault:
            raise _closed(fault) from None

    async def close(self) -> None:
        """Close; an upstream that does not answer is waited for a moment only."""
        await self._connection.close()

    def abort(self) -> None:
        """Close without a word."""
        self._connection.transport.abort()


def _closed(fault: ConnectionClosed) -> Closed:
    frame = fault.rcvd if fault.rcvd is not None else fault.sent
    return Closed(1006, "") if frame is None else Closed(frame.code, frame.reason)


async def open_socket(url: str, headers: Mapping[str, str], limits: Limits) -> Socket:
    """Open a WebSocket; `url` may begin with `http` as well as with `ws`.

    Raises
    ------
    Refused, NotSent
    """
    if url.startswith("http"):
        url = "ws" + url.removeprefix("http")
    try:
        connection = await _Once(
            url,
            additional_headers=list(headers.items()),
            user_agent_header=_AGENT,
            compression=None,
            proxy=None,
            open_timeout=limits.connect,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=_ALIVE_SECONDS,
            ping_timeout=_ALIVE_SECONDS,
            max_size=MOST_EVENT,
            max_queue=_MOST_WAITING,
            logger=_log,
        )
    except InvalidStatus as fault:
        said = fault.response
        found = {name.lower(): value for name, value in said.headers.raw_items()}
        raise Refused(Answer(said.status_code, found, bytes(said.body or b""))) from None
    except TimeoutError:
        raise NotSent("no WebSocket within the limit") from None
    except (OSError, EOFError, UnicodeError, ValueError, WebSocketException, asyncio.InvalidStateError) as fault:
        raise NotSent(f"no WebSocket: {type(fault).__name__}") from None
    return Socket(connection)
