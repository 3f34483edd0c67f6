"""The networks of the image tools, loaded at the first use in the process that does the jobs; one thread each."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jobs import Refusal
from ..packs.pack import Pack


def require(pack: Pack, folder: Path) -> Path:
    """Return where a pack's file lies.

    Raises
    ------
    Refusal
        `not_installed`, with the command that installs it.
    """
    if not pack.installed(folder):
        message = (
            f"This tool needs weights that are not installed. Install them with: deeepai engines install {pack.name}"
        )
        raise Refusal("not_installed", message)
    return pack.path(folder)


@cache
def onnx(path: Path) -> Any:
    """Return an onnxruntime session."""
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Planned ahead, memory is no faster here, and half as much again.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Scaler:
    """A Real-ESRGAN network that makes a picture four times as large, run by ncnn.

    Parameters
    ----------
    folder : Path
        Where `NAME.param` and `NAME.bin` lie.
    """

    FACTOR = 4

    def __init__(self, folder: Path, name: str) -> None:
        self._ncnn: Any = importlib.import_module("ncnn")
        net = self._ncnn.Net()
        net.opt.use_vulkan_compute = False
        net.opt.num_threads = 1
        # Layers' outputs are freed as soon as nothing needs them.
        net.opt.lightmode = True
        for load, end in ((net.load_param, "param"), (net.load_model, "bin")):
            if load(str(folder / f"{name}.{end}")):
                raise RuntimeError(f"{name}.{end} cannot be loaded")
        self._net = net

    def __call__(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Return samples of shape (4 height, 4 width, 3) for such of (height, width, 3)."""
        ncnn = self._ncnn
        height, width = samples.shape[:2]
        # `from_pixels` knows nothing of strides.
        given = ncnn.Mat.from_pixels(np.ascontiguousarray(samples), ncnn.Mat.PixelType.PIXEL_RGB, width, height)
        given.substract_mean_normalize([], [1 / 255] * 3)
        extractor = self._net.create_extractor()
        extractor.input("data", given)
        failed, made = extractor.extract("output")
        if failed:
            raise RuntimeError("the network failed")
        values = np.array(made).transpose(1, 2, 0)
        return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)


@cache
def scaler(folder: Path, name: str) -> Scaler:
    """Return a network that scales; loaded once."""
    return Scaler(folder, name)
