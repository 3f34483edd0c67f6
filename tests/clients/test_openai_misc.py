"""What relays serve beside OpenAI's own: custom GPTs, chat that draws, and what a key may spend."""

from __future__ import annotations

import datetime
import io
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from PIL import Image

from tests.operator import rows, usage_row
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.until import PATIENCE, until

GPT = "gpt-4-gizmo-g-bo0FiWLY7-researchgpt"
LINK = re.compile(r"!\[[^\]]*\]\((https?://[^)\s]+)\)")


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


def asking(text: str) -> Any:
    return [{"role": "user", "content": text}]


def row_of(gateway: Gateway, raw: Any) -> dict[str, Any]:
    return usage_row(gateway, raw.headers["x-request-id"])


# Custom GPTs -------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.chat.completions")
def test_a_custom_gpt_costs_so_much_a_call(client: OpenAI, gateway: Gateway) -> None:
    raw = client.chat.completions.with_raw_response.create(model=GPT, messages=asking("Find me a paper"))
    assert raw.parse().choices[0].message.content
    row = row_of(gateway, raw)
    assert (row["model"], row["cost"], row["consumed"]["calls"]) == (GPT, 100_000_000, 1)
    longer = client.chat.completions.with_raw_response.create(model=GPT, messages=asking("word " * 4000))
    assert row_of(gateway, longer)["cost"] == 100_000_000
    by_tokens = client.chat.completions.with_raw_response.create(
        model="gpt-4o-gizmo-g-bo0FiWLY7", messages=asking("Find me a paper")
    )
    usage = by_tokens.parse().usage
    assert usage is not None
    assert row_of(gateway, by_tokens)["cost"] == usage.prompt_tokens * 5000 + usage.completion_tokens * 20_000


@pytest.mark.operation("openai.chat.completions")
@pytest.mark.parametrize("trigger", ["", "[sandbox:no-usage]"])
def test_a_custom_gpt_streams(client: OpenAI, gateway: Gateway, trigger: str) -> None:
    stream = client.chat.completions.create(model=GPT, messages=asking(f"Hello {trigger}"), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    row = usage_row(gateway, stream.response.headers["x-request-id"])
    assert (row["cost"], row["basis"]) == (100_000_000, "counted" if trigger else "vendor")


def test_a_gpt_that_does_not_exist(client: OpenAI, gateway: Gateway) -> None:
    for model in ("gpt-4-gizmo-nothing", "g-bo0FiWLY7"):
        with pytest.raises(openai.NotFoundError) as fault:
            client.chat.completions.create(model=model, messages=asking("Hello"))
        assert fault.value.code == "model_not_found"
        request_id = fault.value.response.headers["x-request-id"]
        assert not rows(gateway, "SELECT 1 FROM usage WHERE request_id = ? AND cost > 0", request_id)


# Chat that draws ---------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.chat.completions")
def test_pictures_in_an_answer_stay(client: OpenAI, gateway: Gateway) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4-all", messages=asking("画一只猫"))
    completion = raw.parse()
    content = completion.choices[0].message.content or ""
    (link,) = LINK.findall(content)
    assert link.startswith(gateway.url)
    assert f"[下载⏬]({link})" in content
    assert "> 进度 **34%**" in content
    with urllib.request.urlopen(link, timeout=PATIENCE) as answer:
        assert Image.open(io.BytesIO(answer.read())).size == (1024, 1024)
    assert completion.usage is not None
    cost = completion.usage.prompt_tokens * 30_000 + completion.usage.completion_tokens * 60_000
    assert row_of(gateway, raw)["cost"] == cost


@pytest.mark.operation("openai.chat.completions")
def test_a_picture_that_is_gone_keeps_its_address(client: OpenAI, gateway: Gateway) -> None:
    completion = client.chat.completions.create(model="gpt-4-all", messages=asking("a cat [sandbox:expire-url]"))
    (link,) = LINK.findall(completion.choices[0].message.content or "")
    assert gateway.sandbox is not None
    assert link.startswith(gateway.sandbox.url)


@pytest.mark.operation("openai.chat.completions")
def test_in_a_stream_pictures_keep_the_vendor_s_address(client: OpenAI, gateway: Gateway) -> None:
    stream = client.chat.completions.create(model="gpt-4-all", messages=asking("a cat"), stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    (link,) = LINK.findall("".join(pieces))
    assert gateway.sandbox is not None
    assert link.startswith(gateway.sandbox.url)
    assert usage_row(gateway, stream.response.headers["x-request-id"])["cost"] > 0


@pytest.mark.operation("openai.chat.completions")
def test_links_of_other_models_are_left_alone(client: OpenAI, gateway: Gateway) -> None:
    assert gateway.sandbox is not None
    said = f"![x]({gateway.sandbox.url}/files/none.png)"
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=asking(said))
    assert said in (raw.parse().choices[0].message.content or "")
    assert not rows(gateway, "SELECT 1 FROM assets WHERE task_id = ?", raw.headers["x-request-id"])


@pytest.fixture(scope="module")
def renaming(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose operator gave models other names."""
    toml = (
        f'[[channels]]\nname = "atelier"\nprotocol = "openai"\nbase_url = "{sandbox.url}/openai/v1"\npriority = 10\n'
        'credential = "sk-upstream"\nmodels = ["gpt-4"]\nmodel_map = { gpt-4 = "gpt-4-all" }\n\n'
        '[[aliases]]\nname = "house-artist"\ntarget = "gpt-4-all"\n\n'
        '[[aliases]]\nname = "sora_image"\ntarget = "gpt-4o-mini"\n'
    )
    made = Gateway(tmp_path_factory.mktemp("renaming"), sandbox, toml=toml).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()


@pytest.mark.operation("openai.chat.completions")
@pytest.mark.parametrize("name", ["house-artist", "gpt-4"])
def test_pictures_stay_whatever_the_operator_calls_the_model(renaming: Gateway, name: str) -> None:
    with OpenAI(base_url=f"{renaming.url}/v1", api_key=renaming.live, max_retries=0) as client:
        completion = client.chat.completions.create(model=name, messages=asking("a cat"))
    (link,) = LINK.findall(completion.choices[0].message.content or "")
    assert link.startswith(renaming.url)


@pytest.mark.operation("openai.chat.completions")
def test_a_name_alone_draws_nothing(renaming: Gateway) -> None:
    assert renaming.sandbox is not None
    said = f"![x]({renaming.sandbox.url}/healthz)"
    with OpenAI(base_url=f"{renaming.url}/v1", api_key=renaming.live, max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(model="sora_image", messages=asking(said))
    assert said in (raw.parse().choices[0].message.content or "")
    assert not rows(renaming, "SELECT 1 FROM assets WHERE task_id = ?", raw.headers["x-request-id"])


# What a key may spend ----------------------------------------------------------------------------------------------


def ask(gateway: Gateway, path: str, key: str) -> Any:
    request = urllib.request.Request(gateway.url + path, headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def new_key(gateway: Gateway, *words: str) -> str:
    made = gateway.cli("tokens", "add", f"spender-{time.time_ns()}", *words, "--json")
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)["key"]


def spend(gateway: Gateway, key: str) -> int:
    """Spend a little with a key; return what it cost, in 10⁻⁹ USD, once the ledger has it."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as own:
        raw = own.chat.completions.with_raw_response.create(model=GPT, messages=asking("Hello"))
    cost = row_of(gateway, raw)["cost"]
    assert cost == 100_000_000
    return cost


@pytest.mark.operation("openai.billing.subscription", "openai.billing.usage", "openai.billing.token")
def test_a_key_with_a_budget(gateway: Gateway) -> None:
    key = new_key(gateway, "--budget", "2.5", "--models", "gpt-4-gizmo-*,gpt-4o", "--expires", "2036-01-01")
    fresh = ask(gateway, "/v1/dashboard/billing/subscription", key)
    assert fresh["object"] == "billing_subscription"
    assert (fresh["hard_limit_usd"], fresh["soft_limit_usd"], fresh["system_hard_limit_usd"]) == (2.5, 2.5, 2.5)
    assert fresh["access_until"] == 2_082_758_400
    assert ask(gateway, "/v1/dashboard/billing/usage", key) == {"object": "list", "total_usage": 0}
    spend(gateway, key)
    spend(gateway, key)
    until(lambda: ask(gateway, "/dashboard/billing/usage", key)["total_usage"] == 20)
    assert ask(gateway, "/dashboard/billing/subscription", key)["hard_limit_usd"] == 2.5
    today = datetime.datetime.now(datetime.UTC).date()
    day = datetime.timedelta(days=1)
    for start, end, cents in (
        (today - day, today + day, 20),
        (today + day, today + 2 * day, 0),
        (today - 9 * day, today - 2 * day, 0),
        (None, today + day, 20),
        (today - day, None, 20),
    ):
        query = "&".join(f"{n}={v}" for n, v in (("start_date", start), ("end_date", end)) if v)
        found = ask(gateway, f"/v1/dashboard/billing/usage?{query}", key)
        assert found == {"object": "list", "total_usage": cents}, query
    for path in ("/api/usage/token", "/api/usage/token/"):
        found = ask(gateway, path, key)
        assert (found["code"], found["message"]) == (True, "ok")
        data = found["data"]
        assert data.pop("name").startswith("spender-")
        assert data == {
            "object": "token_usage",
            "total_granted": 1_250_000,
            "total_used": 100_000,
            "total_available": 1_150_000,
            "unlimited_quota": False,
            "model_limits": {"gpt-4-gizmo-*": True, "gpt-4o": True},
            "model_limits_enabled": True,
            "expires_at": 2_082_758_400,
        }


@pytest.mark.operation("openai.billing.subscription", "openai.billing.token")
def test_a_key_without_a_budget_may_spend_what_its_account_has(rich: Gateway) -> None:
    key = new_key(rich)
    spend(rich, key)

    def look() -> bool:
        return ask(rich, "/v1/dashboard/billing/usage", key)["total_usage"] == 10

    until(look)
    (account,) = rows(rich, "SELECT available FROM accounts ORDER BY created_at LIMIT 1")
    found = ask(rich, "/v1/dashboard/billing/subscription", key)
    remaining = found["hard_limit_usd"] - 0.1
    assert account["available"] / 1e9 - 1e-6 <= remaining <= 1_000_000
    data = ask(rich, "/api/usage/token", key)["data"]
    assert data["unlimited_quota"] is True
    assert data["model_limits_enabled"] is False
    assert data["expires_at"] == 0
    assert data["total_used"] == 50_000


@pytest.fixture(scope="module")
def rich(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of its own, whose account nobody else uses."""
    made = Gateway(tmp_path_factory.mktemp("rich"), sandbox).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()


def test_bad_dates_and_keys(gateway: Gateway) -> None:
    key = gateway.live
    for query in ("start_date=yesterday", "end_date=2026-13-01", "start_date=1&end_date=2"):
        with pytest.raises(urllib.error.HTTPError) as fault:
            ask(gateway, f"/v1/dashboard/billing/usage?{query}", key)
        assert fault.value.code == 400
        assert json.load(fault.value)["error"]["param"] in ("start_date", "end_date")
    extremes = "start_date=0001-01-01&end_date=9999-12-31"
    assert ask(gateway, f"/v1/dashboard/billing/usage?{extremes}", key)["object"] == "list"
    for path in ("/v1/dashboard/billing/usage", "/v1/dashboard/billing/subscription", "/api/usage/token"):
        with pytest.raises(urllib.error.HTTPError) as fault:
            ask(gateway, path, "sk-nobody-knows-this-one-0000")
        assert fault.value.code == 401
        assert json.load(fault.value)["error"]["code"] == "invalid_api_key"
