"""Counts of tokens for models of other formats: the vendor's, or the gateway's own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from deeepai.declare import Failure, Reason, Reply
from deeepai.translators import LOCAL_ANSWERS
from deeepai.translators.chat.counting import COUNT_TRANSLATORS, PER_MEDIA
from tests.stack import Gateway

from .samples import PNG, REQUESTS
from .world import answer_of, request_of

Body = dict[str, Any]
COUNTS = {
    "responses": "openai.responses.input_tokens",
    "anthropic": "anthropic.messages.count_tokens",
    "gemini": "gemini.countTokens",
}
FIELDS = {"responses": "input_tokens", "anthropic": "input_tokens", "gemini": "totalTokens"}


def locally(source: str, body: Body) -> int:
    local = next(one for one in LOCAL_ANSWERS if one.source == COUNTS[source])
    reply = local.answer(request_of(body))
    assert isinstance(reply, Reply)
    assert isinstance(reply.body, dict)
    count = reply.body[FIELDS[source]]
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("source", COUNTS)
@pytest.mark.parametrize("target", ["anthropic", "gemini"])
def test_the_vendor_is_asked_in_its_own_way(source: str, target: str) -> None:
    if source == target:
        return
    translator = next(one for one in COUNT_TRANSLATORS if (one.source, one.target) == (COUNTS[source], COUNTS[target]))
    made = json.loads(json.dumps(translator.request(request_of(REQUESTS[source]), "the-model")))
    if target == "anthropic":
        assert set(made) == {"model", "messages", "system", "tools", "tool_choice"}
    else:
        assert list(made) == ["generateContentRequest"]
        assert made["generateContentRequest"]["model"] == "models/the-model"
        assert made["generateContentRequest"]["contents"]
    counted = {"input_tokens": 14} if target == "anthropic" else {"totalTokens": 14}
    assert json.loads(translator.answer(request_of({}), answer_of(counted)))[FIELDS[source]] == 14
    with pytest.raises(Failure) as caught:
        translator.answer(request_of({}), answer_of({}))
    assert caught.value.kind is Reason.UPSTREAM


def test_the_same_request_counts_alike_in_every_format() -> None:
    counts = [locally(source, REQUESTS[source]) for source in COUNTS]
    assert max(counts) - min(counts) < 20
    wrapped = {"generateContentRequest": {"model": "models/m", **REQUESTS["gemini"]}}
    assert locally("gemini", wrapped) == locally("gemini", REQUESTS["gemini"])


def test_what_is_counted() -> None:
    short: Body = {"model": "m", "messages": [{"role": "user", "content": "one two three"}]}
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    seen: Body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "one two three"}, picture]}],
    }
    assert locally("anthropic", short) == 7
    assert locally("anthropic", seen) == 7 + PER_MEDIA
    assert locally("anthropic", short | {"tools": [{"name": "f", "description": "word " * 50}]}) > 57
    with pytest.raises(Failure) as caught:
        locally("anthropic", {"messages": 5})
    assert caught.value.kind is Reason.INVALID


def posted(gateway: Gateway, path: str, body: Body) -> tuple[int, Body]:
    headers = {"authorization": f"Bearer {gateway.live}", "content-type": "application/json"}
    request = urllib.request.Request(f"{gateway.url}{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as fault:
        return fault.code, json.loads(fault.read())


HELLO = {"messages": [{"role": "user", "content": "one two three"}]}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "one two three"}]}]}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/messages/count_tokens?beta=true", HELLO | {"model": "gpt-4o"}, "input_tokens"),
        ("/v1/messages/count_tokens", HELLO | {"model": "gemini-2.5-flash"}, "input_tokens"),
        ("/v1beta/models/gpt-4o:countTokens", CONTENTS, "totalTokens"),
        ("/v1beta/models/claude-haiku-4-5:countTokens", CONTENTS, "totalTokens"),
        ("/v1/responses/input_tokens", {"model": "claude-haiku-4-5", "input": "one two three"}, "input_tokens"),
        ("/v1/responses/input_tokens", {"model": "gemini-2.5-flash", "input": "one two three"}, "input_tokens"),
    ],
)
def test_every_model_can_be_counted_for_in_every_format(gateway: Gateway, path: str, body: Body, field: str) -> None:
    status, counted = posted(gateway, path, body)
    assert status == 200, counted
    assert 2 < counted[field] < 20


def test_a_model_that_nobody_serves_is_not_counted_for(gateway: Gateway) -> None:
    status, _ = posted(gateway, "/v1/messages/count_tokens", HELLO | {"model": "no-such-model"})
    assert status == 404
