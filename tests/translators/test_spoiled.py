"""Requests, answers and events of which one value was replaced: they translate, or fail in the way that is promised."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deeepai.declare import Failure, Reason

from .samples import REQUESTS, STREAMS, WHOLE
from .world import MODELS, PAIRS, answer_of, asking, payloads, request_of, translation, translator

pairs = st.sampled_from(PAIRS)
ODDITIES = (
    "null",
    "true",
    "0",
    "-1",
    "3.5",
    '""',
    '"x"',
    '"data:,"',
    "[]",
    "[null]",
    '["x"]',
    "[[]]",
    "{}",
    '{"type":"x"}',
)


def places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    if isinstance(value, dict):
        found += [place for key, one in value.items() for place in places(one, (*at, key))]
    elif isinstance(value, list):
        found += [place for key, one in enumerate(value) for place in places(one, (*at, key))]
    return found


@st.composite
def spoiled(draw: st.DrawFn, value: Any) -> Any:
    made = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(places(made)))
        inner = made
        for step in way:
            inner = inner[step]
        inner[last] = json.loads(draw(st.sampled_from(ODDITIES)))
    return made


def outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Failure as failure:
        return failure


@settings(max_examples=200, deadline=None)
@given(pairs, st.data())
def test_a_spoiled_request_is_the_callers_fault(pair: tuple[str, str], data: st.DataObject) -> None:
    source, target = pair
    body = data.draw(spoiled(REQUESTS[source]))
    made = outcome(lambda: translator(source, target).request(request_of(body), MODELS[target]))
    if isinstance(made, Failure):
        assert made.kind is Reason.INVALID
    else:
        assert json.dumps(made)


@settings(max_examples=200, deadline=None)
@given(pairs, st.data())
def test_a_spoiled_answer_is_the_upstreams_fault(pair: tuple[str, str], data: st.DataObject) -> None:
    source, target = pair
    body = data.draw(spoiled(WHOLE[target]))
    made = outcome(lambda: translator(source, target).answer(asking(source), answer_of(body)))
    if isinstance(made, Failure):
        assert made.kind is Reason.UPSTREAM
    else:
        assert json.loads(made)


@settings(max_examples=200, deadline=None)
@given(pairs, st.data())
def test_a_spoiled_event_never_breaks_the_stream_open(pair: tuple[str, str], data: st.DataObject) -> None:
    source, target = pair
    events = payloads(STREAMS[target])
    which = data.draw(st.integers(0, len(events) - 1))
    events[which] = data.draw(spoiled(events[which]))
    stream = translation(source, target)
    made = b"".join(stream.feed(b"data: " + json.dumps(event).encode() + b"\n\n") for event in events) + stream.end()
    assert made
    for line in made.splitlines():
        if line.startswith(b"data: {"):
            json.loads(line[6:])
