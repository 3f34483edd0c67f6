"""OpenAI's batches: each line of the input file really goes through the sandbox's own handler."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from ...triggers import UnknownTriggerError
from ...triggers import find as find_triggers
from ...vendor import Answer, Call, Handler, RefusedError, Route, json_answer
from .common import invalid
from .objects import add_file, file_data, find, metadata_of, new_id, now, page, shelf

BATCH_SECONDS = 20.0
"""Job seconds that a batch takes."""
_running: set[asyncio.Task[None]] = set()


def routes(handlers: Mapping[str, Handler]) -> tuple[Route, ...]:
    """Return the routes of batches whose lines may go to some handlers, by path."""

    async def create(call: Call) -> Answer:
        body = call.json
        endpoint = str(body.get("endpoint"))
        if endpoint not in handlers:
            raise invalid(f"Invalid value for 'endpoint': {endpoint}", "endpoint", "invalid_value")
        if body.get("completion_window") != "24h":
            raise invalid("Invalid 'completion_window': expected '24h'.", "completion_window", "invalid_value")
        data = file_data(call, body.get("input_file_id"), "input_file_id")
        value: dict[str, Any] = {
            "id": new_id(call, "batch_"),
            "object": "batch",
            "endpoint": endpoint,
            "errors": None,
            "input_file_id": body["input_file_id"],
            "completion_window": "24h",
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": now(call),
            "in_progress_at": None,
            "expires_at": now(call) + 86400,
            "finalizing_at": None,
            "completed_at": None,
            "failed_at": None,
            "expired_at": None,
            "cancelling_at": None,
            "cancelled_at": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": metadata_of(body) or None,
        }
        shelf(call, "batch")[value["id"]] = value
        task = asyncio.create_task(_run(call, value, data, handlers[endpoint]))
        _running.add(task)
        task.add_done_callback(_running.discard)
        return json_answer(value)

    return (
        Route("POST", "/v1/batches", create),
        Route("GET", "/v1/batches", _list),
        Route("GET", "/v1/batches/{id}", _get),
        Route("POST", "/v1/batches/{id}/cancel", _cancel),
    )


async def _run(call: Call, value: dict[str, Any], data: bytes, handler: Handler) -> None:
    clock = call.world.clock
    await clock.sleep(BATCH_SECONDS / 2)
    try:
        lines = [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]
        good = lines and all(isinstance(line["body"], dict) and line["custom_id"] for line in lines)
    except (msgspec.DecodeError, KeyError, TypeError):
        lines, good = [], False
    if value["status"] == "cancelling":
        value |= {"status": "cancelled", "cancelled_at": now(call)}
        return
    if not good:
        fault = {"code": "invalid_json_line", "message": "A line is not valid.", "line": 1, "param": None}
        value |= {"status": "failed", "failed_at": now(call), "errors": {"object": "list", "data": [fault]}}
        return
    value |= {"status": "in_progress", "in_progress_at": now(call)}
    value["request_counts"]["total"] = len(lines)
    await clock.sleep(BATCH_SECONDS / 2)
    answers: list[dict[str, Any]] = []
    faults: list[dict[str, Any]] = []
    used: Counter[str] = Counter()
    for line in lines:
        if value["status"] == "cancelling":
            break
        answer = await _answer(call, line["body"], handler)
        body = msgspec.json.decode(answer.body)
        good = answer.status < 400
        told = {
            "id": new_id(call, "batch_req_"),
            "custom_id": line["custom_id"],
            "response": {"status_code": answer.status, "request_id": new_id(call, "req_"), "body": body},
            "error": None,
        }
        (answers if good else faults).append(told)
        value["request_counts"]["completed" if good else "failed"] += 1
        usage = body.get("usage") or {}
        used["input"] += usage.get("prompt_tokens", usage.get("input_tokens", 0))
        used["output"] += usage.get("completion_tokens", usage.get("output_tokens", 0))
    for name, found in (("output_file_id", answers), ("error_file_id", faults)):
        if found:
            text = b"".join(msgspec.json.encode(one) + b"\n" for one in found)
            value[name] = add_file(call, text, f"{value['id']}_{name[:5]}.jsonl", "batch_output")["id"]
    if "no-usage" not in call.triggers:
        value["usage"] = {
            "input_tokens": used["input"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": used["output"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": used["input"] + used["output"],
        }
    ended = "cancelled" if value["status"] == "cancelling" else "completed"
    value |= {"status": ended, f"{ended}_at": now(call)}


async def _answer(call: Call, body: dict[str, Any], handler: Handler) -> Answer:
    raw = msgspec.json.encode({**body, "stream": False})
    try:
        triggers = find_triggers(raw, "", "")
        found = await handler(dataclasses.replace(call, body=raw, triggers=triggers))
    except UnknownTriggerError as fault:
        raise RuntimeError("the file was checked when it was sent") from fault
    except RefusedError as refused:
        return refused.answer
    if not isinstance(found, Answer):
        raise TypeError("a batch's lines are not streamed")
    return found


async def _list(call: Call) -> Answer:
    return page(call, shelf(call, "batch").values())


async def _get(call: Call) -> Answer:
    return json_answer(find(call, "batch", call.params["id"], "Batch"))


async def _cancel(call: Call) -> Answer:
    value = find(call, "batch", call.params["id"], "Batch")
    if value["status"] in ("validating", "in_progress"):
        value |= {"status": "cancelling", "cancelling_at": now(call)}
    return json_answer(value)
