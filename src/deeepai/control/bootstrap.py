"""What a start brings about: the first administrator, and the channels of this machine and of the environment."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec

from ..accounts import catalogue, keys, passwords, people, tokens
from ..accounts.channels import NewChannel
from ..accounts.people import NewUser
from ..accounts.tokens import NewToken
from ..accounts.units import nano
from ..declare import Protocol
from ..money.ledger import Ledger
from ..settings import Settings
from ..storage.database import Database, Tx
from ..storage.migrations import lock
from . import presets
from .presets import PRESETS

ADMIN = "admin"
ENGINE_MODELS = ("smollm2-135m-instruct", "multilingual-e5-small")
ENGINE_ACCOUNT = "x-deeepai-account"
"""The header by which the engines know whose request it is, so that accounts take turns there."""
ENGINE_OPERATIONS = ("chat.completions", "completions", "embeddings", "moderations*", "rerank*", "audio.*", "realtime*")
"""What the engines' program serves of OpenAI's operations; others reach it by a translator."""
ALIASES = {
    "gpt-3.5-turbo": "smollm2-135m-instruct",
    "text-embedding-ada-002": "multilingual-e5-small",
    "omni-moderation-latest": "local-moderation",
    "text-moderation-latest": "local-moderation",
    "whisper-1": "whisper-base",
    "tts-1": "kokoro-82m",
    "gpt-4o-mini-tts": "kokoro-82m",
    "gpt-realtime": "local-realtime",
}
"""What the quickstart's and the SDKs' examples ask for, answered by the local engines where nobody else serves it."""
_OFFERED = "offered_aliases"
_FIRST = ("gpt-3.5-turbo", "text-embedding-ada-002")
LOCAL_SERVERS = ("ollama", "vllm", "lmstudio")
"""Presets of servers that a start looks for on this machine."""
_LOCAL_SECONDS = 0.4


class FirstStart(msgspec.Struct, kw_only=True):
    """What is shown at the first start, and kept in `first-start.json`."""

    url: str
    admin_password: str
    live_token: str
    test_token: str


def first_start_path(settings: Settings) -> Path:
    """Return where the first start's secrets lie."""
    return settings.folder / "first-start.json"


def read_first_start(settings: Settings) -> FirstStart | None:
    """Return what the first start left; None where the operator took the file away."""
    try:
        return msgspec.json.decode(first_start_path(settings).read_bytes(), type=FirstStart)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


async def first_start(database: Database, ledger: Ledger, settings: Settings) -> tuple[FirstStart | None, bool]:
    """Make the first administrator, an account with credit, and a token of each mode, where there is no user yet.

    Returns
    -------
    FirstStart or None
        From the file, with the present address.
    bool
        Whether this was the first start.
    """
    if await database.read(lambda tx: tx.fetchval("SELECT 1 FROM users LIMIT 1")):
        return await _known(database, settings), False
    made = FirstStart(
        url=settings.url,
        admin_password=passwords.generate(),
        live_token=keys.new_key("live"),
        test_token=keys.new_key("test"),
    )
    stored = await passwords.hashed(made.admin_password)
    credit = nano(settings.initial_credit, "initial_credit")

    async def work(tx: Tx) -> bool:
        await lock(tx, database.dialect)
        if await tx.fetchval("SELECT 1 FROM users LIMIT 1"):
            return False  # another starter was quicker
        user_id, account_id = await people.create_user(tx, NewUser(name=ADMIN, role="admin"), stored)
        assert account_id is not None
        if credit:
            await ledger.grant(tx, account_id, credit, kind="grant", reference="first-start", note="first start")
        live = NewToken(name="first live", mode="live", user_id=user_id)
        test = NewToken(name="first test", mode="test", user_id=user_id)
        await tokens.create(tx, account_id, live, key=made.live_token)
        await tokens.create(tx, account_id, test, key=made.test_token)
        await _offer_aliases(tx, ALIASES)
        # Before the commit: a password that was stored but never told would lock everybody out.
        _write(settings, made)
        return True

    if not await database.write(work):
        return await _known(database, settings), False
    return made, True


async def _known(database: Database, settings: Settings) -> FirstStart | None:
    """Return what the first start left, with the present address; what is not of this database is taken away."""
    known = read_first_start(settings)
    if known is None:
        return None
    digest = keys.digest(known.live_token)
    if not await database.read(lambda tx: tx.fetchval("SELECT 1 FROM tokens WHERE digest = $1", digest)):
        first_start_path(settings).unlink()
        return None
    if known.url != settings.url:
        known.url = settings.url
        _write(settings, known)
    return known


async def offer_aliases(database: Database, aliases: Mapping[str, str] = ALIASES) -> None:
    """Make the shipped aliases that this data folder never had; one that the operator has or removed stays so."""
    await database.write(lambda tx: _offer_aliases(tx, aliases))


async def _offer_aliases(tx: Tx, aliases: Mapping[str, str]) -> None:
    known = await tx.fetchval("SELECT value FROM settings WHERE key = $1", _OFFERED)
    # Before there was a record, the first start made these.
    offered = set(msgspec.json.decode(known, type=list[str])) if known is not None else set[str]()
    if known is None and await tx.fetchval("SELECT 1 FROM aliases WHERE source = 'builtin' LIMIT 1"):
        offered = set(_FIRST)
    new = [name for name in aliases if name not in offered]
    for name in new:
        if not await tx.fetchval("SELECT 1 FROM aliases WHERE name = $1", name):
            await catalogue.set_alias(tx, name, aliases[name], source="builtin")
    if new or known is None:
        await tx.execute(
            "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            *(_OFFERED, msgspec.json.encode(sorted(offered | set(aliases))).decode()),
        )


def _write(settings: Settings, told: FirstStart) -> None:
    path = first_start_path(settings)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(told)) + b"\n")
    draft.replace(path)


# Channels ----------------------------------------------------------------------------------------------------------


def builtin_channels(
    protocols: Mapping[str, Protocol],
    engines_url: str | None,
    sandbox_url: str | None,
    engine_models: Sequence[str] = ENGINE_MODELS,
) -> list[NewChannel]:
    """Return the channels to the programs that were started; addresses without a path."""
    found: list[NewChannel] = []
    if engines_url is not None:
        found.append(
            NewChannel(
                name="engines",
                protocol="openai",
                base_url=f"{engines_url}/v1",
                models=list(engine_models),
                priority=-100,
                settings={"operations": list(ENGINE_OPERATIONS), "account_header": ENGINE_ACCOUNT},
            )
        )
        found += [
            NewChannel(
                name=f"engines-{protocol.name}",
                protocol=protocol.name,
                base_url=_below(engines_url, protocol),
                credential="engines",
                priority=-100,
                settings={"account_header": ENGINE_ACCOUNT},
            )
            for protocol in protocols.values()
            if protocol.local
        ]
    if sandbox_url is not None:
        # Each vendor has a folder of its own there, with its paths below.
        found += [
            NewChannel(
                name=f"sandbox-{protocol.name}",
                protocol=protocol.name,
                base_url=_below(sandbox_url, protocol),
                credential="sandbox",
                mode="test",
            )
            for protocol in protocols.values()
        ]
    return found


def _below(url: str, protocol: Protocol) -> str:
    return f"{url}/{protocol.name}{urlsplit(protocol.base_url).path.rstrip('/')}"


def environment_channels(protocols: Mapping[str, Protocol], environ: Mapping[str, str]) -> list[NewChannel]:
    """Return a channel for each vendor whose key stands in the environment."""
    found: list[NewChannel] = []
    for protocol in protocols.values():
        names = (protocol.env_key or "", *protocol.env_key_also)
        key = next(filter(None, (environ.get(name, "").strip() for name in names)), "")
        if not key:
            continue
        base_url = environ.get(protocol.env_base_url, "").strip() if protocol.env_base_url else ""
        found.append(
            NewChannel(
                name=f"{protocol.name}-environment",
                protocol=protocol.name,
                base_url=base_url or protocol.base_url,
                credential=key,
            )
        )
    return [*found, *presets.environment_channels(protocols, environ)]


async def local_servers(servers: Mapping[str, str] | None = None, skip: Sequence[int] = ()) -> list[str]:
    """Return a command for each model server that answers on this machine.

    Parameters
    ----------
    servers : mapping, optional
        Base URLs by preset; by default those where the presets have them.
    skip : sequence of int
        Ports that are known to be something else.
    """
    if servers is None:
        servers = {name: PRESETS[name].base_url for name in LOCAL_SERVERS}

    async def look(client: aiohttp.ClientSession, name: str, base_url: str) -> str | None:
        try:
            async with client.get(f"{base_url}/models", allow_redirects=False) as response:
                answer = msgspec.json.decode(await response.content.read(1 << 20))
                models = [model["id"] for model in answer["data"] if isinstance(model["id"], str)]
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError, KeyError, TypeError):
            return None
        if not models:
            return None
        listed = shlex.quote(",".join(models[:20]))
        add = f"deeepai channels add {name} --preset {name} --base-url {base_url} --models {listed}"
        return f"{PRESETS[name].title.en} answers on this machine; to use it: {add}"

    timeout = aiohttp.ClientTimeout(total=_LOCAL_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        looks = [look(client, name, url) for name, url in servers.items() if urlsplit(url).port not in skip]
        return [line for line in await asyncio.gather(*looks) if line is not None]
