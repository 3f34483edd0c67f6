"""Text in boxes: where lines break, how high they stand, which size fits, what goes to the next box."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from .fonts import Typeface, is_cjk, is_wide

_NO_START: Final = frozenset("，。、；：？！）》」』】〕〉”’…—·,.;:?!)]}%‰℃°〞ーっゃゅょぁぃぅぇぉッャュョァィゥェォ々")
_NO_END: Final = frozenset("（《「『【〔〈“‘([{￥$£€〝")
BETWEEN: Final = 0.25
"""Em that office programs put between Han and Latin letters."""
SAFETY: Final = 0.985
"""Share of a line's width that is filled: programs' own rounding."""
FULL: Final = 0.97
"""Share of a box's height that is filled: programs shrink text that is higher by a hair."""
_SENTENCE: Final = re.compile(r"(?<=[。！？；!?;])|(?<=[.,])\s+|(?<=[，、])")


@dataclass(frozen=True, slots=True)
class Setting:
    """How a paragraph is set.

    Attributes
    ----------
    spacing : float
        Lines' distance, where 1 is the typeface's own.
    before : float
        Em above a paragraph that is not the first.
    indent : float
        Em left of the text, where bullets hang.
    """

    typeface: Typeface
    spacing: float = 1.0
    before: float = 0.0
    indent: float = 0.0


@dataclass(frozen=True, slots=True)
class Unit:
    """What is not broken: a word, or a Han letter with its punctuation."""

    width: float
    letters: int
    space: float = 0.0
    """Em of white space after it."""
    text: str = ""
    crosses: bool = False
    """Whether the other script follows that space: some programs add to it."""


@lru_cache(maxsize=4096)
def units(text: str, typeface: Typeface) -> tuple[Unit, ...]:
    """Return a text's parts that are not broken."""
    cjk = is_cjk(typeface.language)
    advance = typeface.advance
    found: list[Unit] = []
    word, width, space = "", 0.0, 0.0
    last_wide: bool | None = None
    for letter in text:
        if letter.isspace():
            space += advance(" ")
            continue
        wide = is_wide(letter, cjk=cjk)
        sticks = word and not space and (letter in _NO_START or word[-1] in _NO_END)
        joined = word and not space and not wide and last_wide is False and word[-1] not in "-/–—"
        between = BETWEEN if last_wide is not None and last_wide != wide and not space and word else 0.0
        if unicodedata.combining(letter):
            sticks, between = bool(word), 0.0
        if word and not sticks and not joined:
            found.append(Unit(width + between, len(word), space, word, bool(space) and wide != last_wide))
            word, width = "", 0.0
            between = 0.0
        word += letter
        width += advance(letter) + between
        space = 0.0
        last_wide = wide
    if word:
        found.append(Unit(width, len(word), 0.0, word))
    return tuple(found)


def pieces(unit: Unit, room: float, typeface: Typeface) -> Iterator[Unit]:
    """Yield a word that is longer than a line in parts."""
    part, width = "", 0.0
    for letter in unit.text:
        more = typeface.advance(letter)
        if part and width + more > room:
            yield Unit(width, len(part), 0.0, part)
            part, width = "", 0.0
        part += letter
        width += more
    yield Unit(width, len(part), unit.space, part)


@dataclass(frozen=True, slots=True)
class Lines:
    """A paragraph's lines.

    Attributes
    ----------
    count : int
        Of lines; an empty paragraph has one.
    last : int
        Letters on the last one.
    last_width, widest : float
        Em.
    """

    count: int
    last: int
    last_width: float
    widest: float


@lru_cache(maxsize=8192)
def broken(text: str, typeface: Typeface, room: float, extra: float = 0.0, *, exact: bool = False) -> Lines:
    """Break a paragraph.

    Parameters
    ----------
    room : float
        Width in em.
    extra : float
        Em added after each letter: character spacing.
    exact : bool
        Fill lines to the end, as a program does that measures as we do.
    """
    room *= 1.0 if exact else SAFETY
    count, width, letters, space, widest = 1, 0.0, 0, 0.0, 0.0
    for part in text.split("\v"):
        if letters:
            count, width, letters, space = count + 1, 0.0, 0, 0.0
        for whole in units(part, typeface):
            long = whole.width + extra * whole.letters > room
            for unit in pieces(whole, room, typeface) if long else (whole,):
                needed = unit.width + extra * unit.letters
                if letters and width + space + needed > room:
                    count, width, letters, space = count + 1, 0.0, 0, 0.0
                width += space + needed
                letters += unit.letters
                space = unit.space + (BETWEEN if unit.crosses else 0.0)
                widest = max(widest, width)
    return Lines(count, letters, width, widest)


def height(paragraphs: Sequence[str], setting: Setting, size: float, width: float) -> float:
    """Return how high paragraphs stand, in points.

    Parameters
    ----------
    size, width : float
        Points.
    """
    total = 0.0
    room = width / size - setting.indent
    for number, text in enumerate(paragraphs):
        lines = broken(text, setting.typeface, room)
        total += lines.count * line_height(text, setting) * size
        total += setting.before * size if number else 0.0
    return total


def line_height(text: str, setting: Setting) -> float:
    """Return a line's height in em."""
    face = setting.typeface
    han = any(is_wide(letter, cjk=is_cjk(face.language)) or ord(letter) > 0x2FF for letter in text)
    return (face.han_height if han else face.latin_height) * setting.spacing


def fit(
    paragraphs: Sequence[str], setting: Setting, box: tuple[float, float], sizes: tuple[int, int], lines: int = 0
) -> int | None:
    """Return the largest size that fits, or None.

    Parameters
    ----------
    box : tuple of float
        Width and height, points.
    sizes : tuple of int
        Largest and smallest, points; tried in steps of one.
    lines : int
        At most so many lines altogether; 0: as many as fit.
    """
    largest, least = sizes
    for size in range(largest, least - 1, -1):
        if height(paragraphs, setting, size, box[0]) > box[1] * FULL:
            continue
        room = box[0] / size - setting.indent
        if lines and sum(broken(text, setting.typeface, room).count for text in paragraphs) > lines:
            continue
        return size
    return None


def tracking(text: str, typeface: Typeface, room: float) -> float:
    """Return the character spacing, in em, that brings a lone last letter up to the others, or else gives it company.

    0 where there is none, or where it would take more than can be seen.
    """
    if not _may_be_lone(text, typeface, room):
        return 0.0
    count = broken(text, typeface, room).count
    for step in range(1, 11):
        for extra in (-0.005 * step, 0.005 * step):
            if extra < -0.03:
                continue
            fits = broken(text, typeface, room, extra).count <= count
            if fits and not _may_be_lone(text, typeface, room, extra):
                return extra
    return 0.0


def is_lone(text: str, typeface: Typeface, room: float) -> bool:
    """Return whether a lone letter stands on a paragraph's last line, and no spacing helps it."""
    return _may_be_lone(text, typeface, room) and not tracking(text, typeface, room)


def _may_be_lone(text: str, typeface: Typeface, room: float, extra: float = 0.0) -> bool:
    """Return whether a lone letter would stand on the last line where lines are filled a little more or less."""
    return any(
        lines.count > 1 and _is_lone(text, lines)
        for lines in (broken(text, typeface, room, extra, exact=exact) for exact in (False, True))
    )


def _is_lone(text: str, lines: Lines) -> bool:
    letters = text.rstrip()[-lines.last :] if lines.last else ""
    real = [letter for letter in letters if letter not in _NO_START]
    return len(real) == 1 and unicodedata.east_asian_width(real[0]) in "WF"


def halves(text: str, setting: Setting, size: float, box: tuple[float, float]) -> tuple[str, str]:
    """Split a paragraph that is higher than a box: what fits, by sentences if any does, and the rest.

    Both are never empty.
    """
    parts = [part for part in _SENTENCE.split(text) if part]
    fitting = 0
    for number in range(1, len(parts)):
        if height(["".join(parts[:number])], setting, size, box[0]) > box[1]:
            break
        fitting = number
    if fitting:
        head = "".join(parts[:fitting])
        at = text.find(parts[fitting], max(len(head) - 1, 0))
        return text[:at].rstrip(), text[at:].lstrip()
    low, high = 1, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if height([text[:middle]], setting, size, box[0]) <= box[1]:
            low = middle
        else:
            high = middle - 1
    at = low
    space = text.rfind(" ", 0, low)
    if space > low // 2:
        at = space
    return text[:at].rstrip() or text[:low], text[at:].lstrip()


def bold(setting: Setting) -> Setting:
    """Return the setting in bold."""
    return replace(setting, typeface=replace(setting.typeface, bold=True))
