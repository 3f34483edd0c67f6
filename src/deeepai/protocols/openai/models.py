"""Models that the caller may use."""

from __future__ import annotations

from typing import Final

from ...declare import Failure, Json, ListedModel, Local, Reason, Reply, Text, View

_EXAMPLE: Final = {
    "id": "gpt-3.5-turbo",
    "object": "model",
    "created": 1700000000,
    "owned_by": "openai",
    "supported_endpoint_types": ["openai", "openai-response"],
    "endpoints": ["/v1/chat/completions", "/v1/completions", "/v1/responses"],
}


def _model_object(model: ListedModel) -> dict[str, Json]:
    """Return OpenAI's object, with the field that new-api adds to it, and the paths that answer the model here."""
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "supported_endpoint_types": model.endpoint_types,
        "endpoints": model.paths,
    }


async def list_models(view: View[object]) -> Reply:
    """List what the token may call."""
    models = await view.models()
    return Reply({"object": "list", "data": [_model_object(model) for model in models]})


async def get_model(view: View[object]) -> Reply:
    """Describe one model."""
    name = view.request.params["model"]
    model = await view.model(name)
    if model is None:
        raise Failure(Reason.NO_MODEL, f"The model '{name}' does not exist", param="model")
    return Reply(_model_object(model))


OPERATIONS = (
    Local(
        name="models.list",
        method="GET",
        path="/v1/models",
        example_answer={
            "object": "list",
            "data": [_EXAMPLE],
        },
        summary=Text("List models", "列出模型"),
        media="none",
        answer=list_models,
    ),
    Local(
        name="models.get",
        method="GET",
        path="/v1/models/{model}",
        takes_rest=True,
        example_answer=_EXAMPLE,
        summary=Text("Get a model", "查询模型"),
        media="none",
        answer=get_model,
    ),
)
