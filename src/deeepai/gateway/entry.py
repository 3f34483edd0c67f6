"""Where requests come in: routing, the caller, the body; then the step for the operation's kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import structlog

from ..accounts import addresses
from ..accounts.directory import MISS
from ..accounts.models import Token
from ..asgi import Receive, Scope, Send
from ..declare import Allowance, Failure, Kind, Operation, Reason, Request, Task, Text, Window
from ..storage.ids import new_id, now_ms
from ..tasks import store
from ..tasks.links import SignedLinks
from . import call, jobs, keys, own, pinned, realtime, realtime_keys, realtime_session, replays
from .body import HttpRequest, read_body
from .core import Core
from .exchange import Exchange, failure_headers, pairs
from .routing import Route

log = structlog.get_logger()

_ASSETS = Operation(
    name="assets",
    method="GET",
    path="/assets/{task}/{number}",
    kind=Kind.MEDIA,
    summary=Text("Get a file", "获取文件"),
    media="none",
)


class OwnView:
    """What a LIST operation may look at; see `deeepai.declare.View`."""

    def __init__(self, core: Core, x: Exchange) -> None:
        self._core = core
        self._x = x

    @property
    def request(self) -> Request:
        """The request."""
        return self._x.request

    @property
    def links(self) -> SignedLinks:
        """The gateway's own addresses."""
        return self._core.links_for(self._x)

    @property
    def account_id(self) -> str:
        """The account that pays."""
        return self._x.caller.account_id

    async def models(self) -> Sequence[Mapping[str, Any]]:
        """List the models that the token may call."""
        return self._core.models(self._x)

    async def tasks(self, ids: Sequence[str] | None = None, *, open_only: bool = False) -> Sequence[Task]:
        """Return the caller's tasks of this protocol, refreshed where they are stale."""
        account, protocol = self._x.caller.account_id, self._x.protocol.name
        found = await self._core.db.read(lambda tx: store.latest(tx, account, protocol, ids, open_only=open_only))
        return await asyncio.gather(*(self._core.poller.fresh(task) for task in found)) if ids is not None else found

    async def page(self, operations: Sequence[str], window: Window) -> tuple[Sequence[Task], bool]:
        """Return part of the tasks that some operations made, and whether there are more."""
        return await own.page(self._core, self._x, operations, window)

    async def forget(self, task_id: str) -> None:
        """Delete a task that has ended and its files."""
        await own.forget(self._core, self._x, task_id)

    async def allowance(self) -> Allowance:
        """Return what the caller's key may spend, and has spent."""
        return await own.allowance(self._core, self._x.caller)

    async def spent(self, since: int, until: int) -> int:
        """Return what the caller's key spent on calls made within a time, in 10⁻⁹ USD; ms since 1970."""
        return await own.spent(self._core, self._x.caller, since, until)

    async def balance(self) -> tuple[int, int, int]:
        """Return available, held and spent, in 10⁻⁹ USD."""
        return await self._core.ledger.balance(self._x.caller.account_id)

    async def mint(self, prefix: str, model: str, session: Any, seconds: int) -> tuple[str, int]:
        """Make a key for sessions with one model, as the caller."""
        return await realtime_keys.mint(self._core, self._x, prefix, model, session, seconds)


class Gateway:
    """The data plane as an ASGI application."""

    def __init__(self, core: Core, trusted: tuple[str, ...] = ()) -> None:
        self._core = core
        self._trusted = trusted
        self._spool = core.settings.spool
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
            await self._lost(scope, receive, send, request_id, failure)
            return
        await self._run(Exchange(request_id, route, HttpRequest(scope, route, params), receive, send))

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket; what is refused is answered in plain HTTP."""
        await receive()
        request_id, refusing = new_id("req_"), realtime_session.refusing(send)
        scope = {**scope, "method": "GET"}
        try:
            route, params = self._core.router.find("GET", scope["path"])
            if route.operation.kind is not Kind.SOCKET:
                raise Failure(Reason.NOT_FOUND, f"There is no WebSocket at {scope['path']}")
        except Failure as failure:
            await self._lost(scope, receive, refusing, request_id, failure)
            return
        await self._run(
            realtime_session.Session(request_id, route, HttpRequest(scope, route, params), receive, refusing, send)
        )

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
        except Exception:
            log.exception("request.failed", request_id=x.id, operation=x.route.name)
            await self._fail(x, Failure(Reason.INTERNAL, "Something went wrong inside the gateway"))
        finally:
            self._open -= 1
        self._core.metrics.answered(x.route.name, x.status, time.perf_counter() - x.started, x.own or 0.0)

    async def _fail(self, x: Exchange, failure: Failure) -> None:
        if x.answering:
            return
        await x.fail(failure)

    async def _lost(self, scope: Scope, receive: Receive, send: Send, request_id: str, failure: Failure) -> None:
        """Answer a path that no operation has, in the shape of the protocol that it seems to be meant for."""
        protocol, said = self._core.router.owner(scope["path"], scope["headers"])
        reply = protocol.error(said or failure, None, request_id)
        route = Route(protocol, _ASSETS, {}, "none")
        x = Exchange(request_id, route, HttpRequest(scope, route, {}), receive, send)
        await x.reply(reply, failure_headers(failure))
        self._core.metrics.answered("none", x.status, time.perf_counter() - x.started, x.own or 0.0)

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
        x.caller = keys.check(token, x.ip)
        self._core.seen[x.caller.id] = now_ms()

    async def _step(self, x: Exchange) -> None:
        operation, core = x.operation, self._core
        if operation.kind is Kind.MEDIA:
            if not x.request.query.get("sig"):
                await self._authenticate(x)
            await jobs.media(core, x)
            return
        if operation.kind is Kind.SOCKET:
            await self._session(x)
            return
        if not operation.public and not self._authenticated(x):
            await self._authenticate(x)
        if not operation.stream_body:
            await read_body(x.request, operation, x.receive, core.settings.max_body, self._spool)
        if operation.check is not None:
            operation.check(x.request)
        if operation.kind is Kind.FETCH:
            await jobs.fetch(core, x)
        elif operation.kind is Kind.LIST:
            assert operation.answer is not None
            await x.reply(await operation.answer(OwnView(core, x)))
        else:
            by_itself = operation.objects is None and operation.inherit is None
            if by_itself or (operation.model is not None and operation.model(x.request)):
                core.name_model(x)
            token = x.caller
            work = self._bounded if token.concurrency is not None or token.rpm is not None else self._work
            await (replays.serve(core, x, work) if replays.wanted(x) and not operation.stream_body else work(x))

    async def _session(self, x: Exchange) -> None:
        rules, core = x.operation.socket, self._core
        assert rules is not None
        key = rules.key(x.request) or keys.find_key(x.request, x.protocol)
        digest = keys.digest(key)
        secret = None
        if key.startswith(rules.secret_prefix):
            secret = await realtime_keys.find(core.db, digest, x.route.name)
            digest = digest if secret is None else secret.token_digest
        self._admit(x, await core.directory.token(digest))
        if not isinstance(x, realtime_session.Session):
            raise Failure(Reason.INVALID, "This address is for WebSockets: ask for an upgrade")
        x.begin(rules, digest, secret)
        if x.operation.check is not None:
            x.operation.check(x.request)
        core.name_model(x)
        bounded = x.caller.concurrency is not None or x.caller.rpm is not None
        await (self._bounded(x) if bounded else self._work(x))

    async def _bounded(self, x: Exchange) -> None:
        core, token = self._core, x.caller
        if not core.limiter.enter(token.id, token.concurrency):
            raise Failure(
                Reason.RATE_LIMITED, f"At most {token.concurrency} requests at once with this API key", retry_after=1
            )
        try:
            await self._count(token)
            await self._work(x)
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

    def _work(self, x: Exchange) -> Coroutine[Any, Any, None]:
        core = self._core
        if x.operation.kind is Kind.SUBMIT:
            return jobs.submit(core, x)
        if isinstance(x, realtime_session.Session):
            return realtime.run(core, x)
        if x.operation.objects is not None:
            return pinned.run(core, x)
        found = jobs.translator_for(core, x)
        if found is not None and not core.serving(x, x.model):
            return jobs.translated(core, x, *found)
        return call.run(core, x)

    # Beside the operations -------------------------------------------------------------------------------------------

    async def asset(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `/assets/{task}/{number}` to the file's owner, or to whoever has a signed link."""
        protocol = self._core.router.protocols[0]
        route = Route(protocol, _ASSETS, {}, "assets")
        x = Exchange(new_id("req_"), route, HttpRequest(scope, route, {}), receive, send)
        try:
            pieces = scope["path"].split("/")
            if len(pieces) != 4 or not pieces[3].isdigit() or scope["method"] not in ("GET", "HEAD"):
                raise Failure(Reason.NOT_FOUND, "No such file")
            if not x.request.query.get("sig"):
                await self._authenticate(x)
            await jobs.file(self._core, x, pieces[2], int(pieces[3]))
        except Failure as failure:
            await self._fail(x, failure)

    async def hook(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take an upstream's callback at `/hooks/{task}/{key}`: a hint to look now, nothing more."""
        pieces = scope["path"].split("/")
        body = bytearray()
        more = True
        while more and len(body) < 1024 * 1024:
            message = await receive()
            body += message.get("body", b"")
            more = bool(message.get("more_body"))
        known = len(pieces) == 4 and await self._core.life.hint(pieces[2], pieces[3], bytes(body))
        headers = pairs({"content-type": "application/json"})
        await send({"type": "http.response.start", "status": 200 if known else 404, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"ok":true}' if known else b'{"error":"unknown"}'})
