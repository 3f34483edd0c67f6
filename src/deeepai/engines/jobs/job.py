"""A job as the program keeps it, and as the process that does it sees it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Refusal(Exception):
    """A job that cannot be done, by its files' or request's fault.

    Parameters
    ----------
    code : str
        For the protocol to tell, such as `unreadable`, `too_large`, `no_face`, `unsupported`, `empty`, `fetch`.
    message : str
        For the caller.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class JobState(enum.StrEnum):
    """What became of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether it stays so."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(slots=True)
class Job:
    """A job, as the last change left it.

    Attributes
    ----------
    module : str
        Its `run(work)` does it.
    request : dict
        What `run` is told; JSON.
    facts : dict
        What the protocol keeps beside it; JSON, not shown to `run`.
    folder : Path
        `in/` holds its files, `out/` what it makes.
    progress : int
        Per cent.
    told : list of dict
        What `run` has told, in order.
    result : dict, optional
        What `run` returned.
    code, message : str
        Why it failed: a `Refusal`'s; or `timeout`, `memory`, `crashed`, `failed`.
    created, started, finished : float
        Unix seconds; 0 where it has not come so far.
    """

    id: str
    module: str
    account: str
    request: dict[str, Any]
    facts: dict[str, Any]
    folder: Path
    large: bool = False
    seconds: float = 120.0
    state: JobState = JobState.QUEUED
    progress: int = 0
    told: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    result: dict[str, Any] | None = None
    code: str = ""
    message: str = ""
    attempts: int = 0
    created: float = 0.0
    started: float = 0.0
    finished: float = 0.0

    def file(self, name: str) -> Path:
        """Return where a file that it made lies."""
        return self.folder / "out" / name


@dataclass(frozen=True, slots=True)
class Work:
    """A job in the process that does it: `run(work)` of its module returns the result, a JSON object.

    Attributes
    ----------
    packs : Path
        The packs folder.
    """

    request: Mapping[str, Any]
    folder: Path
    packs: Path
    _tell: Callable[[int, Mapping[str, Any] | None], None]

    def given(self, name: str) -> Path:
        """Return a file that came with the job."""
        return self.folder / "in" / name

    def made(self, name: str) -> Path:
        """Return where to put a file."""
        return self.folder / "out" / name

    def tell(self, progress: int, **fact: Any) -> None:
        """Say how far it is, in per cent, and something for whoever follows, if there is anything."""
        self._tell(progress, fact or None)
