"""Word documents (OOXML), read from their XML: headings, lists, tables with merged cells, pictures, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import docx
from docx.document import Document as Word
from docx.oxml.ns import qn

from ..pieces import escaped, table
from .document import Collected, Document
from .guard import checked

_LEFT_OUT: Final = frozenset(
    qn(name) for name in ("w:del", "w:moveFrom", "w:txbxContent", "w:pPr", "w:rPr", "w:instrText", "w:delText")
) | {"{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"}
_HEADING: Final = re.compile(r"^(?:heading|标题|標題|überschrift|titre|título) ?(\d)$", re.I)
_CONTENTS: Final = re.compile(r"^(?:toc|目录|目錄)\b", re.I)
_MOST_ROWS: Final = 500


def read_docx(path: Path, name: str) -> Document:
    """Read a Word document; macros, comments, deleted text and the table of contents are left out."""
    checked(path)
    word = docx.Document(str(path))
    collected = Collected()
    collected.title = (word.core_properties.title or "").strip()
    reader = _Reader(word, collected)
    for element in _blocks(word.element.body):
        if collected.is_full:
            break
        reader.take(element)
    return collected.document()


def _blocks(parent: Any) -> Iterator[Any]:
    """Yield paragraphs and tables, those within content controls, too."""
    stack = list(reversed(list(parent)))
    while stack:
        element = stack.pop()
        if element.tag in (qn("w:p"), qn("w:tbl")):
            yield element
        elif element.tag == qn("w:sdt"):
            gallery = element.find(f"{qn('w:sdtPr')}/{qn('w:docPartObj')}/{qn('w:docPartGallery')}")
            content = element.find(qn("w:sdtContent"))
            if content is not None and (gallery is None or gallery.get(qn("w:val")) != "Table of Contents"):
                stack.extend(reversed(list(content)))


class _Reader:
    def __init__(self, word: Word, collected: Collected) -> None:
        self._collected = collected
        self._parts = word.part.related_parts
        self._styles: dict[str, tuple[str, int, bool]] = {}
        for style in word.styles.element.findall(qn("w:style")):
            self._styles[style.get(qn("w:styleId"), "")] = self._style(word, style, 0)
        self._default = next(
            (
                style.get(qn("w:styleId"), "")
                for style in word.styles.element.findall(qn("w:style"))
                if style.get(qn("w:default")) in ("1", "true") and style.get(qn("w:type")) == "paragraph"
            ),
            "",
        )

    def _style(self, word: Word, style: Any, depth: int) -> tuple[str, int, bool]:
        """Return a style's name, its level in the outline (0 for none), and whether it makes list items."""
        named = style.find(qn("w:name"))
        name = named.get(qn("w:val"), "") if named is not None else ""
        properties = style.find(qn("w:pPr"))
        level = _level(properties)
        listed = (properties is not None and properties.find(qn("w:numPr")) is not None) or name.lower().startswith(
            "list "
        )
        match = _HEADING.match(name)
        if match:
            level = int(match[1])
        elif name.lower() == "title":
            level = 1
        based = style.find(qn("w:basedOn"))
        if based is not None and depth < 12 and not (level or listed):
            for other in word.styles.element.findall(qn("w:style")):
                if other.get(qn("w:styleId")) == based.get(qn("w:val")) and other is not style:
                    _, level, listed = self._style(word, other, depth + 1)
                    break
        return name, level, listed

    def take(self, element: Any) -> None:
        if element.tag == qn("w:tbl"):
            self._table(element)
            return
        properties = element.find(qn("w:pPr"))
        chosen = properties.find(qn("w:pStyle")) if properties is not None else None
        style, level, listed = self._styles.get(
            chosen.get(qn("w:val"), "") if chosen is not None else self._default, ("", 0, False)
        )
        if _CONTENTS.match(style):
            return
        level = _level(properties) or level
        text = _text(element)
        numbering = properties.find(qn("w:numPr")) if properties is not None else None
        if text:
            if level and len(text) <= 200:
                # The title is the first level's only heading; all others are one deeper where there is one.
                self._collected.add(f"{'#' * min(level, 6)} {escaped(text.replace(chr(10), ' '))}")
            elif listed or (numbering is not None and _number(numbering) != "0"):
                depth = min(_depth(numbering), 5)
                self._collected.add("\n".join(f"{'  ' * depth}- {escaped(line)}" for line in text.split("\n")))
            elif "quote" in style.lower() or style in ("引用", "明显引用"):
                self._collected.add("\n".join(f"> {escaped(line)}" for line in text.split("\n")))
            else:
                self._collected.add("\n".join(escaped(line) for line in text.split("\n")))
        self._pictures(element)

    def _pictures(self, element: Any) -> None:
        for blip in element.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}blip"):
            part = self._parts.get(blip.get(qn("r:embed"), ""))
            if part is None:
                continue
            if name := self._collected.picture(part.blob):
                drawn = next(
                    (ancestor.find(f".//{{{_DRAWING}}}docPr") for ancestor in blip.iterancestors(qn("w:drawing"))),
                    None,
                )
                said = drawn.get("descr", "") if drawn is not None else ""
                self._collected.add(f"![{escaped(' '.join(said.split()))}]({name})")

    def _table(self, element: Any) -> None:
        rows: list[list[str]] = []
        for row in element.iterchildren(qn("w:tr")):
            cells: list[str] = []
            for cell in row.iter(qn("w:tc")):
                if next(cell.iterancestors(qn("w:tc")), None) is not None and cell.getparent() is not row:
                    continue
                properties = cell.find(qn("w:tcPr"))
                span = properties.find(qn("w:gridSpan")) if properties is not None else None
                merged = properties.find(qn("w:vMerge")) if properties is not None else None
                goes_on = merged is not None and merged.get(qn("w:val"), "continue") == "continue"
                said = " ".join(filter(None, (_text(paragraph) for paragraph in cell.iter(qn("w:p")))))
                cells.append("" if goes_on else said.replace("\n", " "))
                wide = int(span.get(qn("w:val"), "1")) if span is not None else 1
                cells.extend([""] * (min(wide, 64) - 1))
            rows.append(cells)
            if len(rows) >= _MOST_ROWS:
                break
        filled = [row for row in rows if any(row)]
        if len(filled) == 1 and len(filled[0]) == 1:
            # A box around a paragraph.
            self._collected.add(escaped(filled[0][0]))
        elif filled:
            self._collected.add(table(filled))
        for paragraph in element.iter(qn("w:p")):
            self._pictures(paragraph)


_DRAWING: Final = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"


def _level(properties: Any) -> int:
    outline = properties.find(qn("w:outlineLvl")) if properties is not None else None
    value = outline.get(qn("w:val"), "9") if outline is not None else "9"
    return int(value) + 1 if value.isdigit() and int(value) < 9 else 0


def _number(numbering: Any) -> str:
    chosen = numbering.find(qn("w:numId"))
    return chosen.get(qn("w:val"), "0") if chosen is not None else "0"


def _depth(numbering: Any) -> int:
    level = numbering.find(qn("w:ilvl")) if numbering is not None else None
    value = level.get(qn("w:val"), "0") if level is not None else "0"
    return int(value) if value.isdigit() else 0


def _text(paragraph: Any) -> str:
    """Return a paragraph's text with what was inserted and without what was deleted."""
    parts: list[str] = []
    stack = [iter(paragraph)]
    while stack:
        element = next(stack[-1], None)
        if element is None:
            stack.pop()
        elif element.tag in _LEFT_OUT:
            continue
        elif element.tag == qn("w:t"):
            parts.append(element.text or "")
        elif element.tag == qn("w:tab"):
            parts.append("\t")
        elif element.tag in (qn("w:br"), qn("w:cr")):
            parts.append("\n")
        elif element.tag == qn("w:noBreakHyphen"):
            parts.append("-")
        elif len(element):
            stack.append(iter(element))
    lines = [" ".join(line.split()) for line in "".join(parts).split("\n")]
    return "\n".join(filter(None, lines))
