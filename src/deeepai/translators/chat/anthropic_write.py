"""Anthropic's messages: requests written, as its models take them.

What is dropped and refused stands in `anthropic`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Final

from .anthropic import NAME, version
from .common import (
    DEFAULT_MAX_TOKENS,
    Body,
    arguments,
    budget_of,
    effort_of,
    guess_type,
    hoisted,
    refuse,
)
from .fitting import Limits
from .model import (
    Conversation,
    Media,
    Part,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from .schemas import output_schema, tool_schema

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MIN_BUDGET = 1024
JSON_ONLY = "Respond with one JSON object and nothing else."
"""For a request of JSON without a schema, which the format does not have."""
NOTHING: Final = "..."
"""Where a turn of the user's has to be, and the caller has none with words in it."""
LIMITS: Final = Limits(
    name=re.compile(r"[a-zA-Z0-9_-]+"),
    name_length=128,
    id=re.compile(r"[a-zA-Z0-9_-]+"),
    id_length=64,
    # Source: Anthropic's overview of models.
    output={
        "claude-3-5-": 8192,
        "claude-3-7-": 64_000,
        "claude-3-": 4096,
        **dict.fromkeys(("claude-opus-4-0", "claude-opus-4-1", "claude-opus-4-2"), 32_000),
        **dict.fromkeys(("claude-sonnet-4-0", "claude-sonnet-4-2", "claude-sonnet-4-5"), 64_000),
        **dict.fromkeys(("claude-haiku-4-5", "claude-opus-4-5"), 64_000),
        **dict.fromkeys(("claude-sonnet-4-6", "claude-opus-4-6", "claude-opus-4-7", "claude-opus-4-8"), 128_000),
    },
)


def limits(model: str) -> Limits:
    """Return what the vendor takes."""
    return LIMITS


def write_request(conversation: Conversation, model: str) -> Body:
    """Write a request."""
    if conversation.logit_bias:
        refuse("logit_bias", "This model takes no logit_bias")
    system, turns = hoisted(conversation, inside=version(model) >= (4, 8))
    messages: list[Body] = []
    for turn in turns:
        blocks = _write_turn(turn)
        if not blocks:
            continue
        if messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": turn.role, "content": blocks})
    if not messages or messages[0]["role"] != "user":
        # The first word has to be the user's.
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": NOTHING}]})
    _trim_last(messages[-1])
    body: Body = {"model": model, "max_tokens": conversation.max_tokens or DEFAULT_MAX_TOKENS, "messages": messages}
    config: Body = {}
    if conversation.output is not None:
        if conversation.output.schema is None:
            system.append(Text(JSON_ONLY))
        else:
            config["format"] = {"type": "json_schema", "schema": output_schema(conversation.output.schema, "anthropic")}
    system = [text for text in system if text.text.strip()]
    if any(text.cache is not None for text in system):
        body["system"] = [_write_given(text) for text in system]
    elif system:
        body["system"] = "\n\n".join(text.text for text in system)
    if conversation.stream:
        body["stream"] = True
    forced = conversation.tool_choice is not None and conversation.tool_choice.mode == "required"
    unthinking = _goes_on_without_thinking(messages)
    _write_reasoning(conversation, model, body, config, forced=forced, unthinking=unthinking)
    if config:
        body["output_config"] = config
    _write_sampling(conversation, model, body)
    if conversation.stop:
        stops = [stop for stop in conversation.stop if stop.strip()]
        if stops:
            body["stop_sequences"] = stops
    if conversation.tools:
        _write_tools(conversation, body)
    if conversation.user:
        body["metadata"] = {"user_id": conversation.user}
    return body


def _trim_last(message: Body) -> None:
    """Take the white space off the end of words that the model is to go on with."""
    last = message["content"][-1]
    if message["role"] == "assistant" and last["type"] == "text":
        last["text"] = last["text"].rstrip()


def _goes_on_without_thinking(messages: Sequence[Body]) -> bool:
    """Tell whether the model goes on with a turn that it began without thinking: it must not begin now."""
    own = next((message for message in reversed(messages) if message["role"] == "assistant"), None)
    if own is None or own["content"][0]["type"] in ("thinking", "redacted_thinking"):
        return False
    last = messages[-1]
    return last is own or any(block["type"] == "tool_result" for block in _of_user(messages)["content"])


def _of_user(messages: Sequence[Body]) -> Body:
    return next(message for message in reversed(messages) if message["role"] == "user")


def _cached(block: Body, part: Text | Media | ToolCall | ToolResult | Tool) -> Body:
    if part.cache is not None:
        block["cache_control"] = part.cache
    return block


def _write_turn(turn: Turn) -> list[Body]:
    if turn.role == "assistant":
        blocks = [_write_own(part) for part in turn.parts]
        return [block for block in blocks if block is not None]
    # Results have to come first.
    results = [_write_result(part) for part in turn.parts if isinstance(part, ToolResult)]
    return results + [_write_given(part) for part in turn.parts if isinstance(part, Text | Media) and _speaks(part)]


def _speaks(part: Text | Media) -> bool:
    return not isinstance(part, Text) or bool(part.text.strip())


def _write_own(part: Part) -> Body | None:
    match part:
        case Text():
            return _cached({"type": "text", "text": part.text}, part) if _speaks(part) else None
        case Thinking():
            if part.origin != NAME or not part.signature:
                return None
            if part.hidden:
                return {"type": "redacted_thinking", "data": part.signature}
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case ToolCall():
            return _cached(
                {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments(part.arguments)}, part
            )
        case _:
            return refuse("messages", "This model takes no media in its own earlier answers")


def _write_result(result: ToolResult) -> Body:
    block: Body = {"type": "tool_result", "tool_use_id": result.id}
    shown = [part for part in result.parts if _speaks(part)]
    if len(shown) == 1 and isinstance(shown[0], Text) and shown[0].cache is None:
        block["content"] = shown[0].text
    elif shown:
        block["content"] = [_write_given(part) for part in shown]
    if result.error:
        block["is_error"] = True
    return _cached(block, result)


def _write_given(part: Text | Media) -> Body:
    if isinstance(part, Text):
        return _cached({"type": "text", "text": part.text}, part)
    kind = part.kind
    if part.file_id or kind in ("audio", "video"):
        refuse("messages", f"This model takes no {'stored files' if part.file_id else kind}")
    if part.url:
        block: Body = {"type": kind, "source": {"type": "url", "url": part.url}}
    else:
        media_type = guess_type(part)
        source: Body = {"type": "base64", "media_type": media_type, "data": part.data}
        if media_type.startswith("text/") or media_type == "application/json":
            words = base64.b64decode(part.data).decode("utf-8", "replace")
            source = {"type": "text", "media_type": "text/plain", "data": words}
        elif media_type != "application/pdf" and media_type not in IMAGE_TYPES:
            refuse("messages", f"This model takes no {kind} of type {media_type}")
        block = {"type": kind, "source": source}
    if part.name and kind == "document":
        block["title"] = part.name
    return _cached(block, part)


def _write_reasoning(
    conversation: Conversation, model: str, body: Body, config: Body, *, forced: bool, unthinking: bool
) -> None:
    reasoning = conversation.reasoning
    if reasoning is None:
        return
    effort, budget = reasoning.effort, reasoning.budget
    if version(model) >= (4, 6):
        effort = effort or (effort_of(budget) if budget is not None else "")
        if effort == "none":
            body["thinking"] = {"type": "disabled"}
            return
        if effort:
            config["effort"] = "low" if effort == "minimal" else effort
        if not forced:
            shown = "omitted" if reasoning.show is False else "summarized"
            body["thinking"] = {"type": "adaptive", "display": shown}
        return
    if budget is None:
        budget = budget_of(effort or "medium")
    if budget is None or budget == 0 or forced or unthinking:
        return
    budget = MIN_BUDGET if 0 < budget < MIN_BUDGET else budget
    if budget < 0:
        budget = budget_of("medium") or MIN_BUDGET
    if conversation.max_tokens is None:
        body["max_tokens"] = budget + DEFAULT_MAX_TOKENS
    elif reasoning.budget is None or budget >= conversation.max_tokens:
        # The limit counts the thoughts too; half of it stays for the answer.
        budget = min(budget, conversation.max_tokens // 2)
    if budget >= MIN_BUDGET:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _write_sampling(conversation: Conversation, model: str, body: Body) -> None:
    if version(model) >= (4, 7) or body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        return
    if conversation.temperature is not None:
        body["temperature"] = min(conversation.temperature, 1)
    elif conversation.top_p is not None:
        body["top_p"] = conversation.top_p
    if conversation.top_k is not None:
        body["top_k"] = int(conversation.top_k)


def _write_tools(conversation: Conversation, body: Body) -> None:
    choice = conversation.tool_choice
    tools = conversation.tools
    if choice is not None and len(choice.names) + (choice.mode == "auto") > 1:
        # There is no list of allowed tools: only those are shown.
        tools = [tool for tool in tools if tool.name in choice.names]
    made: list[Body] = []
    for tool in tools:
        one: Body = {"name": tool.name}
        if tool.description:
            one["description"] = tool.description
        one["input_schema"] = tool_schema(tool.schema or {}, "anthropic", strict=tool.strict)
        if tool.strict:
            one["strict"] = True
        made.append(_cached(one, tool))
    body["tools"] = made
    written: Body = {}
    if choice is not None:
        if choice.mode == "required" and len(choice.names) == 1:
            written = {"type": "tool", "name": choice.names[0]}
        else:
            written = {"type": "any" if choice.mode == "required" else choice.mode}
    if conversation.parallel is not None and written.get("type") != "none":
        written.setdefault("type", "auto")
        written["disable_parallel_tool_use"] = not conversation.parallel
    if written:
        body["tool_choice"] = written
