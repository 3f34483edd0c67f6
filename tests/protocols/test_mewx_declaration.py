"""MewXAI's declaration against the samples of the vendor's pages and its public clients."""

from __future__ import annotations

from typing import Any

import pytest

from deeepai.declare import Accepted, Facts, Failure, Reason, Refused, State, Task
from deeepai.money.prices import PriceBook
from deeepai.protocols.mewx import JOB, SUBMISSIONS, mewx
from deeepai.protocols.mewx.flags import flags
from deeepai.protocols.mewx.points import POINT
from tests.protocols.plain import PlainLinks, answered, asked, operation, sent_on

CODE, WORDS, FUSION, CUTE, MX = (operation(mewx, name) for name in ("qrcode", "shadow", "neuralstyle", "cute", "mx"))
THEIRS, OURS = "5db30c80-8464-498d-8dc6-4c51320b30d6", "11111111-2222-4333-8444-555555555555"
CREATED = {"code": 0, "msg": "成功", "data": {"img_uuid": THEIRS}}
URL = "https://results.example/open-qrcode/78e52462.png"
DETAIL: dict[str, Any] = {
    "img_uuid": THEIRS,
    "user_id": "20221207222512e568ea",
    "urls": [URL],
    "duration": 9.752,
    "status": 1,
    "qr_content": "https://example.com",
}
PHP = {
    "prompt": "一朵花 --v 1.1",
    "negative_prompt": "",
    "qr_content": "x",
    "qr_image": "",
    "model": "67",
    "template_id": "",
}
FUSE: dict[str, Any] = {
    "source_img": "https://img.example/a.jpg",
    "source_mode": 1,
    "style_img": "https://img.example/style.jpg",
    "engine": 1,
    "cn_list": [{"type": 1, "weight": 60, "guidance_start": 0, "guidance_end": 1}],
    "type": "neuralstyle",
}


def cute(**changes: Any) -> dict[str, Any]:
    basic = {"prompt": "1girl", "upscaler": 1, "ratio": 1, "extra_model": [], "audit": 0}
    return {"type": "MX-CUTE", "args": {**basic, **changes}}


def mx(**changes: Any) -> dict[str, Any]:
    return {"type": "default", "args": {"prompt": "a garden", "ratio": 1, "model": 76, "upscaler": 1, **changes}}


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {"id": OURS, "operation": "mewx.qrcode", "model": "mewx-qrcode", "upstream_id": THEIRS}
    return Task(state=state, **{**known, **changes})


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("一朵花 --v 1.1", {"v": "1.1"}),
        (
            "a castle\n--v 3 --iw 0.95 --shape tiny-plus --ar 1:1",
            {"v": "3", "iw": "0.95", "shape": "tiny-plus", "ar": "1:1"},
        ),
        ("--iw 0.45", {"iw": "0.45"}),
        ("a --v 1 b", {}),
        ("no flags", {}),
        ("a well-known --thing 3 --v 2", {"v": "2"}),
        ("a --v 1 --v 2", {"v": "2"}),
    ],
)
def test_flags_ride_at_the_end_of_the_prompt(prompt: str, found: dict[str, str]) -> None:
    assert flags(prompt) == found


@pytest.mark.parametrize(
    ("declared", "body", "points"),
    [
        (CODE, PHP, 1),
        (CODE, {**PHP, "prompt": "x"}, 1),
        (CODE, {**PHP, "prompt": "x\n--v 3 --iw 0.95"}, 5),
        (CODE, {**PHP, "prompt": "x --v 2"}, 5),
        (CODE, {"template_id": 3, "qr_content": "x"}, 1),
        (CODE, {"template_id": "54", "qr_content": "x", "prompt": "--v 1"}, 10),
        (CODE, {"template_id": 2, "qr_content": "x"}, 5),
        (WORDS, {"type": "textart", "text": "福", "template_id": 3}, 1),
        (FUSION, FUSE, 1),
        (CUTE, cute(), 1),
        (CUTE, cute(upscaler=2, audit=1), 3),
        (MX, mx(upscaler=3), 6),
        (MX, mx(upscaler=4, audit=1, fix_faces=True), 6),
    ],
)
def test_prices_are_points(declared: Any, body: dict[str, Any], points: int) -> None:
    request = asked(declared, body)
    usage = declared.estimate(request)
    assert usage.calls == points
    assert PriceBook.shipped().cost_of_call(declared.model(request), usage) == points * POINT


@pytest.mark.parametrize(
    ("declared", "body", "param"),
    [
        (CODE, {**PHP, "qr_content": ""}, "qr_content"),
        (CODE, {**PHP, "qr_content": "x" * 1300}, "qr_content"),
        (CODE, {**PHP, "prompt": ""}, "prompt"),
        (CODE, {**PHP, "model": ""}, "prompt"),
        (CODE, {**PHP, "template_id": "two"}, "template_id"),
        (CODE, {**PHP, "prompt": "x --v 4"}, "prompt"),
        (CODE, {**PHP, "prompt": "x --iw 1.2"}, "prompt"),
        (CODE, {**PHP, "prompt": "x --iw 0.123"}, "prompt"),
        (CODE, {**PHP, "prompt": "x --seed 0"}, "prompt"),
        (CODE, {**PHP, "prompt": "x --shape star"}, "prompt"),
        (CODE, {**PHP, "prompt": "x --ar 2:1"}, "prompt"),
        (WORDS, {"type": "textart", "template_id": 1}, "text"),
        (WORDS, {"type": "textart", "template_id": 1, "text": "福" * 21}, "text"),
        (WORDS, {"type": "textart", "template_id": 1, "text": "福", "ratio": 2}, "ratio"),
        (FUSION, {**FUSE, "engine": 3}, "engine"),
        (FUSION, {**FUSE, "source_img": ""}, "source_img"),
        (FUSION, {**FUSE, "cn_list": [{"type": 2, "weight": 60}]}, "cn_list[0].type"),
        (FUSION, {**FUSE, "cn_list": [{"type": 1, "weight": 101}]}, "cn_list[0].weight"),
        (CUTE, cute(ratio=3), "args.ratio"),
        (CUTE, cute(model="204"), "args.model"),
        (MX, mx(model=""), "args.model"),
    ],
)
def test_what_is_refused(declared: Any, body: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as refused:
        asked(declared, body)
    assert (refused.value.kind, refused.value.param) == (Reason.INVALID, param)


def test_what_the_clients_send_is_taken() -> None:
    """Every key, empty where there is nothing; ids as texts; other names of the text; numbers in quotes."""
    asked(CODE, PHP)
    asked(CODE, {**PHP, "model": 67, "qr_content": "", "qr_image": "iVBORw0"})
    asked(WORDS, {"type": "textart", "words": "福", "template_id": "3", "ratio": ""})
    asked(
        WORDS, {"type": "textshadow", "content": "星河", "prompt": "雪山, 日出 --iw 0.45", "model": "67", "ratio": "4"}
    )
    sent = sent_on(WORDS, {"type": "textart", "text": "福", "template_id": 1, "ratio": "4"}, Facts("m", "m"))
    assert sent["ratio"] == 4
    assert "ratio" not in sent_on(
        WORDS, {"type": "textart", "text": "福", "template_id": 1, "ratio": ""}, Facts("m", "m")
    )


def test_a_submission_is_taken_or_refused() -> None:
    assert JOB.rules.accept(answered(CREATED), asked(CODE, PHP)) == Accepted(THEIRS)
    refused = {"code": 400, "msg": "bad"}
    assert JOB.rules.accept(answered(refused), asked(CODE, PHP)) == Refused(False, True)
    assert JOB.rules.accept(answered({"code": 402, "msg": "no points"}), asked(CODE, PHP)) == Refused(True, True)
    assert mewx.channel_fault(answered({"code": 401, "msg": "token"}))
    answer = JOB.face.submitted(task(), PlainLinks()).body
    assert answer == {"code": 0, "msg": "成功", "data": {"img_uuid": OURS}}


def test_a_detail_is_read() -> None:
    read = JOB.rules.read
    done = read(answered({**CREATED, "data": DETAIL}), task())
    assert (done.state, [result.url for result in done.results]) == (State.SUCCEEDED, [URL])
    assert read(answered({**CREATED, "data": {**DETAIL, "status": 0, "urls": []}}), task()).state is State.RUNNING
    failed = read(answered({**CREATED, "data": {"img_uuid": THEIRS, "status": -1, "msg": "prompt disputed"}}), task())
    assert (failed.state, failed.error) == (State.FAILED, "prompt disputed")
    mute = read(answered({**CREATED, "data": {"img_uuid": THEIRS, "status": -1}}), task())
    assert mute.error
    assert mute.error != "-1"
    assert read(answered({"code": 404, "msg": "gone"}), task()).state is State.NOT_FOUND


def test_a_detail_is_shown() -> None:
    """The vendor's answer under our names; what the operator's account is called, nobody is told."""
    done = task(State.SUCCEEDED, snapshot={**CREATED, "data": DETAIL}, results=1)
    shown = JOB.face.render(done, PlainLinks()).body
    ours = {"img_uuid": OURS, "user_id": "", "urls": [f"https://gw/assets/{OURS}/0?sig=1"]}
    assert shown == {"code": 0, "msg": "成功", "data": {**DETAIL, **ours}}
    waiting = JOB.face.render(task(State.QUEUED, request={"qr_content": "x"}), PlainLinks()).body["data"]
    assert waiting["status"] == 0
    assert (waiting["urls"], waiting["qr_content"]) == ([], "x")
    failed = JOB.face.render(task(State.FAILED, error="timeout", request={"qr_content": None}), PlainLinks()).body[
        "data"
    ]
    assert (failed["status"], failed["msg"], failed["urls"], failed["qr_content"]) == (-1, "timeout", [], "")


def test_callbacks_are_flat() -> None:
    hook_in, message = JOB.rules.hook_in, JOB.face.hook_message
    assert hook_in is not None
    assert message is not None
    assert [hook_in(body) for body in (DETAIL, {**CREATED, "data": DETAIL}, {}, [], None)] == [
        THEIRS,
        THEIRS,
        None,
        None,
        None,
    ]
    done = task(State.SUCCEEDED, snapshot={**CREATED, "data": DETAIL}, results=1)
    body = message(done, PlainLinks()).body
    assert set(body) == set(DETAIL)
    assert (body["img_uuid"], body["status"]) == (OURS, 1)


def test_every_submission_may_be_called_back() -> None:
    for declared, body in zip(
        SUBMISSIONS, (FUSE, PHP, {"type": "textart", "text": "x", "template_id": 1}, cute(), mx()), strict=True
    ):
        sent = sent_on(
            declared, {**body, "callback_url": "https://me.example/cb"}, Facts("m", "m", hook_url="https://gw/h")
        )
        assert sent["callback_url"] == "https://gw/h"
        assert "callback_url" not in sent_on(declared, {**body, "callback_url": ""}, Facts("m", "m"))
