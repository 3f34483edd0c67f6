"""Channels that one node has to itself: of its environment, and of the programs that it runs.

They are no rows of the database, which other nodes share. They lie in `node.json` of the data folder, with their
credentials encrypted, for the node's processes and commands. What an operator disables is disabled by name, on all
nodes.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import UNSET

from ..declare import Failure
from ..storage.database import Tx
from . import channels
from .changes import bump
from .channels import ChannelChanges, ChannelView, NewChannel
from .models import Channel
from .vault import Vault

NODES_OWN: Final = ("own_", "env_")
"""How the ids of such channels begin."""
_Row = dict[str, Any]


class Node(msgspec.Struct, kw_only=True):
    """What one node has to itself.

    Attributes
    ----------
    id : str
        Random; the data folder's.
    file : str, optional
        Digest of the declarative file that it saw last.
    channels : list
        Rows.
    """

    id: str
    file: str | None = None
    channels: list[_Row] = []

    @classmethod
    def read(cls, path: Path) -> Node:
        """Read a node's file; where there is none, it is a new node."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.DecodeError):
            return cls(id=secrets.token_hex(8))

    def write(self, path: Path) -> None:
        """Write the file, in one step."""
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self)) + b"\n")
        draft.replace(path)

    def own(self) -> OwnChannels:
        """Return its channels."""
        return OwnChannels(self.channels)


class OwnChannels:
    """A node's own channels, beside those of the database; where a name is taken there, that one counts."""

    def __init__(self, rows: Sequence[_Row] = ()) -> None:
        self._rows = rows

    @property
    def ids(self) -> tuple[str, ...]:
        """Their ids, of disabled ones, too."""
        return tuple(row["id"] for row in self._rows)

    async def _present(self, tx: Tx) -> list[_Row]:
        off = {row["name"] for row in await tx.fetch("SELECT name FROM switched_off")} if self._rows else set[str]()
        return [row | {"status": "disabled"} if row["name"] in off else row for row in self._rows]

    async def opened(self, tx: Tx, vault: Vault, taken: set[str]) -> list[Channel]:
        """Return them as the gateway uses them."""
        return [channels.opened(row, vault) for row in await self._present(tx) if row["name"] not in taken]

    async def views(self, tx: Tx) -> list[ChannelView]:
        """Return all channels of this node by name, the shared ones, too."""
        shared = await channels.list_channels(tx)
        names = {channel.name for channel in shared}
        own = [channels.view(row) for row in await self._present(tx) if row["name"] not in names]
        return sorted([*shared, *own], key=lambda channel: channel.name)

    async def get(self, tx: Tx, channel: str) -> ChannelView:
        """Return a channel by id or name, a shared one, too.

        Raises
        ------
        Failure
            NOT_FOUND.
        """
        try:
            return await channels.get(tx, channel)
        except Failure:
            found = [row for row in await self._present(tx) if channel in (row["id"], row["name"])]
            if not found:
                raise
            return channels.view(found[0])

    async def update(self, tx: Tx, vault: Vault, found: ChannelView, changes: ChannelChanges) -> None:
        """Change a channel of either sort; one of a node's own may be disabled and enabled.

        Raises
        ------
        Failure
        """
        channels.check_source(found, changes)
        if found.id not in self.ids:
            await channels.update(tx, vault, found.id, changes)
            return
        if changes.status == "disabled":
            await tx.execute("INSERT INTO switched_off (name) VALUES ($1) ON CONFLICT DO NOTHING", found.name)
        elif changes.status == "enabled":
            await tx.execute("DELETE FROM switched_off WHERE name = $1", found.name)
        await bump(tx)


async def arrange(tx: Tx, vault: Vault, node: Node, wanted: Mapping[str, Sequence[NewChannel]]) -> dict[str, list[str]]:
    """Make a node's channels the wanted ones, by source; return a line for each of them, and for each that goes.

    One that cannot be made is said, and the others go on. One that open tasks need still is kept, disabled.
    """
    said: dict[str, list[str]] = {}
    rows: list[_Row] = []
    old = {(row["source"], row["name"]): row for row in node.channels}
    # As releases before kept them.
    legacy = await tx.fetch(
        "SELECT id, source, name, protocol FROM channels WHERE source IN ('builtin', 'environment')"
    )
    former = {(row["source"], row["name"]): row for row in legacy} | old
    taken = {channel.name for channel in await channels.list_channels(tx)}
    off = {row["name"] for row in await tx.fetch("SELECT name FROM switched_off")}
    for source, found in wanted.items():
        for new in found:
            before = former.get((source, new.name))
            if before is not None and before["protocol"] != new.protocol:
                before = None  # another upstream: tasks of the old one cannot go on there
            line = f"channel {new.name} → {'' if new.base_url is UNSET else new.base_url}"
            try:
                channel_id = _new_id(node, vault, source, new) if before is None else before["id"]
                row = channels.own_row(channel_id, new, vault, source)
            except Failure as failure:
                said.setdefault(source, []).append(f"{line}: left out: {failure.message}")
                continue
            last = old.get((source, new.name))
            did = "made" if last is None else "there" if _same(vault, last, row) else "changed"
            state = " (disabled)" if new.name in off else ""
            if new.name in taken:
                did = "left out: a channel of all nodes has that name"
            said.setdefault(source, []).append(f"{line}: {did}{state}")
            rows.append(row)
    ids = {row["id"] for row in rows}
    for row in node.channels:
        if row["id"] not in ids:
            if await channels.open_tasks(tx, row["id"]):
                rows.append(row | {"status": "disabled"})
            said.setdefault(row["source"], []).append(f"channel {row['name']}: removed")
    node.channels = rows
    return said


def _new_id(node: Node, vault: Vault, source: str, new: NewChannel) -> str:
    if source == "builtin":
        return f"own_{node.id}_{new.name}"
    # The same on all nodes that have the same key: what one of them made there, the others may go on with.
    what = msgspec.json.encode([new.name, new.protocol, str(new.base_url), str(new.credential)])
    return f"env_{hmac.digest(vault.derive('channels of the environment'), what, hashlib.sha256).hex()[:24]}"


def _same(vault: Vault, one: _Row, other: _Row) -> bool:
    """Tell whether two rows say the same; a credential is encrypted anew each time."""
    return channels.opened(one, vault) == channels.opened(other, vault)
