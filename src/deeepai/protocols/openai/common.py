"""Small pieces that several areas of OpenAI's format use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, cast
from typing import Protocol as Interface

from msgspec import Meta

from ...declare import AnyRequest, Facts, Json, Request, listed

ModelName = Annotated[str, Meta(min_length=1, max_length=256, description="Model that answers")]


class MayNameModel(Interface):
    """A body that may name its model."""

    @property
    def model(self) -> str | None:
        """The model's name."""
        ...


class MayStream(Interface):
    """A body that may ask for a stream."""

    @property
    def stream(self) -> bool | None:
        """Whether a stream is wanted."""
        ...


def model_patch(request: AnyRequest, facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does."""
    return {"model": facts.model} if facts.model != facts.requested_model else {}


def optional_model_patch(request: Request[MayNameModel], facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does; a body that names none stays as it is where the upstream's is the same."""
    return {"model": facts.model} if facts.model != (request.body.model or facts.requested_model) else {}


def wants_stream(request: Request[MayStream]) -> bool:
    """Tell whether the body asks for a stream."""
    return bool(request.body.stream)


def member(value: Json, *path: str) -> Json:
    """Return what lies at a path in an answer, or None."""
    for name in path:
        value = cast("dict[str, Json]", value).get(name) if isinstance(value, dict) else None
    return value


def members(value: Json, *path: str) -> Sequence[Json]:
    """Return the list that lies at a path in an answer; empty where there is none."""
    return listed(member(value, *path))
