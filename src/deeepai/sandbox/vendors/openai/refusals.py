"""Requests for chat and completions that OpenAI refuses with 400, and in which words.

Each rule says where it is known from: "specification" is OpenAI's OpenAPI document 2.3.0, the rest are public reports
that quote the vendor's answer. What is not known to be refused is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from .common import invalid
from .schemas import fault_of_function, fault_of_output

Body = Mapping[str, Any]
Rule = Callable[[Body, str], None]
"""Raises RefusedError for a body that the model of that name does not take."""

NAME = re.compile(r"[a-zA-Z0-9_-]+")
_PATTERN = "^[a-zA-Z0-9_-]+$"
_LONGEST_NAME = 64
_LONGEST_CALL_ID = 40
_MOST_TOOLS = 128
_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "user": ("text", "image_url", "input_audio", "refusal", "audio", "file"),
    "assistant": ("text", "refusal"),
}
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_FORMATS = ("json_object", "json_schema", "text")
_MOST_OUTPUT = {"gpt-3.5-turbo": 4096, "gpt-4-turbo": 4096, "gpt-4.1": 32768, "gpt-4o": 16384}
_PARAMETERS = frozenset(
    (
        *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs"),
        *("max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model", "moderation", "n"),
        *("parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options"),
        *("prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed"),
        *("service_tier", "stop", "store", "stream", "stream_options", "temperature", "tool_choice", "tools"),
        *("top_logprobs", "top_p", "user", "verbosity", "web_search_options"),
    )
)


def reasons(name: str) -> bool:
    """Tell whether a model thinks before it answers."""
    return name.startswith(("o1", "o3", "o4", "gpt-5")) and "-chat" not in name


def never_reasons(name: str) -> bool:
    """Tell whether a model is known not to."""
    return name.startswith(("gpt-3.5", "gpt-4", "chatgpt-4o"))


def samples(name: str, effort: Any) -> bool:
    """Tell whether a model takes sampling parameters.

    Those from 5.1 on do while they do not think. Sources: OpenAI's guide on reasoning, vercel/ai's tests of gpt-5.1.
    """
    if not reasons(name):
        return True
    return name.startswith("gpt-5.") and effort in (None, "none")


# Parameters --------------------------------------------------------------------------------------------------------


def _known(body: Body, name: str) -> None:
    """Refuse what is no parameter. Sources: langchain_dart#712, musistudio/claude-code-router#724."""
    unknown = [key for key in body if key not in _PARAMETERS]
    if unknown:
        noun = "argument" if len(unknown) == 1 else "arguments"
        raise invalid(f"Unrecognized request {noun} supplied: {', '.join(unknown)}", None)


def ranges(body: Body, name: str) -> None:
    """Check numbers, as in the specification."""
    fractions = {
        "temperature": (0, 2),
        "top_p": (0, 1),
        "presence_penalty": (-2, 2),
        "frequency_penalty": (-2, 2),
    }
    whole = {"n": (1, 128), "max_tokens": (0, 10**9), "max_completion_tokens": (1, 10**9), "top_logprobs": (0, 20)}
    for key, (low, high) in {**fractions, **whole}.items():
        value = body.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int if key in whole else int | float):
            raise invalid(f"Invalid type for '{key}': expected a number.", key, "invalid_type")
        noun = "integer" if key in whole else "decimal"
        if value < low:
            text = f"{noun} below minimum value. Expected a value >= {low}, but got {value} instead."
            raise invalid(f"Invalid '{key}': {text}", key, f"{noun}_below_min_value")
        if value > high:
            text = f"{noun} above maximum value. Expected a value <= {high}, but got {value} instead."
            raise invalid(f"Invalid '{key}': {text}", key, f"{noun}_above_max_value")


def stops(body: Body, name: str) -> None:
    """Check `stop`, as in the specification: at most four, and not for o3 and o4-mini."""
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        raise invalid(_too_long("stop", stop, 4), "stop", "array_above_max_length")
    if stop and name.startswith(("o3", "o4-mini")):
        raise unsupported("stop")


def streaming(body: Body, name: str) -> None:
    """Check `stream_options`: "Only set this when you set `stream: true`" (specification)."""
    if body.get("stream_options") is not None and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise invalid(text, "stream_options")


def _logprobs(body: Body, name: str) -> None:
    """Source: specification, `top_logprobs`."""
    if body.get("top_logprobs") and not body.get("logprobs"):
        raise invalid("The 'top_logprobs' parameter is only allowed with 'logprobs'.", "top_logprobs", None)


def _lengths(body: Body, name: str) -> None:
    """Check how much may be written.

    Sources: ITSpecialist111/ai_automation_suggester#38 (reasoning), opencode-ai/opencode#140, Gitlawb/openclaude#58.
    """
    if reasons(name) and body.get("max_tokens") is not None:
        text = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        raise invalid(f"Unsupported parameter: {text}", "max_tokens", "unsupported_parameter")
    most = next((tokens for family, tokens in _MOST_OUTPUT.items() if name.startswith(family)), None)
    for key in ("max_tokens", "max_completion_tokens"):
        wanted = body.get(key)
        if most is not None and wanted is not None and wanted > most:
            text = f"This model supports at most {most} completion tokens, whereas you provided {wanted}."
            raise invalid(f"{key} is too large: {wanted}. {text}", key, "invalid_value")


def _thinking(body: Body, name: str) -> None:
    """Check the effort of reasoning, and what may not stand beside it.

    Sources: specification (values), langchain_dart#712 and AAswordman/Operit#1048 (models that do not reason),
    openai/openai-openapi#541 (functions), NVlabs/cvdp_benchmark#29 and microsoft/vscode#255504 (temperature), OpenAI's
    guide on reasoning (the rest), tensorzero/tensorzero#2805 (parallel calls).
    """
    effort = body.get("reasoning_effort")
    if effort is not None and never_reasons(name):
        raise invalid("Unrecognized request argument supplied: reasoning_effort", None)
    if effort is not None and effort not in _EFFORTS:
        raise not_among(effort, _EFFORTS, "reasoning_effort")
    if name.startswith("gpt-5.4") and body.get("tools") and effort not in (None, "none"):
        text = f"Function tools with reasoning_effort are not supported for {name} in /v1/chat/completions."
        raise invalid(f"{text} Please use /v1/responses instead.", "reasoning_effort")
    if name.startswith(("o1", "o3", "o4")) and body.get("parallel_tool_calls") is not None:
        raise unsupported("parallel_tool_calls")
    if samples(name, effort):
        return
    for key, usual in (("temperature", 1), ("presence_penalty", 0), ("frequency_penalty", 0)):
        if body.get(key) not in (None, usual):
            text = (
                f"'{key}' does not support {body[key]} with this model. Only the default ({usual}) value is supported."
            )
            raise invalid(f"Unsupported value: {text}", key, "unsupported_value")
    for key, usual in (("top_p", 1), ("logprobs", False), ("top_logprobs", 0)):
        if body.get(key) not in (None, usual):
            raise unsupported(key)


def _formats(body: Body, name: str) -> None:
    """Check `response_format`.

    Sources: specification (shape, name), StefanBratanov/jvm-openai#15 (the word), vercel/ai#6484 (schemas).
    """
    form = body.get("response_format")
    if form is None:
        return
    kind = form.get("type") if isinstance(form, dict) else form
    if kind not in _FORMATS:
        raise not_among(kind, _FORMATS, "response_format.type")
    if kind == "json_object" and b"json" not in msgspec.json.encode(body.get("messages")).lower():
        text = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        raise invalid(text, "messages")
    if kind != "json_schema":
        return
    held = form.get("json_schema")
    if not isinstance(held, dict):
        raise lacking("response_format.json_schema")
    named(held.get("name"), "response_format.json_schema.name", _LONGEST_NAME)
    fault = fault_of_output(held.get("schema", {}), strict=bool(held.get("strict")))
    if fault is not None:
        raise invalid(f"Invalid schema for response_format '{held['name']}': {fault}", "response_format")


# Tools -------------------------------------------------------------------------------------------------------------


def _tools(body: Body, name: str) -> None:
    """Check tools, and what is only allowed with them.

    Sources: continuedev/continue#3403 (none), 0x4m4/hexstrike-ai#29 (too many), apache/apisix PR #13583 and
    openai/swarm#30 (without tools), brekkylab/ailoy PR #109 and BerriAI/litellm#17904 (names); `schemas`.
    """
    tools = body.get("tools")
    if tools is None:
        for key in ("tool_choice", "parallel_tool_calls"):
            if body.get(key) is not None:
                text = f"'{key}' is only allowed when 'tools' are specified."
                raise invalid(f"Invalid value for '{key}': {text}", key)
        return
    if not isinstance(tools, list):
        raise invalid("Invalid type for 'tools': expected an array of objects.", "tools", "invalid_type")
    if not tools:
        raise empty("tools")
    if len(tools) > _MOST_TOOLS:
        raise invalid(_too_long("tools", tools, _MOST_TOOLS), "tools", "array_above_max_length")
    for index, tool in enumerate(tools):
        at = f"tools[{index}]"
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind is None:
            raise lacking(f"{at}.type")
        if kind not in ("function", "custom"):
            raise not_among(kind, ("function", "custom"), f"{at}.type")
        if not isinstance(tool.get(kind), dict):
            raise lacking(f"{at}.{kind}")
        named(tool[kind].get("name"), f"{at}.{kind}.name", _LONGEST_NAME)
        if kind == "function":
            function(tool["function"], f"{at}.function.parameters")


def function(declared: Body, param: str) -> None:
    """Check the schema of a function."""
    fault = fault_of_function(declared.get("parameters"), strict=bool(declared.get("strict")))
    if fault is not None:
        text = f"Invalid schema for function '{declared['name']}': {fault}"
        raise invalid(text, param, "invalid_function_parameters")


# Messages ----------------------------------------------------------------------------------------------------------


def _messages(body: Body, name: str) -> None:
    """Check messages one by one.

    Sources: specification (roles, parts, details), langchain-ai/langchainjs#4153 and songquanpeng/one-api#784 (null),
    openai/openai-node PR #1341 (empty calls), langmanus#119 and vercel/ai#8132 (ids), mcp-use/mcp-use#90 (names).
    """
    messages = body.get("messages")
    if messages is None:
        raise lacking("messages")
    if not isinstance(messages, list):
        raise invalid("Invalid type for 'messages': expected an array of objects.", "messages", "invalid_type")
    if not messages:
        raise empty("messages")
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        if not isinstance(message, dict):
            raise invalid(f"Invalid type for '{at}': expected an object.", at, "invalid_type")
        if message.get("role") is None:
            raise lacking(f"{at}.role")
        if message["role"] not in _ROLES:
            raise not_among(message["role"], _ROLES, f"{at}.role")
        _calls(message, at)
        _content(message, index)


def _calls(message: Body, at: str) -> None:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if calls == []:
        raise empty(f"{at}.tool_calls")
    for index, call in enumerate(calls):
        where = f"{at}.tool_calls[{index}]"
        if not isinstance(call.get("id"), str):
            raise lacking(f"{where}.id")
        short(call["id"], f"{where}.id", _LONGEST_CALL_ID)
        if call.get("type", "function") != "function":
            continue
        called = call.get("function") or {}
        named(called.get("name"), f"{where}.function.name", _LONGEST_NAME)
        if not isinstance(called.get("arguments"), str):
            text = f"Invalid type for '{where}.function.arguments': expected a string, but got {_kind(called)} instead."
            raise invalid(text, f"{where}.function.arguments", "invalid_type")


def _kind(called: Body) -> str:
    value = called.get("arguments")
    return "null" if value is None else "an object" if isinstance(value, dict) else f"a {type(value).__name__}"


def _content(message: Body, index: int) -> None:
    role, content = message["role"], message.get("content")
    at = f"messages[{index}].content"
    if content is None:
        said = ("tool_calls", "function_call", "audio", "refusal")
        if role != "assistant" or not any(message.get(key) for key in said):
            text = "Invalid value for 'content': expected a string, got null."
            raise invalid(text, f"messages.[{index}].content")
        return
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise invalid(f"Invalid type for '{at}': expected a string or an array of objects.", at, "invalid_type")
    if not content:
        raise empty(at)
    for number, part in enumerate(content):
        _part(role, part, index, f"{at}[{number}]")


def _part(role: str, part: Any, index: int, at: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind is None:
        raise lacking(f"{at}.type")
    if kind == "image_url" and role != "user":
        text = f"Image URLs are only allowed for messages with role 'user', but this message with role '{role}'"
        raise invalid(
            f"Invalid 'messages[{index}]'. {text} contains an image URL.", f"messages[{index}]", "invalid_value"
        )
    allowed = _PARTS.get(role, ("text",))
    if kind not in allowed:
        raise not_among(kind, allowed, at)
    if kind == "text" and not isinstance(part.get("text"), str):
        raise lacking(f"{at}.text")
    if kind != "image_url":
        return
    image = part.get("image_url")
    if not isinstance(image, dict):
        text = f"Invalid type for '{at}.image_url': expected an object, but got a {type(image).__name__} instead."
        raise invalid(text, f"{at}.image_url", "invalid_type")
    if image.get("detail") not in (None, "auto", "low", "high"):
        raise not_among(image["detail"], ("low", "high", "auto"), f"{at}.image_url.detail")


def _order(body: Body, name: str) -> None:
    """Check that calls are answered, and by what comes next.

    Sources: router-for-me/CLIProxyAPI#2798, aliasrobotics/cai#111 (calls), crewAIInc/crewAI PR #1620 (answers),
    openai/codex#7051 (something in between).
    """
    waiting: dict[str, int] = {}
    for index, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            if not isinstance(message.get("tool_call_id"), str):
                raise lacking(f"messages[{index}].tool_call_id")
            if message["tool_call_id"] not in waiting:
                text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise invalid(f"Invalid parameter: {text}", f"messages.[{index}].role")
            del waiting[message["tool_call_id"]]
            continue
        _answered(waiting, index)
        waiting = {call["id"]: index for call in message.get("tool_calls") or ()}
    _answered(waiting, len(body["messages"]))


def _answered(waiting: Mapping[str, int], index: int) -> None:
    if waiting:
        text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
        ids = ", ".join(waiting)
        text = f"{text} 'tool_call_id'. The following tool_call_ids did not have response messages: {ids}"
        raise invalid(text, f"messages.[{index}].role")


# What is refused in the same words everywhere ------------------------------------------------------------------------


def _too_long(param: str, value: Sequence[Any], most: int) -> str:
    text = f"Expected an array with maximum length {most}, but got an array with length {len(value)} instead."
    return f"Invalid '{param}': array too long. {text}"


def empty(param: str):
    """Return the refusal of an empty array."""
    text = "empty array. Expected an array with minimum length 1, but got an empty array instead."
    return invalid(f"Invalid '{param}': {text}", param, "empty_array")


def lacking(param: str):
    """Return the refusal for a parameter that is not there."""
    return invalid(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def not_among(value: Any, allowed: Sequence[str], param: str):
    """Return the refusal of a value that is none of those allowed."""
    *others, last = [f"'{one}'" for one in allowed]
    listed = last if not others else f"{', '.join(others)}{',' if len(others) > 1 else ''} and {last}"
    return invalid(f"Invalid value: '{value}'. Supported values are: {listed}.", param, "invalid_value")


def unsupported(param: str):
    """Return the refusal of a parameter that the model does not have."""
    text = f"Unsupported parameter: '{param}' is not supported with this model."
    return invalid(text, param, "unsupported_parameter")


def short(value: str, param: str, longest: int) -> None:
    """Refuse a text that is too long."""
    if len(value) > longest:
        text = f"Expected a string with maximum length {longest}, but got a string with length {len(value)} instead."
        raise invalid(f"Invalid '{param}': string too long. {text}", param, "string_above_max_length")


def named(value: Any, param: str, longest: int) -> None:
    """Refuse what cannot be the name of a function."""
    if not isinstance(value, str):
        raise lacking(param)
    short(value, param, longest)
    if NAME.fullmatch(value) is None:
        text = f"string does not match pattern. Expected a string that matches the pattern '{_PATTERN}'."
        raise invalid(f"Invalid '{param}': {text}", param, "invalid_value")


_CHAT: Sequence[Rule] = (
    _known,
    _messages,
    ranges,
    stops,
    streaming,
    _logprobs,
    _lengths,
    _thinking,
    _tools,
    _formats,
    _order,
)
_COMPLETIONS: Sequence[Rule] = (ranges, stops, streaming)


def check_chat(body: Body, name: str) -> None:
    """Refuse a request for chat that the vendor refuses.

    Raises
    ------
    RefusedError
        400
    """
    for rule in _CHAT:
        rule(body, name)


def check_completion(body: Body, name: str) -> None:
    """Refuse a request for a completion that the vendor refuses.

    Raises
    ------
    RefusedError
        400
    """
    for rule in _COMPLETIONS:
        rule(body, name)
