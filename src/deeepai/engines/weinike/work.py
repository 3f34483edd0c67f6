"""The jobs behind the format; `do` of a request says which.

- `covers`: pictures `cover-1.png`, … of `title` and `author` in each of `templates`.
- `structure`: an outline of `subject`; told as `deck`.
- `deck`: a deck of a `text`, an `outline` (a `Deck`) or the file `document`.
- `page`: the deck in the file `deck.pptx` with one more page.
- `notes`: the deck in the file `deck.pptx` with what its speaker says.
- `template`: a deck written anew in another template.

The last four make `deck.pptx` and `page-1.png`, …; tell `pages`, the number of pages, and `page`, `file` and `seconds`
of each that is drawn; and return what follow-ups need: `deck`, `slides`, `template`, `pictures`, `noted`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from ..jobs import Refusal, Work
from ..slides import chat, editing, markdown, previews
from ..slides.documents import Document, read
from ..slides.model import Block, Chapter, Deck, Inserted, Page
from ..slides.raster import Renderer
from ..slides.writing import Written, write
from . import DECK, SOURCE, building, stamping
from .templates import Template, recolour

MOST_CHARACTERS: Final = 35_000
"""Of a document: the vendor cuts what is longer."""
_WIDTH: Final = 1280
_MOST_PAGES: Final = 400


def run(work: Work) -> dict[str, Any]:
    """Do a job.

    Raises
    ------
    Refusal
    """
    doing = {"covers": _covers, "structure": _structure, "deck": _deck, "page": _page, "notes": _notes}
    return doing.get(work.request["do"], _template)(work)


# Before a deck ------------------------------------------------------------------------------------------------------


def _covers(work: Work) -> dict[str, Any]:
    request = work.request
    templates = msgspec.convert(request["templates"], list[Template])
    deck = Deck(request["title"], author=request["author"], language=request["language"])
    for number, template in enumerate(templates, 1):
        path = work.made(f"cover-{number}.pptx")
        write(deck, template.design, template.theme, path, pictures={})
        recolour(path, template)
        Renderer(path, _WIDTH).page(1).save(work.made(f"cover-{number}.png"), "PNG", compress_level=1)
        path.unlink()
        work.tell(95 * number // len(templates))
    return {"templates": msgspec.to_builtins(templates)}


def _structure(work: Work) -> dict[str, Any]:
    return {"deck": msgspec.to_builtins(_outlined(work, None))}


def _outlined(work: Work, source: Document | None) -> Deck:
    request = work.request
    return chat.outline(
        # A text names its topic itself, a document may.
        "" if source is not None and "document" not in request else request["subject"],
        source,
        length=request["length"],
        language=request["language"],
        prompt=request.get("prompt", ""),
    )


# Decks --------------------------------------------------------------------------------------------------------------


def _deck(work: Work) -> dict[str, Any]:
    request = work.request
    source = _source(work)
    if request.get("outline") is not None:
        deck = msgspec.convert(request["outline"], Deck)
    elif source is not None and building.is_markdown(source.markdown) and not request.get("document"):
        deck = markdown.parse(source.markdown, request["language"])
    else:
        deck = _outlined(work, source)
    work.tell(5, title=deck.title)
    deck = _filled(deck, source, request.get("prompt", ""))
    deck.author = request.get("author") or deck.author
    deck.subtitle = request.get("subtitle") or deck.subtitle
    if source is not None:
        work.made(SOURCE).write_text(source.markdown, "utf-8")
    picture = request.get("school_picture")
    if picture:
        # The school is shown before what is said.
        deck.inserted.append(Inserted(1, Page(request.get("subtitle", ""), [Block(image=picture)], "picture")))
    return _written(work, deck, msgspec.convert(request["template"], Template))


def _filled(deck: Deck, source: Document | None, prompt: str) -> Deck:
    """Return a deck whose empty pages say something; what its caller wrote stays, whoever fills the rest."""
    if all(any(map(_says, page.blocks)) for chapter in deck.chapters for page in chapter.pages):
        return deck
    found = chat.content(deck, source, prompt=prompt)
    by_title = {page.title: page for chapter in found.chapters for page in chapter.pages}
    for number, chapter in enumerate(deck.chapters):
        there = found.chapters[number].pages if number < len(found.chapters) else []
        for at, page in enumerate(chapter.pages):
            filled = there[at] if at < len(there) and there[at].title == page.title else by_title.get(page.title)
            if filled is not None and not any(map(_says, page.blocks)):
                page.blocks, page.layout = filled.blocks, filled.layout
    deck.language, deck.subtitle = found.language, deck.subtitle or found.subtitle
    return deck


def _says(block: Block) -> bool:
    return bool(block.points or block.image or block.table or block.chart)


def _source(work: Work) -> Document | None:
    """Return what a deck is made of: a document, or a text that is more than the name of a topic."""
    name, text = work.request.get("document"), work.request.get("text", "")
    if name:
        found = read(work.given("document"), name)
        for picture, data in found.pictures.items():
            work.made(picture).write_bytes(data)
        return Document(found.title, found.markdown[:MOST_CHARACTERS], found.pictures)
    if building.is_source(text):
        return Document("", text)
    return None


def _template(work: Work) -> dict[str, Any]:
    deck = msgspec.convert(work.request["deck"], Deck)
    return _written(work, deck, msgspec.convert(work.request["template"], Template))


def _written(work: Work, deck: Deck, template: Template) -> dict[str, Any]:
    """Write a deck and draw it."""
    if sum(len(chapter.pages) for chapter in deck.chapters) > _MOST_PAGES:
        raise Refusal("too_large", f"A deck has at most {_MOST_PAGES} pages.")
    options = work.request.get("options", {})
    pictures = _pictures(work)
    path = work.made(DECK)
    made = write(
        deck,
        template.design,
        template.theme,
        path,
        pictures=pictures,
        heading_font=options.get("font", ""),
        transition=options.get("transition", False),
    )
    recolour(path, template)
    stamping.stamp(path, deck.language, logo=pictures.get(options.get("logo", "")), marked=options.get("marked", False))
    return _drawn(work, deck, template, made.slides)


def _page(work: Work) -> dict[str, Any]:
    request = work.request
    deck = msgspec.convert(request["deck"], Deck)
    template = msgspec.convert(request["template"], Template)
    path = work.made(DECK)
    shutil.copyfile(work.given(DECK), path)
    inserted = editing.insert(
        path,
        deck,
        request["position"],
        _described(request["text"], request["kind"], deck),
        template.design,
        template.theme,
        slides=msgspec.convert(request["slides"], list[Written]),
        kind=request["kind"],
        pictures=_pictures(work),
        transition=request.get("options", {}).get("transition", False),
    )
    return _drawn(work, inserted.deck, template, inserted.made.slides)


def _described(text: str, kind: str, deck: Deck) -> Page:
    """Return the page that a description asks for: what it says, or else what its speaker should say of it."""
    if kind != "content":
        return Page(text)
    if building.is_source(text) or "\n" in text.strip():
        said = markdown.parse(text, deck.language)
        page = next((page for chapter in said.chapters for page in chapter.pages), None)
        if page is not None:
            return page
    title = text or deck.title
    asked = Deck(deck.title, language=deck.language, chapters=[Chapter(title, [Page(title)])])
    return _filled(asked, None, "").chapters[0].pages[0]


def _notes(work: Work) -> dict[str, Any]:
    request = work.request
    slides = msgspec.convert(request["slides"], list[Written])
    template = msgspec.convert(request["template"], Template)
    source = work.given(SOURCE)
    document = Document("", source.read_text("utf-8")) if source.is_file() else None
    deck = chat.notes(msgspec.convert(request["deck"], Deck), document)
    path = work.made(DECK)
    shutil.copyfile(work.given(DECK), path)
    said: dict[int, str] = {}
    first: set[tuple[int, int]] = set()
    for at, slide in enumerate(slides):
        if slide.kind == "content" and slide.chapter >= 0 and (slide.chapter, slide.page) not in first:
            # Of a page that takes several slides the first has its notes.
            first.add((slide.chapter, slide.page))
            said[at] = deck.chapters[slide.chapter].pages[slide.page].notes
    editing.set_notes(path, {at: notes for at, notes in said.items() if notes}, deck.language)
    work.tell(20)
    return {**_drawn(work, deck, template, slides), "noted": True}


# Drawn --------------------------------------------------------------------------------------------------------------


def _pictures(work: Work) -> dict[str, Path]:
    """Return the deck's pictures, which are kept with it: what follows needs them again."""
    for file in work.given("").iterdir():
        if file.is_file() and file.name.startswith("picture-"):
            shutil.copyfile(file, work.made(file.name))
    return {file.name: file for file in work.made("").iterdir() if file.name.startswith("picture-")}


def _drawn(work: Work, deck: Deck, template: Template, slides: Sequence[Written]) -> dict[str, Any]:
    """Draw a deck's pages, and return what follow-ups need of it."""
    begun, noted = time.monotonic(), bool(work.request.get("noted"))
    result: dict[str, Any] = {
        "title": slides[0].title if slides else deck.title,
        "pages": len(slides),
        "renderer": "",
        "deck": msgspec.to_builtins(deck),
        "slides": [msgspec.to_builtins(slide) for slide in slides],
        "template": msgspec.to_builtins(template),
        "pictures": sorted(file.name for file in work.made("").iterdir() if file.name.startswith("picture-")),
        "noted": noted,
    }
    work.tell(20, pages=len(slides), title=result["title"])
    if work.request.get("options", {}).get("plain"):
        return result

    def told(number: int, count: int) -> None:
        seconds = round(time.monotonic() - begun, 1)
        work.tell(20 + 79 * number // count, page=number, file=f"page-{number}.png", seconds=seconds)

    result["renderer"] = previews.draw(work.made(DECK), work.made(""), width=_WIDTH, told=told).renderer
    return result
