"""An upstream's answer on its way to the caller: whole, as a stream, or as an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import msgspec
import structlog

from .. import crash
from ..accounts.models import Channel
from ..declare import Answer, CallTranslator, Failure, Kind, Reason, Usage
from ..money.ledger import Hold
from ..upstream import Response, UpstreamError
from . import bodies, outputs, settlement
from .core import Core, Priced
from .dispatch import Attempt
from .exchange import Exchange, pairs
from .settlement import Outcome
from .streams import Relay
from .ways import Way

log = structlog.get_logger()


async def error(response: Response) -> Answer:
    """Read an upstream's error answer, as far as it came."""
    try:
        body = await response.read(1024 * 1024)
        response.release()
    except UpstreamError:
        response.abort()
        body = b""
    return Answer(response.status, response.headers, body)


async def refuse(
    core: Core, x: Exchange, way: Exchange | Way, answer: Answer, held: Hold | None, outcome: Outcome
) -> None:
    """Pass an upstream's error on, as it is where it speaks the caller's protocol; it costs nothing."""
    if held is not None:
        core.ledger.cancel(held)
    core.ledger.record(settlement.usage_row(x, outcome, answer.status))
    if way.translator is not None:
        failure = way.translator.error(answer)
        await x.reply(x.protocol.error(failure, x.operation, x.id), _retry(answer))
        return
    await pass_on(x, answer)


async def pass_on(x: Exchange, answer: Answer) -> None:
    """Send an upstream's error as it is."""
    headers = answer_headers(x, answer.headers)
    headers += pairs(_retry(answer))
    await x.answer(answer.status, headers, answer.body)


def _retry(answer: Answer) -> dict[str, str]:
    return {name: answer.headers[name] for name in ("retry-after", "retry-after-ms") if name in answer.headers}


def answer_headers(x: Exchange, found: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return those of an upstream's headers that the caller sees."""
    headers = [(b"content-type", found.get("content-type", "application/json").encode("latin-1"))]
    for name in x.protocol.answer_headers:
        value = found.get(name)
        if value is not None:
            headers.append((name.encode(), value.encode("latin-1", "replace")))
    return headers


async def answer(
    core: Core,
    x: Exchange,
    way: Exchange | Way,
    response: Response,
    attempt: Attempt,
    priced: Priced,
    held: Hold | None,
    outcome: Outcome,
) -> None:
    """Send an upstream's answer on, charged before its end leaves.

    Raises
    ------
    UpstreamError
        It broke off before anything was sent.
    """
    kind = response.headers.get("content-type", "")
    if x.operation.kind is Kind.STREAM and kind.startswith("text/event-stream"):
        await _stream(core, x, way, response, attempt, priced, held, outcome)
        return
    if bodies.passes(x, way, response):
        await bodies.relay(core, x, response, answer_headers(x, response.headers), attempt, priced, held, outcome)
        return
    before = time.perf_counter()
    try:
        body = await response.read(core.settings.max_answer)
    except UpstreamError as fault:
        response.abort()
        attempt.done(ok=False, fault=str(fault))
        raise
    x.waited += time.perf_counter() - before
    response.release()
    attempt.done(ok=True, first_byte=outcome.first_byte)
    answer = Answer(response.status, response.headers, body)
    usage = way.operation.usage(way.request, answer) if way.operation.usage is not None else Usage(calls=1)
    headers = answer_headers(x, answer.headers)
    if way.translator is not None:
        body = _translated(x, way.translator, answer)
        headers = [(b"content-type", b"application/json")]
    elif x.operation.outputs is not None and _keeps(x, attempt.channel):
        found = answer.json()
        urls = x.operation.outputs(found)
        if urls:
            body = await outputs.keep(core, x, attempt.channel, found, urls)
    if x.tap is not None and way.translator is None:
        await x.tap.whole(answer.json(), attempt.channel)
    row = settlement.usage_row(x, outcome, response.status, usage, core.cost(priced, usage))
    await settlement.settle(core.ledger, x, held, row)
    crash.point("charged")
    await x.answer(response.status, headers, body)


def _keeps(x: Exchange, channel: Channel) -> bool:
    """Tell whether the answer may hold addresses of files that are kept, by what the model is called behind aliases."""
    keeps = x.operation.keeps
    return keeps is None or keeps(x.model) or keeps(channel.model_map.get(x.model, x.model))


def _translated(x: Exchange, translator: CallTranslator, answer: Answer) -> bytes:
    try:
        return translator.answer(x.request, answer)
    except (msgspec.DecodeError, msgspec.ValidationError, LookupError, TypeError, ValueError) as fault:
        log.warning("answer.unreadable", request_id=x.id, target=translator.target, error=str(fault)[:300])
        raise Failure(Reason.UPSTREAM, "The upstream's answer could not be read") from None


async def _stream(
    core: Core,
    x: Exchange,
    way: Exchange | Way,
    response: Response,
    attempt: Attempt,
    priced: Priced,
    held: Hold | None,
    outcome: Outcome,
) -> None:
    rules = way.operation.stream
    assert rules is not None
    outcome.streamed = True

    async def charge(relay: Relay) -> None:
        usage = relay.usage
        if usage is None or (rules.merge is not None and not relay.ended):
            counted = await asyncio.to_thread(settlement.counted, way.request, rules, relay.events)
            usage = counted if usage is None else settlement.completed(usage, counted)
        outcome.first_byte = relay.first
        if relay.fault is not None:
            outcome.error = str(relay.fault)
        elif relay.left:
            outcome.error = "the caller left"
        attempt.done(ok=relay.fault is None, fault=outcome.error or "", first_byte=outcome.first_byte)
        row = settlement.usage_row(x, outcome, response.status, usage, core.cost(priced, usage))
        await settlement.settle(core.ledger, x, held, row)

    own = x.operation.stream
    framing = own.reshape(x.request) if own is not None and own.reshape is not None else None
    if framing is not None:
        headers = [(b"content-type", framing[0].encode())]
    else:
        headers = [(b"content-type", b"text/event-stream")] if way.translator else answer_headers(x, response.headers)
    headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
    await x.head(response.status, headers)
    shape = framing[1] if framing is not None else None
    relay = Relay(x, rules, response, charge, None if isinstance(way, Exchange) else way, shape)
    if x.tap is not None and way.translator is None:
        relay.tap = (x.tap, attempt.channel)
    await relay.run()
