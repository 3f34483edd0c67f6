"""What Pika's formats have in common: names of models, which the vendor numbers."""

from __future__ import annotations

PREFIX = "pika-"
"""Begins the models' names here."""


def named(version: float | str | None) -> str:
    """Return a model's name as it is here, from its number or the same in quotes."""
    if version is None or version == "":
        return f"{PREFIX}1.5"
    word = f"{float(version)}" if isinstance(version, int | float) else version
    return word if word.startswith(PREFIX) else PREFIX + word


def numbered(name: str) -> str:
    """Return a model's number."""
    return name.removeprefix(PREFIX)
