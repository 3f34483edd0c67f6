"""Walk through Midjourney's buttons: draw four pictures, take one, vary it, and zoom out in a window of its own.

    DEEEPAI_TOKEN=sk-… python examples/midjourney_buttons.py "a mill by a river"

Without a gateway at http://127.0.0.1:8100, name it in DEEEPAI_BASE_URL. Needs the standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from typing import Any

BASE = os.environ.get("DEEEPAI_BASE_URL", "http://127.0.0.1:8100").rstrip("/") + "/mj"
HEADERS = {"authorization": f"Bearer {os.environ['DEEEPAI_TOKEN']}", "content-type": "application/json"}
TAKEN, WINDOW = (1, 22), 21
"""Codes: it is taken (or queued); or waits for what is said in a window."""


def ask(path: str, body: Any = None) -> Any:
    """Send a request; return its answer."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(BASE + path, data, HEADERS), timeout=60) as answer:
        return json.load(answer)


def finished(submitted: Any) -> Any:
    """Wait for the end of what was submitted; return the task."""
    if submitted["code"] not in TAKEN:
        sys.exit(f"refused: {submitted['description']}")
    while (task := ask(f"/task/{submitted['result']}/fetch"))["status"] not in ("SUCCESS", "FAILURE", "CANCEL"):
        time.sleep(1)
    if task["status"] != "SUCCESS":
        sys.exit(f"failed: {task['failReason']}")
    labels = [button["label"] or button["emoji"] for button in task["buttons"]]
    print(f"{task['action']}: {task['imageUrl']}\n    buttons: {' '.join(labels)}")
    return task


def press(task: Any, wanted: str) -> Any:
    """Press the button of a task whose label has a word in it."""
    button = next(each for each in task["buttons"] if wanted in each["label"])
    return ask("/submit/action", {"taskId": task["id"], "customId": button["customId"]})


def main(prompt: str) -> None:
    """Walk from a prompt to a picture that was zoomed out of."""
    grid = finished(ask("/submit/imagine", {"prompt": prompt}))
    single = finished(press(grid, "U2"))
    finished(press(single, "Vary (Subtle)"))
    opened = press(single, "Custom Zoom")
    if opened["code"] != WINDOW:
        sys.exit(f"no window: {opened['description']}")
    finished(ask("/submit/modal", {"taskId": opened["result"], "prompt": f"{prompt} --zoom 1.5"}))


if __name__ == "__main__":
    main(*sys.argv[1:])
