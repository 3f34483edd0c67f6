from __future__ import annotations

import importlib.util
import math
import tomllib
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.declare import Usage
from deeepai.money.prices import PriceBook, parse

USD = 1_000_000_000
BOOK = PriceBook.shipped()
TOKENS = ("input", "cached", "cache_write", "audio_in", "image_in", "output", "audio_out", "image_out")


def book(**entry: object) -> PriceBook:
    found = PriceBook({}).overridden({"m": entry})
    assert found.listing()
    return found


# Worked by hand from the rates that the vendors publish.
@pytest.mark.parametrize(
    ("key", "usage", "usd"),
    [
        ("gpt-4o", Usage(input=800, cached=200, output=500), "0.00725"),
        ("gpt-4o-2024-08-06", Usage(input=1_000_000), "2.5"),
        ("gpt-4o-mini", Usage(input=1), "0.00000015"),
        ("gpt-5-mini", Usage(cached=1), "0.000000025"),
        ("gpt-5.4", Usage(input=272_000, output=1000), "0.695"),
        ("gpt-5.4", Usage(input=200_000, cached=72_001, output=1000), "1.0585005"),
        ("gpt-4o-2024-05-13", Usage(input=1_000_000), "5"),
        ("gpt-4o-2027-01-01", Usage(input=1_000_000), "2.5"),
        ("gpt-5", Usage(input=1000, output=100, params={"service_tier": "flex"}), "0.001125"),
        ("gpt-5", Usage(input=1000, output=100, params={"service_tier": "Priority"}), "0.0045"),
        ("gpt-5", Usage(input=1000, output=100, params={"service_tier": "unheard-of"}), "0.00225"),
        ("gpt-6-sol", Usage(input=300_000, params={"service_tier": "priority"}), "2.4"),
        ("o4-mini", Usage(output=1_000_000, params={"service_tier": "priority"}), "8"),
        ("gpt-4o-search-preview", Usage(calls=1, input=1000), "0.0275"),
        ("deepseek-chat", Usage(input=1_000_000, cached=1_000_000, output=1_000_000), "0.728"),
        ("qwen3-max", Usage(input=32_001), "0.0768024"),
        ("glm-4.7-flash", Usage(input=1_000_000), "0"),
        ("gpt-realtime", Usage(cached=1000, cached_audio=1000, image_in=100), "0.0013"),
        ("gpt-realtime-mini", Usage(cached=1000, cached_audio=1000), "0.00036"),
        ("claude-haiku-4-5", Usage(cache_write=1000, cache_write_1h=1000, searches=2), "0.02325"),
        ("claude-haiku-5-5", Usage(input=100_000), "0.01"),
        ("claude-haiku-5-5", Usage(input=100_000, cache_write_1h=1), "0.050001"),
        ("claude-haiku-5-5", Usage(input=200_000, params={"inference_geo": "us"}), "0.11"),
        ("claude-haiku-5-5", Usage(input=200_000, largest=100_000), "0.02"),
        ("claude-opus-5-5", Usage(output=1000, params={"speed": "fast", "inference_geo": "us"}), "0.044"),
        ("gpt-4o-audio-preview", Usage(input=1000, audio_in=1000, output=1000, audio_out=1000), "0.1325"),
        ("text-embedding-3-small", Usage(input=5), "0.0000001"),
        ("omni-moderation-latest", Usage(calls=1, input=100), "0"),
        ("whisper-1", Usage(seconds=61.5), "0.00615"),
        ("gpt-4o-transcribe", Usage(input=100, output=20), "0.00045"),
        ("gpt-4o-transcribe", Usage(seconds=60), "0.006"),
        ("tts-1-hd", Usage(characters=1000), "0.03"),
        ("gpt-image-1", Usage(images=1, input=50, image_out=4160), "0.16665"),
        ("gpt-image-1", Usage(images=2, params={"quality": "high", "size": "1024x1536"}), "0.5"),
        ("gpt-image-1", Usage(images=1, params={"quality": "auto", "size": "auto"}), "0.042"),
        ("gpt-image-1", Usage(images=1, input=50, basis="estimated"), "0.042"),
        ("dall-e-3", Usage(images=1), "0.04"),
        ("sora-2-pro", Usage(seconds=4, params={"size": "1280x720"}), "1.2"),
        ("sora-2-pro-2025-10-06", Usage(seconds=4, params={"size": "720x1280"}), "1.2"),
        ("sora-2-pro", Usage(seconds=4, params={"size": "1024x1792"}), "2"),
        ("sora-2-pro", Usage(seconds=4, params={"size": "1920x1080"}), "2"),
        ("sora-2-pro", Usage(seconds=4), "2"),
        ("dall-e-3", Usage(images=1, params={"size": "1024x1024", "quality": "HD"}), "0.08"),
        ("dall-e-3", Usage(images=1, params={"size": "1792x1024", "quality": "hd"}), "0.12"),
        ("gpt-4-gizmo-g-abc", Usage(calls=1, input=9), "0.1"),
        ("stable-diffusion-xl-1024-v1-0", Usage(images=2, steps=30), "0.018"),
        ("stable-diffusion-xl-1024-v1-0", Usage(images=2, steps=10), "0.018"),
        ("stable-diffusion-xl-1024-v1-0", Usage(images=2, steps=45), "0.027"),
        ("sd3-large-turbo", Usage(images=1), "0.04"),
        ("stable-image-upscale-creative", Usage(images=1), "0.25"),
        ("flux-pro-1.1", Usage(images=1, megapixels=1.5), "0.04"),
        ("flux-pro-1.1", Usage(images=1, cost=41_000_000), "0.041"),
        ("flux-2-pro", Usage(images=1, megapixels=0.79), "0.03"),
        ("flux-2-pro", Usage(images=1, megapixels=3.0, input_megapixels=2.0), "0.09"),
        ("flux-2-flex", Usage(images=1, megapixels=3.0, cost=125_000_000), "0.125"),
        ("mj_imagine", Usage(calls=1), "0.1"),
        ("mj_imagine", Usage(calls=1, params={"mode": "RELAX"}), "0.05"),
        ("mj_imagine", Usage(calls=1, params={"mode": "turbo"}), "0.2"),
        ("mj_describe", Usage(calls=1, params={"mode": "turbo"}), "0.05"),
        ("mj_custom_zoom", Usage(calls=1), "0"),
        ("ideogram-V_3", Usage(images=4), "0.24"),
        ("ideogram-V_3", Usage(images=1, params={"rendering_speed": "QUALITY"}), "0.09"),
        (
            "ideogram-V_3",
            Usage(images=1, params={"rendering_speed": "TURBO", "character_reference": "true"}),
            "0.10",
        ),
        ("smollm2-135m-instruct", Usage(input=1000, output=1000, calls=1), "0"),
    ],
)
def test_shipped_prices(key: str, usage: Usage, usd: str) -> None:
    assert BOOK.cost(key, usage) == Decimal(usd) * USD


def test_an_unknown_key_has_no_price_unless_there_is_a_default() -> None:
    assert BOOK.cost("no-such-model", Usage(calls=1)) is None
    assert BOOK.cost("gpt-4oX", Usage(input=1)) is None
    with_default = BOOK.overridden({"*": {"per_call": "0.5"}})
    assert with_default.cost("no-such-model", Usage(calls=1)) == USD // 2
    assert with_default.cost("gpt-4o", Usage(output=1)) == 10_000


def test_exact_keys_count_before_patterns_and_longer_patterns_before_shorter() -> None:
    book = PriceBook({}).overridden(
        {
            "a-*": {"per_call": "1"},
            "a-b-*": {"per_call": "2"},
            "a-*-z": {"per_call": "3", "names": ["q*q"]},
            "a-b-c": {"per_call": "4"},
            "other": {"per_call": "5", "names": ["a-b-c", "alias"]},
        }
    )
    prices = {name: book.cost(name, Usage(calls=1)) for name in ("a-x", "a-b-x", "a-x-z", "a-b-c", "alias", "qq")}
    assert prices == {"a-x": USD, "a-b-x": 2 * USD, "a-x-z": 3 * USD, "a-b-c": 4 * USD, "alias": 5 * USD, "qq": 3 * USD}
    assert [book.cost(name, Usage(calls=1)) for name in ("q", "xa-x", "[a]-x")] == [None, None, None]


def test_an_operators_entry_takes_the_place_of_the_shipped_one() -> None:
    own = BOOK.overridden({"gpt-4o": {"per_call": "0.001"}})
    assert own.cost("gpt-4o", Usage(calls=1, input=1000)) == 1_000_000
    assert BOOK.cost("gpt-4o", Usage(calls=1, input=1000)) == 2_500_000
    assert own.listing()["gpt-4o"] == {"per_call": "0.001"}


def test_an_unreadable_entry_leaves_its_key_without_a_price(caplog: pytest.LogCaptureFixture) -> None:
    own = BOOK.overridden({"gpt-4o": {"per_cal": "1"}, "o3": {"per_call": "2"}})
    assert own.cost("gpt-4o", Usage(input=1)) is None
    assert own.cost("o3", Usage(calls=1)) == 2 * USD
    assert "gpt-4o" in caplog.text


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({}, "at least one rate"),
        ({"per_cal": "1"}, "per_cal"),
        ({"per_call": 1.5}, "str"),
        ({"per_call": "much"}, "decimal"),
        ({"per_call": "-1"}, "between"),
        ({"per_call": "NaN"}, "between"),
        ({"per_call": "1e400"}, "between"),
        ({"per_million": {"input": "0.0000000000001"}}, "too many decimals"),
        ({"per_call": "1", "by": [{"when": {}, "per_call": "2"}]}, "when it counts"),
        ({"per_call": "1", "by": [{"per_call": "2"}]}, "when"),
        ({"per_image": "1", "steps_included": 0}, "steps_included"),
        ({"per_million": {"inputs": "1"}}, "inputs"),
        ({"per_call": "1", "without_tokens": {"per_call": "x"}}, "decimal"),
    ],
)
def test_what_is_no_entry_is_refused(entry: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        BOOK.check("m", entry)


def test_every_shipped_entry_says_where_and_when_and_reads_back() -> None:
    listing = BOOK.listing()
    assert len(listing) > 90
    for key, entry in listing.items():
        assert entry["source"] not in ("", "operator"), key
        assert entry["date"][:2] == "20", key
        BOOK.check(key, entry)
        assert PriceBook({}).overridden({key: entry}).listing()[key] == entry


def test_sorts_without_a_rate_cost_what_plain_ones_do() -> None:
    price = book(per_million={"input": "2", "output": "6", "audio_out": "7"})
    for sort in TOKENS[:5]:
        assert price.cost("m", Usage(**{sort: 1000})) == 2_000_000
    assert price.cost("m", Usage(image_out=1000)) == 6_000_000
    assert price.cost("m", Usage(audio_out=1000)) == 7_000_000
    assert price.cost("m", Usage(reasoning=1000)) == 0
    assert book(per_million={"input": "2"}).cost("m", Usage(output=1000, image_out=1000)) == 0


rates = st.decimals(min_value=0, max_value=1000, places=4).map(str)
counts = st.integers(0, 10**7)
usages = st.builds(
    Usage,
    **dict.fromkeys(TOKENS, counts),
    calls=st.integers(0, 100),
    images=st.integers(0, 100),
    characters=counts,
    steps=st.integers(0, 200),
    seconds=st.integers(0, 10**6).map(lambda ms: ms / 1000),
    megapixels=st.integers(0, 10**6).map(lambda pixels: pixels / 1000),
    input_megapixels=st.integers(0, 10**6).map(lambda pixels: pixels / 1000),
)
entries = st.fixed_dictionaries(
    {"per_million": st.fixed_dictionaries({}, optional=dict.fromkeys(TOKENS, rates))},
    optional={
        "per_call": rates,
        "per_image": rates,
        "per_second": rates,
        "per_million_characters": rates,
        "per_megapixel": st.fixed_dictionaries({"first": rates, "further": rates, "input": rates}),
        "steps_included": st.integers(1, 50),
    },
)
multipliers = st.decimals(min_value=0, max_value=100, places=4)


def cost(price: PriceBook, usage: Usage, multiplier: Decimal | int = 1) -> int:
    found = price.cost("m", usage, multiplier)
    assert found is not None
    return found


@given(entries, usages)
def test_more_never_costs_less(entry: dict[str, object], usage: Usage) -> None:
    price = book(**entry)
    base = cost(price, usage)
    assert base >= 0
    for name in (*TOKENS, "calls", "images", "characters", "steps", "seconds", "megapixels", "input_megapixels"):
        more = {field: getattr(usage, field) for field in usage.__struct_fields__}
        more[name] += 1
        assert cost(price, Usage(**more)) >= base or name == "images"
    # One more image splits the same area among more, so only together with its area is it comparable.
    more = {field: getattr(usage, field) for field in usage.__struct_fields__}
    more["images"] += 1
    more["megapixels"] += 1
    assert cost(price, Usage(**more)) >= base


@given(entries, usages, usages)
def test_tokens_and_counts_add_up_within_rounding(entry: dict[str, object], one: Usage, other: Usage) -> None:
    for name in ("per_megapixel", "steps_included"):
        entry.pop(name, None)
    price = book(**entry)
    names = (*TOKENS, "cache_write_1h", "calls", "images", "characters", "searches")
    both = Usage(**{name: getattr(one, name) + getattr(other, name) for name in names})
    parts = [Usage(**{name: getattr(usage, name) for name in names}) for usage in (one, other)]
    apart = sum(cost(price, usage) for usage in parts)
    assert apart - 1 <= cost(price, both) <= apart


@given(entries, usages, multipliers)
def test_a_multiplier_scales_the_exact_amount(entry: dict[str, object], usage: Usage, multiplier: Decimal) -> None:
    price = book(**entry)
    base, scaled = cost(price, usage), cost(price, usage, multiplier)
    # Rounded up once: what is charged lies less than one unit above the exact product.
    assert (base - 1) * Fraction(multiplier) <= scaled < base * Fraction(multiplier) + 1
    assert cost(price, usage, Decimal(1)) == base
    assert cost(price, usage, 0) == 0


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(TOKENS, rates)), usages)
def test_token_costs_are_the_exact_sum_rounded_up(per_million: dict[str, str], usage: Usage) -> None:
    exact = Fraction(0)
    for sort in TOKENS:
        plain = per_million.get("output" if sort in ("audio_out", "image_out") else "input", "0")
        if sort == "output":
            plain = "0"
        exact += Fraction(per_million.get(sort, plain)) * getattr(usage, sort) * 1000
    assert cost(book(per_million=per_million), usage) == math.ceil(exact)


def files() -> dict[str, dict[str, Any]]:
    folder = resources.files("deeepai.money").joinpath("pricebook")
    return {file.name: tomllib.loads(file.read_text("utf-8")) for file in folder.iterdir()}


def test_what_is_shipped_can_be_read() -> None:
    for key, entry in BOOK.listing().items():
        parse(entry)
        assert entry["source"] != "operator", key
        assert entry["date"], key


def test_no_key_is_priced_twice() -> None:
    seen: dict[str, str] = {}
    for file, said in files().items():
        for key, entry in said.items():
            if not isinstance(entry, dict):
                assert key in ("source", "date")
                continue
            for name in (key, *entry.get("names", [])):
                assert name not in seen, f"{name} stands in {seen[name]} and {file}"
                seen[name] = file


def test_the_list_is_as_its_script_writes_it() -> None:
    script = Path(__file__).parents[2] / "scripts/update_prices.py"
    spec = importlib.util.spec_from_file_location("update_prices", script)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    told = {
        "deepseek/some": {
            "litellm_provider": "deepseek",
            "mode": "chat",
            "input_cost_per_token": 2.8e-07,
            "input_cost_per_token_above_200k_tokens": 5.6e-07,
            "input_cost_per_token_flex": 1.4e-07,
            "output_cost_per_token": 4.2e-07,
            "output_cost_per_token_flex": 2.1e-07,
            "output_cost_per_token_priority": 8.4e-07,
        },
        "deepseek/other": {"litellm_provider": "deepseek", "mode": "ocr", "ocr_cost_per_page": 0.1},
        "rerank": {"litellm_provider": "deepseek", "mode": "rerank", "input_cost_per_query": 0.002},
        "speech": {"litellm_provider": "deepseek", "mode": "audio_speech", "input_cost_per_character": 1.5e-05},
        "nothing": {"litellm_provider": "deepseek", "mode": "chat", "input_cost_per_token": None},
    }
    models = dict(made.listed(told, "deepseek"))
    text = made.render("Test", "a list", "2026-11", models, dated=False)
    book = PriceBook({key: parse(entry) for key, entry in tomllib.loads(text).items() if isinstance(entry, dict)})
    assert sorted(book.listing()) == ["rerank", "some", "speech"]
    flex = {"service_tier": "flex"}
    assert book.cost("some", Usage(input=100_000, output=100_000)) == USD * 7 // 100
    assert book.cost("some", Usage(input=100_000, output=100_000, params=flex)) == USD * 35 // 1000
    assert book.cost("some", Usage(input=300_000)) == USD * 168 // 1000
    # A tier that the map tells of one rate alone keeps the other.
    priority = {"service_tier": "priority"}
    assert book.cost("some", Usage(input=100_000, output=100_000, params=priority)) == USD * 112 // 1000
    assert book.cost("rerank", Usage(calls=3)) == USD * 6 // 1000
    assert book.cost("speech", Usage(characters=1000)) == USD * 15 // 1000
