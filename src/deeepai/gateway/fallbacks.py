"""Models to try where the one that is asked for does not answer: named by the request, or by its token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..declare import Failure, Reason, Stream
from .exchange import Exchange

HEADER = "x-deeepai-fallbacks"
_HEADER = HEADER.encode()
MOST = 8


def named(x: Exchange) -> bool:
    """Tell whether there is anything to try beside the model that is asked for."""
    return "fallbacks" in x.caller.settings or _HEADER in x.request.headers or bool(_of_body(x))


def names(x: Exchange) -> Sequence[str]:
    """Return the names to try, in order: the body's, else the header's, else the token's for this model.

    Raises
    ------
    Failure
        INVALID, where there are too many.
    """
    found = _of_body(x)
    if not found:
        found = [name.strip() for name in x.request.header(HEADER).split(",") if name.strip()]
    if not found:
        found = _of_token(x.caller.settings.get("fallbacks"), x.requested_model)
    if len(found) > MOST:
        raise Failure(Reason.INVALID, f"At most {MOST} models can be named", param="models")
    return [name for name in found if name != x.requested_model]


def _of_body(x: Exchange) -> Sequence[str]:
    operation = x.operation
    read = operation.fallback_models if isinstance(operation, Stream) else None
    return () if read is None else read(x.request)


def _of_token(setting: Any, model: str) -> Sequence[str]:
    """Read a token's setting: a list for all models, or lists by model."""
    if isinstance(setting, Mapping):
        by_model = cast("Mapping[str, Any]", setting)
        setting = by_model.get(model, by_model.get("*"))
    if not isinstance(setting, list):
        return ()
    return [str(name) for name in cast("list[Any]", setting)]
