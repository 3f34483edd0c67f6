"""What the gateway knows of tokens and configuration, in memory, never older than a moment."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

import structlog

from ..storage.cache import Cache
from ..storage.database import Database, Tx
from . import catalogue, changes, channels, tokens
from .models import Channel, Token
from .own_channels import OwnChannels
from .vault import Vault

_log = structlog.get_logger("deeepai.directory")


class _Miss:
    """Type of `MISS`."""

    def __repr__(self) -> str:
        return "MISS"


MISS: Final = _Miss()
"""`peek` does not know: ask `token`."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The configuration at one version.

    Attributes
    ----------
    channels : tuple of Channel
        All, disabled ones too; highest priority first.
    aliases, fallbacks : dict
        Other names of models. `aliases` are the operator's and always count; `fallbacks` are the shipped ones, for
        names that no channel serves.
    price_groups : dict
        Multipliers by name; `default` is always there.
    prices : dict
        The operator's own, entries of the price book by key.
    """

    version: int = -1
    channels: tuple[Channel, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    fallbacks: dict[str, str] = field(default_factory=dict[str, str])
    price_groups: dict[str, Decimal] = field(default_factory=lambda: {"default": Decimal(1)})
    prices: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


async def read_snapshot(tx: Tx, vault: Vault, own: OwnChannels) -> Snapshot:
    """Read the whole configuration, with the node's own channels among the others."""
    shared = await channels.load_all(tx, vault)
    found = [*shared, *await own.opened(tx, vault, {channel.name for channel in shared})]
    aliases = await catalogue.list_aliases(tx)
    return Snapshot(
        version=await changes.version(tx),
        channels=tuple(sorted(found, key=lambda channel: (-channel.priority, channel.id))),
        aliases={alias.name: alias.target for alias in aliases if alias.source != "builtin"},
        fallbacks={alias.name: alias.target for alias in aliases if alias.source == "builtin"},
        price_groups={group.name: Decimal(group.multiplier) for group in await catalogue.list_groups(tx)},
        prices={price.key: price.entry for price in await catalogue.list_prices(tx)},
    )


class Directory:
    """The gateway's view of the store.

    Parameters
    ----------
    database, vault
    cache : Cache, optional
        Announces changes at once; without it they are seen at the next poll.
    ttl : float
        Seconds for which a token is believed.
    size : int
        Tokens kept.
    own : OwnChannels, optional
        Channels that this node has to itself.
    poll : float
        Seconds between two looks at the version of the configuration.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        cache: Cache | None = None,
        *,
        ttl: float = 5.0,
        size: int = 20_000,
        own: OwnChannels | None = None,
        poll: float = 0.5,
    ) -> None:
        self._database = database
        self._vault = vault
        self._cache = cache
        self._ttl = ttl
        self._size = size
        self.own = own or OwnChannels()
        self._poll = poll
        self._known: OrderedDict[str, tuple[float, Token]] = OrderedDict()
        # Apart from the others, so that guessed keys push no real one out.
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._reading: dict[str, asyncio.Task[Token | None]] = {}
        self._epoch = 0
        self._refreshing = asyncio.Lock()
        self._jobs: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[Snapshot], None]] = []
        self.snapshot = Snapshot()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All channels."""
        return self.snapshot.channels

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        """Have a function called with every new snapshot, and now with the present one."""
        self._listeners.append(listener)
        listener(self.snapshot)

    async def start(self) -> None:
        """Read the configuration and keep it fresh until `close`."""
        await self.refresh()
        self._jobs.append(asyncio.create_task(self._keep_polling()))
        if self._cache is not None:
            self._jobs.append(asyncio.create_task(self._listen(self._cache)))

    async def close(self) -> None:
        """Stop."""
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        self._jobs.clear()

    def peek(self, digest: str) -> Token | _Miss | None:
        """Return a token, None where there surely is none, or `MISS`; without waiting."""
        found = self._known.get(digest)
        if found is not None:
            if found[0] > time.monotonic():
                return found[1]
            return MISS
        until = self._unknown.get(digest)
        return None if until is not None and until > time.monotonic() else MISS

    async def token(self, digest: str) -> Token | None:
        """Return the token whose key has that digest; requests that ask for the same wait for one read."""
        found = self.peek(digest)
        if not isinstance(found, _Miss):
            return found
        task = self._reading.get(digest)
        if task is None:
            task = self._reading[digest] = asyncio.create_task(self._read(digest))
            task.add_done_callback(lambda _: self._reading.pop(digest, None))
        # A caller that leaves does not take the others' read along.
        return await asyncio.shield(task)

    async def _read(self, digest: str) -> Token | None:
        epoch = self._epoch

        async def work(tx: Tx) -> Token | None:
            return await tokens.find(tx, digest)

        token = await self._database.read(work)
        if epoch != self._epoch:
            return token  # changed meanwhile: good for this request, not to be kept
        until = time.monotonic() + self._ttl
        if token is None:
            self._unknown[digest] = until
            if len(self._unknown) > 1000:
                self._unknown.popitem(last=False)
        else:
            self._known[digest] = (until, token)
            self._known.move_to_end(digest)
            if len(self._known) > self._size:
                self._known.popitem(last=False)
        return token

    async def refresh(self) -> bool:
        """Look at the version; where it changed, read the configuration anew and forget all tokens."""
        async with self._refreshing:
            known = self.snapshot.version

            async def work(tx: Tx) -> Snapshot | None:
                if await changes.version(tx) == known:
                    return None
                return await read_snapshot(tx, self._vault, self.own)

            snapshot = await self._database.read(work)
            if snapshot is None:
                return False
            self._epoch += 1
            self._known.clear()
            self._unknown.clear()
            self._reading.clear()
            self.snapshot = snapshot
            for listener in self._listeners:
                listener(snapshot)
            return True

    async def announce(self) -> None:
        """See a change of one's own at once, and tell the other gateways."""
        await self.refresh()
        if self._cache is not None:
            await self._cache.publish(changes.CHANNEL, str(self.snapshot.version))

    async def _keep_polling(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            await self._try_refresh("polling")

    async def _listen(self, cache: Cache) -> None:
        heard = True
        while True:
            try:
                async with cache.subscribe(changes.CHANNEL) as messages:
                    heard = True
                    async for text in messages:
                        if text != str(self.snapshot.version):
                            await self._try_refresh("announcement")
            except Exception as fault:
                if heard:
                    _log.warning("announcements of changes are not heard; polls see them", error=repr(fault))
                heard = False
            await asyncio.sleep(self._poll)

    async def _try_refresh(self, why: Literal["polling", "announcement"]) -> None:
        try:
            await self.refresh()
        except Exception as fault:
            # The last configuration goes on; the store may come back.
            _log.warning("configuration could not be read", why=why, error=repr(fault))
