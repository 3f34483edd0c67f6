"""Reads what a GGUF file says of itself: the header's keys, without the weights.

Source: the GGUF specification, version 3 (little-endian).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any, Final

_NUMBERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT: Final = 8
_LIST: Final = 9
_MOST_KEYS: Final = 10_000
_MOST_TEXT: Final = 1 << 24
_MOST_ITEMS: Final = 1 << 22


class GgufError(ValueError):
    """What was read is no GGUF file."""


def read_header(path: Path) -> dict[str, Any]:
    """Return the header's keys; lists, which hold vocabularies, are left out.

    Raises
    ------
    GgufError
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise GgufError(f"{path.name} is no GGUF file")
            version, _, keys = _read(file, "IQQ")
            if version not in (2, 3) or keys > _MOST_KEYS:
                raise GgufError(f"{path.name} is a GGUF file of an unknown version")
            found: dict[str, Any] = {}
            for _ in range(keys):
                name = _text(file)
                (kind,) = _read(file, "I")
                value = _value(file, kind)
                if value is not None:
                    found[name] = value
            return found
    except (struct.error, UnicodeDecodeError):
        raise GgufError(f"{path.name} is a damaged GGUF file") from None


def _read(file: IO[bytes], shape: str) -> tuple[Any, ...]:
    layout = struct.Struct(f"<{shape}")
    return layout.unpack(file.read(layout.size))


def _text(file: IO[bytes]) -> str:
    (length,) = _read(file, "Q")
    if length > _MOST_TEXT:
        raise GgufError("a text in the header is too long")
    return file.read(length).decode()


def _value(file: IO[bytes], kind: int) -> Any:
    if kind == _TEXT:
        return _text(file)
    if kind in _NUMBERS:
        return _read(file, _NUMBERS[kind])[0]
    if kind != _LIST:
        raise GgufError(f"the header has a value of the unknown type {kind}")
    inner, count = _read(file, "IQ")
    if count > _MOST_ITEMS:
        raise GgufError("a list in the header is too long")
    if inner in _NUMBERS:
        file.seek(count * struct.calcsize(f"<{_NUMBERS[inner]}"), 1)
    else:
        for _ in range(count):
            _value(file, inner)
    return None
