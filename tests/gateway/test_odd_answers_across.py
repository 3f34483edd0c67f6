"""Pictures and embeddings of another format's upstreams: what is no picture is told or asked elsewhere, and is free."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.gateway.scripted import ScriptedUpstream
from tests.operator import usage_row
from tests.stack import Gateway
from tests.support.http import Got, post
from tests.support.pictures import png

IMAGEN, NANO, V3, CORE = "imagen-4.0-generate-001", "gemini-2.5-flash-image", "ideogram-V_3", "stable-image-core"
EMBEDDER: Final = "gemini-embedding-001"
DRAWN: Final = base64.b64encode(png(8)).decode()
GONE: Final = "http://127.0.0.1:1/gone.png"
JSON: Final = "application/json"


def _json(value: Any) -> tuple[str, bytes]:
    return JSON, json.dumps(value).encode()


def _candidate(*parts: Any, reason: str = "STOP") -> tuple[str, bytes]:
    return _json({"candidates": [{"content": {"parts": list(parts)}, "finishReason": reason}]})


ANSWERS: Final[dict[str, tuple[str, bytes]]] = {
    "good-imagen": _json({"predictions": [{"bytesBase64Encoded": DRAWN, "mimeType": "image/png"}]}),
    "good-nano": _candidate({"inlineData": {"mimeType": "image/png", "data": DRAWN}}),
    "good-ideogram": _json({"created": "2026", "data": [{"url": GONE, "is_image_safe": True, "prompt": "p"}]}),
    "good-stability": ("image/png", png(8)),
    "good-vectors": _json({"embeddings": [{"values": [0.6, 0.8]}]}),
    "held-back": _json({"predictions": [{"raiFilteredReason": "Too violent."}]}),
    "blocked": _json({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
    "words": _candidate({"text": "I would rather talk about it."}),
    "unsafe": _json({"created": "2026", "data": [{"url": None, "is_image_safe": False, "prompt": "p"}]}),
    "blurred": _json({"image": DRAWN, "finish_reason": "CONTENT_FILTERED"}),
    "nothing": _json({}),
    "spoiled": _json({"predictions": [{"bytesBase64Encoded": DRAWN}, 7], "candidates": [7], "data": [7], "image": 7}),
    "short": _json({"embeddings": [{"values": [0.6, 0.8]}, {"values": [0.6, 0.8]}]}),
}


@dataclass(frozen=True)
class Case:
    """A request to two channels, of which the first is odd; the status, and what is said."""

    model: str
    odd: str
    good: str
    status: int
    says: str = ""
    body: Any = None


def _case(model: str, odd: str, status: int, says: str = "") -> Case:
    good = {IMAGEN: "imagen", NANO: "nano", V3: "ideogram", CORE: "stability"}[model]
    return Case(model, odd, f"good-{good}", status, says)


CASES: Final = (
    _case(IMAGEN, "held-back", 400, "Too violent."),
    _case(NANO, "blocked", 400, "PROHIBITED_CONTENT"),
    _case(NANO, "words", 422, "I would rather talk about it."),
    _case(V3, "unsafe", 400, "not safe"),
    _case(CORE, "blurred", 400, "blurred"),
    *(_case(model, odd, 200) for model in (IMAGEN, NANO, V3, CORE) for odd in ("nothing", "spoiled")),
    Case(EMBEDDER, "short", "good-vectors", 200),
    Case(EMBEDDER, "nothing", "good-vectors", 200),
)
PROTOCOLS: Final = {IMAGEN: "gemini", NANO: "gemini", EMBEDDER: "gemini", V3: "ideogram", CORE: "stability"}
POOR: Final = {"nano": "0.03", "imagen": "0.05"}
"""Credit (USD): less than a picture of the one is held for, more than one of the other costs."""


def key(name: str) -> str:
    return f"sk-live-{name:0>32}"


def config(upstream: ScriptedUpstream) -> str:
    lines = ['[[users]]\nname = "rich"\npassword = "rich-password"\ncredit = 1000\n']
    lines += [f'[[users]]\nname = "{name}"\npassword = "poor-password"\ncredit = {usd}\n' for name, usd in POOR.items()]
    lines += ["[groups]\ndefault = 1", *(f"case-{number} = 1" for number in range(len(CASES)))]
    channels = [
        (f"case-{number}-{place}", case.model, answer, f"case-{number}", 9 - place)
        for number, case in enumerate(CASES)
        for place, answer in enumerate((case.odd, case.good))
    ]
    channels += [("poor-imagen", IMAGEN, "good-imagen", "default", 0), ("poor-nano", NANO, "good-nano", "default", 0)]
    channels += [("lost", V3, "good-ideogram", "default", 0), ("core", CORE, "good-stability", "default", 0)]
    for name, model, answer, group, priority in channels:
        lines += ["[[channels]]", f'name = "{name}"', f"priority = {priority}", f'protocol = "{PROTOCOLS[model]}"']
        lines += [f'price_groups = ["{group}"]', 'credential = "sk-upstream-0000"', f'models = ["{model}"]']
        lines += [f'base_url = "http://127.0.0.1:{upstream.port}/{answer}/{name}"']
    # A model under a name of the operator's own.
    lines += ["[[channels]]", 'name = "mapped"', 'protocol = "gemini"', 'models = ["own-name"]']
    lines += [f'model_map = {{ "own-name" = "{IMAGEN}" }}', 'credential = "sk-upstream-0000"']
    lines += [f'base_url = "http://127.0.0.1:{upstream.port}/good-imagen/mapped"']
    lines += ['[prices."own-name"]', 'per_image = "0.5"']
    tokens = [(f"case-{number}", "rich", f"case-{number}") for number in range(len(CASES))]
    for name, account, group in [*tokens, ("rich", "rich", "default"), *((name, name, "default") for name in POOR)]:
        lines += ["[[tokens]]", f'name = "{name}"', f'key = "{key(name)}"', f'account = "{account}"']
        lines += [f'price_group = "{group}"']
    return "\n".join(lines)


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    started = ScriptedUpstream(ANSWERS)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def place(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = Path(tmp_path_factory.mktemp("across"))
    (folder / "deeepai.toml").write_text(config(upstream))
    gateway = Gateway(folder).start()
    yield gateway
    gateway.stop()


def draw(gateway: Gateway, model: str, name: str, **more: Any) -> Got:
    if model == EMBEDDER:
        return post(gateway, "/v1/embeddings", {"model": model, "input": "hi", **more}, key(name))
    return post(gateway, "/v1/images/generations", {"model": model, "prompt": "a cat", **more}, key(name))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{case.model} {case.odd}" for case in CASES])
def test_what_is_no_picture(place: Gateway, upstream: ScriptedUpstream, number: int) -> None:
    case = CASES[number]
    got = draw(place, case.model, f"case-{number}")
    assert got.status == case.status, got.body
    row = usage_row(place, got.request_id)
    asked = [upstream.asked[f"case-{number}-{at}"] for at in range(2)]
    if case.status == 200:
        assert got.json["data"]
        assert (asked, row["attempts"]) == ([1, 1], 2)
        assert row["cost"] > 0
        return
    # Another vendor of the same model would say the same: it is not asked.
    assert (asked, row["attempts"], row["cost"]) == ([1, 0], 1, 0)
    error = got.json["error"]
    assert case.says in error["message"]
    assert error["code"] == ("content_policy_violation" if case.status == 400 else "image_not_generated")
    assert case.says in row["error"]


def test_a_picture_that_cannot_be_fetched(place: Gateway) -> None:
    """The vendor's own address is better than nothing, but no bytes."""
    address = draw(place, V3, "rich")
    assert address.json["data"] == [{"url": GONE, "revised_prompt": "p"}]
    assert usage_row(place, address.request_id)["cost"] == 60_000_000
    inline = draw(place, V3, "rich", response_format="b64_json")
    assert inline.status == 502
    assert usage_row(place, inline.request_id)["cost"] == 0


def test_what_the_vendor_will_ask_is_held(place: Gateway, upstream: ScriptedUpstream) -> None:
    refused = draw(place, IMAGEN, "imagen", n=2)
    assert (refused.status, refused.json["error"]["code"]) == (403, "insufficient_quota")
    assert upstream.asked["poor-imagen"] == 0
    assert draw(place, IMAGEN, "imagen").status == 200
    # A picture of this one is priced by its tokens.
    refused = draw(place, NANO, "nano")
    assert (refused.status, refused.json["error"]["code"]) == (403, "insufficient_quota")
    assert upstream.asked["poor-nano"] == 0


def test_a_model_under_another_name_is_priced_by_that(place: Gateway) -> None:
    got = draw(place, "own-name", "rich", n=2)
    assert got.status == 200
    # As many as came, not as were asked for.
    assert usage_row(place, got.request_id)["cost"] == 500_000_000
    edited = {"model": "own-name", "prompt": "x", "images": [{"image_url": "https://example.com/a.png"}]}
    refused = post(place, "/v1/images/edits", edited, key("rich"))
    assert refused.status == 404
    assert "/v1/images/generations" in refused.json["error"]["message"]


def test_addresses_are_the_gateways_own(place: Gateway) -> None:
    got = draw(place, CORE, "rich", response_format="url")
    assert got.json["data"][0]["url"].startswith(f"{place.url}/assets/")
