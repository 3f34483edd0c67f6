"""Docmee's endpoints. Keys are the gateway's affair: here an account is who the gateway says, and nothing costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from ..families import Room, require_packages
from ..jobs import Job, JobState, Refusal
from ..openai_wire import WireError
from ..slides import READING
from ..streaming import StreamedAnswer
from ..turns import ACCOUNT
from ..uploads import sent
from . import wire
from .decks import PREFIX, Decks
from .naming import PICTURES, name_of
from .store import Record
from .templates import CATEGORIES, COLOURS, STYLES, fitting
from .wire import AI, GONE, MOST_TEXT, Denied, Fields, failed, good, wrong

KIND: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
EVENTS: Final = "text/event-stream"
MOST_FILE: Final = 50 * 2**20
MOST_PAGE: Final = 20 * 2**20
"""Bytes of what is fetched."""
READ_SECONDS: Final = 120.0
_QUIET: Final = 10.0
"""Seconds of silence after which a stream says that it goes on."""
_LIBRARIES: Final = ("pptx", "lxml", "PIL", "pypdfium2")


class DocmeeFamily:
    """The family."""

    prefix = PREFIX

    def __init__(self, room: Room) -> None:
        self._room = room
        self._folder = room.data / "docmee"
        self._decks = Decks(room, self._folder)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        ppt = f"{PREFIX}/api/ppt"
        return [
            web.post(f"{ppt}/templates", self._templates),
            web.post(f"{ppt}/randomTemplates", self._random),
            web.get(f"{ppt}/template/options", self._options),
            web.post(f"{ppt}/parseFileData", self._parse),
            web.post(f"{ppt}/generateOutline", self._outline),
            web.post(f"{ppt}/updateOutline", self._update),
            web.post(f"{PREFIX}/ppt/updateOutline", self._update),
            web.post(f"{ppt}/generateContent", self._content),
            web.post(f"{ppt}/generatePptx", self._deck),
            web.post(f"{ppt}/directGeneratePptx", self._direct),
            web.get(f"{ppt}/asyncPptInfo", self._progress),
            web.post(f"{ppt}/listPptx", self._list),
            web.get(f"{ppt}/loadPptx", self._load),
            web.post(f"{ppt}/loadPptxMarkdown", self._markdown),
            web.post(f"{ppt}/downloadPptx", self._download),
            web.post(f"{ppt}/updatePptTemplate", self._change),
            web.post(f"{ppt}/updatePptxAttr", self._rename),
            web.post(f"{ppt}/savePptx", self._save),
            web.post(f"{ppt}/delete", self._delete),
            web.post(f"{PREFIX}/api/pptjson/ppt2json", self._to_tree),
            web.post(f"{PREFIX}/api/pptjson/json2ppt", self._to_file),
            web.post(f"{ppt}/json2ppt", self._to_file),
            web.get(PREFIX + r"/covers/{template:\d+}.png", self._cover),
            web.get(PREFIX + r"/files/{deck:\d+}/{revision:\d+}.{suffix:pptx|png}", self._file),
        ]

    def refuse(self, error: WireError) -> web.Response:
        """Return an error in the vendor's shape."""
        return wire.refuse(error)

    async def close(self) -> None:
        """Follow nothing any more."""
        await self._decks.close()

    async def _fields(self, request: web.Request) -> Fields:
        require_packages(_LIBRARIES, "slides")
        async with sent(request, self._room.data / "uploads", MOST_FILE) as found:
            return Fields(found.fields)

    # Templates

    async def _templates(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        page, size, found = said.number("page"), said.number("size", 1000), fitting(self._filters(said))
        shown = found[(page - 1) * size : page * size]
        return good(total=len(found), data=self._shown(request, shown))

    async def _random(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        filters = self._filters(said)
        left: Any = filters.get("neq_id") or said.value("neq_id") or ()
        left_out = set(left.split(",") if isinstance(left, str) else left)
        found = [one for one in fitting(filters) if one.id not in left_out]
        found.sort(key=lambda one: name_of(f"{time.time_ns()}/{one.id}"))
        return good(total=len(found), data=self._shown(request, found[: said.number("size", 1000)]))

    @staticmethod
    def _filters(said: Fields) -> Mapping[str, Any]:
        filters = said.table("filters")
        if filters.get("type") not in (1, 4):
            raise wrong("filters.type", "1 or 4 is wanted")
        return filters

    def _shown(self, request: web.Request, found: list[Any]) -> list[Any]:
        at, language = f"{request.scheme}://{request.host}{PREFIX}/covers", request.query.get("lang") or "zh"
        return [one.shown(f"{at}/{one.id}.png", language) for one in found]

    async def _options(self, request: web.Request) -> web.Response:
        words = {"category": CATEGORIES, "style": STYLES, "themeColor": tuple(COLOURS.values())}
        return good(data={name: [{"name": one, "value": one} for one in some] for name, some in words.items()})

    async def _cover(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(await self._decks.cover(self._decks.template(request.match_info["template"])))

    # Texts

    async def _parse(self, request: web.Request) -> web.Response:
        async with sent(request, self._room.data / "uploads", MOST_FILE) as found:
            said, upload = Fields(found.fields), found.file("file")
            if upload is not None:
                document: bytes | Path = upload.path
                name = upload.name
            else:
                document, name = await self._named(said)
            job = await self._room.jobs.submit(
                READING, {"name": name}, files={"document": document}, seconds=READ_SECONDS
            )
        job = await self._room.jobs.wait(job)
        if job.state is not JobState.DONE:
            raise failed(job)
        text = self._decks.store.add_text(ACCOUNT.get(), job.folder / "out")
        return good(data={"dataUrl": f"{request.scheme}://{request.host}{PREFIX}/texts/{text}"})

    async def _named(self, said: Fields) -> tuple[bytes, str]:
        """Return what is to be read, where no file came."""
        if content := said.text("content"):
            if len(content) > MOST_TEXT:
                raise wrong("content", f"at most {MOST_TEXT} characters")
            return content.encode(), "text.md"
        for field in ("fileUrl", "website"):
            if address := said.text(field, 4000):
                return await self._decks.page_at(field, address, MOST_FILE if field == "fileUrl" else MOST_PAGE)
        if said.text("websearch"):
            raise Denied(AI, "Nothing here searches the web: it needs a channel to the vendor, or to a relay")
        raise wrong("file", "one of file, content, fileUrl, website, websearch is wanted")

    def _document(self, said: Fields) -> tuple[str, dict[str, bytes | Path]]:
        """Return the id and the files of the text that a request names, if it does."""
        address = said.text("dataUrl", 4000)
        if not address:
            return "", {}
        name = address.rstrip("/").rpartition("/")[2]
        folder = self._decks.store.text(ACCOUNT.get(), name)
        if folder is None:
            raise Denied(GONE, "dataUrl: there is no such text, or its day is over")
        return name, {file.name: file.read_bytes() for file in folder.iterdir()}

    async def _outline(self, request: web.Request) -> web.StreamResponse:
        said = await self._fields(request)
        subject, (_, files) = said.text("subject", 1000), self._document(said)
        if not subject and not files:
            raise wrong("subject", "subject or dataUrl is wanted")
        return await self._written(request, said, {"task": "outline", "subject": subject, **said.wish()}, files)

    async def _update(self, request: web.Request) -> web.StreamResponse:
        said = await self._fields(request)
        asked = {"task": "update", "markdown": said.needed("outlineMarkdown"), "question": said.text("question", 2000)}
        return await self._written(request, said, {**said.wish(), **asked}, {})

    async def _content(self, request: web.Request) -> web.StreamResponse:
        said = await self._fields(request)
        name, files = self._document(said)
        asked = {"task": "content", "markdown": said.needed("outlineMarkdown"), "at": f"{PICTURES}{name}/"}
        asked |= said.wish()
        if not said.flag("asyncGenPptx"):
            return await self._written(request, said, asked, files)
        template = self._decks.template(said.text("templateId", 64))
        if not said.flag("stream", usual=True):
            job = await self._done(await self._decks.submit(asked, files))
            record, _ = await self._decks.begin(_result(job)["markdown"], template, step=True)
            return good(data={"text": _result(job)["markdown"], "result": _result(job)["tree"], "pptId": record.id})
        return await self._with_pages(request, asked, files, template)

    async def _written(
        self, request: web.Request, said: Fields, asked: Mapping[str, Any], files: Mapping[str, bytes | Path]
    ) -> web.StreamResponse:
        """Answer with a text, in events or at once."""
        stream = said.flag("stream", usual=True)
        job = await self._decks.submit(asked, files)
        if not stream:
            result = _result(await self._done(job))
            return good(data={"text": result["markdown"], "result": result["tree"]})
        told = StreamedAnswer(request, EVENTS)
        if not await self._texts(told, job):
            return await told.end()
        await told.send(_event(status=4, result=_result(self._now(job))["tree"]))
        return await told.end()

    async def _texts(self, told: StreamedAnswer, job: Job) -> bool:
        """Tell a job's text as it comes; return whether it came to a good end, which is told otherwise.

        Raises
        ------
        Denied
            It failed before anything was told.
        """
        async for fact in self._beating(told, job):
            if "reset" in fact:
                await told.send(_event(status=0))
            if "text" in fact:
                await told.send(_event(fact["text"]))
        return await self._went_well(told, self._now(job))

    async def _went_well(self, told: StreamedAnswer, job: Job) -> bool:
        if job.state is JobState.DONE:
            return True
        if not told.begun:
            raise failed(job)
        await told.send(_event(status=-1, error=job.message or "failed"))
        return False

    async def _beating(self, told: StreamedAnswer, job: Job) -> AsyncGenerator[Mapping[str, Any]]:
        """Yield what a job tells; where that is silent for long, say that the stream goes on."""
        facts = aiter(self._room.jobs.follow(job))
        following: asyncio.Future[Any] | None = None
        try:
            while True:
                following = following or asyncio.ensure_future(anext(facts, None))
                done, _ = await asyncio.wait((following,), timeout=_QUIET)
                if not done:
                    await told.send(_event())
                    continue
                fact, following = following.result(), None
                if fact is None:
                    return
                yield fact
        finally:
            if following is not None:
                following.cancel()

    async def _with_pages(
        self, request: web.Request, asked: Mapping[str, Any], files: Mapping[str, bytes | Path], template: Any
    ) -> web.StreamResponse:
        """Tell a text, and with it the pages of the deck that is made of it meanwhile."""
        told, pieces = StreamedAnswer(request, EVENTS), list[str]()
        job = await self._decks.submit(asked, files)
        async for fact in self._beating(told, job):
            if "reset" in fact:
                pieces.clear()
            pieces += [fact["text"]] if "text" in fact else []
        if not await self._went_well(told, self._now(job)):
            return await told.end()
        result = _result(self._now(job))
        record, making = await self._decks.begin(result["markdown"], template, step=True)
        total = said = 0
        async for fact in self._beating(told, making):
            total = fact.get("pages", total)
            if not (page := fact.get("page", 0)):
                continue
            # As much of the text as its pages are made.
            until = len(pieces) * page // max(total, 1)
            for piece in pieces[said:until]:
                await told.send(_event(piece))
            said = max(said, until)
            await told.send(_event(pptId=record.id, total=total, current=page))
        try:
            await self._decks.made(record)
        except Denied as error:
            if not told.begun:
                raise
            await told.send(_event(status=-1, error=error.message))
            return await told.end()
        for piece in pieces[said:]:
            await told.send(_event(piece))
        await told.send(_event(status=4, result=result["tree"]))
        return await told.end()

    # Decks

    async def _deck(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        text, template = said.needed("outlineContentMarkdown"), self._decks.template(said.text("templateId", 64))
        notes = said.value("notes") or []
        if not isinstance(notes, list):
            raise wrong("notes", "a list of texts is wanted")
        tree = said.flag("pptxProperty")
        record, _ = await self._decks.begin(text, template, notes=notes)
        return good(data={"pptInfo": self._decks.info(request, await self._decks.made(record), tree=tree)})

    async def _direct(self, request: web.Request) -> web.StreamResponse:
        said = await self._fields(request)
        subject, (name, files) = said.text("subject", 1000), self._document(said)
        if not subject and not files:
            raise wrong("subject", "subject or dataUrl is wanted")
        template, wish, tree = self._decks.template(said.text("templateId", 64)), said.wish(), said.flag("pptxProperty")
        stream = said.flag("stream", usual=True)
        outline = await self._done(await self._decks.submit({"task": "outline", "subject": subject, **wish}, files))
        asked = {"task": "content", "markdown": _result(outline)["markdown"], "at": f"{PICTURES}{name}/", **wish}
        job = await self._decks.submit(asked, files)
        if not stream:
            text = _result(await self._done(job))["markdown"]
            record, _ = await self._decks.begin(text, template)
            return good(data={"pptInfo": self._decks.info(request, await self._decks.made(record), tree=tree)})
        told = StreamedAnswer(request, EVENTS)
        if not await self._texts(told, job):
            return await told.end()
        record, making = await self._decks.begin(_result(self._now(job))["markdown"], template)
        async for _ in self._beating(told, making):
            pass
        try:
            record = await self._decks.made(record)
        except Denied as error:
            await told.send(_event(status=-1, error=error.message))
            return await told.end()
        await told.send(_event(pptId=record.id))
        await told.send(_event(status=4, result=self._decks.info(request, record, tree=tree)))
        return await told.end()

    async def _progress(self, request: web.Request) -> web.Response:
        return good(data=self._decks.told(self._decks.owned(request.query.get("pptId"))))

    async def _list(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        page, size = said.number("page"), said.number("size", 1000)
        found, total = self._decks.store.page(ACCOUNT.get(), (page - 1) * size, size)
        return good(total=total, data=[self._decks.info(request, one) for one in found])

    async def _load(self, request: web.Request) -> web.Response:
        record = self._decks.owned(request.query.get("id"))
        return good(data={"pptInfo": self._decks.info(request, record, tree=True)})

    async def _markdown(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        record = self._decks.owned(said.value("id"))
        if said.text("format") != "tree":
            return good(data={"markdownText": record.text})
        asked = {"task": "parse", "markdown": record.text}
        return good(data={"markdownTree": _result(await self._done(await self._decks.submit(asked, {})))["tree"]})

    async def _download(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        record = self._decks.owned(said.value("id"))
        if said.flag("refresh") and not record.job:
            record = await self._drawn(record)
        info = self._decks.info(request, record)
        return good(data={name: info[name] for name in ("id", "name", "subject")} | {"fileUrl": info["fileUrl"] or ""})

    async def _drawn(self, record: Record) -> Record:
        """Draw a deck's files anew, from what is kept of it."""
        if not record.edited:
            template = self._decks.template(record.template)
            asked = {"task": "make", "deck": record.deck, "design": template.design, "theme": template.theme}
            return await self._decks.again(record, asked, await self._decks.pictures(record.text))
        return await self._saved(record, self._decks.tree(record))

    async def _saved(self, record: Record, tree: Any) -> Record:
        """Make a deck's files of a tree."""
        named = {address: name_of(address) for address in _addresses(tree)}
        pictures = await self._decks.fetched(list(named))
        had = {address: name for address, name in named.items() if name in pictures}
        asked = {"task": "save", "pictures": had}
        return await self._decks.again(record, asked, {**pictures, "tree": msgspec.json.encode(tree)})

    async def _change(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        record, template = self._ready(said.value("pptId")), self._decks.template(said.needed("templateId", 64))
        asked = {"design": template.design, "theme": template.theme, "subject": record.subject}
        if record.edited:
            files: dict[str, bytes | Path] = {"deck.pptx": self._decks.store.file(record, "pptx").read_bytes()}
            asked |= {"task": "redo"}
        else:
            asked |= {"task": "make", "deck": record.deck}
            files = await self._decks.pictures(record.text)
        record.template, record.updated, record.edited = template.id, time.time(), False
        record = await self._decks.again(record, asked, files)
        told = {"pptId": record.id, "templateId": template.id, "pptxProperty": self._decks.tree(record)}
        return good(data=told)

    def _ready(self, name: object) -> Record:
        record = self._decks.owned(name)
        if not record.revision:
            raise wrong("id", "the deck is not made yet")
        return record

    async def _rename(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        record, name, subject = self._decks.owned(said.value("id")), said.text("name", 1000), said.text("subject", 1000)
        if not name and not subject:
            raise wrong("name", "name or subject is wanted")
        record.name, record.subject, record.updated = name or record.name, subject or record.subject, time.time()
        self._decks.store.save(record)
        return good()

    async def _save(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        record, tree = self._ready(said.value("id")), said.value("pptxProperty")
        if tree is not None and not isinstance(tree, dict):
            raise wrong("pptxProperty", "a tree is wanted")
        record.updated = time.time()
        if tree is None:
            record = await self._drawn(record)
        else:
            record.edited = True
            record = await self._saved(record, tree)
        return good(data={"pptInfo": self._decks.info(request, record)})

    async def _delete(self, request: web.Request) -> web.Response:
        said = await self._fields(request)
        self._decks.store.delete(self._decks.owned(said.value("id")))
        return good()

    async def _file(self, request: web.Request) -> web.StreamResponse:
        record, suffix = self._decks.store.any(request.match_info["deck"]), request.match_info["suffix"]
        path = None
        if record is not None:
            path = self._decks.store.folder(record) / f"{request.match_info['revision']}.{suffix}"
        if path is None or not path.is_file():
            raise WireError(404, "There is no such file (any more).")
        return web.FileResponse(path, headers={"content-type": KIND if suffix == "pptx" else "image/png"})

    # Files and trees

    async def _to_tree(self, request: web.Request) -> web.Response:
        async with sent(request, self._room.data / "uploads", MOST_FILE) as found:
            upload = found.file("file")
            if upload is None:
                raise wrong("file", "a file is wanted")
            job = await self._decks.submit({"task": "convert"}, {"deck.pptx": upload.path})
        job = await self._done(job)
        return web.Response(body=job.file("tree.json").read_bytes(), content_type="application/json")

    async def _to_file(self, request: web.Request) -> web.Response:
        tree = await self._fields(request)
        whole = {name: tree.value(name) for name in tree.names()}
        named = {address: name_of(address) for address in _addresses(whole)}
        pictures = await self._decks.fetched(list(named))
        had = {address: name for address, name in named.items() if name in pictures}
        files: dict[str, bytes | Path] = {**pictures, "tree": msgspec.json.encode(whole)}
        job = await self._done(await self._decks.submit({"task": "build", "pictures": had}, files))
        return web.Response(body=job.file("deck.pptx").read_bytes(), content_type=KIND)

    # Jobs

    def _now(self, job: Job) -> Job:
        return self._room.jobs.get(job.id) or job

    async def _done(self, job: Job) -> Job:
        """Wait for a job.

        Raises
        ------
        Denied
            It failed.
        """
        job = await self._room.jobs.wait(job)
        if job.state is not JobState.DONE:
            raise failed(job)
        return job


def _result(job: Job) -> dict[str, Any]:
    return job.result or {}


def _event(text: str = "", status: int = 3, **more: Any) -> dict[str, Any]:
    return {"text": text, "status": status, **more}


def _addresses(tree: Any) -> list[str]:
    """Return the addresses of the pictures that a tree does not hold itself.

    Raises
    ------
    Denied
    """
    # Loaded where a tree comes, for it brings lxml along.
    from ..slides.tree import addresses

    try:
        return addresses(tree)
    except (Refusal, AttributeError, KeyError, TypeError, ValueError):
        raise wrong("pptxProperty", "this is no tree") from None
