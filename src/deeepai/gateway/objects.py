"""Objects that vendors keep: who owns them, at which channel they live, and the calls that only touch them.

A call that names objects goes where they live. One that names none and no model goes to the account's own place among
the channels: of those of the highest priority one, always the same as long as it is there, so that what an account
stores comes together and can be used together. A channel whose setting `objects` is false is nobody's place.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import structlog

from ..accounts.models import Channel
from ..declare import Answer, Failure, Json, Made, ObjectRules, Reason
from ..storage.ids import now_ms
from ..tasks import store
from ..tasks.store import Stored
from ..upstream import Cut, MaybeSent, NotSent, Pieces, Response, Stalled, UpstreamError, transports
from . import answers, call, object_rows, outgoing, settlement
from .body.upload import Upload
from .core import Core
from .dispatch import Attempt, serves, unavailable
from .exchange import Exchange
from .exchange import Tap as Taker
from .object_rows import Owned, Owner
from .outgoing import Outgoing
from .settlement import Outcome

log = structlog.get_logger()

MOST_NAMED = 2000
"""Objects in one request."""
MOST_HINTS = 100
MAX_ATTEMPTS = 4


def rules_of(x: Exchange) -> ObjectRules:
    """Return the operation's rules for objects."""
    rules = x.operation.objects
    assert rules is not None
    return rules


def owner_of(x: Exchange) -> Owner:
    """Return whose objects a request may use."""
    return Owner(x.caller.account_id, x.protocol.name)


# Where objects live ------------------------------------------------------------------------------------------------


def _home(core: Core, x: Exchange, found: Owned) -> Channel | None:
    """Return an object's channel; None where it is not for this caller's token."""
    channel = core.dispatcher.by_id(found.channel_id)
    if channel is None:
        raise Failure(Reason.UNAVAILABLE, "The upstream at which the object lives is gone")
    return channel if channel.mode == x.caller.mode else None


def missing(name: str) -> Failure:
    """Say that an object is not the caller's, whoever else's it may be."""
    return Failure(Reason.NOT_FOUND, f"No such object: '{name[:128]}'", param="id")


def broken() -> Failure:
    """Say that an upstream did not tell of an object."""
    return Failure(Reason.UPSTREAM, "The upstream at which the objects live did not answer well")


def encode(value: Json) -> bytes:
    """Return a value as JSON."""
    return msgspec.json.encode(value)


async def named(core: Core, x: Exchange, named: Sequence[str]) -> list[Owned]:
    """Return the caller's objects of these ids.

    Raises
    ------
    Failure
        NOT_FOUND, where one is not the caller's; INVALID, where there are too many.
    """
    if not named:
        return []
    ids = list(dict.fromkeys(named))
    if len(ids) > MOST_NAMED:
        raise Failure(Reason.INVALID, f"A request names at most {MOST_NAMED} objects")
    owner = owner_of(x)
    found = await core.db.read(lambda tx: object_rows.find(tx, owner, ids))
    for one in ids:
        if one not in found or _home(core, x, found[one]) is None:
            raise missing(one)
    return [found[one] for one in ids]


async def place(core: Core, x: Exchange, found: Sequence[Owned], hints: Sequence[str] = ()) -> Channel | None:
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


def levels(core: Core, x: Exchange, channel: Channel | None) -> Sequence[Sequence[Channel]]:
    """Return the channels to try for a call that costs nothing.

    Raises
    ------
    Failure
        NO_MODEL, or UNAVAILABLE where no channel takes objects.
    """
    if channel is not None:
        x.pin = channel
        return ((channel,),) if not x.model or core.serving(x, x.model) else core.levels(x, None)
    if x.model:
        # A translator carries no objects.
        own = [
            [one for one in level if one.protocol == x.protocol.name and serves(one, x.operation.name)]
            for level in core.levels(x, None)
        ]
        own = [level for level in own if level]
        if not own:
            raise Failure(Reason.INVALID, f"The upstream that serves '{x.asked}' cannot do this", param="model")
        return own
    token, name = x.caller, x.operation.name
    found = [
        one
        for one in core.dispatcher.channels
        if one.enabled
        and one.protocol == x.protocol.name
        and one.mode == token.mode
        and (one.price_groups is None or token.price_group in one.price_groups)
        and one.settings.get("objects") is not False
        and serves(one, name)
    ]
    if not found:
        raise Failure(Reason.UNAVAILABLE, "No channel keeps such objects")
    found.sort(key=lambda one: (-one.priority, one.weight == 0, _draw(token.account_id, one.id)))
    return [(one,) for one in found]


def _draw(account_id: str, channel_id: str) -> bytes:
    return hashlib.sha256(f"{account_id}/{channel_id}".encode()).digest()


# What answers tell -------------------------------------------------------------------------------------------------


async def record(core: Core, x: Exchange, channel: Channel, made: Iterable[Made]) -> None:
    """Record objects as the caller's."""
    found = list(made)
    if found:
        owner, token_id = owner_of(x), x.caller.id
        await core.db.write(lambda tx: object_rows.add(tx, owner, token_id, channel.id, found, now_ms()))


class Tap:
    """Records the objects that a call's answer tells of, before the caller sees it."""

    def __init__(self, core: Core, x: Exchange) -> None:
        self._core = core
        self._x = x
        self._rules = rules_of(x)
        self._told = False

    def wants(self, data: bytes) -> bool:
        """Tell whether events may tell of objects."""
        marks = self._rules.marks
        return any(mark in data for mark in marks) if marks else not self._told

    async def event(self, event: bytes, channel: Channel) -> None:
        """Take a stream's event."""
        value = event_json(event)
        if value is not None:
            self._told = True
            await self.whole(value, channel)

    async def whole(self, value: Json, channel: Channel) -> None:
        """Take a whole answer."""
        assert self._rules.makes is not None
        await record(self._core, self._x, channel, self._rules.makes(self._x.request, value))


def event_json(event: bytes) -> Json:
    """Return the JSON in a server-sent event's data, or None."""
    data = b"\n".join([line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")])
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None


# Calls -------------------------------------------------------------------------------------------------------------


def build(core: Core, x: Exchange, channel: Channel) -> Outgoing:
    """Make the request for one channel, the query with it but for keys."""
    facts = core.facts(x, channel, None)
    out = outgoing.build(x.protocol, x.operation, x.request, channel, facts)
    query: str = x.request.scope["query_string"].decode("latin-1")
    if query:
        if x.protocol.key_queries:
            pairs = parse_qsl(query, keep_blank_values=True)
            query = urlencode([pair for pair in pairs if pair[0] not in x.protocol.key_queries])
        out = msgspec.structs.replace(out, url=f"{out.url}{'&' if '?' in out.url else '?'}{query}")
    return out


class Lost(Failure):
    """Nobody knows whether the upstream took the request."""


async def reach(
    core: Core, x: Exchange, attempts: Iterator[Attempt], outcome: Outcome, upload: Upload | None = None
) -> tuple[Response, Attempt] | Answer:
    """Send a request to the first channel that takes it; return its answer, or the refusal to pass on.

    Raises
    ------
    Failure
    """
    refusal: Answer | None = None
    failure: Failure | None = None
    for attempt in attempts:
        channel = attempt.channel
        outcome.attempts += 1
        outcome.channel_id = channel.id
        try:
            out = build(core, x, channel)
            body = out.body if upload is None else Pieces(upload.length, upload.pieces())
            with x.waiting():
                client = transports.through(core.client, channel, out.model)
                response = await client.send(out.method, out.url, out.headers, body, channel.limits)
        except NotSent as fault:
            attempt.done(ok=False, fault=str(fault))
            failure = call.upstream_failure(core, x, channel, fault, outcome)
            continue
        except (MaybeSent, Stalled) as fault:
            attempt.done(ok=False, fault=str(fault))
            failure = call.upstream_failure(core, x, channel, fault, outcome)
            raise Lost(failure.kind, failure.message) from None
        except BaseException:
            attempt.cancelled()
            raise
        outcome.first_byte = time.perf_counter() - x.started
        if response.status < 400:
            return response, attempt
        answer = await answers.error(response)
        blamed = x.protocol.channel_fault(answer)
        fine = not blamed and not call.passing(answer)
        attempt.done(
            ok=fine, fault="" if fine else f"HTTP {answer.status}", rest=None if fine else call.rest(answer, blamed)
        )
        if fine or (upload is not None and upload.begun and not blamed):
            return answer
        if blamed:
            failure = Failure(Reason.UPSTREAM, "The upstream account that serves this is not usable now")
            if upload is not None and upload.begun:
                break
        else:
            refusal = answer
    if refusal is not None:
        return refusal
    raise failure or unavailable(x.model or x.route.name)


async def forward(core: Core, x: Exchange, rules: ObjectRules, channel: Channel | None) -> None:
    """Pass a call on and its answer back; it costs nothing."""
    operation, outcome = x.operation, Outcome()
    upload = Upload(x.request, operation, x.receive, core.settings.max_upload) if operation.stream_body else None
    ended = list(rules.ends(x.request)) if rules.ends is not None else []
    for one in ended:
        await _settled(core, x, one)
    attempts = core.dispatcher.attempts(levels(core, x, channel), MAX_ATTEMPTS)
    try:
        found = await reach(core, x, attempts, outcome, upload)
        if isinstance(found, Answer):
            outcome.error = f"HTTP {found.status}"
            core.ledger.record(settlement.usage_row(x, outcome, found.status))
            await answers.pass_on(x, found)
            return
        response, attempt = found
        try:
            await _back(core, x, rules, response, attempt, ended, outcome)
        except UpstreamError as fault:
            attempt.done(ok=False, fault=str(fault))
            raise call.upstream_failure(core, x, attempt.channel, fault, outcome) from None
        except BaseException:
            attempt.cancelled()
            response.abort()
            raise
    except Failure as failure:
        outcome.error = outcome.error or failure.message
        core.ledger.record(settlement.usage_row(x, outcome, failure.kind.status))
        raise


async def _back(
    core: Core,
    x: Exchange,
    rules: ObjectRules,
    response: Response,
    attempt: Attempt,
    ended: Sequence[str],
    outcome: Outcome,
) -> None:
    channel = attempt.channel
    streams = response.headers.get("content-type", "").startswith("text/event-stream")
    work = None if streams else await _work_at(core, x, channel)
    if rules.makes is None and rules.shows is None and work is None and not ended:
        core.ledger.record(settlement.usage_row(x, outcome, response.status))
        await stream_through(x, response)
        attempt.done(ok=True)
        return
    if streams:
        core.ledger.record(settlement.usage_row(x, outcome, response.status))
        await stream_through(x, response, Tap(core, x) if rules.makes is not None else None, channel)
        attempt.done(ok=True)
        return
    with x.waiting():
        body = await response.read(core.settings.max_answer)
    response.release()
    attempt.done(ok=True)
    answer = Answer(response.status, response.headers, body)
    value = answer.json()
    if rules.makes is not None and value is not None:
        await record(core, x, channel, rules.makes(x.request, value))
    if ended:
        owner = owner_of(x)
        await core.db.write(lambda tx: object_rows.forget(tx, owner, ended))
    if work is not None:
        reading = core.life.rules(work).read(answer, work)
        if reading.state.final:
            # What the caller is about to see is paid for first.
            await core.life.apply(work, reading)
    core.ledger.record(settlement.usage_row(x, outcome, response.status))
    await x.answer(response.status, answers.answer_headers(x, answer.headers), shown(core, x, body))


def shown(core: Core, x: Exchange, body: bytes) -> bytes:
    """Return what the caller sees of an answer."""
    shows = rules_of(x).shows
    if shows is None:
        return body
    try:
        return encode(shows(msgspec.json.decode(body), core.links_for(x)))
    except (msgspec.DecodeError, RecursionError):
        return body


async def stream_through(
    x: Exchange,
    response: Response,
    tap: Taker | None = None,
    channel: Channel | None = None,
    before_end: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Send an answer on as it comes, as fast as the caller takes it.

    Parameters
    ----------
    before_end : callable, optional
        What must be done before the end leaves; the answer is then read to its end even where the caller left.

    Raises
    ------
    UpstreamError
        It broke off before anything was sent.
    """
    headers = answers.answer_headers(x, response.headers)
    for name in ("content-length", "content-disposition", "content-range", "accept-ranges", "last-modified", "etag"):
        if name in response.headers and "content-encoding" not in response.headers:
            headers.append((name.encode(), response.headers[name].encode("latin-1", "replace")))
    events = response.headers.get("content-type", "").startswith("text/event-stream")
    rest = b""
    first = await response.next()
    await x.head(response.status, headers)
    watch = asyncio.ensure_future(_watch(x, response if before_end is None else None))
    try:
        data = first
        while data:
            if tap is not None and channel is not None:
                rest += data
                while (at := rest.find(b"\n\n")) >= 0:
                    event, rest = rest[: at + 2], rest[at + 2 :]
                    if tap.wants(event):
                        await tap.event(event, channel)
            await x.send({"type": "http.response.body", "body": data, "more_body": True})
            data = await response.next()
    except (Cut, Stalled) as fault:
        if before_end is None and watch.done():
            return
        response.abort()
        rules = x.operation.stream
        if not events or rules is None:
            # The connection closes before the length that was promised.
            raise
        x.broken = True
        failure = Failure(Reason.UPSTREAM, f"The upstream broke off: {fault}")
        await x.send({"type": "http.response.body", "body": rules.error(failure, x.id), "more_body": False})
        return
    finally:
        watch.cancel()
    response.release()
    if before_end is not None:
        await before_end()
    await x.send({"type": "http.response.body", "body": b"", "more_body": False})


async def _watch(x: Exchange, response: Response | None) -> None:
    """Let go of the upstream as soon as the caller has left."""
    while (await x.receive())["type"] != "http.disconnect":
        pass
    if response is not None:
        response.abort()


# Work under way ----------------------------------------------------------------------------------------------------


async def _work_at(core: Core, x: Exchange, channel: Channel) -> Stored | None:
    """Return the open work that the call's very path asks for."""
    if x.request.method != "GET":
        return None
    ids = [value for value in x.request.params.values() if "\0" not in value]
    if not ids:
        return None
    account_id, last = x.caller.account_id, ids[-1]
    task = await core.db.read(lambda tx: store.by_upstream(tx, account_id, channel.id, last))
    if task is None or task.finished_at is not None:
        return None
    asked: Any = task.facts.get("path")
    return (
        task
        if asked == build(core, x, channel).url.partition("?")[0].removeprefix(channel.base_url.rstrip("/"))
        else None
    )


async def _settled(core: Core, x: Exchange, name: str) -> None:
    """See to it that nothing is under way in an object that is about to end.

    Raises
    ------
    Failure
        CONFLICT: what it costs could not be told any more.
    """
    account_id, protocol = x.caller.account_id, x.protocol.name

    async def under_way() -> list[Stored]:
        found = await core.db.read(lambda tx: store.latest(tx, account_id, protocol, None, open_only=True))
        return [task for task in found if name == task.upstream_id or name in task.facts.get("within", ())]

    # Some tell that they have ended first, and then what they used.
    for _ in range(2):
        for task in await under_way():
            task.polled_at = None
            await core.poller.fresh(task)
    if await under_way():
        raise Failure(Reason.CONFLICT, f"Work is under way in '{name[:128]}'; cancel it or wait for its end")
