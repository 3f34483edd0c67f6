"""What is read of rendered pages, and what it is written as: opened again by others' libraries."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pypdf
import pypdfium2
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from PIL import Image
from pptx import Presentation
from reportlab.pdfgen.canvas import Canvas

from deeepai.engines.jobs import Jobs, JobState, Refusal, Work
from deeepai.engines.ocr import MODULE, document, office, sources
from tests.support import typeset
from tests.support.typeset import CHINESE, ENGLISH, encoded

ROWS = [["产品", "数量", "单价"], ["苹果", "12", "3.50"], ["Orange juice", "100", "1.05"], ["香蕉", "8", "2.20"]]
WORDS = [
    *("Lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do", "eiusmod", "tempor"),
    *("incididunt", "ut", "labore", "et", "dolore", "magna", "aliqua", "Ut", "enim", "ad", "minim", "veniam", "quis"),
    *("nostrud", "exercitation", "ullamco", "laboris", "nisi", "ut", "aliquip", "ex", "ea", "commodo", "consequat"),
    *("Duis", "aute", "irure", "dolor", "in", "reprehenderit", "in", "voluptate", "velit", "esse", "cillum", "dolore"),
]


class Read:
    """One job, done in this process."""

    def __init__(self, folder: Path, data: bytes, **request: Any) -> None:
        for name in ("in", "out"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "in" / "document").write_bytes(data)
        self.progress: list[int] = []
        work = Work(request, folder, folder, lambda progress, fact: self.progress.append(progress))
        self.result = document.run(work)
        self.path = folder / "out" / self.result["file"]

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def lines(self) -> list[str]:
        return [line for line in self.text.splitlines() if line]


def tight(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("turn", [0, 90, 180, 270, 15, -15, 4])
def test_a_page_whichever_way_it_lies(tmp_path: Path, turn: int) -> None:
    lines = [*CHINESE, *ENGLISH, "短句", "OK"]
    read = Read(tmp_path, encoded(typeset.turned(typeset.page(lines), turn)))
    assert [tight(line) for line in read.lines] == [tight(line) for line in lines]
    assert (read.result["engine"], read.result["pages"], read.result["lines"]) == ("pp-ocrv6", 1, len(lines))
    assert read.result["score"] > 0.9


def test_white_on_black(tmp_path: Path) -> None:
    read = Read(tmp_path, encoded(typeset.page(CHINESE, colours=("white", "black"))))
    assert read.lines == CHINESE


@pytest.mark.parametrize("word", ["OK", "Hi", "价格", "7"])
@pytest.mark.parametrize("room", [40, 1])
def test_a_lone_word(tmp_path: Path, word: str, room: int) -> None:
    image = typeset.blank(round(typeset.font(48).getlength(word)) + 2 * room, 54 + 2 * room)
    typeset.put(image, room, room - 8, word, 48)
    assert Read(tmp_path, encoded(image)).lines == [word]


def test_columns_of_chinese_from_the_right(tmp_path: Path) -> None:
    poem = ["床前明月光疑是地上霜", "举头望明月低头思故乡"]
    image = typeset.blank(600, 800)
    for column, line in enumerate(poem):
        for row, letter in enumerate(line):
            typeset.put(image, 450 - 120 * column, 60 + 60 * row, letter, 44)
    assert Read(tmp_path, encoded(image)).lines == poem


def test_nothing_to_read(tmp_path: Path) -> None:
    read = Read(tmp_path, encoded(typeset.blank()))
    assert (read.text, read.result["lines"], read.result["score"]) == ("\n", 0, None)


def test_a_script_that_cannot_be_read_is_no_failure(tmp_path: Path) -> None:
    """RapidOCR has no list at all then."""
    assert Read(tmp_path, encoded(typeset.page(["한국어 텍스트"]))).result["pages"] == 1


@pytest.mark.parametrize("turn", [0, 180, 7])
def test_two_columns(tmp_path: Path, turn: int) -> None:
    left, right = (typeset.wrapped([first, *words], 500) for first, words in (("LEFT", WORDS), ("RIGHT", WORDS[::-1])))
    title, footer = (
        "A Title That Spans Both Of The Columns",
        "A footer line that goes across the whole of the page, too.",
    )
    image = typeset.turned(typeset.columns(title, left, right, footer), turn)
    read = Read(tmp_path, encoded(image), format="json")
    told = json.loads(read.text)
    assert [tight(block["text"]) for block in told["pages"][0]["blocks"]] == [
        tight(text) for text in (title, " ".join(["LEFT", *WORDS]), " ".join(["RIGHT", *WORDS[::-1]]), footer)
    ]
    assert abs(told["pages"][0]["skew"] - turn % 180) < 0.5


def test_a_very_long_picture(tmp_path: Path) -> None:
    lines = [f"Line number {number} of a long list" for number in range(120)]
    read = Read(tmp_path, encoded(typeset.page(lines)))
    assert [tight(line) for line in read.lines] == [tight(line) for line in lines]


# Tables ------------------------------------------------------------------------------------------------------------


def grid(sheet: Worksheet) -> list[list[Any]]:
    return [[value for value in row if value is not None] for row in sheet.iter_rows(values_only=True)]


@pytest.mark.parametrize("ruled", [True, False])
@pytest.mark.parametrize("turn", [0, -4, 90])
def test_a_table_is_a_table(tmp_path: Path, ruled: bool, turn: int) -> None:
    read = Read(tmp_path, encoded(typeset.turned(typeset.table(ROWS, ruled=ruled), turn)), format="xlsx")
    sheet = openpyxl.load_workbook(read.path)["Page 1"]
    found = grid(sheet)
    table = found[1 : 1 + len(ROWS)]
    assert table == [["产品", "数量", "单价"], ["苹果", 12, 3.5], ["Orange juice", 100, 1.05], ["香蕉", 8, 2.2]]
    assert tight(found[0][0]) == tight("销售表 Sales of the first quarter")
    assert found[-1] == ["A closing remark below the table."]


def test_cells_that_span(tmp_path: Path) -> None:
    image = typeset.table(ROWS, ruled=True, header="Header over all")
    told = json.loads(Read(tmp_path, encoded(image), format="json").text)
    (table,) = [block for block in told["pages"][0]["blocks"] if block["type"] == "table"]
    assert (table["rows"], table["columns"]) == (5, 3)
    assert table["cells"][0] == {"row": 0, "column": 0, "rows": 1, "columns": 3, "text": "Header over all"}
    word = docx.Document(str(Read(tmp_path, encoded(image), format="docx").path)).tables[0]
    assert word.cell(0, 0)._tc is word.cell(0, 2)._tc
    assert [cell.text for cell in word.rows[2].cells] == ["苹果", "12", "3.50"]


def test_prose_in_columns_is_no_table(tmp_path: Path) -> None:
    lines = typeset.wrapped(WORDS, 500)
    told = json.loads(Read(tmp_path, encoded(typeset.columns("A title", lines, lines, "The end")), format="json").text)
    assert {block["type"] for block in told["pages"][0]["blocks"]} == {"paragraph"}


# Formats -----------------------------------------------------------------------------------------------------------


def test_boxes_are_where_the_text_stands(tmp_path: Path) -> None:
    told = json.loads(Read(tmp_path, encoded(typeset.page(CHINESE)), format="json").text)
    line = told["pages"][0]["blocks"][0]["lines"][0]
    (left, top), _, (right, bottom), _ = line["box"]
    width = typeset.font(32).getlength(CHINESE[0])
    assert abs(left - 80) < 12
    assert abs(right - 80 - width) < 32
    assert 60 < top < bottom < 120
    assert (line["text"], line["vertical"]) == (CHINESE[0], False)


def test_word(tmp_path: Path) -> None:
    image = typeset.blank(1240, 700)
    typeset.put(image, 80, 50, "标题 A Heading", 64)
    for number, line in enumerate(typeset.wrapped(WORDS, 1000, 28)):
        typeset.put(image, 80, 200 + 42 * number, line, 28)
    word = docx.Document(str(Read(tmp_path, encoded(image), format="docx").path))
    heading, body = word.paragraphs
    assert heading.style is not None
    assert (heading.style.name, tight(heading.text)) == ("Heading 1", "标题AHeading")
    assert tight(body.text) == tight(" ".join(WORDS))


def test_slides(tmp_path: Path) -> None:
    read = Read(tmp_path, encoded(typeset.table(ROWS, ruled=True)), format="pptx")
    deck = Presentation(str(read.path))
    (slide,) = deck.slides
    texts = [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
    (table,) = [shape.table for shape in slide.shapes if shape.has_table]
    assert tight(texts[0]) == tight("销售表 Sales of the first quarter")
    assert [[cell.text for cell in row.cells] for row in table.rows] == ROWS
    assert deck.slide_width
    assert deck.slide_height
    width, height = typeset.table(ROWS, ruled=True).size
    assert abs(deck.slide_width / deck.slide_height - width / height) < 0.01


@pytest.mark.parametrize("turn", [0, 90, 180, 10])
def test_a_searchable_pdf(tmp_path: Path, turn: int) -> None:
    lines = [*CHINESE, *ENGLISH]
    read = Read(tmp_path, encoded(typeset.turned(typeset.page(lines), turn)), format="pdf")
    for found in (pdfium_text(read.path), pypdf.PdfReader(read.path).pages[0].extract_text()):
        assert [tight(line) for line in found.splitlines() if line.strip()] == [tight(line) for line in lines]
    page = pypdfium2.PdfDocument(read.path)[0]
    # Selected is what lies where the picture shows it.
    place = page.get_textpage().search(CHINESE[1]).get_next()
    assert place is not None
    left, bottom, right, top = page.get_textpage().get_charbox(place[0])
    drawn = page.render(scale=2).to_pil().convert("L")
    high = page.get_height()
    letter = drawn.crop((int(left * 2), int((high - top) * 2), int(right * 2) + 1, int((high - bottom) * 2) + 1))
    assert letter.getextrema()[0] < 128, "there is ink below the first letter"
    fonts = [font for page in pypdf.PdfReader(read.path).pages for font in page["/Resources"]["/Font"].values()]
    assert all("/FontFile2" in font.get_object()["/FontDescriptor"] for font in fonts)
    assert read.path.stat().st_size < 400_000


def pdfium_text(path: Path) -> str:
    return "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path))


# Documents ---------------------------------------------------------------------------------------------------------


def scanned(*pages: Image.Image, text: str = "", **options: Any) -> bytes:
    """Return a PDF of pictures, and of a page of text."""
    out = io.BytesIO()
    canvas = Canvas(out, **options)
    for page in pages:
        canvas.setPageSize((page.width * 0.36, page.height * 0.36))
        canvas.drawInlineImage(page, 0, 0, page.width * 0.36, page.height * 0.36)
        canvas.showPage()
    if text:
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_a_pdf_s_own_text_is_kept(tmp_path: Path) -> None:
    data = scanned(typeset.page(CHINESE), text="Said by the document itself: O0 l1I")
    read = Read(tmp_path, data)
    assert read.lines == [*CHINESE, "Said by the document itself: O0 l1I"]
    assert read.result["pages"] == 2
    assert read.progress == sorted(read.progress)
    searchable = Read(tmp_path, data, format="pdf")
    assert [line for line in pdfium_text(searchable.path).splitlines() if line] == read.lines
    own = Read(tmp_path, scanned(text="Nothing but text here"))
    assert (own.result["engine"], own.result["score"], own.lines) == ("text-layer", None, ["Nothing but text here"])


def test_a_pdf_s_own_columns(tmp_path: Path) -> None:
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.setFont("Helvetica", 20)
    canvas.drawString(72, 760, "A title over both of the columns of this page")
    canvas.setFont("Helvetica", 10)
    for number in range(12):
        for x, side in ((72, "left"), (320, "right")):
            canvas.drawString(x, 720 - 14 * number, f"The {side} column says its line number {number}")
    canvas.save()
    read = Read(tmp_path, out.getvalue())
    assert read.result["engine"] == "text-layer"
    assert read.lines == [
        "A title over both of the columns of this page",
        *(f"The {side} column says its line number {n}" for side in ("left", "right") for n in range(12)),
    ]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_text_is_laid_over_turned_pages(tmp_path: Path, turn: int) -> None:
    read = Read(tmp_path, scanned(typeset.turned(typeset.page(CHINESE), turn)), format="pdf")
    page = pypdfium2.PdfDocument(read.path)[0]
    place = page.get_textpage().search(CHINESE[0]).get_next()
    assert place is not None
    left, bottom, right, top = page.get_textpage().get_charbox(place[0])
    drawn, high = page.render(scale=2).to_pil().convert("L"), page.get_height()
    letter = drawn.crop((int(left * 2), int((high - top) * 2), int(right * 2) + 1, int((high - bottom) * 2) + 1))
    assert letter.getextrema()[0] < 128


def test_passwords_of_pdfs(tmp_path: Path) -> None:
    writer = pypdf.PdfWriter(io.BytesIO(scanned(text="A secret text")))
    writer.encrypt("open sesame", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    for password in ("", "wrong"):
        with pytest.raises(Refusal) as refusal:
            Read(tmp_path, out.getvalue(), password=password)
        assert refusal.value.code == "password"
    for kind in ("txt", "pdf"):
        read = Read(tmp_path, out.getvalue(), password="open sesame", format=kind)
        assert "A secret text" in (read.text if kind == "txt" else pdfium_text(read.path))


def test_a_tiff_of_several_pages(tmp_path: Path) -> None:
    first, *rest = (typeset.page([line]) for line in ENGLISH)
    data = encoded(first, "TIFF", save_all=True, append_images=rest)
    read = Read(tmp_path, data, format="pdf")
    assert (read.result["pages"], len(pypdf.PdfReader(read.path).pages)) == (3, 3)
    assert [tight(line) for line in Read(tmp_path, data).lines] == [tight(line) for line in ENGLISH]


def word_document() -> bytes:
    made = docx.Document()
    made.add_heading("Annual report", 1)
    made.add_paragraph("First, what the text says.")
    table = made.add_table(2, 2)
    for number, text in enumerate(("a", "b", "c", "d")):
        table.cell(number // 2, number % 2).text = text
    made.add_picture(io.BytesIO(encoded(typeset.page(CHINESE[:1]))))
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def test_documents_of_office(tmp_path: Path) -> None:
    assert Read(tmp_path, word_document()).lines == [
        "Annual report",
        "First, what the text says.",
        "a\tb",
        "c\td",
        CHINESE[0],
    ]
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Figures"
    for row in ROWS:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    read = Read(tmp_path, out.getvalue(), format="xlsx")
    assert openpyxl.load_workbook(read.path).sheetnames == ["Figures"]
    assert Read(tmp_path, out.getvalue()).lines == ["\t".join(row) for row in ROWS]
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "A slide's title"
    slide.shapes.add_picture(io.BytesIO(encoded(typeset.page(ENGLISH[:1]))), 0, 2_000_000)
    out = io.BytesIO()
    deck.save(out)
    assert [tight(line) for line in Read(tmp_path, out.getvalue()).lines] == ["Aslide'stitle", tight(ENGLISH[0])]


def test_a_text_without_pages_becomes_one_that_is_drawn(tmp_path: Path) -> None:
    read = Read(tmp_path, word_document(), format="pdf", name="../../etc/report: 2026")
    assert read.path.parent == tmp_path / "out"
    assert read.path.name == "_.._etc_report_ 2026.pdf"
    text = pdfium_text(read.path)
    assert "Annual report" in text
    assert CHINESE[0] in text
    # It is seen: what is drawn can be read again.
    drawn = pypdfium2.PdfDocument(read.path)[0].render(scale=2.5).to_pil()
    again = Read(tmp_path / "again", encoded(drawn))
    assert CHINESE[0] in again.lines


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_older_formats_by_libreoffice(tmp_path: Path) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "Old words in an old format"
    deck.save(str(tmp_path / "old.pptx"))
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "ppt"]
    subprocess.run([*command, "--outdir", str(tmp_path), str(tmp_path / "old.pptx")], check=True, capture_output=True)
    read = Read(tmp_path, (tmp_path / "old.ppt").read_bytes(), given="old.ppt")
    assert read.lines == ["Old words in an old format"]
    assert "Old words" in pdfium_text(
        Read(tmp_path, (tmp_path / "old.ppt").read_bytes(), given="old.ppt", format="pdf").path
    )


def test_older_formats_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office.shutil, "which", lambda name: None)
    with pytest.raises(Refusal) as refusal:
        Read(tmp_path, rb"{\rtf1\ansi Old words}", given="old.rtf")
    assert refusal.value.code == "unsupported"
    assert "LibreOffice" in refusal.value.message


# What is refused ---------------------------------------------------------------------------------------------------


def bomb(name: str, size: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        with package.open(name, "w", force_zip64=True) as part:
            for _ in range(size // 2**20):
                part.write(bytes(2**20))
    return out.getvalue()


def with_entities() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word_document())) as source, zipfile.ZipFile(out, "w") as package:
        for part in source.infolist():
            data = source.read(part)
            if part.filename == "word/document.xml":
                head, _, rest = data.partition(b"?>")
                data = head + b'?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + rest
            package.writestr(part, data)
    return out.getvalue()


def many_pages(count: int) -> bytes:
    writer = pypdf.PdfWriter()
    for _ in range(count):
        writer.add_blank_page(72, 72)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


ENCRYPTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")


@pytest.mark.parametrize(
    ("data", "request_", "code"),
    [
        pytest.param(lambda: b"", {}, "unreadable", id="no bytes"),
        pytest.param(lambda: b"just words", {}, "unreadable", id="no picture"),
        pytest.param(lambda: encoded(typeset.page(ENGLISH))[:4000], {}, "unreadable", id="cut picture"),
        pytest.param(lambda: scanned(text="words")[:200], {}, "unreadable", id="cut PDF"),
        pytest.param(lambda: word_document()[:3000], {}, "unreadable", id="cut docx"),
        pytest.param(lambda: bomb("word/document.xml", 600 * 2**20), {}, "too_large", id="zip bomb"),
        pytest.param(with_entities, {}, "unreadable", id="entities"),
        pytest.param(lambda: bomb("other.bin", 2**20), {}, "unsupported", id="another package"),
        pytest.param(lambda: many_pages(sources.MOST_PAGES + 1), {}, "too_large", id="too many pages"),
        pytest.param(
            lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            {},
            "password",
            id="encrypted",
        ),
        pytest.param(lambda: encoded(typeset.blank(8000, 8000)), {}, "too_large", id="too many pixels"),
        pytest.param(lambda: encoded(typeset.blank()), {"language": "Korean"}, "unsupported", id="language"),
        pytest.param(lambda: encoded(typeset.blank()), {"language": "english"}, "unsupported", id="letter case"),
        pytest.param(lambda: encoded(typeset.blank()), {"format": "odt"}, "invalid", id="format"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, data: Any, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Read(tmp_path, data(), **request_)
    assert refusal.value.code == code
    assert refusal.value.message


async def test_a_job_of_the_pool(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, tmp_path)
    jobs.start()
    try:
        files = {"document": encoded(typeset.page(ENGLISH))}
        job = await jobs.submit(MODULE, {"format": "txt"}, files=files, seconds=300)
        job = await jobs.wait(job)
        assert job.state is JobState.DONE, job.message
        assert job.result is not None
        text = job.file(job.result["file"]).read_text()
        assert [tight(line) for line in text.splitlines() if line] == [tight(line) for line in ENGLISH]
    finally:
        await jobs.close()
