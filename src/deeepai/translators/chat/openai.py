"""OpenAI's chat completions: requests read, whole answers, errors.

Source: OpenAI's OpenAPI document 2.3.0; `reasoning_content` is the convention of relays and of DeepSeek,
`reasoning_details` that of OpenRouter (here it holds signatures that another upstream wants back).

Dropped on reading, as they change nothing that the caller would miss: `metadata`, `store`, `service_tier`,
`prediction`, `prompt_cache_retention`, `moderation`, a message's `name`, fields that the specification does not have,
tools that the vendor runs itself, `web_search_options` with them. Dropped on writing: `top_k`, a tool result's error
mark; for reasoning models, which refuse them, `temperature`, `top_p` and the penalties.
Refused on reading: `n` above 1, `logprobs`, audio output, `functions`, stored audio.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from ...declare import Answer, Failure, Json, Reason
from ...protocols.openai.usage import VENDOR_USAGE, token_usage
from .common import (
    Body,
    arguments_text,
    entries,
    error_object,
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
from .tools import Form, custom_arguments, custom_input, custom_tool
from .usage import tokens as told_tokens

NAME = "openai"
REASONS = {
    Stop.END: "stop",
    Stop.SEQUENCE: "stop",
    Stop.LENGTH: "length",
    Stop.TOOLS: "tool_calls",
    Stop.FILTERED: "content_filter",
}

# Requests: read --------------------------------------------------------------------------------------------------


def read_request(body: Body, stream: bool | None) -> Conversation:
    """Read a request."""
    _refuse_what_is_alone_here(body)
    conversation = Conversation(
        turns=_read_messages(objects(body.get("messages"), "messages")),
        stream=bool(body.get("stream")),
        tools=read_tools(body),
        tool_choice=_read_choice(body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls"),
        max_tokens=number(body, "max_completion_tokens") or number(body, "max_tokens"),
        temperature=number(body, "temperature"),
        top_p=number(body, "top_p"),
        top_k=number(body, "top_k"),
        stop=_read_stop(body.get("stop")),
        seed=number(body, "seed"),
        presence_penalty=number(body, "presence_penalty"),
        frequency_penalty=number(body, "frequency_penalty"),
        logit_bias=body.get("logit_bias"),
        output=_read_output(body.get("response_format")),
        verbosity=body.get("verbosity") or "",
        user=body.get("safety_identifier") or body.get("user") or "",
        cache_key=body.get("prompt_cache_key") or "",
    )
    conversation.reasoning = _read_reasoning(body)
    return conversation


def _read_reasoning(body: Body) -> Reasoning | None:
    if body.get("reasoning_effort"):
        return Reasoning(body["reasoning_effort"])
    # Relays' own words for it: OpenRouter's, and Anthropic's inside of OpenAI's format.
    found, thinking = body.get("reasoning"), body.get("thinking")
    if isinstance(found, dict) and (found.get("effort") or found.get("max_tokens")):
        return Reasoning(found.get("effort") or "", found.get("max_tokens"), False if found.get("exclude") else None)
    if isinstance(thinking, dict) and thinking.get("type") == "disabled":
        return Reasoning("none")
    if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive"):
        return Reasoning(budget=thinking.get("budget_tokens"))
    return None


def _refuse_what_is_alone_here(body: Body) -> None:
    if (number(body, "n") or 1) > 1:
        refuse("n", "This model gives one answer to a request; n must be 1")
    if body.get("logprobs") or body.get("top_logprobs"):
        refuse("logprobs", "This model gives no log probabilities")
    if "audio" in (body.get("modalities") or ()):
        refuse("modalities", "This model gives no audio")
    if body.get("functions"):
        refuse("functions", "Use tools instead of functions with this model")


def _read_stop(stop: Json) -> list[str]:
    if stop is None:
        return []
    if isinstance(stop, str):
        return [stop]
    if isinstance(stop, list) and all(isinstance(one, str) for one in stop):
        return stop
    raise Failure(Reason.INVALID, "stop must be a string or an array of strings", param="stop")


def _read_messages(messages: list[Body]) -> list[Turn]:
    turns: list[Turn] = []
    answering = False
    for message in messages:
        role = message.get("role")
        if role == "tool":
            parts = _read_marked(message)
            shown = [part for part in parts if isinstance(part, Text | Media)]
            # A mark is of the whole result.
            cache = next((part.cache for part in shown if part.cache is not None), None)
            for part in shown:
                part.cache = None
            result = ToolResult(str(message.get("tool_call_id") or ""), shown, cache=cache)
            if answering:
                turns[-1].parts.append(result)
            else:
                turns.append(Turn("user", [result]))
            answering = True
            continue
        answering = False
        if role in ("system", "developer"):
            turns.append(Turn("system", _read_marked(message)))
        elif role == "user":
            turns.append(Turn("user", _read_marked(message)))
        elif role == "assistant":
            turns.append(Turn("assistant", _read_assistant(message)))
        else:
            refuse("messages", f"This model does not know the role {role!r}")
    return turns


def _read_marked(message: Body) -> list[Part]:
    """Read a message's content; a mark for the cache on the whole of it is one on its last part."""
    parts, cache = _read_content(message.get("content")), message.get("cache_control")
    if parts and isinstance(cache, dict) and isinstance(parts[-1], Text | Media):
        parts[-1].cache = cache
    return parts


def _read_content(content: Json) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    parts: list[Part] = []
    for entry in objects(content, "messages.content"):
        part, cache = _read_part(entry), entry.get("cache_control")
        if isinstance(cache, dict):
            part.cache = cache
        parts.append(part)
    return parts


def _read_part(part: Body) -> Text | Media:
    kind = part.get("type")
    if kind == "text":
        return Text(part.get("text") or "")
    if kind == "refusal":
        return Text(part.get("refusal") or "", refusal=True)
    if kind == "image_url":
        image = part.get("image_url")
        image = {"url": image} if isinstance(image, str) else image or {}
        return _from_url("image", image.get("url") or "", detail=image.get("detail") or "")
    if kind == "video_url":
        video = part.get("video_url")
        return _from_url("video", video if isinstance(video, str) else (video or {}).get("url") or "")
    if kind == "input_audio":
        audio = part.get("input_audio") or {}
        return Media(kind="audio", media_type=f"audio/{audio.get('format') or 'wav'}", data=audio.get("data") or "")
    if kind == "file":
        file = part.get("file") or {}
        name = file.get("filename") or ""
        if file.get("file_id"):
            return Media(kind="document", file_id=file["file_id"], name=name)
        data = file.get("file_data") or ""
        found = split_data_url(data) or ("application/pdf", data)
        return Media(kind=media_kind(found[0]), media_type=found[0], data=found[1], name=name)
    return refuse("messages.content", f"This model takes no content of type {kind!r}")


def _from_url(kind: str, url: str, detail: str = "") -> Media:
    found = split_data_url(url)
    if found is not None:
        return Media(kind=kind, media_type=found[0], data=found[1], detail=detail)  # pyright: ignore[reportArgumentType]
    if not url.startswith(("http://", "https://", "gs://")):
        refuse("messages.content", f"The address of a {kind} must be http(s) or a data URL in base64")
    return Media(kind=kind, url=url, detail=detail)  # pyright: ignore[reportArgumentType]


def _read_assistant(message: Body) -> list[Part]:
    if message.get("audio"):
        refuse("messages.audio", "This model cannot look up stored audio")
    parts: list[Part] = [unseal(one.signature, one.text, NAME, hidden=one.hidden) for one in read_thinking(message)]
    parts += _read_marked(message)
    if message.get("refusal"):
        parts.append(Text(message["refusal"], refusal=True))
    for call in objects(message.get("tool_calls"), "messages.tool_calls"):
        function, custom = call.get("function"), call.get("custom")
        if isinstance(function, dict):
            text = arguments_text(function.get("arguments"))
        elif isinstance(custom, dict):
            function, text = custom, custom_arguments(custom.get("input") or "")
        else:
            refuse("messages.tool_calls", "This model knows calls of functions and of custom tools only")
        parts.append(ToolCall(call.get("id") or "", function.get("name") or "", text))
    return parts


def read_details(message: Body) -> list[Thinking]:
    """Read those thoughts of a message that have signatures."""
    found: list[Thinking] = []
    for detail in entries(message.get("reasoning_details")):
        if detail.get("type") == "reasoning.encrypted" and detail.get("data"):
            found.append(Thinking(origin=NAME, signature=detail["data"], hidden=True))
        elif detail.get("type") == "reasoning.text" and detail.get("signature"):
            found.append(Thinking(origin=NAME, text=detail.get("text") or "", signature=detail["signature"]))
    return found


def read_thinking(message: Body) -> list[Thinking]:
    """Read a message's thoughts: with their signatures, where it has them."""
    found = read_details(message)
    text = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(text, str) and not any(one.text for one in found):
        found.insert(0, Thinking(origin=NAME, text=text))
    return found


def read_tools(body: Body) -> list[Tool]:
    """Read the caller's functions and custom tools; tools of another kind are the vendor's own and left out."""
    tools: list[Tool] = []
    for tool in objects(body.get("tools"), "tools"):
        kind, function = tool.get("type", "function"), tool.get("function")
        if kind == "custom" and isinstance(tool.get("custom"), dict):
            custom: Body = tool["custom"]
            tools.append(custom_tool(custom.get("name") or "", custom))
        elif kind == "function" and isinstance(function, dict):
            cache = tool.get("cache_control") or function.get("cache_control")
            tools.append(
                Tool(
                    function.get("name") or "",
                    function.get("description") or "",
                    function.get("parameters"),
                    bool(function.get("strict")),
                    cache if isinstance(cache, dict) else None,
                )
            )
        elif kind == "function":
            refuse("tools", "A tool of type 'function' needs its function")
    return tools


def tool_names(asked: Body) -> list[str]:
    """Return the names of the caller's tools."""
    return [tool.name for tool in read_tools(asked)]


def tool_forms(asked: Body) -> Mapping[str, Form]:
    """Return the caller's custom tools, by name."""
    names = [tool["custom"].get("name") or "" for tool in asked.get("tools") or () if tool.get("type") == "custom"]
    return {name: Form(name, custom=True) for name in names}


def _read_choice(choice: Json) -> ToolChoice | None:
    if choice is None:
        return None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice)
    if isinstance(choice, dict):
        if choice.get("type") in ("function", "custom"):
            return ToolChoice("required", [_chosen(choice)])
        if choice.get("type") == "allowed_tools":
            allowed = choice.get("allowed_tools") or {}
            names = [_chosen(tool) for tool in objects(allowed.get("tools"), "tool_choice.allowed_tools.tools")]
            return ToolChoice("required" if allowed.get("mode") == "required" else "auto", names)
    return refuse("tool_choice", "This model does not know such a tool_choice")


def _chosen(tool: Body) -> str:
    return (tool.get("function") or tool.get("custom") or {}).get("name") or ""


def _read_output(output: Json) -> OutputFormat | None:
    kind = output.get("type") if isinstance(output, dict) else None
    if output is None or kind == "text":
        return None
    if kind == "json_object":
        return OutputFormat()
    if kind == "json_schema":
        schema = output.get("json_schema") or {}
        return OutputFormat(
            schema.get("schema") or {}, schema.get("name") or "", schema.get("description") or "", schema.get("strict")
        )
    return refuse("response_format", f"This model does not know the response format {kind!r}")


# Answers ---------------------------------------------------------------------------------------------------------


def read_answer(body: Json) -> Completion:
    """Read a whole answer."""
    choice: Body = next(iter(entries(body.get("choices")) if isinstance(body, dict) else ()), None) or {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise no_answer("it has no message")
    parts: list[Part] = list(read_thinking(message))
    content = message.get("content")
    if isinstance(content, list | dict):
        texts = content_texts(content)
        thought = "".join(text for kind, text in texts if kind == "thinking")
        if thought and not parts:
            parts.append(Thinking(origin=NAME, text=thought))
        for refusal in (False, True):
            text = "".join(text for kind, text in texts if kind == ("refusal" if refusal else "text"))
            if text:
                parts.append(Text(text, refusal))
    elif content:
        parts.append(Text(content))
    if message.get("refusal"):
        parts.append(Text(message["refusal"], refusal=True))
    calls = message.get("tool_calls") or (
        {"function": message["function_call"]} if message.get("function_call") else ()
    )
    seen: set[str] = set()
    for place, call in enumerate(entries(calls)):
        function = call.get("function") or {}
        id = call.get("id") or ""
        if not id or id in seen:
            id = f"call_{body.get('id', '')}_{place}"
        seen.add(id)
        parts.append(ToolCall(id, function.get("name") or "", arguments_text(function.get("arguments"))))
    return Completion(
        id=body.get("id") or "",
        model=body.get("model") or "",
        parts=parts,
        stop=read_stop(choice.get("finish_reason"), any(isinstance(part, ToolCall) for part in parts)),
        usage=read_usage(body.get("usage")) or Tokens(),
        created=body.get("created"),
    )


def content_texts(content: Json) -> list[tuple[str, str]]:
    """Return the texts of a content that is parts, each with its kind: text, refusal or thinking."""
    texts: list[tuple[str, str]] = []
    for part in entries(content):
        if isinstance(part, str):
            texts.append(("text", part))
            continue
        kind = part.get("type")
        if kind in ("thinking", "reasoning"):
            thought = part.get("thinking") or part.get("text") or ""
            inner = [thought] if isinstance(thought, str) else [text for _, text in content_texts(thought)]
            texts += [("thinking", text) for text in inner if text]
        elif kind == "refusal":
            texts.append(("refusal", part.get("refusal") or ""))
        elif isinstance(part.get("text"), str):
            texts.append(("text", part["text"]))
    return [(kind, text) for kind, text in texts if text]


def read_usage(usage: Json) -> Tokens | None:
    """Read OpenAI's usage object."""
    return told_tokens(token_usage(VENDOR_USAGE.of(usage))) if isinstance(usage, dict) else None


def beside(reasoning: int, counted: int, total: int) -> int:
    """Return the thoughts' tokens that stand beside the output's, as at xAI; the total tells."""
    return reasoning if reasoning and total == counted + reasoning else 0


def write_usage(usage: Tokens) -> Body:
    """Write OpenAI's usage object."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": usage.audio_in,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_out},
    }


def answer_id(id: str) -> str:
    """Return an upstream's id as a chat completion's."""
    id = id or secrets.token_hex(12)
    return id if id.startswith("chatcmpl") else f"chatcmpl-{id.removeprefix('msg_').removeprefix('resp_')}"


def write_message(parts: Sequence[Part], origin: str | None, write_call: Callable[[ToolCall], Body]) -> Body:
    """Write an assistant's message: for the upstream `origin`, or (None) for the caller, who gets all signatures."""
    message: Body = {"role": "assistant", "content": None}
    thoughts: list[str] = []
    details: list[Body] = []
    text = refusal = ""
    calls: list[Body] = []
    for part in parts:
        if isinstance(part, Text):
            if part.refusal:
                refusal += part.text
            else:
                text += part.text
        elif isinstance(part, Thinking):
            if origin is None or part.origin == origin:
                if part.text:
                    thoughts.append(part.text)
                if part.signature:
                    details.append(detail(part, part.text, len(details), sealed=origin is None))
        elif isinstance(part, ToolCall):
            calls.append(write_call(part))
        else:
            refuse("messages", "This model takes no media in its own earlier answers")
    if text:
        message["content"] = text
    if refusal:
        message["refusal"] = refusal
    if thoughts:
        message["reasoning_content"] = "\n\n".join(thoughts)
    if details:
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = calls
    return message


def detail(thinking: Thinking, text: str, index: int, *, sealed: bool = True) -> Body:
    """Return an entry of `reasoning_details`: what has to come back for the upstream to accept its own thoughts."""
    signature = seal(thinking) if sealed else thinking.signature
    if thinking.hidden or not text:
        return {"type": "reasoning.encrypted", "data": signature, "index": index}
    return {"type": "reasoning.text", "text": text, "signature": signature, "index": index}


def write_call(call: ToolCall, forms: Mapping[str, Form]) -> Body:
    """Write a call of an answer, as of the tool that the caller has."""
    form = forms.get(call.name)
    if form is not None:
        custom = {"name": form.name, "input": custom_input(call.arguments)}
        return {"id": call.id, "type": "custom", "custom": custom}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def write_answer(completion: Completion, model: str, asked: Body) -> Body:
    """Write a whole answer."""
    forms = tool_forms(asked)
    message = write_message(completion.parts, None, lambda call: write_call(call, forms))
    message.setdefault("refusal", None)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": REASONS[completion.stop]}
    return {
        "id": answer_id(completion.id),
        "object": "chat.completion",
        "created": completion.created or int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": write_usage(completion.usage),
    }


def read_error(answer: Answer) -> Failure:
    """Read an error answer."""
    error = error_object(answer)
    code, param = error.get("code"), error.get("param")
    return upstream_failure(
        answer.status,
        str(error.get("message") or ""),
        code=code if isinstance(code, str) else None,
        param=param if isinstance(param, str) else None,
        retry_after=answer.headers.get("retry-after"),
    )
