"""What an earlier version of the declarative file declared, and the present one does not."""

from __future__ import annotations

from collections.abc import Collection

from ..accounts import catalogue, channels, keys, people, tokens
from ..accounts.people import UserChanges
from ..storage.database import Tx
from .config_accounts import drop_account, dropped_accounts

SOURCE = "file"


class Pruning:
    """Takes it away, or only says what it is.

    Parameters
    ----------
    really : bool
    """

    def __init__(self, tx: Tx, *, really: bool) -> None:
        self._tx = tx
        self._really = really
        self._done: list[str] = []
        self._left: list[str] = []

    def said(self) -> list[str]:
        """Return a line for each thing that went; else one for all that stay."""
        if not self._left:
            return self._done
        left = f"{len(self._left)} no longer declared, and left alone: {', '.join(self._left)}"
        return [f"{left}; `deeepai config apply --prune` takes them away"]

    def _judge(self, thing: str, word: str = "removed") -> bool:
        """Tell whether something is to go."""
        if self._really:
            self._done.append(f"{thing}: {word}")
        else:
            self._left.append(thing)
        return self._really

    async def users(self, names: Collection[str]) -> None:
        """Disable users."""
        for row in await self._tx.fetch("SELECT id, name FROM users WHERE source = 'file' AND status = 'enabled'"):
            if row["name"] not in names and self._judge(f"user {row['name']}", "disabled"):
                await people.update_user(self._tx, row["id"], UserChanges(status="disabled"))

    async def accounts(self, names: Collection[str]) -> None:
        """Disable organisations' accounts."""
        for row in await dropped_accounts(self._tx, names):
            if self._judge(f"account {row['name']}", "disabled"):
                await drop_account(self._tx, row["id"])

    async def channels(self, names: Collection[str]) -> None:
        """Delete channels, or disable those that open tasks need still."""
        for channel in await channels.list_channels(self._tx, source=SOURCE):
            if channel.name in names:
                continue
            idle = channel.status == "enabled" or not await channels.open_tasks(self._tx, channel.id)
            if idle and self._judge(f"channel {channel.name}"):
                await channels.retire(self._tx, channel.id)

    async def tokens(self, declared: Collection[str]) -> None:
        """Delete tokens; those declared are given by their keys."""
        kept = {keys.digest(key) for key in declared}
        rows = await self._tx.fetch("SELECT id, name, digest FROM tokens WHERE source = 'file' AND status <> 'deleted'")
        for row in rows:
            if row["digest"] not in kept and self._judge(f"token {row['name']}"):
                await tokens.delete(self._tx, row["id"], source=SOURCE)

    async def aliases(self, names: Collection[str]) -> None:
        """Delete aliases."""
        for alias in await catalogue.list_aliases(self._tx):
            if alias.source == SOURCE and alias.name not in names and self._judge(f"alias {alias.name}"):
                await catalogue.delete_alias(self._tx, alias.name, source=SOURCE)

    async def prices(self, names: Collection[str]) -> None:
        """Delete prices."""
        for price in await catalogue.list_prices(self._tx):
            if price.source == SOURCE and price.key not in names and self._judge(f"price {price.key}"):
                await catalogue.delete_price(self._tx, price.key, source=SOURCE)

    async def groups(self, names: Collection[str]) -> None:
        """Delete price groups.

        Raises
        ------
        Failure
            CONFLICT, where somebody is in one.
        """
        for group in await catalogue.list_groups(self._tx):
            if group.source == SOURCE and group.name not in names and self._judge(f"price group {group.name}"):
                await catalogue.delete_group(self._tx, group.name, source=SOURCE)
