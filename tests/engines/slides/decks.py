"""Decks for tests: as they are, and as they should not be."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image

from deeepai.engines.slides.model import Block, Chapter, Chart, Deck, Page, Table

HAN = (
    "城市轨道交通智能运维的现状与未来发展路径研究表明设备状态监测能够显著降低故障率并提高检修作业的效率同时数据平台建设需要"
    "统一标准打通各系统之间的壁垒形成覆盖车辆供电信号机电的全生命周期管理体系为乘客提供更加安全可靠便捷的出行服务"
)
_ENGLISH = (
    "the network has grown faster than maintenance budgets and most inspections still find nothing wrong which is why "
    "condition based work pays for itself within three years internationalization interoperability telecommunications"
)
WORDS = _ENGLISH.split()


def chinese(random_: random.Random, letters: int) -> str:
    """Return a text of about so many letters, with punctuation, figures and Latin words in it."""
    text = ""
    while len(text) < letters:
        start = random_.randrange(len(HAN) - 20)
        text += HAN[start : start + random_.randint(4, 16)]
        text += random_.choice(
            ("，", "，", "、", "。", "；", " 2025 年", "（AI）", "“状态修”", " 38.5%", " API 接口", "")
        )
    return text[:letters].strip("，、；") or "文"


def english(random_: random.Random, words: int) -> str:
    """Return a text of so many words."""
    found = [random_.choice(WORDS) for _ in range(max(words, 1))]
    for at in range(7, len(found), 9):
        found[at] += random_.choice((",", ".", ";", " (2025)", " 38.5%"))
    return " ".join(found).capitalize()


def picture(path: Path, size: tuple[int, int] = (900, 600)) -> Path:
    """Write a photograph of sorts."""
    Image.effect_mandelbrot(size, (-2.0, -1.2, 1.0, 1.2), 40).convert("RGB").save(path)
    return path


def whole(language: str = "zh-CN") -> Deck:
    """Return a deck that has each kind of page."""
    zh = language.startswith("zh")

    def say(chinese_: str, english_: str) -> str:
        return chinese_ if zh else english_

    steps = [
        Block(say("2022 年", "2022"), [say("完成传感器布设与数据接入", "Sensors placed, data flows in")]),
        Block(say("2023 年", "2023"), [say("建立设备画像", "Every machine has a profile")]),
        Block(say("2024 年", "2024"), [say("两条线试点", "Two lines try it")]),
        Block(say("2025 年", "2025"), [say("全线网推广", "The whole network")]),
    ]
    years = ["2021", "2022", "2023", "2024", "2025"]
    return Deck(
        say("城市轨道交通智能运维五年路径", "Five years of smart maintenance"),
        say("从计划修到状态修", "From schedules to conditions"),
        say("李明", "Li Ming"),
        language,
        [
            Chapter(
                say("背景与现状", "Where we stand"),
                [
                    Page(
                        say("运维成本增长快于里程", "Costs grow faster than the network"),
                        [
                            Block(
                                points=[
                                    say("全国共有 55 座城市开通轨道交通。", "Fifty-five cities have a metro."),
                                    say("四成检修没有发现缺陷。", "Four in ten inspections find nothing."),
                                    say("技师流失率达到 11%。", "One in nine technicians leaves."),
                                ]
                            )
                        ],
                        notes=say("先讲总量，再讲结构。", "Totals first, then the parts."),
                    ),
                    Page(
                        say("三类系统各自为政", "Three systems, three silos"),
                        [
                            Block(say("车辆", "Trains"), [say("覆盖率 38%", "38% covered")]),
                            Block(say("供电", "Power"), [say("每月检测一次", "Tested monthly")]),
                            Block(say("信号", "Signals"), [say("日志格式不统一", "Logs differ")]),
                        ],
                    ),
                    Page(
                        say("里程五年增三成", "A third more in five years"),
                        [
                            Block(
                                say("二线城市领先", "Smaller cities lead"),
                                [say("新增里程六成在二线城市", "Six in ten new kilometres")],
                                chart=Chart(
                                    "bar",
                                    years,
                                    {say("里程", "Length"): [8708, 9584, 10165, 10600, 11240]},
                                    say("公里", "km"),
                                ),
                            )
                        ],
                    ),
                ],
            ),
            Chapter(
                say("技术路径", "The way"),
                [
                    Page(say("四个阶段", "Four steps"), steps),
                    Page(
                        say("计划修与状态修", "Schedule or condition"),
                        [
                            Block(say("计划修", "Schedule"), [say("按里程", "By mileage"), say("过修", "Too much")]),
                            Block(
                                say("状态修", "Condition"),
                                [say("按健康度", "By health"), say("少三成", "A third less")],
                            ),
                        ],
                        layout="comparison",
                    ),
                    Page(
                        say("一句话", "In a word"),
                        [
                            Block(
                                points=[
                                    say(
                                        "“最好的维修，是乘客从未察觉的那一次。”——总工",
                                        '"The best repair goes unnoticed." — the chief',
                                    )
                                ]
                            )
                        ],
                    ),
                    Page(
                        say("投入与收益", "Cost and return"),
                        [
                            Block(
                                table=Table(
                                    [
                                        [say("系统", "System"), say("投入（万元）", "Cost"), say("回收期", "Years")],
                                        [say("车辆", "Trains"), "1,280", "2.8"],
                                        [say("接触网", "Wires"), "960", "3.1"],
                                        [say("信号", "Signals"), "540", "2.0"],
                                    ]
                                )
                            )
                        ],
                    ),
                    Page(
                        say("故障占比", "Share of faults"),
                        [Block(chart=Chart("pie", ["A", "B", "C"], {say("占比", "Share"): [50, 30, 20]}))],
                    ),
                    Page(
                        say("逐月下降", "Falling month by month"),
                        [
                            Block(
                                chart=Chart(
                                    "line", ["1", "2", "3", "4"], {"A": [4.2, 3.9, 3.1, 2.2], "B": [5, 4.1, 4, 3.1]}
                                )
                            )
                        ],
                    ),
                ],
            ),
            Chapter(
                say("保障", "What it takes"),
                [
                    Page(
                        say("四项保障", "Four things"),
                        [
                            Block(f"{name}", [say("由总工程师直接负责。", "The chief engineer answers for it.")])
                            for name in "甲乙丙丁"
                        ],
                    ),
                    Page(
                        say("现场", "On site"),
                        [
                            Block(
                                say("试点线路", "The line"),
                                [say("86 列车装有监测", "86 trains are fitted")],
                                image="site.png",
                            )
                        ],
                    ),
                    Page(say("先把一条线做透", "One line first, done well")),
                ],
            ),
        ],
    )


def wild(seed: int) -> Deck:
    """Return a deck of texts that nobody planned: none, long, many, wide."""
    random_ = random.Random(seed)
    zh = random_.random() < 0.65

    def text(letters: int) -> str:
        return chinese(random_, letters) if zh else english(random_, max(letters // 3, 1))

    def title() -> str:
        return random_.choice(("", text(6), text(14), text(14), text(30), text(60), text(240)))

    def points() -> list[str]:
        longest = random_.choice((12, 30, 60, 140, 600))
        return [text(random_.randint(4, longest)) for _ in range(random_.choice((0, 1, 2, 3, 4, 5, 8, 14, 30)))]

    def block() -> Block:
        found = Block(title() if random_.random() < 0.7 else "", points()[: random_.choice((2, 4, 40))])
        match random_.randrange(12):
            case 0 | 1:
                columns = random_.choice((1, 2, 3, 4, 6, 9, 16))
                rows = random_.choice((1, 2, 4, 7, 25))
                longest = random_.choice((3, 8, 20, 120))
                found.table = Table(
                    [
                        [
                            random_.choice((text(random_.randint(1, longest)), f"{random_.uniform(0, 9999):,.1f}", ""))
                            for _ in range(columns)
                        ]
                        for _ in range(rows)
                    ]
                )
            case 2 | 3:
                count = random_.choice((1, 3, 5, 8, 12, 40))
                names = [text(random_.choice((2, 4, 12, 40))) for _ in range(count)]
                series = {
                    text(random_.choice((3, 6, 20))): [round(random_.uniform(-50, 900), 1) for _ in range(count)]
                    for _ in range(random_.choice((1, 1, 2, 4, 9)))
                }
                kind = random_.choice(("bar", "line", "pie", "doughnut", "unknown"))
                found.chart = Chart(kind, names, series, random_.choice(("", "万元", "%")))
            case 4:
                found.image = "site.png"
            case _:
                pass
        return found

    def page() -> Page:
        layout = random_.choice(("", "", "", "list", "quote", "timeline", "comparison", "columns"))
        return Page(title(), [block() for _ in range(random_.choice((0, 1, 1, 2, 3, 4, 5, 7)))], layout, text(20))

    chapters = [
        Chapter(title(), [page() for _ in range(random_.randint(0, 3))])
        for _ in range(random_.choice((0, 1, 3, 5, 9, 30)))
    ]
    return Deck(title(), title(), random_.choice(("", text(8))), "zh-CN" if zh else "en-US", chapters[:6], title())
