"""The program's HTTP application: all families' endpoints, the model list, and errors in OpenAI's shape."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

from .embeddings.family import SentenceFamily
from .families import Family
from .openai_wire import BODY_LIMIT, WireError, answer, new_id
from .realtime.family import RealtimeFamily
from .speech.family import SpeechFamily
from .text.family import TextFamily
from .transcription.family import TranscriptionFamily
from .turns import ACCOUNT, HEADER

FAMILIES: Final[Sequence[Callable[[Path], Family]]] = (
    TextFamily,
    SentenceFamily,
    TranscriptionFamily,
    SpeechFamily,
    RealtimeFamily,
)
"""A new family is a room and a line here."""
MOST_HELD: Final = 64 * 2**20
"""Bytes of bodies of all requests under way; a request alone may have more."""
_UNKNOWN: Final = BODY_LIMIT
"""What counts for a body of unknown length."""

_log = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Engines:
    """All families.

    Parameters
    ----------
    folder : Path
        The packs folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.families = [make(folder) for make in FAMILIES]
        self._held = 0

    def application(self) -> web.Application:
        """Return the application; it wants `handler_cancellation`, so that a caller's leaving stops the work."""
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_shape, self._bounded])
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/v1/models", self._list)
        app.router.add_get("/v1/models/{id}", self._one)
        for family in self.families:
            app.router.add_routes(family.routes())
        return app

    def warm(self) -> None:
        """Load in the background what is installed."""
        for family in self.families:
            if not all(model.missing(self.folder) for model in family.models):
                family.warm()

    def close(self) -> None:
        """Free all models."""
        for family in self.families:
            family.close()

    @web.middleware
    async def _bounded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Note whose request it is, and bound what bodies hold together."""
        ACCOUNT.set(request.headers.get(HEADER, ""))
        if not request.can_read_body:
            return await handler(request)
        size = _UNKNOWN if request.content_length is None else request.content_length
        if self._held and self._held + size > MOST_HELD:
            raise WireError(429, "Too much is under way here.", code="rate_limit_exceeded", retry_after=2)
        self._held += size
        try:
            return await handler(request)
        finally:
            self._held -= size

    async def _health(self, request: web.Request) -> web.Response:
        del request
        states = {
            model.id: "missing" if model.missing(self.folder) else family.state
            for family in self.families
            for model in family.models
        }
        return answer({"status": "ok", "models": states})

    async def _list(self, request: web.Request) -> web.Response:
        del request
        here = [m for family in self.families for m in family.models if not m.missing(self.folder)]
        return answer({"object": "list", "data": [model.card() for model in here]})

    async def _one(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        for family in self.families:
            for model in family.models:
                if model.id == wanted and not model.missing(self.folder):
                    return answer(model.card())
        raise WireError(404, f"The model '{wanted}' does not exist.", param="model", code="model_not_found")


@web.middleware
async def _shape(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Give every error the vendor's shape, and every answer an id."""
    begun, name = time.monotonic(), new_id("req_")
    try:
        response = await handler(request)
    except WireError as error:
        response = error.response()
    except web.HTTPException as error:
        message = f"Invalid URL ({request.method} {request.path})" if error.status == 404 else error.reason
        response = WireError(error.status, message).response()
    except Exception:
        _log.exception("%s %s failed", request.method, request.path)
        response = WireError(500, "The engine failed.").response()
    if not response.prepared:
        response.headers["x-request-id"] = name
        response.headers["openai-processing-ms"] = str(int((time.monotonic() - begun) * 1000))
    return response
