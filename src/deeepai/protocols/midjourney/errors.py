"""Errors of the midjourney-proxy protocol, and what an upstream's say of its account."""

from __future__ import annotations

from collections.abc import Mapping

from ...declare import Answer, AnyOperation, Failure, Json, Kind, Reason, Reply

_WORDS: Mapping[Reason, tuple[int, int]] = {
    Reason.INVALID: (400, 4),
    Reason.UNPROCESSABLE: (400, 4),
    Reason.BAD_MEDIA: (400, 4),
    Reason.CONFLICT: (400, 4),
    Reason.NOT_FOUND: (400, 4),
    Reason.UNFUNDED: (403, 4),
    Reason.MODERATED: (400, 24),
    Reason.NO_MODEL: (404, 3),
    Reason.UNAVAILABLE: (503, 3),
    Reason.UPSTREAM: (502, 5),
    Reason.TIMEOUT: (504, 5),
    Reason.RATE_LIMITED: (429, 30),
    Reason.INTERNAL: (500, 9),
}
"""HTTP status and code; the kind's own status and 4 for the others."""
_EARLY = frozenset({Reason.UNAUTHENTICATED, Reason.FORBIDDEN, Reason.NO_MODEL, Reason.UNAVAILABLE, Reason.UNFUNDED})
"""What relays say before they know the protocol, in OpenAI's shape: given beside the protocol's own."""


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as relays do: a code and a description, with the fields of a submission's answer."""
    kind = failure.kind
    if operation is not None and operation.kind is Kind.MEDIA and kind is Reason.NOT_FOUND:
        return Reply({"error": "midjourney_task_not_found"}, 400)
    status, code = _WORDS.get(kind, (kind.status, 4))
    if operation is None and kind is Reason.NOT_FOUND:
        status = 404
    whose = "upstream_error" if code != 4 or kind is Reason.NOT_FOUND else "invalid_request_error"
    text = _description(failure, operation)
    body: dict[str, Json] = {"code": code, "description": text, "type": whose, "result": None, "properties": {}}
    if kind in _EARLY:
        body["error"] = {
            "message": failure.message,
            "type": "invalid_request_error" if kind is Reason.UNAUTHENTICATED else kind.word,
            "param": failure.param,
            "code": failure.code or kind.word,
        }
    return Reply(body, status)


def _description(failure: Failure, operation: AnyOperation | None) -> str:
    if failure.kind is Reason.NOT_FOUND and operation is not None:
        # Relays misspell it where a task is asked for.
        return "task_no_found" if operation.method == "GET" else "task_not_found"
    if failure.kind is Reason.UNFUNDED:
        return "quota_not_enough"
    if failure.code == "task_not_waiting":
        return "关联任务状态错误"
    if failure.param is not None:
        if failure.code == "missing":
            return f"{failure.param}不能为空"
        what, _, detail = failure.message.partition(": ")
        if what == f"Invalid value for '{failure.param}'":
            return f"{failure.param}参数错误 ({detail})"
    return failure.message


def channel_fault(answer: Answer) -> bool:
    """Bad secret; or a relay's account without rights or money."""
    return answer.status in (401, 402, 403) or (answer.status == 400 and b"quota_not_enough" in answer.body)
