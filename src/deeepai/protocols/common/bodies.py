"""What the bodies of many vendors have in common: values in another type than the vendor takes, names of the model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, get_args, get_type_hints

import msgspec
from msgspec import Meta

from ...declare import Facts, Failure, Origin, Reason, Request, Task
from .paths import is_id, of_request, write

Patch: TypeAlias = Callable[[Request[Any], Facts], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SentAs:
    """In the annotation of a field that callers write in several types: what makes the one that the vendor takes."""

    type: Callable[[Any], object]


Number: TypeAlias = Annotated[float | Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$")], SentAs(float)]
Flag: TypeAlias = Annotated[bool | Annotated[str, Meta(pattern="^(true|false)$")], SentAs((True, "true").__contains__)]
"""A number and a flag that may come in quotes."""


def extended(base: type[msgspec.Struct], name: str, **fields: Any) -> type[Any]:
    """Return a body with further fields, by their annotations; what may be null may be left out."""
    optional = {field: (field, kind, None) for field, kind in fields.items() if type(None) in get_args(kind)}
    whole = [optional.get(field, (field, kind)) for field, kind in fields.items()]
    return msgspec.defstruct(name, whole, bases=(base,), kw_only=True, omit_defaults=True)


@functools.cache
def _types(body: type) -> Mapping[str, SentAs]:
    hints = get_type_hints(body, include_extras=True)
    options = {name: (hint, *get_args(hint)) for name, hint in hints.items()}
    marks = {
        name: [mark for option in choices for mark in getattr(option, "__metadata__", ()) if isinstance(mark, SentAs)]
        for name, choices in options.items()
    }
    return {name: found[0] for name, found in marks.items() if found}


def retyped(request: Request[Any], facts: Facts) -> dict[str, Any]:
    """Put values in the types that the vendor takes, for fields whose annotation has a `SentAs`."""
    values = {name: (getattr(request.body, name), mark.type) for name, mark in _types(type(request.body)).items()}
    changes = {name: make(value) for name, (value, make) in values.items() if value is not None}
    return {name: value for name, value in changes.items() if value != values[name][0]}


def model_under(*paths: str, default: str = "") -> Callable[[Request[Any]], str]:
    """Make what finds the model: under the first path of the body that has one."""
    return lambda request: next(filter(None, (of_request(request, f"body.{path}") for path in paths)), default)


def renamed(*paths: str) -> Patch:
    """Make a patch that names the model as the upstream does.

    It does so under the first path that a body may have, and under others that were sent.
    """

    def patch(request: Request[Any], facts: Facts) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        known = [path for path in paths if _may_have(request.body, path)]
        for path in known:
            sent = of_request(request, f"body.{path}")
            if sent != facts.model and (sent is not None or path == known[0]):
                field, _, below = path.partition(".")
                whole = msgspec.json.decode(request.raw).get(field) if below else None
                changes[field] = write(whole, below, facts.model)
        return changes

    return patch


def _may_have(body: object, path: str) -> bool:
    name, _, below = path.partition(".")
    return hasattr(body, name) and (not below or _may_have(getattr(body, name), below))


def origin_under(*paths: str, check: Callable[[Request[Any], Task], None] | None = None) -> Origin[Any]:
    """Say that a request follows up what its body names under some paths, as far as it does."""
    return Origin(
        ids=lambda request: [str(name) for path in paths if is_id(name := of_request(request, f"body.{path}"))],
        check=check,
    )


def together(*patches: Patch) -> Patch:
    """Make one patch of several; of two that change the same field, the later counts."""
    return lambda request, facts: {name: new for patch in patches for name, new in patch(request, facts).items()}


def one_of(*names: str) -> Callable[[Request[Any]], None]:
    """Make a check that at least one of some fields is there."""

    def check(request: Request[Any]) -> None:
        if not any(of_request(request, f"body.{name}") for name in names):
            raise Failure(Reason.INVALID, f"{' or '.join(names)} is required", param=names[0])

    return check
