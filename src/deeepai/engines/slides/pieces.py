"""Markdown as a flat row of pieces: headings, paragraphs, items, quotes, code, tables, pictures, in their order."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import mistune
import msgspec

Kind = Literal["heading", "text", "item", "quote", "code", "table", "image"]

MOST_CHARACTERS: Final = 1_000_000
"""Of a text in Markdown that is looked at."""
_DEEPEST: Final = 24

_parser = mistune.create_markdown(renderer=None, plugins=["table", "strikethrough"])
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|~&])")
_LINE_START: Final = re.compile(r"^(\s*)([#+=-]|\d{1,9}(?=[.)](?:\s|$)))(.?)")
_BREAK: Final = re.compile(r"[ \t]*\n[ \t]*")


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a text.

    Attributes
    ----------
    text : str
        Plain; lines of the source stay lines. A picture's description.
    level : int
        Of a heading, from 1; of an item, how deep it lies, from 0.
    rows : list of list of str
        A table's, the head first, all of one length.
    address : str
        A picture's.
    """

    kind: Kind
    text: str = ""
    level: int = 0
    rows: list[list[str]] = msgspec.field(default_factory=list[list[str]])
    address: str = ""


def pieces(text: str) -> list[Piece]:
    """Return the pieces of a text in Markdown (CommonMark with GFM tables).

    HTML in it is left out, links keep their words alone. Time is linear in the text's length.
    """
    text = text[:MOST_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    try:
        tokens = _parser(text)
    except RecursionError:
        return [Piece("text", line.strip()) for line in text.split("\n") if line.strip()]
    assert not isinstance(tokens, str)
    return list(_flat(tokens, 0))


def escaped(text: str) -> str:
    r"""Return a text of one line so that Markdown says it as it is: `a_b` becomes `a\_b`."""
    text = _SPECIAL.sub(r"\\\1", text)
    return _LINE_START.sub(_escaped_start, text)


def _escaped_start(match: re.Match[str]) -> str:
    space, start, after = match.groups()
    return f"{space}{start}\\{after}" if start.isdigit() else f"{space}\\{start}{after}"


def table(rows: Iterable[Iterable[str]]) -> str:
    """Return a GFM table, its cells escaped, all rows of one length."""
    cells = [[_BREAK.sub(" ", cell.strip()) for cell in row] for row in rows]
    width = max((len(row) for row in cells), default=0)
    lines = [
        "| " + " | ".join(_SPECIAL.sub(r"\\\1", cell) for cell in (*row, *[""] * (width - len(row)))) + " |"
        for row in cells
    ]
    if lines:
        lines.insert(1, "| " + " | ".join(["---"] * width) + " |")
    return "\n".join(lines)


def _flat(tokens: Iterable[dict[str, Any]], depth: int) -> Iterator[Piece]:
    for token in tokens:
        kind, children = token["type"], token.get("children", [])
        if kind == "heading":
            if text := _plain(children).replace("\n", " ").strip():
                yield Piece("heading", text, token["attrs"]["level"])
        elif kind in ("paragraph", "block_text"):
            yield from _paragraph(children, "text", 0)
        elif kind == "list" and depth < _DEEPEST:
            for item in children:
                yield from _item(item.get("children", []), depth)
        elif kind == "block_quote":
            inner = list(_flat(children, depth + 1)) if depth < _DEEPEST else []
            said = "\n".join(piece.text for piece in inner if piece.kind in ("text", "item", "quote", "heading"))
            if said:
                yield Piece("quote", said)
            yield from (piece for piece in inner if piece.kind in ("table", "image", "code"))
        elif kind == "block_code":
            if code := token["raw"].strip("\n"):
                yield Piece("code", code)
        elif kind == "table":
            rows = [
                [_plain(cell["children"]).replace("\n", " ").strip() for cell in row] for row in _table_rows(children)
            ]
            width = max(len(row) for row in rows)
            yield Piece("table", rows=[row + [""] * (width - len(row)) for row in rows])


def _table_rows(children: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for part in children:
        if part["type"] == "table_head":
            yield part["children"]
        else:
            yield from (row["children"] for row in part["children"])


def _item(children: Iterable[dict[str, Any]], depth: int) -> Iterator[Piece]:
    for child in children:
        if child["type"] in ("paragraph", "block_text"):
            yield from _paragraph(child["children"], "item", depth)
        else:
            yield from _flat([child], depth + 1)


def _paragraph(children: list[dict[str, Any]], kind: Kind, level: int) -> Iterator[Piece]:
    if text := _plain(children).strip():
        yield Piece(kind, text, level)
    for image in _images(children):
        alt = _plain(image.get("children", [])).replace("\n", " ").strip()
        yield Piece("image", alt, address=image["attrs"]["url"])


def _images(children: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for child in children:
        if child["type"] == "image":
            yield child
        else:
            yield from _images(child.get("children", []))


def _plain(children: Iterable[dict[str, Any]]) -> str:
    parts: list[str] = []
    for child in children:
        match child["type"]:
            case "text":
                parts.append(html.unescape(child["raw"]))
            case "codespan":
                parts.append(child["raw"])
            case "softbreak" | "linebreak":
                parts.append("\n")
            case "inline_html":
                parts.append("\n" if child["raw"].lower().startswith("<br") else "")
            case "image":
                pass
            case _:
                parts.append(_plain(child.get("children", [])))
    return _BREAK.sub("\n", "".join(parts))
