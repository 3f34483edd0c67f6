"""What a Midjourney task is: its pictures, buttons, texts, and how it is shown.

The format is that of the open-source midjourney-proxy and of the forks that relays run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import msgspec

from ...jobs import Job
from ...media.draw import MIME, Picture, fit, recipe, render_animation
from ...vendor import World, digest_of

INSTANCE = "1118138338562560102"
URL_LIFETIME = 24 * 3600
"""Seconds that a picture's URL works."""
DEFAULT_VERSION = 6.1
CELL_PIXELS = 512 * 512
WHOLE_PIXELS = 1024 * 1024
SECONDS = {
    "IMAGINE": 30.0,
    "UPSCALE": 3.0,
    "UPSCALE_HD": 25.0,
    "DESCRIBE": 10.0,
    "SHORTEN": 8.0,
    "SWAP_FACE": 15.0,
    "VIDEO": 60.0,
    "SWAP_VIDEO_FACE": 60.0,
}
"""How long an action takes; 30 for those not named."""
NUMBERS = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣")
GRIDS = frozenset({"IMAGINE", "VARIATION", "REROLL", "BLEND", "ZOOM", "PAN", "EDIT", "RETEXTURE"})
STATUS = {
    "waiting": "MODAL",
    "running": "IN_PROGRESS",
    "done": "SUCCESS",
    "failed": "FAILURE",
    "moderated": "FAILURE",
    "cancelled": "CANCEL",
}
REASONS = {
    "request": "[Banned prompt detected] Sorry! Our AI moderators feel your prompt might be against our standards.",
    "output": "[Request cancelled due to output filters] Sorry! The generated images were blocked by our filters.",
}


def version_of(prompt: str) -> float:
    """Return the model version that a prompt asks for."""
    match = re.search(r"--(?:v|version|niji)\s+(\d+(?:\.\d+)?)", prompt)
    return float(match[1]) if match else DEFAULT_VERSION


def ratio_of(prompt: str) -> float:
    """Return width / height that a prompt asks for, within 1:4 and 4:1."""
    match = re.search(r"--(?:ar|aspect)\s+(\d+):(\d+)", prompt)
    if match is None or not int(match[1]) or not int(match[2]):
        return 1.0
    return min(4.0, max(0.25, int(match[1]) / int(match[2])))


def grid_picture(prompt: str, digest: bytes, source: bytes | None = None) -> Picture:
    """Return the picture of four that most actions make."""
    width, height = fit(ratio_of(prompt), CELL_PIXELS, 16)
    return Picture(width * 2, height * 2, prompt, digest, "png", source, grid=True)


def single_picture(prompt: str, digest: bytes, source: bytes | None = None, pixels: float = WHOLE_PIXELS) -> Picture:
    """Return a picture that stands alone."""
    width, height = fit(ratio_of(prompt), pixels, 16)
    return Picture(width, height, prompt, digest, "png", source)


def button(custom_id: str, label: str, emoji: str = "", style: int = 2) -> dict[str, Any]:
    """Return one button."""
    return {"customId": custom_id, "emoji": emoji, "label": label, "type": 2, "style": style}


def grid_buttons(identity: str) -> list[dict[str, Any]]:
    """Return the buttons of a picture of four."""
    return [
        *(button(f"MJ::JOB::upsample::{number}::{identity}", f"U{number}") for number in range(1, 5)),
        button(f"MJ::JOB::reroll::0::{identity}::SOLO", "", "🔄"),
        *(button(f"MJ::JOB::variation::{number}::{identity}", f"V{number}") for number in range(1, 5)),
    ]


def upscaled_buttons(identity: str, version: float) -> list[dict[str, Any]]:
    """Return the buttons of a single picture, which the model version decides."""
    buttons: list[dict[str, Any]] = []

    def job(name: str, label: str, emoji: str = "") -> None:
        buttons.append(button(f"MJ::JOB::{name}::1::{identity}::SOLO", label, emoji))

    if 5 <= version < 6:
        job("upsample_v5_2x", "Upscale (2x)", "upscale_1")
        job("upsample_v5_4x", "Upscale (4x)", "upscale_1")
    elif 6 <= version < 8:
        name = "v7" if version >= 7 else "v6r1" if version > 6 else "v6"
        job(f"upsample_{name}_2x_subtle", "Upscale (Subtle)", "upscale_1")
        job(f"upsample_{name}_2x_creative", "Upscale (Creative)", "upscale_1")
    job("low_variation", "Vary (Subtle)", "🪄")
    job("high_variation", "Vary (Strong)", "🪄")
    if version >= 5:
        buttons.append(button(f"MJ::Inpaint::1::{identity}::SOLO", "Vary (Region)", "🖌️"))
    if 5 <= version < 8:
        for amount, label in ((50, "Zoom Out 2x"), (75, "Zoom Out 1.5x"), (100, "Make Square")):
            buttons.append(button(f"MJ::Outpaint::{amount}::1::{identity}::SOLO", label, "🔍"))
        buttons.append(button(f"MJ::CustomZoom::{identity}", "Custom Zoom", "🔍"))
        for name, emoji in (("left", "⬅️"), ("right", "➡️"), ("up", "⬆️"), ("down", "⬇️")):
            job(f"pan_{name}", "", emoji)
    job("animate_high", "Animate (High motion)", "🎞️")
    job("animate_low", "Animate (Low motion)", "🎞️")
    buttons.append(button(f"MJ::BOOKMARK::{identity}", "", "❤️"))
    job("reroll", "", "🔄")
    buttons[-1]["customId"] = f"MJ::JOB::reroll::0::{identity}::SOLO"
    return buttons


def video_buttons(identity: str, upscaled: bool) -> list[dict[str, Any]]:
    """Return the buttons of a video, or of one upscaled from it."""
    if not upscaled:
        return [
            *(button(f"MJ::JOB::video_virtual_upscale::{n}::{identity}", f"U{n}") for n in range(1, 5)),
            button(f"MJ::JOB::reroll::0::{identity}::SOLO", "", "🔄"),
        ]
    return [
        button(f"MJ::JOB::animate_high_extend::1::{identity}", "Extend (High motion)", "🎞️"),
        button(f"MJ::JOB::animate_low_extend::1::{identity}", "Extend (Low motion)", "🎞️"),
    ]


def describe_buttons() -> list[dict[str, Any]]:
    """Return the buttons of a description."""
    return [
        *(button(f"MJ::Job::PicReader::{number}", "", NUMBERS[number - 1]) for number in range(1, 5)),
        button("MJ::Picread::Retry", "", "🔄"),
        button("MJ::Job::PicReader::all", "Imagine all", "🎉"),
    ]


def shorten_buttons() -> list[dict[str, Any]]:
    """Return the buttons of a shortened prompt."""
    return [
        *(button(f"MJ::Job::PromptAnalyzer::{number}", "", NUMBERS[number - 1]) for number in range(1, 6)),
        button("MJ::Job::PromptAnalyzer::details", "Show Details"),
    ]


def described(digest: bytes, ratio: str) -> list[str]:
    """Return four prompts that describe a picture."""
    kinds = ("a gradient", "soft shapes", "a calm abstract", "layered circles")
    return [f"{kinds[(digest[n] + n) % 4]}, test mode, study {digest[n]} --ar {ratio}" for n in range(4)]


def shortened(prompt: str) -> tuple[str, list[str]]:
    """Return the analysis of a prompt (markdown), and five shorter ones."""
    words = [word for word in prompt.split() if not word.startswith("--")] or ["test"]
    tokens = " ".join(f"**{word}**" if len(word) > 4 else f"~~{word}~~" for word in words)
    shorter = [" ".join(words[: max(1, len(words) - number)]) for number in range(5)]
    lines = "\n\n".join(f"{NUMBERS[number]} {text}" for number, text in enumerate(shorter))
    return f"## Important tokens\n{tokens}\n\n## Shortened prompts\n{lines}", shorter


def numbered(prompts: list[str]) -> str:
    """Return prompts as the bot lists them."""
    return "\n\n".join(f"{NUMBERS[number]} {text}" for number, text in enumerate(prompts))


def changed(world: World, job: Job) -> None:
    """Bring a task's results up to its state, and tell the caller's hook."""
    data = job.data
    if job.state == "running" and job.percent >= 15 and data.get("picture") is not None:
        blur = max(1, 60 - job.percent // 2) / 6
        small = cast(Picture, data["picture"])
        half = replace(small, width=small.width // 2, height=small.height // 2, format="webp", blur=blur)
        _set_image(world, job, half)
    if job.state == "done":
        _complete(world, job)
    tell(world, job)


def tell(world: World, job: Job) -> None:
    """Post the task to its hook, if it has one."""
    if hook := job.data.get("notifyHook"):
        world.callbacks.send(job, hook, msgspec.json.encode(view(world, job)))


def view(world: World, job: Job) -> dict[str, Any]:
    """Return a task as clients see it. Times are epoch milliseconds."""
    data = job.data
    status = STATUS.get(job.state) or ("NOT_START" if data.get("queued") else "SUBMITTED")
    progress = "" if status == "NOT_START" else f"{job.percent}%"
    if status in {"FAILURE", "CANCEL"}:
        progress = ""
    text = data.get("text") or data["prompt"]
    message_id = f"{13 * 10**17 + int(data['hash'].replace('-', '')[:14], 16)}"
    properties = {
        "finalPrompt": data.get("final") or text,
        "finalZhPrompt": "",
        "botType": data["botType"],
        "discordInstanceId": INSTANCE,
        "discordChannelId": INSTANCE,
        "messageId": message_id,
        "messageHash": data["hash"],
        "messageContent": f"**{text}** - <@1343445981269594182> (fast)",
        "progressMessageId": str(int(message_id) - 1),
        "flags": 0,
        "nonce": job.id,
        "notifyHook": data.get("notifyHook") or "",
    }
    shown: dict[str, Any] = {
        "id": job.id,
        "action": job.kind,
        "status": status,
        "progress": progress,
        "prompt": text,
        "promptEn": text,
        "description": data["description"],
        "state": data.get("state"),
        "submitTime": _milliseconds(job.created),
        "startTime": _milliseconds(job.started),
        "finishTime": _milliseconds(job.finished),
        "imageUrl": data.get("imageUrl"),
        "failReason": REASONS.get(job.error, job.error) or None,
        "buttons": data.get("buttons") or [],
        "properties": properties,
    }
    if "videoUrl" in data:
        shown |= {"videoUrl": data["videoUrl"], "videoUrls": data["videoUrls"]}
    return shown


def start(world: World, job: Job) -> None:
    """Let a task run."""
    job.state = "queued"
    queued = "queued" in job.triggers
    job.data["queued"] = queued
    on_change: Callable[[Job], None] = lambda moved: changed(world, moved)  # noqa: E731
    world.jobs.start(job, SECONDS.get(job.kind, 30.0), on_change, queue_seconds=20.0 if queued else None)
    tell(world, job)


def file_url(world: World, job: Job, make: Callable[[], bytes], suffix: str) -> str:
    """Store a file of a task; return its URL."""
    name = world.files.add(make, suffix, MIME[suffix])
    job.data["file"] = name
    return world.files.url(job.data["origin"], name, -1 if "expire-url" in job.triggers else URL_LIFETIME)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


def _set_image(world: World, job: Job, picture: Picture) -> None:
    job.data["imageUrl"] = file_url(world, job, recipe(picture), picture.format)


def _complete(world: World, job: Job) -> None:
    data = job.data
    picture = cast(Picture | None, data.get("picture"))
    version = version_of(data["prompt"])
    match job.kind:
        case "DESCRIBE":
            data["text"] = numbered(data["choices"])
            data["buttons"] = describe_buttons()
        case "SHORTEN":
            data["final"] = data["analysis"]
            data["buttons"] = shorten_buttons()
        case "VIDEO":
            data["buttons"] = video_buttons(data["hash"], upscaled=False)
        case "UPSCALE" if data.get("of_video"):
            data["buttons"] = video_buttons(data["hash"], upscaled=True)
        case "UPSCALE" | "UPSCALE_HD":
            data["buttons"] = upscaled_buttons(data["hash"], version)
        case kind if kind in GRIDS:
            data["buttons"] = grid_buttons(data["hash"])
        case _:
            data["buttons"] = []
    if picture is None:
        return
    if data.get("clips"):
        clips = [replace(picture, digest=digest_of(picture.digest, n), format="webp") for n in range(data["clips"])]
        urls: list[dict[str, str]] = []
        for clip in clips:
            still = file_url(world, job, recipe(replace(clip, format="png")), "png")
            urls.append(
                {"url": file_url(world, job, lambda clip=clip: render_animation(clip), "webp"), "thumbnail": still}
            )
        data["videoUrl"], data["videoUrls"], data["imageUrl"] = urls[0]["url"], urls, urls[0]["thumbnail"]
    else:
        _set_image(world, job, picture)
