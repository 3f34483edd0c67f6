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
from typing import Any

import msgspec
import structlog

from ..asgi import Send
from ..declare import Failure, Kind, Reason
from ..storage.database import Row, Tx
from ..storage.ids import now_ms
from ..tasks import store
from .core import Core
from .exchange import HEADER_PAIRS, WHOLE, Exchange
from .settlement import Outcome, usage_row

log = structlog.get_logger()

KEY_HEADER = "idempotency-key"
CACHE_HEADER = "x-deeepai-cache"
LONGEST_KEY = 255
MOST_CACHED = 1024 * 1024
MOST_KEPT = 16 * 1024 * 1024
"""Bytes of an answer."""
KEEP_MS = 24 * 3600 * 1000
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
    return "cache" in x.caller.settings or KEY_HEADER.encode() in x.request.headers


async def serve(core: Core, x: Exchange, work: Work) -> None:
    """Answer from what is kept, or do the work and keep its answer.

    Raises
    ------
    Failure
    """
    seconds = x.caller.settings.get("cache")
    if isinstance(seconds, int) and seconds > 0 and x.operation.replay:
        await _cached(core, x, work, seconds)
    else:
        await _keyed(core, x, work)


def _digest(x: Exchange) -> str:
    """Return a digest of all of a request that decides its answer."""
    request = x.request
    scope = request.scope
    found = hashlib.sha256()
    told = ("content-type", "accept", "x-deeepai-fallbacks", *x.protocol.forward_headers)
    pieces = (
        (x.route.name, x.caller.mode, x.caller.price_group, request.path, x.model),
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
    name = f"answer:{x.caller.account_id}:{_digest(x)}"
    found = await core.cache.get(name) if asked != "no-cache" else None
    if found is not None:
        core.ledger.record(usage_row(x, Outcome(), 200))
        await _give(x, msgspec.msgpack.decode(found, type=Kept), (b"x-deeepai-cache", b"hit"))
        return
    recorder = Recorder(x.send, MOST_CACHED)
    x.send, x.kept = recorder, True
    await _keyed(core, x, work)
    if recorder.whole and not recorder.overflow and recorder.status == 200 and not x.broken:
        await core.cache.set(name, msgspec.msgpack.encode(recorder.kept()), seconds)


# Idempotency keys --------------------------------------------------------------------------------------------------


async def _keyed(core: Core, x: Exchange, work: Work) -> None:
    key = x.request.header(KEY_HEADER)
    if not key or x.operation.free:
        await work(x)
        return
    if len(key) > LONGEST_KEY:
        raise Failure(Reason.INVALID, f"An idempotency key has at most {LONGEST_KEY} characters")
    name, digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest(), _digest(x)
    lease_ms = round(core.settings.lease_ttl * 1000)
    account_id = x.caller.account_id
    row = await core.db.write(lambda tx: _claim(tx, x, name, digest, lease_ms))
    if row is not None:
        await _again(core, x, row, digest)
        return
    if x.operation.kind is Kind.SUBMIT and await _submitted(core, x):
        return
    ended = False

    async def end() -> None:
        # Before the caller knows how it ended, and may come again.
        nonlocal ended
        ended = True
        good = 0 < recorder.status < 400 and not x.broken
        try:
            await (_keep(core, account_id, name, x.id, recorder) if good else _free(core, account_id, name, x.id))
        except Exception:
            log.exception("idempotency.answer_not_kept", request_id=x.id)

    recorder = Recorder(x.send, MOST_KEPT, end)
    x.send, x.kept = recorder, True
    renewal = asyncio.create_task(_renew(core, account_id, name, x.id, lease_ms))
    try:
        await work(x)
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        if not ended:
            await asyncio.shield(_free(core, account_id, name, x.id))


async def _keep(core: Core, account_id: str, name: str, request_id: str, recorder: Recorder) -> None:
    kept = recorder.kept()
    body = None if recorder.overflow else base64.b64encode(kept.body).decode()
    pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in kept.headers]
    await core.db.write(
        lambda tx: tx.execute(
            "UPDATE idempotency SET status = $4, headers = $5, body = $6, leased_until = 0 "
            "WHERE account_id = $1 AND key = $2 AND request_id = $3",
            *(account_id, name, request_id, kept.status, msgspec.json.encode(pairs).decode(), body),
        )
    )


async def _free(core: Core, account_id: str, name: str, request_id: str) -> None:
    # What failed costs nothing, and may be tried again under the same key.
    await core.db.write(
        lambda tx: tx.execute(
            "DELETE FROM idempotency WHERE account_id = $1 AND key = $2 AND request_id = $3",
            *(account_id, name, request_id),
        )
    )


async def _claim(tx: Tx, x: Exchange, name: str, digest: str, lease_ms: int) -> Row | None:
    """Take a key for this request; return the row of who has it."""
    now, account_id = now_ms(), x.caller.account_id
    await tx.execute(
        "DELETE FROM idempotency WHERE account_id = $1 AND key = $2 AND expires_at < $3", account_id, name, now
    )
    made = await tx.execute(
        "INSERT INTO idempotency (account_id, key, digest, request_id, leased_until, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        *(account_id, name, digest, x.id, now + lease_ms, now + KEEP_MS),
    )
    if made:
        return None
    row = await tx.fetchrow("SELECT * FROM idempotency WHERE account_id = $1 AND key = $2", account_id, name)
    if row is None or row["status"] is not None or row["digest"] != digest or row["leased_until"] > now:
        return row
    # Whoever had it is gone. Its request id is taken over, so that what it charged is not charged again; unless it
    # had failed, which left a record under that id that cost nothing.
    failed = await tx.fetchval("SELECT 1 FROM usage WHERE request_id = $1 AND status >= 400", row["request_id"])
    taken = await tx.execute(
        "UPDATE idempotency SET leased_until = $4, request_id = $5 "
        "WHERE account_id = $1 AND key = $2 AND leased_until = $3",
        *(account_id, name, row["leased_until"], now + lease_ms, x.id if failed else row["request_id"]),
    )
    if not taken:
        return row
    if not failed:
        x.id = row["request_id"]
    return None


async def _again(core: Core, x: Exchange, row: Row, digest: str) -> None:
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
            "The request with this idempotency key was answered; its answer was too large to be kept",
            code="idempotency_answer_gone",
        )
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in msgspec.json.decode(row["headers"])]
    await _give(x, Kept(row["status"], headers, base64.b64decode(row["body"])), (b"idempotent-replayed", b"true"))


async def _submitted(core: Core, x: Exchange) -> bool:
    """Answer with the task that a request made before its gateway went down."""
    account_id, request_id = x.caller.account_id, x.id
    task_id = await core.db.read(
        lambda tx: tx.fetchval("SELECT id FROM tasks WHERE account_id = $1 AND request_id = $2", account_id, request_id)
    )
    if task_id is None:
        return False
    task = await core.db.read(lambda tx: store.load(tx, account_id, task_id))
    assert task is not None
    await x.reply(core.life.rules(task).submitted(task, core.links_for(x)))
    return True


async def _renew(core: Core, account_id: str, name: str, request_id: str, lease_ms: int) -> None:
    while True:
        await asyncio.sleep(lease_ms / 3000)
        try:
            await core.db.write(
                lambda tx: tx.execute(
                    "UPDATE idempotency SET leased_until = $4 WHERE account_id = $1 AND key = $2 AND request_id = $3",
                    *(account_id, name, request_id, now_ms() + lease_ms),
                )
            )
        except Exception:
            log.exception("idempotency.lease_not_renewed", request_id=request_id)


async def sweep(core: Core) -> None:
    """Forget what has expired."""
    await core.db.write(lambda tx: tx.execute("DELETE FROM idempotency WHERE expires_at < $1", now_ms()))
