"""Pictures whose truth is known: photographs that scikit-image carries, and scenes put together with their masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FOLDER = Path(skimage.__file__).parent / "data"
Samples = NDArray[Any]


def photo(name: str) -> Samples:
    """Return a photograph as RGB."""
    with Image.open(FOLDER / name) as image:
        return np.asarray(image.convert("RGB"))


def ball(side: int = 512, radius: float = 0.3, seed: int = 0) -> tuple[Samples, Samples]:
    """Return a lit ball on a lawn, and its mask."""
    ground = cv2.resize(photo("grass.png"), (side, side)).astype(np.float32) * np.array([0.6, 0.9, 0.4], np.float32)
    turn = np.random.default_rng(seed).uniform(-0.1, 0.1, 2)
    y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    y, x = y - turn[0], x - turn[1]
    mask = np.clip((radius - np.hypot(x, y)) * side + 0.5, 0, 1)
    height = np.sqrt(np.clip(radius**2 - x**2 - y**2, 0, None)) / radius
    light = np.clip(0.25 + 0.75 * (-0.5 * x / radius - 0.6 * y / radius + 0.62 * height), 0.1, 1)[..., None]
    stripes = np.where((np.floor((x + y) / radius * 3) % 2 == 0)[..., None], [230, 40, 40], [245, 240, 235])
    return _laid(stripes * light, ground, mask)


def horse(side: int = 600) -> tuple[Samples, Samples]:
    """Return a horse, of scikit-image's silhouette, in a coat of gravel, before a clouded sky; its mask."""
    silhouette = 255 - np.asarray(Image.open(FOLDER / "horse.png").convert("L"))
    mask = np.pad(silhouette, 60)
    mask = cv2.resize(mask, (side, round(side * mask.shape[0] / mask.shape[1])), interpolation=cv2.INTER_AREA) / 255
    size = (mask.shape[1], mask.shape[0])
    coat = cv2.resize(photo("gravel.png"), size).astype(np.float32) * np.array([0.55, 0.35, 0.2], np.float32)
    sky = cv2.GaussianBlur(cv2.resize(photo("moon.png"), size).astype(np.float32), (0, 0), 25)
    return _laid(coat, 60 + sky * np.array([0.9, 1.1, 1.4], np.float32), mask)


def motorcycle() -> tuple[Samples, Samples, Samples]:
    """Return a photograph, what of it is near by its measured disparity, and where that is known."""
    disparity = np.load(FOLDER / "motorcycle_disp.npz")["arr_0"]
    known = np.isfinite(disparity) & (disparity > 0)
    y, x = np.mgrid[: disparity.shape[0], : disparity.shape[1]]
    # The floor is a plane, and a plane's disparity is linear; where the floor alone is seen tells which.
    floor = known & ((y > 470) | ((x < 90) & (y > 340)))
    terms = np.stack([x[floor], y[floor], np.ones(floor.sum())], axis=1)
    across, along, start = np.linalg.lstsq(terms, disparity[floor], rcond=None)[0]
    near = known & (disparity > 36) & (disparity > across * x + along * y + start + 1.5)
    return photo("motorcycle_left.png"), near, known


def _laid(subject: Samples, ground: Samples, mask: Samples) -> tuple[Samples, Samples]:
    cover = mask[..., None]
    return np.clip(subject * cover + ground * (1 - cover), 0, 255).astype(np.uint8), mask > 0.5


def _seen(edges: Samples, chance: np.random.Generator, size: tuple[int, int]) -> Samples:
    """Return where a camera sees points of a sheet that it is held over at a slant."""
    tilt, lean, turn = chance.uniform((-0.5, -0.35, -0.25), (0.5, 0.35, 0.25))
    flat = np.column_stack([edges - edges.mean(axis=0), np.zeros(4)])
    for x, y, angle in ((1, 2, tilt), (0, 2, lean), (0, 1, turn)):
        turned = flat.copy()
        turned[:, x] = flat[:, x] * np.cos(angle) - flat[:, y] * np.sin(angle)
        turned[:, y] = flat[:, x] * np.sin(angle) + flat[:, y] * np.cos(angle)
        flat = turned
    focal = 1.1 * max(size)
    away = focal * 877 / (0.78 * size[1])
    seen = flat[:, :2] * (focal / (flat[:, 2:] + away))
    return (seen + np.array(size) / 2).astype(np.float32)


def page(seed: int = 0, size: tuple[int, int] = (900, 1000)) -> tuple[Samples, Samples, Samples]:
    """Return a photographed sheet of writing, where its corners are, and the sheet as it was.

    Corners go from the top left, clockwise, as (x, y).
    """
    chance = np.random.default_rng(seed)
    width, height = size
    drawn = Image.new("L", (620, 877), 238)
    draw = ImageDraw.Draw(drawn)
    words = ["quick", "brown", "fox", "jumps", "over", "lazy", "dog", "nine", "boxing", "wizards", "vex", "judge"]
    for line in range(26):
        draw.text((70, 70 + line * 28), " ".join(chance.choice(words, 8)), fill=30, font=ImageFont.load_default(18))
    sheet = np.dstack([np.asarray(drawn)] * 3)
    edges = np.array([[0, 0], [620, 0], [620, 877], [0, 877]], np.float64)
    corners = _seen(edges, chance, size)
    # A pixel's middle lies half a pixel from its edge.
    matrix = cv2.getPerspectiveTransform((edges - 0.5).astype(np.float32), corners)
    wood = cv2.resize(photo("brick.png"), size).astype(np.float32) * np.array([0.5, 0.35, 0.25], np.float32)
    laid = cv2.warpPerspective(sheet, matrix, size, flags=cv2.INTER_AREA).astype(np.float32)
    cover = cv2.warpPerspective(np.ones(sheet.shape[:2], np.float32), matrix, size)[..., None]
    shade = np.linspace(0.75, 1.05, width, dtype=np.float32)[None, :, None]
    scene = (laid * cover + wood * (1 - cover)) * shade + chance.normal(0, 3, (height, width, 1))
    return np.clip(scene, 0, 255).astype(np.uint8), corners, sheet
