"""What all of OpenAI's operations share: errors, headers, model names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ...vendor import Answer, Call, RefusedError, json_answer

_IMAGE = ("dall-e-", "gpt-image-", "chatgpt-image-", "sandbox-")
_EMBEDDING = ("text-embedding-", "sandbox-")
_CHAT = ("gpt-", "o1", "o3", "o4", "chatgpt-", "davinci-002", "babbage-002", "sora_image", "sandbox-")
_ANY = (*_CHAT, *_IMAGE, *_EMBEDDING)
Use = Literal["chat", "embedding", "image", "any"]
_PREFIXES: Mapping[Use, tuple[str, ...]] = {"chat": _CHAT, "embedding": _EMBEDDING, "image": _IMAGE, "any": _ANY}


def error(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an error in OpenAI's shape."""
    return json_answer({"error": {"message": message, "type": kind, "param": param, "code": code}}, status, headers)


def invalid(message: str, param: str | None, code: str | None = None) -> RefusedError:
    """Return the exception for a bad parameter (400)."""
    return RefusedError(error(400, message, param=param, code=code))


def model_of(call: Call, use: Use, name: Any) -> str:
    """Return a model's name if it exists and has that use.

    Raises
    ------
    RefusedError
        400 without a model, 404 for one that does not exist.
    """
    if not name:
        raise invalid("you must provide a model parameter", None)
    if not isinstance(name, str) or not name.startswith(_ANY):
        message = f"The model `{name}` does not exist or you do not have access to it."
        raise RefusedError(error(404, message, code="model_not_found"))
    draws = name.startswith(("gpt-image-", "chatgpt-image-")) and not name.endswith("-all")
    if not name.startswith(_PREFIXES[use]) or (use == "chat" and draws):
        message = f"The model `{name}` is not supported by {call.request.path.rpartition('/v1/')[2]}."
        raise RefusedError(error(404, message, param="model", code="model_not_found"))
    return name


def tier_of(body: Mapping[str, Any]) -> str:
    """Return the tier that an answer was worked in: the one that is asked for, where it is a special one."""
    asked = body.get("service_tier")
    if asked not in (None, "auto", "default", "flex", "priority", "scale"):
        raise invalid(f"Invalid value: '{asked}'.", "service_tier", "invalid_value")
    return asked if asked in ("flex", "priority") else "default"


def request_headers(identity: str, milliseconds: int) -> dict[str, str]:
    """Return the headers of every answer."""
    return {
        "x-request-id": f"req_{identity}",
        "openai-organization": "sandbox",
        "openai-processing-ms": str(milliseconds),
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-limit-tokens": "2000000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-remaining-tokens": "1999000",
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-reset-tokens": "30ms",
    }
