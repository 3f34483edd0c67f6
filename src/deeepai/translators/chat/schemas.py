"""JSON Schemas as each vendor takes them.

Callers send what their own vendor is lenient with: no type at the top, `required: null`, arrays without items, words
of older drafts. The next vendor answers 400. Sources: OpenAI's and Anthropic's guides of structured outputs, Google's
reference of `FunctionDeclaration` and `GenerationConfig`, and the messages of the three vendors' own refusals.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from typing import Any, Final, Literal

from ...declare import Json, whole
from .common import Body, decode, encode

Flavour = Literal["openai", "anthropic", "gemini"]

_MAPS: Final = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_LISTS: Final = {"anyOf", "oneOf", "allOf", "prefixItems"}
_SINGLE: Final = {
    *("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"),
    *("unevaluatedProperties", "unevaluatedItems", "additionalItems"),
}
_TYPES: Final = {
    **{name: name for name in ("string", "number", "integer", "boolean", "object", "array", "null")},
    "str": "string",
    "text": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "dict": "object",
    "map": "object",
    "list": "array",
    "none": "null",
}
_COUNTS: Final = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
_NUMBERS: Final = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_MAY_BE_NULL: Final = {"default", "const", "example"}
_GEMINI: Final = {
    *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems"),
    *("minItems", "maxItems", "minimum", "maximum", "anyOf", "properties", "additionalProperties", "required"),
    "propertyOrdering",
}
_GEMINI_FORMATS: Final = {"date-time", "date", "time", "duration", "enum", "int32", "int64", "float", "double"}
_CLAUDE_OUTPUT: Final = {*_NUMBERS, "minLength", "maxLength", "maxItems", "minProperties", "maxProperties"}
_NOT_STRICT: Final = {"allOf", "oneOf", "not", "if", "then", "else", "patternProperties", "dependentRequired"}


# What holds for all ----------------------------------------------------------------------------------------------


def valid(schema: Json) -> Any:
    """Return a schema without what is no JSON Schema of 2020, and with items for each array."""
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        return {}
    made: Body = {}
    for key, value in schema.items():
        if value is None and key not in _MAY_BE_NULL:
            continue
        if key in _MAPS:
            if isinstance(value, dict):
                made[key] = {name: valid(inner) for name, inner in value.items()}
        elif key in _LISTS or (key == "items" and isinstance(value, list)):
            if isinstance(value, list) and value:
                made["prefixItems" if key == "items" else key] = [valid(inner) for inner in value]
        elif key in _SINGLE:
            made[key] = valid(value)
        else:
            _keyword(key, value, schema, made)
    kinds = made.get("type")
    if schema.get("nullable") is True and isinstance(kinds, str) and kinds != "null":
        made["type"] = [kinds, "null"]
    if _is(made, "array") and "items" not in made and "prefixItems" not in made:
        made["items"] = {}
    return made


def _keyword(key: str, value: Json, schema: Body, made: Body) -> None:
    if key == "type":
        names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        kinds = [_TYPES[str(name).lower()] for name in names if str(name).lower() in _TYPES]
        if kinds:
            made["type"] = kinds if isinstance(value, list) and len(kinds) > 1 else kinds[0]
    elif key == "required":
        names = list(dict.fromkeys(name for name in value if isinstance(name, str))) if isinstance(value, list) else []
        if names:
            made["required"] = names
    elif key == "enum":
        if isinstance(value, list) and value:
            made["enum"] = value
    elif key in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
        bound = schema.get("minimum" if key == "exclusiveMinimum" else "maximum")
        if value and isinstance(bound, int | float):
            made[key] = bound
    elif key in _COUNTS or key in _NUMBERS:
        number = whole(value) if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool):
            made[key] = number
    elif key != "nullable":
        made[key] = value


def _is(schema: Body, kind: str) -> bool:
    kinds = schema.get("type")
    return kinds == kind or (isinstance(kinds, list) and kind in kinds)


def _at_top(schema: Body, defs: Body) -> Body:
    """Return a schema as one object without alternatives: those of the caller's are put together."""
    made = dict(schema)
    target = _target(made.pop("$ref", None), defs)
    if target is not None:
        made = {**_at_top(target, {}), **made}
    properties, required = dict(made.get("properties") or {}), list(made.get("required") or ())
    for key in ("allOf", "anyOf", "oneOf"):
        branches = [_at_top(branch, defs) for branch in made.pop(key, ()) if isinstance(branch, dict)]
        branches = [branch for branch in branches if branch["properties"] or len(branches) == 1]
        for branch in branches:
            for name, inner in branch["properties"].items():
                properties.setdefault(name, inner)
        demanded = [branch.get("required") or [] for branch in branches]
        shared = itertools.chain(*demanded) if key == "allOf" else _in_all(demanded)
        required += [name for name in shared if name not in required]
    for key in ("not", "enum", "const", "if", "then", "else", "required", "items", "prefixItems"):
        made.pop(key, None)
    made["type"] = "object"
    made["properties"] = properties
    if required:
        made["required"] = list(dict.fromkeys(required))
    return made


def _target(ref: Json, defs: Body) -> Body | None:
    target = defs.get(ref.rpartition("/")[2]) if isinstance(ref, str) and ref.startswith("#/") else None
    return target if isinstance(target, dict) else None


def _in_all(lists: Iterable[list[str]]) -> list[str]:
    first, *others = [*lists] or [[]]
    return [name for name in first if all(name in other for other in others)]


# Each vendor -----------------------------------------------------------------------------------------------------


def _for_gemini(schema: Json) -> Any:
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        kept = {key: value for key, value in schema.items() if key in ("$id", "$anchor")}
        return kept | {"$ref": schema["$ref"].replace("#/definitions/", "#/$defs/")}
    schema = dict(schema)
    for branch in schema.pop("allOf", ()):
        schema = _together(schema, branch)
    if "oneOf" in schema:
        schema["anyOf"] = [*schema.get("anyOf", ()), *schema.pop("oneOf")]
    if "const" in schema:
        schema["enum"] = [schema["const"]]
    if "definitions" in schema:
        schema["$defs"] = {**schema.pop("definitions"), **schema.get("$defs", {})}
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in schema:
            schema.setdefault(bound, schema[exclusive])
    made: Body = {}
    for key, value in schema.items():
        if key not in _GEMINI or (key == "format" and value not in _GEMINI_FORMATS):
            continue
        if key in ("properties", "$defs"):
            made[key] = {name: _for_gemini(inner) for name, inner in value.items()}
        elif key in ("anyOf", "prefixItems"):
            made[key] = [_for_gemini(inner) for inner in value]
        elif key in ("items", "additionalProperties"):
            made[key] = _for_gemini(value)
        elif key == "enum":
            values = [one for one in value if isinstance(one, str | int | float) and not isinstance(one, bool)]
            if values:
                made[key] = values
        elif key == "required":
            names = [name for name in value if name in (schema.get("properties") or {})]
            if names:
                made[key] = names
        else:
            made[key] = value
    return made


def _together(schema: Body, branch: Json) -> Body:
    """Return a schema with what another demands as well."""
    if not isinstance(branch, dict):
        return schema
    made = {**branch, **schema}
    if "properties" in branch and "properties" in schema:
        made["properties"] = {**branch["properties"], **schema["properties"]}
    if "required" in branch and "required" in schema:
        made["required"] = list(dict.fromkeys([*schema["required"], *branch["required"]]))
    return made


def _closed(schema: Json) -> Any:
    """Return a schema for Claude's structured output: objects closed, limits told in words."""
    if not isinstance(schema, dict):
        return schema
    made: Body = {}
    limits: Body = {}
    for key, value in schema.items():
        if key in _CLAUDE_OUTPUT or (key == "minItems" and not 0 <= value <= 1):
            limits[key] = value
        elif key in _MAPS:
            made[key] = {name: _closed(inner) for name, inner in value.items()}
        elif key in _LISTS:
            made["anyOf" if key == "oneOf" else key] = [_closed(inner) for inner in value]
        elif key in ("items", "not"):
            made[key] = _closed(value)
        elif key != "$schema":
            made[key] = value
    if limits:
        words = encode(limits).decode()
        made["description"] = f"{made['description']}\n\n{words}" if made.get("description") else words
    if _is(made, "object"):
        made["additionalProperties"] = False
    return made


def is_strict(schema: Json) -> bool:
    """Tell whether a schema is as OpenAI's `strict` demands: every object closed, all that it has required."""
    if isinstance(schema, list):
        return all(is_strict(inner) for inner in schema)
    if not isinstance(schema, dict):
        return True
    if not _NOT_STRICT.isdisjoint(schema):
        return False
    properties: Body = schema.get("properties") or {}
    has_members = "properties" in schema or _is(schema, "object")
    closed = schema.get("additionalProperties") is False and set(schema.get("required") or ()) == set(properties)
    if has_members and not closed:
        return False
    defs: Body = schema.get("$defs") or schema.get("definitions") or {}
    inner = [*properties.values(), *defs.values()]
    return all(map(is_strict, [*inner, schema.get("items"), schema.get("anyOf")]))


@functools.lru_cache(maxsize=2048)
def _tool_schema(schema: bytes, flavour: Flavour, strict: bool) -> Body:
    made: Body = valid(decode(schema))
    defs: Body = made.get("definitions") or {}
    made = _at_top(made, defs | (made.get("$defs") or {}))
    if flavour == "gemini":
        return _for_gemini(made)
    return _closed(made) if strict and flavour == "anthropic" else made


def tool_schema(schema: Json, flavour: Flavour, *, strict: bool = False) -> Body:
    """Return the parameters of a tool as a vendor takes them: one object, with its properties.

    What is returned is shared between requests and must not be changed.
    """
    return _tool_schema(encode(schema if isinstance(schema, dict) else {}), flavour, strict)


@functools.lru_cache(maxsize=512)
def _output_schema(schema: bytes, flavour: Flavour) -> Any:
    made = valid(decode(schema))
    if isinstance(made, dict) and "properties" in made and "type" not in made:
        made["type"] = "object"
    return _for_gemini(made) if flavour == "gemini" else _closed(made) if flavour == "anthropic" else made


def output_schema(schema: Json, flavour: Flavour) -> Any:
    """Return the schema of an answer as a vendor takes it; shared, as in `tool_schema`."""
    return _output_schema(encode(schema), flavour)
