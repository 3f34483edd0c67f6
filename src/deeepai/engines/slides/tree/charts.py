"""Charts in the tree: their kind, categories and values, read from DrawingML and written as native ones again."""

from __future__ import annotations

from typing import Any, Final

from pptx.chart.chart import Chart
from pptx.chart.data import CategoryChartData
from pptx.chart.xlsx import CategoryWorkbookWriter
from pptx.chart.xmlwriter import ChartXmlWriter
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml

from ...jobs import Refusal
from ..documents.guard import xml
from .markup import clean, serialised

_C: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_KINDS: Final = {
    "barChart": "bar", "bar3DChart": "bar", "lineChart": "line", "line3DChart": "line", "pieChart": "pie",
    "pie3DChart": "pie", "doughnutChart": "doughnut", "areaChart": "area", "area3DChart": "area",
    "radarChart": "radar", "scatterChart": "scatter", "bubbleChart": "bubble",
}  # fmt: skip
_TYPES: Final = {
    "bar": XL_CHART_TYPE.COLUMN_CLUSTERED,
    "line": XL_CHART_TYPE.LINE_MARKERS,
    "pie": XL_CHART_TYPE.PIE,
    "doughnut": XL_CHART_TYPE.DOUGHNUT,
    "area": XL_CHART_TYPE.AREA,
    "radar": XL_CHART_TYPE.RADAR_MARKERS,
}
_MOST_POINTS: Final = 20_000


def chart_of(content: bytes) -> dict[str, Any] | None:
    """Return what a chart shows, None where it shows nothing that is known."""
    try:
        root = xml(content)
    except Refusal:
        return None
    plots: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    for element in root.iterfind(f"{_C}chart/{_C}plotArea/*"):
        kind = _KINDS.get(element.tag[len(_C) :]) if isinstance(element.tag, str) else None
        if kind is None:
            continue
        series: list[dict[str, Any]] = []
        for each in element.iterfind(f"{_C}ser"):
            name = "".join(each.xpath("string(*[local-name()='tx'])").split("\n")[-1:]).strip()
            name = _texts(each.find(f"{_C}tx"))[:1] or [name]
            values = _texts(each.find(f"{_C}val")) or _texts(each.find(f"{_C}yVal"))
            categories = _texts(each.find(f"{_C}cat")) or _texts(each.find(f"{_C}xVal"))
            series.append(
                {"text": str(name[0] or ""), "category": categories, "value": [_number(value) for value in values]}
            )
        direction = element.find(f"{_C}barDir")
        plots.append(
            {
                "chartType": kind,
                "series": series,
                "extInfo": {"horizontal": True} if direction is not None and direction.get("val") == "bar" else {},
            }
        )
        if series and not rows:
            categories = max((each["category"] for each in series), key=len)
            rows.append(["", *(each["text"] for each in series)])
            for place, category in enumerate(categories):
                values = (each["value"] for each in series)
                rows.append([category, *(value[place] if place < len(value) else None for value in values)])
    if not plots:
        return None
    title = root.find(f"{_C}chart/{_C}title")
    said = (
        "".join(title.itertext("{http://schemas.openxmlformats.org/drawingml/2006/main}t")) if title is not None else ""
    )
    return {
        "title": said or None,
        "legend": root.find(f"{_C}chart/{_C}legend") is not None,
        "excelData": [{"sheetName": "Sheet1", "rows": rows}],
        "chartData": plots,
    }


def _texts(holder: Any) -> list[Any]:
    """Return the cached values of a reference, gaps as None."""
    if holder is None:
        return []
    cache = next((each for each in holder.iter() if str(each.tag).endswith(("Cache", "Lit"))), None)
    if cache is None:
        return []
    levels = cache.findall(f"{_C}lvl")
    points = (levels[0] if levels else cache).findall(f"{_C}pt")
    count = cache.find(f"{_C}ptCount")
    many = min(int(count.get("val", "0")) if count is not None and count.get("val", "0").isdigit() else 0, _MOST_POINTS)
    found: list[Any] = [None] * many
    for point in points:
        index = point.get("idx", "")
        if index.isdigit() and int(index) < many:
            found[int(index)] = point.findtext(f"{_C}v")
    return found


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def chart_xml(chart: Any) -> tuple[bytes, bytes]:
    """Return the XML of a native chart and its workbook.

    Raises
    ------
    Refusal
        `unreadable` where it says no chart.
    """
    plots = chart.get("chartData") if isinstance(chart, dict) else None
    plot = plots[0] if isinstance(plots, list) and plots and isinstance(plots[0], dict) else None
    series = plot.get("series") if plot else None
    if plot is None or not isinstance(series, list) or not series or not all(isinstance(each, dict) for each in series):
        raise Refusal("unreadable", "A chart has no series.")
    info = plot.get("extInfo")
    kind = _TYPES.get(str(plot.get("chartType")), XL_CHART_TYPE.COLUMN_CLUSTERED)
    if isinstance(info, dict) and info.get("horizontal") and kind == XL_CHART_TYPE.COLUMN_CLUSTERED:
        kind = XL_CHART_TYPE.BAR_CLUSTERED
    data = CategoryChartData()
    longest = max((_listed(each.get("category")) for each in series), key=len)
    data.categories = [clean(str(category if category is not None else "")) for category in longest[:_MOST_POINTS]]
    for each in series:
        data.add_series(
            clean(str(each.get("text") or "")), [_number(value) for value in _listed(each.get("value"))[:_MOST_POINTS]]
        )
    text = ChartXmlWriter(kind, data).xml
    # Its writer gives axes negative ids, which the schema of unsigned integers does not have.
    for place, axis in enumerate(("-2068027336", "-2113994440")):
        text = text.replace(axis, str(111_111_111 + place))
    space = parse_xml(text.encode())
    drawn = Chart(space, None)
    title = chart.get("title")
    drawn.has_title = bool(isinstance(title, str) and title)
    if drawn.has_title:
        drawn.chart_title.text_frame.text = clean(str(title))[:500]
    drawn.has_legend = chart.get("legend") is True
    if drawn.has_legend and drawn.legend is not None:
        drawn.legend.include_in_layout = False
    return serialised(space), CategoryWorkbookWriter(data).xlsx_blob


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
