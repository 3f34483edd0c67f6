from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox, channels
from tests.support.until import PATIENCE
from tests.wire.calls import ALL
from tests.wire.people import PEOPLE

MAX_BODY = 256 * 1024
THEIRS = "-theirs"
"""Ends the ids of objects that are somebody else's."""


def own_objects(gateway: Gateway) -> None:
    """Give the victim all objects that good requests name, and somebody else others of like names."""
    with closing(sqlite3.connect(gateway.data / "deeepai.db", timeout=PATIENCE)) as database, database:
        for good in ALL:
            for name in good.objects:
                for token, suffix in (("victim", ""), ("other", THEIRS)):
                    database.execute(
                        "INSERT OR IGNORE INTO objects "
                        "(account_id, protocol, id, kind, channel_id, token_id, facts, created_at) "
                        "SELECT t.account_id, c.protocol, ?, 'any', c.id, t.id, '{}', 0 "
                        "FROM tokens t, channels c WHERE t.name = ? AND c.name = ?",
                        (name + suffix, token, good.protocol.name),
                    )


@pytest.fixture(scope="session")
def wire(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with many sorts of callers, a small limit on bodies, and no private network allowed for callbacks."""
    most = str(MAX_BODY)
    env = {"DEEEPAI_MAX_BODY": most, "DEEEPAI_MAX_UPLOAD": most, "DEEEPAI_ALLOW_PRIVATE_CALLBACKS": ""}
    test_mode = channels(sandbox.url).replace('name = "', 'mode = "test"\nname = "test-')
    reranker = (
        f'[[channels]]\nname = "reranker"\nprotocol = "openai"\nbase_url = "{sandbox.url}/openai/v1"\n'
        'credential = "sk-upstream"\nmodels = ["jina-*"]\n\n'
    )
    toml = test_mode + reranker + PEOPLE
    made = Gateway(Path(tmp_path_factory.mktemp("wire")), sandbox, env=env, toml=toml).start()
    coverage_results.watch(made.url)
    own_objects(made)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def slow_vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose vendors take their time; its ledger is proved in the end."""
    vendors = Sandbox(speed=20).start()
    made = Gateway(Path(tmp_path_factory.mktemp("slow")), vendors).start()
    yield made
    proof = made.cli("ledger", "verify")
    made.stop()
    vendors.stop()
    assert proof.returncode == 0, proof.stdout
