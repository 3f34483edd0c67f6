from __future__ import annotations

from typing import Any

import pytest
import requests

from .conftest import EMBEDDINGS

DOCUMENTS = ["The stock market fell today.", "It is sunny and warm outside.", "我喜欢吃苹果。"]


def rerank(engines: str, path: str = "/v1/rerank", **fields: Any) -> requests.Response:
    body = {"model": EMBEDDINGS, "query": "What is the weather like?", "documents": DOCUMENTS, **fields}
    return requests.post(f"{engines}{path}", json=body)


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_the_related_document_comes_first(engines: str, path: str):
    got = rerank(engines, path).json()
    scores = [result["relevance_score"] for result in got["results"]]
    assert got["results"][0]["index"] == 1
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] <= 1
    assert sorted(result["index"] for result in got["results"]) == [0, 1, 2]
    assert all("document" not in result for result in got["results"])
    assert got["usage"]["total_tokens"] == got["usage"]["prompt_tokens"] > 20
    assert got["meta"]["billed_units"] == {"search_units": 1}


def test_in_chinese(engines: str):
    got = rerank(engines, query="今天天气怎么样？", documents=["股票市场大跌。", "今天阳光明媚，很暖和。"])
    assert got.json()["results"][0]["index"] == 1


def test_wrapped_documents_top_n_and_what_comes_back(engines: str):
    wrapped = [{"text": text, "title": "unknown"} for text in DOCUMENTS]
    got = rerank(engines, documents=wrapped, top_n=1, return_documents=True).json()
    assert [result["index"] for result in got["results"]] == [1]
    assert got["results"][0]["document"] == {"text": DOCUMENTS[1]}
    assert len(rerank(engines, top_n=9).json()["results"]) == 3


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": ""}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": ["a", ""]}, "documents"),
        ({"documents": [1]}, "documents[0]"),
        ({"documents": ["a"] * 1001}, "documents"),
        ({"documents": ["word " * 8200]}, "documents"),
        ({"top_n": 0}, "top_n"),
    ],
)
def test_refusals(engines: str, fields: dict[str, Any], param: str):
    got = rerank(engines, **fields)
    assert got.status_code == 400
    assert got.json()["error"]["param"] == param


def test_another_model_does_not_rerank(engines: str):
    assert rerank(engines, model="local-moderation").status_code == 404
