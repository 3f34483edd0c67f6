"""A supplier of several vendors' films: a POST starts one, and a feed, asked by GET or POST, tells of it.

Source: the supplier's pages on Pika, Pixverse and Runway (2024 and 2025).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .fields import Field
from .job_vendor import Hook, JobVendor, Lookup, Task, Work, at
from .vendor import Vendor

STATES = {"0": "pending", "1": "running", "2": "error", "3": "succeeded"}
POINTS = 200
"""The price of a film."""


def _address(value: str) -> str:
    return "" if value.startswith(("http://", "https://")) else "must be an address"


ADDRESS = Field(check=_address)


def told(task: Task) -> dict[str, Any]:
    """Tell of a task; all values are texts or null."""
    made = task.artefacts[0] if task.artefacts else None
    return {
        "task_id": task.id,
        "state": STATES[task.status],
        "status": task.status,
        "prompt": task.body.get("prompt"),
        "video_url": made.url if made else None,
        "image_url": None,
        "poster": made.cover if made else None,
        "msg": task.reason or None,
        "point": f"{task.price:g}",
        "refund": "1" if task.reason else "0",
        "create_time": str(int(task.job.created)),
        "update_time": str(int(task.updated)),
    }


def feed_vendor(name: str, works: Sequence[Work], feed: str, settings: Mapping[str, Any] | None = None) -> Vendor:
    """Return a vendor whose feed is at a path."""
    return JobVendor(
        name=name,
        works=works,
        words={"queued": "0", "running": "1", "done": "3", "failed": "2"},
        shown=told,
        accepted={"task_id": "id"},
        envelope=lambda call, data: {"code": 200, "msg": "成功", "data": data, "exec_time": 0.03},
        lookups=[Lookup("GET", feed, "query", "task_id"), Lookup("POST", feed, "body", "task_id")],
        hook=Hook("callback_url", told, on_change=True),
        errors={
            **at(200, bad_request=400, value=400, moderated=400, unknown_id=400),
            **at(401, unauthorized=400),
            **at(404, not_found=404),
            **at(429, rate_limited=400),
            **at(500, server_error=400),
        },
        error=lambda call, code, message: {"code": code, "msg": message, "data": None, "exec_time": 0.01},
        settings={"at_root": False, **(settings or {})},
    ).vendor()
