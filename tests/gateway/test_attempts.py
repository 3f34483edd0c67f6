"""The four ways to ask an upstream, against one scripted upstream: all judge, cool down, count and tell alike.

What differs has its reason and stands in a table. Each case has channels of its own, so that one which cools down takes
nothing from another.
"""

from __future__ import annotations

import itertools
import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from deeepai.accounts.models import Channel
from deeepai.declare import Answer, Failure, Reason, Usage
from deeepai.gateway import candidates, pricing
from deeepai.gateway.attempts import (
    ACCOUNT_COOLDOWN,
    LONGEST_COOLDOWN,
    RATE_COOLDOWN,
    Attempts,
    Lost,
    Refusal,
    Taken,
    Verdict,
    cooldown,
    is_error,
    judge,
)
from deeepai.gateway.candidates import MAX_ATTEMPTS, Candidate
from deeepai.gateway.settlement import Outcome
from deeepai.upstream import MaybeSent, NotSent, Stalled, UpstreamError
from tests.gateway import callers
from tests.gateway.asgi import operation, protocol
from tests.gateway.channels import channel
from tests.gateway.scripted import RETRY_AFTER, ScriptedUpstream
from tests.operator import rows, usage_row
from tests.stack import Gateway
from tests.support.http import Got, post
from tests.support.ports import reserve_port
from tests.support.until import PATIENCE, until

# What is expected ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expect:
    """What follows when a channel behaves so.

    Attributes
    ----------
    status : int
        What the caller is told where nobody else answers.
    error : str
        Of the usage row; a pattern.
    goes_on : bool
        The next channel is asked.
    cools_down : bool
        At once, by this alone.
    told : bool
        The vendor's own refusal reaches the caller, and is told rather than anything that has no answer of its own.
    retry_after : bool
    """

    status: int
    error: str
    goes_on: bool = True
    cools_down: bool = False
    told: bool = False
    retry_after: bool = False


UNREACHED = Expect(502, "no connection: .+")
PASSING = {status: Expect(status, f"HTTP {status}", told=True) for status in (500, 503)}
ALL_ALIKE: Final = {
    "refused": UNREACHED,
    "cut-before": UNREACHED,
    "400": Expect(400, "HTTP 400", goes_on=False, told=True),
    "401": Expect(502, "HTTP 401", cools_down=True),
    "402": Expect(502, "HTTP 402", cools_down=True),
    "403": Expect(403, "HTTP 403", goes_on=False, told=True),
    "429": Expect(429, "HTTP 429", cools_down=True, told=True),
    f"429-{RETRY_AFTER}": Expect(429, "HTTP 429", cools_down=True, told=True, retry_after=True),
    "500": PASSING[500],
    "503": PASSING[503],
    "page-500": PASSING[500],
    "inside": Expect(502, r"scripted \(scripted, scripted\)"),
    "cut": Expect(502, ".+", goes_on=False),
    "stall": Expect(504, ".+", goes_on=False),
}
UNKNOWN = Expect(200, ".+", goes_on=False)
"""A submission that may have arrived: the caller has a task, whose fate is found out later."""
NO_SOCKET = Expect(502, "no WebSocket.*")
DIFFERENT: Final[Mapping[str, Mapping[str, Expect]]] = {
    # The operation declares `replay`: to have it done twice does no harm. A long wait is not begun anew, though.
    "call": {"cut": Expect(502, ".+")},
    "submission": {
        # The protocol's own judgement: this vendor says 403 of a bad key.
        "403": Expect(502, "HTTP 403", cools_down=True),
        "cut": UNKNOWN,
        "stall": UNKNOWN,
        # A proxy's own page says nothing about what the vendor did.
        "page-500": UNKNOWN,
        # It is this vendor's refusal under a good status, which has an attempt's words.
        "inside": Expect(502, "an error inside a good answer"),
    },
    "objects": {},
    # As above, but its body comes but once: nothing is asked twice once some of it was sent (`SPENT`).
    "upload": {},
    # Nothing was done in a session that did not begin: it may always be opened elsewhere, however it failed.
    "session": {
        "refused": NO_SOCKET,
        "cut-before": NO_SOCKET,
        "cut": NO_SOCKET,
        "stall": NO_SOCKET,
        # A good answer that is no WebSocket: the address leads elsewhere.
        "inside": Expect(502, "the upstream does not speak this protocol"),
    },
}
WAYS: Final = tuple(DIFFERENT)
UNSENT: Final = ("refused", "cut-before")
SECONDS: Final = (None, "good", "503", f"429-{RETRY_AFTER}", "401", "refused", "400", "cut")
"""What the second channel does; None: there is none."""
UNASKED: Final = (None, "good")
"""And where it is not to be asked."""


def expected(way: str, fault: str) -> Expect:
    return DIFFERENT[way].get(fault, ALL_ALIKE[fault])


def asked_again(way: str, fault: str) -> bool:
    return expected(way, fault).goes_on and (way != "upload" or fault in UNSENT)


@dataclass(frozen=True)
class Case:
    """One caller with channels of its own, which behave as said."""

    number: int
    way: str
    faults: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"sk-live-case-{self.number:0>24}"

    @property
    def group(self) -> str:
        return f"case-{self.number}"

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(f"case-{self.number}-{letter}" for letter, _ in zip("abcd", self.faults, strict=False))

    def asked(self) -> tuple[str, ...]:
        """The faults of the channels that are asked, in order."""
        asked: list[str] = []
        for fault in self.faults:
            asked.append(fault)
            if fault == "good" or not asked_again(self.way, fault):
                break
        return tuple(asked)


def seconds(way: str, fault: str) -> tuple[str | None, ...]:
    return SECONDS if asked_again(way, fault) else UNASKED


CASES: Final = {
    (way, fault, second): Case(number, way, (fault,) if second is None else (fault, second))
    for number, (way, fault, second) in enumerate(
        (way, fault, second) for way, fault in itertools.product(WAYS, ALL_ALIKE) for second in seconds(way, fault)
    )
}
RATE_LIMITED_FIRST: Final = Case(len(CASES), "submission", (f"429-{RETRY_AFTER}", "good"))
"""For the fault that is told of a submission which follows another."""


# The gateway and its upstream ---------------------------------------------------------------------------------------


def config(upstream: ScriptedUpstream, nowhere: int) -> str:
    lines = ['[[users]]\nname = "rich"\npassword = "rich-password"\ncredit = 1000\n', "[groups]\ndefault = 1"]
    cases = (*CASES.values(), RATE_LIMITED_FIRST)
    lines += [f"{case.group} = 1" for case in cases]
    for case in cases:
        lines += ["[[tokens]]", f'name = "{case.group}"', f'key = "{case.key}"', 'account = "rich"']
        lines += [f'price_group = "{case.group}"']
        for priority, (name, fault) in enumerate(zip(reversed(case.channels), reversed(case.faults), strict=True)):
            lines += ["[[channels]]", f'name = "{name}"', f"priority = {priority}", 'credential = "sk-upstream-0000"']
            lines += [f'price_groups = ["{case.group}"]', *_protocol(case.way)]
            scheme = "https" if fault == "cut-before" else "http"
            port = nowhere if fault == "refused" else upstream.port
            path = "" if case.way == "submission" else "/v1"
            lines += [f'base_url = "{scheme}://127.0.0.1:{port}/{fault}/{name}{path}"']
            if fault == "stall":
                # A handshake has one limit for all of it.
                limit = "connect = 1" if case.way == "session" else "first_byte = 0.3"
                lines += [f"settings = {{ {limit} }}"]
    return "\n".join(lines)


def _protocol(way: str) -> tuple[str, ...]:
    if way == "submission":
        return ('protocol = "flux"', 'model_map = { "flux-dev" = "up" }')
    return ('protocol = "openai"', 'model_map = { "gpt-4o-mini" = "up", "gpt-realtime" = "up" }')


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    scripted = ScriptedUpstream()
    yield scripted
    scripted.stop()


@pytest.fixture(scope="module")
def place(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = Path(tmp_path_factory.mktemp("attempts"))
    (folder / "deeepai.toml").write_text(config(upstream, reserve_port()))
    # Nobody looks after the tasks meanwhile: what is stored is what the submission left.
    gateway = Gateway(folder, env={"DEEEPAI_POLL_TICK": "3600"}).start()
    yield gateway
    gateway.stop()


def ask(gateway: Gateway, way: str, key: str) -> Got:
    if way == "call":
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
        return post(gateway, "/v1/chat/completions", body, key)
    if way == "submission":
        return post(gateway, "/flux/v1/flux-dev", {"prompt": "a cat"}, key)
    if way == "objects":
        return post(gateway, "/v1/vector_stores", {"name": "shelf"}, key)
    if way == "upload":
        kind = {"content-type": "multipart/form-data; boundary=B"}
        return post(gateway, "/v1/files", _FORM, key, kind)
    return _session(gateway, key)


_FORM: Final = (
    b'--B\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    b'--B\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--B--\r\n'
)


def _session(gateway: Gateway, key: str) -> Got:
    url = f"{gateway.url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime"
    try:
        session = connect(url, additional_headers={"authorization": f"Bearer {key}"}, open_timeout=PATIENCE)
    except InvalidStatus as fault:
        said = fault.response
        headers = {name.lower(): value for name, value in said.headers.raw_items()}
        return Got(said.status_code, headers, bytes(said.body or b""))
    with session:
        assert session.response is not None
        headers = {name.lower(): value for name, value in session.response.headers.raw_items()}
        for _ in session:
            pass
    return Got(101, headers, b"")


def cooling_down(gateway: Gateway) -> set[str]:
    """The channels that cool down, as the metrics tell."""
    with urllib.request.urlopen(f"{gateway.url}/metrics", timeout=PATIENCE) as answer:
        text = answer.read().decode()
    return set(re.findall(r'deeepai_channel_resting\{channel="([^"]+)"\} 1\.0', text))


# All faults, all ways -----------------------------------------------------------------------------------------------


def last_word(case: Case) -> tuple[str, Expect]:
    """The fault that the caller is told of, among those of the channels that were asked, and what follows from it."""
    asked = case.asked()
    final = expected(case.way, asked[-1])
    if final.goes_on:
        # A vendor's refusal says more than that somebody could not be reached.
        for fault in reversed(asked):
            if expected(case.way, fault).told:
                return fault, expected(case.way, fault)
    return asked[-1], final


@pytest.mark.parametrize("fault", ALL_ALIKE)
@pytest.mark.parametrize("way", WAYS)
def test_what_follows_when_a_channel_fails(place: Gateway, upstream: ScriptedUpstream, way: str, fault: str) -> None:
    ids = {row["name"]: row["id"] for row in rows(place, "SELECT id, name FROM channels")}
    for second in seconds(way, fault):
        case = CASES[way, fault, second]
        before = Counter(upstream.asked)
        got = ask(place, way, case.key)
        asked = case.asked()
        row = usage_row(place, got.request_id)
        said = f"{case.faults}: {got.status} {got.body[:200]!r} {row['error']}"

        reached = [name for name, each in zip(case.channels, asked, strict=False) if each not in UNSENT]
        until(lambda names=reached, was=before: all(upstream.asked[name] > was[name] for name in names))
        more = upstream.asked - before
        assert {name: more[name] for name in case.channels if more[name]} == dict.fromkeys(reached, 1), said
        assert (row["attempts"], row["channel_id"]) == (len(asked), ids[case.channels[len(asked) - 1]]), said
        assert row["upstream_model"] == ("" if way in ("objects", "upload") else "up"), said
        pairs = zip(case.channels, asked, strict=False)
        # What all say of a request says more of that than of them; for how long to wait is no such word.
        alike = len(asked) == 2 and asked[0] == asked[1] and "429" not in asked[0]
        should = {name for name, each in pairs if each != "good" and not alike and expected(way, each).cools_down}
        assert cooling_down(place).intersection(case.channels) == should, said

        if asked[-1] == "good":
            good = 101 if way == "session" else 200
            assert (got.status, row["status"], row["error"]) == (good, good, None), said
            assert "retry-after" not in got.headers
            continue
        _, final = last_word(case)
        assert (got.status, row["status"]) == (final.status, final.status), said
        assert re.fullmatch(final.error, row["error"]), said
        waits = (got.headers.get("retry-after"), got.headers.get("retry-after-ms"))
        assert waits == ((str(RETRY_AFTER), f"{RETRY_AFTER}000") if final.retry_after else (None, None)), said
        assert row["cost"] == 0
        if final is UNKNOWN:
            (task,) = rows(place, "SELECT state, channel_id FROM tasks WHERE request_id = ?", got.request_id)
            assert (task["state"], task["channel_id"]) == ("unknown", row["channel_id"])
            assert json.loads(got.body)["id"]
        else:
            assert rows(place, "SELECT 1 FROM tasks WHERE request_id = ?", got.request_id) == []
            assert rows(place, "SELECT 1 FROM holds WHERE request_id = ?", got.request_id) == []


# Three faults that there were once ----------------------------------------------------------------------------------


def test_a_submissions_caller_is_told_how_long_the_vendor_wants_to_be_left_alone(place: Gateway) -> None:
    got = ask(place, "submission", CASES["submission", f"429-{RETRY_AFTER}", None].key)
    assert got.status == 429
    assert (got.headers["retry-after"], got.headers["retry-after-ms"]) == ("20", "20000")


def test_a_submission_that_comes_too_often_makes_its_channel_cool_down(
    place: Gateway, upstream: ScriptedUpstream
) -> None:
    case = RATE_LIMITED_FIRST
    first, second = case.channels
    for times in (1, 2):
        assert ask(place, "submission", case.key).status == 200
        assert first in cooling_down(place)
        assert (upstream.asked[first], upstream.asked[second]) == (1, times)


def test_a_submission_that_all_refuse_is_recorded_as_what_it_was(place: Gateway) -> None:
    got = ask(place, "submission", CASES["submission", "503", "503"].key)
    row = usage_row(place, got.request_id)
    assert got.status == 503
    assert (row["status"], row["attempts"], row["error"]) == (503, 2, "HTTP 503")


# Judged without an upstream -----------------------------------------------------------------------------------------


def answered(status: int, body: bytes = b"{}", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, Verdict.CALLER) for status in (400, 403, 404, 409, 413, 422)),
        *((status, Verdict.ELSEWHERE) for status in (408, 429, 500, 502, 503, 504, 529)),
        (401, Verdict.ACCOUNT),
    ],
)
def test_a_refusal_is_judged_by_its_status_and_by_the_protocol(status: int, verdict: Verdict) -> None:
    plain = protocol()
    assert judge(plain, answered(status)) is verdict
    strict = protocol(channel_fault=lambda answer: answer.body == b'"no credit"')
    assert judge(strict, answered(status, b'"no credit"')) is Verdict.ACCOUNT


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error": {"message": "x"}}', True),
        (b'\n { "error" :"x"}', True),
        (b'{"error": null, "id": 1}', False),
        (b'{"error": 0}', False),
        (b'{"id": 1, "error": {}}', False),
        (b'[{"error": {}}]', False),
        (b"", False),
    ],
)
def test_an_error_object_is_one_whatever_its_status(body: bytes, error: bool) -> None:
    assert is_error(answered(200, body)) is error
    assert is_error(answered(400, body)) is False, "its status tells already"
    assert judge(protocol(), answered(200, body)) is (Verdict.ELSEWHERE if error else Verdict.CALLER)


@pytest.mark.parametrize(
    ("named", "seconds"),
    [
        ("20", 20.0),
        ("0.5", 0.5),
        ("86400", LONGEST_COOLDOWN),
        ("", RATE_COOLDOWN),
        ("-1", RATE_COOLDOWN),
        ("soon", RATE_COOLDOWN),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", LONGEST_COOLDOWN),
    ],
)
def test_a_channel_that_is_asked_too_often_cools_down_as_long_as_it_says(named: str, seconds: float) -> None:
    assert cooldown(answered(429, retry_after=named), Verdict.ELSEWHERE) == seconds
    assert cooldown(answered(429, retry_after=named), Verdict.ACCOUNT) == ACCOUNT_COOLDOWN


def test_only_refusals_that_say_so_make_a_channel_cool_down_at_once() -> None:
    assert cooldown(answered(503, retry_after="20"), Verdict.ELSEWHERE) is None
    assert cooldown(answered(400), Verdict.CALLER) is None


# Any order of any channels, without a socket ------------------------------------------------------------------------

OUTCOMES: Final[Mapping[str, Refusal | UpstreamError | str]] = {
    "good": "the answer",
    "caller": Refusal(answered(400), Verdict.CALLER),
    "busy": Refusal(answered(429), Verdict.ELSEWHERE),
    "down": Refusal(answered(503), Verdict.ELSEWHERE),
    "account": Refusal(answered(401), Verdict.ACCOUNT),
    "inside": Refusal(answered(200, b'{"error":{}}'), Verdict.ELSEWHERE),
    "unsent": NotSent("no connection"),
    "cut": MaybeSent("cut"),
    "silent": Stalled("nothing came", answered=False),
}


class Scripted:
    """A sender whose channels do what is said, one after the other; a body may come but once."""

    def __init__(self, outcomes: Sequence[str], *, repeats: bool, once: bool) -> None:
        self.asked: list[str] = []
        self._outcomes = iter(outcomes)
        self._repeats = repeats
        self._once = once

    @property
    def spent(self) -> bool:
        return self._once and bool(self.asked)

    def repeats(self, fault: UpstreamError) -> bool:
        return self._repeats

    def prepare(self, asked: Channel, candidate: Candidate) -> None:
        return None

    async def send(self, asked: Channel) -> str | Refusal:
        self.asked.append(asked.name)
        outcome = OUTCOMES[next(self._outcomes)]
        if isinstance(outcome, UpstreamError):
            raise outcome
        return outcome


def asked_until(outcomes: Sequence[str], *, repeats: bool, once: bool) -> list[str]:
    """The outcomes up to the one at which asking ends."""
    asked: list[str] = []
    for outcome in outcomes[:MAX_ATTEMPTS]:
        asked.append(outcome)
        if outcome in ("good", "caller") or once or (outcome in ("cut", "silent") and not repeats):
            break
    return asked


async def end_of(attempts: Attempts[str]) -> Taken[str] | Refusal | Failure:
    try:
        return await attempts.take()
    except Failure as failure:
        return failure


@given(st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=1, max_size=6), st.booleans(), st.booleans())
async def test_whatever_the_order_each_is_asked_once_and_the_right_one_is_told(
    outcomes: list[str], repeats: bool, once: bool
) -> None:
    channels = [channel(f"c{number}", priority=-number) for number in range(len(outcomes))]
    call = operation()
    services, x, record = callers.core(call, channels), callers.exchange(call), Outcome()
    sender = Scripted(outcomes, repeats=repeats, once=once)
    candidate = Candidate("m", "m", [[each] for each in channels], pricing.unpriced(x.caller, "m", Usage()))
    attempts = Attempts(services, x, sender, record)
    attempts.over([(candidate, candidates.attempts(services, "", candidate.tiers, "weight"))])
    asked = asked_until(outcomes, repeats=repeats, once=once)
    last = asked[-1]
    refused = [outcome for outcome in asked if outcome in ("busy", "down")]
    lost = last in ("cut", "silent") and not repeats
    end = await end_of(attempts)
    assert isinstance(end, Lost) is lost
    if isinstance(end, Failure):
        assert lost or not refused, "a vendor's refusal says more"
        assert end.kind is (Reason.TIMEOUT if last == "silent" else Reason.UPSTREAM)
        assert last not in ("good", "caller")
    elif isinstance(end, Taken):
        assert (last, end.attempt.channel, record.error) == ("good", channels[len(asked) - 1], None)
        end.attempt.done(ok=True)
    else:
        assert end is OUTCOMES["caller" if last == "caller" else refused[-1]]
        assert record.error == f"HTTP {end.answer.status}"
    assert sender.asked == [each.name for each in channels[: len(asked)]]
    assert (record.attempts, record.channel_id) == (len(asked), channels[len(asked) - 1].id)
    health = services.dispatcher.health
    assert all(each.inflight == 0 for each in health.values()), "every attempt has ended"
    # Where nobody took it, what several accounts say alike is said of the request.
    alike = asked.count("account") > 1 and not lost and last not in ("good", "caller")
    resting = ("busy",) if alike else ("busy", "account")
    cooling = {name for name, outcome in zip(sender.asked, asked, strict=True) if outcome in resting}
    assert {each.name for each in channels if each.id in health and health[each.id].cooldown_until} == cooling
