"""Conversations are kept by the gateway where no upstream keeps any: OpenAI's own SDK leads them with any model."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.clients.test_kept_responses import (
    ANN_TEST,
    BOB,
    TRANSLATED,
    WEATHER,
    House,
    client,
    house,
    plain,
    streamed,
)
from tests.operator import rows

__all__ = ["client", "house"]


def texts(client: OpenAI, name: str) -> list[str]:
    """What was said in a conversation, the oldest first."""
    items = client.conversations.items.list(name, order="asc", limit=100)
    return ["".join(part.text for part in item.content) for item in items if item.type == "message"]  # pyright: ignore


@pytest.mark.operation("openai.conversations.create", "openai.conversations.items.list")
@pytest.mark.parametrize("ask", [plain, streamed])
@pytest.mark.parametrize("model", [*TRANSLATED, "m-native"])
def test_turns_of_a_conversation(house: House, client: OpenAI, model: str, ask: Any) -> None:
    mark = f"{model} {ask.__name__}"
    begun: Any = [{"type": "message", "role": "user", "content": f"My name is Ann, {mark} zero"}]
    talk = client.conversations.create(items=begun, metadata={"topic": "demo"})
    assert (talk.object, talk.metadata, talk.id[:5]) == ("conversation", {"topic": "demo"}, "conv_")
    first = ask(client, model=model, input=f"{mark} one", conversation=talk.id)
    second = ask(client, model=model, input=[{"role": "user", "content": f"{mark} two"}], conversation={"id": talk.id})
    assert (first.conversation.id, second.conversation.id) == (talk.id, talk.id)
    said = house.sent(f"{mark} two")
    assert talk.id not in said
    assert said.index(f"{mark} zero") < said.index(f"{mark} one") < said.index(f"{mark} two")
    wanted = [f"My name is Ann, {mark} zero", f"{mark} one", first.output_text, f"{mark} two", second.output_text]
    assert texts(client, talk.id) == wanted


@pytest.mark.operation("openai.responses.create")
@pytest.mark.parametrize("model", TRANSLATED)
def test_calls_of_tools_in_a_conversation_and_another_model_in_it(client: OpenAI, model: str) -> None:
    talk = client.conversations.create()
    asked: Any = {"tools": [WEATHER], "reasoning": {"effort": "medium", "summary": "auto"}, "conversation": talk.id}
    first = client.responses.create(model=model, input=f"{model} weather? [tool]", **asked)
    call = next(item for item in first.output if item.type == "function_call")
    output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    second = client.responses.create(model=model, input=output, store=False, **asked)
    for other in (*TRANSLATED, "m-native"):
        assert client.responses.create(model=other, input="And now?", conversation=talk.id).output_text
    kinds = [item.type for item in client.conversations.items.list(talk.id, order="asc", limit=100)]
    assert kinds.index("function_call") < kinds.index("function_call_output")
    assert second.output_text in texts(client, talk.id)


@pytest.mark.operation(
    "openai.conversations.get",
    "openai.conversations.update",
    "openai.conversations.delete",
    "openai.conversations.items.create",
    "openai.conversations.items.get",
    "openai.conversations.items.delete",
)
def test_a_conversation_and_its_items_are_read_changed_and_deleted(house: House, client: OpenAI) -> None:
    talk = client.conversations.create()
    added = client.conversations.items.create(
        talk.id, items=[{"role": "user", "content": f"number {number}"} for number in range(5)]
    )
    ids = [str(item.id) for item in added.data]
    assert len(set(ids)) == 5
    assert client.conversations.items.retrieve(ids[1], conversation_id=talk.id).id == ids[1]
    pages = client.conversations.items.list(talk.id, order="asc", limit=2)
    assert ([item.id for item in pages.data], pages.has_more) == (ids[:2], True)
    assert [item.id for item in pages] == ids
    assert [item.id for item in client.conversations.items.list(talk.id)] == ids[::-1]
    assert client.conversations.items.delete(ids[1], conversation_id=talk.id).id == talk.id
    assert texts(client, talk.id) == ["number 0", "number 2", "number 3", "number 4"]
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve(ids[1], conversation_id=talk.id)
    assert client.conversations.update(talk.id, metadata={"a": "b"}).metadata == {"a": "b"}
    assert client.conversations.retrieve(talk.id).metadata == {"a": "b"}
    assert client.conversations.delete(talk.id).deleted
    for call in (
        lambda: client.conversations.retrieve(talk.id),
        lambda: client.conversations.items.list(talk.id),
        lambda: client.responses.create(model="m-gemini", input="x", conversation=talk.id),
    ):
        with pytest.raises(openai.NotFoundError):
            call()
    assert rows(house.gateway, f"SELECT * FROM kept_items WHERE conversation_id = '{talk.id}'") == []


def test_a_conversation_is_its_owners_alone(house: House, client: OpenAI) -> None:
    talk = client.conversations.create(items=[{"role": "user", "content": "mine"}])
    for key in (BOB, ANN_TEST):
        other = house.client(key)
        for call in (
            lambda other=other: other.conversations.retrieve(talk.id),
            lambda other=other: other.conversations.items.list(talk.id),
            lambda other=other: other.conversations.delete(talk.id),
            lambda other=other: other.responses.create(model="m-anthropic", input="x", conversation=talk.id),
        ):
            with pytest.raises(openai.NotFoundError):
                call()
    assert texts(client, talk.id) == ["mine"]


@pytest.mark.parametrize("ask", [plain, streamed])
def test_what_fails_adds_nothing(client: OpenAI, ask: Any) -> None:
    talk = client.conversations.create()
    with pytest.raises(openai.APIError):
        ask(client, model="m-anthropic", input="[sandbox:fail] x", conversation=talk.id)
    assert texts(client, talk.id) == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"previous_response_id": "resp_1"}, "mutually exclusive|Mutually exclusive"),
        ({"prompt": {"id": "pmpt_1"}}, "No such object|Stored prompts"),
        ({"conversation": "conv_none"}, "No such object"),
    ],
)
def test_what_is_refused(client: OpenAI, asked: Any, words: str) -> None:
    talk = client.conversations.create()
    with pytest.raises((openai.BadRequestError, openai.NotFoundError), match=words):
        client.responses.create(model="m-gemini", input="x", **({"conversation": talk.id} | asked))


@pytest.mark.parametrize(
    "asked",
    [
        {"metadata": {"a": "x" * 513}},
        {"metadata": {str(number): "x" for number in range(17)}},
        {"items": [{"role": "user", "content": "x"}] * 21},
        {"items": [{"type": "item_reference", "id": "msg_1"}]},
    ],
)
def test_conversations_that_are_none(client: OpenAI, asked: Any) -> None:
    with pytest.raises((openai.BadRequestError, openai.NotFoundError)):
        client.conversations.create(**asked)


def test_a_conversation_is_counted_with_what_was_said_in_it(client: OpenAI) -> None:
    talk = client.conversations.create(items=[{"role": "user", "content": "many words " * 50}])
    alone = client.responses.input_tokens.count(model="m-gemini", input="x").input_tokens
    within = client.responses.input_tokens.count(model="m-gemini", input="x", conversation=talk.id).input_tokens
    assert within > alone + 50
