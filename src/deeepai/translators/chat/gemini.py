"""Gemini's generateContent: requests read, whole answers, errors.

Source: the types of Google's `google-genai` 3.4 and the reference of `v1beta`; names in snake_case are read too, as
Google does. Schemas go as JSON Schema (`parametersJsonSchema`, `responseJsonSchema`), in the words it knows. Calls have
ids only in newer versions: where one has none, it gets one by its order. Gemini 3 wants the signature of its thoughts
back on the first call of a turn; a call of another model's gets the word that Google documents for skipping that
check.

Dropped on reading: `safetySettings`, `labels`, `mediaResolution`, `serviceTier`, `store`, metadata of parts,
`speechConfig`, `imageConfig`, the vendor's own tools. Dropped on writing: the user, `parallel` off, `strict`, the
output schema's name, `verbosity`, the prompt cache's key, an image's `detail`, thoughts of other upstreams, thinking
settings for models that do not think.
Refused on reading: `candidateCount` above 1, log probabilities, output other than text, `cachedContent`, files stored
at Google. Refused on writing: `logit_bias`, files stored at OpenAI.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from ...declare import Answer, Failure, Json
from ...protocols.gemini.usage import VENDOR_USAGE, token_usage
from .common import (
    Body,
    arguments,
    encode,
    entries,
    error_object,
    guess_type,
    media_kind,
    no_answer,
    number,
    objects,
    read_stop,
    refuse,
    seal,
    shown_media,
    unseal,
    upstream_failure,
)
from .gemini_names import get, json_schema, snake
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
from .usage import tokens as told_tokens

NAME = "gemini"
UNSIGNED = "skip_thought_signature_validator"
UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"
REASONS = {
    Stop.END: "STOP",
    Stop.SEQUENCE: "STOP",
    Stop.LENGTH: "MAX_TOKENS",
    Stop.TOOLS: "STOP",
    Stop.FILTERED: "SAFETY",
}
_BLOCKED: Body = {"finishReason": "SAFETY"}
"""In place of the candidates that a prompt did not get."""
_MODES = {"AUTO": "auto", "VALIDATED": "auto", "ANY": "required", "NONE": "none"}


# Requests: read --------------------------------------------------------------------------------------------------


class _Calls:
    """Gives ids to calls that have none, and finds the call that a result belongs to."""

    def __init__(self) -> None:
        self._count = 0
        self._open: list[ToolCall] = []

    def call(self, found: Body) -> ToolCall:
        self._count += 1
        made = ToolCall(
            found.get("id") or f"call_{self._count}", found.get("name") or "", encode(found.get("args") or {}).decode()
        )
        self._open.append(made)
        return made

    def answered(self, id: str, name: str) -> str:
        for call in self._open:
            if (call.id == id) if id else (call.name == name):
                self._open.remove(call)
                return call.id
        return id or f"call_{name}"


def read_request(body: Body, stream: bool | None) -> Conversation:
    """Read a request."""
    if get(body, "cachedContent"):
        refuse("cachedContent", "This model has no cached content")
    config: Body = get(body, "generationConfig") or {}
    _refuse_what_is_alone_here(config)
    turns: list[Turn] = []
    system = get(body, "systemInstruction")
    calls = _Calls()
    if system:
        system = {"parts": [{"text": system}]} if isinstance(system, str) else system
        turns.append(Turn("system", []))
        _read_parts(system.get("parts"), calls, turns[0].parts, joins=False)
    for content in objects(body.get("contents"), "contents"):
        role = "assistant" if content.get("role") == "model" else "user"
        # A caller may keep what a stream brought as it came: in pieces.
        if role == "user" or not turns or turns[-1].role != role:
            turns.append(Turn(role, []))
        _read_parts(content.get("parts"), calls, turns[-1].parts, joins=role == "assistant")
    calling = get(get(body, "toolConfig") or {}, "functionCallingConfig") or {}
    choice = None
    if calling.get("mode") in _MODES:
        mode: Any = _MODES[calling["mode"]]
        choice = ToolChoice(mode, get(calling, "allowedFunctionNames") or [])
    values = {snake(name): value for name, value in config.items()}
    return Conversation(
        turns=turns,
        stream=bool(stream),
        tools=read_tools(body),
        tool_choice=choice,
        max_tokens=number(values, "max_output_tokens"),
        temperature=number(values, "temperature"),
        top_p=number(values, "top_p"),
        top_k=number(values, "top_k"),
        stop=values.get("stop_sequences") or [],
        seed=number(values, "seed"),
        presence_penalty=number(values, "presence_penalty"),
        frequency_penalty=number(values, "frequency_penalty"),
        output=_read_output(config),
        reasoning=_read_reasoning(get(config, "thinkingConfig")),
    )


def _refuse_what_is_alone_here(config: Body) -> None:
    if (get(config, "candidateCount") or 1) > 1:
        refuse("generationConfig.candidateCount", "This model gives one answer to a request")
    if get(config, "responseLogprobs") or get(config, "logprobs"):
        refuse("generationConfig.responseLogprobs", "This model gives no log probabilities")
    if [one for one in get(config, "responseModalities") or () if str(one).upper() != "TEXT"]:
        refuse("generationConfig.responseModalities", "This model answers in text only")
    if get(config, "responseFormat"):
        refuse("generationConfig.responseFormat", "This model takes no responseFormat")


def _read_parts(found: Json, calls: _Calls, parts: list[Part], *, joins: bool) -> None:
    for part in objects(found, "contents.parts"):
        if not part:
            continue  # an empty text, such as ends a stream, as Go's client sends it back
        signature = get(part, "thoughtSignature") or ""
        call = get(part, "functionCall")
        if part.get("thought"):
            last = parts.pop() if parts and isinstance(parts[-1], Thinking) and not parts[-1].signature else None
            text = (last.text if isinstance(last, Thinking) else "") + (part.get("text") or "")
            parts.append(unseal(signature, text, NAME))
        elif call:
            if signature and signature != UNSIGNED:
                parts.append(unseal(signature, "", NAME, hidden=True))
            parts.append(calls.call(call))
        elif isinstance(part.get("text"), str):
            last = parts[-1] if parts and joins else None
            if isinstance(last, Text):
                last.text += part["text"]
            else:
                parts.append(Text(part["text"]))
        elif get(part, "functionResponse"):
            parts.append(_read_result(get(part, "functionResponse"), calls))
        elif get(part, "executableCode"):
            parts.append(Text(f"```\n{get(part, 'executableCode').get('code') or ''}\n```"))
        elif get(part, "codeExecutionResult"):
            parts.append(Text(get(part, "codeExecutionResult").get("output") or ""))
        elif signature and not (get(part, "inlineData") or get(part, "fileData")):
            parts.append(unseal(signature, "", NAME, hidden=True))
        else:
            parts.append(_read_media(part))


def _read_media(part: Body) -> Media:
    inline, file = get(part, "inlineData"), get(part, "fileData")
    if inline:
        media_type = get(inline, "mimeType") or ""
        name = get(inline, "displayName") or ""
        return Media(kind=media_kind(media_type), media_type=media_type, data=inline.get("data") or "", name=name)
    if not file:
        refuse("contents.parts", f"This model takes no part with {', '.join(part) or 'nothing in it'}")
    url = get(file, "fileUri") or ""
    if not url.startswith(("http://", "https://")) or "generativelanguage.googleapis.com" in url:
        refuse("contents.parts.fileData", "This model cannot look up files that are stored at Google")
    media = Media(kind="document", url=url, media_type=get(file, "mimeType") or "", name=get(file, "displayName") or "")
    media.kind = "video" if re.match(r"https?://(www\.)?youtu", url) else media_kind(guess_type(media))
    return media


def _read_result(found: Body, calls: _Calls) -> ToolResult:
    response: Body = found.get("response") or {}
    name = found.get("name") or ""
    parts: list[Text | Media] = []
    error = set(response) == {"error"}
    value = response.get("error") if error else response.get("output") if set(response) == {"output"} else response
    if value:
        parts.append(Text(value if isinstance(value, str) else encode(value).decode()))
    parts += [_read_media(part) for part in objects(found.get("parts"), "contents.parts.functionResponse.parts")]
    return ToolResult(calls.answered(found.get("id") or "", name), parts, name=name, error=error)


def read_tools(body: Body) -> list[Tool]:
    """Read the caller's functions; the vendor's own tools are left out."""
    return [
        _read_tool(function)
        for tool in objects(body.get("tools"), "tools")
        for function in objects(get(tool, "functionDeclarations"), "tools.functionDeclarations")
    ]


def tool_names(asked: Body) -> list[str]:
    """Return the names of the caller's functions."""
    return [tool.name for tool in read_tools(asked)]


def _read_tool(found: Body) -> Tool:
    schema = get(found, "parametersJsonSchema")
    if schema is None and found.get("parameters") is not None:
        schema = json_schema(found["parameters"])
    return Tool(found.get("name") or "", found.get("description") or "", schema)


def _read_output(config: Body) -> OutputFormat | None:
    kind = get(config, "responseMimeType") or "text/plain"
    if kind == "text/plain":
        return None
    if kind != "application/json":
        refuse("generationConfig.responseMimeType", f"This model does not answer in {kind}")
    schema = get(config, "responseJsonSchema")
    if schema is None and get(config, "responseSchema") is not None:
        schema = json_schema(get(config, "responseSchema"))
    return OutputFormat(schema)


def _read_reasoning(thinking: Json) -> Reasoning | None:
    if not thinking:
        return None
    level = str(get(thinking, "thinkingLevel") or "").lower()
    effort = "" if level == "thinking_level_unspecified" else level
    return Reasoning(effort, get(thinking, "thinkingBudget"), bool(get(thinking, "includeThoughts")))


# Answers ---------------------------------------------------------------------------------------------------------


class CallIds:
    """Ids for the calls of an answer that have none: by the answer's id and their order."""

    def __init__(self, answer: str) -> None:
        self._answer = answer or secrets.token_hex(8)
        self._count = 0

    def next(self, call: Body) -> str:
        """Return the call's own id, or the next one."""
        self._count += 1
        return call.get("id") or f"call_{self._answer}_{self._count - 1}"


def read_answer(body: Json) -> Completion:
    """Read a whole answer."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict) or not (body.get("candidates") or body.get("promptFeedback")):
        raise no_answer("it has no candidates")
    id = body.get("responseId") or ""
    candidate: Body = next(iter(entries(body.get("candidates"))), _BLOCKED)
    ids = CallIds(id)
    parts: list[Part] = []
    for part in answer_parts(candidate):
        last = parts[-1] if parts else None
        call, signature = part.get("functionCall"), part.get("thoughtSignature") or ""
        if part.get("thought"):
            if not isinstance(last, Thinking) or last.signature:
                last = Thinking(origin=NAME)
                parts.append(last)
            last.text += part.get("text") or ""
            last.signature = signature
        elif call:
            if signature:
                if not isinstance(last, Thinking) or last.signature:
                    last = Thinking(origin=NAME, hidden=True)
                    parts.append(last)
                last.signature = signature
            parts.append(ToolCall(ids.next(call), call.get("name") or "", encode(call.get("args") or {}).decode()))
        else:
            text = answer_text(part)
            if text and isinstance(last, Text):
                last.text += text
            elif text:
                parts.append(Text(text))
    called, reason = any(isinstance(part, ToolCall) for part in parts), candidate.get("finishReason")
    return Completion(
        id=id,
        model=body.get("modelVersion") or "",
        parts=parts,
        stop=read_stop(reason if reason != UNSPECIFIED else None, called),
        usage=read_usage(body.get("usageMetadata")),
    )


def answer_parts(candidate: Body) -> list[Body]:
    """Return the parts of a candidate; what Google repeats may stand alone elsewhere."""
    held = (candidate.get("content") or {}).get("parts") or ()
    return [{"text": held}] if isinstance(held, str) else entries(held)


def answer_text(part: Body) -> str:
    """Return a part's text; an image as Markdown."""
    inline = part.get("inlineData")
    if inline:
        media_type = inline.get("mimeType") or ""
        return shown_media(Media(kind=media_kind(media_type), media_type=media_type, data=(inline.get("data") or "")))
    return part.get("text") or ""


def read_usage(usage: Json) -> Tokens:
    """Read Gemini's usage, whose candidates' tokens exclude the thoughts."""
    return told_tokens(token_usage(VENDOR_USAGE.of(usage if isinstance(usage, dict) else {})))


def write_usage(usage: Tokens) -> Body:
    """Write Gemini's usage."""
    made: Body = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": max(0, usage.output - usage.reasoning),
        "totalTokenCount": usage.input + usage.output,
    }
    if usage.cached:
        made["cachedContentTokenCount"] = usage.cached
    if usage.reasoning:
        made["thoughtsTokenCount"] = usage.reasoning
    if usage.audio_in:
        texts = {"modality": "TEXT", "tokenCount": usage.input - usage.audio_in}
        made["promptTokensDetails"] = [texts, {"modality": "AUDIO", "tokenCount": usage.audio_in}]
    return made


def write_call(call: ToolCall, before: Thinking | None) -> Body:
    """Write a call of an answer, with the thoughts that it has to come back with."""
    part: Body = {
        "functionCall": {"id": call.id, "name": call.name, "args": arguments(call.arguments)},
    }
    if before is not None:
        part["thoughtSignature"] = seal(before)
    return part


def write_answer(completion: Completion, model: str, asked: Body) -> Body:
    """Write a whole answer."""
    parts: list[Body] = []
    before: Thinking | None = None
    for part in completion.parts:
        if isinstance(part, ToolCall):
            parts.append(write_call(part, before))
            before = None
        elif isinstance(part, Text):
            parts.append({"text": part.text})
        elif isinstance(part, Thinking):
            if part.quiet or not part.text:
                before = part if part.text or part.signature else before
            else:
                parts.append({"text": part.text, "thought": True, "thoughtSignature": seal(part)})
    candidate = {
        "content": {"parts": parts or [{"text": ""}], "role": "model"},
        "finishReason": REASONS[completion.stop],
        "index": 0,
    }
    return {
        "candidates": [candidate],
        "usageMetadata": write_usage(completion.usage),
        "modelVersion": model,
        "responseId": completion.id,
    }


def shows_thoughts(asked: Body) -> bool:
    """Tell whether a request wants to see thoughts."""
    config = get(asked, "generationConfig") or {}
    return bool(get(get(config, "thinkingConfig") or {}, "includeThoughts"))


def read_error(answer: Answer) -> Failure:
    """Read an error answer; a bad key comes as 400."""
    error = error_object(answer)
    status, retry_after = answer.status, answer.headers.get("retry-after")
    for detail in error.get("details") or ():
        if isinstance(detail, dict):
            if detail.get("reason") == "API_KEY_INVALID":
                status = 401
            retry_after = str(detail.get("retryDelay") or "").removesuffix("s") or retry_after
    return upstream_failure(status, str(error.get("message") or ""), retry_after=retry_after)
