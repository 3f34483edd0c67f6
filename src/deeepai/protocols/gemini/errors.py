"""Google's error shape: `google.rpc.Status`."""

from __future__ import annotations

from ...declare import Answer, AnyOperation, Failure, Json, Reason, Reply
from ..common.errors import error_of, words

_TYPE = "type.googleapis.com/google.rpc."
_STATUSES = {
    Reason.UNAUTHENTICATED: "UNAUTHENTICATED",
    Reason.UNFUNDED: "FAILED_PRECONDITION",
    Reason.FORBIDDEN: "PERMISSION_DENIED",
    Reason.MODERATED: "PERMISSION_DENIED",
    Reason.NOT_FOUND: "NOT_FOUND",
    Reason.NO_MODEL: "NOT_FOUND",
    Reason.BAD_METHOD: "UNIMPLEMENTED",
    Reason.CONFLICT: "ABORTED",
    Reason.RATE_LIMITED: "RESOURCE_EXHAUSTED",
    Reason.INTERNAL: "INTERNAL",
    Reason.UPSTREAM: "UNAVAILABLE",
    Reason.UNAVAILABLE: "UNAVAILABLE",
    Reason.TIMEOUT: "DEADLINE_EXCEEDED",
}


def error_object(failure: Failure) -> dict[str, Json]:
    """Return Google's error object for a failure."""
    reason = (failure.code or failure.kind.word).upper()
    details: list[Json] = [{"@type": f"{_TYPE}ErrorInfo", "reason": reason, "domain": "deeepai"}]
    if failure.param is not None:
        violation = {"field": failure.param, "description": failure.message}
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]})
    if failure.retry_after is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{max(1, round(failure.retry_after))}s"})
    return {
        "code": failure.kind.status,
        "message": failure.message,
        "status": _STATUSES.get(failure.kind, "INVALID_ARGUMENT"),
        "details": details,
    }


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as Google does; a balance that is spent is no RESOURCE_EXHAUSTED, which clients send again."""
    return Reply({"error": error_object(failure)}, failure.kind.status)


def channel_fault(answer: Answer) -> bool:
    """Bad key (Google says 400), a key without the right, an account without billing, or in the wrong country.

    A file, cache or model of somebody else's that the caller names is 403 or 404 too, and no fault of the account.
    """
    status, body = answer.status, answer.body
    if status == 403:
        return b"permission to access" not in body and b"permission denied" not in body
    if status == 400:
        # Its messages repeat what a caller wrote, so that only the vendor's own words count.
        if "FAILED_PRECONDITION" in words(answer, "status"):
            return any("billing" in word or "location" in word for word in words(answer, "message"))
        return "API_KEY_INVALID" in reasons(answer)
    return status in (401, 402)


def reasons(answer: Answer) -> set[str]:
    """Return the reasons in the details of an error."""
    details = error_of(answer).get("details")
    return (
        {str(each.get("reason")) for each in details if isinstance(each, dict)} if isinstance(details, list) else set()
    )


def too_long(answer: Answer) -> bool:
    """Tell whether the prompt does not fit the model."""
    return answer.status == 400 and b"exceeds the maximum number of tokens" in answer.body
