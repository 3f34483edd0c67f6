"""A module of jobs for the tests of the pool: it does as it is told."""

from __future__ import annotations

import os
import time
from typing import Any

from deeepai.engines.jobs import Refusal, Work


def run(work: Work) -> dict[str, Any]:
    request = work.request
    match request["do"]:
        case "copy":
            work.tell(50, page=1)
            work.made("copy").write_bytes(work.given("file").read_bytes())
        case "refuse":
            raise Refusal("unreadable", "This cannot be read.")
        case "fail":
            raise RuntimeError("a fault of the engine's own")
        case "die":
            os._exit(1)
        case "die-once":
            if not work.made("mark").exists():
                work.made("mark").touch()
                os._exit(1)
        case "grow":
            held = bytearray(request["bytes"])
            held[::4096] = b"x" * len(held[::4096])
            time.sleep(600)
        case "until":
            while not os.path.exists(request["path"]):
                time.sleep(0.01)
        case _:
            raise AssertionError
    return {"pid": os.getpid(), "do": request["do"]}
