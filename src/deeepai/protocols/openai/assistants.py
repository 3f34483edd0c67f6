"""Assistants, threads, messages and runs (`OpenAI-Beta: assistants=v2`).

A run is held for before it is started, followed to its end, and charged by the usage that it then tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ...declare import (
    COMMENT,
    Accepted,
    Answer,
    AnyRequest,
    BackgroundRules,
    Facts,
    Failure,
    JobRules,
    Json,
    Made,
    ObjectRules,
    Reason,
    Refused,
    Request,
    State,
    Stream,
    StreamRules,
    Task,
    TaskStatus,
    Text,
    UpstreamCall,
    Usage,
)
from ..common import body_model, rough_tokens
from ..common.events import DATALESS, with_data
from ..common.usage import Reader
from .chat import stream_error
from .common import MayNameModel, ModelName, member, members, model_patch, wants_stream
from .object_calls import EXAMPLE_IDS, listing, object_call, object_list, page
from .object_ids import ASSISTANT_IDS, MESSAGE_IDS, RUN_IDS, THREAD_IDS, ids_at
from .usage import DEFAULT_OUTPUT, VendorUsage, token_usage

_THREAD_TOKENS: Final = 2000
"""Input tokens that a hold assumes for what the thread and the assistant hold already."""
_ENDED: Final = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})


class AssistantBody(msgspec.Struct, omit_defaults=True):
    """An assistant."""

    model: ModelName
    name: str | None = None
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None


class AssistantChanges(msgspec.Struct, omit_defaults=True):
    """What of an assistant is to change."""

    model: ModelName | None = None
    name: str | None = None
    instructions: str | None = None


class ThreadBody(msgspec.Struct, omit_defaults=True):
    """A thread."""

    messages: list[dict[str, Any]] | None = None
    metadata: dict[str, Any] | None = None


class MetadataBody(msgspec.Struct, omit_defaults=True):
    """What of a thread, message or run may change."""

    metadata: dict[str, Any] | None = None


class MessageBody(msgspec.Struct):
    """A message."""

    role: str
    content: str | list[dict[str, Any]]


class RunBody(msgspec.Struct, omit_defaults=True):
    """A run of a thread."""

    assistant_id: Annotated[str, Meta(min_length=1)]
    model: ModelName | None = None
    stream: bool | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_prompt_tokens: Annotated[int, Meta(ge=1)] | None = None


class OutputsBody(msgspec.Struct, omit_defaults=True):
    """What the tools answered that a run waits for."""

    tool_outputs: list[dict[str, Any]]
    stream: bool | None = None


# Objects -----------------------------------------------------------------------------------------------------------


def assistant_made(request: Request[MayNameModel], value: Json) -> Sequence[Made]:
    """Return an assistant, and its model as its maker named it."""
    name, model = member(value, "id"), request.body.model
    if not isinstance(name, str):
        return ()
    return [Made(name, "assistant", facts={"model": model} if model else {})]


def thread_made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return a thread, and the vector stores that were made with it."""
    name = member(value, "id")
    if not isinstance(name, str) or member(value, "object") != "thread":
        return ()
    return [Made(name, "thread"), *_stores(value)]


def _stores(value: Json) -> list[Made]:
    stores = members(value, "tool_resources", "file_search", "vector_store_ids")
    return [Made(store, "vector_store") for store in stores if isinstance(store, str)]


def both_made(request: Request[MayNameModel], value: Json) -> Sequence[Made]:
    """Return an assistant with the vector stores that were made with it."""
    return [*assistant_made(request, value), *_stores(value)]


def run_made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return the thread of a run that was made together with it."""
    thread = member(value, "thread_id")
    if member(value, "object") == "thread.run" and isinstance(thread, str):
        return [Made(thread, "thread")]
    return thread_made(request, value)


def written(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return the files that assistants wrote, from a message or a list of them."""
    written_files: list[Made] = []
    for message in members(value, "data") or (value,):
        if member(message, "role") != "assistant":
            continue
        for part in members(message, "content"):
            files = [member(part, "image_file", "file_id")]
            files += [member(note, "file_path", "file_id") for note in members(part, "text", "annotations")]
            written_files += [Made(file, "file") for file in files if isinstance(file, str)]
    return written_files


def drawn(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return the files that tools wrote, from a step of a run or a list of them."""
    written_files: list[Made] = []
    for step in members(value, "data") or (value,):
        for call in members(step, "step_details", "tool_calls"):
            files = [member(output, "image", "file_id") for output in members(call, "code_interpreter", "outputs")]
            written_files += [Made(file, "file") for file in files if isinstance(file, str)]
    return written_files


# Runs --------------------------------------------------------------------------------------------------------------


class _Run(msgspec.Struct):
    status: str = ""
    usage: VendorUsage | None = None


_STATUS: Final = Reader(_Run)


def run_model(request: Request[RunBody], facts: Sequence[Mapping[str, Json]]) -> str:
    """Return the model of a run: its own, else its assistant's.

    Raises
    ------
    Failure
        INVALID, where neither is known.
    """
    name = request.body.model or next((known["model"] for known in facts if known.get("model")), None)
    if not isinstance(name, str):
        raise Failure(Reason.INVALID, "Name the model of the run", param="model")
    return name


def run_estimate(request: Request[RunBody], facts: Sequence[Mapping[str, Json]]) -> Usage:
    """Estimate a run."""
    body = request.body
    return Usage(
        input=body.max_prompt_tokens or rough_tokens(request) + _THREAD_TOKENS,
        output=body.max_completion_tokens or DEFAULT_OUTPUT,
        unlimited=0 if body.max_completion_tokens else 1,
        unseen=0 if body.max_prompt_tokens else 1,
        basis="estimated",
    )


def accept(answer: Answer, request: AnyRequest) -> Accepted | Refused:
    """Find a run, in an answer or a stream's event."""
    value = answer.json()
    name, thread = member(value, "id"), member(value, "thread_id")
    if member(value, "object") != "thread.run" or not isinstance(name, str) or not isinstance(thread, str):
        return Refused()
    path = f"/threads/{thread}/runs/{name}"
    return Accepted(name, State.RUNNING, {"path": path}, path=path, within=(thread,))


def poll(task: Task) -> UpstreamCall:
    """Ask for a run."""
    return UpstreamCall(str(task.facts["path"]), headers={"openai-beta": "assistants=v2"})


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read where a run stands."""
    run = _STATUS.read(answer.body)
    snapshot = {"status": run.status}
    if run.status not in _ENDED:
        return TaskStatus(State.RUNNING, snapshot)
    if run.usage is not None:
        return TaskStatus(State.SUCCEEDED, snapshot, usage=token_usage(run.usage))
    if run.status in ("completed", "incomplete"):
        return TaskStatus(State.SUCCEEDED, snapshot)
    return TaskStatus(State.FAILED, snapshot, error=f"the run {run.status}")


RUN: Final[BackgroundRules[RunBody]] = BackgroundRules(
    wanted=lambda request: True,
    rules=JobRules(
        accept=accept,
        poll=poll,
        read=read,
        cancel=lambda task: UpstreamCall(f"{task.facts['path']}/cancel", "POST", headers=poll(task).headers),
        timeout=24 * 3600.0,
    ),
    model=run_model,
    estimate=run_estimate,
)


def _no_usage(event: bytes) -> Usage | None:
    """Runs tell their usage where they are asked for, and are charged by that."""
    return None


def _error(failure: Failure, request_id: str) -> bytes:
    return b"event: error\n" + stream_error(failure, request_id)


STREAM: Final[StreamRules[RunBody | OutputsBody]] = StreamRules(
    wanted=wants_stream,
    usage=_no_usage,
    visible=with_data,
    text=lambda event: "",
    prompt=lambda request: "",
    is_last=lambda event: event.startswith(b"event: done"),
    error=_error,
    scan_for=(b'"usage"', b"[DONE]", *DATALESS),
    keep_alive=COMMENT,
)

_ASSISTANT: Final = {
    "id": "asst_abc123",
    "object": "assistant",
    "created_at": 1760000000,
    "name": "Tutor",
    "model": "gpt-4o-mini",
    "instructions": "You help with mathematics.",
    "tools": [],
    "metadata": {},
}
_THREAD: Final = {"id": "thread_abc123", "object": "thread", "created_at": 1760000000, "metadata": {}}
_MESSAGE: Final = {
    "id": "msg_abc123",
    "object": "thread.message",
    "created_at": 1760000000,
    "thread_id": "thread_abc123",
    "role": "user",
    "content": [{"type": "text", "text": {"value": "What is 6 × 7?", "annotations": []}}],
}
_RUN: Final = {
    "id": "run_abc123",
    "object": "thread.run",
    "created_at": 1760000000,
    "thread_id": "thread_abc123",
    "assistant_id": "asst_abc123",
    "status": "queued",
    "model": "gpt-4o-mini",
    "usage": None,
}
_STEP: Final = {
    "id": "step_abc123",
    "object": "thread.run.step",
    "created_at": 1760000000,
    "run_id": "run_abc123",
    "type": "message_creation",
    "status": "completed",
}
_STREAMS: Final = ("application/json", "text/event-stream")


def _changed_model(request: Request[MayNameModel], facts: Facts) -> dict[str, Any]:
    return model_patch(request, facts) if request.body.model is not None else {}


def _named_model(request: Request[MayNameModel]) -> str:
    return request.body.model or ""


_ASSISTANTS: Final = "/v1/assistants"
_THREADS: Final = "/v1/threads"
_THREAD_PATH: Final = _THREADS + "/{thread_id}"
_MESSAGES: Final = _THREAD_PATH + "/messages"
_RUNS: Final = _THREAD_PATH + "/runs"
_RUN_PATH: Final = _RUNS + "/{run_id}"

OPERATIONS = (
    object_call(
        "assistants.create",
        "POST",
        _ASSISTANTS,
        "Create an assistant",
        "创建助手",
        body=AssistantBody,
        names=ASSISTANT_IDS,
        model=body_model,
        patch=model_patch,
        makes=both_made,
        example_answer=_ASSISTANT,
        example={"model": "gpt-4o-mini", "name": "Tutor", "instructions": "You help with mathematics."},
    ),
    object_list(
        "assistants.list",
        _ASSISTANTS,
        "List assistants",
        "列出助手",
        listing("assistant", "/assistants"),
        example_answer=page([_ASSISTANT]),
    ),
    object_call(
        "assistants.get",
        "GET",
        _ASSISTANTS + "/{assistant_id}",
        "Get an assistant",
        "查询助手",
        example_answer=_ASSISTANT,
    ),
    object_call(
        "assistants.update",
        "POST",
        _ASSISTANTS + "/{assistant_id}",
        "Change an assistant",
        "修改助手",
        body=AssistantChanges,
        names=ASSISTANT_IDS,
        model=_named_model,
        patch=_changed_model,
        makes=both_made,
        example={"name": "Tutor"},
        example_answer=_ASSISTANT,
    ),
    object_call(
        "assistants.delete",
        "DELETE",
        _ASSISTANTS + "/{assistant_id}",
        "Delete an assistant",
        "删除助手",
        ends=True,
        example_answer={"id": "asst_abc123", "object": "assistant.deleted", "deleted": True},
    ),
    object_call(
        "threads.create",
        "POST",
        _THREADS,
        "Create a thread",
        "创建线程",
        body=ThreadBody,
        names=THREAD_IDS,
        makes=thread_made,
        example={"messages": [{"role": "user", "content": "What is 6 × 7?"}]},
        example_answer=_THREAD,
    ),
    object_call(
        "threads.get", "GET", _THREAD_PATH, "Get a thread", "查询线程", makes=thread_made, example_answer=_THREAD
    ),
    object_call(
        "threads.update",
        "POST",
        _THREAD_PATH,
        "Change a thread",
        "修改线程",
        body=MetadataBody,
        names=ASSISTANT_IDS,
        example={"metadata": {"topic": "demo"}},
        example_answer=_THREAD,
    ),
    object_call(
        "threads.delete",
        "DELETE",
        _THREAD_PATH,
        "Delete a thread",
        "删除线程",
        ends=True,
        example_answer={"id": "thread_abc123", "object": "thread.deleted", "deleted": True},
    ),
    object_call(
        "threads.messages.create",
        "POST",
        _MESSAGES,
        "Add a message to a thread",
        "创建消息",
        body=MessageBody,
        names=MESSAGE_IDS,
        example={"role": "user", "content": "What is 6 × 7?"},
        example_answer=_MESSAGE,
    ),
    object_call(
        "threads.messages.list",
        "GET",
        _MESSAGES,
        "List a thread's messages",
        "列出消息",
        makes=written,
        example_answer=page([_MESSAGE]),
    ),
    object_call(
        "threads.messages.get",
        "GET",
        _MESSAGES + "/{message_id}",
        "Get a message",
        "查询消息",
        makes=written,
        example_answer=_MESSAGE,
    ),
    object_call(
        "threads.messages.update",
        "POST",
        _MESSAGES + "/{message_id}",
        "Change a message",
        "修改消息",
        body=MetadataBody,
        example={"metadata": {"topic": "demo"}},
        example_answer=_MESSAGE,
    ),
    object_call(
        "threads.messages.delete",
        "DELETE",
        _MESSAGES + "/{message_id}",
        "Delete a message",
        "删除消息",
        example_answer={"id": "msg_abc123", "object": "thread.message.deleted", "deleted": True},
    ),
    Stream(
        name="threads.runs.create",
        method="POST",
        path=_RUNS,
        upstream_template="/threads/{thread_id}/runs",
        rules=STREAM,
        summary=Text("Run a thread", "创建运行"),
        body=RunBody,
        patch=_changed_model,
        objects=ObjectRules(uses=ids_at(RUN_IDS, "thread_id"), background=RUN),
        answers=_STREAMS,
        example={"assistant_id": "asst_abc123"},
        example_params=EXAMPLE_IDS,
        example_answer=_RUN,
    ),
    Stream(
        name="threads.runs.create_both",
        method="POST",
        path=_THREADS + "/runs",
        upstream_template="/threads/runs",
        rules=STREAM,
        summary=Text("Create a thread and run it", "创建线程并运行"),
        body=RunBody,
        patch=_changed_model,
        objects=ObjectRules(uses=ids_at(RUN_IDS), makes=run_made, scan_for=(b"thread.created",), background=RUN),
        answers=_STREAMS,
        example={"assistant_id": "asst_abc123", "thread": {"messages": [{"role": "user", "content": "Hi!"}]}},
        example_params=EXAMPLE_IDS,
        example_answer=_RUN,
    ),
    object_call("threads.runs.list", "GET", _RUNS, "List a thread's runs", "列出运行", example_answer=page([_RUN])),
    object_call("threads.runs.get", "GET", _RUN_PATH, "Get a run", "查询运行", example_answer=_RUN),
    object_call(
        "threads.runs.update",
        "POST",
        _RUN_PATH,
        "Change a run",
        "修改运行",
        body=MetadataBody,
        example={"metadata": {"topic": "demo"}},
        example_answer=_RUN,
    ),
    object_call(
        "threads.runs.cancel",
        "POST",
        _RUN_PATH + "/cancel",
        "Cancel a run",
        "取消运行",
        example_answer={**_RUN, "status": "cancelling"},
    ),
    object_call(
        "threads.runs.submit_tool_outputs",
        "POST",
        _RUN_PATH + "/submit_tool_outputs",
        "Give a run its tools' answers",
        "提交工具输出",
        body=OutputsBody,
        stream=STREAM,
        answers=_STREAMS,
        example_answer=_RUN,
        example={"tool_outputs": [{"tool_call_id": "call_abc123", "output": "42"}]},
    ),
    object_call(
        "threads.runs.steps.list",
        "GET",
        _RUN_PATH + "/steps",
        "List a run's steps",
        "列出运行步骤",
        makes=drawn,
        example_answer=page([_STEP]),
    ),
    object_call(
        "threads.runs.steps.get",
        "GET",
        _RUN_PATH + "/steps/{step_id}",
        "Get a step of a run",
        "查询运行步骤",
        makes=drawn,
        example_answer=_STEP,
    ),
)
