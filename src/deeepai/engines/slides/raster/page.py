"""A presentation's pages as pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]
from PIL import Image, ImageOps
from pptx import Presentation
from pptx.slide import Slide

from ..pictures import eight_bits
from .canvas import Box, Canvas, Paint, mask_of
from .charts import C, ChartDrawing
from .colours import RGBA, A, P, Palette
from .outlines import custom, preset, turned
from .text import TextBox, fonts_of

_R: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_EMU: Final = 12700
_STYLES: Final = {
    "title": "titleStyle",
    "ctrTitle": "titleStyle",
    "body": "bodyStyle",
    "subTitle": "bodyStyle",
    "": "bodyStyle",
}
_DASH: Final = {
    "dash": (4.0, 3.0),
    "sysDash": (3.0, 1.0),
    "sysDot": (1.0, 1.0),
    "dot": (1.0, 3.0),
    "lgDash": (8.0, 3.0),
}

Frame = tuple[float, float, float, float]
"""Offset x and y in pixels, pixels an EMU across and down."""


class Renderer:
    """Draws the pages of a presentation.

    Parameters
    ----------
    path : Path
        Of the presentation.
    width : int
        Pixels.
    """

    def __init__(self, path: Path, width: int = 1280) -> None:
        self._document = Presentation(str(path))
        across, down = self._document.slide_width or 12_192_000, self._document.slide_height or 6_858_000
        self._size = (width, max(round(width * down / across), 1))
        self._unit = width / across
        self._scale = self._unit * _EMU
        self._masters: dict[Any, _Ground] = {}
        self._stages: dict[Any, Image.Image] = {}
        self._table_styles = _table_styles(self._document.part)
        self.count = len(self._document.slides)

    def __iter__(self) -> Iterator[Image.Image]:
        """Draw page after page."""
        for number, slide in enumerate(self._document.slides, 1):
            yield self._page(slide, number)

    def page(self, number: int) -> Image.Image:
        """Draw a page; the first is 1."""
        return self._page(self._document.slides[number - 1], number)

    def _page(self, slide: Slide, number: int) -> Image.Image:
        layout = slide.slide_layout
        master = layout.slide_master
        ground = self._masters.get(master.part)
        if ground is None:
            ground = self._masters[master.part] = _Ground(master)
        page = _Page(self, slide, layout, ground, number)
        return page.draw()

    @property
    def size(self) -> tuple[int, int]:
        """Pixels."""
        return self._size

    @property
    def unit(self) -> float:
        """Pixels an EMU."""
        return self._unit

    @property
    def scale(self) -> float:
        """Pixels a point."""
        return self._scale

    @property
    def stages(self) -> dict[Any, Image.Image]:
        """What stands on layouts that have been drawn, by their parts."""
        return self._stages

    @property
    def table_styles(self) -> dict[str, Any]:
        """By id."""
        return self._table_styles


def _table_styles(part: Any) -> dict[str, Any]:
    for relation in part.rels.values():
        if relation.reltype.endswith("/tableStyles") and not relation.is_external:
            root = etree.fromstring(relation.target_part.blob, _parser())
            return {style.get("styleId", ""): style for style in root}
    return {}


def _parser() -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True)


class _Ground:
    """What a master gives to its slides."""

    def __init__(self, master: Any) -> None:
        theme = None
        for relation in master.part.rels.values():
            if relation.reltype.endswith("/theme") and not relation.is_external:
                theme = etree.fromstring(relation.target_part.blob, _parser())
        self.element = master.element
        self.palette = Palette(theme, self.element.find(f"{P}clrMap"))
        self.fonts = fonts_of(theme)
        self.styles = self.element.find(f"{P}txStyles")
        self.part = master.part


def _key(shape: Any) -> tuple[str, str] | None:
    """Return a placeholder's kind and index, or None."""
    found = shape.find(f".//{P}nvPr/{P}ph")
    return (found.get("type", ""), found.get("idx", "0")) if found is not None else None


def _placeholders(root: Any) -> list[tuple[tuple[str, str], Any]]:
    return [(key, shape) for shape in root.iter(f"{P}sp") if (key := _key(shape)) is not None]


class _Page:
    def __init__(self, renderer: Renderer, slide: Any, layout: Any, ground: _Ground, number: int) -> None:
        self._renderer = renderer
        self._slide, self._layout, self._ground = slide, layout, ground
        self._number = number
        self._palette = ground.palette
        self._layout_slots = _placeholders(layout.element)
        self._master_slots = _placeholders(ground.element)
        self._canvas = Canvas(*renderer.size)

    def draw(self) -> Image.Image:
        frame: Frame = (0.0, 0.0, self._renderer.unit, self._renderer.unit)
        own = self._slide.element.find(f"{P}cSld/{P}bg") is not None or "showMasterSp" in self._slide.element.attrib
        stage = None if own else self._renderer.stages.get(self._layout.part)
        if stage is not None:
            self._canvas = Canvas.of(stage.copy())
        else:
            self._stage(frame)
            if not own:
                self._renderer.stages[self._layout.part] = self._canvas.image.copy()
        self._tree(self._slide.element, self._slide.part, frame, inherited=False)
        return self._canvas.image

    def _stage(self, frame: Frame) -> None:
        """Draw what a slide stands on: background, master and layout."""
        self._background()
        shown = "0" not in (self._layout.element.get("showMasterSp", "1"), self._slide.element.get("showMasterSp", "1"))
        if shown:
            self._tree(self._ground.element, self._ground.part, frame, inherited=True)
        self._tree(self._layout.element, self._layout.part, frame, inherited=True)

    def _background(self) -> None:
        for root in (self._slide.element, self._layout.element, self._ground.element):
            found = root.find(f"{P}cSld/{P}bg")
            if found is None:
                continue
            own = found.find(f"{P}bgPr")
            paint = self._paint(own) if own is not None else self._palette.read(found.find(f"{P}bgRef"))
            if paint is not None:
                self._canvas.fill(paint)
            return
        self._canvas.fill((*self._palette.named("bg1"), 255))

    def _paint(self, parent: Any) -> Paint | None:
        if parent is None:
            return None
        if (fill := parent.find(f"{A}solidFill")) is not None:
            return self._palette.read(fill)
        gradient = parent.find(f"{A}gradFill")
        if gradient is not None:
            stops = [self._palette.read(stop) for stop in gradient.iter(f"{A}gs")]
            found = [stop for stop in stops if stop is not None]
            if len(found) >= 2:
                turn = gradient.find(f"{A}lin")
                return found[0], found[-1], float(turn.get("ang", "0")) / 60_000 if turn is not None else 0.0
        return None

    def _tree(self, root: Any, part: Any, frame: Frame, *, inherited: bool) -> None:
        tree = root.find(f"{P}cSld/{P}spTree")
        for shape in tree if tree is not None else ():
            self._shape(shape, part, frame, inherited=inherited)

    def _shape(self, shape: Any, part: Any, frame: Frame, *, inherited: bool) -> None:
        tag = shape.tag.removeprefix(P) if isinstance(shape.tag, str) else ""
        hidden = shape.find(f".//{P}cNvPr")
        if hidden is not None and hidden.get("hidden") in ("1", "true"):
            return
        if tag == "grpSp":
            self._group(shape, part, frame, inherited=inherited)
        elif tag in ("sp", "cxnSp"):
            if not (inherited and _key(shape) is not None):
                self._drawn(shape, frame)
        elif tag == "pic":
            self._picture(shape, part, frame)
        elif tag == "graphicFrame":
            self._graphic(shape, part, frame)

    def _group(self, shape: Any, part: Any, frame: Frame, *, inherited: bool) -> None:
        transform = shape.find(f"{P}grpSpPr/{A}xfrm")
        inner = frame
        if transform is not None:
            values = {child.tag.removeprefix(A): child.attrib for child in transform}
            off, ext = values.get("off", {}), values.get("ext", {})
            child_off, child_ext = values.get("chOff", {}), values.get("chExt", {})
            across = float(ext.get("cx", 0)) / (float(child_ext.get("cx", 0)) or 1.0) if child_ext else 1.0
            down = float(ext.get("cy", 0)) / (float(child_ext.get("cy", 0)) or 1.0) if child_ext else 1.0
            across, down = across or 1.0, down or 1.0
            inner = (
                frame[0] + frame[2] * (float(off.get("x", 0)) - float(child_off.get("x", 0)) * across),
                frame[1] + frame[3] * (float(off.get("y", 0)) - float(child_off.get("y", 0)) * down),
                frame[2] * across,
                frame[3] * down,
            )
        for child in shape:
            self._shape(child, part, inner, inherited=inherited)

    def _ancestors(self, shape: Any) -> list[Any]:
        """Return the placeholders that a placeholder inherits from, the nearest first."""
        key = _key(shape)
        if key is None:
            return []
        kind, index = key
        found: list[Any] = []
        titles = ("title", "ctrTitle")
        for (other, number), one in self._layout_slots:
            if (kind in titles and other in titles) or (number == index and (index != "0" or other == kind)):
                found.append(one)
                kind = other or kind
                break
        for (other, _), one in self._master_slots:
            if (
                (kind in titles and other == "title")
                or (kind in ("body", "subTitle", "") and other == "body")
                or kind == other != ""
            ):
                found.append(one)
                break
        return found

    @staticmethod
    def _transform(shapes: list[Any]) -> Any:
        for one in shapes:
            for path in (f"{P}spPr/{A}xfrm", f"{P}xfrm"):
                if (found := one.find(path)) is not None and found.find(f"{A}ext") is not None:
                    return found
        return None

    @staticmethod
    def _box(transform: Any, frame: Frame) -> Box:
        off, ext = transform.find(f"{A}off"), transform.find(f"{A}ext")
        return (
            frame[0] + float(off.get("x")) * frame[2],
            frame[1] + float(off.get("y")) * frame[3],
            float(ext.get("cx")) * frame[2],
            float(ext.get("cy")) * frame[3],
        )

    def _drawn(self, shape: Any, frame: Frame) -> None:
        ancestors = self._ancestors(shape)
        family = [shape, *ancestors]
        transform = self._transform(family)
        if transform is None:
            return
        box = self._box(transform, frame)
        self._outline(family, transform, box)
        body = shape.find(f"{P}txBody")
        if body is not None and any(text.strip() for text in body.itertext()):
            self._text(body, family, box)

    def _outline(self, family: list[Any], transform: Any, box: Box) -> None:
        properties = [found for one in family if (found := one.find(f"{P}spPr")) is not None]
        geometry = next((g for one in properties for g in one if g.tag in (f"{A}prstGeom", f"{A}custGeom")), None)
        style = family[0].find(f"{P}style")
        fills = (f"{A}solidFill", f"{A}gradFill", f"{A}noFill", f"{A}blipFill")
        filled = next((one for one in properties if any(child.tag in fills for child in one)), None)
        paint = self._paint(filled)
        line = next((found for one in properties if (found := one.find(f"{A}ln")) is not None), None)
        stroke = self._palette.read(line.find(f"{A}solidFill")) if line is not None else None
        if style is not None:
            if filled is None:
                reference = style.find(f"{A}fillRef")
                paint = self._palette.read(reference) if reference is not None and reference.get("idx") != "0" else None
            if line is None:
                reference = style.find(f"{A}lnRef")
                stroke = (
                    self._palette.read(reference) if reference is not None and reference.get("idx") != "0" else None
                )
        width = float(line.get("w", "9525") if line is not None else "9525") * self._renderer.unit
        if paint is None and stroke is None:
            return
        turn = float(transform.get("rot", "0")) / 60_000
        kind = geometry.get("prst", "") if geometry is not None else "rect"
        left, top, across, down = box
        if kind in ("line", "straightConnector1"):
            if stroke is not None:
                start, end = (left, top), (left + across, top + down)
                if transform.get("flipV") in ("1", "true"):
                    start, end = (left, top + down), (left + across, top)
                dash = line.find(f"{A}prstDash") if line is not None else None
                pattern = _DASH.get(dash.get("val", ""), ()) if dash is not None else ()
                self._canvas.line(start, end, width, stroke, [part * max(width, 1) for part in pattern])
            return
        closed = True
        if geometry is not None and geometry.tag == f"{A}custGeom":
            outlines, closed = custom(geometry, box)
        elif kind == "rect" and not turn and paint is not None and stroke is None:
            self._canvas.rectangle(box, paint)
            return
        else:
            outlines = preset(geometry, box) if geometry is not None else []
        outlines = turned(outlines, box, turn)
        if paint is not None:
            self._canvas.polygons(outlines, paint)
        if stroke is not None:
            self._canvas.stroke(outlines, width, stroke, closed=closed)

    def _text(self, body: Any, family: list[Any], box: Box) -> None:
        bodies = [found for one in family if (found := one.find(f"{P}txBody/{A}bodyPr")) is not None]
        styles = [found for one in family if (found := one.find(f"{P}txBody/{A}lstStyle")) is not None]
        key = _key(family[0])
        kind = next((other for one in family if (found := _key(one)) is not None and (other := found[0])), "")
        name = _STYLES.get(kind if key is not None else "other", "otherStyle")
        if self._ground.styles is not None and (found := self._ground.styles.find(P + name)) is not None:
            styles.append(found)
        reference = family[0].find(f"{P}style/{A}fontRef")
        colour = self._palette.read(reference) if reference is not None else None
        TextBox(
            body, styles, bodies, self._palette, self._ground.fonts, self._renderer.scale, self._number, colour=colour
        ).draw(self._canvas, box)

    def _picture(self, shape: Any, part: Any, frame: Frame) -> None:
        family = [shape, *self._ancestors(shape)]
        transform = self._transform(family)
        blip = shape.find(f"{P}blipFill/{A}blip")
        if transform is None or blip is None:
            return
        box = self._box(transform, frame)
        size = (max(round(box[2]), 1), max(round(box[3]), 1))
        try:
            blob = part.related_part(blip.get(f"{_R}embed")).blob
            crop = shape.find(f"{P}blipFill/{A}srcRect")
            edges = tuple(float(crop.get(side, "0")) / 100_000 if crop is not None else 0.0 for side in "ltrb")
            image = _sized(blob, size, edges)
        except (OSError, KeyError, ValueError, SyntaxError, Image.DecompressionBombError):
            self._canvas.rectangle(box, (*self._palette.named("bg2"), 255))
            return
        if blip.find(f"{A}grayscl") is not None:
            image = ImageOps.grayscale(image).convert("RGB")
        properties = [found for one in family if (found := one.find(f"{P}spPr")) is not None]
        geometry = next((g for one in properties for g in one if g.tag == f"{A}prstGeom"), None)
        position = (round(box[0]), round(box[1]))
        mask: Any = image.getchannel("A") if image.mode == "RGBA" else None
        if geometry is not None and geometry.get("prst") != "rect":
            mask = mask_of(preset(geometry, (0.0, 0.0, float(size[0]), float(size[1]))), (0, 0, *size))
        self._canvas.paste(image.convert("RGB"), position, mask)
        line: Any = next((found for one in properties if (found := one.find(f"{A}ln")) is not None), None)
        stroke = self._palette.read(line.find(f"{A}solidFill")) if line is not None else None
        if line is not None and stroke is not None and geometry is not None:
            self._canvas.stroke(preset(geometry, box), float(line.get("w", "9525")) * self._renderer.unit, stroke)

    def _graphic(self, shape: Any, part: Any, frame: Frame) -> None:
        transform = self._transform([shape, *self._ancestors(shape)])
        if transform is None:
            return
        box = self._box(transform, frame)
        if (table := shape.find(f".//{A}tbl")) is not None:
            self._table(table, box)
        elif (chart := shape.find(f".//{C}chart")) is not None:
            try:
                space = part.related_part(chart.get(f"{_R}id"))._element
            except KeyError:
                return
            language = next((one.get("lang") for one in space.iter(f"{A}defRPr") if one.get("lang")), "en-US")
            ChartDrawing(space, self._palette, self._ground.fonts.minor[0], language, self._renderer.scale).draw(
                self._canvas, box
            )

    def _table(self, table: Any, box: Box) -> None:
        unit = self._renderer.unit
        widths = [float(column.get("w", "0")) * unit for column in table.iter(f"{A}gridCol")]
        properties = table.find(f"{A}tblPr")
        style_id = properties.find(f"{A}tableStyleId") if properties is not None else None
        style = self._renderer.table_styles.get(style_id.text or "") if style_id is not None else None
        rows = table.findall(f"{A}tr")
        top = box[1]
        for at, row in enumerate(rows):
            head = at == 0 and properties is not None and properties.get("firstRow") in ("1", "true")
            banded = properties is not None and properties.get("bandRow") in ("1", "true") and not head and at % 2 == 1
            parts = ["firstRow"] if head else (["band1H"] if banded else [])
            boxes = [self._cell(cell, style, [*parts, "wholeTbl"]) for cell in row.findall(f"{A}tc")]
            height = float(row.get("h", "0")) * unit
            for (text, insets, _), width in zip(boxes, widths, strict=False):
                if text is not None:
                    height = max(height, text.height(width - insets[0] - insets[2]) + insets[1] + insets[3])
            left = box[0]
            for (text, _, fill), width in zip(boxes, widths, strict=False):
                if fill is not None:
                    self._canvas.rectangle((left, top, width, height), fill)
                if text is not None:
                    text.draw(self._canvas, (left, top, width, height))
                left += width
            top += height
            strong = head or at == len(rows) - 1
            line: RGBA = (*self._palette.named("tx1"), 255 if strong else 77)
            if style is not None:
                self._canvas.line((box[0], top), (left, top), (1.5 if strong else 0.75) * self._renderer.scale, line)

    def _cell(self, cell: Any, style: Any, parts: list[str]) -> tuple[TextBox | None, list[float], Paint | None]:
        properties = cell.find(f"{A}tcPr")
        sides = (("marL", 91440), ("marT", 45720), ("marR", 91440), ("marB", 45720))
        given = [int(properties.get(name, size)) if properties is not None else size for name, size in sides]
        frame = etree.Element(
            f"{A}bodyPr", lIns=str(given[0]), tIns=str(given[1]), rIns=str(given[2]), bIns=str(given[3])
        )
        frame.set("anchor", properties.get("anchor", "t") if properties is not None else "t")
        fill = self._paint(properties)
        colour: RGBA | None = None
        strong = False
        for name in parts:
            found = style.find(A + name) if style is not None else None
            if found is None:
                continue
            if fill is None:
                fill = self._paint(found.find(f"{A}tcStyle/{A}fill"))
            text = found.find(f"{A}tcTxStyle")
            if text is not None and colour is None:
                colours = [child for child in text if child.tag in (f"{A}schemeClr", f"{A}srgbClr")]
                if colours:
                    holder = etree.Element("holder")
                    holder.append(etree.fromstring(etree.tostring(colours[0])))
                    colour = self._palette.read(holder)
                strong = strong or text.get("b") == "on"
        body = cell.find(f"{A}txBody")
        box = None
        if body is not None and any(text.strip() for text in body.itertext()):
            box = TextBox(
                body,
                [],
                [frame],
                self._palette,
                self._ground.fonts,
                self._renderer.scale,
                self._number,
                colour=colour,
                strong=strong,
            )
        return box, [value * self._renderer.unit for value in given], fill


@lru_cache(maxsize=16)
def _sized(blob: bytes, size: tuple[int, int], edges: tuple[float, ...]) -> Image.Image:
    with Image.open(io.BytesIO(blob)) as image:
        if image.format == "JPEG":
            image.draft("RGB", (size[0] * 2, size[1] * 2))
        width, height = image.size
        left, top, right, bottom = edges
        box = (
            left * width,
            top * height,
            max((1 - right) * width, left * width + 1),
            max((1 - bottom) * height, top * height + 1),
        )
        mode = "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"
        return eight_bits(image).convert(mode).resize(size, Image.Resampling.BILINEAR, box=box)
