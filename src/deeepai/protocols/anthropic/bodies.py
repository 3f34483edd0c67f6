"""Bodies of messages, of counts of their tokens, and of batches of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...declare import Unjudged

ModelName = Annotated[str, Meta(min_length=1, max_length=256, description="Model that answers")]


class Message(Unjudged, msgspec.Struct, omit_defaults=True):
    """One turn of a conversation."""

    role: Annotated[str, Meta(min_length=1, description="user or assistant")]
    content: str | list[dict[str, Any]]


class Tool(msgspec.Struct, omit_defaults=True):
    """A tool; every other field passes through."""

    type: str | None = None
    model: Annotated[str | None, Meta(description="Model that gives advice, where that is the tool")] = None
    max_uses: Annotated[Any, Meta(description="How often the vendor may call a tool of its own")] = None


class Fallback(msgspec.Struct):
    """What the vendor asks where the model declines."""

    model: ModelName


class MessagesBody(msgspec.Struct, omit_defaults=True):
    """Body of a message; every other field passes through."""

    model: ModelName
    max_tokens: Annotated[int, Meta(ge=0, description="Tokens that the answer may have at most")]
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[dict[str, Any]] | None = None
    stream: bool | None = None
    container: str | dict[str, Any] | None = None
    tools: list[Tool] | None = None
    thinking: Any = None
    fallbacks: str | list[Fallback] | None = None


class CountBody(msgspec.Struct, omit_defaults=True):
    """Body of a count of tokens."""

    model: ModelName
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[dict[str, Any]] | None = None


class Params(msgspec.Struct, omit_defaults=True):
    """A message that is asked for; every other field passes through, and is judged when its turn comes."""

    model: ModelName
    max_tokens: int | None = None
    container: str | dict[str, Any] | None = None
    tools: list[Tool] | None = None
    thinking: Any = None
    fallbacks: str | list[Fallback] | None = None


class BatchRequest(msgspec.Struct):
    """A request of a batch."""

    custom_id: Annotated[str, Meta(min_length=1, description="The caller's own name for it")]
    params: Params


class BatchBody(msgspec.Struct):
    """A batch."""

    requests: Annotated[list[BatchRequest], Meta(min_length=1, max_length=100_000)]
