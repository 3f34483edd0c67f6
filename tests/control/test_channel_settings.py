"""Channels' settings: a typo is refused by name at every door; what is stored already stops nobody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from msgspec import UNSET, UnsetType

from deeepai.accounts import channels
from deeepai.accounts.channels import NewChannel
from deeepai.accounts.directory import Directory
from deeepai.accounts.models import Limits
from deeepai.accounts.vault import Vault
from deeepai.control import channel_settings, presets
from deeepai.control.presets import PRESETS, ChannelEntry, Preset
from deeepai.declare import ChannelSettings, Failure, Reason
from deeepai.protocols import PROTOCOLS
from deeepai.storage.database import Database, Tx
from tests.gateway.asgi import protocol

from .conftest import API
from .test_cli import Cli, cli

__all__ = ["cli"]


class ToySettings(ChannelSettings, forbid_unknown_fields=True):
    forward_mode: bool | UnsetType = UNSET


TOY = protocol(settings=ToySettings)
CARRIED = protocol(name="openai")
"""What a transport carries."""


def faults(settings: dict[str, Any], *words: str, by: Any = TOY) -> list[tuple[str | None, str]]:
    return [(fault.param, fault.message) for fault in channel_settings.faults(settings, by, words)]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"connect": 2, "first_byte": 2.5, "between": 1, "whole": 9},
        {"operations": ["chat.*"], "objects": False, "cost": 0.5, "unpriced": "free", "owned_by": "us"},
        {"headers": {"x-a": "b"}, "rename": {"a": "b"}, "drop": ["c"], "set": {"d": [1, None]}, "preset": "gone"},
        {"forward_mode": True},
    ],
)
def test_what_is_known_is_taken(settings: dict[str, Any]) -> None:
    assert faults(settings) == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("rennme", "rename"),
        ("Rename", "rename"),
        ("first-byte", "first_byte"),
        ("forward_mod", "forward_mode"),
        ("transprot", "transport"),
        ("regin", "region"),
    ],
)
def test_a_typo_is_named_with_what_may_be_meant(name: str, nearest: str) -> None:
    (fault,) = faults({name: "x"}, "region")
    assert fault == (f"settings.{name}", f"There is no setting {name!r} here; did you mean {nearest!r}?")


def test_what_is_like_nothing_is_told_what_there_is() -> None:
    ((param, message),) = faults({"zzzz": 1})
    assert param == "settings.zzzz"
    assert "forward_mode" in message
    assert "unpriced" in message


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"connect": 0}, "settings.connect"),
        ({"whole": True}, "settings.whole"),
        ({"between": "5"}, "settings.between"),
        ({"operations": "chat"}, "settings.operations"),
        ({"objects": "no"}, "settings.objects"),
        ({"cost": "cheap"}, "settings.cost"),
        ({"unpriced": "maybe"}, "settings.unpriced"),
        ({"owned_by": 5}, "settings.owned_by"),
        ({"headers": {"a": 1}}, "settings.headers"),
        ({"rename": {"a": 1}}, "settings.rename"),
        ({"drop": "a"}, "settings.drop"),
        ({"set": []}, "settings.set"),
        ({"forward_mode": "yes"}, "settings.forward_mode"),
        ({"transport": 5}, "settings.transport"),
        ({"word": 5}, "settings.word"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(settings: dict[str, Any], param: str) -> None:
    assert {named for named, _ in faults(settings, "word")} == {param}


@pytest.mark.parametrize(
    ("settings", "params"),
    [
        ({"transport": "vertex", "project": "p"}, ["settings.transport"]),
        ({"transport": "azure", "api_version": "2024-10-21", "auth": "token", "scope": "s", "token_url": "u"}, []),
        ({"transport": "azure", "auth": "none"}, ["settings.auth"]),
        ({"transport": "azure", "api_versoin": "x"}, ["settings.api_versoin"]),
        ({"api_version": "2024-10-21"}, ["settings.api_version"]),
        ({"transport": "telegraph"}, ["settings.transport"]),
    ],
)
def test_a_transport_has_settings_of_its_own(settings: dict[str, Any], params: list[str]) -> None:
    named = [param for param, _ in faults(settings, by=CARRIED)]
    assert named[: len(params)] == params
    assert bool(named) == bool(params)


@pytest.mark.parametrize(
    ("settings", "params"),
    [
        ({"realtime": "ga"}, []),
        ({"realtime": "beta", "transport": "azure"}, []),
        ({"realtime": "both"}, []),
        ({"realtime": "v1"}, ["settings.realtime"]),
        ({"realtime": None}, ["settings.realtime"]),
        ({"realtmie": "beta"}, ["settings.realtmie"]),
    ],
)
def test_what_an_upstream_speaks_in_realtime_sessions(settings: dict[str, Any], params: list[str]) -> None:
    assert [param for param, _ in faults(settings, by=PROTOCOLS["openai"])] == params


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"transport": "vertex"}, "settings.project"),
        ({"transport": "vertex", "project": ""}, "settings.project"),
        ({"transport": "vertex", "project": "p", "location": 5}, "settings.location"),
        ({"transport": "bedrock"}, "settings.region"),
    ],
)
def test_what_a_transport_needs_is_asked_for(settings: dict[str, Any], param: str) -> None:
    assert [named for named, _ in faults(settings, by=protocol(name="anthropic"))] == [param]


def test_a_date_may_stand_without_quotes() -> None:
    entry = msgspec.toml.decode(
        'name = "a"\nprotocol = "openai"\nsettings = { transport = "azure", api_version = 2024-10-21 }\n',
        type=ChannelEntry,
    )
    assert isinstance(presets.resolve(entry, PROTOCOLS).settings, dict)


def test_presets_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = msgspec.structs.replace(PRESETS["deepseek"], name="wrong", settings={"rennme": {}})
    known: dict[str, Preset] = {**PRESETS, "wrong": wrong}
    monkeypatch.setattr(presets, "PRESETS", known)
    with pytest.raises(Failure, match="did you mean 'rename'") as raised:
        presets.resolve(ChannelEntry(name="a", preset="wrong", credential="k"), PROTOCOLS)
    assert (raised.value.kind, raised.value.param) == (Reason.INVALID, "settings.rennme")


async def test_the_control_api(api: API) -> None:
    new = {"name": "a", "protocol": "openai", "settings": {"rennme": {"a": "b"}}}
    refused = await api("POST", "/channels", new)
    assert (refused.status, refused.body["error"]["param"]) == (422, "settings.rennme")
    assert "'rename'" in refused.body["error"]["message"]
    made = await api("POST", "/channels", {**new, "settings": {"rename": {"a": "b"}}})
    assert made.status == 201
    channel = f"/channels/{made.body['id']}"
    for settings, param in (
        ({"oprations": ["chat.*"]}, "settings.oprations"),
        ({"drop": "a"}, "settings.drop"),
        ({"project": "p"}, "settings.project"),
    ):
        refused = await api("PATCH", channel, {"settings": settings})
        assert (refused.status, refused.body["error"]["param"]) == (422, param)
    assert (await api("GET", channel)).body["settings"] == {"rename": {"a": "b"}}
    wrong = await api("POST", "/tokens", {"name": "t", "settings": {"cach": 5}})
    assert (wrong.status, wrong.body["error"]["param"]) == (422, "settings.cach")


async def test_a_preset_s_words_stay_known(api: API) -> None:
    settings = {"account": "0af3"}
    made = await api(
        "POST", "/channels", {"name": "a", "preset": "cloudflare", "credential": "k", "settings": settings}
    )
    assert made.status == 201, made
    again = {"settings": {**made.body["settings"], "connect": 3}}
    assert (await api("PATCH", f"/channels/{made.body['id']}", again)).status == 200
    elsewhere = {"name": "b", "protocol": "openai", "settings": settings}
    assert (await api("POST", "/channels", elsewhere)).body["error"]["param"] == "settings.account"


def test_the_command_line(cli: Cli) -> None:
    said = cli.fails("channels", "add", "a", "openai", "--key", "k", "--set", "oprations=[]")
    assert "no setting 'oprations' here; did you mean 'operations'?" in said
    assert "settings.connect" in cli.fails("channels", "add", "a", "openai", "--key", "k", "--set", "connect=soon")
    cli.ok("channels", "add", "a", "openai", "--key", "k", "--set", "connect=3")


async def test_what_is_stored_already_stops_nobody(db: Database) -> None:
    vault = Vault(os.urandom(32))
    stored = msgspec.json.encode({"rennme": {}, "connect": "soon", "between": 7, "drop": "a"}).decode()

    async def store(tx: Tx) -> None:
        new = NewChannel(name="old", protocol="openai", base_url="https://example.com")
        channel_id = await channels.create(tx, vault, new)
        await tx.execute("UPDATE channels SET settings = $1 WHERE id = $2", stored, channel_id)

    await db.write(store)
    directory = Directory(db, vault)
    with structlog.testing.capture_logs() as told:
        await directory.refresh()
    (channel,) = directory.channels
    assert (channel.enabled, channel.limits) == (True, Limits(between=7))
    assert [line["error"].split(":")[0] for line in told if line["log_level"] == "warning"] == ["settings.connect"]
    warned: set[tuple[str, str | None]] = set()
    with structlog.testing.capture_logs() as told:
        for _ in range(2):
            presets.warn(directory.channels, PROTOCOLS, warned)
    assert [(line["channel"], line["setting"]) for line in told] == [
        ("old", "settings.rennme"),
        ("old", "settings.drop"),
    ]


def test_each_of_the_gateways_settings_is_documented() -> None:
    names = [field.encode_name for field in msgspec.structs.fields(channels.CommonSettings)]
    for page in ("configuration.md", "configuration.zh.md"):
        text = (Path(__file__).parents[2] / "docs" / page).read_text("utf-8")
        assert [name for name in names if f"`{name}`" not in text] == []
