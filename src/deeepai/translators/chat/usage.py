"""What callers are told of usage: the numbers that are charged, read by the same readers."""

from __future__ import annotations

from ...declare import Usage
from ...protocols.common.usage import within
from .model import Tokens


def tokens(usage: Usage) -> Tokens:
    """Return the counts of a usage, further models' included, each with all of its parts."""
    for other in usage.others.values():
        usage = usage.plus(other)
    return Tokens(
        input=usage.all_input,
        cached=usage.cached + usage.cached_audio,
        cache_write=usage.cache_write + usage.cache_write_1h,
        audio_in=usage.audio_in + usage.cached_audio,
        output=usage.all_output,
        reasoning=within(usage.all_output, usage.reasoning)[0],
        audio_out=usage.audio_out,
    )
