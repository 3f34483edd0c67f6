"""English text to the phonemes that Kokoro reads, without espeak.

Words are looked up in misaki's dictionaries, then by their stems, then as compounds; what is left is spelt by a small
network. No grammar is parsed: of a word with several readings the neighbour before it chooses.

Source: misaki 0.9.4 (Apache-2.0), by hexgrad, `en.py`. `Lexicon.lookup`, `get_special_case` (weak forms), `get_NNP`
(letters), `stem_s`, `stem_ed`, `stem_ing` and `apply_stress` stand here as `_known`, `_weak_form`, `_letters`,
`_of_stem` and `_stressed`; doubled consonants before -ed, compounds and the choice by the neighbour are this project's
own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from ...packs.audio_packs import LEXICON_FILES, SPELLING_FILE
from .numerals import words_of
from .spelling import Speller

Accent = Literal["us", "gb"]
Reading = str | dict[str, str | None]

_PRIMARY: Final = "ˈ"
_SECONDARY: Final = "ˌ"
_VOWELS: Final = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻɐ")
_SOUNDS: Final = _VOWELS | frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ")
_FLAPPED: Final = frozenset("AIOWYiuæɑəɛɪɹʊʌ")
"""American t and d between these and a vowel become one flap."""
_PAUSES: Final = frozenset(";:,.!?—…")
_MARKS: Final = _PAUSES | frozenset('"()“”')
_TOKEN: Final = re.compile(r"(?:[A-Za-z]\.){2,}|[A-Za-z]+(?:'[A-Za-z]+)*'?|\s+|.", re.DOTALL)
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DOUBLED: Final = re.compile(r"([bcdgklmnprstvxz])\1$|ck$")
_SHORTEST_PART: Final = 3
_SPELT_OUT: Final = 5
"""Letters up to which a word in capitals that no dictionary has is read letter by letter."""

_BEFORE_VERB: Final = frozenset(
    (
        *(
            "to",
            "will",
            "would",
            "can",
            "could",
            "shall",
            "should",
            "may",
            "might",
            "must",
            "don't",
            "doesn't",
            "didn't",
        ),
        *("won't", "can't", "couldn't", "wouldn't", "i", "you", "we", "they", "who", "please", "let's"),
    )
)
_BEFORE_NOUN: Final = frozenset(
    (
        *("the", "a", "an", "my", "your", "his", "her", "its", "our", "their", "this", "that", "these", "those"),
        *("some", "any", "no", "every", "each", "of"),
    )
)
_BEFORE_PARTICIPLE: Final = frozenset(
    ("have", "has", "had", "having", "was", "were", "been", "being", "be", "is", "are")
)


class English:
    """One accent.

    Parameters
    ----------
    folder : Path
        The packs folder.
    """

    def __init__(self, folder: Path, accent: Accent) -> None:
        self._british = accent == "gb"
        gold, silver = LEXICON_FILES[accent]
        self._gold = _read(folder / gold)
        self._silver = _read(folder / silver)
        self._speller = Speller(folder / SPELLING_FILE)

    def phonemes(self, text: str) -> str:
        """Return the phonemes of a text; what cannot be said is left out."""
        text = _CAMEL.sub(" ", words_of(text))
        tokens: list[str] = _TOKEN.findall(text)
        shouting = not any(c.islower() for c in text)
        said = list[str]()
        # From the end: how `the` and `to` are said depends on what follows.
        vowel_follows: bool | None = None
        for index in range(len(tokens) - 1, -1, -1):
            token = tokens[index]
            if token[0].isascii() and token[0].isalpha():
                word = token.lower() if shouting and len(token) > 1 else token
                before = next((t.lower() for t in reversed(tokens[max(index - 2, 0) : index]) if not t.isspace()), "")
                found = self._word(word, before, vowel_follows)
                vowel_follows = next((c in _VOWELS for c in found if c in _SOUNDS), vowel_follows)
            elif token.isspace() or token in "-_/":
                found = " "
            else:
                found = token if token in _MARKS else ""
                vowel_follows = None if token in _PAUSES else vowel_follows
            said.append(found)
        # The flap and the glottal stop have other signs in Kokoro's first version.
        return re.sub(r" +", " ", "".join(reversed(said))).strip().replace("ɾ", "T").replace("ʔ", "t")

    def _word(self, word: str, before: str, vowel_follows: bool | None) -> str:
        if "." in word:
            return self._letters(word.replace(".", ""))
        if (base := word.removesuffix("'s")) != word and base.isupper() and len(base) > 1:
            return self._with_s(self._word(base, before, None))
        stress = None if word.islower() or len(word) == 1 else 2.0 if word.isupper() else 0.5
        if weak := self._weak_form(word, vowel_follows):
            return weak
        tag = _tag(before)
        if word.isupper() and len(word) > 1 and word not in self._gold:
            if word.lower() not in self._gold and len(word) <= _SPELT_OUT:
                return self._letters(word)
            word = word.lower()
        for form in dict.fromkeys((word, word.lower(), word.capitalize())):
            if found := self._known(form, tag, vowel_follows is None):
                return _stressed(found, stress)
        word = word.lower()
        for form in (word, word.removesuffix("'")):
            if found := self._of_stem(form, tag):
                return _stressed(found, stress)
        letters = word.replace("'", "")
        if len(letters) <= _SPELT_OUT and not any(c in "aeiouy" for c in letters):
            return self._letters(letters)
        return self._compound(letters) or self._speller.phonemes(letters)

    def _weak_form(self, word: str, vowel_follows: bool | None) -> str | None:
        match word.lower():
            case "a" if word == "a" or vowel_follows is not None:
                return "ɐ"
            case "an":
                return "ɐn"
            case "i":
                return "ˌI"
            case "the":
                return "ði" if vowel_follows else "ðə"
            case "to" if vowel_follows is not None:
                return "tʊ" if vowel_follows else "tə"
            case "in":
                return "ˈɪn" if vowel_follows is None else "ɪn"
            case "am" if vowel_follows is not None:
                return "ɐm"
            case _:
                return None

    def _letters(self, word: str) -> str:
        said = "".join(self._known(letter.upper(), "", False) or "" for letter in word)
        said = said.replace(_PRIMARY, _SECONDARY)
        head, mark, tail = said.rpartition(_SECONDARY)
        return f"{head}{_PRIMARY}{tail}" if mark else said

    def _known(self, word: str, tag: str, pause_follows: bool) -> str | None:
        reading = self._gold.get(word, self._silver.get(word))
        if not isinstance(reading, dict):
            return reading
        if pause_follows and reading.get("None"):
            return reading["None"]
        return reading.get(tag) or reading["DEFAULT"]

    def _of_stem(self, word: str, tag: str) -> str | None:
        def of(*stems: str) -> str | None:
            return next((found for stem in stems if stem and (found := self._known(stem, tag, False))), None)

        if len(word) > 2 and word.endswith("s") and not word.endswith("ss"):
            stems = [word[:-1]]
            if word.endswith("'s") or (len(word) > 4 and word.endswith("es")):
                stems.append(word[:-2])
            if len(word) > 4 and word.endswith("ies"):
                stems.append(f"{word[:-3]}y")
            name = word[:-2].capitalize() if word.endswith("'s") else ""
            if stem := of(*stems, name):
                return self._with_s(stem)
        if len(word) > 3 and word.endswith("ed") and not word.endswith("eed"):
            stem = word[:-2]
            doubled = stem[:-1] if _DOUBLED.search(stem) and not stem.endswith("ck") else ""
            if found := of(word[:-1], stem, doubled, f"{stem[:-1]}y" if stem.endswith("i") else ""):
                return self._with_ed(found)
        if len(word) > 4 and word.endswith("ing"):
            stem = word[:-3]
            doubled = stem[:-1] if _DOUBLED.search(stem) else ""
            if found := of(stem, f"{stem}e", doubled):
                return self._with_ing(found)
        return None

    @property
    def _short_i(self) -> str:
        return "ɪ" if self._british else "ᵻ"

    def _with_s(self, stem: str) -> str:
        if stem[-1] in "ptkfθ":
            return f"{stem}s"
        return f"{stem}{self._short_i}z" if stem[-1] in "szʃʒʧʤ" else f"{stem}z"

    def _with_ed(self, stem: str) -> str:
        if stem[-1] in "pkfθʃsʧ":
            return f"{stem}t"
        if stem[-1] == "t" and not self._british and len(stem) > 1 and stem[-2] in _FLAPPED:
            return f"{stem[:-1]}ɾᵻd"
        return f"{stem}{self._short_i}d" if stem[-1] in "td" else f"{stem}d"

    def _with_ing(self, stem: str) -> str:
        if stem[-1] == "t" and not self._british and len(stem) > 1 and stem[-2] in _FLAPPED:
            return f"{stem[:-1]}ɾɪŋ"
        return f"{stem}ɪŋ"

    def _compound(self, word: str) -> str | None:
        """Read a word as two known ones, the first as long as can be; the second keeps half its stress."""
        for cut in range(len(word) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
            first, second = word[:cut], word[cut:]
            if first in self._gold and (second in self._gold or len(second) > _SHORTEST_PART):
                tail = self._known(second, "", False) if second in self._gold else self._of_stem(second, "")
                if tail and (head := self._known(first, "", False)):
                    return head + tail.replace(_SECONDARY, "").replace(_PRIMARY, _SECONDARY)
        return None


def _read(path: Path) -> Mapping[str, Reading]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Reading])


def _tag(before: str) -> str:
    if before in _BEFORE_VERB:
        return "VERB"
    if before in _BEFORE_NOUN:
        return "NOUN"
    return "VBN" if before in _BEFORE_PARTICIPLE else ""


def _stressed(phonemes: str, stress: float | None) -> str:
    """Stress a word that is written with a capital, as misaki does: half for the first letter, fully for all."""
    if stress is None or _PRIMARY in phonemes:
        return phonemes
    if _SECONDARY in phonemes:
        return phonemes.replace(_SECONDARY, _PRIMARY) if stress > 1 else phonemes
    at = next((index for index, sign in enumerate(phonemes) if sign in _VOWELS), None)
    if at is None:
        return phonemes
    return phonemes[:at] + (_PRIMARY if stress > 1 else _SECONDARY) + phonemes[at:]
