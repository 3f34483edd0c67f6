"""The declarative file, `deeepai.toml`: users, accounts, channels, tokens, aliases, prices and price groups.

What it declares carries `source = 'file'`; what is taken out of the file stays until it is pruned, which somebody has
to ask for. Each version that was applied is noted, so that an older one on another node is not applied over a newer. A
file with a fault changes nothing.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..accounts import catalogue, channels, passwords, people, tokens
from ..accounts.channels import NewChannel
from ..accounts.models import Mode
from ..accounts.people import Name, NewUser, Password, Role, UserChanges
from ..accounts.tokens import NewToken, TokenChanges
from ..accounts.units import Usd
from ..accounts.vault import Vault
from ..asgi import field_at_fault
from ..declare import Failure, Protocol, Reason
from ..money.ledger import Ledger
from ..storage.database import Database, Tx
from ..storage.migrations import lock
from . import applied_files, presets
from .config_accounts import AccountEntry, credit_once, put_account
from .config_pruning import SOURCE, Pruning
from .presets import ChannelEntry
from .routes import Shipped

_ENV = "env:"
ModelName = Annotated[str, Meta(min_length=1, max_length=256)]


class UserEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A user, with an account of the user's own."""

    name: Name
    password: Password | None = None
    password_env: str | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None
    role: Role = "user"
    credit: Usd = Decimal(0)
    """USD, granted once."""


class TokenEntry(TokenChanges, kw_only=True, forbid_unknown_fields=True):
    """A token whose key the operator chose."""

    key: str | None = None
    key_env: str | None = None
    account: str | None = None
    """Name or id; by default the oldest account."""
    mode: Mode = "live"


class AliasEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Another name of a model."""

    name: ModelName
    target: ModelName


class Config(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All that the file may hold."""

    users: list[UserEntry] = []
    accounts: list[AccountEntry] = []
    channels: list[ChannelEntry] = []
    tokens: list[TokenEntry] = []
    aliases: list[AliasEntry] = []
    prices: dict[str, dict[str, Any]] = {}
    groups: dict[Name, str | int | float] = {}


class ConfigError(Exception):
    """A fault in the file; says file, line and field, and never repeats a value that may be secret."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text, to say where in it something is."""

    name: str
    text: str = ""

    def fault(self, path: str, message: str) -> ConfigError:
        """Return an error about a field, given as `channels[0].protocol`."""
        line = self._line(path)
        return ConfigError(f"{self.name}{f':{line}' if line else ''}: {f'{path}: ' if path else ''}{message}")

    def _line(self, path: str) -> int | None:
        match = re.match(r"(\w+)(?:\[(\d+)\])?\.?([^.\[]*)(?:\.(\w+))?", path)
        if match is None:
            return None
        section, number, name, below = match[1], int(match[2] or 0), match[3], match[4]
        header = None
        seen = -1
        inside = False
        table = ""
        for index, line in enumerate(self.text.splitlines(), 1):
            text = line.strip()
            if text.startswith("["):
                words = re.findall(r'"[^"]*"|[^\s\[\].]+', text.partition("#")[0])
                inside = bool(words) and words[0] == section
                table = words[1].strip('"') if len(words) > 1 else ""
                if inside and text.startswith("[[") and not table:
                    seen += 1
                # A table within an entry of a list stands after the entry's own head.
                inside = inside and (seen == number or seen < 0)
                if inside and table == name and not below:
                    return index
                if inside and (table == name or not table or header is None):
                    header = index
            elif inside:
                wanted = name if not table else below if table == name else None
                if wanted and _names(text, wanted):
                    return index
        return header


def _names(line: str, key: str) -> bool:
    """Tell whether a line of a table sets a key, or a part of it."""
    return re.match(rf'"?{re.escape(key)}"?\s*[=.]', line) is not None


def parse(source: Source) -> Config:
    """Read the text.

    Raises
    ------
    ConfigError
    """
    try:
        raw = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as fault:
        where = re.search(r"\(at line (\d+), column (\d+)\)", str(fault))
        line = f":{where[1]}" if where else ""
        raise ConfigError(f"{source.name}{line}: {str(fault).split(' (at ')[0]}") from None
    try:
        return msgspec.convert(raw, Config)
    except msgspec.ValidationError as fault:
        what, field = field_at_fault(fault)
        raise source.fault(field or "", what) from None


def read(path: Path) -> tuple[Source, Config]:
    """Read a file; one that is not there declares nothing.

    Raises
    ------
    ConfigError
    """
    try:
        source = Source(str(path), path.read_text("utf-8"))
    except FileNotFoundError:
        return Source(str(path)), Config()
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{path}: cannot be read: {type(fault).__name__}") from None
    return source, parse(source)


@dataclass(frozen=True, slots=True)
class _Resolver:
    protocols: Mapping[str, Protocol]
    prices: Shipped
    environ: Mapping[str, str]

    def resolve(self, source: Source, config: Config) -> list[NewChannel]:
        """Fill in what stands in the environment, and check what the structs cannot say; return the whole channels."""
        for number, user in enumerate(config.users):
            at = f"users[{number}]"
            if user.password_env is not None:
                user.password = self._env(source, f"{at}.password_env", user.password_env)
                if len(user.password) < 8:
                    raise source.fault(f"{at}.password_env", "a password has at least 8 characters")
        made: list[NewChannel] = []
        for number, channel in enumerate(config.channels):
            at = f"channels[{number}]"
            if isinstance(channel.credential, str) and channel.credential.startswith(_ENV):
                name = channel.credential.removeprefix(_ENV)
                channel.credential = self._env(source, f"{at}.credential", name)
            try:
                made.append(presets.resolve(channel, self.protocols, self.environ))
            except Failure as failure:
                said = failure.message[:1].lower() + failure.message[1:]
                raise source.fault(f"{at}.{failure.param}" if failure.param else at, said) from None
        for number, token in enumerate(config.tokens):
            at = f"tokens[{number}]"
            if (token.key is None) == (token.key_env is None):
                raise source.fault(at, "needs one of key and key_env")
            if token.key_env is not None:
                token.key = self._env(source, f"{at}.key_env", token.key_env)
        for key, entry in config.prices.items():
            entry.update(_without_floats(entry))
            try:
                self.prices.check(key, entry)
            except ValueError as fault:
                raise source.fault(f"prices.{key}", str(fault)) from None
        for kind, names in (
            ("users", [user.name for user in config.users]),
            ("accounts", [account.name for account in config.accounts]),
            ("channels", [channel.name for channel in config.channels]),
            ("aliases", [alias.name for alias in config.aliases]),
            ("tokens", [token.key for token in config.tokens]),
        ):
            for number, name in enumerate(names):
                if name in names[:number]:
                    raise source.fault(f"{kind}[{number}]", "stands there twice")
        return made

    def _env(self, source: Source, at: str, name: str) -> str:
        value = self.environ.get(name, "").strip()
        if not value:
            raise source.fault(at, f"the environment has no {name}")
        return value


def check(path: Path, protocols: Mapping[str, Protocol], prices: Shipped, environ: Mapping[str, str]) -> None:
    """Find the faults that can be found without a store.

    Raises
    ------
    ConfigError
    """
    _Resolver(protocols, prices, environ).resolve(*read(path))


@dataclass(slots=True)
class Applier:
    """Brings the store in line with a file.

    Attributes
    ----------
    protocols
        What channels may speak.
    prices
        Checks price entries.
    environ
        Where `env:NAME`, `key_env` and `password_env` are looked up.
    node
        Who applies it.
    """

    database: Database
    vault: Vault
    ledger: Ledger
    protocols: Mapping[str, Protocol]
    prices: Shipped
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    node: str = ""

    async def apply(self, path: Path, *, prune: bool = False) -> list[str]:
        """Bring the store in line; return what changed, a line each.

        Parameters
        ----------
        prune : bool
            Also take away what an earlier version declared and this one does not; else it is only said.

        Raises
        ------
        ConfigError
            Nothing was changed.
        """
        source, config = read(path)
        wanted = _Resolver(self.protocols, self.prices, self.environ).resolve(source, config)
        stored = await self._passwords(config)

        async def work(tx: Tx) -> list[str]:
            await lock(tx, self.database.dialect)
            said: list[str] = []
            await self._groups(tx, source, config, said)
            await self._users(tx, source, config, stored, said)
            await self._accounts(tx, source, config, said)
            await self._channels(tx, source, wanted, said)
            await self._tokens(tx, source, config, said)
            await self._aliases(tx, source, config, said)
            await self._prices(tx, source, config, said)
            pruning = Pruning(tx, really=prune)
            await _prune(source, config, pruning)
            await applied_files.note(tx, applied_files.digest(source.text), self.node)
            return [*said, *pruning.said()]

        return await self.database.write(work)

    async def _passwords(self, config: Config) -> dict[str, str]:
        """Hash the passwords that are new or changed; hashing is too slow for a transaction."""
        stored: dict[str, str] = {}
        for user in config.users:
            found = await self.database.read(_user_named(user.name))
            if user.password is None:
                if found is None:
                    stored[user.name] = await passwords.hashed(passwords.generate())
            elif found is None or not await passwords.matches(user.password, found[1]):
                stored[user.name] = await passwords.hashed(user.password)
        return stored

    # In the transaction

    async def _groups(self, tx: Tx, source: Source, config: Config, said: list[str]) -> None:
        present = {group.name: group for group in await catalogue.list_groups(tx)}
        for name, multiplier in config.groups.items():
            old = present.get(name)
            if old is None or old.source != SOURCE or old.multiplier != str(multiplier):
                await _at(source, f"groups.{name}", catalogue.set_group(tx, name, str(multiplier), source=SOURCE))
                said.append(f"price group {name}: {multiplier}")

    async def _users(self, tx: Tx, source: Source, config: Config, stored: Mapping[str, str], said: list[str]) -> None:
        for number, entry in enumerate(config.users):
            await _at(source, f"users[{number}]", self._user(tx, entry, stored.get(entry.name), said))

    async def _user(self, tx: Tx, entry: UserEntry, password: str | None, said: list[str]) -> None:
        found = await people.user_named(tx, entry.name)
        if found is None:
            new = NewUser(name=entry.name, email=entry.email, role=entry.role)
            user_id, account_id = await people.create_user(tx, new, password or "", source=SOURCE)
            said.append(f"user {entry.name}: made")
        else:
            user = found[0]
            user_id, account_id = user.id, None
            changes = UserChanges()
            if user.role != entry.role:
                changes.role = entry.role
            if user.email != entry.email:
                changes.email = entry.email
            if user.status != "enabled":
                changes.status = "enabled"
            if password is not None or changes != UserChanges():
                await people.update_user(tx, user_id, changes, password)
                said.append(f"user {entry.name}: changed")
            await tx.execute("UPDATE users SET source = 'file' WHERE id = $1", user_id)
        if entry.credit:
            account_id = account_id or await people.own_account(tx, user_id)
            if account_id is not None and await credit_once(tx, self.ledger, account_id, user_id, entry.credit):
                said.append(f"user {entry.name}: {entry.credit} USD granted")

    async def _accounts(self, tx: Tx, source: Source, config: Config, said: list[str]) -> None:
        for number, entry in enumerate(config.accounts):
            await _at(source, f"accounts[{number}]", put_account(tx, self.ledger, entry, said))

    async def _channels(self, tx: Tx, source: Source, wanted: Sequence[NewChannel], said: list[str]) -> None:
        for number, entry in enumerate(wanted):
            did = await _at(source, f"channels[{number}]", channels.put(tx, self.vault, entry, source=SOURCE))
            if did != "same":
                said.append(f"channel {entry.name}: {did}")

    async def _tokens(self, tx: Tx, source: Source, config: Config, said: list[str]) -> None:
        for number, entry in enumerate(config.tokens):
            await _at(source, f"tokens[{number}]", self._token(tx, entry, said))

    async def _token(self, tx: Tx, entry: TokenEntry, said: list[str]) -> None:
        if entry.account is None:
            account_id = await tx.fetchval("SELECT MIN(id) FROM accounts")
        else:
            account = await people.account_named(tx, entry.account)
            account_id = None if account is None else account.id
        if account_id is None:
            raise Failure(Reason.INVALID, "There is no such account", param="account")
        names = TokenChanges.__struct_fields__
        new = NewToken(mode=entry.mode, **{name: getattr(entry, name) for name in names})
        key = entry.key or ""
        did = await tokens.put(tx, account_id, new, key, source=SOURCE)
        if did != "same":
            said.append(f"token {entry.name if isinstance(entry.name, str) else entry.mode}: {did}")

    async def _aliases(self, tx: Tx, source: Source, config: Config, said: list[str]) -> None:
        present = {alias.name: alias for alias in await catalogue.list_aliases(tx)}
        for number, entry in enumerate(config.aliases):
            old = present.get(entry.name)
            if old is None or old.source != SOURCE or old.target != entry.target:
                setting = catalogue.set_alias(tx, entry.name, entry.target, source=SOURCE)
                await _at(source, f"aliases[{number}]", setting)
                said.append(f"alias {entry.name}: {entry.target}")

    async def _prices(self, tx: Tx, source: Source, config: Config, said: list[str]) -> None:
        present = {price.key: price for price in await catalogue.list_prices(tx)}
        for key, entry in config.prices.items():
            old = present.get(key)
            if old is None or old.source != SOURCE or old.entry != entry:
                await _at(source, f"prices.{key}", catalogue.set_price(tx, key, entry, source=SOURCE))
                said.append(f"price {key}: set")


async def _prune(source: Source, config: Config, pruning: Pruning) -> None:
    await pruning.users({user.name for user in config.users})
    await pruning.accounts({account.name for account in config.accounts})
    await pruning.channels({channel.name for channel in config.channels})
    await pruning.tokens({token.key or "" for token in config.tokens})
    await pruning.aliases({alias.name for alias in config.aliases})
    await pruning.prices(config.prices)
    await _at(source, "groups", pruning.groups(config.groups))


def _without_floats(value: Any) -> Any:
    """Turn numbers with a point into the decimal strings that the price book has."""
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"
    if isinstance(value, dict):
        return {name: _without_floats(item) for name, item in value.items()}
    return [_without_floats(item) for item in value] if isinstance(value, list) else value


def _user_named(name: str) -> Callable[[Tx], Awaitable[tuple[people.User, str | None] | None]]:
    return lambda tx: people.user_named(tx, name)


async def _at(source: Source, path: str, doing: Awaitable[Any]) -> Any:
    """Say where in the file a failure comes from."""
    try:
        return await doing
    except Failure as failure:
        raise source.fault(f"{path}.{failure.param}" if failure.param else path, failure.message) from None
