"""Make a film of a picture by Runway's published API: uploaded, filmed, and what it cost.

    DEEEPAI_TOKEN=sk-… python examples/runway_image_to_video.py portrait.png "She looks up" film.mp4

Without a gateway at http://127.0.0.1:8100, name it in DEEEPAI_BASE_URL. Needs requests.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import requests

BASE = os.environ.get("DEEEPAI_BASE_URL", "http://127.0.0.1:8100").rstrip("/") + "/runwayml/v1"
SESSION = requests.Session()
SESSION.headers["authorization"] = f"Bearer {os.environ['DEEEPAI_TOKEN']}"


def ask(method: str, path: str, body: Any = None) -> Any:
    """Send a request; return its answer."""
    answer = SESSION.request(method, f"{BASE}/{path}", json=body, timeout=60)
    if not answer.ok:
        sys.exit(f"{path}: {answer.json()['error']}")
    return answer.json()


def upload(picture: Path) -> str:
    """Upload a picture to the vendor; return the name by which a film finds it there."""
    place = ask("POST", "uploads", {"filename": picture.name, "type": "ephemeral"})
    with picture.open("rb") as file:
        requests.post(place["uploadUrl"], place["fields"], files={"file": file}, timeout=60).raise_for_status()
    return place["runwayUri"]


def main(portrait: str, words: str, saved: str) -> None:
    """Make a film of a picture."""
    uri = upload(Path(portrait))
    asked = {"model": "gen4_turbo", "promptImage": uri, "promptText": words, "ratio": "1280:720", "duration": 5}
    task = ask("POST", "image_to_video", asked)["id"]
    try:
        while (told := ask("GET", f"tasks/{task}"))["status"] not in ("SUCCEEDED", "FAILED"):
            print(f"{told['status'].lower()}: {told.get('progress', 0):.0%}")
            time.sleep(1)
    except KeyboardInterrupt:
        # Stops it at the vendor, too.
        SESSION.delete(f"{BASE}/tasks/{task}", timeout=60)
        sys.exit("stopped")
    if told["status"] == "FAILED":
        sys.exit(f"failed: {told['failure']}")
    Path(saved).write_bytes(requests.get(told["output"][0], timeout=60).content)
    print(f"{told['cost']['credits']} credits; saved in {saved}")


if __name__ == "__main__":
    main(*sys.argv[1:])
