"""Event streams, and what is charged: a deck, once it is there.

Each event has a `text`, for clients join it unseen; there are no comments and no last mark, which they would read as
JSON. A status of -1 is a failure, 0 says that the text begins anew, 4 is the end.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...declare import Answer, AnswerShape, Failure, Json, Request, StreamRules, Usage, event_json
from ..common.errors import with_param
from ..common.paths import get

MODEL = "docmee-ppt"
OUR_ACCOUNT = {88: "insufficient credit", 98: "invalid API key", 99: "invalid API key"}
"""Codes that blame the upstream's customer, who is the operator."""
PASSING = frozenset({-1, 1002, 1009, 1012})
"""Codes after which another channel may be asked."""
WAITING = b'data: {"text":"","status":3}\n\n'
NOTHING = Usage(share=0.0)
DECK = Usage(calls=1, basis="vendor")


def fault(answer: Answer) -> bool:
    """Tell whether an answer blames the upstream's customer."""
    return answer.status == 401 or get(answer.json(), "code") in OUR_ACCOUNT


def _failed(value: Json) -> str | None:
    """Return what an answer says of a failure that is not the caller's."""
    code = get(value, "code")
    if not isinstance(code, int) or (code not in PASSING and code not in OUR_ACCOUNT):
        return None
    return OUR_ACCOUNT.get(code) or f"{get(value, 'message') or 'failure'} ({code})"


def _undone(value: Json) -> str | None:
    """Return what an answer says of any failure but that there is no such thing."""
    code = get(value, "code")
    return None if code in (0, 1001) else f"{get(value, 'message') or 'failure'} ({code})"


PRESENTATION = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
ENVELOPE = AnswerShape(fields=("code",), blank=True, failed=_failed)
ENDED = AnswerShape(fields=("code",), blank=True, failed=_undone)
TREE = AnswerShape(fields=("code", "pages"), blank=True, failed=_failed)
FILE = AnswerShape(fields=("code",), media=(PRESENTATION, "application/octet-stream"), blank=True, failed=_failed)


def deck_in(value: Json) -> bool:
    """Tell whether an answer or an event tells of a deck that is made."""
    return any(get(value, path) for path in ("data.pptInfo.id", "data.pptId", "pptId", "result.id"))


def used(request: Request[Any], answer: Answer) -> Usage | None:
    """Return what a whole answer costs."""
    value = answer.json()
    return DECK if get(value, "code") == 0 and deck_in(value) else None


def _event_usage(event: bytes) -> Usage | None:
    return DECK if deck_in(event_json(event)) else None


def _failure(event: bytes) -> Json:
    value = event_json(event)
    if not isinstance(value, dict) or value.get("status") != -1:
        return None
    return {"error": value.get("error") or value.get("message") or "failed"}


def _only_opens(event: bytes) -> bool:
    value = event_json(event)
    return isinstance(value, dict) and not (value.get("text") or value.get("result") or value.get("pptId"))


def _is_last(event: bytes) -> bool:
    return get(event_json(event), "status") == 4


def _told(failure: Failure, request_id: str) -> bytes:
    told = {"text": "", "status": -1, "error": with_param(failure)}
    return b"data: " + msgspec.json.encode(told) + b"\n\n"


def _wanted(request: Request[Any]) -> bool:
    return request.body.stream is not False


STREAM: StreamRules[Any] = StreamRules(
    wanted=_wanted,
    usage=_event_usage,
    visible=lambda request, event: event,
    text=lambda value: "",
    prompt=lambda request: "",
    is_last=_is_last,
    error=_told,
    scan_for=(b'"status"',),
    only_opens=_only_opens,
    failure=_failure,
    usage_without_report=lambda request: NOTHING,
    whole_or_nothing=True,
    keep_alive=WAITING,
)
