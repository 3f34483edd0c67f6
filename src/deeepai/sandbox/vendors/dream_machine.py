"""Luma's Dream Machine API: films and pictures, films that go on from films, callbacks at each change.

Source: the vendor's SDK `lumaai` 1.21.0, its pages on errors and questions, and its client for ComfyUI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..conditions import Rule
from ..fields import Field, choice, group, model, number, several, table, text
from ..job_vendor import Balance, Hook, JobVendor, Lookup, Order, Task, Work, at
from ..results import Result
from ..terms import by, films, pictures
from ..vendor import Answer, Call, Route, json_answer
from ..views import moment, told

BASE = "/dream-machine/v1"
LONGEST, EXTENSION = 30, 5
"""Seconds of a film; how much one that goes on from another is longer. That of the API is not written anywhere: it is
what the vendor said of extensions by Ray 2 in 2025."""
RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21")
SIDES = {"540p": 540, "1080p": 1080, "4k": 2160}
CONCEPTS = (
    *("truck_left", "pan_right", "pedestal_down", "low_angle", "pedestal_up", "selfie", "pan_left", "roll_right"),
    *("zoom_in", "over_the_shoulder", "orbit_right", "orbit_left", "static", "tiny_planet", "high_angle", "bolt_cam"),
    *("dolly_zoom", "overhead", "zoom_out", "handheld", "roll_left", "pov", "aerial_drone", "push_in", "crane_down"),
    *("truck_right", "tilt_down", "elevator_doors", "tilt_up", "ground_level", "pull_out", "aerial", "crane_up"),
    "eye_level",
)
SIMPLE = ("Prompt is required", "Prompt is too short, minimum length is 3 characters")
REASONS = {"moderated": "Advanced prompt moderation failed", "failed": "Job failed", "cancelled": "Job failed"}

# What is taken ------------------------------------------------------------------------------------------------------


def _address(value: str) -> str:
    return "" if value.startswith(("http://", "https://")) else "must be an address"


URL, WHOLE = Field(check=_address), Field("whole")
COMMON = table(prompt=Field(high=5000, error="long"), callback_url=URL)
FRAME = group(
    type=choice("image", "generation").must(),
    url=URL.when(type="image").only(type="image"),
    id=Field().when(type="generation").only(type="generation"),
)
CONCEPT = group(key=choice(*CONCEPTS).must())
RATIO, MEDIA = choice(*RATIOS), group(url=URL.must())
FILM = table(
    COMMON,
    generation_type=choice("video"),
    aspect_ratio=RATIO,
    duration=choice("5s", "9s"),
    resolution=choice("540p", "720p", "1080p", "4k"),
    loop=Field("flag"),
    keyframes=group(frame0=FRAME, frame1=FRAME),
    concepts=several(0, 3, CONCEPT),
)
RAYS = Field(choices=("ray-2", "ray-flash-2"), error="unknown_model").must()
PHOTONS = Field(choices=("photon-1", "photon-flash-1"), error="unknown_model").must()
REFERENCE = group(url=URL.must(), weight=number(0, 1))
IMAGE = table(
    COMMON,
    generation_type=choice("image"),
    model=PHOTONS,
    aspect_ratio=RATIO,
    format=choice("jpg", "png"),
    image_ref=several(1, 4, REFERENCE),
    style_ref=several(1, 4, REFERENCE),
    character_ref=group(identity0=group(images=several(1, 4, URL).must()).must()),
    modify_image_ref=REFERENCE,
)
FORMS = ("adhere", "flex", "reimagine")
MODES = choice(*(f"{form}_{strength}" for form in FORMS for strength in (1, 2, 3)))
MODIFY = table(COMMON, generation_type=choice("modify_video").must(), model=RAYS, media=MEDIA.must(), mode=MODES.must())
CROP: Mapping[str, Field] = dict.fromkeys(
    ("grid_position_x", "grid_position_y", "resized_width", "resized_height", "x_start", "x_end", "y_start", "y_end"),
    WHOLE,
)
REFRAME = table(COMMON, CROP, media=MEDIA.must(), aspect_ratio=RATIO.must())
FRAMED = table(REFRAME, generation_type=choice("reframe_video").must(), model=RAYS, first_frame=MEDIA)
PICTURED = table(REFRAME, generation_type=choice("reframe_image").must(), model=PHOTONS, format=choice("jpg", "png"))
AUDIO = table(COMMON, id=text(), generation_type=choice("add_audio"), negative_prompt=text(5000))
UPSCALE = table(
    COMMON, id=text(), generation_type=choice("upscale_video"), resolution=choice("540p", "720p", "1080p", "4k")
)


def _check(order: Order) -> None:
    frames = {name: frame for name, frame in order.body.get("keyframes", {}).items() if frame}
    prompt = order.body.get("prompt")
    if prompt is None and not frames:
        raise order.refused("bad_request", SIMPLE[0])
    if prompt is not None and len(prompt) < 3:
        raise order.refused("bad_request", SIMPLE[1])
    if "keyframes" in order.body and not frames:
        raise order.refused("bad_request", "No keyframes provided")
    if order.body.get("loop") and ("frame1" in frames or order.parent is not None):
        raise order.refused("bad_request", "Loop is not supported for end frame")
    if order.body.get("concepts") and order.body["model"] == "ray-1-6":
        raise order.refused("bad_request", "400: concepts are not supported for this model")
    last = frames.get("frame1", {})
    if last.get("type") == "generation":
        order.made(last["id"])
    if order.parent is not None and order.parent.result.seconds + EXTENSION > LONGEST:
        raise order.refused("bad_request", f"The video would be longer than {LONGEST} seconds")


OF_FILMS = Rule({"parent.seconds": range(1, LONGEST + 1)})

# What is made, and how it is told -----------------------------------------------------------------------------------

SIDE = by("resolution", SIDES, 720)
FILMED = films(side=SIDE, seconds=by("duration", {"9s": 9}, 5), longer=EXTENSION)


def _whole(order: Order) -> list[Result]:
    """Return a film as long as the one that it is made of, or as one is that nobody knows."""
    seconds = order.parent.result.seconds if order.parent else 5
    return [order.film(seconds, side=int(SIDE(order)), loud=order.work.path.endswith("/audio"))]


def _assets(task: Task) -> dict[str, str] | None:
    made = task.artefacts[0] if task.artefacts else None
    if made is None:
        return None
    return {"image": made.url} if made.result.kind == "picture" else {"video": made.url, "image": made.cover}


TOLD = {"id": "id", "state": "status", "model": "body.model", "request": "body", "created_at": moment("job.created")}


def _shown(task: Task) -> dict[str, Any]:
    picture = "/image" in task.work.name
    return told(TOLD, task) | {
        "generation_type": "image" if picture else "video",
        "failure_reason": REASONS[task.job.state] if task.reason else None,
        "assets": _assets(task),
    }


def _of(path: str, seconds: float, fields: Any, **odd: Any) -> Work:
    return Work(f"{BASE}/generations{path}", seconds, fields, **odd)


def _follow_up(kind: str, fields: Any, price: float) -> Work:
    def body(call: Call) -> dict[str, Any]:
        return {**call.json, "id": call.params["id"]}

    path = f"/{{id}}/{kind}"
    return _of(path, 60, fields, results=_whole, parent="id", body=body, rules=(OF_FILMS,), price=price)


async def _concepts(call: Call) -> Answer:
    return json_answer(list(CONCEPTS))


async def _ping(call: Call) -> Answer:
    return json_answer({"message": "pong"})


async def _listed(call: Call) -> Answer:
    limit, offset = (int(call.request.query.get(name, usual)) for name, usual in (("limit", 100), ("offset", 0)))
    tasks = VENDOR_OF_JOBS.tasks(call)[::-1]
    shown = [_shown(task) for task in tasks[offset : offset + limit]]
    more = offset + limit < len(tasks)
    return json_answer({"generations": shown, "count": len(shown), "has_more": more, "limit": limit, "offset": offset})


def _error(call: Call, code: str, message: str) -> dict[str, Any]:
    """Return a text, or where a field is at fault FastAPI's list."""
    if code in ("", "long"):
        words = "Prompt is too long, maximum length is 5000 characters" if code else message
        return {"detail": words}
    where, _, why = message.partition(" ")
    return {"detail": [{"type": code, "loc": ["body", *where.split(".")], "msg": f"Input {why}", "input": ""}]}


# US cents. Source: as in the list of prices for films of 5 s; others are unverified.
CENTS = by("resolution", {"540p": 40, "1080p": 159, "4k": 637}, 71)
FILM_OF = {"results": FILMED, "parent": "keyframes.frame0.id", "check": _check, "price": CENTS}
VENDOR_OF_JOBS = JobVendor(
    name="dream_machine",
    works=[
        _of("/video", 100, table(FILM, model=RAYS), **FILM_OF),
        _of("", 100, table(FILM, model=model("ray-1-6", "ray-2", "ray-flash-2")), **FILM_OF),
        _of("/video/modify", 100, MODIFY, results=_whole, price=128),
        _of("/video/reframe", 100, FRAMED, results=_whole, price=128),
        _of("/image", 20, IMAGE, results=pictures(side=1024), price=by("model", {"photon-1": 0.73}, 0.19)),
        _of("/image/reframe", 20, PICTURED, results=pictures(side=1024), price=by("model", {"photon-1": 0.73}, 0.19)),
        _follow_up("audio", AUDIO, 14),
        _follow_up("upscale", UPSCALE, 88),
    ],
    words={"queued": "queued", "running": "dreaming", "done": "completed", "failed": "failed"},
    shown=_shown,
    accepted_status=201,
    lookups=[Lookup("GET", f"{BASE}/generations/{{id}}")],
    cancels=f"{BASE}/generations/{{id}}",
    balances=[Balance(f"{BASE}/credits", 100_000.0, {"credit_balance": "left"})],
    hook=Hook("callback_url", _shown, on_change=True, retries=(0.1, 0.1, 0.1)),
    one_id=True,
    # Texts with 400: the vendor's page on errors; FastAPI's list with 422: its SDK.
    errors={
        **at(400, bad_request="", long="long", unfinished="", moderated=""),
        **at(401, unauthorized=""),
        **at(404, not_found="", unknown_id=""),
        **at(422, missing="missing", type="type_error", value="literal_error", unknown_model="literal_error"),
        **at(429, rate_limited=""),
        **at(500, server_error=""),
    },
    error=_error,
    further=[
        Route("GET", f"{BASE}/generations", _listed),
        Route("GET", f"{BASE}/generations/concepts/list", _concepts),
        Route("GET", f"{BASE}/ping", _ping, public=True),
    ],
)
VENDOR = VENDOR_OF_JOBS.vendor()
