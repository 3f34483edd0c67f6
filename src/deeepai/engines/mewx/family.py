"""MewXAI's endpoints: submissions, the detail, lists, and callbacks to who asked for one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from aiohttp import web

from ...safe_fetch import Fetched
from ..art import templates
from ..art.templates import KINDS, MODELS, TEMPLATES, Kind
from ..families import Room, require_packages
from ..fetching import Callers, Unfetched, fetched
from ..jobs import Job, JobState
from ..openai_wire import WireError, answer, refused
from ..uploads import Sent, sent
from . import bodies

PREFIX: Final = "/mewx"
BASE: Final = f"{PREFIX}/api/v1"
LARGEST_PICTURE: Final = 2 * 2**20
"""Bytes of a picture that is fetched."""
FETCH_SECONDS: Final = 20.0
JOB_SECONDS: Final = 180.0
WAITS: Final = (0.0, 7.0, 8.5, 10.0)
"""Seconds before each call of a callback: 0, 7, 15.5 and 25.5 s after the end, until one is answered with code 0."""
_MODULES: Final = templates.__name__.rpartition(".")[0]
_STATES: Final = {JobState.DONE: 1, JobState.FAILED: -1, JobState.CANCELLED: -1}
_LIBRARIES: Final = ("cv2", "segno", "zxingcpp", "noto_cjk_sans_otc")
_PREVIEWS: Final = 2
"""Version of the previews that are kept."""


def good(data: Any, msg: str = "成功") -> web.Response:
    """Return a good answer."""
    return answer({"code": 0, "msg": msg, "data": data})


class MewxFamily:
    """The family."""

    prefix = PREFIX

    def __init__(self, room: Room) -> None:
        self._room = room
        self._folder = room.data / "mewx"
        self._callers = Callers(room.fetch, WAITS, _taken)
        self._previews: dict[Kind, dict[str, str]] = {}
        self._drawing = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        submissions: dict[str, Callable[[Sent], bodies.Asked]] = {
            "images/generate": bodies.code,
            "images/shadow/generate": bodies.words,
            "images/neuralstyle/generate": bodies.fusion,
        }
        return [
            *(web.post(f"{BASE}/{path}", partial(self._submit, read)) for path, read in submissions.items()),
            *(
                web.post(f"{BASE}/{path}", partial(self._unserved, name))
                for path, name in (("mx/images/cute/generate", "Cute"), ("mx/images/generate", "MX"))
            ),
            web.get(f"{BASE}/images/detail", self._detail),
            web.get(f"{BASE}/template/list", self._templates),
            web.get(f"{BASE}/model/list", self._models),
            *(
                web.get(f"{BASE}/mx/images/{path}", self._nothing)
                for path in ("modelList", "extraList", "cute/extraList")
            ),
            # The engines count no points: there is nothing to pay here.
            web.get(f"{BASE}/user/count", self._count),
        ]

    def refuse(self, error: WireError) -> web.Response:
        """Return an error in the vendor's shape; `code` is the HTTP status, as the vendor's own are not published."""
        headers = {"retry-after": str(error.retry_after)} if error.retry_after is not None else {}
        message = (
            f"{error.param}: {error.message}" if error.param and error.param not in error.message else error.message
        )
        return answer({"code": error.status, "msg": message}, error.status, headers)

    async def close(self) -> None:
        """Call nobody any more."""
        await self._callers.close()

    # Submissions

    async def _submit(self, read: Callable[[Sent], bodies.Asked], request: web.Request) -> web.Response:
        require_packages(_LIBRARIES, "images")
        async with sent(request, self._room.data / "uploads", bodies.MOST_IMAGE) as found:
            asked = read(found)
            hook = found.text("callback_url")
        files = dict(asked.files)
        for name, address in asked.addresses.items():
            files[name] = await self._fetched(name, address)
        facts = {"family": "mewx", "content": asked.content, "origin": f"{request.scheme}://{request.host}"}
        job = await self._room.jobs.submit(
            f"{_MODULES}.{asked.module}", asked.request, files=files, facts=facts, seconds=JOB_SECONDS
        )
        if hook:
            self._callers.promise(hook, partial(self._told, job))
        return good({"img_uuid": job.id})

    async def _fetched(self, name: str, address: str) -> bytes:
        try:
            return (await fetched(self._room.fetch, address, limit=LARGEST_PICTURE, seconds=FETCH_SECONDS)).body
        except Unfetched as fault:
            raise refused(f"{name}_img: {fault.message}", f"{name}_img") from None

    async def _unserved(self, name: str, request: web.Request) -> web.Response:
        await request.read()
        message = f"No model on this machine draws {name} pictures: they need a channel to the vendor, or to a relay"
        raise WireError(400, message, code="unsupported")

    # What became of them

    async def _detail(self, request: web.Request) -> web.Response:
        wanted = request.query.get("img_uuid", "")
        job = self._room.jobs.get(wanted) if wanted else None
        # Whose it is, the gateway judges: ids cannot be guessed, and those who poll name no account.
        if job is None or job.facts.get("family") != "mewx":
            raise WireError(404, f"img_uuid: there is no '{wanted[:64]}'", param="img_uuid")
        return good(self._shown(job))

    async def _told(self, job: Job) -> dict[str, Any]:
        return self._shown(await self._room.jobs.wait(job))

    def _shown(self, job: Job) -> dict[str, Any]:
        status, result = _STATES.get(job.state, 0), job.result or {}
        told: dict[str, Any] = {
            "img_uuid": job.id,
            "user_id": "",
            "urls": [f"{job.facts['origin']}/files/{job.id}/picture.png"] if status == 1 else [],
            "duration": round(job.finished - job.started, 3) if job.finished and job.started else 0,
            "status": status,
            "qr_content": result.get("content", job.facts["content"]),
        }
        if status == 1:
            # Beside the vendor's fields: how it was made, and at which strength a code reads.
            return told | {name: result[name] for name in ("engine", "strength") if name in result}
        return told | {"msg": job.message} if status == -1 else told

    # Lists

    async def _templates(self, request: web.Request) -> web.Response:
        kind = _kind(request)
        previews = await self._drawn(kind)
        listed = [
            {"id": one.id, "name": one.name, "preview_img": previews.get(str(one.id), "")}
            for one in TEMPLATES[kind].values()
        ]
        return good(listed, "success")

    async def _drawn(self, kind: Kind) -> dict[str, str]:
        """Return previews by template, drawn at the first request."""
        async with self._drawing:
            if kind not in self._previews:
                kept = self._folder / f"previews-{_PREVIEWS}-{kind}.json"
                if not kept.is_file():
                    job = await self._room.jobs.submit(f"{_MODULES}.make_previews", {"kind": kind})
                    made = await self._room.jobs.wait(job)
                    if made.state is not JobState.DONE:
                        raise WireError(500, "The previews could not be drawn.")
                    await asyncio.to_thread(_put, made.file("previews.json"), kept)
                self._previews[kind] = json.loads(await asyncio.to_thread(kept.read_text))
            return self._previews[kind]

    async def _models(self, request: web.Request) -> web.Response:
        _kind(request)
        return good([{"name": name, "value": value, "label": name} for value, name in MODELS.items()], "success")

    async def _nothing(self, request: web.Request) -> web.Response:
        del request
        return good({"modelList": []})

    async def _count(self, request: web.Request) -> web.Response:
        del request
        return good({"count": 0})


def _taken(answer: Fetched) -> bool:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("code") == 0


def _kind(request: web.Request) -> Kind:
    wanted = request.query.get("type", "")
    for kind in KINDS:
        if kind == wanted:
            return kind
    raise refused(f"type must be one of {', '.join(KINDS)}", "type")


def _put(source: Any, target: Any) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    draft.write_bytes(source.read_bytes())
    draft.replace(target)
