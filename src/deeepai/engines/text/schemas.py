"""What llama.cpp's grammar keeps of a JSON schema: what it would pass over is refused, so that no answer breaks one.

Source: llama.cpp's `common/json-schema-to-grammar.cpp` and `grammars/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from ..openai_wire import refused

_PASSED_OVER: Final = (
    *("not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "patternProperties"),
    *("propertyNames", "minProperties", "maxProperties", "contains", "minContains", "maxContains", "multipleOf"),
    *("unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"),
)
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_WORDS: Final = ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")
_NAMES: Final = ("$schema", "$id", "$comment", "$defs", "definitions")
_BESIDE: Final = frozenset((*_WORDS, *_NAMES))
"""What may stand beside a reference or alternatives."""
_SCHEMAS: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONE: Final = ("items", "additionalProperties", "additionalItems")


def check(schema: Mapping[str, Any], param: str) -> None:
    """Refuse a schema that the grammar cannot keep.

    Raises
    ------
    WireError
        400, which names the keyword.
    """
    todo: list[Any] = [schema]
    while todo:
        one = todo.pop()
        if isinstance(one, Mapping):
            known = cast("Mapping[str, Any]", one)
            keyword = _broken(known)
            if keyword is not None:
                raise refused(f"This model's grammar cannot keep to {keyword!r} in a schema.", param, "invalid_schema")
            todo += _inner(known)


def _inner(schema: Mapping[str, Any]) -> Iterator[Any]:
    for name in _SCHEMAS:
        inner = schema.get(name)
        if isinstance(inner, Mapping):
            yield from cast("Mapping[str, Any]", inner).values()
    for name in (*_LISTS, *_ONE):
        inner = schema.get(name)
        yield from cast("list[Any]", inner) if isinstance(inner, list) else (inner,)


def _broken(schema: Mapping[str, Any]) -> str | None:
    """Return a keyword that the grammar would pass over; None where there is none."""
    for name in _PASSED_OVER:
        if name in schema:
            return name
    if schema.get("uniqueItems"):
        return "uniqueItems"
    for name in ("$ref", "anyOf", "oneOf"):
        if name in schema:
            # All else beside it is passed over.
            return next((beside for beside in schema if beside not in _BESIDE and beside != name), None)
    kinds = schema.get("type")
    kinds = {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else set[str]()
    if "enum" in schema or "const" in schema:
        return None
    if "integer" not in kinds or "number" in kinds:
        for name in _BOUNDS:
            if name in schema:
                return name
    if "pattern" in schema or "format" in schema:
        return next((name for name in ("minLength", "maxLength") if name in schema), None)
    return None
