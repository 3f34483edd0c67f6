"""Viggle's declaration against the samples of the relays' documents."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Facts, Failure, Part, Refused, Result, State, Task, UpstreamCall, Usage
from deeepai.money.prices import PriceBook
from deeepai.protocols.common.films import film_seconds
from deeepai.protocols.viggle import SUBMISSIONS, library_ids, viggle
from deeepai.sandbox.media.draw import Picture
from deeepai.sandbox.media.video import film
from tests.protocols.plain import PlainLinks, PlainRequest, answered, asked, operation, sent_on

CREATE, MIX, MULTI = (operation(viggle, name) for name in ("video-task", "mix", "multi"))
RULES, FACE = CREATE.job.rules, CREATE.job.face
THEIRS, OURS = "7d0f1a2b-3c4d-4e5f-9a51-0d1f4b1d7a11", "11111111-2222-4333-8444-555555555555"
CREATED = {"code": 0, "message": "ok", "ts": "", "reason": "", "data": {"taskID": THEIRS, "mqType": 0}}
ITEM: dict[str, Any] = {
    "taskID": THEIRS,
    "name": "a.png",
    "status": 0,
    "image": {"id": "b7a1", "name": "a.png", "url": "https://assets.example/a.png?sig=1", "width": 768, "height": 1024},
    "videoDuration": 11.2,
    "bgMode": 2,
    "modelInfoID": 4,
    "optimize": False,
    "watermark": 1,
    "freeCredits": 0,
    "planCredits": 1,
    "purchasedCredits": 0,
    "mqType": 0,
    "result": "https://assets.example/result.mp4",
    "resultCover": "https://assets.example/cover.jpg",
    "createdAt": "2024-09-01T08:00:00Z",
}
BODY = {"imageID": "b7a1", "templateID": "t1", "videoID": "", "bgMode": 2, "modelInfoID": 4, "watermark": 1}


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {"id": OURS, "operation": "viggle.video-task", "model": "viggle-v3-beta"}
    return Task(state=state, **{**known, "upstream_id": THEIRS, "submitted_at": 1725177600000, **changes})


def polled(**changes: Any) -> Any:
    return RULES.read(answered({**CREATED, "data": [{**ITEM, **changes}]}), task())


def shown(seen: Task) -> Any:
    return FACE.render(seen, PlainLinks()).body["data"]


def test_a_submission_is_taken_or_refused() -> None:
    assert RULES.accept(answered(CREATED), asked(CREATE, BODY)) == Accepted(THEIRS)
    refused = {"code": 1001, "message": "no credits", "ts": "", "reason": "no credits", "data": None}
    assert RULES.accept(answered(refused), asked(CREATE, BODY)) == Refused(False, True)
    assert RULES.accept(answered({"error": {"message": "busy"}}, 429), asked(CREATE, BODY)) == Refused(True, False)
    assert FACE.submitted(task(), PlainLinks()).body == {**CREATED, "data": {"taskID": OURS, "mqType": 0}}


def test_tasks_are_asked_for_where_they_were_made() -> None:
    assert RULES.poll(task()) == UpstreamCall("/viggle/video-task/by-ids", "POST", {"ids": [THEIRS]})
    assert RULES.poll(task(params={"plan": "pro"})).path == "/pro/viggle/video-task/by-ids"
    (better,) = {each.upstream_path(PlainRequest(params={"plan": "pro"}), None) for each in (CREATE,)}
    assert better == "/pro/viggle/video-task"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, State.SUCCEEDED),
        ({"result": ""}, State.RUNNING),
        ({"status": 1, "result": ""}, State.QUEUED),
        ({"status": 2, "result": ""}, State.RUNNING),
        ({"status": 3, "result": ""}, State.FAILED),
        ({"status": 77, "result": ""}, State.RUNNING),
    ],
)
def test_zero_with_a_file_is_the_good_end(changes: dict[str, Any], state: State) -> None:
    assert polled(**changes).state is state


def test_what_a_finished_task_tells() -> None:
    done = polled()
    assert done.results == (
        Result(ITEM["result"], role="video"),
        Result(ITEM["resultCover"], optional=True, role="cover"),
    )
    assert done.usage == Usage(calls=1, seconds=12.0, basis="vendor")
    assert polled(videoDuration="?").usage is None
    failed = RULES.read(answered({**CREATED, "reason": "no face", "data": [{**ITEM, "status": 3}]}), task())
    assert (failed.state, failed.error, failed.usage) == (State.FAILED, "no face", None)
    assert RULES.read(answered({**CREATED, "data": []}), task()).state is State.NOT_FOUND
    assert RULES.read(answered({**CREATED, "code": 500, "data": None}), task()).state is State.RUNNING


def test_callers_see_our_ids_and_links_only() -> None:
    done = shown(task(State.SUCCEEDED, snapshot=polled().snapshot, results=2))
    assert (done["taskID"], done["status"]) == (OURS, 0)
    assert done["result"] == f"https://gw/assets/{OURS}/0?sig=1"
    assert done["resultCover"] == f"https://gw/assets/{OURS}/1?sig=1"
    assert "assets.example" not in msgspec.json.encode(done).decode()
    assert done["videoDuration"] == 11.2
    running = shown(task(State.RUNNING, snapshot=polled(status=2, result="").snapshot))
    assert (running["taskID"], running["status"], running["result"]) == (OURS, 2, "")
    waiting = shown(task(State.SUBMITTING))
    assert (waiting["taskID"], waiting["status"], waiting["result"]) == (OURS, 2, "")
    assert waiting["createdAt"] == "2024-09-01T08:00:00Z"
    gone = shown(task(State.FAILED, error="given up"))
    assert (gone["status"], gone["reason"], gone["result"]) == (3, "given up", "")


def test_a_body_leaves_as_it_came_but_for_the_callback() -> None:
    facts = Facts(model="viggle-v3-beta", requested_model="viggle-v3-beta", hook_url="https://gw/hooks/1")
    assert sent_on(CREATE, BODY, facts) == {**BODY, "callback_url": "https://gw/hooks/1"}
    called = {**BODY, "callback_url": "https://caller.example/"}
    assert sent_on(CREATE, called, facts)["callback_url"] == "https://gw/hooks/1"
    no_hook = Facts(model="viggle-v3-beta", requested_model="viggle-v3-beta")
    assert sent_on(CREATE, called, no_hook) == BODY
    assert RULES.hook_in({"taskID": THEIRS}) is None
    assert RULES.hook_in({"data": {"taskID": THEIRS}}) == THEIRS


def test_what_of_the_library_is_named() -> None:
    assert library_ids(asked(CREATE, {**BODY, "videoID": "v1"})) == ["b7a1", "v1"]
    assert library_ids(asked(MULTI, {"imageIDs": ["a", "b"], "templateID": "3"})) == ["a", "b"]
    assert library_ids(asked(MULTI, {"imageIDs": '["a"]', "templateID": "3"})) == ["a"]
    upload = operation(viggle, "asset.video.of-image")
    assert library_ids(PlainRequest(upload.path, params={"imageID": "b7a1"})) == ["b7a1"]
    with pytest.raises(Failure):
        asked(MULTI, {"imageIDs": "[1]", "templateID": "3"})


@pytest.mark.parametrize("plan", ["", "pro"])
@pytest.mark.parametrize("model", [2, 3, 4])
def test_every_model_has_a_price_by_started_seconds(plan: str, model: int) -> None:
    request = asked(CREATE, {**BODY, "modelInfoID": model}, params={"plan": plan} if plan else {})
    name = CREATE.model(request)
    assert ("pro" in name) == bool(plan)
    eleven = Usage(calls=1, seconds=11.0)
    assert PriceBook.shipped().cost_of_call(name, eleven) == (220_000_000 if plan else 110_000_000)
    assert {each.model for each in SUBMISSIONS} == {CREATE.model}


def test_what_is_held_follows_the_video_that_comes_with_it() -> None:
    def estimated(data: bytes) -> float:
        part = Part("video", memoryview(data), "d.mp4", "video/mp4")
        body = msgspec.convert({"imageURL": "https://example.com/a.png"}, MIX.body)
        return MIX.estimate(PlainRequest(MIX.path, body=body, parts=[part])).seconds

    dance = film(Picture(64, 64, "dance", b"dance"), 7.2)
    assert film_seconds(Part("video", memoryview(dance))) == pytest.approx(7.2, abs=0.01)
    assert estimated(dance) == 8
    assert estimated(b"no film") == estimated(b"") == estimated(b"mvhd") == 30
    assert CREATE.estimate(asked(CREATE, BODY)).seconds == 30
