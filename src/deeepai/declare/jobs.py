"""Long jobs: what is known of one, and the rules of its life."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol as Interface

from .values import Answer, Json, Reply, Request, Result, State, Usage


@dataclass(frozen=True, slots=True)
class Accepted:
    """The upstream took a submission.

    Attributes
    ----------
    upstream_id : str
    state : State
        QUEUED, or WAITING where more input is needed first.
    facts : dict
        What later steps need (a polling address, a cost).
    """

    upstream_id: str
    state: State = State.QUEUED
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Refused:
    """The upstream says it did not take the submission; its answer goes to the caller as it is.

    Attributes
    ----------
    elsewhere : bool
        Whether another channel may be tried.
    """

    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a poll said of a task.

    Attributes
    ----------
    state : State
    progress : int or None
        Percent.
    results : tuple of Result
    error : str or None
    usage : Usage or None
        Where the final answer says more than the submission did.
    snapshot : JSON
        The vendor's own answer, kept for `render`.
    """

    state: State
    snapshot: Json
    progress: int | None = None
    results: tuple[Result, ...] = ()
    error: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to the upstream about a task: a path below the channel's base URL, or an absolute URL."""

    path: str
    method: str = "GET"
    json: Json = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    lines: bool = False
    """The task has ended well, and a good answer tells what it used: a line a call, read by `TaskRules.line`."""


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a caller wants to be called back."""

    url: str
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class HookMessage:
    """A callback in the vendor's own shape."""

    body: Json
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class Task:
    """A long job, as declarations see it. Times are milliseconds since 1970."""

    id: str
    operation: str
    model: str
    state: State
    upstream_id: str | None = None
    progress: int | None = None
    request: Json = None
    """What `TaskRules.keep` kept of the submission."""
    facts: dict[str, Json] = field(default_factory=dict[str, Json])
    snapshot: Json = None
    error: str | None = None
    results: int = 0
    """How many assets there are."""
    hook: Hook | None = None
    parent_id: str | None = None
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    submitted_at: int = 0
    started_at: int | None = None
    finished_at: int | None = None


class Links(Interface):
    """Addresses of the gateway's own, absolute."""

    def asset(self, task: Task, number: int = 0) -> str:
        """Signed, stable address of a task's file."""
        ...

    def media(self, task: Task, path: str) -> str:
        """Signed address of a MEDIA operation's path for this task."""
        ...

    def at(self, path: str) -> str:
        """Absolute address of a path."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRules:
    """The life of a protocol's long jobs.

    Attributes
    ----------
    new_id : callable
        Makes a public task id in the protocol's own form.
    accept : callable
        Reads the answer to a submission.
    submitted : callable
        The gateway's own answer to a submission.
    poll, batch : callable
        How to ask for one task, or for many at once; `batch` splits its answer by upstream id.
    read : callable
        Reads one task's state out of an answer or a batch's piece.
    line : callable
        Reads the usage of one call within a job of many, each of which is priced by itself; None: it costs nothing.
    ends : callable
        Whether a poll's answer with an error status is the task's own end; else such answers are passing trouble.
    render : callable
        The protocol's own answer to a FETCH.
    hook_message : callable
        The body of a callback to the caller.
    hook_each_change : bool
        Call back on every change, not only at the end.
    hook_in : callable
        What an upstream's callback says the task's upstream id is; a hint, never believed.
    find_lost : callable
        How to look for a submission whose answer was lost, by its reference; None when the vendor cannot tell.
    keep : callable
        What of the submission is kept with the task.
    preview : callable
        The vendor's address of a running task's picture.
    discard : callable
        How to have the vendor delete a task that has ended.
    interval : float
        Seconds between polls; grows to four times with age.
    fresh : float
        Seconds for which a stored state is served without asking.
    timeout : float
        Seconds after which an open task is given up.
    """

    new_id: Callable[[], str]
    accept: Callable[[Answer, Request], Accepted | Refused]
    submitted: Callable[[Task, Links], Reply]
    poll: Callable[[Task], Ask]
    read: Callable[[Answer, Task], Reading]
    render: Callable[[Task, Links], Reply]
    line: Callable[[Task, bytes], Usage | None] | None = None
    ends: Callable[[Answer], bool] | None = None
    batch: Callable[[Sequence[Task]], Ask] | None = None
    split: Callable[[Answer], Mapping[str, Answer]] | None = None
    hook: Callable[[Request], Hook | None] | None = None
    hook_message: Callable[[Task, Links], HookMessage] | None = None
    hook_each_change: bool = False
    hook_in: Callable[[Json], str | None] | None = None
    find_lost: Callable[[str], Ask] | None = None
    found_lost: Callable[[Answer, str], str | None] | None = None
    keep: Callable[[Request], Json] | None = None
    preview: Callable[[Task], str | None] | None = None
    discard: Callable[[Task], Ask] | None = None
    interval: float = 2.0
    fresh: float = 1.0
    timeout: float = 3600.0
