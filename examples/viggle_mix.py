"""Put a character into a dance: upload the picture, choose a template, wait for the film, and save it.

    DEEEPAI_TOKEN=sk-… python examples/viggle_mix.py picture.png film.mp4

Without a gateway at http://127.0.0.1:8100, name it in DEEEPAI_BASE_URL. Needs `requests`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import requests

BASE = os.environ.get("DEEEPAI_BASE_URL", "http://127.0.0.1:8100").rstrip("/") + "/viggle"
HEADERS = {"authorization": f"Bearer {os.environ['DEEEPAI_TOKEN']}"}
DONE, FAILED = 0, 3


def ask(method: str, path: str, **more: Any) -> Any:
    """Send a request; return what its answer holds."""
    answer = requests.request(method, f"{BASE}/{path}", headers=HEADERS, timeout=60, **more)
    told = answer.json()
    if answer.status_code != 200 or told["code"] != 0:
        sys.exit(f"{method} {path}: {told['message']}")
    return told["data"]


def main(picture: str, film: str) -> None:
    """Make a film of a picture."""
    image = ask("POST", "asset/image", files={"file": (Path(picture).name, Path(picture).read_bytes())})
    template = ask("GET", "template2", params={"page": 1, "pageSize": 48, "type": 0})[0]
    credits = ask("POST", "video-task/credit/calculate", json={"templateID": template["id"]})
    left = ask("GET", "credits")["balance"]
    print(f"'{template['description']}' costs {credits} of {left:g} credits")
    body = {"imageID": image["id"], "templateID": template["id"], "videoID": "", "bgMode": 2, "modelInfoID": 4}
    task = ask("POST", "video-task", json=body)["taskID"]
    while (told := ask("POST", "video-task/by-ids", json={"ids": [task]})[0])["status"] not in (DONE, FAILED):
        time.sleep(1)
    if told["status"] == FAILED:
        sys.exit(f"failed: {told['reason']}")
    Path(film).write_bytes(requests.get(told["result"], timeout=60).content)
    print(f"{told['videoDuration']:g} seconds in {film}")


if __name__ == "__main__":
    main(*sys.argv[1:])
