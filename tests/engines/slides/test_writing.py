"""Decks are written: valid, native, editable, in the language's letters."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest
from lxml import etree
from openxml_audit import OpenXmlValidator
from PIL import Image
from pptx import Presentation

from deeepai.engines.slides.designs import DESIGNS
from deeepai.engines.slides.model import Block, Chapter, Chart, Deck, Page, Table
from deeepai.engines.slides.writing import Made, write
from tests.engines.slides import decks

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"


def made(folder: Path, deck: Deck, design: str = "swiss", theme: str = "", **options: object) -> Made:
    picture = decks.picture(folder / "site.png")
    theme = theme or next(iter(DESIGNS[design].themes))
    return write(deck, design, theme, folder / "deck.pptx", pictures={"site.png": picture}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_a_validator_finds_nothing(tmp_path: Path, design: str, language: str) -> None:
    deck = made(tmp_path, decks.whole(language), design, transition=True)
    result = OpenXmlValidator().validate(deck.path)
    assert [error.description for error in result.errors] == []


def test_each_kind_of_page_has_its_layout(tmp_path: Path) -> None:
    layouts = [slide.layout for slide in made(tmp_path, decks.whole()).slides]
    assert layouts == [
        "cover", "contents", "section", "list", "columns-3", "chart", "section", "timeline-4", "comparison-short",
        "quote", "table", "chart-wide", "chart-wide", "section", "columns-4", "picture", "statement", "closing",
    ]  # fmt: skip


def test_pages_edit_well(tmp_path: Path) -> None:
    deck = made(tmp_path, decks.whole())
    slides = list(Presentation(str(deck.path)).slides)
    for slide in slides:
        shapes = list(slide.shapes)
        assert all(shape.is_placeholder for shape in shapes), "text boxes would not follow the layout"
        for shape in shapes:
            if shape.has_text_frame:
                assert shape.text_frame.text.strip(), "an empty placeholder asks to be filled"
    chart = next(shape.chart for shape in slides[5].shapes if shape.has_chart)
    assert list(chart.plots[0].series[0].values) == [8708, 9584, 10165, 10600, 11240]
    assert list(chart.plots[0].categories) == ["2021", "2022", "2023", "2024", "2025"]
    table = next(shape.table for shape in slides[10].shapes if shape.has_table)
    assert table.cell(1, 0).text == "车辆"
    assert slides[3].notes_slide.notes_text_frame is not None
    assert slides[3].notes_slide.notes_text_frame.text == "先讲总量，再讲结构。"


def parts(path: Path, folder: str) -> list[etree._Element]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith(folder) and name.endswith(".xml")]
        return [etree.fromstring(archive.read(name)) for name in names]


@pytest.mark.parametrize("design", DESIGNS)
def test_all_colours_are_the_themes(tmp_path: Path, design: str) -> None:
    deck = made(tmp_path, decks.whole(), design)
    for folder in ("ppt/slides/", "ppt/slideLayouts/", "ppt/slideMasters/", "ppt/charts/", "ppt/tableStyles"):
        for root in parts(deck.path, folder):
            assert not list(root.iter(f"{A}srgbClr", f"{A}sysClr", f"{A}prstClr"))
    (scheme,) = parts(deck.path, "ppt/theme/theme1")[0].iter(f"{A}clrScheme")
    assert len(scheme) == 12


@pytest.mark.parametrize(
    ("language", "family"),
    [("zh-CN", "CJK SC"), ("zh-TW", "CJK TC"), ("ja-JP", "CJK JP"), ("ko-KR", "CJK KR"), ("en-US", "CJK SC")],
)
def test_typefaces_and_language_are_set(tmp_path: Path, language: str, family: str) -> None:
    deck = made(tmp_path, Deck("直骨 deck", language=language, chapters=[Chapter("直", [Page("骨 bone")])]), "ink")
    theme = parts(deck.path, "ppt/theme/theme1")[0]
    for tag in ("majorFont", "minorFont"):
        (font,) = theme.iter(A + tag)
        latin, han, other = (font.find(A + name).get("typeface") for name in ("latin", "ea", "cs"))
        assert latin == "Spectral"
        assert other == "Spectral"
        assert han.endswith(family)
    for root in parts(deck.path, "ppt/slides/"):
        for run in root.iter(f"{A}rPr"):
            assert run.get("lang")
        for run in root.iter(f"{A}r"):
            if any("一" <= letter <= "鿿" for letter in run.find(f"{A}t").text):
                # LibreOffice takes the letters' forms from here, not from the typeface.
                assert run.find(f"{A}rPr").get("lang") == (language if language != "en-US" else "zh-CN")
    for root in parts(deck.path, "ppt/slideLayouts/"):
        for run in root.iter(f"{A}defRPr"):
            if run.get("sz") and run.find(f"{A}latin") is not None:
                assert run.find(f"{A}ea") is not None
                assert run.find(f"{A}cs") is not None


def test_a_heading_font_is_the_headings_alone(tmp_path: Path) -> None:
    deck = made(tmp_path, Deck("标题", chapters=[]), heading_font="楷体")
    theme = parts(deck.path, "ppt/theme/theme1")[0]
    assert next(theme.iter(f"{A}majorFont")).find(f"{A}ea").get("typeface") == "楷体"
    assert next(theme.iter(f"{A}minorFont")).find(f"{A}ea").get("typeface") == "Noto Sans CJK SC"


def test_slides_fade_in_if_asked(tmp_path: Path) -> None:
    plain = made(tmp_path, decks.whole())
    assert not any(list(root.iter(f"{P}transition")) for root in parts(plain.path, "ppt/slides/"))
    faded = made(tmp_path, decks.whole(), transition=True)
    assert all(list(root.iter(f"{P}transition")) for root in parts(faded.path, "ppt/slides/"))


def test_axis_ids_are_unsigned(tmp_path: Path) -> None:
    deck = made(tmp_path, decks.whole())
    axes = [axis for root in parts(deck.path, "ppt/charts/") for axis in root.iter() if axis.tag.endswith("}axId")]
    assert axes
    assert all(int(axis.get("val")) >= 0 for axis in axes)


def test_what_cannot_be_drawn_is_told_in_a_table(tmp_path: Path) -> None:
    many = Chart("line", ["a", "b"], {f"series {number}": [1.0, 2.0] for number in range(9)})
    holes = Chart("bar", ["a", "b"], {"x": [1.0, float("nan")]})
    for chart in (many, holes):
        deck = made(tmp_path, Deck("t", chapters=[Chapter("", [Page("p", [Block(chart=chart)])])]))
        assert [slide.layout for slide in deck.slides] == ["cover", "table", "closing"]


def text_of(path: Path) -> str:
    found: list[str] = []
    for slide in Presentation(str(path)).slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                found.append(shape.text_frame.text)
            if shape.has_table:
                found += [cell.text for row in shape.table.rows for cell in row.cells]
    return "".join("".join(found).split())


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_of_a_long_list(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    points = [decks.chinese(random_, random_.choice((20, 90, 700))) for _ in range(12)]
    deck = made(tmp_path, Deck("长", chapters=[Chapter("", [Page("列表", [Block("段落", points)])])]))
    text = text_of(deck.path)
    assert "".join("".join(points).split()) in text.replace("段落", "", 1) or all(
        piece in text for point in points for piece in ("".join(point.split())[:12], "".join(point.split())[-12:])
    )
    assert len(deck.slides) > 3


@pytest.mark.parametrize("letters", [400, 3000])
def test_heads_as_long_as_texts_go_over_pages(tmp_path: Path, letters: int) -> None:
    blocks = [Block("题" * letters, ["文" * letters]) for _ in range(5)]
    deck = made(tmp_path, Deck("长", chapters=[Chapter("章" * letters, [Page("页" * letters, blocks)])]))
    text = text_of(deck.path)
    assert text.count("题") == text.count("文") == 5 * letters
    notes = [
        slide.notes_slide.notes_text_frame.text
        for slide in Presentation(str(deck.path)).slides
        if slide.has_notes_slide
    ]
    assert any("页" * letters in note for note in notes)


def test_a_wide_and_long_table_goes_over_pages_with_its_head(tmp_path: Path) -> None:
    rows = [
        [f"列{column}" for column in range(14)],
        *([f"{row}-{column}" for column in range(14)] for row in range(30)),
    ]
    deck = made(tmp_path, Deck("表", chapters=[Chapter("", [Page("宽表", [Block(table=Table(rows))])])]))
    tables = [shape.table for slide in Presentation(str(deck.path)).slides for shape in slide.shapes if shape.has_table]
    assert len(tables) > 2
    cells = {cell.text for table in tables for row in table.rows for cell in row.cells}
    assert cells == {cell for row in rows for cell in row}
    assert all(table.cell(0, 0).text == "列0" for table in tables)


def test_what_xml_cannot_hold_is_taken_out(tmp_path: Path) -> None:
    deck = Deck("a\x00b\x0bc\ud800", chapters=[Chapter("]]>&<", [Page("\x07", [Block(points=["\ufffe<b>&amp;"])])])])
    deck = made(tmp_path, deck)
    assert deck.slides[0].title == "abc"
    assert "<b>&amp;" in text_of(deck.path)


@pytest.mark.parametrize(
    ("deck", "title"), [(Deck(""), "演示文稿"), (Deck("", chapters=[Chapter("第一章")]), "第一章")]
)
def test_a_deck_without_a_title_has_one(tmp_path: Path, deck: Deck, title: str) -> None:
    assert made(tmp_path, deck).slides[0].title == title


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\nbroken"])
def test_a_picture_that_cannot_be_read_is_left_out(tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(content)
    page = Page("现场", [Block("线路", ["监测"], image="bad.png")])
    deck = write(
        Deck("t", chapters=[Chapter("", [page])]), "swiss", "red", tmp_path / "d.pptx", pictures={"bad.png": bad}
    )
    assert [slide.layout for slide in deck.slides] == ["cover", "list", "closing"]


@pytest.mark.parametrize(("mode", "form"), [("CMYK", "JPEG"), ("RGBA", "WEBP"), ("P", "GIF"), ("I;16", "PNG")])
def test_pictures_of_all_sorts_stand_in_the_deck(tmp_path: Path, mode: str, form: str) -> None:
    path = tmp_path / "site.png"
    image = Image.new(mode, (640, 400), 40000 if mode == "I;16" else 0)
    image.save(path, form)
    page = Page("现场", [Block("线路", ["监测"], image="x")])
    deck = write(Deck("t", chapters=[Chapter("", [page])]), "swiss", "red", tmp_path / "d.pptx", pictures={"x": path})
    (picture,) = [shape for shape in Presentation(str(deck.path)).slides[1].shapes if hasattr(shape, "image")]
    with Image.open(io.BytesIO(picture.image.blob)) as stored:
        assert stored.size == (640, 400)
        if mode == "I;16":
            # 16 bits are scaled, not clipped.
            assert stored.convert("L").getpixel((0, 0)) == 40000 >> 8
