"""Zhipu's wire format of CogVideoX: one POST starts a video, one GET tells of it; nobody is called back.

Source: the vendor's document, and its two Python SDKs, which send null for what is not set.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..declare import DROP, Protocol, Reason, Repeats, State, Text
from .common import bearer, body_model, digits
from .common.bodies import one_of, renamed, together
from .common.errors import ErrorTable, no_retry
from .common.jobs import FilePath, JobFormat, kept
from .common.lists import IdsBody, list_by_ids
from .common.operations import Paths

AT = Paths(("/cogvideox/v4", "/zhipu/api/paas/v4", "/api/paas/v4"))


class VideoBody(msgspec.Struct, omit_defaults=True):
    """Body of a generation; all other fields pass through."""

    model: str
    prompt: Annotated[str, Meta(max_length=1500)] | None = None
    image_url: str | list[str] | dict[str, Any] | None = None
    request_id: str | None = None


JOBS = JobFormat(
    id="id",
    code="error.code",
    good=(None,),
    # Of a poll, the id is all that can be wrong.
    gone=("1214",),
    elsewhere_codes=("1302", "1303", "1304", "1305", "1312"),
    account=tuple(map(str, (*range(1000, 1005), *range(1110, 1114), 1120, 1121))),
    poll="/async-result/{id}",
    reference="request_id",
    status="task_status",
    states={"PROCESSING": State.RUNNING, "SUCCESS": State.SUCCEEDED, "FAIL": State.FAILED},
    error=("error.message",),
    files=(
        FilePath("video_result[].url", "video"),
        FilePath("video_result[].cover_image_url", "cover", optional=True),
        FilePath("image_result[].url", "image"),
    ),
    show=lambda task, links: JOBS.own_answer(task, links),
    # Without a name of the caller's, one that looks like the vendor's.
    written={"request_id": kept("request_id", lambda task: task.id[:19]), "model": lambda task: task.model},
    beside={"error.code": lambda task: "500" if task.state in (State.FAILED, State.CANCELLED) else DROP},
    interval=4.0,
)


cogvideox = Protocol(
    name="cogvideox",
    title=Text("CogVideoX (Zhipu)", "CogVideoX(官方格式)"),
    base_url="https://open.bigmodel.cn/api/paas/v4",
    # What the vendor's SDK reads brings the channel of its chat models.
    env_key="COGVIDEOX_API_KEY",
    models=("cogvideox*", "viduq1-*", "vidu2-*"),
    own_paths=tuple(f"{place}/" for place in AT.gateway),
    authorize=bearer,
    error=ErrorTable(
        rows={
            Reason.UNAUTHENTICATED: (401, "1000"),
            Reason.UNFUNDED: (429, "1113"),
            Reason.FORBIDDEN: (403, "1220"),
            Reason.MODERATED: (400, "1301"),
            Reason.NO_MODEL: (400, "1211"),
            Reason.RATE_LIMITED: (429, "1302"),
        },
        caller="1214",
        server="500",
        shape=lambda code, failure, request_id: {"error": {"code": code, "message": failure.message}},
        headers=no_retry,
    ),
    channel_fault=JOBS.channel_fault,
    operations=(
        AT.submit(
            "videos/generations",
            Text("Generate a video", "生成(generations)"),
            rows=(121,),
            body=VideoBody,
            example={"model": "cogvideox-3", "prompt": "A cat in a spacesuit"},
            check=one_of("prompt", "image_url"),
            job=JOBS.job(lambda: f"{digits(19)}-{digits(16)}"),
            model=body_model,
            patch=together(JOBS.patch, renamed("model")),
            # Both SDKs submit up to four times within six seconds.
            repeats=Repeats(within=8.0),
        ),
        AT.fetch(
            "async-result/{id}", Text("Get a task's result", "查询(async-result)"), name="async-result", rows=(122,)
        ),
        AT.own(
            "async-results",
            Text("Get several tasks' results", "批量查询(async-results)"),
            method="POST",
            body=IdsBody,
            example_answer=[],
            answer=list_by_ids(JOBS),
        ),
    ),
)
