"""An upstream's answer on its way to the caller: whole, as a stream, or as an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog

from ... import crash
from ...declare import Answer, Call, CallTranslator, Failure, Reason, Request, Stream, Usage
from ...upstream import Response, UpstreamError
from .. import settlement
from ..attempts import ErrorInside, Refusal, Taken, is_error
from ..core import Core
from ..exchange import Exchange, Tap, pairs
from ..settlement import Billing
from ..translation import Translator
from . import outputs, passthrough
from .stream import Relay

log = structlog.get_logger()

UsageReader = Callable[[Request[Any], Answer], Usage | None]


async def error(response: Response) -> Answer:
    """Read an upstream's error answer, as far as it came."""
    try:
        body = await response.read(1024 * 1024)
        response.release()
    except UpstreamError:
        response.abort()
        body = b""
    return Answer(response.status, response.headers, body)


async def refuse(x: Exchange, refusal: Refusal) -> None:
    """Pass an upstream's refusal on, as it is where it speaks the caller's protocol."""
    answer, translated = refusal.answer, refusal.translated
    if translated is None:
        await pass_on(x, answer)
        return
    failure = translated.translator.error(answer)
    await x.reply(x.protocol.error(failure, x.operation, x.id), _retry(answer))


async def pass_on(x: Exchange, answer: Answer) -> None:
    """Send an upstream's error as it is."""
    headers = answer_headers(x, answer.headers)
    headers += pairs(_retry(answer))
    await x.answer(answer.status, headers, answer.body)


def _retry(answer: Answer) -> dict[str, str]:
    return {name: answer.headers[name] for name in ("retry-after", "retry-after-ms") if name in answer.headers}


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
        It broke off before anything was sent.
    """
    response, attempt, translated = taken.reply, taken.attempt, taken.translated
    kind = response.headers.get("content-type", "")
    own = x.operation
    if isinstance(own, Stream) and kind.startswith("text/event-stream"):
        await _stream(x, own, taken, billing, tap)
        return
    if tap is None and passthrough.wanted(x, taken):
        await passthrough.relay(x, taken, answer_headers(x, response.headers), billing)
        return
    before = time.perf_counter()
    try:
        body = await response.read(core.settings.max_answer)
    except UpstreamError:
        response.abort()
        raise
    x.waited += time.perf_counter() - before
    response.release()
    answer = Answer(response.status, response.headers, body)
    if is_error(answer):
        raise ErrorInside
    attempt.done(ok=True, first_byte=billing.outcome.first_byte)
    operation, request = (own, x.request) if translated is None else (translated.operation, translated.request)
    usage = _usage(operation.usage, request, answer) if isinstance(operation, Call) else None
    headers = answer_headers(x, answer.headers)
    if translated is not None:
        body = _translated(x, translated.translator, answer)
        headers = [(b"content-type", b"application/json")]
    elif isinstance(own, Call) and own.outputs is not None:
        body = await outputs.keep(core, x, taken, answer, own.outputs)
    if tap is not None and translated is None:
        await tap.whole(answer.json(), attempt.channel)
    await billing.settle(response.status, usage)
    crash.point("charged")
    await x.answer(response.status, headers, body)


def _usage(read: UsageReader | None, request: Request[Any], answer: Answer) -> Usage | None:
    return Usage(calls=1) if read is None else read(request, answer)


def _translated(x: Exchange, translator: Translator, answer: Answer) -> bytes:
    if not isinstance(translator, CallTranslator):
        raise Failure(Reason.INTERNAL, "The translator is not one of calls")
    try:
        return translator.answer(x.request, answer)
    except (msgspec.DecodeError, msgspec.ValidationError, LookupError, TypeError, ValueError) as fault:
        log.warning("answer.unreadable", request_id=x.id, target=translator.target, error=str(fault)[:300])
        raise Failure(Reason.UPSTREAM, "The upstream's answer could not be read") from None


async def _stream(x: Exchange, own: Stream[Any], taken: Taken[Response], billing: Billing, tap: Tap | None) -> None:
    response, attempt, translated, outcome = taken.reply, taken.attempt, taken.translated, billing.outcome
    target = own if translated is None else translated.operation
    request = x.request if translated is None else translated.request
    if not isinstance(target, Stream):
        # Events where the vendor's protocol has none.
        response.abort()
        raise ErrorInside
    rules = target.rules
    outcome.streamed = True

    async def charge(relay: Relay) -> None:
        usage = relay.usage
        if usage is None or (rules.merge is not None and not relay.ended):
            counted = await asyncio.to_thread(settlement.counted, request, rules, relay.events)
            usage = counted if usage is None else settlement.completed(usage, counted)
        outcome.first_byte = relay.first
        if relay.fault is not None:
            outcome.error = str(relay.fault)
        elif relay.left:
            outcome.error = "the caller left"
        attempt.done(ok=relay.fault is None, fault=outcome.error or "", first_byte=outcome.first_byte)
        await billing.settle(response.status, usage)

    framing = own.rules.reshape(x.request) if own.rules.reshape is not None else None
    if framing is not None:
        headers = [(b"content-type", framing[0].encode())]
    else:
        plain = [(b"content-type", b"text/event-stream")]
        headers = answer_headers(x, response.headers) if translated is None else plain
    headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
    await x.head(response.status, headers)
    relay = Relay(x, own, response, charge)
    if translated is not None and isinstance(translated.translator, CallTranslator) and translated.translator.events:
        relay.translate(rules, request, translated.translator.events(x.request))
    if framing is not None:
        relay.reshape(framing[1])
    if tap is not None and translated is None:
        relay.tap = (tap, attempt.channel)
    await relay.run()
