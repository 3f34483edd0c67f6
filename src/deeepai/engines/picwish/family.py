"""PicWish's endpoints: tasks that are waited for or asked after, and callbacks to who asked for one."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from ..families import Room, require_packages
from ..fetching import Callers, Unfetched, fetched
from ..jobs import Job, JobState
from ..openai_wire import WireError, answer, refused
from ..turns import ACCOUNT
from ..uploads import Sent, sent
from . import tools
from .tools import TOOLS, Tool

PREFIX: Final = "/picwish"
WAIT: Final = 30.0
"""Seconds that `sync=1` waits; what takes longer is asked after."""
FETCH_SECONDS: Final = 10.0
DOCUMENT_SECONDS: Final = 60.0
"""In which a picture, and a document, must have been fetched."""
TRIES: Final = (0.0, 5.0, 30.0)
"""Seconds before each call of a callback, until one is taken."""
_LIBRARIES: Final = ("cv2", "numpy", "PIL", "rapidocr")
_ENDS: Final = {"fetch": -3, "too_large": -5, "unreadable": -7, "unsupported": -7, "timeout": -8}
"""The vendor's numbers for why a job failed; -1 for all else."""
_DETAILS: Final = {0: "Queued", 1: "Complete", 4: "Processing"}
_EXTRAS: Final = ("engine", "width", "height", "input_width", "input_height", "pages", "factor", "quality", "scene")
"""Of a job's result, told beside the vendor's own fields."""

_MASKED: Final = ("visual/inpaint", "visual/watermark")
"""Two names of one tool."""


def good(data: Any) -> web.Response:
    """Return a good answer."""
    return answer({"status": 200, "message": "success", "data": data})


class PicwishFamily:
    """The family."""

    prefix = PREFIX

    def __init__(self, room: Room) -> None:
        self._room = room
        self._callers = Callers(room.fetch, TRIES, lambda answer: True)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            route
            for tool in TOOLS
            for route in (
                web.post(f"{PREFIX}/api/tasks/{tool.path}", partial(self._create, tool)),
                web.get(f"{PREFIX}/api/tasks/{tool.path}/{{id}}", partial(self._result, tool)),
            )
        ]

    def refuse(self, error: WireError) -> web.Response:
        """Return an error in the vendor's shape."""
        headers = {"retry-after": str(error.retry_after)} if error.retry_after is not None else {}
        return answer({"status": error.status, "message": error.message}, error.status, headers)

    async def close(self) -> None:
        """Call nobody any more."""
        await self._callers.close()

    # Creation

    async def _create(self, tool: Tool, request: web.Request) -> web.StreamResponse:
        require_packages(_LIBRARIES, "images")
        async with sent(request, self._room.data / "uploads", tool.most) as found:
            hook = tools.text(found, "callback_url")
            wait = tools.whole(found, "sync", 0, 1) == 1 and tool.waits
            kind = tools.whole(found, "return_type", 1, 3) or 1
            if kind == 3 and not tool.bare:
                raise refused("return_type must be 1 or 2", "return_type")
            job = await self._begin(tool, found, kind, f"{request.scheme}://{request.host}")
        if hook:
            self._callers.promise(hook, partial(self._told, tool, job))
        if not wait:
            return good({"task_id": job.id})
        job = await self._room.jobs.wait(job, WAIT)
        if kind == 3 and job.state is JobState.DONE:
            (name, *_) = filter(None, tool.made(job.result or {}).values())
            return web.FileResponse(job.file(name))
        return good(await self._shown(tool, job))

    async def _begin(self, tool: Tool, found: Sent, kind: int, origin: str) -> Job:
        asked = tool.read(found)
        sources = self._source(tool, found)
        if tool.masked:
            sources |= _mask(found, asked)
        module, files = tool.module, dict[str, bytes | Path]()
        for name, source in sources.items():
            try:
                files[name] = await self._fetched(tool, source) if isinstance(source, str) else source
            except Unfetched as fault:
                message = f"image_url: {fault.message}"
                module, asked, files = tools.UNFETCHED, {"code": fault.code, "message": message}, {}
                break
        facts = {"family": "picwish", "tool": tool.path, "origin": origin, "return_type": kind}
        return await self._room.jobs.submit(
            module, asked, files=files, facts=facts, large=tool.large and not _is_quick(asked), seconds=tool.seconds
        )

    def _source(self, tool: Tool, found: Sent) -> dict[str, str | bytes | Path]:
        """Return where the picture or document is: an address, its bytes, or a file that came."""
        upload = found.file("image_file", "file")
        address, data = tools.address(found, "image_url", "url"), tools.decoded(found, "image_base64")
        sources = [source for source in (upload and upload.path, address or None, data) if source is not None]
        if len(sources) > 1:
            raise refused("image_url must be empty where image_file is there", "image_url")
        if not sources:
            raise refused("image_file or image_url is required", "image_file")
        return {tool.file: sources[0]}

    async def _fetched(self, tool: Tool, address: str) -> bytes:
        seconds = DOCUMENT_SECONDS if tool.file == "document" else FETCH_SECONDS
        return (await fetched(self._room.fetch, address, limit=tool.most, seconds=seconds)).body

    # What became of it

    async def _result(self, tool: Tool, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        job = self._room.jobs.get(wanted)
        known = _MASKED if tool.path in _MASKED else (tool.path,)
        # A stranger's is not told from one that does not exist. Who asks for nobody is the gateway, which watches.
        if (
            job is None
            or job.facts.get("family") != "picwish"
            or job.facts["tool"] not in known
            or ACCOUNT.get() not in ("", job.account)
        ):
            raise WireError(404, f"There is no such task: '{wanted[:64]}'")
        return good(await self._shown(tool, job))

    async def _shown(self, tool: Tool, job: Job) -> dict[str, Any]:
        state = _state(job)
        told: dict[str, Any] = {
            "task_id": job.id,
            "created_at": int(job.created),
            "processed_at": int(job.started),
            "completed_at": int(job.finished),
            "progress": 100 if state == 1 else min(job.progress, 99),
            "state": state,
            "state_detail": _DETAILS.get(state, "Failed"),
            "return_type": job.facts["return_type"],
        }
        if state < 0:
            return {**told, "err_info": job.message}
        if state != 1:
            return told
        result: Mapping[str, Any] = job.result or {}
        extras = {name: result[name] for name in _EXTRAS if result.get(name) is not None}
        return {**told, **await self._files(tool, job, result), **extras}

    async def _files(self, tool: Tool, job: Job, result: Mapping[str, Any]) -> dict[str, str]:
        files = tool.made(result)
        if job.facts["return_type"] == 2 and tool.waits:
            return {
                field: base64.b64encode(await asyncio.to_thread(job.file(name).read_bytes)).decode() if name else ""
                for field, name in files.items()
            }
        return {field: _link(job, name) if name else "" for field, name in files.items()}

    async def _told(self, tool: Tool, job: Job) -> dict[str, Any]:
        shown = await self._shown(tool, await self._room.jobs.wait(job))
        return {"status": 200, "message": "success", "data": shown}


def _mask(found: Sent, asked: Mapping[str, Any]) -> dict[str, str | bytes | Path]:
    """Return where the mask is; nothing where rectangles say what is to be removed."""
    upload = found.file("mask_file")
    address, data = tools.address(found, "mask_url"), tools.decoded(found, "mask_base64")
    masks = [mask for mask in (upload and upload.path, address or None, data) if mask is not None]
    if len(masks) + bool(asked.get("rectangles")) != 1:
        raise refused("one of mask_file, mask_url and rectangles is required, and one alone", "mask_file")
    return {"mask": masks[0]} if masks else {}


def _is_quick(asked: Mapping[str, Any]) -> bool:
    """Tell whether a document is one picture, which is soon read."""
    return str(asked.get("given", "")).lower().endswith((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"))


def _state(job: Job) -> int:
    match job.state:
        case JobState.QUEUED:
            return 0
        case JobState.RUNNING:
            return 4
        case JobState.DONE:
            return 1
        case _:
            return _ENDS.get(job.code, -1)


def _link(job: Job, name: str) -> str:
    return f"{job.facts['origin']}/files/{job.id}/{name}"
