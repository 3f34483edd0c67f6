"""Pages put in, notes set, designs changed; nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from openxml_audit import OpenXmlValidator
from pptx import Presentation

from deeepai.engines.slides import editing
from deeepai.engines.slides.model import Block, Page
from deeepai.engines.slides.writing import write
from tests.engines.slides import decks


def titles(path: Path) -> list[str]:
    return [
        slide.shapes.title.text_frame.text if slide.shapes.title else "" for slide in Presentation(str(path)).slides
    ]


@pytest.mark.parametrize("position", [0, 1, 4, 7, 18, 99])
@pytest.mark.parametrize("kind", editing.KINDS)
def test_a_page_is_put_in(tmp_path: Path, position: int, kind: str) -> None:
    deck = decks.whole()
    made = write(deck, "ink", "indigo", tmp_path / "d.pptx", pictures={})
    before = titles(made.path)
    page = Page("新的一页", [Block("甲", ["一"]), Block("乙", ["二"])], notes="说给人听")
    put = editing.insert(made.path, deck, position, page, "ink", "indigo", slides=made.slides, kind=kind)
    at = min(position, len(before))
    after = titles(made.path)
    assert put.position == at
    assert after == [*before[:at], "新的一页", *before[at:]]
    assert [slide.title for slide in put.made.slides][at] == "新的一页"
    assert OpenXmlValidator().validate(made.path).errors == []
    # What is rebuilt from the deck has the page, too.
    again = write(put.deck, "launch", "ocean", tmp_path / "again.pptx", pictures={})
    assert [slide.title for slide in again.slides].count("新的一页") == 1
    if kind == "content" and 0 < at < len(before):
        assert titles(again.path)[at] == "新的一页"


def test_pages_put_in_one_after_another_keep_their_places(tmp_path: Path) -> None:
    deck = decks.whole()
    made = write(deck, "swiss", "red", tmp_path / "d.pptx", pictures={})
    slides = made.slides
    for number in range(3):
        put = editing.insert(made.path, deck, 4, Page(f"第 {number} 页"), "swiss", "red", slides=slides)
        deck, slides = put.deck, put.made.slides
    assert titles(made.path)[4:7] == ["第 2 页", "第 1 页", "第 0 页"]
    again = write(deck, "night", "cyan", tmp_path / "again.pptx", pictures={})
    assert [slide.title for slide in again.slides] == [slide.title for slide in slides]


def test_what_was_changed_by_hand_stays(tmp_path: Path) -> None:
    deck = decks.whole()
    made = write(deck, "swiss", "red", tmp_path / "d.pptx", pictures={})
    document = Presentation(str(made.path))
    document.slides[0].shapes.title.text_frame.text = "改过的标题"
    document.save(str(made.path))
    editing.insert(made.path, deck, 2, Page("新"), "swiss", "red", slides=made.slides)
    assert titles(made.path)[0] == "改过的标题"


def test_notes_are_set_and_replaced(tmp_path: Path) -> None:
    made = write(decks.whole(), "swiss", "red", tmp_path / "d.pptx", pictures={})
    editing.set_notes(made.path, {0: "开场白\n第二段", 3: "换掉"}, "zh-CN")
    slides = Presentation(str(made.path)).slides
    assert slides[0].notes_slide.notes_text_frame.text == "开场白\n第二段"
    assert slides[3].notes_slide.notes_text_frame.text == "换掉"
    assert OpenXmlValidator().validate(made.path).errors == []
