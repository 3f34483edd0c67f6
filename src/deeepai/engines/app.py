"""The program's HTTP application: all families' endpoints, the model list, files, and errors in each format's shape."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from ..safe_fetch import Network, SafeFetch
from .docmee.family import DocmeeFamily
from .embeddings.family import SentenceFamily
from .families import Family, Room, VendorFamily
from .jobs import Jobs
from .mewx.family import MewxFamily
from .models.catalogue import Model, tools
from .models.image_models import TOOLS
from .openai_wire import BODY_LIMIT, WireError, answer, new_id
from .picwish.family import PicwishFamily
from .realtime.family import RealtimeFamily
from .speech.family import SpeechFamily
from .text.family import TextFamily
from .transcription.family import TranscriptionFamily
from .turns import ACCOUNT, HEADER
from .weinike.family import WeinikeFamily

FAMILIES: Final[Sequence[Callable[[Path], Family]]] = (
    TextFamily,
    SentenceFamily,
    TranscriptionFamily,
    SpeechFamily,
    RealtimeFamily,
)
"""A new family is a room and a line here."""
VENDOR_FAMILIES: Final[Sequence[Callable[[Room], VendorFamily]]] = (
    DocmeeFamily,
    MewxFamily,
    PicwishFamily,
    WeinikeFamily,
)
"""Those that speak a vendor's format: a room and a line here, too."""
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
    data : Path, optional
        Where jobs and what they make are kept; by default a folder that is gone at the end.
    allowed : sequence of networks
        Private networks that callers may name addresses of.
    """

    def __init__(self, folder: Path, data: Path | None = None, allowed: Sequence[Network] = ()) -> None:
        self.folder = folder
        self.families = [make(folder) for make in FAMILIES]
        self._data, self._allowed = data, allowed
        self._vendors: list[VendorFamily] = []
        self._held = 0

    def application(self) -> web.Application:
        """Return the application, within its event loop.

        It wants `handler_cancellation`, so that a caller's leaving stops the work.
        """
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._shape, self._bounded])
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/v1/models", self._list)
        app.router.add_get("/v1/models/{id}", self._one)
        for family in self.families:
            app.router.add_routes(family.routes())
        data = self._data or Path(tempfile.mkdtemp(prefix="engines-"))
        room = Room(self.folder, data, Jobs(data, self.folder), SafeFetch(self._allowed))
        self._vendors = [make(room) for make in VENDOR_FAMILIES]
        for vendor in self._vendors:
            app.router.add_routes(vendor.routes())
        app.router.add_get("/files/{job}/{name}", partial(_file, room.jobs))
        app.cleanup_ctx.append(partial(self._live, room))
        return app

    async def _live(self, room: Room, app: web.Application) -> AsyncGenerator[None]:
        """Do jobs while the program serves."""
        del app
        # What a program that was killed had not handed to a job.
        shutil.rmtree(room.data / "uploads", ignore_errors=True)
        room.jobs.start()
        yield
        for vendor in self._vendors:
            await vendor.close()
        await room.jobs.close()
        await room.fetch.close()
        if self._data is None:
            shutil.rmtree(room.data, ignore_errors=True)

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
        # Forms of the vendors' families lie on disk.
        if not request.can_read_body or (request.content_type == "multipart/form-data" and self._vendor(request)):
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
        states |= {entry.model.id: "ready" if entry.installed else "missing" for entry in tools(self.folder)}
        return answer({"status": "ok", "models": states})

    async def _list(self, request: web.Request) -> web.Response:
        del request
        here = [model for model in self._models() if not model.missing(self.folder)]
        return answer({"object": "list", "data": [model.card() for model in here]})

    async def _one(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        for model in self._models():
            if model.id == wanted and not model.missing(self.folder):
                return answer(model.card())
        raise WireError(404, f"The model '{wanted}' does not exist.", param="model", code="model_not_found")

    def _models(self) -> list[Model]:
        """Return all that it can serve, and the tools that vendors' formats use."""
        return [*(model for family in self.families for model in family.models), *TOOLS]

    def _vendor(self, request: web.Request) -> VendorFamily | None:
        return next((vendor for vendor in self._vendors if request.path.startswith(f"{vendor.prefix}/")), None)

    @web.middleware
    async def _shape(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Give every error the vendor's shape, and every answer an id."""
        begun, name = time.monotonic(), new_id("req_")
        try:
            response = await handler(request)
        except WireError as error:
            response = self._refusal(request, error)
        except web.HTTPException as error:
            message = f"Invalid URL ({request.method} {request.path})" if error.status == 404 else error.reason
            response = self._refusal(request, WireError(error.status, message))
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            response = self._refusal(request, WireError(500, "The engine failed."))
        if not response.prepared:
            response.headers["x-request-id"] = name
            response.headers["openai-processing-ms"] = str(int((time.monotonic() - begun) * 1000))
        return response

    def _refusal(self, request: web.Request, error: WireError) -> web.Response:
        vendor = self._vendor(request)
        return error.response() if vendor is None else vendor.refuse(error)


async def _file(jobs: Jobs, request: web.Request) -> web.StreamResponse:
    """Answer with a file that a job made; whoever knows the job's id may have it."""
    job, name = jobs.get(request.match_info["job"]), request.match_info["name"]
    path = None if job is None else job.file(name)
    if path is None or name.startswith(".") or not path.is_file():
        raise WireError(404, "There is no such file (any more).")
    return web.FileResponse(path)
