"""Midjourney as midjourney-proxy serves it: submit, press buttons, confirm in a window, poll or be called back.

Answers carry a `code` (1 accepted, 21 waits for a window, 22 queued, 3, 4, 9, 23, 24 refused) with HTTP 200.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from aiohttp import web

from ...jobs import Job
from ...media.draw import MIME, Picture, from_base64, part_of, size_of
from ...vendor import Answer, Call, Refusal, RefusedError, Route, Vendor, digest_of, json_answer
from .tasks import (
    GRIDS,
    INSTANCE,
    URL_LIFETIME,
    described,
    grid_picture,
    ratio_of,
    shortened,
    single_picture,
    start,
    tell,
    view,
)

MOST_LISTED = 100
DIMENSIONS = {"PORTRAIT": "2:3", "SQUARE": "1:1", "LANDSCAPE": "3:2"}
MODES = ("", "-fast", "-relax", "-turbo")
ACTIONS = {"UPSCALE": "upsample", "VARIATION": "variation", "REROLL": "reroll"}
CHANGEABLE = frozenset({"IMAGINE", "VARIATION", "REROLL", "BLEND"})
_BUTTON_ACTIONS: tuple[tuple[str, str], ...] = (
    (r"MJ::JOB::video_virtual_upscale::[1-4]::.+", "UPSCALE"),
    (r"MJ::JOB::upsample::[1-4]::.+", "UPSCALE"),
    (r"MJ::JOB::upsample_\w+::1::.+", "UPSCALE_HD"),
    (r"MJ::JOB::(variation::[1-4]|low_variation::1|high_variation::1)::.+", "VARIATION"),
    (r"MJ::JOB::reroll::0::.+", "REROLL"),
    (r"MJ::Inpaint::1::.+", "VARIATION"),
    (r"MJ::(Outpaint|CustomZoom)::.+", "ZOOM"),
    (r"MJ::JOB::pan_(left|right|up|down)::1::.+", "PAN"),
    (r"MJ::JOB::(animate_|video::).+", "VIDEO"),
    (r"MJ::Job::PicReader::([1-4]|all)", "IMAGINE"),
    (r"MJ::Picread::Retry", "DESCRIBE"),
    (r"MJ::Job::PromptAnalyzer::[1-5]", "IMAGINE"),
    (r"MJ::Job::PromptAnalyzer::details", "SHORTEN"),
)


async def imagine(call: Call) -> Answer:
    """`POST /submit/imagine`."""
    body = call.json
    prompt = _prompt(call)
    given = _images(call, [*(body.get("base64Array") or []), *([body["base64"]] if body.get("base64") else [])])
    digest = digest_of("imagine", prompt, given)
    return _accept(call, "IMAGINE", prompt, f"/imagine {prompt}", grid_picture(prompt, digest))


async def change(call: Call) -> Answer:
    """`POST /submit/change`."""
    body = call.json
    action, index = body.get("action"), body.get("index")
    if action not in ACTIONS:
        raise _no("action参数错误")
    if action != "REROLL" and index not in {1, 2, 3, 4}:
        raise _no("index参数错误")
    return _change(call, str(body.get("taskId") or ""), str(action), int(index or 0))


async def simple_change(call: Call) -> Answer:
    """`POST /submit/simple-change`."""
    match = re.fullmatch(r"(\S+) (?:([UV])([1-4])|(R))", str(call.json.get("content") or ""), re.IGNORECASE)
    if match is None:
        raise _no("content参数错误")
    action = {"U": "UPSCALE", "V": "VARIATION"}.get((match[2] or "").upper(), "REROLL")
    return _change(call, match[1], action, int(match[3] or 0))


async def action(call: Call) -> Answer:
    """`POST /submit/action`: press a button."""
    body = call.json
    parent = _find(call, body.get("taskId"))
    if parent is None:
        raise _no("关联任务不存在或已失效", 3, 404)
    custom_id = str(body.get("customId") or "")
    if not custom_id:
        raise _no("customId不能为空")
    if parent.state != "done":
        raise _no("关联任务状态错误")
    if custom_id.startswith("MJ::BOOKMARK::"):
        return _submitted(call, 1, parent.id)
    return _press(call, parent, custom_id)


async def modal(call: Call) -> Answer:
    """`POST /submit/modal`: confirm the window that a button opened."""
    body = call.json
    job = _find(call, body.get("taskId"))
    if job is None:
        raise _no("关联任务不存在或已失效", 3, 404)
    if job.state != "waiting":
        raise _no("关联任务状态错误")
    prompt = str(body.get("prompt") or "").strip() or job.data["prompt"]
    if not prompt:
        raise _no("prompt不能为空")
    mask = body.get("maskBase64")
    if job.data["needs_mask"] and not mask:
        raise _no("maskBase64不能为空")
    if mask:
        _images(call, [mask])
    zoom = re.search(r"--zoom\s+(\d+(?:\.\d+)?)", prompt)
    picture = cast(Picture, job.data["picture"])
    digest = digest_of(picture.digest, prompt, mask)
    job.triggers = call.triggers
    job.data |= {
        "prompt": prompt,
        "picture": replace(picture, text=prompt, digest=digest),
        "state": body.get("state") or job.data["state"],
        "notifyHook": body.get("notifyHook") or job.data["notifyHook"],
    }
    if zoom and not 1 <= float(zoom[1]) <= 2:
        call.world.jobs.finish(job, "failed", lambda moved: tell(call.world, moved), "[Invalid parameter] --zoom")
    else:
        start(call.world, job)
    call.accepted.append(job.id)
    return _submitted(call, 22 if "queued" in call.triggers else 1, job.id)


async def blend(call: Call) -> Answer:
    """`POST /submit/blend`."""
    given = call.json.get("base64Array")
    if not isinstance(given, list) or not 2 <= len(given) <= 5:
        raise _no("base64List参数错误")
    dimensions = call.json.get("dimensions", "SQUARE")
    if dimensions not in DIMENSIONS:
        raise _no("dimensions参数错误")
    images = _images(call, given)
    prompt = f"--ar {DIMENSIONS[dimensions]}"
    picture = grid_picture(prompt, digest_of("blend", images, dimensions), images[0])
    job = _store(call, "BLEND", prompt, "", picture)
    job.data["description"] = f"/blend {job.id} {len(given)}"
    return _begin(call, job)


async def describe(call: Call) -> Answer:
    """`POST /submit/describe`."""
    body = call.json
    given, link = body.get("base64"), body.get("link")
    if not given and not link:
        raise _no("base64或link不能为空")
    if link and not given and not str(link).startswith(("http://", "https://")):
        raise _no("链接格式错误")
    images = _images(call, [given or link])
    return _accept_described(call, images[0], digest_of("describe", images, link))


async def shorten(call: Call) -> Answer:
    """`POST /submit/shorten`."""
    prompt = _prompt(call)
    return _accept_shortened(call, prompt)


async def swap_face(call: Call) -> Answer:
    """`POST /insight-face/swap`."""
    body = call.json
    source, target = (body.get(f"{name}Base64") or body.get(f"{name}Url") for name in ("source", "target"))
    if not source:
        raise _no("人脸图片不能为空")
    if not target:
        raise _no("目标图片不能为空")
    if source == target:
        raise _no("人脸图片和目标图片不能相同")
    images = _images(call, [source, target])
    picture = single_picture("InsightFace", digest_of("swap", images), images[1])
    return _accept(call, "SWAP_FACE", "InsightFace", "/swap", picture, bot="INSIGHT_FACE")


async def swap_video_face(call: Call) -> Answer:
    """`POST /insight-face/video-swap`, multipart."""
    files = call.form.files
    picture = single_picture("InsightFace", digest_of("video-swap", sorted(files.items())))
    return _accept(call, "SWAP_VIDEO_FACE", "InsightFace", "/swap", picture, clips=1, bot="INSIGHT_FACE")


async def edits(call: Call) -> Answer:
    """`POST /submit/edits`."""
    return _edit(call, "EDIT")


async def retexture(call: Call) -> Answer:
    """`POST /submit/retexture`."""
    return _edit(call, "RETEXTURE")


async def video(call: Call) -> Answer:
    """`POST /submit/video`."""
    body = call.json
    prompt = str(body.get("prompt") or "")
    clips = body.get("batchSize", 4)
    if clips not in {1, 2, 4} or body.get("motion", "low") not in {"low", "high"}:
        raise _no("参数错误")
    if body.get("action") == "extend":
        parent = _find(call, body.get("taskId"))
        if parent is None or parent.kind not in {"VIDEO", "UPSCALE"}:
            raise _no("关联任务不存在或已失效", 3, 404)
        text = prompt or parent.data["prompt"]
        picture = replace(cast(Picture, parent.data["picture"]), digest=digest_of(parent.id, body.get("index")))
        return _accept(call, "VIDEO", text, f"/video {text}", picture, clips=clips)
    if not prompt:
        raise _no("prompt不能为空")
    images = _images(call, [one for one in (body.get("image"), body.get("endImage")) if one])
    picture = _video_picture(prompt, digest_of("video", prompt, images), images[0] if images else None)
    return _accept(call, "VIDEO", prompt, f"/video {prompt}", picture, clips=clips)


async def upload(call: Call) -> Answer:
    """`POST /submit/upload-discord-images`: answers URLs at once."""
    given = call.json.get("base64Array")
    if not isinstance(given, list) or not given:
        raise _no("base64Array不能为空")
    urls: list[str] = []
    for data in _images(call, given):
        if data is None:
            raise _no("base64格式错误")
        name = call.world.files.add(lambda data=data: data, "png", MIME["png"])
        urls.append(call.world.files.url(call.origin, name, URL_LIFETIME))
    return json_answer({"code": 1, "description": "提交成功", "result": urls, "properties": {}})


async def fetch(call: Call) -> Answer:
    """`GET /task/{id}/fetch`; an unknown task is an empty body."""
    job = _find(call, call.params["id"])
    return Answer() if job is None else json_answer(view(call.world, job))


async def list_tasks(call: Call) -> Answer:
    """`GET /task/list`: the latest ones."""
    own = [job for job in call.world.jobs if job.vendor == "midjourney"]
    return json_answer([view(call.world, job) for job in reversed(own[-MOST_LISTED:])])


async def queue(call: Call) -> Answer:
    """`GET /task/queue`: the open ones."""
    own = [job for job in call.world.jobs if job.vendor == "midjourney" and job.state in {"queued", "running"}]
    return json_answer([view(call.world, job) for job in own])


async def list_by_ids(call: Call) -> Answer:
    """`POST /task/list-by-condition`: those of the ids that exist."""
    jobs = [_find(call, one) for one in call.json.get("ids") or []]
    return json_answer([view(call.world, job) for job in jobs if job is not None])


async def image_seed(call: Call) -> Answer:
    """`GET /task/{id}/image-seed`."""
    job = _find(call, call.params["id"])
    if job is None:
        raise _no("未找到 seed", 3, 404)
    if job.state != "done":
        raise _no("关联任务状态错误", 4, 400)
    await call.work(2)
    seed = int.from_bytes(digest_of("seed", job.data["hash"])[:4])
    return json_answer({"code": 1, "description": "成功", "result": str(seed)})


async def image(call: Call) -> Answer:
    """`GET /image/{id}`: the bytes of a task's picture; it wants no key."""
    job = _find(call, call.params["id"])
    stored = call.world.files.find(str(job.data.get("file"))) if job is not None else None
    if stored is None:
        return json_answer({"error": "midjourney_task_not_found"}, 400)
    return Answer(200, await asyncio.to_thread(stored.make), stored.content_type)


async def cancel(call: Call) -> Answer:
    """`POST /task/{id}/cancel`."""
    job = _find(call, call.params["id"])
    if job is None:
        raise _no("任务不存在", 3)
    if job.is_final:
        raise _no("任务状态错误")
    call.world.jobs.finish(job, "cancelled", lambda moved: tell(call.world, moved), "取消任务")
    return json_answer({"code": 1, "description": "成功", "result": job.id, "properties": {}})


def _no(
    description: str, code: int = 4, status: int = 200, properties: Mapping[str, Any] | None = None
) -> RefusedError:
    answer = {"code": code, "description": description, "result": None, "properties": properties or {}}
    return RefusedError(json_answer(answer, status))


def _find(call: Call, task_id: Any) -> Job | None:
    return call.world.jobs.find("midjourney", str(task_id or ""))


def _prompt(call: Call) -> str:
    prompt = call.json.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise _no("prompt不能为空")
    return prompt


def _images(call: Call, given: list[Any]) -> list[bytes | None]:
    """Return the pictures given in base64; those given by URL are None, for the sandbox fetches nothing."""
    images: list[bytes | None] = []
    for one in given:
        if not isinstance(one, str):
            raise _no("base64格式错误")
        if one.startswith(("http://", "https://")):
            images.append(None)
            continue
        data = from_base64(one)
        if data is None or size_of(data) is None:
            raise _no("base64格式错误")
        images.append(data)
    return images


def _video_picture(prompt: str, digest: bytes, source: bytes | None) -> Picture:
    return replace(single_picture(prompt, digest, source, pixels=640 * 400), format="webp", grid=False)


def _store(
    call: Call, kind: str, prompt: str, description: str, picture: Picture | None, *, bot: str | None = None
) -> Job:
    world, body = call.world, call.json if call.request.content_type == "application/json" else {}
    if "no-account" in call.triggers:
        raise _no("无可用的账号实例", 3)
    if "queue-full" in call.triggers:
        raise _no("队列已满，请稍后尝试", 23, properties={"discordInstanceId": INSTANCE})
    bots = {"NIJI_JOURNEY": "NIJI_JOURNEY", "niji": "NIJI_JOURNEY"}
    job = world.jobs.accept(
        world.ids.digits(),
        "midjourney",
        kind,
        call.owner,
        call.triggers,
        prompt=prompt,
        description=description,
        picture=picture,
        state=body.get("state"),
        notifyHook=body.get("notifyHook"),
        botType=bot or bots.get(str(body.get("botType")), "MID_JOURNEY"),
        hash=world.ids.uuid(),
        origin=call.origin,
        needs_mask=False,
    )
    call.accepted.append(job.id)
    return job


def _begin(call: Call, job: Job) -> Answer:
    start(call.world, job)
    return _submitted(call, 22 if "queued" in call.triggers else 1, job.id)


def _accept(
    call: Call,
    kind: str,
    prompt: str,
    description: str,
    picture: Picture | None,
    *,
    clips: int = 0,
    bot: str | None = None,
) -> Answer:
    job = _store(call, kind, prompt, description, picture, bot=bot)
    job.data["clips"] = clips
    return _begin(call, job)


def _submitted(call: Call, code: int, result: str) -> Answer:
    properties: dict[str, Any] = {"discordInstanceId": INSTANCE}
    description = "提交成功"
    if code == 22:
        properties["numberOfQueues"] = 1
        description = "排队中，前面还有1个任务"
    return json_answer({"code": code, "description": description, "result": result, "properties": properties})


def _accept_described(call: Call, source: bytes | None, digest: bytes) -> Answer:
    size = size_of(source) if source else None
    width, height = size or (1024, 1024)
    picture = Picture(min(width, 2048), min(height, 2048), "described", digest, "png", source)
    job = _store(call, "DESCRIBE", "", "/describe", picture)
    job.data["choices"] = described(digest, f"{width}:{height}" if size else "1:1")
    return _begin(call, job)


def _accept_shortened(call: Call, prompt: str) -> Answer:
    job = _store(call, "SHORTEN", prompt, f"/shorten {prompt}", None)
    job.data["analysis"], job.data["choices"] = shortened(prompt)
    return _begin(call, job)


def _edit(call: Call, kind: str) -> Answer:
    body = call.json
    prompt = _prompt(call)
    if not body.get("image"):
        raise _no("image不能为空")
    images = _images(call, [body["image"], *([body["maskBase64"]] if body.get("maskBase64") else [])])
    picture = grid_picture(prompt, digest_of(kind, prompt, images), images[0])
    return _accept(call, kind, prompt, f"/edit {prompt}", picture)


def _change(call: Call, task_id: str, kind: str, index: int) -> Answer:
    parent = _find(call, task_id)
    if parent is None:
        raise _no("关联任务不存在或已失效", 3)
    if parent.state != "done":
        raise _no("关联任务状态错误")
    if parent.kind not in CHANGEABLE:
        raise _no("关联任务不允许执行变化")
    short = "R" if kind == "REROLL" else f"{kind[0]}{index}"
    end = "::SOLO" if kind == "REROLL" else ""
    custom_id = f"MJ::JOB::{ACTIONS[kind]}::{index if kind != 'REROLL' else 0}::{parent.data['hash']}{end}"
    return _press(call, parent, custom_id, f"/up {parent.id} {short}", reroll_kind="REROLL")


def _press(
    call: Call, parent: Job, custom_id: str, description: str | None = None, *, reroll_kind: str | None = None
) -> Answer:
    kind = next((kind for pattern, kind in _BUTTON_ACTIONS if re.fullmatch(pattern, custom_id)), None)
    if kind is None:
        raise _no("未知的 Action 类型")
    offered = {one["customId"].replace("CustomZoom::1::", "CustomZoom::") for one in parent.data["buttons"]}
    if custom_id.replace("CustomZoom::1::", "CustomZoom::") not in offered and "::video::" not in custom_id:
        raise _no("关联任务不允许执行变化")
    prompt, said = parent.data["prompt"], description or f"/action {custom_id}"
    if custom_id == "MJ::Picread::Retry":
        picture = cast(Picture, parent.data["picture"])
        return _accept_described(call, picture.source, digest_of(picture.digest, "retry"))
    if kind == "SHORTEN":
        return _accept_shortened(call, prompt)
    if custom_id.startswith("MJ::Job::"):
        return _draw_choice(call, parent, custom_id.rpartition("::")[2], said)
    if kind == "REROLL":
        kind = reroll_kind or (parent.kind if parent.kind in GRIDS | {"VIDEO"} else "IMAGINE")
    job = _store(call, kind, prompt, said, _next_picture(parent, kind, custom_id))
    job.data["clips"] = 4 if kind == "VIDEO" else 1 if "video_virtual" in custom_id else 0
    job.data["of_video"] = "video_virtual" in custom_id
    job.data["needs_mask"] = "Inpaint" in custom_id
    if _opens_window(call, kind, custom_id):
        return _wait(job)
    return _begin(call, job)


def _opens_window(call: Call, kind: str, custom_id: str) -> bool:
    if "Inpaint" in custom_id or "CustomZoom" in custom_id or custom_id.endswith("::manual"):
        return True
    accounts = call.json.get("accountFilter") or {}
    remix = call.json.get("enableRemix") or (accounts.get("remix") and not accounts.get("remixAutoConsidered"))
    redraws = kind in {"VARIATION", "PAN", "VIDEO"} or "reroll" in custom_id
    return bool(remix) and redraws and "low_variation" not in custom_id and "high_variation" not in custom_id


def _wait(job: Job) -> Answer:
    job.state = "waiting"
    properties = {"finalPrompt": job.data["prompt"], "remix": True, "discordInstanceId": INSTANCE}
    return json_answer(
        {"code": 21, "description": "Waiting for window confirm", "result": job.id, "properties": properties}
    )


def _draw_choice(call: Call, parent: Job, which: str, said: str) -> Answer:
    """Draw a line of a description or of a shortened prompt, or all lines."""
    prompts = cast(list[str], parent.data["choices"])
    if which != "all":
        prompt = prompts[int(which) - 1]
        return _wait(_store(call, "IMAGINE", prompt, said, grid_picture(prompt, digest_of("imagine", prompt))))
    ids: list[str] = []
    for prompt in prompts:
        job = _store(call, "IMAGINE", prompt, said, grid_picture(prompt, digest_of("imagine", prompt, [])))
        start(call.world, job)
        ids.append(job.id)
    return _submitted(call, 1, ",".join(ids))


def _next_picture(parent: Job, kind: str, custom_id: str) -> Picture:
    """Return what a button makes of the parent's picture."""
    before, prompt = cast(Picture, parent.data["picture"]), parent.data["prompt"]
    digest = digest_of(before.digest, custom_id.replace(parent.data["hash"], ""))
    if "video_virtual" in custom_id:
        return replace(before, digest=digest)
    if kind == "UPSCALE":
        cell = part_of(before, int(custom_id.split("::")[3]))
        whole = single_picture(prompt, cell.digest, before.source)
        return replace(whole, width=before.width, height=before.height)
    if kind == "UPSCALE_HD":
        factor = 4 if "4x" in custom_id else 2
        return replace(before, width=before.width * factor, height=before.height * factor)
    if kind == "VIDEO":
        return _video_picture(prompt, digest, before.source)
    if custom_id.startswith("MJ::Outpaint::100"):
        return grid_picture(
            f"{prompt} --ar 1:1" if ratio_of(prompt) == 1 else re.sub(r"--ar \S+", "--ar 1:1", prompt), digest
        )
    return grid_picture(prompt, digest, before.source)


def _credential(request: web.Request) -> str:
    return request.headers.get("mj-api-secret", "").removeprefix("Bearer ").strip()


def _refuse(call: Call, why: Refusal) -> Answer:
    match why.kind:
        case "unauthorized":
            return Answer(401)
        case "moderated":
            properties = {"promptEn": str(call.json.get("prompt") or ""), "bannedWord": "moderated"}
            return _no("可能包含敏感词", 24, properties=properties).answer
        case "rate_limited":
            answer = _no("当前分组上游负载已饱和，请稍后再试", 30, 429).answer
            return replace(answer, headers={"retry-after": str(call.triggers.integer("rate-limit", 1))})
        case "not_found":
            return json_answer({"timestamp": "", "status": 404, "error": "Not Found", "path": call.request.path}, 404)
        case "bad_request":
            return _no(why.message, 4, why.status).answer
        case "too_large" | "server_error":
            return _no("提交失败，系统异常", 9, why.status).answer


_OPERATIONS = (
    Route("POST", "/submit/imagine", imagine),
    Route("POST", "/submit/change", change),
    Route("POST", "/submit/simple-change", simple_change),
    Route("POST", "/submit/action", action),
    Route("POST", "/submit/modal", modal),
    Route("POST", "/submit/blend", blend),
    Route("POST", "/submit/describe", describe),
    Route("POST", "/submit/shorten", shorten),
    Route("POST", "/submit/upload-discord-images", upload),
    Route("POST", "/submit/edits", edits),
    Route("POST", "/submit/edit", edits),
    Route("POST", "/submit/retexture", retexture),
    Route("POST", "/submit/video", video),
    Route("POST", "/insight-face/swap", swap_face),
    Route("POST", "/insight-face/video-swap", swap_video_face),
    Route("GET", "/task/list", list_tasks),
    Route("GET", "/task/queue", queue),
    Route("POST", "/task/list-by-condition", list_by_ids),
    Route("POST", "/task/list-by-ids", list_by_ids),
    Route("GET", "/task/{id}/fetch", fetch),
    Route("GET", "/task/{id}/image-seed", image_seed),
    Route("POST", "/task/{id}/cancel", cancel),
    Route("GET", "/image/{id}", image, public=True),
)

VENDOR = Vendor(
    name="midjourney",
    routes=tuple(
        replace(route, path=f"/mj{mode}/mj{route.path}" if mode else f"/mj{route.path}")
        for mode in MODES
        for route in _OPERATIONS
    ),
    credential=_credential,
    credential_headers=("mj-api-secret",),
    refuse=_refuse,
)
