"""What OpenAI's answers say of their cost; tokens are charged whatever else a look-alike writes beside them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deeepai.declare import Answer, AnyRequest, Usage
from deeepai.protocols.openai import responses, usage

NO_REQUEST: AnyRequest = object()  # pyright: ignore[reportAssignmentType]
CHAT = {"prompt_tokens": 12, "completion_tokens": 5}
RESPONSE = {"input_tokens": 12, "output_tokens": 5}


def answered(value: Any) -> Answer:
    return Answer(200, {}, msgspec.json.encode(value))


@pytest.mark.parametrize("tier", [None, "default", "auto", "on_demand", "", 3, {"name": "x"}, ["flex"]])
def test_tiers_that_change_nothing(tier: Any) -> None:
    found = usage.answer_usage(NO_REQUEST, answered({"usage": CHAT, "service_tier": tier}))
    assert found == Usage(calls=1, input=12, output=5, basis="vendor")
    assert responses.answer_usage(NO_REQUEST, answered({"usage": RESPONSE, "service_tier": tier})) == Usage(
        input=12, output=5, basis="vendor"
    )


@pytest.mark.parametrize("tier", ["flex", "Priority"])
def test_tiers_that_have_prices(tier: str) -> None:
    params = {"service_tier": tier.lower()}
    for read, told in ((usage.answer_usage, CHAT), (responses.answer_usage, RESPONSE)):
        found = read(NO_REQUEST, answered({"usage": told, "service_tier": tier}))
        assert found is not None
        assert (found.params, found.input, found.basis) == (params, 12, "vendor")


@pytest.mark.parametrize(
    "beside",
    [
        {"output": 5},
        {"output": [5, "web_search_call"]},
        {"output": [{"type": "web_search_call", "action": [1]}]},
        {"output": [{"type": "image_generation_call", "size": 1024, "quality": None}]},
        {"output": [{"type": "file_search_call"}], "tools": {"a": 1}},
        {"output": [{"type": "file_search_call"}], "model": 7},
    ],
)
def test_what_cannot_be_read_leaves_the_tokens(beside: dict[str, Any]) -> None:
    plain = Usage(input=12, output=5, basis="vendor")
    assert responses.answer_usage(NO_REQUEST, answered({"usage": RESPONSE, **beside})) == plain
    data = msgspec.json.encode({"type": "response.completed", "response": {"usage": RESPONSE, **beside}})
    assert responses.event_usage(b"event: response.completed\ndata: " + data + b"\n\n") == plain


def test_tools() -> None:
    output = [
        {"type": "web_search_call", "action": {"type": "search", "query": "a"}},
        {"type": "web_search_call", "action": {"type": "open_page", "url": "b"}},
        {"type": "web_search_call"},
        {"type": "file_search_call"},
        {"type": "image_generation_call", "quality": "low", "size": "1024x1024", "result": "AAAA"},
        {"type": "code_interpreter_call"},
        {"type": "message", "content": [{"type": "output_text", "text": '"web_search_call"'}]},
    ]
    found = responses.answer_usage(NO_REQUEST, answered({"usage": RESPONSE, "output": output}))
    assert found is not None
    assert found.others == {
        "web_search": Usage(calls=2),
        "file_search": Usage(calls=1),
        "gpt-image-1": Usage(images=1, params={"quality": "low", "size": "1024x1024"}),
    }
