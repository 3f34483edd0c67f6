"""The job that draws creative text."""

from __future__ import annotations

from typing import Any

from ..jobs import Refusal, Work
from . import styles, words


def run(work: Work) -> dict[str, Any]:
    """Draw characters in one of three manners; see `words`.

    Returns
    -------
    dict
        `engine`.

    Raises
    ------
    Refusal
        The typeface lacks a character.
    """
    request = work.request
    if absent := words.absent(request["text"]):
        raise Refusal("unsupported", f"The typeface has no '{absent}'")
    size = request["width"], request["height"]
    scene = styles.painted(request["scene"], size, request["seed"], request["model"])
    work.tell(50)
    drawn = words.draw(
        request["text"],
        scene,
        request["manner"],
        request["strength"],
        motif=styles.SCENES[request["scene"]].motif,
        seed=request["seed"],
        render=request["render"],
    )
    drawn.save(work.made("picture.png"), "PNG")
    return {"engine": "procedural"}
