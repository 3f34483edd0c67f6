"""An empty presentation of a design: masters, layouts and theme as parts of a package, built once per process."""

from __future__ import annotations

import io
import zipfile
from functools import lru_cache
from typing import Final

from .designs import DESIGNS
from .designs.design import HEIGHT, MARGIN, WIDTH, Design, Layout, Slot, Theme
from .designs.drawing import Fill, attribute, colour, content, emu, fill_xml, geometry_xml, line_xml, transform_xml
from .designs.layouts import layouts_of
from .fonts import han_family, is_cjk

_NAMESPACES: Final = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES: Final = "application/vnd.openxmlformats-officedocument"
_PARTS: Final = f"{_TYPES}.presentationml"
TABLE_STYLE: Final = "{7D2F1C54-93A6-4E0B-8C61-5B0D3A9E4F12}"
"""Of the one table style that each package holds."""

_TREE: Final = (
    '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr><a:xfrm>'
    '<a:off x="0" y="0"/><a:ext cx="0" cy="0"/><a:chOff x="0" y="0"/><a:chExt cx="0" cy="0"/></a:xfrm></p:grpSpPr>'
)
_LAYOUT_TYPES: Final = {
    "cover": "title",
    "section": "secHead",
    "list": "obj",
    "columns-2": "twoTxTwoObj",
    "comparison": "twoTxTwoObj",
    "picture": "picTx",
    "statement": "titleOnly",
}


def spacing_xml(spacing: float, before: float, size: float) -> str:
    """Return lines' distance and the space before a paragraph as elements of a paragraph's properties."""
    found = f'<a:lnSpc><a:spcPct val="{round(spacing * 100_000)}"/></a:lnSpc>'
    return f'{found}<a:spcBef><a:spcPts val="{round(before * size * 100)}"/></a:spcBef>'


def _bullet(slot: Slot, size: float, *, mark: str) -> tuple[str, str]:
    """Return a paragraph's indents and its bullet."""
    if not slot.bullet:
        return 'marL="0" indent="0"', "<a:buNone/>"
    margin = emu(hanging(slot) * size)
    tint = f"<a:buClr>{colour(mark).xml}</a:buClr>"
    if slot.bullet == "1.":
        sign = '<a:buFont typeface="+mj-lt"/><a:buAutoNum type="arabicPlain"/>'
    else:
        sign = f'<a:buFont typeface="Arial"/><a:buChar char={attribute(slot.bullet)}/>'
    return f'marL="{margin}" indent="-{margin}"', tint + sign


def hanging(slot: Slot) -> float:
    """Return how far a slot's text stands right of its bullets, in em."""
    if not slot.bullet:
        return 0.0
    return 2.0 if slot.bullet == "1." else 1.0


def _run_properties(slot: Slot, tag: str = "a:defRPr") -> str:
    font = "mj" if slot.heading else "mn"
    flags = f' b="{int(slot.bold)}"' + (' i="1"' if slot.italic else "") + (' cap="all"' if slot.caps else "")
    return (
        f'<{tag} sz="{slot.size * 100}"{flags}>{colour(slot.colour).fill}'
        f'<a:latin typeface="+{font}-lt"/><a:ea typeface="+{font}-ea"/><a:cs typeface="+{font}-cs"/></{tag}>'
    )


def _list_style(slot: Slot, mark: str) -> str:
    """Return the styles of a placeholder's levels: the second, smaller and indented."""
    indents, bullet = _bullet(slot, slot.size, mark=mark)
    first = (
        f'<a:lvl1pPr {indents} algn="{slot.align}" hangingPunct="0">'
        f"{spacing_xml(slot.spacing, slot.before, slot.size)}{bullet}{_run_properties(slot)}</a:lvl1pPr>"
    )
    if slot.kind != "body":
        return first
    size = max(slot.size - 2, 16)
    left, hang = emu((hanging(slot) + 1) * slot.size), emu(size)
    return first + (
        f'<a:lvl2pPr marL="{left}" indent="-{hang}" algn="{slot.align}" hangingPunct="0">'
        f'<a:buFont typeface="Arial"/><a:buChar char="–"/><a:defRPr sz="{size * 100}" b="0"/></a:lvl2pPr>'
    )


def _placeholder(slot: Slot, number: int, mark: str) -> str:
    kinds = {"pic": ' type="pic"', "chart": ' type="chart"', "tbl": ' type="tbl"', "body": ' type="body"'}
    kind = kinds.get(slot.kind, f' type="{slot.kind}"')
    index = "" if slot.index == 0 else f' idx="{slot.index}"'
    size = ' sz="quarter"' if slot.kind == "body" else ""
    inset = slot.inset
    body = (
        f'<a:bodyPr vert="horz" wrap="square" lIns="{emu(inset[0])}" tIns="{emu(inset[1])}" rIns="{emu(inset[2])}" '
        f'bIns="{emu(inset[3])}" anchor="{slot.anchor}"><a:normAutofit/></a:bodyPr>'
    )
    shape = transform_xml(slot.box)
    if slot.kind == "pic":
        shape += geometry_xml(slot.geometry, slot.adjust) + fill_xml(slot.fill) + line_xml(slot.line, 1.5)
    else:
        shape += geometry_xml("rect")
    prompt = {"pic": "Picture", "chart": "Chart", "tbl": "Table"}.get(slot.kind, slot.name)
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name={attribute(f"{slot.name} {number}")}/>'
        f'<p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr><p:nvPr><p:ph{kind}{size}{index}/></p:nvPr></p:nvSpPr>'
        f"<p:spPr>{shape}</p:spPr><p:txBody>{body}<a:lstStyle>{_list_style(slot, mark)}</a:lstStyle>"
        f'<a:p><a:r><a:rPr lang="en-US"/><a:t>{content(prompt)}</a:t></a:r></a:p></p:txBody></p:sp>'
    )


def _page_number(number: int, tint: str) -> str:
    slot = Slot(
        12, "sldNum", "Page number", (WIDTH - MARGIN - 96, 500, 96, 26), 16, align="r", anchor="ctr", colour=tint
    )
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="Page number {number}"/><p:cNvSpPr><a:spLocks noGrp="1"/>'
        f'</p:cNvSpPr><p:nvPr><p:ph type="sldNum" sz="quarter" idx="{PAGE_NUMBER}"/></p:nvPr></p:nvSpPr>'
        f'<p:spPr>{transform_xml(slot.box)}{geometry_xml("rect")}</p:spPr><p:txBody><a:bodyPr vert="horz" lIns="0" '
        f'tIns="0" rIns="0" bIns="0" anchor="ctr"/><a:lstStyle>{_list_style(slot, "tx1")}</a:lstStyle><a:p>'
        '<a:fld id="{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}" type="slidenum"><a:rPr lang="en-US"/><a:t>‹#›</a:t>'
        '</a:fld><a:endParaRPr lang="en-US"/></a:p></p:txBody></p:sp>'
    )


PAGE_NUMBER: Final = 90
"""Its placeholder's index."""


def _background(fill: Fill) -> str:
    if fill is None:
        return ""
    return f"<p:bg><p:bgPr>{fill_xml(fill)}<a:effectLst/></p:bgPr></p:bg>"


def _layout(layout: Layout, design: Design) -> str:
    parts = [shape.xml(number) for number, shape in enumerate(layout.shapes, 2)]
    number = 2 + len(parts)
    mark = design.look.mark.replace("{n}", "1")
    for slot in layout.slots:
        parts.append(_placeholder(slot, number, mark))
        number += 1
    if layout.number:
        parts.append(_page_number(number, layout.number))
    kind = _LAYOUT_TYPES.get(layout.kind)
    kind_attribute = f' type="{kind}"' if kind else ' userDrawn="1"'
    shown = "" if layout.is_plain else ' showMasterSp="0"'
    return (
        f'{_HEAD}<p:sldLayout {_NAMESPACES}{shown}{kind_attribute} preserve="1">'
        f"<p:cSld name={attribute(layout.name)}>{_background(layout.fill)}<p:spTree>{_TREE}{''.join(parts)}</p:spTree>"
        "</p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sldLayout>"
    )


def _master(design: Design, count: int) -> str:
    look = design.look
    parts = [shape.xml(number) for number, shape in enumerate(look.shapes, 2)]
    number = 2 + len(parts)
    mark = look.mark.replace("{n}", "1")
    body = Slot(
        1, "body", "Text", (MARGIN, look.top, WIDTH - 2 * MARGIN, 488 - look.top), 24, before=0.5, bullet=look.bullet
    )
    parts.append(_placeholder(look.title, number, mark))
    parts.append(_placeholder(body, number + 1, mark).replace(' sz="quarter"', ""))
    parts.append(_page_number(number + 2, look.number))
    light, dark = ("dk", "lt") if design.dark else ("lt", "dk")
    accents = " ".join(f'accent{n}="accent{n}"' for n in range(1, 7))
    layouts = "".join(f'<p:sldLayoutId id="{2147483649 + n}" r:id="rId{n}"/>' for n in range(1, count + 1))
    title = _list_style(look.title, mark)
    text = _list_style(body, mark)
    other = '<a:lvl1pPr marL="0"><a:defRPr sz="1800"><a:solidFill><a:schemeClr val="tx1"/></a:solidFill>' + (
        '<a:latin typeface="+mn-lt"/><a:ea typeface="+mn-ea"/><a:cs typeface="+mn-cs"/></a:defRPr></a:lvl1pPr>'
    )
    background = _background(look.fill or "bg1")
    return (
        f"{_HEAD}<p:sldMaster {_NAMESPACES}><p:cSld>{background}<p:spTree>{_TREE}{''.join(parts)}</p:spTree></p:cSld>"
        f'<p:clrMap bg1="{light}1" tx1="{dark}1" bg2="{light}2" tx2="{dark}2" {accents} hlink="hlink" '
        f'folHlink="folHlink"/><p:sldLayoutIdLst>{layouts}</p:sldLayoutIdLst><p:txStyles><p:titleStyle>{title}'
        f"</p:titleStyle><p:bodyStyle>{text}</p:bodyStyle><p:otherStyle>{other}</p:otherStyle></p:txStyles></p:sldMaster>"
    )


def _theme(design: Design, theme: Theme, language: str, heading_font: str) -> str:
    colours = {slot: theme.colour(slot) for slot in _SCHEME}
    scheme = "".join(f'<a:{slot}><a:srgbClr val="{value}"/></a:{slot}>' for slot, value in colours.items())

    def font(tag: str, latin: str, *, serif: bool, wished: str = "") -> str:
        han = wished or han_family(language, serif=serif)
        scripts = "".join(
            f'<a:font script="{script}" typeface={attribute(han_family(tongue, serif=serif))}/>'
            for script, tongue in (("Jpan", "ja"), ("Hang", "ko"), ("Hans", "zh"), ("Hant", "zh-TW"))
        )
        return (
            f"<a:{tag}><a:latin typeface={attribute(latin)}/><a:ea typeface={attribute(han)}/>"
            f"<a:cs typeface={attribute(latin)}/>{scripts}</a:{tag}>"
        )

    major = font("majorFont", design.heading, serif=design.heading_serif, wished=heading_font)
    minor = font("minorFont", design.body, serif=design.body_serif)
    plain = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    line = f'<a:ln w="9525">{plain}</a:ln>'
    name = f"{design.name['en']} {theme.name['en']}"
    return (
        f'{_HEAD}<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" name={attribute(name)}>'
        f"<a:themeElements><a:clrScheme name={attribute(theme.name['en'])}>{scheme}</a:clrScheme>"
        f"<a:fontScheme name={attribute(design.name['en'])}>{major}{minor}</a:fontScheme>"
        f'<a:fmtScheme name="Plain"><a:fillStyleLst>{plain * 3}</a:fillStyleLst><a:lnStyleLst>{line * 3}</a:lnStyleLst>'
        f"<a:effectStyleLst>{'<a:effectStyle><a:effectLst/></a:effectStyle>' * 3}</a:effectStyleLst>"
        f"<a:bgFillStyleLst>{plain * 3}</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
    )


_SCHEME: Final = (
    "dk1", "lt1", "dk2", "lt2", "accent1", "accent2", "accent3", "accent4", "accent5", "accent6", "hlink", "folHlink",
)  # fmt: skip
"""In the order that the schema wants."""


def _table_style(design: Design) -> str:
    look = design.look

    def border(side: str, tint: str, width: float) -> str:
        return f"<a:{side}>{line_xml(tint, width)}</a:{side}>"

    def text(tint: str, *, bold: bool = False) -> str:
        flag = ' b="on"' if bold else ""
        return f'<a:tcTxStyle{flag}><a:fontRef idx="minor"/>{colour(tint).xml}</a:tcTxStyle>'

    lines = border("bottom", "tx1", 1.5) + border("insideH", "tx1@30", 0.75)
    band = (
        f"<a:band1H><a:tcStyle><a:tcBdr/><a:fill>{fill_xml('tx1@6')}</a:fill></a:tcStyle></a:band1H>"
        if look.band
        else ""
    )
    head_fill = fill_xml(look.table_head if look.table_head != "none" else None)
    return (
        f'{_HEAD}<a:tblStyleLst xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" def="{TABLE_STYLE}">'
        f'<a:tblStyle styleId="{TABLE_STYLE}" styleName={attribute(design.name["en"])}>'
        f"<a:wholeTbl>{text('tx1')}<a:tcStyle><a:tcBdr>{lines}</a:tcBdr><a:fill><a:noFill/></a:fill></a:tcStyle>"
        "</a:wholeTbl>"
        f"{band}<a:firstCol>{text('tx1', bold=True)}<a:tcStyle><a:tcBdr/></a:tcStyle></a:firstCol>"
        f"<a:firstRow>{text(look.table_head_text, bold=True)}<a:tcStyle><a:tcBdr>{border('bottom', 'tx1', 1.5)}"
        f"</a:tcBdr><a:fill>{head_fill}</a:fill></a:tcStyle></a:firstRow></a:tblStyle></a:tblStyleLst>"
    )


def _relations(*entries: tuple[str, str]) -> str:
    parts = "".join(
        f'<Relationship Id="rId{number}" Type="{kind if "/" in kind else f"{_RELATIONS}/{kind}"}" Target="{target}"/>'
        for number, (kind, target) in enumerate(entries, 1)
    )
    return f'{_HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{parts}</Relationships>'


@lru_cache(maxsize=64)
def empty(design_id: str, theme_id: str, language: str, heading_font: str = "") -> bytes:
    """Return a package without slides.

    Parameters
    ----------
    language : str
        BCP 47: which forms of Han letters.
    heading_font : str
        A Han typeface for the headings, instead of the design's own.

    Raises
    ------
    KeyError
        If there is no such design or theme.
    """
    design = DESIGNS[design_id]
    theme = design.themes[theme_id]
    layouts = list(layouts_of(design).values())
    count = len(layouts)
    parts: dict[str, str] = {}
    override = "".join(
        f'<Override PartName="/ppt/slideLayouts/slideLayout{n}.xml" ContentType="{_PARTS}.slideLayout+xml"/>'
        for n in range(1, count + 1)
    )
    parts["[Content_Types].xml"] = (
        f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/ppt/presentation.xml" ContentType="{_PARTS}.presentation.main+xml"/>'
        f'<Override PartName="/ppt/slideMasters/slideMaster1.xml" ContentType="{_PARTS}.slideMaster+xml"/>'
        f'{override}<Override PartName="/ppt/theme/theme1.xml" ContentType="{_TYPES}.theme+xml"/>'
        f'<Override PartName="/ppt/presProps.xml" ContentType="{_PARTS}.presProps+xml"/>'
        f'<Override PartName="/ppt/viewProps.xml" ContentType="{_PARTS}.viewProps+xml"/>'
        f'<Override PartName="/ppt/tableStyles.xml" ContentType="{_PARTS}.tableStyles+xml"/>'
        '<Override PartName="/docProps/core.xml" '
        'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>'
        f'<Override PartName="/docProps/app.xml" ContentType="{_TYPES}.extended-properties+xml"/></Types>'
    )
    parts["_rels/.rels"] = _relations(
        ("officeDocument", "ppt/presentation.xml"),
        ("http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties", "docProps/core.xml"),
        ("extended-properties", "docProps/app.xml"),
    )
    parts["docProps/app.xml"] = (
        f'{_HEAD}<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties">'
        "<Application>DeeepAI</Application></Properties>"
    )
    parts["docProps/core.xml"] = (
        f'{_HEAD}<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title></dc:title></cp:coreProperties>'
    )
    language_tag = language if is_cjk(language) else "en-US"
    parts["ppt/presentation.xml"] = (
        f'{_HEAD}<p:presentation {_NAMESPACES} saveSubsetFonts="1"><p:sldMasterIdLst><p:sldMasterId id="2147483648" '
        f'r:id="rId1"/></p:sldMasterIdLst><p:sldIdLst/><p:sldSz cx="{emu(WIDTH)}" cy="{emu(HEIGHT)}"/>'
        '<p:notesSz cx="6858000" cy="9144000"/><p:defaultTextStyle>'
        f'<a:defPPr><a:defRPr lang="{language_tag}"/></a:defPPr></p:defaultTextStyle>'
        "</p:presentation>"
    )
    parts["ppt/_rels/presentation.xml.rels"] = _relations(
        ("slideMaster", "slideMasters/slideMaster1.xml"),
        ("presProps", "presProps.xml"),
        ("viewProps", "viewProps.xml"),
        ("theme", "theme/theme1.xml"),
        ("tableStyles", "tableStyles.xml"),
    )
    parts["ppt/presProps.xml"] = f"{_HEAD}<p:presentationPr {_NAMESPACES}/>"
    parts["ppt/viewProps.xml"] = f"{_HEAD}<p:viewPr {_NAMESPACES}/>"
    parts["ppt/tableStyles.xml"] = _table_style(design)
    parts["ppt/theme/theme1.xml"] = _theme(design, theme, language, heading_font)
    parts["ppt/slideMasters/slideMaster1.xml"] = _master(design, count)
    parts["ppt/slideMasters/_rels/slideMaster1.xml.rels"] = _relations(
        *(("slideLayout", f"../slideLayouts/slideLayout{n}.xml") for n in range(1, count + 1)),
        ("theme", "../theme/theme1.xml"),
    )
    for number, layout in enumerate(layouts, 1):
        parts[f"ppt/slideLayouts/slideLayout{number}.xml"] = _layout(layout, design)
        parts[f"ppt/slideLayouts/_rels/slideLayout{number}.xml.rels"] = _relations(
            ("slideMaster", "../slideMasters/slideMaster1.xml")
        )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return file.getvalue()
