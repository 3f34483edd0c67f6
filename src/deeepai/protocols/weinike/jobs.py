"""Decks as tasks: asked for until they are done, and then once more for where the deck lies.

While one is made, its vendor tells of each page's picture as soon as that is drawn. The gateway shows them by links of
its own, and keeps them and the deck at the end: the pictures are the first files of a task, in the pages' order, and
the deck is the last.
"""

from __future__ import annotations

import datetime as dt
import secrets
import string
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from ...declare import (
    Answer,
    AnyRequest,
    Failure,
    Json,
    Links,
    Reason,
    Reply,
    Result,
    State,
    Task,
    TaskStatus,
    UpstreamCall,
)
from ..common.jobs import JobFormat, number
from ..common.paths import each, get, of_request
from . import bodies

_LETTERS: Final = string.ascii_letters + string.digits
_WAIT: Final = "请等待PPT生成完成..."
"""What the vendor says of a deck that is not ready."""
_BEIJING: Final = dt.timezone(dt.timedelta(hours=8))
_WORDS: Final = {State.SUCCEEDED: 2, State.FAILED: 3, State.CANCELLED: 3}
_SAID: Final = {2: "生成完成", 3: "生成失败"}
_PREVIEW: Final = "/weinike/apps/ppt-preview"
_VIEW: Final = "/weinike/apps/ppt-view"
_PPTX: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_DONE: Final = "deck"
"""Where a task's snapshot has the deck's address, beside the vendor's `data`."""

FORMAT: Final = JobFormat(
    id="data.id",
    code="code",
    good=(200, "200"),
    gone=(404, "404"),
    elsewhere_codes=(429, "429", 500, "500", 502, "502", 503, "503", 504, "504"),
    # Inferred: the vendor publishes none but 204.
    account=(401, "401", 402, "402"),
    body="data",
    status="status",
    states={"1": State.RUNNING, "2": State.SUCCEEDED, "3": State.FAILED},
    progress="progress",
    error=("state_description",),
    show=lambda task, links: shown(task, links),
    interval=3.0,
)


def new_id() -> str:
    """Make an id as the vendor's are: 32 letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


# Watched -----------------------------------------------------------------------------------------------------------


def _drawn(task: Task) -> bool:
    """Tell whether the vendor has said that all is done: what is asked for now is where the deck lies."""
    return FORMAT.state(task.snapshot, task) is State.SUCCEEDED and (
        not _noted(task) or _notes(task.snapshot) in (None, 2)
    )


def _noted(task: Task) -> bool:
    return task.model == bodies.NOTES


def _notes(snapshot: Json) -> int | None:
    status = number(get(snapshot, "data.note_status"))
    return None if status is None else int(status)


def ask(task: Task) -> UpstreamCall:
    """Ask for a task, or for its deck."""
    what = "ppt-download" if _drawn(task) else "ppt-result"
    return UpstreamCall(f"/apps/{what}?id={quote(task.upstream_id or '', safe='')}")


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read a poll's answer: what is done, or where the deck lies."""
    said = answer.json()
    if get(said, "code") in FORMAT.gone:
        return TaskStatus(State.NOT_FOUND, None)
    if not isinstance(get(said, "data"), dict) or get(said, "code") not in FORMAT.good:
        # Not ready, or passing trouble: nothing is known that was not known before.
        return TaskStatus(State.RUNNING, task.snapshot, progress=task.progress)
    if _drawn(task):
        return _deck(said, task)
    status = FORMAT.read(answer, task)
    if _noted(task) and status.state is State.SUCCEEDED and _notes(said) == 3:
        return TaskStatus(State.FAILED, said, error="the notes could not be written")
    if status.state is not State.SUCCEEDED:
        return status
    return TaskStatus(State.RUNNING, said, progress=99)


def _deck(said: Json, task: Task) -> TaskStatus:
    url = get(said, "data.download_url")
    if not isinstance(url, str):
        return TaskStatus(State.RUNNING, task.snapshot, progress=task.progress)
    # A deck that is whole without a picture of each page is none the worse.
    pictures = [Result(picture, role="image", optional=True) for picture in _pictures(task.snapshot)]
    return TaskStatus(
        State.SUCCEEDED,
        {**(task.snapshot or {}), _DONE: url},
        progress=100,
        results=(*pictures, Result(url, content_type=_PPTX, role="deck")),
    )


def preview(task: Task, page: int) -> str | None:
    """Return the vendor's address of a page's picture."""
    return next(iter(_pictures(task.snapshot)[page : page + 1]), None)


def _pictures(snapshot: Json) -> Sequence[str]:
    return [url for url in each(snapshot, "data.images_url[].url") if isinstance(url, str)]


# Shown -------------------------------------------------------------------------------------------------------------


def kept(request: AnyRequest) -> Json:
    """Return what is shown of a task before its vendor tells of it."""
    text = of_request(request, "body.text") or of_request(request, "body.file_url")
    outline = bodies.custom(request)
    title = outline.get("title")
    return {
        "text": text or of_request(request, "body.file_key") or "",
        "title": title if isinstance(title, str) else "",
    }


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission."""
    return Reply(_envelope({"id": task.id}))


def render(task: Task, links: Links) -> Reply:
    """Answer a question about a deck."""
    return Reply(shown(task, links))


def shown(task: Task, links: Links) -> Json:
    """Return a task as the vendor shows it, with the gateway's id and links."""
    told: Mapping[str, Json] = get(task.snapshot, "data") or {}
    asked: Mapping[str, Json] = task.request or {}
    status = _WORDS.get(task.state, 1)
    saving = status == 1 and told.get("status") in (2, "2")
    said = task.error if status == 3 else _SAID.get(status) or ("正在保存文件" if saving else "正在生成")
    page = links.media(task, f"{_VIEW}/{task.id}")
    return _envelope(
        {
            "input_text": asked.get("text") or "",
            "ppt_title": asked.get("title") or "",
            "introduce": "",
            "page_count": 0,
            "note_status": 0,
            "first_image_up_at": "",
            "created_at": moment(task.submitted_at),
            "updated_at": moment(task.finished_at or task.started_at or task.submitted_at),
            **told,
            "id": task.id,
            "images_url": _linked(task, links),
            "status": status,
            "progress": 100 if status == 2 else task.progress or 0,
            "state_description": said if status != 1 or saving else told.get("state_description") or said,
            # The vendor's pages need its own cookies; clients hand these addresses on to people at once.
            "process_url": page,
            "preview_url": page,
        }
    )


def _linked(task: Task, links: Links) -> list[Json]:
    """Return the pages' pictures by the gateway's links: of a running task they come from its vendor as they are."""
    items: list[Json] = []
    for item in each(task.snapshot, "data.images_url[]"):
        if isinstance(item, dict) and isinstance(item.get("url"), str) and item["url"]:
            at = len(items)
            ours = links.asset(task, at) if task.results else links.media(task, f"{_PREVIEW}/{task.id}/{at}")
            items.append({"time": 0, **item, "url": ours})
    return items


def moment(milliseconds: int) -> str:
    """Return a time as the vendor writes it."""
    return dt.datetime.fromtimestamp(milliseconds // 1000, _BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def download(request: AnyRequest, task: Task, links: Links) -> Reply:
    """Answer where a deck lies.

    Raises
    ------
    Failure
        CONFLICT, where it is not ready; UNPROCESSABLE, where it will never be; INVALID, for another kind of file.
    """
    kind = request.query.get("type") or "pptx"
    if kind.lower() not in ("pptx", "ppt"):
        raise Failure(Reason.INVALID, "type is pptx", param="type")
    if task.state in (State.FAILED, State.CANCELLED):
        raise Failure(Reason.UNPROCESSABLE, task.error or "The deck was not made")
    if task.state is not State.SUCCEEDED or not task.results:
        raise Failure(Reason.CONFLICT, _WAIT)
    return Reply(_envelope({"download_url": links.asset(task, task.results - 1)}))


def _envelope(data: Json) -> Json:
    return {"code": 200, "msg": "success", "data": data}


# For browsers ------------------------------------------------------------------------------------------------------

_STYLE: Final = (
    "body{margin:0;background:#f5f7fa;color:#1b1f24;font:14px/1.7 system-ui,'Noto Sans SC','PingFang SC',"
    "'Microsoft YaHei',sans-serif}main{max-width:960px;margin:0 auto;padding:24px}h1{font-size:20px}"
    "progress{width:100%}img{width:100%;display:block;margin:0 0 16px;border:1px solid #d8dee6;border-radius:6px}"
    "a{color:#0b6bcb}@media(prefers-color-scheme:dark){body{background:#12151a;color:#e6e9ee}a{color:#62a8ff}"
    "img{border-color:#2c333d}}"
)
_RENEWED: Final = 5
"""Seconds until a page of a running task is asked for again."""


def view(task: Task, links: Links) -> Reply:
    """Return a page with a deck's pictures, as far as there are any."""
    told: Mapping[str, Json] = get(shown(task, links), "data")
    title = escape(str(told["ppt_title"] or told["input_text"])[:120] or "PPT")
    lines = [f"<h1>{title}</h1>", f"<p>{escape(str(told['state_description']))}</p>"]
    if not task.state.final:
        lines.append(f'<progress max="100" value="{int(told["progress"])}"></progress>')
    if task.state is State.SUCCEEDED and task.results:
        lines.append(f'<p><a href="{escape(links.asset(task, task.results - 1))}" download>PPTX</a></p>')
    for at, item in enumerate(told["images_url"], 1):
        lines.append(f'<img src="{escape(str(item["url"]))}" alt="{at}" width="1280" height="720" loading="lazy">')
    again = "" if task.state.final else f'<meta http-equiv="refresh" content="{_RENEWED}">'
    head = f'<meta charset="utf-8">{again}<title>{title}</title><style>{_STYLE}</style>'
    page = f'<!doctype html><html lang="zh-CN"><head>{head}</head><body><main>{"".join(lines)}</main></body></html>'
    return Reply(page.encode(), content_type="text/html; charset=utf-8")


JOB: Final = FORMAT.job(
    new_id,
    poll=ask,
    read=read,
    preview=preview,
    submitted=submitted,
    render=render,
    keep=kept,
    # The vendor's clients give up after five minutes; a queue before it may be longer than that.
    timeout=1800.0,
)
