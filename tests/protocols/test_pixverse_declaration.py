"""Pixverse's declarations against the samples of the vendor's and of relays' documents."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest

from deeepai.declare import (
    Accepted,
    Callback,
    Facts,
    Failure,
    Refused,
    Result,
    State,
    Task,
    Usage,
)
from deeepai.money.prices import PriceBook
from deeepai.protocols.pixverse import pixverse, pixverse_platform, pixverse_web
from deeepai.protocols.pixverse.platform import SUBMISSIONS, sign
from tests.protocols.plain import PlainLinks, answered, asked, operation, sent_on

TEXT, RELAY, WEB = (
    operation(pixverse_platform, "video.text"),
    operation(pixverse, "generate"),
    operation(pixverse_web, "generate"),
)
THEIRS, OURS = 331232157217408, "170000000000017"
FILM = {"prompt": "a cat", "model": "v5", "duration": 5, "quality": "540p"}
FACTS = Facts(model="pixverse-v5", requested_model="pixverse-v5", reference="req_1")
MADE: dict[str, Any] = {
    "ErrCode": 0,
    "ErrMsg": "success",
    "Resp": {
        "id": THEIRS,
        "status": 1,
        "prompt": "a cat",
        "negative_prompt": "",
        "url": "https://media.example/x.mp4",
        "size": 3145728,
        "seed": 123,
        "style": "",
        "resolution_ratio": 11,
        "outputWidth": 960,
        "outputHeight": 540,
        "has_audio": False,
        "customer_paths": {"customer_img_url": "https://media.example/upload.png"},
        "create_time": "2025-02-11T03:21:30Z",
        "modify_time": "2025-02-11T03:22:10Z",
    },
}
FED: dict[str, Any] = {
    "code": 200,
    "msg": "成功",
    "exec_time": 0.021,
    "data": {
        "task_id": "0b6b1f52-3c6e-4d0c-9c4b-1d1f8f6d5a10",
        "state": "success",
        "status": "3",
        "prompt": "a cat",
        "image_url": None,
        "video_url": "https://cdn.example/v.mp4",
        "poster": "https://cdn.example/v.jpg",
        "msg": None,
        "point": "300",
        "refund": "0",
        "create_time": "1739427742",
        "update_time": "1739428166",
    },
}


def task(declared: Any, state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {
        "id": OURS,
        "operation": declared.name,
        "model": "pixverse-v5",
        "upstream_id": str(THEIRS),
        "request": {"prompt": "a cat"},
        "submitted_at": 1739427742000,
    }
    return Task(state=state, **{**known, **changes})


def test_paths_and_rows() -> None:
    assert {row for item in pixverse.operations for row in item.rows} == {136, 137, 138, 139, 140}
    for submission in SUBMISSIONS:
        assert submission.aliases == (submission.path.removeprefix("/pixverse"),)
        assert submission.upstream_template == submission.aliases[0]
    assert TEXT.path == "/pixverse/openapi/v2/video/text/generate"


@pytest.mark.parametrize("declared", SUBMISSIONS, ids=lambda declared: declared.name)
def test_each_example_has_a_price_and_its_own_trace(declared: Any) -> None:
    request = asked(declared, declared.example)
    assert PriceBook.shipped().cost_of_call(declared.model(request), declared.estimate(request))
    traces = {declared.headers(request, facts)["ai-trace-id"] for facts in (FACTS, Facts("m", "m", reference="r2"))}
    assert len(traces) == 2
    first, second = (declared.job.rules.poll(task(declared)) for _ in range(2))
    assert first.path == f"/openapi/v2/video/result/{THEIRS}"
    assert first.headers != second.headers


def test_ids_and_models_leave_as_the_vendor_has_them() -> None:
    swap = operation(pixverse_platform, "video.swap")
    body = {"source_video_id": OURS, "img_id": "7041", "model": "pixverse-v5", "callback_url": "https://caller/hook"}
    facts = Facts("pixverse-v5", "pixverse-v5", origin=task(swap, State.SUCCEEDED), reference="req_1")
    assert sent_on(swap, body, facts) == {"source_video_id": THEIRS, "img_id": 7041, "model": "v5"}
    assert swap.uses(asked(swap, body)) == ["7041"]
    fusion = operation(pixverse_platform, "video.fusion")
    assert fusion.uses(asked(fusion, fusion.example)) == ["7041"]
    assert sent_on(TEXT, FILM, FACTS) == FILM
    assert sent_on(RELAY, {"prompt": "x"}, Facts("pixverse-auto", "pixverse-auto")) == {"prompt": "x"}
    assert sent_on(RELAY, {"prompt": "x"}, Facts("pixverse-v4", "pixverse-auto")) == {"prompt": "x", "model": "v4"}
    with pytest.raises(Failure, match="has not been made"):
        swap.origin.check(asked(swap, body), task(swap, State.FAILED))


@pytest.mark.parametrize(
    ("answer", "status", "verdict", "blamed"),
    [
        ({"ErrCode": 0, "Resp": {"video_id": THEIRS, "credits": 45}}, 200, Accepted, False),
        ({"ErrCode": 400017, "ErrMsg": "invalid param", "Resp": None}, 200, Refused(worded=True), False),
        ({"ErrCode": 500044, "ErrMsg": "concurrent"}, 200, Refused(True, worded=True), False),
        ({"ErrCode": 500090, "ErrMsg": "balance"}, 200, Refused(True, worded=True), True),
        ({"ErrCode": 10003, "ErrMsg": "key"}, 200, Refused(True, worded=True), True),
        ({"ErrCode": 500100, "ErrMsg": "database"}, 200, Refused(worded=True), False),
    ],
)
def test_answers_to_a_submission(answer: Any, status: int, verdict: Any, blamed: bool) -> None:
    said = TEXT.job.rules.accept(answered(answer, status), asked(TEXT, FILM))
    if verdict is Accepted:
        assert said == Accepted(str(THEIRS), facts={"credits": 45})
    else:
        assert said == verdict
    assert pixverse_platform.channel_fault(answered(answer, status)) is blamed


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (5, State.RUNNING),
        (1, State.SUCCEEDED),
        (7, State.FAILED),
        (8, State.FAILED),
        (6, State.NOT_FOUND),
        (2, State.RUNNING),
    ],
)
def test_states_of_the_vendor(status: int, state: State) -> None:
    told = {**MADE, "Resp": {**MADE["Resp"], "status": status}}
    assert TEXT.job.rules.read(answered(told), task(TEXT)).state is state
    late = {**MADE, "Resp": {**MADE["Resp"], "url": ""}}
    assert TEXT.job.rules.read(answered(late), task(TEXT)).state is State.RUNNING


def test_the_end_and_how_it_is_shown() -> None:
    rules, face = TEXT.job.rules, TEXT.job.face
    estimate = TEXT.estimate(asked(TEXT, {**FILM, "quality": "720p", "duration": 8}))
    end = rules.read(answered(MADE), task(TEXT, facts={"credits": 120}, estimate=estimate))
    assert end.results == (Result("https://media.example/x.mp4", role="video"),)
    assert end.usage is not None
    assert PriceBook.shipped().cost_of_call("pixverse-v5", end.usage) == 1_200_000_000
    done = task(TEXT, State.SUCCEEDED, snapshot=MADE, results=1, facts={"credits": 120})
    told: Any = face.render(done, PlainLinks()).body
    assert told["Resp"] == {
        **MADE["Resp"],
        "id": int(OURS),
        "url": f"https://gw/assets/{OURS}/0?sig=1",
        "customer_paths": {"customer_img_url": ""},
    }
    begun = face.submitted(task(TEXT, State.QUEUED, facts={"credits": 45}), PlainLinks()).body
    assert begun == {"ErrCode": 0, "ErrMsg": "success", "Resp": {"video_id": int(OURS), "credits": 45}}
    other: Any = face.render(task(TEXT, State.FAILED, error="why"), PlainLinks()).body
    assert (other["Resp"]["status"], other["Resp"]["url"], other["Resp"]["prompt"]) == (8, "", "a cat")
    assert face.hook_message(done, PlainLinks()).body == {
        "id": OURS,
        "status": 1,
        "url": f"https://gw/assets/{OURS}/0?sig=1",
        "size": 3145728,
        "has_audio": False,
        "credits": 120,
    }


def test_the_signature() -> None:
    body = b'{"status":1,"id":"3","url":"https://a/b c","has_audio":false}'
    head = sign(Callback("https://caller/hook", body, "whsec_x", 17))
    payload = "has_audio=false&id=3&status=1&url=https%3A%2F%2Fa%2Fb+c"
    signed = f"17\n{head['webhook-nonce']}\n{payload}".encode()
    digest = hmac.new(b"whsec_x", signed, hashlib.sha256).digest()
    assert (head["webhook-timestamp"], head["webhook-signature"]) == ("17", base64.b64encode(digest).decode())


@pytest.mark.parametrize(
    ("quality", "duration", "mode", "sound", "usd"),
    [
        ("360p", 5, None, False, 0.45),
        ("540p", 8, None, False, 0.90),
        ("540p", 5, "fast", True, 1.00),
        ("720p", 5, "normal", False, 0.60),
        ("720p", 5, "fast", False, 1.20),
        ("1080p", 5, None, True, 1.30),
        ("1080p", 8, None, False, 2.40),
    ],
)
def test_prices(quality: str, duration: int, mode: str | None, sound: bool, usd: float) -> None:
    body = {**FILM, "quality": quality, "duration": duration, "motion_mode": mode, "sound_effect_switch": sound}
    assert PriceBook.shipped().cost_of_call("pixverse-v5", TEXT.estimate(asked(TEXT, body))) == round(usd * 10**9)


def test_the_feed_of_relays() -> None:
    rules, face = RELAY.job.rules, RELAY.job.face
    name = FED["data"]["task_id"]
    accepted = rules.accept(answered({"code": 200, "data": {"task_id": name}}), asked(RELAY, {"prompt": "x"}))
    assert accepted == Accepted(name)
    assert rules.accept(answered({"code": 400, "msg": "bad"}), asked(RELAY, {"prompt": "x"})) == Refused(worded=True)
    known = task(RELAY, upstream_id=name)
    assert rules.poll(known).path == f"/v1/pro/feed?task_id={name}"
    end = rules.read(answered(FED), known)
    assert (end.state, [result.role for result in end.results]) == (State.SUCCEEDED, ["video", "cover"])
    words = {"0": State.QUEUED, "1": State.RUNNING, "2": State.FAILED}
    for status, state in words.items():
        assert rules.read(answered({**FED, "data": {**FED["data"], "status": status}}), known).state is state
    gone = {"code": 400, "msg": "task_not_exist", "data": None}
    assert rules.read(answered(gone), known).state is State.NOT_FOUND
    shown: Any = face.render(task(RELAY, State.SUCCEEDED, upstream_id=name, snapshot=FED, results=2), PlainLinks()).body
    assert (shown["data"]["task_id"], shown["data"]["state"]) == (OURS, "succeeded")
    assert shown["data"]["poster"] == f"https://gw/assets/{OURS}/1?sig=1"
    own: Any = face.render(task(RELAY, State.FAILED, error="no"), PlainLinks()).body["data"]
    assert (own["status"], own["state"], own["msg"], own["refund"]) == ("2", "error", "no", "1")
    assert all(value is None or isinstance(value, str) for value in own.values())
    assert RELAY.model(asked(RELAY, {"prompt": "x"})) == "pixverse-auto"


def test_the_web_format() -> None:
    rules = WEB.job.rules
    told = {"video_id": THEIRS, "video_status": 10, "url": "", "first_frame": "", "account_id": 4711}
    states = {5: State.QUEUED, 10: State.RUNNING, 7: State.FAILED, 8: State.FAILED}
    for status, state in states.items():
        answer = answered({"ErrCode": 0, "Resp": {**told, "video_status": status}})
        assert rules.read(answer, task(WEB)).state is state
    end = {
        "ErrCode": 0,
        "Resp": {**told, "video_status": 1, "url": "https://m/x.mp4", "first_frame": "https://m/f.jpg"},
    }
    assert len(rules.read(answered(end), task(WEB)).results) == 2
    shown: Any = WEB.job.face.render(task(WEB, State.SUCCEEDED, snapshot=end, results=2), PlainLinks()).body
    assert (shown["Resp"]["video_id"], shown["Resp"]["account_id"]) == (int(OURS), 0)
    assert WEB.estimate(asked(WEB, {"prompt": "x", "motion_mode": "performance"})) == Usage(
        calls=1, seconds=5.0, params={"quality": "360p", "double": "yes", "sound": "off"}, basis="estimated"
    )
    assert WEB.origin.ids(asked(WEB, {"prompt": "x", "original_video_id": 17})) == ["17"]
