from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from deeepai.accounts import catalogue, channels, keys, passwords, people, tokens
from deeepai.accounts.channels import ChannelChanges, NewChannel
from deeepai.accounts.directory import Directory
from deeepai.accounts.models import Channel
from deeepai.accounts.own_channels import Node, arrange
from deeepai.accounts.vault import Vault
from deeepai.control import bootstrap
from deeepai.declare import Failure
from deeepai.money.audit import verify
from deeepai.money.ledger import Ledger
from deeepai.protocols import PROTOCOLS
from deeepai.settings import Settings
from deeepai.storage.database import Database
from deeepai.storage.migrations import migrate


async def test_the_first_start_makes_all_that_a_newcomer_needs(db: Database, tmp_path: Path) -> None:
    settings = Settings.load({}, data=str(tmp_path), port=8123)
    ledger = Ledger(db, node="test")
    told, first = await bootstrap.first_start(db, ledger, settings)
    assert told is not None
    assert first
    path = tmp_path / "first-start.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        "url": "http://127.0.0.1:8123",
        "admin_password": told.admin_password,
        "live_token": told.live_token,
        "test_token": told.test_token,
    }
    for key, mode in ((told.live_token, "live"), (told.test_token, "test")):
        found = await db.read(lambda tx, key=key: tokens.find(tx, keys.digest(key)))
        assert found is not None
        assert (found.mode, found.enabled) == (mode, True)
    admin = await db.read(lambda tx: people.user_named(tx, "admin"))
    assert admin is not None
    assert admin[0].role == "admin"
    assert await passwords.matches(told.admin_password, admin[1])
    account = await db.read(lambda tx: people.account_named(tx, "admin"))
    assert account is not None
    assert account.available == Decimal(100)
    assert (await verify(db)).ok
    aliases = await db.read(catalogue.list_aliases)
    assert {alias.name: alias.source for alias in aliases} == dict.fromkeys(bootstrap.ALIASES, "builtin")


async def test_later_aliases_are_offered_once(db: Database, tmp_path: Path) -> None:
    async def named() -> dict[str, str]:
        return {alias.name: alias.target for alias in await db.read(catalogue.list_aliases)}

    first = {"gpt-3.5-turbo": "small", "text-embedding-ada-002": "vectors"}
    await bootstrap.offer_aliases(db, first)
    await db.write(lambda tx: catalogue.delete_alias(tx, "gpt-3.5-turbo"))
    await db.write(lambda tx: catalogue.set_alias(tx, "tts-1", "our-voice"))
    later = {**first, "tts-1": "kokoro", "whisper-1": "whisper"}
    for _ in range(2):
        await bootstrap.offer_aliases(db, later)
        assert await named() == {"text-embedding-ada-002": "vectors", "tts-1": "our-voice", "whisper-1": "whisper"}
    await db.write(lambda tx: tx.execute("DELETE FROM settings WHERE key = 'offered_aliases'"))
    await db.write(lambda tx: catalogue.delete_alias(tx, "whisper-1"))
    await bootstrap.offer_aliases(db, later)
    assert await named() == {"text-embedding-ada-002": "vectors", "tts-1": "our-voice", "whisper-1": "whisper"}


async def test_a_later_start_makes_nothing_and_knows_the_new_address(db: Database, tmp_path: Path) -> None:
    ledger = Ledger(db, node="test")
    told, _ = await bootstrap.first_start(db, ledger, Settings.load({}, data=str(tmp_path), port=1))
    again, first = await bootstrap.first_start(db, ledger, Settings.load({}, data=str(tmp_path), port=2))
    assert told is not None
    assert again is not None
    assert not first
    assert (again.url, again.live_token) == ("http://127.0.0.1:2", told.live_token)
    assert bootstrap.read_first_start(Settings.load({}, data=str(tmp_path))) == again
    assert len(await db.read(people.list_users)) == 1
    (tmp_path / "first-start.json").unlink()
    assert await bootstrap.first_start(db, ledger, Settings.load({}, data=str(tmp_path))) == (None, False)


async def arranged(db: Database, vault: Vault, node: Node, **wanted: Sequence[NewChannel]) -> dict[str, Channel]:
    """Arrange a node's channels; return all that it knows then."""
    whole = {"builtin": (), "environment": (), **wanted}
    await db.read(lambda tx: arrange(tx, vault, node, whole))
    directory = Directory(db, vault, own=node.own())
    await directory.refresh()
    return {channel.name: channel for channel in directory.channels}


async def test_builtin_channels_follow_the_programs(db: Database) -> None:
    vault, node = Vault(os.urandom(32)), Node(id="here")
    wanted = bootstrap.builtin_channels(PROTOCOLS, "http://127.0.0.1:1", "http://127.0.0.1:2")
    found = await arranged(db, vault, node, builtin=wanted)
    assert (found["engines"].base_url, found["engines"].mode) == ("http://127.0.0.1:1/v1", "live")
    assert (found["engines"].priority, found["engines"].models) == (-100, bootstrap.ENGINE_MODELS)
    formats = {"engines-docmee", "engines-weinike", "engines-picwish", "engines-mewx"}
    assert found.keys() - {"engines"} == formats | {f"sandbox-{name}" for name in PROTOCOLS}
    assert all((found[name].mode, found[name].priority) == ("live", -100) for name in formats)
    assert found["engines-weinike"].base_url == "http://127.0.0.1:1/weinike"
    assert {found[name].mode for name in found if name.startswith("sandbox-")} == {"test"}
    assert found["sandbox-openai"].base_url == "http://127.0.0.1:2/openai/v1"
    assert found["sandbox-flux"].base_url == "http://127.0.0.1:2/flux"
    # They are nobody else's.
    assert await db.read(lambda tx: tx.fetchval("SELECT COUNT(*) FROM channels")) == 0
    other = Directory(db, vault)
    await other.refresh()
    assert other.channels == ()

    # What the operator disabled stays so over the next start, at the new port.
    own, disabled = node.own(), ChannelChanges(status="disabled")
    view = await db.read(lambda tx: own.get(tx, "engines"))
    await db.write(lambda tx: own.update(tx, vault, view, disabled))
    wanted = bootstrap.builtin_channels(PROTOCOLS, "http://127.0.0.1:3", None)
    left = await arranged(db, vault, node, builtin=wanted)
    assert left.keys() == {"engines", *formats}
    engines = left["engines"]
    assert (engines.id, engines.base_url, engines.enabled) == (found["engines"].id, "http://127.0.0.1:3/v1", False)
    view = await db.read(lambda tx: node.own().get(tx, engines.id))
    assert (view.status, view.source) == ("disabled", "builtin")
    await db.write(lambda tx: own.update(tx, vault, view, ChannelChanges(status="enabled")))
    assert (await arranged(db, vault, node, builtin=wanted))["engines"].enabled
    with pytest.raises(Failure, match="change it there"):
        await db.write(lambda tx: own.update(tx, vault, view, ChannelChanges(priority=3)))


async def test_vendors_keys_in_the_environment_become_channels(db: Database, tmp_path: Path) -> None:
    vault, node = Vault(os.urandom(32)), Node(id="here")
    environ = {"OPENAI_API_KEY": "sk-one", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "BFL_API_KEY": " ", "OTHER": "x"}

    async def start(node: Node, **changes: str) -> tuple[list[str], Channel]:
        wanted = {"environment": bootstrap.environment_channels(PROTOCOLS, {**environ, **changes})}
        said = await db.read(lambda tx: arrange(tx, vault, node, wanted))
        directory = Directory(db, vault, own=node.own())
        await directory.refresh()
        (channel,) = directory.channels
        return said["environment"], channel

    said, channel = await start(node)
    assert said == ["channel openai-environment → http://127.0.0.1:9/v1: made"]
    assert (channel.credential, channel.source, channel.priority) == ("sk-one", "environment", 0)
    # Another node with the same key has the same channel; one with another key has one of its own.
    _, same = await start(Node(id="there"))
    _, another = await start(Node(id="there"), OPENAI_API_KEY="sk-two")
    assert (same.id == channel.id, another.id == channel.id) == (True, False)
    # A key that changes here is the same channel still, for what was made there.
    path = tmp_path / "node.json"
    node.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"sk-one" not in path.read_bytes()
    said, changed = await start(Node.read(path), OPENAI_API_KEY="sk-two")
    assert said[0].endswith(": changed")
    assert (changed.id, changed.credential) == (channel.id, "sk-two")
    assert (await start(Node.read(path)))[0][0].endswith(": there")
    gone = {"environment": ()}
    assert await db.read(lambda tx: arrange(tx, vault, node, gone)) == {
        "environment": ["channel openai-environment: removed"]
    }
    assert node.channels == []


async def test_a_channel_of_all_nodes_goes_before_one_of_a_nodes_own(db: Database) -> None:
    vault, node = Vault(os.urandom(32)), Node(id="here")
    new = NewChannel(name="engines", protocol="openai", base_url="https://example.com")
    await db.write(lambda tx: channels.create(tx, vault, new))
    wanted = bootstrap.builtin_channels(PROTOCOLS, "http://127.0.0.1:1", None)
    found = await arranged(db, vault, node, builtin=wanted)
    assert [channel.base_url for channel in found.values() if channel.protocol == "openai"] == ["https://example.com"]


async def test_channels_that_were_rows_keep_their_ids(db: Database) -> None:
    """What was made at them under an older release is found still."""
    vault, node = Vault(os.urandom(32)), Node(id="here")
    old = NewChannel(name="openai-environment", protocol="openai", base_url="https://example.com", credential="k")
    channel_id = await db.write(lambda tx: channels.create(tx, vault, old, source="environment"))
    wanted = bootstrap.environment_channels(PROTOCOLS, {"OPENAI_API_KEY": "sk-new"})
    found = await arranged(db, vault, node, environment=wanted)
    assert {name: (channel.id, channel.credential) for name, channel in found.items()} == {
        "openai-environment": (channel_id, "sk-new")
    }
    await migrate(db, after=True)
    assert await db.read(lambda tx: tx.fetchval("SELECT COUNT(*) FROM channels")) == 0
    assert [one.id for one in (await arranged(db, vault, node, environment=wanted)).values()] == [channel_id]


async def test_a_wrong_address_in_the_environment_stops_nothing(db: Database) -> None:
    environ = {"OPENAI_API_KEY": "sk-one", "OPENAI_BASE_URL": "nonsense", "BFL_API_KEY": "key"}
    wanted = {"environment": bootstrap.environment_channels(PROTOCOLS, environ)}
    said = (await db.read(lambda tx: arrange(tx, Vault(os.urandom(32)), Node(id="here"), wanted)))["environment"]
    assert ["left out" in line for line in said] == [True, False]
    assert not [line for line in said if "sk-one" in line]


async def test_a_model_server_on_this_machine_is_proposed() -> None:
    async def models(request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "llama3"}, {"id": "a b"}]})

    application = web.Application()
    application.router.add_get("/v1/models", models)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        base_url = f"http://127.0.0.1:{port}/v1"
        (line,) = await bootstrap.local_servers({"ollama": base_url, "vllm": "http://127.0.0.1:9/v1"})
        assert line.startswith("Ollama answers")
        assert f"deeepai channels add ollama --preset ollama --base-url {base_url} --models 'llama3,a b'" in line
        assert await bootstrap.local_servers({"ollama": base_url}, skip=[port]) == []
    finally:
        await runner.cleanup()
