"""Small decks as files and as trees: a page is its texts, and each says that it is a test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

from ...media.draw import CAPTION
from ...media.pptx import Page, deck

Pages = Sequence[Sequence[str]]
"""Of each page, its texts; the first is its title."""
MOST_PART = 8 * 2**20
"""Bytes of one page within a file."""
_COLOURS = ("FFFFFF", "000000", "EEF2F7", "1F2937", *("4874CB",) * 6, "0563C1", "954F72")


def file_of(pages: Pages) -> bytes:
    """Return a deck as a .pptx file, the same each time."""
    shown = [[text for text in texts if text != CAPTION] or [""] for texts in pages]
    return deck(tuple(Page(title, tuple(lines)) for title, *lines in shown), _COLOURS)


def pages_of(data: bytes) -> list[list[str]] | None:
    """Return the texts of a file's pages; None where it is no deck."""
    try:
        with ZipFile(BytesIO(data)) as package:
            names = [name for name in package.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", name)]
            if "ppt/presentation.xml" not in package.namelist() or not names:
                return None
            names.sort(key=lambda name: int(re.sub(r"\D", "", name)))
            if any(package.getinfo(name).file_size > MOST_PART for name in names):
                return None
            return [_texts(package.read(name).decode("utf-8", "replace")) for name in names]
    except (BadZipFile, OSError, NotImplementedError, RuntimeError):
        return None


def _texts(xml: str) -> list[str]:
    paragraphs = re.findall(r"<a:p>(.*?)</a:p>|<a:p [^>]*>(.*?)</a:p>", xml, re.DOTALL)
    texts = ["".join(re.findall(r"<a:t>(.*?)</a:t>", one or other, re.DOTALL)) for one, other in paragraphs]
    return [unescape(text) for text in texts if text]


# Trees ---------------------------------------------------------------------------------------------------------------


def _place(number: int, count: int) -> tuple[int, int, int, int]:
    if number == count - 1:
        return (720, 490, 200, 36)
    return (60, 40 if number == 0 else 80 + 360 * number // max(count - 1, 1), 840, 60 if number == 0 else 40)


def tree_of(pages: Pages) -> dict[str, Any]:
    """Return a deck as the vendor's tree."""
    blank = {"realType": "Background", "anchor": [0, 0, 960, 540], "fillStyle": _fill(-1), "strokeStyle": {}}
    fonts = {"latin": "Arial", "ea": "Noto Sans SC", "cs": ""}
    layout = {"type": "BLANK", "name": "Blank", "noMaster": None, "clrMap": None, "background": blank, "children": []}
    master = {
        "background": blank,
        "clrMap": {"tx1": "dk1", "bg1": "lt1", "tx2": "dk2", "bg2": "lt2"},
        "theme": {
            "name": "t",
            "colors": {"accent1": -12028725, "dk1": -16777216, "lt1": -1},
            "majorFontMap": fonts,
            "minorFontMap": fonts,
        },
        "children": [],
        "animation": None,
        "transition": None,
        "slideLayouts": [{**layout, "animation": None, "transition": None}],
    }
    shown = [
        {
            "page": number,
            "extInfo": {"slideMasterIdx": 0, "slideLayoutIdx": 0, "background": blank},
            "children": [_node(f"p{number}t{at}", text, _place(at, len(texts) + 1)) for at, text in enumerate(texts)],
        }
        for number, texts in enumerate(pages, 1)
    ]
    return {"version": "1.0", "width": 960, "height": 540, "font": [], "pages": shown, "slideMasters": [master]}


def _fill(colour: int) -> dict[str, Any]:
    return {"type": "color", "color": {"realColor": colour, "color": colour}}


def _node(name: str, text: str, place: tuple[int, int, int, int]) -> dict[str, Any]:
    run = {
        "id": f"{name}r",
        "pid": f"{name}p",
        "type": "r",
        "text": text,
        "depth": 3,
        "extInfo": {"property": {"fontSize": 28 if name.endswith("t0") else 16, "fontColor": _fill(-16777216)}},
        "children": [],
    }
    paragraph = {"id": f"{name}p", "pid": name, "type": "p", "depth": 2, "children": [run]}
    box = {"realType": "TextBox", "shapeType": "rect", "anchor": list(place), "fillStyle": {"type": "noFill"}}
    return {
        "id": name,
        "type": "text",
        "depth": 1,
        "point": list(place),
        "extInfo": {"property": box},
        "children": [{**paragraph, "extInfo": {"property": {"textAlign": "LEFT"}}}],
    }


def pages_in(tree: Any) -> list[list[str]] | None:
    """Return the texts of a tree's pages; None where it is no tree."""
    pages = tree.get("pages") if isinstance(tree, dict) else None
    if not isinstance(pages, list) or not pages or not all(isinstance(page, dict) for page in pages):
        return None
    return [[text for node in page.get("children") or () for text in _runs(node, 0)] for page in pages]


def _runs(node: Any, depth: int) -> list[str]:
    if not isinstance(node, dict) or depth > 20:
        return []
    if node.get("type") == "p":
        return ["".join(str(run.get("text") or "") for run in node.get("children") or () if isinstance(run, dict))]
    return [text for child in node.get("children") or () for text in _runs(child, depth + 1)]
