"""No account ends further below zero than the operator's bound, whatever its callers allow and however many call."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deeepai.declare import Usage
from deeepai.money.ledger import Hold, InsufficientFunds, Ledger
from deeepai.money.prices import PriceBook
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database
from deeepai.storage.ids import new_id
from tests.money.world import add_account, proved, rows, settle, settled, token
from tests.operator import rows as rows_of
from tests.servers import new_postgresql
from tests.stack import Gateway, Sandbox
from tests.support.http import Got, call, post
from tests.support.until import until

USD = 1_000_000_000
BOUND = USD
START = 1000


# The ledger ----------------------------------------------------------------------------------------------------------


def node(db: Database, name: str = "n", bound: int = 300, chunk: int = 100) -> Ledger:
    return Ledger(db, node=name, lease_chunk=chunk, debt_bound=bound)


async def hold(ledger: Ledger, amount: int, most: int, *, budgeted: bool = False) -> Hold:
    return await ledger.hold(new_id(), "a", "t", amount, budgeted=budgeted, most=most)


async def debts(db: Database) -> int:
    (row,) = await rows(
        db,
        "SELECT (SELECT COALESCE(SUM(debt), 0) FROM leases) + (SELECT COALESCE(SUM(debt), 0) FROM holds) AS debt",
    )
    return int(row["debt"])


async def test_what_a_call_may_cost_is_held_where_it_is_there(db: Database) -> None:
    await add_account(db, "a", START, {"t": None})
    ledger = node(db)
    held = await hold(ledger, 10, 700)
    assert (held.amount, held.debt) == (700, 0)
    await settled(ledger, held, 700)
    assert (await ledger.balance("a"))[2] == 700
    await proved(db)


async def test_what_is_not_there_counts_to_the_bound(db: Database) -> None:
    await add_account(db, "a", 100, {"t": None})
    ledger = node(db)
    held = await hold(ledger, 10, 250)
    assert (held.amount, held.debt) == (10, 240)
    with pytest.raises(InsufficientFunds):
        await hold(ledger, 10, 250)
    # Where there is more than the least, the bound need not bear all.
    second = await hold(ledger, 10, 70)
    assert (second.amount, second.debt) == (70, 0)
    third = await hold(ledger, 10, 80)
    assert (third.amount, third.debt) == (20, 60)
    for each, cost in ((held, 250), (second, 70), (third, 80)):
        await settled(ledger, each, cost)
    assert await ledger.balance("a") == (-300, 0, 400)
    await proved(db)


@pytest.mark.parametrize("end", ["settle", "cancel", "leave"])
async def test_a_possible_debt_ends_with_its_call(db: Database, end: str) -> None:
    await add_account(db, "a", 100, {"t": None})
    one, two = node(db, "one"), node(db, "two")
    if end == "leave":
        leaving = asyncio.ensure_future(hold(one, 10, 300))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    else:
        held = await hold(one, 10, 300)
        with pytest.raises(InsufficientFunds):
            await hold(two, 10, 300)
        if end == "settle":
            await settle(one, held, 5)
        else:
            one.cancel(held)
    # What a settled call leaves is there for other nodes at once.
    if end == "settle":
        assert (await hold(two, 10, 300)).debt == 290
    await one.close()
    await two.close()
    assert await debts(db) == (290 if end == "settle" else 0)


async def test_a_call_without_any_money_is_refused(db: Database) -> None:
    await add_account(db, "a", 5, {"t": None})
    with pytest.raises(InsufficientFunds):
        await hold(node(db), 6, 7)


async def test_a_budget_is_overdrawn_by_the_bound_at_most(db: Database) -> None:
    await add_account(db, "a", 100 * START, {"t": 100})
    ledger = node(db)
    held: list[Hold] = []
    for _ in range(20):
        try:
            held.append(await hold(ledger, 10, 200, budgeted=True))
        except InsufficientFunds:
            break
    assert held
    for each in held:
        await settled(ledger, each, 200)
    assert (await token(db))[1] <= 100 + 300
    await proved(db)


@pytest.mark.parametrize("covered", [True, False])
async def test_lasting_work_counts_as_well(db: Database, covered: bool) -> None:
    await add_account(db, "a", START if covered else 100, {"t": None})
    ledger = node(db)
    terms: dict[str, Any] = {"account_id": "a", "token_id": "t", "expires_at": 2**60}
    await db.write(lambda tx: ledger.open(tx, request_id="w", amount=20, most=250, **terms))
    (row,) = await rows(db, "SELECT amount, debt FROM holds")
    assert (row["amount"], row["debt"]) == ((250, 0) if covered else (20, 230))
    if not covered:
        with pytest.raises(InsufficientFunds):
            await hold(ledger, 10, 200)
    await db.write(lambda tx: ledger.charge(tx, "w", 250))
    assert await debts(db) == 0
    await proved(db)


calls = st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 120), st.integers(0, 500), st.floats(0, 1))


@dataclass
class World:
    """Two nodes, one account, and calls of which each costs what it may at most."""

    db: Database
    bound: int
    nodes: list[Ledger] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nodes = [node(self.db, f"n{each}", self.bound, chunk=70) for each in range(2)]

    async def one(self, number: int, at: int, budgeted: bool, amount: int, more: int, share: float) -> None:
        ledger, most = self.nodes[at], amount + more
        name = "b" if budgeted else "t"
        try:
            held = await ledger.hold(f"c{number}", "a", name, amount, budgeted=budgeted, most=most)
        except InsufficientFunds:
            return
        assert held.amount + held.debt >= most or not amount
        await asyncio.sleep(0)
        if share < 0.1:
            ledger.cancel(held)
        else:
            await settle(ledger, held, round(most * min(1.0, share * 1.5)) if amount else 0)


async def _never_below(url: str, bound: int, start: int, asked: list[tuple[int, bool, int, int, float]]) -> None:
    db = await open_database(url)
    try:
        await add_account(db, "a", start, {"t": None, "b": 200})
        world = World(db, bound)
        await asyncio.gather(*[world.one(number, *each) for number, each in enumerate(asked)])
        for ledger in world.nodes:
            await ledger.close()
        await proved(db)
        assert await debts(db) == 0
        available, held, _ = await world.nodes[0].balance("a")
        assert held == 0
        assert available >= -bound
        assert (await token(db, "b"))[1] <= 200 + bound
    finally:
        await db.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(bound=st.sampled_from([0, 50, 400]), start=st.integers(0, 600), asked=st.lists(calls, min_size=1, max_size=30))
def test_no_account_ends_below_the_bound(
    kind: str, bound: int, start: int, asked: list[tuple[int, bool, int, int, float]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/a.db" if kind == "sqlite" else asyncio.run(new_postgresql())
        asyncio.run(_never_below(url, bound, start, asked))


# What models give ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "limits"),
    [
        ("gpt-4o", (128_000, 16_384)),
        ("gpt-4o-2024-08-06", (128_000, 16_384)),
        ("claude-sonnet-4-5-20250929", (200_000, 64_000)),
        ("gemini-2.5-flash", (1_048_576, 65_536)),
        ("gpt-realtime-2099-01-01", (32_000, 4096)),
        ("nobody-knows-it", (131_072, 16_384)),
    ],
)
def test_the_price_book_knows_what_a_model_gives(key: str, limits: tuple[int, int]) -> None:
    assert PriceBook.shipped().limits(key) == limits


def test_the_operator_says_what_a_model_gives() -> None:
    book = PriceBook.shipped().overridden({"mine": {"per_million": {"output": "1"}, "max_output": 9, "max_input": 5}})
    most = book.most("mine", Usage(input=1, output=2, unlimited=3, unseen=1))
    assert (most.input, most.output) == (6, 29)
    spoken = book.most("mine", Usage(audio_out=2, unlimited=1))
    assert (spoken.output, spoken.audio_out) == (0, 11)


# Over the wire -------------------------------------------------------------------------------------------------------

_PRICE = 'per_million = { input = "1", output = "200" }\nmax_output = 2500\n'
_MODELS = ("gpt-4o", "gpt-5-mini", "gpt-3.5-turbo-instruct", "claude-haiku-4-5", "gemini-2.5-flash")
WORDS = "[sandbox:tokens=2400] [sandbox:slow=0.5] go on"
MESSAGES = [{"role": "user", "content": WORDS}]
CONTENTS = [{"role": "user", "parts": [{"text": WORDS}]}]

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": "gpt-4o", "messages": MESSAGES}),
    "chat-limited": ("/v1/chat/completions", {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 2400}),
    "chat-of-reasoning": (
        "/v1/chat/completions",
        {"model": "gpt-5-mini", "messages": MESSAGES, "max_completion_tokens": 2400},
    ),
    "chat-n": ("/v1/chat/completions", {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 800, "n": 3}),
    "chat-stream": ("/v1/chat/completions", {"model": "gpt-4o", "messages": MESSAGES, "stream": True}),
    "chat-fallbacks": (
        "/v1/chat/completions",
        {"model": "gpt-4o-mini", "models": ["gpt-4o"], "messages": MESSAGES},
    ),
    "completions": ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": WORDS, "max_tokens": 2400}),
    "completions-of-many": (
        "/v1/completions",
        {"model": "gpt-3.5-turbo-instruct", "prompt": [WORDS, WORDS], "max_tokens": 2400},
    ),
    "responses": ("/v1/responses", {"model": "gpt-4o", "input": WORDS}),
    "responses-limited": ("/v1/responses", {"model": "gpt-4o", "input": WORDS, "max_output_tokens": 2400}),
    "messages": ("/v1/messages", {"model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": 2400}),
    "messages-thinking": (
        "/v1/messages",
        {
            "model": "claude-haiku-4-5",
            "messages": MESSAGES,
            "max_tokens": 2400,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
        },
    ),
    "gemini": ("/v1beta/models/gemini-2.5-flash:generateContent", {"contents": CONTENTS}),
    "gemini-candidates": (
        "/v1beta/models/gemini-2.5-flash:generateContent",
        {"contents": CONTENTS, "generationConfig": {"maxOutputTokens": 2400, "candidateCount": 2}},
    ),
    "translated-to-anthropic": ("/v1/chat/completions", {"model": "claude-haiku-4-5", "messages": MESSAGES}),
    "translated-to-gemini": ("/v1/responses", {"model": "gemini-2.5-flash", "input": WORDS}),
    "translated-to-openai": ("/v1/messages", {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 2400}),
}


def key_of(name: str) -> str:
    return f"sk-live-{name}-0000000000000000"


def people(names: list[str]) -> str:
    return "".join(
        f'[[users]]\nname = "{name}"\npassword = "{name}-password-1"\ncredit = 1\n\n'
        f'[[tokens]]\nname = "{name}"\nkey = "{key_of(name)}"\naccount = "{name}"\n\n'
        for name in names
    )


@pytest.fixture(scope="module")
def gateway(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    prices = "".join(f'[prices."{model}"]\n{_PRICE}\n' for model in _MODELS)
    flags = ("--no-engines", "--no-sandbox", "--workers", "2")
    folder = Path(tmp_path_factory.mktemp("holds"))
    names = [*WAYS, "batch-anthropic", "batch-openai", "poor", "small"]
    started = Gateway(folder, sandbox, flags, toml=prices + people(names)).start()
    yield started
    started.stop()


def wallet(gateway: Gateway, name: str) -> dict[str, int]:
    def quiet() -> dict[str, int] | None:
        (row,) = rows_of(gateway, "SELECT available, held, spent FROM accounts WHERE name = ?", name)
        return row if row["held"] == 0 else None

    return until(quiet)


@pytest.mark.parametrize("way", WAYS)
def test_many_calls_at_once_end_within_the_bound(gateway: Gateway, way: str) -> None:
    path, body = WAYS[way]
    with ThreadPoolExecutor(24) as pool:
        answers: list[Got] = list(pool.map(lambda _: post(gateway, path, body, key_of(way)), range(40)))
    statuses = [answer.status for answer in answers]
    assert 200 in statuses, answers[0].body
    refused = [status for status in statuses if status != 200]
    assert refused
    assert not [status for status in refused if status not in (402, 403, 429)]
    after = wallet(gateway, way)
    assert after["spent"] > 0
    assert after["available"] >= -BOUND
    if "limited" in way or way in ("chat-n", "messages", "gemini-candidates", "completions", "completions-of-many"):
        # What the caller allows is held in full: all that may be owed are tokens of the prompt.
        assert after["available"] >= -BOUND // 100
    assert not rows_of(gateway, "SELECT 1 FROM leases WHERE debt <> 0")


def test_a_small_balance_is_enough_for_one_after_another(gateway: Gateway) -> None:
    """Nothing is said of a limit, and the two workers share the bound: none waits for the other's lease."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "[sandbox:tokens=5] hi"}]}
    with_little = [post(gateway, "/v1/chat/completions", body, key_of("small")) for _ in range(30)]
    assert {got.status for got in with_little} == {200}


def test_a_batch_holds_what_its_lines_allow(gateway: Gateway) -> None:
    def batch(limit: int) -> Got:
        params = {"model": "claude-haiku-4-5", "max_tokens": limit, "messages": [{"role": "user", "content": "hi"}]}
        body = {"requests": [{"custom_id": f"r{number}", "params": params} for number in range(10)]}
        return post(gateway, "/v1/messages/batches", body, key_of("batch-anthropic"))

    # 10 lines, 2400 tokens each at half of 200 USD a million: 2.4 USD.
    assert batch(2400).status in (402, 403), batch(2400).body
    assert batch(400).status == 200


def test_a_file_of_lines_holds_what_they_allow(gateway: Gateway) -> None:
    key = key_of("batch-openai")

    def batch(**limits: int) -> Got:
        line = '{"custom_id":"r%d","method":"POST","url":"/v1/chat/completions","body":%s}'
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], **limits}
        lines = "\n".join(line % (number, json.dumps(asked)) for number in range(10))
        form = (
            b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
            + lines.encode()
            + b"\r\n--b--\r\n"
        )
        kind = {"content-type": "multipart/form-data; boundary=b"}
        file = call(gateway, "POST", "/v1/files", form, key, kind).json["id"]
        wanted = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        return post(gateway, "/v1/batches", wanted, key)

    assert batch(max_tokens=2400).status in (402, 403, 429)
    assert batch().status in (402, 403, 429)  # 1024 each are held: 1.024 USD
    assert batch(max_tokens=400, n=4).status in (402, 403, 429)
    assert batch(max_tokens=400).status == 200
