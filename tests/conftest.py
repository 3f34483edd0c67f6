from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from random_order.config import Config as RandomOrder

from deeepai.engines import install
from tests.stack import Gateway, Sandbox

pytest_plugins = ["tests.plugins.coverage_results", "tests.plugins.tidiness"]

# Of this checkout alone: what is in the user's cache, neither helps a run nor is touched by it.
PACKS = Path(__file__).parents[1] / ".cache" / "packs"
os.environ["DEEEPAI_PACKS"] = str(PACKS)

_LONGEST = (
    "tests/clients/test_go.py",
    "tests/clients/test_rust.py",
    "tests/clients/test_java.py",
    "tests/clients/test_frameworks.py",
    "tests/chaos/",
    "tests/engines/",
    "tests/control/test_supervisor.py",
    "tests/wire/test_openapi_fuzz.py",
    "tests/clients/test_llamaindex.py",
    "tests/clients/test_proxies.py",
    "tests/wire/test_disconnects.py",
    "tests/spoiled/",
    "tests/drill/",
    "tests/security/test_cluster.py",
    "tests/security/test_disk.py",
    "tests/security/test_connections.py",
    "tests/security/test_holds.py",
    "tests/fuzz/",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left alone with one at the end."""
    if not RandomOrder(config).is_enabled:
        items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how an order by chance can be had again."""
    if RandomOrder(config).is_enabled:
        terminalreporter.write_line(f"--random-order-seed={RandomOrder(config).seed}")


@pytest.fixture(scope="session")
def packs() -> Path:
    """Folder of packs, with that of the small chat model in it; what else it holds is not said."""
    install("smollm2-135m", PACKS)
    return PACKS


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
