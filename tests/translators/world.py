"""Ways to drive a translator, the vendors' own types as judges, and streams joined to whole answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from anthropic.types import Message, MessageCreateParams, RawMessageStreamEvent
from google.genai import types as google
from openai.types.chat import ChatCompletion, ChatCompletionChunk, CompletionCreateParams
from openai.types.responses import Response, ResponseCreateParams, ResponseStreamEvent
from pydantic import TypeAdapter

from deeepai.declare import Answer, CallTranslator, Translation
from deeepai.gateway.body import HttpRequest
from deeepai.translators.chat import CHAT_TRANSLATORS, FORMATS
from deeepai.translators.chat.common import event_json, unseal
from deeepai.translators.chat.model import (
    Broken,
    Completion,
    Delta,
    Done,
    Event,
    Finish,
    Part,
    PartEnd,
    PartStart,
    Signature,
    Start,
    Stop,
    Text,
    Thinking,
    Tokens,
    ToolCall,
    UsageSeen,
)

Body = dict[str, Any]
NAMES = ("openai", "responses", "anthropic", "gemini")
PAIRS = [(source, target) for source in NAMES for target in NAMES if source != target]
OPERATIONS = {
    "openai": "openai.chat.completions",
    "responses": "openai.responses.create",
    "anthropic": "anthropic.messages",
    "gemini": "gemini.generateContent",
}
MODELS = {
    "openai": "gpt-4o",
    "responses": "gpt-4o",
    "anthropic": "claude-sonnet-4-6",
    "gemini": "gemini-3-pro-preview",
}


def translator(source: str, target: str, *, stream: bool = False) -> CallTranslator:
    name = OPERATIONS[source]
    if source == "gemini" and stream:
        name = "gemini.streamGenerateContent"
    return next(one for one in CHAT_TRANSLATORS if one.source == name and one.target == OPERATIONS[target])


def request_of(body: Body, model: str = "asked-model") -> HttpRequest:
    """A request as the gateway makes it."""
    scope = {"method": "POST", "path": "/", "headers": [], "query_string": b""}
    made = HttpRequest(scope, None, {"model": model})  # pyright: ignore[reportArgumentType]
    made.raw = json.dumps(body).encode()
    return made


def asking(source: str, *, stream: bool = False, **more: Any) -> HttpRequest:
    """A short request that wants to see everything."""
    body: Body = {
        "openai": {
            "model": "asked-model",
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": stream,
            "stream_options": {"include_usage": True},
        },
        "responses": {"model": "asked-model", "input": "Hi", "stream": stream, "reasoning": {"summary": "auto"}},
        "anthropic": {
            "model": "asked-model",
            "max_tokens": 9000,
            "messages": [{"role": "user", "content": "Hi"}],
            "thinking": {"type": "enabled", "budget_tokens": 2048},
            "stream": stream,
        },
        "gemini": {
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
        },
    }[source]
    return request_of(body | more)


def answer_of(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def translate(source: str, target: str, body: Body, model: str | None = None) -> Body:
    made = translator(source, target).request(request_of(body), model or MODELS[target])
    return json.loads(json.dumps(made))


def translation(source: str, target: str, **more: Any) -> Translation:
    """A stream's translation, for a caller that asks in a short way."""
    events = translator(source, target, stream=True).events
    assert events is not None
    return events(asking(source, stream=True, **more))


def run(source: str, target: str, events: Iterable[bytes], **more: Any) -> list[bytes]:
    """Translate a stream; return the caller's events."""
    stream = translation(source, target, **more)
    made = b"".join(stream.feed(event) for event in events) + stream.end()
    return split(made)


def split(data: bytes) -> list[bytes]:
    end = b"\r\n\r\n" if b"\r\n\r\n" in data else b"\n\n"
    assert data.endswith(end)
    return [event + end for event in data.split(end)[:-1]]


def payloads(events: Iterable[bytes]) -> list[Body]:
    return [event_json(event) or {} for event in events if b"[DONE]" not in event]


# Judges ----------------------------------------------------------------------------------------------------------


def consume(value: Any) -> Any:
    """Walk through a value: pydantic looks into iterables only when they are read."""
    if isinstance(value, dict):
        return {key: consume(one) for key, one in value.items()}
    if isinstance(value, str | bytes | int | float | None):
        return value
    return [consume(one) for one in value]


_chat = TypeAdapter[Any](CompletionCreateParams)
_responses = TypeAdapter[Any](ResponseCreateParams)
_messages = TypeAdapter[Any](MessageCreateParams)
_response_event = TypeAdapter[Any](ResponseStreamEvent)
_message_event = TypeAdapter[Any](RawMessageStreamEvent)


def judge_request(name: str, body: Body) -> None:
    """Hold a request against the vendor's own types."""
    if name == "gemini":
        assert set(body) <= {"contents", "systemInstruction", "generationConfig", "tools", "toolConfig"}
        for content in [*body["contents"], *([body["systemInstruction"]] if "systemInstruction" in body else [])]:
            google.Content.model_validate(content)
        google.GenerationConfig.model_validate(body.get("generationConfig") or {})
        for tool in body.get("tools") or ():
            google.Tool.model_validate(tool)
        google.ToolConfig.model_validate(body.get("toolConfig") or {})
    else:
        judge = {"openai": _chat, "responses": _responses, "anthropic": _messages}[name]
        consume(judge.validate_python(body))


def judge_answer(name: str, body: Body) -> None:
    """Hold a whole answer against the vendor's own types."""
    model: Any = {
        "openai": ChatCompletion,
        "responses": Response,
        "anthropic": Message,
        "gemini": google.GenerateContentResponse,
    }[name]
    model.model_validate(body)


def judge_event(name: str, event: bytes, data: Body) -> None:
    """Hold one event against the vendor's own types and framing."""
    if name == "openai":
        assert event.startswith(b"data: ")
        ChatCompletionChunk.model_validate(data)
    elif name == "gemini":
        assert event.startswith(b"data: ")
        assert event.endswith(b"\r\n\r\n")
        google.GenerateContentResponse.model_validate(data)
    else:
        assert event.startswith(b"event: " + data["type"].encode() + b"\ndata: ")
        (_message_event if name == "anthropic" else _response_event).validate_python(data)


def judge_events(name: str, events: list[bytes]) -> None:
    """Hold a stream against the vendor's own types and framing."""
    if name == "openai":
        assert events[-1] == b"data: [DONE]\n\n"
        events = events[:-1]
    for event, data in zip(events, payloads(events), strict=True):
        judge_event(name, event, data)
    if name == "responses":
        assert [data["sequence_number"] for data in payloads(events)] == list(range(len(events)))


# Joining ---------------------------------------------------------------------------------------------------------


def join(events: Iterable[Event]) -> Completion:
    """Make a whole answer of a stream's neutral events; they must follow the rules of their order."""
    parts: list[Part] = []
    made: Completion | None = None
    opened: Text | Thinking | ToolCall | None = None
    stop: Finish | None = None
    done = False
    usage = Tokens()
    for event in events:
        assert not done
        match event:
            case Start():
                assert made is None
                made = Completion(id=event.id, model=event.model, parts=parts, stop=Stop.END, usage=usage)
            case PartStart():
                assert opened is None
                opened = event.part
                parts.append(opened)
            case Delta():
                if isinstance(opened, ToolCall):
                    opened.arguments += event.text
                else:
                    assert opened is not None
                    opened.text += event.text
            case Signature():
                assert isinstance(opened, Thinking)
                opened.signature, opened.id = event.value, event.id
            case PartEnd():
                assert opened is not None
                opened = None
            case UsageSeen():
                usage = event.usage
            case Finish():
                stop = event
            case Done():
                done = True
            case Broken():
                raise event.reason()
    assert made is not None
    assert stop is not None
    assert opened is None
    made.usage, made.stop, made.sequence = usage, stop.stop, stop.sequence
    return made


def read_stream(name: str, events: Iterable[bytes]) -> Completion:
    reader = FORMATS[name].reader()
    steps = [step for event in events for step in reader.feed(event)]
    return join(steps if isinstance(steps[-1], Done | Broken) else [*steps, *reader.close()])


def canonical(completion: Completion) -> Completion:
    """The same answer, whatever order and pieces a format puts its parts in."""
    thoughts = [part for part in completion.parts if isinstance(part, Thinking)]
    thought = "".join(part.text for part in thoughts).replace("\n\n", "")
    # A seal on thoughts that had no signature is not compared: a format may join such thoughts.
    signatures = " ".join(sorted(filter(None, (unseal(part.signature, "", "").signature for part in thoughts))))
    calls = [
        ToolCall(part.id, part.name, json.dumps(json.loads(part.arguments or "{}"), sort_keys=True))
        for part in completion.parts
        if isinstance(part, ToolCall)
    ]
    texts = [part for part in completion.parts if isinstance(part, Text)]
    said = [Text("".join(one.text for one in texts if one.refusal is refusal), refusal) for refusal in (False, True)]
    return Completion(
        # A response's own is made by chance.
        id="" if completion.id.startswith("resp_") else completion.id,
        model=completion.model,
        parts=[Thinking(origin="", text=thought, signature=signatures), *(one for one in said if one.text), *calls],
        stop=completion.stop,
        usage=completion.usage,
        sequence=completion.sequence,
    )
