"""Where requests come in: routing, the caller, the body; then the step that serves the operation's kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, cast

import structlog

from ..accounts import addresses
from ..accounts.directory import MISS
from ..accounts.models import Token
from ..asgi import Receive, Scope, Send
from ..declare import (
    AnyOperation,
    Call,
    Failure,
    Fetch,
    Forwarded,
    Local,
    Media,
    ObjectCall,
    ObjectList,
    Paid,
    Reason,
    Socket,
    Stream,
    Submit,
    Text,
    whole,
)
from ..storage import database
from ..storage.database import StorageFault
from ..storage.ids import new_id, now_ms
from . import call, candidates, files, jobs, keys, realtime, replays, view
from .body import read_body
from .body.request import HttpRequest
from .core import Core
from .cors import Cors
from .exchange import Exchange, failure_headers, pairs
from .objects import calls, lists
from .realtime import keys as session_keys
from .realtime.session import Session, refusing
from .routing import Route

log = structlog.get_logger()

_RETRY_SECONDS: Final = 5

Handler = Callable[[Core, Any, Any], Coroutine[Any, Any, None]]


async def _local(core: Core, x: Exchange, operation: Local[Any]) -> None:
    reply = await operation.answer(view.GatewayView(core, x))
    await (x.reply(reply) if reply.events is None else x.stream(reply.events))


HANDLERS: Final = cast(
    "Mapping[type[AnyOperation], Handler]",
    {
        Local: _local,
        Fetch: jobs.fetch,
        Media: files.media,
        ObjectCall: calls.run,
        ObjectList: lists.run,
        Call: call.run,
        Stream: call.run,
        Submit: jobs.submit,
        Socket: realtime.run,
    },
)
"""Which step serves an operation, by its kind."""
_ASSETS: Final[Media[Any]] = Media(
    name="assets",
    method="GET",
    path="/assets/{task}/{number}",
    summary=Text("Get a file", "获取文件"),
    media="none",
    task=lambda request: request.params["task"],
)


class Gateway:
    """The data plane as an ASGI application."""

    def __init__(self, core: Core, trusted: tuple[str, ...] = ()) -> None:
        self._core = core
        self._trusted = trusted
        self._cors = Cors(core.settings.cors_origins, core.router.protocols)
        self._open = 0

    @property
    def open(self) -> int:
        """Requests under way."""
        return self._open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request_id = new_id("req_")
        try:
            route, params = self._core.router.find(scope["method"], scope["path"])
            if route.marked:
                route = route.among(scope["headers"])
        except Failure as failure:
            if scope["method"] == "OPTIONS" and await self._options(scope, send, request_id, failure):
                return
            await self._lost(scope, receive, send, request_id, failure)
            return
        request = HttpRequest(scope, route, params)
        if b"origin" in request.headers:
            send = self._cors.sending(send, request.headers[b"origin"])
        await self._run(Exchange(request_id, route, request, receive, send))

    async def _options(self, scope: Scope, send: Send, request_id: str, failure: Failure) -> bool:
        """Answer what may be asked of a path, or of the whole; False where there is no such path."""
        headers = self._cors.preflight(scope["headers"])
        if headers is None:
            if failure.kind is not Reason.BAD_METHOD and scope["path"] != "*":
                return False
            headers = pairs(failure.headers)
        headers.append((b"x-request-id", request_id.encode()))
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return True

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket; what is refused is answered in plain HTTP."""
        await receive()
        request_id = new_id("req_")
        scope = {**scope, "method": "GET"}
        try:
            route, params = self._core.router.find("GET", scope["path"])
            if not isinstance(route.operation, Socket):
                raise _no_socket(scope["path"])
        except Failure:
            await self._lost(scope, receive, refusing(send), request_id, _no_socket(scope["path"]))
            return
        await self._run(Session(request_id, route, HttpRequest(scope, route, params), receive, send))

    async def _run(self, x: Exchange) -> None:
        self._open += 1
        try:
            await self._step(x)
        except Failure as failure:
            await self._fail(x, failure)
        except TimeoutError:
            await self._fail(x, Failure(Reason.TIMEOUT, "The request took too long"))
        except asyncio.CancelledError:
            raise
        except Exception as fault:
            failure = database.told(fault)
            if failure is None:
                log.exception("request.failed", request_id=x.id, operation=x.route.name)
                failure = Failure(Reason.INTERNAL, "Something went wrong inside the gateway")
            else:
                log.warning("request.not_stored", request_id=x.id, operation=x.route.name, error=str(fault))
            await self._fail(x, failure)
        finally:
            self._open -= 1
            if x.request.held:
                x.request.let_go()
        self._core.metrics.answered(x.route.name, x.status, time.perf_counter() - x.started, x.overhead_at_head or 0.0)

    async def _fail(self, x: Exchange, failure: Failure) -> None:
        if x.answering and not await x.opened():
            return
        if failure.kind is Reason.UNAUTHENTICATED:
            meant = self._core.router.marked(x.request.scope["headers"])
            if meant is not None and meant is not x.protocol:
                # Its key stands where the other protocol's clients do not put theirs.
                x.protocol = meant
                failure = Failure(Reason.NOT_FOUND, f"{x.request.path} is not served in the format of {meant.title.en}")
        await x.fail(failure)

    async def _lost(self, scope: Scope, receive: Receive, send: Send, request_id: str, failure: Failure) -> None:
        """Answer a path that no operation has, in the shape of the protocol that it seems to be meant for."""
        protocol, said = self._core.router.owner(scope["path"], scope["headers"])
        reply = protocol.error(said or failure, None, request_id)
        route = Route(protocol, _ASSETS, {}, "none")
        request = HttpRequest(scope, route, {})
        if b"origin" in request.headers:
            send = self._cors.sending(send, request.headers[b"origin"])
        x = Exchange(request_id, route, request, receive, send)
        await x.reply(reply, failure_headers(failure))
        self._core.metrics.answered("none", x.status, time.perf_counter() - x.started, x.overhead_at_head or 0.0)

    async def _authenticate(self, x: Exchange) -> None:
        if not self._authenticated(x):
            digest = keys.digest(keys.find_key(x.request, x.protocol))
            self._admit(x, await self._core.directory.token(digest))

    def _authenticated(self, x: Exchange) -> bool:
        """Check the caller; False where the token must be read first."""
        token: Any = self._core.directory.peek(keys.digest(keys.find_key(x.request, x.protocol)))
        if token is MISS:
            return False
        self._admit(x, token)
        return True

    def _admit(self, x: Exchange, token: Token | None) -> None:
        client = x.request.scope.get("client")
        x.ip = client[0] if client else ""
        if self._trusted:
            x.ip = addresses.caller(x.ip, [x.request.header("x-forwarded-for")], self._trusted)
        x.caller = keys.check(token, x.ip, x.protocol.kin)
        x.request.account = x.caller.account_id
        self._core.seen[x.caller.id] = now_ms()

    async def _step(self, x: Exchange) -> None:
        operation, core = x.operation, self._core
        if isinstance(x, Session):
            await self._session(x)
            return
        opened = isinstance(operation, Media) and bool(x.request.query.get("sig"))
        if not (operation.public or opened) and not self._authenticated(x):
            await self._authenticate(x)
        if isinstance(operation, Socket):
            raise Failure(
                Reason.UPGRADE_REQUIRED,
                "This address is for WebSockets: ask for an upgrade",
                headers={"upgrade": "websocket"},
            )
        streamed = isinstance(operation, ObjectCall) and operation.stream_body
        if not streamed:
            await read_body(x.request, operation, x.receive, core.intake)
        if x.request.large:
            await asyncio.to_thread(self._judge, x, operation)
        else:
            self._judge(x, operation)
        if not isinstance(operation, Forwarded):
            await self._handle(x)
            return
        self._check_storage()
        token = x.caller
        work = self._bounded if token.concurrency is not None or token.rpm is not None else self._handle
        await (replays.serve(core, x, work) if replays.wanted(x) and not streamed else work(x))

    def _check_storage(self) -> None:
        """Refuse what could not be recorded before anybody is asked to do it.

        Raises
        ------
        Failure
        """
        if not self._core.db.writable:
            raise database.not_stored()

    def _judge(self, x: Exchange, operation: AnyOperation) -> None:
        """Check what the body's struct cannot say, and note the model that is asked for."""
        if operation.check is not None:
            operation.check(x.request)
        name = _named_model(x, operation) if isinstance(operation, Paid) else None
        if name is not None:
            candidates.name_model(self._core, x, name)

    def _handle(self, x: Exchange) -> Coroutine[Any, Any, None]:
        return HANDLERS[type(x.operation)](self._core, x, x.operation)

    async def _session(self, x: Session) -> None:
        operation, core = x.operation, self._core
        if not isinstance(operation, Socket):
            raise Failure(Reason.NOT_FOUND, f"There is no WebSocket at {x.request.path}")
        rules = operation.rules
        key = rules.key(x.request) or keys.find_key(x.request, x.protocol)
        digest = keys.digest(key)
        secret = None
        if key.startswith(rules.secret_prefix):
            secret = await session_keys.find(core.db, digest, x.route.name)
            digest = digest if secret is None else secret.token_digest
        self._admit(x, await core.directory.token(digest))
        self._check_storage()
        x.begin(rules, digest, secret)
        if operation.check is not None:
            operation.check(x.request)
        candidates.name_model(core, x)
        bounded = x.caller.concurrency is not None or x.caller.rpm is not None
        await (self._bounded(x) if bounded else self._handle(x))

    async def _bounded(self, x: Exchange) -> None:
        core, token = self._core, x.caller
        if not core.limiter.enter(token.id, token.concurrency):
            raise Failure(
                Reason.RATE_LIMITED, f"At most {token.concurrency} requests at once with this API key", retry_after=1
            )
        try:
            await self._count(token)
            await self._handle(x)
        finally:
            core.limiter.leave(token.id)

    async def _count(self, token: Token) -> None:
        if token.rpm is None:
            return
        limiter = self._core.limiter
        wait = await limiter.count_shared(token.id, token.rpm) if limiter.shared else limiter.count(token.id, token.rpm)
        if wait:
            raise Failure(
                Reason.RATE_LIMITED, f"At most {token.rpm} requests a minute with this API key", retry_after=wait
            )

    # Beside the operations -------------------------------------------------------------------------------------------

    async def asset(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `/assets/{task}/{number}` to the file's owner, or to whoever has a signed link."""
        protocol = self._core.router.protocols[0]
        route = Route(protocol, _ASSETS, {}, "assets")
        request, request_id = HttpRequest(scope, route, {}), new_id("req_")
        if scope["method"] == "OPTIONS":
            allowed = Failure(Reason.BAD_METHOD, "Use GET", headers={"allow": "GET, HEAD"})
            await self._options(scope, send, request_id, allowed)
            return
        if b"origin" in request.headers:
            send = self._cors.sending(send, request.headers[b"origin"])
        x = Exchange(request_id, route, request, receive, send)
        try:
            pieces = scope["path"].split("/")
            number = whole(pieces[3], 9) if len(pieces) == 4 else None
            if number is None or scope["method"] not in ("GET", "HEAD"):
                raise Failure(Reason.NOT_FOUND, "No such file")
            if not x.request.query.get("sig"):
                await self._authenticate(x)
            await files.file(self._core, x, pieces[2], number)
        except StorageFault as fault:
            log.warning("request.not_stored", request_id=x.id, operation="assets", error=str(fault))
            await self._fail(x, database.told(fault) or database.not_stored())
        except Failure as failure:
            await self._fail(x, failure)

    async def hook(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take an upstream's callback, at a task's or a channel's own address: a hint to look now, nothing more."""
        pieces = scope["path"].split("/")
        body = bytearray()
        more = True
        while more and len(body) < 1024 * 1024:
            message = await receive()
            body += message.get("body", b"")
            more = bool(message.get("more_body"))
        headers = {"content-type": "application/json"}
        try:
            if len(pieces) == 5 and pieces[2] == "channels":
                # Pixverse sends it again unless it reads this word.
                known, good = await self._core.hints.take(scope["path"], bytes(body)), b"ok"
            else:
                known = len(pieces) == 4 and await self._core.life.hint(pieces[2], pieces[3], bytes(body))
                good = b'{"ok":true}'
            status, said = (200, good) if known else (404, b'{"error":"unknown"}')
        except StorageFault:
            status, said = 503, b'{"error":"unavailable"}'
            headers["retry-after"] = str(_RETRY_SECONDS)
        await send({"type": "http.response.start", "status": status, "headers": pairs(headers)})
        await send({"type": "http.response.body", "body": said})


def _no_socket(path: str) -> Failure:
    """Build the failure at which clients that can do without a WebSocket fall back at once, as they do at no other."""
    message = f"There is no WebSocket at {path}: use plain HTTP"
    return Failure(Reason.UPGRADE_REQUIRED, message, headers={"upgrade": "HTTP/1.1"})


def _named_model(x: Exchange, operation: Paid[Any]) -> str | None:
    """Return the model that is asked for; None where it does not follow from the request alone."""
    name = x.route.name if operation.model is None else operation.model(x.request)
    deferred = isinstance(operation, Call) and operation.objects is not None
    deferred = deferred or (isinstance(operation, Submit) and operation.inherit is not None)
    return None if deferred and (operation.model is None or not name) else name
