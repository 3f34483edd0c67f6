"""A job in one vendor's format, done by another: official clients, real channels, and what each is charged."""

# pyright: reportDeprecated=false
from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from google import genai
from google.genai import types
from openai import OpenAI
from PIL import Image
from zai import ZhipuAiClient
from zai.core import APIRequestFailedError

from tests.operator import asked_of, rows, usage_row
from tests.stack import Gateway
from tests.support.pictures import opened
from tests.support.receiver import Receiver
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
KLING, COGVIDEOX, VEO = "kling-v2-6", "cogvideox-2", "veo-3.1-generate-preview"


def picture(side: int = 320) -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (side, side), "navy").save(drawn, "PNG")
    return drawn.getvalue()


def ask(gateway: Gateway, method: str, path: str, body: Any = None) -> requests.Response:
    head = {"authorization": f"Bearer {gateway.live}"}
    return requests.request(method, gateway.url + path, headers=head, json=body, timeout=20)


def played(data: bytes) -> None:
    assert data[4:8] == b"ftyp"


def charged(gateway: Gateway, task: str) -> int:
    """What a task cost: one charge, the hold gone."""
    (row,) = rows(gateway, "SELECT cost, hold_id, state FROM tasks WHERE id = ?", task)
    assert row["hold_id"] is None
    return row["cost"]


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


@pytest.fixture
def google(gateway: Gateway) -> genai.Client:
    return genai.Client(api_key=gateway.live, http_options=types.HttpOptions(base_url=gateway.url))


def ended(client: OpenAI, video_id: str) -> Any:
    def look() -> Any:
        found = client.videos.retrieve(video_id)
        return found if found.status in ("completed", "failed") else None

    return until(look)


# OpenAI's videos ---------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.videos.create", "openai.videos.get", "openai.videos.content")
def test_openai_s_sdk_on_kling(client: OpenAI, gateway: Gateway) -> None:
    raw = client.videos.with_raw_response.create(model=KLING, prompt="a cat for kling", seconds="8", size="1792x1024")
    begun = raw.parse()
    assert (begun.id[:6], begun.status, begun.model) == ("video_", "queued", KLING)
    assert (begun.seconds, begun.size) == ("10", "1792x1024"), "the nearest length that there is"
    done = ended(client, begun.id)
    assert (done.status, done.progress, done.prompt) == ("completed", 100, "a cat for kling")
    played(client.videos.download_content(begun.id).read())
    with pytest.raises(openai.NotFoundError, match="no thumbnail"):
        client.videos.download_content(begun.id, variant="thumbnail")
    sent = asked_of(gateway, "a cat for kling")
    assert sent is not None
    assert sent["path"].endswith("/v1/videos/text2video")
    wanted = {"model_name": KLING, "prompt": "a cat for kling", "duration": "10", "aspect_ratio": "16:9"}
    assert {name: sent["body"].get(name) for name in wanted} == wanted
    row = usage_row(gateway, raw.headers["x-request-id"])
    assert row["cost"] == charged(gateway, begun.id) == 700_000_000
    assert begun.id in [video.id for video in client.videos.list(limit=20).data]
    with pytest.raises(openai.BadRequestError, match="nothing like it"):
        client.videos.remix(begun.id, prompt="again")
    assert client.videos.delete(begun.id).deleted


@pytest.mark.operation("openai.videos.create", "openai.videos.content")
def test_openai_s_sdk_with_a_first_frame(client: OpenAI, gateway: Gateway) -> None:
    begun = client.videos.create(model=KLING, prompt="it jumps high", input_reference=("a.png", picture()))
    assert begun.seconds == "5"
    assert ended(client, begun.id).status == "completed"
    played(client.videos.download_content(begun.id).read())
    sent = asked_of(gateway, "it jumps high")
    assert sent is not None
    assert sent["path"].endswith("/v1/videos/image2video")
    assert charged(gateway, begun.id) == 350_000_000


@pytest.mark.operation("openai.videos.create", "openai.videos.content")
def test_openai_s_sdk_on_cogvideox(client: OpenAI, gateway: Gateway) -> None:
    begun = client.videos.create(model=COGVIDEOX, prompt="a boat for zhipu", seconds="4", size="1280x720")
    done = ended(client, begun.id)
    assert (done.status, done.seconds, done.size) == ("completed", "5", "1280x720")
    played(client.videos.download_content(begun.id).read())
    cover = client.videos.download_content(begun.id, variant="thumbnail").read()
    assert opened(cover).size == (1280, 720)
    assert charged(gateway, begun.id) == 100_000_000
    with pytest.raises(openai.BadRequestError) as long:
        client.videos.create(model=COGVIDEOX, prompt="x", seconds="12")
    assert long.value.param == "seconds"
    with pytest.raises(openai.BadRequestError, match="moderation"):
        client.videos.create(model=COGVIDEOX, prompt="[sandbox:moderated] x")
    failed = ended(client, client.videos.create(model=COGVIDEOX, prompt="[sandbox:fail-midway] x").id)
    assert (failed.status, bool(failed.error and failed.error.message)) == ("failed", True)
    assert charged(gateway, failed.id) == 0
    with pytest.raises(openai.RateLimitError):
        client.videos.create(model=COGVIDEOX, prompt="[sandbox:rate-limit] x")


@pytest.mark.operation("openai.video.generations", "openai.video.generations.get")
def test_the_relays_form_with_fields_of_the_vendor_s_own(gateway: Gateway) -> None:
    words = f"a bag {time.time_ns()}"
    body = {
        "model": "kling-v2-1",
        "prompt": words,
        "image": base64.b64encode(picture()).decode(),
        "duration": 10,
        "mode": "pro",
        "seed": 7,
        "metadata": {"negative_prompt": "rain", "cfg_scale": 0.7},
    }
    begun = ask(gateway, "POST", "/v1/video/generations", body).json()

    def look() -> Any:
        told = ask(gateway, "GET", f"/v1/video/generations/{begun['task_id']}").json()
        return told if told["status"] == "completed" else None

    done = until(look)
    assert done["metadata"]["duration"] == 10
    played(requests.get(done["url"], timeout=20).content)
    sent = asked_of(gateway, words)
    assert sent is not None
    assert (sent["body"]["negative_prompt"], sent["body"]["cfg_scale"], sent["body"]["mode"]) == ("rain", 0.7, "pro")
    assert charged(gateway, begun["task_id"]) == 980_000_000
    refused = ask(gateway, "POST", "/v1/video/generations", {**body, "fps": 60})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "fps")
    refused = ask(gateway, "POST", "/v1/video/generations", {**body, "metadata": {"callback_url": "https://x.test"}})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "metadata.callback_url")


# Google's films ----------------------------------------------------------------------------------------------------


def operation(gateway: Gateway, model: str, instance: Any, **parameters: Any) -> types.GenerateVideosOperation:
    """Begin a film: the SDK does that with Google's other platform alone."""
    body = {"instances": [{"prompt": "a tower", **instance}], "parameters": parameters}
    answer = ask(gateway, "POST", f"/v1beta/models/{model}:predictLongRunning", body)
    assert answer.status_code == 200, answer.text
    return types.GenerateVideosOperation(name=answer.json()["name"])


@pytest.mark.operation("gemini.predictLongRunning", "gemini.operations.get", "gemini.files.download")
def test_google_s_sdk_on_kling(google: genai.Client, gateway: Gateway) -> None:
    frame = {"bytesBase64Encoded": base64.b64encode(picture()).decode(), "mimeType": "image/png"}
    begun = operation(gateway, KLING, {"image": frame}, durationSeconds=10, aspectRatio="9:16", negativePrompt="rain")
    assert begun.name is not None
    assert begun.name.startswith(f"models/{KLING}/operations/")
    done = until(lambda: found if (found := google.operations.get(begun)).done else None)
    (film,) = [made.video for made in done.response.generated_videos]
    played(google.files.download(file=film))
    assert charged(gateway, begun.name.rpartition("/")[2]) == 700_000_000
    body = {"instances": [{"prompt": "x"}], "parameters": {"sampleCount": 2}}
    refused = ask(gateway, "POST", f"/v1beta/models/{KLING}:predictLongRunning", body)
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert "sampleCount" in refused.json()["error"]["message"]


@pytest.mark.operation("gemini.predictLongRunning", "gemini.operations.get", "gemini.files.download")
def test_google_s_sdk_sees_films_alone(google: genai.Client, gateway: Gateway) -> None:
    begun = operation(gateway, "cogvideox-3", {})
    done = until(lambda: found if (found := google.operations.get(begun)).done else None)
    (film,) = [made.video for made in done.response.generated_videos]
    played(google.files.download(file=film))


# Zhipu's and Kling's formats ---------------------------------------------------------------------------------------


@pytest.mark.operation("cogvideox.videos.generations", "cogvideox.async-result")
@pytest.mark.parametrize(
    ("model", "more", "cost"),
    [(KLING, {"with_audio": True, "size": "1920x1080"}, 1_400_000_000), (VEO, {"duration": 6}, 6 * 400_000_000)],
)
def test_zhipu_s_sdk_on_other_vendors(gateway: Gateway, model: str, more: dict[str, Any], cost: int) -> None:
    client = ZhipuAiClient(api_key=gateway.live, base_url=f"{gateway.url}/cogvideox/v4", max_retries=0)
    options = {"duration": 10, **more}
    accepted = client.videos.generations(model=model, prompt="a lighthouse", request_id="order-000021", **options)
    assert (accepted.task_status, accepted.request_id) == ("PROCESSING", "order-000021")

    def look() -> Any:
        told = client.videos.retrieve_videos_result(id=accepted.id)
        return told if told.task_status == "SUCCESS" else None

    (film,) = until(look).video_result
    played(requests.get(film.url, timeout=20).content)
    assert charged(gateway, accepted.id) == cost
    with pytest.raises(APIRequestFailedError) as refused:
        client.videos.generations(model=model, prompt="x", fps=60)
    assert refused.value.response.json()["error"]["code"] == "1214"
    assert "fps" in refused.value.response.json()["error"]["message"]
    client.close()


@pytest.mark.operation("kling.videos.text2video", "kling.videos.image2video", "kling.tasks.get", "kling.tasks.list")
def test_kling_s_format_on_cogvideox_calls_back(gateway: Gateway) -> None:
    with Receiver() as receiver:
        body = {"model_name": COGVIDEOX, "prompt": "a kite", "duration": "5", "external_task_id": "order-22"}
        begun = ask(gateway, "POST", "/kling/v1/videos/text2video", {**body, "callback_url": receiver.url}).json()
        assert (begun["code"], begun["data"]["task_status"]) == (0, "submitted")
        until(lambda: any(call.body["task_status"] == "succeed" for call in receiver.received))
        received = [call.body for call in receiver.received]
    last = next(body for body in received if body["task_status"] == "succeed")
    task = begun["data"]["task_id"]
    assert (last["task_id"], last["task_info"]) == (task, {"external_task_id": "order-22"})
    (film,) = last["task_result"]["videos"]
    assert film["duration"] == "5"
    played(requests.get(film["url"], timeout=20).content)
    assert charged(gateway, task) == 100_000_000
    assert gateway.sandbox is not None
    assert receiver.url not in json.dumps(gateway.sandbox.requests())
    frames = {"image": base64.b64encode(picture()).decode(), "image_tail": base64.b64encode(picture(400)).decode()}
    framed = ask(gateway, "POST", "/kling/v1/videos/image2video", {"model_name": "cogvideox-3", **frames}).json()
    path = f"/kling/v1/videos/image2video/{framed['data']['task_id']}"
    done = until(
        lambda: told if (told := ask(gateway, "GET", path).json()["data"])["task_status"] == "succeed" else None
    )
    extension = ask(
        gateway, "POST", "/kling/v1/videos/video-extend", {"video_id": done["task_result"]["videos"][0]["id"]}
    )
    assert (extension.status_code, extension.json()["code"]) == (400, 1201)
    (listed, *_) = ask(gateway, "GET", "/kling/v1/videos/image2video?pageSize=1").json()["data"]
    assert listed["task_id"] == done["task_id"]


@pytest.mark.parametrize(
    ("more", "status", "code", "word"),
    [
        ({"camera_control": {"type": "down_back"}}, 400, 1201, "camera_control"),
        ({"negative_prompt": "rain"}, 400, 1201, "negative_prompt"),
        ({"aspect_ratio": "7:1"}, 400, 1201, "aspect_ratio"),
        ({"prompt": "[sandbox:moderated] x"}, 400, 1301, "moderation"),
        ({"prompt": "[sandbox:rate-limit] x"}, 429, 1302, ""),
    ],
)
def test_refusals_are_kling_s(gateway: Gateway, more: dict[str, Any], status: int, code: int, word: str) -> None:
    body = {"model_name": "cogvideox-flash", "prompt": "x", **more}
    refused = ask(gateway, "POST", "/kling/v1/videos/text2video", body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert word in refused.json()["message"]


@pytest.mark.operation("kling.videos.text2video", "kling.tasks.get")
def test_kling_s_format_on_openai_s_videos(gateway: Gateway) -> None:
    body = {"model_name": "sora-2", "prompt": "a train", "aspect_ratio": "16:9"}
    task = ask(gateway, "POST", "/kling/v1/videos/text2video", body).json()["data"]["task_id"]
    path = f"/kling/v1/videos/text2video/{task}"
    done = until(
        lambda: told if (told := ask(gateway, "GET", path).json()["data"])["task_status"] == "succeed" else None
    )
    (film,) = done["task_result"]["videos"]
    played(requests.get(film["url"], timeout=20).content)
    assert charged(gateway, task) == 4 * 100_000_000


# Pictures ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crossing(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with models under names of the operator's own: pictures at Kling, and films at two vendors."""
    assert gateway.sandbox is not None
    toml = (
        f'[[channels]]\nname = "pictures"\nprotocol = "kling"\nbase_url = "{gateway.sandbox.url}/kling"\n'
        'credential = "sk-upstream"\nmodels = ["brush"]\nmodel_map = { brush = "kling-v2" }\n\n'
        '[prices."brush-image"]\nper_image = "0.05"\n\n'
    )
    for protocol, path, model in (("kling", "", "kling-v2-6"), ("cogvideox", "/api/paas/v4", "cogvideox-3")):
        toml += (
            f'[[channels]]\nname = "duo by {protocol}"\nprotocol = "{protocol}"\n'
            f'base_url = "{gateway.sandbox.url}/{protocol}{path}"\n'
            f'credential = "sk-upstream"\nmodels = ["duo"]\nmodel_map = {{ duo = "{model}" }}\n\n'
        )
    toml += '[prices.duo]\nper_call = "0.30"\n'
    made = Gateway(Path(tmp_path_factory.mktemp("pictures")), gateway.sandbox, toml=toml).start()
    yield made
    made.stop()


@pytest.mark.operation("openai.images.generations")
@pytest.mark.parametrize(
    ("model", "size", "shape"), [("kling-v1", "1536x1024", (1256, 832)), ("flux-dev", "768x512", (768, 512))]
)
def test_openai_s_images_on_any_vendor(client: OpenAI, gateway: Gateway, model: str, size: Any, shape: Any) -> None:
    words = f"two owls {time.time_ns()}"
    made = client.images.generate(model=model, prompt=words, n=2, size=size)
    assert made.data is not None
    images = [opened(requests.get(str(image.url), timeout=20).content) for image in made.data]
    assert len(images) == 2
    wide, high = images[0].size
    assert abs(wide / high - shape[0] / shape[1]) < 0.05
    inline = client.images.generate(model=model, prompt=words, response_format="b64_json")
    assert inline.data is not None
    opened(base64.b64decode(str(inline.data[0].b64_json)))
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model=model, prompt="[sandbox:moderated-output] no")
    assert refused.value.code == "content_policy_violation"


def test_flux_s_format_on_kling_s_pictures(crossing: Gateway) -> None:
    """Priced under the operator's name of the model, as pictures are at the vendor that does it."""
    begun = ask(crossing, "POST", "/flux/v1/brush", {"prompt": "an owl", "width": 1024, "height": 1024}).json()
    done = until(
        lambda: (
            told
            if (told := requests.get(begun["polling_url"], headers={"x-key": crossing.live}, timeout=20).json())[
                "status"
            ]
            == "Ready"
            else None
        )
    )
    assert opened(requests.get(done["result"]["sample"], timeout=20).content).size == (1024, 1024)
    assert charged(crossing, begun["id"]) == 50_000_000
    refused = ask(crossing, "POST", "/flux/v1/brush", {"prompt": "x", "aspect_ratio": "5:1"})
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "aspect_ratio"])


@pytest.mark.parametrize(("more", "vendor"), [({}, "kling"), ({"fps": 60}, "cogvideox"), ({"duration": 40}, "")])
def test_a_vendor_that_cannot_be_told_is_passed_over(crossing: Gateway, more: dict[str, Any], vendor: str) -> None:
    words = f"passed {time.time_ns()}"
    begun = ask(crossing, "POST", "/v1/video/generations", {"model": "duo", "prompt": words, **more})
    sent = asked_of(crossing, words)
    if not vendor:
        assert (begun.status_code, begun.json()["error"]["param"], sent) == (400, "duration", None)
        return
    assert sent is not None
    assert (begun.status_code, sent["path"].split("/")[1]) == (200, vendor)
    path = f"/v1/video/generations/{begun.json()['id']}"
    until(lambda: ask(crossing, "GET", path).json()["status"] == "completed")
    assert charged(crossing, begun.json()["id"]) == 300_000_000


@pytest.mark.operation("kling.images.generations", "kling.tasks.get")
def test_kling_s_format_on_flux_s_pictures(gateway: Gateway) -> None:
    body = {"model_name": "flux-dev", "prompt": "an owl", "aspect_ratio": "1:1"}
    task = ask(gateway, "POST", "/kling/v1/images/generations", body).json()["data"]["task_id"]
    path = f"/kling/v1/images/generations/{task}"
    done = until(
        lambda: told if (told := ask(gateway, "GET", path).json()["data"])["task_status"] == "succeed" else None
    )
    (image,) = done["task_result"]["images"]
    assert opened(requests.get(image["url"], timeout=20).content).size == (1024, 1024)
    assert charged(gateway, task) == 25_000_000
    refused = ask(gateway, "POST", "/kling/v1/images/generations", {**body, "n": 2})
    assert (refused.status_code, refused.json()["code"]) == (400, 1201)
