"""Calls on stored objects, and lists of them: how they are declared, and what OpenAI's lists look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

from ...declare import (
    AnyRequest,
    Conversation,
    Facts,
    Failure,
    Json,
    KeptAnswer,
    Listing,
    Made,
    ObjectCall,
    ObjectList,
    ObjectRules,
    Reason,
    Reply,
    Request,
    StreamRules,
    Text,
    Turned,
    Window,
)
from .common import member
from .object_ids import Place, ids_at, path_id

BodyT = TypeVar("BodyT")

EXAMPLE_IDS: Final[Mapping[str, str]] = {
    "file_id": "file-abc123",
    "upload_id": "upload_abc123",
    "batch_id": "batch_abc123",
    "response_id": "resp_abc123",
    "conversation_id": "conv_abc123",
    "item_id": "msg_abc123",
    "vector_store_id": "vs_abc123",
    "assistant_id": "asst_abc123",
    "thread_id": "thread_abc123",
    "message_id": "msg_abc123",
    "run_id": "run_abc123",
    "step_id": "step_abc123",
    "fine_tuning_job_id": "ftjob-abc123",
    "completion_id": "chatcmpl-abc123",
    "container_id": "cntr_abc123",
}


# Lists -------------------------------------------------------------------------------------------------------------


def window(request: AnyRequest) -> Window:
    """Read `limit`, `order`, `after` and `before` of a list's query.

    Raises
    ------
    Failure
        INVALID
    """
    query = request.query
    limit, order = query.get("limit", "20"), query.get("order", "desc")
    if not (limit.isascii() and limit.isdigit()) or not 1 <= int(limit[:9]) <= 10_000:
        raise Failure(Reason.INVALID, "Invalid 'limit': expected an integer of at least 1", param="limit")
    if order not in ("asc", "desc"):
        raise Failure(Reason.INVALID, "Invalid 'order': expected 'asc' or 'desc'", param="order")
    return Window(int(limit), query.get("after") or None, query.get("before") or None, order == "desc")


def newest_first(request: AnyRequest) -> Window:
    """Read the window of a list that has one order only.

    Raises
    ------
    Failure
        INVALID
    """
    part = window(request)
    return Window(part.limit, part.after)


def page(data: Sequence[Json], has_more: bool = False) -> dict[str, Json]:
    """Return a list as OpenAI does."""
    return {
        "object": "list",
        "data": data,
        "first_id": member(data[0], "id") if data else None,
        "last_id": member(data[-1], "id") if data else None,
        "has_more": has_more,
    }


def listing(
    kind: str,
    path: str,
    fits: Callable[[AnyRequest, Json], bool] = lambda request, value: True,
    order: Callable[[AnyRequest], Window] = window,
) -> Listing:
    """Return a list of the caller's own objects, each of which is told at `path`/id of the upstream."""
    return Listing(kind=kind, item=lambda name: f"{path}/{quote(name, safe='')}", window=order, page=page, fits=fits)


def same_metadata(request: AnyRequest, value: Json) -> bool:
    """Tell whether an object has the metadata that a query asks for, as `metadata[key]=value`."""
    wanted = {name[9:-1]: text for name, text in request.query.items() if name.startswith("metadata[")}
    has = member(value, "metadata")
    return not wanted or (isinstance(has, dict) and wanted.items() <= cast("dict[str, Json]", has).items())


# Declarations --------------------------------------------------------------------------------------------------------


def made(kind: str) -> Callable[[AnyRequest, Json], Sequence[Made]]:
    """Return a reader of the object that an answer is."""

    def read(request: AnyRequest, value: Json) -> Sequence[Made]:
        name = member(value, "id")
        return [Made(name, kind)] if isinstance(name, str) else ()

    return read


def object_list(name: str, path: str, en: str, zh: str, items: Listing, *, example_answer: Json) -> ObjectList[object]:
    """Declare a list of the caller's own objects."""
    return ObjectList(
        name=name,
        method="GET",
        path=path,
        upstream_template=path.removeprefix("/v1"),
        summary=Text(en, zh),
        media="none",
        listing=items,
        example_params=EXAMPLE_IDS,
        example_answer=example_answer,
    )


def object_call(
    name: str,
    method: str,
    path: str,
    en: str,
    zh: str,
    *,
    body: type[BodyT] | None = None,
    model: Callable[[Request[BodyT]], str] | None = None,
    patch: Callable[[Request[BodyT], Facts], dict[str, Any]] | None = None,
    names: Sequence[Place] = (),
    uses: Callable[[Request[BodyT]], Sequence[str]] | None = None,
    makes: Callable[[Request[BodyT], Json], Sequence[Made]] | None = None,
    ends: bool = False,
    missing: Callable[[Request[BodyT], str], Failure] | None = None,
    kept: Callable[[Request[BodyT], KeptAnswer], Reply] | None = None,
    converse: Callable[[Request[BodyT], Conversation | None], Turned] | None = None,
    turns: str = "",
    stream: StreamRules[BodyT] | None = None,
    answers: tuple[str, ...] = ("application/json",),
    example: Mapping[str, Json] | None = None,
    example_answer: Json = None,
) -> ObjectCall[BodyT]:
    """Declare an operation that only touches objects, and costs nothing.

    It uses the object that the first placeholder of its path names, and what stands in some places of its JSON body.

    Parameters
    ----------
    name, method, path, en, zh : str
    body, model, patch, kept, converse, turns, stream, answers, example, example_answer
        As of `ObjectCall`.
    names : sequence of Place
        Where the body names objects.
    uses : callable, optional
        What it uses, where that is not all.
    makes : callable, optional
        Objects that a good answer tells of.
    ends : bool
        A good answer ends the object that the path names.
    missing : callable, optional
        What to say of an object that is not there.
    """
    holder = path.partition("{")[2].partition("}")[0]
    return ObjectCall(
        name=name,
        method=method,
        path=path,
        upstream_template=path.removeprefix("/v1"),
        summary=Text(en, zh),
        body=body,
        media="none" if body is None else "json",
        model=model,
        patch=patch,
        objects=ObjectRules(
            uses=uses or _uses(holder, names),
            makes=makes,
            ends=path_id(holder) if ends else None,
            missing=missing,
        ),
        kept=kept,
        converse=converse,
        turns=turns,
        stream=stream,
        answers=answers,
        example=example or {},
        example_params=EXAMPLE_IDS,
        example_answer=example_answer,
    )


def _uses(holder: str, places: Sequence[Place]) -> Callable[[AnyRequest], Sequence[str]]:
    if places:
        return ids_at(places, holder)
    return path_id(holder) if holder else lambda request: ()
