"""A hundred decks that nobody planned, drawn by LibreOffice: no text leaves its box, and a validator finds nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from openxml_audit import OpenXmlValidator

from deeepai.engines.slides import office
from deeepai.engines.slides.designs import DESIGNS
from deeepai.engines.slides.writing import write
from tests.engines.slides import decks, overflow

DECKS = 100 if "DRILL_EXAMPLES" in os.environ else 0
DESIGN_IDS = list(DESIGNS)


@pytest.fixture(scope="module", autouse=True)
def profile() -> Iterator[None]:
    yield
    office.forget()


@pytest.mark.skipif(not office.program(), reason="LibreOffice is not installed (`make slides`)")
@pytest.mark.parametrize("seed", range(DECKS))
def test_no_text_overflows(tmp_path: Path, seed: int) -> None:
    design = DESIGNS[DESIGN_IDS[seed % len(DESIGN_IDS)]]
    theme = list(design.themes)[seed // len(DESIGN_IDS) % 3]
    picture = decks.picture(tmp_path / "site.png")
    made = write(decks.wild(seed), design.id, theme, tmp_path / "deck.pptx", pictures={"site.png": picture})
    assert OpenXmlValidator().validate(made.path).errors == []
    assert overflow.faults(made.path, office.pdf(made.path, tmp_path), made, design.id) == []
