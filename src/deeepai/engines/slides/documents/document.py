"""What is read of a document, and the bounds on all of it."""

from __future__ import annotations

from typing import Final

import msgspec

MOST_BYTES: Final = 50 * 2**20
"""Of a file."""
MOST_CHARACTERS: Final = 400_000
"""Of a document's text; what follows is left out."""
MOST_PICTURES: Final = 60
MOST_PICTURE_BYTES: Final = 40 * 2**20
"""Of all pictures of a document."""
_EXTENSIONS: Final = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
)


class Document(msgspec.Struct):
    """A document that has been read.

    Attributes
    ----------
    title : str
        Its own, or empty.
    markdown : str
        CommonMark with GFM tables; pictures are named as in `pictures`.
    pictures : dict
        Bytes of PNG, JPEG, GIF or BMP by name, such as `picture-1.png`.
    """

    title: str = ""
    markdown: str = ""
    pictures: dict[str, bytes] = msgspec.field(default_factory=dict[str, bytes])


class Collected:
    """A document in the making: lines of Markdown and pictures, bounded."""

    def __init__(self) -> None:
        self.title = ""
        self._parts: list[str] = []
        self._characters = 0
        self._pictures: dict[str, bytes] = {}
        self._names: dict[int, str] = {}
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more is taken."""
        return self._characters >= MOST_CHARACTERS

    def add(self, markdown: str) -> None:
        """Add a block of Markdown."""
        if markdown.strip() and not self.is_full:
            self._parts.append(markdown)
            self._characters += len(markdown) + 2

    def picture(self, content: bytes) -> str:
        """Keep a picture; return its name, empty where it is none that can be shown or there are too many."""
        kind = next((name for start, name in _EXTENSIONS if content.startswith(start)), "")
        key = hash(content)
        if key in self._names:
            return self._names[key]
        if not kind or len(self._pictures) >= MOST_PICTURES or self._bytes + len(content) > MOST_PICTURE_BYTES:
            return ""
        name = f"picture-{len(self._pictures) + 1}.{kind}"
        self._pictures[name], self._names[key] = content, name
        self._bytes += len(content)
        return name

    def document(self) -> Document:
        """Return what there is."""
        return Document(self.title, "\n\n".join(self._parts)[:MOST_CHARACTERS], self._pictures)
