"""Scenario 4: music by a description, without words."""

from common import generate, show

show(*generate(mv="chirp-v3-5", gpt_description_prompt="quiet piano, rain outside", make_instrumental=True, prompt=""))
