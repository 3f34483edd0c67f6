"""Callbacks: posted in order, tried again as the vendor would, and remembered."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from .clock import Clock
from .jobs import Job

LATE_SECONDS = 60.0
"""Job seconds that `late-callback` waits when it has no value."""


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
            # The certificate of a gateway on this machine names another host.
            async with self._session.post(letter.url, data=letter.body, headers=headers, ssl=False) as answer:
                return str(answer.status)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return type(error).__name__
