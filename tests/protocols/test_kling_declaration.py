"""Kling's declaration against the samples of the vendor's document."""

from __future__ import annotations

import json
import re
import time
from types import SimpleNamespace
from typing import Any

import jwt
import msgspec
import pytest

from deeepai.declare import (
    Accepted,
    Allowance,
    Child,
    Facts,
    Failure,
    Hook,
    Reason,
    Refused,
    Result,
    State,
    Task,
    UpstreamCall,
    Usage,
    Window,
)
from deeepai.money.prices import PriceBook
from deeepai.protocols.kling import KINDS, SUBMISSIONS, kling
from tests.protocols.plain import PlainLinks, answered, asked, operation, sent_on

TEXT = operation(kling, "videos.text2video")
RULES, FACE = TEXT.job.rules, TEXT.job.face
THEIRS, OURS = "831922345719271433", "170000000000000017"
FACTS = Facts(model="kling-v1", requested_model="kling-v1", reference="req_1")
CREATED: dict[str, Any] = {
    "code": 0,
    "message": "SUCCEED",
    "request_id": "their-request",
    "data": {
        "task_id": THEIRS,
        "task_status": "submitted",
        "task_info": {"external_task_id": "req_1"},
        "created_at": 1722769557708,
        "updated_at": 1722769557708,
    },
}
VIDEO = {"id": "831922345799999999", "url": "https://vendor/f/x.mp4", "watermark_url": "", "duration": "5.1"}
DONE: dict[str, Any] = {
    **CREATED,
    "data": {
        **CREATED["data"],
        "task_status": "succeed",
        "task_status_msg": "",
        "task_result": {"videos": [VIDEO]},
        "watermark_info": {"enabled": False},
        "final_unit_deduction": "2.5",
        "updated_at": 1722769877708,
    },
}


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {
        "id": OURS,
        "operation": "kling.videos.text2video",
        "model": "kling-v1",
        "upstream_id": THEIRS,
        "request": {"external_task_id": None},
        "submitted_at": 1722769557000,
    }
    return Task(state=state, **{**known, **changes})


def shown(seen: Task) -> Any:
    return FACE.render(seen, PlainLinks()).body


# Credentials -------------------------------------------------------------------------------------------------------


def test_a_key_pair_signs_for_half_an_hour() -> None:
    assert kling.signing is not None
    now, secret = int(time.time()), "s" * 32
    header = kling.signing.headers(f"the-access-key|{secret}", now)
    token = header["authorization"].removeprefix("Bearer ")
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, secret, algorithms=["HS256"])
    assert claims == {"iss": "the-access-key", "exp": now + 1800, "nbf": now - 5}
    assert 0 < kling.signing.seconds < 1800


@pytest.mark.parametrize("key", ["a-bearer-of-its-own", "sk-of-another-relay|odd"])
def test_any_other_credential_goes_as_it_is(key: str) -> None:
    assert kling.signing is not None
    assert kling.signing.headers(key, 0) == {"authorization": f"Bearer {key}"}


# Requests ----------------------------------------------------------------------------------------------------------


def test_paths() -> None:
    assert [item.path for item in SUBMISSIONS] == [f"/kling/v1/{kind}" for kind in KINDS]
    assert [item.upstream_template for item in SUBMISSIONS] == [f"/v1/{kind}" for kind in KINDS]
    fetch = operation(kling, "tasks.get")
    assert {fetch.path, *fetch.aliases} == {f"/kling/v1/{kind}/{{id}}" for kind in KINDS}
    assert {row for item in kling.operations for row in item.rows} == {141, 142, 143, 144}


@pytest.mark.parametrize("declared", SUBMISSIONS, ids=lambda declared: declared.name)
def test_each_example_is_asked_for_and_found_below_its_path(declared: Any) -> None:
    request, rules = asked(declared, declared.example), declared.job.rules
    accepted = rules.accept(answered(CREATED), request)
    assert isinstance(accepted, Accepted)
    assert rules.poll(task(facts=dict(accepted.facts))) == UpstreamCall(f"{declared.upstream_template}/{THEIRS}")
    assert rules.find_lost("req_1") == UpstreamCall(f"{declared.upstream_template}/req_1")
    assert rules.found_lost(answered(DONE), "req_1") == THEIRS
    assert rules.found_lost(answered({"code": 1203, "message": "no such task"}), "req_1") is None
    key = declared.price(request) if declared.price is not None else declared.model(request)
    usage = declared.estimate(request) if declared.estimate is not None else Usage(calls=1)
    assert PriceBook.shipped().cost_of_call(key, usage)


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({}, "kling-v1"),
        ({"model": "kling-v2-6"}, "kling-v2-6"),
        ({"model_name": "kling-v3", "model": "kling-v1"}, "kling-v3"),
    ],
)
def test_both_names_of_the_model(body: dict[str, str], model: str) -> None:
    body = {"prompt": "x", **body}
    assert TEXT.model(asked(TEXT, body)) == model
    facts = Facts(model=model, requested_model=model)
    assert sent_on(TEXT, body, facts) == {**body, "model_name": model, **({"model": model} if "model" in body else {})}


def test_numbers_as_texts_and_texts_as_numbers() -> None:
    body = {"prompt": "x", "model_name": "kling-v1", "duration": 10, "cfg_scale": "0.5", "multi_shot": "true"}
    sent = sent_on(TEXT, body, Facts(model="kling-v1", requested_model="kling-v1"))
    assert sent == {**body, "duration": "10", "cfg_scale": 0.5, "multi_shot": True}
    assert sent["multi_shot"] is True
    images = operation(kling, "images.generations")
    plain = {"prompt": "x", "model_name": "kling-v1", "n": "9", "image_fidelity": "0.4"}
    assert images.estimate(asked(images, plain)) == Usage(images=9, basis="estimated")
    assert images.patch(asked(images, plain), FACTS) == {"n": 9, "image_fidelity": 0.4, "external_task_id": "req_1"}
    right = {"prompt": "x", "model_name": "kling-v1", "n": 2, "human_fidelity": 0.45}
    assert images.patch(asked(images, right), Facts(model="kling-v1", requested_model="kling-v1")) == {}
    for wrong in ({"n": "many"}, {"n": "10"}, {"n": 0}):
        with pytest.raises(msgspec.ValidationError, match="n"):
            asked(images, {"prompt": "x", **wrong})


def test_the_caller_s_callback_and_name_are_kept_and_replaced() -> None:
    body = {
        "prompt": "x",
        "model_name": "kling-v1",
        "callback_url": "https://caller/hook",
        "external_task_id": "order-17",
        "camera_json": "unknown",
    }
    facts = Facts(model="kling-v1", requested_model="kling-v1", reference="req_1", hook_url="https://gw/hooks/1")
    sent = {**body, "callback_url": "https://gw/hooks/1", "external_task_id": "req_1"}
    assert sent_on(TEXT, body, facts) == sent
    assert FACE.keep(asked(TEXT, body)) == {"external_task_id": "order-17"}
    assert FACE.hook(asked(TEXT, body)) == Hook("https://caller/hook", None)
    assert FACE.hook(asked(TEXT, {"prompt": "x", "callback_url": ""})) is None


def test_a_renamed_model_of_an_effect() -> None:
    effects = operation(kling, "videos.effects")
    body = {"effect_scene": "hug", "input": {"model_name": "kling-v1-5", "images": ["a", "b"], "mode": "pro"}}
    assert effects.model(asked(effects, body)) == "kling-v1-5"
    assert effects.estimate(asked(effects, body)).params["mode"] == "pro"
    same = Facts(model="kling-v1-5", requested_model="kling-v1-5")
    assert sent_on(effects, body, same) == body
    other = Facts(model="relay-kling", requested_model="kling-v1-5")
    assert sent_on(effects, body, other)["input"] == {**body["input"], "model_name": "relay-kling"}


def test_follow_ups_name_the_vendor_s_video() -> None:
    extend, lips = operation(kling, "videos.video-extend"), operation(kling, "videos.lip-sync")
    assert extend.origin.ids(asked(extend, {"video_id": VIDEO["id"]})) == [VIDEO["id"]]
    assert lips.origin.ids(asked(lips, {"input": {"video_id": VIDEO["id"], "mode": "text2video"}})) == [VIDEO["id"]]
    assert lips.origin.ids(asked(lips, {"input": {"video_url": "https://a/v.mp4", "mode": "text2video"}})) == []


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("videos.text2video", {"prompt": ""}),
        ("videos.text2video", {"multi_shot": "false"}),
        ("videos.image2video", {"prompt": "x", "image": ""}),
        ("videos.multi-image2video", {"image_list": [{"image": "a"}]}),
        ("videos.video-extend", {"prompt": "x"}),
        ("images.kolors-virtual-try-on", {"cloth_image": "a"}),
    ],
)
def test_what_is_missing(name: str, body: dict[str, Any]) -> None:
    with pytest.raises((Failure, msgspec.ValidationError), match=r"is required|missing required"):
        asked(operation(kling, name), body)
    asked(TEXT, {"multi_shot": True, "multi_prompt": [{"index": 1, "prompt": "x", "duration": "5"}]})


@pytest.mark.parametrize(
    ("answer", "status", "elsewhere", "blamed"),
    [
        ({"code": 1303, "message": "parallel task over resource pack limit"}, 429, True, False),
        ({"code": 1102, "message": "used up"}, 429, True, True),
        ({"code": 1103, "message": "no right"}, 403, True, True),
        ({"code": 1002, "message": "bad key"}, 401, True, True),
        ({"code": 5000, "message": "internal"}, 500, True, False),
        ({"code": 5002, "message": "time-out"}, 504, False, False),
        ({"code": 1201, "message": "illegal"}, 400, False, False),
        ({"code": 1301, "message": "unsafe"}, 400, False, False),
        ({"code": 1203, "message": "no such model"}, 404, False, False),
        ({"code": 1201, "message": "illegal"}, 200, False, False),
        ({"code": None, "data": {"task_id": "1"}}, 200, False, False),
    ],
)
def test_refusals(answer: Any, status: int, elsewhere: bool, blamed: bool) -> None:
    verdict = RULES.accept(answered(answer, status), asked(TEXT, {"prompt": "x"}))
    assert verdict == Refused(elsewhere, worded=status == 200 and answer["code"] is not None)
    assert kling.channel_fault(answered(answer, status)) is blamed


# Prices ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "mode", "duration", "sound", "usd"),
    [
        ("kling-v1", None, None, None, 0.14),
        ("kling-v1", "std", "10", None, 0.28),
        ("kling-v1", "pro", 5, None, 0.49),
        ("kling-v1-6", "pro", 10, None, 0.98),
        ("kling-v2-1-master", None, "10", None, 2.80),
        ("kling-v2-5-turbo", "pro", "10", None, 0.70),
        ("kling-v2-6", "pro", "10", "on", 1.40),
        ("kling-v3", "std", 3, None, 0.252),
        ("kling-v3", "pro", 15, "on", 2.52),
    ],
)
def test_prices_of_videos(model: str, mode: str | None, duration: Any, sound: str | None, usd: float) -> None:
    body = {"prompt": "x", "model_name": model, "mode": mode, "duration": duration, "sound": sound}
    usage = TEXT.estimate(asked(TEXT, body))
    assert PriceBook.shipped().cost_of_call(model, usage) == round(usd * 10**9)


@pytest.mark.parametrize(
    ("body", "key", "usd"),
    [
        ({"n": 4}, "kling-v1-image", 0.014),
        ({"model_name": "kling-v1-5", "image": "a"}, "kling-v1-5-image-reference", 0.028),
        ({"model_name": "kling-v2"}, "kling-v2-image", 0.014),
        ({"model_name": "kling-v3", "n": 2}, "kling-v3-image", 0.056),
    ],
)
def test_prices_of_pictures(body: dict[str, Any], key: str, usd: float) -> None:
    images = operation(kling, "images.generations")
    request = asked(images, {"prompt": "x", **body})
    assert images.price(request) == key
    assert PriceBook.shipped().cost_of_call(key, images.estimate(request)) == round(usd * 10**9)


def test_what_the_vendor_says_that_it_took_counts() -> None:
    estimate = TEXT.estimate(asked(TEXT, {"prompt": "x", "mode": "pro", "duration": 10}))
    usage = RULES.read(answered(DONE), task(estimate=estimate)).usage
    assert usage is not None
    assert (usage.cost, usage.basis, usage.seconds) == (350_000_000, "vendor", 10.0)
    assert PriceBook.shipped().cost_of_call("kling-v1", usage) == 350_000_000
    # An operator's own price, which does not go by the vendor's word, has all that it depends on.
    own = PriceBook.shipped().overridden({"kling-v1": {"per_second": "0.01"}})
    assert own.cost_of_call("kling-v1", usage) == 100_000_000
    for said in (None, "0", "much", "inf"):
        answer = {**DONE, "data": {**DONE["data"], "final_unit_deduction": said}}
        assert RULES.read(answered(answer), task()).usage is None


# Tasks -------------------------------------------------------------------------------------------------------------


def test_the_end_of_a_video() -> None:
    status = RULES.read(answered(DONE), task())
    assert (status.state, status.results) == (State.SUCCEEDED, (Result("https://vendor/f/x.mp4", role="video"),))
    assert status.children == (Child("831922345799999999", "video"),)
    failed = {**CREATED, "data": {**CREATED["data"], "task_status": "failed", "task_status_msg": "unsafe"}}
    assert (RULES.read(answered(failed), task()).state, RULES.read(answered(failed), task()).error) == (
        State.FAILED,
        "unsafe",
    )
    assert RULES.read(answered(CREATED), task()).state is State.QUEUED
    assert RULES.read(answered({"code": 1203, "message": "m"}), task()).state is State.NOT_FOUND
    assert RULES.hook_in(DONE["data"]) == THEIRS


def test_the_vendor_s_envelope_with_our_words() -> None:
    asset = f"https://gw/assets/{OURS}/0?sig=1"
    body = shown(task(State.SUCCEEDED, snapshot=DONE, results=1, request={"external_task_id": "order-17"}))
    assert body == {
        **DONE,
        "request_id": OURS,
        "data": {
            **DONE["data"],
            "task_id": OURS,
            "task_info": {"external_task_id": "order-17"},
            "task_result": {"videos": [{**VIDEO, "url": asset}]},
        },
    }
    nameless = shown(task(State.QUEUED, snapshot=CREATED))
    assert nameless["data"] == {**CREATED["data"], "task_id": OURS, "task_info": {}}
    parent = {"parent_video": {"id": "1", "url": "https://vendor/old.mp4", "duration": "5"}}
    told = shown(task(State.QUEUED, snapshot={**CREATED, "data": {**CREATED["data"], "task_info": parent}}))
    assert "vendor" not in json.dumps(told)


def test_pictures_and_watermarks() -> None:
    pictures = [
        {"index": at, "url": f"https://vendor/{at}.png", "watermark_url": f"https://vendor/{at}w"} for at in (0, 1)
    ]
    answer = {**DONE, "data": {**DONE["data"], "task_result": {"images": pictures}}}
    status = RULES.read(answered(answer), task())
    assert [result.url for result in status.results] == [
        *(item["url"] for item in pictures),
        *(item["watermark_url"] for item in pictures),
    ]
    seen = shown(task(State.SUCCEEDED, snapshot=answer, results=4))["data"]["task_result"]["images"]
    assert [re.sub(r".*/(\d)\?.*", r"\1", item["watermark_url"]) for item in seen] == ["2", "3"]


def test_what_the_gateway_says_itself() -> None:
    created = FACE.submitted(task(State.QUEUED, request={"external_task_id": "order-17"}), PlainLinks()).body
    assert created == {
        "code": 0,
        "message": "SUCCEED",
        "request_id": OURS,
        "data": {
            "task_id": OURS,
            "task_status": "submitted",
            "task_status_msg": "",
            "task_info": {"external_task_id": "order-17"},
            "created_at": 1722769557000,
            "updated_at": 1722769557000,
        },
    }
    late = shown(task(State.FAILED, snapshot=CREATED, error="timed out", finished_at=1722769999000))["data"]
    assert (late["task_status"], late["task_status_msg"], late["updated_at"]) == ("failed", "timed out", 1722769999000)
    elsewhere = shown(task(State.SUCCEEDED, snapshot={"roles": ["image", "image"]}, results=2))["data"]
    assert [item["index"] for item in elsewhere["task_result"]["images"]] == [0, 1]
    video = shown(task(State.SUCCEEDED, snapshot=None, results=1))["data"]["task_result"]["videos"][0]
    assert video == {"id": OURS, "url": f"https://gw/assets/{OURS}/0?sig=1", "watermark_url": "", "duration": ""}


def test_callbacks_have_no_envelope() -> None:
    assert FACE.hook_each_change
    done = task(State.SUCCEEDED, snapshot=DONE, results=1)
    message = FACE.hook_message(done, PlainLinks())
    assert message.body == shown(done)["data"]
    assert message.headers == {}


def test_ids_look_like_the_vendor_s() -> None:
    assert re.fullmatch(r"[1-9]\d{17}", FACE.new_id())


# The caller's own --------------------------------------------------------------------------------------------------


class Pages:
    """Two hundred and fifty tasks, told a hundred at a time."""

    links = PlainLinks()

    def __init__(self, path: str, **query: str) -> None:
        self.request = SimpleNamespace(path=path, query=query)
        self.names: set[str] = set()

    async def page(self, operations: list[str], window: Window) -> tuple[list[Task], bool]:
        self.names |= set(operations)
        first = 0 if window.after is None else int(window.after) + 1
        last = min(250, first + min(100, window.limit))
        return [task(State.QUEUED, id=str(number)) for number in range(first, last)], last < 250


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ({}, 0, 30),
        ({"pageNum": "2", "pageSize": "120"}, 120, 120),
        ({"pageNum": "3", "pageSize": "120"}, 240, 10),
        ({"pageNum": "4", "pageSize": "120"}, None, 0),
        ({"pageSize": "500"}, 0, 250),
    ],
)
async def test_lists(query: dict[str, str], first: int | None, count: int) -> None:
    view = Pages("/kling/v1/images/kolors-virtual-try-on", **query)
    body = (await operation(kling, "tasks.list").answer(view)).body
    assert (body["code"], len(body["data"])) == (0, count)
    assert view.names == {"images.kolors-virtual-try-on"}
    if count:
        assert [item["task_id"] for item in body["data"]] == [str(first + at) for at in range(count)]


@pytest.mark.parametrize("query", [{"pageNum": "0"}, {"pageSize": "501"}, {"pageNum": "x"}, {"pageNum": "999"}])
async def test_lists_have_bounds(query: dict[str, str]) -> None:
    with pytest.raises(Failure):
        await operation(kling, "tasks.list").answer(Pages("/kling/v1/videos/effects", **query))


async def test_costs_are_the_caller_s_own() -> None:
    async def allowance() -> Allowance:
        return Allowance("mine", 140_000_000, 1_400_000_000, bounded=True, expires_at=None, models=None)

    reply = await operation(kling, "account.costs").answer(SimpleNamespace(allowance=allowance))
    (pack,) = reply.body["data"]["resource_pack_subscribe_infos"]
    assert (pack["total_quantity"], pack["remaining_quantity"], pack["status"]) == (11.0, 10.0, "online")


def test_errors() -> None:
    reply = kling.error(Failure(Reason.INVALID, "must be std or pro", param="mode"), None, "r1")
    assert reply.status == 400
    assert reply.body == {"code": 1201, "message": "mode: must be std or pro", "request_id": "r1"}
    for reason, status, code in (
        (Reason.UNAUTHENTICATED, 401, 1002),
        (Reason.UNFUNDED, 429, 1102),
        (Reason.NOT_FOUND, 404, 1203),
        (Reason.BAD_METHOD, 404, 1202),
        (Reason.RATE_LIMITED, 429, 1302),
        (Reason.TOO_LARGE, 413, 1200),
        (Reason.UNAVAILABLE, 503, 5001),
        (Reason.UPSTREAM, 502, 5000),
    ):
        reply = kling.error(Failure(reason, "m"), None, "r")
        assert (reply.status, reply.body["code"]) == (status, code)
