"""Songs between Suno's three shapes: what all have arrives, what one has no word for is refused by its name."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.declare import Failure, JobTranslator, Reason
from deeepai.protocols import PROTOCOLS
from deeepai.translators import JOB_TRANSLATORS
from deeepai.translators.jobs import suno
from tests.protocols.plain import PlainRequest, answered

WEB, TASK, GOAMZ = "suno.generate", "suno_tasks.submit.music", "suno_goamz.music"
OWN = {"prompt": "la", "title": "Rain", "tags": "folk", "mv": "chirp-v4"}
texts = st.text("abc [],äß雨", min_size=1, max_size=12).map(str.strip).filter(bool)


def translator(source: str, target: str) -> JobTranslator:
    return next(each for each in JOB_TRANSLATORS if (each.source, each.target) == (source, target))


def translated(source: str, target: str, body: Any, path: str = "/") -> Any:
    request: Any = PlainRequest(path=path, raw=json.dumps(body).encode())
    return translator(source, target).request(request, "suno_music")


def test_every_pair() -> None:
    names = {(each.source, each.target) for each in JOB_TRANSLATORS if each.source.startswith("suno")}
    for kinds in ((WEB, TASK, GOAMZ), ("suno.concat", "suno_tasks.submit.concat", "suno_goamz.concat")):
        assert {(a, b) for a in kinds for b in kinds if a != b} <= names
    assert {("suno.lyrics", "suno_tasks.submit.lyrics"), ("suno_tasks.submit.lyrics", "suno.lyrics")} <= names
    assert len(names) == 14


@given(
    st.fixed_dictionaries({"prompt": texts, "title": texts, "tags": texts}),
    st.none() | st.tuples(texts, st.floats(0, 240, allow_nan=False)),
)
def test_a_song_of_one_s_own_arrives_by_every_way(fields: dict[str, str], parent: tuple[str, float] | None) -> None:
    body: dict[str, Any] = {**fields, "mv": "chirp-crow"}
    body |= {"continue_clip_id": parent[0], "continue_at": parent[1]} if parent else {}
    there = translated(WEB, GOAMZ, body)
    inner = {name: value for name, value in body.items() if name != "mv"}
    assert there == {"custom_mode": True, "mv": "chirp-crow", "input": inner}
    assert translated(GOAMZ, TASK, there) == body
    assert translated(TASK, WEB, body) == body


def test_a_description_and_the_defaults_of_each() -> None:
    described = {"gpt_description_prompt": "rain", "make_instrumental": True, "prompt": "", "seed": 3, "task_id": "x"}
    there = translated(WEB, GOAMZ, described)
    wanted = {"prompt": "", "gpt_description_prompt": "rain", "make_instrumental": True}
    assert there == {"custom_mode": False, "mv": "chirp-v3-5", "input": wanted}
    assert translated(TASK, WEB, described) == {**wanted, "mv": "chirp-v3-0"}
    # What its mode has no use for, GoAmzAI's format leaves out.
    body = {"custom_mode": False, "input": {**OWN, "gpt_description_prompt": "rain"}}
    assert translated(GOAMZ, WEB, body) == {"prompt": "", "gpt_description_prompt": "rain", "mv": "chirp-v4"}


@pytest.mark.parametrize(
    ("path", "mv"),
    [
        ("/suno/v1/v3.5/music", "chirp-v3-5"),
        ("/suno/v1/mv-5/music", "chirp-crow"),
        ("/suno/v1/mv-auk/music", "chirp-auk"),
    ],
)
def test_the_version_in_the_path_counts(path: str, mv: str) -> None:
    flat = {"prompt": "la", "tags": "folk", "mv": "chirp-v4"}
    assert translated(GOAMZ, WEB, flat, path) == {**flat, "mv": mv}
    assert translated(GOAMZ, TASK, {**flat, "mv": "chirp-v3.0"}) == {**flat, "mv": "chirp-v3-0"}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"task": "cover", "cover_clip_id": "c"}, "task"),
        ({"negative_tags": "rap"}, "negative_tags"),
        ({"persona_id": "p"}, "persona_id"),
        ({"gpt_description_prompt": "x", "continue_clip_id": "c"}, "continue_clip_id"),
    ],
)
def test_what_goamz_has_no_word_for(more: dict[str, Any], field: str) -> None:
    for source in (WEB, TASK):
        with pytest.raises(Failure) as fault:
            translated(source, GOAMZ, {**OWN, **more})
        assert (fault.value.kind, fault.value.param) == (Reason.INVALID, field)
        assert translated(source, TASK if source == WEB else WEB, {**OWN, **more}) == {**OWN, **more}
    plain = {**OWN, "task": "extend", "generation_type": "TEXT", "continue_clip_id": "c", "infill_start_s": None}
    assert translated(WEB, GOAMZ, plain)["input"]["continue_clip_id"] == "c"


def test_what_is_joined_and_words() -> None:
    section = {"clip_id": "c", "is_infill": True}
    assert translated("suno.concat", "suno_tasks.submit.concat", section) == section
    with pytest.raises(Failure, match="is_infill"):
        translated("suno.concat", "suno_goamz.concat", section)
    assert translated("suno_tasks.submit.concat", "suno_goamz.concat", {"clip_id": "c"}) == {"clip_id": "c"}
    assert translated("suno.lyrics", "suno_tasks.submit.lyrics", {"prompt": "rain"}) == {"prompt": "rain"}


@pytest.mark.parametrize(
    ("said", "status", "reason", "message"),
    [
        ({"detail": "no such clip"}, 400, Reason.INVALID, "no such clip"),
        ({"code": "task_not_exist", "message": "gone", "data": None}, 400, Reason.INVALID, "gone"),
        ({"error": {"message": "busy", "type": "x"}}, 429, Reason.RATE_LIMITED, "busy"),
        ({"code": 500, "message": "oops"}, 500, Reason.UPSTREAM, "oops"),
        ([], 503, Reason.UNAVAILABLE, "The upstream refused the request"),
    ],
)
def test_refusals(said: Any, status: int, reason: Reason, message: str) -> None:
    fault = suno.error(answered(said, status))
    assert (fault.kind, fault.message) == (reason, message)


def test_its_bodies_are_what_the_targets_declare() -> None:
    routes = {f"{protocol.name}.{each.name}": each for protocol in PROTOCOLS.values() for each in protocol.operations}
    for source, body in ((WEB, OWN), (TASK, OWN), (GOAMZ, {"custom_mode": True, "input": OWN})):
        for target in {WEB, TASK, GOAMZ} - {source}:
            declared = routes[target]
            assert declared.body is not None
            msgspec.convert(translated(source, target, body), declared.body)
