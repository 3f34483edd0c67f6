"""PicWish's tools as the vendor's samples and public clients ask for them, through gateway and stand-in."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest
import requests
from PIL import Image

from tests.operator import account_secret, rows
from tests.stack import Gateway
from tests.support.pictures import opened, png
from tests.support.receiver import Receiver
from tests.support.until import until

CREDIT = 20_000_000
"""10⁻⁹ USD."""
URL = "https://example.com/photo.jpg"
BOX = json.dumps([{"x": 0, "y": 0, "width": 10, "height": 10}])
MASKED = {"rectangles": BOX}
TOOLS: dict[str, tuple[str, dict[str, str]]] = {
    "segmentation": ("visual/segmentation", {}),
    "scale": ("visual/scale", {"scale_factor": "2"}),
    "inpaint": ("visual/inpaint", MASKED),
    "watermark": ("visual/watermark", MASKED),
    "watermark_auto": ("visual/external/watermark-remove", {}),
    "background": ("visual/background", {"prompt": "A marble table", "batch_size": "1"}),
    "idphoto": ("visual/idphoto", {"size": "300x400"}),
    "colorization": ("visual/colorization", {}),
    "imgcompress": ("visual/imgcompress", {"quality": "70"}),
    "ocr": ("document/ocr", {"format": "txt"}),
    "correction": ("visual/correction", {"type": "2"}),
}
FIELD = {"background": "image_1", "ocr": "file", "watermark_auto": "file"}
WAITING = sorted(TOOLS.keys() - {"background", "ocr"})


class Client:
    """As the samples in curl, Java, Python and JavaScript do: the key in a header of its own, forms, and polls."""

    def __init__(self, gateway: Gateway, base: str = "/picwish/api/tasks") -> None:
        self.url = f"{gateway.url}{base}"
        self.session = requests.Session()
        self.session.headers["X-API-KEY"] = gateway.live

    def create(self, path: str, files: Mapping[str, Any] | None = None, **fields: Any) -> Any:
        sent = {"files": files, "data": fields} if files else {"files": {k: (None, v) for k, v in fields.items()}}
        answer = self.session.post(f"{self.url}/{path}", timeout=60, **sent)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["status"], body["message"]) == (200, "success")
        return body["data"]

    def get(self, path: str, task: str) -> requests.Response:
        return self.session.get(f"{self.url}/{path}/{task}", timeout=30)

    def ended(self, path: str, task: str) -> Any:
        def look() -> Any:
            data = self.get(path, task).json()["data"]
            # The three ways in which the samples tell the end flip together.
            there = any(data.get(name) for name in ("image", "image_1", "file", "mask"))
            assert (data["state"] == 1) == (data["progress"] == 100) == there
            return data if data["state"] == 1 or data["state"] < 0 else None

        return until(look)

    def made(self, path: str, files: Mapping[str, Any] | None = None, **fields: Any) -> Any:
        return self.ended(path, self.create(path, files, **fields)["task_id"])


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    opened_client = Client(gateway)
    yield opened_client
    opened_client.session.close()


def cost(gateway: Gateway, task: str) -> int:
    (row,) = rows(gateway, "SELECT cost, hold_id FROM tasks WHERE id = ?", task)
    assert row["hold_id"] is None
    return row["cost"]


def file_of(gateway: Gateway, data: Any, name: str = "image") -> bytes:
    assert data[name].startswith(f"{gateway.url}/assets/{data['task_id']}/")
    answer = requests.get(data[name], timeout=30)
    assert answer.status_code == 200
    return answer.content


def jpeg(width: int = 300, height: int = 200) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "olive").save(out, "JPEG")
    return out.getvalue()


def each(names: Iterable[str], *further: str) -> pytest.MarkDecorator:
    """Run a test for each of some tools, as proof of its operations alone."""
    params = [
        pytest.param(name, marks=pytest.mark.operation(*(f"picwish.{name}{more}" for more in ("", *further))))
        for name in names
    ]
    return pytest.mark.parametrize("name", params)


@each(TOOLS, ".result")
def test_every_tool(gateway: Gateway, client: Client, name: str) -> None:
    path, fields = TOOLS[name]
    done = client.made(path, {"image_file": ("photo.jpg", jpeg(), "image/jpeg")}, **fields)
    assert (done["state"], done["progress"], done["state_detail"]) == (1, 100, "Complete")
    assert done["created_at"] <= done["completed_at"]
    made = file_of(gateway, done, FIELD.get(name, "image"))
    if name == "ocr":
        assert made.startswith(b"TEST MODE")
    else:
        wanted = {"scale": (600, 400), "idphoto": (300, 400)}.get(name, (300, 200))
        assert opened(made).size == wanted
        assert cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_UNCHANGED).shape[:2] == wanted[::-1]
    credits = {"scale": 2, "background": 3, "correction": 3}.get(name, 1)
    assert cost(gateway, done["task_id"]) == credits * CREDIT


@each(WAITING)
def test_waiting(gateway: Gateway, client: Client, name: str) -> None:
    path, fields = TOOLS[name]
    done = client.create(path, {"image_file": ("photo.jpg", jpeg(), "image/jpeg")}, sync="1", **fields)
    assert (done["state"], done["progress"], done["return_type"]) == (1, 100, 1)
    assert opened(file_of(gateway, done, FIELD.get(name, "image"))).width


@pytest.mark.operation("picwish.segmentation", "picwish.segmentation.result")
def test_base64(gateway: Gateway, client: Client) -> None:
    photo = {"image_file": ("photo.jpg", jpeg(), "image/jpeg")}
    done = client.create("visual/segmentation", photo, sync="1", return_type="2", output_type="1")
    image, mask = (opened(base64.b64decode(done[name], validate=True)) for name in ("image", "mask"))
    assert (image.size, image.mode, mask.size) == ((300, 200), "RGBA", (300, 200))
    assert done["image"] != done["mask"]
    assert done["return_type"] == 2
    again = client.get("visual/segmentation", done["task_id"]).json()["data"]
    assert again["image"] == done["image"]


@pytest.mark.operation("picwish.scale")
def test_bare_bytes(gateway: Gateway, client: Client) -> None:
    fields = {"sync": "1", "return_type": "3"}
    answer = client.session.post(f"{client.url}/visual/scale", data=fields, files={"image_file": jpeg()}, timeout=60)
    assert answer.headers["content-type"] == "image/jpeg"
    assert opened(answer.content).size == (1200, 800), "four times, as it is small"


@pytest.mark.operation("picwish.scale", "picwish.scale.result")
def test_a_larger_result_costs_more(gateway: Gateway, client: Client) -> None:
    done = client.made("visual/scale", {"image_file": ("a.png", png(1100, 300), "image/png")}, scale_factor="2")
    assert opened(file_of(gateway, done)).size == (2200, 600)
    assert cost(gateway, done["task_id"]) == 3 * CREDIT


@pytest.mark.operation("picwish.imgcompress", "picwish.imgcompress.result")
def test_a_larger_source_costs_more(gateway: Gateway, client: Client) -> None:
    done = client.made("visual/imgcompress", {"image_file": ("a.png", png(4200, 20), "image/png")}, width="420")
    assert opened(file_of(gateway, done)).size == (420, 2)
    assert cost(gateway, done["task_id"]) == 2 * CREDIT


@pytest.mark.operation("picwish.background", "picwish.background.result")
@pytest.mark.parametrize(("count", "credits"), [(1, 3), (2, 6), (3, 8), (4, 10)])
def test_backgrounds(gateway: Gateway, client: Client, count: int, credits: int) -> None:
    photo = {"image_file": ("a.png", png(64), "image/png")}
    done = client.made("visual/background", photo, prompt="A table", batch_size=str(count))
    assert sorted(name for name in done if name.startswith("image")) == [f"image_{n}" for n in range(1, count + 1)]
    assert len({file_of(gateway, done, f"image_{n}") for n in range(1, count + 1)}) == count
    assert cost(gateway, done["task_id"]) == credits * CREDIT


@pytest.mark.operation("picwish.background", "picwish.background.result")
def test_what_was_made_in_part_is_charged_in_part(gateway: Gateway, client: Client) -> None:
    photo = {"image_file": ("a.png", png(64), "image/png")}
    done = client.made("visual/background", photo, prompt="A table [sandbox:fail-part=2]", batch_size="3")
    assert sorted(name for name in done if name.startswith("image")) == ["image_1", "image_3"]
    assert cost(gateway, done["task_id"]) == 6 * CREDIT


# Requests of public clients ----------------------------------------------------------------------------------------


@pytest.mark.operation("picwish.segmentation", "picwish.segmentation.result")
def test_a_sample_that_sends_the_address_as_a_file(gateway: Gateway, client: Client) -> None:
    """The vendor's sample in Python for addresses has it among `files`, so that it has a file's name."""
    done = client.made("visual/segmentation", {"image_url": URL}, sync="0")
    assert opened(file_of(gateway, done)).size == (1024, 768)


@pytest.mark.operation("picwish.scale", "picwish.scale.result")
def test_json_without_a_content_type(gateway: Gateway, client: Client) -> None:
    """A wrapper for Laravel sends JSON that it does not name."""
    body = {"type": "face", "fix_face_only": 0, "return_type": 1, "sync": 0, "image_url": URL, "scale_factor": 2}
    answer = client.session.post(f"{client.url}/visual/scale", data=json.dumps(body).encode(), timeout=30)
    done = client.ended("visual/scale", answer.json()["data"]["task_id"])
    assert opened(file_of(gateway, done)).size == (2048, 1536)
    assert cost(gateway, done["task_id"]) == 2 * CREDIT


@pytest.mark.operation("picwish.inpaint")
def test_a_web_site_s_mask(gateway: Gateway, client: Client) -> None:
    """A server in JavaScript sends picture and mask, and waits."""
    files = {"image_file": ("image.jpg", jpeg()), "mask_file": ("mask.jpg", jpeg())}
    done = client.create("visual/inpaint", files, sync="1")
    assert done["state"] == 1


@pytest.mark.operation("picwish.colorization")
def test_a_url_encoded_form(gateway: Gateway, client: Client) -> None:
    fields = urlencode({"image_url": URL, "sync": "1", "format": "webp"})
    head = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.session.post(f"{client.url}/visual/colorization", data=fields, headers=head, timeout=60)
    assert opened(file_of(gateway, answer.json()["data"])).format == "WEBP"


@pytest.mark.operation("picwish.watermark", "picwish.inpaint.result")
def test_two_names_of_one_tool(gateway: Gateway, client: Client) -> None:
    mask = base64.b64encode(png(300, 200, "white")).decode()
    task = client.create("visual/watermark", {"image_file": ("a.jpg", jpeg())}, mask_base64=mask)["task_id"]
    assert client.ended("visual/inpaint", task)["state"] == 1


@pytest.mark.operation("picwish.task")
@each(TOOLS)
def test_a_relay_s_paths(gateway: Gateway, name: str) -> None:
    """One path asks for the tasks of all tools, by a bearer."""
    fields = {**TOOLS[name][1], "url" if name == "watermark_auto" else "image_url": URL}
    head = {"authorization": f"Bearer {gateway.live}"}
    answer = requests.post(f"{gateway.url}/task/pic/{name}", headers=head, data=fields, timeout=30)
    assert answer.status_code == 200, answer.text
    task = answer.json()["data"]["task_id"]

    def look() -> Any:
        data = requests.get(f"{gateway.url}/task/{task}", headers=head, timeout=30).json()["data"]
        return data if data["state"] == 1 else None

    assert until(look)[FIELD.get(name, "image")].startswith(f"{gateway.url}/assets/{task}/")


@pytest.mark.operation("picwish.segmentation", "picwish.segmentation.result")
def test_the_vendor_s_own_paths(gateway: Gateway) -> None:
    assert Client(gateway, "/api/tasks").made("visual/segmentation", image_url=URL)["state"] == 1


# What goes wrong ---------------------------------------------------------------------------------------------------


def test_another_tool_knows_no_task(gateway: Gateway, client: Client) -> None:
    task = client.create("visual/segmentation", image_url=URL)["task_id"]
    answer = client.get("visual/scale", task)
    assert answer.status_code == 404
    assert set(answer.json()) == {"status", "message"}
    assert answer.json()["status"] == 404


@pytest.mark.parametrize(
    ("file", "state"),
    [(b"not a picture", -7), (png(4097, 10), -5)],
    ids=["not a picture", "too large"],
)
@pytest.mark.operation("picwish.segmentation", "picwish.segmentation.result")
def test_a_failed_task_is_200_and_free(gateway: Gateway, client: Client, file: bytes, state: int) -> None:
    task = client.create("visual/segmentation", {"image_file": ("a.png", file)})["task_id"]
    failed = client.ended("visual/segmentation", task)
    assert (failed["state"], failed["state_detail"]) == (state, "Failed")
    assert not failed.get("image")
    assert cost(gateway, task) == 0
    waited = client.create("visual/segmentation", {"image_file": ("a.png", file)}, sync="1", return_type="3")
    assert waited["state"] == state


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "no source": ("visual/scale", {}),
    "two sources": ("visual/scale", {"image_url": URL, "image_base64": "aaaa"}),
    "way of returning": ("visual/scale", {"image_url": URL, "return_type": "4"}),
    "bytes of a compression": ("visual/imgcompress", {"image_url": URL, "return_type": "3"}),
    "no mask": ("visual/inpaint", {"image_url": URL}),
    "two masks": ("visual/inpaint", {"image_url": URL, "mask_url": URL, **MASKED}),
    "no background": ("visual/background", {"image_url": URL}),
    "five backgrounds": ("visual/background", {"image_url": URL, "prompt": "x", "batch_size": "5"}),
    "two aims": ("visual/imgcompress", {"image_url": URL, "quality": "70", "kbyte": "100"}),
    "a factor": ("visual/scale", {"image_url": URL, "scale_factor": "3"}),
    "a format": ("visual/colorization", {"image_url": URL, "format": "gif"}),
    "a size": ("visual/idphoto", {"image_url": URL, "size": "99x400"}),
    "a colour": ("visual/idphoto", {"image_url": URL, "format": "jpg", "bg_color": "red"}),
    "a crop": ("visual/correction", {"image_url": URL, "type": "5"}),
    "a long address": ("visual/scale", {"image_url": f"{URL}?{'x' * 600}"}),
    "an address of a file": ("visual/scale", {"image_url": "file:///etc/passwd"}),
    "a document's format": ("document/ocr", {"image_url": URL, "format": "odt"}),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused(gateway: Gateway, client: Client, case: str) -> None:
    path, fields = WRONG[case]
    answer = client.session.post(
        f"{client.url}/{path}", files={k: (None, v) for k, v in fields.items()} or None, json={}
    )
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"status", "message"}
    assert answer.json()["status"] == 400


def test_keys(gateway: Gateway) -> None:
    def ask(**head: str) -> requests.Response:
        return requests.post(f"{gateway.url}/api/tasks/visual/scale", headers=head, data={"image_url": URL}, timeout=30)

    for head in ({}, {"x-api-key": "sk-wrong"}, {"authorization": "Bearer sk-wrong"}):
        assert (ask(**head).status_code, ask(**head).json()["status"]) == (401, 401)


@pytest.mark.operation("picwish.idphoto")
@pytest.mark.parametrize("trigger", ["", "[sandbox:duplicate-callback]"])
def test_callbacks(gateway: Gateway, client: Client, trigger: str) -> None:
    with Receiver() as receiver:
        task = client.create("visual/idphoto", image_url=f"{URL}?{trigger}", callback_url=receiver.url)["task_id"]
        done = client.ended("visual/idphoto", task)
        until(lambda: receiver.received)
        (call,) = receiver.received
    assert call.body == {"status": 200, "message": "success", "data": done}
    assert account_secret(gateway).startswith("whsec_")
    assert call.headers["webhook-signature"].startswith("v1,")


def _states(client: Client, task: str, seen: list[int]) -> Callable[[], bool]:
    def look() -> bool:
        data = client.get("visual/correction", task).json()["data"]
        seen.append(data["state"])
        return data["state"] == 1

    return look


@pytest.mark.operation("picwish.correction", "picwish.correction.result")
def test_states_on_the_way(gateway: Gateway, client: Client) -> None:
    task = client.create("visual/correction", image_url=f"{URL}?[sandbox:takes=120]")["task_id"]
    seen: list[int] = []
    until(_states(client, task, seen))
    assert seen[-1] == 1
    assert set(seen) <= {0, 2, 3, 4, 1}
    assert len(set(seen)) > 1
