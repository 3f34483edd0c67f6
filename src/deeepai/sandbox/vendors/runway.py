"""Runway's tasks as its web site has them, and the older format that relays have of it.

Source: a web client of relays; two relays' documents of tasks; several relays' of the older format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..conditions import GIVEN, Rule
from ..fields import Field, choice, group, number, table, text, usually
from ..job_vendor import Hook, JobVendor, Lookup, Order, Task, Work, at
from ..results import Result
from ..terms import by, films, product, said
from ..vendor import Answer, Call, Route, json_answer
from ..views import moment

LONGEST = 40
"""Seconds of a film that is extended, as the vendor's help pages had it of Gen-3 in 2024."""
UPLOADS = "runway uploads"


def _address(value: str) -> str:
    return "" if value.startswith(("http://", "https://")) else "must be an address"


ADDRESS, FLAG = Field(check=_address), Field("flag")

# Tasks --------------------------------------------------------------------------------------------------------------

OPTIONS = group(
    name=text(),
    seconds=Field("whole", choices=(4, 5, 10)),
    text_prompt=text(1000),
    seed=Field("whole", 0, 2**32 - 1),
    exploreMode=FLAG,
    watermark=FLAG,
    enhance_prompt=FLAG,
    width=Field("whole", 64, 4096),
    height=Field("whole", 64, 4096),
    resolution=choice("720p"),
    # Not even an empty one: the site's client leaves it out then.
    init_image=ADDRESS,
    image_as_end_frame=FLAG.only(init_image=GIVEN),
    extended_from_task_id=text(),
    init_video=ADDRESS,
    video_prompt=ADDRESS,
    structure_transformation=number(0, 1),
    assetGroupName=text(),
    gen2Options=Field("object"),
)
KINDS = Field(choices=("gen2", "europa", "gen3a_turbo"), error="unknown_model").must()
TASK = table(
    taskType=KINDS,
    internal=FLAG,
    options=OPTIONS.must(),
    asTeamId=Field("whole"),
    notify_hook=Field(),
)
LONG = ("europa", "gen3a_turbo")
RULES = (
    Rule({"options.seconds": (5, 10)}, {"taskType": LONG}),
    Rule({"options.seconds": (None, 4)}, {"taskType": "gen2"}),
    Rule({"options.init_image": GIVEN}, {"taskType": "gen3a_turbo"}, unless={"options.extended_from_task_id": GIVEN}),
    Rule({"options.init_video": GIVEN, "taskType": LONG}, {"options.extended_from_task_id": GIVEN}),
)


def _prompted(order: Order) -> None:
    asked = order.body["options"]
    if not any(asked.get(name) for name in ("text_prompt", "init_image", "video_prompt", "gen2Options")):
        raise order.refused("missing", "options.text_prompt is required")
    if order.parent is not None and order.parent.result.seconds + asked["seconds"] > LONGEST:
        raise order.refused("value", f"the video would be longer than {LONGEST} seconds")


def _film(order: Order) -> Sequence[Result]:
    asked, parent = order.body["options"], order.parent
    seconds = asked.get("seconds", 4) + (parent.result.seconds if parent else 0)
    size = (asked.get("width", 1280), asked.get("height", 768))
    return [Result("film", order.draw(size), float(seconds))]


CREATED, UPDATED = moment("job.created"), moment("updated")


def _artifacts(task: Task) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for film in task.films:
        shown = film.result.picture
        size = {"width": shown.width, "height": shown.height}
        told = {"frameRate": 24, "duration": film.result.seconds, "dimensions": list(size.values()), "size": size}
        more = {"fileSize": "1024", "isDirectory": False, "previewUrls": [film.cover], "metadata": told}
        made.append({"id": film.id, "taskId": task.id, "filename": f"{task.id}.mp4", "url": film.url, **more})
    return made


def _task(task: Task) -> dict[str, Any]:
    running = task.job.state == "running"
    return {
        "id": task.id,
        "name": task.body["options"].get("name", task.body["taskType"]),
        "image": None,
        "createdAt": CREATED(task),
        "updatedAt": UPDATED(task),
        "taskType": {"europa": "gen3a"}.get(task.body["taskType"], task.body["taskType"]),
        "options": task.body["options"] | {"recordingEnabled": True},
        "status": task.status,
        "error": {"reason": task.reason} if task.reason else None,
        "progressText": task.reason or None,
        "progressRatio": f"{task.job.percent / 100:g}" if running else None,
        "estimatedTimeToStartSeconds": None,
        "artifacts": _artifacts(task),
        "sharedAsset": None,
    }


async def _upload(call: Call) -> Answer:
    """Tell where a file's bytes may be put."""
    if not isinstance(call.json.get("filename"), str) or call.json.get("numberOfParts") != 1:
        raise TASKS.refused(call, "value", "filename and one part are required")
    name = call.world.ids.uuid()
    call.world.shelves["", UPLOADS][name] = b""
    place = f"{call.base}/runway/parts/{name}"
    return json_answer({"id": name, "uploadUrls": [place], "uploadHeaders": {"Content-Type": "image/png"}})


async def _put(call: Call) -> Answer:
    """Take a file's bytes: whoever has the address may send them."""
    if call.params["name"] not in call.world.shelves["", UPLOADS]:
        raise TASKS.refused(call, "not_found", "there is no such upload")
    call.world.shelves["", UPLOADS][call.params["name"]] = call.body
    return Answer(200, b"", headers={"etag": '"1"'})


async def _complete(call: Call) -> Answer:
    """Tell where a file lies that was uploaded."""
    data = call.world.shelves["", UPLOADS].get(call.params["id"])
    parts = call.json.get("parts")
    if not data:
        raise TASKS.refused(call, "unknown_id", "nothing was uploaded")
    if not isinstance(parts, list) or len(parts) != 1:
        raise TASKS.refused(call, "value", "parts must be the one that was uploaded")
    files = call.world.files
    return json_answer({"url": files.url(call.origin, files.add(lambda: data, "png", "image/png"), 86400)})


TASKS = JobVendor(
    name="runway",
    works=[
        Work(
            "/runway/tasks",
            60,
            TASK,
            _film,
            rules=RULES,
            check=_prompted,
            parent="options.extended_from_task_id",
            price=product(by("taskType", {"europa": 10}, 5), said("seconds", 4)),
        )
    ],
    words={"queued": "PENDING", "running": "RUNNING", "done": "SUCCEEDED", "failed": "FAILED"},
    shown=_task,
    envelope=lambda call, data: {"task": data},
    lookups=[Lookup("GET", "/runway/tasks/{id}")],
    hook=Hook("notify_hook", lambda task: {"task": _task(task)}),
    one_id=True,
    # Statuses are inferred.
    errors={
        **at(400, bad_request="", moderated=""),
        **at(401, unauthorized=""),
        **at(404, not_found=""),
        **at(429, rate_limited=""),
        **at(500, server_error=""),
    },
    error=lambda call, code, message: {"error": message},
    further=[
        Route("POST", "/runway/uploads", _upload),
        Route("POST", "/runway/uploads/{id}/complete", _complete),
        Route("PUT", "/runway/parts/{name}", _put, body_triggers=False, public=True),
    ],
)
VENDOR = TASKS.vendor()

# The older format ---------------------------------------------------------------------------------------------------

WIDE, RATIOS = ("16:9", "9:16"), ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
MOVES = table(**dict.fromkeys(("x", "y", "z", "r", "bg_x_pan", "bg_y_pan"), number(-10, 10)))
GENERATE = table(
    prompt=text(1000).must(),
    model=usually("gen3", "gen2", "gen4", "gen4_turbo", error="unknown_model"),
    ratio=choice(*RATIOS).where(set(RATIOS) - set(WIDE), {"model": ("gen2", "gen4", "gen4_turbo")}),
    style=text().only(model="gen2"),
    callback_url=Field(),
    image=ADDRESS,
    last_image=ADDRESS.only(image=GIVEN),
    options=group(
        seconds=Field("whole", choices=(5, 10)).must(),
        motion_vector=group(MOVES),
        flip=FLAG,
        image_as_end_frame=FLAG,
    ).must(),
)
ONLY_GEN2 = Rule({"model": "gen2"}, {"options.motion_vector": GIVEN})
STATES = {"queued": "pending", "running": "running", "done": "succeeded"}


def _feed(task: Task) -> dict[str, Any]:
    film, started = task.films[0] if task.films else None, task.job.started or 0
    return {
        "task_id": task.id,
        "state": STATES.get(task.job.state, "error"),
        "status": task.status,
        "prompt": task.body["prompt"],
        "prompt_en": task.body["prompt"],
        "video_url": film.url if film else None,
        "raw_video_url": None,
        "poster": film.cover if film else None,
        "last_frame": film.cover if film else None,
        "msg": task.reason or None,
        "point": f"{task.price:g}",
        "refund": "1" if task.reason else "0",
        "create_time": str(int(started)),
        "update_time": str(int(task.updated)),
    }


def _said(call: Call, data: Any, code: Any = 200, message: str = "成功") -> Mapping[str, Any]:
    return {"code": code, "msg": message, "data": data, "exec_time": 0.028943}


WEB = JobVendor(
    name="runway_web",
    works=[
        Work(
            "/runway/v1/pro/generate",
            60,
            GENERATE,
            films(side=720, seconds=said("seconds")),
            rules=(ONLY_GEN2,),
            price=by("seconds", {10: 320}, 200),
        )
    ],
    words={"queued": "0", "running": "1", "done": "3", "failed": "2"},
    shown=_feed,
    accepted={"task_id": "id"},
    envelope=_said,
    lookups=[Lookup("POST", "/runway/v1/feed", "body", "task_id")],
    hook=Hook("callback_url", _feed),
    # What fails is said in the code alone.
    errors={
        **at(200, bad_request=400, moderated=400, unauthorized=401, unknown_id="task_not_exist", rate_limited=429),
        **at(404, not_found=404),
        **at(500, server_error=500),
    },
    error=lambda call, code, message: _said(call, None, code, message),
).vendor()
