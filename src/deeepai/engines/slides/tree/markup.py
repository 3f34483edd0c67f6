"""Text and XML of parts."""

from __future__ import annotations

from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]


def clean(text: str) -> str:
    """Return a text without what XML cannot hold."""
    return "".join(
        character
        for character in text.replace("\r\n", "\n").replace("\r", "\n")
        if character in "\t\n"
        or "\x20" <= character <= "\ud7ff"
        or "\ue000" <= character <= "\ufffd"
        or character > "\uffff"
    )


def serialised(root: Any) -> bytes:
    """Return a part's content."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
