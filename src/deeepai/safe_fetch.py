"""Requests to addresses that others chose: no private network is reached, whatever a name resolves to.

Each name is resolved once, its addresses are judged, and the connection goes to a judged address; every redirect is
judged again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRANSLATED = tuple(ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
"""Networks whose addresses end in an IPv4 address: RFC 4291, RFC 2765, RFC 6052."""


class Unsafe(Exception):
    """The address must not be reached."""


class TooLarge(Unsafe):
    """The file is larger than is taken."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: status, media type, body."""

    status: int
    content_type: str
    body: bytes


def judge(address: str, allowed: Sequence[Network]) -> None:
    """Refuse an address that is not public, unless the operator allows its network.

    Raises
    ------
    Unsafe
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if any(found in network for network in allowed if network.version == found.version):
        return
    carried = _carried(found) if isinstance(found, ipaddress.IPv6Address) else None
    if not _public(found) or (carried is not None and not _public(carried)):
        raise Unsafe("The address is not a public one")


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not address.is_multicast and not site_local


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address to which a gateway on the way would translate."""
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class _Judging(AbstractResolver):
    def __init__(self, allowed: Sequence[Network]) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for result in found:
            judge(result["host"], self._allowed)
        return found

    async def close(self) -> None:
        await self._inner.close()


def check_url(url: str, allowed: Sequence[Network]) -> URL:
    """Judge what can be judged without a look-up.

    Raises
    ------
    Unsafe
    """
    try:
        target = URL(url)
    except ValueError:
        raise Unsafe("The URL is not valid") from None
    if target.scheme not in ("http", "https") or not target.host or target.user or target.password:
        raise Unsafe("The URL must be http or https, with a host and without a password")
    try:
        ipaddress.ip_address(target.host)
    except ValueError:
        host = target.host.rstrip(".").lower()
        if host.endswith("localhost"):
            judge("127.0.0.1", allowed)
        if ":" in host or host.replace(".", "").isdigit():
            # The client takes 2130706433 and 127.1 for addresses, and would connect without asking the resolver.
            raise Unsafe("The URL's host is neither a name nor an address") from None
        # 0x7f000001, which a resolver would take for an address, is judged when resolved.
        return target
    judge(target.host, allowed)
    return target


class SafeFetch:
    """A client for addresses that callers or vendors supply.

    Parameters
    ----------
    allowed : sequence of networks
        Private networks that may be reached all the same.
    """

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = tuple(allowed)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_Judging(self._allowed), use_dns_cache=False, limit=200),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def check(self, url: str) -> URL:
        """Judge a URL as `check_url` does.

        Raises
        ------
        Unsafe
        """
        return check_url(url, self._allowed)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int,
        seconds: float,
        redirects: int = 3,
        types: Sequence[str] = (),
    ) -> Fetched:
        """Send a request and read at most `limit` bytes of the answer, within `seconds`.

        Raises
        ------
        Unsafe
            The address, a redirect's address, the size (`TooLarge`) or the media type is not acceptable.
        aiohttp.ClientError, TimeoutError
            It could not be done.
        """
        async with self.opened(method, url, headers=headers, body=body, seconds=seconds, redirects=redirects) as found:
            kind = found.content_type
            if types and found.status < 300 and not kind.startswith(tuple(types)):
                raise Unsafe(f"The file's type is {kind}")
            return Fetched(found.status, kind, await _read(found, limit))

    @asynccontextmanager
    async def opened(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float,
        redirects: int = 3,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Send a request, for an answer that is read as it comes, all of it within `seconds`.

        Raises
        ------
        Unsafe, aiohttp.ClientError, TimeoutError
        """
        async with asyncio.timeout(seconds):
            target = self.check(url)
            while True:
                try:
                    response = await self._session.request(
                        method, target, headers=headers, data=body, allow_redirects=False
                    )
                except aiohttp.ClientConnectorError as fault:
                    raise _unsafe_cause(fault) or fault from None
                async with response:
                    place = response.headers.get("location")
                    if response.status not in (301, 302, 303, 307, 308) or not place or method != "GET":
                        yield response
                        return
                if redirects == 0:
                    raise Unsafe("Too many redirects")
                redirects -= 1
                target = self.check(_joined(target, place))

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


def _joined(target: URL, place: str) -> str:
    try:
        return str(target.join(URL(place)))
    except ValueError:
        raise Unsafe("The redirect's URL is not valid") from None


def _unsafe_cause(fault: BaseException) -> Unsafe | None:
    cause: Any = fault
    while cause is not None:
        if isinstance(cause, Unsafe):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The file is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
