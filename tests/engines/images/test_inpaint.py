"""What is marked is gone, what is not stays, and the filling is like what was there."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from deeepai.engines.jobs import Refusal
from tests.engines.images import samples
from tests.engines.images.conftest import Do


def error(made: Any, original: Any, holes: Any) -> float:
    """Return the mean difference within holes, in levels."""
    return float(np.abs(made[holes].astype(int) - original[holes]).mean())


@pytest.mark.parametrize(
    ("name", "box", "most"),
    [
        ("brick.png", (220, 180, 80, 90), 28),
        ("rocket.jpg", (200, 60, 90, 80), 5),
        ("astronaut.png", (300, 20, 60, 60), 12),
    ],
)
def test_a_thing_is_erased_and_its_surroundings_go_on(
    do: Do, name: str, box: tuple[int, int, int, int], most: float
) -> None:
    original = samples.photo(name)
    x, y, width, height = box
    marked = original.copy()
    marked[y : y + height, x : x + width] = (255, 0, 255)
    done = do("inpaint", marked, {"rectangles": [{"x": x, "y": y, "width": width, "height": height}]})
    holes = np.zeros(original.shape[:2], bool)
    holes[y : y + height, x : x + width] = True
    made = done.samples()
    assert done["engine"] == "patchmatch"
    assert np.array_equal(made[~holes], marked[~holes])
    assert error(made, original, holes) < most
    assert abs(done["erased"] - holes.mean()) < 1e-6


def test_a_mask_is_white_where_to_erase(do: Do) -> None:
    original = samples.photo("grass.png")
    mask = np.zeros(original.shape[:2], np.uint8)
    cv2.circle(mask, (200, 250), 40, 255, -1)
    marked = original.copy()
    marked[mask > 0] = (255, 0, 0)
    done = do("inpaint", marked, mask=mask)
    made = done.samples()
    assert not ((made[..., 0].astype(int) - made[..., 1]) > 120).any()
    far = cv2.dilate(mask, np.ones((15, 15))) == 0
    assert np.array_equal(made[far], marked[far])


def test_a_mask_of_another_size_is_scaled(do: Do) -> None:
    picture = samples.photo("coffee.png")
    mask = Image.new("L", (60, 40))
    mask.paste(255, (10, 10, 20, 20))
    changed = (do("inpaint", picture, mask=mask).samples() != picture).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert 90 <= rows[0] <= 100
    assert 199 <= rows[-1] <= 210
    assert 90 <= columns[0] <= 100
    assert 199 <= columns[-1] <= 210


def test_a_hair_is_filled_from_its_sides(do: Do) -> None:
    original = samples.photo("astronaut.png")
    marked = original.copy()
    cv2.line(marked, (330, 5), (500, 40), (0, 255, 0), 2)
    holes = np.zeros(original.shape[:2], np.uint8)
    cv2.line(holes, (330, 5), (500, 40), 255, 3)
    done = do("inpaint", marked, mask=holes)
    assert done["engine"] in ("telea", "patchmatch")
    assert error(done.samples(), original, holes > 0) < 8


def test_a_large_picture_keeps_its_detail_outside(do: Do) -> None:
    original = cv2.resize(samples.photo("coffee.png"), (2400, 1600), interpolation=cv2.INTER_CUBIC)
    done = do("inpaint", original, {"rectangles": [{"x": 100, "y": 100, "width": 700, "height": 700}]})
    made = done.samples()
    assert np.array_equal(made[:, 801:], original[:, 801:])
    assert not np.array_equal(made[200:700, 200:700], original[200:700, 200:700])


def test_many_marks_are_all_erased(do: Do) -> None:
    picture = samples.photo("rocket.jpg")
    marked = picture.copy()
    rectangles = []
    for number in range(50):
        x, y = 20 + number % 10 * 60, 10 + number // 10 * 24
        marked[y : y + 10, x : x + 10] = (0, 255, 0)
        rectangles.append({"x": x, "y": y, "width": 10, "height": 10})
    made = do("inpaint", marked, {"rectangles": rectangles}).samples().astype(int)
    assert not (made[..., 1] - made[..., 0] > 120).any()


def test_what_cannot_be_seen_is_filled_too(do: Do) -> None:
    picture, mask = samples.ball(200)
    cut = np.dstack([picture, np.full(mask.shape, 255, np.uint8)])
    cut[90:110, 90:110, 3] = 0
    done = do("inpaint", cut, {"rectangles": [{"x": 85, "y": 85, "width": 30, "height": 30}]})
    assert done.samples()[..., 3].min() > 250


GREY = Image.new("RGB", (40, 30), "grey")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, "invalid"),
        ({"rectangles": [{"x": 0, "y": 0, "width": 1, "height": 1}] * 51}, "invalid"),
        ({"rectangles": [{"x": 0, "y": 0, "width": 0, "height": 1}]}, "invalid"),
        ({"rectangles": [{"x": 0, "y": 0, "width": "1", "height": 1}]}, "invalid"),
        ({"rectangles": [{"x": 0, "y": 0, "width": float("nan"), "height": 1}]}, "invalid"),
        ({"rectangles": "all"}, "invalid"),
        ({"rectangles": [7]}, "invalid"),
        ({"rectangles": [{"x": 500, "y": 0, "width": 10, "height": 10}]}, "empty"),
        ({"rectangles": [{"x": -5, "y": -5, "width": 1e9, "height": 1e9}]}, "invalid"),
    ],
    ids=range(9),
)
def test_other_marks_are_refused(do: Do, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        do("inpaint", GREY, request_)
    assert refusal.value.code == code


def test_two_kinds_of_marks_are_refused(do: Do) -> None:
    with pytest.raises(Refusal, match="Either"):
        do("inpaint", GREY, {"rectangles": [{"x": 0, "y": 0, "width": 5, "height": 5}]}, mask=GREY)


def test_a_black_mask_marks_nothing(do: Do) -> None:
    with pytest.raises(Refusal) as refusal:
        do("inpaint", GREY, mask=Image.new("L", (40, 30)))
    assert refusal.value.code == "empty"
