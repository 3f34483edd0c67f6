"""Chat completions that were stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ...declare import AnyRequest, Json, Made, ObjectRules, Window
from .common import member
from .object_calls import listing, object_call, object_list, page, same_metadata, window
from .object_ids import chat_ids


class MetadataBody(msgspec.Struct):
    """What of a stored completion may change."""

    metadata: dict[str, Any] | None


def completion_made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return a chat completion that is stored, from an answer or a chunk."""
    name = member(value, "id")
    return [Made(name, "chat_completion")] if isinstance(name, str) and name else ()


def wants_storing(request: AnyRequest) -> bool:
    """Tell whether a chat completion is to be stored."""
    return b'"store"' in request.raw and member(msgspec.json.decode(request.raw), "store") is True


STORING: Final[ObjectRules[object]] = ObjectRules(uses=chat_ids, makes=completion_made, tells=wants_storing)
"""Of creating one."""


def oldest_first(request: AnyRequest) -> Window:
    """Read the window of a list whose usual order is the oldest first.

    Raises
    ------
    Failure
        INVALID
    """
    part = window(request)
    return Window(part.limit, part.after, None, request.query.get("order") == "desc")


def has_model_and_metadata(request: AnyRequest, value: Json) -> bool:
    """Tell whether a completion has the model and metadata that a list is asked for."""
    model = request.query.get("model")
    return (model is None or member(value, "model") == model) and same_metadata(request, value)


_COMPLETION: Final = {
    "id": "chatcmpl-abc123",
    "object": "chat.completion",
    "created": 1760000000,
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "…"}, "finish_reason": "stop"}],
    "metadata": {"topic": "demo"},
}

_STORED: Final = "/v1/chat/completions"
_ONE: Final = _STORED + "/{completion_id}"

OPERATIONS = (
    object_list(
        "chat.completions.list",
        _STORED,
        "List stored chat completions",
        "列出已存储的聊天补全",
        listing("chat_completion", "/chat/completions", has_model_and_metadata, oldest_first),
        example_answer=page([_COMPLETION]),
    ),
    object_call(
        "chat.completions.get",
        "GET",
        _ONE,
        "Get a stored chat completion",
        "查询已存储的聊天补全",
        example_answer=_COMPLETION,
    ),
    object_call(
        "chat.completions.update",
        "POST",
        _ONE,
        "Change a stored chat completion",
        "修改已存储的聊天补全",
        body=MetadataBody,
        example={"metadata": {"topic": "demo"}},
        example_answer=_COMPLETION,
    ),
    object_call(
        "chat.completions.delete",
        "DELETE",
        _ONE,
        "Delete a stored chat completion",
        "删除已存储的聊天补全",
        ends=True,
        example_answer={"id": "chatcmpl-abc123", "object": "chat.completion.deleted", "deleted": True},
    ),
    object_call(
        "chat.completions.messages",
        "GET",
        _ONE + "/messages",
        "List the messages of a stored chat completion",
        "列出已存储聊天补全的消息",
        example_answer=page([{"id": "chatcmpl-abc123-0", "role": "user", "content": "Hello!"}]),
    ),
)
