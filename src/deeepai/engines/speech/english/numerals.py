"""English text as it is said: numbers, money, times, years and signs become words.

misaki leaves this to num2words (LGPL), of which nothing is used here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

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


_ONES: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES: Final = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS: Final[dict[str, str]] = dict(
    (
        *(("one", "first"), ("two", "second"), ("three", "third"), ("five", "fifth"), ("eight", "eighth")),
        *(("nine", "ninth"), ("twelve", "twelfth")),
    )
)


def words_of(text: str) -> str:
    """Return the text without digits and signs."""
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")
    text = text.translate(_PLAIN)
    text = _SHORTENED.sub(lambda found: _SHORT[found.group()], text)
    text = _MONEY_SIGN.sub(_money, text)
    text = _TIME.sub(_time, text)
    text = _ORDINAL.sub(_ordinal, text)
    text = _YEAR.sub(_year, text)
    text = _NUMBER.sub(_number, text)
    text = _DIGITS.sub(lambda found: f" {_one_by_one(found.group())} ", text)
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    return text


def _cardinal(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return f"{_TENS[tens - 2]} {_ONES[ones]}" if ones else _TENS[tens - 2]
    size, name = next(scale for scale in _SCALES if scale[0] <= number)
    many, rest = divmod(number, size)
    return f"{_cardinal(many)} {name} {_cardinal(rest)}" if rest else f"{_cardinal(many)} {name}"


def _say(digits: str) -> str:
    digits = digits.replace(",", "")
    if len(digits) > _LONGEST or (len(digits) > 1 and digits[0] == "0"):
        return _one_by_one(digits)
    return _cardinal(int(digits))


def _one_by_one(digits: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in digits)


def _ordinal(found: re.Match[str]) -> str:
    head, space, last = _say(found.group(1)).rpartition(" ")
    return (
        head + space + _ORDINALS.get(last, f"{last[:-1]}ieth" if last.endswith("y") else f"{last.removesuffix('t')}th")
    )


def _money(found: re.Match[str]) -> str:
    sign, whole, fraction, large = found.groups()
    unit, small = _MONEY[sign]
    plural = unit if unit == "yuan" else f"{unit}s"
    if large:
        point = f" point {_one_by_one(fraction)}" if fraction else ""
        return f"{_say(whole)}{point} {large} {plural}"
    said = f"{_say(whole)} {unit if whole == '1' else plural}"
    cents = int(fraction[:2].ljust(2, "0")) if fraction and small else 0
    if not cents:
        return said
    shown = f"{_say(str(cents))} {small if cents == 1 else 'pence' if small == 'penny' else f'{small}s'}"
    return shown if whole == "0" else f"{said} and {shown}"


def _time(found: re.Match[str]) -> str:
    hour, minute = found.groups()
    said = _say(str(int(hour)))
    if minute == "00":
        return f"{said} o'clock" if int(hour) <= 12 else f"{said} hundred"
    return f"{said} {'oh ' if minute[0] == '0' else ''}{_say(str(int(minute)))}"


def _year(found: re.Match[str]) -> str:
    year, plural = found.groups()
    first, last = year[:2], year[2:]
    if first == "20" and last[0] == "0":
        said = _say(year)
    elif last == "00":
        said = f"{_say(first)} hundred"
    else:
        said = f"{_say(first)} {'oh ' if last[0] == '0' else ''}{_say(str(int(last)))}"
    if not plural:
        return said
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def _number(found: re.Match[str]) -> str:
    sign, whole, fraction = found.groups()
    said = _say(whole)
    if fraction:
        said += f" point {_one_by_one(fraction)}"
    return f"minus {said}" if sign else said
