"""English to phonemes, against what misaki's own lexicon says."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeepai.engines.speech.english.g2p import Accent, English

GOLDEN = Path(__file__).with_name("english_phonemes.tsv")


@pytest.mark.parametrize(("accent", "column"), [("us", 1), ("gb", 2)])
def test_words_are_read_as_misaki_reads_them(audio_packs: Path, accent: Accent, column: int):
    rows = [line.split("\t") for line in GOLDEN.read_text("utf-8").splitlines() if not line.startswith("#")]
    english = English(audio_packs, accent)
    assert len(rows) > 200
    assert {row[0]: english.phonemes(row[0]) for row in rows} == {row[0]: row[column] for row in rows}
