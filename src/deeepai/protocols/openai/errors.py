"""OpenAI's error shape."""

from __future__ import annotations

import re

from ...declare import Answer, AnyOperation, Failure, Json, Reason, Reply
from ..common.errors import words

_TYPES = {
    Reason.UNAUTHENTICATED: "invalid_request_error",
    Reason.FORBIDDEN: "permission_error",
    Reason.UNFUNDED: "insufficient_quota",
    Reason.RATE_LIMITED: "requests",
    Reason.INTERNAL: "server_error",
    Reason.UPSTREAM: "upstream_error",
    Reason.UNAVAILABLE: "server_error",
    Reason.TIMEOUT: "upstream_error",
}
_CODES = {
    Reason.INVALID: None,
    Reason.MODERATED: "content_policy_violation",
    Reason.UNPROCESSABLE: None,
    Reason.INTERNAL: None,
    Reason.BAD_METHOD: None,
}
_STATUS = {Reason.UNFUNDED: 403, Reason.MODERATED: 400}
_BARE_GPT = re.compile(r"'(g-[A-Za-z0-9]{6,}[\w-]*)'")


def _message(failure: Failure) -> str:
    """Return the failure's message; the usual mistake with custom GPTs is to name one by its id alone."""
    gpt = _BARE_GPT.search(failure.message) if failure.kind is Reason.NO_MODEL else None
    hint = f". A custom GPT is called 'gpt-4-gizmo-{gpt[1]}'" if gpt is not None else ""
    return failure.message + hint


def error_object(failure: Failure) -> dict[str, Json]:
    """Return OpenAI's error object for a failure."""
    return {
        "message": _message(failure),
        "type": _TYPES.get(failure.kind, "invalid_request_error"),
        "param": failure.param,
        "code": failure.code or _CODES.get(failure.kind, failure.kind.word),
    }


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as OpenAI does.

    A balance that is spent answers 403: official clients would retry a 429.
    """
    status = _STATUS.get(failure.kind, failure.kind.status)
    headers: dict[str, str] = {}
    if failure.lasting:
        headers["x-should-retry"] = "false"
    return Reply({"error": error_object(failure)}, status, headers=headers)


_OF_THE_REQUEST = frozenset(
    ("invalid_organization", "mismatched_organization", "mismatched_project", "no_such_organization")
)
"""Codes of 401 that a request brings about by what it names."""


def channel_fault(answer: Answer) -> bool:
    """Bad key, or the vendor's account is out of credit."""
    if answer.status == 402:
        return True
    if answer.status not in (401, 403, 429):
        return False
    named = words(answer, "code", "type")
    return "insufficient_quota" in named if answer.status != 401 else _OF_THE_REQUEST.isdisjoint(named)


def too_long(answer: Answer) -> bool:
    """Tell whether the request does not fit the model's context; engines that speak the format say it in words."""
    return answer.status in (400, 413) and (
        b"context_length_exceeded" in answer.body
        or b"exceed_context_size" in answer.body
        or b"maximum context length" in answer.body
    )
