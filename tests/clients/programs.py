"""Programs that drive clients of any language against a gateway, and what must come of it.

A program prints a line of JSON for each step of each client with each model. The steps are the same in all languages,
and so is what is judged here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.stack import Gateway

BUILT = Path(__file__).parents[2] / ".cache" / "clients"
"""What was compiled, of this checkout alone."""
WORDS = "Say this is a test!"
MODELS = ("gpt-4o-mini", "claude-haiku-4-5", "gemini-2.5-flash")
"""One of each vendor's: whatever a client speaks, two of them are translated."""
COMPILES = pytest.mark.timeout(3600)
"""For tests that compile first: minutes, beside all that else runs."""
DRILL = pytest.mark.skipif("DRILL_EXAMPLES" not in os.environ, reason="compiles for minutes: `make drill` runs it")
CHAT = ("chat", "stream", "tools", "streamed tools")
Lines = Mapping[tuple[str, str, str], Mapping[str, Any]]


def needs(*commands: str) -> None:
    """Skip where a toolchain is not installed; nothing else that goes wrong with it is a reason to."""
    for command in commands:
        if shutil.which(command) is None:
            pytest.skip(f"no `{command}` on the PATH: clients that need it are not tested")


def build(command: Sequence[str], folder: Path, **env: str) -> None:
    """Compile what is not compiled yet; dependencies come from the user's own cache or the registry."""
    BUILT.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def isolated(folder: Path) -> list[str]:
    """Return the command that runs `drive.py` with what is locked beside it: uv makes an environment, and keeps it."""
    uv = Path(sys.executable).with_name("uv")
    environment = ["--no-project", "--isolated", "--python", sys.executable]
    locked = ["--with-requirements", str(folder / "requirements.txt")]
    return [str(uv), "run", "--quiet", *environment, *locked, "python", "drive.py"]


def drive(command: Sequence[str], gateway: Gateway, folder: Path | None = None, words: str = WORDS) -> Lines:
    """Run a program; return its lines by client, model and step."""
    done = subprocess.run(
        [*command, *MODELS],
        cwd=folder,
        env={**os.environ, "GATEWAY": gateway.url, "TOKEN": gateway.live, "WORDS": words, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {(line["client"], line["model"], line["step"]): line for line in lines}


def cases(clients: Mapping[str, Sequence[str]], once: Mapping[str, Sequence[str]] | None = None) -> list[Any]:
    """Return parameters for `judge`: steps of each client with each model, and those that name their own."""
    every = [(client, model, step) for client, steps in clients.items() for model in MODELS for step in steps]
    every += [(client, "", step) for client, steps in (once or {}).items() for step in steps]
    return [pytest.param(*case, id=" ".join(filter(None, case))) for case in every]


def judge(lines: Lines, client: str, model: str, step: str) -> None:
    """Fail unless the client understood what the step is to show."""
    line = lines[client, model, step]
    assert "error" not in line, line["error"]
    whole = lines[client, model, "chat"]["seen"] if step == "stream" else None
    JUDGES[step](line["seen"], model, whole)


def _chat(seen: Any, _model: str, whole: Any) -> None:
    assert WORDS in seen["text"]
    assert seen["input"] > 0
    assert seen["output"] > 0
    assert whole in (None, seen)


def _tools(seen: Any, _model: str, _whole: Any) -> None:
    (call,) = seen["calls"]
    assert call["name"] == "weather"
    _place(call["arguments"], _model, _whole)
    assert "sunny" in seen["text"]
    assert seen["input"] > 0
    assert seen["output"] > 0


def _place(seen: Any, _model: str, _whole: Any) -> None:
    assert isinstance(seen["city"], str)
    assert isinstance(seen["degrees"], int | float)


def _models(seen: Any, model: str, _whole: Any) -> None:
    assert {*MODELS} <= {*seen["names"]}
    assert seen["retrieved"] == model


def _errors(seen: Any, _model: str, _whole: Any) -> None:
    # Google says 400 of a key that it does not know.
    assert seen["key"] in (400, 401)
    assert seen["model"] == 404


def _embeddings(seen: Any, _model: str, _whole: Any) -> None:
    assert len(seen) == 2
    assert min(seen) > 100


def _positive(seen: Any, _model: str, _whole: Any) -> None:
    assert seen > 0


JUDGES: Mapping[str, Callable[[Any, str, Any], None]] = {
    "chat": _chat,
    "stream": _chat,
    "tools": _tools,
    "streamed tools": _tools,
    "structured": _place,
    "models": _models,
    "errors": _errors,
    "embeddings": _embeddings,
    "image": _positive,
    "count": _positive,
}
