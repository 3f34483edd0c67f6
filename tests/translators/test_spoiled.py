"""Requests, answers and events of which one value was replaced: they translate, or fail in the way that is promised."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deeepai.declare import CallTranslator, Failure, Reason
from deeepai.translators.embeddings import EMBEDDING_TRANSLATORS
from deeepai.translators.pictures import PICTURE_TRANSLATORS

from .samples import REQUESTS, STREAMS, WHOLE
from .world import MODELS, PAIRS, answer_of, asking, payloads, request_of, translation, translator

pairs = st.sampled_from(PAIRS)
ACROSS = (*EMBEDDING_TRANSLATORS, *PICTURE_TRANSLATORS)
CONTENT = {"content": {"parts": [{"text": "hi"}]}, "outputDimensionality": 8}
PICTURE = {"mimeType": "image/png", "data": "aGk="}
ASKED: dict[str, Any] = {
    "openai.embeddings": {"model": "m", "input": ["hi"], "dimensions": 8, "encoding_format": "base64"},
    "gemini.embedContent": CONTENT,
    "gemini.batchEmbedContents": {"requests": [CONTENT]},
    "openai.images.generations": {"model": "m", "prompt": "a cat", "n": 1, "size": "1024x1024", "seed": 1},
    "openai.images.edits": {
        "model": "m",
        "prompt": "a hat",
        "quality": "high",
        "images": [{"image_url": "data:image/png;base64,aGk="}],
    },
}
ANSWERED: dict[str, Any] = {
    "openai.embeddings": {"data": [{"index": 0, "embedding": [0.5]}]},
    "gemini.batchEmbedContents": {"embeddings": [{"values": [0.5]}]},
    "gemini.predict": {"predictions": [{"bytesBase64Encoded": "aGk=", "mimeType": "image/png", "prompt": "x"}]},
    "gemini.generateContent": {
        "candidates": [{"content": {"parts": [{"text": "x"}, {"inlineData": PICTURE}]}, "finishReason": "STOP"}]
    },
    "ideogram": {"created": "2026", "data": [{"url": "https://a.example/a.png", "prompt": "x"}]},
    "stability.text-to-image": {"artifacts": [{"base64": "aGk=", "finishReason": "SUCCESS"}]},
    "stability": {"image": "aGk=", "finish_reason": "SUCCESS"},
}
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


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ACROSS), st.data())
def test_spoiled_embeddings_and_pictures(across: CallTranslator, data: st.DataObject) -> None:
    asked = ASKED[across.source]
    made = outcome(lambda: across.request(request_of(data.draw(spoiled(asked))), "m"))
    assert not isinstance(made, Failure) or made.kind is Reason.INVALID
    target = across.target if across.target in ANSWERED else across.target.partition(".")[0]
    answer = answer_of(data.draw(spoiled(ANSWERED[target])), **{"content-type": "application/json"})
    made = outcome(lambda: across.answer(request_of(asked), answer, None))
    if isinstance(made, Failure):
        # What a filter held back looks like an answer with nothing in it.
        assert made.kind in (Reason.UPSTREAM, Reason.MODERATED, Reason.UNPROCESSABLE)
    else:
        assert json.loads(made)
