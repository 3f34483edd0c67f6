"""Embeddings between OpenAI's format and Gemini's."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import pytest
from google.genai import types as google
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from deeepai.declare import CallTranslator, Failure, Reason, Usage
from deeepai.translators.embeddings import EMBEDDING_TRANSLATORS
from deeepai.translators.embeddings.openai import unit

from .world import answer_of, request_of

USED = Usage(input=7, basis="vendor")
GEMINI, OPENAI = "gemini-embedding-001", "text-embedding-3-small"


def by(source: str) -> CallTranslator:
    return next(each for each in EMBEDDING_TRANSLATORS if each.source == source)


TO_GEMINI, ONE, MANY = by("openai.embeddings"), by("gemini.embedContent"), by("gemini.batchEmbedContents")


def asking(input: Any = "hi", **more: Any) -> Any:
    return request_of({"model": GEMINI, "input": input, **more})


def content(*texts: str) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text} for text in texts]}}


def vectors(*values: list[float]) -> Any:
    return answer_of({"embeddings": [{"values": each} for each in values]})


def test_texts_go_as_contents() -> None:
    body = TO_GEMINI.request(asking(["one", "two"], dimensions=768, user="u"), GEMINI)
    one = {"model": f"models/{GEMINI}", "outputDimensionality": 768}
    assert body == {"requests": [{**one, **content("one")}, {**one, **content("two")}]}
    assert TO_GEMINI.request(asking("one"), GEMINI) == {"requests": [{"model": f"models/{GEMINI}", **content("one")}]}


@pytest.mark.parametrize("input", [[1, 2, 3], [[1, 2], [3]], ["one", 2]])
def test_tokens_are_refused(input: Any) -> None:
    with pytest.raises(Failure) as refused:
        TO_GEMINI.request(asking(input), GEMINI)
    assert (refused.value.kind, refused.value.param) == (Reason.INVALID, "input")


def test_no_more_than_google_takes() -> None:
    assert TO_GEMINI.request(asking(["x"] * 100), GEMINI)
    with pytest.raises(Failure) as refused:
        TO_GEMINI.request(asking(["x"] * 101), GEMINI)
    assert refused.value.param == "input"
    assert "100" in refused.value.message


def test_vectors_come_as_numbers_or_packed() -> None:
    made = vectors([0.6, 0.8], [3.0, 4.0])
    plain = CreateEmbeddingResponse.model_validate_json(TO_GEMINI.answer(asking(["a", "b"]), made, USED))
    # The second is not of unit length, as Google's shorter ones are not.
    assert [each.embedding for each in plain.data] == [[0.6, 0.8], [0.6, 0.8]]
    assert (plain.usage.prompt_tokens, plain.usage.total_tokens, plain.model) == (7, 7, GEMINI)
    packed = json.loads(TO_GEMINI.answer(asking(["a", "b"], encoding_format="base64"), made, USED))
    for each in packed["data"]:
        assert struct.unpack("<2f", base64.b64decode(each["embedding"])) == pytest.approx((0.6, 0.8))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_a_vector_has_the_length_one_and_its_direction(vector: list[float]) -> None:
    made, length = unit(vector), math.hypot(*vector)
    if length < 1e-9:
        return
    assert math.hypot(*made) == pytest.approx(1, abs=2e-3)
    assert all(
        math.isclose(each * length, given, rel_tol=2e-3, abs_tol=1e-12)
        for each, given in zip(made, vector, strict=True)
    )


@pytest.mark.parametrize(
    "answer",
    [
        vectors([0.1]),
        vectors([0.1], [0.2], [0.3]),
        vectors([0.1], []),
        answer_of({"embeddings": [{}, {}]}),
        answer_of({"embeddings": {"values": [0.1]}}),
        answer_of({"embeddings": [{"values": ["a"]}, {"values": ["b"]}]}),
        answer_of([]),
        answer_of(b"{"),
    ],
)
def test_an_answer_without_a_vector_for_each_text_is_none(answer: Any) -> None:
    with pytest.raises(Failure) as failed:
        TO_GEMINI.answer(asking(["a", "b"]), answer, USED)
    assert failed.value.kind is Reason.UPSTREAM


# Gemini's format -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [{"outputDimensionality": 8}, {"embedContentConfig": {"output_dimensionality": 8}}])
def test_a_content_goes_as_text(length: dict[str, Any]) -> None:
    asked = request_of({**content("one", "two"), "taskType": "RETRIEVAL_QUERY", "title": "t", **length})
    body = {"model": OPENAI, "input": ["one\ntwo"], "encoding_format": "float", "dimensions": 8}
    assert ONE.request(asked, OPENAI) == body
    made = ONE.answer(asked, answer_of({"data": [{"index": 0, "embedding": [0.5, 0.25]}]}), USED)
    assert json.loads(made) == {"embedding": {"values": [0.5, 0.25]}, "usageMetadata": {"promptTokenCount": 7}}


def test_many_contents_go_in_one_call_and_keep_their_order() -> None:
    asked = request_of({"requests": [content("one"), content("two")]})
    assert MANY.request(asked, OPENAI) == {"model": OPENAI, "input": ["one", "two"], "encoding_format": "float"}
    packed = base64.b64encode(struct.pack("<2f", 0.5, 0.25)).decode()
    items = [{"index": 1, "embedding": [0.1]}, {"index": 0, "embedding": packed}]
    made = google.EmbedContentResponse.model_validate_json(MANY.answer(asked, answer_of({"data": items}), USED))
    assert [each.values for each in made.embeddings or ()] == [[0.5, 0.25], [0.1]]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"requests": [{**content("a"), "outputDimensionality": 8}, content("b")]}, "requests"),
        (
            {"requests": [{"content": {"parts": [{"inlineData": {"data": "aGk=", "mimeType": "image/png"}}]}}]},
            "content",
        ),
    ],
)
def test_what_openais_format_cannot_say_is_refused(body: Any, param: str) -> None:
    with pytest.raises(Failure) as refused:
        MANY.request(request_of(body), OPENAI)
    assert (refused.value.kind, refused.value.param) == (Reason.INVALID, param)
