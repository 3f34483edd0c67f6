"""At which channel a call that names no model belongs, and which events tell of objects."""

from __future__ import annotations

from typing import Any

import pytest

from deeepai.accounts.models import Channel
from deeepai.declare import Failure, ObjectCall, ObjectRules, Reason
from deeepai.gateway.objects import place
from tests.gateway import callers
from tests.gateway.asgi import NAME
from tests.gateway.callers import exchange, token
from tests.gateway.channels import channel

RULES: ObjectRules[Any] = ObjectRules(
    uses=lambda request: [request.params["names"]] if request.params.get("names") else [],
    hints=lambda request: [request.params["hints"]] if request.params.get("hints") else [],
)
CALL = ObjectCall(name="try", method="POST", path="/try", summary=NAME, objects=RULES)
EQUALS = [channel(name) for name in ("a", "b", "c")]


def order(*channels: Channel, **more: Any) -> list[str]:
    services, x = callers.core(CALL, channels), exchange(CALL, token(**more))
    return [one.name for (one,) in place.tiers(services, x, None)]


def test_an_account_has_its_own_place_that_stays_as_long_as_it_is_there() -> None:
    places = {account: order(*EQUALS, account_id=account) for account in ("one", "two", "three", "four", "five")}
    assert all(sorted(each) == ["a", "b", "c"] for each in places.values())
    assert len({each[0] for each in places.values()}) > 1, "accounts share the channels among them"
    for account, before in places.items():
        assert order(*reversed(EQUALS), account_id=account) == before
        without = [one for one in EQUALS if one.name != before[1]]
        assert order(*without, account_id=account) == [before[0], before[2]], "it is lost by its own going only"


def test_priority_comes_first_and_a_channel_without_weight_last() -> None:
    assert order(channel("low"), channel("high", priority=1))[0] == "high"
    for account in ("one", "two", "three", "four"):
        assert order(channel("spare", weight=0), channel("used"), account_id=account) == ["used", "spare"]


@pytest.mark.parametrize(
    "more",
    [
        {"enabled": False},
        {"mode": "test"},
        {"protocol": "other"},
        {"price_groups": ("staff",)},
        {"settings": {"objects": False}},
        {"settings": {"operations": ["else"]}},
    ],
)
def test_some_channels_are_nobodys_place(more: dict[str, Any]) -> None:
    assert order(channel("never", **more), channel("good")) == ["good"]
    with pytest.raises(Failure) as fault:
        order(channel("never", **more))
    assert fault.value.kind is Reason.UNAVAILABLE


def test_a_request_may_name_objects_or_hint_at_some() -> None:
    assert not place.names_objects(exchange(CALL), RULES)
    assert place.names_objects(exchange(CALL, names="file-1"), RULES)
    assert place.names_objects(exchange(CALL, hints="resp_1"), RULES)


@pytest.mark.parametrize(
    ("event", "value"),
    [
        (b'event: x\ndata: {"id": 1}\n\n', {"id": 1}),
        (b'data: {"id":\ndata: 1}\n\n', {"id": 1}),
        (b'data:{"id": 1}\r\n\r\n', {"id": 1}),
        (b"data: [DONE]\n\n", None),
        (b": ping\n\n", None),
        (b"data: " + b"[" * 100_000 + b"\n\n", None),
    ],
)
def test_an_events_json(event: bytes, value: Any) -> None:
    assert place.event_json(event) == value


async def test_without_marks_the_first_event_with_json_tells_and_with_them_whatever_holds_one() -> None:
    services, x = callers.core(CALL, EQUALS), exchange(CALL)
    first = place.ObjectTap(services, x, ObjectRules())
    await first.event(b": ping\n\n", EQUALS[0])
    assert first.wants(b'data: {"id": 1}\n\n')
    await first.event(b'data: {"id": 1}\n\n', EQUALS[0])
    assert not first.wants(b'data: {"id": 2}\n\n')
    marked = place.ObjectTap(services, x, ObjectRules(scan_for=(b"created", b"done")))
    await marked.event(b'data: {"id": 1}\n\n', EQUALS[0])
    assert marked.wants(b'data: {"type": "x.done"}\n\n')
    assert not marked.wants(b'data: {"type": "x.delta"}\n\n')
