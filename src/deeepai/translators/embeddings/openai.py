"""OpenAI's embeddings.

Vectors have the length one (its FAQ on embeddings says so, and callers compare by the dot product alone); the official
clients ask for base64, which is of little-endian floats of 32 bits. Source: OpenAI's OpenAPI document.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence

from ...declare import Json
from ..chat.common import Body, refuse
from ..chat.openai import read_error
from .common import Source, Target, Texts, Vector

_NEAR = 1e-3
"""How far a length may be from one that a vendor has rounded."""


def read(body: Body) -> Texts:
    """Read what is to be embedded."""
    given = body["input"]
    texts = [given] if isinstance(given, str) else given
    if not all(isinstance(text, str) for text in texts):
        refuse("input", "'input': the vendor of this model takes texts; it does not know these tokens")
    return Texts(texts, body.get("dimensions"))


def unit(vector: Vector) -> Vector:
    """Return a vector of the length one."""
    length = math.hypot(*vector)
    return vector if not length or abs(length - 1) < _NEAR else [value / length for value in vector]


def write_answer(asked: Body, vectors: Sequence[Vector], tokens: int) -> Body:
    """Answer with the vectors, as numbers or as base64."""
    packed = asked.get("encoding_format") == "base64"
    shown = map(_packed if packed else list, map(unit, vectors))
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(shown)],
        "model": asked["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _packed(vector: Vector) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def write(wanted: Texts, model: str) -> Body:
    """Ask for embeddings."""
    body: Body = {"model": model, "input": wanted.texts, "encoding_format": "float"}
    return body if wanted.dimensions is None else {**body, "dimensions": wanted.dimensions}


def read_answer(answer: Json) -> Sequence[Vector]:
    """Return the vectors, by their index where they have one; some servers pack them whatever is asked."""
    items = answer["data"]
    order = sorted(range(len(items)), key=lambda at: items[at].get("index", at))
    return [_unpacked(items[at]["embedding"]) for at in order]


def _unpacked(vector: Json) -> Vector:
    if not isinstance(vector, str):
        return vector
    return [value for (value,) in struct.iter_unpack("<f", base64.b64decode(vector))]


SOURCE = Source(operation="openai.embeddings", read=read, write=write_answer)
TARGET = Target(operation="openai.embeddings", write=write, read=read_answer, error=read_error)
