"""Drives films by the client of pixverse-mcp; prints one line of JSON. Runs in its own environment."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from loguru import logger
from pixverse_mcp import PixverseAuthError, PixverseClient, PixverseError
from pixverse_mcp.models.requests import (
    ExtendVideoRequest,
    FusionVideoRequest,
    ImageToVideoRequest,
    LipSyncVideoRequest,
    SoundEffectVideoRequest,
    TextToVideoRequest,
    TransitionVideoRequest,
)
from tenacity import wait_none

BASE, KEY = os.environ["GATEWAY"], os.environ["TOKEN"]
FILM: dict[str, Any] = {"model": "v5", "duration": 5, "quality": "540p"}
# Its time-outs between repetitions, which are its caller's affair.
PixverseClient._make_request.retry.wait = wait_none()


async def ask(call: Callable[[PixverseClient], Awaitable[Any]], key: str = KEY) -> Any:
    """Use a client of one request, as each waits a second between two."""
    async with PixverseClient(api_key=key, base_url=BASE) as client:
        return await call(client)


async def ended(video_id: int) -> dict[str, Any]:
    """Poll to the end."""
    deadline = time.monotonic() + 60
    while True:
        result = await ask(lambda client: client.get_video_result(video_id))
        if result.status.value not in ("pending", "in_progress"):
            return {"status": result.status.value, "id": result.id, "url": result.url, "width": result.outputWidth}
        assert time.monotonic() < deadline, "the video did not come"
        await asyncio.sleep(0.1)


async def made(call: Callable[[PixverseClient], Awaitable[Any]]) -> dict[str, Any]:
    """Submit, and poll to the end."""
    accepted = await ask(call)
    return {"video_id": accepted.video_id, **await ended(accepted.video_id)}


async def refused(call: Callable[[PixverseClient], Awaitable[Any]], key: str = KEY) -> list[Any]:
    """Return what the client makes of a refusal."""
    try:
        await ask(call, key)
    except PixverseError as fault:
        return [type(fault) is PixverseAuthError, fault.error_code, str(fault)]
    raise AssertionError("nothing was refused")


async def main() -> dict[str, Any]:
    """Return what was seen."""
    picture = Path(tempfile.mkdtemp()) / "cat.png"
    picture.write_bytes(b64decode(os.environ["PICTURE"]))
    image = await ask(lambda client: client.upload_image(file_path=str(picture)))
    other = await ask(lambda client: client.upload_image(image_url="https://example.com/dog.png"))
    film = await ask(lambda client: client.upload_media(file_url="https://example.com/a.mp4"))
    sound = await ask(lambda client: client.upload_media(file_path=str(picture), media_type="audio"))
    text = await made(lambda client: client.text_to_video(TextToVideoRequest(prompt="a cat by mcp", **FILM)))
    source = {"source_video_id": text["video_id"]}
    reference = {"type": "subject", "img_id": image.img_id, "ref_name": "cat"}
    voices = await ask(lambda client: client.get_lip_sync_tts_list(page_size=2))
    spoken = {"lip_sync_tts_speaker_id": voices.data[0].speaker_id, "lip_sync_tts_content": "Hello from the moon"}
    calls: dict[str, Callable[[PixverseClient], Awaitable[Any]]] = {
        "img": lambda client: client.image_to_video(
            ImageToVideoRequest(prompt="it jumps", img_id=image.img_id, **FILM)
        ),
        "transition": lambda client: client.transition_video(
            TransitionVideoRequest(prompt="x", first_frame_img=image.img_id, last_frame_img=other.img_id, **FILM)
        ),
        "extend": lambda client: client.extend_video(ExtendVideoRequest(prompt="on", **source, **FILM)),
        "lip_sync": lambda client: client.lip_sync_video(LipSyncVideoRequest(**source, **spoken)),
        "heard": lambda client: client.lip_sync_video(
            LipSyncVideoRequest(video_media_id=film.media_id, audio_media_id=sound.media_id)
        ),
        "sound_effect": lambda client: client.sound_effect_video(
            SoundEffectVideoRequest(sound_effect_content="rain", **source)
        ),
        "fusion": lambda client: client.fusion_video(
            FusionVideoRequest(
                prompt="@cat sings",
                image_references=[reference],
                aspect_ratio="1:1",
                **{**FILM, "model": "v4.5"},
            )
        ),
    }
    films = {name: await made(call) for name, call in calls.items()}
    simple = TextToVideoRequest(prompt="x", **FILM)
    failed = TextToVideoRequest(prompt="[sandbox:moderated-output] x", **FILM)
    unknown = ImageToVideoRequest(prompt="x", img_id=17, **FILM)
    return {
        "text": text,
        **films,
        "failed": await made(lambda client: client.text_to_video(failed)),
        "voices": [voices.total, len(voices.data)],
        "errors": {
            "key": await refused(lambda client: client.text_to_video(simple), "sk-wrong"),
            "upload": await refused(lambda client: client.image_to_video(unknown)),
        },
    }


logger.remove()
print(json.dumps(asyncio.run(main())), file=sys.stdout)
