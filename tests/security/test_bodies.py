"""Bodies made to do harm: what is too much is refused before it is decoded, and what many hold together is bounded."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from deeepai.declare import MOST_NAMED, Failure, Reason
from deeepai.gateway.body import weight
from deeepai.gateway.body.room import COUNTED, Room
from deeepai.gateway.body.weight import MOST_DIGITS, MOST_ESCAPES, MOST_VALUES, MOST_WIDE, Scale, bound
from deeepai.protocols.openai import object_ids
from tests.stack import Gateway, Sandbox
from tests.support.http import Got, call
from tests.support.until import until

MB = 1 << 20

# Weighing ----------------------------------------------------------------------------------------------------------


def structure(raw: bytes) -> int:
    """Count what stands outside of texts, a byte at a time."""
    count, inside, escaped = 0, False, False
    for byte in raw:
        sign = bytes([byte])
        if escaped:
            escaped = False
        elif inside:
            escaped, inside = sign == b"\\", sign != b'"'
        elif sign == b'"':
            inside = True
        else:
            count += sign in b",:[{"
    return count


@pytest.mark.parametrize("step", [1, 2, 3, 5, 64])
def test_values_are_counted_wherever_a_body_is_cut(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    monkeypatch.setattr(weight, "_STEP", step)
    draw = random.Random(step)
    for _ in range(200):
        texts = ["".join(draw.choices('a\\",:[{中\n', k=draw.randrange(12))) for _ in range(draw.randrange(6))]
        raw = json.dumps({"x": texts, 'k\\"': [{}, [1, 2]]}, ensure_ascii=draw.random() < 0.5).encode()
        assert Scale().weigh(raw).values == structure(raw) <= bound(raw)


def test_bytes_of_wide_texts_are_those_of_the_whole_text_and_of_no_other() -> None:
    raw = json.dumps({"a": "中" * 10, "b": "x" * 200_000, "c": "y" * 300_000 + "😀"}, ensure_ascii=False).encode()
    wide = Scale().weigh(raw).wide
    assert 300_000 <= wide < 300_000 + 64 * 1024
    assert Scale().weigh(json.dumps({"b": "x" * 200_000}).encode()).wide == 0


TOO_MUCH = {
    "values": b"[" + b"[]," * MOST_VALUES + b"1]",
    "keys": b"{" + b",".join(b'"%d":1' % number for number in range(MOST_VALUES)) + b"}",
    "escapes": b'"' + b"\\n" * (MOST_ESCAPES + 1) + b'"',
    "wide": b'"' + b"a" * MOST_WIDE + "😀".encode() + b'"',
    "wide by an escape": b'"' + b"a" * MOST_WIDE + b'\\ud83d\\ude00"',
    "one long number": b"9" * (2 * MOST_DIGITS),
    "long numbers": b"[" + b",".join([b"9" * 4000] * 20) + b"]",
    "numbers near nothing": b"[" + b",".join([b"5e-324"] * 3000) + b"]",
    "numbers with many digits": b"[" + b",".join([b"9007199254740993"] * 3000) + b"]",
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_takes_long_to_decode_is_refused_before(name: str) -> None:
    with pytest.raises(Failure) as caught:
        Scale().weigh(TOO_MUCH[name])
    assert caught.value.kind is Reason.TOO_LARGE


FINE = {
    "tokens": json.dumps({"input": [list(range(100_000)) for _ in range(3)]}).encode(),
    "messages": json.dumps([{"role": "user", "content": [{"type": "text", "text": "a, [b]: {c}"}]}] * 20_000).encode(),
    "a picture beside Chinese": json.dumps({"a": "中文", "b": "A" * (30 * MB)}, ensure_ascii=False).encode(),
    "escaped Chinese": json.dumps("中文" * 500_000).encode(),
    "JSON within JSON": json.dumps([json.dumps({"a": [1, 2, 3] * 1000})] * 200).encode(),
    "vectors": json.dumps([random.Random(1).random() / 1e4 for _ in range(1000)]).encode(),
}


@pytest.mark.parametrize("name", FINE)
def test_what_real_bodies_hold_is_not_too_much(name: str) -> None:
    Scale().weigh(FINE[name])


# Room --------------------------------------------------------------------------------------------------------------


def refusal(room: Room, account: str, more: int) -> Reason:
    with pytest.raises(Failure) as caught:
        room.take(account, more, more)
    assert (caught.value.retry_after is None) is (caught.value.kind is Reason.TOO_LARGE)
    return caught.value.kind


def test_room_is_bounded_for_each_account_and_in_all() -> None:
    room = Room(1000, 0.75)
    assert refusal(room, "alice", 751) is Reason.TOO_LARGE
    room.take("alice", 500, 500)
    room.take("alice", 250, 250)
    assert refusal(room, "alice", 1) is Reason.RATE_LIMITED
    room.take("bob", 250, 250)
    assert refusal(room, "carol", 1) is Reason.UNAVAILABLE
    assert (room.held, room.refused) == (1000, 3)
    room.give("alice", 250)
    room.take("carol", 250, 250)
    room.give("alice", 500)
    assert room.held == 500
    assert refusal(room, "bob", 501) is Reason.RATE_LIMITED


# Ids ---------------------------------------------------------------------------------------------------------------


def test_ids_are_looked_for_until_there_are_too_many() -> None:
    seen: list[int] = []

    def ids() -> Iterator[str]:
        for number in range(10 * MOST_NAMED):
            seen.append(number)
            yield f"file-{number}"

    assert len(object_ids.first(ids())) == MOST_NAMED + 1
    assert len(seen) == MOST_NAMED + 1


# Through a gateway -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with 4 MB for bodies, of which an account may have 3."""
    env = {"DEEEPAI_BODY_MEMORY": str(4 * MB)}
    made = Gateway(Path(tmp_path_factory.mktemp("small")), sandbox, env=env).start()
    yield made
    made.stop()


def chat(size: int) -> bytes:
    return json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "a" * size}]}).encode()


def sent(gateway: Gateway, path: str, body: bytes, **headers: str) -> Got:
    key = gateway.first_start()["live_token"]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named = {"content-type": "application/json", "x-api-key": key, "x-goog-api-key": key, **named}
    return call(gateway, "POST", path, body, key, named)


def figure(gateway: Gateway, name: str) -> float:
    lines = call(gateway, "GET", "/metrics").body.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/gemini-2.5-flash:generateContent")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_a_body_for_which_there_is_never_room_is_refused_in_the_protocols_shape(
    small: Gateway, path: str, packed: bool
) -> None:
    refused = figure(small, "deeepai_bodies_refused_total")
    body = gzip.compress(chat(2 * MB)) if packed else chat(2 * MB)
    answer = sent(small, path, body, **({"content_encoding": "gzip"} if packed else {}))
    assert answer.status == 413
    assert "memory" in answer.json["error"]["message"]
    assert figure(small, "deeepai_bodies_refused_total") == refused + 1
    until(lambda: figure(small, "deeepai_body_bytes") == 0)


@pytest.mark.parametrize("path", PATHS)
def test_too_many_values_are_refused_before_they_are_decoded(small: Gateway, path: str) -> None:
    answer = sent(
        small, path, gzip.compress(chat(1)[:-1] + b',"z":[' + b"[]," * MOST_VALUES + b"1]}"), content_encoding="gzip"
    )
    assert answer.status == 413
    assert f"{MOST_VALUES} values" in answer.json["error"]["message"]


def test_what_a_request_held_is_given_back(small: Gateway) -> None:
    for _ in range(8):
        assert sent(small, "/v1/chat/completions", chat(8 * COUNTED)).status not in (413, 429, 503)
    until(lambda: figure(small, "deeepai_body_bytes") == 0)
