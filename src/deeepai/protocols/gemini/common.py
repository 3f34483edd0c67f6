"""Small pieces that several areas of Google's format use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from typing import Protocol as Interface

import msgspec

from ...declare import (
    AnyRequest,
    Facts,
    Json,
    Request,
    listed,
    whole,
)

KINDS = ("models/", "tunedModels/")
VERSIONS = ("/v1beta", "/v1")


def model(request: AnyRequest) -> str:
    """Find the model in the path; `tunedModels/` is part of a tuned one's name, and some names hold a slash."""
    params = request.params
    if "tuned" in params:
        return f"tunedModels/{params['tuned']}"
    return f"{params['owner']}/{params['model']}" if "owner" in params else params["model"]


def paths(verb: str, *, tuned: bool = False) -> tuple[str, tuple[str, ...]]:
    """Return the path of a method on models, and its aliases."""
    names = ["models/{model}", "models/{owner}/{model}"]
    if tuned:
        names.append("tunedModels/{tuned}")
    first, *aliases = (f"{version}/{name}:{verb}" for name in names for version in VERSIONS)
    return first, tuple(aliases)


def resource(name: str) -> str:
    """Return a model's name as Google writes it: `models/…`."""
    return name if name.startswith(KINDS) else f"models/{name}"


def place(verb: str) -> Callable[[AnyRequest, Facts], str]:
    """Return a function that makes the path upstream; a caller's own query, which may hold a key, is left behind."""

    def placed(request: AnyRequest, facts: Facts) -> str:
        return f"/v1beta/{resource(facts.model)}:{verb}"

    return placed


class Repeating(Interface):
    """A body that may repeat the path's model."""

    @property
    def repeated(self) -> str | None: ...  # noqa: D102


def model_patch(request: Request[Repeating], facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does, where the body repeats it."""
    if facts.model == facts.requested_model or request.body.repeated is None:
        return {}
    return {"model": resource(facts.model)}


def either(holder: Any, camel: str, default: Json = None) -> Json:
    """Return a field under its name in camelCase or in snake_case, as Google takes both."""
    if not isinstance(holder, Mapping):
        return default
    if camel in holder:
        return holder[camel]
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in camel)
    return holder.get(snake, default)


def count(value: Json, default: int) -> int:
    """Return a positive integer, which JSON may hold as text; else the default."""
    if isinstance(value, str):
        value = whole(value[:12])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def parts(content: Json) -> Iterator[dict[str, Json]]:
    """Yield the parts of a content, or of many; what Google repeats may also stand alone."""
    for item in content if isinstance(content, list) else [content]:
        if isinstance(item, str):
            yield {"text": item}
        elif isinstance(item, dict):
            held = item.get("parts")
            for part in listed({"text": held} if isinstance(held, str) else held):
                if isinstance(part, dict):
                    yield part


def text_of(content: Json) -> str:
    """Return the text of a content's parts."""
    return "\n".join(part["text"] for part in parts(content) if isinstance(part.get("text"), str))


def decoded(data: bytes) -> Json:
    """Decode JSON; None where it is none."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError):
        return None
