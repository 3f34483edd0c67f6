"""Usage as each chat format tells it, with what is charged by it, for tests of odd ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deeepai.declare import Answer, Stream, Usage
from deeepai.gateway import settlement
from deeepai.money.prices import PriceBook
from deeepai.protocols.anthropic import anthropic
from deeepai.protocols.anthropic import usage as messages
from deeepai.protocols.gemini import gemini
from deeepai.protocols.gemini import usage as gemini_usage
from deeepai.protocols.openai import openai, responses
from deeepai.protocols.openai import usage as chat
from deeepai.translators.chat import anthropic as messages_translator
from deeepai.translators.chat import gemini as gemini_translator
from deeepai.translators.chat import openai as chat_translator
from deeepai.translators.chat import responses as responses_translator
from deeepai.translators.chat.model import Tokens
from tests.protocols.sent import answered, sent

BOOK = PriceBook.shipped()
ASKED = "word " * 40
"""Of fewer tokens than the samples' inputs: what is counted in their place never costs more."""


@dataclass(frozen=True)
class Format:
    """How a vendor tells usage, and what of it is priced.

    Attributes
    ----------
    usage : mapping
        As the vendor writes it, all in order.
    cheaper : tuple of str
        Fields that make other tokens cheaper, or say that they lie elsewhere: without them the rest costs more.
    around : callable
        An answer around usage, with a text.
    read, told : callable
        What is charged, and what a caller is told.
    """

    model: str
    path: str
    body: Mapping[str, Any]
    usage: Mapping[str, Any]
    cheaper: tuple[str, ...]
    around: Callable[[Any], Any]
    read: Callable[[Any, Answer], Usage | None]
    told: Callable[[Any], Tokens | None]
    protocol: Any


CHAT = Format(
    model="gpt-4o-mini",
    path="/v1/chat/completions",
    body={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": ASKED}]},
    usage={
        "prompt_tokens": 150,
        "completion_tokens": 70,
        "total_tokens": 220,
        "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 0},
    },
    cheaper=("cached_tokens", "prompt_tokens_details"),
    around=lambda usage: {
        "id": "c",
        "service_tier": "default",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "TEXT"}, "finish_reason": "stop"}],
        "usage": usage,
    },
    read=chat.answer_usage,
    told=chat_translator.read_usage,
    protocol=openai,
)
RESPONSES = Format(
    model="gpt-4o-mini",
    path="/v1/responses",
    body={"model": "gpt-4o-mini", "input": ASKED},
    usage={
        "input_tokens": 150,
        "output_tokens": 70,
        "total_tokens": 220,
        "input_tokens_details": {"cached_tokens": 20},
        "output_tokens_details": {"reasoning_tokens": 30},
    },
    cheaper=("cached_tokens", "input_tokens_details"),
    around=lambda usage: {
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "TEXT"}]}],
        "usage": usage,
    },
    read=responses.answer_usage,
    told=responses_translator.read_usage,
    protocol=openai,
)
MESSAGES = Format(
    model="claude-haiku-4-5",
    path="/v1/messages",
    body={"model": "claude-haiku-4-5", "max_tokens": 90, "messages": [{"role": "user", "content": ASKED}]},
    usage={
        "input_tokens": 150,
        "output_tokens": 70,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 9,
        "cache_creation": {"ephemeral_1h_input_tokens": 4, "ephemeral_5m_input_tokens": 5},
        "output_tokens_details": {"thinking_tokens": 30},
        "server_tool_use": {"web_search_requests": 2},
        "speed": "standard",
    },
    cheaper=(),
    around=lambda usage: {
        "type": "message",
        "content": [{"type": "text", "text": "TEXT"}],
        "stop_reason": "end_turn",
        "usage": usage,
    },
    read=messages.answer_usage,
    told=messages_translator.read_usage,
    protocol=anthropic,
)
GEMINI = Format(
    model="gemini-2.5-flash",
    path="/v1beta/models/gemini-2.5-flash:generateContent",
    body={"contents": [{"parts": [{"text": ASKED}]}]},
    usage={
        "promptTokenCount": 150,
        "candidatesTokenCount": 40,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 220,
        "cachedContentTokenCount": 20,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 150}],
    },
    cheaper=("cachedContentTokenCount",),
    around=lambda usage: {
        "candidates": [{"content": {"parts": [{"text": "TEXT"}]}, "finishReason": "STOP"}],
        "usageMetadata": usage,
    },
    read=gemini_usage.answer_usage,
    told=gemini_translator.read_usage,
    protocol=gemini,
)
FORMATS = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES, "gemini": GEMINI}


def cost(format: Format, usage: Usage | None) -> int:
    assert usage is not None
    price = BOOK.cost(format.model, usage)
    assert price is not None
    return price


def asking(format: Format, **more: Any) -> Any:
    return asyncio.run(sent(format.protocol, "POST", format.path, {**format.body, **more}))[1]


REQUESTS = {name: asking(format) for name, format in FORMATS.items()}


def whole(format: Format, usage: Any) -> Usage:
    body = json.dumps(format.around(usage)).encode()
    request = next(REQUESTS[name] for name, each in FORMATS.items() if each is format)
    found = format.read(request, answered(body))
    assert found is not None
    return found


def charged(format: Format, usage: Any) -> Usage:
    """Return what an answer is charged by, what is counted in the place of an untold side included."""
    found = whole(format, usage)
    declared, request = asyncio.run(sent(format.protocol, "POST", format.path, format.body))
    rules = declared.rules if isinstance(declared, Stream) else declared.counting
    if not settlement.untold(found, request, rules):
        return found
    body = json.dumps(format.around(usage)).encode()
    return settlement.of_answer(found, request, rules, body)


OUTSIDE = {
    "prompt_tokens": 10120,
    "completion_tokens": 1499,
    "total_tokens": 14428,
    "prompt_tokens_details": {"cached_tokens": 128},
    "completion_tokens_details": {"reasoning_tokens": 2809},
}
"""xAI's: reasoning lies beside the completion."""
