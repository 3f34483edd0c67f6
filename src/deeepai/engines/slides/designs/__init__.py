"""Designs of our own: ten looks, three themes each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import swiss
from .design import SLOTS, Design, Layout, Slot, Theme

DESIGNS: Final[Mapping[str, Design]] = {module.DESIGN.id: module.DESIGN for module in (swiss,)}
"""By id, in the order in which they are offered."""

__all__ = ["DESIGNS", "SLOTS", "Design", "Layout", "Slot", "Theme"]
