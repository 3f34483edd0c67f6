"""Uploads as to the web: a form that goes to a store of files, a few words about it, and at last a clip.

The store is the vendor's: the form's address and words pass through, and the file itself goes past the gateway.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import msgspec

from ...declare import (
    Accepted,
    Answer,
    AnyOperation,
    AnyRequest,
    Child,
    Failure,
    Job,
    Json,
    Links,
    ObjectCall,
    ObjectRules,
    Origin,
    Reason,
    Refused,
    Reply,
    State,
    Submit,
    Task,
    Text,
)
from ..common.operations import path_id
from ..common.paths import get
from .songs import (
    CLIPS,
    MOST,
    Song,
    kept_song,
    of_clips,
    shown_clips,
    song_job,
)

CLIP = "f1e2c0de-7b1a-4c55-9a3e-5d0a7c2b9e01"
ONE = "/suno/uploads/audio/{id}"
_FORM = ("url", "fields", "is_file_uploaded")


def feed(said: Json) -> Json:
    """Find the clips in a feed's answer, be they a list or within one of its objects."""
    found = said if isinstance(said, list) else get(said, "clips") or get(said, "data.clips") or get(said, "data")
    return of_clips(found) if isinstance(found, list) else None


UPLOAD_FORM = replace(CLIPS, id="data", code="code", good=("success",), poll="/feed/{id}")
CLIP_FORM = replace(CLIPS, id="clip_id", poll="/feed/{id}")


class Begun(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body that begins an upload."""

    extension: str


class Finished(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body that says that the file has been stored."""

    upload_type: str | None = None
    upload_filename: str | None = None


def _waits(answer: Answer, request: AnyRequest) -> Accepted | Refused:
    """Read the form that the file is sent by: the task waits until it was."""
    verdict = replace(CLIP_FORM, id="id").accept(answer, request)
    if isinstance(verdict, Refused):
        return verdict
    said = answer.json()
    form = {name: said.get(name) for name in _FORM}
    children = [Child(verdict.upstream_id, "upload")]
    return replace(verdict, state=State.WAITING, facts={"upload": verdict.upstream_id, "form": form}, children=children)


def _begun(task: Task, links: Links) -> Reply:
    form = task.facts.get("form")
    return Reply({"id": task.facts.get("upload") or task.id, **(form if isinstance(form, dict) else {})})


def _job(**odd: Any) -> Job[object]:
    return song_job(CLIP_FORM, feed, keep=lambda request: kept_song("UPLOAD", Song(), request.raw), **odd)


_UPLOAD: ObjectRules[object] = ObjectRules(
    uses=lambda request: [request.params["id"]],
    missing=lambda request, name: Failure(
        Reason.NOT_FOUND, f"The upload '{name}' was not found", code="task_not_found"
    ),
)
OPERATIONS: tuple[AnyOperation, ...] = (
    Submit(
        name="uploads.begin",
        method="POST",
        path="/suno/uploads/audio",
        upstream_template="/uploads/audio",
        summary=Text("Begin an upload", "上传音频：申请地址"),
        body=Begun,
        max_body=MOST,
        example={"extension": "mp3"},
        job=_job(accept=_waits, submitted=_begun),
        model=lambda request: "suno_upload",
    ),
    ObjectCall(
        name="uploads.finish",
        method="POST",
        path=f"{ONE}/upload-finish",
        upstream_template="/uploads/audio/{id}/upload-finish",
        summary=Text("Say that the file has been stored", "上传音频：上传完成"),
        body=Finished,
        max_body=MOST,
        example={"upload_type": "file_upload", "upload_filename": "song.mp3"},
        example_answer={},
        objects=_UPLOAD,
    ),
    ObjectCall(
        name="uploads.get",
        method="GET",
        path=ONE,
        upstream_template="/uploads/audio/{id}",
        summary=Text("Get an upload", "上传音频：查询状态"),
        media="none",
        example_answer={"id": str(uuid.UUID(int=1)), "status": "complete", "s3_id": f"m_{CLIP}", "title": "song"},
        objects=_UPLOAD,
    ),
    Submit(
        name="uploads.initialize",
        method="POST",
        path=f"{ONE}/initialize-clip",
        upstream_template="/uploads/audio/{id}/initialize-clip",
        summary=Text("Make a clip of an upload", "上传音频：生成片段"),
        media="json",
        max_body=MOST,
        example={},
        job=_job(submitted=lambda task, links: Reply({"clip_id": shown_clips(task, links)[0]["id"]})),
        model=lambda request: "suno_upload",
        origin=Origin(ids=lambda request: (path_id(request),)),
        resumes=True,
    ),
)
