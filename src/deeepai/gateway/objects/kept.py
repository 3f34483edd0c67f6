"""Answers that the gateway keeps itself, and what later requests name of them.

An upstream that a translator speaks to keeps nothing that its caller could name. So such an answer is kept here, if
its protocol keeps answers, and what a later request names of it is put in that request before anybody is asked.
"""

from __future__ import annotations

import asyncio
import copy
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog

from ...declare import (
    Call,
    Failure,
    Json,
    KeepingRules,
    KeptAnswer,
    ObjectCall,
    Reason,
    event_json,
    events_of,
    lenient_json,
    with_json,
)
from ...storage import conversation_rows, kept_bytes, kept_rows
from ...storage.database import Tx
from ...storage.ids import now_ms
from ...storage.kept_rows import Link, Owner, Terms
from .. import outgoing, settlement
from ..body import HttpRequest, decode_again
from ..core import Core
from ..exchange import Exchange
from ..settlement import Outcome
from . import place

log = structlog.get_logger()

MOST_KEPT: Final = 16 * 1024 * 1024
"""Bytes of a turn; a longer one is answered, and not kept."""
_DAY_MS: Final = 86_400_000


def owner_of(x: Exchange) -> Owner:
    """Return whose what is kept of a request is."""
    return Owner(x.caller.account_id, x.protocol.name, x.caller.mode)


def terms_of(core: Core, owner: Owner) -> Terms:
    """Return how long what is kept now is, and among how much."""
    now, settings = now_ms(), core.settings
    days = settings.answer_days if owner.mode == "live" else min(settings.answer_days, settings.test_days)
    return Terms(now, now + round(days * _DAY_MS), settings.quota("answers", owner.mode))


@dataclass(frozen=True, slots=True)
class Named:
    """What a request names of what is kept.

    Attributes
    ----------
    quoted : mapping
        The kept answers of which it names parts.
    before : sequence of KeptAnswer
        Those that it goes on from, the oldest first; or the conversation that it is in, as one.
    conversation : str or None
        That one's id.
    """

    quoted: Mapping[str, KeptAnswer] = field(default_factory=dict[str, KeptAnswer])
    before: Sequence[KeptAnswer] = ()
    conversation: str | None = None


class Keeper:
    """Keeps the answer to one request, if that is translated, before the caller sees its end."""

    def __init__(self, core: Core, x: Exchange, rules: KeepingRules[Any], named: Named) -> None:
        self._core = core
        self._x = x
        self._rules = rules
        self._request = x.request
        self._named = named
        self._elsewhere = False
        """Its upstream keeps the answer."""

    def joining(self) -> Keeper | None:
        """Return what adds an answer that its upstream does keep to the conversation that it is in, if it is in one."""
        if self._named.conversation is None:
            return None
        joining = copy.copy(self)
        joining._elsewhere = True
        return joining

    @functools.cached_property
    def _turn(self) -> str:
        return msgspec.json.encode(self._said).decode()

    @functools.cached_property
    def _said(self) -> Sequence[Json]:
        return self._rules.turn(self._request, self._named.quoted)

    @functools.cached_property
    def _keeps(self) -> bool:
        wanted = self._rules.wanted
        if self._elsewhere or not self._core.settings.answer_days or wanted is None or not wanted(self._request):
            return False
        return len(self._turn) <= MOST_KEPT

    def asked(self) -> HttpRequest:
        """Return the request as it came, for what its answer repeats; whether it is kept, too."""
        asked = copy.copy(self._request)
        asked.raw = _changed(asked, self._rules.repeats(self._keeps))
        return asked

    async def whole(self, body: bytes) -> bytes:
        """Keep a whole answer, if it is to be kept; return it with the conversation that it is in."""
        conversation = self._named.conversation
        if not await self._x.apart(self._judged) and conversation is None:
            return body
        value = lenient_json(body)
        await self._keep(value)
        if not self._elsewhere or conversation is None:
            return body
        return msgspec.json.encode(self._rules.joined(value, conversation))

    async def end(self, events: bytes) -> bytes:
        """Keep the answer that the last of a stream's events hold, if it is to be kept; return them likewise."""
        conversation = self._named.conversation
        if not await self._x.apart(self._judged) and conversation is None:
            return events
        told: list[bytes] = []
        for event in events_of(events):
            value = event_json(event)
            await self._keep(value)
            if self._elsewhere and conversation is not None and value is not None:
                event = with_json(event, msgspec.json.encode(self._rules.joined(value, conversation)))
            told.append(event)
        return b"".join(told) if self._elsewhere else events

    def _judged(self) -> bool:
        return self._keeps

    async def _keep(self, told: Json) -> None:
        conversation = self._named.conversation
        made = self._rules.read(told) if self._keeps else None
        added = None if conversation is None else self._rules.adds(self._said, told)
        owner = owner_of(self._x)
        terms = terms_of(self._core, owner)

        async def write(tx: Tx) -> None:
            if made is not None:
                texts = {"turn": self._turn, "answer": msgspec.json.encode(made[1]).decode()}
                before = self._named.before[-1:] if conversation is None else ()
                link = Link(made[0], before[0].id if before else None, sum(map(len, texts.values())))
                await kept_rows.keep(tx, owner, link, texts, terms)
            if conversation is not None and added is not None:
                await conversation_rows.add(tx, owner, conversation, added, terms)

        if made is None and added is None:
            return
        try:
            await self._core.db.write(write)
        except kept_bytes.Full:
            log.warning("answer.not_kept", request_id=self._x.id, account=owner.account_id, why="quota")
            self._core.metrics.unkept("answers", "quota")
        except Exception:
            # It was made, and is charged.
            log.exception("answer.not_kept", request_id=self._x.id)


def _changed(request: HttpRequest, changes: Mapping[str, Json]) -> bytes:
    body, _ = outgoing.rewrite(request, changes)
    if not isinstance(body, bytes):
        raise TypeError("a form names no kept answers")
    return body


async def recall(core: Core, x: Exchange, operation: Call[Any], rules: KeepingRules[Any]) -> None:
    """Put in a request what it names of the caller's kept answers, and note how its own answer is to be kept.

    Raises
    ------
    Failure
        NOT_FOUND, where what it goes on from is not kept to its beginning; INVALID or TOO_LARGE, where it is too much.
    """
    follows, within = rules.follows(x.request), rules.within(x.request)
    quotes = place.bounded(await x.apart(rules.quotes, x.request))
    named = Named()
    if follows or quotes:
        named = Named(*await _load(core, x, operation, follows, quotes))
    if within is not None and (talk := await _conversation(core, x, operation, within)) is not None:
        named = Named(named.quoted, [talk], within)
    if rules.wanted is not None:
        x.keeper = Keeper(core, x, rules, named)
    if not named.quoted and not named.before:
        return

    def whole() -> HttpRequest:
        request = copy.copy(x.request)
        request.raw = _changed(request, rules.whole(named.before, rules.turn(request, named.quoted)))
        if len(request.raw) > operation.max_body:
            raise _too_large(operation.max_body)
        return request

    # What is kept may be much, however little the request itself says.
    request = await asyncio.to_thread(whole)
    x.request = request
    await decode_again(request, operation, core.intake)


async def _conversation(core: Core, x: Exchange, operation: Call[Any], name: str) -> KeptAnswer | None:
    """Return a kept conversation as an answer that what follows goes on from; None where it is not kept here."""
    owner, now, most = owner_of(x), now_ms(), operation.max_body

    async def read(tx: Tx) -> KeptAnswer | None:
        if await conversation_rows.find(tx, owner, name, now) is None:
            return None
        if await conversation_rows.size(tx, owner, name) > most:
            raise _too_large(most)
        items = await conversation_rows.items(tx, owner, name)
        return KeptAnswer(id=name, follows=None, turn=items, answer=None)

    return await core.db.read(read)


async def _load(
    core: Core, x: Exchange, operation: Call[Any], follows: str | None, quotes: Sequence[str]
) -> tuple[Mapping[str, KeptAnswer], Sequence[KeptAnswer]]:
    """Return the kept answers that a request takes parts from, by id, and those that it goes on from, in order."""
    owner, now, most = owner_of(x), now_ms(), operation.max_body

    async def read(tx: Tx) -> tuple[Mapping[str, KeptAnswer], Sequence[KeptAnswer]]:
        links = await kept_rows.chain(tx, owner, follows, now) if follows else []
        before = [link.id for link in links]
        if await kept_rows.size(tx, owner, [*quotes, *before]) > most:
            raise _too_large(most)
        found = await kept_rows.find(tx, owner, [*quotes, *before], now)
        # Its beginning was deleted, or something of it just now.
        gone = [link.follows for link in links[:1] if link.follows] + [name for name in before if name not in found]
        if gone:
            raise place.missing(x, operation.objects, gone[0])
        return {name: found[name] for name in quotes if name in found}, [found[name] for name in before]

    return await core.db.read(read)


def _too_large(most: int) -> Failure:
    return Failure(Reason.TOO_LARGE, f"The request and what it names are together more than {most >> 20} MB")


async def serve(core: Core, x: Exchange, operation: ObjectCall[Any]) -> bool:
    """Answer a call on a kept answer; False where it is on something else.

    Raises
    ------
    Failure
    """
    if operation.kept is None:
        return False
    rules = operation.objects
    names = rules.uses(x.request)[:1]
    owner, now = owner_of(x), now_ms()
    found = await core.db.read(lambda tx: kept_rows.find(tx, owner, names, now))
    if not found:
        return False
    (answer,) = found.values()
    reply = operation.kept(x.request, answer)
    if rules.ends is not None:
        await core.db.write(lambda tx: kept_rows.forget(tx, owner, answer.id))
    core.ledger.record(settlement.usage_row(x, Outcome(), reply.status))
    await x.reply(reply)
    return True
