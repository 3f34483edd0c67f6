"""Decks: presentations of plain pages, as little as PowerPoint opens, each of which says that it is a test.

Source: ECMA-376, part 1, sections 13 and 19.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from xml.sax.saxutils import escape

from .draw import CAPTION

MIME: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
WIDTH: Final = 12_192_000
HEIGHT: Final = 6_858_000
"""English Metric Units of a page, 16:9."""
_DOCUMENT: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_NAMES: Final = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{_DOCUMENT}" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TYPE: Final = "application/vnd.openxmlformats-officedocument.presentationml"
_GROUP: Final = (
    '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr>'
    '<p:grpSpPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/><a:chOff x="0" y="0"/><a:chExt cx="0" cy="0"/>'
    "</a:xfrm></p:grpSpPr>"
)
_MAP: Final = (
    'bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" '
    'accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"'
)
_SLOTS: Final = (
    *("lt1", "dk1", "lt2", "dk2", "accent1", "accent2", "accent3", "accent4", "accent5", "accent6"),
    *("hlink", "folHlink"),
)
_ORDER: Final = ("dk1", "lt1", "dk2", "lt2", *_SLOTS[4:])
"""How a theme lists its slots (section 20.1.6.2)."""


@dataclass(frozen=True)
class Page:
    """A page: a title, lines below it, and what the speaker says."""

    title: str
    lines: tuple[str, ...] = ()
    notes: str = ""


@lru_cache(maxsize=32)
def deck(pages: tuple[Page, ...], colours: tuple[str, ...]) -> bytes:
    """Return a presentation.

    Parameters
    ----------
    colours
        Twelve of six hexadecimal digits: lt1, dk1, lt2, dk2, accent1 to accent6, hlink, folHlink.
    """
    noted = [number for number, page in enumerate(pages, 1) if page.notes]
    parts = {
        "[Content_Types].xml": _types(len(pages), noted),
        "_rels/.rels": _links(("officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": _presentation(len(pages)),
        "ppt/_rels/presentation.xml.rels": _links(
            ("slideMaster", "slideMasters/slideMaster1.xml"),
            ("notesMaster", "notesMasters/notesMaster1.xml"),
            *(("slide", f"slides/slide{number}.xml") for number in range(1, len(pages) + 1)),
        ),
        "ppt/slideMasters/slideMaster1.xml": _master("sldMaster", _LAYOUTS),
        "ppt/slideMasters/_rels/slideMaster1.xml.rels": _links(
            ("slideLayout", "../slideLayouts/slideLayout1.xml"), ("theme", "../theme/theme1.xml")
        ),
        "ppt/slideLayouts/slideLayout1.xml": _page("sldLayout", "", ' type="titleOnly"'),
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels": _links(("slideMaster", "../slideMasters/slideMaster1.xml")),
        "ppt/notesMasters/notesMaster1.xml": _master("notesMaster", ""),
        "ppt/notesMasters/_rels/notesMaster1.xml.rels": _links(("theme", "../theme/theme2.xml")),
        "ppt/theme/theme1.xml": _theme(colours),
        "ppt/theme/theme2.xml": _theme(colours),
    }
    for number, page in enumerate(pages, 1):
        links = [("slideLayout", "../slideLayouts/slideLayout1.xml")]
        if page.notes:
            links.append(("notesSlide", f"../notesSlides/notesSlide{number}.xml"))
            said = _shape(2, "Notes", 'type="body" idx="1"', (page.notes,), (0, HEIGHT // 2, WIDTH, HEIGHT // 2), 1200)
            parts[f"ppt/notesSlides/notesSlide{number}.xml"] = _page("notes", said)
            parts[f"ppt/notesSlides/_rels/notesSlide{number}.xml.rels"] = _links(
                ("notesMaster", "../notesMasters/notesMaster1.xml"), ("slide", f"../slides/slide{number}.xml")
            )
        parts[f"ppt/slides/slide{number}.xml"] = _page("sld", _shown(page))
        parts[f"ppt/slides/_rels/slide{number}.xml.rels"] = _links(*links)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            # A time of its own would make each deck another.
            package.writestr(zipfile.ZipInfo(name), _HEAD + text, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _types(pages: int, noted: Sequence[int]) -> str:
    names = {
        "ppt/presentation.xml": f"{_TYPE}.presentation.main+xml",
        "ppt/slideMasters/slideMaster1.xml": f"{_TYPE}.slideMaster+xml",
        "ppt/slideLayouts/slideLayout1.xml": f"{_TYPE}.slideLayout+xml",
        "ppt/notesMasters/notesMaster1.xml": f"{_TYPE}.notesMaster+xml",
        "ppt/theme/theme1.xml": "application/vnd.openxmlformats-officedocument.theme+xml",
        "ppt/theme/theme2.xml": "application/vnd.openxmlformats-officedocument.theme+xml",
        **{f"ppt/slides/slide{number}.xml": f"{_TYPE}.slide+xml" for number in range(1, pages + 1)},
        **{f"ppt/notesSlides/notesSlide{number}.xml": f"{_TYPE}.notesSlide+xml" for number in noted},
    }
    rows = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in names.items())
    links = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    return f'<Types xmlns="{_PACKAGE}/content-types">{links}{rows}</Types>'


def _links(*links: tuple[str, str]) -> str:
    rows = "".join(
        f'<Relationship Id="rId{number}" Type="{_DOCUMENT}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(links, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{rows}</Relationships>'


def _presentation(pages: int) -> str:
    ids = "".join(f'<p:sldId id="{255 + number}" r:id="rId{number + 2}"/>' for number in range(1, pages + 1))
    return (
        f'<p:presentation {_NAMES}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
        f'<p:notesMasterIdLst><p:notesMasterId r:id="rId2"/></p:notesMasterIdLst><p:sldIdLst>{ids}</p:sldIdLst>'
        f'<p:sldSz cx="{WIDTH}" cy="{HEIGHT}"/><p:notesSz cx="{HEIGHT}" cy="{WIDTH}"/></p:presentation>'
    )


_LAYOUTS: Final = (
    '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst>'
    "<p:txStyles><p:titleStyle/><p:bodyStyle/><p:otherStyle/></p:txStyles>"
)


def _master(name: str, more: str) -> str:
    ground = '<p:bg><p:bgPr><a:solidFill><a:schemeClr val="bg1"/></a:solidFill><a:effectLst/></p:bgPr></p:bg>'
    tree = f"<p:cSld>{ground}<p:spTree>{_GROUP}</p:spTree></p:cSld>"
    return f"<p:{name} {_NAMES}>{tree}<p:clrMap {_MAP}/>{more}</p:{name}>"


def _page(name: str, shapes: str, more: str = "") -> str:
    tree = f"<p:cSld><p:spTree>{_GROUP}{shapes}</p:spTree></p:cSld>"
    return f"<p:{name} {_NAMES}{more}>{tree}<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:{name}>"


def _shown(page: Page) -> str:
    margin = WIDTH // 20
    wide = WIDTH - 2 * margin
    return (
        _shape(2, "Title", 'type="title"', (page.title,), (margin, margin, wide, HEIGHT // 5), 3600)
        + _shape(3, "Text", "", page.lines or ("",), (margin, HEIGHT // 3, wide, HEIGHT // 2), 2000)
        + _shape(4, "Mark", "", (CAPTION,), (margin, HEIGHT - margin, wide, margin), 1600)
    )


def _shape(number: int, name: str, place: str, lines: Sequence[str], box: tuple[int, int, int, int], size: int) -> str:
    left, top, wide, high = box
    held = f"<p:ph {place}/>" if place else ""
    said = "".join(f'<a:p><a:r><a:rPr sz="{size}"/><a:t>{_text(line)}</a:t></a:r></a:p>' for line in lines)
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="{name}"/><p:cNvSpPr/><p:nvPr>{held}</p:nvPr></p:nvSpPr>'
        f'<p:spPr><a:xfrm><a:off x="{left}" y="{top}"/><a:ext cx="{wide}" cy="{high}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr>'
        f'<p:txBody><a:bodyPr wrap="square"><a:normAutofit/></a:bodyPr><a:lstStyle/>{said}</p:txBody></p:sp>'
    )


def _text(line: str) -> str:
    """Return a line without what XML cannot hold."""
    return escape("".join(letter for letter in line if letter >= " " and letter not in "\ufffe\uffff"))


def _theme(colours: Sequence[str]) -> str:
    slots = dict(zip(_SLOTS, colours, strict=True))
    scheme = "".join(f'<a:{name}><a:srgbClr val="{slots[name]}"/></a:{name}>' for name in _ORDER)
    font = '<a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/>'
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    line = f'<a:ln w="9525">{fill}</a:ln>'
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>"
    return (
        '<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" name="Test"><a:themeElements>'
        f'<a:clrScheme name="Test">{scheme}</a:clrScheme><a:fontScheme name="Test"><a:majorFont>{font}</a:majorFont>'
        f'<a:minorFont>{font}</a:minorFont></a:fontScheme><a:fmtScheme name="Test"><a:fillStyleLst>{fill * 3}'
        f"</a:fillStyleLst><a:lnStyleLst>{line * 3}</a:lnStyleLst><a:effectStyleLst>{effect * 3}</a:effectStyleLst>"
        f"<a:bgFillStyleLst>{fill * 3}</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
    )
