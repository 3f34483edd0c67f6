"""Objects that vendors keep: who owns them, at which channel they live, and what answers tell of them.

A call that names objects goes where they live. One that names none and no model goes to the account's own place among
the channels: of those of the highest priority one, always the same as long as it is there, so that what an account
stores comes together and can be used together. A channel whose setting `objects` is false is nobody's place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...accounts.models import Channel
from ...accounts.own_channels import NODES_OWN
from ...declare import MOST_NAMED, Failure, Json, Made, ObjectRules, Reason, event_json
from ...storage import object_rows
from ...storage.ids import now_ms
from ...storage.object_rows import Owned, Owner
from .. import candidates, outgoing
from ..core import Core
from ..dispatch import serves
from ..exchange import Exchange

MOST_HINTS: Final = 100


@dataclass(frozen=True, slots=True)
class Located:
    """The objects that a request names, and the one channel at which they live; None where it names none."""

    objects: Sequence[Owned] = ()
    channel: Channel | None = None


NOWHERE: Final = Located()


def owner_of(x: Exchange) -> Owner:
    """Return whose objects a request may use."""
    return Owner(x.caller.account_id, x.protocol.kin, x.caller.holder)


# Where objects live ------------------------------------------------------------------------------------------------


def _home(core: Core, x: Exchange, found: Owned) -> Channel | None:
    """Return an object's channel; None where it is not for this caller's token."""
    channel = core.dispatcher.by_id(found.channel_id)
    if channel is None:
        where = "is another node's own" if found.channel_id.startswith(NODES_OWN) else "is gone"
        raise Failure(Reason.UNAVAILABLE, f"The upstream at which the object lives {where}")
    return channel if channel.mode == x.caller.mode else None


def is_here(core: Core, x: Exchange, found: Owned) -> bool:
    """Tell whether an object is for tokens of the caller's mode, as far as can be told where its channel is gone."""
    channel = core.dispatcher.by_id(found.channel_id)
    return channel is None or channel.mode == x.caller.mode


def missing(x: Exchange, rules: ObjectRules[Any] | None, name: str) -> Failure:
    """Build the failure of an object that is not the caller's, whoever else's it may be."""
    name = name[:128]
    own = rules.missing(x.request, name) if rules is not None and rules.missing is not None else None
    return own or Failure(Reason.NOT_FOUND, f"No such object: '{name}'", param="id")


def broken() -> Failure:
    """Build the failure of an upstream that did not tell of an object."""
    return Failure(Reason.UPSTREAM, "The upstream at which the objects live did not answer well")


def bounded(names: Sequence[str]) -> Sequence[str]:
    """Return what a request names, each once.

    Raises
    ------
    Failure
        INVALID, where that is too much.
    """
    ids = list(dict.fromkeys(names))
    if len(ids) > MOST_NAMED:
        raise Failure(Reason.INVALID, f"A request names at most {MOST_NAMED} objects")
    return ids


async def named(core: Core, x: Exchange, names: Sequence[str], rules: ObjectRules[Any] | None = None) -> list[Owned]:
    """Return the caller's objects of these ids.

    Raises
    ------
    Failure
        NOT_FOUND, where one is not the caller's; INVALID, where there are too many.
    """
    if not names:
        return []
    ids = bounded(names)
    owner = owner_of(x)
    found = await core.db.read(lambda tx: object_rows.find(tx, owner, ids))
    for one in ids:
        if one not in found or _home(core, x, found[one]) is None:
            raise missing(x, rules, one)
    return [found[one] for one in ids]


def names_objects(x: Exchange, rules: ObjectRules[Any]) -> bool:
    """Tell whether a request names any objects, or hints at some."""
    return bool(rules.uses(x.request) or rules.hints(x.request) or rules.at_home(x.request))


async def locate(core: Core, x: Exchange, rules: ObjectRules[Any]) -> Located:
    """Return the objects that a request names and where they live, or else where what it hints at lives.

    Raises
    ------
    Failure
        What `named` and `home` raise; INVALID, where the model is not served at the objects' place.
    """
    uses = rules.uses
    if rules.carried is not None and x.model and not _spoken(core, x):
        uses = rules.carried
    objects = await named(core, x, await x.apart(uses, x.request), rules)
    x.objects = {one.id: one.facts for one in objects}
    hints = () if objects else await x.apart(rules.hints, x.request)
    channel = await home(core, x, objects, hints)
    if channel is None and rules.at_home(x.request):
        channel = _first(core, x)
    if channel is None or not x.model or core.dispatcher.offers(channel, x.model):
        return Located(objects, channel)
    if not objects:
        # What comes back whole may go on elsewhere.
        return NOWHERE
    if rules.keeping is not None and candidates.serving(core, x, x.model):
        message = f"'{objects[0].id}' is kept by an upstream that has no '{x.requested_model}'"
        raise Failure(Reason.INVALID, f"{message}: send what it holds in its place", param="model")
    return Located(objects, channel)


def _spoken(core: Core, x: Exchange) -> bool:
    """Tell whether any channel that serves the model does so in the caller's own protocol."""
    tiers = candidates.serving(core, x, x.model)
    return not tiers or any(outgoing.speaks(x, channel) for tier in tiers for channel in tier)


async def home(core: Core, x: Exchange, found: Sequence[Owned], hints: Sequence[str] = ()) -> Channel | None:
    """Return the one channel at which a request's objects live; None where it names none.

    Parameters
    ----------
    hints : sequence of str
        Ids that decide where there is nothing else, if they are known.

    Raises
    ------
    Failure
        INVALID, where they live apart; UNAVAILABLE, where their channel is switched off.
    """
    if not found:
        if not hints:
            return None
        owner, last = owner_of(x), list(dict.fromkeys(hints))[-MOST_HINTS:]
        known = await core.db.read(lambda tx: object_rows.find(tx, owner, last))
        found = [known[one] for one in last if one in known][-1:]
        if not found or _home(core, x, found[0]) is None:
            return None
    channels = {one.channel_id for one in found}
    if len(channels) > 1:
        raise Failure(Reason.INVALID, "The objects that the request names were made at different upstreams")
    channel = _home(core, x, found[0])
    if channel is None:
        return None
    groups = channel.price_groups
    if not channel.enabled or (groups is not None and x.caller.price_group not in groups):
        raise Failure(Reason.UNAVAILABLE, "The upstream at which the object lives is switched off")
    return channel


def tiers(core: Core, x: Exchange, channel: Channel | None) -> Sequence[Sequence[Channel]]:
    """Return the channels to try for a call that costs nothing.

    Raises
    ------
    Failure
        NO_MODEL, or UNAVAILABLE where no channel takes objects.
    """
    if channel is not None:
        if not x.model or candidates.serving(core, x, x.model, channel):
            return ((channel,),)
        raise candidates.unserved(core, x)
    if x.model:
        # A translator carries no objects.
        own = [
            [one for one in tier if one.protocol == x.protocol.name and serves(one, x.operation.name)]
            for tier in candidates.tiers(core, x)
        ]
        own = [tier for tier in own if tier]
        if not own:
            raise Failure(
                Reason.INVALID, f"The upstream that serves '{x.requested_model}' cannot do this", param="model"
            )
        return own
    found = _by_turn(core, x)
    if not found:
        raise Failure(Reason.UNAVAILABLE, "No channel keeps such objects")
    return [(one,) for one in found]


def _by_turn(core: Core, x: Exchange) -> list[Channel]:
    """Return the account's own place among the channels, and those that stand in for it."""
    found = keepers(core, x)
    return sorted(found, key=lambda one: (-one.priority, one.weight == 0, _draw(x.caller.account_id, one.id)))


def _first(core: Core, x: Exchange) -> Channel | None:
    return next((one for one in _by_turn(core, x) if not x.model or core.dispatcher.offers(one, x.model)), None)


def keepers(core: Core, x: Exchange) -> list[Channel]:
    """Return the channels that would keep what a request makes, in no order."""
    token, name = x.caller, x.operation.name
    return [
        one
        for one in core.dispatcher.channels
        if one.enabled
        and one.protocol == x.protocol.name
        and one.mode == token.mode
        and (one.price_groups is None or token.price_group in one.price_groups)
        and one.settings.get("objects") is not False
        and serves(one, name)
    ]


def _draw(account_id: str, channel_id: str) -> bytes:
    return hashlib.sha256(f"{account_id}/{channel_id}".encode()).digest()


# What answers tell -------------------------------------------------------------------------------------------------


async def record(core: Core, x: Exchange, channel: Channel, made: Iterable[Made]) -> None:
    """Record objects as the caller's."""
    found = list(made)
    if found:
        owner, token_id = owner_of(x), x.caller.id
        await core.db.write(lambda tx: object_rows.add(tx, owner, token_id, channel.id, found, now_ms()))


class ObjectTap:
    """Records the objects that a call's answer tells of, before the caller sees it."""

    def __init__(self, core: Core, x: Exchange, rules: ObjectRules[Any]) -> None:
        self._core = core
        self._x = x
        self._rules = rules
        self._told = False

    def wants(self, data: bytes) -> bool:
        """Tell whether events may tell of objects."""
        marks = self._rules.scan_for
        return any(mark in data for mark in marks) if marks else not self._told

    async def event(self, event: bytes, channel: Channel) -> None:
        """Take a stream's event."""
        value = event_json(event)
        if value is not None:
            self._told = True
            await self.whole(value, channel)

    async def whole(self, value: Json, channel: Channel) -> None:
        """Take a whole answer."""
        if self._rules.makes is not None:
            await record(self._core, self._x, channel, self._rules.makes(self._x.request, value))
