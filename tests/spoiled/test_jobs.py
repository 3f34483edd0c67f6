"""One thing of what a vendor says of a job is spoiled, at its submission or when it is asked for.

The caller hears nothing of the gateway's own failing, and the job ends, and costs once at most, what it would have.
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from hypothesis import given

from deeepai.tasks.life import MOST_TIMES
from tests.operator import paid, rows
from tests.spoiled import cases
from tests.spoiled.cases import Case
from tests.spoiled.conftest import Place
from tests.spoiled.spoiling import Spoiled, spoiled
from tests.spoiled.test_answers import ask, drilled
from tests.spoiled.vendor import Exchange, Said
from tests.support.http import Got, call
from tests.support.until import PATIENCE, until
from tests.wire.shapes import MANNERS


def id_in(case: Case, got: Got) -> str:
    """Return the id of a job, which stands in the answer to its submission."""
    value: Any = got.json
    for name in case.done.split("."):
        value = value[name]
    assert isinstance(value, str | int)
    assert value
    return str(value)


def declined(case: Case, got: Got) -> bool:
    """Tell whether a submission was not taken: a failure, or the vendor's own word in its own shape."""
    if got.status >= 400:
        assert got.status in (502, 504), f"{got.status} {got.body[:500]!r}"
        MANNERS[case.asked].check(got)
        return True
    if case.asked.startswith("pixverse"):
        return got.json.get("ErrCode", 0) != 0 or got.json.get("code", 200) != 200
    if case.asked in ("midjourney", "kling"):
        return got.json["code"] not in (0, 1, 21, 22)
    return False


def look(place: Place, case: Case, id: str) -> Got:
    got = call(place.gateway, "GET", case.fetch.format(id=id), None, case.key)
    assert got.status < 500 or got.status == 502, f"{got.status} {got.body[:500]!r}"
    return got


def tasks(place: Place, case: Case) -> list[dict[str, Any]]:
    return rows(place.gateway, "SELECT t.* FROM tasks t JOIN tokens k ON k.id = t.token_id WHERE k.name = ?", case.name)


def end_all(place: Place, case: Case) -> None:
    """Let all jobs come to their end, which the vendor now tells of as it should.

    Those whose submission was answered in no way that names them are looked for much longer.
    """

    def ended() -> bool:
        waiting = [
            task
            for task in tasks(place, case)
            if not task["finished_at"] and task["state"] not in ("unknown", "submitting")
        ]
        for task in waiting:
            hook = f"{place.gateway.url}/hooks/{task['id']}/{task['hook_key']}"
            urllib.request.urlopen(urllib.request.Request(hook, b"{}", method="POST"), timeout=PATIENCE).close()
        return not waiting

    until(ended, lambda: [task["polls"] for task in tasks(place, case)])


def recorded(place: Place, case: Case) -> tuple[dict[Exchange, Said], int]:
    """Have one job done; return what the vendor said of it, and what it cost."""
    script = place.script(case)
    got = ask(place, case)
    assert got.status == 200, got.body[:500]
    cost = paid(place.gateway, got.request_id)["cost"]
    assert cost
    look(place, case, id_in(case, got))
    script.recording = False
    submission, asked, *_ = script.known
    return {exchange: script.known[exchange] for exchange in (submission, asked)}, cost


@pytest.mark.parametrize("case", [*cases.JOBS, *cases.TRANSLATED_JOBS], ids=lambda case: case.name)
def test_a_spoiled_job(place: Place, case: Case) -> None:
    said, cost = recorded(place, case)
    (submission, taken), (asked, told) = said.items()
    script = place.script(case)

    def submit(spoiled: Spoiled | None) -> str | None:
        with script.saying(submission, spoiled.said if spoiled is not None else taken):
            got = ask(place, case)
        if declined(case, got):
            return None
        assert got.status < 300, f"{got.status} {got.body[:500]!r}"
        return id_in(case, got)

    @drilled(10)
    @given(spoiled(taken))
    def spoil_the_submission(spoiled: Spoiled) -> None:
        id = submit(spoiled)
        if id is not None:
            look(place, case, id)
        else:
            # So that the channel does not rest.
            assert submit(None)
        assert not place.faults()

    @drilled(10)
    @given(spoiled(told))
    def spoil_what_is_told(spoiled: Spoiled) -> None:
        id = submit(None)
        assert id
        with script.saying(asked, spoiled.said):
            got = look(place, case, id)
            assert "json" not in got.headers["content-type"] or json.loads(got.body)
        assert not place.faults()

    spoil_the_submission()
    spoil_what_is_told()
    end_all(place, case)
    # What a vendor tells of its price or of the work's length is its word, up to that.
    most = cost * MOST_TIMES
    assert not [(task["id"], task["cost"]) for task in tasks(place, case) if task["cost"] > most]
