"""A caller that speaks HTTP/2 frame by frame, and says what came back."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)

from tests.support.until import PATIENCE


@dataclass
class Answer:
    """What a stream brought."""

    status: int = 0
    informed: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None


class Peer:
    """One connection. What comes is read only while something is waited for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.answers: defaultdict[int, Answer] = defaultdict(Answer)
        self.goodbye: int | None = None
        """The error of a GOAWAY."""
        self.closed = False
        self.reads = True
        """Windows are given back."""

    def begin(self, **settings: int) -> None:
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings({int(name.removeprefix("s")): value for name, value in settings.items()})
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    def ask(self, path: str, body: bytes | None = None, method: str = "", more: bool = False, **headers: str) -> int:
        """Begin a request; of its body as much as its window takes leaves at once."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method or ("GET" if body is None else "POST")), (":scheme", "http"), (":authority", "h")]
        head += [(":path", path), *((name.replace("_", "-"), value) for name, value in headers.items())]
        self.h2.send_headers(stream, head, end_stream=body is None and not more)
        self.flush()
        if body is not None:
            self.send(stream, body, last=not more)
        return stream

    def send(self, stream: int, data: bytes, *, last: bool = False) -> int:
        """Send what the window takes; return how much that was."""
        sent = 0
        while size := min(len(data) - sent, self.h2.local_flow_control_window(stream), 16384):
            self.h2.send_data(stream, data[sent : sent + size])
            sent += size
        if last and sent == len(data):
            self.h2.end_stream(stream)
        self.flush()
        return sent

    async def upload(self, stream: int, data: bytes) -> None:
        """Send a body to its end, as the window is given back."""
        answer = self.answers[stream]
        while data:
            data = data[self.send(stream, data) :]
            if data:
                await self.until(lambda: answer.reset is not None or self.h2.local_flow_control_window(stream) > 0)
                if answer.reset is not None:
                    return
        self.h2.end_stream(stream)
        self.flush()

    async def until(self, seen: Callable[[], Any]) -> None:
        """Read until something is so; fail where the connection ends before."""
        async with asyncio.timeout(PATIENCE):
            while not seen():
                assert not self.closed, (self.goodbye, dict(self.answers))
                await self._read()

    async def answer(self, stream: int) -> Answer:
        await self.until(lambda: self.answers[stream].over)
        return self.answers[stream]

    async def get(self, path: str, body: bytes | None = None, **more: Any) -> Answer:
        return await self.answer(self.ask(path, body, **more))

    async def end(self) -> None:
        """Read until the connection ends."""
        async with asyncio.timeout(PATIENCE):
            while not self.closed:
                await self._read()

    async def _read(self) -> None:
        try:
            data = await self._reader.read(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            self._take(event)
        if self.goodbye is None:
            self.flush()

    def _take(self, event: Any) -> None:
        if isinstance(event, ConnectionTerminated):
            self.goodbye = int(event.error_code or 0)
            # h2 takes it for the end of all.
            self.h2.state_machine.state = type(self.h2.state_machine.state).CLIENT_OPEN
            return
        stream = getattr(event, "stream_id", None)
        if stream is None:
            return
        answer = self.answers[stream]
        if isinstance(event, InformationalResponseReceived):
            answer.informed.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, ResponseReceived):
            answer.headers = dict(event.headers)
            answer.status = int(answer.headers.pop(":status"))
        elif isinstance(event, DataReceived):
            answer.body += event.data
            if self.reads:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, StreamEnded):
            answer.ended = True
        elif isinstance(event, StreamReset):
            answer.reset = int(event.error_code)
