"""Scenario 1: a song of one's own, with lyrics."""

from common import generate, show

show(
    *generate(
        mv="chirp-v3-5",
        title="Rain on Tin",
        tags="folk, acoustic guitar",
        prompt="[Verse]\nRain on the tin roof\nNobody is home\n\n[Chorus]\nFall, rain, fall",
    )
)
