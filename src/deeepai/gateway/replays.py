"""Answers given again: from a token's cache, or because a request came twice with one idempotency key.

A cache holds answers to equal requests of one account, for tokens that want it. An idempotency key brings the same
answer and one charge: the request that takes up another's key has that one's request id, which the ledger charges once.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from ..asgi import Send
from ..declare import Call, Failure, Reason, Repeats, Submit
from ..storage import idempotency_rows
from ..storage.database import Row, Tx
from ..storage.idempotency_rows import Key
from ..storage.ids import now_ms
from ..tasks import store
from . import candidates, repeats
from .core import Core
from .exchange import HEADER_PAIRS, WHOLE, Exchange
from .settlement import Outcome, usage_row

log = structlog.get_logger()

KEY_HEADER = "idempotency-key"
_RAW_HEADER = KEY_HEADER.encode()
CACHE_HEADER = "x-deeepai-cache"
LONGEST_KEY = 255
MOST_CACHED = 1024 * 1024
MOST_KEPT = 16 * 1024 * 1024
"""Bytes of an answer."""
_OWN = frozenset({b"x-request-id", b"request-id", b"x-deeepai-overhead-ms", b"content-length", b"x-deeepai-cache"})

Work = Callable[[Exchange], Coroutine[Any, Any, None]]


class Kept(msgspec.Struct):
    """An answer that can be given again."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Recorder:
    """Passes an answer on and writes it down.

    Parameters
    ----------
    ending : callable, optional
        Awaited before the answer's end leaves.

    Attributes
    ----------
    whole : bool
        The answer has come to its end.
    overflow : bool
        It was too large to write down.
    """

    def __init__(self, send: Send, most: int, ending: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        self._send = send
        self._most = most
        self._ending = ending
        self._pieces: list[bytes] = []
        self._size = 0
        self._headers: HEADER_PAIRS = []
        self.status = 0
        self.whole = self.overflow = False

    async def __call__(self, message: dict[str, Any]) -> None:
        """Take one message."""
        kind = message["type"]
        if kind in ("http.response.start", WHOLE):
            self.status = message["status"]
            self._headers = [pair for pair in message["headers"] if pair[0] not in _OWN]
        if kind != "http.response.start":
            self._add(message.get("body", b""))
            self.whole = kind == WHOLE or not message.get("more_body")
            if self.whole and self._ending is not None:
                await self._ending()
        await self._send(message)

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._most:
            self.overflow = True
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def kept(self) -> Kept:
        """Return what was written down."""
        return Kept(self.status, self._headers, b"".join(self._pieces))


def wanted(x: Exchange) -> bool:
    """Tell whether an answer may have to be given again."""
    return "cache" in x.caller.settings or _RAW_HEADER in x.request.headers or _repeats(x) is not None


def _repeats(x: Exchange) -> Repeats | None:
    """Return how a request's clients repeat it, if they do."""
    how = x.operation.repeats if isinstance(x.operation, Submit) else None
    return how if how is None or not how.counted or x.request.header(how.counted) else None


async def serve(core: Core, x: Exchange, work: Work) -> None:
    """Answer from what is kept, or do the work and keep its answer.

    Raises
    ------
    Failure
    """
    seconds = x.caller.settings.get("cache")
    if isinstance(seconds, int) and seconds > 0 and isinstance(x.operation, Call) and x.operation.replay:
        await _cached(core, x, work, seconds)
    else:
        await _keyed(core, x, work)


def _holder(x: Exchange) -> tuple[str, ...]:
    """Return for whom a sub-token's answers are: what is kept for one is no other's."""
    return (x.caller.holder,) if x.caller.holder else ()


def _digest(x: Exchange) -> str:
    """Return a digest of all of a request that decides its answer."""
    request = x.request
    scope = request.scope
    found = hashlib.sha256()
    told = ("content-type", "accept", "x-deeepai-fallbacks", *x.protocol.forward_headers)
    pieces = (
        (x.route.name, x.caller.mode, x.caller.price_group, request.path, x.model, *_holder(x)),
        (scope["query_string"].decode("latin-1"),),
        tuple(f"{name}:{value}" for name, value in request.present(told)),
    )
    for piece in (text for group in pieces for text in (str(len(group)), *group)):
        data = piece.encode("utf-8", "surrogateescape")
        found.update(b"%d:" % len(data))
        found.update(data)
    for block in request.blocks():
        found.update(block)
    return found.hexdigest()


async def _give(x: Exchange, kept: Kept, note: tuple[bytes, bytes]) -> None:
    headers: HEADER_PAIRS = [*kept.headers, note]
    if not any(value.startswith(b"text/event-stream") for name, value in kept.headers if name == b"content-type"):
        await x.answer(kept.status, headers, kept.body)
        return
    await x.head(kept.status, headers)
    for event in kept.body.split(b"\n\n"):
        if event:
            await x.send({"type": "http.response.body", "body": event + b"\n\n", "more_body": True})
    await x.send({"type": "http.response.body", "body": b"", "more_body": False})


# The cache ---------------------------------------------------------------------------------------------------------


async def _cached(core: Core, x: Exchange, work: Work, seconds: int) -> None:
    asked = x.request.header(CACHE_HEADER)
    if asked == "no-store":
        await _keyed(core, x, work)
        return
    # The tenant is part of the name, whole, as the digest is.
    name = f"answer:{x.caller.account_id}:{await x.apart(_digest, x)}"
    found = await core.cache.get(name) if asked != "no-cache" else None
    if found is not None:
        core.ledger.record(usage_row(x, Outcome(), 200))
        await _give(x, msgspec.msgpack.decode(found, type=Kept), (b"x-deeepai-cache", b"hit"))
        return
    recorder = Recorder(x.send, MOST_CACHED)
    x.send, x.recording = recorder, True
    await _keyed(core, x, work)
    if recorder.whole and not recorder.overflow and recorder.status == 200 and not x.ended_in_error:
        await core.cache.set(name, msgspec.msgpack.encode(recorder.kept()), seconds)


# Idempotency keys --------------------------------------------------------------------------------------------------


async def _keyed(core: Core, x: Exchange, work: Work) -> None:
    header = x.request.header(KEY_HEADER)
    if not header or not x.operation.paid:
        repeated = _repeats(x)
        await (work(x) if repeated is None else _repeated(core, x, work, repeated))
        return
    if len(header) > LONGEST_KEY:
        raise Failure(Reason.INVALID, f"An idempotency key has at most {LONGEST_KEY} characters")
    whose = "\0".join((header, *_holder(x)))
    name, digest = hashlib.sha256(whose.encode("utf-8", "replace")).hexdigest(), await x.apart(_digest, x)
    lease_ms, key = round(core.settings.lease_ttl * 1000), Key(x.caller.account_id, name, x.id, x.caller.mode)
    claimed = await core.db.write(lambda tx: idempotency_rows.claim(tx, key, digest, now_ms(), lease_ms))
    if isinstance(claimed, str):
        x.id = claimed
        key = replace(key, request_id=claimed)
    elif claimed is not None:
        await _again(x, claimed, digest)
        return
    if isinstance(x.operation, Submit) and await _submitted(core, x, x.operation):
        return

    async def end(recorder: Recorder) -> None:
        good = recorder.whole and 0 < recorder.status < 400 and not x.ended_in_error
        await (_keep(core, key, recorder) if good else _free(core, key))

    await _holding(
        core, x, work, _Held(MOST_KEPT, lease_ms, end, lambda tx: idempotency_rows.renew(tx, key, now_ms() + lease_ms))
    )


async def _repeated(core: Core, x: Exchange, work: Work, how: Repeats) -> None:
    entry = await repeats.enter(core, x, how)
    if entry is not None:
        end = entry.end
        await _holding(core, x, work, _Held(0, repeats.lease_ms(core), lambda _: core.db.write(end), entry.renew))


@dataclass(frozen=True, slots=True)
class _Held:
    """A key that a request has: for how long at once, how that is renewed, and what its answer's end means to it."""

    most: int
    lease_ms: int
    end: Callable[[Recorder], Coroutine[Any, Any, None]]
    renew: Callable[[Tx], Coroutine[Any, Any, None]]


async def _holding(core: Core, x: Exchange, work: Work, held: _Held) -> None:
    """Do the work while a request has a key."""
    ended = False

    async def end() -> None:
        # Before the caller knows how it ended, and may come again.
        nonlocal ended
        ended = True
        try:
            await held.end(recorder)
        except Exception:
            log.exception("idempotency.answer_not_kept", request_id=x.id)

    recorder = Recorder(x.send, held.most, end)
    x.send, x.recording = recorder, True
    renewal = asyncio.create_task(_renew(core, x, held))
    try:
        await work(x)
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        if not ended:
            await asyncio.shield(held.end(recorder))


async def _keep(core: Core, key: Key, recorder: Recorder) -> None:
    kept = recorder.kept()
    body = None if recorder.overflow else base64.b64encode(kept.body).decode()
    pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in kept.headers]
    headers = msgspec.json.encode(pairs).decode()
    most, answer = core.settings.quota("replays", key.mode), (kept.status, headers, body)
    fits = await core.db.write(lambda tx: idempotency_rows.keep(tx, key, answer, most))
    if body is None or not fits:
        core.metrics.unkept("replays", "quota" if body is not None else "size")


async def _free(core: Core, key: Key) -> None:
    # What failed costs nothing, and may be tried again under the same key.
    await core.db.write(lambda tx: idempotency_rows.free(tx, key))


async def _again(x: Exchange, row: Row, digest: str) -> None:
    if row["digest"] != digest:
        raise Failure(
            Reason.UNPROCESSABLE,
            "The idempotency key was used with another request",
            code="idempotency_key_reused",
        )
    if row["status"] is None:
        raise Failure(
            Reason.CONFLICT,
            "A request with this idempotency key is under way",
            code="idempotency_key_in_use",
            retry_after=1,
        )
    if row["body"] is None:
        raise Failure(
            Reason.UNPROCESSABLE,
            "The request with this idempotency key was answered; its answer is not kept: it was too large, or too many "
            "are kept",
            code="idempotency_answer_gone",
        )
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in msgspec.json.decode(row["headers"])]
    await _give(x, Kept(row["status"], headers, base64.b64decode(row["body"])), (b"idempotent-replayed", b"true"))


async def _submitted(core: Core, x: Exchange, operation: Submit[Any]) -> bool:
    """Answer with the task that a request made before its gateway went down."""
    account_id, request_id = x.caller.account_id, x.id
    task = await core.db.read(lambda tx: store.of_request(tx, account_id, request_id))
    if task is None:
        return False
    await x.reply(operation.job.face.submitted(task, candidates.links_for(core, x)))
    return True


async def _renew(core: Core, x: Exchange, held: _Held) -> None:
    while True:
        await asyncio.sleep(held.lease_ms / 3000)
        try:
            await core.db.write(held.renew)
        except Exception:
            log.exception("idempotency.lease_not_renewed", request_id=x.id)
