"""Viggle's official API as its pages show it, by multipart requests: no SDK of it is known."""

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
from tests.stack import Gateway, Sandbox
from tests.support.until import until

SECOND = 10_000_000
"""What one costs."""
BY_ADDRESS = {"ref_image_url": "https://example.com/a.png", "driving_video_url": "https://example.com/d.mp4"}


def png() -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (384, 512), "navy").save(drawn, "PNG")
    return drawn.getvalue()


def dance(seconds: float = 3.3) -> bytes:
    return film(Picture(360, 640, "a dance", b"a dance"), seconds)


class ViggleError(Exception):
    pass


class Client:
    def __init__(self, gateway: Gateway, key: str | None = None) -> None:
        self.base = f"{gateway.url}/viggle/api"
        self.session = requests.Session()
        self.session.headers["authorization"] = f"Bearer {key or gateway.live}"

    def ask(self, method: str, path: str, **more: Any) -> Any:
        answer = self.session.request(method, f"{self.base}/{path}", timeout=20, **more)
        if answer.status_code != 200:
            raise ViggleError(answer.status_code, answer.json()["detail"])
        return answer.json()

    def post(self, path: str, files: dict[str, Any] | None = None, **fields: Any) -> Any:
        """Send a form; without a file, too."""
        parts = {name: (None, str(value)) for name, value in fields.items()}
        return self.ask("POST", path, files={**parts, **(files or {})})

    def render(self, files: dict[str, Any] | None = None, **fields: Any) -> str:
        accepted = self.post("render", files, **fields)
        assert (accepted["status"], accepted["mode"]) == ("queued", "full_pipeline")
        assert accepted["enqueued_at"]
        return accepted["job_id"]

    def ended(self, job: str) -> Any:
        final = ("complete", "failed", "cancelled")
        return until(lambda: told if (told := self.ask("GET", f"render/{job}"))["status"] in final else None)

    def ready(self, kind: str, name: str) -> Any:
        return until(lambda: told if (told := self.ask("GET", f"{kind}s/{name}"))["status"] == "ready" else None)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    opened = Client(gateway)
    yield opened
    opened.session.close()


def cost(gateway: Gateway, job: str) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", job)[0]["cost"]


@pytest.mark.operation("viggle_api.render", "viggle_api.render.get")
def test_a_render_of_files(gateway: Gateway, client: Client) -> None:
    files = {"ref_image": ("a.png", png(), "image/png"), "driving_video": ("d.mp4", dance(), "video/mp4")}
    done = client.ended(client.render(files, background_mode="solid", bg_color="0,255,0", fast="true"))
    assert (done["status"], done["progress_pct"], done["error_message"]) == ("complete", 100, None)
    assert done["cdn_url"].startswith(f"{gateway.url}/assets/{done['job_id']}/0")
    assert requests.get(done["cdn_url"], timeout=20).headers["content-type"] == "video/mp4"
    assert done["mask_cdn_url"] is None
    assert cost(gateway, done["job_id"]) == 2 * 4 * SECOND, "started seconds, twice for twice the speed"


@pytest.mark.operation("viggle_api.render", "viggle_api.render.get")
def test_a_mask_is_kept_too(gateway: Gateway, client: Client) -> None:
    done = client.ended(client.render(**BY_ADDRESS, background_mode="transparent", model="V3_Preview"))
    assert done["mask_cdn_url"].startswith(f"{gateway.url}/assets/{done['job_id']}/1")
    assert cost(gateway, done["job_id"]) == 10 * SECOND


@pytest.mark.operation(
    "viggle_api.characters.preprocess",
    "viggle_api.characters.get",
    "viggle_api.characters.delete",
    "viggle_api.scenes.preprocess",
    "viggle_api.scenes.get",
    "viggle_api.scenes.delete",
    "viggle_api.render",
)
def test_what_is_prepared(gateway: Gateway, client: Client) -> None:
    character = client.post("characters/preprocess", {"image": ("a.png", png())}, name="Ann")["character_id"]
    scene = client.post("scenes/preprocess", {"video": ("d.mp4", dance(2.5))}, name="A dance")["scene_id"]
    assert client.ready("character", character)["name"] == "Ann"
    assert client.ready("scene", scene)["duration_seconds"] == 2.5
    done = client.ended(client.render(character_id=character, scene_id=scene))
    assert done["status"] == "complete"
    with pytest.raises(ViggleError) as other_model:
        client.render(character_id=character, scene_id=scene, model="V3_Preview")
    assert other_model.value.args[0] == 400
    for kind, name in (("characters", character), ("scenes", scene)):
        client.ask("DELETE", f"{kind}/{name}")
        with pytest.raises(ViggleError) as gone:
            client.ask("GET", f"{kind}/{name}")
        assert gone.value.args[0] == 404
    with pytest.raises(ViggleError) as gone:
        client.render(character_id=character, scene_id=scene)
    assert gone.value.args[0] == 404


@pytest.mark.operation("viggle_api.scenes.import", "viggle_api.render")
def test_several_characters(gateway: Gateway, client: Client) -> None:
    imported = client.ask("POST", "scenes/import", json={"template_id": "3", "name": "Two dancers"})
    assert (imported["status"], imported["credits_reserved"], len(imported["segments"])) == ("pending", 15, 2)
    character = client.post("characters/preprocess", name="Ann", image_url="https://example.com/a.png")["character_id"]
    client.ready("character", character)
    client.ready("scene", imported["id"])
    mapping = {segment["uuid"]: character for segment in imported["segments"]}
    job = client.render(scene_id=imported["id"], character_mapping=json.dumps(mapping))
    assert client.ended(job)["status"] == "complete"
    with pytest.raises(ViggleError) as nobody:
        client.render(scene_id=imported["id"], character_mapping=json.dumps({"nobody": character}))
    assert nobody.value.args[0] == 404


@pytest.mark.operation("viggle_api.render.cancel")
def test_a_render_is_stopped_and_costs_nothing(gateway: Gateway, client: Client) -> None:
    sandbox = gateway.sandbox
    assert sandbox is not None
    with sandbox.slowly():
        job = client.render(**BY_ADDRESS)
        assert client.ask("DELETE", f"render/{job}")["job_id"] == job
        assert client.ended(job)["status"] == "cancelled"
    assert cost(gateway, job) == 0
    assert client.ask("DELETE", f"render/{job}")["status"] == "cancelled", "again changes nothing"


@pytest.mark.operation("viggle_api.credits")
def test_all_is_its_owner_s_alone(gateway: Gateway, client: Client) -> None:
    name = f"viggle-api-{time.time_ns()}"
    for command in (("accounts", "add", name), ("accounts", "grant", name, "5")):
        assert gateway.cli(*command).returncode == 0
    made = gateway.cli("tokens", "add", name, "--account", name, "--json")
    stranger = Client(gateway, json.loads(made.stdout)["key"])
    assert stranger.ask("GET", "credits")["balance"] == 500
    character = client.post("characters/preprocess", {"image": ("a.png", png())}, name="Ann")["character_id"]
    scene = client.post("scenes/preprocess", {"video": ("d.mp4", dance())}, name="A dance")["scene_id"]
    job = client.render(**BY_ADDRESS)
    theirs = (("GET", f"characters/{character}"), ("DELETE", f"scenes/{scene}"))
    for method, path in (*theirs, ("GET", f"render/{job}"), ("DELETE", f"render/{job}")):
        with pytest.raises(ViggleError) as fault:
            stranger.ask(method, path)
        assert fault.value.args[0] == 404
    with pytest.raises(ViggleError) as fault:
        stranger.render(character_id=character, scene_id=scene)
    assert fault.value.args[0] == 404
    assert client.ended(job)["status"] == "complete"
    stranger.session.close()


@pytest.mark.parametrize("trigger", ["fail-midway", "moderated-output"])
def test_what_fails_is_free(gateway: Gateway, client: Client, trigger: str) -> None:
    address = f"https://example.com/[sandbox:{trigger}].png"
    failed = client.ended(client.render(**{**BY_ADDRESS, "ref_image_url": address}))
    assert (failed["status"], failed["cdn_url"]) == ("failed", None)
    assert failed["error_message"]
    assert cost(gateway, failed["job_id"]) == 0


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"driving_video_url": "https://example.com/d.mp4"}, 400, "CS-ORIV-001"),
        ({"ref_image_url": "https://example.com/a.png"}, 400, "CS-ORIV-002"),
        ({**BY_ADDRESS, "bg_color": "1,2,3"}, 400, ""),
        ({**BY_ADDRESS, "background_mode": "solid", "bg_color": "red"}, 400, ""),
        ({**BY_ADDRESS, "background_mode": "none"}, 400, ""),
        ({**BY_ADDRESS, "fast": "true"}, 400, ""),
        ({**BY_ADDRESS, "model": "V9_Preview"}, 404, ""),
        ({**BY_ADDRESS, "character_mapping": "{}x", "scene_id": "s"}, 400, ""),
        ({"character_id": "nobody-s", "driving_video_url": "https://example.com/d.mp4"}, 400, ""),
        ({"character_id": "nobody-s", "scene_id": "nobody-s"}, 404, ""),
    ],
)
def test_refusals(client: Client, fields: dict[str, str], status: int, code: str) -> None:
    with pytest.raises(ViggleError) as fault:
        client.render(**fields)
    got, detail = fault.value.args
    assert got == status, detail
    assert detail["message"]
    assert detail["error_code"] == code if code else detail["error_code"]


def test_long_videos_are_refused(client: Client) -> None:
    files = {"ref_image": ("a.png", png()), "driving_video": ("d.mp4", dance(301))}
    with pytest.raises(ViggleError) as fault:
        client.render(files)
    assert (fault.value.args[0], fault.value.args[1]["error_code"]) == (400, "CS-ORIV-004")
    with pytest.raises(ViggleError) as fault:
        client.post("characters/preprocess", name="Ann")
    assert fault.value.args[0] == 400


# Relays' format, done by the official API ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aliased(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """An operator whose only upstream of Viggle is the vendor itself."""
    config = f"""
[[channels]]
name = "the-vendor"
protocol = "viggle_api"
base_url = "{sandbox.url}/viggle_api"
credential = "sk-upstream-of-viggle"

[[aliases]]
name = "viggle-v3-beta"
target = "V4_Preview"
"""
    data = tmp_path_factory.mktemp("aliased")
    (data / "deeepai.toml").write_text(config)
    gateway = Gateway(data, sandbox).start()
    yield gateway
    gateway.stop()


def relayed(gateway: Gateway, path: str, **more: Any) -> tuple[int, Any]:
    head = {"authorization": f"Bearer {gateway.live}"}
    answer = requests.post(f"{gateway.url}/viggle/{path}", headers=head, timeout=20, **more)
    return answer.status_code, answer.json()


def film_of(gateway: Gateway, path: str, **more: Any) -> Any:
    status, created = relayed(gateway, path, **more)
    assert (status, created["code"]) == (200, 0), created
    ids = {"ids": [created["data"]["taskID"]]}

    def look() -> Any:
        (told,) = relayed(gateway, "video-task/by-ids", json=ids)[1]["data"]
        return told if told["status"] in (0, 3) else None

    return until(look)


def test_a_mix_by_files_and_by_address(aliased: Gateway) -> None:
    files = {"image": ("a.png", png(), "image/png"), "video": ("d.mp4", dance(), "video/mp4")}
    done = film_of(aliased, "mix/video-task", files=files, data={"bgMode": "1", "watermark": "0"})
    assert done["status"] == 0
    assert requests.get(done["result"], timeout=20).headers["content-type"] == "video/mp4"
    assert cost(aliased, done["taskID"]) == 4 * SECOND
    asked = {"imageURL": "https://example.com/aliased.png", "videoURL": "https://example.com/d.mp4"}
    done = film_of(aliased, "move/video-task", json={**asked, "bgMode": 2})
    assert done["status"] == 0
    assert cost(aliased, done["taskID"]) == 10 * SECOND
    sent = asked_of(aliased, asked["imageURL"])
    assert sent is not None
    assert sent["path"].endswith("/viggle_api/api/render")
    text = json.dumps(sent["body"])
    assert "original" in text
    assert "V4_Preview" in text


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("move/video-task", {}, 400),
        ("mix/video-task", {"videoURL": "", "templateID": "1"}, 400),
        ("multi/video-task", {"imageIDs": ["a"], "templateID": "3"}, 404),
        ("mix/video-task", {"modelInfoID": 2}, 404),
    ],
)
def test_what_the_vendor_s_own_api_cannot_do(aliased: Gateway, path: str, changes: dict[str, Any], status: int) -> None:
    body = {"imageURL": "https://example.com/a.png", "videoURL": "https://example.com/d.mp4", **changes}
    got, told = relayed(aliased, path, json=body)
    assert got == status, told
    assert told["reason"] == told["error"]["message"] != ""


def test_the_vendor_s_refusal_in_the_relays_words(aliased: Gateway) -> None:
    files = {"image": ("a.png", png()), "video": ("d.mp4", dance(301))}
    got, told = relayed(aliased, "mix/video-task", files=files)
    assert (got, told["code"]) == (400, 400)
    assert "longer than 300" in told["reason"]
