"""Spreadsheets and CSV as tables: what a cell shows, not what it holds, so that `0044`, `NA` and `25 %` stay so."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import openpyxl

from ..pieces import escaped, table
from .document import Collected, Document
from .guard import checked
from .plain import decoded

_MOST_ROWS: Final = 1000
_MOST_COLUMNS: Final = 64
_MOST_SHEETS: Final = 50
_MOST_CELLS: Final = 40_000
NOT_COMPUTED: Final = "(formula without a stored result)"
"""In place of a cell whose program has stored the formula alone: what it comes to is not known without computing it."""
_PLACES: Final = re.compile(r"0\.(0+)")


def read_csv(path: Path, name: str) -> Document:
    """Read CSV or TSV; the delimiter is what parts the first lines most evenly."""
    text = decoded(path.read_bytes())
    head = text[:20_000]
    try:
        dialect = csv.Sniffer().sniff(head, delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if name.lower().endswith(".tsv") else csv.excel
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), dialect):
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row[:_MOST_COLUMNS]])
            if len(rows) > _MOST_ROWS:
                break
    except csv.Error:
        # A field longer than the module takes, or a stray quote: lines are cells, then.
        rows = [[line.strip()] for line in text.split("\n")[:_MOST_ROWS] if line.strip()]
    collected = Collected()
    if rows:
        collected.add(table(rows))
    return collected.document()


def read_xlsx(path: Path, name: str) -> Document:
    """Read an Excel workbook; hidden sheets and macros are left out, formulas give the result that is stored."""
    checked(path)
    collected = Collected()
    # As files: of a path the library wants a name that it knows.
    with path.open("rb") as shown_file, path.open("rb") as said_file:
        results = openpyxl.load_workbook(shown_file, read_only=True, data_only=True)
        formulas = openpyxl.load_workbook(said_file, read_only=True)
        collected.title = (results.properties.title or "").strip()
        shown = [sheet for sheet in results.worksheets if sheet.sheet_state == "visible"][:_MOST_SHEETS]
        for sheet in shown:
            rows = list(_bounded(_rows(sheet, formulas[sheet.title])))
            if not rows or collected.is_full:
                continue
            if len(shown) > 1:
                collected.add(f"## {escaped(sheet.title)}")
            for part in _apart(rows):
                collected.add(table(part) if len(part) > 1 or len(part[0]) > 1 else escaped(part[0][0]))
    return collected.document()


def _rows(results: Any, formulas: Any) -> Iterator[list[str]]:
    # What a file says of its own size may be wrong, or a whole sheet's million rows.
    results.reset_dimensions()
    formulas.reset_dimensions()
    pairs = zip(
        results.iter_rows(max_col=_MOST_COLUMNS, max_row=_MOST_ROWS),
        formulas.iter_rows(max_col=_MOST_COLUMNS, max_row=_MOST_ROWS),
        strict=False,
    )
    for shown, said in pairs:
        row = [
            NOT_COMPUTED if cell.value is None and _is_formula(other) else displayed(cell.value, cell.number_format)
            for cell, other in zip(shown, said, strict=False)
        ]
        while row and not row[-1]:
            row.pop()
        yield row


def _is_formula(cell: Any) -> bool:
    return getattr(cell, "data_type", "") == "f"


def _bounded(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    left = _MOST_CELLS
    for row in rows:
        left -= len(row) + 1
        if left < 0:
            return
        yield row


def _apart(rows: list[list[str]]) -> Iterator[list[list[str]]]:
    """Yield the tables of a sheet: empty rows part them, columns that are empty throughout go."""
    part: list[list[str]] = []
    for row in [*rows, []]:
        if row:
            part.append(row)
        elif part:
            width = max(len(each) for each in part)
            full = [each + [""] * (width - len(each)) for each in part]
            kept = [place for place in range(width) if any(each[place] for each in full)]
            yield [[each[place] for place in kept] for each in full]
            part = []


def displayed(value: Any, form: str) -> str:
    """Return a cell as its program would show it: percentages, decimals, separators, leading zeros, dates."""
    form = form or "General"
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case datetime.datetime():
            return value.strftime("%Y-%m-%d" if value.time() == datetime.time() else "%Y-%m-%d %H:%M").strip()
        case datetime.date():
            return value.strftime("%Y-%m-%d")
        case datetime.time():
            return value.strftime("%H:%M")
        case int() | float():
            return _number(value, form.split(";")[0])
        case _:
            return str(value).strip()


def _number(value: float, form: str) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", form)
    places = len(match[1]) if (match := _PLACES.search(bare)) else 0
    if "%" in bare:
        hundred = round(value * 100, 10)
        return f"{hundred:.{places}f}%" if places or hundred == int(hundred) else f"{hundred:g}%"
    if bare in ("General", "@", "") or "E" in bare or not re.search(r"[0#]", bare):
        if value == int(value) and abs(value) < 1e15:
            return str(int(value))
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    said = f"{value:,.{places}f}" if "," in bare else f"{value:.{places}f}"
    if "." not in bare and value == int(value) and re.fullmatch(r"0+", bare):
        return str(int(value)).zfill(len(bare))
    if not places and "#" in bare and "." in bare:
        said = f"{value:,.10g}" if "," in bare else f"{value:.10g}"
    units = "".join(re.findall(r'"([^"]*)"', form)) or ("" if "¥" not in form else "¥")
    before = re.match(r'^\s*(?:\[\$([^\-\]]*)[^\]]*\]|"([^"]*)"|([$€£¥￥]))', form)
    if before:
        mark = next((each for each in before.groups() if each), "")
        return f"{mark}{said}"
    return f"{said}{units}"
