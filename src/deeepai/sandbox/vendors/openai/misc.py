"""Moderations, and the rerank that relays serve beside OpenAI's own operations."""

from __future__ import annotations

from typing import Any

from ...media.words import count_of
from ...vendor import Answer, Call, Route, digest_of, json_answer
from .common import invalid

CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent"),
    *("self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence"),
    "violence/graphic",
)


def _judged(item: Any) -> dict[str, Any]:
    text = item if isinstance(item, str) else str(item.get("text") or "an image")
    kind = "image" if isinstance(item, dict) and item.get("type") == "image_url" else "text"
    bad = "kill" in text.lower()
    scores = {
        name: 0.97 if bad and name == "violence" else round(digest_of(name, text)[0] / 25_600, 6) for name in CATEGORIES
    }
    return {
        "flagged": bad,
        "categories": {name: score > 0.5 for name, score in scores.items()},
        "category_scores": scores,
        "category_applied_input_types": {name: [kind] for name in CATEGORIES},
    }


async def moderations(call: Call) -> Answer:
    """`POST /v1/moderations`: words of killing are violence, all else is harmless."""
    body = call.json
    given = body.get("input")
    if not isinstance(given, str | list) or not given:
        raise invalid("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    name = str(body.get("model") or "omni-moderation-latest")
    if not name.startswith(("omni-moderation-", "text-moderation-", "sandbox-")):
        raise invalid(f"Invalid value for 'model': {name[:60]}", "model")
    items: list[Any] = [given] if isinstance(given, str) else given
    await call.work(0.1)
    found = [_judged(item) for item in items]
    return json_answer({"id": "modr-" + call.world.ids.hex(24), "model": name, "results": found})


async def rerank(call: Call) -> Answer:
    """`POST /v1/rerank`: documents that share words with the query come first."""
    body = call.json
    name, query, documents = body.get("model"), body.get("query"), body.get("documents")
    if not isinstance(name, str) or not name:
        raise invalid("you must provide a model parameter", "model")
    if not isinstance(query, str) or not isinstance(documents, list) or not documents:
        raise invalid("'query' and 'documents' are required.", "documents", "missing_required_parameter")
    wanted = set(query.lower().split())
    texts = [str(one.get("text", "")) if isinstance(one, dict) else str(one) for one in documents]
    scores = [len(wanted & set(text.lower().split())) / (len(wanted) or 1) for text in texts]
    order = sorted(range(len(texts)), key=lambda index: -scores[index])[: body.get("top_n") or len(texts)]
    results: list[dict[str, Any]] = [
        {"index": index, "relevance_score": round(0.02 + 0.95 * scores[index], 6)} for index in order
    ]
    if body.get("return_documents"):
        for result in results:
            result["document"] = {"text": texts[result["index"]]}
    tokens = count_of(query) * len(texts) + sum(map(count_of, texts))
    await call.work(0.2)
    answer: dict[str, Any] = {"id": call.world.ids.hex(24), "model": name, "results": results}
    if name.startswith("rerank-"):
        answer["meta"] = {"billed_units": {"search_units": 1}, "tokens": {"input_tokens": tokens}}
    else:
        answer["usage"] = {"total_tokens": tokens, "prompt_tokens": tokens}
    return json_answer(answer)


ROUTES = (
    Route("POST", "/v1/moderations", moderations),
    Route("POST", "/v1/rerank", rerank),
)
