"""Documents that say TEST MODE, as small as their formats allow."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import Final
from xml.sax.saxutils import escape

MIME: Final[Mapping[str, str]] = {
    "txt": "text/plain",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_A: Final = "http://schemas.openxmlformats.org/drawingml/2006/main"
_P: Final = "http://schemas.openxmlformats.org/presentationml/2006/main"
_S: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_W: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def document(kind: str, text: str) -> bytes:
    """Return a document with a line of text.

    Parameters
    ----------
    kind
        A key of `MIME`.
    """
    makers = {
        "txt": partial(str.encode, text),
        "pdf": partial(_pdf, text),
        "docx": partial(_docx, text),
        "xlsx": partial(_xlsx, text),
        "pptx": partial(_pptx, text),
    }
    return makers[kind]()


def _pdf(text: str) -> bytes:
    shown = text.encode("latin-1", "replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    drawn = b"BT /F1 18 Tf 72 720 Td (" + shown + b") Tj ET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length " + str(len(drawn)).encode() + b" >>\nstream\n" + drawn + b"\nendstream",
    )
    out, places = b"%PDF-1.4\n", list[int]()
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    tail = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return out + f"{tail}startxref\n{len(out)}\n%%EOF\n".encode()


def _docx(text: str) -> bytes:
    body = f'<w:document xmlns:w="{_W}"><w:body><w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p></w:body></w:document>'
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return _package({"word/document.xml": (body, kind, {})}, "word/document.xml")


def _xlsx(text: str) -> bytes:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml."
    book = (
        f'<workbook xmlns="{_S}" xmlns:r="{_OFFICE}"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets>'
        "</workbook>"
    )
    cell = f'<row r="1"><c r="A1" t="inlineStr"><is><t>{escape(text)}</t></is></c></row>'
    sheet = f'<worksheet xmlns="{_S}"><sheetData>{cell}</sheetData></worksheet>'
    parts = {
        "xl/workbook.xml": (book, f"{kind}sheet.main+xml", {"worksheet": "worksheets/sheet1.xml"}),
        "xl/worksheets/sheet1.xml": (sheet, f"{kind}worksheet+xml", {}),
    }
    return _package(parts, "xl/workbook.xml")


def _pptx(text: str) -> bytes:
    kind = "application/vnd.openxmlformats-officedocument.presentationml."
    names = f'xmlns:a="{_A}" xmlns:p="{_P}" xmlns:r="{_OFFICE}"'
    tree = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'  # of all shapes
    box = (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm>'
        '<a:off x="914400" y="914400"/><a:ext cx="10000000" cy="1000000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/>'
        "</a:prstGeom></p:spPr><p:txBody><a:bodyPr/><a:p><a:r><a:t>"
        f"{escape(text)}</a:t></a:r></a:p></p:txBody></p:sp>"
    )
    empty = f"<p:cSld><p:spTree>{tree}</p:spTree></p:cSld>"
    colours = {"bg1": "lt1", "tx1": "dk1", "bg2": "lt2", "tx2": "dk2", "hlink": "hlink", "folHlink": "folHlink"}
    colours |= {f"accent{n}": f"accent{n}" for n in range(1, 7)}
    mapped = " ".join(f'{name}="{colour}"' for name, colour in colours.items())
    master = (
        f"<p:sldMaster {names}>{empty}<p:clrMap {mapped}/><p:sldLayoutIdLst>"
        '<p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst></p:sldMaster>'
    )
    deck = (
        f'<p:presentation {names}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
        '<p:sldIdLst><p:sldId id="256" r:id="rId2"/></p:sldIdLst><p:sldSz cx="12192000" cy="6858000"/>'
        '<p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
    )
    slide = f"<p:sld {names}><p:cSld><p:spTree>{tree}{box}</p:spTree></p:cSld></p:sld>"
    parts = {
        "ppt/presentation.xml": (
            deck,
            f"{kind}presentation.main+xml",
            {"slideMaster": "slideMasters/slideMaster1.xml", "slide": "slides/slide1.xml"},
        ),
        "ppt/slideMasters/slideMaster1.xml": (
            master,
            f"{kind}slideMaster+xml",
            {"slideLayout": "../slideLayouts/slideLayout1.xml", "theme": "../theme/theme1.xml"},
        ),
        "ppt/slideLayouts/slideLayout1.xml": (
            f"<p:sldLayout {names}>{empty}</p:sldLayout>",
            f"{kind}slideLayout+xml",
            {"slideMaster": "../slideMasters/slideMaster1.xml"},
        ),
        "ppt/slides/slide1.xml": (slide, f"{kind}slide+xml", {"slideLayout": "../slideLayouts/slideLayout1.xml"}),
        "ppt/theme/theme1.xml": (_theme(), "application/vnd.openxmlformats-officedocument.theme+xml", {}),
    }
    return _package(parts, "ppt/presentation.xml")


def _theme() -> str:
    names = ("dk1", "lt1", "dk2", "lt2", *(f"accent{n}" for n in range(1, 7)), "hlink", "folHlink")
    colours = "".join(
        f'<a:{name}><a:srgbClr val="{"FFFFFF" if name.startswith("lt") else "202020"}"/></a:{name}>' for name in names
    )
    font = '<a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/>'
    fill, line = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>', '<a:ln w="6350"/>'
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>"
    return (
        f'<a:theme xmlns:a="{_A}" name="Test"><a:themeElements><a:clrScheme name="Test">{colours}</a:clrScheme>'
        f'<a:fontScheme name="Test"><a:majorFont>{font}</a:majorFont><a:minorFont>{font}</a:minorFont></a:fontScheme>'
        f'<a:fmtScheme name="Test"><a:fillStyleLst>{fill * 3}</a:fillStyleLst><a:lnStyleLst>{line * 3}</a:lnStyleLst>'
        f"<a:effectStyleLst>{effect * 3}</a:effectStyleLst><a:bgFillStyleLst>{fill * 3}</a:bgFillStyleLst>"
        "</a:fmtScheme></a:themeElements></a:theme>"
    )


def _package(parts: Mapping[str, tuple[str, str, Mapping[str, str]]], main: str) -> bytes:
    """Pack parts, each with its content type and what it relates to.

    Source: ECMA-376, part 2 (Open Packaging Conventions).
    """

    def related(targets: Mapping[str, str]) -> str:
        items = "".join(
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
            for number, (kind, target) in enumerate(targets.items(), 1)
        )
        return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{items}</Relationships>'

    types = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, (_, kind, _) in parts.items())
    rels = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:

        def put(name: str, text: str) -> None:
            # A date of its own, so that the same text gives the same bytes.
            package.writestr(zipfile.ZipInfo(name), text)

        put("[Content_Types].xml", f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">{rels}{types}</Types>')
        put("_rels/.rels", related({"officeDocument": main}))
        for name, (body, _, targets) in parts.items():
            put(name, _HEAD + body)
            if targets:
                folder, _, file = name.rpartition("/")
                put(f"{folder}/_rels/{file}.rels", related(targets))
    return out.getvalue()
