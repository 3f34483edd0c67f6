"""How an answer is written down while it passes, so that it can be given again."""

from __future__ import annotations

from typing import Any

import pytest

from deeepai.gateway import replays
from deeepai.gateway.exchange import WHOLE
from deeepai.gateway.replays import Kept, Recorder
from tests.gateway.asgi import operation
from tests.gateway.callers import exchange, token

HEADERS = [(b"content-type", b"text/plain"), (b"x-request-id", b"req_1"), (b"content-length", b"5")]
START = {"type": "http.response.start", "status": 200, "headers": HEADERS}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def recorded(recorder: Recorder, *messages: dict[str, Any]) -> Kept:
    for message in messages:
        await recorder(message)
    return recorder.kept()


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": WHOLE, "status": 200, "headers": HEADERS, "body": b"hello"}],
        [START, body(b"hello")],
        [START, body(b"hel", more=True), body(b"lo", more=True), body(b"")],
    ],
)
async def test_an_answer_passes_as_it_is_and_is_kept_without_what_is_this_requests_alone(
    messages: list[dict[str, Any]],
) -> None:
    passed: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        passed.append(message)

    recorder = Recorder(send, 100)
    kept = await recorded(recorder, *messages)
    assert kept == Kept(200, [(b"content-type", b"text/plain")], b"hello")
    assert (recorder.whole, recorder.overflow, passed) == (True, False, messages)


async def test_half_an_answer_is_not_whole_and_a_large_one_is_not_kept() -> None:
    async def send(message: dict[str, Any]) -> None:
        pass

    half = Recorder(send, 100)
    await recorded(half, START, body(b"hel", more=True))
    assert not half.whole
    large = Recorder(send, 5)
    kept = await recorded(large, START, body(b"hello", more=True), body(b"!"))
    assert (large.whole, large.overflow, kept.body) == (True, True, b"")
    exact = Recorder(send, 5)
    assert (await recorded(exact, START, body(b"hello"))).body == b"hello"
    assert not exact.overflow


async def test_what_must_be_done_before_the_end_is_done_before_it_leaves() -> None:
    happened: list[str] = []

    async def send(message: dict[str, Any]) -> None:
        happened.append(message["body"].decode() if "body" in message else "head")

    async def ending() -> None:
        happened.append("kept")

    await recorded(Recorder(send, 100, ending), START, body(b"hel", more=True), body(b"lo"))
    assert happened == ["head", "hel", "kept", "lo"]


def test_only_those_who_ask_have_their_answers_written_down() -> None:
    assert not replays.wanted(exchange(operation()))
    assert replays.wanted(exchange(operation(), headers={"idempotency-key": "k"}))
    assert replays.wanted(exchange(operation(), token(settings={"cache": 60})))
