"""What an answer of an operation must hold, to be one at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .values import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerShape:
    """What an answer of an operation holds; what has none of it is a failure, whatever its HTTP status.

    Attributes
    ----------
    fields : tuple of str
        Names at the top of a JSON object, of which one must be there with something in it.
    media : tuple of str
        How the content types begin of answers that are no JSON.
    blank : bool
        What is there may be empty: the text of a silent recording.
    failed : callable
        What an answer that holds these says of a failure all the same; None: nothing.
    refused : callable
        The HTTP status that a refusal stands for which comes with a good one; None: it is no refusal. Its caller sees
        it as it came.
    """

    fields: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    blank: bool = False
    failed: Callable[[Json], str | None] | None = None
    refused: Callable[[Json], int | None] | None = None
