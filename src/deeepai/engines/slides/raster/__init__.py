"""Our own renderer of slides: simpler than an office program, fast, and there where none is installed.

It knows what our decks are made of: placeholders and their inheritance, theme colours, simple shapes and paths,
pictures, tables, bars, lines and pies. What it does not know is left out.
"""

from __future__ import annotations

from .page import Renderer

__all__ = ["Renderer"]
