"""Is this an answer at all? What an upstream sends with a good status is judged before anything is charged for it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ...declare import Answer, AnswerShape, Failure, Json, Reason, lenient_json
from ...logs import redact
from ..attempts import ErrorInside

_EMPTY: Final = frozenset({b"null", b"[]", b"{}", b'""'})
_LONGEST_EMPTY: Final = 4
_MESSAGES: Final = ("message", "error_msg", "detail", "msg", "error")
_OF_THE_ACCOUNT: Final = re.compile(
    r"insufficient.{0,3}(?:quota|balance|credit|fund)|exceeded your current quota|credit balance|billing"
    r"|invalid.{0,3}api.{0,3}key|incorrect api key|payment required|arrears",
    re.IGNORECASE,
)
_LONGEST: Final = 500
_NONE: Final = msgspec.Raw(b"")


@functools.cache
def _top(fields: tuple[str, ...]) -> Callable[[bytes], Any]:
    """Return a decoder of those of an object's members that are looked at, each as it stands."""
    members = [(name, msgspec.Raw, _NONE) for name in dict.fromkeys(("error", *fields))]
    return msgspec.json.Decoder(msgspec.defstruct("Top", members)).decode


def judge_whole(shape: AnswerShape, answer: Answer) -> None:
    """Judge a whole answer.

    Raises
    ------
    ErrorInside
        It is none.
    """
    body = answer.body
    as_media = bool(shape.media) and answer.headers.get("content-type", "").lower().startswith(shape.media)
    if not body or body.isspace():
        if shape.blank and as_media:
            return
        raise ErrorInside("an empty answer")
    if as_media:
        return
    try:
        top = _top(shape.fields)(body)
    except (msgspec.DecodeError, RecursionError):
        _judge_text(shape, body)
        return
    for name in shape.fields:
        value = getattr(top, name)
        if value is not _NONE and (shape.blank or _holds(value)):
            break
    else:
        raise failure_of(answer.json())
    if top.error is not _NONE and _holds(top.error) and (reason := message_in(answer.json())):
        raise error_inside(reason)
    if shape.failed is not None and (reason := shape.failed(answer.json())) is not None:
        raise error_inside(reason)


def _holds(value: msgspec.Raw) -> bool:
    """Tell whether something is in a value."""
    view = memoryview(value)
    return len(view) > _LONGEST_EMPTY or bytes(view) not in _EMPTY


def _judge_text(shape: AnswerShape, body: bytes) -> None:
    """Judge what is no JSON object as strict readers have it: lenient ones may read it."""
    value = lenient_json(body)
    if isinstance(value, dict) and any(name in value for name in shape.fields):
        return
    if shape.media and shape.blank and isinstance(value, str):
        return
    raise ErrorInside("an answer of another kind")


def failure_of(value: Json) -> ErrorInside:
    """Return the failure that a JSON answer, or an error event, tells of."""
    return error_inside(message_in(value) or "an answer without what was asked for")


def error_inside(message: str) -> ErrorInside:
    """Return a failure; what an upstream says of its own account with the vendor is not for callers."""
    # Cut only after the keys are out, or half of one might stay.
    return ErrorInside(redact(message[: 8 * _LONGEST])[:_LONGEST], account=_OF_THE_ACCOUNT.search(message) is not None)


def redirected(status: int) -> ErrorInside:
    """Return the failure that a redirect is: a credential goes where the channel says, and nowhere else."""
    return ErrorInside(f"a redirect ({status})")


def without_keys(answer: Answer) -> Answer:
    """Return an error answer for callers."""
    return Answer(answer.status, answer.headers, cut_keys(answer.body))


def cut_keys(data: bytes) -> bytes:
    """Cut keys out of what an upstream says of an error."""
    return redact(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def refusal_of(answer: Answer) -> Failure:
    """Return what a refusal says, for a caller who can be told its status no more."""
    value = answer.json()
    error: Any = value.get("error", value) if isinstance(value, dict) else None
    words: Mapping[str, Any] = error if isinstance(error, dict) else {}
    message, code, param = (
        found if isinstance(found := words.get(name), str) and found else None for name in ("message", "code", "param")
    )
    message = message or message_in(value) or f"The upstream answered {answer.status}"
    return Failure(Reason.of(answer.status), message, code=code, param=param)


def message_in(value: Json) -> str:
    """Return what an error object says, with its code, wherever it stands; nothing, where it says nothing."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return ""
    found: Mapping[str, Any] = value
    inner = found.get("error") or (found.get("response") or {}).get("error") if _is_mapping(found) else None
    if isinstance(inner, dict | str) and inner:
        return message_in(inner)
    words = [str(found[name]) for name in ("code", "status", "type") if isinstance(found.get(name), str)]
    text = next((found[name] for name in _MESSAGES if isinstance(found.get(name), str)), "")
    return f"{text} ({', '.join(words)})" if text and words else text or ", ".join(words)


def _is_mapping(value: Mapping[str, Any]) -> bool:
    response = value.get("response")
    return response is None or isinstance(response, dict)
