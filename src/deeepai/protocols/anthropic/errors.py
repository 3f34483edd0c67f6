"""Anthropic's errors, and what an upstream's say of its account."""

from __future__ import annotations

from ...declare import Answer, AnyOperation, Failure, Json, Reason, Reply
from ..common.errors import words

_TYPES = {
    Reason.UNAUTHENTICATED: (401, "authentication_error"),
    Reason.UNFUNDED: (402, "billing_error"),
    Reason.FORBIDDEN: (403, "permission_error"),
    Reason.MODERATED: (400, "invalid_request_error"),
    Reason.NOT_FOUND: (404, "not_found_error"),
    Reason.NO_MODEL: (404, "not_found_error"),
    Reason.CONFLICT: (409, "conflict_error"),
    Reason.TOO_LARGE: (413, "request_too_large"),
    Reason.RATE_LIMITED: (429, "rate_limit_error"),
    Reason.INTERNAL: (500, "api_error"),
    Reason.UPSTREAM: (502, "api_error"),
    Reason.UNAVAILABLE: (529, "overloaded_error"),
    Reason.TIMEOUT: (504, "timeout_error"),
}


def error_object(failure: Failure, request_id: str) -> dict[str, Json]:
    """Return Anthropic's error object for a failure."""
    kind = _TYPES.get(failure.kind, (0, "invalid_request_error"))[1]
    message = f"{failure.param}: {failure.message}" if failure.param else failure.message
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as Anthropic does."""
    status = _TYPES.get(failure.kind, (failure.kind.status, ""))[0]
    headers = {"x-should-retry": "false"} if failure.lasting else {}
    return Reply(error_object(failure, request_id), status, headers=headers)


def channel_fault(answer: Answer) -> bool:
    """Bad key, no permission, or the vendor's account is out of credit."""
    if answer.status in (401, 402):
        return True
    if answer.status not in (400, 403):
        return False
    poor = any(word.startswith("Your credit balance is too low") for word in words(answer, "message"))
    return poor or "permission_error" in words(answer, "type")


def too_long(answer: Answer) -> bool:
    """Tell whether the request does not fit the model's context."""
    return answer.status in (400, 413) and (
        b"prompt is too long" in answer.body or b"exceed context limit" in answer.body
    )
