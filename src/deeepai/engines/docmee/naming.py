"""What files are called between the server's process and the jobs'."""

from __future__ import annotations

import hashlib
from typing import Final

PICTURES: Final = "docmee-text/"
"""Begins the names of a document's pictures, in texts that callers bring back."""


def name_of(address: str) -> str:
    """Return the name of the file that a picture is given."""
    return hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:32]
