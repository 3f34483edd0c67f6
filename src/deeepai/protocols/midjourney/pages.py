"""What is said of Midjourney beside its interfaces: parameters that all submissions share, and callbacks."""

from __future__ import annotations

from ...declare import Text
from ..common.pages import page

_EN = """
## In the path: speed and addresses of pictures

Every path below `/mj` may stand under a prefix, `/mj-SPEED-STYLE/mj/…`, of which both parts may be left out:

| part | words | what it does |
|---|---|---|
| speed | `fast` (the default), `relax`, `turbo` | how quickly the picture is drawn, and what it costs |
| style | `relay`, `proxy` | pictures lie at this gateway (the default) |
| style | `origin` | pictures keep the address that the upstream gave them |

`/fast/mj/…`, `/relax/mj/…` and `/turbo/mj/…` mean the same as with `mj-`. Another word is refused with code 4. The speed is
taken from the path, else from `accountFilter.modes`, else from `--fast`, `--relax` or `--turbo` in the prompt, else from `mode`
in the body.

## In the body of every submission

| field | type | what it is |
|---|---|---|
| `state` | text, at most 255 characters | your own; comes back with the task and with each callback |
| `notifyHook` | URL, at most 2000 characters | is told of every change of the task |
| `botType` | `MID_JOURNEY`, `NIJI_JOURNEY` | who draws; with imagine, blend, describe and shorten |
| `accountFilter` | object | which of the upstream's accounts works for you, where the operator lets you choose; its `modes` name the speed |
| `mode` | `fast`, `relax`, `turbo` | the speed, where nothing else names it |

Fields that are not known go to the upstream as they are.

## What a submission answers

| `code` | meaning |
|---|---|
| 1 | accepted: `result` is the task's id |
| 21 | it was done before (`result` is that task), or the new task waits in a window: give it its input by `/mj/submit/modal` |
| 22 | accepted, and waits for its turn |
| 23 | the queue is full: try again later |
| 24 | the prompt holds words that are forbidden |
| 3, 4 | there is no such task, or a parameter is wrong |

## Callbacks

With `notifyHook`, the gateway sends a `POST` of JSON to that address at each change: the whole task, as
`GET /mj/task/{id}/fetch` shows it.

```json
{"id": "1741531578038412", "action": "IMAGINE", "status": "SUCCESS", "progress": "100%", "state": "order-17",
 "imageUrl": "https://…", "failReason": null, "buttons": [{"customId": "MJ::JOB::upsample::1::…", "label": "U1"}]}
```

- `status` goes from `NOT_START`, `SUBMITTED` and `IN_PROGRESS` to `SUCCESS`, `FAILURE` or `CANCEL`; a task that waits for input
  stands at `MODAL`.
- Answer with any status from 200 to 299. Otherwise the same message is sent again, ten times within some sixteen hours; what a
  newer one overtakes is left out.
- The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` are those of Standard Webhooks; the id is the same at
  every try.
- Addresses inside the gateway's own network are refused.
"""
_ZH = """
## 路径参数：速度与图片地址

`/mj` 之下的所有路径都可以加前缀 `/mj-速度-图片方式/mj/…`，两部分均可省略：

| 部分 | 取值 | 作用 |
|---|---|---|
| 速度 | `fast`（默认）、`relax`、`turbo` | 出图快慢，并决定价格 |
| 图片方式 | `relay`、`proxy` | 图片由本网关保存并提供（默认） |
| 图片方式 | `origin` | 保留上游给出的图片地址 |

`/fast/mj/…`、`/relax/mj/…`、`/turbo/mj/…` 与带 `mj-` 的写法相同；其他词返回 code 4。速度依次取自：路径、`accountFilter.modes`、提示词中的
`--fast`/`--relax`/`--turbo`、请求体的 `mode`。

## 所有提交接口共有的请求体字段

| 字段 | 类型 | 说明 |
|---|---|---|
| `state` | 字符串，最长 255 | 自定义内容，随任务和每次回调原样返回 |
| `notifyHook` | URL，最长 2000 | 任务每次变化都会通知该地址 |
| `botType` | `MID_JOURNEY`、`NIJI_JOURNEY` | 由谁绘制；用于 imagine、blend、describe、shorten |
| `accountFilter` | 对象 | 在运营者允许时选择上游账号；其中 `modes` 指定速度 |
| `mode` | `fast`、`relax`、`turbo` | 别处都未指定时的速度 |

未知字段原样转发给上游。

## 提交接口的应答

| `code` | 含义 |
|---|---|
| 1 | 提交成功，`result` 为任务 id |
| 21 | 任务已存在（`result` 为该任务），或新任务等待窗口输入：用 `/mj/submit/modal` 提交 |
| 22 | 提交成功，排队中 |
| 23 | 队列已满，请稍后再试 |
| 24 | 提示词包含敏感词 |
| 3、4 | 任务不存在，或参数有误 |

## 回调

填写 `notifyHook` 后，任务每次变化网关都向该地址 `POST` 一段 JSON：完整的任务对象，与 `GET /mj/task/{id}/fetch` 的应答相同。

```json
{"id": "1741531578038412", "action": "IMAGINE", "status": "SUCCESS", "progress": "100%", "state": "order-17",
 "imageUrl": "https://…", "failReason": null, "buttons": [{"customId": "MJ::JOB::upsample::1::…", "label": "U1"}]}
```

- `status` 由 `NOT_START`、`SUBMITTED`、`IN_PROGRESS` 变为 `SUCCESS`、`FAILURE` 或 `CANCEL`；等待输入的任务为 `MODAL`。
- 请以 200 至 299 之间的任意状态码应答；否则同一消息会重发，约十六小时内共十次；已被更新消息取代的不再发送。
- 请求头 `webhook-id`、`webhook-timestamp`、`webhook-signature` 遵循 Standard Webhooks；每次重发 id 不变。
- 指向网关自身内网的地址会被拒绝。
"""

PARAMETERS = page(
    "/mj/guide/parameters",
    Text("Further parameters and callbacks", "补充 - 其他参数以及回调"),
    Text(_EN.strip() + "\n", _ZH.strip() + "\n"),
    rows=(12,),
)
