"""The sandbox's 韦尼克, as the vendor's manual and clients have it."""

from __future__ import annotations

import io
from typing import Any

import aiohttp
import pytest
from pptx import Presentation

from .conftest import advance, get, picture, post, slowly, until

BASE = "/weinike/apps"
CUSTOM = {
    "title": "网络安全大赛",
    "author": "张三",
    "catalogs": [{"catalog": "威胁", "sub_catalog": ["攻击", "勒索"]}, {"catalog": "防御", "sub_catalog": ["检测"]}],
    "contents": [
        {"catalog_index": 0, "sub_catalog_index": 0, "content": ["第一行", "第二行"]},
        {"catalog_index": 1, "sub_catalog_index": 0, "content": [{"key": "时间", "value": "2026"}]},
    ],
}


async def good(http: aiohttp.ClientSession, path: str, body: Any) -> Any:
    told = await post(http, f"{BASE}/{path}", body)
    assert (told["code"], told["msg"]) == (200, "success"), told
    return told["data"]


async def result(http: aiohttp.ClientSession, deck: str) -> Any:
    return (await get(http, f"{BASE}/ppt-result?id={deck}"))["data"]


async def made(http: aiohttp.ClientSession, path: str, body: Any) -> str:
    deck = (await good(http, path, body))["id"]
    told = await until(lambda: result(http, deck), lambda told: told["status"] != 1)
    assert told["status"] == 2, told
    return deck


async def opened(http: aiohttp.ClientSession, deck: str) -> Any:
    url = (await get(http, f"{BASE}/ppt-download?id={deck}&type=pptx"))["data"]["download_url"]
    async with http.get(url) as answer:
        return Presentation(io.BytesIO(await answer.read()))


def titles(deck: Any) -> list[str]:
    return [page.shapes.title.text for page in deck.slides]


async def test_a_deck_grows_page_by_page(http: aiohttp.ClientSession):
    async with slowly(http):
        deck = (await good(http, "ppt-create", {"text": "云计算", "complex": 1}))["id"]
        assert len(deck) == 32
        seen: list[int] = []
        for _ in range(9):
            told = await result(http, deck)
            seen.append(len(told["images_url"]))
            await advance(http, 8)
        assert (await get(http, f"{BASE}/ppt-download?id={deck}"))["data"]["download_url"]
    told = await result(http, deck)
    assert seen == sorted(seen)
    assert len(set(seen)) > 4
    assert (told["status"], told["progress"], len(told["images_url"])) == (2, 100, told["page_count"])
    assert (await picture(http, told["images_url"][0]["url"])).size == (1280, 720)
    assert len((await opened(http, deck)).slides) == told["page_count"]


async def test_nothing_is_handed_out_before_its_time(http: aiohttp.ClientSession):
    async with slowly(http):
        deck = (await good(http, "ppt-create", {"text": "云计算"}))["id"]
        for told in (
            await get(http, f"{BASE}/ppt-download?id={deck}"),
            await post(http, f"{BASE}/ppt-editor", {"id": deck}),
            await post(http, f"{BASE}/ppt-page", {"id": deck}),
            await post(http, f"{BASE}/ppt-create-task", {"id": deck}),
        ):
            assert told == {"code": 204, "msg": "请等待PPT生成完成...", "data": {}}


async def test_an_outline_with_contents(http: aiohttp.ClientSession):
    deck = await opened(http, await made(http, "ppt-create", {"custom_data": CUSTOM}))
    assert titles(deck) == ["网络安全大赛", "目录", "威胁", "攻击", "勒索", "防御", "检测", "谢谢"]
    said = [[shape.text_frame.text for shape in page.shapes] for page in deck.slides]
    assert said[0] == ["网络安全大赛", "张三", "TEST MODE"]
    assert said[3][1] == "第一行\n第二行"
    assert said[6][1] == "时间: 2026"


async def test_what_is_made_of_a_deck(http: aiohttp.ClientSession):
    source = await made(http, "ppt-create", {"custom_data": CUSTOM})
    noted = await made(http, "ppt-create-task", {"id": source, "note": "1"})
    assert noted != source
    assert (await result(http, noted))["note_status"] == 2
    assert all(page.notes_slide.notes_text_frame.text for page in (await opened(http, noted)).slides)
    other = await made(http, "ppt-create-task", {"id": source, "text": "另一个主题"})
    assert titles(await opened(http, other))[0] == "另一个主题"
    assert (
        await made(http, "ppt-page", {"id": source, "text": "新的一页", "page_index": "1", "type": "内容页"}) == source
    )
    assert titles(await opened(http, source))[0] == "新的一页"
    told = await post(http, f"{BASE}/ppt-page", {"id": source, "slide_number": 99})
    assert told["code"] == 400


async def test_covers_live_ten_minutes(http: aiohttp.ClientSession):
    covers = await good(http, "ppt-cover", {"title": "网络安全大赛", "count": "2", "style": "商务", "color": "绿色"})
    assert [cover["color"] for cover in covers] == ["绿色", "绿色"]
    assert {len(cover["color_list"]) for cover in covers} == {12}
    others = await good(http, "ppt-cover-color", {"title": "网络安全大赛", "cover_id": covers[0]["cover_id"]})
    assert len({cover["color"] for cover in others}) == 4
    assert "绿色" not in {cover["color"] for cover in others}
    chosen = {"custom_data": CUSTOM, "cover_id": others[1]["cover_id"]}
    assert (await good(http, "ppt-create", chosen))["id"]
    await advance(http, 601)
    assert (await post(http, f"{BASE}/ppt-create", chosen))["code"] == 400


async def test_the_list_of_templates(http: aiohttp.ClientSession):
    listed = (await get(http, f"{BASE}/ppt-cover-static?style=商务风&limit=3"))["data"]
    assert [one["style"] for one in listed] == ["商务风"] * 3
    assert (await good(http, "ppt-create", {"text": "云计算", "cover_id": listed[0]["id"]}))["id"]
    assert (await get(http, f"{BASE}/ppt-cover-static?limit=21"))["code"] == 400


async def test_forms(http: aiohttp.ClientSession):
    async with http.post("/weinike/mcp/ppt/ppt-create", data={"text": "云计算", "custom_data": "{}"}) as answer:
        assert (await answer.json())["code"] == 200
    form = aiohttp.FormData({"title": "云计算", "count": "1"})
    form._is_multipart = True
    async with http.post(f"{BASE}/ppt-cover", data=form) as answer:
        assert len((await answer.json())["data"]) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("ppt-create", {}),
        ("ppt-create", {"text": " "}),
        ("ppt-create", {"custom_data": {}}),
        ("ppt-create", {"custom_data": {"title": "没有目录"}}),
        ("ppt-create", {"custom_data": {**CUSTOM, "contents": [{"catalog_index": 9, "content": "x"}]}}),
        ("ppt-create", {"custom_data": {**CUSTOM, "contents": [{"catalog_index": 0, "content": [{"key": "x"}]}]}}),
        ("ppt-create", {"text": "云计算", "color": "黑色"}),
        ("ppt-create", {"text": "云计算", "complex": 4}),
        ("ppt-create", {"text": "云计算", "cover_id": "abcdef-0"}),
        ("ppt-structure", {}),
        ("ppt-cover", {"title": "云计算"}),
        ("ppt-cover", {"title": "云计算", "count": 5}),
        ("ppt-cover-color", {"title": "云计算"}),
        ("ppt-create-file", {"file_url": "https://example.com/a.exe"}),
        ("ppt-create-file", {"file_url": "a.md"}),
        ("ppt-create-thesis", {"file_key": "https://example.com/a.md"}),
    ],
)
async def test_refused(http: aiohttp.ClientSession, path: str, body: dict[str, Any]):
    told = await post(http, f"{BASE}/{path}", body)
    assert (told["code"], told["data"]) == (400, {})
    assert told["msg"]


async def test_unknown_decks_and_keys(http: aiohttp.ClientSession):
    for path in ("ppt-result?id=nobody", "ppt-download?id=nobody"):
        assert (await get(http, f"{BASE}/{path}"))["code"] == 404
    assert (await post(http, f"{BASE}/ppt-create-task", {"id": "nobody"}))["code"] == 404
    assert (await post(http, f"{BASE}/ppt-create", {"text": "x"}, authorization="Bearer invalid"))["code"] == 401


async def test_triggers(http: aiohttp.ClientSession):
    deck = (await good(http, "ppt-create", {"text": "云计算 [sandbox:fail-midway]"}))["id"]
    told = await until(lambda: result(http, deck), lambda told: told["status"] != 1)
    assert (told["status"], told["state_description"]) == (3, "internal error")
    assert (await post(http, f"{BASE}/ppt-create", {"text": "[sandbox:moderated]"}))["code"] == 403
    assert (await post(http, f"{BASE}/ppt-create", {"text": "[sandbox:rate-limit]"}, 429))["code"] == 429
