"""What a channel's settings change in the bodies that go out by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deeepai.declare import DROP, Facts, Part
from deeepai.gateway import outgoing
from tests.gateway.asgi import operation, protocol, request
from tests.gateway.channels import channel

MT = {"max_completion_tokens": "max_tokens"}


def sent(settings: dict[str, Any], body: Any, changes: dict[str, Any] | None = None) -> Any:
    given = operation(patch=lambda request, facts: changes or {})
    asked = request(given, {"content-type": "application/json"})
    asked.raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    out = outgoing.build(protocol(given), given, asked, channel("a", settings=settings), Facts("m", "m"))
    assert out.body is not None
    return out.body if isinstance(body, bytes) else json.loads(out.body)


@pytest.mark.parametrize(
    ("settings", "body", "expected"),
    [
        ({"rename": MT}, {"max_completion_tokens": 5, "x": [1]}, {"max_tokens": 5, "x": [1]}),
        ({"rename": MT}, {"max_completion_tokens": 5, "max_tokens": 3}, {"max_tokens": 3}),
        ({"rename": MT}, {"max_tokens": 3}, {"max_tokens": 3}),
        ({"drop": ["logprobs", "absent"]}, {"logprobs": True, "n": 1}, {"n": 1}),
        ({"set": {"store": False, "n": 2}}, {"n": 1}, {"n": 2, "store": False}),
        ({}, {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
    ],
)
def test_keys_are_renamed_dropped_and_set(settings: dict[str, Any], body: Any, expected: Any) -> None:
    assert sent(settings, body) == expected


def test_the_protocols_own_changes_come_first() -> None:
    changes = {"max_completion_tokens": 7, "stream_options": DROP}
    assert sent({"rename": MT}, {"max_completion_tokens": 5, "stream_options": {}}, changes) == {"max_tokens": 7}


def test_a_body_that_is_none_passes_as_it_is_and_bytes_stay_where_nothing_changes() -> None:
    raw = b'{ "a" : 1.50 }'
    assert sent({"rename": MT}, raw) == raw


def test_forms_are_left_alone() -> None:
    given = operation()
    asked = request(given, {"content-type": "multipart/form-data; boundary=b"})
    asked.raw = b"the form"
    asked.parts = [Part("max_completion_tokens", b"5")]
    to = channel("a", settings={"rename": MT, "set": {"x": 1}})
    assert outgoing.build(protocol(given), given, asked, to, Facts("m", "m")).body == b"the form"
