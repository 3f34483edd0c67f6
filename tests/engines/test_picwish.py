"""PicWish's tools done on this machine: by the engines' program in the vendor's format, and as the gateway has it from
the first start on, with real photographs."""

from __future__ import annotations

import base64
import io
import json
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests
from PIL import Image
from skimage import data as photographs

from deeepai.engines import install
from tests.engines.conftest import program
from tests.operator import rows
from tests.plugins import coverage_results
from tests.stack import Gateway
from tests.support import typeset
from tests.support.pictures import opened
from tests.support.receiver import Receiver
from tests.support.until import PATIENCE, until

CREDIT = 20_000_000
BASE = "/picwish/api/tasks"
TOOLS: dict[str, tuple[str, dict[str, str]]] = {
    "segmentation": ("visual/segmentation", {"output_type": "1"}),
    "scale": ("visual/scale", {"scale_factor": "2"}),
    "inpaint": ("visual/inpaint", {"rectangles": '[{"x":20,"y":20,"width":30,"height":30}]'}),
    "watermark": ("visual/watermark", {"rectangles": '[{"x":20,"y":20,"width":30,"height":30}]'}),
    "watermark_auto": ("visual/external/watermark-remove", {}),
    "background": ("visual/background", {"prompt": "A marble table in soft light", "batch_size": "2"}),
    "idphoto": ("visual/idphoto", {"size": "300x400", "format": "jpg", "bg_color": "438EDB"}),
    "colorization": ("visual/colorization", {"format": "png"}),
    "imgcompress": ("visual/imgcompress", {"quality": "60", "format": "jpg"}),
    "ocr": ("document/ocr", {"format": "txt"}),
    "correction": ("visual/correction", {"type": "2"}),
}


def face(side: int = 256) -> Image.Image:
    return Image.fromarray(photographs.astronaut()).resize((side, side), Image.Resampling.LANCZOS)


def marked() -> Image.Image:
    image = face(384)
    typeset.put(image, 230, 350, "SAMPLE.COM", 20, "white")
    return image


def paper() -> Image.Image:
    """Return a sheet of paper, seen at an angle on a dark table."""
    sheet = cv2.cvtColor(np.asarray(typeset.page(typeset.ENGLISH, size=40)), cv2.COLOR_RGB2BGR)
    height, width = sheet.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[160, 80], [850, 130], [800, 600], [90, 520]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, seen)
    table = cv2.warpPerspective(sheet, matrix, (960, 720), borderValue=(40, 60, 50))
    return Image.fromarray(cv2.cvtColor(table, cv2.COLOR_BGR2RGB))


SOURCES = {"ocr": lambda: typeset.page(typeset.ENGLISH), "watermark_auto": marked, "correction": paper}


def source(name: str) -> bytes:
    return typeset.encoded(SOURCES.get(name, face)())


@pytest.fixture(scope="module")
def weights(packs: Path) -> Path:
    for pack in ("u2netp", "real-esrgan"):
        install(pack, packs)
    return packs


@pytest.fixture(scope="module")
def program_url(weights: Path) -> Iterator[str]:
    with program(weights, "--allow-private", "127.0.0.1/32") as url:
        yield url


class Files:
    """A web server with pictures, some of which are none."""

    def __enter__(self) -> Files:
        outer = self
        self.stop = threading.Event()
        served = {
            "/photo.png": (200, typeset.encoded(face())),
            "/words.png": (200, b"<html>This is a page, not a picture</html>"),
            "/huge.png": (200, head_of_png(30_000, 30_000)),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/slow.png":
                    outer.stop.wait(PATIENCE)
                    return
                if self.path == "/endless.png":
                    self.send_response(200)
                    self.end_headers()
                    try:
                        while not outer.stop.is_set():
                            self.wfile.write(bytes(1 << 20))
                    except OSError:
                        pass
                    return
                if self.path == "/private.png":
                    self.send_response(302)
                    self.send_header("location", "http://10.1.2.3/photo.png")
                    self.end_headers()
                    return
                status, data = served.get(self.path, (404, b""))
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"


def head_of_png(width: int, height: int) -> bytes:
    """Return a PNG of few bytes that says to be very large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    body = zlib.compress(bytes(1 << 20))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    with Files() as served:
        yield served


class Engine:
    """The program in the vendor's format."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}{BASE}"

    def post(self, path: str, files: Any = None, **fields: Any) -> requests.Response:
        return requests.post(f"{self.url}/{path}", data=fields, files=files, timeout=PATIENCE)

    def create(self, path: str, files: Any = None, **fields: Any) -> str:
        answer = self.post(path, files, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["task_id"]

    def ended(self, path: str, task: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            data = requests.get(f"{self.url}/{path}/{task}", timeout=PATIENCE).json()["data"]
            return data if data["state"] == 1 or data["state"] < 0 else None

        return until(look)


@pytest.fixture
def engine(program_url: str) -> Engine:
    return Engine(program_url)


def test_waiting_in_each_way(engine: Engine) -> None:
    photo = {"image_file": ("a.png", typeset.encoded(face()))}
    told = engine.post("visual/colorization", photo, sync="1").json()["data"]
    assert (told["state"], told["progress"], told["engine"]) == (1, 100, "heuristic")
    assert opened(requests.get(told["image"], timeout=PATIENCE).content).size == (256, 256)
    told = engine.post("visual/segmentation", photo, sync="1", return_type="2", output_type="1").json()["data"]
    assert opened(base64.b64decode(told["image"], validate=True)).mode == "RGBA"
    assert opened(base64.b64decode(told["mask"], validate=True)).mode == "L"
    bare = engine.post("visual/colorization", photo, sync="1", return_type="3")
    assert opened(bare.content).size == (256, 256)


def test_sources(engine: Engine, files: Files) -> None:
    """An address, one that came as a file, base64, JSON without its name, and a URL-encoded form."""
    path, address = "visual/imgcompress", f"{files.url}/photo.png"
    base = base64.b64encode(typeset.encoded(face())).decode()
    made = [
        engine.create(path, image_url=address),
        engine.create(path, {"image_url": address}),
        engine.create(path, image_base64=base),
        engine.create(path, image_base64=f"data:image/png;base64,{base}"),
    ]
    for body in ({"image_url": address, "sync": 0}, {"url": address}):
        answer = requests.post(f"{engine.url}/{path}", data=json.dumps(body).encode(), timeout=PATIENCE)
        made.append(answer.json()["data"]["task_id"])
    for task in made:
        told = engine.ended(path, task)
        assert (told["state"], told["width"]) == (1, 256)


@pytest.mark.parametrize(
    ("address", "state"),
    [
        ("http://10.1.2.3/photo.png", -3),
        ("http://[::1]:1/photo.png", -3),
        ("http://127.0.0.1:1/photo.png", -3),
        ("{files}/private.png", -3),
        ("{files}/none.png", -3),
        ("{files}/slow.png", -3),
        ("{files}/endless.png", -5),
        ("{files}/words.png", -7),
        ("{files}/huge.png", -5),
    ],
)
def test_addresses_that_are_no_pictures(engine: Engine, files: Files, address: str, state: int) -> None:
    task = engine.create("visual/segmentation", image_url=address.format(files=files.url))
    told = engine.ended("visual/segmentation", task)
    assert (told["state"], told["state_detail"]) == (state, "Failed")
    assert told["err_info"]
    assert "image" not in told


@pytest.mark.parametrize("path", sorted({path for path, _ in TOOLS.values()}))
@pytest.mark.parametrize(
    ("spoiled", "state"),
    [
        pytest.param(head_of_png(30_000, 30_000), -5, id="30,000 pixels a side"),
        pytest.param(b"", -7, id="no bytes"),
        pytest.param(b"no picture at all", -7, id="words"),
        pytest.param(typeset.encoded(face())[:3000], -7, id="cut"),
    ],
)
def test_pictures_that_are_none(engine: Engine, path: str, spoiled: bytes, state: int) -> None:
    (fields,) = [fields for other, fields in TOOLS.values() if other == path]
    task = engine.create(path, image_base64=base64.b64encode(spoiled).decode() or "====", **fields) if spoiled else None
    task = task or engine.create(path, {"image_file": ("a.png", spoiled)}, **fields)
    assert engine.ended(path, task)["state"] == state


def test_no_face(engine: Engine) -> None:
    plain = typeset.encoded(typeset.blank(400, 400, "gray"))
    told = engine.ended("visual/idphoto", engine.create("visual/idphoto", {"image_file": ("a.png", plain)}))
    assert told["state"] == -1
    assert "face" in told["err_info"].lower()


WRONG: tuple[tuple[str, dict[str, str]], ...] = (
    ("visual/scale", {}),
    ("visual/scale", {"scale_factor": "3"}),
    ("visual/scale", {"sync": "2"}),
    ("visual/scale", {"return_type": "4"}),
    ("visual/imgcompress", {"return_type": "3"}),
    ("visual/imgcompress", {"quality": "60", "kbyte": "9"}),
    ("visual/imgcompress", {"kbyte": "9", "format": "png"}),
    ("visual/inpaint", {}),
    ("visual/inpaint", {"rectangles": "[]"}),
    ("visual/inpaint", {"rectangles": '[{"x":0}]'}),
    ("visual/inpaint", {"rectangles": "[" * 5000}),
    ("visual/inpaint", {"mask_base64": "not base64!"}),
    ("visual/background", {}),
    ("visual/idphoto", {"size": "300X400"}),
    ("visual/idphoto", {"bg_color": "blue"}),
    ("visual/segmentation", {"type": "dog"}),
    ("visual/correction", {"type": "9"}),
    ("document/ocr", {"format": "odt"}),
    ("document/ocr", {"language": "Korean"}),
    ("document/ocr", {"password": "x" * 33}),
)


@pytest.mark.parametrize(("path", "fields"), WRONG)
def test_what_is_refused(engine: Engine, path: str, fields: dict[str, str]) -> None:
    photo = {} if (path, fields) == WRONG[0] else {"image_file": ("a.png", typeset.encoded(face()))}
    answer = engine.post(path, photo or {"none": ("", b"")}, **fields)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"status", "message"}


def test_tasks_of_others(engine: Engine) -> None:
    path = "visual/imgcompress"
    task = engine.create(path, {"image_file": ("a.png", typeset.encoded(face()))})
    stranger = requests.get(f"{engine.url}/{path}/{task}", headers={"x-deeepai-account": "other"}, timeout=PATIENCE)
    other_tool = requests.get(f"{engine.url}/visual/scale/{task}", timeout=PATIENCE)
    for answer in (stranger, other_tool, requests.get(f"{engine.url}/{path}/none", timeout=PATIENCE)):
        assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_a_callback_is_made_once(engine: Engine) -> None:
    with Receiver(first=[500]) as receiver:
        photo = {"image_file": ("a.png", typeset.encoded(face()))}
        task = engine.create("visual/imgcompress", photo, callback_url=receiver.url)
        told = engine.ended("visual/imgcompress", task)
        until(lambda: len(receiver.received) == 2)
    assert [call.body["data"] for call in receiver.received] == [told, told], "again after the first was not taken"


# From the first start on -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    env = {"DEEEPAI_PACKS": str(weights)}
    made = Gateway(Path(tmp_path_factory.mktemp("tools")), flags=("--no-sandbox",), env=env).start()
    coverage_results.watch(made.url)
    yield made
    proof = made.cli("ledger", "verify")
    made.stop()
    assert proof.returncode == 0, proof.stdout


def tool(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.operation(f"picwish.{name}", f"picwish.{name}.result"))


@pytest.mark.parametrize("name", [tool(name) for name in TOOLS])
def test_every_tool_is_there_at_once(local: Gateway, name: str) -> None:
    path, fields = TOOLS[name]
    head = {"x-api-key": local.live}
    photo = {"image_file": ("photo.png", source(name), "image/png")}
    answer = requests.post(f"{local.url}{BASE}/{path}", headers=head, data=fields, files=photo, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    task = answer.json()["data"]["task_id"]

    def look() -> Any:
        data = requests.get(f"{local.url}{BASE}/{path}/{task}", headers=head, timeout=PATIENCE).json()["data"]
        return data if data["state"] == 1 or data["state"] < 0 else None

    told = until(look)
    assert told["state"] == 1, told
    field = {"background": "image_1", "ocr": "file", "watermark_auto": "file"}.get(name, "image")
    assert told[field].startswith(f"{local.url}/assets/{task}/")
    made = requests.get(told[field], timeout=PATIENCE).content
    judge(name, made, told)
    (row,) = rows(local, "SELECT cost FROM tasks WHERE id = ?", task)
    assert row["cost"] == {"scale": 2, "background": 6, "correction": 3}.get(name, 1) * CREDIT


def judge(name: str, made: bytes, told: dict[str, Any]) -> None:
    """Look at what was made."""
    if name == "ocr":
        assert told["engine"] == "pp-ocrv6"
        found = ["".join(line.split()) for line in made.decode().splitlines() if line]
        assert found == ["".join(line.split()) for line in typeset.ENGLISH]
        return
    image, seen = opened(made), cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_UNCHANGED)
    assert seen.shape[:2] == image.size[::-1] == (told["height"], told["width"])
    given = opened(source(name))
    match name:
        case "segmentation":
            assert (told["engine"], image.mode, image.size) == ("u2netp", "RGBA", given.size)
            alpha = np.asarray(image)[:, :, 3]
            assert alpha[120:200, 60:140].mean() > 200, "the astronaut stays"
            assert alpha[:40, 200:].mean() < 60, "what is behind her goes"
        case "scale":
            assert image.size == (512, 512)
            assert told["engine"].startswith("real")
        case "inpaint" | "watermark":
            assert told["engine"] in ("patchmatch", "telea")
            changed = np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(given.convert("RGB"), int)).mean(axis=2)
            assert changed[20:50, 20:50].mean() > 1
            assert changed[120:, 120:].mean() < 1
        case "watermark_auto":
            before, after = (np.asarray(one.convert("L"), int)[350:378, 230:350] for one in (given, image))
            assert told["engine"] == "heuristic"
            assert (after > 240).sum() < (before > 240).sum() / 10, "the white letters are gone"
        case "background":
            assert told["engine"] == "procedural"
            assert told["image_2"] != told["image_1"]
        case "idphoto":
            assert (image.size, image.format) == ((300, 400), "JPEG")
            assert np.abs(np.asarray(image.convert("RGB"), int)[5, 5] - (0x43, 0x8E, 0xDB)).max() < 12
        case "colorization":
            assert (told["engine"], image.format) == ("heuristic", "PNG")
        case "imgcompress":
            assert image.format == "JPEG"
            assert len(made) < len(source(name)) / 3
        case _:
            assert told["engine"] == "contour"
            assert np.asarray(image.convert("L")).mean() > 180, "the table is cut away, the paper stays"


@pytest.mark.operation("picwish.ocr")
def test_a_document_too_old_or_secret_fails_and_is_free(local: Gateway) -> None:
    head = {"x-api-key": local.live}
    files = {"file": ("old.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"))}
    answer = requests.post(f"{local.url}{BASE}/document/ocr", headers=head, files=files, timeout=PATIENCE)
    task = answer.json()["data"]["task_id"]

    def look() -> Any:
        data = requests.get(f"{local.url}/task/{task}", headers=head, timeout=PATIENCE).json()["data"]
        return data if data["state"] < 0 else None

    assert "encrypted" in until(look)["err_info"]
    (row,) = rows(local, "SELECT cost FROM tasks WHERE id = ?", task)
    assert row["cost"] == 0


@pytest.mark.operation("picwish.segmentation")
def test_base64_of_both_files(local: Gateway) -> None:
    body = {"image_base64": base64.b64encode(source("segmentation")).decode(), "sync": 1, "return_type": 2}
    head = {"authorization": f"Bearer {local.live}"}
    answer = requests.post(
        f"{local.url}/api/tasks/visual/segmentation", headers=head, json={**body, "output_type": 1}, timeout=PATIENCE
    )
    told = answer.json()["data"]
    assert told["state"] == 1
    image, mask = (Image.open(io.BytesIO(base64.b64decode(told[name]))) for name in ("image", "mask"))
    assert (image.mode, mask.mode) == ("RGBA", "L")
