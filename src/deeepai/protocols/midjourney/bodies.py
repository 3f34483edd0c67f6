"""Bodies of the midjourney-proxy protocol, their checks, and what a button or an action is called in the price book."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal
from typing import Protocol as Interface

import msgspec
from msgspec import Meta

from ...declare import (
    Failure,
    Json,
    Reason,
    Request,
)

MODES = ("fast", "relax", "turbo")
DEFAULT_MODE = "fast"
LARGEST_IMAGE = 20 * 1024 * 1024
"""Bytes, decoded."""
BOOKMARK = "MJ::BOOKMARK::"

TaskId = Annotated[str, Meta(min_length=1, max_length=64, description="The task that is followed up")] | int
Picture = Annotated[str, Meta(description="Data URL, base64 or http(s) URL")]


class CommonBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Fields that every submission may have."""

    state: Annotated[str, Meta(max_length=255, description="Comes back with the task")] | int | None = None
    notifyHook: Annotated[str, Meta(max_length=2000, description="URL that is told of every change")] | None = None
    accountFilter: Annotated[dict[str, Any], Meta(description="Which upstream account: modes, remix …")] | None = None
    mode: str | None = None


class ImagineBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of imagine."""

    prompt: Annotated[str, Meta(description="Text and Midjourney parameters")]
    botType: str | None = None
    base64Array: Annotated[list[Picture], Meta(description="Reference images")] | None = None
    base64: str | None = None


class ChangeBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of change; `index` (1 to 4) names a quadrant, and is not needed to reroll."""

    taskId: TaskId
    action: Literal["UPSCALE", "VARIATION", "REROLL"]
    index: int | None = None


class SimpleChangeBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of simple-change."""

    content: Annotated[str, Meta(description="Task id, a blank, then U1 to U4, V1 to V4 or R")]


class ActionBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of action."""

    taskId: TaskId
    customId: Annotated[str, Meta(min_length=1, max_length=500, description="A button's, as the task shows it")]


class ModalBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of modal."""

    taskId: Annotated[str, Meta(min_length=1, max_length=64, description="The task that waits in MODAL")] | int
    prompt: str | None = None
    maskBase64: Annotated[str, Meta(description="White: what to draw anew")] | None = None


class BlendBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of blend."""

    base64Array: Annotated[list[Picture], Meta(min_length=2, max_length=5)]
    dimensions: Literal["SQUARE", "PORTRAIT", "LANDSCAPE"] = "SQUARE"
    botType: str | None = None


class DescribeBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of describe: one of `base64` and `link`."""

    base64: Picture | None = None
    link: str | None = None
    botType: str | None = None


class ShortenBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of shorten."""

    prompt: str
    botType: str | None = None


class SwapBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of a face swap: the face, and the picture that gets it, each in base64 or as a URL."""

    sourceBase64: Picture | None = None
    targetBase64: Picture | None = None
    sourceUrl: str | None = None
    targetUrl: str | None = None


class UploadBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of upload-discord-images."""

    base64Array: Annotated[list[Picture], Meta(min_length=1)]


class EditBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of edits and retexture."""

    prompt: str
    image: Picture
    maskBase64: str | None = None


class VideoBody(CommonBody, kw_only=True, omit_defaults=True):
    """Body of video: a prompt, or the video to lengthen."""

    prompt: str | None = None
    motion: Literal["low", "high"] | None = None
    image: Annotated[str, Meta(description="First frame: URL or base64")] | None = None
    endImage: str | None = None
    videoType: str | None = None
    batchSize: Literal[1, 2, 4] | None = None
    action: Annotated[str, Meta(description="`extend` lengthens `taskId`")] | None = None
    taskId: TaskId | None = None
    index: Annotated[int, Meta(ge=0, le=3)] | None = None


class ListBody(msgspec.Struct, omit_defaults=True):
    """Body of list-by-condition."""

    ids: list[str | int] | None = None


class Prompted(Interface):
    """A body that needs a prompt."""

    @property
    def prompt(self) -> str: ...  # noqa: D102


# Checks ------------------------------------------------------------------------------------------------------------


def missing(param: str) -> Failure:
    """Say that a field has no value."""
    return Failure(Reason.INVALID, f"{param}不能为空", param=param, code="missing")


def _images(pictures: Iterable[str | None]) -> None:
    for picture in pictures:
        if picture is None or picture.startswith(("http://", "https://")):
            continue
        if len(picture.partition(",")[2] or picture) * 3 // 4 > LARGEST_IMAGE:
            raise Failure(Reason.TOO_LARGE, "图片大小超过最大限制")


def check_imagine(request: Request[ImagineBody]) -> None:
    """Ask for a prompt that is not blank."""
    check_prompt(request)
    _images([*(request.body.base64Array or ()), request.body.base64])


def check_prompt(request: Request[Prompted]) -> None:
    """Ask for a prompt that is not blank."""
    if not request.body.prompt.strip():
        raise missing("prompt")


def check_change(request: Request[ChangeBody]) -> None:
    """Ask for a quadrant where one is changed."""
    body = request.body
    if body.action != "REROLL" and body.index not in (1, 2, 3, 4):
        raise Failure(Reason.INVALID, "index参数错误", param="index")


def check_simple_change(request: Request[SimpleChangeBody]) -> None:
    """Ask for a change that can be read."""
    simple_change(request.body)


def check_action(request: Request[ActionBody]) -> None:
    """Ask for a button that is known."""
    button(request.body)
    if request.body.customId.lower() == "mj::job::picreader::all":
        raise Failure(Reason.INVALID, "不支持 Imagine all，请逐个执行 PicReader 1-4", param="customId")


def check_modal(request: Request[ModalBody]) -> None:
    """Look at the mask's size."""
    _images([request.body.maskBase64])


def check_blend(request: Request[BlendBody | UploadBody]) -> None:
    """Look at the pictures' sizes."""
    _images(request.body.base64Array)


def check_describe(request: Request[DescribeBody]) -> None:
    """Ask for a picture."""
    body = request.body
    if not body.base64 and not body.link:
        raise Failure(Reason.INVALID, "base64或link不能为空", param="base64")
    if body.link and not body.base64 and not body.link.startswith(("http://", "https://")):
        raise Failure(Reason.INVALID, "链接格式错误", param="link")
    _images([body.base64])


def check_swap(request: Request[SwapBody]) -> None:
    """Ask for two different pictures."""
    body = request.body
    source, target = body.sourceBase64 or body.sourceUrl, body.targetBase64 or body.targetUrl
    if not source:
        raise Failure(Reason.INVALID, "人脸图片不能为空", param="sourceBase64")
    if not target:
        raise Failure(Reason.INVALID, "目标图片不能为空", param="targetBase64")
    if source == target:
        raise Failure(Reason.INVALID, "人脸图片和目标图片不能相同", param="targetBase64")
    _images([source, target])


def check_edit(request: Request[EditBody]) -> None:
    """Ask for a prompt and a picture."""
    check_prompt(request)
    if not request.body.image:
        raise missing("image")
    _images([request.body.image, request.body.maskBase64])


def check_video(request: Request[VideoBody]) -> None:
    """Ask for a prompt, or for the video to lengthen."""
    body = request.body
    if body.action == "extend":
        if not body.taskId:
            raise missing("taskId")
        if body.index is None:
            raise missing("index")
    elif not (body.prompt or "").strip():
        raise missing("prompt")
    _images([body.image, body.endImage])


# Changes and buttons -----------------------------------------------------------------------------------------------

_SIMPLE = re.compile(r"(\S+) (?:([UV])([1-4])|(R))", re.IGNORECASE)
_CHANGES: Mapping[str, str] = {"U": "UPSCALE", "V": "VARIATION", "R": "REROLL"}
_CHANGE_BUTTONS: Mapping[str, str] = {"UPSCALE": "upsample", "VARIATION": "variation", "REROLL": "reroll"}
_BUTTONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"MJ::JOB::(video_virtual_upscale|upsample)::[1-4]::", "mj_upscale"),
        (r"MJ::JOB::upsample_\w+::", "mj_upscale"),
        (r"MJ::JOB::variation::[1-4]::", "mj_variation"),
        (r"MJ::JOB::low_variation::", "mj_low_variation"),
        (r"MJ::JOB::high_variation::", "mj_high_variation"),
        (r"MJ::JOB::reroll::", "mj_reroll"),
        (r"MJ::JOB::pan_(left|right|up|down)::", "mj_pan"),
        (r"MJ::JOB::(animate_|video::)", "mj_video"),
        (r"MJ::Inpaint::", "mj_inpaint"),
        (r"MJ::Outpaint::", "mj_zoom"),
        (r"MJ::CustomZoom::", "mj_custom_zoom"),
        (r"MJ::Job::PicReader::([1-4]|all)", "mj_imagine"),
        (r"MJ::Picread::Retry", "mj_describe"),
        (r"MJ::Job::PromptAnalyzer::[1-5]", "mj_imagine"),
        (r"MJ::Job::PromptAnalyzer", "mj_shorten"),
        (BOOKMARK, "mj_bookmark"),
    )
)
WINDOWED = frozenset({"mj_inpaint", "mj_custom_zoom"})
"""Buttons that always wait for input: what follows is priced as `mj_modal`."""
_ACTIONS: Mapping[str, str] = {
    "mj_low_variation": "VARIATION",
    "mj_high_variation": "VARIATION",
    "mj_inpaint": "VARIATION",
    "mj_custom_zoom": "ZOOM",
    "mj_edits": "EDIT",
    "swap_face": "SWAP_FACE",
}
MODELS = (
    *(
        f"mj_{name}"
        for name in (
            "imagine",
            "variation",
            "high_variation",
            "low_variation",
            "reroll",
            "blend",
            "modal",
            "inpaint",
            "zoom",
            "custom_zoom",
            "pan",
            "upscale",
            "describe",
            "shorten",
            "video",
            "edits",
            "upload",
            "bookmark",
        )
    ),
    "swap_face",
)


def simple_change(body: SimpleChangeBody) -> tuple[str, str, int | None]:
    """Read a simple change: the task's id, the action, the quadrant.

    Raises
    ------
    Failure
    """
    match = _SIMPLE.fullmatch(body.content.strip())
    if match is None:
        raise Failure(Reason.INVALID, "content参数错误", param="content")
    return match[1], _CHANGES[(match[2] or match[4]).upper()], int(match[3]) if match[3] else None


def change(body: ChangeBody | SimpleChangeBody) -> tuple[str, str, int | None]:
    """Read a change in either form: the task's id, the action, the quadrant."""
    if isinstance(body, SimpleChangeBody):
        return simple_change(body)
    return str(body.taskId), body.action, None if body.action == "REROLL" else body.index


def change_button(body: ChangeBody | SimpleChangeBody) -> str:
    """Return how the button of a change begins."""
    _, kind, index = change(body)
    return f"MJ::JOB::{_CHANGE_BUTTONS[kind]}::{index or 0}::"


def button(body: ActionBody) -> str:
    """Return the price name of the button that is pressed.

    Raises
    ------
    Failure
    """
    for pattern, called in _BUTTONS:
        if pattern.match(body.customId):
            return called
    raise Failure(Reason.INVALID, "未知的 Action 类型", param="customId")


_NAMES: Mapping[type[msgspec.Struct], str] = {
    ImagineBody: "mj_imagine",
    BlendBody: "mj_blend",
    DescribeBody: "mj_describe",
    ShortenBody: "mj_shorten",
    SwapBody: "swap_face",
    UploadBody: "mj_upload",
    EditBody: "mj_edits",
    VideoBody: "mj_video",
    ModalBody: "mj_modal",
}


def name(request: Request[CommonBody]) -> str:
    """Return the price name of what is asked for: it routes, and tokens' lists allow it or not.

    Raises
    ------
    Failure
    """
    body = request.body
    if isinstance(body, ActionBody):
        return button(body)
    if isinstance(body, ChangeBody | SimpleChangeBody):
        return f"mj_{change(body)[1].lower()}"
    return _NAMES[type(body)]


def button_price(request: Request[ActionBody]) -> str:
    """Return the price key of a button: where it only opens a window, that of what follows."""
    pressed = button(request.body)
    return "mj_modal" if pressed in WINDOWED else pressed


def action(request: Request[CommonBody]) -> str:
    """Return a task's action, as long as the upstream has not told it."""
    called, body = name(request), request.body
    if called == "mj_upscale" and isinstance(body, ActionBody) and "upsample_v" in body.customId:
        return "UPSCALE_HD"
    if request.path.endswith("/retexture"):
        return "RETEXTURE"
    return _ACTIONS.get(called) or called.removeprefix("mj_").upper()


# Modes -------------------------------------------------------------------------------------------------------------

_FLAG = re.compile(r"\s*(?:--|—)(fast|relax|turbo)\b", re.IGNORECASE)


def mode(request: Request[CommonBody]) -> str | None:
    """Return the speed that is asked for: by the path, the account filter, the prompt, the body; None where none is."""
    body = request.body
    prompt = getattr(body, "prompt", None) or ""
    filtered: Json = (body.accountFilter or {}).get("modes")
    asked: list[Json] = [
        request.params.get("mode"),
        *(filtered[:1] if isinstance(filtered, list) else ()),
        *(_FLAG.findall(prompt)[-1:]),
        body.mode,
    ]
    return next((str(each).lower() for each in asked if str(each).lower() in MODES), None)


def without_flags(prompt: str, chosen: str) -> str:
    """Take speeds out of a prompt that are not the one that is paid for."""
    return _FLAG.sub(lambda flag: flag[0] if flag[1].lower() == chosen else "", prompt)
