"""Runway's declarations, three formats of them, against the samples of their documents."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Facts, Failure, Made, Refused, State, Task, UpstreamCall, Usage
from deeepai.money.prices import PriceBook
from deeepai.protocols.runway import runway
from deeepai.protocols.runway_web import runway_web
from deeepai.protocols.runwayml import SUBMISSIONS, runwayml
from tests.protocols.plain import PlainLinks, answered, asked, operation, sent_on

THEIRS, OURS = "17f20503-6c24-4c16-946b-35dbbce2af2f", "11111111-2222-4333-8444-555555555555"
FOX, FILE = "https://example.com/fox.png", "https://storage.example/v.mp4"


def task(operation_name: str, state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {"id": OURS, "operation": operation_name, "model": "gen4_turbo", "upstream_id": THEIRS}
    return Task(state=state, **{**known, "submitted_at": 1719517772335, **changes})


def cost(declared: Any, body: Any) -> int:
    request = asked(declared, body)
    key = declared.price(request) if declared.price is not None else declared.model(request)
    return PriceBook.shipped().cost_of_call(key, declared.estimate(request))


# The published API -------------------------------------------------------------------------------------------------

FILM = operation(runwayml, "image_to_video")
RULES, FACE = FILM.job.rules, FILM.job.face
NAME = "runwayml.image_to_video"
TOLD = {"id": THEIRS, "createdAt": "2024-06-27T19:49:32.335Z"}
RUNNING = {**TOLD, "status": "RUNNING", "progress": 0.275, "estimatedCost": {"credits": 25}}
DONE = {**TOLD, "status": "SUCCEEDED", "output": [f"{FILE}?_jwt=x"], "cost": {"credits": 30}}


@pytest.mark.parametrize("declared", SUBMISSIONS, ids=lambda declared: declared.name)
def test_each_example_has_a_price_and_is_found(declared: Any) -> None:
    assert cost(declared, declared.example)
    accepted = declared.job.rules.accept(answered({"id": THEIRS}), asked(declared, declared.example))
    assert isinstance(accepted, Accepted)
    assert declared.job.rules.poll(task(f"runwayml.{declared.name}")) == UpstreamCall(f"/v1/tasks/{THEIRS}")
    stop = UpstreamCall(f"/v1/tasks/{THEIRS}", "DELETE")
    assert declared.job.rules.cancel(task("x")) == declared.job.rules.discard(task("x")) == stop


@pytest.mark.parametrize(
    ("name", "body", "usd"),
    [
        ("image_to_video", {"model": "gen4_turbo", "promptImage": FOX, "duration": 10}, 0.5),
        ("image_to_video", {"model": "gen3a_turbo", "promptImage": FOX}, 0.5),
        ("image_to_video", {"model": "gen3", "promptImage": FOX, "duration": 5}, 0.25),
        ("text_to_video", {"model": "europa", "promptText": "x", "ratio": "1280:720", "duration": 5}, 0.6),
        ("text_to_video", {"model": "veo3.1", "promptText": "x", "ratio": "1280:720", "duration": 4}, 1.6),
        ("text_to_video", {"model": "veo3.1", "promptText": "x", "ratio": "1280:720", "audio": False}, 1.6),
        ("text_to_image", {"model": "gen4_image", "promptText": "x", "ratio": "720:720"}, 0.05),
        ("text_to_image", {"model": "gen4_image", "promptText": "x", "ratio": "1920:1080"}, 0.08),
    ],
)
def test_prices(name: str, body: dict[str, Any], usd: float) -> None:
    assert cost(operation(runwayml, name), body) == round(usd * 10**9)


def test_models_of_other_formats_are_those_of_today() -> None:
    text = operation(runwayml, "text_to_video")
    for declared, body, today in (
        (FILM, {"model": "gen3", "promptImage": FOX}, "gen4_turbo"),
        (text, {"model": "gen3", "promptText": "x", "ratio": "1280:720"}, "gen4.5"),
        (text, {"model": "gen4.5", "promptText": "x", "ratio": "1280:720"}, "gen4.5"),
    ):
        facts = Facts(model=body["model"], requested_model=body["model"])
        assert sent_on(declared, body, facts) == {**body, "model": today}


def test_uploads_are_found_wherever_they_are_named() -> None:
    frames = [{"uri": "runway://one", "position": "first"}, {"uri": FOX, "position": "last"}]
    body = {"model": "gen4_turbo", "promptImage": frames, "more": {"deep": "runway://two"}}
    assert FILM.uses(asked(FILM, body)) == ["runway://one", "runway://two"]
    assert FILM.uses(asked(FILM, {"model": "gen4_turbo", "promptImage": FOX})) == ()
    uploads = operation(runwayml, "uploads")
    request = asked(uploads, {"filename": "fox.png"})
    made = [Made("runway://one", "upload")]
    assert uploads.objects.makes(request, {"uploadUrl": "u", "fields": {}, "runwayUri": "runway://one"}) == made
    assert uploads.objects.makes(request, {"error": "no"}) == []


def test_the_version_goes_with_everything() -> None:
    head = {"authorization": "Bearer key", "x-runway-version": "2024-11-06"}
    assert runwayml.authorize("key") == head
    assert "x-runway-version" in runwayml.forward_headers


def test_a_task_as_callers_see_it() -> None:
    running = RULES.read(answered(RUNNING), task(NAME))
    assert (running.state, running.progress) == (State.RUNNING, 28)
    assert RULES.read(answered({**TOLD, "status": "THROTTLED"}), task(NAME)).state is State.QUEUED
    estimate = Usage(calls=1, seconds=5.0)
    done = RULES.read(answered(DONE), task(NAME, estimate=estimate))
    assert [result.url for result in done.results] == DONE["output"]
    assert done.usage is not None
    assert (done.usage.cost, done.usage.seconds, done.usage.basis) == (300_000_000, 5.0, "vendor")
    for credits in (None, "much", -1):
        odd = {**DONE, "cost": {"credits": credits}}
        assert RULES.read(answered(odd), task(NAME)).usage is None
    shown = FACE.render(task(NAME, State.SUCCEEDED, snapshot=DONE, results=1), PlainLinks()).body
    assert shown == {**DONE, "id": OURS, "output": [PlainLinks().asset(task(NAME))]}
    created = FACE.submitted(task(NAME, State.QUEUED, facts={"estimatedCost": {"credits": 25}}), PlainLinks()).body
    assert created == {"id": OURS, "estimatedCost": {"credits": 25}}
    own = FACE.render(task(NAME, State.QUEUED, facts={"estimatedCost": {"credits": 25}}), PlainLinks()).body
    assert own == {
        "id": OURS,
        "status": "PENDING",
        "createdAt": "2024-06-27T19:49:32.335Z",
        "estimatedCost": {"credits": 25},
    }
    given_up = FACE.render(task(NAME, State.FAILED, error="timed out"), PlainLinks()).body
    assert (given_up["failure"], given_up["failureCode"]) == ("timed out", "INTERNAL")


@pytest.mark.parametrize("snapshot", [None, {**TOLD, "status": "CANCELLED", "cost": {"credits": 0}}])
def test_a_task_that_was_stopped_is_told_of_as_one_that_failed(snapshot: Any) -> None:
    if snapshot is not None:
        assert RULES.read(answered(snapshot), task(NAME)).state is State.CANCELLED
    shown = FACE.render(task(NAME, State.CANCELLED, snapshot=snapshot), PlainLinks()).body
    assert (shown["status"], shown["failure"]) == ("FAILED", "The task was cancelled")


@pytest.mark.parametrize(
    ("answer", "status", "blamed", "elsewhere"),
    [
        ({"error": "bad key"}, 401, True, True),
        ({"error": "You do not have enough credits to run this task."}, 400, True, True),
        ({"error": "Validation of body failed", "issues": []}, 400, False, False),
        ({"error": "too many"}, 429, False, True),
    ],
)
def test_refusals(answer: Any, status: int, blamed: bool, elsewhere: bool) -> None:
    assert runwayml.channel_fault(answered(answer, status)) is blamed
    request = asked(FILM, {"model": "gen4_turbo", "promptImage": FOX})
    assert RULES.accept(answered(answer, status), request) == Refused(elsewhere)


# Tasks -------------------------------------------------------------------------------------------------------------

TASK = operation(runway, "tasks")
SENT = {"taskType": "europa", "options": {"text_prompt": "x", "seconds": 5, "name": "n"}}
WEB: dict[str, Any] = {
    "task": {
        "id": THEIRS,
        "name": "Gen-3 Alpha 3914885184",
        "createdAt": "2024-07-27T01:16:12.096Z",
        "taskType": "gen3a",
        "options": {"seconds": 5, "extended_from_task_id": "theirs-0"},
        "status": "SUCCEEDED",
        "error": None,
        "progressText": None,
        "progressRatio": "1",
        "artifacts": [{"id": "a", "url": FILE, "userId": 7, "previewUrls": ["https://storage.example/p.jpg"]}],
    }
}


def test_prices_of_tasks() -> None:
    assert cost(TASK, SENT) == 500_000_000
    slow = {"taskType": "europa", "options": {"text_prompt": "x", "seconds": 5, "exploreMode": True}}
    assert cost(TASK, slow) == 66_500_000
    assert cost(TASK, {"taskType": "gen2", "options": {"gen2Options": {}}}) == 200_000_000
    assert cost(TASK, {"promptText": "x", "promptImage": FOX, "duration": 5}) == 250_000_000


def test_an_extended_task_is_named_as_the_upstream_does() -> None:
    body = {"taskType": "europa", "options": {"seconds": 5, "extended_from_task_id": OURS, "init_video": FILE}}
    assert TASK.origin.ids(asked(TASK, body)) == [OURS]
    facts = Facts(model="gen3a", requested_model="europa", named={OURS: THEIRS})
    options = {**body["options"], "extended_from_task_id": THEIRS}  # type: ignore[dict-item]
    assert sent_on(TASK, body, facts) == {"taskType": "gen3a", "options": options}
    assert sent_on(TASK, SENT, Facts(model="europa", requested_model="europa")) == SENT


@pytest.mark.parametrize(
    "body", [{}, {"taskType": "europa"}, {"taskType": "europa", "options": {"text_prompt": "x"}}, {"options": 7}]
)
def test_what_is_no_task(body: Any) -> None:
    with pytest.raises((Failure, msgspec.ValidationError)):
        asked(TASK, body)


def test_a_web_task_as_callers_see_it() -> None:
    rules, face, name = TASK.job.rules, TASK.job.face, "runway.tasks"
    status = rules.read(answered(WEB), task(name))
    assert (status.state, [result.url for result in status.results]) == (State.SUCCEEDED, [FILE])
    known = {"options.text_prompt": "x", "options.extended_from_task_id": "ours-0"}
    shown = face.render(task(name, State.SUCCEEDED, snapshot=WEB, results=1, request=known), PlainLinks()).body["task"]
    assert (shown["id"], shown["options"]["extended_from_task_id"]) == (OURS, "ours-0")
    assert shown["artifacts"][0]["url"] == PlainLinks().asset(task(name))
    assert "storage.example" not in msgspec.json.encode(shown).decode()
    own = face.render(task(name, State.SUCCEEDED, results=1, snapshot={"roles": ["video"]}), PlainLinks()).body["task"]
    assert (own["status"], own["artifacts"][0]["url"]) == ("SUCCEEDED", PlainLinks().asset(task(name)))
    half = {"task": {**WEB["task"], "status": "RUNNING", "progressRatio": "0.5", "artifacts": []}}
    assert rules.read(answered(half), task(name)).progress == 50
    lost = {"task": {**WEB["task"], "status": "FAILED", "progressText": "no faces", "artifacts": []}}
    assert rules.read(answered(lost), task(name)).error == "no faces"
    stopped = face.render(task(name, State.CANCELLED), PlainLinks()).body["task"]
    assert (stopped["status"], stopped["progressText"]) == ("FAILED", "The task was cancelled")


# The older format --------------------------------------------------------------------------------------------------

OLDER = operation(runway_web, "generate")
FEED: dict[str, Any] = {
    "code": 200,
    "msg": "成功",
    "exec_time": 0.028943,
    "data": {
        "task_id": THEIRS,
        "state": "succeeded",
        "status": "3",
        "prompt": "一只小猫",
        "video_url": FILE,
        "raw_video_url": "https://storage.example/raw.mp4",
        "poster": "https://storage.example/first.png",
        "last_frame": "https://storage.example/last.png",
        "msg": None,
    },
}
WRAPPED: dict[str, Any] = {
    "code": "success",
    "message": "",
    "data": {"task_id": THEIRS, "action": "IMAGE_TO_VIDEO", "status": "SUCCESS", "progress": "100%"},
}
WRAPPED["data"]["data"] = {"id": THEIRS, "status": "SUCCEEDED", "output": [FILE]}


def test_the_older_format() -> None:
    rules, face, name = OLDER.job.rules, OLDER.job.face, "runway_web.generate"
    assert rules.poll(task(name)) == UpstreamCall("/runway/v1/feed", "POST", json={"task_id": THEIRS})
    status = rules.read(answered(FEED), task(name))
    assert [result.role for result in status.results] == ["video", "cover", "last_frame"]
    done = task(name, State.SUCCEEDED, snapshot=FEED, results=3)
    data = face.render(done, PlainLinks()).body["data"]
    assert (data["task_id"], data["video_url"]) == (OURS, PlainLinks().asset(done))
    assert "storage.example" not in msgspec.json.encode(data).decode()
    failed = {**FEED, "data": {**FEED["data"], "status": "2", "state": "error", "msg": "no", "video_url": None}}
    assert (rules.read(answered(failed), task(name)).state, rules.read(answered(failed), task(name)).error) == (
        State.FAILED,
        "no",
    )
    gone = {"code": "task_not_exist", "msg": "x", "data": None}
    assert rules.read(answered(gone), task(name)).state is State.NOT_FOUND
    assert face.submitted(task(name, State.QUEUED), PlainLinks()).body["data"] == {"task_id": OURS}


def test_another_envelope_is_read_and_never_shown() -> None:
    rules, face, name = OLDER.job.rules, OLDER.job.face, "runway_web.generate"
    status = rules.read(answered(WRAPPED), task(name))
    assert (status.state, [result.url for result in status.results]) == (State.SUCCEEDED, [FILE])
    snapshot = {**WRAPPED, "roles": ["video"]}
    done = task(name, State.SUCCEEDED, snapshot=snapshot, results=1, request={"prompt": "x"})
    shown = face.render(done, PlainLinks()).body
    assert (shown["code"], shown["data"]["status"], shown["data"]["state"]) == (200, "3", "succeeded")
    assert shown["data"]["video_url"] == PlainLinks().asset(done)


@pytest.mark.parametrize(
    ("answer", "status", "verdict", "blamed"),
    [
        ({"code": 400, "msg": "bad"}, 200, Refused(False, worded=True), False),
        ({"code": 429, "msg": "busy"}, 200, Refused(True, worded=True), False),
        ({"code": 401, "msg": "key"}, 200, Refused(True, worded=True), True),
        ({"code": 402, "msg": "points"}, 200, Refused(True, worded=True), True),
    ],
)
def test_refusals_of_the_older_format(answer: Any, status: int, verdict: Refused, blamed: bool) -> None:
    request = asked(OLDER, {"prompt": "x", "options": {"seconds": 5}})
    assert OLDER.job.rules.accept(answered(answer, status), request) == verdict
    assert runway_web.channel_fault(answered(answer, status)) is blamed


def test_prices_and_bodies_of_the_older_format() -> None:
    body = {"prompt": "x", "options": {"seconds": 5}}
    assert cost(OLDER, body) == 500_000_000
    assert cost(OLDER, {**body, "model": "gen2"}) == 250_000_000
    assert sent_on(OLDER, body, Facts(model="gen3", requested_model="gen3")) == body
    assert sent_on(OLDER, body, Facts(model="other", requested_model="gen3")) == {**body, "model": "other"}
    for wrong in ({**body, "options": {"motion_vector": {"x": 11}}}, {"prompt": ""}, {**body, "prompt": None}):
        with pytest.raises(msgspec.ValidationError):
            asked(OLDER, wrong)
