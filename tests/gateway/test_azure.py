"""OpenAI's own SDK through a gateway whose channel is a resource of Azure OpenAI, in both forms of its addresses."""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.operator import paid, rows
from tests.stack import Gateway, Sandbox
from tests.support.until import until
from tests.upstream.clouds import RESOURCE_KEY, Azure, serving_apart

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
VERSION = "2025-04-01-preview"
MODELS = ("gpt-4o-mini", "whisper-1", "gpt-realtime", "sora-2", "gpt-image-1")
ASKED: Any = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def azure() -> Iterator[tuple[Azure, str]]:
    sandbox = Sandbox(flags=("--realtime", "both")).start()
    made = Azure(f"{sandbox.url}/openai/v1", {"my-chat": "gpt-4o-mini", **{name: name for name in MODELS}})
    with serving_apart(made) as url:
        yield made, url
    sandbox.stop()


@pytest.fixture(scope="module", params=["newer", "dated"])
def resource(
    request: pytest.FixtureRequest, azure: tuple[Azure, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Azure]]:
    """A gateway that knows nothing but the resource."""
    data: Path = tmp_path_factory.mktemp(request.param)
    version = "" if request.param == "newer" else f', api_version = "{VERSION}"'
    (data / "deeepai.toml").write_text(
        f"""
[[channels]]
name = "azure"
preset = "azure"
credential = "{RESOURCE_KEY}"
base_url = "{azure[1]}"
models = {json.dumps(["gpt-4o", *MODELS])}
model_map = {{ gpt-4o = "my-chat" }}
settings = {{ resource = "r"{version} }}
"""
    )
    gateway = Gateway(data).start()
    yield gateway, azure[0]
    gateway.stop()


@pytest.fixture
def client(resource: tuple[Gateway, Azure]) -> Iterator[OpenAI]:
    gateway, azure = resource
    azure.seen.clear()
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


def is_dated(resource: tuple[Gateway, Azure]) -> bool:
    return resource[0].data.name.startswith("dated")


def paths(resource: tuple[Gateway, Azure], *given: str) -> list[str]:
    """The addresses as this resource's form has them; `@x` is below the deployment x."""
    found: list[str] = []
    for one in given:
        method, _, path = one.partition(" ")
        deployment, _, rest = path.partition("/")
        if is_dated(resource):
            below = f"/deployments/{deployment}" if deployment else ""
            mark = "&" if "?" in rest else "?"
            found.append(f"{method} /openai{below}/{rest}{mark}api-version={VERSION}")
        else:
            found.append(f"{method} /openai/v1/{rest}")
    return found


def test_chats_and_responses(resource: tuple[Gateway, Azure], client: OpenAI) -> None:
    whole = client.chat.completions.create(model="gpt-4o", messages=ASKED)
    assert whole.choices[0].message.content
    pieces = list(client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True))
    assert "".join(one.choices[0].delta.content or "" for one in pieces if one.choices)
    made = client.responses.create(model="gpt-4o", input="hello")
    assert client.responses.retrieve(made.id).output_text == made.output_text
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    assert resource[1].seen == paths(
        resource,
        *["POST my-chat/chat/completions"] * 2,
        "POST /responses",
        f"GET /responses/{made.id}",
        f"DELETE /responses/{made.id}",
    )
    charged = rows(resource[0], "SELECT cost FROM usage WHERE operation LIKE 'openai.%.c%' AND model = 'gpt-4o'")
    assert len([row for row in charged if row["cost"] > 0]) >= 3


def sound(seconds: int) -> bytes:
    made = BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(bytes(32_000 * seconds))
    return made.getvalue()


@pytest.mark.parametrize("seconds", [1, 60])
def test_forms_small_and_large(resource: tuple[Gateway, Azure], client: OpenAI, seconds: int) -> None:
    told = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", sound(seconds)))
    assert isinstance(told.text, str)
    assert resource[1].seen == paths(resource, "POST whisper-1/audio/transcriptions")


def test_realtime(resource: tuple[Gateway, Azure], client: OpenAI) -> None:
    with client.realtime.connect(model="gpt-realtime") as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
        )
        connection.response.create()
        seen: list[Any] = []
        while not seen or seen[-1].type != "response.done":
            seen.append(connection.recv())
            assert seen[-1].type != "error", seen[-1]
    newer, dated = "v1/realtime?model=gpt-realtime", f"realtime?deployment=gpt-realtime&api-version={VERSION}"
    assert resource[1].seen == [f"GET /openai/{dated if is_dated(resource) else newer}"]
    until(lambda: rows(resource[0], "SELECT 1 FROM usage WHERE operation = 'openai.realtime' AND cost > 0"))


def test_files_and_batches(resource: tuple[Gateway, Azure], client: OpenAI) -> None:
    line = {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o-mini", "messages": ASKED},
    }
    given = client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
    assert [one.id for one in client.files.list()] == [given.id]
    raw = client.batches.with_raw_response.create(
        input_file_id=given.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    made = raw.parse()
    until(lambda: client.batches.retrieve(made.id).status == "completed")
    done = client.batches.retrieve(made.id)
    (answer,) = client.files.content(done.output_file_id or "").text.splitlines()
    assert json.loads(answer)["response"]["body"]["choices"]
    assert [one.id for one in client.batches.list()] == [made.id]
    assert paid(resource[0], raw.headers["x-request-id"])["cost"] > 0
    client.files.delete(given.id)
    asked = resource[1].seen
    assert asked[:3] == paths(resource, "POST /files", f"GET /files/{given.id}", f"GET /files/{given.id}/content")
    (created,) = paths(resource, "POST /batches")
    assert created in asked
    assert asked[-1:] == paths(resource, f"DELETE /files/{given.id}")


def test_videos(resource: tuple[Gateway, Azure], client: OpenAI) -> None:
    if is_dated(resource):
        with pytest.raises(openai.APIStatusError):
            client.videos.create(prompt="a lighthouse", model="sora-2", seconds="4")
        assert resource[1].seen == []
        return
    made = client.videos.create(prompt="a lighthouse", model="sora-2", seconds="4")
    until(lambda: client.videos.retrieve(made.id).status == "completed")
    assert client.videos.download_content(made.id).read()[4:8] == b"ftyp"
    assert resource[1].seen[0] == "POST /openai/v1/videos"
    assert resource[1].seen[-1].endswith("/content?variant=spritesheet")
    again = client.videos.remix(made.id, prompt="at night")
    until(lambda: client.videos.retrieve(again.id).status == "completed")
    client.videos.delete(made.id)
    assert resource[1].seen[-1].startswith("DELETE /openai/v1/videos/")


def test_a_deployment_that_is_none(resource: tuple[Gateway, Azure], client: OpenAI) -> None:
    del resource[1].deployments["gpt-image-1"]
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.generate(model="gpt-image-1", prompt="a cat")
    resource[1].deployments["gpt-image-1"] = "gpt-image-1"
    assert caught.value.status_code >= 400
    assert client.images.generate(model="gpt-image-1", prompt="a cat").data
