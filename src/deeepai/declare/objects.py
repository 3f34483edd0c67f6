"""Objects that a vendor keeps for its callers: files, stored answers, threads, batches.

An object lives at the channel where it was made, and belongs to the account that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .jobs import Links, TaskRules
from .values import Json, Request, Usage


@dataclass(frozen=True, slots=True)
class Made:
    """An object that an answer tells of.

    Attributes
    ----------
    parent : str or None
        The object that it ends with.
    facts : dict
        What later calls need to know of it, such as its model; small.
    """

    id: str
    kind: str
    parent: str | None = None
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])


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
    """

    kind: str
    item: Callable[[str], str]
    window: Callable[[Request], Window]
    page: Callable[[Sequence[Json], bool], Json]
    fits: Callable[[Request, Json], bool] = lambda request, value: True


@dataclass(frozen=True, slots=True)
class Piece:
    """A call within a job of many calls: its model, what it will probably consume, and the objects that it uses."""

    model: str
    usage: Usage
    uses: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkRules:
    """Work that outlasts the answer which starts it. It is held for first, and charged when the vendor says it ended.

    Attributes
    ----------
    wanted : callable
        Whether the request starts such work.
    rules : TaskRules
        `accept` finds the work in an answer or a stream's event, and tells in the fact `path` where it is asked for;
        `poll` and `read` follow it to its end.
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

    wanted: Callable[[Request], bool]
    rules: TaskRules
    model: Callable[[Request, Sequence[Mapping[str, Json]]], str]
    estimate: Callable[[Request, Sequence[Mapping[str, Json]]], Usage]
    price: Callable[[str], str] | None = None
    lines: Callable[[Request], str] | None = None
    line: Callable[[Request, bytes], Piece] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectRules:
    """What an operation has to do with objects.

    Attributes
    ----------
    uses : callable
        Ids of objects that the request names. All must be the caller's own and live at one channel.
    hints : callable
        Ids that decide the channel where they are known, and are no fault where they are not.
    makes : callable
        Objects that are the caller's from now on, from a good answer or a stream's event.
    tells : callable
        Whether the answer to this request may tell of objects.
    marks : tuple of bytes
        What a stream's event holds that tells of objects; none: its first event does.
    ends : callable
        Ids of objects that a good answer ends.
    lists : Listing
        For lists of the caller's objects.
    work : WorkRules
        Work that may go on after the answer.
    shows : callable
        What the caller sees of an answer, or of an object in a list, that holds addresses of the vendor's.
    """

    uses: Callable[[Request], Sequence[str]] = lambda request: ()
    hints: Callable[[Request], Sequence[str]] = lambda request: ()
    makes: Callable[[Request, Json], Sequence[Made]] | None = None
    tells: Callable[[Request], bool] = lambda request: True
    marks: tuple[bytes, ...] = ()
    ends: Callable[[Request], Sequence[str]] | None = None
    lists: Listing | None = None
    work: WorkRules | None = None
    shows: Callable[[Json, Links], Json] | None = None
