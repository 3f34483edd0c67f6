"""Calls that write: outlines, texts and decks, in events or at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from ...media.words import tokens_of
from ...vendor import Answer, Call, Stream
from . import texts
from .making import begin, info
from .state import (
    LANGUAGES,
    MOST_FILE,
    MOST_PROMPT,
    MOST_TEXT,
    SUFFIXES,
    Deck,
    Who,
    done,
    keep_text,
    take_credit,
    text_at,
    who_calls,
    wrong,
)

INTERVAL = 0.02
"""Job seconds between two events."""
AT_ONCE = 12
"""Tokens of one event."""


def _event(text: str = "", status: int = 3, **more: Any) -> bytes:
    return b"data: " + msgspec.json.encode({"text": text, "status": status, **more}) + b"\n\n"


FAILED = _event("", -1, error="AI模型执行异常")


def _said(call: Call) -> Mapping[str, Any]:
    """Return the fields that have a value, judged as far as all such calls have them."""
    body = {name: value for name, value in call.json.items() if value is not None}
    for name, kind in (("stream", bool), ("prompt", str), ("subject", str), ("question", str), ("templateId", str)):
        if name in body and not isinstance(body[name], kind):
            raise wrong(name, "类型错误")
    if len(body.get("prompt", "")) >= MOST_PROMPT:
        raise wrong("prompt", "不能超过50个字符")
    if body.get("lang", "zh") not in LANGUAGES:
        raise wrong("lang", "不支持")
    if body.get("length", "medium") not in texts.CHAPTERS:
        raise wrong("length", "不支持")
    return body


def _markdown(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    text = body.get(name)
    if not isinstance(text, str) or not text.strip():
        raise wrong(name, "不能为空")
    root = texts.tree(text)
    if root is None:
        raise wrong(name, "格式错误")
    return root


def _subject(call: Call, who: Who, body: Mapping[str, Any]) -> str:
    given = text_at(call, who, body["dataUrl"]) if body.get("dataUrl") else ""
    subject = str(body.get("subject") or "").strip() or next(
        (line.strip("# ").strip() for line in given.splitlines() if line.strip("# ").strip()), ""
    )
    if not subject:
        raise wrong("subject", "不能为空")
    return subject[:200]


def _pieces(text: str) -> list[str]:
    tokens = tokens_of(text)
    return ["".join(tokens[at : at + AT_ONCE]) for at in range(0, len(tokens), AT_ONCE)]


async def _written(call: Call, body: Mapping[str, Any], text: str) -> Answer | Stream:
    root = texts.tree(text)
    if body.get("stream", True):
        events = [_event("", 1), *(_event(piece) for piece in _pieces(text)), _event("", 4, result=root)]
        return Stream(events, FAILED, interval=INTERVAL, content_type="text/event-stream")
    await call.work(2.0)
    return done(data={"text": text, "result": root})


async def parse(call: Call) -> Answer:
    """POST /api/ppt/parseFileData."""
    who = who_calls(call)
    form = call.form if call.is_form else None
    fields = (
        dict(form.texts)
        if form is not None
        else {name: str(value) for name, value in (await call.request.post()).items()}
    )
    file = form.files.get("file") if form is not None else None
    if file is not None and form is not None:
        suffix = form.names.get("file", "").rpartition(".")[2].lower()
        if suffix not in SUFFIXES:
            raise wrong("file", "不支持的文件类型")
        if len(file) > MOST_FILE:
            raise wrong("file", "不能超过50MB")
        text = file.decode("utf-8", "ignore") if suffix in ("txt", "md", "csv", "html") else ""
        return done(data={"dataUrl": keep_text(call, who, (text.strip() or form.names["file"])[:MOST_TEXT])})
    if len(fields.get("content", "")) > MOST_TEXT:
        raise wrong("content", "不能超过20000个字符")
    given = next((fields[name] for name in ("content", "fileUrl", "website", "websearch") if fields.get(name)), "")
    if not given:
        raise wrong("file", "不能为空")
    return done(data={"dataUrl": keep_text(call, who, given)})


async def outline(call: Call) -> Answer | Stream:
    """POST /api/ppt/generateOutline."""
    who, body = who_calls(call), _said(call)
    return await _written(call, body, texts.outline(_subject(call, who, body), body.get("length", "medium")))


async def update_outline(call: Call) -> Answer | Stream:
    """POST /ppt/updateOutline."""
    who_calls(call)
    body = _said(call)
    root = _markdown(body, "outlineMarkdown")
    length = texts.CHAPTERS[body["length"]] if "length" in body else len(root["children"])
    root["children"] = [*root["children"][:length]]
    root["children"].append({"level": 2, "name": (body.get("question") or "更专业")[:30], "children": []})
    return await _written(call, body, texts.markdown(root))


async def content(call: Call) -> Answer | Stream:
    """POST /api/ppt/generateContent."""
    who, body = who_calls(call), _said(call)
    _markdown(body, "outlineMarkdown")
    if body.get("dataUrl"):
        text_at(call, who, body["dataUrl"])
    text = texts.content(body["outlineMarkdown"])
    if not body.get("asyncGenPptx"):
        return await _written(call, body, text)
    deck = begin(call, who, text, body.get("templateId"))
    take_credit(call, who)
    if not body.get("stream", True):
        await call.work(2.0)
        return done(data={"text": text, "result": deck.root, "pptId": deck.id})
    events = _with_pages(text, deck)
    deck.seconds, deck.broken = INTERVAL * len(events), "fail-midway" in call.triggers
    call.world.clock.call_later(deck.seconds, partial(deck.end, call.world.clock))
    return Stream(
        [*events, _event("", 4, result=deck.root)], FAILED, interval=INTERVAL, content_type="text/event-stream"
    )


def _with_pages(text: str, deck: Deck) -> Sequence[bytes]:
    """Return the events of a text, and among them, evenly, those of the pages that are made meanwhile."""
    pieces, total = _pieces(text), len(deck.pages)
    events: list[bytes] = []
    made = 0
    for number, piece in enumerate(pieces, 1):
        events.append(_event(piece))
        while made < total * number // len(pieces):
            made += 1
            events.append(_event("", 3, pptId=deck.id, total=total, current=made))
    return events


async def deck_of_text(call: Call) -> Answer:
    """POST /api/ppt/generatePptx."""
    who, body = who_calls(call), _said(call)
    _markdown(body, "outlineContentMarkdown")
    deck = begin(call, who, body["outlineContentMarkdown"], body.get("templateId"))
    take_credit(call, who)
    await call.work(3.0)
    return done(data={"pptInfo": info(call, deck, tree=body.get("pptxProperty") is True)})


async def direct(call: Call) -> Answer | Stream:
    """POST /api/ppt/directGeneratePptx."""
    who, body = who_calls(call), _said(call)
    text = texts.content(texts.outline(_subject(call, who, body), body.get("length", "medium")))
    deck = begin(call, who, text, body.get("templateId"))
    take_credit(call, who)
    if not body.get("stream", True):
        await call.work(3.0)
        return done(data={"pptInfo": info(call, deck, tree=body.get("pptxProperty") is True)})
    last = _event("", 4, result=info(call, deck, tree=body.get("pptxProperty") is True))
    events = [_event("", 1), *(_event(piece) for piece in _pieces(text)), _event("", 3, pptId=deck.id), last]
    return Stream(events, FAILED, interval=INTERVAL, content_type="text/event-stream")
