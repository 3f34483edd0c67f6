"""Long jobs as data: where things stand in a vendor's JSON, and what its words mean.

Most vendors of jobs differ in names only. A `JobFormat` says the names, in paths as `paths` has them; `job` makes a
`Job` of them. What is odd about a vendor is a function beside it, given to `job`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote

from ...declare import (
    DROP,
    Accepted,
    Answer,
    AnyRequest,
    Child,
    Facts,
    Hook,
    HookMessage,
    Job,
    JobFace,
    JobRules,
    Json,
    Links,
    Refused,
    Reply,
    Result,
    State,
    Task,
    TaskStatus,
    UpstreamCall,
    Usage,
)
from .paths import each, get, mirror, put

FileLinks: TypeAlias = Mapping[str, Sequence[str]]
"""The gateway's links to a task's files, by role."""

_STOPPED = (State.FAILED, State.CANCELLED, State.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class FilePath:
    """Where addresses of result files stand in a job.

    Attributes
    ----------
    role : str
        What the file is: video, cover, image, audio …
    optional, keyed : bool
        As in `Result`.
    """

    path: str
    role: str
    optional: bool = False
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class ChildPath:
    """Where ids of things stand that a job makes; `facts` are names beside the id that are kept with it."""

    path: str
    kind: str
    facts: tuple[str, ...] = ()

    def read(self, value: Json) -> list[Child]:
        """Return the things that some JSON tells of."""
        above, _, name = self.path.rpartition(".")
        items = [item for item in each(value, above) if isinstance(item, dict) and _is_id(item.get(name))]
        return [
            Child(str(item[name]), self.kind, {fact: item[fact] for fact in self.facts if item.get(fact) is not None})
            for item in items
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFormat:
    """A vendor's jobs.

    Attributes
    ----------
    id : str
        In the answer to a submission. Several ids (`clips[].id`) are joined by commas; each is a part of the job.
    id_later : bool
        A good answer may come without an id: the job exists, and is UNKNOWN until it is found.
    code, good, gone : str, collection, collection
        Where an answer, good in its HTTP status, has a code; the values that say so indeed, and those of a poll that
        the vendor does not know the job (any more).
    elsewhere, elsewhere_codes : collection
        HTTP statuses and codes of refusals after which another channel may be tried.
    answer_facts : mapping
        Kept with the task, by name: paths in the answer to a submission.
    request_facts : mapping
        The same of the request: paths that begin with `body.`, `params.` or `query.`.
    poll : str
        Where to ask; `{id}` is the vendor's id, other names are facts, or placeholders of the submission's path.
    body : str
        The job itself in a poll's answer; the paths that follow begin there.
    status, states : str, mapping
        The state's word (empty: only parts have any), and what the words mean, in lower case; any other is RUNNING.
    parts, part_status : str
        Parts that may fail while others succeed, and the state's word in each: the job ends when all have, well when
        any has, and costs as much of its price.
    progress, whole : str, float
        A number and what it counts up to.
    error : tuple of str
        Reasons; the first that there is. Without one, the state's word.
    files : tuple of FilePath
        Numbered in the order of the paths.
    children, children_at_once : tuple of ChildPath
        What the job makes, in the job and in the (whole) answer to the submission.
    usage : callable
        What a finished job says that it used.
    show : callable
        The answer where the vendor's own cannot be shown: before the first poll, where the gateway itself ended the
        task, and where another vendor does it. `links` has the files' links by role.
    written : mapping
        What stands at a path of a poll's (whole) answer instead of the vendor's word; `DROP`: nothing.
    keep : tuple of str
        Paths of the request's body, kept for `show` and `written` in `Task.request`.
    hook, hook_secret : str
        Fields of the body with the caller's callback.
    hook_id, hook_body : str
        The job's id in the vendor's callback; what of a poll's answer a callback holds.
    hook_each_change, interval, fresh, timeout
        As in `JobFace` and `JobRules`.
    """

    id: str
    states: Mapping[str, State]
    poll: str
    show: Callable[[Task, Links], Json]
    id_later: bool = False
    code: str = ""
    good: Collection[Json] = (0,)
    gone: Collection[Json] = ()
    elsewhere: Collection[int] = (401, 402, 403, 429, 503)
    elsewhere_codes: Collection[Json] = ()
    answer_facts: Mapping[str, str] = field(default_factory=dict[str, str])
    request_facts: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str = ""
    status: str = "status"
    parts: str = ""
    part_status: str = "status"
    progress: str = ""
    whole: float = 100.0
    error: tuple[str, ...] = ()
    files: tuple[FilePath, ...] = ()
    children: tuple[ChildPath, ...] = ()
    children_at_once: tuple[ChildPath, ...] = ()
    usage: Callable[[Json, Task], Usage | None] = lambda job, task: None
    written: Mapping[str, Callable[[Task], Json]] = field(default_factory=dict[str, Callable[[Task], Json]])
    keep: tuple[str, ...] = ()
    hook: str = ""
    hook_secret: str = ""
    hook_id: str = ""
    hook_body: str = ""
    hook_each_change: bool = False
    interval: float = 2.0
    fresh: float = 1.0
    timeout: float = 3600.0

    def job(
        self,
        *,
        new_id: Callable[[], str],
        accept: Callable[[Answer, AnyRequest], Accepted | Refused] | None = None,
        poll: Callable[[Task], UpstreamCall] | None = None,
        read: Callable[[Answer, Task], TaskStatus] | None = None,
        batch: Callable[[Sequence[Task]], UpstreamCall] | None = None,
        split: Callable[[Answer], Mapping[str, Answer]] | None = None,
        ends: Callable[[Answer], bool] | None = None,
        find_lost: Callable[[str], UpstreamCall] | None = None,
        found_lost: Callable[[Answer, str], str | None] | None = None,
        preview: Callable[[Task], str | None] | None = None,
        discard: Callable[[Task], UpstreamCall] | None = None,
        submitted: Callable[[Task, Links], Reply] | None = None,
        render: Callable[[Task, Links], Reply] | None = None,
        hook_message: Callable[[Task, Links], HookMessage] | None = None,
    ) -> Job[object]:
        """Make the job; what is given takes the place of what the format says."""
        rules: JobRules[object] = JobRules(
            accept=accept or self.accept,
            poll=poll or self.ask,
            read=read or self.read,
            ends=ends,
            batch=batch,
            split=split,
            hook_in=self.called_back if self.hook_id else None,
            find_lost=find_lost,
            found_lost=found_lost,
            preview=preview,
            discard=discard,
            interval=self.interval,
            fresh=self.fresh,
            timeout=self.timeout,
        )
        face: JobFace[object] = JobFace(
            new_id=new_id,
            submitted=submitted or (lambda task, links: Reply(self.show(task, links))),
            render=render or (lambda task, links: Reply(self.shown(task, links))),
            keep=self.kept if self.keep else None,
            hook=self.callback if self.hook else None,
            hook_message=hook_message or (self._message if self.hook else None),
            hook_each_change=self.hook_each_change,
        )
        return Job(rules=rules, face=face)

    # Watched -------------------------------------------------------------------------------------------------------

    def accept(self, answer: Answer, request: AnyRequest) -> Accepted | Refused:
        """Read the answer to a submission."""
        said = answer.json()
        ids = [str(name) for name in each(said, self.id) if _is_id(name)]
        if answer.status < 300 and self._code(said, self.good) is not False and (ids or self.id_later):
            facts = {name: get(said, path) for name, path in self.answer_facts.items()}
            facts |= {name: _of_request(request, path) for name, path in self.request_facts.items()}
            return Accepted(
                ",".join(ids),
                State.QUEUED if ids else State.UNKNOWN,
                {name: fact for name, fact in facts.items() if fact is not None},
                children=_children(self.children_at_once, said),
            )
        elsewhere = answer.status in self.elsewhere or self._code(said, self.elsewhere_codes) is True
        return Refused(retry_elsewhere=elsewhere)

    def ask(self, task: Task) -> UpstreamCall:
        """Ask for a task."""
        known = {**task.params, **task.facts, "id": task.upstream_id}
        return UpstreamCall(self.poll.format_map({name: quote(str(word), safe=",:@") for name, word in known.items()}))

    def read(self, answer: Answer, task: Task) -> TaskStatus:
        """Read a poll's answer."""
        said = answer.json()
        if self._code(said, self.gone) is True:
            return TaskStatus(State.NOT_FOUND, None)
        job = get(said, self.body)
        if not isinstance(job, list if self.parts.startswith("[]") else dict):
            return TaskStatus(State.RUNNING, None)
        state = self.state(said, task) or State.RUNNING
        well = state is State.SUCCEEDED
        reasons = [str(reason) for path in (*self.error, self.status) if path for reason in each(job, path)[:1]]
        words = self._part_states(job)
        return TaskStatus(
            state,
            said,
            progress=self._progress(job),
            results=tuple(
                Result(url, keyed=file.keyed, optional=file.optional, role=file.role)
                for url, file in self._files(job).items()
            )
            if well
            else (),
            error=next(iter(reasons), None) if state is State.FAILED else None,
            usage=self.usage(job, task) if well else None,
            share=words.count(State.SUCCEEDED) / len(words) if words and well else 1.0,
            children=_children(self.children, job),
        )

    def state(self, said: Json, task: Task) -> State | None:
        """Return the state that a poll's answer tells; None where it tells none."""
        job = get(said, self.body)
        word = get(job, self.status) if self.status else None
        state = None if word is None else self.states.get(str(word).lower(), State.RUNNING)
        words = self._part_states(job)
        if not words or state in _STOPPED:
            return state
        expected = (task.upstream_id or "").count(",") + 1 if "[]" in self.id else 1
        if len(words) < expected or not all(part.final or part is State.NOT_FOUND for part in words):
            return State.QUEUED if set(words) == {State.QUEUED} else State.RUNNING
        return State.SUCCEEDED if State.SUCCEEDED in words else State.FAILED

    def called_back(self, body: Json) -> str | None:
        """Return the id that the vendor's callback names."""
        name = get(body, self.hook_id)
        return str(name) if _is_id(name) else None

    # Shown ---------------------------------------------------------------------------------------------------------

    def shown(self, task: Task, links: Links) -> Json:
        """Return a task as the vendor would show it."""
        state = self.state(task.snapshot, task)
        if state is None or state.final != task.state.final or (state.final and state is not task.state):
            return self.show(task, links)
        job = get(task.snapshot, self.body)
        # What is not kept is not named: the vendor's addresses are the gateway's alone.
        words = {str(url): "" for file in self.files for url in each(job, file.path) if isinstance(url, str)}
        if state is State.SUCCEEDED:
            words |= {url: links.asset(task, number) for number, url in enumerate(self._files(job))}
        if task.upstream_id:
            words[task.upstream_id] = task.id
        answer = mirror(task.snapshot, words)
        for path, word in self.written.items():
            answer = put(answer, path, word(task))
        return answer

    def links(self, task: Task, links: Links) -> FileLinks:
        """Return links to a task's files by role, whoever did it; one of unknown role is the format's first."""
        roles: list[str] = [str(role) for role in each(task.snapshot, "roles[]")]
        if not roles and task.results and self.files:
            roles = [self.files[0].role]
        by_role: dict[str, list[str]] = {}
        for number, role in enumerate(roles[: task.results]):
            by_role.setdefault(role, []).append(links.asset(task, number))
        return by_role

    def kept(self, request: AnyRequest) -> Json:
        """Return what is kept of a submission."""
        return {path: _of_request(request, f"body.{path}") for path in self.keep}

    def callback(self, request: AnyRequest) -> Hook | None:
        """Find the caller's callback."""
        url = _of_request(request, f"body.{self.hook}")
        secret = _of_request(request, f"body.{self.hook_secret}") if self.hook_secret else None
        return Hook(url, secret) if url else None

    def patch(self, request: AnyRequest, facts: Facts) -> dict[str, Any]:
        """Put the gateway's own callback in the place of the caller's."""
        names = [name for name in (self.hook, self.hook_secret) if name]
        changes: dict[str, Any] = {}
        if _of_request(request, f"body.{self.hook}") is not None:
            changes = dict.fromkeys(names, DROP)
        return changes if facts.hook_url is None else {**changes, self.hook: facts.hook_url}

    def _message(self, task: Task, links: Links) -> HookMessage:
        return HookMessage(get(self.shown(task, links), self.hook_body))

    # Read ----------------------------------------------------------------------------------------------------------

    def _code(self, said: Json, codes: Collection[Json]) -> bool | None:
        """Tell whether an answer's code is one of some; None where answers have none."""
        return get(said, self.code) in tuple(codes) if self.code else None

    def _part_states(self, job: Json) -> list[State]:
        parts = each(job, self.parts) if self.parts else []
        return [self._part_state(part) for part in parts]

    def _part_state(self, part: Json) -> State:
        return self.states.get(str(get(part, self.part_status)).lower(), State.RUNNING)

    def _progress(self, job: Json) -> int | None:
        told = [_number(value) for value in each(job, self.progress)] if self.progress else []
        numbers = [number for number in told if number is not None]
        share = sum(numbers) / len(numbers) / self.whole if numbers else 0.0
        return round(min(1.0, max(0.0, share)) * 100) if numbers else None

    def _files(self, job: Json) -> dict[str, FilePath]:
        """Return the files of a job that has ended well by address, each once; of its parts, only of the good ones."""
        files: dict[str, FilePath] = {}
        for file in self.files:
            within = file.path.removeprefix(f"{self.parts}.") if self.parts else file.path
            if within == file.path:
                urls = each(job, file.path)
            else:
                good = [part for part in each(job, self.parts) if self._part_state(part) is State.SUCCEEDED]
                urls = [url for part in good for url in each(part, within)]
            for url in urls:
                if isinstance(url, str):
                    files.setdefault(url, file)
        return files


def _is_id(value: Json) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _number(value: Json) -> float | None:
    """Return a number, be it written `0.4`, `"40"` or `"40%"`."""
    try:
        number = float(value.removesuffix("%") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _children(paths: Sequence[ChildPath], value: Json) -> tuple[Child, ...]:
    return tuple(child for path in paths for child in path.read(value))


def _of_request(request: AnyRequest, path: str) -> Json:
    value: Any = request
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value
