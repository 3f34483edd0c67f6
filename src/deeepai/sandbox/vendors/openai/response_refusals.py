"""Requests for responses that OpenAI refuses with 400, and in which words; sources are named as in `refusals`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from . import refusals
from .common import invalid
from .schemas import fault_of_output

Body = Mapping[str, Any]

_LEAST_OUTPUT = 16
_LONGEST_NAME = 128
_LONGEST_FORMAT_NAME = 64
_LONGEST_CALL_ID = 64
_ROLES = ("assistant", "system", "developer", "user")
_GIVEN = ("input_text", "input_image", "input_file", "input_audio")
_ANSWERED = ("output_text", "refusal")
_FORMATS = ("text", "json_schema", "json_object")
_IDS = {"message": "msg", "function_call": "fc", "custom_tool_call": "ctc", "reasoning": "rs"}
"""How the ids of items begin."""
_TOOLS = (
    *("function", "file_search", "computer", "computer_use_preview", "web_search", "web_search_2025_08_26", "mcp"),
    *("code_interpreter", "programmatic_tool_calling", "image_generation", "local_shell", "shell", "custom"),
    *("namespace", "tool_search", "web_search_preview", "web_search_preview_2025_03_11", "apply_patch"),
)
_PARAMETERS = frozenset(
    (
        *("background", "context_management", "conversation", "include", "input", "instructions"),
        *("max_output_tokens", "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls"),
        *("previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
        *("reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature"),
        *("text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"),
        # What Codex sends (openai/codex PR #27122); in no document.
        "client_metadata",
    )
)
_CALLS = {"function_call": "function call", "custom_tool_call": "custom tool call"}
_OUTPUTS = {f"{kind}_output": words for kind, words in _CALLS.items()}


def _known(body: Body, name: str) -> None:
    """Refuse what is no parameter (specification)."""
    for key in body:
        if key not in _PARAMETERS:
            raise invalid(f"Unknown parameter: '{key}'.", key, "unknown_parameter")


def _numbers(body: Body, name: str) -> None:
    """Check the length and what a reasoning model does not sample by.

    Sources: earendil-works/pi#6265, vectorize-io/hindsight#58 (length), incidentfox/incidentfox PR #111 (temperature),
    OpenAI's guide on reasoning.
    """
    most = body.get("max_output_tokens")
    if most is not None and most < _LEAST_OUTPUT:
        text = f"integer below minimum value. Expected a value >= {_LEAST_OUTPUT}, but got {most} instead."
        raise invalid(f"Invalid 'max_output_tokens': {text}", "max_output_tokens", "integer_below_min_value")
    effort = (body.get("reasoning") or {}).get("effort")
    if effort is not None and refusals.never_reasons(name):
        raise refusals.unsupported("reasoning.effort")
    if not refusals.samples(name, effort):
        for key in ("temperature", "top_p"):
            if body.get(key) not in (None, 1):
                raise refusals.unsupported(key)


def _tools(body: Body, name: str) -> None:
    """Check tools (specification; `schemas`), and that a function that is wanted is there."""
    tools: list[Any] = body.get("tools") or []
    for index, tool in enumerate(tools):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in _TOOLS:
            raise refusals.not_among(kind, _TOOLS, f"tools[{index}].type")
        if kind in ("function", "custom"):
            refusals.named(tool.get("name"), f"tools[{index}].name", _LONGEST_NAME)
        if kind == "function":
            refusals.function(tool, f"tools[{index}].parameters")


def _format(body: Body, name: str) -> None:
    """Check `text.format`.

    Sources: specification, bingoYB/ham_home#16 (schemas), BigDawnGhost/wenyi PR #66 (the word, which counts in the
    input alone).
    """
    form = (body.get("text") or {}).get("format")
    if form is None:
        return
    kind = form.get("type")
    if kind not in _FORMATS:
        raise refusals.not_among(kind, _FORMATS, "text.format.type")
    if kind == "json_object" and b"json" not in msgspec.json.encode(body.get("input")).lower():
        text = "Response input messages must contain the word 'json' in some form to use 'text.format' of type"
        raise invalid(f"{text} 'json_object'.", "input")
    if kind != "json_schema":
        return
    refusals.named(form.get("name"), "text.format.name", _LONGEST_FORMAT_NAME)
    if not isinstance(form.get("schema"), dict):
        raise refusals.lacking("text.format.schema")
    fault = fault_of_output(form["schema"], strict=bool(form.get("strict")))
    if fault is not None:
        text = f"Invalid schema for response_format '{form['name']}': {fault}"
        raise invalid(text, "text.format.schema", "invalid_json_schema")


def _input(body: Body, name: str) -> None:
    """Check items one by one.

    Sources: specification (roles, parts), Wei-Shaw/sub2api#3981, nodetool-ai/nodetool PR #4252 and
    Alishahryar1/free-claude-code#1826 (ids), AnswerDotAI/fastllm#45 (call ids).
    """
    for index, item in enumerate(_listed(body.get("input"))):
        at = f"input[{index}]"
        if not isinstance(item, dict):
            raise invalid(f"Invalid type for '{at}': expected an object.", at, "invalid_type")
        kind, identity = item.get("type", "message"), item.get("id")
        start = _IDS.get(kind)
        if start is not None and isinstance(identity, str) and not identity.startswith(start):
            text = f"Invalid '{at}.id': '{identity}'. Expected an ID that begins with '{start}'."
            raise invalid(text, f"{at}.id", "invalid_value")
        if isinstance(item.get("call_id"), str):
            refusals.short(item["call_id"], f"{at}.call_id", _LONGEST_CALL_ID)
        if kind == "function_call":
            refusals.named(item.get("name"), f"{at}.name", _LONGEST_NAME)
        if kind == "message":
            _message(item, at)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _message(item: Body, at: str) -> None:
    role, content = item.get("role"), item.get("content")
    if role not in _ROLES:
        raise refusals.not_among(role, _ROLES, at)
    if content is None:
        raise refusals.lacking(f"{at}.content")
    allowed = _ANSWERED if role == "assistant" else _GIVEN
    for number, part in enumerate(_listed(content)):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in allowed:
            raise refusals.not_among(kind, allowed, f"{at}.content[{number}]")


_RULES: Sequence[refusals.Rule] = (
    _known,
    refusals.ranges,
    _numbers,
    refusals.streaming,
    _tools,
    _format,
    _input,
)


def check_response(body: Body, name: str) -> None:
    """Refuse a request for a response that the vendor refuses.

    Raises
    ------
    RefusedError
        400
    """
    for rule in _RULES:
        rule(body, name)


def check_items(items: Sequence[Body]) -> None:
    """Refuse items, those of earlier responses included, whose calls and outputs do not belong together.

    Sources: can1357/oh-my-pi#106, leookun/cursor-byok#307 (outputs), bytedance/trae-agent#245 (calls).

    Raises
    ------
    RefusedError
        400
    """
    if any(item.get("type") == "compaction" for item in items):
        # What was compacted may hold the other half.
        return
    called = {(item["type"], item.get("call_id")) for item in items if item.get("type") in _CALLS}
    answered = {
        (item["type"].removesuffix("_output"), item.get("call_id")) for item in items if item.get("type") in _OUTPUTS
    }
    for item in items:
        kind = str(item.get("type"))
        if kind in _OUTPUTS and (kind.removesuffix("_output"), item.get("call_id")) not in called:
            text = f"No tool call found for {_OUTPUTS[kind]} output with call_id {item.get('call_id')}."
            raise invalid(text, "input")
        if kind in _CALLS and (kind, item.get("call_id")) not in answered:
            raise invalid(f"No tool output found for {_CALLS[kind]} {item.get('call_id')}.", "input")
