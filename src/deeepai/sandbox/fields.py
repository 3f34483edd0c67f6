"""The fields of a request as a table, and what is wrong with a body that does not fit it.

An absent field and a JSON null are the same here: clients send null for what their caller left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

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
    """Returns what is wrong beyond all this, or an empty text."""
    lenient: bool = False
    """Whether a number or a flag may come in quotes, and a number where a text is due."""
    error: str = "value"

    def must(self) -> Field:
        """Return the field as a required one."""
        return replace(self, required=True)


class FieldError(Exception):
    """What is wrong with a body: a kind of error (`missing`, `type`, or the field's own) and a message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read(fields: Mapping[str, Field], body: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Return a body as its table has it: nulls and unknown fields left out, defaults filled in.

    Raises
    ------
    FieldError
        For the first field that does not fit.
    """
    values: dict[str, Any] = {}
    for name, rule in fields.items():
        if body.get(name) is not None:
            values[name] = _value(rule, body[name], within + name)
        elif rule.default is not None:
            values[name] = rule.default
        if rule.required and values.get(name) in (None, "", []):
            raise FieldError("missing", f"{within}{name} is required")
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


def inline(value: Any) -> bytes | None:
    """Return the bytes of a picture that came as base64, or None."""
    return from_base64(value) if isinstance(value, str) and value and not value.startswith("http") else None


def _value(rule: Field, value: Any, name: str) -> Any:
    if rule.lenient:
        value = _lenient(rule.kind, value)
    if not isinstance(value, _TYPES[rule.kind]) or (isinstance(value, bool) and rule.kind in ("whole", "number")):
        raise FieldError("type", f"{name} must be of the type {rule.kind}")
    if rule.choices and value not in rule.choices:
        raise FieldError(rule.error, f"{name} must be one of {', '.join(map(str, rule.choices))}")
    amount = len(value) if isinstance(value, str | list) else value
    if (rule.low is not None and amount < rule.low) or (rule.high is not None and amount > rule.high):
        raise FieldError(rule.error, f"{name} is not within {rule.low} and {rule.high}")
    if rule.check is not None and (wrong := rule.check(value)):
        raise FieldError(rule.error, f"{name} {wrong}")
    if rule.fields and isinstance(value, dict):
        return read(rule.fields, value, f"{name}.")
    if rule.each is not None and isinstance(value, list):
        return [_value(rule.each, item, f"{name}[{number}]") for number, item in enumerate(value)]
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
