"""Event streams on their way: however they are cut into chunks, the caller sees the same, and pays before the end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeepai.declare import Stream, StreamRules, Usage
from deeepai.gateway.answers import stream as streaming
from deeepai.gateway.answers.stream import Relay
from deeepai.gateway.exchange import PUSH, Exchange
from deeepai.gateway.routing import Route
from deeepai.protocols import PROTOCOLS
from deeepai.upstream import Cut, Stalled
from tests.gateway.asgi import operation, protocol, request, stream
from tests.support.until import PATIENCE


def usage_of(event: bytes) -> Usage | None:
    found = re.search(rb'"usage":\{"out":(\d+)\}', event)
    return Usage(output=int(found[1]), basis="vendor") if found else None


def rules(*, hidden: bool) -> StreamRules:
    return StreamRules(
        wanted=lambda request: True,
        usage=usage_of,
        visible=lambda request, event: None if hidden and b'"usage":{' in event else event,
        text=lambda data: data.get("text", ""),
        prompt=lambda request: "",
        is_last=lambda event: event.startswith(b"data: [DONE]"),
        scan_for=(b'"usage"', b"[DONE]"),
        error=lambda failure, request_id: (
            b"data: " + msgspec.json.encode({"error": failure.kind.word, "id": request_id}) + b"\n\n"
        ),
    )


class FakeResponse:
    """An upstream's answer in chunks that were made up; an exception among them is raised."""

    def __init__(self, chunks: Sequence[bytes | Exception | asyncio.Event]) -> None:
        self._chunks = iter(chunks)
        self._aborted = asyncio.Event()
        self.ended = ""

    async def next(self) -> bytes:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            if isinstance(chunk, asyncio.Event):
                waits = {asyncio.ensure_future(chunk.wait()), asyncio.ensure_future(self._aborted.wait())}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
                if self._aborted.is_set():
                    raise Cut("aborted")
                continue
            return chunk
        return b""

    def divert(self, taker: object) -> None:
        """Nothing comes in from a socket here that could pass by."""

    def release(self) -> None:
        self.ended = "released"

    def abort(self) -> None:
        self._aborted.set()
        self.ended = self.ended or "aborted"


class Caller:
    """Notes what it sees and when the charge came; may leave."""

    def __init__(self, **more: Any) -> None:
        self.seen: list[Any] = []
        self.left = asyncio.Event()
        self._more = more
        given = operation()
        route = Route(protocol(given), given, {}, "toy.try")
        self.x = Exchange("req_1", route, request(given), self._receive, self._send)
        self.relay: Relay | None = None

    async def _receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.seen.append(message)

    async def _charge(self, relay: Relay) -> None:
        self.seen.append("charged")

    async def take(self, response: FakeResponse, *, hidden: bool = False) -> Relay:
        given = stream(rules=rules(hidden=hidden), **self._more)
        self.relay = Relay(self.x, given, response, self._charge)  # pyright: ignore[reportArgumentType]
        await self.relay.run()
        return self.relay

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.seen if message != "charged"]

    @property
    def body(self) -> bytes:
        return b"".join(self.bodies)


def take(chunks: Sequence[bytes | Exception], *, hidden: bool = False) -> tuple[Caller, Relay, FakeResponse]:
    async def run() -> tuple[Caller, Relay, FakeResponse]:
        caller, response = Caller(), FakeResponse(chunks)
        relay = await caller.take(response, hidden=hidden)
        return caller, relay, response

    return asyncio.run(run())


def events(gap: str, usage: bool = True) -> list[bytes]:
    texts = [f'{{"text":"{word}"}}' for word in ("one", "zwei [DONE]", "三", '\\"usage\\":')]
    if usage:
        texts.append('{"text":"","usage":{"out":7}}')
    return [f"data: {text}{gap}{gap}".encode() for text in (*texts, "[DONE]")]


@st.composite
def chunked(draw: st.DrawFn) -> tuple[list[bytes], list[bytes], bool, bool]:
    """Draw a stream's events and its bytes in chunks; line ends may be mixed, comments and names may stand between."""
    usage = draw(st.booleans())
    made = [
        draw(st.sampled_from([b"", b": ping\n\n", b"event: x\n"])) + event
        for event in (
            draw(st.sampled_from(pair)) for pair in zip(events("\n", usage), events("\r\n", usage), strict=True)
        )
    ]
    made[-1] = made[-1].removeprefix(b": ping\n\n").removeprefix(b"event: x\n")
    whole = b"".join(made)
    cuts = sorted(draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    return made, chunks, usage, draw(st.booleans())


@settings(max_examples=200, deadline=None)
@given(chunked())
def test_the_caller_sees_the_same_bytes_however_they_come(
    drawn: tuple[list[bytes], list[bytes], bool, bool],
) -> None:
    made, chunks, usage, hidden = drawn
    caller, relay, response = take(chunks, hidden=hidden)
    if usage and hidden:
        # A comment before the hidden event is an event of its own, and stays.
        kept = [b": ping\n\n" if event.startswith(b":") else b"" if b'{"out":7}' in event else None for event in made]
        made = [
            event if keep is None or b'{"out":7}' not in event else keep for event, keep in zip(made, kept, strict=True)
        ]
    assert caller.body == b"".join(made)
    assert relay.usage == (Usage(output=7, basis="vendor") if usage else None)
    assert (relay.fault, relay.left, response.ended) == (None, False, "released")
    # The charge is committed before the last event leaves, and nothing of that event went before it.
    at = caller.seen.index("charged")
    assert at == len(caller.seen) - 2
    assert caller.seen[-1]["more_body"] is False
    assert b"data: [DONE]" in caller.seen[-1]["body"]
    assert all(b"data: [DONE]" not in message["body"] for message in caller.seen[:at])


@settings(max_examples=100, deadline=None)
@given(chunked())
def test_what_was_streamed_is_kept_for_counting_where_no_usage_comes(
    drawn: tuple[list[bytes], list[bytes], bool, bool],
) -> None:
    made, chunks, usage, _ = drawn
    _, relay, _ = take(chunks)
    if not usage:
        assert b"".join(relay.events) == b"".join(made[:-1])


def test_an_event_passes_before_the_next_one_comes() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        caller = Caller()
        response = FakeResponse([b"data: 1\n\n", gate, b"data: [DONE]\n\n"])
        relaying = asyncio.ensure_future(caller.take(response))
        async with asyncio.timeout(PATIENCE):
            while not caller.seen:
                await asyncio.sleep(0)
        assert caller.seen == [{"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True}]
        gate.set()
        await relaying
        assert caller.body == b"data: 1\n\ndata: [DONE]\n\n"

    asyncio.run(run())


def test_a_caller_that_hears_nothing_is_told_that_it_goes_on() -> None:
    async def run(keep_alive: bytes | None) -> bytes:
        gate, heard = asyncio.Event(), asyncio.Event()
        caller = Caller()

        def push(body: bytes) -> bool:
            caller.seen.append({"body": body})
            heard.set()
            return True

        caller.x.request.scope[PUSH] = push
        caller.x.answering = True
        caller.x.keep_alive(keep_alive, 0.02)
        # The half event is not let through: what says that it goes on stands between whole ones.
        response = FakeResponse([b"data: 1\n\nda", gate, b"ta: 2\n\n", b"data: [DONE]\n\n"])
        relaying = asyncio.ensure_future(caller.take(response))
        async with asyncio.timeout(PATIENCE):
            await (heard.wait() if keep_alive else asyncio.sleep(0.1))
        gate.set()
        await relaying
        return caller.body

    body = asyncio.run(run(b": still here\n\n"))
    assert re.fullmatch(rb"data: 1\n\n(: still here\n\n)+data: 2\n\ndata: \[DONE\]\n\n", body)
    assert asyncio.run(run(None)) == b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"


def test_who_is_told_that_it_goes_on() -> None:
    signs = {
        f"{name}.{each.name}": each.rules.keep_alive
        for name, declared in PROTOCOLS.items()
        for each in declared.operations
        if isinstance(each, Stream)
    }
    assert signs["anthropic.messages"] == b'event: ping\ndata: {"type": "ping"}\n\n'
    assert signs["openai.chat.completions"] == signs["openai.responses.create"] == b": keep-alive\n\n"
    # Google's client takes nothing but data.
    assert {sign for name, sign in signs.items() if name.startswith("gemini.")} == {None}


@pytest.mark.parametrize(
    ("end", "word"),
    [
        ([Cut("x")], "upstream_error"),
        ([Stalled("x", answered=True)], "upstream_timeout"),
        ([], "upstream_error"),
        ([b"data: half an ev", Cut("x")], "upstream_error"),
        ([b"data: half an ev"], "upstream_error"),
    ],
)
def test_a_stream_that_breaks_off_ends_in_an_error_event(end: list[Any], word: str) -> None:
    caller, relay, response = take([b"data: 1\n\n", *end])
    assert caller.body == b'data: 1\n\ndata: {"error":"' + word.encode() + b'","id":"req_1"}\n\n'
    assert caller.seen[-2] == "charged"
    assert relay.fault is not None
    assert response.ended == "aborted"


@pytest.mark.parametrize("end", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r\n"])
def test_a_last_event_without_its_blank_line_is_completed(end: bytes) -> None:
    caller, relay, response = take([b"data: 1\n\n", end])
    assert caller.body == b"data: 1\n\ndata: [DONE]\n\n"
    assert (relay.fault, response.ended) == (None, "released")


def test_a_cut_after_the_usage_still_says_that_it_was_cut() -> None:
    caller, relay, _ = take([b'data: {"usage":{"out":7}}\n\n', Cut("x")])
    assert relay.usage == Usage(output=7, basis="vendor")
    assert b'"error"' in caller.body


def test_what_comes_after_the_last_event_is_not_passed_on() -> None:
    caller, _, _ = take([b"data: [DONE]\n\ndata: more\n\n"])
    assert caller.body == b"data: [DONE]\n\n"


def test_a_caller_that_leaves_cancels_the_upstream_where_that_is_the_rule() -> None:
    async def run() -> None:
        caller = Caller(on_leave="cancel")
        response = FakeResponse([b"data: 1\n\n", asyncio.Event()])
        relaying = asyncio.ensure_future(caller.take(response))
        async with asyncio.timeout(PATIENCE):
            while not caller.seen:
                await asyncio.sleep(0)
            caller.left.set()
            relay = await relaying
        assert (relay.left, relay.fault, response.ended) == (True, None, "aborted")
        assert caller.seen[-1] == "charged"  # and nothing is sent after it
        assert relay.events == [b"data: 1\n\n"]

    asyncio.run(run())


def test_a_caller_that_leaves_lets_a_drained_stream_come_to_its_usage() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        caller = Caller(on_leave="drain")
        rest = [b'data: {"usage":{"out":7}}\n\n', b"data: [DONE]\n\n"]
        response = FakeResponse([b"data: 1\n\n", gate, *rest])
        relaying = asyncio.ensure_future(caller.take(response))
        async with asyncio.timeout(PATIENCE):
            caller.left.set()
            while caller.relay is None or not caller.relay.left:
                await asyncio.sleep(0)
            gate.set()
            relay = await relaying
        assert (relay.usage, response.ended) == (Usage(output=7, basis="vendor"), "released")
        assert caller.body in (b"", b"data: 1\n\n")
        assert caller.seen[-1] == "charged"

    asyncio.run(run())


def test_draining_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "DRAIN_SECONDS", 0.0)

    async def run() -> None:
        gate = asyncio.Event()
        caller = Caller(on_leave="drain")
        response = FakeResponse([gate, *[b"data: 1\n\n"] * 1000])
        relaying = asyncio.ensure_future(caller.take(response))
        async with asyncio.timeout(PATIENCE):
            caller.left.set()
            while caller.relay is None or not caller.relay.left:
                await asyncio.sleep(0)
            gate.set()
            relay = await relaying
        assert response.ended == "aborted"
        assert len(relay.events) < 1000
        assert caller.seen == ["charged"]

    asyncio.run(run())


def test_an_event_that_comes_when_draining_ends_is_let_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "DRAIN_SECONDS", 0.0)

    async def run() -> None:
        gate = asyncio.Event()
        caller = Caller(on_leave="drain")
        pieces = [b"data: a picture in", b" pieces ", b'{"usage":{"out":7}}\n\n', b"data: [DONE]\n\n"]
        response = FakeResponse([gate, *pieces])
        relaying = asyncio.ensure_future(caller.take(response))
        async with asyncio.timeout(PATIENCE):
            caller.left.set()
            while caller.relay is None or not caller.relay.left:
                await asyncio.sleep(0)
            monkeypatch.setattr(streaming, "DRAIN_SECONDS", 60.0)
            gate.set()
            relay = await relaying
        assert (relay.usage, response.ended) == (Usage(output=7, basis="vendor"), "released")

    asyncio.run(run())


def test_what_is_kept_for_counting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "KEPT", 100)
    event = b"data: " + b"x" * 42 + b"\n\n"
    caller, relay, _ = take([event] * 20 + [b"data: [DONE]\n\n"])
    assert len(relay.events) == 2
    assert caller.body == event * 20 + b"data: [DONE]\n\n"
