"""Creative text: characters that a scene fills, that light casts, or that a scene hides.

The typeface is Noto Sans CJK, made bold by a stroke. `strength` is how plainly the characters stand out, from 0 to 1.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
from noto_cjk_sans_otc import FONT_PATH
from PIL import Image, ImageDraw, ImageFont

from .canvas import OUTLINES, Array, luminance, placed, smooth
from .codes import graded

Manner: TypeAlias = Literal["textart", "texthidden", "textshadow"]
_SIMPLIFIED: Final = 2
"""The typeface within the collection that has the mainland's forms."""
_ROOM: Final = 0.84
"""How much of the picture characters may take."""


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT_PATH), size, index=_SIMPLIFIED)


def absent(text: str) -> str:
    """Return the first character that the typeface has no form of, or nothing."""
    # What is not there is drawn as the form that stands for all such.
    none = _form("\U0010ffff")
    return next((one for one in text if not one.isspace() and _form(one) == none), "")


def _form(character: str) -> bytes:
    image = Image.new("L", (64, 64))
    ImageDraw.Draw(image).text((8, 8), character, 255, _font(40))
    return image.tobytes()


def rows_of(text: str, size: tuple[int, int]) -> list[str]:
    """Return the rows that let characters be largest in a picture of some width and height."""
    if text.isascii():
        words = text.split()
        return words if size[1] > size[0] and len(words) > 1 else [" ".join(words)]
    plain = "".join(text.split())
    width, height = size

    def side(columns: int) -> float:
        return min(width / columns, height / math.ceil(len(plain) / columns))

    columns = max(range(1, len(plain) + 1), key=lambda count: (side(count), -count))
    return [plain[at : at + columns] for at in range(0, len(plain), columns)]


def mask(text: str, size: tuple[int, int], weight: float = 0.034) -> Array:
    """Draw bold characters in the middle of a picture.

    Parameters
    ----------
    size
        Width and height in pixels.
    weight
        The stroke around them, in parts of their size.

    Returns
    -------
    array
        (height, width): 1 on characters.
    """
    width, height = size
    rows = rows_of(text, size)
    trial = 200
    widest = max(_font(trial).getlength(row) for row in rows) * (1 + weight)
    largest = min(width * _ROOM / widest * trial, height * _ROOM / (len(rows) * 1.08))
    font, stroke = _font(max(12, int(largest))), max(1, int(largest * weight))
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    pitch = largest * 1.08
    for number, row in enumerate(rows):
        y = height / 2 + (number - (len(rows) - 1) / 2) * pitch
        left, top, right, bottom = draw.textbbox((0, 0), row, font, stroke_width=stroke)
        draw.text((width / 2 - (left + right) / 2, y - (top + bottom) / 2), row, 255, font, stroke_width=stroke)
    return np.asarray(image, np.float32) / 255


def draw(
    text: str, scene: Array, manner: Manner, strength: float, *, motif: str, seed: int, render: str = "concept"
) -> Image.Image:
    """Draw characters in a manner over a scene, (height, width, 3) from 0 to 1."""
    size = scene.shape[1], scene.shape[0]
    match manner:
        case "textart":
            drawn = _art(mask(text, size), scene, strength, (motif, seed, render))
        case "textshadow":
            drawn = _shadow(mask(text, size, 0.030), scene, strength)
        case "texthidden":
            drawn = _hidden(mask(text, size, 0.030), scene, strength)
    return Image.fromarray((np.clip(drawn, 0, 1) * 255 + 0.5).astype(np.uint8))


def _blurred(layer: Array, radius: float) -> Array:
    return cv2.GaussianBlur(layer, (0, 0), max(0.3, radius)).astype(np.float32)


def _moved(layer: Array, x: float, y: float) -> Array:
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return cv2.warpAffine(layer, shift, (layer.shape[1], layer.shape[0])).astype(np.float32)


# Art ---------------------------------------------------------------------------------------------------------------


def _art(shape: Array, scene: Array, strength: float, look: tuple[str, int, str]) -> Array:
    """Fill characters with the scene, in relief, on its own soft light; motifs grow over their edges."""
    motif, seed, render = look
    side = min(shape.shape)
    dark, pale = graded(scene)
    soft = _blurred(pale, side / 26)
    ys, xs = np.mgrid[0 : shape.shape[0], 0 : shape.shape[1]].astype(np.float32)
    away = np.hypot((xs - shape.shape[1] / 2) / shape.shape[1], (ys - shape.shape[0] / 2) / shape.shape[0])
    ground = soft * (1.03 - 0.30 * away**2)[..., None]
    ground = ground * 0.90 + pale * 0.10
    # Shadow and depth behind.
    for distance, softness, amount in ((0.022, 0.022, 0.55), (0.008, 0.006, 0.45)):
        cast = _blurred(_moved(shape, side * distance * 0.7, side * distance), side * softness)
        ground = ground * (1 - (cast * amount)[..., None] * (1 - dark * 0.8))
    body = _body(scene, dark, render, strength)
    body = _relief(body, shape, side, render)
    # A rim of light parts characters from ground.
    rim = np.clip(_blurred(shape, side * 0.0035) * 2.2, 0, 1) * (1 - shape)
    picture = ground * (1 - rim[..., None]) + np.clip(pale * 0.25 + 0.77, 0, 1) * rim[..., None]
    picture = picture * (1 - shape[..., None]) + body * shape[..., None]
    return _grown(picture, shape, scene, motif, seed, strength)


def _body(scene: Array, dark: Array, render: str, strength: float) -> Array:
    light = luminance(scene)[..., None]
    match render:
        case "metal":
            tone = np.sin(light * 9.5) * 0.5 + 0.5
            gold = np.array([1.0, 0.80, 0.36], np.float32)
            return np.clip(gold * (0.30 + 0.75 * tone), 0, 1).astype(np.float32)
        case "glass":
            return np.clip(0.15 + 0.55 * scene + 0.25 * light, 0, 1).astype(np.float32)
        case "neon":
            return np.clip(dark * 1.2, 0, 1).astype(np.float32)
        case _:
            vivid = np.clip(light + (scene - light) * 1.5, 0, 1)
            share = 0.35 + 0.4 * strength
            return (vivid * (1 - share) + dark * share).astype(np.float32)


def _relief(body: Array, shape: Array, side: int, render: str) -> Array:
    """Round the characters' edges, and light them from the upper left."""
    inside = cv2.distanceTransform((shape > 0.5).astype(np.uint8), cv2.DIST_L2, 5).astype(np.float32)
    reach = side * (0.026 if render != "relief" else 0.045)
    height = np.sqrt(np.clip(1 - (1 - np.clip(inside / reach, 0, 1)) ** 2, 0, 1)).astype(np.float32)
    height = _blurred(height, side * 0.0022) * reach
    across, down = (cv2.Sobel(height, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    normal = np.stack([-across, -down, np.ones_like(height)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([-0.48, -0.62, 0.62], np.float32)
    diffuse = normal @ lamp
    half = lamp + np.array([0, 0, 1], np.float32)
    gleam = np.clip(normal @ (half / np.linalg.norm(half)), 0, 1) ** (26 if render != "glass" else 60)
    lit = body * (0.62 + 0.72 * np.clip(diffuse, -0.3, 1))[..., None]
    lit = lit + (gleam * (0.34 if render not in ("metal", "glass") else 0.6))[..., None]
    if render == "neon":
        core = smooth(0.35, 0.9, height / reach)
        lit = lit * 0.5 + core[..., None] * np.array([0.95, 0.98, 1.0], np.float32) * 0.7
    return np.clip(lit, 0, 1).astype(np.float32)


def _grown(picture: Array, shape: Array, scene: Array, motif: str, seed: int, strength: float) -> Array:
    """Let motifs in the scene's colours sit on the outlines, fewer where the characters are to be plain."""
    random = np.random.default_rng(seed)
    outlines, _ = cv2.findContours((shape > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    places = np.concatenate([outline[:, 0] for outline in outlines]) if outlines else np.zeros((0, 2), np.int32)
    count = int((1 - strength) * len(places) / (min(shape.shape) * 0.045))
    if not count or not len(places):
        return picture
    fine = 2
    sheet = Image.new("RGBA", (shape.shape[1] * fine, shape.shape[0] * fine))
    pen = ImageDraw.Draw(sheet)
    side = min(shape.shape)
    for x, y in places[random.integers(0, len(places), count)]:
        away = random.normal(0, side * 0.010, 2)
        px, py = float(x + away[0]), float(y + away[1])
        row, column = min(max(int(py), 0), shape.shape[0] - 1), min(max(int(px), 0), shape.shape[1] - 1)
        shade = float(random.uniform(0.75, 1.25))
        colour = np.clip(scene[row, column] * shade + 0.06, 0, 1)
        size, turn = side * float(random.uniform(0.016, 0.042)), float(random.uniform(0, 6.3))
        for grow, dim in ((1.14, 0.55), (1.0, 1.0), (0.5, 1.35)):
            points = [(a * fine, b * fine) for a, b in placed(OUTLINES[motif], px, py, size * grow, turn)]
            red, green, blue = (int(part) for part in np.clip(colour * dim, 0, 1) * 255)
            pen.polygon(points, fill=(red, green, blue, 255))
    drawn = np.asarray(sheet.resize((shape.shape[1], shape.shape[0]), Image.Resampling.BOX), np.float32) / 255
    cast = _blurred(_moved(drawn[..., 3], side * 0.003, side * 0.005), side * 0.004) * (1 - drawn[..., 3])
    picture = picture * (1 - 0.35 * cast[..., None])
    return picture * (1 - drawn[..., 3:]) + drawn[..., :3] * drawn[..., 3:]


# Light and shadow, and what is hidden ---------------------------------------------------------------------------------


def _shadow(shape: Array, scene: Array, strength: float) -> Array:
    """Let a low sun fall through the characters: warm light where they are, shade around."""
    side = min(shape.shape)
    height, width = shape.shape
    # Light that comes from the side leans and widens.
    lean = np.array([[1.0, -0.16, 0.08 * height], [0.0, 1.0, 0.0]], np.float32)
    cast = cv2.warpAffine(shape, lean, (width, height)).astype(np.float32)
    near, far = _blurred(cast, side * 0.0022), _blurred(cast, side * 0.010)
    ys = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    light = near * (1 - 0.55 * ys) + far * (0.55 * ys)
    halo = _blurred(cast, side * 0.045)
    dim = 0.50 - 0.22 * strength
    shade = scene * np.array([dim * 0.86, dim * 0.95, dim * 1.16], np.float32)
    sun = np.array([1.0, 0.90, 0.66], np.float32)
    bright = 1 - (1 - scene * (1.02 + 0.2 * strength)) * (1 - sun * (0.34 + 0.34 * strength))
    picture = shade * (1 - light[..., None]) + bright * light[..., None]
    picture = 1 - (1 - picture) * (1 - sun * (halo * 0.22)[..., None])
    # The far edge of each stroke is a little darker, as if it stood up from the ground.
    step = np.clip(_moved(cast, side * 0.006, side * 0.009) - cast, 0, 1)
    picture = picture * (1 - 0.45 * _blurred(step, side * 0.002)[..., None])
    rays = np.clip(_streaks(cast), 0, 1)
    return np.clip(picture + (rays * 0.10)[..., None] * sun, 0, 1)


def _streaks(cast: Array) -> Array:
    """Return rays that fall from the upper left through the characters."""
    total, steps = np.zeros_like(cast), 24
    reach = min(cast.shape) * 0.16
    for step in range(steps):
        share = step / steps
        total += _moved(cast, -share * reach * 0.6, -share * reach) * (1 - share)
    return total / steps * 2


def _hidden(shape: Array, scene: Array, strength: float) -> Array:
    """Let the scene itself be darker or lighter where the characters are, so that they show from afar."""
    side = min(shape.shape)
    form = smooth(0.30, 0.70, _blurred(shape, side * 0.008))
    light = float(np.mean(luminance(scene)))
    amount = 0.45 + 0.55 * strength
    # By gamma, so that every detail of the scene goes on through the characters.
    lighter, darker = scene ** (1 - 0.68 * amount), scene ** (1 + 2.0 * amount)
    figure, ground = (darker, lighter) if light > 0.42 else (lighter, darker)
    calm = scene * (1 - 0.45 * amount) + ground * (0.45 * amount)
    return calm * (1 - form[..., None]) + figure * form[..., None]
