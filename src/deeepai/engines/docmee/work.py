"""The jobs of Docmee's format. Requests are JSON, `task` says which:

- `outline`: `subject`, `length`, `lang`, `prompt`; the files of a document that `slides.reading` has read. Tells `text`
  piece by piece, and `reset` where it begins anew; returns `markdown` and `tree`.
- `update`: `markdown`, `question`, `length`; likewise.
- `content`: `markdown`, `lang`, `prompt`, `at` (what comes before the names of the document's pictures); likewise.
- `parse`: `markdown`; returns `tree`.
- `make`: `markdown` or `deck`, `design`, `theme`, `notes`, `step` (whether page by page is told); files are pictures.
  Makes `deck.pptx`, `cover.png`, `tree.json`; returns `deck`, `pages`.
- `cover`: `deck`, `design`, `theme`; makes `cover.png`.
- `redo`: the file `deck.pptx`, written anew in `design` and `theme` by what it says; as `make`.
- `save`: the file `tree`, and pictures by address in `pictures`; `deck.pptx`, `cover.png`, `tree.json`.
- `convert`: the file `deck.pptx`; `tree.json`.
- `build`: the file `tree`; `deck.pptx`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from ..jobs import Refusal, Work
from ..slides import chat, making, markdown, planning, previews, reading
from ..slides.documents import Document
from ..slides.documents import read as read_document
from ..slides.model import Block, Chapter, Deck, Page
from ..slides.revising import revised
from ..slides.wording import tag
from .naming import name_of

COVER: Final = 960
"""Pixels of a cover's width."""
_STEP: Final = 240
"""Pixels of a page that is drawn to see that it can be."""
_TOLD: Final = 40
"""Characters of one piece, about."""
_PICTURE: Final = re.compile(r"\]\(([^()\s]+)\)")
"""A picture's name in a text; of a link, too, which is never a document's picture's."""


def run(work: Work) -> dict[str, Any]:
    """Do a job.

    Raises
    ------
    Refusal
    """
    return _TASKS[str(work.request["task"])](work)


# Texts -------------------------------------------------------------------------------------------------------------


def _document(work: Work) -> Document | None:
    return reading.kept(work.given("")) if work.given("document.json").is_file() else None


def _language(work: Work) -> str:
    said = str(work.request.get("lang") or "")
    return tag(said) if said else ""


def _told(work: Work, pieces: Iterable[str]) -> str:
    """Tell a text as it comes, by lines; return it. Where its source begins anew, so does what is told."""
    held = whole = ""
    for piece in pieces:
        if piece == chat.RESET:
            held = whole = ""
            work.tell(1, reset=True)
            continue
        held += piece
        lines, end, rest = held.rpartition("\n")
        if end and len(lines) >= _TOLD:
            work.tell(50, text=lines + end)
            whole, held = whole + lines + end, rest
    if held:
        work.tell(99, text=held)
    return whole + held


def _written(work: Work, pieces: Iterable[str], *, content: bool, language: str = "") -> dict[str, Any]:
    """Tell a text; return it with its tree."""
    text = _told(work, pieces)
    return {"markdown": text, "tree": markdown.tree(markdown.parse(text, language), content)}


def _outline(work: Work) -> dict[str, Any]:
    said, source = work.request, _document(work)
    pieces = chat.outline_stream(
        str(said.get("subject") or ""),
        source,
        length=str(said.get("length") or "medium"),
        language=_language(work) or "zh-CN",
        prompt=str(said.get("prompt") or ""),
    )
    return _written(work, pieces, content=False)


def _update(work: Work) -> dict[str, Any]:
    """Bring an outline into shape: as many chapters and pages as its length has, each with what it lacks.

    Without a model nothing in it can be said in other words; what a `question` asks beyond what rules can do stays
    undone.
    """
    said = work.request
    deck = _titled(markdown.parse(str(said["markdown"])))
    question = str(said.get("question") or "")
    if chat.Endpoint.configured() is not None:
        pieces = chat.update_stream(deck, question, length=str(said.get("length") or ""))
        return _written(work, pieces, content=False)
    usual = planning.outline(deck.title, None, length=str(said.get("length") or "medium"), language=deck.language)
    many = max(len(usual.chapters), 1)
    if said.get("length"):
        deck.chapters = [*deck.chapters[:many], *usual.chapters[len(deck.chapters) : many]]
    for chapter, model in zip(deck.chapters, usual.chapters * (len(deck.chapters) // many + 1), strict=False):
        if not chapter.pages:
            chapter.pages = [Page(f"{chapter.title} · {page.title}", list(page.blocks)) for page in model.pages]
        for page, like in zip(
            chapter.pages, model.pages * (len(chapter.pages) // max(len(model.pages), 1) + 1), strict=False
        ):
            if not page.blocks:
                page.blocks = [Block(block.title) for block in like.blocks]
    return _written(work, markdown.stream(revised(deck, question), content=False), content=False)


def _titled(deck: Deck) -> Deck:
    """Refuse a deck without a title or a chapter, which the format demands.

    Raises
    ------
    Refusal
    """
    if not deck.title or not deck.chapters:
        raise Refusal("unreadable", "the text needs one heading of the first level and at least one of the second")
    return deck


def _content(work: Work) -> dict[str, Any]:
    source, at = _document(work), str(work.request.get("at", ""))
    deck = _titled(markdown.parse(str(work.request["markdown"]), _language(work)))
    pieces = chat.content_stream(deck, source, prompt=str(work.request.get("prompt") or ""))
    if source is not None and source.pictures:
        pieces = _named(pieces, source.pictures, at)
    return _written(work, pieces, content=True, language=deck.language)


def _named(pieces: Iterable[str], pictures: Collection[str], at: str) -> Iterator[str]:
    """Yield a text by lines, in which the document's pictures have the names that callers bring back."""

    def renamed(text: str) -> str:
        return _PICTURE.sub(lambda found: f"]({at}{found[1]})" if found[1] in pictures else found[0], text)

    held = ""
    for piece in pieces:
        if piece == chat.RESET:
            held = ""
            yield piece
            continue
        lines, end, held = (held + piece).rpartition("\n")
        if end:
            yield renamed(lines + end)
    if held:
        yield renamed(held)


def _parse(work: Work) -> dict[str, Any]:
    return {"tree": markdown.tree(markdown.parse(str(work.request["markdown"])))}


def _blocks(deck: Deck) -> Iterable[Block]:
    return (block for chapter in deck.chapters for page in chapter.pages for block in page.blocks)


def addresses(text: str) -> list[str]:
    """Return the addresses of pictures that a text names."""
    return list(dict.fromkeys(block.image for block in _blocks(markdown.parse(text)) if block.image))


# Decks -------------------------------------------------------------------------------------------------------------


def _make(work: Work) -> dict[str, Any]:
    said = work.request
    if "deck" in said:
        deck = msgspec.convert(said["deck"], Deck)
    else:
        deck = _titled(markdown.parse(str(said["markdown"]), _language(work)))
    # Their names are their addresses' digests.
    for block in _blocks(deck):
        block.image = name_of(block.image) if block.image else ""
    notes = [note for note in said.get("notes") or () if isinstance(note, str) or note is None]
    pages = [page for chapter in deck.chapters for page in chapter.pages]
    for page, note in zip(pages, notes, strict=False):
        page.notes = note or ""
    return _laid_out(work, deck)


def _laid_out(work: Work, deck: Deck) -> dict[str, Any]:
    said = {"deck": msgspec.to_builtins(deck), **{name: work.request[name] for name in ("design", "theme")}}
    made = making.run(_within(work, said, previews=False))
    _finished(work)
    if work.request.get("step"):
        work.tell(30, pages=made["pages"])
        # Each page is drawn once, which shows that it can be.
        previews.draw(
            work.made("deck.pptx"),
            work.made(""),
            width=_STEP,
            by=previews.SIMPLE,
            told=lambda number, count: work.tell(30 + 69 * number // count, page=number),
        )
    return {"deck": made["deck"], "pages": made["pages"]}


def _within(work: Work, request: Mapping[str, Any], **options: Any) -> Work:
    """Return the same work with another request, for another job's module."""
    return Work({**request, "options": options}, work.folder, work.packs, lambda at, fact: work.tell(at))


def _cover(work: Work) -> dict[str, Any]:
    made = making.run(_within(work, work.request, only="cover", width=COVER))
    return {"pages": made["pages"]}


def _finished(work: Work) -> None:
    """Make what belongs to a deck's file: its cover's picture and its tree."""
    from ..slides.raster import Renderer
    from ..slides.tree import to_tree

    path = work.made("deck.pptx")
    work.made("tree.json").write_bytes(msgspec.json.encode(to_tree(path)))
    image = next(iter(Renderer(path, COVER)), None)
    if image is not None:
        image.save(work.made("cover.png"), "PNG")


def _redo(work: Work) -> dict[str, Any]:
    path = work.given("deck.pptx")
    document = read_document(path, "deck.pptx")
    path.unlink()
    deck = markdown.parse(document.markdown)
    for block in _blocks(deck):
        if (picture := document.pictures.get(block.image)) is not None:
            work.given(name_of(block.image)).write_bytes(picture)
        block.image = name_of(block.image) if block.image else ""
    deck = Deck(deck.title or str(work.request.get("subject") or ""), chapters=deck.chapters or [Chapter(deck.title)])
    return _laid_out(work, deck)


def _tree(path: Path) -> Any:
    try:
        tree = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        tree = None
    if not isinstance(tree, dict) or not isinstance(tree.get("pages"), list) or not tree["pages"]:
        raise Refusal("unreadable", "the tree has no pages")
    return tree


def _save(work: Work) -> dict[str, Any]:
    pages = _built(work)
    _finished(work)
    return {"pages": pages}


def _built(work: Work) -> int:
    from ..slides.tree import from_tree

    tree = _tree(work.given("tree"))
    named: Mapping[str, str] = work.request.get("pictures") or {}
    pictures = {address: work.given(name).read_bytes() for address, name in named.items()}
    from_tree(tree, work.made("deck.pptx"), pictures)
    return len(tree["pages"])


def _convert(work: Work) -> dict[str, Any]:
    from ..slides.tree import to_tree

    tree = to_tree(work.given("deck.pptx"))
    work.made("tree.json").write_bytes(msgspec.json.encode(tree))
    return {"pages": len(tree["pages"])}


def _build(work: Work) -> dict[str, Any]:
    return {"pages": _built(work)}


_TASKS: Final[Mapping[str, Callable[[Work], dict[str, Any]]]] = {
    "outline": _outline,
    "update": _update,
    "content": _content,
    "parse": _parse,
    "make": _make,
    "cover": _cover,
    "redo": _redo,
    "save": _save,
    "convert": _convert,
    "build": _build,
}
