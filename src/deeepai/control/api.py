"""The control API's ASGI application."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
import structlog

from ..accounts import addresses, sessions
from ..declare import Failure, Reason
from .routes import Call, Context, Nothing, Route
from .sections import SECTIONS

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PREFIX: Final = "/api"
MAX_BODY: Final = 1 << 20
_log = structlog.get_logger("deeepai.control")


class _Router:
    """Finds routes: a table for fixed paths, a walk by segments for the others."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[str, dict[str, Route]] = {}
        self._open: list[tuple[list[str], dict[str, Route]]] = []
        for route in routes:
            if "{" not in route.path:
                self._fixed.setdefault(route.path, {})[route.method] = route
                continue
            segments = route.path.split("/")
            methods = next((methods for known, methods in self._open if known == segments), None)
            if methods is None:
                methods = {}
                self._open.append((segments, methods))
            methods[route.method] = route

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """Return the routes by method, and the values in the path; no routes where the path is unknown."""
        if path in self._fixed:
            return self._fixed[path], {}
        parts = path.split("/")
        for segments, methods in self._open:
            values = _match(segments, parts)
            if values is not None:
                return methods, values
        return {}, {}


def _match(segments: list[str], parts: list[str]) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for number, segment in enumerate(segments):
        if segment.endswith("*}"):
            values[segment[1:-2]] = "/".join(parts[number:])
            return values if values[segment[1:-2]] else None
        if number >= len(parts):
            return None
        if segment.startswith("{"):
            if not parts[number]:
                return None
            values[segment[1:-1]] = parts[number]
        elif segment != parts[number]:
            return None
    return values if len(parts) == len(segments) else None


class ControlAPI:
    """Serves what lies below `/api`.

    Parameters
    ----------
    context : Context
    trusted_proxies : tuple of str
        Networks whose `X-Forwarded-For` is believed.
    """

    def __init__(self, context: Context, *, trusted_proxies: tuple[str, ...] = ()) -> None:
        self._context = context
        self._trusted = trusted_proxies
        self._router = _Router(route for routes in SECTIONS.values() for route in routes)
        self._decoders: dict[type, msgspec.json.Decoder[Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers: dict[str, str] = {}
        try:
            status, body = await self._call(scope, receive)
        except Failure as failure:
            status, body = failure.kind.status, _error(failure)
            if failure.retry_after is not None:
                headers["retry-after"] = str(round(failure.retry_after))
            if failure.kind is Reason.BAD_METHOD and failure.param:
                headers["allow"] = failure.param
            if failure.kind is Reason.UNAUTHENTICATED:
                headers["www-authenticate"] = "Bearer"
        except Exception:
            _log.exception("control operation failed", method=scope["method"], path=scope["path"])
            failure = Failure(Reason.INTERNAL, "Something went wrong here; the log says more")
            status, body = 500, _error(failure)
        await _answer(send, status, body, headers)

    async def _call(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        methods, params = self._router.find(scope["path"].removeprefix(PREFIX))
        if not methods:
            raise Failure(Reason.NOT_FOUND, "There is no such operation")
        route = methods.get(scope["method"])
        if route is None:
            raise Failure(Reason.BAD_METHOD, "The method is not known here", param=", ".join(sorted(methods)))
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        named = dict(headers)
        key = _bearer(named.get("authorization", ""))
        principal = None
        if route.role != "public":
            principal = await self._principal(key)
            if route.role == "admin" and not principal.admin:
                raise Failure(Reason.FORBIDDEN, "Only an administrator may do that")
        query = _query(route, scope["query_string"])
        body = None
        if route.body is not None:
            body = self._decode(route.body, named, await _read(receive, named))
        forwarded = [value for name, value in headers if name == "x-forwarded-for"]
        peer = scope["client"][0] if scope.get("client") else ""
        call = Call(
            context=self._context,
            params=params,
            query=query,
            body=body,
            address=addresses.caller(peer, forwarded, self._trusted),
            key=key,
            principal=principal,
        )
        await self._context.ledger.drain()
        try:
            answer = await route.handler(call)
        except Failure as failure:
            if failure.kind is Reason.INVALID:
                raise Failure(Reason.UNPROCESSABLE, failure.message, param=failure.param, code=failure.code) from None
            raise
        if route.answer is None:
            return 204, b""
        return route.status, msgspec.json.encode(answer)

    async def _principal(self, key: str) -> sessions.Principal:
        if not key:
            raise Failure(Reason.UNAUTHENTICATED, "Sign in first, and send the key as Authorization: Bearer")
        principal = await self._context.database.read(lambda tx: sessions.find(tx, key))
        if principal is None:
            raise Failure(Reason.UNAUTHENTICATED, "The key is unknown or has expired", code="invalid_session")
        return principal

    def _decode(self, kind: type[msgspec.Struct], headers: Mapping[str, str], raw: bytes) -> Any:
        media = headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if media != "application/json" and not media.endswith("+json"):
            raise Failure(Reason.BAD_MEDIA, "The body must be application/json")
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        try:
            return decoder.decode(raw)
        except msgspec.ValidationError as fault:
            raise _unprocessable(fault) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Failure(Reason.INVALID, "The body is not valid JSON", code="invalid_json") from None


def _unprocessable(fault: msgspec.ValidationError) -> Failure:
    what, _, where = str(fault).partition(" - at `$")
    param = where.rstrip("`").lstrip(".") or None
    if param is None and what.count("`") >= 2 and "field" in what:
        param = what.split("`")[-2]
    return Failure(Reason.UNPROCESSABLE, what, param=param)


def _query(route: Route, raw: bytes) -> Any:
    given = dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))
    try:
        return msgspec.convert(given, route.query or Nothing, strict=False)
    except msgspec.ValidationError as fault:
        raise _unprocessable(fault) from None


def _bearer(value: str) -> str:
    scheme, _, key = value.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


async def _read(receive: Receive, headers: Mapping[str, str]) -> bytes:
    too_large = Failure(Reason.TOO_LARGE, f"The body is larger than {MAX_BODY} bytes")
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Failure(Reason.INVALID, "The request ended before its body did")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise too_large
        chunks.append(chunk)
        if not message.get("more_body"):
            break
    raw = b"".join(chunks)
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return raw
    if encoding not in ("gzip", "deflate"):
        raise Failure(Reason.BAD_MEDIA, "Content-Encoding must be gzip, deflate or none")
    engine = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = engine.decompress(raw, MAX_BODY + 1)
    except zlib.error:
        raise Failure(Reason.INVALID, "The body is not what its Content-Encoding says") from None
    if len(plain) > MAX_BODY:
        raise too_large
    return plain


def _error(failure: Failure) -> bytes:
    param = None if failure.kind is Reason.BAD_METHOD else failure.param
    code = failure.code or failure.kind.word
    return msgspec.json.encode({"error": {"code": code, "message": failure.message, "param": param}})


async def _answer(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    lines = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    lines += [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
    if status != 204:
        lines += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
