"""Archives and XML from strangers: opened only within bounds, and never with entities."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from ...jobs import Refusal

_MOST_ENTRIES: Final = 10_000
_MOST_UNPACKED: Final = 400 * 2**20
"""Bytes of all that is in an archive."""
_MOST_XML: Final = 64 * 2**20
"""Bytes of all XML in an archive: a tree of it takes about ten times as much."""
_MOST_RATIO: Final = 200
"""Times that an archive may grow, beyond its first megabytes; XML of real documents grows some twenty times."""
_FREE: Final = 8 * 2**20
_DECLARED: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.I)


@contextmanager
def opened(path: Path) -> Generator[zipfile.ZipFile]:
    """Open a document's archive, once it is known to be bounded.

    `zipfile` never unpacks more of an entry than its directory says, so that what is said there is what there can be.

    Raises
    ------
    Refusal
        `unreadable`, `too_large`, `password`.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError):
        raise Refusal("unreadable", "The file cannot be read: it seems to be damaged or cut short.") from None
    with archive:
        entries = archive.infolist()
        if any(entry.flag_bits & 1 for entry in entries):
            raise Refusal("password", "The file is protected by a password.")
        total = sum(entry.file_size for entry in entries)
        xml = sum(entry.file_size for entry in entries if _is_xml(entry.filename))
        packed = path.stat().st_size
        if (
            len(entries) > _MOST_ENTRIES
            or total > _MOST_UNPACKED
            or xml > _MOST_XML
            or total > _FREE + _MOST_RATIO * packed
        ):
            raise Refusal("too_large", "The file grows too much when it is unpacked.")
        yield archive


def checked(path: Path) -> None:
    """Refuse an archive whose XML declares a document type: no office format has one, and entities grow.

    Raises
    ------
    Refusal
    """
    with opened(path) as archive:
        for entry in archive.infolist():
            if _is_xml(entry.filename):
                try:
                    content = archive.read(entry)
                except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, RuntimeError):
                    raise Refusal("unreadable", "The file cannot be read: it seems to be damaged.") from None
                refuse_declarations(content)


def refuse_declarations(content: bytes) -> None:
    """Refuse XML that declares a document type or entities.

    Raises
    ------
    Refusal
    """
    # UTF-16 has a zero after, or before, each of these characters.
    if _DECLARED.search(content) or (b"\x00" in content and _DECLARED.search(content.replace(b"\x00", b""))):
        raise Refusal("unreadable", "The file declares XML entities, which are not read.")


def xml(content: bytes) -> Any:
    """Parse XML that has no entities; nothing is fetched.

    Raises
    ------
    Refusal
    """
    refuse_declarations(content)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Refusal("unreadable", "The file cannot be read: its XML is damaged.") from None


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels", ".vml", ".xhtml", ".html", ".htm", ".opf", ".ncx"))
