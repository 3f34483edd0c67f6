"""Bodies of Google's methods; every other field passes through."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Contents = Annotated[list[dict[str, Any] | str] | dict[str, Any] | str, Meta(description="The conversation so far")]
ModelField = Annotated[str, Meta(max_length=256, description="Repeats the path's model, which counts")]
Instances = Annotated[list[dict[str, Any]], Meta(min_length=1, description="One with a `prompt`")]


class GenerateBody(msgspec.Struct, omit_defaults=True, rename="camel"):
    """Body of a generation; every field of Google's passes through, in camelCase or in snake_case."""

    contents: Contents
    repeated: ModelField | None = msgspec.field(default=None, name="model")
    generation_config: (
        Annotated[dict[str, Any], Meta(description="maxOutputTokens, candidateCount, responseSchema, thinkingConfig …")]
        | None
    ) = None
    snake_config: dict[str, Any] | None = msgspec.field(default=None, name="generation_config")
    system_instruction: dict[str, Any] | str | None = None
    snake_instruction: dict[str, Any] | str | None = msgspec.field(default=None, name="system_instruction")
    tools: list[dict[str, Any]] | dict[str, Any] | None = None
    cached_content: str | None = None
    service_tier: str | None = None
    snake_tier: str | None = msgspec.field(default=None, name="service_tier")

    @property
    def tier(self) -> str | None:
        """The tier that is asked for, under either name."""
        return self.service_tier or self.snake_tier

    @property
    def config(self) -> dict[str, Any] | None:
        """The configuration, under either name."""
        return self.generation_config or self.snake_config


class CountBody(msgspec.Struct, omit_defaults=True, rename="camel"):
    """Body of a count of tokens: the contents, or a whole request."""

    contents: Contents | None = None
    generate_content_request: dict[str, Any] | None = None
    repeated: ModelField | None = msgspec.field(default=None, name="model")


class EmbedBody(msgspec.Struct, omit_defaults=True, rename="camel"):
    """Body of one embedding."""

    content: Annotated[dict[str, Any], Meta(description="Parts of text")]
    repeated: ModelField | None = msgspec.field(default=None, name="model")
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: Annotated[int, Meta(ge=1)] | None = None

    @property
    def contents(self) -> list[dict[str, Any]]:
        """All that is embedded."""
        return [self.content]


class EmbedManyBody(msgspec.Struct, omit_defaults=True):
    """Body of many embeddings."""

    requests: Annotated[list[EmbedBody], Meta(min_length=1)]

    @property
    def contents(self) -> list[dict[str, Any]]:
        """All that is embedded."""
        return [embed.content for embed in self.requests]


class PredictBody(msgspec.Struct, omit_defaults=True):
    """Body of a prediction."""

    instances: Instances
    parameters: (
        Annotated[dict[str, Any], Meta(description="sampleCount, aspectRatio, imageSize, personGeneration …")] | None
    ) = None


class VideoBody(msgspec.Struct, omit_defaults=True):
    """Body of a video generation."""

    instances: Instances
    parameters: (
        Annotated[dict[str, Any], Meta(description="durationSeconds, sampleCount, aspectRatio, resolution …")] | None
    ) = None
