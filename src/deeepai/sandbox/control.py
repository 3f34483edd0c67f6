"""The sandbox's own endpoints: what happened, the clock, and the files that the vendors' URLs point to."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import msgspec
from aiohttp import web

from .vendor import JSON, World


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type=JSON, status=status)


def add_routes(app: web.Application, world: World, log: deque[dict[str, Any]]) -> None:
    """Add the control endpoints to the application.

    Parameters
    ----------
    log
        The log of calls, oldest first.
    """

    async def health(_: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def requests(request: web.Request) -> web.Response:
        vendor = request.query.get("vendor")
        entries = [entry for entry in log if vendor in (None, entry["vendor"])]
        return _json(entries[-int(request.query.get("limit", "1000")) :])

    async def forget_requests(_: web.Request) -> web.Response:
        log.clear()
        return _json({"cleared": True})

    async def jobs(request: web.Request) -> web.Response:
        vendor = request.query.get("vendor")
        return _json([job.summary() for job in world.jobs if vendor in (None, job.vendor)])

    async def callbacks(_: web.Request) -> web.Response:
        return _json(list(world.callbacks.log))

    async def forget_callbacks(_: web.Request) -> web.Response:
        world.callbacks.log.clear()
        return _json({"cleared": True})

    async def clock(_: web.Request) -> web.Response:
        return _json({"job_seconds": world.clock.now(), "speed": world.clock.speed, "time": world.clock.wall()})

    async def move_clock(request: web.Request) -> web.Response:
        try:
            move = msgspec.json.decode(await request.read(), type=dict[str, float])
            if "speed" in move:
                world.clock.change_speed(move["speed"])
        except (msgspec.MsgspecError, ValueError):
            return _json({"error": 'wanted: {"advance": seconds}, {"speed": more than 0}, or both'}, 400)
        world.clock.advance(max(0.0, move.get("advance", 0.0)))
        return await clock(request)

    async def file(request: web.Request) -> web.Response:
        query = request.query
        stored = world.files.open(request.match_info["name"], query.get("expires", ""), query.get("sig", ""))
        if isinstance(stored, int):
            return web.Response(status=stored, text="expired" if stored == 403 else "not found")
        return web.Response(body=await asyncio.to_thread(stored.make), content_type=stored.content_type)

    app.router.add_get("/healthz", health)
    app.router.add_get("/_sandbox/requests", requests)
    app.router.add_delete("/_sandbox/requests", forget_requests)
    app.router.add_get("/_sandbox/jobs", jobs)
    app.router.add_get("/_sandbox/callbacks", callbacks)
    app.router.add_delete("/_sandbox/callbacks", forget_callbacks)
    app.router.add_get("/_sandbox/clock", clock)
    app.router.add_post("/_sandbox/clock", move_clock)
    app.router.add_get("/files/{name}", file)
