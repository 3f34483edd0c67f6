"""Batches of messages. One is held for by what its requests ask, and charged at half price by what each used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from ...declare import (
    Accepted,
    Answer,
    AnyRequest,
    BackgroundRules,
    Call,
    Facts,
    Failure,
    JobRules,
    Json,
    Links,
    Listing,
    Made,
    ObjectCall,
    ObjectList,
    ObjectRules,
    Reason,
    Refused,
    Request,
    State,
    Task,
    TaskStatus,
    Text,
    UpstreamCall,
    Usage,
    Window,
)
from ..common.usage import Reader
from .bodies import BatchBody
from .common import LIST_QUERY, VERSION, member, read_limit, version
from .messages import EXAMPLE, EXAMPLE_ANSWER, container, others
from .usage import DEFAULT_OUTPUT, UsageHolder, allowed_output, allowed_searches, elsewhere, token_usage

MOST_BYTES: Final = 256 * 1024 * 1024
_SHARE: Final = 0.5
"""Of the usual price, that a batch costs."""
_PATH: Final = "/v1/messages/batches"
_ONE: Final = _PATH + "/{batch_id}"
_HEADERS: Final = {"anthropic-version": VERSION}


def _path_of(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"


# What is asked -------------------------------------------------------------------------------------------------------


def check(request: Request[BatchBody]) -> None:
    """Refuse what is not for one model.

    Raises
    ------
    Failure
        INVALID
    """
    first = request.body.requests[0].params.model
    for number, item in enumerate(request.body.requests):
        if item.params.model != first:
            name = f"requests.{number}.params.model"
            raise Failure(Reason.INVALID, "All requests of a batch are for one model", param=name)


def model(request: Request[BatchBody]) -> str:
    """Return the model that all requests are for."""
    return request.body.requests[0].params.model


def further_models(request: Request[BatchBody]) -> Sequence[str]:
    """Return the further models that requests let the vendor use."""
    messages = [item.params for item in request.body.requests]
    return sorted({name for message in messages for name in others(message.tools, message.fallbacks)})


def estimate(request: Request[BatchBody], facts: object) -> Usage:
    """Estimate a batch: its bytes, and the output that its requests allow."""
    messages = [item.params for item in request.body.requests]
    tokens = len(request.raw) // 4 + 1
    return Usage(
        input=tokens,
        output=sum(allowed_output(message.max_tokens or DEFAULT_OUTPUT, message.thinking) for message in messages),
        searches=sum(allowed_searches(message.tools) for message in messages),
        unlimited=sum(not message.max_tokens for message in messages),
        unseen=len(messages) * elsewhere(request.raw),
        share=_SHARE,
        largest=tokens // len(messages) + 1,
        basis="estimated",
    )


def containers(request: Request[BatchBody]) -> Sequence[str]:
    """Return the containers that requests name."""
    return [name for item in request.body.requests for name in container(item.params.container)]


class _Bodies(msgspec.Struct):
    requests: list[dict[str, Any]]


_bodies = msgspec.json.Decoder(_Bodies)


def patch(request: AnyRequest, facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does."""
    if facts.model == facts.requested_model:
        return {}
    items = _bodies.decode(request.raw).requests
    return {"requests": [{**item, "params": {**item["params"], "model": facts.model}} for item in items]}


# What is answered ----------------------------------------------------------------------------------------------------


def batch_made(request: AnyRequest, value: Json) -> Sequence[Made]:
    """Return a batch."""
    name = member(value, "id")
    return (Made(name, "message_batch"),) if isinstance(name, str) else ()


def shown(value: Json, links: Links) -> Json:
    """Let the address of the results be the gateway's own: the caller's key is for nobody else."""
    url, name = member(value, "results_url"), member(value, "id")
    if not isinstance(url, str) or not isinstance(name, str):
        return value
    query = urlsplit(url).query
    path = f"{_path_of(name)}/results"
    return {**value, "results_url": links.at(f"{path}?{query}" if query else path)}


def window(request: AnyRequest) -> Window:
    """Read what part of the list is asked for.

    Raises
    ------
    Failure
        INVALID
    """
    query = request.query
    return Window(read_limit(request), query.get("after_id") or None, query.get("before_id") or None)


def page(data: Sequence[Json], has_more: bool) -> Json:
    """Return a list as Anthropic does."""
    return {
        "data": data,
        "has_more": has_more,
        "first_id": member(data[0], "id") if data else None,
        "last_id": member(data[-1], "id") if data else None,
    }


# What it costs -------------------------------------------------------------------------------------------------------


def accept(answer: Answer, request: AnyRequest) -> Accepted | Refused:
    """Take a batch that was made."""
    value = answer.json()
    name = member(value, "id")
    if member(value, "type") != "message_batch" or not isinstance(name, str):
        return Refused()
    return Accepted(name, State.RUNNING, path=_path_of(name))


def poll(task: Task) -> UpstreamCall:
    """Ask for the batch; once it has ended, for its results."""
    path = _path_of(task.upstream_id or "")
    if member(task.snapshot, "processing_status") == "ended":
        return UpstreamCall(path + "/results", headers=_HEADERS, lines=True)
    return UpstreamCall(path, headers=_HEADERS)


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read where a batch stands."""
    value = answer.json()
    status = {"processing_status": member(value, "processing_status")}
    if member(value, "processing_status") == "ended" and member(value, "request_counts", "succeeded") == 0:
        return TaskStatus(State.FAILED, status, error="the batch ended without any answer")
    return TaskStatus(State.RUNNING, status)


class _Result(msgspec.Struct):
    message: UsageHolder | None = None


class _Line(msgspec.Struct):
    result: _Result | None = None


_LINE: Final = Reader(_Line)


def line(task: Task, data: bytes) -> Usage | None:
    """Read what one message of a batch used."""
    result = _LINE.read(data).result
    message = result.message if result is not None else None
    if message is None or message.usage is None:
        return None
    return msgspec.structs.replace(token_usage(message.usage), share=_SHARE)


WORK: Final[BackgroundRules[BatchBody]] = BackgroundRules(
    wanted=lambda request: True,
    rules=JobRules(
        accept=accept,
        poll=poll,
        read=read,
        line=line,
        cancel=lambda task: UpstreamCall(f"{_path_of(task.upstream_id or '')}/cancel", "POST", headers=_HEADERS),
        interval=10.0,
        timeout=3 * 24 * 3600.0,
    ),
    model=lambda request, facts: model(request),
    estimate=estimate,
)

# Declarations --------------------------------------------------------------------------------------------------------

_BATCH: Final = {
    "id": "msgbatch_123",
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    "ended_at": None,
    "created_at": "2026-01-01T00:00:00Z",
    "expires_at": "2026-01-02T00:00:00Z",
    "cancel_initiated_at": None,
    "archived_at": None,
    "results_url": None,
}


def _own(request: AnyRequest) -> Sequence[str]:
    return (request.params["batch_id"],)


_SEEN: Final[ObjectRules[object]] = ObjectRules(uses=_own, makes=batch_made, shows=shown)


def _touch(
    name: str,
    method: str,
    tail: str,
    summary: Text,
    *,
    example_answer: Json,
    objects: ObjectRules[object] = _SEEN,
    answers: tuple[str, ...] = ("application/json",),
) -> ObjectCall[object]:
    """Declare an operation on one batch, which costs nothing."""
    return ObjectCall(
        name=f"messages.batches.{name}",
        method=method,
        path=_ONE + tail,
        upstream_template=_ONE + tail,
        summary=summary,
        media="none",
        answers=answers,
        headers=version,
        objects=objects,
        example_params={"batch_id": "msgbatch_123"},
        example_answer=example_answer,
    )


OPERATIONS = (
    Call(
        name="messages.batches.create",
        method="POST",
        path=_PATH,
        upstream_template=_PATH,
        summary=Text("Create a batch of messages", "创建消息批处理"),
        body=BatchBody,
        max_body=MOST_BYTES,
        check=check,
        model=model,
        further_models=further_models,
        patch=patch,
        headers=version,
        objects=ObjectRules(uses=containers, makes=batch_made, background=WORK, shows=shown),
        example={"requests": [{"custom_id": "first", "params": EXAMPLE}]},
        example_answer=_BATCH,
    ),
    ObjectList(
        name="messages.batches.list",
        method="GET",
        path=_PATH,
        upstream_template=_PATH,
        summary=Text("List batches of messages", "列出消息批处理"),
        media="none",
        headers=version,
        query=LIST_QUERY,
        listing=Listing(kind="message_batch", item=_path_of, window=window, page=page, shows=shown),
        example_answer={"data": [_BATCH], "has_more": False, "first_id": "msgbatch_123", "last_id": "msgbatch_123"},
    ),
    _touch("get", "GET", "", Text("Get a batch of messages", "查询消息批处理"), example_answer=_BATCH),
    _touch(
        "cancel",
        "POST",
        "/cancel",
        Text("Cancel a batch of messages", "取消消息批处理"),
        example_answer={**_BATCH, "processing_status": "canceling"},
    ),
    _touch(
        "delete",
        "DELETE",
        "",
        Text("Delete a batch of messages", "删除消息批处理"),
        objects=ObjectRules(uses=_own, ends=_own),
        example_answer={"id": "msgbatch_123", "type": "message_batch_deleted"},
    ),
    _touch(
        "results",
        "GET",
        "/results",
        Text("Get the results of a batch, a line each", "获取消息批处理结果"),
        objects=ObjectRules(uses=_own),
        answers=("application/x-jsonl",),
        example_answer={"custom_id": "first", "result": {"type": "succeeded", "message": EXAMPLE_ANSWER}},
    ),
)
