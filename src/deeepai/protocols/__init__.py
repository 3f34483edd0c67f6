"""Wire formats, a module each; what they have in common stands in `deeepai.declare`."""

from __future__ import annotations

from ..declare import Protocol
from .anthropic import anthropic
from .cogvideox import cogvideox
from .flux import flux
from .gemini import gemini
from .ideogram import ideogram
from .kling import kling
from .midjourney import midjourney
from .openai import openai
from .pixverse import pixverse, pixverse_platform, pixverse_web
from .stability import stability
from .suno import suno, suno_goamz, suno_tasks
from .viggle import viggle

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        openai,
        flux,
        ideogram,
        midjourney,
        stability,
        gemini,
        anthropic,
        kling,
        cogvideox,
        pixverse_platform,
        pixverse,
        pixverse_web,
        viggle,
        # The first has the longest paths of its own.
        suno_goamz,
        suno_tasks,
        suno,
    )
}
