"""Suno as PiAPI sold it, the format that GoAmzAI speaks: a task, the songs within by their ids.

Source: the vendor's legacy document (2024), and relays that offer the same.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from ..fields import Field, group, table, text
from ..job_vendor import JobVendor, Lookup, Order, Task, Work, at
from ..vendor import Call, bearer
from .suno import songs

BASE = "/api/suno/v1"
DEFAULT = "chirp-v3-0"
STATES = {"queued": "pending", "running": "processing", "done": "completed", "failed": "failed"}
CARRIED = ("prompt", "title", "tags", "gpt_description_prompt", "make_instrumental", "continue_at", "continue_clip_id")
"""Of a song's fields, those that this format has."""


class Keys:
    """The vendor's own header, or a bearer's as at relays."""

    def account(self, request: web.Request) -> str:
        """Return the key."""
        return request.headers.get("x-api-key", "") or bearer(request)

    def fault(self, request: web.Request) -> str:
        """Tell nothing."""
        return ""


def _check(order: Order) -> None:
    """Lay the fields out as the web has them: of a description alone, or of a song of one's own."""
    body = order.body
    wanted, asked = body.pop("input"), dict(body)
    order.facts["asked"] = msgspec.json.encode(asked | {"input": wanted}).decode()
    alone = ("gpt_description_prompt", "make_instrumental")
    needed = "prompt" if body["custom_mode"] else "gpt_description_prompt"
    if needed not in wanted:
        raise order.refused("missing", f"input.{needed} is required")
    kept = {name: value for name, value in wanted.items() if (name in alone) is not body["custom_mode"]}
    body.clear()
    body.update(kept, mv=wanted.get("mv") or asked.get("mv") or DEFAULT)
    songs.check(order)


def told(task: Task) -> dict[str, Any]:
    """Return a task: its request as text, its songs by their ids."""
    clips = songs.clips(task) if task.job.is_final else []
    return {
        "task_id": task.id,
        "status": task.status,
        "input": task.facts.get("asked") or msgspec.json.encode(task.body).decode(),
        "clips": {clip["id"]: clip for clip in clips},
    }


def _envelope(call: Call, data: Any) -> dict[str, Any]:
    return {"code": 200, "data": data, "message": "success"}


SONG = group({name: songs.SONG[name] for name in CARRIED}, mv=songs.MV, task_id=text())
BODY = table(custom_mode=Field("flag", required=True), mv=songs.MV, input=SONG.must(), notify_hook=Field())
JOBS = JobVendor(
    name="suno_goamz",
    works=[
        Work(f"{BASE}/music", 120, BODY, songs.two, check=_check, price=0.02),
        Work(f"{BASE}/music/concat", 20, table(clip_id=text().must()), songs.one, check=songs.check_concat, price=0.02),
    ],
    words=STATES,
    shown=told,
    accepted={"task_id": "id"},
    envelope=_envelope,
    lookups=[Lookup("GET", f"{BASE}/music/{{id}}")],
    errors={
        **at(400, bad_request=400, moderated=400, unknown_id=400),
        **at(401, unauthorized=401),
        **at(404, not_found=404),
        **at(429, rate_limited=429),
        **at(500, server_error=500),
    },
    error=lambda call, code, message: {"code": code, "message": message},
    lifetime=30 * 86400,
    pictures="jpeg",
    keys=Keys(),
    settings={"credential_headers": ("x-api-key",)},
)
VENDOR = JOBS.vendor()
