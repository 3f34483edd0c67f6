from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox, channels
from tests.wire.people import PEOPLE

MAX_BODY = 256 * 1024


@pytest.fixture(scope="session")
def wire(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with many sorts of callers, a small limit on bodies, and no private network allowed for callbacks."""
    env = {"DEEEPAI_MAX_BODY": str(MAX_BODY), "DEEEPAI_ALLOW_PRIVATE_CALLBACKS": ""}
    test_mode = channels(sandbox.url).replace('name = "', 'mode = "test"\nname = "test-')
    made = Gateway(Path(tmp_path_factory.mktemp("wire")), sandbox, env=env, toml=test_mode + PEOPLE).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()
