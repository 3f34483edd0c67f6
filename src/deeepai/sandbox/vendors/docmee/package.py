"""Small decks as files and as trees: a page is its texts, and each says that it is a test.

The files are the least that PowerPoint's readers take (ECMA-376), written and read without any library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

Pages = Sequence[Sequence[str]]
"""Of each page, its texts; the first is its title."""
MARK = "TEST MODE"
MOST_PART = 8 * 2**20
"""Bytes of one page within a file."""
_POINT = 12700
_MAIN = "http://schemas.openxmlformats.org"
_NAMES = (
    f'xmlns:a="{_MAIN}/drawingml/2006/main" xmlns:r="{_MAIN}/officeDocument/2006/relationships" '
    f'xmlns:p="{_MAIN}/presentationml/2006/main"'
)
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_EMPTY = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
_PLAIN = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
_LINE = f"<a:ln>{_PLAIN}</a:ln>"
_COLOURS = {
    "dk1": "000000",
    "lt1": "FFFFFF",
    "dk2": "1F2937",
    "lt2": "EEF2F7",
    **{f"accent{number}": "4874CB" for number in range(1, 7)},
    "hlink": "0563C1",
    "folHlink": "954F72",
}
_FONT = '<a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/>'


def file_of(pages: Pages) -> bytes:
    """Return a deck as a .pptx file, the same each time."""
    parts = {
        "[Content_Types].xml": _types(len(pages)),
        "_rels/.rels": _relations([("officeDocument", "ppt/presentation.xml")]),
    }
    slides = [("slide", f"slides/slide{number}.xml") for number in range(1, len(pages) + 1)]
    parts["ppt/presentation.xml"] = _presentation(len(pages))
    parts["ppt/_rels/presentation.xml.rels"] = _relations([("slideMaster", "slideMasters/slideMaster1.xml"), *slides])
    parts["ppt/slideMasters/slideMaster1.xml"] = _master()
    parts["ppt/slideMasters/_rels/slideMaster1.xml.rels"] = _relations(
        [("slideLayout", "../slideLayouts/slideLayout1.xml"), ("theme", "../theme/theme1.xml")]
    )
    parts["ppt/slideLayouts/slideLayout1.xml"] = (
        f'<p:sldLayout {_NAMES} type="blank"><p:cSld name="Blank"><p:spTree>{_EMPTY}</p:spTree></p:cSld></p:sldLayout>'
    )
    parts["ppt/slideLayouts/_rels/slideLayout1.xml.rels"] = _relations(
        [("slideMaster", "../slideMasters/slideMaster1.xml")]
    )
    parts["ppt/theme/theme1.xml"] = _theme()
    for number, texts in enumerate(pages, 1):
        parts[f"ppt/slides/slide{number}.xml"] = _slide(texts)
        parts[f"ppt/slides/_rels/slide{number}.xml.rels"] = _relations(
            [("slideLayout", "../slideLayouts/slideLayout1.xml")]
        )
    held = BytesIO()
    with ZipFile(held, "w", ZIP_DEFLATED) as package:
        for name, text in parts.items():
            package.writestr(ZipInfo(name), _HEAD + text, ZIP_DEFLATED)
    return held.getvalue()


def _types(count: int) -> str:
    kinds = {"/ppt/presentation.xml": "presentation.main", "/ppt/slideMasters/slideMaster1.xml": "slideMaster"}
    kinds |= {"/ppt/slideLayouts/slideLayout1.xml": "slideLayout"}
    kinds |= {f"/ppt/slides/slide{number}.xml": "slide" for number in range(1, count + 1)}
    start = "application/vnd.openxmlformats-officedocument"
    found = [
        f'<Override PartName="{name}" ContentType="{start}.presentationml.{kind}+xml"/>' for name, kind in kinds.items()
    ]
    found.append(f'<Override PartName="/ppt/theme/theme1.xml" ContentType="{start}.theme+xml"/>')
    return (
        f'<Types xmlns="{_MAIN}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{"".join(found)}</Types>'
    )


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    kind = f"{_MAIN}/officeDocument/2006/relationships"
    found = [
        f'<Relationship Id="rId{number}" Type="{kind}/{name}" Target="{target}"/>'
        for number, (name, target) in enumerate(targets, 1)
    ]
    return f'<Relationships xmlns="{_MAIN}/package/2006/relationships">{"".join(found)}</Relationships>'


def _presentation(count: int) -> str:
    slides = "".join(f'<p:sldId id="{255 + number}" r:id="rId{number + 1}"/>' for number in range(1, count + 1))
    return (
        f'<p:presentation {_NAMES}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
        f'<p:sldIdLst>{slides}</p:sldIdLst><p:sldSz cx="{960 * _POINT}" cy="{540 * _POINT}"/>'
        '<p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
    )


def _master() -> str:
    names = {"bg1": "lt1", "tx1": "dk1", "bg2": "lt2", "tx2": "dk2", "hlink": "hlink", "folHlink": "folHlink"}
    names |= {f"accent{number}": f"accent{number}" for number in range(1, 7)}
    mapped = " ".join(f'{name}="{value}"' for name, value in names.items())
    return (
        f"<p:sldMaster {_NAMES}><p:cSld><p:spTree>{_EMPTY}</p:spTree></p:cSld><p:clrMap {mapped}/>"
        '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst></p:sldMaster>'
    )


def _theme() -> str:
    colours = "".join(f'<a:{name}><a:srgbClr val="{value}"/></a:{name}>' for name, value in _COLOURS.items())
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>"
    return (
        f'<a:theme xmlns:a="{_MAIN}/drawingml/2006/main" name="t"><a:themeElements><a:clrScheme name="t">{colours}'
        f'</a:clrScheme><a:fontScheme name="t"><a:majorFont>{_FONT}</a:majorFont><a:minorFont>{_FONT}</a:minorFont>'
        f'</a:fontScheme><a:fmtScheme name="t"><a:fillStyleLst>{_PLAIN * 3}</a:fillStyleLst><a:lnStyleLst>{_LINE * 3}'
        f"</a:lnStyleLst><a:effectStyleLst>{effect * 3}</a:effectStyleLst><a:bgFillStyleLst>{_PLAIN * 3}"
        "</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
    )


def _slide(texts: Sequence[str]) -> str:
    shown = [*(text for text in texts if text != MARK), MARK]
    shapes = "".join(_shape(number, text, _place(number, len(shown))) for number, text in enumerate(shown))
    return f"<p:sld {_NAMES}><p:cSld><p:spTree>{_EMPTY}{shapes}</p:spTree></p:cSld></p:sld>"


def _place(number: int, count: int) -> tuple[int, int, int, int]:
    if number == count - 1:
        return (720, 490, 200, 36)
    return (60, 40 if number == 0 else 80 + 360 * number // max(count - 1, 1), 840, 60 if number == 0 else 40)


def _shape(number: int, text: str, place: tuple[int, int, int, int]) -> str:
    left, top, width, height = (side * _POINT for side in place)
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number + 2}" name="Text {number + 1}"/><p:cNvSpPr txBox="1"/><p:nvPr/>'
        "</p:nvSpPr>"
        f'<p:spPr><a:xfrm><a:off x="{left}" y="{top}"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr><p:txBody><a:bodyPr wrap="square"/><a:lstStyle/>'
        f'<a:p><a:r><a:rPr lang="zh-CN" sz="{2800 if number == 0 else 1600}"/><a:t>{escape(text)}</a:t></a:r></a:p>'
        "</p:txBody></p:sp>"
    )


def pages_of(data: bytes) -> list[list[str]] | None:
    """Return the texts of a file's pages; None where it is no deck."""
    try:
        with ZipFile(BytesIO(data)) as package:
            names = [name for name in package.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", name)]
            if "ppt/presentation.xml" not in package.namelist() or not names:
                return None
            names.sort(key=lambda name: int(re.sub(r"\D", "", name)))
            if any(package.getinfo(name).file_size > MOST_PART for name in names):
                return None
            return [_texts(package.read(name).decode("utf-8", "replace")) for name in names]
    except (BadZipFile, OSError, NotImplementedError, RuntimeError):
        return None


def _texts(xml: str) -> list[str]:
    paragraphs = re.findall(r"<a:p>(.*?)</a:p>|<a:p [^>]*>(.*?)</a:p>", xml, re.DOTALL)
    texts = ["".join(re.findall(r"<a:t>(.*?)</a:t>", one or other, re.DOTALL)) for one, other in paragraphs]
    return [unescape(text) for text in texts if text]


# Trees ---------------------------------------------------------------------------------------------------------------


def tree_of(pages: Pages) -> dict[str, Any]:
    """Return a deck as the vendor's tree."""
    blank = {"realType": "Background", "anchor": [0, 0, 960, 540], "fillStyle": _fill(-1), "strokeStyle": {}}
    fonts = {"latin": "Arial", "ea": "Noto Sans SC", "cs": ""}
    layout = {"type": "BLANK", "name": "Blank", "noMaster": None, "clrMap": None, "background": blank, "children": []}
    master = {
        "background": blank,
        "clrMap": {"tx1": "dk1", "bg1": "lt1", "tx2": "dk2", "bg2": "lt2"},
        "theme": {
            "name": "t",
            "colors": {"accent1": -12028725, "dk1": -16777216, "lt1": -1},
            "majorFontMap": fonts,
            "minorFontMap": fonts,
        },
        "children": [],
        "animation": None,
        "transition": None,
        "slideLayouts": [{**layout, "animation": None, "transition": None}],
    }
    shown = [
        {
            "page": number,
            "extInfo": {"slideMasterIdx": 0, "slideLayoutIdx": 0, "background": blank},
            "children": [_node(f"p{number}t{at}", text, _place(at, len(texts) + 1)) for at, text in enumerate(texts)],
        }
        for number, texts in enumerate(pages, 1)
    ]
    return {"version": "1.0", "width": 960, "height": 540, "font": [], "pages": shown, "slideMasters": [master]}


def _fill(colour: int) -> dict[str, Any]:
    return {"type": "color", "color": {"realColor": colour, "color": colour}}


def _node(name: str, text: str, place: tuple[int, int, int, int]) -> dict[str, Any]:
    run = {
        "id": f"{name}r",
        "pid": f"{name}p",
        "type": "r",
        "text": text,
        "depth": 3,
        "extInfo": {"property": {"fontSize": 28 if name.endswith("t0") else 16, "fontColor": _fill(-16777216)}},
        "children": [],
    }
    paragraph = {"id": f"{name}p", "pid": name, "type": "p", "depth": 2, "children": [run]}
    box = {"realType": "TextBox", "shapeType": "rect", "anchor": list(place), "fillStyle": {"type": "noFill"}}
    return {
        "id": name,
        "type": "text",
        "depth": 1,
        "point": list(place),
        "extInfo": {"property": box},
        "children": [{**paragraph, "extInfo": {"property": {"textAlign": "LEFT"}}}],
    }


def pages_in(tree: Any) -> list[list[str]] | None:
    """Return the texts of a tree's pages; None where it is no tree."""
    pages = tree.get("pages") if isinstance(tree, dict) else None
    if not isinstance(pages, list) or not pages or not all(isinstance(page, dict) for page in pages):
        return None
    return [[text for node in page.get("children") or () for text in _runs(node, 0)] for page in pages]


def _runs(node: Any, depth: int) -> list[str]:
    if not isinstance(node, dict) or depth > 20:
        return []
    if node.get("type") == "p":
        return ["".join(str(run.get("text") or "") for run in node.get("children") or () if isinstance(run, dict))]
    return [text for child in node.get("children") or () for text in _runs(child, depth + 1)]
