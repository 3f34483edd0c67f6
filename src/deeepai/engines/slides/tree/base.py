"""A blank presentation for trees that bring none: one master of the tree's colours and typefaces, one layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from ..documents.guard import xml
from .building import emu, fill_xml, finite, node_of
from .colours import SLOTS, A, P, hexadecimal
from .markup import clean
from .opc import MAIN, RELATION, Package, Part, Relation

_SPACES: Final = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{RELATION}" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
_TREE: Final = (
    '<p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr><a:xfrm>'
    '<a:off x="0" y="0"/><a:ext cx="0" cy="0"/><a:chOff x="0" y="0"/><a:chExt cx="0" cy="0"/></a:xfrm></p:grpSpPr>'
    "</p:spTree>"
)
SLIDE: Final = f"<p:sld {_SPACES}><p:cSld>{_TREE}</p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sld>"
_LAYOUT: Final = (
    f'<p:sldLayout {_SPACES} type="blank" preserve="1"><p:cSld name="Blank">{_TREE}</p:cSld>'
    "<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sldLayout>"
)
_MAP: Final = (
    '<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" '
    'accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>'
)
_TEXT: Final = (
    '<a:lvl1pPr algn="l"><a:defRPr sz="1800"><a:solidFill><a:schemeClr val="tx1"/></a:solidFill>'
    '<a:latin typeface="+{0}-lt"/>'
    '<a:ea typeface="+{0}-ea"/><a:cs typeface="+{0}-cs"/></a:defRPr></a:lvl1pPr>'
)
_MASTER: Final = (
    f'<p:sldMaster {_SPACES}><p:cSld><p:bg><p:bgPr><a:solidFill><a:schemeClr val="bg1"/></a:solidFill>'
    "<a:effectLst/></p:bgPr>"
    f'</p:bg>{_TREE}</p:cSld>{_MAP}<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst>'
    f"<p:txStyles><p:titleStyle>{_TEXT.format('mj')}</p:titleStyle><p:bodyStyle>{_TEXT.format('mn')}</p:bodyStyle>"
    f"<p:otherStyle>{_TEXT.format('mn')}</p:otherStyle></p:txStyles></p:sldMaster>"
)
_SOLID: Final = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
_LINE: Final = f'<a:ln w="9525">{_SOLID}<a:prstDash val="solid"/></a:ln>'
_EFFECT: Final = "<a:effectStyle><a:effectLst/></a:effectStyle>"
_FORMATS: Final = (
    f'<a:fmtScheme name="tree"><a:fillStyleLst>{_SOLID * 3}</a:fillStyleLst><a:lnStyleLst>{_LINE * 3}</a:lnStyleLst>'
    f"<a:effectStyleLst>{_EFFECT * 3}</a:effectStyleLst><a:bgFillStyleLst>{_SOLID * 3}</a:bgFillStyleLst></a:fmtScheme>"
)
_COLOURS: Final = {
    "dk1": 0x000000, "lt1": 0xFFFFFF, "dk2": 0x44546A, "lt2": 0xE7E6E6, "accent1": 0x4874CB, "accent2": 0xEE822F,
    "accent3": 0xF2BA02, "accent4": 0x75BD42, "accent5": 0x30C0B4, "accent6": 0xE54C5E, "hlink": 0x0563C1,
    "folHlink": 0x954F72,
}  # fmt: skip
_FAMILIES: Final = "application/vnd.openxmlformats-officedocument"


def package(tree: Mapping[str, Any]) -> tuple[Package, Part]:
    """Return a presentation without slides, and its main part."""
    masters = tree.get("slideMasters")
    master = masters[0] if isinstance(masters, list) and masters and isinstance(masters[0], dict) else {}
    found = master.get("theme")
    theme: dict[str, Any] = found if isinstance(found, dict) else {}
    width, height = finite(tree.get("width"), 960), finite(tree.get("height"), 540)
    width, height = min(max(width, 72), 4032), min(max(height, 72), 4032)
    main = Part(
        "/ppt/presentation.xml",
        MAIN,
        (
            f'<p:presentation {_SPACES}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/>'
            "</p:sldMasterIdLst>"
            f'<p:sldSz cx="{emu(width)}" cy="{emu(height)}"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
        ).encode(),
        [Relation("rId1", f"{RELATION}/slideMaster", "/ppt/slideMasters/slideMaster1.xml")],
    )
    painted = xml(_MASTER.encode())
    background = master.get("background")
    paint = fill_xml(background.get("fillStyle")) if isinstance(background, dict) else None
    if paint is not None and paint.tag != A + "noFill":
        holder = painted.find(f"{P}cSld/{P}bg/{P}bgPr")
        holder.replace(holder[0], paint)
    parts = [
        main,
        Part(
            "/ppt/slideMasters/slideMaster1.xml",
            f"{_FAMILIES}.presentationml.slideMaster+xml",
            etree.tostring(painted, xml_declaration=True, encoding="UTF-8", standalone=True),
            [
                Relation("rId1", f"{RELATION}/slideLayout", "/ppt/slideLayouts/slideLayout1.xml"),
                Relation("rId2", f"{RELATION}/theme", "/ppt/theme/theme1.xml"),
            ],
        ),
        Part(
            "/ppt/slideLayouts/slideLayout1.xml",
            f"{_FAMILIES}.presentationml.slideLayout+xml",
            _LAYOUT.encode(),
            [Relation("rId1", f"{RELATION}/slideMaster", "/ppt/slideMasters/slideMaster1.xml")],
        ),
        Part("/ppt/theme/theme1.xml", f"{_FAMILIES}.theme+xml", rethemed(_theme(theme), theme)),
    ]
    relations = [Relation("rId1", f"{RELATION}/officeDocument", main.name)]
    return Package({part.name: part for part in parts}, relations), main


def _theme(theme: Mapping[str, Any]) -> bytes:
    name = theme.get("name")
    colours = "".join(f'<a:{slot}><a:srgbClr val="{_COLOURS[slot]:06X}"/></a:{slot}>' for slot in SLOTS)
    fonts = "".join(
        f'<a:{group}Font><a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/></a:{group}Font>'
        for group in ("major", "minor")
    )
    named = quoteattr(clean(name)[:80] if isinstance(name, str) and name else "tree")
    return (
        f'<a:theme {_SPACES} name={named}><a:themeElements><a:clrScheme name="tree">{colours}</a:clrScheme>'
        f'<a:fontScheme name="tree">{fonts}</a:fontScheme>{_FORMATS}</a:themeElements></a:theme>'
    ).encode()


def rethemed(content: bytes, theme: Mapping[str, Any]) -> bytes:
    """Return a theme's XML with the colours and typefaces of a tree."""
    root = xml(content)
    colours = theme.get("colors")
    scheme = root.find(f"{A}themeElements/{A}clrScheme")
    for slot in SLOTS:
        value = colours.get(slot) if isinstance(colours, dict) else None
        holder = scheme.find(A + slot) if scheme is not None else None
        if holder is not None and isinstance(value, int) and not isinstance(value, bool):
            for child in list(holder):
                holder.remove(child)
            holder.append(node_of(A + "srgbClr", {"val": hexadecimal(value)}))
    for group, name in (("major", "majorFontMap"), ("minor", "minorFontMap")):
        faces = theme.get(name)
        holder = root.find(f"{A}themeElements/{A}fontScheme/{A}{group}Font")
        if not isinstance(faces, dict) or holder is None:
            continue
        for kind in ("latin", "ea", "cs"):
            face, element = faces.get(kind), holder.find(A + kind)
            if isinstance(face, str) and element is not None:
                element.set("typeface", clean(face)[:80])
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
