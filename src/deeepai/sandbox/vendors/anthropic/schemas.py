"""JSON Schemas that Anthropic refuses, of tools and of structured outputs, and in which words.

Sources: nspady/google-calendar-mcp#39, anthropics/claude-code#44788 (top level), anthropics/claude-code#5486 (malformed
ones), anthropics/claude-code#79418, beautyfree/appstore-connect-mcp#2 (names of properties), Anthropic's guide on
structured outputs, agentjido/req_llm#302, NVIDIA/SkillSpector#66, laravel/ai#715 (limits), BerriAI/litellm#35808,
ax-llm/ax#458 (additionalProperties).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_KEY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_TYPES = {"array", "boolean", "integer", "null", "number", "object", "string"}
_NUMBERS = ("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf")
_LIMITS: Mapping[str, tuple[str, ...]] = {
    "integer": _NUMBERS,
    "number": _NUMBERS,
    "string": ("maxLength", "minLength"),
    "array": ("maxItems", "uniqueItems"),
    "object": ("maxProperties", "minProperties", "patternProperties"),
}
"""Keywords that a structured output's schema must not have, by type."""
_INVALID = (
    "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). "
    "Learn more about tool use at https://docs.claude.com/en/docs/tool-use."
)


def fault_of_tool(schema: Any) -> tuple[str, str] | None:
    """Return where below `input_schema` a tool's schema is refused, and why; None where it is taken."""
    if not isinstance(schema, dict):
        return "", "Input should be a valid dictionary"
    if "type" not in schema:
        return ".type", "Field required"
    if schema["type"] != "object":
        return ".type", "Input should be 'object'"
    if any(keyword in schema for keyword in ("oneOf", "allOf", "anyOf")):
        return "", "input_schema does not support oneOf, allOf, or anyOf at the top level"
    if any(_malformed(node) for node in _nodes(schema)):
        return "", _INVALID
    if any(_KEY.fullmatch(key) is None for key in schema.get("properties", {})):
        return ".properties", f"Property keys should match pattern '^{_KEY.pattern}$'"
    return None


def fault_of_output(schema: Any) -> str | None:
    """Return why the schema of a structured output is refused; None where it is taken."""
    if not isinstance(schema, dict):
        return "Input should be a valid dictionary"
    return next((fault for node in _nodes(schema) if (fault := _beyond(node)) is not None), None)


def _beyond(node: Mapping[str, Any]) -> str | None:
    kinds = node.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        held = [keyword for keyword in _LIMITS.get(str(kind), ()) if keyword in node]
        if held:
            noun, verb = ("property", "is") if len(held) == 1 else ("properties", "are")
            names = f"'{held[0]}'" if len(held) == 1 else ", ".join(held)
            return f"For '{kind}' type, {noun} {names} {verb} not supported"
        if kind == "array" and node.get("minItems", 0) not in (0, 1):
            return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
        if kind == "object" and "additionalProperties" not in node:
            return "For 'object' type, 'additionalProperties' must be explicitly set to false"
        if kind == "object" and node["additionalProperties"] is not False:
            shown = str(node["additionalProperties"]).lower()
            text = f"For 'object' type, 'additionalProperties: {shown}' is not supported."
            return f"{text} Please set 'additionalProperties' to false"
    return None


def _malformed(node: Mapping[str, Any]) -> bool:
    required, kinds = node.get("required", []), node.get("type", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return True
    if not isinstance(node.get("properties", {}), dict) or not isinstance(node.get("enum", []), list):
        return True
    return any(kind not in _TYPES for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and all schemas inside of it."""
    yield node
    children: list[Any] = [node.get("items"), node.get("additionalProperties")]
    for keyword in ("properties", "$defs", "definitions"):
        held = node.get(keyword)
        children += held.values() if isinstance(held, dict) else ()
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        held = node.get(keyword)
        children += held if isinstance(held, list) else ()
    for child in children:
        if isinstance(child, dict):
            yield from _nodes(child)
