"""What a shape inherits: its place, fill and text from the layout's placeholder, the master's, and text styles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from .colours import A, P, Palette, colour, fill

POINT: Final = 12_700
"""EMU in a point."""
_SAME: Final = {"ctrTitle": "title", "subTitle": "body", "obj": "body", "pic": "body", "chart": "body", "tbl": "body"}
_MOST_LEVELS: Final = 9


@dataclass(slots=True)
class View:
    """A slide, layout or master, and what it inherits from.

    Attributes
    ----------
    above : list
        The trees of shapes that placeholders inherit from: a slide's are its layout's and its master's.
    texts : element, optional
        The master's text styles.
    defaults : element, optional
        The presentation's.
    """

    palette: Palette
    above: list[Any] = field(default_factory=list[Any])
    texts: Any = None
    defaults: Any = None

    def ancestors(self, shape: Any) -> list[Any]:
        """Return the placeholders that a shape inherits from, the nearest first."""
        placeholder = placeholder_of(shape)
        if placeholder is None:
            return []
        found: list[Any] = []
        for tree in self.above:
            same = _matching(tree, placeholder)
            if same is not None:
                found.append(same)
                placeholder = placeholder_of(same)
        return found

    def levels(self, shape: Any, level: int) -> list[Any]:
        """Return the paragraph properties that text of a level has, but its own, the nearest first."""
        name = f"{A}lvl{min(level, _MOST_LEVELS - 1) + 1}pPr"
        found: list[Any] = []
        chain = [shape, *self.ancestors(shape)]
        for each in chain:
            style = each.find(f"{P}txBody/{A}lstStyle/{name}")
            if style is not None:
                found.append(style)
        if self.texts is not None:
            style = self.texts.find(f"{P}{_text_style(shape, chain)}/{name}")
            if style is not None:
                found.append(style)
        if self.defaults is not None:
            style = self.defaults.find(name)
            if style is not None:
                found.append(style)
        return found

    def transform(self, shape: Any) -> Any:
        """Return the element that says where a shape is, None where nothing does."""
        for each in (shape, *self.ancestors(shape)):
            for path in (f"{P}spPr/{A}xfrm", f"{P}grpSpPr/{A}xfrm", f"{P}xfrm"):
                found = each.find(path)
                if found is not None:
                    return found
        return None

    def fill(self, shape: Any) -> dict[str, Any]:
        """Return a shape's fill: its own, its style's, or its placeholder's."""
        for each in (shape, *self.ancestors(shape)):
            if (own := fill(each.find(f"{P}spPr"), self.palette)) is not None:
                return own
        reference = shape.find(f"{P}style/{A}fillRef")
        if reference is not None and reference.get("idx", "0") != "0":
            paint = colour(reference, self.palette)
            return {"type": "color", "color": paint} if paint else {"type": "noFill"}
        return {"type": "noFill"}

    def line(self, shape: Any) -> Any:
        """Return the outline that a shape has, its placeholder's where it has none of its own."""
        for each in (shape, *self.ancestors(shape)):
            found = each.find(f"{P}spPr/{A}ln")
            if found is not None:
                return found
        return None

    def body(self, shape: Any) -> list[Any]:
        """Return the elements that say how its text is set in it, the nearest first."""
        chain = (each.find(f"{P}txBody/{A}bodyPr") for each in (shape, *self.ancestors(shape)))
        return [each for each in chain if each is not None]


def placeholder_of(shape: Any) -> Any:
    """Return the element that makes a shape a placeholder, None where it is none."""
    return next((each for each in shape.iterfind(f"*/{P}nvPr/{P}ph")), None)


def _kind(placeholder: Any) -> str:
    kind = str(placeholder.get("type", "obj"))
    return _SAME.get(kind, kind)


def _matching(tree: Any, placeholder: Any) -> Any:
    """Return a tree's placeholder that one inherits from: of its index, else of its kind."""
    others = [(shape, other) for shape in _shapes(tree) if (other := placeholder_of(shape)) is not None]
    index = placeholder.get("idx", "0")
    for shape, other in others:
        if other.get("idx", "0") == index and _kind(other) == _kind(placeholder):
            return shape
    for shape, other in others:
        if index != "0" and other.get("idx", "0") == index:
            return shape
    return next((shape for shape, other in others if _kind(other) == _kind(placeholder)), None)


def _shapes(tree: Any) -> Iterator[Any]:
    yield from tree.iter(P + "sp", P + "pic", P + "graphicFrame")


def _text_style(shape: Any, chain: list[Any]) -> str:
    for each in reversed(chain):
        placeholder = placeholder_of(each)
        if placeholder is not None:
            kind = _kind(placeholder)
            return "titleStyle" if kind == "title" else "bodyStyle" if kind == "body" else "otherStyle"
    return "otherStyle"


def first(elements: list[Any], name: str) -> str | None:
    """Return an attribute of the first element that has it."""
    return next((value for each in elements if (value := each.get(name)) is not None), None)


def number(value: str | None, otherwise: int = 0) -> int:
    """Return an attribute's number; what is none counts as `otherwise`."""
    try:
        return int(float(value)) if value is not None else otherwise
    except (ValueError, OverflowError):
        return otherwise
