"""Calls beside the chats: what comes with a good status and is no answer is charged to nobody and asked elsewhere."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.gateway.scripted import ScriptedUpstream
from tests.gateway.test_odd_answers import ALIKE, JSON, WAIL
from tests.operator import usage_row
from tests.stack import Gateway
from tests.support.http import Got, post

BOUNDARY: Final = "odd"


@dataclass(frozen=True)
class Asked:
    """A call, and a good answer to it."""

    protocol: str
    path: str
    body: Mapping[str, Any]
    good: bytes
    kind: str = JSON
    form: bool = False


PICTURES: Final = {"created": 1, "data": [{"url": "https://pictures.example/one.png", "is_image_safe": True}]}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


ASKED: Final = {
    "embeddings": Asked(
        "openai",
        "/v1/embeddings",
        {"model": "text-embedding-3-small", "input": "hi"},
        _json(
            {
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            }
        ),
    ),
    "moderations": Asked(
        "openai",
        "/v1/moderations",
        {"model": "omni-moderation-latest", "input": "hi"},
        _json({"id": "m", "model": "up", "results": [{"flagged": False}]}),
    ),
    "speech": Asked(
        "openai",
        "/v1/audio/speech",
        {"model": "tts-1", "input": "hi", "voice": "alloy"},
        b"ID3 sound",
        "audio/mpeg",
    ),
    "images": Asked(
        "openai",
        "/v1/images/generations",
        {"model": "dall-e-3", "prompt": "a cat"},
        _json({"created": 1, "data": [{"b64_json": "aGk="}]}),
    ),
    "ideogram": Asked(
        "ideogram",
        "/ideogram/generate",
        {"image_request": {"prompt": "a cat", "model": "V_2"}},
        _json(PICTURES),
    ),
    "ideogram-3": Asked("ideogram", "/ideogram/v1/ideogram-v3/generate", {"prompt": "a cat"}, _json(PICTURES)),
    "stability-2": Asked(
        "stability", "/sd/v2beta/stable-image/generate/core", {"prompt": "a cat"}, b"picture", "image/png", form=True
    ),
    "stability-1": Asked(
        "stability",
        "/sd/v1/generation/stable-diffusion-xl-1024-v1-0/text-to-image",
        {"text_prompts": [{"text": "a cat"}]},
        _json({"artifacts": [{"base64": "aGk=", "finishReason": "SUCCESS", "seed": 1}]}),
    ),
    "gemini": Asked(
        "gemini",
        "/v1beta/models/gemini-embedding-001:embedContent",
        {"content": {"parts": [{"text": "hi"}]}},
        _json({"embedding": {"values": [0.5]}}),
    ),
    "tokens": Asked(
        "anthropic",
        "/v1/messages/count_tokens",
        {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}]},
        _json({"input_tokens": 1}),
    ),
}


def names(call: str, said: str, alone: bool) -> str:
    number = list(itertools.product(ASKED, ALIKE, (False, True))).index((call, said, alone))
    return f"call-{number}"


def key(name: str) -> str:
    return f"sk-live-{name:0>32}"


def config(upstream: ScriptedUpstream) -> str:
    lines = ['[[users]]\nname = "rich"\npassword = "rich-password"\ncredit = 1000\n', "[groups]\ndefault = 1"]
    cases = [(names(*case), *case) for case in itertools.product(ASKED, ALIKE, (False, True))]
    lines += [f"{name} = 1" for name, *_ in cases]
    for name, call, said, alone in cases:
        lines += ["[[tokens]]", f'name = "{name}"', f'key = "{key(name)}"', 'account = "rich"']
        lines += [f'price_group = "{name}"']
        for place, fault in enumerate([said] if alone else [said, f"good-{call}"]):
            version = "/v1" if ASKED[call].protocol == "openai" else ""
            lines += ["[[channels]]", f'name = "{name}-{place}"', f"priority = {9 - place}"]
            lines += [f'protocol = "{ASKED[call].protocol}"', f'price_groups = ["{name}"]']
            lines += ['credential = "sk-upstream-0000"', _models(call)]
            lines += [f'base_url = "http://127.0.0.1:{upstream.port}/{fault}/{name}-{place}{version}"']
    return "\n".join(lines)


def _models(call: str) -> str:
    model = ASKED[call].body.get("model")
    return f'models = ["{model}"]' if model is not None else ""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    upstream = ScriptedUpstream(
        {**ALIKE, **{f"good-{call}": (asked.kind, asked.good) for call, asked in ASKED.items()}}
    )
    folder = Path(tmp_path_factory.mktemp("odd"))
    (folder / "deeepai.toml").write_text(config(upstream))
    gateway = Gateway(folder).start()
    yield gateway
    gateway.stop()
    upstream.stop()


def ask(gateway: Gateway, call: str, name: str) -> Got:
    asked = ASKED[call]
    if not asked.form:
        return post(gateway, asked.path, asked.body, key(name))
    parts = [
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in asked.body.items()
    ]
    head = {"content-type": f"multipart/form-data; boundary={BOUNDARY}", "accept": "image/*"}
    return post(gateway, asked.path, ("".join(parts) + f"--{BOUNDARY}--\r\n").encode(), key(name), head)


@pytest.mark.parametrize("call", ASKED)
def test_what_is_no_answer_is_asked_elsewhere(place: Gateway, call: str) -> None:
    for said in ALIKE:
        got = ask(place, call, names(call, said, False))
        row = usage_row(place, got.request_id)
        words = f"{said}: {got.status} {got.body[:300]!r} {row['error']}"
        assert (got.status, row["status"], row["attempts"], row["error"]) == (200, 200, 2, None), words
        assert WAIL.encode() not in got.body, words


@pytest.mark.parametrize("call", ASKED)
def test_what_is_no_answer_costs_nothing(place: Gateway, call: str) -> None:
    for said in ALIKE:
        got = ask(place, call, names(call, said, True))
        row = usage_row(place, got.request_id)
        words = f"{said}: {got.status} {got.body[:300]!r} {row['error']}"
        assert (got.status, row["status"], row["cost"]) == (502, 502, 0), words
        assert row["error"], words
        assert got.headers["content-type"].startswith(JSON), words
