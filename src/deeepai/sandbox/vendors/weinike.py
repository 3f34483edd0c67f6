"""韦尼克 (ChatPPT): covers, outlines and decks, which grow page by page.

Source: the vendor's manual, its MCP servers and its Node client. Codes of errors are not published: those here are the
likest HTTP statuses, and come with the status 200, as clients expect.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from ..conditions import FieldError
from ..fields import Field, choice, group, read, several, table, text
from ..job_vendor import JobVendor, Order, Task, Work, at
from ..jobs import Job
from ..media import pptx
from ..media.draw import MIME, Picture, recipe
from ..media.pptx import Page
from ..vendor import Answer, Call, Route, digest_of, json_answer

AUTHOR: Final = "尤小优"
COLOURS: Final[Mapping[str, str]] = {
    "紫色": "6B3FA0",
    "红色": "C0272D",
    "橙色": "F26C00",
    "黄色": "D9A400",
    "绿色": "1A7F4B",
    "青色": "008C9E",
    "蓝色": "0B6BCB",
    "粉色": "D6417C",
}
STYLES: Final = ("科技", "商务", "小清新", "极简", "中国风", "可爱卡通")
THESIS_STYLES: Final = (*STYLES, "党政")
STATIC_STYLES: Final = ("极简风", "科技风", "小清新", "商务风", "党政风", "可爱卡通", "中国风")
KINDS: Final = ("封面页", "目录页", "章节页", "内容页", "致谢页")
FONTS: Final = ("黑体", "宋体", "仿宋", "幼圆", "楷体", "楷书", "隶书")
DOCUMENTS: Final = ("md", "markdown", "doc", "docx", "pdf", "xmind", "mm", "html", "htm", "txt")
THESES: Final = ("pdf", "doc", "docx")
COVER_SECONDS: Final = 600.0
FILE_SECONDS: Final = 86400.0
MOST_COVERS: Final = 4
WAIT: Final = "请等待PPT生成完成..."
_BEIJING: Final = dt.timezone(dt.timedelta(hours=8))
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"

WISHES = table(
    complex=Field("whole", choices=(1, 2, 3), default=1),
    user_name=Field(default=AUTHOR),
    font_name=choice(*FONTS),
    color=choice(*COLOURS),
    cover_id=text(),
    transition=choice("1", "2"),
    report=Field("flag", default=False),
)
CUSTOM = group(
    title=text().must(),
    sub_title=text(),
    author=text(),
    catalogs=several(1, 50, catalog=text().must(), sub_catalog=Field("list", each=text())).must(),
    contents=several(
        0,
        500,
        catalog_index=Field("whole", 0).must(),
        sub_catalog_index=Field("whole", 0),
        content=Field("any").must(),
        picture=Field("list", each=text()),
    ),
)
LANGUAGE = choice("zh-CN", "en-US", "zh-TW")
CREATE = table(
    WISHES,
    text=text(),
    custom_data=CUSTOM,
    language=LANGUAGE,
    ai_picture=Field("flag"),
    ai_watermark=Field("flag"),
)
COVER = table(
    title=text().must(),
    count=Field("whole", 1, MOST_COVERS).must(),
    user_name=Field(default=AUTHOR),
    color=choice(*COLOURS),
    style=choice(*STYLES),
    cover_id=text(),
)
STATIC = table(
    style=choice(*STATIC_STYLES),
    color_style=choice(*COLOURS),
    language=choice("中文", "英文"),
    limit=Field("whole", 1, 20, default=1),
)


@dataclass
class Deck:
    """A deck as it grows; of each file the address, once it has been told."""

    title: str
    said: str
    colour: str
    pages: list[Page]
    noted: bool = False
    shown: dict[int, str] = field(default_factory=dict[int, str])
    url: str = ""


def colours_of(word: str) -> tuple[str, ...]:
    """Return the twelve slots of a colour's theme."""
    accent = COLOURS[word]
    tints = [_mixed(accent, share) for share in (1, 0.85, 0.7, 0.55, 0.4, 0.25)]
    return ("FFFFFF", _mixed(accent, 1, "000000"), "FFFFFF", _mixed(accent, 0.05), *tints, accent, tints[2])


def _mixed(colour: str, share: float, ground: str = "FFFFFF") -> str:
    """Return so much of a colour upon a ground; upon black, a third of it."""
    share = share / 3 if ground == "000000" else share
    pairs = [(int(colour[at : at + 2], 16), int(ground[at : at + 2], 16)) for at in (0, 2, 4)]
    return "".join(f"{round(one * share + other * (1 - share)):02X}" for one, other in pairs)


# Requests ----------------------------------------------------------------------------------------------------------


def _body(call: Call) -> dict[str, Any]:
    """Return a body's fields: JSON, URL-encoded or multipart; objects within forms are JSON, and empty ones absent."""
    if call.is_form:
        fields: dict[str, Any] = dict(call.form.texts)
    elif call.request.content_type == "application/x-www-form-urlencoded":
        fields = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    else:
        fields = dict(call.json)
    custom = fields.get("custom_data")
    if isinstance(custom, str):
        try:
            fields["custom_data"] = msgspec.json.decode(custom or "{}")
        except msgspec.DecodeError:
            raise JOBS.refused(call, "value", "custom_data 不是合法的 JSON") from None
    # What is not chosen, forms send empty.
    return {name: value for name, value in fields.items() if value not in ("", {}, None)}


def _read(call: Call, fields: Mapping[str, Field], body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return read(fields, body, lenient=True)
    except FieldError as error:
        raise JOBS.refused(call, error.kind, str(error)) from None


def _deck(call: Call, name: object) -> Task:
    """Return the caller's own finished deck."""
    task = JOBS.find(call, name)
    if task.job.state == "failed":
        raise JOBS.refused(call, "value", "PPT生成失败")
    if task.job.state != "done":
        raise JOBS.refused(call, "unfinished", WAIT)
    return task


def _outline(title: str, complexity: int) -> list[tuple[str, list[str]]]:
    """Return chapters and their pages for a topic: more of them, the more complex it is to be."""
    words = ("背景与现状", "关键问题", "解决方案", "实施路径", "总结与展望")[: 2 + complexity]
    return [(f"{title[:12]}{word}", [f"{word}要点{number}" for number in "一二三"]) for word in words]


def _pages(
    title: str, author: str, chapters: Sequence[tuple[str, Sequence[str]]], said: Mapping[Any, str]
) -> list[Page]:
    pages = [Page(title, (author,)), Page("目录", tuple(chapter for chapter, _ in chapters))]
    for number, (chapter, below) in enumerate(chapters):
        pages.append(Page(chapter))
        for place, page in enumerate(below or (chapter,)):
            lines = said.get((number, place)) or said.get((number, None)) or f"{page}的说明"
            pages.append(Page(page, tuple(lines.split("\n"))))
    return [*pages, Page("谢谢")]


def _content(value: Any) -> str:
    """Return a content as lines: a text, several, or keys with values."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return "\n".join(value)
        if all(isinstance(item, dict) and {"key", "value"} <= item.keys() for item in value):
            return "\n".join(f"{item['key']}: {item['value']}" for item in value)
    raise FieldError("value", "content 应为字符串、字符串数组或 key/value 数组")


# Decks -------------------------------------------------------------------------------------------------------------


def _begin(order: Order, title: str, said: str, chapters: Sequence[tuple[str, Sequence[str]]], **more: Any) -> None:
    """Say what a new deck is to hold."""
    body = order.body
    colour = body.get("color") or _cover_colour(order) or "蓝色"
    author = more.get("author") or body["user_name"]
    pages = _pages(title, author, chapters, more.get("contents", {}))
    order.facts["deck"] = Deck(title, said, colour, pages)


def _cover_colour(order: Order) -> str:
    name = order.body.get("cover_id")
    return _cover(order.call, name)["color"] if name else ""


def _created(order: Order) -> None:
    custom, said = order.body.get("custom_data"), order.body.get("text", "")
    if custom is None:
        if not said.strip():
            raise order.refused("missing", "text 和 custom_data 二选一必填")
        title = said.strip().splitlines()[0].lstrip("# ")[:40]
        _begin(order, title, said, _outline(title, order.body["complex"]))
        return
    chapters = [(one["catalog"], one.get("sub_catalog") or []) for one in custom["catalogs"]]
    contents: dict[Any, str] = {}
    for one in custom.get("contents", ()):
        if one["catalog_index"] >= len(chapters):
            raise order.refused("value", f"catalog_index {one['catalog_index']} 超出范围")
        try:
            contents[one["catalog_index"], one.get("sub_catalog_index")] = _content(one["content"])
        except FieldError as error:
            raise order.refused(error.kind, str(error)) from None
    _begin(order, custom["title"], custom["title"], chapters, contents=contents, author=custom.get("author"))


def _of_file(name: str, kinds: Sequence[str], order: Order) -> None:
    url = order.body[name]
    if not url.startswith(("http://", "https://")):
        raise order.refused("value", f"{name} 不是有效的地址")
    path = url.partition("?")[0]
    if path.rpartition(".")[2].lower() not in kinds:
        raise order.refused("value", f"{name} 仅支持 {'、'.join(kinds)}")
    title = order.body.get("title") or path.rpartition("/")[2].rpartition(".")[0][:40]
    _begin(order, title, url, _outline(title, 2), author=order.body.get("pleader"))


def _followed(order: Order) -> None:
    """Make something of a deck: its notes, another one in its template, or the same in another template."""
    body = order.body
    source: Deck = _deck(order.call, body["id"]).facts["deck"]
    if body.get("note") not in (None, "0"):
        noted = [Page(page.title, page.lines, f"{page.title}: TEST MODE 演讲稿备注") for page in source.pages]
        order.facts["deck"] = Deck(source.title, source.said, source.colour, noted, noted=True)
    elif body.get("text") or body.get("custom_data"):
        _created(order)
        order.facts["deck"].colour = source.colour
    else:
        others = [word for word in COLOURS if word != source.colour]
        colour = body.get("color") or _cover_colour(order) or others[len(source.title) % len(others)]
        order.facts["deck"] = Deck(source.title, source.said, colour, list(source.pages), noted=source.noted)


def _seen(task: Task) -> int:
    """Return how many pages are drawn by now."""
    deck: Deck = task.facts["deck"]
    return len(deck.pages) if task.job.state == "done" else len(deck.pages) * task.job.percent // 100


def _lifetime(job: Job) -> float:
    return -1 if "expire-url" in job.triggers else FILE_SECONDS


def _told(call: Call, task: Task) -> dict[str, Any]:
    deck, job = _facts(task), task.job
    status = {"done": 2, "failed": 3, "moderated": 3, "cancelled": 3}.get(job.state, 1)
    seen = 0 if task.body.get("report") else _seen(task)
    for number in range(seen):
        if number not in deck.shown:
            page = deck.pages[number]
            drawn = Picture(1280, 720, page.title, digest_of(deck.colour, page.title, number))
            name = call.world.files.add(recipe(drawn), "png", MIME["png"])
            deck.shown[number] = call.world.files.url(call.origin, name, _lifetime(job))
    words = {2: "生成完成", 3: task.reason or "生成失败"}
    return {
        "id": job.id,
        "input_text": deck.said,
        "ppt_title": deck.title,
        "introduce": "",
        "images_url": [{"url": deck.shown[number], "time": number + 1} for number in range(seen)],
        "page_count": len(deck.pages),
        "progress": job.percent,
        "status": status,
        "state_description": words.get(status, f"正在生成第{seen + 1}页"),
        "note_status": status if deck.noted else 0,
        "process_url": f"{call.base}/preview?id={job.id}",
        "preview_url": f"{call.base}/preview?id={job.id}" if status == 2 else "",
        "first_image_up_at": _moment(job.started) if seen else "",
        "created_at": _moment(job.created),
        "updated_at": _moment(task.updated),
    }


def _facts(task: Task) -> Deck:
    deck: Deck = task.facts["deck"]
    return deck


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else dt.datetime.fromtimestamp(int(seconds), _BEIJING).strftime("%Y-%m-%d %H:%M:%S")


async def _result(call: Call) -> Answer:
    return _good(_told(call, JOBS.find(call, _id(call, call.request.query))))


async def _download(call: Call) -> Answer:
    query = call.request.query
    if query.get("type", "pptx").lower() not in ("pptx", "ppt"):
        raise JOBS.refused(call, "value", "type 仅支持 pptx")
    task = _deck(call, _id(call, query))
    deck = _facts(task)
    if not deck.url:
        make = partial(pptx.deck, tuple(deck.pages), colours_of(deck.colour))
        name = call.world.files.add(make, "pptx", pptx.MIME)
        deck.url = call.world.files.url(call.origin, name, _lifetime(task.job))
    return _good({"download_url": deck.url})


async def _page(call: Call) -> Answer:
    """Put a page into a deck, whose id stays: the vendor's sample has it so."""
    body = _body(call)
    fields = table(
        WISHES,
        id=text().must(),
        text=text(),
        theme=text(),
        slide_number=Field("whole", 0),
        slide_type=Field(choices=KINDS, default="内容页"),
    )
    # The vendor's own client names two of them so.
    for ours, other in (("slide_number", "page_index"), ("slide_type", "type")):
        body.setdefault(ours, body.get(other))
    asked = _read(call, fields, body)
    task = _deck(call, asked["id"])
    deck, job = _facts(task), task.job
    place = asked.get("slide_number", len(deck.pages))
    if place > len(deck.pages) + 1:
        raise JOBS.refused(call, "value", f"slide_number 的取值为 0 到 {len(deck.pages) + 1}")
    deck.pages.insert(max(place - 1, 0), Page(asked.get("text") or asked.get("theme") or asked["slide_type"]))
    deck.shown.clear()
    deck.url = ""
    job.state, job.percent, job.finished, job.triggers = "queued", 0, None, call.triggers
    call.accepted.append(job.id)
    call.world.jobs.start(job, 20.0, lambda job: None)
    return _good({"id": job.id})


async def _editor(call: Call) -> Answer:
    asked = _read(call, table(id=text().must(), expire=Field("whole", 1, default=86400)), _body(call))
    _deck(call, asked["id"])
    page = b"<!doctype html><title>TEST MODE</title><p>TEST MODE: there is no editor in the sandbox.</p>"
    name = call.world.files.add(lambda: page, "html", "text/html")
    until = _moment(call.world.clock.wall() + asked["expire"])
    return _good({"url": call.world.files.url(call.origin, name, asked["expire"]), "expire_time": until})


def _id(call: Call, fields: Mapping[str, Any]) -> str:
    if not fields.get("id"):
        raise JOBS.refused(call, "missing", "id 必填")
    return str(fields["id"])


# Outlines and covers -----------------------------------------------------------------------------------------------


async def _structure(call: Call) -> Answer:
    fields = table(title=text(), text=text(), theme=text(), complex=WISHES["complex"])
    asked = _read(call, fields, _body(call))
    title = asked.get("title") or asked.get("theme") or asked.get("text")
    if not title:
        raise JOBS.refused(call, "missing", "title、text、theme 不能同时为空")
    await call.work(5)
    chapters = _outline(title, asked["complex"])
    return _good({"title": title[:40], "catalogs": [{"catalog": one, "sub_catalog": below} for one, below in chapters]})


def _cover(call: Call, name: str) -> dict[str, Any]:
    """Return a cover of the caller's that is not too old, or one of the list."""
    if name in _static():
        return _static()[name]
    cover = call.world.shelves[call.owner, "weinike.covers"].get(name)
    if cover is None or cover["until"] < call.world.clock.wall():
        raise JOBS.refused(call, "value", f"cover_id {name[:40]} 无效或已过期")
    return cover


async def _covers(wants: bool, call: Call) -> Answer:
    """Draw covers; or one in other colours, where it is named."""
    fields = {
        **COVER,
        "cover_id": COVER["cover_id"].must(),
        "count": Field("whole", 1, MOST_COVERS, default=MOST_COVERS),
    }
    asked = _read(call, fields if wants else COVER, _body(call))
    given = _cover(call, asked["cover_id"]) if asked.get("cover_id") else None
    await call.work(4)
    batch = "".join(_LETTERS[int(digit, 16) * 3 % len(_LETTERS)] for digit in call.world.ids.hex(6))
    words = [word for word in COLOURS if given is None or word != given["color"]]
    at = digest_of(asked["title"], batch)[0]
    covers: list[dict[str, Any]] = []
    for number in range(asked["count"]):
        colour = (
            words[(at + number) % len(words)] if given is not None else asked.get("color", words[(at + number) % 8])
        )
        style = given["style"] if given is not None else asked.get("style", STYLES[(at + number) % len(STYLES)])
        made = {"cover_id": f"{batch}-{number}", "color": colour, "style": style}
        shelf = call.world.shelves[call.owner, "weinike.covers"]
        shelf[made["cover_id"]] = {**made, "until": call.world.clock.wall() + COVER_SECONDS}
        words_on = f"{asked['title']} {asked['user_name']} {style}"
        covers.append(
            {
                "cover_image": _drawn(call, words_on, style, colour),
                "cover_id": made["cover_id"],
                "color": colour,
                "color_list": [f"#{slot}" for slot in colours_of(colour)],
            }
        )
    return _good(covers)


def _drawn(call: Call, words: str, *parts: object) -> str:
    name = call.world.files.add(recipe(Picture(1280, 720, words, digest_of(words, *parts))), "png", MIME["png"])
    return call.world.files.url(call.origin, name, -1 if "expire-url" in call.triggers else FILE_SECONDS)


def _static() -> Mapping[str, dict[str, str]]:
    """Return the templates of the list by id."""
    listed = [(style, colour) for style in STATIC_STYLES for colour in COLOURS]
    names = [digest_of("weinike", *pair).hex()[:8] for pair in listed]
    return {name: {"style": style, "color": colour} for name, (style, colour) in zip(names, listed, strict=True)}


async def _statics(call: Call) -> Answer:
    asked = _read(call, STATIC, {name: value for name, value in call.request.query.items() if value})
    language = asked.get("language", "中文")
    fit = [
        {
            "style": one["style"],
            "color_style": one["color"],
            "language": language,
            "id": name,
            "cover_image": _drawn(call, "TEST MODE" if language == "英文" else "模板", name),
        }
        for name, one in _static().items()
        if asked.get("style") in (None, one["style"]) and asked.get("color_style") in (None, one["color"])
    ]
    return _good(fit[: asked["limit"]])


# The vendor --------------------------------------------------------------------------------------------------------


def _good(data: Any) -> Answer:
    return json_answer({"code": 200, "msg": "success", "data": data})


def _work(name: str, seconds: float, fields: Mapping[str, Field], check: Any, *places: str) -> list[Work]:
    places = ("/apps", *places)
    return [Work(f"{place}/{name}", seconds, fields, lambda order: (), check=check, body=_body) for place in places]


def _both(method: str, name: str, handler: Any) -> list[Route]:
    return [Route(method, f"{place}/{name}", handler) for place in ("/apps", "/mcp/ppt")]


JOBS = JobVendor(
    name="weinike",
    works=[
        *_work("ppt-create", 60, CREATE, _created, "/mcp/ppt"),
        *_work("ppt-create-task", 30, table(CREATE, id=text().must(), note=choice("0", "1")), _followed, "/mcp/ppt"),
        *_work(
            "ppt-create-file",
            60,
            table(WISHES, file_url=text().must()),
            partial(_of_file, "file_url", DOCUMENTS),
        ),
        *_work(
            "ppt-create-thesis",
            60,
            table(
                WISHES,
                file_key=text().must(),
                style=choice(*THESIS_STYLES),
                title=text(),
                pleader=text(),
                advisor=text(),
                school=text(),
                school_logo=text(),
                school_picture=text(),
            ),
            partial(_of_file, "file_key", THESES),
        ),
    ],
    words={"queued": "1", "running": "1", "done": "2", "failed": "3"},
    shown={"id": "id"},
    envelope=lambda call, data: {"code": 200, "msg": "success", "data": data},
    errors={
        **at(200, bad_request=400, unauthorized=401, moderated=403, unknown_id=404, unfinished=204),
        **at(404, not_found=404),
        **at(429, rate_limited=429),
        **at(500, server_error=500),
    },
    error=lambda call, code, message: {"code": code, "msg": message, "data": {}},
    new_id=lambda ids: ids.hex(32),
    lenient=True,
    further=[
        *_both("GET", "ppt-result", _result),
        *_both("GET", "ppt-download", _download),
        *_both("POST", "ppt-editor", _editor),
        Route("POST", "/apps/ppt-page", _page),
        Route("POST", "/apps/ppt-structure", _structure),
        Route("POST", "/apps/ppt-cover", partial(_covers, False)),
        Route("POST", "/apps/ppt-cover-color", partial(_covers, True)),
        Route("GET", "/apps/ppt-cover-static", _statics),
    ],
)
VENDOR = JOBS.vendor()
