"""PicWish's (佐糖) image tools: tasks that are waited for or asked after, in the vendor's format.

Source: the vendor's reference pages and samples (2025 and 2026), its own clients, and V-API's pages on the same tools.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta

from ..declare import (
    DROP,
    AnyOperation,
    AnyRequest,
    Facts,
    Failure,
    Fetch,
    Inline,
    Job,
    Json,
    Links,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Submit,
    Task,
    Text,
    Usage,
)
from .common.errors import with_param
from .common.jobs import FilePath, JobFormat
from .common.operations import path_id
from .common.paths import get, of_request, put
from .common.pictures import base64_picture_size, picture_size

LARGEST, LARGEST_DOCUMENT = 64 * 2**20, 220 * 2**20
"""Bytes of a body: files of 15 MB (30 MB with some tools) and their masks, some in base64; documents of 200 MB."""
WAIT: Final = 120.0
"""Seconds for which `sync=1` waits. The vendor gives up after 30; who asks so seldom looks again."""
FILE_NAMES, URL_NAMES = ("image_file", "file"), ("image_url", "url")
MASKS = ("mask_file", "mask_url", "mask_base64", "rectangles")
STEP, LARGE_STEP = 2048, 4096
"""Pixels of the long edge above which an enlarged picture, and one to compress, cost more."""

# Bodies ------------------------------------------------------------------------------------------------------------

Whole: TypeAlias = int | Annotated[str, Meta(pattern="^[0-9]*$")]
"""A whole number, which forms and some clients' JSON have in quotes."""


class SourceBody(msgspec.Struct, omit_defaults=True):
    """What all tools take; the rest passes through."""

    image_url: str | None = None
    url: str | None = None
    image_base64: str | None = None
    sync: Whole | None = None
    return_type: Whole | None = None
    callback_url: str | None = None


class ScaleBody(SourceBody, omit_defaults=True):
    """A picture to enlarge."""

    type: str | None = None
    scale_factor: Whole | None = None


class MaskBody(SourceBody, omit_defaults=True):
    """A picture with something to remove."""

    mask_url: str | None = None
    mask_base64: str | None = None
    rectangles: str | list[Any] | None = None


class BackgroundBody(SourceBody, omit_defaults=True):
    """A subject that gets another background."""

    prompt: Annotated[str, Meta(max_length=1024)] | None = None
    scene_type: Whole | None = None
    batch_size: Whole | None = None


class CompressBody(SourceBody, omit_defaults=True):
    """A picture to make smaller."""

    quality: Whole | None = None
    kbyte: Whole | None = None


class DocumentBody(SourceBody, omit_defaults=True):
    """A document to read."""

    format: str | None = None
    language: str | None = None
    password: Annotated[str, Meta(max_length=32)] | None = None


def whole(request: AnyRequest, name: str) -> int | None:
    """Return a number of the body; None where it is left out or empty."""
    value = of_request(request, f"body.{name}")
    return None if value in (None, "") else int(str(value)[:9])


def said(request: AnyRequest, *names: str) -> bool:
    """Tell whether a text of some name was sent: as one of the vendor's samples does, as a file even."""
    if any(of_request(request, f"body.{name}") for name in names):
        return True
    return any(part.name in names and part.filename is not None and len(part.data) for part in request.parts)


def has_file(request: AnyRequest, *names: str) -> bool:
    """Tell whether a file of some name was sent."""
    return any(part.name in names and part.filename is not None for part in request.parts)


def check_source(request: AnyRequest) -> None:
    """Judge that there is one picture, and that the answer is wanted in a known form."""
    sources = (has_file(request, *FILE_NAMES), said(request, *URL_NAMES), said(request, "image_base64"))
    if sum(sources) > 1:
        raise Failure(Reason.INVALID, "image_url must be empty where image_file is there", param="image_url")
    if not any(sources):
        raise Failure(Reason.INVALID, "image_file or image_url is required", param="image_file")
    if (whole(request, "sync") or 0) > 1:
        raise Failure(Reason.INVALID, "sync must be 0 or 1", param="sync")
    if whole(request, "return_type") not in (None, 1, 2, 3):
        raise Failure(Reason.INVALID, "return_type must be 1, 2 or 3", param="return_type")


def check_unpacked(request: AnyRequest) -> None:
    """Judge a request of those tools that never answer with bare bytes."""
    check_source(request)
    if whole(request, "return_type") == 3:
        raise Failure(Reason.INVALID, "return_type must be 1 or 2", param="return_type")


def check_mask(request: AnyRequest) -> None:
    """Judge that there is one mask."""
    check_unpacked(request)
    masks = [name for name in MASKS if has_file(request, name) or said(request, name)]
    if len(masks) != 1:
        raise Failure(Reason.INVALID, f"one of {', '.join(MASKS)} is required, and one alone", param="mask_file")


def check_background(request: Request[BackgroundBody]) -> None:
    """Judge that the background is described, and how many pictures are wanted."""
    check_source(request)
    if not request.body.prompt and whole(request, "scene_type") is None:
        raise Failure(Reason.INVALID, "prompt or scene_type is required", param="prompt")
    if whole(request, "batch_size") not in (None, 1, 2, 3, 4):
        raise Failure(Reason.INVALID, "batch_size must be 1 to 4", param="batch_size")


def check_compress(request: Request[CompressBody]) -> None:
    """Judge that one aim is given at most."""
    check_unpacked(request)
    if None not in (whole(request, "quality"), whole(request, "kbyte")):
        raise Failure(Reason.INVALID, "kbyte must be empty where quality is there", param="kbyte")


# Prices ------------------------------------------------------------------------------------------------------------


def long_edge(request: AnyRequest) -> int | None:
    """Return the pixels of a picture's longer side, where it is in the request and says so."""
    data = next((part.data for part in request.parts if part.name in FILE_NAMES and part.filename is not None), None)
    text = of_request(request, "body.image_base64")
    size = base64_picture_size(text) if data is None and text else None if data is None else picture_size(data)
    return max(size) if size else None


def scaled(request: AnyRequest) -> Usage:
    """Estimate an enlargement: without a factor, what is small becomes four times or twice as large.

    What is of unknown size is taken as one that stays small, as the vendor's own choice of a factor keeps most.
    """
    edge, factor = long_edge(request), whole(request, "scale_factor")
    if edge is None:
        return _sized(STEP, STEP)
    return _sized(edge * (factor or (4 if edge <= 512 else 2 if edge <= 1024 else 1)), STEP)


def compressed(request: AnyRequest) -> Usage:
    """Estimate a compression by the picture that came."""
    return _sized(long_edge(request) or LARGE_STEP, LARGE_STEP)


def _sized(edge: int, step: int) -> Usage:
    return Usage(calls=1, params={"long_edge": str(step if edge <= step else 2 * step)}, basis="call")


def batch(request: Request[BackgroundBody]) -> Usage:
    """Estimate backgrounds: as many as are asked for."""
    return _pictures(whole(request, "batch_size") or 2)


def _pictures(count: int) -> Usage:
    return Usage(calls=1, images=count, params={"images": str(count)}, basis="counted")


def made(job: Json, task: Task) -> Usage | None:
    """Count the backgrounds that came."""
    count = sum(1 for number in range(1, 5) if get(job, f"image_{number}"))
    return _pictures(count) if count else None


def enlarged(job: Json, task: Task) -> Usage | None:
    """Return what an enlargement costs by the size that was told, where it was."""
    sides = [side for side in (get(job, "width"), get(job, "height")) if isinstance(side, int) and side > 0]
    return _sized(max(sides), STEP) if sides else None


# Jobs --------------------------------------------------------------------------------------------------------------

STATES = {
    "0": State.QUEUED,
    "2": State.RUNNING,
    "3": State.RUNNING,
    "4": State.RUNNING,
    "1": State.SUCCEEDED,
    **dict.fromkeys(("-1", "-2", "-3", "-5", "-7", "-8"), State.FAILED),
}
_NUMBERS = {State.QUEUED: 0, State.RUNNING: 4, State.SUCCEEDED: 1}
_DETAILS = {0: "Queued", 1: "Complete", 4: "Processing"}


def number(task: Task) -> int:
    """Return the vendor's number of a task's state."""
    return -1 if task.state.final and task.state is not State.SUCCEEDED else _NUMBERS.get(task.state, 0)


def kept(task: Task, name: str) -> int:
    """Return a number that was kept of the submission; 0 where it had none."""
    value = (task.request or {}).get(name)
    return int(str(value)[:9]) if value not in (None, "") else 0


def _progress(task: Task) -> int:
    return 100 if task.state is State.SUCCEEDED else min(task.progress or 0, 99)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool's tasks.

    Attributes
    ----------
    path : str
        Below `/api/tasks/`.
    files : tuple of str
        Where results stand in `data`.
    waits : bool
        Whether it has a synchronous mode.
    """

    path: str
    files: tuple[str, ...] = ("image",)
    waits: bool = True
    used: Callable[[Json, Task], Usage | None] = lambda job, task: None

    @property
    def format(self) -> JobFormat:
        """How its tasks are told."""
        return JobFormat(
            id="data.task_id",
            code="status",
            # Relays leave the code out at times; the HTTP status says the same.
            good=(200, None),
            gone=(404,),
            account=(401, 402),
            poll=f"/api/tasks/{self.path}/{{id}}",
            body="data",
            status="state",
            states=STATES,
            progress="progress",
            error=("err_info", "state_detail"),
            files=tuple(FilePath(name, "document" if name == "file" else name) for name in self.files),
            usage=self.used,
            show=self.show,
            keep=("sync", "return_type"),
            hook="callback_url",
            hook_id="data.task_id",
            written={"data.return_type": lambda task: max(kept(task, "return_type"), 1)},
            interval=1.0,
            fresh=0.5,
        )

    def show(self, task: Task, links: Links) -> Json:
        """Tell of a task where the vendor has not."""
        failed = {"err_info": task.error} if number(task) < 0 and task.error else {}
        urls = [url for urls in self.format.links(task, links).values() for url in urls]
        files = dict(zip(self.files, urls, strict=False)) if task.state is State.SUCCEEDED else {}
        data = {
            "task_id": task.id,
            "created_at": task.submitted_at // 1000,
            "processed_at": (task.started_at or 0) // 1000,
            "completed_at": (task.finished_at or 0) // 1000,
            "progress": _progress(task),
            "state": number(task),
            "state_detail": _DETAILS.get(number(task), "Failed"),
            "return_type": max(kept(task, "return_type"), 1),
        }
        return {"status": 200, "message": "success", "data": {**data, **files, **failed}}

    def shown(self, task: Task, links: Links) -> Reply:
        """Answer with a task; its files in base64 where those were asked for."""
        told = self.format.shown(task, links)
        there = [name for name in self.files if get(told, f"data.{name}")]
        if kept(task, "return_type") != 2 or task.state is not State.SUCCEEDED or not there:
            return Reply(told)
        for place, name in enumerate(there):
            told = put(told, f"data.{name}", Inline(place))
        return Reply(told, asset="0")

    def waited(self, task: Task, links: Links) -> Reply:
        """Answer one who waited: with the bare bytes where those were asked for."""
        if kept(task, "return_type") == 3 and task.state is State.SUCCEEDED:
            return Reply(asset="0")
        return self.shown(task, links)

    def job(self) -> Job[object]:
        """Make its job."""
        return self.format.job(lambda: str(uuid.uuid4()), submitted=submitted, render=self.waited)

    def wait(self, request: AnyRequest) -> float:
        """Return how long a submission waits for its end."""
        return WAIT if self.waits and whole(request, "sync") == 1 else 0.0


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission with the task's id."""
    return Reply({"status": 200, "message": "success", "data": {"task_id": task.id}})


def patch(request: AnyRequest, facts: Facts) -> dict[str, Any]:
    """Have the vendor call us back, and give us the files' addresses without waiting: both the gateway does itself."""
    changes: dict[str, Any] = {
        name: DROP for name in ("sync", "return_type") if of_request(request, f"body.{name}") is not None
    }
    return changes | _HOOKED.patch(request, facts)


_HOOKED = Tool("").format

# Operations --------------------------------------------------------------------------------------------------------

TOOLS: Mapping[str, Tool] = {
    "segmentation": Tool("visual/segmentation", ("image", "mask")),
    "scale": Tool("visual/scale", used=enlarged),
    "inpaint": Tool("visual/inpaint"),
    "watermark": Tool("visual/watermark"),
    "watermark_auto": Tool("visual/external/watermark-remove", ("file",)),
    "background": Tool("visual/background", ("image_1", "image_2", "image_3", "image_4"), waits=False, used=made),
    "idphoto": Tool("visual/idphoto"),
    "colorization": Tool("visual/colorization"),
    "imgcompress": Tool("visual/imgcompress"),
    "ocr": Tool("document/ocr", ("file",), waits=False),
    "correction": Tool("visual/correction"),
}
ALIKE = (frozenset(("picwish.inpaint", "picwish.watermark")),)
"""Two names of one tool: each finds the other's tasks."""
_PICTURE = {"image_url": "https://example.com/photo.jpg"}


def model_of(name: str) -> str:
    """Return under which name a tool routes and is priced."""
    return f"picwish-{name.removesuffix('_auto')}"


def unknown(task: Task) -> Failure:
    """Say that a tool has no such task."""
    return Failure(Reason.NOT_FOUND, f"There is no such task: '{task.id[:100]}'", code="task_not_found")


def of_tool(name: str) -> Callable[[AnyRequest, Task, Links], Reply]:
    """Make what tells of a tool's tasks, and of no other's."""
    own = f"picwish.{name}"
    names = next((alike for alike in ALIKE if own in alike), frozenset((own,)))

    def render(request: AnyRequest, task: Task, links: Links) -> Reply:
        if task.operation not in names:
            raise unknown(task)
        return _tool(task).shown(task, links)

    return render


def of_any(request: AnyRequest, task: Task, links: Links) -> Reply:
    """Tell of any tool's task."""
    return _tool(task).shown(task, links)


def _tool(task: Task) -> Tool:
    return TOOLS[task.operation.removeprefix("picwish.")]


def _paths(tool: Tool, relay: str) -> tuple[str, tuple[str, ...]]:
    return f"/picwish/api/tasks/{tool.path}", (f"/api/tasks/{tool.path}", f"/task/pic/{relay}")


def create(
    name: str,
    summary: Text,
    rows: tuple[int, ...] = (),
    *,
    body: type[Any] = SourceBody,
    check: Callable[[Request[Any]], None] = check_source,
    example: Mapping[str, Json] | None = None,
    estimate: Callable[[Request[Any]], Usage] = lambda request: Usage(calls=1, basis="call"),
) -> Submit[Any]:
    """Declare the start of a tool's task."""
    tool = TOOLS[name]
    path, aliases = _paths(tool, name)
    masks = {"mask_file": False} if body is MaskBody else {}
    return Submit(
        name=name,
        method="POST",
        path=path,
        aliases=aliases,
        upstream_template=f"/api/tasks/{tool.path}",
        rows=rows,
        summary=summary,
        body=body,
        media="any",
        files={"image_file": False, "file": False, **masks},
        max_body=LARGEST_DOCUMENT if name == "ocr" else LARGEST,
        check=check,
        example={**_PICTURE, **(example or {})},
        job=tool.job(),
        model=lambda request: model_of(name),
        patch=patch,
        wait=tool.wait,
        estimate=estimate,
    )


def result(name: str, summary: Text, rows: tuple[int, ...] = ()) -> Fetch[object]:
    """Declare the look at a tool's task."""
    path, (native, _) = _paths(TOOLS[name], name)
    return Fetch(
        name=f"{name}.result",
        method="GET",
        path=f"{path}/{{id}}",
        aliases=(f"{native}/{{id}}",),
        upstream_template=f"/api/tasks/{TOOLS[name].path}/{{id}}",
        rows=rows,
        summary=summary,
        media="none",
        task=path_id,
        render=of_tool(name),
    )


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as the vendor does: the HTTP status once more, and a sentence."""
    return Reply({"status": failure.kind.status, "message": with_param(failure)}, failure.kind.status)


_BOX = '[{"x":0,"y":0,"width":100,"height":100}]'
_RELAY = "Any tool's task, as relays ask for it"
picwish = Protocol(
    name="picwish",
    local=True,
    title=Text("PicWish (image tools)", "佐糖 PicWish(图像工具)"),
    base_url="https://techsz.aoscdn.com",
    env_key="PICWISH_API_KEY",
    models=tuple(dict.fromkeys(map(model_of, TOOLS))),
    key_headers=("x-api-key",),
    own_paths=("/picwish/", "/api/tasks/visual/", "/api/tasks/document/", "/task/pic/"),
    authorize=lambda credential: {"x-api-key": credential},
    error=error,
    channel_fault=lambda answer: answer.status == 402 or _HOOKED.channel_fault(answer),
    operations=(
        create("segmentation", Text("Cut a subject out", "创建抠图任务"), (36,)),
        result("segmentation", Text("The cut-out", "获取抠图结果"), (38,)),
        create(
            "scale",
            Text("Enlarge a picture", "创建图片变清晰任务"),
            (39,),
            body=ScaleBody,
            example={"scale_factor": 2},
            estimate=scaled,
        ),
        result("scale", Text("The enlarged picture", "获取图片变清晰结果"), (40,)),
        create(
            "inpaint",
            Text("Remove something from a picture", "创建图像修复任务"),
            (41,),
            body=MaskBody,
            check=check_mask,
            example={"rectangles": _BOX},
        ),
        result("inpaint", Text("The mended picture", "获取图像修复结果"), (42,)),
        create(
            "watermark",
            Text("Remove a watermark under a mask", "去水印(指定区域)"),
            body=MaskBody,
            check=check_mask,
            example={"rectangles": _BOX},
        ),
        result("watermark", Text("The picture without the watermark", "获取去水印结果")),
        create("watermark_auto", Text("Remove a watermark wherever it is", "自动去水印"), check=check_unpacked),
        result("watermark_auto", Text("The picture without watermarks", "获取自动去水印结果")),
        create(
            "background",
            Text("Give a subject another background", "创建背景生成任务"),
            (43,),
            body=BackgroundBody,
            check=check_background,
            example={"prompt": "A marble table in soft light", "batch_size": 2},
            estimate=batch,
        ),
        result("background", Text("The backgrounds", "获取背景生成结果"), (44,)),
        create("idphoto", Text("Make an ID photo", "创建证件照制作任务"), (45,), example={"size": "300x400"}),
        result("idphoto", Text("The ID photo", "获取证件照制作结果"), (46,)),
        create("colorization", Text("Colour a black and white picture", "创建图像上色任务"), (47,)),
        result("colorization", Text("The coloured picture", "获取黑白图像上色结果"), (48,)),
        create(
            "imgcompress",
            Text("Compress a picture", "创建图片压缩任务"),
            (49,),
            body=CompressBody,
            check=check_compress,
            example={"quality": 70},
            estimate=compressed,
        ),
        result("imgcompress", Text("The compressed picture", "获取图片压缩结果"), (37,)),
        create(
            "ocr",
            Text("Read the text of a picture or document", "创建OCR任务"),
            (50,),
            body=DocumentBody,
            example={"format": "docx", "language": "ChinesePRC,English,Digits"},
        ),
        result("ocr", Text("The text that was read", "获取OCR结果"), (51,)),
        create(
            "correction",
            Text("Crop and straighten a document or product", "创建图片智能切边任务"),
            (52,),
            example={"type": 2},
        ),
        result("correction", Text("The straightened picture", "获取图片智能切边结果"), (53,)),
        Fetch(
            name="task",
            method="GET",
            path="/picwish/task/{id}",
            aliases=("/task/{id}",),
            upstream_template="/task/{id}",
            summary=Text(_RELAY, "查询任务(中转格式)"),
            media="none",
            task=path_id,
            render=of_any,
        ),
    ),
)
