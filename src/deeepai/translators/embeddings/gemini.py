"""Gemini's embeddings: one content a vector, one vector a call or many.

`taskType` and `title` are dropped: other vendors' models know no tasks. Vectors that are shorter than the model's own
are not of the length one. Source: Google's reference of `v1beta`; google-genai 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...declare import Failure, Json, Reason
from ..chat.common import Body, refuse
from ..chat.gemini import read_error
from ..chat.gemini_names import get
from .common import Source, Target, Texts, Vector

MOST = 100
"""Contents of a call."""


def _text(content: Json) -> str:
    parts = content["parts"]
    texts: list[Json] = [part.get("text") for part in ([parts] if isinstance(parts, dict) else parts)]
    if not all(isinstance(text, str) for text in texts):
        refuse("content", "'content': the vendor of this model embeds texts alone")
    return "\n".join(texts)


def _dimensions(body: Body) -> int | None:
    """Return how long vectors are to be; newer clients say it among a configuration."""
    return get(get(body, "embedContentConfig") or body, "outputDimensionality")


def read_one(body: Body) -> Texts:
    """Read what is to be embedded."""
    return Texts([_text(body["content"])], _dimensions(body))


def read_many(body: Body) -> Texts:
    """Read what is to be embedded, all of it to one length."""
    lengths = {_dimensions(each) for each in body["requests"]}
    if len(lengths) > 1:
        refuse("requests", "'outputDimensionality': the vendor of this model takes one for all contents of a call")
    return Texts([_text(each["content"]) for each in body["requests"]], lengths.pop())


def _answer(shown: Body, tokens: int) -> Body:
    return {**shown, "usageMetadata": {"promptTokenCount": tokens}}


def write(wanted: Texts, model: str) -> Body:
    """Ask for embeddings."""
    if len(wanted.texts) > MOST:
        message = f"'input': the vendor of this model embeds at most {MOST} texts in a call"
        raise Failure(Reason.INVALID, message, param="input", code="too_many_inputs")
    common: Body = {"model": f"models/{model}"}
    if wanted.dimensions is not None:
        common["outputDimensionality"] = wanted.dimensions
    return {"requests": [{**common, "content": {"parts": [{"text": text}]}} for text in wanted.texts]}


def read_answer(answer: Json) -> Sequence[Vector]:
    """Return the vectors."""
    return [each["values"] for each in answer["embeddings"]]


ONE = Source(
    operation="gemini.embedContent",
    read=read_one,
    write=lambda asked, vectors, tokens: _answer({"embedding": {"values": vectors[0]}}, tokens),
)
MANY = Source(
    operation="gemini.batchEmbedContents",
    read=read_many,
    write=lambda asked, vectors, tokens: _answer({"embeddings": [{"values": each} for each in vectors]}, tokens),
)
TARGET = Target(
    operation="gemini.batchEmbedContents",
    models=("*embedding*",),
    write=write,
    read=read_answer,
    error=read_error,
)
