"""The Responses API and conversations, by OpenAI's own Python SDK through the gateway."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.operator import rows, usage_row
from tests.stack import Gateway
from tests.support.until import until

MODEL = "gpt-4o-mini"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


def price(consumed: dict[str, Any]) -> int:
    """What gpt-4o-mini costs, in 10⁻⁹ USD: $0.15, cached $0.075, and $0.60 per million tokens."""
    return consumed.get("input", 0) * 150 + consumed.get("cached", 0) * 75 + consumed.get("output", 0) * 600


@pytest.mark.operation("openai.responses.create", "openai.responses.get", "openai.responses.delete")
def test_life_of_a_response(client: OpenAI, gateway: Gateway) -> None:
    made = client.responses.create(model=MODEL, input="Say this is a test! [sandbox:cached=2] [sandbox:reasoning=3]")
    assert made.status == "completed"
    assert "test mode" in made.output_text
    assert made.usage is not None
    row = usage_row(gateway, made._request_id or "")
    assert row["basis"] == "vendor"
    assert row["consumed"]["cached"] == 2
    assert row["consumed"]["reasoning"] == 3
    assert row["consumed"]["input"] + 2 == made.usage.input_tokens
    assert row["consumed"]["output"] == made.usage.output_tokens
    assert row["cost"] == price(row["consumed"])
    assert client.responses.retrieve(made.id).output_text == made.output_text
    streamed = list(client.responses.retrieve(made.id, stream=True, starting_after=2))
    assert streamed[0].sequence_number == 3
    assert streamed[-1].type == "response.completed"
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


@pytest.mark.operation("openai.responses.create")
@pytest.mark.parametrize("streamed", [False, True])
def test_the_vendor_s_tools_are_charged(client: OpenAI, gateway: Gateway, streamed: bool) -> None:
    store = client.vector_stores.create()
    tools: Any = [
        {"type": "web_search"},
        {"type": "file_search", "vector_store_ids": [store.id]},
        {"type": "image_generation", "model": "gpt-image-1-mini", "size": "1024x1536", "quality": "low"},
    ]
    if streamed:
        with client.responses.stream(model=MODEL, input="Look it up, and draw it", tools=tools) as stream:
            made = stream.get_final_response()
            row = usage_row(gateway, stream._response.headers["x-request-id"])  # pyright: ignore[reportPrivateUsage]
    else:
        made = client.responses.create(model=MODEL, input="Look it up, and draw it", tools=tools)
        row = usage_row(gateway, made._request_id or "")
    assert [one.type for one in made.output][:-1] == ["web_search_call", "file_search_call", "image_generation_call"]
    others = row["consumed"]["others"]
    assert others == {
        "web_search": {"calls": 1},
        "file_search": {"calls": 1},
        "gpt-image-1-mini": {"images": 1, "params": {"quality": "low", "size": "1024x1536"}},
    }
    # $10 and $2.50 a thousand; a small upright picture $0.006.
    assert row["cost"] == price(row["consumed"]) + 10_000_000 + 2_500_000 + 6_000_000


@pytest.mark.operation("openai.responses.create")
def test_a_search_by_the_older_tool_costs_more(client: OpenAI, gateway: Gateway) -> None:
    made = client.responses.create(model="gpt-4.1", input="Look it up", tools=[{"type": "web_search_preview"}])
    assert usage_row(gateway, made._request_id or "")["consumed"]["others"] == {"web_search_preview": {"calls": 1}}
    made = client.responses.create(model="gpt-5", input="Look it up", tools=[{"type": "web_search_preview"}])
    assert usage_row(gateway, made._request_id or "")["consumed"]["others"] == {"web_search": {"calls": 1}}


@pytest.mark.operation("openai.responses.create")
@pytest.mark.parametrize(("tier", "times"), [("flex", 0.5), ("priority", 2), ("auto", 1)])
def test_the_tier_that_answered_is_charged(client: OpenAI, gateway: Gateway, tier: Any, times: float) -> None:
    # gpt-5: $1.25 and $10 per million tokens.
    def whole(consumed: dict[str, Any]) -> Fraction:
        return Fraction(times) * (consumed["input"] * 1250 + consumed["output"] * 10_000)

    made = client.responses.create(model="gpt-5", input="Say this is a test!", service_tier=tier)
    row = usage_row(gateway, made._request_id or "")
    assert row["cost"] == math.ceil(whole(row["consumed"]))
    messages: Any = [{"role": "user", "content": "Say this is a test!"}]
    said = client.chat.completions.create(model="gpt-5", messages=messages, service_tier=tier)
    row = usage_row(gateway, said._request_id or "")
    assert row["cost"] == math.ceil(whole(row["consumed"]))
    stream = client.chat.completions.create(model="gpt-5", messages=messages, service_tier=tier, stream=True)
    assert [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    row = usage_row(gateway, stream.response.headers["x-request-id"])
    assert row["cost"] == math.ceil(whole(row["consumed"]))


@pytest.mark.operation("openai.responses.create")
def test_stream(client: OpenAI, gateway: Gateway) -> None:
    with client.responses.stream(model=MODEL, input="Say this is a test!") as stream:
        events = list(stream)
        whole = stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    (row,) = rows(
        gateway, "SELECT * FROM usage WHERE operation = 'openai.responses.create' ORDER BY request_id DESC LIMIT 1"
    )
    assert row["streamed"] == 1
    assert row["basis"] == "vendor"
    assert row["cost"] > 0
    assert client.responses.retrieve(whole.id).id == whole.id


@pytest.mark.operation("openai.responses.create")
def test_stream_without_usage_is_counted_and_a_cut_one_ends_in_an_error(client: OpenAI, gateway: Gateway) -> None:
    stream = client.responses.create(model=MODEL, input="[sandbox:no-usage] count me", stream=True)
    assert [event.type for event in stream][-1] == "response.completed"
    row = usage_row(gateway, stream.response.headers["x-request-id"])
    assert row["basis"] == "counted"
    assert row["cost"] > 0
    stream = client.responses.create(model=MODEL, input="[sandbox:cut-stream=9] x", stream=True)
    events = list(stream)
    last = events[-1]
    assert [event.sequence_number for event in events] == list(range(10))
    assert last.type == "error"
    assert last.code == "upstream_error"
    row = usage_row(gateway, stream.response.headers["x-request-id"])
    assert row["basis"] == "counted"
    assert row["cost"] > 0


@pytest.mark.operation("openai.responses.create")
def test_tools_and_what_follows_on_them(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="Weather?", tools=[WEATHER], tool_choice="required")
    (called,) = first.output
    assert called.type == "function_call"
    output: Any = {"type": "function_call_output", "call_id": called.call_id, "output": "sunny"}
    second = client.responses.create(model=MODEL, previous_response_id=first.id, input=[output], tools=[WEATHER])
    assert "sunny" in second.output_text
    assert second.previous_response_id == first.id
    reference: Any = {"type": "item_reference", "id": called.id}
    assert client.responses.create(model=MODEL, input=[reference, output]).output_text
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model=MODEL, input=[{"type": "item_reference", "id": "msg_nobodys"}, output])


@pytest.mark.operation("openai.responses.create", "openai.responses.cancel", "openai.responses.delete")
def test_background_is_charged_once_whoever_looks(client: OpenAI, gateway: Gateway) -> None:
    made = client.responses.create(model=MODEL, input="Think long", background=True)
    assert made.status == "queued"
    name = made._request_id or ""
    (task,) = rows(gateway, "SELECT * FROM tasks WHERE request_id = ?", name)
    assert task["upstream_id"] == made.id
    # Nobody asks for it: the gateway does.
    until(lambda: rows(gateway, "SELECT 1 FROM tasks WHERE request_id = ? AND finished_at IS NOT NULL", name))
    row = usage_row(gateway, name)
    assert row["basis"] == "vendor"
    assert row["cost"] == price(row["consumed"]) > 0
    assert not rows(gateway, "SELECT 1 FROM holds WHERE request_id = ?", name)
    assert client.responses.retrieve(made.id).status == "completed"
    assert len(rows(gateway, "SELECT 1 FROM ledger WHERE request_id = ? AND kind = 'charge'", name)) == 1
    # A retrieval that tells of the end has it paid for first.
    again = client.responses.create(model=MODEL, input="Think long again", background=True)
    until(lambda: client.responses.retrieve(again.id).status == "completed")
    assert usage_row(gateway, again._request_id or "")["cost"] > 0
    cancelled = client.responses.create(model=MODEL, input="[sandbox:never-finish] x", background=True)
    with pytest.raises(openai.ConflictError):
        client.responses.delete(cancelled.id)
    assert client.responses.cancel(cancelled.id).status == "cancelled"
    client.responses.delete(cancelled.id)
    row = usage_row(gateway, cancelled._request_id or "")
    assert row["cost"] == 0
    failed = client.responses.create(model=MODEL, input="[sandbox:fail-midway] x", background=True)
    until(lambda: client.responses.retrieve(failed.id).status == "failed")
    until(lambda: not rows(gateway, "SELECT 1 FROM holds WHERE request_id = ?", failed._request_id))
    assert usage_row(gateway, failed._request_id or "")["cost"] == 0


@pytest.mark.operation("openai.responses.create")
def test_background_stream(client: OpenAI, gateway: Gateway) -> None:
    stream = client.responses.create(model=MODEL, input="Think aloud", background=True, stream=True)
    events = list(stream)
    assert [event.type for event in events][1] == "response.queued"
    assert events[-1].type == "response.completed"
    name = stream.response.headers["x-request-id"]
    row = until(lambda: (found := usage_row(gateway, name))["cost"] and found)
    assert row["cost"] == price(row["consumed"])


def test_background_stream_that_is_cut_goes_on_counting(client: OpenAI) -> None:
    events = list(
        client.responses.create(model=MODEL, input="[sandbox:cut-stream=5] aloud", background=True, stream=True)
    )
    assert [event.sequence_number for event in events] == list(range(6))
    assert events[-1].type == "error"


@pytest.mark.operation("openai.responses.input_items", "openai.responses.input_tokens", "openai.responses.compact")
def test_input(client: OpenAI, gateway: Gateway) -> None:
    made = client.responses.create(model=MODEL, input="Say this is a test!")
    (item,) = client.responses.input_items.list(made.id).data
    assert item.type == "message"
    counted = client.responses.input_tokens.count(model=MODEL, input="Say this is a test!")
    assert made.usage is not None
    assert counted.input_tokens == made.usage.input_tokens
    compacted = client.responses.compact(model=MODEL, input="Say this is a test!")
    assert compacted.output[0].type == "compaction"
    assert usage_row(gateway, compacted._request_id or "")["cost"] > 0


@pytest.mark.operation("openai.conversations.create", "openai.conversations.get", "openai.conversations.update")
@pytest.mark.operation("openai.conversations.items.create", "openai.conversations.items.list")
@pytest.mark.operation("openai.conversations.items.get", "openai.conversations.items.delete")
@pytest.mark.operation("openai.conversations.delete")
def test_conversation(client: OpenAI) -> None:
    made = client.conversations.create(metadata={"topic": "demo"})
    assert client.conversations.retrieve(made.id).metadata == {"topic": "demo"}
    assert client.conversations.update(made.id, metadata={"topic": "other"}).metadata == {"topic": "other"}
    message: Any = {"type": "message", "role": "user", "content": "Hello!"}
    (added,) = client.conversations.items.create(made.id, items=[message]).data
    answer = client.responses.create(model=MODEL, conversation=made.id, input="Go on")
    assert answer.conversation is not None
    assert answer.conversation.id == made.id
    items = list(client.conversations.items.list(made.id, limit=2))
    assert len(items) == 3
    assert client.conversations.items.retrieve(added.id or "", conversation_id=made.id).id == added.id
    client.conversations.items.delete(added.id or "", conversation_id=made.id)
    assert len(list(client.conversations.items.list(made.id))) == 2
    client.conversations.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model=MODEL, conversation=made.id, input="Go on")


def test_what_is_not_stored_is_not_kept(client: OpenAI, gateway: Gateway) -> None:
    made = client.responses.create(model=MODEL, input="Forget me", store=False)
    assert not rows(gateway, "SELECT 1 FROM objects WHERE id = ?", made.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=MODEL, input="And now?", previous_response_id=made.id)
