"""Makes a caller's request ready for a channel: path, headers, and the body, rewritten only where it must be."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from urllib.parse import quote

import msgspec

from ..accounts.models import Channel, Limits
from ..declare import DROP, AnyOperation, AnyRequest, Facts, Failure, Forwarded, Protocol, Reason, Task
from ..upstream import Pieces, credentials
from .base_urls import MODEL_IN_PATH
from .body import forms
from .body.request import HttpRequest
from .core import Core
from .dispatch import serves
from .exchange import Exchange
from .translation import Translated

_decode_top = msgspec.json.Decoder(dict[str, msgspec.Raw])
ADJUSTMENTS = frozenset(("rename", "drop", "set"))
"""Settings by which a channel changes bodies for a vendor that takes less, or other names, than its protocol has."""


class Outgoing(msgspec.Struct, frozen=True):
    """A request as it leaves: `url` is absolute, `model` as the channel names it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | Pieces | None
    limits: Limits
    model: str = ""


def facts(x: Exchange, channel: Channel, model: str, origin: Task | None = None, hook_url: str | None = None) -> Facts:
    """Gather what a declaration may need to make the request ready."""
    return Facts(
        model=channel.model_map.get(model, model),
        requested_model=x.requested_model,
        origin=origin,
        named=x.named,
        hook_url=hook_url,
        reference=x.id,
        settings=channel.settings,
        account=x.caller.account_id,
        objects=x.objects,
    )


def prepare(
    core: Core, x: Exchange, operation: Forwarded[Any], channel: Channel, facts: Facts
) -> tuple[Outgoing, Translated | None]:
    """Make the request for one channel, in its protocol's words where that is another; see `build`.

    Raises
    ------
    Failure
    """
    translated = translate(core, x, channel, facts.model)
    if translated is None:
        return build(x.protocol, operation, x.request, channel, facts), None
    other = forwarded(translated.operation)
    return build(translated.protocol, other, translated.request, channel, facts), translated


def translate(core: Core, x: Exchange, channel: Channel, model: str) -> Translated | None:
    """Return the request as a channel's protocol says it; None where that is the caller's own.

    Parameters
    ----------
    model : str
        As the channel names it.

    Raises
    ------
    Failure
        INVALID, where the channel's protocol cannot carry it.
    """
    return None if speaks(x, channel) else core.translators.translate(x, channel, model)


def speaks(x: Exchange, channel: Channel) -> bool:
    """Tell whether a channel serves the caller's operation itself."""
    return channel.protocol == x.protocol.name and (not channel.settings or serves(channel, x.operation.name))


def build(
    protocol: Protocol, operation: Forwarded[Any], request: HttpRequest, channel: Channel, facts: Facts
) -> Outgoing:
    """Make the request for one channel. A body that comes in pieces comes but once: another attempt needs another.

    Raises
    ------
    Failure
        INVALID, where the body must be rewritten and is not a JSON object; NOT_FOUND, where a name would lead to
        another path.
    """
    path = _path(operation, request, facts)
    headers = credentials.headers(protocol, channel)
    headers.update(request.present(protocol.forward_headers))
    if operation.headers is not None:
        headers.update(operation.headers(request, facts))
        headers = {name: value for name, value in headers.items() if value}
    body: bytes | Pieces | None = None
    if operation.method not in ("GET", "HEAD", "DELETE"):
        changes = operation.patch(request, facts) if operation.patch is not None else {}
        if not ADJUSTMENTS.isdisjoint(channel.settings):
            changes = adjusted(request, changes, channel.settings)
        body, kind = rewrite(request, changes)
        if kind:
            headers["content-type"] = kind
    extra = channel.settings.get("headers")
    if isinstance(extra, dict):
        headers.update(extra)
    if "account_header" in channel.settings:
        headers[channel.settings["account_header"]] = facts.account
    limits = channel.limits if operation.timeout is None else _within(channel.limits, operation.timeout)
    return Outgoing(operation.method, channel.base_url.rstrip("/") + path, headers, body, limits, facts.model)


def forwarded(operation: AnyOperation) -> Forwarded[Any]:
    """Return an operation that is sent to channels.

    Raises
    ------
    TypeError
        It is not.
    """
    if isinstance(operation, Forwarded):
        return operation
    raise TypeError(f"{operation.name} is not sent to channels")


@functools.lru_cache(maxsize=256)
def _within(limits: Limits, seconds: float) -> Limits:
    return replace(limits, first_byte=min(limits.first_byte, seconds), whole=min(limits.whole, seconds))


def adjusted(request: AnyRequest, changes: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes with a channel's own: top-level keys of a JSON body that it renames, drops or sets."""
    found = dict(changes)
    try:
        top = {} if request.parts else _decode_top.decode(request.raw)
    except msgspec.DecodeError:
        return found
    for name, other in settings.get("rename", {}).items():
        value = found.get(name, top.get(name, DROP))
        if value is not DROP:
            found[name] = DROP
            if other not in top:
                found[other] = value
    if not request.parts:
        found.update(dict.fromkeys(settings.get("drop", ()), DROP))
        found.update(settings.get("set", {}))
    return found


def _path(operation: Forwarded[Any], request: AnyRequest, facts: Facts) -> str:
    """Return the path, in which a caller's own words stay what they are: one segment, or a model's name."""
    if operation.upstream_path is not None:
        path = operation.upstream_path(request, msgspec.structs.replace(facts, model=quote(facts.model, safe="/:@")))
    else:
        path = operation.upstream_template
    if "{" in path:
        params = {name: quote(value, safe=":@") for name, value in request.params.items()}
        path = path.format_map({**params, "model": quote(facts.model, safe="/:@")})
    if "/." in path and not {".", ".."}.isdisjoint(path.partition("?")[0].split("/")):
        raise Failure(Reason.NOT_FOUND, f"Invalid URL ({request.path[:200]})")
    return path


def rewrite(request: HttpRequest, changes: Mapping[str, Any]) -> tuple[bytes | Pieces, str]:
    """Return the body with top-level keys (or form fields) changed, and its content type."""
    kind = request.header("content-type")
    spool = request.spool
    if MODEL_IN_PATH in request.params and request.parts and "model" not in changes:
        # The vendor reads it in the form.
        changes = {**changes, "model": next(part.text for part in request.parts if part.name == "model")}
    if not changes:
        if spool is not None:
            return Pieces(spool.size, spool.pieces([(0, spool.size)])), kind
        return request.raw, kind or "application/json"
    if request.parts:
        pieces, kind = forms.written((part for part in request.parts if part.name not in changes), changes, spool)
        if spool is not None:
            size = sum(piece[1] - piece[0] if isinstance(piece, tuple) else len(piece) for piece in pieces)
            return Pieces(size, spool.pieces(pieces)), kind
        return b"".join(cast("list[bytes]", pieces)), kind
    try:
        top: dict[str, Any] = dict(_decode_top.decode(request.raw)) if request.raw else {}
    except msgspec.DecodeError:
        raise Failure(Reason.INVALID, "The body must be a JSON object") from None
    for name, value in changes.items():
        if value is DROP:
            top.pop(name, None)
        else:
            top[name] = value
    return msgspec.json.encode(top), "application/json"
