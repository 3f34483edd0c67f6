"""One thing of a vendor's answer is spoiled: the caller hears an answer of his protocol, or one error.

It is never the gateway's own failure, costs nothing where it is no answer, and never more than what was not spoiled.
`make drill` tries some thousand spoilings of each answer.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from contextlib import suppress
from http.client import IncompleteRead
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings

from tests.operator import rows, usage_row
from tests.spoiled import cases
from tests.spoiled.cases import Case
from tests.spoiled.conftest import Place
from tests.spoiled.judges import judge, told
from tests.spoiled.spoiling import CREDIBLE, Spoiled, spoiled, without
from tests.spoiled.vendor import Exchange, Said
from tests.support.http import Got, call
from tests.support.until import until

EXAMPLES: Final = int(os.environ.get("DRILL_EXAMPLES", "0"))
"""Of each case; 0: those few that the whole suite has time for."""


def drilled(few: int) -> Callable[[Any], Any]:
    """Try so many examples: the same ones in each run, but for a drill's."""
    return settings(
        max_examples=EXAMPLES or few,
        deadline=None,
        derandomize=not EXAMPLES,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def ask(place: Place, case: Case) -> Got:
    head = {"content-type": case.content_type, "accept": case.accept}
    return call(place.gateway, "POST", case.path, case.body, case.key, head)


def passes_as_it_comes(said: Said) -> bool:
    """Tell whether a sound or a picture is cut, which has been sent on by then: its caller is cut off, too."""
    return said.cut is not None and said.kind.startswith(("audio/", "image/"))


def cost_of(place: Place, got: Got, case: Case) -> tuple[int, Any]:
    row = usage_row(place.gateway, got.request_id)
    return row["cost"], row["consumed"] if case in cases.CHATS else None


@dataclasses.dataclass
class Asked:
    """What was asked once.

    Attributes
    ----------
    told : tuple of int
        Tokens that the caller was told of; None where his answer tells none.
    """

    spoiled: Spoiled
    answered: bool
    told: tuple[int, int] | None = None


@dataclasses.dataclass
class Bill:
    """What the spoiled answers to one case may have cost; looked at once, as charges come into the tables in groups."""

    most: int
    """What the good answer cost, or the same without a word of usage, where that is counted as more."""
    told: int
    """What a count may add that was spoiled into one that may be."""
    asked: dict[str, Asked] = dataclasses.field(default_factory=dict[str, "Asked"])

    def check(self, place: Place, case: Case) -> None:
        if not self.asked:
            return
        charged: dict[str, dict[str, Any]] = {}

        def uncharged() -> list[str]:
            found = rows(place.gateway, "SELECT request_id, cost, basis, consumed FROM usage")
            charged.update({row["request_id"]: row for row in found if row["request_id"] in self.asked})
            return [asked.spoiled.done for id, asked in self.asked.items() if id not in charged]

        until(lambda: not uncharged(), uncharged)
        faults = [
            f"{asked.spoiled.done}: {fault}"
            for id, asked in self.asked.items()
            if (fault := self._fault(case, asked, charged[id])) is not None
        ]
        assert not faults, "\n".join(faults)

    def _fault(self, case: Case, asked: Asked, row: dict[str, Any]) -> str | None:
        most = 0 if not asked.answered else self.most + (self.told if _tells(asked.spoiled) else 0)
        if row["cost"] > most:
            return f"{row['cost']} where at most {most} was right"
        if asked.told is not None and (row["basis"] == "counted" or case.translated):
            consumed = json.loads(row["consumed"])
            sides = [sum(consumed.get(name, 0) for name in names) for names in _SIDES]
            if sides != list(asked.told):
                return f"told {asked.told}, charged {sides}"
        return None


_SIDES: Final = (
    ("input", "cached", "cached_audio", "cache_write", "cache_write_1h", "audio_in", "image_in"),
    ("output", "audio_out", "image_out"),
)


def _tells(spoiled: Spoiled) -> bool:
    """Tell whether a number of the usage was put in place of another that may be true."""
    if not any(name in cases.USAGE for name in spoiled.place):
        return False
    try:
        return 0 < float(spoiled.value.strip('"')) <= CREDIBLE
    except ValueError:
        return False


# Calls --------------------------------------------------------------------------------------------------------------


def recorded(place: Place, case: Case) -> tuple[Exchange, Said, Bill]:
    """Ask once; return what the vendor answered, and what that may cost."""
    script = place.script(case)
    got = ask(place, case)
    assert got.status == 200, got.body[:500]
    assert judge(case, got)
    cost, consumed = cost_of(place, got, case)
    script.recording = False
    exchange, said = next(iter(script.known.items()))
    with script.saying(exchange, without(said, cases.USAGE)):
        bare = ask(place, case)
    bare_cost, counted = cost_of(place, bare, case)
    most = max(cost, bare_cost)
    if consumed is not None:
        assert told(case, bare) == (counted["input"], counted["output"]), bare.body[-600:]
        # One side may be told, and the other counted.
        most = sum(max(consumed.get(side, 0), counted[side]) * price for side, price in cases.PRICES.items())
    return exchange, said, Bill(most, CREDIBLE * 100_000)


@pytest.mark.parametrize("case", [*cases.CHATS, *cases.CALLS], ids=lambda case: case.name)
def test_a_spoiled_answer(place: Place, case: Case) -> None:
    exchange, said, bill = recorded(place, case)
    script = place.script(case)

    @drilled(10)
    @given(spoiled(said))
    def try_it(spoiled: Spoiled) -> None:
        with script.saying(exchange, spoiled.said):
            if passes_as_it_comes(spoiled.said):
                with suppress(IncompleteRead):
                    ask(place, case)
                return
            got = ask(place, case)
        answered = judge(case, got)
        whole = answered and case in cases.CHATS
        bill.asked[got.request_id] = Asked(spoiled, got.status < 400, told(case, got) if whole else None)
        assert not place.faults()
        if not answered and got.status >= 400:
            # So that the channel does not rest.
            assert ask(place, case).status == 200

    try_it()
    bill.check(place, case)
