"""A presentation as a tree."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

from ...jobs import Refusal
from ..documents.guard import xml
from .colours import A, P, Palette, R, colour, fill, palette, signed
from .markup import serialised
from .nodes import Node, Reader, raw, seen, without_shapes
from .opc import Package, Part, Relation, read
from .styles import POINT, View, number

_LAYOUTS: Final = {
    "title": "TITLE", "obj": "TITLE_AND_CONTENT", "secHead": "SECTION_HEADER", "twoObj": "TWO_OBJ",
    "twoTxTwoObj": "TWO_TX_TWO_OBJ", "titleOnly": "TITLE_ONLY", "blank": "BLANK", "vertTitleAndTx": "VERT_TITLE_AND_TX",
}  # fmt: skip
_MOST_SLIDES: Final = 500
_NAMES: Final = (
    "bg1",
    "tx1",
    "bg2",
    "tx2",
    "accent1",
    "accent2",
    "accent3",
    "accent4",
    "accent5",
    "accent6",
    "hlink",
    "folHlink",
)


def to_tree(path: Path) -> dict[str, Any]:
    """Return the tree of a presentation.

    Raises
    ------
    Refusal
        `unreadable`, `password`, `too_large`.
    """
    try:
        return _Presentation(read(path)).tree()
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        # What a spoiled file lacks shows anywhere.
        raise Refusal("unreadable", f"The file cannot be read as a presentation ({type(error).__name__}).") from error


class _Presentation:
    def __init__(self, package: Package) -> None:
        self._package = package
        main = next((each for each in package.relations if each.kind == "officeDocument"), None)
        part = package.parts.get(main.target) if main else None
        if part is None or "presentation" not in part.type:
            raise Refusal("unreadable", "The file is no presentation.")
        self._part = part
        self._root = xml(part.content)
        self._held = set[str]()
        self._masters: list[Part] = []
        self._layouts: dict[str, tuple[int, int]] = {}
        self._views: dict[str, View] = {}

    def tree(self) -> dict[str, Any]:
        size = self._root.find(P + "sldSz")
        wide, high = (number(size.get(name), 0) for name in ("cx", "cy")) if size is not None else (0, 0)
        width, height = (wide or 9_144_000) / POINT, (high or 6_858_000) / POINT
        box = [0.0, 0.0, round(width, 3), round(height, 3)]
        masters = [
            self._master(part, place, box) for place, part in enumerate(self._related("sldMasterId", "slideMaster"))
        ]
        if not masters:
            raise Refusal("unreadable", "The presentation has no master.")
        slides = self._related("sldId", "slide")
        if len(slides) > _MOST_SLIDES:
            raise Refusal("too_large", f"The presentation has more than {_MOST_SLIDES} slides.")
        pages = [self._page(part, place, box) for place, part in enumerate(slides, 1)]
        fonts = sorted(
            {
                family
                for view in self._views.values()
                for group in view.palette.fonts.values()
                for family in group.values()
                if family
            }
        )
        return {
            "version": "1.0",
            "width": box[2],
            "height": box[3],
            "font": fonts,
            "pages": pages,
            "slideMasters": masters,
            "raw": self._rest(slides),
        }

    def _related(self, element: str, kind: str) -> list[Part]:
        targets = {relation.id: relation.target for relation in self._part.relations if relation.kind == kind}
        names = [targets.get(each.get(R + "id", "")) for each in self._root.iter(P + element)]
        return [part for name in names if name and (part := self._package.parts.get(name)) is not None]

    def _master(self, part: Part, place: int, box: list[float]) -> dict[str, Any]:
        root = xml(part.content)
        relation = part.related("theme")
        theme = self._package.parts.get(relation.target) if relation else None
        colours = palette(xml(theme.content)) if theme is not None else Palette()
        names = root.find(P + "clrMap")
        colours = colours.mapped(dict(names.attrib)) if names is not None else colours
        self._masters.append(part)
        defaults = self._root.find(P + "defaultTextStyle")
        view = View(colours, [], root.find(P + "txStyles"), defaults)
        self._views[part.name] = view
        layouts: list[dict[str, Any]] = []
        wanted = {each.id: each.target for each in part.relations if each.kind == "slideLayout"}
        for each in root.iter(P + "sldLayoutId"):
            layout = self._package.parts.get(wanted.get(each.get(R + "id", ""), ""))
            if layout is not None:
                self._layouts[layout.name] = (place, len(layouts))
                layouts.append(self._layout(layout, root, view, f"m{place}l{len(layouts)}-", box))
        said = {
            "background": self._background([root], view, box),
            "clrMap": dict(names.attrib) if names is not None else {},
            "theme": {
                "name": xml(theme.content).get("name", "") if theme is not None else "",
                "colors": _colours(colours),
                "majorFontMap": colours.fonts.get("major", {}),
                "minorFontMap": colours.fonts.get("minor", {}),
            },
            "children": self._shapes(root, view, f"m{place}-", part),
            "animation": None,
            "transition": None,
            "slideLayouts": layouts,
        }
        said["raw"] = {"name": part.name, "theme": theme.name if theme is not None else "", "seen": seen(said["theme"])}
        return said

    def _layout(self, part: Part, master: Any, view: View, prefix: str, box: list[float]) -> dict[str, Any]:
        root = xml(part.content)
        own = View(_overridden(root, view.palette), [master.find(f"{P}cSld/{P}spTree")], view.texts, view.defaults)
        self._views[part.name] = own
        return {
            "type": _LAYOUTS.get(root.get("type", ""), "CUST"),
            "name": root.find(P + "cSld").get("name", ""),
            "noMaster": True if root.get("showMasterSp") in ("0", "false") else None,
            "clrMap": None,
            "background": self._background([root, master], own, box),
            "children": self._shapes(root, own, prefix, part),
            "animation": None,
            "transition": None,
            "raw": {"name": part.name},
        }

    def _page(self, part: Part, place: int, box: list[float]) -> dict[str, Any]:
        root = xml(part.content)
        relation = part.related("slideLayout")
        layout = self._package.parts.get(relation.target) if relation else None
        if layout is None or layout.name not in self._layouts:
            raise Refusal("unreadable", f"Slide {place} has no layout.")
        master, index = self._layouts[layout.name]
        above = [xml(each.content) for each in (layout, self._masters[master])]
        inherited = self._views[layout.name]
        view = View(
            _overridden(root, inherited.palette),
            [each.find(f"{P}cSld/{P}spTree") for each in above],
            inherited.texts,
            inherited.defaults,
        )
        info: dict[str, Any] = {
            "slideMasterIdx": master,
            "slideLayoutIdx": index,
            "background": self._background([root, *above], view, box),
        }
        if root.get("show") in ("0", "false"):
            info["hidden"] = True
        if said := self._notes(part):
            info["notes"] = said
        children = self._shapes(root, view, f"{place}-", part)
        sheet = root.find(P + "cSld")
        sheet.replace(sheet.find(P + "spTree"), without_shapes(sheet.find(P + "spTree")))
        info["raw"] = {
            "name": part.name,
            "xml": raw(root),
            "relations": [_said(each) for each in part.relations],
            "seen": {"notes": seen(info.get("notes", "")), "background": seen(info["background"])},
        }
        return {"page": place, "extInfo": info, "children": children}

    def _shapes(self, root: Any, view: View, prefix: str, part: Part) -> list[Node]:
        reader = Reader(view, prefix, part, self._package.parts.get, self._held)
        return reader.nodes(root.find(f"{P}cSld/{P}spTree"))

    def _background(self, roots: list[Any], view: View, box: list[float]) -> dict[str, Any]:
        """Return what is painted below everything: by a slide, else its layout, else its master."""
        paint: dict[str, Any] = {"type": "noFill"}
        for root in roots:
            background = root.find(f"{P}cSld/{P}bg")
            if background is None:
                continue
            own, reference = background.find(P + "bgPr"), background.find(P + "bgRef")
            if own is not None:
                paint = fill(own, view.palette) or paint
            elif reference is not None:
                found = colour(reference, view.palette)
                paint = {"type": "color", "color": found} if found else paint
            break
        return {"realType": "Background", "anchor": box, "fillStyle": paint, "strokeStyle": {}}

    def _notes(self, part: Part) -> str:
        relation = part.related("notesSlide")
        notes = self._package.parts.get(relation.target) if relation else None
        if notes is None:
            return ""
        for shape in xml(notes.content).iter(P + "sp"):
            placeholder = shape.find(f"{P}nvSpPr/{P}nvPr/{P}ph")
            if placeholder is not None and placeholder.get("type") == "body":
                paragraphs = shape.iterfind(f"{P}txBody/{A}p")
                return "\n".join(_line(paragraph) for paragraph in paragraphs).strip()
        return ""

    def _rest(self, slides: list[Part]) -> dict[str, Any]:
        """Return the package without its slides, and without the pictures that their nodes hold."""
        ours = {part.name for part in slides}
        needed = {
            relation.target
            for part in self._package.parts.values()
            if part.name not in ours
            for relation in part.relations
        }
        self._without_slides()
        left_out = ours | (self._held - needed)
        return {
            "presentation": self._part.name,
            "relations": [_said(each) for each in self._package.relations],
            "parts": [_part(part) for part in self._package.parts.values() if part.name not in left_out],
        }

    def _without_slides(self) -> None:
        """Forget in the presentation's own part which slides there are: the pages say so."""
        self._part.relations = [each for each in self._part.relations if each.kind != "slide"]
        for name in ("sldIdLst", "custShowLst", "extLst"):
            for each in self._root.findall(P + name):
                self._root.remove(each)
        self._part.content = serialised(self._root)


def _line(paragraph: Any) -> str:
    return "".join("\n" if each.tag == A + "br" else each.findtext(A + "t") or "" for each in paragraph)


def _said(relation: Relation) -> list[Any]:
    return [relation.id, relation.type, relation.target, relation.external]


def _part(part: Part) -> dict[str, Any]:
    said: dict[str, Any] = {"name": part.name, "type": part.type}
    try:
        if not part.type.endswith("xml"):
            raise ValueError
        text = part.content.decode("utf-8")
        # What JSON of other languages would not bring back as it was stays bytes.
        if "\x00" in text or text.startswith("\ufeff"):
            raise ValueError
        said["text"] = text
    except ValueError:
        said["data"] = base64.b64encode(part.content).decode()
    said["relations"] = [_said(each) for each in part.relations]
    return said


def _overridden(root: Any, inherited: Palette) -> Palette:
    names = root.find(f"{P}clrMapOvr/{A}overrideClrMapping")
    return inherited.mapped(dict(names.attrib)) if names is not None else inherited


def _colours(found: Palette) -> dict[str, int]:
    return {
        **{slot: signed(value) for slot, value in found.colours.items()},
        **{name: signed(found.slot(name)) for name in _NAMES if name not in found.colours},
    }
