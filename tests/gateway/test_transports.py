"""The vendors' own clients through a gateway whose channels lead to clouds: Bedrock, Vertex AI, Azure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from anthropic import APIStatusError, AsyncAnthropic
from openai import AsyncOpenAI

from tests.stack import Gateway
from tests.support.until import PATIENCE
from tests.upstream import clouds
from tests.upstream.clouds import ACCESS, EVENTS, MESSAGE, REGION, SECRET

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "from Azure"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


class Cloud:
    """All three, below paths of their own."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[tuple[str, bytes]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append((request.raw_path, body))
        if request.path == "/token":
            good = clouds.granted(body.decode(), self.url) is not None
            return web.json_response({"access_token": "ya29", "expires_in": 3599}, status=200 if good else 400)
        if request.path.startswith("/bedrock/"):
            if not clouds.well_signed(request, body):
                return web.json_response({"message": "wrong signature"}, status=403)
            if request.path.endswith("/invoke"):
                return web.json_response(MESSAGE)
            stream = b"".join(map(clouds.chunk, EVENTS))
            return await clouds.poured(request, stream, 50, "application/vnd.amazon.eventstream")
        if request.path.startswith("/vertex/"):
            assert request.headers["authorization"] == "Bearer ya29"
            if ":streamRawPredict" not in request.path:
                return web.json_response(MESSAGE)
            lines = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS)
            return await clouds.poured(request, lines.encode(), 50, "text/event-stream")
        assert request.headers["api-key"] == "azure-key"
        return web.json_response(COMPLETION)


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    made = Cloud()
    async with clouds.serving(made) as url:
        made.url = url
        yield made


@pytest.fixture
async def gateway(cloud: Cloud, tmp_path: Path) -> AsyncIterator[Gateway]:
    account = json.dumps(clouds.service_account(cloud.url))
    (tmp_path / "deeepai.toml").write_text(
        f"""
[[channels]]
name = "bedrock"
preset = "bedrock-anthropic"
credential = "{ACCESS}:{SECRET}"
base_url = "{cloud.url}/bedrock"
models = ["claude-haiku-4-5"]
model_map = {{ claude-haiku-4-5 = "eu.anthropic.claude-haiku-4-5-20251001-v1:0" }}
settings = {{ region = "{REGION}" }}

[[channels]]
name = "vertex"
preset = "vertex-anthropic"
credential = {account}
base_url = "{cloud.url}/vertex"
models = ["claude-haiku-5-5"]
settings = {{ project = "p", location = "europe-west4" }}

[[channels]]
name = "azure"
preset = "azure"
credential = "azure-key"
base_url = "{cloud.url}/azure"
models = ["gpt-4o-mini"]
model_map = {{ gpt-4o-mini = "my-deployment" }}
settings = {{ resource = "r", api_version = "2024-10-21" }}
"""
    )
    started = Gateway(tmp_path)
    await asyncio.to_thread(started.start)
    yield started
    await asyncio.to_thread(started.stop)


async def test_official_clients_reach_the_clouds(gateway: Gateway, cloud: Cloud) -> None:
    asked: Any = {"max_tokens": 20, "messages": [{"role": "user", "content": "hello"}]}
    async with AsyncAnthropic(base_url=gateway.url, api_key=gateway.live, max_retries=0, timeout=PATIENCE) as anthropic:
        for model in ("claude-haiku-4-5", "claude-haiku-5-5"):
            whole = await anthropic.messages.create(model=model, **asked)
            assert whole.content[0].to_dict()["text"] == "Hello 世界"
            async with anthropic.messages.stream(model=model, **asked) as stream:
                words = "".join([text async for text in stream.text_stream])
                final = await stream.get_final_message()
            assert words == "Hello 世界"
            assert (final.usage.input_tokens, final.usage.output_tokens) == (9, 4)
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as openai:
        said = await openai.chat.completions.create(model="gpt-4o-mini", messages=asked["messages"])
        assert said.choices[0].message.content == "from Azure"
    paths = [path for path, _ in cloud.seen]
    place = "/vertex/v1/projects/p/locations/europe-west4/publishers/anthropic/models/claude-haiku-5-5"
    assert paths == [
        "/bedrock/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke",
        "/bedrock/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke-with-response-stream",
        "/token",
        f"{place}:rawPredict",
        f"{place}:streamRawPredict",
        "/azure/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21",
    ]
    listed = await asyncio.to_thread(gateway.cli, "usage", "list", "--json")
    rows = json.loads(listed.stdout)
    assert len(rows) == 5
    assert all(float(row["cost"]) > 0 for row in rows), rows[0]


async def until_refused(anthropic: AsyncAnthropic) -> None:
    """Ask until the gateway has taken note of the change."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await anthropic.messages.create(
                model="claude-haiku-4-5", max_tokens=9, messages=[{"role": "user", "content": "hello"}]
            )


async def test_a_wrong_key_is_not_shown_to_the_caller(gateway: Gateway, cloud: Cloud) -> None:
    config = gateway.data / "deeepai.toml"
    config.write_text(config.read_text().replace(SECRET, "another-secret"))
    done = await asyncio.to_thread(gateway.cli, "config", "apply")
    assert done.returncode == 0, done.stderr
    tested = await asyncio.to_thread(gateway.cli, "channels", "test", "bedrock")
    assert tested.returncode == 1
    assert "another-secret" not in tested.stderr
    tested = await asyncio.to_thread(gateway.cli, "channels", "test", "vertex")
    assert tested.returncode == 0, tested.stderr
    assert cloud.seen[-1][0] == "/vertex/v1/projects/p/locations/europe-west4"
    async with AsyncAnthropic(base_url=gateway.url, api_key=gateway.live, max_retries=0, timeout=PATIENCE) as anthropic:
        with pytest.raises(APIStatusError) as caught:
            await until_refused(anthropic)
    assert caught.value.status_code >= 500
    assert ACCESS not in caught.value.response.text
