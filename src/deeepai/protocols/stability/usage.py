"""What a call of Stability AI's consumes: the vendor tells nothing, so images and calls are counted."""

from __future__ import annotations

import msgspec

from ...declare import Answer, AnyRequest, Request, Usage
from .bodies import V1Options


def one_image(request: AnyRequest) -> Usage:
    """One image."""
    return Usage(images=1)


def one_call(request: AnyRequest) -> Usage:
    """One call."""
    return Usage(calls=1)


def samples(request: Request[V1Options]) -> Usage:
    """As many images as are asked for, of so many steps each."""
    return Usage(images=request.body.samples, steps=request.body.steps)


class Artifact(msgspec.Struct):
    """What of a v1 result is metered."""

    finishReason: str | None = None


class Artifacts(msgspec.Struct):
    """A v1 answer."""

    artifacts: list[Artifact] = []


def v1_usage(request: Request[V1Options], answer: Answer) -> Usage | None:
    """Count the images that were made of those that were asked for, blurred ones too."""
    estimate = samples(request)
    if "json" not in answer.headers.get("content-type", ""):
        return estimate
    try:
        artifacts = msgspec.json.decode(answer.body, type=Artifacts).artifacts
    except (msgspec.DecodeError, msgspec.ValidationError):
        return estimate
    images = sum(artifact.finishReason != "ERROR" for artifact in artifacts)
    images = min(images, estimate.images)
    return msgspec.structs.replace(estimate, images=images, basis="counted") if images else None
