"""What the gateway answers by itself: sub-tokens, what is left, the list of decks, and how keys are shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ...declare import Reply, Text, Usage, View
from ..common.pages import page
from .bodies import ListBody, TokenBody
from .decks import DECK, listed
from .streams import MODEL

PREFIX = "sk_"
USUAL_HOURS = 2.0
DONE = "操作成功"
FARTHEST = 10_000
"""Decks that a list goes back."""
UNBOUNDED = 2**31 - 1


async def create_token(view: View[TokenBody]) -> Reply:
    """Make a key that may be handed to somebody."""
    body = view.request.body
    seconds = round((USUAL_HOURS if body.timeOfHours is None else body.timeOfHours) * 3600)
    key = await view.sub_token(PREFIX, body.uid or "", body.limit, max(1, seconds))
    data = {"token": key, "expireTime": seconds, **({"uid": body.uid} if body.uid else {})}
    return Reply({"data": data, "code": 0, "message": DONE})


async def api_info(view: View[Any]) -> Reply:
    """Tell what is left, and what was spent, in decks."""
    allowance, price = await view.allowance(), await view.cost(MODEL, Usage(calls=1))
    left, used = (allowance.available // price, -(-allowance.spent // price)) if price else (UNBOUNDED, 0)
    if allowance.calls is not None:
        used, most = allowance.calls
        left = min(left, most - used)
    return Reply({"data": {"availableCount": max(0, left), "usedCount": used}, "code": 0, "message": DONE})


async def list_decks(view: View[ListBody]) -> Reply:
    """List the caller's decks, newest first."""
    body = view.request.body
    found = await view.objects(DECK, FARTHEST)
    start = (body.page - 1) * body.size
    shown = [listed(one, _moment(one.created_at)) for one in found[start : start + body.size]]
    return Reply({"code": 0, "total": len(found), "data": shown, "message": DONE})


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


_EN = """
Every call carries a key in one of these places; the first that is there counts:

| place | what |
|---|---|
| `Authorization: Bearer sk-…` | as everywhere at this gateway; the word `Bearer` may be left out |
| `token: sk_…` | the vendor's header for keys that `createApiToken` makes |
| `Api-Key: sk-…` | the vendor's header for an account's own key |
| `?token=sk_…` | for pictures (`coverUrl`), to which clients append it |

## Two kinds of keys

The **account's key** is what the gateway's operator gives out. It belongs on your server.

A **sub-token** is made of it, for one of your users, and may be given to a browser:

```http
POST /docmee/v1/api/user/createApiToken
Api-Key: sk-…

{"uid": "user-17", "limit": 10, "timeOfHours": 2}
```

```json
{"data": {"token": "sk_…", "expireTime": 7200, "uid": "user-17"}, "code": 0, "message": "操作成功"}
```

- It opens these interfaces alone, with the rights, the mode, the limits, the price and the account of the key that
  made it; it goes when that goes.
- `uid` keeps users apart: each sees the decks and texts that were made with keys of the same `uid`, and no others.
  Without one, the key sees what the account's own key sees.
- `limit` is how many decks may be made with it: then the code is 88. `timeOfHours` is its life, 2 by default, 48 at
  most: then it is 98.
- A new one for the same `uid` ends the former within ten seconds.
- A sub-token makes no further ones (code 1003).

## What is refused

Answers are `{"code": 0, "message": …, "data": …}`. A code other than 0 is a failure, with HTTP status 200:
88 no decks or no money are left, 98 the key is wrong or has expired, 1001 there is no such thing among your own,
1003 not allowed, 1006 refused for its content, 1009 nobody could do it, 1010 a wrong parameter, 1012 too many
requests, -1 anything else.
"""
_ZH = """
每个请求都要携带密钥，可放在以下任一位置，按顺序取第一个：

| 位置 | 说明 |
|---|---|
| `Authorization: Bearer sk-…` | 与本网关其他接口相同；可省略 `Bearer` |
| `token: sk_…` | 官方请求头，用于 `createApiToken` 生成的 token |
| `Api-Key: sk-…` | 官方请求头，用于账户自己的密钥 |
| `?token=sk_…` | 用于图片（`coverUrl`），由客户端拼接在地址之后 |

## 两种密钥

**账户密钥**由网关管理员发放，只应保存在您的服务器上。

**接口 token** 由账户密钥生成，对应您的一个用户，可以交给浏览器使用：

```http
POST /docmee/v1/api/user/createApiToken
Api-Key: sk-…

{"uid": "user-17", "limit": 10, "timeOfHours": 2}
```

```json
{"data": {"token": "sk_…", "expireTime": 7200, "uid": "user-17"}, "code": 0, "message": "操作成功"}
```

- 只能调用本组接口；权限、模式、限额、价格与账户都与生成它的密钥一致，该密钥失效则它随之失效。
- `uid` 用于数据隔离：只能看到同一 `uid` 生成的 PPT 与文本。不填则与账户密钥看到的相同。
- `limit` 为最多可生成的 PPT 数，用完后返回 88；`timeOfHours` 为有效小时数，默认 2，最大 48，过期后返回 98。
- 为同一 `uid` 重新生成后，之前的 token 在十秒内失效。
- 接口 token 不能再生成 token（1003）。

## 错误

返回格式为 `{"code": 0, "message": …, "data": …}`。`code` 不为 0 即失败，HTTP 状态码仍为 200：
88 次数或余额用尽，98 密钥错误或已过期，1001 数据不存在，1003 无权限，1006 内容敏感，1009 服务不可用，1010 参数错误，
1012 请求过于频繁，-1 其他错误。
"""

KEYS = page(
    "/docmee/v1/guide/keys",
    Text("Keys: where they stand, and keys for your users", "接口鉴权"),
    Text(_EN.strip() + "\n", _ZH.strip() + "\n"),
    rows=(159,),
)
