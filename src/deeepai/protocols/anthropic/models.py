"""The list of models, as Anthropic gives it."""

from __future__ import annotations

from ...declare import (
    Failure,
    Json,
    ListedModel,
    Local,
    Reason,
    Reply,
    Text,
    View,
)
from .common import LIST_QUERY, read_limit

_EXAMPLE = {
    "type": "model",
    "id": "claude-haiku-4-5",
    "display_name": "claude-haiku-4-5",
    "created_at": "2024-01-01T00:00:00Z",
}


def _model_object(model: ListedModel) -> dict[str, Json]:
    return {"type": "model", "id": model.id, "display_name": model.id, "created_at": "2024-01-01T00:00:00Z"}


def _answers(model: ListedModel) -> bool:
    return "anthropic.messages" in model.operations


async def list_models(view: View[object]) -> Reply:
    """List what the token may call with messages, by pages as Anthropic does.

    Raises
    ------
    Failure
    """
    found = [_model_object(model) for model in await view.models() if _answers(model)]
    query = view.request.query
    limit = read_limit(view.request)
    ids = [model["id"] for model in found]
    start, end = 0, len(found)
    if query.get("after_id") in ids:
        start = ids.index(query["after_id"]) + 1
    if query.get("before_id") in ids:
        end = ids.index(query["before_id"])
        start = max(start, end - limit)
    page = found[start:end][:limit]
    more = start + len(page) < len(found)
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return Reply({"data": page, "has_more": more, "first_id": first, "last_id": last})


async def get_model(view: View[object]) -> Reply:
    """Describe one model."""
    name = view.request.params["model"]
    model = await view.model(name)
    if model is None:
        raise Failure(Reason.NO_MODEL, f"model: {name}")
    return Reply(_model_object(model))


OPERATIONS = (
    Local(
        name="models.list",
        method="GET",
        path="/v1/models",
        summary=Text("List models, in Anthropic's shape", "列出模型（Anthropic格式）"),
        media="none",
        query=LIST_QUERY,
        answer=list_models,
        example_answer={
            "data": [_EXAMPLE],
            "has_more": False,
            "first_id": "claude-haiku-4-5",
            "last_id": "claude-haiku-4-5",
        },
    ),
    Local(
        name="models.get",
        method="GET",
        path="/v1/models/{model}",
        takes_rest=True,
        summary=Text("Get a model, in Anthropic's shape", "查询模型（Anthropic格式）"),
        media="none",
        answer=get_model,
        example_answer=_EXAMPLE,
    ),
)
