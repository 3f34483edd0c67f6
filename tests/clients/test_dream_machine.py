"""Luma's own Python client against the gateway; and what that client does not do, over plain HTTP."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import lumaai
import pytest
import requests
from lumaai import LumaAI
from lumaai.types import Generation
from PIL import Image

from tests.operator import asked_of, rows, usage_row
from tests.stack import Gateway
from tests.support.receiver import Receiver
from tests.support.until import until

PLACES = ("/dream-machine/v1", "/luma/dream-machine/v1")
FRAME: Any = {"type": "image", "url": "https://example.com/fox.png"}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[LumaAI]:
    with LumaAI(auth_token=gateway.live, base_url=gateway.url + PLACES[0], max_retries=0) as opened:
        yield opened


def ended(client: LumaAI, generation: Generation) -> Generation:
    def look() -> Generation | None:
        told = client.generations.get(generation.id or "")
        return told if told.state in ("completed", "failed") else None

    return until(look)


def cost(gateway: Gateway, generation: Generation) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", generation.id)[0]["cost"]


def post(gateway: Gateway, path: str, body: Any) -> requests.Response:
    head = {"authorization": f"Bearer {gateway.live}"}
    return requests.post(gateway.url + path, headers=head, json=body, timeout=20)


@pytest.mark.operation("dream_machine.generations.video", "dream_machine.generations.get")
def test_generate_and_wait(gateway: Gateway, client: LumaAI) -> None:
    concept: Any = [{"key": "dolly_zoom"}]
    created = client.generations.with_raw_response.create(
        model="ray-2", prompt="a fox in the dream machine", duration="9s", resolution="1080p", concepts=concept
    )
    assert created.status_code == 201
    made = created.parse()
    assert (made.state, made.generation_type, made.model, made.assets) == ("queued", "video", "ray-2", None)
    done = ended(client, made)
    assert (done.id, done.state, done.failure_reason) == (made.id, "completed", None)
    assert done.assets is not None
    assert str(done.assets.video).startswith(f"{gateway.url}/assets/{made.id}/0")
    assert requests.get(str(done.assets.video), timeout=10).headers["content-type"] == "video/mp4"
    assert Image.open(io.BytesIO(requests.get(str(done.assets.image), timeout=10).content)).size == (1920, 1080)
    assert cost(gateway, made) == 2_870_000_000
    (row,) = rows(gateway, "SELECT upstream_id FROM tasks WHERE id = ?", made.id)
    assert row["upstream_id"] not in done.to_json()


@pytest.mark.operation("dream_machine.generations.video", "dream_machine.generations")
def test_films_that_go_on_from_films(gateway: Gateway, client: LumaAI) -> None:
    """Extended at either end, and one led to another; the older path takes the same."""
    first, second = (client.generations.create(model="ray-flash-2", prompt=f"film {n}") for n in (1, 2))
    for generation in (first, second):
        assert ended(client, generation).state == "completed"
        assert cost(gateway, generation) == 240_000_000
    frames: Any = {f"frame{n}": {"type": "generation", "id": one.id} for n, one in enumerate((first, second))}
    between = ended(client, client.generations.create(model="ray-2", keyframes=frames))
    assert between.state == "completed"
    asked: Any = between.request
    assert (asked.keyframes.frame0.id, asked.keyframes.frame1.id) == (first.id, second.id)
    sent = {row["id"]: row["upstream_id"] for row in rows(gateway, "SELECT id, upstream_id FROM tasks")}
    assert gateway.sandbox is not None
    posted = [entry["body"] for entry in gateway.sandbox.requests() if sent[str(first.id)] in json.dumps(entry["body"])]
    assert {"frame0": sent[str(first.id)], "frame1": sent[str(second.id)]} in [
        {name: frame["id"] for name, frame in body["keyframes"].items()} for body in posted
    ]
    older = post(gateway, f"{PLACES[1]}/generations", {"prompt": "older", "keyframes": {"frame0": FRAME}})
    assert (older.status_code, older.json()["model"]) == (201, "ray-1-6")
    assert ended(client, Generation(id=older.json()["id"])).state == "completed"
    stranger: Any = {"frame0": {"type": "generation", "id": "d290f1ee-6c54-4b01-90e6-d701748f0851"}}
    with pytest.raises(lumaai.NotFoundError):
        client.generations.create(model="ray-2", prompt="theirs", keyframes=stranger)


@pytest.mark.operation("dream_machine.generations.video")
def test_an_extension_past_the_longest_leaves_nothing(gateway: Gateway, client: LumaAI) -> None:
    film = ended(client, client.generations.create(model="ray-flash-2", prompt="long", duration="9s"))
    for _ in range(4):
        on: Any = {"frame0": {"type": "generation", "id": film.id}}
        film = ended(client, client.generations.create(model="ray-flash-2", prompt="on and on", keyframes=on))
        assert film.state == "completed"
    with pytest.raises(lumaai.BadRequestError) as refused:
        client.generations.create(
            model="ray-flash-2", prompt="on and on", keyframes={"frame0": {"type": "generation", "id": film.id or ""}}
        )
    assert "30 seconds" in str(refused.value)
    assert usage_row(gateway, refused.value.response.headers["x-request-id"])["cost"] == 0


@pytest.mark.operation(
    "dream_machine.generations.video.modify",
    "dream_machine.generations.video.reframe",
    "dream_machine.generations.audio",
    "dream_machine.generations.upscale",
)
def test_what_is_made_of_films(gateway: Gateway, client: LumaAI) -> None:
    media: Any = {"url": "https://example.com/fox.mp4"}
    modified = client.generations.video.modify(
        generation_type="modify_video", media=media, mode="flex_2", model="ray-2", prompt="as a drawing"
    )
    reframed = client.generations.video.reframe(
        generation_type="reframe_video", media=media, aspect_ratio="9:16", model="ray-flash-2"
    )
    for generation, price in ((modified, 1_280_000_000), (reframed, 430_000_000)):
        assert ended(client, generation).state == "completed"
        assert cost(gateway, generation) == price
    name = modified.id or ""
    sounding = client.generations.audio(name, generation_type="add_audio", prompt="wind")
    larger = client.generations.upscale(name, generation_type="upscale_video", resolution="4k")
    for generation, price in ((sounding, 140_000_000), (larger, 5_660_000_000)):
        assert ended(client, generation).state == "completed"
        assert cost(gateway, generation) == price
    with pytest.raises(lumaai.NotFoundError):
        client.generations.upscale("d290f1ee-6c54-4b01-90e6-d701748f0851", resolution="4k")


@pytest.mark.operation("dream_machine.generations.image", "dream_machine.generations.image.reframe")
def test_pictures(gateway: Gateway, client: LumaAI) -> None:
    """At once, where the caller wants to wait; the gateway waits, not the vendor."""
    reference: Any = [{"url": "https://example.com/style.png", "weight": 0.8}]
    at_once = client.generations.image.create(
        model="photon-1", prompt="a fox at once", sync=True, sync_timeout=30, style_ref=reference
    )
    assert (at_once.state, at_once.generation_type) == ("completed", "image")
    assert at_once.assets is not None
    drawn = Image.open(io.BytesIO(requests.get(str(at_once.assets.image), timeout=10).content))
    assert drawn.width >= 1000
    assert cost(gateway, at_once) == 7_300_000
    sent = asked_of(gateway, "a fox at once")
    assert sent is not None
    assert "sync" not in sent["body"]
    media: Any = {"url": "https://example.com/fox.png"}
    reframed = client.generations.image.reframe(
        generation_type="reframe_image", media=media, aspect_ratio="9:16", model="photon-flash-1"
    )
    assert ended(client, reframed).state == "completed"
    assert cost(gateway, reframed) == 1_900_000


@pytest.mark.operation(
    "dream_machine.generations.list",
    "dream_machine.generations.delete",
    "dream_machine.concepts",
    "dream_machine.credits",
    "dream_machine.ping",
)
def test_the_caller_s_own(client: LumaAI) -> None:
    made = [client.generations.create(model="ray-flash-2", prompt=f"listed {number}") for number in range(3)]
    for generation in made:
        ended(client, generation)
    page = client.generations.list(limit=2, offset=1)
    assert [one.id for one in page.generations] == [made[1].id, made[0].id]
    assert (page.count, page.limit, page.offset) == (2, 2, 1)
    name = made[0].id or ""
    assert client.generations.with_raw_response.delete(name).status_code == 204
    with pytest.raises(lumaai.NotFoundError):
        client.generations.get(name)
    assert "dolly_zoom" in client.generations.concepts.list()
    assert client.credits.get().credit_balance > 0
    assert client.ping.check().message == "pong"


@pytest.mark.operation("dream_machine.generations.video")
def test_callbacks(gateway: Gateway, client: LumaAI) -> None:
    """One at each change, with the whole generation; the caller's own address is what it sees."""
    with Receiver() as receiver:
        made = client.generations.create(model="ray-2", prompt="call me", callback_url=receiver.url)
        until(lambda: any(call.body["state"] == "completed" for call in receiver.received))
        received = list(receiver.received)
    assert {call.body["id"] for call in received} == {made.id}
    last = received[-1].body
    assert last["assets"]["video"].startswith(f"{gateway.url}/assets/{made.id}/0")
    assert last["request"]["callback_url"] == receiver.url
    assert receiver.url not in json.dumps(gateway.sandbox.requests() if gateway.sandbox else [])


@pytest.mark.parametrize("trigger", ["fail-midway", "moderated-output"])
def test_what_fails_is_free(gateway: Gateway, client: LumaAI, trigger: str) -> None:
    failed = ended(client, client.generations.create(model="ray-2", prompt=f"[sandbox:{trigger}] x"))
    assert failed.state == "failed"
    assert failed.failure_reason
    assert cost(gateway, failed) == 0


def test_errors(gateway: Gateway, client: LumaAI) -> None:
    for body, message in (
        ({}, "Prompt is required"),
        ({"prompt": "x"}, "Prompt is too short, minimum length is 3 characters"),
        ({"prompt": "loop", "loop": True, "keyframes": {"frame1": FRAME}}, "Loop is not supported for end frame"),
    ):
        with pytest.raises(lumaai.BadRequestError) as fault:
            client.post("/generations/video", body={"model": "ray-2", **body}, cast_to=object)
        assert fault.value.response.json() == {"detail": message}
    with pytest.raises(lumaai.UnprocessableEntityError) as wrong:
        client.post("/generations/video", body={"model": "ray-2", "prompt": "abc", "duration": "7s"}, cast_to=object)
    (listed,) = wrong.value.response.json()["detail"]
    assert (listed["loc"], listed["input"]) == (["body", "duration"], "")
    with pytest.raises(lumaai.UnprocessableEntityError) as theirs:
        client.post(
            "/generations/video", body={"model": "ray-2", "prompt": "abc", "aspect_ratio": "5:1"}, cast_to=object
        )
    assert theirs.value.response.json()["detail"][0]["loc"] == ["body", "aspect_ratio"]
    with pytest.raises(lumaai.NotFoundError):
        client.post("/generations/video", body={"model": "no-such-model", "prompt": "abc"}, cast_to=object)
    stranger = LumaAI(auth_token="sk-wrong", base_url=gateway.url + PLACES[0], max_retries=0)
    with pytest.raises(lumaai.AuthenticationError):
        stranger.generations.create(model="ray-2", prompt="abc")
    stranger.close()


def test_the_shipped_kinds_of_follow_up_wait_for_their_origin(gateway: Gateway, client: LumaAI) -> None:
    assert gateway.sandbox is not None
    with gateway.sandbox.slowly():
        first = client.generations.create(model="ray-flash-2", prompt="not yet")
        on: Any = {"frame0": {"type": "generation", "id": first.id}}
        with pytest.raises(lumaai.BadRequestError):
            client.generations.create(model="ray-2", prompt="on and on", keyframes=on)
        with pytest.raises(lumaai.ConflictError):
            client.generations.delete(first.id or "")
    assert ended(client, first).state == "completed"
