"""What a contender is: something that listens on 127.0.0.1 and answers OpenAI chat requests from an upstream."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from bench.process import WORK, Child

MODEL = "gpt-4o-mini"
UPSTREAM_KEY = "sk-upstream"


@dataclass(frozen=True)
class Request:
    """One HTTP request to a started contender."""

    port: int
    path: str
    body: dict[str, object]
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def lines(self) -> tuple[dict[str, str], str]:
        headers = {"Host": f"127.0.0.1:{self.port}", "Content-Type": "application/json", **self.headers}
        return headers, json.dumps(self.body, separators=(",", ":"))

    def raw(self) -> bytes:
        headers, body = self.lines()
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self.path} HTTP/1.1\r\n{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


def chat(*, stream: bool, pace_us: int = 5000, model: str = MODEL) -> dict[str, object]:
    """Return the body that all contenders get; the pace in the prompt is read by the streaming upstream alone."""
    text = f"Say this is a test! pace_us={pace_us}" if stream else "Say this is a test!"
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": text}]}
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


class Contender(ABC):
    """One row of the table. `install` and `start` raise `NotReady` with the reason when they cannot."""

    name: str
    #: What the contender does for a request, so that the reader compares like with like.
    does: str

    def __init__(self) -> None:
        self.child: Child | None = None
        self.port = 0

    def install(self) -> str:
        """Make the program available and return its version."""
        return ""

    @abstractmethod
    def start(self, upstream: int) -> None:
        """Start on a free port, with the OpenAI-compatible upstream at that port, and return when it is ready."""

    def request(self, *, stream: bool, pace_us: int = 5000) -> Request:
        return Request(self.port, "/v1/chat/completions", chat(stream=stream, pace_us=pace_us))

    def stop(self) -> None:
        if self.child:
            self.child.stop()
            self.child = None

    def proof(self) -> str:
        """Return what the stopped contender's own books say of the answers it gave, if it keeps any."""
        return ""

    @property
    def folder(self) -> Path:
        """A folder for the contender's own configuration and state."""
        folder = WORK / "state" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
