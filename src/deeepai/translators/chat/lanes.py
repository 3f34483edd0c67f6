"""Parts of a stream that upstreams mix, put one after the other: the first goes on as it comes, the others wait."""

from __future__ import annotations

import msgspec

from .common import decode
from .model import Delta, Event, PartEnd, PartStart, Signature, Text, Thinking, ToolCall


class Lane:
    """One part on its way.

    Attributes
    ----------
    part : Text, Thinking or ToolCall
        As it starts.
    ready : bool
        It may start; a call waits until its name is known.
    closed : bool
        Nothing is added any more.
    key : object
        What the upstream calls it by.
    length : int
        How many characters it got so far.
    """

    __slots__ = ("closed", "key", "length", "part", "pieces", "ready", "started", "waiting")

    def __init__(self, part: Text | Thinking | ToolCall, ready: bool, key: object) -> None:
        self.part = part
        self.key = key
        self.ready = ready
        self.started = self.closed = False
        self.length = 0
        self.pieces: list[str] = []
        """What a call got: the others are not kept."""
        self.waiting: list[Event] = []

    def whole(self) -> bool:
        """Tell whether a call's arguments are a whole object."""
        text = "".join(self.pieces)
        if not text.rstrip().endswith("}"):
            return False
        try:
            return isinstance(decode(text), dict)
        except (msgspec.DecodeError, ValueError):
            return False


class Lanes:
    """The parts of one stream that have begun and not been given whole."""

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        self._queue: list[Lane] = []

    def open(
        self, part: Text | Thinking | ToolCall, out: list[Event], *, ready: bool = True, key: object = None
    ) -> Lane:
        """Begin a part, after those that are there."""
        lane = Lane(part, ready, key)
        self._queue.append(lane)
        if ready and self._queue[0] is lane:
            self.advance(out)
        return lane

    def add(self, lane: Lane, text: str, out: list[Event]) -> None:
        """Add to a part; what comes after its end is passed over."""
        if lane.closed or not text:
            return
        lane.length += len(text)
        if type(lane.part) is ToolCall:
            lane.pieces.append(text)
        (out if lane.started else lane.waiting).append(Delta(text))

    def sign(self, lane: Lane, signature: Signature, out: list[Event]) -> None:
        """Add the signature of thoughts."""
        if lane.closed:
            return
        if lane.started:
            out.append(signature)
        else:
            lane.waiting.append(signature)

    def close(self, lane: Lane, out: list[Event]) -> None:
        """End a part; the next may go on."""
        if not lane.closed:
            lane.closed = lane.ready = True
            self.advance(out)

    def close_all(self, out: list[Event]) -> None:
        """End all parts."""
        for lane in self._queue:
            lane.closed = lane.ready = True
        self.advance(out)

    def advance(self, out: list[Event]) -> None:
        """Give what is not held back by an earlier part."""
        queue = self._queue
        while queue and queue[0].ready:
            lane = queue[0]
            if not lane.started:
                lane.started = True
                out.append(PartStart(lane.part))
                out += lane.waiting
                lane.waiting = []
            if not lane.closed:
                break
            out.append(PartEnd())
            del queue[0]

    def open_calls(self) -> list[Lane]:
        """Return the calls that have not ended."""
        return [lane for lane in self._queue if not lane.closed and isinstance(lane.part, ToolCall)]
