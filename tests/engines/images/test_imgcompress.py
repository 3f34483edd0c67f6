"""Pictures made smaller: never larger than they came, and still the same picture."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.metrics import structural_similarity

from deeepai.engines.jobs import Refusal
from tests.engines.images import samples
from tests.engines.images.conftest import Do, png

PHOTO = samples.photo("astronaut.png")


def encoded(picture: Any, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(out, kind, **options)
    return out.getvalue()


def alike(one: Any, other: Any) -> float:
    return float(structural_similarity(np.asarray(one), np.asarray(other), channel_axis=2))


@pytest.mark.parametrize(
    ("kind", "form", "share", "similarity"),
    [("PNG", "png", 0.35, 0.93), ("JPEG", "jpg", 0.35, 0.93), ("WEBP", "webp", 0.35, 0.91)],
)
def test_a_photograph_keeps_its_format_and_loses_most_of_its_bytes(
    do: Do, kind: str, form: str, share: float, similarity: float
) -> None:
    data = encoded(PHOTO, kind, **({} if kind == "PNG" else {"quality": 98}))
    done = do("imgcompress", data)
    assert (done["format"], done["image"]) == (form, f"image.{form}")
    assert done["bytes"] == (done.folder / done["image"]).stat().st_size < share * len(data)
    assert done["input_bytes"] == len(data)
    assert done.image().format == kind
    assert alike(done.image().convert("RGB"), PHOTO) > similarity


@pytest.mark.parametrize("form", ["jpg", "webp"])
def test_quality_orders_bytes_and_likeness(do: Do, form: str) -> None:
    made = [do("imgcompress", PHOTO, {"format": form, "quality": quality}) for quality in (20, 50, 80, 95)]
    sizes = [each["bytes"] for each in made]
    likeness = [alike(each.image(), PHOTO) for each in made]
    assert [each["quality"] for each in made] == [20, 50, 80, 95]
    assert sizes == sorted(sizes)
    assert likeness == sorted(likeness)
    assert sizes[0] * 3 < sizes[-1]


@pytest.mark.parametrize(("form", "kbyte"), [("jpg", 60), ("jpg", 15), ("webp", 15), ("jpg", 2), ("webp", 1)])
def test_a_size_in_bytes_is_kept_and_used(do: Do, form: str, kbyte: int) -> None:
    done = do("imgcompress", PHOTO, {"format": form, "kbyte": kbyte})
    assert done["reached"]
    assert 0.6 * 1024 * kbyte < done["bytes"] <= 1024 * kbyte
    assert alike(done.image().resize((512, 512)), PHOTO) > 0.3


def test_what_is_small_enough_is_left_alone(do: Do) -> None:
    data = encoded(PHOTO, "JPEG", quality=70)
    done = do("imgcompress", data, {"kbyte": 1 + len(data) // 1024})
    assert (done["engine"], done["quality"]) == ("unchanged", None)
    assert (done.folder / "image.jpg").read_bytes() == data


def test_a_little_too_large_is_packed_without_loss(do: Do) -> None:
    data = encoded(PHOTO, "JPEG", quality=90)
    done = do("imgcompress", data, {"kbyte": len(data) // 1024})
    assert (done["engine"], done["quality"]) == ("mozjpeg", None)
    with Image.open(io.BytesIO(data)) as came:
        assert np.array_equal(done.samples(), np.asarray(came))


@pytest.mark.parametrize("quality", [100, 80])
def test_what_was_drawn_is_kept_without_loss(do: Do, quality: int) -> None:
    drawn = np.zeros((300, 300, 3), np.uint8)
    drawn[50:250, 50:250] = (200, 30, 90)
    data = png(drawn)
    done = do("imgcompress", data, {"quality": quality})
    assert done["bytes"] < len(data)
    assert np.array_equal(np.asarray(done.image().convert("RGB")), drawn)


def test_a_photograph_at_full_quality_is_kept_without_loss(do: Do) -> None:
    done = do("imgcompress", PHOTO, {"quality": 100})
    assert done["engine"] == "oxipng"
    assert np.array_equal(np.asarray(done.image().convert("RGB")), PHOTO)


def test_transparency_survives_a_palette(do: Do) -> None:
    y, x = np.mgrid[:512, :512]
    alpha = np.clip((220 - np.hypot(x - 256, y - 256)) * 6, 0, 255).astype(np.uint8)
    data = png(np.dstack([PHOTO, alpha]))
    done = do("imgcompress", data)
    made = done.samples() if done.image().mode == "RGBA" else np.asarray(done.image().convert("RGBA"))
    assert done["engine"] == "oxipng-palette"
    assert done["bytes"] < 0.4 * len(data)
    assert np.abs(made[..., 3].astype(int) - alpha).mean() < 2
    seen = alpha > 250
    assert np.abs(made[seen][:, :3].astype(int) - PHOTO[seen]).mean() < 8


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        ({"width": 100}, (100, 67)),
        ({"height": 200}, (300, 200)),
        ({"width": 90, "height": 90}, (90, 90)),
        ({"width": 1200}, (1200, 800)),
    ],
    ids=str,
)
def test_sizes_in_pixels(do: Do, request_: dict[str, int], size: tuple[int, int]) -> None:
    done = do("imgcompress", samples.photo("coffee.png"), request_)
    assert done.image().size == (done["width"], done["height"]) == size
    assert (done["input_width"], done["input_height"]) == (600, 400)
    expected = Image.fromarray(samples.photo("coffee.png")).resize(size)
    assert alike(done.image().convert("RGB"), expected) > 0.7


def test_another_format_is_no_larger_either(do: Do) -> None:
    data = encoded(PHOTO, "WEBP", quality=60)
    done = do("imgcompress", data, {"format": "jpg", "quality": 95})
    assert done.image().format == "JPEG"
    assert done["bytes"] <= len(data)
    assert done["quality"] < 95


@pytest.mark.parametrize(("kind", "form"), [("BMP", "jpg"), ("TIFF", "jpg"), ("GIF", "png")])
def test_other_formats_become_one_of_the_three(do: Do, kind: str, form: str) -> None:
    assert do("imgcompress", encoded(PHOTO, kind))["format"] == form


def test_it_lies_as_it_was_seen(do: Do) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    done = do("imgcompress", encoded(samples.photo("coffee.png"), "JPEG", quality=95, exif=exif))
    assert done.image().size == (400, 600)
    assert not done.image().getexif()
    assert alike(done.image(), np.rot90(samples.photo("coffee.png"), -1)) > 0.85


@pytest.mark.parametrize(
    "request_",
    [
        {"quality": 101},
        {"quality": -3},
        {"kbyte": 60_000},
        {"quality": 50, "kbyte": 50},
        {"kbyte": 50, "format": "png"},
        {"format": "gif"},
        {"width": 8001},
        {"height": -1},
        {"width": "wide"},
    ],
    ids=str,
)
def test_other_values_are_refused(do: Do, request_: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refusal:
        do("imgcompress", np.zeros((8, 8, 3), np.uint8), request_)
    assert refusal.value.code == "invalid"
    assert next(iter(request_)) in refusal.value.message


@given(
    width=st.integers(1, 80),
    height=st.integers(1, 80),
    seed=st.integers(0, 9),
    kind=st.sampled_from(["PNG", "JPEG", "WEBP"]),
    quality=st.sampled_from([None, 1, 40, 90, 100]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_picture_gets_larger(do: Do, width: int, height: int, seed: int, kind: str, quality: int | None) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    data = encoded(noise, kind)
    done = do("imgcompress", data, {"quality": quality})
    assert done["bytes"] == (done.folder / done["image"]).stat().st_size <= len(data)
    assert done.image().size == (width, height)
