"""The README's own lines of Python, as a newcomer copies them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.stack import Gateway

ROOT: Final = Path(__file__).parents[2]
BLOCKS: Final = [
    pytest.param(code, id=str(number))
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))
]


@pytest.mark.parametrize("code", BLOCKS)
def test_what_the_readme_shows_runs(gateway: Gateway, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "http://127.0.0.1:8100" in code
    exec(code.replace("http://127.0.0.1:8100", gateway.url), {"TOKEN": gateway.live})
    assert "print(" not in code or capsys.readouterr().out.strip()
