"""Templates: each of our designs in each of its themes, found by the vendor's words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from ..slides.designs import DESIGNS

COLOURS: Final[Mapping[str, str]] = {
    "orange": "#FA920A",
    "blue": "#589AFD",
    "purple": "#7664FA",
    "cyan": "#65E5EC",
    "green": "#61D328",
    "yellow": "#F5FD59",
    "red": "#E05757",
    "brown": "#8F5A0B",
    "white": "#FFFFFF",
    "black": "#000000",
}
"""The vendor's codes of colours; pink is its red."""
CATEGORIES: Final = (
    "年终总结",
    "教育培训",
    "医学医疗",
    "商业计划书",
    "企业介绍",
    "毕业答辩",
    "营销推广",
    "晚会表彰",
    "个人简历",
)
STYLES: Final = ("扁平简约", "商务科技", "文艺清新", "卡通手绘", "中国风", "创意时尚", "创意趣味")
_SINCE: Final = "2026-11-30 12:00:00"
_SLIDES: Final = 20
"""Pages that a template is shown with: layouts of each design."""


@dataclass(frozen=True, slots=True)
class Template:
    """A design in one of its themes.

    Attributes
    ----------
    id : str
        19 digits, as the vendor's are; the same on each machine.
    """

    id: str
    design: str
    theme: str
    category: str
    style: str
    colour: str
    name: Mapping[str, str]

    def shown(self, cover: str, language: str) -> dict[str, Any]:
        """Return it as lists show it."""
        return {
            "id": self.id,
            "type": 1,
            "coverUrl": cover,
            "category": self.category,
            "style": self.style,
            "themeColor": self.colour,
            "subject": self.name["zh" if language.startswith("zh") else "en"],
            "num": _SLIDES,
            "createTime": _SINCE,
        }


@cache
def templates() -> Mapping[str, Template]:
    """Return all by id, in the order in which they are offered."""
    return {one.id: one for one in _all()}


def _all() -> Iterator[Template]:
    for design in DESIGNS.values():
        for theme in design.themes.values():
            digest = hashlib.sha256(f"{design.id}/{theme.id}".encode()).digest()
            number = 18 * 10**17 + int.from_bytes(digest[:8], "big") % 10**17
            colour = COLOURS.get(theme.hue, COLOURS["red"])
            name = {one: f"{design.name[one]} · {theme.name[one]}" for one in ("en", "zh")}
            yield Template(str(number), design.id, theme.id, design.category, design.style, colour, name)


def fitting(filters: Mapping[str, Any]) -> list[Template]:
    """Return the templates that some filters let through."""
    if filters.get("type") == 4:
        return []
    tests = {"category": "category", "style": "style", "themeColor": "colour"}
    return [
        one
        for one in templates().values()
        if all(not filters.get(name) or filters[name] == getattr(one, field) for name, field in tests.items())
    ]
