"""What an upstream's error answer means for the caller."""

from __future__ import annotations

from typing import Any

import pytest

from deeepai.declare import Failure, Reason
from deeepai.translators.chat import CHAT_TRANSLATORS

from .world import OPERATIONS, answer_of, request_of, translator


def error(target: str, status: int, body: Any, **headers: str) -> Failure:
    source = "openai" if target != "openai" else "anthropic"
    return translator(source, target).error(answer_of(body, status, **headers))


def test_every_ordered_pair_is_there() -> None:
    found = {(one.source, one.target) for one in CHAT_TRANSLATORS}
    sources = {*OPERATIONS.values(), "gemini.streamGenerateContent", "openai.responses.compact"}
    assert found == {
        (source, target)
        for source in sources
        for target in OPERATIONS.values()
        if source.split(".")[:2] != target.split(".")[:2] and not (source[:6] == target[:6] == "gemini")
    }
    assert len(found) == 18


@pytest.mark.parametrize(
    ("target", "status", "body", "kind"),
    [
        ("openai", 400, {"error": {"message": "M", "type": "invalid_request_error", "param": None}}, Reason.INVALID),
        (
            "anthropic",
            400,
            {"type": "error", "error": {"type": "invalid_request_error", "message": "M"}},
            Reason.INVALID,
        ),
        ("gemini", 400, {"error": {"code": 400, "message": "M", "status": "INVALID_ARGUMENT"}}, Reason.INVALID),
        ("gemini", 400, [{"error": {"code": 400, "message": "M", "status": "INVALID_ARGUMENT"}}], Reason.INVALID),
        ("responses", 404, {"error": {"message": "M", "code": "model_not_found"}}, Reason.NOT_FOUND),
        ("anthropic", 413, {"error": {"type": "request_too_large", "message": "M"}}, Reason.TOO_LARGE),
        ("openai", 429, {"error": {"message": "M", "code": "rate_limit_exceeded"}}, Reason.RATE_LIMITED),
        ("anthropic", 529, {"error": {"type": "overloaded_error", "message": "M"}}, Reason.UPSTREAM),
        ("gemini", 503, {"error": {"code": 503, "message": "M", "status": "UNAVAILABLE"}}, Reason.UPSTREAM),
        ("openai", 504, {"error": {"message": "M"}}, Reason.TIMEOUT),
        ("openai", 418, {"error": "M"}, Reason.INVALID),
        ("openai", 500, b"M", Reason.UPSTREAM),
    ],
)
def test_kinds(target: str, status: int, body: Any, kind: Reason) -> None:
    failure = error(target, status, body)
    assert (failure.kind, failure.message) == (kind, "M")


def test_more_precise_words_are_kept() -> None:
    failure = error("openai", 400, {"error": {"message": "M", "code": "context_length_exceeded", "param": "messages"}})
    assert (failure.code, failure.param) == ("context_length_exceeded", "messages")
    assert error("anthropic", 429, {"error": {"message": "M"}}, **{"retry-after": "7"}).retry_after == 7
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
    assert error("gemini", 429, {"error": {"message": "M", "details": [delay]}}).retry_after == 34.5
    assert error("openai", 502, b"").message == "The upstream answered 502"


@pytest.mark.parametrize("target", OPERATIONS)
def test_the_gateways_own_account_stays_private(target: str) -> None:
    failure = error(target, 401, {"error": {"message": "Incorrect API key provided: secret-part"}})
    assert failure.kind is Reason.UPSTREAM
    assert "secret" not in failure.message
    reason = {"reason": "API_KEY_INVALID"}
    assert error("gemini", 400, {"error": {"message": "API key abc", "details": [reason]}}).kind is Reason.UPSTREAM


def test_a_body_that_is_no_object_is_the_callers_fault() -> None:
    request = request_of({})
    request.raw = b"[1]"
    with pytest.raises(Failure) as caught:
        translator("openai", "anthropic").request(request, "m")
    assert caught.value.kind is Reason.INVALID
