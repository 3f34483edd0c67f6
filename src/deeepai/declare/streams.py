"""Event streams: how one is metered, and what turns its events into others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic
from typing import Protocol as Interface

from .jobs import BodyT_contra
from .values import Failure, Json, Request, Usage


class Events(Interface):
    """Turns the events of one stream into another framing."""

    def feed(self, event: bytes) -> bytes:
        """Take one event with its blank line; return what the caller sees of it, which may be nothing."""
        ...

    def end(self) -> bytes:
        """Return what is still to be said once the upstream has ended."""
        ...


class Translation(Events, Interface):
    """Turns the events of one stream into those of another protocol.

    Only it knows how the upstream's answer ends: with or without a last event, with more after it, or cut.
    """

    @property
    def whole(self) -> bool:
        """Whether the answer is whole if nothing more comes; never once an error has been told."""
        ...

    def learn(self, usage: Usage) -> None:
        """Take what is charged as far as the upstream has told it: the caller is told the same at the end."""
        ...

    def fail(self, failure: Failure) -> bytes:
        """Return the event that tells of a failure in mid-stream; nothing where the stream has ended or told one."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamRules(Generic[BodyT_contra]):
    """How an event stream is metered.

    Attributes
    ----------
    wanted : callable
        Whether this request asks for a stream.
    usage : callable
        Usage that an event's bytes carry, or None; looks for a mark before it parses.
    visible : callable
        What the caller sees of an event (None: nothing), where usage was asked for on its behalf.
    text : callable
        The text that an event's data adds to the output; counted when no usage came.
    prompt : callable
        The text of the request that counts as input; used when no usage came.
    is_last : callable
        Whether an event ends the stream: it waits for the charge.
    error : callable
        The protocol's own error event.
    numbered : callable
        Such an event as it goes on from the events before it, where a format numbers them.
    only_opens : callable
        Whether an event says nothing yet (a ping, a role, what was created): the answer has not begun with it.
    finishes : callable
        Whether an event says why the answer ends, though it may not be the last.
    closing : bytes
        What ends a stream whose vendor left its last event out, though the answer has come to its end.
    failure : callable
        What an event says of a failure, as JSON with the vendor's words; None: it tells of none.
    scan_for : tuple of bytes
        Bytes without which an event can neither carry usage nor be the last nor hide anything.
    merge : callable
        The usage so far and a later event's, where one event does not tell it all; else the later counts.
    at_close : bool
        Only the body's end tells which event was the last; `is_last` then says which may have been.
    usage_without_report : callable
        What was consumed, by the request alone, where no usage came; else the text is counted.
    choices : callable
        How many answers the request asks for at once; what a vendor tells may be of one alone. None: one.
    reshape : callable
        Another framing than events, where the caller asks for one: its content type, and what makes it.
    whole_or_nothing : bool
        A stream that fails or breaks off has cost nothing, whatever it told before.
    keep_alive : bytes or None
        What may stand between two events and says that the stream goes on; None where clients take no such thing.
    """

    wanted: Callable[[Request[BodyT_contra]], bool]
    usage: Callable[[bytes], Usage | None]
    visible: Callable[[Request[BodyT_contra], bytes], bytes | None]
    text: Callable[[Json], str]
    prompt: Callable[[Request[BodyT_contra]], str]
    is_last: Callable[[bytes], bool]
    error: Callable[[Failure, str], bytes]
    scan_for: tuple[bytes, ...]
    only_opens: Callable[[bytes], bool] = lambda event: False
    finishes: Callable[[bytes], bool] = lambda event: False
    closing: bytes = b""
    failure: Callable[[bytes], Json] = lambda event: None
    merge: Callable[[Usage, Usage], Usage] | None = None
    at_close: bool = False
    usage_without_report: Callable[[Request[BodyT_contra]], Usage] | None = None
    choices: Callable[[Request[BodyT_contra]], int] | None = None
    reshape: Callable[[Request[BodyT_contra]], tuple[str, Events] | None] | None = None
    whole_or_nothing: bool = False
    keep_alive: bytes | None = None
    numbered: Callable[[bytes, bytes], bytes] | None = None
