"""The one way out: requests to upstreams, and what can go wrong with them, told apart.

The four failures decide what may be tried again: `NotSent` is safe to repeat elsewhere, `MaybeSent` is not, `Cut` and
`Stalled` come after the answer began.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from . import __version__
from .accounts.models import Limits
from .declare import Answer


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


class Response:
    """An upstream's answer whose body is still to come."""

    __slots__ = ("_limits", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, limits: Limits) -> None:
        self._response = response
        self._limits = limits
        self.status = response.status
        self.headers: CIMultiDictProxy[str] = response.headers
        connection = response.connection
        if connection is not None and connection.protocol is not None:
            connection.protocol.read_timeout = limits.between
            # The timer that runs was set for the first byte.
            connection.protocol.start_timeout()

    async def read(self, limit: int) -> bytes:
        """Read the whole body, at most `limit` bytes.

        Raises
        ------
        Cut, Stalled
        """
        content = self._response.content
        try:
            chunks: list[bytes] = []
            size = 0
            while True:
                chunk = await content.readany()
                size += len(chunk)
                if size > limit:
                    raise Cut(f"the answer is larger than {limit} bytes")
                if content.at_eof():
                    return b"".join((*chunks, chunk)) if chunks else chunk
                chunks.append(chunk)
        except (aiohttp.ServerTimeoutError, TimeoutError):
            raise Stalled("nothing came within the limit", answered=True) from None
        except (aiohttp.ClientError, ConnectionError, OSError) as fault:
            raise Cut("the answer was cut short") from fault

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises
        ------
        Cut, Stalled
        """
        content = self._response.content
        try:
            while True:
                chunk = await content.readany()
                if chunk:
                    yield chunk
                elif content.at_eof():
                    return
        except (aiohttp.ServerTimeoutError, TimeoutError):
            raise Stalled("nothing came within the limit", answered=True) from None
        except (aiohttp.ClientError, ConnectionError, OSError) as fault:
            raise Cut("the answer was cut short") from fault

    def release(self) -> None:
        """Give the connection back after the body was read to its end."""
        self._response.release()

    def abort(self) -> None:
        """Close the connection, which cancels the work at most upstreams."""
        self._response.close()


class Upstreams(Protocol):
    """What dispatch and the tasks need of the way out."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
        limits: Limits,
    ) -> Response:
        """Send a request; return once the headers of the answer are here."""
        ...


class Client:
    """Kept-alive connections to all upstreams."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=0, keepalive_timeout=15.0, ttl_dns_cache=60),
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            headers={"user-agent": f"deeepai/{__version__}", "accept": "*/*"},
            read_bufsize=256 * 1024,
        )
        self._timeouts: dict[Limits, aiohttp.ClientTimeout] = {}
        self._urls: dict[str, URL] = {}

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Any, limits: Limits) -> Response:
        """Send a request; return once the headers of the answer are here.

        Raises
        ------
        NotSent, MaybeSent, Stalled
        """
        timeout = self._timeouts.get(limits)
        if timeout is None:
            timeout = self._timeouts[limits] = aiohttp.ClientTimeout(
                total=None, sock_connect=limits.connect, sock_read=limits.first_byte
            )
        target = self._urls.get(url)
        if target is None:
            try:
                target = URL(url, encoded=True)
                _ = target.port  # read late, and only then found wrong
            except ValueError:
                raise NotSent("the channel's URL is not valid") from None
            if "?" not in url and len(self._urls) < 4096:
                self._urls[url] = target
        try:
            response = await self._session.request(
                method, target, headers=headers, data=body, timeout=timeout, allow_redirects=False
            )
        except aiohttp.ClientConnectorError as fault:
            raise NotSent(f"no connection: {fault.os_error.strerror or type(fault.os_error).__name__}") from None
        except aiohttp.ConnectionTimeoutError:
            raise NotSent("no connection within the limit") from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise NotSent("the channel's URL is not valid") from None
        except (aiohttp.ServerTimeoutError, TimeoutError):
            raise Stalled("no answer within the limit", answered=False) from None
        except (aiohttp.ClientError, ConnectionError, OSError) as fault:
            raise MaybeSent("the connection ended before any answer") from fault
        return Response(response, limits)

    async def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: Limits,
        max_answer: int = 64 * 1024 * 1024,
    ) -> Answer:
        """Send a request and read its whole answer within `limits.whole`."""
        try:
            async with asyncio.timeout(limits.whole):
                response = await self.send(method, url, headers, body, limits)
                try:
                    data = await response.read(max_answer)
                except BaseException:
                    response.abort()
                    raise
                response.release()
        except TimeoutError:
            raise Stalled("the answer was not complete within the limit", answered=False) from None
        return Answer(response.status, response.headers, data)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
