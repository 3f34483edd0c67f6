"""Files, uploads in parts, and batches.

A batch is held for by what its input file asks, and charged at half price by what the vendor says it used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Meta

from ...declare import (
    Accepted,
    Answer,
    AnyRequest,
    BackgroundRules,
    Call,
    Failure,
    JobRules,
    Json,
    Made,
    ObjectCall,
    ObjectRules,
    Piece,
    Reason,
    Refused,
    Request,
    State,
    Task,
    TaskStatus,
    Text,
    UpstreamCall,
    Usage,
    said_once,
)
from ..common import unseen
from ..common.usage import Reader
from .common import member
from .object_calls import EXAMPLE_IDS, listing, newest_first, object_call, object_list, page
from .object_ids import BATCH_IDS, ids_at, line_ids, path_id
from .response_usage import tokens
from .usage import DEFAULT_OUTPUT, ELSEWHERE, VENDOR_USAGE, VendorUsage, completions, token_usage

FILE_LIMIT: Final = 512 * 1024 * 1024
PART_LIMIT: Final = 64 * 1024 * 1024
_ROOM: Final = 64 * 1024
"""Bytes of a form beside the file."""
_BATCHED: Final = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"})
"""What a batch may ask for: all that is charged by tokens."""
_SHARE: Final = 0.5
"""Of the usual price, that a batch costs."""

_FILE: Final = {
    "id": "file-abc123",
    "object": "file",
    "bytes": 140,
    "created_at": 1760000000,
    "filename": "requests.jsonl",
    "purpose": "batch",
    "status": "processed",
}
_UPLOAD: Final = {
    "id": "upload_abc123",
    "object": "upload",
    "bytes": 140,
    "created_at": 1760000000,
    "expires_at": 1760003600,
    "filename": "requests.jsonl",
    "purpose": "batch",
    "status": "pending",
}
_BATCH: Final = {
    "id": "batch_abc123",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-abc123",
    "completion_window": "24h",
    "status": "validating",
    "created_at": 1760000000,
    "request_counts": {"total": 0, "completed": 0, "failed": 0},
}


class FileForm(msgspec.Struct, omit_defaults=True):
    """Fields beside the file; every other field of the specification passes through."""

    purpose: Annotated[str, Meta(min_length=1, description="batch, fine-tune, assistants, vision, user_data or evals")]


class UploadBody(msgspec.Struct):
    """What will be uploaded in parts."""

    filename: str
    purpose: str
    bytes: Annotated[int, Meta(ge=0)]
    mime_type: str


class CompleteBody(msgspec.Struct):
    """The parts of an upload, in order."""

    part_ids: list[str]


class BatchBody(msgspec.Struct, omit_defaults=True):
    """A batch: a file of requests, one a line."""

    input_file_id: Annotated[str, Meta(min_length=1)]
    endpoint: str
    completion_window: str
    metadata: dict[str, Any] | None = None


# Objects -----------------------------------------------------------------------------------------------------------


def file_made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return a file, and what its later users want to know of it."""
    name = member(value, "id")
    if not isinstance(name, str):
        return ()
    return [Made(name, "file", facts={"bytes": member(value, "bytes"), "purpose": member(value, "purpose")})]


def upload_made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return an upload, and the file that it has become."""
    name = member(value, "id")
    uploads = [Made(name, "upload")] if isinstance(name, str) else []
    return [*uploads, *file_made(request, member(value, "file"))]


def batch_made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return a batch and the files that it wrote."""
    name = member(value, "id")
    files = [member(value, key) for key in ("output_file_id", "error_file_id")]
    batches = [Made(name, "batch")] if isinstance(name, str) else []
    return [*batches, *(Made(file, "file") for file in files if isinstance(file, str))]


def of_purpose(request: AnyRequest, value: Json) -> bool:
    """Tell whether a file has the purpose that a list is asked for."""
    wanted = request.query.get("purpose")
    return wanted is None or member(value, "purpose") == wanted


# Batches -----------------------------------------------------------------------------------------------------------


def input_path(request: Request[BatchBody]) -> str:
    """Return where the requests of a batch lie."""
    return f"/files/{quote(request.body.input_file_id, safe='')}/content"


class _LineBody(msgspec.Struct):
    model: Annotated[str, Meta(min_length=1)]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    thinking_budget: int | None = None
    n: int | None = None
    best_of: int | None = None
    prompt: Any = None
    background: bool | None = None


class _Line(msgspec.Struct):
    url: str
    body: _LineBody


_line = msgspec.json.Decoder(_Line)


def line(request: Request[BatchBody], data: bytes) -> Piece:
    """Read one request of a batch.

    Raises
    ------
    Failure
        INVALID
    """
    try:
        call = _line.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as fault:
        raise Failure(
            Reason.INVALID, f"A line of the input file is not a request: {fault}", param="input_file_id"
        ) from None
    said_once(_Line, data.strip())
    if call.url != request.body.endpoint:
        raise Failure(Reason.INVALID, "A request of the input file is not for the batch's endpoint", param="endpoint")
    body = call.body
    if body.background:
        raise Failure(Reason.INVALID, "A batch's requests cannot run in the background", param="input_file_id")
    limit = max(body.max_completion_tokens or 0, body.max_tokens or 0, body.max_output_tokens or 0)
    answers = 0 if call.url == "/v1/embeddings" else completions(body.prompt, body.n, body.best_of)
    usage = Usage(
        input=len(data) // 4 + 1,
        output=((limit or DEFAULT_OUTPUT) + max(0, body.thinking_budget or 0)) * max(0, answers),
        share=_SHARE,
        unlimited=0 if limit else answers,
        unseen=unseen(data, *ELSEWHERE),
        basis="estimated",
    )
    return Piece(body.model, usage, line_ids(call.url, data))


def check_batch(request: Request[BatchBody]) -> None:
    """Refuse what cannot be metered.

    Raises
    ------
    Failure
        INVALID
    """
    if request.body.endpoint not in _BATCHED:
        allowed = ", ".join(sorted(_BATCHED))
        raise Failure(Reason.INVALID, f"The endpoint of a batch is one of {allowed}", param="endpoint")


class _Counts(msgspec.Struct):
    completed: int = 0


class _Batch(msgspec.Struct):
    id: str = ""
    object: str = ""
    status: str = ""
    output_file_id: str | None = None
    usage: VendorUsage | None = None
    request_counts: _Counts | None = None

    @property
    def answers(self) -> int:
        """How many there are; at least one."""
        return max(1, self.request_counts.completed if self.request_counts is not None else 1)


class _Used(msgspec.Struct):
    usage: VendorUsage | None = None


class _Done(msgspec.Struct):
    body: _Used | None = None


class _OutLine(msgspec.Struct):
    response: _Done | None = None


_STATUS: Final = Reader(_Batch)
_OUT: Final = Reader(_OutLine)
_ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})


def _path(name: str) -> str:
    return f"/batches/{name}"


def accept(answer: Answer, request: AnyRequest) -> Accepted | Refused:
    """Take a batch that was made."""
    value = answer.json()
    name = member(value, "id")
    if member(value, "object") != "batch" or not isinstance(name, str):
        return Refused()
    return Accepted(name, State.RUNNING, path=_path(name))


def poll(task: Task) -> UpstreamCall:
    """Ask for the batch; once it has ended, for its output."""
    output = member(task.snapshot, "output_file_id")
    if isinstance(output, str):
        return UpstreamCall(f"/files/{output}/content", lines=True)
    return UpstreamCall(_path(task.upstream_id or ""))


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read where a batch stands. Each of its answers is priced by itself, so that its length decides its rates."""
    batch = _STATUS.read(answer.body)
    if batch.object != "batch":
        total = member(task.snapshot, "usage")
        if answer.status == 404 and total is not None:
            # The output was deleted meanwhile: what the batch itself told of all answers together is left.
            usage = _shared(tokens(VENDOR_USAGE.of(total)), task.snapshot["answers"])
            return TaskStatus(State.SUCCEEDED, {"status": "completed"}, usage=usage)
        return TaskStatus(State.NOT_FOUND if answer.status == 404 else State.RUNNING, None)
    snapshot = {"status": batch.status}
    if batch.status not in _ENDED:
        return TaskStatus(State.RUNNING, snapshot)
    if batch.output_file_id is not None:
        totals = {"usage": batch.usage, "answers": batch.answers} if batch.usage is not None else {}
        return TaskStatus(
            State.RUNNING, msgspec.to_builtins({**snapshot, "output_file_id": batch.output_file_id, **totals})
        )
    if batch.usage is not None:
        usage = _shared(tokens(batch.usage), batch.answers)
        return TaskStatus(State.SUCCEEDED, snapshot, usage=usage)
    return TaskStatus(State.FAILED, snapshot, error=f"the batch {batch.status} without any answer")


def _shared(usage: Usage, answers: int) -> Usage:
    return msgspec.structs.replace(usage, share=_SHARE, largest=usage.input // answers + 1)


def answer_line(task: Task, data: bytes) -> Usage | None:
    """Read what one answer of a batch used."""
    done = _OUT.read(data).response
    vendor = done.body.usage if done is not None and done.body is not None else None
    if vendor is None:
        return None
    of_a_response = vendor.input_tokens is not None and vendor.prompt_tokens is None
    return msgspec.structs.replace(token_usage(vendor, calls=0 if of_a_response else 1), share=_SHARE)


BATCH: Final[BackgroundRules[BatchBody]] = BackgroundRules(
    wanted=lambda request: True,
    rules=JobRules(
        accept=accept,
        poll=poll,
        read=read,
        line=answer_line,
        ends=lambda answer: answer.status == 404,
        cancel=lambda task: UpstreamCall(f"{_path(task.upstream_id or '')}/cancel", "POST"),
        interval=10.0,
        timeout=3 * 24 * 3600.0,
    ),
    model=lambda request, facts: "",
    estimate=lambda request, facts: Usage(basis="estimated"),
    lines=input_path,
    line=line,
)

OPERATIONS = (
    ObjectCall(
        name="files.create",
        method="POST",
        path="/v1/files",
        upstream_template="/files",
        summary=Text("Upload a file", "上传文件"),
        body=FileForm,
        media="multipart",
        files={"file": True},
        stream_body=True,
        max_body=FILE_LIMIT + _ROOM,
        objects=ObjectRules(makes=file_made),
        example={"purpose": "batch"},
        example_params=EXAMPLE_IDS,
        example_answer=_FILE,
    ),
    object_list(
        "files.list",
        "/v1/files",
        "List files",
        "列出文件",
        listing("file", "/files", of_purpose),
        example_answer=page([_FILE]),
    ),
    object_call(
        "files.get", "GET", "/v1/files/{file_id}", "Get a file's description", "查询文件", example_answer=_FILE
    ),
    object_call(
        "files.delete",
        "DELETE",
        "/v1/files/{file_id}",
        "Delete a file",
        "删除文件",
        ends=True,
        example_answer={"id": "file-abc123", "object": "file", "deleted": True},
    ),
    object_call(
        "files.content",
        "GET",
        "/v1/files/{file_id}/content",
        "Download a file",
        "下载文件内容",
        answers=("application/octet-stream",),
    ),
    ObjectCall(
        name="uploads.create",
        method="POST",
        path="/v1/uploads",
        upstream_template="/uploads",
        summary=Text("Begin an upload in parts", "创建分片上传"),
        body=UploadBody,
        objects=ObjectRules(makes=upload_made),
        example={"filename": "requests.jsonl", "purpose": "batch", "bytes": 140, "mime_type": "text/jsonl"},
        example_params=EXAMPLE_IDS,
        example_answer=_UPLOAD,
    ),
    ObjectCall(
        name="uploads.parts",
        method="POST",
        path="/v1/uploads/{upload_id}/parts",
        upstream_template="/uploads/{upload_id}/parts",
        summary=Text("Upload a part", "上传分片"),
        media="multipart",
        files={"data": True},
        stream_body=True,
        max_body=PART_LIMIT + _ROOM,
        objects=ObjectRules(uses=path_id("upload_id")),
        example_params=EXAMPLE_IDS,
        example_answer={
            "id": "part_abc123",
            "object": "upload.part",
            "created_at": 1760000000,
            "upload_id": "upload_abc123",
        },
    ),
    object_call(
        "uploads.complete",
        "POST",
        "/v1/uploads/{upload_id}/complete",
        "Complete an upload",
        "完成分片上传",
        body=CompleteBody,
        example={"part_ids": ["part_abc123"]},
        makes=upload_made,
        example_answer={**_UPLOAD, "status": "completed", "file": _FILE},
    ),
    object_call(
        "uploads.cancel",
        "POST",
        "/v1/uploads/{upload_id}/cancel",
        "Cancel an upload",
        "取消分片上传",
        example_answer={**_UPLOAD, "status": "cancelled"},
    ),
    Call(
        name="batches.create",
        method="POST",
        path="/v1/batches",
        upstream_template="/batches",
        summary=Text("Create a batch", "创建批处理"),
        body=BatchBody,
        check=check_batch,
        objects=ObjectRules(uses=ids_at(BATCH_IDS), makes=batch_made, background=BATCH),
        example={"input_file_id": "file-abc123", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
        example_params=EXAMPLE_IDS,
        example_answer=_BATCH,
    ),
    object_list(
        "batches.list",
        "/v1/batches",
        "List batches",
        "列出批处理",
        listing("batch", "/batches", order=newest_first),
        example_answer=page([_BATCH]),
    ),
    object_call(
        "batches.get",
        "GET",
        "/v1/batches/{batch_id}",
        "Get a batch",
        "查询批处理",
        makes=batch_made,
        example_answer=_BATCH,
    ),
    object_call(
        "batches.cancel",
        "POST",
        "/v1/batches/{batch_id}/cancel",
        "Cancel a batch",
        "取消批处理",
        makes=batch_made,
        example_answer={**_BATCH, "status": "cancelling"},
    ),
)
