"""Answers that the gateway keeps itself, and what later requests name of them.

An upstream that a translator speaks to keeps nothing that its caller could name. So such an answer is kept here, if
its protocol keeps answers, and what a later request names of it is put in that request before anybody is asked.
"""

from __future__ import annotations

import asyncio
import copy
import functools
from collections.abc import Mapping, Sequence
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
)
from ...storage import kept_rows
from ...storage.database import Tx
from ...storage.ids import now_ms
from ...storage.kept_rows import Link, Owner
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


def _owner(x: Exchange) -> Owner:
    return Owner(x.caller.account_id, x.protocol.name, x.caller.mode)


class Keeper:
    """Keeps the answer to one request, if that is translated, before the caller sees its end.

    Parameters
    ----------
    quoted : mapping
        The kept answers of which it names parts.
    follows : str or None
        The kept answer that it goes on from.
    """

    def __init__(
        self, core: Core, x: Exchange, rules: KeepingRules[Any], quoted: Mapping[str, KeptAnswer], follows: str | None
    ) -> None:
        self._core = core
        self._x = x
        self._rules = rules
        self._request = x.request
        self._quoted = quoted
        self._follows = follows

    @functools.cached_property
    def _turn(self) -> str:
        return msgspec.json.encode(self._rules.turn(self._request, self._quoted)).decode()

    @functools.cached_property
    def _keeps(self) -> bool:
        wanted = self._rules.wanted
        if not self._core.settings.answer_days or wanted is None or not wanted(self._request):
            return False
        return len(self._turn) <= MOST_KEPT

    def asked(self) -> HttpRequest:
        """Return the request as it came, for what its answer repeats; whether it is kept, too."""
        asked = copy.copy(self._request)
        asked.raw = _changed(asked, self._rules.repeats(self._keeps))
        return asked

    async def whole(self, body: bytes) -> None:
        """Keep a whole answer, if it is to be kept."""
        if await self._x.apart(self._judged):
            await self._keep(msgspec.json.decode(body))

    async def end(self, events: bytes) -> None:
        """Keep the answer that the last of a stream's events hold, if it is to be kept."""
        for event in events_of(events) if await self._x.apart(self._judged) else ():
            await self._keep(event_json(event))

    def _judged(self) -> bool:
        return self._keeps

    async def _keep(self, told: Json) -> None:
        made = self._rules.read(told)
        if made is None:
            return
        name, value = made
        texts = {"turn": self._turn, "answer": msgspec.json.encode(value).decode()}
        link = Link(name, self._follows, sum(map(len, texts.values())))
        owner, now = _owner(self._x), now_ms()
        expires_at = now + round(self._core.settings.answer_days * _DAY_MS)
        try:
            await self._core.db.write(lambda tx: kept_rows.keep(tx, owner, link, texts, now, expires_at))
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
    follows, quotes = rules.follows(x.request), place.bounded(await x.apart(rules.quotes, x.request))
    quoted: Mapping[str, KeptAnswer] = {}
    before: Sequence[KeptAnswer] = ()
    if follows or quotes:
        quoted, before = await _load(core, x, operation, follows, quotes)
    if rules.wanted is not None:
        x.keeper = Keeper(core, x, rules, quoted, before[-1].id if before else None)
    if not quoted and not before:
        return

    def whole() -> HttpRequest:
        request = copy.copy(x.request)
        request.raw = _changed(request, rules.whole(before, rules.turn(request, quoted)))
        if len(request.raw) > operation.max_body:
            raise _too_large(operation.max_body)
        return request

    # What is kept may be much, however little the request itself says.
    request = await asyncio.to_thread(whole)
    x.request = request
    await decode_again(request, operation, core.intake)


async def _load(
    core: Core, x: Exchange, operation: Call[Any], follows: str | None, quotes: Sequence[str]
) -> tuple[Mapping[str, KeptAnswer], Sequence[KeptAnswer]]:
    """Return the kept answers that a request takes parts from, by id, and those that it goes on from, in order."""
    owner, now, most = _owner(x), now_ms(), operation.max_body

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
    owner, now = _owner(x), now_ms()
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


async def sweep(core: Core) -> None:
    """Forget what has expired."""
    await core.db.write(lambda tx: kept_rows.sweep(tx, now_ms()))
