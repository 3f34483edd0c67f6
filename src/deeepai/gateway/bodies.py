"""Answers that pass as they come: sounds, pictures, large JSON. Their last byte waits for the charge."""

from __future__ import annotations

import time

import structlog

from .. import crash
from ..declare import Answer, Usage
from ..money.ledger import Hold
from ..upstream import Cut, Response, Stalled
from . import settlement
from .core import Core, Priced
from .dispatch import Attempt
from .exchange import HEADER_PAIRS, Exchange
from .settlement import Outcome
from .skeleton import Skeleton
from .ways import Way

log = structlog.get_logger()

LARGE = 1024 * 1024
"""Bytes of a JSON answer that is not read whole."""


def passes(x: Exchange, way: Exchange | Way, response: Response) -> bool:
    """Tell whether an answer is sent on as it comes: nothing in it is to be changed, and it is large or no JSON."""
    if way.translator is not None or x.kept or x.tap is not None or not x.operation.passes:
        return False
    if "json" not in response.headers.get("content-type", "json"):
        return True
    length = response.headers.get("content-length", "")
    return length.isdigit() and int(length) > LARGE


async def relay(
    core: Core,
    x: Exchange,
    response: Response,
    headers: HEADER_PAIRS,
    attempt: Attempt,
    priced: Priced,
    held: Hold | None,
    outcome: Outcome,
) -> None:
    """Send an answer on piece by piece; what is cut upstream is cut towards the caller, too.

    Raises
    ------
    UpstreamError
        It broke off before anything was sent.
    """
    is_json = "json" in response.headers.get("content-type", "json")
    skeleton = Skeleton() if is_json else None
    before = time.perf_counter()
    try:
        piece = await response.next()
    except (Cut, Stalled) as fault:
        response.abort()
        attempt.done(ok=False, fault=str(fault))
        raise
    x.waited += time.perf_counter() - before
    length = response.headers.get("content-length", "")
    if length.isdigit() and "content-encoding" not in response.headers:
        headers.append((b"content-length", length.encode()))
    await x.head(response.status, headers)
    fault: Cut | Stalled | None = None
    kept = b""
    try:
        while piece:
            if skeleton is not None:
                skeleton.feed(piece)
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
        x.broken = True
        outcome.error = str(fault)
        log.warning("answer.cut", request_id=x.id, channel=attempt.channel.name, error=str(fault))
    attempt.done(ok=fault is None, fault=str(fault or ""), first_byte=outcome.first_byte)
    usage: Usage | None = None
    if fault is None or skeleton is None:
        # Half a sound was made for the caller; half of a JSON document is nothing.
        answer = Answer(response.status, response.headers, skeleton.json() if skeleton is not None else b"")
        usage = x.operation.usage(x.request, answer) if x.operation.usage is not None else Usage(calls=1)
    row = settlement.usage_row(x, outcome, response.status, usage, core.cost(priced, usage))
    await settlement.settle(core.ledger, x, held, row)
    crash.point("charged")
    if fault is None:
        await x.send({"type": "http.response.body", "body": kept, "more_body": False})
