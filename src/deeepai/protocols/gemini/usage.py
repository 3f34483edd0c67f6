"""Google's `usageMetadata`, and estimates before there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from typing import Protocol as Interface

import msgspec

from ...declare import Answer, Json, Request, Usage, event_data
from ..common import rough_tokens, service_tier, unseen
from ..common.usage import Count, Reader, items, lenient, nested, within
from .bodies import GenerateBody
from .common import count, either, parts, text_of

DEFAULT_OUTPUT = 1024
"""Output tokens that a hold assumes where the caller sets no limit."""
_NULL = msgspec.Raw(b"null")
_TELLS = re.compile(rb'"usageMetadata"\s*:\s*\{')
MEDIA_TOKENS = 258
"""Least tokens of a picture, or of a second of video."""
DRAWN_TOKENS, LARGEST_DRAWN_TOKENS = 1290, 2000
"""Of a picture that a model draws; of one of 4K."""
MEDIA_BYTES_PER_TOKEN = 700
"""Of base64, for longer media: 32 tokens are a second of sound."""


class Prompt(Interface):
    """A body with contents: one, a list of them, or plain text."""

    @property
    def contents(self) -> Json: ...  # noqa: D102


class ModalityCount(msgspec.Struct, rename="camel"):
    """Tokens of one modality."""

    modality: str = ""
    token_count: Count = None


class VendorUsage(msgspec.Struct, rename="camel"):
    """Google's usage object: prompt tokens include the cached ones, candidates' exclude thoughts."""

    prompt_token_count: Count = None
    cached_content_token_count: Count = None
    tool_use_prompt_token_count: Count = None
    candidates_token_count: Count = None
    thoughts_token_count: Count = None
    total_token_count: Count = None
    prompt_tokens_details: list[ModalityCount] | None = None
    cache_tokens_details: list[ModalityCount] | None = None
    candidates_tokens_details: list[ModalityCount] | None = None
    service_tier: object = None
    traffic_type: object = None
    """The tier, as Vertex AI says it."""


class Grounding(msgspec.Struct, rename="camel"):
    """What an answer rests on."""

    web_search_queries: list[str] | None = None


class Candidate(msgspec.Struct, rename="camel"):
    """One of the answers."""

    grounding_metadata: Grounding | None = None


class UsageHolder(msgspec.Struct, rename="camel"):
    """Any answer or event that may carry usage."""

    usage_metadata: VendorUsage | None = None
    model_version: object = None
    candidates: msgspec.Raw = _NULL


VENDOR_USAGE: Final = Reader(VendorUsage)
_HOLDER: Final = Reader(UsageHolder)
_PLACES: Final = ("response",)
"""Where relays put the whole answer."""


def _of(details: list[ModalityCount] | None, *modalities: str) -> int:
    return sum(item.token_count or 0 for item in details or () if item.modality in modalities)


def _sides(vendor: VendorUsage) -> tuple[int, int, int]:
    """Return all that went in, what was answered, and what was thought beside it; the total tells what is missing."""
    prompt, tools = vendor.prompt_token_count or 0, vendor.tool_use_prompt_token_count or 0
    answered, thoughts = vendor.candidates_token_count or 0, vendor.thoughts_token_count or 0
    total = vendor.total_token_count
    if total:
        # A part above the whole is no count.
        prompt, tools, answered, thoughts = (
            part if part <= total else 0 for part in (prompt, tools, answered, thoughts)
        )
        if thoughts <= answered and total == prompt + tools + answered:
            # Some relays count thoughts within the answer.
            thoughts = 0
        elif prompt and not answered:
            answered = max(0, total - prompt - tools - thoughts)
        elif answered and not prompt:
            prompt = max(0, total - tools - answered - thoughts)
    return prompt + tools, answered, thoughts


def token_usage(vendor: VendorUsage) -> Usage:
    """Turn Google's usage into disjoint counts; pictures and films are one sort of input."""
    prompt, answered, thoughts = _sides(vendor)
    (cached,) = within(prompt, vendor.cached_content_token_count)
    cached_audio = min(cached, _of(vendor.cache_tokens_details, "AUDIO"))
    pictures = ("IMAGE", "VIDEO")
    heard = max(0, _of(vendor.prompt_tokens_details, "AUDIO") - cached_audio)
    seen = max(0, _of(vendor.prompt_tokens_details, *pictures) - _of(vendor.cache_tokens_details, *pictures))
    audio_in, image_in = within(prompt - cached, heard, seen)
    details = vendor.candidates_tokens_details
    audio_out, image_out = within(answered, _of(details, "AUDIO"), _of(details, *pictures))
    return Usage(
        input=prompt - cached - audio_in - image_in,
        cached=cached - cached_audio,
        cached_audio=cached_audio,
        audio_in=audio_in,
        image_in=image_in,
        output=answered - audio_out - image_out + thoughts,
        audio_out=audio_out,
        image_out=image_out,
        reasoning=min(answered + thoughts, vendor.thoughts_token_count or 0),
        basis="vendor",
    )


def consumed(found: UsageHolder, usage: VendorUsage) -> Usage:
    """Return all that an answer used: tokens, searches of the web, and in which tier it was worked."""
    queries = _queries(found.candidates)
    # Up to version 2 an answer that was looked up costs the same however often that was.
    searches = min(1, len(queries)) if str(found.model_version).startswith("gemini-2") else len(queries)
    tier = usage.service_tier or str(usage.traffic_type or "").lower().removeprefix("on_demand_")
    plain, params = token_usage(usage), service_tier(tier)
    return msgspec.structs.replace(plain, searches=searches, params=params) if searches or params else plain


def _queries(candidates: msgspec.Raw) -> set[str]:
    """Return what the web was searched for."""
    if b'"webSearchQueries"' not in bytes(candidates):
        return set()
    try:
        answers = msgspec.convert(lenient(bytes(candidates)), list[Candidate])
    except msgspec.ValidationError:
        # Tokens are charged whatever else cannot be read.
        return set()
    grounds = [answer.grounding_metadata for answer in answers if answer.grounding_metadata is not None]
    return {query for ground in grounds for query in ground.web_search_queries or () if query}


def answer_usage(request: Request[Prompt], answer: Answer) -> Usage | None:
    """Read the usage of a whole answer, or the last of an array of answers; where there is none, count roughly."""
    array = answer.body[:64].lstrip().startswith(b"[")
    for part in reversed(items(answer.body)) if array else (answer.body,):
        holder = _held(part)
        if holder.usage_metadata is not None:
            usage = consumed(holder, holder.usage_metadata)
            if usage.all_input + usage.all_output:
                return usage
    return estimated(request, answer)


def estimated(request: Request[Prompt], answer: Answer) -> Usage:
    """Count roughly what an answer used that does not tell."""
    return Usage(input=input_tokens(request), output=len(answer.body) // 6, basis="estimated")


def _held(data: bytes) -> UsageHolder:
    """Read an answer or event, and its usage wherever it stands."""
    holder = _HOLDER.read(data)
    if holder.usage_metadata is None and _TELLS.search(data) is not None:
        for value in nested(data, "usageMetadata", _PLACES):
            holder.usage_metadata = VENDOR_USAGE.of(value)
    return holder


def event_usage(event: bytes) -> Usage | None:
    """Read the usage that an event carries; it is that of all so far.

    What names the prompt's tokens alone says nothing of the output yet.
    """
    if _TELLS.search(event) is None:
        return None
    holder = _held(event_data(event))
    found = holder.usage_metadata
    if found is None:
        return None
    silent = found.candidates_token_count is None and found.thoughts_token_count is None
    if silent and b'"finishReason"' not in event:
        return None
    usage = consumed(holder, found)
    return usage if usage.all_input + usage.all_output else None


def embedding_usage(request: Request[Prompt], answer: Answer) -> Usage | None:
    """Read the usage of embeddings, which only newer models tell."""
    found = _held(answer.body).usage_metadata
    usage = token_usage(found) if found is not None else None
    return usage if usage is not None and usage.all_input else input_estimate(request)


def _media(request: Request[Prompt]) -> Iterator[str]:
    """Yield the media of a body, in base64."""
    for part in parts(request.body.contents):
        data = either(either(part, "inlineData"), "data")
        if isinstance(data, str):
            yield data


def _media_tokens(data: str) -> int:
    return max(MEDIA_TOKENS, len(data) // MEDIA_BYTES_PER_TOKEN)


def input_tokens(request: Request[Prompt]) -> int:
    """Estimate the tokens of a body: four bytes each, media by their own measure."""
    return max(1, rough_tokens(request) + sum(_media_tokens(data) - len(data) // 4 for data in _media(request)))


_ELSEWHERE: Final = (b'"fileUri"', b'"file_uri"', b'"cachedContent"', b'"cached_content"')


def chat_estimate(request: Request[GenerateBody]) -> Usage:
    """Estimate an answer: the prompt, the output that it allows, and a picture where one is asked for."""
    config = request.body.config
    limit, answers = count(either(config, "maxOutputTokens"), 0), count(either(config, "candidateCount"), 1)
    thought = count(either(either(config, "thinkingConfig"), "thinkingBudget"), 0)
    output = max(limit or DEFAULT_OUTPUT, thought) * answers
    drawn = LARGEST_DRAWN_TOKENS if either(either(config, "imageConfig"), "imageSize") == "4K" else DRAWN_TOKENS
    return Usage(
        input=input_tokens(request),
        output=output,
        image_out=drawn * answers if _draws(config) else 0,
        params=service_tier(request.body.tier),
        unlimited=0 if limit else answers,
        unseen=unseen(request.raw, *_ELSEWHERE),
        basis="estimated",
    )


def _draws(config: Json) -> bool:
    modalities = either(config, "responseModalities")
    return isinstance(modalities, list) and "IMAGE" in (str(each).upper() for each in modalities)


def input_estimate(request: Request[Prompt]) -> Usage:
    """Estimate a call that has input only: its texts, four bytes a token, and media by their own measure."""
    text = text_of(request.body.contents).encode("utf-8", "replace")
    tokens = len(text) // 4 + sum(map(_media_tokens, _media(request)))
    return Usage(input=max(1, tokens), basis="estimated")
