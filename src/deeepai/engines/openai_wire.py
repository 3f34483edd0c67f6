"""OpenAI's wire format, what all endpoints share: bodies in, errors out, server-sent events.

Source: OpenAI's OpenAPI document 2.3.0.
"""

from __future__ import annotations

import re
import secrets
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

BODY_LIMIT: Final = 16 * 2**20
"""Bytes of a body, decompressed."""

_json = msgspec.json.Encoder()
_PATH: Final = re.compile(r" - at `\$\.?(.*)`$")
_MISSING: Final = re.compile(r"missing required field `(\w+)`")

T = TypeVar("T")


class WireError(Exception):
    """An answer in OpenAI's error shape.

    Parameters
    ----------
    status : int
    message : str
    param : str, optional
        The offending field.
    code : str, optional
        Machine-readable reason.
    retry_after : int, optional
        Seconds.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """Return the error object."""
        kind = "server_error" if self.status >= 500 else "requests" if self.status == 429 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> web.Response:
        """Return the whole answer."""
        headers: dict[str, str] = {}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        if self.status == 503 and self.retry_after is None:
            headers["x-should-retry"] = "false"
        return answer(self.body(), self.status, headers)


def refused(message: str, param: str | None = None, code: str | None = None) -> WireError:
    """Return a 400."""
    return WireError(400, message, param=param, code=code)


def unsupported(param: str, why: str) -> WireError:
    """Return the 400 for what this engine cannot do."""
    return WireError(400, f"Unsupported parameter: '{param}': {why}", param=param, code="unsupported_parameter")


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a JSON answer."""
    return web.Response(body=_json.encode(body), status=status, content_type="application/json", headers=headers)


async def read(request: web.Request, shape: type[T]) -> T:
    """Read a JSON body as `shape`.

    Raises
    ------
    WireError
        415 for another media type, 413 above `BODY_LIMIT`, 400 for malformed JSON, a missing field or a wrong type.
    """
    if request.headers.get("content-type") and request.content_type != "application/json":
        raise WireError(415, f"Unsupported media type {request.content_type!r}: send application/json.")
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise WireError(413, f"The body is larger than {BODY_LIMIT} bytes.") from None
    except web.HTTPException as error:
        raise refused(f"The body cannot be read: {error.reason}") from None
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refused(f"We could not parse the JSON body of your request: {error}") from None


def _invalid(message: str) -> WireError:
    found = _PATH.search(message)
    path = found.group(1) if found else ""
    message = _PATH.sub("", message)
    if missing := _MISSING.search(message):
        name = f"{path}.{missing.group(1)}" if path else missing.group(1)
        return refused(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    return refused(f"Invalid value for '{path}': {message}." if path else message, path or None, "invalid_value")


def event(body: object) -> bytes:
    """Return a server-sent event."""
    return b"data: " + _json.encode(body) + b"\n\n"


DONE: Final = b"data: [DONE]\n\n"


def new_id(prefix: str) -> str:
    """Return a fresh id, such as `chatcmpl-…`."""
    return prefix + secrets.token_urlsafe(18)
