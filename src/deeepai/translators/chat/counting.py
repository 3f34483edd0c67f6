"""Counts of a request's tokens: by the vendor whose model is asked, or here, where it has none.

Anthropic and Google count for callers; what stands for OpenAI's format are mostly servers that do not, and its own
tokenizer is public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import quicktok

from ...declare import Answer, AnyRequest, CallTranslator, Failure, Json, LocalAnswer, Reason, Reply, Usage
from . import anthropic, anthropic_write, gemini, gemini_write, responses
from .common import Body, decode, encode, no_answer, result_text, tokens, whole_json
from .fitting import Limits, fit
from .model import Conversation, Media, Text, Thinking, ToolCall, ToolResult

ENCODING = "o200k_base"
PER_TURN = 4
"""Tokens that stand between turns."""
PER_MEDIA = 600
"""A picture of middle size; what a page or a second takes is of the same order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """How a format's callers ask for a count.

    Attributes
    ----------
    operation : str
        That counts.
    alongside : str
        That answers.
    """

    operation: str
    alongside: str
    read_request: Callable[[Body], Conversation]
    write_answer: Callable[[int], Body]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counting(Asked):
    """How a format counts.

    Attributes
    ----------
    field : str
        Of the vendor's answer, which holds the count.
    """

    write_request: Callable[[Conversation, str], Body]
    limits: Callable[[str], Limits]
    field: str
    error: Callable[[Answer], Failure]


def _read_gemini(body: Body) -> Conversation:
    return gemini.read_request(gemini.get(body, "generateContentRequest") or body, False)


def _write_gemini(conversation: Conversation, model: str) -> Body:
    name = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    return {"generateContentRequest": {"model": name, **gemini_write.write_request(conversation, model)}}


_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config")


def _write_anthropic(conversation: Conversation, model: str) -> Body:
    body = anthropic_write.write_request(conversation, model)
    return {name: body[name] for name in _COUNTED if name in body}


COUNTED: tuple[Counting, ...] = (
    Counting(
        operation="anthropic.messages.count_tokens",
        alongside="anthropic.messages",
        read_request=lambda body: anthropic.read_request(body, False),
        write_answer=lambda count: {"input_tokens": count},
        write_request=_write_anthropic,
        limits=anthropic_write.limits,
        field="input_tokens",
        error=anthropic.read_error,
    ),
    Counting(
        operation="gemini.countTokens",
        alongside="gemini.generateContent",
        read_request=_read_gemini,
        write_answer=lambda count: {
            "totalTokens": count,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}],
        },
        write_request=_write_gemini,
        limits=gemini_write.limits,
        field="totalTokens",
        error=gemini.read_error,
    ),
)
"""Formats whose vendors count."""
FORMATS: tuple[Asked, ...] = (
    *COUNTED,
    Asked(
        operation="openai.responses.input_tokens",
        alongside="openai.responses.create",
        read_request=lambda body: responses.read_request(body, False),
        write_answer=lambda count: {"object": "response.input_tokens", "input_tokens": count},
    ),
)


def _conversation(source: Asked, request: AnyRequest) -> Conversation:
    try:
        return source.read_request(decode(request.raw))
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise Failure(Reason.INVALID, "The body is not of its format: a field has the wrong type") from None


# At the vendor ---------------------------------------------------------------------------------------------------


def _translator(source: Asked, target: Counting) -> CallTranslator:
    def request(request: AnyRequest, model: str) -> Mapping[str, Json]:
        conversation = _conversation(source, request)
        fit(conversation, target.limits(model), model)
        return target.write_request(conversation, model)

    def answer(request: AnyRequest, answer: Answer, usage: Usage | None = None) -> bytes:
        count = tokens(whole_json(answer.body), target.field)
        if not count:
            raise no_answer("it has no count")
        return encode(source.write_answer(count))

    return CallTranslator(
        source=source.operation, target=target.operation, request=request, answer=answer, error=target.error
    )


# Here ------------------------------------------------------------------------------------------------------------


def texts(conversation: Conversation) -> Iterator[str]:
    """Yield what of a conversation is read as text: turns, calls and results, tools with their schemas."""
    for turn in conversation.turns:
        for part in turn.parts:
            match part:
                case Text() | Thinking():
                    yield part.text
                case ToolCall():
                    yield part.name
                    yield part.arguments
                case ToolResult():
                    yield result_text(part)
                case Media():
                    pass
    for tool in conversation.tools:
        yield tool.name
        yield tool.description
        yield encode(tool.schema or {}).decode()


def _media(conversation: Conversation) -> int:
    return sum(
        1 if isinstance(part, Media) else sum(isinstance(inner, Media) for inner in part.parts)
        for turn in conversation.turns
        for part in turn.parts
        if isinstance(part, Media | ToolResult)
    )


def count(conversation: Conversation) -> int:
    """Count a conversation by OpenAI's public tokenizer; media by what one takes on the whole."""
    between = PER_TURN * (len(conversation.turns) + len(conversation.tools)) + PER_MEDIA * _media(conversation)
    return between + quicktok.get_encoding(ENCODING).count("\n".join(texts(conversation)))


def _local(source: Asked) -> LocalAnswer:
    def answer(request: Any) -> Reply:
        return Reply(source.write_answer(count(_conversation(source, request))))

    return LocalAnswer(source=source.operation, alongside=source.alongside, answer=answer)


COUNT_TRANSLATORS: tuple[CallTranslator, ...] = tuple(
    _translator(source, target) for source in FORMATS for target in COUNTED if target is not source
)
LOCAL_COUNTS: tuple[LocalAnswer, ...] = tuple(map(_local, FORMATS))
