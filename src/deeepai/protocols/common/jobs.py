"""Long jobs as data: where things stand in a vendor's JSON, and what its words mean.

Most vendors of jobs differ in names only. A `JobFormat` says the names, in paths as `paths` has them; `job` makes a
`Job` of them. What is odd about a vendor is a function beside it, given to `job`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
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
from .paths import each, get, is_id, mirror, of_request, put, write

FileLinks: TypeAlias = Mapping[str, Sequence[str]]
"""The gateway's links to a task's files, by role."""

Told: TypeAlias = Mapping[str, Json | Callable[[Task], Json]]
"""What the gateway itself says at a path of an answer: always the same, or by the task; `DROP`: nothing."""

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
    beside : callable
        What else the gateway says of a file where there is no answer of the vendor's, from the task and the file's
        number.
    """

    path: str
    role: str
    optional: bool = False
    keyed: bool = False
    beside: Callable[[Task, int], Mapping[str, Json]] = lambda task, number: {}


@dataclass(frozen=True, slots=True)
class ChildPath:
    """Where ids of things stand that a job makes; `facts` are names beside the id that are kept with it."""

    path: str
    kind: str
    facts: tuple[str, ...] = ()

    def read(self, value: Json) -> list[Child]:
        """Return the things that some JSON tells of."""
        above, _, name = self.path.rpartition(".")
        items = [item for item in each(value, above) if isinstance(item, dict) and is_id(item.get(name))]
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
    account : collection
        Codes that blame the channel's account; after them, too.
    answer_facts : mapping
        Kept with the task, by name: paths in the answer to a submission.
    request_facts : mapping
        The same of the request: paths that begin with `body.`, `params.` or `query.`.
    poll : str
        Where to ask; `{id}` is the vendor's id, other names are facts, or placeholders of the submission's path. Empty
        where that is `below` the path of the submission.
    reference : str
        Field of the body with the caller's own name of the job, where the vendor wants each of an account's to be
        another: the gateway's stands in its place.
    find : str
        Where the vendor tells of the job with some `{reference}`, if it does; then each has one.
    body : str
        The job itself in a poll's answer; the paths that follow begin there.
    status, states : str, mapping
        The state's word (empty: only parts have any), and what the words mean, in any letter case; others are RUNNING.
    parts, part_status : str
        Parts that may fail while others succeed, and the state's word in each: the job ends when all have, well when
        any has, and costs as much of its price.
    progress, whole : str, float
        A number and what it counts up to.
    error : tuple of str
        Reasons; the first that there is. Without one, the state's word.
    files : tuple of FilePath
        Numbered in the order of the paths. Of those in a list, the first that is not optional says how long it is.
    late : bool
        One that has ended well may have no files yet: until it has, it is running.
    hidden : tuple of str
        Paths of further addresses of the vendor's, which nobody is shown.
    children, children_at_once : tuple of ChildPath
        What the job makes, in the job and in the (whole) answer to the submission.
    usage : callable
        What a finished job says that it used.
    show : callable
        The answer where the vendor's own cannot be shown: before the first poll, where the gateway itself ended the
        task, and where another vendor does it. `links` has the files' links by role; `own_answer` puts them, and
        what else is known, where the vendor would.
    written : mapping
        What stands at a path of each (whole) answer instead of the vendor's word.
    beside : mapping
        What else stands in an `own_answer`.
    keep : tuple of str
        Paths of the request's body, kept for `show` and `written` in `Task.request`, as `reference` is.
    hook, hook_secret : str
        Fields of the body with the caller's callback.
    hook_id, hook_body : str
        The job's id in the vendor's callback; what of a poll's answer a callback holds.
    hook_each_change, interval, fresh, timeout
        As in `JobFace` and `JobRules`.
    """

    id: str
    states: Mapping[str, State]
    show: Callable[[Task, Links], Json]
    id_later: bool = False
    code: str = ""
    good: Collection[Json] = (0,)
    gone: Collection[Json] = ()
    elsewhere: Collection[int] = (401, 402, 403, 429, 503)
    elsewhere_codes: Collection[Json] = ()
    account: Collection[Json] = ()
    reference: str = ""
    poll: str = ""
    find: str = ""
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
    late: bool = False
    children: tuple[ChildPath, ...] = ()
    children_at_once: tuple[ChildPath, ...] = ()
    usage: Callable[[Json, Task], Usage | None] = lambda job, task: None
    hidden: tuple[str, ...] = ()
    written: Told = field(default_factory=dict[str, Json])
    beside: Told = field(default_factory=dict[str, Json])
    keep: tuple[str, ...] = ()
    hook: str = ""
    hook_secret: str = ""
    hook_id: str = ""
    hook_body: str = ""
    hook_each_change: bool = False
    interval: float = 2.0
    fresh: float = 1.0
    timeout: float = 3600.0

    def job(self, new_id: Callable[[], str], **odd: Any) -> Job[object]:
        """Make the job; `odd` are fields of `JobRules` and `JobFace` that take the place of what the format says."""
        rules: JobRules[object] = JobRules(
            accept=self.accept,
            poll=self.ask,
            read=self.read,
            hook_in=self.called_back if self.hook_id else None,
            find_lost=self.ask_by_reference if self.find else None,
            found_lost=self.found if self.find else None,
            interval=self.interval,
            fresh=self.fresh,
            timeout=self.timeout,
        )
        face: JobFace[object] = JobFace(
            new_id=new_id,
            submitted=lambda task, links: Reply(self.show(task, links)),
            render=lambda task, links: Reply(self.shown(task, links)),
            keep=self.kept if self.keep or self.reference else None,
            hook=self.callback if self.hook else None,
            hook_message=self._message if self.hook else None,
            hook_each_change=self.hook_each_change,
        )
        of_face = {name: odd.pop(name) for name in [part.name for part in fields(JobFace)] if name in odd}
        return Job(rules=replace(rules, **odd), face=replace(face, **of_face))

    def below(self, path: str) -> JobFormat:
        """Return the format of jobs that are asked for below the path at which they are submitted."""
        return replace(self, poll=f"{path}/{{id}}", find=f"{path}/{{reference}}" if self.reference else "")

    # Watched -------------------------------------------------------------------------------------------------------

    def accept(self, answer: Answer, request: AnyRequest) -> Accepted | Refused:
        """Read the answer to a submission."""
        said = answer.json()
        ids = self._ids(said)
        if answer.status < 300 and self._code(said, self.good) is not False and (ids or self.id_later):
            facts = {name: get(said, path) for name, path in self.answer_facts.items()}
            facts |= {name: of_request(request, path) for name, path in self.request_facts.items()}
            return Accepted(
                ids,
                State.QUEUED if ids else State.UNKNOWN,
                {name: fact for name, fact in facts.items() if fact is not None},
                children=_children(self.children_at_once, said),
            )
        codes = (*self.elsewhere_codes, *self.account)
        worded = (
            answer.status < 300 and isinstance(get(said, self.code), int | str) and self._code(said, self.good) is False
        )
        return Refused(answer.status in self.elsewhere or self._code(said, codes) is True, worded)

    def channel_fault(self, answer: Answer) -> bool:
        """Tell whether an answer blames the channel's account, as `Protocol.channel_fault` does."""
        return answer.status == 401 or self._code(answer.json(), self.account) is True

    def ask_by_reference(self, reference: str) -> UpstreamCall:
        """Ask for a submission whose answer was lost."""
        return UpstreamCall(self.find.format(reference=quote(reference, safe="")))

    def found(self, answer: Answer, reference: str) -> str | None:
        """Return the id of the task that was found."""
        return self._ids(answer.json()) or None

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
        state = None if word is None else self._meaning(word)
        if self.late and state is State.SUCCEEDED and all(file.optional for file in self._files(job).values()):
            return State.RUNNING
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
        return str(name) if is_id(name) else None

    # Shown ---------------------------------------------------------------------------------------------------------

    def shown(self, task: Task, links: Links) -> Json:
        """Return a task as the vendor would show it."""
        state = self.state(task.snapshot, task)
        if state is None or state.final != task.state.final or (state.final and state is not task.state):
            return self.show(task, links)
        answer = mirror(task.snapshot, self.words(task, links))
        for path, word in _told(self.written, task):
            answer = put(answer, path, word)
        return answer

    def words(self, task: Task, links: Links) -> dict[str, str]:
        """Return what stands in the place of the vendor's words for a task: its id, and addresses of files."""
        job = get(task.snapshot, self.body)
        # What is not kept is not named: the vendor's addresses are the gateway's alone.
        paths = (*self.hidden, *(file.path for file in self.files))
        words = {url: "" for path in paths for url in each(job, path) if isinstance(url, str)}
        if task.state is State.SUCCEEDED:
            words |= {url: links.asset(task, number) for number, url in enumerate(self._files(job))}
        if task.upstream_id:
            words[task.upstream_id] = task.id
        return words

    def own_answer(self, task: Task, links: Links) -> Json:
        """Return a task as the vendor would show it, out of what the gateway itself knows."""
        within = f"{self.body}." if self.body else ""
        answer: Json = write(write({}, self.id, task.id), within + self.status, self.word(task.state))
        if task.state in _STOPPED and self.error:
            answer = write(answer, within + self.error[0], task.error or self.word(task.state))
        by_role = self.links(task, links)
        for file in self.files:
            urls, (path, in_list, name) = by_role.get(file.role, ()), (within + file.path).partition("[].")
            items = get(answer, path) or [] if file.optional else [file.beside(task, at) for at in range(len(urls))]
            if path.endswith("[]") and urls:
                answer = write(answer, path.removesuffix("[]"), list(urls))
            elif not in_list and urls:
                answer = write(answer, path, urls[0])
            elif in_list and items:
                padded = zip(items, [*urls, *[""] * len(items)], strict=False)
                answer = write(answer, path, [{**item, name: url} for item, url in padded])
        for path, word in (*_told(self.beside, task), *_told(self.written, task)):
            answer = answer if word is DROP else write(answer, path, word)
        return answer

    def word(self, state: State) -> str:
        """Return the vendor's word for a state; where it has none, for the likest."""
        words: dict[State, str] = {}
        for word, meaning in self.states.items():
            words.setdefault(meaning, word)
        likest = (state, State.FAILED) if state.final else (state, State.QUEUED, State.RUNNING)
        return next(words[meaning] for meaning in likest if meaning in words)

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
        paths = (*self.keep, self.reference) if self.reference else self.keep
        return {path: of_request(request, f"body.{path}") for path in paths}

    def callback(self, request: AnyRequest) -> Hook | None:
        """Find the caller's callback."""
        url = of_request(request, f"body.{self.hook}")
        secret = of_request(request, f"body.{self.hook_secret}") if self.hook_secret else None
        return Hook(url, secret) if url else None

    def patch(self, request: AnyRequest, facts: Facts) -> dict[str, Any]:
        """Put the gateway's own callback and reference in the place of the caller's."""
        changes: dict[str, Any] = {}
        if self.hook and of_request(request, f"body.{self.hook}") is not None:
            changes = dict.fromkeys(filter(None, (self.hook, self.hook_secret)), DROP)
        if self.hook and facts.hook_url is not None:
            changes[self.hook] = facts.hook_url
        if facts.reference and (self.find or (self.reference and of_request(request, f"body.{self.reference}"))):
            changes[self.reference] = facts.reference
        return changes

    def _message(self, task: Task, links: Links) -> HookMessage:
        return HookMessage(get(self.shown(task, links), self.hook_body))

    # Read ----------------------------------------------------------------------------------------------------------

    def _ids(self, said: Json) -> str:
        return ",".join(str(name) for name in each(said, self.id) if is_id(name))

    def _code(self, said: Json, codes: Collection[Json]) -> bool | None:
        """Tell whether an answer's code is one of some; None where answers have none."""
        return get(said, self.code) in tuple(codes) if self.code else None

    def _part_states(self, job: Json) -> list[State]:
        parts = each(job, self.parts) if self.parts else []
        return [self._part_state(part) for part in parts]

    def _part_state(self, part: Json) -> State:
        return self._meaning(get(part, self.part_status))

    def _meaning(self, word: Json) -> State:
        lowered = str(word).lower()
        return next((state for name, state in self.states.items() if name.lower() == lowered), State.RUNNING)

    def _progress(self, job: Json) -> int | None:
        told = [number(value) for value in each(job, self.progress)] if self.progress else []
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


def number(value: Json) -> float | None:
    """Return a number, be it written `0.4`, `"40"` or `"40%"`."""
    try:
        number = float(value.removesuffix("%") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _children(paths: Sequence[ChildPath], value: Json) -> tuple[Child, ...]:
    return tuple(child for path in paths for child in path.read(value))


def _told(words: Told, task: Task) -> list[tuple[str, Json]]:
    return [(path, word(task) if callable(word) else word) for path, word in words.items()]


def kept(name: str, otherwise: Callable[[Task], Json] = lambda task: DROP) -> Callable[[Task], Json]:
    """Make what finds a word of the caller's that was kept with a task."""
    return lambda task: (task.request or {}).get(name) or otherwise(task)
