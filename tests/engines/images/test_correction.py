"""Sheets straightened: held against corners that are known; writing made clearer; things cropped."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from deeepai.engines.images.correction import sheet_of
from deeepai.engines.jobs import Refusal
from tests.engines.images import samples
from tests.engines.images.conftest import Do


@pytest.mark.parametrize("seed", range(8))
def test_a_sheets_corners_are_found(do: Do, seed: int) -> None:
    picture, corners, sheet = samples.page(seed)
    done = do("correction", picture, {"type": 0})
    assert done["engine"] == "contour"
    assert np.hypot(*(np.array(done["corners"]) - corners).T).max() < 2.5
    made = done.samples()
    assert abs(made.shape[0] / made.shape[1] - 877 / 620) < 0.05
    # What stood on the sheet stands there again.
    flat = cv2.resize(cv2.cvtColor(np.ascontiguousarray(made), cv2.COLOR_RGB2GRAY), (620, 877))
    ink, written = flat < 150, sheet[..., 0] < 150
    near = cv2.dilate(written.astype(np.uint8), np.ones((5, 5))) > 0
    assert (ink & near).sum() > 0.95 * ink.sum()
    assert ink.sum() > 0.4 * written.sum()


@pytest.mark.parametrize("name", ["page.png", "gravel.png", "grass.png"])
def test_where_no_edge_is_seen_the_whole_stays(do: Do, name: str) -> None:
    picture = samples.photo(name)
    done = do("correction", picture, {"type": 0})
    assert done["corners"] is None
    assert np.array_equal(done.samples(), picture)


def test_writing_is_made_clearer(do: Do) -> None:
    # The page is lit unevenly: its left is darker than some of the ink on its right.
    picture = samples.photo("page.png")
    made = cv2.cvtColor(np.ascontiguousarray(do("correction", picture, {"type": 1}).samples()), cv2.COLOR_RGB2GRAY)
    paper_left, paper_right = made[60:180, 2:8], made[110:125, 300:380]
    assert np.median(paper_right) > 240
    assert np.median(paper_left) > 200
    letters = made[8:28, 5:230]
    assert np.percentile(letters, 5) < 70
    assert ((made > 230) | (made < 90)).mean() > 0.85


def test_a_sheet_is_cropped_and_clearer(do: Do) -> None:
    picture, _, _ = samples.page(2)
    done = do("correction", picture, {"type": 2})
    made = done.samples()
    assert done["corners"] is not None
    assert np.median(made) > 245
    assert done["width"] < picture.shape[1]


@pytest.mark.parametrize("kind", [3, 4])
def test_a_thing_is_cropped(do: Do, kind: int) -> None:
    picture, mask = samples.horse()
    done = do("correction", picture, {"type": kind})
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert done["engine"] == "u2netp"
    assert abs(done["width"] - (columns[-1] - columns[0])) < 60
    assert abs(done["height"] - (rows[-1] - rows[0])) < 60
    made = done.samples()
    assert made.shape[2] == (4 if kind == 4 else 3)
    if kind == 4:
        assert done["image"] == "image.png"
        assert 0.2 < (made[..., 3] > 127).mean() < 0.7


def test_a_flat_thing_is_straightened(do: Do) -> None:
    picture, corners, _ = samples.page(4)
    done = do("correction", picture, {"type": 3})
    assert np.hypot(*(np.array(done["corners"]) - corners).T).max() < 6
    assert abs(done["height"] / done["width"] - 877 / 620) < 0.08


def test_a_turned_sheet_on_a_bright_table_is_found() -> None:
    picture = np.full((700, 900, 3), 205, np.uint8)
    corners = np.array([[200, 120], [720, 180], [660, 600], [150, 520]], np.int32)
    cv2.fillConvexPoly(picture, corners, (240, 240, 236), cv2.LINE_AA)
    for line in range(220, 480, 30):
        cv2.line(picture, (260, line), (600, line + 30), (60, 60, 60), 2)
    found = sheet_of(cv2.GaussianBlur(picture, (3, 3), 0))
    assert found is not None
    assert np.hypot(*(found - corners).T).max() < 4


def test_other_types_are_refused(do: Do) -> None:
    with pytest.raises(Refusal) as refusal:
        do("correction", Image.new("L", (8, 8)), {"type": 5})
    assert refusal.value.code == "invalid"


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (2, 2)])
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_the_smallest_pictures_do_no_harm(do: Do, size: tuple[int, int], kind: int) -> None:
    assert do("correction", Image.new("RGB", size, "white"), {"type": kind}).image().size == size
