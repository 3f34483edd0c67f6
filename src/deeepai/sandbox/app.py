"""A request's way through the sandbox: body, triggers, credentials, the vendor's handler, and the answer's bytes."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import web

from . import control
from .callbacks import Callbacks
from .clock import Clock
from .files import Files
from .ids import Ids
from .jobs import Jobs
from .triggers import Triggers, UnknownTriggerError, find
from .vendor import Answer, Call, RefusedError, Route, Socket, Stream, Vendor, World
from .vendors import (
    anthropic,
    cogvideox,
    docmee,
    dream_machine,
    flux,
    gemini,
    ideogram,
    kling,
    luma,
    mewx,
    midjourney,
    openai,
    picwish,
    pika,
    pika_api,
    pika_web,
    pixverse,
    pixverse_platform,
    pixverse_web,
    runway,
    runwayml,
    stability,
    suno,
    suno_goamz,
    suno_tasks,
    vidu,
    vidu_ent,
    viggle,
    viggle_api,
    weinike,
)

VENDORS: Sequence[Vendor] = (
    openai.VENDOR,
    stability.VENDOR,
    flux.VENDOR,
    midjourney.VENDOR,
    ideogram.VENDOR,
    gemini.VENDOR,
    anthropic.VENDOR,
    cogvideox.VENDOR,
    kling.VENDOR,
    dream_machine.VENDOR,
    luma.VENDOR,
    luma.GOAMZ,
    runwayml.VENDOR,
    runway.VENDOR,
    runway.WEB,
    pixverse_platform.VENDOR,
    pixverse.VENDOR,
    pixverse_web.VENDOR,
    viggle.VENDOR,
    suno.VENDOR,
    suno_goamz.VENDOR,
    suno_tasks.VENDOR,
    vidu.VENDOR,
    vidu_ent.VENDOR,
    pika_api.VENDOR,
    pika.VENDOR,
    pika_web.VENDOR,
    viggle_api.VENDOR,
    docmee.VENDOR,
    picwish.VENDOR,
    weinike.VENDOR,
    mewx.VENDOR,
)
_log = logging.getLogger("deeepai.sandbox")
MOST_LOGGED = 2000
SECRET_HEADERS = frozenset({"authorization", "cookie"})
"""Never logged, whoever the vendors are."""
LONGEST_LOGGED_TEXT = 300


class Sandbox:
    """The stand-in for all vendors.

    Parameters
    ----------
    speed
        How many times faster than the vendors jobs are done.
    seed
        Makes ids the same in each run; without it they never repeat.
    key
        The only credential accepted; without it, all are but those that contain `invalid`.
    realtime
        Which shape of OpenAI's Realtime events is spoken: today's alone, the beta's alone, or as the caller asks.
    drafts
        The first file of a kind stands for all of its kind: for load, where drawing would take all the time.
    vendors
        Who is stood in for; the first one answers paths that are nobody's.
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        seed: int | None = None,
        key: str | None = None,
        realtime: Literal["ga", "beta", "both"] = "ga",
        drafts: bool = False,
        vendors: Sequence[Vendor] = VENDORS,
    ) -> None:
        self.vendors = vendors
        self._secret_headers = SECRET_HEADERS.union(*(vendor.credential_headers for vendor in vendors))
        self._secret_queries = frozenset[str]().union(*(vendor.credential_queries for vendor in vendors))
        clock, ids = Clock(speed), Ids(seed)
        files = Files(clock, ids, drafts=drafts)
        self.world = World(clock, ids, Jobs(clock, ids), Callbacks(clock), files, key, realtime)
        self.log: deque[dict[str, Any]] = deque(maxlen=MOST_LOGGED)
        self._count = itertools.count(1)

    def application(self) -> web.Application:
        """Return the HTTP application; it wants `handler_cancellation`, so as to see callers leave."""
        app = web.Application(client_max_size=128 * 2**20)
        control.add_routes(app, self.world, self.log)
        for vendor in self.vendors:
            self._mount(app, vendor, f"/{vendor.name}")
        taken: set[tuple[str, str]] = set()
        for vendor in self.vendors:
            if not vendor.at_root:
                continue
            paths = {(route.method, route.path) for route in vendor.routes}
            if clash := paths & taken:
                raise ValueError(f"{vendor.name} must not be at the root: {sorted(clash)} is taken")
            taken |= paths
            self._add_routes(app, vendor, "")
        self._add_fallback(app, self.vendors[0], "")

        async def close(_: web.Application) -> None:
            await self.world.callbacks.close()

        app.on_cleanup.append(close)
        return app

    def _mount(self, app: web.Application, vendor: Vendor, mount: str) -> None:
        self._add_routes(app, vendor, mount)
        self._add_fallback(app, vendor, mount)

    def _add_routes(self, app: web.Application, vendor: Vendor, mount: str) -> None:
        for route in vendor.routes:
            self._add_route(app, vendor, route, mount)

    def _add_fallback(self, app: web.Application, vendor: Vendor, mount: str) -> None:
        async def unknown(call: Call) -> Answer:
            path = call.request.path.removeprefix(mount)
            raise call.refused("not_found", 404, f"Invalid URL ({call.request.method} {path})")

        self._add_route(app, vendor, Route("*", "/{tail:.*}", unknown, public=True), mount)

    def _add_route(self, app: web.Application, vendor: Vendor, route: Route, mount: str) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, vendor, route, mount)

        app.router.add_route(route.method, mount + route.path, handle)

    async def _serve(self, request: web.Request, vendor: Vendor, route: Route, mount: str) -> web.StreamResponse:
        base = f"{request.scheme}://{request.host}{mount}"
        call = Call(self.world, vendor, request, b"", Triggers({}), base, request.match_info)
        entry: dict[str, Any] = {
            "id": next(self._count),
            "vendor": vendor.name,
            "at": self.world.clock.wall(),
            "method": request.method,
            "path": request.path,
            "query": {name: value for name, value in request.query.items() if name not in self._secret_queries},
            "headers": {k.lower(): v for k, v in request.headers.items() if k.lower() not in self._secret_headers},
            "body": None,
            "triggers": [],
            "jobs": call.accepted,
            "status": None,
            "outcome": "open",
            "disconnected": False,
            "events_sent": 0,
        }
        self.log.append(entry)
        try:
            answer = await self._answer(call, route, entry)
            return await self._send(call, answer, entry)
        except (asyncio.CancelledError, ConnectionError):
            entry["disconnected"] = entry["outcome"] not in {"answered", "cut"}
            if entry["disconnected"]:
                entry["outcome"] = "disconnected"
            raise

    async def _answer(self, call: Call, route: Route, entry: dict[str, Any]) -> Answer | Stream | Socket:
        request, vendor, world = call.request, call.vendor, self.world
        try:
            try:
                call.body = await request.read()
            except web.HTTPRequestEntityTooLarge:
                raise call.refused("too_large", 413, "the body is too large") from None
            if len(call.body) > vendor.body_limit:
                raise call.refused("too_large", 413, f"the body is larger than {vendor.body_limit} bytes")
            try:
                text = call.body if route.body_triggers else b""
                if request.content_type == "application/x-www-form-urlencoded":
                    text = unquote_to_bytes(text.replace(b"+", b" "))
                call.triggers = find(text, request.query_string, request.headers.get("x-sandbox-trigger", ""))
            except UnknownTriggerError as error:
                raise call.refused("bad_request", 400, str(error)) from None
            entry["triggers"] = call.triggers.words()
            entry["body"] = _summary_of(call)
            credential = vendor.credential(request)
            if not route.public and not world.accepts(credential):
                raise call.refused("unauthorized", 401, "the key is missing or wrong")
            call.owner = hashlib.sha256(credential.encode()).hexdigest()[:16]
            self._obey(call)
            try:
                return await route.handler(call)
            except (AttributeError, KeyError, TypeError, ValueError):
                # Only the fields that matter are checked one by one; a body bent elsewhere ends here.
                _log.exception("a %s body has an unexpected shape", vendor.name)
                raise call.refused("bad_request", 400, "the body has an unexpected shape") from None
        except RefusedError as error:
            return error.answer

    def _obey(self, call: Call) -> None:
        """Refuse the call if a trigger says so."""
        triggers = call.triggers
        if "fail" in triggers:
            raise call.refused("server_error", 500, "failed on request")
        if "status" in triggers:
            raise call.refused("server_error", triggers.integer("status", 500), "this status was asked for")
        if "rate-limit" in triggers:
            raise call.refused("rate_limited", 429, "too many requests")
        if "error-then-ok" in triggers:
            failures, print_ = self.world.failures, call.fingerprint()
            failures[print_] = failures.get(print_, 0) + 1
            if failures[print_] <= triggers.integer("error-then-ok", 1):
                raise call.refused("server_error", 500, "failed, and will succeed later")
        if "moderated" in triggers and call.vendor.moderates_at_submit:
            raise call.refused("moderated", 400, "the request was flagged by the content moderation")

    async def _send(self, call: Call, answer: Answer | Stream | Socket, entry: dict[str, Any]) -> web.StreamResponse:
        triggers, headers = call.triggers, dict(call.vendor.headers(call))
        if "slow" in triggers:
            await asyncio.sleep(triggers.number("slow", 5))
        if "cut" in triggers:
            entry["outcome"] = "cut"
            _cut(call.request)
            return web.Response()
        if isinstance(answer, Socket):
            return await self._open_socket(call, answer, entry)
        if isinstance(answer, Stream):
            return await self._send_stream(call, answer, headers, entry)
        headers |= answer.headers
        headers["content-type"] = answer.content_type
        entry["status"] = answer.status
        if answer.status < 400 and len(answer.body) > 1 and ("cut-stream" in triggers or "stall" in triggers):
            response = web.StreamResponse(status=answer.status, headers=headers)
            response.content_length = len(answer.body)
            await response.prepare(call.request)
            await response.write(answer.body[: len(answer.body) // 2])
            await self._break_off(call, entry)
            return response
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
        entry["outcome"] = "answered"
        return response

    async def _open_socket(self, call: Call, answer: Socket, entry: dict[str, Any]) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=answer.protocols, max_msg_size=answer.most, compress=False)
        entry["status"] = 101
        await socket.prepare(call.request)
        await answer.run(socket, entry)
        entry["outcome"] = "answered" if entry["outcome"] == "open" else entry["outcome"]
        return socket

    async def _send_stream(
        self, call: Call, stream: Stream, headers: dict[str, str], entry: dict[str, Any]
    ) -> web.StreamResponse:
        triggers, clock = call.triggers, self.world.clock
        if "never-finish" in triggers:
            await asyncio.Event().wait()
        events, stop = list(stream.events), None
        if "fail-midway" in triggers:
            events = [*events[: len(events) // 2], stream.failure]
        for name in ("cut-stream", "stall"):
            if name in triggers:
                stop = min(len(events), triggers.integer(name, len(events) // 2))
        pause = triggers.number("delta-ms", 0) / 1000
        await clock.sleep(stream.delay)
        headers |= {"content-type": stream.content_type, "cache-control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        entry["status"] = 200
        await response.prepare(call.request)
        for event in events[:stop]:
            await response.write(event)
            entry["events_sent"] += 1
            if pause:
                await asyncio.sleep(pause)
            elif "delta-ms" not in triggers:
                await clock.sleep(stream.interval)
        if stop is not None:
            await self._break_off(call, entry)
            return response
        await response.write_eof()
        entry["outcome"] = "answered"
        return response

    async def _break_off(self, call: Call, entry: dict[str, Any]) -> None:
        if "stall" in call.triggers:
            entry["outcome"] = "stalled"
            await asyncio.Event().wait()
        entry["outcome"] = "cut"
        _cut(call.request)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _summary_of(call: Call) -> Any:
    if not call.body:
        return None
    if call.is_form:
        try:
            form = call.form
        except RefusedError:
            return {"malformed": len(call.body)}
        sizes = {name: f"<{len(data)} bytes>" for name, data in form.files.items()}
        return _shortened(dict(form.texts)) | sizes
    try:
        return _shortened(msgspec.json.decode(call.body))
    except msgspec.DecodeError:
        return {"malformed": len(call.body)}


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_LOGGED_TEXT:
        return f"{value[:LONGEST_LOGGED_TEXT]}… ({len(value)} characters)"
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value[:50]]
    return value
