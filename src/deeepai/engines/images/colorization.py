"""Colours for a black-and-white picture; the fields are told in the package's docstring.

The operator may give a network (`DEEEPAI_ENGINES_COLORIZE_ONNX`). Without one, colours are only likely ones: skin
where a face is, sky where the top is bright and smooth, plants where something is rough and neither dark nor bright,
and a warm tint that goes with the light elsewhere. Nobody should take that for what was there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..jobs import Refusal, Work
from .cutout import STRIP, Samples, stretched
from .faces import faces_of
from .networks import onnx
from .opening import array, chosen, opened, saved

SETTING: Final = "DEEEPAI_ENGINES_COLORIZE_ONNX"
_PIXELS: Final = 40_000_000
_SIDE: Final = 640
_NETWORK_SIDE: Final = 256

# Chroma (a, b) of CIELAB, for a middle light.
_SKIN: Final = (14.0, 17.0)
_LIPS: Final = (24.0, 12.0)
_SKY: Final = (-5.0, -24.0)
_PLANTS: Final = (-15.0, 22.0)
_GROUND: Final = (6.0, 15.0)
_SHADOW: Final = (1.5, -5.0)
_LIGHT: Final = (1.0, 8.0)


def run(work: Work) -> dict[str, Any]:
    """Do a job."""
    picture = opened(work.given("image"), pixels=_PIXELS)
    form = chosen(work.request.get("format") or "jpg", "", ("jpg", "png", "webp"))
    samples = array(picture.image.convert("RGB"))
    light = cv2.cvtColor(samples, cv2.COLOR_RGB2GRAY)
    work.tell(20)
    if model := os.environ.get(SETTING):
        chroma, engine = by_network(light, Path(model)), "onnx"
    else:
        chroma, engine = likely(light), "heuristic"
    work.tell(80)
    image = Image.fromarray(coloured(light, chroma))
    if picture.transparent:
        image.putalpha(picture.image.getchannel("A"))
    width, height = picture.size
    return {
        "engine": engine,
        "image": saved(image, work.made(""), "image", form),
        "input_width": width,
        "input_height": height,
        "width": width,
        "height": height,
    }


def coloured(light: NDArray[Any], chroma: NDArray[Any]) -> Samples:
    """Return RGB of a picture's own light and a smaller picture of its colours.

    Parameters
    ----------
    light : array
        Grey, of shape (height, width).
    chroma : array
        CIELAB's a and b, of shape (rows, columns, 2).
    """
    made = np.empty((*light.shape, 3), np.uint8)
    for top in range(0, light.shape[0], STRIP):
        rows = slice(top, min(top + STRIP, light.shape[0]))
        grey = np.ascontiguousarray(light[rows])
        lab = cv2.cvtColor(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        lab[..., 1:] = stretched(chroma, rows, *light.shape)
        made[rows] = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255 + 0.5, 0, 255).astype(np.uint8)
    return made


def by_network(light: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return the colours that a network says.

    Of one channel it gets CIELAB's L, 0 to 100 (as the networks of Zhang et al., 2016 and 2017); of three, the grey
    picture as RGB, 0 to 1 (as DDColor). Its output is a and b; where all of it is within ±1.5, in units of 110.

    Raises
    ------
    Refusal
        `not_installed` where there is no such file.
    """
    if not path.is_file():
        raise Refusal("not_installed", f"{SETTING} names a file that is not there.")
    session = onnx(path)
    given = session.get_inputs()[0]
    channels, height, width = (side if isinstance(side, int) else 0 for side in given.shape[1:4])
    size = (width or _NETWORK_SIDE, height or _NETWORK_SIDE)
    rgb = cv2.cvtColor(cv2.resize(light, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)
    unit = rgb.astype(np.float32) / 255
    seen = unit if channels == 3 else cv2.cvtColor(unit, cv2.COLOR_RGB2LAB)[..., :1]
    said = np.asarray(session.run(None, {given.name: np.ascontiguousarray(seen.transpose(2, 0, 1)[None])})[0])
    if said.ndim != 4 or said.shape[1] != 2:
        raise RuntimeError(f"the network of {SETTING} gives no a and b")
    chroma = said[0].transpose(1, 2, 0).astype(np.float32)
    if float(np.abs(chroma).max(initial=0)) <= 1.5:
        chroma = chroma * 110
    return np.ascontiguousarray(np.clip(chroma, -110, 110))


def likely(light: NDArray[Any]) -> NDArray[Any]:
    """Return likely colours; the same picture always has the same.

    Parameters
    ----------
    light : array
        Grey, of shape (height, width).

    Returns
    -------
    array
        CIELAB's a and b, of shape (rows, columns, 2), at most 640 a side.
    """
    shrunk = min(1.0, _SIDE / max(light.shape))
    small = cv2.resize(light, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA) if shrunk < 1 else light
    unit = small.astype(np.float32) / 255
    height = unit.shape[0]
    smooth = cv2.GaussianBlur(unit, (0, 0), 1.5)
    rough = cv2.GaussianBlur(np.abs(unit - cv2.GaussianBlur(unit, (0, 0), 3)), (0, 0), 5)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    # What is dark is cool, what is bright is warm.
    warm = _step(unit, 0.15, 0.75)[..., None]
    chroma = np.array(_SHADOW, np.float32) * (1 - warm) + np.array(_LIGHT, np.float32) * warm
    middle = (_step(smooth, 0.12, 0.3) * (1 - _step(smooth, 0.7, 0.9)))[..., None]
    chroma = chroma + np.array(_GROUND, np.float32) * middle * 0.5
    sky = _sky(smooth, rough, rows)
    chroma = _mixed(chroma, _SKY, sky)
    if sky.any():
        # Under a sky, what is rough may grow.
        plants = _step(rough, 0.022, 0.05) * (1 - _step(rough, 0.11, 0.2)) * middle[..., 0] * _step(rows, 0.35, 0.6)
        chroma = _mixed(chroma, _PLANTS, plants * 0.75)
    chroma = _faces(chroma, small, smooth)
    # Colours end where the light changes.
    return np.dstack([_guided(np.ascontiguousarray(chroma[..., part]), unit) for part in range(2)])


def _step(values: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _mixed(chroma: NDArray[Any], colour: tuple[float, float], share: NDArray[Any]) -> NDArray[Any]:
    return chroma * (1 - share[..., None]) + np.array(colour, np.float32) * share[..., None]


def _sky(smooth: NDArray[Any], rough: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return where the sky may be: smooth, bright, above most of the picture, and brighter than what is below."""
    calm = ((rough < 0.02) & (smooth > 0.4)).astype(np.uint8)
    _, labels = cv2.connectedComponents(cv2.morphologyEx(calm, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)))
    above = np.bincount(labels[:3][labels[:3] > 0], minlength=1)
    wide = np.flatnonzero(above > 0.55 * labels[:3].size)
    sky = np.isin(labels, wide) & (labels > 0)
    lower = smooth[2 * smooth.shape[0] // 3 :]
    if not sky.any() or float(smooth[sky].mean()) < 1.2 * float(lower.mean()):
        return np.zeros_like(smooth)
    share = cv2.GaussianBlur(sky.astype(np.float32), (0, 0), 2)
    return share * (1 - _step(rows, 0.45, 0.85)) * (1 - 0.6 * _step(smooth, 0.88, 1.0))


def _faces(chroma: NDArray[Any], small: NDArray[Any], smooth: NDArray[Any]) -> NDArray[Any]:
    for face in faces_of(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)):
        inside = np.zeros(smooth.shape, np.float32)
        centre = (face.x + face.width // 2, face.y + face.height // 2)
        cv2.ellipse(inside, centre, (round(face.width * 0.42), round(face.height * 0.58)), 0, 0, 360, 1.0, -1)
        part = smooth[max(face.y, 0) : face.y + face.height, max(face.x, 0) : face.x + face.width]
        typical = float(np.median(part))
        # Skin of the same light hangs together with it: the neck, and ears.
        near = np.zeros(smooth.shape, np.float32)
        cv2.ellipse(near, centre, (round(face.width * 0.52), round(face.height * 0.85)), 0, 0, 360, 1.0, -1)
        near = cv2.GaussianBlur(near, (0, 0), max(face.width / 12, 1))
        alike = np.exp(-(((smooth - typical) / 0.12) ** 2))
        inside = cv2.GaussianBlur(inside, (0, 0), max(face.width / 20, 1)) * _step(smooth, typical * 0.3, typical * 0.7)
        chroma = _mixed(chroma, _SKIN, np.maximum(inside, near * alike * 0.7))
        lips = np.zeros(smooth.shape, np.float32)
        mouth = (centre[0], round(face.y + face.height * 0.78))
        cv2.ellipse(lips, mouth, (round(face.width * 0.17), round(face.height * 0.06)), 0, 0, 360, 1.0, -1)
        lips = cv2.GaussianBlur(lips, (0, 0), max(face.width / 40, 1)) * (
            1 - _step(smooth, typical * 0.9, typical * 1.2)
        )
        chroma = _mixed(chroma, _LIPS, lips * 0.7)
    return chroma


def _guided(values: NDArray[Any], guide: NDArray[Any]) -> NDArray[Any]:
    """Smooth values along a guide's edges (He et al., 2013)."""
    size = (17, 17)
    mean, mean_guide = cv2.blur(values, size), cv2.blur(guide, size)
    slope = (cv2.blur(values * guide, size) - mean * mean_guide) / (
        cv2.blur(guide * guide, size) - mean_guide**2 + 4e-3
    )
    return cv2.blur(slope, size) * guide + cv2.blur(mean - slope * mean_guide, size)
