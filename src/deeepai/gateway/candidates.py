"""Which models may answer a call, under which price, and which channels serve each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from ..accounts.models import Channel
from ..declare import AnyOperation, Call, Failure, Forwarded, Paid, Reason, Submit, Task, Usage
from ..tasks import store
from ..tasks.links import SignedLinks
from ..tasks.store import Stored
from . import admission, fallbacks, pricing
from .core import Core
from .dispatch import Attempt, Routing, open_to, unavailable
from .exchange import Exchange
from .pricing import Priced, Tiers

MAX_ATTEMPTS = 4
"""Channels that are asked for one model."""


class Candidate(msgspec.Struct, frozen=True):
    """A model that may answer: as it is named, as it is priced, and who serves it."""

    requested_model: str
    model: str
    tiers: Tiers
    priced: Priced


# Names -------------------------------------------------------------------------------------------------------------


def name_model(core: Core, x: Exchange, name: str | None = None) -> None:
    """Note the model that is asked for (or named here) and what it stands for; refuse it where the token may not.

    Raises
    ------
    Failure
    """
    operation = x.operation
    if name is None:
        read = operation.model if isinstance(operation, Forwarded) else None
        name = x.route.name if read is None else read(x.request)
    admission.may_call(x.caller, name)
    if isinstance(operation, Call) and operation.further_models is not None:
        for other in operation.further_models(x.request):
            admission.may_call(x.caller, other)
    x.requested_model, x.model = name, resolved(core, x, name)


def resolved(core: Core, x: Exchange, name: str) -> str:
    """Return what a name stands for by the operator's aliases, else by the shipped ones.

    Raises
    ------
    Failure
        NO_MODEL: only an operator's alias stands for a list.
    """
    snapshot = core.directory.snapshot
    model = admission.resolve(snapshot.aliases, name)
    if "," in name and model == name:
        raise admission.no_model(name)
    # The shipped aliases stand in only for names that nobody serves.
    if snapshot.fallbacks and "," not in model and not serving(core, x, model):
        model = admission.resolve(snapshot.fallbacks, model)
    return model


# Channels ----------------------------------------------------------------------------------------------------------


def serving(core: Core, x: Exchange, model: str, pin: Channel | None = None) -> Tiers:
    """Return the channels that serve a model to this caller, directly or by a translator.

    Parameters
    ----------
    pin : Channel, optional
        The only one that may.
    """
    if pin is not None:
        return ((pin,),) if core.dispatcher.offers(pin, model) else ()
    token = x.caller
    reachable = core.translators.reachable[x.route.name]
    return core.dispatcher.tiers(x.protocol.name, model, token.mode, token.price_group, reachable)


def serves_otherwise(core: Core, x: Exchange, operation: str) -> bool:
    """Tell whether a channel serves the model to this caller for another operation, directly or by a translator."""
    route, token = core.translators.routes[operation], x.caller
    reachable = core.translators.reachable[operation]
    return bool(core.dispatcher.tiers(route.protocol.name, x.model, token.mode, token.price_group, reachable))


def tiers(core: Core, x: Exchange, origin: Stored | None = None, pin: Channel | None = None) -> Tiers:
    """Return the channels to try: the origin's own, else those that serve the model.

    Raises
    ------
    Failure
        NO_MODEL, or UNAVAILABLE where a follow-up's channel is gone.
    """
    if origin is not None:
        channel = core.dispatcher.by_id(origin.channel_id)
        if channel is None or not channel.enabled or not open_to(channel, x.caller.mode, x.caller.price_group):
            raise unavailable(x.model)
        return ((channel,),)
    found = serving(core, x, x.model, pin)
    if not found:
        raise unserved(core, x)
    return found


def unserved(core: Core, x: Exchange) -> Failure:
    """Build the failure of a model that no channel serves here: it says where, if some other path does."""
    operation = x.operation
    hint = operation.unserved if isinstance(operation, Call) else ""
    names = core.models.operations(x.caller, x.model)
    # The caller's own format first.
    name = next((name for name in names if name.startswith(f"{x.protocol.name}.")), names[0] if names else None)
    if name is None:
        return admission.unserved(x.protocol, hint, x.requested_model)
    path = core.translators.routes[name].operation.path.replace("{model}", quote(x.requested_model, safe="/"))
    message = f"The model '{x.requested_model}' is not served here; it is served at {path}"
    return Failure(Reason.NO_MODEL, message, param="model")


def candidates(core: Core, x: Exchange, origin: Stored | None = None, pin: Channel | None = None) -> list[Candidate]:
    """Return the models to try, the one that is asked for first, each with its channels and its price.

    Raises
    ------
    Failure
        NO_MODEL, where nobody serves any of them; and what pricing raises for the first that is served.
    """
    if origin is not None or pin is not None or not ("," in x.model or fallbacks.named(x)):
        served = tiers(core, x, origin, pin)
        return [Candidate(x.requested_model, x.model, served, priced(core, x, x.model, served))]
    names = [(x.requested_model, model.strip()) for model in x.model.split(",")]
    for name in fallbacks.names(x):
        admission.may_call(x.caller, name)
        names += [(name, model.strip()) for model in resolved(core, x, name).split(",")]
    served_by = {pair: served for pair in dict.fromkeys(names) if (served := serving(core, x, pair[1]))}
    if not served_by:
        raise unserved(core, x)
    return [
        Candidate(requested, model, served, priced(core, x, model, served))
        for (requested, model), served in served_by.items()
    ]


def priced(core: Core, x: Exchange, model: str, served: Tiers, usage: Usage | None = None) -> Priced:
    """Say what the call will cost with a model, by what it will probably consume.

    Raises
    ------
    Failure
        UNAVAILABLE, where the model has no price.
    """
    operation = x.operation
    key = price_key(operation, x.request, model)
    first = served[0][0]
    if usage is None and core.translators.estimates(x.route.name, first.protocol):
        usage = core.translators.estimate(x, first, first.model_map.get(model, model))
    if usage is None:
        usage = estimated(operation, x.request)
    if not operation.paid:
        return pricing.unpriced(x.caller, key, usage)
    return pricing.price(core.prices, x.caller, key, usage, served)


def price_key(operation: AnyOperation, request: Any, model: str) -> str:
    """Return under what a request is priced."""
    own = operation.price if isinstance(operation, Submit) else None
    return model if own is None else own(request)


def estimated(operation: AnyOperation, request: Any) -> Usage:
    """Return what a request will probably consume."""
    estimate = operation.estimate if isinstance(operation, Paid) else None
    return Usage(calls=1) if estimate is None else estimate(request)


def attempts(
    core: Core, account: str, served: Tiers, routing: Routing, origin: Task | None = None
) -> Iterator[Attempt]:
    """Yield the attempts to make for an account.

    A follow-up has one channel only, which is asked even while it cools down.
    """
    if origin is None:
        return core.dispatcher.attempts(served, MAX_ATTEMPTS, routing, account)
    return _pinned(core, served[0][0], account)


def _pinned(core: Core, channel: Channel, account: str) -> Iterator[Attempt]:
    attempt = core.dispatcher.take(channel, account, pinned=True)
    if attempt is not None:
        yield attempt


# Tasks -------------------------------------------------------------------------------------------------------------


async def origin(core: Core, x: Exchange) -> Stored | None:
    """Return the task that a follow-up refers to, its owner checked, and judged as its declaration says.

    Raises
    ------
    Failure
        NOT_FOUND; INVALID, where it refers to tasks of different upstreams.
    """
    operation = x.operation
    rules = operation.origin if isinstance(operation, Call | Submit) else None
    ids = () if rules is None else rules.ids(x.request)
    if rules is None or not ids:
        return None
    first = await load(core, x, ids[0])
    x.named = {ids[0]: first.upstream_id or ""}
    for name in ids[1:]:
        other = await load(core, x, name)
        if other.channel_id != first.channel_id:
            raise Failure(Reason.INVALID, "The tasks were made by different upstreams")
        x.named = {**x.named, name: other.upstream_id or ""}
    if rules.check is not None:
        rules.check(x.request, first)
    return first


async def load(core: Core, x: Exchange, task_id: str) -> Stored:
    """Return one of the caller's tasks of this protocol's family and mode, by its own id or that of something it made.

    Raises
    ------
    Failure
        NOT_FOUND, whoever else's it may be.
    """
    viewer, protocol = x.caller, x.protocol.kin
    task = await core.db.read(lambda tx: store.find(tx, viewer, protocol, task_id))
    if task is None:
        raise Failure(Reason.NOT_FOUND, f"Task '{task_id[:64]}' was not found", code="task_not_found")
    return task


# For callers -------------------------------------------------------------------------------------------------------


def links_for(core: Core, x: Exchange) -> SignedLinks:
    """Return links under the address that the caller used, unless the operator set one."""
    if core.settings.public_url:
        return core.links
    host = x.request.header("host")
    return core.links.with_base(f"{x.request.scope.get('scheme', 'http')}://{host}") if host else core.links
