"""Decks by 韦尼克's format from the gateway as it is out of the box: made on this machine, kept, and charged."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from pptx import Presentation

from tests.engines.test_weinike import OUTLINE, everything
from tests.operator import rows
from tests.plugins import coverage_results
from tests.stack import Gateway
from tests.support.until import PATIENCE, until

MILLI = 1_000_000
"""10⁻⁹ USD."""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    env = {"DEEEPAI_PACKS": str(tmp_path_factory.mktemp("packs"))}
    made = Gateway(Path(tmp_path_factory.mktemp("decks")), flags=("--no-sandbox",), env=env).start()
    coverage_results.watch(made.url)
    yield made
    proof = made.cli("ledger", "verify")
    made.stop()
    assert proof.returncode == 0, proof.stdout


class Client:
    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.seen: list[str] = []
        """All good answers."""

    def said(self, method: str, name: str, **more: Any) -> Any:
        head = {"authorization": f"Bearer {self.gateway.live}"}
        answer = requests.request(
            method, f"{self.gateway.url}/weinike/apps/{name}", headers=head, timeout=4 * PATIENCE, **more
        )
        told = answer.json()
        if told["code"] == 200:
            self.seen.append(answer.text)
        return told

    def post(self, name: str, **fields: Any) -> Any:
        told = self.said("POST", name, json=fields)
        assert told["code"] == 200, told
        return told["data"]

    def result(self, deck: str) -> Any:
        return self.said("GET", "ppt-result", params={"id": deck})["data"]

    def made(self, name: str, **fields: Any) -> str:
        deck = self.post(name, **fields)["id"]
        told: dict[str, Any] = {}

        def look() -> bool:
            told.update(self.result(deck))
            return told["status"] != 1

        until(look, lambda: str(told.get("progress")))
        assert told["status"] == 2, told
        return deck

    def opened(self, deck: str) -> Any:
        url = self.said("GET", "ppt-download", params={"id": deck})["data"]["download_url"]
        assert url.startswith(f"{self.gateway.url}/assets/")
        answer = requests.get(url, timeout=PATIENCE)
        assert answer.headers["content-type"].endswith("presentationml.presentation")
        return Presentation(io.BytesIO(answer.content))


@pytest.fixture
def client(local: Gateway) -> Iterator[Client]:
    """A client; afterwards nothing that it was told names another address than the gateway's."""
    made = Client(local)
    yield made
    addresses = {found for text in made.seen for found in re.findall(r"https?://[^/\"\\]+", text)}
    assert addresses <= {local.url}


def cost(gateway: Gateway, task: str) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", task)[0]["cost"]


def size(url: str) -> tuple[int, int]:
    return Image.open(io.BytesIO(requests.get(url, timeout=PATIENCE).content)).size


@pytest.mark.operation(
    "weinike.ppt-structure",
    "weinike.ppt-cover",
    "weinike.ppt-cover-color",
    "weinike.ppt-create",
    "weinike.ppt-result",
    "weinike.ppt-download",
)
def test_step_by_step(local: Gateway, client: Client) -> None:
    outline = client.post("ppt-structure", title="城市雨水花园", complex=1)
    covers = client.post("ppt-cover", title=outline["title"], count=2, color="绿色", user_name="李雷")
    assert [cover["color"] for cover in covers] == ["绿色", "绿色"]
    others = client.post("ppt-cover-color", title=outline["title"], cover_id=covers[0]["cover_id"], count=2)
    assert {size(cover["cover_image"]) for cover in (*covers, *others)} == {(1280, 720)}
    made = client.made("ppt-create", custom_data=outline, cover_id=others[1]["cover_id"], user_name="李雷")
    told = client.result(made)
    assert (told["ppt_title"], told["progress"]) == ("城市雨水花园", 100)
    assert len(told["images_url"]) == told["page_count"]
    assert size(told["images_url"][-1]["url"]) == (1280, 720)
    words = everything(client.opened(made))
    assert all(chapter["catalog"] in words for chapter in outline["catalogs"])
    assert "李雷" in words
    assert cost(local, made) == 100 * MILLI


@pytest.mark.operation("weinike.ppt-page", "weinike.ppt-create-task", "weinike.ppt-view")
def test_what_follows(local: Gateway, client: Client) -> None:
    made = client.made("ppt-create", custom_data=OUTLINE)
    noted = client.made("ppt-create-task", id=made, note="1")
    assert client.result(noted)["note_status"] == 2
    paged = client.made("ppt-page", id=noted, text="应急响应", slide_number=5)
    other = client.made("ppt-create-task", id=paged)
    before, after = client.opened(noted), client.opened(other)
    assert len(after.slides) == len(before.slides) + 1
    assert "应急响应" in everything(after)
    assert any(page.has_notes_slide for page in after.slides)
    assert [cost(local, task) for task in (made, noted, paged, other)] == [
        amount * MILLI for amount in (100, 50, 10, 20)
    ]
    page = client.result(other)["preview_url"]
    assert requests.get(page, timeout=PATIENCE).text.count("<img") == len(after.slides)


@pytest.mark.operation("weinike.ppt-cover-static", "weinike.ppt-editor")
def test_templates_and_refusals(local: Gateway, client: Client) -> None:
    listed = client.said("GET", "ppt-cover-static", params={"color_style": "蓝色", "limit": "3"})["data"]
    assert [one["color_style"] for one in listed] == ["蓝色"] * 3
    assert size(listed[0]["cover_image"]) == (1280, 720)
    made = client.made("ppt-create", custom_data=OUTLINE, cover_id=listed[0]["id"], report="true")
    assert client.result(made)["images_url"] == []
    assert client.opened(made).slides
    refused = [
        client.said("POST", "ppt-editor", json={"id": made}),
        client.said("POST", "ppt-cover", json={"title": "x", "count": 1, "style": "怪"}),
        client.said("POST", "ppt-create", json={"text": "x", "color": "黑"}),
        client.said("POST", "ppt-create-file", json={"file_url": "http://169.254.169.254/latest/meta-data/"}),
    ]
    assert [told["code"] for told in refused] == [422, 400, 400, 400]
    assert not rows(local, "SELECT 1 FROM holds")
