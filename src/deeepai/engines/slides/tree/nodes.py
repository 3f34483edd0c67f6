"""Shapes as nodes of the tree."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from .charts import chart_of
from .colours import A, P, R, colour, fill, stroke
from .opc import Part
from .styles import POINT, View, first, number, placeholder_of

Node = dict[str, Any]

_MOST_DEEP: Final = 40
_SHAPES: Final = frozenset(P + name for name in ("sp", "pic", "graphicFrame", "grpSp", "cxnSp", "contentPart"))
_ALTERNATIVE: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_PLACEHOLDERS: Final = {
    "title": "TITLE", "body": "BODY", "ctrTitle": "CENTERED_TITLE", "subTitle": "SUBTITLE", "obj": "CONTENT",
    "pic": "PICTURE", "dt": "DATETIME", "ftr": "FOOTER", "sldNum": "SLIDE_NUMBER", "chart": "CHART", "tbl": "TABLE",
    "dgm": "DIAGRAM", "media": "MEDIA", "hdr": "HEADER", "sldImg": "SLIDE_IMAGE", "clipArt": "CLIP_ART",
}  # fmt: skip
_ALIGNMENTS: Final = {"l": "LEFT", "ctr": "CENTER", "r": "RIGHT", "just": "JUSTIFY", "dist": "DIST"}
_ANCHORS: Final = {"t": "TOP", "ctr": "MIDDLE", "b": "BOTTOM"}
_CHART_URI: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"


def seen(value: Any) -> str:
    """Return a mark of what a value says, the same after JSON of any language has been through it."""
    said = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2s(said.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _plain(value: Any) -> Any:
    match value:
        case bool() | str() | None:
            return value
        case int() | float():
            return round(float(value), 2) + 0.0
        case dict():
            return {str(key): _plain(each) for key, each in value.items() if each is not None}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return str(value)


def raw(element: Any) -> str:
    """Return an element's XML."""
    return etree.tostring(element, encoding="unicode", with_tail=False)


class Reader:
    """Makes nodes of a slide's, layout's or master's shapes.

    Parameters
    ----------
    prefix : str
        Of the nodes' ids.
    part : Part
        Whose relationships the shapes use.
    found : callable
        Returns a part by its name.
    held : set of str
        Names of pictures that nodes hold, to be added to.
    """

    def __init__(
        self, view: View, prefix: str, part: Part, found: Callable[[str], Part | None], held: set[str]
    ) -> None:
        self._view, self._prefix, self._found, self._held = view, prefix, found, held
        self._targets = {relation.id: relation for relation in part.relations}
        self._ids = set[str]()

    def nodes(self, tree: Any, depth: int = 1, pid: str = "") -> list[Node]:
        """Return the nodes of all shapes in a tree of shapes."""
        return [node for element in shapes_in(tree) if (node := self._node(element, depth, pid)) is not None]

    def _node(self, element: Any, depth: int, pid: str) -> Node | None:
        if depth > _MOST_DEEP:
            return None
        node: Node = {"id": self._id(element)}
        if pid:
            node["pid"] = pid
        node.update({"type": "diagram", "depth": depth})
        box, rotation, flips = self._place(element)
        if box:
            node["point"] = box
        properties: dict[str, Any] = {"anchor": box} if box else {}
        if rotation:
            properties["rotation"] = rotation
        properties.update(flips)
        node["extInfo"] = {"property": properties}
        node["children"] = []
        xml = element
        if element.tag in (P + "sp", P + "cxnSp"):
            self._shape(element, node, properties)
        elif element.tag == P + "pic":
            self._picture(element, node, properties)
        elif element.tag == P + "grpSp":
            xml = self._group(element, node, properties)
        elif element.tag == P + "graphicFrame":
            self._frame(element, node, properties)
        node["extInfo"]["raw"] = {"xml": raw(xml), "seen": marks(node)}
        return node

    def _id(self, element: Any) -> str:
        named = next((each for each in element.iter(P + "cNvPr")), None)
        number_ = named.get("id", "0") if named is not None else "0"
        name = base = f"{self._prefix}{number_}"
        count = 1
        while name in self._ids:
            count += 1
            name = f"{base}.{count}"
        self._ids.add(name)
        return name

    def _place(self, element: Any) -> tuple[list[float], float, dict[str, bool]]:
        transform = self._view.transform(element)
        if transform is None:
            return [], 0.0, {}
        offset, extent = transform.find(A + "off"), transform.find(A + "ext")
        if offset is None or extent is None:
            return [], 0.0, {}
        box = [
            round(number(value) / POINT, 3)
            for value in (offset.get("x"), offset.get("y"), extent.get("cx"), extent.get("cy"))
        ]
        flips = {
            name: True
            for key, name in (("flipH", "flipHorizontal"), ("flipV", "flipVertical"))
            if transform.get(key) in ("1", "true")
        }
        return box, number(transform.get("rot")) / 60_000, flips

    def _shape(self, element: Any, node: Node, properties: dict[str, Any]) -> None:
        view = self._view
        node["type"] = "connector" if element.tag == P + "cxnSp" else "text"
        geometry = element.find(f"{P}spPr/{A}prstGeom")
        custom = element.find(f"{P}spPr/{A}custGeom")
        name = geometry.get("prst", "rect") if geometry is not None else "custom" if custom is not None else "rect"
        is_box = element.find(f"{P}nvSpPr/{P}cNvSpPr[@txBox]") is not None
        adjustments = geometry.findall(f"{A}avLst/{A}gd") if geometry is not None else []
        properties.update(
            {
                "realType": "TextBox" if is_box or placeholder_of(element) is not None else "Auto",
                "shapeType": name,
                "geometry": {
                    "name": name,
                    "data": None,
                    "avLst": [{"name": each.get("name"), "fmla": each.get("fmla")} for each in adjustments] or None,
                    "textBounds": None,
                },
                "fillStyle": view.fill(element),
                "strokeStyle": self._stroke(element),
            }
        )
        self._placeholder(element, properties)
        body = element.find(P + "txBody")
        if body is not None:
            properties.update(body_of(view.body(element)))
            node["children"] = self.paragraphs(body, element, node["id"], node["depth"] + 1)

    def _stroke(self, element: Any) -> dict[str, Any]:
        line = self._view.line(element)
        found = stroke(line, self._view.palette)
        reference = element.find(f"{P}style/{A}lnRef")
        if "paint" not in found and reference is not None and reference.get("idx", "0") != "0":
            paint = colour(reference, self._view.palette)
            if paint:
                found = {"paint": {"type": "color", "color": paint}, **found}
                found.setdefault("lineWidth", 1.0)
        return found

    def _placeholder(self, element: Any, properties: dict[str, Any]) -> None:
        placeholder = placeholder_of(element)
        if placeholder is not None:
            kind = placeholder.get("type", "obj")
            properties["placeholder"] = {
                "type": _PLACEHOLDERS.get(kind, kind.upper()),
                "idx": number(placeholder.get("idx")),
                "size": placeholder.get("sz"),
                "visible": True,
            }

    def _picture(self, element: Any, node: Node, properties: dict[str, Any]) -> None:
        node["type"] = "image"
        properties["realType"] = "Picture"
        self._placeholder(element, properties)
        named = element.find(f"{P}nvPicPr/{P}cNvPr")
        if named is not None and named.get("descr"):
            properties["description"] = named.get("descr")
        filled = element.find(P + "blipFill")
        crop = filled.find(A + "srcRect") if filled is not None else None
        if crop is not None and crop.attrib:
            properties["clipping"] = [number(crop.get(side)) / 100_000 for side in ("t", "r", "b", "l")]
        geometry = element.find(f"{P}spPr/{A}prstGeom")
        properties["geometry"] = {"name": geometry.get("prst", "rect") if geometry is not None else "rect"}
        properties["strokeStyle"] = stroke(element.find(f"{P}spPr/{A}ln"), self._view.palette)
        blip = filled.find(A + "blip") if filled is not None else None
        relation = self._targets.get(blip.get(R + "embed", "")) if blip is not None else None
        part = self._found(relation.target) if relation is not None and not relation.external else None
        if part is not None:
            self._held.add(part.name)
            properties["image"] = f"data:{part.type};base64,{base64.b64encode(part.content).decode()}"

    def _group(self, element: Any, node: Node, properties: dict[str, Any]) -> Any:
        node["type"] = "container"
        properties["realType"] = "Group"
        transform = element.find(f"{P}grpSpPr/{A}xfrm")
        if transform is not None:
            offset, extent = transform.find(A + "chOff"), transform.find(A + "chExt")
            if offset is not None and extent is not None:
                properties["interiorAnchor"] = [
                    round(number(value) / POINT, 3)
                    for value in (offset.get("x"), offset.get("y"), extent.get("cx"), extent.get("cy"))
                ]
        node["children"] = self.nodes(element, node["depth"] + 1, node["id"])
        return without_shapes(element)

    def _frame(self, element: Any, node: Node, properties: dict[str, Any]) -> None:
        properties["realType"] = "graphicFrame"
        self._placeholder(element, properties)
        table = element.find(f"{A}graphic/{A}graphicData/{A}tbl")
        chart = element.find(f"{A}graphic/{A}graphicData/{_CHART_URI}")
        if table is not None:
            self._table(table, node, properties)
        elif chart is not None:
            node["type"] = "graphicFrame"
            relation = self._targets.get(chart.get(R + "id", ""))
            part = self._found(relation.target) if relation is not None else None
            if part is not None and (said := chart_of(part.content)):
                properties["chart"] = said

    def _table(self, table: Any, node: Node, properties: dict[str, Any]) -> None:
        node["type"] = "table"
        columns = [round(number(each.get("w")) / POINT, 3) for each in table.iterfind(f"{A}tblGrid/{A}gridCol")]
        rows = table.findall(A + "tr")
        heights = [round(number(row.get("h")) / POINT, 3) for row in rows]
        properties.update(
            {
                "realType": "table",
                "numberOfRows": len(rows),
                "numberOfColumns": len(columns),
                "rowHeight": heights,
                "columnWidth": columns,
            }
        )
        style = table.find(A + "tblPr")
        if style is not None and style.findtext(A + "tableStyleId"):
            properties["tableStyleId"] = style.findtext(A + "tableStyleId")
            properties["tableStyleParts"] = sorted(key for key in style.attrib if style.get(key) in ("1", "true"))
        for place, row in enumerate(rows):
            line: Node = {
                "id": f"{node['id']}-{place}",
                "pid": node["id"],
                "type": "tableRow",
                "depth": node["depth"] + 1,
                "extInfo": {"property": {"height": heights[place]}},
                "children": [],
            }
            node["children"].append(line)
            for column, cell in enumerate(row.iterfind(A + "tc")):
                if cell.get("hMerge") not in ("1", "true") and cell.get("vMerge") not in ("1", "true"):
                    line["children"].append(self._cell(cell, line, column))

    def _cell(self, cell: Any, line: Node, column: int) -> Node:
        properties: dict[str, Any] = {"realType": "TableCell", "column": column}
        said = cell.find(A + "tcPr")
        if said is not None:
            if (paint := fill(said, self._view.palette)) is not None:
                properties["fillStyle"] = paint
            properties["textVerticalAlignment"] = _ANCHORS.get(said.get("anchor", "t"), "TOP")
            borders = [stroke(said.find(A + name), self._view.palette) for name in ("lnT", "lnR", "lnB", "lnL")]
            if any(borders):
                properties["borders"] = borders
        node: Node = {
            "id": f"{line['id']}-{column}",
            "pid": line["id"],
            "type": "tableColumn",
            "depth": line["depth"] + 1,
            "extInfo": {"property": properties},
            "children": [],
        }
        for key, name in (("rowSpan", "rowSpan"), ("gridSpan", "gridSpan")):
            if cell.get(key):
                node["extInfo"][name] = number(cell.get(key), 1)
        body = cell.find(A + "txBody")
        if body is not None:
            node["children"] = self.paragraphs(body, cell, node["id"], node["depth"] + 1)
        return node

    def paragraphs(self, body: Any, shape: Any, pid: str, depth: int) -> list[Node]:
        """Return the paragraphs of a text."""
        return [
            self._paragraph(paragraph, shape, pid, depth, place)
            for place, paragraph in enumerate(body.iterfind(A + "p"))
        ]

    def _paragraph(self, paragraph: Any, shape: Any, pid: str, depth: int, place: int) -> Node:
        own = paragraph.find(A + "pPr")
        level = number(own.get("lvl")) if own is not None else 0
        levels = self._view.levels(shape, level)
        chain = [*([own] if own is not None else []), *levels]
        name = f"{pid}p{place}"
        node: Node = {
            "id": name,
            "pid": pid,
            "type": "p",
            "depth": depth,
            "extInfo": {"property": paragraph_of(chain, level)},
            "children": [],
        }
        defaults = [found for each in chain if (found := each.find(A + "defRPr")) is not None]
        nearer = sum(each.getparent().getparent().getparent() is shape for each in levels if each in chain)
        reference = shape.find(f"{P}style/{A}fontRef")
        for run, element in enumerate(each for each in paragraph if each.tag in _RUNS):
            said = element.find(A + "rPr")
            run_chain = [*([said] if said is not None else []), *defaults]
            properties = self._run(run_chain, reference, len(run_chain) - len(defaults) + nearer)
            text = "\n" if element.tag == A + "br" else (element.findtext(A + "t") or "")
            if element.tag == A + "fld" and element.get("type") == "slidenum":
                properties["slideNum"] = True
            child: Node = {
                "id": f"{name}r{run}",
                "pid": name,
                "type": "r",
                "text": text,
                "depth": depth + 1,
                "extInfo": {"property": properties},
                "children": [],
            }
            child["extInfo"]["seen"] = seen(properties)
            node["children"].append(child)
        node["extInfo"]["seen"] = seen(node["extInfo"]["property"])
        return node

    def _run(self, chain: list[Any], reference: Any, own: int) -> dict[str, Any]:
        palette = self._view.palette
        found: dict[str, Any] = {"fontSize": number(first(chain, "sz"), 1800) / 100}
        for key, name in (("b", "bold"), ("i", "italic")):
            if first(chain, key) in ("1", "true"):
                found[name] = True
        if first(chain, "u") not in (None, "none"):
            found["underlined"] = True
        if first(chain, "strike") not in (None, "noStrike"):
            found["strikethrough"] = True
        if spacing := number(first(chain, "spc")):
            found["characterSpacing"] = spacing / 100
        # A shape's style is nearer than the master's text styles, and farther than what the shape itself says.
        base = colour(reference, palette) if reference is not None else None
        near = chain[:own] if base else chain
        black = _opaque(palette.slot("tx1"))
        found["fontColor"] = next(
            (paint for each in near if (paint := fill(each, palette)) is not None),
            {"type": "color", "color": base or {"scheme": "tx1", "realColor": black, "color": black}},
        )
        for kind, name in (("latin", "fontFamily"), ("ea", "fontFamilyEastAsian")):
            face = next(
                (each.find(A + kind).get("typeface", "") for each in chain if each.find(A + kind) is not None), ""
            )
            if family := palette.family(face or ("+mn-lt" if kind == "latin" else "+mn-ea")):
                found[name] = family
        marked = chain[0].find(A + "highlight") if chain else None
        if marked is not None:
            found["highlightColor"] = colour(marked, palette)
        if language := first(chain, "lang"):
            found["lang"] = language
        link = chain[0].find(A + "hlinkClick") if chain else None
        relation = self._targets.get(link.get(R + "id", "")) if link is not None else None
        if relation is not None and relation.external:
            found["hyperlink"] = relation.target
        return found


_RUNS: Final = frozenset(A + name for name in ("r", "br", "fld"))


def _opaque(rgb: int) -> int:
    return (0xFF << 24 | rgb) - (1 << 32)


def marks(node: Mapping[str, Any]) -> dict[str, str]:
    """Return a mark of each of a node's sides: what of them is changed later shows by it."""
    properties = node["extInfo"]["property"]
    sides = {
        "box": [node.get("point"), *(properties.get(name) for name in ("rotation", "flipHorizontal", "flipVertical"))],
        "fill": properties.get("fillStyle"),
        "line": properties.get("strokeStyle"),
        "geometry": properties.get("geometry"),
        "image": properties.get("image"),
        "chart": properties.get("chart"),
    }
    if node["type"] in ("text", "table"):
        sides["text"] = [stripped(child) for child in node["children"]]
    return {name: seen(value) for name, value in sides.items() if value is not None}


def stripped(node: Mapping[str, Any]) -> Any:
    """Return what a text's node says, without ids and marks."""
    info = node.get("extInfo")
    info = info if isinstance(info, dict) else {}
    children = node.get("children")
    return [
        node.get("type"),
        node.get("text"),
        info.get("property"),
        info.get("rowSpan"),
        info.get("gridSpan"),
        [stripped(child) for child in children if isinstance(child, dict)] if isinstance(children, list) else [],
    ]


def shapes_in(tree: Any) -> Iterator[Any]:
    """Yield a tree's shapes, in their order."""
    for child in tree:
        if child.tag in _SHAPES or child.tag == _ALTERNATIVE:
            yield child


def without_shapes(tree: Any) -> Any:
    """Return a copy of a tree of shapes without them."""
    copied = etree.fromstring(etree.tostring(tree))
    for shape in list(shapes_in(copied)):
        copied.remove(shape)
    return copied


def body_of(chain: list[Any]) -> dict[str, Any]:
    """Return how text is set in a box."""
    fitted = next(
        (
            each.tag
            for body in chain
            for each in body
            if each.tag in (A + "noAutofit", A + "normAutofit", A + "spAutoFit")
        ),
        A + "noAutofit",
    )
    vertical = first(chain, "vert") or "horz"
    insets = [
        round(number(first(chain, name), otherwise) / POINT, 3)
        for name, otherwise in (("tIns", 45_720), ("rIns", 91_440), ("bIns", 45_720), ("lIns", 91_440))
    ]
    found: dict[str, Any] = {
        "textAutofit": {"noAutofit": "NONE", "normAutofit": "NORMAL", "spAutoFit": "SHAPE"}[fitted[len(A) :]],
        "textDirection": "HORIZONTAL" if vertical == "horz" else "EA_VERTICAL" if vertical == "eaVert" else vertical,
        "textVerticalAlignment": _ANCHORS.get(first(chain, "anchor") or "t", "TOP"),
        "textWordWrap": first(chain, "wrap") != "none",
        "textInsets": insets,
    }
    shrunk = next((each for body in chain[:1] for each in body if each.tag == A + "normAutofit"), None)
    for key, name in (("fontScale", "fontScale"), ("lnSpcReduction", "lineSpacingReduction")):
        if shrunk is not None and shrunk.get(key):
            found[name] = number(shrunk.get(key))
    return found


def paragraph_of(chain: list[Any], level: int) -> dict[str, Any]:
    """Return a paragraph's properties."""
    found: dict[str, Any] = {"textAlign": _ALIGNMENTS.get(first(chain, "algn") or "l", "LEFT")}
    if level:
        found["indentLevel"] = level
    found["leftMargin"] = round(number(first(chain, "marL")) / POINT, 3)
    if indent := number(first(chain, "indent")):
        found["indent"] = round(indent / POINT, 3)
    if first(chain, "rtl") in ("1", "true"):
        found["rightToLeft"] = True
    for tag, name in (("lnSpc", "lineSpacing"), ("spcBef", "spaceBefore"), ("spcAft", "spaceAfter")):
        spacing = next((each.find(A + tag) for each in chain if each.find(A + tag) is not None), None)
        if spacing is None:
            continue
        share, points = spacing.find(A + "spcPct"), spacing.find(A + "spcPts")
        if share is not None:
            found[name] = number(share.get("val", "").rstrip("%")) / (1000 if "%" not in share.get("val", "") else 1)
        elif points is not None:
            found[f"{name}Points" if name == "lineSpacing" else name] = number(points.get("val")) / 100
    for each in chain:
        if each.find(A + "buNone") is not None:
            found["bulletStyle"] = {"buNone": True}
            break
        mark, numbered = each.find(A + "buChar"), each.find(A + "buAutoNum")
        if mark is not None:
            font = each.find(A + "buFont")
            found["bulletStyle"] = {
                "bulletCharacter": mark.get("char", "•"),
                "bulletFont": font.get("typeface", "") if font is not None else "",
            }
            break
        if numbered is not None:
            found["bulletStyle"] = {"autoNumber": numbered.get("type", "arabicPeriod")}
            break
    return found
