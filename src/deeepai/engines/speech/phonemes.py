"""Text in English and Mandarin, mixed or not, to phonemes, in passages that a voice speaks in one breath."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .english.g2p import Accent, English
from .mandarin import Mandarin, has_han

_LATIN: Final = re.compile(r"([A-Za-z][A-Za-z'’.-]*(?:\s+[A-Za-z][A-Za-z'’.-]*)*)")
_SENTENCE: Final = re.compile(r"[^.!?。！？…\n]*(?:[.!?。！？…]+[\"”’')）」』]*|\n|$)(?:\s+|$)?")
_CLAUSE: Final = re.compile(r"[^,;:，；：、—]*(?:[,;:，；：、—]+|$)\s*")
_LONGEST: Final = {False: 280, True: 90}
"""Characters of a passage, without and with Chinese ones."""
_SHORTEST: Final = {False: 60, True: 20}


def unreadable(text: str) -> bool:
    """Tell whether most letters are of scripts that are neither Latin nor Chinese."""
    letters = [c for c in text if c.isalpha()]
    foreign = [c for c in letters if not ("\u3400" <= c <= "\u9fff" or c <= "\u024f" or "\u1e00" <= c <= "\u1eff")]
    return len(foreign) > len(letters) // 4


def passages(text: str) -> Iterator[str]:
    """Cut a text at the ends of sentences, long sentences at clauses and words, and join short ones.

    The first passage stays as short as it is, so that the voice begins soon.
    """
    chinese = has_han(text)
    held, first = "", True
    for sentence in _SENTENCE.findall(text):
        for piece in _cut(sentence, _LONGEST[chinese]):
            if held and (first or len(held) >= _SHORTEST[chinese] or len(held) + len(piece) > _LONGEST[chinese]):
                yield held
                held, first = "", False
            held += piece
    if held.strip():
        yield held


def _cut(sentence: str, longest: int) -> Iterator[str]:
    if not any(c.isalnum() for c in sentence):
        return
    if len(sentence) <= longest:
        yield sentence
        return
    held = ""
    for clause in _CLAUSE.findall(sentence):
        rest = clause
        if held and len(held) + len(rest) > longest:
            yield held
            held = ""
        while len(rest) > longest:
            at = rest.rfind(" ", 1, longest) + 1 or longest
            yield rest[:at]
            rest = rest[at:]
        held += rest
    if held:
        yield held


class Phonemizer:
    """Reads passages; dictionaries are loaded as they are needed.

    Parameters
    ----------
    folder : Path
        The packs folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._english: dict[Accent, English] = {}
        self._mandarin = Mandarin()

    def phonemes(self, passage: str, accent: Accent) -> str:
        """Return the phonemes of a passage."""
        english = self._english.get(accent)
        if english is None:
            english = self._english[accent] = English(self._folder, accent)
        if not has_han(passage):
            return english.phonemes(passage)
        # Splitting with a group puts what matched, the Latin words, into the odd places.
        parts = _LATIN.split(passage)
        read = [english.phonemes(part) if at % 2 else self._mandarin.phonemes(part) for at, part in enumerate(parts)]
        return " ".join(part for part in read if part.strip())
