"""Pictures of the Imagen models."""

from __future__ import annotations

import msgspec

from ...declare import (
    Answer,
    AnswerShape,
    Call,
    Request,
    Text,
    Usage,
)
from .bodies import PredictBody
from .common import count, either, model, paths, place

DEFAULT_IMAGES = 4
"""What Google makes where the caller does not say."""


class Prediction(msgspec.Struct):
    """A picture; one that was held back for safety carries no bytes."""

    data: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="bytesBase64Encoded")


class Predictions(msgspec.Struct):
    """What of an answer is metered."""

    predictions: list[Prediction] = []


def image_params(body: PredictBody) -> dict[str, str]:
    """Return what a picture's price depends on."""
    size = either(body.parameters, "imageSize") or either(body.parameters, "sampleImageSize")
    return {"size": size if isinstance(size, str) else "1K"}


def image_estimate(request: Request[PredictBody]) -> Usage:
    """So many pictures as are asked for."""
    body = request.body
    images = count(either(body.parameters, "sampleCount"), DEFAULT_IMAGES)
    return Usage(images=images, params=image_params(body), basis="estimated")


def image_usage(request: Request[PredictBody], answer: Answer) -> Usage | None:
    """Count the pictures that came, of those that were asked for."""
    try:
        predictions = msgspec.json.decode(answer.body, type=Predictions).predictions
    except (msgspec.DecodeError, msgspec.ValidationError):
        return image_estimate(request)
    images = sum(prediction.data is not msgspec.UNSET for prediction in predictions)
    asked = image_estimate(request)
    return msgspec.structs.replace(asked, images=min(images, asked.images), basis="counted") if images else None


_PATH, _ALIASES = paths("predict")

OPERATIONS = (
    Call(
        name="predict",
        shape=AnswerShape(fields=("predictions",)),
        models=("imagen-*",),
        method="POST",
        path=_PATH,
        aliases=_ALIASES,
        upstream_template=_PATH,
        summary=Text("Create images (Imagen)", "生成图片(Imagen)"),
        body=PredictBody,
        example={
            "instances": [{"prompt": "A cat in a spacesuit"}],
            "parameters": {"sampleCount": 1, "aspectRatio": "1:1"},
        },
        example_params={"model": "imagen-4.0-generate-001"},
        example_answer={"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "iVBORw0KGgo…"}]},
        model=model,
        estimate=image_estimate,
        usage=image_usage,
        upstream_path=place("predict"),
    ),
)
