"""Embeddings between OpenAI's format and Gemini's: texts in, vectors out.

Each format reads what is wanted into `Texts` and writes it from there; answers go by the vectors. What is no text is
refused with a 400 that names the field.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ...declare import MALFORMED, Answer, AnyRequest, CallTranslator, Failure, Reason, Usage
from ..chat.common import Body, decode, encode, no_answer, whole_json
from . import gemini, openai
from .common import Source, Target, Vector

SOURCES: Sequence[Source] = (openai.SOURCE, gemini.ONE, gemini.MANY)
TARGETS: Sequence[Target] = (openai.TARGET, gemini.TARGET)
_MALFORMED = (*MALFORMED, struct.error)


def _translator(source: Source, target: Target) -> CallTranslator:
    def request(request: AnyRequest, model: str) -> Body:
        try:
            return target.write(source.read(decode(request.raw)), model)
        except _MALFORMED:
            raise Failure(Reason.INVALID, "The body is not of its format: a field has the wrong type") from None

    def answer(request: AnyRequest, answer: Answer, usage: Usage | None = None) -> bytes:
        asked = decode(request.raw)
        try:
            vectors: list[Vector] = [list(map(float, vector)) for vector in target.read(whole_json(answer.body))]
        except _MALFORMED:
            raise no_answer("it is not of its format") from None
        wanted = len(source.read(asked).texts)
        if len(vectors) != wanted or not all(vectors):
            raise no_answer(f"it has {len(vectors)} vectors for {wanted} texts")
        return encode(source.write(asked, vectors, 0 if usage is None else usage.all_input))

    return CallTranslator(
        source=source.operation,
        target=target.operation,
        models=target.models,
        request=request,
        answer=answer,
        error=target.error,
        estimates=True,
    )


EMBEDDING_TRANSLATORS: tuple[CallTranslator, ...] = tuple(
    _translator(source, target)
    for source in SOURCES
    for target in TARGETS
    if source.operation.partition(".")[0] != target.operation.partition(".")[0]
)
