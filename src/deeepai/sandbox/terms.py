"""What an order makes and costs, as data: each of these returns a function that reads an order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from .job_vendor import Order
from .media.video import FPS
from .results import Result

Term: TypeAlias = Callable[[Order], Any]


def said(name: str, default: Any = None) -> Term:
    """Return the term that is a field's value, be it in the body or in an object within."""
    return lambda order: order.said(name, default)


def by(name: str, values: Mapping[Any, Any], default: Any = None) -> Term:
    """Return the term that a field's value decides on; what it decides for may be a term, too."""
    return lambda order: _value(values.get(order.said(name), default), order)


def product(*factors: Any) -> Callable[[Order], float]:
    """Return the term that is a product of numbers, or of texts that are some."""
    return lambda order: math.prod(float(_value(factor, order)) for factor in factors)


def films(
    *, side: Any, seconds: Any, longer: float = 0, fps: Any = FPS, loud: Any = False
) -> Callable[[Order], Sequence[Result]]:
    """Return the term of one film.

    Parameters
    ----------
    side
        Pixels of its shorter side, where neither its parent's nor `size` counts.
    seconds
        How long it is, if it has no parent.
    longer
        By how many seconds it is longer than its parent.
    fps
        Pictures a second.
    loud
        Whether it has a sound.
    """

    def make(order: Order) -> Sequence[Result]:
        parent = order.parent
        length = float(_value(seconds, order)) if parent is None else parent.result.seconds + longer
        shown = {"side": _value(side, order), "fps": _value(fps, order), "loud": bool(_value(loud, order))}
        return [order.film(length, **shown)]

    return make


def pictures(*, side: Any) -> Callable[[Order], Sequence[Result]]:
    """Return the term of `n` pictures, each of as many pixels as a square of some side."""
    return lambda order: order.images(side=_value(side, order))


def _value(term: Any, order: Order) -> Any:
    return term(order) if callable(term) else term
