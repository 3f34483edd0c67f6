"""Backdrops that are drawn, not photographed: a floor and what stands behind it, by words and a seed.

They are textures of noise at several scales, laid in perspective, with light that falls off. `scene_of` chooses by
words in English and Chinese.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE: Final = 1400
"""Longest side that is drawn; larger ones are that, enlarged: what lies behind a subject is out of focus."""

Colour = tuple[int, int, int]
Samples = NDArray[Any]

_WORDS: Final[dict[str, str]] = {
    "wood": "wood wooden table desk plank oak walnut 木 桌 木板 实木",
    "marble": "marble stone countertop kitchen 大理石 石材 台面 厨房",
    "sea": "sea ocean beach water lake pool coast summer 海 沙滩 湖 水面 泳池 夏",
    "sunset": "sunset dusk dawn sunrise golden desert 日落 夕阳 黄昏 日出 沙漠",
    "sky": "sky cloud clouds air heaven 天空 蓝天 云 白云",
    "forest": "forest garden park grass lawn nature tree leaf leaves spring plant 森林 花园 公园 草 自然 树 叶 春 植物",
    "night": "night neon city street star stars space cyberpunk dark 夜 霓虹 城市 街 星空 太空 赛博",
    "snow": "snow winter ice christmas frozen 雪 冬 冰 圣诞",
    "concrete": "concrete wall loft cement brick industrial interior room 水泥 墙 工业 室内 房间",
    "bokeh": "bokeh blur blurred light lights party festival celebration 虚化 光斑 灯光 派对 节日 庆典",
    "gradient": "gradient minimal simple abstract modern 渐变 简约 极简 抽象 现代",
    "studio": "studio product white plain clean podium 影棚 摄影棚 纯色 产品 白底 干净 展台",
}
SCENES: Final = tuple(_WORDS)
_COLOURS: Final[dict[str, tuple[str, Colour]]] = {
    "red": ("red crimson 红", (196, 48, 52)),
    "orange": ("orange 橙", (234, 138, 48)),
    "yellow": ("yellow gold golden 黄 金", (236, 196, 84)),
    "green": ("green mint 绿", (104, 168, 112)),
    "blue": ("blue navy 蓝", (88, 136, 204)),
    "purple": ("purple violet lavender 紫", (150, 120, 196)),
    "pink": ("pink rose 粉 玫瑰", (236, 170, 184)),
    "brown": ("brown beige cream 棕 米色 咖啡", (190, 156, 120)),
    "grey": ("grey gray silver 灰 银", (168, 170, 174)),
    "black": ("black 黑", (44, 44, 48)),
    "white": ("white 白", (238, 238, 236)),
}


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A backdrop.

    Attributes
    ----------
    samples : array
        RGB, of shape (height, width, 3).
    scene : str
        One of `SCENES`.
    """

    samples: Samples
    scene: str


def _has(text: str, words: str) -> bool:
    found = set(re.findall(r"[a-z]+", text))
    return any(word in found if word.isascii() else word in text for word in words.split())


def scene_of(prompt: str, negative: str = "", scene_type: int | None = None) -> str:
    """Choose a scene: by number where there is one, else by the first word that names one, and is not unwanted."""
    if scene_type is not None:
        return SCENES[scene_type % len(SCENES)]
    wanted, unwanted = prompt.lower(), negative.lower()
    places: dict[str, int] = {}
    for scene, words in _WORDS.items():
        if _has(unwanted, words):
            continue
        found = [_place(wanted, word) for word in words.split()]
        if any(place >= 0 for place in found):
            places[scene] = min(place for place in found if place >= 0)
    return min(places, key=lambda scene: places[scene]) if places else "studio"


def _place(text: str, word: str) -> int:
    if not word.isascii():
        return text.find(word)
    match = re.search(rf"\b{word}\b", text)
    return match.start() if match else -1


def seed_of(*words: object) -> int:
    """Return a seed that words always have."""
    return int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:4], "big") % 999_999_999 + 1


def backdrop(
    prompt: str,
    width: int,
    height: int,
    seed: int,
    *,
    negative: str = "",
    scene_type: int | None = None,
    horizon: float = 0.68,
) -> Backdrop:
    """Draw a backdrop; the same words and seed give the same.

    Parameters
    ----------
    prompt, negative : str
        What is wanted, and what is not.
    width, height : int
        Pixels.
    seed : int
    scene_type : int, optional
        Number of the scene, counted round.
    horizon : float
        Share of the height above the floor.
    """
    scene = scene_of(prompt, negative, scene_type)
    shrunk = min(1.0, _SIDE / max(width, height))
    size = (max(round(width * shrunk), 8), max(round(height * shrunk), 8))
    chance = np.random.default_rng([seed, SCENES.index(scene)])
    drawn = _DRAWN[scene](_Canvas(size[0], size[1], horizon, chance, _tint(prompt)))
    drawn = drawn + chance.normal(0, 1.2, drawn.shape[:2])[..., None]
    samples = np.clip(drawn, 0, 255).astype(np.uint8)
    if size != (width, height):
        samples = cv2.resize(samples, (width, height), interpolation=cv2.INTER_CUBIC)
    return Backdrop(samples, scene)


def _tint(prompt: str) -> Colour | None:
    text = prompt.lower()
    return next((colour for words, colour in _COLOURS.values() if _has(text, words)), None)


@dataclass(frozen=True, slots=True)
class _Canvas:
    width: int
    height: int
    horizon: float
    chance: np.random.Generator
    tint: Colour | None

    @property
    def line(self) -> int:
        return min(max(round(self.height * self.horizon), 1), self.height - 1)

    def colour(self, *otherwise: Colour) -> NDArray[Any]:
        """Return the colour that was asked for, else one of some."""
        chosen = self.tint or otherwise[int(self.chance.integers(len(otherwise)))]
        return np.array(chosen, np.float32)

    def plain(self, colour: NDArray[Any] | Colour) -> NDArray[Any]:
        return np.full((self.height, self.width, 3), colour, np.float32)

    def down(self, top: NDArray[Any] | Colour, bottom: NDArray[Any] | Colour) -> NDArray[Any]:
        """Return a gradient from top to bottom."""
        steps = np.linspace(0, 1, self.height, dtype=np.float32)[:, None, None]
        made = np.asarray(top, np.float32) * (1 - steps) + np.asarray(bottom, np.float32) * steps
        return np.broadcast_to(made, (self.height, self.width, 3)).copy()

    def noise(self, cells: float, octaves: int = 5, stretch: float = 1.0) -> NDArray[Any]:
        """Return smooth noise between 0 and 1: so many cells across, then twice as many, half as strong …"""
        made, strength, total = np.zeros((self.height, self.width), np.float32), 1.0, 0.0
        for octave in range(octaves):
            across = max(round(cells * 2**octave), 2)
            along = max(round(cells * 2**octave * stretch * self.height / self.width), 2)
            if octave and max(across, along) > 2 * max(self.width, self.height):
                break
            grid = self.chance.random((along, across), dtype=np.float32)
            made += strength * cv2.resize(grid, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
            total += strength
            strength /= 2
        made /= total
        return np.clip((made - 0.5) * 1.8 + 0.5, 0, 1)

    def light(self, x: float, y: float, reach: float) -> NDArray[Any]:
        """Return how much light falls where: 1 at a place, less away from it."""
        rows, columns = np.mgrid[: self.height, : self.width].astype(np.float32)
        away = np.hypot(columns / self.width - x, (rows / self.height - y) * self.height / self.width)
        return np.exp(-((away / reach) ** 2))[..., None]

    def spots(self, below: NDArray[Any], colours: list[Colour], count: int, size: float, end: float) -> NDArray[Any]:
        """Lay discs of light over a picture, as a lens draws what is out of focus."""
        made = below
        for _ in range(count):
            radius = max(round(self.width * size * float(self.chance.uniform(0.4, 1.2))), 2)
            place = (int(self.chance.integers(self.width)), int(self.chance.integers(max(int(self.height * end), 1))))
            layer = np.zeros((self.height, self.width), np.float32)
            cv2.circle(layer, place, radius, 1.0, -1, cv2.LINE_AA)
            layer = cv2.GaussianBlur(layer, (0, 0), max(radius * 0.08, 0.8))[..., None]
            colour = np.array(colours[int(self.chance.integers(len(colours)))], np.float32)
            made = made + layer * colour * float(self.chance.uniform(0.1, 0.4))
        return made

    def floor(self, texture: NDArray[Any], size: float) -> NDArray[Any]:
        """Return a texture laid on the floor, in perspective; above the horizon it means nothing."""
        rows = np.arange(self.height, dtype=np.float32)[:, None]
        depth = 1.0 / np.maximum((rows - self.line) / max(self.height - self.line, 1) + 0.12, 0.02)
        columns = (np.arange(self.width, dtype=np.float32)[None, :] - self.width / 2) / self.width
        u = columns * depth * texture.shape[1] * size
        v = np.broadcast_to(depth * texture.shape[0] * size * 0.8, u.shape)
        places = (u.astype(np.float32), v.astype(np.float32))
        return cv2.remap(texture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP).astype(np.float32)

    def joined(self, wall: NDArray[Any], floor: NDArray[Any], soft: float = 0.004) -> NDArray[Any]:
        """Return a wall above, and a floor below."""
        rows = np.arange(self.height, dtype=np.float32)
        share = np.clip((rows - self.line) / max(self.height * soft, 1) + 0.5, 0, 1)[:, None, None]
        share = share * share * (3 - 2 * share)
        return wall * (1 - share) + floor * share


def _texture(canvas: _Canvas, side: int = 512) -> _Canvas:
    return _Canvas(side, side, 1.0, canvas.chance, canvas.tint)


def _studio(canvas: _Canvas) -> NDArray[Any]:
    colour = canvas.colour((236, 234, 230), (222, 228, 234), (238, 226, 214), (214, 224, 216), (232, 220, 230))
    wall = canvas.plain(colour) * (0.72 + 0.34 * canvas.light(0.5, 0.3, 0.75))
    floor = canvas.plain(colour) * (0.80 + 0.26 * canvas.light(0.5, 0.9, 0.6))
    # The sweep of paper has no edge where the floor begins.
    return canvas.joined(wall, floor, 0.22)


def _gradient(canvas: _Canvas) -> NDArray[Any]:
    one = canvas.colour((120, 150, 230), (240, 160, 150), (120, 200, 180), (190, 150, 220))
    other = np.clip(one[[1, 2, 0]] * 0.4 + 150, 0, 255)
    turn = float(canvas.chance.uniform(0, 2 * np.pi))
    rows, columns = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    steps = (columns / canvas.width - 0.5) * np.cos(turn) + (rows / canvas.height - 0.5) * np.sin(turn)
    share = np.clip(steps + 0.5 + 0.25 * (canvas.noise(2, 2) - 0.5), 0, 1)[..., None]
    return one * (1 - share) + other * share + 18 * canvas.light(0.5, 0.4, 0.5)


def _wood(canvas: _Canvas) -> NDArray[Any]:
    colour = canvas.colour((176, 120, 72), (202, 154, 104), (128, 84, 52), (214, 180, 138))
    plane = _texture(canvas, 768)
    grain = plane.noise(40, 4, stretch=0.06)
    rings = 0.5 + 0.5 * np.sin((grain * 3 + plane.noise(3, 2, stretch=0.2) * 5) * 6)
    planks = 6
    number = (np.arange(768) * planks // 768)[None, :]
    tones = canvas.chance.uniform(0.84, 1.08, planks).astype(np.float32)[number]
    seams = np.where(np.arange(768) % (768 // planks) < 3, 0.55, 1.0).astype(np.float32)[None, :]
    shade = (0.72 + 0.22 * grain + 0.10 * rings) * tones * seams
    floor = canvas.floor(shade[..., None] * colour, 0.30) * (0.62 + 0.5 * canvas.light(0.45, 0.85, 0.55))
    wall = canvas.down((206, 190, 170), (150, 126, 104)) * (0.75 + 0.35 * canvas.light(0.7, 0.2, 0.5))
    wall = canvas.spots(wall, [(255, 220, 170), (255, 240, 210)], 16, 0.06, canvas.horizon)
    return canvas.joined(cv2.GaussianBlur(wall, (0, 0), canvas.width / 60), floor)


def _marble(canvas: _Canvas) -> NDArray[Any]:
    colour = canvas.colour((238, 236, 232), (226, 228, 232), (70, 72, 78))
    plane = _texture(canvas, 768)
    warp = plane.noise(3, 5)
    veins = np.abs(np.sin((plane.noise(2, 3) * 3 + warp * 2.2) * np.pi)) ** 0.35
    fine = np.abs(np.sin((plane.noise(5, 4) * 4 + warp) * np.pi)) ** 0.5
    shade = (0.62 + 0.30 * veins + 0.08 * fine)[..., None]
    floor = canvas.floor(shade * colour, 0.22) * (0.78 + 0.3 * canvas.light(0.5, 0.85, 0.6))
    wall = canvas.down(colour * 0.96, colour * 0.82) * (0.8 + 0.25 * canvas.light(0.3, 0.2, 0.6))
    return canvas.joined(wall, floor, 0.006)


def _sky_above(canvas: _Canvas, top: Colour, bottom: Colour, cover: float) -> NDArray[Any]:
    clouds = np.clip((canvas.noise(3, 6, stretch=1.8) - (1 - cover)) * 2.6, 0, 1)[..., None]
    return canvas.down(top, bottom) * (1 - clouds) + np.array([252, 252, 253], np.float32) * clouds


def _sky(canvas: _Canvas) -> NDArray[Any]:
    return _sky_above(canvas, (66, 132, 214), (196, 222, 244), float(canvas.chance.uniform(0.42, 0.56)))


def _sea(canvas: _Canvas) -> NDArray[Any]:
    sky = _sky_above(canvas, (88, 160, 226), (214, 232, 244), 0.42)
    ripples = _texture(canvas, 768).noise(10, 5, stretch=0.35)
    rows = np.linspace(0, 1, canvas.height, dtype=np.float32)[:, None, None]
    water = np.array([38, 122, 158], np.float32) * (1 - rows) + np.array([96, 196, 200], np.float32) * rows
    waves = canvas.floor(np.ascontiguousarray(ripples.T)[..., None].repeat(3, axis=2), 0.35)
    water = water * (0.82 + 0.36 * waves)
    sand = np.array([232, 210, 172], np.float32) * (0.88 + 0.16 * canvas.noise(60, 4))[..., None]
    shore = canvas.line + (canvas.height - canvas.line) * 0.45
    edge = shore + canvas.height * 0.05 * (canvas.noise(2, 3)[canvas.height // 2] - 0.5)
    share = np.clip((np.arange(canvas.height)[:, None] - edge[None, :]) / (canvas.height * 0.012), 0, 1)[..., None]
    foam = np.exp(-((share - 0.35) ** 2) * 18) * 60
    return canvas.joined(sky, water * (1 - share) + sand * share + foam * (share > 0.02), 0.003)


def _sunset(canvas: _Canvas) -> NDArray[Any]:
    sky = _sky_above(canvas, (64, 60, 120), (252, 168, 98), 0.4) * np.array([1.0, 0.84, 0.76], np.float32)
    x = float(canvas.chance.uniform(0.25, 0.75))
    sky = sky + np.array([255, 190, 110], np.float32) * canvas.light(x, canvas.horizon - 0.05, 0.22) * 0.8
    dunes = canvas.noise(2, 4, stretch=3)[..., None]
    ground = canvas.down((150, 84, 64), (92, 52, 52)) * (0.75 + 0.5 * dunes)
    return canvas.joined(sky, ground, 0.01)


def _forest(canvas: _Canvas) -> NDArray[Any]:
    leaves = canvas.noise(7, 4)[..., None]
    wall = np.array([44, 84, 40], np.float32) * (1 - leaves) + np.array([150, 186, 98], np.float32) * leaves
    wall = canvas.spots(wall, [(210, 240, 150), (255, 250, 200), (160, 210, 120)], 30, 0.05, canvas.horizon)
    wall = cv2.GaussianBlur(wall, (0, 0), canvas.width / 70)
    blades = _texture(canvas, 768).noise(110, 3, stretch=0.25)[..., None]
    grass = canvas.floor(np.array([84, 134, 58], np.float32) * (0.6 + 0.7 * blades), 0.5)
    return canvas.joined(wall, grass * (0.75 + 0.35 * canvas.light(0.5, 0.9, 0.6)), 0.05)


def _night(canvas: _Canvas) -> NDArray[Any]:
    wall = canvas.down((14, 16, 40), (46, 34, 78))
    lights: list[Colour] = [(255, 80, 170), (80, 200, 255), (255, 180, 80), (150, 110, 255), (255, 240, 210)]
    wall = canvas.spots(wall, lights, 46, 0.03, canvas.horizon)
    # A wet floor shows them again, longer and dimmer.
    above = wall[: canvas.line][::-1]
    mirrored = cv2.resize(above, (canvas.width, max(canvas.height - canvas.line, 1)), interpolation=cv2.INTER_AREA)
    floor = wall.copy()
    floor[canvas.line :] = cv2.GaussianBlur(mirrored, (0, 0), canvas.width / 200, sigmaY=canvas.height / 40) * 0.6
    return canvas.joined(wall, floor, 0.004)


def _snow(canvas: _Canvas) -> NDArray[Any]:
    wall = canvas.spots(canvas.down((150, 176, 204), (222, 232, 242)), [(255, 255, 255)], 60, 0.012, 1.0)
    drifts = canvas.noise(3, 4, stretch=2)[..., None]
    ground = np.array([240, 245, 250], np.float32) * (0.86 + 0.16 * drifts)
    return canvas.joined(cv2.GaussianBlur(wall, (0, 0), canvas.width / 300), ground, 0.05)


def _concrete(canvas: _Canvas) -> NDArray[Any]:
    colour = canvas.colour((164, 162, 158), (148, 150, 152), (186, 180, 172))
    rough = (0.82 + 0.2 * canvas.noise(4, 6) + 0.05 * canvas.noise(90, 2))[..., None]
    wall = colour * rough * (0.7 + 0.4 * canvas.light(0.35, 0.25, 0.6))
    plane = _texture(canvas, 768)
    boards = np.where(np.arange(768) % 256 < 2, 0.8, 1.0).astype(np.float32)
    shade = (0.78 + 0.26 * plane.noise(6, 6)) * boards[None, :] * boards[:, None]
    floor = canvas.floor(shade[..., None] * colour * 0.92, 0.3) * (0.75 + 0.35 * canvas.light(0.5, 0.9, 0.6))
    return canvas.joined(wall, floor)


def _bokeh(canvas: _Canvas) -> NDArray[Any]:
    colour = canvas.colour((70, 44, 30), (40, 40, 70), (64, 28, 48))
    bright = np.clip(colour * 1.2 + 110, 0, 255)
    lights: list[Colour] = [(255, 206, 130), (255, 236, 200), (int(bright[0]), int(bright[1]), int(bright[2]))]
    wall = canvas.spots(canvas.down(colour, colour * 0.6), lights, 44, 0.045, 1.0)
    return wall + 14 * canvas.light(0.5, 0.5, 0.5)


_DRAWN: Final[dict[str, Callable[[_Canvas], NDArray[Any]]]] = {
    "wood": _wood,
    "marble": _marble,
    "sea": _sea,
    "sunset": _sunset,
    "sky": _sky,
    "forest": _forest,
    "night": _night,
    "snow": _snow,
    "concrete": _concrete,
    "bokeh": _bokeh,
    "gradient": _gradient,
    "studio": _studio,
}
