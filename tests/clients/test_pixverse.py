"""Pixverse in the vendor's own format, by the client of its MCP server."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from deeepai.accounts.vault import Vault
from deeepai.tasks.secrets import channel_hook
from tests.clients.programs import isolated
from tests.operator import account_secret, asked_of, rows
from tests.stack import Gateway
from tests.support.pictures import png
from tests.support.receiver import Receiver
from tests.support.until import until

FOLDER = Path(__file__).parent / "pixverse_mcp"
CACHE = Path(__file__).parents[2] / ".cache" / "clients" / "pixverse-mcp-0.2.2"


def package() -> Path:
    """Return where the client lies: it says that it is for Python 3.12, so nothing installs it into ours."""
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with CACHE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "pixverse_mcp").is_dir():
            uv = Path(sys.executable).with_name("uv")
            options = ["--quiet", "--no-deps", "--python-version", "3.12", "--require-hashes"]
            command = [str(uv), "pip", "install", *options, "--target", str(CACHE), "-r", str(FOLDER / "client.txt")]
            subprocess.run(command, check=True)
    return CACHE


def cost(gateway: Gateway, task: Any) -> int:
    (row,) = rows(gateway, "SELECT cost, hold_id FROM tasks WHERE id = ?", str(task))
    assert row["hold_id"] is None
    return row["cost"]


KINDS = ("text", "img", "transition", "extend", "lip_sync", "sound_effect", "fusion")
USED = (*(f"video.{kind}" for kind in KINDS), "video.result", "video.lip_sync.tts_list", "image.upload", "media.upload")


@pytest.mark.operation(*(f"pixverse_platform.{name}" for name in USED))
def test_the_vendor_s_client(gateway: Gateway) -> None:
    """It asks at the root, whatever path stands in the address."""
    picture = base64.b64encode(png(640, 480)).decode()
    finished = subprocess.run(
        isolated(FOLDER),
        cwd=FOLDER,
        env={
            **os.environ,
            "GATEWAY": f"{gateway.url}/pixverse",
            "TOKEN": gateway.live,
            "PICTURE": picture,
            "PYTHONPATH": str(package()),
        },
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    seen = json.loads(finished.stdout.strip().splitlines()[-1])
    films = {name: film for name, film in seen.items() if isinstance(film, dict) and "video_id" in film}
    failed = films.pop("failed")
    for name, film in films.items():
        assert (film["status"], film["id"]) == ("completed", film["video_id"]), name
        assert film["url"].startswith(f"{gateway.url}/assets/{film['id']}/0")
        assert requests.get(film["url"], timeout=10).headers["content-type"] == "video/mp4"
    assert (failed["status"], failed["url"], cost(gateway, failed["id"])) == ("failed", "", 0)
    assert (films["img"]["width"], films["text"]["width"]) == (720, 960)
    costs = {name: cost(gateway, film["id"]) / 10**9 for name, film in films.items()}
    usual = dict.fromkeys(("text", "img", "transition", "extend", "fusion"), 0.45)
    assert costs == usual | {"lip_sync": 0.08, "heard": 0.20, "sound_effect": 0.10}
    assert seen["voices"] == [3, 2]
    auth, code, _ = seen["errors"]["key"]
    assert (auth, code) == (True, None)
    auth, code, words = seen["errors"]["upload"]
    assert not auth
    assert "17" in words
    sent = asked_of(gateway, "a cat by mcp")
    assert sent is not None
    assert sent["body"]["model"] == "v5"


# The relays' and the web site's formats ----------------------------------------------------------------------------


def ask(gateway: Gateway, method: str, path: str, body: Any = None, **head: str) -> requests.Response:
    head = {"authorization": f"Bearer {gateway.live}", **head}
    return requests.request(method, gateway.url + path, headers=head, json=body, timeout=30)


@pytest.mark.operation("pixverse.generate", "pixverse.feed", "pixverse.feed.post")
@pytest.mark.parametrize("place", ["/pixverse/v1/pro", "/pixverse/pro"])
def test_films_by_relays(gateway: Gateway, place: str) -> None:
    words = f"a cat at {place}"
    body = {"prompt": words, "ratio": "16:9", "model": "v4.5", "sound_effect_switch": 1, "sound_effect_content": "rain"}
    task = ask(gateway, "POST", f"{place}/generate", body).json()["data"]["task_id"]
    feed = f"{place}/feed?task_id={task}"
    done = until(lambda: told if (told := ask(gateway, "GET", feed).json())["data"]["status"] == "3" else None)
    data = done["data"]
    assert (done["code"], data["state"], data["prompt"], data["msg"]) == (200, "succeeded", words, None)
    assert data["video_url"].startswith(f"{gateway.url}/assets/{task}/0")
    assert ask(gateway, "POST", f"{place}/feed", {"task_id": task}).json()["data"] == data
    assert cost(gateway, task) == 550_000_000
    sent = asked_of(gateway, words)
    assert sent is not None
    assert sent["body"]["model"] == "v4.5"
    image = {"prompt": "it jumps", "image": "https://example.com/cat.png", "last_image": "https://example.com/b.png"}
    other = ask(gateway, "POST", f"{place}/generate", image).json()["data"]["task_id"]
    path = f"{place}/feed?task_id={other}"
    until(lambda: ask(gateway, "GET", path).json()["data"]["state"] == "succeeded")


@pytest.mark.operation("pixverse_web.generate", "pixverse_web.feed")
def test_films_by_a_web_client(gateway: Gateway) -> None:
    """As chatgpt-web-midjourney-proxy asks; whose the upstream's account is, nobody is told."""

    def made(**body: Any) -> dict[str, Any]:
        begun = ask(gateway, "POST", "/pixverse/generate", body).json()
        assert (begun["ErrCode"], set(begun["Resp"])) == (0, {"video_id"}), begun
        path = f"/pixverse/feed/{begun['Resp']['video_id']}"
        return until(
            lambda: told if (told := ask(gateway, "GET", path).json()["Resp"])["video_status"] in (1, 7, 8) else None
        )

    usual = {"model": "v4.5", "quality": "540p", "duration": 5, "aspect_ratio": "1:1", "motion_mode": "normal"}
    first = made(prompt="a cat on the web", seed=648043228, **usual)
    assert (first["video_status"], first["prompt"], first["seed"]) == (1, "a cat on the web", 648043228)
    assert first["url"].startswith(f"{gateway.url}/assets/{first['video_id']}/0")
    assert (first["account_id"], first["nick_name"]) == (0, "")
    assert cost(gateway, first["video_id"]) == 450_000_000
    longer = made(prompt="on", original_video_id=first["video_id"], extend=1, platform="web", **usual)
    assert (longer["video_status"], longer["video_duration"], longer["extended"]) == (1, 10.0, 1)
    upstream = rows(gateway, "SELECT upstream_id FROM tasks WHERE id = ?", str(first["video_id"]))[0]["upstream_id"]
    sent = asked_of(gateway, '"original_video_id": ' + upstream)
    assert sent is not None
    frames = ["https://example.com/a.png", "https://example.com/b.png"]
    assert made(prompt="x", frame=frames, **usual | {"motion_mode": "performance"})["video_status"] == 1
    failed = made(prompt="[sandbox:moderated-output] x", **usual)
    assert (failed["video_status"], failed["url"], cost(gateway, failed["video_id"])) == (7, "", 0)
    for video, status in ((failed["video_id"], 400), (331232157217408, 404)):
        refused = ask(gateway, "POST", "/pixverse/generate", {"prompt": "x", "original_video_id": video, "extend": 1})
        assert refused.status_code == status
        assert refused.json()["ErrCode"] > 0
    refused = ask(gateway, "POST", "/pixverse/generate", {"prompt": "x", "quality": "1080p", "duration": 8})
    assert (refused.status_code, refused.json()["ErrCode"]) == (200, 400017)


# The vendor's own, without its client ------------------------------------------------------------------------------

FURTHER = ("restyle", "multi_transition", "swap", "mimic", "modify", "upscale")
FILM = {"model": "v5", "duration": 5, "quality": "540p", "aspect_ratio": "16:9"}


@pytest.mark.operation("pixverse_platform.video.text")
def test_what_the_client_repeats_is_one_job(gateway: Gateway) -> None:
    """Each repetition has another trace id."""
    body, path = {**FILM, "prompt": "a cat thrice"}, "/openapi/v2/video/text/generate"
    ids = {
        ask(gateway, "POST", path, body, **{"ai-trace-id": f"trace-{number}"}).json()["Resp"]["video_id"]
        for number in range(3)
    }
    assert len(ids) == 1
    assert gateway.sandbox is not None
    asked = [entry for entry in gateway.sandbox.requests() if "a cat thrice" in json.dumps(entry["body"])]
    assert len(asked) == 1
    assert not asked[0]["headers"]["ai-trace-id"].startswith("trace-")


@pytest.mark.operation("pixverse_platform.video.text")
def test_callbacks_are_signed_as_the_vendor_s(gateway: Gateway) -> None:
    with Receiver() as receiver:
        body = {**FILM, "prompt": "call me", "callback_url": receiver.url}
        answer = ask(gateway, "POST", "/pixverse/openapi/v2/video/text/generate", body)
        task = answer.json()["Resp"]["video_id"]
        until(lambda: receiver.received)
        (call,) = receiver.received
    assert (call.body["id"], call.body["status"], call.body["credits"]) == (str(task), 1, 45)
    assert call.body["url"].startswith(f"{gateway.url}/assets/{task}/0")
    words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in call.body.items()}
    payload = urlencode(sorted(words.items()))
    signed = f"{call.headers['webhook-timestamp']}\n{call.headers['webhook-nonce']}\n{payload}".encode()
    digest = hmac.new(account_secret(gateway).encode(), signed, hashlib.sha256).digest()
    assert base64.b64decode(call.headers["webhook-signature"]) == digest
    assert len(call.headers["webhook-nonce"]) == 32


@pytest.mark.operation(
    *(f"pixverse_platform.video.{kind}" for kind in FURTHER),
    *("pixverse_platform.video.result", "pixverse_platform.account.balance", "pixverse_platform.image.upload"),
)
def test_further_ways_and_the_balance(gateway: Gateway) -> None:
    root = "/openapi/v2"
    before = ask(gateway, "GET", f"{root}/account/balance").json()["Resp"]
    head = {"api-key": gateway.live}
    form = {"image_url": "https://example.com/cat.png"}
    uploaded = requests.post(f"{gateway.url}{root}/image/upload", headers=head, data=form, timeout=20).json()["Resp"]
    body = {**FILM, "prompt": "further"}
    first = ask(gateway, "POST", f"{root}/video/text/generate", body).json()["Resp"]["video_id"]

    def ended(video: int) -> Any:
        path = f"{root}/video/result/{video}"
        return until(lambda: told if (told := ask(gateway, "GET", path).json()["Resp"])["status"] != 5 else None)

    assert ended(first)["status"] == 1
    for kind in FURTHER:
        more = {"img_ids": [uploaded["img_id"]] * 2} if kind == "multi_transition" else {"source_video_id": first}
        more |= {"img_id": uploaded["img_id"]} if kind in ("swap", "mimic") else {}
        answer = ask(gateway, "POST", f"{root}/video/{kind}/generate", {**more, "quality": "540p"})
        assert answer.status_code == 200, answer.text
        done = ended(answer.json()["Resp"]["video_id"])
        assert done["status"] == 1
        assert cost(gateway, done["id"]) == 450_000_000
    after = ask(gateway, "GET", f"{root}/account/balance").json()["Resp"]
    assert before["credit_package"] - after["credit_package"] >= 7 * 45
    assert after["account_id"] == before["account_id"]
    for more, status in (
        ({"source_video_id": "331232157217408"}, 404),
        ({"source_video_id": first, "img_id": 17}, 404),
        ({}, 400),
    ):
        refused = ask(gateway, "POST", f"{root}/video/swap/generate", more)
        assert (refused.status_code, refused.json()["Resp"]) == (status, None)


@pytest.mark.operation("pixverse_platform.video.text")
def test_the_console_s_one_address_for_callbacks(gateway: Gateway) -> None:
    """The vendor is told of it once, for all tasks: what it posts there has that task looked at now."""
    body = {**FILM, "prompt": "[sandbox:never-finish] x"}
    task = ask(gateway, "POST", "/openapi/v2/video/text/generate", body).json()["Resp"]["video_id"]

    def row() -> dict[str, Any]:
        return rows(gateway, "SELECT * FROM tasks WHERE id = ?", str(task))[0]

    known = until(lambda: found if (found := row())["polls"] else None)
    path = channel_hook(Vault.open(gateway.data / "secret.key").derive("channel hooks"), known["channel_id"])
    said = {"id": known["upstream_id"], "status": 1, "url": "https://evil.example/x.mp4"}
    before = row()
    for message in ({"id": "17"}, {"id": "1\0"}, [], "x", None):
        assert ask(gateway, "POST", path, message).status_code == 200
    assert row()["next_poll_at"] == before["next_poll_at"] or row()["polls"] > before["polls"]
    answer = ask(gateway, "POST", path, said)
    assert (answer.status_code, answer.text) == (200, "ok")
    assert row()["next_poll_at"] < before["next_poll_at"] or row()["polls"] > before["polls"]
    until(lambda: row()["polls"] > before["polls"])
    assert row()["finished_at"] is None
    for wrong in (path[:-1], path.replace("/channels/", "/channels/other"), f"{path}/more", "/hooks/channels/a/b"):
        assert ask(gateway, "POST", wrong, said).status_code == 404
