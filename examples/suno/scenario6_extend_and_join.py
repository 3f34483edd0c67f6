"""Scenario 6: a song is gone on from at half a minute, and made whole."""

from common import generate, join, show

song = generate(mv="chirp-v3-5", title="Rain on Tin", tags="folk", prompt="[Verse]\nRain on the tin roof")[0]
longer = generate(
    task="extend",
    continue_clip_id=song["id"],
    continue_at=30,
    mv="chirp-v3-5",
    title="Rain on Tin",
    tags="folk",
    prompt="[Bridge]\nAnd then the sun",
)
whole = join(longer[0]["id"])
show(song, *longer, whole)
