"""Chat completions that were stored, fine-tuning jobs, and containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ...declare import (
    Accepted,
    Answer,
    BackgroundRules,
    Json,
    Made,
    ObjectRules,
    Refused,
    Reply,
    Request,
    State,
    Task,
    TaskRules,
    TaskStatus,
    UpstreamCall,
    Usage,
    Window,
)
from ..common import body_model
from .common import ModelName, model_patch
from .files import newest
from .objects import body_ids, file_ids, listing, made, member, members, same_metadata, touch, window

_EPOCHS: Final = 3
"""Epochs that a hold for a fine-tuning job assumes."""
_ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})


class MetadataBody(msgspec.Struct):
    """What of a stored completion may change."""

    metadata: dict[str, Any] | None


class JobBody(msgspec.Struct, omit_defaults=True):
    """A fine-tuning job."""

    model: ModelName
    training_file: Annotated[str, Meta(min_length=1)]
    validation_file: str | None = None
    suffix: str | None = None


class ContainerBody(msgspec.Struct, omit_defaults=True):
    """A container."""

    name: Annotated[str, Meta(min_length=1)]
    file_ids: list[str] | None = None


# Chat completions --------------------------------------------------------------------------------------------------


def completion_made(request: Request, value: Json) -> Sequence[Made]:
    """Return a chat completion that is stored, from an answer or a chunk."""
    name = member(value, "id")
    return [Made(name, "chat_completion")] if isinstance(name, str) and name else ()


def wants_storing(request: Request) -> bool:
    """Tell whether a chat completion is to be stored."""
    return b'"store"' in request.raw and member(msgspec.json.decode(request.raw), "store") is True


CHAT: Final = ObjectRules(uses=file_ids, makes=completion_made, tells=wants_storing)
"""Of creating one."""


def oldest_first(request: Request) -> Window:
    """Read the window of a list whose usual order is the oldest first."""
    found = window(request)
    return Window(found.limit, found.after, None, request.query.get("order") == "desc")


def like_asked(request: Request, value: Json) -> bool:
    """Tell whether a completion has the model and metadata that a list is asked for."""
    model = request.query.get("model")
    return (model is None or member(value, "model") == model) and same_metadata(request, value)


# Fine-tuning -------------------------------------------------------------------------------------------------------


class _Job(msgspec.Struct):
    status: str = ""
    trained_tokens: int | None = None


_job = msgspec.json.Decoder(_Job)


def job_made(request: Request, value: Json) -> Sequence[Made]:
    """Return a job and the files that it wrote."""
    name = member(value, "id")
    if not isinstance(name, str):
        return ()
    files = [one for one in members(value, "result_files") if isinstance(one, str)]
    return [Made(name, "fine_tuning_job"), *(Made(one, "file") for one in files)]


def job_estimate(request: Request, facts: Sequence[Mapping[str, Json]]) -> Usage:
    """Estimate the tokens of a training: its files', a few times over."""
    sizes = [one["bytes"] for one in facts if isinstance(one.get("bytes"), int)]
    return Usage(input=sum(sizes) // 4 * _EPOCHS, basis="estimated")


def accept(answer: Answer, request: Request) -> Accepted | Refused:
    """Take a job that was made."""
    name = member(answer.json(), "id")
    return Accepted(name, State.RUNNING, {"path": f"/fine_tuning/jobs/{name}"}) if isinstance(name, str) else Refused()


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read where a job stands; it costs what it trained, even where it was cancelled."""
    try:
        found = _job.decode(answer.body)
    except (msgspec.DecodeError, msgspec.ValidationError):
        found = _Job()
    shown = {"status": found.status}
    if found.status not in _ENDED:
        return TaskStatus(State.RUNNING, shown)
    if found.trained_tokens:
        return TaskStatus(State.SUCCEEDED, shown, usage=Usage(input=found.trained_tokens, basis="vendor"))
    if found.status == "succeeded":
        return TaskStatus(State.SUCCEEDED, shown)
    return TaskStatus(State.FAILED, shown, error=f"the job {found.status}")


TRAINING: Final = BackgroundRules(
    wanted=lambda request: True,
    rules=TaskRules(
        new_id=lambda: "",
        accept=accept,
        submitted=lambda task, links: Reply(task.snapshot),
        poll=lambda task: UpstreamCall(str(task.facts["path"])),
        read=read,
        render=lambda task, links: Reply(task.snapshot),
        interval=15.0,
        timeout=7 * 24 * 3600.0,
    ),
    model=lambda request, facts: body_model(request),
    estimate=job_estimate,
    price=lambda model: f"{model}:training",
)

_COMPLETION: Final = {
    "id": "chatcmpl-abc123",
    "object": "chat.completion",
    "created": 1760000000,
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "…"}, "finish_reason": "stop"}],
    "metadata": {"topic": "demo"},
}
_JOB: Final = {
    "id": "ftjob-abc123",
    "object": "fine_tuning.job",
    "created_at": 1760000000,
    "model": "gpt-4o-mini",
    "fine_tuned_model": None,
    "status": "queued",
    "training_file": "file-abc123",
    "trained_tokens": None,
    "result_files": [],
}
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


def _page(*data: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": False,
    }


_STORED: Final = "/v1/chat/completions"
_ONE: Final = _STORED + "/{completion_id}"
_JOBS: Final = "/v1/fine_tuning/jobs"
_JOB_PATH: Final = _JOBS + "/{fine_tuning_job_id}"
_CONTAINERS: Final = "/v1/containers"
_CONTAINER_PATH: Final = _CONTAINERS + "/{container_id}"

OPERATIONS = (
    touch(
        "chat.completions.list",
        "GET",
        _STORED,
        "List stored chat completions",
        "列出已存储的聊天补全",
        objects=listing("chat_completion", "/chat/completions", like_asked, oldest_first),
        example_answer=_page(_COMPLETION),
    ),
    touch(
        "chat.completions.get",
        "GET",
        _ONE,
        "Get a stored chat completion",
        "查询已存储的聊天补全",
        example_answer=_COMPLETION,
    ),
    touch(
        "chat.completions.update",
        "POST",
        _ONE,
        "Change a stored chat completion",
        "修改已存储的聊天补全",
        body=MetadataBody,
        example={"metadata": {"topic": "demo"}},
        example_answer=_COMPLETION,
    ),
    touch(
        "chat.completions.delete",
        "DELETE",
        _ONE,
        "Delete a stored chat completion",
        "删除已存储的聊天补全",
        ends=True,
        example_answer={"id": "chatcmpl-abc123", "object": "chat.completion.deleted", "deleted": True},
    ),
    touch(
        "chat.completions.messages",
        "GET",
        _ONE + "/messages",
        "List the messages of a stored chat completion",
        "列出已存储聊天补全的消息",
        example_answer=_page({"id": "chatcmpl-abc123-0", "role": "user", "content": "Hello!"}),
    ),
    touch(
        "fine_tuning.jobs.create",
        "POST",
        _JOBS,
        "Create a fine-tuning job",
        "创建微调任务",
        body=JobBody,
        model=body_model,
        patch=model_patch,
        free=False,
        objects=ObjectRules(uses=body_ids, makes=job_made, background=TRAINING),
        example_answer=_JOB,
        example={"model": "gpt-4o-mini", "training_file": "file-abc123"},
    ),
    touch(
        "fine_tuning.jobs.list",
        "GET",
        _JOBS,
        "List fine-tuning jobs",
        "列出微调任务",
        objects=listing("fine_tuning_job", "/fine_tuning/jobs", same_metadata, newest),
        example_answer=_page(_JOB),
    ),
    touch(
        "fine_tuning.jobs.get",
        "GET",
        _JOB_PATH,
        "Get a fine-tuning job",
        "查询微调任务",
        makes=job_made,
        example_answer=_JOB,
    ),
    touch(
        "fine_tuning.jobs.cancel",
        "POST",
        _JOB_PATH + "/cancel",
        "Cancel a fine-tuning job",
        "取消微调任务",
        example_answer={**_JOB, "status": "cancelled"},
    ),
    touch(
        "fine_tuning.jobs.pause",
        "POST",
        _JOB_PATH + "/pause",
        "Pause a fine-tuning job",
        "暂停微调任务",
        example_answer={**_JOB, "status": "paused"},
    ),
    touch(
        "fine_tuning.jobs.resume",
        "POST",
        _JOB_PATH + "/resume",
        "Resume a fine-tuning job",
        "恢复微调任务",
        example_answer=_JOB,
    ),
    touch(
        "fine_tuning.jobs.events",
        "GET",
        _JOB_PATH + "/events",
        "List a fine-tuning job's events",
        "列出微调任务事件",
        example_answer={"object": "list", "data": [], "has_more": False},
    ),
    touch(
        "fine_tuning.jobs.checkpoints",
        "GET",
        _JOB_PATH + "/checkpoints",
        "List a fine-tuning job's checkpoints",
        "列出微调任务检查点",
        example_answer={"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False},
    ),
    touch(
        "containers.create",
        "POST",
        _CONTAINERS,
        "Create a container",
        "创建容器",
        body=ContainerBody,
        makes=made("container", "id"),
        example={"name": "Workbench"},
        example_answer=_CONTAINER,
    ),
    touch(
        "containers.list",
        "GET",
        _CONTAINERS,
        "List containers",
        "列出容器",
        objects=listing("container", "/containers"),
        example_answer=_page(_CONTAINER),
    ),
    touch("containers.get", "GET", _CONTAINER_PATH, "Get a container", "查询容器", example_answer=_CONTAINER),
    touch(
        "containers.delete",
        "DELETE",
        _CONTAINER_PATH,
        "Delete a container",
        "删除容器",
        ends=True,
        example_answer={"id": "cntr_abc123", "object": "container.deleted", "deleted": True},
    ),
    touch(
        "containers.files.list",
        "GET",
        _CONTAINER_PATH + "/files",
        "List a container's files",
        "列出容器文件",
        example_answer=_page(_CONTAINER_FILE),
    ),
    touch(
        "containers.files.get",
        "GET",
        _CONTAINER_PATH + "/files/{file_id}",
        "Get a file of a container",
        "查询容器文件",
        example_answer=_CONTAINER_FILE,
    ),
    touch(
        "containers.files.content",
        "GET",
        _CONTAINER_PATH + "/files/{file_id}/content",
        "Download a file of a container",
        "下载容器文件内容",
        answers=("application/octet-stream",),
    ),
    touch(
        "containers.files.delete",
        "DELETE",
        _CONTAINER_PATH + "/files/{file_id}",
        "Delete a file of a container",
        "删除容器文件",
        example_answer={"id": "cfile_abc123", "object": "container.file.deleted", "deleted": True},
    ),
)
