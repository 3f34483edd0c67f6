"""The job that makes a deck: written, drawn page by page, told as it goes.

Requests are JSON:

- `deck`: a `Deck`.
- `design`, `theme`: ids.
- `options`: `heading_font`, `transition`, `width` of the pictures in pixels (1280), `renderer` (`simple` or
  `libreoffice`; the best there is), `only` (`cover`: one page, drawn simply), `previews` (false: none).

The job's other files are pictures, by the names that the deck's blocks have for them. It makes `deck.pptx`,
`page-1.png`, … and `cover.png`; tells `page` and `file` of each; and returns `pages`, `renderer`, `title`, `slides`
(kind, layout, chapter, page, title of each) and `deck`, as it was written.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from ..jobs import Refusal, Work
from . import previews
from .designs import DESIGNS
from .model import Deck
from .writing import write

_MOST_PAGES = 400


def run(work: Work) -> dict[str, Any]:
    """Make a deck.

    Raises
    ------
    Refusal
        `unsupported` for a design or theme that there is not; `unreadable` for what is no deck; `too_large` for too
        many pages.
    """
    request = work.request
    try:
        deck = msgspec.convert(request["deck"], Deck)
    except (KeyError, msgspec.ValidationError) as error:
        raise Refusal("unreadable", f"This is not a deck: {error}") from None
    design = DESIGNS.get(str(request.get("design", "")))
    theme = str(request.get("theme", ""))
    if design is None or theme not in design.themes:
        raise Refusal("unsupported", "There is no such design or theme.")
    if sum(len(chapter.pages) for chapter in deck.chapters) > _MOST_PAGES:
        raise Refusal("too_large", f"A deck has at most {_MOST_PAGES} pages.")
    options: dict[str, Any] = dict(request.get("options") or {})
    is_cover = options.get("only") == "cover"
    if is_cover:
        deck = Deck(deck.title, deck.subtitle, deck.author, deck.language)
    work.tell(5)
    path = work.made("deck.pptx")
    made = write(
        deck,
        design.id,
        theme,
        path,
        pictures=_pictures(work),
        heading_font=str(options.get("heading_font", "")),
        transition=bool(options.get("transition")),
    )
    slides = [msgspec.to_builtins(slide) for slide in made.slides]
    result: dict[str, Any] = {
        "pages": len(slides),
        "renderer": "",
        "title": made.slides[0].title,
        "slides": slides,
        "deck": msgspec.to_builtins(deck),
    }
    work.tell(20, pages=len(slides))
    if options.get("previews") is False:
        return result
    width = min(max(int(options.get("width", 1280)), 160), 3840)

    def told(number: int, count: int) -> None:
        name = f"page-{number}.png"
        if number == 1:
            shutil.copyfile(work.made(name), work.made("cover.png"))
        work.tell(20 + 79 * number // count, page=number, file=name)

    by = previews.SIMPLE if is_cover else str(options.get("renderer", ""))
    if by == previews.LIBREOFFICE and previews.renderer() != previews.LIBREOFFICE:
        by = previews.SIMPLE
    drawn = previews.draw(path, work.made(""), width=width, by=by, told=told)
    result["renderer"] = drawn.renderer
    return result


def _pictures(work: Work) -> dict[str, Path]:
    folder = work.given("")
    return {file.name: file for file in folder.iterdir() if file.is_file()} if folder.is_dir() else {}
