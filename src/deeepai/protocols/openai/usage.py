"""OpenAI's usage objects."""

from __future__ import annotations

import msgspec

from ...declare import Answer, AnyRequest, Usage
from ..common import rough_tokens, service_tier
from .common import event_data

DEFAULT_OUTPUT = 1024
"""Output tokens that a hold assumes where the caller sets no limit."""


class PromptDetails(msgspec.Struct):
    """Parts of the input tokens."""

    cached_tokens: int | None = 0
    audio_tokens: int | None = 0
    image_tokens: int | None = 0
    cache_write_tokens: int | None = 0


class CompletionDetails(msgspec.Struct):
    """Parts of the output tokens."""

    reasoning_tokens: int | None = 0
    audio_tokens: int | None = 0


class VendorUsage(msgspec.Struct):
    """OpenAI's usage object."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class UsageHolder(msgspec.Struct):
    """Any answer or event that may carry usage."""

    usage: VendorUsage | None = None
    service_tier: object = None


_holder = msgspec.json.Decoder(UsageHolder)


def token_usage(vendor: VendorUsage, tier: object = None) -> Usage:
    """Turn OpenAI's usage, whose prompt tokens include the cached ones, into disjoint counts."""
    inputs, outputs = vendor.prompt_tokens_details, vendor.completion_tokens_details
    cached = written = audio_in = audio_out = reasoning = 0
    if inputs is not None:
        cached, written, audio_in = (
            inputs.cached_tokens or 0,
            inputs.cache_write_tokens or 0,
            inputs.audio_tokens or 0,
        )
    if outputs is not None:
        reasoning, audio_out = outputs.reasoning_tokens or 0, outputs.audio_tokens or 0
    return Usage(
        calls=1,
        input=max(0, vendor.prompt_tokens - cached - written - audio_in),
        cached=cached,
        cache_write=written,
        audio_in=audio_in,
        output=max(0, vendor.completion_tokens - audio_out),
        audio_out=audio_out,
        reasoning=reasoning,
        params=service_tier(tier),
        basis="vendor",
    )


def answer_usage(request: AnyRequest, answer: Answer) -> Usage | None:
    """Read the usage of a whole answer; where there is none, count roughly."""
    try:
        holder = _holder.decode(answer.body)
    except (msgspec.DecodeError, msgspec.ValidationError):
        holder = UsageHolder()
    if holder.usage is None:
        return Usage(calls=1, input=rough_tokens(request), output=len(answer.body) // 6, basis="estimated")
    return token_usage(holder.usage, holder.service_tier)


def input_estimate(request: AnyRequest) -> Usage:
    """Estimate a call that has input only."""
    return Usage(calls=1, input=rough_tokens(request), basis="estimated")


def event_usage(event: bytes) -> Usage | None:
    """Read the usage that an event carries; almost none does, so look before parsing."""
    at = event.rfind(b'"usage"')
    if at < 0 or event[at + 7 : at + 14].lstrip(b": ").startswith(b"null"):
        return None
    data = event_data(event)
    try:
        holder = _holder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    return token_usage(holder.usage, holder.service_tier) if holder.usage is not None else None
