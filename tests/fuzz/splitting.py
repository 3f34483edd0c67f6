"""What all fuzzers share: how many examples, bytes that nearly are something, and where they are split."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st

SETTINGS: Final = settings(max_examples=int(os.environ.get("DRILL_EXAMPLES", "100")), deadline=None)
CUTS: Final = st.one_of(
    st.just([1]), st.lists(st.integers(1, 40), min_size=1, max_size=8), st.lists(st.integers(1, 5000), min_size=1)
)
"""Lengths of pieces, over and over."""


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the pieces of some bytes."""
    pieces: list[bytes] = []
    at = number = 0
    while at < len(data):
        size = cuts[number % len(cuts)]
        pieces.append(data[at : at + size])
        at, number = at + size, number + 1
    return pieces


@st.composite
def spoiled(draw: st.DrawFn, whole: st.SearchStrategy[bytes], odd: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of which a part was cut out, doubled, or replaced, or none."""
    data = draw(whole)
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        data = data[:start] + draw(st.one_of(odd, st.just(data[start:end] * 2))) + data[end:]
    return data
