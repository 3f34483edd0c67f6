"""Containers that code runs in, and the files in them."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from .object_calls import listing, made, object_call, object_list, page
from .object_ids import CONTAINER_IDS


class ContainerBody(msgspec.Struct, omit_defaults=True):
    """A container."""

    name: Annotated[str, Meta(min_length=1)]
    file_ids: list[str] | None = None


_CONTAINER: Final = {
    "id": "cntr_abc123",
    "object": "container",
    "created_at": 1760000000,
    "status": "running",
    "name": "Workbench",
}
_CONTAINER_FILE: Final = {
    "id": "cfile_abc123",
    "object": "container.file",
    "created_at": 1760000000,
    "bytes": 140,
    "container_id": "cntr_abc123",
    "path": "/mnt/data/table.csv",
    "source": "user",
}

_CONTAINERS: Final = "/v1/containers"
_CONTAINER_PATH: Final = _CONTAINERS + "/{container_id}"

OPERATIONS = (
    object_call(
        "containers.create",
        "POST",
        _CONTAINERS,
        "Create a container",
        "创建容器",
        body=ContainerBody,
        names=CONTAINER_IDS,
        makes=made("container"),
        example={"name": "Workbench"},
        example_answer=_CONTAINER,
    ),
    object_list(
        "containers.list",
        _CONTAINERS,
        "List containers",
        "列出容器",
        listing("container", "/containers"),
        example_answer=page([_CONTAINER]),
    ),
    object_call("containers.get", "GET", _CONTAINER_PATH, "Get a container", "查询容器", example_answer=_CONTAINER),
    object_call(
        "containers.delete",
        "DELETE",
        _CONTAINER_PATH,
        "Delete a container",
        "删除容器",
        ends=True,
        example_answer={"id": "cntr_abc123", "object": "container.deleted", "deleted": True},
    ),
    object_call(
        "containers.files.list",
        "GET",
        _CONTAINER_PATH + "/files",
        "List a container's files",
        "列出容器文件",
        example_answer=page([_CONTAINER_FILE]),
    ),
    object_call(
        "containers.files.get",
        "GET",
        _CONTAINER_PATH + "/files/{file_id}",
        "Get a file of a container",
        "查询容器文件",
        example_answer=_CONTAINER_FILE,
    ),
    object_call(
        "containers.files.content",
        "GET",
        _CONTAINER_PATH + "/files/{file_id}/content",
        "Download a file of a container",
        "下载容器文件内容",
        answers=("application/octet-stream",),
    ),
    object_call(
        "containers.files.delete",
        "DELETE",
        _CONTAINER_PATH + "/files/{file_id}",
        "Delete a file of a container",
        "删除容器文件",
        example_answer={"id": "cfile_abc123", "object": "container.file.deleted", "deleted": True},
    ),
)
