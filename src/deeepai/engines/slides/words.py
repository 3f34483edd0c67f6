"""The few words that a deck gets without being asked, by language."""

from __future__ import annotations

from typing import Final

_WORDS: Final = {
    "zh": ("目录", "谢谢", "演示文稿", "第{}部分"),
    "zh-hant": ("目錄", "謝謝", "簡報", "第{}部分"),
    "en": ("Contents", "Thank you", "Presentation", "Part {}"),
    "ja": ("目次", "ありがとうございました", "プレゼンテーション", "第{}部"),
    "ko": ("목차", "감사합니다", "프레젠테이션", "{}부"),
    "de": ("Inhalt", "Vielen Dank", "Präsentation", "Teil {}"),
    "fr": ("Sommaire", "Merci", "Présentation", "Partie {}"),
    "es": ("Contenido", "Gracias", "Presentación", "Parte {}"),
    "pt": ("Conteúdo", "Obrigado", "Apresentação", "Parte {}"),
    "it": ("Indice", "Grazie", "Presentazione", "Parte {}"),
    "ru": ("Содержание", "Спасибо", "Презентация", "Часть {}"),
    "ar": ("المحتويات", "شكرًا", "عرض تقديمي", "الجزء {}"),
}
_CONTENTS, _THANKS, _UNTITLED, _PART = range(4)


def _of(language: str, word: int) -> str:
    tag = language.lower().replace("_", "-")
    if tag.startswith(("zh-tw", "zh-hk", "zh-mo", "zh-hant")):
        return _WORDS["zh-hant"][word]
    return _WORDS.get(tag.split("-")[0], _WORDS["en"])[word]


def contents(language: str) -> str:
    """Return the title of a table of contents."""
    return _of(language, _CONTENTS)


def thanks(language: str) -> str:
    """Return what the last page says."""
    return _of(language, _THANKS)


def untitled(language: str) -> str:
    """Return the title of a deck that has none."""
    return _of(language, _UNTITLED)


def part(language: str, number: int) -> str:
    """Return the title of a chapter that has none."""
    digits = "零一二三四五六七八九"
    if language.lower().startswith("zh") and number < 10:
        return _of(language, _PART).format(digits[number])
    return _of(language, _PART).format(number)


def is_rtl(language: str) -> bool:
    """Return whether a language is written from right to left."""
    return language.lower().split("-")[0] in ("ar", "he", "fa", "ur")
