"""Answers that pass as they come: sounds, pictures, large JSON. Their last byte waits for the charge."""

from __future__ import annotations

import time

import structlog

from ... import crash
from ...declare import Answer, Call, Usage, whole
from ...upstream import Cut, Response, Stalled
from ..attempts import ErrorInside, Taken
from ..exchange import HEADER_PAIRS, Exchange
from ..settlement import Billing
from .json_outline import Outline

log = structlog.get_logger()

LARGE = 1024 * 1024
"""Bytes of a JSON answer that is not read whole."""


def wanted(x: Exchange, taken: Taken[Response]) -> bool:
    """Tell whether an answer is sent on as it comes: nothing in it is to be changed, and it is large or no JSON."""
    operation = x.operation
    if taken.translated is not None or x.recording or not (isinstance(operation, Call) and operation.passthrough):
        return False
    if x.streams:
        return False
    headers = taken.reply.headers
    kind = headers.get("content-type", "json").lower()
    if "json" not in kind:
        # What should be a sound and says that it is a page is read and judged.
        return operation.shape is None or kind.startswith(operation.shape.media)
    length = headers.get("content-length", "")
    return (whole(length) or 0) > LARGE


async def relay(x: Exchange, taken: Taken[Response], headers: HEADER_PAIRS, billing: Billing) -> None:
    """Send an answer on piece by piece; what is cut upstream is cut towards the caller, too.

    Raises
    ------
    UpstreamError
        It broke off before anything was sent.
    """
    response, attempt, outcome = taken.reply, taken.attempt, billing.outcome
    is_json = "json" in response.headers.get("content-type", "json")
    outline = Outline() if is_json else None
    before = time.perf_counter()
    try:
        piece = await response.next()
    except (Cut, Stalled):
        response.abort()
        raise
    x.waited += time.perf_counter() - before
    if not piece:
        response.abort()
        raise ErrorInside("an empty answer")
    length = response.headers.get("content-length", "")
    if whole(length) is not None and "content-encoding" not in response.headers:
        headers.append((b"content-length", length.encode()))
    await x.head(response.status, headers)
    fault: Cut | Stalled | None = None
    kept = b""
    try:
        while piece:
            if outline is not None:
                outline.feed(piece)
            # All but a byte goes on at once: which piece is the last, only the next one tells.
            if kept or len(piece) > 1:
                await x.send({"type": "http.response.body", "body": kept + piece[:-1], "more_body": True})
            kept = piece[-1:]
            piece = await response.next()
    except (Cut, Stalled) as cut:
        fault = cut
    if fault is None:
        response.release()
    else:
        response.abort()
        x.ended_in_error = True
        outcome.error = str(fault)
        log.warning("answer.cut", request_id=x.id, channel=attempt.channel.name, error=str(fault))
    attempt.done(ok=fault is None, first_byte=outcome.first_byte)
    usage: Usage | None = None
    if fault is None or outline is None:
        # Half a sound was made for the caller; half of a JSON document is nothing.
        answer = Answer(response.status, response.headers, outline.json() if outline is not None else b"")
        read = x.operation.usage if isinstance(x.operation, Call) else None
        usage = Usage(calls=1) if read is None else read(x.request, answer)
    await billing.settle(response.status, usage)
    crash.point("charged")
    if fault is None:
        await x.send({"type": "http.response.body", "body": kept, "more_body": False})
