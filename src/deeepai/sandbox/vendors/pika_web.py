"""Pika in the format of its web site: films from words or a picture, with effects.

Source: openai-hk's, gpt-best's and apicore's documents, and the web client chatgpt-web-midjourney-proxy.
"""

from __future__ import annotations

from typing import Any

from ..fields import Field, choice, group, number, picture, table, text
from ..job_vendor import JobVendor, Lookup, Order, Task, Work, at
from ..terms import films
from .pika import CAMERA, PARAMETERS

EFFECTS = (
    *("Inflate", "Melt", "Explode", "Squish", "Crush", "Cake-ify", "Ta-da", "Deflate", "Crumble", "Dissolve"),
    *("Levitate", "Decapitate", "Eye-pop", "Peel", "Poke", "Tear"),
)
MODELS = ("1.0", "1.5", "2.0")
OPTIONS = group(
    aspectRatio=number(0.4, 2.5),
    frameRate=Field("whole", 8, 24, default=24),
    camera=CAMERA,
    parameters=PARAMETERS,
    extend=Field("flag"),
)
FILM = table(
    promptText=text(2048).must(),
    model=Field(choices=MODELS, default="1.5", error="unknown_model"),
    pikaffect=choice(*EFFECTS, ""),
    image=picture(),
    options=OPTIONS,
)


def _check(order: Order) -> None:
    if order.call.json.get("image") == "":
        raise order.refused("value", "image must not be empty")
    if order.body.get("image") and "aspectRatio" in order.body.get("options", {}):
        raise order.refused("value", "options.aspectRatio must be left out with an image")


def told(task: Task) -> dict[str, Any]:
    """Tell of a film."""
    made = task.artefacts[0] if task.artefacts else None
    video = {
        "id": task.id,
        "status": task.status,
        "progress": task.job.percent,
        "seed": 3183047765,
        "resultUrl": made.url if made else "",
        "sharingUrl": "",
        "videoPoster": made.cover if made else "",
        "imageThumb": "",
        "duration": made.result.seconds if made else 0,
        "error": task.reason,
    }
    return {"id": task.id, "promptText": task.body["promptText"], "videos": [video]}


VENDOR = JobVendor(
    name="pika_web",
    works=[Work("/generate", 60, FILM, films(side=480, seconds=5), check=_check)],
    words={"queued": "queued", "running": "pending", "done": "finished", "failed": "error"},
    shown=told,
    accepted={"id": "id"},
    lookups=[Lookup("GET", "/feed/{id}")],
    errors={
        **at(400, bad_request="invalid_request", value="invalid_request", moderated="content_moderation"),
        **at(401, unauthorized="invalid_api_key"),
        **at(404, not_found="not_found", unknown_model="model_not_found"),
        **at(429, rate_limited="rate_limit_exceeded"),
        **at(500, server_error="internal_error"),
    },
    error=lambda call, code, message: {"error": {"message": message, "type": code, "param": None, "code": code}},
    one_id=True,
    lenient=True,
    settings={"at_root": False},
).vendor()
