"""OpenAI's chat completions: requests written, as its models and those of relays take them.

What is dropped and refused stands in `openai`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Final

from ...declare import Json, lenient_json
from .common import Body, arguments, data_url, effort_of, encode, refuse, result_text
from .fitting import Limits, fitted_name
from .model import Conversation, Media, OutputFormat, Part, Text, Tool, ToolCall, ToolChoice, ToolResult
from .openai import NAME, write_message
from .schemas import is_strict, output_schema, tool_schema

REASONING_MODEL = re.compile(r"(?:.*/)?(?:o\d|gpt-(?:[5-9]|\d\d)(?!.*chat))")
"""Models that take no sampling parameters, and `max_completion_tokens` instead of `max_tokens`."""
MOST_OUTPUT: Final = {
    **dict.fromkeys(("gpt-3.5-turbo", "gpt-4-turbo", "gpt-4o-2024-05-13"), 4096),
    "gpt-4o": 16_384,
    "gpt-4.1": 32_768,
}
"""Of the models that write less than agents ask for. Source: OpenAI's overview of models; opencode-ai/opencode#140."""
LIMITS: Final = Limits(
    name=re.compile(r"[a-zA-Z0-9_-]+"), name_length=64, id=re.compile(r"\S+"), id_length=40, output=MOST_OUTPUT
)
_MISTRAL: Final = dataclasses.replace(LIMITS, id=re.compile(r"[a-zA-Z0-9]{9}"), id_length=9)
_OF_MISTRAL = re.compile(r"(mi|mag|code?|dev|pix|mini)s?tral|voxtral")


def limits(model: str) -> Limits:
    """Return what the vendor takes; Mistral's models want ids of nine letters and digits."""
    return _MISTRAL if _OF_MISTRAL.search(model) else LIMITS


def write_request(conversation: Conversation, model: str) -> Body:
    """Write a request."""
    messages: list[Body] = []
    # Relays take Anthropic's marks for its models, and only for those.
    caches = "claude" in model
    for turn in conversation.turns:
        if turn.role == "system":
            texts = [part for part in turn.parts if isinstance(part, Text)]
            if caches and any(text.cache is not None for text in texts):
                messages.append({"role": "system", "content": [_write_part(text, caches) for text in texts]})
            else:
                messages.append({"role": "system", "content": "\n\n".join(text.text for text in texts)})
        elif turn.role == "user":
            _write_user(turn.parts, messages, caches)
        else:
            message = _write_assistant(turn.parts)
            if message is not None:
                messages.append(message)
    body: Body = {"model": model, "messages": messages}
    if conversation.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    reasons = REASONING_MODEL.match(model) is not None
    if conversation.max_tokens is not None:
        body["max_completion_tokens" if reasons else "max_tokens"] = conversation.max_tokens
    if not reasons:
        for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
            if getattr(conversation, name) is not None:
                body[name] = getattr(conversation, name)
    if conversation.seed is not None:
        body["seed"] = conversation.seed
    if conversation.logit_bias:
        body["logit_bias"] = conversation.logit_bias
    if conversation.stop:
        body["stop"] = conversation.stop
    if conversation.tools:
        body["tools"] = [_write_tool(tool, caches) for tool in conversation.tools]
        if conversation.parallel is not None:
            body["parallel_tool_calls"] = conversation.parallel
        if conversation.tool_choice is not None:
            body["tool_choice"] = _write_choice(conversation.tool_choice)
    if conversation.output is not None:
        body["response_format"] = _write_output(conversation.output)
    effort = write_effort(conversation)
    if effort:
        body["reasoning_effort"] = effort
    if conversation.verbosity:
        body["verbosity"] = conversation.verbosity
    if 0 < len(conversation.user) <= 64:
        body["safety_identifier"] = conversation.user
    if conversation.cache_key:
        body["prompt_cache_key"] = conversation.cache_key
    return body


def write_effort(conversation: Conversation) -> str:
    """Return the effort that a conversation asks for in OpenAI's words; empty where it asks for none."""
    reasoning = conversation.reasoning
    if reasoning is None:
        return ""
    return reasoning.effort or (effort_of(reasoning.budget) if reasoning.budget is not None else "")


def write_function(tool: Tool) -> Body:
    """Write a tool's name, description, parameters and strictness."""
    function: Body = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool_schema(tool.schema or {}, "openai")
    if tool.strict and is_strict(function["parameters"]):
        function["strict"] = True
    return function


def write_schema(output: OutputFormat) -> Body:
    """Write the schema that an answer has to be by."""
    schema = output_schema(output.schema, "openai")
    written: Body = {"name": fitted_name(output.name, LIMITS) or "answer", "schema": schema}
    if output.description:
        written["description"] = output.description
    if output.strict is not None:
        written["strict"] = output.strict and is_strict(schema)
    return written


def history_arguments(call: ToolCall) -> str:
    """Return a call's arguments as they are; as an object, where a model wrote none."""
    found = lenient_json(call.arguments.encode("utf-8", "surrogatepass"))
    return call.arguments if isinstance(found, dict) else encode(arguments(call.arguments)).decode()


def _write_tool(tool: Tool, caches: bool) -> Body:
    written: Body = {"type": "function", "function": write_function(tool)}
    return written | {"cache_control": tool.cache} if caches and tool.cache is not None else written


def _write_user(parts: Sequence[Part], messages: list[Body], caches: bool) -> None:
    shown: list[Part] = []
    for part in parts:
        if isinstance(part, ToolResult):
            content: Json = result_text(part)
            if caches and part.cache is not None:
                content = [{"type": "text", "text": content, "cache_control": part.cache}]
            messages.append({"role": "tool", "tool_call_id": part.id, "content": content})
            # A tool's message holds text only: what it shows follows as the user's.
            shown += [inner for inner in part.parts if isinstance(inner, Media)]
    shown += [part for part in parts if isinstance(part, Text | Media)]
    plain = shown[0] if len(shown) == 1 else None
    if isinstance(plain, Text) and not (caches and plain.cache is not None):
        messages.append({"role": "user", "content": plain.text})
    elif shown:
        messages.append({"role": "user", "content": [_write_part(part, caches) for part in shown]})


def _write_part(part: Part, caches: bool) -> Body:
    written = _write_given(part)
    if caches and isinstance(part, Text | Media) and part.cache is not None:
        written["cache_control"] = part.cache
    return written


def _write_given(part: Part) -> Body:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if not isinstance(part, Media):
        return refuse("messages", "This content cannot stand in a user's message")
    if part.kind == "image" and not part.file_id:
        image: Body = {"url": data_url(part)}
        if part.detail:
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image}
    if part.kind == "audio" and part.data:
        kind = part.media_type.partition("/")[2].removeprefix("x-")
        form = {"mpeg": "mp3", "wave": "wav"}.get(kind, kind)
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}}
    if part.kind == "document" and part.file_id:
        return {"type": "file", "file": {"file_id": part.file_id}}
    if part.kind == "document" and part.data:
        file = {"filename": part.name or "document.pdf", "file_data": data_url(part)}
        return {"type": "file", "file": file}
    return refuse("messages", f"This model takes no {part.kind} in this form (by address or id)")


def _write_assistant(parts: Sequence[Part]) -> Body | None:
    message = write_message(parts, NAME, _write_call)
    if message["content"] is None and "tool_calls" not in message and "refusal" not in message:
        return None
    return message


def _write_call(call: ToolCall) -> Body:
    function = {"name": call.name, "arguments": history_arguments(call)}
    return {"id": call.id, "type": "function", "function": function}


def _write_choice(choice: ToolChoice) -> Json:
    if not choice.names:
        return choice.mode
    if len(choice.names) == 1 and choice.mode == "required":
        return {"type": "function", "function": {"name": choice.names[0]}}
    tools = [{"type": "function", "function": {"name": name}} for name in choice.names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}


def _write_output(output: OutputFormat) -> Body:
    if output.schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": write_schema(output)}
