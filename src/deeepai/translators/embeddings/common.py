"""What the formats of embeddings share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...declare import Answer, Failure, Json
from ..chat.common import Body

Vector: TypeAlias = list[float]


@dataclass(frozen=True, slots=True)
class Texts:
    """What is to be embedded, and how long the vectors are to be; None: as long as the model makes them."""

    texts: Sequence[str]
    dimensions: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A format in which embeddings are asked for.

    Attributes
    ----------
    operation : str
        `protocol.operation`.
    read : callable
        What is wanted; raises `Failure` for what is no text.
    write : callable
        The answer to a body: vectors, and the tokens that are charged.
    """

    operation: str
    read: Callable[[Body], Texts]
    write: Callable[[Body, Sequence[Vector], int], Body]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A format in which a vendor is asked.

    Attributes
    ----------
    operation : str
        `protocol.operation`.
    models : tuple of str
        As of a `CallTranslator`.
    write : callable
        The body, for a model.
    read : callable
        The vectors of an answer, in the order of the texts.
    error : callable
        What the vendor's refusal says.
    """

    operation: str
    models: tuple[str, ...] = ()
    write: Callable[[Texts, str], Body]
    read: Callable[[Json], Sequence[Vector]]
    error: Callable[[Answer], Failure]
