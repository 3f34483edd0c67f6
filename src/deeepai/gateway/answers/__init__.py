"""An upstream's answer on its way to the caller: whole, as a stream, or as an error."""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import structlog

from ... import crash
from ...declare import (
    MALFORMED,
    Answer,
    Call,
    CallTranslator,
    Events,
    Failure,
    Outputs,
    Reason,
    Reframer,
    Request,
    Stream,
    StreamRules,
    Usage,
    begins_stream,
    event_data,
    lenient_json,
    whole_events,
    with_json,
)
from ...storage import database
from ...storage.database import StorageFault
from ...upstream import Response, UpstreamError
from .. import settlement
from ..attempts import ACCOUNT_COOLDOWN, ErrorInside, Refusal, RefusedInside, Taken, is_error, plain_number, waited
from ..core import Core
from ..exchange import HEADER_PAIRS, NOT_KEPT, Exchange, Tap, pairs
from ..settlement import Billing
from ..translation import Translator
from . import outputs, passthrough
from .head import Begun
from .judge import error_inside, failure_of, judge_whole, redirected, refusal_of, without_keys
from .stream import Relay

log = structlog.get_logger()

LONGEST_WAIT: Final = 60.0
"""Seconds."""
_OF_WHAT_WAS_ASKED: Final = (Reason.MODERATED, Reason.UNPROCESSABLE)


async def error(response: Response) -> Answer:
    """Read an upstream's error answer, as far as it came.

    Raises
    ------
    ErrorInside
        It is a redirect, which is followed nowhere.
    """
    if response.status < 400:
        response.abort()
        raise redirected(response.status)
    try:
        body = await response.read(1024 * 1024)
        response.release()
    except UpstreamError:
        response.abort()
        body = b""
    except BaseException:
        response.abort()
        raise
    return Answer(response.status, response.headers, body)


async def whole(core: Core, x: Exchange, response: Response) -> Answer:
    """Read a whole answer of which nothing is known but that it must not be an error.

    Raises
    ------
    UpstreamError
    """
    with x.waiting():
        body = await response.read(core.settings.max_answer)
    response.release()
    answer = Answer(response.status, response.headers, body)
    if is_error(answer):
        raise failure_of(answer.json())
    return answer


async def refuse(x: Exchange, refusal: Refusal) -> None:
    """Pass an upstream's refusal on, as it is where it speaks the caller's protocol and its status can be told yet."""
    answer, translated = refusal.answer, refusal.translated
    x.ended_in_error = True
    x.let_be()
    opened = await x.opened()
    if translated is None and not opened:
        await pass_on(x, answer)
        return
    answer = without_keys(answer)
    failure = refusal_of(answer) if translated is None else translated.translator.error(answer)
    if opened:
        await x.fail(failure)
        return
    await x.reply(x.protocol.error(failure, x.operation, x.id), retry_headers(answer.headers))


async def pass_on(x: Exchange, answer: Answer) -> None:
    """Send an upstream's error as it is, but for keys; what only lenient readers take, as all do."""
    answer = without_keys(answer)
    headers = answer_headers(x, answer.headers)
    headers += pairs(retry_headers(answer.headers))
    body = answer.body
    if "json" in answer.headers.get("content-type", "") and not _strict(body):
        value = answer.json()
        body = body if value is None else msgspec.json.encode(value)
    await x.answer(answer.status, headers, body)


def _strict(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except MALFORMED:
        return False
    return True


def retry_headers(sent: Mapping[str, str]) -> dict[str, str]:
    """Return what an upstream says of asking again: no wait that is longer than we believe ourselves.

    Some clients sleep for whatever they are told, a day included; others give up where it is much.
    """
    headers = {name: sent[name] for name in ("x-should-retry",) if name in sent}
    if "retry-after" in sent:
        seconds = waited(sent["retry-after"])
        if seconds is not None:
            headers["retry-after"] = str(math.ceil(min(seconds, LONGEST_WAIT)))
    milliseconds = plain_number(sent.get("retry-after-ms", ""))
    if milliseconds is not None:
        headers["retry-after-ms"] = str(math.ceil(min(milliseconds, LONGEST_WAIT * 1000)))
    return headers


def answer_headers(x: Exchange, sent: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return those of an upstream's headers that the caller sees."""
    headers = [(b"content-type", sent.get("content-type", "application/json").encode("latin-1"))]
    for name in x.protocol.answer_headers:
        value = sent.get(name)
        if value is not None:
            headers.append((name.encode(), value.encode("latin-1", "replace")))
    return headers


async def answer(core: Core, x: Exchange, taken: Taken[Response], billing: Billing, tap: Tap | None) -> None:
    """Send an upstream's answer on, charged before its end leaves.

    Raises
    ------
    UpstreamError
        It broke off, or was none, before anything was sent.
    """
    if tap is None and passthrough.wanted(x, taken):
        await passthrough.relay(x, taken, answer_headers(x, taken.reply.headers), billing)
        return
    try:
        await _Answering(core, x, taken, billing, tap).run()
    except UpstreamError:
        taken.reply.abort()
        raise


class _Answering:
    """One answer on its way: judged, counted, turned into what the caller asked for, charged, sent."""

    __slots__ = (
        "_asked",
        "_billing",
        "_core",
        "_from",
        "_keeper",
        "_operation",
        "_request",
        "_taken",
        "_tap",
        "_teller",
        "_to",
        "_x",
    )

    def __init__(self, core: Core, x: Exchange, taken: Taken[Response], billing: Billing, tap: Tap | None) -> None:
        self._core = core
        self._x = x
        self._taken = taken
        self._billing = billing
        self._tap = tap if taken.translated is None else None
        translated = taken.translated
        self._operation = x.operation if translated is None else translated.operation
        self._request: Request[Any] = x.request if translated is None else translated.request
        self._keeper = x.keeper if translated is not None or x.keeper is None else x.keeper.joining()
        self._asked = x.request if translated is None or self._keeper is None else self._keeper.asked()
        """What the answer is to, where it says so."""
        self._teller = core.tellers.get(x.route.name)
        self._to = core.reframers.get(x.route.name)
        """For what the caller wants."""
        name = x.route.name if translated is None else f"{translated.protocol.name}.{translated.operation.name}"
        self._from = core.reframers.get(name)
        """For what the upstream sends."""

    async def run(self) -> None:
        x, own, response = self._x, self._x.operation, self._taken.reply
        if x.streams and isinstance(own, Stream):
            await self._stream_wanted(own)
            return
        # Most answers come this way: no context manager.
        before = time.perf_counter()
        try:
            body = await response.read(self._core.settings.max_answer)
        finally:
            x.waited += time.perf_counter() - before
        response.release()
        if begins_stream(body) and (isinstance(self._operation, Stream) or self._from is not None):
            body = self._document(body)
        await x.answer(response.status, *await self._whole(body))

    async def _stream_wanted(self, own: Stream[Any]) -> None:
        x, response, begun = self._x, self._taken.reply, Begun(self._taken.reply)
        if isinstance(self._operation, Stream):
            wait = None
            if x.kept_alive:
                leaves = own.on_leave == "cancel" and not x.recording
                wait = x.watched if leaves else _for_ever
            with x.waiting():
                await begun.open(self._operation.rules, wait)
            if begun.is_document and begun.is_array and self._from is not None:
                # The events of a stream, in another framing.
                with x.waiting():
                    array = await begun.rest(self._core.settings.max_answer)
                begun.replace(self._operation.rules, _reframed(self._from.to_events, self._request, array))
            if not begun.is_document:
                await self._stream(own, self._operation.rules, begun)
                return
        with x.waiting():
            body = await begun.rest(self._core.settings.max_answer)
        response.release()
        if self._to is None and await x.opened():
            raise ErrorInside("an answer where a stream was asked for")
        x.let_be()
        headers, answer = await self._whole(body, self._to)
        if self._to is not None:
            framing = own.rules.reshape(x.request) if own.rules.reshape is not None else None
            headers = [(b"content-type", _kind(framing)), *NOT_KEPT]
            if framing is not None:
                answer = framing[1].feed(answer) + framing[1].end()
        if await x.opened():
            await x.end(answer)
        else:
            await x.answer(response.status, headers, answer)

    # Whole ---------------------------------------------------------------------------------------------------------

    async def _whole(self, body: bytes, stream: Reframer | None = None) -> tuple[HEADER_PAIRS, bytes]:
        """Judge a whole answer, and charge it; return it as the caller's protocol says it, or the stream it makes."""
        x, taken, operation = self._x, self._taken, self._operation
        response, own, status = taken.reply, x.operation, taken.reply.status
        answer = Answer(status, response.headers, body)
        shape = operation.shape if isinstance(operation, Call) else None
        try:
            if shape is not None:
                refused = None if shape.refused is None else shape.refused(answer.json())
                if refused is not None:
                    raise RefusedInside(answer, refused)
                judge_whole(shape, answer)
            elif is_error(answer):
                raise failure_of(answer.json())
            usage = None
            if isinstance(operation, Call):
                usage = Usage(calls=1) if operation.usage is None else operation.usage(self._request, answer)
                rules = operation.rules if isinstance(operation, Stream) else operation.counting
                if usage is not None and rules is not None and settlement.untold(usage, self._request, rules):
                    usage = await asyncio.to_thread(settlement.of_answer, usage, self._request, rules, body)
        except MALFORMED as fault:
            raise _unreadable(x, operation.name, fault) from None
        headers = answer_headers(x, answer.headers)
        if taken.translated is not None:
            body = _translated(x, self._asked, taken.translated.translator, answer, usage)
            answer = Answer(status, {}, body)
            headers = [(b"content-type", b"application/json")]
        taken.attempt.done(ok=True, first_byte=self._billing.outcome.first_byte)
        if isinstance(own, Call) and own.outputs is not None:
            body = await outputs.keep(self._core, x, taken, answer, own.outputs)
        if usage is not None and usage.basis == "counted" and self._teller is not None:
            body = self._teller.whole(body, usage)
        whole = body
        if stream is not None:
            # Before it is charged: what cannot be sent is not.
            body = _reframed(stream.to_events, self._asked, body)
        if self._tap is not None:
            try:
                await self._tap.whole(Answer(status, {}, whole).json(), taken.attempt.channel)
            except MALFORMED as fault:
                raise _unreadable(x, own.name, fault) from None
        if self._keeper is not None:
            whole = await self._keeper.whole(whole)
            body = whole if stream is None else body
        await self._billing.settle(status, usage)
        crash.point("charged")
        return headers, body

    def _document(self, stream: bytes) -> bytes:
        """Return what a stream adds up to that came where a whole answer was asked for."""
        if self._from is None:
            raise ErrorInside("a stream where an answer was asked for")
        return _reframed(self._from.to_document, self._request, stream)

    # Streams -------------------------------------------------------------------------------------------------------

    async def _stream(self, own: Stream[Any], rules: StreamRules[Any], begun: Begun) -> None:
        x, response, billing, translated = self._x, self._taken.reply, self._billing, self._taken.translated
        billing.outcome.streamed = True
        framing = own.rules.reshape(x.request) if own.rules.reshape is not None else None
        headers = answer_headers(x, response.headers)
        headers[0] = (b"content-type", _kind(framing))
        if translated is not None:
            del headers[1:]
        await x.begin_stream(response.status, headers + NOT_KEPT)
        relay = Relay(x, own, begun, self._charge)
        relay.longest = self._core.settings.max_answer
        relay.teller = self._teller if framing is None else None
        translator = None if translated is None else translated.translator
        if isinstance(translator, CallTranslator) and translator.events is not None:
            relay.translate(rules, self._request, translator.events(self._asked))
        if framing is not None:
            relay.reshape(framing[1])
        if self._tap is not None:
            relay.tap = (self._tap, self._taken.attempt.channel)
        if self._keeper is not None:
            relay.before_end = self._keeper.end
        elif own.outputs is not None and translated is None:
            relay.before_end = functools.partial(self._kept, own.outputs)
        await relay.run()

    async def _kept(self, wanted: Outputs, events: bytes) -> bytes:
        """Keep the files that a stream's last events name, and tell of the objects in them as the caller sees them."""
        taken, found = self._taken, list[bytes]()
        for event in whole_events(events):
            answer = Answer(200, {}, event_data(event))
            kept = await outputs.keep(self._core, self._x, taken, answer, wanted)
            found.append(event if kept is answer.body else with_json(event, kept))
            if kept is not answer.body and self._tap is not None:
                await self._tap.whole(lenient_json(kept), taken.attempt.channel)
        return b"".join(found)

    async def _charge(self, relay: Relay) -> None:
        outcome, rules = self._billing.outcome, relay.rules
        usage = relay.usage
        broken = rules.merge is not None and not relay.ended
        if broken or settlement.untold(usage, self._request, rules):
            usage = await asyncio.to_thread(
                settlement.of_stream, usage, self._request, rules, relay.events, broken=broken
            )
        if usage is not None and usage.basis == "counted":
            relay.counted = usage
        if rules.whole_or_nothing and (relay.fault is not None or relay.failure is not None):
            usage = None
        outcome.first_byte = relay.first
        if relay.fault is not None:
            outcome.error = str(relay.fault)
        elif relay.left:
            outcome.error = "the caller left"
        account = isinstance(relay.fault, ErrorInside) and relay.fault.account
        self._taken.attempt.done(
            ok=relay.fault is None,
            cooldown=ACCOUNT_COOLDOWN if account else None,
            first_byte=outcome.first_byte,
        )
        try:
            await self._billing.settle(self._taken.reply.status, usage)
        except StorageFault as fault:
            log.warning("request.not_stored", request_id=self._x.id, operation=self._x.route.name, error=str(fault))
            self._billing.cancel()
            relay.failure = database.told(fault)


def _for_ever(piece: Awaitable[bytes]) -> Awaitable[bytes]:
    return piece


def _kind(framing: tuple[str, Events] | None) -> bytes:
    return b"text/event-stream" if framing is None else framing[0].encode()


def _reframed(turn: Callable[[Request[Any], bytes], bytes], request: Request[Any], answer: bytes) -> bytes:
    try:
        return turn(request, answer)
    except Failure as failure:
        raise error_inside(failure.message) from None


def _translated(x: Exchange, asked: Request[Any], translator: Translator, answer: Answer, usage: Usage | None) -> bytes:
    if not isinstance(translator, CallTranslator):
        raise TypeError(f"{translator.target} is not a call")
    try:
        return translator.answer(asked, answer, usage)
    except MALFORMED as fault:
        raise _unreadable(x, translator.target, fault) from None
    except Failure as failure:
        if failure.kind in _OF_WHAT_WAS_ASKED:
            raise
        raise error_inside(failure.message) from None


def _unreadable(x: Exchange, operation: str, fault: Exception) -> ErrorInside:
    """Take what cannot be read of an answer for none: what is declared of an operation reads what a vendor promises."""
    log.warning("answer.unreadable", request_id=x.id, operation=operation, error=str(fault)[:300])
    return ErrorInside("an answer that could not be read")
