"""The clock that jobs run by, their life cycle, and the callbacks they send.

Durations are *job seconds*: `speed` of them pass in one real second, and `Clock.advance` skips some at once.
Times shown to clients are real ones (plus what was skipped), never scaled.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import itertools
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from .triggers import Triggers

STEPS = (0, 15, 31, 46, 62, 78, 93)
"""Percent shown while a job runs."""
LATE_SECONDS = 60.0
"""Job seconds that `late-callback` waits when it has no value."""
MOST_JOBS = 20_000
"""Jobs remembered; the oldest are forgotten first."""
SHORTEST_SLEEP = 0.001
"""Real seconds; what is shorter is not worth a trip through the event loop."""


class Clock:
    """Job time: faster than the wall's, and movable.

    Parameters
    ----------
    speed
        Job seconds that pass in one real second.
    """

    def __init__(self, speed: float) -> None:
        if speed <= 0:
            raise ValueError("speed must be above 0")
        self.speed = speed
        self._start = time.monotonic()
        self._passed = 0.0
        self._skipped = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Return job seconds since the start."""
        return self._passed + (time.monotonic() - self._start) * self.speed + self._skipped

    def wall(self) -> float:
        """Return the time that clients are told, in Unix seconds."""
        return time.time() + self._skipped

    def call_later(self, delay: float, call: Callable[[], None]) -> None:
        """Call `call` after `delay` job seconds."""
        heapq.heappush(self._due, (self.now() + delay, next(self._order), call))
        self._arm()

    async def sleep(self, delay: float) -> None:
        """Wait `delay` job seconds."""
        if delay / self.speed < SHORTEST_SLEEP:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call_later(delay, lambda: None if done.done() else done.set_result(None))
        await done

    def advance(self, seconds: float) -> None:
        """Skip job seconds, and run in order all that falls due meanwhile."""
        target = self.now() + seconds
        while self._due and self._due[0][0] <= target:
            self._skipped += max(0.0, self._due[0][0] - self.now())
            heapq.heappop(self._due)[2]()
        self._skipped += max(0.0, target - self.now())
        self._arm()

    def change_speed(self, speed: float) -> None:
        """Let job seconds pass faster or slower from now on; `speed` is as at the start."""
        if speed <= 0:
            raise ValueError("speed must be above 0")
        now = time.monotonic()
        self._passed += (now - self._start) * self.speed
        self._start, self.speed = now, speed
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            wait = max(0.0, self._due[0][0] - self.now()) / self.speed
            self._timer = asyncio.get_running_loop().call_later(wait, self._run)

    def _run(self) -> None:
        self._timer = None
        try:
            while self._due and self._due[0][0] <= self.now():
                heapq.heappop(self._due)[2]()
        finally:
            self._arm()


class Ids:
    """Ids that follow from the seed and a counter, so that a run can be repeated.

    Parameters
    ----------
    seed
        The same seed gives the same ids. Without one, ids differ from run to run.
    """

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._count = itertools.count(1)
        self._salt = str(time.time_ns() if seed is None else seed)
        self._base_ms = int(time.time() * 1000) if seed is None else 1_700_000_000_000 + seed % 10**6 * 10**5

    def hex(self, length: int = 32) -> str:
        """Return `length` (≤ 64) hexadecimal digits."""
        return hashlib.sha256(f"{self._salt}/{next(self._count)}".encode()).hexdigest()[:length]

    def uuid(self) -> str:
        """Return a UUID."""
        return str(uuid.UUID(self.hex(32), version=4))

    def digits(self) -> str:
        """Return 16 digits: epoch milliseconds that never repeat, and three more."""
        count = next(self._count)
        return f"{self._base_ms + count}{hashlib.sha256(f'{self._salt}#{count}'.encode()).digest()[0]:03d}"


@dataclass(eq=False)
class Job:
    """One accepted long job.

    `state` is one of waiting, queued, running, done, failed, moderated, cancelled; vendors give these their own names.
    Times are Unix seconds, `percent` is 0 to 100.
    """

    id: str
    vendor: str
    kind: str
    owner: str
    triggers: Triggers
    created: float
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    state: str = "queued"
    percent: int = 0
    started: float | None = None
    finished: float | None = None
    error: str = ""

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in {"done", "failed", "moderated", "cancelled"}

    def summary(self) -> dict[str, Any]:
        """Return what `/_sandbox/jobs` shows."""
        return {
            "id": self.id,
            "vendor": self.vendor,
            "kind": self.kind,
            "state": self.state,
            "percent": self.percent,
            "created": self.created,
            "started": self.started,
            "finished": self.finished,
            "error": self.error,
            "triggers": self.triggers.words(),
        }


OnChange = Callable[[Job], None]


class Jobs:
    """All jobs of all vendors, and what makes them proceed."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self.clock = clock
        self.ids = ids
        self._jobs: dict[str, Job] = {}

    def __iter__(self):
        return iter(self._jobs.values())

    def find(self, vendor: str, job_id: str) -> Job | None:
        """Return a job of a vendor, or None."""
        job = self._jobs.get(job_id)
        return job if job is not None and job.vendor == vendor else None

    def accept(self, job_id: str, vendor: str, kind: str, owner: str, triggers: Triggers, **data: Any) -> Job:
        """Store a job; it stands still until `start`."""
        job = Job(job_id, vendor, kind, owner, triggers, self.clock.wall(), data)
        self._jobs[job_id] = job
        while len(self._jobs) > MOST_JOBS:
            del self._jobs[next(iter(self._jobs))]
        return job

    def start(self, job: Job, seconds: float, on_change: OnChange, *, queue_seconds: float | None = None) -> None:
        """Let a job run through its states in `seconds` job seconds, telling `on_change` of each step.

        The triggers `moderated`, `moderated-output`, `fail-midway` and `never-finish` decide how it ends.
        """
        wait = seconds * 0.05 if queue_seconds is None else queue_seconds
        self.clock.call_later(wait, lambda: self._begin(job, seconds, on_change))

    def finish(self, job: Job, state: str, on_change: OnChange, error: str = "") -> None:
        """End a job, unless it has ended already."""
        if job.is_final:
            return
        job.state, job.error, job.finished = state, error, self.clock.wall()
        if state == "done":
            job.percent = 100
        on_change(job)

    def _begin(self, job: Job, seconds: float, on_change: OnChange) -> None:
        if job.is_final:
            return
        if "moderated" in job.triggers:
            self.finish(job, "moderated", on_change, "request")
            return
        job.state, job.started = "running", self.clock.wall()
        self._step(job, 0, seconds, on_change)

    def _step(self, job: Job, index: int, seconds: float, on_change: OnChange) -> None:
        if job.is_final:
            return
        triggers = job.triggers
        if index == len(STEPS):
            if "moderated-output" in triggers:
                self.finish(job, "moderated", on_change, "output")
            else:
                self.finish(job, "done", on_change)
            return
        if STEPS[index] > 50 and "fail-midway" in triggers:
            self.finish(job, "failed", on_change, "internal error")
            return
        if STEPS[index] > 50 and "never-finish" in triggers:
            return
        job.percent = STEPS[index]
        on_change(job)
        self.clock.call_later(seconds * 0.95 / len(STEPS), lambda: self._step(job, index + 1, seconds, on_change))


@dataclass(frozen=True)
class _Letter:
    url: str
    body: bytes
    headers: Mapping[str, str]
    retries: tuple[float, ...]


class Callbacks:
    """Sends callbacks, those of one job in order, and keeps a log of them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.log: deque[dict[str, Any]] = deque(maxlen=1000)
        self._queues: dict[str, asyncio.Queue[_Letter]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._count = itertools.count(1)

    def send(
        self, job: Job, url: str, body: bytes, headers: Mapping[str, str] | None = None, retries: tuple[float, ...] = ()
    ) -> None:
        """Post `body` to `url`, obeying the callback triggers of the job.

        Parameters
        ----------
        retries
            Job seconds to wait before each further try, if an answer is not 2xx.
        """
        if "no-callback" in job.triggers:
            return
        letter = _Letter(url, body, dict(headers or {}), retries)
        copies = 2 if job.is_final and "duplicate-callback" in job.triggers else 1
        for _ in range(copies):
            if job.is_final and "late-callback" in job.triggers:
                delay = job.triggers.number("late-callback", LATE_SECONDS)
                self.clock.call_later(delay, lambda: self._post(job.id, letter))
            else:
                self._post(job.id, letter)

    async def close(self) -> None:
        """Drop what has not been sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _post(self, job_id: str, letter: _Letter) -> None:
        queue = self._queues.get(job_id)
        if queue is None:
            queue = self._queues[job_id] = asyncio.Queue()
            task = asyncio.create_task(self._drain(job_id, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        queue.put_nowait(letter)

    async def _drain(self, job_id: str, queue: asyncio.Queue[_Letter]) -> None:
        while not queue.empty():
            letter = queue.get_nowait()
            entry: dict[str, Any] = {
                "id": next(self._count),
                "job": job_id,
                "url": letter.url,
                "body": letter.body.decode(),
                "tries": [],
            }
            self.log.append(entry)
            for delay in (0.0, *letter.retries):
                await self.clock.sleep(delay)
                outcome = await self._try(letter)
                entry["tries"].append(outcome)
                if outcome.isdigit() and outcome.startswith("2"):
                    break
        del self._queues[job_id]

    async def _try(self, letter: _Letter) -> str:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        headers = {"content-type": "application/json", **letter.headers}
        try:
            async with self._session.post(letter.url, data=letter.body, headers=headers) as answer:
                return str(answer.status)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return type(error).__name__
