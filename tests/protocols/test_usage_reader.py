"""What is charged where usage is odd: one spoiled field spoils no other, and no broken text hides what is beside it."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deeepai.declare import Usage
from deeepai.money.prices import PriceBook, parse
from deeepai.protocols.anthropic import usage as messages
from deeepai.protocols.common.usage import count, items, lenient, members
from deeepai.protocols.openai import audio, images, openai, rerank
from deeepai.protocols.openai import usage as chat
from deeepai.translators.chat import openai as chat_translator
from deeepai.translators.chat import responses as responses_translator
from tests.protocols.sent import answered, sent
from tests.protocols.usage_samples import (
    CHAT,
    FORMATS,
    GEMINI,
    MESSAGES,
    OUTSIDE,
    REQUESTS,
    RESPONSES,
    Format,
    charged,
    cost,
    whole,
)

each_format = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)


# Samples -----------------------------------------------------------------------------------------------------------

PLAIN = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@pytest.mark.parametrize(
    "usage",
    [
        PLAIN,
        {**PLAIN, "prompt_tokens_details": []},
        {**PLAIN, "prompt_tokens_details": None},
        {"prompt_tokens": 10.0, "completion_tokens": 5.0, "total_tokens": 15.0},
        {"prompt_tokens": "10", "completion_tokens": "5", "total_tokens": "15"},
        {**PLAIN, "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": "none"}},
        {"prompt_tokens": 10, "total_tokens": 15},
        {"completion_tokens": 5, "total_tokens": 15},
        {"input_tokens": 10, "output_tokens": 5},
    ],
)
def test_forms_of_one_chat_usage(usage: Any) -> None:
    found = whole(CHAT, usage)
    assert found == Usage(calls=1, input=10, output=5, basis="vendor")
    assert cost(CHAT, found) == 4_500


@pytest.mark.parametrize(
    "more",
    [
        {"prompt_tokens_details": {"cached_tokens": 4}},
        {"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6},
        {"cached_tokens": "4"},
        {"cached_tokens": 4, "prompt_tokens_details": {"cached_tokens": 4}},
    ],
    ids=["openai", "deepseek", "moonshot", "both"],
)
def test_what_came_from_a_cache_is_found_wherever_vendors_tell_it(more: Any) -> None:
    assert whole(CHAT, {**PLAIN, **more}) == Usage(calls=1, input=6, cached=4, output=5, basis="vendor")


def test_no_part_is_more_than_its_whole() -> None:
    parts = {"cached_tokens": 7_000, "cache_write_tokens": 8_000, "audio_tokens": 9_000}
    usage = whole(CHAT, {**PLAIN, "prompt_tokens_details": parts, "completion_tokens_details": {"audio_tokens": 900}})
    assert (usage.all_input, usage.all_output) == (10, 5)


@pytest.mark.parametrize("bad", [b"\\ud83d", b"\\udcfe\\ud83d", b"\t\x01\x1f", b"\xff\xfe\xe4\xbd", b"\\x", b"\\u12"])
@each_format
def test_broken_text_hides_no_usage(format: Format, bad: bytes) -> None:
    body = json.dumps(format.around(format.usage)).encode().replace(b"TEXT", bad)
    request = next(REQUESTS[name] for name, each in FORMATS.items() if each is format)
    assert format.read(request, answered(body)) == whole(format, format.usage)


@pytest.mark.parametrize("write", [json.dumps, lambda value: json.dumps(value, indent=2)])
def test_floats_after_a_cache_hit(write: Callable[[Any], str]) -> None:
    told = {"input_tokens": 12.2, "output_tokens": 10, "cache_read_input_tokens": 900}
    found = messages.answer_usage(REQUESTS["messages"], answered(write(MESSAGES.around(told)).encode()))
    assert cost(MESSAGES, found) == 152_000


RATES = PriceBook({"m": parse({"per_million": {"input": "1", "cached": "0.1", "output": "10"}})})
WITHIN = {**OUTSIDE, "completion_tokens": 4308}


def responses_shaped(usage: Mapping[str, Any]) -> dict[str, Any]:
    names = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
    return {
        name.replace("prompt", "input").replace("completion", "output") if name not in names else names[name]: value
        for name, value in usage.items()
    }


@pytest.mark.parametrize("usage", [OUTSIDE, WITHIN])
def test_reasoning_counts_once_within_the_completion_or_beside_it(usage: Any) -> None:
    found = whole(CHAT, usage)
    assert (found.input, found.cached, found.output, found.reasoning) == (9992, 128, 4308, 2809)
    assert RATES.cost("m", found) == 53_084_800
    shaped = whole(RESPONSES, responses_shaped(usage))
    assert (shaped.input, shaped.cached, shaped.output) == (9992, 128, 4308)
    told = chat_translator.read_usage(usage)
    assert told is not None
    assert told.output == responses_translator.read_usage(responses_shaped(usage)).output == 4308


def test_thoughts_within_gemini_s_answer_count_once() -> None:
    beside = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 4, "totalTokenCount": 19}
    assert whole(GEMINI, beside).output == 9
    assert whole(GEMINI, {**beside, "totalTokenCount": 15}).output == 5


@pytest.mark.parametrize(
    "holder",
    [
        {"usage": PLAIN},
        {"usage": None, "x_groq": {"id": "r", "usage": PLAIN}},
        {"x_groq": {"usage": PLAIN}},
        {"choices": [{"delta": {}, "usage": None}, {"delta": {}, "usage": PLAIN}]},
        {"usage": {"prompt_tokens": 0, "completion_tokens": 0}, "choices": [{"usage": PLAIN}]},
        {"message": {"usage": PLAIN}},
        {"response": {"usage": PLAIN}},
        {"usage": PLAIN, "choices": [{"delta": {}, "usage": None}]},
    ],
)
def test_usage_wherever_it_stands(holder: Any) -> None:
    expected = Usage(calls=1, input=10, output=5, basis="vendor")
    assert chat.answer_usage(REQUESTS["chat"], answered(holder)) == expected
    assert chat.event_usage(b"data: " + json.dumps(holder).encode() + b"\n\n") == expected


@pytest.mark.parametrize(
    "holder",
    [
        {"choices": [{"message": {"content": '"usage": {"prompt_tokens": 9}'}}]},
        {"choices": [{"message": {"tool_calls": [{"function": {"arguments": {"usage": PLAIN}}}]}}]},
        {"usage": [], "error": {"usage": PLAIN}},
        {"usage": None},
        {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}},
    ],
)
def test_what_is_no_word_of_the_vendor_s(holder: Any) -> None:
    found = chat.answer_usage(REQUESTS["chat"], answered(holder))
    assert found is not None
    assert found.basis == "estimated"
    assert chat.event_usage(b"data: " + json.dumps(holder).encode() + b"\n\n") is None


def test_calls_with_input_alone() -> None:
    request = asyncio.run(sent(openai, "POST", "/v1/embeddings", {"model": "m", "input": "a"}))[1]
    for usage in ({"prompt_tokens": 7, "total_tokens": 7}, {"total_tokens": 7}, {"prompt_tokens": "7"}):
        found = chat.input_usage(request, answered({"data": [{"embedding": [0.5, 1]}], "usage": usage}))
        assert found == Usage(calls=1, input=7, basis="vendor")
    nothing = chat.input_usage(request, answered({"usage": {"prompt_tokens": 0}}))
    assert nothing is not None
    assert (nothing.output, nothing.basis) == (0, "estimated")


def test_other_units() -> None:
    sound = {"usage": {"input_tokens": "30", "output_tokens": 4.0, "input_token_details": {"audio_tokens": 25}}}
    heard = audio.heard_event(b'data: {"type":"transcript.text.done",' + json.dumps(sound).encode()[1:] + b"\n\n")
    assert heard == Usage(input=5, audio_in=25, output=4, basis="vendor")
    timed = audio.heard_usage(REQUESTS["chat"], answered({"usage": {"type": "duration", "seconds": "12.5"}}))
    assert timed is not None
    assert timed.seconds == 12.5
    picture = {"data": [{"b64_json": "A"}], "usage": {"input_tokens": "9", "output_tokens": 40, "total_tokens": []}}
    request = asyncio.run(sent(openai, "POST", "/v1/images/generations", {"prompt": "a", "model": "gpt-image-1"}))[1]
    drawn = images.image_usage(request, answered(picture))
    assert drawn is not None
    assert (drawn.images, drawn.input, drawn.image_out) == (1, 9, 40)
    sorted_usage = rerank.usage(request, answered({"usage": {"total_tokens": "21", "prompt_tokens": {}}}))
    assert sorted_usage == Usage(calls=1, input=21, basis="vendor")


# Any field, in any way ---------------------------------------------------------------------------------------------


def leaves(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for key, each in inner for place in leaves(each, (*at, key))]


def put(usage: Any, place: Sequence[str | int], value: Any) -> Any:
    changed = copy.deepcopy(usage)
    *way, last = place
    inner = changed
    for step in way:
        inner = inner[step]
    inner[last] = value
    return changed


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(max_value=-1),
    st.integers(min_value=10**13),
    st.floats(max_value=-1),
    st.just(float("nan")),
    st.just(float("inf")),
    st.text(max_size=5).filter(lambda text: count(text) is None),
    st.lists(st.none(), max_size=2),
    st.just({"type": "x"}),
)
chosen = st.sampled_from(sorted(FORMATS))


@settings(max_examples=300, deadline=None)
@given(chosen, odd, st.data())
def test_a_spoiled_field_spoils_no_other(name: str, value: Any, data: st.DataObject) -> None:
    format = FORMATS[name]
    place = data.draw(st.sampled_from(leaves(dict(format.usage))))
    assume(place[-1] != "speed" or not isinstance(value, str))
    spoiled, absent = put(format.usage, place, value), put(format.usage, place, None)
    assert whole(format, spoiled) == whole(format, absent)
    found = charged(format, spoiled)
    if not any(key in format.cheaper for key in place):
        assert cost(format, found) <= cost(format, whole(format, format.usage))
    told = format.told(spoiled)
    assert told is not None
    assert (told.input, told.output) == (whole(format, spoiled).all_input, whole(format, spoiled).all_output)


SPELLINGS: tuple[Callable[[int], str], ...] = (
    lambda number: f"{number}.0",
    lambda number: f"{number}e0",
    lambda number: f'"{number}"',
    lambda number: f'" {number}.0 "',
    lambda number: f"{number}.4",
)


@settings(max_examples=200, deadline=None)
@given(chosen, st.sampled_from(SPELLINGS), st.data())
def test_a_number_is_one_however_it_is_spelled(name: str, spell: Callable[[int], str], data: st.DataObject) -> None:
    format = FORMATS[name]
    numbers = [place for place in leaves(dict(format.usage)) if isinstance(_at(format.usage, place), int)]
    place = data.draw(st.sampled_from(numbers))
    body = json.dumps(format.around(put(format.usage, place, "NUMBER")))
    body = body.replace('"NUMBER"', spell(_at(format.usage, place)))
    assert format.read(REQUESTS[name], answered(body.encode())) == whole(format, format.usage)


def _at(value: Any, place: Sequence[str | int]) -> Any:
    for step in place:
        value = value[step]
    return value


@settings(max_examples=200, deadline=None)
@given(chosen, st.binary(max_size=30).map(lambda text: text.replace(b'"', b"").replace(b"\\", b"")))
def test_whatever_bytes_the_text_has(name: str, text: bytes) -> None:
    format = FORMATS[name]
    body = json.dumps(format.around(format.usage)).encode().replace(b"TEXT", text)
    assert format.read(REQUESTS[name], answered(body)) == whole(format, format.usage)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_outlines_are_those_of_a_decoder(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    if isinstance(value, dict):
        plain = {key: each for key, each in value.items() if "\\" not in json.dumps(key, ensure_ascii=False)[1:-1]}
        found = members(text)
        assert {key: json.loads(found[key]) for key in plain} == {
            key: json.loads(json.dumps(plain[key])) for key in plain
        }
    if isinstance(value, list):
        assert [json.loads(item) for item in items(text)] == json.loads(json.dumps(value))
    assert lenient(text) == json.loads(text)


@pytest.mark.parametrize("body", [b"", b"[" * 50_000, b'{"a":' * 50_000, b'{"usage":{"prompt_tokens":1' + b"[" * 9000])
def test_what_is_no_json_is_estimated(body: bytes) -> None:
    for name, format in FORMATS.items():
        found = format.read(REQUESTS[name], answered(body))
        assert found is not None
        assert found.basis in ("estimated", "vendor")
        assert found.input >= 0
