"""Pictures as callers send them: opened within bounds of time and memory, upright, 8 bits a channel, in sRGB.

Nothing is decoded before its header's size is looked at. A picture of several frames gives its first.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from ..jobs import Refusal

FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "AVIF")
"""Of Pillow's decoders those that are open to callers."""
MOST_BYTES: Final = 64 * 2**20
MOST_SIDE: Final = 30_000
MOST_PIXELS: Final = 64_000_000
"""Some 200 MB in three channels; tools that work in floating point take less."""
_MOST_SCANS: Final = 200
"""Of a progressive JPEG: each is decoded over the whole picture, and ordinary files have ten."""
_KNOWN: Final = {
    b"ftyphei": "HEIC",
    b"ftyphev": "HEIC",
    b"ftypmif1": "HEIC",
    b"JXL ": "JPEG XL",
    b"%PDF": "PDF",
    b"<svg": "SVG",
    b"8BPS": "Photoshop",
}
_EXTENSIONS: Final = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
WRITTEN: Final = ("png", "jpg", "webp")
"""Formats that tools write."""
_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_WEBP_SIDE: Final = 16_383


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture.

    Attributes
    ----------
    image : Image
        Of mode RGB or RGBA.
    format : str
        `jpg`, `png` or `webp` where it came as one of these, else empty.
    """

    image: Image.Image
    format: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.size

    @property
    def transparent(self) -> bool:
        """Whether any of it can be seen through."""
        return self.image.mode == "RGBA" and self.image.getchannel("A").getextrema()[0] != 255

    def rgb(self, background: str = "FFFFFF") -> Image.Image:
        """Return it without transparency, before a colour."""
        return flat(self.image, background)


def opened(path: Path, *, pixels: int = MOST_PIXELS, sides: int = MOST_SIDE) -> Picture:
    """Open a picture.

    Parameters
    ----------
    path : Path
    pixels, sides : int
        At most so many pixels, and so many in a row or column.

    Raises
    ------
    Refusal
        `unreadable`, `unsupported` or `too_large`.
    """
    size = path.stat().st_size
    if size == 0:
        raise Refusal("unreadable", "The picture is empty: it has no bytes.")
    if size > MOST_BYTES:
        raise Refusal("too_large", f"The picture has {size} bytes; at most {MOST_BYTES} are taken.")
    data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if max(width, height) > sides or width * height > pixels:
                message = (
                    f"The picture has {width} × {height} pixels; at most {sides} a side and {pixels} in all are taken."
                )
                raise Refusal("too_large", message)
            # Inside of the compressed data, 0xFF is always followed by 0x00, so each of these begins a scan.
            if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > _MOST_SCANS:
                raise Refusal("unreadable", "The picture has more scans than any ordinary one.")
            kind = _EXTENSIONS.get(image.format or "", "")
            return Picture(_plain(image), kind)
    except (Refusal, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise Refusal("too_large", "The picture has too many pixels.") from error
    except Exception as error:
        # What decoders make of spoiled bytes has no bounds: OSError, SyntaxError, ValueError, struct.error, KeyError …
        name = next((name for mark, name in _KNOWN.items() if mark in data[:64]), None)
        if name:
            raise Refusal("unsupported", f"{name} is not read here.") from error
        raise Refusal("unreadable", "This is no picture that can be read, or it is cut short or spoiled.") from error


def _plain(image: Image.Image) -> Image.Image:
    """Decode; return it upright, in RGB or RGBA."""
    image.load()
    profile = image.info.get("icc_profile")
    image = _deep(image)
    transparent = image.has_transparency_data
    if image.mode == "CMYK":
        image = _to_srgb(image, profile) or image.convert("RGB")
    elif image.mode in ("RGB", "RGBA") and profile:
        image = _to_srgb(image, profile) or image
    wanted = "RGBA" if transparent else "RGB"
    if image.mode != wanted:
        image = image.convert(wanted)
    return _upright(image)


def _deep(image: Image.Image) -> Image.Image:
    """Bring deeper samples to 8 bits: by their scale, for a plain conversion would turn most of them white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "I":
        values = np.asarray(image)
        most = int(values.max(initial=0))
        shift = 0 if most < 1 << 8 else 8 if most < 1 << 16 else 23
        return Image.fromarray(np.clip(values >> shift, 0, 255).astype(np.uint8))
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image), nan=0.0, posinf=0.0, neginf=0.0)
        low, high = min(float(values.min(initial=0)), 0.0), float(values.max(initial=0))
        scale = next((limit for limit in (1.0, 255.0, 65535.0) if low >= 0 and high <= limit), high - low)
        return Image.fromarray(np.clip((values - low) * (255.0 / scale), 0, 255).astype(np.uint8))
    return image


def _to_srgb(image: Image.Image, profile: Any) -> Image.Image | None:
    """Convert colours by the picture's own profile; None where that is no use."""
    if not isinstance(profile, bytes):
        return None
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, own, _SRGB, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _upright(image: Image.Image) -> Image.Image:
    try:
        turned = ImageOps.exif_transpose(image)
    except Exception:
        # Spoiled EXIF says nothing of how the picture lies.
        return image
    return turned or image


def flat(image: Image.Image, background: str = "FFFFFF") -> Image.Image:
    """Return a picture without transparency, before a colour (`RRGGBB`)."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    below = Image.new("RGB", image.size, f"#{background}")
    below.paste(image, mask=image.getchannel("A"))
    return below


def array(image: Image.Image) -> NDArray[Any]:
    """Return a picture's samples, of shape (height, width[, channels]), that may be written to."""
    return np.array(image, dtype=np.uint8)


def saved(image: Image.Image, folder: Path, name: str, kind: str, quality: int = 95) -> str:
    """Write a picture as `png`, `jpg` (before white) or `webp`; return the file's name."""
    file = f"{name}.{kind}"
    if kind == "jpg":
        flat(image).save(folder / file, "JPEG", quality=quality, subsampling=0 if quality >= 90 else 2, optimize=True)
    elif kind == "webp":
        if max(image.size) > _WEBP_SIDE:
            raise Refusal("too_large", f"WebP has at most {_WEBP_SIDE} pixels a side.")
        image.save(folder / file, "WEBP", quality=quality, method=4)
    else:
        image.save(folder / file, "PNG", compress_level=6)
    return file


def chosen(kind: object, given: str, choices: Sequence[str] = WRITTEN) -> str:
    """Return the format to write: what is asked for, else the one that came, else png.

    Raises
    ------
    Refusal
        `invalid` for another.
    """
    wanted = {"jpeg": "jpg"}.get(str(kind or "").lower(), str(kind or "").lower())
    if not wanted:
        return given if given in choices else choices[0]
    if wanted not in choices:
        raise Refusal("invalid", f"format must be one of: {', '.join(choices)}.")
    return wanted


def colour(value: object) -> str:
    """Return a colour as six hexadecimal digits; white where there is none.

    Raises
    ------
    Refusal
        `invalid`
    """
    text = str(value or "FFFFFF").removeprefix("#")
    if not re.fullmatch(r"[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6}", text):
        raise Refusal("invalid", "background must be a colour such as FF8800.")
    if len(text) == 3:
        text = "".join(2 * digit for digit in text)
    return text.upper()
