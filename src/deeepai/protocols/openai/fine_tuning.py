"""Fine-tuning jobs: held for by the size of their files, and charged by the tokens that they trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ...declare import (
    Accepted,
    Answer,
    AnyRequest,
    BackgroundRules,
    Call,
    JobRules,
    Json,
    Made,
    ObjectRules,
    Refused,
    State,
    Task,
    TaskStatus,
    Text,
    UpstreamCall,
    Usage,
)
from ..common import body_model
from .common import ModelName, member, members, model_patch
from .object_calls import EXAMPLE_IDS, listing, newest_first, object_call, object_list, page, same_metadata
from .object_ids import TRAINING_IDS, ids_at

_EPOCHS: Final = 3
"""Epochs that a hold for a fine-tuning job assumes."""
_ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})


class JobBody(msgspec.Struct, omit_defaults=True):
    """A fine-tuning job."""

    model: ModelName
    training_file: Annotated[str, Meta(min_length=1)]
    validation_file: str | None = None
    suffix: str | None = None


class _Job(msgspec.Struct):
    status: str = ""
    trained_tokens: int | None = None


_job = msgspec.json.Decoder(_Job)


def job_made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return a job and the files that it wrote."""
    name = member(value, "id")
    if not isinstance(name, str):
        return ()
    files = [file for file in members(value, "result_files") if isinstance(file, str)]
    return [Made(name, "fine_tuning_job"), *(Made(file, "file") for file in files)]


def job_estimate(request: AnyRequest, facts: Sequence[Mapping[str, Json]]) -> Usage:
    """Estimate the tokens of a training: its files', a few times over."""
    sizes = [file["bytes"] for file in facts if isinstance(file.get("bytes"), int)]
    return Usage(input=sum(sizes) // 4 * _EPOCHS, basis="estimated")


def _path(name: str) -> str:
    return f"/fine_tuning/jobs/{name}"


def accept(answer: Answer, request: AnyRequest) -> Accepted | Refused:
    """Take a job that was made."""
    name = member(answer.json(), "id")
    return Accepted(name, State.RUNNING, path=_path(name)) if isinstance(name, str) else Refused()


def poll(task: Task) -> UpstreamCall:
    """Ask for a job."""
    return UpstreamCall(_path(task.upstream_id or ""))


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read where a job stands; it costs what it trained, even where it was cancelled."""
    try:
        job = _job.decode(answer.body)
    except (msgspec.DecodeError, msgspec.ValidationError):
        job = _Job()
    snapshot = {"status": job.status}
    if job.status not in _ENDED:
        return TaskStatus(State.RUNNING, snapshot)
    if job.trained_tokens:
        return TaskStatus(State.SUCCEEDED, snapshot, usage=Usage(input=job.trained_tokens, basis="vendor"))
    if job.status == "succeeded":
        return TaskStatus(State.SUCCEEDED, snapshot)
    return TaskStatus(State.FAILED, snapshot, error=f"the job {job.status}")


TRAINING: Final[BackgroundRules[JobBody]] = BackgroundRules(
    wanted=lambda request: True,
    rules=JobRules(
        accept=accept,
        poll=poll,
        read=read,
        cancel=lambda task: UpstreamCall(f"{_path(task.upstream_id or '')}/cancel", "POST"),
        interval=15.0,
        timeout=7 * 24 * 3600.0,
    ),
    model=lambda request, facts: body_model(request),
    estimate=job_estimate,
    price=lambda model: f"{model}:training",
)

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

_JOBS: Final = "/v1/fine_tuning/jobs"
_JOB_PATH: Final = _JOBS + "/{fine_tuning_job_id}"

OPERATIONS = (
    Call(
        name="fine_tuning.jobs.create",
        method="POST",
        path=_JOBS,
        upstream_template="/fine_tuning/jobs",
        summary=Text("Create a fine-tuning job", "创建微调任务"),
        body=JobBody,
        model=body_model,
        patch=model_patch,
        objects=ObjectRules(uses=ids_at(TRAINING_IDS), makes=job_made, background=TRAINING),
        example={"model": "gpt-4o-mini", "training_file": "file-abc123"},
        example_params=EXAMPLE_IDS,
        example_answer=_JOB,
    ),
    object_list(
        "fine_tuning.jobs.list",
        _JOBS,
        "List fine-tuning jobs",
        "列出微调任务",
        listing("fine_tuning_job", "/fine_tuning/jobs", same_metadata, newest_first),
        example_answer=page([_JOB]),
    ),
    object_call(
        "fine_tuning.jobs.get",
        "GET",
        _JOB_PATH,
        "Get a fine-tuning job",
        "查询微调任务",
        makes=job_made,
        example_answer=_JOB,
    ),
    object_call(
        "fine_tuning.jobs.cancel",
        "POST",
        _JOB_PATH + "/cancel",
        "Cancel a fine-tuning job",
        "取消微调任务",
        example_answer={**_JOB, "status": "cancelled"},
    ),
    object_call(
        "fine_tuning.jobs.pause",
        "POST",
        _JOB_PATH + "/pause",
        "Pause a fine-tuning job",
        "暂停微调任务",
        example_answer={**_JOB, "status": "paused"},
    ),
    object_call(
        "fine_tuning.jobs.resume",
        "POST",
        _JOB_PATH + "/resume",
        "Resume a fine-tuning job",
        "恢复微调任务",
        example_answer=_JOB,
    ),
    object_call(
        "fine_tuning.jobs.events",
        "GET",
        _JOB_PATH + "/events",
        "List a fine-tuning job's events",
        "列出微调任务事件",
        example_answer={"object": "list", "data": [], "has_more": False},
    ),
    object_call(
        "fine_tuning.jobs.checkpoints",
        "GET",
        _JOB_PATH + "/checkpoints",
        "List a fine-tuning job's checkpoints",
        "列出微调任务检查点",
        example_answer=page([]),
    ),
)
