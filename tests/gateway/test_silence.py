"""An upstream that says nothing for long: its caller hears that the stream goes on, and may still be served by another.

The upstream is held by the test, so that nothing here rests on how fast the machine is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anthropic
import httpx
import openai
import pytest

from tests.gateway.test_odd_answers import FORMATS, events
from tests.operator import usage_row
from tests.stack import Gateway
from tests.support.held import HeldUpstream
from tests.support.http import post
from tests.support.until import PATIENCE

KEEP_ALIVE: Final = 0.1
"""Seconds."""
SIGNS: Final = {
    "chat": b": keep-alive\n\n",
    "responses": b": keep-alive\n\n",
    "messages": b'event: ping\ndata: {"type": "ping"}\n\n',
}
ERRORS: Final = {
    "openai": {"error": {"message": "too hot", "type": "invalid_request_error", "param": "heat", "code": "too_hot"}},
    "anthropic": {"type": "error", "error": {"type": "invalid_request_error", "message": "too hot"}},
}
"""What the vendors refuse with."""
BROKEN: Final = ("refuses", "hangs up", "opens and hangs up", "opens and fails")
"""What a first channel does."""


@dataclass(frozen=True)
class Case:
    """A model, with the protocols of the channels that serve it, in their order."""

    format: str
    channels: tuple[str, ...]
    what: str

    @property
    def spoken(self) -> str:
        """The upstream's format."""
        own = FORMATS[self.format].protocol == self.channels[0]
        return self.format if own else {"openai": "chat", "anthropic": "messages"}[self.channels[0]]

    @property
    def model(self) -> str:
        return f"{self.format}-{self.what.replace(' ', '-')}"


def _cases() -> Iterator[Case]:
    for format in SIGNS:
        own = FORMATS[format].protocol
        yield from (Case(format, (own,), what) for what in ("alone", "refused", "left", "lost"))
        # A response may be kept by its vendor: it is asked for once.
        broken = BROKEN if format != "responses" else ("refuses", "opens and fails")
        yield from (Case(format, (own, own), how) for how in broken)
    yield Case("chat", ("anthropic",), "translated")
    yield Case("messages", ("openai",), "translated")
    yield Case("gemini", ("gemini",), "refused")


CASES: Final = {case.model: case for case in _cases()}


def config(upstream: HeldUpstream) -> str:
    lines: list[str] = []
    for case in CASES.values():
        lines += [f'[prices."{case.model}"]', "per_million = { input = '1', output = '1' }"]
        for place, protocol in enumerate(case.channels):
            name, version = f"{case.model}-{place}", "/v1" if protocol == "openai" else ""
            lines += ["[[channels]]", f'name = "{name}"', f"priority = {9 - place}", f'protocol = "{protocol}"']
            lines += [f'models = ["{case.model}"]', 'credential = "sk-upstream-0000"']
            lines += [f'base_url = "http://127.0.0.1:{upstream.port}/{name}{version}"']
    return "\n".join(lines)


@pytest.fixture(scope="module")
def upstream() -> Iterator[HeldUpstream]:
    held = HeldUpstream()
    yield held
    held.stop()


@pytest.fixture(scope="module")
def place(upstream: HeldUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = Path(tmp_path_factory.mktemp("silence"))
    (folder / "deeepai.toml").write_text(config(upstream))
    gateway = Gateway(folder, env={"DEEEPAI_KEEP_ALIVE": str(KEEP_ALIVE)}).start()
    yield gateway
    gateway.stop()


class Waiting:
    """A caller whose stream is under way, and what it has heard so far."""

    def __init__(self, gateway: Gateway, case: Case, **headers: str) -> None:
        format = FORMATS[case.format]
        body = {**format.body, "model": case.model, "stream": True}
        if case.format == "chat":
            body["stream_options"] = {"include_usage": True}
        self._client = httpx.Client(timeout=PATIENCE)
        request = self._client.build_request(
            "POST",
            gateway.url + format.path[1],
            json=body,
            headers={"authorization": f"Bearer {gateway.live}", **headers},
        )
        self.answer = self._client.send(request, stream=True)
        self._pieces = self.answer.iter_raw()
        self.heard = b""
        self.sign = SIGNS[case.format]

    def hears(self, signs: int) -> Waiting:
        """Listen until so many signs came; nothing else may."""
        while len(self.heard) < signs * len(self.sign):
            self.heard += next(self._pieces)
        assert self.heard.replace(self.sign, b"") == b""
        return self

    def rest(self) -> bytes:
        """Listen to the end; return all that is no sign."""
        self.heard += b"".join(self._pieces)
        self._client.close()
        return self.heard.replace(self.sign, b"")

    def leave(self) -> None:
        self._client.close()

    @property
    def request_id(self) -> str:
        return self.answer.headers["x-request-id"]


def cases(what: str) -> Sequence[Any]:
    return [pytest.param(case, id=case.model) for case in CASES.values() if case.what == what and case.format in SIGNS]


def said(body: bytes) -> list[Any]:
    """Return the data of all events."""
    return [
        json.loads(line[5:])
        for line in body.splitlines()
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]"
    ]


@pytest.mark.parametrize("case", [*cases("alone"), *cases("translated")])
def test_a_caller_hears_that_its_stream_goes_on_before_the_upstream_has_begun(
    place: Gateway, upstream: HeldUpstream, case: Case
) -> None:
    caller = Waiting(place, case).hears(2)
    assert (caller.answer.status_code, caller.answer.headers["x-accel-buffering"]) == (200, "no")
    assert caller.answer.headers["content-type"] == "text/event-stream"
    call = upstream.taken(f"{case.model}-0")
    spoken = FORMATS[case.spoken]
    call.begin()
    call.say(spoken.opens)
    # It has only opened: another could still be asked.
    caller.hears(4)
    rest = spoken.stream.removeprefix(spoken.opens)
    call.say(rest)
    call.end()
    body = caller.rest()
    if case.what == "alone":
        assert body == (spoken.opens + rest).replace(caller.sign, b"")
    assert b"hello" in body
    row = usage_row(place, caller.request_id)
    assert (row["status"], row["error"], row["attempts"], row["cost"]) == (200, None, 1, 5_000)
    # The wait was the upstream's.
    assert row["overhead_us"] < KEEP_ALIVE * 1e6 * 0.75
    assert float(caller.answer.headers["x-deeepai-overhead-ms"]) * 1000 < KEEP_ALIVE * 1e6 * 0.75


@pytest.mark.parametrize("case", [case for how in BROKEN for case in cases(how)])
def test_another_channel_may_answer_as_long_as_nothing_was_said(
    place: Gateway, upstream: HeldUpstream, case: Case
) -> None:
    caller, format = Waiting(place, case).hears(1), FORMATS[case.format]
    call = upstream.taken(f"{case.model}-0")
    if case.what == "refuses":
        call.answer(503, ERRORS[format.protocol])
    elif case.what != "hangs up":
        call.begin()
        call.say(format.opens)
        caller.hears(2)
        if case.what == "opens and fails":
            call.say(events(format.failed))
    call.close()
    call = upstream.taken(f"{case.model}-1")
    caller.hears(3)
    call.begin()
    call.say(format.stream)
    call.end()
    assert caller.rest() == format.stream
    row = usage_row(place, caller.request_id)
    assert (row["status"], row["error"], row["attempts"], row["cost"]) == (200, None, 2, 5_000)


@pytest.mark.parametrize("case", [*cases("alone"), *cases("translated")])
def test_an_answer_that_is_no_stream_is_made_one(place: Gateway, upstream: HeldUpstream, case: Case) -> None:
    caller = Waiting(place, case).hears(1)
    upstream.taken(f"{case.model}-0").answer(200, json.loads(FORMATS[case.spoken].whole))
    body = caller.rest()
    assert b"hello" in body
    assert "error" not in {event.get("type") for event in said(body)}
    row = usage_row(place, caller.request_id)
    assert (row["status"], row["error"], row["cost"]) == (200, None, 5_000)


@pytest.mark.parametrize("case", [*cases("refused"), *cases("translated")])
def test_a_refusal_after_the_head_is_told_once_in_the_stream(
    place: Gateway, upstream: HeldUpstream, case: Case
) -> None:
    caller = Waiting(place, case, **{"idempotency-key": f"refused {case.model}"}).hears(1)
    upstream.taken(f"{case.model}-0").answer(400, ERRORS[case.channels[0]], {"retry-after": "7"})
    body = caller.rest()
    (event,) = said(body)
    error = event if case.format == "responses" else event["error"]
    assert "too hot" in error["message"], body
    if case.spoken == case.format != "messages":
        assert (error["code"], error["param"]) == ("too_hot", "heat")
    assert b"[DONE]" not in body
    row = usage_row(place, caller.request_id)
    assert (row["status"], row["error"], row["cost"], row["attempts"]) == (400, "HTTP 400", 0, 1)
    # What failed is not given again.
    again = Waiting(place, case, **{"idempotency-key": f"refused {case.model}"}).hears(1)
    call = upstream.taken(f"{case.model}-0")
    call.begin()
    call.say(FORMATS[case.spoken].stream)
    call.end()
    assert b"hello" in again.rest()


@pytest.mark.parametrize("case", cases("lost"))
def test_a_cut_after_the_head_is_told_once_in_the_stream(place: Gateway, upstream: HeldUpstream, case: Case) -> None:
    caller = Waiting(place, case).hears(1)
    upstream.taken(f"{case.model}-0").close()
    (event,) = said(caller.rest())
    assert "broke off" in (event if case.format == "responses" else event["error"])["message"]
    row = usage_row(place, caller.request_id)
    assert (row["status"], row["cost"], row["attempts"]) == (502, 0, 1)


@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "after it"])
@pytest.mark.parametrize("case", cases("left"))
def test_a_caller_that_leaves_meanwhile_lets_the_upstream_go(
    place: Gateway, upstream: HeldUpstream, case: Case, begun: bool
) -> None:
    caller = Waiting(place, case).hears(1)
    call = upstream.taken(f"{case.model}-0")
    if begun:
        call.begin()
        call.say(FORMATS[case.format].opens)
        caller.hears(3)
    caller.leave()
    call.wait_left()
    row = usage_row(place, caller.request_id)
    assert (row["status"], row["error"]) == (499, "the caller left")
    # It has read the prompt.
    assert row["consumed"]["input"] > 0
    assert row["cost"] == 1000 * row["consumed"]["input"]


def test_geminis_callers_hear_nothing_and_are_told_the_status(place: Gateway, upstream: HeldUpstream) -> None:
    case, clock = CASES["gemini-refused"], CASES["chat-alone"]
    path = FORMATS["gemini"].path[1].replace("gemini-2.5-flash", case.model)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(post, place, path, FORMATS["gemini"].body)
        call = upstream.taken(f"{case.model}-0")
        # Another has been kept waiting for longer than any would wait for its first sign.
        other = Waiting(place, clock).hears(4)
        call.answer(400, {"error": {"code": 400, "message": "too hot", "status": "INVALID_ARGUMENT"}})
        got = asked.result()
    assert (got.status, got.json["error"]["message"]) == (400, "too hot")
    upstream.taken(f"{clock.model}-0").close()
    other.rest()


# By the vendors' own clients ----------------------------------------------------------------------------------------


def streamed(gateway: Gateway, case: Case) -> Any:
    """Ask by the official client; its stream is there as soon as the head is."""
    body: dict[str, Any] = {**FORMATS[case.format].body, "model": case.model, "stream": True}
    if case.format == "messages":
        return anthropic.Anthropic(base_url=gateway.url, api_key=gateway.live, max_retries=0).messages.create(**body)
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0)
    return (client.responses if case.format == "responses" else client.chat.completions).create(**body)


@pytest.mark.parametrize("case", [*cases("alone"), *cases("translated")])
def test_clients_bear_it(place: Gateway, upstream: HeldUpstream, case: Case) -> None:
    stream = streamed(place, case)
    call = upstream.taken(f"{case.model}-0")
    call.begin()
    call.say(FORMATS[case.spoken].stream)
    call.end()
    assert "hello" in "".join(event.model_dump_json() for event in stream)
    if case.format == "messages":
        client = anthropic.Anthropic(base_url=place.url, api_key=place.live, max_retries=0)
        with client.messages.stream(**{**FORMATS["messages"].body, "model": case.model}) as helped:
            call = upstream.taken(f"{case.model}-0")
            call.begin()
            call.say(FORMATS[case.spoken].stream)
            call.end()
            assert helped.get_final_text() == "hello"


@pytest.mark.parametrize("case", cases("refused"))
def test_clients_raise_what_the_vendor_says(place: Gateway, upstream: HeldUpstream, case: Case) -> None:
    stream = streamed(place, case)
    upstream.taken(f"{case.model}-0").answer(400, ERRORS[case.channels[0]])
    if case.format == "responses":
        # Its client hands the event on.
        (event,) = list(stream)
        assert (event.type, event.message, event.code) == ("error", "too hot", "too_hot")
        return
    with pytest.raises((openai.APIError, anthropic.APIStatusError), match="too hot"):
        list(stream)
