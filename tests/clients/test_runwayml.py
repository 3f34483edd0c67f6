"""Runway's own Python client against the gateway; an older one in an environment of its own; and plain HTTP."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import runwayml
from PIL import Image
from runwayml import RunwayML, TaskFailedError
from runwayml.lib import polling

from tests.clients.programs import isolated
from tests.operator import asked_of, rows, usage_row
from tests.stack import Gateway
from tests.support.until import until

FOLDER = Path(__file__).parent / "runwayml"
FOX = "https://example.com/fox.png"


@pytest.fixture
def client(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunwayML]:
    monkeypatch.setattr(polling, "POLL_TIME", 0.5)
    monkeypatch.setattr(polling, "POLL_JITTER", 0.2)
    with RunwayML(api_key=gateway.live, base_url=f"{gateway.url}/runwayml", max_retries=0) as opened:
        yield opened


def row(gateway: Gateway, task: str) -> dict[str, Any]:
    return rows(gateway, "SELECT * FROM tasks WHERE id = ?", task)[0]


def http(gateway: Gateway, method: str, path: str, body: Any = None) -> requests.Response:
    head = {"authorization": f"Bearer {gateway.live}"}
    return requests.request(method, f"{gateway.url}{path}", headers=head, json=body, timeout=20)


def stored(gateway: Gateway, url: str, kind: str) -> bytes:
    assert url.startswith(f"{gateway.url}/assets/")
    answer = requests.get(url, timeout=10)
    assert answer.headers["content-type"].startswith(kind)
    return answer.content


@pytest.mark.operation("runwayml.image_to_video", "runwayml.tasks.get")
def test_create_and_wait(gateway: Gateway, client: RunwayML) -> None:
    created = client.image_to_video.create(
        model="gen4_turbo", prompt_image=FOX, prompt_text="a fox for runway", ratio="1280:720", duration=5
    )
    done = created.wait_for_task_output()
    assert (done.id, done.status) == (created.id, "SUCCEEDED")
    assert done.cost.credits == 25
    stored(gateway, done.output[0], "video/mp4")
    assert row(gateway, created.id)["cost"] == 250_000_000
    assert row(gateway, created.id)["upstream_id"] not in done.to_json()
    sent = asked_of(gateway, "a fox for runway")
    assert sent is not None
    assert sent["headers"]["x-runway-version"] == "2024-11-06"


@pytest.mark.operation("runwayml.image_to_video", "runwayml.uploads")
def test_an_upload_is_filmed_where_it_lies(gateway: Gateway, client: RunwayML) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (640, 360), "navy").save(drawn, "PNG")
    uploaded = client.uploads.create_ephemeral(file=("fox.png", drawn.getvalue()))
    frames: Any = [{"uri": uploaded.uri, "position": "first"}]
    created = client.image_to_video.create(
        model="veo3.1", prompt_image=frames, ratio="1080:1920", duration=4, audio=False
    )
    assert created.wait_for_task_output().status == "SUCCEEDED"
    assert row(gateway, created.id)["cost"] == 800_000_000
    with pytest.raises(runwayml.NotFoundError):
        client.image_to_video.create(
            model="gen4_turbo", prompt_image="runway://somebody-else-s", ratio="1280:720", duration=5
        )


@pytest.mark.operation(
    "runwayml.text_to_video",
    "runwayml.video_to_video",
    "runwayml.video_upscale",
    "runwayml.character_performance",
)
def test_films(gateway: Gateway, client: RunwayML) -> None:
    """What the vendor says that it took is what is charged."""
    clip: Any = "https://example.com/fox.mp4"
    text = client.text_to_video.create(model="gen4.5", prompt_text="a fox", ratio="1280:720", duration=2)
    assert text.wait_for_task_output().status == "SUCCEEDED"
    assert row(gateway, text.id)["cost"] == 240_000_000
    for kind, body, usd in (
        ("video_to_video", {"model": "gen4_aleph", "videoUri": clip, "promptText": "night", "ratio": "1280:720"}, 0.75),
        ("video_upscale", {"model": "upscale_v1", "videoUri": clip}, 0.10),
        (
            "character_performance",
            {
                "model": "act_two",
                "character": {"type": "image", "uri": FOX},
                "reference": {"type": "video", "uri": clip},
                "ratio": "1280:720",
            },
            0.25,
        ),
    ):
        task = http(gateway, "POST", f"/runway/v1/{kind}", body).json()["id"]
        told = until(lambda task=task: client.tasks.retrieve(task) if row(gateway, task)["finished_at"] else None)
        stored(gateway, told.output[0], "video/mp4")  # type: ignore[union-attr]
        assert row(gateway, task)["cost"] == round(usd * 10**9)


@pytest.mark.operation("runwayml.text_to_image", "runwayml.sound_effect", "runwayml.text_to_speech")
def test_pictures_and_sounds(gateway: Gateway, client: RunwayML) -> None:
    picture = client.text_to_image.create(model="gen4_image", prompt_text="a fox", ratio="1920:1080")
    done = picture.wait_for_task_output()
    assert Image.open(io.BytesIO(stored(gateway, done.output[0], "image/png"))).size == (1920, 1080)
    assert row(gateway, picture.id)["cost"] == 80_000_000
    effect = client.sound_effect.create(model="eleven_text_to_sound_v2", prompt_text="steps", duration=4)
    voice: Any = {"type": "runway-preset", "preset_id": "Maya"}
    speech = client.text_to_speech.create(model="eleven_multilingual_v2", prompt_text="Hello", voice=voice)
    for made in (effect, speech):
        assert stored(gateway, made.wait_for_task_output().output[0], "audio/")


@pytest.mark.operation("runwayml.tasks.delete", "runwayml.tasks.get")
def test_a_task_is_stopped_and_then_forgotten(gateway: Gateway, client: RunwayML) -> None:
    """It is told of as one that failed: the client's waiter reads on where it is called CANCELLED."""
    created = client.text_to_video.create(
        model="gen4.5", prompt_text="[sandbox:never-finish] x", ratio="1280:720", duration=5
    )
    assert http(gateway, "DELETE", f"/runwayml/v1/tasks/{created.id}").status_code == 204
    begun = time.monotonic()
    with pytest.raises(TaskFailedError) as stopped:
        created.wait_for_task_output(timeout=60)
    assert time.monotonic() - begun < 30
    told: Any = stopped.value.task_details
    assert (told.status, told.failure_code) == ("FAILED", "CANCELLED")
    known = row(gateway, created.id)
    assert (known["state"], known["cost"], known["hold_id"]) == ("cancelled", 0, None)
    client.tasks.delete(created.id)
    with pytest.raises(runwayml.NotFoundError):
        client.tasks.retrieve(created.id)
    with pytest.raises(runwayml.NotFoundError):
        client.tasks.delete(created.id)


@pytest.mark.operation("runwayml.organization")
def test_the_caller_s_own(client: RunwayML) -> None:
    told = client.organization.retrieve()
    assert told.credit_balance > 0
    assert told.tier.max_monthly_credit_spend >= told.credit_balance


@pytest.mark.parametrize("trigger", ["fail-midway", "moderated"])
def test_what_fails_is_free(gateway: Gateway, client: RunwayML, trigger: str) -> None:
    created = client.text_to_video.create(
        model="gen4.5", prompt_text=f"[sandbox:{trigger}] x", ratio="1280:720", duration=5
    )
    with pytest.raises(TaskFailedError) as failed:
        created.wait_for_task_output()
    told: Any = failed.value.task_details
    assert told.failure
    assert told.failure_code == ("SAFETY.INPUT.TEXT" if trigger == "moderated" else "INTERNAL.BAD_OUTPUT.CODE01")
    assert row(gateway, created.id)["cost"] == 0


def test_the_version_may_be_left_out(gateway: Gateway) -> None:
    """Front ends leave it to the server behind them; the vendor refuses what does not name it."""
    body = {"model": "gen4_turbo", "promptImage": FOX, "ratio": "1280:720", "duration": 5, "promptText": "versionless"}
    made = http(gateway, "POST", "/runwayml/v1/image_to_video", body)
    assert made.status_code == 200, made.text
    sent = asked_of(gateway, "versionless")
    assert sent is not None
    assert sent["headers"]["x-runway-version"] == "2024-11-06"
    assert gateway.sandbox is not None
    head = {"authorization": "Bearer sk-x"}
    bare = requests.post(f"{gateway.sandbox.url}/runwayml/v1/image_to_video", json=body, headers=head, timeout=10)
    assert (bare.status_code, "X-Runway-Version" in bare.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"model": "gen4_turbo", "promptImage": "", "ratio": "1280:720"}, "promptImage"),
        ({"model": "gen4_turbo", "promptImage": FOX, "ratio": "1280:720", "duration": "5"}, "duration"),
        ({"model": "gen4_turbo", "ratio": "1280:720"}, "promptImage"),
        ({"model": "gen4_turbo", "promptImage": FOX, "ratio": "1280:768", "duration": 5}, "model"),
        ({"model": "gen4_turbo", "promptImage": "http://example.com/x.png", "ratio": "1280:720"}, "promptImage"),
        ({"model": "gen4_turbo", "promptImage": FOX, "ratio": "1280:720", "duration": 11}, "duration"),
    ],
)
def test_errors(gateway: Gateway, body: Any, where: str) -> None:
    """The last three are the vendor's own refusals, which leave nothing."""
    answer = http(gateway, "POST", "/runwayml/v1/image_to_video", body)
    assert answer.status_code == 400, answer.text
    assert where in json.dumps(answer.json()["issues"])
    assert not rows(gateway, "SELECT 1 FROM tasks WHERE request_id = ?", answer.headers["x-request-id"])


def test_keys_and_models(gateway: Gateway, client: RunwayML) -> None:
    with pytest.raises(runwayml.BadRequestError):
        client.post("/v1/text_to_video", body={"model": "no", "promptText": "x", "ratio": "1280:720"}, cast_to=object)
    with pytest.raises(runwayml.AuthenticationError) as wrong:
        client.with_options(api_key="sk-wrong").organization.retrieve()
    assert list(wrong.value.response.json()) == ["error"]
    failed = http(gateway, "POST", "/runwayml/v1/text_to_video", {"model": "gen4.5", "promptText": "x", "ratio": "1:1"})
    assert usage_row(gateway, failed.headers["x-request-id"])["cost"] == 0


@pytest.mark.operation("runwayml.image_to_video", "runwayml.tasks.get")
def test_the_older_client(gateway: Gateway) -> None:
    """The last that has Gen-3 and Aleph among its types."""
    finished = subprocess.run(
        isolated(FOLDER),
        cwd=FOLDER,
        env={**os.environ, "GATEWAY": gateway.url, "TOKEN": gateway.live, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    seen = json.loads(finished.stdout.strip().splitlines()[-1])
    assert seen["version"] == "4.0.0"
    assert [status for status, _ in seen["films"].values()] == ["SUCCEEDED", "SUCCEEDED"]
    for _, url in seen["films"].values():
        stored(gateway, url, "video/mp4")
    assert seen["stopped"] == "FAILED"
