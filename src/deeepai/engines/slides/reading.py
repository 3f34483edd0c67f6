"""Job: a document read.

The request is `{"name": NAME}`, the file `document`. It makes `document.json` (`title`, `markdown`) and a file for each
picture; the result is `{"title", "characters", "pictures"}`, the last the pictures' names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ..jobs import Refusal, Work
from .documents import Document, read


def run(work: Work) -> dict[str, Any]:
    """Read the document."""
    path = work.given("document")
    document = read(path, str(work.request.get("name", "")))
    keep(document, work.made(""))
    return {"title": document.title, "characters": len(document.markdown), "pictures": list(document.pictures)}


def keep(document: Document, folder: Path) -> None:
    """Write a document into a folder."""
    for name, content in document.pictures.items():
        (folder / name).write_bytes(content)
    (folder / "document.json").write_bytes(
        msgspec.json.encode(
            {"title": document.title, "markdown": document.markdown, "pictures": list(document.pictures)}
        )
    )


def kept(folder: Path) -> Document:
    """Return the document that was written into a folder.

    Raises
    ------
    Refusal
        `unreadable` where there is none.
    """
    try:
        held = msgspec.json.decode((folder / "document.json").read_bytes())
        pictures = {name: (folder / name).read_bytes() for name in held["pictures"]}
        return Document(held["title"], held["markdown"], pictures)
    except (OSError, KeyError, msgspec.DecodeError):
        raise Refusal("unreadable", "The document is not there any more.") from None
