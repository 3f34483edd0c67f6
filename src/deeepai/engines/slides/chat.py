"""Outlines, content and notes by a chat model, where one is configured; else, and where it fails, by the planner.

The endpoint is any that speaks OpenAI's chat completions: `DEEEPAI_ENGINES_CHAT_URL` (up to `/v1`),
`DEEEPAI_ENGINES_CHAT_KEY`, `DEEEPAI_ENGINES_CHAT_MODEL`. The gateway itself will do, with a token of its own: the calls
are then charged to that token.

Streams are pieces of Markdown. Where the model fails in the midst, `RESET` comes, and then everything anew from the
planner: what came before does not count.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from . import markdown, planning
from .documents import Document
from .model import Deck
from .revising import revised
from .wording import tag

RESET: Final = "\x00"
"""A piece that says: forget what came so far."""
SECONDS: Final = 180.0
"""That an answer may take, all in all."""
_SILENCE: Final = 45.0
_MOST_CHARACTERS: Final = 120_000
_MOST_SOURCE: Final = 20_000
_MOST_LINE: Final = 1_000_000
_PAGES: Final = {"short": "10 to 15", "medium": "20 to 30", "long": "25 to 35"}
_GRAMMAR: Final = (
    "Answer in Markdown alone, without a fence and without any word before or after it. One `#` line is the deck's "
    "title, `##` lines are chapters (about six), `###` lines pages (about three in a chapter), `####` lines blocks of "
    "a page (two to four). Titles have at most 30 characters of Chinese or 60 of others. "
)
_OUTLINE: Final = _GRAMMAR + "Write the headings alone: no text below them."
_CONTENT: Final = (
    _GRAMMAR
    + "Keep every heading of the outline as it is and in its order. Below each `####` write one or two `- ` points of "
    "40 to 80 characters; where numbers are compared, a table. Say nothing that is not in the document, where there is "
    "one."
)
_NOTES: Final = (
    "For each `###` page of the deck write what its speaker says, two to four sentences. Answer with the `###` lines "
    "of the deck, as they are and in their order, and the sentences below each; nothing else."
)
_log = logging.getLogger(__name__)


class ChatFailed(Exception):
    """The endpoint has not answered as it should."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is."""

    url: str
    key: str
    model: str

    @classmethod
    def configured(cls) -> Endpoint | None:
        """Return what the environment says, None where it says nothing whole."""
        url, key, model = (
            os.environ.get(f"DEEEPAI_ENGINES_CHAT_{name}", "").strip() for name in ("URL", "KEY", "MODEL")
        )
        return cls(url.rstrip("/"), key, model) if url.startswith(("http://", "https://")) and model else None


def outline_stream(
    subject: str, source: Document | None, *, length: str = "medium", language: str = "zh-CN", prompt: str = ""
) -> Iterator[str]:
    """Yield an outline as Markdown."""
    asked = [
        f"Write the outline of a presentation of {_PAGES.get(length, _PAGES['medium'])} pages.",
        f"Its language is {tag(language)}.",
        f"Subject: {subject}" if subject else "",
        f"Wish: {prompt}" if prompt else "",
        _document(source),
    ]
    yield from _or(
        _OUTLINE,
        asked,
        lambda: planning.outline_stream(subject, source, length=length, language=language, prompt=prompt),
        _is_outline,
    )


def content_stream(deck: Deck, source: Document | None, *, prompt: str = "") -> Iterator[str]:
    """Yield a deck with its content as Markdown."""
    asked = [
        f"Fill this outline, in the language {deck.language}.",
        f"Wish: {prompt}" if prompt else "",
        markdown.write(deck, content=False),
        _document(source),
    ]
    titles = [page.title for chapter in deck.chapters for page in chapter.pages]

    def whole(text: str) -> bool:
        found = markdown.parse(text)
        pages = [page for chapter in found.chapters for page in chapter.pages]
        filled = sum(any(block.points or block.table or block.chart for block in page.blocks) for page in pages)
        return len(pages) >= len(titles) and filled >= 0.8 * len(titles)

    yield from _or(_CONTENT, asked, lambda: planning.content_stream(deck, source, prompt=prompt), whole)


def outline(
    subject: str, source: Document | None, *, length: str = "medium", language: str = "zh-CN", prompt: str = ""
) -> Deck:
    """Return a deck of titles; see `planning.outline`."""
    if Endpoint.configured() is None:
        return planning.outline(subject, source, length=length, language=language, prompt=prompt)
    return markdown.parse(settled(outline_stream(subject, source, length=length, language=language, prompt=prompt)))


def content(deck: Deck, source: Document | None, *, prompt: str = "") -> Deck:
    """Return a deck with what its pages say; see `planning.content`."""
    if Endpoint.configured() is None:
        return planning.content(deck, source, prompt=prompt)
    return markdown.parse(settled(content_stream(deck, source, prompt=prompt)), deck.language)


def update(deck: Deck, question: str, *, length: str = "") -> Deck:
    """Return an outline changed as `question` asks."""
    if Endpoint.configured() is None:
        return revised(deck, question, length)
    return markdown.parse(settled(update_stream(deck, question, length=length)), deck.language)


def settled(pieces: Iterable[str]) -> str:
    """Return what a stream says in the end."""
    text = ""
    for piece in pieces:
        text = "" if piece == RESET else text + piece
    return text


def update_stream(deck: Deck, question: str, *, length: str = "") -> Iterator[str]:
    """Yield an outline as Markdown, changed as `question` asks; see `revising` for what is done without a model."""
    asked = [
        f"Change this outline: {question or 'make it better'}. Its language is {deck.language}.",
        f"It is to have {_PAGES[length]} pages." if length in _PAGES else "",
        markdown.write(deck, content=False),
    ]
    yield from _or(
        _OUTLINE, asked, lambda: markdown.stream(revised(deck, question, length), content=False), _is_outline
    )


def notes(deck: Deck, source: Document | None = None) -> Deck:
    """Return a deck with its speaker's notes."""
    planned = planning.notes(deck, source)
    endpoint = Endpoint.configured()
    if endpoint is None:
        return planned
    pages = [page for chapter in planned.chapters for page in chapter.pages]
    asked = [f"The language is {deck.language}.", markdown.write(deck), _document(source)]
    try:
        read = markdown.parse("".join(_answered(endpoint, _NOTES, asked)))
    except ChatFailed as error:
        _log.warning("the chat endpoint failed, the planner's notes stand: %s", error)
        return planned
    said: dict[str, str] = {}
    for chapter in read.chapters:
        for page in chapter.pages:
            said[page.title] = "\n".join(point for block in page.blocks for point in block.points)
    for page in pages:
        page.notes = said.get(page.title) or page.notes
    return planned


def _is_outline(text: str) -> bool:
    found = markdown.parse(text)
    return bool(found.title) and bool(found.chapters) and any(chapter.title for chapter in found.chapters)


def _document(source: Document | None) -> str:
    if source is None or not source.markdown.strip():
        return ""
    return f"The document:\n\n{source.markdown[:_MOST_SOURCE]}"


def _or(system: str, asked: list[str], planner: Any, is_whole: Any) -> Iterator[str]:
    """Yield what the model says; what the planner says where there is none, or it fails, or says something else."""
    endpoint = Endpoint.configured()
    if endpoint is None:
        yield from planner()
        return
    text = ""
    try:
        for piece in _answered(endpoint, system, asked):
            text += piece
            yield piece
        if is_whole(text):
            return
        reason = "its answer has not the form that was asked for"
    except ChatFailed as error:
        reason = str(error)
    _log.warning("the chat endpoint failed, the planner takes over: %s", reason)
    if text:
        yield RESET
    yield from planner()


def _answered(endpoint: Endpoint, system: str, asked: list[str]) -> Iterator[str]:
    """Yield the pieces of an answer.

    Raises
    ------
    ChatFailed
    """
    body = {
        "model": endpoint.model,
        "stream": True,
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": "\n\n".join(filter(None, asked))},
        ],
    }
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    request = urllib.request.Request(f"{endpoint.url}/chat/completions", json.dumps(body).encode(), headers)
    end = time.monotonic() + SECONDS
    count = 0
    try:
        with _opener.open(request, timeout=_SILENCE) as answer:
            while line := answer.readline(_MOST_LINE):
                if time.monotonic() > end:
                    raise ChatFailed(f"it takes more than {SECONDS:g} seconds")
                piece = _piece(line)
                if piece is None:
                    return
                count += len(piece)
                if count > _MOST_CHARACTERS:
                    raise ChatFailed("it says too much")
                if piece:
                    yield piece
    except urllib.error.HTTPError as error:
        error.close()
        raise ChatFailed(f"it answers {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ChatFailed(type(error).__name__) from None
    raise ChatFailed("its answer ends before its end")


def _piece(line: bytes) -> str | None:
    """Return the words in a line of the stream, None at its end.

    Raises
    ------
    ChatFailed
    ValueError
        Where the line is no JSON.
    """
    text = line.decode("utf-8", "replace").strip()
    if not text.startswith("data:"):
        return ""
    text = text[5:].strip()
    if text == "[DONE]":
        return None
    event = json.loads(text)
    if not isinstance(event, dict) or event.get("error"):
        raise ChatFailed("it says an error")
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    delta = choice.get("delta") if isinstance(choice, dict) else None
    piece = delta.get("content") if isinstance(delta, dict) else None
    # RESET is ours alone.
    return piece.replace(RESET, "") if isinstance(piece, str) else ""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for the address that was configured, and for no other."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        """Follow none."""
        return


_opener: Final = urllib.request.build_opener(_NoRedirects)
