"""Which models a token may call: what the channels name, and what the price book knows of their patterns.

A model's interfaces follow from its channels: those that a channel's protocol has for such a model, and all from which
a translator leads there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import translate
from typing import Final

import msgspec

from ..accounts.directory import Directory, Snapshot
from ..accounts.models import Channel, Mode, Token
from ..declare import Paid, Protocol, TaskTranslator
from . import admission
from .dispatch import Dispatcher, matches, serves
from .pricing import Prices
from .translation import TranslatorIndex

_CREATED: Final = 1700000000
_NOBODY: Final = "custom"
"""Owner of a model that the price book does not know: neither a channel's name nor an account's is for callers."""


class Listed(msgspec.Struct, frozen=True):
    """A model for callers to see.

    Attributes
    ----------
    owned_by : str
        Its vendor, or whom the operator named.
    created : int
        Seconds since 1970.
    operations : sequence of str
        What serves it, each as `protocol.operation`.
    paths, endpoint_types : sequence of str
        Where it is served, and what relays call that; each once.
    """

    id: str
    owned_by: str
    created: int
    operations: Sequence[str]
    paths: Sequence[str] = ()
    endpoint_types: Sequence[str] = ()


class ModelList:
    """The models of the present configuration.

    Parameters
    ----------
    dispatcher, directory, prices, translators
        As of the process.
    task_translators : mapping
        By the operation that they serve.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        directory: Directory,
        prices: Prices,
        translators: TranslatorIndex,
        task_translators: Mapping[str, Sequence[TaskTranslator]],
    ) -> None:
        self._dispatcher = dispatcher
        self._directory = directory
        self._prices = prices
        self._routes = translators.routes
        self._order = {name: number for number, name in enumerate(translators.routes)}
        self._sources: dict[str, list[tuple[str, Sequence[str]]]] = {}
        """Operations of callers, each with the models that it is for (all, if empty), by the one that serves them."""
        for name, targets in translators.reachable.items():
            for protocol, ways in targets:
                for operation, models in ways:
                    self._sources.setdefault(f"{protocol}.{operation}", []).append((name, models))
        for name, several in task_translators.items():
            for translator in several:
                self._sources.setdefault(translator.target, []).append((name, translator.models))
        self._local = translators.local
        self._snapshot: Snapshot | None = None
        self._known: dict[tuple[Mode, str], Sequence[Listed]] = {}

    def all(self, token: Token) -> Sequence[Listed]:
        """Return all that a token may call and that are known by name, sorted."""
        self._renew()
        key = (token.mode, token.price_group)
        listed = self._known.get(key)
        if listed is None:
            listed = self._known[key] = [self._listed(token, name) for name in sorted(self._names(token))]
        return [model for model in listed if token.models is None or admission.matches(model.id, token.models)]

    def one(self, token: Token, name: str) -> Listed | None:
        """Return a model that a token may call, whether or not anybody knew its name before."""
        if token.models is not None and not admission.matches(name, token.models):
            return None
        target = self._target(token, name)
        return self._listed(token, name) if target is not None else None

    def operations(self, token: Token, name: str) -> Sequence[str]:
        """Return what serves a model, each as `protocol.operation`, in the order of their declaration."""
        found: set[str] = set()
        for channel in self._channels(token):
            if self._dispatcher.offers(channel, name):
                protocol = self._dispatcher.protocols[channel.protocol]
                upstream = channel.model_map.get(name, name)
                for operation in fitting(protocol, upstream):
                    if serves(channel, operation):
                        sources = self._sources.get(f"{protocol.name}.{operation}", ())
                        found.update(source for source, models in sources if not models or matches(upstream, models))
        found.update(name for name, local in self._local.items() if local.alongside in found)
        return sorted(found, key=self._order.__getitem__)

    def _renew(self) -> None:
        if self._snapshot is not self._directory.snapshot:
            self._snapshot = self._directory.snapshot
            self._known.clear()

    def _channels(self, token: Token) -> Iterator[Channel]:
        for channel in self._dispatcher.channels:
            open_to = channel.price_groups is None or token.price_group in channel.price_groups
            if channel.enabled and channel.mode == token.mode and open_to:
                yield channel

    def _names(self, token: Token) -> set[str]:
        names: set[str] = set()
        priced = self._prices.names()
        for channel in self._channels(token):
            own = channel.models
            patterns = own if own is not None else self._dispatcher.protocols[channel.protocol].models
            names.update(name for name in (*patterns, *channel.model_map) if "*" not in name)
            wild = [name for name in patterns if "*" in name]
            # A server of the operator's own, that takes any name, has not all models of the world.
            if wild and not ("*" in wild and channel.settings.get("unpriced") == "free"):
                fits = re.compile("|".join(translate(pattern) for pattern in wild)).match
                names.update(name for name in priced if fits(name))
        snapshot = self._directory.snapshot
        for alias in (*snapshot.aliases, *snapshot.fallbacks):
            if "*" not in alias and alias not in names and self._target(token, alias) is not None:
                names.add(alias)
        return names

    def _target(self, token: Token, name: str) -> str | None:
        """Return the model that answers to a name; None where nobody does."""
        snapshot = self._directory.snapshot
        for aliases in (snapshot.aliases, {}, snapshot.fallbacks):
            for model in admission.resolve(aliases, name).split(","):
                if any(self._dispatcher.offers(channel, model.strip()) for channel in self._channels(token)):
                    return model.strip()
        return None

    def _listed(self, token: Token, name: str) -> Listed:
        target = self._target(token, name) or name
        names = self.operations(token, target)
        served = [operation for each in names if isinstance(operation := self._routes[each].operation, Paid)]
        paths = dict.fromkeys(operation.path for operation in served)
        types = dict.fromkeys(operation.endpoint_type for operation in served if operation.endpoint_type)
        return Listed(name, self._owner(token, target), _CREATED, names, tuple(paths), tuple(types))

    def _owner(self, token: Token, name: str) -> str:
        for channel in self._channels(token):
            owner = channel.settings.get("owned_by")
            if owner and self._dispatcher.offers(channel, name):
                return str(owner)
        return self._prices.vendor(name) or _NOBODY


def fitting(protocol: Protocol, model: str) -> Iterable[str]:
    """Return the operations of a protocol that are for such a model."""
    paid = [operation for operation in protocol.operations if isinstance(operation, Paid)]
    special = [operation.name for operation in paid if operation.models and matches(model, operation.models)]
    return special or [operation.name for operation in paid if not operation.models]
