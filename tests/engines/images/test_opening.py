"""Pictures as callers send them: right, or refused; never white, never without bounds."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from deeepai.engines.images import opening
from deeepai.engines.images.opening import Picture, opened
from deeepai.engines.jobs import Refusal

RAMP = np.tile(np.arange(256, dtype=np.uint8), (16, 1))
DEEP = np.tile(np.arange(256, dtype=np.uint16) * 257, (16, 1))
COLOURS = Image.fromarray(np.dstack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 128)]))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def deep(kind: str, channels: int) -> bytes:
    samples = DEEP if channels == 1 else np.dstack([DEEP] * channels)
    return cv2.imencode(kind, samples)[1].tobytes()


def read(folder: Path, data: bytes, **bounds: int) -> Picture:
    path = folder / "image"
    path.write_bytes(data)
    return opened(path, **bounds)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_every_format_is_read_as_it_is(tmp_path: Path, kind: str) -> None:
    picture = read(tmp_path, encoded(COLOURS, kind))
    difference = np.abs(np.asarray(picture.image, np.int16) - np.asarray(COLOURS, np.int16))
    assert picture.image.mode == "RGB"
    assert difference.mean() < 6
    assert picture.format == {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}.get(kind, "")


@pytest.mark.parametrize(
    "data",
    [
        deep(".png", 1),
        deep(".png", 3),
        deep(".tiff", 1),
        deep(".tiff", 3),
        encoded(Image.fromarray(DEEP.astype(np.int32)), "TIFF"),
        encoded(Image.fromarray((DEEP / 65535).astype(np.float32)), "TIFF"),
        encoded(Image.fromarray(DEEP.astype(np.float32)), "TIFF"),
    ],
    ids=["grey-png", "colour-png", "grey-tiff", "colour-tiff", "integers", "unit-floats", "large-floats"],
)
def test_deep_samples_are_scaled_not_clipped(tmp_path: Path, data: bytes) -> None:
    samples = np.asarray(read(tmp_path, data).image)[..., 0].astype(int)
    assert np.abs(samples - RAMP).max() <= 1


def test_sixteen_bits_keep_their_transparency(tmp_path: Path) -> None:
    image = read(tmp_path, deep(".png", 4)).image
    assert image.mode == "RGBA"
    assert np.abs(np.asarray(image.getchannel("A")).astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_stand_upright(tmp_path: Path, turn: int) -> None:
    # What each orientation says of where the stored rows and columns belong: EXIF 2.3, table 6.
    upright = np.zeros((20, 40), np.uint8)
    upright[:10, :20] = 255
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[turn]
    exif = Image.Exif()
    exif[0x112] = turn
    picture = read(tmp_path, encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif))
    assert picture.size == (40, 20)
    assert np.array_equal(np.asarray(picture.image)[..., 0], upright)


def test_spoiled_exif_does_no_harm(tmp_path: Path) -> None:
    data = encoded(COLOURS, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert read(tmp_path, data).size == COLOURS.size


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_four_inks_become_colours(tmp_path: Path, kind: str) -> None:
    inks = Image.merge("CMYK", [Image.new("L", (8, 8), value) for value in (0, 255, 255, 0)])
    red, green, blue = read(tmp_path, encoded(inks, kind)).image.getpixel((4, 4))
    assert red > 240
    assert max(green, blue) < 15


def test_colours_are_taken_by_the_pictures_own_profile(tmp_path: Path) -> None:
    # A profile whose red and blue are exchanged: what it calls red is blue.
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(srgb[i : i + 4]): i for i in range(132, 132 + 12 * struct.unpack(">I", srgb[128:132])[0], 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    srgb[red + 4 : red + 12], srgb[blue + 4 : blue + 12] = srgb[blue + 4 : blue + 12], srgb[red + 4 : red + 12]
    data = encoded(Image.new("RGB", (8, 8), (250, 10, 10)), "PNG", icc_profile=bytes(srgb))
    picture = read(tmp_path, data).image.getpixel((4, 4))
    assert picture[2] > 200 > 60 > picture[0]
    broken = encoded(Image.new("RGB", (8, 8), (250, 10, 10)), "PNG", icc_profile=b"no profile")
    assert read(tmp_path, broken).image.getpixel((4, 4)) == (250, 10, 10)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_several_frames_the_first_is_taken(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (64, 32), colour) for colour in ("red", "lime", "blue")]
    picture = read(tmp_path, encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100))
    red, green, blue = picture.image.getpixel((32, 16))
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_mode_becomes_colours(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(DEEP) if mode == "I;16" else COLOURS.convert(mode)
    assert read(tmp_path, encoded(image, "PNG")).image.mode in ("RGB", "RGBA")


def test_a_palettes_transparent_colour_is_transparent(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 0)
    picture = read(tmp_path, encoded(image, "PNG", transparency=0))
    assert picture.transparent
    assert picture.image.getpixel((0, 0))[3] == 0
    assert picture.image.getpixel((4, 4)) == (0, 255, 0, 255)
    assert picture.rgb("0000FF").getpixel((0, 0)) == (0, 0, 255)


def lying(width: int, height: int) -> bytes:
    """Return a small PNG whose header says that it is large."""
    data = bytearray(encoded(COLOURS, "PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


SCANS = encoded(COLOURS, "JPEG", progressive=True)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unreadable"),
        (b"no picture", "unreadable"),
        (encoded(COLOURS, "JPEG")[:-300], "unreadable"),
        (encoded(COLOURS, "PNG")[:70], "unreadable"),
        (encoded(COLOURS, "WEBP")[:40], "unreadable"),
        (SCANS[:-2] + SCANS[SCANS.index(b"\xff\xda") : -2] * 300, "unreadable"),
        (b"\0\0\0\x18ftypheic" + bytes(80), "unsupported"),
        (b"%PDF-1.7\n", "unsupported"),
        (encoded(Image.new("1", (30_000, 30_000)), "PNG"), "too_large"),
        (encoded(Image.new("1", (31_000, 10)), "PNG"), "too_large"),
        (lying(60_000, 60_000), "too_large"),
        (lying(2**31 - 1, 2**31 - 1), "too_large"),
    ],
    ids=["no-bytes", "text", "jpeg-cut", "png-cut", "webp-cut", "scans", "heic", "pdf", "bomb", "long", "lie", "lies"],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes, code: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Refusal) as refusal:
            read(tmp_path, data)
        assert tracemalloc.get_traced_memory()[1] < 30 * 2**20
    finally:
        tracemalloc.stop()
    assert refusal.value.code == code
    assert refusal.value.message


def test_a_long_picture_within_the_bounds_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, encoded(Image.new("L", (30_000, 20), 77), "PNG")).image.getpixel((29_999, 19)) == (77, 77, 77)


def test_a_tool_may_take_less(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="1000 in all"):
        read(tmp_path, encoded(COLOURS, "PNG"), pixels=1000)


def test_too_many_bytes_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MOST_BYTES", 100)
    with pytest.raises(Refusal) as refusal:
        read(tmp_path, encoded(COLOURS, "PNG"))
    assert refusal.value.code == "too_large"


WHOLE = {kind: encoded(COLOURS, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")}


@given(
    kind=st.sampled_from(sorted(WHOLE)),
    place=st.floats(0, 1),
    instead=st.binary(min_size=1, max_size=12),
    cut=st.one_of(st.none(), st.floats(0, 1)),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spoiled_pictures_are_read_or_refused(
    tmp_path: Path, kind: str, place: float, instead: bytes, cut: float | None
) -> None:
    data = bytearray(WHOLE[kind])
    at = int(place * (len(data) - 1))
    data[at : at + len(instead)] = instead
    if cut is not None:
        del data[int(cut * len(data)) :]
    try:
        picture = read(tmp_path, bytes(data), pixels=1_000_000)
    except Refusal as error:
        refusal = error
    else:
        assert picture.image.mode in ("RGB", "RGBA")
        assert np.asarray(picture.image).shape[:2] == (picture.size[1], picture.size[0])
        return
    assert refusal.code in ("unreadable", "too_large", "unsupported")


@given(width=st.integers(1, 60), height=st.integers(1, 60), mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_read_again(tmp_path: Path, width: int, height: int, mode: str) -> None:
    picture = read(tmp_path, encoded(Image.new(mode, (width, height)), "PNG"))
    again = opened(tmp_path / opening.saved(picture.image, tmp_path, "again", "png"))
    assert again.size == (width, height)
    assert np.array_equal(np.asarray(again.image), np.asarray(picture.image))


@pytest.mark.parametrize(
    ("said", "colour"), [(None, "FFFFFF"), ("", "FFFFFF"), ("#ff8800", "FF8800"), ("f80", "FF8800")]
)
def test_colours_are_read(said: str | None, colour: str) -> None:
    assert opening.colour(said) == colour


@pytest.mark.parametrize("said", ["red", "12345", "-12345", "+f8800", "1234567"])
def test_other_words_are_no_colours(said: str) -> None:
    with pytest.raises(Refusal, match="colour"):
        opening.colour(said)
