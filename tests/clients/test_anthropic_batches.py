"""Batches of messages, and containers, by Anthropic's Python SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from tests.operator import paid, rows
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.http import call
from tests.support.until import until

MODEL = "claude-haiku-4-5"
ANN = "sk-live-ann-00000000000000000000000001"
BOB = "sk-live-bob-00000000000000000000000002"
TOML = """
[[channels]]
name = "near"
protocol = "anthropic"
base_url = "{near}/anthropic"
credential = "sk-upstream-near-000000000000"
models = ["claude-haiku-4-5", "house-model"]
model_map = {{ "house-model" = "claude-sonnet-4-5" }}

[[channels]]
name = "far"
protocol = "anthropic"
base_url = "{far}/anthropic"
credential = "sk-upstream-far-0000000000000"
models = ["claude-haiku-4-5", "claude-haiku-5-5"]

[prices."house-model"]
per_million = {{ input = "2", output = "8" }}
"""
NARROW = "sk-live-ann-narrow-0000000000000000004"
PEOPLE = (
    f'[[tokens]]\nname = "narrow"\nkey = "{NARROW}"\naccount = "ann"\nmodels = ["claude-haiku-4-5"]\n\n'
) + "".join(
    f'[[users]]\nname = "{name}"\npassword = "{name}-password"\ncredit = 50\n\n'
    f'[[tokens]]\nname = "{name}"\nkey = "{key}"\naccount = "{name}"\n\n'
    for name, key in (("ann", ANN), ("bob", BOB))
)
CODE: Any = {"type": "code_execution_20250825", "name": "code_execution"}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Anthropic]:
    with Anthropic(base_url=gateway.url, api_key=gateway.live, max_retries=0) as made:
        yield made


def asked(*said: str, model: str = MODEL, **more: Any) -> Any:
    return [
        {
            "custom_id": f"n{number}",
            "params": {
                "model": model,
                "max_tokens": 100,
                "messages": [{"role": "user", "content": text}],
                **more,
            },
        }
        for number, text in enumerate(said)
    ]


def ended(client: Anthropic, name: str) -> Any:
    return until(
        lambda: found if (found := client.messages.batches.retrieve(name)).processing_status == "ended" else None
    )


@pytest.mark.operation("anthropic.messages.batches.create", "anthropic.messages.batches.get")
@pytest.mark.operation("anthropic.messages.batches.list", "anthropic.messages.batches.results")
@pytest.mark.operation("anthropic.messages.batches.delete")
def test_batch(client: Anthropic, gateway: Gateway, sandbox: Sandbox) -> None:
    requests = [*asked("one", "two"), {**asked("three", max_tokens=0)[0], "custom_id": "bad"}]
    with sandbox.slowly():
        made = client.messages.batches.create(requests=requests)
        assert made.processing_status == "in_progress"
        assert made.request_counts.processing == 3
        (hold,) = rows(gateway, "SELECT amount FROM holds WHERE request_id = ?", made._request_id)
        assert hold["amount"] > 0
    done = ended(client, made.id)
    assert (done.request_counts.succeeded, done.request_counts.errored) == (2, 1)
    assert done.results_url == f"{gateway.url}/v1/messages/batches/{made.id}/results", "no key goes elsewhere"
    used: list[Any] = []
    for one in client.messages.batches.results(made.id):
        if one.result.type == "succeeded":
            used.append(one.result.message.usage)
        else:
            assert one.result.type == "errored"
            assert one.custom_id == "bad"
            assert one.result.error.error.type == "invalid_request_error"
    assert len(used) == 2
    row = paid(gateway, made._request_id)
    assert row["basis"] == "vendor"
    assert row["consumed"]["input"] == sum(usage.input_tokens for usage in used)
    assert row["consumed"]["output"] == sum(usage.output_tokens for usage in used)
    # Half of $1 and $5 per million tokens.
    assert row["cost"] == row["consumed"]["input"] * 500 + row["consumed"]["output"] * 2500
    listed = client.messages.batches.list(limit=1)
    assert listed.data[0].id == made.id
    assert listed.data[0].results_url == done.results_url
    assert client.messages.batches.delete(made.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(made.id)


@pytest.mark.operation("anthropic.messages.batches.list")
def test_lists_have_pages(client: Anthropic) -> None:
    made = [client.messages.batches.create(requests=asked(str(number))).id for number in range(3)]
    newest = made[::-1]
    assert [one.id for _, one in zip(newest, client.messages.batches.list(limit=2), strict=False)] == newest
    assert next(one.id for one in client.messages.batches.list(after_id=made[1], limit=1)) == made[0]
    before = client.messages.batches.list(before_id=made[1], limit=1)
    assert [one.id for one in before.data] == [made[2]]
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.list(limit=0)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.list(after_id="msgbatch_foreign")


@pytest.mark.operation("anthropic.messages.batches.cancel", "anthropic.messages.batches.delete")
def test_cancelled_batch(client: Anthropic, gateway: Gateway, sandbox: Sandbox) -> None:
    with sandbox.slowly():
        made = client.messages.batches.create(requests=asked("one"))
        with pytest.raises(anthropic.ConflictError):
            client.messages.batches.delete(made.id)
        assert client.messages.batches.cancel(made.id).processing_status == "canceling"
    assert ended(client, made.id).request_counts.canceled == 1
    assert client.messages.batches.delete(made.id).id == made.id, "what it used is asked for before it is gone"
    assert paid(gateway, made._request_id)["cost"] == 0


def test_what_is_deleted_is_paid_for(client: Anthropic, gateway: Gateway) -> None:
    made = client.messages.batches.create(requests=asked("one"))
    ended(client, made.id)
    client.messages.batches.delete(made.id)
    (task,) = rows(gateway, "SELECT finished_at, cost FROM tasks WHERE request_id = ?", made._request_id)
    assert task["finished_at"]
    assert task["cost"] > 0


def test_batches_that_are_refused(client: Anthropic, gateway: Gateway, sandbox: Sandbox) -> None:
    before = rows(gateway, "SELECT count(*) AS n FROM tasks")
    good = asked("one")
    for bad in ([], asked("x") + asked("y", model="claude-opus-4-5"), [{"custom_id": "a"}], [*good, *good]):
        with pytest.raises(anthropic.BadRequestError):
            client.messages.batches.create(requests=bad)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.create(requests=asked("one", model="no-such-model"))
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.create(requests=asked("one", container="container_foreign"))
    assert rows(gateway, "SELECT count(*) AS n FROM tasks") == before
    with sandbox.slowly():
        made = client.messages.batches.create(requests=good)
        with pytest.raises(anthropic.AnthropicError, match="results_url"):
            client.messages.batches.results(made.id)


# Two upstreams, two callers ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    far = Sandbox().start()
    data = Path(tmp_path_factory.mktemp("batches"))
    (data / "deeepai.toml").write_text(TOML.format(near=sandbox.url, far=far.url) + PEOPLE)
    gateway = Gateway(data, sandbox).start()
    coverage_results.watch(gateway.url)
    yield gateway
    gateway.stop()
    far.stop()


@pytest.fixture
def ann(house: Gateway) -> Iterator[Anthropic]:
    with Anthropic(base_url=house.url, api_key=ANN, max_retries=0) as made:
        yield made


@pytest.fixture
def bob(house: Gateway) -> Iterator[Anthropic]:
    with Anthropic(base_url=house.url, api_key=BOB, max_retries=0) as made:
        yield made


def test_batches_live_where_they_were_made(house: Gateway, ann: Anthropic, bob: Anthropic) -> None:
    made = [ann.messages.batches.create(requests=asked(str(number))).id for number in range(8)]
    homes = {one["channel_id"] for one in rows(house, "SELECT channel_id FROM objects WHERE kind = 'message_batch'")}
    assert len(homes) == 2, "they are spread"
    for name in made:
        assert [one.custom_id for one in ann.messages.batches.results(ended(ann, name).id)] == ["n0"]
        for touch in (bob.messages.batches.retrieve, bob.messages.batches.cancel, bob.messages.batches.delete):
            with pytest.raises(anthropic.NotFoundError):
                touch(name)
    assert not bob.messages.batches.list().data
    found = call(house, "GET", f"/v1/messages/batches/{made[0]}/results", None, BOB)
    assert found.status == 404


def test_a_model_goes_by_its_upstream_name(house: Gateway, ann: Anthropic) -> None:
    made = ann.messages.batches.create(requests=asked("one", model="house-model", metadata={"user_id": "u"}))
    ended(ann, made.id)
    (result,) = ann.messages.batches.results(made.id)
    assert result.result.type == "succeeded"
    assert result.result.message.model == "claude-sonnet-4-5"
    row = paid(house, made._request_id)
    assert row["model"] == "house-model"
    assert row["cost"] == row["consumed"]["input"] * 1000 + row["consumed"]["output"] * 4000
    assert house.sandbox is not None
    sent = [
        item["params"]
        for one in house.sandbox.requests()
        if one["path"].endswith("/batches") and one["method"] == "POST"
        for item in one["body"].get("requests", ())
        if item["params"].get("model") == "claude-sonnet-4-5"
    ]
    assert any(one.get("metadata") == {"user_id": "u"} for one in sent)


def test_each_message_of_a_batch_has_its_own_tier(house: Gateway, ann: Anthropic) -> None:
    short = "word " * 30_000
    made = ann.messages.batches.create(requests=asked(short, short, short, short, model="claude-haiku-5-5"))
    ended(ann, made.id)
    row = paid(house, made._request_id)
    assert row["consumed"]["input"] > 100_000, "together they are above the tier's bound"
    assert row["cost"] == row["consumed"]["input"] * 50 + row["consumed"]["output"] * 250


@pytest.mark.operation("anthropic.messages")
def test_containers_live_where_they_were_made(house: Gateway, ann: Anthropic, bob: Anthropic) -> None:
    words: Any = [{"role": "user", "content": "[tool] add one and one"}]
    for number in range(6):
        if number % 2:
            with ann.messages.stream(model=MODEL, max_tokens=200, messages=words, tools=[CODE]) as stream:
                message = stream.get_final_message()
        else:
            message = ann.messages.create(model=MODEL, max_tokens=200, messages=words, tools=[CODE])
        assert message.container is not None
        name = message.container.id
        assert "code_execution_tool_result" in [block.type for block in message.content]
        for _ in range(2):
            again = ann.messages.create(model=MODEL, max_tokens=200, messages=words, tools=[CODE], container=name)
            assert again.container is not None
            assert again.container.id == name
        with pytest.raises(anthropic.NotFoundError):
            bob.messages.create(model=MODEL, max_tokens=200, messages=words, tools=[CODE], container={"id": name})

    def spread() -> bool:
        ann.messages.create(model=MODEL, max_tokens=200, messages=words, tools=[CODE])
        return len(rows(house, "SELECT DISTINCT channel_id FROM objects WHERE kind = 'container'")) == 2

    until(spread)


def test_a_token_s_models_bound_advisors_and_fallbacks_too(house: Gateway) -> None:
    with Anthropic(base_url=house.url, api_key=NARROW, max_retries=0) as narrow:
        more: list[Any] = [
            {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-haiku-5-5"}]},
            {"extra_body": {"fallbacks": [{"model": "claude-haiku-5-5"}]}},
        ]
        hello: Any = [{"role": "user", "content": "Hi"}]
        assert narrow.messages.create(model=MODEL, max_tokens=9, messages=hello).content
        for one in more:
            with pytest.raises((anthropic.PermissionDeniedError, anthropic.NotFoundError)):
                narrow.messages.create(model=MODEL, max_tokens=9, messages=hello, **one)
        with pytest.raises((anthropic.PermissionDeniedError, anthropic.NotFoundError)):
            narrow.messages.batches.create(requests=asked("one", **more[0]))
