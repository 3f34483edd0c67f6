"""MewXAI's format as two public clients speak it: one in PHP, which is called back, and one in Node, which polls."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import zxingcpp
from PIL import Image

from tests.operator import asked_of, rows
from tests.stack import Gateway
from tests.support.receiver import Receiver
from tests.support.until import PATIENCE, until

POINT = 10_000_000
"""What one costs."""
SAYS = "https://example.com/mewx"


class MewxError(Exception):
    pass


class Client:
    """What both do: they look at `code` and never at the HTTP status, and read `message` before `msg`."""

    def __init__(self, gateway: Gateway, key: str | None = None, place: str = "/mewx") -> None:
        self.base = f"{gateway.url}{place}/api/v1"
        self.session = requests.Session()
        self.session.headers["authorization"] = f"Bearer {key or gateway.live}"

    def request(self, method: str, path: str, body: Any = None) -> Any:
        told = self.session.request(method, f"{self.base}/{path}", json=body, timeout=PATIENCE).json()
        if told["code"] != 0:
            raise MewxError(told["code"], told.get("message") or told["msg"])
        return told["data"]

    def php(self, **said: Any) -> str:
        """Submit as the PHP client does: all seven keys, empty where there is nothing."""
        keys = ("prompt", "negative_prompt", "qr_content", "qr_image", "model", "template_id", "callback_url")
        return self.request("POST", "images/generate", {**dict.fromkeys(keys, ""), **said})["img_uuid"]

    def node(self, words: str, version: int = 3) -> str:
        """Submit as the Node client does: flags on a line of their own, the model as a text."""
        prompt = f"{words}\n--v {version} --iw 0.95 --shape tiny-plus --ar 1:1"
        return self.request("POST", "images/generate", {"prompt": prompt, "qr_content": SAYS, "model": "67"})[
            "img_uuid"
        ]

    def look(self, name: str) -> dict[str, Any]:
        return self.request("GET", f"images/detail?img_uuid={name}")

    def result(self, name: str) -> dict[str, Any]:
        return until(lambda: told if (told := self.look(name))["status"] != 0 else None)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    opened = Client(gateway)
    yield opened
    opened.session.close()


@pytest.fixture(scope="module")
def stranger(gateway: Gateway) -> Iterator[Client]:
    """Of an account with 5 USD, which are 500 points."""
    name = f"mewx-{time.time_ns()}"
    for command in (("accounts", "add", name), ("accounts", "grant", name, "5")):
        assert gateway.cli(*command).returncode == 0
    made = gateway.cli("tokens", "add", name, "--account", name, "--json")
    opened = Client(gateway, json.loads(made.stdout)["key"])
    yield opened
    opened.session.close()


def cost(gateway: Gateway, name: str) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", name)[0]["cost"]


def picture(url: str) -> Image.Image:
    got = requests.get(url, timeout=PATIENCE)
    assert got.status_code == 200
    return Image.open(io.BytesIO(got.content))


@pytest.mark.operation("mewx.qrcode", "mewx.detail")
def test_the_php_client(gateway: Gateway, client: Client) -> None:
    with Receiver() as hook:
        name = client.php(prompt="一朵花 --v 1.1", model="67", qr_content=SAYS, callback_url=hook.url)
        until(lambda: hook.received)
        called = hook.received[0]
    assert set(called.body) == {"img_uuid", "user_id", "urls", "duration", "status", "qr_content"}
    assert (called.body["img_uuid"], called.body["status"], called.body["qr_content"]) == (name, 1, SAYS)
    assert "webhook-signature" in called.headers
    told = client.look(name)
    assert told["urls"][0].startswith(f"{gateway.url}/assets/{name}/0")
    assert told["user_id"] == ""
    assert [code.text for code in zxingcpp.read_barcodes(picture(told["urls"][0]))] == [SAYS]
    assert cost(gateway, name) == POINT


@pytest.mark.operation("mewx.qrcode", "mewx.detail")
def test_the_node_client(gateway: Gateway, client: Client) -> None:
    name = client.node("a castle of mist")
    assert client.look(name)["status"] in (0, 1)
    done = client.result(name)
    assert (done["status"], done["qr_content"]) == (1, SAYS)
    assert cost(gateway, name) == 5 * POINT
    sent = asked_of(gateway, "a castle of mist")
    assert sent is not None
    assert sent["body"]["prompt"] == "a castle of mist\n--v 3 --iw 0.95 --shape tiny-plus --ar 1:1"
    assert sent["body"]["model"] == "67"


@pytest.mark.operation("mewx.qrcode")
def test_a_host_is_all_that_a_client_must_swap(gateway: Gateway) -> None:
    """The vendor's own paths stand below no prefix, too; the control API's keep theirs."""
    bare = Client(gateway, place="")
    assert bare.result(bare.php(template_id=54, qr_content=SAYS))["status"] == 1
    assert bare.request("GET", "user/count")["count"] > 0
    assert requests.get(f"{gateway.url}/api/users", timeout=PATIENCE).status_code == 401


@pytest.mark.operation("mewx.qrcode")
def test_a_picture_of_a_code(client: Client) -> None:
    drawn = client.result(client.php(template_id=2, qr_content=SAYS))["urls"][0]
    data = base64.b64encode(requests.get(drawn, timeout=PATIENCE).content).decode()
    for prefix in ("", "data:image/png;base64,"):
        done = client.result(client.php(template_id=2, qr_image=prefix + data))
        assert (done["status"], done["qr_content"]) == (1, SAYS)


@pytest.mark.operation("mewx.neuralstyle", "mewx.shadow", "mewx.cute", "mewx.mx")
def test_everything_else_that_is_drawn(gateway: Gateway, client: Client) -> None:
    fusion = {
        "source_img": "https://img.example/a.jpg",
        "source_mode": 1,
        "style_img": "https://img.example/style.jpg",
        "engine": 1,
        "cn_list": [{"type": 1, "weight": 60, "guidance_start": 0, "guidance_end": 1}],
        "type": "neuralstyle",
    }
    words = {"type": "texthidden", "text": "福", "template_id": 1, "ratio": 3}
    cute = {
        "type": "MX-CUTE",
        "args": {"prompt": "1girl", "upscaler": 2, "ratio": 10, "extra_model": [], "audit": 1, "photo_format": "png"},
    }
    mx = {"type": "default", "args": {"prompt": "a garden", "ratio": 4, "model": "76", "upscaler": 4}}
    for path, body, points, form in (
        ("images/neuralstyle/generate", fusion, 1, "PNG"),
        ("images/shadow/generate", words, 1, "PNG"),
        ("mx/images/cute/generate", cute, 3, "PNG"),
        ("mx/images/generate", mx, 4, "JPEG"),
    ):
        name = client.request("POST", path, body)["img_uuid"]
        done = client.result(name)
        assert (done["status"], done["qr_content"]) == (1, ""), done
        assert picture(done["urls"][0]).format == form
        assert cost(gateway, name) == points * POINT
    models = {row["model"] for row in rows(gateway, "SELECT model FROM tasks WHERE model LIKE 'mewx-%'")}
    assert models >= {"mewx-neuralstyle", "mewx-texthidden", "mewx-cute", "mewx-mx"}


@pytest.mark.operation("mewx.template.list", "mewx.model.list")
def test_lists(client: Client) -> None:
    for kind in ("qrcode", "textart", "texthidden", "textshadow"):
        templates = client.request("GET", f"template/list?type={kind}")
        assert {"id", "name", "preview_img"} <= set(templates[0])
        models = client.request("GET", f"model/list?type={kind}")
        assert all(one["value"].isdecimal() and one["name"] for one in models)
    assert {one["value"] for one in client.request("GET", "model/list?type=qrcode")} >= {"67", "51", "69", "70", "74"}
    with pytest.raises(MewxError, match="type must be one of"):
        client.request("GET", "template/list?type=nothing")


@pytest.mark.operation("mewx.mx.images.cute.extraList", "mewx.mx.images.modelList", "mewx.mx.images.extraList")
def test_lists_of_models_that_are_mixed_in(client: Client) -> None:
    (group,) = client.request("GET", "mx/images/cute/extraList")["modelList"]
    assert group["list"][0] == {"label": "动漫加强", "value": "100000", "initVal": 0.75}
    assert {one["value"] for one in client.request("GET", "mx/images/modelList")["modelList"]} == {
        "76",
        "73",
        "72",
        "71",
    }
    assert client.request("GET", "mx/images/extraList")["modelList"][0]["list"]


@pytest.mark.operation("mewx.computed", "mewx.checkPayload", "mewx.cute")
def test_a_price_that_is_asked_for_is_the_price(gateway: Gateway, client: Client) -> None:
    body = {"type": "MX-CUTE", "args": {"prompt": "1girl", "upscaler": 2, "ratio": 1, "extra_model": [], "audit": 2}}
    assert client.request("POST", "mx/validate/checkPayload", body) is True
    quoted = client.request("POST", "mx/images/computed", body)
    assert quoted == {"audit": 1, "fix_faces": 0, "upscaler": 2, "allpoint": 3}
    name = client.request("POST", "mx/images/cute/generate", body)["img_uuid"]
    client.result(name)
    assert cost(gateway, name) == quoted["allpoint"] * POINT
    for path in ("mx/validate/checkPayload", "mx/images/computed"):
        with pytest.raises(MewxError, match="upscaler"):
            client.request("POST", path, {**body, "args": {**body["args"], "upscaler": 9}})


@pytest.mark.operation("mewx.count")
def test_what_is_left_is_the_caller_s(stranger: Client) -> None:
    assert stranger.request("GET", "user/count")["count"] == 500
    stranger.result(stranger.node("points", 2))
    until(lambda: stranger.request("GET", "user/count")["count"] == 495)


def test_a_failure_gives_the_points_back(gateway: Gateway, client: Client) -> None:
    with Receiver() as hook:
        name = client.php(prompt="[sandbox:fail-midway] x --v 3", model="67", qr_content=SAYS, callback_url=hook.url)
        done = client.result(name)
        until(lambda: hook.received)
    assert (done["status"], done["urls"]) == (-1, [])
    assert "internal error" in done["msg"]
    assert (hook.received[0].body["status"], hook.received[0].body["msg"]) == (-1, done["msg"])
    assert cost(gateway, name) == 0


def test_what_the_vendor_refuses_is_told_and_costs_nothing(gateway: Gateway, client: Client) -> None:
    """It does so with the HTTP status 200."""
    before = len(rows(gateway, "SELECT id FROM tasks WHERE cost > 0"))
    with pytest.raises(MewxError, match="template 999 does not exist"):
        client.php(template_id=999, qr_content=SAYS)
    assert len(rows(gateway, "SELECT id FROM tasks WHERE cost > 0")) == before
    assert not rows(
        gateway, "SELECT 1 FROM holds h JOIN tasks t ON t.request_id = h.request_id WHERE t.model = 'mewx-qrcode'"
    )


def test_a_stranger_s_picture_is_not_told_of(client: Client, stranger: Client) -> None:
    name = client.php(template_id=2, qr_content=SAYS)
    assert client.result(name)["status"] == 1
    with pytest.raises(MewxError) as refused:
        stranger.look(name)
    assert refused.value.args[0] == 404


@pytest.mark.operation("mewx.detail")
def test_it_is_remembered_longer_than_the_vendor_does(gateway: Gateway, client: Client) -> None:
    name = client.php(template_id=2, qr_content=SAYS)
    done = client.result(name)
    (task,) = rows(gateway, "SELECT upstream_id FROM tasks WHERE id = ?", name)
    assert gateway.sandbox is not None
    # The vendor's own key, by which nobody knows the task: as good as forgotten.
    told = requests.get(
        f"{gateway.sandbox.url}/mewx/api/v1/images/detail?img_uuid={task['upstream_id']}",
        headers={"authorization": "Bearer another"},
        timeout=PATIENCE,
    ).json()
    assert told["code"] == 404
    assert client.look(name) == done
    assert picture(done["urls"][0]).size == (1024, 1024)
