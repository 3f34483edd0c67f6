"""Native charts: what can be drawn of the numbers given, in the theme's colours, with labels on the marks."""

from __future__ import annotations

import math
import unicodedata
from typing import Any, Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]
from pptx.chart.chart import Chart as DrawnChart
from pptx.chart.data import CategoryChartData
from pptx.dml.color import ColorFormat
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_LEGEND_POSITION, XL_TICK_MARK
from pptx.enum.dml import MSO_THEME_COLOR
from pptx.util import Pt

from .designs.design import LEAST
from .model import Chart

_MOST_SERIES: Final = 6
_MOST_SLICES: Final = 8
_MOST_POINTS: Final = 24
_MOST_NAME: Final = 8
"""Letters of a name that stands beside its slice."""
_MOST_ROWS: Final = 13
_ROOM: Final = 30.0
"""Em below the narrower of the charts."""
_LONGEST: Final = 14.0
"""Em of a name beside a bar."""
_SHORT: Final = 5.0
"""Em of a name that can be left out where its neighbours tell it."""
_ACCENTS: Final = (
    MSO_THEME_COLOR.ACCENT_1,
    MSO_THEME_COLOR.ACCENT_2,
    MSO_THEME_COLOR.ACCENT_3,
    MSO_THEME_COLOR.ACCENT_4,
    MSO_THEME_COLOR.ACCENT_5,
    MSO_THEME_COLOR.ACCENT_6,
)
_DRAWING: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_CHART: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"


def drawable(chart: Chart) -> Chart | None:
    """Return the chart with what cannot be drawn taken out, or None where a table tells more.

    Lengths that differ are cut; a pie of negative numbers or many slices becomes bars.
    """
    series = {name: values for name, values in chart.series.items() if values}
    count = min([len(chart.categories), *(len(values) for values in series.values())], default=0)
    if not series or not count or len(series) > _MOST_SERIES or count > _MOST_POINTS:
        return None
    numbers = [value for values in series.values() for value in values[:count]]
    if not all(math.isfinite(value) for value in numbers):
        return None
    kind = chart.kind if chart.kind in ("bar", "line", "pie", "doughnut") else "bar"
    if kind in ("pie", "doughnut") and (
        len(series) > 1 or count > _MOST_SLICES or min(numbers) < 0 or sum(numbers) <= 0
    ):
        kind = "bar"
    if kind == "line" and (count < 2 or not _fits_below(chart.categories[:count], every=_skipped(chart, count))):
        kind = "bar"
    names = [_em(name) for name in series]
    if len(names) > 1 and (max(names) > _LONGEST or sum(names) + 2 * len(names) > 2 * _ROOM):
        return None
    categories = chart.categories[:count]
    longest = max(_em(name) for name in categories)
    crowded = longest > _LONGEST or count > _MOST_ROWS or count * len(series) > 2 * _MOST_ROWS
    if kind == "bar" and not _fits_below(categories) and crowded:
        return None
    if kind in ("pie", "doughnut") and longest > _LONGEST:
        return None
    return Chart(kind, chart.categories[:count], {name: values[:count] for name, values in series.items()}, chart.unit)


def _em(text: str) -> float:
    """Return about how wide a text is, in em."""
    return sum(1.0 if unicodedata.east_asian_width(letter) in "WFA" else 0.56 for letter in text)


def _fits_below(names: list[str], *, every: int = 1) -> bool:
    """Return whether categories' names find room side by side, if one of so many is shown."""
    return max(_em(name) for name in names) + 0.6 <= _ROOM / len(names) * every


def _skipped(chart: Chart, count: int) -> int:
    """Return of how many points of a line one is named: short names of many points, such as months, go on as well."""
    wide = max(_em(name) for name in chart.categories[:count]) + 0.6
    needed = math.ceil(wide * count / _ROOM)
    return needed if wide <= _SHORT and needed <= 6 else 1


def as_table(chart: Chart) -> list[list[str]]:
    """Return a chart's numbers as rows."""
    head = ["", *(f"{name} ({chart.unit})" if chart.unit else name for name in chart.series)]
    rows = [head]
    for at, category in enumerate(chart.categories):
        values = [values[at] if at < len(values) else math.nan for values in chart.series.values()]
        rows.append([category, *(f"{value:g}" if math.isfinite(value) else "–" for value in values)])
    return rows


def _form(values: list[float], unit: str) -> str:
    """Return a number format that shows the numbers as they were given."""
    places = max((len(f"{value:.6f}".rstrip("0").partition(".")[2]) for value in values), default=0)
    form = "#,##0" + ("." + "0" * min(places, 2) if places else "")
    sign = unit.strip().replace('"', "")
    return f'{form}"{sign}"' if sign and len(sign) <= 3 else form


def data(chart: Chart) -> tuple[Any, CategoryChartData]:
    """Return the chart's type and data for `insert_chart`."""
    sideways = chart.kind == "bar" and not _fits_below(chart.categories)
    kind = {
        "bar": XL_CHART_TYPE.BAR_CLUSTERED if sideways else XL_CHART_TYPE.COLUMN_CLUSTERED,
        "line": XL_CHART_TYPE.LINE_MARKERS,
        "pie": XL_CHART_TYPE.PIE,
        "doughnut": XL_CHART_TYPE.DOUGHNUT,
    }[chart.kind]
    numbers = [value for values in chart.series.values() for value in values]
    found = CategoryChartData(number_format=_form(numbers, chart.unit))
    found.categories = chart.categories
    for name, values in chart.series.items():
        found.add_series(name, values)
    return kind, found


def _paint(colour: ColorFormat, slot: Any, brightness: float = 0.0) -> None:
    colour.theme_color = slot
    if brightness:
        colour.brightness = brightness


def dress(drawn: DrawnChart, chart: Chart) -> None:
    """Give a drawn chart the house's look."""
    drawn.font.size = Pt(LEAST)
    _paint(drawn.font.color, MSO_THEME_COLOR.TEXT_1)
    drawn.has_title = False
    several = len(chart.series) > 1
    drawn.has_legend = several or (chart.kind in ("pie", "doughnut") and not _is_named(chart))
    if drawn.has_legend:
        legend = drawn.legend
        assert legend is not None
        legend.position = XL_LEGEND_POSITION.TOP if several else XL_LEGEND_POSITION.RIGHT
        legend.include_in_layout = False
        legend.font.size = Pt(LEAST)
    plot: Any = drawn.plots[0]
    if chart.kind in ("pie", "doughnut"):
        _slices(plot, chart)
    else:
        _axes(drawn, plot, chart, several=several)
    for element in drawn._chartSpace.iter(f"{_CHART}axId", f"{_CHART}crossAx"):  # pyright: ignore[reportPrivateUsage]
        # The schema wants unsigned numbers.
        if (value := element.get("val", "")).startswith("-"):
            element.set("val", value[1:])


def _is_named(chart: Chart) -> bool:
    """Return whether a pie's slices bear their names."""
    return (
        chart.kind == "pie" and len(chart.categories) <= 6 and max(len(name) for name in chart.categories) <= _MOST_NAME
    )


def _faint(line: Any, alpha: int) -> None:
    """Draw a line in the text's colour, faintly: on light grounds and on dark ones."""
    _paint(line.color, MSO_THEME_COLOR.TEXT_1)
    for colour in line._ln.iter(f"{_DRAWING}schemeClr"):
        etree.SubElement(colour, f"{_DRAWING}alpha", val=str(alpha * 1000))


def _slices(plot: Any, chart: Chart) -> None:
    plot.vary_by_categories = True
    series = plot.series[0]
    for at in range(len(chart.categories)):
        fill = series.points[at].format.fill
        fill.solid()
        _paint(fill.fore_color, _ACCENTS[at % 6], 0.4 if at >= 6 else 0.0)
        line = series.points[at].format.line
        line.width = Pt(1.5)
        _paint(line.color, MSO_THEME_COLOR.BACKGROUND_1)
    plot.has_data_labels = True
    labels = plot.data_labels
    labels.show_percentage, labels.show_value = True, False
    labels.show_category_name = _is_named(chart)
    labels.number_format, labels.number_format_is_linked = "0%", False
    labels.font.size = Pt(LEAST)
    if chart.kind == "pie":
        labels.position = XL_LABEL_POSITION.OUTSIDE_END
        _paint(labels.font.color, MSO_THEME_COLOR.TEXT_1)
    else:
        labels.font.bold = True
        _paint(labels.font.color, MSO_THEME_COLOR.BACKGROUND_1)
        for hole in plot._element.iter(f"{_CHART}holeSize"):
            hole.set("val", "58")


def _axes(drawn: DrawnChart, plot: Any, chart: Chart, *, several: bool) -> None:
    categories: Any = drawn.category_axis
    values: Any = drawn.value_axis
    categories.has_major_gridlines = False
    categories.major_tick_mark = XL_TICK_MARK.NONE
    _faint(categories.format.line, 60)
    categories.tick_labels.font.size = Pt(LEAST)
    values.tick_labels.font.size = Pt(LEAST)
    values.major_tick_mark = XL_TICK_MARK.NONE
    values.format.line.fill.background()
    numbers = [value for series in chart.series.values() for value in series]
    marks = len(numbers)
    # Labels of several lines would stand on one another.
    labelled = marks <= 12 if chart.kind == "bar" or not several else False
    labelled = labelled or (not several and marks <= 16)
    if chart.kind == "bar" and min(numbers) >= 0:
        values.minimum_scale = 0
    if labelled and chart.kind == "bar":
        # What stands on the marks need not be read off an axis.
        values.visible = False
        values.has_major_gridlines = False
    else:
        values.has_major_gridlines = True
        _faint(values.major_gridlines.format.line, 20)
        values.major_gridlines.format.line.width = Pt(0.5)
    if chart.kind == "line" and (every := _skipped(chart, len(chart.categories))) > 1:
        _skip(categories._element, every)
    if chart.kind == "bar":
        plot.gap_width = 60 if not several else 80
        plot.overlap = -8 if several else 0
        if plot._element.find(f"{_CHART}barDir").get("val") == "bar":
            categories.reverse_order = True
    if labelled:
        plot.has_data_labels = True
        plot.data_labels.font.size = Pt(LEAST)
        plot.data_labels.number_format = _form(numbers, chart.unit)
        plot.data_labels.number_format_is_linked = False
        plot.data_labels.show_value = True
        plot.data_labels.position = XL_LABEL_POSITION.OUTSIDE_END if chart.kind == "bar" else XL_LABEL_POSITION.ABOVE
    for at, series in enumerate(plot.series):
        if chart.kind == "line":
            series.smooth = False
            series.format.line.width = Pt(3)
            _paint(series.format.line.color, _ACCENTS[at])
            series.marker.size = 8
            series.marker.format.fill.solid()
            _paint(series.marker.format.fill.fore_color, _ACCENTS[at])
            _paint(series.marker.format.line.color, MSO_THEME_COLOR.BACKGROUND_1)
        else:
            series.invert_if_negative = False
            series.format.fill.solid()
            _paint(series.format.fill.fore_color, _ACCENTS[at])


def _skip(axis: Any, every: int) -> None:
    """Name one category of so many; the schema has a place for it."""
    before = next(axis.iterchildren(f"{_CHART}noMultiLvlLbl"), None)
    element = etree.Element(f"{_CHART}tickLblSkip", val=str(every))
    if before is not None:
        before.addprevious(element)
    else:
        axis.append(element)


def tidy(drawn: DrawnChart, language: str) -> None:
    """Give the chart's texts their language, for the forms of Han letters."""
    for element in drawn._chartSpace.iter(f"{_DRAWING}defRPr"):  # pyright: ignore[reportPrivateUsage]
        element.set("lang", language)
        for tag, name in (("latin", "+mn-lt"), ("ea", "+mn-ea"), ("cs", "+mn-cs")):
            if element.find(_DRAWING + tag) is None:
                etree.SubElement(element, _DRAWING + tag, typeface=name)
