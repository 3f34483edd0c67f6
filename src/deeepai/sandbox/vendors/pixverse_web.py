"""Pixverse in the format of its web site: films from words, from a picture, between two, and longer ones.

Source: openai-hk's document, and the web client chatgpt-web-midjourney-proxy.
"""

from __future__ import annotations

from typing import Any

from ..conditions import ABSENT, GIVEN, Rule
from ..feeds import ADDRESS
from ..fields import Field, choice, model, several, table, text, usually
from ..job_vendor import JobVendor, Lookup, Task, Work, at
from ..terms import by, films, said
from ..vendor import Call

MOVES = (
    *("horizontal_left", "horizontal_right", "vertical_up", "vertical_down", "crane_up", "hitchcock", "zoom_in"),
    *("zoom_out", "quickly_zoom_in", "quickly_zoom_out", "smooth_zoom_in", "super_dolly_out", "left_follow"),
    *("right_follow", "pan_left", "pan_right", "fix_bg", "camera_rotation", "robo_arm", "whip_pan"),
)
STYLES = ("anime", "3d_animation", "clay", "comic", "cyberpunk")
LINES = {"360p": 360, "540p": 540, "720p": 720, "1080p": 1080}
RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16")

LONGER = {"extend": 1, "platform": "web"}
EXTENDED = table(
    original_video_id=Field("whole").only(**LONGER, img_url=ABSENT, frame=ABSENT),
    extend=Field("whole", choices=(0, 1)),
    platform=choice("web"),
)
FILM = table(
    EXTENDED,
    prompt=text(2048).must(),
    model=model("v4.5", "v2.5", "v3", "v3.5", "v4"),
    quality=usually(*LINES),
    duration=Field("whole", choices=(5, 8), default=5),
    aspect_ratio=usually(*RATIOS),
    motion_mode=usually("normal", "performance"),
    seed=Field("whole"),
    negative_prompt=text(2048),
    img_url=ADDRESS.only(frame=ABSENT),
    frame=several(2, 2, ADDRESS),
    style=choice(*STYLES),
    template_id=Field("whole"),
    camera_movement=choice(*MOVES),
)
NO_LONG = Rule({"quality": ("360p", "540p", "720p")}, {"duration": 8})
NO_FAST = Rule({"duration": 5, "quality": ("360p", "540p", "720p")}, {"motion_mode": "performance"})
SHOWN = ("prompt", "model", "quality", "motion_mode", "duration", "aspect_ratio", "template_id", "img_url")


def told(task: Task) -> dict[str, Any]:
    """Tell of a film."""
    made = task.artefacts[0] if task.artefacts else None
    body = task.body
    blank = {"template_id": 0, "img_url": "", "negative_prompt": "", "style": "", "seed": 0}
    return {
        "video_id": int(task.id),
        "video_status": int(task.status),
        "url": made.url if made else "",
        "first_frame": made.cover if made else "",
        "last_frame": "",
        **{name: body.get(name, blank.get(name)) for name in (*SHOWN, "negative_prompt", "style", "seed")},
        "video_duration": made.result.seconds if made else 0,
        "extended": body.get("extend", 0),
        "upscaled": 0,
        "lip_sync": {},
        "queue_data": {"queue_time": 0, "queue_count": 0},
        "account_id": 4711,
        "nick_name": "Test mode",
        "avatar": "",
        "platform": "web",
    }


def refusal(call: Call, code: int, message: str) -> dict[str, Any]:
    """Say why nothing is done."""
    return {"ErrCode": code, "ErrMsg": message, "Resp": None, "request_id": call.world.ids.uuid()}


VENDOR = JobVendor(
    name="pixverse_web",
    works=[
        Work(
            "/generate",
            45,
            FILM,
            films(side=by("quality", LINES), seconds=said("duration"), longer=5),
            parent="original_video_id",
            rules=(NO_LONG, NO_FAST, Rule({"original_video_id": GIVEN}, {"extend": 1})),
        )
    ],
    words={"queued": "5", "running": "10", "done": "1", "failed": "8", "moderated": "7"},
    shown=told,
    accepted=lambda task: {"video_id": int(task.id)},
    envelope=lambda call, data: {"ErrCode": 0, "ErrMsg": "success", "Resp": data},
    lookups=[Lookup("GET", "/feed/{id}")],
    errors={
        **at(200, bad_request=400013, value=400017, missing=400011, moderated=500063, unknown_id=500008),
        **at(401, unauthorized=10003),
        **at(404, not_found=400017),
        **at(429, rate_limited=500044),
        **at(500, server_error=500100),
    },
    error=refusal,
    new_id=lambda ids: ids.digits(15),
    one_id=True,
    settings={"at_root": False},
).vendor()
