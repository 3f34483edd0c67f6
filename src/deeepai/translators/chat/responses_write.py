"""OpenAI's responses: requests written, as its models take them.

What is dropped and refused stands in `responses`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from ...declare import Json
from .common import Body, data_url, refuse, result_text
from .fitting import Limits
from .model import Conversation, Media, OutputFormat, Part, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult
from .openai_write import LIMITS as CHAT_LIMITS
from .openai_write import REASONING_MODEL, history_arguments, write_effort, write_function, write_schema
from .responses import NAME

LEAST_TOKENS = 16
LIMITS: Final = dataclasses.replace(CHAT_LIMITS, id_length=64)


def limits(model: str) -> Limits:
    """Return what the vendor takes."""
    return LIMITS


def write_request(conversation: Conversation, model: str) -> Body:
    """Write a request."""
    if conversation.stop:
        refuse("stop", "This model takes no stop sequences")
    if conversation.logit_bias:
        refuse("logit_bias", "This model takes no logit_bias")
    body: Body = {"model": model, "store": False}
    items: list[Body] = []
    for place, turn in enumerate(conversation.turns):
        if turn.role == "system":
            words = "\n\n".join(part.text for part in turn.parts if isinstance(part, Text))
            if place == 0 and len(conversation.turns) > 1:
                body["instructions"] = words
            else:
                items.append({"role": "system", "content": words})
        elif turn.role == "user":
            _write_user(turn.parts, items)
        else:
            for part in turn.parts:
                _write_own(part, items)
    body["input"] = items
    if conversation.stream:
        body["stream"] = True
    if conversation.max_tokens is not None:
        body["max_output_tokens"] = max(LEAST_TOKENS, conversation.max_tokens)
    reasons = REASONING_MODEL.match(model) is not None
    if not reasons:
        if conversation.temperature is not None:
            body["temperature"] = conversation.temperature
        if conversation.top_p is not None:
            body["top_p"] = conversation.top_p
    if conversation.tools:
        body["tools"] = [_write_tool(tool) for tool in conversation.tools]
        if conversation.parallel is not None:
            body["parallel_tool_calls"] = conversation.parallel
        if conversation.tool_choice is not None:
            body["tool_choice"] = _write_choice(conversation.tool_choice)
    text: Body = {}
    if conversation.output is not None:
        text["format"] = _write_output(conversation.output)
    if conversation.verbosity:
        text["verbosity"] = conversation.verbosity
    if text:
        body["text"] = text
    reasoning: Body = {}
    effort = write_effort(conversation)
    if effort:
        reasoning["effort"] = effort
    if conversation.reasoning is not None and conversation.reasoning.show:
        reasoning["summary"] = "auto"
    if reasoning:
        body["reasoning"] = reasoning
    if reasons or effort not in ("", "none"):
        body["include"] = ["reasoning.encrypted_content"]
    if 0 < len(conversation.user) <= 64:
        body["safety_identifier"] = conversation.user
    if conversation.cache_key:
        body["prompt_cache_key"] = conversation.cache_key
    return body


def _write_user(parts: Sequence[Part], items: list[Body]) -> None:
    for part in parts:
        if isinstance(part, ToolResult):
            plain = all(isinstance(one, Text) for one in part.parts)
            output: Json = result_text(part) if plain else [_write_part(one) for one in part.parts]
            items.append({"type": "function_call_output", "call_id": part.id, "output": output})
    shown = [part for part in parts if isinstance(part, Text | Media)]
    if len(shown) == 1 and isinstance(shown[0], Text):
        items.append({"role": "user", "content": shown[0].text})
    elif shown:
        items.append({"role": "user", "content": [_write_part(part) for part in shown]})


def _write_part(part: Text | Media) -> Body:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if part.kind == "image":
        image: Body = {"type": "input_image", "detail": part.detail or "auto"}
        return image | ({"file_id": part.file_id} if part.file_id else {"image_url": data_url(part)})
    if part.kind == "document":
        if part.file_id:
            return {"type": "input_file", "file_id": part.file_id}
        if part.url:
            return {"type": "input_file", "file_url": part.url}
        return {"type": "input_file", "filename": part.name or "document.pdf", "file_data": data_url(part)}
    return refuse("messages", f"This model takes no {part.kind}")


def _write_own(part: Part, items: list[Body]) -> None:
    if isinstance(part, Text):
        if part.text:
            items.append({"role": "assistant", "content": part.text})
    elif isinstance(part, Thinking):
        if part.origin == NAME and part.signature:
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            items.append({"type": "reasoning", "id": part.id, "summary": summary, "encrypted_content": part.signature})
    elif isinstance(part, ToolCall):
        items.append(
            {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": history_arguments(part)}
        )
    else:
        refuse("messages", "This model takes no media in its own earlier answers")


def _write_tool(tool: Tool) -> Body:
    return {"type": "function", **write_function(tool), "strict": tool.strict}


def _write_choice(choice: ToolChoice) -> Json:
    if not choice.names:
        return choice.mode
    if len(choice.names) == 1 and choice.mode == "required":
        return {"type": "function", "name": choice.names[0]}
    tools = [{"type": "function", "name": name} for name in choice.names]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}


def _write_output(output: OutputFormat) -> Body:
    return {"type": "json_object"} if output.schema is None else {"type": "json_schema", **write_schema(output)}
