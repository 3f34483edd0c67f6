"""Callbacks of vendors that have one address for all of an account's tasks, which stands in their console."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from ..accounts.models import Channel
from ..accounts.vault import Vault
from ..declare import MALFORMED, Protocol, Submit
from ..storage.database import Database
from ..storage.ids import now_ms
from .secrets import channel_hook


class ChannelHints:
    """Has the task that such a callback names looked at now; its body is not believed.

    Parameters
    ----------
    channel : callable
        A channel by id, or None.
    """

    def __init__(
        self, db: Database, protocols: Mapping[str, Protocol], vault: Vault, channel: Callable[[str], Channel | None]
    ) -> None:
        self._db = db
        self._protocols = protocols
        self._master = vault.derive("channel hooks")
        self._channel = channel

    async def take(self, path: str, body: bytes) -> bool:
        """Take a callback; return whether the address is one of ours."""
        channel_id = path.split("/")[3]
        channel, ours = self._channel(channel_id), channel_hook(self._master, channel_id)
        if channel is None or not secrets.compare_digest(ours.encode(), path.encode()):
            return False
        name = self._named(channel, body)
        # No id holds a NUL, and PostgreSQL takes none.
        if name is not None and "\0" not in name:
            await self._db.write(
                lambda tx: tx.execute(
                    "UPDATE tasks SET next_poll_at = $3 WHERE channel_id = $1 AND upstream_id = $2 "
                    "AND next_poll_at > $3 AND state <> 'submitting'",
                    *(channel_id, name, now_ms()),
                )
            )
        return True

    def _named(self, channel: Channel, body: bytes) -> str | None:
        """Return the upstream's id of the task."""
        operations = self._protocols[channel.protocol].operations
        readers = (each.job.rules.hook_in for each in operations if isinstance(each, Submit))
        read = next((reader for reader in readers if reader is not None), None)
        with suppress(*MALFORMED, msgspec.DecodeError):
            return None if read is None else read(msgspec.json.decode(body))
        return None
