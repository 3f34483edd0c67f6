"""Google's Imagen.

The fast models make one size; of the others a size of two megapixels and more is 2K. Dropped: `quality`, the seed.
Source: Google's reference of `v1beta`; Vertex AI's of Imagen's `predict`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...declare import Answer, Failure
from ..chat.common import whole_json
from ..chat.gemini import read_error
from .common import Asked, Body, Made, Target, carried, judged, moderated, shape_of, up_to

RATIOS = ("1:1", "3:4", "4:3", "9:16", "16:9")
MOST = 4
LARGE = 2 * 1024 * 1024
"""Pixels: as far from a picture of 1K as from one of 2K."""


def write(asked: Asked, model: str) -> Body:
    """Ask for pictures."""
    carried(asked, "count", "size", "ratio")
    parameters: Body = {"sampleCount": up_to(asked, MOST), "includeRaiReason": True}
    shape = shape_of(asked, RATIOS)
    if shape is not None:
        parameters["aspectRatio"] = shape
    if asked.size is not None and asked.size[0] * asked.size[1] >= LARGE and "fast" not in model:
        parameters["imageSize"] = "2K"
    if asked.format == "jpeg":
        parameters["outputOptions"] = {"mimeType": "image/jpeg"}
    return {"instances": [{"prompt": asked.prompt}], "parameters": parameters}


def read(answer: Answer) -> Sequence[Made]:
    """Return the pictures; those that were held back come with a reason alone."""
    predictions = whole_json(answer.body)["predictions"]
    made = [
        Made(each["bytesBase64Encoded"], each.get("mimeType") or "image/png", prompt=each.get("prompt"))
        for each in predictions
        if each.get("bytesBase64Encoded")
    ]
    if not made:
        raise moderated(next((each["raiFilteredReason"] for each in predictions if each.get("raiFilteredReason")), ""))
    return made


def error(answer: Answer) -> Failure:
    """Say what a refusal says."""
    return judged(read_error(answer))


TARGET = Target(operation="gemini.predict", models=("imagen-*",), draw=write, read=read, error=error)
