"""Which stored objects a request names, in its path and in its body.

Items, messages and runs are reached through the response, conversation or thread that holds them: whoever owns that
owns them, and the vendor itself checks that they are within.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

import msgspec

from ...declare import AnyRequest, Failure, Json, Reason

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


def body_ids(request: AnyRequest) -> Sequence[str]:
    """Return the ids of all objects that a JSON body names, wherever it does."""
    return ids_in(request.raw)


def file_ids(request: AnyRequest) -> Sequence[str]:
    """Return the ids of the files that a JSON body names, where it can name nothing else."""
    raw = request.raw
    return ids_in(raw) if b'"file_id"' in raw or _escaped(raw) else ()


def path_id(name: str) -> Callable[[AnyRequest], Sequence[str]]:
    """Return a reader of one id in the path."""
    return lambda request: (request.params[name],)


def path_and_body_ids(name: str) -> Callable[[AnyRequest], Sequence[str]]:
    """Return a reader of one id in the path and of all in the body."""
    return lambda request: (request.params[name], *body_ids(request))


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


def _escaped(raw: bytes) -> bool:
    return b"\\u00" in raw and any(sign in raw for sign in _ESCAPES)


def _ids(value: Json) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[Json]", value):
            yield from _ids(item)
    elif isinstance(value, dict):
        fields = cast("dict[str, Json]", value)
        # Reasoning that does not come with its content is looked up by its id.
        has_content = fields.get("encrypted_content") or fields.get("content")
        if fields.get("type") in _ID_TYPES or (fields.get("type") == "reasoning" and not has_content):
            yield from _texts(fields.get("id"))
        for key, item in fields.items():
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
