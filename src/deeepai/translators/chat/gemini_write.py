"""Gemini's generateContent: requests written, as its models take them.

What is dropped and refused stands in `gemini`.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from .common import (
    Body,
    arguments,
    budget_of,
    decode,
    effort_of,
    guess_type,
    hoisted,
    refuse,
    result_text,
)
from .fitting import Limits
from .gemini import NAME, UNSIGNED
from .model import (
    Conversation,
    Media,
    Part,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from .schemas import output_schema, tool_schema

LIMITS: Final = Limits(
    name=re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*"),
    name_length=64,
    id=re.compile(r"\S+"),
    id_length=128,
    # Source: Google's overview of models.
    output={"gemini-1.5": 8192, "gemini-2.0": 8192, "gemini-2.5": 65_536, "gemini-3": 65_536},
)
_BUDGETED = re.compile(r"gemini-2\.5")
_UNTHINKING = re.compile(r"gemini-(1|2\.0)|gemma")
_OLD = re.compile(r"gemini-[12]|gemma")


def limits(model: str) -> Limits:
    """Return what the vendor takes."""
    return LIMITS


def write_request(conversation: Conversation, model: str) -> Body:
    """Write a request; the model stands in the path."""
    if conversation.logit_bias:
        refuse("logit_bias", "This model takes no logit_bias")
    system, turns = hoisted(conversation)
    names = {part.id: part.name for turn in turns for part in turn.parts if isinstance(part, ToolCall)}
    old = _OLD.search(model) is not None
    contents: list[Body] = []
    for turn in turns:
        if turn.role == "assistant":
            parts = _write_own(turn.parts, signed=not old)
        else:
            parts = _write_given(turn.parts, names, old)
        if parts:
            contents.append({"role": "model" if turn.role == "assistant" else "user", "parts": parts})
    body: Body = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": [{"text": text.text} for text in system]}
    config: Body = {}
    for name, value in (
        ("maxOutputTokens", conversation.max_tokens),
        ("temperature", conversation.temperature),
        ("topP", conversation.top_p),
        ("topK", conversation.top_k),
        ("stopSequences", conversation.stop or None),
        ("seed", conversation.seed),
        ("presencePenalty", conversation.presence_penalty),
        ("frequencyPenalty", conversation.frequency_penalty),
    ):
        if value is not None:
            config[name] = value
    if conversation.output is not None:
        config["responseMimeType"] = "application/json"
        if conversation.output.schema is not None:
            config["responseJsonSchema"] = output_schema(conversation.output.schema, "gemini")
    thinking = _write_reasoning(conversation.reasoning, model)
    if thinking:
        config["thinkingConfig"] = thinking
    if config:
        body["generationConfig"] = config
    if conversation.tools:
        body["tools"] = [{"functionDeclarations": [_write_tool(tool) for tool in conversation.tools]}]
        choice = conversation.tool_choice
        if choice is not None:
            # Names restrict only where a call is forced; a choice among some is then left to VALIDATED.
            mode = {"auto": "VALIDATED" if choice.names else "AUTO", "required": "ANY", "none": "NONE"}[choice.mode]
            calling: Body = {"mode": mode}
            if choice.names:
                calling["allowedFunctionNames"] = choice.names
            body["toolConfig"] = {"functionCallingConfig": calling}
    return body


def _write_tool(tool: Tool) -> Body:
    made: Body = {"name": tool.name}
    if tool.description:
        made["description"] = tool.description
    if tool.schema is not None:
        made["parametersJsonSchema"] = tool_schema(tool.schema, "gemini")
    return made


def _write_own(parts: list[Part], *, signed: bool) -> list[Body]:
    made: list[Body] = []
    signature = ""
    called = False
    for part in parts:
        if isinstance(part, Thinking):
            signature = part.signature if part.origin == NAME and part.signature else signature
        elif isinstance(part, ToolCall):
            call = {"id": part.id, "name": part.name, "args": arguments(part.arguments)}
            one: Body = {"functionCall": call}
            if signature or (signed and not called):
                one["thoughtSignature"] = signature or UNSIGNED
            signature, called = "", True
            made.append(one)
        elif isinstance(part, Text) and part.text:
            made.append({"text": part.text})
        elif isinstance(part, Media):
            made.append(_write_media(part))
    return made


def _write_given(parts: list[Part], names: dict[str, str], old: bool) -> list[Body]:
    made: list[Body] = []
    beside: list[Body] = []
    for part in parts:
        if isinstance(part, Text):
            if part.text:
                made.append({"text": part.text})
        elif isinstance(part, Media):
            made.append(_write_media(part))
        elif isinstance(part, ToolResult):
            media = [_write_media(one) for one in part.parts if isinstance(one, Media)]
            name = part.name or names[part.id]
            response: Body = {"id": part.id, "name": name, "response": _write_result(part)}
            if media and not old:
                response["parts"] = media
            else:
                beside += media
            made.append({"functionResponse": response})
    return made + beside


def _write_result(result: ToolResult) -> Body:
    text = result_text(result)
    if result.error:
        return {"error": text}
    if text.startswith("{"):
        try:
            found = decode(text.encode())
        except (msgspec.DecodeError, ValueError):
            found = None
        if isinstance(found, dict) and set(found) not in ({"output"}, {"error"}, set()):
            return found
    return {"output": text}


def _write_media(media: Media) -> Body:
    if media.file_id:
        refuse("messages", "This model cannot look up stored files")
    if media.url:
        return {"fileData": {"fileUri": media.url, "mimeType": guess_type(media)}}
    blob: Body = {"mimeType": guess_type(media), "data": media.data}
    return {"inlineData": blob}


def _write_reasoning(reasoning: Reasoning | None, model: str) -> Body | None:
    if reasoning is None or _UNTHINKING.search(model):
        return None
    effort, budget = reasoning.effort, reasoning.budget
    made: Body = {}
    if _BUDGETED.search(model):
        if budget is None:
            budget = budget_of(effort) if effort else -1
        if budget is not None and budget >= 0:
            most, least = (32768, 128) if "pro" in model else (24576, 512 if budget and "lite" in model else 0)
            budget = max(least, min(budget, most))
        made["thinkingBudget"] = budget
    else:
        effort = effort or (effort_of(budget) if budget is not None else "")
        least = "low" if "pro" in model else "minimal"
        level = {"none": least, "minimal": least, "xhigh": "high", "max": "high"}.get(effort, effort)
        if level:
            made["thinkingLevel"] = level.upper()
    if reasoning.show is not False and effort != "none":
        made["includeThoughts"] = True
    return made or None
