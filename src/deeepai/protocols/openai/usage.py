"""OpenAI's usage objects, in the shape of chat completions and in that of responses."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from ...declare import Answer, AnyRequest, Json, Usage, event_data
from ..common import rough_tokens, service_tier
from ..common.usage import Count, Reader, nested, within

DEFAULT_OUTPUT = 1024
"""Output tokens that a hold assumes where the caller sets no limit."""
ELSEWHERE: Final = (b'"file_id"', b'"file_url"', b'"item_reference"')
"""What a body names and does not show."""
_PLACES: Final = ("x_groq", "message", "response", "choices")
"""Where vendors put usage that is not an answer's own member: a choice's, for one."""
_TELLS = re.compile(rb'"usage"\s*:\s*\{')


class PromptDetails(msgspec.Struct):
    """Parts of the input tokens."""

    cached_tokens: Count = None
    audio_tokens: Count = None
    cache_write_tokens: Count = None


class CompletionDetails(msgspec.Struct):
    """Parts of the output tokens."""

    reasoning_tokens: Count = None
    audio_tokens: Count = None


class VendorUsage(msgspec.Struct):
    """OpenAI's usage object, under either of its names, and where DeepSeek and Moonshot tell what was cached."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    input_tokens: Count = None
    output_tokens: Count = None
    input_tokens_details: PromptDetails | None = None
    output_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: Count = None
    cached_tokens: Count = None


class UsageHolder(msgspec.Struct):
    """Any answer or event that may carry usage."""

    usage: VendorUsage | None = None
    service_tier: object = None


VENDOR_USAGE: Final = Reader(VendorUsage)
HOLDER: Final = Reader(UsageHolder)
_NO_PROMPT, _NO_COMPLETION = PromptDetails(), CompletionDetails()


def _sides(vendor: VendorUsage, reasoning: int) -> tuple[int, int]:
    """Return all that went in and all that came out; the total tells what is missing, or lies beside."""
    prompt = vendor.prompt_tokens or vendor.input_tokens or 0
    completion = vendor.completion_tokens or vendor.output_tokens or 0
    total = vendor.total_tokens
    if total is None:
        return prompt, completion
    if reasoning and total == prompt + completion + reasoning:
        # xAI counts what was thought beside what was said.
        return prompt, completion + reasoning
    if total:
        # A part above the whole is no count.
        prompt = prompt if prompt <= total or completion > total else 0
        completion = completion if completion <= total or prompt > total else 0
    if prompt and not completion:
        return prompt, max(0, total - prompt)
    if completion and not prompt:
        return max(0, total - completion), completion
    return prompt, completion


def token_usage(vendor: VendorUsage, tier: object = None, *, calls: int = 1) -> Usage:
    """Turn OpenAI's usage, whose prompt tokens include the cached ones, into disjoint counts."""
    inputs = vendor.prompt_tokens_details or vendor.input_tokens_details or _NO_PROMPT
    outputs = vendor.completion_tokens_details or vendor.output_tokens_details or _NO_COMPLETION
    reasoning = outputs.reasoning_tokens or 0
    prompt, completion = _sides(vendor, reasoning)
    read = inputs.cached_tokens or vendor.prompt_cache_hit_tokens or vendor.cached_tokens
    cached, written, audio_in = within(prompt, read, inputs.cache_write_tokens, inputs.audio_tokens)
    audio_out = outputs.audio_tokens or 0
    if audio_out > completion:
        audio_out = 0
    return Usage(
        calls=calls,
        input=prompt - cached - written - audio_in,
        cached=cached,
        cache_write=written,
        audio_in=audio_in,
        output=completion - audio_out,
        audio_out=audio_out,
        reasoning=reasoning,
        params=service_tier(tier),
        basis="vendor",
    )


def usage_elsewhere(data: bytes) -> VendorUsage | None:
    """Return the usage that lies within a member of an answer or event; the last that tells anything counts."""
    told: VendorUsage | None = None
    if _TELLS.search(data) is not None:
        for value in nested(data, "usage", _PLACES):
            vendor = VENDOR_USAGE.of(value)
            told = vendor if tells(token_usage(vendor)) else told
    return told


def tells(usage: Usage) -> bool:
    """Tell whether usage says anything: that nothing went in and nothing came out is no word of a vendor's."""
    return bool(usage.input or usage.output or usage.all_input or usage.all_output)


def _read(data: bytes) -> Usage | None:
    """Read the usage of an answer's or event's data, wherever it stands."""
    holder = HOLDER.read(data)
    if holder.usage is not None:
        usage = token_usage(holder.usage, holder.service_tier)
        if tells(usage):
            return usage
    vendor = usage_elsewhere(data)
    return token_usage(vendor, holder.service_tier) if vendor is not None else None


def estimated(request: AnyRequest, answer: Answer) -> Usage:
    """Count roughly what an answer used that does not tell."""
    return Usage(calls=1, input=rough_tokens(request), output=len(answer.body) // 6, basis="estimated")


def answer_usage(request: AnyRequest, answer: Answer) -> Usage | None:
    """Read the usage of a whole answer; where there is none, count roughly."""
    return _read(answer.body) or estimated(request, answer)


def input_usage(request: AnyRequest, answer: Answer) -> Usage | None:
    """Read the usage of a call that has input only, which the total tells, too."""
    usage = _read(answer.body)
    if usage is not None:
        return usage
    vendor = HOLDER.read(answer.body).usage
    if vendor is not None and vendor.total_tokens:
        return Usage(calls=1, input=vendor.total_tokens, basis="vendor")
    return input_estimate(request)


def completions(prompt: Json, n: int | None, best_of: int | None) -> int:
    """Return how many completions are made: of each prompt some, of which the best may be given alone."""
    several = isinstance(prompt, list) and prompt and not isinstance(prompt[0], int)
    return (len(prompt) if isinstance(prompt, list) and several else 1) * max(n or 1, best_of or 1)


def input_estimate(request: AnyRequest) -> Usage:
    """Estimate a call that has input only."""
    return Usage(calls=1, input=rough_tokens(request), basis="estimated")


def event_usage(event: bytes) -> Usage | None:
    """Read the usage that an event carries; almost none does, so look before parsing."""
    return _read(event_data(event)) if _TELLS.search(event) is not None else None
