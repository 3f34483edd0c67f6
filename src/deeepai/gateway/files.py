"""Files of tasks and calls, for their owner, or for whoever has a signed link."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from ..declare import Failure, Media, Reason, Reply, Task
from ..safe_fetch import Unsafe
from ..storage.database import Row
from ..storage.ids import now_ms
from ..tasks import results, store
from ..tasks.assets import sniff
from ..tasks.results import Found
from ..tasks.store import Stored
from ..upstream import UpstreamError
from . import candidates, ranges
from .core import Core
from .exchange import Exchange, pairs

_UNFETCHED: Final = (UpstreamError, Unsafe, OSError, TimeoutError)
_POLICY: Final = (
    "sandbox allow-same-origin; default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'"
)
"""No file runs anything. A browser's own page around a film or a sound may show it, for which it asks for it again:
from an origin of its own without `allow-same-origin`, and that may be one that is not let in.
"""

_PAGE: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    # No sandbox: it would keep a page from renewing itself.
    "content-security-policy": "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'",
}


async def media(core: Core, x: Exchange, operation: Media[Any]) -> None:
    """Serve a Media operation: the file, the running preview, or a page about the task.

    Raises
    ------
    Failure
    """
    task = await opened(core, x, operation.task(x.request))
    if operation.page is not None:
        task = await core.poller.fresh(task)
        await x.reply(operation.page(task, candidates.links_for(core, x)), _PAGE)
        return
    number = operation.number(x.request)
    if task.results:
        await send_asset(core, x, task, number)
        return
    preview = core.life.rules(task).preview
    url = preview(task, number) if preview is not None else None
    if url is None:
        raise Failure(Reason.NOT_FOUND, "There is no picture yet", code="task_not_found")
    try:
        data, kind = await core.life.results.fetch_file(task, url, core.settings.max_answer)
    except (UpstreamError, Unsafe, OSError, TimeoutError):
        raise Failure(Reason.UPSTREAM, "The preview could not be had") from None
    await x.answer(200, pairs({"content-type": kind or "image/png", "cache-control": "no-store"}), data)


async def opened(core: Core, x: Exchange, task_id: str) -> Stored:
    """Return the task that a link's signature, or else its owner's token, opens.

    Raises
    ------
    Failure
    """
    if signed(core, x, task_id):
        task = await core.db.read(lambda tx: store.load_any(tx, task_id))
    else:
        task = await core.db.read(lambda tx: store.load(tx, x.caller, task_id))
    if task is None:
        raise Failure(Reason.NOT_FOUND, "No such file", code="task_not_found")
    return task


def signed(core: Core, x: Exchange, owner_id: str) -> bool:
    """Tell whether a link's signature opens the files of a task or call; False where there is none.

    Raises
    ------
    Failure
        FORBIDDEN, where there is one and it is not valid.
    """
    query = x.request.query
    if not query.get("sig"):
        return False
    # Some vendors' clients append `?token=…` to whatever address they are given.
    signature = query["sig"].partition("?")[0]
    if not core.links.valid(owner_id, query.get("exp", ""), signature, now_ms()):
        raise Failure(Reason.FORBIDDEN, "The link has expired or is not valid")
    return True


async def file(core: Core, x: Exchange, owner_id: str, number: int) -> None:
    """Serve a file of a task or call to its owner, or to whoever has a signed link.

    Raises
    ------
    Failure
    """
    viewer = None if signed(core, x, owner_id) else x.caller
    row = await core.db.read(lambda tx: store.asset(tx, owner_id, number, viewer))
    if row is None:
        raise Failure(Reason.NOT_FOUND, "No such file", code="task_not_found")
    await _send_file(core, x, row)


async def send_asset(core: Core, x: Exchange, task: Task, number: int, reply: Reply | None = None) -> None:
    """Send a file's bytes.

    Raises
    ------
    Failure
    """
    row = await core.db.read(lambda tx: store.asset(tx, task.id, number))
    if row is None:
        raise Failure(Reason.NOT_FOUND, "No such file", code="task_not_found")
    await _send_file(core, x, row, reply)


async def _pass_on(core: Core, x: Exchange, row: Row, reply: Reply | None) -> None:
    """Send a file that is not kept, as long as its vendor has it."""
    headers = {
        **(reply.headers if reply is not None else {}),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "content-security-policy": _POLICY,
    }
    try:
        async with _at_vendor(core, row) as (said, pieces):
            first = await anext(pieces, b"")
            headers["content-type"] = sniff(first[:16], said)
            await x.head(200, pairs(headers))
            if x.request.method != "HEAD":
                await x.send({"type": "http.response.body", "body": first, "more_body": True})
                async for piece in pieces:
                    await x.send({"type": "http.response.body", "body": piece, "more_body": True})
            await x.end(b"")
    except _UNFETCHED:
        if x.answering:
            raise
        raise _gone() from None


@asynccontextmanager
async def _at_vendor(core: Core, row: Row) -> AsyncGenerator[Found]:
    task = await core.db.read(lambda tx: store.load_any(tx, row["task_id"]))
    if task is None or row["source_url"] is None:
        raise _gone()
    async with core.life.results.of_task(task.channel_id, row["source_url"], keyed=bool(row["keyed"])) as found:
        yield found


def _gone() -> Failure:
    return Failure(Reason.NOT_FOUND, "The file is no longer kept", code="task_not_found")


async def _send_file(core: Core, x: Exchange, row: Row, reply: Reply | None = None) -> None:
    if row["unkept"] is not None:
        await _pass_on(core, x, row, reply)
        return
    size: int = row["size"]
    # What lies under a key stays as it is.
    tag = _tag(row["key"], size)
    headers = {
        **(reply.headers if reply is not None else {}),
        "content-type": row["content_type"],
        "cache-control": "private, max-age=86400",
        "accept-ranges": "bytes",
        "etag": tag,
        "x-content-type-options": "nosniff",
        "content-security-policy": _POLICY,
    }
    if ranges.unchanged(x.request.header("if-none-match"), tag):
        await x.answer(304, pairs(headers), b"")
        return
    whole = range(size)
    part = whole
    wanted = x.request.header("range")
    if wanted and x.request.method == "GET" and x.request.header("if-range") in ("", tag):
        part = ranges.read(wanted, size)
        if not part and size:
            headers = {"content-range": f"bytes */{size}", "accept-ranges": "bytes", "etag": tag}
            await x.answer(416, pairs(headers), b"")
            return
    headers["content-length"] = str(len(part))
    if part != whole:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    try:
        # A HEAD looks whether it is there, and no more.
        asked = range(min(1, size)) if x.request.method == "HEAD" else part
        chunks: AsyncIterator[bytes] = core.life.assets.get(row["key"], None if asked == whole else asked)
        first = await anext(chunks, b"")
    except FileNotFoundError:
        raise _gone() from None
    await x.head(200 if part == whole else 206, pairs(headers))
    if x.request.method == "HEAD":
        await x.send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    await x.send({"type": "http.response.body", "body": first, "more_body": True})
    async for chunk in chunks:
        await x.send({"type": "http.response.body", "body": chunk, "more_body": True})
    await x.send({"type": "http.response.body", "body": b"", "more_body": False})


def _tag(key: str, size: int) -> str:
    return f'"{hashlib.sha256(f"{key}:{size}".encode()).hexdigest()[:32]}"'


async def read_asset(core: Core, task: Task, number: int) -> bytes:
    """Return a file whole.

    Raises
    ------
    Failure
    """
    row = await core.db.read(lambda tx: store.asset(tx, task.id, number))
    if row is None:
        raise Failure(Reason.NOT_FOUND, "No such file")
    if row["unkept"] is None:
        return await core.life.assets.read(row["key"])
    try:
        async with _at_vendor(core, row) as (_, pieces):
            return await results.whole(pieces, core.settings.max_answer)
    except _UNFETCHED:
        raise _gone() from None
