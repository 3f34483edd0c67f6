"""Stability AI's errors: v2beta and v1 differ."""

from __future__ import annotations

from collections.abc import Mapping

from ...declare import Answer, AnyOperation, Failure, Json, Reason, Reply

_NAMES: Mapping[Reason, tuple[int, str]] = {
    Reason.INVALID: (400, "bad_request"),
    Reason.BAD_MEDIA: (400, "bad_request"),
    Reason.UNAUTHENTICATED: (401, "unauthorized"),
    Reason.UNFUNDED: (402, "payment_required"),
    Reason.FORBIDDEN: (403, "permission_denied"),
    Reason.NO_MODEL: (404, "not_found"),
    Reason.TOO_LARGE: (413, "payload_too_large"),
    Reason.RATE_LIMITED: (429, "rate_limit_exceeded"),
}


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as the vendor does: v2beta lists `errors`, v1 has one `message`; a 401 of v2beta has both."""
    kind = failure.kind
    status, name = _NAMES.get(kind, (kind.status, kind.word))
    message = failure.message
    if failure.code == "missing":
        message = "is required"
    elif failure.param is not None:
        message = message.removeprefix(f"Invalid value for '{failure.param}': ")
    if failure.param is not None and not message.startswith(f"{failure.param}: "):
        message = f"{failure.param}: {message}"
    body: dict[str, Json] = {"id": name if kind is Reason.RATE_LIMITED else request_id, "name": name}
    is_v1 = operation is not None and "/v1/" in operation.path
    if not is_v1:
        body["errors"] = [message]
    if is_v1 or kind is Reason.UNAUTHENTICATED:
        body["message"] = message
    return Reply(body, status)


def channel_fault(answer: Answer) -> bool:
    """Bad key, no credits, or a key without rights; a refused prompt is a 403 too, and is the caller's."""
    return answer.status in (401, 402) or (answer.status == 403 and b"permission_denied" in answer.body)
