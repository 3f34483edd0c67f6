"""Embeddings and pictures by one vendor's SDK from the models of another: what comes, and what is charged for it."""

from __future__ import annotations

import base64
import io
import math
import random
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from google import genai
from google.genai import types
from openai import OpenAI
from PIL import Image

from tests.operator import asked_of, rows, usage_row
from tests.stack import Gateway
from tests.support.http import post
from tests.support.pictures import opened, png
from tests.support.until import PATIENCE

IMAGEN, NANO, V3 = "imagen-4.0-generate-001", "gemini-2.5-flash-image", "ideogram-V_3"
PER_TOKEN = {"input": 300, "output": 2500, "image_out": 30_000}
"""Of the model that draws, in 10⁻⁹ USD."""


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


@pytest.fixture
def google(gateway: Gateway) -> genai.Client:
    return genai.Client(api_key=gateway.live, http_options=types.HttpOptions(base_url=gateway.url))


def row_of(gateway: Gateway, raw: Any) -> dict[str, Any]:
    """Return what was noted of a call, whose hold is gone."""
    request_id = raw.headers["x-request-id"]
    assert not rows(gateway, "SELECT 1 FROM holds WHERE request_id = ?", request_id)
    return usage_row(gateway, request_id)


def seen(image: Any) -> float:
    """Return the ratio of a picture that came as bytes, or by a link of the gateway's own."""
    if image.b64_json is not None:
        picture = opened(base64.b64decode(image.b64_json))
    else:
        with urllib.request.urlopen(image.url, timeout=PATIENCE) as answer:
            picture = opened(answer.read())
    return picture.width / picture.height


def noise(side: int) -> bytes:
    """Return a PNG that cannot be packed."""
    file = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3)).save(file, "PNG")
    return file.getvalue()


# Embeddings --------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.embeddings")
def test_openais_sdk_has_googles_embeddings(client: OpenAI, gateway: Gateway) -> None:
    # Without a format the SDK asks for base64.
    raw = client.embeddings.with_raw_response.create(
        model="gemini-embedding-001", input=["a river in spring", "a mountain"], dimensions=768
    )
    made = raw.parse()
    assert [len(each.embedding) for each in made.data] == [768, 768]
    assert math.hypot(*made.data[0].embedding) == pytest.approx(1, abs=1e-3)
    row = row_of(gateway, raw)
    assert made.usage.prompt_tokens == made.usage.total_tokens == row["consumed"]["input"]
    # The texts alone, without what stands around them.
    assert made.usage.prompt_tokens == len("a river in spring\na mountain") // 4
    assert row["cost"] == made.usage.prompt_tokens * 150
    plain = client.embeddings.create(
        model="gemini-embedding-001", input="a river in spring", dimensions=768, encoding_format="float"
    )
    assert plain.data[0].embedding == pytest.approx(made.data[0].embedding, abs=1e-6)
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="gemini-embedding-001", input=[[1, 2], [3]])
    assert refused.value.param == "input"


@pytest.mark.operation("gemini.embedContent", "gemini.batchEmbedContents")
def test_googles_sdk_has_openais_embeddings(google: genai.Client, client: OpenAI, gateway: Gateway) -> None:
    model, config = "text-embedding-3-small", types.EmbedContentConfig(output_dimensionality=16)
    made = google.models.embed_content(model=model, contents=["one", "two"], config=config)
    own = client.embeddings.create(model=model, input=["one", "two"], dimensions=16)
    values = [each.values for each in made.embeddings or ()]
    for mine, theirs in zip(values, own.data, strict=True):
        assert mine == pytest.approx(theirs.embedding, abs=1e-6)
    assert made.usage_metadata is not None
    assert made.usage_metadata.prompt_token_count == own.usage.prompt_tokens
    (row,) = rows(
        gateway, "SELECT * FROM usage WHERE operation = ? ORDER BY rowid DESC LIMIT 1", "gemini.batchEmbedContents"
    )
    assert row["cost"] == own.usage.prompt_tokens * 20
    body = {"content": {"parts": [{"text": "one"}]}, "outputDimensionality": 16}
    one = post(gateway, f"/v1beta/models/{model}:embedContent", body, gateway.live).json
    assert one["embedding"]["values"] == values[0]


# Pictures ----------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.images.generations")
@pytest.mark.parametrize(
    ("model", "more", "shape", "cost"),
    [
        (IMAGEN, {"n": 2, "size": "1536x1024"}, 4 / 3, 80_000_000),
        ("imagen-4.0-fast-generate-001", {"response_format": "url"}, 1, 20_000_000),
        (V3, {"size": "1792x1024", "quality": "high"}, 16 / 9, 90_000_000),
        (V3, {"quality": "low", "response_format": "b64_json"}, 1, 30_000_000),
        ("ideogram-V_2", {"n": 2, "size": "1024x1536"}, 2 / 3, 160_000_000),
        ("sd3-large", {"size": "1024x1024", "quality": "auto", "output_format": "jpeg"}, 1, 65_000_000),
        ("stable-image-core", {"response_format": "url"}, 1, 30_000_000),
        ("stable-image-ultra", {"size": "1792x1024"}, 16 / 9, 80_000_000),
        ("stable-diffusion-xl-1024-v1-0", {"n": 2, "size": "1536x1024"}, 1216 / 832, 18_000_000),
    ],
)
def test_openais_sdk_has_pictures_of_all_vendors(
    client: OpenAI, gateway: Gateway, model: str, more: dict[str, Any], shape: float, cost: int
) -> None:
    raw = client.images.with_raw_response.generate(model=model, prompt=f"a lighthouse by {model}", **more)
    images = raw.parse().data or []
    assert len(images) == more.get("n", 1)
    wanted = more.get("response_format") or ("url" if model.startswith("ideogram") else "b64_json")
    for image in images:
        assert (image.url if wanted == "url" else image.b64_json) is not None
        assert image.url is None or image.url.startswith(gateway.url)
        assert seen(image) == pytest.approx(shape, rel=0.05)
    row = row_of(gateway, raw)
    assert (row["status"], row["cost"], row["model"]) == (200, cost, model)


@pytest.mark.operation("openai.images.generations", "openai.images.edits")
def test_a_model_that_draws_tells_the_tokens_that_are_charged(client: OpenAI, gateway: Gateway) -> None:
    drawn = client.images.with_raw_response.generate(
        model=NANO, prompt="a lighthouse", size="1024x1536", quality="auto", background="auto", moderation="auto"
    )
    # A form as large as this one is not held in memory.
    edited = client.images.with_raw_response.edit(
        model=NANO, image=[("a.png", noise(800)), ("b.png", png(32))], prompt="a hat on it"
    )
    for raw, pictures in ((drawn, 0), (edited, 2)):
        answer = raw.parse()
        usage = answer.usage
        assert usage is not None
        assert (usage.input_tokens_details.image_tokens > 0) == (pictures > 0)
        row = row_of(gateway, raw)
        consumed = row["consumed"]
        assert usage.input_tokens == consumed["input"] + consumed.get("image_in", 0)
        assert usage.output_tokens == consumed["output"] + consumed["image_out"]
        text = consumed["input"] + consumed.get("image_in", 0)
        assert row["cost"] == (
            text * PER_TOKEN["input"]
            + consumed["output"] * PER_TOKEN["output"]
            + consumed["image_out"] * PER_TOKEN["image_out"]
        )
        assert row["basis"] == "vendor"
    (image,) = drawn.parse().data or ()
    assert seen(image) == pytest.approx(2 / 3, rel=0.05)


@pytest.mark.parametrize("model", [IMAGEN, NANO, V3, "stable-image-core"])
def test_a_stream_holds_whole_pictures(client: OpenAI, gateway: Gateway, model: str) -> None:
    events = client.images.generate(model=model, prompt="a lighthouse", stream=True, partial_images=2)
    (event,) = events
    assert event.type == "image_generation.completed"
    assert opened(base64.b64decode(event.b64_json))
    row = row_of(gateway, events.response)
    assert row["cost"] > 0
    if model == NANO:
        assert event.usage.output_tokens == row["consumed"]["output"] + row["consumed"]["image_out"]


@pytest.mark.operation("openai.images.edits")
@pytest.mark.parametrize(
    ("model", "masked", "cost"),
    [
        (V3, False, 60_000_000),
        (V3, True, 60_000_000),
        ("ideogram-V_2", False, 80_000_000),
        ("ideogram-V_2", True, 80_000_000),
        ("stable-image-edit-inpaint", True, 30_000_000),
        ("stable-image-edit-inpaint", False, 30_000_000),
    ],
)
def test_openais_sdk_edits_with_other_vendors(
    client: OpenAI, gateway: Gateway, model: str, masked: bool, cost: int
) -> None:
    mask: Any = ("m.png", png(96, color="#00000000", mode="RGBA")) if masked else openai.omit
    raw = client.images.with_raw_response.edit(
        model=model, image=("a.png", png(96, mode="RGBA")), mask=mask, prompt="a hat", size="1024x1024"
    )
    (image,) = raw.parse().data or ()
    assert seen(image)
    assert row_of(gateway, raw)["cost"] == cost


@pytest.mark.parametrize("model", [IMAGEN, NANO, V3, "ideogram-V_2", "sd3-large", "stable-diffusion-v1-6"])
@pytest.mark.parametrize("trigger", ["moderated", "moderated-output"])
def test_what_is_held_back_says_so_and_costs_nothing(
    client: OpenAI, gateway: Gateway, model: str, trigger: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model=model, prompt=f"a lighthouse [sandbox:{trigger}]")
    assert refused.value.code == "content_policy_violation"
    row = row_of(gateway, refused.value.response)
    assert row["cost"] == 0


@pytest.mark.parametrize(
    ("model", "trigger", "status"),
    [(NANO, "rate-limit", 429), (V3, "rate-limit", 429), ("sd3-large", "rate-limit", 429), (IMAGEN, "status=500", 500)],
)
def test_other_vendors_refusals_come_in_openais_shape(
    client: OpenAI, gateway: Gateway, model: str, trigger: str, status: int
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.images.generate(model=model, prompt=f"a lighthouse [sandbox:{trigger}]")
    assert isinstance(refused.value.body, dict)
    assert {"message", "type", "code", "param"} <= refused.value.body.keys()
    assert refused.value.status_code in (status, 502)
    assert row_of(gateway, refused.value.response)["cost"] == 0


def test_what_cannot_be_told_is_sent_to_nobody(client: OpenAI, gateway: Gateway) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model=NANO, prompt="two unsent lighthouses", n=2)
    assert (refused.value.param, refused.value.code) == ("n", "unsupported_parameter")
    assert asked_of(gateway, "two unsent lighthouses") is None
    with pytest.raises(openai.NotFoundError, match="/v1/images/generations"):
        client.images.edit(model=IMAGEN, image=("a.png", png(64)), prompt="x")
