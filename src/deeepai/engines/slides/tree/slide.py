"""A page of the tree as a slide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from ...jobs import Refusal
from ..documents.guard import xml
from .base import SLIDE
from .building import (
    box_of,
    children_of,
    fill_xml,
    finite,
    geometry_xml,
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
from .colours import A, P, R
from .markup import clean, serialised
from .nodes import marks, seen
from .opc import RELATION, Part, Relation
from .said import ADDRESS, DATA, NAME, free, info_of, kind_of, raw_of, relations_of

_MOST_DEEP: Final = 60
_SLIDE: Final = "application/vnd.openxmlformats-officedocument.presentationml.slide+xml"
_CHART: Final = "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"
_WORKBOOK: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CHARTS: Final = "http://schemas.openxmlformats.org/drawingml/2006/chart"
_ELEMENTS: Final = frozenset(
    [P + name for name in ("sp", "pic", "graphicFrame", "grpSp", "cxnSp", "contentPart")]
    + ["{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"]
)


class Writer(Protocol):
    """What a slide needs of the presentation that it is in."""

    is_blank: bool

    @property
    def parts(self) -> dict[str, Part]:
        """The package's parts."""
        ...

    def picture(self, image: str) -> Part:
        """Return a new part of a picture."""
        ...

    def picture_bytes(self, image: str) -> bytes:
        """Return a picture that a node names or holds."""
        ...

    def keep(self, name: str, kind: str, content: bytes, relations: list[Relation] | None = None) -> Part:
        """Keep a part under a name like that."""
        ...

    def layout(self, page: Mapping[str, Any]) -> str:
        """Return the name of a page's layout."""
        ...

    def behind(self, page: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what a page's master and layout draw, but their placeholders."""
        ...

    def renamed(self, relations: list[Relation]) -> list[Relation]:
        """Return relationships with slides as they are called now."""
        ...


class Slide:
    """A slide in the making."""

    def __init__(self, writer: Writer, page: dict[str, Any], number: int, *, is_copy: bool) -> None:
        self._writer, self._page, self._number = writer, page, number
        raw = raw_of(page)
        relations = writer.renamed(relations_of(raw.get("relations")))
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
        return xml(SLIDE.encode())

    def part(self) -> Part:
        """Return the slide."""
        tree = self._root.find(f"{P}cSld/{P}spTree")
        ends = tree.find(P + "extLst")
        behind = self._writer.behind(self._page) if self._writer.is_blank else []
        for node in [*behind, *children_of(self._page)]:
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
        name = old.id if old else free("rIdLayout", self._taken)
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
        info = info_of(self._page)
        said = info.get("background")
        marks_ = raw_of(self._page).get("seen")
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
        hidden = info_of(self._page).get("hidden")
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
                kind = match[1] if (match := DATA.match(image[:200])) else kind_of(content)[1]
                if not NAME.fullmatch(relation.target):
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
        name = free("rIdTree", self._taken)
        self._relations.append(Relation(name, f"{RELATION}/{kind}", target))
        return name

    def link(self, address: str) -> str:
        """Return the id of a relationship to an address, nothing where it is none to follow."""
        if not ADDRESS.fullmatch(address):
            return ""
        known = next((each.id for each in self._relations if each.external and each.target == address), None)
        if known:
            return known
        name = free("rIdTree", self._taken)
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
