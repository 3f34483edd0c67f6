"""`POST /v1/chat/completions`, by SmolLM2-135M-Instruct on llama.cpp.

Defaults that differ from the vendor's, because the model is small: temperature 0 (0.7 for several choices),
top_p 0.9, repeat_penalty 1.05, at most 512 new tokens, and the system message
`You are a helpful assistant.` where none is sent. Content is text only. Of tools one is called at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from ..models.catalogue import Model
from ..openai_wire import WireError, answer, refused, unsupported
from ..runtimes.llama import Llama
from . import schemas
from .sampling import Counter, EventStream, Piece, Sampling, head, run_all
from .tools import Delta, Function, TextReader, ToolReader, prompt_of, schema_of

DEFAULT_TOKENS: Final = 512
SYSTEM: Final = "You are a helpful assistant."
MOST_CHOICES: Final = 16
CHUNK: Final = "chat.completion.chunk"

Logprobs = dict[str, Any] | None


class ContentPart(msgspec.Struct):
    """A part of a message; only text can be read."""

    type: str
    text: str | None = None


class CalledFunction(msgspec.Struct):
    """A call that the model made earlier."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct):
    """As `CalledFunction`, in its wrapper."""

    function: CalledFunction


class Message(msgspec.Struct):
    """One turn."""

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[ToolCall] | None = None


class Tool(msgspec.Struct):
    """A tool; only functions can be called."""

    type: str
    function: Function | None = None


class NamedFunction(msgspec.Struct):
    """A function's name."""

    name: str


class NamedTool(msgspec.Struct):
    """As `NamedFunction`, in its wrapper."""

    type: str
    function: NamedFunction | None = None


class AllowedTools(msgspec.Struct):
    """A choice among some of the tools."""

    mode: Literal["auto", "required"]
    tools: list[NamedTool]


class ToolChoice(msgspec.Struct):
    """`tool_choice` as an object."""

    type: str
    function: NamedFunction | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchema(msgspec.Struct):
    """The schema of `response_format`."""

    name: str
    schema: dict[str, Any] | None = None


class ResponseFormat(msgspec.Struct):
    """What the answer must look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(Sampling):
    """The body; fields that are not listed are ignored."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None
    functions: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """Which functions may be called, and whether words may be answered instead."""

    functions: Sequence[Function]
    may_reply: bool


def plan_tools(body: ChatRequest) -> ToolPlan | None:
    """Decide how tools take part; None where the answer is plain."""
    functions: list[Function] = []
    for tool in body.tools or []:
        if tool.type != "function" or tool.function is None:
            raise unsupported("tools", f"this engine calls functions only, not {tool.type!r}.")
        functions.append(tool.function)
    choice = body.tool_choice or ("auto" if functions else "none")
    if choice == "none":
        return None
    if not functions:
        raise refused("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if isinstance(choice, ToolChoice):
        if choice.type == "allowed_tools" and choice.allowed_tools:
            allowed = {tool.function.name for tool in choice.allowed_tools.tools if tool.function}
            functions, choice = _named(functions, allowed), choice.allowed_tools.mode
        elif choice.type == "function" and choice.function:
            functions, choice = _named(functions, {choice.function.name}), "required"
        else:
            raise unsupported("tool_choice", f"this engine cannot follow the type {choice.type!r}.")
    if choice == "auto":
        # So small a model would call the same tool again instead of using the result; and a format asked for wins.
        formatted = body.response_format is not None and body.response_format.type != "text"
        if formatted or body.messages[-1].role in {"tool", "function"}:
            return None
    return ToolPlan(functions, may_reply=choice == "auto")


def _named(functions: Sequence[Function], names: set[str]) -> list[Function]:
    chosen = [function for function in functions if function.name in names]
    if unknown := names - {function.name for function in chosen}:
        raise refused(f"Tool choice {sorted(unknown)[0]!r} not found in 'tools' parameter.", "tool_choice")
    if not chosen:
        raise refused("'tool_choice' allows no tool.", "tool_choice")
    return chosen


def to_llama(body: ChatRequest, plan: ToolPlan | None, context: int) -> dict[str, Any]:
    """Return the request as llama.cpp takes it, for one choice."""
    messages = [_flat(message, f"messages[{index}]") for index, message in enumerate(body.messages)]
    if messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": SYSTEM})
    request: dict[str, Any] = {"messages": messages}
    if plan:
        for function in plan.functions:
            if function.strict and function.parameters is not None:
                schemas.check(function.parameters, "tools")
        messages[0]["content"] += "\n" + prompt_of(plan.functions, plan.may_reply)
        schema = schema_of(plan.functions, plan.may_reply)
        request["response_format"] = {"type": "json_schema", "json_schema": {"name": "call", "schema": schema}}
    elif (wanted := body.response_format) and wanted.type != "text":
        if wanted.type == "json_schema" and (wanted.json_schema is None or wanted.json_schema.schema is None):
            raise refused("Missing required parameter: 'response_format.json_schema.schema'.", "response_format")
        if wanted.json_schema is not None and wanted.json_schema.schema is not None:
            schemas.check(wanted.json_schema.schema, "response_format")
        request["response_format"] = msgspec.to_builtins(wanted)
    request |= body.to_llama()
    tokens = body.max_completion_tokens or body.max_tokens or DEFAULT_TOKENS
    request["max_tokens"] = min(tokens, context)
    if body.logprobs and not plan:
        # llama.cpp takes "no alternatives" to mean no logprobs at all.
        top = body.top_logprobs or 0
        request |= {"logprobs": True, "top_logprobs": max(top, 1), "shown_logprobs": top}
    return request


def _flat(message: Message, path: str) -> dict[str, Any]:
    role = {"developer": "system", "function": "tool"}.get(message.role, message.role)
    if message.tool_calls:
        # As the grammar made the model say it.
        calls = [f'{{"name": "{c.function.name}", "arguments": {c.function.arguments}}}' for c in message.tool_calls]
        return {"role": role, "content": "\n".join(calls)}
    content = message.content
    if content is None and role != "assistant":
        raise refused(f"Missing required parameter: '{path}.content'.", f"{path}.content", "missing_required_parameter")
    if isinstance(content, list):
        for part in content:
            if part.type not in {"text", "refusal"}:
                raise refused(f"This model reads text only, not {part.type!r}.", f"{path}.content", "invalid_value")
        content = "\n".join(part.text or "" for part in content)
    return {"role": role, "content": content or ""}


def check(body: ChatRequest) -> None:
    """Refuse what this engine cannot do."""
    if (body.modalities and body.modalities != ["text"]) or body.audio is not None:
        raise unsupported("modalities", "this model writes text only.")
    if body.functions:
        raise unsupported("functions", "use 'tools'.")
    if (body.n or 1) > MOST_CHOICES:
        raise refused(f"This engine makes at most {MOST_CHOICES} choices.", "n", "invalid_value")
    if body.top_logprobs is not None and not body.logprobs:
        raise refused("'top_logprobs' needs 'logprobs'.", "top_logprobs")


async def complete_chat(request: web.Request, body: ChatRequest, model: Model, llama: Llama) -> web.StreamResponse:
    """Answer one request."""
    check(body)
    plan = plan_tools(body)
    times = body.n or 1
    runs = body.seeded(to_llama(body, plan, model.context), times)
    readers = [ToolReader() if plan else TextReader() for _ in runs]
    choices = [_Choice() for _ in runs]
    counter = Counter()
    shared = {**head("chatcmpl-", model), "service_tier": "default"}
    stream = EventStream(request, body.include_usage) if body.stream else None

    async def send(index: int, delta: Delta, logprobs: Logprobs = None, finish: str | None = None) -> None:
        if stream is None:
            choices[index].add(delta, logprobs, finish)
            return
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        await stream.send({**shared, "object": CHUNK, "choices": [choice]})

    async def take(index: int, piece: Piece) -> None:
        reader = readers[index]
        if piece.first:
            await send(index, {"role": "assistant", "content": None if plan else "", "refusal": None})
        for delta in reader.feed(piece.text):
            await send(index, delta, piece.logprobs)
        if piece.finish:
            called = reader.called and piece.finish == "stop"
            await send(index, {}, finish="tool_calls" if called else piece.finish)

    try:
        await run_all(llama, "handle_chat_completions", runs, take, counter, times)
    except WireError as error:
        if stream and stream.begun:
            return await stream.fail(error)
        raise
    if stream:
        return await stream.end({**shared, "object": CHUNK, "choices": [], "usage": counter.usage()})
    listed = [choice.body(index) for index, choice in enumerate(choices)]
    return answer({**shared, "object": "chat.completion", "choices": listed, "usage": counter.usage()})


class _Choice:
    """Puts deltas together again."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self._logprobs: list[Any] | None = None
        self._finish: str | None = None

    def add(self, delta: Delta, logprobs: Logprobs, finish: str | None) -> None:
        if delta.get("content"):
            self._content.append(delta["content"])
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                self._calls.append({k: call[k] for k in ("id", "type", "function")})
            else:
                self._calls[-1]["function"]["arguments"] += call["function"]["arguments"]
        if logprobs:
            self._logprobs = (self._logprobs or []) + logprobs["content"]
        self._finish = finish or self._finish

    def body(self, index: int) -> dict[str, Any]:
        content = "".join(self._content)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if self._calls and not content else content,
            "refusal": None,
            "annotations": [],
        }
        if self._calls:
            message["tool_calls"] = self._calls
        logprobs = None if self._logprobs is None else {"content": self._logprobs, "refusal": None}
        return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": self._finish}
