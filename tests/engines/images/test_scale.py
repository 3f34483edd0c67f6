"""Pictures made sharper and larger: like the original that was shrunk, and sharper than plain interpolation."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from deeepai.engines.images import scale
from deeepai.engines.jobs import Refusal
from tests.engines.images import samples
from tests.engines.images.conftest import Do


def cut(name: str, side: int, x: int, y: int) -> tuple[Any, Any]:
    """Return a square of a photograph, and the same a quarter as large."""
    picture = np.ascontiguousarray(samples.photo(name)[y : y + side, x : x + side])
    small = Image.fromarray(picture).resize((side // 4, side // 4), Image.Resampling.BICUBIC)
    return picture, np.asarray(small)


def sharpness(picture: Any) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_four_times_as_large_is_like_the_original(do: Do, quality: str) -> None:
    original, small = cut("coffee.png", 256, 90, 60)
    done = do("scale", small, {"factor": 4, "quality": quality})
    made = done.samples()
    plain = np.asarray(Image.fromarray(small).resize((256, 256), Image.Resampling.BICUBIC))
    assert done["engine"] == (scale.FAST if quality == "fast" else scale.BEST)
    assert made.shape == original.shape
    assert peak_signal_noise_ratio(original, made) > 24
    assert structural_similarity(original, made, channel_axis=2) > 0.72
    assert sharpness(made) > 2 * sharpness(plain)
    assert np.abs(made.mean(axis=(0, 1)) - original.mean(axis=(0, 1))).max() < 3
    assert done.progress == sorted(done.progress)


@pytest.mark.parametrize(
    ("size", "asked", "factor"),
    [((100, 60), 0, 4), ((600, 40), 0, 2), ((1100, 20), 0, 1), ((100, 60), 2, 2), ((37, 61), 1, 1), ((1, 1), 4, 4)],
)
def test_factors(do: Do, size: tuple[int, int], asked: int, factor: int) -> None:
    picture = cv2.resize(samples.photo("chelsea.png"), size, interpolation=cv2.INTER_AREA)
    done = do("scale", picture, {"factor": asked, "quality": "fast"})
    assert done["factor"] == factor
    assert done.image().size == (size[0] * factor, size[1] * factor) == (done["width"], done["height"])
    again = cv2.resize(done.samples(), size, interpolation=cv2.INTER_AREA)
    assert np.abs(again.astype(int) - picture).mean() < 10


def test_tiles_have_no_seams(do: Do) -> None:
    # A smooth slope over several tiles stays smooth at their borders.
    y, x = np.mgrid[:60, :430]
    slope = np.dstack([x * 255 // 430, y * 4, np.full_like(x, 90)]).astype(np.uint8)
    made = do("scale", slope, {"factor": 2, "quality": "fast"}).samples().astype(int)
    steps = np.abs(np.diff(made[..., 0], axis=1)).mean(axis=0)
    assert steps.max() < 6


def test_in_noise_there_is_less(do: Do) -> None:
    noisy = np.clip(128 + np.random.default_rng(1).normal(0, 18, (96, 96, 3)), 0, 255).astype(np.uint8)
    assert do("scale", noisy, {"factor": 1, "quality": "fast"}).samples().std() < 0.8 * noisy.std()


def test_what_is_transparent_stays_so(do: Do) -> None:
    picture, mask = samples.ball(120)
    done = do("scale", np.dstack([picture, (mask * 255).astype(np.uint8)]), {"factor": 2, "quality": "fast"})
    alpha = done.samples()[..., 3] > 127
    assert done["image"] == "image.png"
    assert (
        alpha == cv2.resize(mask.astype(np.uint8), (240, 240), interpolation=cv2.INTER_NEAREST).astype(bool)
    ).mean() > 0.99


def test_a_face_is_found_and_made_sharper(do: Do) -> None:
    picture = samples.photo("astronaut.png")[20:260, 100:340]
    done = do("scale", picture, {"type": "face", "face_only": True, "factor": 2})
    plain = cv2.resize(picture, (480, 480), interpolation=cv2.INTER_CUBIC)
    made = done.samples()
    assert done["faces"] == 1
    assert done["engine"] == scale.BEST
    assert np.array_equal(made[:20], plain[:20])
    assert sharpness(made[120:260, 180:320]) > 1.5 * sharpness(plain[120:260, 180:320])


def test_without_a_face_it_is_as_anything_else(do: Do) -> None:
    done = do("scale", samples.photo("gravel.png")[:64, :64], {"type": "face", "factor": 1, "quality": "fast"})
    assert (done["faces"], done["engine"]) == (0, scale.FAST)


@pytest.mark.parametrize(("seconds", "engine"), [(600, scale.BEST), (0.001, scale.FAST)])
def test_the_network_is_chosen_by_the_time_there_is(do: Do, seconds: float, engine: str) -> None:
    picture = samples.photo("coffee.png")[:40, :40]
    assert do("scale", picture, {"factor": 2, "seconds": seconds})["engine"] == engine


def test_a_slow_machine_takes_the_fast_network(do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    # It believes that all is fast, and finds that it is not.
    monkeypatch.setitem(scale._COSTS, scale.BEST, 0.0)
    picture = samples.photo("coffee.png")[:60, :300]
    assert do("scale", picture, {"factor": 2, "seconds": 0.4})["engine"] == scale.FAST


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"type": "x"}, "invalid"),
        ({"factor": 3}, "invalid"),
        ({"quality": "x"}, "invalid"),
        ({"factor": 4}, "too_large"),
    ],
)
def test_what_cannot_be_done_is_refused(do: Do, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        do("scale", Image.new("L", (4000, 1200)), request_)
    assert refusal.value.code == code


def test_without_weights_the_command_is_told(do: Do, tmp_path: Any) -> None:
    with pytest.raises(Refusal, match="deeepai engines install real-esrgan"):
        do("scale", Image.new("L", (8, 8)), packs=tmp_path)
