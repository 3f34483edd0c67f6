"""Documents in: what they say is read as it stands, and what is hostile is refused in bounded time and memory."""

from __future__ import annotations

import io
import resource
import shutil
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from deeepai.engines.jobs import Jobs, JobState, Refusal
from deeepai.engines.slides import documents, reading
from deeepai.engines.slides.documents import Document
from deeepai.engines.slides.documents.sheets import NOT_COMPUTED, displayed
from deeepai.engines.slides.pieces import pieces
from tests.engines.slides import files
from tests.support.pictures import png

REPOSITORY = Path(__file__).parents[3]


def read(tmp_path: Path, content: bytes | str, name: str) -> Document:
    path = tmp_path / "document"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return documents.read(path, name)


def refused(tmp_path: Path, content: bytes | str, name: str) -> str:
    with pytest.raises(Refusal) as caught:
        read(tmp_path, content, name)
    assert caught.value.message
    return caught.value.code


def flat(document: Document) -> list[tuple[str, object]]:
    return [(piece.kind, piece.rows or piece.address or piece.text) for piece in pieces(document.markdown)]


def test_word(tmp_path: Path) -> None:
    document = read(tmp_path, files.word(), "a.docx")
    assert document.title == "Report"
    assert flat(document) == [
        ("heading", "Report on tea"),
        ("heading", "Harvest"),
        ("text", "Spring tea made 42 tons, a_b *starred* & <tagged>."),
        ("item", "green"),
        ("item", "white"),
        ("heading", "Prices"),
        ("table", [["code", "share", "note"], ["0044", "25 %", "NA"], ["0101", "75 %", "a|b"], ["x", "", ""]]),
        ("image", "picture-1.png"),
        ("quote", "Tea is slow."),
        ("text", "Kept inserted"),
    ]
    assert document.pictures == {"picture-1.png": png(12, color="navy")}


def test_a_workbook_shows_what_its_cells_show(tmp_path: Path) -> None:
    document = read(tmp_path, files.workbook(), "a.xlsx")
    assert flat(document) == [
        ("heading", "Sales"),
        (
            "table",
            [
                ["code", "name", "share", "amount", "when", "sum"],
                ["0044", "NA", "25%", "1,234.50", "2024-03-05", NOT_COMPUTED],
                ["0007", "None", "12.5%", "123456789012345", "", ""],
            ],
        ),
        ("heading", "More"),
        ("table", [["a", "b"]]),
    ]


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0.25, "0%", "25%"),
        (0.256, "0.0%", "25.6%"),
        (44, "0000", "0044"),
        (1234567, "#,##0", "1,234,567"),
        (1234.5, "$#,##0.00", "$1,234.50"),
        (1234.5, '"€"#,##0.00', "€1,234.50"),
        (3, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (True, "General", "TRUE"),
        ("  x ", "@", "x"),
        (None, "General", ""),
    ],
)
def test_numbers_are_shown_as_their_format_says(value: object, form: str, shown: str) -> None:
    assert displayed(value, form) == shown


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('code,name\n0044,NA\n1,"a,b"\n', "a.csv"),
        ("code\tname\n0044\tNA\n1\ta,b\n", "a.tsv"),
        ("code;name\n0044;NA\n1;a,b\n", "a.csv"),
    ],
)
def test_csv(tmp_path: Path, text: str, name: str) -> None:
    assert flat(read(tmp_path, text, name)) == [("table", [["code", "name"], ["0044", "NA"], ["1", "a,b"]])]


def test_a_presentation(tmp_path: Path) -> None:
    document = read(tmp_path, files.slides(), "a.pptx")
    assert document.title == "Annual report"
    assert flat(document) == [
        ("heading", "Annual report"),
        ("item", "for the board"),
        ("heading", "Sales"),
        ("item", "Sales rose by 12%."),
        ("text", "Say it slowly."),
        ("heading", "Figures"),
        ("table", [["k", "v"], ["0044", "NA"]]),
        ("table", [["", "tons"], ["2022", "4.5"], ["2023", "6"]]),
        ("item", "within a group"),
        ("image", "picture-1.png"),
    ]


def test_html(tmp_path: Path) -> None:
    document = read(tmp_path, files.HTML, "a.html")
    assert document.title == "Harbour"
    assert flat(document) == [
        ("heading", "Harbour report"),
        ("text", "Ships of 12 lines\ncalled in May & June."),
        ("heading", "Quays"),
        ("item", "North quay"),
        ("item", "deep water"),
        ("item", "South quay"),
        ("table", [["code", "share"], ["0044", "25 %"], ["", "NA"]]),
        ("quote", "Ships do not wait."),
    ]


def test_a_pdf_has_headings_by_its_type(tmp_path: Path) -> None:
    body = [(11, f"Line {place} of a paragraph that goes on and on to fill the page well") for place in range(6)]
    pages = [
        [(24, "The harbour"), *body, (16, "Ships"), (11, "Ships carry 0044 and 25 % of NA.")],
        [(16, "Quays"), *body],
    ]
    found = flat(read(tmp_path, files.pdf(pages), "a.pdf"))
    assert [text for kind, text in found if kind == "heading"] == ["The harbour", "Ships", "Quays"]
    assert ("text", "Ships carry 0044 and 25 % of NA.") in found


def test_columns_of_a_pdf_stay_whole(tmp_path: Path) -> None:
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file)
    for column, name in enumerate(("left", "right")):
        for line in range(20):
            canvas.drawString(50 + column * 270, 780 - line * 16, f"{name} line {line}")
    canvas.save()
    text = read(tmp_path, file.getvalue(), "a.pdf").markdown.replace("\n", " ")
    assert text.index("left line 19") < text.index("right line 0")


def test_a_book(tmp_path: Path) -> None:
    document = read(tmp_path, files.epub(), "a.epub")
    assert document.title == "The Book"
    assert flat(document) == [
        ("heading", "One"),
        ("text", "First words."),
        ("image", "picture-1.png"),
        ("heading", "Two"),
        ("text", "Second words."),
    ]


@pytest.mark.parametrize(
    ("content", "name"), [(files.xmind(), "a.xmind"), (files.old_xmind(), "a.xmind"), (files.FREEMIND, "a.mm")]
)
def test_mind_maps(tmp_path: Path, content: bytes | str, name: str) -> None:
    document = read(tmp_path, content, name)
    assert document.title == "middle"
    found = [entry for entry in flat(document) if entry[1] not in ("a note", "alone")]
    assert found == [("heading", "middle"), ("heading", "branch"), ("item", "leaf 0044")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_texts_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    text = "关于我们的工作\n\n一、背景\n这是一个关于中国经济发展的报告，说明了主要的问题。\n"
    assert flat(read(tmp_path, text.encode(encoding), "a.txt")) == [
        ("heading", "关于我们的工作"),
        ("heading", "一、背景"),
        ("text", "这是一个关于中国经济发展的报告，说明了主要的问题。"),
    ]


@pytest.mark.parametrize(
    ("text", "encoding"), [("這是一個關於我們的報告，說明主要的問題。", "big5"), ("Größe und Maß – für alle", "cp1252")]
)
def test_older_encodings(tmp_path: Path, text: str, encoding: str) -> None:
    assert text in read(tmp_path, text.encode(encoding), "a.txt").markdown.replace("\\", "")


def test_text_gets_its_structure(tmp_path: Path) -> None:
    text = (
        "THE TITLE\n\n1. Beginnings\n\nA paragraph that\ngoes on.\n\n* one\n* two\n\n"
        "Section\n-------\n\nMore of 2*3 and a_b.\n"
    )
    assert flat(read(tmp_path, text, "a.txt")) == [
        ("heading", "THE TITLE"),
        ("heading", "1. Beginnings"),
        ("text", "A paragraph that\ngoes on."),
        ("item", "one"),
        ("item", "two"),
        ("heading", "Section"),
        ("text", "More of 2*3 and a_b."),
    ]


def test_right_to_left_text_stays_in_order(tmp_path: Path) -> None:
    text = "# عنوان\n\n## فصل\n\nبلغت المبيعات 25 % في عام 2024.\n"
    assert "بلغت المبيعات 25 % في عام 2024." in read(tmp_path, text, "a.md").markdown


def test_the_bytes_say_what_a_file_is(tmp_path: Path) -> None:
    assert read(tmp_path, files.word(), "a.txt").title == "Report"
    assert read(tmp_path, "# A\n\nb", "a").markdown.startswith("# A")


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><map><node TEXT="&c;"/></map>'
)
_EXTERNAL = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><map><node TEXT="&e;"/></map>'


def locked_archive() -> bytes:
    content = bytearray(files.word())
    place = 0
    while (place := content.find(b"PK\x01\x02", place)) >= 0:
        content[place + 8] |= 1
        place += 4
    return bytes(content)


def bomb() -> bytes:
    return files.changed(files.word(), {"word/media/zeros.bin": bytes(300 * 2**20)})


def xml_bomb() -> bytes:
    return files.changed(files.word(), {"word/document.xml": b"<w>" + b" " * (80 * 2**20) + b"</w>"})


HOSTILE = {
    "empty": (b"", "a.txt", "empty"),
    "blank": (b" \n \n", "a.txt", "empty"),
    "picture": (png(), "a.docx", "unsupported"),
    "noise": (bytes(range(256)) * 40, "a.txt", "unreadable"),
    "zeros": (bytes(5000), "a.txt", "unreadable"),
    "named docx": (b"just words", "a.docx", "unreadable"),
    "named pdf": (b"just words", "a.pdf", "unreadable"),
    "cut docx": (files.word()[:3000], "a.docx", "unreadable"),
    "spoiled docx": (files.changed(files.word(), {"word/document.xml": b"<w:document"}), "a.docx", "unreadable"),
    "other docx": (files.changed(files.word(), {"[Content_Types].xml": b"<x/>"}), "a.docx", "unreadable"),
    "cut xlsx": (files.workbook()[:2500], "a.xlsx", "unreadable"),
    "cut pptx": (files.slides()[:9000], "a.pptx", "unreadable"),
    "cut pdf": (files.pdf([[(12, "words " * 10)] * 30])[:400], "a.pdf", "unreadable"),
    "pdf of noise": (b"%PDF-1.4\n" + bytes(range(256)) * 20, "a.pdf", "unreadable"),
    "locked pdf": (files.pdf([[(12, "words")]], password="secret"), "a.pdf", "password"),
    "locked zip": (locked_archive(), "a.docx", "password"),
    "locked office": (_OLE + "EncryptedPackage".encode("utf-16-le"), "a.docx", "password"),
    "other compound": (_OLE, "a.doc", "unsupported"),
    "mobi": (b"x" * 100, "a.mobi", "unsupported"),
    "zip of nothing": (files.zipped({"a.txt": "x"}), "a.docx", "unsupported"),
    "empty zip": (files.zipped({}), "a.docx", "unsupported"),
    "laughs": (_LAUGHS, "a.mm", "unreadable"),
    "external": (_EXTERNAL, "a.mm", "unreadable"),
    "laughs within": (files.changed(files.word(), {"word/document.xml": _LAUGHS}), "a.docx", "unreadable"),
    "laughs in utf-16": (
        files.changed(
            files.word(), {"word/document.xml": _LAUGHS.replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16")}
        ),
        "a.docx",
        "unreadable",
    ),
    "external within": (files.changed(files.slides(), {"ppt/slides/slide1.xml": _EXTERNAL}), "a.pptx", "unreadable"),
    "xmind of nothing": (files.zipped({"content.json": "{}"}), "a.xmind", "unreadable"),
    "xmind spoiled": (files.zipped({"content.json": "[{]"}), "a.xmind", "unreadable"),
    "mind map spoiled": ("<map><node", "a.mm", "unreadable"),
    "html of nothing": ("<html><script>x</script></html>", "a.html", "empty"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_cannot_be_read_is_refused(tmp_path: Path, what: str) -> None:
    content, name, code = HOSTILE[what]
    assert refused(tmp_path, content, name) == code


@pytest.mark.parametrize("make", [bomb, xml_bomb])
def test_bombs_are_refused_unopened(tmp_path: Path, make: object) -> None:
    content = make()  # type: ignore[operator]
    begun = time.process_time()
    assert refused(tmp_path, content, "a.docx") == "too_large"
    assert time.process_time() - begun < 2


def test_an_archive_that_lies_of_its_size_is_cut(tmp_path: Path) -> None:
    content = bytearray(files.zipped({"content.json": b"[" + b" " * (30 * 2**20) + b"]"}))
    # What its directory and its head say of the size: 10 bytes.
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        place = content.find(mark)
        content[place + offset : place + offset + 4] = struct.pack("<I", 10)
    assert refused(tmp_path, bytes(content), "a.xmind") == "unreadable"


def test_deep_html_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    content = "<div>" * 3000 + "deep" + "</div>" * 3000
    path = tmp_path / "a.html"
    path.write_text(f"<html><body><p>Begun.</p>{content}</body></html>")
    code = ""
    try:
        assert documents.read(path, path.name).markdown.startswith("Begun.")
    except Refusal as error:
        code = error.code
    assert code in ("", "unreadable")


def test_macros_are_passed_over(tmp_path: Path) -> None:
    content = files.changed(files.word(), {"word/vbaProject.bin": _OLE})
    assert read(tmp_path, content, "a.docm").title == "Report"


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed here")
@pytest.mark.parametrize(("make", "into"), [(files.word, "doc"), (files.workbook, "xls"), (files.slides, "ppt")])
def test_formats_of_before_2007(tmp_path: Path, make: object, into: str) -> None:
    modern = {"doc": "docx", "xls": "xlsx", "ppt": "pptx"}[into]
    source = tmp_path / f"a.{modern}"
    source.write_bytes(make())  # type: ignore[operator]
    profile = (tmp_path / "profile").as_uri()
    command = [
        "soffice",
        "--headless",
        f"-env:UserInstallation={profile}",
        "--convert-to",
        into,
        "--outdir",
        str(tmp_path),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    old = tmp_path / f"a.{into}"
    if not old.exists():
        pytest.skip("LibreOffice has no part for it here")
    text = documents.read(old, old.name).markdown
    assert "0044" in text
    assert "NA" in text


def test_without_libreoffice_they_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeepai.engines.slides.office.program", lambda: "")
    content = _OLE + "WordDocument".encode("utf-16-le")
    assert refused(tmp_path, content, "a.doc") == "unsupported"


_PEAK = """
import sys
from pathlib import Path
from deeepai.engines.slides import documents
document = documents.read(Path(sys.argv[1]), sys.argv[2])
# Not ru_maxrss: that is never less than what the process had that started this one.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(len(document.markdown), int(peak) // 1024)
"""


def measured(path: Path, name: str) -> tuple[int, int, float]:
    """Characters read, megabytes at most, seconds of processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(path), name], capture_output=True, text=True, timeout=300, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    characters, memory = map(int, done.stdout.split())
    return characters, memory, after.ru_utime - before.ru_utime


def test_a_pdf_of_2000_pages_is_read_as_far_as_it_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(
        files.pdf([[(11, f"Page {page} says line {line} of the many") for line in range(40)] for page in range(2000)])
    )
    characters, memory, seconds = measured(path, "a.pdf")
    assert 100_000 < characters < 400_000
    assert memory < 600
    assert seconds < 60


def test_a_sheet_of_many_rows_is_bounded(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("many")
    for row in range(60_000):
        sheet.append([row, "text", row / 7, "more"])
    path = tmp_path / "a.xlsx"
    book.save(path)
    characters, memory, seconds = measured(path, "a.xlsx")
    assert characters < 500_000
    assert memory < 600
    assert seconds < 60


async def test_the_job_keeps_what_it_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    jobs = Jobs(tmp_path, tmp_path)
    jobs.start()
    try:
        given = {"document": files.word()}
        done = await jobs.wait(await jobs.submit(reading.__name__, {"name": "a.docx"}, files=given))
        assert done.state is JobState.DONE
        assert done.result is not None
        assert (done.result["title"], done.result["pictures"]) == ("Report", ["picture-1.png"])
        document = reading.kept(done.folder / "out")
        assert document == read(tmp_path, files.word(), "a.docx")
        failed = await jobs.wait(await jobs.submit(reading.__name__, {"name": "a.docx"}, files={"document": b"x"}))
        assert (failed.state, failed.code) == (JobState.FAILED, "unreadable")
    finally:
        await jobs.close()


def test_zipfile_refuses_what_it_cannot_unpack(tmp_path: Path) -> None:
    content = bytearray(files.word())
    place = content.find(b"PK\x01\x02")
    struct.pack_into("<H", content, place + 10, 99)
    assert zipfile.is_zipfile(io.BytesIO(content))
    assert refused(tmp_path, bytes(content), "a.docx") == "unreadable"
