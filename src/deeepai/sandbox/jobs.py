"""The life cycle of long jobs, in job seconds (see `clock`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock
from .ids import Ids
from .triggers import Triggers

STEPS = (0, 15, 31, 46, 62, 78, 93)
"""Percent shown while a job runs."""
MOST_JOBS = 20_000
"""Jobs remembered; the oldest are forgotten first."""


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

    def forget(self, job: Job) -> None:
        """Know nothing more of a job."""
        self._jobs.pop(job.id, None)

    def accept(self, job_id: str, vendor: str, kind: str, owner: str, triggers: Triggers, **data: Any) -> Job:
        """Store a job; it stands still until `start`."""
        job = Job(job_id, vendor, kind, owner, triggers, self.clock.wall(), data)
        self._jobs[job_id] = job
        while len(self._jobs) > MOST_JOBS:
            del self._jobs[next(iter(self._jobs))]
        return job

    def start(self, job: Job, seconds: float, on_change: OnChange, *, queue_seconds: float | None = None) -> None:
        """Let a job run through its states in `seconds` job seconds, telling `on_change` of each step.

        The triggers `moderated`, `moderated-output`, `fail-midway` and `never-finish` decide how it ends, `takes` when.
        """
        seconds = job.triggers.number("takes", seconds)
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
