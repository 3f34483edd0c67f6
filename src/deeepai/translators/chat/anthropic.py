"""Anthropic's messages: requests read, whole answers, errors.

Source: the types of Anthropic's Python SDK 2.12. Claude 4.6 and later think by effort (`thinking.type` adaptive with
`output_config.effort`), earlier ones by a budget; from 4.7 on no sampling parameters are taken, from 4.8 on a system
message may stand among the others.

Dropped on reading: `citations` and `context` of documents, `service_tier`, `inference_geo`, `speed`, `diagnostics`,
`metadata` but for its `user_id`, the vendor's own tools (`mcp_servers` and skills with them) and what they leave in a
conversation, Claude Code's note for the vendor's bills. Dropped on writing: `seed`, the penalties, `verbosity`, the
prompt cache's key, thoughts of other upstreams, `top_p` beside `temperature`, a temperature above 1 (it becomes 1),
sampling parameters for models that take none or that think by a budget, text without words, thinking where a turn goes
on that began without.
Refused on reading: stored files, the id of a `container`. Refused on writing: `logit_bias`, sound and film, stored
files, media in the model's own turns.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

from ...declare import Answer, Failure, Json
from ...protocols.anthropic.usage import VENDOR_USAGE, token_usage
from .common import (
    Body,
    arguments,
    encode,
    entries,
    error_object,
    joined,
    no_answer,
    number,
    objects,
    read_stop,
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
from .usage import tokens as told_tokens

NAME = "anthropic"
REASONS = {
    Stop.END: "end_turn",
    Stop.SEQUENCE: "stop_sequence",
    Stop.LENGTH: "max_tokens",
    Stop.TOOLS: "tool_use",
    Stop.FILTERED: "refusal",
}
BILLING = "x-anthropic-billing-header"
_OF_SERVER = ("server_tool_use", "mcp_tool_use", "tool_reference", "fallback")
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
    container = body.get("container")
    if isinstance(container, str) or (isinstance(container, dict) and container.get("id")):
        refuse("container", "This model has no containers")
    turns: list[Turn] = []
    system = [part for part in _read_content(body.get("system"), "system") if _unbilled(part)]
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
        tools=read_tools(body),
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


def _unbilled(part: Part) -> bool:
    """Take Claude Code's note for Anthropic's own bills, another in each request, out of a text; tell what is left."""
    if isinstance(part, Text) and BILLING in part.text:
        lines = part.text.splitlines(keepends=True)
        part.text = "".join(line for line in lines if not line.lstrip().startswith(BILLING))
    return not isinstance(part, Text) or bool(part.text)


def _read_content(content: Json, where: str) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    blocks = [(block, _read_block(block, where)) for block in objects(content, where)]
    parts: list[Part] = []
    for block, part in blocks:
        if part is None:
            continue
        cache = block.get("cache_control")
        if isinstance(cache, dict) and not isinstance(part, Thinking):
            part.cache = cache
        parts.append(part)
    return parts


def _read_block(block: Body, where: str) -> Part | None:
    """Read a block; None for what only the vendor's own tools leave in a conversation."""
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
        case "compaction":
            return Text(block.get("content") or "")
        case "search_result":
            parts = _read_content(block.get("content"), where)
            return Text("\n\n".join(filter(None, (block.get("title"), block.get("source"), joined(parts)))))
        case str(kind) if kind in _OF_SERVER or kind.endswith("_tool_result"):
            return None
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


def read_tools(body: Body) -> list[Tool]:
    """Read the caller's own tools; those of the vendor's are left out."""
    return [
        Tool(
            tool.get("name") or "",
            tool.get("description") or "",
            tool.get("input_schema"),
            bool(tool.get("strict")),
            tool.get("cache_control"),
        )
        for tool in objects(body.get("tools"), "tools")
        if tool.get("type") in (None, "custom")
    ]


def tool_names(asked: Body) -> list[str]:
    """Return the names of the caller's tools."""
    return [tool.name for tool in read_tools(asked)]


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


# Answers ---------------------------------------------------------------------------------------------------------


def _read_said(block: Body) -> Part:
    if block["type"] == "thinking":
        return Thinking(origin=NAME, text=block.get("thinking") or "", signature=block.get("signature") or "")
    if block["type"] == "redacted_thinking":
        return Thinking(origin=NAME, signature=block.get("data") or "", hidden=True)
    part = _read_block(block, "content")
    assert part is not None
    return part


def read_answer(body: Json) -> Completion:
    """Read a whole answer."""
    content = body.get("content") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(content, list | dict | str):
        raise no_answer("it is no message")
    if isinstance(content, str):
        content = {"type": "text", "text": content}
    blocks = entries(content)
    known = ("text", "tool_use", "thinking", "redacted_thinking")
    return Completion(
        id=body.get("id") or "",
        model=body.get("model") or "",
        parts=[_read_said(block) for block in blocks if block.get("type") in known],
        stop=read_stop(body.get("stop_reason"), any(block.get("type") == "tool_use" for block in blocks)),
        sequence=body.get("stop_sequence"),
        usage=read_usage(body.get("usage") or {}),
    )


def read_usage(usage: Body) -> Tokens:
    """Read Anthropic's usage object, whose input tokens exclude those of the cache."""
    return told_tokens(token_usage(VENDOR_USAGE.of(usage)))


def prompt_tokens(asked: Body) -> int:
    """Estimate the tokens of a request of this format: four characters each, the bytes of media left out."""
    return 4 + sum(_length(asked.get(name)) for name in ("system", "messages", "tools")) // 4


def _length(value: Json) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_length, value))
    if isinstance(value, dict):
        return sum(len(name) + _length(inner) for name, inner in value.items() if name not in ("data", "signature"))
    return 1


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
    id = id or secrets.token_hex(12)
    return id if id.startswith("msg_") else f"msg_{id.removeprefix('chatcmpl-').removeprefix('resp_')}"


def write_block(part: Part) -> Body:
    """Write a part of an answer."""
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Thinking():
            if part.hidden or part.quiet or not part.text:
                return {"type": "redacted_thinking", "data": seal(part)}
            return {"type": "thinking", "thinking": part.text, "signature": seal(part)}
        case ToolCall():
            input = arguments(part.arguments)
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
