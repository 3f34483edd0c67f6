"""Templates, models, and which scene a prompt asks for: plain tables, which need no library."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["qrcode", "textart", "texthidden", "textshadow"]
KINDS: Final[Sequence[Kind]] = ("qrcode", "textart", "texthidden", "textshadow")
RENDERS: Final = ("concept", "relief", "metal", "glass", "neon")
"""How art text is rendered."""
WORDS: Final[Mapping[str, Sequence[str]]] = {
    "lavender": (
        "薰衣草",
        "lavender",
        "紫",
    ),
    "roses": (
        "玫瑰",
        "rose",
        "月季",
        "牡丹",
        "peony",
        "花园",
        "garden",
    ),
    "ink_lotus": (
        "墨",
        "水墨",
        "ink",
        "荷",
        "国画",
    ),
    "pond": (
        "池塘",
        "pond",
        "莲",
        "lotus",
        "lily",
        "湖",
        "lake",
        "鱼",
    ),
    "flowers": (
        "花",
        "flower",
        "春",
        "spring",
        "girl",
        "女孩",
        "蝴蝶",
    ),
    "snow": (
        "雪",
        "snow",
        "冰",
        "ice",
        "glacier",
        "冬",
        "winter",
        "日出",
    ),
    "green_hills": (
        "山",
        "mountain",
        "hill",
        "云",
        "cloud",
        "森林",
        "forest",
        "竹",
    ),
    "maple_night": (
        "枫",
        "maple",
        "秋",
        "autumn",
        "fall",
        "树",
        "tree",
        "林",
    ),
    "moonset": (
        "月",
        "moon",
        "夜",
        "night",
        "河",
        "river",
    ),
    "star_river": (
        "星",
        "star",
        "银河",
        "galaxy",
        "宇宙",
        "space",
        "universe",
    ),
    "coral": (
        "珊瑚",
        "coral",
        "海底",
        "underwater",
        "ocean",
    ),
    "seaside": (
        "海",
        "sea",
        "滨",
        "beach",
        "岛",
        "island",
        "夏",
        "summer",
        "棕榈",
        "palm",
    ),
    "village": (
        "村",
        "village",
        "镇",
        "town",
        "城市",
        "city",
        "街",
        "street",
        "房",
    ),
    "castle": (
        "城堡",
        "castle",
        "雾",
        "mist",
        "fog",
        "塔",
        "tower",
        "魔",
        "magic",
    ),
    "cake": (
        "蛋糕",
        "cake",
        "甜",
        "sweet",
        "糖",
        "candy",
        "食",
        "food",
    ),
    "hearts": (
        "心",
        "heart",
        "爱",
        "love",
        "浪漫",
        "romantic",
    ),
    "rose_gown": (
        "礼服",
        "gown",
        "婚",
        "wedding",
        "red dress",
    ),
    "blue_gown": (
        "蓝色礼服",
        "blue dress",
        "丝",
        "silk",
    ),
    "gown": (
        "公主",
        "princess",
        "裙",
        "dress",
        "粉",
        "pink",
    ),
    "machine": (
        "机",
        "robot",
        "机械",
        "mecha",
        "armour",
        "armor",
        "cyber",
        "科技",
        "tech",
    ),
    "apples": (
        "苹果",
        "apple",
        "果",
        "fruit",
    ),
    "jade": (
        "玉",
        "jade",
        "翡翠",
        "大理石",
        "marble",
        "福",
    ),
}
"""What in a prompt asks for a scene, in Chinese and English."""


@dataclass(frozen=True)
class Template:
    """A ready-made look.

    Attributes
    ----------
    scene : str
        A key of `WORDS`.
    version : str
        How modules are drawn.
    strength : float
        Of modules or of words, where the prompt says none.
    """

    id: int
    name: str
    scene: str
    version: str = "2"
    strength: float = 0.3
    shape: str = "random"


def _table(*rows: Template) -> Mapping[int, Template]:
    return {row.id: row for row in rows}


TEMPLATES: Final[Mapping[Kind, Mapping[int, Template]]] = {
    "qrcode": _table(
        Template(1, "花绘", "flowers", "2", shape="circle"),
        Template(2, "墨莲", "ink_lotus", "2", shape="circle"),
        Template(3, "机甲", "machine", "1", shape="octagon"),
        Template(10, "蛋糕", "cake", "3", shape="circle"),
        Template(12, "玫瑰礼服", "rose_gown", "2", shape="box"),
        Template(13, "公主裙", "gown", "3", shape="tiny-plus"),
        Template(23, "迷雾城堡", "castle", "2", 0.3, "octagon"),
        Template(53, "怦然心动", "hearts", "3", 0.28, "circle"),
        Template(54, "星河与你", "star_river", "2", 0.28, "circle"),
        Template(55, "月落星沉", "moonset", "2", 0.28, "box"),
        Template(72, "珊瑚", "coral", "2", 0.3, "circle"),
        Template(75, "青山", "green_hills", "2", 0.3, "box"),
        Template(82, "月下枫林", "maple_night", "3", 0.5, "plus"),
        Template(101, "薰衣草", "lavender", "2", shape="circle"),
        Template(102, "雪山", "snow", "2", shape="octagon"),
        Template(103, "村庄", "village", "1", shape="square"),
        Template(104, "海滨城市", "seaside", "2", shape="box"),
        Template(105, "池塘", "pond", "3", shape="circle"),
        Template(106, "花园", "roses", "2", shape="circle"),
        Template(107, "蓝色礼服", "blue_gown", "3", shape="tiny-plus"),
        Template(108, "苹果", "apples", "1.1", shape="circle"),
        Template(109, "玉石市场", "jade", "2", shape="box"),
    ),
    "textart": _table(
        Template(1, "花绘", "flowers"),
        Template(2, "墨莲", "ink_lotus"),
        Template(3, "花园", "roses"),
        Template(4, "玉石", "jade"),
        Template(5, "珊瑚", "coral"),
        Template(6, "公主裙", "gown"),
        Template(7, "蛋糕", "cake"),
        Template(8, "机甲", "machine"),
    ),
    "textshadow": _table(
        Template(1, "青山", "green_hills"),
        Template(2, "雪山", "snow"),
        Template(3, "海滨城市", "seaside"),
        Template(4, "薰衣草", "lavender"),
        Template(5, "池塘", "pond"),
        Template(6, "迷雾城堡", "castle"),
    ),
    "texthidden": _table(
        Template(1, "村庄", "village", strength=0.45),
        Template(2, "池塘", "pond", strength=0.45),
        Template(3, "花绘", "flowers", strength=0.45),
        Template(4, "月下枫林", "maple_night", strength=0.45),
        Template(5, "海滨城市", "seaside", strength=0.45),
        Template(6, "苹果", "apples", strength=0.45),
    ),
}
MODELS: Final[Mapping[str, str]] = {"67": "卡通插画", "51": "糖果头像", "69": "水墨画", "70": "美漫", "74": "彩漫4"}


def chosen(prompt: str) -> str:
    """Return the scene that a prompt asks for: by its words, the longest first; else one that follows from it."""
    lowered = prompt.lower()
    words = sorted(((word, name) for name, asked in WORDS.items() for word in asked), key=lambda one: -len(one[0]))
    for word, name in words:
        if word in lowered:
            return name
    names = sorted(WORDS)
    return names[hashlib.sha256(prompt.strip().encode()).digest()[0] % len(names)]
