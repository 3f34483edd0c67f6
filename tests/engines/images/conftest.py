"""The image tools, done in this process; their weights are installed once in a checkout."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deeepai.engines import install
from deeepai.engines.images import module
from deeepai.engines.jobs import Work


@dataclass(frozen=True)
class Done:
    """What a tool returned, and the folder of what it made."""

    result: dict[str, Any]
    folder: Path
    progress: list[int]

    def __getitem__(self, key: str) -> Any:
        return self.result[key]

    def image(self, key: str = "image") -> Image.Image:
        with Image.open(self.folder / self.result[key]) as image:
            image.load()
            return image

    def samples(self, key: str = "image") -> np.ndarray[Any, Any]:
        return np.asarray(self.image(key))


Do = Callable[..., Done]


@pytest.fixture(scope="session")
def image_packs(packs: Path) -> Path:
    for pack in ("u2netp", "real-esrgan"):
        install(pack, packs)
    return packs


def png(picture: Any) -> bytes:
    out = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(out, "PNG", compress_level=1)
    return out.getvalue()


@pytest.fixture
def do(tmp_path: Path, image_packs: Path) -> Do:
    """Do a tool's job with a picture (bytes, samples or a path) and further files."""
    runs = 0

    def done(
        tool: str, picture: Any, request: dict[str, Any] | None = None, packs: Path | None = None, **files: Any
    ) -> Done:
        nonlocal runs
        runs += 1
        folder = tmp_path / f"job-{runs}"
        for name in ("in", "out"):
            (folder / name).mkdir(parents=True)
        for name, given in {"image": picture, **files}.items():
            data = given.read_bytes() if isinstance(given, Path) else given if isinstance(given, bytes) else png(given)
            (folder / "in" / name.replace("_", "-")).write_bytes(data)
        progress: list[int] = []
        work = Work(request or {}, folder, packs or image_packs, lambda share, fact: progress.append(share))
        return Done(importlib.import_module(module(tool)).run(work), folder / "out", progress)

    return done
