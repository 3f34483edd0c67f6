"""Pika as relays sell it: films from words, from a picture, and from a film, which may go on.

Source: the supplier's pages and relays' copies of them (2024 and 2025).
"""

from __future__ import annotations

from ..conditions import ABSENT, GIVEN, Rule
from ..feeds import ADDRESS, POINTS, feed_vendor
from ..fields import Field, choice, group, table, text, usually
from ..job_vendor import Order, Work
from ..terms import films

CAMERA = group(
    pan=choice("left", "right"), tilt=choice("up", "down"), rotate=choice("cw", "ccw"), zoom=choice("in", "out")
)
PARAMETERS = group(
    guidanceScale=Field("whole", 5, 25, default=12),
    motion=Field("whole", 0, 4, default=1),
    negativePrompt=text(2048),
    seed=Field("whole"),
)
OPTIONS = group(frameRate=Field("whole", 8, 24, default=24), camera=CAMERA, parameters=PARAMETERS, extend=Field("flag"))
FILM = table(
    prompt=text(2048).must(),
    ratio=usually("16:9", "9:16", "1:1", "5:2", "4:5", "4:3"),
    sfx=Field("flag"),
    style=Field(),
    model=Field("number", choices=(1.0, 1.5, 2.0), default=1.5, error="unknown_model"),
    image=ADDRESS.only(video=ABSENT),
    video=ADDRESS,
    options=OPTIONS,
    callback_url=ADDRESS,
)
LONGER = Rule({"video": GIVEN}, {"options.extend": True})
FIRST, MORE = 3, 4
"""Seconds of a film, and by how many it goes on."""


def _seconds(order: Order) -> float:
    """How long the film is that goes on is not looked at."""
    return FIRST + MORE if order.body.get("options", {}).get("extend") else FIRST


MADE = films(side=480, seconds=_seconds)
VENDOR = feed_vendor("pika", [Work("/pro/generate", 60, FILM, MADE, rules=(LONGER,), price=POINTS)], "/feed")
