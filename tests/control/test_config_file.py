from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deeepai.accounts import catalogue, channels, keys, people, tokens
from deeepai.accounts.channels import ChannelChanges, NewChannel
from deeepai.accounts.people import NewUser
from deeepai.accounts.query import Viewer
from deeepai.accounts.tokens import TokenChanges
from deeepai.accounts.vault import Vault
from deeepai.control.config_file import Applier, ConfigError
from deeepai.declare import Failure
from deeepai.money.ledger import Ledger
from deeepai.money.prices import PriceBook
from deeepai.protocols import PROTOCOLS
from deeepai.storage.database import Database

ENVIRON = {"UP_KEY": "sk-upstream-from-env", "APP_TOKEN": "sk-app-token-from-the-env", "ANN": "correct horse"}
WHOLE = """
[groups]
vip = 0.8

[[users]]
name = "ann"
password_env = "ANN"
credit = 2.5

[[channels]]
name = "up"
protocol = "openai"
base_url = "https://example.com/v1"
credential = "env:UP_KEY"
models = ["gpt-*"]
priority = 3
settings = { connect = 2.5 }

[[tokens]]
name = "app"
key_env = "APP_TOKEN"
account = "ann"
models = ["gpt-*"]
budget = "1.5"
price_group = "vip"
expires_at = 2030-01-01T00:00:00Z

[[aliases]]
name = "fast"
target = "gpt-4o-mini"

[prices."my/model"]
per_call = 0.02
source = "mine"
"""


@pytest.fixture
async def applier(db: Database) -> Applier:
    await db.write(lambda tx: people.create_user(tx, NewUser(name="admin", role="admin"), "scrypt$"))
    ledger = Ledger(db, node="test")
    return Applier(db, Vault(os.urandom(32)), ledger, PROTOCOLS, PriceBook.shipped(), ENVIRON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deeepai.toml"


def write(path: Path, text: str) -> None:
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


async def state(applier: Applier) -> dict[str, Any]:
    async def look(tx: Any) -> dict[str, Any]:
        return {
            "channels": [
                (c.name, c.credential, c.priority, c.enabled) for c in await channels.load_all(tx, applier.vault)
            ],
            "tokens": [(t.name, t.status, t.price_group) for t in await tokens.list_tokens(tx, None)],
            "aliases": [(a.name, a.target) for a in await catalogue.list_aliases(tx)],
            "groups": [(g.name, g.multiplier) for g in await catalogue.list_groups(tx)],
            "prices": [(p.key, p.entry) for p in await catalogue.list_prices(tx)],
            "users": [(u.name, u.status) for u in await people.list_users(tx)],
        }

    return await applier.database.read(look)


@pytest.mark.parametrize("db", ["sqlite", "postgresql"], indirect=True)
async def test_what_is_declared_is_there_and_vanishes_with_its_declaration(applier: Applier, path: Path) -> None:
    write(path, WHOLE)
    said = await applier.apply(path)
    assert len(said) == 7, said
    assert not [line for line in said if "sk-" in line]
    assert await state(applier) == {
        "channels": [("up", "sk-upstream-from-env", 3, True)],
        "tokens": [("app", "enabled", "vip")],
        "aliases": [("fast", "gpt-4o-mini")],
        "groups": [("default", "1"), ("vip", "0.8")],
        "prices": [("my/model", {"per_call": "0.02", "source": "mine"})],
        "users": [("admin", "enabled"), ("ann", "enabled")],
    }
    digest = keys.digest("sk-app-token-from-the-env")
    found = await applier.database.read(lambda tx: tokens.find(tx, digest))
    assert found is not None
    assert (found.budget, found.models) == (1_500_000_000, ("gpt-*",))
    # Again: nothing changes, and the credit is not granted twice.
    assert await applier.apply(path) == []
    ann = await applier.database.read(lambda tx: people.account_named(tx, "ann"))
    assert ann is not None
    assert ann.available == Decimal("2.5")

    write(path, WHOLE.replace("priority = 3", "priority = 4").replace("gpt-4o-mini", "gpt-4o"))
    assert await applier.apply(path) == ["channel up: changed", "alias fast: gpt-4o"]

    # What is taken out of the file stays until somebody asks for it to go.
    whole = await state(applier)
    remove(path)
    (left,) = await applier.apply(path)
    assert left.startswith("6 no longer declared, and left alone: user ann, channel up, token app, alias fast,")
    assert await state(applier) == whole
    assert len(await applier.apply(path, prune=True)) == 6
    assert await state(applier) == {
        "channels": [],
        "tokens": [],
        "aliases": [],
        "groups": [("default", "1")],
        "prices": [],
        "users": [("admin", "enabled"), ("ann", "disabled")],
    }
    write(path, WHOLE)
    await applier.apply(path)
    assert ("app", "enabled", "vip") in (await state(applier))["tokens"]


async def test_the_files_channels_stand_beside_the_operators_own(applier: Applier, path: Path) -> None:
    own = NewChannel(name="own", protocol="openai", base_url="https://example.com")
    await applier.database.write(lambda tx: channels.create(tx, applier.vault, own))
    write(path, '[[channels]]\nname = "up"\nprotocol = "openai"\n')
    await applier.apply(path)
    write(path, "")
    await applier.apply(path, prune=True)
    assert [channel[0] for channel in (await state(applier))["channels"]] == ["own"]
    write(path, '\n[[channels]]\nname = "own"\nprotocol = "openai"\n')
    with pytest.raises(ConfigError, match=r"deeepai.toml:3: channels\[0\].name: .*exists already"):
        await applier.apply(path)


async def test_what_the_file_declares_is_changed_there_only(applier: Applier, path: Path) -> None:
    write(path, WHOLE)
    await applier.apply(path)
    (token,) = await applier.database.read(lambda tx: tokens.list_tokens(tx, None))
    channel = await applier.database.read(lambda tx: channels.get(tx, "up"))
    with pytest.raises(Failure, match="declarative file"):
        await applier.database.write(lambda tx: tokens.update(tx, token.id, TokenChanges(rpm=5)))
    with pytest.raises(Failure, match="declarative file"):
        await applier.database.write(lambda tx: tokens.delete(tx, token.id))
    for changes in (ChannelChanges(status="disabled"), None):
        with pytest.raises(Failure, match="declarative file"):
            channels.check_source(channel, changes)


FAULTS = [
    ("[[channels]\n", ":1:", "Expected"),
    ('\n[[channels]]\nname = "a"\nprotocol = 5\n', ":4:", "channels[0].protocol"),
    (
        '[[channels]]\nname = "a"\nprotocol = "openai"\n\n[[channels]]\nname = "b"\nprotocol = "x"\n',
        ":7:",
        "no such protocol",
    ),
    ('[[channels]]\nname = "a"\nprotocol = "openai"\nprioritty = 1\n', ":4:", "prioritty"),
    ('[[channels]]\nname = "a"\nprotocol = "openai"\nbase_url = "ftp://x"\n', ":4:", "base_url"),
    ('[[channels]]\nname = "a"\nprotocol = "openai"\nsettings = { connect = 0 }\n', ":4:", "settings.connect"),
    (
        '[[channels]]\nname = "a"\nprotocol = "openai"\nsettings = { rennme = { a = "b" } }\n',
        ":4: channels[0].settings.rennme",
        "no setting 'rennme' here; did you mean 'rename'?",
    ),
    (
        '[[channels]]\nname = "a"\nprotocol = "openai"\n[channels.settings]\ndrop = ["x"]\n'
        '[[channels]]\nname = "b"\nprotocol = "openai"\n[channels.model_map]\nx = "y"\n'
        "[channels.settings]\nconnect = 1\nrename.x = 1\n",
        ":13:",
        "channels[1].settings.rename",
    ),
    (
        '[[channels]]\nname = "a"\npreset = "deepseek"\ncredential = "k"\nsettings.oprations = []\n',
        ":5:",
        "did you mean 'operations'?",
    ),
    ('[[tokens]]\nkey = "sk-secret-secret-secret"\nsettings = { cach = 5 }\n', ":3:", "tokens[0].settings.cach"),
    ('[[channels]]\nname = "a"\nprotocol = "openai"\ncredential = "env:NONE"\n', ":4:", "the environment has no NONE"),
    ('[[channels]]\nname = "a"\nprotocol = "openai"\n[[channels]]\nname = "a"\nprotocol = "openai"\n', ":4:", "twice"),
    ('[[tokens]]\nname = "a"\n', ":1:", "one of key and key_env"),
    ('[[tokens]]\nkey = "sk-secret-secret-secret"\naccount = "nobody"\n', ":3:", "no such account"),
    ('[[tokens]]\nkey = "sk-secret-secret-secret"\nprice_group = "gold"\n', ":3:", "price group"),
    ('[[tokens]]\nkey = "short-secret"\n', ":2:", "at least"),
    ('[[users]]\nname = "a"\npassword = "secret"\n', ":3:", "users[0].password"),
    ('[groups]\nvip = "x"\n', ":2:", "groups"),
    ("[groups]\nvip = -1\n", ":2:", "decimal number"),
    ('[prices.m]\nper_call = "a lot"\n', ":1:", "prices.m"),
    ('[[aliases]]\nname = "a"\ntarget = "a"\n', ":3:", "target"),
    ('[[accounts]]\nname = "a"\nmembers = { nobody = "owner" }\n', ":3:", "no user 'nobody'"),
    ('[[accounts]]\nname = "a"\nmembers = { admin = "king" }\n', ":3:", "accounts[0].members"),
    ('[[accounts]]\nname = "a"\nprice_group = "gold"\n', ":3:", "price group"),
    ("[nonsense]\n", ":1:", "nonsense"),
]


@pytest.mark.parametrize(("text", "line", "words"), FAULTS)
async def test_a_fault_is_said_and_changes_nothing(
    applier: Applier, path: Path, text: str, line: str, words: str
) -> None:
    write(path, WHOLE)
    await applier.apply(path)
    before = await state(applier)
    # A good thing stands beside the fault, so that half of the file could be applied.
    write(path, f'{text}[[aliases]]\nname = "more"\ntarget = "x"\n')
    with pytest.raises(ConfigError) as caught:
        await applier.apply(path)
    assert line in str(caught.value), caught.value
    assert words in str(caught.value), caught.value
    assert "secret" not in str(caught.value)
    assert await state(applier) == before


async def test_the_last_administrator_is_not_taken_away_by_a_file(applier: Applier, path: Path) -> None:
    write(path, '[[users]]\nname = "admin"\nrole = "user"\n')
    with pytest.raises(ConfigError, match="last administrator"):
        await applier.apply(path)
    viewer = Viewer("", admin=True)
    assert len(await applier.database.read(lambda tx: people.list_accounts(tx, viewer))) == 1


ORGANISATION = """
[groups]
vip = 0.8

[[users]]
name = "ann"

[[users]]
name = "bob"

[[accounts]]
name = "research"
price_group = "vip"
credit = 100
members = { ann = "owner", bob = "member" }

[[tokens]]
key = "sk-of-the-research-account"
account = "research"
"""


@pytest.mark.parametrize("db", ["sqlite", "postgresql"], indirect=True)
async def test_an_organisation_s_account(applier: Applier, path: Path) -> None:
    async def found() -> tuple[people.Account, dict[str, str]]:
        account = await applier.database.read(lambda tx: people.account_named(tx, "research"))
        assert account is not None
        members = await applier.database.read(lambda tx: people.list_members(tx, account.id))
        return account, {member.name: member.role for member in members}

    async def usable() -> bool:
        digest = keys.digest("sk-of-the-research-account")
        token = await applier.database.read(lambda tx: tokens.find(tx, digest))
        return token is not None and token.enabled

    write(path, ORGANISATION)
    said = await applier.apply(path)
    assert "account research: made" in said
    assert "account research: 100 USD granted" in said
    account, members = await found()
    assert (account.kind, account.price_group, account.status, account.available) == (
        *("organisation", "vip", "enabled"),
        Decimal(100),
    )
    assert members == {"ann": "owner", "bob": "member"}
    assert await usable()
    assert await applier.apply(path) == []

    write(path, ORGANISATION.replace('ann = "owner", bob = "member"', 'bob = "admin"'))
    assert await applier.apply(path) == ["account research: bob is admin", "account research: ann is no member"]
    assert (await found())[1] == {"bob": "admin"}

    remove(path)
    await applier.apply(path, prune=True)
    account, _ = await found()
    assert (account.status, account.price_group, account.available) == ("disabled", "default", Decimal(100))
    assert not await usable()

    write(path, ORGANISATION)
    assert "account research: changed" in await applier.apply(path)
    account, members = await found()
    assert (account.status, account.price_group, account.available) == ("enabled", "vip", Decimal(100))
    assert members == {"ann": "owner", "bob": "member"}


async def test_an_account_of_somebody_else_s_is_not_taken(applier: Applier, path: Path) -> None:
    new = people.NewAccount(name="research")
    await applier.database.write(lambda tx: people.create_account(tx, new))
    write(path, ORGANISATION)
    with pytest.raises(ConfigError, match=r":12: accounts\[0\].name: An account of that name exists already"):
        await applier.apply(path)
