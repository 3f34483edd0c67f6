"""Ids of stored objects are read where OpenAI's API takes them, and nowhere else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deeepai import asgi
from deeepai.declare import Call, ObjectCall
from deeepai.protocols import PROTOCOLS
from deeepai.protocols.openai.object_ids import line_ids
from tests.gateway.asgi import request

OPERATIONS = {each.name: each for each in PROTOCOLS["openai"].operations}
RESPONSE = {"model": "gpt-5"}
TRAP = "thread_theirs"


def used(name: str, body: dict[str, Any], **params: str) -> list[str]:
    """Return the ids that a request uses."""
    operation = OPERATIONS[name]
    assert isinstance(operation, Call | ObjectCall)
    assert operation.objects is not None
    asked = request(operation, params=params)
    asked.raw = msgspec.json.encode(body)
    assert operation.body is not None
    asked.body = asgi.decode(operation.body, asked.raw)
    return list(operation.objects.uses(asked))


def item(**fields: Any) -> dict[str, Any]:
    return {"input": [fields]}


@pytest.mark.parametrize("name", ["responses.create", "responses.input_tokens", "responses.compact"])
@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"previous_response_id": "resp_1"}, ["resp_1"]),
        ({"conversation": "conv_1"}, ["conv_1"]),
        ({"conversation": {"id": "conv_1"}}, ["conv_1"]),
        (
            {"prompt": {"id": "pmpt_1", "variables": {"a": "x", "b": {"type": "input_file", "file_id": "f1"}}}},
            ["pmpt_1", "f1"],
        ),
        (item(type="item_reference", id="msg_1"), ["msg_1"]),
        (item(id="msg_1"), ["msg_1"]),
        (item(type="reasoning", id="rs_1", summary=[]), ["rs_1"]),
        (item(type="image_generation_call", id="ig_1"), ["ig_1"]),
        (item(type="code_interpreter_call", id="ci_1", code="1", container_id="cntr_1"), ["cntr_1"]),
        (
            item(
                role="user", content=[{"type": "input_file", "file_id": "f1"}, {"type": "input_image", "file_id": "f2"}]
            ),
            ["f1", "f2"],
        ),
        (item(type="function_call_output", call_id="c", output=[{"type": "input_image", "file_id": "f1"}]), ["f1"]),
        (
            item(type="computer_call_output", call_id="c", output={"type": "computer_screenshot", "file_id": "f1"}),
            ["f1"],
        ),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]}, ["vs_1", "vs_2"]),
        ({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, ["cntr_1"]),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f1"]}}]}, ["f1"]),
        (
            {"tools": [{"type": "shell", "environment": {"type": "container_reference", "container_id": "cntr_1"}}]},
            ["cntr_1"],
        ),
        ({"tools": [{"type": "shell", "environment": {"skills": [{"skill_id": "skill_1"}]}}]}, ["skill_1"]),
        ({"tools": [{"type": "image_generation", "input_image_mask": {"file_id": "f1"}}]}, ["f1"]),
    ],
    ids=str,
)
def test_where_a_response_names_objects(name: str, body: dict[str, Any], ids: list[str]) -> None:
    assert used(name, {**RESPONSE, **body}) == ids


def test_instructions_may_be_items() -> None:
    body = {**RESPONSE, "instructions": [{"role": "user", "content": [{"type": "input_file", "file_id": "f1"}]}]}
    assert used("responses.create", body) == ["f1"]


@pytest.mark.parametrize(
    "body",
    [
        {"client_metadata": {"thread_id": TRAP}},
        {"metadata": {"file_id": TRAP}},
        {"tools": [{"type": "mcp", "server_label": "s", "server_url": "https://e.x", "headers": {"thread_id": TRAP}}]},
        {"tools": [{"type": "function", "name": "f", "parameters": {"properties": {"file_id": {"const": TRAP}}}}]},
        {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "file_id": TRAP}]}]},
        {"prompt": {"variables": {"thread_id": TRAP, "file_id": TRAP}}},
        {"text": {"format": {"type": "json_schema", "schema": {"file_id": TRAP}}}},
        item(type="file_search_call", id="fs_1", results=[{"file_id": TRAP, "attributes": {"thread_id": TRAP}}]),
        item(type="function_call", id="fc_1", call_id="c", name="f", arguments='{"file_id": "thread_theirs"}'),
        item(type="function_call_output", call_id="c", output='{"file_id": "thread_theirs"}'),
        item(type="message", id="msg_1", role="assistant", content=[{"type": "output_text", "text": "hi"}]),
        item(type="reasoning", id="rs_1", summary=[], encrypted_content="x"),
        # An answer that the gateway translated: nobody keeps it.
        item(type="reasoning", id="rs_975b46fbdb514dfc05fc9f91_0", summary=[]),
        item(type="image_generation_call", id="ig_1", result="aGk="),
        {"unknown": {"file_id": TRAP, "container": TRAP, "conversation": TRAP}},
    ],
    ids=str,
)
def test_where_a_response_has_words_of_its_own(body: dict[str, Any]) -> None:
    assert used("responses.create", {**RESPONSE, "input": "hi", **body}) == []


@pytest.mark.parametrize(
    ("name", "body", "ids"),
    [
        (
            "chat.completions",
            {
                "model": "m",
                "messages": [
                    {"role": "user", "content": [{"type": "file", "file": {"file_id": "f1"}}]},
                    {"role": "tool", "tool_call_id": "c", "content": '{"file_id": "x"}'},
                ],
                "metadata": {"file_id": TRAP},
            },
            ["f1"],
        ),
        (
            "assistants.create",
            {
                "model": "m",
                "metadata": {"file_id": TRAP},
                "tool_resources": {
                    "code_interpreter": {"file_ids": ["f1"]},
                    "file_search": {"vector_store_ids": ["vs_1"], "vector_stores": [{"file_ids": ["f2"]}]},
                },
            },
            ["f1", "vs_1", "f2"],
        ),
        (
            "threads.create",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_file", "image_file": {"file_id": "f1"}}],
                        "attachments": [{"file_id": "f2", "tools": []}],
                        "metadata": {"file_id": TRAP},
                    },
                ]
            },
            ["f2", "f1"],
        ),
        ("vector_stores.create", {"file_ids": ["f1"], "metadata": {"file_id": TRAP}}, ["f1"]),
        (
            "containers.create",
            {"name": "x", "file_ids": ["f1"], "skills": [{"skill_id": "skill_1"}]},
            ["f1", "skill_1"],
        ),
        (
            "batches.create",
            {
                "input_file_id": "f1",
                "endpoint": "/v1/embeddings",
                "completion_window": "24h",
                "metadata": {"file_id": TRAP},
            },
            ["f1"],
        ),
        ("fine_tuning.jobs.create", {"model": "m", "training_file": "f1", "validation_file": "f2"}, ["f1", "f2"]),
        (
            "conversations.create",
            {"items": [{"type": "item_reference", "id": "msg_1"}], "metadata": {"file_id": TRAP}},
            ["msg_1"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_others_name_objects(name: str, body: dict[str, Any], ids: list[str]) -> None:
    assert used(name, body) == ids


@pytest.mark.parametrize(
    ("name", "body", "holder", "ids"),
    [
        (
            "threads.messages.create",
            {"role": "user", "content": "x", "attachments": [{"file_id": "f1"}]},
            "thread_id",
            ["f1"],
        ),
        (
            "threads.runs.create",
            {
                "assistant_id": "asst_1",
                "additional_messages": [{"role": "user", "content": "x", "attachments": [{"file_id": "f1"}]}],
            },
            "thread_id",
            ["asst_1", "f1"],
        ),
        ("vector_stores.files.create", {"file_id": "f1", "attributes": {"file_id": TRAP}}, "vector_store_id", ["f1"]),
        (
            "vector_stores.file_batches.create",
            {"files": [{"file_id": "f1", "attributes": {"thread_id": TRAP}}]},
            "vector_store_id",
            ["f1"],
        ),
        (
            "conversations.items.create",
            {"items": [{"role": "user", "content": [{"file_id": "f1"}]}]},
            "conversation_id",
            ["f1"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_object_in_the_path_comes_first(name: str, body: dict[str, Any], holder: str, ids: list[str]) -> None:
    assert used(name, body, **{holder: "held"}) == ["held", *ids]


def test_lines_of_a_batch() -> None:
    def line(body: dict[str, Any]) -> bytes:
        return msgspec.json.encode({"custom_id": "1", "body": body, "file_id": TRAP})

    chat = {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f1"}}]}]}
    assert line_ids("/v1/chat/completions", line(chat)) == ["f1"]
    assert line_ids("/v1/responses", line({"previous_response_id": "resp_1"})) == ["resp_1"]
    assert line_ids("/v1/embeddings", line({"input": "x", "metadata": {"file_id": TRAP}})) == []
