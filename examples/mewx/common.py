"""What all of these programs need: a submission as the vendor's clients make it, and patience."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

BASE = os.environ.get("DEEEPAI_BASE_URL", "http://127.0.0.1:8100").rstrip("/") + "/mewx/api/v1"
TOKEN = os.environ.get("DEEEPAI_TOKEN", "")
PAUSE = float(os.environ.get("PAUSE", "3"))
"""Seconds between two looks."""


def ask(path: str, body: Any = None) -> Any:
    """Send a GET, or a POST where there is a body; return what the answer holds."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{BASE}/{path}", data, headers), timeout=60) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as refusal:
        told = json.load(refusal)
    if told["code"] != 0:
        sys.exit(f"{path}: {told.get('message') or told['msg']}")
    return told["data"]


def make(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Submit, and wait for the picture."""
    name = ask(path, body)["img_uuid"]
    while (told := ask(f"images/detail?img_uuid={name}"))["status"] == 0:
        time.sleep(PAUSE)
    if told["status"] != 1:
        sys.exit(f"{name} has failed: {told.get('msg')}")
    return told


def run(path: str, examples: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Make the examples that the command line names, or all; print where each picture lies."""
    if unknown := set(sys.argv[1:]) - set(examples):
        sys.exit(f"there is no example {', '.join(sorted(unknown))}; there are {', '.join(examples)}")
    for name in sys.argv[1:] or examples:
        for body in examples[name]:
            print(name, make(path, body)["urls"][0], sep="\t", flush=True)
