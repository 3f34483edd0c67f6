"""How a song of one's own is gone on from: the steps, for people."""

from __future__ import annotations

from ...declare import Text
from ..common.pages import page

_EN = """
A sound of your own becomes a clip of Suno's, the clip is gone on from, and both are joined. All calls carry
`Authorization: Bearer sk-…`; bodies are JSON.

## 1. Upload

```http
POST /suno/v2/upload
{"url": "https://example.com/my-song.mp3"}
```

The answer's `data` is the clip's id: `{"code": "success", "message": "", "data": "5f0c…"}`. The address must be open to all, and
name a sound file. Who has a file and no address sends it by the four calls below `/suno/uploads/audio` instead.

## 2. Wait for the clip

```http
GET /suno/v2/feed?ids=5f0c…
```

until its `status` is `complete`. Then `metadata.duration` says how long it is.

## 3. Go on from it

```http
POST /suno/v2/generate
{"task": "upload_extend", "continue_clip_id": "5f0c…", "continue_at": 28, "mv": "chirp-v4",
 "prompt": "[Verse]\\nThe words that follow", "tags": "folk", "title": "My song"}
```

| field | what it is |
|---|---|
| `continue_clip_id` | the clip of step 1 |
| `continue_at` | the second at which the new part begins; what comes after it in your sound is left out |
| `task` | `upload_extend`; for songs that Suno made itself it is `extend` |
| `mv` | `chirp-v4`, `chirp-auk`, `chirp-bluejay` …; the older way is `chirp-v3-5-upload` without `task` |
| `prompt`, `tags`, `title` | words, styles and name of the new part |

The answer has two `clips`, both of which are a new part.

## 4. Wait for the new parts

```http
GET /suno/v2/feed?ids=a77d…,b1c9…
```

until each is `complete`, or `error`. A failed one costs nothing.

## 5. Join

```http
POST /suno/v2/concat
{"clip_id": "a77d…", "is_infill": false}
```

The answer is one clip of the type `concat`. Ask for it by its id as in step 4: its `audio_url` is the whole song.

## What to know

- A clip lives at the upstream that made it. All that goes on from it is sent there; if that upstream is gone, the answer is 503.
- Clips are yours alone: others' are left out of a feed, and cannot be gone on from.
- Only finished clips can be gone on from.
- A program that does all this: `examples/suno/scenario5_upload_and_extend.py`.
"""
_ZH = """
把自己的音频变成 Suno 的片段，从片段处续写，再拼接成完整歌曲。所有请求都带 `Authorization: Bearer sk-…`，请求体为 JSON。

## 1. 上传

```http
POST /suno/v2/upload
{"url": "https://example.com/my-song.mp3"}
```

应答中的 `data` 即片段 id：`{"code": "success", "message": "", "data": "5f0c…"}`。地址必须可公开访问，且指向音频文件。
只有文件而没有地址时，改用 `/suno/uploads/audio` 之下的四个接口上传。

## 2. 等待片段就绪

```http
GET /suno/v2/feed?ids=5f0c…
```

直到 `status` 为 `complete`，此时 `metadata.duration` 为其时长。

## 3. 续写

```http
POST /suno/v2/generate
{"task": "upload_extend", "continue_clip_id": "5f0c…", "continue_at": 28, "mv": "chirp-v4",
 "prompt": "[Verse]\\nThe words that follow", "tags": "folk", "title": "My song"}
```

| 字段 | 说明 |
|---|---|
| `continue_clip_id` | 第 1 步得到的片段 |
| `continue_at` | 新部分从第几秒开始；原音频此后的内容被舍去 |
| `task` | `upload_extend`；续写 Suno 自己生成的歌曲用 `extend` |
| `mv` | `chirp-v4`、`chirp-auk`、`chirp-bluejay` 等；旧写法为 `chirp-v3-5-upload` 且不带 `task` |
| `prompt`、`tags`、`title` | 新部分的歌词、风格与标题 |

应答包含两个 `clips`，各是一段新部分。

## 4. 等待新部分

```http
GET /suno/v2/feed?ids=a77d…,b1c9…
```

直到每个都为 `complete` 或 `error`。失败的不计费。

## 5. 拼接

```http
POST /suno/v2/concat
{"clip_id": "a77d…", "is_infill": false}
```

应答是一个类型为 `concat` 的片段。按第 4 步的方法用其 id 查询，`audio_url` 即完整歌曲。

## 须知

- 片段属于生成它的上游，后续操作都会发往该上游；若该上游已不存在，返回 503。
- 片段只属于您自己：他人的片段不会出现在 feed 中，也不能续写。
- 只有已完成的片段才能续写。
- 完整的示例程序：`examples/suno/scenario5_upload_and_extend.py`。
"""

CONTINUING = page(
    "/suno/guide/continuing",
    Text("Going on from a sound of your own, step by step", "续写自定义音频步骤介绍"),
    Text(_EN.strip() + "\n", _ZH.strip() + "\n"),
    rows=(95,),
)
