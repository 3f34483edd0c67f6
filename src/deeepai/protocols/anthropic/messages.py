"""Messages, their streams, and the counting of their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ...declare import (
    AnswerShape,
    AnyRequest,
    Call,
    Facts,
    Failure,
    Json,
    Made,
    ObjectRules,
    Request,
    Stream,
    StreamRules,
    Text,
    event_data,
    event_json,
    listed,
)
from ..common import body_model
from ..common.events import DATALESS, FAILURES, event_failure, with_data
from ..common.usage import lenient
from ..common.usage import members as outline
from .bodies import CountBody, Fallback, MessagesBody, Tool
from .common import member, version
from .errors import error_object
from .usage import answer_usage, estimate, event_usage, merge

# Streams -------------------------------------------------------------------------------------------------------------


def wants_stream(request: Request[MessagesBody]) -> bool:
    """Tell whether the body asks for a stream."""
    return bool(request.body.stream)


def delta_text(event: Json) -> str:
    """Return the text that an event, or a whole message, adds: thinking, and tools with their input, included."""
    delta = member(event, "delta")
    pieces = [member(delta, name) for name in ("text", "thinking", "partial_json")]
    pieces += [*_block_text(member(event, "content")), *_block_text([member(event, "content_block")])]
    return "".join(piece for piece in pieces if isinstance(piece, str))


def _block_text(content: Json) -> list[str]:
    """Return the texts of blocks: what is said or thought, a tool's name and input, what came of it."""
    if isinstance(content, str):
        return [content]
    pieces: list[str] = []
    for block in listed(content):
        texts = (member(block, "text"), member(block, "thinking"), member(block, "name"))
        pieces += [text for text in texts if isinstance(text, str)]
        if member(block, "input"):
            pieces.append(msgspec.json.encode(member(block, "input")).decode())
        pieces += _block_text(member(block, "content"))
    return pieces


def prompt_text(request: Request[MessagesBody]) -> str:
    """Return the text that the upstream would count as input, tools and calls of them included."""
    body = request.body
    pieces = _block_text(body.system)
    for message in body.messages:
        pieces.append(message.role)
        pieces += _block_text(message.content)
    # The body's struct knows of tools only what the gateway needs of each request.
    pieces += [msgspec.json.encode(tool).decode() for tool in lenient(outline(request.raw).get("tools", b"[]")) or ()]
    return "\n".join(pieces)


def finishes(event: bytes) -> bool:
    """Tell whether an event says why the message ends."""
    return b'"stop_reason"' in event and bool(member(event_json(event), "delta", "stop_reason"))


def ends_stream(event: bytes) -> bool:
    """Tell whether an event is the stream's last, with or without a line that says so."""
    if b"message_stop" not in event:
        return False
    if event.startswith((b"event: message_stop", b"event:message_stop")):
        return True
    return lenient(outline(event_data(event)).get("type", b"null")) == "message_stop"


def stream_error(failure: Failure, request_id: str) -> bytes:
    """Return the event that tells of a failure in mid-stream."""
    return b"event: error\ndata: " + msgspec.json.encode(error_object(failure, request_id)) + b"\n\n"


def only_opens(event: bytes) -> bool:
    """Tell whether an event says nothing yet: the beginning of the message or of an empty block, or no word of it."""
    value = event_json(event)
    match member(value, "type"):
        case "content_block_delta":
            return False
        case "content_block_start":
            block = member(value, "content_block")
            kind = member(block, "type")
            return kind in ("text", "thinking") and not member(block, kind)
        case "message_delta":
            return member(value, "delta", "stop_reason") is None
        case _:
            return True


STREAM: Final[StreamRules[MessagesBody]] = StreamRules(
    wanted=wants_stream,
    usage=event_usage,
    visible=with_data,
    text=delta_text,
    prompt=prompt_text,
    is_last=ends_stream,
    error=stream_error,
    scan_for=(b'"usage"', b"message_delta", b"message_stop", *FAILURES, *DATALESS),
    merge=merge,
    only_opens=only_opens,
    finishes=finishes,
    closing=b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    failure=event_failure,
    keep_alive=b'event: ping\ndata: {"type": "ping"}\n\n',
)


def patch(request: AnyRequest, facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does."""
    return {"model": facts.model} if facts.model != facts.requested_model else {}


def others(tools: Sequence[Tool] | None, fallbacks: str | Sequence[Fallback] | None) -> Sequence[str]:
    """Return the further models that a message lets the vendor use."""
    models = [tool.model for tool in tools or () if tool.model is not None]
    if fallbacks and not isinstance(fallbacks, str):
        models += [fallback.model for fallback in fallbacks]
    return models


# Containers, in which the model runs its code: what it left there waits for the next message that names one ----------


def container(value: str | dict[str, Any] | None) -> Sequence[str]:
    """Return the container that a message names, if it does."""
    name = value.get("id") if isinstance(value, dict) else value
    return (name,) if isinstance(name, str) else ()


def container_made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return the container that an answer or an event tells of."""
    for holder in (value, member(value, "delta"), member(value, "message")):
        name = member(holder, "container", "id")
        if isinstance(name, str):
            return (Made(name, "container"),)
    return ()


CONTAINERS: Final[ObjectRules[MessagesBody]] = ObjectRules(
    uses=lambda request: container(request.body.container),
    makes=container_made,
    tells=lambda request: b'"code_execution' in request.raw or b'"container"' in request.raw,
    scan_for=(b'"container"',),
)

EXAMPLE: Final[dict[str, Json]] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 256,
    "messages": [{"role": "user", "content": "Say this is a test!"}],
}
EXAMPLE_ANSWER: Final = {
    "id": "msg_123",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "…"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 14, "output_tokens": 6},
}
OPERATIONS = (
    Stream(
        name="messages",
        endpoint_type="anthropic",
        shape=AnswerShape(fields=("content", "stop_reason")),
        method="POST",
        path="/v1/messages",
        upstream_template="/v1/messages",
        rules=STREAM,
        summary=Text("Create a message", "创建消息"),
        body=MessagesBody,
        example=EXAMPLE,
        example_answer=EXAMPLE_ANSWER,
        answers=("application/json", "text/event-stream"),
        model=body_model,
        further_models=lambda request: others(request.body.tools, request.body.fallbacks),
        estimate=estimate,
        usage=answer_usage,
        patch=patch,
        headers=version,
        objects=CONTAINERS,
        on_leave="cancel",
        replay=True,
    ),
    Call(
        name="messages.count_tokens",
        shape=AnswerShape(fields=("input_tokens",)),
        method="POST",
        path="/v1/messages/count_tokens",
        upstream_template="/v1/messages/count_tokens",
        summary=Text("Count the tokens of a message", "计算消息的令牌数"),
        body=CountBody,
        example={key: value for key, value in EXAMPLE.items() if key != "max_tokens"},
        example_answer={"input_tokens": 14},
        model=body_model,
        patch=patch,
        headers=version,
        free=True,
        replay=True,
    ),
)
