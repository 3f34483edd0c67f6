"""Schemathesis over the gateway's own OpenAPI document: nothing breaks, and every answer is one that is documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from tests.operator import rows
from tests.stack import Gateway, Sandbox
from tests.support.until import PATIENCE, until
from tests.wire.people import PEOPLE, VICTIM

EXAMPLES = 4
"""Of each operation."""
PASSING = (501, 502, 503, 504)
"""What may be said of upstreams."""
FORBIDDEN = ("/api/logout", "/api/password")
"""What would end the session that the others need."""


@pytest.fixture(scope="module")
def fuzzed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of its own: what administers it, may break it."""
    env = {"DEEEPAI_ALLOW_PRIVATE_CALLBACKS": ""}
    made = Gateway(Path(tmp_path_factory.mktemp("fuzzed")), sandbox, env=env, toml=PEOPLE).start()
    yield made
    made.stop()


def session(gateway: Gateway) -> str:
    """Log in as the administrator."""
    body = {"name": "admin", "password": gateway.first_start()["admin_password"]}
    answer = requests.post(f"{gateway.url}/api/login", json=body, timeout=PATIENCE)
    assert answer.status_code < 300, answer.text
    return answer.json()["token"]


def operations(gateway: Gateway) -> list[Any]:
    schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    return [found.ok() for found in schema.get_all_operations()]


def faults(gateway: Gateway, found: list[Any], key: str) -> list[str]:
    """Return what is wrong with operations, a text each."""
    said: list[str] = []
    for item in found:
        try:
            fuzz(gateway, item, key)
        except (AssertionError, BaseExceptionGroup, requests.RequestException) as fault:
            said.append(f"{item.method.upper()} {item.path}: {fault}")
    return said


def fuzz(gateway: Gateway, operation: Any, key: str) -> None:
    """Send a few requests as the document describes them; a missing answer or an undocumented one fails."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def one(case: schemathesis.Case) -> None:
        headers = {"authorization": f"Bearer {key}"}
        answer = case.call(base_url=gateway.url, headers=headers, timeout=PATIENCE)
        checks = [status_code_conformance, content_type_conformance]
        if answer.status_code not in PASSING:
            checks.append(not_a_server_error)
        case.validate_response(answer, checks=checks)

    one()


def test_the_interfaces(fuzzed: Gateway) -> None:
    found = [item for item in operations(fuzzed) if not item.path.startswith("/api/")]
    assert len(found) > 40
    assert not (said := faults(fuzzed, found, VICTIM)), "\n\n".join(said)
    assert requests.get(f"{fuzzed.url}/readyz", timeout=PATIENCE).status_code == 200
    until(lambda: not rows(fuzzed, "SELECT 1 FROM tasks WHERE state = 'submitting'"))
    proof = fuzzed.cli("ledger", "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr


def test_the_control_interface(fuzzed: Gateway) -> None:
    key = session(fuzzed)
    found = [item for item in operations(fuzzed) if item.path.startswith("/api/") and item.path not in FORBIDDEN]
    assert len(found) > 30
    assert not (said := faults(fuzzed, found, key)), "\n\n".join(said)
    assert requests.get(f"{fuzzed.url}/readyz", timeout=PATIENCE).status_code == 200
    proof = fuzzed.cli("ledger", "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
