"""韦尼克's wire format (ChatPPT), with decks that are really made: outlines, covers, decks, and what follows them.

The program itself loads nothing of what makes them: that is `work`'s, in the processes of the pool.
"""

from __future__ import annotations

from typing import Final

WORK: Final = f"{__name__}.work"
"""The jobs' module."""
DECK: Final = "deck.pptx"
SOURCE: Final = "source.md"
"""What a deck was made of, for its notes."""
