"""Writes down how misaki's own lexicon reads the words of `tests/engines/english_phonemes.tsv`, in both accents.

Words alone are looked up, so neither spaCy nor num2words, which misaki's module imports, has any part in it.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

GOLDEN = Path(__file__).parents[1] / "tests" / "engines" / "english_phonemes.tsv"


def read(lexicon: Any, context: Any, word: str) -> str:
    """Return what misaki says for a word that stands alone and of whose grammar nothing is known."""
    stress = None if word == word.lower() else lexicon.cap_stresses[word == word.upper()]
    phonemes, _ = lexicon.get_word(word, "", stress, context)
    if phonemes is None:
        raise SystemExit(f"misaki's lexicon has no {word}")
    # As misaki's reader does for Kokoro's first version.
    return phonemes.replace("ɾ", "T").replace("ʔ", "t")


def main() -> None:
    """Rewrite the file."""
    for absent in ("spacy", "num2words"):
        sys.modules.setdefault(absent, Mock())
    misaki = importlib.import_module("misaki.en")
    american, british, context = misaki.Lexicon(False), misaki.Lexicon(True), misaki.TokenContext()
    lines = GOLDEN.read_text("utf-8").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    words = [line.partition("\t")[0] for line in lines if not line.startswith("#")]
    rows = [f"{word}\t{read(american, context, word)}\t{read(british, context, word)}" for word in words]
    GOLDEN.write_text("\n".join([*comments, *rows]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
