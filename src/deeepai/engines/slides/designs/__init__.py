"""Designs of our own: ten looks, three themes each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import blueprint, botanical, classroom, ink, launch, ledger, magazine, night, swiss, terracotta
from .design import SLOTS, Design, Layout, Slot, Theme

_MODULES: Final = (swiss, ink, magazine, blueprint, botanical, night, terracotta, ledger, classroom, launch)
DESIGNS: Final[Mapping[str, Design]] = {module.DESIGN.id: module.DESIGN for module in _MODULES}
"""By id, in the order in which they are offered."""

__all__ = ["DESIGNS", "SLOTS", "Design", "Layout", "Slot", "Theme"]
