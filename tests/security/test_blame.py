"""A refusal that the request brings about rests no channel: not by its words, and not where all say the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deeepai.declare import Answer
from deeepai.gateway.attempts import cooldown, judge, waited
from deeepai.protocols import PROTOCOLS
from tests.gateway.scripted import ScriptedUpstream
from tests.gateway.test_attempts import cooling_down
from tests.stack import Gateway
from tests.support.http import post

ANN, BOB = ("sk-live-ann-00000000000000000000", "sk-live-bob-00000000000000000000")
PEOPLE = "".join(
    f'[[users]]\nname = "{name}"\npassword = "{name}-password-1"\ncredit = 10\n\n'
    f'[[tokens]]\nname = "{name}"\nkey = "{key}"\naccount = "{name}"\n\n'
    for name, key in (("ann", ANN), ("bob", BOB))
)
CASES = {
    "both-401": ("401", "401"),
    "both-402": ("402", "402"),
    "both-inside": ("inside", "inside"),
    "confirmed": ("401", "401"),
    "good-last": ("401", "401", "good"),
    "unlike": ("401", "402"),
    "alone": ("401",),
}


def channel(case: str, number: int, fault: str, port: int) -> str:
    return (
        f'[[channels]]\nname = "{case}-{number}"\nprotocol = "openai"\ncredential = "sk-upstream-0000"\n'
        f'priority = {9 - number}\nbase_url = "http://127.0.0.1:{port}/{fault}/{case}-{number}/v1"\n'
        f'model_map = {{ "gpt-4o-mini" = "up" }}\nmodels = ["{case}"]\n\n'
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    upstream = ScriptedUpstream()
    folder = Path(tmp_path_factory.mktemp("blame"))
    listed = [
        channel(case, number, fault, upstream.port)
        for case, faults in CASES.items()
        for number, fault in enumerate(faults)
    ]
    prices = "".join(f'[prices."{case}"]\nper_call = "0.001"\n\n' for case in CASES)
    (folder / "deeepai.toml").write_text(PEOPLE + prices + "".join(listed))
    gateway = Gateway(folder).start()
    yield gateway
    gateway.stop()
    upstream.stop()


def ask(gateway: Gateway, case: str, key: str = ANN) -> int:
    body = {"model": case, "messages": [{"role": "user", "content": "hi"}]}
    return post(gateway, "/v1/chat/completions", body, key).status


def resting(gateway: Gateway, case: str) -> int:
    return sum(name.startswith(case) for name in cooling_down(gateway))


@pytest.mark.parametrize("case", ["both-401", "both-402", "both-inside"])
def test_what_all_channels_say_of_one_callers_requests_rests_none(place: Gateway, case: str) -> None:
    for _ in range(5):
        assert ask(place, case) >= 400
    assert resting(place, case) == 0


def test_what_another_account_meets_as_well_rests_them(place: Gateway) -> None:
    ask(place, "confirmed")
    ask(place, "confirmed", BOB)
    assert resting(place, "confirmed") == 2


@pytest.mark.parametrize(("case", "status", "count"), [("good-last", 200, 2), ("unlike", 502, 2), ("alone", 502, 1)])
def test_who_is_to_blame_rests(place: Gateway, case: str, status: int, count: int) -> None:
    assert ask(place, case) == status
    assert resting(place, case) == count


ECHOES = [
    ("openai", 401, b'{"error":{"message":"No such organization","code":"mismatched_organization"}}'),
    ("openai", 401, b'{"error":{"message":"x","type":"invalid_request_error","code":"invalid_organization"}}'),
    ("openai", 403, b'{"error":{"message":"unknown field insufficient_quota","code":"unsupported"}}'),
    ("anthropic", 400, b'{"error":{"type":"invalid_request_error","message":"x: credit balance is too low"}}'),
    (
        "gemini",
        400,
        b'{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"Unknown name \\"API_KEY_INVALID\\""}}',
    ),
    (
        "gemini",
        400,
        b'{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"Unknown name \\"FAILED_PRECONDITION bill\\""}}',
    ),
]
FAULTS = [
    ("openai", 401, b'{"error":{"message":"x","code":"invalid_api_key"}}'),
    ("openai", 429, b'{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}'),
    ("anthropic", 400, b'{"error":{"type":"invalid_request_error","message":"Your credit balance is too low to"}}'),
    ("anthropic", 403, b'{"type":"error","error":{"type":"permission_error","message":"x"}}'),
    ("gemini", 400, b'{"error":{"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}'),
    ("gemini", 400, b'{"error":{"status":"FAILED_PRECONDITION","message":"Enable billing on your project"}}'),
]


@pytest.mark.parametrize(
    ("name", "status", "body", "rests"), [(*each, False) for each in ECHOES] + [(*each, True) for each in FAULTS]
)
def test_a_callers_own_words_blame_nobody(name: str, status: int, body: bytes, rests: bool) -> None:
    answer = Answer(status, {}, body)
    assert (cooldown(answer, judge(PROTOCOLS[name], answer)) is not None) is rests


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("²", None),
        ("٣", None),
        ("9" * 5000, None),
        ("1.5", 1.5),
        ("", None),
        (".", None),
        ("1.2.3", None),
        ("-1", None),
    ],
)
def test_an_odd_time_to_wait_is_none(value: str, seconds: float | None) -> None:
    assert waited(value) == seconds
