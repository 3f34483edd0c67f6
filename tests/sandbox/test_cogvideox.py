"""The sandbox's CogVideoX, as the vendor's SDK and its documents have it."""

from __future__ import annotations

import base64
import time
import urllib.request
from io import BytesIO
from types import ModuleType
from typing import Any

import aiohttp
import jwt
import pytest
import zai
from PIL import Image

from tests.support.until import until as patiently

from .conftest import get, png, post, until

MODEL = "cogvideox-3"
SECRET = "a secret that nobody has but a test"
BASE = "/cogvideox/api/paas/v4"
SUBMIT = f"{BASE}/videos/generations"
IMAGE = base64.b64encode(png(320, 240)).decode()


@pytest.fixture
def sdk(base: str) -> tuple[Any, ModuleType]:
    return zai.ZhipuAiClient(api_key="id-one.secret", base_url=base + BASE, max_retries=0), zai.core


async def finished(http: aiohttp.ClientSession, task: str) -> Any:
    return await until(
        lambda: get(http, f"{BASE}/async-result/{task}"), lambda view: view["task_status"] != "PROCESSING"
    )


def ended(client: Any, task: str) -> Any:
    def look() -> Any:
        view = client.videos.retrieve_videos_result(id=task)
        return view if view.task_status != "PROCESSING" else None

    return patiently(look)


def test_a_film_by_the_sdk(sdk: tuple[Any, ModuleType]):
    client, _ = sdk
    task = client.videos.generations(model=MODEL, prompt="a harbour", size="1280x720", duration=10, fps=60)
    assert task.task_status == "PROCESSING"
    assert task.id.startswith(("1", "2"))
    assert "-" in task.id
    assert task.request_id not in ("", task.id)
    view = ended(client, task.id)
    assert (view.task_status, view.model, view.request_id) == ("SUCCESS", MODEL, task.request_id)
    (film,) = view.video_result
    with urllib.request.urlopen(film.url) as answer:
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.read()[4:8] == b"ftyp"
    with urllib.request.urlopen(film.cover_image_url) as answer:
        assert Image.open(BytesIO(answer.read())).size == (1280, 720)


def test_frames_and_names_by_the_sdk(sdk: tuple[Any, ModuleType]):
    client, errors = sdk
    name = f"order-{time.time_ns()}"
    frames = [IMAGE, "https://example.com/last.png"]
    task = client.videos.generations(model=MODEL, image_url=frames, request_id=name, user_id="somebody")
    assert task.request_id == name
    assert ended(client, task.id).task_status == "SUCCESS"
    with pytest.raises(errors.APIRequestFailedError, match="1231"):
        client.videos.generations(model=MODEL, prompt="x", request_id=name)
    with pytest.raises(errors.APIRequestFailedError, match="1214"):
        client.videos.retrieve_videos_result(id=name)


def test_errors_by_the_sdk(sdk: tuple[Any, ModuleType], base: str):
    client, errors = sdk
    for word, kind in {
        "moderated": errors.APIRequestFailedError,
        "rate-limit": errors.APIReachLimitError,
        "fail": errors.APIInternalError,
        "status=503": errors.APIServerFlowExceedError,
    }.items():
        with pytest.raises(kind):
            client.videos.generations(model=MODEL, prompt=f"[sandbox:{word}] x")
    stranger = type(client)(api_key="invalid", base_url=base + BASE, max_retries=0)
    with pytest.raises(errors.APIAuthenticationError, match="1000"):
        stranger.videos.generations(model=MODEL, prompt="x")


def test_a_token_signed_by_the_sdk(base: str):
    client = zai.ZhipuAiClient(api_key=f"id-two.{SECRET}", base_url=base + BASE, disable_token_cache=False)
    task = client.videos.generations(model="cogvideox-flash", prompt="x")
    assert ended(client, task.id).task_status == "SUCCESS"


@pytest.mark.parametrize(
    ("claims", "head", "code"),
    [
        ({"exp": -1}, {}, "1003"),
        ({"exp": 60_000}, {"alg": "HS512"}, "1002"),
        ({}, {}, "1002"),
        ({"exp": 60_000, "api_key": 5}, {}, "1002"),
    ],
)
async def test_tokens_that_are_refused(
    http: aiohttp.ClientSession, claims: dict[str, Any], head: dict[str, str], code: str
):
    payload: dict[str, Any] = {"api_key": "id-three", **claims}
    if "exp" in payload:
        payload["exp"] += int(time.time() * 1000)
    token = jwt.encode(payload, SECRET * 2, head.get("alg", "HS256"))
    answer = await post(http, SUBMIT, {"model": MODEL, "prompt": "x"}, 401, authorization=f"Bearer {token}")
    assert answer["error"]["code"] == code
    answer = await post(http, SUBMIT, {"model": MODEL, "prompt": "x"}, 401, authorization="")
    assert answer["error"]["code"] == "1001"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": MODEL}, "1213"),
        ({"model": MODEL, "prompt": "", "image_url": ""}, "1213"),
        ({"prompt": "x"}, "1213"),
        ({"model": "cogvideox-9", "prompt": "x"}, "1211"),
        ({"model": MODEL, "prompt": "x" * 513}, "1261"),
        ({"model": "vidu2-reference", "prompt": "x" * 1501}, "1261"),
        ({"model": MODEL, "prompt": 5}, "1214"),
        ({"model": MODEL, "prompt": "x", "fps": 25}, "1214"),
        ({"model": MODEL, "prompt": "x", "fps": "30"}, "1214"),
        ({"model": MODEL, "prompt": "x", "duration": 7}, "1214"),
        ({"model": MODEL, "prompt": "x", "size": "1x1"}, "1214"),
        ({"model": MODEL, "prompt": "x", "with_audio": 1}, "1214"),
        ({"model": MODEL, "prompt": "x", "user_id": "short"}, "1214"),
        ({"model": MODEL, "image_url": "not a picture"}, "1214"),
        ({"model": MODEL, "image_url": [5]}, "1214"),
        ({"model": "cogvideox-2", "image_url": [IMAGE, IMAGE]}, "1212"),
        ({"model": MODEL, "image_url": [IMAGE] * 3}, "1212"),
    ],
)
async def test_what_is_refused(http: aiohttp.ClientSession, body: dict[str, Any], code: str):
    answer = await post(http, SUBMIT, body, 400)
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]


async def test_nulls_are_absent(http: aiohttp.ClientSession):
    nulls = dict.fromkeys(("image_url", "quality", "size", "fps", "duration", "request_id", "with_audio"))
    task = await post(http, SUBMIT, {"model": "vidu2-reference", "prompt": "x" * 1500, **nulls})
    assert set(task) == {"id", "model", "request_id", "task_status"}
    assert (await finished(http, task["id"]))["task_status"] == "SUCCESS"


@pytest.mark.parametrize(("trigger", "code"), [("moderated-output", "1301"), ("fail-midway", "500")])
async def test_a_failure_is_an_answer_of_200(http: aiohttp.ClientSession, trigger: str, code: str):
    task = await post(http, SUBMIT, {"model": MODEL, "prompt": f"x [sandbox:{trigger}]"})
    view = await finished(http, task["id"])
    assert (view["task_status"], view["error"]["code"]) == ("FAIL", code)
    assert "video_result" not in view


async def test_many_at_once_and_those_of_others(http: aiohttp.ClientSession):
    first, second = [await post(http, SUBMIT, {"model": MODEL, "prompt": "x"}) for _ in range(2)]
    views = await post(http, f"{BASE}/async-results", {"ids": [first["id"], second["id"]]})
    assert [view["id"] for view in views] == [first["id"], second["id"]]
    stranger = {"authorization": "Bearer sk-somebody-else"}
    async with http.get(f"{BASE}/async-result/{first['id']}", headers=stranger) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "1214")
    assert (await post(http, f"{BASE}/async-results", {"ids": first["id"]}, 400))["error"]["code"] == "1213"


async def test_a_path_that_is_none(http: aiohttp.ClientSession):
    assert (await get(http, f"{BASE}/no-such", 404))["error"]["code"] == "1222"
