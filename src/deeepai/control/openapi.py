"""OpenAPI 3.1 of the control API, out of its routes."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from .api import PREFIX
from .routes import Nothing, Route
from .sections import SECTIONS

_REFERENCE = "#/components/schemas/{name}"
SECURITY = "session"
_ERRORS: dict[str, str] = {
    "400": "The body is not valid JSON",
    "401": "No key, or one that is unknown or has expired",
    "403": "The caller has no right to that",
    "404": "There is no such thing, or it is not the caller's",
    "405": "The method is not known here",
    "409": "It contradicts what is there",
    "413": "The body is too large",
    "415": "The body is not JSON",
    "422": "A value cannot be used",
    "429": "Too many tries; see Retry-After",
}
_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "param"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "param": {"type": ["string", "null"]},
            },
        }
    },
}


def openapi_paths() -> dict[str, Any]:
    """Return `paths`, `components` and `tags`, to be merged into the whole document."""
    routes = [(section, route) for section, routes in SECTIONS.items() for route in routes]
    types = [kind for _, route in routes for kind in (route.body, route.query or Nothing, route.answer) if kind]
    schemas, components = msgspec.json.schema_components(types, ref_template=_prefixed(_REFERENCE))
    known = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, Any] = {}
    for section, route in routes:
        path = PREFIX + route.path.replace("*}", "}")
        query: dict[str, Any] = components[(route.query or Nothing).__name__].get("properties", {})
        operation = _operation(section, route, known, query)
        paths.setdefault(path, {})[route.method.lower()] = operation
    used = {_prefix(name): schema for name, schema in components.items()}
    return {
        "paths": paths,
        "components": {
            "schemas": {**used, "ControlError": _ERROR_SCHEMA},
            "securitySchemes": {
                SECURITY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"A key that `POST {PREFIX}/login` or `POST {PREFIX}/access-keys` answered",
                }
            },
        },
        "tags": [{"name": f"Control: {section}"} for section in SECTIONS],
    }


def _prefix(name: str) -> str:
    return f"Control{name}"


def _prefixed(template: str) -> str:
    return template.replace("{name}", _prefix("{name}"))


def _operation(section: str, route: Route, known: dict[int, Any], query: dict[str, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)\*?}", route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": _not_null(schema)} for name, schema in query.items()
    ]
    errors = ["401", "404", "405", "422"] if route.role != "public" else ["401", "422", "429"]
    if route.body is not None:
        errors += ["400", "413", "415"]
    if route.role != "public":
        errors += ["403"] if route.role == "admin" or route.method != "GET" else []
        errors += ["409"] if route.method != "GET" else []
        errors += ["429"] if "redeem" in route.path or "password" in route.path else []
    answers: dict[str, Any] = {
        code: {
            "description": _ERRORS[code],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ControlError"}}},
        }
        for code in sorted(set(errors))
    }
    if route.answer is None:
        answers["204"] = {"description": "Done"}
    else:
        content = {"application/json": {"schema": known[id(route.answer)]}}
        answers[str(route.status)] = {"description": "Done", "content": content}
    name = re.sub(r"[^a-z]+", "_", f"{route.method} {route.path}".lower()).strip("_")
    operation: dict[str, Any] = {
        "operationId": f"control_{name}",
        "summary": route.summary,
        "tags": [f"Control: {section}"],
        "security": [] if route.role == "public" else [{SECURITY: []}],
        "parameters": parameters,
        "responses": dict(sorted(answers.items())),
    }
    if route.role == "admin":
        operation["description"] = "For administrators."
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": known[id(route.body)]}},
        }
    return operation


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out that an absent query parameter is null: it cannot be written in a URL."""
    some = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    default = {"default": schema["default"]} if schema.get("default") is not None else {}
    if len(some) == 1:
        return {**rest, **some[0], **default}
    return {**rest, **({"anyOf": some} if some else {}), **default}
