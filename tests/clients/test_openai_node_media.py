"""OpenAI's own Node SDK: pictures, sounds, videos, moderations."""

from __future__ import annotations

import pytest

from tests.clients.test_node import run
from tests.stack import Gateway

PNG = [0x89, 0x50, 0x4E, 0x47]
WORDS = "The quick brown fox jumps over the lazy dog"


@pytest.mark.operation(
    *(f"openai.images.{name}" for name in ("generations", "edits")),
    *(f"openai.audio.{name}" for name in ("speech", "transcriptions", "translations")),
    *(f"openai.videos.{name}" for name in ("create", "get", "content", "remix", "list", "delete")),
    "openai.moderations",
)
def test_pictures_sounds_and_videos(gateway: Gateway) -> None:
    seen = run("openai_media.mjs", gateway)
    assert seen["drawn"] == PNG
    assert seen["editedFrom"] == 2 * 323, "both pictures arrive"
    assert seen["events"] == ["image_generation.partial_image", "image_generation.completed"]
    assert seen["sound"] == "RIFF"
    assert seen["heard"] == seen["translated"] == seen["streamed"] == WORDS
    assert seen["flagged"] is True
    assert seen["video"] == ["completed", "8", "720x1280"]
    assert seen["film"] == "ftyp"
    assert (seen["remixed"], seen["listed"], seen["deleted"]) == (True, True, True)
    assert seen["errors"] == {
        "gone": "NotFoundError",
        "length": "BadRequestError",
        "sound": "BadRequestError",
        "moderated": "BadRequestError",
    }
