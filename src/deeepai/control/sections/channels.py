"""Channels to upstreams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from ...accounts import channels
from ...accounts.channels import ChannelChanges, ChannelView
from ...declare import Failure, Protocol, Reason
from ...storage.database import Tx
from ...tasks.secrets import channel_hook
from .. import presets
from ..presets import ChannelEntry, Preset
from ..routes import Call, Route


class Channels(msgspec.Struct, kw_only=True):
    """All channels."""

    data: list[ChannelView]


class Presets(msgspec.Struct, kw_only=True):
    """All presets."""

    data: list[Preset]


class Removal(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How to delete."""

    force: bool = False
    """Delete although open tasks need the channel still."""


class CallbackPath(msgspec.Struct, kw_only=True):
    """Where a vendor calls back that is told so in its console, for all of an account's tasks."""

    path: str
    """Below the gateway's public address."""


class TestResult(msgspec.Struct, kw_only=True):
    """What one cheap real request showed."""

    ok: bool
    latency_ms: float
    error: str | None


async def _list(call: Call) -> Channels:
    return Channels(data=await call.read(call.context.directory.own.views))


async def _callback(call: Call) -> CallbackPath:
    found = await _get(call)
    return CallbackPath(path=channel_hook(call.context.vault.derive("channel hooks"), found.id))


async def _presets(call: Call) -> Presets:
    known = call.context.protocols
    return Presets(data=[preset for preset in presets.PRESETS.values() if preset.protocol in known])


async def _create(call: Call) -> ChannelView:
    new = presets.resolve(call.body, call.context.protocols)

    async def work(tx: Tx) -> ChannelView:
        return await channels.get(tx, await channels.create(tx, call.context.vault, new))

    return await call.configure(work)


async def _get(call: Call) -> ChannelView:
    return await call.read(lambda tx: call.context.directory.own.get(tx, call.params["id"]))


async def _change(call: Call, changes: ChannelChanges) -> ChannelView:
    own = call.context.directory.own

    async def work(tx: Tx) -> ChannelView:
        found = await own.get(tx, call.params["id"])
        channels.check_source(found, changes)
        if isinstance(changes.settings, dict):
            presets.check_settings(changes.settings, _protocol(call, found))
        await own.update(tx, call.context.vault, found, changes)
        return await own.get(tx, found.id)

    return await call.configure(work)


def _protocol(call: Call, channel: ChannelView) -> Protocol:
    protocol = call.context.protocols.get(channel.protocol)
    if protocol is None:
        raise Failure(Reason.INVALID, f"The channel's protocol {channel.protocol} is gone", param="settings")
    return protocol


async def _update(call: Call) -> ChannelView:
    return await _change(call, call.body)


def _set(status: Literal["enabled", "disabled"]) -> Callable[[Call], Awaitable[ChannelView]]:
    async def handler(call: Call) -> ChannelView:
        return await _change(call, ChannelChanges(status=status))

    return handler


async def _delete(call: Call) -> None:
    query: Removal = call.query

    async def work(tx: Tx) -> None:
        found = await call.context.directory.own.get(tx, call.params["id"])
        channels.check_source(found, None)
        await channels.delete(tx, found.id, force=query.force)

    await call.configure(work)


async def _test(call: Call) -> TestResult:
    found = await _get(call)
    channel = next((each for each in call.context.directory.channels if each.id == found.id), None)
    if channel is None:
        raise Failure(Reason.NOT_FOUND, "There is no such channel")
    ok, latency_ms, error = await call.context.probe(channel)
    return TestResult(ok=ok, latency_ms=latency_ms, error=error)


ROUTES = (
    Route(method="GET", path="/channels", summary="List channels", handler=_list, answer=Channels),
    Route(method="GET", path="/presets", summary="List what is known of vendors", handler=_presets, answer=Presets),
    Route(
        method="POST",
        path="/channels",
        summary="Add a channel; its credential cannot be read back",
        handler=_create,
        body=ChannelEntry,
        answer=ChannelView,
        status=201,
    ),
    Route(method="GET", path="/channels/{id}", summary="Show a channel", handler=_get, answer=ChannelView),
    Route(
        method="GET",
        path="/channels/{id}/callback",
        summary="Show where a channel's vendor may call back",
        handler=_callback,
        answer=CallbackPath,
    ),
    Route(
        method="PATCH",
        path="/channels/{id}",
        summary="Change a channel",
        handler=_update,
        body=ChannelChanges,
        answer=ChannelView,
    ),
    Route(method="DELETE", path="/channels/{id}", summary="Delete a channel", handler=_delete, query=Removal),
    Route(
        method="POST",
        path="/channels/{id}/test",
        summary="Send one cheap request through a channel",
        handler=_test,
        answer=TestResult,
    ),
    Route(
        method="POST",
        path="/channels/{id}/enable",
        summary="Enable a channel",
        handler=_set("enabled"),
        answer=ChannelView,
    ),
    Route(
        method="POST",
        path="/channels/{id}/disable",
        summary="Disable a channel",
        handler=_set("disabled"),
        answer=ChannelView,
    ),
)
