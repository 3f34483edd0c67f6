"""Vidu's declarations against the samples of the vendor's and of relays' documents."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Callback, Child, Facts, Failure, Refused, State, Task
from deeepai.money.prices import PriceBook
from deeepai.protocols.vidu import vidu, vidu_ent
from deeepai.protocols.vidu.ent import SUBMISSIONS, sign
from tests.protocols.plain import PlainLinks, answered, asked, operation, sent_on

TASKS, TEXT = operation(vidu, "tasks"), operation(vidu_ent, "text2video")
THEIRS, CREATION, OURS = "2513245678901234", "2513245678909999", "170000000000000017"
PROMPTS = [{"type": "text", "content": "a cat runs", "enhance": True}]
BODY: dict[str, Any] = {"type": "text2video", "input": {"prompts": PROMPTS}, "settings": {"duration": 8}}
LARGER = {"type": "upscale", "input": {"creation_id": CREATION}, "settings": {"model": "stable", "duration": 4}}
WEB: dict[str, Any] = {
    "id": THEIRS,
    "state": "success",
    "err_code": "",
    "creations": [
        {
            "id": CREATION,
            "task_id": THEIRS,
            "type": "video",
            "grade": "draft",
            "uri": "https://storage.example/v.mp4?Expires=1728369999&Signature=x",
            "cover_uri": "https://storage.example/c.jpg",
        }
    ],
}
ENT: dict[str, Any] = {
    "id": THEIRS,
    "state": "success",
    "err_code": "",
    "credits": 80,
    "payload": "order-17",
    "bgm": False,
    "off_peak": False,
    "creations": [
        {
            "id": CREATION,
            "url": "https://vendor/v.mp4",
            "cover_url": "https://vendor/c.jpg",
            "watermarked_url": "https://vendor/w.mp4",
            "video": {"duration": 5.0, "fps": 24, "resolution": {"width": 1920, "height": 1080}},
        }
    ],
}


def task(declared: Any, state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {"id": OURS, "operation": f"vidu_ent.{declared.name}", "model": "viduq1"}
    known |= {"upstream_id": THEIRS, "submitted_at": 1728357690123}
    return Task(state=state, **(known | changes))


def test_rows_and_paths() -> None:
    assert {row for item in vidu.operations for row in item.rows} == {123, 124, 125, 126}
    each: Sequence[Any] = SUBMISSIONS
    for submission in each:
        kind = submission.path.removeprefix("/vidu/ent/v2/")
        assert submission.aliases == (f"/vidu/v2/{kind}", f"/ent/v2/{kind}")
        request = asked(submission, submission.example)
        assert PriceBook.shipped().cost_of_call(submission.model(request), submission.estimate(request))


def test_what_is_made_larger_names_what_was_made() -> None:
    assert TASKS.model(asked(TASKS, LARGER)) == "vidu-upscale"
    assert TASKS.origin.ids(asked(TASKS, LARGER)) == [CREATION]
    assert sent_on(TASKS, LARGER, Facts("vidu-upscale", "vidu-upscale")) == LARGER
    assert TASKS.origin.ids(asked(TASKS, {**BODY, "input": {**BODY["input"], "creation_id": "0"}})) == []
    for wrong in ({"type": "upscale", "input": {"creation_id": "0"}}, {"type": "img2video", "input": {}}):
        with pytest.raises(Failure, match="is required"):
            asked(TASKS, wrong)
    with pytest.raises(Failure, match="has not been made"):
        TASKS.origin.check(asked(TASKS, LARGER), task(TASKS, State.FAILED))
    with pytest.raises(msgspec.ValidationError, match="prompts"):
        asked(TASKS, {"type": "text2video", "input": {"prompts": [{"type": "sound", "content": "x"}]}})


def test_the_model_of_a_web_task() -> None:
    assert TASKS.model(asked(TASKS, BODY)) == "vidu-1"
    assert sent_on(TASKS, BODY, Facts("vidu-1.5", "vidu-1"))["settings"] == {"duration": 8, "model": "vidu-1.5"}
    assert PriceBook.shipped().cost_of_call("vidu-1", TASKS.estimate(asked(TASKS, BODY))) == 1_000_000_000


@pytest.mark.parametrize(("declared", "answer"), [(TASKS, WEB), (TEXT, ENT)], ids=["web", "ent"])
def test_the_end(declared: Any, answer: dict[str, Any]) -> None:
    rules = declared.job.rules
    end = rules.read(answered(answer), task(declared))
    assert (end.state, end.children) == (State.SUCCEEDED, (Child(CREATION, "video"),))
    assert [result.role for result in end.results][:2] == ["video", "cover"]
    words = {"created": State.QUEUED, "queueing": State.QUEUED, "processing": State.RUNNING, "failed": State.FAILED}
    for word, state in words.items():
        assert rules.read(answered({**answer, "state": word, "creations": []}), task(declared)).state is state
    assert rules.read(answered({**answer, "creations": []}), task(declared)).state is State.RUNNING
    failed = rules.read(answered({**answer, "state": "failed", "err_code": "CreationPolicyViolation"}), task(declared))
    assert failed.error == "CreationPolicyViolation"
    shown: Any = declared.job.face.render(
        task(declared, State.SUCCEEDED, snapshot=answer, results=len(end.results)), PlainLinks()
    ).body
    assert shown["id"] == OURS
    assert "vendor" not in json.dumps(shown)
    assert "storage.example" not in json.dumps(shown)
    assert shown["creations"][0]["id"] == CREATION


def test_the_gateway_s_own_words() -> None:
    face = TASKS.job.face
    request = face.keep(asked(TASKS, {**BODY, "callback_url": "https://caller/hook"}))
    assert request == BODY
    begun: Any = face.submitted(task(TASKS, State.QUEUED, request=request), PlainLinks()).body
    assert (begun["state"], begun["creations"], begun["err_code"]) == ("queueing", [], "")
    assert (begun["input"], begun["created_at"]) == (BODY["input"], "2024-10-08T03:21:30.123Z")
    ent = TEXT.job.face
    asked_for = {"model": "viduq1", "prompt": "a cat", "payload": "order-17", "off_peak": True}
    kept = ent.keep(asked(TEXT, asked_for))
    told: Any = ent.submitted(
        task(TEXT, State.QUEUED, request=kept, facts={"credits": 80, "seed": 7}), PlainLinks()
    ).body
    assert (told["task_id"], told["type"], told["state"], told["credits"], told["seed"], told["payload"]) == (
        *(OURS, "text2video", "created"),
        *(80, 7, "order-17"),
    )
    own: Any = ent.render(
        task(TEXT, State.SUCCEEDED, request=kept, snapshot={"roles": ["video"]}, results=1), PlainLinks()
    )
    (creation,) = own.body["creations"]
    assert (creation["id"], creation["url"]) == (OURS, f"https://gw/assets/{OURS}/0?sig=1")
    assert (own.body["id"], own.body["payload"], own.body["off_peak"]) == (OURS, "order-17", True)


@pytest.mark.parametrize(
    ("reason", "status", "elsewhere", "blamed"),
    [
        ("FieldInvalid", 400, False, False),
        ("CreditInsufficient", 400, True, True),
        ("Unauthorized", 401, True, True),
        ("TooManyRequests", 429, True, False),
        ("TaskPromptPolicyViolation", 400, False, False),
        ("InternalServiceFailure", 500, False, False),
    ],
)
def test_refusals(reason: str, status: int, elsewhere: bool, blamed: bool) -> None:
    answer = answered({"code": status, "reason": reason, "message": "m", "metadata": {}}, status)
    assert TEXT.job.rules.accept(answer, asked(TEXT, {"model": "viduq1", "prompt": "x"})) == Refused(elsewhere)
    assert vidu_ent.channel_fault(answer) is blamed
    good = answered({"task_id": THEIRS, "state": "created", "credits": 80})
    assert TEXT.job.rules.accept(good, asked(TEXT, {"model": "viduq1", "prompt": "x"})) == Accepted(
        THEIRS, facts={"credits": 80}
    )


@pytest.mark.parametrize(
    ("body", "usd"),
    [
        ({"model": "viduq1"}, 0.40),
        ({"model": "vidu1.5"}, 0.20),
        ({"model": "vidu1.5", "resolution": "720p"}, 0.50),
        ({"model": "vidu1.5", "duration": 8}, 1.00),
        ({"model": "vidu2.0", "resolution": "1080p"}, 0.50),
        ({"model": "viduq2", "resolution": "540p", "duration": 1}, 0.05),
        ({"model": "viduq2", "resolution": "540p", "duration": 5}, 0.09),
        ({"model": "viduq3-pro", "duration": 4}, 0.60),
    ],
)
def test_prices(body: dict[str, Any], usd: float) -> None:
    usage = TEXT.estimate(asked(TEXT, {"prompt": "x", **body}))
    assert PriceBook.shipped().cost_of_call(body["model"], usage) == round(usd * 10**9)


def test_what_the_vendor_says_that_it_took_counts() -> None:
    estimate = TEXT.estimate(asked(TEXT, {"prompt": "x", "model": "viduq1", "off_peak": True}))
    usage = TEXT.job.rules.read(answered({**ENT, "credits": 40}), task(TEXT, estimate=estimate)).usage
    assert usage is not None
    assert PriceBook.shipped().cost_of_call("viduq1", usage) == 200_000_000


def test_the_signature() -> None:
    head = sign(Callback("https://caller/hook?order=17", b"{}", "whsec_x", 1728357690))
    date = "Tue, 08 Oct 2024 03:21:30 GMT"
    lines = [
        "POST",
        "/hook",
        "order=17",
        "vidu",
        date,
        f"Date:{date}",
        f"x-request-nonce:{head['x-request-nonce']}",
        "",
    ]
    digest = hmac.new(b"whsec_x", "\n".join(lines).encode(), hashlib.sha256).digest()
    assert (head["date"], head["x-hmac-signature"]) == (date, base64.b64encode(digest).decode())
    assert vidu_ent.authorize("key") == {"authorization": "Token key"}
