"""OpenAI's responses: requests, whole answers, errors.

Source: OpenAI's OpenAPI document 2.3.0 and the types of its Python SDK. Nothing is kept at the upstream: requests go
with `store` off, and a reasoning item's `encrypted_content` carries what the next turn needs.

Dropped on reading: `metadata` (it stands in the answer), `store`, `truncation`, `max_tool_calls`, `service_tier`,
`context_management`, `moderation`, `prompt_cache_retention`, ids and states of items. Dropped on writing: `seed`,
`top_k`, the penalties, a tool result's error mark; for reasoning models `temperature` and `top_p`. A limit below 16
output tokens becomes 16, the least that is taken.
Refused on reading: `previous_response_id`, `conversation`, `background`, `prompt`, log probabilities, tools and items
other than functions, references to items. Refused on writing: `stop`, `logit_bias`, sound and film, media in the
model's own turns.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...declare import Answer, Failure, Json
from ...protocols.openai.usage import VENDOR_USAGE, token_usage
from . import openai
from .common import (
    Body,
    data_url,
    media_kind,
    no_answer,
    number,
    objects,
    refuse,
    result_text,
    seal,
    split_data_url,
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

NAME = "responses"
LEAST_TOKENS = 16

# Requests: read --------------------------------------------------------------------------------------------------


def read_request(body: Body, stream: bool | None) -> Conversation:
    """Read a request."""
    for name in ("previous_response_id", "conversation", "background", "prompt"):
        if body.get(name):
            refuse(name, f"This model keeps no state; {name} is not available, send the whole conversation as input")
    if body.get("top_logprobs") or "message.output_text.logprobs" in (body.get("include") or ()):
        refuse("top_logprobs", "This model gives no log probabilities")
    text = body.get("text") or {}
    reasoning = body.get("reasoning") or {}
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    return Conversation(
        turns=_read_input(body.get("instructions"), body.get("input")),
        stream=bool(body.get("stream")),
        tools=[_read_tool(tool) for tool in objects(body.get("tools"), "tools")],
        tool_choice=_read_choice(body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls"),
        max_tokens=number(body, "max_output_tokens"),
        temperature=number(body, "temperature"),
        top_p=number(body, "top_p"),
        output=_read_output(text.get("format")),
        reasoning=Reasoning(reasoning.get("effort") or "", show=True if summary else None) if reasoning else None,
        verbosity=text.get("verbosity") or "",
        user=body.get("safety_identifier") or body.get("user") or "",
        cache_key=body.get("prompt_cache_key") or "",
    )


def _read_input(instructions: Json, input: Json) -> list[Turn]:
    turns: list[Turn] = []
    if isinstance(instructions, str) and instructions:
        turns.append(Turn("system", [Text(instructions)]))
    if isinstance(input, str):
        return [*turns, Turn("user", [Text(input)])]
    grouped = ""
    for item in objects(input, "input"):
        kind = item.get("type") or "message"
        role, parts = _read_item(kind, item)
        # What a model says comes in several items; so do the results of its calls.
        group = "assistant" if role == "assistant" else kind if kind == "function_call_output" else ""
        if group and group == grouped:
            turns[-1].parts.extend(parts)
        else:
            turns.append(Turn(role, parts))  # pyright: ignore[reportArgumentType]
        grouped = group
    return turns


def _read_item(kind: str, item: Body) -> tuple[str, list[Part]]:
    match kind:
        case "message":
            role = item.get("role")
            if role not in ("user", "assistant", "system", "developer"):
                refuse("input", f"This model does not know the role {role!r}")
            return "system" if role == "developer" else role, _read_content(item.get("content"))
        case "function_call":
            call = ToolCall(item.get("call_id") or "", item.get("name") or "", item.get("arguments") or "")
            return "assistant", [call]
        case "function_call_output":
            parts = _read_content(item.get("output"))
            kept = [part for part in parts if isinstance(part, Text | Media)]
            return "user", [ToolResult(item.get("call_id") or "", kept)]
        case "reasoning":
            found = read_reasoning(item)
            return "assistant", [unseal(found.signature, found.text, NAME, id=found.id)]
        case _:
            return refuse("input", f"This model takes no item of type {kind!r}")


def read_reasoning(item: Body) -> Thinking:
    """Read a reasoning item."""
    found = [*(item.get("summary") or ()), *(item.get("content") or ())]
    text = "\n\n".join(one.get("text") or "" for one in found)
    return Thinking(origin=NAME, text=text, signature=item.get("encrypted_content") or "", id=item.get("id") or "")


def _read_content(content: Json) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    return [_read_part(part) for part in objects(content, "input.content")]


def _read_part(part: Body) -> Part:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return Text(part.get("text") or "")
        case "refusal":
            return Text(part.get("refusal") or "", refusal=True)
        case "input_image":
            detail = part.get("detail") or ""
            if part.get("file_id"):
                return Media(kind="image", file_id=part["file_id"], detail=detail)
            url = part.get("image_url") or ""
            found = split_data_url(url)
            if found is not None:
                return Media(kind="image", media_type=found[0], data=found[1], detail=detail)
            if not url.startswith(("http://", "https://")):
                refuse("input.content.image_url", "The address of an image must be http(s) or a data URL in base64")
            return Media(kind="image", url=url, detail=detail)
        case "input_file":
            name = part.get("filename") or ""
            if part.get("file_id"):
                return Media(kind="document", file_id=part["file_id"], name=name)
            if part.get("file_url"):
                return Media(kind="document", url=part["file_url"], name=name)
            data = part.get("file_data") or ""
            found = split_data_url(data) or ("application/pdf", data)
            return Media(kind=media_kind(found[0]), media_type=found[0], data=found[1], name=name)
        case kind:
            return refuse("input.content", f"This model takes no content of type {kind!r}")


def _read_tool(tool: Body) -> Tool:
    if tool.get("type") != "function":
        refuse("tools", f"This model has no tool of type {tool.get('type')!r}")
    return Tool(tool.get("name") or "", tool.get("description") or "", tool.get("parameters"), bool(tool.get("strict")))


def _read_choice(choice: Json) -> ToolChoice | None:
    if choice is None:
        return None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice)
    if isinstance(choice, dict):
        if choice.get("type") == "function":
            return ToolChoice("required", [choice.get("name") or ""])
        if choice.get("type") == "allowed_tools":
            names = [tool.get("name") or "" for tool in objects(choice.get("tools"), "tool_choice.tools")]
            return ToolChoice("required" if choice.get("mode") == "required" else "auto", names)
    return refuse("tool_choice", "This model does not know such a tool_choice")


def _read_output(output: Json) -> OutputFormat | None:
    kind = output.get("type") if isinstance(output, dict) else None
    if output is None or kind == "text":
        return None
    if kind == "json_object":
        return OutputFormat()
    if kind == "json_schema":
        return OutputFormat(
            output.get("schema") or {}, output.get("name") or "", output.get("description") or "", output.get("strict")
        )
    return refuse("text.format", f"This model does not know the format {kind!r}")


# Requests: write -------------------------------------------------------------------------------------------------


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
    reasons = openai.REASONING_MODEL.match(model) is not None
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
    effort = openai.write_effort(conversation)
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
        items.append({"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments})
    else:
        refuse("messages", "This model takes no media in its own earlier answers")


def _write_tool(tool: Tool) -> Body:
    return {"type": "function", **openai.write_function(tool), "strict": tool.strict}


def _write_choice(choice: ToolChoice) -> Json:
    if not choice.names:
        return choice.mode
    if len(choice.names) == 1 and choice.mode == "required":
        return {"type": "function", "name": choice.names[0]}
    tools = [{"type": "function", "name": name} for name in choice.names]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}


def _write_output(output: OutputFormat) -> Body:
    if output.schema is None:
        return {"type": "json_object"}
    made: Body = {"type": "json_schema", "name": output.name or "answer", "schema": output.schema}
    if output.description:
        made["description"] = output.description
    if output.strict is not None:
        made["strict"] = output.strict
    return made


# Answers ---------------------------------------------------------------------------------------------------------


def read_answer(body: Json) -> Completion:
    """Read a whole answer."""
    if not isinstance(body, dict) or not isinstance(body.get("output"), list):
        raise no_answer("it has no output")
    if body.get("status") == "failed":
        raise read_failure(body.get("error") or {})
    parts: list[Part] = []
    for item in body["output"]:
        kind = item.get("type")
        if kind == "message":
            parts += _read_content(item.get("content"))
        elif kind == "function_call":
            parts += _read_item(kind, item)[1]
        elif kind == "reasoning":
            parts.append(read_reasoning(item))
    return Completion(
        id=body.get("id") or "",
        model=body.get("model") or "",
        parts=parts,
        stop=read_stop(body, any(isinstance(part, ToolCall) for part in parts)),
        usage=read_usage(body.get("usage") or {}),
        created=int(body.get("created_at") or 0) or None,
    )


def read_failure(error: Body) -> Failure:
    """Read the error of a response that failed."""
    code = error.get("code")
    status = {"rate_limit_exceeded": 429, "invalid_prompt": 400}.get(code or "", 502)
    return upstream_failure(status, error.get("message") or "The response failed", code=code)


def read_stop(response: Body, called: bool) -> Stop:
    """Read why a response ends."""
    if response.get("status") == "incomplete":
        reason = (response.get("incomplete_details") or {}).get("reason")
        return Stop.FILTERED if reason == "content_filter" else Stop.LENGTH
    return Stop.TOOLS if called else Stop.END


def read_usage(usage: Body) -> Tokens:
    """Read a response's usage."""
    return tokens(token_usage(VENDOR_USAGE.of(usage)))


def write_usage(usage: Tokens) -> Body:
    """Write a response's usage."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def answer_id(id: str) -> str:
    """Return an upstream's id as a response's."""
    return id if id.startswith("resp_") else f"resp_{id.removeprefix('chatcmpl-').removeprefix('msg_')}"


def item(part: Part, id: str, status: str = "completed") -> Body:
    """Write a part of an answer as an item; `id` is the answer's, and the item's place in it."""
    if isinstance(part, Thinking):
        summary = [{"type": "summary_text", "text": part.text}] if part.text else []
        return {"id": f"rs_{id}", "type": "reasoning", "summary": summary, "encrypted_content": seal(part)}
    if isinstance(part, ToolCall):
        return {
            "id": f"fc_{id}",
            "type": "function_call",
            "status": status,
            "arguments": part.arguments or ("" if status == "in_progress" else "{}"),
            "call_id": part.id,
            "name": part.name,
        }
    if not isinstance(part, Text):
        raise no_answer("it holds what a model cannot say")
    content = [content_part(part)] if status == "completed" else []
    return {"id": f"msg_{id}", "type": "message", "status": status, "content": content, "role": "assistant"}


def content_part(text: Text) -> Body:
    """Write text as the content of a message."""
    if text.refusal:
        return {"type": "refusal", "refusal": text.text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text.text}


def response(id: str, model: str, asked: Body, created: int) -> Body:
    """Return a response in progress; most of it says again what was asked for."""
    tools = [
        {"parameters": None, "strict": None, **tool} if tool.get("type") == "function" else tool
        for tool in asked.get("tools") or ()
    ]
    reasoning = asked.get("reasoning") or {}
    return {
        "id": answer_id(id),
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "max_tool_calls": asked.get("max_tool_calls"),
        "model": model,
        "output": [],
        "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "prompt_cache_key": asked.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": asked.get("safety_identifier"),
        "service_tier": "default",
        "store": False,
        "temperature": asked.get("temperature", 1.0),
        "text": asked.get("text") or {"format": {"type": "text"}},
        "tool_choice": asked.get("tool_choice") or "auto",
        "tools": tools,
        "top_p": asked.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "user": asked.get("user"),
        "metadata": asked.get("metadata") or {},
    }


def ended(made: Body, stop: Stop, output: list[Body], usage: Tokens) -> Body:
    """Return a response in progress as one that has ended."""
    reason = {Stop.LENGTH: "max_output_tokens", Stop.FILTERED: "content_filter"}.get(stop)
    made = made | {"status": "incomplete" if reason else "completed", "output": output, "usage": write_usage(usage)}
    if reason:
        made["incomplete_details"] = {"reason": reason}
    else:
        made["completed_at"] = int(time.time())
    return made


def write_answer(completion: Completion, model: str, asked: Body) -> Body:
    """Write a whole answer."""
    made = response(completion.id, model, asked, completion.created or int(time.time()))
    parts = [part for part in completion.parts if not isinstance(part, Thinking) or part.text or part.signature]
    base = made["id"].removeprefix("resp_")
    output = [item(part, f"{base}_{place}") for place, part in enumerate(parts)]
    return ended(made, completion.stop, output, completion.usage)


def read_error(answer: Answer) -> Failure:
    """Read an error answer."""
    return openai.read_error(answer)
