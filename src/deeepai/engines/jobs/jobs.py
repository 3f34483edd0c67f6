"""All jobs of the program: taken, done in turn, kept for a while."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..openai_wire import WireError
from ..turns import ACCOUNT
from .job import Job, JobState
from .pool import Crashed, Pool
from .store import MOST_ATTEMPTS, Store

SLOTS: Final = min(max(os.cpu_count() or 1, 2), 8)
"""Jobs at once; one of the slots is for small jobs."""
MEMORY: Final = 2 * 2**30
"""Bytes that a process may have."""
MOST_WAITING: Final = 200
"""Jobs of one account."""
_ACCOUNTS: Final = 4
"""Accounts that may have as many waiting as one may."""
LEAST_FREE: Final = 256 * 2**20
"""Bytes that must be free on the disk for a job to be taken."""
KEPT: Final = 24 * 3600.0
"""Seconds for which an ended job and its files are kept."""
_SWEEP_SECONDS: Final = 600.0

_log = logging.getLogger(__name__)


class Jobs:
    """The jobs; made in the program's event loop.

    Parameters
    ----------
    folder : Path
        Where they are kept; rooms keep what they have of their own beside it.
    packs : Path
        The packs folder.
    """

    def __init__(
        self, folder: Path, packs: Path, *, slots: int = SLOTS, memory: int = MEMORY, kept: float = KEPT
    ) -> None:
        self.folder = folder
        self._store = Store(folder / "jobs")
        self._pool = Pool(packs, memory)
        self._slots, self._kept = max(slots, 1), kept
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()
        """By account; the next turn is the first one's."""
        self._open: dict[str, Job] = {}
        """Those without an end."""
        self._running: dict[str, asyncio.Task[None]] = {}
        self._large = 0
        """Large ones that run."""
        self._news: dict[str, asyncio.Event] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Go on with what the last program left."""
        self._store.tidy()
        for job in self._store.unfinished():
            self._open[job.id] = job
            if job.attempts >= MOST_ATTEMPTS:
                self._finish(job, JobState.FAILED, "crashed", "The engine's process ended.")
            else:
                job.state, job.progress, job.told = JobState.QUEUED, 0, []
                self._queue(job)
        self._sweeper = asyncio.create_task(self._sweep())
        self._next()

    async def close(self) -> None:
        """Stop; what runs begins anew with the next program."""
        self._closing = True
        tasks = [*self._running.values(), *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pool.close()
        self._store.close()

    async def submit(
        self,
        module: str,
        request: Mapping[str, Any],
        *,
        files: Mapping[str, bytes | Path] | None = None,
        facts: Mapping[str, Any] | None = None,
        large: bool = False,
        seconds: float = 120.0,
    ) -> Job:
        """Take a job of the account whose request is served; once this returns it is not lost.

        Parameters
        ----------
        module : str
            Full name of the module whose `run(work)` does it.
        request : mapping
            What `run` is told; JSON.
        files : mapping
            By name: bytes, or files, which are moved away.
        facts : mapping
            What the protocol wants to know of it later; JSON.
        large : bool
            It may take more than some seconds: it leaves a slot to small ones.
        seconds : float
            How long it may take.

        Raises
        ------
        WireError
            429 when too many wait, 503 where the disk is nearly full.
        """
        account = ACCOUNT.get()
        waiting = sum(len(lane) for lane in self._waiting.values())
        if waiting >= MOST_WAITING * _ACCOUNTS or len(self._waiting.get(account, ())) >= MOST_WAITING:
            raise WireError(429, "Too many jobs wait here.", code="rate_limit_exceeded", retry_after=5)
        if shutil.disk_usage(self.folder).free < LEAST_FREE:
            raise WireError(503, "The disk is nearly full.", code="disk_full", retry_after=60)
        name = await asyncio.to_thread(self._store.place, files or {})
        job = self._store.add(name, module, account, request, facts or {}, large, seconds)
        self._open[job.id] = job
        self._queue(job)
        self._next()
        return job

    def get(self, name: str) -> Job | None:
        """Return a job, or None if there is none (any more)."""
        return self._open.get(name) or self._store.get(name)

    async def wait(self, job: Job, seconds: float | None = None) -> Job:
        """Wait for a job's end, at most so long; return it as it stands then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for _ in self.follow(job):
                    pass
        return self.get(job.id) or job

    async def follow(self, job: Job) -> AsyncGenerator[dict[str, Any]]:
        """Yield what a job has told so far and tells, to its end."""
        seen = 0
        while True:
            news = self._news.setdefault(job.id, asyncio.Event())
            now = self.get(job.id) or job
            for told in now.told[seen:]:
                yield told
            seen = len(now.told)
            if now.state.is_final:
                self._news.pop(job.id, None)
                return
            await news.wait()

    def cancel(self, job: Job) -> bool:
        """Stop a job; return whether there was anything to stop."""
        if self._open.get(job.id) is None:
            return False
        if (running := self._running.get(job.id)) is not None:
            running.cancel()
            return True
        lane = self._waiting[job.account]
        lane.remove(job)
        if not lane:
            del self._waiting[job.account]
        self._finish(job, JobState.CANCELLED, "cancelled", "The job was cancelled.")
        return True

    # Inside

    def _queue(self, job: Job) -> None:
        self._waiting.setdefault(job.account, deque()).append(job)

    def _next(self) -> None:
        """Begin as many jobs as may begin."""
        while not self._closing and len(self._running) < self._slots and (job := self._choose()) is not None:
            self._large += job.large
            self._running[job.id] = asyncio.create_task(self._do(job))

    def _choose(self) -> Job | None:
        """Take the next job: of the account that waits the longest and has one that may begin."""
        room = self._slots == 1 or self._large < self._slots - 1
        for account, lane in self._waiting.items():
            found = next((job for job in lane if room or not job.large), None)
            if found is None:
                continue
            lane.remove(found)
            if lane:
                self._waiting.move_to_end(account)
            else:
                del self._waiting[account]
            return found
        return None

    async def _do(self, job: Job) -> None:
        def tell(progress: int, told: Mapping[str, Any] | None) -> None:
            job.progress = max(job.progress, min(progress, 99))
            if told:
                job.told.append(dict(told))
            self._say(job)

        job.state, job.started, job.attempts = JobState.RUNNING, time.time(), job.attempts + 1
        self._store.save(job)
        self._say(job)
        try:
            end = await self._pool.run(job, tell)
        except Crashed as crash:
            if crash.code == "crashed" and job.attempts < MOST_ATTEMPTS:
                job.state, job.progress, job.told = JobState.QUEUED, 0, []
                self._queue(job)
            else:
                self._finish(job, JobState.FAILED, crash.code, crash.message)
        except asyncio.CancelledError:
            if not self._closing:
                self._finish(job, JobState.CANCELLED, "cancelled", "The job was cancelled.")
        except Exception:
            _log.exception("a job could not be run")
            self._finish(job, JobState.FAILED, "failed", "The engine failed.")
        else:
            job.result = end.get("result")
            if "result" in end:
                self._finish(job, JobState.DONE)
            else:
                self._finish(job, JobState.FAILED, end["code"], end["message"])
        finally:
            del self._running[job.id]
            self._large -= job.large
            self._next()

    def _finish(self, job: Job, state: JobState, code: str = "", message: str = "") -> None:
        job.state, job.code, job.message, job.finished = state, code, message, time.time()
        if state is JobState.DONE:
            job.progress = 100
        self._store.save(job)
        self._open.pop(job.id, None)
        self._say(job)

    def _say(self, job: Job) -> None:
        if (news := self._news.pop(job.id, None)) is not None:
            news.set()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._store.forget(time.time() - self._kept)
