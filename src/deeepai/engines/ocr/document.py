"""The job that reads a document and writes its text in another format; see the package."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..jobs import Refusal, Work
from . import FORMATS, languages, searchable, sources, writing

_READ_SHARE = 90
"""Per cent of the work that is reading."""


def run(work: Work) -> dict[str, Any]:
    """Read a document and write what it says.

    Raises
    ------
    Refusal
    """
    request = work.request
    kind = str(request.get("format") or "txt").lower()
    if kind not in FORMATS:
        raise Refusal("invalid", f"format must be one of: {', '.join(FORMATS)}.")
    languages.check(str(request.get("language") or languages.USUAL))
    given, password = str(request.get("given") or ""), str(request.get("password") or "")
    path, folder = work.given("document"), work.folder / "pages"
    folder.mkdir(exist_ok=True)
    found = sources.read(
        path, given, password, folder, lambda done, of: work.tell(done * _READ_SHARE // of, page=done, pages=of)
    )
    file = f"{file_name(str(request.get('name') or ''))}.{kind}"
    _write(found, kind, work.made(file), password, given)
    read = [line.score for page in found.pages if page.scanned for line in page.lines]
    return {
        "file": file,
        "format": kind,
        "engine": "pp-ocrv6" if any(page.scanned for page in found.pages) or read else "text-layer",
        "pages": len(found.pages),
        "lines": sum(1 for page in found.pages for _ in page.lines),
        "score": round(sum(read) / len(read), 4) if read else None,
    }


def file_name(name: str) -> str:
    """Return a name as a file's, without its extension."""
    return re.sub(r"[^\w\-. ]", "_", name).strip(". ")[:80] or "document"


def _write(found: sources.Document, kind: str, path: Path, password: str, title: str) -> None:
    pages = found.pages
    match kind:
        case "json":
            path.write_bytes(writing.as_json(pages))
        case "docx":
            writing.docx(pages, path, title)
        case "xlsx":
            writing.xlsx(pages, path)
        case "pptx":
            writing.pptx(pages, path)
        case "pdf" if found.pdf is not None:
            searchable.over_pages(pages, found.pdf, password, path, title)
        case "pdf" if found.pictures:
            searchable.of_pictures(pages, found.pictures, path, title)
        case "pdf":
            searchable.of_text(pages, path, title)
        case _:
            path.write_text(writing.plain(pages), encoding="utf-8")
