"""Files, uploads, batches, vector stores, assistants, fine-tuning and stored completions, by OpenAI's Python SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.operator import paid, rows, usage_row
from tests.stack import Gateway, Sandbox
from tests.support.until import until

MODEL = "gpt-4o-mini"
SUM: Any = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


def lines(*said: str, model: str = MODEL, url: str = "/v1/chat/completions") -> bytes:
    """A batch's input."""
    return b"".join(
        json.dumps(
            {
                "custom_id": f"n{number}",
                "method": "POST",
                "url": url,
                "body": {"model": model, "messages": [{"role": "user", "content": text}]},
            }
        ).encode()
        + b"\n"
        for number, text in enumerate(said)
    )


# Files -------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.files.create", "openai.files.list", "openai.files.get", "openai.files.delete")
@pytest.mark.operation("openai.files.content")
def test_files(client: OpenAI, gateway: Gateway) -> None:
    made = [
        client.files.create(file=(f"notes-{number}.txt", b"line\n" * number), purpose="user_data")
        for number in range(1, 6)
    ]
    assert [one.bytes for one in made] == [5, 10, 15, 20, 25]
    assert made[0].filename == "notes-1.txt"
    assert usage_row(gateway, made[0]._request_id or "")["cost"] == 0
    assert client.files.retrieve(made[2].id).bytes == 15
    assert client.files.content(made[2].id).read() == b"line\n" * 3
    listed = [one.id for one in client.files.list(purpose="user_data", limit=2, order="asc")]
    assert [name for name in listed if name in {one.id for one in made}] == [one.id for one in made]
    first = client.files.list(limit=1)
    assert first.data[0].id == made[4].id
    assert first.has_more
    assert client.files.delete(made[0].id).deleted
    for act in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            act(made[0].id)
    assert made[0].id not in [one.id for one in client.files.list(purpose="user_data")]
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=b"x", purpose="nonsense")  # pyright: ignore[reportArgumentType]


@pytest.mark.operation("openai.uploads.create", "openai.uploads.parts", "openai.uploads.complete")
@pytest.mark.operation("openai.uploads.cancel")
def test_uploads(client: OpenAI) -> None:
    made = client.uploads.create(filename="big.txt", purpose="user_data", bytes=12, mime_type="text/plain")
    parts = [client.uploads.parts.create(made.id, data=data).id for data in (b"first ", b"second")]
    done = client.uploads.complete(made.id, part_ids=parts)
    assert done.status == "completed"
    assert done.file is not None
    assert client.files.content(done.file.id).read() == b"first second"
    other = client.uploads.create(filename="big.txt", purpose="user_data", bytes=12, mime_type="text/plain")
    assert client.uploads.cancel(other.id).status == "cancelled"


def test_a_file_in_a_chat_must_be_one_s_own(client: OpenAI) -> None:
    def ask(file_id: str) -> Any:
        content: Any = [{"type": "file", "file": {"file_id": file_id}}, {"type": "text", "text": "Sum it up"}]
        return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])

    own = client.files.create(file=("a.txt", b"text"), purpose="user_data")
    assert ask(own.id).choices
    with pytest.raises(openai.NotFoundError):
        ask("file-somebodys")


# Batches -----------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.batches.create", "openai.batches.get", "openai.batches.list")
def test_batch(client: OpenAI, gateway: Gateway, sandbox: Sandbox) -> None:
    bad = lines("three").replace(b'"messages": [{', b'"messages": [], "more": [{')
    given = client.files.create(file=("in.jsonl", lines("one", "two") + bad), purpose="batch")
    with sandbox.slowly():
        made = client.batches.create(
            input_file_id=given.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"run": "1"}
        )
        assert made.status == "validating"
        (hold,) = rows(gateway, "SELECT amount FROM holds WHERE request_id = ?", made._request_id)
        assert hold["amount"] > 0
    until(lambda: client.batches.retrieve(made.id).status == "completed")
    done = client.batches.retrieve(made.id)
    assert done.request_counts is not None
    assert (done.request_counts.completed, done.request_counts.failed) == (2, 1)
    answers = [json.loads(line) for line in client.files.content(done.output_file_id or "").text.splitlines()]
    assert [one["custom_id"] for one in answers] == ["n0", "n1"]
    assert client.files.content(done.error_file_id or "").text
    row = paid(gateway, made._request_id)
    used = [one["response"]["body"]["usage"] for one in answers]
    assert row["consumed"]["input"] == sum(one["prompt_tokens"] for one in used)
    assert row["consumed"]["output"] == sum(one["completion_tokens"] for one in used)
    # Half of $0.15 and $0.60 per million tokens.
    assert row["cost"] == row["consumed"]["input"] * 75 + row["consumed"]["output"] * 300
    assert made.id in [one.id for one in client.batches.list(limit=1)]


def test_a_batch_that_tells_no_usage_is_charged_by_its_output(client: OpenAI, gateway: Gateway) -> None:
    given = client.files.create(file=("in.jsonl", lines("one", "two")), purpose="batch")
    made = client.batches.create(
        input_file_id=given.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"try": "[sandbox:no-usage]"},
    )
    row = paid(gateway, made._request_id)
    assert row["basis"] == "vendor"
    assert row["cost"] > 0


def started(client: OpenAI, data: bytes) -> Any:
    given = client.files.create(file=("in.jsonl", data), purpose="batch")
    return client.batches.create(input_file_id=given.id, endpoint="/v1/chat/completions", completion_window="24h")


def test_each_answer_of_a_batch_has_its_own_tier(client: OpenAI, gateway: Gateway) -> None:
    made = started(client, lines(*["word " * 100_000] * 3, model="gpt-5.4"))
    row = paid(gateway, made._request_id)
    assert row["consumed"]["input"] > 272_000, "together they are above the tier's bound"
    # Half of $2.50 and $15 per million tokens.
    assert row["cost"] == row["consumed"]["input"] * 1250 + row["consumed"]["output"] * 7500


def test_a_batch_whose_answers_are_deleted_at_once_is_not_for_nothing(client: OpenAI, gateway: Gateway) -> None:
    made = started(client, lines("one", "two"))
    until(lambda: client.batches.retrieve(made.id).status == "completed")
    client.files.delete(client.batches.retrieve(made.id).output_file_id or "")
    row = paid(gateway, made._request_id)
    assert row["cost"] == row["consumed"]["input"] * 75 + row["consumed"]["output"] * 300 > 0


@pytest.mark.operation("openai.batches.cancel")
def test_cancelled_batch_and_those_that_are_refused(client: OpenAI, gateway: Gateway, sandbox: Sandbox) -> None:
    def start(data: bytes, endpoint: Any = "/v1/chat/completions") -> Any:
        given = client.files.create(file=("in.jsonl", data), purpose="batch")
        return client.batches.create(input_file_id=given.id, endpoint=endpoint, completion_window="24h")

    given = client.files.create(file=("in.jsonl", lines("one")), purpose="batch")
    with sandbox.slowly():
        made = client.batches.create(input_file_id=given.id, endpoint="/v1/chat/completions", completion_window="24h")
        client.batches.cancel(made.id)
    until(lambda: client.batches.retrieve(made.id).status == "cancelled")
    assert paid(gateway, made._request_id)["cost"] == 0
    for data in (b"no json\n", b"", lines("x", model="gpt-4o") + lines("y"), lines("x", url="/v1/embeddings")):
        with pytest.raises(openai.BadRequestError):
            start(data)
    with pytest.raises(openai.NotFoundError):
        start(lines("x", model="no-such-model"))
    with pytest.raises(openai.BadRequestError):
        start(lines("x", url="/v1/images/generations"), "/v1/images/generations")
    foreign = lines("x").replace(
        b'"content": "x"', b'"content": [{"type": "file", "file": {"file_id": "file-foreign"}}]'
    )
    with pytest.raises(openai.NotFoundError):
        start(foreign)
    with pytest.raises(openai.NotFoundError):
        client.batches.create(input_file_id="file-foreign", endpoint="/v1/chat/completions", completion_window="24h")


# Vector stores -----------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.vector_stores.create", "openai.vector_stores.get", "openai.vector_stores.update")
@pytest.mark.operation("openai.vector_stores.list", "openai.vector_stores.delete", "openai.vector_stores.search")
@pytest.mark.operation("openai.vector_stores.files.create", "openai.vector_stores.files.list")
@pytest.mark.operation("openai.vector_stores.files.get", "openai.vector_stores.files.update")
@pytest.mark.operation("openai.vector_stores.files.content", "openai.vector_stores.files.delete")
@pytest.mark.operation("openai.vector_stores.file_batches.create", "openai.vector_stores.file_batches.get")
@pytest.mark.operation("openai.vector_stores.file_batches.cancel", "openai.vector_stores.file_batches.files")
def test_vector_stores(client: OpenAI) -> None:
    leave = client.files.create(file=("leave.txt", b"Everybody has thirty days of leave."), purpose="assistants")
    lunch = client.files.create(file=("lunch.txt", b"Lunch is served at noon."), purpose="assistants")
    made = client.vector_stores.create(name="Handbooks")
    stores = client.vector_stores
    assert stores.retrieve(made.id).name == "Handbooks"
    assert stores.update(made.id, name="Books").name == "Books"
    assert stores.list(limit=1).data[0].id == made.id
    assert stores.files.create(made.id, file_id=leave.id).status == "completed"
    batch = stores.file_batches.create(made.id, file_ids=[lunch.id])
    assert stores.file_batches.retrieve(batch.id, vector_store_id=made.id).file_counts.completed == 1
    assert [one.id for one in stores.file_batches.list_files(batch.id, vector_store_id=made.id)] == [lunch.id]
    stores.file_batches.cancel(batch.id, vector_store_id=made.id)
    assert {one.id for one in stores.files.list(made.id)} == {leave.id, lunch.id}
    assert stores.files.retrieve(leave.id, vector_store_id=made.id).id == leave.id
    assert stores.files.update(leave.id, vector_store_id=made.id, attributes={"year": 2026}).attributes
    assert "thirty days" in stores.files.content(leave.id, vector_store_id=made.id).data[0].text
    assert stores.search(made.id, query="How many days of leave?").data[0].file_id == leave.id
    tool: Any = {"type": "file_search", "vector_store_ids": [made.id]}
    answer = client.responses.create(model=MODEL, input="How many days of leave?", tools=[tool])
    assert answer.output[0].type == "file_search_call"
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model=MODEL, input="x", tools=[{**tool, "vector_store_ids": ["vs_foreign"]}])
    with pytest.raises(openai.NotFoundError):
        stores.files.create(made.id, file_id="file-foreign")
    assert stores.files.delete(lunch.id, vector_store_id=made.id).deleted
    assert stores.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        stores.search(made.id, query="leave")


# Assistants --------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.assistants.create", "openai.assistants.list", "openai.assistants.get")
@pytest.mark.operation("openai.assistants.update", "openai.assistants.delete", "openai.threads.create")
@pytest.mark.operation("openai.threads.get", "openai.threads.update", "openai.threads.delete")
@pytest.mark.operation("openai.threads.messages.create", "openai.threads.messages.list")
@pytest.mark.operation("openai.threads.messages.get", "openai.threads.messages.update")
@pytest.mark.operation("openai.threads.messages.delete", "openai.threads.runs.create", "openai.threads.runs.list")
@pytest.mark.operation("openai.threads.runs.get", "openai.threads.runs.update", "openai.threads.runs.steps.list")
@pytest.mark.operation("openai.threads.runs.steps.get")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_assistants(client: OpenAI, gateway: Gateway, sandbox: Sandbox) -> None:
    beta = client.beta
    made = beta.assistants.create(model=MODEL, name="Tutor", instructions="You help.")
    assert beta.assistants.retrieve(made.id).name == "Tutor"
    assert beta.assistants.update(made.id, name="Teacher").name == "Teacher"
    assert beta.assistants.list(limit=1).data[0].id == made.id
    thread = beta.threads.create(messages=[{"role": "user", "content": "What is 6 × 7?"}])
    assert beta.threads.retrieve(thread.id).id == thread.id
    assert beta.threads.update(thread.id, metadata={"topic": "demo"}).metadata == {"topic": "demo"}
    added = beta.threads.messages.create(thread.id, role="user", content="And 7 × 8?")
    assert beta.threads.messages.retrieve(added.id, thread_id=thread.id).id == added.id
    beta.threads.messages.update(added.id, thread_id=thread.id, metadata={"a": "b"})
    with sandbox.slowly():
        run = beta.threads.runs.create(thread.id, assistant_id=made.id)
        assert run.status == "queued"
        with pytest.raises(openai.ConflictError):
            beta.threads.delete(thread.id)
    until(lambda: beta.threads.runs.retrieve(run.id, thread_id=thread.id).status == "completed")
    row = paid(gateway, run._request_id)
    assert row["basis"] == "vendor"
    assert row["cost"] == row["consumed"]["input"] * 150 + row["consumed"]["output"] * 600 > 0
    assert row["model"] == MODEL
    beta.threads.runs.update(run.id, thread_id=thread.id, metadata={"a": "b"})
    assert [one.id for one in beta.threads.runs.list(thread.id)] == [run.id]
    (step,) = beta.threads.runs.steps.list(run.id, thread_id=thread.id)
    assert beta.threads.runs.steps.retrieve(step.id, thread_id=thread.id, run_id=run.id).id == step.id
    said = beta.threads.messages.list(thread.id, order="desc").data[0]
    assert said.role == "assistant"
    beta.threads.messages.delete(said.id, thread_id=thread.id)
    assert beta.threads.delete(thread.id).deleted
    assert beta.assistants.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        beta.threads.create_and_run(assistant_id=made.id)


@pytest.mark.operation("openai.threads.runs.create_both", "openai.threads.runs.submit_tool_outputs")
@pytest.mark.operation("openai.threads.runs.cancel")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_runs_stream_and_wait_for_tools(client: OpenAI, gateway: Gateway) -> None:
    beta = client.beta
    made = beta.assistants.create(model=MODEL, tools=[SUM])
    stream = beta.threads.create_and_run(
        assistant_id=made.id, thread={"messages": [{"role": "user", "content": "Hi!"}]}, stream=True
    )
    events = list(stream)
    assert [event.event for event in events][:2] == ["thread.created", "thread.run.created"]
    assert events[-1].event == "thread.run.completed"
    assert usage_row(gateway, stream.response.headers["x-request-id"])["cost"] > 0
    thread_id = events[0].data.id
    assert beta.threads.retrieve(thread_id or "").id == thread_id
    thread = beta.threads.create(messages=[{"role": "user", "content": "[tool] add"}])
    run = beta.threads.runs.create(thread.id, assistant_id=made.id)
    until(lambda: beta.threads.runs.retrieve(run.id, thread_id=thread.id).status == "requires_action")
    waiting = beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    assert waiting.required_action is not None
    (called,) = waiting.required_action.submit_tool_outputs.tool_calls
    outputs: Any = [{"tool_call_id": called.id, "output": "42"}]
    with beta.threads.runs.submit_tool_outputs(
        run.id, thread_id=thread.id, tool_outputs=outputs, stream=True
    ) as answer:
        assert [event.event for event in answer][-1] == "thread.run.completed"
    assert paid(gateway, run._request_id)["cost"] > 0
    endless = beta.threads.runs.create(thread.id, assistant_id=made.id, metadata={"try": "[sandbox:never-finish]"})
    beta.threads.runs.cancel(endless.id, thread_id=thread.id)
    assert paid(gateway, endless._request_id)["cost"] == 0


# Fine-tuning, stored completions, containers -----------------------------------------------------------------------


def test_training_without_a_price_is_refused(client: OpenAI) -> None:
    given = client.files.create(file=("train.jsonl", b'{"messages": []}\n'), purpose="fine-tune")
    with pytest.raises(openai.InternalServerError, match="No price is set"):
        client.fine_tuning.jobs.create(model="gpt-4.1", training_file=given.id)


@pytest.mark.operation("openai.chat.completions.list", "openai.chat.completions.get", "openai.chat.completions.update")
@pytest.mark.operation("openai.chat.completions.delete", "openai.chat.completions.messages")
def test_stored_completions(client: OpenAI) -> None:
    said: Any = [{"role": "user", "content": "Keep this"}]
    chat = client.chat.completions
    made = chat.create(model=MODEL, messages=said, store=True, metadata={"topic": "kept"})
    chunks = list(chat.create(model=MODEL, messages=said, store=True, stream=True))
    passing = chat.create(model=MODEL, messages=said)
    assert chat.retrieve(made.id).id == made.id
    assert chat.messages.list(made.id).data[0].content == "Keep this"
    assert chat.update(made.id, metadata={"topic": "changed"}).metadata == {"topic": "changed"}
    listed = [one.id for one in chat.list(metadata={"topic": "changed"})]
    assert listed == [made.id]
    assert chunks[0].id in [one.id for one in chat.list(order="desc", limit=1)]
    assert chat.delete(made.id).deleted
    for gone in (made.id, passing.id):
        with pytest.raises(openai.NotFoundError):
            chat.retrieve(gone)


@pytest.mark.operation("openai.containers.create", "openai.containers.list", "openai.containers.get")
@pytest.mark.operation("openai.containers.delete", "openai.containers.files.list", "openai.containers.files.get")
@pytest.mark.operation("openai.containers.files.content", "openai.containers.files.delete")
def test_containers(client: OpenAI) -> None:
    given = client.files.create(file=("a.txt", b"text"), purpose="user_data")
    made = client.containers.create(name="Workbench", file_ids=[given.id])
    assert client.containers.retrieve(made.id).name == "Workbench"
    assert client.containers.list(limit=1).data[0].id == made.id
    (file,) = client.containers.files.list(made.id)
    assert client.containers.files.retrieve(file.id, container_id=made.id).id == file.id
    assert client.containers.files.content.retrieve(file.id, container_id=made.id).read() == b"text"
    client.containers.files.delete(file.id, container_id=made.id)
    client.containers.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.containers.retrieve(made.id)
