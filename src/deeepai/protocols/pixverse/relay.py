"""Pixverse's films as a supplier and its relays sell them.

Source: the supplier's pages and a relay's copy of them (2025).
"""

from __future__ import annotations

import uuid

import msgspec

from ...declare import Protocol, Request, Text, Usage
from ..common import bearer
from ..common.bodies import together
from ..common.feeds import feed_error, feed_job, feed_jobs, feeds
from ..common.operations import Paths
from .common import consumed, named, renamed
from .pages import PAGES

AT = Paths(("/pixverse/v1/pro", "/pixverse/pro"), "/v1/pro")
JOBS = feed_jobs("/v1/pro/feed")


class RelayBody(msgspec.Struct, omit_defaults=True):
    """Body of a film; all other fields pass through."""

    prompt: str
    model: str | None = None
    ratio: str | None = None
    image: str | None = None
    last_image: str | None = None
    sound_effect_switch: int | None = None
    callback_url: str | None = None


def model(request: Request[RelayBody]) -> str:
    """Return the model; where none is named, the relay chooses."""
    return named(request.body.model or "auto")


def estimate(request: Request[RelayBody]) -> Usage:
    """Return what a film consumes: nothing can be said of its size and length."""
    return consumed(None, 5.0, None, sound=request.body.sound_effect_switch == 1)


pixverse = Protocol(
    name="pixverse",
    title=Text("Pixverse (relays' format)", "Pixverse"),
    base_url="http://127.0.0.1:8080",
    models=("pixverse-auto", "pixverse-v3", "pixverse-v3.5", "pixverse-v4", "pixverse-v4.5"),
    own_paths=("/pixverse/v1/", "/pixverse/pro/", "/pixverse/guide/"),
    authorize=bearer,
    error=feed_error,
    operations=(
        *PAGES,
        AT.submit(
            "generate",
            Text("Make a video from words or a picture", "generate(文本、参考图片)"),
            body=RelayBody,
            rows=(138, 140),
            example={"prompt": "A cat in a spacesuit", "ratio": "16:9", "model": "v4.5"},
            job=feed_job(JOBS, lambda: str(uuid.uuid4())),
            model=model,
            estimate=estimate,
            patch=together(JOBS.patch, renamed),
        ),
        *feeds(AT, 139),
    ),
)
