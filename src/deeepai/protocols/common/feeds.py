"""The format in which one supplier and its relays sell films of several vendors: one address starts, a feed tells.

Source: the supplier's pages on Pika, Pixverse and Runway, and copies of relays (2024 to 2026).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...declare import (
    MALFORMED,
    Answer,
    AnyRequest,
    Failure,
    Fetch,
    Job,
    Json,
    Links,
    Reason,
    Reply,
    State,
    Task,
    TaskStatus,
    Text,
)
from .errors import ErrorTable, with_param
from .jobs import FilePath, JobFormat
from .operations import Paths

GOOD: dict[str, Json] = {"code": 200, "msg": "成功"}
_WORDS = {State.SUCCEEDED: "succeeded", State.RUNNING: "running", State.FAILED: "error", State.CANCELLED: "error"}
_FILES = ("video_url", "image_url", "poster")

feed_error = ErrorTable(
    rows={},
    caller=400,
    server=400,
    shape=lambda code, failure, request_id: {"code": code, "msg": with_param(failure), "data": None},
)
"""Of its two codes the one that is not 200; the HTTP status says more."""


def feed_jobs(feed: str) -> JobFormat:
    """Return the format of jobs whose feed is at some path."""
    jobs = JobFormat(
        id="data.task_id",
        code="code",
        good=(200, 0),
        poll=f"{feed}?task_id={{id}}",
        body="data",
        states={
            # The older word, which each answer has; some relays send the newer one there.
            "0": State.QUEUED,
            "1": State.RUNNING,
            "2": State.FAILED,
            "3": State.SUCCEEDED,
            "pending": State.QUEUED,
            "error": State.FAILED,
            **dict.fromkeys(("success", "succeeded"), State.SUCCEEDED),
        },
        error=("msg",),
        files=(
            FilePath("video_url", "video"),
            FilePath("poster", "cover", optional=True),
            FilePath("image_url", "preview", optional=True),
        ),
        late=True,
        show=lambda task, links: _shown(jobs, task, links),
        written={"data.state": _word},
        keep=("prompt",),
        hook="callback_url",
        hook_id="task_id",
        hook_body="data",
        hook_each_change=True,
        interval=4.0,
        timeout=7200.0,
    )
    return jobs


def feed_job(jobs: JobFormat, new_id: Callable[[], str]) -> Job[Any]:
    """Make the job: a submission is answered with the id alone."""

    def read(answer: Answer, task: Task) -> TaskStatus:
        said = answer.json()
        gone = isinstance(said, dict) and said.get("msg") == "task_not_exist"
        return TaskStatus(State.NOT_FOUND, None) if gone else jobs.read(answer, task)

    return jobs.job(
        new_id,
        read=read,
        submitted=lambda task, links: Reply({**GOOD, "data": {"task_id": task.id}, "exec_time": 0.0}),
    )


def _word(task: Task) -> str:
    return _WORDS.get(task.state, "pending")


def _shown(jobs: JobFormat, task: Task, links: Links) -> Json:
    told: Any = jobs.own_answer(task, links)
    fields: dict[str, Json] = {
        **dict.fromkeys(_FILES),
        "state": _word(task),
        "prompt": (task.request or {}).get("prompt"),
        "msg": None,
        "point": "0",
        "refund": "1" if task.state in (State.FAILED, State.CANCELLED) else "0",
        "create_time": str(task.submitted_at // 1000),
        "update_time": str((task.finished_at or task.started_at or task.submitted_at) // 1000),
    }
    return {**GOOD, "data": fields | told["data"], "exec_time": 0.0}


# Asking ------------------------------------------------------------------------------------------------------------


class FeedBody(msgspec.Struct):
    """The task to tell of."""

    task_id: Annotated[str, Meta(min_length=1)]


def _task_id(request: AnyRequest) -> str:
    """Return the id in the query; some clients send a body with a GET."""
    task_id = request.query.get("task_id")
    if not task_id and request.raw:
        try:
            task_id = msgspec.json.decode(request.raw, type=FeedBody).task_id
        except MALFORMED:
            task_id = None
    if not task_id:
        raise Failure(Reason.INVALID, "task_id is required", param="task_id")
    return task_id


def feeds(at: Paths, row: int) -> tuple[Fetch[Any], Fetch[Any]]:
    """Declare the feed, by GET and by POST."""
    paths = at.on_gateway("feed")
    summary = Text("Get a task", "feed")
    return (
        at.fetch("feed", summary, name="feed", rows=(row,), task=_task_id, query=("task_id",)),
        Fetch(
            name="feed.post",
            method="POST",
            path=paths[0],
            aliases=paths[1:],
            upstream_template=f"{at.vendor}/feed",
            rows=(row,),
            summary=summary,
            body=FeedBody,
            example={"task_id": "0b6b1f52-3c6e-4d0c-9c4b-1d1f8f6d5a10"},
            task=lambda request: request.body.task_id,
        ),
    )
