"""An engine for the tests of worker processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deeepai.engines.worker.process import Refusal


class Engine:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worked = 0

    def run(self, request: dict[str, Any]) -> Iterator[Any]:
        self._worked += 1
        match request["do"]:
            case "count":
                yield from range(request["to"])
            case "tick":
                while True:
                    yield os.getpid()
                    time.sleep(0.01)
            case "work":
                yield {"folder": str(self._folder), "worked": self._worked, "bytes": request["bytes"]}
            case "refuse":
                raise Refusal("Not this.", "input", "invalid_value")
            case "fail":
                yield 1
                raise RuntimeError("of the engine")
            case "print":
                print("this must not reach the program's output")
                yield None
            case _:
                os._exit(3)
