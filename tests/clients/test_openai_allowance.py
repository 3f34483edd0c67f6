"""What a key may still spend, and the hint that a custom GPT's bare id gets, by OpenAI's Python SDK."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI

from tests.stack import Gateway

LIMIT = "/v1/dashboard/billing/subscription"


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


@pytest.mark.operation("openai.billing.subscription")
def test_spending_does_not_move_the_limit(client: OpenAI, gateway: Gateway) -> None:
    """The limit is what is left and what was spent together, though a node leases money for its calls."""
    before = gateway.get(LIMIT)["hard_limit_usd"]
    for number in range(3):
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": f"Number {number}"}])
        assert gateway.get(LIMIT)["hard_limit_usd"] == pytest.approx(before, abs=1e-9)


def test_a_bare_gpt_is_told_its_prefix(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="'gpt-4-gizmo-g-bo0FiWLY7-researchgpt'"):
        client.chat.completions.create(
            model="g-bo0FiWLY7-researchgpt", messages=[{"role": "user", "content": "Say this is a test!"}]
        )
    with pytest.raises(openai.NotFoundError) as other:
        client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "Hello"}])
    assert "gizmo" not in other.value.message
