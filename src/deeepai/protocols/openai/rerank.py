"""Rerank, in the shape that Jina and Cohere have in common, and relays with them."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ...declare import (
    Answer,
    AnswerShape,
    AnyRequest,
    Call,
    Text,
    Usage,
)
from ..common import body_model, rough_tokens
from ..common.usage import Amount, Count, Reader
from .common import ModelName, model_patch


class RerankBody(msgspec.Struct, omit_defaults=True):
    """Body of a rerank."""

    model: ModelName
    query: str | dict[str, Any]
    documents: Annotated[list[str | dict[str, Any]], Meta(min_length=1, max_length=10_000)]
    top_n: Annotated[int, Meta(ge=1)] | None = None


class _Tokens(msgspec.Struct):
    total_tokens: Count = None
    prompt_tokens: Count = None


class _Billed(msgspec.Struct):
    search_units: Amount = None
    input_tokens: Amount = None


class _Meta(msgspec.Struct):
    billed_units: _Billed | None = None
    tokens: _Billed | None = None


class _Reranked(msgspec.Struct):
    usage: _Tokens | None = None
    meta: _Meta | None = None


_RERANKED: Final = Reader(_Reranked)


def usage(request: AnyRequest, answer: Answer) -> Usage | None:
    """Read tokens or search units, whichever the vendor tells."""
    reranked = _RERANKED.read(answer.body)
    tokens = (reranked.usage.total_tokens or reranked.usage.prompt_tokens) if reranked.usage is not None else None
    if tokens:
        return Usage(input=tokens, calls=1, basis="vendor")
    if reranked.meta is not None:
        billed, tokens = reranked.meta.billed_units, reranked.meta.tokens
        units = int(billed.search_units) if billed is not None and billed.search_units else 1
        inputs = int(tokens.input_tokens) if tokens is not None and tokens.input_tokens else rough_tokens(request)
        return Usage(calls=units, input=inputs, basis="vendor")
    return estimate(request)


def estimate(request: AnyRequest) -> Usage:
    """Estimate a rerank: one search over so many bytes."""
    return Usage(calls=1, input=rough_tokens(request), basis="estimated")


OPERATIONS = (
    Call(
        name="rerank",
        endpoint_type="jina-rerank",
        shape=AnswerShape(fields=("results", "data")),
        models=("*rerank*",),
        method="POST",
        path="/v1/rerank",
        aliases=("/rerank", "/v2/rerank"),
        upstream_template="/rerank",
        summary=Text("Sort documents by relevance", "重排序"),
        body=RerankBody,
        example={"model": "jina-reranker-v2-base-multilingual", "query": "What is a cat?", "documents": ["…", "…"]},
        example_answer={
            "model": "jina-reranker-v2-base-multilingual",
            "results": [{"index": 1, "relevance_score": 0.93}],
            "usage": {"total_tokens": 21},
        },
        model=body_model,
        estimate=estimate,
        usage=usage,
        patch=model_patch,
        replay=True,
    ),
)
