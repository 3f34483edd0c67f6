"""Pixverse as relays sell it: films from words, from a picture, or between two.

Source: the supplier's pages and a relay's copy of them (2025).
"""

from __future__ import annotations

from ..conditions import GIVEN, Rule
from ..feeds import ADDRESS, POINTS, feed_vendor
from ..fields import Field, group, model, number, table, text, usually
from ..job_vendor import Work
from ..terms import films

SHIFT = group(horizontal=number(), vertical=number(), roll=Field("whole"), zoom=number())
SPOKEN = table(lip_sync_tts_speaker_id=Field(), lip_sync_tts_content=text(200))
SOUND = table(sound_effect_switch=Field("whole", choices=(0, 1)), sound_effect_content=text(2048))
PICTURES = table(image=ADDRESS, last_image=ADDRESS.only(image=GIVEN))
MOTION = table(motion_strength=number(0, 1, 0.55), motion_scale=SHIFT)
FILM = table(
    SPOKEN,
    SOUND,
    PICTURES,
    MOTION,
    prompt=text(2048).must(),
    ratio=usually("16:9", "9:16", "1:1", "4:3", "3:4"),
    model=model("auto", "v3", "v3.5", "v4", "v4.5"),
    style=Field(),
    seed=Field("whole"),
    negative_prompt=text(2048),
    template_id=Field("whole"),
    callback_url=ADDRESS,
)
SPEECH = Rule({"lip_sync_tts_speaker_id": GIVEN}, {"lip_sync_tts_content": GIVEN})

VENDOR = feed_vendor(
    "pixverse",
    [Work("/v1/pro/generate", 45, FILM, films(side=540, seconds=5), rules=(SPEECH,), price=POINTS)],
    "/v1/pro/feed",
)
