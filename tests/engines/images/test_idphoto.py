"""Portraits in the proportions of identity photos; without a face there is none."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from deeepai.engines.images.faces import faces_of
from deeepai.engines.jobs import Refusal
from tests.engines.images import samples
from tests.engines.images.conftest import Do

PORTRAIT = samples.photo("astronaut.png")


def test_the_head_stands_where_it_should(do: Do) -> None:
    done = do("idphoto", PORTRAIT, {"size": [295, 413], "format": "jpg", "background": "438EDB"})
    assert (done["engine"], done["image"]) == ("u2netp", "image.jpg")
    made = done.samples()
    assert made.shape == (413, 295, 3)
    face = faces_of(made)[0]
    assert abs(face.x + face.width / 2 - 295 / 2) < 10
    assert 0.35 < (face.y + face.height / 2) / 413 < 0.6
    assert 0.3 < face.height / 413 < 0.6
    for corner in (made[:25, :25], made[:25, -25:]):
        assert np.abs(corner.reshape(-1, 3).astype(int) - (0x43, 0x8E, 0xDB)).max() < 12
    # Hair is no background, and a tenth lies above it.
    blue = np.abs(made.astype(int) - (0x43, 0x8E, 0xDB)).max(axis=2) < 40
    crown = int(np.flatnonzero((~blue[:, 100:195]).mean(axis=1) > 0.1)[0])
    assert 0.04 < crown / 413 < 0.16


def test_png_has_no_background(do: Do) -> None:
    done = do("idphoto", PORTRAIT)
    made = done.samples()
    assert made.shape[2] == 4
    assert abs(made.shape[1] / made.shape[0] - 3 / 4) < 0.01
    assert made[:10, :10, 3].max() < 10
    middle = made[made.shape[0] // 2 - 5 : made.shape[0] // 2 + 5, made.shape[1] // 2 - 5 : made.shape[1] // 2 + 5]
    assert middle[..., 3].min() > 240
    box = done["face"]
    assert abs(box["x"] + box["width"] / 2 - 224) < 15
    assert abs(box["y"] + box["height"] / 2 - 115) < 20


def test_the_largest_of_two_is_taken_alone(do: Do) -> None:
    scene = np.full((512, 900, 3), 200, np.uint8)
    scene[:, :512] = PORTRAIT
    small = cv2.resize(PORTRAIT, (300, 300), interpolation=cv2.INTER_AREA)
    scene[212:, 600:] = small
    assert len(faces_of(scene)) == 2
    done = do("idphoto", scene)
    assert abs(done["face"]["x"] + done["face"]["width"] / 2 - 224) < 15


@pytest.mark.parametrize("tilt", [-30, -15, 15, 30])
def test_heads_that_lean_are_found(tilt: int) -> None:
    turn = cv2.getRotationMatrix2D((224, 115), tilt, 1.0)
    faces = faces_of(cv2.warpAffine(PORTRAIT, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE))
    assert len(faces) == 1
    assert abs(faces[0].x + faces[0].width / 2 - 224) < 25


def test_faces_are_told_from_other_things() -> None:
    # The first hundred are faces, the others are not.
    patches = np.load(samples.FOLDER / "lfw_subset.npy")

    def found(patch: Any) -> bool:
        grey = cv2.resize((patch * 255).astype(np.uint8), (150, 150), interpolation=cv2.INTER_CUBIC)
        grey = cv2.copyMakeBorder(grey, 75, 75, 75, 75, cv2.BORDER_REPLICATE)
        return bool(faces_of(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)))

    assert sum(map(found, patches[:50])) >= 47
    assert sum(map(found, patches[100:150])) <= 2


@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png", "brick.png", "coins.png"])
def test_without_a_face_it_is_refused(do: Do, name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        do("idphoto", samples.photo(name))
    assert refusal.value.code == "no_face"


@pytest.mark.parametrize("size", [[99, 300], [300, 2001], [300], "300x400", [300.5, 400]])
def test_other_sizes_are_refused(do: Do, size: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        do("idphoto", Image.new("L", (8, 8)), {"size": size})
    assert refusal.value.code == "invalid"
