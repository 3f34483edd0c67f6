"""韦尼克, by the requests of its public clients: the vendor's MCP servers, FastGPT's tool, a PHP product.

The server in Python sends URL-encoded forms to `/mcp/ppt`, the one in Node JSON; FastGPT takes the address of the
preview out of the first answer; the PHP product sends forms, and holds an answer without data for none.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image
from pptx import Presentation

from tests.operator import rows
from tests.stack import Gateway, Sandbox
from tests.support.http import call
from tests.support.until import PATIENCE, until

MILLI = 1_000_000
"""10⁻⁹ USD."""
OUTLINE: dict[str, Any] = {
    "title": "网络安全大赛",
    "sub_title": "总决赛",
    "author": "张三",
    "catalogs": [{"catalog": "威胁", "sub_catalog": ["攻击", "勒索"]}, {"catalog": "防御", "sub_catalog": ["检测"]}],
    "contents": [{"catalog_index": 0, "sub_catalog_index": 0, "content": [{"key": "时间", "value": "2026"}]}],
}
TITLES = ["网络安全大赛", "目录", "威胁", "攻击", "勒索", "防御", "检测", "谢谢"]


class VendorError(Exception):
    pass


class Client:
    """As the vendor's clients are: `code` must be 200, and there must be data."""

    def __init__(self, gateway: Gateway, place: str = "/weinike/apps", key: str | None = None) -> None:
        self.base = gateway.url + place
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key or gateway.live}"

    def ask(self, method: str, name: str, **more: Any) -> Any:
        answer = self.session.request(method, f"{self.base}/{name}", timeout=PATIENCE, **more)
        answer.raise_for_status()
        told = answer.json()
        if told["code"] != 200 or told["msg"] != "success" or not told["data"]:
            raise VendorError(told["code"], told["msg"])
        return told["data"]

    def post(self, name: str, **fields: Any) -> Any:
        return self.ask("POST", name, json=fields)

    def result(self, deck: str) -> Any:
        return self.ask("GET", "ppt-result", params={"id": deck})

    def done(self, deck: str) -> Any:
        return until(lambda: told if (told := self.result(deck))["status"] != 1 else None)

    def made(self, name: str, **fields: Any) -> str:
        deck = self.post(name, **fields)["id"]
        told = self.done(deck)
        assert told["status"] == 2, told
        return deck

    def link(self, deck: str) -> str:
        return self.ask("GET", "ppt-download", params={"id": deck, "type": "pptx"})["download_url"]

    def opened(self, deck: str) -> Any:
        answer = requests.get(self.link(deck), timeout=PATIENCE)
        assert answer.headers["content-type"].endswith("presentationml.presentation")
        return Presentation(io.BytesIO(answer.content))

    def titles(self, deck: str) -> list[str]:
        return [page.shapes.title.text for page in self.opened(deck).slides]


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    opened = Client(gateway)
    yield opened
    opened.session.close()


@pytest.fixture(scope="module")
def deck(gateway: Gateway) -> str:
    """A deck that is done."""
    return Client(gateway).made("ppt-create", custom_data=OUTLINE)


def cost(gateway: Gateway, task: str) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", task)[0]["cost"]


def charged(gateway: Gateway, request_id: str) -> int:
    return rows(gateway, "SELECT cost FROM usage WHERE request_id = ?", request_id)[0]["cost"]


def picture(url: str) -> tuple[int, int]:
    answer = requests.get(url, timeout=PATIENCE)
    assert answer.headers["content-type"] == "image/png", answer.text[:300]
    return Image.open(io.BytesIO(answer.content)).size


# Clients -----------------------------------------------------------------------------------------------------------


@pytest.mark.operation("weinike.ppt-create", "weinike.ppt-result", "weinike.ppt-create-task", "weinike.ppt-download")
def test_the_mcp_server_in_python(gateway: Gateway) -> None:
    client = Client(gateway, "/mcp/ppt")
    made = client.ask("POST", "ppt-create", data={"text": "介绍云计算"})["id"]
    assert re.fullmatch("[0-9A-Za-z]{32}", made)
    assert client.done(made)["ppt_title"] == "介绍云计算"
    other = client.ask("POST", "ppt-create-task", data={"id": made})["id"]
    assert other != made
    assert client.done(other)["status"] == 2
    assert client.titles(other) == client.titles(made)
    assert cost(gateway, other) == 20 * MILLI
    assert client.ask("POST", "ppt-editor", data={"id": made})["url"].startswith("http")


@pytest.mark.operation("weinike.ppt-editor")
def test_the_mcp_server_in_node(gateway: Gateway) -> None:
    client = Client(gateway, "/mcp/ppt")
    made = client.post("ppt-create", text="介绍云计算")["id"]
    wanted = {"id", "images_url", "introduce", "ppt_title", "status", "process_url", "preview_url", "state_description"}
    assert wanted <= client.done(made).keys()
    assert Presentation(io.BytesIO(requests.get(client.link(made), timeout=PATIENCE).content)).slides
    before = charges(gateway)
    page = client.post("ppt-editor", id=made)["url"]
    assert "TEST MODE" in requests.get(page, timeout=PATIENCE).text
    assert charges(gateway) == before, "the editor is free"


def charges(gateway: Gateway) -> int:
    return rows(gateway, "SELECT count(*) AS n FROM ledger WHERE kind = 'charge'")[0]["n"]


@pytest.mark.operation("weinike.ppt-view")
def test_fastgpt_s_tool(gateway: Gateway, sandbox: Sandbox) -> None:
    client = Client(gateway, "/apps")
    with sandbox.slowly():
        made = client.post("ppt-create", text="介绍<云>计算", color="蓝色")["id"]
        page = client.result(made)["preview_url"]
        assert page.startswith(f"{gateway.url}/weinike/apps/ppt-view/{made}")
        shown = requests.get(page, timeout=PATIENCE)
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert "script-src" not in shown.headers["content-security-policy"]
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert 'http-equiv="refresh"' in shown.text
        assert "介绍&lt;云&gt;计算" in shown.text
    told = client.done(made)
    shown = requests.get(page, timeout=PATIENCE).text
    assert "refresh" not in shown
    assert shown.count("<img") == told["page_count"]
    links = [link.replace("&amp;", "&") for link in re.findall('(?:href|src)="([^"]+)"', shown)]
    assert links[0] == client.link(made)
    assert links[1:] == [item["url"] for item in told["images_url"]]
    assert requests.get(page.replace("sig=", "sig=0"), timeout=PATIENCE).json()["code"] == 403
    assert requests.get(page.partition("?")[0], timeout=PATIENCE).json()["code"] == 401


@pytest.mark.operation("weinike.ppt-structure", "weinike.ppt-cover")
def test_a_product_in_php(gateway: Gateway) -> None:
    client = Client(gateway, "/yoo/apps")
    client.session.headers["clientUser"] = "42"
    outline = client.ask("POST", "ppt-structure", data={"title": "", "text": "介绍云计算", "theme": ""})
    assert outline["title"] == "介绍云计算"
    assert all(len(chapter["sub_catalog"]) == 3 for chapter in outline["catalogs"])
    wish = {"title": "介绍云计算", "count": "4", "user_name": "", "color": "", "style": ""}
    covers = client.ask("POST", "ppt-cover", files={name: (None, value) for name, value in wish.items()})
    assert len(covers) == 4
    made = client.ask(
        "POST", "ppt-create", data={"text": "介绍云计算", "cover_id": covers[2]["cover_id"], "complex": "2"}
    )
    assert client.done(made["id"])["status"] == 2


@pytest.mark.parametrize("place", ["/weinike/apps", "/yoo/apps", "/chatppt/apps", "/apps"])
@pytest.mark.parametrize("header", ["Authorization", "AccessToken", "X-Appbuilder-Authorization"])
def test_places_and_keys(gateway: Gateway, deck: str, place: str, header: str) -> None:
    told = requests.get(
        f"{gateway.url}{place}/ppt-result", {"id": deck}, headers={header: gateway.live}, timeout=PATIENCE
    ).json()
    assert told["data"]["id"] == deck


# Decks -------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("weinike.ppt-preview", "weinike.ppt-result")
def test_a_deck_grows_before_its_caller_s_eyes(gateway: Gateway, sandbox: Sandbox, client: Client) -> None:
    with sandbox.slowly():
        made = client.post("ppt-create", custom_data=OUTLINE, cover_id="")["id"]
        told = client.result(made)
        assert (told["status"], told["ppt_title"], told["images_url"]) == (1, "网络安全大赛", [])
        with pytest.raises(VendorError, match="204"):
            client.link(made)
        with pytest.raises(VendorError, match="204"):
            client.post("ppt-create-task", id=made)
        call(sandbox, "POST", "/_sandbox/clock", {"advance": 40})
        told = until(lambda: told if (told := client.result(made))["images_url"] else None)
        assert told["status"] == 1
        assert 0 < told["progress"] < 100
        assert 0 < len(told["images_url"]) < told["page_count"] == 8
        url = told["images_url"][-1]["url"]
        assert url.startswith(f"{gateway.url}/weinike/apps/ppt-preview/{made}/{len(told['images_url']) - 1}")
        assert sandbox.url not in str(told)
        assert picture(url) == (1280, 720)
        assert requests.get(re.sub(r"/\d+\?", "/99?", url), timeout=PATIENCE).json()["code"] == 404
    done = client.done(made)
    assert (done["status"], done["progress"], len(done["images_url"])) == (2, 100, 8)
    assert [picture(item["url"]) for item in done["images_url"]] == [(1280, 720)] * 8
    assert picture(url) == (1280, 720), "a link that was told before is good still"
    assert sandbox.url not in str(done)
    assert client.titles(made) == TITLES
    assert cost(gateway, made) == 100 * MILLI


@pytest.mark.operation("weinike.ppt-download")
def test_a_deck_outlives_its_vendor_s_link(sandbox: Sandbox, client: Client) -> None:
    made = client.made("ppt-create", custom_data=OUTLINE)
    call(sandbox, "POST", "/_sandbox/clock", {"advance": 2 * 86400})
    assert client.titles(made) == TITLES
    assert [picture(item["url"]) for item in client.result(made)["images_url"]] == [(1280, 720)] * 8


@pytest.mark.operation("weinike.ppt-page", "weinike.ppt-create-task")
def test_what_follows_a_deck(gateway: Gateway, client: Client, deck: str) -> None:
    noted = client.made("ppt-create-task", id=deck, note="1")
    assert client.result(noted)["note_status"] == 2
    assert all(page.notes_slide.notes_text_frame.text for page in client.opened(noted).slides)
    assert cost(gateway, noted) == 50 * MILLI
    fresh = client.made("ppt-create-task", id=deck, text="另一个主题")
    assert client.titles(fresh)[0] == "另一个主题"
    assert cost(gateway, fresh) == 100 * MILLI
    paged = client.made("ppt-page", id=noted, text="新的一页", page_index=1, type="内容页")
    assert paged != noted
    assert client.titles(paged)[0] == "新的一页"
    assert cost(gateway, paged) == 10 * MILLI
    assert client.titles(deck) == client.titles(noted) == TITLES, "what is kept stays as it was"
    assert rows(gateway, "SELECT parent_id FROM tasks WHERE id = ?", paged) == [{"parent_id": noted}]


@pytest.mark.operation("weinike.ppt-create-file", "weinike.ppt-create-thesis")
def test_documents_under_either_name(client: Client) -> None:
    assert client.titles(client.made("ppt-create-file", file_key="https://example.com/report.md"))[0] == "report"
    thesis = client.made("ppt-create-thesis", file_url="https://example.com/thesis.pdf", pleader="张三")
    shown = [shape.text_frame.text for shape in client.opened(thesis).slides[0].shapes]
    assert shown[:2] == ["thesis", "张三"]


# Covers ------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("weinike.ppt-cover", "weinike.ppt-cover-color", "weinike.ppt-cover-static")
def test_covers(gateway: Gateway, client: Client) -> None:
    answer = client.session.post(
        f"{client.base}/ppt-cover", json={"title": "网络安全大赛", "count": "2", "color": "绿色"}
    )
    covers = answer.json()["data"]
    assert [(cover["color"], len(cover["color_list"])) for cover in covers] == [("绿色", 12)] * 2
    assert charged(gateway, answer.headers["x-request-id"]) == 2 * MILLI
    assert all(cover["cover_image"].startswith(f"{gateway.url}/assets/") for cover in covers)
    assert picture(covers[0]["cover_image"]) == (1280, 720)
    named = {"title": "网络安全大赛", "cover_id": covers[1]["cover_id"]}
    others = client.post("ppt-cover-color", **named)
    assert len({cover["color"] for cover in others} - {"绿色"}) == 4
    assert len(client.post("ppt-cover", **named, count=1)) == 1
    made = client.made("ppt-create", custom_data=OUTLINE, cover_id=others[3]["cover_id"])
    swapped = client.made("ppt-create-task", id=made, cover_id=covers[0]["cover_id"])
    assert client.titles(swapped) == TITLES
    listed = client.ask("GET", "ppt-cover-static", params={"style": "商务风", "limit": "2"})
    assert [one["style"] for one in listed] == ["商务风"] * 2
    assert picture(listed[0]["cover_image"]) == (1280, 720)
    assert client.made("ppt-create", text="云计算", cover_id=listed[0]["id"])


def test_covers_are_their_caller_s_and_live_ten_minutes(gateway: Gateway, sandbox: Sandbox, client: Client) -> None:
    cover = client.post("ppt-cover", title="云计算", count=1)[0]["cover_id"]
    stranger = Client(gateway, key=token(gateway, "stranger"))
    with pytest.raises(VendorError, match="404"):
        stranger.post("ppt-create", text="云计算", cover_id=cover)
    with pytest.raises(VendorError, match="404"):
        stranger.post("ppt-cover-color", title="云计算", cover_id=cover)
    call(sandbox, "POST", "/_sandbox/clock", {"advance": 601})
    with pytest.raises(VendorError, match="400"):
        client.post("ppt-create", text="云计算", cover_id=cover)


def token(gateway: Gateway, name: str) -> str:
    made = gateway.cli("users", "add", name, "--password", "a long password", "--credit", "10")
    assert made.returncode == 0, made.stderr
    found = re.search(r"sk-\S+", gateway.cli("tokens", "add", "other", "--account", name, "--user", name).stdout)
    assert found is not None
    return found[0]


# What goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        ("ppt-create", {}, 400),
        ("ppt-create", {"custom_data": {}}, 400),
        ("ppt-create", {"custom_data": "[1]", "text": "x"}, 400),
        ("ppt-create", {"text": "云计算", "color": "黑色"}, 400),
        ("ppt-create", {"text": "云计算", "cover_id": "abcdef-0"}, 404),
        ("ppt-structure", {}, 400),
        ("ppt-structure", {"title": "云计算", "complex": 7}, 400),
        ("ppt-cover", {"title": "云计算", "count": 5}, 400),
        ("ppt-cover", {"title": "云计算", "count": 1, "style": "奇怪"}, 400),
        ("ppt-page", {"id": "nobody"}, 404),
        ("ppt-create-file", {"file_url": "https://example.com/a.exe"}, 400),
        ("ppt-create-thesis", {}, 400),
    ],
)
def test_refusals_cost_nothing(gateway: Gateway, client: Client, path: str, fields: Any, code: int) -> None:
    before = charges(gateway)
    answer = client.session.post(f"{client.base}/{path}", json=fields, timeout=PATIENCE)
    told = answer.json()
    assert (answer.status_code, told["code"], told["data"]) == (200, code, {})
    assert told["msg"]
    assert charges(gateway) == before
    assert not rows(gateway, "SELECT 1 FROM holds WHERE request_id = ?", answer.headers["x-request-id"])
    # Nobody blames the channel for what its callers do.
    assert client.post("ppt-structure", title="云计算")["title"] == "云计算"


def test_a_deck_that_fails_is_given_back(gateway: Gateway, client: Client) -> None:
    made = client.post("ppt-create", text="云计算 [sandbox:fail-midway]")["id"]
    told = client.done(made)
    assert (told["status"], told["state_description"]) == (3, "internal error")
    assert cost(gateway, made) == 0
    with pytest.raises(VendorError, match="422"):
        client.link(made)


def test_an_error_is_not_replayed(client: Client) -> None:
    """An idempotency key brings back what was done, and no refusal that came with a good status."""
    head = {"Idempotency-Key": "weinike-structure-1"}
    bad = client.session.post(f"{client.base}/ppt-structure", json={"title": "x", "complex": 7}, headers=head)
    assert bad.json()["code"] == 400
    good = client.session.post(f"{client.base}/ppt-structure", json={"title": "x", "complex": 2}, headers=head)
    assert good.json()["code"] == 200
