"""Vector stores, and the files in them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .object_calls import listing, made, object_call, object_list, page
from .object_ids import VECTOR_STORE_FILE_IDS, VECTOR_STORE_IDS

_STORE: Final = {
    "id": "vs_abc123",
    "object": "vector_store",
    "created_at": 1760000000,
    "name": "Handbooks",
    "usage_bytes": 0,
    "file_counts": {"in_progress": 0, "completed": 1, "failed": 0, "cancelled": 0, "total": 1},
    "status": "completed",
}
_FILE: Final = {
    "id": "file-abc123",
    "object": "vector_store.file",
    "created_at": 1760000000,
    "vector_store_id": "vs_abc123",
    "status": "completed",
    "last_error": None,
}
_BATCH: Final = {
    "id": "vsfb_abc123",
    "object": "vector_store.files_batch",
    "created_at": 1760000000,
    "vector_store_id": "vs_abc123",
    "status": "completed",
    "file_counts": {"in_progress": 0, "completed": 1, "failed": 0, "cancelled": 0, "total": 1},
}


class StoreBody(msgspec.Struct, omit_defaults=True):
    """A vector store."""

    name: str | None = None
    file_ids: list[str] | None = None
    metadata: dict[str, Any] | None = None


class FileBody(msgspec.Struct):
    """A file to put in."""

    file_id: str


class BatchBody(msgspec.Struct, omit_defaults=True):
    """Files to put in together."""

    file_ids: list[str] | None = None
    files: list[dict[str, Any]] | None = None


class AttributesBody(msgspec.Struct):
    """What searches may filter by."""

    attributes: dict[str, Any] | None


class SearchBody(msgspec.Struct, omit_defaults=True):
    """A search."""

    query: str | list[str]
    max_num_results: int | None = None


_BASE: Final = "/v1/vector_stores"
_ONE: Final = _BASE + "/{vector_store_id}"

OPERATIONS = (
    object_call(
        "vector_stores.create",
        "POST",
        _BASE,
        "Create a vector store",
        "创建向量库",
        body=StoreBody,
        names=VECTOR_STORE_IDS,
        makes=made("vector_store"),
        example={"name": "Handbooks"},
        example_answer=_STORE,
    ),
    object_list(
        "vector_stores.list",
        _BASE,
        "List vector stores",
        "列出向量库",
        listing("vector_store", "/vector_stores"),
        example_answer=page([_STORE]),
    ),
    object_call("vector_stores.get", "GET", _ONE, "Get a vector store", "查询向量库", example_answer=_STORE),
    object_call(
        "vector_stores.update",
        "POST",
        _ONE,
        "Change a vector store",
        "修改向量库",
        body=StoreBody,
        names=VECTOR_STORE_IDS,
        example={"name": "Handbooks"},
        example_answer=_STORE,
    ),
    object_call(
        "vector_stores.delete",
        "DELETE",
        _ONE,
        "Delete a vector store",
        "删除向量库",
        ends=True,
        example_answer={"id": "vs_abc123", "object": "vector_store.deleted", "deleted": True},
    ),
    object_call(
        "vector_stores.search",
        "POST",
        _ONE + "/search",
        "Search a vector store",
        "检索向量库",
        body=SearchBody,
        example={"query": "How many days of leave?"},
        example_answer={
            "object": "vector_store.search_results.page",
            "search_query": ["How many days of leave?"],
            "data": [],
            "has_more": False,
            "next_page": None,
        },
    ),
    object_call(
        "vector_stores.files.create",
        "POST",
        _ONE + "/files",
        "Put a file in a vector store",
        "添加文件到向量库",
        body=FileBody,
        names=VECTOR_STORE_FILE_IDS,
        example={"file_id": "file-abc123"},
        example_answer=_FILE,
    ),
    object_call(
        "vector_stores.files.list",
        "GET",
        _ONE + "/files",
        "List a vector store's files",
        "列出向量库文件",
        example_answer=page([_FILE]),
    ),
    object_call(
        "vector_stores.files.get",
        "GET",
        _ONE + "/files/{file_id}",
        "Get a file of a vector store",
        "查询向量库文件",
        example_answer=_FILE,
    ),
    object_call(
        "vector_stores.files.update",
        "POST",
        _ONE + "/files/{file_id}",
        "Change a file's attributes",
        "修改向量库文件属性",
        body=AttributesBody,
        example={"attributes": {"year": 2026}},
        example_answer=_FILE,
    ),
    object_call(
        "vector_stores.files.delete",
        "DELETE",
        _ONE + "/files/{file_id}",
        "Take a file out of a vector store",
        "移除向量库文件",
        example_answer={"id": "file-abc123", "object": "vector_store.file.deleted", "deleted": True},
    ),
    object_call(
        "vector_stores.files.content",
        "GET",
        _ONE + "/files/{file_id}/content",
        "Get a file's parsed content",
        "查询向量库文件内容",
        example_answer={
            "object": "vector_store.file_content.page",
            "data": [{"type": "text", "text": "…"}],
            "has_more": False,
            "next_page": None,
        },
    ),
    object_call(
        "vector_stores.file_batches.create",
        "POST",
        _ONE + "/file_batches",
        "Put files in a vector store together",
        "批量添加文件到向量库",
        body=BatchBody,
        names=VECTOR_STORE_FILE_IDS,
        example={"file_ids": ["file-abc123"]},
        example_answer=_BATCH,
    ),
    object_call(
        "vector_stores.file_batches.get",
        "GET",
        _ONE + "/file_batches/{batch_id}",
        "Get a batch of files",
        "查询向量库文件批次",
        example_answer=_BATCH,
    ),
    object_call(
        "vector_stores.file_batches.cancel",
        "POST",
        _ONE + "/file_batches/{batch_id}/cancel",
        "Cancel a batch of files",
        "取消向量库文件批次",
        example_answer=_BATCH,
    ),
    object_call(
        "vector_stores.file_batches.files",
        "GET",
        _ONE + "/file_batches/{batch_id}/files",
        "List the files of a batch",
        "列出向量库批次文件",
        example_answer=page([_FILE]),
    ),
)
