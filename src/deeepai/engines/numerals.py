"""English text as it is said: numbers, money, times, years and signs become words."""

from __future__ import annotations

import importlib
import re
import unicodedata
from typing import Any, Final

_MONEY: Final = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent"), "¥": ("yuan", "")}
_LARGE: Final = r"(?:\s+(thousand|million|billion|trillion)\b)?"
_MONEY_SIGN: Final = re.compile(r"([$£€¥])\s?(\d[\d,]*)(?:\.(\d+))?" + _LARGE)
_TIME: Final = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b")
_ORDINAL: Final = re.compile(r"\b(\d[\d,]*)(?:st|nd|rd|th)\b")
_YEAR: Final = re.compile(r"(?<![\d.,])(1[1-9]\d\d|20\d\d)(s?)(?![\d,]|\.\d|\s?%)\b")
_NUMBER: Final = re.compile(r"(?<![\w.])([-−]?)(\d[\d,]*\d|\d)(?:\.(\d+))?")
_DIGITS: Final = re.compile(r"\d+")
_LONGEST: Final = 15
"""Digits of a number that is still said as one."""
_SIGNS: Final = {"%": " percent ", "&": " and ", "+": " plus ", "@": " at ", "=": " equals ", "°": " degrees "}
_SHORT: Final[dict[str, str]] = dict(
    (
        *(("Mr.", "Mister"), ("Mrs.", "Missus"), ("Ms.", "Miz"), ("Dr.", "Doctor"), ("Prof.", "Professor")),
        *(("St.", "Saint"), ("vs.", "versus"), ("etc.", "et cetera"), ("e.g.", "for example"), ("i.e.", "that is")),
    )
)
_SHORTENED: Final = re.compile(r"(?<!\w)(" + "|".join(re.escape(short) for short in _SHORT) + r")(?=\s)")
_PLAIN: Final = str.maketrans({"‘": "'", "’": "'", "–": "—", "−": "-", "„": "“", "«": "“", "»": "”"})


class Numerals:
    """Writes out what is not words; loads `inflect` at the first number."""

    def __init__(self) -> None:
        self._engine: Any = None

    def words(self, text: str) -> str:
        """Return the text without digits and signs."""
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")
        text = text.translate(_PLAIN)
        text = _SHORTENED.sub(lambda found: _SHORT[found.group()], text)
        text = _MONEY_SIGN.sub(self._money, text)
        text = _TIME.sub(self._time, text)
        text = _ORDINAL.sub(lambda found: self._say(found.group(1), ordinal=True), text)
        text = _YEAR.sub(self._year, text)
        text = _NUMBER.sub(self._number, text)
        text = _DIGITS.sub(lambda found: f" {self._one_by_one(found.group())} ", text)
        for sign, word in _SIGNS.items():
            text = text.replace(sign, word)
        return text

    def _say(self, digits: str, *, ordinal: bool = False) -> str:
        digits = digits.replace(",", "")
        if len(digits) > _LONGEST or (len(digits) > 1 and digits[0] == "0"):
            return self._one_by_one(digits)
        if self._engine is None:
            self._engine = importlib.import_module("inflect").engine()
        said: str = self._engine.number_to_words(digits, andword="")
        if ordinal:
            said = self._engine.ordinal(said)
        return said.replace(",", "").replace("-", " ")

    def _one_by_one(self, digits: str) -> str:
        return " ".join(self._say(digit) for digit in digits)

    def _money(self, found: re.Match[str]) -> str:
        sign, whole, fraction, large = found.groups()
        unit, small = _MONEY[sign]
        plural = unit if unit == "yuan" else f"{unit}s"
        if large:
            point = f" point {self._one_by_one(fraction)}" if fraction else ""
            return f"{self._say(whole)}{point} {large} {plural}"
        said = f"{self._say(whole)} {unit if whole == '1' else plural}"
        cents = int(fraction[:2].ljust(2, "0")) if fraction and small else 0
        if not cents:
            return said
        shown = f"{self._say(str(cents))} {small if cents == 1 else 'pence' if small == 'penny' else f'{small}s'}"
        return shown if whole == "0" else f"{said} and {shown}"

    def _time(self, found: re.Match[str]) -> str:
        hour, minute = found.groups()
        said = self._say(str(int(hour)))
        if minute == "00":
            return f"{said} o'clock" if int(hour) <= 12 else f"{said} hundred"
        return f"{said} {'oh ' if minute[0] == '0' else ''}{self._say(str(int(minute)))}"

    def _year(self, found: re.Match[str]) -> str:
        year, plural = found.groups()
        first, last = year[:2], year[2:]
        if first == "20" and last[0] == "0":
            said = self._say(year)
        elif last == "00":
            said = f"{self._say(first)} hundred"
        else:
            said = f"{self._say(first)} {'oh ' if last[0] == '0' else ''}{self._say(str(int(last)))}"
        if not plural:
            return said
        return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"

    def _number(self, found: re.Match[str]) -> str:
        sign, whole, fraction = found.groups()
        said = self._say(whole)
        if fraction:
            said += f" point {self._one_by_one(fraction)}"
        return f"minus {said}" if sign else said
