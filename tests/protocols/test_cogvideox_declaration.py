"""CogVideoX's declaration against the samples of the vendor's document."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Facts, Failure, Reason, Refused, Result, State, Task, UpstreamCall
from deeepai.protocols.cogvideox import cogvideox
from tests.protocols.plain import PlainLinks, answered, asked, operation, sent_on

GENERATE = operation(cogvideox, "videos.generations")
RULES, FACE = GENERATE.job.rules, GENERATE.job.face
THEIRS = "8868902201637896192-9077604456113447"
OURS = "1700000000000000001-0000000000000017"
ACCEPTED = {"id": THEIRS, "request_id": THEIRS[:19], "model": "cogvideox-2", "task_status": "PROCESSING"}
DONE: dict[str, Any] = {
    "model": "cogvideox-2",
    "request_id": "8875817957674828620",
    "task_status": "SUCCESS",
    "video_result": [{"url": "https://vendor/f/0.mp4", "cover_image_url": "https://vendor/f/0.png"}],
}
NULLS = dict.fromkeys(("quality", "with_audio", "size", "fps", "duration", "request_id", "user_id", "image_url"))


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {
        "id": OURS,
        "operation": "cogvideox.videos.generations",
        "model": "cogvideox-2",
        "upstream_id": THEIRS,
        "request": {"request_id": None},
    }
    return Task(state=state, **{**known, **changes})


def test_paths() -> None:
    assert {item.name: item.path for item in cogvideox.operations} == {
        "videos.generations": "/cogvideox/v4/videos/generations",
        "async-result": "/cogvideox/v4/async-result/{id}",
        "async-results": "/cogvideox/v4/async-results",
    }
    for item in cogvideox.operations:
        rest = item.path.removeprefix("/cogvideox/v4")
        assert item.aliases == (f"/zhipu/api/paas/v4{rest}", f"/api/paas/v4{rest}")
    assert GENERATE.upstream_template == "/videos/generations"
    assert {row for item in cogvideox.operations for row in item.rows} == {121, 122}


def test_what_clients_send_goes_on() -> None:
    """The SDKs send null for what is not set."""
    body = {"model": "cogvideox-2", "prompt": "A cat", **NULLS}
    facts = Facts(model="cogvideox-2", requested_model="cogvideox-2", reference="req_1")
    assert GENERATE.model(asked(GENERATE, body)) == "cogvideox-2"
    assert sent_on(GENERATE, body, facts) == body
    frames = {"model": "cogvideox-3", "image_url": ["https://a/1.png", "https://a/2.png"], "request_id": "order-17"}
    renamed = Facts(model="video-3", requested_model="cogvideox-3", reference="req_1")
    assert sent_on(GENERATE, frames, renamed) == {**frames, "model": "video-3", "request_id": "req_1"}


@pytest.mark.parametrize("body", [{}, {"prompt": "", "image_url": None}, {"image_url": []}])
def test_words_or_a_picture(body: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="image_url is required"):
        asked(GENERATE, {"model": "cogvideox-2", **body})


def test_ids_look_like_the_vendor_s() -> None:
    assert re.fullmatch(r"\d{19}-\d{16}", FACE.new_id())
    assert FACE.new_id() != FACE.new_id()


@pytest.mark.parametrize(
    ("answer", "status", "verdict"),
    [
        (ACCEPTED, 200, Accepted(THEIRS)),
        ({"error": {"code": "1214", "message": "m"}}, 400, Refused()),
        ({"error": {"code": "1301", "message": "m"}}, 400, Refused()),
        ({"error": {"code": "1231", "message": "m"}}, 200, Refused(worded=True)),
        ({"error": {"code": "1113", "message": "m"}}, 429, Refused(retry_elsewhere=True)),
        ({"error": {"code": "1302", "message": "m"}}, 400, Refused(retry_elsewhere=True)),
        ({"error": {"code": "1002", "message": "m"}}, 401, Refused(retry_elsewhere=True)),
        ({"error": {"code": "500", "message": "m"}}, 503, Refused(retry_elsewhere=True)),
        ({"error": {"code": {"odd": 1}}}, 400, Refused()),
    ],
)
def test_acceptance(answer: Any, status: int, verdict: Accepted | Refused) -> None:
    request = asked(GENERATE, {"model": "cogvideox-2", "prompt": "A cat"})
    assert RULES.accept(answered(answer, status), request) == verdict


@pytest.mark.parametrize(
    ("answer", "status", "blamed"),
    [
        ({"error": {"code": "1113"}}, 429, True),
        ({"error": {"code": "1000"}}, 401, True),
        ({"error": {"code": "1302"}}, 429, False),
        ({"error": {"code": ["1113"]}}, 400, False),
        ("a page", 500, False),
    ],
)
def test_the_channel_s_account(answer: Any, status: int, blamed: bool) -> None:
    assert cogvideox.channel_fault(answered(answer, status)) is blamed


def test_polls() -> None:
    assert RULES.poll(task()) == UpstreamCall(f"/async-result/{THEIRS}")
    done = RULES.read(answered(DONE), task())
    cover = Result("https://vendor/f/0.png", optional=True, role="cover")
    assert (done.state, done.results) == (State.SUCCEEDED, (Result("https://vendor/f/0.mp4", role="video"), cover))
    failed = RULES.read(answered({"task_status": "FAIL", "error": {"code": "1301", "message": "unsafe"}}), task())
    assert (failed.state, failed.error) == (State.FAILED, "unsafe")
    assert RULES.read(answered({"task_status": "FAIL"}), task()).error == "FAIL"
    assert RULES.read(answered(ACCEPTED), task()).state is State.RUNNING
    assert RULES.read(answered({"error": {"code": "1214"}}, 400), task()).state is State.NOT_FOUND
    image = RULES.read(answered({"task_status": "SUCCESS", "image_result": [{"url": "https://vendor/i"}]}), task())
    assert image.results == (Result("https://vendor/i", role="image"),)


def shown(seen: Task) -> Any:
    return FACE.render(seen, PlainLinks()).body


def test_answers() -> None:
    named = {"id": OURS, "request_id": OURS[:19], "model": "cogvideox-2"}
    assert FACE.submitted(task(State.QUEUED), PlainLinks()).body == {**named, "task_status": "PROCESSING"}
    asset = f"https://gw/assets/{OURS}/{{}}?sig=1".format
    video = {"url": asset(0), "cover_image_url": asset(1)}
    done = task(State.SUCCEEDED, snapshot={**DONE, "model": "video-2"}, results=2, request={"request_id": "order-17"})
    assert shown(done) == {
        "model": "cogvideox-2",
        "request_id": "order-17",
        "task_status": "SUCCESS",
        "video_result": [video],
    }
    assert shown(task(snapshot=ACCEPTED)) == {**named, "task_status": "PROCESSING"}
    failed = {**named, "task_status": "FAIL", "error": {"code": "500", "message": "timed out"}}
    assert shown(task(State.FAILED, snapshot=ACCEPTED, error="timed out")) == failed
    elsewhere = task(State.SUCCEEDED, snapshot={"roles": ["video", "video", "cover"]}, results=3)
    videos = [video | {"cover_image_url": asset(2)}, {"url": asset(1), "cover_image_url": ""}]
    assert shown(elsewhere) == {**named, "task_status": "SUCCESS", "video_result": videos}


async def test_several_tasks_at_once() -> None:
    """Of a stranger's task nothing is said."""
    batch = operation(cogvideox, "async-results")
    asked_for: list[str] = []

    async def tasks(ids: list[str]) -> list[Task]:
        asked_for.extend(ids)
        return [task(snapshot=ACCEPTED), task(State.QUEUED, id="other")]

    request = asked(batch, {"ids": ["other", "strange", OURS]})
    reply = await batch.answer(SimpleNamespace(request=request, links=PlainLinks(), tasks=tasks))
    assert asked_for == ["other", "strange", OURS]
    assert [item["id"] for item in reply.body] == ["other", OURS]
    with pytest.raises(msgspec.ValidationError):
        asked(batch, {"ids": []})


def test_errors() -> None:
    """Codes are texts; an SDK would repeat a 429 three times, if it were not told that this is no use."""
    unfunded = cogvideox.error(Failure(Reason.UNFUNDED, "no money"), None, "r")
    assert (unfunded.status, unfunded.body) == (429, {"error": {"code": "1113", "message": "no money"}})
    assert unfunded.headers == {"x-should-retry": "false"}
    assert cogvideox.error(Failure(Reason.RATE_LIMITED, "slow down"), None, "r").headers == {}
    for reason, status, code in (
        (Reason.UNAUTHENTICATED, 401, "1000"),
        (Reason.INVALID, 400, "1214"),
        (Reason.NO_MODEL, 400, "1211"),
        (Reason.MODERATED, 400, "1301"),
        (Reason.INTERNAL, 500, "500"),
        (Reason.UNAVAILABLE, 503, "500"),
    ):
        reply = cogvideox.error(Failure(reason, "m"), None, "r")
        assert (reply.status, reply.body["error"]["code"]) == (status, code)
