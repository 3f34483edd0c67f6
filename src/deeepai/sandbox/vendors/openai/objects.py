"""OpenAI's stored objects: the shelves that they stand on, files, uploads in parts, stored chat completions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ...vendor import Answer, Call, RefusedError, Route, json_answer
from .common import error, invalid

MOST_ON_PAGE = 100
PURPOSES = frozenset({"assistants", "batch", "fine-tune", "vision", "user_data", "evals"})
FILE_LIMIT = 512 * 2**20


def new_id(call: Call, prefix: str) -> str:
    """Return an id as OpenAI makes them."""
    return f"{prefix}{call.world.ids.hex(24)}"


def now(call: Call) -> int:
    """Return the time that clients are told, in Unix seconds."""
    return int(call.world.clock.wall())


def shelf(call: Call, kind: str) -> dict[str, Any]:
    """Return the caller's objects of a kind by id, the oldest first."""
    return call.world.shelves[call.owner, kind]


def find(call: Call, kind: str, name: Any, title: str, param: str | None = "id") -> Any:
    """Return an object.

    Raises
    ------
    RefusedError
        404
    """
    found = shelf(call, kind).get(name) if isinstance(name, str) else None
    if found is None:
        raise RefusedError(error(404, f"No such {title} object: {name}", param=param))
    return found


def page(call: Call, values: Iterable[Mapping[str, Any]], *, order: str = "desc", most: int = 20) -> Answer:
    """Answer a list, the part of it that the query asks for; `values` come the oldest first."""
    query = call.request.query
    try:
        limit = int(query.get("limit", str(most)))
    except ValueError:
        raise invalid("Invalid 'limit': expected an integer.", "limit", "invalid_type") from None
    if limit < 1:
        raise invalid("Invalid 'limit': expected a value of at least 1.", "limit", "integer_below_min_value")
    found = list(values)
    if query.get("order", order) == "desc":
        found.reverse()
    ids = [value["id"] for value in found]
    start, end = 0, len(found)
    for name in ("after", "before"):
        mark = query.get(name)
        if mark and mark not in ids:
            raise RefusedError(error(404, f"No such object: {mark}", param=name))
    if query.get("after"):
        start = ids.index(query["after"]) + 1
    if query.get("before"):
        end = ids.index(query["before"])
        if not query.get("after"):
            start = max(0, end - limit)
    part = found[start:end][:limit]
    return json_answer(
        {
            "object": "list",
            "data": part,
            "first_id": part[0]["id"] if part else None,
            "last_id": part[-1]["id"] if part else None,
            "has_more": len(found[start:end]) > limit if not query.get("before") else start > 0,
        }
    )


def delete(call: Call, kind: str, name: str, title: str, said: str) -> Answer:
    """Delete an object and say so."""
    find(call, kind, name, title)
    del shelf(call, kind)[name]
    return json_answer({"id": name, "object": said, "deleted": True})


def metadata_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Return a body's metadata.

    Raises
    ------
    RefusedError
        400
    """
    found = body.get("metadata") or {}
    if not isinstance(found, dict) or len(found) > 16:
        raise invalid("Invalid 'metadata': at most 16 pairs are allowed.", "metadata", "invalid_value")
    return found


# Files -------------------------------------------------------------------------------------------------------------


def add_file(call: Call, data: bytes, filename: str, purpose: str) -> dict[str, Any]:
    """Keep a file; return its description."""
    value: dict[str, Any] = {
        "id": new_id(call, "file-"),
        "object": "file",
        "bytes": len(data),
        "created_at": now(call),
        "expires_at": None,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }
    shelf(call, "file")[value["id"]] = {"value": value, "data": data}
    return value


def file_data(call: Call, name: Any, param: str = "id") -> bytes:
    """Return a file's bytes.

    Raises
    ------
    RefusedError
        404
    """
    return find(call, "file", name, "File", param)["data"]


async def _create_file(call: Call) -> Answer:
    form = call.form
    if "file" not in form.files:
        raise invalid("'file' is a required property", "file", "missing_required_parameter")
    purpose = form.texts.get("purpose")
    if purpose not in PURPOSES:
        raise invalid(f"'{purpose}' is not one of {sorted(PURPOSES)} - 'purpose'", "purpose", "invalid_value")
    await call.work(0.2)
    return json_answer(add_file(call, form.files["file"], form.names.get("file") or "upload", purpose))


async def _list_files(call: Call) -> Answer:
    purpose = call.request.query.get("purpose")
    values = [one["value"] for one in shelf(call, "file").values()]
    return page(call, [one for one in values if purpose in (None, one["purpose"])], most=10_000)


async def _get_file(call: Call) -> Answer:
    return json_answer(find(call, "file", call.params["id"], "File")["value"])


async def _delete_file(call: Call) -> Answer:
    return delete(call, "file", call.params["id"], "File", "file")


async def _content(call: Call) -> Answer:
    found = find(call, "file", call.params["id"], "File")
    headers = {"content-disposition": f'attachment; filename="{found["value"]["filename"]}"'}
    return Answer(200, found["data"], "application/octet-stream", headers)


# Uploads -----------------------------------------------------------------------------------------------------------


async def _create_upload(call: Call) -> Answer:
    body = call.json
    for name in ("filename", "purpose", "bytes", "mime_type"):
        if name not in body:
            raise invalid(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    value: dict[str, Any] = {
        "id": new_id(call, "upload_"),
        "object": "upload",
        "bytes": int(body["bytes"]),
        "created_at": now(call),
        "expires_at": now(call) + 3600,
        "filename": body["filename"],
        "purpose": body["purpose"],
        "status": "pending",
        "file": None,
    }
    shelf(call, "upload")[value["id"]] = {"value": value, "parts": {}}
    return json_answer(value)


def _pending(call: Call) -> dict[str, Any]:
    found = find(call, "upload", call.params["id"], "Upload")
    if found["value"]["status"] != "pending":
        raise invalid(f"The upload is {found['value']['status']}.", "id", "invalid_state")
    return found


async def _add_part(call: Call) -> Answer:
    found = _pending(call)
    if "data" not in call.form.files:
        raise invalid("'data' is a required property", "data", "missing_required_parameter")
    name = new_id(call, "part_")
    found["parts"][name] = call.form.files["data"]
    return json_answer(
        {"id": name, "object": "upload.part", "created_at": now(call), "upload_id": found["value"]["id"]}
    )


async def _complete_upload(call: Call) -> Answer:
    found, given = _pending(call), call.json.get("part_ids")
    if not isinstance(given, list) or any(name not in found["parts"] for name in given):
        raise invalid("Invalid 'part_ids'.", "part_ids", "invalid_value")
    data = b"".join(found["parts"][name] for name in given)
    value = found["value"]
    if len(data) != value["bytes"]:
        raise invalid(f"Expected {value['bytes']} bytes, got {len(data)}.", "part_ids", "invalid_value")
    value |= {"status": "completed", "file": add_file(call, data, value["filename"], value["purpose"])}
    found["parts"].clear()
    return json_answer(value)


async def _cancel_upload(call: Call) -> Answer:
    found = _pending(call)
    found["value"]["status"] = "cancelled"
    return json_answer(found["value"])


# Stored chat completions -------------------------------------------------------------------------------------------


def keep_completion(call: Call, whole: dict[str, Any], messages: list[Any]) -> None:
    """Store a chat completion."""
    value = {**whole, "metadata": metadata_of(call.json)}
    shelf(call, "completion")[whole["id"]] = {"value": value, "messages": messages}


def _completion(call: Call) -> dict[str, Any]:
    return find(call, "completion", call.params["id"], "ChatCompletion")


async def _list_completions(call: Call) -> Answer:
    values = [one["value"] for one in shelf(call, "completion").values()]
    model = call.request.query.get("model")
    return page(call, [one for one in values if model in (None, one["model"])], order="asc")


async def _get_completion(call: Call) -> Answer:
    return json_answer(_completion(call)["value"])


async def _update_completion(call: Call) -> Answer:
    found = _completion(call)
    found["value"]["metadata"] = metadata_of(call.json)
    return json_answer(found["value"])


async def _delete_completion(call: Call) -> Answer:
    return delete(call, "completion", call.params["id"], "ChatCompletion", "chat.completion.deleted")


async def _completion_messages(call: Call) -> Answer:
    found, name = _completion(call), call.params["id"]
    return page(call, [{**one, "id": f"{name}-{at}"} for at, one in enumerate(found["messages"])], order="asc")


# Fine-tuning and containers ----------------------------------------------------------------------------------------

TRAINING_SECONDS = 60.0
"""Job seconds that a training takes."""


async def _create_job(call: Call) -> Answer:
    body = call.json
    data = file_data(call, body.get("training_file"), "training_file")
    if body.get("validation_file"):
        file_data(call, body["validation_file"], "validation_file")
    if not isinstance(body.get("model"), str):
        raise invalid("Missing required parameter: 'model'.", "model", "missing_required_parameter")
    for line in data.splitlines():
        try:
            msgspec.json.decode(line)
        except msgspec.DecodeError:
            raise invalid("The training file is not valid JSONL.", "training_file", "invalid_training_file") from None
    value: dict[str, Any] = {
        "id": new_id(call, "ftjob-"),
        "object": "fine_tuning.job",
        "created_at": now(call),
        "error": None,
        "fine_tuned_model": None,
        "finished_at": None,
        "hyperparameters": {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.0},
        "model": body["model"],
        "organization_id": "org-sandbox",
        "result_files": [],
        "seed": 7,
        "status": "queued",
        "trained_tokens": None,
        "training_file": body["training_file"],
        "validation_file": body.get("validation_file"),
        "metadata": metadata_of(body),
    }
    ready = call.world.clock.now() + TRAINING_SECONDS
    shelf(call, "job")[value["id"]] = {"value": value, "ready": ready, "tokens": len(data) // 4 * 3}
    return json_answer(value)


def _job(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    value = found["value"]
    if value["status"] in ("queued", "running"):
        value["status"] = "running"
        if call.world.clock.now() >= found["ready"]:
            table = add_file(call, b"step,train_loss\n1,0.5\n", "step_metrics.csv", "fine-tune")
            value |= {
                "status": "succeeded",
                "trained_tokens": found["tokens"],
                "fine_tuned_model": f"ft:{value['model']}:sandbox::{value['id'][-8:]}",
                "finished_at": now(call),
                "result_files": [table["id"]],
            }
    return value


async def _get_job(call: Call) -> Answer:
    return json_answer(_job(call, find(call, "job", call.params["id"], "FineTuningJob")))


async def _list_jobs(call: Call) -> Answer:
    return page(call, [_job(call, one) for one in list(shelf(call, "job").values())])


def _turn(status: str, allowed: tuple[str, ...]) -> Callable[[Call], Any]:
    async def turn(call: Call) -> Answer:
        value = _job(call, find(call, "job", call.params["id"], "FineTuningJob"))
        if value["status"] not in allowed:
            raise invalid(f"The job is {value['status']}.", "id", "invalid_state")
        value["status"] = status
        return json_answer(value)

    return turn


async def _job_events(call: Call) -> Answer:
    value = _job(call, find(call, "job", call.params["id"], "FineTuningJob"))
    event = {
        "id": f"ftevent-{value['id'][-24:]}",
        "object": "fine_tuning.job.event",
        "created_at": value["created_at"],
        "level": "info",
        "message": f"The job is {value['status']}",
        "type": "message",
    }
    return page(call, [event])


async def _job_checkpoints(call: Call) -> Answer:
    find(call, "job", call.params["id"], "FineTuningJob")
    return page(call, [])


async def _create_container(call: Call) -> Answer:
    body = call.json
    if not isinstance(body.get("name"), str):
        raise invalid("Missing required parameter: 'name'.", "name", "missing_required_parameter")
    value: dict[str, Any] = {
        "id": new_id(call, "cntr_"),
        "object": "container",
        "created_at": now(call),
        "status": "running",
        "expires_after": {"anchor": "last_active_at", "minutes": 20},
        "last_active_at": now(call),
        "name": body["name"],
    }
    files = [
        {
            "id": new_id(call, "cfile_"),
            "object": "container.file",
            "created_at": now(call),
            "bytes": len(file_data(call, name, "file_ids")),
            "container_id": value["id"],
            "path": f"/mnt/data/{name}",
            "source": "user",
            "file": name,
        }
        for name in body.get("file_ids") or ()
    ]
    shelf(call, "container")[value["id"]] = {"value": value, "files": {one["id"]: one for one in files}}
    return json_answer(value)


async def _list_containers(call: Call) -> Answer:
    return page(call, [one["value"] for one in shelf(call, "container").values()])


async def _get_container(call: Call) -> Answer:
    return json_answer(find(call, "container", call.params["id"], "Container")["value"])


async def _delete_container(call: Call) -> Answer:
    return delete(call, "container", call.params["id"], "Container", "container.deleted")


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "file"}


def _container_file(call: Call) -> dict[str, Any]:
    found = find(call, "container", call.params["id"], "Container")["files"].get(call.params["file"])
    if found is None:
        raise RefusedError(error(404, f"No such ContainerFile object: {call.params['file']}", param="id"))
    return found


async def _container_files(call: Call) -> Answer:
    found = find(call, "container", call.params["id"], "Container")
    return page(call, [_shown(one) for one in found["files"].values()])


async def _get_container_file(call: Call) -> Answer:
    return json_answer(_shown(_container_file(call)))


async def _container_file_content(call: Call) -> Answer:
    return Answer(200, file_data(call, _container_file(call)["file"]), "application/octet-stream")


async def _delete_container_file(call: Call) -> Answer:
    name = _container_file(call)["id"]
    del find(call, "container", call.params["id"], "Container")["files"][name]
    return json_answer({"id": name, "object": "container.file.deleted", "deleted": True})


ROUTES = (
    Route("POST", "/v1/files", _create_file, body_triggers=False),
    Route("GET", "/v1/files", _list_files),
    Route("GET", "/v1/files/{id}", _get_file),
    Route("DELETE", "/v1/files/{id}", _delete_file),
    Route("GET", "/v1/files/{id}/content", _content),
    Route("POST", "/v1/uploads", _create_upload),
    Route("POST", "/v1/uploads/{id}/parts", _add_part, body_triggers=False),
    Route("POST", "/v1/uploads/{id}/complete", _complete_upload),
    Route("POST", "/v1/uploads/{id}/cancel", _cancel_upload),
    Route("GET", "/v1/chat/completions", _list_completions),
    Route("GET", "/v1/chat/completions/{id}", _get_completion),
    Route("POST", "/v1/chat/completions/{id}", _update_completion),
    Route("DELETE", "/v1/chat/completions/{id}", _delete_completion),
    Route("GET", "/v1/chat/completions/{id}/messages", _completion_messages),
    Route("POST", "/v1/fine_tuning/jobs", _create_job),
    Route("GET", "/v1/fine_tuning/jobs", _list_jobs),
    Route("GET", "/v1/fine_tuning/jobs/{id}", _get_job),
    Route("POST", "/v1/fine_tuning/jobs/{id}/cancel", _turn("cancelled", ("queued", "running", "paused"))),
    Route("POST", "/v1/fine_tuning/jobs/{id}/pause", _turn("paused", ("queued", "running"))),
    Route("POST", "/v1/fine_tuning/jobs/{id}/resume", _turn("queued", ("paused",))),
    Route("GET", "/v1/fine_tuning/jobs/{id}/events", _job_events),
    Route("GET", "/v1/fine_tuning/jobs/{id}/checkpoints", _job_checkpoints),
    Route("POST", "/v1/containers", _create_container),
    Route("GET", "/v1/containers", _list_containers),
    Route("GET", "/v1/containers/{id}", _get_container),
    Route("DELETE", "/v1/containers/{id}", _delete_container),
    Route("GET", "/v1/containers/{id}/files", _container_files),
    Route("GET", "/v1/containers/{id}/files/{file}", _get_container_file),
    Route("GET", "/v1/containers/{id}/files/{file}/content", _container_file_content),
    Route("DELETE", "/v1/containers/{id}/files/{file}", _delete_container_file),
)
