"""Anthropic's batches of messages: each request really goes through the sandbox's own handler.

Source: Anthropic's API reference, and its guide on batch processing.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from typing import Any

import msgspec

from ...vendor import Answer, Call, Handler, RefusedError, Route, json_answer
from .common import invalid, missing, page, time_at, versioned

BATCH_SECONDS = 20.0
"""Job seconds that a batch takes."""
MOST_REQUESTS = 100_000
_DAY = 86400
_running: set[asyncio.Task[None]] = set()


@dataclasses.dataclass
class Batch:
    """A batch, and what came of it."""

    value: dict[str, Any]
    requests: list[dict[str, Any]]
    results: list[dict[str, Any]] = dataclasses.field(default_factory=list[dict[str, Any]])


def routes(handler: Handler) -> tuple[Route, ...]:
    """Return the routes of batches whose requests go to a handler."""

    async def create(call: Call) -> Answer:
        requests = _requests(call)
        name = "msgbatch_" + call.world.ids.hex(24)
        now = call.world.clock.wall()
        batch = Batch(
            {
                "id": name,
                "type": "message_batch",
                "processing_status": "in_progress",
                "request_counts": _counts(processing=len(requests)),
                "ended_at": None,
                "created_at": time_at(now),
                "expires_at": time_at(now + _DAY),
                "archived_at": None,
                "cancel_initiated_at": None,
                "results_url": None,
            },
            requests,
        )
        _shelf(call)[name] = batch
        task = asyncio.create_task(_run(call, batch, handler))
        _running.add(task)
        task.add_done_callback(_running.discard)
        return json_answer(batch.value)

    return (
        Route("POST", "/v1/messages/batches", create),
        Route("GET", "/v1/messages/batches", _list),
        Route("GET", "/v1/messages/batches/{id}", _get),
        Route("POST", "/v1/messages/batches/{id}/cancel", _cancel),
        Route("DELETE", "/v1/messages/batches/{id}", _delete),
        Route("GET", "/v1/messages/batches/{id}/results", _results),
    )


def _requests(call: Call) -> list[dict[str, Any]]:
    versioned(call)
    requests = call.json.get("requests")
    if not isinstance(requests, list) or not 1 <= len(requests) <= MOST_REQUESTS:
        raise invalid(call, f"requests: between 1 and {MOST_REQUESTS} requests are wanted")
    names: set[str] = set()
    for number, one in enumerate(requests):
        if not isinstance(one, dict) or not isinstance(one.get("params"), dict):
            raise invalid(call, f"requests.{number}.params: Field required")
        name = one.get("custom_id")
        if not isinstance(name, str) or not 1 <= len(name) <= 64:
            raise invalid(call, f"requests.{number}.custom_id: a string of 1 to 64 characters is wanted")
        if name in names:
            raise invalid(call, f"requests.{number}.custom_id: '{name}' is not unique")
        names.add(name)
    return requests


def _counts(**some: int) -> dict[str, int]:
    return {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0, **some}


def _shelf(call: Call) -> dict[str, Batch]:
    return call.world.shelves[call.owner, "message_batch"]


def _find(call: Call) -> Batch:
    versioned(call)
    batch = _shelf(call).get(call.params["id"])
    if batch is None:
        raise missing(call, f"Message Batch {call.params['id']} not found.")
    return batch


async def _run(call: Call, batch: Batch, handler: Handler) -> None:
    clock = call.world.clock
    if "never-finish" in call.triggers:
        return
    await clock.sleep(BATCH_SECONDS)
    for one in batch.requests:
        canceled = batch.value["processing_status"] == "canceling"
        result = {"type": "canceled"} if canceled else await _result(call, one["params"], handler)
        batch.results.append({"custom_id": one["custom_id"], "result": result})
    told = Counter(one["result"]["type"] for one in batch.results)
    batch.value |= {
        "processing_status": "ended",
        "request_counts": _counts(**told),
        "ended_at": time_at(clock.wall()),
        "results_url": f"{call.base}/v1/messages/batches/{batch.value['id']}/results",
    }


async def _result(call: Call, params: dict[str, Any], handler: Handler) -> dict[str, Any]:
    try:
        found = await handler(dataclasses.replace(call, body=msgspec.json.encode(params)))
        if not isinstance(found, Answer):
            raise invalid(call, "stream: a batch's messages are not streamed")
    except RefusedError as refused:
        return {"type": "errored", "error": {**msgspec.json.decode(refused.answer.body), "request_id": None}}
    message = msgspec.json.decode(found.body)
    if "usage" in message:
        message["usage"]["service_tier"] = "batch"
    return {"type": "succeeded", "message": message}


async def _list(call: Call) -> Answer:
    versioned(call)
    return page(call, [batch.value for batch in reversed(_shelf(call).values())])


async def _get(call: Call) -> Answer:
    return json_answer(_find(call).value)


async def _cancel(call: Call) -> Answer:
    batch = _find(call)
    if batch.value["processing_status"] == "ended":
        raise invalid(call, f"Batch {batch.value['id']} cannot be canceled because it has finished processing.")
    if batch.value["processing_status"] == "in_progress":
        now = time_at(call.world.clock.wall())
        batch.value |= {"processing_status": "canceling", "cancel_initiated_at": now}
    return json_answer(batch.value)


async def _delete(call: Call) -> Answer:
    batch = _find(call)
    name = batch.value["id"]
    if batch.value["processing_status"] != "ended":
        raise invalid(call, f"Batch {name} cannot be deleted because it is still processing; cancel it first.")
    del _shelf(call)[name]
    return json_answer({"id": name, "type": "message_batch_deleted"})


async def _results(call: Call) -> Answer:
    batch = _find(call)
    if batch.value["processing_status"] != "ended":
        raise missing(call, f"Batch {batch.value['id']} has no results yet.")
    body = b"".join(msgspec.json.encode(one) + b"\n" for one in batch.results)
    return Answer(200, body, "application/x-jsonl")
