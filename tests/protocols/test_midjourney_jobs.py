from __future__ import annotations

from typing import Any

import pytest

from deeepai.declare import Accepted, Hook, Refused, State, Task
from tests.protocols.midjourney_samples import (
    FACE,
    HASH,
    OURS,
    PARENT,
    RULES,
    THEIR_PARENT,
    THEIRS,
    cost,
    origin,
    shown,
    submit,
    task,
)
from tests.protocols.sent import Fixed, answered

# Answers to submissions --------------------------------------------------------------------------------------------

WINDOW = {"finalPrompt": "Cat --v 6.1", "remix": True, "discordInstanceId": "1118138338562560102"}


@pytest.mark.parametrize(
    ("answer", "state", "existing"),
    [
        ({"code": 1, "description": "提交成功", "result": THEIRS}, State.QUEUED, False),
        ({"code": 1, "description": "提交成功", "result": int(THEIRS), "properties": {}}, State.QUEUED, False),
        ({"code": 22, "description": "排队中，前面还有1个任务", "result": THEIRS}, State.QUEUED, False),
        (
            {"code": 21, "description": "Waiting for window confirm", "result": THEIRS, "properties": WINDOW},
            State.WAITING,
            False,
        ),
        ({"code": 21, "description": "窗口等待", "result": THEIRS, "properties": {}}, State.WAITING, False),
        ({"code": 1, "description": "Waiting for window confirm", "result": THEIRS}, State.WAITING, False),
        (
            {"code": 21, "description": "任务已存在", "result": THEIRS, "properties": {"status": "SUCCESS"}},
            State.QUEUED,
            True,
        ),
    ],
)
async def test_acceptance(answer: dict[str, Any], state: State, existing: bool) -> None:
    _, request = await submit("action")
    verdict = RULES.accept(answered(answer), request)
    assert isinstance(verdict, Accepted)
    assert (verdict.upstream_id, verdict.state) == (THEIRS, state)
    assert verdict.existing is existing
    told = FACE.submitted(task(verdict.state, facts=dict(verdict.facts)), Fixed()).body
    assert told == {
        "code": answer["code"],
        "description": answer["description"],
        "result": OURS,
        "properties": answer.get("properties", {}),
    }


async def test_a_bookmark_makes_no_task() -> None:
    _, request = await submit("action", customId=f"MJ::BOOKMARK::{HASH}")
    verdict = RULES.accept(answered({"code": 1, "description": "成功", "result": THEIR_PARENT}), request)
    assert isinstance(verdict, Accepted)
    assert verdict.existing


@pytest.mark.parametrize(
    ("name", "answer", "status", "elsewhere"),
    [
        ("imagine", {"code": 24, "description": "可能包含敏感词", "properties": {"bannedWord": "x"}}, 200, False),
        ("imagine", {"code": 4, "description": "prompt不能为空"}, 200, False),
        ("imagine", {"code": 23, "description": "队列已满，请稍后尝试", "result": THEIRS}, 200, True),
        ("imagine", {"code": 9, "description": "提交失败，系统异常"}, 200, True),
        ("imagine", {"code": 3, "description": "无可用的账号实例"}, 200, True),
        ("action", {"code": 3, "description": "关联任务不存在或已失效"}, 404, False),
        ("imagine", {"code": 5, "description": "empty_response_body"}, 400, False),
        ("imagine", {"code": 30, "description": "当前分组上游负载已饱和"}, 429, True),
        ("imagine", {"error": {"message": "no"}}, 400, False),
        ("imagine", {"code": 1, "description": "提交成功", "result": None}, 200, False),
        ("imagine", b"<html>", 503, True),
        ("imagine", b"<html>", 404, False),
    ],
)
async def test_refusals(name: str, answer: Any, status: int, elsewhere: bool) -> None:
    _, request = await submit(name)
    verdict = RULES.accept(answered(answer, status), request)
    assert isinstance(verdict, Refused)
    assert verdict.retry_elsewhere is elsewhere


def test_ids_are_16_digits_and_differ() -> None:
    ids = [FACE.new_id() for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(len(each) == 16 and each.isdigit() and int(each) < 2**53 for each in ids)


# Polls -------------------------------------------------------------------------------------------------------------

NATIVE: dict[str, Any] = {
    "id": THEIRS,
    "action": "IMAGINE",
    "status": "SUCCESS",
    "progress": "100%",
    "prompt": "cat --v 6.1",
    "promptEn": "cat --v 6.1",
    "description": "/imagine cat --v 6.1",
    "state": "req_1",
    "submitTime": 1741531578000,
    "startTime": 1741531580190,
    "finishTime": 1741531608566,
    "imageUrl": "https://cdn.discordapp.com/a.png?ex=1",
    "failReason": "",
    "buttons": [
        {"customId": f"MJ::JOB::upsample::1::{HASH}", "emoji": "", "label": "U1", "type": 2, "style": 2},
        {"customId": "MJ::Job::PicReader::all", "emoji": "🎉", "label": "Imagine all", "type": 2, "style": 2},
    ],
    "properties": {
        "finalPrompt": "cat --v 6.1",
        "discordInstanceId": 1118138338562560102,
        "messageId": "1348306030706036789",
        "messageHash": HASH,
        "flags": 0,
        "nonce": THEIRS,
        "notifyHook": "https://gw/hooks/secret",
    },
}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NOT_START", State.QUEUED),
        ("SUBMITTED", State.QUEUED),
        ("", State.QUEUED),
        (None, State.QUEUED),
        ("MODAL", State.WAITING),
        ("IN_PROGRESS", State.RUNNING),
        ("in_progress", State.RUNNING),
        ("SOMETHING_NEW", State.RUNNING),
        ("SUCCESS", State.SUCCEEDED),
        ("Success", State.SUCCEEDED),
        ("FAILURE", State.FAILED),
        ("FAILED", State.FAILED),
        ("CANCEL", State.CANCELLED),
        ("CANCELLED", State.CANCELLED),
    ],
)
def test_states(status: str | None, state: State) -> None:
    assert RULES.read(answered({**NATIVE, "status": status}), task()).state is state


@pytest.mark.parametrize(
    ("progress", "percent"), [("31%", 31), ("0%", 0), ("", None), ("Waiting to start", None), (None, None)]
)
def test_progress(progress: str | None, percent: int | None) -> None:
    reading = RULES.read(answered({**NATIVE, "status": "IN_PROGRESS", "progress": progress}), task())
    assert reading.progress == percent
    assert reading.results == ()


def test_a_task_that_was_given_its_input_waits_no_more() -> None:
    answer = answered({**NATIVE, "status": "MODAL"})
    assert RULES.read(answer, task(facts={"resumed": True})).state is State.QUEUED


def test_an_unknown_task() -> None:
    gone = answered({"description": "task_no_found ", "type": "upstream_error", "code": 4}, 400)
    assert RULES.read(gone, task()).state is State.NOT_FOUND
    odd = RULES.read(answered(b"<html>"), task(State.RUNNING, snapshot={"progress": "3%"}, progress=3))
    assert (odd.state, odd.snapshot, odd.progress) == (State.RUNNING, {"progress": "3%"}, 3)
    assert RULES.read(answered(b"<html>"), task(State.UNKNOWN)).state is State.NOT_FOUND


def test_many_at_once() -> None:
    assert RULES.batch is not None
    assert RULES.split is not None
    ask = RULES.batch([task(), origin()])
    assert (ask.method, ask.path, ask.json) == (
        "POST",
        "/mj/task/list-by-condition",
        {"ids": [THEIRS, THEIR_PARENT]},
    )
    pieces = RULES.split(answered([NATIVE, {"id": int(THEIR_PARENT), "status": "FAILURE", "failReason": "no"}]))
    assert RULES.read(pieces[THEIRS], task()).state is State.SUCCEEDED
    failed = RULES.read(pieces[THEIR_PARENT], task())
    assert (failed.state, failed.error) == (State.FAILED, "no")


def test_a_lost_submission_is_found_by_its_reference() -> None:
    assert RULES.find_lost is not None
    assert RULES.found_lost is not None
    assert RULES.find_lost("req_1").path == "/mj/task/list"
    listed = answered([{"id": "1", "state": None}, NATIVE])
    assert RULES.found_lost(listed, "req_1") == THEIRS
    assert RULES.found_lost(listed, "req_2") is None


@pytest.mark.parametrize(
    ("kept", "told", "usd"),
    [
        ({"mode": None, "by_path": False}, {}, 0.1),
        ({"mode": "relax", "by_path": True}, {"mode": "TURBO"}, 0.05),
        ({"mode": None, "by_path": False}, {"mode": "TURBO"}, 0.2),
        ({"mode": "turbo", "by_path": False}, {}, 0.2),
    ],
)
def test_what_a_finished_task_cost(kept: dict[str, Any], told: dict[str, Any], usd: float) -> None:
    usage = RULES.read(answered({**NATIVE, **told}), task(request=kept)).usage
    assert usage is not None
    assert cost("mj_imagine", usage) == usd


def test_a_reroll_of_a_video_costs_a_video() -> None:
    usage = RULES.read(answered({**NATIVE, "action": "VIDEO"}), task()).usage
    assert usage is not None
    assert cost("mj_reroll", usage) == 0.8


# Showing -----------------------------------------------------------------------------------------------------------


def finished(**more: Any) -> Task:
    reading = RULES.read(answered({**NATIVE, **more.pop("native", {})}), task())
    given: dict[str, Any] = {"snapshot": reading.snapshot, "started_at": 1741531580190, "finished_at": 1741531608566}
    return task(State.SUCCEEDED, **given | more)


def test_before_the_first_poll() -> None:
    found = shown(task())
    assert (found["id"], found["status"], found["progress"]) == (OURS, "SUBMITTED", "0%")
    assert (found["prompt"], found["state"], found["action"]) == ("cat", "order-17", "IMAGINE")
    assert (found["imageUrl"], found["buttons"], found["startTime"]) == (None, [], None)
    assert shown(task(facts={"code": 22}))["status"] == "NOT_START"
    assert shown(task(State.WAITING))["status"] == "MODAL"


def test_a_finished_task() -> None:
    found = shown(finished(hook=Hook("https://caller.example/x")))
    assert found == {
        **NATIVE,
        "id": OURS,
        "state": "order-17",
        "submitTime": 1741531578038,
        "imageUrl": f"https://gw/mj/image/{OURS}?sig=1",
        "buttons": NATIVE["buttons"][:1],
        "properties": {
            **NATIVE["properties"],
            "discordInstanceId": "1118138338562560102",
            "nonce": OURS,
            "notifyHook": "https://caller.example/x",
        },
    }


def test_nothing_of_ours_or_the_upstreams_shows() -> None:
    text = str(shown(finished()))
    assert THEIRS not in text
    assert "secret" not in text
    assert "req_1" not in text
    assert "discordapp" not in text


@pytest.mark.parametrize(
    ("params", "url"),
    [
        ({}, f"https://gw/mj/image/{OURS}?sig=1"),
        ({"images": "relay"}, f"https://gw/mj/image/{OURS}?sig=1"),
        ({"images": "proxy"}, f"https://gw/mj/image/{OURS}?sig=1"),
        ({"images": "origin"}, NATIVE["imageUrl"]),
    ],
)
def test_image_styles(params: dict[str, str], url: str) -> None:
    assert shown(finished(params=params))["imageUrl"] == url


def test_videos_and_further_pictures() -> None:
    urls = {
        "imageUrls": [{"url": "https://cdn/0.png", "thumbnail": "https://cdn/0.webp"}],
        "videoUrl": "https://cdn/0.mp4",
        "videoUrls": [
            {"url": "https://cdn/0.mp4", "thumbnail": NATIVE["imageUrl"]},
            {"url": "https://cdn/1.mp4", "thumbnail": "https://cdn/1.png"},
        ],
        "thumbnailUrl": "https://cdn/t.webp",
    }
    reading = RULES.read(answered({**NATIVE, **urls}), task())
    assert [result.url for result in reading.results] == [
        NATIVE["imageUrl"],
        "https://cdn/0.png",
        "https://cdn/0.mp4",
        "https://cdn/1.mp4",
        "https://cdn/1.png",
    ]
    found = shown(finished(native=urls))
    ours = f"https://gw/assets/{OURS}"
    assert found["imageUrls"] == [{"url": f"{ours}/1?sig=1", "thumbnail": f"{ours}/1?sig=1"}]
    assert found["videoUrl"] == f"{ours}/2?sig=1"
    assert found["videoUrls"] == [
        {"url": f"{ours}/2?sig=1", "thumbnail": f"https://gw/mj/image/{OURS}?sig=1"},
        {"url": f"{ours}/3?sig=1", "thumbnail": f"{ours}/4?sig=1"},
    ]
    assert found["thumbnailUrl"] is None


def test_a_running_task_shows_its_preview() -> None:
    snapshot = {**NATIVE, "status": "IN_PROGRESS", "progress": "31%", "buttons": None, "videoUrl": "https://cdn/x"}
    running = task(State.RUNNING, snapshot=snapshot, progress=31)
    found = shown(running)
    assert (found["status"], found["progress"], found["buttons"]) == ("IN_PROGRESS", "31%", [])
    assert found["imageUrl"] == f"https://gw/mj/image/{OURS}?sig=1&rand=31"
    assert found["videoUrl"] is None
    assert RULES.preview is not None
    assert RULES.preview(running, 0) == NATIVE["imageUrl"]


@pytest.mark.parametrize(("state", "status"), [(State.FAILED, "FAILURE"), (State.CANCELLED, "CANCEL")])
def test_clients_stop_at_a_failure(state: State, status: str) -> None:
    found = shown(task(state, snapshot={**NATIVE, "status": "IN_PROGRESS", "progress": ""}, error="[Banned] no"))
    assert (found["status"], found["progress"], found["failReason"]) == (status, "100%", "[Banned] no")
    assert found["imageUrl"] is None


def test_a_change_names_the_callers_parent() -> None:
    snapshot = {**NATIVE, "description": f"/up {THEIR_PARENT} U2", "parentId": THEIR_PARENT}
    found = shown(task(State.SUCCEEDED, snapshot=snapshot, parent_id=PARENT))
    assert (found["description"], found["parentId"]) == (f"/up {PARENT} U2", PARENT)


def test_callbacks_are_the_whole_task() -> None:
    assert FACE.hook_each_change
    assert FACE.hook_message is not None
    assert FACE.hook_message(finished(), Fixed()).body == shown(finished())


@pytest.mark.parametrize(("url", "hook"), [("", None), (" ", None), (None, None), ("https://c/x", Hook("https://c/x"))])
async def test_an_empty_callback_is_none(url: str | None, hook: Hook | None) -> None:
    assert FACE.hook is not None
    _, request = await submit("imagine", notifyHook=url)
    assert FACE.hook(request) == hook
