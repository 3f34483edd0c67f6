"""Decks on their way: jobs that make them, what is told of them, and the pictures and files that they are made of."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from ..families import Room
from ..fetching import Unfetched, fetched
from ..jobs import Job, JobState
from ..turns import ACCOUNT
from .naming import PICTURES, name_of
from .store import DeckStore, Record
from .templates import Template, templates
from .wire import GONE, Denied, failed, wrong

PREFIX: Final = "/docmee"
MODULE: Final = "deeepai.engines.docmee.work"
SECONDS: Final = 300.0
"""That a job may take."""
CACHED: Final = 30.0
"""Seconds after a deck's end in which its progress is told."""
_MOST_PICTURES: Final = 30
_MOST_PICTURE: Final = 8 * 2**20
_FETCH_SECONDS: Final = 20.0
_AT_ONCE: Final = 4

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """A deck that is made page by page, as far as it is."""

    total: int = 0
    current: int = 0
    ended: float = 0.0
    """Monotonic seconds; 0 while it is made."""
    failure: Denied | None = None
    """Why it could not be made; then there is no deck."""


class Decks:
    """The decks of the program.

    Parameters
    ----------
    folder : Path
        What of theirs is kept.
    """

    def __init__(self, room: Room, folder: Path) -> None:
        self.room = room
        self.store = DeckStore(folder)
        self.progress: dict[str, Progress] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._covers = asyncio.Lock()
        for record in self.store.unfinished():
            job = room.jobs.get(record.job)
            if job is None:
                self.store.delete(record)
            else:
                self._watch(record, job)

    async def close(self) -> None:
        """Follow nothing any more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self.store.close()

    # Making

    def template(self, name: str) -> Template:
        """Return a template; by chance, where none is named.

        Raises
        ------
        Denied
        """
        every = templates()
        if not name:
            return list(every.values())[time.monotonic_ns() // 1000 % len(every)]
        found = every.get(name)
        if found is None:
            raise Denied(GONE, f"There is no template '{name[:64]}'")
        return found

    async def begin(
        self, text: str, template: Template, *, deck: Mapping[str, Any] | None = None, **more: Any
    ) -> tuple[Record, Job]:
        """Begin to make a deck of a text, or of the deck that it says.

        Raises
        ------
        Denied
        """
        request: dict[str, Any] = {"task": "make", "design": template.design, "theme": template.theme, **more}
        request |= {"markdown": text} if deck is None else {"deck": deck}
        job = await self.submit(request, await self.pictures(text))
        subject = next((line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("# ")), "")
        record = self.store.new(ACCOUNT.get(), subject[:1000], template.id, text, {})
        record.job = job.id
        self.store.save(record)
        self._watch(record, job)
        return record, job

    async def again(self, record: Record, request: Mapping[str, Any], files: Mapping[str, bytes | Path]) -> Record:
        """Make a deck's files anew; return it then.

        Raises
        ------
        Denied
            It failed: the deck stays as it was.
        """
        job = await self.room.jobs.wait(await self.submit(request, files))
        if job.state is not JobState.DONE:
            raise failed(job)
        self._take(record, job)
        return record

    async def submit(self, request: Mapping[str, Any], files: Mapping[str, bytes | Path]) -> Job:
        """Have a job done."""
        return await self.room.jobs.submit(MODULE, request, files=files, seconds=SECONDS)

    async def made(self, record: Record) -> Record:
        """Wait until a deck is made.

        Raises
        ------
        Denied
            It could not be: then there is none.
        """
        if (task := self._tasks.get(record.id)) is not None:
            await asyncio.shield(task)
        progress, found = self.progress.get(record.id), self.store.any(record.id)
        if progress is not None and progress.failure is not None:
            raise progress.failure
        if found is None:
            raise Denied(GONE, "The deck was deleted meanwhile")
        return found

    def _watch(self, record: Record, job: Job) -> None:
        self.progress[record.id] = Progress()
        old = time.monotonic() - CACHED
        for name in [name for name, other in self.progress.items() if 0 < other.ended < old]:
            del self.progress[name]
        task = asyncio.create_task(self._follow(record.id, job))
        self._tasks[record.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(record.id, None))

    async def _follow(self, name: str, job: Job) -> None:
        """See a deck to its end."""
        progress = self.progress[name]
        async for told in self.room.jobs.follow(job):
            progress.total = told.get("pages", progress.total)
            progress.current = max(progress.current, told.get("page", 0))
        end, record = self.room.jobs.get(job.id) or job, self.store.any(name)
        progress.ended = time.monotonic()
        if record is None:
            return
        if end.state is JobState.DONE:
            self._take(record, end)
            progress.total = progress.current = record.pages
        else:
            progress.failure = failed(end)
            self.store.delete(record)

    def _take(self, record: Record, job: Job) -> None:
        result = job.result or {}
        record.pages, record.deck = int(result.get("pages", 0)), result.get("deck", record.deck)
        record.job = ""
        self.store.take(record, job.folder / "out")

    # What they are made of

    async def pictures(self, text: str) -> dict[str, bytes | Path]:
        """Return the pictures that a text names, from addresses or the caller's documents, as far as can be."""
        wanted = await asyncio.to_thread(_addresses, text) if "![" in text else []
        return await self.fetched(wanted)

    async def fetched(self, wanted: list[str]) -> dict[str, bytes | Path]:
        """Return pictures by the names that they are given."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(address: str) -> bytes | None:
            async with turn:
                return await self._picture(address)

        wanted = wanted[:_MOST_PICTURES]
        found = await asyncio.gather(*(one(address) for address in wanted))
        return {name_of(address): data for address, data in zip(wanted, found, strict=True) if data}

    async def _picture(self, address: str) -> bytes | None:
        if address.startswith(PICTURES):
            text, _, name = address.removeprefix(PICTURES).partition("/")
            folder = self.store.text(ACCOUNT.get(), text)
            file = None if folder is None or "/" in name or name.startswith(".") else folder / name
            return file.read_bytes() if file is not None and file.is_file() else None
        try:
            got = await fetched(self.room.fetch, address, limit=_MOST_PICTURE, seconds=_FETCH_SECONDS)
        except Unfetched as fault:
            _log.info("a picture was not had: %s", fault.message)
            return None
        return got.body

    async def page_at(self, name: str, address: str, most: int) -> tuple[bytes, str]:
        """Fetch a file that a caller names; return it with what it is called.

        Raises
        ------
        Denied
        """
        try:
            got = await fetched(self.room.fetch, address, limit=most, seconds=_FETCH_SECONDS)
        except Unfetched as fault:
            raise wrong(name, fault.message) from None
        called = urlsplit(address).path.rpartition("/")[2] or "page.html"
        return got.body, called if "." in called else f"{called}.html"

    # What is told of them

    def owned(self, name: object) -> Record:
        """Return a deck of the caller's.

        Raises
        ------
        Denied
        """
        found = self.store.get(ACCOUNT.get(), name) if isinstance(name, str) else None
        if found is None:
            raise Denied(GONE, f"There is no deck '{str(name)[:64]}'")
        return found

    def info(self, request: web.Request, record: Record, *, tree: bool = False) -> dict[str, Any]:
        """Return what is told of a deck."""
        at = f"{request.scheme}://{request.host}{PREFIX}/files/{record.id}/{record.revision}"
        return {
            "id": record.id,
            "name": record.name,
            "subject": record.subject,
            "coverUrl": f"{at}.png" if record.revision else "",
            "fileUrl": f"{at}.pptx" if record.revision else None,
            "templateId": record.template,
            "pptxProperty": packed(self.tree(record)) if tree and record.revision else None,
            "userId": "",
            "userName": "",
            "companyId": 0,
            "updateTime": moment(record.updated) if record.updated else None,
            "createTime": moment(record.created),
        }

    def tree(self, record: Record) -> dict[str, Any]:
        """Return a deck's tree."""
        return msgspec.json.decode(self.store.file(record, "json").read_bytes())

    def told(self, record: Record) -> dict[str, Any]:
        """Return how far a deck is.

        Raises
        ------
        Denied
            That is told no more.
        """
        progress = self.progress.get(record.id)
        if progress is None or (progress.ended and time.monotonic() > progress.ended + CACHED):
            raise Denied(GONE, "The deck's progress is told no more: load it")
        job = self.room.jobs.get(record.job) if record.job else None
        path = self.store.file(record, "json") if job is None else job.file("tree.json")
        tree: dict[str, Any] | None = msgspec.json.decode(path.read_bytes()) if progress.current else None
        return {
            "total": progress.total,
            "current": progress.current,
            "pptxProperty": packed({**tree, "pages": tree["pages"][: progress.current]}) if tree else None,
        }

    async def cover(self, template: Template) -> Path:
        """Return a template's picture, drawn when it is first asked for."""
        path = self.store.cover(template.id)
        async with self._covers:
            if not path.is_file():
                deck = {"title": template.name["zh"], "subtitle": template.name["en"], "language": "zh-CN"}
                request = {"task": "cover", "deck": deck, "design": template.design, "theme": template.theme}
                job = await self.room.jobs.wait(await self.submit(request, {}))
                if job.state is not JobState.DONE:
                    raise failed(job)
                path.write_bytes(job.file("cover.png").read_bytes())
        return path


def packed(tree: Mapping[str, Any]) -> str:
    """Return a tree as it is told in texts: JSON, packed, in base64."""
    return base64.b64encode(gzip.compress(msgspec.json.encode(tree), 6, mtime=0)).decode()


def moment(seconds: float) -> str:
    """Return a time as the vendor writes it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def _addresses(text: str) -> list[str]:
    # Loaded where a text names pictures: the libraries that read it are the jobs' own otherwise.
    from .work import addresses

    return addresses(text)
