"""Anthropic's messages: requests, whole answers, errors.

Source: the types of Anthropic's Python SDK 2.12. Claude 4.6 and later think by effort (`thinking.type` adaptive with
`output_config.effort`), earlier ones by a budget; from 4.7 on no sampling parameters are taken.

Dropped on reading: `cache_control`, `citations` and `context` of documents, `service_tier`, `inference_geo`, `speed`,
`diagnostics`, `metadata` but for its `user_id`. Dropped on writing: `seed`, the penalties, `verbosity`, the prompt
cache's key, thoughts of other upstreams, `top_p` beside `temperature`, a temperature above 1 (it becomes 1), sampling
parameters for models that take none or that think by a budget.
Refused on reading: server tools and their blocks, stored files, `container`, search results. Refused on writing:
`logit_bias`, sound and film, stored files, media in the model's own turns.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any

from ...declare import Answer, Failure, Json
from ...protocols.anthropic.usage import VENDOR_USAGE, token_usage
from .common import (
    DEFAULT_MAX_TOKENS,
    Body,
    arguments,
    budget_of,
    effort_of,
    encode,
    error_object,
    guess_type,
    hoisted,
    lenient_arguments,
    no_answer,
    number,
    objects,
    refuse,
    seal,
    unseal,
    upstream_failure,
)
from .model import (
    Completion,
    Conversation,
    Media,
    OutputFormat,
    Part,
    Reasoning,
    Stop,
    Text,
    Thinking,
    Tokens,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from .usage import tokens

NAME = "anthropic"
STOPS = {
    "end_turn": Stop.END,
    "pause_turn": Stop.END,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.LENGTH,
    "stop_sequence": Stop.SEQUENCE,
    "tool_use": Stop.TOOLS,
    "refusal": Stop.FILTERED,
}
REASONS = {
    Stop.END: "end_turn",
    Stop.SEQUENCE: "stop_sequence",
    Stop.LENGTH: "max_tokens",
    Stop.TOOLS: "tool_use",
    Stop.FILTERED: "refusal",
}
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MIN_BUDGET = 1024
JSON_ONLY = "Respond with one JSON object and nothing else."
"""For a request of JSON without a schema, which the format does not have."""
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2})(?!\d))?")
_ID = re.compile(r"[^\w-]", re.ASCII)


def version(model: str) -> tuple[int, int]:
    """Return a Claude model's version: that of the newest, where the name does not say.

    Other vendors' models that are served in this format think by a budget and take sampling parameters, as 4.5 does.
    """
    match = _VERSION.search(model)
    if match is None:
        return (99, 0) if "claude" in model else (4, 5)
    return int(match[1]), int(match[2] or 0)


# Requests: read --------------------------------------------------------------------------------------------------


def read_request(body: Body, stream: bool | None) -> Conversation:
    """Read a request."""
    if body.get("container") is not None:
        refuse("container", "This model has no containers")
    if body.get("mcp_servers"):
        refuse("mcp_servers", "This model cannot speak to MCP servers by itself")
    turns: list[Turn] = []
    system = _read_content(body.get("system"), "system")
    if system:
        turns.append(Turn("system", system))
    for message in objects(body.get("messages"), "messages"):
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            refuse("messages", f"This model does not know the role {role!r}")
        turns.append(Turn(role, _read_content(message.get("content"), "messages")))
    choice = body.get("tool_choice") or {}
    once = choice.get("disable_parallel_tool_use")
    config = body.get("output_config") or {}
    return Conversation(
        turns=turns,
        stream=bool(body.get("stream")),
        tools=[_read_tool(tool) for tool in objects(body.get("tools"), "tools")],
        tool_choice=_read_choice(choice),
        parallel=not once if once is not None else None,
        max_tokens=number(body, "max_tokens"),
        temperature=number(body, "temperature"),
        top_p=number(body, "top_p"),
        top_k=number(body, "top_k"),
        stop=body.get("stop_sequences") or [],
        output=_read_output(config.get("format") or body.get("output_format")),
        reasoning=_read_reasoning(body.get("thinking"), config.get("effort")),
        user=(body.get("metadata") or {}).get("user_id") or "",
    )


def _read_content(content: Json, where: str) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    return [_read_block(block, where) for block in objects(content, where)]


def _read_block(block: Body, where: str) -> Part:
    match block.get("type"):
        case "text":
            return Text(block.get("text") or "")
        case "image":
            return _read_source("image", block, where)
        case "document":
            return _read_source("document", block, where)
        case "tool_use":
            input = block.get("input")
            return ToolCall(block.get("id") or "", block.get("name") or "", encode(input or {}).decode())
        case "tool_result":
            parts = _read_content(block.get("content"), where)
            kept = [part for part in parts if isinstance(part, Text | Media)]
            return ToolResult(block.get("tool_use_id") or "", kept, error=bool(block.get("is_error")))
        case "thinking":
            return unseal(block.get("signature") or "", block.get("thinking") or "", NAME)
        case "redacted_thinking":
            return unseal(block.get("data") or "", "", NAME, hidden=True)
        case kind:
            return refuse(where, f"This model takes no content of type {kind!r}")


def _read_source(kind: Any, block: Body, where: str) -> Part:
    source = block.get("source") or {}
    name = block.get("title") or ""
    match source.get("type"):
        case "base64":
            return Media(kind=kind, media_type=source.get("media_type") or "", data=source.get("data") or "", name=name)
        case "url":
            return Media(kind=kind, url=source.get("url") or "", name=name)
        case "text":
            return Text(f"{name}\n\n{source.get('data') or ''}" if name else source.get("data") or "")
        case other:
            return refuse(where, f"This model takes no {kind} whose source is {other!r}")


def _read_tool(tool: Body) -> Tool:
    if tool.get("type") not in (None, "custom"):
        refuse("tools", f"This model has no tool of type {tool['type']!r}")
    return Tool(
        tool.get("name") or "", tool.get("description") or "", tool.get("input_schema"), bool(tool.get("strict"))
    )


def _read_choice(choice: Body) -> ToolChoice | None:
    match choice.get("type"):
        case None:
            return None
        case "auto" | "none" as mode:
            return ToolChoice(mode)
        case "any":
            return ToolChoice("required")
        case "tool":
            return ToolChoice("required", [choice.get("name") or ""])
        case kind:
            return refuse("tool_choice", f"This model does not know the tool_choice {kind!r}")


def _read_output(output: Json) -> OutputFormat | None:
    if not output:
        return None
    if output.get("type") != "json_schema":
        refuse("output_config.format", "This model does not know such an output format")
    return OutputFormat(output.get("schema") or {}, strict=True)


def _read_reasoning(thinking: Json, effort: str | None) -> Reasoning | None:
    thinking = thinking or {}
    show = thinking.get("display") != "omitted"
    match thinking.get("type"):
        case "enabled":
            return Reasoning(budget=thinking.get("budget_tokens"), show=show)
        case "adaptive" | "between_tools":
            return Reasoning(effort=effort or "", show=show)
        case "disabled":
            return Reasoning(effort="none")
        case _:
            return Reasoning(effort=effort) if effort else None


# Requests: write -------------------------------------------------------------------------------------------------


def write_request(conversation: Conversation, model: str) -> Body:
    """Write a request."""
    if conversation.logit_bias:
        refuse("logit_bias", "This model takes no logit_bias")
    system, turns = hoisted(conversation)
    messages: list[Body] = []
    for turn in turns:
        blocks = _write_turn(turn)
        if not blocks:
            continue
        if messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": turn.role, "content": blocks})
    if messages and messages[0]["role"] == "assistant":
        # The first word has to be the user's.
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": "..."}]})
    body: Body = {"model": model, "max_tokens": conversation.max_tokens or DEFAULT_MAX_TOKENS, "messages": messages}
    config: Body = {}
    if conversation.output is not None:
        if conversation.output.schema is None:
            system.append(JSON_ONLY)
        else:
            config["format"] = {"type": "json_schema", "schema": closed(conversation.output.schema)}
    if system:
        body["system"] = "\n\n".join(system)
    if conversation.stream:
        body["stream"] = True
    forced = conversation.tool_choice is not None and conversation.tool_choice.mode == "required"
    _write_reasoning(conversation, model, body, config, forced)
    if config:
        body["output_config"] = config
    _write_sampling(conversation, model, body)
    if conversation.stop:
        body["stop_sequences"] = conversation.stop
    if conversation.tools:
        _write_tools(conversation, body)
    if conversation.user:
        body["metadata"] = {"user_id": conversation.user}
    return body


def _write_turn(turn: Turn) -> list[Body]:
    if turn.role == "assistant":
        blocks = [_write_own(part) for part in turn.parts]
        return [block for block in blocks if block is not None]
    # Results have to come first.
    results = [_write_result(part) for part in turn.parts if isinstance(part, ToolResult)]
    others = [part for part in turn.parts if isinstance(part, Text | Media)]
    return results + [_write_given(part) for part in others if not isinstance(part, Text) or part.text]


def _write_own(part: Part) -> Body | None:
    match part:
        case Text():
            return {"type": "text", "text": part.text} if part.text.strip() else None
        case Thinking():
            if part.origin != NAME or not part.signature:
                return None
            if part.hidden:
                return {"type": "redacted_thinking", "data": part.signature}
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case ToolCall():
            input = arguments(part.arguments, part.name)
            return {"type": "tool_use", "id": _ID.sub("_", part.id), "name": part.name, "input": input}
        case _:
            return refuse("messages", "This model takes no media in its own earlier answers")


def _write_result(result: ToolResult) -> Body:
    block: Body = {"type": "tool_result", "tool_use_id": _ID.sub("_", result.id)}
    shown = [part for part in result.parts if not isinstance(part, Text) or part.text]
    if len(shown) == 1 and isinstance(shown[0], Text):
        block["content"] = shown[0].text
    elif shown:
        block["content"] = [_write_given(part) for part in shown]
    if result.error:
        block["is_error"] = True
    return block


def _write_given(part: Text | Media) -> Body:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
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
    return block


def closed(schema: Json) -> Json:
    """Return a schema whose objects allow no other properties, as the format demands."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {name: closed(one) for name, one in value.items()}
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict)
        else closed(value)
        if key in ("items", "anyOf", "allOf", "oneOf", "prefixItems")
        else value
        for key, value in schema.items()
    }
    if schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def _write_reasoning(conversation: Conversation, model: str, body: Body, config: Body, forced: bool) -> None:
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
    if budget is None or budget == 0 or forced:
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
        one["input_schema"] = {"type": "object", "properties": {}} if tool.schema is None else tool.schema
        if tool.strict:
            one["strict"] = True
        made.append(one)
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


# Answers ---------------------------------------------------------------------------------------------------------


def _read_said(block: Body) -> Part:
    if block["type"] == "thinking":
        return Thinking(origin=NAME, text=block.get("thinking") or "", signature=block.get("signature") or "")
    if block["type"] == "redacted_thinking":
        return Thinking(origin=NAME, signature=block.get("data") or "", hidden=True)
    return _read_block(block, "content")


def read_answer(body: Json) -> Completion:
    """Read a whole answer."""
    if not isinstance(body, dict) or not isinstance(body.get("content"), list):
        raise no_answer("it is no message")
    known = ("text", "tool_use", "thinking", "redacted_thinking")
    return Completion(
        id=body.get("id") or "",
        model=body.get("model") or "",
        parts=[_read_said(block) for block in body["content"] if block.get("type") in known],
        stop=STOPS.get(body.get("stop_reason") or "", Stop.END),
        sequence=body.get("stop_sequence"),
        usage=read_usage(body.get("usage") or {}),
    )


def read_usage(usage: Body) -> Tokens:
    """Read Anthropic's usage object, whose input tokens exclude those of the cache."""
    return tokens(token_usage(VENDOR_USAGE.of(usage)))


def write_usage(usage: Tokens) -> Body:
    """Write Anthropic's usage object."""
    written: Body = {
        "input_tokens": max(0, usage.input - usage.cached - usage.cache_write),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    }
    if usage.reasoning:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return written


def answer_id(id: str) -> str:
    """Return an upstream's id as a message's."""
    return id if id.startswith("msg_") else f"msg_{id.removeprefix('chatcmpl-').removeprefix('resp_')}"


def write_block(part: Part) -> Body:
    """Write a part of an answer."""
    match part:
        case Text():
            return {"type": "text", "text": part.text, "citations": None}
        case Thinking():
            if part.hidden or part.quiet or not part.text:
                return {"type": "redacted_thinking", "data": seal(part)}
            return {"type": "thinking", "thinking": part.text, "signature": seal(part)}
        case ToolCall():
            input = lenient_arguments(part.arguments)
            return {"type": "tool_use", "id": _ID.sub("_", part.id), "name": part.name, "input": input}
        case _:
            raise no_answer("it holds what a model cannot say")


def stop_reason(stop: Stop, parts: Sequence[Part]) -> str:
    """Return the stop reason; a refusal in words is one too."""
    if any(isinstance(part, Text) and part.refusal for part in parts):
        return REASONS[Stop.FILTERED]
    return REASONS[stop]


def write_answer(completion: Completion, model: str, asked: Body) -> Body:
    """Write a whole answer."""
    stop = completion.stop
    return {
        "id": answer_id(completion.id),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [
            write_block(part)
            for part in completion.parts
            if not isinstance(part, Thinking) or part.text or part.signature
        ],
        "stop_reason": stop_reason(stop, completion.parts),
        "stop_sequence": completion.sequence if stop is Stop.SEQUENCE else None,
        "usage": write_usage(completion.usage),
    }


def read_error(answer: Answer) -> Failure:
    """Read an error answer; 529 is an upstream that has too much to do."""
    error = error_object(answer)
    kind = error.get("type")
    return upstream_failure(
        answer.status,
        str(error.get("message") or ""),
        code="overloaded" if kind == "overloaded_error" else None,
        retry_after=answer.headers.get("retry-after"),
    )


def shows_thoughts(asked: Body) -> bool:
    """Tell whether a request wants to see thoughts."""
    thinking = asked.get("thinking") or {}
    return thinking.get("type") in ("enabled", "adaptive", "between_tools") and thinking.get("display") != "omitted"
