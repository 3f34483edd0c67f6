"""The engines behind MewXAI's format: what they draw is read by others' code, and what is wrong is refused."""

from __future__ import annotations

import base64
import io
import struct
import threading
import zlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import segno
import zxingcpp
from PIL import Image

from deeepai.engines.art import reading
from tests.support.receiver import Receiver
from tests.support.until import PATIENCE, until

from .conftest import program

SAYS = "https://example.com/art"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with program(tmp_path_factory.mktemp("packs"), "--allow-private", "127.0.0.0/8") as url:
        yield f"{url}/mewx/api/v1"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A program that may reach no private network."""
    with program(tmp_path_factory.mktemp("packs")) as url:
        yield f"{url}/mewx/api/v1"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address under which it is served."""
    folder = Path(tmp_path_factory.mktemp("shelf"))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def asked(base: str, path: str, body: Any) -> Any:
    return requests.post(f"{base}/{path}", json=body, timeout=PATIENCE).json()


def told(base: str, path: str, body: Any) -> dict[str, Any]:
    """Submit, and wait for the end."""
    accepted = asked(base, path, body)
    assert accepted["code"] == 0, accepted
    name = accepted["data"]["img_uuid"]

    def look() -> dict[str, Any] | None:
        answer = requests.get(f"{base}/images/detail", params={"img_uuid": name}, timeout=PATIENCE).json()
        return answer["data"] if answer["data"]["status"] != 0 else None

    return until(look)


def drawn(base: str, path: str, body: Any) -> tuple[dict[str, Any], bytes]:
    done = told(base, path, body)
    assert done["status"] == 1, done
    return done, requests.get(done["urls"][0], timeout=PATIENCE).content


def readable(data: bytes, content: str = SAYS) -> None:
    """Fail unless ZXing and OpenCV read a picture scaled to 200 pixels, and as JPEG of quality 60."""
    picture = Image.open(io.BytesIO(data))
    small = picture.resize((picture.width * 200 // min(picture.size), picture.height * 200 // min(picture.size)))
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=60)
    for view in (small, Image.open(held)):
        assert [code.text for code in zxingcpp.read_barcodes(view)] == [content]
        assert reading.by_opencv(view) == content


# Codes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "一朵花 --v 1.1 --seed 7", "model": "67", "negative_prompt": "", "qr_image": "", "template_id": ""},
        {"prompt": "a castle\n--v 3 --iw 0.95 --shape tiny-plus --ar 1:1 --seed 7", "model": "67"},
        {"template_id": "54", "prompt": "--seed 7"},
        {"template_id": 75, "prompt": "--iw 0.45 --shape circle --ar 9:16 --seed 7", "model": ""},
    ],
    ids=["php", "node", "template", "template-strength"],
)
def test_a_code_is_read_small_and_compressed(base: str, body: dict[str, Any]) -> None:
    done, data = drawn(base, "images/generate", {**body, "qr_content": SAYS})
    assert (done["qr_content"], done["engine"]) == (SAYS, "procedural")
    readable(data)
    picture = Image.open(io.BytesIO(data))
    assert picture.size == ((768, 1360) if "9:16" in body["prompt"] else (1024, 1024))
    # No plain code: most of it has colour.
    samples = np.asarray(picture.convert("HSV").resize((64, 64)))
    assert np.mean(samples[..., 1] > 40) > 0.3


def test_the_same_seed_gives_the_same_bytes(base: str) -> None:
    body = {"template_id": 13, "qr_content": SAYS, "prompt": "--seed 99"}
    first, second = (drawn(base, "images/generate", body)[1] for _ in range(2))
    assert first == second
    assert drawn(base, "images/generate", {**body, "prompt": "--seed 100"})[1] != first


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_a_picture_of_a_code_is_read_first(base: str, prefix: str) -> None:
    held = io.BytesIO()
    segno.make_qr("你好，世界").save(held, kind="png", scale=5)
    body = {"template_id": 2, "qr_image": prefix + base64.b64encode(held.getvalue()).decode()}
    done, data = drawn(base, "images/generate", body)
    assert done["qr_content"] == "你好，世界"
    readable(data, "你好，世界")


def png(width: int, height: int) -> bytes:
    """A picture of one colour: small as a file, however large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes(width // 8)
    data = zlib.compress(row * height, 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data", [b"", b"no picture", png(30_000, 30_000), png(64, 64), b"\x89PNG\r\n\x1a\n" + bytes(50)], ids=range(5)
)
def test_what_is_no_code_fails(base: str, data: bytes) -> None:
    body = {"template_id": 2, "qr_image": base64.b64encode(data).decode() or "AA=="}
    done = told(base, "images/generate", body)
    assert (done["status"], done["urls"], bool(done["msg"])) == (-1, [], True)


@pytest.mark.parametrize(
    ("path", "body", "code", "said"),
    [
        ("images/generate", {"template_id": 2}, 400, "qr_content"),
        ("images/generate", {"template_id": 2, "qr_content": "x" * 1300}, 400, "qr_content"),
        ("images/generate", {"template_id": 999, "qr_content": "x"}, 400, "template"),
        ("images/generate", {"template_id": "../2", "qr_content": "x"}, 400, "template"),
        ("images/generate", {"model": "1", "prompt": "x", "qr_content": "x"}, 400, "model"),
        ("images/generate", {"model": "67", "prompt": "", "qr_content": "x"}, 400, "prompt"),
        ("images/generate", {"model": "67", "prompt": "x --iw 1.01", "qr_content": "x"}, 400, "--iw"),
        ("images/generate", {"model": "67", "prompt": "x --v 4", "qr_content": "x"}, 400, "--v"),
        ("images/generate", {"model": "67", "prompt": "x --seed 1000000000", "qr_content": "x"}, 400, "--seed"),
        ("images/generate", {"template_id": 2, "qr_image": "%%%"}, 400, "base64"),
        ("images/generate", {"template_id": 2, "qr_image": "A" * (7 * 2**20)}, 413, "larger"),
        ("images/generate", {"template_id": {"not": "this"}, "qr_content": "x"}, 400, "template_id"),
        ("images/shadow/generate", {"type": "textart", "template_id": 1}, 400, "text"),
        ("images/shadow/generate", {"type": "textart", "template_id": 1, "text": "福\0"}, 400, "text"),
        ("images/shadow/generate", {"type": "textart", "template_id": 1, "text": "福", "ratio": 2}, 400, "ratio"),
        ("images/shadow/generate", {"type": "x", "template_id": 1, "text": "福"}, 400, "type"),
        ("mx/images/cute/generate", {"type": "MX-CUTE", "args": {}}, 400, "need a channel"),
        ("mx/images/generate", {"type": "default", "args": {}}, 400, "need a channel"),
    ],
)
def test_what_is_refused(base: str, path: str, body: Any, code: int, said: str) -> None:
    refused = asked(base, path, body)
    assert refused["code"] == code
    assert said in refused["msg"]


# Words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["textart", "textshadow", "texthidden"])
def test_characters_stand_out_of_the_picture(base: str, kind: str) -> None:
    """They are where the typeface has them, lighter or darker than what is around; more so, the stronger."""
    from deeepai.engines.art.words import mask

    body = {"type": kind, "text": "福", "template_id": 1, "ratio": 1}
    shape = mask("福", (1024, 1024)) > 0.5
    apart: list[float] = []
    for strength in ("0.1", "0.9"):
        _, data = drawn(base, "images/shadow/generate", {**body, "prompt": f"--iw {strength} --seed 3"})
        light = np.asarray(Image.open(io.BytesIO(data)).convert("L"), float)
        apart.append(abs(light[shape].mean() - light[~shape].mean()))
    assert apart[1] > 15
    assert kind == "textart" or apart[1] > apart[0]


def test_art_text_is_read(base: str) -> None:
    """By an OCR engine that knows nothing of it."""
    from rapidocr import RapidOCR

    _, data = drawn(
        base, "images/shadow/generate", {"type": "textshadow", "text": "山水", "template_id": 1, "ratio": 4}
    )
    found = RapidOCR()(np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))).txts
    assert "山水" in "".join(found or ())


@pytest.mark.parametrize(("ratio", "size"), [(1, (1024, 1024)), (3, (768, 1360)), ("4", (1360, 768))])
def test_a_ratio_is_that_of_the_picture(base: str, ratio: Any, size: tuple[int, int]) -> None:
    body = {"type": "textart", "words": "花开富贵", "prompt": "玉 --type 5 --seed 2", "model": 67, "ratio": ratio}
    _, data = drawn(base, "images/shadow/generate", body)
    assert Image.open(io.BytesIO(data)).size == size


def test_a_character_that_there_is_not(base: str) -> None:
    done = told(base, "images/shadow/generate", {"type": "textart", "text": "😀", "template_id": 1})
    assert (done["status"], done["msg"]) == (-1, "The typeface has no '😀'")


# Fusion ------------------------------------------------------------------------------------------------------------


def put(shelf: tuple[Path, str], name: str, picture: Image.Image | bytes) -> str:
    folder, url = shelf
    if isinstance(picture, bytes):
        (folder / name).write_bytes(picture)
    else:
        picture.save(folder / name)
    return f"{url}/{name}"


def fusion(source: str, style: str, **changes: Any) -> dict[str, Any]:
    control = {"type": 1, "weight": 60, "guidance_start": 0, "guidance_end": 1}
    known = {"source_img": source, "source_mode": 1, "style_img": style, "engine": 1, "cn_list": [control]}
    return {**known, "type": "neuralstyle", **changes}


def scene() -> Image.Image:
    """Blue above, green below, a white disk."""
    ys, xs = np.mgrid[0:300, 0:400]
    pixels = np.where(ys[..., None] < 150, (90, 120, 200), (60, 140, 70)).astype(np.uint8)
    pixels[np.hypot(xs - 200, ys - 150) < 60] = (235, 235, 235)
    return Image.fromarray(pixels)


def test_a_fusion_takes_the_style_s_colours_and_keeps_the_edges(base: str, shelf: tuple[Path, str]) -> None:
    source = put(shelf, "scene.png", scene())
    ramp = np.linspace(0, 1, 256)[None, :, None] * np.array([255, 90, 20]) + np.array([0, 20, 10])
    style = put(shelf, "warm.png", Image.fromarray(np.tile(np.clip(ramp, 0, 255).astype(np.uint8), (256, 1, 1))))
    made = [drawn(base, "images/neuralstyle/generate", fusion(source, style, engine=engine)) for engine in (1, 2)]
    for done, data in made:
        assert done["engine"] == "classical"
        picture = Image.open(io.BytesIO(data))
        assert picture.size == (400, 300)
        pixels, before = np.asarray(picture, float), np.asarray(scene(), float)
        assert pixels[..., 0].mean() - pixels[..., 2].mean() > 40 > before[..., 0].mean() - before[..., 2].mean()
        edges, old = (np.abs(np.diff(one.mean(-1), axis=0)) for one in (pixels, before))
        assert np.corrcoef(edges.ravel(), old.ravel())[0, 1] > 0.5
    assert made[0][1] != made[1][1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"engine": 3}, "engine"),
        ({"source_mode": 0}, "source_mode"),
        ({"source_img": ""}, "source_img"),
        ({"cn_list": []}, "cn_list"),
        ({"cn_list": [{"type": 2, "weight": 1}]}, "cn_list[0].type"),
        ({"cn_list": [{"type": 1, "weight": 1, "guidance_end": 2}]}, "guidance_end"),
        ({"source_img": "file:///etc/passwd"}, "source_img"),
        ({"source_img": "http://127.0.0.1:1/none.png"}, "source_img"),
    ],
)
def test_what_a_fusion_refuses(base: str, shelf: tuple[Path, str], changes: dict[str, Any], said: str) -> None:
    good = put(shelf, "good.png", scene())
    refused = asked(base, "images/neuralstyle/generate", fusion(good, good, **changes))
    assert refused["code"] == 400
    assert said in refused["msg"]


def test_pictures_that_a_fusion_cannot_use(base: str, shelf: tuple[Path, str]) -> None:
    good = put(shelf, "good.png", scene())
    assert (
        "large"
        in asked(base, "images/neuralstyle/generate", fusion(put(shelf, "big.png", bytes(2**21 + 1)), good))["msg"]
    )
    for name, data in (
        ("steep.png", Image.new("RGB", (600, 100))),
        ("text.png", b"no picture"),
        ("bomb.png", png(30_000, 30_000)),
    ):
        done = told(base, "images/neuralstyle/generate", fusion(good, put(shelf, name, data)))
        assert done["status"] == -1
        assert "style_img" in done["msg"]


# Addresses, callbacks, lists -----------------------------------------------------------------------------------------


def test_private_addresses_are_not_reached(guarded: str, shelf: tuple[Path, str]) -> None:
    good = put(shelf, "good.png", scene())
    assert "source_img" in asked(guarded, "images/neuralstyle/generate", fusion(good, good))["msg"]
    with Receiver(answer=b'{"code": 0}') as hook:
        body = {"type": "textshadow", "text": "海", "template_id": 3, "callback_url": hook.url}
        done = told(guarded, "images/shadow/generate", body)
        assert done["status"] == 1, "a gateway's own address on this machine is no reason to refuse"
        assert not hook.received


@pytest.mark.parametrize(("answer", "calls"), [(b'{"code": 0}', 1), (b"no", 2)])
def test_a_callback_comes_again_until_it_is_answered(base: str, answer: bytes, calls: int) -> None:
    with Receiver(answer=answer) as hook:
        body = {"type": "textshadow", "text": "海", "template_id": 3, "callback_url": hook.url}
        name = asked(base, "images/shadow/generate", body)["data"]["img_uuid"]
        until(lambda: len(hook.received) >= calls)
    assert {one.body["img_uuid"] for one in hook.received} == {name}
    assert set(hook.received[0].body) >= {"img_uuid", "user_id", "urls", "duration", "status", "qr_content"}


@pytest.mark.parametrize("kind", ["qrcode", "textart", "textshadow", "texthidden"])
def test_templates_have_previews(base: str, kind: str) -> None:
    listed = requests.get(f"{base}/template/list", params={"type": kind}, timeout=PATIENCE * 3).json()["data"]
    assert len(listed) >= 6
    seen: set[bytes] = set()
    for template in listed:
        head, _, data = template["preview_img"].partition(",")
        assert head == "data:image/webp;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert picture.size == (176, 176)
        seen.add(picture.tobytes())
        if kind == "qrcode":
            assert [code.text for code in zxingcpp.read_barcodes(picture.resize((528, 528)))] == ["MEWX"]
    assert len(seen) == len(listed), "each is another"


def test_an_unknown_task(base: str) -> None:
    for name in ("", "unknown", "../etc"):
        answer = requests.get(f"{base}/images/detail", params={"img_uuid": name}, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (404, 404)
