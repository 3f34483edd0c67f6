"""Anthropic's usage objects. An input's tokens leave out those that were read from or written to the cache."""

from __future__ import annotations

import msgspec

from ...declare import Answer, AnyRequest, Request, Usage
from ..common import rough_tokens
from .bodies import MessagesBody

DEFAULT_OUTPUT = 1024
"""Output tokens that a hold assumes at most, as callers set generous limits."""


class OutputDetails(msgspec.Struct):
    """Parts of the output tokens."""

    thinking_tokens: int | None = 0


class CacheDetails(msgspec.Struct):
    """Parts of the tokens that were written to the cache."""

    ephemeral_1h_input_tokens: int | None = 0


class ServerTools(msgspec.Struct):
    """Calls of tools that the vendor runs; those of other tools than the search cost nothing by themselves."""

    web_search_requests: int | None = 0


class Tokens(msgspec.Struct):
    """Counts of one sampling."""

    type: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheDetails | None = None


class VendorUsage(Tokens):
    """Anthropic's usage object; in a stream's later events only what is known by then."""

    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerTools | None = None
    inference_geo: str | None = None
    speed: str | None = None
    iterations: list[Tokens] | None = None
    """The samplings of the answer; the counts above leave out those that condense the conversation or advise."""


class UsageHolder(msgspec.Struct):
    """A message, or anything else that may carry usage."""

    usage: VendorUsage | None = None


class _Event(msgspec.Struct):
    usage: VendorUsage | None = None
    message: UsageHolder | None = None


_answers = msgspec.json.Decoder(UsageHolder)
_events = msgspec.json.Decoder(_Event)


def _counts(vendor: Tokens) -> Usage:
    hour = (vendor.cache_creation.ephemeral_1h_input_tokens or 0) if vendor.cache_creation is not None else 0
    return Usage(
        input=vendor.input_tokens or 0,
        cached=vendor.cache_read_input_tokens or 0,
        cache_write=max(0, (vendor.cache_creation_input_tokens or 0) - hour),
        cache_write_1h=hour,
        output=vendor.output_tokens or 0,
        basis="vendor",
    )


_NOTHING = Usage(basis="vendor")


def token_usage(vendor: VendorUsage) -> Usage:
    """Turn Anthropic's usage into ours; its counts are disjoint already."""
    usage, others = _counts(vendor), dict[str, Usage]()
    for one in vendor.iterations or ():
        if one.type == "compaction":
            usage = usage.plus(_counts(one))
        elif one.type == "advisor_message" and one.model:
            others[one.model] = others.get(one.model, _NOTHING).plus(_counts(one))
    for one in vendor.iterations or ():
        if one.type == "fallback_message" and one.model:
            # The whole answer is another model's.
            others[one.model] = others.get(one.model, _NOTHING).plus(usage)
            usage = _NOTHING
    details, tools, params = vendor.output_tokens_details, vendor.server_tool_use, {}
    if vendor.speed and vendor.speed != "standard":
        params["speed"] = vendor.speed
    if vendor.inference_geo and vendor.inference_geo not in ("global", "not_available"):
        params["inference_geo"] = vendor.inference_geo
    return msgspec.structs.replace(
        usage,
        reasoning=(details.thinking_tokens or 0) if details is not None else 0,
        searches=(tools.web_search_requests or 0) if tools is not None else 0,
        params=params,
        others=others,
    )


def answer_usage(request: AnyRequest, answer: Answer) -> Usage | None:
    """Read the usage of a whole answer; where there is none, count roughly."""
    try:
        found = _answers.decode(answer.body).usage
    except (msgspec.DecodeError, msgspec.ValidationError):
        found = None
    if found is None:
        return Usage(input=rough_tokens(request), output=len(answer.body) // 6, basis="estimated")
    return token_usage(found)


def event_usage(event: bytes) -> Usage | None:
    """Read the usage that an event carries: what went in comes with the first, what came out with the last but one."""
    if b'"usage"' not in event:
        return None
    data = b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
    try:
        found = _events.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    usage = found.usage or (found.message.usage if found.message is not None else None)
    return token_usage(usage) if usage is not None else None


def merge(first: Usage, later: Usage) -> Usage:
    """Put together what two events of a stream told; counts are cumulative, and only the first tells the parts."""
    if later.others and not later.output:
        # Another model has answered, and its counts are the whole.
        return later
    written = max(first.cache_write + first.cache_write_1h, later.cache_write + later.cache_write_1h)
    hour = max(first.cache_write_1h, later.cache_write_1h)
    return Usage(
        input=max(first.input, later.input),
        cached=max(first.cached, later.cached),
        cache_write=written - hour,
        cache_write_1h=hour,
        output=max(first.output, later.output),
        reasoning=max(first.reasoning, later.reasoning),
        searches=max(first.searches, later.searches),
        params={**first.params, **later.params},
        others=later.others or first.others,
        basis="vendor",
    )


def estimate(request: Request[MessagesBody]) -> Usage:
    """Estimate a message: its bytes, and the output that it allows."""
    return Usage(input=rough_tokens(request), output=min(request.body.max_tokens, DEFAULT_OUTPUT), basis="estimated")
