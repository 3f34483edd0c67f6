"""Mind maps of XMind (both its formats) and FreeMind: the middle is the title, branches are headings, leaves items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ...jobs import Refusal
from ..pieces import escaped
from .document import Collected, Document
from .guard import checked, opened, xml

_HEADINGS: Final = 3
"""Levels of branches that are headings, where something is below them."""
_MOST_DEEP: Final = 30
_MOST_TOPICS: Final = 20_000
_OLD: Final = "{urn:xmind:xmap:xmlns:content:2.0}"

Topic = tuple[str, str, list[Any]]
"""Title, note, what is below it."""


def read_xmind(path: Path, name: str) -> Document:
    """Read an XMind map: `content.json`, or the `content.xml` of before 2020."""
    checked(path)
    with opened(path) as archive:
        if "content.json" in archive.namelist():
            sheets = json.loads(archive.read("content.json"))
            if not isinstance(sheets, list):
                raise Refusal("unreadable", "The map has no sheets.")
            roots = [_new(sheet.get("rootTopic"), 0) for sheet in sheets if isinstance(sheet, dict)]
        else:
            content = xml(archive.read("content.xml"))
            roots = [_old(topic, 0) for topic in content.iterfind(f"{_OLD}sheet/{_OLD}topic")]
    return _document([root for root in roots if root[0] or root[2]])


def read_freemind(path: Path, name: str) -> Document:
    """Read a FreeMind map."""
    root = xml(path.read_bytes()).find("node")
    if root is None:
        raise Refusal("unreadable", "The map has no nodes.")
    return _document([_freemind(root, 0)])


def _new(topic: Any, depth: int) -> Topic:
    if not isinstance(topic, dict) or depth > _MOST_DEEP:
        return "", "", []
    notes = topic.get("notes")
    plain = notes.get("plain") if isinstance(notes, dict) else None
    note = plain.get("content") if isinstance(plain, dict) else ""
    children = topic.get("children")
    attached = children.get("attached") if isinstance(children, dict) else None
    below = [_new(child, depth + 1) for child in attached] if isinstance(attached, list) else []
    return str(topic.get("title") or ""), str(note or ""), below


def _old(topic: Any, depth: int) -> Topic:
    if depth > _MOST_DEEP:
        return "", "", []
    below = [
        _old(child, depth + 1)
        for topics in topic.iterfind(f"{_OLD}children/{_OLD}topics")
        if topics.get("type", "attached") == "attached"
        for child in topics.iterfind(f"{_OLD}topic")
    ]
    return topic.findtext(f"{_OLD}title") or "", topic.findtext(f"{_OLD}notes/{_OLD}plain") or "", below


def _freemind(node: Any, depth: int) -> Topic:
    if depth > _MOST_DEEP:
        return "", "", []
    rich = {content.get("TYPE"): " ".join(content.itertext()) for content in node.iterfind("richcontent")}
    below = [_freemind(child, depth + 1) for child in node.iterfind("node")]
    return node.get("TEXT") or rich.get("NODE") or "", rich.get("NOTE") or "", below


def _document(roots: list[Topic]) -> Document:
    collected = Collected()
    if len(roots) == 1:
        collected.title = " ".join(roots[0][0].split())
        roots = [(title, note, below) for title, note, below in roots]
    left = _MOST_TOPICS
    for root in roots:
        for block in _blocks(root, 1 if len(roots) == 1 else 2):
            left -= 1
            if left < 0 or collected.is_full:
                break
            collected.add(block)
    return collected.document()


def _blocks(topic: Topic, level: int) -> Iterator[str]:
    title, note, below = topic
    title = " ".join(title.split())
    if title:
        yield f"{'#' * level} {escaped(title)}"
    if note.strip():
        yield "\n".join(escaped(line.strip()) for line in note.split("\n") if line.strip())
    for child in below:
        if child[2] and level <= _HEADINGS:
            yield from _blocks(child, level + 1)
        else:
            yield from _items(child, 0)


def _items(topic: Topic, depth: int) -> Iterator[str]:
    title, note, below = topic
    said = " ".join(title.split())
    indent = "  " * min(depth, 5)
    if said:
        yield f"{indent}- {escaped(said)}"
    if note.strip():
        yield f"{indent}- {escaped(' '.join(note.split()))}"
    for child in below:
        yield from _items(child, depth + 1)
