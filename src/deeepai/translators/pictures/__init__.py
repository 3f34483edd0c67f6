"""Pictures by OpenAI's images, made by vendors that answer at once: Imagen, Gemini, Ideogram, Stability.

OpenAI's two operations are read into `Asked` (`openai.py`), and each vendor's module writes from it. What only another
vendor can do is refused with a 400 that names the field; what has no meaning beyond OpenAI's own models is left out. An
answer without a picture is a failure that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...declare import MALFORMED, Answer, AnyRequest, CallTranslator, Failure, Json, Part, Reason, Usage
from ..chat.common import encode, no_answer
from . import gemini, ideogram, imagen, openai, stability
from .common import Asked, Target

TARGETS: Sequence[Target] = (imagen.TARGET, gemini.TARGET, *ideogram.TARGETS, *stability.TARGETS)


def _translator(
    name: str, target: Target, write: Callable[[Asked, str], Mapping[str, Json] | Sequence[Part]]
) -> CallTranslator:
    def request(request: AnyRequest, model: str) -> Mapping[str, Json] | Sequence[Part]:
        try:
            return write(openai.read(request), model)
        except MALFORMED:
            raise Failure(Reason.INVALID, "The body is not of its format: a field has the wrong type") from None

    def answer(request: AnyRequest, answer: Answer, usage: Usage | None = None) -> bytes:
        try:
            made = target.read(answer)
            if all(isinstance(each.data or each.address, str) for each in made):
                return encode(openai.write_answer(request, made, usage))
        except MALFORMED:
            pass
        raise no_answer("it is not of its format")

    return CallTranslator(
        source=name,
        target=target.operation,
        models=target.models,
        takes=target.takes,
        request=request,
        answer=answer,
        error=target.error,
        estimates=True,
    )


PICTURE_TRANSLATORS: tuple[CallTranslator, ...] = tuple(
    _translator(name, target, write)
    for target in TARGETS
    for name, write in ((openai.GENERATIONS, target.draw), (openai.EDITS, target.edit))
    if write is not None
)
