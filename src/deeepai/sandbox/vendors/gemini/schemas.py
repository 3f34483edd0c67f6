"""The part of JSON Schema that Google's `Schema` has, and what it refuses, in which words.

It stands in `parameters`, `response` and `responseSchema`; what is called `…JsonSchema` is not held to it. Sources:
Google's reference, lijunzh/koda PR #1097, zed-industries/zed#44875 (unknown keywords), microsoft/azure-devops-mcp#139
(values of enums), musistudio/llms PR #20 and decolua/9router#359 (their types), cline/cline#7339 (items),
znlsl/Antigravity2Api#22 and iBUHub/AIStudioToAPI#154 (required).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .common import TYPE, field, snake

_PACKAGE = TYPE.removesuffix("google.rpc.") + "google.ai.generativelanguage.v1beta."
_TYPES = {"ARRAY", "BOOLEAN", "INTEGER", "NULL", "NUMBER", "OBJECT", "STRING", "TYPE_UNSPECIFIED"}
_FIELDS = frozenset(
    (
        *("type", "format", "title", "description", "nullable", "enum", "max_items", "min_items", "properties"),
        *("required", "min_properties", "max_properties", "min_length", "max_length", "pattern", "example", "any_of"),
        *("property_ordering", "default", "items", "minimum", "maximum"),
    )
)
Fault = tuple[str, str]
"""Where something is wrong, and what."""


def unreadable(schema: Any, path: str) -> Iterator[Fault]:
    """Yield what cannot be read as a `Schema` at all."""
    if not isinstance(schema, dict):
        yield path, f"Invalid value at '{path}' ({_PACKAGE}Schema), {schema!r}"
        return
    for key in schema:
        if snake(key) not in _FIELDS:
            yield unknown(key, path)
    kind: Any = schema.get("type")
    if isinstance(kind, list):
        text = "Proto field is not repeating, cannot start list."
        yield f"{path}.type", f"Invalid JSON payload received. Unknown name \"type\" at '{path}': {text}"
    elif kind is not None and str(kind).upper() not in _TYPES:
        yield f"{path}.type", f"Invalid value at '{path}.type' ({_PACKAGE}Type), \"{kind}\""
    values: list[Any] = schema.get("enum") or []
    for number, value in enumerate(values):
        if not isinstance(value, str):
            yield f"{path}.enum[{number}]", f"Invalid value at '{path}.enum[{number}]' (TYPE_STRING), {value!r}"
    for number, child in enumerate((schema.get("properties") or {}).values()):
        yield from unreadable(child, f"{path}.properties[{number}].value")
    for number, child in enumerate(field(schema, "anyOf", ())):
        yield from unreadable(child, f"{path}.any_of[{number}]")
    if "items" in schema:
        yield from unreadable(schema["items"], f"{path}.items")


def unfit(schema: dict[str, Any], path: str) -> Iterator[Fault]:
    """Yield what a readable `Schema` must not be."""
    kind = str(schema.get("type", "")).upper()
    if kind == "ARRAY" and "items" not in schema:
        yield f"{path}.items", "missing field."
    if schema.get("enum") and kind != "STRING":
        yield f"{path}.enum", "only allowed for STRING type"
    properties: dict[str, Any] = schema.get("properties") or {}
    for number, name in enumerate(schema.get("required") or ()):
        if name not in properties:
            yield f"{path}.required[{number}]", "property is not defined"
    for name, child in properties.items():
        yield from unfit(child, f"{path}.properties[{name}]")
    for number, child in enumerate(field(schema, "anyOf", ())):
        yield from unfit(child, f"{path}.any_of[{number}]")
    if "items" in schema:
        yield from unfit(schema["items"], f"{path}.items")


def unknown(key: str, path: str) -> Fault:
    """Return the fault of a field that does not exist."""
    where = f" at '{path}'" if path else ""
    return path, f'Invalid JSON payload received. Unknown name "{key}"{where}: Cannot find field.'
