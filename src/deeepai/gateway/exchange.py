"""One request on its way: what the steps hand on to each other, and how answers are sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from typing import Protocol as Interface

import msgspec

from ..accounts.models import Channel, Token
from ..asgi import Receive, Send
from ..declare import AnyOperation, Failure, Json, Protocol, Reason, Reply, Stream
from .body.request import HttpRequest
from .routing import Route

HEADER_PAIRS = list[tuple[bytes, bytes]]
NOT_KEPT: HEADER_PAIRS = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
"""Headers of a stream, which nothing on its way is to hold back."""
LEAVE_CHECK = 0.05
"""Seconds after which a caller that waits is watched."""
_NO_BODY = frozenset({204, 304})
_T = TypeVar("_T")
WHOLE = "deeepai.response.whole"
"""Extension of ASGI: a message that is head and body at once."""
PUSH = "deeepai.push"
"""Key in the scope of a function that sends a piece of a body without waiting, or says that it cannot."""
Push = Callable[[bytes], bool]


class Left(Exception):
    """The caller left before the answer began."""


class Tap(Interface):
    """Takes what an answer says before the caller sees it."""

    def wants(self, data: bytes) -> bool:
        """Tell whether a stream's events concern it."""
        ...

    async def event(self, event: bytes, channel: Channel) -> None:
        """Take a stream's event."""
        ...

    async def whole(self, value: Json, channel: Channel) -> None:
        """Take a whole answer."""
        ...


class Keeper(Interface):
    """Keeps an answer that its upstream does not keep."""

    def joining(self) -> Keeper | None:
        """Return what adds an answer that its upstream does keep to the conversation that it is in, if it is in one."""
        ...

    def asked(self) -> HttpRequest:
        """Return the request that the answer is to, as it came, and with whether it is kept."""
        ...

    async def whole(self, body: bytes) -> bytes:
        """Take a whole answer, as the caller is about to see it; return it with the conversation that it is in."""
        ...

    async def end(self, events: bytes) -> bytes:
        """Take the last events of a stream, as the caller is about to see them; return them likewise."""
        ...


class Exchange:
    """A request, its caller, and its clock.

    Attributes
    ----------
    caller : Token
        There is one as soon as the key was checked, and none before.
    requested_model, model : str
        The model as the caller names it; and after aliases: what routes and is priced.
    waited : float
        Seconds spent waiting for upstreams.
    overhead_at_head : float or None
        Seconds of `overhead` when the answer's head went out.
    answering : bool
        The answer's head is out.
    streams : bool
        The caller wants a stream.
    silent : bool
        Nothing was sent since the last look of `keep_alive`.
    recording : bool
        The answer is recorded, so it goes on to its end whether or not the caller stays.
    ended_in_error : bool
        The answer ended in an error after its head was out.
    fallback_model : str
        The model that answers in place of the one asked for.
    keeper : Keeper or None
        Keeps the answer, if it is another protocol's.
    named : mapping
        Of the tasks that it follows up, the upstream's ids, by the ids that it names.
    objects : mapping
        What is known of the objects that it names, by their ids.
    translation : tuple or None
        How a channel's protocol says the request, for the channel and model of the last one: `translation`'s own.
    """

    __slots__ = (
        "_first_wait",
        "_look",
        "_opening",
        "answering",
        "caller",
        "ended_in_error",
        "fallback_model",
        "id",
        "ip",
        "keeper",
        "model",
        "named",
        "objects",
        "operation",
        "overhead_at_head",
        "protocol",
        "receive",
        "recording",
        "request",
        "requested_model",
        "route",
        "send",
        "silent",
        "started",
        "status",
        "streams",
        "translation",
        "waited",
    )
    caller: Token

    def __init__(self, request_id: str, route: Route, request: HttpRequest, receive: Receive, send: Send) -> None:
        self.id = request_id
        self.route = route
        self.protocol: Protocol = route.protocol
        self.operation: AnyOperation = route.operation
        self.request = request
        self.receive = receive
        self.send = send
        self.started = time.perf_counter()
        self.ip = self.requested_model = self.model = self.fallback_model = ""
        self.recording = self.ended_in_error = False
        self.waited = 0.0
        self.overhead_at_head: float | None = None
        self.answering = self.silent = self.streams = False
        self.keeper: Keeper | None = None
        self.named: Mapping[str, str] = {}
        self.objects: Mapping[str, Mapping[str, Json]] = {}
        self.status = 0
        self.translation: tuple[str, str, Any] | None = None
        self._look: asyncio.TimerHandle | None = None
        self._first_wait = 0.0
        self._opening: asyncio.Task[None] | None = None
        """Sends the head of a stream before its upstream has begun."""

    @contextmanager
    def waiting(self) -> Generator[None]:
        """Count the time within as an upstream's, not as ours."""
        before = time.perf_counter()
        try:
            yield
        finally:
            self.waited += time.perf_counter() - before

    async def apart(self, work: Callable[..., _T], *given: Any) -> _T:
        """Do what may take long where there is much in the request; then it is done in a thread."""
        return await asyncio.to_thread(work, *given) if self.request.large else work(*given)

    def overhead(self) -> float:
        """Seconds since the start that were ours, not an upstream's."""
        return time.perf_counter() - self.started - self.waited

    def head(self, status: int, headers: HEADER_PAIRS, whole: bytes | None = None) -> Awaitable[None]:
        """Begin the answer, or send it whole where the server takes that; `headers` is added to."""
        self.answering = True
        self.status = status
        own = self.overhead_at_head = time.perf_counter() - self.started - self.waited
        headers.append((b"x-request-id", self.id.encode()))
        if self.protocol.id_header is not None:
            headers.append((self.protocol.id_header.encode(), self.id.encode()))
        headers.append((b"x-deeepai-overhead-ms", b"%.2f" % (own * 1000)))
        if self.fallback_model:
            headers.append((b"x-deeepai-model", self.fallback_model.encode("latin-1", "replace")))
        if whole is not None:
            return self.send({"type": WHOLE, "status": status, "headers": headers, "body": whole})
        return self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def answer(self, status: int, headers: HEADER_PAIRS, body: bytes) -> None:
        """Send a whole answer."""
        if status not in _NO_BODY:
            headers.append((b"content-length", b"%d" % len(body)))
        if WHOLE in self.request.scope.get("extensions", ()):
            await self.head(status, headers, body)
            return
        await self.head(status, headers)
        await self.send({"type": "http.response.body", "body": body})

    async def reply(self, reply: Reply, extra: Mapping[str, str] | None = None) -> None:
        """Send a reply of the gateway's own."""
        body = reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
        headers = pairs(reply.headers)
        headers.append((b"content-type", reply.content_type.encode()))
        if extra:
            headers += pairs(extra)
        await self.answer(reply.status, headers, b"" if reply.status in _NO_BODY else body)

    async def stream(self, events: AsyncIterator[bytes]) -> None:
        """Send an event stream of the gateway's own, to its end or until the caller has left."""
        await self.head(200, [(b"content-type", b"text/event-stream"), *NOT_KEPT])
        gone = asyncio.ensure_future(self.gone())
        following: asyncio.Future[bytes] | None = None
        try:
            while not gone.done():
                following = following or asyncio.ensure_future(anext(events, b""))
                await asyncio.wait((following, gone), return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    event = following.result()
                    following = None
                    await self.send({"type": "http.response.body", "body": event, "more_body": bool(event)})
                    if not event:
                        return
        finally:
            gone.cancel()
            if following is not None:
                following.cancel()

    async def fail(self, failure: Failure) -> None:
        """Send a failure in the protocol's own shape; as an event where a stream was opened, which it ends."""
        reply = self.protocol.error(failure, self.operation, self.id)
        # Some protocols tell of errors with a good status.
        self.ended_in_error = True
        if isinstance(self.operation, Stream) and await self.opened():
            self.status = reply.status
            await self.end(self.operation.rules.error(failure, self.id))
        else:
            await self.reply(reply, failure_headers(failure))

    async def end(self, body: bytes) -> None:
        """Send the last piece of a body."""
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    # A caller that waits ---------------------------------------------------------------------------------------------

    async def watched(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for an upstream as long as the caller does.

        Raises
        ------
        Left
        """
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait((task,), timeout=LEAVE_CHECK)
        if done:
            return task.result()
        watch = asyncio.ensure_future(self.gone())
        try:
            await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            task.cancel()
            raise Left
        finally:
            watch.cancel()

    async def gone(self) -> None:
        """Wait until the caller has left."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    @property
    def kept_alive(self) -> bool:
        """Whether the caller is told that its stream goes on, however long that says nothing."""
        return self._look is not None

    def keep_alive(self, sign: bytes | None, seconds: float) -> None:
        """Tell a caller that hears nothing for so long that its stream goes on, and first of all that there is one.

        Parameters
        ----------
        sign : bytes or None
            What says so; None: its client takes no such thing.
        seconds : float
        """
        push: Push | None = self.request.scope.get(PUSH)
        if sign is None or push is None or self._look is not None:
            return
        self._first_wait = self._first_wait or time.perf_counter()
        self._look = asyncio.get_running_loop().call_later(seconds / 2, self._say, push, sign, seconds / 2)

    def let_be(self) -> None:
        """Tell the caller no more that its stream goes on."""
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _say(self, push: Push, sign: bytes, pause: float) -> None:
        if self.silent and self.answering:
            push(sign)
        elif self.silent:
            self._opening = asyncio.ensure_future(self._open(push, sign))
        self.silent = True
        self._look = asyncio.get_running_loop().call_later(pause, self._say, push, sign, pause)

    async def _open(self, push: Push, sign: bytes) -> None:
        # Until now nobody was waited for but upstreams.
        self.waited = time.perf_counter() - self._first_wait
        await self.head(200, [(b"content-type", b"text/event-stream"), *NOT_KEPT])
        push(sign)

    async def opened(self) -> bool:
        """Tell whether the head of a stream went out, and nothing else, before its upstream had begun."""
        if self._opening is None:
            return False
        await self._opening
        return True

    async def begin_stream(self, status: int, headers: HEADER_PAIRS) -> None:
        """Begin a stream, unless that was opened; from now on, who sends it tells of its failures."""
        if await self.opened():
            self._opening = None
        else:
            await self.head(status, headers)


def failure_headers(failure: Failure) -> dict[str, str]:
    """Return the headers that go with a failure whatever the protocol."""
    headers = dict(failure.headers)
    if failure.retry_after is not None:
        headers["retry-after"] = str(max(1, round(failure.retry_after)))
    if failure.kind is Reason.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return headers


def pairs(headers: Mapping[str, str]) -> HEADER_PAIRS:
    """Encode headers for ASGI."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
