"""What Google's declaration reads out of bytes, and what it makes of them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from deeepai.control.bootstrap import environment_channels
from deeepai.control.samples import Bodies, SampleRequest
from deeepai.declare import Answer, Facts, Failure, Reason, Usage
from deeepai.protocols import PROTOCOLS
from deeepai.protocols.gemini.bodies import GenerateBody
from deeepai.protocols.gemini.common import count, either, text_of
from deeepai.protocols.gemini.content import Array, chunk_text, data_alone, may_end, stream_error
from deeepai.protocols.gemini.errors import error_object, too_long
from deeepai.protocols.gemini.usage import (
    answer_usage,
    chat_estimate,
    embedding_usage,
    event_usage,
    input_tokens,
)

GEMINI = PROTOCOLS["gemini"]
FULL = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 400,
    "toolUsePromptTokenCount": 50,
    "candidatesTokenCount": 1400,
    "thoughtsTokenCount": 30,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 500},
        {"modality": "AUDIO", "tokenCount": 300},
        {"modality": "IMAGE", "tokenCount": 150},
        {"modality": "VIDEO", "tokenCount": 50},
    ],
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 100}, {"modality": "TEXT", "tokenCount": 300}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}, {"modality": "AUDIO", "tokenCount": 10}],
}
DISJOINT = Usage(
    input=250,
    cached=300,
    cached_audio=100,
    audio_in=200,
    image_in=200,
    output=130,
    audio_out=10,
    image_out=1290,
    reasoning=30,
    basis="vendor",
)


def sample(name: str, body: dict[str, Any] | None = None) -> tuple[Any, SampleRequest]:
    operation = next(one for one in GEMINI.operations if one.name == name)
    request = SampleRequest(GEMINI, operation, Bodies(GEMINI))
    if body is not None:
        request.raw = json.dumps(body).encode()
        assert operation.body is not None
        request.body = msgspec.json.decode(request.raw, type=operation.body)
    return operation, request


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\r\n\r\n"


def test_usage_is_told_apart_by_sort() -> None:
    _, request = sample("generateContent")
    body = json.dumps({"usageMetadata": FULL}).encode()
    assert answer_usage(request, Answer(200, {}, body)) == DISJOINT
    array = json.dumps([{"usageMetadata": {"promptTokenCount": 1}}, {"usageMetadata": FULL}, {}]).encode()
    assert answer_usage(request, Answer(200, {}, array)) == DISJOINT
    assert event_usage(event({"usageMetadata": FULL})) == DISJOINT


def test_the_prompt_s_tokens_alone_are_no_usage_before_the_end() -> None:
    early: dict[str, Any] = {"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}
    assert event_usage(event(early)) is None
    late = event_usage(event({"candidates": [{"finishReason": "SAFETY"}], **early}))
    assert late is not None
    assert (late.input, late.output) == (9, 0)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{}", b'{"usageMetadata":{"promptTokenCount":"x"}}', b"[]", b"[1"])
def test_an_answer_without_usage_is_estimated(body: bytes) -> None:
    _, request = sample("generateContent")
    found = answer_usage(request, Answer(200, {}, body))
    assert found is not None
    assert found.basis == "estimated"
    assert found.input > 0


def test_a_word_in_the_text_ends_nothing() -> None:
    said = {"candidates": [{"content": {"parts": [{"text": 'the field "finishReason" and "blockReason"'}]}}]}
    assert not may_end(event(said))
    assert may_end(event({"candidates": [{"finishReason": "STOP"}]}))
    assert may_end(event({"promptFeedback": {"blockReason": "OTHER"}}))


def test_an_array_is_whole_however_its_events_come() -> None:
    one, two, three = (event({"n": n}) for n in range(3))
    for chunks in ([one, two, three], [one + two, b"", three], [b"", one + two + three]):
        array = Array()
        text = b"".join(map(array.feed, chunks)) + array.end()
        assert json.loads(text) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert json.loads(Array().feed(b"") + Array().end()) == []
    broken = Array()
    failure = Failure(Reason.UPSTREAM, "it broke off")
    text = broken.feed(one) + broken.feed(stream_error(failure, "req_1")) + broken.end()
    assert json.loads(text)[1]["error"]["status"] == "UNAVAILABLE"


def test_the_text_of_a_chunk() -> None:
    parts = [{"text": "a", "thought": True}, {"text": "b"}, {"functionCall": {"name": "f", "args": {}}}]
    found = chunk_text({"candidates": [{"content": {"parts": parts}}, {"finishReason": "STOP"}]})
    assert found.startswith("ab{")
    assert "f" in found
    assert chunk_text({"error": {}}) == ""


def test_either_name_of_a_field() -> None:
    assert either({"max_output_tokens": 3}, "maxOutputTokens") == 3
    assert either({"maxOutputTokens": 4, "max_output_tokens": 3}, "maxOutputTokens") == 4
    assert either(None, "x", 5) == 5
    assert [count(value, 7) for value in (3, "3", 3.0, 0, -1, "x", None, True, 2.5)] == [3, 3, 3, 7, 7, 7, 7, 7, 7]
    assert text_of([{"parts": {"text": "a"}}, "b", {"parts": [{"text": "c"}, {"inlineData": {}}]}, {}]) == "a\nb\nc"


def test_media_are_not_counted_as_text() -> None:
    contents = [{"parts": [{"text": "x"}, {"inline_data": {"mime_type": "image/png", "data": "A" * 100_000}}]}]
    _, request = sample("generateContent", {"contents": contents})
    assert isinstance(request.body, GenerateBody)
    assert 258 <= input_tokens(request) < 1000


def test_a_picture_is_held_where_one_is_asked_for() -> None:
    def drawn(**config: Any) -> int:
        _, request = sample("generateContent", {"contents": [], "generationConfig": config})
        return chat_estimate(request).image_out

    assert drawn() == drawn(responseModalities=["TEXT"]) == 0
    assert drawn(responseModalities=["TEXT", "IMAGE"]) == drawn(response_modalities=["Image"]) == 1290
    assert drawn(responseModalities=["IMAGE"], imageConfig={"imageSize": "4K"}) == 2000


def test_of_what_is_embedded_the_texts_are_counted() -> None:
    embed = {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "é" * 20}]}}
    _, request = sample("batchEmbedContents", {"requests": [embed, embed]})
    assert embedding_usage(request, Answer(200, {}, b'{"embeddings":[]}')) == Usage(input=20, basis="estimated")


@pytest.mark.parametrize(
    ("name", "body", "changes"),
    [
        ("generateContent", {"contents": []}, {}),
        ("generateContent", {"contents": [], "model": "models/alias"}, {"model": "models/real"}),
        ("countTokens", {"generateContentRequest": {"model": "models/alias", "contents": []}}, None),
        ("batchEmbedContents", {"requests": [{"model": "models/alias", "content": {}, "extra": 1}]}, None),
    ],
)
def test_a_model_is_renamed_wherever_the_body_names_it(name: str, body: Any, changes: Any) -> None:
    operation, request = sample(name, body)
    found = operation.patch(request, Facts(model="real", requested_model="alias"))
    if changes is None:
        assert "models/alias" not in json.dumps(found)
        assert "models/real" in json.dumps(found)
        assert name != "batchEmbedContents" or found["requests"][0]["extra"] == 1
    else:
        assert found == changes
    assert operation.patch(request, Facts(model="alias", requested_model="alias")) == {}


def test_paths_upstream() -> None:
    operation, request = sample("streamGenerateContent")
    assert operation.upstream_path(request, Facts(model="tunedModels/x", requested_model="y")) == (
        "/v1beta/tunedModels/x:streamGenerateContent?alt=sse"
    )
    operation, request = sample("predict")
    assert (
        operation.upstream_path(request, Facts(model="imagen", requested_model="y")) == "/v1beta/models/imagen:predict"
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_errors_have_google_s_words(reason: Reason) -> None:
    found = error_object(Failure(reason, "why", param="contents", retry_after=2.4))
    assert found["code"] == reason.status
    assert found["status"].isupper()
    kinds = [detail["@type"].rsplit(".", 1)[-1] for detail in found["details"]]
    assert kinds == ["ErrorInfo", "BadRequest", "RetryInfo"]
    assert found["details"][2]["retryDelay"] == "2s"


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (400, b'{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}', True),
        (400, b'{"error":{"status":"FAILED_PRECONDITION","message":"User location is not supported"}}', True),
        (400, b'{"error":{"status":"FAILED_PRECONDITION","message":"The File is not in an ACTIVE state"}}', False),
        (400, b'{"error":{"code":400,"status":"INVALID_ARGUMENT"}}', False),
        (401, b"", True),
        (403, b'{"error":{"status":"PERMISSION_DENIED","message":"Your API key was reported as leaked."}}', True),
        (403, b'{"error":{"message":"You do not have permission to access the File x"}}', False),
        (403, b'{"error":{"message":"CachedContent not found (or permission denied)"}}', False),
        (429, b"{}", False),
    ],
)
def test_whose_fault_a_refusal_is(status: int, body: bytes, fault: bool) -> None:
    assert GEMINI.channel_fault(Answer(status, {}, body)) is fault


def test_either_name_of_the_key_in_the_environment() -> None:
    for names in (
        {"GEMINI_API_KEY": "AIza"},
        {"GOOGLE_API_KEY": "AIza"},
        {"GEMINI_API_KEY": "AIza", "GOOGLE_API_KEY": "x"},
    ):
        (channel,) = environment_channels(PROTOCOLS, names)
        assert (channel.protocol, channel.credential) == ("gemini", "AIza")
        assert channel.base_url == "https://generativelanguage.googleapis.com"


def test_what_another_model_may_still_take() -> None:
    body = (
        b'{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed 8."}}'
    )
    assert too_long(Answer(400, {}, body))
    assert not too_long(Answer(400, {}, b"{}"))


@pytest.mark.parametrize(
    ("beside", "searches"),
    [
        ({"candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "b", "a", ""]}}]}, 2),
        (
            {"candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "b"]}}], "modelVersion": "gemini-2.5-pro"},
            1,
        ),
        ({"candidates": [{"groundingMetadata": {"webSearchQueries": None}}, {}]}, 0),
        # Tokens are charged whatever else a look-alike writes.
        ({"candidates": [{"groundingMetadata": {"webSearchQueries": 5}}]}, 0),
        ({"candidates": {"webSearchQueries": []}, "modelVersion": 7}, 0),
    ],
)
def test_searches(beside: dict[str, Any], searches: int) -> None:
    for tier, params in (
        ({}, {}),
        ({"serviceTier": 5}, {}),
        ({"trafficType": "ON_DEMAND_FLEX"}, {"service_tier": "flex"}),
    ):
        body = {"usageMetadata": FULL | tier, **beside}
        wanted = msgspec.structs.replace(DISJOINT, searches=searches, params=params)
        assert event_usage(event(body)) == wanted


def test_googles_clients_get_data_alone() -> None:
    request = SampleRequest(GEMINI, GEMINI.operations[0], Bodies(GEMINI))

    def seen(event: bytes) -> bytes | None:
        return data_alone(request, event)

    assert seen(b'data: {"a":1}\n\n') == b'data: {"a":1}\n\n'
    assert seen(b'data: {"a":1}\r\n\r\n') == b'data: {"a":1}\r\n\r\n'
    assert seen(b'id: 1\nevent: x\ndata: {"a":1}\n\n') == b'data: {"a":1}\r\n\r\n'
    assert seen(b'data: {"a":1}\nretry: 9\n\n') == b'data: {"a":1}\r\n\r\n'
    assert seen(b": wait\n\n") is seen(b"data: [DONE]\n\n") is seen(b"data:\n\n") is None


def test_no_mark_of_an_end_stands_in_an_array() -> None:
    shape = Array()
    shown = shape.feed(b'data: {"a":1}\n\n') + shape.feed(b"data: [DONE]\n\n") + shape.end()
    assert json.loads(shown) == [{"a": 1}]
