"""A vendor of asynchronous jobs as a table: what may be asked for, what it costs and makes, and how it is told.

A vendor's module lists its `Work`s, says in a view (`views`) how a task looks, and calls `JobVendor(...).vendor()`.
What is made, and for how much, are terms (`terms`). Where a vendor is odd, a function stands in the place of any of
these. Refusals, triggers, ids, files, callbacks and balances follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal

import msgspec

from .conditions import FieldError, Rule, value_at
from .fields import Field, inline, read
from .ids import Ids
from .jobs import Job
from .keys import Bearer, Keys
from .media.draw import Format, Picture, fit, size_of
from .media.video import FPS
from .results import Artefact, Result, keep
from .vendor import Answer, Call, Refusal, RefusedError, Route, Vendor, World, digest_of, json_answer
from .views import View, told

ALIKE: Mapping[str, str] = {
    "missing": "value",
    "type": "value",
    "unknown_model": "value",
    "unknown_id": "not_found",
    "duplicate": "value",
    "no_key": "unauthorized",
    "bad_key": "unauthorized",
    "early_key": "unauthorized",
    "expired_key": "unauthorized",
}
"""Kinds of error that a vendor's table may leave out, and what they count as then; others count as `bad_request`."""
REASONS = {
    "failed": "internal error",
    "moderated": "the content breaks the platform's rules",
    "cancelled": "the task was cancelled",
}
NEEDED = frozenset({"bad_request", "unauthorized", "not_found", "moderated", "rate_limited", "server_error"})


@dataclass
class Order:
    """A request that fits its table; `check` may refuse it still, and leave facts for later."""

    call: Call
    vendor: JobVendor
    work: Work
    body: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    parent: Artefact | None = None
    """The caller's own result that it goes on from."""

    @cached_property
    def inline(self) -> bytes | None:
        """The first picture that came as base64."""
        return next(inline(self.body), None)

    def said(self, name: str, default: Any = None) -> Any:
        """Return a field's value, be it in the body or in an object within."""
        within = (value for value in self.body.values() if isinstance(value, dict))
        return next((body[name] for body in (self.body, *within) if name in body), default)

    def refused(self, kind: str, message: str) -> RefusedError:
        """Return the exception that refuses the order."""
        return self.vendor.refused(self.call, kind, message)

    def judge(self) -> None:
        """Find the parent, and judge the order by the rules of its work, for which `parent` has the parent's body."""
        known = dict(self.body)
        artefact_id = value_at(self.body, self.work.parent) if self.work.parent else None
        if artefact_id:
            task, self.parent = self.made(artefact_id)
            known["parent"] = {**task.body, "work": task.work.name, "seconds": self.parent.result.seconds}
        for rule in self.work.rules:
            rule.judge(known)
        self.work.check(self)

    def made(self, named: object) -> tuple[Task, Artefact]:
        """Return the caller's own task that made a result, and the result; anybody else's is unknown."""
        artefact_id = str(named)
        for task in self.vendor.tasks(self.call):
            if artefact_id in task.artefact_ids:
                if task.artefact_ids.index(artefact_id) in task.lost:
                    raise self.refused("value", f"{artefact_id} has failed")
                if not task.artefacts:
                    raise self.refused("unfinished", f"{artefact_id} is not finished")
                if task.updated + self.vendor.lifetime < self.call.world.clock.wall():
                    raise self.refused("value", f"{artefact_id} is gone")
                return task, task.artefacts[task.artefact_ids.index(artefact_id)]
        raise self.refused("unknown_id", f"{artefact_id[:80]} is not known")

    def draw(self, size: tuple[int, int], *, number: int = 0, source: bytes | None = None) -> Picture:
        """Return a picture that follows from the request, or shows `source`."""
        ignored = self.vendor.passing
        material = sorted((name, repr(value)) for name, value in self.body.items() if name not in ignored)
        text = str(self.body.get("prompt") or self.work.name)
        return Picture(*size, text, digest_of(self.work.name, material, number), self.vendor.pictures, source)

    def film(self, seconds: float, *, side: int, fps: int = FPS, loud: bool = False) -> Result:
        """Return a film of its parent's size, or of `size`; else of a side, shaped as the picture or `aspect_ratio`."""
        if self.parent is not None:
            shown = self.parent.result.picture
            return Result("film", self.draw((shown.width, shown.height)), seconds, fps=fps, loud=loud)
        if asked := self.said("size"):
            width, height = map(int, asked.split("x"))
            return Result("film", self.draw((width, height), source=self.inline), seconds, fps=fps, loud=loud)
        wide, high = size_of(self.inline or b"") or map(int, self.said("aspect_ratio", "16:9").split(":"))
        size = fit(wide / high, side * side * max(wide / high, high / wide), 8)
        return Result("film", self.draw(size, source=self.inline), seconds, fps=fps, loud=loud)

    def images(self, *, side: int) -> Sequence[Result]:
        """Return `n` pictures in the shape `aspect_ratio`, of as many pixels as a square of some side."""
        wide, high = map(int, self.said("aspect_ratio", "1:1").split(":"))
        size = fit(wide / high, side * side, 8)
        drawn = [self.draw(size, number=number, source=self.inline) for number in range(self.said("n", 1))]
        return [Result("picture", picture) for picture in drawn]


@dataclass
class Task:
    """An accepted order, for the functions that show it."""

    job: Job
    work: Work
    body: Mapping[str, Any]
    facts: Mapping[str, Any]
    parent: Artefact | None
    results: Sequence[Result]
    artefact_ids: Sequence[str]
    """Of the results, which some vendors tell before there are any."""
    price: float
    origin: str
    words: Mapping[str, str]
    artefacts: list[Artefact] = field(default_factory=list[Artefact])

    @property
    def status(self) -> str:
        """The vendor's word for the job's state."""
        return self.words.get(self.job.state) or self.words["failed"]

    @property
    def reason(self) -> str:
        """Why the job failed, or an empty text."""
        return REASONS.get(self.job.state, "")

    @property
    def id(self) -> str:
        """The job's id."""
        return self.job.id

    @property
    def done(self) -> Task | None:
        """The task itself, once it has made something."""
        return self if self.artefacts else None

    @property
    def lost(self) -> frozenset[int]:
        """Places of the results that fail while others succeed."""
        triggers, several = self.job.triggers, len(self.results)
        place = triggers.integer("fail-part", several) - 1 if "fail-part" in triggers else several
        return frozenset({place} if several > 1 and 0 <= place < several else ())

    @property
    def share(self) -> float:
        """The part of the price that is due, if some of what it makes of a kind has failed."""
        kinds = [result.kind for result in self.results]
        return 1 - sum(1 / kinds.count(kinds[place]) for place in self.lost)

    @property
    def cost(self) -> float | None:
        """The price, where it is to be told: once it is done."""
        return None if self.done is None or "no-usage" in self.job.triggers else self.price * self.share

    @property
    def films(self) -> list[Artefact]:
        """Those of its artefacts that are films."""
        return [made for made in self.artefacts if made.result.kind == "film"]

    @property
    def pictures(self) -> list[Artefact]:
        """Those of its artefacts that are pictures."""
        return [made for made in self.artefacts if made.result.kind == "picture"]

    @property
    def updated(self) -> float:
        """Unix seconds of the last change that clients see."""
        return self.job.finished or self.job.started or self.job.created


@dataclass(frozen=True)
class Work:
    """One operation that starts jobs."""

    path: str
    seconds: float
    """Job seconds until it is done."""
    fields: Mapping[str, Field]
    """All that it takes, the field of the callback among them; the rest is ignored."""
    results: Callable[[Order], Sequence[Result]]
    _: KW_ONLY
    rules: Sequence[Rule] = ()
    """Between fields. `parent` has those of the parent's request, the name of its `work`, and its `seconds`."""
    parent: str = ""
    """The field with the id of a result of the caller's own that it goes on from."""
    check: Callable[[Order], None] = lambda order: None
    """Refuses what neither shows."""
    price: float | Callable[[Order], float] = 0
    """In the vendor's credits; a job that fails costs nothing."""
    name: str = ""
    """What kind of job it is, if the path is not to say so."""
    body: Callable[[Call], Mapping[str, Any]] = lambda call: call.json
    """The fields, if they do not come as JSON."""
    method: str = "POST"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.path)


@dataclass(frozen=True)
class Lookup:
    """A way to ask for tasks by id: one, or `many` at once, from the path, the query or the body."""

    method: str
    path: str
    where: Literal["path", "query", "body"] = "path"
    field: str = "id"
    many: bool = False
    of: str = ""
    """Name of the only work whose tasks it knows."""


@dataclass(frozen=True)
class Listing:
    """All tasks of a key, the newest first, a page at a time."""

    path: str = ""
    of: str = ""
    page: str = "page"
    size: str = "page_size"
    default: int = 30
    most: int = 500
    pages: int = 1000


@dataclass(frozen=True)
class Left:
    """What a key has left of the credits that it starts with."""

    owner: str
    credits: float
    left: float


@dataclass(frozen=True)
class Balance:
    """How a vendor tells what a key has left."""

    path: str
    credits: float
    """That it starts with."""
    shown: View | Callable[[Left], Any]
    query: Mapping[str, Field] = field(default_factory=dict[str, Field])


@dataclass(frozen=True)
class Hook:
    """How a vendor calls back: the field that has the address, and what it posts there."""

    field: str
    body: View | Callable[[Task], Any]
    on_change: bool = False
    """Whether at each change of the status, or else at the end only."""
    headers: Callable[[Task, bytes], Mapping[str, str]] = lambda task, raw: {}
    """Such as a signature."""
    retries: tuple[float, ...] = ()
    """Job seconds before each further try."""


@dataclass(frozen=True, kw_only=True)
class JobVendor:
    """One vendor of jobs."""

    name: str
    works: Sequence[Work]
    words: Mapping[str, str]
    """The vendor's words for queued, running, done, failed and (if it is another) moderated."""
    shown: View | Callable[[Task], Any]
    accepted: View | Callable[[Task], Any] | None = None
    """What a submission answers, if not what `shown` says."""
    accepted_status: int = 200
    envelope: Callable[[Call, Any], Any] = lambda call, data: data
    errors: Mapping[str, tuple[int, Any]]
    """HTTP status and the vendor's code for each kind of error: those of `Refusal`, of `FieldError`, and own ones."""
    error: Callable[[Call, Any, str], Any]
    """The body of an error, from the code and a message."""
    lookups: Sequence[Lookup] = ()
    cancels: str = ""
    """The path at which DELETE stops a task, or forgets one that has ended, if the vendor has it."""
    listings: Sequence[Listing] = ()
    below: Listing | None = None
    """How each work's tasks are listed at its own path, below which each is asked for by its id."""
    balances: Sequence[Balance] = ()
    hook: Hook | None = None
    watermark: str = ""
    """The field, with dots within objects, that asks for a copy with the vendor's mark."""
    unique: str = ""
    """A field that no two tasks of a key share."""
    found_by_unique: bool = False
    """Whether it finds a task as the id does."""
    new_id: Callable[[Ids], str] = Ids.uuid
    """Makes ids of tasks and of results."""
    one_id: bool = False
    """Whether what a task makes has the task's own id."""
    lifetime: float = 86400
    """Seconds for which a result is kept."""
    slashes: bool = False
    """Whether one at the end of a path, or two before an id, do no harm."""
    lenient: bool = False
    """Whether numbers and flags may come in quotes, and numbers where texts are due."""
    pictures: Format = "png"
    keys: Keys = field(default_factory=Bearer)
    further: Sequence[Route] = ()
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """More of `Vendor`."""

    @property
    def passing(self) -> set[str]:
        """Names of fields that do not change what is made."""
        return {self.unique, self.hook.field if self.hook else ""}

    def vendor(self) -> Vendor:
        """Return the vendor as the sandbox serves it."""
        if absent := NEEDED - self.errors.keys():
            raise ValueError(f"{self.name} does not say how it tells {sorted(absent)}")
        lookups, listings = list(self.lookups), list(self.listings)
        if self.below is not None:
            lookups += [Lookup("GET", f"{work.path}/{{id}}", of=work.name) for work in self.works]
            listings += [replace(self.below, path=work.path, of=work.name) for work in self.works]
        more = "{_:/?}" if self.slashes else ""
        submit = [Route(work.method, work.path + more, partial(self._submit, work)) for work in self.works]
        ask = [Route(way.method, way.path.replace("/{", f"/{more}{{"), partial(self._look_up, way)) for way in lookups]
        pages = [Route("GET", way.path, partial(self._list, way)) for way in listings]
        left = [Route("GET", way.path, partial(self._left, way)) for way in self.balances]
        stop = [Route("DELETE", self.cancels, self._cancel)] if self.cancels else []
        routes = (*submit, *ask, *pages, *left, *stop, *self.further)
        return Vendor(self.name, routes, self.keys.account, self._refuse, **self.settings)

    def refused(self, call: Call, kind: str, message: str, status: int | None = None) -> RefusedError:
        """Return the exception that refuses a call, with another HTTP status than the table's if one is given."""
        while kind not in self.errors:
            kind = ALIKE.get(kind, "bad_request")
        known, code = self.errors[kind]
        if status is not None and status != known:
            code = next((code for other, code in self.errors.values() if other == status), code)
        headers = {"retry-after": str(call.triggers.integer("rate-limit", 1))} if kind == "rate_limited" else {}
        return RefusedError(json_answer(self.error(call, code, message), status or known, headers))

    def tasks(self, call: Call, of: str = "") -> list[Task]:
        """Return the tasks of the caller's key, the oldest first."""
        jobs = (job for job in call.world.jobs if job.vendor == self.name and job.owner == call.owner)
        return [job.data["task"] for job in jobs if of in ("", job.kind)]

    def find(self, call: Call, task_id: object, of: str = "") -> Task:
        """Return a task of the caller's key by its id, or by what is said to find it as well."""
        job = call.world.jobs.find(self.name, str(task_id))
        if job is not None and job.owner == call.owner and of in ("", job.kind):
            return job.data["task"]
        for task in self.tasks(call, of) if self.found_by_unique else ():
            if task.body.get(self.unique) == task_id:
                return task
        raise self.refused(call, "unknown_id", f"the task {str(task_id)[:80]} is not known")

    async def _submit(self, work: Work, call: Call) -> Answer:
        try:
            order = Order(call, self, work, read(work.fields, work.body(call), lenient=self.lenient))
            order.judge()
        except FieldError as error:
            raise self.refused(call, error.kind, str(error)) from None
        unique = order.body.get(self.unique)
        if unique is not None and any(task.body.get(self.unique) == unique for task in self.tasks(call)):
            raise order.refused("duplicate", f"{self.unique} has been used before")
        world = call.world
        results, price = work.results(order), work.price(order) if callable(work.price) else work.price
        job = world.jobs.accept(self.new_id(world.ids), self.name, work.name, call.owner, call.triggers)
        ids = [job.id if self.one_id else self.new_id(world.ids) for _ in results]
        rest = (order.body, order.facts, order.parent, results, ids, round(price, 6), call.origin, self.words)
        job.data["task"] = task = Task(job, work, *rest)
        call.accepted.append(job.id)
        answer = self.envelope(call, told(self.accepted or self.shown, task))
        announced = [task.status]
        world.jobs.start(job, work.seconds, lambda job: self._changed(world, task, announced))
        return json_answer(answer, self.accepted_status)

    async def _look_up(self, way: Lookup, call: Call) -> Answer:
        match way.where:
            case "path":
                wanted: Any = call.params[way.field]
            case "query":
                wanted = call.request.query.get(way.field)
            case "body":
                wanted = call.json.get(way.field)
        if not wanted or (way.many and not isinstance(wanted, list)):
            raise self.refused(call, "missing", f"{way.field} is required")
        if way.many:
            tasks = [self.find(call, task_id, way.of) for task_id in wanted]
            return json_answer(self.envelope(call, [told(self.shown, task) for task in tasks]))
        return json_answer(self.envelope(call, told(self.shown, self.find(call, wanted, way.of))))

    async def _cancel(self, call: Call) -> Answer:
        task = self.find(call, call.params["id"])
        if task.job.is_final:
            call.world.jobs.forget(task.job)
        else:
            call.world.jobs.finish(task.job, "cancelled", lambda job: self._changed(call.world, task, [""]))
        return Answer(204, b"")

    async def _list(self, way: Listing, call: Call) -> Answer:
        rules = {
            way.page: Field("whole", 1, way.pages, default=1),
            way.size: Field("whole", 1, way.most, default=way.default),
        }
        query = self._query(call, rules)
        start = (query[way.page] - 1) * query[way.size]
        tasks = self.tasks(call, way.of)[::-1][start : start + query[way.size]]
        return json_answer(self.envelope(call, [told(self.shown, task) for task in tasks]))

    async def _left(self, way: Balance, call: Call) -> Answer:
        self._query(call, way.query)
        left = Left(call.owner, way.credits, call.credits_left(way.credits))
        return json_answer(self.envelope(call, told(way.shown, left)))

    def _query(self, call: Call, fields: Mapping[str, Field]) -> dict[str, Any]:
        try:
            return read(fields, call.request.query, lenient=True)
        except FieldError as error:
            raise self.refused(call, error.kind, str(error)) from None

    def _changed(self, world: World, task: Task, announced: list[str]) -> None:
        job = task.job
        if job.state == "done":
            pairs = zip(task.artefact_ids, task.results, strict=True)
            seconds = -1 if "expire-url" in job.triggers else self.lifetime
            marked = bool(self.watermark and value_at(task.body, self.watermark))
            for index, pair in enumerate(pairs):
                made = keep(world.files, task.origin, seconds, *pair)
                task.artefacts.append(replace(made, index=index, marked=made.url if marked else ""))
            world.spent[self.name, job.owner] += task.price * task.share
        changed, announced[0] = announced[0] != task.status, task.status
        address = task.body.get(self.hook.field) if self.hook else None
        if self.hook is None or not address or not changed or not (job.is_final or self.hook.on_change):
            return
        raw = msgspec.json.encode(told(self.hook.body, task))
        world.callbacks.send(job, address, raw, self.hook.headers(task, raw), self.hook.retries)

    def _refuse(self, call: Call, why: Refusal) -> Answer:
        if why.kind == "unauthorized":
            return self.refused(call, self.keys.fault(call.request) or why.kind, why.message).answer
        status = why.status if why.kind == "server_error" else None
        return self.refused(call, why.kind, why.message, status).answer


def at(status: int, **codes: Any) -> Mapping[str, tuple[int, Any]]:
    """Return the part of a table of errors that has one HTTP status, from the vendor's code for each kind."""
    return {kind: (status, code) for kind, code in codes.items()}
