"""What happens to a task between its submission and its end; money and state change in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from urllib.parse import urljoin

import aiohttp
import msgspec
import structlog

from ..accounts.models import Channel
from ..accounts.vault import Vault
from ..declare import Accepted, Answer, Ask, Hook, Protocol, Reading, Result, State, TaskRules, Usage
from ..money.entries import UPSERT_USAGE
from ..money.ledger import Ledger, UsageRow
from ..storage.database import Database, Tx
from ..storage.ids import now_ms
from ..upstream import Client, Cut, UpstreamError, transports
from . import lines, outbox, store
from .assets import AssetStore, sniff
from .hosts import address, same_host
from .links import SignedLinks
from .safe_fetch import SafeFetch, Unsafe
from .store import Stored
from .timing import Timing

log = structlog.get_logger()

MISSES = 3
"""404s in a row after which the vendor is believed."""
FETCH_TRIES = 5
"""Polls for which a result whose file cannot be had is tried again."""
MAX_FILE = 512 * 1024 * 1024
PASSING = frozenset({408, 409, 425, 429})


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
        client: Client,
        assets: AssetStore,
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
        self._ledger = ledger
        self._protocols = protocols
        self._works = {
            f"{protocol.name}.{operation.name}": operation.objects.work.rules
            for protocol in protocols.values()
            for operation in protocol.operations
            if operation.objects is not None and operation.objects.work is not None
        }
        self._client = client
        self._fetch = fetch
        self._vault = vault
        self._channel = channel
        self._price = price

    def rules(self, task: Stored) -> TaskRules:
        """Return the rules of a task: its operation's own, or its protocol's."""
        own = self._works.get(task.operation)
        if own is not None:
            return own
        rules = self._protocols[task.protocol].tasks
        assert rules is not None
        return rules

    # Submission ----------------------------------------------------------------------------------------------------

    def check_url(self, url: str) -> None:
        """Judge a caller's URL before it is kept.

        Raises
        ------
        Unsafe
        """
        self._fetch.check(url)

    async def begin(self, task: Stored, amount: int, row: UsageRow) -> None:
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
            await self._open(tx, task, amount)
            await store.insert(tx, task)
            await tx.execute(UPSERT_USAGE, *msgspec.structs.astuple(row))

        await self.db.write(work)

    async def answered(self, request_id: str, status: int, attempts: int, channel_id: str, error: str | None) -> None:
        """Complete the usage row of a submission."""

        async def work(tx: Tx) -> None:
            await tx.execute(
                "UPDATE usage SET status = $2, attempts = $3, channel_id = $4, error = $5, "
                "latency_ms = $6 - created_at WHERE request_id = $1",
                request_id,
                status,
                attempts,
                channel_id,
                error,
                now_ms(),
            )

        await self.db.write(work)

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

    async def _open(self, tx: Tx, task: Stored, amount: int) -> None:
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
            task_id=task.id,
            expires_at=now_ms() + int(lifetime * 1000),
        )

    async def moved(self, task: Stored, channel_id: str) -> None:
        """Record that another channel is tried."""
        task.channel_id = channel_id

        async def work(tx: Tx) -> None:
            await store.update(tx, task, "channel_id")

        await self.db.write(work)

    async def accepted(self, task: Stored, accepted: Accepted) -> None:
        """Record that the upstream took the submission. A task that waits for input costs nothing yet."""
        now = now_ms()
        task.upstream_id = accepted.upstream_id
        task.facts = {**task.facts, **accepted.facts}
        task.state = accepted.state
        waiting = accepted.state is State.WAITING
        task.next_poll_at = None if waiting else now + int(self.rules(task).interval * 1000)
        hold = task.hold_id
        if waiting:
            task.hold_id = None

        async def work(tx: Tx) -> None:
            current = await store.load_any(tx, task.id)
            if current is not None and current.state in (State.SUBMITTING, State.UNKNOWN):
                # A callback that overtook the answer was noted meanwhile; it has decided nothing.
                task.version = current.version
            if not await store.update(tx, task, "upstream_id", "facts", "state", "next_poll_at", "hold_id"):
                log.warning("task.raced", task=task.id)
                return
            if waiting and hold is not None:
                await self._ledger.void(tx, hold)
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
            await store.update(tx, task, "state", "next_poll_at")

        await self.db.write(work)

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
                    await self.apply(task, self._reading(answer, task, rules), fault)
                else:
                    piece = pieces.get(task.upstream_id or "")
                    reading = rules.read(piece, task) if piece is not None else Reading(State.NOT_FOUND, None)
                    await self.apply(task, reading)
            return
        for task in known:
            ask = rules.poll(task)
            if ask.lines:
                await self._add_up(channel, ask, task)
                continue
            answer, fault = await self._ask(channel, ask)
            await self.apply(task, self._reading(answer, task, rules), fault)

    async def _add_up(self, channel: Channel, ask: Ask, task: Stored) -> None:
        """End a job of many calls: each is priced by itself."""
        rules, headers = self.rules(task), self._headers(channel, ask)
        bill = lines.Bill(task, rules, self._price)
        try:
            answer = await lines.read(transports.through(self._client, channel), channel, ask, headers, bill.add)
        except (UpstreamError, TimeoutError) as fault:
            await self.apply(task, None, str(fault))
            return
        if answer.status != 200:
            await self.apply(task, self._reading(answer, task, rules), f"HTTP {answer.status}")
            return
        reading = Reading(State.SUCCEEDED, task.snapshot, usage=bill.usage)
        await self._finish(task, State.SUCCEEDED, reading=reading, cost=bill.cost)

    def _reading(self, answer: Answer | None, task: Stored, rules: TaskRules) -> Reading | None:
        """Read an answer; None where it says nothing about the task."""
        if answer is None:
            return None
        ended = rules.ends is not None and rules.ends(answer)
        if not ended and (answer.status >= 500 or answer.status in PASSING or answer.status in (401, 402, 403)):
            return None
        if not ended and (answer.status in (404, 204) or (answer.status == 200 and not answer.body)):
            return Reading(State.NOT_FOUND, None)
        return rules.read(answer, task)

    def _headers(self, channel: Channel, ask: Ask) -> dict[str, str]:
        protocol = self._protocols[channel.protocol]
        return {**(protocol.authorize(channel.credential) if channel.credential else {}), **ask.headers}

    async def _ask(self, channel: Channel, ask: Ask) -> tuple[Answer | None, str]:
        headers, body = self._headers(channel, ask), None
        if ask.json is not None:
            body, headers["content-type"] = msgspec.json.encode(ask.json), "application/json"
        try:
            client = transports.through(self._client, channel)
            answer = await client.ask(ask.method, address(channel, ask.path), headers, body, channel.limits)
        except UpstreamError as fault:
            return None, str(fault)
        return answer, "" if answer.status < 400 else f"HTTP {answer.status}"

    async def _reconcile(self, task: Stored, rules: TaskRules) -> None:
        """Find out what became of a submission whose answer was lost."""
        channel = self._channel(task.channel_id)
        found: str | None = None
        if channel is not None:
            candidate = task.facts.get("candidate")
            if candidate:
                # A callback named this id. It is believed only if the vendor itself knows it under our credential.
                task.upstream_id = candidate
                answer, _ = await self._ask(channel, rules.poll(task))
                reading = self._reading(answer, task, rules)
                task.upstream_id = None
                if reading is not None and reading.state is not State.NOT_FOUND:
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

    def _interval(self, task: Stored, rules: TaskRules) -> int:
        age = (now_ms() - task.submitted_at) / 1000
        return int(rules.interval * 1000 * min(4.0, 1.0 + age / 120))

    async def apply(self, task: Stored, reading: Reading | None, fault: str = "") -> None:
        """Take over what a poll said.

        Parameters
        ----------
        reading : Reading or None
            None: nothing was learnt (`fault` says why); asked again later.
        """
        rules = self.rules(task)
        now = now_ms()
        if reading is not None and reading.state.final:
            if reading.state is not State.SUCCEEDED:
                await self._finish(task, reading.state, reading=reading, error=reading.error or "failed upstream")
                return
            if await self._take_results(task, reading):
                await self._finish(task, State.SUCCEEDED, reading=reading)
                return
        overdue = now - task.submitted_at > rules.timeout * 1000
        if overdue and not (reading is not None and reading.state is State.WAITING):
            await self._finish(task, State.FAILED, error=f"timed out ({fault})" if fault else "timed out")
            return
        changed = False
        task.misses = task.misses + 1 if reading is not None and reading.state is State.NOT_FOUND else 0
        if task.misses >= MISSES:
            await self._finish(task, State.FAILED, error="the upstream does not know the task any more")
            return
        if reading is not None and reading.state in (State.QUEUED, State.RUNNING, State.WAITING):
            changed = task.state is not reading.state or task.progress != reading.progress
            task.state, task.progress = reading.state, reading.progress
            task.snapshot = reading.snapshot
            if reading.state is State.RUNNING and task.started_at is None:
                task.started_at = now
        task.polls += 1
        task.polled_at = now
        task.leased_until = 0
        # Trouble on the way slows the polling down, so that a sick vendor is left in peace.
        wait = self._interval(task, rules) * (1 if reading is not None else 3)
        task.next_poll_at = None if task.state is State.WAITING else now + wait

        hold = task.hold_id if task.state is State.WAITING else None
        if hold is not None:
            task.hold_id = None

        async def work(tx: Tx) -> None:
            written = await store.update(
                tx,
                task,
                "state",
                "progress",
                "snapshot",
                "misses",
                "polls",
                "polled_at",
                "started_at",
                "leased_until",
                "next_poll_at",
                "hold_id",
            )
            if written and hold is not None:
                await self._ledger.void(tx, hold)
            if written and changed and rules.hook_each_change:
                await self._notify(tx, task)

        await self.db.write(work)

    async def _take_results(self, task: Stored, reading: Reading) -> bool:
        """Keep the bytes of a task's results before its end is told; False: try again at the next poll."""
        for number, result in enumerate(reading.results):
            try:
                data, said = await self._result(task, result)
            except (Unsafe, UpstreamError, TimeoutError, OSError) as fault:
                tries = int(task.facts.get("fetch_tries", 0)) + 1
                log.warning("task.result_unfetched", task=task.id, number=number, tries=tries, error=str(fault))
                if result.optional or tries >= FETCH_TRIES:
                    continue
                task.facts["fetch_tries"] = tries
                await self.db.write(lambda tx: store.update(tx, task, "facts"))
                return False
            kind = sniff(data[:16], result.content_type or said)
            key = await self.assets.put(task, number, data, kind)
            size, source = len(data), result.url
            await self.db.write(
                lambda tx, n=number, k=key, t=kind, s=size, u=source: store.add_asset(
                    tx, task, n, key=k, content_type=t, size=s, source=u, now=now_ms()
                )
            )
        task.results = len(reading.results)
        return True

    async def _result(self, task: Stored, result: Result) -> tuple[bytes, str | None]:
        if result.data is not None:
            return result.data, result.content_type
        assert result.url is not None
        return await self.fetch_from(self._channel(task.channel_id), result.url, keyed=result.keyed)

    async def fetch_file(self, task: Stored, url: str) -> tuple[bytes, str | None]:
        """Fetch a file that a task's vendor names; see `fetch_from`."""
        return await self.fetch_from(self._channel(task.channel_id), url)

    async def fetch_from(self, channel: Channel | None, url: str, *, keyed: bool = False) -> tuple[bytes, str | None]:
        """Fetch a file that a channel's vendor names; the vendor's own host may be a private one, others may not.

        Parameters
        ----------
        keyed : bool
            Show the channel's credential, on the vendor's own host only; what that redirects to does not see it.

        Raises
        ------
        Unsafe, UpstreamError, TimeoutError, OSError
        """
        if channel is not None and url.startswith("/"):
            url = address(channel, url)
        if channel is not None and same_host(channel.base_url, url):
            key = channel.credential if keyed and address(channel, url) == url else None
            headers = self._protocols[channel.protocol].authorize(key) if key else {}
            client = transports.through(self._client, channel) if key else self._client
            answer = await client.ask("GET", url, headers, None, channel.limits, MAX_FILE)
            place = answer.headers.get("location")
            if keyed and answer.status in (301, 302, 303, 307, 308) and place:
                return await self.fetch_from(channel, urljoin(url, place))
            if answer.status != 200:
                raise Cut(f"HTTP {answer.status}")
            return answer.body, answer.headers.get("content-type")
        try:
            fetched = await self._fetch.request("GET", url, limit=MAX_FILE, seconds=300)
        except aiohttp.ClientError as fault:
            raise Cut(type(fault).__name__) from fault
        if fetched.status != 200:
            raise Cut(f"HTTP {fetched.status}")
        return fetched.body, fetched.content_type

    async def _finish(
        self,
        task: Stored,
        state: State,
        *,
        reading: Reading | None = None,
        error: str | None = None,
        cost: int | None = None,
    ) -> None:
        """End a task: state, money, and the callback, all or nothing. The cost follows from the usage, or is given."""
        now = now_ms()
        consumed: Usage | None = None
        if state is State.SUCCEEDED:
            consumed = (reading.usage if reading is not None else None) or msgspec.structs.replace(
                task.estimate, basis="call"
            )
            if cost is None:
                cost = self._price(task.price_key, consumed, task.price_group)
        cost = cost or 0 if task.mode == "live" else 0
        if reading is not None and reading.snapshot is not None:
            task.snapshot = reading.snapshot
        task.state, task.error = state, error
        task.progress = 100 if state is State.SUCCEEDED else task.progress
        task.finished_at = task.polled_at = now
        task.next_poll_at, task.leased_until = None, 0
        task.started_at = task.started_at or task.submitted_at
        hold, task.hold_id = task.hold_id, None
        task.cost = cost if hold is not None else 0

        async def work(tx: Tx) -> None:
            written = await store.update(
                tx,
                task,
                "state",
                "error",
                "progress",
                "snapshot",
                "finished_at",
                "polled_at",
                "next_poll_at",
                "leased_until",
                "started_at",
                "hold_id",
                "cost",
                "results",
                "facts",
            )
            if not written:
                return
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
            await self._notify(tx, task)

        await self.db.write(work)
        log.info("task.ended", task=task.id, protocol=task.protocol, state=state.value, cost=cost, error=error)

    async def _notify(self, tx: Tx, task: Stored) -> None:
        rules = self.rules(task)
        if task.hook is None or rules.hook_message is None:
            return
        if not task.state.final and not rules.hook_each_change:
            return
        if task.hook_secret and task.hook.secret is None:
            task.hook = Hook(task.hook.url, self._vault.decrypt(task.hook_secret, f"hook:{task.id}"))
        message = rules.hook_message(task, self.links)
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
                task.facts["candidate"] = candidate
                await store.update(tx, task, "facts")

        await self.db.write(work)
        return True
