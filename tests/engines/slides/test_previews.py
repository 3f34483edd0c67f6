"""Pictures of pages: by our own renderer everywhere, by LibreOffice where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy
import pypdfium2
import pytest
from PIL import Image
from pptx import Presentation

from deeepai.engines.jobs import Refusal
from deeepai.engines.slides import office, previews
from deeepai.engines.slides.designs import DESIGNS
from deeepai.engines.slides.model import Block, Chapter, Deck, Page
from deeepai.engines.slides.raster import Renderer
from deeepai.engines.slides.writing import write
from tests.engines.slides import decks, overflow

needs_office = pytest.mark.skipif(not office.program(), reason="LibreOffice is not installed (`make slides`)")


@pytest.fixture(scope="module", autouse=True)
def profile() -> object:
    yield
    office.forget()


def test_our_own_renderer_draws_each_page(tmp_path: Path) -> None:
    picture = decks.picture(tmp_path / "site.png")
    made = write(decks.whole(), "classroom", "sunny", tmp_path / "d.pptx", pictures={"site.png": picture})
    told: list[tuple[int, int]] = []
    drawn = previews.draw(made.path, tmp_path, by="simple", told=lambda page, count: told.append((page, count)))
    assert drawn.renderer == "simple"
    assert told == [(page, len(made.slides)) for page in range(1, len(made.slides) + 1)]
    for path in drawn.pages:
        with Image.open(path) as image:
            assert image.size == (1280, 720)
            assert len(image.getcolors(1 << 20) or []) > 20


def test_it_draws_what_is_written_where_it_is_written(tmp_path: Path) -> None:
    deck = Deck(
        "题", language="zh-CN", chapters=[Chapter("", [Page("左上", [Block(points=["正文在下面。", "又一行。"])])])]
    )
    made = write(deck, "swiss", "red", tmp_path / "d.pptx", pictures={})
    page = previews.draw(made.path, tmp_path, width=960, by="simple").pages[1]
    dark = numpy.asarray(Image.open(page).convert("L")) < 100
    assert dark[40:90, 48:120].any(), "title"
    assert not dark[40:120, 300:900].any(), "beside the title"
    assert dark[136:220, 264:500].any(), "text"
    assert not dark[300:480, 48:912].any(), "below the text"


def test_what_is_read_from_the_right_stands_there(tmp_path: Path) -> None:
    page = Page("نمت الشبكة", [Block(points=["افتتحت خمس وخمسون مدينة.", "أربعون بالمئة من العمليات."])])
    deck = Deck("مستقبل النقل", language="ar-SA", chapters=[Chapter("", [page])])
    made = write(deck, "ink", "indigo", tmp_path / "d.pptx", pictures={})
    drawn = previews.draw(made.path, tmp_path, width=960, by="simple").pages[1]
    dark = numpy.asarray(Image.open(drawn).convert("L")) < 110
    assert dark[140:220, 600:912].any()
    assert not dark[140:220, 48:400].any()


def test_themes_colour_the_same_page_otherwise(tmp_path: Path) -> None:
    found: set[tuple[int, ...]] = set()
    for theme in DESIGNS["launch"].themes:
        made = write(Deck("启程"), "launch", theme, tmp_path / "d.pptx", pictures={})
        image = Image.open(previews.draw(made.path, tmp_path, width=160, by="simple").pages[0])
        found.add(image.getpixel((2, 2)))
    assert len(found) == 3


@needs_office
@pytest.mark.parametrize("design", DESIGNS)
def test_office_opens_each_design_and_draws_it_alike(tmp_path: Path, design: str) -> None:
    picture = decks.picture(tmp_path / "site.png")
    language = "zh-CN" if list(DESIGNS).index(design) % 2 else "en-US"
    theme = next(iter(DESIGNS[design].themes))
    made = write(decks.whole(language), design, theme, tmp_path / "d.pptx", pictures={"site.png": picture})
    pdf = office.pdf(made.path, tmp_path)
    assert overflow.faults(made.path, pdf, made, design) == []
    ours = list(Renderer(made.path, 320))
    theirs = [page.render(scale=320 / page.get_width()).to_pil() for page in pypdfium2.PdfDocument(pdf)]
    for number, pair in enumerate(zip(ours, theirs, strict=True), 1):
        mine, its = (numpy.asarray(image.convert("L").resize((96, 54)), float) for image in pair)
        assert numpy.abs(mine - its).mean() < 12, f"page {number}"


@needs_office
def test_previews_are_offices_where_there_is_one(tmp_path: Path) -> None:
    made = write(Deck("一页"), "ink", "celadon", tmp_path / "d.pptx", pictures={})
    drawn = previews.draw(made.path, tmp_path, width=320)
    assert drawn.renderer == "libreoffice"
    assert [Image.open(path).size for path in drawn.pages] == [(320, 180)] * len(made.slides)


@needs_office
@pytest.mark.parametrize("seed", [0, 3, 8])
def test_no_text_overflows_whatever_the_deck(tmp_path: Path, seed: int) -> None:
    picture = decks.picture(tmp_path / "site.png")
    design = DESIGNS[list(DESIGNS)[seed % len(DESIGNS)]]
    made = write(
        decks.wild(seed), design.id, next(iter(design.themes)), tmp_path / "d.pptx", pictures={"site.png": picture}
    )
    assert overflow.faults(made.path, office.pdf(made.path, tmp_path), made, design.id) == []


@needs_office
def test_the_check_itself_sees_what_overflows(tmp_path: Path) -> None:
    made = write(decks.whole(), "swiss", "red", tmp_path / "d.pptx", pictures={})
    document = Presentation(str(made.path))
    document.slides[3].placeholders[1].text_frame.paragraphs[0].runs[0].text = "太长的一段。" * 120
    document.save(str(made.path))
    assert overflow.faults(made.path, office.pdf(made.path, tmp_path), made, "swiss")


@needs_office
def test_what_is_no_deck_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.pptx"
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(Refusal) as told:
        office.pdf(path, tmp_path)
    assert told.value.code == "unreadable"


@needs_office
def test_office_is_given_its_time_and_no_more(tmp_path: Path) -> None:
    made = write(decks.whole(), "swiss", "red", tmp_path / "d.pptx", pictures={})
    with pytest.raises(Refusal) as told:
        office.pdf(made.path, tmp_path, seconds=0.05)
    assert told.value.code == "timeout"
    # And the next deck is drawn.
    assert office.pdf(made.path, tmp_path).exists()
