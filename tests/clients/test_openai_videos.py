"""OpenAI's own Python SDK: videos; and the form that relays have for them."""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types import Video

from tests.operator import rows, usage_row
from tests.stack import Gateway, Sandbox
from tests.support.pictures import opened, png, png_base64
from tests.support.until import PATIENCE, until

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
PROMPT = "a lighthouse in a storm"


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


def ended(client: OpenAI, video_id: str) -> Video:
    def look() -> Video | None:
        found = client.videos.retrieve(video_id)
        return found if found.status in ("completed", "failed") else None

    return until(look)


def ask(gateway: Gateway, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(
        gateway.url + path,
        None if body is None else json.dumps(body).encode(),
        {"authorization": f"Bearer {key or gateway.live}", "content-type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as fault:
        return fault.code, json.load(fault)


@pytest.mark.operation("openai.videos.create", "openai.videos.get", "openai.videos.content")
def test_a_video_from_its_order_to_its_file(client: OpenAI, gateway: Gateway, sandbox: Sandbox) -> None:
    with sandbox.slowly():
        raw = client.videos.with_raw_response.create(
            prompt=PROMPT, model="sora-2-pro", seconds="8", size="1792x1024", input_reference=("a.png", png())
        )
        begun = raw.parse()
        assert begun.id.startswith("video_")
        assert (begun.object, begun.status, begun.seconds, begun.size) == ("video", "queued", "8", "1792x1024")
        with pytest.raises(openai.NotFoundError, match="not ready"):
            client.videos.download_content(begun.id)
    done = ended(client, begun.id)
    assert (done.status, done.progress, done.prompt, done.error) == ("completed", 100, PROMPT, None)
    assert done.completed_at is not None
    assert done.completed_at >= done.created_at
    film = client.videos.download_content(begun.id)
    assert film.response.headers["content-type"] == "video/mp4"
    assert film.read()[4:8] == b"ftyp"
    for variant, kind in (("thumbnail", "WEBP"), ("spritesheet", "JPEG")):
        data = client.videos.download_content(begun.id, variant=variant).read()  # pyright: ignore[reportArgumentType]
        assert opened(data).format == kind
    with pytest.raises(openai.BadRequestError):
        client.videos.download_content(begun.id, variant="hologram")  # pyright: ignore[reportArgumentType]
    row = usage_row(gateway, raw.headers["x-request-id"])
    assert row["consumed"]["seconds"] == 8
    assert (row["basis"], row["cost"]) == ("second", 8 * 500_000_000)


@pytest.mark.operation("openai.videos.create")
def test_what_is_not_said_is_as_at_openai(client: OpenAI, gateway: Gateway) -> None:
    raw = client.videos.with_raw_response.create(prompt=PROMPT)
    begun = raw.parse()
    assert (begun.model, begun.seconds, begun.size) == ("sora-2", "4", "720x1280")
    assert ended(client, begun.id).status == "completed"
    assert usage_row(gateway, raw.headers["x-request-id"])["cost"] == 4 * 100_000_000
    pro = client.videos.with_raw_response.create(prompt=PROMPT, model="sora-2-pro")
    begun = pro.parse()
    assert ended(client, begun.id).size == "720x1280"
    assert usage_row(gateway, pro.headers["x-request-id"])["cost"] == 4 * 300_000_000, "of the size that is told"


@pytest.mark.operation("openai.videos.remix")
def test_a_remix_costs_what_its_source_did(client: OpenAI, gateway: Gateway, sandbox: Sandbox) -> None:
    with sandbox.slowly():
        first = client.videos.create(prompt=PROMPT, model="sora-2-pro", seconds="12", size="1280x720")
        with pytest.raises(openai.BadRequestError, match="not completed"):
            client.videos.remix(first.id, prompt="sooner")
    ended(client, first.id)
    raw = client.videos.with_raw_response.remix(first.id, prompt="now at night")
    begun = raw.parse()
    assert begun.remixed_from_video_id == first.id
    done = ended(client, begun.id)
    assert (done.model, done.seconds, done.size) == ("sora-2-pro", "12", "1280x720")
    assert usage_row(gateway, raw.headers["x-request-id"])["cost"] == 12 * 300_000_000
    with pytest.raises(openai.NotFoundError):
        client.videos.remix("video_" + "0" * 48, prompt="of nothing")


@pytest.mark.operation("openai.videos.edits", "openai.videos.extensions")
def test_edits_and_extensions(client: OpenAI, gateway: Gateway) -> None:
    first = client.videos.create(prompt=PROMPT, seconds="8", size="1280x720")
    ended(client, first.id)
    # The SDK's own `edit` and `extend` take files alone.
    edit = client.post(
        "/videos/edits",
        body={"prompt": "in black and white", "video[id]": first.id},
        options={"headers": {"content-type": "multipart/form-data"}},
        cast_to=Video,
    )
    edited = ended(client, edit.id)
    assert (edited.seconds, edited.size, edited.remixed_from_video_id) == ("8", "1280x720", None)
    extension = {"prompt": "and then", "seconds": "12", "video": {"id": first.id}}
    longer = ended(client, client.post("/videos/extensions", body=extension, cast_to=Video).id)
    assert longer.seconds == "20", "the whole of it"
    costs = {row["id"]: row["cost"] for row in rows(gateway, "SELECT id, cost FROM tasks")}
    assert costs[edited.id] == 8 * 100_000_000
    assert costs[longer.id] == 12 * 100_000_000, "what came to it"
    for name in ("video_" + "0" * 48, "resp_1"):
        with pytest.raises(openai.NotFoundError):
            client.post("/videos/edits", body={"prompt": "x", "video": {"id": name}}, cast_to=Video)
    for bad in (0, "soon", -4):
        with pytest.raises(openai.BadRequestError) as length:
            client.post("/videos/extensions", body={**extension, "seconds": bad}, cast_to=Video)
        assert length.value.param == "seconds"
    with pytest.raises(openai.BadRequestError) as upload:
        client.videos.edit(prompt="x", video=("a.mp4", b"\0\0\0\x18ftyp"))
    assert upload.value.param == "video"


@pytest.mark.operation("openai.videos.list", "openai.videos.delete")
def test_lists_and_deletion(client: OpenAI, gateway: Gateway) -> None:
    made = [client.videos.create(prompt=f"number {number}").id for number in range(3)]
    for video_id in made:
        ended(client, video_id)
    latest = client.videos.list(limit=2)
    assert [video.id for video in latest.data] == made[:0:-1]
    assert latest.has_more
    found = [video.id for video in client.videos.list(limit=2)]
    assert found[:3] == made[::-1]
    assert len(found) == len(set(found))
    oldest = [video.id for video in client.videos.list(order="asc")]
    assert oldest == found[::-1]
    keys = rows(gateway, "SELECT key FROM assets WHERE task_id = ?", made[0])
    assert len(keys) == 3
    assert all((gateway.data / "assets" / row["key"]).exists() for row in keys)
    gone = client.videos.delete(made[0])
    assert (gone.id, gone.deleted, gone.object) == (made[0], True, "video.deleted")
    assert not any((gateway.data / "assets" / row["key"]).exists() for row in keys)
    for look in (client.videos.retrieve, client.videos.download_content, client.videos.delete):
        with pytest.raises(openai.NotFoundError):
            look(made[0])
    assert made[0] not in [video.id for video in client.videos.list()]
    deleted = [
        entry
        for entry in gateway.sandbox.requests()  # pyright: ignore[reportOptionalMemberAccess]
        if entry["method"] == "DELETE" and "/videos/" in entry["path"]
    ]
    assert deleted[-1]["status"] == 200, "the vendor's copy goes, too"


def test_a_video_of_somebody_else_is_not_there(client: OpenAI, gateway: Gateway) -> None:
    video = client.videos.create(prompt=PROMPT)
    name = f"strangers-{time.time_ns()}"
    assert gateway.cli("accounts", "add", name).returncode == 0
    made = gateway.cli("tokens", "add", name, "--account", name, "--json")
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)["key"]
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as stranger:
        for look in (stranger.videos.retrieve, stranger.videos.download_content, stranger.videos.delete):
            with pytest.raises(openai.NotFoundError):
                look(video.id)
        assert stranger.videos.list().data == []
    ended(client, video.id)


def test_what_fails_costs_nothing(client: OpenAI, gateway: Gateway) -> None:
    raw = client.videos.with_raw_response.create(prompt=f"{PROMPT} [sandbox:fail-midway]")
    failed = ended(client, raw.parse().id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.message
    assert usage_row(gateway, raw.headers["x-request-id"])["cost"] == 0
    refused = client.videos.create(prompt=f"{PROMPT} [sandbox:moderated-output]")
    error = ended(client, refused.id).error
    assert error is not None
    assert error.code == "moderation_blocked"
    with pytest.raises(openai.BadRequestError) as moderated:
        client.videos.create(prompt=f"{PROMPT} [sandbox:moderated]")
    assert moderated.value.code == "content_policy_violation"
    with pytest.raises(openai.BadRequestError):
        client.videos.create(prompt=PROMPT, seconds="5")  # pyright: ignore[reportArgumentType]
    with pytest.raises(openai.BadRequestError) as length:
        client.videos.create(prompt=PROMPT, seconds="soon")  # pyright: ignore[reportArgumentType]
    assert length.value.param == "seconds"
    with pytest.raises(openai.NotFoundError):
        client.videos.create(prompt=PROMPT, model="no-such-model")


@pytest.mark.operation("openai.video.generations", "openai.video.generations.get")
def test_the_form_that_relays_have(client: OpenAI, gateway: Gateway) -> None:
    body = {
        "model": "sora-2",
        "prompt": PROMPT,
        "duration": 8,
        "width": 1280,
        "height": 720,
        "fps": 30,
        "image": png_base64(),
        "seed": 7,
        "n": 1,
        "metadata": {"style": "x"},
    }
    status, begun = ask(gateway, "POST", "/v1/video/generations", body)
    assert status == 200, begun
    assert begun["status"] == "queued"
    task = begun["task_id"]

    def look() -> Any:
        _, found = ask(gateway, "GET", f"/v1/video/generations/{task}")
        return found if found["status"] == "completed" else None

    done = until(look)
    assert done["format"] == "mp4"
    assert done["metadata"] == {"duration": 8, "width": 1280, "height": 720}
    assert done["url"].startswith(gateway.url)
    with urllib.request.urlopen(done["url"], timeout=PATIENCE) as answer:
        assert answer.read()[4:8] == b"ftyp"
    assert client.videos.retrieve(task).status == "completed"
    (row,) = rows(gateway, "SELECT cost FROM tasks WHERE id = ?", task)
    assert row["cost"] == 8 * 100_000_000
    status, refused = ask(gateway, "POST", "/v1/video/generations", {"model": "sora-2", "duration": -1})
    assert (status, refused["error"]["param"]) == (400, "duration")
    status, refused = ask(gateway, "POST", "/v1/video/generations", {"model": "sora-2", "prompt": "x", "n": 2})
    assert (status, refused["error"]["param"]) == (400, "n")
    status, failed = ask(
        gateway, "POST", "/v1/video/generations", {"model": "sora-2", "prompt": "x [sandbox:fail-midway]"}
    )

    def wrong() -> Any:
        _, found = ask(gateway, "GET", f"/v1/video/generations/{failed['task_id']}")
        return found if found["status"] == "failed" else None

    assert until(wrong)["error"]["message"]


@pytest.mark.operation("openai.video.generations")
def test_what_the_relays_form_carries_on(gateway: Gateway) -> None:
    words = f"carried {time.time_ns()}"
    body = {"model": "sora-2", "prompt": words, "seconds": "8", "n": 1, "metadata": {"negative_prompt": "rain"}}
    status, begun = ask(gateway, "POST", "/v1/video/generations", body)
    assert status == 200, begun
    assert gateway.sandbox is not None
    (sent,) = [entry["body"] for entry in gateway.sandbox.requests() if words in json.dumps(entry["body"])]
    assert sent == {"model": "sora-2", "prompt": words, "seconds": "8", "metadata": {"negative_prompt": "rain"}}
    status, refused = ask(gateway, "POST", "/v1/video/generations", {**body, "n": 2})
    assert (status, refused["error"]["param"], refused["error"]["type"]) == (400, "n", "invalid_request_error")
    assert "one video" in refused["error"]["message"].lower()
    # What the price depends on has a place of its own.
    for name, value in (("seconds", 12), ("Duration", 12), ("size", "1792x1024"), ("model", "sora-2-pro"), ("n", 4)):
        status, refused = ask(gateway, "POST", "/v1/video/generations", {**body, "metadata": {name: value}})
        assert (status, refused["error"]["param"]) == (400, f"metadata.{name}")
    for wrong in ("style", ["style"], 1):
        status, refused = ask(gateway, "POST", "/v1/video/generations", {**body, "metadata": wrong})
        assert (status, refused["error"]["param"]) == (400, "metadata")
