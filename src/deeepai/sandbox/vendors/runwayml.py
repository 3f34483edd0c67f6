"""Runway's published API: films, pictures and sounds, uploads that expire, tasks that are stopped by DELETE.

Source: the vendor's SDKs `runwayml` 3.0.0, 4.0.0 and 5.24.0, and its pages on inputs, errors and task failures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..fields import Field, choice, group, number, several, table
from ..job_vendor import Balance, JobVendor, Left, Lookup, Order, Task, Work, at
from ..media.draw import from_base64
from ..results import Result
from ..terms import by, product
from ..vendor import Answer, Call, Route, json_answer
from ..views import moment

OLD, TURBO, NEW = "gen3a_turbo", "gen4_turbo", "gen4.5"
VEO = ("veo3", "veo3.1", "veo3.1_fast")
WIDE, WIDER = ("1280:720", "720:1280"), ("1920:1080", "1080:1920")
OF_GEN4 = (*WIDE, "1104:832", "832:1104", "960:960", "1584:672")
OF_GEN3 = ("1280:768", "768:1280")
OF_ALEPH = (*OF_GEN4, "848:480", "640:480")
OF_PICTURES = (
    *(*WIDER, "1024:1024", "1360:768", "1080:1080", "1168:880", "1440:1080", "1080:1440", "1808:768", "2112:912"),
    *(*WIDE, "720:720", "960:720", "720:960", "1680:720"),
)
LENGTHS: Mapping[str, Sequence[int]] = {
    OLD: (5, 10),
    TURBO: range(2, 11),
    NEW: range(2, 11),
    "veo3": (8,),
    **dict.fromkeys(VEO[1:], (4, 6, 8)),
}
ENDS = (OLD, *VEO[1:])
"""Models that take a last frame."""
MOST_INLINE, LONGEST_URL = 5 * 2**20, 2048
"""Characters of a data URI, and of an address."""
UPLOADS = "runwayml uploads"
FAILURES = {"moderated": ("SAFETY.INPUT.TEXT", "The content was rejected"), "cancelled": ("", "")}
INTERNAL = ("INTERNAL.BAD_OUTPUT.CODE01", "An error occurred while the task was done")

# What is taken ------------------------------------------------------------------------------------------------------


def _uri(value: str) -> str:
    """Return what is wrong with an input: HTTPS at a name, a data URI, or an upload."""
    if value.startswith("runway://"):
        return ""
    if value.startswith("data:"):
        if len(value) > MOST_INLINE:
            return "is larger than 5 MB"
        return "" if from_base64(value) is not None else "is no data URI"
    place = urlsplit(value)
    if place.scheme != "https" or re.fullmatch(r"[0-9.]+|\[.*\]", place.netloc) or not place.netloc:
        return "must be an HTTPS address at a domain name"
    return "" if len(value) <= LONGEST_URL else f"is longer than {LONGEST_URL} characters"


def _frames(value: Any) -> str:
    frames = value if isinstance(value, list) else [{"uri": value, "position": "first"}]
    for frame in frames:
        if not isinstance(frame, dict) or not isinstance(frame.get("uri"), str):
            return "must be an address or a list of frames"
        if frame.get("position") not in ("first", "last"):
            return "must have positions: first or last"
        if wrong := _uri(frame["uri"]):
            return wrong
    return "" if frames else "must not be empty"


URI, PROMPT = Field(check=_uri), Field(low=1, high=1000)
MODERATION = group(publicFigureThreshold=choice("auto", "low"))
COMMON = table(seed=Field("whole", 0, 2**32 - 1), contentModeration=MODERATION, watermark=Field("flag"))
SECONDS, SOUND = Field("whole", 1, 60), Field("flag").only(model=VEO[1:])


def _models(*names: str) -> Field:
    return Field(choices=names, error="unknown_model").must()


RATIO = (
    choice(*dict.fromkeys((*OF_GEN4, *OF_GEN3, *WIDER)))
    .where(set(OF_GEN3), {"model": OLD})
    .where(set(OF_GEN4) - set(WIDE), {"model": (TURBO, NEW)})
    .where(set(WIDER), {"model": VEO})
)
IMAGE_TO_VIDEO = table(
    COMMON,
    model=_models(OLD, TURBO, NEW, *VEO),
    promptImage=Field("any", check=_frames).must(),
    promptText=PROMPT.when(model=OLD).when(model=NEW),
    # Clients up to 3.0 leave it out.
    ratio=RATIO.when(model=NEW).when(model="veo3.1"),
    duration=SECONDS.when(model=NEW).when(model="veo3"),
    audio=SOUND,
)
TEXT_TO_VIDEO = table(
    COMMON,
    model=_models(NEW, *VEO),
    promptText=PROMPT.must(),
    ratio=choice(*WIDE, *WIDER).where(set(WIDER), {"model": VEO}).must(),
    duration=SECONDS.when(model=NEW).when(model="veo3"),
    audio=SOUND,
)
REFERENCE = group(type=choice("image").must(), uri=URI.must())
VIDEO_TO_VIDEO = table(
    COMMON,
    model=_models("gen4_aleph", "aleph2"),
    videoUri=URI.must(),
    promptText=PROMPT.when(model="gen4_aleph"),
    ratio=choice(*OF_ALEPH).when(model="gen4_aleph"),
    references=several(0, 1, REFERENCE),
)
ACTOR = group(type=choice("image", "video").must(), uri=URI.must())
PERFORMANCE = table(
    COMMON,
    model=_models("act_two"),
    character=ACTOR.must(),
    reference=group(type=choice("video").must(), uri=URI.must()).must(),
    bodyControl=Field("flag"),
    expressionIntensity=Field("whole", 1, 5),
    ratio=choice(*OF_GEN4),
)
PICTURE = table(
    COMMON,
    model=_models("gen4_image", "gen4_image_turbo"),
    promptText=PROMPT.must(),
    ratio=choice(*OF_PICTURES).must(),
    referenceImages=several(0, 3, group(uri=URI.must(), tag=Field(low=3, high=16))).when(model="gen4_image_turbo"),
)
UPSCALE = table(model=_models("upscale_v1"), videoUri=URI.must())
EFFECT = table(
    model=_models("eleven_text_to_sound_v2"), promptText=PROMPT.must(), duration=number(0.5, 30), loop=Field("flag")
)
PRESET = group(type=choice("runway-preset"), presetId=Field().must())
SPEECH = table(model=_models("eleven_multilingual_v2"), promptText=PROMPT.must(), voice=PRESET.must())


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("runway://"):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _named(item)


def _check(order: Order) -> None:
    body, known = order.body, order.call.world.shelves[order.call.owner, UPLOADS]
    for uri in _named(body):
        if known.get(uri) is None:
            raise order.refused("value", f"{uri} is not known, or was not uploaded")
    length, allowed = body.get("duration"), LENGTHS.get(body["model"])
    if allowed is not None and length is not None and length not in allowed:
        raise order.refused("value", f"duration must be one of {', '.join(map(str, allowed))} with {body['model']}")
    frames = body.get("promptImage")
    if isinstance(frames, list):
        places = [frame["position"] for frame in frames]
        if len(set(places)) < len(places) or ("last" in places and body["model"] not in ENDS):
            raise order.refused("value", "promptImage has a position that the model does not take")


# What is made, and how it is told -----------------------------------------------------------------------------------

LENGTH = by("model", dict.fromkeys(VEO, 8), 10)


def _size(order: Order) -> tuple[int, int]:
    wide, high = map(int, order.body.get("ratio", "1280:720").split(":"))
    return wide, high


def _film(order: Order) -> Sequence[Result]:
    """Return a film of the asked length; of a source, as nobody knows how long that is, one of five seconds."""
    sourced = "videoUri" in order.body or "reference" in order.body
    seconds = 5 if sourced else order.body.get("duration") or LENGTH(order)
    loud = order.body["model"] in VEO and order.body.get("audio") is not False
    return [Result("film", order.draw(_size(order)), float(seconds), loud=loud)]


def _picture(order: Order) -> Sequence[Result]:
    return [Result("picture", order.draw(_size(order)))]


def _sound(order: Order) -> Sequence[Result]:
    return [Result("sound", order.draw((64, 64)), float(order.body.get("duration", 2)), "mp3")]


CREDITS = by(
    "model", {OLD: 5, TURBO: 5, NEW: 12, "veo3": 40, "veo3.1": by("audio", {False: 20}, 40), "gen4_aleph": 15}, 5
)
OF_FILMS = product(CREDITS, lambda order: _film(order)[0].seconds)


def _cost(task: Task, name: str, credits: float) -> dict[str, Any]:
    return {} if "no-usage" in task.job.triggers else {name: {"credits": round(credits)}}


def _shown(task: Task) -> dict[str, Any]:
    told: dict[str, Any] = {"id": task.id, "status": task.status, "createdAt": moment("job.created")(task)}
    if not task.job.is_final:
        running = {"progress": task.job.percent / 100} if task.job.state == "running" else {}
        return told | running | _cost(task, "estimatedCost", task.price)
    if task.artefacts:
        return told | {"output": [made.url for made in task.artefacts]} | _cost(task, "cost", task.price)
    if task.job.state == "cancelled":
        return told | _cost(task, "cost", task.price if task.job.started else 0)
    code, why = FAILURES.get(task.job.state, INTERNAL)
    return told | {"failure": why, "failureCode": code} | _cost(task, "cost", 0)


def _body(call: Call) -> Mapping[str, Any]:
    """Return the body; a call that does not name the version of the interface is refused."""
    if "x-runway-version" not in call.request.headers:
        raise VENDOR_OF_JOBS.refused(call, "value", "The X-Runway-Version header must be set")
    return call.json


def _organization(left: Left) -> dict[str, Any]:
    tier = {"maxMonthlyCreditSpend": int(left.credits), "models": {}}
    return {"tier": tier, "creditBalance": int(left.left), "usage": {"models": {}}}


async def _upload(call: Call) -> Answer:
    """Tell where a file may be uploaded, and how it is called then."""
    body = _body(call)
    if not isinstance(body.get("filename"), str) or body.get("type") != "ephemeral":
        raise VENDOR_OF_JOBS.refused(call, "value", "filename and the type ephemeral are required")
    name = call.world.ids.uuid()
    call.world.shelves[call.owner, UPLOADS][f"runway://{name}"] = None
    call.world.shelves["", UPLOADS][name] = call.owner
    return json_answer(
        {"uploadUrl": f"{call.base}/uploads/{name}", "fields": {"key": name}, "runwayUri": f"runway://{name}"}
    )


async def _take(call: Call) -> Answer:
    """Take a file's bytes: whoever has the address may send them."""
    name = call.params["name"]
    owner = call.world.shelves["", UPLOADS].get(name)
    if owner is None or call.form.texts.get("key") != name or "file" not in call.form.files:
        raise VENDOR_OF_JOBS.refused(call, "not_found", "there is no such upload")
    call.world.shelves[owner, UPLOADS][f"runway://{name}"] = len(call.form.files["file"])
    return Answer(204, b"")


def _error(call: Call, code: str, message: str) -> dict[str, Any]:
    if not code:
        return {"error": message}
    where = message.partition(" ")[0]
    issue = {"code": code, "path": where.split("."), "message": message}
    return {"error": f"Validation of body failed: {message}", "issues": [issue]}


def _work(kind: str, seconds: float, fields: Mapping[str, Field], results: Any, price: Any) -> Work:
    return Work(f"/v1/{kind}", seconds, fields, results, check=_check, price=price, body=_body)


VENDOR_OF_JOBS = JobVendor(
    name="runwayml",
    works=[
        _work("image_to_video", 60, IMAGE_TO_VIDEO, _film, OF_FILMS),
        _work("text_to_video", 60, TEXT_TO_VIDEO, _film, OF_FILMS),
        _work("video_to_video", 90, VIDEO_TO_VIDEO, _film, OF_FILMS),
        _work("video_upscale", 60, UPSCALE, _film, 10),
        _work("character_performance", 90, PERFORMANCE, _film, OF_FILMS),
        _work("text_to_image", 20, PICTURE, _picture, by("model", {"gen4_image_turbo": 2}, 8)),
        _work("sound_effect", 20, EFFECT, _sound, 1),
        _work("text_to_speech", 20, SPEECH, _sound, 1),
    ],
    words={
        "queued": "PENDING",
        "running": "RUNNING",
        "done": "SUCCEEDED",
        "failed": "FAILED",
        "cancelled": "CANCELLED",
    },
    shown=_shown,
    accepted=lambda task: {"id": task.id} | _cost(task, "estimatedCost", task.price),
    lookups=[Lookup("GET", "/v1/tasks/{id}")],
    cancels="/v1/tasks/{id}",
    balances=[Balance("/v1/organization", 100_000.0, _organization)],
    # That `issues` stand beside the text: the vendor's answers in reports of users.
    errors={
        **at(400, bad_request="", unknown_model="invalid_enum_value", value="custom", type="invalid_type"),
        **at(400, missing="invalid_type", moderated=""),
        **at(401, unauthorized=""),
        **at(404, not_found="", unknown_id=""),
        **at(429, rate_limited=""),
        **at(500, server_error=""),
    },
    error=_error,
    lifetime=86400,
    further=[Route("POST", "/v1/uploads", _upload), Route("POST", "/uploads/{name}", _take, public=True)],
    # `/v1/…` at the root is OpenAI's.
    settings={"moderates_at_submit": False, "at_root": False},
)
VENDOR = VENDOR_OF_JOBS.vendor()
