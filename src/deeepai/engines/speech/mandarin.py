"""Mandarin text to the phonemes that Kokoro reads: misaki's own reader, with jieba and pypinyin."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
from typing import Any, Final

PACKAGE: Final = "misaki"
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_SAYABLE: Final = re.compile(r"[\u3400-\u9fff\d]")


def has_han(text: str) -> bool:
    """Tell whether there is a Chinese character in a text."""
    return bool(_HAN.search(text))


class Mandarin:
    """Loaded at the first text, for jieba reads its dictionary for about a second."""

    def __init__(self) -> None:
        self._reader: Any = None
        self._numbers: Any = None

    @staticmethod
    def available() -> bool:
        """Tell whether the packages are here."""
        return importlib.util.find_spec(PACKAGE) is not None

    def phonemes(self, text: str) -> str:
        """Return the phonemes of a text without Latin letters."""
        if self._reader is None:
            importlib.import_module("jieba").setLogLevel(logging.WARNING)
            self._numbers = importlib.import_module("cn2an")
            self._reader = importlib.import_module("misaki.zh").ZHG2P
        try:
            text = self._numbers.transform(text, "an2cn")
        except ValueError:
            # A row of digits that is no number; each is said by itself.
            text = re.sub(r"\d", lambda digit: "零一二三四五六七八九"[int(digit.group())], text)
        text = self._reader.map_punctuation(text)
        return self._reader.legacy_call(text) if _SAYABLE.search(text) else text
