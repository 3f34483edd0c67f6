"""What a vendor's module declares, and what its handlers are given and return."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from typing import Any, Literal

import msgspec
from aiohttp import web
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_form

from .callbacks import Callbacks
from .clock import Clock
from .files import Files
from .ids import Ids
from .jobs import Jobs
from .triggers import Triggers

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Stream:
    """An answer of server-sent events.

    `delay` (before the first event) and `interval` (between two) are job seconds. `failure` is the event that ends
    the stream when the vendor fails in the middle.
    """

    events: Sequence[bytes]
    failure: bytes
    delay: float = 0.3
    interval: float = 0.02
    content_type: str = "text/event-stream; charset=utf-8"


@dataclass(frozen=True)
class Socket:
    """A WebSocket: `run` serves it, and may add to the log's entry what it saw."""

    run: Callable[[web.WebSocketResponse, dict[str, Any]], Awaitable[None]]
    protocols: Sequence[str]
    most: int
    """Bytes of a message."""


@dataclass(frozen=True)
class Refusal:
    """Why a call is refused, for the vendor to put in its own words."""

    kind: Literal["bad_request", "unauthorized", "not_found", "too_large", "moderated", "rate_limited", "server_error"]
    status: int
    message: str


class RefusedError(Exception):
    """Raised by a handler to answer with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True)
class Form:
    """A parsed multipart form: texts and files by field name, the last one winning."""

    texts: Mapping[str, str]
    files: Mapping[str, bytes]
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the files, as the caller calls them."""
    values: Mapping[str, Sequence[str]] = field(default_factory=dict[str, list[str]])
    """All texts of a field, for those that are arrays: with brackets behind their name, or without."""
    uploads: Mapping[str, Sequence[bytes]] = field(default_factory=dict[str, list[bytes]])
    """All files of a field, likewise."""


@dataclass
class World:
    """All that the vendors share: one clock, one set of jobs, one store of files."""

    clock: Clock
    ids: Ids
    jobs: Jobs
    callbacks: Callbacks
    files: Files
    key: str | None = None
    realtime: Literal["ga", "beta", "both"] = "ga"
    """Which shape of OpenAI's Realtime events is spoken."""
    spent: defaultdict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    failures: dict[str, int] = field(default_factory=dict[str, int])
    shelves: defaultdict[tuple[str, str], dict[str, Any]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], dict[str, Any]](dict)
    )
    """What vendors keep for a caller's key, by the key's digest and the kind of object."""

    def accepts(self, credential: str) -> bool:
        """Tell whether a caller's key is good."""
        if self.key is not None:
            return hmac.compare_digest(credential.encode(), self.key.encode())
        return bool(credential) and "invalid" not in credential


@dataclass(eq=False)
class Call:
    """One request, read to its end."""

    world: World
    vendor: Vendor
    request: web.Request
    body: bytes
    triggers: Triggers
    base: str
    """Scheme, host and mount under which the caller reached this vendor."""
    params: Mapping[str, str]
    owner: str = ""
    """Digest of the caller's key."""
    accepted: list[str] = field(default_factory=list[str])
    """Ids of the jobs that this call started."""
    started: float = field(default_factory=time.monotonic)

    @property
    def origin(self) -> str:
        """Scheme and host under which the caller reached the sandbox."""
        return f"{self.request.scheme}://{self.request.host}"

    @property
    def is_form(self) -> bool:
        """Whether the body is a multipart form; the name of a media type may be written in any case."""
        return self.request.content_type == "multipart/form-data"

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises
        ------
        RefusedError
            If it is not one.
        """
        try:
            value = msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            value = None
        if not isinstance(value, dict):
            raise self.refused("bad_request", 400, "the body is not a JSON object")
        return value

    @cached_property
    def form(self) -> Form:
        """The body as a multipart form.

        Raises
        ------
        RefusedError
            If it is not one.
        """
        content_type = self.request.headers.get("content-type", "")
        if not self.is_form:
            raise self.refused("bad_request", 400, "content-type: must be multipart/form-data")
        texts: dict[str, str] = {}
        files: dict[str, bytes] = {}
        names: dict[str, str] = {}
        values: defaultdict[str, list[str]] = defaultdict(list)
        uploads: defaultdict[str, list[bytes]] = defaultdict(list)

        def on_field(part: Field) -> None:
            name = (part.field_name or b"").decode("utf-8", "replace")
            texts[name] = (part.value or b"").decode("utf-8", "replace")
            values[name.partition("[")[0]].append(texts[name])

        def on_file(part: File) -> None:
            part.file_object.seek(0)
            name = (part.field_name or b"").decode("utf-8", "replace")
            files[name] = part.file_object.read()
            uploads[name.partition("[")[0]].append(files[name])
            names[name] = (part.file_name or b"").decode("utf-8", "replace")

        try:
            parse_form({"Content-Type": content_type.encode()}, BytesIO(self.body), on_field, on_file)
        except FormParserError:
            raise self.refused("bad_request", 400, "the multipart body is malformed") from None
        return Form(texts, files, names, values, uploads)

    def refused(
        self,
        kind: Literal[
            "bad_request", "unauthorized", "not_found", "too_large", "moderated", "rate_limited", "server_error"
        ],
        status: int,
        message: str,
    ) -> RefusedError:
        """Return the exception that answers with an error in the vendor's own shape."""
        return RefusedError(self.vendor.refuse(self, Refusal(kind, status, message)))

    def fingerprint(self) -> str:
        """Return a digest that is the same when the same request is sent again, whatever its multipart boundary."""
        digest = hashlib.sha256(f"{self.request.method} {self.request.path}\n".encode())
        if self.is_form:
            for name, value in sorted(self.form.texts.items()):
                digest.update(f"{name}={value}\n".encode())
            for name, data in sorted(self.form.files.items()):
                digest.update(name.encode() + hashlib.sha256(data).digest())
        else:
            digest.update(self.body)
        return digest.hexdigest()

    async def work(self, seconds: float) -> None:
        """Take as long as the vendor would (job seconds), or fail as the triggers say."""
        if "never-finish" in self.triggers:
            await asyncio.Event().wait()
        if "fail-midway" in self.triggers:
            await self.world.clock.sleep(seconds / 2)
            raise self.refused("server_error", 500, "the work failed midway")
        await self.world.clock.sleep(seconds)

    def spend(self, credits: float) -> None:
        """Take credits from the caller's balance."""
        self.world.spent[self.vendor.name, self.owner] += credits

    def credits_left(self, start: float) -> float:
        """Return what is left of `start` credits."""
        return round(start - self.world.spent[self.vendor.name, self.owner], 6)


Handler = Callable[[Call], Awaitable[Answer | Stream | Socket]]


@dataclass(frozen=True)
class Route:
    """One operation: method, path template (`/v1/models/{id}`), handler."""

    method: str
    path: str
    handler: Handler
    body_triggers: bool = True
    """Whether triggers in the body count; in files to keep they do not."""
    public: bool = False
    """Whether it is open to callers without a key."""


@dataclass(frozen=True)
class Vendor:
    """One vendor. It is served under `/<name>`, and at the root too unless another vendor has the same path there."""

    name: str
    routes: Sequence[Route]
    credential: Callable[[web.Request], str]
    """The key that the caller presents, or an empty text."""
    refuse: Callable[[Call, Refusal], Answer]
    credential_headers: Sequence[str] = ()
    """Headers beside `authorization` that `credential` reads, in lower case: the log does not show them."""
    credential_queries: Sequence[str] = ()
    """Query parameters that `credential` reads, likewise."""
    headers: Callable[[Call], Mapping[str, str]] = lambda call: {}
    """Headers of every answer."""
    moderates_at_submit: bool = True
    """Whether the trigger `moderated` refuses the call itself, or else the job."""
    body_limit: int = 64 * 2**20
    at_root: bool = True


def bearer(request: web.Request) -> str:
    """Return the bearer token of a request, or an empty text."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return `value` as a JSON answer."""
    return Answer(status, msgspec.json.encode(value), JSON, headers or {})


def digest_of(*parts: object) -> bytes:
    """Return 32 bytes that follow from the parts, for all that must come out the same again."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
        digest.update(b"\0")
    return digest.digest()
