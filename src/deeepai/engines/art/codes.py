"""Art QR codes: a scene whose light and dark follow the modules, with finders that stay solid.

The scene is graded twice, once dark and once light, with its own colours and details in both; each module shows the one
or the other. How much of a module does so, and how fully, is the strength. What is drawn is read again by two decoders,
and the strength raised until both read it (`reading`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import segno
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..jobs import Refusal
from . import reading
from .canvas import OUTLINES, Array, luminance, placed, smooth

LEVELS: Final = (("q", 2), ("m", 10), ("l", 40))
"""Of error correction, each as long as the code is not of a higher version: nothing here is damaged, and large modules
are read better than many."""
_EYES: Final = {
    "square": (("plus", 0.0), ("plus", 0.0)),
    "circle": (("round", 0.14), ("round", 0.5)),
    "plus": (("plus", 0.0), ("plus", 0.20)),
    "box": (("round", 0.08), ("round", 0.22)),
    "octagon": (("octagon", 0.04), ("octagon", 0.24)),
    "tiny-plus": (("round", 0.06), ("plus", 0.12)),
}
"""Outline and middle of a finder: the form, and how much of a side its corners lose. More than this, or anything
within the ring, and OpenCV's detector finds it no more (tried in steps of 0.05 with 4.14)."""
QUIET: Final = 2
"""Modules around the code that are light; the light fades over as many more."""
STEP: Final = 0.12
_MASKS: Final = (2, 5)
"""Data masks that are tried before the strength is raised: a detector that fails at one code reads its sibling."""
MARGIN: Final = 0.055
"""Between the quiet zone and the edge, in parts of the shorter side."""
SHAPES: Final = tuple(_EYES)
_FINDER: Final = 7
_FINE: Final = 4


@dataclass(frozen=True)
class Code:
    """The modules of a QR code.

    Attributes
    ----------
    dark : array of bool
        By row and column.
    level : str
        Of error correction.
    """

    content: str
    dark: NDArray[np.bool_]
    level: str

    @property
    def side(self) -> int:
        """Modules of a side."""
        return len(self.dark)

    @cached_property
    def finders(self) -> NDArray[np.bool_]:
        """Where the three finders and their separators are."""
        mask = np.zeros_like(self.dark)
        reach = _FINDER + 1
        mask[:reach, :reach] = mask[:reach, -reach:] = mask[-reach:, :reach] = True
        return mask

    @cached_property
    def solid(self) -> NDArray[np.bool_]:
        """Which other modules are wholly shown: the alignment patterns."""
        mask = np.zeros_like(self.dark)
        for row in (places := _alignment(self.side)):
            for column in places:
                if not self.finders[row, column]:
                    mask[row - 2 : row + 3, column - 2 : column + 3] = True
        return mask


def encode(content: str, mask: int | None = None) -> Code:
    """Return the code of a text, by the usual data mask or another: that changes which modules are dark.

    Raises
    ------
    Refusal
        It is too long.
    """
    for level, highest in LEVELS:
        try:
            # Segno raises the level of error correction unasked where that costs no version.
            plain = content.isascii()
            made = segno.make_qr(content if plain else content.encode(), error=level, boost_error=False, mask=mask)
        except segno.DataOverflowError:
            continue
        if int(made.version) <= highest:
            dark = np.array([[bool(module) for module in row] for row in made.matrix], bool)
            return Code(content, dark, level)
    raise Refusal("too_large", "The text is too long for a QR code")


def _alignment(side: int) -> list[int]:
    """Return the rows and columns on which alignment patterns are centred. Source: ISO/IEC 18004, annex E."""
    version = (side - 17) // 4
    if version == 1:
        return []
    count = version // 7 + 2
    step = 26 if version == 32 else (version * 4 + count * 2 + 1) // (count * 2 - 2) * 2
    return [6, *sorted(side - 7 - step * number for number in range(count - 1))]


@dataclass(frozen=True)
class Style:
    """How a code is drawn.

    Attributes
    ----------
    version : str
        `1` soft squares, `1.1` dots, `2` modules that run together, `3` modules in the shape of the motif.
    shape : str
        Of the finders.
    motif : str
        An outline's name; see `canvas.OUTLINES`.
    """

    version: str
    shape: str
    motif: str
    seed: int


class Drawing:
    """A code over a scene, of any strength.

    Parameters
    ----------
    scene : array
        (height, width, 3), from 0 to 1.
    """

    def __init__(self, scene: Array, code: Code, style: Style) -> None:
        self.code, self.style = code, style
        height, width = scene.shape[:2]
        room = min(height, width) * (1 - 2 * MARGIN)
        self.module = int(room // (code.side + 2 * QUIET))
        if self.module < 2:
            raise Refusal("too_large", "The text is too long for a picture of this size")
        self._side = self.module * code.side
        self._top, self._left = (height - self._side) // 2, (width - self._side) // 2
        self._scene = scene
        self._dark, self._light = graded(scene)

    def draw(self, strength: float, code: Code | None = None) -> Image.Image:
        """Return the picture with modules of a strength, from 0 to 1; by another mask of the code, if one is given."""
        self.code = code or self.code
        picture = self._scene.copy()
        share = self._quiet()[..., None] * (0.84 + 0.16 * strength)
        picture = picture * (1 - share) + self._light * share
        place = slice(self._top, self._top + self._side), slice(self._left, self._left + self._side)
        dark, weight = self._modules(strength)
        # Under what is weakly shown the scene remains, drawn half-way towards what it must be.
        target = self._dark[place] * dark[..., None] + self._light[place] * (1 - dark[..., None])
        within = self._scene[place] * (1 - weight[..., None]) + target * weight[..., None]
        mask, ring = self._finders()
        deep, pale = _ink(self._dark, 0.09), _ink(self._light, 0.90)
        solid = (self._dark[place] * 0.35 + deep * 0.65) * ring[..., None]
        solid += (self._light[place] * 0.35 + pale * 0.65) * (1 - ring[..., None])
        within = within * (1 - mask[..., None]) + solid * mask[..., None]
        picture[place] = within
        return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))

    def _quiet(self) -> Array:
        """Return the mask of the quiet zone, which fades outwards."""
        height, width = self._scene.shape[:2]
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        half = self._side / 2
        # Distance outside the code, with round corners.
        away_x = np.maximum(np.abs(xs - self._left - half) - half, 0)
        away_y = np.maximum(np.abs(ys - self._top - half) - half, 0)
        away = np.hypot(away_x, away_y) / self.module
        return smooth(QUIET * 1.75, QUIET * 0.7, away)

    # Modules -------------------------------------------------------------------------------------------------------

    def _modules(self, strength: float) -> tuple[Array, Array]:
        """Return how dark each pixel must be (0 or 1, soft between), and how fully it is shown."""
        match self.style.version:
            case "2":
                dark, weight = self._joined(strength)
            case "3":
                dark, weight = self._stamped(strength)
            case _:
                dark, weight = self._cores(strength, round_=self.style.version == "1.1")
        solid = self._enlarged(self.code.solid)
        hard = self._enlarged(self.code.dark)
        return dark * (1 - solid) + hard * solid, np.maximum(weight, solid * 0.97)

    def _enlarged(self, modules: NDArray[np.bool_]) -> Array:
        return np.kron(modules.astype(np.float32), np.ones((self.module, self.module), np.float32))

    def _cores(self, strength: float, *, round_: bool) -> tuple[Array, Array]:
        """Show the middle of each module: soft squares or dots."""
        at = (np.arange(self._side, dtype=np.float32) % self.module + 0.5) / self.module - 0.5
        across, down = np.abs(at[None, :]), np.abs(at[:, None])
        away = np.hypot(across, down) if round_ else (across**5 + down**5) ** 0.2
        reach = (0.30 if round_ else 0.26) + 0.28 * strength
        core = smooth(reach + 0.07, reach - 0.07, away.astype(np.float32))
        gap = 0.20 + 0.45 * strength
        weight = gap + (0.90 + 0.10 * strength - gap) * core
        return self._enlarged(self.code.dark), np.clip(weight, 0, 1).astype(np.float32)

    def _joined(self, strength: float) -> tuple[Array, Array]:
        """Let neighbours of one sort run together, with round outlines."""
        hard = self._enlarged(self.code.dark)
        blurred = cv2.GaussianBlur(hard, (0, 0), self.module * 0.30)
        dark = smooth(0.44, 0.56, blurred)
        edge = np.abs(blurred - 0.5) * 2
        weight = (0.62 + 0.32 * strength) + (0.28 - 0.24 * strength) * smooth(0.1, 0.9, edge)
        return dark, np.clip(weight, 0, 1).astype(np.float32)

    def _stamped(self, strength: float) -> tuple[Array, Array]:
        """Draw each dark module as the motif, turned by chance, on a light ground."""
        random = np.random.default_rng(self.style.seed)
        outline = OUTLINES[self.style.motif]
        scale = self.module * _FINE / 2
        image = Image.new("L", (int(self.code.side * scale), int(self.code.side * scale)))
        draw = ImageDraw.Draw(image)
        size = 1.16 + 0.34 * strength
        for row, column in np.argwhere(self.code.dark & ~self.code.finders):
            turn = float(random.uniform(-0.45, 0.45))
            grown = size * float(random.uniform(0.94, 1.06))
            points = placed(outline, column + 0.5, row + 0.5, grown, turn)
            draw.polygon([(x * scale, y * scale) for x, y in points], fill=255)
            if strength > 0.5:
                half = (strength - 0.5) * 0.9
                middle = (column + 0.5) * scale, (row + 0.5) * scale
                draw.ellipse(
                    [
                        middle[0] - half * scale,
                        middle[1] - half * scale,
                        middle[0] + half * scale,
                        middle[1] + half * scale,
                    ],
                    fill=255,
                )
        drawn = np.asarray(image.resize((self._side, self._side), Image.Resampling.BOX), np.float32) / 255
        # A thin rim sets each from the next.
        rim = cv2.GaussianBlur(drawn, (0, 0), self.module * 0.10)
        weight = 0.72 + 0.24 * strength + 0.16 * np.abs(rim - 0.5)
        return drawn, np.clip(weight, 0, 1).astype(np.float32)

    # Finders -------------------------------------------------------------------------------------------------------

    def _finders(self) -> tuple[Array, Array]:
        """Return the mask of the finders, and where they are dark."""
        mask, ring = np.zeros((self._side, self._side), np.float32), np.zeros((self._side, self._side), np.float32)
        random, reach = np.random.default_rng(self.style.seed + 1), (_FINDER + 1) * self.module
        for down, across in ((0, 0), (0, 1), (1, 0)):
            shape = self.style.shape
            if shape == "random":
                shape = SHAPES[int(random.integers(len(SHAPES)))]
            eye = _eye(shape, self.module)
            rows = slice(self._side - reach, self._side) if down else slice(0, reach)
            columns = slice(self._side - reach, self._side) if across else slice(0, reach)
            top, left = (1 if down else 0) * self.module, (1 if across else 0) * self.module
            part = np.zeros((reach, reach), np.float32)
            part[top : top + len(eye), left : left + len(eye)] = eye
            ring[rows, columns] = part
            mask[rows, columns] = 1
        return mask, ring


def _eye(shape: str, module: int) -> Array:
    """Draw a finder: what is dark is 1."""
    scale = module * _FINE
    image = Image.new("L", (_FINDER * scale, _FINDER * scale))
    draw = ImageDraw.Draw(image)

    def put(low: float, fill: int, kind: str, cut: float) -> None:
        left = top = low * scale
        right = bottom = (_FINDER - low) * scale - 1
        cut *= right - left
        match kind:
            case "round":
                draw.rounded_rectangle([left, top, right, bottom], cut, fill=fill)
            case "octagon":
                corners = ((left, top, 1, 1), (right, top, -1, 1), (right, bottom, -1, -1), (left, bottom, 1, -1))
                places = [((x, y + b * cut), (x + a * cut, y)) for x, y, a, b in corners]
                points = [
                    point for n, (down, along) in enumerate(places) for point in ((down, along), (along, down))[n % 2]
                ]
                draw.polygon(points, fill=fill)
            case _:
                draw.rectangle([left + cut, top, right - cut, bottom], fill=fill)
                draw.rectangle([left, top + cut, right, bottom - cut], fill=fill)

    outer, middle = _EYES[shape]
    put(0, 255, *outer)
    put(1, 0, "plus", 0)
    put(2, 255, *middle)
    return np.asarray(image.resize((_FINDER * module, _FINDER * module), Image.Resampling.BOX), np.float32) / 255


# Grading -----------------------------------------------------------------------------------------------------------


def graded(scene: Array) -> tuple[Array, Array]:
    """Return a scene as dark and as light as modules are, in its own colours."""
    light = luminance(scene)
    spread = cv2.GaussianBlur(light, (0, 0), min(light.shape) / 40)
    # Local contrast is what the eye takes for detail; it survives in both.
    detail = np.clip(0.5 + 1.4 * (light - spread), 0, 1)
    deep = 0.06 + 0.20 * detail + 0.06 * spread
    pale = 0.70 + 0.17 * detail + 0.11 * spread
    # What has hardly any colour gets no more of it.
    colour = scene.max(-1) - scene.min(-1)
    vivid = np.clip(
        light[..., None] + (scene - light[..., None]) * (1 + 0.8 * smooth(0.1, 0.4, colour))[..., None], 0, 1
    )
    dark = vivid * (deep / np.maximum(luminance(vivid), 0.02))[..., None]
    # A channel alone may be bright, or nothing is left of pure colours.
    dark = dark / (np.maximum(dark.max(-1, keepdims=True), 0.72) / 0.72)
    bright = 1 - (1 - vivid) * ((1 - pale) / np.maximum(1 - luminance(vivid), 0.02))[..., None]
    return np.clip(dark, 0, 1).astype(np.float32), np.clip(bright, 0.35, 1).astype(np.float32)


def _ink(tones: Array, target: float) -> Array:
    """Return the colour that a graded scene has most of where it is most colourful, in some luminance."""
    samples = tones.reshape(-1, 3)[::97]
    colour = samples.max(-1) - samples.min(-1)
    ink = np.median(samples[colour >= np.quantile(colour, 0.85)], axis=0)
    light = float(luminance(ink))
    toned = ink * (target / max(light, 0.02)) if target < 0.5 else 1 - (1 - ink) * ((1 - target) / max(1 - light, 0.02))
    return np.clip(toned, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Drawn:
    """A code that reads.

    Attributes
    ----------
    strength : float
        At which it does; at least what was asked for.
    tries : int
        How often it was drawn.
    """

    picture: Image.Image
    strength: float
    tries: int
    module: int


def draw(content: str, scene: Array, style: Style, strength: float) -> Drawn:
    """Draw a code that two decoders read, small and compressed, as weakly as that goes from some strength on.

    Raises
    ------
    Refusal
        The text is too long to be read from a picture of this size.
    """
    masks = [encode(content, mask) for mask in (None, *_MASKS)]
    drawing = Drawing(scene, masks[0], style)
    tries = 0
    while True:
        for code in masks:
            tries += 1
            picture = drawing.draw(min(strength, 1.0), code)
            if reading.reads(picture, drawing.module, content):
                return Drawn(picture, min(strength, 1.0), tries, drawing.module)
        if strength >= 1:
            break
        strength += STEP
    if style.version != "1" or style.shape != "square":
        # The plainest manner reads where another does not.
        plain = draw(content, scene, Style("1", "square", style.motif, style.seed), 0.9)
        return Drawn(plain.picture, plain.strength, tries + plain.tries, plain.module)
    raise Refusal("too_large", "The text is too long to be read from a picture of this size")
