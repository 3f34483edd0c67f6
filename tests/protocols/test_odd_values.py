"""What a declaration reads in events and in bodies may be anything: its functions never fail for it.

One thing of a good event, or of a good body, is put in another's place; where the caller's body is refused, it is so
by a failure that says why.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from deeepai.declare import Failure, Stream, event_json, with_json
from deeepai.protocols import PROTOCOLS
from tests.protocols.plain import asked
from tests.spoiled.spoiling import places
from tests.translators.samples import REQUESTS, STREAMS

ODD: tuple[Any, ...] = (None, True, 0, -1, 7, 1.5, 1e300, "", "x", "7", [], [None], [7], ["x"], [[]], {}, {"type": "x"})
BY_NAME = {f"{each.name}.{operation.name}": operation for each in PROTOCOLS.values() for operation in each.operations}
OPERATIONS = {
    "openai": BY_NAME["openai.chat.completions"],
    "responses": BY_NAME["openai.responses.create"],
    "anthropic": BY_NAME["anthropic.messages"],
    "gemini": BY_NAME["gemini.streamGenerateContent"],
}


def odd(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a value with each of its places spoiled in each way, and where that is."""
    for place in places(value):
        for instead in ODD:
            spoiled = copy.deepcopy(value)
            inner = spoiled
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = instead
            yield f"{instead!r} at {'/'.join(map(str, place))}", spoiled


@pytest.mark.parametrize("name", OPERATIONS)
def test_events(name: str) -> None:
    operation: Any = OPERATIONS[name]
    assert isinstance(operation, Stream)
    rules, request = operation.rules, asked(operation, REQUESTS[name])
    for event in STREAMS[name]:
        value = event_json(event)
        for what, spoiled in odd(value) if isinstance(value, dict) else ():
            said = with_json(event, json.dumps(spoiled).encode())
            try:
                for read in (rules.usage, rules.is_last, rules.finishes, rules.only_opens, rules.failure):
                    read(said)
                rules.visible(request, said)
                rules.text(spoiled)
            except Exception as fault:
                raise AssertionError(f"{what}: {fault!r}") from fault


@pytest.mark.parametrize("name", OPERATIONS)
def test_bodies(name: str) -> None:
    operation: Any = OPERATIONS[name]
    for what, spoiled in odd(REQUESTS[name]):
        try:
            request: Any = asked(operation, spoiled)
        except (msgspec.ValidationError, Failure):
            continue
        try:
            operation.rules.wanted(request)
            operation.rules.prompt(request)
            operation.estimate(request)
            if operation.objects is not None:
                operation.objects.uses(request)
                operation.objects.hints(request)
        except Failure:
            continue
        except Exception as fault:
            raise AssertionError(f"{what}: {fault!r}") from fault
