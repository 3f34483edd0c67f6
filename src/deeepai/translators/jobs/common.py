"""What the formats of jobs need: bodies, frames, shapes, lengths, and refusals."""

from __future__ import annotations

import base64
import dataclasses
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NoReturn

import msgspec

from ...declare import Answer, AnyRequest, Failure, Json, Reason
from .model import Body, Film, Picture, Shape, Wanted, WantedT


@dataclass(frozen=True, kw_only=True, slots=True)
class Source(Generic[WantedT]):
    """A format in which something is asked for.

    Attributes
    ----------
    operations : tuple of str
        Operation names, `protocol.operation`.
    read : callable
        What is wanted; raises `Failure` for what is this vendor's alone.
    """

    operations: tuple[str, ...]
    read: Callable[[AnyRequest], WantedT]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target(Generic[WantedT]):
    """A format in which a vendor is asked.

    Attributes
    ----------
    operations : mapping
        Operation names, each with whether it is the one for what is wanted.
    write : callable
        The body, for a model; raises `Failure` for what the vendor cannot be told.
    error : callable
        What the vendor's refusal says.
    facts : callable
        What a body asks for at last, kept with the task: `seconds` and `size`.
    models : tuple of str
        Names (or patterns) of the models that it is for, as the channel names them; all, if empty.
    """

    operations: Mapping[str, Callable[[WantedT], bool]]
    write: Callable[[WantedT, str], Body]
    error: Callable[[Answer], Failure]
    facts: Callable[[Mapping[str, Json]], Mapping[str, Json]] = field(default=lambda body: {})
    models: tuple[str, ...] = ()


# Bodies ------------------------------------------------------------------------------------------------------------


def body_of(request: AnyRequest) -> Body:
    """Return a body's fields, JSON or the texts of a form, without those that say nothing.

    Raises
    ------
    Failure
        INVALID, where it is no JSON object.
    """
    if request.parts:
        return {part.name: part.text for part in request.parts if part.filename is None and part.text}
    try:
        body = msgspec.json.decode(request.raw)
    except (RecursionError, msgspec.DecodeError, ValueError):
        body = None
    if not isinstance(body, dict):
        raise Failure(Reason.INVALID, "The body must be a JSON object")
    return said(body)


def said(body: Mapping[str, Json]) -> Body:
    """Return the fields that say something: clients send null or nothing for what is not set."""
    return {name: value for name, value in body.items() if value is not None and value not in ("", [], {})}


def no(value: Json) -> bool:
    """Tell whether a flag, or what holds one, is off."""
    return value in (False, "false", None) or (isinstance(value, dict) and no(value.get("enabled", True)))


def whole(value: Json, name: str) -> int:
    """Return a whole number, be it written as text.

    Raises
    ------
    Failure
        INVALID, which names the field.
    """
    number = decimal(value, name)
    if not number.is_integer():
        raise Failure(Reason.INVALID, f"'{name}' must be a whole number", param=name)
    return int(number)


def decimal(value: Json, name: str) -> float:
    """Return a number, be it written as text.

    Raises
    ------
    Failure
        INVALID, which names the field.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise Failure(Reason.INVALID, f"'{name}' must be a number", param=name)
    return number


# Refusals ----------------------------------------------------------------------------------------------------------


def alone(body: Mapping[str, Json], vendor: str, names: Collection[str]) -> None:
    """Refuse fields that only one vendor understands.

    Raises
    ------
    Failure
        INVALID, which names the first.
    """
    for name in names:
        if not no(body.get(name)):
            message = f"'{name}' is {vendor}'s alone: the vendor of this model cannot be told"
            raise Failure(Reason.INVALID, message, param=name, code="unsupported_parameter")


def refuse(wanted: Wanted, name: str, why: str = "the vendor of this model cannot be told") -> NoReturn:
    """Raise the failure for a field that cannot be carried, under its name in the source."""
    called = wanted.names.get(name, name)
    raise Failure(Reason.INVALID, f"'{called}': {why}", param=called, code="unsupported_parameter")


_BESIDE: Final = frozenset(("prompt", "bag", "own", "names", "seed", "enhance"))
"""A seed makes nothing certain anywhere, nor does any say what it adds to a prompt; who has neither is not told."""


def only(wanted: Wanted, *carried: str) -> None:
    """Refuse what is wanted beyond what a vendor can be told.

    Raises
    ------
    Failure
        INVALID, which names the first.
    """
    for each in dataclasses.fields(wanted):
        if each.name not in _BESIDE and each.name not in carried and getattr(wanted, each.name) != each.default:
            refuse(wanted, each.name)


# Frames ------------------------------------------------------------------------------------------------------------

_KINDS: Final = {"/9j/": "image/jpeg", "UklGR": "image/webp", "R0lGOD": "image/gif"}
_DATA: Final = re.compile(r"data:([^;,]*);base64,")


def frame(value: Json, name: str) -> str:
    """Return a picture as an address or a data URL; bare base64 is one without its head.

    Raises
    ------
    Failure
        INVALID, where it is no text.
    """
    if not isinstance(value, str):
        raise Failure(Reason.INVALID, f"'{name}' must be an address or base64", param=name)
    if value.startswith(("http://", "https://", "data:")):
        return value
    kind = next((kind for head, kind in _KINDS.items() if value.startswith(head)), "image/png")
    return f"data:{kind};base64,{value}"


def frame_of(data: bytes | memoryview) -> str:
    """Return a picture's bytes as a data URL."""
    return frame(base64.b64encode(data).decode(), "")


def bare(picture: str) -> str:
    """Return a picture as an address or as base64 alone."""
    return _DATA.sub("", picture, count=1)


def inline(picture: str) -> tuple[str, str] | None:
    """Return the type of a picture and its base64; None where it is an address."""
    head = _DATA.match(picture)
    return (head[1] or "image/png", picture[head.end() :]) if head else None


def addressed(film: Film | Picture, name: str) -> str | None:
    """Return a frame, or a picture that is followed, for a vendor that takes addresses alone.

    Raises
    ------
    Failure
        INVALID, where it is base64.
    """
    picture: str | None = getattr(film, name)
    if picture is not None and picture.startswith("data:"):
        refuse(film, name, "the vendor of this model takes an address alone")
    return picture


# Shapes and lengths ------------------------------------------------------------------------------------------------

NEAR: Final = 0.08
"""How far a ratio may be from the one that the vendor has: 1792x1024 is 16:9."""


def size(value: Json, name: str = "size") -> Shape:
    """Read `1280x720`.

    Raises
    ------
    Failure
        INVALID, which names the field.
    """
    return _shape(value, r"(\d{2,5})[xX*](\d{2,5})", name, "WIDTHxHEIGHT, such as 1280x720")


def ratio(value: Json, name: str) -> Shape:
    """Read `16:9`.

    Raises
    ------
    Failure
        INVALID, which names the field.
    """
    return _shape(value, r"(\d{1,4}):(\d{1,4})", name, "W:H, such as 16:9")


def _shape(value: Json, pattern: str, name: str, like: str) -> Shape:
    match = re.fullmatch(pattern, value) if isinstance(value, str) else None
    if match is None or not int(match[1]) or not int(match[2]):
        raise Failure(Reason.INVALID, f"'{name}' must be {like}", param=name)
    return int(match[1]), int(match[2])


def times(shape: Shape) -> str:
    """Write `1280x720`."""
    return f"{shape[0]}x{shape[1]}"


def nearest_ratio(shape: Shape, offered: Sequence[str]) -> tuple[str, float]:
    """Return the ratio nearest to a shape, and how far it is off: 0.08 is eight percent."""
    asked = math.log(shape[0] / shape[1])

    def off(name: str) -> float:
        wide, high = ratio(name, name)
        return abs(math.log(wide / high) - asked)

    best = min(offered, key=off)
    return best, math.expm1(off(best))


def ratio_of(wanted: Film | Picture, offered: Sequence[str], near: float = NEAR) -> str | None:
    """Return which of a vendor's ratios is wanted; None where none is said.

    Parameters
    ----------
    near : float
        How far it may be from the nearest that the vendor has.

    Raises
    ------
    Failure
        INVALID, where the vendor has none like it.
    """
    shape = wanted.shape
    if shape is None:
        return None
    name, off = nearest_ratio(shape, offered)
    if off > near:
        field = "size" if wanted.size is not None else "ratio"
        refuse(wanted, field, f"the vendor of this model has the ratios {', '.join(offered)}")
    return name


def length_of(film: Film, offered: Sequence[int]) -> int | None:
    """Return which of a vendor's lengths (s) is wanted; None where none is said.

    The nearest will do, the longer of two, if it is not off by more than a third.

    Raises
    ------
    Failure
        INVALID, where the vendor has none like it.
    """
    asked = film.seconds
    if asked is None:
        return None
    best = min(offered, key=lambda seconds: (abs(seconds - asked), -seconds))
    if abs(best - asked) * 3 > asked:
        refuse(film, "seconds", f"the vendor of this model makes {', '.join(map(str, offered))} seconds")
    return best


# Errors ------------------------------------------------------------------------------------------------------------

_BY_STATUS: Final[Mapping[int, Reason]] = {
    400: Reason.INVALID,
    404: Reason.NO_MODEL,
    413: Reason.TOO_LARGE,
    422: Reason.INVALID,
    429: Reason.RATE_LIMITED,
    503: Reason.UNAVAILABLE,
    504: Reason.TIMEOUT,
}


def failure(answer: Answer, message: Json, code: Json = None, codes: Mapping[Json, Reason] | None = None) -> Failure:
    """Say what a vendor's refusal means, by its code or else its HTTP status."""
    known = (codes or {}).get(code) if isinstance(code, int | str) else None
    words = message if isinstance(message, str) and message else "The upstream refused the request"
    return Failure(known or _BY_STATUS.get(answer.status, Reason.UPSTREAM), words)
