"""Whether what came is an answer, and how far a stream is read before its caller hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from deeepai.declare import Answer, AnswerShape, begins_stream
from deeepai.gateway.answers import head
from deeepai.gateway.answers.head import Begun
from deeepai.gateway.answers.judge import judge_whole, message_in
from deeepai.gateway.attempts import ErrorInside
from deeepai.protocols.common.events import event_failure
from tests.gateway.test_stream import FakeResponse, rules
from tests.support.until import PATIENCE

TEXT = AnswerShape(fields=("text",), media=("text/",), blank=True)
CHOICES = AnswerShape(fields=("choices",))
SOUND = AnswerShape(media=("audio/", "application/octet-stream"))


def judged(shape: AnswerShape, body: bytes, kind: str = "application/json") -> str | None:
    """Return what an answer fails for; None: it is good."""
    try:
        judge_whole(shape, Answer(200, {"content-type": kind}, body))
    except ErrorInside as fault:
        return str(fault)
    return None


@pytest.mark.parametrize(
    ("shape", "body", "kind", "fault"),
    [
        (CHOICES, b'{"choices":[{"index":0}]}', "application/json", None),
        (CHOICES, b'{"choices":[{"index":0}],"error":null}', "application/json", None),
        (CHOICES, b'{"choices":[{"message":{"content":"a\tb"}}]}', "application/json", None),
        (CHOICES, b'{"choices":[{"message":{"content":"a\tb', "application/json", "an answer of another kind"),
        (CHOICES, b'{"choices":[{"index":0}],"error":{"message":"Busy"}}', "application/json", "Busy"),
        (CHOICES, b'{"choices":[]}', "application/json", "an answer without what was asked for"),
        (CHOICES, b'{"choices":null,"detail":"Busy"}', "application/json", "Busy"),
        (CHOICES, b'{"error":{"message":"Busy","code":"overloaded"}}', "application/json", "Busy (overloaded)"),
        (CHOICES, b'{"error":"Busy"}', "text/html", "Busy"),
        (CHOICES, b'{"response":{"error":{"message":"Busy"}}}', "application/json", "Busy"),
        (CHOICES, b"<html></html>", "text/html", "an answer of another kind"),
        (CHOICES, b"", "application/json", "an empty answer"),
        (CHOICES, b" \r\n", "application/json", "an empty answer"),
        (CHOICES, b"[1]", "application/json", "an answer of another kind"),
        (TEXT, b'{"text":""}', "application/json", None),
        (TEXT, b"", "text/plain; charset=utf-8", None),
        (TEXT, b"1\n00:00 --> 00:01\nhi", "text/plain", None),
        (TEXT, b'{"error":{"message":"Busy"}}', "application/json", "Busy"),
        (SOUND, b"ID3...", "audio/mpeg", None),
        (SOUND, b'{"error":{"message":"No such voice"}}', "application/json", "No such voice"),
    ],
)
def test_what_an_answer_has_to_hold(shape: AnswerShape, body: bytes, kind: str, fault: str | None) -> None:
    assert judged(shape, body, kind) == fault


@pytest.mark.parametrize(
    ("words", "account"),
    [
        ("You exceeded your current quota, please check your plan", True),
        ("Insufficient Balance", True),
        ("Incorrect API key provided: sk-up***", True),
        ("Your credit balance is too low", True),
        ("The server is overloaded", False),
        ("This model's maximum context length is 8192 tokens", False),
    ],
)
def test_what_blames_the_account_is_known(words: str, account: bool) -> None:
    with pytest.raises(ErrorInside) as fault:
        judge_whole(CHOICES, Answer(200, {}, b'{"error":{"message":"%b"}}' % words.encode()))
    assert fault.value.account is account


def test_messages_are_found_wherever_they_stand() -> None:
    assert message_in({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}) == (
        "Busy (overloaded_error)"
    )
    assert message_in({"code": "50001", "msg": "Busy", "data": None}) == "Busy (50001)"
    assert message_in({"error": {}, "response": []}) == ""
    assert message_in([1]) == ""


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"data: {}\n\n", True),
        (b"\xef\xbb\xbfevent: a\ndata: {}\n\n", True),
        (b"\n\n: hello\n\n", True),
        (b'{"data": 1}', False),
        (b"dated", False),
        (b"da", None),
        (b"\xef\xbb", None),
        (b"", None),
    ],
)
def test_event_streams_are_known_by_what_they_are_like(body: bytes, events: bool | None) -> None:
    assert begins_stream(body) is events


# Streams ------------------------------------------------------------------------------------------------------------

RULES = replace(
    rules(hidden=False),
    failure=event_failure,
    only_opens=lambda event: b'"opens"' in event,
)
OPENS, SAYS = b'data: {"opens": 1}\n\n', b'data: {"text": "hi"}\n\n'
FAILS = b'data: {"error": {"message": "Busy"}}\n\n'


def begun(chunks: Sequence[Any]) -> tuple[Begun, bytes]:
    """Open a stream; return it, and all that it holds."""

    async def run() -> tuple[Begun, bytes]:
        stream = Begun(FakeResponse(chunks))  # pyright: ignore[reportArgumentType]
        await stream.open(RULES)
        pieces = [await stream.next()]
        while pieces[-1]:
            pieces.append(await stream.next())
        return stream, b"".join(pieces)

    return asyncio.run(asyncio.wait_for(run(), PATIENCE))


@pytest.mark.parametrize(
    "chunks",
    [
        [OPENS, SAYS],
        [OPENS + SAYS],
        [b": one\n\n", OPENS, SAYS, SAYS],
        [OPENS[:9], OPENS[9:] + SAYS[:4], SAYS[4:]],
        [SAYS, FAILS],
        [bytes([byte]) for byte in b"\n" + OPENS + SAYS],
        [OPENS, SAYS.rstrip()],
        [SAYS.replace(b"\n", b"\r\n")],
        [SAYS.replace(b"\n", b"\r")],
    ],
)
def test_what_was_read_ahead_is_not_lost(chunks: list[bytes]) -> None:
    stream, seen = begun(chunks)
    assert not stream.is_document
    assert seen == b"".join(chunks)


@pytest.mark.parametrize(
    ("chunks", "fault"),
    [
        ([FAILS], "Busy"),
        ([OPENS, FAILS], "Busy"),
        ([b": one\n\n", FAILS.rstrip()], "Busy"),
        ([], "a stream that holds nothing"),
        ([b": one\n\n", b": two\n\n"], "a stream that holds nothing"),
        ([OPENS], "a stream that holds nothing"),
        ([b"data: [DONE]\n\n"], "a stream that holds nothing"),
        ([b"retry: 1000\n\n", b"event: ping\n\n"], "a stream that holds nothing"),
        ([OPENS, b"data: [DONE]\n\n"], "a stream that holds nothing"),
    ],
)
def test_a_stream_that_fails_or_says_nothing_is_none(chunks: list[bytes], fault: str) -> None:
    with pytest.raises(ErrorInside, match=fault):
        begun(chunks)


@pytest.mark.parametrize(
    ("body", "array"), [(b'{"choices": []}', False), (b" [{}]", True), (b"<p>", False), (b"dat", False)]
)
def test_what_is_no_stream_is_left_whole(body: bytes, array: bool) -> None:
    async def run() -> None:
        stream = Begun(FakeResponse([body[:2], body[2:]]))  # pyright: ignore[reportArgumentType]
        await stream.open(RULES)
        assert (stream.is_document, stream.is_array) == (True, array)

    asyncio.run(run())


def test_a_stream_that_only_opens_is_told_of_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "PATIENCE", 0.01)

    async def run() -> None:
        more = asyncio.Event()
        stream = Begun(FakeResponse([OPENS, more, SAYS]))  # pyright: ignore[reportArgumentType]
        await stream.open(RULES)
        assert await stream.next() == OPENS
        more.set()
        assert await stream.next() == SAYS
        assert await stream.next() == b""

    asyncio.run(asyncio.wait_for(run(), PATIENCE))


def test_what_opens_without_end_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "MOST", 3 * len(OPENS))
    stream, seen = begun([OPENS] * 8)
    assert not stream.is_document
    assert seen == OPENS * 8
