"""Pika's films as a supplier and its relays sell them.

Source: the supplier's pages and relays' copies of them (2024 and 2025). What the feed says of Pika is inferred from
what it says of the supplier's other vendors.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from ...declare import DROP, Facts, Protocol, Request, Text, Usage
from ..common import bearer
from ..common.bodies import together
from ..common.feeds import feed_error, feed_job, feed_jobs, feeds
from ..common.operations import Paths
from .common import named, numbered

AT = Paths(("/pika",))
JOBS = feed_jobs("/feed")


class RelayBody(msgspec.Struct, omit_defaults=True):
    """Body of a film; all other fields pass through."""

    prompt: str
    model: float | str | None = None
    image: str | None = None
    video: str | None = None
    options: dict[str, Any] | None = None
    callback_url: str | None = None
    key: str | None = None


def patch(request: Request[RelayBody], facts: Facts) -> dict[str, Any]:
    """Name the model by its number, and keep a key back that the supplier takes here."""
    sent, number = request.body.model, numbered(facts.model)
    changes: dict[str, Any] = {} if request.body.key is None else {"key": DROP}
    wanted = float(number) if number.replace(".", "", 1).isdecimal() else number
    if sent != wanted and not (sent is None and named(None) == facts.model):
        changes["model"] = wanted
    return changes


pika = Protocol(
    name="pika",
    title=Text("Pika (relays' format)", "Pika"),
    base_url="http://127.0.0.1:8080",
    models=("pika-1.0", "pika-1.5", "pika-2.0"),
    own_paths=("/pika/pro/", "/pika/v1/"),
    authorize=bearer,
    error=feed_error,
    operations=(
        AT.submit(
            "pro/generate",
            Text("Make a video from words, a picture or a video", "generate(文本、参考图片、参考视频/扩展视频)"),
            name="generate",
            aliases=("/pika/v1/pro/generate",),
            body=RelayBody,
            rows=(128, 129, 130),
            example={"prompt": "A cat in a spacesuit", "ratio": "16:9", "model": 1.5, "options": {"frameRate": 24}},
            job=feed_job(JOBS, lambda: str(uuid.uuid4())),
            model=lambda request: named(request.body.model),
            estimate=lambda request: Usage(calls=1, seconds=5.0, basis="estimated"),
            patch=together(JOBS.patch, patch),
        ),
        *feeds(AT, 127),
    ),
)
