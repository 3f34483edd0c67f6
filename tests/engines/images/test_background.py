"""Subjects before drawn backdrops: the subject stays, the backdrop follows words and seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from deeepai.engines.images.backdrops import SCENES, backdrop, scene_of
from deeepai.engines.jobs import Refusal
from tests.engines.images import samples
from tests.engines.images.conftest import Do

PICTURE, MASK = samples.ball(300, 0.2)
CUT = np.dstack([PICTURE, (MASK * 255).astype(np.uint8)])


def test_the_subject_stays_and_the_rest_is_new(do: Do) -> None:
    done = do("background", CUT, {"prompt": "on a wooden desk", "count": 3, "seed": 5, "format": "png"})
    assert (done["engine"], done["scene"], done["cut_out"]) == ("procedural", "wood", False)
    assert done["images"] == ["image-1.png", "image-2.png", "image-3.png"]
    assert done["seeds"] == [5, 6, 7]
    made = [np.asarray(Image.open(done.folder / name)) for name in done["images"]]
    for each in made:
        assert np.abs(each[MASK].astype(int) - PICTURE[MASK]).mean() < 12
        assert np.abs(each[~MASK].astype(int) - PICTURE[~MASK]).mean() > 25
    assert np.abs(made[0].astype(int) - made[1])[~MASK].mean() > 3


def test_the_same_words_give_the_same(do: Do) -> None:
    one, other = (do("background", CUT, {"prompt": "beach", "format": "png"}) for _ in range(2))
    assert one["seeds"] == other["seeds"]
    assert (one.folder / "image-1.png").read_bytes() == (other.folder / "image-1.png").read_bytes()


def test_what_has_a_background_is_cut_out_first(do: Do) -> None:
    done = do("background", PICTURE, {"prompt": "red", "format": "png"})
    made = np.asarray(Image.open(done.folder / "image-1.png")).astype(int)
    assert done["cut_out"]
    outside = made[:40].reshape(-1, 3).mean(axis=0)
    assert outside[0] > 1.5 * outside[1:].max()


def test_a_shadow_lies_below(do: Do) -> None:
    done = do("background", CUT, {"scene_type": SCENES.index("studio"), "seed": 3, "format": "png"})
    made = np.asarray(Image.open(done.folder / "image-1.png")).astype(int).sum(axis=2)
    plain = backdrop("", 300, 300, 3, scene_type=SCENES.index("studio")).samples.astype(int).sum(axis=2)
    foot = int(np.flatnonzero(MASK.any(axis=1))[-1])
    middle = int(np.flatnonzero(MASK.any(axis=0)).mean())
    assert made[foot + 2 : foot + 8, middle - 10 : middle + 10].mean() < 0.9 * made[foot + 2 : foot + 8, :20].mean()
    assert np.abs(made[:20] - plain[:20]).mean() < 30


def test_backdrops_that_came_are_used(do: Do) -> None:
    done = do("background", CUT, {"format": "png"}, backdrop_1=Image.new("RGB", (50, 50), (0, 90, 200)))
    made = np.asarray(Image.open(done.folder / "image-1.png")).astype(int)
    assert done["engine"] == "composite"
    assert np.abs(made[:30, :30].reshape(-1, 3) - (0, 90, 200)).max() < 20


@pytest.mark.parametrize(
    ("prompt", "negative", "scene"),
    [
        ("a WOODEN table by the sea", "", "wood"),
        ("by the sea, on wood", "", "sea"),
        ("by the sea, on wood", "beach", "wood"),
        ("阳光下的沙滩", "", "sea"),
        ("夜晚的城市街道", "", "night"),
        ("seaweed", "", "studio"),
        ("", "", "studio"),
    ],
)
def test_words_choose_the_scene(prompt: str, negative: str, scene: str) -> None:
    assert scene_of(prompt, negative) == scene


def test_scenes_look_like_what_they_are_called() -> None:
    def mean(scene: str) -> Any:
        return backdrop("", 160, 120, 1, scene_type=SCENES.index(scene)).samples.reshape(-1, 3).mean(axis=0)

    assert mean("forest").argmax() == 1
    assert mean("sky").argmax() == 2
    assert mean("wood").argmax() == 0
    assert mean("night").max() < 80
    assert mean("snow").min() > 150
    assert len({tuple(mean(scene).round()) for scene in SCENES}) == len(SCENES)


@pytest.mark.parametrize("size", [(1, 1), (7, 900), (3000, 40)])
def test_every_size_can_be_drawn(size: tuple[int, int]) -> None:
    for number in range(len(SCENES)):
        assert backdrop("", *size, 1, scene_type=number).samples.shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"count": 5}, "invalid"),
        ({"count": -1}, "invalid"),
        ({"scene_type": "x"}, "invalid"),
        ({"prompt": "x" * 5000}, "invalid"),
    ],
    ids=range(4),
)
def test_other_values_are_refused(do: Do, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        do("background", CUT, request_)
    assert refusal.value.code == code


def test_an_empty_cut_out_is_refused(do: Do) -> None:
    with pytest.raises(Refusal) as refusal:
        do("background", np.zeros((50, 50, 4), np.uint8))
    assert refusal.value.code == "empty"
