"""An outline changed as its author asks, by rules: the four presets of docmee's `updateOutline`, and simple wishes.

What is done
    Pyramid: the chapter that concludes, or the last, comes first. Structure and transitions: each chapter but the
    first begins with a page that leads over to it. Theme: titles of chapters name the subject. Professional:
    exclamations, emoji, numbers of their own and repeated titles go.
In words
    "add X", "remove X", "rename A to B", "X first", "X last", "shorter", and the same in Chinese. What is understood as
    none of these changes nothing: rules cannot do what only a model could.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from . import neutral
from .chapters import TITLE, TOTALS
from .model import Chapter, Deck, Page
from .passages import unnumbered
from .wording import width

_CONCLUDES: Final = re.compile(
    r"总结|結論|结论|總結|建议|建議|小结|小結|结语|結語|展望|まとめ|결론|요약|conclusion|summary|recommendation|result|outlook"
    r"|fazit|synthèse|conclusione|conclusão|conclusión|итог|الخلاصة",
    re.I,
)
_SOME: Final = r"[“\"'「『《]?(?P<what>[^，。,.；;]+?)[”\"'」』》]?"
_END: Final = r"\s*(?:$|[，。,.；;])"
_PART: Final = "(?:(?:的)?(?:章节|章節|这一章|一章|部分|内容|內容|页|頁|chapter|section|part|page))?"
_ADD: Final = re.compile(
    r"(?:增加|添加|新增|加上|补充|補充|加入|\badd)\s*"
    rf"(?:一[个個]|关于|關於|有关|a chapter (?:on|about)|an?\b|the\b)?\s*{_SOME}{_PART}{_END}",
    re.I,
)
_REMOVE: Final = re.compile(
    rf"(?:删除|刪除|去掉|移除|不要|\bremove|\bdelete|\bdrop|\bwithout)\s*(?:the\s+)?{_SOME}{_PART}{_END}", re.I
)
_RENAME: Final = re.compile(
    rf"(?:把|将|將|\brename)\s*{_SOME.replace('what', 'old')}\s*(?:改为|改成|改名为|換成|换成|改為|\bto)\s*"
    rf"{_SOME.replace('what', 'new')}{_END}",
    re.I,
)
_PUT: Final = rf"(?:把|将|將|\bput|\bmove)?\s*{_SOME}\s*(?:放到|放在|移到|提到|\bto the|\bcomes)?\s*"
_FIRST: Final = re.compile(rf"{_PUT}(?:最前|前面|开头|開頭|\bfirst|\bfront|\bbeginning)", re.I)
_LAST: Final = re.compile(rf"{_PUT}(?:最后|最後|末尾|结尾|結尾|\blast|\bend\b)", re.I)
_SHORTER: Final = re.compile(
    r"精简|精簡|缩短|縮短|简短|簡短|更短|减少|減少|压缩|壓縮|\bshort|\bfewer\b|\bless\b|\bconcise", re.I
)
_LOUD: Final = re.compile(r"[!！~～]+|[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]")


def revised(deck: Deck, question: str, length: str = "") -> Deck:
    """Return the outline as it was asked for.

    Parameters
    ----------
    length : str
        `short`, `medium`, `long`: it is cut to so many pages, never filled up; empty: it stays as long as it is.
    """
    for pattern, change in _PRESETS:
        if pattern.search(question):
            deck = change(deck)
            break
    else:
        deck = _asked(deck, question.strip())
    return _cut(deck, TOTALS[length]) if length in TOTALS else deck


def pyramid(deck: Deck) -> Deck:
    """Put what is concluded first: the chapters that say so, else the last."""
    concluding = [chapter for chapter in deck.chapters if _CONCLUDES.search(chapter.title)] or deck.chapters[-1:]
    others = [chapter for chapter in deck.chapters if chapter not in concluding]
    return _with(deck, [*concluding, *others])


def led(deck: Deck) -> Deck:
    """Begin each chapter but the first with a page that leads over to it."""
    said = neutral.words(deck.language)["transition"]
    chapters: list[Chapter] = []
    for place, chapter in enumerate(deck.chapters):
        pages = list(chapter.pages)
        if place:
            title = said.format(before=deck.chapters[place - 1].title, after=chapter.title)
            if width(title) <= TITLE + 20 and not (pages and pages[0].title == title):
                pages.insert(0, Page(title))
        chapters.append(Chapter(chapter.title, pages))
    return _with(deck, chapters)


def themed(deck: Deck) -> Deck:
    """Name the subject in the titles of chapters."""
    said = neutral.words(deck.language)["themed"]
    chapters: list[Chapter] = []
    for chapter in deck.chapters:
        title = said.format(subject=deck.title, chapter=chapter.title)
        named = deck.title.lower() in chapter.title.lower() or width(title) > TITLE
        chapters.append(Chapter(chapter.title if named else title, chapter.pages))
    return _with(deck, chapters)


def sober(deck: Deck) -> Deck:
    """Take exclamations, emoji, numbers and repetitions out of titles."""
    chapters: list[Chapter] = []
    for chapter in deck.chapters:
        seen = set[str]()
        pages: list[Page] = []
        for page in chapter.pages:
            title = _sober(page.title)
            if title not in seen:
                seen.add(title)
                pages.append(Page(title, page.blocks, page.layout, page.notes))
        chapters.append(Chapter(_sober(chapter.title), pages))
    changed = _with(deck, chapters)
    changed.title = _sober(deck.title)
    return changed


def _sober(title: str) -> str:
    return unnumbered(" ".join(_LOUD.sub("", title).split())) or title


_PRESETS: Final[tuple[tuple[re.Pattern[str], Callable[[Deck], Deck]], ...]] = (
    (re.compile(r"金字塔|\bpyramid", re.I), pyramid),
    (re.compile(r"过渡|過渡|结构|結構|\btransition|\bstructure", re.I), led),
    (re.compile(r"突出|主题|主題|\btheme|\bhighlight", re.I), themed),
    (re.compile(r"专业|專業|\bprofessional", re.I), sober),
)


def _asked(deck: Deck, question: str) -> Deck:
    chapters = list(deck.chapters)
    if match := _RENAME.search(question):
        return _renamed(deck, match["old"].strip(), match["new"].strip())
    for pattern, place in ((_FIRST, 0), (_LAST, len(chapters))):
        match = pattern.search(question)
        found = _named(chapters, match["what"]) if match else None
        if found is not None:
            chapters.remove(found)
            chapters.insert(min(place, len(chapters)), found)
            return _with(deck, chapters)
    if match := _REMOVE.search(question):
        return _removed(deck, match["what"].strip())
    if match := _ADD.search(question):
        what = match["what"].strip()
        place = len(chapters) - 1 if chapters and _CONCLUDES.search(chapters[-1].title) else len(chapters)
        chapters.insert(place, Chapter(what, [Page(what)]))
        return _with(deck, chapters)
    if _SHORTER.search(question):
        pages = sum(len(chapter.pages) for chapter in chapters)
        return _cut(deck, 3 + len(chapters) + max(pages * 2 // 3, len(chapters)))
    return deck


def _named(chapters: list[Chapter], what: str) -> Chapter | None:
    what = what.strip().lower()
    return next((chapter for chapter in chapters if what and what in chapter.title.lower()), None)


def _renamed(deck: Deck, old: str, new: str) -> Deck:
    def name(title: str) -> str:
        return title.replace(old, new) if old in title else title

    chapters = [
        Chapter(
            name(chapter.title),
            [Page(name(page.title), page.blocks, page.layout, page.notes) for page in chapter.pages],
        )
        for chapter in deck.chapters
    ]
    changed = _with(deck, chapters)
    changed.title = name(deck.title)
    return changed


def _removed(deck: Deck, what: str) -> Deck:
    what = what.lower()
    chapters = [chapter for chapter in deck.chapters if what not in chapter.title.lower()]
    if len(chapters) < len(deck.chapters) and chapters:
        return _with(deck, chapters)
    kept = [
        Chapter(chapter.title, [page for page in chapter.pages if what not in page.title.lower()])
        for chapter in deck.chapters
    ]
    return _with(deck, kept)


def _cut(deck: Deck, total: int) -> Deck:
    """Return a deck of at most so many pages: the longest chapters lose their last ones."""
    chapters = [Chapter(chapter.title, list(chapter.pages)) for chapter in deck.chapters]
    while 3 + len(chapters) + sum(len(chapter.pages) for chapter in chapters) > total:
        longest = max(chapters, key=lambda chapter: len(chapter.pages))
        if len(longest.pages) <= 1:
            break
        longest.pages.pop()
    return _with(deck, chapters)


def _with(deck: Deck, chapters: list[Chapter]) -> Deck:
    return Deck(deck.title, deck.subtitle, deck.author, deck.language, chapters, deck.closing)
