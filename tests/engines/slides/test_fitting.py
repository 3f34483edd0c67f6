"""Text in boxes: lines, sizes, letters that are not left alone."""

from __future__ import annotations

import pytest

from deeepai.engines.slides.fitting import Setting, broken, fit, halves, height, is_lone, tracking
from deeepai.engines.slides.fonts import Typeface, han_family, region

FACE = Typeface("Barlow", language="zh-CN")
SETTING = Setting(FACE)


def test_han_letters_are_an_em_wide() -> None:
    assert broken("城市轨道交通", FACE, 100).widest == pytest.approx(6)


def test_punctuation_does_not_begin_a_line() -> None:
    # Ten letters fit; the comma would be the eleventh.
    lines = broken("一二三四五六七八九十，一二", FACE, 10.2)
    assert (lines.count, lines.last) == (2, 4)


def test_opening_brackets_do_not_end_a_line() -> None:
    assert broken("一二三四五六七八九（一二", FACE, 10.2).last == 3


def test_words_are_not_broken_unless_longer_than_a_line() -> None:
    assert broken("internationalization matters", Typeface("Barlow", language="en"), 10.5).count == 2
    assert broken("internationalization" * 3, Typeface("Barlow", language="en"), 10.5).count >= 3


def test_both_scripts_stand_apart() -> None:
    mixed = broken("用API做", FACE, 100).widest
    assert mixed == pytest.approx(2 + broken("API", FACE, 100).widest + 0.5)


def test_the_largest_size_that_fits_is_taken() -> None:
    text = ["设备状态监测能够显著降低故障率并提高检修作业的效率"] * 3
    size = fit(text, SETTING, (400, 200), (32, 16))
    assert size is not None
    assert height(text, SETTING, size, 400) <= 200 * 0.97 < height(text, SETTING, size + 1, 400)
    assert fit(text, SETTING, (400, 20), (32, 16)) is None


def test_a_lone_letter_gets_company_or_is_brought_up() -> None:
    text = "一二三四五六七八九十" * 2 + "末"
    extra = tracking(text, FACE, 10.2)
    assert extra != 0
    assert broken(text, FACE, 10.2, extra).last > 1
    assert not is_lone(text, FACE, 10.2)
    assert tracking("一二三四五六七八九十" * 2, FACE, 10.2) == 0


@pytest.mark.parametrize("text", ["短句。" * 40, "没有标点的长段落" * 40, "word " * 90, "x" * 900])
def test_halves_fit_and_lose_nothing(text: str) -> None:
    head, rest = halves(text, SETTING, 20, (300, 100))
    assert head
    assert rest
    assert height([head], SETTING, 20, 300) <= 100
    assert (head + rest).replace(" ", "") == text.replace(" ", "")


def test_families_follow_the_language() -> None:
    assert [region(tag) for tag in ("zh-CN", "zh_TW", "zh-Hant", "ja-JP", "ko", "en")] == [
        "zh", "zh-hant", "zh-hant", "ja", "ko", "zh",
    ]  # fmt: skip
    assert han_family("ja-JP", serif=True) == "Noto Serif CJK JP"


@pytest.mark.parametrize("letter", ["ع", "🙂", "\u200d", "e\u0301", "ﷺ", "\U0010ffff"])
def test_letters_of_no_typeface_are_measured(letter: str) -> None:
    assert broken(letter * 20, FACE, 8).count >= 1
