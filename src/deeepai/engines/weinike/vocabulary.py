"""The vendor's words, and what they are here: colours, styles, typefaces, languages, kinds of pages.

Source: the vendor's manual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

HUES: Final[Mapping[str, str]] = {
    "紫色": "purple",
    "红色": "red",
    "橙色": "orange",
    "黄色": "yellow",
    "绿色": "green",
    "青色": "cyan",
    "蓝色": "blue",
    "粉色": "pink",
}
"""Themes' hues by the vendor's colours."""
COLOURS: Final[Mapping[str, str]] = {hue: word for word, hue in HUES.items()}
"""The vendor's colours by themes' hues; it has none for brown, black and white."""
STYLES: Final[Mapping[str, tuple[str, ...]]] = {
    "科技": ("blueprint", "night"),
    "商务": ("ledger", "swiss", "launch"),
    "小清新": ("botanical", "magazine"),
    "极简": ("swiss", "magazine"),
    "中国风": ("ink",),
    "可爱卡通": ("classroom", "terracotta"),
    "党政": ("ledger", "ink", "swiss"),
}
"""Designs by the vendor's styles, the likest first."""
STATIC_STYLES: Final[Mapping[str, str]] = {
    "极简风": "极简",
    "科技风": "科技",
    "小清新": "小清新",
    "商务风": "商务",
    "党政风": "党政",
    "可爱卡通": "可爱卡通",
    "中国风": "中国风",
}
"""Styles by the words that the list of templates has for them."""
FONTS: Final[Mapping[str, str]] = {
    "黑体": "SimHei",
    "宋体": "SimSun",
    "仿宋": "FangSong",
    "幼圆": "YouYuan",
    "楷体": "KaiTi",
    "楷书": "KaiTi",
    "隶书": "LiSu",
}
"""Typefaces by what Chinese Office calls them."""
KINDS: Final[Mapping[str, str]] = {
    "封面页": "cover",
    "目录页": "contents",
    "章节页": "section",
    "内容页": "content",
    "致谢页": "closing",
}
LENGTHS: Final = ("short", "medium", "long")
"""By the vendor's `complex`, from 1."""
LANGUAGES: Final = ("zh-CN", "en-US", "zh-TW")
_HAN: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_COUNTS: Final = ("一份", "一个", "一篇", "一套", "份", "个")
_TOPIC: Final = (
    re.compile(
        r"^(?:请|请你|麻烦)?(?:帮我|帮忙|给我)?(?:生成|制作|创建|设计|写|做|输出)(?:一下)?"
        rf"(?:{'|'.join(_COUNTS)})?(?:关于|有关|以|介绍)?(?P<topic>.+?)(?:为主题)?的?"
        r"(?:PPT|ppt|Ppt|幻灯片|演示文稿|课件|汇报)$"
    ),
    re.compile(
        r"^(?:please )?(?:make|create|generate|write|prepare|build) (?:me )?(?:an? |some )?"
        r"(?:ppt|powerpoint|presentation|slide deck|deck|slides?)(?: presentation)? (?:about|on|of|for) (?P<topic>.+)$",
        re.IGNORECASE,
    ),
)
_CLAUSE: Final = re.compile(r"[，。；：！？]|[,.;:!?](?=\s|$)")
_STOPS: Final = " \t。.!！"


def topic(text: str) -> str:
    """Return what a deck is to be about, without the words that ask for one."""
    return asked(text) or " ".join(text.split()).strip(_STOPS)


def asked(text: str) -> str:
    """Return the topic of a text that asks for a deck, with all that it says beside; empty where it does not ask."""
    said = " ".join(text.split()).strip(_STOPS)
    for part in (_CLAUSE.split(said, maxsplit=1)[0].strip(_STOPS), said):
        for pattern in _TOPIC:
            found = pattern.match(part)
            name = "" if found is None else found["topic"].strip(_STOPS)
            if name and name not in _COUNTS:
                return name
    return ""


def language_of(wish: str, text: str) -> str:
    """Return the language that is wished for, or that a text without any Han letter is in: English."""
    return wish or ("zh-CN" if not text or _HAN.search(text) else "en-US")
