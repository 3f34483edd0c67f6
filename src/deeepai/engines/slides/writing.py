"""Decks as files of PresentationML: placeholders filled, charts and tables native, notes for the speaker."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]
from pptx import Presentation
from pptx.oxml import parse_xml
from pptx.presentation import Presentation as Document
from pptx.slide import Slide, SlideLayout
from pptx.util import Emu

from . import charting, words
from .composing import Composer
from .designs import DESIGNS, Design, Slot
from .designs.drawing import attribute, content, emu, geometry_xml, line_xml
from .designs.layouts import OBJECT, layouts_of
from .fonts import is_cjk, is_wide
from .model import Deck
from .package import PAGE_NUMBER, TABLE_STYLE, empty, hanging
from .pictures import stored
from .sheets import Paragraph, Sheet, Text, clean
from .tabling import ABOVE, SIDE, Grid

_A: Final = "http://schemas.openxmlformats.org/drawingml/2006/main"
_P: Final = "http://schemas.openxmlformats.org/presentationml/2006/main"
_NS: Final = {"a": _A, "p": _P}
_TRANSITION: Final = f'<p:transition xmlns:p="{_P}" spd="med"><p:fade/></p:transition>'


@dataclass(frozen=True, slots=True)
class Written:
    """A slide as it was written.

    Attributes
    ----------
    kind : str
        `cover`, `contents`, `section`, `closing` or `content`.
    layout : str
        Of the design's.
    chapter, page : int
        Indices into the deck; -1: of none.
    """

    kind: str
    layout: str
    chapter: int
    page: int
    title: str


@dataclass(frozen=True, slots=True)
class Made:
    """What was written.

    Attributes
    ----------
    slides : list of Written
        In order.
    """

    path: Path
    slides: list[Written]


def write(
    deck: Deck,
    design: str,
    theme: str,
    path: Path,
    *,
    pictures: Mapping[str, Path],
    heading_font: str = "",
    transition: bool = False,
) -> Made:
    """Write a deck.

    Parameters
    ----------
    design, theme : str
        Ids.
    pictures : mapping
        Files of the pictures that blocks name; those that cannot be read are left out.
    heading_font : str
        A Han typeface for headings, instead of the design's own.
    transition : bool
        Whether slides fade in.

    Raises
    ------
    KeyError
        If there is no such design or theme.
    """
    writer = Writer(design, theme, deck.language, pictures, heading_font=heading_font, transition=transition)
    sheets = Composer(DESIGNS[design], deck.language, writer.pictures).deck(deck)
    for sheet in sheets:
        writer.add(sheet)
    properties = writer.document.core_properties
    properties.title = sheets[0].title[:255]
    properties.author = clean(deck.author)[:255]
    properties.language = deck.language
    writer.document.save(str(path))
    return Made(path, [written(sheet) for sheet in sheets])


def written(sheet: Sheet) -> Written:
    """Return what a sheet has become."""
    stage = sheet.kind.removesuffix("-2") if sheet.kind in ("contents", "contents-2") else sheet.kind
    kind = stage if stage in ("cover", "contents", "section", "closing") else "content"
    return Written(kind, sheet.kind, sheet.chapter, sheet.page, sheet.title)


class Writer:
    """Adds sheets to a presentation.

    Parameters
    ----------
    document : Presentation, optional
        One of the same design to go on with; else an empty one is begun.

    Attributes
    ----------
    pictures : dict
        Those that can be read.
    """

    def __init__(
        self,
        design: str,
        theme: str,
        language: str,
        pictures: Mapping[str, Path],
        *,
        heading_font: str = "",
        transition: bool = False,
        document: Document | None = None,
    ) -> None:
        self._design: Design = DESIGNS[design]
        self._language = language
        self._transition = transition
        self.document: Document = document or Presentation(
            io.BytesIO(empty(design, theme, language, clean(heading_font)))
        )
        self._layouts: dict[str, SlideLayout] = {layout.name: layout for layout in self.document.slide_layouts}
        self._images = {name: image for name, file in pictures.items() if (image := stored(file)) is not None}
        self.pictures = frozenset(self._images)

    def add(self, sheet: Sheet) -> Slide:
        """Add a slide at the end."""
        layout = layouts_of(self._design)[sheet.kind]
        slide = self.document.slides.add_slide(self._layouts[layout.name])
        tree: Any = slide.shapes._spTree  # pyright: ignore[reportPrivateUsage]
        for placeholder in list(slide.placeholders):
            index = placeholder.placeholder_format.idx
            element = placeholder._element  # pyright: ignore[reportPrivateUsage]
            text = sheet.texts.get(index)
            if text is not None:
                self._fill(element, text, layout.slot(index))
            elif index != OBJECT or not self._insert(placeholder, sheet, layout.slot(OBJECT)):
                tree.remove(element)
        if layout.number:
            tree.append(_number(len(tree) + 1, self._language))
        if sheet.notes:
            set_notes(slide, sheet.notes, self._language)
        if self._transition:
            slide._element.append(parse_xml(_TRANSITION))  # pyright: ignore[reportPrivateUsage]
        return slide

    def _fill(self, element: Any, text: Text, slot: Slot) -> None:
        body = element.find("p:txBody", _NS)
        rtl = words.is_rtl(self._language)
        paragraphs = "".join(
            paragraph_xml(paragraph, text, slot, self._language, rtl=rtl, first=not at)
            for at, paragraph in enumerate(text.paragraphs)
        )
        fitted = parse_xml(
            f'<p:txBody xmlns:p="{_P}" xmlns:a="{_A}"><a:bodyPr><a:normAutofit/></a:bodyPr><a:lstStyle/>{paragraphs}'
            "</p:txBody>"
        )
        element.replace(body, fitted)

    def _insert(self, placeholder: Any, sheet: Sheet, slot: Slot) -> bool:
        if sheet.grid is not None and slot.kind == "tbl":
            self._table(placeholder, sheet.grid, slot)
            return True
        if sheet.chart is not None and slot.kind == "chart":
            kind, numbers = charting.data(sheet.chart)
            drawn = placeholder.insert_chart(kind, numbers)
            drawn._element.nvGraphicFramePr.cNvPr.set("descr", sheet.title)
            charting.dress(drawn.chart, sheet.chart)
            charting.tidy(drawn.chart, self._language)
            return True
        if sheet.picture and slot.kind == "pic":
            self._picture(placeholder, sheet, slot)
            return True
        return False

    def _picture(self, placeholder: Any, sheet: Sheet, slot: Slot) -> None:
        picture = placeholder.insert_picture(io.BytesIO(self._images[sheet.picture]))
        picture._element.nvPicPr.cNvPr.set("descr", sheet.title or sheet.picture)
        properties = picture._element.spPr
        # What a placeholder inherits is written out: not every program cuts a picture to its layout's shape.
        if slot.geometry != "rect":
            for xml in (geometry_xml(slot.geometry, slot.adjust), line_xml(slot.line, 1.5) if slot.line else ""):
                if xml:
                    properties.append(parse_xml(xml.replace(">", f' xmlns:a="{_A}">', 1)))
        if self._design.look.grey_pictures:
            picture._element.blipFill.blip.append(etree.Element(f"{{{_A}}}grayscl"))

    def _table(self, placeholder: Any, grid: Grid, slot: Slot) -> None:
        frame = placeholder.insert_table(len(grid.rows), len(grid.widths))
        frame._element.nvGraphicFramePr.cNvPr.set("name", "Table")
        left, top, width, _ = slot.box
        frame.left, frame.top = Emu(emu(left)), Emu(emu(top))
        frame.width, frame.height = Emu(emu(width)), Emu(emu(sum(grid.heights)))
        table = frame._element.graphic.graphicData.tbl
        style = table.tblPr.find("a:tableStyleId", _NS)
        style.text = TABLE_STYLE
        for column, points in zip(table.tblGrid.findall("a:gridCol", _NS), grid.widths, strict=True):
            column.set("w", str(emu(points)))
        rows = table.findall("a:tr", _NS)
        for at, (row, texts) in enumerate(zip(rows, grid.rows, strict=True)):
            row.set("h", str(emu(grid.heights[at])))
            for cell, text, right in zip(row.findall("a:tc", _NS), texts, grid.right, strict=True):
                row.replace(cell, self._cell(text, grid.size, right=right, head=at == 0))

    def _cell(self, text: str, size: int, *, right: bool, head: bool) -> Any:
        align = "r" if right else "l"
        runs = runs_xml(text, self._language, size=size)
        anchor = "b" if head else "ctr"
        return parse_xml(
            f'<a:tc xmlns:a="{_A}"><a:txBody><a:bodyPr/><a:lstStyle/><a:p><a:pPr algn="{align}" hangingPunct="0"/>'
            f'{runs}{_end(self._language, size)}</a:p></a:txBody><a:tcPr marL="{emu(SIDE)}" marR="{emu(SIDE)}" '
            f'marT="{emu(ABOVE)}" marB="{emu(ABOVE)}" anchor="{anchor}"/></a:tc>'
        )


def set_notes(slide: Slide, notes: str, language: str) -> None:
    """Set what the speaker says."""
    frame = slide.notes_slide.notes_text_frame
    assert frame is not None
    body = frame._txBody  # pyright: ignore[reportPrivateUsage]
    for paragraph in body.findall("a:p", _NS):
        body.remove(paragraph)
    for line in notes.split("\n"):
        body.append(parse_xml(f'<a:p xmlns:a="{_A}">{runs_xml(clean(line), language)}{_end(language)}</a:p>'))


def _end(language: str, size: int = 0) -> str:
    points = f' sz="{size * 100}"' if size else ""
    return f"<a:endParaRPr lang={attribute(language)}{points}/>"


def runs_xml(text: str, language: str, *, size: int = 0, strong: bool | None = None, spacing: int = 0) -> str:
    """Return a paragraph's runs; each has its language, by which programs choose the forms of Han letters.

    Parameters
    ----------
    size : int
        Points; 0: as the placeholder has it.
    spacing : int
        Hundredths of a point after each letter.
    """
    if not text:
        return ""
    flags = f' sz="{size * 100}"' if size else ""
    flags += f' b="{int(strong)}"' if strong is not None else ""
    flags += f' spc="{spacing}"' if spacing else ""
    if is_cjk(language):
        return f'<a:r><a:rPr lang={attribute(language)} altLang="en-US"{flags}/><a:t>{content(text)}</a:t></a:r>'
    runs: list[tuple[bool, str]] = []
    for letter in text:
        han = is_wide(letter, cjk=False) and ord(letter) > 0x2E7F
        if runs and (runs[-1][0] == han or letter == " "):
            runs[-1] = (runs[-1][0], runs[-1][1] + letter)
        else:
            runs.append((han, letter))
    return "".join(
        f"<a:r><a:rPr lang={attribute('zh-CN' if han else language)}{flags}/><a:t>{content(part)}</a:t></a:r>"
        for han, part in runs
    )


def paragraph_xml(
    paragraph: Paragraph, text: Text, slot: Slot, language: str, *, rtl: bool = False, first: bool = False
) -> str:
    """Return a paragraph of a placeholder: only what differs from the layout is said."""
    size = text.size if text.size != slot.size else 0
    inner = ""
    flags = ""
    if slot.bullet and not paragraph.bullet:
        flags, inner = ' marL="0" indent="0"', "<a:buNone/>"
    elif slot.bullet and size:
        margin = emu(hanging(slot) * text.size)
        flags = f' marL="{margin}" indent="-{margin}"'
    if slot.bullet == "1." and text.first > 1:
        inner = f'<a:buFont typeface="+mj-lt"/><a:buAutoNum type="arabicPlain" startAt="{text.first}"/>'
    before = text.before if text.before is not None else slot.before * text.size
    if text.before is not None or (slot.before and size):
        inner = f'<a:spcBef><a:spcPts val="{round(before * 100)}"/></a:spcBef>{inner}'
    if rtl:
        flags += ' rtl="1"' + (' algn="r"' if slot.align == "l" else "")
    properties = f"<a:pPr{flags}>{inner}</a:pPr>" if flags or inner else ""
    runs = runs_xml(
        paragraph.text,
        language,
        size=size,
        strong=paragraph.bold,
        spacing=round(paragraph.tracking * text.size * 100),
    )
    return f'<a:p xmlns:a="{_A}">{properties}{runs}{_end(language, size)}</a:p>'.replace(f' xmlns:a="{_A}"', "", 1)


def _number(identity: int, language: str) -> Any:
    return parse_xml(
        f'<p:sp xmlns:p="{_P}" xmlns:a="{_A}"><p:nvSpPr><p:cNvPr id="{identity + 20}" name="Page number"/><p:cNvSpPr>'
        f'<a:spLocks noGrp="1"/></p:cNvSpPr><p:nvPr><p:ph type="sldNum" sz="quarter" idx="{PAGE_NUMBER}"/></p:nvPr>'
        "</p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:lstStyle/><a:p>"
        '<a:fld id="{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}" type="slidenum">'
        f"<a:rPr lang={attribute(language)}/><a:t>‹#›</a:t></a:fld>{_end(language)}</a:p></p:txBody></p:sp>"
    )
