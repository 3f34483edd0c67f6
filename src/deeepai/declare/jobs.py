"""Long jobs: what is known of one, how it is watched, and how its caller sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from typing import Protocol as Interface

from .values import Answer, Json, Reply, Request, Result, State, Usage

BodyT_contra = TypeVar("BodyT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Child:
    """A thing within a task's results that has an id of the vendor's own: a song, a clip, a video.

    Follow-ups may name it; they go where it was made, for its owner alone.
    """

    id: str
    kind: str
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Accepted:
    """The upstream took a submission.

    Attributes
    ----------
    upstream_id : str
        Empty, where a good answer names none: the state is UNKNOWN then.
    state : State
        QUEUED, or WAITING where more input is needed first.
    facts : dict
        What later steps need (a cost, a kind of job), of the request or of the answer.
    existing : bool
        The upstream names a task that it knew before, instead of a new one.
    path : str or None
        Where background work is asked for, if its callers can ask there, too.
    within : sequence of str
        Objects that background work goes on in.
    children : sequence of Child
        What the task makes, where the vendor names it at once.
    """

    upstream_id: str
    state: State = State.QUEUED
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])
    existing: bool = False
    path: str | None = None
    within: Sequence[str] = ()
    children: Sequence[Child] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The upstream says it did not take the submission; its answer goes to the caller as it is.

    Attributes
    ----------
    retry_elsewhere : bool
        Whether another channel may be tried.
    worded : bool
        It says so in its own words, though with a good status; what else comes with one and names no job is no answer.
    """

    retry_elsewhere: bool = False
    worded: bool = False


@dataclass(frozen=True, slots=True)
class TaskStatus:
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
    share : float
        Of a job whose parts may fail apart: the part of its price that is charged where no usage is told.
    children : sequence of Child
        What the task has made.
    snapshot : JSON
        The vendor's own answer, kept for `render`.
    """

    state: State
    snapshot: Json
    progress: int | None = None
    results: tuple[Result, ...] = ()
    error: str | None = None
    usage: Usage | None = None
    share: float = 1.0
    children: Sequence[Child] = ()


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """A request to the upstream about a task: a path below the channel's base URL, or an absolute URL."""

    path: str
    method: str = "GET"
    json: Json = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    lines: bool = False
    """The task has ended well, and a good answer tells what it used: a line a call, read by `JobRules.line`."""


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
    """What `JobFace.keep` kept of the submission."""
    facts: dict[str, Json] = field(default_factory=dict[str, Json])
    snapshot: Json = None
    error: str | None = None
    results: int = 0
    """How many assets there are."""
    hook: Hook | None = None
    parent_id: str | None = None
    estimate: Usage = field(default_factory=Usage)
    """What it was expected to consume, as its vendor's declaration has it."""
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
        """Signed address of a Media operation's path for this task."""
        ...

    def at(self, path: str) -> str:
        """Absolute address of a path."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRules(Generic[BodyT_contra]):
    """How a vendor's long jobs are watched to their end.

    Attributes
    ----------
    accept : callable
        Reads the answer to a submission.
    poll, batch : callable
        How to ask for one task, or for many at once; `split` parts that answer by upstream id.
    read : callable
        Reads one task's state out of an answer or a batch's piece.
    line : callable
        Reads the usage of one call within a job of many, each of which is priced by itself; None: it costs nothing.
    ends : callable
        Whether a poll's answer with an error status is the task's own end; else such answers are passing trouble.
    hook_in : callable
        What an upstream's callback says the task's upstream id is; a hint, never believed.
    find_lost, found_lost : callable
        How to look for a submission whose answer was lost, by its reference, and what its answer tells; None when the
        vendor cannot tell.
    preview : callable
        The vendor's address of a running task's picture, by its number.
    discard, cancel : callable
        How to have the vendor delete a task that has ended, and stop one that has not.
    interval : float
        Seconds between polls; grows to four times with age.
    fresh : float
        Seconds for which a stored state is served without asking.
    timeout : float
        Seconds after which an open task is given up.
    """

    accept: Callable[[Answer, Request[BodyT_contra]], Accepted | Refused]
    poll: Callable[[Task], UpstreamCall]
    read: Callable[[Answer, Task], TaskStatus]
    line: Callable[[Task, bytes], Usage | None] | None = None
    ends: Callable[[Answer], bool] | None = None
    batch: Callable[[Sequence[Task]], UpstreamCall] | None = None
    split: Callable[[Answer], Mapping[str, Answer]] | None = None
    hook_in: Callable[[Json], str | None] | None = None
    find_lost: Callable[[str], UpstreamCall] | None = None
    found_lost: Callable[[Answer, str], str | None] | None = None
    preview: Callable[[Task, int], str | None] | None = None
    discard: Callable[[Task], UpstreamCall] | None = None
    cancel: Callable[[Task], UpstreamCall] | None = None
    interval: float = 2.0
    fresh: float = 1.0
    timeout: float = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFace(Generic[BodyT_contra]):
    """How a protocol's callers see a long job, whoever does it.

    Attributes
    ----------
    new_id : callable
        Makes a public task id in the protocol's own form.
    submitted : callable
        The gateway's own answer to a submission.
    render : callable
        The protocol's own answer to a Fetch.
    keep : callable
        What of the submission is kept with the task.
    hook : callable
        Where the caller wants to be called back.
    hook_message : callable
        The body of a callback to the caller.
    hook_each_change : bool
        Call back on every change, not only at the end.
    """

    new_id: Callable[[], str]
    submitted: Callable[[Task, Links], Reply]
    render: Callable[[Task, Links], Reply]
    keep: Callable[[Request[BodyT_contra]], Json] | None = None
    hook: Callable[[Request[BodyT_contra]], Hook | None] | None = None
    hook_message: Callable[[Task, Links], HookMessage] | None = None
    hook_each_change: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Job(Generic[BodyT_contra]):
    """A long job of a protocol: how the vendor does it, and how callers see it."""

    rules: JobRules[BodyT_contra]
    face: JobFace[BodyT_contra]


AnyJob = Job[Any]
