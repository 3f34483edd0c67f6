"""OpenAI's wire format: chat, completions, embeddings, images, models.

Source: OpenAI's OpenAPI document 2.3.0, and its Python SDK on the wire. A channel's base URL includes `/v1`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..declare import (
    Answer,
    Ask,
    Facts,
    Failure,
    Json,
    Kind,
    Operation,
    Protocol,
    Reason,
    Reply,
    Request,
    StreamRules,
    Text,
    Usage,
    View,
)
from .common import bearer, body_model, rough_tokens

DEFAULT_OUTPUT = 1024
"""Output tokens that a hold assumes where the caller sets no limit."""

ModelName = Annotated[str, Meta(min_length=1, max_length=256, description="Model that answers")]
Count = Annotated[int, Meta(ge=1, le=128)]


class StreamOptions(msgspec.Struct, omit_defaults=True):
    """Options of a stream."""

    include_usage: bool | None = None


class Message(msgspec.Struct, omit_defaults=True):
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
    n: Count | None = None


class CompletionBody(msgspec.Struct, omit_defaults=True):
    """Body of a text completion."""

    model: ModelName
    prompt: str | list[str | int | list[int]]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    n: Count | None = None


class EmbeddingBody(msgspec.Struct, omit_defaults=True):
    """Body of an embeddings request."""

    model: ModelName
    input: str | list[str | int | list[int]]
    encoding_format: Annotated[str, Meta(pattern="^(float|base64)$")] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None


class ImageBody(msgspec.Struct, omit_defaults=True):
    """Body of an image generation."""

    model: ModelName
    prompt: Annotated[str, Meta(min_length=1, max_length=32000)]
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: str | None = None
    aspect_ratio: str | None = None
    quality: str | None = None
    response_format: Annotated[str, Meta(pattern="^(url|b64_json)$")] | None = None
    output_format: str | None = None
    seed: int | None = None


# Errors ------------------------------------------------------------------------------------------------------------

_TYPES = {
    Reason.UNAUTHENTICATED: "invalid_request_error",
    Reason.FORBIDDEN: "permission_error",
    Reason.UNFUNDED: "insufficient_quota",
    Reason.RATE_LIMITED: "requests",
    Reason.INTERNAL: "server_error",
    Reason.UPSTREAM: "upstream_error",
    Reason.UNAVAILABLE: "server_error",
    Reason.TIMEOUT: "upstream_error",
}
_CODES = {Reason.INVALID: None, Reason.UNPROCESSABLE: None, Reason.INTERNAL: None, Reason.BAD_METHOD: None}


def error_object(failure: Failure) -> dict[str, Json]:
    """Return OpenAI's error object for a failure."""
    return {
        "message": failure.message,
        "type": _TYPES.get(failure.kind, "invalid_request_error"),
        "param": failure.param,
        "code": failure.code or _CODES.get(failure.kind, failure.kind.word),
    }


def error(failure: Failure, operation: Operation | None, request_id: str) -> Reply:
    """Answer a failure as OpenAI does.

    A balance that is spent answers 403: official clients would retry a 429.
    """
    status = 403 if failure.kind is Reason.UNFUNDED else failure.kind.status
    headers: dict[str, str] = {}
    if failure.kind in (Reason.UNFUNDED, Reason.UNAVAILABLE):
        headers["x-should-retry"] = "false"
    return Reply({"error": error_object(failure)}, status, headers=headers)


def channel_fault(answer: Answer) -> bool:
    """Bad key, or the vendor's account is out of credit."""
    if answer.status in (401, 402):
        return True
    return answer.status in (403, 429) and b"insufficient_quota" in answer.body


# Usage -------------------------------------------------------------------------------------------------------------


class PromptDetails(msgspec.Struct):
    """Parts of the input tokens."""

    cached_tokens: int | None = 0
    audio_tokens: int | None = 0
    image_tokens: int | None = 0
    cache_write_tokens: int | None = 0


class CompletionDetails(msgspec.Struct):
    """Parts of the output tokens."""

    reasoning_tokens: int | None = 0
    audio_tokens: int | None = 0


class VendorUsage(msgspec.Struct):
    """OpenAI's usage object."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class UsageHolder(msgspec.Struct):
    """Any answer or event that may carry usage."""

    usage: VendorUsage | None = None


_holder = msgspec.json.Decoder(UsageHolder)


def token_usage(vendor: VendorUsage) -> Usage:
    """Turn OpenAI's usage, whose prompt tokens include the cached ones, into disjoint counts."""
    inputs, outputs = vendor.prompt_tokens_details, vendor.completion_tokens_details
    cached = written = audio_in = audio_out = reasoning = 0
    if inputs is not None:
        cached, written, audio_in = (
            inputs.cached_tokens or 0,
            inputs.cache_write_tokens or 0,
            inputs.audio_tokens or 0,
        )
    if outputs is not None:
        reasoning, audio_out = outputs.reasoning_tokens or 0, outputs.audio_tokens or 0
    return Usage(
        input=max(0, vendor.prompt_tokens - cached - written - audio_in),
        cached=cached,
        cache_write=written,
        audio_in=audio_in,
        output=max(0, vendor.completion_tokens - audio_out),
        audio_out=audio_out,
        reasoning=reasoning,
        basis="vendor",
    )


def answer_usage(request: Request, answer: Answer) -> Usage | None:
    """Read the usage of a whole answer; where there is none, count roughly."""
    try:
        found = _holder.decode(answer.body).usage
    except (msgspec.DecodeError, msgspec.ValidationError):
        found = None
    if found is None:
        return Usage(input=rough_tokens(request), output=len(answer.body) // 6, basis="estimated")
    return token_usage(found)


def chat_estimate(request: Request) -> Usage:
    """Estimate a chat: its bytes, and the output that it allows."""
    body = request.body
    limit = getattr(body, "max_completion_tokens", None) or body.max_tokens or DEFAULT_OUTPUT
    return Usage(input=rough_tokens(request), output=limit * (body.n or 1), basis="estimated")


def input_estimate(request: Request) -> Usage:
    """Estimate a call that has input only."""
    return Usage(input=rough_tokens(request), basis="estimated")


# Streams -----------------------------------------------------------------------------------------------------------


def wants_stream(request: Request) -> bool:
    """Tell whether the body asks for a stream."""
    return bool(request.body.stream)


def asks_usage(request: Request) -> bool:
    """Tell whether the caller wants the usage event itself."""
    options = request.body.stream_options
    return options is not None and bool(options.include_usage)


def stream_patch(request: Request, facts: Facts) -> dict[str, Any]:
    """Ask the upstream for usage, whether or not the caller does."""
    changes: dict[str, Any] = {}
    if facts.model != facts.asked:
        changes["model"] = facts.model
    if request.body.stream and not asks_usage(request) and facts.settings.get("stream_usage", True):
        changes["stream_options"] = {"include_usage": True}
    return changes


def model_patch(request: Request, facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does."""
    return {"model": facts.model} if facts.model != facts.asked else {}


def event_usage(event: bytes) -> Usage | None:
    """Read the usage that an event carries; almost none does, so look before parsing."""
    at = event.rfind(b'"usage"')
    if at < 0 or event[at + 7 : at + 14].lstrip(b": ").startswith(b"null"):
        return None
    data = event_data(event)
    try:
        found = _holder.decode(data).usage
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    return token_usage(found) if found is not None else None


def event_data(event: bytes) -> bytes:
    """Return the data of one server-sent event."""
    if event.startswith(b"data:") and event.find(b"\n") >= len(event) - 2:
        return event[5:].strip()
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)


def hide_usage(request: Request, event: bytes) -> bytes | None:
    """Take out of an event what the caller did not ask for: the usage event, and `usage: null` elsewhere."""
    if asks_usage(request) or b'"usage"' not in event:
        return event
    if b'"choices":[]' in event or b'"choices": []' in event:
        return None
    return event.replace(b',"usage":null', b"").replace(b', "usage": null', b"")


def delta_text(chunk: Json) -> str:
    """Return the text that a chunk adds, tool calls and reasoning included."""
    pieces: list[str] = []
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta") or {}
        pieces.append(choice.get("text") or delta.get("content") or "")
        pieces.append(delta.get("reasoning_content") or "")
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            pieces.append((function.get("name") or "") + (function.get("arguments") or ""))
    return "".join(pieces)


def prompt_text(request: Request) -> str:
    """Return the text that the upstream would count as input."""
    body = request.body
    if isinstance(body, CompletionBody):
        prompt = body.prompt
        return prompt if isinstance(prompt, str) else "\n".join(str(item) for item in prompt)
    pieces: list[str] = []
    for message in body.messages:
        pieces.append(message.role)
        if isinstance(message.content, str):
            pieces.append(message.content)
        elif message.content:
            pieces.extend(part["text"] for part in message.content if isinstance(part.get("text"), str))
    return "\n".join(pieces)


def ends_stream(event: bytes) -> bool:
    """Tell whether an event is the stream's last."""
    return event.startswith((b"data: [DONE]", b"data:[DONE]"))


def stream_error(failure: Failure, request_id: str) -> bytes:
    """Return the event that tells of a failure in mid-stream."""
    return b"data: " + msgspec.json.encode({"error": error_object(failure)}) + b"\n\n"


# Images ------------------------------------------------------------------------------------------------------------


def image_params(body: ImageBody) -> dict[str, str]:
    """Return what an image's price depends on."""
    return {"size": body.size or "auto", "quality": body.quality or "auto"}


def image_estimate(request: Request) -> Usage:
    """Estimate an image call: so many images of that size and quality."""
    body: ImageBody = request.body
    return Usage(images=body.n or 1, params=image_params(body), basis="estimated")


class ImageTokens(msgspec.Struct):
    """Parts of an image call's input tokens."""

    text_tokens: int | None = 0
    image_tokens: int | None = 0


class ImageUsage(msgspec.Struct):
    """Usage of the token-priced image models."""

    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: ImageTokens | None = None


class ImageAnswer(msgspec.Struct):
    """What of an image answer is metered."""

    data: list[msgspec.Raw] = []
    usage: ImageUsage | None = None


def image_usage(request: Request, answer: Answer) -> Usage | None:
    """Count the images, and read the tokens where the vendor tells them."""
    try:
        found = msgspec.json.decode(answer.body, type=ImageAnswer)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return image_estimate(request)
    params = image_params(request.body)
    if found.usage is None:
        return Usage(images=len(found.data), params=params, basis="counted") if found.data else None
    details = found.usage.input_tokens_details
    image_in = (details.image_tokens or 0) if details else 0
    return Usage(
        images=len(found.data),
        input=max(0, found.usage.input_tokens - image_in),
        image_in=image_in,
        image_out=found.usage.output_tokens,
        params=params,
        basis="vendor",
    )


# Models ------------------------------------------------------------------------------------------------------------


def _model_object(model: Any) -> dict[str, Json]:
    return {"id": model["id"], "object": "model", "created": model["created"], "owned_by": model["owned_by"]}


async def list_models(view: View) -> Reply:
    """List what the token may call."""
    models = await view.models()
    return Reply({"object": "list", "data": [_model_object(model) for model in models]})


async def get_model(view: View) -> Reply:
    """Describe one model."""
    name = view.request.params["model"]
    for model in await view.models():
        if model["id"] == name:
            return Reply(_model_object(model))
    raise Failure(Reason.NO_MODEL, f"The model '{name}' does not exist", param="model")


def _names(*rows: tuple[str, ...]) -> Sequence[str]:
    return [name for row in rows for name in row]


CHAT_MODELS = ("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*")

openai = Protocol(
    name="openai",
    title=Text("OpenAI", "OpenAI接口"),
    base_url="https://api.openai.com/v1",
    env_key="OPENAI_API_KEY",
    env_base_url="OPENAI_BASE_URL",
    models=tuple(_names(CHAT_MODELS, ("davinci-002", "babbage-002", "text-embedding-*", "dall-e-*", "gpt-image-*"))),
    authorize=bearer,
    error=error,
    channel_fault=channel_fault,
    probe=Ask("/models"),
    forward_headers=("openai-organization", "openai-project", "openai-beta", "idempotency-key"),
    answer_headers=("openai-processing-ms", "openai-version", "openai-organization"),
    stream=StreamRules(
        wanted=wants_stream,
        usage=event_usage,
        hide=hide_usage,
        text=delta_text,
        prompt=prompt_text,
        last=ends_stream,
        error=stream_error,
    ),
    operations=(
        Operation(
            name="chat.completions",
            method="POST",
            path="/v1/chat/completions",
            native="/chat/completions",
            kind=Kind.STREAM,
            rows=(1, 4),
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
            patch=stream_patch,
            on_leave="cancel",
            replay=True,
        ),
        Operation(
            name="completions",
            method="POST",
            path="/v1/completions",
            native="/completions",
            kind=Kind.STREAM,
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
            estimate=chat_estimate,
            usage=answer_usage,
            patch=stream_patch,
            on_leave="cancel",
            replay=True,
        ),
        Operation(
            name="embeddings",
            method="POST",
            path="/v1/embeddings",
            native="/embeddings",
            kind=Kind.CALL,
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
            usage=answer_usage,
            patch=model_patch,
            replay=True,
        ),
        Operation(
            name="images.generations",
            method="POST",
            path="/v1/images/generations",
            native="/images/generations",
            kind=Kind.CALL,
            rows=(31,),
            summary=Text("Create images", "生成图片"),
            body=ImageBody,
            example={"model": "flux-dev", "prompt": "A cat in a spacesuit", "size": "1024x1024"},
            example_answer={"created": 1760000000, "data": [{"url": "https://…", "revised_prompt": "…"}]},
            model=body_model,
            estimate=image_estimate,
            usage=image_usage,
            patch=model_patch,
        ),
        Operation(
            name="models.list",
            method="GET",
            path="/v1/models",
            example_answer={
                "object": "list",
                "data": [{"id": "gpt-3.5-turbo", "object": "model", "created": 1700000000, "owned_by": "openai"}],
            },
            kind=Kind.LIST,
            summary=Text("List models", "列出模型"),
            media="none",
            answer=list_models,
        ),
        Operation(
            name="models.get",
            method="GET",
            path="/v1/models/{model}",
            example_answer={"id": "gpt-3.5-turbo", "object": "model", "created": 1700000000, "owned_by": "openai"},
            kind=Kind.LIST,
            summary=Text("Get a model", "查询模型"),
            media="none",
            answer=get_model,
        ),
    ),
)
