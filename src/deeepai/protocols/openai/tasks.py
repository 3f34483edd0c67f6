"""The caller's tasks of every protocol in one shape: the gateway's own, beside OpenAI's paths."""

from __future__ import annotations

from typing import Final

from ...declare import AnyRequest, Failure, Json, Local, Reason, Reply, State, Text, View, whole

USUAL, MOST = 20, 100
"""Tasks on a page."""
_ID: Final = "video_68d7512d07848190b3e45da0ecbebcde004da08e1e0678d5"
_TASK: Final[dict[str, Json]] = {
    "id": _ID,
    "object": "task",
    "protocol": "openai",
    "operation": "openai.videos.create",
    "model": "sora-2",
    "mode": "live",
    "state": "succeeded",
    "progress": 100,
    "files": [
        {
            "url": f"https://gateway.example.com/assets/{_ID}/0?exp=1760604860&sig=0f1e2d3c",
            "content_type": "video/mp4",
            "bytes": 1048576,
        }
    ],
    "cost": "0.4",
    "error": None,
    "created_at": 1760000000,
    "started_at": 1760000005,
    "finished_at": 1760000060,
    "request_id": "req_0199d7a1c0de7a5e8f00000000",
    "request": {"prompt": "A cat in a spacesuit walks on the moon", "seconds": "4", "size": "1280x720"},
    "parent_id": None,
}
_PARAMS: Final = {"id": _ID}


def _named(request: AnyRequest) -> str:
    return request.params["id"]


def check_list(request: AnyRequest) -> None:
    """Refuse what lists no tasks."""
    _states(request)
    _limit(request)
    mode = request.query.get("mode")
    if mode and mode not in ("live", "test"):
        raise Failure(Reason.INVALID, "'mode' is live or test", param="mode")


def _states(request: AnyRequest) -> list[State]:
    words = [word for word in request.query.get("state", "").split(",") if word]
    known = [state for state in State if state is not State.NOT_FOUND]
    if any(word not in known for word in words):
        raise Failure(Reason.INVALID, f"'state' is one or more of {', '.join(known)}", param="state")
    return [State(word) for word in words]


def _limit(request: AnyRequest) -> int:
    word = request.query.get("limit")
    limit = whole(word, 9) if word else USUAL
    if limit is None or not 1 <= limit <= MOST:
        raise Failure(Reason.INVALID, f"'limit' is a number from 1 to {MOST}", param="limit")
    return limit


async def list_tasks(view: View[object]) -> Reply:
    """List the caller's tasks, newest first."""
    request = view.request
    protocol, mode, after = (request.query.get(name) or None for name in ("protocol", "mode", "cursor"))
    return Reply(await view.every_task(protocol, _states(request), mode, after, _limit(request)))


async def get_task(view: View[object]) -> Reply:
    """Tell of a task."""
    return Reply(await view.task_of_any(_named(view.request)))


async def cancel_task(view: View[object]) -> Reply:
    """Have a task stopped."""
    return Reply(await view.cancel_any(_named(view.request)))


async def watch_task(view: View[object]) -> Reply:
    """Tell of a task as it goes on; who has had its last event, is told to come no more."""
    seen = whole(view.request.header("last-event-id") or "-", 18)
    events = await view.events(_named(view.request), seen)
    return Reply(status=204) if events is None else Reply(content_type="text/event-stream", events=events)


OPERATIONS = (
    Local(
        name="tasks.list",
        method="GET",
        path="/v1/tasks",
        summary=Text("List tasks of every protocol", "列出所有协议的任务"),
        media="none",
        query=("protocol", "state", "mode", "limit", "cursor"),
        check=check_list,
        fails=(Reason.INVALID,),
        example_params={"protocol": "openai", "state": "succeeded", "mode": "live", "limit": "20", "cursor": ""},
        example_answer={"object": "list", "data": [_TASK], "has_more": False, "next_cursor": None},
        answer=list_tasks,
    ),
    Local(
        name="tasks.get",
        method="GET",
        path="/v1/tasks/{id}",
        summary=Text("Get a task of any protocol", "查询任意协议的任务"),
        media="none",
        fails=(Reason.NOT_FOUND,),
        example_params=_PARAMS,
        example_answer=_TASK,
        answer=get_task,
    ),
    Local(
        name="tasks.cancel",
        method="POST",
        path="/v1/tasks/{id}/cancel",
        summary=Text("Cancel a task of any protocol", "取消任意协议的任务"),
        media="none",
        fails=(Reason.NOT_FOUND, Reason.CONFLICT, Reason.UNPROCESSABLE),
        example_params=_PARAMS,
        example_answer={**_TASK, "state": "cancelled", "progress": 40, "files": [], "cost": "0"},
        answer=cancel_task,
    ),
    Local(
        name="tasks.events",
        method="GET",
        path="/v1/tasks/{id}/events",
        summary=Text("Watch a task of any protocol (SSE)", "以 SSE 跟踪任意协议的任务"),
        media="none",
        answers=("text/event-stream",),
        fails=(Reason.NOT_FOUND,),
        example_params=_PARAMS,
        answer=watch_task,
    ),
)
