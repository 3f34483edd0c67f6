"""Parts of files: what `Range`, `If-None-Match` and their kin ask for.

Source: RFC 9110, sections 13 and 14.
"""

from __future__ import annotations

import re
from typing import Final

_ONE: Final = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


def read(header: str, size: int) -> range:
    """Return the bytes that a `Range` asks for, all of them where it cannot be read or asks for several parts.

    An empty range says that there are none such.
    """
    match = _ONE.fullmatch(header)
    if match is None:
        return range(size)
    first, last = match.groups()
    if not first:
        # So many at the end.
        return range(max(0, size - int(last)), size) if last else range(size)
    if last and int(last) < int(first):
        return range(size)
    return range(int(first), min(int(last) + 1, size) if last else size)


def unchanged(header: str, tag: str) -> bool:
    """Tell whether an `If-None-Match` names what the caller has already."""
    names = [name.strip().removeprefix("W/") for name in header.split(",")]
    return tag in names or header.strip() == "*"
