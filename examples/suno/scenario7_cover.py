"""Scenario 7: the same song in another style."""

from common import generate, show

song = generate(mv="chirp-v3-5", title="Rain on Tin", tags="folk", prompt="[Verse]\nRain on the tin roof")[0]
covers = generate(
    task="cover",
    cover_clip_id=song["id"],
    generation_type="TEXT",
    mv="chirp-v3-5-tau",
    title="Rain on Brass",
    tags="jazz, trumpet",
    negative_tags="",
    prompt="[Verse]\nRain on the tin roof",
    continue_at=None,
    continue_clip_id=None,
    infill_start_s=None,
    infill_end_s=None,
)
show(song, *covers)
