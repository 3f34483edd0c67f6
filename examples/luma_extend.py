"""Make a film by Luma and lengthen it twice, in the format of relays.

    DEEEPAI_TOKEN=sk-… python examples/luma_extend.py "A fox walks in the snow" film.mp4

Without a gateway at http://127.0.0.1:8100, name it in DEEEPAI_BASE_URL. Needs the standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

BASE = os.environ.get("DEEEPAI_BASE_URL", "http://127.0.0.1:8100").rstrip("/") + "/luma/generations"
HEADERS = {"authorization": f"Bearer {os.environ['DEEEPAI_TOKEN']}", "content-type": "application/json"}


def ask(path: str, body: Any = None) -> Any:
    """Send a request; return its answer."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(BASE + path, data, HEADERS), timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as fault:
        sys.exit(f"refused: {json.load(fault)['error']['message']}")


def film(path: str, words: str) -> Any:
    """Ask for a film and wait for its end."""
    made = ask(path, {"user_prompt": words, "aspect_ratio": "16:9", "expand_prompt": True})
    while made["state"] not in ("completed", "failed"):
        time.sleep(1)
        made = ask(f"/{made['id']}")
    if made["state"] == "failed":
        sys.exit(f"failed: {made['failure_reason']}")
    print(f"{made['video_raw'].get('duration', '?')} seconds: {made['video']['download_url']}")
    return made


def main(words: str, saved: str) -> None:
    """Make a film, go on from its end, and from the end of that."""
    made = film("", words)
    for more in ("It stops and listens", "It runs into the woods"):
        # It goes where the film was made, whichever channel that is.
        made = film(f"/{made['id']}/extend", more)
    # The address without the vendor's mark.
    url = ask(f"/{made['id']}/download_video_url")["url"]
    with urllib.request.urlopen(url, timeout=60) as answer:
        Path(saved).write_bytes(answer.read())
    print(f"saved in {saved}")


if __name__ == "__main__":
    main(*sys.argv[1:])
