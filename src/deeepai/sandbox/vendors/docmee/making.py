"""Decks and templates: made, looked at, changed, deleted; files as trees and trees as files."""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from ...media.draw import MIME, Picture, recipe
from ...vendor import Answer, Call, digest_of
from . import package, texts
from .state import (
    CACHED_SECONDS,
    CATEGORIES,
    COLOURS,
    DAY,
    KIND,
    LINK_SECONDS,
    STYLES,
    Deck,
    Who,
    deck_named,
    decks_of,
    denied,
    done,
    forget,
    keep,
    who_calls,
    wrong,
)

FIRST = 1815308477845987328
COUNT = 36

# Templates ---------------------------------------------------------------------------------------------------------


def _template(call: Call, number: int) -> dict[str, Any]:
    name, said = str(FIRST + number), f"{CATEGORIES[number % len(CATEGORIES)]} {STYLES[number % len(STYLES)]}"
    return {
        "id": name,
        "type": 1,
        "coverUrl": _cover(call, name, said),
        "category": CATEGORIES[number % len(CATEGORIES)],
        "style": STYLES[number % len(STYLES)],
        "themeColor": COLOURS[number % len(COLOURS)],
        "subject": "",
        "num": 20,
        "createTime": "2024-01-01 10:00:00",
    }


def _cover(call: Call, name: str, words: str) -> str:
    """Return a template's picture, which is always at the same address."""
    shelf = call.world.shelves["docmee", f"covers at {call.origin}"]
    until, address = shelf.get(name, (0.0, ""))
    if until < call.world.clock.wall() + DAY / 2:
        address = _picture(call, words, digest_of(name))
        shelf[name] = (call.world.clock.wall() + DAY, address)
    return address


def _picture(call: Call, words: str, digest: bytes) -> str:
    name = call.world.files.add(recipe(Picture(480, 270, words, digest)), "png", MIME["png"])
    return call.world.files.url(call.origin, name, DAY)


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise wrong(name, "不合法")
    return value


def _fitting(body: Mapping[str, Any]) -> list[int]:
    filters = body.get("filters")
    if not isinstance(filters, dict) or filters.get("type") not in (1, 4):
        raise wrong("filters.type", "不合法")
    if filters["type"] == 4:
        return []
    tests = (("category", CATEGORIES), ("style", STYLES), ("themeColor", COLOURS))
    return [
        number
        for number in range(COUNT)
        if all(not filters.get(name) or filters[name] == words[number % len(words)] for name, words in tests)
    ]


async def templates(call: Call) -> Answer:
    """POST /api/ppt/templates."""
    who_calls(call)
    body = call.json
    page, size, found = _whole(body, "page"), _whole(body, "size"), _fitting(body)
    return done(total=len(found), data=[_template(call, number) for number in found[(page - 1) * size : page * size]])


async def random_templates(call: Call) -> Answer:
    """POST /api/ppt/randomTemplates."""
    who_calls(call)
    body = call.json
    size, found = _whole(body, "size"), _fitting(body)
    left_out: Any = body["filters"].get("neq_id") or body.get("neq_id") or ()
    left_out = left_out.split(",") if isinstance(left_out, str) else left_out
    found = [number for number in found if str(FIRST + number) not in left_out]
    found.sort(key=lambda number: digest_of(call.body, number))
    return done(total=len(found), data=[_template(call, number) for number in found[:size]])


async def options(call: Call) -> Answer:
    """GET /api/ppt/template/options."""
    who_calls(call)
    named = {"category": CATEGORIES, "style": STYLES, "themeColor": COLOURS}
    return done(data={name: [{"name": word, "value": word} for word in words] for name, words in named.items()})


def _check_template(name: object) -> str:
    if not isinstance(name, str) or not name.isdigit() or not FIRST <= int(name) < FIRST + COUNT:
        raise denied(1001, "模板不存在")
    return name


# Decks -------------------------------------------------------------------------------------------------------------


def begin(call: Call, who: Who, markdown: str, template: str | None) -> Deck:
    """Keep a new deck of a text."""
    root = texts.tree(markdown)
    if root is None:
        raise wrong("markdown", "格式错误")
    chosen = _check_template(template) if template else str(FIRST + digest_of(markdown)[0] % COUNT)
    clock = call.world.clock
    deck = Deck(
        id="18" + call.world.ids.digits(17),
        account=who.account,
        uid=who.uid,
        subject=root["name"],
        name=root["name"],
        template=chosen,
        pages=texts.pages(root),
        root=root,
        created=clock.wall(),
        began=clock.now(),
    )
    keep(call, deck)
    return deck


def _current(call: Call, deck: Deck) -> int:
    """Return how many pages are made."""
    total, passed = len(deck.pages), call.world.clock.now() - deck.began
    if deck.broken:
        return min(total // 2, int(total * passed / deck.seconds))
    return total if passed >= deck.seconds else int(total * passed / deck.seconds)


def _file(call: Call, deck: Deck) -> str:
    if _current(call, deck) < len(deck.pages):
        return ""
    pages = [list(page) for page in deck.pages]
    name = call.world.files.add(lambda: package.file_of(pages), "pptx", KIND)
    expired = "expire-url" in call.triggers
    return call.world.files.url(call.origin, name, -1 if expired else LINK_SECONDS)


def _packed(pages: package.Pages) -> str:
    return base64.b64encode(gzip.compress(msgspec.json.encode(package.tree_of(pages)), mtime=0)).decode()


def info(call: Call, deck: Deck, *, tree: bool = False) -> dict[str, Any]:
    """Return what is told of a deck."""
    return {
        "id": deck.id,
        "name": deck.name,
        "subject": deck.subject,
        "coverUrl": _picture(call, deck.subject, digest_of(deck.template)),
        "fileUrl": _file(call, deck) or None,
        "templateId": deck.template,
        "pptxProperty": _packed(deck.pages) if tree else None,
        "userId": deck.uid,
        "userName": deck.uid,
        "companyId": 1000,
        "updateTime": None,
        "createTime": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(deck.created)),
    }


async def progress(call: Call) -> Answer:
    """GET /api/ppt/asyncPptInfo."""
    deck = deck_named(call, who_calls(call), call.request.query.get("pptId"))
    # However fast jobs are, a client has the time that the vendor gives.
    if not deck.seconds or (deck.ended and call.world.clock.wall() > deck.ended + CACHED_SECONDS):
        raise denied(1001, "数据不存在")
    current = _current(call, deck)
    return done(
        data={"total": len(deck.pages), "current": current, "pptxProperty": _packed(deck.pages[: max(current, 1)])}
    )


async def list_decks(call: Call) -> Answer:
    """POST /api/ppt/listPptx."""
    who, body = who_calls(call), call.json
    page, size, found = _whole(body, "page"), _whole(body, "size"), decks_of(call, who)
    return done(total=len(found), data=[info(call, deck) for deck in found[(page - 1) * size : page * size]])


async def load(call: Call) -> Answer:
    """GET /api/ppt/loadPptx."""
    deck = deck_named(call, who_calls(call), call.request.query.get("id"))
    return done(data={"pptInfo": info(call, deck, tree=True)})


async def load_markdown(call: Call) -> Answer:
    """POST /api/ppt/loadPptxMarkdown."""
    deck = deck_named(call, who_calls(call), call.json.get("id"))
    if call.json.get("format") == "tree":
        return done(data={"markdownTree": deck.root})
    return done(data={"markdownText": texts.markdown(deck.root)})


async def download(call: Call) -> Answer:
    """POST /api/ppt/downloadPptx."""
    deck = deck_named(call, who_calls(call), call.json.get("id"))
    return done(data={"id": deck.id, "name": deck.name, "subject": deck.subject, "fileUrl": _file(call, deck)})


async def change_template(call: Call) -> Answer:
    """POST /api/ppt/updatePptTemplate."""
    deck = deck_named(call, who_calls(call), call.json.get("pptId"))
    deck.template = _check_template(call.json.get("templateId"))
    told = {"pptId": deck.id, "templateId": deck.template, "pptxProperty": package.tree_of(deck.pages)}
    return done(data=told)


async def rename(call: Call) -> Answer:
    """POST /api/ppt/updatePptxAttr."""
    deck, body = deck_named(call, who_calls(call), call.json.get("id")), call.json
    if not body.get("name") and not body.get("subject"):
        raise wrong("name", "不能为空")
    deck.name, deck.subject = body.get("name") or deck.name, body.get("subject") or deck.subject
    return done()


async def save(call: Call) -> Answer:
    """POST /api/ppt/savePptx."""
    deck, tree = deck_named(call, who_calls(call), call.json.get("id")), call.json.get("pptxProperty")
    if tree is not None:
        pages = package.pages_in(tree)
        if pages is None:
            raise wrong("pptxProperty", "格式错误")
        deck.pages = pages
    return done(data={"pptInfo": info(call, deck)})


async def delete(call: Call) -> Answer:
    """POST /api/ppt/delete."""
    forget(call, deck_named(call, who_calls(call), call.json.get("id")))
    return done()


# Files and trees -----------------------------------------------------------------------------------------------------


async def file_to_tree(call: Call) -> Answer:
    """POST /api/pptjson/ppt2json."""
    who_calls(call)
    pages = package.pages_of(call.form.files.get("file", b""))
    if pages is None:
        raise denied(-1, "文件不是有效的PPTX")
    await call.work(1.0)
    return Answer(200, msgspec.json.encode(package.tree_of(pages)))


async def tree_to_file(call: Call) -> Answer:
    """POST /api/pptjson/json2ppt."""
    who_calls(call)
    pages = package.pages_in(call.json)
    if pages is None:
        raise denied(1010, "参数错误：pages格式错误")
    await call.work(1.0)
    return Answer(200, package.file_of(pages), KIND)
