"""Clients are skipped where their toolchain is missing, and for no other reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients import test_go, test_java, test_rust

TOOLCHAINS = [
    (test_go.program, ("go",)),
    (test_rust.program, ("cargo",)),
    (test_java.program, ("java", "javac", "mvn")),
]


@pytest.mark.parametrize(("program", "commands"), TOOLCHAINS, ids=["go", "rust", "java"])
def test_what_is_installed_is_never_skipped(
    program: Callable[[], list[str]], commands: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for command in commands:
        with pytest.raises(pytest.skip.Exception, match=f"no `{command}` on the PATH"):
            program()
        broken = tmp_path / command
        broken.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
        broken.chmod(0o755)
    with pytest.raises(AssertionError, match="no network"):
        program()
