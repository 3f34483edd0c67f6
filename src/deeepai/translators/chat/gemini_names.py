"""Gemini's names, which come in two spellings, and Google's own kind of schema."""

from __future__ import annotations

import functools
import re
from typing import Any

from ...declare import Json
from .common import Body


@functools.lru_cache(maxsize=256)
def snake(name: str) -> str:
    """Return a name in camelCase as snake_case."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def get(body: Body, name: str) -> Any:
    """Return a field by its name in camelCase, or in snake_case."""
    value = body.get(name)
    return body.get(snake(name)) if value is None else value


def json_schema(schema: Json) -> Json:
    """Return Google's own kind of schema, with its types in capitals, as JSON Schema."""
    if not isinstance(schema, dict):
        return schema
    made: Body = {}
    for key, value in schema.items():
        if key in ("properties", "defs"):
            made[key] = {name: json_schema(one) for name, one in value.items()}
        elif key in ("items", "additionalProperties"):
            made[key] = json_schema(value)
        elif key in ("anyOf", "any_of"):
            made["anyOf"] = [json_schema(one) for one in value]
        elif key == "type" and isinstance(value, str):
            made[key] = value.lower()
        elif key in ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"):
            made[key] = int(value)
        elif key not in ("nullable", "propertyOrdering", "property_ordering"):
            made[key] = value
    if schema.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made
