"""Draw `docs/slides.png`: covers of all designs and themes, and what follows a cover.

`.venv/bin/python scripts/contact_sheet.py` draws by LibreOffice where it is installed, else by the simpler renderer;
`--all FOLDER` also writes a sheet of every layout for each theme there, to be looked at.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

from deeepai.engines.slides import office, previews
from deeepai.engines.slides.designs import DESIGNS, Design
from deeepai.engines.slides.fonts import Typeface, opened
from deeepai.engines.slides.model import Block, Chapter, Chart, Deck, Page, Table
from deeepai.engines.slides.writing import write

ROOT = Path(__file__).parents[1]
_GAP = 14
_LABEL = 30
_GROUND = "#e9ecef"


def deck(title: str, subtitle: str) -> Deck:
    """Return a deck that has a page of each layout."""
    years = ["2021", "2022", "2023", "2024", "2025"]
    step = [
        ("2022 年", "布设传感器，接入数据"),
        ("2023 年", "为每台设备建立画像"),
        ("2024 年", "两条线路试点"),
        ("2025 年", "推广到全线网"),
    ]
    return Deck(
        title,
        subtitle,
        "2026 年 11 月",
        "zh-CN",
        [
            Chapter(
                "现状",
                [
                    Page(
                        "里程五年增三成，运维费增六成",
                        [
                            Block(
                                points=[
                                    "全国 55 座城市开通轨道交通，里程超过 1.1 万公里。",
                                    "四成检修作业没有发现任何缺陷。",
                                    "熟练技师的流失率达到 11%。",
                                ]
                            )
                        ],
                    ),
                    Page(
                        "三类系统各自为政",
                        [
                            Block("车辆", ["在线监测覆盖 38%", "数据留在厂商平台"]),
                            Block("供电", ["检测车每月一次", "变电所仍靠人工"]),
                            Block("信号", ["日志格式不统一", "复现平均 6 小时"]),
                        ],
                    ),
                    Page(
                        "增长来自二线城市",
                        [
                            Block(
                                "新增里程",
                                ["六成在二线城市", "既有线网进入大修期"],
                                chart=Chart("bar", years, {"里程": [8.7, 9.6, 10.2, 10.6, 11.2]}),
                            )
                        ],
                    ),
                    Page(
                        "车辆占故障的四成",
                        [Block(chart=Chart("doughnut", ["车辆", "信号", "供电", "机电"], {"占比": [42, 25, 18, 15]}))],
                    ),
                ],
            ),
            Chapter(
                "路径",
                [
                    Page("分四年走完", [Block(head, [text]) for head, text in step]),
                    Page(
                        "两种修法",
                        [
                            Block("计划修", ["按里程或时间", "过修与欠修并存"]),
                            Block("状态修", ["按健康度", "作业减少三成"]),
                        ],
                        layout="comparison",
                    ),
                    Page("一句话", [Block(points=["“最好的维修，是乘客从未察觉的那一次。”——总工程师"])]),
                    Page(
                        "三年收回投入",
                        [
                            Block(
                                table=Table(
                                    [
                                        ["系统", "投入（万元）", "年节省（万元）", "回收期"],
                                        ["走行部", "1,280", "460", "2.8 年"],
                                        ["接触网", "960", "310", "3.1 年"],
                                        ["信号", "540", "275", "2.0 年"],
                                    ]
                                )
                            )
                        ],
                    ),
                ],
            ),
            Chapter(
                "保障",
                [
                    Page(
                        "四项保障",
                        [
                            Block(name, [text])
                            for name, text in (
                                ("组织", "总工程师直接负责"),
                                ("资金", "每年列支百分之五"),
                                ("人才", "三年培养 200 人"),
                                ("制度", "修订规程十二项"),
                            )
                        ],
                    ),
                    Page("二号线先行", [Block("试点", ["86 列车装有监测", "三座变电所无人巡检"], image="site.png")]),
                ],
            ),
        ],
    )


def photograph(path: Path) -> None:
    """Draw something that stands for a photograph."""
    sky = Image.linear_gradient("L").resize((1200, 800))
    image = Image.merge(
        "RGB",
        (sky.point(lambda v: 70 + v * 0.55), sky.point(lambda v: 110 + v * 0.42), sky.point(lambda v: 150 + v * 0.28)),
    )
    pen = ImageDraw.Draw(image)
    for base, shade in ((520, 96), (600, 72), (690, 48)):
        points = [(0, 800), *((x, base - (x * 37 + base * 13) % 150) for x in range(0, 1201, 150)), (1200, 800)]
        pen.polygon(points, fill=(shade - 20, shade + 4, shade + 22))
    image.save(path)


def pages(design: Design, theme: str, folder: Path, width: int) -> list[Image.Image]:
    """Draw a design's pages in a theme."""
    picture = folder / "site.png"
    photograph(picture)
    made = write(
        deck("地铁的下一个五年", f"{design.name['zh']} · {design.name['en']} — {design.themes[theme].name['zh']}"),
        design.id,
        theme,
        folder / "deck.pptx",
        pictures={"site.png": picture},
    )
    return [Image.open(path).convert("RGB") for path in previews.draw(made.path, folder, width=width).pages]


def _label(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str) -> None:
    face = Typeface("Barlow", language="zh-CN")
    x, y = at
    for letter in text:
        font = opened(face.face(letter), 19)
        pen.text((x, y), letter, font=font, fill="#1b1f24", anchor="ls")
        x += round(face.advance(letter) * 19)


def sheet(width: int = 320) -> Image.Image:
    """Return the sheet of all designs: a row each, three covers and four pages."""
    chosen = (2, 4, 5, 14)
    high = width * 9 // 16
    columns = 3 + len(chosen)
    size = (columns * (width + _GAP) + _GAP, len(DESIGNS) * (high + _LABEL + _GAP) + _GAP)
    found = Image.new("RGB", size, _GROUND)
    pen = ImageDraw.Draw(found)
    with tempfile.TemporaryDirectory() as name:
        for row, design in enumerate(DESIGNS.values()):
            top = _GAP + row * (high + _LABEL + _GAP)
            _label(pen, (_GAP, top + 20), f"{design.name['en']} · {design.name['zh']}")
            shown: list[Image.Image] = []
            for number, theme in enumerate(design.themes):
                drawn = pages(design, theme, Path(name), width)
                shown.insert(number, drawn[0])
                if not number:
                    shown += [drawn[at] for at in chosen]
            for column, image in enumerate(shown):
                found.paste(image, (_GAP + column * (width + _GAP), top + _LABEL))
    return found


def every_layout(folder: Path, width: int = 480) -> None:
    """Write a sheet of all pages for each theme of each design."""
    for design in DESIGNS.values():
        for theme in design.themes:
            with tempfile.TemporaryDirectory() as name:
                drawn = pages(design, theme, Path(name), width)
            high = drawn[0].height
            found = Image.new("RGB", (4 * (width + 8), -(-len(drawn) // 4) * (high + 8)), _GROUND)
            for at, image in enumerate(drawn):
                found.paste(image, (at % 4 * (width + 8), at // 4 * (high + 8)))
            found.save(folder / f"{design.id}-{theme}.png")


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    if asked.all:
        asked.all.mkdir(parents=True, exist_ok=True)
        every_layout(asked.all)
    sheet().save(ROOT / "docs" / "slides.png", optimize=True)
    office.forget()


if __name__ == "__main__":
    main()
