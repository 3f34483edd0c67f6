"""Decks by a chat model over a real socket; by the planner where there is none or it fails; outlines by rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deeepai.engines.slides import chat, markdown, planning
from deeepai.engines.slides.documents import Document
from deeepai.engines.slides.model import Deck
from deeepai.engines.slides.revising import revised
from deeepai.settings import Settings
from tests.engines.chat_model import OUTLINE, Model, serving

SOURCE = Document(
    "Tea", "# Tea\n\n## Leaves\n\nGreen tea has 40 mg of caffeine.\n\n## Water\n\nWater boils at 100 degrees.", {}
)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Model]]:
    with serving(monkeypatch) as found:
        yield found


def test_the_model_writes_the_outline(model: type[Model]) -> None:
    pieces = list(chat.outline_stream("Tea", SOURCE, length="short", language="en", prompt="for children"))
    assert "".join(pieces) == OUTLINE
    assert len(pieces) > 3
    (asked,) = model.asked
    assert (asked["path"], asked["key"], asked["model"]) == (
        "/v1/chat/completions",
        "Bearer sk-key-of-the-test",
        "a-model",
    )
    said = asked["messages"][1]["content"]
    for word in ("10 to 15", "en-US", "Tea", "for children", "40 mg of caffeine"):
        assert word in said


@pytest.mark.parametrize("mode", ["refuses", "redirects", "breaks", "errs", "noise", "other"])
def test_the_planner_takes_over(model: type[Model], mode: str, caplog: pytest.LogCaptureFixture) -> None:
    model.mode = mode
    if mode == "other":
        model.answer = "I am sorry, but I cannot do that."
    pieces = list(chat.outline_stream("", SOURCE, length="short", language="en"))
    if chat.RESET in pieces:
        pieces = pieces[pieces.index(chat.RESET) + 1 :]
    else:
        assert mode in ("refuses", "redirects")
    assert "".join(pieces) == "".join(planning.outline_stream("", SOURCE, length="short", language="en"))
    assert "sk-key-of-the-test" not in caplog.text
    assert "planner" in caplog.text


def test_content_that_leaves_pages_out_is_not_taken(model: type[Model]) -> None:
    deck = planning.outline("", SOURCE)
    pieces = list(chat.content_stream(deck, SOURCE))
    assert "".join(pieces[pieces.index(chat.RESET) + 1 :]) == markdown.write(planning.content(deck, SOURCE))


def test_content_that_is_whole_is_taken(model: type[Model]) -> None:
    model.answer = OUTLINE + "\n- It tastes of grass and of the sea.\n"
    deck = markdown.parse(OUTLINE)
    assert "".join(chat.content_stream(deck, SOURCE)) == model.answer
    assert chat.content(deck, SOURCE) == markdown.parse(model.answer, deck.language)


def test_decks_are_of_what_counts_in_the_end(model: type[Model]) -> None:
    model.mode = "breaks"
    deck = chat.outline("", SOURCE, language="en")
    assert deck == planning.outline("", SOURCE, language="en")
    assert chat.content(deck, SOURCE) == planning.content(deck, SOURCE)


def test_notes_are_the_models_where_it_says_some(model: type[Model]) -> None:
    deck = markdown.parse(OUTLINE + "\n- x\n\n### Black\n\n- y\n")
    model.answer = "### Green\n\nGood day. This is green tea.\n"
    first, second = chat.notes(deck).chapters[0].pages
    assert first.notes == "Good day. This is green tea."
    assert second.notes == "y"


def test_without_a_model_the_planner_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEEPAI_ENGINES_CHAT_URL", raising=False)
    assert "".join(chat.outline_stream("", SOURCE)) == "".join(planning.outline_stream("", SOURCE))
    deck = planning.outline("", SOURCE)
    assert "".join(chat.content_stream(deck, SOURCE)) == markdown.write(planning.content(deck, SOURCE))
    assert chat.notes(planning.content(deck, SOURCE), SOURCE).chapters[0].pages[0].notes


def test_the_programs_take_the_variables() -> None:
    Settings.load(
        {"DEEEPAI_ENGINES_CHAT_URL": "http://x/v1", "DEEEPAI_ENGINES_CHAT_KEY": "k", "DEEEPAI_ENGINES_CHAT_MODEL": "m"}
    )


TALK = "# 茶\n\n## 背景\n\n### 一\n\n### 二\n\n### 三\n\n## 1. 产品！\n\n### 四\n\n### 四\n\n## 结论与建议\n\n### 五\n"


def titles(deck: Deck) -> list[str]:
    return [chapter.title for chapter in deck.chapters]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("金字塔原理优化", ["结论与建议", "背景", "1. 产品！"]),
        ("让大纲更专业", ["背景", "产品", "结论与建议"]),
        ("突出大纲主题", ["茶：背景", "茶：1. 产品！", "茶：结论与建议"]),
        ("增加“市场”章节", ["背景", "1. 产品！", "市场", "结论与建议"]),
        ("删除背景", ["1. 产品！", "结论与建议"]),
        ("把“背景”改为“来历”", ["来历", "1. 产品！", "结论与建议"]),
        ("把产品放到最前", ["1. 产品！", "背景", "结论与建议"]),
        ("背景放到最后", ["1. 产品！", "结论与建议", "背景"]),
        ("Use the pyramid principle", ["结论与建议", "背景", "1. 产品！"]),
        ("add a chapter on markets", ["背景", "1. 产品！", "markets", "结论与建议"]),
        ("写一首诗", ["背景", "1. 产品！", "结论与建议"]),
        ("", ["背景", "1. 产品！", "结论与建议"]),
    ],
)
def test_outlines_are_revised_by_rules(question: str, expected: list[str]) -> None:
    assert titles(revised(markdown.parse(TALK), question)) == expected


def test_transitions_lead_over() -> None:
    deck = revised(markdown.parse(TALK), "强化大纲结构和过渡")
    assert [chapter.pages[0].title for chapter in deck.chapters] == [
        "一",
        "从“背景”到“1. 产品！”",
        "从“1. 产品！”到“结论与建议”",
    ]


def test_an_outline_is_cut_to_its_length() -> None:
    long = "# T\n\n" + "".join(f"## C{c}\n\n" + "".join(f"### P{c}{p}\n\n" for p in range(9)) for c in range(5))
    deck = markdown.parse(long)
    assert 3 + 5 + sum(len(chapter.pages) for chapter in revised(deck, "", "short").chapters) <= 15
    assert sum(len(chapter.pages) for chapter in revised(deck, "更简短").chapters) == 30


def test_updates_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEEPAI_ENGINES_CHAT_URL", raising=False)
    pieces = list(chat.update_stream(markdown.parse(TALK), "金字塔原理优化", length="medium"))
    assert len(pieces) > 5
    assert titles(markdown.parse("".join(pieces)))[0] == "结论与建议"
