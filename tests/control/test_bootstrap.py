from __future__ import annotations

import json
import os
import stat
from decimal import Decimal
from pathlib import Path

from aiohttp import web

from deeepai.accounts import catalogue, channels, keys, passwords, people, tokens
from deeepai.accounts.channels import ChannelChanges
from deeepai.accounts.vault import Vault
from deeepai.control import bootstrap
from deeepai.money.audit import verify
from deeepai.money.ledger import Ledger
from deeepai.protocols import PROTOCOLS
from deeepai.settings import Settings
from deeepai.storage.database import Database


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


async def test_builtin_channels_follow_the_programs(db: Database) -> None:
    vault = Vault(os.urandom(32))
    wanted = bootstrap.builtin_channels(PROTOCOLS, "http://127.0.0.1:1", "http://127.0.0.1:2")
    await bootstrap.sync_channels(db, vault, wanted, "builtin")
    found = {channel.name: channel for channel in await db.read(lambda tx: channels.load_all(tx, vault))}
    assert (found["engines"].base_url, found["engines"].mode) == ("http://127.0.0.1:1/v1", "live")
    assert (found["engines"].priority, found["engines"].models) == (-100, bootstrap.ENGINE_MODELS)
    assert {name for name in found if name != "engines"} == {f"sandbox-{name}" for name in PROTOCOLS}
    assert {found[name].mode for name in found if name != "engines"} == {"test"}
    assert found["sandbox-openai"].base_url == "http://127.0.0.1:2/openai/v1"
    assert found["sandbox-flux"].base_url == "http://127.0.0.1:2/flux"

    # What the operator disabled stays so over the next start, at the new port.
    disabled = ChannelChanges(status="disabled")
    await db.write(lambda tx: channels.update(tx, vault, found["engines"].id, disabled))
    wanted = bootstrap.builtin_channels(PROTOCOLS, "http://127.0.0.1:3", None)
    await bootstrap.sync_channels(db, vault, wanted, "builtin")
    (left,) = await db.read(lambda tx: channels.load_all(tx, vault))
    assert (left.id, left.base_url, left.enabled) == (found["engines"].id, "http://127.0.0.1:3/v1", False)


async def test_vendors_keys_in_the_environment_become_channels(db: Database) -> None:
    vault = Vault(os.urandom(32))
    environ = {"OPENAI_API_KEY": "sk-one", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "BFL_API_KEY": " ", "OTHER": "x"}
    said = await bootstrap.sync_channels(db, vault, bootstrap.environment_channels(PROTOCOLS, environ), "environment")
    assert said == ["channel openai-environment → http://127.0.0.1:9/v1: made"]
    (channel,) = await db.read(lambda tx: channels.load_all(tx, vault))
    assert (channel.credential, channel.source, channel.priority) == ("sk-one", "environment", 0)
    again = bootstrap.environment_channels(PROTOCOLS, {**environ, "OPENAI_API_KEY": "sk-two"})
    assert (await bootstrap.sync_channels(db, vault, again, "environment"))[0].endswith(": changed")
    (channel,) = await db.read(lambda tx: channels.load_all(tx, vault))
    assert channel.credential == "sk-two"
    assert await bootstrap.sync_channels(db, vault, [], "environment") == ["channel openai-environment: removed"]


async def test_a_wrong_address_in_the_environment_stops_nothing(db: Database) -> None:
    environ = {"OPENAI_API_KEY": "sk-one", "OPENAI_BASE_URL": "nonsense", "BFL_API_KEY": "key"}
    wanted = bootstrap.environment_channels(PROTOCOLS, environ)
    said = await bootstrap.sync_channels(db, Vault(os.urandom(32)), wanted, "environment")
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
