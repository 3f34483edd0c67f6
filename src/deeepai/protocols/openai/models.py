"""Models that the caller may use."""

from __future__ import annotations

from ...declare import Failure, Json, ListedModel, Local, Reason, Reply, Text, View


def _model_object(model: ListedModel) -> dict[str, Json]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by}


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
            "data": [{"id": "gpt-3.5-turbo", "object": "model", "created": 1700000000, "owned_by": "openai"}],
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
        example_answer={"id": "gpt-3.5-turbo", "object": "model", "created": 1700000000, "owned_by": "openai"},
        summary=Text("Get a model", "查询模型"),
        media="none",
        answer=get_model,
    ),
)
