"""Which of Kokoro's voices speaks: its own names, and OpenAI's, for which it has voices of the same spirit."""

from __future__ import annotations

from typing import Final

from ..openai_wire import refused
from ..packs.audio_packs import VOICES
from .mandarin import has_han

_NAMES: Final = {
    "alloy": ("af_alloy", "zf_xiaobei"),
    "ash": ("am_michael", "zm_yunjian"),
    "ballad": ("bm_george", "zm_yunyang"),
    "cedar": ("am_fenrir", "zm_yunjian"),
    "coral": ("af_bella", "zf_xiaoni"),
    "echo": ("am_echo", "zm_yunxi"),
    "fable": ("bm_fable", "zm_yunxia"),
    "marin": ("af_heart", "zf_xiaoxiao"),
    "nova": ("af_nova", "zf_xiaoxiao"),
    "onyx": ("am_onyx", "zm_yunyang"),
    "sage": ("af_sarah", "zf_xiaoyi"),
    "shimmer": ("af_sky", "zf_xiaoni"),
    "verse": ("am_puck", "zm_yunxia"),
}
"""For English, and for Chinese."""
_CHINESE: Final = {"f": "zf_xiaoxiao", "m": "zm_yunxi"}
DEFAULT: Final = "alloy"


def voice_of(name: str, text: str) -> str:
    """Return the voice for a text; Chinese is spoken by a Chinese one, under any name.

    Raises
    ------
    WireError
        400 for an unknown name.
    """
    chinese = mostly_chinese(text)
    if name in _NAMES:
        return _NAMES[name][chinese]
    if name not in VOICES:
        message = f"Invalid value for 'voice': '{name}'. Supported values are: {', '.join((*_NAMES, *VOICES))}."
        raise refused(message, "voice", "invalid_value")
    return _CHINESE[name[1]] if chinese and name[0] != "z" else name


def mostly_chinese(text: str) -> bool:
    """Tell whether a text has at least as many Chinese characters as words in Latin letters."""
    latin = sum(1 for word in text.split() if any(c.isascii() and c.isalpha() for c in word))
    return has_han(text) and sum(map(has_han, text)) >= latin
