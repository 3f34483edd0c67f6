"""Plain values: requests and answers as declarations see them, usage, failures."""

from __future__ import annotations

import base64
import enum
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast
from typing import Protocol as Interface

import msgspec

Json = Any
MALFORMED: Final = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a value of an unexpected type or depth raises."""
"""A decoded JSON value."""

BodyT_co = TypeVar("BodyT_co", covariant=True)


class Kind(enum.StrEnum):
    """What the gateway does with an operation."""

    CALL = "call"  # one request upstream, one answer
    STREAM = "stream"  # as CALL, and may answer in server-sent events
    SUBMIT = "submit"  # starts (or resumes) a task
    FETCH = "fetch"  # one task, from the stored state
    LIST = "list"  # answered by the gateway itself
    MEDIA = "media"  # bytes of a task's asset
    SOCKET = "socket"  # a session over a WebSocket


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
    NOT_FOUND = "not_found"  # only in a `TaskStatus`: the vendor does not know the task (any more)

    @property
    def final(self) -> bool:
        """Whether a task in this state never changes again."""
        return self in FINAL


FINAL: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a call consumed, in the units that prices are given in.

    Attributes
    ----------
    input, cached, cached_audio, cache_write, cache_write_1h, audio_in, image_in, output, audio_out, image_out : int
        Tokens, none counted twice: `input` is all text input less `cached`, `cache_write`, `audio_in` and `image_in`;
        `cached` leaves out what stands as `cached_audio`, `cache_write` what is kept for an hour; `output` is all
        output less `audio_out` and `image_out`.
    reasoning : int
        Tokens, informative: they are part of `output`.
    calls, images, characters, searches : int
        Counts; searches are those of the web that the vendor made for an answer.
    seconds, megapixels : float
        Durations (s) and areas (10⁶ pixels).
    cost : int
        10⁻⁹ USD, where the vendor itself says what the call cost.
    params : dict
        Properties a price may depend on, such as size, quality, mode.
    share : float
        The part of the price that is charged, where the vendor gives a discount on all of it, as for batches.
    others : dict
        What further models used on the way to the answer, by name; each is priced under its own.
    largest : int
        Input tokens of the largest of the calls that are taken together here; 0 where it is one call.
    unlimited, unseen : int
        Of an estimate: answers whose length the caller does not limit; and calls that name what they do not show, such
        as an earlier answer or a file. Each may take as many tokens as its model does.
    basis : str
        What the figures rest on: vendor, counted, call, second or estimated.
    """

    input: int = 0
    cached: int = 0
    cached_audio: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_in: int = 0
    image_in: int = 0
    output: int = 0
    audio_out: int = 0
    image_out: int = 0
    reasoning: int = 0
    calls: int = 0
    images: int = 0
    characters: int = 0
    searches: int = 0
    seconds: float = 0.0
    input_megapixels: float = 0.0
    megapixels: float = 0.0
    steps: int = 0
    cost: int | None = None
    params: dict[str, str] = {}
    share: float = 1.0
    others: dict[str, Usage] = {}
    largest: int = 0
    unlimited: int = 0
    unseen: int = 0
    basis: Literal["vendor", "counted", "call", "second", "estimated"] = "call"

    @property
    def all_input(self) -> int:
        """Tokens of all sorts that went in."""
        cached = self.cached + self.cached_audio + self.cache_write + self.cache_write_1h
        return self.input + cached + self.audio_in + self.image_in

    @property
    def all_output(self) -> int:
        """Tokens of all sorts that came out."""
        return self.output + self.audio_out + self.image_out

    def plus(self, more: Usage) -> Usage:
        """Return this and another call's together; what is no count stays as it is in the other."""
        total = msgspec.structs.replace(more, **{name: getattr(self, name) + getattr(more, name) for name in _COUNTS})
        others = dict(self.others)
        for name, usage in more.others.items():
            others[name] = others[name].plus(usage) if name in others else usage
        return msgspec.structs.replace(total, largest=max(self.largest, more.largest), others=others)


_COUNTS: Final = tuple(
    field.name
    for field in msgspec.structs.fields(Usage)
    if field.type in (int, float) and field.name not in ("share", "largest")
)


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
    headers : mapping, optional
        HTTP headers that say the same to machines, such as `allow`.
    """

    def __init__(
        self,
        kind: Reason,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after
        self.headers: Mapping[str, str] = headers or {}

    @property
    def lasting(self) -> bool:
        """Whether to ask again soon would bring the same, though the status might say otherwise."""
        return self.kind is Reason.UNFUNDED or (self.kind is Reason.UNAVAILABLE and self.retry_after is None)


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
    UPGRADE_REQUIRED = (426, "upgrade_required")
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

    @classmethod
    def of(cls, status: int) -> Reason:
        """Return what an upstream's refusal means that says no more than its status."""
        return _BY_STATUS.get(status) or (cls.INVALID if 400 <= status < 500 else cls.UPSTREAM)


_BY_STATUS: Final = {
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    408: Reason.TIMEOUT,
    409: Reason.CONFLICT,
    413: Reason.TOO_LARGE,
    415: Reason.BAD_MEDIA,
    422: Reason.UNPROCESSABLE,
    429: Reason.RATE_LIMITED,
    504: Reason.TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body; `at` is where its data begin in the body that they were read from."""

    name: str
    data: memoryview
    filename: str | None = None
    content_type: str | None = None
    at: int | None = None

    @property
    def text(self) -> str:
        """The part as UTF-8 text."""
        return str(self.data, "utf-8", "replace")


class Request(Interface[BodyT_co]):
    """What a declaration's functions see of a caller's request, by the struct of its body."""

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
    def body(self) -> BodyT_co:
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

    def present(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        """Return those of some headers that were sent, names in lower case."""
        ...

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string."""
        ...


AnyRequest: TypeAlias = Request[object]
"""A request whose body does not matter."""


def whole(text: str | bytes, digits: int = 18) -> int | None:
    """Return a whole number that is written in ASCII digits, and in no more than so many; else None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def lenient_json(data: bytes) -> Json:
    """Decode JSON as lenient readers do; None where it is none.

    Raw control characters and halves of surrogates pass, bytes that are no UTF-8 are replaced, and numbers that are
    none (`NaN`, `1e400`) are null.
    """
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        pass
    try:
        text = data.decode("utf-8", "replace").removeprefix("\ufeff")
        return json.loads(text, strict=False, parse_constant=_none, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def listed(value: Json) -> Sequence[Json]:
    """Return a list, or an object as the only one of a list, as some servers write it; empty for anything else."""
    if isinstance(value, dict):
        return (value,)
    return cast("list[Json]", value) if isinstance(value, list) else ()


def _none(constant: str) -> None:
    return None


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


class Answer(msgspec.Struct, frozen=True):
    """What an upstream answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """Decode the body, as `lenient_json` does, to text that can be kept; None when it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except MALFORMED:
            pass
        try:
            text = json.dumps(lenient_json(self.body), ensure_ascii=False)
            return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        except MALFORMED:
            return None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer for the caller: JSON, bytes, or the bytes of an asset."""

    body: Json | bytes | None = None
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    asset: str | None = None
    """Number of a task's asset to send instead of a body, as in `Links.asset`; of JSON with `Inline`, any."""
    events: AsyncIterator[bytes] | None = None
    """An event stream to send instead of a body, for as long as the caller stays."""


@dataclass(frozen=True, slots=True)
class Result:
    """A file that a task produced: where it lies (an address, or a path below the channel's), or the bytes."""

    url: str | None = None
    data: bytes | None = None
    content_type: str | None = None
    keyed: bool = False
    """Only the channel's credential opens it; that goes to the channel's own host alone."""
    optional: bool = False
    """The task is done without it: it is asked for once."""
    role: str = ""
    """What the file is, for another protocol's face: video, cover, image, audio …"""


DROP: Final = object()
"""In a patch: remove the key."""

SEAL: Final = b"deeepai:"
"""Begins what a translator gives to callers for them to bring back, and only a translator can read: in base64."""
SEALED: Final = base64.b64encode(SEAL)[:10].decode()
"""How such a thing begins."""


@dataclass(frozen=True, slots=True)
class Inline:
    """Stands in a reply's JSON, at any depth, for the bytes of a task's asset in base64; `Reply.asset` is set then."""

    number: int = 0
