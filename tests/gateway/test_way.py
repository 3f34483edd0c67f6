"""Which modules of the gateway one chat call's exchange enters, in order: what docs/architecture.md says."""

from __future__ import annotations

import dis
import functools
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from deeepai.gateway.exchange import Exchange
from tests.gateway.toy import running, toy

DOCS: Final = Path(__file__).parents[2] / "docs" / "architecture.md"
PACKAGE: Final = "deeepai.gateway."
MOST: Final = 2
"""Times that a module is entered."""
CHAT: Final = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


@functools.cache
def start(code: CodeType) -> int:
    """Return where a function begins: a frame that is further on goes on after a wait."""
    return next(step.offset for step in dis.get_instructions(code) if step.opname == "RESUME")


def takes_exchange(frame: FrameType) -> bool:
    """Tell whether a function was called with an exchange; to be one's own method is not to be handed it."""
    code, values = frame.f_code, frame.f_locals
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return any(isinstance(values.get(name), Exchange) for name in names if name != "self")


@contextmanager
def handed_on() -> Iterator[list[tuple[str, str]]]:
    """Note each function of the gateway that another module hands an exchange to: its module, and its name there."""
    functions: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        module, before = frame.f_globals.get("__name__", ""), frame.f_back
        if event != "call" or not module.startswith(PACKAGE) or frame.f_lasti > start(frame.f_code):
            return
        if before is not None and before.f_globals.get("__name__") != module and takes_exchange(frame):
            functions.append((module.removeprefix(PACKAGE), frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        yield functions
    finally:
        sys.setprofile(None)


async def test_a_chat_calls_way_is_the_documented_one(tmp_path: Path) -> None:
    section = DOCS.read_text().split("## One chat call's way\n")[1].split("\n## ")[0]
    documented = re.findall(r"^\d+\. `([\w.]+)`", section, re.MULTILINE)
    async with running(tmp_path, toy()) as place:
        with handed_on() as functions:
            status, _ = await place.ask("POST", "/v1/chat/completions", CHAT)
        assert status == 200
        assert len(place.vendor.asked) == 1
    assert [f"{module}.{name}" for module, name in functions] == documented
    entered = Counter(module for module, _ in functions)
    assert max(entered.values()) <= MOST, entered
