"""The gateway's own addresses: signed links to assets, and where upstreams may call back."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

from ..declare import Task, whole
from .store import Owner


class SignedLinks:
    """Makes and checks links.

    Parameters
    ----------
    base : str
        The gateway's own address, without a trailing slash.
    secret : bytes
        Signs links; whoever has a link may open it until it expires.
    lifetime : float
        Seconds that a link is good for, counted from the task's end, so that a task's link never changes.
    """

    def __init__(self, base: str, secret: bytes, lifetime: float) -> None:
        self._base = base.rstrip("/")
        self._secret = secret
        self._lifetime = int(lifetime)

    def at(self, path: str) -> str:
        """Return the absolute address of a path."""
        return self._base + path

    def asset(self, task: Task | Owner, number: int = 0) -> str:
        """Return the signed address of a task's file."""
        return self._signed(task, f"/assets/{quote(task.id)}/{number}")

    def media(self, task: Task, path: str) -> str:
        """Return the signed address of a protocol's own media path for a task."""
        return self._signed(task, path)

    def _signed(self, task: Task | Owner, path: str) -> str:
        expires = (task.finished_at or task.submitted_at) // 1000 + self._lifetime
        return f"{self._base}{path}?exp={expires}&sig={self._signature(task.id, expires)}"

    def _signature(self, task_id: str, expires: int) -> str:
        text = f"asset:{task_id}:{expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:40]

    def valid(self, task_id: str, expires: str, signature: str, now: int) -> bool:
        """Tell whether a link's signature is ours and not expired; `now` in ms."""
        seconds = whole(expires, 12)
        if seconds is None or seconds * 1000 < now:
            return False
        return hmac.compare_digest(self._signature(task_id, seconds).encode(), signature.encode("utf-8", "replace"))

    def with_base(self, base: str) -> SignedLinks:
        """Return the same links under another address of this gateway."""
        return SignedLinks(base, self._secret, self._lifetime)
