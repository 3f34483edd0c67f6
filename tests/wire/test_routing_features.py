"""What callers may ask of routing: other models to try, kept answers, idempotency keys."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as property_settings
from hypothesis import strategies as st

from deeepai.storage.cache import MemoryCache
from tests.operator import rows, usage_row
from tests.stack import Gateway, Sandbox
from tests.support.until import PATIENCE, until

CACHED = "sk-live-cached-000000000000000000001"
CACHED_TOO = "sk-live-cached-other-00000000000000002"
FALLING = "sk-live-falling-00000000000000000003"

TOML = f"""
[[aliases]]
name = "smart"
target = "no-such-model, gpt-4o-mini"

[prices.dead-model]
per_call = "0.01"

[[users]]
name = "one"
password = "one-password"
credit = 50

[[users]]
name = "two"
password = "two-password"
credit = 50

[[tokens]]
name = "cached"
key = "{CACHED}"
account = "one"
settings = {{ cache = 600 }}

[[tokens]]
name = "cached too"
key = "{CACHED_TOO}"
account = "two"
settings = {{ cache = 600 }}

[[tokens]]
name = "falling"
key = "{FALLING}"
account = "one"
settings = {{ fallbacks = {{ "gpt-4o" = ["gpt-4o-mini"] }}, routing = "latency" }}

[[channels]]
name = "nowhere"
protocol = "openai"
base_url = "http://127.0.0.1:9/v1"
models = ["dead-model"]
"""


@dataclass
class Said:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["x-request-id"]


@pytest.fixture(scope="module")
def place(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    made = Gateway(Path(tmp_path_factory.mktemp("routing")), sandbox, toml=TOML).start()
    yield made
    made.stop()


def ask(
    gateway: Gateway, words: str, *, model: str = "gpt-4o-mini", key: str = "", body: Any = None, **headers: str
) -> Said:
    sent = {"model": model, "messages": [{"role": "user", "content": words}], **(body or {})}
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        json.dumps(sent).encode(),
        {
            "authorization": f"Bearer {key or gateway.live}",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return Said(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as fault:
        return Said(fault.code, {k.lower(): v for k, v in fault.headers.items()}, fault.read())


def sent(sandbox: Sandbox, words: str) -> int:
    """How often the vendor was asked."""
    return sum(words in json.dumps(entry["body"]) for entry in sandbox.requests())


# Other models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["body", "header", "token", "alias"])
def test_another_model_stands_in(place: Gateway, sandbox: Sandbox, how: str) -> None:
    words = f"stand in by {how}"
    if how == "body":
        said = ask(place, words, model="dead-model", body={"models": ["gpt-4o-mini"]})
    elif how == "header":
        said = ask(place, words, model="dead-model", x_deeepai_fallbacks="gone, gpt-4o-mini")
    elif how == "token":
        said = ask(place, f"[sandbox:fail] {words}", model="gpt-4o", key=FALLING)
        assert said.status == 500, "the stand-in fails by the same words, and its refusal is what is told"
        assert usage_row(place, said.id)["model"] == "gpt-4o-mini"
        return
    else:
        said = ask(place, words, model="smart")
    assert said.status == 200, said.body
    row = usage_row(place, said.id)
    assert row["upstream_model"] == "gpt-4o-mini"
    assert row["cost"] > 0
    if how in ("body", "header"):
        assert said.headers["x-deeepai-model"] == row["model"] == "gpt-4o-mini"
    (body,) = (entry["body"] for entry in sandbox.requests() if words in json.dumps(entry["body"]))
    assert body["model"] == "gpt-4o-mini"
    assert "models" not in body


def test_a_stand_in_must_be_allowed(place: Gateway) -> None:
    said = ask(place, "x", model="dead-model", body={"models": ["also-unknown"]})
    assert said.status == 502, "the first is served by somebody who cannot be reached; the other by nobody"
    none = ask(place, "x", model="unknown", body={"models": ["also-unknown"]})
    assert none.status == 404
    many = ask(place, "x", x_deeepai_fallbacks=",".join(f"m{n}" for n in range(9)))
    assert many.status == 400


def test_what_does_not_fit_goes_to_the_next_model(place: Gateway) -> None:
    words = "long " * 10_000
    said = ask(place, words, model="gpt-4", body={"models": ["gpt-4o-mini"]})
    assert said.status == 200, said.body
    assert said.headers["x-deeepai-model"] == "gpt-4o-mini"
    alone = ask(place, words, model="gpt-4")
    assert alone.json["error"]["code"] == "context_length_exceeded"


def test_routing_is_one_of_three(place: Gateway) -> None:
    assert ask(place, "by price", x_deeepai_routing="price").status == 200
    assert ask(place, "by luck", x_deeepai_routing="luck").status == 400


# Kept answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_an_equal_request_gets_the_kept_answer(place: Gateway, sandbox: Sandbox, stream: bool) -> None:
    words = f"cache me, stream {stream}"
    first = ask(place, words, key=CACHED, body={"stream": stream})
    again = ask(place, words, key=CACHED, body={"stream": stream})
    assert "x-deeepai-cache" not in first.headers
    assert again.headers["x-deeepai-cache"] == "hit"
    assert again.body == first.body
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.id != first.id
    assert sent(sandbox, words) == 1
    assert usage_row(place, first.id)["cost"] > 0
    assert usage_row(place, again.id)["cost"] == 0
    assert ask(place, words, key=CACHED_TOO, body={"stream": stream}).headers.get("x-deeepai-cache") is None
    other = ask(place, words, key=CACHED, body={"stream": stream, "temperature": 0.1})
    assert "x-deeepai-cache" not in other.headers
    fresh = ask(place, words, key=CACHED, body={"stream": stream}, x_deeepai_cache="no-cache")
    assert "x-deeepai-cache" not in fresh.headers


def test_tokens_that_did_not_ask_get_no_kept_answer(place: Gateway, sandbox: Sandbox) -> None:
    for _ in range(2):
        ask(place, "do not cache me")
    assert sent(sandbox, "do not cache me") == 2


def test_errors_are_not_kept(place: Gateway, sandbox: Sandbox) -> None:
    for _ in range(2):
        assert ask(place, "[sandbox:fail] never kept", key=CACHED).status == 500
    cut = [ask(place, "[sandbox:cut-stream=3] never kept", key=CACHED, body={"stream": True}) for _ in range(2)]
    assert not any("x-deeepai-cache" in said.headers for said in cut)


@property_settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 40 * 1024 * 1024)), max_size=12))
async def test_the_cache_in_memory_is_bounded(puts: list[tuple[int, int]]) -> None:
    cache = MemoryCache()
    for name, size in puts:
        await cache.set(str(name), bytes(size), 60)
        await cache.incr("counter", 60)
    found = [value for name in range(9) if (value := await cache.get(str(name))) is not None]
    assert sum(map(len, found)) <= 64 * 1024 * 1024
    if puts:
        assert len(await cache.get(str(puts[-1][0])) or b"") == puts[-1][1]
        assert await cache.get("counter") == str(len(puts)).encode()


# Idempotency keys --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_brings_one_answer_and_one_charge(place: Gateway, sandbox: Sandbox, stream: bool) -> None:
    words = f"once only, stream {stream}"
    key = f"key-{stream}"
    said = [ask(place, words, body={"stream": stream}, idempotency_key=key) for _ in range(3)]
    assert {one.body for one in said} == {said[0].body}
    assert [one.headers.get("idempotent-replayed") for one in said] == [None, "true", "true"]
    assert sent(sandbox, words) == 1
    charged = rows(place, "SELECT 1 FROM ledger WHERE kind = 'charge' AND request_id = ?", said[0].id)
    assert len(charged) == 1
    other = ask(place, "something else", idempotency_key=key)
    assert other.status == 422
    assert other.json["error"]["code"] == "idempotency_key_reused"
    (before,) = (entry for entry in sandbox.requests() if words in json.dumps(entry["body"]))
    assert "idempotency-key" not in before["headers"], "two accounts may choose the same key"


def test_keys_belong_to_accounts(place: Gateway) -> None:
    one = ask(place, "mine", key=FALLING, idempotency_key="shared")
    two = ask(place, "mine", key=CACHED_TOO, idempotency_key="shared")
    assert one.status == two.status == 200
    assert "idempotent-replayed" not in two.headers


def test_what_failed_may_be_tried_again(place: Gateway) -> None:
    for _ in range(2):
        assert ask(place, "[sandbox:fail] again", idempotency_key="failing").status == 500
    assert ask(place, "now well", idempotency_key="failing").status == 200
    assert ask(place, "x", idempotency_key="k" * 256).status == 400


def test_a_key_that_is_under_way_is_refused(place: Gateway, sandbox: Sandbox) -> None:
    words = "the first of two with one key"
    found: list[Said] = []
    first = threading.Thread(target=lambda: found.append(ask(place, words, idempotency_key="busy")))
    with sandbox.slowly():
        first.start()
        until(lambda: sent(sandbox, words) and rows(place, "SELECT 1 FROM idempotency WHERE status IS NULL"))
        second = ask(place, words, idempotency_key="busy")
        assert second.status == 409
        assert second.headers["retry-after"] == "1"
    first.join()
    assert found[0].status == 200
    assert ask(place, words, idempotency_key="busy").body == found[0].body
    assert sent(sandbox, words) == 1


WORDS = "[sandbox:delta-ms=100] kill me"


@pytest.mark.parametrize("point", ["charged", "streaming"])
def test_a_key_survives_kill_9(sandbox: Sandbox, tmp_path: Path, point: str) -> None:
    """The gateway dies after its charge, or in mid-stream; the same key brings an answer, and one charge in all."""
    gateway = Gateway(tmp_path, sandbox)
    body = {"stream": point == "streaming"}
    try:
        gateway.start(DEEEPAI_CRASH_AT=point)
        with pytest.raises((OSError, ValueError, http.client.HTTPException)):
            assert ask(gateway, WORDS, body=body, idempotency_key="crash").body.endswith(b"[DONE]\n\n")
        gateway.kill()
        gateway.start()
        (row,) = rows(gateway, "SELECT request_id, leased_until FROM idempotency")

        def answered() -> Said | None:
            said = ask(gateway, WORDS, body=body, idempotency_key="crash")
            assert said.status in (200, 409), said.body
            return said if said.status == 200 else None

        said = until(answered)
        assert said.id == row["request_id"]
        charges = rows(gateway, "SELECT request_id FROM ledger WHERE kind = 'charge'")
        assert [one["request_id"] for one in charges] == [row["request_id"]]
    finally:
        gateway.kill()
