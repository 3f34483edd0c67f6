"""The sandbox's PicWish: sizes, formats, ends and ways of answering, as the vendor's pages have them."""

from __future__ import annotations

import base64
import io
from typing import Any

import aiohttp
import docx
import openpyxl
import pypdf
import pytest
from pptx import Presentation

from tests.support.pictures import opened
from tests.support.receiver import Receiver

from .conftest import png, until

BASE = "/picwish/api/tasks"
KEY = {"x-api-key": "sk-test"}
URL = "https://example.com/a.png"


async def asked(
    http: aiohttp.ClientSession, path: str, status: int = 200, picture: bytes | None = None, **fields: str
) -> Any:
    form = aiohttp.FormData(fields)
    if picture is not None:
        form.add_field("image_file", picture, filename="a.png")
    async with http.post(f"{BASE}/{path}", data=form, headers=KEY) as answer:
        told = await answer.json() if "json" in answer.content_type else await answer.read()
        assert answer.status == status, told
        return told


async def looked(http: aiohttp.ClientSession, path: str, task: str, status: int = 200) -> Any:
    async with http.get(f"{BASE}/{path}/{task}", headers=KEY) as answer:
        assert answer.status == status
        return await answer.json()


async def ended(http: aiohttp.ClientSession, path: str, told: Any) -> Any:
    task = told["data"]["task_id"]
    done = await until(lambda: looked(http, path, task), lambda told: told["data"]["state"] not in (0, 2, 3, 4))
    return done["data"]


async def file_of(http: aiohttp.ClientSession, url: str) -> bytes:
    async with http.get(url) as answer:
        assert answer.status == 200
        return await answer.read()


@pytest.mark.parametrize(
    ("path", "fields", "size", "kind"),
    [
        ("visual/segmentation", {}, (300, 200), "PNG"),
        ("visual/segmentation", {"crop": "1", "format": "jpg"}, (150, 100), "JPEG"),
        ("visual/scale", {}, (1200, 800), "JPEG"),
        ("visual/scale", {"scale_factor": "1"}, (300, 200), "JPEG"),
        ("visual/idphoto", {"size": "240x320"}, (240, 320), "PNG"),
        ("visual/colorization", {"format": "webp"}, (300, 200), "WEBP"),
        ("visual/imgcompress", {"width": "150"}, (150, 100), "JPEG"),
        ("visual/correction", {"type": "3"}, (300, 200), "JPEG"),
    ],
)
async def test_pictures(http: aiohttp.ClientSession, path: str, fields: dict[str, str], size: Any, kind: str) -> None:
    done = await ended(http, path, await asked(http, path, picture=png(300, 200), **fields))
    image = opened(await file_of(http, done["image"]))
    assert (image.size, image.format) == (size, kind)


@pytest.mark.parametrize("kind", ["txt", "pdf", "docx", "xlsx", "pptx"])
async def test_documents(http: aiohttp.ClientSession, kind: str) -> None:
    path = "document/ocr"
    done = await ended(http, path, await asked(http, path, image_url=URL, format=kind))
    made = await file_of(http, done["file"])
    match kind:
        case "txt":
            text = made.decode()
        case "pdf":
            text = pypdf.PdfReader(io.BytesIO(made)).pages[0].extract_text()
        case "docx":
            text = docx.Document(io.BytesIO(made)).paragraphs[0].text
        case "xlsx":
            text = openpyxl.load_workbook(io.BytesIO(made)).worksheets[0]["A1"].value
        case _:
            (slide,) = Presentation(io.BytesIO(made)).slides
            text = next(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)
    assert text == "TEST MODE: text that was read"


async def test_waiting(http: aiohttp.ClientSession) -> None:
    told = await asked(http, "visual/scale", picture=png(300, 200), sync="1")
    assert (told["data"]["state"], told["data"]["progress"]) == (1, 100)
    both = await asked(http, "visual/segmentation", picture=png(64), sync="1", return_type="2", output_type="1")
    assert opened(base64.b64decode(both["data"]["mask"])).size == (64, 64)
    assert opened(await asked(http, "visual/scale", picture=png(64), sync="1", return_type="3")).size == (256, 256)


@pytest.mark.parametrize(
    ("path", "picture", "fields", "state"),
    [
        ("visual/scale", b"no picture", {}, -7),
        ("visual/scale", png(4097, 2), {}, -5),
        ("visual/imgcompress", png(8001, 2), {}, -5),
        ("visual/imgcompress", png(8000, 2), {}, 1),
        ("visual/inpaint", png(30), {"mask_base64": base64.b64encode(png(31)).decode()}, -7),
        ("visual/scale", None, {"image_url": f"{URL}?[sandbox:fail-midway]"}, -1),
        ("visual/scale", None, {"image_url": f"{URL}?[sandbox:moderated]"}, -1),
        ("document/ocr", None, {"image_url": "https://example.com:8443/a.pdf", "format": "txt"}, -3),
    ],
)
async def test_ends(http: aiohttp.ClientSession, path: str, picture: Any, fields: dict[str, str], state: int) -> None:
    done = await ended(http, path, await asked(http, path, picture=picture, **fields))
    assert done["state"] == state
    assert bool(done.get("image")) == (state == 1)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("visual/scale", {}),
        ("visual/scale", {"image_url": URL, "scale_factor": "3"}),
        ("visual/scale", {"image_url": URL, "sync": "2"}),
        ("visual/scale", {"image_url": "ftp://example.com/a.png"}),
        ("visual/scale", {"image_url": URL, "image_base64": "aaaa"}),
        ("visual/inpaint", {"image_url": URL}),
        ("visual/inpaint", {"image_url": URL, "mask_url": URL, "rectangles": "[]"}),
        ("visual/inpaint", {"image_url": URL, "rectangles": '[{"x": 1}]'}),
        ("visual/inpaint", {"image_url": URL, "mask_url": URL, "return_type": "3"}),
        ("visual/background", {"image_url": URL}),
        ("visual/background", {"image_url": URL, "prompt": "x", "batch_size": "5"}),
        ("visual/idphoto", {"image_url": URL, "size": "99x100"}),
        ("visual/imgcompress", {"image_url": URL, "quality": "10", "kbyte": "10"}),
        ("visual/imgcompress", {"image_url": URL, "kbyte": "10", "format": "png"}),
        ("document/ocr", {"image_url": URL}),
        ("document/ocr", {"image_url": URL, "format": "txt", "language": ",".join("abcdefghijk")}),
    ],
)
async def test_refusals(http: aiohttp.ClientSession, path: str, fields: dict[str, str]) -> None:
    told = await asked(http, path, 400, **fields)
    assert set(told) == {"status", "message"}
    assert told["status"] == 400


async def test_tasks_of_others(http: aiohttp.ClientSession) -> None:
    task = (await asked(http, "visual/scale", image_url=URL))["data"]["task_id"]
    await looked(http, "visual/inpaint", task, 404)
    async with http.get(f"{BASE}/visual/scale/{task}", headers={"x-api-key": "another"}) as answer:
        assert answer.status == 404
    async with http.get(f"{BASE}/visual/scale/{task}", headers={"x-api-key": ""}) as answer:
        assert (answer.status, (await answer.json())["status"]) == (401, 401)


async def test_callbacks(http: aiohttp.ClientSession) -> None:
    with Receiver() as receiver:
        path = "visual/colorization"
        fields = {"image_url": f"{URL}?[sandbox:duplicate-callback]", "callback_url": receiver.url}
        done = await ended(http, path, await asked(http, path, **fields))
        await until(lambda: _length(receiver), lambda count: count == 2)
    assert [call.body for call in receiver.received] == [{"status": 200, "message": "success", "data": done}] * 2


async def _length(receiver: Receiver) -> int:
    return len(receiver.received)
