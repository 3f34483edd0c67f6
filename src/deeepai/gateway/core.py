"""What all steps share: the services of one gateway process, and the questions that every kind of call asks first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec

from ..accounts.directory import Directory, Snapshot
from ..accounts.limits import Limiter
from ..accounts.models import Channel
from ..declare import Facts, Failure, Reason, Task, Translator, Usage
from ..money.ledger import Ledger
from ..money.prices import PriceBook
from ..settings import Settings
from ..storage.cache import Cache
from ..storage.database import Database
from ..tasks import store
from ..tasks.life import TaskLife
from ..tasks.links import SignedLinks
from ..tasks.poller import Poller
from ..tasks.store import Stored
from ..upstream import Client
from . import admission, stand_ins
from .dispatch import Attempt, Dispatcher, serves, unavailable
from .exchange import Exchange
from .metrics import Metrics
from .routing import Router
from .ways import Bridges, Way

_ONE: Final = Decimal(1)


class Prices:
    """The price book under the current snapshot of the configuration."""

    def __init__(self) -> None:
        self._book = PriceBook.shipped()
        self._groups: Mapping[str, Decimal] = {}

    def use(self, snapshot: Snapshot) -> None:
        """Take over the operator's prices and groups."""
        self._book = PriceBook.shipped().overridden(snapshot.prices)
        self._groups = snapshot.price_groups

    def cost(self, key: str, usage: Usage, group: str) -> int | None:
        """Return what a usage costs, in 10⁻⁹ USD; None where the key has no price."""
        multiplier = self._groups.get(group, _ONE)
        if usage.share != 1:
            multiplier *= Decimal(str(usage.share))
        cost = self._book.cost_of_call(key, usage, multiplier)
        if cost is None or not usage.others:
            return cost
        for name, other in usage.others.items():
            its = self._book.cost(name, other, multiplier)
            # One that has no price is not for nothing.
            cost += (self._book.cost(key, other, multiplier) or 0) if its is None else its
        return cost


class Priced(msgspec.Struct, frozen=True):
    """Under what a call is charged, and what is held for it."""

    key: str
    group: str
    free: bool
    estimate: Usage
    amount: int
    """10⁻⁹ USD."""


class Candidate(msgspec.Struct, frozen=True):
    """A model that may answer: as it is named, as it is priced, and who serves it."""

    asked: str
    model: str
    levels: Sequence[Sequence[Channel]]
    priced: Priced


@dataclass(slots=True)
class Core:
    """The services of one process."""

    settings: Settings
    db: Database
    router: Router
    translators: Sequence[Translator]
    bridges: Bridges
    directory: Directory
    limiter: Limiter
    cache: Cache
    prices: Prices
    ledger: Ledger
    dispatcher: Dispatcher
    client: Client
    life: TaskLife
    poller: Poller
    links: SignedLinks
    metrics: Metrics
    seen: dict[str, int] = field(default_factory=dict[str, int])
    """When each token was last used (ms), not yet written."""

    async def write_seen(self) -> None:
        """Write when tokens were last used."""
        seen, self.seen = self.seen, {}
        if seen:
            rows = sorted(seen.items())
            await self.db.write(lambda tx: tx.executemany("UPDATE tokens SET last_used_at = $2 WHERE id = $1", rows))

    # Rights and models -------------------------------------------------------------------------------------------

    def name_model(self, x: Exchange, name: str | None = None) -> None:
        """Find the model that is asked for (or named here) and what it stands for; refuse it where the token may not.

        Raises
        ------
        Failure
        """
        x.asked = name or (x.operation.model(x.request) if x.operation.model is not None else x.route.name)
        admission.may_call(x.caller, x.asked)
        if x.operation.also is not None:
            for other in x.operation.also(x.request):
                admission.may_call(x.caller, other)
        x.model = self._resolved(x, x.asked)

    def _resolved(self, x: Exchange, name: str) -> str:
        snapshot = self.directory.snapshot
        model = admission.resolve(snapshot.aliases, name)
        # The shipped aliases stand in only for names that nobody serves.
        if snapshot.fallbacks and "," not in model and not self.serving(x, model):
            model = admission.resolve(snapshot.fallbacks, model)
        return model

    def serving(self, x: Exchange, model: str) -> Sequence[Sequence[Channel]]:
        """Return the channels that serve a model to this caller, directly or by a translator."""
        if x.pin is not None:
            return ((x.pin,),) if self.dispatcher.offers(x.pin, model) else ()
        token = x.caller
        reach = self.bridges.reach.get(x.route.name, ())
        return self.dispatcher.levels(x.protocol.name, model, token.mode, token.price_group, reach)

    def candidates(self, x: Exchange, origin: Stored | None) -> list[Candidate]:
        """Return the models to try, the one that is asked for first, each with its channels and its price.

        Raises
        ------
        Failure
            NO_MODEL, where nobody serves any of them; and what `priced` raises for the first that is served.
        """
        if origin is not None or x.pin is not None or not ("," in x.model or stand_ins.named(x)):
            return [Candidate(x.asked, x.model, self.levels(x, origin), self.priced(x))]
        found: list[Candidate] = []
        names = [(x.asked, model.strip()) for model in x.model.split(",")]
        for name in stand_ins.names(x):
            admission.may_call(x.caller, name)
            names += [(name, model.strip()) for model in self._resolved(x, name).split(",")]
        for asked, model in dict.fromkeys(names):
            levels = self.serving(x, model)
            if levels:
                x.model = model
                found.append(Candidate(asked, model, levels, self.priced(x)))
        if not found:
            raise admission.unserved(x.protocol, x.operation, x.asked)
        x.model = found[0].model
        return found

    def way(self, x: Exchange, channel: Channel) -> Exchange | Way:
        """Return the request as a channel's protocol says it: the exchange itself, or a translation.

        Raises
        ------
        Failure
            INVALID, where the channel's protocol cannot carry it.
        """
        if channel.protocol == x.protocol.name and serves(channel, x.operation.name):
            return x
        model = channel.model_map.get(x.model, x.model)
        return self.bridges.way(x.route.name, x.request, x.operation, channel, model)

    def levels(self, x: Exchange, origin: Stored | None) -> Sequence[Sequence[Channel]]:
        """Return the channels to try: the origin's own, else those that serve the model.

        Raises
        ------
        Failure
            NO_MODEL, or UNAVAILABLE where a follow-up's channel is gone.
        """
        if origin is not None:
            channel = self.dispatcher.by_id(origin.channel_id)
            if channel is None or not channel.enabled:
                raise unavailable(x.model)
            return ((channel,),)
        found = self.serving(x, x.model)
        if not found:
            raise admission.unserved(x.protocol, x.operation, x.asked)
        return found

    def attempts(
        self, levels: Sequence[Sequence[Channel]], origin: Task | None, most: int, x: Exchange
    ) -> Iterator[Attempt]:
        """Return the attempts to make. A follow-up has one channel only, which is asked even while it rests."""
        if origin is None:
            return self.dispatcher.attempts(levels, most, admission.routing(x.caller, x.request))
        attempt = self.dispatcher.take(levels[0][0], pinned=True)
        return iter(() if attempt is None else (attempt,))

    async def origin(self, x: Exchange) -> Stored | None:
        """Return the task that a follow-up refers to, its owner checked.

        Raises
        ------
        Failure
            NOT_FOUND
        """
        if x.operation.origin is None:
            return None
        ids = x.operation.origin(x.request)
        if not ids:
            return None
        found = await self.load(x, ids[0])
        for other in ids[1:]:
            if (await self.load(x, other)).channel_id != found.channel_id:
                raise Failure(Reason.INVALID, "The tasks were made by different upstreams")
        return found

    async def load(self, x: Exchange, task_id: str) -> Stored:
        """Return one of the caller's tasks of this protocol.

        Raises
        ------
        Failure
            NOT_FOUND, whoever else's it may be.
        """
        account = x.caller.account_id
        # No id holds a NUL, and PostgreSQL takes none.
        known = "\0" not in task_id
        task = await self.db.read(lambda tx: store.load(tx, account, task_id)) if known else None
        if task is None or task.protocol != x.protocol.name:
            raise Failure(Reason.NOT_FOUND, f"Task '{task_id[:64]}' was not found", code="task_not_found")
        return task

    # Money ---------------------------------------------------------------------------------------------------------

    def priced(self, x: Exchange, usage: Usage | None = None) -> Priced:
        """Estimate what the call will cost, by what it will probably consume.

        Raises
        ------
        Failure
            UNAVAILABLE, where the model has no price.
        """
        operation, token = x.operation, x.caller
        key = operation.price(x.request) if operation.price is not None else x.model
        if usage is None:
            usage = operation.estimate(x.request) if operation.estimate is not None else Usage(calls=1)
        if operation.free or token.mode == "test":
            return Priced(key, token.price_group, True, usage, 0)
        amount = self.amount(x, key, usage)
        return Priced(key, token.price_group, False, usage, amount)

    def amount(self, x: Exchange, key: str, usage: Usage) -> int:
        """Return what a usage costs the caller, in 10⁻⁹ USD.

        Raises
        ------
        Failure
            UNAVAILABLE, where the key has no price.
        """
        amount = self.prices.cost(key, usage, x.caller.price_group)
        if amount is None:
            levels = self.serving(x, x.model)
            if levels and all(channel.settings.get("unpriced") == "free" for level in levels for channel in level):
                return 0
            raise Failure(
                Reason.UNAVAILABLE,
                f"No price is set for the model '{key}'; an operator can set one with `deeepai prices set`",
                code="model_price_error",
                param="model",
            )
        return amount

    def cost(self, priced: Priced, usage: Usage | None) -> int:
        """Return what a usage costs, in 10⁻⁹ USD; what was held for it, where the price is gone meanwhile."""
        if usage is None or priced.free:
            return 0
        cost = self.prices.cost(priced.key, usage, priced.group)
        return priced.amount if cost is None else cost

    # Upstream ------------------------------------------------------------------------------------------------------

    def facts(self, x: Exchange, channel: Channel, origin: Task | None, hook_url: str | None = None) -> Facts:
        """Gather what a declaration may need to make the request ready."""
        return Facts(
            model=channel.model_map.get(x.model, x.model),
            asked=x.asked,
            origin=origin,
            hook_url=hook_url,
            reference=x.id,
            settings=channel.settings,
        )

    def links_for(self, x: Exchange) -> SignedLinks:
        """Return links under the address that the caller used, unless the operator set one."""
        if self.settings.public_url:
            return self.links
        host = x.request.header("host")
        return self.links.with_base(f"{x.request.scope.get('scheme', 'http')}://{host}") if host else self.links

    def models(self, x: Exchange) -> list[Mapping[str, Any]]:
        """List the models that a token may call, of all protocols."""
        token = x.caller
        names: dict[str, str] = {}
        for channel in self.dispatcher.channels:
            if not channel.enabled or channel.mode != token.mode:
                continue
            if channel.price_groups is not None and token.price_group not in channel.price_groups:
                continue
            own = channel.models if channel.models is not None else self.dispatcher.protocols[channel.protocol].models
            for name in (*own, *channel.model_map):
                if "*" not in name:
                    names.setdefault(name, channel.settings.get("owned_by") or channel.name)
        snapshot = self.directory.snapshot
        for alias, target in (*snapshot.aliases.items(), *snapshot.fallbacks.items()):
            if "*" not in alias and target in names:
                names.setdefault(alias, names[target])
        return [
            {"id": name, "owned_by": owner, "created": 1700000000}
            for name, owner in sorted(names.items())
            if token.models is None or admission.matches(name, token.models)
        ]
