"""Languages that PP-OCRv6 reads, under the names that callers have for them."""

from __future__ import annotations

from typing import Final

from ..jobs import Refusal

READ: Final = (
    *("ChinesePRC", "ChineseTaiwan", "English", "Digits", "Japanese"),
    *("German", "French", "Spanish", "Italian", "Portuguese", "Dutch"),
)
"""Tried on rendered text; Korean, Russian, Greek, Vietnamese, Polish and others come out wrong or not at all."""
USUAL: Final = "ChinesePRC,English,Digits"
MOST: Final = 10


def check(value: str) -> None:
    """Judge a comma list of languages.

    Raises
    ------
    Refusal
        `unsupported`
    """
    names = [name.strip() for name in value.split(",") if name.strip()]
    if len(names) > MOST:
        raise Refusal("invalid", f"language names {len(names)} languages; at most {MOST} are taken.")
    unknown = [name for name in names if name not in READ]
    if unknown:
        known = ", ".join(READ)
        raise Refusal("unsupported", f"{unknown[0][:40]} is not read here. Languages: {known}.")
