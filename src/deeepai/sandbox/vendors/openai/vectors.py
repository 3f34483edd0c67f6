"""OpenAI's vector stores: chunks of the files' text, found by the cosine of their words."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

from ...vendor import Answer, Call, RefusedError, Route, json_answer
from .common import error, invalid
from .objects import delete, file_data, find, metadata_of, new_id, now, page, shelf

CHUNK = 600
"""Characters of a chunk."""
_WORD = re.compile(r"\w+")


def _counts(done: int) -> dict[str, int]:
    return {"in_progress": 0, "completed": done, "failed": 0, "cancelled": 0, "total": done}


def _put(call: Call, store: dict[str, Any], name: Any, attributes: Any = None) -> dict[str, Any]:
    data = file_data(call, name, "file_id")
    value: dict[str, Any] = {
        "id": name,
        "object": "vector_store.file",
        "created_at": now(call),
        "usage_bytes": len(data),
        "vector_store_id": store["value"]["id"],
        "status": "completed",
        "last_error": None,
        "chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}},
        "attributes": attributes or {},
    }
    text = data.decode("utf-8", "replace")
    chunks = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    store["files"][name] = {"value": value, "chunks": chunks}
    _recount(call, store)
    return value


def _recount(call: Call, store: dict[str, Any]) -> None:
    files = store["files"].values()
    store["value"] |= {
        "file_counts": _counts(len(store["files"])),
        "usage_bytes": sum(one["value"]["usage_bytes"] for one in files),
        "last_active_at": now(call),
    }


def make_store(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Make a vector store; return its description."""
    value: dict[str, Any] = {
        "id": new_id(call, "vs_"),
        "object": "vector_store",
        "created_at": now(call),
        "name": body.get("name"),
        "usage_bytes": 0,
        "file_counts": _counts(0),
        "status": "completed",
        **({"expires_after": body["expires_after"]} if body.get("expires_after") else {}),
        "expires_at": None,
        "last_active_at": now(call),
        "metadata": metadata_of(body),
    }
    store: dict[str, Any] = {"value": value, "files": {}, "batches": {}}
    for name in body.get("file_ids") or ():
        _put(call, store, name)
    shelf(call, "vector_store")[value["id"]] = store
    return value


def _store(call: Call, name: Any = None) -> dict[str, Any]:
    return find(call, "vector_store", call.params["id"] if name is None else name, "VectorStore", "vector_store_id")


def _file(call: Call) -> dict[str, Any]:
    found = _store(call)["files"].get(call.params["file"])
    if found is None:
        raise RefusedError(
            error(404, f"No file found with id '{call.params['file']}' in vector store.", param="file_id")
        )
    return found


def search(call: Call, name: str, query: str, most: int) -> list[dict[str, Any]]:
    """Return the chunks of a store that are nearest to a query, best first."""
    asked = Counter(word.lower() for word in _WORD.findall(query))
    length = math.sqrt(sum(count * count for count in asked.values()))
    found: list[dict[str, Any]] = []
    for file_id, file in _store(call, name)["files"].items():
        described = shelf(call, "file").get(file_id)
        for chunk in file["chunks"]:
            words = Counter(word.lower() for word in _WORD.findall(chunk))
            size = math.sqrt(sum(count * count for count in words.values())) * length
            score = sum(count * words[word] for word, count in asked.items()) / size if size else 0.0
            if score > 0:
                found.append(
                    {
                        "file_id": file_id,
                        "filename": described["value"]["filename"] if described else "",
                        "score": round(score, 6),
                        "attributes": file["value"]["attributes"],
                        "content": [{"type": "text", "text": chunk}],
                    }
                )
    return sorted(found, key=lambda one: -one["score"])[:most]


async def _create(call: Call) -> Answer:
    return json_answer(make_store(call, call.json))


async def _list(call: Call) -> Answer:
    return page(call, [one["value"] for one in shelf(call, "vector_store").values()])


async def _get(call: Call) -> Answer:
    return json_answer(_store(call)["value"])


async def _update(call: Call) -> Answer:
    value = _store(call)["value"]
    value |= {name: call.json[name] for name in ("name", "metadata", "expires_after") if name in call.json}
    return json_answer(value)


async def _delete(call: Call) -> Answer:
    return delete(call, "vector_store", call.params["id"], "VectorStore", "vector_store.deleted")


async def _search(call: Call) -> Answer:
    body, most = call.json, call.json.get("max_num_results") or 10
    query: Any = body.get("query")
    queries: list[str] = [query] if isinstance(query, str) else query
    if not queries:
        raise invalid("Missing required parameter: 'query'.", "query", "missing_required_parameter")
    data = search(call, call.params["id"], " ".join(queries), most)
    return json_answer(
        {
            "object": "vector_store.search_results.page",
            "search_query": queries,
            "data": data,
            "has_more": False,
            "next_page": None,
        }
    )


async def _add(call: Call) -> Answer:
    return json_answer(_put(call, _store(call), call.json.get("file_id"), call.json.get("attributes")))


async def _files(call: Call) -> Answer:
    return page(call, [one["value"] for one in _store(call)["files"].values()])


async def _get_file(call: Call) -> Answer:
    return json_answer(_file(call)["value"])


async def _update_file(call: Call) -> Answer:
    value = _file(call)["value"]
    value["attributes"] = call.json.get("attributes") or {}
    return json_answer(value)


async def _remove(call: Call) -> Answer:
    store, found = _store(call), _file(call)
    del store["files"][found["value"]["id"]]
    _recount(call, store)
    return json_answer({"id": found["value"]["id"], "object": "vector_store.file.deleted", "deleted": True})


async def _content(call: Call) -> Answer:
    data = [{"type": "text", "text": chunk} for chunk in _file(call)["chunks"]]
    return json_answer({"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None})


async def _add_many(call: Call) -> Answer:
    store, body = _store(call), call.json
    names = [*(body.get("file_ids") or ()), *(one["file_id"] for one in body.get("files") or ())]
    if not names:
        raise invalid("Missing required parameter: 'file_ids'.", "file_ids", "missing_required_parameter")
    for name in names:
        _put(call, store, name)
    value: dict[str, Any] = {
        "id": new_id(call, "vsfb_"),
        "object": "vector_store.file_batch",
        "created_at": now(call),
        "vector_store_id": store["value"]["id"],
        "status": "completed",
        "file_counts": _counts(len(names)),
    }
    store["batches"][value["id"]] = {"value": value, "names": names}
    return json_answer(value)


def _batch(call: Call) -> dict[str, Any]:
    found = _store(call)["batches"].get(call.params["batch"])
    if found is None:
        raise RefusedError(error(404, f"No file batch found with id '{call.params['batch']}'.", param="batch_id"))
    return found


async def _get_batch(call: Call) -> Answer:
    return json_answer(_batch(call)["value"])


async def _batch_files(call: Call) -> Answer:
    files = _store(call)["files"]
    return page(call, [files[name]["value"] for name in _batch(call)["names"] if name in files])


_ONE = "/v1/vector_stores/{id}"
ROUTES = (
    Route("POST", "/v1/vector_stores", _create),
    Route("GET", "/v1/vector_stores", _list),
    Route("GET", _ONE, _get),
    Route("POST", _ONE, _update),
    Route("DELETE", _ONE, _delete),
    Route("POST", _ONE + "/search", _search),
    Route("POST", _ONE + "/files", _add),
    Route("GET", _ONE + "/files", _files),
    Route("GET", _ONE + "/files/{file}", _get_file),
    Route("POST", _ONE + "/files/{file}", _update_file),
    Route("DELETE", _ONE + "/files/{file}", _remove),
    Route("GET", _ONE + "/files/{file}/content", _content),
    Route("POST", _ONE + "/file_batches", _add_many),
    Route("GET", _ONE + "/file_batches/{batch}", _get_batch),
    Route("POST", _ONE + "/file_batches/{batch}/cancel", _get_batch),
    Route("GET", _ONE + "/file_batches/{batch}/files", _batch_files),
)
