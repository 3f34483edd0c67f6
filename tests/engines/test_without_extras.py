"""The program without the libraries of slides and pictures: it serves what it can, and says what else is wanted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from tests.engines.conftest import program
from tests.support.until import PATIENCE

ABSENT = """
import sys
NAMES = {
    "pptx", "lxml", "docx", "openpyxl", "pypdf", "pypdfium2", "mistune", "bs4", "defusedxml", "fontTools", "reportlab",
    "numpy", "cv2", "ncnn", "onnxruntime", "rapidocr", "pypatchmatch", "segno", "zxingcpp", "oxipng",
    "mozjpeg_lossless_optimization", "noto_cjk_sans_otc",
}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.partition(".")[0] in NAMES else found(name, package)
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("without")
    (folder / "sitecustomize.py").write_text(ABSENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        with program(folder / "packs") as url:
            yield url


def test_it_starts(bare: str) -> None:
    assert requests.get(f"{bare}/healthz", timeout=PATIENCE).json()["status"] == "ok"


@pytest.mark.parametrize(
    ("path", "extra", "message"),
    [
        ("docmee/api/ppt/generateOutline", "slides", "message"),
        ("weinike/apps/ppt-structure", "slides", "msg"),
        ("picwish/api/tasks/visual/scale", "images", "message"),
        ("mewx/api/v1/images/generate", "images", "msg"),
    ],
)
def test_what_is_wanted_is_said_in_the_vendors_shape(bare: str, path: str, extra: str, message: str) -> None:
    answer = requests.post(f"{bare}/{path}", json={"subject": "tea", "title": "tea"}, timeout=PATIENCE)
    assert answer.status_code == 503
    assert f"pip install 'deeepai[{extra}]'" in answer.json()[message]


def test_the_program_brings_no_library_of_slides_or_pictures_along() -> None:
    """They belong to the jobs' processes: here they would cost each start a second, and memory for good."""
    look = "import sys, deeepai.engines.app; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True).stdout
    assert {"msgspec", "aiohttp"} <= set(eval(loaded))
    assert not {"pptx", "lxml", "numpy", "cv2", "PIL", "mistune", "docx", "rapidocr"} & set(eval(loaded))
