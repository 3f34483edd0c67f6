"""PDF as text: paragraphs and the headings that its outline or its larger type shows.

The text comes in the order that the file holds it (pypdf's plain mode), which keeps columns whole.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pypdf
from pypdf.errors import FileNotDecryptedError, PdfReadError

from ...jobs import Refusal
from ..pieces import escaped
from ..wording import width
from .document import Collected, Document

_MOST_PAGES: Final = 300
_MOST_STREAM: Final = 16 * 2**20
"""Bytes of a page's drawing that are looked at."""
_ENOUGH: Final = 120_000
"""Characters after which no more pages are read."""
_MOST_OUTLINE: Final = 500
_EDGE: Final = 2
"""Lines at a page's head and foot that may be the same on most pages."""
_NUMBER_ALONE: Final = re.compile(r"^[-–—\s]*(?:page|seite|第)?\s*\d{1,4}\s*(?:/\s*\d{1,4}|页|of \d+)?[-–—\s]*$", re.I)
_SAYS_END: Final = ("。", "！", "？", ".", "!", "?", "”", ":", "：", ";", "；")


def read_pdf(path: Path, name: str) -> Document:
    """Read a PDF: at most its first 300 pages, or as many as hold 120,000 characters; scans have no text to be read.

    Raises
    ------
    Refusal
        `password`, `unreadable`, `empty`.
    """
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refusal("password", "The file is protected by a password.")
        pages = len(reader.pages)
    except (FileNotDecryptedError, NotImplementedError):
        raise Refusal("password", "The file is protected by a password.") from None
    except (PdfReadError, RecursionError):
        raise Refusal("unreadable", "The file cannot be read: it seems to be damaged or cut short.") from None
    collected = Collected()
    metadata = reader.metadata
    title = metadata.title if metadata else None
    collected.title = title.strip() if isinstance(title, str) and not _is_file_name(title) else ""
    read: list[list[tuple[str, float]]] = []
    characters = 0
    for number in range(min(pages, _MOST_PAGES)):
        lines = _lines(reader, number)
        read.append(lines)
        characters += sum(len(line) for line, _ in lines)
        if characters > _ENOUGH:
            break
    if characters < 4:
        raise Refusal("empty", "There is no text in the file: it may be a scan, which has to go through OCR first.")
    _structure(read, _outline(reader), collected)
    return collected.document()


def _is_file_name(title: str) -> bool:
    return bool(re.search(r"\.(?:docx?|pptx?|xlsx?|pdf|tex|indd|txt)$", title.strip(), re.I)) or not title.strip("\0 ")


def _lines(reader: pypdf.PdfReader, number: int) -> list[tuple[str, float]]:
    """Return a page's lines with the size of their type."""
    largest: dict[str, float] = {}

    def visit(text: str, _cm: Any, matrix: Any, _font: Any, size: float) -> None:
        key = "".join(text.split())
        if key:
            scale = abs(float(matrix[3])) or abs(float(matrix[0])) or 1.0
            largest[key] = max(largest.get(key, 0.0), round(abs(float(size)) * scale, 1))

    try:
        page = reader.pages[number]
        contents = page.get_contents()
        if contents is not None and len(contents.get_data()) > _MOST_STREAM:
            return []
        text = page.extract_text(visitor_text=visit)
    except (Refusal, MemoryError):
        raise
    except Exception:
        # One page that is damaged does not take the others with it.
        return []
    found: list[tuple[str, float]] = []
    for line in text.split("\n"):
        line = " ".join(line.split())
        if line:
            key = "".join(line.split())
            size = largest.get(key) or next(
                (value for part, value in largest.items() if len(part) > 3 and part in key), 0
            )
            found.append((line, size))
    return found


def _outline(reader: pypdf.PdfReader) -> dict[str, int]:
    """Return the titles of the file's bookmarks with their depth."""
    found: dict[str, int] = {}

    def walk(entries: Any, depth: int) -> None:
        for entry in entries:
            if len(found) >= _MOST_OUTLINE:
                return
            if isinstance(entry, list):
                if depth < 4:
                    walk(entry, depth + 1)
            elif title := "".join(str(getattr(entry, "title", "") or "").split()).lower():
                found.setdefault(title, depth)

    try:
        walk(reader.outline, 1)
    except Exception:
        # Bookmarks are a help, not the text.
        return {}
    return found


def _structure(read: list[list[tuple[str, float]]], outline: dict[str, int], collected: Collected) -> None:
    """Add the lines of all pages as headings, items and paragraphs; what stands on most pages is no text."""
    repeated = {
        line
        for line, times in Counter(
            re.sub(r"\d+", "#", line) for page in read for line, _ in (*page[:_EDGE], *page[-_EDGE:])
        ).items()
        if times > max(len(read) * 0.5, 2)
    }
    body: Counter[float] = Counter()
    for page in read:
        for line, size in page:
            body[round(size)] += len(line)
    usual = body.most_common(1)[0][0] if body else 0.0
    # Levels by size: the largest that heads something comes first.
    larger = sorted({round(size) for page in read for line, size in page if size > usual * 1.12 and width(line) <= 80})
    levels = {size: min(1 + place, 4) for place, size in enumerate(reversed(larger[-4:]))}
    paragraph: list[str] = []
    full = _full(read)

    def flush() -> None:
        if paragraph:
            item = re.match(r"^[•●▪◦·‣➢]\s*", paragraph[0])
            if item:
                paragraph[0] = paragraph[0][item.end() :]
            mark = "- " if item else ""
            # Words that were parted at the end of a line are whole again.
            text = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", "\n".join(filter(None, paragraph)))
            collected.add(mark + ("\n" + " " * len(mark)).join(escaped(line) for line in text.split("\n")))
            paragraph.clear()

    for page in read:
        for place, (line, size) in enumerate(page):
            at_edge = place < _EDGE or place >= len(page) - _EDGE
            if at_edge and (re.sub(r"\d+", "#", line) in repeated or _NUMBER_ALONE.match(line)):
                continue
            level = outline.get("".join(line.split()).lower(), 0)
            if level:
                level = min(level + 1, 4)
            elif size and round(size) in levels and width(line) <= 80 and not line.endswith(("。", "，", ",", ";")):
                level = levels[round(size)]
            if level:
                flush()
                collected.add(f"{'#' * level} {escaped(line)}")
                continue
            begins_item = bool(re.match(r"^[•●▪◦·‣➢]", line))
            if paragraph and (begins_item or (paragraph[-1].endswith(_SAYS_END) and width(paragraph[-1]) < full)):
                flush()
            paragraph.append(line)
    flush()


def _full(read: list[list[tuple[str, float]]]) -> float:
    widths = sorted(width(line) for page in read for line, _ in page)
    return 0.8 * widths[int(len(widths) * 0.85)] if widths else 0
