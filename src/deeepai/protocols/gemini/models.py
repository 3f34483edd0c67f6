"""Models that the caller may use."""

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
from .common import KINDS, VERSIONS, count, resource
from .common import model as asked_model

PAGE, LARGEST_PAGE = 50, 1000
_OWN = "gemini."


def _methods(model: ListedModel) -> list[str]:
    """Return the methods that the gateway has for a model; operations are named after them."""
    return [name.removeprefix(_OWN) for name in model.operations if name.startswith(_OWN)]


def _model_object(model: ListedModel) -> dict[str, Json]:
    return {
        "name": resource(model.id),
        "version": "001",
        "displayName": model.id,
        "description": f"A model of {model.owned_by}",
        "supportedGenerationMethods": _methods(model),
    }


async def list_models(view: View[object]) -> Reply:
    """List what the token may call by some method, a page at a time."""
    query = view.request.query
    models = [model for model in await view.models() if _methods(model)]
    size = min(LARGEST_PAGE, count(query.get("pageSize", query.get("page_size")), PAGE))
    token = query.get("pageToken", query.get("page_token")) or "0"
    if not (token.isascii() and token.isdecimal()) or len(token) > 9:
        raise Failure(Reason.INVALID, "The page token is not valid", param="pageToken")
    start = int(token)
    body: dict[str, Json] = {"models": [_model_object(model) for model in models[start : start + size]]}
    if start + size < len(models):
        body["nextPageToken"] = str(start + size)
    return Reply(body)


async def get_model(view: View[object]) -> Reply:
    """Describe one model."""
    name = asked_model(view.request)
    model = await view.model(name)
    if model is not None:
        return Reply(_model_object(model))
    shown = name if name.startswith(KINDS) else f"models/{name}"
    raise Failure(Reason.NO_MODEL, f"Model is not found: {shown[:200]}", param="name")


OPERATIONS = (
    Local(
        name="models.list",
        method="GET",
        path="/v1beta/models",
        aliases=("/v1/models",),
        summary=Text("List models", "列出模型"),
        media="none",
        query=("pageSize", "pageToken"),
        example_params={"pageSize": "50", "pageToken": "0"},
        example_answer={
            "models": [
                {
                    "name": "models/gemini-2.5-flash",
                    "version": "001",
                    "displayName": "gemini-2.5-flash",
                    "description": "A model of gemini",
                    "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
                }
            ]
        },
        answer=list_models,
    ),
    Local(
        name="models.get",
        method="GET",
        path="/v1beta/models/{model}",
        aliases=(
            "/v1/models/{model}",
            *(f"{version}/tunedModels/{{tuned}}" for version in VERSIONS),
        ),
        takes_rest=True,
        summary=Text("Get a model", "查询模型"),
        media="none",
        example_answer={
            "name": "models/gemini-2.5-flash",
            "version": "001",
            "displayName": "gemini-2.5-flash",
            "description": "A model of gemini",
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
        },
        answer=get_model,
    ),
)
