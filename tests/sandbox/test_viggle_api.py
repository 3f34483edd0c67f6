"""The sandbox's official API of Viggle, as the vendor's pages have it."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from deeepai.sandbox.media.draw import Picture
from deeepai.sandbox.media.video import film

from .conftest import get, png, post, until

BASE = "/viggle_api/api"
ADDRESSES = {"ref_image_url": "https://example.com/a.png", "driving_video_url": "https://example.com/d.mp4"}


async def sent(http: aiohttp.ClientSession, path: str, status: int, files: dict[str, bytes], **fields: str) -> Any:
    form = aiohttp.FormData(fields)
    for name, data in files.items():
        form.add_field(name, data, filename=f"{name}.bin")
    async with http.post(f"{BASE}/{path}", data=form) as answer:
        told = await answer.json()
        assert answer.status == status, told
        return told


async def ended(http: aiohttp.ClientSession, job: str) -> Any:
    final = ("complete", "failed", "cancelled")
    return await until(lambda: get(http, f"{BASE}/render/{job}"), lambda told: told["status"] in final)


async def balance(http: aiohttp.ClientSession) -> float:
    return (await get(http, f"{BASE}/credits"))["balance"]


async def test_a_render_costs_its_seconds(http: aiohttp.ClientSession):
    before = await balance(http)
    dance = film(Picture(180, 320, "a dance", b"a dance"), 3.2)
    files = {"ref_image": png(64, 64), "driving_video": dance}
    accepted = await sent(http, "render", 200, files, background_mode="transparent", fast="true")
    done = await ended(http, accepted["job_id"])
    assert (done["status"], done["progress_pct"], done["checkpoint"]) == ("complete", 100, "render_done")
    assert done["cdn_url"] != done["mask_cdn_url"] is not None
    assert await balance(http) == before - 8


async def test_scenes_and_characters_are_ready_later(http: aiohttp.ClientSession):
    before = await balance(http)
    imported = await post(http, f"{BASE}/scenes/import", {"template_id": "4", "name": "team"})
    assert len(imported["segments"]) == 4
    character = (await sent(http, "characters/preprocess", 200, {"image": png(64, 64)}, name="Ann"))["character_id"]
    for path in (f"scenes/{imported['id']}", f"characters/{character}"):
        await until(lambda path=path: get(http, f"{BASE}/{path}"), lambda told: told["status"] == "ready")
    rendered = {"scene_id": imported["id"], "character_id": character}
    accepted = await post(http, f"{BASE}/render", rendered)
    assert (await ended(http, accepted["job_id"]))["status"] == "complete"
    assert await balance(http) == before - 15 - 1 - 15, "the import, the character, and as many seconds"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"driving_video_url": "https://example.com/d.mp4"}, 400, "CS-ORIV-001"),
        ({"ref_image_url": "https://example.com/a.png"}, 400, "CS-ORIV-002"),
        ({**ADDRESSES, "bg_color": "1,2,3"}, 400, "CS-ORIV-000"),
        ({**ADDRESSES, "fast": True}, 400, "CS-ORIV-000"),
        ({**ADDRESSES, "model": "V9"}, 400, "CS-ORIV-000"),
        ({**ADDRESSES, "character_id": "nobody-s"}, 400, "CS-ORIV-000"),
        ({"character_id": "nobody-s", "scene_id": "nobody-s"}, 404, "CS-ORNF-001"),
        ({**ADDRESSES, "character_mapping": "[]"}, 400, "CS-ORIV-000"),
    ],
)
async def test_refusals(http: aiohttp.ClientSession, body: Any, status: int, code: str):
    async with http.post(f"{BASE}/render", json=body) as answer:
        told = await answer.json()
    assert (answer.status, told["detail"]["error_code"]) == (status, code)


async def test_a_video_of_more_than_five_minutes(http: aiohttp.ClientSession):
    files = {"ref_image": png(64, 64), "driving_video": film(Picture(16, 16, "long", b"long"), 301)}
    assert (await sent(http, "render", 400, files))["detail"]["error_code"] == "CS-ORIV-004"
    assert (await sent(http, "scenes/preprocess", 400, {"video": png(64, 64)}, name="x"))["detail"]["message"]
    assert (await sent(http, "scenes/import", 400, {}, template_id="1"))["detail"]["message"]
