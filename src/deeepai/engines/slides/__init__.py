"""Decks: documents in, an outline and its text planned, slides of our own designs written and drawn."""

from typing import Final

READING: Final = f"{__name__}.reading"
"""The module of the job that reads a document; named here, for it brings its libraries along."""
