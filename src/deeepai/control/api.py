"""The control API's ASGI application."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
import structlog

from .. import asgi
from ..accounts import addresses, sessions
from ..asgi import Headers, Receive, Scope, Send
from ..declare import Failure, Reason, said_once
from ..storage import database
from .routes import Call, Context, Nothing, Route
from .sections import SECTIONS

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
        self._words = {route.path.split("/", 2)[1] for routes in SECTIONS.values() for route in routes}

    def has(self, path: str) -> bool:
        """Tell whether something is declared at a path, by whatever method."""
        below = path.removeprefix(PREFIX)
        word = below[1:].partition("/")[0]
        return word in self._words and bool(self._router.find(below)[0])

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
        except Exception as fault:
            failure = database.told(fault)
            if failure is None:
                _log.exception("control operation failed", method=scope["method"], path=scope["path"])
                failure = Failure(Reason.INTERNAL, "Something went wrong here; the log says more")
            else:
                _log.warning("control operation not stored", path=scope["path"], error=str(fault))
                headers["retry-after"] = str(round(failure.retry_after or 0))
            status, body = failure.kind.status, _error(failure)
        headers |= {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        await asgi.answer(send, status, body, headers, content_type="application/json")

    async def _call(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        methods, params = self._router.find(scope["path"].removeprefix(PREFIX))
        if not methods:
            raise Failure(Reason.NOT_FOUND, "There is no such operation")
        route = methods.get(scope["method"])
        if route is None:
            raise Failure(Reason.BAD_METHOD, "The method is not known here", param=", ".join(sorted(methods)))
        if any("\0" in value for value in params.values()):
            raise Failure(Reason.NOT_FOUND, "There is nothing of that name")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        key = asgi.bearer(headers.get(b"authorization", b"").decode("latin-1")) or ""
        principal = None
        if route.role != "public":
            principal = await self._principal(key)
            if route.role == "admin" and not principal.admin:
                raise Failure(Reason.FORBIDDEN, "Only an administrator may do that")
        query = _query(route, scope["query_string"])
        body = None
        if route.body is not None:
            body = _decode(route.body, headers, await asgi.read(receive, headers, MAX_BODY))
        forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
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


_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def _decode(kind: type[msgspec.Struct], headers: Headers, raw: bytes) -> Any:
    media = headers.get(b"content-type", b"application/json").decode("latin-1").partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise Failure(Reason.BAD_MEDIA, "The body must be application/json")
    try:
        body = asgi.decode(kind, raw)
        said_once(kind, raw)
    except msgspec.ValidationError as fault:
        raise _unprocessable(fault) from None
    except Failure as failure:
        raise Failure(failure.kind, failure.message, code="invalid_json", param=failure.param) from None
    if _NUL.search(raw) is not None:
        raise Failure(Reason.UNPROCESSABLE, "A text holds a NUL, which none may")
    return body


def _unprocessable(fault: msgspec.ValidationError) -> Failure:
    what, field = asgi.field_at_fault(fault)
    return Failure(Reason.UNPROCESSABLE, what, param=field)


def _query(route: Route, raw: bytes) -> Any:
    given = dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))
    if any("\0" in value for value in given.values()):
        raise Failure(Reason.UNPROCESSABLE, "A parameter holds a NUL, which none may")
    try:
        return msgspec.convert(given, route.query or Nothing, strict=False)
    except msgspec.ValidationError as fault:
        raise _unprocessable(fault) from None


def _error(failure: Failure) -> bytes:
    param = None if failure.kind is Reason.BAD_METHOD else failure.param
    code = failure.code or failure.kind.word
    return msgspec.json.encode({"error": {"code": code, "message": failure.message, "param": param}})
