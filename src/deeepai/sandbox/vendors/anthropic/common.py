"""Anthropic's errors, ids and pages, for all of its handlers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ...vendor import Answer, Call, RefusedError, digest_of, json_answer

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def error(call: Call, status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an error's answer."""
    kind = _ERRORS.get(status, "api_error")
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id(call)}
    return json_answer(body, status, headers)


def request_id(call: Call) -> str:
    """Return the id of a request."""
    return "req_" + digest_of("request", call.fingerprint(), call.started).hex()[:24]


def invalid(call: Call, message: str) -> RefusedError:
    """Return the exception for a bad request."""
    return RefusedError(error(call, 400, message))


def missing(call: Call, message: str) -> RefusedError:
    """Return the exception for what is not there."""
    return RefusedError(error(call, 404, message))


def time_at(seconds: float) -> str:
    """Return a time of Unix seconds as Anthropic writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def versioned(call: Call) -> None:
    """Refuse a call without the header that names the API's version."""
    if not call.request.headers.get("anthropic-version"):
        raise invalid(call, "anthropic-version: header is required")


def page(call: Call, values: Sequence[Mapping[str, Any]]) -> Answer:
    """Answer a list, the part of it that the query asks for; `values` come in the order in which they are shown."""
    query = call.request.query
    text = query.get("limit", "20")
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise invalid(call, "limit: Input should be between 1 and 1000")
    ids = [value["id"] for value in values]
    start, end = 0, len(ids)
    for name in ("after_id", "before_id"):
        if query.get(name) and query[name] not in ids:
            raise invalid(call, f"{name}: no such object")
    if query.get("after_id"):
        start = ids.index(query["after_id"]) + 1
        more = end - start > int(text)
        end = min(end, start + int(text))
    elif query.get("before_id"):
        end = ids.index(query["before_id"])
        more = end > int(text)
        start = max(0, end - int(text))
    else:
        more = end > int(text)
        end = min(end, int(text))
    part = list(values[start:end])
    first, last = (part[0]["id"], part[-1]["id"]) if part else (None, None)
    return json_answer({"data": part, "has_more": more, "first_id": first, "last_id": last})
