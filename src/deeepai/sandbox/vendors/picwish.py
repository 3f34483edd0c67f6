"""PicWish's image tools: tasks below `/api/tasks/`, waited for where `sync` says so.

Source: the vendor's reference pages, table of states and samples (2025 and 2026), and its own clients. What a request
at fault gets (an HTTP error, or a task that ends below 0) is told for pictures alone: sizes and formats end a task.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from ..conditions import ABSENT, GIVEN, Rule
from ..fields import Field, choice, table, text, usually
from ..job_vendor import Hook, JobVendor, Lookup, Order, Task, Work, at
from ..media.documents import MIME, document
from ..media.draw import Format, Picture, from_base64, size_of
from ..results import Result
from ..vendor import Answer, Call, World, digest_of, json_answer

MOST_BYTES, MOST_DOCUMENT = 15 * 2**20, 200 * 2**20
LONGEST_SIDE, LONGEST_COMPRESSED = 4096, 8000
MOST_RECTANGLES, MOST_LANGUAGES = 50, 10
WAIT, BUSY = 30.0, 10.0
"""Seconds that `sync=1` waits at most, and real ones that are granted at any speed, as the machine may be busy."""
UNSEEN = (1024, 768)
"""Pixels of a picture behind an address, which is not fetched."""
LIFETIME = 3600.0
DONE, FAILED, UNFETCHED, TOO_LARGE, NO_PICTURE = 1, -1, -3, -5, -7
DETAILS = {0: "Queued", 2: "Preparing", 3: "Waiting", 4: "Processing", 1: "Complete"}
DOCUMENTS = ["pdf", "ppt", "pptx", "xls", "xlsx", "doc", "docx", "jpeg", "jpg", "png", "gif", "bmp"]

# What is taken ------------------------------------------------------------------------------------------------------

RETURNS = Field("whole", choices=(1, 2, 3), default=1)
UNPACKED = replace(RETURNS, choices=(1, 2))
COLOUR = Field(check=lambda value: "" if len(value.strip("#")) == 6 and _is_hex(value.strip("#")) else "must be RRGGBB")
COMMON = table(
    image_url=text(512),
    url=text(512),
    image_base64=Field(),
    sync=Field("whole", 0, 1, default=0),
    return_type=RETURNS,
    callback_url=Field(),
)
CUT = table(
    COMMON,
    type=choice("", "person", "object", "stamp"),
    output_type=Field("whole", choices=(1, 2, 3), default=2),
    crop=Field("whole", 0, 1, default=0),
    format=usually("png", "jpg"),
    bg_color=COLOUR,
)
SCALE = table(COMMON, type=usually("clean", "face"), scale_factor=Field("whole", choices=(1, 2, 4)))
MASK = table(COMMON, return_type=UNPACKED, mask_url=text(512), mask_base64=Field(), rectangles=Field("any"))
PLAIN = table(COMMON, return_type=UNPACKED)
BACK = table(
    COMMON,
    prompt=text(1024),
    scene_type=Field("whole"),
    negative_prompt=Field(),
    batch_size=Field("whole", 1, 4, default=2),
)
ID = table(COMMON, size=Field(check=lambda value: _wrong_size(value)), format=usually("png", "jpg"), bg_color=COLOUR)
COLOUR_IN = table(COMMON, format=usually("jpg", "jpeg", "png", "webp"))
PRESS = table(
    COMMON,
    return_type=UNPACKED,
    format=choice("jpg", "png", "webp"),
    quality=Field("whole", 1, 100).only(kbyte=ABSENT),
    kbyte=Field("whole", 0, 51200).only(format=(None, "jpg", "webp")),
    width=Field("whole", 0, 8000),
    height=Field("whole", 0, 8000),
)
READ = table(
    COMMON,
    format=choice("txt", "pdf", "docx", "xlsx", "pptx").must(),
    language=Field(
        default="ChinesePRC,English,Digits",
        check=lambda value: "names too many" if value.count(",") >= MOST_LANGUAGES else "",
    ),
    password=text(32),
    filename=Field(),
)
STRAIGHT = table(COMMON, type=Field("whole", 0, 4, default=1))
DESCRIBED = Rule({"prompt": GIVEN}, unless={"scene_type": GIVEN})


def _is_hex(value: str) -> bool:
    return all(letter in "0123456789abcdefABCDEF" for letter in value)


def _wrong_size(value: str) -> str:
    sides = value.split("x")
    good = len(sides) == 2 and all(side.isdecimal() and 100 <= int(side) <= 2000 for side in sides)
    return "" if good else "must be WxH, each 100 to 2000"


def _sent(call: Call) -> Mapping[str, Any]:
    """Return the fields, be they JSON or of a form; those that are empty were left out."""
    if call.is_form:
        # A sample of the vendor's own sends the address as if it were a file.
        addresses = {
            name: call.form.files[name].decode("utf-8", "replace")
            for name in ("image_url", "url", "mask_url")
            if name in call.form.files
        }
        fields: Mapping[str, Any] = {**call.form.texts, **addresses}
    elif call.request.content_type == "application/x-www-form-urlencoded":
        fields = dict(parse_qsl(call.body.decode("utf-8", "replace")))
    else:
        fields = call.json
    return {name: value for name, value in fields.items() if value != ""}


def _file(call: Call, *names: str) -> bytes | None:
    return next((call.form.files[name] for name in names if name in call.form.files), None) if call.is_form else None


def _source(order: Order) -> bytes | None:
    """Return the picture or document that came; None where an address did, which is not fetched."""
    call, body = order.call, order.body
    data, url = _file(call, "image_file", "file"), body.get("image_url") or body.get("url")
    if sum(part is not None for part in (data, url, body.get("image_base64"))) > 1:
        raise order.refused("value", "image_url must be empty where image_file is there")
    if body.get("image_base64"):
        data = from_base64(body["image_base64"]) or b""
    if data is None and url is None:
        raise order.refused("missing", "image_file or image_url is required")
    if url is not None and urlsplit(url).scheme not in ("http", "https"):
        raise order.refused("value", "image_url must be http or https")
    return data


def _check(order: Order) -> None:
    """Judge the picture: what is wrong with it ends the task."""
    data = order.facts["source"] = _source(order)
    order.facts |= {"files": order.call.world.files, "ended": asyncio.Event(), "size": UNSEEN}
    if data is None:
        return
    size, most = size_of(data), LONGEST_COMPRESSED if order.work.name == "imgcompress" else LONGEST_SIDE
    if len(data) > MOST_BYTES or (size is not None and max(size) > most):
        order.facts["fails"] = TOO_LARGE
    elif size is None:
        order.facts["fails"] = NO_PICTURE
    else:
        order.facts["size"] = size


def _check_mask(order: Order) -> None:
    call, body = order.call, order.body
    _check(order)
    data = _file(call, "mask_file")
    masks = [data, *(body.get(name) for name in ("mask_url", "mask_base64", "rectangles"))]
    if sum(mask is not None for mask in masks) != 1:
        raise order.refused("value", "one of mask_file, mask_url and rectangles is required")
    if body.get("mask_base64"):
        data = from_base64(body["mask_base64"]) or b""
    if body.get("rectangles") is not None and not _are_rectangles(body["rectangles"]):
        raise order.refused("value", f"rectangles must be 1 to {MOST_RECTANGLES} of x, y, width and height")
    if data is not None and order.facts["source"] is not None and size_of(data) != order.facts["size"]:
        order.facts["fails"] = NO_PICTURE


def _are_rectangles(value: Any) -> bool:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return False
    return (
        isinstance(found, list)
        and 0 < len(found) <= MOST_RECTANGLES
        and all(isinstance(box, dict) and {"x", "y", "width", "height"} <= box.keys() for box in found)
    )


def _check_document(order: Order) -> None:
    data = _source(order)
    url = order.body.get("image_url") or order.body.get("url")
    name = order.call.form.names.get("image_file") or order.call.form.names.get("file", "") if data else ""
    if url is not None and urlsplit(url).port not in (None, 80, 443):
        order.facts["fails"] = UNFETCHED
    if data is not None and len(data) > MOST_DOCUMENT:
        order.facts["fails"] = TOO_LARGE
    if "." in name and name.rpartition(".")[2].lower() not in DOCUMENTS:
        order.facts["fails"] = NO_PICTURE
    kind, files = order.body["format"], order.call.world.files
    order.facts["document"] = files.add(partial(document, kind, "TEST MODE: text that was read"), kind, MIME[kind])
    order.facts |= {"files": files, "ended": asyncio.Event()}


# What is made -------------------------------------------------------------------------------------------------------


def _drawn(
    order: Order, size: tuple[int, int], *, form: str = "jpg", cutout: bool = False, number: int = 0, quality: int = 85
) -> Result:
    encoded: Format = {"png": "png", "webp": "webp"}.get(form, "jpeg")  # type: ignore[assignment]
    passing = {"callback_url", "sync", "return_type"}
    material = sorted((name, repr(value)) for name, value in order.body.items() if name not in passing)
    behind = "fails" in order.facts or order.work.name == "background"
    source = None if behind else order.facts["source"]
    digest = digest_of(order.work.name, material, source or b"", number)
    shown = Picture(*size, str(order.body.get("prompt") or order.work.name), digest, encoded, source)
    return Result("picture", replace(shown, cutout=cutout, quality=quality))


def _cut(order: Order) -> Sequence[Result]:
    body, (width, height) = order.body, order.facts["size"]
    size = (max(width // 2, 1), max(height // 2, 1)) if body["crop"] else (width, height)
    image = _drawn(order, size, form=body["format"], cutout=body["format"] == "png")
    mask = _drawn(order, size, form="png", number=1)
    return {1: [image, mask], 2: [image], 3: [mask]}[body["output_type"]]


def _factor(order: Order) -> int:
    edge = max(order.facts["size"])
    return order.body.get("scale_factor") or (4 if edge <= 512 else 2 if edge <= 1024 else 1)


def _scaled(order: Order) -> Sequence[Result]:
    width, height = order.facts["size"]
    return [_drawn(order, (width * _factor(order), height * _factor(order)))]


def _credits_of_scale(order: Order) -> float:
    return 2 if max(order.facts["size"]) * _factor(order) <= 2048 else 3


def _same(order: Order) -> Sequence[Result]:
    return [_drawn(order, order.facts["size"], form=order.body.get("format", "jpg"))]


def _backgrounds(order: Order) -> Sequence[Result]:
    return [_drawn(order, order.facts["size"], number=number) for number in range(order.body["batch_size"])]


def _id_photo(order: Order) -> Sequence[Result]:
    body = order.body
    size = tuple(map(int, body["size"].split("x"))) if body.get("size") else order.facts["size"]
    return [_drawn(order, (size[0], size[1]), form=body["format"], cutout=body["format"] == "png")]


def _pressed(order: Order) -> Sequence[Result]:
    body, (width, height) = order.body, order.facts["size"]
    wide, high = body.get("width") or 0, body.get("height") or 0
    size = (wide or round(width * high / height) or width, high or round(height * wide / width) or height)
    return [
        _drawn(
            order, (max(size[0], 1), max(size[1], 1)), form=body.get("format", "jpg"), quality=body.get("quality", 60)
        )
    ]


def _credits_of_backgrounds(order: Order) -> float:
    return (3, 6, 8, 10)[order.body["batch_size"] - 1]


# How it is told -----------------------------------------------------------------------------------------------------


def _state(task: Task) -> int:
    job = task.job
    if job.is_final:
        return DONE if job.state == "done" else int(job.error) if job.error.lstrip("-").isdecimal() else FAILED
    return 2 if job.state == "queued" else 3 if job.percent < 15 else 4


def _names(task: Task) -> list[str]:
    match task.work.name:
        case "background":
            return [f"image_{number + 1}" for number in range(len(task.results))]
        case "segmentation":
            return {1: ["image", "mask"], 2: ["image"], 3: ["mask"]}[task.body["output_type"]]
        case "watermark-remove" | "ocr":
            return ["file"]
        case _:
            return ["image"]


def _files(task: Task) -> dict[str, str]:
    """Return the addresses of what a task made, or the files themselves in base64, by field."""
    if task.job.state != "done":
        return {}
    if "document" in task.facts:
        lifetime = -1 if "expire-url" in task.job.triggers else LIFETIME
        found = {"file": task.facts["files"].url(task.origin, task.facts["document"], lifetime)}
    else:
        lost = task.lost
        made = [(name, picture.url) for name, picture in zip(_names(task), task.pictures, strict=True)]
        found = {name: url for place, (name, url) in enumerate(made) if place not in lost}
    if task.body.get("return_type") == 2 and task.work.name not in ("ocr", "background"):
        return {name: base64.b64encode(_bytes(task, url)).decode() for name, url in found.items()}
    return found


def _bytes(task: Task, url: str) -> bytes:
    return task.facts["files"].find(urlsplit(url).path.rpartition("/")[2]).make()


def _shown(task: Task) -> dict[str, Any]:
    job, state = task.job, _state(task)
    unused = {"mask": "", "image": ""} if task.work.name == "segmentation" and state == DONE else {}
    return {
        "task_id": task.id,
        "created_at": int(job.created),
        "processed_at": int(job.started or 0),
        "completed_at": int(job.finished or 0),
        "progress": 100 if state == DONE else min(job.percent, 99),
        "state": state,
        "state_detail": DETAILS.get(state, "Failed"),
        "return_type": task.body.get("return_type", 1),
        **({"err_info": task.reason or "failed"} if state < 0 else {}),
        **unused,
        **_files(task),
    }


def _said(data: Any) -> dict[str, Any]:
    return {"status": 200, "message": "success", "data": data}


class Header:
    """Keys in `X-API-KEY`."""

    def account(self, request: web.Request) -> str:
        """Return the key."""
        return request.headers.get("x-api-key", "").strip()

    def fault(self, request: web.Request) -> str:
        """Tell nothing."""
        return ""


class Tools(JobVendor):
    """The vendor: tasks whose picture is at fault end so, and submissions may wait."""

    async def _submit(self, work: Work, call: Call) -> Answer:
        answer = await super()._submit(work, call)
        clock, jobs = call.world.clock, call.world.jobs
        job = jobs.find(self.name, call.accepted[-1])
        assert job is not None
        task: Task = job.data["task"]
        if "fails" in task.facts:
            changed = partial(self._changed, call.world, task, [task.status])
            clock.call_later(
                work.seconds / 2, lambda: jobs.finish(job, "failed", lambda job: changed(), str(task.facts["fails"]))
            )
        if task.body.get("sync") != 1 or work.name in ("ocr", "background"):
            return answer
        with suppress(TimeoutError):
            async with asyncio.timeout(max(WAIT / clock.speed, BUSY)):
                await task.facts["ended"].wait()
        if task.body["return_type"] == 3 and job.state == "done":
            made = task.artefacts[0]
            return Answer(200, _bytes(task, made.url), f"image/{made.result.picture.format}")
        return json_answer(_said(_shown(task)))

    def _changed(self, world: World, task: Task, announced: list[str]) -> None:
        super()._changed(world, task, announced)
        if task.job.is_final:
            task.facts["ended"].set()

    def _fail(self, call: Call, task: Task) -> None:
        announced = [task.status]
        reason = str(task.facts["fails"])
        call.world.jobs.finish(task.job, "failed", lambda job: self._changed(call.world, task, announced), reason)


def _work(
    path: str, fields: Mapping[str, Field], results: Callable[[Order], Sequence[Result]], price: Any = 1, **more: Any
) -> Work:
    name = path.rpartition("/")[2]
    usual: dict[str, Any] = {"check": _check, "body": _sent, "name": name, "price": price}
    return Work(f"/api/tasks/{path}", 2, fields, results, **{**usual, **more})


WORKS = (
    _work("visual/segmentation", CUT, _cut),
    _work("visual/scale", SCALE, _scaled, _credits_of_scale),
    _work("visual/inpaint", MASK, _same, check=_check_mask),
    _work("visual/watermark", MASK, _same, check=_check_mask),
    _work("visual/external/watermark-remove", PLAIN, _same),
    _work("visual/background", BACK, _backgrounds, _credits_of_backgrounds, rules=(DESCRIBED,)),
    _work("visual/idphoto", ID, _id_photo),
    _work("visual/colorization", COLOUR_IN, _same),
    _work("visual/imgcompress", PRESS, _pressed, lambda order: 1 if max(order.facts["size"]) <= 4096 else 2),
    _work("document/ocr", READ, lambda order: [], check=_check_document),
    _work("visual/correction", STRAIGHT, _same, 3),
)
VENDOR = Tools(
    name="picwish",
    works=WORKS,
    words={"queued": "2", "running": "4", "done": "1", "failed": "-1"},
    shown=_shown,
    accepted={"task_id": "id"},
    envelope=lambda call, data: _said(data),
    lookups=[Lookup("GET", f"{work.path}/{{id}}", of=work.name) for work in WORKS],
    hook=Hook("callback_url", lambda task: _said(_shown(task))),
    errors={
        **at(400, bad_request=400, value=400, missing=400, type=400, moderated=400),
        **at(401, unauthorized=401),
        **at(404, not_found=404),
        **at(413, too_large=413),
        **at(429, rate_limited=429),
        **at(500, server_error=500),
    },
    error=lambda call, code, message: {"status": code, "message": message},
    lifetime=LIFETIME,
    keys=Header(),
    lenient=True,
    settings={"credential_headers": ("x-api-key",), "moderates_at_submit": False, "body_limit": 128 * 2**20},
).vendor()
