"""Amazon Bedrock: Anthropic's protocol by `InvokeModel`, `InvokeModelWithResponseStream` and `CountTokens`.

Settings: `region`. The credential is `ACCESS_KEY:SECRET_KEY`, with `:SESSION_TOKEN` where there is one, by which
requests are signed (Signature Version 4), or a Bedrock API key.

Source: Bedrock's API reference; the anthropic package's `AnthropicBedrock`; botocore's signer and event streams.
"""

from __future__ import annotations

import base64
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Meta

from ...accounts.models import Channel
from ..client import Client, Response
from ..errors import Cut, NotSent
from .base import Sending, is_true, text_of

VERSION: Final = "bedrock-2023-05-31"
SERVICE: Final = "bedrock"
STREAM_TYPE: Final = "application/vnd.amazon.eventstream"
EXTRA: Final = "pip install 'deeepai[bedrock]'"
_RUNTIME: Final = re.compile(r"(https://bedrock)-runtime(\.[a-z0-9.-]+)")
_REGIONS: Final = re.compile(r"[a-z]+(?:-[a-z]+)?\.(?=anthropic\.)")
"""Before a model's name: the regions among which calls are spread, which tokens are not counted by."""
_DROPPED: Final = ("authorization", "x-api-key", "anthropic-version", "anthropic-beta")
_BY_CODE: Final = {
    "AccessDeniedException": "permission_error",
    "ExpiredTokenException": "authentication_error",
    "InternalServerException": "api_error",
    "InvalidSignatureException": "authentication_error",
    "ModelNotReadyException": "overloaded_error",
    "ModelTimeoutException": "timeout_error",
    "ResourceNotFoundException": "not_found_error",
    "ServiceUnavailableException": "overloaded_error",
    "ThrottlingException": "rate_limit_error",
    "UnrecognizedClientException": "authentication_error",
    "ValidationException": "invalid_request_error",
}


class BedrockSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a channel's settings may hold for the transport."""

    region: Annotated[str, Meta(min_length=1)]


class Bedrock:
    """The transport."""

    carries: tuple[str, ...] = ("anthropic",)
    settings: type[msgspec.Struct] = BedrockSettings

    def operations(self, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return messages and their counts; batches lie in buckets."""
        del settings
        return ("messages", "messages.count_tokens")

    async def prepare(self, client: Client, channel: Channel, sending: Sending) -> str:
        """Put the path and the body as Bedrock wants them, and sign."""
        del client
        base = channel.base_url.rstrip("/")
        beta = sending.headers.get("anthropic-beta")
        for name in _DROPPED:
            sending.headers.pop(name, None)
        path = sending.path.partition("?")[0]
        if sending.method == "GET":
            # Models are listed by another host, which takes the same credentials.
            url = _RUNTIME.sub(r"\1\2", base) + "/foundation-models"
        elif path == "/v1/messages":
            url = base + _invoke(sending, beta)
        elif path == "/v1/messages/count_tokens":
            url = base + _count(sending, beta)
        else:
            raise NotSent(f"this transport does not carry {path}")
        credential = channel.credential or ""
        if ":" in credential:
            _sign(sending, url, credential, channel.settings["region"])
        else:
            sending.headers["authorization"] = f"Bearer {credential}"
        return url

    def receive(self, sending: Sending, response: Response) -> Response:
        """Return the answer with Anthropic's events and Anthropic's errors."""
        del sending
        if response.status >= 400:
            return Refused(response)
        if response.headers.get("content-type", "").startswith(STREAM_TYPE):
            return Unframed(response)
        return response


def _invoke(sending: Sending, beta: str | None) -> str:
    body = sending.json()
    model = quote(text_of(body.pop("model", None)), safe="")
    verb = "invoke-with-response-stream" if is_true(body.pop("stream", None)) else "invoke"
    body.setdefault("anthropic_version", VERSION)
    if beta:
        body.setdefault("anthropic_beta", [name.strip() for name in beta.split(",")])
    sending.body = msgspec.json.encode(body)
    return f"/model/{model}/{verb}"


def _count(sending: Sending, beta: str | None) -> str:
    body = sending.json()
    model = quote(_REGIONS.sub("", text_of(body.pop("model", None)), count=1), safe="")
    body.setdefault("anthropic_version", VERSION)
    # A body that would be invoked has one.
    body.setdefault("max_tokens", 1)
    if beta:
        body.setdefault("anthropic_beta", [name.strip() for name in beta.split(",")])
    inner = base64.b64encode(msgspec.json.encode(body)).decode()
    sending.body = msgspec.json.encode({"input": {"invokeModel": {"body": inner}}})
    sending.rewrite = _counted
    return f"/model/{model}/count-tokens"


def _counted(answer: bytes) -> bytes:
    found: dict[str, Any] = msgspec.json.decode(answer, type=dict[str, Any])
    return msgspec.json.encode({"input_tokens": found["inputTokens"]})


def _botocore(module: str) -> Any:
    try:
        return importlib.import_module(f"botocore.{module}")
    except ImportError:
        raise NotSent(f"this transport needs: {EXTRA}") from None


def _sign(sending: Sending, url: str, credential: str, region: str) -> None:
    access, secret, *session = credential.split(":", 2)
    known = _botocore("credentials").Credentials(access, secret, session[0] if session else None)
    # Only what nobody on the way changes is signed.
    signed = {name: value for name, value in sending.headers.items() if name == "content-type"}
    request = _botocore("awsrequest").AWSRequest(sending.method, url, data=sending.whole, headers=signed)
    _botocore("auth").SigV4Auth(known, SERVICE, region).add_auth(request)
    sending.headers.update({name.lower(): value for name, value in request.headers.items()})


class Unframed(Response):
    """An event stream of Amazon's, read as Anthropic's server-sent events."""

    __slots__ = ("_frames",)

    def __init__(self, response: Response) -> None:
        super().__init__(response.connection)
        self.headers = {**response.headers, "content-type": "text/event-stream; charset=utf-8"}
        self._frames: Any = _botocore("eventstream").EventStreamBuffer()

    async def next(self) -> bytes:
        """Return the events that have come, waiting for one; nothing at the end.

        Raises
        ------
        Cut, Stalled
        """
        fault: Any = _botocore("exceptions").EventStreamError
        damaged: Any = _botocore("eventstream").ParserError
        while data := await super().next():
            self._frames.add_data(data)
            try:
                events = b"".join(_event(frame) for frame in self._frames)
            except (fault, damaged, msgspec.DecodeError, ValueError):
                raise Cut("a frame of the event stream is damaged") from None
            if events:
                return events
        return b""

    def divert(self, sink: Callable[[bytes], bool]) -> None:
        """Keep all pieces for `next`: none is fit to be passed on as it comes."""


def _event(frame: Any) -> bytes:
    headers: Mapping[str, Any] = frame.headers
    if headers.get(":message-type", "event") != "event":
        code = str(headers.get(":exception-type") or headers.get(":error-code") or "")
        message = headers.get(":error-message") or _message(frame.payload)
        return b"event: error\ndata: " + _error(code, str(message)) + b"\n\n"
    raw = msgspec.json.decode(frame.payload, type=dict[str, Any]).get("bytes")
    if not isinstance(raw, str):
        return b""
    data = base64.b64decode(raw)
    found = msgspec.json.decode(data, type=dict[str, Any])
    # Amazon's own count of what the last event says already.
    if found.pop("amazon-bedrock-invocationMetrics", None) is not None:
        data = msgspec.json.encode(found)
    return b"event: " + str(found.get("type", "completion")).encode() + b"\ndata: " + data + b"\n\n"


class Refused(Response):
    """An error of Amazon's, read as Anthropic's."""

    __slots__ = ()

    def __init__(self, response: Response) -> None:
        super().__init__(response.connection)
        code = response.headers.get("x-amzn-errortype", "").partition(":")[0]
        if _BY_CODE.get(code) == "authentication_error":
            # What Anthropic says of a key that is none.
            self.status = 401
        self.headers = {**response.headers, "content-type": "application/json"}

    async def read(self, limit: int) -> bytes:
        """Read the whole body.

        Raises
        ------
        Cut, Stalled
        """
        code = self.headers.get("x-amzn-errortype", "").partition(":")[0]
        return _error(code, _message(await super().read(limit)), self.status)


def _message(payload: bytes) -> str:
    try:
        found = msgspec.json.decode(payload, type=dict[str, Any])
    except msgspec.DecodeError:
        return payload.decode("utf-8", "replace")[:300]
    return str(found.get("message") or found.get("Message") or "The request was refused")


def _error(code: str, message: str, status: int = 500) -> bytes:
    # In streams the codes begin with a small letter.
    kind = _BY_CODE.get(code[:1].upper() + code[1:])
    if kind is None:
        kind = {400: "invalid_request_error", 403: "permission_error", 404: "not_found_error"}.get(status, "api_error")
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})
