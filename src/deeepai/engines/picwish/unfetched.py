"""The job of a task whose picture or document could not be fetched: it ends with that."""

from __future__ import annotations

from typing import Any

from ..jobs import Refusal, Work


def run(work: Work) -> dict[str, Any]:
    """Say why.

    Raises
    ------
    Refusal
        `fetch`, or the code of the request.
    """
    raise Refusal(str(work.request.get("code") or "fetch"), str(work.request.get("message") or "It cannot be fetched."))
