"""Colours for grey pictures: the light stays, the colours are likely ones, or what the operator's network says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from deeepai.engines.images import colorization
from deeepai.engines.jobs import Refusal
from tests.engines.images import samples
from tests.engines.images.conftest import Do


def grey(name: str) -> Any:
    return cv2.cvtColor(samples.photo(name), cv2.COLOR_RGB2GRAY)


def chroma(picture: Any) -> Any:
    return cv2.cvtColor(np.ascontiguousarray(picture).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 1:]


def test_the_light_stays_as_it_was(do: Do) -> None:
    picture = grey("camera.png")
    done = do("colorization", picture, {"format": "png"})
    assert done["engine"] == "heuristic"
    made = cv2.cvtColor(np.ascontiguousarray(done.samples()), cv2.COLOR_RGB2GRAY)
    assert np.abs(made.astype(int) - picture).mean() < 6
    assert np.hypot(*np.moveaxis(chroma(done.samples()), 2, 0)).mean() > 5


def test_sky_is_blue_and_lawn_is_green(do: Do) -> None:
    colours = chroma(do("colorization", grey("camera.png"), {"format": "png"}).samples())
    sky, lawn = (
        colours[20:80, 350:500].reshape(-1, 2).mean(axis=0),
        colours[440:500, 430:500].reshape(-1, 2).mean(axis=0),
    )
    assert sky[1] < -12
    assert lawn[0] < -3
    assert lawn[1] > 8


def test_a_face_has_the_colour_of_skin(do: Do) -> None:
    colours = chroma(do("colorization", grey("astronaut.png"), {"format": "png"}).samples())
    skin = colours[110:150, 205:245].reshape(-1, 2).mean(axis=0)
    assert skin[0] > 6
    assert skin[1] > 8


@pytest.mark.parametrize("form", ["jpg", "png", "webp"])
def test_formats(do: Do, form: str) -> None:
    done = do("colorization", grey("chelsea.png"), {"format": form})
    assert done["image"] == f"image.{form}"
    assert done.image().size == (451, 300)


def network(path: Path, channels: int, unit: bool) -> None:
    """Write a network whose a grows with the light, and whose b is always the same."""
    # L is 0 to 100, of the three it is the mean, 0 to 1; units are of 110.
    slope = (1.0 if channels == 3 else 0.01) * (1 if unit else 110) * 0.4
    weights = np.zeros((2, channels, 1, 1), np.float32)
    weights[0] = slope / channels
    bias = np.array([0, -0.2 * (1 if unit else 110)], np.float32)
    shape = [1, channels, 32, 32]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["light", "weights", "bias"], ["ab"])],
        "colours",
        [helper.make_tensor_value_info("light", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("ab", TensorProto.FLOAT, [1, 2, 32, 32])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel()),
            helper.make_tensor("bias", TensorProto.FLOAT, bias.shape, bias),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9), path)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("unit", [True, False])
def test_the_operators_network_is_asked(
    do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, unit: bool
) -> None:
    path = tmp_path / f"{channels}-{unit}.onnx"
    network(path, channels, unit)
    monkeypatch.setenv(colorization.SETTING, str(path))
    ramp = np.tile(np.linspace(60, 190, 256).astype(np.uint8), (64, 1))
    done = do("colorization", ramp, {"format": "png"})
    colours = chroma(done.samples())
    assert done["engine"] == "onnx"
    assert np.abs(colours[..., 1] + 22).mean() < 3
    left, right = colours[:, 20:40, 0].mean(), colours[:, 210:230, 0].mean()
    assert 9 < right - left < 26


def test_a_network_that_is_not_there_is_told(do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(colorization.SETTING, "/nowhere.onnx")
    with pytest.raises(Refusal) as refusal:
        do("colorization", grey("camera.png"))
    assert refusal.value.code == "not_installed"
