"""What all of Google's operations share: errors, models, fields under either of their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

from ...vendor import Answer, Call, Refusal, RefusedError, bearer, json_answer

TYPE = "type.googleapis.com/google.rpc."
Use = Literal["chat", "embedding", "imagen", "veo", "any"]


@dataclass(frozen=True)
class Model:
    """A model: what it is for, and how much it takes and gives (tokens)."""

    use: Use
    input: int = 1_048_576
    output: int = 65_536
    draws: bool = False
    dimensions: int = 0


MODELS: Mapping[str, Model] = {
    "gemini-2.0-flash": Model("chat", output=8192),
    "gemini-2.0-flash-lite": Model("chat", output=8192),
    "gemini-2.5-flash": Model("chat"),
    "gemini-2.5-flash-image": Model("chat", 32_768, 32_768, draws=True),
    "gemini-2.5-flash-lite": Model("chat"),
    "gemini-2.5-pro": Model("chat"),
    "gemini-3-flash-preview": Model("chat"),
    "gemini-3-pro-image": Model("chat", 65_536, 32_768, draws=True),
    "gemini-3.1-pro-preview": Model("chat"),
    "gemini-3.5-flash-lite": Model("chat"),
    "gemini-3.8-flash": Model("chat"),
    "gemini-embedding-001": Model("embedding", 2048, 1, dimensions=3072),
    "text-embedding-004": Model("embedding", 2048, 1, dimensions=768),
    "imagen-4.0-fast-generate-001": Model("imagen", 480, 8192),
    "imagen-4.0-generate-001": Model("imagen", 480, 8192),
    "imagen-4.0-ultra-generate-001": Model("imagen", 480, 8192),
    "sandbox-chat": Model("chat"),
    "veo-2.0-generate-001": Model("veo", 480, 8192),
    "veo-3.0-generate-001": Model("veo", 480, 8192),
    "veo-3.1-fast-generate-preview": Model("veo", 480, 8192),
    "veo-3.1-generate-preview": Model("veo", 480, 8192),
}
METHODS: Mapping[Use, tuple[str, ...]] = {
    "chat": ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent"),
    "embedding": ("embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"),
    "imagen": ("predict",),
    "veo": ("predictLongRunning",),
}


def error(
    status: int, message: str, name: str, *details: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an error in Google's shape."""
    body: dict[str, Any] = {"code": status, "message": message, "status": name}
    if details:
        body["details"] = list(details)
    return json_answer({"error": body}, status, headers)


def invalid(field: str, what: str) -> RefusedError:
    """Return the exception for a bad field (400)."""
    violation = {"field": field, "description": what}
    detail = {"@type": f"{TYPE}BadRequest", "fieldViolations": [violation]}
    return RefusedError(error(400, f"{what}: {field}" if field else what, "INVALID_ARGUMENT", detail))


def model_of(call: Call, use: Use) -> tuple[str, Model]:
    """Return the model of the path if it exists and has that use; a tuned one is a chat model.

    Raises
    ------
    RefusedError
        404
    """
    name = call.params["name"]
    if call.params.get("kind") == "tunedModels":
        model = MODELS["gemini-2.5-flash"]
    elif name in MODELS:
        model = MODELS[name]
    else:
        text = f"models/{name} is not found for API version v1beta, or is not supported for this method."
        raise RefusedError(error(404, text, "NOT_FOUND"))
    if use not in ("any", model.use):
        text = f"models/{name} is not supported for this method. Call ListModels to see the supported methods."
        raise RefusedError(error(404, text, "NOT_FOUND"))
    return name, model


def snake(camel: str) -> str:
    """Return a field's name as the proto files write it."""
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in camel)


def field(holder: Any, camel: str, default: Any = None) -> Any:
    """Return a field under its name in camelCase, or as the proto files write it."""
    if not isinstance(holder, dict):
        return default
    value = holder.get(camel, holder.get(snake(camel)))
    return default if value is None else value


def number(holder: Any, camel: str, low: float, high: float, *, whole: bool = False) -> Any:
    """Return a number within bounds, or None where there is none.

    Raises
    ------
    RefusedError
        400
    """
    value = field(holder, camel)
    if value is None:
        return None
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        kind = "TYPE_INT32" if whole else "TYPE_FLOAT"
        raise invalid(camel, f"Invalid value at '{camel}' ({kind}), {value!r}")
    if not low <= value <= high:
        raise invalid(camel, f"{camel} must be in the range [{low:g}, {high:g}]")
    return value


def parts_of(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the parts of a content."""
    held = content.get("parts") if isinstance(content, dict) else None
    for part in [held] if isinstance(held, dict) else held or []:
        if isinstance(part, dict):
            yield part


def text_of(content: Any) -> str:
    """Return the text of a content."""
    return " ".join(str(part["text"]) for part in parts_of(content) if "text" in part)


def credential(request: web.Request) -> str:
    """Return the key, from where Google takes it."""
    return request.headers.get("x-goog-api-key", "") or request.query.get("key", "") or bearer(request)


def refuse(call: Call, why: Refusal) -> Answer:
    """Put a refusal in Google's words."""
    match why.kind:
        case "unauthorized" if credential(call.request):
            detail = {"@type": f"{TYPE}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
            return error(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", detail)
        case "unauthorized":
            text = "Method doesn't allow unregistered callers (callers without established identity)."
            return error(403, text, "PERMISSION_DENIED")
        case "rate_limited":
            wait = call.triggers.integer("rate-limit", 1)
            detail = {"@type": f"{TYPE}RetryInfo", "retryDelay": f"{wait}s"}
            text = f"You exceeded your current quota. Please retry in {wait}s."
            return error(429, text, "RESOURCE_EXHAUSTED", detail, headers={"retry-after": str(wait)})
        case "server_error":
            name = {503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}.get(why.status, "INTERNAL")
            return error(why.status, f"An internal error has occurred: {why.message}", name)
        case "not_found":
            return error(404, why.message, "NOT_FOUND")
        case _:
            return error(why.status, why.message, "INVALID_ARGUMENT")
