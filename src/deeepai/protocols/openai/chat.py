"""Chat completions, completions and embeddings."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...declare import (
    COMMENT,
    DROP,
    AnswerShape,
    Call,
    ChannelSettings,
    Facts,
    Failure,
    Json,
    Outputs,
    Request,
    Stream,
    StreamRules,
    Text,
    Unjudged,
    Usage,
    event_json,
    is_done,
)
from ..common import body_model, rough_tokens, service_tier, unseen
from ..common.events import DATALESS, FAILURES, event_failure, with_data
from ..common.usage import lenient
from ..common.usage import members as outline
from .common import ModelName, member, members, model_patch, wants_stream
from .errors import error_object
from .stored_completions import STORING
from .usage import DEFAULT_OUTPUT, answer_usage, completions, event_usage, input_estimate, input_usage

Count = Annotated[int, Meta(ge=1, le=128)]


class OpenAISettings(ChannelSettings):
    """Settings of a channel of OpenAI's format.

    Attributes
    ----------
    stream_usage : bool
        Whether the upstream knows `stream_options`, which ask for the usage of a stream.
    realtime : str
        What the upstream speaks in Realtime sessions: today's API (`ga`), the beta, or both, so that it is asked as
        the caller asks. By default `ga`, as OpenAI's own does, whose beta ended in May 2026.
    """

    stream_usage: bool = True
    realtime: Literal["ga", "beta", "both"] | UnsetType = UNSET


class StreamOptions(msgspec.Struct, omit_defaults=True):
    """Options of a stream."""

    include_usage: bool | None = None


class Message(Unjudged, msgspec.Struct, omit_defaults=True):
    """One message of a conversation."""

    role: Annotated[str, Meta(min_length=1, description="developer, system, user, assistant or tool")]
    content: str | list[dict[str, Any]] | None = None


class ChatBody(msgspec.Struct, omit_defaults=True):
    """Body of a chat completion; every other field of the specification passes through."""

    model: ModelName
    messages: Annotated[list[Message], Meta(min_length=1, description="The conversation so far")]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    thinking_budget: (
        Annotated[int, Meta(ge=0, description="Tokens of thought, where a vendor does not count them as output")] | None
    ) = None
    n: Count | None = None
    service_tier: str | None = None
    models: (
        Annotated[list[str], Meta(max_length=8, description="Models to try where `model` does not answer")] | None
    ) = None


class CompletionBody(msgspec.Struct, omit_defaults=True):
    """Body of a text completion."""

    model: ModelName
    prompt: str | list[str | int | list[int]]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    n: Count | None = None
    best_of: Count | None = None


class EmbeddingBody(msgspec.Struct, omit_defaults=True):
    """Body of an embeddings request."""

    model: ModelName
    input: str | list[str | int | list[int]]
    encoding_format: Annotated[str, Meta(pattern="^(float|base64)$")] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None


# Pictures in answers -----------------------------------------------------------------------------------------------

_DRAWING = re.compile(r"(gpt-4o?|gpt-image-2)-all\b|gpt-4o-image|sora_image|-gizmo-")
"""Models of relays that answer with links to files which they made."""
_LINK = re.compile(
    r"!\[[^\]]{0,4096}\]\((https?://[^)\s]{1,4096})\)"
    r"|\[[^\]]{0,4096}\]\((https?://[^)\s?]{1,4096}\.(?:png|jpe?g|webp|gif|mp4|mov|webm|mp3|wav)(?:\?[^)\s]{0,4096})?)\)"
)
"""In markdown: a picture, or a link to what is a file by its name."""


@functools.lru_cache(maxsize=1024)
def draws(model: str) -> bool:
    """Tell whether links in a model's answers lead to files that were made for them; of others they are citations."""
    return _DRAWING.search(model) is not None


def pictures(answer: Json) -> Sequence[str]:
    """Return the addresses of the files that an answer shows or links to."""
    addresses: list[str] = []
    for choice in members(answer, "choices"):
        content = member(choice, "message", "content")
        parts = [content] if isinstance(content, str) else members(choice, "message", "content")
        for part in parts:
            text = part if isinstance(part, str) else member(part, "text")
            if isinstance(text, str):
                addresses += (link[1] or link[2] for link in _LINK.finditer(text))
            url = member(part, "image_url", "url")
            if isinstance(url, str) and url.startswith(("http://", "https://")):
                addresses.append(url)
    return addresses


# Estimates ---------------------------------------------------------------------------------------------------------


_SPEAKS = re.compile(rb'"modalities"\s*:\s*\[[^\]]*"audio"')


def chat_estimate(request: Request[ChatBody]) -> Usage:
    """Estimate a chat: its bytes, and the output that it allows."""
    body = request.body
    limit, answers = max(body.max_completion_tokens or 0, body.max_tokens or 0), body.n or 1
    output = ((limit or DEFAULT_OUTPUT) + (body.thinking_budget or 0)) * answers
    spoken = b'"modalities"' in request.raw and _SPEAKS.search(request.raw) is not None
    return Usage(
        calls=1,
        input=rough_tokens(request),
        output=0 if spoken else output,
        audio_out=output if spoken else 0,
        params=service_tier(body.service_tier),
        unlimited=0 if limit else answers,
        unseen=unseen(request.raw, b'"file_id"'),
        basis="estimated",
    )


def completion_estimate(request: Request[CompletionBody]) -> Usage:
    """Estimate a text completion: its bytes, and the output that it allows."""
    body = request.body
    answers = completions(body.prompt, body.n, body.best_of)
    limit = DEFAULT_OUTPUT if body.max_tokens is None else body.max_tokens
    return Usage(
        calls=1,
        input=rough_tokens(request),
        output=limit * answers,
        unlimited=answers if body.max_tokens is None else 0,
        basis="estimated",
    )


# Streams -------------------------------------------------------------------------------------------------------


def asks_usage(request: Request[ChatBody | CompletionBody]) -> bool:
    """Tell whether the caller wants the usage event itself."""
    options = request.body.stream_options
    return options is not None and bool(options.include_usage)


def stream_patch(request: Request[ChatBody | CompletionBody], facts: Facts) -> dict[str, Any]:
    """Ask the upstream for usage, whether or not the caller does."""
    changes: dict[str, Any] = {}
    if facts.model != facts.requested_model:
        changes["model"] = facts.model
    if request.body.stream and not facts.settings.get("stream_usage", True):
        changes["stream_options"] = DROP
    elif request.body.stream and not asks_usage(request):
        asked = lenient(outline(request.raw).get("stream_options", b"null")) if request.body.stream_options else None
        changes["stream_options"] = {**(asked or {}), "include_usage": True}
    return changes


def chat_patch(request: Request[ChatBody], facts: Facts) -> dict[str, Any]:
    """Ask the upstream for usage, and leave out the further models that the gateway itself tries."""
    changes = stream_patch(request, facts)
    if request.body.models is not None:
        changes["models"] = DROP
    return changes


def fallback_models(request: Request[ChatBody]) -> Sequence[str]:
    """Return the models that the body names beside the first."""
    return request.body.models or ()


def hide_usage(request: Request[ChatBody | CompletionBody], event: bytes) -> bytes | None:
    """Take out what the caller did not ask for: the usage event, `usage: null` elsewhere."""
    if asks_usage(request) or b'"usage"' not in event:
        return with_data(request, event)
    if b'"choices":[]' in event or b'"choices": []' in event:
        return None
    return event.replace(b',"usage":null', b"").replace(b', "usage": null', b"")


def delta_text(chunk: Json) -> str:
    """Return the text that a chunk, or a whole answer, adds: tool calls and reasoning included."""
    pieces: list[str] = []
    for choice in members(chunk, "choices"):
        pieces += _texts(member(choice, "text"))
        pieces += _message_texts(member(choice, "delta") or member(choice, "message"))
    return "".join(pieces)


def _texts(content: Json) -> list[str]:
    """Return a text, or those of a list of parts."""
    texts = [content] if isinstance(content, str) else [member(part, "text") for part in members(content)]
    return [text for text in texts if isinstance(text, str)]


def _message_texts(message: Json) -> list[str]:
    """Return what is said, thought and called in a message, or in what a chunk adds to one."""
    # Vendors have two names for what is thought; who writes both writes the same under each.
    pieces = [*_texts(member(message, "content")), *_texts(member(message, "refusal"))]
    pieces += _texts(member(message, "reasoning_content") or member(message, "reasoning"))
    calls = [member(call, "function") or member(call, "custom") for call in members(message, "tool_calls")]
    for call in (*calls, member(message, "function_call")):
        pieces += [*_texts(member(call, "name")), *_texts(member(call, "arguments") or member(call, "input"))]
    return pieces


def prompt_text(request: Request[ChatBody | CompletionBody]) -> str:
    """Return the text that the upstream would count as input, tools and calls of them included."""
    body = request.body
    if isinstance(body, CompletionBody):
        prompt = body.prompt
        return prompt if isinstance(prompt, str) else "\n".join(str(item) for item in prompt)
    # The body's struct knows of messages and tools only what the gateway needs of each request.
    whole = lenient(request.raw)
    pieces: list[str] = []
    for message in members(whole, "messages"):
        pieces += [*_texts(member(message, "role")), *_message_texts(message)]
    for tool in (*members(whole, "tools"), *members(whole, "functions")):
        pieces.append(msgspec.json.encode(tool).decode())
    return "\n".join(pieces)


def only_opens(event: bytes) -> bool:
    """Tell whether a chunk says nothing yet: a role, an empty text, or the end of what held nothing."""
    return not any(member(choice, "finish_reason") or _says(choice) for choice in members(event_json(event), "choices"))


def _says(choice: Json) -> bool:
    delta = member(choice, "delta")
    words = delta.items() if isinstance(delta, dict) else ()
    return bool(member(choice, "text")) or any(value for name, value in words if name != "role")


def finishes(event: bytes) -> bool:
    """Tell whether a chunk says why a choice ends."""
    return b'"finish_reason"' in event and any(
        member(choice, "finish_reason") for choice in members(event_json(event), "choices")
    )


def stream_error(failure: Failure, request_id: str) -> bytes:
    """Return the event that tells of a failure in mid-stream."""
    return b"data: " + msgspec.json.encode({"error": error_object(failure)}) + b"\n\n"


STREAM: Final[StreamRules[ChatBody | CompletionBody]] = StreamRules(
    wanted=wants_stream,
    usage=event_usage,
    visible=hide_usage,
    text=delta_text,
    prompt=prompt_text,
    is_last=is_done,
    error=stream_error,
    scan_for=(b'"usage"', b"[DONE]", *FAILURES, *DATALESS),
    only_opens=only_opens,
    finishes=finishes,
    closing=b"data: [DONE]\n\n",
    failure=event_failure,
    choices=lambda request: request.body.n or 1,
    keep_alive=COMMENT,
)

CHOICES: Final = AnswerShape(fields=("choices",))

OPERATIONS = (
    Stream(
        name="chat.completions",
        endpoint_type="openai",
        shape=CHOICES,
        method="POST",
        path="/v1/chat/completions",
        upstream_template="/chat/completions",
        rules=STREAM,
        rows=(1, 3, 4, 7),
        summary=Text("Create a chat completion", "聊天补全"),
        body=ChatBody,
        example={"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Say this is a test!"}]},
        example_answer={
            "id": "chatcmpl-123",
            "object": "chat.completion",
            "created": 1760000000,
            "model": "gpt-3.5-turbo",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "…"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 14, "completion_tokens": 6, "total_tokens": 20},
        },
        answers=("application/json", "text/event-stream"),
        model=body_model,
        estimate=chat_estimate,
        usage=answer_usage,
        patch=chat_patch,
        outputs=Outputs(of=pictures, models=draws, named_by_caller=True),
        fallback_models=fallback_models,
        objects=STORING,
        on_leave="cancel",
        replay=True,
    ),
    Stream(
        name="completions",
        shape=CHOICES,
        models=("davinci-*", "babbage-*", "gpt-3.5-turbo-instruct*"),
        method="POST",
        path="/v1/completions",
        upstream_template="/completions",
        rules=STREAM,
        rows=(5,),
        summary=Text("Create a completion", "内容补全接口"),
        body=CompletionBody,
        example={"model": "gpt-3.5-turbo-instruct", "prompt": "Say this is a test", "max_tokens": 7},
        example_answer={
            "id": "cmpl-123",
            "object": "text_completion",
            "created": 1760000000,
            "model": "gpt-3.5-turbo-instruct",
            "choices": [{"index": 0, "text": "…", "finish_reason": "stop", "logprobs": None}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
        },
        answers=("application/json", "text/event-stream"),
        model=body_model,
        estimate=completion_estimate,
        usage=answer_usage,
        patch=stream_patch,
        on_leave="cancel",
        replay=True,
    ),
    Call(
        name="embeddings",
        endpoint_type="embeddings",
        shape=AnswerShape(fields=("data",)),
        models=("*embed*", "bge-*", "*e5-*"),
        method="POST",
        path="/v1/embeddings",
        upstream_template="/embeddings",
        rows=(8,),
        summary=Text("Create embeddings", "创建嵌入"),
        body=EmbeddingBody,
        example={"model": "text-embedding-3-small", "input": "The food was delicious."},
        example_answer={
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.0023, -0.0093]}],
            "usage": {"prompt_tokens": 5, "total_tokens": 5},
        },
        model=body_model,
        estimate=input_estimate,
        usage=input_usage,
        patch=model_patch,
        passthrough=True,
        replay=True,
    ),
)
