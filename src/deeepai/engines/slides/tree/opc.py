"""Packages of Office Open XML (ISO/IEC 29500-2): parts, types, relationships, read within bounds and written."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

from ...jobs import Refusal
from ..documents.guard import checked, opened, xml

RELATION: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_MACROS: Final = ("vba", "activex", "macroenabled", "customui", "ms-office.activex")
MAIN: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Relation:
    """A relationship; the target is a part's name, or an address where it is external."""

    id: str
    type: str
    target: str
    external: bool = False

    @property
    def kind(self) -> str:
        """The last word of its type, such as `image`."""
        return self.type.rsplit("/", 1)[-1]


@dataclass(slots=True)
class Part:
    """A part of a package."""

    name: str
    type: str
    content: bytes
    relations: list[Relation] = field(default_factory=list[Relation])

    def related(self, kind: str) -> Relation | None:
        """Return its first relationship of a kind, if there is one."""
        return next((relation for relation in self.relations if relation.kind == kind), None)


@dataclass(slots=True)
class Package:
    """Parts by their names, which begin with a slash."""

    parts: dict[str, Part]
    relations: list[Relation]


def read(path: Path) -> Package:
    """Read a package; macros, and links to files elsewhere, are left out.

    Raises
    ------
    Refusal
    """
    with path.open("rb") as file:
        if file.read(8) == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            raise Refusal("password", "The file is protected by a password, or of before Office 2007.")
    checked(path)
    with opened(path) as archive:
        names = {entry.filename.lstrip("/") for entry in archive.infolist() if not entry.is_dir()}
        if "[Content_Types].xml" not in names:
            raise Refusal("unreadable", "The file is no presentation.")
        content = {f"/{name}": _entry(archive, name) for name in names}
    types = xml(content.pop("/[Content_Types].xml"))
    defaults = {each.get("Extension", "").lower(): each.get("ContentType", "") for each in types.iterfind("{*}Default")}
    overrides = {
        each.get("PartName", "").lower(): each.get("ContentType", "") for each in types.iterfind("{*}Override")
    }
    parts: dict[str, Part] = {}
    for name, blob in sorted(content.items()):
        if name.endswith(".rels") or "/_rels/" in name:
            continue
        kind = overrides.get(name.lower()) or defaults.get(name.rsplit(".", 1)[-1].lower(), "application/octet-stream")
        if not is_macro(name, kind):
            parts[name] = Part(name, kind, blob)
    for part in parts.values():
        folder, base = posixpath.split(part.name)
        if relations := content.get(f"{folder.rstrip('/')}/_rels/{base}.rels"):
            part.relations = _relations(relations, folder, parts)
    return Package(parts, _relations(content.get("/_rels/.rels", b"<Relationships/>"), "/", parts))


def is_macro(name: str, kind: str) -> bool:
    """Whether a part is code."""
    coded = any(word in kind.lower() for word in _MACROS)
    return "vbaproject" in name.lower() or (coded and "main+xml" not in kind)


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except KeyError:
        return archive.read(f"/{name}")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, RuntimeError):
        raise Refusal("unreadable", "The file cannot be read: it seems to be damaged.") from None


def _relations(content: bytes, folder: str, parts: Mapping[str, Part]) -> list[Relation]:
    found: list[Relation] = []
    lower = {name.lower(): name for name in parts}
    for each in xml(content):
        if not isinstance(each.tag, str):
            continue
        kind, target = each.get("Type", ""), each.get("Target", "")
        external = each.get("TargetMode") == "External"
        if external:
            # A link to a file elsewhere would be fetched by whoever opens it.
            if kind.endswith("/hyperlink"):
                found.append(Relation(each.get("Id", ""), kind, target, True))
            continue
        name = lower.get(posixpath.normpath(posixpath.join(folder, target.split("#")[0])).lower())
        if name:
            found.append(Relation(each.get("Id", ""), kind, name))
    return found


def write(package: Package, path: Path) -> None:
    """Write a package; what it holds decides its bytes, the clock does not."""
    overrides = "".join(
        f"<Override PartName={quoteattr(part.name)} ContentType={quoteattr(part.type)}/>"
        for part in sorted(package.parts.values(), key=lambda part: part.name)
    )
    types = (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "[Content_Types].xml", types)
        _put(archive, "_rels/.rels", _relations_xml(package.relations, "/"))
        for part in package.parts.values():
            folder, base = posixpath.split(part.name)
            _put(archive, part.name[1:], part.content)
            if part.relations:
                _put(archive, f"{folder[1:]}/_rels/{base}.rels".lstrip("/"), _relations_xml(part.relations, folder))


def _put(archive: zipfile.ZipFile, name: str, content: bytes | str) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def _relations_xml(relations: Iterable[Relation], folder: str) -> str:
    lines = "".join(
        f"<Relationship Id={quoteattr(each.id)} Type={quoteattr(each.type)} "
        + (
            f'Target={quoteattr(each.target)} TargetMode="External"/>'
            if each.external
            else f"Target={quoteattr(posixpath.relpath(each.target, folder))}/>"
        )
        for each in relations
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'
