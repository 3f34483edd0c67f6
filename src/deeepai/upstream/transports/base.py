"""What a transport is, and what several of them use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from typing import Protocol as Interface

import msgspec

from ...accounts.models import Channel
from ..client import Client, Pieces, Response
from ..errors import Cut, NotSent

_SOON: Final = 300.0
"""Seconds before its end at which a token is renewed, while it is still used."""
_LAST: Final = 10.0

Headers = dict[str, str]


@dataclass(slots=True)
class Sending:
    """A request on its way to a channel.

    Attributes
    ----------
    path : str
        What follows the channel's base URL, query included.
    body : bytes, Pieces or None
        One that comes in pieces goes on unread.
    model : str
        As the channel names it; empty where a call is for none.
    rewrite : callable, optional
        Turns the cloud's good answer into the vendor's own.
    """

    method: str
    path: str
    headers: Headers
    body: bytes | Pieces | None = None
    model: str = ""
    rewrite: Callable[[bytes], bytes] | None = None

    def json(self) -> dict[str, Any]:
        """Return the body's top-level keys; values that nobody changes stay as they are.

        Raises
        ------
        NotSent
        """
        try:
            if not isinstance(self.body, Pieces):
                return dict(_top.decode(self.body or b"{}"))
        except msgspec.DecodeError:
            pass
        raise NotSent("this transport carries JSON only")

    @property
    def whole(self) -> bytes:
        """The body, where it has to be signed.

        Raises
        ------
        NotSent
        """
        if isinstance(self.body, Pieces):
            raise NotSent("this transport carries JSON only")
        return self.body or b""


_top = msgspec.json.Decoder(dict[str, msgspec.Raw])


def is_true(raw: Any) -> bool:
    """Tell whether a key's value is `true`; it is not where the key is missing."""
    return raw is not None and msgspec.json.decode(raw) is True


def text_of(raw: Any) -> str:
    """Return a key's value, where it is a text.

    Raises
    ------
    NotSent
    """
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, TypeError):
        raise NotSent("the request names no model") from None


class Rewritten(Response):
    """An answer that is read whole, in the vendor's own form."""

    __slots__ = ("_rewrite",)

    def __init__(self, response: Response, rewrite: Callable[[bytes], bytes]) -> None:
        super().__init__(response.connection)
        self.headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        self._rewrite = rewrite

    async def read(self, limit: int) -> bytes:
        """Read the whole body.

        Raises
        ------
        Cut, Stalled
        """
        data = await super().read(limit)
        try:
            return self._rewrite(data)
        except (msgspec.DecodeError, msgspec.ValidationError, LookupError, TypeError, AttributeError):
            raise Cut("the answer cannot be read") from None


class Transport(Interface):
    """One transport.

    Attributes
    ----------
    carries : tuple of str
        Protocols.
    settings : type
        A msgspec struct of what a channel's settings may hold for it; without the required ones it cannot work.
    """

    carries: tuple[str, ...]
    settings: type[msgspec.Struct]

    def operations(self, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return which operations a channel with these settings has, as names or patterns."""
        ...

    async def prepare(self, client: Client, channel: Channel, sending: Sending) -> str:
        """Change a request to what the cloud takes; return its URL.

        Raises
        ------
        NotSent
            The request cannot be carried, or no token could be had.
        """
        ...

    def receive(self, sending: Sending, response: Response) -> Response:
        """Return the answer as the vendor itself would have given it."""
        ...


class Tokens:
    """Access tokens, fetched when they are first needed and renewed before they end; one fetch at a time each."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[str, float]] = {}
        self._fetches: dict[tuple[str, str], asyncio.Task[str]] = {}

    async def get(self, channel: Channel, fetch: Callable[[], Awaitable[tuple[str, float]]]) -> str:
        """Return a token.

        Parameters
        ----------
        fetch : callable
            Gives a new token and the seconds that it lives.

        Raises
        ------
        NotSent
        """
        key = (channel.id, channel.credential or "")
        token, end = self._known.get(key, ("", 0.0))
        left = end - time.monotonic()
        if left > _SOON:
            return token
        task = self._fetches.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._fetches[key] = asyncio.ensure_future(self._fetch(key, fetch))
            task.add_done_callback(_seen)
        # A token that lives yet is used meanwhile, even if it cannot be renewed just now.
        return token if left > _LAST else await asyncio.shield(task)

    async def _fetch(self, key: tuple[str, str], fetch: Callable[[], Awaitable[tuple[str, float]]]) -> str:
        try:
            token, seconds = await fetch()
            # An earlier credential's token is of no more use.
            for other in [other for other in self._known if other[0] == key[0]]:
                del self._known[other]
            self._known[key] = token, time.monotonic() + seconds
            return token
        finally:
            del self._fetches[key]


def _seen(task: asyncio.Task[str]) -> None:
    """Take note of an error that nobody may be waiting for."""
    if not task.cancelled():
        task.exception()


async def ask_token(client: Client, channel: Channel, url: str, form: bytes) -> tuple[str, float]:
    """Ask an OAuth 2.0 token endpoint (RFC 6749); return a token and the seconds that it lives.

    Raises
    ------
    NotSent
        It gave none; says why, in its own words, never with the credential.
    """
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    try:
        answer = await client.ask("POST", url, headers, form, channel.limits, 1 << 20)
    except Exception as fault:
        raise NotSent(f"no access token: {fault}") from None
    try:
        found: Mapping[str, Any] = msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.DecodeError:
        found = {}
    token, seconds = found.get("access_token"), found.get("expires_in", 3600)
    if answer.status != 200 or not isinstance(token, str):
        raise NotSent(f"no access token: status {answer.status}, {str(found.get('error'))[:100]}")
    return token, float(seconds)
