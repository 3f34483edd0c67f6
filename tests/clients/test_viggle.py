"""Viggle as the relays' web UI asks: files into the library, a task, and polls until the status is 0."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image

from deeepai.sandbox.media.draw import Picture
from deeepai.sandbox.media.video import film
from tests.operator import asked_of, rows
from tests.stack import Gateway
from tests.support.receiver import Receiver
from tests.support.until import until

SECOND = 10_000_000
"""What one costs."""


def png(width: int = 384, height: int = 512) -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(drawn, "PNG")
    return drawn.getvalue()


def dance(seconds: float = 4.4) -> bytes:
    return film(Picture(360, 640, "a dance", b"a dance"), seconds)


class ViggleError(Exception):
    pass


class Client:
    """What the web UI does: it wants 200 and `code` 0, reads `data`, and stops at the status 0 alone."""

    def __init__(self, gateway: Gateway, key: str | None = None, plan: str = "") -> None:
        self.base = f"{gateway.url}{plan}/viggle"
        self.session = requests.Session()
        self.session.headers["authorization"] = f"Bearer {key or gateway.live}"

    def request(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.session.request(method, f"{self.base}/{path}", json=body, timeout=20, **more)
        told = answer.json()
        if answer.status_code != 200 or told["code"] != 0:
            raise ViggleError(answer.status_code, told)
        assert {"message", "ts", "reason", "data"} <= set(told)
        return told["data"]

    def upload(self, path: str, name: str, data: bytes) -> dict[str, Any]:
        return self.request("POST", f"asset/{path}", files={"file": (name, data)})

    def look(self, task: str) -> dict[str, Any]:
        (told,) = self.request("POST", "video-task/by-ids", {"ids": [task]})
        return told

    def result(self, task: str, status: int = 0) -> dict[str, Any]:
        return until(lambda: told if (told := self.look(task))["status"] == status else None)

    def create(self, path: str = "video-task", **body: Any) -> str:
        return self.request("POST", path, body)["taskID"]


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    opened = Client(gateway)
    yield opened
    opened.session.close()


@pytest.fixture(scope="module")
def strangers(gateway: Gateway) -> Iterator[tuple[Client, Client]]:
    """Two accounts with 5 USD each."""
    opened: list[Client] = []
    for number in range(2):
        name = f"viggle-{number}-{time.time_ns()}"
        for command in (("accounts", "add", name), ("accounts", "grant", name, "5")):
            assert gateway.cli(*command).returncode == 0
        made = gateway.cli("tokens", "add", name, "--account", name, "--json")
        opened.append(Client(gateway, json.loads(made.stdout)["key"]))
    yield opened[0], opened[1]
    for client in opened:
        client.session.close()


def cost(gateway: Gateway, task: str) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", task)[0]["cost"]


def sizes(url: str) -> tuple[str, int]:
    got = requests.get(url, timeout=20)
    assert got.status_code == 200
    return got.headers["content-type"], len(got.content)


@pytest.mark.operation(
    "viggle.asset.image",
    "viggle.asset.video.of-image",
    "viggle.video-task",
    "viggle.tasks",
    "viggle.fee",
)
def test_from_the_library(gateway: Gateway, client: Client) -> None:
    picture = client.upload("image", "a.png", png())
    assert (picture["name"], picture["width"], picture["height"]) == ("a.png", 384, 512)
    assert picture["url"].startswith(f"{gateway.url}/assets/")
    assert sizes(picture["url"]) == ("image/png", len(png()))
    video = client.upload(f"video/{picture['id']}", "d.mp4", dance())
    assert (video["width"], video["height"]) == (360, 640)
    assert sizes(video["url"]) == ("video/mp4", len(dance()))
    assert sizes(video["coverURL"])[0] == "image/png"
    assert client.request("POST", "video-task/credit/calculate", {"videoID": video["id"]}) == 5
    asked = {"imageID": picture["id"], "videoID": video["id"], "templateID": "", "bgMode": 2, "modelInfoID": 4}
    task = client.create(**asked, watermark=1)
    done = client.result(task)
    assert (done["taskID"], done["status"], done["bgMode"], done["modelInfoID"]) == (task, 0, 2, 4)
    assert done["videoDuration"] == pytest.approx(4.4, abs=0.05)
    assert done["result"].startswith(f"{gateway.url}/assets/{task}/0")
    assert sizes(done["result"])[0] == "video/mp4"
    assert sizes(done["resultCover"])[0] == "image/png"
    assert cost(gateway, task) == 5 * SECOND, "started seconds, not those that were held"


@pytest.mark.operation("viggle.template2", "viggle.template2.tag", "viggle.fee")
def test_templates(gateway: Gateway, client: Client) -> None:
    tags = client.request("GET", "template2/tag")
    dancing = next(tag["id"] for tag in tags if tag["name"] == "Dance")
    path = "template2?page=1&pageSize=48&searchKeyword=&tagID={}&type=0"
    every = client.request("GET", path.format(""))
    some = client.request("GET", path.format(dancing))
    assert 0 < len(some) < len(every)
    assert all(each["processedURL"] and each["processedCoverURL"] and each["description"] for each in some)
    assert len(client.request("GET", "template2?page=2&pageSize=3")) == len(every) - 3
    found = client.request("GET", "template2?searchKeyword=shuffle")
    assert [each["description"] for each in found] == ["A shuffle"]
    picture = client.upload("image", "b.png", png())
    assert client.request("POST", "video-task/credit/calculate", {"templateID": found[0]["id"]}) == 12
    task = client.create(imageID=picture["id"], templateID=found[0]["id"], videoID="", bgMode=0, modelInfoID=2)
    assert client.result(task)["videoDuration"] == 11.2
    assert cost(gateway, task) == 12 * SECOND
    assert rows(gateway, "SELECT model FROM tasks WHERE id = ?", task) == [{"model": "viggle-v2"}]


@pytest.mark.operation("viggle.asset.image.list", "viggle.asset.video.list", "viggle.asset.video")
def test_the_library_is_the_caller_s_own(strangers: tuple[Client, Client]) -> None:
    one, other = strangers
    pictures = [one.upload("image", f"{number}.png", png(64 + number)) for number in range(3)]
    video = one.upload("video", "d.mp4", dance(2))
    assert one.request("GET", "asset/image?page=1&pageSize=48") == pictures[::-1]
    assert one.request("GET", "asset/image?page=2&pageSize=2") == pictures[:1]
    assert one.request("GET", "asset/video?page=1&pageSize=48") == [video]
    assert one.request("GET", "asset/image?page=9&pageSize=48") == []
    assert other.request("GET", "asset/image") == other.request("GET", "asset/video") == []
    stolen = {"imageID": pictures[0]["id"], "videoID": video["id"], "bgMode": 2, "modelInfoID": 4}
    for path, body in (("video-task", stolen), ("mix/video-task", stolen), ("video-task/credit/calculate", stolen)):
        with pytest.raises(ViggleError) as fault:
            other.request("POST", path, body)
        assert fault.value.args[0] == 404, path
    with pytest.raises(ViggleError) as fault:
        other.upload(f"video/{pictures[0]['id']}", "d.mp4", dance(2))
    assert fault.value.args[0] == 404
    task = one.create(**stolen)
    one.result(task)
    assert other.request("POST", "video-task/by-ids", {"ids": [task]}) == []


@pytest.mark.parametrize(
    ("kind", "part", "size"),
    [
        pytest.param("mix", "image", (360, 640), marks=pytest.mark.operation("viggle.mix", "viggle.tasks")),
        pytest.param("move", "file", (384, 512), marks=pytest.mark.operation("viggle.move", "viggle.tasks")),
    ],
)
def test_files_at_once(gateway: Gateway, client: Client, kind: str, part: str, size: tuple[int, int]) -> None:
    """The part is named as the relays have it, or as the vendor's web API has it."""
    with Receiver() as receiver:
        files = {part: ("a.png", png(), "image/png"), "video": ("d.mp4", dance(3), "video/mp4")}
        data = {"modelInfoID": "3", "watermark": "0", "drivenType": "i_tm", "optimize": "true"}
        data["callback_url"] = receiver.url
        task = client.request("POST", f"{kind}/video-task", files=files, data=data)["taskID"]
        done = client.result(task)
        until(lambda: any(call.body["status"] == 0 for call in receiver.received))
        assert receiver.received[-1].body["taskID"] == task
        assert receiver.received[-1].body["result"] == done["result"]
    assert (done["modelInfoID"], done["watermark"]) == (3, 0)
    assert done["bgMode"] == {"mix": 2, "move": 3}[kind]
    with Image.open(io.BytesIO(requests.get(done["resultCover"], timeout=20).content)) as cover:
        assert cover.size == size
    assert cost(gateway, task) == 3 * SECOND


@pytest.mark.parametrize("kind", ["mix", "move"])
def test_by_address(gateway: Gateway, client: Client, kind: str) -> None:
    task = client.create(
        f"{kind}/video-task", imageURL=f"https://example.com/{kind}.png", videoURL="https://example.com/d.mp4", bgMode=1
    )
    assert client.result(task)["bgMode"] == 1
    assert cost(gateway, task) == 10 * SECOND
    sent = asked_of(gateway, f"https://example.com/{kind}.png")
    assert sent is not None
    assert sent["path"].endswith(f"/viggle/{kind}/video-task")


@pytest.mark.operation("viggle.multi", "viggle.multi.template")
def test_several_characters(gateway: Gateway, client: Client) -> None:
    templates = client.request("GET", "multi/template?page=1&pageSize=48")
    pair = next(each for each in templates if len(each["segments"]) == 2)
    assert all(segment["type"] == "human" and segment["uuid"] for segment in pair["segments"])
    files = [("images", (f"{number}.png", png(), "image/png")) for number in range(2)]
    task = client.request("POST", "multi/video-task", files=files, data={"templateID": pair["id"]})["taskID"]
    assert client.result(task)["videoDuration"] == 8
    assert cost(gateway, task) == 8 * SECOND
    ids = [client.upload("image", f"{number}.png", png())["id"] for number in range(2)]
    by_ids = client.create("multi/video-task", imageIDs=ids, videoURL="https://example.com/pair.mp4")
    assert client.result(by_ids)["result"]
    in_a_form = {"imageIDs": (None, f'["{ids[0]}", "{ids[1]}"]'), "video": ("d.mp4", dance(2))}
    task = client.request("POST", "multi/video-task", files=in_a_form)["taskID"]
    assert client.result(task)["videoDuration"] == 2
    too_many = [("images", (f"{number}.png", png(), "image/png")) for number in range(3)]
    with pytest.raises(ViggleError) as fault:
        client.request("POST", "multi/video-task", files=too_many, data={"templateID": pair["id"]})
    assert fault.value.args[0] == 404


@pytest.mark.operation("viggle.credits")
def test_what_is_left(strangers: tuple[Client, Client]) -> None:
    _, client = strangers
    before = client.request("GET", "credits")
    assert before["balance"] == before["planCredits"] == 500
    assert before["updated_at"].endswith("Z")
    task = client.create("mix/video-task", imageURL="https://example.com/a.png", videoURL="https://example.com/d.mp4")
    client.result(task)
    assert client.request("GET", "credits")["balance"] == 490


@pytest.mark.operation("viggle.video-task", "viggle.asset.image", "viggle.tasks")
def test_the_better_class(gateway: Gateway) -> None:
    """The web UI puts `/pro` before every path; it has another price."""
    client = Client(gateway, plan="/pro")
    picture = client.upload("image", "pro.png", png())
    task = client.create(imageID=picture["id"], templateID="2", bgMode=2, modelInfoID=4, watermark=0)
    assert client.result(task)["result"]
    assert cost(gateway, task) == 6 * 2 * SECOND
    assert rows(gateway, "SELECT model FROM tasks WHERE id = ?", task) == [{"model": "viggle-pro-v3-beta"}]
    sandbox = gateway.sandbox
    assert sandbox is not None
    paths = [entry["path"] for entry in sandbox.requests() if "/pro/viggle/" in entry["path"]]
    assert {path.partition("/pro/viggle/")[2] for path in paths} >= {"asset/image", "video-task", "video-task/by-ids"}


@pytest.mark.parametrize("trigger", ["fail-midway", "moderated-output"])
def test_what_fails_is_free_and_says_why(gateway: Gateway, client: Client, trigger: str) -> None:
    address = f"https://example.com/[sandbox:{trigger}].png"
    task = client.create("mix/video-task", imageURL=address, templateID="1")
    failed = client.result(task, 3)
    assert failed["reason"]
    assert not failed["result"]
    assert cost(gateway, task) == 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("video-task", {"templateID": "1"}, 400),
        ("video-task", {"imageID": "", "templateID": "1"}, 400),
        ("video-task", {"imageID": "none-of-mine", "templateID": "1"}, 404),
        ("video-task", {"imageID": 7, "templateID": "1"}, 400),
        ("mix/video-task", {"templateID": "1"}, 400),
        ("mix/video-task", {"imageURL": "https://example.com/a.png"}, 400),
        ("mix/video-task", {"imageURL": "https://example.com/a.png", "templateID": "1", "bgMode": 4}, 400),
        ("mix/video-task", {"imageURL": "https://example.com/a.png", "templateID": "1", "modelInfoID": 1}, 400),
        ("mix/video-task", {"imageURL": "https://example.com/a.png", "templateID": "none"}, 404),
        ("move/video-task", {"imageURL": "https://example.com/a.png", "watermark": 2, "templateID": "1"}, 400),
        ("multi/video-task", {"imageIDs": [], "templateID": "3"}, 400),
        ("multi/video-task", {"imageIDs": "no list", "templateID": "3"}, 400),
        ("multi/video-task", {"imageIDs": ["none-of-mine"], "templateID": "3"}, 404),
        ("video-task/by-ids", {"ids": []}, 400),
        ("video-task/by-ids", {"ids": "7d0f"}, 400),
        ("video-task/credit/calculate", {"templateID": "none"}, 404),
        ("of-tomorrow", {}, 404),
    ],
)
def test_refusals_name_the_reason_twice(client: Client, path: str, body: Any, status: int) -> None:
    with pytest.raises(ViggleError) as fault:
        client.request("POST", path, body)
    got, told = fault.value.args
    assert got == status, told
    assert told["error"]["message"], "the web UI"
    assert told["message"] == told["reason"] != ""
    assert told["code"] != 0


def test_uploads_that_are_none(client: Client) -> None:
    picture = client.upload("image", "a.png", png())
    for path, name, data in (
        ("image", "a.png", b"no picture"),
        ("video", "d.mp4", b"no film"),
        ("video", "d.mp4", dance(301)),
        (f"video/{picture['id']}", "d.mp4", png()),
    ):
        with pytest.raises(ViggleError) as fault:
            client.upload(path, name, data)
        assert fault.value.args[0] == 400, path
    answer = requests.post(
        f"{client.base}/asset/image", headers=dict(client.session.headers), files={"picture": png()}, timeout=20
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")


def test_what_was_held_comes_back(gateway: Gateway, strangers: tuple[Client, Client]) -> None:
    _, client = strangers
    before = client.request("GET", "credits")["balance"]
    with pytest.raises(ViggleError):
        client.create("mix/video-task", imageURL="https://example.com/a.png", templateID="none")
    assert client.request("GET", "credits")["balance"] == before
    with pytest.raises(ViggleError) as fault:
        Client(gateway, "sk-wrong").request("GET", "credits")
    assert fault.value.args[0] == 401
