"""What all operations on stored objects share: the ids that a body names, lists, and the shape of a declaration.

Items, messages and runs are reached through the response, conversation or thread that holds them: whoever owns that
owns them, and the vendor itself checks that they are within.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import quote

import msgspec

from ...declare import Failure, Json, Kind, Listing, Made, ObjectRules, Operation, Reason, Request, Text, Window

_ID_KEYS: Final = frozenset(
    {
        *("file_id", "file_ids", "input_file_id", "training_file", "validation_file"),
        *("vector_store_id", "vector_store_ids", "assistant_id", "thread_id", "run_id", "response_id"),
        *("previous_response_id", "conversation", "conversation_id", "container", "container_id"),
        *("skill_id", "upload_id", "batch_id"),
    }
)
"""Keys whose values name objects: an id, several, or an object with an `id`."""
_ID_TYPES: Final = frozenset({"item_reference", "file_id"})
"""Values of `type` in an object whose `id` names an object."""
_NOT_IDS: Final = frozenset({"metadata", "parameters", "schema", "json_schema", "input_schema", "arguments"})
"""Keys below which everything is the caller's own words."""
_SIGNS: Final = (b"_id", b"container", b"conversation", b'"prompt"', b"training_file", b"validation_file", b"item_ref")
_ESCAPES: Final = (b"\\u005", b"\\u006", b"\\u007")
"""Of letters that nobody needs to escape, unless to hide a key."""


def body_ids(request: Request) -> Sequence[str]:
    """Return the ids of all objects that a JSON body names, wherever it does."""
    return ids_in(request.raw)


def file_ids(request: Request) -> Sequence[str]:
    """Return the ids of the files that a JSON body names, where it can name nothing else."""
    raw = request.raw
    return ids_in(raw) if b'"file_id"' in raw or _escaped(raw) else ()


def _escaped(raw: bytes) -> bool:
    return b"\\u00" in raw and any(sign in raw for sign in _ESCAPES)


def ids_in(raw: bytes) -> Sequence[str]:
    """Return the ids of all objects that a JSON text names.

    Raises
    ------
    Failure
        INVALID, where it cannot be read.
    """
    if not (_escaped(raw) or any(sign in raw for sign in _SIGNS)):
        return ()
    try:
        return list(_ids(msgspec.json.decode(raw)))
    except (msgspec.DecodeError, RecursionError):
        raise Failure(Reason.INVALID, "The body is not valid JSON") from None


def _ids(value: Json) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[Json]", value):
            yield from _ids(item)
    elif isinstance(value, dict):
        found = cast("dict[str, Json]", value)
        # Reasoning that does not come with its content is looked up by its id.
        told = found.get("encrypted_content") or found.get("content")
        if found.get("type") in _ID_TYPES or (found.get("type") == "reasoning" and not told):
            yield from _texts(found.get("id"))
        for key, item in found.items():
            if key in _ID_KEYS:
                yield from _texts(item)
            if (key in _ID_KEYS or key == "prompt") and isinstance(item, dict):
                yield from _texts(cast("dict[str, Json]", item).get("id"))
            if key not in _NOT_IDS:
                yield from _ids(item)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in cast("list[Json]", value) if isinstance(item, str))


def member(value: Json, *path: str) -> Json:
    """Return what lies at a path in an answer, or None."""
    for name in path:
        value = cast("dict[str, Json]", value).get(name) if isinstance(value, dict) else None
    return value


def members(value: Json, *path: str) -> Sequence[Json]:
    """Return the list that lies at a path in an answer; empty where there is none."""
    found = member(value, *path)
    return cast("list[Json]", found) if isinstance(found, list) else ()


def made(kind: str, *names: str) -> Callable[[Request, Json], Sequence[Made]]:
    """Return a reader of the ids that stand under some names at the top of an answer."""

    def read(request: Request, value: Json) -> Sequence[Made]:
        return [Made(found, kind) for name in names for found in _texts(member(value, name))]

    return read


# Lists -------------------------------------------------------------------------------------------------------------


def window(request: Request) -> Window:
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


def page(data: Sequence[Json], has_more: bool) -> Json:
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
    fits: Callable[[Request, Json], bool] = lambda request, value: True,
    order: Callable[[Request], Window] = window,
) -> ObjectRules:
    """Return the rules of a list of the caller's own objects, each of which is told at `path`/id."""
    item = lambda name: f"{path}/{quote(name, safe='')}"  # noqa: E731
    return ObjectRules(lists=Listing(kind=kind, item=item, window=order, page=page, fits=fits))


def same_metadata(request: Request, value: Json) -> bool:
    """Tell whether an object has the metadata that a query asks for, as `metadata[key]=value`."""
    wanted = {name[9:-1]: text for name, text in request.query.items() if name.startswith("metadata[")}
    has = member(value, "metadata")
    return not wanted or (isinstance(has, dict) and wanted.items() <= cast("dict[str, Json]", has).items())


# Declarations --------------------------------------------------------------------------------------------------------


class Fields(msgspec.Struct):
    """A body all of whose fields pass through."""


LIST_QUERY: Final = ("limit", "order", "after", "before")


def path_id(name: str) -> Callable[[Request], Sequence[str]]:
    """Return a reader of one id in the path."""
    return lambda request: (request.params[name],)


def also_body(name: str) -> Callable[[Request], Sequence[str]]:
    """Return a reader of one id in the path and of all in the body."""
    return lambda request: (request.params[name], *body_ids(request))


def touch(name: str, method: str, path: str, en: str, zh: str, **more: Any) -> Operation:
    """Declare an operation that only touches objects, and costs nothing.

    The first placeholder of its path is the object that it is about, unless the rules in `more` say otherwise.
    """
    holder = path.partition("{")[2].partition("}")[0]
    has_body = more.get("body") is not None
    rules: ObjectRules | None = more.pop("objects", None)
    makes = more.pop("makes", None)
    ends = more.pop("ends", None)
    if rules is None:
        uses = body_ids if not holder else (also_body(holder) if has_body else path_id(holder))
        rules = ObjectRules(uses=uses, makes=makes, ends=path_id(holder) if ends else None)
    given: dict[str, Any] = {
        "native": path.removeprefix("/v1"),
        "kind": Kind.CALL,
        "media": "json" if has_body else "none",
        "free": True,
        "example_params": EXAMPLE_IDS,
        **more,
    }
    return Operation(name=name, method=method, path=path, summary=Text(en, zh), objects=rules, **given)


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
