"""The flags that ride at the end of a prompt: `a flower --v 1.1 --iw 0.45`, also on lines of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...declare import Failure, Reason

_ZONE = re.compile(r"(?:(?:^|\s)\s*--[a-z]+[ \t=]+(?!--)\S+)+\s*$")
"""All that is left of the prompt from the first flag on."""
_FLAG = re.compile(r"--([a-z]+)[ \t=]+(\S+)")
_HUNDREDTHS = re.compile(r"[01](\.[0-9]{1,2})?|\.[0-9]{1,2}")
_SEED = re.compile(r"[1-9][0-9]{0,8}")

VERSIONS = ("1", "1.1", "2", "3")
SHAPES = ("square", "circle", "plus", "box", "octagon", "random", "tiny-plus")
RATIOS = ("1:1", "9:16", "16:9", "3:4", "4:3")
KNOWN = frozenset({"v", "iw", "seed", "shape", "ar", "type"})


def flags(prompt: str) -> Mapping[str, str]:
    """Return the flags that stand at the end of a prompt; of two with one name the last counts, unknown ones do not."""
    zone = _ZONE.search(prompt)
    found: dict[str, str] = dict(_FLAG.findall(zone[0])) if zone else {}
    return {name: value for name, value in found.items() if name in KNOWN}


def judge(found: Mapping[str, str], *names: str) -> None:
    """Refuse a flag, of those that count, whose value is none that it may have.

    Raises
    ------
    Failure
        INVALID
    """
    good = {
        "v": lambda value: value in VERSIONS,
        "iw": lambda value: bool(_HUNDREDTHS.fullmatch(value)) and float(value) <= 1,
        "seed": lambda value: bool(_SEED.fullmatch(value)),
        "shape": lambda value: value in SHAPES,
        "ar": lambda value: value in RATIOS,
        "type": lambda value: value.isascii() and value.isdigit() and len(value) < 4,
    }
    may_be = {
        "v": ", ".join(VERSIONS),
        "iw": "a number from 0 to 1 with at most two decimals",
        "seed": "a number from 1 to 999999999",
        "shape": ", ".join(SHAPES),
        "ar": ", ".join(RATIOS),
        "type": "the number of a render model",
    }
    for name in names:
        if name in found and not good[name](found[name]):
            raise Failure(Reason.INVALID, f"--{name} may be {may_be[name]}", param="prompt")
