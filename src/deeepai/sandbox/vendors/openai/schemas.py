"""JSON Schemas that OpenAI refuses, of functions and of structured outputs, and in which words.

Sources, beside OpenAI's guides on function calling and structured outputs: spring-projects/spring-ai#4776,
evalstate/fast-agent#143 (properties), nspady/google-calendar-mcp#39, chatanywhere/GPT_API_free#403 (top level),
Kilo-Org/kilocode#12238 (items), ogx-ai/ogx PR #6098, cbdb-project/cbdb-online-main-server PR #879 (malformed ones),
vercel/ai#6484, dottxt-ai/outlines#844, makenotion/notion-mcp-server#102 (strict ones).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_TYPES = {"array", "boolean", "integer", "null", "number", "object", "string"}
_ARRAYS = ("required", "enum", "anyOf", "oneOf", "allOf")
_NOT_ON_TOP = ("oneOf", "anyOf", "allOf", "enum", "const", "not")
_NOT_IN_STRICT = (
    "allOf",
    "oneOf",
    "not",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "patternProperties",
)
_Path = tuple[str, ...]


def fault_of_function(schema: Any, *, strict: bool) -> str | None:
    """Return why a function's parameters are refused; None where they are taken.

    An empty schema means no parameters, as an absent one does.
    """
    if schema is None or schema == {}:
        return None
    if (fault := _fault_of_top(schema)) is not None:
        return fault
    if any(keyword in schema for keyword in _NOT_ON_TOP):
        named = "/".join(f"'{keyword}'" for keyword in _NOT_ON_TOP)
        return f"schema must have type 'object' and not have {named} at the top level."
    if "properties" not in schema:
        return "In context=(), object schema missing properties."
    return _fault_inside(schema, strict=strict)


def fault_of_output(schema: Any, *, strict: bool) -> str | None:
    """Return why the schema of a structured output is refused; None where it is taken."""
    if not strict:
        return (
            _fault_inside(schema, strict=False) if isinstance(schema, dict) else f"{schema!r} is not of type 'object'"
        )
    return _fault_of_top(schema) or _fault_inside(schema, strict=True)


def _fault_of_top(schema: Any) -> str | None:
    kind = schema.get("type") if isinstance(schema, dict) else schema
    if kind == "object":
        return None
    return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."


def _fault_inside(schema: Mapping[str, Any], *, strict: bool) -> str | None:
    for path, node in _nodes(schema, ()):
        fault = _malformed(node) or (_not_strict(path, node) if strict else None)
        if fault is not None:
            return fault
        if node.get("type") == "array" and "items" not in node and "prefixItems" not in node:
            return f"In context={path!r}, array schema missing items."
    return None


def _nodes(node: Mapping[str, Any], path: _Path) -> Iterator[tuple[_Path, Mapping[str, Any]]]:
    """Yield a schema and all schemas inside of it, each with the way to it."""
    yield path, node
    for keyword in ("properties", "$defs", "definitions"):
        held = node.get(keyword)
        for name, child in held.items() if isinstance(held, dict) else ():
            if isinstance(child, dict):
                yield from _nodes(child, (*path, keyword, name))
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        held: Any = node.get(keyword)
        children: list[Any] = held if isinstance(held, list) else []
        for index, child in enumerate(children):
            if isinstance(child, dict):
                yield from _nodes(child, (*path, keyword, str(index)))
    for keyword in ("items", "additionalProperties"):
        child = node.get(keyword)
        if isinstance(child, dict):
            yield from _nodes(child, (*path, keyword))


def _malformed(node: Mapping[str, Any]) -> str | None:
    for keyword in _ARRAYS:
        if keyword in node and not isinstance(node[keyword], list):
            return f"{node[keyword]!r} is not of type 'array'."
    for name in node.get("required", ()):
        if not isinstance(name, str):
            return f"{name!r} is not of type 'string'."
    if "properties" in node and not isinstance(node["properties"], dict):
        return f"{node['properties']!r} is not of type 'object'."
    kinds = node.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in _TYPES:
            return f"{kind!r} is not valid under any of the given schemas."
    return None


def _not_strict(path: _Path, node: Mapping[str, Any]) -> str | None:
    for keyword in _NOT_IN_STRICT:
        if keyword in node:
            return f"In context={path!r}, '{keyword}' is not permitted."
    if not any(keyword in node for keyword in ("type", "$ref", "anyOf", "enum", "const")):
        return f"In context={path!r}, schema must have a 'type' key."
    kinds = node.get("type")
    if kinds != "object" and not (isinstance(kinds, list) and "object" in kinds):
        return None
    if node.get("additionalProperties") is not False:
        return f"In context={path!r}, 'additionalProperties' is required to be supplied and to be false."
    missing = _left_out(node.get("properties", {}), node.get("required", ()))
    if missing is None:
        return None
    text = "'required' is required to be supplied and to be an array including every key in properties."
    return f"In context={path!r}, {text} Missing '{missing}'."


def _left_out(properties: Mapping[str, Any], required: Sequence[str]) -> str | None:
    return next((name for name in properties if name not in required), None)
