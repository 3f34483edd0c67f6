"""Pictures between formats of jobs: what each vendor of them is told, and what it cannot be told."""

from __future__ import annotations

import base64
import dataclasses

import pytest

from deeepai.declare import Failure, Reason
from deeepai.translators.jobs import luma, midjourney, runway
from deeepai.translators.jobs.common import Target
from deeepai.translators.jobs.model import Body, Picture

FIRST = "data:image/png;base64," + base64.b64encode(b"\x89PNG first").decode()


@pytest.mark.parametrize(
    ("target", "picture", "told"),
    [
        (midjourney.PICTURE_TARGET, Picture(size=(1536, 1024)), {"prompt": "x --ar 3:2"}),
        (midjourney.PICTURE_TARGET, Picture(negative_prompt="fog", seed=2**32 + 5), {"prompt": "x --no fog --seed 5"}),
        (midjourney.PICTURE_TARGET, Picture(image="https://a.example/1.png"), {"prompt": "https://a.example/1.png x"}),
        (midjourney.PICTURE_TARGET, Picture(image=FIRST), {"prompt": "x", "base64Array": [FIRST]}),
        (luma.PICTURE_TARGET, Picture(size=(1792, 1024)), {"prompt": "x", "aspect_ratio": "16:9"}),
        (
            luma.PICTURE_TARGET,
            Picture(image="https://a.example/1.png"),
            {"prompt": "x", "image_ref": [{"url": "https://a.example/1.png"}]},
        ),
        (runway.PICTURE_TARGET, Picture(size=(1024, 1024)), {"promptText": "x", "ratio": "720:720"}),
        (
            runway.PICTURE_TARGET,
            Picture(size=(1920, 1080), seed=7),
            {"promptText": "x", "ratio": "1920:1080", "seed": 7},
        ),
        (
            runway.PICTURE_TARGET,
            Picture(image=FIRST),
            {"promptText": "x", "ratio": "720:720", "referenceImages": [{"uri": FIRST}]},
        ),
    ],
)
def test_what_a_vendor_of_pictures_is_told(target: Target[Picture], picture: Picture, told: Body) -> None:
    body = target.write(dataclasses.replace(picture, prompt="x"), "m")
    assert {name: value for name, value in body.items() if name != "model"} == told


@pytest.mark.parametrize(
    ("target", "picture", "param"),
    [
        (midjourney.PICTURE_TARGET, Picture(), "prompt"),
        (midjourney.PICTURE_TARGET, Picture(prompt="x", negative_prompt="y --v 1"), "negative_prompt"),
        (midjourney.PICTURE_TARGET, Picture(prompt="x", ratio=(16, 1)), "ratio"),
        (midjourney.PICTURE_TARGET, Picture(prompt="x", count=2), "count"),
        (luma.PICTURE_TARGET, Picture(), "prompt"),
        (luma.PICTURE_TARGET, Picture(prompt="x", image=FIRST), "image"),
        (luma.PICTURE_TARGET, Picture(prompt="x", negative_prompt="y"), "negative_prompt"),
        (luma.PICTURE_TARGET, Picture(prompt="x", ratio=(10, 1)), "ratio"),
        (runway.PICTURE_TARGET, Picture(), "prompt"),
        (runway.PICTURE_TARGET, Picture(prompt="x", ratio=(10, 1)), "ratio"),
    ],
)
def test_what_a_vendor_of_pictures_cannot_be_told(target: Target[Picture], picture: Picture, param: str) -> None:
    with pytest.raises(Failure) as refused:
        target.write(picture, "m")
    assert (refused.value.kind, refused.value.param) == (Reason.INVALID, param)
