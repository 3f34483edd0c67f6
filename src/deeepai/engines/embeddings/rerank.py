"""`POST /v1/rerank` (and `/v2/rerank`), in the shape that Jina and Cohere share.

There is no cross-encoder here: a document's score is the cosine of its E5 vector and the query's, so it ranks as well
as a search by embeddings does, and no better; between languages the order is often wrong. Scores are squeezed as E5's
always are, unrelated texts about 0.7 to 0.8.
Documents above 512 tokens are read in windows.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from ..models.catalogue import Model
from ..openai_wire import answer, new_id, refused
from ..runtimes.e5 import E5
from .embeddings import check_tokens

MOST_DOCUMENTS: Final = 1000


class Document(msgspec.Struct):
    """A document in its wrapper."""

    text: str


class RerankRequest(msgspec.Struct):
    """The body; fields that are not listed are ignored."""

    model: str
    query: Annotated[str, Meta(min_length=1)]
    documents: Annotated[list[str | Document], Meta(min_length=1, max_length=MOST_DOCUMENTS)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool | None = None


async def rerank(body: RerankRequest, model: Model, e5: E5) -> web.Response:
    """Answer one request: the documents by falling score, the earlier first where scores are the same."""
    texts = [item if isinstance(item, str) else item.text for item in body.documents]
    if not all(texts):
        raise refused("'documents' must not hold an empty text.", "documents", "invalid_value")
    tokens = check_tokens(await e5.count([body.query], is_query=True), model, "query")
    tokens += check_tokens(await e5.count(texts, is_query=False), model, "documents")
    (query,) = await e5.vectors([body.query], is_query=True)
    scores = [float(vector @ query) for vector in await e5.vectors(texts, is_query=False)]
    order = sorted(range(len(texts)), key=lambda index: -scores[index])
    results: list[dict[str, Any]] = []
    for index in order[: body.top_n]:
        result: dict[str, Any] = {"index": index, "relevance_score": scores[index]}
        if body.return_documents:
            result["document"] = {"text": texts[index]}
        results.append(result)
    return answer(
        {
            "id": new_id("rerank-"),
            "object": "list",
            "model": model.id,
            "results": results,
            "usage": {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens},
            "meta": {"billed_units": {"search_units": -(-len(texts) // 100)}, "tokens": {"input_tokens": tokens}},
        }
    )
