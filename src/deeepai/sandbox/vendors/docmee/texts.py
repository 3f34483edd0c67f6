"""Outlines and what fills them: always the same for the same request, and each says that it is a test."""

from __future__ import annotations

import re
from typing import Any

from ...media.draw import CAPTION

CHAPTERS = {"short": 3, "medium": 6, "long": 7}
PAGES = 3
MARKS = re.compile(r"^(#{1,4})\s+(.+)$")
BULLET = re.compile(r"^\s*[-*]\s+(.+)$")


def outline(subject: str, length: str) -> str:
    """Return an outline in Markdown."""
    lines = [f"# {subject}"]
    for chapter in range(1, CHAPTERS[length] + 1):
        lines.append(f"## {CAPTION} {chapter}")
        for page in range(1, PAGES + 1):
            lines.append(f"### {subject} {chapter}.{page}"[:60])
            lines += [f"#### {CAPTION} {chapter}.{page}.{block}" for block in range(1, PAGES + 1)]
    return "\n".join(lines)


def content(markdown: str) -> str:
    """Return an outline, each of whose last headings has a text."""
    lines = [line for line in markdown.splitlines() if line.strip()]
    found: list[str] = []
    for number, line in enumerate(lines):
        found.append(line)
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line.startswith("####") and not BULLET.match(following):
            found.append(f"- This is test mode: {line.lstrip('# ')} is told here in one sentence.")
    return "\n".join(found)


def tree(markdown: str) -> dict[str, Any] | None:
    """Return a text as the vendor's tree; None where it has no title."""
    root: dict[str, Any] | None = None
    path: list[dict[str, Any]] = []
    for line in markdown.splitlines():
        heading, bullet = MARKS.match(line), BULLET.match(line)
        if heading is not None:
            level = len(heading[1])
            node: dict[str, Any] = {"level": level, "name": heading[2].strip(), "children": []}
            if level == 1:
                if root is not None:
                    return None
                root, path = node, [node]
                continue
            while path and path[-1]["level"] >= level:
                path.pop()
            if not path:
                return None
            path[-1]["children"].append(node)
            path.append(node)
        elif path and line.strip() and not line.startswith("```"):
            path[-1]["children"].append({"level": 0, "name": bullet[1] if bullet else line.strip(), "children": []})
    return root if root is not None and root["children"] else None


def pages(root: dict[str, Any]) -> list[list[str]]:
    """Return the texts of a deck's pages: a cover, the contents, chapters with their pages, and an end."""
    chapters = [node for node in root["children"] if node["level"] == 2]
    found = [[root["name"]], ["Contents", *(chapter["name"] for chapter in chapters)]]
    for chapter in chapters:
        found.append([chapter["name"]])
        found += [[page["name"], *_below(page)] for page in chapter["children"]]
    return [*found, ["Thanks"]]


def _below(node: dict[str, Any]) -> list[str]:
    return [text for child in node["children"] for text in (child["name"], *_below(child))]


def markdown(root: dict[str, Any]) -> str:
    """Return a tree as Markdown."""
    own = f"{'#' * root['level']} {root['name']}" if root["level"] else f"- {root['name']}"
    return "\n".join([own, *(markdown(child) for child in root["children"])])
