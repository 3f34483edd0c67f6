"""Decks as Markdown and as outline trees, both ways."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.engines.slides import markdown
from deeepai.engines.slides.model import Block, Chapter, Chart, Deck, Page, Table
from deeepai.engines.slides.pieces import escaped, pieces, table

SAMPLE = """# 人工智能的未来

给管理者的概述

## 现状

### 市场规模

#### 增长

- 2023 年市场规模为 1,200 亿元。
- 同比增长 25%。

| 年份 | 规模（亿元） |
| --- | --- |
| 2021 | 800 |
| 2022 | 960 |
| 2023 | 1,200 |

#### 编号

| 编号 | 名称 |
| --- | --- |
| 0044 | NA |

### 一句话

> 预测未来的最好方法就是创造它。

## 展望

### 图示

![示意图](<picture-1.png>)
"""


def test_the_grammar_is_read() -> None:
    deck = markdown.parse(SAMPLE)
    assert (deck.title, deck.subtitle, deck.language) == ("人工智能的未来", "给管理者的概述", "zh-CN")
    assert [chapter.title for chapter in deck.chapters] == ["现状", "展望"]
    market, quote = deck.chapters[0].pages
    growth, codes = market.blocks
    assert growth.points == ["2023 年市场规模为 1,200 亿元。", "同比增长 25%。"]
    assert growth.chart == Chart("line", ["2021", "2022", "2023"], {"规模": [800.0, 960.0, 1200.0]}, "亿元")
    assert codes.table == Table([["编号", "名称"], ["0044", "NA"]])
    assert (quote.layout, quote.blocks[0].points) == ("quote", ["预测未来的最好方法就是创造它。"])
    assert deck.chapters[1].pages[0].blocks == [Block("示意图", image="picture-1.png")]


@pytest.mark.parametrize("fence", ["```markdown\n{}\n```", "```\n{}```", "~~~md\n{}\n~~~\n", "\n```Markdown\n{}"])
def test_a_fence_is_taken_off(fence: str) -> None:
    assert markdown.parse(fence.format(SAMPLE)) == markdown.parse(SAMPLE)


def test_what_models_write_is_understood() -> None:
    deck = markdown.parse("#标题\n##第一章\n###页\n####块\n• 一\n• 二\n段落一\n段落二\n##第二章\n")
    assert [chapter.title for chapter in deck.chapters] == ["第一章", "第二章"]
    block = deck.chapters[0].pages[0].blocks[0]
    assert (block.title, block.points) == ("块", ["一", "二", "段落一", "段落二"])


@pytest.mark.parametrize(
    ("text", "title", "chapters", "pages"),
    [
        ("", "", 0, 0),
        ("only words", "only words", 1, 1),
        ("## A\n\n### B", "A", 1, 1),
        ("# T\n\n#### block\n\n- x", "T", 1, 1),
        ("# T\n\n# U\n\nx", "T", 1, 1),
        ("| | |\n|-|-|", "", 1, 1),
    ],
)
def test_what_is_not_whole_is_a_deck_all_the_same(text: str, title: str, chapters: int, pages: int) -> None:
    deck = markdown.parse(text)
    assert len(deck.chapters) == chapters
    assert sum(len(chapter.pages) for chapter in deck.chapters) == pages
    if text != "only words":
        assert deck.title == title


_line = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"]), min_size=1)
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)
_cells = st.lists(_line, min_size=2, max_size=3)
_table = st.lists(_cells, min_size=2, max_size=4).map(lambda rows: [(row * 3)[:3] for row in rows])


@given(_line)
def test_any_line_survives_escaping(line: str) -> None:
    assert [piece.text for piece in pieces(escaped(line))] == [line]
    assert pieces(table([[line, "h"], ["1", line]]))[0].rows == [[line, "h"], ["1", line]]


@given(
    st.builds(
        Deck,
        title=_line,
        language=st.just("zh-CN"),
        chapters=st.lists(
            st.builds(
                Chapter,
                title=_line,
                pages=st.lists(
                    st.builds(
                        Page,
                        title=_line,
                        blocks=st.lists(st.builds(Block, title=_line, points=st.lists(_line, max_size=3)), max_size=3),
                    ),
                    max_size=2,
                ),
            ),
            max_size=2,
        ),
    )
)
def test_a_deck_survives_both_ways(deck: Deck) -> None:
    assert markdown.parse(markdown.write(deck), "zh-CN") == deck
    assert markdown.from_tree(markdown.tree(deck), "zh-CN") == deck


@given(_table)
def test_tables_survive(rows: list[list[str]]) -> None:
    page = Page("p", [Block("b", table=Table(rows))])
    read = markdown.parse(markdown.write(Deck("t", chapters=[Chapter("c", [page])]))).chapters[0].pages[0].blocks[0]
    assert read.chart is not None or read.table == Table(rows)


def test_a_chart_survives() -> None:
    chart = Chart("bar", ["A", "B"], {"x": [1.5, -2.0], "y": [1e6, 0.25]}, "km")
    deck = Deck("t", chapters=[Chapter("c", [Page("p", [Block("b", chart=chart)])])])
    for read in (markdown.parse(markdown.write(deck)), markdown.from_tree(markdown.tree(deck))):
        assert read.chapters[0].pages[0].blocks[0].chart == chart


def test_the_tree_is_the_vendors() -> None:
    deck = Deck("主题", chapters=[Chapter("章节", [Page("页面", [Block("内容标题", ["内容"])])])])
    leaf = {"level": 4, "name": "内容标题", "children": [{"level": 0, "name": "内容"}]}
    page = {"level": 3, "name": "页面", "children": [leaf]}
    assert markdown.tree(deck) == {
        "level": 1,
        "name": "主题",
        "children": [{"level": 2, "name": "章节", "children": [page]}],
    }
    assert markdown.tree(deck, content=False)["children"][0]["children"][0]["children"][0]["children"] == []


@pytest.mark.parametrize("node", [None, [], "x", {"level": "1"}, {"level": 1, "name": 5, "children": {"a": 1}}])
def test_a_tree_of_another_shape_is_passed_over(node: object) -> None:
    assert isinstance(markdown.from_tree(node), Deck)


def test_a_deep_tree_is_bounded() -> None:
    node: dict[str, object] = {"level": 0, "name": "x"}
    for _ in range(5000):
        node = {"level": 3, "name": "p", "children": [node]}
    assert sum(len(chapter.pages) for chapter in markdown.from_tree(node).chapters) < 100


def test_nothing_in_markdown_takes_long() -> None:
    nasty = [
        "[" * 50_000,
        "*a " * 30_000,
        "`" * 50_000,
        "> " * 20_000,
        "![a](" * 20_000,
        "|a" * 20_000 + "\n" + "|-" * 20_000,
    ]
    for text in nasty:
        begun = time.process_time()
        markdown.parse(text)
        assert time.process_time() - begun < 10
