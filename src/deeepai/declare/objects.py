"""Objects that a vendor keeps for its callers: files, stored answers, threads, batches.

An object lives at the channel where it was made, and belongs to the account that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic

from .jobs import BodyT_contra, JobRules, Links
from .values import AnyRequest, Failure, Json, Reply, Request, Usage

MOST_NAMED: Final = 2000
"""Objects in one request."""


@dataclass(frozen=True, slots=True)
class Made:
    """An object that an answer tells of; files that the gateway keeps have its own links there by then.

    Attributes
    ----------
    parent : str or None
        The object that it ends with.
    facts : dict
        What later calls need to know of it, such as its model; small. Of one that is known already, what has changed.
    created_at : int
        When it became known, in ms since 1970; 0 of one that is told of now.
    """

    id: str
    kind: str
    parent: str | None = None
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list that is asked for; `after` and `before` are ids of objects that are not part of it."""

    limit: int = 20
    after: str | None = None
    before: str | None = None
    newest_first: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A list of the caller's own objects: put together by the gateway, each object as its channel tells it now.

    Attributes
    ----------
    item : callable
        The upstream path of one object.
    window : callable
        What part is asked for; raises `Failure`.
    page : callable
        The answer, from the objects and whether there are more.
    fits : callable
        Whether an object passes the filters of the request.
    shows : callable
        What the caller sees of an object that holds addresses of the vendor's.
    """

    kind: str
    item: Callable[[str], str]
    window: Callable[[AnyRequest], Window]
    page: Callable[[Sequence[Json], bool], Json]
    fits: Callable[[AnyRequest, Json], bool] = lambda request, value: True
    shows: Callable[[Json, Links], Json] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A call within a job of many calls: its model, what it will probably consume, and the objects that it uses."""

    model: str
    usage: Usage
    uses: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundRules(Generic[BodyT_contra]):
    """Work that outlasts the answer which starts it. It is held for first, and charged when the vendor says it ended.

    Attributes
    ----------
    wanted : callable
        Whether the request starts such work.
    rules : JobRules
        `accept` finds the work in an answer or a stream's event; `poll` and `read` follow it to its end.
    model : callable
        The model, from the request and the facts of the objects that it names.
    estimate : callable
        What is held, from the same.
    price : callable
        The price key, where it is not the model.
    lines : callable
        For jobs whose calls are lines of a file: the file's upstream path.
    line : callable
        Reads such a line; raises `Failure`.
    """

    wanted: Callable[[Request[BodyT_contra]], bool]
    rules: JobRules[BodyT_contra]
    model: Callable[[Request[BodyT_contra], Sequence[Mapping[str, Json]]], str]
    estimate: Callable[[Request[BodyT_contra], Sequence[Mapping[str, Json]]], Usage]
    price: Callable[[str], str] | None = None
    lines: Callable[[Request[BodyT_contra]], str] | None = None
    line: Callable[[Request[BodyT_contra], bytes], Piece] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptAnswer:
    """An answer that the gateway keeps itself, with what it answers.

    Attributes
    ----------
    follows : str or None
        The kept answer that it goes on from.
    turn : sequence of JSON
        What the caller said in this turn, without what went before it.
    answer : JSON
        As the caller saw it.
    """

    id: str
    follows: str | None
    turn: Sequence[Json]
    answer: Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """A conversation that the gateway keeps itself.

    Attributes
    ----------
    created_at : int
        Milliseconds.
    items : sequence of JSON
        What was said, each with an id, the oldest first.
    """

    id: str
    metadata: Json
    created_at: int
    items: Sequence[dict[str, Json]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Turned:
    """What a call makes of a kept conversation.

    Attributes
    ----------
    begins : Conversation or None
        A new one.
    adds : sequence of JSON
        Items, each with an id.
    removes : str or None
        The id of an item.
    metadata : JSON
        Put in the place of what there is; None: it stays.
    ends : bool
        It is deleted.
    """

    reply: Reply
    begins: Conversation | None = None
    adds: Sequence[dict[str, Json]] = ()
    removes: str | None = None
    metadata: Json = None
    ends: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepingRules(Generic[BodyT_contra]):
    """How the gateway keeps answers for callers where their upstreams do not: those of other protocols never do.

    Attributes
    ----------
    wanted : callable or None
        Whether the answer to a request is to be kept; None: there is nothing to go on from in such answers.
    follows : callable
        Id of the answer that a request goes on from.
    quotes : callable
        Ids of the answers of which a request names parts, and not what is in them.
    turn : callable
        What a request itself says, the parts that it names taken from these kept answers, by id.
    whole : callable
        Fields of the body that says all at once, from the kept answers before a turn, the oldest first, and the turn.
    repeats : callable
        Fields of the request as its answer repeats them, by whether it is kept.
    read : callable
        Id of an answer and the answer, from a whole one or a stream's event; None where it is not to be kept.
    within : callable
        Id of the conversation that a request is a turn of; raises `Failure`.
    adds : callable
        What a turn and its answer add to the conversation, each item with an id; None where the answer is none.
    joined : callable
        An answer, or a stream's event, with the id of the conversation that it is in.
    """

    wanted: Callable[[Request[BodyT_contra]], bool] | None
    follows: Callable[[Request[BodyT_contra]], str | None]
    quotes: Callable[[Request[BodyT_contra]], Sequence[str]]
    turn: Callable[[Request[BodyT_contra], Mapping[str, KeptAnswer]], Sequence[Json]]
    whole: Callable[[Sequence[KeptAnswer], Sequence[Json]], Mapping[str, Json]]
    repeats: Callable[[bool], Mapping[str, Json]]
    read: Callable[[Json], tuple[str, Json] | None]
    within: Callable[[Request[BodyT_contra]], str | None]
    adds: Callable[[Sequence[Json], Json], Sequence[dict[str, Json]] | None]
    joined: Callable[[Json, str], Json]


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectRules(Generic[BodyT_contra]):
    """What an operation has to do with objects.

    Attributes
    ----------
    uses : callable
        Ids of objects that the request names. All must be the caller's own and live at one channel.
    carried : callable
        Those of `uses` that a translation to another protocol carries, where it drops some; None: all.
    hints : callable
        Ids that decide the channel where they are known, and are no fault where they are not.
    makes : callable
        Objects that are the caller's from now on, from a good answer or a stream's event.
    tells : callable
        Whether the answer to this request may tell of objects.
    scan_for : tuple of bytes
        What a stream's event holds that tells of objects; none: its first event does.
    ends : callable
        Ids of objects that a good answer ends.
    background : BackgroundRules
        Work that may go on after the answer.
    shows : callable
        What the caller sees of an answer that holds addresses of the vendor's.
    keeping : KeepingRules
        Answers that the gateway keeps itself, and requests that name some.
    missing : callable
        What to say of an id that is not the caller's; None: that there is no such object.
    at_home : callable
        Whether a call that names no objects goes where calls without a model go: it names what that channel told of.
    """

    uses: Callable[[Request[BodyT_contra]], Sequence[str]] = lambda request: ()
    carried: Callable[[Request[BodyT_contra]], Sequence[str]] | None = None
    hints: Callable[[Request[BodyT_contra]], Sequence[str]] = lambda request: ()
    makes: Callable[[Request[BodyT_contra], Json], Sequence[Made]] | None = None
    tells: Callable[[Request[BodyT_contra]], bool] = lambda request: True
    scan_for: tuple[bytes, ...] = ()
    ends: Callable[[Request[BodyT_contra]], Sequence[str]] | None = None
    background: BackgroundRules[BodyT_contra] | None = None
    shows: Callable[[Json, Links], Json] | None = None
    keeping: KeepingRules[BodyT_contra] | None = None
    missing: Callable[[Request[BodyT_contra], str], Failure | None] | None = None
    at_home: Callable[[Request[BodyT_contra]], bool] = lambda request: False
