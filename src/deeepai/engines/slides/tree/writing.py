"""A tree as a presentation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pptx

from ...jobs import Refusal
from ..documents.guard import refuse_declarations, xml
from .base import package, rethemed
from .building import children_of, emu, finite, node_of, property_of
from .colours import P, R
from .markup import clean, serialised
from .nodes import seen
from .opc import MAIN, RELATION, Package, Part, Relation, is_macro, write
from .said import DATA, NAME, bytes_of, free, info_of, kind_of, raw_of, relations_of
from .slide import Slide

MOST_PAGES: Final = 500
_MOST_NODES: Final = 60_000
_MOST_DEEP: Final = 60
_MOST_BYTES: Final = 200 * 2**20
"""Of all parts and pictures."""


def addresses(tree: Mapping[str, Any]) -> list[str]:
    """Return the addresses and names of the pictures that a tree does not hold itself, for the caller to find."""
    found: dict[str, None] = {}
    for node in _all_nodes(tree):
        image = _image_of(node)
        if image and not DATA.match(image[:200]):
            found[image] = None
    return list(found)


def from_tree(tree: Any, path: Path, pictures: Mapping[str, bytes] | None = None) -> None:
    """Write the presentation that a tree says.

    Parameters
    ----------
    pictures : mapping
        By the names or addresses that nodes have for them. Nothing is fetched: one that is not there is refused.

    Raises
    ------
    Refusal
        `unreadable` for what is no tree, `too_large`, `fetch` for a picture that is not there.
    """
    if not isinstance(tree, dict) or not isinstance(tree.get("pages"), list):
        raise Refusal("unreadable", "This is no slide tree: it has no pages.")
    pages = [page for page in tree["pages"] if isinstance(page, dict)]
    if len(pages) != len(tree["pages"]):
        raise Refusal("unreadable", "A page of the tree is no object.")
    if len(pages) > MOST_PAGES:
        raise Refusal("too_large", f"The tree has more than {MOST_PAGES} pages.")
    for count, _ in enumerate(_all_nodes(tree)):
        if count > _MOST_NODES:
            raise Refusal("too_large", f"The tree has more than {_MOST_NODES} nodes.")
    try:
        _Writer(tree, pictures or {}).write(pages, path)
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        raise Refusal("unreadable", f"The tree cannot be written ({type(error).__name__}).") from error


def _all_nodes(tree: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    stack: list[tuple[Any, int]] = [(page, 0) for page in reversed(tree.get("pages") or []) if isinstance(page, dict)]
    while stack:
        node, depth = stack.pop()
        if depth > _MOST_DEEP:
            raise Refusal("too_large", f"The tree is deeper than {_MOST_DEEP}.")
        children = node.get("children")
        if isinstance(children, list):
            for child in reversed(children):
                if isinstance(child, dict):
                    yield child
                    stack.append((child, depth + 1))


def _image_of(node: Mapping[str, Any]) -> str:
    image = property_of(node).get("image") if node.get("type") == "image" else None
    return image if isinstance(image, str) else ""


class _Writer:
    def __init__(self, tree: dict[str, Any], pictures: Mapping[str, bytes]) -> None:
        self._tree, self._pictures = tree, pictures
        self._bytes = 0
        self.is_blank = False
        self._package, self._main = self._base()
        self._count = 0
        self._names: dict[str, str] = {}
        """What slides are called now, by what they were called."""

    def _base(self) -> tuple[Package, Part]:
        """Return the package without slides: the tree's own, or a blank one of its masters' colours and typefaces."""
        rest = self._tree.get("raw")
        if isinstance(rest, dict) and isinstance(rest.get("parts"), list):
            parts: dict[str, Part] = {}
            for said in rest["parts"]:
                part = self._part(said)
                if part is not None:
                    parts[part.name] = part
            main = parts.get(str(rest.get("presentation")))
            if main is not None and main.related("slideMaster"):
                main.type = MAIN
                relations = [each for each in relations_of(rest.get("relations")) if each.target in parts]
                whole = Package(parts, relations)
                if any(each.kind == "officeDocument" for each in relations):
                    return whole, main
        self.is_blank = True
        return package(self._tree)

    def _part(self, said: Any) -> Part | None:
        if not isinstance(said, dict):
            return None
        name, kind = said.get("name"), said.get("type")
        if not isinstance(name, str) or not isinstance(kind, str) or not NAME.fullmatch(name) or not kind.isascii():
            raise Refusal("unreadable", "A part of the tree has no name or type.")
        if is_macro(name, kind) or name.endswith(".rels"):
            return None
        if isinstance(said.get("text"), str):
            content = said["text"].encode("utf-8", "replace")
            refuse_declarations(content)
        elif isinstance(said.get("data"), str):
            content = bytes_of(said["data"])
            if kind.endswith("xml"):
                refuse_declarations(content)
        else:
            return None
        if kind == "image/svg+xml" and re.search(
            rb"href\s*=\s*[\"'](?!#|data:)|<script|@import|url\((?![\"']?#)", content
        ):
            return None
        self._weigh(len(content))
        return Part(name, kind, content, relations_of(said.get("relations")))

    def _weigh(self, size: int) -> None:
        self._bytes += size
        if self._bytes > _MOST_BYTES:
            raise Refusal("too_large", f"The tree holds more than {_MOST_BYTES // 2**20} MB.")

    def write(self, pages: list[dict[str, Any]], path: Path) -> None:
        for number, page in enumerate(pages, 1):
            raw = raw_of(page)
            name = str(raw.get("name", ""))
            if name and name not in self._names:
                self._names[name] = f"/ppt/slides/slide{number}.xml"
        done = set[str]()
        notes: dict[int, str] = {}
        slides: list[Part] = []
        for number, page in enumerate(pages, 1):
            name = str(raw_of(page).get("name", ""))
            slides.append(Slide(self, page, number, is_copy=bool(name) and name in done).part())
            done.add(name)
            if (said := self._notes(page)) is not None:
                notes[number - 1] = said
        for part in self._package.parts.values():
            part.relations = self._renamed(part.relations)
        for part in slides:
            self._package.parts[part.name] = part
        for part in list(self._package.parts.values()):
            part.relations = [each for each in part.relations if each.external or each.target in self._package.parts]
        self._themes()
        self._order(slides)
        write(self._package, path)
        if notes:
            presentation = pptx.Presentation(str(path))
            for index, said in notes.items():
                frame = presentation.slides[index].notes_slide.notes_text_frame
                if frame is not None:
                    frame.text = said
            presentation.save(str(path))

    def _renamed(self, relations: list[Relation]) -> list[Relation]:
        return [
            Relation(each.id, each.type, self._names.get(each.target, each.target), each.external) for each in relations
        ]

    def _notes(self, page: Mapping[str, Any]) -> str | None:
        """Return what a page's notes are to be, None where they are that already."""
        said = info_of(page).get("notes")
        said = clean(said) if isinstance(said, str) else ""
        marks_ = raw_of(page).get("seen")
        before = marks_.get("notes") if isinstance(marks_, dict) else seen("")
        return None if seen(said) == before else said

    def _themes(self) -> None:
        """Change the themes whose colours or typefaces were changed in the tree."""
        masters = self._tree.get("slideMasters")
        for master in masters if isinstance(masters, list) else []:
            raw = master.get("raw") if isinstance(master, dict) else None
            theme = master.get("theme") if isinstance(master, dict) else None
            if not isinstance(raw, dict) or not isinstance(theme, dict) or raw.get("seen") == seen(theme):
                continue
            part = self._package.parts.get(str(raw.get("theme")))
            if part is not None:
                part.content = rethemed(part.content, theme)

    def _order(self, slides: list[Part]) -> None:
        """Put the slides into the presentation."""
        root = xml(self._main.content)
        self._main.relations = [each for each in self._main.relations if each.kind != "slide"]
        taken = {each.id for each in self._main.relations}
        listed = root.find(P + "sldIdLst")
        if listed is None:
            listed = node_of(P + "sldIdLst")
            after = next(
                (
                    root.find(P + name)
                    for name in ("handoutMasterIdLst", "notesMasterIdLst", "sldMasterIdLst")
                    if root.find(P + name) is not None
                ),
                None,
            )
            if after is None:
                raise Refusal("unreadable", "The tree's presentation has no masters.")
            after.addnext(listed)
        for child in list(listed):
            listed.remove(child)
        for number, part in enumerate(slides):
            name = free("rIdSlide", taken)
            self._main.relations.append(Relation(name, f"{RELATION}/slide", part.name))
            listed.append(node_of(P + "sldId", {"id": str(256 + number), R + "id": name}))
        if not slides:
            root.remove(listed)
        # Sections, custom shows and the like name slides by ids that are no more.
        for stale in (P + "custShowLst", P + "extLst"):
            for each in root.findall(stale):
                root.remove(each)
        size = root.find(P + "sldSz")
        if size is not None:
            for key, name in (("cx", "width"), ("cy", "height")):
                wanted = finite(self._tree.get(name))
                if 72 <= wanted <= 4032 and abs(wanted * 12_700 - int(size.get(key, "0"))) > 100:
                    size.set(key, emu(wanted))
                    size.attrib.pop("type", None)
        self._main.content = serialised(root)

    def picture(self, image: str) -> Part:
        """Return a new part of a picture."""
        content = self.picture_bytes(image)
        extension, kind = kind_of(content)
        self._count += 1
        name = f"/ppt/media/tree-{self._count}.{extension}"
        while name in self._package.parts:
            self._count += 1
            name = f"/ppt/media/tree-{self._count}.{extension}"
        part = self._package.parts[name] = Part(name, kind, content)
        return part

    def picture_bytes(self, image: str) -> bytes:
        """Return a picture that a node names or holds."""
        if image in self._pictures:
            content = self._pictures[image]
        elif match := DATA.match(image[:200]):
            content = bytes_of(image[match.end() :])
        else:
            raise Refusal("fetch", f"The tree names a picture that is not there: {image[:80]}")
        self._weigh(len(content))
        return content

    def keep(self, name: str, kind: str, content: bytes, relations: list[Relation] | None = None) -> Part:
        """Keep a part under a name that it has, or one like it that is free."""
        stem, _, extension = name.rpartition(".")
        number = 1
        free = name
        while free in self._package.parts:
            number += 1
            free = f"{stem}-{number}.{extension}"
        part = self._package.parts[free] = Part(free, kind, content, relations or [])
        return part

    @property
    def parts(self) -> dict[str, Part]:
        """The package's parts."""
        return self._package.parts

    def layout(self, page: Mapping[str, Any]) -> str:
        """Return the name of a page's layout."""
        info = info_of(page)
        masters = self._tree.get("slideMasters")
        try:
            master = masters[info["slideMasterIdx"]]["slideLayouts"][info["slideLayoutIdx"]]  # type: ignore[index]
            name = str(master["raw"]["name"])
        except (KeyError, IndexError, TypeError):
            name = ""
        if name in self._package.parts:
            return name
        found = [part for part in self._package.parts.values() if part.type.endswith("slideLayout+xml")]
        if not found:
            raise Refusal("unreadable", "The tree has no layouts.")
        return next((part.name for part in found if b'type="blank"' in part.content[:2000]), found[-1].name)

    def behind(self, page: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what a page's master and layout draw, but their placeholders."""
        info = info_of(page)
        try:
            master = self._tree["slideMasters"][info["slideMasterIdx"]]
            layout = master["slideLayouts"][info["slideLayoutIdx"]]
            hides = layout.get("noMaster")
        except (KeyError, IndexError, TypeError, AttributeError):
            return []
        drawn = [*([] if hides else children_of(master)), *children_of(layout)]
        return [node for node in drawn if not property_of(node).get("placeholder")]

    def renamed(self, relations: list[Relation]) -> list[Relation]:
        """Return relationships with slides as they are called now."""
        return self._renamed(relations)
