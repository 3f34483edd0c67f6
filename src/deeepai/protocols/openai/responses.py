"""Responses, and the conversations that hold them.

An answer in the background is held for before it is asked, followed to its end, and charged then; all others are
charged as chat completions are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ...declare import (
    COMMENT,
    MOST_NAMED,
    Accepted,
    Answer,
    AnswerShape,
    AnyRequest,
    BackgroundRules,
    Call,
    Failure,
    JobRules,
    Json,
    Made,
    ObjectRules,
    Refused,
    Request,
    State,
    Stream,
    StreamRules,
    Task,
    TaskStatus,
    Text,
    UpstreamCall,
    Usage,
    event_data,
    event_json,
    event_name,
    events_of,
)
from ..common import body_model, rough_tokens, service_tier, unseen
from ..common.events import DATALESS, FAILURES, with_data
from ..common.usage import lenient
from ..common.usage import members as outline
from . import kept_conversations
from .common import ModelName, member, members, wants_stream
from .errors import error_object
from .kept_responses import KEEPING, NAMED, cancel, deleted, get, input_items, missing, missing_response, patch
from .object_calls import made, object_call, page
from .object_ids import carried_ids, item_ids, response_ids
from .response_usage import answer_usage, event_usage, whole_usage
from .usage import DEFAULT_OUTPUT, ELSEWHERE

_LAST: Final = ("response.completed", "response.incomplete", "response.failed", "error")
_ENDED: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})


class ResponseBody(msgspec.Struct, omit_defaults=True):
    """Body of a response; every other field of the specification passes through."""

    model: ModelName
    input: str | list[dict[str, Any]] | None = None
    instructions: str | list[dict[str, Any]] | None = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    prompt: dict[str, Any] | None = None
    service_tier: str | None = None


class CountBody(msgspec.Struct, omit_defaults=True):
    """Body of a count of input tokens, or of a compaction."""

    model: ModelName
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    prompt: dict[str, Any] | None = None


# Usage -------------------------------------------------------------------------------------------------------------


def estimate(request: Request[ResponseBody]) -> Usage:
    """Estimate a response: its bytes, and the output that it allows."""
    body = request.body
    return Usage(
        input=rough_tokens(request),
        output=body.max_output_tokens or DEFAULT_OUTPUT,
        params=service_tier(body.service_tier),
        unlimited=0 if body.max_output_tokens else 1,
        unseen=1 if body.previous_response_id or body.conversation else unseen(request.raw, *ELSEWHERE, b'"prompt"'),
        basis="estimated",
    )


def compaction_estimate(request: AnyRequest) -> Usage:
    """Estimate a compaction, which names no limit."""
    earlier = unseen(request.raw, *ELSEWHERE, b'"previous_response_id"', b'"conversation"')
    return Usage(input=rough_tokens(request), output=DEFAULT_OUTPUT, unlimited=1, unseen=earlier, basis="estimated")


# Streams -----------------------------------------------------------------------------------------------------------


def _type(event: bytes) -> str:
    """Return an event's type, from its `event:` line or else its data."""
    name = event_name(event)
    # Some relays call all events one name.
    if name == "error" or name.startswith("response."):
        return name
    return str(lenient(outline(event_data(event)).get("type", b"null")))


def ends(event: bytes) -> bool:
    """Tell whether an event is the stream's last."""
    return _type(event) in _LAST


_UNWRITTEN: Final = ("audio", "image", "obfuscation")
"""Kinds of deltas that are no text."""


def delta_text(event: Json) -> str:
    """Return the text that an event, or a whole response, adds to the output: calls and reasoning included."""
    kind = str(member(event, "type"))
    if kind == "response.output_item.added":
        name = member(event, "item", "name")
        return name if isinstance(name, str) else ""
    if not kind.endswith(".delta"):
        return "".join(text for item in members(event, "output") for text in _texts(item))
    delta = None if any(word in kind and "transcript" not in kind for word in _UNWRITTEN) else member(event, "delta")
    return delta if isinstance(delta, str) else ""


def prompt_text(request: Request[ResponseBody]) -> str:
    """Return the text that the upstream would count as input, tools and calls of them included."""
    body = request.body
    pieces: list[str] = []
    for part in (body.instructions, body.input):
        if isinstance(part, str):
            pieces.append(part)
        elif part:
            pieces += [text for item in part for text in _texts(item)]
    pieces += [msgspec.json.encode(tool).decode() for tool in body.tools or ()]
    return "\n".join(pieces)


def _texts(item: Json) -> list[str]:
    """Return the texts of an item: what was said or thought, a call's name and arguments, or what came of it."""
    texts: list[Json] = [member(item, "name"), member(item, "arguments")]
    for name in ("content", "output", "summary", "input"):
        held = member(item, name)
        texts += [held] if isinstance(held, str) else [member(part, "text") for part in members(held)]
    return [text for text in texts if isinstance(text, str)]


def only_opens(event: bytes) -> bool:
    """Tell whether an event says nothing yet: that the response exists, or something that holds nothing so far."""
    value = event_json(event)
    kind = member(value, "type")
    if kind in ("response.output_item.added", "response.content_part.added"):
        return not (_told(member(value, "item")) or _told(member(value, "part")))
    if kind == "response.completed":
        return not members(value, "response", "output")
    return not isinstance(kind, str) or not kind.startswith("response.") or kind in _OPENING


def _told(held: Json) -> bool:
    """Tell whether an item or a part of one says something: a message, a thought or a text that is not empty."""
    if member(held, "type") in ("message", "reasoning", "output_text", "reasoning_text", "refusal"):
        return any(member(held, name) for name in ("content", "summary", "text", "refusal"))
    return held is not None


def response_failure(event: bytes) -> Json:
    """Return what an event tells of a failure."""
    if b"error" not in event and b"response.failed" not in event:
        return None
    value = event_json(event)
    kind = member(value, "type")
    told = kind in ("error", "response.failed") or (kind is None and member(value, "error"))
    return value if told else None


def response_failed(value: Json) -> str | None:
    """Return why a whole response failed."""
    if member(value, "status") != "failed":
        return None
    message = member(value, "error", "message")
    return f"{member(value, 'error', 'code') or 'failed'}: {message}" if message else "the response failed"


def stream_error(failure: Failure, request_id: str) -> bytes:
    """Return the event that tells of a failure in mid-stream."""
    error = error_object(failure)
    event = {"type": "error", "code": error["code"], "message": error["message"], "param": error["param"]}
    return b"event: error\ndata: " + msgspec.json.encode({**event, "sequence_number": 0}) + b"\n\n"


def numbered(event: bytes, before: bytes) -> bytes:
    """Return the event that tells of a failure with the number that is next after some events."""
    numbers = [member(event_json(each), "sequence_number") for each in events_of(before)]
    last = next((number for number in reversed(numbers) if type(number) is int), -1)
    told = {**event_json(event), "sequence_number": last + 1}
    return b"event: error\ndata: " + msgspec.json.encode(told) + b"\n\n"


_OPENING: Final = ("response.created", "response.in_progress", "response.queued")
_SCAN_FOR: Final = (
    *DATALESS,
    b'"usage"',
    b"response.completed",
    b"response.incomplete",
    b"response.failed",
    *FAILURES,
)

STREAM: Final[StreamRules[ResponseBody]] = StreamRules(
    wanted=wants_stream,
    usage=event_usage,
    visible=with_data,
    text=delta_text,
    prompt=prompt_text,
    is_last=ends,
    error=stream_error,
    scan_for=_SCAN_FOR,
    only_opens=only_opens,
    failure=response_failure,
    keep_alive=COMMENT,
    numbered=numbered,
)
RETRIEVED_STREAM: Final[StreamRules[object]] = StreamRules(
    wanted=lambda request: request.query.get("stream") == "true",
    usage=event_usage,
    visible=with_data,
    text=delta_text,
    prompt=lambda request: "",
    is_last=ends,
    error=stream_error,
    scan_for=_SCAN_FOR,
    keep_alive=COMMENT,
    numbered=numbered,
)
"""Of a response that was made before."""


# Objects -----------------------------------------------------------------------------------------------------------


def hints(request: Request[ResponseBody | CountBody]) -> Sequence[str]:
    """Return the ids of items that come back in the input: the upstream that made them knows them."""
    items = request.body.input
    if not isinstance(items, list):
        return ()
    return [item["id"] for item in items[-MOST_NAMED:] if isinstance(item.get("id"), str)]


def makes(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return a response that is stored, its items and containers: from an answer, or a stream's event."""
    response = member(value, "response") or value
    name = member(response, "id")
    if not isinstance(name, str) or member(response, "store") is False or member(response, "object") != "response":
        return ()
    objects = [Made(name, "response")]
    for item in members(response, "output"):
        inner = member(item, "id")
        if isinstance(inner, str):
            objects.append(Made(inner, "item", name))
        container = member(item, "container_id")
        if isinstance(container, str):
            objects.append(Made(container, "container"))
    conversation = member(response, "conversation", "id")
    return [*objects, Made(conversation, "conversation")] if isinstance(conversation, str) else objects


def _path(name: str) -> str:
    return f"/responses/{name}"


def accept(answer: Answer, request: AnyRequest) -> Accepted | Refused:
    """Find a response that goes on in the background."""
    value = answer.json()
    response = member(value, "response") or value
    name = member(response, "id")
    if member(response, "object") != "response" or not isinstance(name, str):
        return Refused()
    return Accepted(name, State.RUNNING, path=_path(name))


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read where a response in the background stands."""
    status, usage = whole_usage(answer.body)
    snapshot = {"status": status} if status is not None else None
    if status not in _ENDED:
        return TaskStatus(State.RUNNING, snapshot)
    if usage is not None:
        return TaskStatus(State.SUCCEEDED, snapshot, usage=usage)
    if status in ("completed", "incomplete"):
        return TaskStatus(State.SUCCEEDED, snapshot)
    return TaskStatus(State.FAILED, snapshot, error=f"the response was {status}")


def poll(task: Task) -> UpstreamCall:
    """Ask for a response."""
    return UpstreamCall(_path(task.upstream_id or ""))


BACKGROUND: Final[BackgroundRules[ResponseBody]] = BackgroundRules(
    wanted=lambda request: bool(request.body.background),
    rules=JobRules(
        accept=accept,
        poll=poll,
        read=read,
        cancel=lambda task: UpstreamCall(f"{_path(task.upstream_id or '')}/cancel", "POST"),
        timeout=24 * 3600.0,
    ),
    model=lambda request, facts: body_model(request),
    estimate=lambda request, facts: estimate(request),
)

_EXAMPLE_ANSWER: Final = {
    "id": "resp_abc123",
    "object": "response",
    "created_at": 1760000000,
    "status": "completed",
    "model": "gpt-4o-mini",
    "output": [
        {
            "type": "message",
            "id": "msg_abc123",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "…", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 14, "output_tokens": 6, "total_tokens": 20},
}
_EXAMPLE: Final = {"model": "gpt-4o-mini", "input": "Say this is a test!"}
_CONVERSATION: Final = {"id": "conv_abc123", "object": "conversation", "created_at": 1760000000, "metadata": {}}


class ConversationBody(msgspec.Struct, omit_defaults=True):
    """Body of a conversation."""

    items: list[dict[str, Any]] | None = None
    metadata: dict[str, Any] | None = None


class ItemsBody(msgspec.Struct):
    """Items to add to a conversation."""

    items: list[dict[str, Any]]


OPERATIONS = (
    Stream(
        name="responses.create",
        endpoint_type="openai-response",
        shape=AnswerShape(fields=("output", "status"), failed=response_failed),
        method="POST",
        path="/v1/responses",
        upstream_template="/responses",
        rules=STREAM,
        summary=Text("Create a response", "创建响应"),
        body=ResponseBody,
        example=_EXAMPLE,
        example_answer=_EXAMPLE_ANSWER,
        answers=("application/json", "text/event-stream"),
        model=body_model,
        estimate=estimate,
        usage=answer_usage,
        patch=patch,
        objects=ObjectRules(
            uses=response_ids,
            carried=carried_ids,
            hints=hints,
            makes=makes,
            tells=lambda request: request.body.store is not False,
            scan_for=(b"response.created", b"response.completed", b"response.incomplete", b"response.failed"),
            background=BACKGROUND,
            keeping=KEEPING,
            missing=missing,
        ),
        on_leave="cancel",
    ),
    object_call(
        "responses.get",
        "GET",
        "/v1/responses/{response_id}",
        "Get a response",
        "查询响应",
        missing=missing_response,
        kept=get,
        stream=RETRIEVED_STREAM,
        answers=("application/json", "text/event-stream"),
        example_answer=_EXAMPLE_ANSWER,
        makes=makes,
    ),
    object_call(
        "responses.cancel",
        "POST",
        "/v1/responses/{response_id}/cancel",
        "Cancel a response",
        "取消响应",
        missing=missing_response,
        kept=cancel,
        example_answer=_EXAMPLE_ANSWER,
    ),
    object_call(
        "responses.delete",
        "DELETE",
        "/v1/responses/{response_id}",
        "Delete a response",
        "删除响应",
        ends=True,
        missing=missing_response,
        kept=deleted,
        example_answer={"id": "resp_abc123", "object": "response", "deleted": True},
    ),
    object_call(
        "responses.input_items",
        "GET",
        "/v1/responses/{response_id}/input_items",
        "List a response's input items",
        "列出响应的输入项",
        missing=missing_response,
        kept=input_items,
        example_answer=page([]),
    ),
    Call(
        name="responses.input_tokens",
        shape=AnswerShape(fields=("input_tokens",)),
        method="POST",
        path="/v1/responses/input_tokens",
        upstream_template="/responses/input_tokens",
        summary=Text("Count input tokens", "计算输入令牌数"),
        body=CountBody,
        example=_EXAMPLE,
        example_answer={"object": "response.input_tokens", "input_tokens": 14},
        model=body_model,
        patch=patch,
        objects=ObjectRules(uses=response_ids, carried=carried_ids, hints=hints, keeping=NAMED, missing=missing),
        free=True,
        replay=True,
    ),
    Call(
        name="responses.compact",
        endpoint_type="openai-response-compact",
        shape=AnswerShape(fields=("output",)),
        method="POST",
        path="/v1/responses/compact",
        upstream_template="/responses/compact",
        summary=Text("Compact a conversation", "压缩对话"),
        body=CountBody,
        example=_EXAMPLE,
        example_answer={
            "id": "resp_abc123",
            "object": "response.compaction",
            "created_at": 1760000000,
            "output": [{"type": "compaction", "id": "cmp_abc123", "encrypted_content": "…"}],
            "usage": {"input_tokens": 14, "output_tokens": 6, "total_tokens": 20},
        },
        model=body_model,
        estimate=compaction_estimate,
        usage=answer_usage,
        patch=patch,
        objects=ObjectRules(uses=response_ids, carried=carried_ids, hints=hints, keeping=NAMED, missing=missing),
    ),
    object_call(
        "conversations.create",
        "POST",
        "/v1/conversations",
        "Create a conversation",
        "创建会话",
        body=ConversationBody,
        uses=item_ids,
        makes=made("conversation"),
        converse=kept_conversations.begin,
        turns="responses.create",
        example={"metadata": {"topic": "demo"}},
        example_answer=_CONVERSATION,
    ),
    object_call(
        "conversations.get",
        "GET",
        "/v1/conversations/{conversation_id}",
        "Get a conversation",
        "查询会话",
        converse=kept_conversations.get,
        example_answer=_CONVERSATION,
    ),
    object_call(
        "conversations.update",
        "POST",
        "/v1/conversations/{conversation_id}",
        "Change a conversation",
        "修改会话",
        body=ConversationBody,
        uses=item_ids,
        converse=kept_conversations.update,
        example={"metadata": {"topic": "demo"}},
        example_answer=_CONVERSATION,
    ),
    object_call(
        "conversations.delete",
        "DELETE",
        "/v1/conversations/{conversation_id}",
        "Delete a conversation",
        "删除会话",
        ends=True,
        converse=kept_conversations.delete,
        example_answer={"id": "conv_abc123", "object": "conversation.deleted", "deleted": True},
    ),
    object_call(
        "conversations.items.create",
        "POST",
        "/v1/conversations/{conversation_id}/items",
        "Add items to a conversation",
        "添加会话条目",
        body=ItemsBody,
        uses=item_ids,
        converse=kept_conversations.add,
        example={"items": [{"type": "message", "role": "user", "content": "Hello!"}]},
        example_answer=page([]),
    ),
    object_call(
        "conversations.items.list",
        "GET",
        "/v1/conversations/{conversation_id}/items",
        "List a conversation's items",
        "列出会话条目",
        converse=kept_conversations.items,
        example_answer=page([]),
    ),
    object_call(
        "conversations.items.get",
        "GET",
        "/v1/conversations/{conversation_id}/items/{item_id}",
        "Get an item of a conversation",
        "查询会话条目",
        converse=kept_conversations.item,
        example_answer={"type": "message", "id": "msg_abc123", "role": "user", "content": []},
    ),
    object_call(
        "conversations.items.delete",
        "DELETE",
        "/v1/conversations/{conversation_id}/items/{item_id}",
        "Delete an item of a conversation",
        "删除会话条目",
        converse=kept_conversations.remove,
        example_answer=_CONVERSATION,
    ),
)
