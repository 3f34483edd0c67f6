"""Models that the caller may use."""

from __future__ import annotations

from typing import Any

from ...declare import (
    Failure,
    Json,
    Local,
    Reason,
    Reply,
    Text,
    View,
)
from .common import KINDS, VERSIONS, count, resource
from .common import model as asked_model

PAGE, LARGEST_PAGE = 50, 1000


def _methods(name: str) -> list[str]:
    if name.startswith("imagen-"):
        return ["predict"]
    if name.startswith("veo-"):
        return ["predictLongRunning"]
    if "embedding" in name:
        return ["embedContent", "batchEmbedContents"]
    return ["generateContent", "streamGenerateContent", "countTokens"]


def _model_object(model: Any) -> dict[str, Json]:
    name = model["id"]
    return {
        "name": resource(name),
        "version": "001",
        "displayName": name,
        "description": f"Served by {model['owned_by']}",
        "supportedGenerationMethods": _methods(name),
    }


async def list_models(view: View[object]) -> Reply:
    """List what the token may call, a page at a time."""
    query = view.request.query
    models = await view.models()
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
    for model in await view.models():
        if model["id"] == name:
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
                    "description": "Served by gemini",
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
            *(f"{version}/models/{{owner}}/{{model}}" for version in VERSIONS),
            *(f"{version}/tunedModels/{{tuned}}" for version in VERSIONS),
        ),
        summary=Text("Get a model", "查询模型"),
        media="none",
        example_answer={
            "name": "models/gemini-2.5-flash",
            "version": "001",
            "displayName": "gemini-2.5-flash",
            "description": "Served by gemini",
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
        },
        answer=get_model,
    ),
)
