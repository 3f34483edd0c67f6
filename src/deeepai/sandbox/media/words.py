"""Text that follows from a request: sentences, tokens, and JSON that satisfies a schema."""

from __future__ import annotations

import random
from typing import Any

_LINES = (
    "amber basin candle delta ember field garden harbour island juniper kettle lantern meadow north orchard pebble",
    "quiet river stone timber under valley willow yellow zephyr and the a of over beside through with into",
)
_VOCABULARY = " ".join(_LINES).split()
BYTES_PER_TOKEN = 4
DEEPEST_SCHEMA = 12


def tokens_of(text: str) -> list[str]:
    """Cut a text into tokens of at most four UTF-8 bytes each; their number is the usage counted."""
    tokens: list[str] = []
    token, size = "", 0
    for char in text:
        width = len(char.encode("utf-8", "replace"))
        if token and size + width > BYTES_PER_TOKEN:
            tokens.append(token)
            token, size = "", 0
        token, size = token + char, size + width
    return [*tokens, token] if token else tokens


def count_of(text: str) -> int:
    """Return how many tokens a text is counted as: one for each four bytes, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def reply_to(said: str, digest: bytes, tokens: int | None = None) -> str:
    """Return an answer that says it is a test and repeats what was said.

    Parameters
    ----------
    tokens
        How many tokens the answer has exactly; by default some dozens.
    """
    rng = random.Random(digest)
    quoted = " ".join(said.split())[:160]
    text = f'This is test mode, no model was asked. You said: "{quoted}".' if quoted else "This is test mode."
    if tokens is None:
        return text + _sentence(rng) + _sentence(rng)
    pieces = tokens_of(text)
    while len(pieces) < tokens:
        pieces = tokens_of("".join(pieces) + "".join(_sentence(rng) for _ in range(1 + (tokens - len(pieces)) // 20)))
    return "".join(pieces[:tokens])


def instance_of(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """Return a simple value that satisfies a JSON Schema of the kind that tools and structured outputs use."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > DEEPEST_SCHEMA:
        return None
    if "$ref" in schema:
        return instance_of(_resolve(root, str(schema["$ref"])), root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return instance_of(schema[key][0], root, depth + 1)
    if schema.get("allOf"):
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            whole = _resolve(root, str(part["$ref"])) if "$ref" in part else part
            merged = {**merged, **whole, "properties": {**merged.get("properties", {}), **whole.get("properties", {})}}
        return instance_of(merged, root, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "string"
    match kind:
        case "object":
            properties = schema.get("properties", {})
            # Optional members are left out where a schema refers to itself.
            names = properties if depth < DEEPEST_SCHEMA // 2 else schema.get("required", [])
            return {name: instance_of(properties.get(name, {}), root, depth + 1) for name in names}
        case "array":
            count = max(int(schema.get("minItems", 1)), 0 if depth >= DEEPEST_SCHEMA // 2 else 1)
            return [instance_of(schema.get("items", {}), root, depth + 1) for _ in range(min(count, 50))]
        case "integer" | "number":
            return _number(schema, kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema)


def _sentence(rng: random.Random) -> str:
    words = [rng.choice(_VOCABULARY) for _ in range(rng.randrange(6, 12))]
    return f" {words[0].capitalize()} {' '.join(words[1:])}."


def _resolve(root: Any, reference: str) -> Any:
    node = root
    for part in reference.removeprefix("#").split("/"):
        if part and isinstance(node, dict):
            node = node.get(part.replace("~1", "/").replace("~0", "~"), {})
    return node


def _number(schema: dict[str, Any], whole: bool) -> int | float:
    value: float = 1
    if (low := schema.get("minimum")) is not None:
        value = max(value, low)
    if (low := schema.get("exclusiveMinimum")) is not None and value <= low:
        value = low + 1
    if (high := schema.get("maximum")) is not None:
        value = min(value, high)
    if (high := schema.get("exclusiveMaximum")) is not None and value >= high:
        value = high - 1
    if step := schema.get("multipleOf"):
        value = -(-value // step) * step
    return int(value) if whole else value


_FORMATS = {
    "date-time": "2025-01-01T00:00:00Z",
    "date": "2025-01-01",
    "time": "00:00:00Z",
    "email": "test@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "hostname": "example.com",
    "duration": "PT1S",
}


def _string(schema: dict[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "test")
    if (shortest := int(schema.get("minLength", 0))) > len(text):
        text = text.ljust(shortest, "-")
    return text[: int(schema["maxLength"])] if "maxLength" in schema else text
