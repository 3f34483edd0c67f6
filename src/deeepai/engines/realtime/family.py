"""`GET /v1/realtime`: a conversation by voice over a WebSocket, in the present shape of OpenAI's events.

A turn is heard whole, written down, answered by a chat model and spoken sentence by sentence; the parts are those that
`realtime.parts` names. Source: OpenAI's OpenAPI document 2.3.0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiohttp import WSMsgType, web

from ..families import require
from ..models.catalogue import LOCAL_REALTIME, Model
from ..openai_wire import WireError, refused
from .parts import Parts
from .session import Session

MOST_SESSIONS: Final = 8
MOST_EVENT: Final = 24 * 2**20
"""Bytes: 15 MiB of sound in base64, and room around it."""
SESSION_SECONDS: Final = 3600.0
_HEARTBEAT: Final = 20.0
_BETA: Final = "realtime=v1"


class RealtimeFamily:
    """Realtime sessions; they load nothing of their own but the judge of speech."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: set[web.WebSocketResponse] = set()
        self.models: Sequence[Model] = (LOCAL_REALTIME,)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoint."""
        return [web.get("/v1/realtime", self._connect)]

    @property
    def state(self) -> str:
        """`ready` at once: its parts load at their first turn, or were loaded by their own families."""
        return "ready"

    def warm(self) -> None:
        """Do nothing; the parts' families load them."""

    def close(self) -> None:
        """Do nothing; the sessions end with the server."""

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        transcribes = request.query.get("intent") == "transcription"
        name = request.query.get("model") or (LOCAL_REALTIME.id if transcribes else "")
        if not name:
            raise refused("you must provide a model parameter", "model", "missing_model")
        require(self.models, name, self._folder)
        offered = request.headers.get("sec-websocket-protocol", "")
        if _BETA in request.headers.get("openai-beta", "") or "openai-beta.realtime-v1" in offered:
            raise refused(
                "This engine speaks the present shape of events alone, not the beta's.", None, "beta_api_shape"
            )
        ws = web.WebSocketResponse(protocols=("realtime",), max_msg_size=MOST_EVENT, heartbeat=_HEARTBEAT)
        if not ws.can_prepare(request).ok:
            raise refused("This endpoint requires a WebSocket upgrade.")
        if len(self._open) >= MOST_SESSIONS:
            raise WireError(429, "Too many sessions are open.", code="rate_limit_exceeded", retry_after=10)
        self._open.add(ws)
        parts = Parts(_own_address(request))
        try:
            await ws.prepare(request)
            session = Session(ws, parts, name, transcribes=transcribes)
            try:
                async with asyncio.timeout(SESSION_SECONDS):
                    await _converse(ws, session)
            except TimeoutError:
                await session.expire()
            finally:
                await session.close()
        finally:
            self._open.discard(ws)
            await parts.close()
            await ws.close()
        return ws


async def _converse(ws: web.WebSocketResponse, session: Session) -> None:
    await session.begin()
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await session.take(message.data)
        elif message.type is WSMsgType.BINARY:
            await session.refuse("Only text messages are supported.", "invalid_message")


def _own_address(request: web.Request) -> str:
    """Return where this program was reached, which it can reach, too."""
    assert request.transport is not None
    host, port = request.transport.get_extra_info("sockname")[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
