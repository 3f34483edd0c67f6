"""Channels, prices, price groups, aliases, and the declarative file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from ..accounts import catalogue
from ..accounts import channels as channel_store
from ..accounts.channels import ChannelChanges
from ..accounts.directory import Directory
from ..control import presets
from ..control.config_file import Applier, ConfigError, check
from ..control.presets import ChannelEntry
from ..control.probe import probe
from ..control.sections.prices import Price, effective
from ..declare import Failure
from ..money.prices import PriceBook
from ..protocols import PROTOCOLS
from ..storage.database import Tx
from ..upstream import Client
from .common import DataOption, JsonOption, Store, die, load_settings, print_json, run, show, split, struct

channels = typer.Typer(help="Channels to upstreams.", no_args_is_help=True)
prices = typer.Typer(help="Prices.", no_args_is_help=True)
groups = typer.Typer(help="Price groups.", no_args_is_help=True)
aliases = typer.Typer(help="Other names of models.", no_args_is_help=True)
config = typer.Typer(help="The declarative file.", no_args_is_help=True)

ChannelArgument = Annotated[str, typer.Argument(help="Name or id")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(channels, name="channels")
    app.add_typer(prices, name="prices")
    app.add_typer(groups, name="groups")
    app.add_typer(aliases, name="aliases")
    app.add_typer(config, name="config")


# Channels ----------------------------------------------------------------------------------------------------------


@channels.command("list")
def list_channels(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List channels."""
    columns = ("name", "protocol", "base_url", "mode", "models", "priority", "weight", "status", "source", "id")
    show(run(data, lambda store: store.read(store.node.own().views)), columns, as_json=as_json)


KeyEnvOption = Annotated[str | None, typer.Option(help="Environment variable that holds the credential")]
BaseUrlOption = Annotated[str | None, typer.Option(help="By default the vendor's own")]
ModelsOption = Annotated[str | None, typer.Option(help="Names or patterns, divided by commas")]
MapOption = Annotated[list[str] | None, typer.Option("--map", help="ASKED=UPSTREAM; may stand several times")]
LimitNumber = Annotated[int | None, typer.Option(help="0 lifts the limit")]


def _fields(
    key_env: str | None,
    credential: str | None,
    base_url: str | None,
    models: str | None,
    mapped: list[str] | None,
    priority: int | None,
    weight: int | None,
    concurrency: int | None,
    rpm: int | None,
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if key_env is not None:
        credential = os.environ.get(key_env, "").strip()
        if not credential:
            raise die(f"the environment has no {key_env}")
    given = {"credential": credential, "base_url": base_url, "priority": priority, "weight": weight}
    fields.update({name: value for name, value in given.items() if value is not None})
    if models is not None:
        fields["models"] = None if models.lower() == "none" else split(models)
    if mapped:
        pairs = [pair.partition("=") for pair in mapped]
        if any(not name or not equals or not target for name, equals, target in pairs):
            raise typer.BadParameter("--map takes ASKED=UPSTREAM")
        fields["model_map"] = {name: target for name, _, target in pairs}
    for name, number in (("concurrency", concurrency), ("rpm", rpm)):
        if number is not None:
            fields[name] = number or None
    return fields


@channels.command("add")
def add_channel(
    name: Annotated[str | None, typer.Argument(help="By default the preset's")] = None,
    protocol: Annotated[str | None, typer.Argument(help=", ".join(sorted(PROTOCOLS)))] = None,
    preset: Annotated[str | None, typer.Option(help="A vendor, as `deeepai channels presets` shows it")] = None,
    base_url: BaseUrlOption = None,
    key_env: KeyEnvOption = None,
    credential: Annotated[
        str | None, typer.Option("--credential", "--key", help="--key-env keeps it out of sight")
    ] = None,
    models: ModelsOption = None,
    mapped: MapOption = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", help="SETTING=VALUE, such as account=…; may stand several times")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="For test-mode tokens")] = False,
    priority: int = 0,
    weight: int = 1,
    concurrency: LimitNumber = None,
    rpm: LimitNumber = None,
    data: DataOption = None,
) -> None:
    """Add a channel."""
    if name is None and preset is None:
        raise die("say a name and a protocol, or --preset")
    if protocol is not None and protocol not in PROTOCOLS:
        raise die(f"there is no protocol {protocol!r}; there are {', '.join(sorted(PROTOCOLS))}")
    fields = _fields(key_env, credential, base_url, models, mapped, priority, weight, concurrency, rpm)
    fields |= {"name": name or preset, "mode": "test" if test else "live"}
    fields |= {key: value for key, value in (("protocol", protocol), ("preset", preset)) if value is not None}
    if given:
        pairs = [pair.partition("=") for pair in given]
        if any(not setting or not equals for setting, equals, _ in pairs):
            raise typer.BadParameter("--set takes SETTING=VALUE")
        fields["settings"] = {setting: _value(text) for setting, _, text in pairs}
    try:
        new = presets.resolve(struct(ChannelEntry, fields), PROTOCOLS, os.environ)
    except Failure as failure:
        raise die(failure.message) from None
    made = run(data, lambda store: store.write(lambda tx: channel_store.create(tx, store.vault, new)))
    print(f"channel {made}")


def _value(text: str) -> Any:
    """Read a setting: JSON where it is, else a text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


@channels.command("presets")
def list_presets(
    contains: Annotated[str, typer.Argument(help="Part of the name or title")] = "", as_json: JsonOption = False
) -> None:
    """List the vendors for whom a channel needs only a key."""
    word = contains.lower()
    found = [
        preset
        for preset in presets.PRESETS.values()
        if preset.protocol in PROTOCOLS and word in f"{preset.name} {preset.title.en} {preset.title.zh}".lower()
    ]
    if as_json:
        print_json(found)
        return

    class Row(msgspec.Struct):
        name: str
        vendor: str
        protocol: str
        base_url: str
        environment: list[str]

    rows = [Row(preset.name, preset.title.en, preset.protocol, preset.base_url, preset.environment) for preset in found]
    show(rows, ("name", "vendor", "protocol", "base_url", "environment"), as_json=False)


def _change(data: str | None, channel: str, changes: ChannelChanges) -> None:
    async def work(store: Store) -> None:
        async def change(tx: Tx) -> None:
            own = store.node.own()
            await own.update(tx, store.vault, await own.get(tx, channel), changes)

        await store.write(change)

    run(data, work)


@channels.command("set")
def set_channel(
    channel: ChannelArgument,
    name: str | None = None,
    base_url: BaseUrlOption = None,
    key_env: KeyEnvOption = None,
    credential: str | None = None,
    models: Annotated[str | None, typer.Option(help="'none' for the protocol's own")] = None,
    mapped: MapOption = None,
    priority: int | None = None,
    weight: int | None = None,
    concurrency: LimitNumber = None,
    rpm: LimitNumber = None,
    data: DataOption = None,
) -> None:
    """Change a channel."""
    fields = _fields(key_env, credential, base_url, models, mapped, priority, weight, concurrency, rpm)
    changes = struct(ChannelChanges, {**fields, **({"name": name} if name else {})})
    _change(data, channel, changes)


@channels.command("enable")
def enable_channel(channel: ChannelArgument, data: DataOption = None) -> None:
    """Enable a channel."""
    _change(data, channel, ChannelChanges(status="enabled"))


@channels.command("disable")
def disable_channel(channel: ChannelArgument, data: DataOption = None) -> None:
    """Disable a channel; its open tasks go on."""
    _change(data, channel, ChannelChanges(status="disabled"))


@channels.command("test")
def probe_channel(channel: ChannelArgument, data: DataOption = None) -> None:
    """Ask a channel's upstream one cheap question; status 1 where its address or credential is no good."""

    async def work(store: Store) -> tuple[bool, float, str | None]:
        own = store.node.own()
        found = await store.read(lambda tx: own.get(tx, channel))
        directory = Directory(store.database, store.vault, own=own)
        await directory.refresh()
        client = Client()
        try:
            ready = next(each for each in directory.channels if each.id == found.id)
            return await probe(client, PROTOCOLS[ready.protocol], ready)
        finally:
            await client.close()

    ok, latency_ms, error = run(data, work)
    if not ok:
        raise die(f"{channel} does not answer well: {error}")
    typer.echo(f"{channel} answers well, after {latency_ms:.0f} ms")


@channels.command("remove")
def remove_channel(
    channel: ChannelArgument,
    force: Annotated[bool, typer.Option("--force", help="Although open tasks need it still")] = False,
    data: DataOption = None,
) -> None:
    """Delete a channel."""

    async def work(store: Store) -> None:
        async def remove(tx: Tx) -> None:
            found = await store.node.own().get(tx, channel)
            channel_store.check_source(found, None)
            await channel_store.delete(tx, found.id, force=force)

        await store.write(remove)

    run(data, work)


# Prices ------------------------------------------------------------------------------------------------------------


@prices.command("list")
def list_prices(
    contains: Annotated[str, typer.Argument(help="Part of the key")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the prices that count, in USD, with where each comes from."""
    own = run(data, lambda store: store.read(catalogue.list_prices))
    shipped = {key: dict(entry) for key, entry in PriceBook.shipped().listing().items()}
    found = [price for price in effective(shipped, own) if contains in price.key]
    if as_json:
        print_json(found)
        return

    class Row(Price):
        rates: str

    rows = [
        Row(
            key=price.key,
            own=price.own,
            source=price.source,
            date=price.date,
            entry={},
            rates=msgspec.json.encode(
                {name: value for name, value in price.entry.items() if name not in ("source", "date")}
            ).decode(),
        )
        for price in found
    ]
    show(rows, ("key", "rates", "own", "date", "source"), as_json=False)


@prices.command("set")
def set_price(
    key: str,
    entry: Annotated[str, typer.Argument(help='JSON, as in the price book: {"per_call": "0.02"}')],
    data: DataOption = None,
) -> None:
    """Set a price of one's own, over the shipped one."""
    try:
        parsed = msgspec.json.decode(entry, type=dict[str, Any])
        PriceBook.shipped().check(key, parsed)
    except (msgspec.DecodeError, ValueError) as fault:
        raise die(f"{key}: {fault}") from None
    run(data, lambda store: store.write(lambda tx: catalogue.set_price(tx, key, parsed)))


@prices.command("remove")
def remove_price(key: str, data: DataOption = None) -> None:
    """Take an own price back; the shipped one counts again."""
    run(data, lambda store: store.write(lambda tx: catalogue.delete_price(tx, key)))


@groups.command("list")
def list_groups(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List price groups."""
    found = run(data, lambda store: store.read(catalogue.list_groups))
    show(found, ("name", "multiplier", "source"), as_json=as_json)


@groups.command("set")
def set_group(name: str, multiplier: str, data: DataOption = None) -> None:
    """Set a price group's multiplier."""
    run(data, lambda store: store.write(lambda tx: catalogue.set_group(tx, name, multiplier)))


@groups.command("remove")
def remove_group(name: str, data: DataOption = None) -> None:
    """Delete a price group."""
    run(data, lambda store: store.write(lambda tx: catalogue.delete_group(tx, name)))


@aliases.command("list")
def list_aliases(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List aliases."""
    found = run(data, lambda store: store.read(catalogue.list_aliases))
    show(found, ("name", "target", "source"), as_json=as_json)


@aliases.command("set")
def set_alias(name: Annotated[str, typer.Argument(help="May end in *")], target: str, data: DataOption = None) -> None:
    """Let a name stand for a model."""
    run(data, lambda store: store.write(lambda tx: catalogue.set_alias(tx, name, target)))


@aliases.command("remove")
def remove_alias(name: str, data: DataOption = None) -> None:
    """Delete an alias."""
    run(data, lambda store: store.write(lambda tx: catalogue.delete_alias(tx, name)))


# The declarative file ----------------------------------------------------------------------------------------------

FileArgument = Annotated[Path | None, typer.Argument(help="By default DATA/deeepai.toml", show_default=False)]


def _applier(store: Store) -> Applier:
    return Applier(store.database, store.vault, store.ledger, PROTOCOLS, PriceBook.shipped(), node=store.node.id)


@config.command("check")
def check_config(file: FileArgument = None, data: DataOption = None) -> None:
    """Say what is wrong with a file, changing nothing; status 1 where something is."""
    path = file or load_settings(data=data).config_path
    if not path.exists():
        raise die(f"{path} does not exist")
    try:
        check(path, PROTOCOLS, PriceBook.shipped(), os.environ)
    except ConfigError as fault:
        raise die(str(fault)) from None
    print(f"{path}: good")


@config.command("apply")
def apply_config(
    file: FileArgument = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Also take away what the file declared once and no longer does")
    ] = False,
    data: DataOption = None,
) -> None:
    """Bring the store in line with a file."""
    path = file or load_settings(data=data).config_path
    if not path.exists():
        raise die(f"{path} does not exist")
    try:
        said = run(data, lambda store: _applier(store).apply(path, prune=prune))
    except ConfigError as fault:
        raise die(str(fault)) from None
    for line in said or ["nothing to change"]:
        print(line)
