"""Languages as the planner needs them: which one a text is in, its sentences, its terms, how wide it is on a page."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final


def _words(said: str) -> frozenset[str]:
    return frozenset(said.split())


_TRADITIONAL: Final = frozenset(
    "們個來這對時會說國過為學業產動現實際與於開關點電無從應發問題進種樣長當見間經還後將機東車書員"
    "報風場氣體資訊網絡據軟體檔設計處裡邊讓給聽買賣號馬魚鳥麗麼嗎總結構數據標準備條約規劃務勞醫藥護識論證轉變"
)
_SIMPLIFIED: Final = frozenset(
    "们个来这对时会说国过为学业产动现实际与于开关点电无从应发问题进种样长当见间经还后将机东车书员"
    "报风场气体资讯网络据软体档设计处里边让给听买卖号马鱼鸟丽么吗总结构数据标准备条约规划务劳医药护识论证转变"
)
_LATIN: Final = {
    "en": frozenset(
        [
            "the",
            "of",
            "and",
            "to",
            "in",
            "is",
            "that",
            "for",
            "it",
            "with",
            "as",
            "was",
            "on",
            "are",
            "be",
            "this",
            "by",
            "from",
            "or",
            "an",
            "have",
            "not",
            "which",
        ]
    ),
    "de": frozenset(
        [
            "der",
            "die",
            "und",
            "das",
            "ist",
            "nicht",
            "von",
            "mit",
            "den",
            "auf",
            "für",
            "ein",
            "eine",
            "dem",
            "des",
            "sich",
            "auch",
            "als",
            "werden",
            "wird",
        ]
    ),
    "fr": frozenset(
        [
            "le",
            "les",
            "des",
            "et",
            "est",
            "une",
            "dans",
            "que",
            "qui",
            "pour",
            "pas",
            "sur",
            "au",
            "avec",
            "du",
            "sont",
            "par",
            "plus",
            "ce",
            "cette",
        ]
    ),
    "it": frozenset(
        [
            "il",
            "di",
            "che",
            "la",
            "per",
            "un",
            "una",
            "sono",
            "con",
            "del",
            "della",
            "non",
            "le",
            "gli",
            "nel",
            "più",
            "anche",
            "alla",
            "dei",
            "questo",
        ]
    ),
    "pt": frozenset(
        [
            "o",
            "os",
            "uma",
            "que",
            "não",
            "em",
            "para",
            "com",
            "do",
            "da",
            "dos",
            "das",
            "por",
            "mais",
            "como",
            "foi",
            "são",
            "ao",
            "também",
            "pelo",
        ]
    ),
    "es": frozenset(
        [
            "el",
            "los",
            "las",
            "que",
            "una",
            "en",
            "del",
            "por",
            "con",
            "para",
            "es",
            "no",
            "se",
            "su",
            "como",
            "más",
            "pero",
            "al",
            "este",
            "fue",
        ]
    ),
}
_STOP: Final = frozenset().union(
    *_LATIN.values(),
    ["a", "i", "at", "its", "we", "you", "they", "he", "she", "has", "had", "but", "will", "can", "all", "their"],
)
_WORD: Final = re.compile(r"\w+(?:[.'’\-]\w+)*")
_NUMBER: Final = re.compile(r"\d[\d,.]*\d|\d")
_WIDE_RUN: Final = re.compile("[\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7a3\U00020000-\U0003134f]+")
_END: Final = re.compile(
    r"(?:[。！？]|……)+[”’」』）)\"']*|[.!?]{1,6}[”’)\]\"']*(?=\s|$|[\u3400-\u9fff])|(?<=\w)…(?=\s+[A-Z\u3400-\u9fff])|(?<=[؟۔।])\s*"
)
_HALF_END: Final = re.compile(r"(?<=[；;])\s*")
_ABBREVIATED: Final = re.compile(
    r"(?:\b(?:[A-Za-z]|e\.g|i\.e|etc|vs|cf|Mr|Mrs|Ms|Dr|Prof|St|No|Nr|Fig|Inc|Ltd|Co|Corp|Jr|Sr|approx|al|z\.B|bzw|usw|ca"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)|^\(?\d{1,2})\.$"
)
_CLAUSE: Final = re.compile(r"(?<=[，、：；])\s*|(?<=[,;:])(?:\s+|(?=[\u3400-\u9fff]))|\s+[–—-]{1,2}\s+|——")
_EDGES: Final = " \t\n，、。；：,;:.!?！？…·-–—*•#|"

_MOST_SAID: Final = 1000
_BRACKETS: Final = ("()", "（）", "[]", "“”", "「」", "《》", '""')
LONGEST: Final = 220
"""How wide a sentence may be before its halves count as sentences."""

LANGUAGES: Final = {
    "zh": "zh-CN", "zh-cn": "zh-CN", "zh-hans": "zh-CN", "zh-sg": "zh-CN", "zh-hant": "zh-TW", "zh-tw": "zh-TW",
    "zh-hk": "zh-TW", "en": "en-US", "ja": "ja-JP", "ko": "ko-KR", "ar": "ar-SA", "de": "de-DE", "fr": "fr-FR",
    "it": "it-IT", "pt": "pt-BR", "es": "es-ES", "ru": "ru-RU", "he": "he-IL",
}  # fmt: skip
"""BCP 47 tags as decks carry them, by what callers say."""


def tag(language: str) -> str:
    """Return the deck's tag of a language that a caller names: `zh-Hant` is `zh-TW`; one that is unknown is Chinese."""
    asked = language.strip().replace("_", "-").lower()
    return LANGUAGES.get(asked) or LANGUAGES.get(asked.split("-")[0]) or "zh-CN"


def detect(text: str, otherwise: str = "zh-CN") -> str:
    """Return the tag of the language that a text is in, `otherwise` where it does not show."""
    sample = text[:20_000]
    scripts = Counter(_script(character) for character in sample if character.isalpha())
    if not scripts:
        return otherwise
    if scripts["kana"] > 0.05 * (scripts["han"] + scripts["kana"]) and scripts["kana"] >= 3:
        return "ja-JP"
    # A word of Chinese says about as much as five letters.
    weights = {name: count * (4 if name in ("han", "hangul") else 1) for name, count in scripts.items()}
    best = max(weights, key=lambda name: weights[name])
    if best == "han":
        ours = sum(character in _TRADITIONAL for character in sample)
        theirs = sum(character in _SIMPLIFIED for character in sample)
        if ours == theirs:
            return otherwise if otherwise.startswith("zh") else "zh-CN"
        return "zh-TW" if ours > theirs else "zh-CN"
    fixed = {"hangul": "ko-KR", "cyrillic": "ru-RU", "arabic": "ar-SA", "hebrew": "he-IL"}.get(best)
    if fixed:
        return fixed
    words = Counter(word.lower() for word in _WORD.findall(sample))
    counts = {name: sum(words[word] for word in stop) for name, stop in _LATIN.items()}
    name = max(counts, key=lambda each: counts[each])
    if counts[name] == 0:
        return otherwise if not otherwise.startswith(("zh", "ja", "ko", "ar", "ru", "he")) else "en-US"
    return LANGUAGES[name]


def _script(character: str) -> str:
    code = ord(character)
    if code < 0x250:
        return "latin"
    for name, low, high in (
        ("han", 0x3400, 0x9FFF), ("kana", 0x3040, 0x30FF), ("hangul", 0xAC00, 0xD7A3), ("cyrillic", 0x400, 0x52F),
        ("arabic", 0x600, 0x77F), ("hebrew", 0x590, 0x5FF), ("han", 0x20000, 0x3134F),
    ):  # fmt: skip
        if low <= code <= high:
            return name
    return "other"


def width(text: str) -> int:
    """Return how wide a text is, in half-width characters: a Chinese one counts two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def sentences(text: str) -> list[str]:
    """Return the sentences of a paragraph, each as it stands in it; lines are joined first.

    One that is very long is given in the halves that its semicolons make.
    """
    text = joined(text)
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        said = text[start : match.end()].strip()
        if match.end() == start:
            continue
        # Whatever is longer is none, and to look at all of it again and again would take long.
        if len(said) < _MOST_SAID and (
            (match.group()[0] in ".!?" and _goes_on(text, match.end(), said)) or _is_open(said)
        ):
            continue
        if said:
            found.append(said)
        start = match.end()
    if rest := text[start:].strip():
        found.append(rest)
    return [half for said in found for half in (_halves(said) if width(said) > LONGEST else (said,))]


def _is_open(said: str) -> bool:
    """Return whether brackets or quotes are still open: an end within them is none."""
    return any(said.count(opening) > said.count(closing) for opening, closing in ("（）", "“”", "()"))


def _halves(sentence: str) -> list[str]:
    halves: list[str] = []
    for half in _HALF_END.split(sentence):
        if halves and (width(half) < 24 or width(halves[-1]) < 24):
            place = sentence.index(halves[-1])
            halves[-1] = sentence[place : sentence.index(half, place + len(halves[-1])) + len(half)]
        elif half.strip():
            halves.append(half.strip())
    return halves


def _goes_on(text: str, end: int, said: str) -> bool:
    following = text[end : end + 20].lstrip()
    if not following:
        return False
    return bool(_ABBREVIATED.search(said)) or following[0].islower()


def joined(text: str) -> str:
    """Return a text as one line: lines of Chinese or Japanese meet without a space."""
    lines = [line.strip() for line in text.split("\n")]
    out = ""
    for line in filter(None, lines):
        glue = "" if not out or (_is_wide(out[-1]) and _is_wide(line[0])) else " "
        out += glue + line
    return out


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF" and not "\uac00" <= character <= "\ud7a3"


def terms(text: str) -> list[str]:
    """Return what a text is about, for comparing: words without the commonest, pairs of Chinese characters, numbers."""
    found: list[str] = []
    for run in _WIDE_RUN.findall(text):
        found.extend(run[place : place + 2] for place in range(len(run) - 1)) if len(run) > 1 else found.append(run)
    for word in _WORD.findall(_WIDE_RUN.sub(" ", text)):
        word = word.lower()
        if word not in _STOP:
            found.append(word)
    return found


def numbers(text: str) -> list[str]:
    """Return the numbers of a text, as written."""
    return _NUMBER.findall(text)


def clauses(sentence: str) -> list[str]:
    """Return the parts of a sentence between its commas, colons and dashes, each as it stands in it."""
    return [clause.strip() for clause in _CLAUSE.split(sentence) if clause and clause.strip()]


def cut(sentence: str, most: int) -> str:
    """Return a sentence, or its first clauses or words and an ellipsis, at most so wide."""
    if width(sentence) <= most:
        return sentence
    end = 0
    for match in _CLAUSE.finditer(sentence):
        if width(sentence[: match.start()]) > most - 2:
            break
        end = match.start()
    if end and width(sentence[:end]) >= most // 2:
        return sentence[:end].rstrip(_EDGES) + "…"
    words = ""
    for word in re.findall(r"\s*[^\s\u3000-\u9fff]+|\s*[\u3000-\u9fff]", sentence):
        if width(words + word) > most - 2:
            break
        words += word
    return (words.rstrip(_EDGES) or sentence[: most // 2]) + "…"


def titled(sentence: str, most: int) -> str:
    """Return a title from a sentence, or nothing where none can be had: its first clause, if that can stand alone.

    It can if it fits, holds two terms or more, opens no bracket that it leaves open, and does not begin or end in the
    midst: in Latin script not with a small letter or at a little word.
    """
    parts = [clause.strip(_EDGES) for clause in clauses(sentence)[:2]]
    while parts and _WHEN.match(parts[0]):
        parts.pop(0)
    first = parts[0] if parts else ""
    if not 6 <= width(first) <= most or len(terms(first)) < 2:
        return ""
    if any(first.count(pair[0]) != first.count(pair[1]) for pair in _BRACKETS) or first.count('"') % 2:
        return ""
    if first[0].islower() or first.rsplit(None, 1)[-1].lower() in _STOP or first.split(None, 1)[0].lower() in _HANGING:
        return ""
    return "" if _SUBORDINATE.match(first) else first


_WHEN: Final = re.compile(r"^(?:In |On |By |Since |Im |En |In )?[\d\s年月日/.-]+$")
_SUBORDINATE: Final = re.compile(
    r"^(?:如果|若|虽然|雖然|尽管|儘管|由于|由於|因为|因為|为了|為了|根据|根據|随着|隨著|但|而且|并|並|从而|從而|对于|對於|除了|以及|或者?"
    r"|其中|此外|另外|例如|即)"
    r"|^[当當在].*[时時前后後中上下里裡]$"
)
_HANGING: Final = _words(
    "and or but so because if when while although for in on at by with without to of from as after before since until "
    "wenn weil und oder aber mit nach si quand et ou mais pour dans avec se quando e o ma per con cuando y pero para "
    "however therefore otherwise thus moreover also then first second finally"
)
