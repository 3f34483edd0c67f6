"""Calls that only touch objects which vendors keep: sent to where these live, and free."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from ...accounts.models import Channel
from ...declare import Failure, Forwarded, ObjectCall, ObjectRules, Reason, Stream, StreamRules
from ...declare import Links as OwnLinks
from ...storage import object_rows
from ...tasks import store
from ...tasks.store import Stored
from ...upstream import Cut, Pieces, Response, Stalled, UpstreamError, transports
from ...upstream.sockets import MOST_EVENT
from .. import answers, candidates, outgoing, pricing, settlement
from ..answers import outputs
from ..attempts import Attempts, Refusal, Taken, judge
from ..body import WINDOW
from ..body.upload import Upload
from ..candidates import MAX_ATTEMPTS, Candidate
from ..core import Core
from ..exchange import HEADER_PAIRS, Exchange, Tap
from ..outgoing import Outgoing
from ..pricing import Tiers
from ..settlement import Outcome
from . import conversations, kept, place


class ObjectSender:
    """Sends a call on objects to one channel; see `deeepai.gateway.attempts.Sender`."""

    def __init__(self, core: Core, x: Exchange, operation: Forwarded[Any], upload: Upload | None = None) -> None:
        self._core = core
        self._x = x
        self._operation = operation
        self._upload = upload
        self._outgoing: Outgoing | None = None

    @property
    def spent(self) -> bool:
        """Whether it cannot be sent once more, as its body came but once."""
        return self._upload is not None and self._upload.begun

    def repeats(self, fault: UpstreamError) -> bool:
        """Tell that what may have made something is not sent twice."""
        return False

    def prepare(self, channel: Channel, candidate: Candidate) -> None:
        """Make the request ready for a channel."""
        self._outgoing = build(self._x, self._operation, channel, candidate.model)

    async def send(self, channel: Channel) -> Response | Refusal:
        """Send it."""
        out, upload = self._outgoing, self._upload
        if out is None:
            raise TypeError("nothing was prepared")
        body = out.body if upload is None else Pieces(upload.length, upload.pieces())
        client = transports.client_for(self._core.client, channel, out.model)
        response = await client.send(out.method, out.url, out.headers, body, out.limits)
        if response.status < 300:
            return response
        answer = await answers.error(response)
        return Refusal(answer, judge(self._x.protocol, answer))


def build(x: Exchange, operation: Forwarded[Any], channel: Channel, model: str) -> Outgoing:
    """Make the request for one channel, the query with it but for keys."""
    out = outgoing.build(x.protocol, operation, x.request, channel, outgoing.facts(x, channel, model))
    query: str = x.request.scope["query_string"].decode("latin-1")
    if query:
        if x.protocol.key_queries:
            pairs = parse_qsl(query, keep_blank_values=True)
            query = urlencode([pair for pair in pairs if pair[0] not in x.protocol.key_queries])
        out = msgspec.structs.replace(out, url=f"{out.url}{'&' if '?' in out.url else '?'}{query}")
    return out


def free(x: Exchange, tiers: Tiers) -> Candidate:
    """Return the one candidate of a call that costs nothing."""
    estimate = settlement.NOTHING
    return Candidate(x.requested_model, x.model, tiers, pricing.unpriced(x.caller, x.model, estimate))


# Calls -------------------------------------------------------------------------------------------------------------


async def run(core: Core, x: Exchange, operation: ObjectCall[Any]) -> None:
    """Pass a call on and its answer back; it costs nothing.

    Raises
    ------
    Failure
    """
    if operation.model is not None and operation.model(x.request):
        candidates.name_model(core, x)
    if await kept.serve(core, x, operation) or await conversations.serve(core, x, operation):
        return
    rules, outcome = operation.objects, Outcome()
    located = await place.locate(core, x, rules)
    if operation.stream_body and b"content-encoding" in x.request.headers:
        x.request.room = core.intake.room
        x.request.hold(WINDOW)
    upload = Upload(x.request, operation, x.receive, core.settings.max_upload) if operation.stream_body else None
    ending = list(rules.ends(x.request)) if rules.ends is not None else []
    for name in ending:
        await _settled(core, x, name)
    tiers = place.tiers(core, x, located.channel)
    attempts = Attempts(core, x, ObjectSender(core, x, operation, upload), outcome)
    attempts.over([(free(x, tiers), core.dispatcher.attempts(tiers, MAX_ATTEMPTS, account=x.caller.account_id))])
    try:
        while not await _asked(core, x, operation, attempts, outcome):
            pass
    except Failure as failure:
        outcome.error = outcome.error or failure.message
        core.ledger.record(settlement.usage_row(x, outcome, failure.kind.status))
        raise


async def _asked(
    core: Core, x: Exchange, operation: ObjectCall[Any], attempts: Attempts[Response], outcome: Outcome
) -> bool:
    """Ask until a channel takes the call; tell whether its answer reached the caller."""
    taken = await attempts.take()
    if isinstance(taken, Refusal):
        core.ledger.record(settlement.usage_row(x, outcome, taken.answer.status))
        await answers.pass_on(x, taken.answer)
        return True
    with taken.attempt:
        try:
            await _Back(core, x, operation, outcome).send(taken)
        except UpstreamError as fault:
            taken.reply.abort()
            attempts.failed(taken.attempt, fault)
            return False
        except BaseException:
            taken.reply.abort()
            raise
    return True


class _Back:
    """The answer to a call on objects, on its way to the caller."""

    def __init__(self, core: Core, x: Exchange, operation: ObjectCall[Any], outcome: Outcome) -> None:
        self._core = core
        self._x = x
        self._operation = operation
        self._outcome = outcome

    async def send(self, taken: Taken[Response]) -> None:
        core, x, rules, response = self._core, self._x, self._operation.objects, taken.reply
        channel = taken.attempt.channel
        ending = list(rules.ends(x.request)) if rules.ends is not None else []
        streams = _streams(response)
        task = None if streams else await _background_at(core, x, self._operation, channel)
        kept_files, shape = self._operation.outputs, self._operation.shape
        untouched = not (rules.makes or rules.shows or kept_files or shape or task or ending)
        if untouched or streams:
            core.ledger.record(settlement.usage_row(x, self._outcome, response.status))
            through = Through(x, self._operation)
            if streams and rules.makes is not None:
                through.tap = (place.ObjectTap(core, x, rules), channel)
            await through.run(response)
            taken.attempt.done(ok=True)
            return
        answer = await answers.whole(core, x, response)
        if shape is not None:
            answers.judge_whole(shape, answer)
        taken.attempt.done(ok=True)
        if kept_files is not None:
            answer = msgspec.structs.replace(answer, body=await outputs.keep(core, x, taken, answer, kept_files))
        value = answer.json()
        if rules.makes is not None and value is not None:
            await place.record(core, x, channel, rules.makes(x.request, value))
        if ending:
            owner = place.owner_of(x)
            await core.db.write(lambda tx: object_rows.forget(tx, owner, ending))
        if task is not None:
            status = core.life.rules(task).read(answer, task)
            if status.state.final:
                # What the caller is about to see is paid for first.
                await core.life.apply(task, status)
        core.ledger.record(settlement.usage_row(x, self._outcome, response.status))
        shown = show(rules, answer.body, candidates.links_for(core, x))
        await x.answer(response.status, answers.answer_headers(x, answer.headers), shown)


def show(rules: ObjectRules[Any], body: bytes, links: OwnLinks) -> bytes:
    """Return what the caller sees of an answer."""
    if rules.shows is None:
        return body
    try:
        return msgspec.json.encode(rules.shows(msgspec.json.decode(body), links))
    except (msgspec.DecodeError, RecursionError):
        return body


class Through:
    """An answer that is sent on as it comes, as fast as the caller takes it.

    Attributes
    ----------
    tap : tuple or None
        Who takes the events of a stream before the caller sees them, and of which channel they are.
    before_end : callable or None
        What must be done before the end leaves; the answer is then read to its end even where the caller left.
    """

    def __init__(self, x: Exchange, operation: Forwarded[Any]) -> None:
        self._x = x
        self._operation = operation
        self.tap: tuple[Tap, Channel] | None = None
        self.before_end: Callable[[], Awaitable[None]] | None = None

    async def run(self, response: Response) -> None:
        """Send it.

        Raises
        ------
        UpstreamError
            It broke off before anything was sent.
        """
        x, rest, latest = self._x, b"", b""
        first = await response.next()
        numbered = self._numbered(response)
        await x.head(response.status, _headers(x, response.headers))
        watch = asyncio.ensure_future(_watch(x, response if self.before_end is None else None))
        try:
            data = first
            while data:
                if self.tap is not None:
                    rest = await _tapped(*self.tap, rest + data)
                await x.send({"type": "http.response.body", "body": data, "more_body": True})
                if numbered is not None:
                    # With the end of an event in it.
                    latest = data if b"\n\n" in data else latest + data
                if len(rest) > MOST_EVENT or len(latest) > MOST_EVENT:
                    raise Cut("an event of the stream is too long")
                data = await response.next()
        except (Cut, Stalled) as fault:
            if self.before_end is None and watch.done():
                return
            response.abort()
            await self._cut(response, fault, latest)
            return
        finally:
            watch.cancel()
        response.release()
        if self.before_end is not None:
            await self.before_end()
        await x.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _cut(self, response: Response, fault: Cut | Stalled, latest: bytes) -> None:
        rules = stream_rules(self._operation)
        if not _streams(response) or rules is None:
            # The connection closes before the length that was promised.
            raise fault
        self._x.ended_in_error = True
        failure = Failure(Reason.UPSTREAM, f"The upstream broke off: {fault}")
        body = rules.error(failure, self._x.id)
        numbered = self._numbered(response)
        if numbered is not None:
            body = numbered(body, latest)
        await self._x.send({"type": "http.response.body", "body": body, "more_body": False})

    def _numbered(self, response: Response) -> Callable[[bytes, bytes], bytes] | None:
        rules = stream_rules(self._operation)
        return rules.numbered if rules is not None and _streams(response) else None


def _streams(response: Response) -> bool:
    return response.headers.get("content-type", "").startswith("text/event-stream")


def stream_rules(operation: Forwarded[Any]) -> StreamRules[Any] | None:
    """Return the rules of an operation's event stream, if it has one."""
    if isinstance(operation, Stream):
        return operation.rules
    return operation.stream if isinstance(operation, ObjectCall) else None


def _headers(x: Exchange, sent: Mapping[str, str]) -> HEADER_PAIRS:
    headers = answers.answer_headers(x, sent)
    for name in ("content-length", "content-disposition", "content-range", "accept-ranges", "last-modified", "etag"):
        if name in sent and "content-encoding" not in sent:
            headers.append((name.encode(), sent[name].encode("latin-1", "replace")))
    return headers


async def _tapped(tap: Tap, channel: Channel, data: bytes) -> bytes:
    """Hand over the events that have come whole; return the rest."""
    while (at := data.find(b"\n\n")) >= 0:
        event, data = data[: at + 2], data[at + 2 :]
        if tap.wants(event):
            await tap.event(event, channel)
    return data


async def _watch(x: Exchange, response: Response | None) -> None:
    """Let go of the upstream as soon as the caller has left."""
    await x.gone()
    if response is not None:
        response.abort()


# Background work -----------------------------------------------------------------------------------------------------


async def _background_at(core: Core, x: Exchange, operation: Forwarded[Any], channel: Channel) -> Stored | None:
    """Return the open background work that the call's very path asks for."""
    if x.request.method != "GET":
        return None
    ids = [value for value in x.request.params.values() if "\0" not in value]
    if not ids:
        return None
    account_id, last = x.caller.account_id, ids[-1]
    task = await core.db.read(lambda tx: store.by_upstream(tx, account_id, channel.id, last))
    if task is None or task.finished_at is not None:
        return None
    path = build(x, operation, channel, x.model).url.partition("?")[0].removeprefix(channel.base_url.rstrip("/"))
    return task if task.background_path == path else None


async def _settled(core: Core, x: Exchange, name: str) -> None:
    """See to it that nothing is under way in an object that is about to end.

    Raises
    ------
    Failure
        CONFLICT: what it costs could not be told any more.
    """
    viewer, protocol = x.caller, x.protocol.name

    async def under_way() -> list[Stored]:
        found = await core.db.read(lambda tx: store.latest(tx, viewer, protocol, None, open_only=True))
        return [task for task in found if name == task.upstream_id or name in task.within]

    # Some tell that they have ended first, and then what they used.
    for _ in range(2):
        for task in await under_way():
            task.polled_at = None
            await core.poller.fresh(task)
    if await under_way():
        raise Failure(Reason.CONFLICT, f"Work is under way in '{name[:128]}'; cancel it or wait for its end")
