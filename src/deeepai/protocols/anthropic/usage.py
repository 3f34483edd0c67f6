"""Anthropic's usage objects. An input's tokens leave out those that were read from or written to the cache."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ...declare import Answer, AnyRequest, Request, Usage, event_data
from ..common import positive, rough_tokens, unseen
from ..common.usage import Count, Reader, within
from .bodies import MessagesBody, Tool

DEFAULT_OUTPUT = 1024
"""Output tokens that a hold assumes at least where a caller sets no limit."""
_SEARCHES: Final = 5
"""Searches of the web that a hold assumes where the caller sets no limit."""


class OutputDetails(msgspec.Struct):
    """Parts of the output tokens."""

    thinking_tokens: Count = None


class CacheDetails(msgspec.Struct):
    """Parts of the tokens that were written to the cache."""

    ephemeral_1h_input_tokens: Count = None


class ServerTools(msgspec.Struct):
    """Calls of tools that the vendor runs; those of other tools than the search cost nothing by themselves."""

    web_search_requests: Count = None


class Tokens(msgspec.Struct):
    """Counts of one sampling."""

    type: str | None = None
    model: str | None = None
    input_tokens: Count = None
    output_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
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


class Part(Usage, frozen=True, omit_defaults=True):
    """What one event of a stream tells.

    Attributes
    ----------
    told : tuple of str
        The counts that it names, if only as zero; the others stay as they were.
    """

    told: tuple[str, ...] = ()


VENDOR_USAGE: Final = Reader(VendorUsage)
_EVENT: Final = Reader(_Event)
_TELLS = re.compile(rb'"usage"\s*:\s*\{')


def _counts(vendor: Tokens) -> Usage:
    hour = (vendor.cache_creation.ephemeral_1h_input_tokens or 0) if vendor.cache_creation is not None else 0
    written = vendor.cache_creation_input_tokens or 0
    if written:
        (hour,) = within(written, hour)
    return Usage(
        input=vendor.input_tokens or 0,
        cached=vendor.cache_read_input_tokens or 0,
        cache_write=max(0, written - hour),
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
    holder = _EVENT.read(answer.body)
    for vendor in (holder.usage, holder.message.usage if holder.message is not None else None):
        usage = token_usage(vendor) if vendor is not None else _NOTHING
        if usage.all_input + usage.all_output or usage.others:
            return usage
    return estimated(request, answer)


def estimated(request: AnyRequest, answer: Answer) -> Usage:
    """Count roughly what an answer used that does not tell."""
    return Usage(input=rough_tokens(request), output=len(answer.body) // 6, basis="estimated")


def event_usage(event: bytes) -> Usage | None:
    """Read the usage that an event carries: what went in comes with the first, what came out with the last but one."""
    if _TELLS.search(event) is None:
        return None
    holder = _EVENT.read(event_data(event))
    begins = holder.usage is None and holder.message is not None
    vendor = holder.message.usage if begins and holder.message is not None else holder.usage
    if vendor is None:
        return None
    usage = token_usage(vendor)
    if begins:
        # The answer has not come yet, whatever is said of it.
        usage = msgspec.structs.replace(usage, output=0, reasoning=0)
    return Part(*msgspec.structs.astuple(usage), told=_told(vendor))


def _told(vendor: VendorUsage) -> tuple[str, ...]:
    """Return which of our counts Anthropic's usage names."""
    details, tools, cache = vendor.output_tokens_details, vendor.server_tool_use, vendor.cache_creation
    named = {
        "input": vendor.input_tokens,
        "cached": vendor.cache_read_input_tokens,
        "cache_write": vendor.cache_creation_input_tokens,
        "cache_write_1h": cache.ephemeral_1h_input_tokens if cache is not None else None,
        "output": vendor.output_tokens,
        "reasoning": details.thinking_tokens if details is not None else None,
        "searches": tools.web_search_requests if tools is not None else None,
    }
    return tuple(name for name, value in named.items() if value is not None)


def merge(first: Usage, later: Usage) -> Usage:
    """Put together what two events of a stream told: what the later names replaces the earlier, downwards too.

    That nothing at all went in is no word of the vendor's.
    """
    if later.others and not later.output:
        # Another model has answered, and its counts are the whole.
        return Usage(*msgspec.structs.astuple(later)[: len(Usage.__struct_fields__)])
    told = frozenset(later.told if isinstance(later, Part) else Usage.__struct_fields__)
    if not later.all_input:
        told -= {"input", "cached", "cache_write", "cache_write_1h"}
    counts: dict[str, int] = {
        name: getattr(later if name in told or getattr(later, name) else first, name)
        for name in ("input", "cached", "output", "reasoning", "searches")
    }
    split = later if "cache_write_1h" in told or later.cache_write_1h else first
    total = later if "cache_write" in told or later.cache_write else first
    written = total.cache_write + total.cache_write_1h
    hour = min(written, split.cache_write_1h)
    return Usage(
        **counts,
        cache_write=written - hour,
        cache_write_1h=hour,
        params={**first.params, **later.params},
        others=later.others or first.others,
        basis="vendor",
    )


def allowed_output(limit: int, thinking: Any) -> int:
    """Return the output that a message allows: between calls of tools, thought may go beyond the limit."""
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return max(limit, positive(budget, 0))


def allowed_searches(tools: Sequence[Tool] | None) -> int:
    """Return how often a message lets the vendor search the web."""
    return sum(positive(tool.max_uses, _SEARCHES) for tool in tools or () if (tool.type or "").startswith("web_search"))


def elsewhere(body: bytes) -> int:
    """Return 1 where a body names a document that it does not hold; else 0."""
    return unseen(body, b'"file_id"') or (b'"document"' in body and unseen(body, b'"url"'))


def estimate(request: Request[MessagesBody]) -> Usage:
    """Estimate a message: its bytes, and what it allows."""
    body = request.body
    return Usage(
        input=rough_tokens(request),
        output=allowed_output(body.max_tokens, body.thinking),
        searches=allowed_searches(body.tools),
        unseen=elsewhere(request.raw),
        basis="estimated",
    )
