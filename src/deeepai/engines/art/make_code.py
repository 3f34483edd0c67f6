"""The job that draws an art QR code."""

from __future__ import annotations

from typing import Any, Final

from ..images.opening import opened
from ..jobs import Refusal, Work
from . import codes, reading, styles

_PIXELS: Final = 16_000_000
"""Of a picture that holds a code."""


def run(work: Work) -> dict[str, Any]:
    """Draw a code that two decoders read; see `codes`.

    Returns
    -------
    dict
        `engine`, `content`, `strength` (at which it reads), `tries`.

    Raises
    ------
    Refusal
        The given picture holds no code, or the text is too long.
    """
    request = work.request
    content = request["content"]
    if not content:
        content = reading.content_of(opened(work.given("qr_image"), pixels=_PIXELS).rgb())
        if not content:
            raise Refusal("unreadable", "qr_image holds no QR code that can be read")
    # Before anything is painted: what cannot be said cannot be drawn.
    codes.encode(content)
    work.tell(10)
    size = request["width"], request["height"]
    scene = styles.painted(request["scene"], size, request["seed"], request["model"])
    work.tell(50)
    motif = styles.SCENES[request["scene"]].motif
    style = codes.Style(request["version"], request["shape"], motif, request["seed"])
    drawn = codes.draw(content, scene, style, request["strength"])
    drawn.picture.save(work.made("picture.png"), "PNG")
    return {
        "engine": "procedural",
        "content": content,
        "strength": round(drawn.strength, 2),
        "tries": drawn.tries,
    }
