"""What is told, and what is counted where nothing or not all is told; and who is asked for the money."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import quicktok

from deeepai.declare import Failure, Reason, StreamRules, Usage
from deeepai.gateway import settlement
from deeepai.gateway.settlement import Outcome, completed, counted, usage_row
from deeepai.money.ledger import BudgetExceeded, InsufficientFunds
from tests.gateway.asgi import operation, request
from tests.gateway.callers import exchange, token

CALL = operation()


def rules(**more: Any) -> StreamRules[Any]:
    given: dict[str, Any] = {
        "wanted": lambda request: True,
        "usage": lambda event: None,
        "visible": lambda request, event: event,
        "text": lambda value: value["text"],
        "prompt": lambda request: "Tell me a story",
        "is_last": lambda event: False,
        "error": lambda failure, request_id: b"",
        "scan_for": (),
        **more,
    }
    return StreamRules(**given)


def test_what_was_streamed_is_counted_as_one_text_whatever_cannot_be_read_in_it() -> None:
    events = [
        b'event: x\ndata: {"text": "Once upon"}\n\n',
        b'data: {"text": " a time"}\n\ndata: [DONE]\n\n',
        b'data: {"other": 1}\n\n',
        b"data: {broken\n\n",
        b"data: [1]\n\n",
    ]
    encoding = quicktok.get_encoding("o200k_base")
    readable = counted(request(CALL), rules(), events)
    assert readable == Usage(
        calls=1,
        input=encoding.count("Tell me a story"),
        output=encoding.count("Once upon a time"),
        basis="counted",
    )


def test_an_operation_may_know_without_counting() -> None:
    known = Usage(images=1, basis="estimated")
    asked = request(CALL)
    assert counted(asked, rules(usage_without_report=lambda given: known if given is asked else Usage()), []) is known


@pytest.mark.parametrize(
    ("told", "counted_here", "expected"),
    [
        # Told before the break: the input stands, of the output the larger counts.
        (Usage(input=9, output=1), Usage(input=5, output=40), (9, 40)),
        (Usage(input=9, output=50), Usage(input=5, output=40), (9, 50)),
        # Nothing told of the input: it is counted.
        (Usage(output=50), Usage(input=5, output=40), (5, 50)),
        # Told to be nothing: all of it was cached.
        (Usage(cached=900, basis="vendor"), Usage(input=905, output=40), (0, 40)),
    ],
)
def test_what_a_broken_stream_told_is_completed_by_what_was_counted(
    told: Usage, counted_here: Usage, expected: tuple[int, int]
) -> None:
    whole = completed(told, counted_here)
    assert (whole.input, whole.output, whole.cached, whole.basis) == (*expected, told.cached, "counted")


def test_a_row_says_who_called_what_and_how_it_went() -> None:
    x = exchange(CALL, token(id="tok", account_id="acc", user_id="usr"))
    x.requested_model, x.ip = "asked", "10.0.0.1"
    outcome = Outcome("ch", "up", attempts=2, first_byte=0.25, error="x" * 900)
    row = usage_row(x, outcome, 200, Usage(calls=1, basis="vendor"), 7)
    assert (row.request_id, row.account_id, row.token_id, row.user_id) == ("req_1", "acc", "tok", "usr")
    assert (row.protocol, row.operation, row.model, row.upstream_model) == ("toy", "toy.try", "asked", "up")
    assert (row.status, row.cost, row.basis, row.attempts, row.first_byte_ms) == (200, 7, "vendor", 2, 250)
    assert (row.channel_id, row.ip, row.error) == ("ch", "10.0.0.1", "x" * 500)
    outcome.model = "fallback"
    assert usage_row(x, outcome, 200).model == "fallback", "what answered, not what was asked"


@dataclass
class Ledger:
    """A ledger with leases to give back, or none."""

    leases: int
    released: list[str] = field(default_factory=list)

    async def release(self, account_id: str) -> bool:
        self.released.append(account_id)
        self.leases -= 1
        return self.leases >= 0


@pytest.mark.parametrize(
    ("leases", "refusals", "released", "funded"), [(0, 0, 0, True), (1, 1, 1, True), (1, 2, 1, False), (0, 1, 1, False)]
)
async def test_idle_leases_are_given_back_once_before_money_is_refused(
    leases: int, refusals: int, released: int, funded: bool
) -> None:
    ledger, tries = Ledger(leases), 0

    async def work() -> str:
        nonlocal tries
        tries += 1
        if tries <= refusals:
            raise InsufficientFunds("a")
        return "held"

    if funded:
        assert await settlement.funded(ledger, "a", work) == "held"  # pyright: ignore[reportArgumentType]
    else:
        with pytest.raises(Failure) as fault:
            await settlement.funded(ledger, "a", work)  # pyright: ignore[reportArgumentType]
        assert fault.value.kind is Reason.UNFUNDED
    assert ledger.released == ["a"] * released


def test_a_caller_is_told_whose_money_is_spent() -> None:
    assert "budget" in settlement.unfunded(BudgetExceeded("a", "t")).message
    assert "balance" in settlement.unfunded(InsufficientFunds("a")).message
