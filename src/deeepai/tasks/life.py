"""What happens to a task between its submission and its end; money and state change in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from ..accounts.models import Channel
from ..accounts.vault import Vault
from ..declare import (
    MALFORMED,
    Accepted,
    Answer,
    Child,
    Hook,
    JobFace,
    JobRules,
    JobTranslator,
    Made,
    Protocol,
    State,
    TaskStatus,
    UpstreamCall,
    Usage,
)
from ..money.entries import UPSERT_USAGE
from ..money.ledger import Ledger, UsageRow
from ..safe_fetch import SafeFetch
from ..storage import object_rows
from ..storage.database import Database, Tx
from ..storage.ids import now_ms
from ..upstream import Client, UpstreamError, credentials, transports
from . import lines, outbox, store, webhooks
from .assets import AssetStore
from .files import FileKeeper
from .hosts import address
from .jobs import JobIndex
from .links import SignedLinks
from .results import Results
from .store import Stored
from .submissions import SubmissionOutcome
from .timing import Timing

log = structlog.get_logger()

MOST_TIMES = 10
"""A vendor is not believed that tells of so many times what was asked for."""
MISSES = 3
"""404s in a row after which the vendor is believed."""
PASSING = frozenset({408, 409, 425, 429})
YOUNG = 180.0
"""Seconds for which a task is asked for as often as its vendor likes; from then on, less and less often."""


_POLLED = (
    *("state", "progress", "snapshot", "misses", "polls", "polled_at", "started_at"),
    *("leased_until", "next_poll_at", "hold_id"),
)
_ENDED = (
    *("state", "error", "progress", "snapshot", "finished_at", "polled_at", "next_poll_at"),
    *("leased_until", "started_at", "hold_id", "cost", "results", "facts"),
)
_ACCEPTED = ("upstream_id", "facts", "state", "next_poll_at", "leased_until", "hold_id", "background_path", "within")


class TaskLife:
    """Moves tasks on.

    Parameters
    ----------
    channel : callable
        A channel by id, or None.
    price : callable
        What a usage costs under a price key and group, in 10⁻⁹ USD.
    """

    def __init__(
        self,
        *,
        db: Database,
        ledger: Ledger,
        protocols: Mapping[str, Protocol],
        translators: Iterable[JobTranslator] = (),
        client: Client,
        assets: AssetStore,
        files: FileKeeper,
        fetch: SafeFetch,
        vault: Vault,
        links: SignedLinks,
        timing: Timing,
        channel: Callable[[str], Channel | None],
        price: Callable[[str, Usage, str], int | None],
    ) -> None:
        self.db = db
        self.links = links
        self.timing = timing
        self.assets = assets
        self.files = files
        self._ledger = ledger
        self._protocols = protocols
        self._jobs = JobIndex(protocols, translators)
        self.results = Results(db, files, client, fetch, protocols, channel)
        self._client = client
        self._fetch = fetch
        self._vault = vault
        self._channel = channel
        self._price = price

    def rules(self, task: Stored) -> JobRules[Any]:
        """Return how a task is watched."""
        return self._jobs.rules(task.operation, task.served_by)

    def face(self, task: Stored) -> JobFace[Any]:
        """Return how a task's caller sees it.

        Raises
        ------
        KeyError
            It is background work, which its callers see as the vendor tells of it.
        """
        return self._jobs.faces[task.operation]

    # Submission ----------------------------------------------------------------------------------------------------

    def check_url(self, url: str) -> None:
        """Judge a caller's URL before it is kept.

        Raises
        ------
        Unsafe
        """
        self._fetch.check(url)

    async def begin(self, task: Stored, amount: int, row: UsageRow, most: int = 0) -> None:
        """Store a task, its usage row, and hold its price, before anything is sent.

        Raises
        ------
        InsufficientFunds
        """
        if task.hook is not None and task.hook.secret:
            task.hook_secret = self._vault.encrypt(task.hook.secret, f"hook:{task.id}")
        task.hook_key = secrets.token_urlsafe(18)
        task.state = State.SUBMITTING
        task.next_poll_at = now_ms() + int(self.timing.submit * 1000)

        async def work(tx: Tx) -> None:
            await self._open(tx, task, amount, most)
            await store.insert(tx, task)
            await tx.execute(UPSERT_USAGE, *msgspec.structs.astuple(row))

        await self.db.write(work)

    async def answered(self, request_id: str, status: int, outcome: SubmissionOutcome) -> None:
        """Complete the usage row of a submission."""
        error = outcome.error[:500] if outcome.error else None
        await self.db.write(
            lambda tx: tx.execute(
                "UPDATE usage SET status = $2, attempts = $3, channel_id = $4, upstream_model = $5, error = $6, "
                "latency_ms = $7 - created_at WHERE request_id = $1",
                *(request_id, status, outcome.attempts, outcome.channel_id, outcome.upstream_model, error, now_ms()),
            )
        )

    async def resume(self, task: Stored, amount: int, row: UsageRow) -> bool:
        """Hold the price of a waiting task whose input is about to be sent; False if it is no longer waiting."""
        before = (task.hold_id, task.state, task.next_poll_at)
        task.hold_id = row.request_id
        task.state = State.SUBMITTING
        task.next_poll_at = now_ms() + int(self.timing.submit * 1000)

        async def work(tx: Tx) -> bool:
            if not await store.update(tx, task, "state", "hold_id", "next_poll_at", "hook_url"):
                return False
            await self._open(tx, task, amount)
            await tx.execute(UPSERT_USAGE, *msgspec.structs.astuple(row))
            return True

        try:
            return await self.db.write(work)
        except BaseException:
            task.hold_id, task.state, task.next_poll_at = before
            raise

    async def _open(self, tx: Tx, task: Stored, amount: int, most: int = 0) -> None:
        assert task.hold_id is not None
        if task.mode == "test":
            return
        lifetime = self.rules(task).timeout + self.timing.unknown + 3600
        await self._ledger.open(
            tx,
            request_id=task.hold_id,
            account_id=task.account_id,
            token_id=task.token_id,
            amount=amount,
            most=most,
            task_id=task.id,
            expires_at=now_ms() + int(lifetime * 1000),
        )

    async def moved(self, task: Stored, channel_id: str, served_by: str | None) -> None:
        """Record that another channel is tried, and by which operation of another protocol, if so."""
        task.channel_id, task.served_by = channel_id, served_by

        async def work(tx: Tx) -> None:
            await store.update(tx, task, "channel_id", "served_by")

        await self.db.write(work)

    async def accepted(self, task: Stored, accepted: Accepted) -> None:
        """Record that the upstream took the submission. A task that waits for input costs nothing yet."""
        now = now_ms()
        # A good answer may name none yet: the task is looked for like one whose answer was lost.
        task.upstream_id = accepted.upstream_id or None
        task.facts = {**task.facts, **accepted.facts}
        task.background_path, task.within = accepted.path, list(accepted.within)
        task.state = accepted.state
        waiting = accepted.state is State.WAITING
        task.next_poll_at = None if waiting else now + self._interval(task, self.rules(task))
        # One that was lost is found under a poller's lease.
        task.leased_until = 0
        hold = task.hold_id
        if waiting:
            task.hold_id = None

        async def work(tx: Tx) -> None:
            current = await store.load_any(tx, task.id)
            if current is not None and current.state in (State.SUBMITTING, State.UNKNOWN):
                # A callback that overtook the answer was noted meanwhile; it has decided nothing.
                task.version = current.version
            if not await store.update(tx, task, *_ACCEPTED):
                log.warning("task.raced", task=task.id)
                return
            if waiting and hold is not None:
                await self._ledger.void(tx, hold)
            await _add_children(tx, task, accepted.children)
            await self._tell(tx, task, webhooks.CREATED)
            await self._notify(tx, task)

        await self.db.write(work)

    async def refused(self, task: Stored) -> None:
        """Forget a submission that the upstream did not take, and give its hold back."""

        async def work(tx: Tx) -> None:
            if task.hold_id is not None:
                await self._ledger.void(tx, task.hold_id)
            await tx.execute("DELETE FROM tasks WHERE id = $1", task.id)

        await self.db.write(work)

    async def not_resumed(self, task: Stored) -> None:
        """Put a task back to waiting, its input not taken."""

        async def work(tx: Tx) -> None:
            if task.hold_id is not None:
                await self._ledger.void(tx, task.hold_id)
            task.hold_id, task.state, task.next_poll_at = None, State.WAITING, None
            await store.update(tx, task, "state", "hold_id", "next_poll_at")

        await self.db.write(work)

    async def existing(self, task: Stored, upstream_id: str) -> Stored | None:
        """Drop a submission that named a task which exists already; return that task."""
        await self.refused(task)
        return await self.db.read(lambda tx: store.by_upstream(tx, task.account_id, task.channel_id, upstream_id))

    async def lost(self, task: Stored) -> None:
        """Park a submission of which nobody knows whether it arrived."""
        task.state = State.UNKNOWN
        task.next_poll_at = now_ms() + int(self.rules(task).interval * 1000)
        log.warning("task.unknown", task=task.id, protocol=task.protocol, channel=task.channel_id)

        async def work(tx: Tx) -> None:
            if await store.update(tx, task, "state", "next_poll_at"):
                await self._tell(tx, task, webhooks.CREATED)

        await self.db.write(work)

    async def stopping(self, task: Stored) -> None:
        """Record that the vendor took it upon itself to stop a task; it is looked at soon."""
        task.stop_asked_at = now_ms()
        await self.db.write(
            lambda tx: tx.execute(
                "UPDATE tasks SET stop_asked_at = $2, next_poll_at = $2 WHERE id = $1 AND finished_at IS NULL",
                *(task.id, task.stop_asked_at),
            )
        )

    # Polling -------------------------------------------------------------------------------------------------------

    async def look(self, tasks: Sequence[Stored]) -> None:
        """Ask one channel's upstream about tasks and apply what it says."""
        if not tasks:
            return
        rules = self.rules(tasks[0])
        known = [task for task in tasks if task.state not in (State.SUBMITTING, State.UNKNOWN)]
        for task in tasks:
            if task.state in (State.SUBMITTING, State.UNKNOWN):
                await self._reconcile(task, rules)
        channel = self._channel(tasks[0].channel_id)
        if channel is None:
            for task in known:
                await self.apply(task, None, "its channel is gone")
            return
        if len(known) > 1 and rules.batch is not None and rules.split is not None:
            answer, fault = await self._ask(channel, rules.batch(known))
            pieces = rules.split(answer) if answer is not None and answer.status == 200 else None
            for task in known:
                if pieces is None:
                    await self.apply(task, self._status(answer, task, rules), fault)
                else:
                    piece = pieces.get(task.upstream_id or "")
                    status = rules.read(piece, task) if piece is not None else TaskStatus(State.NOT_FOUND, None)
                    await self.apply(task, status)
            return
        for task in known:
            ask = rules.poll(task)
            if ask.lines:
                await self._add_up(channel, ask, task)
                continue
            answer, fault = await self._ask(channel, ask)
            await self.apply(task, self._status(answer, task, rules), fault)

    async def _add_up(self, channel: Channel, ask: UpstreamCall, task: Stored) -> None:
        """End a job of many calls: each is priced by itself."""
        rules, headers = self.rules(task), self._headers(channel, ask)
        if rules.line is None:
            await self.apply(task, None, "its answer cannot be read")
            return
        bill = lines.Bill(task, rules.line, self._price)
        try:
            answer = await lines.read(transports.client_for(self._client, channel), channel, ask, headers, bill.add)
        except (UpstreamError, TimeoutError) as fault:
            await self.apply(task, None, str(fault))
            return
        if answer.status != 200:
            await self.apply(task, self._status(answer, task, rules), f"HTTP {answer.status}")
            return
        status = TaskStatus(State.SUCCEEDED, task.snapshot, usage=bill.usage)
        await self._finish(task, State.SUCCEEDED, status=status, cost=bill.cost)

    def _status(self, answer: Answer | None, task: Stored, rules: JobRules[Any]) -> TaskStatus | None:
        """Read an answer; None where it says nothing about the task."""
        if answer is None:
            return None
        ended = rules.ends is not None and rules.ends(answer)
        if not ended and (answer.status >= 500 or answer.status in PASSING or answer.status in (401, 402, 403)):
            return None
        if not ended and (answer.status in (404, 204) or (answer.status == 200 and not answer.body)):
            return TaskStatus(State.NOT_FOUND, None)
        try:
            return rules.read(answer, task)
        except MALFORMED as fault:
            log.warning("poll.unreadable", task=task.id, error=str(fault)[:300])
            return None

    def _headers(self, channel: Channel, ask: UpstreamCall) -> dict[str, str]:
        return {**credentials.headers(self._protocols[channel.protocol], channel), **ask.headers}

    async def _ask(self, channel: Channel, ask: UpstreamCall) -> tuple[Answer | None, str]:
        headers, body = self._headers(channel, ask), None
        if ask.json is not None:
            body, headers["content-type"] = msgspec.json.encode(ask.json), "application/json"
        try:
            client = transports.client_for(self._client, channel)
            answer = await client.ask(ask.method, address(channel, ask.path), headers, body, channel.limits)
        except UpstreamError as fault:
            return None, str(fault)
        return answer, "" if answer.status < 400 else f"HTTP {answer.status}"

    async def _reconcile(self, task: Stored, rules: JobRules[Any]) -> None:
        """Find out what became of a submission whose answer was lost."""
        channel = self._channel(task.channel_id)
        found: str | None = None
        if channel is not None:
            candidate = task.candidate
            if candidate is not None:
                # A callback named this id. It is believed only if the vendor itself knows it under our credential.
                task.upstream_id = candidate
                answer, _ = await self._ask(channel, rules.poll(task))
                status = self._status(answer, task, rules)
                task.upstream_id = None
                if status is not None and status.state is not State.NOT_FOUND:
                    found = candidate
            elif rules.find_lost is not None and rules.found_lost is not None:
                answer, _ = await self._ask(channel, rules.find_lost(task.request_id))
                if answer is not None and answer.status == 200:
                    found = rules.found_lost(answer, task.request_id)
        if found is not None:
            log.info("task.found", task=task.id, upstream_id=found)
            await self.accepted(task, Accepted(found, State.QUEUED))
            return
        now = now_ms()
        if now - task.submitted_at > (self.timing.submit + self.timing.unknown) * 1000:
            await self._finish(task, State.FAILED, error="the upstream never confirmed the submission")
            return
        task.state = State.UNKNOWN
        task.polls += 1
        task.next_poll_at = now + self._interval(task, rules)
        task.leased_until = 0
        await self.db.write(lambda tx: store.update(tx, task, "state", "polls", "next_poll_at", "leased_until"))

    def _interval(self, task: Stored, rules: JobRules[Any]) -> int:
        age = (now_ms() - task.submitted_at) / 1000
        return int(rules.interval * 1000 * max(1.0, min(4.0, age / YOUNG)))

    async def apply(self, task: Stored, status: TaskStatus | None, fault: str = "") -> None:
        """Take over what a poll said.

        Parameters
        ----------
        status : TaskStatus or None
            None: nothing was learnt (`fault` says why); asked again later.
        """
        rules = self.rules(task)
        now = now_ms()
        if status is not None and status.state.final:
            if status.state is not State.SUCCEEDED:
                state = State.CANCELLED if task.stop_asked_at is not None else status.state
                await self._finish(task, state, status=status, error=status.error or "failed upstream")
                return
            if await self.results.take(task, status):
                await self._finish(task, State.SUCCEEDED, status=status)
                return
        overdue = now - task.submitted_at > rules.timeout * 1000
        if overdue and not (status is not None and status.state is State.WAITING):
            await self._finish(task, State.FAILED, error=f"timed out ({fault})" if fault else "timed out")
            return
        changed = begun = False
        task.misses = task.misses + 1 if status is not None and status.state is State.NOT_FOUND else 0
        if task.misses and task.stop_asked_at is not None:
            await self._finish(task, State.CANCELLED, error="cancelled")
            return
        if task.misses >= MISSES:
            await self._finish(task, State.FAILED, error="the upstream does not know the task any more")
            return
        if status is not None and status.state in (State.QUEUED, State.RUNNING, State.WAITING):
            changed = task.state is not status.state or task.progress != status.progress
            task.state, task.progress = status.state, status.progress
            task.snapshot = status.snapshot
            begun = status.state is State.RUNNING and task.started_at is None
            if begun:
                task.started_at = now
        task.polls += 1
        task.polled_at = now
        task.leased_until = 0
        # Trouble on the way slows the polling down, so that a sick vendor is left in peace.
        wait = self._interval(task, rules) * (1 if status is not None else 3)
        task.next_poll_at = None if task.state is State.WAITING else now + wait

        hold = task.hold_id if task.state is State.WAITING else None
        if hold is not None:
            task.hold_id = None

        async def work(tx: Tx) -> None:
            written = await store.update(tx, task, *_POLLED)
            if written and hold is not None:
                await self._ledger.void(tx, hold)
            if written and status is not None:
                await _add_children(tx, task, status.children)
            if written and begun:
                await self._tell(tx, task, webhooks.STARTED)
            if written and changed and task.hook is not None and self.face(task).hook_each_change:
                await self._notify(tx, task)

        await self.db.write(work)

    async def _finish(
        self,
        task: Stored,
        state: State,
        *,
        status: TaskStatus | None = None,
        error: str | None = None,
        cost: int | None = None,
    ) -> None:
        """End a task: state, money, and the callback, all or nothing. The cost follows from the usage, or is given."""
        now = now_ms()
        consumed: Usage | None = None
        if state is State.SUCCEEDED:
            consumed = status.usage if status is not None else None
            if consumed is None:
                share = task.estimate.share * (status.share if status is not None else 1.0)
                consumed = msgspec.structs.replace(task.estimate, share=share, basis="call")
            if cost is None:
                cost = self._price(task.price_key, consumed, task.price_group)
                asked = self._price(task.price_key, task.estimate, task.price_group)
                if cost and asked and cost > asked * MOST_TIMES:
                    log.warning("task.unbelieved", task=task.id, told=cost, asked=asked)
                    cost, consumed = asked, msgspec.structs.replace(task.estimate, basis="call")
        cost = cost or 0 if task.mode == "live" else 0
        if status is not None and status.snapshot is not None:
            task.snapshot = status.snapshot
        task.state, task.error = state, error
        task.progress = 100 if state is State.SUCCEEDED else task.progress
        task.finished_at = task.polled_at = now
        task.next_poll_at, task.leased_until = None, 0
        task.started_at = task.started_at or task.submitted_at
        hold, task.hold_id = task.hold_id, None
        task.cost = cost if hold is not None else 0

        async def work(tx: Tx) -> None:
            written = await store.update(tx, task, *_ENDED)
            if not written:
                return
            if status is not None:
                await _add_children(tx, task, status.children)
            if hold is not None:
                if cost:
                    await self._ledger.charge(tx, hold, cost)
                else:
                    await self._ledger.void(tx, hold)
                await tx.execute(
                    "UPDATE usage SET cost = $2, basis = $3, consumed = $4, error = $5 WHERE request_id = $1",
                    hold,
                    cost,
                    consumed.basis if consumed is not None else None,
                    msgspec.json.encode(consumed).decode() if consumed is not None else None,
                    error,
                )
            await self._tell(tx, task, webhooks.ENDS[state])
            await self._notify(tx, task)

        await self.db.write(work)
        log.info("task.ended", task=task.id, protocol=task.protocol, state=state.value, cost=cost, error=error)

    async def _tell(self, tx: Tx, task: Stored, event: str) -> None:
        await webhooks.tell(tx, task, event, self.links, now_ms())

    async def _notify(self, tx: Tx, task: Stored) -> None:
        if task.hook is None:
            return
        face = self.face(task)
        if face.hook_message is None or not (task.state.final or face.hook_each_change):
            return
        if task.hook_secret and task.hook.secret is None:
            task.hook = Hook(task.hook.url, self._vault.decrypt(task.hook_secret, f"hook:{task.id}"))
        message = face.hook_message(task, self.links)
        await outbox.enqueue(tx, task, message, now_ms())

    # Hints ---------------------------------------------------------------------------------------------------------

    async def hint(self, task_id: str, key: str, body: bytes) -> bool:
        """Take an upstream's callback as a reason to look now; its body is not believed.

        Returns
        -------
        bool
            Whether the address was one of ours.
        """
        task = await self.db.read(lambda tx: store.load_any(tx, task_id))
        if task is None or not secrets.compare_digest(task.hook_key.encode(), key.encode()):
            return False
        rules = self.rules(task)
        candidate: str | None = None
        if task.upstream_id is None and rules.hook_in is not None:
            with suppress(msgspec.DecodeError, ValueError):
                candidate = rules.hook_in(msgspec.json.decode(body))

        async def work(tx: Tx) -> None:
            await tx.execute(
                "UPDATE tasks SET next_poll_at = $2 WHERE id = $1 AND next_poll_at > $2 AND state <> 'submitting'",
                task_id,
                now_ms(),
            )
            if candidate is not None:
                task.candidate = candidate
                await store.update(tx, task, "candidate")

        await self.db.write(work)
        return True


async def _add_children(tx: Tx, task: Stored, children: Sequence[Child]) -> None:
    """Record what a task makes: its owner's, at the channel that makes it."""
    if children:
        owner = object_rows.Owner(task.account_id, task.protocol)
        made = [Made(child.id, child.kind, task.id, child.facts) for child in children]
        await object_rows.add(tx, owner, task.token_id, task.channel_id, made, now_ms())
