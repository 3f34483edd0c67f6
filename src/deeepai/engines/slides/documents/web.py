"""HTML and EPUB: headings, lists, tables, quotations; scripts, styles, navigation and hidden parts are left out."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PreformattedString

from ...jobs import Refusal
from ..pieces import escaped, table
from .document import MOST_CHARACTERS, Collected, Document
from .guard import opened, xml
from .plain import decoded


def _words(said: str) -> frozenset[str]:
    return frozenset(said.split())


_LEFT_OUT: Final = _words(
    "script style noscript template head nav footer aside form button select iframe object svg math canvas dialog"
)
_BLOCKS: Final = _words(
    "p div section article main header h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table blockquote pre figure figcaption hr "
    "address details summary body html tr td th thead tbody tfoot caption br img center fieldset"
)
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_MOST_DEEP: Final = 200
_MOST_ROWS: Final = 500
_MOST_HTML: Final = 8_000_000
_MOST_CHAPTERS: Final = 400


def read_html(path: Path, name: str) -> Document:
    """Read a web page; its main part, where it says which that is."""
    content = path.read_bytes()[:_MOST_HTML]
    collected = Collected()
    _add(_soup(content), collected, {})
    return collected.document()


def read_epub(path: Path, name: str) -> Document:
    """Read a book in the order of its spine."""
    collected = Collected()
    with opened(path) as archive:
        container = xml(_entry(archive, "META-INF/container.xml"))
        named = container.find(".//{*}rootfile")
        if named is None:
            raise Refusal("unreadable", "The book has no contents.")
        package_name = named.get("full-path", "")
        package = xml(_entry(archive, package_name))
        folder = posixpath.dirname(package_name)
        title = package.find(".//{http://purl.org/dc/elements/1.1/}title")
        collected.title = "".join(title.itertext()).strip() if title is not None else ""
        items = {item.get("id"): item for item in package.iterfind(".//{*}manifest/{*}item")}
        for place, reference in enumerate(package.iterfind(".//{*}spine/{*}itemref")):
            item = items.get(reference.get("idref"))
            if item is None or collected.is_full or place >= _MOST_CHAPTERS:
                continue
            href = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
            pictures = _Pictures(archive, posixpath.dirname(href))
            _add(_soup(_entry(archive, href)[:_MOST_HTML]), collected, pictures)
    return collected.document()


class _Pictures(dict[str, bytes]):
    """The pictures of a book, by the addresses of one of its chapters."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__()
        self._archive, self._folder = archive, folder

    def __missing__(self, address: str) -> bytes:
        name = posixpath.normpath(posixpath.join(self._folder, unquote(address)))
        try:
            return self._archive.read(name)
        except (KeyError, zipfile.BadZipFile, OSError):
            return b""


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except KeyError:
        raise Refusal("unreadable", "The file lacks a part: it seems to be damaged.") from None


def _soup(content: bytes) -> BeautifulSoup:
    head = content[:2048].lower()
    declared = re.search(rb"charset=[\"']?([\w-]+)", head)
    text = ""
    if declared:
        try:
            text = content.decode(declared[1].decode("ascii"), "replace")
        except LookupError:
            text = ""
    # Python's own parser: it expands no entities but the characters of HTML, and fetches nothing.
    return BeautifulSoup(text or decoded(content), "html.parser")


def _add(soup: BeautifulSoup, collected: Collected, pictures: dict[str, bytes]) -> None:
    if not collected.title and soup.title and soup.title.string:
        collected.title = " ".join(soup.title.string.split())
    main = soup.find("main") or soup.find("article") or soup.body or soup
    for block in _Walk(pictures, collected).blocks(main, 0):
        if collected.is_full:
            break
        collected.add(block)


class _Walk:
    def __init__(self, pictures: dict[str, bytes], collected: Collected) -> None:
        self._pictures, self._collected = pictures, collected

    def blocks(self, tag: Tag, depth: int, listed: int = -1) -> Iterator[str]:
        """Yield the blocks of Markdown in a tag."""
        inline: list[str] = []
        for child in tag.children:
            if isinstance(child, PreformattedString):
                continue
            if isinstance(child, NavigableString):
                inline.append(str(child))
                continue
            if not isinstance(child, Tag) or _is_hidden(child) or depth > _MOST_DEEP:
                continue
            if child.name == "br":
                inline.append("\n")
                continue
            if child.name in _BLOCKS or child.find(_is_block):
                yield from _paragraph(inline)
                inline = []
                yield from self._block(child, depth, listed)
            else:
                inline.append(_text(child))
        yield from _paragraph(inline)

    def _block(self, tag: Tag, depth: int, listed: int) -> Iterator[str]:
        name = tag.name
        if re.fullmatch(r"h[1-6]", name):
            if text := " ".join(_text(tag).split()):
                yield f"{'#' * int(name[1])} {escaped(text)}"
        elif name in ("ul", "ol", "dl"):
            for child in tag.find_all(["li", "dt", "dd"], recursive=False):
                yield from self._item(child, depth + 1, min(listed + 1, 5))
        elif name == "table":
            yield from self._table(tag, depth)
        elif name == "blockquote":
            if text := "\n".join(" ".join(line.split()) for line in _lines(tag)):
                yield "\n".join(f"> {escaped(line)}" for line in text.split("\n") if line)
        elif name == "pre":
            if code := tag.get_text().strip("\n"):
                fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
                yield f"{fence}\n{code}\n{fence}"
        elif name == "img":
            yield from self._picture(tag)
        else:
            yield from self.blocks(tag, depth + 1, listed)

    def _item(self, tag: Tag, depth: int, listed: int) -> Iterator[str]:
        indent = "  " * listed
        for place, block in enumerate(self.blocks(tag, depth, listed)):
            own = not block.lstrip().startswith(("- ", "#", "|", "!["))
            lead = "- " if place == 0 or own else ""
            if own or lead:
                yield indent + lead + block.replace("\n", "\n" + indent + "  ").lstrip("# ")
            else:
                yield block

    def _table(self, tag: Tag, depth: int) -> Iterator[str]:
        rows: list[list[str]] = []
        down: dict[int, int] = {}
        for row in tag.find_all("tr", limit=_MOST_ROWS):
            if row.find_parent("table") is not tag:
                continue
            cells: list[str] = []
            for cell in row.find_all(["td", "th"], recursive=False):
                while down.get(len(cells), 0) > 0:
                    down[len(cells)] -= 1
                    cells.append("")
                wide, high = _span(cell, "colspan"), _span(cell, "rowspan")
                for place in range(wide):
                    if high > 1:
                        down[len(cells)] = high - 1
                    cells.append(" ".join(_text(cell).split()) if place == 0 else "")
            while down.get(len(cells), 0) > 0:
                down[len(cells)] -= 1
                cells.append("")
            if any(cells):
                rows.append(cells)
        if rows and max(len(row) for row in rows) > 1:
            yield table(rows)
        else:
            for row in rows:
                yield escaped(row[0])

    def _picture(self, tag: Tag) -> Iterator[str]:
        content = self._pictures[str(tag.get("src", ""))] if isinstance(self._pictures, _Pictures) else b""
        if content and (name := self._collected.picture(content)):
            yield f"![{escaped(' '.join(str(tag.get('alt', '')).split()))}]({name})"


def _is_block(tag: Any) -> bool:
    return tag.name in _BLOCKS and tag.name != "br"


def _is_hidden(tag: Tag) -> bool:
    return tag.name in _LEFT_OUT or tag.has_attr("hidden") or bool(_HIDDEN.search(str(tag.get("style", ""))))


def _span(cell: Tag, name: str) -> int:
    said = str(cell.get(name, "1"))
    return min(max(int(said), 1), 64) if said.isdigit() else 1


def _text(tag: Tag) -> str:
    return "".join(
        "\n" if isinstance(node, Tag) else str(node)
        for node in tag.descendants
        if (isinstance(node, Tag) and node.name == "br")
        or (
            isinstance(node, NavigableString)
            and not isinstance(node, PreformattedString)
            and not _within_hidden(node, tag)
        )
    )


def _within_hidden(node: NavigableString, top: Tag) -> bool:
    parent = node.parent
    return parent is not None and parent is not top and _is_hidden(parent)


def _lines(tag: Tag) -> Iterator[str]:
    for line in tag.get_text("\n").split("\n"):
        if line.strip():
            yield line


def _paragraph(inline: list[str]) -> Iterator[str]:
    # Lines of the source are no lines of the page; those of <br> are.
    text = "".join(inline)[:MOST_CHARACTERS]
    lines = [" ".join(line.split()) for line in re.split(r"(?<=\S)\n(?=\S)|\n", text)]
    if any(lines):
        yield "\n".join(escaped(line) for line in lines if line)
