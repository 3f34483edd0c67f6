"""Multipart forms: one file, and fields, some of which may come several times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from .openai_wire import WireError, refused

MOST_FILE: Final = 25 * 2**20
"""Bytes, as at OpenAI."""
_MOST_FILE_DRAINED: Final = 64 * 2**20
_MOST_FIELD: Final = 64 * 1024
_MOST_FIELDS: Final = 64


class Form:
    """A form that has been read.

    Attributes
    ----------
    file : bytes, optional
        What the part named `file` holds.
    """

    def __init__(self) -> None:
        self.file: bytes | None = None
        self._fields: dict[str, list[str]] = {}

    def add(self, name: str, value: str) -> None:
        """Take a field; `name[]` and `name` are the same."""
        self._fields.setdefault(name.removesuffix("[]"), []).append(value)

    def every(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self._fields.get(name, [])

    def get(self, name: str) -> str | None:
        """Return the last value of a field that is not empty."""
        return next((value for value in reversed(self.every(name)) if value), None)

    def names(self) -> Iterator[str]:
        """Yield the names of the fields that have a value."""
        return (name for name in self._fields if self.get(name))

    def object(self, name: str) -> dict[str, str]:
        """Return the fields `name[key]` by their keys: so OpenAI's clients send an object."""
        found = {field: value for field in self.names() if field.startswith(f"{name}[") if (value := self.get(field))}
        return {field[len(name) + 1 : -1]: value for field, value in found.items() if field.endswith("]")}

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """Return a field that has one of some values, or refuse."""
        value = self.get(name) or default
        if value not in choices:
            message = f"Invalid value for '{name}': '{value}'. Supported values are: {', '.join(choices)}."
            raise refused(message, name, "invalid_value")
        return value

    def number(self, name: str, least: float, most: float, default: float) -> float:
        """Return a field that is a number within limits, or refuse."""
        try:
            value = float(self.get(name) or default)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            message = f"Invalid value for '{name}': expected a number between {least:g} and {most:g}."
            raise refused(message, name, "invalid_value")
        return value

    def flag(self, name: str) -> bool:
        """Return a field that is true or false, or refuse."""
        return self.choice(name, ("true", "false", "True", "False", "1", "0"), "false") in ("true", "True", "1")


async def read_form(request: web.Request) -> Form:
    """Read a multipart body.

    Raises
    ------
    WireError
        415 for another media type, 413 for a file above `MOST_FILE`, 400 for what is malformed.
    """
    if request.content_type != "multipart/form-data":
        raise WireError(415, f"Unsupported media type {request.content_type!r}: send multipart/form-data.")
    form, count = Form(), 0
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or not part.name:
                raise refused("A part of the form has no name.")
            count += 1
            if count > _MOST_FIELDS:
                raise refused("The form has too many parts.")
            if part.name == "file":
                message = f"Maximum content size limit ({MOST_FILE}) exceeded."
                form.file = await _take(part, MOST_FILE, WireError(413, message, param="file", code="file_too_large"))
            else:
                error = refused(f"'{part.name}' is longer than {_MOST_FIELD} bytes.", part.name, "invalid_value")
                form.add(part.name, (await _take(part, _MOST_FIELD, error)).decode())
    except (ValueError, AssertionError, HttpProcessingError, web.HTTPException) as error:
        # aiohttp's parser says so of a form that is cut off or has no boundary.
        raise refused(f"We could not parse the form of your request: {error}") from None
    return form


async def _take(part: BodyPartReader, most: int, error: WireError) -> bytes:
    held, size = bytearray(), 0
    while block := await part.read_chunk(1 << 16):
        size += len(block)
        if size <= most:
            held += block
        # Read on for a while: a client that is still sending would not see the answer.
        if size > most + _MOST_FILE_DRAINED:
            raise error
    if size > most:
        raise error
    return bytes(held)
