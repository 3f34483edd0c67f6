"""Which channel answers: by model and group, then priority, then weight; sick channels cool down meanwhile."""

from __future__ import annotations

import fnmatch
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from ..accounts.limits import Limiter
from ..accounts.models import Channel, Mode
from ..declare import Failure, Protocol, Reason
from ..upstream import transports

Routing = Literal["weight", "price", "latency"]
ROUTINGS: Final[Mapping[str, Routing]] = {"weight": "weight", "price": "price", "latency": "latency"}
FAILURES_TO_COOL_DOWN = 3
FIRST_COOLDOWN = 5.0
LONGEST_COOLDOWN = 300.0


@dataclass(slots=True)
class Health:
    """How a channel has been doing, as this node saw it. Times are of the monotonic clock, in s."""

    inflight: int = 0
    failures: int = 0
    """In a row."""
    cooldowns: int = 0
    """Since the last success."""
    cooldown_until: float = 0.0
    half_open: bool = False
    latency: float = 0.0
    """Moving average until the first byte, s."""
    served: int = 0
    failed: int = 0
    doubted_by: str | None = None
    """The account whose request was last refused here as it was elsewhere, since the last success."""

    def cooling_down(self, now: float) -> bool:
        """Tell whether the channel gets no requests now; one probe goes through once the cooldown is over."""
        if self.cooldown_until == 0.0:
            return False
        return now < self.cooldown_until or self.half_open


@dataclass(slots=True)
class Attempt:
    """One request on its way to a channel: ends in `done`, exactly once.

    A `with` block ends it however that is left: as given up, where nobody has said how it went.
    """

    channel: Channel
    health: Health
    started: float
    probe: bool
    limiter: Limiter | None = None
    """Where it counts as one of the channel's requests at once."""
    account: str = ""
    """Whose it is."""
    ended: bool = False
    before: tuple[int, float] = (0, 0.0)
    """Cooldowns, and until when the last of them lasts, before it was found to have failed."""
    blamed_until: float = 0.0

    def __enter__(self) -> Attempt:
        return self

    def __exit__(self, *fault: object) -> None:
        self.cancelled()

    def done(self, *, ok: bool, cooldown: float | None = None, first_byte: float | None = None) -> None:
        """Say how it went.

        Parameters
        ----------
        ok : bool
            Whether the channel did its part; a caller's own mistake counts as ok.
        cooldown : float, optional
            Seconds to cool down at once, whatever the count of failures.
        first_byte : float, optional
            Seconds until the answer began.
        """
        if self.ended:
            return
        self._end()
        health = self.health
        if ok:
            health.served += 1
            health.failures = health.cooldowns = 0
            health.cooldown_until = 0.0
            health.doubted_by = None
            if first_byte is not None:
                health.latency = first_byte if health.latency == 0 else health.latency * 0.9 + first_byte * 0.1
            return
        self.before = (health.cooldowns, health.cooldown_until)
        health.failed += 1
        health.failures += 1
        now = time.monotonic()
        # What fails during a cooldown was under way already, or had no other place to go: it tells nothing new.
        if (
            cooldown is None
            and now >= health.cooldown_until
            and (self.probe or health.failures >= FAILURES_TO_COOL_DOWN)
        ):
            cooldown = min(LONGEST_COOLDOWN, FIRST_COOLDOWN * 2 ** min(health.cooldowns, 16))
            health.cooldowns += 1
        if cooldown is not None:
            health.cooldown_until = self.blamed_until = max(health.cooldown_until, now + cooldown)

    def take_back(self, account_id: str) -> None:
        """Say of one that failed that it was probably the request's fault, unless another account met the same."""
        health = self.health
        if health.doubted_by not in (None, account_id):
            return
        health.doubted_by = account_id
        health.failures = max(0, health.failures - 1)
        if self.blamed_until and health.cooldown_until == self.blamed_until:
            health.cooldowns, health.cooldown_until = self.before

    def begun(self, first_byte: float) -> Attempt:
        """Say that the channel is well, where what it does goes on; return what stands for that."""
        goes_on = Attempt(self.channel, self.health, self.started, False, self.limiter, self.account)
        self.limiter = None
        self.health.inflight += 1
        self.done(ok=True, first_byte=first_byte)
        return goes_on

    def cancelled(self) -> None:
        """Say that it was given up for reasons that are not the channel's."""
        if not self.ended:
            self._end()

    def _end(self) -> None:
        self.ended = True
        self.health.inflight -= 1
        if self.probe:
            self.health.half_open = False
        if self.limiter is not None:
            self.limiter.leave_shared(self.channel.id, self.account)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a model name is in a list of names and patterns (`*`)."""
    return any(name == pattern or ("*" in pattern and fnmatch.fnmatchcase(name, pattern)) for pattern in patterns)


def serves(channel: Channel, operation: str) -> bool:
    """Tell whether a channel takes an operation of its protocol: what its setting `operations` lists, or else all.

    One with a transport takes what that carries, where the setting lists nothing.
    """
    listed = channel.settings.get("operations")
    if not isinstance(listed, list):
        listed = transports.operations(channel.settings)
    return listed is None or matches(operation, listed)


def open_to(channel: Channel, mode: Mode, group: str) -> bool:
    """Tell whether a channel is for tokens of a mode and price group, whatever the model."""
    return channel.mode == mode and (channel.price_groups is None or group in channel.price_groups)


class Way(NamedTuple):
    """An operation by which a channel may serve a call, and for which models, as it names them: all, if empty."""

    operation: str
    models: tuple[str, ...] = ()

    def open_at(self, channel: Channel, name: str) -> bool:
        """Tell whether a channel takes calls this way to a model that it names so."""
        return (not self.models or matches(name, self.models)) and serves(channel, self.operation)


class Reachable(tuple[tuple[str, tuple[Way, ...]], ...]):
    """Protocols, in order, each with the ways of which one must be open at a channel.

    It is made once for a route, and known by being the same one: its hash took longer than all else of a look-up.
    """

    __slots__ = ()
    __hash__ = object.__hash__


_ANYWHERE: Final = Reachable()
_Key = tuple[str, str, Mode, str, Reachable]


@dataclass(slots=True)
class Dispatcher:
    """Chooses among the channels of one snapshot of the configuration; health outlives snapshots."""

    protocols: dict[str, Protocol]
    limiter: Limiter = field(default_factory=Limiter)
    channels: Sequence[Channel] = ()
    health: dict[str, Health] = field(default_factory=dict[str, Health])
    _known: dict[_Key, tuple[tuple[Channel, ...], ...]] = field(
        default_factory=dict["_Key", tuple[tuple[Channel, ...], ...]]
    )

    def use(self, channels: Sequence[Channel]) -> None:
        """Take over a new snapshot."""
        self.channels = tuple(channel for channel in channels if channel.protocol in self.protocols)
        self._known.clear()
        alive = {channel.id for channel in channels}
        for gone in self.health.keys() - alive:
            del self.health[gone]

    def by_id(self, channel_id: str) -> Channel | None:
        """Return a channel, enabled or not."""
        return next((channel for channel in self.channels if channel.id == channel_id), None)

    def tiers(
        self,
        protocol: str,
        model: str,
        mode: Mode,
        group: str,
        reachable: Reachable = _ANYWHERE,
    ) -> tuple[tuple[Channel, ...], ...]:
        """Return the channels that serve a model, grouped by priority, the highest first.

        Parameters
        ----------
        reachable : Reachable
            `protocol` alone, and whatever it serves, where that is empty.
        """
        key = (protocol, model, mode, group, reachable)
        known = self._known.get(key)
        if known is None:
            found = [
                tier
                for name, ways in reachable or ((protocol, ()),)
                for tier in self._tiers(name, ways, model, mode, group)
            ]
            if len(self._known) > 10_000:
                self._known.clear()
            known = self._known[key] = tuple(found)
        return known

    def _tiers(
        self, protocol: str, ways: tuple[Way, ...], model: str, mode: Mode, group: str
    ) -> Iterator[tuple[Channel, ...]]:
        found = [
            channel
            for channel in self.channels
            if channel.enabled
            and channel.protocol == protocol
            and open_to(channel, mode, group)
            and (not ways or any(way.open_at(channel, channel.model_map.get(model, model)) for way in ways))
            and self.offers(channel, model)
        ]
        for priority in sorted({channel.priority for channel in found}, reverse=True):
            yield tuple(channel for channel in found if channel.priority == priority)

    def offers(self, channel: Channel, model: str) -> bool:
        """Tell whether a channel serves a model, by its own list or its protocol's."""
        names = channel.models if channel.models is not None else self.protocols[channel.protocol].models
        return model in channel.model_map or matches(model, names)

    def attempts(
        self, tiers: Sequence[Sequence[Channel]], most: int, routing: Routing = "weight", account: str = ""
    ) -> Iterator[Attempt]:
        """Yield channels to try, best first, each at most once; those that cool down or are full are passed over.

        `routing` decides among channels of one priority. Where no other has taken the request, the one whose cooldown
        ends soonest is tried all the same: its own answer tells the caller more than ours could.
        """
        tried = 0
        passed_over: set[str] = set()
        for tier in tiers:
            left = list(tier)
            while left and tried < most:
                channel = left[0] if len(left) == 1 else self._choose(left, routing)
                left.remove(channel)
                attempt = self.take(channel, account)
                if attempt is None:
                    passed_over.add(channel.id)
                else:
                    tried += 1
                    yield attempt
        if tried < most:
            cooling = [channel for tier in tiers for channel in tier if channel.id in passed_over]
            for channel in sorted(cooling, key=lambda channel: self.health[channel.id].cooldown_until):
                attempt = self.take(channel, account, pinned=True)
                if attempt is not None:
                    yield attempt
                    return

    def _choose(self, channels: list[Channel], routing: Routing) -> Channel:
        if routing == "price":
            least = min(_cost(channel) for channel in channels)
            return _weighted([channel for channel in channels if _cost(channel) == least])
        if routing == "latency":
            # What was not measured yet comes first, so that it is.
            return min(channels, key=lambda channel: self._latency(channel.id))
        return _weighted(channels)

    def _latency(self, channel_id: str) -> float:
        health = self.health.get(channel_id)
        return 0.0 if health is None else health.latency

    def take(self, channel: Channel, account: str = "", *, pinned: bool = False) -> Attempt | None:
        """Begin an attempt of an account's, unless the channel cools down, or is full for it.

        A pinned one is only refused when full.
        """
        health = self.health.get(channel.id)
        if health is None:
            health = self.health[channel.id] = Health()
        now = time.monotonic()
        if not pinned and health.cooldown_until and health.cooling_down(now):
            return None
        limiter = None
        if channel.concurrency is not None:
            if not self.limiter.enter_shared(channel.id, account, channel.concurrency):
                return None
            limiter = self.limiter
        if channel.rpm is not None and self.limiter.count(channel.id, channel.rpm):
            if limiter is not None:
                limiter.leave_shared(channel.id, account)
            return None
        probe = health.cooldown_until != 0.0 and not health.half_open
        if probe:
            health.half_open = True
        health.inflight += 1
        return Attempt(channel, health, now, probe, limiter, account)


def _cost(channel: Channel) -> float:
    """Return what the operator says of a channel's cost, in any unit; 1 where nothing is said."""
    cost = channel.settings.get("cost", 1.0)
    return float(cost) if isinstance(cost, int | float) else 1.0


def _weighted(channels: Sequence[Channel]) -> Channel:
    weights = [max(0, channel.weight) for channel in channels]
    if not any(weights):
        return random.choice(channels)
    return random.choices(channels, weights)[0]


def unavailable(model: str) -> Failure:
    """Build the failure of a model all of whose channels cool down, are full or fail."""
    message = f"No channel is available for the model '{model}' now; try again soon"
    return Failure(Reason.UNAVAILABLE, message, retry_after=5)
