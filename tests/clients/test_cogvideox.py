"""Zhipu's own Python client against the gateway; and what that client does not do, over plain HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image
from zai import ZhipuAiClient
from zai.core import APIAuthenticationError, APIRequestFailedError

from tests.operator import asked_of, rows, usage_row
from tests.stack import Gateway
from tests.support.until import until

PLACES = ("/cogvideox/v4", "/zhipu/api/paas/v4", "/api/paas/v4")


@pytest.fixture
def client(gateway: Gateway) -> Iterator[ZhipuAiClient]:
    opened = ZhipuAiClient(api_key=gateway.live, base_url=f"{gateway.url}{PLACES[0]}", max_retries=0)
    yield opened
    opened.close()


def post(gateway: Gateway, path: str, body: Any, key: str | None = None) -> requests.Response:
    head = {"authorization": f"Bearer {key or gateway.live}"}
    return requests.post(gateway.url + path, headers=head, json=body, timeout=20)


def get(gateway: Gateway, path: str) -> requests.Response:
    return requests.get(gateway.url + path, headers={"authorization": f"Bearer {gateway.live}"}, timeout=20)


def finished(gateway: Gateway, task: str, place: str = PLACES[0]) -> dict[str, Any]:
    """Poll to the end."""

    def look() -> dict[str, Any] | None:
        told = get(gateway, f"{place}/async-result/{task}").json()
        return None if told["task_status"] == "PROCESSING" else told

    return until(look)


@pytest.mark.operation("cogvideox.videos.generations", "cogvideox.async-result")
def test_generate_and_wait(gateway: Gateway, client: ZhipuAiClient) -> None:
    accepted = client.videos.generations(
        model="cogvideox-3", prompt="a lighthouse at night", size="1280x720", duration=5, request_id="order-000017"
    )
    assert (accepted.task_status, accepted.model) == ("PROCESSING", "cogvideox-3")
    assert accepted.request_id == "order-000017"

    def look() -> Any:
        told = client.videos.retrieve_videos_result(id=accepted.id)
        return told if told.task_status == "SUCCESS" else None

    done = until(look)
    (film,) = done.video_result
    assert done.request_id == "order-000017"
    assert film.url.startswith(f"{gateway.url}/assets/{accepted.id}/0")
    assert film.cover_image_url.startswith(f"{gateway.url}/assets/{accepted.id}/1")
    assert requests.get(film.url, timeout=10).headers["content-type"] == "video/mp4"
    cover = Image.open(io.BytesIO(requests.get(film.cover_image_url, timeout=10).content))
    assert cover.size == (1280, 720)
    (row,) = rows(gateway, "SELECT cost, model, upstream_id FROM tasks WHERE id = ?", accepted.id)
    assert (row["cost"], row["model"]) == (200_000_000, "cogvideox-3")
    # The vendor wants each of its account's requests to be called differently, whoever sends it.
    sent = asked_of(gateway, "a lighthouse at night")
    assert sent is not None
    assert "order-000017" not in str(sent["body"])
    assert row["upstream_id"] not in str(done)


@pytest.mark.operation("cogvideox.videos.generations", "cogvideox.async-result")
def test_first_and_last_frame(gateway: Gateway, client: ZhipuAiClient) -> None:
    frames = ["https://example.com/first.png", "https://example.com/last.png"]
    accepted = client.videos.generations(model="cogvideox-3", image_url=frames, quality="quality", with_audio=True)
    assert finished(gateway, accepted.id)["task_status"] == "SUCCESS"


@pytest.mark.operation("cogvideox.videos.generations", "cogvideox.async-result", "cogvideox.async-results")
@pytest.mark.parametrize("place", PLACES)
def test_every_place(gateway: Gateway, place: str) -> None:
    body = {"model": "cogvideox-2", "prompt": f"at {place}"}
    accepted = post(gateway, f"{place}/videos/generations", body)
    assert accepted.status_code == 200, accepted.text
    task = accepted.json()["id"]
    done = finished(gateway, task, place)
    assert done["task_status"] == "SUCCESS"
    batch = post(gateway, f"{place}/async-results", {"ids": ["nobody's", task]})
    assert batch.json() == [done]


def test_the_same_request_id_of_two_callers(gateway: Gateway) -> None:
    """At the vendor each would be refused after the other: both have one account there."""
    for word in ("one", "another"):
        body = {"model": "cogvideox-flash", "prompt": f"{word} caller", "request_id": "order-000018"}
        accepted = post(gateway, f"{PLACES[0]}/videos/generations", body)
        assert accepted.status_code == 200, accepted.text
        assert accepted.json()["request_id"] == "order-000018"


@pytest.mark.parametrize("trigger", ["fail-midway", "moderated-output"])
def test_what_fails_is_free(gateway: Gateway, trigger: str) -> None:
    answer = post(
        gateway, f"{PLACES[0]}/videos/generations", {"model": "cogvideox-3", "prompt": f"[sandbox:{trigger}] x"}
    )
    failed = finished(gateway, answer.json()["id"])
    assert failed["task_status"] == "FAIL"
    assert failed["error"]["message"]
    row = usage_row(gateway, answer.headers["x-request-id"])
    assert row["cost"] == 0
    assert row["error"]


def test_errors(gateway: Gateway, client: ZhipuAiClient) -> None:
    with pytest.raises(APIRequestFailedError) as unknown:
        client.videos.generations(model="no-such-model", prompt="x")
    assert unknown.value.response.json()["error"]["code"] == "1211"
    with pytest.raises(APIRequestFailedError) as empty:
        client.videos.generations(model="cogvideox-3")
    assert empty.value.response.json()["error"]["code"] == "1214"
    stranger = ZhipuAiClient(api_key="sk-wrong", base_url=f"{gateway.url}{PLACES[0]}", max_retries=0)
    with pytest.raises(APIAuthenticationError):
        stranger.videos.generations(model="cogvideox-3", prompt="x")
    stranger.close()
    absent = get(gateway, f"{PLACES[0]}/async-result/1-2")
    assert absent.status_code == 404
    assert set(absent.json()["error"]) == {"code", "message"}
