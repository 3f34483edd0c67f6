"""Scenario 5: a sound of one's own is uploaded, gone on from, and joined with what follows."""

import os

from common import ask, feed, generate, join, show

uploaded = ask("/suno/v2/upload", {"url": os.environ.get("SOUND_URL", "https://example.com/hum.mp3")})["data"]
(own,) = feed(uploaded)
show(own)

longer = generate(
    task="upload_extend",
    continue_clip_id=uploaded,
    continue_at=own["metadata"]["duration"] - 10,
    mv="chirp-v4",
    title="Hum",
    tags="folk",
    prompt="[Verse]\nThe words that follow",
)
show(*longer)
show(join(longer[0]["id"]))
