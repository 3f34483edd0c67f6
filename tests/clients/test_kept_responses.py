"""Responses of models that other formats serve are kept by the gateway: OpenAI's own SDKs go on from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.clients.test_node import run
from tests.operator import asked_of, rows, usage_row
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.until import until

ANN = "sk-live-ann-00000000000000000000000011"
ANN_TEST = "sk-test-ann-00000000000000000000000012"
BOB = "sk-live-bob-00000000000000000000000013"
TRANSLATED = ("m-chat", "m-anthropic", "m-gemini")
UPSTREAMS = {
    "chat": ("openai", "/openai/v1", "o4-mini", ["chat.completions"]),
    "anthropic": ("anthropic", "/anthropic", "claude-sonnet-4-5", None),
    "gemini": ("gemini", "/gemini", "gemini-3-flash-preview", None),
    "native": ("openai", "/openai/v1", "gpt-4o-mini", ["responses*"]),
}
PEOPLE = "".join(
    f'[[users]]\nname = "{name}"\npassword = "{name}-password"\ncredit = 50\n\n' for name in ("ann", "bob")
) + "".join(
    f'[[tokens]]\nname = "{name}"\nkey = "{key}"\naccount = "{account}"\nmode = "{mode}"\n\n'
    for name, key, account, mode in (
        ("ann", ANN, "ann", "live"),
        ("ann-test", ANN_TEST, "ann", "test"),
        ("bob", BOB, "bob", "live"),
    )
)
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


@dataclass
class House:
    gateway: Gateway
    _clients: list[OpenAI] = field(default_factory=list[OpenAI])

    def client(self, key: str = ANN) -> OpenAI:
        made = OpenAI(base_url=f"{self.gateway.url}/v1", api_key=key, max_retries=0)
        self._clients.append(made)
        return made

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def sent(self, words: str) -> str:
        """The request with these words that reached an upstream, as text."""
        found = asked_of(self.gateway, words)
        assert found is not None
        return json.dumps(found["body"])


def channels(sandbox: Sandbox) -> str:
    pieces: list[str] = []
    for name, (protocol, path, model, operations) in UPSTREAMS.items():
        limited = f"settings = {{ operations = {json.dumps(operations)} }}\n" if operations else ""
        pieces += [
            f'[[channels]]\nname = "{name} {mode}"\nprotocol = "{protocol}"\nbase_url = "{sandbox.url}{path}"\n'
            f'credential = "sk-upstream"\nmodels = ["m-{name}"]\nmodel_map = {{ "m-{name}" = "{model}" }}\n'
            f'mode = "{mode}"\n{limited}\n'
            for mode in ("live", "test")
        ]
        pieces.append(f'[prices."m-{name}"]\nper_million = {{ input = "1", cached = "0.5", output = "10" }}\n\n')
    return "".join(pieces)


@pytest.fixture(scope="module")
def house(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    # Two workers: what one keeps, the other knows.
    flags = ("--no-engines", "--no-sandbox", "--workers", "2")
    data = Path(tmp_path_factory.mktemp("kept"))
    made = House(Gateway(data, sandbox, flags, toml=channels(sandbox) + PEOPLE).start())
    coverage_results.watch(made.gateway.url)
    yield made
    made.close()
    made.gateway.stop()


@pytest.fixture
def client(house: House) -> OpenAI:
    return house.client()


def streamed(client: OpenAI, **asked: Any) -> Any:
    with client.responses.stream(**asked) as stream:
        events = list(stream)
        whole = stream.get_final_response()
    assert events[0].type == "response.created"
    assert events[0].response.store == whole.store
    return whole


def plain(client: OpenAI, **asked: Any) -> Any:
    return client.responses.create(**asked)


# Going on ------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.responses.create")
@pytest.mark.parametrize("ask", [plain, streamed])
@pytest.mark.parametrize("model", TRANSLATED)
def test_a_conversation_goes_on_from_its_last_response(house: House, client: OpenAI, model: str, ask: Any) -> None:
    mark = f"{model} {ask.__name__}"
    first = ask(client, model=model, input=f"My name is Ann, {mark} one", instructions="Be brief")
    assert first.store is True
    second = ask(client, model=model, input=f"{mark} two", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    third = ask(
        client, model=model, input=[{"role": "user", "content": f"{mark} three"}], previous_response_id=second.id
    )
    said = house.sent(f"{mark} three")
    for words in (f"My name is Ann, {mark} one", first.output_text, f"{mark} two", second.output_text):
        assert json.dumps(words)[1:-1] in said
    assert said.index(f"{mark} one") < said.index(f"{mark} two") < said.index(f"{mark} three")
    assert "Be brief" not in said, "instructions are of one turn"
    assert third.usage.input_tokens > second.usage.input_tokens > first.usage.input_tokens
    # Two may go on from one.
    ask(client, model=model, input=f"{mark} other", previous_response_id=first.id)
    assert f"{mark} two" not in house.sent(f"{mark} other")


@pytest.mark.operation("openai.responses.create")
@pytest.mark.parametrize("ask", [plain, streamed])
@pytest.mark.parametrize("model", TRANSLATED)
def test_tools_with_thoughts_go_on_from_a_response_or_from_its_items(
    house: House, client: OpenAI, model: str, ask: Any
) -> None:
    mark = f"{model} {ask.__name__} tool"
    asked = {"model": model, "tools": [WEATHER], "reasoning": {"effort": "medium", "summary": "auto"}}
    first = ask(client, **asked, input=f"{mark} weather? [tool]", tool_choice="auto")
    call = next(item for item in first.output if item.type == "function_call")
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": f"sunny in {mark}"}
    second = ask(client, **asked, previous_response_id=first.id, input=[output])
    assert f"sunny in {mark}" in second.output_text
    # As the AI SDK names them.
    names: Any = [{"type": "item_reference", "id": item.id} for item in first.output]
    question = {"role": "user", "content": f"{mark} weather? [tool] again"}
    third = ask(client, **asked, input=[question, *names, {**output, "output": f"rainy in {mark}"}])
    assert f"rainy in {mark}" in third.output_text
    assert call.call_id in house.sent(f"rainy in {mark}") or model == "m-gemini"
    if any(item.type == "reasoning" for item in first.output):
        # What was thought comes back to who thought it, with its signature.
        assert "ignature" in house.sent(f"rainy in {mark}")


@pytest.mark.operation("openai.responses.create")
def test_thoughts_named_by_their_ids_are_never_missed(client: OpenAI) -> None:
    first = client.responses.create(
        model="m-anthropic",
        input="Think",
        reasoning={"effort": "medium", "summary": "auto"},
        store=False,
    )
    assert first.store is False
    thought = next(item for item in first.output if item.type == "reasoning")
    items: Any = [
        {"role": "user", "content": "Think"},
        {"type": "reasoning", "id": thought.id, "summary": []},
        {"role": "assistant", "content": first.output_text},
        {"role": "user", "content": "And now?"},
    ]
    for model in (*TRANSLATED, "m-native"):
        assert client.responses.create(model=model, input=items).output_text
    items[1] = thought.to_dict()
    for model in (*TRANSLATED, "m-native"):
        assert client.responses.create(model=model, input=items).output_text


@pytest.mark.operation("openai.responses.create")
def test_conversations_cross_between_kept_here_and_kept_there(house: House, client: OpenAI) -> None:
    asked: Any = {"reasoning": {"effort": "medium", "summary": "auto"}}
    here = client.responses.create(model="m-anthropic", input="Crossing one", **asked)
    there = client.responses.create(model="m-native", input="Crossing two", previous_response_id=here.id)
    said = house.sent("Crossing two")
    assert "Crossing one" in said
    assert here.output_text[:20] in said
    assert "encrypted_content" not in said, "no other vendor reads these thoughts"
    assert here.output[0].id not in said
    names: Any = [{"type": "item_reference", "id": item.id} for item in here.output]
    assert client.responses.create(model="m-native", input=[*names, {"role": "user", "content": "Go on"}]).output_text
    # What the vendor keeps, goes on there.
    on: Any = client.responses.create(model="m-native", input="Crossing three", previous_response_id=there.id)
    assert on.previous_response_id == there.id
    with pytest.raises(openai.BadRequestError, match=f"'{there.id}' is kept by an upstream that has no 'm-gemini'"):
        client.responses.create(model="m-gemini", input="Crossing four", previous_response_id=there.id)
    back: Any = [item.to_dict() for item in there.output]
    assert client.responses.create(
        model="m-gemini", input=[*back, {"role": "user", "content": "Crossing five"}]
    ).output_text


@pytest.mark.operation("openai.responses.create")
def test_a_kept_answer_is_charged_once_by_all_that_it_goes_on_from(house: House, client: OpenAI) -> None:
    first = client.responses.create(model="m-chat", input="Charged one " + "word " * 200)
    second = client.responses.create(model="m-chat", input="Charged two", previous_response_id=first.id)
    row = usage_row(house.gateway, second._request_id or "")
    assert second.usage is not None
    assert row["consumed"]["input"] == second.usage.input_tokens > 200
    assert row["cost"] == second.usage.input_tokens * 1000 + second.usage.output_tokens * 10_000
    assert len(rows(house.gateway, "SELECT 1 FROM ledger WHERE request_id = ?", row["request_id"])) >= 1


# Owners --------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.responses.create", "openai.responses.get")
def test_a_response_is_its_account_s_alone(house: House, client: OpenAI) -> None:
    made = client.responses.create(model="m-anthropic", input="Only mine")
    (item,) = made.output
    for key, name in ((BOB, made.id), (ANN_TEST, made.id), (ANN, "resp_nobodys")):
        other = house.client(key)
        with pytest.raises(openai.BadRequestError) as fault:
            other.responses.create(model="m-anthropic", input="And now?", previous_response_id=name)
        assert fault.value.body == {
            "message": f"Previous response with id '{name}' not found.",
            "type": "invalid_request_error",
            "param": "previous_response_id",
            "code": "previous_response_not_found",
        }
        part = item.id if name == made.id else "msg_nobodys_0"
        reference: Any = {"type": "item_reference", "id": part}
        with pytest.raises(openai.NotFoundError, match=f"Item with id '{part}' not found."):
            other.responses.create(model="m-anthropic", input=[reference, {"role": "user", "content": "And now?"}])
        for call in (other.responses.retrieve, other.responses.delete, other.responses.input_items.list):
            with pytest.raises(openai.NotFoundError, match=f"Response with id '{name}' not found."):
                call(name)
    assert client.responses.retrieve(made.id).output_text == made.output_text
    own = house.client(ANN_TEST)
    tried = own.responses.create(model="m-anthropic", input="Only tried")
    assert own.responses.retrieve(tried.id).id == tried.id
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(tried.id)


# Calls on one --------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.responses.get", "openai.responses.input_items", "openai.responses.delete")
@pytest.mark.parametrize("ask", [plain, streamed])
def test_life_of_a_kept_response(house: House, client: OpenAI, ask: Any) -> None:
    first = ask(client, model="m-gemini", input="Zero")
    said: Any = [
        {"role": "user", "content": "One"},
        {"type": "item_reference", "id": first.output[0].id},
        {"role": "user", "content": [{"type": "input_text", "text": "Two"}]},
    ]
    made = ask(client, model="m-gemini", input=said, metadata={"topic": "demo"})
    told = client.responses.retrieve(made.id)
    assert (told.id, told.output_text, told.usage) == (made.id, made.output_text, made.usage)
    assert client.responses.retrieve(made.id).metadata == {"topic": "demo"}
    listed = list(client.responses.input_items.list(made.id, order="asc"))
    assert [item.type for item in listed] == ["message"] * 3
    assert [item.content[0].text for item in listed] == ["One", first.output_text, "Two"]  # pyright: ignore
    ids = [item.id for item in listed]
    assert len(set(ids)) == 3
    assert [item.id for item in client.responses.input_items.list(made.id).data] == ids[::-1]
    page = client.responses.input_items.list(made.id, order="asc", limit=2)
    assert [item.id for item in page.data] == ids[:2]
    assert page.has_more
    after = client.responses.input_items.list(made.id, order="asc", limit=2, after=ids[1] or "")
    assert [item.id for item in after.data] == ids[2:]
    assert not after.has_more
    for query in ({"limit": 0}, {"order": "up"}):
        with pytest.raises(openai.BadRequestError):
            client.responses.input_items.list(made.id, **query)
    with pytest.raises(openai.BadRequestError, match="cannot be streamed"):
        client.responses.retrieve(made.id, stream=True)
    with pytest.raises(openai.BadRequestError, match="Cannot cancel"):
        client.responses.cancel(made.id)
    last = ask(client, model="m-gemini", input="Three", previous_response_id=made.id)
    client.responses.delete(made.id)
    for call in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(openai.NotFoundError):
            call(made.id)
    # What went on from it has lost its beginning.
    with pytest.raises(openai.BadRequestError, match=f"Previous response with id '{made.id}' not found."):
        client.responses.create(model="m-gemini", input="Four", previous_response_id=last.id)
    assert client.responses.retrieve(last.id).id == last.id


@pytest.mark.operation("openai.responses.create")
@pytest.mark.parametrize("ask", [plain, streamed])
@pytest.mark.parametrize("model", TRANSLATED)
def test_what_is_not_to_be_stored_is_not_kept(house: House, client: OpenAI, model: str, ask: Any) -> None:
    made = ask(client, model=model, input="Forget me", store=False)
    assert made.store is False
    assert not rows(house.gateway, "SELECT 1 FROM kept_answers WHERE id = ?", made.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=model, input="And now?", previous_response_id=made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


@pytest.mark.operation("openai.responses.create")
def test_a_response_that_broke_off_is_not_kept(house: House, client: OpenAI) -> None:
    stream = client.responses.create(model="m-anthropic", input="[sandbox:cut-stream=4] x", stream=True)
    events = list(stream)
    assert events[-1].type == "response.failed"
    assert not rows(house.gateway, "SELECT 1 FROM kept_answers WHERE id = ?", events[0].response.id)  # pyright: ignore


def test_what_has_expired_is_gone_and_then_forgotten(sandbox: Sandbox, tmp_path: Path) -> None:
    env = {"DEEEPAI_ANSWER_DAYS": "0.000001"}
    house = House(Gateway(tmp_path / "brief", sandbox, env=env, toml=channels(sandbox) + PEOPLE).start())
    try:
        client = house.client()
        made = client.responses.create(model="m-chat", input="Brief")
        assert made.store is True

        def gone() -> bool:
            try:
                client.responses.retrieve(made.id)
            except openai.NotFoundError:
                return True
            return False

        until(gone)
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="m-chat", input="And now?", previous_response_id=made.id)
        until(lambda: not rows(house.gateway, "SELECT 1 FROM kept_answers"))
    finally:
        house.close()
        house.gateway.stop()


def test_an_operator_may_keep_none(sandbox: Sandbox, tmp_path: Path) -> None:
    env = {"DEEEPAI_ANSWER_DAYS": "0"}
    house = House(Gateway(tmp_path / "none", sandbox, env=env, toml=channels(sandbox) + PEOPLE).start())
    try:
        client = house.client()
        for ask in (plain, streamed):
            assert ask(client, model="m-chat", input="Keep me", store=True).store is False
        assert not rows(house.gateway, "SELECT 1 FROM kept_answers")
    finally:
        house.close()
        house.gateway.stop()


# Counted, and compacted ----------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.responses.input_tokens")
@pytest.mark.parametrize("model", TRANSLATED)
def test_the_input_is_counted(client: OpenAI, model: str) -> None:
    first = client.responses.create(model=model, input="word " * 100)
    alone = client.responses.input_tokens.count(model=model, input="And now?")
    assert alone.object == "response.input_tokens"
    assert 1 < alone.input_tokens < 20
    on = client.responses.input_tokens.count(model=model, input="And now?", previous_response_id=first.id)
    assert on.input_tokens > alone.input_tokens + 100
    with pytest.raises(openai.BadRequestError, match="Previous response with id 'resp_x' not found"):
        client.responses.input_tokens.count(model=model, input="And now?", previous_response_id="resp_x")
    with pytest.raises(openai.NotFoundError, match="no-such-model"):
        client.responses.input_tokens.count(model="no-such-model", input="And now?")


@pytest.mark.operation("openai.responses.compact")
@pytest.mark.parametrize("model", TRANSLATED)
def test_a_conversation_is_compacted(house: House, client: OpenAI, model: str) -> None:
    first = client.responses.create(model=model, input=f"{model} compact one", tools=[WEATHER])
    said: Any = [{"role": "user", "content": f"{model} compact two"}]
    made = client.responses.compact(model=model, input=said, previous_response_id=first.id)
    assert made.object == "response.compaction"
    assert made.usage.total_tokens > 0
    assert [item.type for item in made.output] == ["message", "message", "compaction"]
    row = usage_row(house.gateway, made._request_id or "")
    assert (row["operation"], row["status"]) == ("openai.responses.compact", 200)
    assert row["cost"] == made.usage.input_tokens * 1000 + made.usage.output_tokens * 10_000
    summed = house.sent(f"{model} compact two")
    assert "Write a summary" in summed
    assert f"{model} compact one" in summed
    items: Any = [item.to_dict(warnings=False) for item in made.output]
    answer = client.responses.create(model=model, input=[*items, {"role": "user", "content": f"{model} compact three"}])
    assert answer.output_text
    on = house.sent(f"{model} compact three")
    assert "What was said until now" in on
    # The summary is what the model said, and goes to any other.
    assert "This is test mode" in on
    other = TRANSLATED[TRANSLATED.index(model) - 1]
    client.responses.create(model=other, input=[*items, {"role": "user", "content": f"{model} compact four"}])
    assert "This is test mode" in house.sent(f"{model} compact four")


@pytest.mark.operation("openai.responses.create")
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", TRANSLATED)
def test_a_conversation_is_compacted_in_its_course(house: House, client: OpenAI, model: str, streams: bool) -> None:
    """As Codex wants it: by an item at the end of the input, the answer to which is one item."""
    mark = f"{model} {streams} course"
    asked: Any = {
        "model": model,
        "input": [{"role": "user", "content": f"{mark} one"}, {"type": "compaction_trigger"}],
        "reasoning": {"summary": "auto"},
        "tools": [WEATHER],
        "text": {"format": {"type": "json_object"}},
    }
    if streams:
        events: list[Any] = list(client.responses.create(**asked, stream=True))
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert [event.type.removeprefix("response.") for event in events] == [
            *("created", "in_progress", "output_item.added", "output_item.done", "completed")
        ]
        made = events[-1].response
        assert events[3].item == made.output[0]
    else:
        made = client.responses.create(**asked)
    (item,) = made.output
    assert item.type == "compaction"
    items: Any = [item.to_dict(), {"role": "user", "content": f"{mark} two"}]
    assert client.responses.create(model=model, input=items).output_text
    sent = house.sent(f"{mark} two")
    assert "This is test mode" in sent
    assert "What was said until now" in sent
    assert client.responses.create(model=model, input=f"{mark} three", previous_response_id=made.id).output_text
    assert "Answer with the summary alone" not in house.sent(f"{mark} three")


# Of Node -------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.responses.create")
@pytest.mark.parametrize("model", TRANSLATED)
def test_the_ai_sdk_goes_on(house: House, model: str) -> None:
    seen = run("ai_openai.mjs", house.gateway, TOKEN=ANN, MODEL=model)
    assert seen["second"]
    assert seen["streamed"]
    assert seen["references"] >= 2, "it names what it believes to be stored"
    assert "sunny" in seen["tools"]
    assert seen["steps"] == 2
    assert seen["stored"] == seen["chained"]
