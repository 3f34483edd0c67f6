from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Failure, Inline, Kind, Local, Reason, Refused, State, Task, Usage
from deeepai.gateway.model_list import Listed
from deeepai.gateway.routing import Router
from deeepai.money.prices import PriceBook
from deeepai.protocols.stability import stability
from deeepai.protocols.stability.jobs import JOB
from tests.protocols.sent import Fixed, answered, facts, sent

PNG = b"\x89PNG\r\n\x1a\n..."
IMAGE = {"image": PNG}
V2 = "/sd/v2beta/stable-image"
SDXL = "/sd/v1/generation/stable-diffusion-xl-1024-v1-0"
CREDITS: dict[str, tuple[float, dict[str, str], Sequence[str]]] = {
    f"{V2}/generate/ultra": (8, {"prompt": "a"}, ()),
    f"{V2}/generate/core": (3, {"prompt": "a"}, ()),
    f"{V2}/generate/sd3": (6.5, {"prompt": "a"}, ()),
    f"{V2}/upscale/fast": (1, {}, ("image",)),
    f"{V2}/upscale/conservative": (25, {"prompt": "a"}, ("image",)),
    f"{V2}/upscale/creative": (25, {"prompt": "a"}, ("image",)),
    f"{V2}/edit/erase": (3, {}, ("image",)),
    f"{V2}/edit/inpaint": (3, {"prompt": "a"}, ("image",)),
    f"{V2}/edit/outpaint": (4, {"up": "5"}, ("image",)),
    f"{V2}/edit/search-and-replace": (4, {"prompt": "a", "search_prompt": "b"}, ("image",)),
    f"{V2}/edit/search-and-recolor": (5, {"prompt": "a", "select_prompt": "b"}, ("image",)),
    f"{V2}/edit/remove-background": (2, {}, ("image",)),
    f"{V2}/edit/replace-background-and-relight": (8, {"background_prompt": "a"}, ("subject_image",)),
    f"{V2}/control/sketch": (3, {"prompt": "a"}, ("image",)),
    f"{V2}/control/structure": (3, {"prompt": "a"}, ("image",)),
    f"{V2}/control/style": (4, {"prompt": "a"}, ("image",)),
    f"{V2}/control/style-transfer": (8, {}, ("init_image", "style_image")),
    "/sd/v2beta/image-to-video": (20, {}, ("image",)),
    "/sd/v2beta/3d/stable-fast-3d": (2, {}, ("image",)),
}


def priced(name: str, usage: Usage) -> float:
    cost = PriceBook.shipped().cost(name, usage, 1)
    assert cost is not None
    return cost / 10_000_000


@pytest.mark.parametrize("path", CREDITS)
async def test_credits_of_every_form(path: str) -> None:
    credits, form, files = CREDITS[path]
    operation, request = await sent(stability, "POST", path, form=form, files=dict.fromkeys(files, PNG))
    assert operation.model is not None
    assert operation.estimate is not None
    name = operation.model(request)
    assert name in stability.models
    assert priced(name, operation.estimate(request)) == credits
    if operation.kind is Kind.CALL:
        assert operation.usage is not None
        assert operation.usage(request, answered(PNG, content_type="image/png")) == operation.estimate(request)
    assert operation.path.removeprefix("/sd") in operation.aliases
    assert operation.upstream_template == path.removeprefix("/sd")


def test_every_form_is_priced_above() -> None:
    assert {operation.path for operation in stability.operations if "/v2beta/" in operation.path} - {
        "/sd/v2beta/results/{id}"
    } == set(CREDITS)


@pytest.mark.parametrize(
    ("model", "credits"),
    [
        ("sd3.5-large", 6.5),
        ("sd3.5-large-turbo", 4),
        ("sd3.5-medium", 3.5),
        ("sd3.5-flash", 2.5),
        ("sd3-large", 6.5),
        ("sd3-turbo", 4),
    ],
)
async def test_sd3_is_priced_by_its_model(model: str, credits: float) -> None:
    operation, request = await sent(stability, "POST", f"{V2}/generate/sd3", form={"prompt": "a", "model": model})
    assert operation.model is not None
    assert operation.patch is not None
    assert priced(operation.model(request), Usage(images=1)) == credits
    assert operation.patch(request, facts()) == {"model": "m"}


async def test_sd3_without_a_model_stays_without_one() -> None:
    operation, request = await sent(stability, "POST", f"{V2}/generate/sd3", form={"prompt": "a"})
    assert operation.patch is not None
    same = msgspec.structs.replace(facts(), model="sd3.5-large")
    assert operation.patch(request, same) == {}


@pytest.mark.parametrize(
    ("body", "answer", "credits"),
    [
        ({"samples": 2, "steps": 45}, None, 2.7),
        ({"samples": 3}, ["SUCCESS", "CONTENT_FILTERED", "ERROR"], 1.8),
        ({}, ["SUCCESS"], 0.9),
        ({"steps": 10}, ["SUCCESS"], 0.9),
    ],
)
async def test_sdxl_counts_samples_and_steps(body: dict[str, Any], answer: list[str] | None, credits: float) -> None:
    operation, request = await sent(
        stability, "POST", f"{SDXL}/text-to-image", {"text_prompts": [{"text": "a"}], **body}
    )
    assert operation.model is not None
    assert operation.usage is not None
    assert operation.estimate is not None
    name = operation.model(request)
    assert name == "stable-diffusion-xl-1024-v1-0"
    if answer is None:
        assert priced(name, operation.estimate(request)) == credits
        return
    artifacts = [{"base64": "aGk=", "finishReason": reason, "seed": 1} for reason in answer]
    usage = operation.usage(request, answered({"artifacts": artifacts}))
    assert usage is not None
    assert usage.basis == "counted"
    assert priced(name, usage) == pytest.approx(credits)


async def test_sdxl_without_a_picture_costs_nothing() -> None:
    operation, request = await sent(stability, "POST", f"{SDXL}/text-to-image", {"text_prompts": [{"text": "a"}]})
    assert operation.usage is not None
    assert operation.usage(request, answered({"artifacts": [{"finishReason": "ERROR"}]})) is None


REFUSED = [
    (f"{V2}/generate/core", {}, (), "prompt: is required"),
    (f"{V2}/generate/core", {"prompt": "a", "aspect_ratio": "1:7"}, (), "aspect_ratio: "),
    (f"{V2}/generate/core", {"prompt": "a", "seed": "4294967295"}, (), "seed: "),
    (f"{V2}/generate/sd3", {"prompt": "a", "output_format": "webp"}, (), "output_format: "),
    (f"{V2}/generate/sd3", {"prompt": "a", "mode": "image-to-image"}, (), "image: "),
    (f"{V2}/generate/sd3", {"prompt": "a", "mode": "image-to-image"}, ("image",), "strength: "),
    (f"{V2}/generate/sd3", {"prompt": "a"}, ("image",), "image: "),
    (f"{V2}/generate/ultra", {"prompt": "a"}, ("image",), "strength: is required"),
    (f"{V2}/upscale/fast", {"output_format": "png"}, (), "image: is required"),
    (f"{V2}/upscale/conservative", {"prompt": "a", "creativity": "0.1"}, ("image",), "creativity: "),
    (f"{V2}/edit/outpaint", {"left": "0"}, ("image",), "left: "),
    (f"{V2}/edit/replace-background-and-relight", {}, ("subject_image",), "background_prompt: "),
    (f"{SDXL}/image-to-image", {"samples": "1"}, ("init_image",), "text_prompts: is required"),
    (
        f"{SDXL}/image-to-image/masking",
        {"text_prompts[0][text]": "a", "mask_source": "MASK_IMAGE_WHITE"},
        ("init_image",),
        "mask_image: ",
    ),
]


@pytest.mark.parametrize(("path", "form", "files", "said"), REFUSED)
async def test_bad_forms(path: str, form: dict[str, str], files: Sequence[str], said: str) -> None:
    with pytest.raises(Failure) as caught:
        await sent(stability, "POST", path, form=form, files=dict.fromkeys(files, PNG))
    operation = Router([stability]).find("POST", path)[0].operation
    reply = stability.error(caught.value, operation, "req_1")
    assert isinstance(reply.body, dict)
    assert (reply.status, reply.body["name"], reply.body["id"]) == (400, "bad_request", "req_1")
    told = reply.body["message"] if "/v1/" in path else reply.body["errors"][0]
    assert told.startswith(said)


async def test_only_forms_are_taken_and_the_refusal_is_a_400() -> None:
    with pytest.raises(Failure) as caught:
        await sent(stability, "POST", f"{V2}/generate/core", {"prompt": "a"})
    assert caught.value.kind is Reason.BAD_MEDIA
    assert stability.error(caught.value, None, "r").status == 400


@pytest.mark.parametrize(
    ("reason", "status", "name"),
    [
        (Reason.UNAUTHENTICATED, 401, "unauthorized"),
        (Reason.UNFUNDED, 402, "payment_required"),
        (Reason.MODERATED, 403, "content_moderation"),
        (Reason.NOT_FOUND, 404, "not_found"),
        (Reason.TOO_LARGE, 413, "payload_too_large"),
        (Reason.RATE_LIMITED, 429, "rate_limit_exceeded"),
        (Reason.INTERNAL, 500, "internal_error"),
    ],
)
def test_errors_by_version(reason: Reason, status: int, name: str) -> None:
    v1 = next(each for each in stability.operations if each.name == "text-to-image")
    v2 = next(each for each in stability.operations if each.name == "generate.core")
    old, new = (stability.error(Failure(reason, "no"), each, "req_1") for each in (v1, v2))
    assert (old.status, new.status) == (status, status)
    assert isinstance(old.body, dict)
    assert isinstance(new.body, dict)
    assert old.body.keys() == {"id", "name", "message"}
    assert {"id", "name", "errors"} <= new.body.keys()
    assert old.body["name"] == new.body["name"] == name


@pytest.mark.parametrize(
    ("path", "accept", "forwarded"),
    [
        (f"{V2}/generate/core", "", "image/*"),
        (f"{V2}/generate/core", "*/*", "image/*"),
        (f"{V2}/generate/core", "image/png", "image/*"),
        (f"{V2}/generate/core", "application/json, text/plain, */*", "application/json"),
        (f"{SDXL}/text-to-image", "*/*", "application/json"),
        (f"{SDXL}/text-to-image", "image/png", "image/png"),
    ],
)
async def test_accept_is_said_in_the_vendors_words(path: str, accept: str, forwarded: str) -> None:
    content = {"form": {"prompt": "a"}} if "v2beta" in path else {"json": {"text_prompts": [{"text": "a"}]}}
    operation, request = await sent(stability, "POST", path, accept=accept, **content)  # pyright: ignore[reportArgumentType]
    assert operation.headers is not None
    assert operation.headers(request, facts())["accept"] == forwarded


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (401, {"name": "unauthorized"}, True),
        (402, {}, True),
        (403, {"name": "permission_denied"}, True),
        (403, {"name": "content_moderation"}, False),
        (429, {"name": "rate_limit_exceeded"}, False),
    ],
)
def test_whose_fault(status: int, body: Any, fault: bool) -> None:
    assert stability.channel_fault(answered(body, status)) is fault


# Asynchronous calls ------------------------------------------------------------------------------------------------


def task(state: State = State.QUEUED, operation: str = "upscale.creative", **more: Any) -> Task:
    return Task(id="f" * 64, operation=f"stability.{operation}", model="m", state=state, upstream_id="a" * 64, **more)


async def test_acceptance() -> None:
    _, request = await sent(stability, "POST", f"{V2}/upscale/creative", form={"prompt": "a"}, files=IMAGE)
    assert JOB.rules.accept(answered({"id": "a" * 64}), request) == Accepted("a" * 64)
    assert JOB.rules.accept(answered({"name": "bad_request"}, 400), request) == Refused(retry_elsewhere=False)
    assert JOB.rules.accept(answered({"name": "rate_limit_exceeded"}, 429), request) == Refused(retry_elsewhere=True)
    assert JOB.rules.accept(answered({"name": "internal_error"}, 500), request) == Refused(retry_elsewhere=False)
    first, second = JOB.face.new_id(), JOB.face.new_id()
    assert len(first) == 64
    assert int(first, 16) != int(second, 16)


def test_polls() -> None:
    ask = JOB.rules.poll(task())
    assert (ask.path, ask.headers["accept"]) == (f"/v2beta/results/{'a' * 64}", "*/*")
    assert JOB.rules.poll(task(operation="image-to-video")).path == f"/v2beta/image-to-video/result/{'a' * 64}"


def test_running_is_202() -> None:
    reading = JOB.rules.read(answered({"id": "a", "status": "in-progress"}, 202), task())
    assert reading.state is State.RUNNING


def test_result_is_the_answer_itself() -> None:
    answer = answered(PNG, content_type="image/png", seed="343940597", finish_reason="CONTENT_FILTERED")
    reading = JOB.rules.read(answer, task())
    assert reading.state is State.SUCCEEDED
    assert (reading.results[0].data, reading.results[0].content_type) == (PNG, "image/png")
    assert reading.snapshot == {"finish_reason": "CONTENT_FILTERED", "content_type": "image/png", "seed": 343940597}


def test_result_in_json() -> None:
    body = {"image": base64.b64encode(PNG).decode(), "finish_reason": "SUCCESS", "seed": 5}
    reading = JOB.rules.read(answered(body, content_type="application/json; type=image/webp"), task())
    assert reading.results[0].data == PNG
    assert reading.snapshot == {"finish_reason": "SUCCESS", "content_type": "image/webp", "seed": 5}


def test_failure_says_why() -> None:
    reading = JOB.rules.read(answered({"name": "bad_request", "errors": ["a: b", "c"]}, 400), task())
    assert (reading.state, reading.error) == (State.FAILED, "a: b; c")


async def test_results_come_as_they_are_asked_for() -> None:
    operation, as_json = await sent(stability, "GET", f"/v2beta/results/{'f' * 64}", accept="application/json")
    _, as_bytes = await sent(stability, "GET", f"{V2}/upscale/creative/result/{'f' * 64}", accept="*/*")
    assert operation.task is not None
    assert operation.render is not None
    assert operation.task(as_json) == operation.task(as_bytes) == "f" * 64
    running = operation.render(as_bytes, task(), Fixed())
    assert (running.status, running.body) == (202, {"id": "f" * 64, "status": "in-progress"})
    snapshot = {"finish_reason": "SUCCESS", "content_type": "image/png", "seed": 7}
    done = task(State.SUCCEEDED, snapshot=snapshot, results=1)
    plain = operation.render(as_bytes, done, Fixed())
    assert (plain.asset, plain.body) == ("0", None)
    assert plain.headers == {"finish-reason": "SUCCESS", "seed": "7"}
    packed = operation.render(as_json, done, Fixed())
    assert packed.body == {"image": Inline(), "finish_reason": "SUCCESS", "seed": 7}
    assert (packed.asset, packed.content_type) == ("0", "application/json; type=image/png")
    video = task(State.SUCCEEDED, "image-to-video", snapshot=snapshot)
    assert list(operation.render(as_json, video, Fixed()).body) == ["video", "finish_reason", "seed"]  # pyright: ignore[reportArgumentType]
    failed = operation.render(as_bytes, task(State.FAILED, error="broken"), Fixed())
    assert (failed.status, failed.body) == (500, {"id": "f" * 64, "name": "internal_error", "errors": ["broken"]})


# Answered by the gateway -------------------------------------------------------------------------------------------


class View:
    request: Any = None
    links = Fixed()
    account_id = "acc_1"

    async def models(self) -> list[Listed]:
        return [Listed(name, "stability", 0, ()) for name in ("stable-diffusion-v1-6", "gpt-3.5-turbo")]

    async def tasks(self, ids: Any = None, *, open_only: bool = False) -> list[Task]:
        return []

    async def balance(self) -> tuple[int, int, int]:
        return 6_336_833, 0, 0


async def test_account() -> None:
    own = {each.name: each.answer for each in stability.operations if isinstance(each, Local)}
    assert (await own["engines.list"](View())).body == [
        {
            "id": "stable-diffusion-v1-6",
            "name": "Stable Diffusion v1.6",
            "description": "Stable Diffusion v1.6",
            "type": "PICTURE",
        }
    ]
    assert (await own["user.balance"](View())).body == {"credits": 0.6336833}
    account = (await own["user.account"](View())).body
    assert isinstance(account, dict)
    assert account["organizations"][0]["id"] == account["id"] == "acc_1"
