"""What trees say of their package, read with distrust: relationships, Base64, pictures."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

from ...jobs import Refusal
from .opc import Relation

NAME: Final = re.compile(r"/(?!.*\.\./)[A-Za-z0-9_./\[\]() %+-]{1,200}")
"""Of a part."""
ADDRESS: Final = re.compile(r"(?:https?|mailto|tel|ftp):[^\s<>\"]{1,2000}", re.I)
"""That a link may go to."""
DATA: Final = re.compile(r"data:(image/[\w.+-]+)(?:;[\w=-]+)*;base64,", re.I)
"""How a picture in a node begins."""
_PICTURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "png", "image/png"), (b"\xff\xd8\xff", "jpeg", "image/jpeg"), (b"GIF8", "gif", "image/gif"),
    (b"BM", "bmp", "image/bmp"), (b"II*\x00", "tiff", "image/tiff"), (b"MM\x00*", "tiff", "image/tiff"),
    (b"\xd7\xcd\xc6\x9a", "wmf", "image/x-wmf"), (b"\x01\x00\x00\x00", "emf", "image/x-emf"),
)  # fmt: skip


def info_of(page: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page says beside its nodes."""
    info = page.get("extInfo")
    return info if isinstance(info, dict) else {}


def raw_of(page: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page carries of its own XML."""
    raw = info_of(page).get("raw")
    return raw if isinstance(raw, dict) else {}


def relations_of(said: Any) -> list[Relation]:
    """Return relationships; links lead to addresses only, parts have names that stay within the package."""
    found: list[Relation] = []
    for each in said if isinstance(said, list) else []:
        if not isinstance(each, list) or len(each) != 4 or not all(isinstance(part, str) for part in each[:3]):
            raise Refusal("unreadable", "A relationship of the tree has not its four parts.")
        name, kind, target, external = each
        if external is True:
            if kind.endswith("/hyperlink") and ADDRESS.fullmatch(target):
                found.append(Relation(name, kind, target, True))
        elif NAME.fullmatch(target):
            found.append(Relation(name, kind, target))
    return found


def bytes_of(text: str) -> bytes:
    """Return what Base64 holds."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("unreadable", "Something in the tree is no Base64.") from None


def kind_of(content: bytes) -> tuple[str, str]:
    """Return a picture's extension and type, by its bytes."""
    for start, extension, kind in _PICTURES:
        if content.startswith(start):
            return extension, kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp", "image/webp"
    raise Refusal("unreadable", "A picture of the tree is none that slides can show: PNG, JPEG, GIF, BMP, TIFF, WebP.")


def free(stem: str, taken: set[str]) -> str:
    """Return an id that is not taken, and take it."""
    number = 1
    while f"{stem}{number}" in taken:
        number += 1
    taken.add(f"{stem}{number}")
    return f"{stem}{number}"
