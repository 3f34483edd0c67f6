"""Docmee's format at the engines: decks that are really made, kept and changed; and through the gateway as shipped."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from PIL import Image
from pptx import Presentation

from tests.clients.docmee import Client, DocmeeError, words
from tests.engines.chat_model import serving
from tests.engines.conftest import program
from tests.operator import rows
from tests.plugins import coverage_results
from tests.stack import Gateway
from tests.support.until import PATIENCE, until

REPORT = """# Harbour lights

## What they are

A lighthouse is a tower with a lamp. Its lamp is seen from 20 miles away. Sailors find the harbour by it.

## How they work

The keeper lights the lamp at dusk. A lens turns around the lamp. Each harbour has a rhythm of its own.

| Year | Towers |
|---|---|
| 1850 | 12 |
| 1900 | 48 |
"""
TEXT = """# 海洋
## 潮汐
### 每日两次
#### 成因
- 月球引力使海水上涨。
### 大潮
#### 时间
- 新月与满月之后。
## 海浪
### 风
#### 来源
- 风吹过水面。
"""


def refusal(of: Any, *args: Any, **fields: Any) -> tuple[int | None, str]:
    with pytest.raises(DocmeeError) as fault:
        of(*args, **fields)
    return fault.value.code, fault.value.message


def tree_in(packed: str) -> dict[str, Any]:
    return json.loads(gzip.decompress(base64.b64decode(packed)))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("docmee")
    options = ("--data", str(folder / "data"), "--allow-private", "127.0.0.0/8")
    with program(folder / "packs", *options) as found:
        yield found


@pytest.fixture
def client(url: str) -> Client:
    return Client(f"{url}/docmee", "account-a", "x-deeepai-account")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A site with a page, a picture, and a document."""
    drawn = io.BytesIO()
    Image.new("RGB", (320, 200), "teal").save(drawn, "PNG")
    served = {
        "/page": (b"<html><body><h1>Gulls</h1><p>Gulls eat fish near the shore.</p></body></html>", "text/html"),
        "/sea.png": (drawn.getvalue(), "image/png"),
        "/report.md": (REPORT.encode(), "text/markdown"),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, kind = served.get(self.path, (b"", ""))
            self.send_response(200 if kind else 404)
            self.send_header("content-type", kind or "text/plain")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


# Texts -------------------------------------------------------------------------------------------------------------


def test_a_deck_of_a_document_says_what_it_says(client: Client) -> None:
    address = client.parse(("report.md", REPORT.encode()))
    outline = client.outline(None, address, length="short")
    assert outline.text.startswith("# Harbour lights")
    assert "## How they work" in outline.text
    assert "- " not in outline.text
    content = client.content(outline.text, address)
    assert "seen from 20 miles away" in content.text
    made = client.deck(None, content.text, notes=["Speak slowly."])
    file = client.opened(made["fileUrl"])
    assert "Harbour lights" in words(file)[0]
    assert any("20 miles" in page for page in words(file))
    notes = [slide.notes_slide.notes_text_frame.text for slide in file.slides if slide.has_notes_slide]
    assert "Speak slowly." in notes
    figures = [shape for slide in file.slides for shape in slide.shapes if shape.has_chart or shape.has_table]
    assert figures, "the document's table is a native chart or table"


def test_texts_come_in_many_ways(client: Client, web: str) -> None:
    for fields, word in (
        ({"content": REPORT}, "Harbour lights"),
        ({"website": f"{web}/page"}, "Gulls"),
        ({"fileUrl": f"{web}/report.md"}, "Harbour lights"),
    ):
        address = client.parse(**fields)
        assert word in client.outline(None, address).text
    code, message = refusal(client.parse, websearch="gulls")
    assert (code, "search" in message) == (1009, True)
    assert refusal(client.parse, website="http://169.254.169.254/latest")[0] == 1010
    assert refusal(client.parse, fileUrl=f"{web}/nothing")[0] == 1010
    assert refusal(client.parse, content="x" * 20_001)[0] == 1010
    assert refusal(client.parse, ("a.pptx", b"PK\x03\x04 no deck"))[0] == 1010
    assert refusal(client.parse, nothing="")[0] == 1010


def test_an_outline_is_changed(client: Client) -> None:
    told = client.stream(
        "/api/ppt/updateOutline", outlineMarkdown="# 海洋\n## 潮汐\n## 海浪", question="用金字塔原理优化"
    )
    assert told.text.index("## 海浪") < told.text.index("## 潮汐")
    assert all(chapter["children"] for chapter in told.result["children"]), "each chapter has pages now"
    short = client.stream(
        "/ppt/updateOutline", outlineMarkdown=client.outline("海洋", length="long").text, length="short"
    )
    assert len(short.result["children"]) < len(client.outline("海洋", length="long").result["children"])


def test_what_is_wrong_is_refused(client: Client) -> None:
    for call, fields in (
        ("generateOutline", {"subject": "A", "prompt": "x" * 50}),
        ("generateOutline", {"subject": "A", "lang": "xx"}),
        ("generateOutline", {"subject": "A", "length": "endless"}),
        ("generateOutline", {"subject": None}),
        ("generateContent", {"outlineMarkdown": "no headings"}),
        ("generatePptx", {"outlineContentMarkdown": "# only a title"}),
        ("generatePptx", {"outlineContentMarkdown": ""}),
        ("templates", {"page": 0, "size": 10, "filters": {"type": 1}}),
        ("templates", {"page": 1, "size": 10, "filters": {"type": 2}}),
        ("updatePptxAttr", {"id": "1"}),
    ):
        code, message = refusal(client.post, f"/api/ppt/{call}", **fields, stream=False)
        assert code in (1010, 1001), (call, code)
        assert message
    for call, fields in (
        ("downloadPptx", {"id": "1"}),
        ("generatePptx", {"outlineContentMarkdown": TEXT, "templateId": "1"}),
        ("generateOutline", {"dataUrl": "https://example.com/x", "stream": False}),
    ):
        assert refusal(client.post, f"/api/ppt/{call}", **fields)[0] == 1001


# Templates ---------------------------------------------------------------------------------------------------------


def test_each_template_is_a_design_of_its_own(client: Client) -> None:
    every = client.post("/api/ppt/templates", page=1, size=100, filters={"type": 1})
    assert every["total"] == len({one["id"] for one in every["data"]}) == len({one["subject"] for one in every["data"]})
    english = client.post("/api/ppt/templates?lang=en", page=1, size=1, filters={"type": 1})["data"][0]
    assert english["subject"].isascii() or "·" in english["subject"]
    pictures = {requests.get(one["coverUrl"], timeout=PATIENCE).content for one in every["data"][:3]}
    assert len(pictures) == 3
    assert all(Image.open(io.BytesIO(picture)).size == (960, 540) for picture in pictures)
    colour = every["data"][0]["themeColor"]
    some = client.post("/api/ppt/templates", page=1, size=100, filters={"type": 1, "themeColor": colour})
    assert {one["themeColor"] for one in some["data"]} == {colour}
    ids = {one["id"] for one in every["data"]}
    left = sorted(ids)[1:]
    got = client.post("/api/ppt/randomTemplates", size=5, filters={"type": 1}, neq_id=",".join(left))["data"]
    assert {one["id"] for one in got} == ids - set(left)


# Decks -------------------------------------------------------------------------------------------------------------


def test_pages_are_made_while_the_text_streams(client: Client) -> None:
    told = client.content_with_deck(client.outline("The sea", length="short").text)
    decks = told.decks
    total = decks[0]["total"]
    assert [event["current"] for event in decks] == list(range(1, total + 1))
    first, last = told.events.index(decks[0]), told.events.index(decks[-1])
    assert any(event["text"] for event in told.events[first:last]), "the text and the pages come together"
    name = decks[0]["pptId"]
    progress = client.get("/api/ppt/asyncPptInfo", pptId=name)["data"]
    assert (progress["total"], progress["current"]) == (total, total)
    tree = tree_in(progress["pptxProperty"])
    assert len(tree["pages"]) == total
    file = client.opened(client.download(name)["fileUrl"])
    assert len(file.slides) == total
    assert (file.slide_width.pt, file.slide_height.pt) == (960, 540)


def test_an_edited_tree_is_the_deck_from_then_on(client: Client) -> None:
    templates = client.post("/api/ppt/templates", page=1, size=2, filters={"type": 1})["data"]
    made = client.deck(templates[0]["id"], TEXT, pptxProperty=True)
    tree = tree_in(made["pptxProperty"])
    assert "月球引力使海水上涨" in json.dumps(tree, ensure_ascii=False)
    edited = json.loads(json.dumps(tree, ensure_ascii=False).replace("月球引力使海水上涨。", "太阳也有作用。"))
    edited["pages"] = edited["pages"][:-1]
    for page in edited["pages"]:
        page["animation"] = None
    saved = client.post("/api/ppt/savePptx", id=made["id"], drawPptx=True, drawCover=True, pptxProperty=edited)
    info = saved["data"]["pptInfo"]
    assert info["updateTime"]
    assert info["coverUrl"] != made["coverUrl"]
    for address in (info["fileUrl"], client.download(made["id"], refresh=True)["fileUrl"]):
        pages = words(client.opened(address))
        assert len(pages) == len(tree["pages"]) - 1
        assert any("太阳也有作用。" in page for page in pages)
        assert not any("月球引力" in page for page in pages)
    other = client.post("/api/ppt/updatePptTemplate", pptId=made["id"], templateId=templates[1]["id"], sync=True)[
        "data"
    ]
    assert other["templateId"] == templates[1]["id"]
    assert any("太阳也有作用。" in page for page in words(client.opened(client.download(made["id"])["fileUrl"])))
    text = client.post("/api/ppt/loadPptxMarkdown", id=made["id"], format="tree")["data"]["markdownTree"]
    assert (text["level"], text["name"]) == (1, "海洋")


def test_a_deck_keeps_its_words_in_another_template(client: Client) -> None:
    templates = client.post("/api/ppt/templates", page=1, size=2, filters={"type": 1})["data"]
    made = client.deck(templates[0]["id"], TEXT)
    before = client.opened(made["fileUrl"])
    client.post("/api/ppt/updatePptTemplate", pptId=made["id"], templateId=templates[1]["id"])
    after = client.opened(client.download(made["id"])["fileUrl"])
    assert words(after) == words(before)
    theme = [
        next(part.blob for part in file.part.package.iter_parts() if "theme" in part.partname)
        for file in (before, after)
    ]
    assert theme[0] != theme[1]


def test_pictures_are_in_the_deck(client: Client, web: str) -> None:
    text = f"# Sea\n## Shore\n### Gulls\n#### Here\n- They fly.\n\n![a gull]({web}/sea.png)\n\n![]({web}/none.png)"
    file = client.opened(client.deck(None, text)["fileUrl"])
    pictures = [shape.image for slide in file.slides for shape in slide.shapes if hasattr(shape, "image")]
    assert len(pictures) == 1


def test_decks_are_an_account_s_own(url: str, client: Client) -> None:
    other = Client(f"{url}/docmee", "account-b", "x-deeepai-account")
    name = client.deck(None, TEXT)["id"]
    address = client.parse(content=REPORT)
    assert name in client.names()
    assert other.names() == []
    for call in (
        lambda: other.download(name),
        lambda: other.get("/api/ppt/loadPptx", id=name),
        lambda: other.post("/api/ppt/delete", id=name),
        lambda: other.outline(None, address),
    ):
        assert refusal(call)[0] == 1001
    client.post("/api/ppt/updatePptxAttr", id=name, name="Waves", subject=None)
    info = client.get("/api/ppt/loadPptx", id=name)["data"]["pptInfo"]
    assert (info["name"], info["subject"]) == ("Waves", "海洋")
    client.post("/api/ppt/delete", id=name)
    assert refusal(client.download, name)[0] == 1001
    assert name not in client.names()


def test_files_and_trees(client: Client) -> None:
    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text_frame.text = "Rows & columns"
    table = slide.shapes.add_table(2, 2, 914400, 1828800, 4572000, 914400).table
    table.cell(1, 1).text = "潮"
    held = io.BytesIO()
    made.save(held)

    def asked(file: bytes) -> Any:
        answer = requests.post(
            f"{client.url}/api/pptjson/ppt2json",
            headers=client.headers,
            files={"file": ("a.pptx", file)},
            timeout=PATIENCE,
        )
        return answer.json()

    tree = asked(held.getvalue())
    assert tree["version"]
    answer = client.sent("/api/pptjson/json2ppt", **tree)
    assert answer.headers["content-type"].startswith("application/vnd.openxmlformats")
    (page,) = words(Presentation(io.BytesIO(answer.content)))
    assert "Rows & columns" in page
    assert "潮" in page
    assert asked(b"nothing")["code"] == 1010
    assert client.sent("/api/ppt/json2ppt", pages=[]).json()["code"] == 1010
    assert client.sent("/api/ppt/json2ppt", pages="x").json()["code"] == 1010


# What outlives the program -----------------------------------------------------------------------------------------


def test_decks_outlive_the_program(tmp_path: Path) -> None:
    """One that was under way when it was killed is made by the next."""
    command = [
        sys.executable,
        "-m",
        "deeepai.engines",
        "--port",
        "0",
        "--packs",
        str(tmp_path),
        "--data",
        str(tmp_path),
    ]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        client = Client(first.stdout.readline().split()[-1] + "/docmee", "a", "x-deeepai-account")
        done = client.deck(None, TEXT)["id"]
        address = client.parse(content=REPORT)
        outline = client.outline("The sea", length="long").text
        asked = {"outlineMarkdown": outline, "asyncGenPptx": True}
        with requests.post(
            f"{client.url}/api/ppt/generateContent", headers=client.headers, json=asked, stream=True, timeout=PATIENCE
        ) as answer:
            line = next(line for line in answer.iter_lines() if b'"pptId"' in line)
        name = json.loads(line[5:])["pptId"]
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    with program(tmp_path, "--data", str(tmp_path)) as url:
        client = Client(f"{url}/docmee", "a", "x-deeepai-account")
        assert set(client.names()) == {done, name}
        assert len(client.opened(client.download(done)["fileUrl"]).slides) > 4
        ready = until(lambda: client.download(name)["fileUrl"])
        assert "The sea" in words(client.opened(ready))[0]
        assert "Harbour" in client.outline(None, client.url + "/texts/" + address.rpartition("/")[2]).text


# Through the gateway as it is shipped ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    made = Gateway(Path(tmp_path_factory.mktemp("shipped")), flags=()).start()
    coverage_results.watch(made.url)
    yield made
    proof = made.cli("ledger", "verify")
    made.stop()
    assert proof.returncode == 0, proof.stdout


@pytest.mark.operation(
    *("docmee.createApiToken", "docmee.generateOutline", "docmee.generateContent", "docmee.randomTemplates"),
    *("docmee.generatePptx", "docmee.downloadPptx", "docmee.parseFileData", "docmee.directGeneratePptx"),
    *("docmee.templates", "docmee.updatePptTemplate", "docmee.savePptx", "docmee.loadPptx", "docmee.asyncPptInfo"),
)
def test_the_vendor_s_programs_make_decks_here(shipped: Gateway) -> None:
    account = Client(f"{shipped.url}/docmee/v1", shipped.live, "Api-Key")
    token = account.create_token("test", 4)
    content = token.content(token.outline("AI未来的发展").text)
    made = token.deck(token.any_template(), content.text)
    assert "AI未来的发展" in words(token.opened(token.download(made["id"])["fileUrl"]))[0]
    cover = requests.get(f"{made['coverUrl']}?token={token.key}", timeout=PATIENCE)
    assert Image.open(io.BytesIO(cover.content)).size == (960, 540)
    told = token.content_with_deck(token.outline("The sea").text)
    name = told.decks[0]["pptId"]
    assert token.get("/api/ppt/asyncPptInfo", pptId=name)["data"]["current"] == told.decks[0]["total"]
    ready = until(lambda: token.download(name)["fileUrl"])
    assert len(token.opened(ready).slides) == told.decks[0]["total"]
    address = token.parse(("report.md", REPORT.encode()))
    assert "127.0.0.1" not in address.removeprefix(shipped.url)
    direct = token.direct(None, address).result
    assert "Harbour lights" in words(token.opened(direct["fileUrl"]))[0]
    template = token.post("/api/ppt/templates", page=1, size=1, filters={"type": 1})["data"][0]
    assert requests.get(template["coverUrl"], timeout=PATIENCE).headers["content-type"] == "image/png"
    changed = token.post("/api/ppt/updatePptTemplate", pptId=direct["id"], templateId=template["id"], sync=True)["data"]
    tree = json.loads(json.dumps(changed["pptxProperty"]).replace("Harbour lights", "Harbour lamps"))
    saved = token.post("/api/ppt/savePptx", id=direct["id"], drawPptx=True, drawCover=True, pptxProperty=tree)
    assert "Harbour lamps" in words(token.opened(saved["data"]["pptInfo"]["fileUrl"]))[0]
    again = tree_in(token.get("/api/ppt/loadPptx", id=direct["id"])["data"]["pptInfo"]["pptxProperty"])
    assert "Harbour lamps" in json.dumps(again)
    (spent,) = rows(shipped, "SELECT sum(cost) AS cost FROM usage WHERE protocol = 'docmee'")
    assert spent["cost"] == 3 * 70_000_000
    assert refusal(account.create_token("other").download, made["id"])[0] == 1001


@pytest.mark.operation("docmee.createApiToken", "docmee.directGeneratePptx")
def test_test_mode_stays_so(shipped: Gateway) -> None:
    """A sub-token of a test token makes decks of the sandbox, which cost nothing and are seen by no live one."""
    tester = Client(f"{shipped.url}/docmee/v1", shipped.test, "Api-Key")
    token = tester.create_token(f"test-{time.time_ns()}", 1)
    made = token.direct("A test").result
    assert all("TEST MODE" in page for page in words(token.opened(made["fileUrl"])))
    assert refusal(token.direct, "Another")[0] == 88
    live = Client(f"{shipped.url}/docmee/v1", shipped.live, "Api-Key")
    assert refusal(live.download, made["id"])[0] == 1001
    # A journal is committed at once, and reaches the table a moment later.
    query = "SELECT u.cost FROM usage u JOIN tokens t ON t.id = u.token_id WHERE t.mode = 'test'"
    costs = until(lambda: rows(shipped, query))
    assert {row["cost"] for row in costs} == {0}


# With a chat model ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "resets"), [("right", 0), ("breaks", 1)])
def test_a_models_text_is_told_as_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, resets: int
) -> None:
    """Where the model breaks off, the vendor's sign says so, and the planner's text comes instead."""
    with serving(monkeypatch) as model:
        model.mode, model.answer = mode, TEXT
        with program(tmp_path / "packs", "--data", str(tmp_path / "data")) as url:
            client = Client(f"{url}/docmee", "account-a", "x-deeepai-account")
            told = client.outline("海洋", length="short")
            assert [event["status"] for event in told.events].count(0) == resets
            last = max((at for at, event in enumerate(told.events) if event["status"] == 0), default=-1)
            text = "".join(event["text"] for event in told.events[last + 1 :])
            assert len([event for event in told.events if event["text"]]) > 2
            assert (text == TEXT) is (mode == "right")
            assert told.result["name"] == "海洋"
            assert [chapter["name"] for chapter in told.result["children"]] == re.findall(r"^## (.+)$", text, re.M)
