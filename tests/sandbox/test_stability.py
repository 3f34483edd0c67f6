"""Stability AI's wire format."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import aiohttp
import av
import pytest
from PIL import Image

from .conftest import get, png, post, slowly, until

GENERATE = "/v2beta/stable-image/generate"


def form(texts: dict[str, str], **files: bytes) -> aiohttp.FormData:
    data = aiohttp.FormData(texts, default_to_multipart=True)
    for name, content in files.items():
        data.add_field(name, content, filename=f"{name}.png", content_type="image/png")
    return data


async def send(http: aiohttp.ClientSession, path: str, data: aiohttp.FormData, accept: str = "image/*") -> Any:
    async with http.post(path, data=data, headers={"accept": accept}) as answer:
        return answer.status, answer.headers, await answer.read()


@pytest.mark.parametrize(
    ("model", "ratio", "kind", "size"),
    [
        ("ultra", "16:9", "webp", (1344, 768)),
        ("core", "1:1", "png", (1280, 1280)),
        ("sd3", "9:21", "jpeg", (640, 1536)),
    ],
)
async def test_generate_answers_bytes(
    http: aiohttp.ClientSession, model: str, ratio: str, kind: str, size: tuple[int, int]
):
    texts = {"prompt": "a lake", "aspect_ratio": ratio, "output_format": kind}
    status, headers, body = await send(http, f"{GENERATE}/{model}", form(texts))
    assert status == 200
    assert headers["content-type"] == f"image/{kind}"
    assert headers["finish-reason"] == "SUCCESS"
    assert int(headers["seed"]) > 0
    image = Image.open(BytesIO(body))
    assert (image.format, image.size) == (kind.upper(), size)
    again = await send(http, f"{GENERATE}/{model}", form({**texts, "seed": headers["seed"]}))
    assert again[2] == body


async def test_generate_answers_json(http: aiohttp.ClientSession):
    async with http.post(
        f"{GENERATE}/core", data=form({"prompt": "x"}), headers={"accept": "application/json"}
    ) as answer:
        assert answer.headers["content-type"] == "application/json; type=image/png"
        assert "seed" not in answer.headers
        body = await answer.json()
    assert body["finish_reason"] == "SUCCESS"
    assert Image.open(BytesIO(base64.b64decode(body["image"]))).format == "PNG"


async def test_what_was_filtered_is_blurred(http: aiohttp.ClientSession):
    _, headers, _ = await send(http, f"{GENERATE}/core", form({"prompt": "x [sandbox:moderated-output]"}))
    assert headers["finish-reason"] == "CONTENT_FILTERED"


@pytest.mark.parametrize(
    ("path", "texts", "files", "error"),
    [
        ("generate/core", {"prompt": ""}, {}, "prompt: is required"),
        ("generate/core", {"prompt": "x", "aspect_ratio": "7:1"}, {}, "aspect_ratio"),
        ("generate/ultra", {"prompt": "x"}, {"image": png()}, "strength: is required"),
        ("generate/ultra", {"prompt": "x", "strength": "2"}, {}, "strength: must be between 0 and 1"),
        ("generate/sd3", {"prompt": "x", "output_format": "webp"}, {}, "output_format"),
        ("generate/sd3", {"prompt": "x", "mode": "image-to-image"}, {}, "image-to-image requires"),
        ("edit/outpaint", {}, {"image": png()}, "at least one"),
        ("edit/erase", {"grow_mask": "21"}, {"image": png()}, "grow_mask"),
        ("edit/erase", {}, {"image": b"no picture"}, "image: must be"),
        ("edit/erase", {}, {"image": png(32, 32)}, "64 pixels"),
    ],
)
async def test_bad_fields(http: aiohttp.ClientSession, path: str, texts: Any, files: Any, error: str):
    status, headers, body = await send(http, f"/v2beta/stable-image/{path}", form(texts, **files))
    assert (status, headers["content-type"]) == (400, "application/json")
    assert b'"name":"bad_request"' in body
    assert error in body.decode()


async def test_other_bodies_are_refused(http: aiohttp.ClientSession):
    refused = await post(http, f"{GENERATE}/core", {"prompt": "x"}, 400)
    assert set(refused) == {"id", "name", "errors"}
    big = form({"prompt": "x"}, image=b"0" * (10 * 2**20))
    status, _, body = await send(http, "/v2beta/stable-image/edit/erase", big)
    assert status == 413
    assert b"payload_too_large" in body


async def test_edits_keep_the_picture(http: aiohttp.ClientSession):
    status, _, body = await send(http, "/v2beta/stable-image/upscale/fast", form({}, image=png(96, 64)))
    assert status == 200
    image = Image.open(BytesIO(body)).convert("RGB")
    assert image.size == (384, 256)
    assert image.getpixel((1, 1)) == (0, 128, 128)
    wider = form({"left": "20", "down": "30"}, image=png(96, 64))
    _, _, body = await send(http, "/v2beta/stable-image/edit/outpaint", wider)
    assert Image.open(BytesIO(body)).size == (116, 94)
    _, _, body = await send(http, "/v2beta/stable-image/edit/remove-background", form({}, image=png()))
    assert Image.open(BytesIO(body)).convert("RGBA").getpixel((0, 0))[3] == 0


@pytest.mark.parametrize(
    ("path", "texts", "field"),
    [
        ("upscale/conservative", {"prompt": "x"}, "image"),
        ("edit/inpaint", {"prompt": "x"}, "image"),
        ("edit/search-and-replace", {"prompt": "x", "search_prompt": "y"}, "image"),
        ("edit/search-and-recolor", {"prompt": "x", "select_prompt": "y"}, "image"),
        ("control/sketch", {"prompt": "x"}, "image"),
        ("control/structure", {"prompt": "x"}, "image"),
        ("control/style", {"prompt": "x", "fidelity": "0.2"}, "image"),
    ],
)
async def test_the_other_operations(http: aiohttp.ClientSession, path: str, texts: dict[str, str], field: str):
    status, headers, body = await send(http, f"/v2beta/stable-image/{path}", form(texts, **{field: png()}))
    assert (status, headers["content-type"]) == (200, "image/png"), body
    assert Image.open(BytesIO(body)).format == "PNG"


@pytest.mark.parametrize(
    ("path", "texts", "field"),
    [
        ("stable-image/upscale/creative", {"prompt": "x"}, "image"),
        ("stable-image/edit/replace-background-and-relight", {"background_prompt": "x"}, "subject_image"),
        ("image-to-video", {}, "image"),
    ],
)
async def test_asynchronous_calls(http: aiohttp.ClientSession, path: str, texts: dict[str, str], field: str):
    async def poll() -> tuple[int, bytes]:
        async with http.get(f"/v2beta/results/{identity}", headers={"accept": "*/*"}) as answer:
            return answer.status, await answer.read()

    async with slowly(http):
        async with http.post(f"/v2beta/{path}", data=form(texts, **{field: png()})) as answer:
            body = await answer.json()
            assert answer.status == 200, body
        identity = body["id"]
        assert len(identity) == 64
        assert (await poll())[0] == 202
    _, data = await until(poll, lambda answer: answer[0] == 200)
    if path == "image-to-video":
        assert data[4:8] == b"ftyp"
        with av.open(BytesIO(data)) as film:
            assert len(list(film.decode(video=0))) == 25
    else:
        assert Image.open(BytesIO(data)).width > 0
    async with http.get(f"/v2beta/results/{identity}", headers={"authorization": "Bearer another"}) as answer:
        assert answer.status == 404


async def test_a_model(http: aiohttp.ClientSession):
    status, headers, body = await send(http, "/v2beta/3d/stable-fast-3d", form({}, image=png()), "*/*")
    assert (status, headers["content-type"]) == (200, "model/gltf-binary")
    assert body[:4] == b"glTF"
    assert int.from_bytes(body[8:12], "little") == len(body)


async def test_sdxl(http: aiohttp.ClientSession):
    path = "/v1/generation/stable-diffusion-xl-1024-v1-0/text-to-image"
    body: dict[str, Any] = {"text_prompts": [{"text": "a hill"}], "width": 1152, "height": 896, "samples": 2, "seed": 5}
    answer = await post(http, path, body)
    assert [one["seed"] for one in answer["artifacts"]] == [5, 6]
    assert all(one["finishReason"] == "SUCCESS" for one in answer["artifacts"])
    assert Image.open(BytesIO(base64.b64decode(answer["artifacts"][0]["base64"]))).size == (1152, 896)
    async with http.post(path, json=body, headers={"accept": "image/png"}) as raw:
        assert raw.headers["Seed"] == "5"
        assert await raw.read() == base64.b64decode(answer["artifacts"][0]["base64"])
    refused = await post(http, path, {**body, "width": 1000}, 400)
    assert set(refused) == {"id", "name", "message"}
    unknown = await post(http, "/v1/generation/other/text-to-image", body, 404)
    assert unknown["message"] == "The specified engine (ID other) was not found."


async def test_sdxl_from_an_image(http: aiohttp.ClientSession):
    texts = {"text_prompts[0][text]": "x", "text_prompts[0][weight]": "1", "steps": "20"}
    path = "/v1/generation/stable-diffusion-v1-6/image-to-image"
    status, _, body = await send(http, path, form(texts, init_image=png(320, 320)), "image/png")
    assert status == 200, body
    masked = form({**texts, "mask_source": "INIT_IMAGE_ALPHA"}, init_image=png(320, 320))
    status, _, body = await send(http, f"{path}/masking", masked, "application/json")
    assert status == 200, body


async def test_credits_go_down(http: aiohttp.ClientSession):
    own = {"authorization": "Bearer credits-test"}

    async def balance() -> float:
        async with http.get("/v1/user/balance", headers=own) as answer:
            return (await answer.json())["credits"]

    before = await balance()
    async with http.post(f"{GENERATE}/sd3", data=form({"prompt": "x", "model": "sd3.5-medium"}), headers=own) as answer:
        assert answer.status == 200
    assert before - await balance() == pytest.approx(3.5)
    assert {one["type"] for one in await get(http, "/v1/engines/list")} == {"PICTURE"}
