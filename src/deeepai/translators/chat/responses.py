"""OpenAI's responses: requests read, whole answers, errors.

Source: OpenAI's OpenAPI document 2.3.0 and the types of its Python SDK. Nothing is kept at the upstream: requests go
with `store` off, and a reasoning item's `encrypted_content` carries what the next turn needs.

Dropped on reading: `metadata` and `store` (they stand in the answer), `truncation`, `max_tool_calls`, `service_tier`,
`context_management`, `moderation`, `prompt_cache_retention`, ids and states of items, tools that the vendor runs itself
and the items of their work. Dropped on writing: `seed`, `top_k`, the penalties, a tool result's error mark; for
reasoning models `temperature` and `top_p`. A limit below 16 output tokens becomes 16, the least that is taken.
Refused on reading: `previous_response_id` and references to items (what they name of responses that are kept here
stands in the input before), `conversation`, `background`, `prompt`, log probabilities. Refused on writing: `stop`,
`logit_bias`, sound and film, media in the model's own turns.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping

from ...declare import Answer, Failure, Json
from ...protocols.openai.usage import VENDOR_USAGE, token_usage
from . import openai
from .common import (
    Body,
    arguments_text,
    entries,
    media_kind,
    no_answer,
    number,
    objects,
    read_stop,
    refuse,
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
from .tools import Form, custom_arguments, custom_input, custom_tool, flat, with_bare_names
from .usage import tokens as told_tokens

NAME = "responses"
SUMMARY = "summary"
"""Origin of what stands, sealed, in the place of a conversation that was compacted."""
_RESULTS = ("function_call_output", "custom_tool_call_output")

# Requests: read --------------------------------------------------------------------------------------------------


def read_request(body: Body, stream: bool | None) -> Conversation:
    """Read a request."""
    for name in ("previous_response_id", "conversation", "background"):
        if body.get(name):
            refuse(name, f"This model keeps no state; {name} is not available, send the whole conversation as input")
    if body.get("prompt"):
        refuse("prompt", "Stored prompts are kept by OpenAI, whose models alone know them; send the prompt's own text")
    if body.get("top_logprobs") or "message.output_text.logprobs" in (body.get("include") or ()):
        refuse("top_logprobs", "This model gives no log probabilities")
    text = body.get("text") or {}
    reasoning = body.get("reasoning") or {}
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    return Conversation(
        turns=_read_input(body.get("instructions"), body.get("input")),
        stream=bool(body.get("stream")),
        tools=read_tools(body),
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
        if not role:
            continue
        # What a model says comes in several items; so do the results of its calls.
        group = "assistant" if role == "assistant" else "results" if kind in _RESULTS else ""
        if group and group == grouped:
            turns[-1].parts.extend(parts)
        else:
            turns.append(Turn(role, parts))  # pyright: ignore[reportArgumentType]
        grouped = group
    return turns


def _read_item(kind: str, item: Body) -> tuple[str, list[Part]]:
    """Read an item: whose it is (empty for what nobody but the vendor can use), and what is in it."""
    match kind:
        case "message":
            role = item.get("role")
            if role not in ("user", "assistant", "system", "developer"):
                refuse("input", f"This model does not know the role {role!r}")
            return "system" if role == "developer" else role, _read_content(item.get("content"))
        case "function_call" | "custom_tool_call":
            name = flat(item.get("namespace") or "", item.get("name") or "")
            custom = kind == "custom_tool_call"
            text = custom_arguments(item.get("input") or "") if custom else arguments_text(item.get("arguments"))
            return "assistant", [ToolCall(item.get("call_id") or item.get("id") or "", name, text)]
        case str() if kind in _RESULTS:
            parts = _read_content(item.get("output"))
            kept = [part for part in parts if isinstance(part, Text | Media)]
            return "user", [ToolResult(item.get("call_id") or "", kept)]
        case "reasoning":
            found = read_reasoning(item)
            return "assistant", [unseal(found.signature, found.text, NAME, id=found.id)]
        case "compaction":
            sealed = unseal(item.get("encrypted_content") or "", "", "")
            # A vendor's own is read by nobody else.
            known = sealed.origin == SUMMARY
            return "user" if known else "", [Text(f"What was said until now, in short:\n\n{sealed.text}")]
        case "item_reference":
            return refuse("input", "The items that are named are not kept: send the items themselves (store: false)")
        case _:
            return "", []


def read_reasoning(item: Body) -> Thinking:
    """Read a reasoning item."""
    found = [each for name in ("summary", "content") for each in entries(item.get(name))]
    text = "\n\n".join(one.get("text") or "" for one in found)
    return Thinking(origin=NAME, text=text, signature=item.get("encrypted_content") or "", id=item.get("id") or "")


def _read_content(content: Json) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    return [_read_part(part) for part in objects([content] if isinstance(content, dict) else content, "input.content")]


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


def _forms(tools: Json, where: str = "tools") -> Iterator[tuple[Form, Body]]:
    """Yield the caller's own tools, those in namespaces, too."""
    for tool in objects(tools, where):
        kind, name = tool.get("type"), tool.get("name") or ""
        if kind == "namespace":
            for form, inner in _forms(tool.get("tools"), "tools.tools"):
                yield Form(form.name, name, form.custom), inner
        elif kind in ("function", "custom"):
            yield Form(name, custom=kind == "custom"), tool


def read_tools(body: Body) -> list[Tool]:
    """Read the caller's functions and custom tools; tools of another kind are the vendor's own and left out."""
    tools: list[Tool] = []
    for form, tool in _forms(body.get("tools")):
        name = flat(form.namespace, form.name)
        if form.custom:
            tools.append(custom_tool(name, tool))
        else:
            strict = bool(tool.get("strict"))
            tools.append(Tool(name, tool.get("description") or "", tool.get("parameters"), strict))
    return tools


def tool_names(asked: Body) -> list[str]:
    """Return the names that the caller's tools have in a conversation."""
    return [flat(form.namespace, form.name) for form, _ in _forms(asked.get("tools"))]


def tool_forms(asked: Body) -> Mapping[str, Form]:
    """Return the caller's custom tools and those in namespaces, by their names in a conversation."""
    forms = [form for form, _ in _forms(asked.get("tools"))]
    plain = [form.name for form in forms if not form.namespace]
    return with_bare_names({flat(form.namespace, form.name): form for form in forms if form != Form(form.name)}, plain)


def _read_choice(choice: Json) -> ToolChoice | None:
    if choice is None:
        return None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice)
    if isinstance(choice, dict):
        if choice.get("type") in ("function", "custom"):
            return ToolChoice("required", [flat(choice.get("namespace") or "", choice.get("name") or "")])
        if choice.get("type") == "allowed_tools":
            tools = objects(choice.get("tools"), "tool_choice.tools")
            names = [flat(tool.get("namespace") or "", tool["name"]) for tool in tools if tool.get("name")]
            return ToolChoice("required" if choice.get("mode") == "required" else "auto", names)
        if isinstance(choice.get("type"), str):
            # One of the vendor's own tools, which are left out.
            return None
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


# Answers ---------------------------------------------------------------------------------------------------------


def read_answer(body: Json) -> Completion:
    """Read a whole answer."""
    if not isinstance(body, dict) or not isinstance(body.get("output"), list | dict):
        raise no_answer("it has no output")
    if body.get("status") in ("failed", "cancelled"):
        raise read_failure(body.get("error") or {})
    parts: list[Part] = []
    for item in entries(body["output"]):
        kind = item.get("type")
        if kind == "message":
            parts += _read_content(item.get("content"))
        elif kind in ("function_call", "custom_tool_call"):
            parts += _read_item(kind, item)[1]
        elif kind == "reasoning":
            parts.append(read_reasoning(item))
    return Completion(
        id=body.get("id") or "",
        model=body.get("model") or "",
        parts=parts,
        stop=read_end(body, any(isinstance(part, ToolCall) for part in parts)),
        usage=read_usage(body.get("usage") or {}),
        created=body.get("created_at"),
    )


def read_failure(error: Body) -> Failure:
    """Read the error of a response that failed."""
    code = error.get("code")
    status = {"rate_limit_exceeded": 429, "invalid_prompt": 400}.get(code or "", 502)
    return upstream_failure(status, error.get("message") or "The response failed", code=code)


def read_end(response: Body, called: bool) -> Stop:
    """Read why a response ends.

    Raises
    ------
    Failure
        UPSTREAM, where it is incomplete for another reason than the limit or the filter.
    """
    if response.get("status") != "incomplete":
        return Stop.TOOLS if called else Stop.END
    reason = (response.get("incomplete_details") or {}).get("reason") or "max_output_tokens"
    return Stop.LENGTH if reason == "max_output_tokens" else read_stop(reason, called)


def read_usage(usage: Json) -> Tokens:
    """Read a response's usage."""
    return told_tokens(token_usage(VENDOR_USAGE.of(usage)))


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
    """Return a response's id: an upstream's that is one, or else one of the gateway's own.

    Others need not be unique.
    """
    return id if id.startswith("resp_") else f"resp_{secrets.token_hex(24)}"


def item(part: Part, id: str, forms: Mapping[str, Form], status: str = "completed") -> Body:
    """Write a part of an answer as an item; `id` is the answer's, and the item's place in it."""
    if isinstance(part, Thinking) and part.origin == SUMMARY:
        return {"id": f"cmp_{id}", "type": "compaction", "encrypted_content": seal(part)}
    if isinstance(part, Thinking):
        summary = [{"type": "summary_text", "text": part.text}] if part.text else []
        return {"id": f"rs_{id}", "type": "reasoning", "summary": summary, "encrypted_content": seal(part)}
    if isinstance(part, ToolCall):
        return _write_call(part, id, forms.get(part.name), status)
    if not isinstance(part, Text):
        raise no_answer("it holds what a model cannot say")
    content = [content_part(part)] if status == "completed" else []
    return {"id": f"msg_{id}", "type": "message", "status": status, "content": content, "role": "assistant"}


def _write_call(call: ToolCall, id: str, form: Form | None, status: str) -> Body:
    own: Body = {"name": call.name if form is None else form.name}
    if form is not None and form.namespace:
        own["namespace"] = form.namespace
    if form is not None and form.custom:
        text = custom_input(call.arguments) if status == "completed" else ""
        return {
            "id": f"ctc_{id}",
            "type": "custom_tool_call",
            "status": status,
            "input": text,
            "call_id": call.id,
            **own,
        }
    arguments = call.arguments or ("" if status == "in_progress" else "{}")
    return {
        "id": f"fc_{id}",
        "type": "function_call",
        "status": status,
        "arguments": arguments,
        "call_id": call.id,
        **own,
    }


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
    conversation = asked.get("conversation")
    return {
        "id": answer_id(id),
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "conversation": conversation if isinstance(conversation, dict | None) else {"id": conversation},
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "max_tool_calls": asked.get("max_tool_calls"),
        "model": model,
        "output": [],
        "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
        "previous_response_id": asked.get("previous_response_id"),
        "prompt_cache_key": asked.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": asked.get("safety_identifier"),
        "service_tier": "default",
        "store": asked.get("store") is not False,
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
    forms = tool_forms(asked)
    output = [item(part, f"{base}_{place}", forms) for place, part in enumerate(parts)]
    return ended(made, completion.stop, output, completion.usage)


def read_error(answer: Answer) -> Failure:
    """Read an error answer."""
    return openai.read_error(answer)
