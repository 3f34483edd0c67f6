"""Scenario 2: a song by a description; the lyrics are written for it."""

from common import generate, show

clips = generate(
    mv="chirp-v3-5",
    gpt_description_prompt="a folk song about rain on a tin roof",
    make_instrumental=False,
    prompt="",
)
show(*clips)
print(clips[0]["metadata"]["prompt"])
