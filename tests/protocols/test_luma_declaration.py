"""Luma's declarations, relays' and published, against the samples of their documents."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Facts, Failure, Hook, Refused, Result, State, Task, UpstreamCall, Usage
from deeepai.money.prices import PriceBook
from deeepai.protocols.dream_machine import SUBMISSIONS, dream_machine
from deeepai.protocols.luma import luma
from deeepai.protocols.luma_goamz import luma_goamz
from tests.protocols.plain import PlainLinks, PlainRequest, answered, asked, operation, sent_on

THEIRS, OURS = "45e3d6dd-8d93-4f4a-9c4b-3a5b3f3c9f01", "11111111-2222-4333-8444-555555555555"
FILM = operation(luma, "generations")
RULES, FACE = FILM.job.rules, FILM.job.face
FACTS = Facts(model="ray-v1", requested_model="ray-v1")
PENDING: dict[str, Any] = {
    "id": THEIRS,
    "prompt": "a fox in snow",
    "state": "pending",
    "queue_state": None,
    "created_at": "2024-07-02T09:12:33.118Z",
    "batch_id": "",
    "video": None,
    "video_raw": None,
    "liked": None,
    "estimate_wait_seconds": None,
    "thumbnail": None,
    "last_frame": None,
}
URL = "https://storage.example"
DONE: dict[str, Any] = {
    **PENDING,
    "user_id": "u1",
    "state": "completed",
    "request": {"prompt": "a fox in snow", "aspect_ratio": "16:9"},
    "video": {"url": f"{URL}/w.mp4", "width": 1360, "thumbnail": f"{URL}/t.jpg", "download_url": f"{URL}/raw.mp4"},
    "video_raw": {"url": f"{URL}/raw.mp4", "width": 1360, "height": 752, "duration": 5.04},
    "thumbnail": {"url": f"{URL}/t.jpg", "width": 1360, "height": 752, "palette": None, "media_type": "image"},
    "last_frame": {"url": f"{URL}/l.jpg", "width": 1360, "height": 752},
    "artifact": {"video": {"url": f"{URL}/other.mp4"}, "created_at": "2024-07-02T09:14:20Z"},
}


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {
        "id": OURS,
        "operation": "luma.generations",
        "model": "ray-v1",
        "upstream_id": THEIRS,
        "request": {"user_prompt": "a fox in snow"},
        "submitted_at": 1719911553118,
    }
    return Task(state=state, **{**known, **changes})


def cost(declared: Any, body: Any, **params: str) -> int:
    request = asked(declared, body, params=params)
    key = declared.price(request) if declared.price is not None else declared.model(request)
    usage = declared.estimate(request) if declared.estimate is not None else Usage(calls=1)
    return PriceBook.shipped().cost_of_call(key, usage)


# Relays ------------------------------------------------------------------------------------------------------------


def test_rows_and_lines() -> None:
    assert {row for item in luma.operations for row in item.rows} == {117, 118, 119, 120}
    assert {row for item in luma_goamz.operations for row in item.rows} == {113, 114, 115, 116}
    assert set(luma.prefixes) == set(luma_goamz.prefixes) == {"", "/pro", "/vip"}
    body = {"user_prompt": "x", "model_name": "ray-v2"}
    assert FILM.model(asked(FILM, body)) == "ray-v2"
    assert FILM.model(asked(FILM, body, params={"line": "pro"})) == "ray-v2-pro"
    assert FILM.model(asked(FILM, {**body, "model_name": "ray-v2-pro"}, params={"line": "pro"})) == "ray-v2-pro"
    assert FILM.model(asked(FILM, {"prompt": "x", "model": "ray-2"})) == "ray-2"


@pytest.mark.parametrize(
    ("body", "params", "usd"),
    [
        ({"duration": "5s"}, {}, 0.4),
        ({"model_name": "ray-v2"}, {}, 0.71),
        ({"model_name": "ray-v2", "duration": 9, "resolution": "540p"}, {}, 0.72),
        ({"model_name": "ray-v2", "duration": "9", "resolution": "1080p"}, {"line": "pro"}, 3.59),
        ({}, {"line": "pro"}, 0.5),
    ],
)
def test_prices_of_relays(body: dict[str, Any], params: dict[str, str], usd: float) -> None:
    assert cost(FILM, {"user_prompt": "x", **body}, **params) == round(usd * 10**9)


def test_what_a_relay_is_sent() -> None:
    published = {"prompt": "x", "model": "ray-v2", "notify_hook": "https://caller/hook", "expand_prompt": "true"}
    facts = Facts(model="ray-v2-pro", requested_model="ray-v2-pro", hook_url="https://gw/hooks/1")
    sent = {"user_prompt": "x", "model_name": "ray-v2", "notify_hook": "https://gw/hooks/1", "expand_prompt": True}
    assert sent_on(FILM, published, facts) == sent
    plain = {"user_prompt": "x", "model_name": "ray-v1", "extra": 1}
    assert sent_on(FILM, plain, FACTS) == plain
    assert sent_on(FILM, {"image_url": "https://a/b.png"}, FACTS)["user_prompt"] == ""
    assert FACE.hook(asked(FILM, published)) == Hook("https://caller/hook", None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_prompt": ""},
        {"user_prompt": "x", "duration": "6s"},
        {"user_prompt": "x", "resolution": "4k"},
        {"user_prompt": 1},
    ],
)
def test_what_is_no_film(body: dict[str, Any]) -> None:
    with pytest.raises((Failure, msgspec.ValidationError)):
        asked(FILM, body)


def test_a_submission_s_answer_is_an_object_or_a_list_of_one() -> None:
    request = asked(FILM, {"user_prompt": "x"})
    for answer in (PENDING, [PENDING]):
        accepted = RULES.accept(answered(answer), request)
        assert isinstance(accepted, Accepted)
        assert accepted.upstream_id == THEIRS
    assert RULES.accept(answered({"error": {"message": "no"}}, 429), request) == Refused(True)
    assert RULES.accept(answered({"detail": "no"}, 400), request) == Refused(False)
    assert RULES.accept(answered([PENDING, PENDING]), request) == Refused(False)


def test_the_film_without_the_mark_is_asked_for_where_it_is_not_told() -> None:
    marked = {**DONE, "video": {"url": f"{URL}/w.mp4"}}
    first = RULES.read(answered(marked), task())
    assert (first.state, first.results) == (State.RUNNING, ())
    waiting = task(snapshot=marked)
    assert RULES.poll(waiting) == UpstreamCall(f"/luma/generations/{THEIRS}/download_video_url")
    last = RULES.read(answered({"url": f"{URL}/clean.mp4"}), waiting)
    assert (last.state, last.results[0]) == (State.SUCCEEDED, Result(f"{URL}/clean.mp4", role="video"))
    assert last.snapshot["video"]["download_url"] == f"{URL}/clean.mp4"
    # Where it cannot be had, the marked one is what there is.
    refused = answered({"error": {"message": "none"}}, 404)
    assert RULES.ends(refused)
    assert RULES.read(refused, waiting).results[0].url == f"{URL}/w.mp4"
    assert RULES.read(refused, task()).state is State.NOT_FOUND
    # Of a task of another protocol's no more is kept than its files' roles.
    assert RULES.read(answered(marked), task(snapshot={"roles": []})).state is State.SUCCEEDED
    goamz = operation(luma_goamz, "generations").job.rules
    assert goamz.poll(waiting) == UpstreamCall(f"/luma/v1/generations/{THEIRS}")
    assert goamz.read(answered(marked), task()).results[0].url == f"{URL}/w.mp4"


def test_a_film_as_callers_see_it() -> None:
    status = RULES.read(answered(DONE), task())
    assert [(result.role, result.url) for result in status.results] == [
        ("video", f"{URL}/raw.mp4"),
        ("watermark", f"{URL}/w.mp4"),
        ("cover", f"{URL}/t.jpg"),
        ("last_frame", f"{URL}/l.jpg"),
    ]
    body = FACE.render(task(State.SUCCEEDED, snapshot=DONE, results=4), PlainLinks()).body
    links = [PlainLinks().asset(task(), number) for number in range(4)]
    assert (body["id"], body["video"]["download_url"], body["video"]["url"]) == (OURS, links[0], links[1])
    assert (body["video_raw"]["url"], body["thumbnail"]["url"]) == (links[0], links[2])
    assert "user_id" not in body
    assert "storage.example" not in msgspec.json.encode(body).decode()
    own = FACE.submitted(task(State.QUEUED), PlainLinks()).body
    assert own == {**PENDING, "id": OURS}
    failed = FACE.render(task(State.FAILED, error="no capacity"), PlainLinks()).body
    assert (failed["state"], failed["failure_reason"], failed["video"]) == ("failed", "no capacity", None)


def test_an_extension_goes_below_the_upstream_s_film() -> None:
    for protocol, place in ((luma, "/luma"), (luma_goamz, "/luma/v1")):
        extend = operation(protocol, "extend")
        request = asked(extend, {"user_prompt": "on", "duration": "9s"}, params={"id": OURS})
        assert extend.origin.ids(request) == (OURS,)
        facts = Facts(model="ray-v1", requested_model="ray-v1", named={OURS: THEIRS})
        assert extend.upstream_path(request, facts) == f"{place}/generations/{THEIRS}/extend"
        model, usage = extend.inherit(request, task(State.SUCCEEDED, model="ray-v2-pro"))
        assert (model, usage.params["duration"]) == ("ray-v2-pro", "9s")
        with pytest.raises(Failure, match="not completed"):
            extend.origin.check(request, task(State.FAILED))


# The published API -------------------------------------------------------------------------------------------------

VIDEO = operation(dream_machine, "generations.video")
GENERATION: dict[str, Any] = {
    "id": THEIRS,
    "generation_type": "video",
    "state": "completed",
    "failure_reason": None,
    "created_at": "2025-02-10T10:00:00Z",
    "model": "ray-2",
    "assets": {"video": f"{URL}/v.mp4", "image": f"{URL}/p.jpg", "progress_video": None},
    "request": {
        "model": "ray-2",
        "prompt": "a fox",
        "keyframes": {"frame0": {"type": "generation", "id": "theirs-0"}},
        "callback_url": "https://gw/hooks/1",
    },
}


@pytest.mark.parametrize("declared", SUBMISSIONS, ids=lambda declared: declared.name)
def test_each_example_has_a_price(declared: Any) -> None:
    request = asked(declared, declared.example, params={"id": OURS})
    if declared.inherit is not None:
        _, usage = declared.inherit(request, task(State.SUCCEEDED))
        assert PriceBook.shipped().cost_of_call(declared.price(request), usage)
    else:
        assert cost(declared, declared.example)


@pytest.mark.parametrize(
    ("body", "usd"),
    [
        ({"model": "ray-2"}, 0.71),
        ({"model": "ray-v2-pro", "duration": "9s"}, 1.28),
        ({"model": "ray-2", "duration": "9s", "resolution": "4k"}, 11.47),
        ({"model": "ray-flash-2", "resolution": "540p"}, 0.14),
    ],
)
def test_prices_of_the_published_api(body: dict[str, Any], usd: float) -> None:
    assert cost(VIDEO, {"prompt": "a fox", **body}) == round(usd * 10**9)


def test_generations_are_named_as_the_upstream_does() -> None:
    frames = {name: {"type": "generation", "id": f"ours-{name}"} for name in ("frame0", "frame1")}
    body = {"model": "ray-2", "keyframes": frames}
    assert VIDEO.origin.ids(asked(VIDEO, body)) == ["ours-frame0", "ours-frame1"]
    facts = Facts(model="ray-2", requested_model="ray-2", named={f"ours-{name}": f"their-{name}" for name in frames})
    sent = {name: {"type": "generation", "id": f"their-{name}"} for name in frames}
    assert sent_on(VIDEO, body, facts) == {**body, "keyframes": sent}
    pictured = {"model": "ray-v1", "keyframes": {"frame0": {"type": "image", "url": "https://a/b.png"}, "frame1": None}}
    facts = Facts(model="ray-v1", requested_model="ray-v1")
    assert VIDEO.origin.ids(asked(VIDEO, pictured)) == []
    assert sent_on(VIDEO, pictured, facts) == {**pictured, "model": "ray-2"}
    with pytest.raises(Failure, match="not completed"):
        VIDEO.origin.check(PlainRequest(), task(State.RUNNING))


def test_a_generation_as_callers_see_it() -> None:
    face, rules = VIDEO.job.face, VIDEO.job.rules
    known = {"prompt": "a fox", "callback_url": "https://caller/hook", "keyframes.frame0.id": "ours-0"}
    done = task(State.SUCCEEDED, operation="dream_machine.generations.video", snapshot=GENERATION, results=2)
    done.request, done.model = known, "ray-2"
    shown = face.render(done, PlainLinks()).body
    assert shown["id"] == OURS
    assert shown["request"]["callback_url"] == "https://caller/hook"
    assert shown["request"]["keyframes"]["frame0"]["id"] == "ours-0"
    assert shown["assets"]["video"] == PlainLinks().asset(done, 0)
    status = rules.read(answered(GENERATION), task())
    assert [result.role for result in status.results] == ["video", "cover"]
    queued = face.submitted(
        task(State.QUEUED, model="ray-2", operation="dream_machine.generations.image"), PlainLinks()
    )
    assert (queued.status, queued.body["generation_type"], queued.body["assets"]) == (201, "image", None)
    failed = {**GENERATION, "state": "failed", "failure_reason": "Frame moderation failed", "assets": None}
    assert rules.read(answered(failed), task()).error == "Frame moderation failed"
    assert rules.read(answered({**GENERATION, "state": "dreaming"}), task()).state is State.RUNNING


def test_a_picture_that_is_waited_for() -> None:
    image = operation(dream_machine, "generations.image")
    body = {"model": "photon-1", "prompt": "a fox", "sync": True, "sync_timeout": 7}
    assert image.wait(asked(image, body)) == 7
    assert image.wait(asked(image, {**body, "sync_timeout": 1e6})) == 300
    assert image.wait(asked(image, {"model": "photon-1", "prompt": "a fox", "sync": True})) == 60
    assert image.wait(asked(image, {"model": "photon-1", "prompt": "a fox"})) == 0
    assert sent_on(image, body, Facts(model="photon-1", requested_model="photon-1")) == {
        "model": "photon-1",
        "prompt": "a fox",
    }


@pytest.mark.parametrize(
    ("answer", "status", "blamed", "elsewhere"),
    [
        ({"detail": "Not authenticated"}, 401, True, True),
        ({"detail": "Insufficient credits"}, 400, True, True),
        ({"detail": "Prompt is required"}, 400, False, False),
        ({"detail": [{"loc": ["body"], "msg": "m", "type": "t"}]}, 422, False, False),
        ({"detail": "busy"}, 429, False, True),
    ],
)
def test_refusals_of_the_published_api(answer: Any, status: int, blamed: bool, elsewhere: bool) -> None:
    assert dream_machine.channel_fault(answered(answer, status)) is blamed
    request = asked(VIDEO, {"model": "ray-2", "prompt": "a fox"})
    assert VIDEO.job.rules.accept(answered(answer, status), request) == Refused(elsewhere)
