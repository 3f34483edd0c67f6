"""Scenario 8: a section of a song is replaced, and the song made whole again."""

from common import generate, join, show

song = generate(mv="chirp-v3-5", title="Rain on Tin", tags="folk", prompt="[Verse]\nRain on the tin roof")[0]
sections = generate(
    task="infill",
    continue_clip_id=song["id"],
    continue_at=None,
    infill_start_s=10,
    infill_end_s=24.8,
    generation_type="TEXT",
    mv="chirp-v3-5-tau",
    title="Rain on Tin",
    tags="folk",
    prompt="[Verse]\nOther words on the tin roof",
)
show(song, *sections, join(sections[0]["id"], infill=True))
