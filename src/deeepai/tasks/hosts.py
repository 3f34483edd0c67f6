"""Whose host an address names, and so where a channel's credential may go."""

from __future__ import annotations

from ..accounts.models import Channel
from .store import Stored


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()


def is_local(url: str) -> bool:
    """Tell whether an address is on this machine."""
    host = _host(url)
    return host.startswith(("127.", "localhost", "[::1]"))


def same_host(base: str, url: str) -> bool:
    """Tell whether two addresses name the same host and port."""
    return _host(base) == _host(url)


def address(channel: Channel, path: str) -> str:
    """Return the URL to ask; an absolute one counts only on the vendor's own hosts, for the credential goes there."""
    base = channel.base_url.rstrip("/")
    if not path.startswith(("http://", "https://")):
        return base + path
    ours, theirs = _host(base), _host(path)
    domain = ".".join(ours.split(".")[-2:])
    same_scheme = path.partition("://")[0] == base.partition("://")[0]
    if same_scheme and (ours == theirs or ("." in domain and not ours[0].isdigit() and theirs.endswith("." + domain))):
        return path
    return base + "/" + path.partition("://")[2].partition("/")[2]


def hook_address(task: Stored, channel: Channel, public_url: str | None, local_url: str) -> str | None:
    """Return our callback address for a task, if the channel's upstream can reach it."""
    base = local_url if is_local(channel.base_url) else public_url
    return f"{base.rstrip('/')}/hooks/{task.id}/{task.hook_key}" if base else None
