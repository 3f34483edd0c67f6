"""The interfaces of a protocol, a class for each kind: the type says what may be said of one.

All are generic in the struct of their body, so that a function which reads a field that the body has not is found by
the type checker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from .answers import AnswerShape
from .jobs import BodyT_contra, Job, Links, Task
from .objects import Conversation, KeptAnswer, Listing, ObjectRules, Turned
from .sockets import SocketRules
from .streams import StreamRules
from .values import Answer, Json, Kind, Reason, Reply, Request, Text, Usage
from .views import Facts, View

BodyT = TypeVar("BodyT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation(Generic[BodyT]):
    """One interface of a protocol, whatever its kind.

    Attributes
    ----------
    path : str
        Canonical path on the gateway; placeholders as `{name}`.
    aliases : tuple of str
        Further paths.
    upstream_template : str
        Path at the vendor, below a channel's base URL.
    rows : tuple of int
        Rows of the interface tree that it covers.
    body : type
        A msgspec struct of the fields that the gateway must know; all others pass through. Serves validation,
        routing and the API reference at once.
    media : str
        How the body comes: json, multipart, either of the two, form (multipart or
        URL-encoded), any of the three, or none.
    max_body : int
        Bytes.
    files : mapping
        File parts of a multipart body, and whether each is required.
    answers : tuple of str
        Content types of a good answer.
    check : callable
        What a struct cannot say; raises `Failure`.
    query : tuple of str
        Query parameters, for the API reference.
    example : mapping
        A body (or form fields) to show; where there is none, one is made of the required fields.
    example_answer : JSON
        An answer to show, where the gateway cannot make one up by itself.
    example_params : mapping
        Values of path and query parameters to show, where the protocol's usual ones do not fit.
    """

    kind: ClassVar[Kind]
    name: str
    method: str
    path: str
    summary: Text
    aliases: tuple[str, ...] = ()
    upstream_template: str = ""
    rows: tuple[int, ...] = ()
    body: type[BodyT] | None = None
    media: Literal["json", "multipart", "either", "form", "any", "none"] = "json"
    max_body: int = 32 * 1024 * 1024
    files: Mapping[str, bool] = field(default_factory=dict[str, bool])
    answers: tuple[str, ...] = ("application/json",)
    check: Callable[[Request[BodyT]], None] | None = None
    query: tuple[str, ...] = ()
    example: Mapping[str, Json] = field(default_factory=dict[str, Json])
    example_answer: Json = None
    example_params: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def paid(self) -> bool:
        """Whether it may cost something."""
        return False

    @property
    def public(self) -> bool:
        """Whether it needs no token."""
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Local(Operation[BodyT]):
    """Answered by the gateway itself.

    Attributes
    ----------
    answer : callable
    status : int
        What it answers where all is well.
    fails : tuple of Reason
        Ways to fail that the kind does not imply; for the API reference.
    open : bool
        No token needed.
    takes_rest : bool
        The last placeholder of its paths takes all that follows, slashes too.
    prose : Text or None
        Of a page of prose (`common/pages.py`): what it says, in Markdown.
    """

    kind: ClassVar[Kind] = Kind.LIST
    answer: Callable[[View[BodyT]], Awaitable[Reply]]
    status: int = 200
    fails: tuple[Reason, ...] = ()
    open: bool = False
    takes_rest: bool = False
    prose: Text | None = None

    @property
    def public(self) -> bool:
        """Whether it needs no token."""
        return self.open


@dataclass(frozen=True, kw_only=True, slots=True)
class OfTask(Operation[BodyT]):
    """About one task of the caller's.

    Attributes
    ----------
    task : callable
        The public task id that is asked for.
    """

    task: Callable[[Request[BodyT]], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetch(OfTask[BodyT]):
    """One task, from the stored state.

    Attributes
    ----------
    render : callable
        The answer, where it depends on the request too.
    """

    kind: ClassVar[Kind] = Kind.FETCH
    render: Callable[[Request[BodyT], Task, Links], Reply] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Media(OfTask[BodyT]):
    """The bytes of a task's file, or a page about the task, to be opened by a signed link.

    Attributes
    ----------
    number : callable
        Which of its files; of a running task, which preview.
    page : callable
        What browsers see instead of a file.
    """

    kind: ClassVar[Kind] = Kind.MEDIA
    number: Callable[[Request[BodyT]], int] = lambda request: 0
    page: Callable[[Task, Links], Reply] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Forwarded(Operation[BodyT]):
    """Sent to a channel.

    Attributes
    ----------
    model : callable
        The name that routes, is allowed or not, and is priced.
    upstream_path : callable
        The upstream path where it is more than `upstream_template` filled in.
    patch : callable
        Changes to the top-level JSON keys (or form fields) on the way out. An empty dict lets the bytes through.
    headers : callable
        Headers on the way out, over those that are forwarded; an empty one keeps its namesake back.
    timeout : float or None
        Seconds in which the vendor promises to have answered, where that is less than a channel's own limit.
    """

    model: Callable[[Request[BodyT]], str] | None = None
    upstream_path: Callable[[Request[BodyT], Facts], str] | None = None
    patch: Callable[[Request[BodyT], Facts], dict[str, Any]] | None = None
    headers: Callable[[Request[BodyT], Facts], Mapping[str, str]] | None = None
    timeout: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectCall(Forwarded[BodyT]):
    """Only touches objects that the vendor keeps for the caller, and costs nothing.

    Attributes
    ----------
    objects : ObjectRules
    kept : callable or None
        The answer of an operation on one answer, where that is one which the gateway keeps itself.
    converse : callable or None
        What an operation makes of a conversation that the gateway keeps itself, or of none where it begins one.
    turns : str
        The operation whose requests are turns of the conversations that this one begins.
    outputs : Outputs or None
        Files in the answer that the gateway keeps.
    shape : AnswerShape or None
        What its answer must hold; None: it is not judged.
    stream : StreamRules or None
        Where it may answer in events: the protocol's own error event is needed of it.
    stream_body : bool
        A multipart body passes to the upstream as it comes, and is checked on the way; `request.body` and
        `request.parts` stay empty.
    """

    kind: ClassVar[Kind] = Kind.CALL
    objects: ObjectRules[BodyT]
    kept: Callable[[Request[BodyT], KeptAnswer], Reply] | None = None
    converse: Callable[[Request[BodyT], Conversation | None], Turned] | None = None
    turns: str = ""
    outputs: Outputs | None = None
    shape: AnswerShape | None = None
    stream: StreamRules[BodyT] | None = None
    stream_body: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectList(Forwarded[BodyT]):
    """A list of the caller's own objects."""

    kind: ClassVar[Kind] = Kind.CALL
    listing: Listing


@dataclass(frozen=True, kw_only=True, slots=True)
class Paid(Forwarded[BodyT]):
    """Costs something.

    Attributes
    ----------
    estimate : callable
        What it will probably consume: the hold. None: one call.
    models : tuple of str
        Names (or patterns) of the models that it is for, where those are for no other operation; lists of models and
        errors say so to callers. Nobody is refused by it.
    endpoint_type : str
        What relays call it in their lists of models.
    """

    estimate: Callable[[Request[BodyT]], Usage] | None = None
    models: tuple[str, ...] = ()
    endpoint_type: str = ""

    @property
    def paid(self) -> bool:
        """Whether it may cost something."""
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin(Generic[BodyT_contra]):
    """The tasks that a follow-up refers to: it goes where they were made.

    Attributes
    ----------
    ids : callable
        Public ids of tasks, or ids of what tasks made (`Child`).
    check : callable
        What the first of them must be like; raises `Failure`.
    """

    ids: Callable[[Request[BodyT_contra]], Sequence[str]]
    check: Callable[[Request[BodyT_contra], Task], None] | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """Addresses of files in a JSON answer, or a stream's last event, which the vendor soon forgets: the gateway keeps
    the files and puts its own links in their place.

    Attributes
    ----------
    of : callable
        The addresses in an answer; data URLs are kept as files, too.
    models : callable
        Whether the answers of a model are looked at, named as the operator or the channel does; None: of each.
    inline : callable
        Addresses in whose place the files' bytes are wanted, in base64.
    named_by_caller : bool
        Its caller can have it name whatever it likes, so that little of it is kept.
    keyed : bool
        Those at the channel's own host may be open to its credential alone.
    lasting : bool
        An address always names the same file: an account has it once.
    """

    of: Callable[[Json], Sequence[str]]
    models: Callable[[str], bool] | None = None
    inline: Callable[[Json], Sequence[str]] = lambda answer: ()
    named_by_caller: bool = False
    keyed: bool = False
    lasting: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Paid[BodyT]):
    """One request upstream, one answer.

    Attributes
    ----------
    shape : AnswerShape or None
        What its answer must hold; None: it is not judged.
    usage : callable
        What it did consume, read from the answer; None: nothing to pay.
    free : bool
    further_models : callable
        Further models that the request lets the vendor use; the token must be allowed to call them, too.
    objects : ObjectRules or None
        What it has to do with objects that the vendor keeps for the caller.
    origin : Origin or None
        The task that it is a follow-up to.
    outputs : Outputs or None
        Files in the answer that the gateway keeps.
    counting : StreamRules or None
        By whose `prompt` and `text` is counted what a whole answer leaves untold; a Stream's own rules do.
    passthrough : bool
        An answer that is no JSON, or a large one, goes to the caller as it comes: `usage` then sees the headers alone
        of a sound or picture, and of JSON all but long strings and rows of numbers.
    replay : bool
        Whether it may be sent again, elsewhere, after a cut that came once its bytes may have reached the vendor.
    unserved : str
        What to tell of a model that is one of the protocol's own where no channel serves it.
    """

    kind: ClassVar[Kind] = Kind.CALL
    shape: AnswerShape | None = None
    usage: Callable[[Request[BodyT], Answer], Usage | None] | None = None
    free: bool = False
    further_models: Callable[[Request[BodyT]], Sequence[str]] | None = None
    objects: ObjectRules[BodyT] | None = None
    origin: Origin[BodyT] | None = None
    outputs: Outputs | None = None
    counting: StreamRules[BodyT] | None = None
    passthrough: bool = False
    replay: bool = False
    unserved: str = ""

    @property
    def paid(self) -> bool:
        """Whether it may cost something."""
        return not self.free


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream(Call[BodyT]):
    """As a Call, and may answer in server-sent events.

    Attributes
    ----------
    rules : StreamRules
        How its event stream is metered.
    on_leave : str
        What happens upstream when the caller leaves midway.
    fallback_models : callable
        Models to try after the one that is asked for, where the body may name them.
    """

    kind: ClassVar[Kind] = Kind.STREAM
    rules: StreamRules[BodyT]
    on_leave: Literal["cancel", "drain"] = "drain"
    fallback_models: Callable[[Request[BodyT]], Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Repeats:
    """How clients repeat a submission without an idempotency key: two equal ones of one token are then one.

    Attributes
    ----------
    within : float
        Seconds after the answer in which an equal one is a repetition; while there is none yet, it always is.
    counted : str
        Header in which clients say how often they have tried before: only what does, and not 0, is repeated.
    """

    within: float
    counted: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submit(Paid[BodyT]):
    """Starts a task, or gives a waiting one its input.

    Attributes
    ----------
    job : Job
        How the vendor does it, and how callers see it.
    price : callable
        The price key where it is not the model.
    origin : Origin or None
        The tasks that it is a follow-up to.
    uses : callable
        Ids of objects that the vendor keeps, such as uploads, which the request names: the caller's own, all at one
        channel, where it goes.
    inherit : callable
        For follow-ups that name no model: the model and what the call will probably consume, by the origin.
    resumes : bool
        It gives its origin, a waiting task, its input instead of making one.
    wait : callable
        Seconds for which the answer waits for the task's end, where the caller asks for that; 0: it does not.
    repeats : Repeats or None
        How its clients repeat it without telling.
    """

    kind: ClassVar[Kind] = Kind.SUBMIT
    job: Job[BodyT]
    price: Callable[[Request[BodyT]], str] | None = None
    origin: Origin[BodyT] | None = None
    uses: Callable[[Request[BodyT]], Sequence[str]] = lambda request: ()
    inherit: Callable[[Request[BodyT], Task], tuple[str, Usage]] | None = None
    resumes: bool = False
    wait: Callable[[Request[BodyT]], float] | None = None
    repeats: Repeats | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Socket(Paid[BodyT]):
    """A session over a WebSocket.

    Attributes
    ----------
    rules : SocketRules
        How its session begins, is metered, and ends.
    """

    kind: ClassVar[Kind] = Kind.SOCKET
    rules: SocketRules


AnyOperation: TypeAlias = Operation[Any]
