"""Channels: configured upstreams. Credentials go in, and only the gateway itself reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
import structlog
from msgspec import UNSET, Meta, UnsetType

from ..asgi import field_at_fault, is_missing
from ..declare import Failure, Reason
from ..storage.database import Row, Tx, Value
from ..storage.ids import new_id, now_ms
from .changes import bump
from .models import Channel, Limits, Mode
from .people import Name, changed
from .query import assignments, insertion
from .tokens import Patterns, Positive
from .units import moment
from .vault import Vault, VaultError

_log = structlog.get_logger("deeepai.channels")

BaseUrl = Annotated[str, Meta(min_length=1, max_length=2000, description="Address below which the vendor's paths lie")]
Secret = Annotated[str, Meta(min_length=1, max_length=10_000, description="Write-only")]
Whole = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Seconds = Annotated[float, Meta(gt=0, lt=1e7)]
HeaderName = Annotated[str, Meta(pattern="^[A-Za-z0-9-]+$", max_length=100)]
_SHARED = "source NOT IN ('builtin', 'environment')"
"""Releases that knew no channels of nodes' own kept those among the others."""
LIMITS = tuple(Limits.__dataclass_fields__)


class CommonSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings that a channel may have whatever its protocol and its transport.

    Attributes
    ----------
    connect, first_byte, between, whole : float
        Time limits.
    operations : list of str
        Names and patterns of the operations that it takes; by default all.
    objects : bool
        Whether it keeps objects for callers.
    cost : float
        What it costs, in any unit, for routing by price.
    unpriced : str
        Whether models without a price are free, where all channels that serve one say so.
    owned_by : str
        Whom lists of models name.
    headers : mapping
        Headers on the way out.
    account_header : str
        The header that tells the upstream whose request it is, by the account's id.
    rename, drop, set
        What of JSON bodies is changed on the way out, all of top-level keys: old names and new, names, names and
        values.
    transport : str
        The cloud that carries the protocol.
    preset : str
        What the channel was made of.
    """

    connect: Seconds | UnsetType = UNSET
    first_byte: Seconds | UnsetType = UNSET
    between: Seconds | UnsetType = UNSET
    whole: Seconds | UnsetType = UNSET
    operations: list[str] | UnsetType = UNSET
    objects: bool | UnsetType = UNSET
    cost: float | UnsetType = UNSET
    unpriced: Literal["free", "refused"] | UnsetType = UNSET
    owned_by: str | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    account_header: HeaderName | UnsetType = UNSET
    rename: dict[str, str] | UnsetType = UNSET
    drop: list[str] | UnsetType = UNSET
    set: dict[str, Any] | UnsetType = UNSET
    transport: str | UnsetType = UNSET
    preset: str | UnsetType = UNSET


class ChannelView(msgspec.Struct, kw_only=True):
    """A channel, without its credential."""

    id: str
    name: str
    protocol: str
    base_url: str
    has_credential: bool
    models: list[str] | None
    model_map: dict[str, str]
    mode: Mode
    price_groups: list[str] | None
    priority: int
    weight: int
    concurrency: int | None
    rpm: int | None
    status: str
    settings: dict[str, Any]
    source: str
    created_at: datetime
    updated_at: datetime


class ChannelFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a channel is made of.

    `settings` may hold the time limits connect, first_byte, between and whole, in seconds; what of JSON bodies is
    changed on the way out: rename (old = new), drop (names) and set (name = value), all of top-level keys; a
    transport, and what the transport and the protocol know. Others are refused.
    """

    base_url: BaseUrl | UnsetType = UNSET
    credential: Secret | UnsetType | None = UNSET
    models: Patterns | UnsetType | None = UNSET
    model_map: dict[str, str] | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    price_groups: list[Name] | UnsetType | None = UNSET
    priority: Whole | UnsetType = UNSET
    weight: Positive | UnsetType = UNSET
    concurrency: Positive | UnsetType | None = UNSET
    rpm: Positive | UnsetType | None = UNSET
    status: Literal["enabled", "disabled"] | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET


class ChannelChanges(ChannelFields, kw_only=True, forbid_unknown_fields=True):
    """What may change of a channel."""

    name: Name | UnsetType = UNSET


class NewChannel(ChannelFields, kw_only=True, forbid_unknown_fields=True):
    """A channel to be made. Without `base_url` it leads to the vendor's own address."""

    name: Name
    protocol: Annotated[str, Meta(min_length=1, max_length=100)]


def view(row: Row) -> ChannelView:
    """Return a row as operators see it."""
    return ChannelView(
        id=row["id"],
        name=row["name"],
        protocol=row["protocol"],
        base_url=row["base_url"],
        has_credential=row["credential"] is not None,
        models=_json(row["models"]),
        model_map=_json(row["model_map"]),
        mode=row["mode"],
        price_groups=_json(row["price_groups"]),
        priority=row["priority"],
        weight=row["weight"],
        concurrency=row["concurrency"],
        rpm=row["rpm"],
        status=row["status"],
        settings=_json(row["settings"]),
        source=row["source"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
    )


def _json(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _where(channel_id: str) -> str:
    return f"channels.credential:{channel_id}"


def check_part(settings: Mapping[str, Any], kind: type[msgspec.Struct]) -> None:
    """Check those of a channel's settings that a struct knows.

    Raises
    ------
    Failure
        INVALID, with the setting's name.
    """
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    try:
        msgspec.convert({name: settings[name] for name in names if name in settings}, kind)
    except msgspec.ValidationError as fault:
        what, field = field_at_fault(fault)
        # What stands within a table is not said by its key.
        name = (field or "").partition("[")[0].partition(".")[0]
        message = f"settings.{name} is missing" if is_missing(what) else f"settings.{name}: {what}"
        raise Failure(Reason.INVALID, message, param=f"settings.{name}") from None


def check_base_url(url: str) -> str:
    """Return a base URL in the form that is stored.

    Raises
    ------
    Failure
        INVALID.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good, parts = False, None
    if not good or parts is None or parts.query or parts.fragment or "@" in parts.netloc or not url.isprintable():
        raise Failure(Reason.INVALID, "base_url must be a plain http or https address", param="base_url")
    return url.rstrip("/")


def _columns(channel_id: str, changes: ChannelFields, vault: Vault) -> dict[str, Value]:
    values = changed(changes)
    if isinstance(changes.base_url, str):
        values["base_url"] = check_base_url(changes.base_url)
    if isinstance(changes.credential, str):
        values["credential"] = vault.encrypt(changes.credential, _where(channel_id))
    if isinstance(changes.settings, dict):
        check_part(msgspec.to_builtins(changes.settings), CommonSettings)
    for name in ("models", "model_map", "price_groups", "settings"):
        if values.get(name) is not None:
            values[name] = msgspec.json.encode(values[name]).decode()
    return values


def own_row(channel_id: str, new: NewChannel, vault: Vault, source: str) -> dict[str, Value]:
    """Return a channel as a row that stands in no table.

    Raises
    ------
    Failure
        INVALID.
    """
    now = now_ms()
    plain: dict[str, Value] = dict.fromkeys(("credential", "models", "price_groups", "concurrency", "rpm"))
    plain |= {"model_map": "{}", "settings": "{}", "mode": "live", "priority": 0, "weight": 1, "status": "enabled"}
    times: dict[str, Value] = {"created_at": now, "updated_at": now}
    return {"id": channel_id, **plain, **_columns(channel_id, new, vault), "source": source, **times}


async def create(tx: Tx, vault: Vault, new: NewChannel, *, source: str = "api") -> str:
    """Make a channel; return its id.

    Raises
    ------
    Failure
        INVALID, or CONFLICT where the name is taken.
    """
    if new.base_url is UNSET:
        raise Failure(Reason.INVALID, "A channel needs a base_url", param="base_url")
    channel_id = new_id("chn_")
    now = now_ms()
    values: dict[str, Value] = {
        "id": channel_id,
        **_columns(channel_id, new, vault),
        "source": source,
        "created_at": now,
        "updated_at": now,
    }
    if not await tx.execute(insertion("channels", values) + " ON CONFLICT (name) DO NOTHING", *values.values()):
        raise Failure(Reason.CONFLICT, f"A channel named {new.name!r} exists already", param="name")
    await bump(tx)
    return channel_id


async def list_channels(tx: Tx, *, source: str | None = None) -> list[ChannelView]:
    """Return channels by name; those of a source, or all that nodes share."""
    if source is None:
        rows = await tx.fetch(f"SELECT * FROM channels WHERE {_SHARED} ORDER BY name")
    else:
        rows = await tx.fetch("SELECT * FROM channels WHERE source = $1 ORDER BY name", source)
    return [view(row) for row in rows]


async def get(tx: Tx, channel: str) -> ChannelView:
    """Return a channel by id or name.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    row = await tx.fetchrow(f"SELECT * FROM channels WHERE {_SHARED} AND (id = $1 OR name = $1)", channel)
    if row is None:
        raise Failure(Reason.NOT_FOUND, "There is no such channel")
    return view(row)


async def update(tx: Tx, vault: Vault, channel_id: str, changes: ChannelChanges) -> bool:
    """Change a channel; return whether anything did change.

    Raises
    ------
    Failure
        NOT_FOUND, INVALID, or CONFLICT where the name is taken.
    """
    row = await tx.fetchrow("SELECT * FROM channels WHERE id = $1", channel_id)
    if row is None:
        raise Failure(Reason.NOT_FOUND, "There is no such channel")
    values = _columns(channel_id, changes, vault)
    if isinstance(changes.credential, str) and _same(vault, row, changes.credential):
        del values["credential"]
    values = {name: value for name, value in values.items() if row[name] != value}
    if not values:
        return False
    taken = await tx.fetchval("SELECT 1 FROM channels WHERE name = $1 AND id <> $2", values.get("name"), channel_id)
    if taken is not None:
        raise Failure(Reason.CONFLICT, f"A channel named {values['name']!r} exists already", param="name")
    values["updated_at"] = now_ms()
    await tx.execute(f"UPDATE channels SET {assignments(values, 2)} WHERE id = $1", channel_id, *values.values())
    await bump(tx)
    return True


def check_source(channel: ChannelView, changes: ChannelChanges | None) -> None:
    """Keep what comes from elsewhere from being changed (or deleted: None) here, for it would come back unsaid.

    Channels of the environment and the builtin ones may be disabled: a start leaves that as it is.

    Raises
    ------
    Failure
        CONFLICT.
    """
    if channel.source == "api":
        return
    if channel.source != "file" and changes is not None and ChannelChanges(status=changes.status) == changes:
        return
    where = "the declarative file" if channel.source == "file" else f"a start ({channel.source})"
    raise Failure(Reason.CONFLICT, f"The channel comes from {where}; change it there", code="foreign_source")


def _same(vault: Vault, row: Row, credential: str) -> bool:
    try:
        return row["credential"] is not None and vault.decrypt(row["credential"], _where(row["id"])) == credential
    except VaultError:
        return False


async def open_tasks(tx: Tx, channel_id: str) -> int:
    """Count the tasks that still need the channel."""
    return await tx.fetchval("SELECT COUNT(*) FROM tasks WHERE channel_id = $1 AND finished_at IS NULL", channel_id)


async def delete(tx: Tx, channel_id: str, *, force: bool = False) -> None:
    """Delete a channel.

    Raises
    ------
    Failure
        NOT_FOUND, or CONFLICT where open tasks need it still and `force` is not set.
    """
    if not force and (needed := await open_tasks(tx, channel_id)):
        raise Failure(
            Reason.CONFLICT, f"{needed} open tasks need the channel still; disable it, or delete it with force"
        )
    if not await tx.execute("DELETE FROM channels WHERE id = $1", channel_id):
        raise Failure(Reason.NOT_FOUND, "There is no such channel")
    await bump(tx)


async def retire(tx: Tx, channel_id: str) -> None:
    """Delete a channel, or disable it while open tasks need it still."""
    if await open_tasks(tx, channel_id):
        await tx.execute("UPDATE channels SET status = 'disabled' WHERE id = $1", channel_id)
        await bump(tx)
    else:
        await delete(tx, channel_id)


async def put(tx: Tx, vault: Vault, new: NewChannel, *, source: str) -> Literal["made", "changed", "same"]:
    """Make or change the channel of that name which came from the same source.

    Raises
    ------
    Failure
        CONFLICT, where a channel of another source has that name.
    """
    row = await tx.fetchrow("SELECT id, source, protocol FROM channels WHERE name = $1", new.name)
    if row is not None and row["source"] == source and row["protocol"] != new.protocol:
        # Another protocol is another upstream: tasks of the old one cannot go on there.
        await delete(tx, row["id"])
        row = None
    if row is None:
        await create(tx, vault, new, source=source)
        return "made"
    if row["source"] != source:
        raise Failure(Reason.CONFLICT, f"A channel named {new.name!r} exists already", param="name")
    whole = ChannelChanges(
        name=new.name,
        base_url=new.base_url,
        credential=None if new.credential is UNSET else new.credential,
        models=None if new.models is UNSET else new.models,
        model_map={} if new.model_map is UNSET else new.model_map,
        mode="live" if new.mode is UNSET else new.mode,
        price_groups=None if new.price_groups is UNSET else new.price_groups,
        priority=0 if new.priority is UNSET else new.priority,
        weight=1 if new.weight is UNSET else new.weight,
        concurrency=None if new.concurrency is UNSET else new.concurrency,
        rpm=None if new.rpm is UNSET else new.rpm,
        status="enabled" if new.status is UNSET else new.status,
        settings={} if new.settings is UNSET else new.settings,
    )
    return "changed" if await update(tx, vault, row["id"], whole) else "same"


def _limits(channel: str, settings: dict[str, Any]) -> Limits:
    """Return the time limits among settings; what cannot be used of those that were stored stops nobody."""
    limits: dict[str, float] = {}
    for name in LIMITS:
        if name not in settings:
            continue
        try:
            check_part({name: settings[name]}, CommonSettings)
        except Failure as failure:
            _log.warning("setting is not used", channel=channel, error=failure.message)
        else:
            limits[name] = settings[name]
    return Limits(**limits)


def opened(row: Row, vault: Vault) -> Channel:
    """Return a channel as the gateway uses it. One whose credential cannot be decrypted comes disabled."""
    credential, enabled = None, row["status"] == "enabled"
    if row["credential"] is not None:
        try:
            credential = vault.decrypt(row["credential"], _where(row["id"]))
        except VaultError as fault:
            _log.error("channel is out of use", channel=row["name"], error=str(fault))
            enabled = False
    settings: dict[str, Any] = _json(row["settings"])
    models, groups = _json(row["models"]), _json(row["price_groups"])
    return Channel(
        id=row["id"],
        name=row["name"],
        protocol=row["protocol"],
        base_url=row["base_url"],
        credential=credential,
        models=None if models is None else tuple(models),
        model_map=_json(row["model_map"]),
        mode=row["mode"],
        price_groups=None if groups is None else tuple(groups),
        priority=row["priority"],
        weight=row["weight"],
        concurrency=row["concurrency"],
        rpm=row["rpm"],
        enabled=enabled,
        limits=_limits(row["name"], settings),
        settings={name: value for name, value in settings.items() if name not in LIMITS},
        source=row["source"],
    )


async def load_all(tx: Tx, vault: Vault) -> list[Channel]:
    """Return every channel, disabled ones too: open tasks go on with them. Highest priority first."""
    rows = await tx.fetch(f"SELECT * FROM channels WHERE {_SHARED} ORDER BY priority DESC, id")
    return [opened(row, vault) for row in rows]
