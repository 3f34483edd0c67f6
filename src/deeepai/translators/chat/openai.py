"""OpenAI's chat completions: requests, whole answers, errors.

Source: OpenAI's OpenAPI document 2.3.0; `reasoning_content` is the convention of relays and of DeepSeek,
`reasoning_details` that of OpenRouter (here it holds signatures that another upstream wants back).

Dropped on reading, as they change nothing that the caller would miss: `metadata`, `store`, `service_tier`,
`prediction`, `prompt_cache_retention`, `moderation`, a message's `name`, and fields that the specification does not
have. Dropped on writing: `top_k`, a tool result's error mark; for reasoning models, which refuse them, `temperature`,
`top_p` and the penalties.
Refused on reading: `n` above 1, `logprobs`, audio output, `web_search_options`, custom tools, `functions`, stored
audio.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from ...declare import Answer, Failure, Json, Reason
from ...protocols.openai.usage import VENDOR_USAGE, token_usage
from .common import (
    Body,
    data_url,
    effort_of,
    error_object,
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

NAME = "openai"
REASONING_MODEL = re.compile(r"(?:.*/)?(?:o\d|gpt-(?:[5-9]|\d\d)(?!.*chat))")
"""Models that take no sampling parameters, and `max_completion_tokens` instead of `max_tokens`."""
STOPS = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "tool_calls": Stop.TOOLS,
    "function_call": Stop.TOOLS,
    "content_filter": Stop.FILTERED,
}
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
        tools=[_read_tool(tool) for tool in objects(body.get("tools"), "tools")],
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
    if body.get("audio") or "audio" in (body.get("modalities") or ()):
        refuse("modalities", "This model gives no audio")
    if body.get("web_search_options") is not None:
        refuse("web_search_options", "This model cannot search the web by itself")
    if body.get("functions") or body.get("function_call"):
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
            parts = _read_content(message.get("content"))
            result = ToolResult(
                str(message.get("tool_call_id") or ""), [part for part in parts if isinstance(part, Text | Media)]
            )
            if answering:
                turns[-1].parts.append(result)
            else:
                turns.append(Turn("user", [result]))
            answering = True
            continue
        answering = False
        if role in ("system", "developer"):
            turns.append(Turn("system", _read_content(message.get("content"))))
        elif role == "user":
            turns.append(Turn("user", _read_content(message.get("content"))))
        elif role == "assistant":
            turns.append(Turn("assistant", _read_assistant(message)))
        else:
            refuse("messages", f"This model does not know the role {role!r}")
    return turns


def _read_content(content: Json) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    return [_read_part(part) for part in objects(content, "messages.content")]


def _read_part(part: Body) -> Part:
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
    parts += _read_content(message.get("content"))
    if message.get("refusal"):
        parts.append(Text(message["refusal"], refusal=True))
    for call in objects(message.get("tool_calls"), "messages.tool_calls"):
        function = call.get("function")
        if not isinstance(function, dict):
            refuse("messages.tool_calls", "This model knows calls of functions only")
        parts.append(ToolCall(call.get("id") or "", function.get("name") or "", function.get("arguments") or ""))
    return parts


def read_details(message: Body) -> list[Thinking]:
    """Read those thoughts of a message that have signatures."""
    found: list[Thinking] = []
    for detail in message.get("reasoning_details") or ():
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


def _read_tool(tool: Body) -> Tool:
    function = tool.get("function")
    if tool.get("type", "function") != "function" or not isinstance(function, dict):
        refuse("tools", f"This model has no tool of type {tool.get('type')!r}")
    return Tool(
        function.get("name") or "",
        function.get("description") or "",
        function.get("parameters"),
        bool(function.get("strict")),
    )


def _read_choice(choice: Json) -> ToolChoice | None:
    if choice is None:
        return None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice)
    if isinstance(choice, dict):
        if choice.get("type") == "function":
            return ToolChoice("required", [(choice.get("function") or {}).get("name") or ""])
        if choice.get("type") == "allowed_tools":
            allowed = choice.get("allowed_tools") or {}
            names = [
                (tool.get("function") or {}).get("name") or ""
                for tool in objects(allowed.get("tools"), "tool_choice.allowed_tools.tools")
            ]
            return ToolChoice("required" if allowed.get("mode") == "required" else "auto", names)
    return refuse("tool_choice", "This model does not know such a tool_choice")


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


# Requests: write -------------------------------------------------------------------------------------------------


def write_request(conversation: Conversation, model: str) -> Body:
    """Write a request."""
    messages: list[Body] = []
    for turn in conversation.turns:
        if turn.role == "system":
            texts = [part.text for part in turn.parts if isinstance(part, Text)]
            messages.append({"role": "system", "content": "\n\n".join(texts)})
        elif turn.role == "user":
            _write_user(turn.parts, messages)
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
        body["tools"] = [{"type": "function", "function": write_function(tool)} for tool in conversation.tools]
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
    function["parameters"] = tool.schema if tool.schema is not None else {"type": "object", "properties": {}}
    if tool.strict:
        function["strict"] = True
    return function


def _write_user(parts: Sequence[Part], messages: list[Body]) -> None:
    shown: list[Part] = []
    for part in parts:
        if isinstance(part, ToolResult):
            messages.append({"role": "tool", "tool_call_id": part.id, "content": result_text(part)})
            # A tool's message holds text only: what it shows follows as the user's.
            shown += [one for one in part.parts if isinstance(one, Media)]
    shown += [part for part in parts if isinstance(part, Text | Media)]
    if len(shown) == 1 and isinstance(shown[0], Text):
        messages.append({"role": "user", "content": shown[0].text})
    elif shown:
        messages.append({"role": "user", "content": [_write_part(part) for part in shown]})


def _write_part(part: Part) -> Body:
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
    message = write_message(parts, NAME)
    if message["content"] is None and "tool_calls" not in message and "refusal" not in message:
        return None
    return message


def write_message(parts: Sequence[Part], origin: str | None) -> Body:
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
            calls.append(
                {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments}}
            )
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
    schema: Body = {"name": output.name or "answer", "schema": output.schema}
    if output.description:
        schema["description"] = output.description
    if output.strict is not None:
        schema["strict"] = output.strict
    return {"type": "json_schema", "json_schema": schema}


# Answers ---------------------------------------------------------------------------------------------------------


def read_answer(body: Json) -> Completion:
    """Read a whole answer."""
    choices = body.get("choices") if isinstance(body, dict) else None
    if not choices or not isinstance(choices[0].get("message"), dict):
        raise no_answer("it has no message")
    message = choices[0]["message"]
    parts: list[Part] = list(read_thinking(message))
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    if content:
        parts.append(Text(content))
    if message.get("refusal"):
        parts.append(Text(message["refusal"], refusal=True))
    for place, call in enumerate(message.get("tool_calls") or ()):
        function = call.get("function") or {}
        parts.append(
            ToolCall(
                call.get("id") or f"call_{body.get('id', '')}_{place}",
                function.get("name") or "",
                function.get("arguments") or "",
            )
        )
    return Completion(
        id=body.get("id") or "",
        model=body.get("model") or "",
        parts=parts,
        stop=read_stop(choices[0].get("finish_reason"), any(isinstance(part, ToolCall) for part in parts)),
        usage=read_usage(body.get("usage")) or Tokens(),
        created=body.get("created"),
    )


def read_stop(reason: str | None, called: bool) -> Stop:
    """Read a finish reason; some upstreams say `stop` although they call a tool."""
    stop = STOPS.get(reason or "", Stop.END)
    return Stop.TOOLS if called and stop is Stop.END else stop


def read_usage(usage: Json) -> Tokens | None:
    """Read OpenAI's usage object."""
    return tokens(token_usage(VENDOR_USAGE.of(usage))) if isinstance(usage, dict) else None


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
    return id if id.startswith("chatcmpl") else f"chatcmpl-{id.removeprefix('msg_').removeprefix('resp_')}"


def write_answer(completion: Completion, model: str, asked: Body) -> Body:
    """Write a whole answer."""
    message = write_message(completion.parts, None)
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
