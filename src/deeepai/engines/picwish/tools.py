"""What PicWish's clients ask for, as jobs of the image tools.

Numbers come as texts in forms. Source: the vendor's reference pages and samples (2025 and 2026), and its own clients.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..images import module
from ..jobs import Refusal
from ..ocr import FORMATS, MODULE, languages
from ..openai_wire import refused
from ..uploads import Sent

LONGEST_ADDRESS: Final = 512
LONGEST_PROMPT, LONGEST_PASSWORD = 1024, 32
MOST_RECTANGLES: Final = 50
MOST_FILE, MOST_DOCUMENT = 64 * 2**20, 200 * 2**20
"""Bytes of a file. Of pictures the vendor takes 15 MB, and 30 in one tool."""
_COLOUR: Final = re.compile(r"#?[0-9A-Fa-f]{6}")
_SIZE: Final = re.compile(r"(\d{3,4})x(\d{3,4})")

Made = Callable[[Mapping[str, Any]], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool.

    Attributes
    ----------
    path : str
        Below `/api/tasks/`.
    module : str
        Of the job.
    read : callable
        The job's request, from the fields; raises `WireError`.
    made : callable
        The job's files by the field that tells of each, from its result.
    file : str
        What the job calls the picture or document.
    waits, bare : bool
        Whether it has a synchronous mode, and one that answers with bare bytes.
    masked : bool
        Whether it wants a mask.
    large : bool
        Whether it may take more than some seconds.
    """

    path: str
    module: str
    read: Callable[[Sent], dict[str, Any]]
    made: Made = lambda result: {"image": result["image"]}
    file: str = "image"
    waits: bool = True
    bare: bool = True
    masked: bool = False
    large: bool = False
    most: int = MOST_FILE
    seconds: float = 180.0

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


# Fields ------------------------------------------------------------------------------------------------------------


def whole(sent: Sent, name: str, low: int, high: int) -> int | None:
    """Return a whole number within bounds; None where it is left out.

    Raises
    ------
    WireError
    """
    value = sent.fields.get(name)
    if value in (None, ""):
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
        raise refused(f"{name} must be a whole number from {low} to {high}", name)
    return int(text)


def text(sent: Sent, *names: str, most: int = 4096) -> str:
    """Return a text under one of some names; an empty one where it is left out.

    Raises
    ------
    WireError
    """
    for name in names:
        value = sent.fields.get(name)
        if value in (None, ""):
            continue
        if not isinstance(value, str) or len(value) > most:
            raise refused(f"{name} must be a text of at most {most} characters", name)
        return value
    return ""


def choice(sent: Sent, name: str, *choices: str) -> str:
    """Return one of some words, by default the first.

    Raises
    ------
    WireError
    """
    value = text(sent, name) or choices[0]
    if value not in choices:
        raise refused(f"{name} must be one of: {', '.join(filter(None, choices))}", name)
    return value


def _colour(sent: Sent) -> str:
    value = text(sent, "bg_color") or "FFFFFF"
    if not _COLOUR.fullmatch(value):
        raise refused("bg_color must be RRGGBB", "bg_color")
    return value.removeprefix("#")


def address(sent: Sent, *names: str) -> str:
    """Return an address; as one of the vendor's samples sends it, it may have come as a file.

    Raises
    ------
    WireError
    """
    value = text(sent, *names)
    upload = sent.file(*names)
    if not value and upload is not None:
        with upload.path.open("rb") as file:
            value = file.read(LONGEST_ADDRESS + 1).decode("utf-8", "replace").strip()
    if value and (len(value) > LONGEST_ADDRESS or not value.startswith(("http://", "https://"))):
        raise refused(f"{names[0]} must be http or https, of at most {LONGEST_ADDRESS} characters", names[0])
    return value


def decoded(sent: Sent, name: str) -> bytes | None:
    """Return what came in base64, bare or as a data URL; None where it is left out.

    Raises
    ------
    WireError
    """
    value = text(sent, name, most=MOST_FILE * 4 // 3 + 100)
    if not value:
        return None
    body = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise refused(f"{name} is no base64", name) from None


def rectangles(sent: Sent) -> list[dict[str, int]] | None:
    """Return what is to be removed, where it is told as rectangles.

    Raises
    ------
    WireError
    """
    value = sent.fields.get("rectangles")
    if value in (None, ""):
        return None
    try:
        found = json.loads(value) if isinstance(value, str) else value
        boxes = [{name: int(box[name]) for name in ("x", "y", "width", "height")} for box in found]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        boxes = []
    if not 0 < len(boxes) <= MOST_RECTANGLES or any(min(box["width"], box["height"]) <= 0 for box in boxes):
        message = f"rectangles must be a list of 1 to {MOST_RECTANGLES} objects with x, y, width and height"
        raise refused(message, "rectangles")
    return boxes


# Requests ----------------------------------------------------------------------------------------------------------


def _segmentation(sent: Sent) -> dict[str, Any]:
    return {
        "type": choice(sent, "type", "", "person", "object", "stamp") or "auto",
        "output": {1: "both", 2: "image", 3: "mask"}[whole(sent, "output_type", 1, 3) or 2],
        "crop": whole(sent, "crop", 0, 1) == 1,
        "format": choice(sent, "format", "png", "jpg"),
        "background": _colour(sent),
    }


def _cut_out(result: Mapping[str, Any]) -> dict[str, str]:
    return {name: result.get(name) or "" for name in ("image", "mask")}


def _scale(sent: Sent) -> dict[str, Any]:
    factor = whole(sent, "scale_factor", 1, 4) or 0
    if factor == 3:
        raise refused("scale_factor must be 1, 2 or 4", "scale_factor")
    return {
        "type": choice(sent, "type", "clean", "face"),
        "factor": factor,
        "face_only": whole(sent, "fix_face_only", 0, 1) == 1,
    }


def _inpaint(sent: Sent) -> dict[str, Any]:
    boxes = rectangles(sent)
    return {"rectangles": boxes} if boxes else {}


def _background(sent: Sent) -> dict[str, Any]:
    scene = whole(sent, "scene_type", 0, 999_999)
    prompt = text(sent, "prompt", most=LONGEST_PROMPT)
    if not prompt and scene is None:
        raise refused("prompt or scene_type is required", "prompt")
    return {
        "prompt": prompt,
        "negative_prompt": text(sent, "negative_prompt", most=LONGEST_PROMPT),
        "scene_type": scene,
        "count": whole(sent, "batch_size", 1, 4) or 2,
    }


def _backgrounds(result: Mapping[str, Any]) -> dict[str, str]:
    return {f"image_{number}": file for number, file in enumerate(result["images"], 1)}


def _id_photo(sent: Sent) -> dict[str, Any]:
    size = text(sent, "size")
    found = _SIZE.fullmatch(size)
    if size and (found is None or not all(100 <= int(side) <= 2000 for side in found.groups())):
        raise refused("size must be WIDTHxHEIGHT, each from 100 to 2000", "size")
    return {
        "size": [int(side) for side in found.groups()] if found else None,
        "format": choice(sent, "format", "png", "jpg"),
        "background": _colour(sent),
    }


def _colorization(sent: Sent) -> dict[str, Any]:
    return {"format": choice(sent, "format", "jpg", "jpeg", "png", "webp").replace("jpeg", "jpg")}


def _imgcompress(sent: Sent) -> dict[str, Any]:
    quality, kbyte = whole(sent, "quality", 1, 100), whole(sent, "kbyte", 0, 51_200)
    kind = choice(sent, "format", "", "jpg", "png", "webp")
    if quality is not None and kbyte is not None:
        raise refused("kbyte must be empty where quality is there", "kbyte")
    if kbyte is not None and kind == "png":
        raise refused("kbyte is not for png", "kbyte")
    return {
        "format": kind,
        "quality": quality,
        "kbyte": kbyte or None,
        "width": whole(sent, "width", 0, 8000) or 0,
        "height": whole(sent, "height", 0, 8000) or 0,
    }


def _ocr(sent: Sent) -> dict[str, Any]:
    language = text(sent, "language") or languages.USUAL
    try:
        languages.check(language)
    except Refusal as refusal:
        raise refused(refusal.message, "language") from None
    upload = sent.file("image_file", "file")
    given = upload.name if upload else address(sent, "image_url", "url").partition("?")[0].rpartition("/")[2]
    return {
        "format": choice(sent, "format", *FORMATS),
        "language": language,
        "password": text(sent, "password", most=LONGEST_PASSWORD),
        "name": text(sent, "filename") or given.rpartition(".")[0] or given,
        "given": given,
    }


def _correction(sent: Sent) -> dict[str, Any]:
    kind = whole(sent, "type", 0, 4)
    return {"type": 1 if kind is None else kind}


def _nothing(sent: Sent) -> dict[str, Any]:
    del sent
    return {}


_file: Made = lambda result: {"file": result["file"]}  # noqa: E731
_PACKAGE: Final = __name__.rpartition(".")[0]
TOOLS: Final = (
    Tool("visual/segmentation", module("segmentation"), _segmentation, _cut_out),
    Tool("visual/scale", module("scale"), _scale, large=True),
    Tool("visual/inpaint", module("inpaint"), _inpaint, bare=False, masked=True),
    Tool("visual/watermark", module("inpaint"), _inpaint, bare=False, masked=True),
    Tool(
        "visual/external/watermark-remove",
        f"{_PACKAGE}.watermarks",
        _nothing,
        lambda result: {"file": result["image"]},
        bare=False,
    ),
    Tool("visual/background", module("background"), _background, _backgrounds, waits=False, large=True),
    Tool("visual/idphoto", module("idphoto"), _id_photo, bare=False),
    Tool("visual/colorization", module("colorization"), _colorization),
    Tool("visual/imgcompress", module("imgcompress"), _imgcompress, bare=False),
    Tool("document/ocr", MODULE, _ocr, _file, "document", False, large=True, most=MOST_DOCUMENT, seconds=3600.0),
    Tool("visual/correction", module("correction"), _correction),
)
UNFETCHED: Final = f"{_PACKAGE}.unfetched"
"""The job of a task whose picture could not be had."""
