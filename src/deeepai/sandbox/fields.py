"""The fields of a request as a table, and what is wrong with a body that does not fit.

An absent field and a JSON null are the same here: clients send null for what their caller left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .conditions import GIVEN, Conditions, FieldError, Rule
from .media.draw import from_base64, size_of

Kind = Literal["text", "whole", "number", "flag", "object", "list", "any"]
_TYPES: Mapping[Kind, tuple[type, ...]] = {
    "text": (str,),
    "whole": (int,),
    "number": (int, float),
    "flag": (bool,),
    "object": (dict,),
    "list": (list,),
    "any": (object,),
}
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True)
class Field:
    """One field.

    `low` and `high` bound a number, a text's characters or a list's items. `error` is the kind of error (a key of the
    vendor's table) when the value is not one of those allowed.
    """

    kind: Kind = "text"
    low: float | None = None
    high: float | None = None
    choices: Collection[Any] = ()
    required: bool = False
    default: Any = None
    fields: Mapping[str, Field] = field(default_factory=dict[str, "Field"])
    """Of an object."""
    each: Field | None = None
    """Of a list: what its items are."""
    check: Callable[[Any], str] | None = None
    """Returns what is wrong with a value beyond all this, or an empty text."""
    lenient: bool = False
    """Whether a number or a flag may come in quotes, and a number where a text is due."""
    error: str = "value"
    due: Sequence[Conditions] = ()
    """When it is required: where all of one of these conditions hold."""
    fits: Conditions = field(default_factory=dict[str, Any])
    """What must hold where it is given."""
    asks: Sequence[tuple[Collection[Any], Conditions]] = ()
    """What must hold where it has one of some values."""

    def must(self) -> Field:
        """Return the field as a required one."""
        return replace(self, required=True)

    def when(self, **conditions: Any) -> Field:
        """Return the field as one that is required under some conditions on its neighbours, or further ones."""
        return replace(self, due=(*self.due, conditions))

    def only(self, **conditions: Any) -> Field:
        """Return the field as one that may be given under some conditions alone."""
        return replace(self, fits={**self.fits, **conditions})

    def where(self, values: Collection[Any], conditions: Conditions) -> Field:
        """Return the field as one that may have some values under some conditions alone."""
        return replace(self, asks=(*self.asks, (values, conditions)))


def text(most: int | None = None) -> Field:
    """Return the field of a text of at most so many characters."""
    return Field(high=most)


def number(low: float | None = None, high: float | None = None, default: float | None = None) -> Field:
    """Return the field of a number within bounds."""
    return Field("number", low, high, default=default)


def choice(*values: Any, error: str = "value") -> Field:
    """Return the field of one of some words."""
    return Field(choices=values, error=error)


def usually(*values: Any, error: str = "value") -> Field:
    """Return the field of one of some words, the first of which is the default."""
    return Field(choices=values, default=values[0], error=error)


def model(*names: str) -> Field:
    """Return the field of a model's name, the first of which is the default."""
    return usually(*names, error="unknown_model")


def group(*tables: Mapping[str, Field], single: bool = False, **fields: Field) -> Field:
    """Return the field of an object with further fields; of a `single` one, one value alone is other than 0."""
    return Field("object", fields=table(*tables, fields), check=_single if single else None)


def _single(values: Mapping[str, Any]) -> str:
    return "" if sum(map(bool, values.values())) == 1 else "must have exactly one value other than 0"


def several(low: int, high: int, each: Field | None = None, **fields: Field) -> Field:
    """Return the field of a list: of some field, of objects with some fields, or of anything."""
    return Field("list", low, high, each=group(fields) if fields else each)


def table(*tables: Mapping[str, Field], **fields: Field) -> Mapping[str, Field]:
    """Return one table of several and further fields; the later of two with one name counts."""
    return {name: rule for part in (*tables, fields) for name, rule in part.items()}


def read(
    fields: Mapping[str, Field], body: Mapping[str, Any], within: str = "", *, lenient: bool = False
) -> dict[str, Any]:
    """Return a body as its table has it: nulls and unknown fields left out, defaults filled in.

    Parameters
    ----------
    lenient
        Whether all fields are.

    Raises
    ------
    FieldError
        For the first field that does not fit.
    """
    values: dict[str, Any] = {}
    for name, rule in fields.items():
        if body.get(name) is not None:
            values[name] = _value(rule, body[name], within + name, lenient)
        elif rule.default is not None:
            values[name] = rule.default
        if rule.required and values.get(name) in (None, "", []):
            raise FieldError("missing", f"{within}{name} is required")
    for name, rule in fields.items():
        for conditions in rule.due:
            Rule({name: GIVEN}, conditions).judge(values)
        Rule(rule.fits, {name: GIVEN}).judge(values)
        for some, conditions in rule.asks:
            Rule(conditions, {name: tuple(some)}).judge(values)
    return values


def picture(
    *,
    least: int = 0,
    most_bytes: int = 10 * 2**20,
    data_urls: bool = True,
    steepest: float = 0,
    formats: Collection[str] = (),
) -> Field:
    """Return the field of a picture: an address (which is not fetched), or base64.

    Parameters
    ----------
    least
        Pixels of the shorter side.
    data_urls
        Whether base64 may follow `data:image/…;base64,`.
    steepest
        The longer side over the shorter one; 0 for any.
    """

    def check(value: str) -> str:
        if value == "" or value.startswith(("http://", "https://")):
            return ""
        if value.startswith("data:") and not data_urls:
            return "must be base64 without a prefix"
        data = from_base64(value)
        size = size_of(data) if data is not None else None
        if data is None or size is None:
            return "is neither an address nor a picture in base64"
        if len(data) > most_bytes:
            return f"is larger than {most_bytes} bytes"
        if min(size) < least or (steepest and max(size) > steepest * min(size)):
            return f"is {size[0]} by {size[1]} pixels, which is too small or too steep"
        return ""

    return Field(check=check)


def inline(value: Any) -> Iterator[bytes]:
    """Yield the pictures that came as base64 in a value, at any depth, in the order of its fields."""
    if isinstance(value, str):
        data = from_base64(value) if value else None
        if data is not None and size_of(data) is not None:
            yield data
    elif isinstance(value, Mapping | Sequence):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from inline(item)


def _value(rule: Field, value: Any, name: str, lenient: bool) -> Any:
    if rule.lenient or lenient:
        value = _lenient(rule.kind, value)
    if not isinstance(value, _TYPES[rule.kind]) or (isinstance(value, bool) and rule.kind in ("whole", "number")):
        raise FieldError("type", f"{name} must be of the type {rule.kind}")
    if rule.choices and value not in rule.choices:
        raise FieldError(rule.error, f"{name} must be one of {', '.join(map(str, rule.choices))}")
    amount = len(value) if isinstance(value, str | list) else value
    if (rule.low is not None and amount < rule.low) or (rule.high is not None and amount > rule.high):
        raise FieldError(rule.error, f"{name} is not within {rule.low} and {rule.high}")
    if rule.fields and isinstance(value, dict):
        value = read(rule.fields, value, f"{name}.", lenient=lenient)
    if rule.each is not None and isinstance(value, list):
        value = [_value(rule.each, item, f"{name}[{number}]", lenient) for number, item in enumerate(value)]
    if rule.check is not None and (wrong := rule.check(value)):
        raise FieldError(rule.error, f"{name} {wrong}")
    return value


def _lenient(kind: Kind, value: Any) -> Any:
    if kind == "text" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return value
    try:
        match kind:
            case "whole":
                return int(value)
            case "number":
                return float(value)
            case "flag":
                return _FLAGS.get(value.lower(), value)
            case _:
                return value
    except ValueError:
        return value
