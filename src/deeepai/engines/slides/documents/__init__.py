"""Documents in: Word, PDF, Markdown, text, HTML, spreadsheets, presentations, mind maps and books, read as Markdown.

What a file is, its bytes say before its name does. Nothing in a document is run, and no address in it is asked for.
A fault of the file is a `Refusal`: `empty`, `unreadable`, `unsupported`, `too_large`, `password`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from ...jobs import Refusal
from .document import MOST_BYTES, MOST_CHARACTERS, Document
from .sniffing import Kind, kind_of

__all__ = ["MOST_BYTES", "MOST_CHARACTERS", "Document", "read"]


def _plain(path: Path, name: str) -> Document:
    from .plain import read_text

    return read_text(path, name)


def _markdown(path: Path, name: str) -> Document:
    from .plain import read_markdown

    return read_markdown(path, name)


def _csv(path: Path, name: str) -> Document:
    from .sheets import read_csv

    return read_csv(path, name)


def _docx(path: Path, name: str) -> Document:
    from .word import read_docx

    return read_docx(path, name)


def _xlsx(path: Path, name: str) -> Document:
    from .sheets import read_xlsx

    return read_xlsx(path, name)


def _pptx(path: Path, name: str) -> Document:
    from .presentation import read_pptx

    return read_pptx(path, name)


def _pdf(path: Path, name: str) -> Document:
    from .pdf import read_pdf

    return read_pdf(path, name)


def _html(path: Path, name: str) -> Document:
    from .web import read_html

    return read_html(path, name)


def _epub(path: Path, name: str) -> Document:
    from .web import read_epub

    return read_epub(path, name)


def _xmind(path: Path, name: str) -> Document:
    from .mindmaps import read_xmind

    return read_xmind(path, name)


def _freemind(path: Path, name: str) -> Document:
    from .mindmaps import read_freemind

    return read_freemind(path, name)


def _legacy(path: Path, name: str) -> Document:
    from .legacy import converted

    with converted(path, name) as modern:
        return read(modern, modern.name)


# Each parser is imported when a document of its kind comes: together they take a second.
_READERS: Final[Mapping[Kind, Callable[[Path, str], Document]]] = {
    "txt": _plain,
    "md": _markdown,
    "csv": _csv,
    "docx": _docx,
    "xlsx": _xlsx,
    "pptx": _pptx,
    "pdf": _pdf,
    "html": _html,
    "epub": _epub,
    "xmind": _xmind,
    "mm": _freemind,
    "legacy": _legacy,
}


def read(path: Path, name: str) -> Document:
    """Read a document.

    Parameters
    ----------
    path : Path
        Where it lies.
    name : str
        What it is called, for its extension where the bytes do not say what it is.

    Raises
    ------
    Refusal
    """
    try:
        size = path.stat().st_size
    except OSError:
        raise Refusal("unreadable", "The file cannot be read.") from None
    if size == 0:
        raise Refusal("empty", "The file is empty.")
    if size > MOST_BYTES:
        raise Refusal("too_large", f"The file has more than {MOST_BYTES // 2**20} MB.")
    try:
        document = _READERS[kind_of(path, name)](path, name)
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        # Parsers say of a spoiled file whatever came to them: KeyError, struct.error, XMLSyntaxError …
        raise Refusal(
            "unreadable", f"The file cannot be read: it seems to be damaged ({type(error).__name__})."
        ) from error
    if not document.markdown.strip():
        raise Refusal("empty", "There is no text in the file.")
    return document
