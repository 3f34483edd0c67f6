"""PowerPoint presentations (OOXML) in: titles as headings, texts as items, tables, charts' numbers, pictures, notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pptx
from pptx.enum.shapes import MSO_SHAPE_TYPE, PP_PLACEHOLDER

from ..figures import written
from ..pieces import escaped, table
from .document import Collected, Document
from .guard import checked

_MOST_SLIDES: Final = 500
_MOST_DEEP: Final = 12
_TITLES: Final = (PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE, PP_PLACEHOLDER.VERTICAL_TITLE)
_LEFT_OUT: Final = (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER)


def read_pptx(path: Path, name: str) -> Document:
    """Read a presentation; hidden slides are left out, the first slide's title is the document's."""
    checked(path)
    presentation = pptx.Presentation(str(path))
    collected = Collected()
    for place, slide in enumerate(presentation.slides):
        if place >= _MOST_SLIDES or collected.is_full:
            break
        if slide.element.get("show") == "0":
            continue
        title = slide.shapes.title
        heading = " ".join(title.text_frame.text.split()) if title is not None and title.has_text_frame else ""
        if heading and not collected.title:
            collected.title = heading
            collected.add(f"# {escaped(heading)}")
        elif heading:
            collected.add(f"## {escaped(heading)}")
        for shape in slide.shapes:
            for block in _blocks(shape, collected, 0):
                collected.add(block)
        if slide.has_notes_slide:
            frame = slide.notes_slide.notes_text_frame
            if frame is not None and frame.text.strip():
                collected.add("\n".join(escaped(line.strip()) for line in frame.text.splitlines() if line.strip()))
    return collected.document()


def _blocks(shape: Any, collected: Collected, depth: int) -> Iterator[str]:
    if shape.is_placeholder and shape.placeholder_format.type in (*_TITLES, *_LEFT_OUT):
        return
    if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
        if depth < _MOST_DEEP:
            for child in shape.shapes:
                yield from _blocks(child, collected, depth + 1)
        return
    if getattr(shape, "has_table", False):
        rows = [[" ".join(cell.text.split()) for cell in row.cells] for row in shape.table.rows]
        if any(any(row) for row in rows):
            yield table(rows)
    elif getattr(shape, "has_chart", False):
        yield from _chart(shape.chart)
    elif shape.has_text_frame:
        for paragraph in shape.text_frame.paragraphs:
            text = " ".join(paragraph.text.split())
            if text:
                yield f"{'  ' * min(paragraph.level, 5)}- {escaped(text)}"
    image = _image(shape)
    if image and (picture := collected.picture(image)):
        yield f"![{escaped(' '.join(shape.name.split()))}]({picture})"


def _image(shape: Any) -> bytes:
    try:
        return shape.image.blob
    except (AttributeError, KeyError, ValueError):
        return b""


def _chart(chart: Any) -> Iterator[str]:
    for plot in chart.plots:
        categories = [str(category) for category in plot.categories]
        columns = [(series.name or "", list(series.values)) for series in plot.series]
        if not categories or not columns:
            continue
        rows = [["", *(name for name, _ in columns)]]
        for place, category in enumerate(categories):
            values = [column[place] if place < len(column) else None for _, column in columns]
            rows.append([category, *("" if value is None else written(float(value)) for value in values)])
        yield table(rows)
