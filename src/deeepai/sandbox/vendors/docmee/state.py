"""Who calls, what is kept for whom, and how failures are told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from ...clock import Clock
from ...vendor import Answer, Call, RefusedError, json_answer

KIND = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
GOOD = "操作成功"
CATEGORIES = (
    "年终总结",
    "教育培训",
    "医学医疗",
    "商业计划书",
    "企业介绍",
    "毕业答辩",
    "营销推广",
    "晚会表彰",
    "个人简历",
)
STYLES = ("扁平简约", "商务科技", "文艺清新", "卡通手绘", "中国风", "创意时尚", "创意趣味")
COLOURS = ("#FA920A", "#589AFD", "#7664FA", "#65E5EC", "#61D328", "#F5FD59", "#E05757", "#8F5A0B", "#FFFFFF", "#000000")
LANGUAGES = ("zh", "zh-Hant", "en", "ja", "ko", "ar", "de", "fr", "it", "pt", "es", "ru")
SUFFIXES = (
    *("doc", "docx", "pdf", "ppt", "pptx", "txt", "md", "xls", "xlsx", "csv", "html", "epub", "mobi", "xmind", "mm"),
)
MOST_FILE = 50 * 2**20
MOST_TEXT = 20_000
MOST_PROMPT = 50
LINK_SECONDS = 2 * 3600.0
DAY = 24 * 3600.0
CACHED_SECONDS = 30.0
"""Job seconds for which a deck's progress is told after its end."""
CREDITS = 1000
_DECKS, _TEXTS, _TOKENS = "ppt", "data", "token"


@dataclass
class Deck:
    """A deck; it is done when `seconds` have passed."""

    id: str
    account: str
    uid: str
    subject: str
    name: str
    template: str
    pages: list[list[str]]
    root: dict[str, Any]
    created: float
    began: float
    seconds: float = 0.0
    ended: float = 0.0
    """When it was done, in Unix seconds."""
    broken: bool = False
    files: dict[str, str] = field(default_factory=dict[str, str])

    def end(self, clock: Clock) -> None:
        """Note that it is done."""
        self.ended = clock.wall()


@dataclass(frozen=True)
class Who:
    """Who calls: an account, one of its users, and the token if there is one."""

    account: str
    uid: str
    token: dict[str, Any] | None


def denied(code: int, message: str) -> RefusedError:
    """Return a failure with the vendor's code."""
    return RefusedError(json_answer({"code": code, "message": message, "data": None}))


def wrong(name: str, why: str) -> RefusedError:
    """Return the failure of a field."""
    return denied(1010, f"参数错误：{name}{why}")


def done(**more: Any) -> Answer:
    """Return a good answer."""
    return json_answer({"code": 0, "message": GOOD, **more})


def who_calls(call: Call) -> Who:
    """Return who calls.

    Raises
    ------
    RefusedError
        The token has expired, or another came in its place.
    """
    tokens = call.world.shelves["docmee", _TOKENS]
    token = tokens.get(call.owner)
    if token is None:
        return Who(call.owner, "", None)
    if token["until"] <= call.world.clock.wall() or token["ended"]:
        raise denied(98, "token已过期")
    return Who(token["account"], token["uid"], token)


async def create_token(call: Call) -> Answer:
    """POST /api/user/createApiToken."""
    who, body = who_calls(call), call.json
    if who.token is not None:
        raise denied(1003, "需要 Api-Key")
    uid, limit, hours = body.get("uid"), body.get("limit"), body.get("timeOfHours") or 2
    if uid is not None and (not isinstance(uid, str) or len(uid) > 32):
        raise wrong("uid", "不能超过32个字符")
    if limit is not None and (not isinstance(limit, int) or limit < 0):
        raise wrong("limit", "不合法")
    if not isinstance(hours, int | float) or not 0 < hours <= 48:
        raise wrong("timeOfHours", "最大为48")
    shelf = call.world.shelves["docmee", _TOKENS]
    for other in shelf.values():
        other["ended"] = other["ended"] or bool(uid and (other["account"], other["uid"]) == (who.account, uid))
    key = "sk_" + call.world.ids.hex(32)
    shelf[hashlib.sha256(key.encode()).hexdigest()[:16]] = {
        "account": who.account,
        "uid": uid or "",
        "limit": limit,
        "used": 0,
        "until": call.world.clock.wall() + hours * 3600,
        "ended": False,
    }
    return done(data={"token": key, "expireTime": int(hours * 3600)})


async def api_info(call: Call) -> Answer:
    """GET /api/user/apiInfo."""
    who = who_calls(call)
    used = call.world.spent["docmee", who.account]
    return done(data={"availableCount": int(CREDITS - used), "usedCount": int(used)})


def take_credit(call: Call, who: Who) -> None:
    """Take what a deck costs.

    Raises
    ------
    RefusedError
        Nothing is left.
    """
    token = who.token
    if token is not None and token["limit"] is not None and token["used"] >= token["limit"]:
        raise denied(88, "功能受限，次数已用完")
    if call.world.spent["docmee", who.account] >= CREDITS:
        raise denied(88, "功能受限，积分已用完")
    if token is not None:
        token["used"] += 1
    call.world.spent["docmee", who.account] += 1


def deck_named(call: Call, who: Who, name: object) -> Deck:
    """Return a deck of the caller's.

    Raises
    ------
    RefusedError
        There is none, or it is somebody else's.
    """
    found = call.world.shelves["docmee", _DECKS].get(name) if isinstance(name, str) else None
    if found is None:
        raise denied(1001, "数据不存在")
    if (found.account, found.uid) != (who.account, who.uid):
        raise denied(1003, "无权限")
    return found


def keep(call: Call, deck: Deck) -> None:
    """Keep a deck."""
    call.world.shelves["docmee", _DECKS][deck.id] = deck


def forget(call: Call, deck: Deck) -> None:
    """Forget a deck."""
    del call.world.shelves["docmee", _DECKS][deck.id]


def decks_of(call: Call, who: Who) -> list[Deck]:
    """Return the caller's decks, newest first."""
    found = call.world.shelves["docmee", _DECKS].values()
    return [deck for deck in reversed(list(found)) if (deck.account, deck.uid) == (who.account, who.uid)]


def keep_text(call: Call, who: Who, text: str) -> str:
    """Keep what was parsed; return the address that stands for it."""
    name = call.world.files.add(text.encode, "md", "text/markdown")
    address = call.world.files.url(call.origin, name, DAY)
    call.world.shelves["docmee", _TEXTS][address] = (who, text)
    return address


def text_at(call: Call, who: Who, address: object) -> str:
    """Return what was parsed.

    Raises
    ------
    RefusedError
        There is no such text of the caller's.
    """
    found = call.world.shelves["docmee", _TEXTS].get(str(address))
    if found is None or (found[0].account, found[0].uid) != (who.account, who.uid):
        raise denied(1001, "数据不存在：dataUrl")
    return found[1]
