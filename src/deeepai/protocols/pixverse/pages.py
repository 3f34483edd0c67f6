"""What is said of Pixverse beside its interfaces: callbacks, and what all of them share."""

from __future__ import annotations

from ...declare import Text
from ..common.pages import page

_CALLBACKS_EN = """
## The relays' format

With `callback_url` in a submission to `/pixverse/v1/pro/generate`, the gateway sends a `POST` of JSON to that address at each
change of the task: what `data` holds in the answer of the feed.

```json
{"task_id": "0b6b1f52-3c6e-4d0c-9c4b-1d1f8f6d5a10", "state": "succeeded", "status": "3", "prompt": "a cat",
 "video_url": "https://…", "poster": "https://…", "image_url": null, "msg": null, "point": "300", "refund": "0",
 "create_time": "1739427742", "update_time": "1739428166"}
```

| `status` | `state` | meaning |
|---|---|---|
| `"0"` | `pending` | waits for its turn |
| `"1"` | `running` | is being made |
| `"3"` | `succeeded` | `video_url` has the film |
| `"2"` | `error` | `msg` says why; nothing is charged |

## The vendor's own format

The vendor has its callbacks registered in its console. Here `callback_url` in the body of a submission says where they go; one
comes at the end.

```json
{"id": "331232157217408", "status": 1, "url": "https://…", "size": 3145728, "has_audio": false, "credits": 45}
```

- `Webhook-Timestamp` (seconds since 1970), `Webhook-Nonce` and `Webhook-Signature` are the vendor's: the signature is the Base64 of
  HMAC-SHA256 over the timestamp, a newline, the nonce, a newline, and the fields of the body as a URL-encoded query, sorted by name.
- The vendor's own callbacks can come in, too: `GET /api/channels/{id}/callback` tells operators which address to register in its
  console for a channel. They have a task looked at at once, and are not believed.
- The key is the account's webhook secret, `whsec_` included, which the control API tells
  (`GET /api/accounts/{id}/webhook-secret`).

## In both

- Answer with any status from 200 to 299. Otherwise the same message is sent again, ten times within some sixteen hours; what a
  newer one overtakes is left out.
- The header `webhook-id` is the same at every try. In the relays' format `webhook-signature` is that of Standard Webhooks.
- Addresses inside the gateway's own network are refused.
"""
_CALLBACKS_ZH = """
## 中转格式

向 `/pixverse/v1/pro/generate` 提交时填写 `callback_url`，任务每次变化网关都向该地址 `POST` 一段 JSON：内容与 feed 应答中的 `data` 相同。

```json
{"task_id": "0b6b1f52-3c6e-4d0c-9c4b-1d1f8f6d5a10", "state": "succeeded", "status": "3", "prompt": "a cat",
 "video_url": "https://…", "poster": "https://…", "image_url": null, "msg": null, "point": "300", "refund": "0",
 "create_time": "1739427742", "update_time": "1739428166"}
```

| `status` | `state` | 含义 |
|---|---|---|
| `"0"` | `pending` | 排队中 |
| `"1"` | `running` | 生成中 |
| `"3"` | `succeeded` | 成功，`video_url` 为视频地址 |
| `"2"` | `error` | 失败，原因见 `msg`，不收费 |

## 官方格式

官方的回调地址在其控制台登记；在本网关则由提交时请求体中的 `callback_url` 指定，任务结束时回调一次。

```json
{"id": "331232157217408", "status": 1, "url": "https://…", "size": 3145728, "has_audio": false, "credits": 45}
```

- 请求头 `Webhook-Timestamp`（1970 年起的秒数）、`Webhook-Nonce`、`Webhook-Signature` 与官方一致：签名为 HMAC-SHA256 的 Base64，
  签名内容依次为时间戳、换行、随机串、换行，以及按名称排序的请求体字段（URL 编码的查询串）。
- 官方自己的回调也可以接入：`GET /api/channels/{id}/callback` 告诉运营者该渠道应在官方控制台登记的地址。
  收到后会立即查询该任务，但不采信其内容。
- 密钥为账户的 webhook 密钥，含 `whsec_` 前缀，可由控制接口查询（`GET /api/accounts/{id}/webhook-secret`）。

## 共同之处

- 请以 200 至 299 之间的任意状态码应答；否则同一消息会重发，约十六小时内共十次；已被更新消息取代的不再发送。
- 请求头 `webhook-id` 每次重发不变。中转格式的 `webhook-signature` 遵循 Standard Webhooks。
- 指向网关自身内网的地址会被拒绝。
"""
_NOTES_EN = """
## Three formats

| format | submit | ask |
|---|---|---|
| relays' | `POST /pixverse/v1/pro/generate` | `GET` or `POST` `/pixverse/v1/pro/feed` |
| of the web site | `POST /pixverse/generate` | `GET /pixverse/feed/{id}` |
| the vendor's own | `POST /openapi/v2/video/…/generate`, also below `/pixverse` | `GET /openapi/v2/video/result/{id}` |

## Keys

- Send `Authorization: Bearer sk-…`; in the vendor's own format `API-KEY: sk-…` will do as well.
- `Ai-trace-id` may have any value, or be left out: towards the vendor each request has one of its own.

## Answers

- In the relays' format `code` is 200 or 400, and `msg` says why. All values of `data` are texts or null.
- In the other two, `ErrCode` is 0 where all is well, and `ErrMsg` says why not. What the gateway itself refuses has an HTTP status
  of its own, too: 401 for a bad key, 402 for no balance, 404 for what is not yours.
- Models are `v3.5`, `v4`, `v4.5`, `v5` and so on; everywhere else at the gateway they are called `pixverse-v4.5`.
- Films are kept, and their addresses are the gateway's own. A film that fails or is moderated costs nothing.
- The same submission from the same token within twelve seconds, in the vendor's own format, is one job: its client repeats them.
"""
_NOTES_ZH = """
## 三种格式

| 格式 | 提交 | 查询 |
|---|---|---|
| 中转格式 | `POST /pixverse/v1/pro/generate` | `GET` 或 `POST` `/pixverse/v1/pro/feed` |
| 网页格式 | `POST /pixverse/generate` | `GET /pixverse/feed/{id}` |
| 官方格式 | `POST /openapi/v2/video/…/generate`，`/pixverse` 之下亦可 | `GET /openapi/v2/video/result/{id}` |

## 密钥

- 请求头为 `Authorization: Bearer sk-…`；官方格式也可用 `API-KEY: sk-…`。
- `Ai-trace-id` 可填任意值或省略：网关对上游的每个请求都使用各自的值。

## 应答

- 中转格式的 `code` 为 200 或 400，原因见 `msg`；`data` 中的值均为字符串或 null。
- 另两种格式中 `ErrCode` 为 0 表示成功，否则原因见 `ErrMsg`。网关自身拒绝的请求还有相应的 HTTP 状态码：密钥错误 401，余额不足 402，
  不属于您的内容 404。
- 模型名为 `v3.5`、`v4`、`v4.5`、`v5` 等；在本网关其他接口中称为 `pixverse-v4.5`。
- 视频会被保存，地址为本网关的地址。失败或未通过审核的视频不收费。
- 官方格式中，同一令牌在十二秒内提交的相同请求视为一个任务，因为官方客户端会自行重发。
"""

PAGES = (
    page(
        "/pixverse/guide/callbacks",
        Text("Callbacks", "@回调说明"),
        Text(_CALLBACKS_EN.strip() + "\n", _CALLBACKS_ZH.strip() + "\n"),
        rows=(136,),
    ),
    page(
        "/pixverse/guide/notes",
        Text("Notes", "@接口说明"),
        Text(_NOTES_EN.strip() + "\n", _NOTES_ZH.strip() + "\n"),
        rows=(137,),
    ),
)
