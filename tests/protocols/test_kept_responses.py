"""What later requests name of kept responses, and what OpenAI's models are not told of other models' answers."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from deeepai import asgi
from deeepai.declare import DROP, SEAL, Call, Facts, KeepingRules, KeptAnswer
from deeepai.protocols import PROTOCOLS
from tests.gateway.asgi import request

(CREATE,) = [each for each in PROTOCOLS["openai"].operations if each.name == "responses.create"]
SEALED = base64.b64encode(SEAL + b'["anthropic","","sig",false,""]').decode()
BASE = "0123456789abcdef"
THOUGHT = {"type": "reasoning", "id": f"rs_{BASE}_0", "summary": [], "encrypted_content": SEALED}
SAID = {
    "type": "message",
    "id": f"msg_{BASE}_1",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "a"}],
}
KEPT = KeptAnswer(
    id=f"resp_{BASE}",
    follows=None,
    turn=[{"role": "user", "content": "q"}],
    answer={"id": f"resp_{BASE}", "output": [THOUGHT, SAID]},
)
ASK = {"role": "user", "content": "now"}


def asked(**fields: Any) -> Any:
    made = request(CREATE)
    made.raw = msgspec.json.encode({"model": "m", **fields})
    assert CREATE.body is not None
    made.body = asgi.decode(CREATE.body, made.raw)
    return made


def keeping() -> KeepingRules[Any]:
    assert isinstance(CREATE, Call)
    assert CREATE.objects is not None
    assert CREATE.objects.keeping is not None
    return CREATE.objects.keeping


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({"type": "item_reference", "id": f"msg_{BASE}_1"}, True),
        ({"id": f"fc_{BASE}_12"}, True),
        ({"type": "reasoning", "id": f"rs_{BASE}_0", "summary": []}, True),
        (THOUGHT, False),
        (SAID, False),
        ({"role": "user", "content": "x", "id": f"msg_{BASE}_1"}, False),
        ({"type": "item_reference", "id": "msg_68af2d0000000000"}, False),
        ({"type": "item_reference", "id": 5}, False),
        ({"type": "item_reference"}, False),
    ],
)
def test_which_items_name_a_response(item: Any, named: bool) -> None:
    assert list(keeping().quotes(asked(input=[item, ASK]))) == ([KEPT.id] if named else [])


def test_what_is_named_is_put_in() -> None:
    rules = keeping()
    thought, said = ({"type": "item_reference", "id": name} for name in (f"rs_{BASE}_0", f"msg_{BASE}_1"))
    gone = {"type": "item_reference", "id": f"msg_{BASE}_9"}
    made = asked(input=[ASK, thought, gone, said], previous_response_id=KEPT.id)
    turn = rules.turn(made, {KEPT.id: KEPT})
    assert turn == [ASK, THOUGHT, gone, SAID]
    assert rules.whole([KEPT], turn) == {
        "input": [*KEPT.turn, THOUGHT, SAID, *turn],
        "previous_response_id": DROP,
        "conversation": DROP,
    }
    assert rules.whole([], turn) == {"input": turn}
    assert rules.turn(asked(input="now"), {}) == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "now"}]}
    ]
    assert list(rules.turn(asked(), {})) == []


@pytest.mark.parametrize(
    ("response", "kept"),
    [
        ({"id": "resp_1", "store": True, "status": "completed"}, True),
        ({"id": "resp_1", "store": True, "status": "incomplete"}, True),
        ({"id": "resp_1", "store": True, "status": "failed"}, False),
        ({"id": "resp_1", "store": True, "status": "in_progress"}, False),
        ({"id": "resp_1", "store": False, "status": "completed"}, False),
        ({"store": True, "status": "completed"}, False),
        (None, False),
    ],
)
def test_what_is_kept(response: Any, kept: bool) -> None:
    for told in (response, {"type": "response.completed", "response": response}):
        assert keeping().read(told) == (("resp_1", response) if kept else None)


def patched(model: str, items: list[Any]) -> Any:
    assert isinstance(CREATE, Call)
    assert CREATE.patch is not None
    return CREATE.patch(asked(input=items), Facts(model=model, requested_model=model))


@pytest.mark.parametrize("model", ["gpt-5", "o3", "openai/gpt-4o", "chatgpt-4o-latest"])
def test_openai_is_not_told_what_it_cannot_know(model: str) -> None:
    nameless = {name: value for name, value in THOUGHT.items() if name != "id"}
    empty = {"type": "reasoning", "id": f"rs_{BASE}_0", "summary": []}
    assert patched(model, [ASK, THOUGHT, nameless, empty, SAID]) == {
        "input": [ASK, {name: value for name, value in SAID.items() if name != "id"}]
    }
    own = [
        {"type": "reasoning", "id": "rs_68af", "summary": [], "encrypted_content": "gAAA"},
        {"type": "reasoning", "id": "rs_68af", "summary": []},
        {"type": "item_reference", "id": f"msg_{BASE}_1"},
        ASK,
    ]
    assert patched(model, own) == {}


def test_an_upstream_that_is_a_gateway_is_told_all() -> None:
    assert patched("claude-opus-4-8", [ASK, THOUGHT, SAID]) == {}
