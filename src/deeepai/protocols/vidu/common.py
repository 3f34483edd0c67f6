"""What Vidu's formats have in common: states, codes of errors, what they show of a request."""

from __future__ import annotations

from collections.abc import Mapping

from ...declare import MALFORMED, AnyRequest, Failure, Json, Reason, State, Task, lenient_json

STATES = {
    "queueing": State.QUEUED,
    "created": State.QUEUED,
    "processing": State.RUNNING,
    "success": State.SUCCEEDED,
    "failed": State.FAILED,
}
# Of a page of the vendor's, 2026.
CODES: Mapping[Reason, tuple[int, str]] = {
    Reason.INVALID: (400, "FieldInvalid"),
    Reason.UNAUTHENTICATED: (401, "Unauthorized"),
    Reason.UNFUNDED: (400, "CreditInsufficient"),
    Reason.FORBIDDEN: (403, "Forbidden"),
    Reason.MODERATED: (400, "TaskPromptPolicyViolation"),
    Reason.NO_MODEL: (404, "ModelUnavailable"),
    Reason.NOT_FOUND: (404, "TaskNotFound"),
    Reason.CONFLICT: (409, "Conflict"),
    Reason.RATE_LIMITED: (429, "TooManyRequests"),
    Reason.UNAVAILABLE: (503, "SystemThrottling"),
}
ELSEWHERE = ("QuotaExceeded", "TooManyRequests", "SystemThrottling", "ModelUnavailable")
ACCOUNT = ("CreditInsufficient", "Unauthorized")


def sent(request: AnyRequest, *names: str) -> Json:
    """Return fields of a body as they were sent, those that say nothing left out."""
    body = lenient_json(request.raw)
    try:
        return {name: body[name] for name in names if body.get(name) is not None}
    except MALFORMED:
        return {}


def done(request: AnyRequest, task: Task) -> None:
    """Refuse to go on from a film that is none."""
    if task.state is not State.SUCCEEDED:
        raise Failure(Reason.INVALID, "The video has not been made", param="creation_id")
