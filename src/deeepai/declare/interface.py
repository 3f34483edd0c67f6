"""The declarations themselves: operations, streams, protocols, translators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from typing import Protocol as Interface

import msgspec

from .jobs import Ask, Links, Task, TaskRules
from .objects import ObjectRules, Window
from .sockets import SocketRules
from .values import Answer, Failure, Json, Kind, Reason, Reply, Request, Text, Usage


class Facts(msgspec.Struct, frozen=True):
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
    settings: Mapping[str, Json] = msgspec.field(default_factory=dict[str, Json])
    """The channel's settings."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may spend. Money is 10⁻⁹ USD.

    Attributes
    ----------
    spent : int
        Ever, with this key.
    available : int
        What is left, with what is held for calls under way: of the key's own budget, or of its account where that is
        less or there is no budget.
    bounded : bool
        The key has a budget of its own.
    expires_at : int or None
        ms since 1970.
    models : sequence of str or None
        Names and patterns that it is restricted to.
    """

    name: str
    spent: int
    available: int
    bounded: bool
    expires_at: int | None
    models: Sequence[str] | None


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

    async def page(self, operations: Sequence[str], window: Window) -> tuple[Sequence[Task], bool]:
        """Return part of the tasks that some operations of this protocol made, and whether there are more.

        Raises
        ------
        Failure
            The window begins after a task that is not the caller's.
        """
        ...

    async def forget(self, task_id: str) -> None:
        """Delete a task that has ended and its files, here and at the vendor.

        Raises
        ------
        Failure
            There is no such task, or it has not ended.
        """
        ...

    async def balance(self) -> tuple[int, int, int]:
        """Available, held and spent, in 10⁻⁹ USD."""
        ...

    async def allowance(self) -> Allowance:
        """Return what the caller's key may spend, and has spent."""
        ...

    async def spent(self, since: int, until: int) -> int:
        """Return what the caller's key spent on calls made within a time, in 10⁻⁹ USD; ms since 1970."""
        ...

    async def mint(self, prefix: str, model: str, session: Json, seconds: int) -> tuple[str, int]:
        """Make a key for sessions with one model, as the caller; return it and when it expires (s since 1970).

        Raises
        ------
        Failure
            The caller may not use the model, or nobody serves it.
        """
        ...


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
    also : callable
        Further models that the request lets the vendor use; the token must be allowed to call them, too.
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
    inherit : callable
        For follow-ups that name no model: the model and what the call will probably consume, by the origin.
    render : callable
        For FETCH, where the answer depends on the request too.
    keeps : callable
        Whether `outputs` looks at the answers of a model, named as the operator or the channel does; None: of each.
    outputs : callable
        For CALL: addresses of files in a JSON answer, which the vendor soon forgets; the gateway keeps the files and
        puts its own links in their place.
    on_leave : str
        What happens upstream when the caller leaves midway.
    stream : StreamRules
        For STREAM: how its event stream is metered.
    socket : SocketRules
        For SOCKET: how its session begins, is metered, and ends.
    passes : bool
        An answer that is no JSON, or a large one, goes to the caller as it comes: `usage` then sees the headers alone
        of a sound or picture, and of JSON all but long strings and rows of numbers.
    fails : tuple of Reason
        Further ways to fail that its kind does not imply; for the API reference.
    status : int
        What it answers where all is well.
    unserved : str
        What to tell of a model that is one of the protocol's own where no channel serves it.
    replay : bool
        Whether it may be sent again, elsewhere, after a cut that came once its bytes may have reached the vendor.
    objects : ObjectRules
        What it has to do with objects that the vendor keeps for the caller.
    stream_body : bool
        A multipart body passes to the upstream as it comes, and is checked on the way; `request.body` and
        `request.parts` stay empty.
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
    also: Callable[[Request], Sequence[str]] | None = None
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
    inherit: Callable[[Request, Task], tuple[str, Usage]] | None = None
    render: Callable[[Request, Task, Links], Reply] | None = None
    keeps: Callable[[str], bool] | None = None
    outputs: Callable[[Json], Sequence[str]] | None = None
    stream: StreamRules | None = None
    socket: SocketRules | None = None
    on_leave: Literal["cancel", "drain"] = "drain"
    passes: bool = False
    unserved: str = ""
    fails: tuple[Reason, ...] = ()
    status: int = 200
    replay: bool = False
    objects: ObjectRules | None = None
    stream_body: bool = False
    max_body: int = 32 * 1024 * 1024
    timeout: float = 600.0
    free: bool = False
    public: bool = False
    """No token needed."""
    query: tuple[str, ...] = ()
    """Query parameters, for the API reference."""
    stand_ins: Callable[[Request], Sequence[str]] | None = None
    """Models to try after the one that is asked for, where the body may name them."""
    files: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """File parts of a multipart body, and whether each is required; for the API reference."""
    example: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """A body (or form fields) to show; where there is none, one is made of the required fields."""
    example_answer: Json = None
    """A JSON answer to show, where the gateway cannot make one up by itself."""
    example_params: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values of path and query parameters to show, where the protocol's usual ones do not fit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamRules:
    """How an event stream is metered.

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
    marks : tuple of bytes
        Bytes without which an event can neither carry usage nor be the last nor hide anything.
    merge : callable
        The usage so far and a later event's, where one event does not tell it all; else the later counts.
    at_close : bool
        Only the body's end tells which event was the last; `last` then says which may have been.
    untold : callable
        What was consumed, by the request alone, where no usage came; else the text is counted.
    reshape : callable
        Another framing than events, where the caller asks for one: its content type, and what makes it.
    """

    wanted: Callable[[Request], bool]
    usage: Callable[[bytes], Usage | None]
    hide: Callable[[Request, bytes], bytes | None]
    text: Callable[[Json], str]
    prompt: Callable[[Request], str]
    last: Callable[[bytes], bool]
    error: Callable[[Failure, str], bytes]
    marks: tuple[bytes, ...] = (b'"usage"', b"[DONE]")
    merge: Callable[[Usage, Usage], Usage] | None = None
    at_close: bool = False
    untold: Callable[[Request], Usage] | None = None
    reshape: Callable[[Request], tuple[str, Events] | None] | None = None


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
    too_long : callable
        Whether an answer says that the request does not fit the model's context; another model may be tried then.
    mark_header : str
        A header that all of the vendor's clients send: with it, a path that another protocol has too is this one's.
    id_header : str
        Where the vendor's clients look for the request id, beside `x-request-id`.
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
    env_key_also: tuple[str, ...] = ()
    """Further environment names of the key."""
    env_base_url: str | None = None
    models: tuple[str, ...] = ()
    tasks: TaskRules | None = None
    claims: Callable[[str], Failure | None] | None = None
    channel_fault: Callable[[Answer], bool] = lambda answer: answer.status == 401
    too_long: Callable[[Answer], bool] = lambda answer: False
    mark_header: str | None = None
    id_header: str | None = None
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


class Events(Interface):
    """Turns the events of one stream into those of another protocol, or another framing."""

    def feed(self, event: bytes) -> bytes:
        """Take one event with its blank line; return what the caller sees of it, which may be nothing."""
        ...

    def end(self) -> bytes:
        """Return what is still to be said once the upstream has ended well."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CallTranslator:
    """Serves an operation of one protocol by an operation of another, one call by one call.

    Attributes
    ----------
    source, target : str
        Operation names, `protocol.operation`.
    stream_target : str
        The target where a stream is wanted, if that is another operation.
    request : callable
        The target's body, from the source's request and the model's name; raises `Failure` for what the target cannot
        carry.
    answer : callable
        The source's body, from the request and the target's answer.
    error : callable
        What the target's error answer says; the source's protocol gives it its shape.
    events : callable
        Turns the target's stream into the source's.
    """

    source: str
    target: str
    request: Callable[[Request, str], Mapping[str, Json]]
    answer: Callable[[Request, Answer], bytes]
    error: Callable[[Answer], Failure]
    events: Callable[[Request], Events]
    stream_target: str | None = None
