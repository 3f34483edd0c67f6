"""What a file is."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final, Literal

from ...jobs import Refusal
from .guard import opened

Kind = Literal["txt", "md", "csv", "docx", "xlsx", "pptx", "pdf", "html", "epub", "xmind", "mm", "legacy"]

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_LEGACY_STREAMS: Final = tuple(
    name.encode("utf-16-le") for name in ("WordDocument", "Workbook", "Book", "PowerPoint Document")
)
_BINARY: Final = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
    b"MZ",
    b"\x7fELF",
    b"RIFF",
    b"ID3",
)
_NAMED: Final[dict[str, Kind]] = {
    "md": "md", "markdown": "md", "mdown": "md", "csv": "csv", "tsv": "csv", "html": "html", "htm": "html",
    "xhtml": "html", "mm": "mm",
}  # fmt: skip
_WHAT: Final = "Word, PDF, Markdown, text, HTML, CSV, Excel, PowerPoint, XMind, FreeMind and EPUB files can be read."


def kind_of(path: Path, name: str) -> Kind:
    """Return what a file is, by its bytes, and by its name where they are text.

    Raises
    ------
    Refusal
        `unsupported`, `unreadable`, `password`, `too_large`.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.lstrip()[:5] == b"%PDF-" or b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(_OLE):
        return _compound(path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(path)
    if head.startswith(b"{\\rtf"):
        return "legacy"
    if head.startswith(_BINARY):
        raise Refusal("unsupported", f"This is no document. {_WHAT}")
    extension = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    if extension in ("docx", "xlsx", "pptx", "pdf", "epub", "xmind", "doc", "xls", "ppt", "docm", "xlsm", "pptm"):
        raise Refusal("unreadable", f"The file is called .{extension} but is none: it may be damaged or cut short.")
    if extension == "mobi":
        raise Refusal("unsupported", f"MOBI files cannot be read. {_WHAT}")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if start.startswith(b"<map"):
        return "mm"
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    return _NAMED.get(extension, "txt")


def _compound(path: Path) -> Kind:
    content = path.read_bytes()
    if _ENCRYPTED in content:
        raise Refusal("password", "The file is protected by a password.")
    if any(stream in content for stream in _LEGACY_STREAMS):
        return "legacy"
    raise Refusal("unsupported", f"This is no document. {_WHAT}")


def _zipped(path: Path) -> Kind:
    with opened(path) as archive:
        names = set(archive.namelist())
        if "mimetype" in names and _first_bytes(archive, "mimetype").startswith(b"application/epub+zip"):
            return "epub"
        if "word/document.xml" in names or any(name.startswith("word/") for name in names):
            return "docx"
        if any(name.startswith("xl/") for name in names):
            return "xlsx"
        if any(name.startswith("ppt/") for name in names):
            return "pptx"
        if "content.json" in names or ("content.xml" in names and "mimetype" not in names):
            return "xmind"
        if "mimetype" in names and _first_bytes(archive, "mimetype").startswith(b"application/vnd.oasis.opendocument"):
            return "legacy"
    raise Refusal("unsupported", f"This is no document. {_WHAT}")


def _first_bytes(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        return file.read(80)
