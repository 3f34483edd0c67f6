"""What all of these programs need: a request, and patience."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from typing import Any

BASE = os.environ.get("DEEEPAI_BASE_URL", "http://127.0.0.1:8100")
TOKEN = os.environ.get("DEEEPAI_TOKEN", "")
PAUSE = float(os.environ.get("PAUSE", "5"))
"""Seconds between two looks."""


def ask(path: str, body: Any = None) -> Any:
    """Send a GET, or a POST where there is a body; return the answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(BASE + path, data, headers), timeout=60) as answer:
        return json.load(answer)


def feed(*ids: str) -> list[dict[str, Any]]:
    """Wait until each clip is complete; stop where one has failed."""
    while True:
        clips = ask(f"/suno/v2/feed?ids={','.join(ids)}")
        failed = [clip for clip in clips if clip["status"] == "error"]
        if failed:
            raise SystemExit(f"{failed[0]['id']}: {failed[0]['metadata']['error_message']}")
        if all(clip["status"] == "complete" for clip in clips):
            return clips
        time.sleep(PAUSE)


def generate(**body: Any) -> list[dict[str, Any]]:
    """Ask for two songs, and wait for both."""
    made = ask("/suno/v2/generate", body)
    return feed(*(clip["id"] for clip in made["clips"]))


def join(clip_id: str, *, infill: bool = False) -> dict[str, Any]:
    """Join a clip with what it goes on from, and wait for the whole song."""
    joined = ask("/suno/v2/concat", {"clip_id": clip_id, "is_infill": infill})
    return feed(joined["id"])[0]


def show(*clips: dict[str, Any]) -> None:
    """Print where songs lie."""
    for clip in clips:
        print(f"{clip['metadata']['type']}\t{clip['title']}\t{clip['metadata']['duration']:.1f} s\t{clip['audio_url']}")
