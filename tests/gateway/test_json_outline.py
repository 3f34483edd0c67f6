"""What stays of a large answer is what a meter reads, however the answer is cut into pieces."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deeepai.gateway.answers.json_outline import LONGEST, ROW, Outline

TEXTS = st.text() | st.text(alphabet='\\"a') | st.just("x" * (LONGEST + 1)) | st.just('\\"' * LONGEST)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def short(value: Any) -> Any:
    """What should be left where there are no long rows of numbers."""
    if isinstance(value, str):
        return value if len(json.dumps(value)) - 2 <= LONGEST else ""
    if isinstance(value, list):
        return [short(item) for item in value]
    if isinstance(value, dict):
        return {key: short(item) for key, item in value.items()}
    return value


def skeleton(document: bytes, cuts: list[int]) -> bytes:
    found = Outline()
    edges = [0, *sorted(cut % (len(document) + 1) for cut in cuts), len(document)]
    for start, end in itertools.pairwise(edges):
        found.feed(document[start:end])
    return found.json()


@settings(deadline=None)
@given(VALUES, st.lists(st.integers(0, 10_000), max_size=8))
def test_all_but_long_strings_stays(value: Any, cuts: list[int]) -> None:
    assert json.loads(skeleton(json.dumps(value).encode(), cuts)) == short(value)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=5, max_size=50),
    st.lists(st.integers(0, 500_000), max_size=4),
)
def test_rows_of_numbers_shrink(few: list[float], cuts: list[int]) -> None:
    numbers = few * (20_000 // len(few))
    document = {"data": [{"embedding": numbers}, {"embedding": numbers}], "usage": {"prompt_tokens": 7}}
    raw = json.dumps(document).encode()
    kept = skeleton(raw, cuts)
    found = json.loads(kept)
    assert found["usage"] == {"prompt_tokens": 7}
    assert len(found["data"]) == 2
    # What has come of a row in one piece is kept up to ROW bytes, and then up to the next comma.
    assert len(kept) <= 300 + 2 * (ROW + 100)


def test_a_row_that_is_not_of_numbers_alone_stays_whole_json() -> None:
    raw = json.dumps({"a": [1] * 5000 + [{"b": [2] * 5000}, "c", [3] * 5000, 4], "d": 5}).encode()
    found = json.loads(skeleton(raw, []))
    assert found["d"] == 5
    assert next(item for item in found["a"] if isinstance(item, dict))["b"][0] == 2
    assert "c" in found["a"]


def test_a_megabyte_of_picture_leaves_nothing_behind() -> None:
    raw = json.dumps({"data": [{"b64_json": "A" * 5_000_000}], "usage": {"output_tokens": 9}}).encode()
    assert len(skeleton(raw, list(range(0, 5_000_000, 65_536)))) < 200
