"""Vidu's own API: films by several ways, larger and longer ones, lists, and signed callbacks.

Source: platform.vidu.com's documents (2025 and 2026), and ComfyUI's nodes. What errors look like is inferred.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from ..conditions import ABSENT, Rule
from ..feeds import ADDRESS
from ..fields import Field, choice, picture, several, table, text, usually
from ..job_vendor import Hook, JobVendor, Listing, Lookup, Order, Task, Work, at
from ..media.draw import from_base64, size_of
from ..results import Result
from ..terms import by
from ..vendor import Answer, Call, Route, bearer, json_answer
from .vidu import reason, when

V2 = "/ent/v2"
OLD, TWO = ("vidu1.5", "vidu2.0"), ("viduq2", "viduq2-pro", "viduq2-turbo")
THREE = ("viduq3-pro", "viduq3-turbo")
LINES = {"360p": 360, "540p": 540, "720p": 720, "1080p": 1080}
LARGE = {"1080p": 1080, "2K": 1440, "4K": 2160, "8K": 4320}
KEY = "vidu"
SECRET = b"sandbox"
"""Of callbacks, which the vendor signs with the key of the task."""

# What is taken ------------------------------------------------------------------------------------------------------

FLAG, PROMPT = Field("flag"), text(5000)
PICTURE = picture(least=128, steepest=4)
COMMON = table(payload=text(1_048_576), callback_url=ADDRESS)
FILM = table(
    COMMON,
    prompt=PROMPT,
    duration=Field("whole", 1, 16),
    resolution=choice(*LINES),
    movement_amplitude=usually("auto", "small", "medium", "large"),
    seed=Field("whole", 0, 2147483647),
    bgm=FLAG,
    audio=FLAG,
    off_peak=FLAG,
    watermark=FLAG,
)
RATIO = usually("16:9", "9:16", "1:1", "3:4", "4:3")


def _model(*names: str) -> Field:
    return choice(*names, error="unknown_model").must()


def _images(low: int, high: int) -> Field:
    return several(low, high, PICTURE).must()


TEXT = table(
    FILM,
    model=_model("vidu1.5", "viduq1", "viduq2", *THREE),
    prompt=PROMPT.must(),
    style=usually("general", "anime"),
    aspect_ratio=RATIO.where(("3:4", "4:3"), {"model": (*TWO, *THREE)}),
)
IMAGE = table(FILM, model=_model(*OLD, "viduq1", *TWO[1:], *THREE), images=_images(1, 1))
REFERENCES = table(
    FILM, model=_model(*OLD, "viduq1", "viduq2"), images=_images(1, 7), prompt=PROMPT.must(), aspect_ratio=RATIO
)
ENDS = table(FILM, model=_model(*OLD, "viduq1", *TWO[1:], *THREE), images=_images(2, 2))
UPSCALE = table(COMMON, model=_model("vidu1.0"), creation_id=Field(required=True))
CREATION = Field().when(video_url=ABSENT).only(video_url=ABSENT)
LARGER = table(COMMON, video_creation_id=CREATION, video_url=ADDRESS, upscale_resolution=usually(*LARGE))
LONGER = table(
    COMMON,
    model=_model(*TWO[1:]),
    video_creation_id=CREATION,
    video_url=ADDRESS,
    images=several(0, 1, PICTURE),
    prompt=PROMPT,
    duration=Field("whole", 1, 7, default=5),
    resolution=choice(*LINES),
)
LENGTHS = (
    Rule({"duration": (None, 4, 8)}, {"model": OLD}),
    Rule({"resolution": (None, "720p")}, {"model": OLD, "duration": 8}),
    Rule({"duration": (None, 5), "resolution": (None, "1080p")}, {"model": "viduq1"}),
    Rule({"duration": (None, *range(1, 11)), "resolution": (None, "540p", "720p", "1080p")}, {"model": TWO}),
    Rule({"resolution": (None, "540p", "720p", "1080p")}, {"model": THREE}),
)
LOW = Rule({"parent.resolution": (None, "360p")})
LONG_ENOUGH = Rule({"parent.seconds": range(4, 61)}, {"video_url": ABSENT})


def _ends(order: Order) -> None:
    sizes = [size_of(data) for image in order.body["images"] if (data := from_base64(image)) is not None]
    ratios = [size[0] / size[1] for size in sizes if size is not None]
    if len(ratios) == 2 and not 0.8 <= ratios[0] / ratios[1] <= 1.25:
        raise order.refused("value", "images: the two are shaped too differently")


# What is made, for how much, and how it is told ---------------------------------------------------------------------


def _usual(order: Order) -> tuple[int, str]:
    name = order.said("model")
    seconds, lines = (4, "360p") if name in OLD else (5, "1080p" if name == "viduq1" else "720p")
    seconds = order.said("duration", seconds)
    return seconds, order.said("resolution", "720p" if name in OLD and seconds > 4 else lines)


def _film(order: Order) -> Sequence[Result]:
    seconds, lines = _usual(order)
    if order.parent is not None:
        longer = seconds if order.work.path == f"{V2}/extend" else 0
        return [order.film(order.parent.result.seconds + longer, side=0)]
    return [order.film(seconds, side=LARGE.get(order.said("upscale_resolution"), LINES[lines]))]


# New credits; those of version 2 beyond 540p, and of what makes a film larger, are unverified.
OF_TWO = by("resolution", {"540p": 2, "360p": 2, "1080p": 22}, 11)
OF_THREE = by("resolution", {"540p": 14, "1080p": 32}, 30)


def _price(order: Order) -> float:
    seconds, lines = _usual(order)
    name, half = order.said("model"), 0.5 if order.said("off_peak") else 1
    if name == "viduq1":
        return 80 * half
    if name in OLD:
        credits = 200 if seconds > 4 or lines == "1080p" else {"720p": 100}.get(lines, 40)
        return credits * (0.5 if name == "vidu2.0" else 1) * half
    first = 8 if lines in ("360p", "540p") and name in TWO else 0
    return (first + seconds * (OF_TWO if name in TWO else OF_THREE)(order)) * half


def _accepted(task: Task) -> dict[str, Any]:
    told = {name: task.body[name] for name in ("model", "prompt", "style", "aspect_ratio") if name in task.body}
    return {
        "task_id": task.id,
        "type": task.work.path.rpartition("/")[2],
        "state": "created",
        "images": [],
        "duration": task.body.get("duration", 5),
        "seed": task.body.get("seed", 4711),
        "resolution": task.body.get("resolution", "720p"),
        "movement_amplitude": "auto",
        "created_at": when(task.job.created),
        "payload": task.body.get("payload", ""),
        "off_peak": task.body.get("off_peak", False),
        **told,
        **({} if "no-usage" in task.job.triggers else {"credits": task.price}),
    }


def told(task: Task) -> dict[str, Any]:
    """Tell of a task."""
    creations = [
        {
            "id": made.id,
            "url": made.url,
            "cover_url": made.cover,
            "watermarked_url": made.marked or made.url + "&mark=1",
            "video": {
                "duration": made.result.seconds,
                "fps": 24,
                "resolution": {"width": made.result.picture.width, "height": made.result.picture.height},
            },
        }
        for made in task.artefacts
    ]
    cancelled = task.job.state == "cancelled"
    return {
        "id": task.id,
        "state": task.status,
        "err_code": "UserCancelled" if cancelled else reason(task),
        "credits": 0 if "no-usage" in task.job.triggers else task.price,
        "payload": task.body.get("payload", ""),
        "bgm": task.body.get("bgm", False),
        "off_peak": task.body.get("off_peak", False),
        "creations": creations,
    }


async def _cancel(call: Call) -> Answer:
    task = ENT.find(call, call.params["id"])
    if task.job.is_final or not task.body.get("off_peak"):
        raise ENT.refused(call, "conflict", "only a task off the peak that has not ended can be cancelled")
    call.world.jobs.finish(task.job, "cancelled", lambda job: None)
    return json_answer({})


def _signed(task: Task, raw: bytes) -> Mapping[str, str]:
    parts, nonce = urlsplit(task.body["callback_url"]), secrets.token_hex(8)
    date = email.utils.formatdate(usegmt=True)
    lines = ["POST", parts.path, parts.query, KEY, date, f"Date:{date}", f"x-request-nonce:{nonce}", ""]
    digest = hmac.new(SECRET, "\n".join(lines).encode(), hashlib.sha256).digest()
    return {
        "Date": date,
        "x-request-nonce": nonce,
        "X-HMAC-SIGNED-HEADERS": "Date;x-request-nonce",
        "X-HMAC-ALGORITHM": "hmac-sha256",
        "X-HMAC-ACCESS-KEY": KEY,
        "X-HMAC-SIGNATURE": base64.b64encode(digest).decode(),
    }


class Token:
    """Keys after the word `Token`."""

    def account(self, request: web.Request) -> str:
        """Return the key."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "token" else bearer(request)

    def fault(self, request: web.Request) -> str:
        """Tell nothing."""
        return ""


def _work(kind: str, fields: Mapping[str, Field], **more: Any) -> Work:
    usual: dict[str, Any] = {"rules": LENGTHS, "price": _price}
    return Work(f"{V2}/{kind}", 60, fields, _film, **(usual | more))


ENT = JobVendor(
    name="vidu_ent",
    works=[
        _work("text2video", TEXT),
        _work("img2video", IMAGE),
        _work("reference2video", REFERENCES),
        _work("start-end2video", ENDS, check=_ends),
        _work("upscale", UPSCALE, parent="creation_id", rules=(LOW,), price=40),
        _work("upscale-new", LARGER, parent="video_creation_id", rules=(), price=80),
        _work("extend", LONGER, parent="video_creation_id", rules=(LONG_ENOUGH,)),
    ],
    words={"queued": "queueing", "running": "processing", "done": "success", "failed": "failed"},
    shown=told,
    accepted=_accepted,
    lookups=[Lookup("GET", f"{V2}/tasks/{{id}}/creations")],
    listings=[Listing(f"{V2}/tasks", page="pager.page", size="pager.pagesz")],
    hook=Hook("callback_url", told, on_change=True, headers=_signed, retries=(5.0, 30.0, 120.0)),
    errors={
        **at(400, bad_request="BadRequest", value="FieldInvalid", missing="FieldLacking", type="FieldInvalid"),
        **at(400, moderated="TaskPromptPolicyViolation", unfinished="OperationInProcess"),
        **at(401, unauthorized="Unauthorized"),
        **at(404, not_found="NotFound", unknown_id="TaskNotFound", unknown_model="ModelUnavailable"),
        **at(409, conflict="Conflict"),
        **at(429, rate_limited="TooManyRequests"),
        **at(500, server_error="InternalServiceFailure"),
    },
    error=lambda call, code, message: {
        "code": next(status for status, other in ENT.errors.values() if other == code),
        "reason": code,
        "message": message,
        "metadata": {},
    },
    new_id=lambda ids: ids.digits(18),
    keys=Token(),
    further=[Route("POST", f"{V2}/tasks/{{id}}/cancel", _cancel)],
)
VENDOR = ENT.vendor()
