"""Conversations that the gateway keeps itself: where no upstream keeps them for all models that may take a turn.

What a call makes of one is for the protocol to say (`ObjectCall.converse`); of requests that are turns, `kept` knows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...declare import Conversation, Failure, ObjectCall, Reason, Turned
from ...storage import conversation_rows, kept_bytes
from ...storage.database import Tx
from ...storage.kept_rows import Owner, Terms
from .. import settlement
from ..core import Core
from ..dispatch import open_to, serves
from ..exchange import Exchange
from ..settlement import Outcome
from . import kept, place

_FULL = (
    "What is kept for this account is as much as it may be; delete conversations or responses, or wait for some to end"
)


async def serve(core: Core, x: Exchange, operation: ObjectCall[Any]) -> bool:
    """Answer a call on a kept conversation, or one that begins one; False where an upstream keeps it.

    Raises
    ------
    Failure
    """
    converse = operation.converse
    if converse is None:
        return False
    name = next(iter(x.request.params.values()), None)
    if name is None and not _begins_here(core, x, operation):
        return False
    owner, most = kept.owner_of(x), operation.max_body
    terms = kept.terms_of(core, owner)

    async def turn(tx: Tx) -> Turned | None:
        known = None if name is None else await _known(tx, owner, name, terms.now)
        if name is not None and known is None:
            return None
        turned = converse(x.request, known)
        if turned.begins is not None:
            await conversation_rows.begin(tx, owner, turned.begins, terms)
        if name is not None:
            await _write(tx, owner, name, turned, terms)
            if turned.adds and await conversation_rows.size(tx, owner, name) > most:
                raise Failure(Reason.TOO_LARGE, f"A conversation holds at most {most >> 20} MB")
        return turned

    try:
        turned = await core.db.write(turn) if x.request.method != "GET" else await core.db.read(turn)
    except kept_bytes.Full:
        core.metrics.unkept("answers", "quota")
        raise Failure(Reason.INVALID, _FULL, code="storage_quota_exceeded") from None
    if turned is None:
        return False
    core.ledger.record(settlement.usage_row(x, Outcome(), turned.reply.status))
    await x.reply(turned.reply)
    return True


def _begins_here(core: Core, x: Exchange, operation: ObjectCall[Any]) -> bool:
    """Tell whether a conversation is kept here: a channel of another kind may take a turn of it, or none keeps it."""
    if not core.settings.answer_days:
        return False
    token, turns = x.caller, f"{x.protocol.name}.{operation.turns}"
    open_here = [one for one in core.dispatcher.channels if one.enabled and open_to(one, token.mode, token.price_group)]
    for protocol, ways in core.translators.reachable[turns]:
        for channel in open_here:
            own = protocol == x.protocol.name and serves(channel, operation.turns)
            if channel.protocol == protocol and not own and any(serves(channel, way.operation) for way in ways):
                return True
    return not place.keepers(core, x)


async def _known(tx: Tx, owner: Owner, name: str, now: int) -> Conversation | None:
    found = await conversation_rows.find(tx, owner, name, now)
    return None if found is None else replace(found, items=await conversation_rows.items(tx, owner, name))


async def _write(tx: Tx, owner: Owner, name: str, turned: Turned, terms: Terms) -> None:
    if turned.ends:
        await conversation_rows.forget(tx, owner, name)
    if turned.metadata is not None:
        await conversation_rows.describe(tx, owner, name, turned.metadata)
    if turned.removes is not None:
        await conversation_rows.remove(tx, owner, name, turned.removes)
    if turned.adds:
        await conversation_rows.add(tx, owner, name, turned.adds, terms)
