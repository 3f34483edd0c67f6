"""OpenAI's assistants (v2): threads, messages, and runs that answer in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...media.words import count_of, instance_of, reply_to, tokens_of
from ...vendor import Answer, Call, RefusedError, Route, Stream, digest_of, json_answer
from .common import error, invalid, model_of
from .objects import delete, find, metadata_of, new_id, now, page, shelf

RUN_SECONDS = 6.0
"""Job seconds that a run takes."""
FAILURE = (
    b'event: error\ndata: {"error":{"message":"The server had an error while processing your request.",'
    b'"type":"server_error","param":null,"code":null}}\n\n'
)


def _beta(call: Call) -> None:
    if call.request.headers.get("openai-beta") != "assistants=v2":
        message = "You must provide the 'OpenAI-Beta' header to access the Assistants API."
        raise invalid(message, None, "invalid_beta")


# Assistants --------------------------------------------------------------------------------------------------------


def _check_resources(call: Call, body: Mapping[str, Any]) -> None:
    resources = body.get("tool_resources") or {}
    for name in (resources.get("file_search") or {}).get("vector_store_ids") or ():
        find(call, "vector_store", name, "VectorStore", "tool_resources")
    for name in (resources.get("code_interpreter") or {}).get("file_ids") or ():
        find(call, "file", name, "File", "tool_resources")


async def _create_assistant(call: Call) -> Answer:
    _beta(call)
    body = call.json
    _check_resources(call, body)
    value: dict[str, Any] = {
        "id": new_id(call, "asst_"),
        "object": "assistant",
        "created_at": now(call),
        "name": body.get("name"),
        "description": body.get("description"),
        "model": model_of(call, "chat", body.get("model")),
        "instructions": body.get("instructions"),
        "tools": body.get("tools") or [],
        "tool_resources": body.get("tool_resources") or {},
        "metadata": metadata_of(body),
        "top_p": 1.0,
        "temperature": 1.0,
        "response_format": "auto",
    }
    shelf(call, "assistant")[value["id"]] = value
    return json_answer(value)


def _assistant(call: Call, name: Any) -> dict[str, Any]:
    return find(call, "assistant", name, "Assistant", "assistant_id")


async def _list_assistants(call: Call) -> Answer:
    _beta(call)
    return page(call, shelf(call, "assistant").values())


async def _get_assistant(call: Call) -> Answer:
    _beta(call)
    return json_answer(_assistant(call, call.params["id"]))


async def _update_assistant(call: Call) -> Answer:
    _beta(call)
    value = _assistant(call, call.params["id"])
    _check_resources(call, call.json)
    value |= {name: found for name, found in call.json.items() if name in value and name not in ("id", "object")}
    return json_answer(value)


async def _delete_assistant(call: Call) -> Answer:
    _beta(call)
    return delete(call, "assistant", call.params["id"], "Assistant", "assistant.deleted")


# Threads and messages ----------------------------------------------------------------------------------------------


def _make_message(call: Call, thread: str, body: Mapping[str, Any], run: Mapping[str, Any] | None = None) -> Any:
    content = body.get("content")
    if body.get("role") not in ("user", "assistant"):
        raise invalid("Invalid value for 'role'.", "role", "invalid_value")
    parts: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    shown: list[Any] = []
    for part in parts:
        if part.get("type") == "text":
            shown.append({"type": "text", "text": {"value": part["text"], "annotations": []}})
        else:
            find(call, "file", (part.get("image_file") or {}).get("file_id"), "File", "file_id")
            shown.append(part)
    for one in body.get("attachments") or ():
        find(call, "file", one.get("file_id"), "File", "attachments")
    return {
        "id": new_id(call, "msg_"),
        "object": "thread.message",
        "created_at": now(call),
        "thread_id": thread,
        "status": "completed",
        "incomplete_details": None,
        "completed_at": now(call),
        "incomplete_at": None,
        "role": body["role"],
        "content": shown,
        "assistant_id": run["assistant_id"] if run else None,
        "run_id": run["id"] if run else None,
        "attachments": body.get("attachments") or [],
        "metadata": metadata_of(body),
    }


def _make_thread(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    _check_resources(call, body)
    name = new_id(call, "thread_")
    value: dict[str, Any] = {
        "id": name,
        "object": "thread",
        "created_at": now(call),
        "metadata": metadata_of(body),
        "tool_resources": body.get("tool_resources") or {},
    }
    messages = [_make_message(call, name, one) for one in body.get("messages") or ()]
    thread = {"value": value, "messages": {one["id"]: one for one in messages}, "runs": {}}
    shelf(call, "thread")[name] = thread
    return thread


def _thread(call: Call) -> dict[str, Any]:
    _beta(call)
    return find(call, "thread", call.params["id"], "Thread", "thread_id")


async def _create_thread(call: Call) -> Answer:
    _beta(call)
    return json_answer(_make_thread(call, call.json if call.body else {})["value"])


async def _get_thread(call: Call) -> Answer:
    return json_answer(_thread(call)["value"])


async def _update_thread(call: Call) -> Answer:
    value = _thread(call)["value"]
    value["metadata"] = metadata_of(call.json)
    return json_answer(value)


async def _delete_thread(call: Call) -> Answer:
    _beta(call)
    return delete(call, "thread", call.params["id"], "Thread", "thread.deleted")


async def _create_message(call: Call) -> Answer:
    thread = _thread(call)
    if any(_advance(call, thread, one)["status"] in ("queued", "in_progress") for one in thread["runs"].values()):
        raise invalid("Can't add messages to a thread while a run is active.", None)
    value = _make_message(call, thread["value"]["id"], call.json)
    thread["messages"][value["id"]] = value
    return json_answer(value)


async def _list_messages(call: Call) -> Answer:
    thread, run = _thread(call), call.request.query.get("run_id")
    _advance_all(call, thread)
    return page(call, [one for one in thread["messages"].values() if run in (None, one["run_id"])])


def _message(call: Call) -> dict[str, Any]:
    found = _thread(call)["messages"].get(call.params["message"])
    if found is None:
        raise RefusedError(error(404, f"No message found with id '{call.params['message']}'.", param="message_id"))
    return found


async def _get_message(call: Call) -> Answer:
    return json_answer(_message(call))


async def _update_message(call: Call) -> Answer:
    value = _message(call)
    value["metadata"] = metadata_of(call.json)
    return json_answer(value)


async def _delete_message(call: Call) -> Answer:
    name = _message(call)["id"]
    del _thread(call)["messages"][name]
    return json_answer({"id": name, "object": "thread.message.deleted", "deleted": True})


# Runs --------------------------------------------------------------------------------------------------------------


def _make_run(call: Call, thread: dict[str, Any]) -> dict[str, Any]:
    body = call.json
    assistant = _assistant(call, body.get("assistant_id"))
    value: dict[str, Any] = {
        "id": new_id(call, "run_"),
        "object": "thread.run",
        "created_at": now(call),
        "assistant_id": assistant["id"],
        "thread_id": thread["value"]["id"],
        "status": "queued",
        "started_at": None,
        "expires_at": now(call) + 600,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": body.get("model") or assistant["model"],
        "instructions": body.get("instructions") or assistant["instructions"] or "",
        "tools": body.get("tools") or assistant["tools"],
        "tool_resources": {},
        "metadata": metadata_of(body),
        "usage": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "max_prompt_tokens": None,
        "max_completion_tokens": body.get("max_completion_tokens"),
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "response_format": "auto",
        "tool_choice": body.get("tool_choice") or "auto",
        "parallel_tool_calls": True,
    }
    model_of(call, "chat", value["model"])
    asked = any("[tool]" in _text(one) for one in list(thread["messages"].values())[-1:])
    tools = [tool["function"] for tool in value["tools"] if tool.get("type") == "function"]
    run: dict[str, Any] = {
        "value": value,
        "ready": call.world.clock.now() + RUN_SECONDS,
        "tool": tools[0] if tools and asked else None,
        "steps": {},
        "fails": "fail-midway" in call.triggers,
    }
    if "never-finish" in call.triggers:
        run["ready"] = float("inf")
    thread["runs"][value["id"]] = run
    return run


def _text(message: Mapping[str, Any]) -> str:
    return " ".join(part["text"]["value"] for part in message["content"] if part["type"] == "text")


def _advance_all(call: Call, thread: dict[str, Any]) -> None:
    for run in list(thread["runs"].values()):
        _advance(call, thread, run)


def _advance(call: Call, thread: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Move a run on to where it is by now."""
    value = run["value"]
    if value["status"] not in ("queued", "in_progress"):
        return value
    value |= {"status": "in_progress", "started_at": value["started_at"] or now(call)}
    if call.world.clock.now() >= run["ready"]:
        if run["tool"] is not None:
            arguments = msgspec.json.encode(instance_of(run["tool"].get("parameters") or {"type": "object"})).decode()
            function = {"name": run["tool"]["name"], "arguments": arguments}
            calls = [{"id": "call_" + value["id"][-24:], "type": "function", "function": function}]
            action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
            value |= {"status": "requires_action", "required_action": action}
        else:
            _finish(call, thread, run)
    return value


def _finish(call: Call, thread: dict[str, Any], run: dict[str, Any]) -> None:
    value = run["value"]
    said = [_text(one) for one in thread["messages"].values() if one["role"] == "user"]
    text = reply_to(said[-1] if said else "", digest_of(value["model"], said))
    prompt = sum(map(count_of, said)) + count_of(value["instructions"])
    usage = {"prompt_tokens": prompt, "completion_tokens": count_of(text), "total_tokens": prompt + count_of(text)}
    if run["fails"]:
        fault = {"code": "server_error", "message": "The work failed midway."}
        value |= {"status": "failed", "failed_at": now(call), "last_error": fault, "usage": None}
        return
    message = _make_message(call, value["thread_id"], {"role": "assistant", "content": text}, value)
    thread["messages"][message["id"]] = message
    step = {
        "id": new_id(call, "step_"),
        "object": "thread.run.step",
        "created_at": now(call),
        "run_id": value["id"],
        "assistant_id": value["assistant_id"],
        "thread_id": value["thread_id"],
        "type": "message_creation",
        "status": "completed",
        "cancelled_at": None,
        "completed_at": now(call),
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": "message_creation", "message_creation": {"message_id": message["id"]}},
        "usage": usage,
        "metadata": {},
    }
    run["steps"][step["id"]] = step
    value |= {"status": "completed", "completed_at": now(call), "usage": usage}


def _event(kind: str, value: Any) -> bytes:
    return f"event: {kind}\n".encode() + b"data: " + msgspec.json.encode(value) + b"\n\n"


def _streamed(call: Call, thread: dict[str, Any], run: dict[str, Any], first: list[bytes]) -> Stream:
    """Bring a run to its end, and tell it as it would have come."""
    value = run["value"]
    events = [*first, _event("thread.run.in_progress", {**value, "status": "in_progress"})]
    run["ready"] = 0.0
    _advance(call, thread, run)
    for step in run["steps"].values():
        events.append(_event("thread.run.step.created", {**step, "status": "in_progress", "usage": None}))
        message = thread["messages"][step["step_details"]["message_creation"]["message_id"]]
        begun = {**message, "status": "in_progress", "content": []}
        events += [_event("thread.message.created", begun), _event("thread.message.in_progress", begun)]
        for token in tokens_of(_text(message)):
            part = {"index": 0, "type": "text", "text": {"value": token}}
            delta = {"id": message["id"], "object": "thread.message.delta", "delta": {"content": [part]}}
            events.append(_event("thread.message.delta", delta))
        events += [_event("thread.message.completed", message), _event("thread.run.step.completed", step)]
    events.append(_event(f"thread.run.{value['status']}", value))
    return Stream([*events, b"event: done\ndata: [DONE]\n\n"], FAILURE)


def _began(call: Call, thread: dict[str, Any], first: list[bytes]) -> Answer | Stream:
    run = _make_run(call, thread)
    if not call.json.get("stream"):
        return json_answer(run["value"])
    begun = dict(run["value"])
    events = [_event("thread.run.created", begun), _event("thread.run.queued", begun)]
    return _streamed(call, thread, run, [*first, *events])


async def _create_run(call: Call) -> Answer | Stream:
    thread = _thread(call)
    for one in call.json.get("additional_messages") or ():
        message = _make_message(call, thread["value"]["id"], one)
        thread["messages"][message["id"]] = message
    return _began(call, thread, [])


async def _create_both(call: Call) -> Answer | Stream:
    _beta(call)
    _assistant(call, call.json.get("assistant_id"))
    thread = _make_thread(call, call.json.get("thread") or {})
    return _began(call, thread, [_event("thread.created", thread["value"])])


def _run(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    thread = _thread(call)
    run = thread["runs"].get(call.params["run"])
    if run is None:
        raise RefusedError(error(404, f"No run found with id '{call.params['run']}'.", param="run_id"))
    _advance(call, thread, run)
    return thread, run


async def _list_runs(call: Call) -> Answer:
    thread = _thread(call)
    return page(call, [_advance(call, thread, one) for one in list(thread["runs"].values())])


async def _get_run(call: Call) -> Answer:
    return json_answer(_run(call)[1]["value"])


async def _update_run(call: Call) -> Answer:
    value = _run(call)[1]["value"]
    value["metadata"] = metadata_of(call.json)
    return json_answer(value)


async def _cancel_run(call: Call) -> Answer:
    value = _run(call)[1]["value"]
    if value["status"] not in ("queued", "in_progress", "requires_action"):
        raise invalid(f"Cannot cancel run with status '{value['status']}'.", None)
    value |= {"status": "cancelled", "cancelled_at": now(call)}
    return json_answer({**value, "status": "cancelling"})


async def _submit(call: Call) -> Answer | Stream:
    thread, run = _run(call)
    value, outputs = run["value"], call.json.get("tool_outputs")
    if value["status"] != "requires_action" or not isinstance(outputs, list):
        raise invalid(f"Runs in status '{value['status']}' do not accept tool outputs.", None)
    run |= {"tool": None, "ready": call.world.clock.now() + RUN_SECONDS}
    value |= {"status": "queued", "required_action": None}
    if call.json.get("stream"):
        return _streamed(call, thread, run, [_event("thread.run.queued", dict(value))])
    return json_answer(value)


async def _list_steps(call: Call) -> Answer:
    return page(call, _run(call)[1]["steps"].values())


async def _get_step(call: Call) -> Answer:
    found = _run(call)[1]["steps"].get(call.params["step"])
    if found is None:
        raise RefusedError(error(404, f"No step found with id '{call.params['step']}'.", param="step_id"))
    return json_answer(found)


_MESSAGE = "/v1/threads/{id}/messages/{message}"
_RUN = "/v1/threads/{id}/runs/{run}"
ROUTES = (
    Route("POST", "/v1/assistants", _create_assistant),
    Route("GET", "/v1/assistants", _list_assistants),
    Route("GET", "/v1/assistants/{id}", _get_assistant),
    Route("POST", "/v1/assistants/{id}", _update_assistant),
    Route("DELETE", "/v1/assistants/{id}", _delete_assistant),
    Route("POST", "/v1/threads", _create_thread),
    Route("POST", "/v1/threads/runs", _create_both),
    Route("GET", "/v1/threads/{id}", _get_thread),
    Route("POST", "/v1/threads/{id}", _update_thread),
    Route("DELETE", "/v1/threads/{id}", _delete_thread),
    Route("POST", "/v1/threads/{id}/messages", _create_message),
    Route("GET", "/v1/threads/{id}/messages", _list_messages),
    Route("GET", _MESSAGE, _get_message),
    Route("POST", _MESSAGE, _update_message),
    Route("DELETE", _MESSAGE, _delete_message),
    Route("POST", "/v1/threads/{id}/runs", _create_run),
    Route("GET", "/v1/threads/{id}/runs", _list_runs),
    Route("GET", _RUN, _get_run),
    Route("POST", _RUN, _update_run),
    Route("POST", _RUN + "/cancel", _cancel_run),
    Route("POST", _RUN + "/submit_tool_outputs", _submit),
    Route("GET", _RUN + "/steps", _list_steps),
    Route("GET", _RUN + "/steps/{step}", _get_step),
)
