"""A tree as a presentation."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pptx

from ...jobs import Refusal
from ..documents.guard import refuse_declarations, xml
from . import base as blank
from .building import (
    body_xml,
    box_of,
    children_of,
    clean,
    emu,
    fill_xml,
    finite,
    geometry_xml,
    hexadecimal,
    line_xml,
    node_of,
    patch_text,
    property_of,
    put,
    table_xml,
    text_xml,
    transform,
)
from .charts import chart_xml
from .colours import A, P, R, SLOTS
from .nodes import marks, seen, serialised
from .opc import MAIN, RELATION, Package, Part, Relation, is_macro, write

MOST_PAGES: Final = 500
_MOST_NODES: Final = 60_000
_MOST_DEEP: Final = 60
_MOST_BYTES: Final = 200 * 2**20
"""Of all parts and pictures."""
_SLIDE: Final = "application/vnd.openxmlformats-officedocument.presentationml.slide+xml"
_CHART: Final = "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"
_WORKBOOK: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CHARTS: Final = "http://schemas.openxmlformats.org/drawingml/2006/chart"
_NAME: Final = re.compile(r"/(?!.*\.\./)[A-Za-z0-9_./\[\]() %+-]{1,200}")
_ADDRESS: Final = re.compile(r"(?:https?|mailto|tel|ftp):[^\s<>\"]{1,2000}", re.I)
_DATA: Final = re.compile(r"data:(image/[\w.+-]+)(?:;[\w=-]+)*;base64,", re.I)
_ELEMENTS: Final = frozenset(
    [P + name for name in ("sp", "pic", "graphicFrame", "grpSp", "cxnSp", "contentPart")]
    + ["{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"]
)
_PICTURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "png", "image/png"), (b"\xff\xd8\xff", "jpeg", "image/jpeg"), (b"GIF8", "gif", "image/gif"),
    (b"BM", "bmp", "image/bmp"), (b"II*\x00", "tiff", "image/tiff"), (b"MM\x00*", "tiff", "image/tiff"),
    (b"\xd7\xcd\xc6\x9a", "wmf", "image/x-wmf"), (b"\x01\x00\x00\x00", "emf", "image/x-emf"),
)  # fmt: skip


def addresses(tree: Mapping[str, Any]) -> list[str]:
    """Return the addresses and names of the pictures that a tree does not hold itself, for the caller to find."""
    found: dict[str, None] = {}
    for node in _all_nodes(tree):
        image = _image_of(node)
        if image and not _DATA.match(image[:200]):
            found[image] = None
    return list(found)


def from_tree(tree: Any, path: Path, pictures: Mapping[str, bytes] | None = None) -> None:
    """Write the presentation that a tree says.

    Parameters
    ----------
    pictures : mapping
        By the names or addresses that nodes have for them. Nothing is fetched: one that is not there is refused.

    Raises
    ------
    Refusal
        `unreadable` for what is no tree, `too_large`, `fetch` for a picture that is not there.
    """
    if not isinstance(tree, dict) or not isinstance(tree.get("pages"), list):
        raise Refusal("unreadable", "This is no slide tree: it has no pages.")
    pages = [page for page in tree["pages"] if isinstance(page, dict)]
    if len(pages) != len(tree["pages"]):
        raise Refusal("unreadable", "A page of the tree is no object.")
    if len(pages) > MOST_PAGES:
        raise Refusal("too_large", f"The tree has more than {MOST_PAGES} pages.")
    for count, _ in enumerate(_all_nodes(tree)):
        if count > _MOST_NODES:
            raise Refusal("too_large", f"The tree has more than {_MOST_NODES} nodes.")
    try:
        _Writer(tree, pictures or {}).write(pages, path)
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        raise Refusal("unreadable", f"The tree cannot be written ({type(error).__name__}).") from error


def _all_nodes(tree: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    stack: list[tuple[Any, int]] = [(page, 0) for page in reversed(tree.get("pages") or []) if isinstance(page, dict)]
    while stack:
        node, depth = stack.pop()
        if depth > _MOST_DEEP:
            raise Refusal("too_large", f"The tree is deeper than {_MOST_DEEP}.")
        children = node.get("children")
        if isinstance(children, list):
            for child in reversed(children):
                if isinstance(child, dict):
                    yield child
                    stack.append((child, depth + 1))


def _image_of(node: Mapping[str, Any]) -> str:
    image = property_of(node).get("image") if node.get("type") == "image" else None
    return image if isinstance(image, str) else ""


class _Writer:
    def __init__(self, tree: dict[str, Any], pictures: Mapping[str, bytes]) -> None:
        self._tree, self._pictures = tree, pictures
        self._bytes = 0
        self._package, self._main = self._base()
        self._count = 0
        self._names: dict[str, str] = {}
        """What slides are called now, by what they were called."""

    def _base(self) -> tuple[Package, Part]:
        """Return the package without slides: the tree's own, or a blank one of its masters' colours and typefaces."""
        rest = self._tree.get("raw")
        if isinstance(rest, dict) and isinstance(rest.get("parts"), list):
            parts: dict[str, Part] = {}
            for said in rest["parts"]:
                part = self._part(said)
                if part is not None:
                    parts[part.name] = part
            main = parts.get(str(rest.get("presentation")))
            if main is not None and main.related("slideMaster"):
                main.type = MAIN
                relations = [each for each in _relations(rest.get("relations")) if each.target in parts]
                package = Package(parts, relations)
                if any(each.kind == "officeDocument" for each in relations):
                    return package, main
        return blank.package(self._tree)

    def _part(self, said: Any) -> Part | None:
        if not isinstance(said, dict):
            return None
        name, kind = said.get("name"), said.get("type")
        if not isinstance(name, str) or not isinstance(kind, str) or not _NAME.fullmatch(name) or not kind.isascii():
            raise Refusal("unreadable", "A part of the tree has no name or type.")
        if is_macro(name, kind) or name.endswith(".rels"):
            return None
        if isinstance(said.get("text"), str):
            content = said["text"].encode("utf-8", "replace")
            refuse_declarations(content)
        elif isinstance(said.get("data"), str):
            content = _bytes(said["data"])
            if kind.endswith("xml"):
                refuse_declarations(content)
        else:
            return None
        if kind == "image/svg+xml" and re.search(
            rb"href\s*=\s*[\"'](?!#|data:)|<script|@import|url\((?![\"']?#)", content
        ):
            return None
        self._weigh(len(content))
        return Part(name, kind, content, _relations(said.get("relations")))

    def _weigh(self, size: int) -> None:
        self._bytes += size
        if self._bytes > _MOST_BYTES:
            raise Refusal("too_large", f"The tree holds more than {_MOST_BYTES // 2**20} MB.")

    def write(self, pages: list[dict[str, Any]], path: Path) -> None:
        for number, page in enumerate(pages, 1):
            raw = _raw_of(page)
            name = str(raw.get("name", ""))
            if name and name not in self._names:
                self._names[name] = f"/ppt/slides/slide{number}.xml"
        done = set[str]()
        notes: dict[int, str] = {}
        slides: list[Part] = []
        for number, page in enumerate(pages, 1):
            name = str(_raw_of(page).get("name", ""))
            slides.append(_Slide(self, page, number, is_copy=bool(name) and name in done).part())
            done.add(name)
            if (said := self._notes(page)) is not None:
                notes[number - 1] = said
        for part in self._package.parts.values():
            part.relations = self._renamed(part.relations)
        for part in slides:
            self._package.parts[part.name] = part
        for part in list(self._package.parts.values()):
            part.relations = [each for each in part.relations if each.external or each.target in self._package.parts]
        self._themes()
        self._order(slides)
        write(self._package, path)
        if notes:
            presentation = pptx.Presentation(str(path))
            for index, said in notes.items():
                frame = presentation.slides[index].notes_slide.notes_text_frame
                if frame is not None:
                    frame.text = said
            presentation.save(str(path))

    def _renamed(self, relations: list[Relation]) -> list[Relation]:
        return [
            Relation(each.id, each.type, self._names.get(each.target, each.target), each.external) for each in relations
        ]

    def _notes(self, page: Mapping[str, Any]) -> str | None:
        """Return what a page's notes are to be, None where they are that already."""
        said = _info_of(page).get("notes")
        said = clean(said) if isinstance(said, str) else ""
        marks_ = _raw_of(page).get("seen")
        before = marks_.get("notes") if isinstance(marks_, dict) else seen("")
        return None if seen(said) == before else said

    def _themes(self) -> None:
        """Change the themes whose colours or typefaces were changed in the tree."""
        masters = self._tree.get("slideMasters")
        for master in masters if isinstance(masters, list) else []:
            raw = master.get("raw") if isinstance(master, dict) else None
            theme = master.get("theme") if isinstance(master, dict) else None
            if not isinstance(raw, dict) or not isinstance(theme, dict) or raw.get("seen") == seen(theme):
                continue
            part = self._package.parts.get(str(raw.get("theme")))
            if part is not None:
                part.content = blank.rethemed(part.content, theme)

    def _order(self, slides: list[Part]) -> None:
        """Put the slides into the presentation."""
        root = xml(self._main.content)
        self._main.relations = [each for each in self._main.relations if each.kind != "slide"]
        taken = {each.id for each in self._main.relations}
        listed = root.find(P + "sldIdLst")
        if listed is None:
            listed = node_of(P + "sldIdLst")
            after = next(
                (
                    root.find(P + name)
                    for name in ("handoutMasterIdLst", "notesMasterIdLst", "sldMasterIdLst")
                    if root.find(P + name) is not None
                ),
                None,
            )
            if after is None:
                raise Refusal("unreadable", "The tree's presentation has no masters.")
            after.addnext(listed)
        for child in list(listed):
            listed.remove(child)
        for number, part in enumerate(slides):
            name = _free("rIdSlide", taken)
            self._main.relations.append(Relation(name, f"{RELATION}/slide", part.name))
            listed.append(node_of(P + "sldId", {"id": str(256 + number), R + "id": name}))
        if not slides:
            root.remove(listed)
        # Sections, custom shows and the like name slides by ids that are no more.
        for stale in (P + "custShowLst", P + "extLst"):
            for each in root.findall(stale):
                root.remove(each)
        size = root.find(P + "sldSz")
        if size is not None:
            for key, name in (("cx", "width"), ("cy", "height")):
                wanted = finite(self._tree.get(name))
                if 72 <= wanted <= 4032 and abs(wanted * 12_700 - int(size.get(key, "0"))) > 100:
                    size.set(key, emu(wanted))
                    size.attrib.pop("type", None)
        self._main.content = serialised(root)

    def picture(self, image: str) -> Part:
        """Return a new part of a picture."""
        content = self.picture_bytes(image)
        extension, kind = _kind_of(content)
        self._count += 1
        name = f"/ppt/media/tree-{self._count}.{extension}"
        while name in self._package.parts:
            self._count += 1
            name = f"/ppt/media/tree-{self._count}.{extension}"
        part = self._package.parts[name] = Part(name, kind, content)
        return part

    def picture_bytes(self, image: str) -> bytes:
        """Return a picture that a node names or holds."""
        if image in self._pictures:
            content = self._pictures[image]
        elif match := _DATA.match(image[:200]):
            content = _bytes(image[match.end() :])
        else:
            raise Refusal("fetch", f"The tree names a picture that is not there: {image[:80]}")
        self._weigh(len(content))
        return content

    def keep(self, name: str, kind: str, content: bytes, relations: list[Relation] | None = None) -> Part:
        """Keep a part under a name that it has, or one like it that is free."""
        stem, _, extension = name.rpartition(".")
        number = 1
        free = name
        while free in self._package.parts:
            number += 1
            free = f"{stem}-{number}.{extension}"
        part = self._package.parts[free] = Part(free, kind, content, relations or [])
        return part

    @property
    def parts(self) -> dict[str, Part]:
        """The package's parts."""
        return self._package.parts

    def layout(self, page: Mapping[str, Any]) -> str:
        """Return the name of a page's layout."""
        info = _info_of(page)
        masters = self._tree.get("slideMasters")
        try:
            master = masters[info["slideMasterIdx"]]["slideLayouts"][info["slideLayoutIdx"]]  # type: ignore[index]
            name = str(master["raw"]["name"])
        except (KeyError, IndexError, TypeError):
            name = ""
        if name in self._package.parts:
            return name
        found = [part for part in self._package.parts.values() if part.type.endswith("slideLayout+xml")]
        if not found:
            raise Refusal("unreadable", "The tree has no layouts.")
        return next((part.name for part in found if b'type="blank"' in part.content[:2000]), found[-1].name)

    def renamed(self, relations: list[Relation]) -> list[Relation]:
        """Return relationships with slides as they are called now."""
        return self._renamed(relations)


class _Slide:
    """A slide in the making."""

    def __init__(self, writer: _Writer, page: dict[str, Any], number: int, *, is_copy: bool) -> None:
        self._writer, self._page, self._number = writer, page, number
        raw = _raw_of(page)
        relations = writer.renamed(_relations(raw.get("relations")))
        # Notes and comments belong to one slide alone.
        self._relations = [each for each in relations if not (is_copy and each.kind in ("notesSlide", "comments"))]
        self._taken = {each.id for each in self._relations}
        self._root = self._frame(raw)
        self._next = 1

    def _frame(self, raw: Mapping[str, Any]) -> Any:
        text = raw.get("xml")
        if isinstance(text, str):
            root = xml(text.encode("utf-8", "replace"))
            if root.tag == P + "sld" and root.find(f"{P}cSld/{P}spTree") is not None:
                return root
        return xml(blank.SLIDE.encode())

    def part(self) -> Part:
        """Return the slide."""
        tree = self._root.find(f"{P}cSld/{P}spTree")
        ends = tree.find(P + "extLst")
        for node in children_of(self._page):
            element = self._shape(node, 0)
            if element is None:
                continue
            if ends is not None:
                ends.addprevious(element)
            else:
                tree.append(element)
        self._background()
        self._show()
        self._identify(tree)
        self._lay_out()
        used = self._used()
        own = ("slideLayout", "notesSlide", "comments", "tags", "slide", "themeOverride")
        kept = [
            each
            for each in self._relations
            if (each.id in used or each.kind in own)
            and (each.external or each.target in self._writer.parts or each.kind == "slide")
        ]
        self._forget(used - {each.id for each in kept})
        name = f"/ppt/slides/slide{self._number}.xml"
        return Part(name, _SLIDE, serialised(self._root), kept)

    def _lay_out(self) -> None:
        """Relate the slide to its layout, under the name that it has where there is one."""
        target = self._writer.layout(self._page)
        old = next((each for each in self._relations if each.kind == "slideLayout"), None)
        name = old.id if old else _free("rIdLayout", self._taken)
        new = Relation(name, f"{RELATION}/slideLayout", target)
        self._relations = [
            new if each is old else each for each in self._relations if each is old or each.kind != "slideLayout"
        ]
        if old is None:
            self._relations.insert(0, new)

    def _used(self) -> set[str]:
        return {value for element in self._root.iter() for key, value in element.attrib.items() if key.startswith(R)}

    def _forget(self, ids: set[str]) -> None:
        """Remove what refers to something that is not there."""
        for element in list(self._root.iter()):
            keys = [key for key, value in element.attrib.items() if key.startswith(R) and value in ids]
            if not keys:
                continue
            if element.tag in (A + "hlinkClick", A + "hlinkHover", A + "hlinkMouseOver") or "}" not in str(element.tag):
                element.getparent().remove(element)
                continue
            for key in keys:
                element.attrib.pop(key)

    def _identify(self, tree: Any) -> None:
        """Give shapes that share an id new ones, but for the first."""
        taken = set[str]()
        shapes = list(tree.iter(P + "cNvPr"))
        highest = max((int(each.get("id", "0")) for each in shapes if each.get("id", "0").isdigit()), default=1)
        for each in shapes:
            if each.get("id", "") in taken or not each.get("id", "").isdigit():
                highest += 1
                each.set("id", str(min(highest, 2**31 - 1)))
            taken.add(each.get("id"))

    def _background(self) -> None:
        info = _info_of(self._page)
        said = info.get("background")
        marks_ = _raw_of(self._page).get("seen")
        if not isinstance(said, dict) or (isinstance(marks_, dict) and marks_.get("background") == seen(said)):
            return
        paint = fill_xml(said.get("fillStyle"))
        sheet = self._root.find(P + "cSld")
        for old in sheet.findall(P + "bg"):
            sheet.remove(old)
        if paint is not None and paint.tag != A + "noFill":
            sheet.insert(
                0, node_of(P + "bg", children=[node_of(P + "bgPr", children=[paint, node_of(A + "effectLst")])])
            )

    def _show(self) -> None:
        hidden = _info_of(self._page).get("hidden")
        if hidden is True:
            self._root.set("show", "0")
        else:
            self._root.attrib.pop("show", None)

    def _shape(self, node: dict[str, Any], depth: int) -> Any:
        if depth > _MOST_DEEP:
            raise Refusal("too_large", "The tree is too deep.")
        if node.get("noDraw") is True:
            return None
        element, before = self._own(node)
        if element is None:
            element = self._new(node, depth)
        else:
            self._change(element, node, before)
        if element is not None and element.tag == P + "grpSp":
            for child in children_of(node):
                made = self._shape(child, depth + 1)
                if made is not None:
                    element.append(made)
            ends = element.find(P + "extLst")
            if ends is not None:
                element.append(ends)
        return element

    def _own(self, node: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the XML that a node carries, if there is some, and the marks of what it said."""
        info = node.get("extInfo")
        raw = info.get("raw") if isinstance(info, dict) else None
        text = raw.get("xml") if isinstance(raw, dict) else None
        if not isinstance(text, str):
            return None, {}
        element = xml(text.encode("utf-8", "replace"))
        if element.tag not in _ELEMENTS:
            raise Refusal("unreadable", "A node of the tree carries XML that is no shape.")
        before = raw.get("seen")  # type: ignore[union-attr]
        return element, before if isinstance(before, dict) else {}

    def _change(self, element: Any, node: dict[str, Any], before: Mapping[str, Any]) -> None:
        """Change a node's XML where the node was changed."""
        properties = property_of(node)
        try:
            now = marks({**node, "extInfo": {"property": properties}, "children": children_of(node)})
        except (KeyError, TypeError):
            now = {}
        changed = {name for name, mark in now.items() if before.get(name) != mark}
        shape = element.find(P + "spPr")
        if "box" in changed:
            self._move(element, node, properties)
        if shape is not None:
            if "geometry" in changed and element.tag == P + "sp":
                put(shape, "prstGeom", geometry_xml(properties.get("geometry")), ("custGeom",))
            if "fill" in changed and (paint := fill_xml(properties.get("fillStyle"))) is not None:
                put(
                    shape,
                    paint.tag[len(A) :],
                    paint,
                    ("noFill", "solidFill", "gradFill", "blipFill", "pattFill", "grpFill"),
                )
            if "line" in changed:
                put(shape, "ln", line_xml(properties.get("strokeStyle")))
        if node.get("type") == "image":
            self._picture(element, properties, "image" in changed)
        if "text" in changed:
            table = element.find(f"{A}graphic/{A}graphicData/{A}tbl")
            body = element.find(P + "txBody")
            if table is not None:
                self._table(table, node, properties)
            elif body is not None:
                patch_text(body, node, self.link)
            elif element.tag == P + "sp" and children_of(node):
                element.append(text_xml(P + "txBody", node, properties, self.link))
        if "chart" in changed:
            self._chart(element, properties)

    def _move(self, element: Any, node: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
        if element.tag == P + "graphicFrame":
            made = transform(P + "xfrm", node, properties)
            old = element.find(P + "xfrm")
            if old is not None:
                element.replace(old, made)
            else:
                element.insert(1, made)
            return
        holder = element.find(P + ("grpSpPr" if element.tag == P + "grpSp" else "spPr"))
        if holder is None:
            return
        made = transform(A + "xfrm", node, properties)
        old = holder.find(A + "xfrm")
        if old is not None:
            holder.replace(old, made)
        else:
            holder.insert(0, made)

    def _table(self, table: Any, node: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
        """Change a table's cells; where rows or cells came or went, build it anew and keep its style."""
        rows = table.findall(A + "tr")
        ours = [row for row in children_of(node) if row.get("type") == "tableRow"]
        shown = [
            [cell for cell in row.iterfind(A + "tc") if cell.get("hMerge") != "1" and cell.get("vMerge") != "1"]
            for row in rows
        ]
        if len(rows) == len(ours) and all(len(a) == len(children_of(b)) for a, b in zip(shown, ours, strict=True)):
            for theirs, row in zip(shown, ours, strict=True):
                for cell, said in zip(theirs, children_of(row), strict=True):
                    body = cell.find(A + "txBody")
                    if body is not None:
                        patch_text(body, said, self.link)
            return
        made = table_xml(node, properties, self.link)
        style = table.find(A + "tblPr")
        if style is not None:
            made.replace(made.find(A + "tblPr"), style)
        table.getparent().replace(table, made)

    def _picture(self, element: Any, properties: Mapping[str, Any], changed: bool) -> None:
        blip = element.find(f"{P}blipFill/{A}blip")
        image = properties.get("image")
        if blip is None or not isinstance(image, str) or not image:
            return
        name = blip.get(R + "embed", "")
        relation = next((each for each in self._relations if each.id == name), None)
        if relation is not None and not changed:
            if relation.target not in self._writer.parts:
                content = self._writer.picture_bytes(image)
                kind = match[1] if (match := _DATA.match(image[:200])) else _kind_of(content)[1]
                if not _NAME.fullmatch(relation.target):
                    raise Refusal("unreadable", "A picture of the tree has no name.")
                self._writer.parts[relation.target] = Part(relation.target, kind, content)
            return
        blip.set(R + "embed", self.relate("image", self._writer.picture(image).name))
        for other in blip.findall(A + "extLst"):
            # The same picture in another format, which would be shown instead.
            blip.remove(other)

    def _chart(self, element: Any, properties: Mapping[str, Any]) -> None:
        content, workbook = chart_xml(properties.get("chart"))
        data = element.find(f"{A}graphic/{A}graphicData")
        if data is None:
            return
        book = self._writer.keep("/ppt/embeddings/tree-chart.xlsx", _WORKBOOK, workbook)
        root = xml(content)
        outer = root.find(f"{{{_CHARTS}}}externalData")
        if outer is None:
            outer = node_of(f"{{{_CHARTS}}}externalData", children=[node_of(f"{{{_CHARTS}}}autoUpdate", {"val": "0"})])
            root.append(outer)
        outer.set(R + "id", "rId1")
        part = self._writer.keep(
            "/ppt/charts/tree-chart.xml", _CHART, serialised(root), [Relation("rId1", f"{RELATION}/package", book.name)]
        )
        for child in list(data):
            data.remove(child)
        data.set("uri", _CHARTS)
        data.append(node_of(f"{{{_CHARTS}}}chart", {R + "id": self.relate("chart", part.name)}))

    def relate(self, kind: str, target: str) -> str:
        """Return the id of a new relationship."""
        name = _free("rIdTree", self._taken)
        self._relations.append(Relation(name, f"{RELATION}/{kind}", target))
        return name

    def link(self, address: str) -> str:
        """Return the id of a relationship to an address, nothing where it is none to follow."""
        if not _ADDRESS.fullmatch(address):
            return ""
        known = next((each.id for each in self._relations if each.external and each.target == address), None)
        if known:
            return known
        name = _free("rIdTree", self._taken)
        self._relations.append(Relation(name, f"{RELATION}/hyperlink", address, True))
        return name

    def _new(self, node: dict[str, Any], depth: int) -> Any:
        """Return a shape of what a node says."""
        properties = property_of(node)
        self._next += 1
        attributes = {"id": str(self._next), "name": f"{node.get('type')} {self._next}"}
        named = node_of(P + "cNvPr", {key: clean(value)[:80] for key, value in attributes.items()})
        match node.get("type"):
            case "image":
                return self._new_picture(node, properties, named)
            case "table":
                table = table_xml(node, properties, self.link)
                uri = "http://schemas.openxmlformats.org/drawingml/2006/table"
                return self._framed(node, properties, named, node_of(A + "graphicData", {"uri": uri}, [table]))
            case "graphicFrame" if isinstance(properties.get("chart"), dict):
                frame = self._framed(node, properties, named, node_of(A + "graphicData", {"uri": _CHARTS}))
                self._chart(frame, properties)
                return frame
            case "container":
                inner = (
                    properties
                    if isinstance(properties.get("interiorAnchor"), list)
                    else {**properties, "interiorAnchor": box_of(node, properties)}
                )
                return node_of(
                    P + "grpSp",
                    children=[
                        node_of(P + "nvGrpSpPr", children=[named, node_of(P + "cNvGrpSpPr"), node_of(P + "nvPr")]),
                        node_of(P + "grpSpPr", children=[transform(A + "xfrm", node, inner)]),
                    ],
                )
            case "text" | "freeform" | "connector":
                return self._new_shape(node, properties, named)
            case _:
                return None

    def _new_shape(self, node: dict[str, Any], properties: Mapping[str, Any], named: Any) -> Any:
        is_box = properties.get("realType") == "TextBox"
        shape = node_of(
            P + "spPr",
            children=[
                transform(A + "xfrm", node, properties),
                geometry_xml(properties.get("geometry") or {"name": properties.get("shapeType")}),
                fill_xml(properties.get("fillStyle")),
                line_xml(properties.get("strokeStyle")),
            ],
        )
        kind = node_of(P + "cNvSpPr", {"txBox": "1"} if is_box else {})
        if node.get("type") == "connector" and not children_of(node):
            head = node_of(P + "nvCxnSpPr", children=[named, node_of(P + "cNvCxnSpPr"), node_of(P + "nvPr")])
            return node_of(P + "cxnSp", children=[head, shape])
        head = node_of(P + "nvSpPr", children=[named, kind, node_of(P + "nvPr")])
        text = text_xml(P + "txBody", node, properties, self.link)
        return node_of(P + "sp", children=[head, shape, text])

    def _new_picture(self, node: dict[str, Any], properties: Mapping[str, Any], named: Any) -> Any:
        image = properties.get("image")
        if not isinstance(image, str) or not image:
            return None
        if isinstance(properties.get("description"), str):
            named.set("descr", clean(properties["description"])[:500])
        blip = node_of(A + "blip", {R + "embed": self.relate("image", self._writer.picture(image).name)})
        crop = properties.get("clipping")
        cut = (
            node_of(
                A + "srcRect",
                {side: str(round(finite(each) * 100_000)) for side, each in zip("trbl", crop, strict=True)},
            )
            if isinstance(crop, list) and len(crop) == 4
            else None
        )
        filled = node_of(
            P + "blipFill", children=[blip, cut, node_of(A + "stretch", children=[node_of(A + "fillRect")])]
        )
        head = node_of(P + "nvPicPr", children=[named, node_of(P + "cNvPicPr"), node_of(P + "nvPr")])
        shape = node_of(
            P + "spPr",
            children=[
                transform(A + "xfrm", node, properties),
                geometry_xml(properties.get("geometry")),
                line_xml(properties.get("strokeStyle")),
            ],
        )
        return node_of(P + "pic", children=[head, filled, shape])

    def _framed(self, node: Mapping[str, Any], properties: Mapping[str, Any], named: Any, data: Any) -> Any:
        head = node_of(P + "nvGraphicFramePr", children=[named, node_of(P + "cNvGraphicFramePr"), node_of(P + "nvPr")])
        return node_of(
            P + "graphicFrame",
            children=[head, transform(P + "xfrm", node, properties), node_of(A + "graphic", children=[data])],
        )


def _info_of(page: Mapping[str, Any]) -> dict[str, Any]:
    info = page.get("extInfo")
    return info if isinstance(info, dict) else {}


def _raw_of(page: Mapping[str, Any]) -> dict[str, Any]:
    raw = _info_of(page).get("raw")
    return raw if isinstance(raw, dict) else {}


def _relations(said: Any) -> list[Relation]:
    found: list[Relation] = []
    for each in said if isinstance(said, list) else []:
        if not isinstance(each, list) or len(each) != 4 or not all(isinstance(part, str) for part in each[:3]):
            raise Refusal("unreadable", "A relationship of the tree has not its four parts.")
        name, kind, target, external = each
        if external is True:
            if kind.endswith("/hyperlink") and _ADDRESS.fullmatch(target):
                found.append(Relation(name, kind, target, True))
        elif _NAME.fullmatch(target):
            found.append(Relation(name, kind, target))
    return found


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("unreadable", "Something in the tree is no Base64.") from None


def _kind_of(content: bytes) -> tuple[str, str]:
    for start, extension, kind in _PICTURES:
        if content.startswith(start):
            return extension, kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp", "image/webp"
    raise Refusal("unreadable", "A picture of the tree is none that slides can show: PNG, JPEG, GIF, BMP, TIFF, WebP.")


def _free(stem: str, taken: set[str]) -> str:
    number = 1
    while f"{stem}{number}" in taken:
        number += 1
    taken.add(f"{stem}{number}")
    return f"{stem}{number}"
