"""Zhipu's CogVideoX: films from text and pictures, asked for until they are done; nobody is called back.

Source: the vendor's documents of both platforms, and the SDKs `zai-sdk` 0.2.3 and `zhipuai` 2.1.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..fields import Field, picture
from ..job_vendor import JobVendor, Lookup, Order, Task, Work, at
from ..keys import WebTokens
from ..terms import by, films, said
from ..views import of

BASE = "/api/paas/v4"
OWN = ("cogvideox", "cogvideox-2", "cogvideox-flash", "cogvideox-3")
PAIRED = ("cogvideox-3", "viduq1-start-end", "vidu2-start-end", "vidu2-reference")
"""Models that take several pictures: the first and the last frame, or references."""
MODELS = (*OWN, "viduq1-text", "viduq1-image", "viduq1-start-end", "vidu2-image", "vidu2-start-end", "vidu2-reference")
SIZES = (
    *("1280x720", "720x1280", "1024x1024", "1920x1080", "1080x1920", "2048x1080", "3840x2160"),
    # Of cogvideox-2 in older documents.
    *("720x480", "960x1280", "1280x960"),
)
LONGEST, LONGEST_OF_VIDU = 512, 1500
"""Characters of a prompt."""
PICTURE = picture(most_bytes=5 * 2**20)


def _image_url(value: Any) -> str:
    addresses = value if isinstance(value, list) else [value]
    if not all(isinstance(address, str) for address in addresses):
        return "must be a text or a list of texts"
    return next((wrong for address in addresses if PICTURE.check and (wrong := PICTURE.check(address))), "")


FIELDS = {
    "model": Field(required=True, choices=MODELS, error="unknown_model"),
    "prompt": Field(high=LONGEST_OF_VIDU, error="too_long"),
    "image_url": Field("any", check=_image_url),
    "quality": Field(choices=("speed", "quality"), default="speed"),
    "with_audio": Field("flag", default=False),
    "size": Field(choices=SIZES),
    "fps": Field("whole", choices=(30, 60), default=30),
    "duration": Field("whole", choices=(5, 10), default=5),
    "watermark_enabled": Field("flag"),
    "request_id": Field(),
    "user_id": Field(low=6, high=128),
    "sensitive_word_check": Field("object"),
    "style": Field(choices=("general", "anime")),
    "aspect_ratio": Field(choices=("16:9", "9:16", "1:1")),
    "movement_amplitude": Field(choices=("auto", "small", "medium", "large")),
    "off_peak": Field("flag"),
}


def _images(order: Order) -> Sequence[str]:
    value = order.body.get("image_url") or []
    return value if isinstance(value, list) else [value]


def _check(order: Order) -> None:
    model, prompt, images = order.body["model"], order.body.get("prompt") or "", _images(order)
    if not prompt and not images:
        raise order.refused("missing", "prompt or image_url is required")
    if model in OWN and len(prompt) > LONGEST:
        raise order.refused("too_long", f"prompt is longer than {LONGEST} characters")
    if len(images) > 1 and (model not in PAIRED or (model == "cogvideox-3" and len(images) > 2)):
        raise order.refused("unsupported", f"{model} does not take {len(images)} pictures")
    # What a caller does not name, the platform makes up.
    order.body.setdefault("request_id", order.call.world.ids.digits(19))


def _why(task: Task) -> dict[str, str] | None:
    """Where the reason stands is documented nowhere; the SDKs take the field."""
    if task.job.state == "moderated":
        return {"code": "1301", "message": "unsafe content"}
    return {"code": "500", "message": task.job.error} if task.reason else None


# Only cogvideox-3 is told how long.
LENGTH = by("model", {"cogvideox-3": said("duration")}, 5)
FILM = films(side=1080, seconds=LENGTH, fps=said("fps"), loud=said("with_audio"))
ACCEPTED = {"id": "id", "model": "body.model", "request_id": "body.request_id", "task_status": "status"}
MADE = of("artefacts", {"url": "url", "cover_image_url": "cover"})

VENDOR = JobVendor(
    name="cogvideox",
    works=[Work(f"{BASE}/videos/generations", 60, FIELDS, FILM, check=_check)],
    words={"queued": "PROCESSING", "running": "PROCESSING", "done": "SUCCESS", "failed": "FAIL"},
    shown=ACCEPTED | {"video_result": MADE, "error": _why},
    accepted=ACCEPTED,
    lookups=[
        Lookup("GET", f"{BASE}/async-result/{{id}}"),
        Lookup("POST", f"{BASE}/async-results", "body", "ids", many=True),
    ],
    # Codes: the vendor's document. HTTP statuses: the SDKs' classes of errors; that an unknown model, a prompt too
    # long and a repeated request are 400 is inferred.
    errors={
        **at(400, bad_request="1210", missing="1213", type="1214", value="1214", unknown_model="1211"),
        **at(400, unsupported="1212", too_long="1261", duplicate="1231", unknown_id="1214", moderated="1301"),
        **at(401, unauthorized="1000", no_key="1001", bad_key="1002", expired_key="1003"),
        **at(404, not_found="1222"),
        **at(429, rate_limited="1303"),
        **at(500, server_error="500"),
        **at(503, overloaded="500"),
    },
    error=lambda call, code, message: {"error": {"code": code, "message": message}},
    unique="request_id",
    new_id=lambda ids: f"{ids.digits(19)}-{ids.digits(16)}",
    # Of addresses: about a day, say the older documents.
    lifetime=86400,
    keys=WebTokens(holder="api_key", unit=1000),
).vendor()
