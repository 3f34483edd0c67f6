"""Wire formats, a module each; what they have in common stands in `deeepai.declare`."""

from __future__ import annotations

from ..declare import Protocol
from .anthropic import anthropic
from .cogvideox import cogvideox
from .docmee import docmee
from .dream_machine import dream_machine
from .flux import flux
from .gemini import gemini
from .ideogram import ideogram
from .kling import kling
from .luma import luma
from .luma_goamz import luma_goamz
from .mewx import mewx
from .midjourney import midjourney
from .openai import openai
from .picwish import picwish
from .pika import pika, pika_api, pika_web
from .pixverse import pixverse, pixverse_platform, pixverse_web
from .runway import runway
from .runway_web import runway_web
from .runwayml import runwayml
from .stability import stability
from .suno import suno, suno_goamz, suno_tasks
from .vidu import vidu, vidu_ent
from .viggle import viggle
from .viggle_api import viggle_api
from .weinike import weinike

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        *(openai, flux, ideogram, midjourney, stability, gemini, anthropic, kling, cogvideox),
        # The longer of two places that begin alike comes first.
        *(dream_machine, luma_goamz, luma, runwayml, runway_web, runway),
        *(viggle_api, viggle),
        weinike,
        *(viggle_api, viggle, docmee),
        *(suno_goamz, suno_tasks, suno),
        picwish,
        mewx,
        *(pixverse_platform, pixverse, pixverse_web, vidu, vidu_ent, pika_api, pika, pika_web),
    )
}
