"""Formats of before 2007 (.doc, .xls, .ppt), RTF, OpenDocument: turned into today's by LibreOffice, if it is there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ...jobs import Refusal
from .. import office

_SECONDS: Final = 60.0
_INTO: Final = {"xls": "xlsx", "ods": "xlsx", "ppt": "pptx", "odp": "pptx"}
_MARKS: Final = (("Workbook", "xls"), ("PowerPoint Document", "ppt"), ("WordDocument", "doc"), ("Book", "xls"))


@contextmanager
def converted(path: Path, name: str) -> Generator[Path]:
    """Yield the document in today's format; LibreOffice runs no macros of a file that it converts.

    Raises
    ------
    Refusal
        `unsupported` without LibreOffice; `unreadable` where it cannot read the file, or lacks its part for it;
        `timeout`.
    """
    if not office.program():
        raise Refusal(
            "unsupported",
            "Files of before Office 2007 are read where LibreOffice is installed; save it as .docx or .pdf.",
        )
    kind = _kind(path, name)
    with tempfile.TemporaryDirectory(prefix="deeepai-legacy-") as folder:
        given = Path(folder) / f"given.{kind}"
        shutil.copyfile(path, given)
        made = Path(folder) / "made"
        made.mkdir()
        yield office.converted(given, made, _INTO.get(kind, "docx"), seconds=_SECONDS)


def _kind(path: Path, name: str) -> str:
    """Return the extension that LibreOffice is to see."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"{\\rtf"):
        return "rtf"
    extension = name.rsplit(".", 1)[-1].lower()
    if head.startswith(b"PK"):
        return extension if extension in ("odt", "ods", "odp") else "odt"
    content = path.read_bytes()
    return next((kind for stream, kind in _MARKS if stream.encode("utf-16-le") in content), "doc")
