"""Whose host an address names, and so where a channel's credential may go."""

from __future__ import annotations

import functools
import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from ..accounts.models import Channel
from ..protocols import PROTOCOLS
from .store import Stored

_PLACE = re.compile(r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*\.?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
"""Host and port, and nothing else that a client might take for a part of them."""
_PORTS = {"http": 80, "https": 443}


def _place(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an address; None where it is not plain what they are."""
    try:
        parts: SplitResult = urlsplit(url)
        netloc = parts.netloc.lower()
        if parts.scheme not in _PORTS or _PLACE.fullmatch(netloc) is None or not url.isprintable() or "\\" in url:
            return None
        return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS[parts.scheme]
    except ValueError:
        return None


def is_local(url: str) -> bool:
    """Tell whether an address is on this machine."""
    found = _place(url)
    if found is None:
        return False
    try:
        return ipaddress.ip_address(found[1]).is_loopback
    except ValueError:
        return found[1] == "localhost"


def same_host(base: str, url: str) -> bool:
    """Tell whether two addresses name the same host and port."""
    ours = _place(base)
    theirs = _place(url)
    return ours is not None and theirs is not None and ours[1:] == theirs[1:]


@functools.cache
def _domain(protocol: str) -> str:
    """Return the domain under which a protocol's own vendor has its hosts; an empty one where it has none."""
    known = PROTOCOLS.get(protocol)
    found = None if known is None or is_local(known.base_url) else _place(known.base_url)
    return "" if found is None else ".".join(found[1].split(".")[-2:])


def address(channel: Channel, path: str) -> str:
    """Return the URL to ask; an absolute one counts only on the channel's own host, or from one of the vendor's hosts
    to another, for the credential goes there.
    """
    base = channel.base_url.rstrip("/")
    if not path.lower().startswith(("http://", "https://")):
        return base + path
    ours, theirs = _place(base), _place(path)
    if ours is not None and theirs is not None:
        domain = _domain(channel.protocol)
        related = domain and _within(ours[1], domain) and _within(theirs[1], domain) and ours[::2] == theirs[::2]
        if ours == theirs or related:
            return path
    return base + "/" + path.partition("://")[2].partition("/")[2]


def _within(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def hook_address(task: Stored, channel: Channel, public_url: str | None, local_url: str) -> str | None:
    """Return our callback address for a task, if the channel's upstream can reach it."""
    base = local_url if is_local(channel.base_url) else public_url
    return f"{base.rstrip('/')}/hooks/{task.id}/{task.hook_key}" if base else None
