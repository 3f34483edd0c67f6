"""The callback, for people: what is posted, what is to be answered, and when it comes again."""

from __future__ import annotations

from ...declare import Text
from ..common.pages import page

_BODY = """
```json
{
  "img_uuid": "5db30c80-8464-498d-8dc6-4c51320b30d6",
  "user_id": "",
  "urls": ["https://your-gateway/assets/5db30c80-8464-498d-8dc6-4c51320b30d6/0?exp=…&sig=…"],
  "duration": 9.752,
  "status": 1,
  "qr_content": "https://example.com"
}
```
"""
_ANSWER = """
```json
{"code": 0}
```
"""
_RECEIVER = """
```python
from http.server import BaseHTTPRequestHandler, HTTPServer
import json

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        told = told.get("data", told)
        print(told["img_uuid"], told["status"], told.get("urls"))
        answer = b'{"code": 0}'
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

HTTPServer(("", 8000), Receiver).serve_forever()
```
"""
_EN = f"""
Every submission takes a `callback_url`. When the work has ended, well or not, its result is posted there, flat: without the
`code` and `data` around it that `GET /api/v1/images/detail` answers with.
{_BODY}
| field | what it is |
|---|---|
| `img_uuid` | the work, as the submission's answer names it |
| `status` | `1` done, `-1` failed; nobody is called while it is `0`, under way |
| `urls` | the pictures, under addresses of this gateway; empty where the work has failed |
| `duration` | seconds that it took |
| `qr_content` | what the QR code says; empty for other pictures |
| `msg` | why it failed; only then |

Answer with
{_ANSWER}
## What to know

- Any answer with a status from 200 to 299 ends the series; else the same body comes again, at growing intervals. Be idempotent: go by `img_uuid`.
- The vendor itself calls 0, 7, 15.5 and 25.5 seconds after the end. Such calls come to this gateway, which asks for the result itself before it believes one.
- Each call is signed by the headers of Standard Webhooks, with your account's secret.
- Without a `callback_url`, ask `GET /api/v1/images/detail?img_uuid=…` every few seconds. It goes on to answer after the vendor has forgotten the work, two hours later.
- Addresses of private networks are refused.

## A receiver
{_RECEIVER}
A program that does all this: `examples/mewx/callback.py`.
"""
_ZH = f"""
每个生成接口都可以带 `callback_url`。任务结束后（成功或失败），结果会以扁平结构 POST 到该地址，外层没有 `code` 与 `data`，
这一点与 `GET /api/v1/images/detail` 的应答不同。
{_BODY}
| 字段 | 说明 |
|---|---|
| `img_uuid` | 任务 id，即提交时返回的 id |
| `status` | `1` 完成，`-1` 失败；进行中（`0`）不回调 |
| `urls` | 图片地址，均为本网关的地址；失败时为空 |
| `duration` | 耗时（秒） |
| `qr_content` | 二维码内容；其他图片为空 |
| `msg` | 失败原因，仅失败时出现 |

请应答
{_ANSWER}
## 须知

- 状态码为 200 至 299 的任何应答都会结束回调；否则同样的内容会以递增的间隔再次发送。请按 `img_uuid` 做幂等处理。
- 官方在任务结束后的 0、7、15.5、25.5 秒各回调一次，这些回调发到本网关；网关会自行查询结果，不会直接相信回调内容。
- 每次回调都带有 Standard Webhooks 签名头，密钥为您账户的密钥。
- 不带 `callback_url` 时，请每隔几秒查询 `GET /api/v1/images/detail?img_uuid=…`。两小时后官方不再保留任务，本网关仍可查询。
- 不接受内网地址。

## 接收端示例
{_RECEIVER}
完整的示例程序：`examples/mewx/callback.py`。
"""

CALLBACK = page(
    "/mewx/guide/callback",
    Text("The callback, step by step", "回调演示"),
    Text(_EN.strip() + "\n", _ZH.strip() + "\n"),
    rows=(57,),
)
