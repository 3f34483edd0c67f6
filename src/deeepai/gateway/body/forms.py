"""Multipart forms, read as they come."""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from msgspec import inspect
from python_multipart.multipart import MultipartParser, parse_options_header

from ...asgi import field_at_fault, is_missing
from ...declare import DROP, Failure, Part, Reason
from ...declare.single import alternatives
from .spool import Piece, Spool

MAX_PARTS: Final = 1000
_MOST_HEAD: Final = 16 * 1024
"""Bytes of a part's head."""
_EXTENDED: Final = re.compile(rb"""[;\s]filename\*\s*=\s*"?([\w.+-]+)'[^']*'([^;"\s]*)""", re.IGNORECASE | re.ASCII)
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NAMES: Final = re.compile(rb"[;\s]name\*?\s*=", re.IGNORECASE)
_MOST_TEXT: Final = 256 * 1024
"""Bytes of all text parts together, where they are kept."""


class FormReader:
    """Finds a form's parts in a body that comes in pieces.

    Parameters
    ----------
    content_type : str
        As the header says.
    keep : bool
        Keep text parts, because the body is not held.

    Attributes
    ----------
    texts : list of Part
        The text parts that were kept.
    files : set of str
        Names of the parts that are files.
    ended : bool
        The form's end has come.

    Raises
    ------
    Failure
        BAD_MEDIA, where the content type names no boundary.
    """

    def __init__(self, content_type: str, *, keep: bool = False) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise Failure(Reason.BAD_MEDIA, "The multipart body names no boundary")
        self.texts: list[Part] = []
        self.files: set[str] = set()
        self.ended = False
        self._keep = keep
        self._mark = b"--" + boundary
        self._before: bytes | None = b""
        """What came before the first boundary, which is nothing as a rule; None once that has come."""
        self._found: list[tuple[Part, int, bytes]] = []
        """Of each part its head and place, its size, and its data where they have no place."""
        self._piece = b""
        self._base = 0
        self._head = self._kept = 0
        self._headers: dict[str, bytes] = {}
        self._name = self._value = b""
        self._part = _NOBODY
        self._at = -1
        self._size = 0
        self._data = bytearray()
        try:
            self._parser = MultipartParser(boundary, self._callbacks())  # pyright: ignore[reportArgumentType]
        except Exception as fault:
            raise _unreadable(fault) from None

    def feed(self, piece: bytes) -> None:
        """Read a piece.

        Raises
        ------
        Failure
            INVALID
        """
        if self._before is not None:
            piece = self._begun(self._before + piece)
            if not piece:
                return
        self._piece = piece
        try:
            self._parser.write(piece)
        except Exception as fault:
            raise _unreadable(fault) from None
        self._base += len(piece)

    def _begun(self, data: bytes) -> bytes:
        """Return what there is from the first boundary on; a preamble says nothing (RFC 2046, section 5.1.1)."""
        at = 0 if data.startswith(self._mark) else data.find(b"\r\n" + self._mark) + 2
        # The same wherever the pieces end: a boundary begins among so many bytes, or not at all.
        if at - 2 > _MOST_HEAD or (at == 1 and len(data) > _MOST_HEAD + 2 + len(self._mark)):
            raise _unreadable(ValueError("it does not begin with its boundary"))
        if at == 1:
            self._before = data
            return b""
        self._before, self._base = None, at
        return data[at:]

    def finish(self) -> None:
        """Judge the whole.

        Raises
        ------
        Failure
            INVALID, where the end is missing.
        """
        if self._before:
            raise _unreadable(ValueError("it does not begin with its boundary"))
        if not self.ended:
            raise Failure(Reason.INVALID, "The multipart body is cut short")

    def parts(self, body: memoryview) -> list[Part]:
        """Return the parts, whose data are views into the body."""
        return [
            replace(part, data=memoryview(data) if part.at is None else body[part.at : part.at + size])
            for part, size, data in self._found
        ]

    def _callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._take,
            "on_part_end": self._end,
            "on_header_field": self._field,
            "on_header_value": self._add,
            "on_header_end": self._header,
            "on_headers_finished": self._headed,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self._found) == MAX_PARTS:
            raise ValueError(f"it has more than {MAX_PARTS} parts")
        self._headers, self._head = {}, 0
        self._name = self._value = b""
        self._at, self._size = -1, 0
        self._data = bytearray()

    def _grown(self, size: int) -> None:
        self._head += size
        if self._head > _MOST_HEAD:
            raise ValueError("a part's head is too long")

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._grown(end - start)
        self._name += data[start:end]

    def _add(self, data: bytes, start: int, end: int) -> None:
        self._grown(end - start)
        self._value += data[start:end]

    def _header(self) -> None:
        name = self._name.decode("latin-1").lower()
        if name in self._headers:
            raise ValueError(f"a part has the header {name[:40]} twice")
        self._headers[name] = self._value
        self._name = self._value = b""

    def _headed(self) -> None:
        disposition = self._headers.get("content-disposition", b"")
        _, options = parse_options_header(disposition)
        if len(_NAMES.findall(_QUOTED.sub(b"", disposition))) > 1:
            raise ValueError("a part has two names")
        name, raw = options.get(b"name", b"").decode("utf-8", "replace"), options.get(b"filename")
        filename = _extended(disposition) if raw is None else raw.decode("utf-8", "replace")
        kind = self._headers.get("content-type")
        self._part = Part(
            name,
            memoryview(b""),
            filename,
            kind.decode("latin-1") if kind else None,
        )
        if filename is not None:
            self.files.add(name)

    def _take(self, data: bytes, start: int, end: int) -> None:
        # What looked like a boundary comes out of the parser's own memory: it stands just before what follows it.
        if self._at < 0 and data is self._piece:
            self._at = self._base + start - self._size
        self._size += end - start
        if self._keep and self._part.filename is None:
            self._kept += end - start
            if self._kept > _MOST_TEXT:
                raise ValueError("its text parts are too long")
            self._data += data[start:end]
        elif self._at < 0:
            self._data += data[start:end]

    def _end(self) -> None:
        data = bytes(self._data)
        part = self._part if self._at < 0 else replace(self._part, at=self._at)
        self._found.append((part, self._size, data))
        if self._keep and self._part.filename is None:
            self.texts.append(Part(self._part.name, memoryview(data)))

    def _finish(self) -> None:
        self.ended = True


_NOBODY: Final = Part("", memoryview(b""))


def _extended(disposition: bytes) -> str | None:
    """Return the name in `filename*=`, which some clients send alone where it is not ASCII.

    Source: RFC 8187; RFC 7578 forbids it in forms.
    """
    match = _EXTENDED.search(disposition)
    if match is None:
        return None
    charset, name = match[1].decode("ascii"), match[2].decode("latin-1")
    try:
        return unquote(name, charset, "replace")
    except LookupError:
        return unquote(name)


def _unreadable(fault: Exception) -> Failure:
    return Failure(Reason.INVALID, f"The multipart body cannot be read: {fault}")


def said_once(kind: type[msgspec.Struct], parts: Sequence[Part]) -> None:
    """Refuse a form that says a declared field twice, in other letters, or as a file where it is none.

    Raises
    ------
    Failure
        INVALID
    """
    single, numbers = _single(kind)
    seen = set[str]()
    for part in parts:
        declared = single.get(part.name.casefold())
        if declared is None or (part.filename is not None and declared not in numbers):
            continue
        if part.name != declared or declared in seen or part.filename is not None:
            message = f"'{part.name[:100]}' is ambiguous: say it once, as text, as it is documented"
            raise Failure(Reason.INVALID, message, param=declared)
        seen.add(declared)


@functools.cache
def _single(kind: type[msgspec.Struct]) -> tuple[Mapping[str, str], frozenset[str]]:
    """Return the fields that a form may hold once, by their names folded; and those of them that are never files."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    single: dict[str, str] = {}
    never: set[str] = set()
    for field in info.fields:
        kinds = set(map(type, alternatives(field.type)))
        if inspect.ListType not in kinds:
            single[field.encode_name.casefold()] = field.encode_name
            if field.encode_name == "model" or not kinds & {inspect.StrType, inspect.AnyType}:
                never.add(field.encode_name)
    return single, frozenset(never)


def form_body(kind: type[msgspec.Struct], parts: Sequence[Part]) -> Any:
    """Read the declared struct out of a form's text parts.

    Raises
    ------
    Failure
        INVALID
    """
    fields = {part.name: part.text for part in parts if part.filename is None}
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as fault:
        raise invalid(fault) from None


def written(parts: Iterable[Part], texts: Mapping[str, Any], spool: Spool | None = None) -> tuple[list[Piece], str]:
    """Return the pieces of a form with further texts, and its content type; parts' places are in the spool."""
    boundary = secrets.token_hex(16)
    pieces: list[Piece] = []
    for part in parts:
        name = f'; filename="{_quoted(part.filename)}"' if part.filename is not None else ""
        kind = f"\r\nContent-Type: {part.content_type}" if part.content_type else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(part.name)}"{name}{kind}\r\n\r\n'
        at = part.at if spool is not None else None
        pieces += [head.encode(), part.data if at is None else (at, at + len(part.data)), b"\r\n"]
    for name, value in texts.items():
        if value is not DROP:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
            pieces += [head.encode(), text.encode(), b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return pieces, f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def invalid(fault: msgspec.ValidationError) -> Failure:
    """Say which field of a body is at fault, and how."""
    what, field = field_at_fault(fault)
    if is_missing(what):
        return Failure(Reason.INVALID, f"Missing required parameter: '{field}'", param=field, code="missing")
    return Failure(Reason.INVALID, f"Invalid value for '{field}': {what}" if field else what, param=field)
