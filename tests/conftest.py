from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Gateway, Sandbox

pytest_plugins = ["tests.plugins.coverage_results"]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    started = Sandbox().start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def gateway(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all tests that leave it as they found it."""
    from tests.plugins import coverage_results

    started = Gateway(Path(tmp_path_factory.mktemp("gateway")), sandbox).start()
    coverage_results.watch(started.url)
    yield started
    started.stop()
