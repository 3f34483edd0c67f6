from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from deeepai.declare import DROP, Failure, Kind, Reason, State, Task, Usage
from deeepai.gateway.body import HttpRequest
from deeepai.gateway.routing import Router
from deeepai.money.prices import PriceBook
from deeepai.protocols.midjourney import PREFIXES, midjourney
from tests.protocols.midjourney_samples import (
    HASH,
    OURS,
    PARENT,
    PNG,
    THEIR_PARENT,
    THEIRS,
    cost,
    origin,
    patched,
    placed,
    shown,
    submit,
    task,
)
from tests.protocols.sent import Fixed, answered, sent

# Paths -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "params"),
    [
        ("", {}),
        ("/mj-fast", {"mode": "fast"}),
        ("/relax", {"mode": "relax"}),
        ("/mj-turbo-origin", {"mode": "turbo", "images": "origin"}),
        ("/mj-relay", {"images": "relay"}),
        ("/fast-proxy", {"mode": "fast", "images": "proxy"}),
    ],
)
def test_prefixes(prefix: str, params: dict[str, str]) -> None:
    _, found = Router([midjourney]).find("POST", f"{prefix}/mj/submit/imagine")
    assert found == params


def test_all_prefixes_and_no_others() -> None:
    form = re.compile(r"/(?:mj-)?(?:(fast|relax|turbo)(-(relay|origin|proxy))?|relay|origin|proxy)")
    assert len(PREFIXES) == 31
    assert all(form.fullmatch(prefix) for prefix in PREFIXES if prefix)
    assert midjourney.claims is not None
    refused = midjourney.claims("/mj-slow/mj/submit/imagine")
    assert refused is not None
    reply = midjourney.error(refused, None, "r")
    assert isinstance(reply.body, dict)
    assert (reply.status, reply.body["code"], reply.body["description"]) == (400, 4, "无效的加速模式")
    assert midjourney.claims("/mj-fast/mj/unknown") is None
    assert midjourney.claims("/v1/chat/completions") is None


# Names and prices --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "model", "usd"),
    [
        ("imagine", "mj_imagine", 0.1),
        ("change", "mj_upscale", 0.05),
        ("simple-change", "mj_upscale", 0.05),
        ("modal", "mj_modal", 0.1),
        ("blend", "mj_blend", 0.1),
        ("describe", "mj_describe", 0.05),
        ("shorten", "mj_shorten", 0.1),
        ("edits", "mj_edits", 0.1),
        ("retexture", "mj_edits", 0.1),
        ("video", "mj_video", 0.8),
        ("upload-discord-images", "mj_upload", 0.05),
    ],
)
async def test_names_and_prices(name: str, model: str, usd: float) -> None:
    operation, request = await submit(name)
    assert operation.model is not None
    assert operation.estimate is not None
    assert operation.model(request) == model
    assert cost(model, operation.estimate(request)) == usd


@pytest.mark.parametrize(
    ("custom_id", "model", "price"),
    [
        (f"MJ::JOB::upsample::1::{HASH}", "mj_upscale", "mj_upscale"),
        (f"MJ::JOB::variation::4::{HASH}", "mj_variation", "mj_variation"),
        (f"MJ::JOB::reroll::0::{HASH}::SOLO", "mj_reroll", "mj_reroll"),
        (f"MJ::JOB::low_variation::1::{HASH}::SOLO", "mj_low_variation", "mj_low_variation"),
        (f"MJ::JOB::high_variation::1::{HASH}::SOLO", "mj_high_variation", "mj_high_variation"),
        (f"MJ::Inpaint::1::{HASH}::SOLO", "mj_inpaint", "mj_modal"),
        (f"MJ::CustomZoom::{HASH}", "mj_custom_zoom", "mj_modal"),
        (f"MJ::CustomZoom::1::{HASH}", "mj_custom_zoom", "mj_modal"),
        (f"MJ::Outpaint::75::1::{HASH}::SOLO", "mj_zoom", "mj_zoom"),
        (f"MJ::JOB::pan_left::1::{HASH}::SOLO", "mj_pan", "mj_pan"),
        (f"MJ::JOB::upsample_v6r1_2x_subtle::1::{HASH}::SOLO", "mj_upscale", "mj_upscale"),
        (f"MJ::JOB::animate_high::1::{HASH}::SOLO", "mj_video", "mj_video"),
        (f"MJ::JOB::animate_low_extend::1::{HASH}", "mj_video", "mj_video"),
        (f"MJ::JOB::video_virtual_upscale::2::{HASH}", "mj_upscale", "mj_upscale"),
        ("MJ::JOB::video::low::manual", "mj_video", "mj_video"),
        ("MJ::Job::PicReader::3", "mj_imagine", "mj_imagine"),
        ("MJ::Picread::Retry", "mj_describe", "mj_describe"),
        ("MJ::Job::PromptAnalyzer::5", "mj_imagine", "mj_imagine"),
        ("MJ::JOB::PromptAnalyzer::1", "mj_imagine", "mj_imagine"),
        (f"MJ::BOOKMARK::{HASH}", "mj_bookmark", "mj_bookmark"),
    ],
)
async def test_buttons(custom_id: str, model: str, price: str) -> None:
    operation, request = await submit("action", customId=custom_id)
    assert operation.model is not None
    assert operation.price is not None
    assert (operation.model(request), operation.price(request)) == (model, price)
    assert model in midjourney.models
    assert cost(price, Usage(calls=1)) >= 0


@pytest.mark.parametrize("custom_id", ["MJ::JOB::unheard_of::1", "MJ::Job::PicReader::all", "x"])
async def test_buttons_that_are_refused(custom_id: str) -> None:
    with pytest.raises(Failure):
        await submit("action", customId=custom_id)


def test_every_model_has_a_price() -> None:
    book = PriceBook.shipped()
    assert all(book.cost(name, Usage(calls=1), 1) is not None for name in midjourney.models)


@pytest.mark.parametrize(
    ("prefix", "body", "mode"),
    [
        ("", {}, "fast"),
        ("", {"mode": "turbo"}, "turbo"),
        ("", {"prompt": "cat --relax", "mode": "turbo"}, "relax"),
        ("", {"prompt": "cat --relax", "accountFilter": {"modes": ["TURBO", "FAST"]}}, "turbo"),
        ("/mj-relax", {"prompt": "cat --turbo", "accountFilter": {"modes": ["TURBO"]}}, "relax"),
        ("/mj-origin", {"accountFilter": {"modes": []}}, "fast"),
    ],
)
async def test_speed_and_its_price(prefix: str, body: dict[str, Any], mode: str) -> None:
    operation, request = await submit("imagine", prefix, **body)
    assert operation.estimate is not None
    usage = operation.estimate(request)
    assert usage.params == {"mode": mode}
    assert cost("mj_imagine", usage) == {"fast": 0.1, "relax": 0.05, "turbo": 0.2}[mode]


# On the way out ----------------------------------------------------------------------------------------------------


async def test_what_is_the_callers_own_stays_here() -> None:
    found = await submit(
        "imagine", state="s", notifyHook="https://caller.example/x", accountFilter={"modes": ["FAST"]}, mode="fast"
    )
    assert patched(found) == {"state": "req_1", "notifyHook": DROP, "accountFilter": DROP, "mode": "fast"}
    ours = patched(found, hook_url="https://gw/hooks/1", forward_account_filter=True)
    assert ours["notifyHook"] == "https://gw/hooks/1"
    assert ours["accountFilter"] == {"modes": ["FAST"]}


async def test_a_speed_that_is_not_paid_for_is_not_sent() -> None:
    found = await submit(
        "imagine", "/mj-relax", prompt="cat --turbo --ar 1:1", mode="turbo", accountFilter={"modes": ["TURBO"]}
    )
    changes = patched(found, forward_account_filter=True)
    assert changes["prompt"] == "cat --ar 1:1"
    assert changes["mode"] == "relax"
    assert changes["accountFilter"] == {"modes": ["RELAX"]}
    assert "prompt" not in patched(await submit("imagine", prompt="cat --turbo"))


async def test_the_prefix_goes_on_only_where_the_channel_takes_it() -> None:
    found = await submit("imagine", "/mj-relax-origin")
    assert placed(found) == "/mj/submit/imagine"
    assert placed(found, forward_mode=True) == "/mj-relax/mj/submit/imagine"


@pytest.mark.parametrize("name", ["change", "simple-change", "action"])
async def test_follow_ups_name_the_parent_as_the_upstream_does(name: str) -> None:
    operation, request = found = await submit(name)
    assert operation.origin is not None
    assert operation.origin.ids(request) == (PARENT,)
    changes = patched(found, origin=origin())
    if name == "simple-change":
        assert changes["content"] == f"{THEIR_PARENT} U2"
    else:
        assert changes["taskId"] == THEIR_PARENT
    assert changes["state"] == "req_1"


async def test_ids_may_be_numbers() -> None:
    operation, request = await submit("change", taskId=int(PARENT))
    assert operation.origin is not None
    assert operation.origin.ids(request) == (PARENT,)


@pytest.mark.parametrize(
    ("body", "snapshot", "custom_id"),
    [
        (f"{PARENT} v3", {"properties": {"messageHash": HASH}}, f"MJ::JOB::variation::3::{HASH}"),
        (f"{PARENT} R", {"properties": {"messageHash": HASH}}, f"MJ::JOB::reroll::0::{HASH}::SOLO"),
        (f"{PARENT} U1", {"buttons": [{"customId": "MJ::JOB::upsample::1::z"}]}, "MJ::JOB::upsample::1::z"),
    ],
)
async def test_a_change_as_a_button(body: str, snapshot: dict[str, Any], custom_id: str) -> None:
    found = await submit("simple-change", content=body)
    changes = patched(found, origin=origin(snapshot=snapshot), change_as_action=True)
    assert changes["customId"] == custom_id
    assert changes["taskId"] == THEIR_PARENT
    assert changes["content"] is DROP
    assert placed(found, change_as_action=True) == "/mj/submit/action"
    assert placed(found) == "/mj/submit/simple-change"


async def test_a_change_as_a_button_needs_the_picture_s_hash() -> None:
    with pytest.raises(Failure):
        patched(await submit("change"), origin=origin(), change_as_action=True)


async def test_modal_resumes_the_waiting_task_itself() -> None:
    found = operation, request = await submit("modal", prompt="red --turbo", state="x", maskBase64=PNG)
    assert operation.resumes
    assert operation.origin is not None
    assert operation.origin.ids(request) == (OURS,)
    changes = patched(found, origin=task(State.WAITING))
    assert changes["taskId"] == THEIRS
    assert changes["prompt"] == "red"
    assert changes["state"] is changes["notifyHook"] is DROP


async def test_video_is_a_follow_up_only_where_it_lengthens() -> None:
    operation, request = await submit("video")
    assert operation.origin is not None
    assert operation.origin.ids(request) == ()
    found = await submit("video", action="extend", taskId=PARENT, index=0)
    assert operation.origin.ids(found[1]) == (PARENT,)
    assert patched(found, origin=origin())["taskId"] == THEIR_PARENT


async def test_seed_and_cancel_ask_under_the_upstream_s_id() -> None:
    for method, path in (("GET", "image-seed"), ("POST", "cancel")):
        found = operation, request = await sent(midjourney, method, f"/mj/task/{PARENT}/{path}")
        assert operation.free
        assert operation.origin is not None
        assert operation.origin.ids(request) == (PARENT,)
        assert placed(found, origin=origin()) == f"/mj/task/{THEIR_PARENT}/{path}"


@pytest.mark.parametrize(
    ("name", "parent", "fine"),
    [
        ("change", origin(), True),
        ("change", origin(State.RUNNING), False),
        ("change", origin(action="UPSCALE"), False),
        (
            "change",
            origin(snapshot={"action": "ZOOM", "buttons": [{"customId": f"MJ::JOB::upsample::2::{HASH}"}]}),
            True,
        ),
        ("action", origin(action="UPSCALE"), True),
        ("action", origin(State.FAILED), False),
    ],
)
async def test_what_may_be_followed_up(name: str, parent: Task, fine: bool) -> None:
    operation, request = await submit(name)
    if fine:
        operation.origin.check(request, parent)
        return
    with pytest.raises(Failure) as caught:
        operation.origin.check(request, parent)
    assert caught.value.kind is Reason.INVALID


async def test_uploads_are_paid_when_they_are_taken() -> None:
    operation, request = found = await submit("upload-discord-images")
    assert operation.kind is Kind.CALL
    assert operation.usage is not None
    assert operation.usage(request, answered({"code": 1, "result": ["https://x"]})) == Usage(
        calls=1, params={"mode": "fast"}
    )
    assert operation.usage(request, answered({"code": 4, "result": None})) is None
    assert patched(found) == {"accountFilter": DROP, "filter": DROP}
    assert patched(found, forward_account_filter=True) == {}


def test_settings_have_names() -> None:
    settings = {"forward_mode": True, "forward_account_filter": False, "change_as_action": True}
    assert msgspec.to_builtins(msgspec.convert(settings, midjourney.settings)) == {
        "forward_mode": True,
        "change_as_action": True,
    }
    with pytest.raises(msgspec.ValidationError, match="forward_mod"):
        msgspec.convert({"forward_mod": True}, midjourney.settings)


# Errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("imagine", {"prompt": " "}, "prompt不能为空"),
        ("change", {"action": "GROW"}, "action参数错误"),
        ("change", {"index": 5}, "index参数错误"),
        ("change", {"index": None}, "index参数错误"),
        ("simple-change", {"content": f"{PARENT}  U2"}, "content参数错误"),
        ("simple-change", {"content": f"{PARENT} U5"}, "content参数错误"),
        ("blend", {"base64Array": [PNG]}, "base64Array参数错误"),
        ("blend", {"dimensions": None}, "dimensions参数错误"),
        ("describe", {"base64": None}, "base64或link不能为空"),
        ("describe", {"base64": None, "link": "ftp://x"}, "链接格式错误"),
        ("edits", {"image": ""}, "image不能为空"),
        ("video", {"prompt": None}, "prompt不能为空"),
        ("video", {"action": "extend", "index": 1}, "taskId不能为空"),
        ("imagine", {"state": "x" * 256}, "state参数错误"),
    ],
)
async def test_bad_bodies(name: str, body: dict[str, Any], said: str) -> None:
    with pytest.raises(Failure) as caught:
        await submit(name, **body)
    operation = next(each for each in midjourney.operations if each.name == name)
    reply = midjourney.error(caught.value, operation, "r")
    assert isinstance(reply.body, dict)
    assert reply.status == 400
    assert reply.body["code"] == 4
    assert reply.body["description"].startswith(said)
    assert (reply.body["result"], reply.body["properties"]) == (None, {})


async def test_faces() -> None:
    for body, said in (
        ({"targetBase64": PNG}, "人脸图片不能为空"),
        ({"sourceBase64": PNG}, "目标图片不能为空"),
        ({"sourceBase64": PNG, "targetUrl": PNG}, "人脸图片和目标图片不能相同"),
    ):
        with pytest.raises(Failure, match=said):
            await sent(midjourney, "POST", "/mj/insight-face/swap", body)


async def test_a_picture_has_a_limit() -> None:
    large = "data:image/png;base64," + "A" * (28 * 1024 * 1024)
    with pytest.raises(Failure) as caught:
        await submit("describe", base64=large)
    assert midjourney.error(caught.value, None, "r").status == 413


async def test_a_reroll_needs_no_index() -> None:
    operation, request = await submit("change", action="REROLL", index=None)
    assert operation.model is not None
    assert operation.model(request) == "mj_reroll"


@pytest.mark.parametrize(
    ("reason", "status", "code", "openai"),
    [
        (Reason.UNAUTHENTICATED, 401, 4, True),
        (Reason.FORBIDDEN, 403, 4, True),
        (Reason.UNFUNDED, 403, 4, True),
        (Reason.UNAVAILABLE, 503, 3, True),
        (Reason.NOT_FOUND, 400, 4, False),
        (Reason.RATE_LIMITED, 429, 30, False),
        (Reason.UPSTREAM, 502, 5, False),
        (Reason.INTERNAL, 500, 9, False),
    ],
)
def test_errors(reason: Reason, status: int, code: int, openai: bool) -> None:
    operation = next(each for each in midjourney.operations if each.name == "imagine")
    reply = midjourney.error(Failure(reason, "no"), operation, "r")
    assert isinstance(reply.body, dict)
    assert (reply.status, reply.body["code"]) == (status, code)
    assert ("error" in reply.body) is openai
    if openai:
        assert reply.body["error"]["message"] == "no"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("fetch", {"description": "task_no_found", "code": 4, "type": "upstream_error"}),
        ("action", {"description": "task_not_found", "code": 4, "type": "upstream_error"}),
        ("image", {"error": "midjourney_task_not_found"}),
    ],
)
def test_unknown_tasks(name: str, body: dict[str, Any]) -> None:
    operation = next(each for each in midjourney.operations if each.name == name)
    reply = midjourney.error(Failure(Reason.NOT_FOUND, "no", code="task_not_found"), operation, "r")
    assert isinstance(reply.body, dict)
    assert reply.status == 400
    assert body.items() <= reply.body.items()


# Lists -------------------------------------------------------------------------------------------------------------


class View:
    links = Fixed()
    account_id = "acc_1"

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.asked: list[list[str] | None] = []

    async def tasks(self, ids: Any = None, *, open_only: bool = False) -> list[Task]:
        self.asked.append(ids)
        return [task()] if ids is None or OURS in ids else []

    async def balance(self) -> tuple[int, int, int]:
        return 0, 0, 0


async def test_list_by_ids() -> None:
    for path in ("list-by-condition", "list-by-ids"):
        operation, request = await sent(midjourney, "POST", f"/mj/task/{path}", {"ids": [int(OURS), "5"]})
        assert operation.answer is not None
        view = View(request)
        assert (await operation.answer(view)).body == [shown(task())]
        assert view.asked == [[OURS, "5"]]
    _, nothing = await sent(midjourney, "POST", "/mj/task/list-by-condition", {"ids": None})
    assert (await operation.answer(View(nothing))).body == []
    _, many = await sent(midjourney, "POST", "/mj/task/list-by-condition", {"ids": list(range(250))})
    view = View(many)
    await operation.answer(view)
    assert [len(ids or ()) for ids in view.asked] == [100, 100, 50]
