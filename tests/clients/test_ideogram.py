"""Ideogram by golden requests, as its clients send them, and by the vendor's own OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
from PIL import Image

from tests.operator import usage_row
from tests.stack import Gateway
from tests.support.pictures import opened, png
from tests.support.until import PATIENCE

SPEC = json.loads((Path(__file__).parents[1] / "specs" / "ideogram.json").read_text())


def valid(path: str, answer: Any) -> None:
    """Check an answer against what the vendor says it answers."""
    schema = SPEC["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft4Validator({**schema, "components": SPEC["components"]}).validate(_nullable(answer))


def _nullable(value: Any) -> Any:
    """Leave nulls out: OpenAPI 3.0's `nullable` is not JSON Schema's."""
    if isinstance(value, dict):
        return {key: _nullable(item) for key, item in value.items() if item is not None}
    return [_nullable(item) for item in value] if isinstance(value, list) else value


def post(gateway: Gateway, path: str, key: str | None = None, **body: Any) -> requests.Response:
    return requests.post(f"{gateway.url}{path}", headers={"Api-Key": key or gateway.live}, timeout=PATIENCE, **body)


def picture_at(url: str) -> Image.Image:
    return opened(requests.get(url, timeout=PATIENCE).content)


@pytest.mark.operation("ideogram.generate")
def test_generate(gateway: Gateway) -> None:
    body = {"image_request": {"prompt": "a cat", "model": "V_2_TURBO", "aspect_ratio": "ASPECT_16_9", "num_images": 2}}
    answer = post(gateway, "/ideogram/generate", json=body)
    assert answer.status_code == 200, answer.text
    valid("/generate", answer.json())
    found = answer.json()["data"]
    assert len(found) == 2
    assert all(item["url"].startswith(f"{gateway.url}/assets/") for item in found)
    width, height = picture_at(found[0]["url"]).size
    assert width > height
    row = usage_row(gateway, answer.headers["x-request-id"])
    assert row["cost"] == 2 * 50_000_000
    assert row["basis"] == "counted"


@pytest.mark.operation("ideogram.remix", "ideogram.upscale", "ideogram.describe", "ideogram.edit", "ideogram.reframe")
def test_legacy_forms(gateway: Gateway) -> None:
    wrapped = json.dumps({"prompt": "a dog", "image_weight": 40})
    image = {"image_file": ("in.png", png(256, 192), "image/png")}
    remixed = post(gateway, "/ideogram/remix", files=image, data={"image_request": wrapped})
    assert remixed.status_code == 200, remixed.text
    valid("/remix", remixed.json())
    as_file = post(gateway, "/ideogram/remix", files={**image, "image_request": ("blob", wrapped, "application/json")})
    assert as_file.status_code == 200, as_file.text

    upscaled = post(gateway, "/ideogram/upscale", files=image, data={"image_request": "{}"})
    assert upscaled.status_code == 200, upscaled.text
    assert upscaled.json()["data"][0]["upscaled_resolution"] == "512x384"
    assert picture_at(upscaled.json()["data"][0]["url"]).size == (512, 384)
    assert usage_row(gateway, upscaled.headers["x-request-id"])["cost"] == 60_000_000

    described = post(gateway, "/ideogram/describe", files=image)
    assert described.status_code == 200, described.text
    valid("/describe", described.json())
    assert usage_row(gateway, described.headers["x-request-id"])["cost"] == 10_000_000

    both = {**image, "mask": ("mask.png", png(256, 192), "image/png")}
    assert post(gateway, "/ideogram/edit", files=both, data={"prompt": "x", "model": "V_2"}).status_code == 200
    framed = post(gateway, "/ideogram/reframe", files=image, data={"resolution": "RESOLUTION_512_1536", "model": "V_2"})
    assert framed.status_code == 200, framed.text


@pytest.mark.operation(
    "ideogram.v3.generate",
    "ideogram.v3.remix",
    "ideogram.v3.edit",
    "ideogram.v3.inpaint",
    "ideogram.v3.reframe",
    "ideogram.v3.replace-background",
)
def test_version_3(gateway: Gateway) -> None:
    as_json = post(gateway, "/ideogram/v1/ideogram-v3/generate", json={"prompt": "a", "rendering_speed": "QUALITY"})
    assert as_json.status_code == 200, as_json.text
    valid("/v1/ideogram-v3/generate", as_json.json())
    assert usage_row(gateway, as_json.headers["x-request-id"])["cost"] == 90_000_000
    as_form = post(gateway, "/v1/ideogram-v3/generate", files={"prompt": (None, "a"), "num_images": (None, "3")})
    assert len(as_form.json()["data"]) == 3
    image, mask = ("in.png", png(256, 192), "image/png"), ("mask.png", png(256, 192), "image/png")
    for name, files, fields in (
        ("remix", {"image": image}, {"prompt": "x"}),
        ("edit", {"image": image, "mask": mask}, {"prompt": "x"}),
        ("inpaint", {"image": image, "mask": mask}, {"prompt": "x"}),
        ("reframe", {"image": image}, {"resolution": "1024x1024"}),
        ("replace-background", {"image": image}, {"prompt": "x"}),
    ):
        answer = post(gateway, f"/ideogram/v1/ideogram-v3/{name}", files=files, data=fields)
        assert answer.status_code == 200, (name, answer.text)
        valid(f"/v1/ideogram-v3/{name}", answer.json())


def test_errors_are_the_vendor_s(gateway: Gateway) -> None:
    refused = post(gateway, "/ideogram/generate", json={"image_request": {"prompt": "[sandbox:moderated] x"}})
    assert refused.status_code == 422
    assert isinstance(refused.json()["error"], str)
    assert usage_row(gateway, refused.headers["x-request-id"])["cost"] == 0
    unsafe = post(gateway, "/ideogram/generate", json={"image_request": {"prompt": "[sandbox:moderated-output] x"}})
    assert unsafe.status_code == 200
    assert not unsafe.json()["data"][0]["is_image_safe"]
    assert usage_row(gateway, unsafe.headers["x-request-id"])["cost"] == 0
    for answer, status in (
        (post(gateway, "/ideogram/generate", json={}), 400),
        (post(gateway, "/ideogram/generate", key="sk-wrong", json={}), 401),
        (post(gateway, "/ideogram/remix", files={"image_file": ("a.png", png(256, 192))}), 400),
        (post(gateway, "/ideogram/remix", json={}), 415),
        (post(gateway, "/ideogram/nothing", json={}), 404),
    ):
        assert answer.status_code == status, answer.text
        assert isinstance(answer.json()["error"], str)
