"""Google's own SDK through a gateway whose channel is a project of Vertex AI: words, pictures, films, embeddings."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from google import genai
from google.genai import types

from tests.operator import rows
from tests.stack import Gateway
from tests.support.http import post
from tests.support.until import until
from tests.upstream import clouds

PLACE = "/v1/projects/p/locations/us-central1/publishers/google/models"
VEO = "veo-3.1-generate-001"
NAME = f"{PLACE.removeprefix('/v1/')}/{VEO}/operations/8ab1-2c"
FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4000


class Project:
    """The project: it takes well signed tokens only, and films take three looks."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[tuple[str, Any]] = []
        self.looks = 0
        self.refuses = False

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.path == "/token":
            good = clouds.granted(body.decode(), self.url) is not None
            return web.json_response({"access_token": "ya29", "expires_in": 3599}, status=200 if good else 400)
        if request.headers.get("authorization") != "Bearer ya29" or request.method != "POST":
            return web.json_response({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, status=401)
        asked = json.loads(body)
        self.seen.append((request.path, asked))
        model, _, verb = request.path.removeprefix(f"{PLACE}/").partition(":")
        answer = self._answer(model, verb, asked)
        if answer is None:
            message = f"Publisher Model `{model}` was not found"
            return web.json_response({"error": {"code": 404, "message": message, "status": "NOT_FOUND"}}, status=404)
        return web.json_response(answer)

    def _answer(self, model: str, verb: str, asked: Any) -> Any:
        match model, verb:
            case "gemini-2.5-flash", "generateContent":
                parts = [{"text": "from Vertex"}]
                usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
                found = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
                return {"candidates": [found], "usageMetadata": usage}
            case "gemini-embedding-001", "embedContent" if asked.keys() <= {"content", "embedContentConfig"}:
                return {"embedding": {"values": [0.5, 0.25]}, "usageMetadata": {"promptTokenCount": 4}}
            case "gemini-embedding-001", "batchEmbedContents":
                return {"embeddings": [{"values": [0.5, 0.25]} for _ in asked["requests"]]}
            case "text-embedding-005", "predict":
                vector = {"values": [0.5, 0.25], "statistics": {"token_count": 4}}
                return {"predictions": [{"embeddings": vector} for _ in asked["instances"]]}
            case "imagen-4.0-generate-001", "predict":
                picture = {"mimeType": "image/png", "bytesBase64Encoded": base64.b64encode(b"PNG").decode()}
                return {"predictions": [picture]}
            case _, "predictLongRunning" if model == VEO:
                self.looks = 0
                return {"name": NAME}
            case _, "fetchPredictOperation" if model == VEO and asked == {"operationName": NAME}:
                return self._film()
            case _:
                return None

    def _film(self) -> Any:
        self.looks += 1
        if self.looks < 3:
            return {"name": NAME}
        kind = "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse"
        if self.refuses:
            reasons = ["The prompt goes against the rules"]
            refused = {"@type": kind, "raiMediaFilteredCount": 1, "raiMediaFilteredReasons": reasons}
            return {"name": NAME, "done": True, "response": refused}
        film = {"bytesBase64Encoded": base64.b64encode(FILM).decode(), "mimeType": "video/mp4"}
        return {"name": NAME, "done": True, "response": {"@type": kind, "videos": [film]}}


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    made = Project()
    with clouds.serving_apart(made) as url:
        made.url = url
        yield made


@pytest.fixture(scope="module")
def gateway(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    data: Path = tmp_path_factory.mktemp("vertex")
    (data / "deeepai.toml").write_text(
        f"""
[[channels]]
name = "vertex"
preset = "vertex-gemini"
credential = {json.dumps(clouds.service_account(project.url))}
base_url = "{project.url}"
settings = {{ project = "p", location = "us-central1" }}

[prices."text-embedding-005"]
per_million = {{ input = "0.15" }}
"""
    )
    started = Gateway(data).start()
    yield started
    started.stop()


@pytest.fixture
def client(gateway: Gateway, project: Project) -> Iterator[genai.Client]:
    project.seen.clear()
    project.refuses = False
    made = genai.Client(api_key=gateway.live, http_options=types.HttpOptions(base_url=gateway.url))
    yield made
    made.close()


def film(gateway: Gateway, **instance: Any) -> types.GenerateVideosOperation:
    given = {"prompt": "a lighthouse", **instance}
    parameters = {"durationSeconds": 4, "sampleCount": 1, "resolution": "720p"}
    # As the SDK did: it knows only Vertex AI's own form now.
    asked = {"instances": [given], "parameters": parameters}
    made = post(gateway, f"/v1beta/models/{VEO}:predictLongRunning", asked).json
    return types.GenerateVideosOperation.model_validate(made)


def test_words_and_pictures(client: genai.Client, gateway: Gateway, project: Project) -> None:
    assert client.models.generate_content(model="gemini-2.5-flash", contents="hello").text == "from Vertex"
    asked = {"instances": [{"prompt": "a cat"}]}
    drawn = post(gateway, "/v1beta/models/imagen-4.0-generate-001:predict", asked).json
    assert drawn == {"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "UE5H"}]}
    assert [path.removeprefix(PLACE) for path, _ in project.seen] == [
        "/gemini-2.5-flash:generateContent",
        "/imagen-4.0-generate-001:predict",
    ]


@pytest.mark.parametrize("model", ["gemini-embedding-001", "text-embedding-005"])
def test_embeddings(client: genai.Client, gateway: Gateway, model: str) -> None:
    made = client.models.embed_content(model=model, contents=["one", "two"])
    assert made.embeddings is not None
    assert [one.values for one in made.embeddings] == [[0.5, 0.25]] * 2


def test_a_film(client: genai.Client, gateway: Gateway, project: Project) -> None:
    operation = film(gateway, image={"inlineData": {"mimeType": "image/png", "data": "UE5H"}})
    operation = until(lambda: found if (found := client.operations.get(operation)).done else None)
    assert operation.response is not None
    assert operation.response.generated_videos
    made = operation.response.generated_videos[0].video
    assert made is not None
    assert client.files.download(file=made) == FILM
    (path, begun), *looks = project.seen
    assert path == f"{PLACE}/{VEO}:predictLongRunning"
    assert begun["instances"][0]["image"] == {"bytesBase64Encoded": "UE5H", "mimeType": "image/png"}
    assert begun["parameters"]["durationSeconds"] == 4
    assert looks == [(f"{PLACE}/{VEO}:fetchPredictOperation", {"operationName": NAME})] * 3
    (task,) = rows(gateway, "SELECT * FROM tasks WHERE id = ?", (operation.name or "").rsplit("/", 1)[-1])
    assert (task["state"], task["cost"]) == ("succeeded", 4 * 400_000_000)
    assert len(json.dumps(task, default=str)) < 4000, "films are files, not rows"


def test_a_film_that_is_refused_costs_nothing(client: genai.Client, gateway: Gateway, project: Project) -> None:
    project.refuses = True
    operation = film(gateway)
    operation = until(lambda: found if (found := client.operations.get(operation)).done else None)
    assert operation.response is not None
    assert operation.response.rai_media_filtered_reasons == ["The prompt goes against the rules"]
    (task,) = rows(gateway, "SELECT * FROM tasks WHERE id = ?", (operation.name or "").rsplit("/", 1)[-1])
    assert (task["state"], task["cost"]) == ("failed", 0)
