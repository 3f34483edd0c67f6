"""Text and Markdown; text gets the headings and lists that its lines show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ...jobs import Refusal
from ..pieces import escaped
from ..wording import width
from .document import MOST_CHARACTERS, Document

_COMMON: Final = frozenset(
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天能好都然没日于起还发成事只作当想看文无开手用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市学度"
)
_UNDERLINE: Final = re.compile(r"^\s*([=\-~^*#`\"'+.:_])\1{2,}\s*$")
_ITEM: Final = re.compile(
    r"^(?P<space>[ \t]*)(?P<mark>[-*•●▪◦·+]|\d{1,3}[.)]|[a-z][.)]|[（(]\d{1,2}[)）])[ \t]+(?P<text>\S.*)$"
)
_NUMBERED: Final = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+\S")
_CHAPTER: Final = re.compile(
    r"^(?:第[一二三四五六七八九十百\d]{1,4}[章编篇]|[一二三四五六七八九十壹貳叁參肆伍陸柒捌玖拾贰陆]{1,3}、"
    r"|Chapter \d+|CHAPTER \w+)"
)
_SUBCHAPTER: Final = re.compile(
    r"^(?:第[一二三四五六七八九十百\d]{1,4}[节節条條]|[（(][一二三四五六七八九十]{1,3}[)）])"
)
_RUN_IN: Final = re.compile(r"^\s*(\d{1,2}\. [A-Z][^.:;]{3,56})\. +([A-Z].*)$")
_FEW: Final = 3
_STOPS: Final = ("。", "，", "；", ";", ",", ".", "：", ":", "、", "!", "！")
_LONGEST_HEADING: Final = 64


def decoded(content: bytes) -> str:
    """Return a text, whatever it is written in: UTF-8, UTF-16, GB 18030, Big5, Shift JIS, EUC-KR or Windows-1252.

    Raises
    ------
    Refusal
        Where it is no text.
    """
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    zeros = content[:4096].count(0)
    if zeros > len(content[:4096]) * 0.2:
        encoding = "utf-16-le" if content[1:200:2].count(0) >= content[:200:2].count(0) else "utf-16-be"
        text = content.decode(encoding, "replace")
    else:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            # A file that was cut within a character is still UTF-8.
            if error.start >= len(content) - 3 and error.start > 0:
                text = content[: error.start].decode("utf-8")
            else:
                text = max((_tried(content, name) for name in _ENCODINGS), key=_plausible)
    sample = text[:20_000]
    strange = sum(
        (character < " " and character not in "\t\n\r\f\x1b") or character == "\ufffd" for character in sample
    )
    if strange > 0.05 * len(sample):
        raise Refusal("unreadable", "The file is no text.")
    return text


_ENCODINGS: Final = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1252")


def _tried(content: bytes, encoding: str) -> str:
    return content.decode(encoding, "replace")


def _plausible(text: str) -> float:
    """Return how much a text looks like one."""
    beyond = [character for character in text[:20_000] if ord(character) > 0x7F]
    if not beyond:
        return 0.0
    good = 0.0
    for character in beyond:
        if character in _COMMON or "\u3041" <= character <= "\u30fe" or character in "，。、；：（）！？“”":
            good += 1
        elif "\u4e00" <= character <= "\u9fff":
            good += 0.35
        elif "\uac00" <= character <= "\ud7a3":
            good += 0.6
        elif "\u00c0" <= character <= "\u017f" or character in "–—‘’€£©®°·§«»":
            good += 0.5
        elif character == "\ufffd" or not character.isprintable():
            good -= 2
    return good / len(beyond)


def read_markdown(path: Path, name: str) -> Document:
    """Read Markdown; what it shows from elsewhere stays an address."""
    text = decoded(path.read_bytes())[:MOST_CHARACTERS]
    return Document("", re.sub(r"\A---\n.*?\n---\n", "", text.replace("\r\n", "\n"), count=1, flags=re.S))


def read_text(path: Path, name: str) -> Document:
    """Read text."""
    return structured(decoded(path.read_bytes()))


def structured(text: str) -> Document:
    """Return a plain text with its structure as Markdown; a text that is Markdown already stays as it is."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")[:MOST_CHARACTERS]
    if re.match(r"\s*#{1,2} \S[^\n]*\n\s*\n", text) or re.search(r"^# \S.*^##+ \S", text, re.M | re.S):
        return Document("", text)
    lines = text.split("\n")
    if sum(bool(_RUN_IN.match(line)) for line in lines) >= _FEW:
        lines = [part for line in lines for part in _apart(line)]
    return Document("", "\n\n".join(_blocks(lines)))


def _apart(line: str) -> list[str]:
    """Return a line such as `2. Grant of Licence. Subject to …` as its heading and what follows."""
    match = _RUN_IN.match(line)
    return ["", match[1], "", match[2]] if match else [line]


def _blocks(lines: list[str]) -> Iterator[str]:
    widest = sorted(width(line) for line in lines if line.strip())
    full = 0.75 * min(widest[int(len(widest) * 0.9)], 120) if widest else 0
    run: list[str] = []
    first = True
    for place, line in enumerate(lines):
        if not line.strip() or _UNDERLINE.match(line):
            yield from _paragraphs(run, full)
            run = []
            continue
        level = _heading(lines, place, first)
        if level:
            yield from _paragraphs(run, full)
            run = []
            yield f"{'#' * level} {escaped(line.strip())}"
        else:
            run.append(line)
        first = False
    yield from _paragraphs(run, full)


def _heading(lines: list[str], place: int, first: bool) -> int:
    """Return the level of a line that is a heading, else 0."""
    line = lines[place].strip()
    before = lines[place - 1].strip() if place else ""
    after = lines[place + 1].strip() if place + 1 < len(lines) else ""
    if width(line) > _LONGEST_HEADING or not any(character.isalpha() for character in line):
        return 0
    underline = _UNDERLINE.match(after)
    if underline and len(after) >= 3 and not _UNDERLINE.match(line) and not _ITEM.match(line):
        return {"=": 1 if first else 2, "-": 3, "*": 2, "#": 1}.get(underline[1], 4)
    if line.endswith(_STOPS) and not (line.endswith(".") and _NUMBERED.match(line) and len(line.split()) <= 5):
        return 0
    if _CHAPTER.match(line) and width(line) <= 48:
        return 2
    if _SUBCHAPTER.match(line) and width(line) <= 48:
        return 3
    if first and all(width(each) <= _LONGEST_HEADING for each in lines[place : place + 3]):
        return 1
    if before or after:
        return 0
    numbered = _NUMBERED.match(line)
    if numbered:
        return min(2 + numbered[1].count("."), 4)
    capitals = line.upper() == line and line.lower() != line and len(line) >= 3 and len(line.split()) <= 9
    return 2 if capitals else 0


def _paragraphs(run: list[str], full: float) -> Iterator[str]:
    """Yield the paragraphs and items of lines that stand together."""
    paragraph: list[str] = []
    mark = ""
    for line in run:
        item = _ITEM.match(line)
        ended = bool(paragraph) and paragraph[-1].endswith(("。", "！", "？", ".", "!", "?", "”", ":", "："))
        if item or (ended and width(paragraph[-1]) < full):
            if paragraph:
                yield _block(mark, paragraph)
            paragraph, mark = [], ""
        if item:
            mark = "  " * min(len(item["space"].expandtabs(4)) // 4, 3) + "- "
            paragraph = [item["text"].strip()]
        else:
            paragraph.append(line.strip())
    if paragraph:
        yield _block(mark, paragraph)


def _block(mark: str, lines: list[str]) -> str:
    indent = " " * len(mark)
    return mark + ("\n" + indent).join(escaped(line) for line in lines)
