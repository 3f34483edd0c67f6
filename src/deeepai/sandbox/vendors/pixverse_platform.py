"""Pixverse's own API: films by several ways, pictures and sounds by upload, signed callbacks.

Source: docs.platform.pixverse.ai (2025 and 2026), and the vendor's MCP server 0.2.2. Callbacks go where the vendor's
console says; here a field of the body does, as with relays.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from ..conditions import ABSENT, Rule
from ..feeds import ADDRESS
from ..fields import Field, choice, group, several, table, text, usually
from ..job_vendor import Balance, Hook, JobVendor, Lookup, Order, Task, Work, at
from ..media.draw import fit, size_of
from ..results import Result
from ..terms import by, product
from ..vendor import Answer, Call, RefusedError, Route, bearer, json_answer
from .pixverse_web import LINES, MOVES, STYLES, refusal

V2 = "/openapi/v2"
OLD, NEW = ("v3.5", "v4", "v4.5"), ("v5", "v5.5", "v6")
MOST_BYTES, MOST_PIXELS = 20 * 2**20, 4000
"""Of an uploaded picture."""
SECRET = b"sandbox"
"""Of callbacks."""
RETRIES = (2.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
SPEAKERS = [{"speaker_id": str(number), "name": name} for number, name in enumerate(("Emily", "James", "Ying"), 1)]

# What is taken ------------------------------------------------------------------------------------------------------

MODEL = choice(*OLD, *NEW, error="unknown_model")
TEXT, WHOLE, FLAG = text(2048), Field("whole"), Field("flag")
COMMON = table(negative_prompt=TEXT, seed=Field("whole", 0, 2147483647), callback_url=ADDRESS)
SOUND = table(
    sound_effect_switch=FLAG,
    sound_effect_content=TEXT.only(sound_mode=ABSENT),
    sound_mode=choice("default_music"),
    play_bgm=FLAG,
    water_mark=FLAG,
)
SHOT = table(
    COMMON,
    SOUND,
    prompt=TEXT.must(),
    model=MODEL.must(),
    duration=Field("whole", choices=(5, 8, 10), required=True).where((10,), {"model": NEW[1:]}),
    quality=choice(*LINES).must(),
    motion_mode=usually("normal", "fast"),
)
LOOK = table(
    style=choice(*STYLES, "day", "realistic"),
    template_id=WHOLE,
    camera_movement=choice(*MOVES, "default").only(template_id=ABSENT),
)
SMALL = tuple(LINES)[:3]
LIMITS = (
    Rule({"quality": SMALL}, {"duration": 8, "model": OLD}),
    Rule({"duration": 5, "quality": SMALL}, {"motion_mode": "fast"}),
)
RATIO = choice("16:9", "4:3", "1:1", "3:4", "9:16").must()
ONE = WHOLE.when(img_ids=ABSENT, template_id=ABSENT).only(img_ids=ABSENT)
PICTURED = table(SHOT, LOOK, img_id=ONE, img_ids=several(1, 4, WHOLE))
ENDS = table(SHOT, first_frame_img=WHOLE.must(), last_frame_img=WHOLE.must())
SOURCE = table(
    source_video_id=WHOLE.when(video_media_id=ABSENT).only(video_media_id=ABSENT),
    video_media_id=WHOLE,
)
VOICE = {"audio_media_id": ABSENT}
SPEECH = table(
    COMMON,
    SOURCE,
    audio_media_id=WHOLE.only(lip_sync_tts_content=ABSENT, lip_sync_tts_speaker_id=ABSENT),
    lip_sync_tts_speaker_id=Field().when(**VOICE),
    lip_sync_tts_content=text(200).when(**VOICE),
)
NOISE = table(COMMON, SOURCE, sound_effect_content=TEXT.must(), original_sound_switch=FLAG)
REFERENCE = group(type=choice("subject", "background").must(), img_id=WHOLE.must(), ref_name=text(30).must())
FUSED = table(
    SHOT,
    model=choice("v4.5", error="unknown_model").must(),
    image_references=several(1, 3, REFERENCE).must(),
    aspect_ratio=RATIO,
)
# Of these ways the documents are not known but for their paths.
OTHER = table(
    SHOT, prompt=TEXT, model=choice(*OLD, *NEW, error="unknown_model"), duration=WHOLE, quality=choice(*LINES)
)
OF_VIDEO = table(OTHER, SOURCE, img_id=WHOLE)
OF_FRAMES = table(OTHER, img_ids=several(2, 7, WHOLE).must())


# Uploads ------------------------------------------------------------------------------------------------------------


def _named(body: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the uploads that a body names: their kind, and the id."""
    for name in ("img_id", "first_frame_img", "last_frame_img"):
        yield from [("image", body[name])] if name in body else []
    yield from (("image", number) for number in body.get("img_ids", ()))
    yield from (("image", reference["img_id"]) for reference in body.get("image_references", ()))
    yield from (("media", body[name]) for name in ("video_media_id", "audio_media_id") if name in body)


def _kept(call: Call, kind: str) -> dict[str, Any]:
    return call.world.shelves[call.owner, f"pixverse-{kind}"]


def _sent(call: Call, file: str) -> tuple[bytes | None, str]:
    """Return the file of an upload, or else its address."""
    texts = call.form.texts if call.is_form else dict(parse_qsl(call.body.decode("utf-8", "replace")))
    data, address = call.form.files.get(file) if call.is_form else None, texts.get(f"{file}_url", "")
    if data is None and not address.startswith(("http://", "https://")):
        raise PLATFORM.refused(call, "missing", f"{file} or {file}_url is required")
    return data, address


async def _upload_image(call: Call) -> Answer:
    data, address = _sent(call, "image")
    size = size_of(data) if data is not None else (1280, 720)
    if size is None:
        raise PLATFORM.refused(call, "bad_picture", "invalid image format")
    if max(size) > MOST_PIXELS or len(data or b"") > MOST_BYTES:
        raise PLATFORM.refused(call, "large_picture", "the image is larger than 20 MB or 4000 pixels")
    number = call.world.ids.digits(15)
    _kept(call, "image")[number] = data
    return json_answer(_enveloped({"img_id": int(number), "img_url": address or f"{call.origin}/uploads/{number}.png"}))


async def _upload_media(call: Call) -> Answer:
    data, address = _sent(call, "file")
    kind = call.form.texts.get("media_type", "video") if call.is_form else "video"
    if kind not in ("video", "audio"):
        raise PLATFORM.refused(call, "value", "media_type must be video or audio")
    number = call.world.ids.digits(15)
    _kept(call, "media")[number] = data
    url = address or f"{call.origin}/uploads/{number}"
    return json_answer(_enveloped({"media_id": int(number), "media_type": kind, "url": url}))


async def _speakers(call: Call) -> Answer:
    query = call.request.query
    page, size = int(query.get("page_num", 1)), int(query.get("page_size", 30))
    return json_answer(_enveloped({"total": len(SPEAKERS), "data": SPEAKERS[(page - 1) * size : page * size]}))


def _check(order: Order) -> None:
    call = order.call
    trace = call.request.headers.get("ai-trace-id", "")
    if not trace:
        raise order.refused("missing", "Ai-trace-id is required")
    for task in order.vendor.tasks(call):
        if task.facts["trace"] == trace:
            # It makes nothing again.
            raise RefusedError(json_answer(_enveloped(_accepted(task))))
    order.facts["trace"] = trace
    for kind, number in _named(order.body):
        if str(number) not in _kept(call, kind):
            raise order.refused("bad_upload", f"the {kind} {number} is not known")
        order.facts.setdefault("picture", _kept(call, kind)[str(number)] if kind == "image" else None)


def _check_names(order: Order) -> None:
    _check(order)
    names = [reference["ref_name"] for reference in order.body["image_references"]]
    fine = all(re.fullmatch(r"[A-Za-z0-9_ ]+", name) and f"@{name}" in order.body["prompt"] for name in names)
    if not fine or len(set(names)) < len(names):
        raise order.refused("value", "each ref_name must be another, and occur in the prompt")


# What is made, for how much, and how it is told ---------------------------------------------------------------------


def _film(order: Order) -> Sequence[Result]:
    """Return one film, shaped as its parent, its picture or `aspect_ratio`."""
    picture, side, seconds = order.facts.get("picture"), LINES[order.said("quality", "540p")], order.said("duration", 5)
    if order.parent is not None or picture is None:
        length = order.parent.result.seconds if order.parent is not None else seconds
        longer = seconds if order.parent is not None and order.work.path.endswith("/extend/generate") else 0
        return [order.film(length + longer, side=side)]
    wide, high = size_of(picture) or (16, 9)
    size = fit(wide / high, side * side * max(wide / high, high / wide), 8)
    return [Result("film", order.draw(size, source=picture), seconds)]


CREDITS = product(
    by("quality", {"720p": 60, "1080p": 120}, 45),
    by("duration", {8: 2, 10: 2}, by("motion_mode", {"fast": 2}, 1)),
)


def _cost(order: Order) -> float:
    return CREDITS(order) + 10 * bool(order.said("sound_effect_switch"))


def _spoken(order: Order) -> float:
    words = str(order.said("lip_sync_tts_content", "")).encode()
    return 4.0 * (-(-len(words) // 15) or 5)


def _enveloped(data: Any) -> Any:
    return {"ErrCode": 0, "ErrMsg": "success", "Resp": data}


def _accepted(task: Task) -> dict[str, Any]:
    credits = {} if "no-usage" in task.job.triggers else {"credits": int(task.price)}
    return {"video_id": int(task.id), **credits}


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _told(task: Task) -> dict[str, Any]:
    made = task.artefacts[0] if task.artefacts else None
    shown = made.result.picture if made else None
    return {
        "id": int(task.id),
        "status": int(task.status),
        "prompt": task.body.get("prompt", ""),
        "negative_prompt": task.body.get("negative_prompt", ""),
        "url": made.url if made else "",
        "size": 3145728 if made else 0,
        "seed": task.body.get("seed", 0),
        "style": task.body.get("style", ""),
        "resolution_ratio": 11,
        "outputWidth": shown.width if shown else 0,
        "outputHeight": shown.height if shown else 0,
        "has_audio": bool(task.body.get("sound_effect_switch")),
        "create_time": _when(task.job.created),
        "modify_time": _when(task.updated),
    }


def _called(task: Task) -> dict[str, Any]:
    told = _told(task)
    credits = int(task.price) if task.artefacts else 0
    return {"id": task.id, **{name: told[name] for name in ("status", "url", "size", "has_audio")}, "credits": credits}


def _signed(task: Task, raw: bytes) -> Mapping[str, str]:
    fields = sorted(json.loads(raw).items())
    payload = urlencode([(name, value if isinstance(value, str) else json.dumps(value)) for name, value in fields])
    now, nonce = str(int(time.time())), secrets.token_hex(16)
    digest = hmac.new(SECRET, f"{now}\n{nonce}\n{payload}".encode(), hashlib.sha256).digest()
    return {
        "Webhook-Timestamp": now,
        "Webhook-Nonce": nonce,
        "Webhook-Signature": base64.b64encode(digest).decode(),
        "Ai-Trace-Id": secrets.token_hex(16),
    }


class ApiKey:
    """Keys in a header of their own."""

    def account(self, request: web.Request) -> str:
        """Return the key."""
        return request.headers.get("api-key", "").strip() or bearer(request)

    def fault(self, request: web.Request) -> str:
        """Tell nothing."""
        return ""


def _work(kind: str, fields: Mapping[str, Field], **more: Any) -> Work:
    usual: dict[str, Any] = {"check": _check, "price": _cost, "parent": "source_video_id", "rules": LIMITS}
    return Work(f"{V2}/video/{kind}/generate", 45, fields, _film, **(usual | more))


PLATFORM = JobVendor(
    name="pixverse_platform",
    works=[
        _work("text", table(SHOT, LOOK, aspect_ratio=RATIO)),
        _work("img", PICTURED),
        _work("transition", ENDS),
        _work("extend", table(SHOT, SOURCE, style=LOOK["style"], template_id=WHOLE)),
        _work("lip_sync", SPEECH, price=_spoken),
        _work("sound_effect", NOISE, price=10),
        _work("fusion", FUSED, check=_check_names),
        _work("multi_transition", OF_FRAMES),
        *(_work(kind, OF_VIDEO) for kind in ("restyle", "swap", "mimic", "modify", "upscale")),
    ],
    words={"queued": "5", "running": "5", "done": "1", "failed": "8", "moderated": "7"},
    shown=_told,
    accepted=_accepted,
    envelope=lambda call, data: _enveloped(data),
    lookups=[Lookup("GET", f"{V2}/video/result/{{id}}")],
    balances=[
        Balance(
            f"{V2}/account/balance",
            100_000,
            lambda left: {"account_id": 4711, "credit_monthly": 0, "credit_package": int(left.left)},
        )
    ],
    hook=Hook("callback_url", _called, headers=_signed, retries=RETRIES),
    # The vendor's page of codes, as clients have copied it; that an unknown film is 500008 is inferred.
    errors={
        **at(200, bad_request=400013, value=400017, missing=400011, type=400013, moderated=500063, unauthorized=10003),
        **at(200, unknown_id=500008, bad_upload=400032, bad_picture=500032, large_picture=500030),
        **at(404, not_found=400017),
        **at(429, rate_limited=500044),
        **at(500, server_error=500100),
    },
    error=refusal,
    new_id=lambda ids: ids.digits(15),
    one_id=True,
    keys=ApiKey(),
    further=[
        Route("POST", f"{V2}/image/upload", _upload_image),
        Route("POST", f"{V2}/media/upload", _upload_media),
        Route("GET", f"{V2}/video/lip_sync/tts_list", _speakers),
    ],
    settings={"credential_headers": ("api-key",)},
)
VENDOR = PLATFORM.vendor()
