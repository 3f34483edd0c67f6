"""What 韦尼克's callers write, and what the engine makes of it, without any program."""

from __future__ import annotations

import random

import pytest

from deeepai.engines.slides.designs import DESIGNS
from deeepai.engines.slides.model import Block, Chapter, Chart, Deck, Page
from deeepai.engines.weinike import building, templates, work
from deeepai.engines.weinike.building import Catalog, Content, Outline, Pair
from deeepai.engines.weinike.vocabulary import HUES, STYLES, language_of, topic


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("生成一份网络安全PPT", "网络安全"),
        ("请帮我制作一份关于网络安全的PPT，要求条理清楚", "网络安全"),
        ("制作关于风能，太阳能的PPT", "风能，太阳能"),
        ("生成一个介绍北京的PPT。", "北京"),
        ("写一份年终总结汇报", "年终总结"),
        ("Create a presentation about tide pools", "tide pools"),
        ("Make a ppt on solar. Keep it short.", "solar"),
        ("AIPC市场分析", "AIPC市场分析"),
        ("介绍云计算", "介绍云计算"),
        ("做一个PPT", "做一个PPT"),
        ("PPT的历史", "PPT的历史"),
        ("", ""),
    ],
)
def test_topics(text: str, name: str) -> None:
    assert topic(text) == name


def test_languages() -> None:
    assert language_of("zh-TW", "tide pools") == "zh-TW"
    assert language_of("", "tide pools") == "en-US"
    assert language_of("", "潮池 tide pools") == language_of("", "") == "zh-CN"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("网络安全", False),
        ("# 标题\n## 一\n要点", True),
        ("# 标题", False),
        ("第一段说明。\n" * 6, True),
        ("请生成一份网络安全PPT，" + "要求" * 200, False),
    ],
)
def test_what_a_deck_is_made_of(text: str, source: bool) -> None:
    assert building.is_source(text) is source


def test_an_outline() -> None:
    outline = Outline(
        "标题",
        [Catalog("甲", ["一", "二"]), Catalog("乙")],
        contents=[
            Content(0, ["行一", "行二\n行三"], 1, ["https://a/p.png", "https://a/q.png"]),
            Content(1, "整章"),
            Content(0, "开头"),
        ],
    )
    deck = building.of_outline(outline, "zh-CN", {"https://a/p.png": "picture-given-1"})
    first, second = deck.chapters
    assert [page.title for page in first.pages] == ["甲", "一", "二"]
    assert first.pages[0].blocks == [Block(points=["开头"])]
    assert first.pages[2].blocks == [Block(points=["行一", "行二", "行三"]), Block(image="picture-given-1")]
    assert [(page.title, page.blocks) for page in second.pages] == [("乙", [Block(points=["整章"])])]


def test_keys_with_values() -> None:
    figures, layout = building.blocks_of([Pair("2024", "12.5"), Pair("2025", 20)], "销量")
    assert (figures, layout) == ([Block(chart=Chart("bar", ["2024", "2025"], {"销量": [12.5, 20.0]}))], "chart")
    steps, layout = building.blocks_of([Pair("准备", "定规则"), Pair("执行", None), Pair("完成", True)], "步骤")
    assert [(block.title, block.points) for block in steps] == [("准备", ["定规则"]), ("执行", []), ("完成", ["True"])]
    assert layout == "columns"
    assert building.blocks_of([Pair(str(n), "x") for n in range(5)], "多")[1] == ""
    assert building.blocks_of([Pair("一", "1")], "单")[0] == [Block("一", ["1"])], "one figure is no chart"


# Templates ---------------------------------------------------------------------------------------------------------


def test_words_are_of_designs_that_there_are() -> None:
    assert {design for designs in STYLES.values() for design in designs} <= DESIGNS.keys()
    assert {one.shown.hue for one in templates.every()} == set(HUES.values())
    names = [one.name for one in templates.every()]
    assert len(set(names)) == len(names)
    assert not any("-" in name for name in names), "a dash marks a cover of somebody's"
    assert all(templates.listed(name) is not None for name in names)


@pytest.mark.parametrize("colour", HUES)
@pytest.mark.parametrize("style", ["", *STYLES])
def test_a_colour_is_met_before_a_style(colour: str, style: str) -> None:
    for seed in range(5):
        random.seed(seed)
        found = templates.chosen(4, style=style, colour=colour)
        assert len(set(found)) == 4
        assert found[0].colour == colour
        fits = [templates.fits(one, style, colour) for one in found]
        assert fits == sorted(fits, key=lambda fit: (fit[1], fit[0]), reverse=True)


def test_no_two_of_one_design() -> None:
    assert len({one.design for one in templates.chosen(4)}) == 4


@pytest.mark.parametrize("name", [one.name for one in templates.every()])
def test_variants(name: str) -> None:
    template = templates.listed(name)
    assert template is not None
    found = templates.variants(template, 4)
    assert {one.design for one in found} == {template.design}
    assert len({one.colour for one in found} | {template.colour}) == 5
    wish = next(word for word in HUES if word != template.colour)
    assert templates.variants(template, 1, colour=wish)[0].colour == wish
    again = templates.variants(found[-1], 4)
    assert found[-1].colour not in {one.colour for one in again}


# Filled ------------------------------------------------------------------------------------------------------------


def test_what_a_caller_wrote_stays_whoever_fills_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    own, empty = Page("一", [Block(points=["我写的"])], "quote"), Page("二", [Block("小标题")])
    deck = Deck("标题", author="张三", chapters=[Chapter("甲", [own, empty])])

    def content(asked: Deck, source: object, *, prompt: str) -> Deck:
        pages = [Page("一", [Block(points=["别的"])]), Page("二", [Block("小标题", ["填上的"])], "columns")]
        return Deck("别的标题", "副标题", "别人", chapters=[Chapter("乙", pages)])

    monkeypatch.setattr(work.chat, "content", content)
    filled = work._filled(deck, None, "")
    assert (filled.title, filled.author, filled.subtitle) == ("标题", "张三", "副标题")
    assert [chapter.title for chapter in filled.chapters] == ["甲"]
    assert [(page.blocks, page.layout) for page in filled.chapters[0].pages] == [
        ([Block(points=["我写的"])], "quote"),
        ([Block("小标题", ["填上的"])], "columns"),
    ]


def test_a_whole_deck_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(work.chat, "content")
    deck = Deck("标题", chapters=[Chapter("甲", [Page("一", [Block(points=["我写的"])])])])
    assert work._filled(deck, None, "") is deck
