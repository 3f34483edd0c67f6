"""Moderations, which are free."""

from __future__ import annotations

from typing import Any

import msgspec

from ...declare import (
    AnswerShape,
    Call,
    Facts,
    Request,
    Text,
)
from .common import ModelName

DEFAULT = "omni-moderation-latest"


class ModerationBody(msgspec.Struct, omit_defaults=True):
    """Body of a moderation."""

    input: str | list[str | dict[str, Any]]
    model: ModelName | None = None


def model(request: Request[ModerationBody]) -> str:
    """Return the model that is asked for, or OpenAI's own choice."""
    return request.body.model or DEFAULT


def patch(request: Request[ModerationBody], facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does."""
    return {"model": facts.model} if facts.model != (request.body.model or DEFAULT) else {}


OPERATIONS = (
    Call(
        name="moderations",
        shape=AnswerShape(fields=("results",)),
        models=("*moderation*",),
        method="POST",
        path="/v1/moderations",
        upstream_template="/moderations",
        summary=Text("Classify what may be harmful", "内容审核"),
        body=ModerationBody,
        example={"model": DEFAULT, "input": "I want to help them."},
        example_answer={
            "id": "modr-123",
            "model": DEFAULT,
            "results": [{"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.001}}],
        },
        model=model,
        patch=patch,
        free=True,
        replay=True,
    ),
)
