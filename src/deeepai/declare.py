"""The words in which a protocol is declared.

A protocol module builds one `Protocol` from `Operation` values. Routes, rights, prices, the life of long jobs, the API
reference and the coverage table all follow from it. The functions named in a declaration are pure: they read a request
or an answer and return plain values; they never do input or output.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from typing import Protocol as Interface

import msgspec

Json = Any
"""A decoded JSON value."""


class Kind(enum.StrEnum):
    """What the gateway does with an operation."""

    CALL = "call"  # one request upstream, one answer
    STREAM = "stream"  # as CALL, and may answer in server-sent events
    SUBMIT = "submit"  # starts (or resumes) a task
    FETCH = "fetch"  # one task, from the stored state
    LIST = "list"  # answered by the gateway itself
    MEDIA = "media"  # bytes of a task's asset


class State(enum.StrEnum):
    """Where a task stands, whatever the vendor calls it."""

    SUBMITTING = "submitting"  # stored; its bytes may or may not have reached the vendor
    UNKNOWN = "unknown"  # cut after sending: waits for reconciliation
    WAITING = "waiting"  # accepted, waits for more input of the caller (not charged)
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_FOUND = "not_found"  # only in a `Reading`: the vendor does not know the task (any more)

    @property
    def final(self) -> bool:
        """Whether a task in this state never changes again."""
        return self in FINAL


FINAL: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a call consumed, in the units that prices are given in.

    Attributes
    ----------
    input, cached, cache_write, audio_in, image_in, output, audio_out, image_out : int
        Tokens. `input` is all text input less `cached`, `cache_write`, `audio_in` and `image_in`; `output` is all
        output less `audio_out` and `image_out`.
    reasoning : int
        Tokens, informative: they are part of `output`.
    calls, images, characters : int
        Counts.
    seconds, megapixels : float
        Durations (s) and areas (10⁶ pixels).
    cost : int
        10⁻⁹ USD, where the vendor itself says what the call cost.
    params : dict
        Properties a price may depend on, such as size, quality, mode.
    basis : str
        What the figures rest on: vendor, counted, call, second or estimated.
    """

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    audio_in: int = 0
    image_in: int = 0
    output: int = 0
    audio_out: int = 0
    image_out: int = 0
    reasoning: int = 0
    calls: int = 0
    images: int = 0
    characters: int = 0
    seconds: float = 0.0
    input_megapixels: float = 0.0
    megapixels: float = 0.0
    steps: int = 0
    cost: int | None = None
    params: dict[str, str] = {}
    basis: Literal["vendor", "counted", "call", "second", "estimated"] = "call"


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence for people, in English and Chinese."""

    en: str
    zh: str


class Failure(Exception):
    """Something the caller must be told, in whatever shape its protocol gives errors.

    Parameters
    ----------
    kind : Reason
        Decides the HTTP status and the protocol's own error type.
    message : str
        For the caller; never holds a key.
    param : str, optional
        The field that is at fault.
    code : str, optional
        A more precise machine-readable word than the kind's.
    retry_after : float, optional
        Seconds.
    """

    def __init__(
        self,
        kind: Reason,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after


class Reason(enum.Enum):
    """Why a request fails; the value is the usual HTTP status and a word for it."""

    INVALID = (400, "invalid_request")
    UNAUTHENTICATED = (401, "invalid_api_key")
    UNFUNDED = (402, "insufficient_quota")
    FORBIDDEN = (403, "access_denied")
    MODERATED = (403, "content_moderation")
    NOT_FOUND = (404, "not_found")
    NO_MODEL = (404, "model_not_found")
    BAD_METHOD = (405, "method_not_allowed")
    CONFLICT = (409, "conflict")
    TOO_LARGE = (413, "request_too_large")
    BAD_MEDIA = (415, "unsupported_media_type")
    UNPROCESSABLE = (422, "unprocessable")
    RATE_LIMITED = (429, "rate_limit_exceeded")
    INTERNAL = (500, "internal_error")
    UPSTREAM = (502, "upstream_error")
    UNAVAILABLE = (503, "no_channel")
    TIMEOUT = (504, "upstream_timeout")

    @property
    def status(self) -> int:
        """The usual HTTP status."""
        return self.value[0]

    @property
    def word(self) -> str:
        """A machine-readable word."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body."""

    name: str
    data: memoryview
    filename: str | None = None
    content_type: str | None = None

    @property
    def text(self) -> str:
        """The part as UTF-8 text."""
        return str(self.data, "utf-8", "replace")


class Request(Interface):
    """What a declaration's functions see of a caller's request."""

    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def params(self) -> Mapping[str, str]:
        """Values of the path's placeholders and of the prefix (`mode`, `images` …)."""
        ...

    @property
    def query(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def body(self) -> Any:
        """The declared body struct; None where none is declared."""
        ...

    @property
    def raw(self) -> bytes:
        """The body as it came, after decompression."""
        ...

    @property
    def parts(self) -> Sequence[Part]:
        """The parts of a multipart body; empty otherwise."""
        ...

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What an upstream answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """Decode the body; None when it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer for the caller: JSON, bytes, or the bytes of an asset."""

    body: Json | bytes | None = None
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    asset: str | None = None
    """Number of a task's asset to send instead of a body, as in `Links.asset`."""


@dataclass(frozen=True, slots=True)
class Result:
    """A file that a task produced: where it lies, or the bytes themselves."""

    url: str | None = None
    data: bytes | None = None
    content_type: str | None = None


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


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when a request is made ready for a channel."""

    model: str
    """The model's name at the upstream."""
    asked: str
    """The model's name as the caller gave it."""
    origin: Task | None = None
    hook_url: str | None = None
    """Our own address for callbacks of this task, if the gateway can be reached from there."""
    reference: str = ""
    """The request id; an idempotency key where the vendor takes one."""
    settings: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """The channel's settings."""


class View(Interface):
    """What a LIST operation may look at: the caller's own things only."""

    @property
    def request(self) -> Request: ...  # noqa: D102
    @property
    def links(self) -> Links: ...  # noqa: D102
    @property
    def account_id(self) -> str:
        """Id of the account that pays."""
        ...

    async def models(self) -> Sequence[Mapping[str, Json]]:
        """Models that the token may call: id, owned_by, created, protocols."""
        ...

    async def tasks(self, ids: Sequence[str] | None = None, *, open_only: bool = False) -> Sequence[Task]:
        """Return tasks by id, or the latest hundred."""
        ...

    async def balance(self) -> tuple[int, int, int]:
        """Available, held and spent, in 10⁻⁹ USD."""
        ...


DROP: Final = object()
"""In a patch: remove the key."""

INLINE: Final = object()
"""In a reply's body: the asset's bytes in base64 stand here."""


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
    interval: float = 2.0
    fresh: float = 1.0
    timeout: float = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One interface of a protocol.

    Attributes
    ----------
    path : str
        Canonical path on the gateway; placeholders as `{name}`.
    native : str
        Path at the vendor, below a channel's base URL.
    rows : tuple of int
        Rows of the interface tree that it covers.
    body : type
        A msgspec struct of the fields that the gateway must know; all others pass through. Serves validation,
        routing and the API reference at once.
    media : str
        How the body comes: json, multipart, either or none.
    model : callable
        The name that routes, is allowed or not, and is priced.
    price : callable
        The price key where it is not the model.
    estimate : callable
        What the call will probably consume: the hold.
    usage : callable
        What it did consume, read from the answer; None: nothing to pay.
    patch : callable
        Changes to the top-level JSON keys (or form fields) on the way out. An empty dict lets the bytes through.
    place : callable
        The upstream path where it is more than `native` filled in.
    headers : callable
        Headers on the way out, over those that are forwarded.
    origin : callable
        Public ids of the tasks that a follow-up refers to.
    resumes : bool
        A SUBMIT that gives a waiting task its input instead of making one.
    task : callable
        For FETCH and MEDIA: the public task id that is asked for.
    answer : callable
        For LIST.
    check : callable
        What a struct cannot say; raises `Failure`.
    check_origin : callable
        What a follow-up's origin must be like; raises `Failure`.
    render : callable
        For FETCH, where the answer depends on the request too.
    outputs : callable
        For CALL: addresses of files in a JSON answer, which the vendor soon forgets; the gateway keeps the files and
        puts its own links in their place.
    on_leave : str
        What happens upstream when the caller leaves midway.
    replay : bool
        Whether it may be sent again, elsewhere, after a cut that came once its bytes may have reached the vendor.
    """

    name: str
    method: str
    path: str
    kind: Kind
    summary: Text
    native: str = ""
    rows: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()
    body: type[msgspec.Struct] | None = None
    media: Literal["json", "multipart", "either", "none"] = "json"
    answers: tuple[str, ...] = ("application/json",)
    model: Callable[[Request], str] | None = None
    price: Callable[[Request], str] | None = None
    estimate: Callable[[Request], Usage] | None = None
    usage: Callable[[Request, Answer], Usage | None] | None = None
    patch: Callable[[Request, Facts], dict[str, Any]] | None = None
    place: Callable[[Request, Facts], str] | None = None
    headers: Callable[[Request, Facts], Mapping[str, str]] | None = None
    origin: Callable[[Request], Sequence[str]] | None = None
    resumes: bool = False
    task: Callable[[Request], str] | None = None
    answer: Callable[[View], Awaitable[Reply]] | None = None
    check: Callable[[Request], None] | None = None
    check_origin: Callable[[Request, Task], None] | None = None
    render: Callable[[Request, Task, Links], Reply] | None = None
    outputs: Callable[[Json], Sequence[str]] | None = None
    on_leave: Literal["cancel", "drain"] = "drain"
    replay: bool = False
    max_body: int = 32 * 1024 * 1024
    timeout: float = 600.0
    free: bool = False
    public: bool = False
    """No token needed."""
    query: tuple[str, ...] = ()
    """Query parameters, for the API reference."""
    files: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """File parts of a multipart body, and whether each is required; for the API reference."""
    example: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """A body (or form fields) to show; where there is none, one is made of the required fields."""
    example_answer: Json = None
    """A JSON answer to show, where the gateway cannot make one up by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamRules:
    """How a protocol's event stream is metered.

    Attributes
    ----------
    wanted : callable
        Whether this request asks for a stream.
    usage : callable
        Usage that an event's bytes carry, or None; looks for a mark before it parses.
    hide : callable
        What the caller sees of an event (None: all of it hidden), where usage was asked for on its behalf.
    text : callable
        The text that an event's data adds to the output; counted when no usage came.
    prompt : callable
        The text of the request that counts as input; used when no usage came.
    last : callable
        Whether an event ends the stream: it waits for the charge.
    error : callable
        The protocol's own error event.
    """

    wanted: Callable[[Request], bool]
    usage: Callable[[bytes], Usage | None]
    hide: Callable[[Request, bytes], bytes | None]
    text: Callable[[Json], str]
    prompt: Callable[[Request], str]
    last: Callable[[bytes], bool]
    error: Callable[[Failure, str], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """A wire format, declared.

    Attributes
    ----------
    prefixes : mapping
        Path prefixes, each with the parameters that it sets; every operation stands under each of them.
    key_headers, key_queries : tuple of str
        Where a caller's token may stand beside `Authorization`.
    authorize : callable
        Headers that carry a channel's credential.
    error : callable
        A failure in the protocol's own shape; takes the operation (None before routing) and the request id.
    env : tuple
        Environment names of the vendor's SDK: key, base URL; and the vendor's base URL.
    models : tuple of str
        Model names (or patterns) that a channel serves when it lists none.
    claims : callable
        What to answer on an unknown path that is meant for this protocol; None where it is not.
    channel_fault : callable
        Whether an answer blames the channel's own account (bad key, out of credit): such an answer fails over and is
        never shown to the caller.
    own_paths : tuple of str
        Path prefixes that are this protocol's alone; an unknown path below one is answered in its error shape.
    """

    name: str
    title: Text
    operations: tuple[Operation, ...]
    error: Callable[[Failure, Operation | None, str], Reply]
    authorize: Callable[[str], Mapping[str, str]]
    base_url: str
    prefixes: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {"": {}})
    key_headers: tuple[str, ...] = ()
    key_queries: tuple[str, ...] = ()
    env_key: str | None = None
    env_base_url: str | None = None
    models: tuple[str, ...] = ()
    tasks: TaskRules | None = None
    stream: StreamRules | None = None
    claims: Callable[[str], Failure | None] | None = None
    channel_fault: Callable[[Answer], bool] = lambda answer: answer.status == 401
    own_paths: tuple[str, ...] = ()
    forward_headers: tuple[str, ...] = ()
    answer_headers: tuple[str, ...] = ()
    probe: Ask | None = None
    """A cheap request whose answer tells whether the channel's address and credential are good."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Translator:
    """Serves an operation of one protocol by tasks of another.

    Attributes
    ----------
    source, target : str
        Operation names, `protocol.operation`.
    to : callable
        One JSON body for each task to submit.
    back : callable
        The source protocol's answer, from the finished tasks.
    """

    source: str
    target: str
    serves: Callable[[str], bool]
    to: Callable[[Request], Sequence[Json]]
    back: Callable[[Request, Sequence[Task], Links], Reply]
    failed: Callable[[Task], Failure]
    inline: Callable[[Request], bool]
    timeout: float = 300.0
