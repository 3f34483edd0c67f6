"""Callers' addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=1024)
def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Read addresses or networks."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; an IPv4 address in IPv6 form counts as IPv4."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return parsed if mapped is None else mapped


def within(address: str, texts: tuple[str, ...]) -> bool:
    """Tell whether an address lies in one of the networks."""
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks(texts))


def network(address: str) -> str:
    """Return what one caller may have of addresses: IPv6's are handed out by /64."""
    found = _parsed(address.partition("%")[0])
    if found is None:
        return address
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


def caller(peer: str, forwarded: Sequence[str], trusted: tuple[str, ...]) -> str:
    """Return a caller's address.

    Parameters
    ----------
    peer : str
        The other end of the connection.
    forwarded : sequence of str
        Values of `X-Forwarded-For`, in order; each proxy adds at the end the address that it saw.
    trusted : tuple of str
        The operator's proxies.
    """
    if not trusted or not forwarded or not within(peer, trusted):
        return peer
    address = peer
    for text in reversed(",".join(forwarded).split(",")):
        try:
            address = str(ipaddress.ip_address(text.strip()))
        except ValueError:
            break
        if not within(address, trusted):
            break
    return address


def private(peer: str, forwarded: Sequence[str], trusted: tuple[str, ...]) -> bool:
    """Tell whether a caller is of a private network, and nobody else is said to stand behind it.

    Whoever is named in the headers counts, also where the proxy that names it is not among the trusted: an operator may
    have forgotten it.
    """
    named = [text.strip() for text in ",".join(forwarded).split(",") if text.strip()]
    return all(_private(address) for address in (caller(peer, forwarded, trusted), *named))


def _private(address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and parsed.is_private
