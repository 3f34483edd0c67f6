"""The engine behind 韦尼克's format: decks that are made, over real sockets."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from PIL import Image
from pptx import Presentation

from tests.engines.conftest import program
from tests.support.until import PATIENCE, until

OUTLINE: dict[str, Any] = {
    "title": "网络安全大赛",
    "sub_title": "总决赛",
    "author": "张三",
    "catalogs": [
        {"catalog": "威胁", "sub_catalog": ["新型攻击", "勒索软件"]},
        {"catalog": "防御", "sub_catalog": ["检测", "演练"]},
    ],
    "contents": [
        {"catalog_index": 0, "sub_catalog_index": 0, "content": ["钓鱼邮件仍是最常见的入口", "供应链攻击增长最快"]},
        {"catalog_index": 0, "sub_catalog_index": 1, "content": "先隔离\n再恢复"},
        {
            "catalog_index": 1,
            "sub_catalog_index": 0,
            "content": [{"key": "2024", "value": "120"}, {"key": "2025", "value": 180}, {"key": "2026", "value": 240}],
        },
        {
            "catalog_index": 1,
            "sub_catalog_index": 1,
            "content": [{"key": "准备", "value": "定下规则"}, {"key": "执行", "value": "红蓝对抗"}],
        },
    ],
}
REPORT = """# 海洋塑料

摘要说明研究的范围。

## 来源

### 河流

每年约有八百万吨塑料进入海洋。其中大部分来自十条河流。

### 渔业

废弃渔网占大垃圾带的一半。

## 对策

### 收集

在河口设置拦截装置。二〇二五年已有二十处。
"""


class Engine:
    def __init__(self, url: str) -> None:
        self.url = url
        self.base = f"{url}/weinike/apps"

    def said(self, method: str, name: str, **more: Any) -> Any:
        answer = requests.request(method, f"{self.base}/{name}", timeout=4 * PATIENCE, **more)
        return answer.json()

    def good(self, method: str, name: str, **more: Any) -> Any:
        told = self.said(method, name, **more)
        assert (told["code"], told["msg"]) == (200, "success"), told
        assert told["data"]
        return told["data"]

    def post(self, name: str, **fields: Any) -> Any:
        return self.good("POST", name, json=fields)

    def result(self, deck: str) -> Any:
        return self.good("GET", "ppt-result", params={"id": deck})

    def done(self, deck: str) -> Any:
        told: dict[str, Any] = {}

        def look() -> Any:
            told.update(self.result(deck))
            return told["status"] != 1

        until(look, lambda: f"{told.get('progress')} {told.get('state_description')}")
        return told

    def made(self, name: str, **fields: Any) -> str:
        deck = self.post(name, **fields)["id"]
        told = self.done(deck)
        assert told["status"] == 2, told
        return deck

    def opened(self, deck: str) -> Any:
        url = self.good("GET", "ppt-download", params={"id": deck, "type": "pptx"})["download_url"]
        return Presentation(io.BytesIO(requests.get(url, timeout=PATIENCE).content))


def picture(url: str) -> Image.Image:
    return Image.open(io.BytesIO(requests.get(url, timeout=PATIENCE).content))


def said(page: Any) -> list[str]:
    return [shape.text_frame.text for shape in page.shapes if shape.has_text_frame and shape.text_frame.text.strip()]


def everything(deck: Any) -> str:
    return "\n".join(line for page in deck.slides for line in said(page))


def scheme(deck: Any) -> list[str]:
    part = deck.slide_masters[0].part.part_related_by(
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships/theme"
    )
    found = re.search(rb"<a:clrScheme.*?</a:clrScheme>", part.blob, re.DOTALL)
    assert found is not None
    return [colour.decode() for colour in re.findall(rb'val="([0-9A-F]{6})"', found[0])]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    data = tmp_path_factory.mktemp("data")
    with program(tmp_path_factory.mktemp("packs"), "--data", str(data), "--allow-private", "127.0.0.0/8") as url:
        yield Engine(url)


@pytest.fixture(scope="module")
def deck(engine: Engine) -> str:
    """A deck of an outline that says all."""
    return engine.made("ppt-create", custom_data=OUTLINE)


@contextmanager
def files(**held: tuple[str, bytes]) -> Iterator[str]:
    """Serve files, by name with dots as underlines, each with its type."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = held.get(self.path.partition("?")[0].lstrip("/").replace(".", "_"), ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("content-type", kind or "text/plain")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def png(colour: str, size: tuple[int, int] = (320, 200)) -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", size, colour).save(drawn, "PNG")
    return drawn.getvalue()


# Decks -------------------------------------------------------------------------------------------------------------


def test_an_outline_becomes_a_deck(engine: Engine, deck: str) -> None:
    told = engine.result(deck)
    assert (told["ppt_title"], told["status"], told["progress"], told["note_status"]) == ("网络安全大赛", 2, 100, 0)
    assert len(told["images_url"]) == told["page_count"]
    assert [picture(item["url"]).size for item in told["images_url"]] == [(1280, 720)] * told["page_count"]
    opened = engine.opened(deck)
    assert len(opened.slides) == told["page_count"]
    words = everything(opened)
    for line in ("网络安全大赛", "张三", "威胁", "勒索软件", "供应链攻击增长最快", "再恢复", "定下规则"):
        assert line in words
    charts = [shape.chart for page in opened.slides for shape in page.shapes if shape.has_chart]
    assert [list(chart.plots[0].series[0].values) for chart in charts] == [[120, 180, 240]]
    assert list(charts[0].plots[0].categories) == ["2024", "2025", "2026"]


def test_a_topic_becomes_a_deck_that_grows(engine: Engine) -> None:
    made = engine.post(
        "ppt-create", text="生成一份网络安全PPT", complex="1", color="蓝色", font_name="楷体", transition="1"
    )["id"]
    seen: list[int] = []

    def look() -> Any:
        told = engine.result(made)
        seen.append(len(told["images_url"]))
        return told if told["status"] != 1 else None

    told = until(look, lambda: str(seen[-1:]))
    assert told["status"] == 2, told
    assert seen == sorted(seen)
    assert told["input_text"] == "生成一份网络安全PPT"
    assert told["ppt_title"] == "网络安全"
    assert 10 <= told["page_count"] <= 16
    opened = engine.opened(made)
    assert "PPT" not in everything(opened)
    assert all("transition" in page._element.xml for page in opened.slides)


def test_a_text_in_markdown_is_kept_to(engine: Engine) -> None:
    words = everything(engine.opened(engine.made("ppt-create", text=REPORT)))
    for line in ("海洋塑料", "来源", "河流", "八百万吨", "废弃渔网", "拦截装置"):
        assert line in words


def test_a_plain_text_says_what_it_is_about(engine: Engine) -> None:
    text = (
        "雨水花园用植物和土壤过滤雨水。\n"
        + "它能去除百分之八十的悬浮物。\n选址应离建筑三米。\n" * 3
        + "维护费用约为百分之五。"
    )
    made = engine.made("ppt-create", text=text, report=True)
    assert engine.result(made)["ppt_title"].startswith("雨水花园")
    assert "百分之八十" in everything(engine.opened(made))


def test_a_request_at_length_is_a_request(engine: Engine) -> None:
    text = "请帮我制作一份关于网络安全的PPT，" + "要求条理清楚，适合新员工，不要太长，" * 12
    made = engine.made("ppt-create", text=text, report=True)
    assert engine.result(made)["ppt_title"] == "网络安全"
    assert "条理清楚" not in everything(engine.opened(made))


def test_english_without_being_asked(engine: Engine) -> None:
    made = engine.made("ppt-create", text="Create a presentation about tide pools", complex=1)
    assert engine.result(made)["ppt_title"] == "tide pools"
    assert "Contents" in everything(engine.opened(made))


def test_without_pictures_for_an_editor_and_with_the_mark(engine: Engine) -> None:
    made = engine.made("ppt-create", custom_data=OUTLINE, report=True, ai_watermark="True")
    assert engine.result(made)["images_url"] == []
    assert "AI生成" in said(engine.opened(made).slides[0])


def test_forms(engine: Engine) -> None:
    for place in ("apps", "mcp/ppt"):
        form = {"custom_data": json.dumps(OUTLINE), "complex": "1", "ai_picture": "False", "report": "true"}
        answer = requests.post(f"{engine.url}/weinike/{place}/ppt-create", data=form, timeout=PATIENCE).json()
        assert engine.done(answer["data"]["id"])["status"] == 2
    parts = {"text": (None, "云计算"), "custom_data": (None, "{}"), "report": (None, "1")}
    assert engine.done(engine.good("POST", "ppt-create", files=parts)["id"])["status"] == 2


# Documents ---------------------------------------------------------------------------------------------------------


def test_a_file_becomes_a_deck(engine: Engine) -> None:
    with files(report_md=("text/markdown", REPORT.encode())) as place:
        made = engine.made("ppt-create-file", file_url=f"{place}/report.md?x=1", user_name="李雷")
        noted = engine.made("ppt-create-task", id=made, note="1")
    words = everything(engine.opened(made))
    assert "八百万吨" in words
    assert "李雷" in words
    notes = [page.notes_slide.notes_text_frame.text for page in engine.opened(noted).slides if page.has_notes_slide]
    assert any("八百万吨" in note for note in notes)


def test_a_thesis_with_its_school(engine: Engine) -> None:
    held = {
        "thesis_md": ("text/markdown", REPORT.encode()),
        "logo_png": ("image/png", png("red", (200, 200))),
        "campus_png": ("image/png", png("green", (640, 400))),
    }
    with files(**held) as place:
        made = engine.made(
            "ppt-create-thesis",
            file_key=f"{place}/thesis.md",
            title="塑料的去向",
            pleader="韩梅梅",
            advisor="王老师",
            school="海洋大学",
            school_logo=f"{place}/logo.png",
            school_picture=f"{place}/campus.png",
            style="党政",
        )
    opened = engine.opened(made)
    cover = "\n".join(said(opened.slides[0]))
    for line in ("塑料的去向", "韩梅梅", "王老师", "海洋大学"):
        assert line in cover
    logos = [shape for shape in opened.slides[0].shapes if hasattr(shape, "image")]
    assert len(logos) == 1
    assert logos[0].left + logos[0].width < opened.slide_width
    assert Image.open(io.BytesIO(logos[0].image.blob)).getpixel((5, 5)) == (255, 0, 0)
    assert any(hasattr(shape, "image") for shape in opened.slides[1].shapes)


def test_pictures_of_an_outline(engine: Engine) -> None:
    with files(a_png=("image/png", png("blue"))) as place:
        outline = {**OUTLINE, "contents": [{"catalog_index": 0, "sub_catalog_index": 0, "content": "一张图"}]}
        outline["contents"][0]["picture"] = [f"{place}/a.png"]
        made = engine.made("ppt-create", custom_data=outline)
        other = engine.made("ppt-create-task", id=made)
        gone = engine.said(
            "POST",
            "ppt-create",
            json={
                "custom_data": {
                    **outline,
                    "contents": [{"catalog_index": 0, "content": "x", "picture": [f"{place}/b.png"]}],
                }
            },
        )
    for name in (made, other):
        shapes = [shape for page in engine.opened(name).slides for shape in page.shapes if hasattr(shape, "image")]
        assert len(shapes) == 1, "another template has the pictures, too"
    assert gone["code"] == 400
    assert "404" in gone["msg"]


# Covers ------------------------------------------------------------------------------------------------------------


def test_covers_and_their_colours(engine: Engine) -> None:
    covers = engine.post("ppt-cover", title="网络安全大赛", count="3", user_name="张三")
    assert len({cover["cover_id"] for cover in covers}) == 3
    drawn = [picture(cover["cover_image"]).convert("RGB") for cover in covers]
    assert len({image.tobytes() for image in drawn}) == 3
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for cover in covers for colour in cover["color_list"])
    others = engine.post("ppt-cover-color", title="网络安全大赛", cover_id=covers[0]["cover_id"])
    assert len(others) == 4
    assert len({covers[0]["color"], *(cover["color"] for cover in others)}) == 5
    chosen = others[-1]
    made = engine.opened(engine.made("ppt-create", custom_data=OUTLINE, cover_id=chosen["cover_id"], report=True))
    lt1, dk1, lt2, dk2, *rest = [colour.lstrip("#") for colour in chosen["color_list"]]
    assert scheme(made) == [dk1, lt1, dk2, lt2, *rest], "the deck has the cover's colours"


def test_a_wish_for_a_colour_is_met(engine: Engine) -> None:
    for colour in ("紫色", "红色", "橙色", "黄色", "绿色", "青色", "蓝色", "粉色"):
        (cover,) = engine.post("ppt-cover", title="云计算", count=1, color=colour)
        assert cover["color"] == colour
    (cover,) = engine.post("ppt-cover", title="云计算", count=1, style="中国风")
    assert picture(cover["cover_image"]).size == (1280, 720)


def test_the_list_of_templates(engine: Engine) -> None:
    listed = engine.good("GET", "ppt-cover-static", params={"style": "中国风", "limit": "20"})
    assert {one["style"] for one in listed} == {"中国风"}
    assert picture(listed[0]["cover_image"]).size == (1280, 720)
    again = engine.good("GET", "ppt-cover-static", params={"style": "中国风", "limit": "20"})
    assert again == listed
    made = engine.opened(engine.made("ppt-create", custom_data=OUTLINE, cover_id=listed[0]["id"], report=True))
    assert made.slides


def test_an_outline_of_a_topic(engine: Engine) -> None:
    told = engine.post("ppt-structure", title="网络安全大赛", text="", complex=2)
    assert told["title"] == "网络安全大赛"
    assert len(told["catalogs"]) >= 3
    assert all(one["catalog"] and one["sub_catalog"] for one in told["catalogs"])
    made = engine.made("ppt-create", custom_data=told, report=True)
    assert engine.result(made)["ppt_title"] == "网络安全大赛"


# What follows ------------------------------------------------------------------------------------------------------


def test_a_page_is_put_in(engine: Engine, deck: str) -> None:
    before = [said(page) for page in engine.opened(deck).slides]
    paged = engine.made("ppt-page", id=deck, text="应急响应的六个步骤", page_index=5, type="内容页")
    after = [said(page) for page in engine.opened(paged).slides]
    assert len(after) == len(before) + 1
    assert any("应急响应的六个步骤" in line for line in after[4])
    assert after[:4] == before[:4]
    last = engine.made("ppt-page", id=paged, slide_number=len(after) + 1, slide_type="致谢页", text="欢迎提问")
    opened = engine.opened(last)
    assert "欢迎提问" in "\n".join(said(opened.slides[len(after)]))
    assert engine.result(last)["page_count"] == len(after) + 1
    assert engine.said("POST", "ppt-page", json={"id": deck, "slide_number": 99})["code"] == 400


def test_notes_of_each_page(engine: Engine, deck: str) -> None:
    noted = engine.made("ppt-create-task", id=deck, note="1")
    assert engine.result(noted)["note_status"] == 2
    notes = {
        page.shapes.title.text: page.notes_slide.notes_text_frame.text
        for page in engine.opened(noted).slides
        if page.has_notes_slide
    }
    assert "供应链攻击增长最快" in notes["新型攻击"]
    other = engine.made("ppt-create-task", id=noted)
    kept = [page.notes_slide.notes_text_frame.text for page in engine.opened(other).slides if page.has_notes_slide]
    assert any("供应链攻击增长最快" in note for note in kept), "another template keeps the notes"
    assert engine.result(other)["note_status"] == 2


def test_another_template_says_the_same(engine: Engine, deck: str) -> None:
    (cover,) = engine.post("ppt-cover", title="x", count=1, color="粉色")
    other = engine.opened(engine.made("ppt-create-task", id=deck, cover_id=cover["cover_id"]))
    assert "供应链攻击增长最快" in everything(other)
    assert scheme(other) != scheme(engine.opened(deck))
    assert scheme(other)[1] == cover["color_list"][0].lstrip("#")


def test_another_topic_in_the_same_template(engine: Engine, deck: str) -> None:
    other = engine.opened(engine.made("ppt-create-task", id=deck, text="云计算", report=True))
    assert scheme(other) == scheme(engine.opened(deck))
    assert "云计算" in everything(other)


def test_all_of_it_outlives_the_program(tmp_path: Path) -> None:
    options = ("--data", str(tmp_path / "data"))
    (tmp_path / "packs").mkdir()
    with program(tmp_path / "packs", *options) as url:
        engine = Engine(url)
        cover = engine.post("ppt-cover", title="云计算", count=1, color="绿色")[0]
        made = engine.made("ppt-create", custom_data=OUTLINE, report=True)
        begun = engine.post("ppt-create", text="云计算")["id"]
    with program(tmp_path / "packs", *options) as url:
        engine = Engine(url)
        assert engine.done(begun)["status"] == 2
        noted = engine.made("ppt-create-task", id=made, note=1)
        assert any(page.has_notes_slide for page in engine.opened(noted).slides)
        engine.made("ppt-create", custom_data=OUTLINE, cover_id=cover["cover_id"], report=True)


# Refused -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        ("ppt-create", {}, 400),
        ("ppt-create", {"text": " "}, 400),
        ("ppt-create", {"text": "x" * 100_001}, 400),
        ("ppt-create", {"custom_data": "[]", "text": ""}, 400),
        ("ppt-create", {"custom_data": {"title": "x"}}, 400),
        ("ppt-create", {"custom_data": {**OUTLINE, "contents": [{"catalog_index": 7, "content": "x"}]}}, 400),
        ("ppt-create", {"custom_data": {**OUTLINE, "contents": [{"catalog_index": 0, "content": [{"k": 1}]}]}}, 400),
        ("ppt-create", {"text": "x", "color": "黑色"}, 400),
        ("ppt-create", {"text": "x", "complex": 9}, 400),
        ("ppt-create", {"text": "x", "cover_id": "abcdef-0"}, 400),
        ("ppt-create", {"text": {"a": 1}}, 400),
        ("ppt-structure", {}, 400),
        ("ppt-cover", {"title": "x"}, 400),
        ("ppt-cover", {"title": "x", "count": 5}, 400),
        ("ppt-cover-color", {"title": "x"}, 400),
        ("ppt-page", {"id": "nobody"}, 404),
        ("ppt-create-task", {"id": "0" * 32, "note": 1}, 404),
        ("ppt-create-file", {}, 400),
        ("ppt-create-file", {"file_url": "http://10.1.2.3/a.md"}, 400),
        ("ppt-create-file", {"file_url": "file:///etc/passwd"}, 400),
        ("ppt-create-thesis", {"file_key": "nowhere"}, 400),
    ],
)
def test_refusals(engine: Engine, name: str, fields: dict[str, Any], code: int) -> None:
    answer = requests.post(f"{engine.base}/{name}", json=fields, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["code"], answer.json()["data"]) == (200, code, {})
    assert answer.json()["msg"]


def test_what_is_not_ready_and_what_is_no_document(engine: Engine) -> None:
    with files(a_pdf=("application/pdf", b"no pdf"), b_md=("text/markdown", b"")) as place:
        broken = [engine.post("ppt-create-file", file_url=f"{place}/{name}")["id"] for name in ("a.pdf", "b.md")]
        early = engine.said("GET", "ppt-download", params={"id": broken[0]})
        told = [engine.done(deck) for deck in broken]
    assert early["code"] in (204, 400)
    assert [one["status"] for one in told] == [3, 3]
    assert all(one["state_description"] for one in told)
    assert engine.said("POST", "ppt-create-task", json={"id": broken[0]})["code"] == 400


def test_there_is_no_editor(engine: Engine, deck: str) -> None:
    told = engine.said("POST", "ppt-editor", json={"id": deck})
    assert (told["code"], told["data"]) == (422, {})
    assert "download" in told["msg"]


def test_unknown_paths_keep_their_status(engine: Engine) -> None:
    answer = requests.get(f"{engine.base}/ppt-nothing", timeout=PATIENCE)
    assert (answer.status_code, answer.json()["code"]) == (404, 404)
    assert requests.get(f"{engine.url}/weinike/covers/..%2f..%2fjobs%2fjobs.db", timeout=PATIENCE).status_code == 404
