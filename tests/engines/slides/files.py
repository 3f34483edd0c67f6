"""Documents of all kinds, made for the tests: right ones, and hostile ones."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import docx
import openpyxl
import pptx
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from tests.support.pictures import png


def saved(document: Any) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def word() -> bytes:
    document = docx.Document()
    document.core_properties.title = "Report"
    document.add_heading("Report on tea", 0)
    document.add_heading("Harvest", 1)
    document.add_paragraph("Spring tea made 42 tons, a_b *starred* & <tagged>.")
    document.add_paragraph("green", style="List Bullet")
    document.add_paragraph("white", style="List Bullet")
    document.add_heading("Prices", 2)
    table = document.add_table(4, 3)
    for row, cells in enumerate(
        [["code", "share", "note"], ["0044", "25 %", "NA"], ["0101", "75 %", "a|b"], ["x", "", ""]]
    ):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    table.cell(3, 0).merge(table.cell(3, 2))
    document.add_picture(io.BytesIO(png(12, color="navy")))
    document.add_paragraph("Tea is slow.", style="Quote")
    paragraph = document.add_paragraph("Kept ")
    for name, text_name, text in (("w:ins", "w:t", "inserted"), ("w:del", "w:delText", "deleted")):
        change, run, said = OxmlElement(name), OxmlElement("w:r"), OxmlElement(text_name)
        change.set(qn("w:author"), "A")
        change.set(qn("w:id"), "1")
        said.text = text
        run.append(said)
        change.append(run)
        paragraph._p.append(change)
    return saved(document)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sales"
    sheet.append(["code", "name", "share", "amount", "when", "sum"])
    sheet.append(["0044", "NA", 0.25, 1234.5, None, "=D2*2"])
    sheet.append([7, "None", 0.125, 123456789012345, None, None])
    sheet["A3"].number_format = "0000"
    sheet["C2"].number_format, sheet["C3"].number_format = "0%", "0.0%"
    sheet["D2"].number_format = "#,##0.00"
    import datetime

    sheet["E2"] = datetime.date(2024, 3, 5)
    other = book.create_sheet("Hidden")
    other.append(["secret", "row"])
    other.sheet_state = "hidden"
    book.create_sheet("More").append(["a", "b"])
    return saved(book)


def slides() -> bytes:
    show = pptx.Presentation()
    first = show.slides.add_slide(show.slide_layouts[0])
    first.shapes.title.text = "Annual report"
    first.placeholders[1].text = "for the board"
    second = show.slides.add_slide(show.slide_layouts[1])
    second.shapes.title.text = "Sales"
    second.placeholders[1].text = "Sales rose by 12%."
    second.notes_slide.notes_text_frame.text = "Say it slowly."
    third = show.slides.add_slide(show.slide_layouts[5])
    third.shapes.title.text = "Figures"
    table = third.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for row, cells in enumerate([["k", "v"], ["0044", "NA"]]):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    data = CategoryChartData()
    data.categories = ["2022", "2023"]
    data.add_series("tons", (4.5, 6))
    third.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(4), Inches(4), Inches(2), data)
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(6), Inches(2), Inches(2), Inches(1)).text_frame.text = "within a group"
    third.shapes.add_picture(io.BytesIO(png(12, color="red")), Inches(6), Inches(4))
    hidden = show.slides.add_slide(show.slide_layouts[5])
    hidden.shapes.title.text = "Not to be seen"
    hidden._element.set("show", "0")
    return saved(show)


def pdf(lines: list[list[tuple[float, str]]], *, password: str = "") -> bytes:
    """A PDF of pages of lines, each with the size of its type."""
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file, encrypt=password or None)
    for page in lines:
        y = 780.0
        for size, text in page:
            canvas.setFont("Helvetica", size)
            canvas.drawString(60, y, text)
            y -= size * 1.4
        canvas.showPage()
    canvas.save()
    return file.getvalue()


HTML = """<!DOCTYPE html><html><head><title>Harbour</title><style>p{}</style><script>alert("no")</script></head><body>
<nav>Home | About</nav><main><h1>Harbour report</h1><p>Ships of <b>12</b> lines<br>called in May &amp; June.</p>
<h2>Quays</h2><ul><li>North quay<ul><li>deep water</li></ul></li><li>South quay</li></ul>
<table><tr><th>code</th><th>share</th></tr><tr><td rowspan="2">0044</td><td>25 %</td></tr><tr><td>NA</td></tr></table>
<blockquote>Ships do not wait.</blockquote><p hidden>unseen</p><div style="display: none">unseen too</div>
<img src="http://127.0.0.1:1/x.png" alt="x"></main><footer>Imprint</footer></body></html>"""


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def changed(document: bytes, files: Mapping[str, bytes | str]) -> bytes:
    """A package with other parts."""
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        parts: dict[str, bytes | str] = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**parts, **files})


def epub() -> bytes:
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        '<dc:title>The Book</dc:title></metadata><manifest><item id="b" href="two.xhtml"/>'
        '<item id="a" href="one.xhtml"/></manifest><spine><itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "OEBPS/book.opf": package,
            "OEBPS/one.xhtml": '<html><body><h1>One</h1><p>First words.</p><img src="p.png" alt="pic"/></body></html>',
            "OEBPS/two.xhtml": "<html><body><h1>Two</h1><p>Second words.</p></body></html>",
            "OEBPS/p.png": png(12),
        }
    )


def xmind() -> bytes:
    leaf = {"title": "leaf 0044"}
    branch = {"title": "branch", "notes": {"plain": {"content": "a note"}}, "children": {"attached": [leaf]}}
    root = {"title": "middle", "children": {"attached": [branch, {"title": "alone"}]}}
    return zipped({"content.json": json.dumps([{"rootTopic": root}])})


def old_xmind() -> bytes:
    return zipped(
        {
            "content.xml": '<xmap-content xmlns="urn:xmind:xmap:xmlns:content:2.0"><sheet><topic><title>middle</title>'
            '<children><topics type="attached"><topic><title>branch</title><children><topics type="attached"><topic>'
            "<title>leaf 0044</title></topic></topics></children></topic></topics></children></topic>"
            "</sheet></xmap-content>"
        }
    )


FREEMIND = '<map version="1.0.1"><node TEXT="middle"><node TEXT="branch"><node TEXT="leaf 0044"/></node></node></map>'
