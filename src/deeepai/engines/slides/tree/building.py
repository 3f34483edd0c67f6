"""Nodes of the tree as shapes: their own XML, changed where they were changed, or new XML of what they say."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]
from pptx.enum.shapes import MSO_AUTO_SHAPE_TYPE

from .colours import A, R, hexadecimal
from .markup import clean
from .nodes import seen

POINT: Final = 12_700
_FARTHEST: Final = 1_000_000.0
"""Points; what is farther is not on a slide."""
_ALIGNMENTS: Final = {"LEFT": "l", "CENTER": "ctr", "RIGHT": "r", "JUSTIFY": "just", "DIST": "dist"}
_ANCHORS: Final = {"TOP": "t", "MIDDLE": "ctr", "BOTTOM": "b"}
_FILLS: Final = ("noFill", "solidFill", "gradFill", "blipFill", "pattFill", "grpFill")
_SHAPE_ORDER: Final = (
    "xfrm",
    "custGeom",
    "prstGeom",
    *_FILLS,
    "ln",
    "effectLst",
    "effectDag",
    "scene3d",
    "sp3d",
    "extLst",
)
_OUTLINES: Final = frozenset(
    ["line", "straightConnector1", "bentConnector2", "bentConnector3", "curvedConnector3"]
    + [kind.xml_value for kind in MSO_AUTO_SHAPE_TYPE if kind.xml_value]
)
_NUMBERINGS: Final = re.compile(
    r"(?:alphaLc|alphaUc|arabic|romanLc|romanUc)(?:ParenBoth|ParenR|Period)|arabicPlain|circleNumDbPlain"
)


_STYLE: Final = re.compile(r"\{[0-9A-Fa-f-]{36}\}")
_STYLE_PARTS: Final = ("firstRow", "firstCol", "lastRow", "lastCol", "bandRow", "bandCol")


def node_of(tag: str, attributes: Mapping[str, str] | None = None, children: Iterable[Any] = ()) -> Any:
    """Return an element."""
    element = etree.Element(tag, dict(attributes or {}))
    element.extend([child for child in children if child is not None])
    return element


def finite(value: Any, otherwise: float = 0.0) -> float:
    """Return a number from the tree; what is none, or not finite, counts as `otherwise`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return otherwise
    return min(max(float(value), -_FARTHEST), _FARTHEST)


def emu(value: Any, otherwise: float = 0.0) -> str:
    """Return points as EMU."""
    return str(round(finite(value, otherwise) * POINT))


def box_of(node: Mapping[str, Any], properties: Mapping[str, Any]) -> list[float]:
    """Return x, y, width and height of a node."""
    for found in (node.get("point"), properties.get("anchor")):
        if isinstance(found, list) and len(found) == 4:
            return [finite(each) for each in found]
    return [0.0, 0.0, 100.0, 40.0]


def transform(tag: str, node: Mapping[str, Any], properties: Mapping[str, Any]) -> Any:
    """Return the element that says where a node is."""
    x, y, wide, high = box_of(node, properties)
    attributes: dict[str, str] = {}
    if rotation := finite(properties.get("rotation")):
        attributes["rot"] = str(round(rotation * 60_000))
    for name, key in (("flipHorizontal", "flipH"), ("flipVertical", "flipV")):
        if properties.get(name) is True:
            attributes[key] = "1"
    inner = properties.get("interiorAnchor")
    children = [
        node_of(A + "off", {"x": emu(x), "y": emu(y)}),
        node_of(A + "ext", {"cx": emu(max(wide, 0)), "cy": emu(max(high, 0))}),
    ]
    if isinstance(inner, list) and len(inner) == 4:
        children.append(node_of(A + "chOff", {"x": emu(inner[0]), "y": emu(inner[1])}))
        children.append(
            node_of(A + "chExt", {"cx": emu(max(finite(inner[2]), 0)), "cy": emu(max(finite(inner[3]), 0))})
        )
    return node_of(tag, attributes, children)


def colour_xml(said: Any) -> Any:
    """Return a colour: the theme's by its name, where it is one, else its own."""
    said = said if isinstance(said, dict) else {}
    value = said.get("realColor", said.get("color", -16777216))
    rgb = int(finite(value, -16777216)) if not isinstance(value, int) else value
    scheme = said.get("scheme")
    names = ("alpha", "lumMod", "lumOff", "shade", "tint", "satMod", "satOff", "hueMod", "hueOff")
    if isinstance(scheme, str) and scheme in _SCHEMES:
        changes = [
            node_of(A + name, {"val": str(int(finite(said.get(name))))})
            for name in names
            if isinstance(said.get(name), int | float)
        ]
        return node_of(A + "schemeClr", {"val": scheme}, changes)
    opaque = (rgb >> 24) & 255
    alpha = [node_of(A + "alpha", {"val": str(round(opaque / 255 * 100_000))})] if 0 < opaque < 255 else []
    return node_of(A + "srgbClr", {"val": hexadecimal(rgb)}, alpha)


_SCHEMES: Final = frozenset(
    ["bg1", "tx1", "bg2", "tx2", "accent1", "accent2", "accent3", "accent4", "accent5", "accent6", "hlink", "folHlink",
     "dk1", "lt1", "dk2", "lt2"]
)  # fmt: skip


def fill_xml(said: Any) -> Any:
    """Return a fill, None where the tree says none that can be written."""
    if not isinstance(said, dict):
        return None
    match said.get("type"):
        case "noFill":
            return node_of(A + "noFill")
        case "color":
            return node_of(A + "solidFill", children=[colour_xml(said.get("color"))])
        case "gradient":
            gradient = said.get("gradient")
            gradient = gradient if isinstance(gradient, dict) else {}
            colours, places = gradient.get("colors"), gradient.get("fractions")
            if (
                not isinstance(colours, list)
                or not isinstance(places, list)
                or not 2 <= len(colours) == len(places) <= 64
            ):
                return None
            stops = [
                node_of(A + "gs", {"pos": str(round(min(max(finite(place), 0), 1) * 100_000))}, [colour_xml(each)])
                for place, each in zip(places, colours, strict=True)
            ]
            angle = round(finite(gradient.get("angle")) % 360 * 60_000)
            line = node_of(A + "lin", {"ang": str(angle), "scaled": "0"})
            return node_of(A + "gradFill", {"rotWithShape": "1"}, [node_of(A + "gsLst", children=stops), line])
        case "groupFill":
            return node_of(A + "grpFill")
        case _:
            return None


def line_xml(said: Any, tag: str = "ln") -> Any:
    """Return an outline, None where the tree says nothing of it."""
    if not isinstance(said, dict) or not said:
        return None
    attributes = {"w": emu(said.get("lineWidth"), 0.75)} if "lineWidth" in said else {}
    for name, key, allowed in (
        ("lineCap", "cap", ("rnd", "sq", "flat")),
        ("lineCompound", "cmpd", ("sng", "dbl", "thickThin", "thinThick", "tri")),
    ):
        if said.get(name) in allowed:
            attributes[key] = said[name]
    dash = said.get("lineDash")
    dashes = (
        "solid",
        "dot",
        "dash",
        "lgDash",
        "dashDot",
        "lgDashDot",
        "lgDashDotDot",
        "sysDash",
        "sysDot",
        "sysDashDot",
    )
    return node_of(
        A + tag,
        attributes,
        [fill_xml(said.get("paint")), node_of(A + "prstDash", {"val": str(dash)}) if dash in dashes else None],
    )


def geometry_xml(said: Any) -> Any:
    """Return a shape's outline by its name."""
    said = said if isinstance(said, dict) else {}
    name = said.get("name")
    name = name if isinstance(name, str) and name in _OUTLINES else "rect"
    adjustments = said.get("avLst")
    guides = [
        node_of(A + "gd", {"name": str(each.get("name"))[:20], "fmla": str(each.get("fmla"))[:60]})
        for each in (adjustments if isinstance(adjustments, list) else [])[:16]
        if isinstance(each, dict) and str(each.get("fmla", "")).startswith("val ")
    ]
    return node_of(A + "prstGeom", {"prst": name}, [node_of(A + "avLst", children=guides)])


def put(properties: Any, tag: str, element: Any, replaced: Iterable[str] = ()) -> None:
    """Put a part of shape properties where the schema wants it, in place of others."""
    for name in (tag, *replaced):
        for old in properties.findall(A + name):
            properties.remove(old)
    if element is None:
        return
    after = _SHAPE_ORDER[_SHAPE_ORDER.index(tag) + 1 :] if tag in _SHAPE_ORDER else ()
    following = next((child for child in properties if child.tag in {A + name for name in after}), None)
    if following is None:
        properties.append(element)
    else:
        following.addprevious(element)


def body_xml(properties: Mapping[str, Any]) -> Any:
    """Return how text is set in a box."""
    attributes = {"wrap": "none" if properties.get("textWordWrap") is False else "square"}
    direction = properties.get("textDirection")
    if direction in ("EA_VERTICAL", "eaVert"):
        attributes["vert"] = "eaVert"
    elif direction in ("vert", "vert270", "wordArtVert", "mongolianVert", "wordArtVertRtl"):
        attributes["vert"] = str(direction)
    insets = properties.get("textInsets")
    if isinstance(insets, list) and len(insets) == 4:
        attributes.update(
            {name: emu(each) for name, each in zip(("tIns", "rIns", "bIns", "lIns"), insets, strict=True)}
        )
    attributes["anchor"] = _ANCHORS.get(str(properties.get("textVerticalAlignment")), "t")
    fitted = {"NORMAL": "normAutofit", "SHAPE": "spAutoFit"}.get(str(properties.get("textAutofit")), "noAutofit")
    shrunk = {
        key: str(round(finite(properties[name])))
        for key, name in (("fontScale", "fontScale"), ("lnSpcReduction", "lineSpacingReduction"))
        if fitted == "normAutofit" and 0 < finite(properties.get(name)) <= 100_000
    }
    return node_of(A + "bodyPr", attributes, [node_of(A + fitted, shrunk)])


def paragraph_xml(node: Mapping[str, Any], link: Any) -> Any:
    """Return a paragraph.

    Parameters
    ----------
    link : callable
        Returns the id of a relationship to an address, or nothing.
    """
    properties = property_of(node)
    attributes = {"algn": _ALIGNMENTS.get(str(properties.get("textAlign")), "l")}
    level = int(finite(properties.get("indentLevel")))
    if 0 < level < 9:
        attributes["lvl"] = str(level)
    for name, key in (("leftMargin", "marL"), ("indent", "indent")):
        if isinstance(properties.get(name), int | float):
            attributes[key] = emu(min(max(finite(properties[name]), -4032), 4032))
    if properties.get("rightToLeft") is True:
        attributes["rtl"] = "1"
    children: list[Any] = []
    spacing = properties.get("lineSpacing")
    if isinstance(spacing, int | float):
        # Zero and less is a hundred per cent and that much more.
        share = finite(spacing) if spacing > 0 else 100 + abs(finite(spacing))
        children.append(node_of(A + "lnSpc", children=[node_of(A + "spcPct", {"val": str(round(share * 1000))})]))
    elif isinstance(properties.get("lineSpacingPoints"), int | float):
        points = str(round(min(finite(properties["lineSpacingPoints"]), 1584) * 100))
        children.append(node_of(A + "lnSpc", children=[node_of(A + "spcPts", {"val": points})]))
    for name, tag in (("spaceBefore", "spcBef"), ("spaceAfter", "spcAft")):
        if isinstance(properties.get(name), int | float):
            points = str(round(min(max(finite(properties[name]), 0), 1584) * 100))
            children.append(node_of(A + tag, children=[node_of(A + "spcPts", {"val": points})]))
    children.extend(_bullet(properties.get("bulletStyle")))
    paragraph = node_of(A + "p", children=[node_of(A + "pPr", attributes, children)])
    runs = children_of(node)
    for run in runs:
        paragraph.extend(run_xml(run, link))
    if not runs and isinstance(node.get("text"), str):
        paragraph.extend(run_xml(node, link))
    return paragraph


def _bullet(said: Any) -> list[Any]:
    if not isinstance(said, dict):
        return []
    if said.get("buNone"):
        return [node_of(A + "buNone")]
    if isinstance(said.get("autoNumber"), str) and _NUMBERINGS.fullmatch(said["autoNumber"]):
        return [node_of(A + "buAutoNum", {"type": said["autoNumber"]})]
    mark = said.get("bulletCharacter")
    if not isinstance(mark, str) or not mark:
        return []
    font = said.get("bulletFont")
    faces = [node_of(A + "buFont", {"typeface": clean(font)[:80]})] if isinstance(font, str) and font else []
    return [*faces, node_of(A + "buChar", {"char": clean(mark)[:4]})]


def run_xml(node: Mapping[str, Any], link: Any) -> list[Any]:
    """Return a run; lines of its text are parted by breaks."""
    properties = property_of(node)
    text = node.get("text")
    found: list[Any] = []
    lines = clean(text).split("\n") if isinstance(text, str) else [""]
    for place, line in enumerate(lines):
        if place:
            found.append(node_of(A + "br", children=[run_properties(properties, link)]))
        if line or len(lines) == 1:
            words = node_of(A + "t")
            words.text = line
            if properties.get("slideNum") is True:
                attributes = {"id": "{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}", "type": "slidenum"}
                found.append(node_of(A + "fld", attributes, [run_properties(properties, link), words]))
            else:
                found.append(node_of(A + "r", children=[run_properties(properties, link), words]))
    return found


def run_properties(properties: Mapping[str, Any], link: Any) -> Any:
    """Return how a run is set."""
    attributes: dict[str, str] = {}
    language = properties.get("lang")
    if isinstance(language, str) and language.replace("-", "").isalnum():
        attributes["lang"] = language[:20]
    if isinstance(properties.get("fontSize"), int | float):
        attributes["sz"] = str(round(min(max(finite(properties["fontSize"], 18), 1), 4000) * 100))
    for name, key in (("bold", "b"), ("italic", "i")):
        if isinstance(properties.get(name), bool):
            attributes[key] = "1" if properties[name] else "0"
    if properties.get("underlined") is True:
        attributes["u"] = "sng"
    if properties.get("strikethrough") is True:
        attributes["strike"] = "sngStrike"
    if isinstance(properties.get("characterSpacing"), int | float):
        attributes["spc"] = str(round(min(max(finite(properties["characterSpacing"]), -4000), 4000) * 100))
    children = [fill_xml(properties.get("fontColor"))]
    if isinstance(properties.get("highlightColor"), dict):
        children.append(node_of(A + "highlight", children=[colour_xml(properties["highlightColor"])]))
    latin, eastern = properties.get("fontFamily"), properties.get("fontFamilyEastAsian")
    for tag, face in (("latin", latin), ("ea", eastern or latin), ("cs", latin)):
        if isinstance(face, str) and face:
            children.append(node_of(A + tag, {"typeface": clean(face)[:80]}))
    address = properties.get("hyperlink")
    if isinstance(address, str) and (name := link(address)):
        children.append(node_of(A + "hlinkClick", {R + "id": name}))
    return node_of(A + "rPr", attributes, children)


def text_xml(tag: str, node: Mapping[str, Any], properties: Mapping[str, Any], link: Any) -> Any:
    """Return a whole text."""
    paragraphs = [paragraph_xml(each, link) for each in children_of(node)] or [node_of(A + "p")]
    return node_of(tag, children=[body_xml(properties), node_of(A + "lstStyle"), *paragraphs])


def patch_text(body: Any, node: Mapping[str, Any], link: Any) -> None:
    """Change a text where its nodes were changed; where paragraphs came or went, set it anew."""
    paragraphs = body.findall(A + "p")
    nodes = children_of(node)
    runs = [[each for each in paragraph if each.tag in (A + "r", A + "br", A + "fld")] for paragraph in paragraphs]
    if len(paragraphs) != len(nodes) or any(
        len(theirs) != len(children_of(ours)) for theirs, ours in zip(runs, nodes, strict=True)
    ):
        for paragraph in paragraphs:
            body.remove(paragraph)
        body.extend([paragraph_xml(each, link) for each in nodes] or [node_of(A + "p")])
        return
    for paragraph, theirs, ours in zip(paragraphs, runs, nodes, strict=True):
        if _is_changed(ours):
            made = paragraph_xml({**ours, "children": []}, link).find(A + "pPr")
            old = paragraph.find(A + "pPr")
            if old is not None:
                paragraph.remove(old)
            paragraph.insert(0, made)
        for element, said in zip(theirs, children_of(ours), strict=True):
            if _is_changed(said):
                old = element.find(A + "rPr")
                if old is not None:
                    element.remove(old)
                element.insert(0, run_properties(property_of(said), link))
            words, text = element.find(A + "t"), said.get("text")
            if words is not None and isinstance(text, str) and words.text != text:
                if "\n" in text:
                    made = run_xml(said, link)
                    for each in made:
                        element.addprevious(each)
                    paragraph.remove(element)
                else:
                    words.text = clean(text)


def _is_changed(node: Mapping[str, Any]) -> bool:
    info = node.get("extInfo")
    return not isinstance(info, dict) or info.get("seen") != seen(info.get("property"))


def property_of(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node's properties."""
    info = node.get("extInfo")
    properties = info.get("property") if isinstance(info, dict) else None
    return properties if isinstance(properties, dict) else {}


def children_of(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a node's children."""
    children = node.get("children")
    return [child for child in children if isinstance(child, dict)] if isinstance(children, list) else []


def table_xml(node: Mapping[str, Any], properties: Mapping[str, Any], link: Any) -> Any:
    """Return a table."""
    rows = [row for row in children_of(node) if row.get("type") == "tableRow"][:200]
    _, _, wide, high = box_of(node, properties)
    given = properties.get("columnWidth")
    widths = [max(finite(each), 1) for each in given][:100] if isinstance(given, list) else []
    many = max(len(widths), max((len(children_of(row)) for row in rows), default=1), 1)
    widths = widths or [wide / many] * many
    heights = properties.get("rowHeight")
    grid: list[list[Any]] = []
    blocked: dict[tuple[int, int], tuple[bool, bool]] = {}
    for place, row in enumerate(rows):
        cells: list[Any] = [None] * len(widths)
        following = 0
        for cell in children_of(row):
            said = property_of(cell)
            column = said.get("column")
            column = column if isinstance(column, int) and 0 <= column < len(widths) else following
            while column < len(widths) and (place, column) in blocked:
                column += 1
            if column >= len(widths):
                break
            found = cell.get("extInfo")
            info: dict[str, Any] = found if isinstance(found, dict) else {}
            down, across = (int(min(max(finite(info.get(name), 1), 1), 200)) for name in ("rowSpan", "gridSpan"))
            across, down = min(across, len(widths) - column), min(down, len(rows) - place)
            for y in range(place, place + down):
                for x in range(column, column + across):
                    if (y, x) != (place, column):
                        blocked[y, x] = (x > column, y > place)
            cells[column] = _cell(cell, said, across, down, link)
            following = column + across
        grid.append(cells)
    made = [
        node_of(
            A + "tr",
            {
                "h": emu(
                    heights[place] if isinstance(heights, list) and place < len(heights) else high / max(len(rows), 1)
                )
            },
            [cell if cell is not None else _empty(blocked.get((place, x))) for x, cell in enumerate(cells)],
        )
        for place, cells in enumerate(grid)
    ]
    columns = node_of(A + "tblGrid", children=[node_of(A + "gridCol", {"w": emu(each)}) for each in widths])
    return node_of(A + "tbl", children=[_table_style(properties), columns, *made])


def _table_style(properties: Mapping[str, Any]) -> Any:
    style, parts = properties.get("tableStyleId"), properties.get("tableStyleParts")
    if not isinstance(style, str) or not _STYLE.fullmatch(style):
        return node_of(A + "tblPr", {"firstRow": "1"})
    kept = [name for name in _STYLE_PARTS if isinstance(parts, list) and name in parts]
    named = node_of(A + "tableStyleId")
    named.text = style
    return node_of(A + "tblPr", dict.fromkeys(kept, "1"), [named])


def _cell(cell: Mapping[str, Any], said: Mapping[str, Any], across: int, down: int, link: Any) -> Any:
    attributes = {name: str(span) for name, span in (("rowSpan", down), ("gridSpan", across)) if span > 1}
    paragraphs = [paragraph_xml(each, link) for each in children_of(cell)] or [node_of(A + "p")]
    borders = said.get("borders")
    lines = borders if isinstance(borders, list) and len(borders) == 4 else []
    order = (("lnL", 3), ("lnR", 1), ("lnT", 0), ("lnB", 2))
    parts = [line_xml(lines[place], tag) if lines else None for tag, place in order]
    properties = node_of(
        A + "tcPr",
        {"anchor": _ANCHORS.get(str(said.get("textVerticalAlignment")), "t")},
        [*parts, fill_xml(said.get("fillStyle"))],
    )
    text = node_of(A + "txBody", children=[node_of(A + "bodyPr"), node_of(A + "lstStyle"), *paragraphs])
    return node_of(A + "tc", attributes, [text, properties])


def _empty(merged: tuple[bool, bool] | None) -> Any:
    attributes = {
        name: "1" for name, is_so in zip(("hMerge", "vMerge"), merged or (False, False), strict=True) if is_so
    }
    text = node_of(A + "txBody", children=[node_of(A + "bodyPr"), node_of(A + "lstStyle"), node_of(A + "p")])
    return node_of(A + "tc", attributes, [text, node_of(A + "tcPr")])
