"""Anthropic's wire format: messages, counting of tokens, models.

Source: Anthropic's API reference, and its Python SDK's types and requests on the wire. A channel's base URL is without
`/v1`. An input's tokens leave out those that were read from or written to the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from .common import body_model, rough_tokens

VERSION = "2023-06-01"
DEFAULT_OUTPUT = 1024
"""Output tokens that a hold assumes at most, as callers set generous limits."""

ModelName = Annotated[str, Meta(min_length=1, max_length=256, description="Model that answers")]


class Message(msgspec.Struct, omit_defaults=True):
    """One turn of a conversation."""

    role: Annotated[str, Meta(min_length=1, description="user or assistant")]
    content: str | list[dict[str, Any]]


class MessagesBody(msgspec.Struct, omit_defaults=True):
    """Body of a message; every other field passes through."""

    model: ModelName
    max_tokens: Annotated[int, Meta(ge=0, description="Tokens that the answer may have at most")]
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[dict[str, Any]] | None = None
    stream: bool | None = None


class CountBody(msgspec.Struct, omit_defaults=True):
    """Body of a count of tokens."""

    model: ModelName
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[dict[str, Any]] | None = None


# Errors ------------------------------------------------------------------------------------------------------------

_TYPES = {
    Reason.UNAUTHENTICATED: (401, "authentication_error"),
    Reason.UNFUNDED: (402, "billing_error"),
    Reason.FORBIDDEN: (403, "permission_error"),
    Reason.MODERATED: (400, "invalid_request_error"),
    Reason.NOT_FOUND: (404, "not_found_error"),
    Reason.NO_MODEL: (404, "not_found_error"),
    Reason.TOO_LARGE: (413, "request_too_large"),
    Reason.RATE_LIMITED: (429, "rate_limit_error"),
    Reason.INTERNAL: (500, "api_error"),
    Reason.UPSTREAM: (502, "api_error"),
    Reason.UNAVAILABLE: (529, "overloaded_error"),
    Reason.TIMEOUT: (504, "timeout_error"),
}


def error_object(failure: Failure, request_id: str) -> dict[str, Json]:
    """Return Anthropic's error object for a failure."""
    kind = _TYPES.get(failure.kind, (0, "invalid_request_error"))[1]
    message = f"{failure.param}: {failure.message}" if failure.param else failure.message
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def error(failure: Failure, operation: Operation | None, request_id: str) -> Reply:
    """Answer a failure as Anthropic does."""
    status = _TYPES.get(failure.kind, (failure.kind.status, ""))[0]
    headers = {"request-id": request_id}
    if failure.kind in (Reason.UNFUNDED, Reason.UNAVAILABLE):
        headers["x-should-retry"] = "false"
    return Reply(error_object(failure, request_id), status, headers=headers)


def channel_fault(answer: Answer) -> bool:
    """Bad key, no permission, or the vendor's account is out of credit."""
    if answer.status in (401, 402):
        return True
    return answer.status in (400, 403) and (
        b"credit balance is too low" in answer.body or b'"permission_error"' in answer.body
    )


def too_long(answer: Answer) -> bool:
    """Tell whether the request does not fit the model's context."""
    return answer.status in (400, 413) and (
        b"prompt is too long" in answer.body or b"exceed context limit" in answer.body
    )


def authorize(credential: str) -> Mapping[str, str]:
    """Return the headers that carry a channel's key; some gateways that speak the format want tokens."""
    return {"x-api-key": credential}


def version(request: Request, facts: Facts) -> Mapping[str, str]:
    """Return the version of the API where the caller names none."""
    return {} if request.header("anthropic-version") else {"anthropic-version": VERSION}


# Usage -------------------------------------------------------------------------------------------------------------


class Details(msgspec.Struct):
    """Parts of the output tokens."""

    thinking_tokens: int | None = 0


class VendorUsage(msgspec.Struct):
    """Anthropic's usage object; in a stream's later events only what is known by then."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: Details | None = None


class _Holder(msgspec.Struct):
    usage: VendorUsage | None = None


class _Event(msgspec.Struct):
    usage: VendorUsage | None = None
    message: _Holder | None = None


_answers = msgspec.json.Decoder(_Holder)
_events = msgspec.json.Decoder(_Event)


def token_usage(vendor: VendorUsage) -> Usage:
    """Turn Anthropic's usage into ours; its counts are disjoint already."""
    details = vendor.output_tokens_details
    return Usage(
        input=vendor.input_tokens or 0,
        cached=vendor.cache_read_input_tokens or 0,
        cache_write=vendor.cache_creation_input_tokens or 0,
        output=vendor.output_tokens or 0,
        reasoning=(details.thinking_tokens or 0) if details is not None else 0,
        basis="vendor",
    )


def answer_usage(request: Request, answer: Answer) -> Usage | None:
    """Read the usage of a whole answer; where there is none, count roughly."""
    try:
        found = _answers.decode(answer.body).usage
    except (msgspec.DecodeError, msgspec.ValidationError):
        found = None
    if found is None:
        return Usage(input=rough_tokens(request), output=len(answer.body) // 6, basis="estimated")
    return token_usage(found)


def event_usage(event: bytes) -> Usage | None:
    """Read the usage that an event carries: what went in comes with the first, what came out with the last but one."""
    if b'"usage"' not in event:
        return None
    data = b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
    try:
        found = _events.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    usage = found.usage or (found.message.usage if found.message is not None else None)
    return token_usage(usage) if usage is not None else None


def merge(first: Usage, later: Usage) -> Usage:
    """Put together what two events of a stream told; counts are cumulative."""
    return Usage(
        input=max(first.input, later.input),
        cached=max(first.cached, later.cached),
        cache_write=max(first.cache_write, later.cache_write),
        output=max(first.output, later.output),
        reasoning=max(first.reasoning, later.reasoning),
        basis="vendor",
    )


def estimate(request: Request) -> Usage:
    """Estimate a message: its bytes, and the output that it allows."""
    return Usage(input=rough_tokens(request), output=min(request.body.max_tokens, DEFAULT_OUTPUT), basis="estimated")


# Streams -----------------------------------------------------------------------------------------------------------


def wants_stream(request: Request) -> bool:
    """Tell whether the body asks for a stream."""
    return bool(request.body.stream)


def delta_text(event: Json) -> str:
    """Return the text that an event adds, thinking and the input of tools included."""
    delta = event.get("delta") or {}
    pieces = (delta.get("text"), delta.get("thinking"), delta.get("partial_json"))
    return "".join(piece for piece in pieces if isinstance(piece, str))


def _block_text(content: str | list[dict[str, Any]] | None) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [block["text"] for block in content or () if isinstance(block.get("text"), str)]


def prompt_text(request: Request) -> str:
    """Return the text that the upstream would count as input."""
    body = request.body
    pieces = _block_text(body.system)
    for message in body.messages:
        pieces.append(message.role)
        pieces += _block_text(message.content)
    return "\n".join(pieces)


def ends_stream(event: bytes) -> bool:
    """Tell whether an event is the stream's last."""
    return b"message_stop" in event and (event.startswith(b"event: message_stop") or b'"type":"message_stop"' in event)


def stream_error(failure: Failure, request_id: str) -> bytes:
    """Return the event that tells of a failure in mid-stream."""
    return b"event: error\ndata: " + msgspec.json.encode(error_object(failure, request_id)) + b"\n\n"


def whole(request: Request, event: bytes) -> bytes | None:
    """Hide nothing."""
    return event


STREAM = StreamRules(
    wanted=wants_stream,
    usage=event_usage,
    hide=whole,
    text=delta_text,
    prompt=prompt_text,
    last=ends_stream,
    error=stream_error,
    marks=(b'"usage"', b"message_stop"),
    merge=merge,
)


def patch(request: Request, facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does."""
    return {"model": facts.model} if facts.model != facts.asked else {}


# Models ------------------------------------------------------------------------------------------------------------


def _model_object(model: Any) -> dict[str, Json]:
    return {"type": "model", "id": model["id"], "display_name": model["id"], "created_at": "2024-01-01T00:00:00Z"}


async def list_models(view: View) -> Reply:
    """List what the token may call, by pages as Anthropic does.

    Raises
    ------
    Failure
    """
    found = [_model_object(model) for model in await view.models()]
    query = view.request.query
    text = query.get("limit", "20")
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise Failure(Reason.INVALID, "must be between 1 and 1000", param="limit")
    ids = [model["id"] for model in found]
    start, end = 0, len(found)
    if query.get("after_id") in ids:
        start = ids.index(query["after_id"]) + 1
    if query.get("before_id") in ids:
        end = ids.index(query["before_id"])
        start = max(start, end - int(text))
    page = found[start:end][: int(text)]
    more = start + len(page) < len(found)
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return Reply({"data": page, "has_more": more, "first_id": first, "last_id": last})


async def get_model(view: View) -> Reply:
    """Describe one model."""
    name = view.request.params["model"]
    for model in await view.models():
        if model["id"] == name:
            return Reply(_model_object(model))
    raise Failure(Reason.NO_MODEL, f"model: {name}")


_EXAMPLE: Mapping[str, Json] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 256,
    "messages": [{"role": "user", "content": "Say this is a test!"}],
}

anthropic = Protocol(
    name="anthropic",
    title=Text("Anthropic", "Anthropic接口"),
    base_url="https://api.anthropic.com",
    env_key="ANTHROPIC_API_KEY",
    env_base_url="ANTHROPIC_BASE_URL",
    models=("claude-*",),
    authorize=authorize,
    error=error,
    channel_fault=channel_fault,
    too_long=too_long,
    probe=Ask("/v1/models", headers={"anthropic-version": VERSION}),
    key_headers=("x-api-key",),
    mark_header="anthropic-version",
    forward_headers=("anthropic-version", "anthropic-beta"),
    answer_headers=("request-id", "anthropic-organization-id"),
    own_paths=("/v1/messages",),
    operations=(
        Operation(
            name="messages",
            method="POST",
            path="/v1/messages",
            native="/v1/messages",
            kind=Kind.STREAM,
            stream=STREAM,
            summary=Text("Create a message", "创建消息"),
            body=MessagesBody,
            example=_EXAMPLE,
            example_answer={
                "id": "msg_123",
                "type": "message",
                "role": "assistant",
                "model": "claude-haiku-4-5",
                "content": [{"type": "text", "text": "…"}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 14, "output_tokens": 6},
            },
            answers=("application/json", "text/event-stream"),
            model=body_model,
            estimate=estimate,
            usage=answer_usage,
            patch=patch,
            headers=version,
            on_leave="cancel",
            replay=True,
        ),
        Operation(
            name="messages.count_tokens",
            method="POST",
            path="/v1/messages/count_tokens",
            native="/v1/messages/count_tokens",
            kind=Kind.CALL,
            summary=Text("Count the tokens of a message", "计算消息的令牌数"),
            body=CountBody,
            example={key: value for key, value in _EXAMPLE.items() if key != "max_tokens"},
            example_answer={"input_tokens": 14},
            model=body_model,
            patch=patch,
            headers=version,
            free=True,
            replay=True,
        ),
        Operation(
            name="models.list",
            method="GET",
            path="/v1/models",
            kind=Kind.LIST,
            summary=Text("List models, in Anthropic's shape", "列出模型（Anthropic格式）"),
            media="none",
            query=("limit", "after_id", "before_id"),
            answer=list_models,
            example_answer={
                "data": [
                    {
                        "type": "model",
                        "id": "claude-haiku-4-5",
                        "display_name": "claude-haiku-4-5",
                        "created_at": "2024-01-01T00:00:00Z",
                    }
                ],
                "has_more": False,
                "first_id": "claude-haiku-4-5",
                "last_id": "claude-haiku-4-5",
            },
        ),
        Operation(
            name="models.get",
            method="GET",
            path="/v1/models/{model}",
            kind=Kind.LIST,
            summary=Text("Get a model, in Anthropic's shape", "查询模型（Anthropic格式）"),
            media="none",
            answer=get_model,
            example_answer={
                "type": "model",
                "id": "claude-haiku-4-5",
                "display_name": "claude-haiku-4-5",
                "created_at": "2024-01-01T00:00:00Z",
            },
        ),
    ),
)
