"""The endpoints: each generating call answers at once with an id, which `ppt-result` tells of.

Nothing is kept beside the jobs: a deck's id is its job's, and a cover's its job's with a number, so that all of it
outlives the program for as long as jobs are kept.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec
from aiohttp import web

from ...safe_fetch import Unsafe
from ..families import Room, require_packages
from ..jobs import Job, JobState
from ..openai_wire import WireError, answer, refused
from ..uploads import sent
from . import DECK, SOURCE, WORK, building, templates, vocabulary
from .fields import MOST_TEXT, Fields, not_ready
from .templates import Template
from .vocabulary import KINDS, STATIC_STYLES, STYLES, language_of, topic

COVER_SECONDS: Final = 600.0
"""For which a cover can be chosen."""
MOST_COVERS: Final = 4
MOST_LISTED: Final = 20
MOST_FILE: Final = 50 * 2**20
MOST_PICTURE: Final = 10 * 2**20
"""Bytes."""
MOST_PICTURES: Final = 30
FETCH_SECONDS: Final = 25.0
"""For all files that a request names."""
DECK_SECONDS: Final = 420.0
_SHORT: Final = 90.0
_BEIJING: Final = dt.timezone(dt.timedelta(hours=8))
_EXTENSIONS: Final[Mapping[str, str]] = {
    "application/pdf": ".pdf",
    "application/msword": ".doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WeinikeFamily:
    """韦尼克's endpoints.

    Parameters
    ----------
    room : Room
    """

    prefix = "/weinike"

    def __init__(self, room: Room) -> None:
        self._room = room
        self._folder = room.data / "weinike"
        self._drawing = asyncio.Lock()
        """Of the list's pictures."""

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints, at both of the vendor's places."""
        post: dict[str, _Handler] = {
            "ppt-create": self._create,
            "ppt-create-task": self._follow,
            "ppt-create-file": self._file,
            "ppt-create-thesis": self._file,
            "ppt-page": self._page,
            "ppt-structure": self._structure,
            "ppt-cover": self._cover,
            "ppt-cover-color": self._cover,
            "ppt-editor": self._editor,
        }
        get: dict[str, _Handler] = {
            "ppt-result": self._result,
            "ppt-download": self._download,
            "ppt-cover-static": self._static,
        }
        found: list[web.RouteDef] = [web.get(f"{self.prefix}/covers/{{name}}", self._picture)]
        for place in ("/apps", "/mcp/ppt"):
            found += [web.post(f"{self.prefix}{place}/{name}", handler) for name, handler in post.items()]
            found += [web.get(f"{self.prefix}{place}/{name}", handler) for name, handler in get.items()]
        return found

    def refuse(self, error: WireError) -> web.Response:
        """Return an error as the vendor's clients read it: with a good status where it is for people."""
        code = 204 if error.code == "not_ready" else error.status
        # Of what is not there, a path is the client's fault, and a deck the person's.
        told = error.status in (400, 409, 422) or (error.status == 404 and error.param is not None)
        status = 200 if told else error.status
        headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
        return answer({"code": code, "msg": error.message, "data": {}}, status, headers)

    async def close(self) -> None:
        """Nothing is held."""

    # Outlines and covers ----------------------------------------------------------------------------------------------

    async def _structure(self, request: web.Request) -> web.Response:
        async with self._fields(request) as fields:
            given = [fields.text(name, most=MOST_TEXT) for name in ("title", "theme", "text")]
            said = next(filter(None, given), "")
            if not said:
                raise refused("title, theme or text is required", "title")
            asked = {
                "do": "structure",
                "subject": topic(said)[:200],
                "prompt": " ".join(one for one in given if one and one != said)[:2000],
                "length": fields.length(),
                "language": language_of("", said),
            }
        job = await self._done(asked)
        deck: dict[str, Any] = (job.result or {})["deck"]
        chapters = [
            {"catalog": one["title"], "sub_catalog": [page["title"] for page in one.get("pages", ())]}
            for one in deck.get("chapters", ())
        ]
        return _good({"title": deck["title"], "catalogs": chapters})

    async def _cover(self, request: web.Request) -> web.Response:
        """Draw covers of some designs; or one design in other colours, where a cover is named."""
        of_one = request.path.endswith("-color")
        async with self._fields(request) as fields:
            title = fields.text("title", required=True)
            name = fields.text("cover_id", required=of_one)
            usual = MOST_COVERS if of_one or name else None
            count = fields.whole("count", low=1, high=MOST_COVERS, usual=usual)
            colour, style, author = fields.colour(), fields.style(), fields.text("user_name")
        if name:
            found = templates.variants(self._chosen(name), count, colour=colour)
        else:
            found = templates.chosen(count, style=style, colour=colour)
        job = await self._covers(found, title, author, language_of("", title))
        items = [
            {
                "cover_image": _at(request, f"/files/{job.id}/cover-{number}.png"),
                "cover_id": f"{job.id}-{number - 1}",
                "color": one.colour,
                "color_list": one.colours,
            }
            for number, one in enumerate(found, 1)
        ]
        return _good(items)

    async def _covers(self, found: list[Template], title: str, author: str, language: str) -> Job:
        asked = {
            "do": "covers",
            "templates": msgspec.to_builtins(found),
            "title": title,
            "author": author,
            "language": language,
        }
        return await self._done(asked)

    def _chosen(self, name: str) -> Template:
        """Return the template that a cover shows.

        Raises
        ------
        WireError
            400, where there is no such cover (any more).
        """
        listed = templates.listed(name)
        if listed is not None:
            return listed
        batch, _, number = name.rpartition("-")
        job = self._room.jobs.get(batch) if batch.isalnum() else None
        made = [] if job is None or job.result is None else job.result.get("templates", [])
        late = job is None or job.finished + COVER_SECONDS < time.time()
        if late or not number.isdigit() or int(number) >= len(made):
            raise refused("cover_id is unknown, or older than ten minutes", "cover_id")
        return msgspec.convert(made[int(number)], Template)

    async def _static(self, request: web.Request) -> web.Response:
        async with self._fields(request) as fields:
            style = fields.choice("style", of=STATIC_STYLES)
            colour = fields.colour()
            language = fields.choice("language", of=("中文", "英文")) or "中文"
            limit = fields.whole("limit", low=1, high=MOST_LISTED, usual=1)
        wanted = STATIC_STYLES[style] if style else ""
        found = [one for one in templates.every() if all(templates.fits(one, wanted, colour))][:limit]
        await self._draw_list(found, language)
        shown = {own: word for word, own in STATIC_STYLES.items()}
        items = [
            {
                "style": style or shown[_style_of(one)],
                "color_style": one.colour,
                "language": language,
                "id": one.name,
                "cover_image": _at(request, f"{self.prefix}/covers/{_picture_name(one, language)}"),
            }
            for one in found
        ]
        return _good(items)

    async def _draw_list(self, found: list[Template], language: str) -> None:
        """Draw the pictures of the list that are not there yet; they are kept for good."""
        async with self._drawing:
            lacking = [one for one in found if not (self._folder / _picture_name(one, language)).is_file()]
            if not lacking:
                return
            title, tag = ("在此输入标题", "zh-CN") if language == "中文" else ("Your title here", "en-US")
            job = await self._covers(lacking, title, "", tag)
            for number, one in enumerate(lacking, 1):
                await asyncio.to_thread(self._keep, job.file(f"cover-{number}.png"), _picture_name(one, language))

    def _keep(self, file: Path, name: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{name}.part"
        part.write_bytes(file.read_bytes())
        part.replace(self._folder / name)

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        path = self._folder / request.match_info["name"]
        if path.parent != self._folder or path.suffix != ".png" or not path.is_file():
            raise WireError(404, "There is no such picture.")
        return web.FileResponse(path)

    # Decks ------------------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.Response:
        async with self._fields(request) as fields:
            return await self._begin(fields, None)

    async def _begin(self, fields: Fields, like: Template | None) -> web.Response:
        """Begin a deck of a text or an outline; in some template, if one is given."""
        outline, text = fields.outline(), fields.text("text", most=MOST_TEXT)
        if outline is None and not text:
            raise refused("text or custom_data is required", "text")
        said = text or (outline.title if outline is not None else "")
        asked = self._asked(fields, like, said)
        async with self._fetching() as files:
            if outline is not None:
                urls = [url for one in outline.contents or () for url in one.pictures]
                names = await self._pictures(files, urls)
                deck = building.of_outline(outline, asked["language"], names)
                asked |= {"outline": msgspec.to_builtins(deck), "author": asked["author"] or deck.author}
            else:
                asked |= {"text": text, "prompt": text[:2000] if vocabulary.asked(text) else ""}
            return await self._submit(asked, files, said)

    def _asked(self, fields: Fields, like: Template | None, said: str) -> dict[str, Any]:
        """Return what all new decks are asked for with."""
        return {
            "do": "deck",
            "subject": topic(said)[:200],
            "length": fields.length(),
            "language": language_of(fields.language(), said),
            "author": fields.text("user_name", "pleader"),
            "template": msgspec.to_builtins(like or self._wished(fields)),
            "options": fields.options(),
        }

    def _wished(self, fields: Fields, but: Template | None = None) -> Template:
        """Return the template of the cover that is named, or another one as it is wished for."""
        name = fields.text("cover_id")
        if name:
            return self._chosen(name)
        return templates.chosen(1, style=fields.style(), colour=fields.colour(), but=but)[0]

    async def _file(self, request: web.Request) -> web.Response:
        async with self._fields(request) as fields:
            thesis = request.path.endswith("-thesis")
            names = ("file_key", "file_url") if thesis else ("file_url", "file_key")
            url = fields.text(*names, most=4096, required=True)
            title = fields.text("title")
            school, people = fields.text("school"), fields.text("advisor")
            asked = self._asked(fields, None, title)
            asked |= {"subject": title, "subtitle": school, "length": fields.length() if not thesis else "medium"}
            if people:
                asked["author"] = "　".join(filter(None, (asked["author"], f"指导教师：{people}")))
            async with self._fetching() as files:
                path, name = await self._fetched(url, MOST_FILE)
                files["document"] = path
                asked["document"] = name
                for field, key in (("school_logo", "logo"), ("school_picture", "school_picture")):
                    if address := fields.text(field, most=4096):
                        found = (await self._pictures(files, [address]))[address]
                        if field == "school_logo":
                            asked["options"][key] = found
                        else:
                            asked[key] = found
                return await self._submit(asked, files, title or name)

    async def _follow(self, request: web.Request) -> web.Response:
        """Make something of a deck: its notes, another one in its template, or the same in another template."""
        async with self._fields(request) as fields:
            source = self._source(fields)
            own = msgspec.convert((source.result or {})["template"], Template)
            if fields.flag("note"):
                return await self._again(source, {"do": "notes", "slides": (source.result or {})["slides"]})
            if fields.text("text", most=MOST_TEXT) or fields.outline() is not None:
                return await self._begin(fields, own)
            other = self._wished(fields, own)
            asked = {"do": "template", "template": msgspec.to_builtins(other), "options": fields.options()}
            return await self._again(source, asked)

    async def _page(self, request: web.Request) -> web.Response:
        async with self._fields(request) as fields:
            source = self._source(fields)
            result = source.result or {}
            kind = fields.choice("slide_type", "type", of=KINDS) or "内容页"
            most = result["pages"] + 1
            number = fields.whole("slide_number", "page_index", low=0, high=most, usual=most)
            asked = {
                "do": "page",
                "text": fields.text("text", "theme", most=MOST_TEXT),
                "kind": KINDS[kind],
                # 0 and 1 are both the first.
                "position": max(number - 1, 0),
                "slides": result["slides"],
                "options": fields.options(),
            }
            return await self._again(source, asked)

    def _source(self, fields: Fields) -> Job:
        """Return the finished deck that a request names."""
        job = self._job(fields.text("id", required=True))
        if job.state is JobState.DONE:
            return job
        raise not_ready() if not job.state.is_final else refused("The deck was not made.", "id")

    async def _again(self, source: Job, asked: dict[str, Any]) -> web.Response:
        """Begin what goes on from a deck: with its files, for those of the job may be gone before it."""
        result = source.result or {}
        asked = {"deck": result["deck"], "template": result["template"], "noted": result["noted"], **asked}
        names = [DECK, SOURCE, *result["pictures"]]
        paths = {name: source.file(name) for name in names}
        files: dict[str, bytes | Path] = {
            name: await asyncio.to_thread(path.read_bytes) for name, path in paths.items() if path.is_file()
        }
        if DECK not in files:
            raise refused("The deck is no longer kept.", "id")
        return await self._submit(asked, files, source.facts["said"])

    async def _submit(self, asked: dict[str, Any], files: Mapping[str, bytes | Path], said: str) -> web.Response:
        require_packages(("pptx",), "slides")
        job = await self._room.jobs.submit(
            WORK, asked, files=files, facts={"said": said[:2000]}, large=True, seconds=DECK_SECONDS
        )
        return _good({"id": job.id})

    async def _editor(self, request: web.Request) -> web.Response:
        async with self._fields(request) as fields:
            self._source(fields)
        raise WireError(422, "There is no web editor here: download the deck, and open it in any office program.")

    # Told -------------------------------------------------------------------------------------------------------------

    def _job(self, name: str) -> Job:
        """Return a deck's job.

        Raises
        ------
        WireError
            404, where there is none (any more).
        """
        job = self._room.jobs.get(name) if name.isalnum() else None
        if job is None or job.module != WORK or "said" not in job.facts:
            raise WireError(404, f"The deck '{name[:64]}' is not known.", param="id")
        return job

    async def _result(self, request: web.Request) -> web.Response:
        async with self._fields(request) as fields:
            job = self._job(fields.text("id", required=True))
        told = {key: value for one in job.told for key, value in one.items()}
        result = job.result or {}
        status = {JobState.DONE: 2, JobState.FAILED: 3, JobState.CANCELLED: 3}.get(job.state, 1)
        drawn = [one for one in job.told if "page" in one]
        noting = result.get("noted", job.request["do"] == "notes" or job.request.get("noted", False))
        words = {2: "生成完成", 3: job.message}
        first = f"正在生成第{len(drawn) + 1}页" if drawn or "pages" in told else "正在生成大纲和内容"
        return _good(
            {
                "id": job.id,
                "input_text": job.facts["said"],
                "ppt_title": result.get("title") or told.get("title") or "",
                "introduce": result.get("deck", {}).get("subtitle", ""),
                "images_url": [
                    {"url": _at(request, f"/files/{job.id}/{one['file']}"), "time": one["seconds"]} for one in drawn
                ],
                "page_count": result.get("pages", told.get("pages", 0)),
                "progress": job.progress,
                "status": status,
                "state_description": words.get(status) or first,
                "note_status": status if noting else 0,
                "process_url": "",
                "preview_url": "",
                "first_image_up_at": _moment(job.started) if drawn else "",
                "created_at": _moment(job.created),
                "updated_at": _moment(job.finished or job.started or job.created),
            }
        )

    async def _download(self, request: web.Request) -> web.Response:
        async with self._fields(request) as fields:
            fields.choice("type", of=("pptx", "ppt"))
            job = self._source(fields)
        return _good({"download_url": _at(request, f"/files/{job.id}/{DECK}")})

    # Inside -----------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _fields(self, request: web.Request) -> AsyncGenerator[Fields]:
        async with sent(request, self._room.data / "uploads", MOST_PICTURE) as found:
            yield Fields(found)

    async def _done(self, asked: dict[str, Any]) -> Job:
        """Do a short job.

        Raises
        ------
        WireError
        """
        require_packages(("pptx",), "slides")
        job = await self._room.jobs.wait(await self._room.jobs.submit(WORK, asked, seconds=_SHORT))
        if job.state is JobState.DONE:
            return job
        raise WireError(422 if job.code not in ("timeout", "memory", "crashed", "failed") else 500, job.message)

    @asynccontextmanager
    async def _fetching(self) -> AsyncGenerator[dict[str, bytes | Path]]:
        """Have files fetched; what no job has taken is gone at the end.

        Raises
        ------
        WireError
            400, where they do not come in time.
        """
        files: dict[str, bytes | Path] = {}
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                yield files
        except TimeoutError:
            raise refused("The files that the request names did not come in time.") from None
        finally:
            for path in files.values():
                if isinstance(path, Path):
                    path.unlink(missing_ok=True)

    async def _pictures(self, files: dict[str, bytes | Path], urls: list[str]) -> dict[str, str]:
        """Fetch pictures; return their names by their addresses."""
        wanted = list(dict.fromkeys(urls))
        if len(wanted) > MOST_PICTURES:
            raise refused(f"A deck takes at most {MOST_PICTURES} pictures.", "custom_data")
        names: dict[str, str] = {}
        for url in wanted:
            path, _ = await self._fetched(url, MOST_PICTURE)
            names[url] = f"picture-given-{len(files) + 1}"
            files[names[url]] = path
        return names

    async def _fetched(self, url: str, most: int) -> tuple[Path, str]:
        """Fetch a file that a caller names; return where it lies, and what it is called.

        Raises
        ------
        WireError
            400, where it cannot be had.
        """
        folder = self._room.data / "uploads"
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        path, size = folder / f"fetched-{secrets.token_hex(8)}", 0
        try:
            async with self._room.fetch.opened("GET", url, seconds=FETCH_SECONDS) as found:
                if found.status != 200:
                    raise refused(f"{url[:200]} cannot be had: HTTP {found.status}")
                with path.open("wb") as file:
                    async for block in found.content.iter_any():
                        size += len(block)
                        if size > most:
                            raise refused(f"{url[:200]} has more than {most // 2**20} MB")
                        file.write(block)
                name = unquote(urlsplit(url).path.rpartition("/")[2]) or "document"
                if "." not in name:
                    name += _EXTENSIONS.get(found.content_type, "")
                return path, name[-200:]
        except (Unsafe, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            path.unlink(missing_ok=True)
            raise refused(f"{url[:200]} cannot be had: {error or 'it took too long'}") from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _style_of(template: Template) -> str:
    return next((style for style, designs in STYLES.items() if template.design in designs), "商务")


def _picture_name(template: Template, language: str) -> str:
    return f"{template.name}.{'zh' if language == '中文' else 'en'}.png"


def _good(data: Any) -> web.Response:
    return answer({"code": 200, "msg": "success", "data": data})


def _at(request: web.Request, path: str) -> str:
    return f"{request.scheme}://{request.host}{path}"


def _moment(seconds: float) -> str:
    """Return a time as the vendor writes it."""
    return dt.datetime.fromtimestamp(int(seconds), _BEIJING).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""
