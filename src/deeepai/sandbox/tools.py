"""Which tool is called where a caller demands that one is."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def next_tool(names: Sequence[str], called: Collection[str]) -> str:
    """Return the first tool that has not been called in this turn, or else the last.

    So agents end that demand a call at each step, until one of the calls is their answer.
    """
    return next((name for name in names if name not in called), names[-1])
