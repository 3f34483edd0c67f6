"""Let a picture speak: Kling makes a film of it, and then moves its lips to a text.

    DEEEPAI_TOKEN=sk-… python examples/kling_lip_sync.py portrait.png "Good morning" film.mp4

Without a gateway at http://127.0.0.1:8100, name it in DEEEPAI_BASE_URL. Needs the standard library only.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

BASE = os.environ.get("DEEEPAI_BASE_URL", "http://127.0.0.1:8100").rstrip("/") + "/kling/v1/videos"
HEADERS = {"authorization": f"Bearer {os.environ['DEEEPAI_TOKEN']}", "content-type": "application/json"}


def ask(path: str, body: Any = None) -> Any:
    """Send a request; return what its answer holds."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{BASE}/{path}", data, HEADERS), timeout=60) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as fault:
        sys.exit(f"{path}: {json.load(fault)['message']}")


def film(kind: str, body: Any) -> Any:
    """Start a task and wait for its end; return its film: id, address, seconds."""
    task = ask(kind, body)["task_id"]
    while (told := ask(f"{kind}/{task}"))["task_status"] in ("submitted", "processing"):
        time.sleep(1)
    if told["task_status"] != "succeed":
        sys.exit(f"failed: {told['task_status_msg']}")
    made = told["task_result"]["videos"][0]
    print(f"{kind}: {made['url']}")
    return made


def main(portrait: str, words: str, saved: str) -> None:
    """Make a film of a portrait that says some words."""
    picture = base64.b64encode(Path(portrait).read_bytes()).decode()
    silent = film(
        "image2video", {"model_name": "kling-v1-6", "image": picture, "prompt": "She looks up", "duration": "5"}
    )
    # The film's own id: it lives where it was made, and the gateway goes there.
    speech = {"mode": "text2video", "text": words, "voice_id": "girlfriend_1_speech02", "voice_language": "en"}
    spoken = film("lip-sync", {"input": {"video_id": silent["id"], **speech}})
    with urllib.request.urlopen(spoken["url"], timeout=60) as answer:
        Path(saved).write_bytes(answer.read())
    print(f"saved in {saved}")


if __name__ == "__main__":
    main(*sys.argv[1:])
