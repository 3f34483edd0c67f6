"""Scenario 3: music of one's own, without words."""

from common import generate, show

show(
    *generate(
        mv="chirp-v3-5",
        title="Tin",
        tags="ambient, piano",
        prompt="",
        continue_at=None,
        continue_clip_id=None,
        infill_start_s=None,
        infill_end_s=None,
    )
)
