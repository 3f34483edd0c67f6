"""OpenAI's stored objects in the sandbox: native shapes, states that move on, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from tests.sandbox.conftest import get, post, until

V1 = "/openai/v1"
BETA = {"openai-beta": "assistants=v2"}


async def upload(http: aiohttp.ClientSession, data: bytes, name: str = "a.txt", purpose: str = "user_data") -> Any:
    form = aiohttp.FormData({"purpose": purpose})
    form.add_field("file", data, filename=name)
    async with http.post(f"{V1}/files", data=form) as answer:
        assert answer.status == 200
        return await answer.json()


async def events(http: aiohttp.ClientSession, path: str, body: Any, **headers: str) -> list[tuple[str, Any]]:
    async with http.post(path, json=body, headers=headers) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        raw = (await answer.read()).decode()
    found: list[tuple[str, Any]] = []
    for block in raw.strip().split("\n\n"):
        kind, data = block.split("\n")
        text = data.removeprefix("data: ")
        found.append((kind.removeprefix("event: "), None if text == "[DONE]" else json.loads(text)))
    return found


async def test_a_response_streams_in_the_native_sequence(http: aiohttp.ClientSession) -> None:
    body = {"model": "gpt-4o", "input": "Say this is a test", "stream": True}
    found = await events(http, f"{V1}/responses", body)
    assert [data["sequence_number"] for _, data in found] == list(range(len(found)))
    assert all(kind == data["type"] for kind, data in found)
    kinds = list(dict.fromkeys(kind for kind, _ in found))
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    whole = found[-1][1]["response"]
    text = "".join(data["delta"] for kind, data in found if kind == "response.output_text.delta")
    assert whole["output"][0]["content"][0]["text"] == text
    assert whole["usage"]["total_tokens"] == whole["usage"]["input_tokens"] + whole["usage"]["output_tokens"]
    assert (await get(http, f"{V1}/responses/{whole['id']}"))["output"] == whole["output"]


async def test_responses_limit_reason_call_tools_and_run_in_the_background(http: aiohttp.ClientSession) -> None:
    async def ask(**more: Any) -> Any:
        return await post(http, f"{V1}/responses", {"model": "gpt-4o", "input": "hello", **more})

    limited = await ask(max_output_tokens=16)
    assert limited["status"] == "incomplete"
    assert limited["incomplete_details"] == {"reason": "max_output_tokens"}
    assert limited["usage"]["output_tokens"] == 16
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
    called = await ask(tools=[tool], tool_choice="required")
    assert called["output"][0]["type"] == "function_call"
    assert json.loads(called["output"][0]["arguments"]) == {"a": "test"}
    schema = {
        "type": "json_schema",
        "name": "x",
        "schema": {"type": "object", "properties": {"b": {"type": "integer"}}},
    }
    shaped = await ask(text={"format": schema})
    assert json.loads(shaped["output"][0]["content"][0]["text"]) == {"b": 1}
    free = await ask(input="in JSON", text={"format": {"type": "json_object"}})
    assert json.loads(free["output"][0]["content"][0]["text"])["echo"] == "in JSON"
    reasoned = await ask(input="[sandbox:reasoning=9] hm")
    assert reasoned["output"][0]["type"] == "reasoning"
    assert reasoned["usage"]["output_tokens_details"]["reasoning_tokens"] == 9
    begun = await ask(background=True)
    assert begun["status"] == "queued"
    assert begun["usage"] is None
    path = f"{V1}/responses/{begun['id']}"
    done = await until(lambda: get(http, path), lambda answer: answer["status"] == "completed")
    assert done["usage"]["output_tokens"] > 0
    await post(http, f"{V1}/responses", {"model": "gpt-4o", "input": "x", "previous_response_id": "resp_x"}, 400)


async def test_pictures_and_documents_that_are_given_count(http: aiohttp.ClientSession) -> None:
    async def counted(*parts: dict[str, Any]) -> int:
        content = [{"type": "input_text", "text": "what is it?"}, *parts]
        body = {"model": "gpt-4o", "input": [{"role": "user", "content": content}]}
        return (await post(http, f"{V1}/responses", body))["usage"]["input_tokens"]

    words = await counted()
    picture = {"type": "input_image", "image_url": "data:image/png;base64,aaaa"}
    document = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aaaa"}
    seen = await counted(picture)
    assert words < seen < await counted(picture, picture)
    assert words < await counted(document)


async def test_a_media_type_may_be_written_in_any_case(http: aiohttp.ClientSession) -> None:
    parts = (
        b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--x--\r\n'
    )
    headers = {"content-type": "Multipart/Form-Data; boundary=x"}
    async with http.post(f"{V1}/files", data=parts, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert (await answer.json())["bytes"] == 5


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/files/file-x", "File"),
        ("/batches/batch_x", "Batch"),
        ("/vector_stores/vs_x", "VectorStore"),
        ("/conversations/conv_x", "Conversation"),
        ("/fine_tuning/jobs/ftjob-x", "FineTuningJob"),
        ("/chat/completions/chatcmpl-x", "ChatCompletion"),
        ("/containers/cntr_x", "Container"),
    ],
)
async def test_what_does_not_exist(http: aiohttp.ClientSession, path: str, title: str) -> None:
    answer = await get(http, V1 + path, 404)
    assert answer["error"]["type"] == "invalid_request_error"
    assert f"No such {title} object" in answer["error"]["message"]


async def test_one_key_does_not_see_another_s_files(http: aiohttp.ClientSession) -> None:
    file = await upload(http, b"mine")
    async with http.get(f"{V1}/files/{file['id']}", headers={"authorization": "Bearer sk-other"}) as answer:
        assert answer.status == 404


async def test_files_keep_their_bytes_whatever_they_say(http: aiohttp.ClientSession) -> None:
    data = b"[sandbox:fail] [sandbox:no-such-trigger] \x00\xff" * 1000
    file = await upload(http, data, "odd.bin")
    assert (file["bytes"], file["filename"]) == (len(data), "odd.bin")
    async with http.get(f"{V1}/files/{file['id']}/content") as answer:
        assert await answer.read() == data


async def test_a_batch_answers_as_the_endpoint_does(http: aiohttp.ClientSession) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "seed": 1}
    whole = await post(http, f"{V1}/chat/completions", body)
    lines = [{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}]
    lines.append({**lines[0], "custom_id": "b", "body": {"model": "no-such-model", "messages": []}})
    data = "\n".join(json.dumps(line) for line in lines).encode()
    file = await upload(http, data, "in.jsonl", "batch")
    made = await post(
        http,
        f"{V1}/batches",
        {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"},
    )
    path = f"{V1}/batches/{made['id']}"
    done = await until(lambda: get(http, path), lambda answer: answer["status"] == "completed")
    assert done["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    async with http.get(f"{V1}/files/{done['output_file_id']}/content") as answer:
        told = json.loads(await answer.read())
    assert told["custom_id"] == "a"
    assert told["response"]["body"]["choices"] == whole["choices"]
    assert done["usage"]["output_tokens"] == whole["usage"]["completion_tokens"]
    async with http.get(f"{V1}/files/{done['error_file_id']}/content") as answer:
        assert json.loads(await answer.read())["response"]["status_code"] == 404


async def test_a_search_finds_what_is_said_alike(http: aiohttp.ClientSession) -> None:
    texts = {"leave": b"thirty days of leave a year", "lunch": b"lunch is at noon in the hall"}
    files = {name: (await upload(http, data))["id"] for name, data in texts.items()}
    store = await post(http, f"{V1}/vector_stores", {"file_ids": list(files.values())})
    assert store["file_counts"]["completed"] == 2
    path = f"{V1}/vector_stores/{store['id']}/search"
    found = (await post(http, path, {"query": "when is lunch"}))["data"]
    assert found[0]["file_id"] == files["lunch"]
    assert found[0]["score"] > 0
    assert (await post(http, path, {"query": "zebra"}))["data"] == []


async def test_runs_pass_through_their_states(http: aiohttp.ClientSession) -> None:
    await post(http, f"{V1}/assistants", {"model": "gpt-4o"}, 400)
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    assistant = await post(http, f"{V1}/assistants", {"model": "gpt-4o", "tools": [tool]}, **BETA)
    body = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": "[tool] add"}]}}
    run = await post(http, f"{V1}/threads/runs", body, **BETA)
    path = f"{V1}/threads/{run['thread_id']}/runs/{run['id']}"

    async def look() -> Any:
        async with http.get(path, headers=BETA) as answer:
            return await answer.json()

    waiting = await until(look, lambda answer: answer["status"] == "requires_action")
    (called,) = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": called["id"], "output": "2"}], "stream": True}
    found = await events(http, path + "/submit_tool_outputs", outputs, **BETA)
    kinds = list(dict.fromkeys(kind for kind, _ in found))
    assert kinds[-2:] == ["thread.run.completed", "done"]
    assert "thread.message.delta" in kinds
    assert (await look())["usage"]["completion_tokens"] > 0
