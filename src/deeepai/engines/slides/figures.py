"""Numbers: which tables and sentences are a series that a chart shows, and a chart as a table again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .model import Chart

_MOST_CATEGORIES: Final = 12
_MOST_SERIES: Final = 6
_VALUE: Final = re.compile(
    r"^(?P<before>[$€£¥￥]|US\$|)\s*(?P<sign>[-+−–]?)(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*"
    r"(?P<unit>%|％|[^\W\d_]{0,8}(?:/[^\W\d_]{1,6})?|°C|℃)$"
)
_CODE: Final = re.compile(r"^[-+−–]?0\d")
_TIME: Final = re.compile(
    r"^(?:FY\s?|公元)?(?:1[5-9]|20)\d\d(?:\s*年)?(?:[-/年 ]\s*(?:Q[1-4]|H[12]|\d{1,2})(?:月|季度)?)?$"
    r"|^Q[1-4](?:[ /]*\d{4})?$|^第?[一二三四1-4]季度$|^\d{1,2}月$|^[一二三四五六七八九十]{1,2}月$"
    r"|^(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?(?:\s+\d{4})?$"
)
_UNIT_IN_HEAD: Final = re.compile(r"^(?P<name>.*?)\s*[(（](?P<unit>[^()（）]{1,12})[)）]$")
_YEAR_THEN_VALUE: Final = re.compile(
    r"(?<!\d)((?:1[89]|20)\d\d)\s*年?(?!\d)([^。！？!?;；\d]{0,24}?)"
    r"(?:(?P<before>[$€£¥￥]))?(?<![\d.,])(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*(%|％|[万亿萬億千百]*[^\W\d_]{0,12})"
)
_LABELLED: Final = re.compile(
    r"^(?P<label>[^:：\d]{1,24}|(?:1[89]|20)\d\d\s*年?)\s*[:：]\s*(?P<value>.+?)[。.;；,，]?$"
)


def number(text: str) -> tuple[float, str] | None:
    """Return the value and the unit of what is a number alone; None for codes such as `0044` and all else."""
    match = _VALUE.match(text.strip())
    if match is None or _CODE.match(match["number"]):
        return None
    value = float(match["number"].replace(",", ""))
    return (-value if match["sign"] in ("-", "−", "–") else value), match["before"] + match["unit"].replace("％", "%")


def charted(rows: Sequence[Sequence[str]]) -> Chart | None:
    """Return the chart of a table whose columns but the first are all numbers of one unit, None where it is none.

    Times make lines; shares of one whole, a pie; anything else, bars.
    """
    if not 3 <= len(rows) <= _MOST_CATEGORIES + 1 or not 2 <= len(rows[0]) <= _MOST_SERIES + 1:
        return None
    head, body = rows[0], rows[1:]
    categories = [row[0].strip() for row in body]
    if "" in categories or len(set(categories)) < len(categories):
        return None
    names, units = [], set[str]()
    columns: list[list[float]] = []
    for place, name in enumerate(head[1:], 1):
        values = [number(row[place]) for row in body]
        if None in values:
            return None
        match = _UNIT_IN_HEAD.match(name.strip())
        names.append(match["name"] if match else name.strip())
        units.update({value[1] or (match["unit"] if match else "") for value in values if value})
        columns.append([value[0] for value in values if value])
    if len(units) > 1 or "" in names or len(set(names)) < len(names):
        return None
    if all(number(category) and not _TIME.match(category) for category in categories):
        return None
    unit = units.pop()
    return Chart(_kind(categories, columns, unit), categories, dict(zip(names, columns, strict=True)), unit)


def _kind(categories: Sequence[str], columns: Sequence[Sequence[float]], unit: str) -> str:
    if len(categories) >= 3 and all(_TIME.match(category) for category in categories):
        return "line"
    shares = len(columns) == 1 and unit == "%" and min(columns[0]) >= 0 and abs(sum(columns[0]) - 100) <= 1
    return "pie" if shares and len(categories) <= 7 else "bar"


def tabled(chart: Chart) -> list[list[str]]:
    """Return a chart as the rows of a table, its unit in the head."""
    unit = f" ({chart.unit})" if chart.unit else ""
    rows = [["", *(f"{name}{unit}" for name in chart.series)]]
    for place, category in enumerate(chart.categories):
        rows.append([category, *(written(values[place]) for values in chart.series.values())])
    return rows


def written(value: float) -> str:
    """Return a number in its shortest writing."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def series(sentence: str, name: str) -> Chart | None:
    """Return the chart of a sentence that tells one thing's values of three or more years, in their order."""
    found = [(match[1], float(match[4].replace(",", ""))) for match in _YEAR_THEN_VALUE.finditer(sentence)]
    units = [
        (match["before"] or "") + match[5].replace("％", "%").strip() for match in _YEAR_THEN_VALUE.finditer(sentence)
    ]
    years = [year for year, _ in found]
    # "亿元、… 亿元增长到": what they have in common is the unit.
    unit = _common_start(units).strip()
    if len(found) < 3 or years != sorted(set(years)) or not unit:
        return None
    if unit.isascii() and unit.isalpha() and any(each != unit for each in units):
        return None
    return Chart("line", years, {name: [value for _, value in found]}, unit)


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts, default=""), max(texts, default="")
    same = next((place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[:same]


def listed(items: Sequence[str], name: str) -> Chart | None:
    """Return the chart of list items `label: number unit`, three or more and all of one unit."""
    found: list[tuple[str, float, str]] = []
    for item in items:
        match = _LABELLED.match(item)
        value = number(match["value"]) if match else None
        if match is None or value is None:
            return None
        found.append((match["label"].strip(), *value))
    labels = [label for label, *_ in found]
    if (
        not 3 <= len(found) <= _MOST_CATEGORIES
        or len({unit for *_, unit in found}) != 1
        or len(set(labels)) < len(found)
    ):
        return None
    values = [value for _, value, _ in found]
    return Chart(_kind(labels, [values], found[0][2]), labels, {name: values}, found[0][2])
