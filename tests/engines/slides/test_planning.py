"""The planner: what a text says, in its order, in its words; and nothing that it does not say."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from deeepai.engines.slides import documents, markdown, neutral, planning
from deeepai.engines.slides.documents import Document
from deeepai.engines.slides.model import Chart, Deck, Page
from deeepai.engines.slides.pieces import pieces
from deeepai.engines.slides.wording import detect, joined, numbers, sentences, titled, width

TEXTS = Path(__file__).parent / "texts"
BOUNDS = {"short": (10, 15), "medium": (20, 30), "long": (25, 35)}


def read(name: str) -> Document:
    return documents.read(TEXTS / name, name)


def made(source: Document, length: str = "medium", **options: str) -> Deck:
    deck = planning.outline("", source, length=length, **options)
    return planning.content(deck, source, prompt=options.get("prompt", ""))


def count(deck: Deck) -> int:
    return 3 + len(deck.chapters) + sum(len(chapter.pages) for chapter in deck.chapters)


def all_pages(deck: Deck) -> list[Page]:
    return [page for chapter in deck.chapters for page in chapter.pages]


def said(deck: Deck) -> str:
    return markdown.write(deck)


def plain(text: str) -> str:
    """A text without what Markdown, lines and spaces add."""
    return re.sub(r"\s+", "", "".join(piece.text + "".join(map("".join, piece.rows)) for piece in pieces(text)))


@pytest.mark.parametrize("name", sorted(path.name for path in TEXTS.iterdir()))
@pytest.mark.parametrize("length", ["short", "medium", "long"])
def test_no_sentence_is_of_the_planners_own(name: str, length: str) -> None:
    source = read(name)
    deck = made(source, length)
    everything = plain(source.markdown)
    fixed = neutral.words(deck.language)
    for page in all_pages(deck):
        for block in page.blocks:
            for point in block.points:
                assert re.sub(r"\s+", "", point.rstrip("…")) in everything
            assert re.sub(r"\s+", "", block.title.rstrip("…")) in everything
        for part in re.split(rf"{fixed['colon']}|、|, | …", page.title):
            assert re.sub(r"\s+", "", re.sub(r" \(\d+\)$", "", part)) in everything or part == fixed["overview"]
        assert width(page.title) <= 62


@pytest.mark.parametrize("name", sorted(path.name for path in TEXTS.iterdir()))
def test_a_short_text_is_told_whole(name: str) -> None:
    source = read(name)
    deck = made(source)
    told = Counter(numbers(said(deck).replace(",", "")))
    for number in numbers(source.markdown.replace(",", "")):
        assert number in told, number


@pytest.mark.parametrize("name", sorted(path.name for path in TEXTS.iterdir()))
def test_the_order_is_the_texts(name: str) -> None:
    source = read(name)
    everything = plain(source.markdown)
    places = [
        everything.index(re.sub(r"\s+", "", point.rstrip("…")))
        for page in all_pages(made(source))
        for block in page.blocks
        for point in block.points
    ]
    assert places == sorted(places)
    assert len(places) == len(set(places))


@pytest.mark.parametrize(
    ("name", "language"),
    [("远山茶业年报.md", "zh-CN"), ("圖書館夜間開放.txt", "zh-TW"), ("城市雨水花园.txt", "zh-CN")],
)
def test_the_language_is_the_texts(name: str, language: str) -> None:
    assert made(read(name), language="en").language == language


def test_tables_series_and_dates_are_seen() -> None:
    deck = made(read("远山茶业年报.md"))
    charts = [block.chart for page in all_pages(deck) for block in page.blocks if block.chart]
    revenue, regions = charts
    assert revenue.categories == ["2021", "2022", "2023", "2024"]
    assert list(revenue.series.values()) == [[11.2, 13.9, 16.5, 18.6]]
    assert (revenue.kind, revenue.unit) == ("line", "亿元")
    assert regions == Chart("bar", ["华东", "华南", "华北", "西部"], {"收入": [7.4, 4.6, 3.8, 2.8]}, "亿元")
    dated = next(page for page in all_pages(deck) if page.layout == "timeline")
    assert [block.title for block in dated.blocks] == ["1998年", "2006年", "2013年", "2019年", "2024年"]
    quoted = next(page for page in all_pages(deck) if page.layout == "quote")
    assert quoted.blocks[0].points == ["茶是慢的生意，急不得。", "——陈远山"]
    assert [chapter.title for chapter in deck.chapters] == [
        "经营概况",
        "产品与研发",
        "发展历程",
        "风险与对策",
        "2025 年计划",
    ]


@pytest.mark.parametrize("length", ["short", "medium", "long"])
def test_an_outline_that_nobody_touched_gets_what_was_planned_for_it(length: str) -> None:
    # Without a title of its own: the deck's is its first sentence.
    source = Document("", long_text().split("\n\n", 2)[2].replace("## ", ""), {})
    deck = made(source, length)
    everything = plain(source.markdown)
    places = [
        everything.index(plain(point.rstrip("…")))
        for page in all_pages(deck)
        for block in page.blocks
        for point in block.points
    ]
    assert places == sorted(places)
    assert all(block.points for page in all_pages(deck) for block in page.blocks)


def long_text(chapters: int = 8, paragraphs: int = 6) -> str:
    parts = ["# Report on the harbour"]
    for chapter in range(chapters):
        parts.append(f"## District {chapter + 1}")
        for paragraph in range(paragraphs):
            at = chapter * 100 + paragraph
            parts.append(
                f"Quay number {at} was rebuilt in the spring and now takes {at + 7} ships a day. "
                f"The crane crew of quay {at} works in shifts of {at + 3} hours. "
                f"Inspectors found {at + 11} faults at gate {at} and had them repaired within the week."
            )
    return "\n\n".join(parts)


@pytest.mark.parametrize("length", ["short", "medium", "long"])
def test_a_long_text_makes_as_many_pages_as_asked(length: str) -> None:
    low, high = BOUNDS[length]
    assert low <= count(made(Document("", long_text(), {}), length)) <= high


def test_a_short_text_is_not_filled_up() -> None:
    assert count(made(Document("", "Bees dance. The dance tells where food is.", {}), "long")) <= 5


def test_no_page_is_overfull() -> None:
    for page in all_pages(made(Document("", long_text(12, 12), {}), "long")):
        assert len(page.blocks) <= 6
        assert sum(width(point) for block in page.blocks for point in block.points) <= 520


def test_a_wish_decides_what_is_told() -> None:
    filler = " ".join(f"The weather on day {day} was calm and nothing of note happened there." for day in range(200))
    text = filler[:6000] + " The turbine lost a blade above the valley. " + filler[6000:]
    source = Document("", text, {})
    wish = "turbine blade"
    assert "turbine" in said(
        planning.content(planning.outline("", source, length="short", prompt=wish), source, prompt=wish)
    )


@pytest.mark.parametrize("length", ["short", "medium", "long"])
@pytest.mark.parametrize("language", ["zh", "zh-Hant", "en", "ja", "ko", "ar", "de", "fr", "it", "pt", "es", "ru"])
def test_a_subject_alone_asks_and_claims_nothing(language: str, length: str) -> None:
    subject = "量子计算" if language.startswith("zh") else "Quantum computing"
    outline = planning.outline(subject, None, length=length, language=language)
    low, high = BOUNDS[length]
    assert low <= count(outline) <= high
    assert outline.title == subject
    assert not any(block.points for page in all_pages(outline) for block in page.blocks)
    deck = planning.content(outline, None)
    points = [point for page in all_pages(deck) for block in page.blocks for point in block.points]
    assert points
    assert all(points)
    assert not any(numbers(point) for point in points)
    titles = [page.title for page in all_pages(deck)]
    assert len(titles) == len(set(titles))
    assert any(subject in title for title in titles)


def test_an_edited_outline_is_filled_from_the_text() -> None:
    source = read("远山茶业年报.md")
    text = "# 我的汇报\n\n## 质量\n\n### 质量管理\n\n#### 农残检测\n\n## 未来\n\n### 杭州智能仓库\n\n### 火星殖民\n"
    deck = planning.content(markdown.parse(text), source)
    quality, warehouse, mars = all_pages(deck)
    assert any("112 项" in point for point in quality.blocks[0].points)
    assert "杭州智能仓库" in warehouse.blocks[0].points[0]
    assert mars.blocks == []
    assert deck.title == "我的汇报"


def test_what_the_caller_wrote_stays() -> None:
    source = read("远山茶业年报.md")
    deck = markdown.parse("# T\n\n## C\n\n### P\n\n- mine\n")
    assert planning.content(deck, source).chapters[0].pages[0].blocks[0].points == ["mine"]


def test_an_outline_without_a_text_asks() -> None:
    deck = planning.content(markdown.parse("# 主题\n\n## 一\n\n### 页\n\n#### 块\n"), None)
    assert "块" in deck.chapters[0].pages[0].blocks[0].points[0]


def test_notes_are_the_passage() -> None:
    source = Document("", long_text(3, 12), {})
    deck = planning.notes(made(source, "short"), source)
    everything = plain(source.markdown)
    notes = [page.notes for page in all_pages(deck)]
    assert all(notes)
    for note in notes:
        for sentence in sentences(note):
            assert re.sub(r"\s+", "", sentence) in everything
        assert width(note) <= 1200
    shown = sum(width(point) for page in all_pages(deck) for block in page.blocks for point in block.points)
    assert sum(map(width, notes)) > shown


def test_notes_without_a_text_are_the_pages_own() -> None:
    deck = planning.notes(markdown.parse("# T\n\n## C\n\n### P\n\n#### B\n\n- One.\n- Two.\n"))
    assert all_pages(deck)[0].notes == "B: One. Two."


def test_streams_are_the_same() -> None:
    source = read("城市雨水花园.txt")
    outline = planning.outline("", source)
    pieces_of_it = list(planning.outline_stream("", source))
    assert len(pieces_of_it) > 10
    assert markdown.parse("".join(pieces_of_it), outline.language) == outline
    assert "".join(planning.content_stream(outline, source)) == markdown.write(planning.content(outline, source))


def test_pictures_of_others_are_not_asked_for() -> None:
    pictures = "![x](http://127.0.0.1/x.png)\n\n![own](picture-1.png)"
    text = f"# T\n\n## A\n\nOne sentence here.\n\n{pictures}\n\n## B\n\nAnother one."
    deck = made(Document("", text, {"picture-1.png": b"\x89PNG"}))
    assert [block.image for page in all_pages(deck) for block in page.blocks if block.image] == ["picture-1.png"]


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\n\n", "#", "# \n## \n### ", "x" * 50_000, "字" * 50_000, "a. " * 20_000, "- \n" * 5000,
     "| a |\n|-|\n" * 3000, "!!!", "1\n2\n3", "\u202e\u200f שלום", "# A\n" * 3000],
)  # fmt: skip
def test_any_text_is_a_deck(text: str) -> None:
    source = Document("", text, {})
    deck = planning.notes(made(source), source)
    assert deck.title
    assert count(deck) <= 36


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith paid $3.50. He left at 5 p.m. sharp.", ["Dr. Smith paid $3.50.", "He left at 5 p.m. sharp."]),
        ("他说：“好。”然后走了。再见！", ["他说：“好。”", "然后走了。", "再见！"]),
        ("See e.g. Fig. 3 for it. Then go on.", ["See e.g. Fig. 3 for it.", "Then go on."]),
        ("版本 3.11 已发布。\n新的一行", ["版本 3.11 已发布。", "新的一行"]),
        ("Use /flux/…, not /sd/…, here. Done.", ["Use /flux/…, not /sd/…, here.", "Done."]),
        ("مرحبا بكم؟ نعم.", ["مرحبا بكم؟", "نعم."]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cat is on the mat and it is not amused.", "en-US"),
        ("这是一个关于网络安全的报告。", "zh-CN"),
        ("這是一個關於網路安全的報告。", "zh-TW"),
        ("これは日本語の文章です。", "ja-JP"),
        ("이것은 한국어 문장입니다.", "ko-KR"),
        ("Der Hund und die Katze sind nicht im Haus.", "de-DE"),
        ("Le chat est sur la table et il ne dort pas.", "fr-FR"),
        ("El perro y el gato no están en la casa.", "es-ES"),
        ("Это предложение на русском языке.", "ru-RU"),
        ("هذه جملة باللغة العربية", "ar-SA"),
        ("使用 Python 和 Docker 部署 Web 服务的指南", "zh-CN"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    ("sentence", "title"),
    [
        ("2024 年，远山茶业实现营业收入 18.6 亿元。", "远山茶业实现营业收入 18.6 亿元"),
        ("如果下雨，比赛改期。", ""),
        ("and then it stopped, suddenly.", ""),
        ("Sales rose by 12% in March, said Li.", "Sales rose by 12% in March"),
        ("It (the pump, that is) broke.", ""),
    ],
)
def test_titles_stand_alone(sentence: str, title: str) -> None:
    assert titled(sentence, 60) == title


def test_lines_of_chinese_meet_without_a_space() -> None:
    assert joined("第一行\n第二行 and\nthen") == "第一行第二行 and then"
