from __future__ import annotations

import math
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from .conftest import EMBEDDINGS


def vectors(client: OpenAI, texts: list[str], **fields: Any) -> list[list[float]]:
    got = client.embeddings.create(model=EMBEDDINGS, input=texts, **fields)
    assert [item.index for item in got.data] == list(range(len(texts)))
    return [item.embedding for item in got.data]


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("How do I reset my password?", "I forgot my login credentials", "The recipe needs two eggs"),
        ("今天天气很好", "今日天气不错", "股票市场大跌"),
        ("今天天气很好", "The weather is nice today", "股票市场大跌"),
    ],
)
def test_similar_sentences_are_nearer(client: OpenAI, text: str, near: str, far: str):
    one, two, three = vectors(client, [text, near, far])
    assert cosine(one, two) > cosine(one, three) + 0.03


def test_float_and_base64_are_the_same_vector(client: OpenAI):
    (default,) = vectors(client, ["a test"])
    (floats,) = vectors(client, ["a test"], encoding_format="float")
    (text,) = vectors(client, ["a test"], encoding_format="base64", dimensions=384)
    assert isinstance(text, str)
    assert len(floats) == 384
    assert default == pytest.approx(floats, abs=1e-6)
    assert math.hypot(*floats) == pytest.approx(1, abs=1e-4)


def test_usage_grows_with_the_text(client: OpenAI):
    def tokens(text: str) -> int:
        return client.embeddings.create(model=EMBEDDINGS, input=text).usage.prompt_tokens

    short = tokens("cat")
    assert tokens("cat cat cat") == short + 2


def test_a_batch_is_as_good_as_one_by_one(client: OpenAI):
    texts = [f"sentence number {n}" for n in range(20)]
    batch = vectors(client, texts)
    (alone,) = vectors(client, texts[17:18])
    assert cosine(batch[17], alone) > 0.999


def test_passage_prefix_differs(client: OpenAI):
    (query,) = vectors(client, ["a test"])
    (passage,) = vectors(client, ["a test"], extra_body={"input_type": "passage"})
    assert cosine(query, passage) < 0.9999


def test_a_nul_does_not_cut_the_text(client: OpenAI):
    one, two = vectors(client, ["hello\0world", "hello"])
    assert cosine(one, two) < 0.999


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"dimensions": 256}, "dimensions"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [1, 2, 3]}, "input"),
        ({"input": [[1, 2], [3]]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "word " * 8200}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_refusals(client: OpenAI, fields: dict[str, Any], param: str):
    with pytest.raises(BadRequestError) as caught:
        client.embeddings.create(**{"model": EMBEDDINGS, "input": "a", **fields})
    assert caught.value.param == param
