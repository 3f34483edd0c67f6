"""Requests for content that Google refuses with 400, and in which words.

Each rule says where it is known from: Google's reference and guides, or public reports that quote the vendor's answer.
What is not known to be refused is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...vendor import RefusedError
from .common import TYPE, error, field, parts_of, snake
from .schemas import Fault, unfit, unknown, unreadable

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_MOST_STOPS = 5
_ROLES = {"user", "model", "function", None}
_REQUEST = frozenset(
    (
        *("model", "contents", "tools", "tool_config", "safety_settings", "system_instruction", "generation_config"),
        *("cached_content", "service_tier", "store", "labels"),
    )
)
_CONFIG = frozenset(
    (
        *("stop_sequences", "response_mime_type", "response_schema", "response_json_schema", "response_modalities"),
        *("candidate_count", "max_output_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty"),
        *("frequency_penalty", "response_logprobs", "logprobs", "enable_enhanced_civic_answers", "speech_config"),
        *("thinking_config", "image_config", "media_resolution", "audio_timestamp", "routing_config"),
    )
)
_TOOL = frozenset(
    (
        *("function_declarations", "google_search", "google_search_retrieval", "code_execution", "url_context"),
        *("google_maps", "computer_use", "file_search", "mcp_servers", "retrieval", "enterprise_web_search"),
    )
)
_FUNCTION = frozenset(
    (
        *("name", "description", "behavior", "parameters", "parameters_json_schema", "response"),
        "response_json_schema",
    )
)
_DATA = (
    *("text", "inlineData", "functionCall", "functionResponse", "fileData", "executableCode", "codeExecutionResult"),
    *("toolCall", "toolResponse"),
)
_PART = frozenset(
    (
        *map(snake, _DATA),
        *("thought", "thought_signature", "video_metadata", "part_metadata", "media_resolution"),
    )
)
_CALLED = frozenset({"id", "name", "args", "partial_args", "will_continue"})
_ANSWERED = frozenset({"id", "name", "response", "parts", "will_continue", "scheduling"})
_BUDGETS: Sequence[tuple[str, int, int, bool]] = (
    ("gemini-2.5-pro", 128, 32_768, False),
    ("gemini-2.5-flash-lite", 512, 24_576, True),
    ("gemini-2.5-flash", 1, 24_576, True),
)
"""Least and most tokens to think, and whether 0 turns it off, by how names begin."""
_LEVELS = {"MINIMAL", "LOW", "MEDIUM", "HIGH"}
_GUIDE = "https://ai.google.dev/gemini-api/docs/thought-signatures"


def _refused(message: str) -> RefusedError:
    return RefusedError(error(400, message, "INVALID_ARGUMENT"))


def _payload(faults: Sequence[Fault]) -> RefusedError:
    """Return the refusal of a body whose JSON is not that of a request."""
    violations = [{"field": where, "description": what} for where, what in faults]
    detail = {"@type": f"{TYPE}BadRequest", "fieldViolations": violations}
    return RefusedError(error(400, "\n".join(what for _, what in faults), "INVALID_ARGUMENT", detail))


def _request(faults: Sequence[Fault]) -> RefusedError:
    """Return the refusal of a request that can be read, but is not sound."""
    return _refused("".join(f"* GenerateContentRequest.{where}: {what}\n" for where, what in faults))


def _functions(body: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all functions that are declared, each with its path."""
    for number, tool in enumerate(_listed(body, "tools")):
        for place, declared in enumerate(_listed(tool, "functionDeclarations")):
            yield f"tools[{number}].function_declarations[{place}]", declared


def _listed(holder: Any, camel: str) -> list[Any]:
    held = field(holder, camel, [])
    return held if isinstance(held, list) else [held]


# What cannot be read -------------------------------------------------------------------------------------------------


def _strange(holder: Any, allowed: frozenset[str], path: str) -> Iterator[Fault]:
    for key in holder if isinstance(holder, dict) else ():
        if snake(key) not in allowed:
            yield unknown(key, path)


def _unreadable(body: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield fields that do not exist, and values of other types.

    Sources: Google's reference, NoeFabris/opencode-antigravity-auth PR #214 (tools), Portkey-AI/gateway PR #840
    (functions); `schemas`.
    """
    yield from _strange(body, _REQUEST, "")
    config = field(body, "generationConfig")
    yield from _strange(config, _CONFIG, "generation_config")
    if field(config, "responseSchema") is not None:
        yield from unreadable(field(config, "responseSchema"), "generation_config.response_schema")
    for number, tool in enumerate(_listed(body, "tools")):
        yield from _strange(tool, _TOOL, f"tools[{number}]")
    for path, declared in _functions(body):
        yield from _strange(declared, _FUNCTION, path)
        for camel in ("parameters", "response"):
            if field(declared, camel) is not None:
                yield from unreadable(field(declared, camel), f"{path}.{camel}")
    for path, part in _parts(body):
        yield from _strange(part, _PART, path)
        if not isinstance(part.get("text", ""), str):
            yield f"{path}.text", f"Invalid value at '{path}.text' (TYPE_STRING), {part['text']!r}"
        for camel, allowed, held in (("functionCall", _CALLED, "args"), ("functionResponse", _ANSWERED, "response")):
            value = field(part, camel)
            at = f"{path}.{snake(camel)}"
            yield from _strange(value, allowed, at)
            if not isinstance(field(value, held, {}), dict):
                struct = TYPE.removesuffix("rpc.") + "protobuf.Struct"
                yield f"{at}.{held}", f"Invalid value at '{at}.{held}' ({struct}), {field(value, held)!r}"


def _parts(body: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, content in enumerate(_listed(body, "contents")):
        for place, part in enumerate(parts_of(content)):
            yield f"contents[{number}].parts[{place}]", part
    for place, part in enumerate(parts_of(field(body, "systemInstruction"))):
        yield f"system_instruction.parts[{place}]", part


# What is not sound ---------------------------------------------------------------------------------------------------


def _unfit(body: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with single fields.

    Sources: kaitranntt/ccs#25, google-gemini/gemini-cli#2966 (names), vercel/ai#3775 (no parts),
    router-for-me/CLIProxyAPI#1292, QuantumNous/new-api#1017 (empty parts); `schemas`.
    """
    for path, declared in _functions(body):
        if _NAME.fullmatch(str(field(declared, "name", ""))) is None:
            yield (
                f"{path}.name",
                "Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), "
                "underscores (_), dots (.), colons (:) or dashes (-), with a maximum length of 64.",
            )
        if (parameters := field(declared, "parameters")) is not None:
            yield from unfit(parameters, f"{path}.parameters")
    schema = field(field(body, "generationConfig"), "responseSchema")
    if schema is not None:
        yield from unfit(schema, "generation_config.response_schema")
    for number, content in enumerate(_listed(body, "contents")):
        if field(content, "role") not in _ROLES:
            yield f"contents[{number}].role", "Please use a valid role: user, model."
        if not list(parts_of(content)):
            yield f"contents[{number}].parts", "contents.parts must not be empty."
    for path, part in _parts(body):
        if all(field(part, camel) is None for camel in _DATA):
            yield f"{path}.data", "required oneof field 'data' must have one initialized field"
        for camel in ("functionCall", "functionResponse"):
            if field(part, camel) is not None and not field(field(part, camel), "name"):
                yield f"{path}.{snake(camel)}.name", "Name cannot be empty."
    if len(field(field(body, "generationConfig"), "stopSequences", ())) > _MOST_STOPS:
        # Source: Google's reference; the words are not known.
        yield "generation_config.stop_sequences", f"at most {_MOST_STOPS} sequences are allowed"


# Turns ---------------------------------------------------------------------------------------------------------------


def _count(content: Any, camel: str) -> int:
    return sum(field(part, camel) is not None for part in parts_of(content))


def _turns(contents: Sequence[Any]) -> None:
    """Check that calls and responses follow each other.

    Sources: google-gemini/gemini-cli#11814 and lobehub/lobehub#10049 (calls), langchain-ai/langchain#27799 (responses),
    google-gemini/gemini-cli#16543 and microsoft/vscode#299295 (as many of both).
    """
    for place, content in enumerate(contents):
        before = contents[place - 1] if place else None
        calls, responses = _count(content, "functionCall"), _count(content, "functionResponse")
        if calls and (before is None or field(before, "role") == "model"):
            text = "function call turn comes immediately after a user turn or after a function response turn."
            raise _refused(f"Please ensure that {text}")
        called = _count(before, "functionCall")
        if responses and not called:
            text = "function response turn comes immediately after a function call turn."
            raise _refused(f"Please ensure that {text}")
        if called != responses:
            text = "the number of function response parts is equal to the number of function call parts of the function"
            raise _refused(f"Please ensure that {text} call turn.")


def _signed(contents: Sequence[Any], name: str) -> None:
    """Check that the calls of this turn are signed, the first of each step.

    Sources: Google's guide on thought signatures, nanbingxyz/5ire#405, langgenius/dify-official-plugins#2088.
    """
    if not name.startswith("gemini-3"):
        return
    for place in range(len(contents) - 1, -1, -1):
        content = contents[place]
        if field(content, "role") != "model":
            if not _count(content, "functionResponse"):
                return
            continue
        first = next((part for part in parts_of(content) if field(part, "functionCall") is not None), None)
        if first is not None and not field(first, "thoughtSignature"):
            called = field(field(first, "functionCall"), "name")
            text = (
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                f"data, function call `default_api:{called}` , position {place + 1}. Please refer to {_GUIDE} for more "
                "details."
            )
            raise _refused(text)


# What does not go together -------------------------------------------------------------------------------------------


def _together(body: Mapping[str, Any], name: str) -> None:
    """Check fields against each other.

    Sources: googleapis/python-genai#867, symfony/ai#803 (functions beside JSON or Google's own tools, before Gemini 3),
    apache/apisix PR #13583 (calling without functions), diegosouzapw/OmniRoute#3357 (type), Google's reference (the
    rest).
    """
    config, declared = field(body, "generationConfig"), list(_functions(body))
    kind = field(config, "responseMimeType", "text/plain")
    calling = field(field(body, "toolConfig"), "functionCallingConfig")
    if calling is not None and not declared:
        raise _refused("Function calling config is set without function_declarations.")
    if field(calling, "allowedFunctionNames") and str(field(calling, "mode")).upper() not in ("ANY", "VALIDATED"):
        raise _refused("allowed_function_names should only be set when the function calling mode is ANY or VALIDATED.")
    for _, one in declared:
        parameters = field(one, "parameters")
        if parameters and str(parameters.get("type", "")).upper() != "OBJECT":
            text = f"Unable to submit request because {field(one, 'name')} functionDeclaration parameters schema"
            raise _refused(f"{text} should be of type OBJECT.")
        if parameters is not None and field(one, "parametersJsonSchema") is not None:
            raise _refused("parameters and parameters_json_schema are mutually exclusive.")
    if declared and name.startswith("gemini-2"):
        if kind != "text/plain":
            raise _refused(f"Function calling with a response mime type: '{kind}' is unsupported")
        if any(snake(key) != "function_declarations" for tool in _listed(body, "tools") for key in tool):
            raise _refused("Tool use with function calling is unsupported")
    schemas = [camel for camel in ("responseSchema", "responseJsonSchema") if field(config, camel) is not None]
    if len(schemas) > 1:
        raise _refused("response_schema must be omitted when response_json_schema is set.")
    if schemas and kind not in ("application/json", "text/x.enum"):
        text = f"{snake(schemas[0])} is only supported with a response_mime_type of application/json"
        raise _request([("generation_config.response_mime_type", text)])


def _thinking(body: Mapping[str, Any], name: str) -> None:
    """Check how much is to be thought.

    Sources: Google's guide on thinking, lobehub/lobehub PR #8122 (budgets), vercel/ai#8027 (off), juspay/neurolink
    PR #1707 (levels before Gemini 3).
    """
    config = field(field(body, "generationConfig"), "thinkingConfig")
    level, budget = field(config, "thinkingLevel"), field(config, "thinkingBudget")
    if level is not None and budget is not None:
        raise _refused("You can only set only one of thinking budget and thinking level.")
    if level is not None and name.startswith("gemini-2"):
        raise _refused("Thinking level is not supported for this model.")
    if level is not None and str(level).upper() not in _LEVELS:
        at = "generation_config.thinking_config.thinking_level"
        raise _payload([(at, f"Invalid value at '{at}', \"{level}\"")])
    limits = next((one for one in _BUDGETS if name.startswith(one[0])), None)
    if budget is None or limits is None:
        return
    _, low, high, can_stop = limits
    if budget == 0 and not can_stop:
        raise _refused("Budget 0 is invalid. This model only works in thinking mode.")
    if budget not in (0, -1) and not low <= budget <= high:
        raise _refused(f"The thinking budget {budget} is invalid. Please choose a value between {low} and {high}.")


def check_contents(body: Mapping[str, Any]) -> None:
    """Refuse contents that the vendor refuses, to be answered or counted.

    Raises
    ------
    RefusedError
        400
    """
    if not _listed(body, "contents"):
        raise _request([("contents", "contents is not specified")])
    if unread := list(_unreadable(body)):
        raise _payload(unread)
    if unsound := list(_unfit(body)):
        raise _request(unsound)


def check_content_request(body: Mapping[str, Any], name: str) -> None:
    """Refuse a request for content that the vendor refuses.

    Raises
    ------
    RefusedError
        400
    """
    check_contents(body)
    contents = _listed(body, "contents")
    _turns(contents)
    _signed(contents, name)
    _together(body, name)
    _thinking(body, name)
