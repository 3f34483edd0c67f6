"""Finished files under signed URLs that expire, as a vendor's content delivery network has them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .clock import Clock
from .ids import Ids

MOST_FILES = 20_000


@dataclass(frozen=True)
class Stored:
    """A file that is made when it is first asked for."""

    make: Callable[[], bytes]
    content_type: str


class Files:
    """The files of all vendors.

    Expiry counts real seconds, plus those that the clock skipped.

    Parameters
    ----------
    drafts
        The first file of a kind stands for all of its kind: for load, where drawing would take all the time.
    """

    def __init__(self, clock: Clock, ids: Ids, *, drafts: bool = False) -> None:
        self._clock = clock
        self._ids = ids
        self._drafts: dict[str, bytes] | None = {} if drafts else None
        self._secret = ids.hex(64).encode()
        self._files: dict[str, Stored] = {}

    def add(self, make: Callable[[], bytes], suffix: str, content_type: str) -> str:
        """Store a file; return its name."""
        name = f"{self._ids.hex(24)}.{suffix}"
        self._files[name] = Stored(partial(self._made, make, suffix), content_type)
        while len(self._files) > MOST_FILES:
            del self._files[next(iter(self._files))]
        return name

    def url(self, origin: str, name: str, lifetime: float) -> str:
        """Return a URL that works for `lifetime` seconds; it is expired already if that is below 0."""
        expires = int(self._clock.wall() + lifetime)
        return f"{origin}/files/{name}?expires={expires}&sig={self._sign(name, str(expires))}"

    def find(self, name: str) -> Stored | None:
        """Return a file whatever its URL's state."""
        return self._files.get(name)

    def open(self, name: str, expires: str, signature: str) -> Stored | int:
        """Return a file, or the HTTP status that refuses it: 404 unknown or forged, 403 expired."""
        stored = self._files.get(name)
        if stored is None or not hmac.compare_digest(signature.encode(), self._sign(name, expires).encode()):
            return 404
        return stored if int(expires) > self._clock.wall() else 403

    def _made(self, make: Callable[[], bytes], suffix: str) -> bytes:
        if self._drafts is None:
            return make()
        if suffix not in self._drafts:
            self._drafts[suffix] = make()
        return self._drafts[suffix]

    def _sign(self, name: str, expires: str) -> str:
        return hmac.new(self._secret, f"{name}:{expires}".encode(), hashlib.sha256).hexdigest()[:32]
