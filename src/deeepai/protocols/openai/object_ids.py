"""Which stored objects a request names, in its path and in its body.

Ids are read where the API takes them, and nowhere else: under any other key, whatever its name, stand the caller's own
words. Items, messages and runs are reached through the response, conversation or thread that holds them: whoever owns
that owns them, and the vendor itself checks that they are within.

Source: OpenAI's OpenAPI document 2.3.0 and its guides to files, conversation state, prompts and image generation.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, cast

import msgspec

from ...declare import MOST_NAMED, AnyRequest, Failure, Json, Reason

MADE_HERE: Final = re.compile(r"(?:msg|rs|fc|ctc|cmp)_(\w+)_\d+")
"""Id of an item of an answer that the gateway translated: its response's own, and its place. No vendor's looks so."""
_PREFIXES: Final = {"reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc", "compaction": "cmp"}
_ESCAPES: Final = (b"\\u005", b"\\u006", b"\\u007")
"""Of letters that nobody needs to escape, unless to hide a key."""

Reader = Callable[[Any], Sequence[str]]
Place = tuple[str, ...]
"""Keys on the way to ids; where there is a list, all in it are meant."""

_RESOURCES: Final[Sequence[Place]] = (
    ("tool_resources", "code_interpreter", "file_ids"),
    ("tool_resources", "file_search", "vector_store_ids"),
    ("tool_resources", "file_search", "vector_stores", "file_ids"),
)
_MESSAGE: Final[Sequence[Place]] = (("attachments", "file_id"), ("content", "image_file", "file_id"))
_CONTAINER: Final[Sequence[Place]] = (("file_ids",), ("container_id",), ("skills", "skill_id"))


def _below(key: str, places: Sequence[Place]) -> Sequence[Place]:
    return [(key, *place) for place in places]


ASSISTANT_IDS: Final = _RESOURCES
THREAD_IDS: Final[Sequence[Place]] = (*_RESOURCES, *_below("messages", _MESSAGE))
MESSAGE_IDS: Final = _MESSAGE
RUN_IDS: Final[Sequence[Place]] = (
    ("assistant_id",),
    *_below("additional_messages", _MESSAGE),
    *_below("thread", THREAD_IDS),
    *_RESOURCES,
)
"""Of a run, or of one that comes with its thread."""
VECTOR_STORE_IDS: Final[Sequence[Place]] = (("file_ids",),)
VECTOR_STORE_FILE_IDS: Final[Sequence[Place]] = (("file_id",), ("file_ids",), ("files", "file_id"))
CONTAINER_IDS: Final = _CONTAINER
BATCH_IDS: Final[Sequence[Place]] = (("input_file_id",),)
TRAINING_IDS: Final[Sequence[Place]] = (("training_file",), ("validation_file",))
_CHAT: Final[Sequence[Place]] = (("messages", "content", "file", "file_id"),)


def id_made_here(kind: str) -> str:
    """Return an id for an item of a kind that the gateway keeps itself."""
    return f"{_PREFIXES.get(kind, 'msg')}_{secrets.token_hex(24)}_0"


# Readers ------------------------------------------------------------------------------------------------------------


def path_id(name: str) -> Reader:
    """Return a reader of one id in the path."""
    return lambda request: (request.params[name],)


def ids_at(places: Sequence[Place], holder: str = "") -> Reader:
    """Return a reader of the ids in some places of a JSON body, and of the one in the path that a placeholder holds."""

    def read(request: AnyRequest) -> Sequence[str]:
        ids = [request.params[holder]] if holder else []
        return first(chain(ids, _at(_json(request.raw), places)))

    return read


def chat_ids(request: AnyRequest) -> Sequence[str]:
    """Return the ids of the files that a chat's messages name."""
    raw = request.raw
    return first(_at(_json(raw), _CHAT)) if b'"file_id"' in raw or _escaped(raw) else ()


def response_ids(request: Any) -> Sequence[str]:
    """Return the ids that a response's body names; of a struct that has the fields in question."""
    body = request.body
    items = (body.input, body.instructions)
    return first(_response(items, body.tools, body.prompt, body.conversation, body.previous_response_id))


def carried_ids(request: Any) -> Sequence[str]:
    """Return those of a response's ids that mean something to other vendors' models: not what another model thought."""
    body = request.body
    items = body.input
    if isinstance(items, list):
        items = [item for item in cast("list[Any]", items) if not _is_reasoning(item)]
    rest = (body.tools, body.prompt, body.conversation, body.previous_response_id)
    return first(_response((items, body.instructions), *rest))


def _is_reasoning(item: Json) -> bool:
    return isinstance(item, dict) and cast("dict[str, Json]", item).get("type") == "reasoning"


def item_ids(request: Any) -> Sequence[str]:
    """Return the ids that items for a conversation name, and the conversation's own where the path has one."""
    ids = [request.params["conversation_id"]] if "conversation_id" in request.params else []
    return first(chain(ids, _items(request.body.items)))


def line_ids(url: str, line: bytes) -> Sequence[str]:
    """Return the ids that a line of a batch names, by what it asks for.

    Raises
    ------
    Failure
        INVALID, where it cannot be read.
    """
    body = _json(line).get("body")
    if not isinstance(body, dict):
        return ()
    fields = cast("dict[str, Json]", body)
    if url == "/v1/responses":
        items = (fields.get("input"), fields.get("instructions"))
        names = ("tools", "prompt", "conversation", "previous_response_id")
        return first(_response(items, *(fields.get(name) for name in names)))
    return first(_at(fields, _CHAT))


# Inside -------------------------------------------------------------------------------------------------------------


def first(ids: Iterable[str]) -> Sequence[str]:
    """Return ids, each once; no more than it takes to refuse them."""
    found: dict[str, None] = {}
    for one in ids:
        found[one] = None
        if len(found) > MOST_NAMED:
            break
    return list(found)


def _json(raw: bytes) -> dict[str, Json]:
    try:
        value = msgspec.json.decode(raw) if raw else {}
    except (msgspec.DecodeError, RecursionError):
        raise Failure(Reason.INVALID, "The body is not valid JSON") from None
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


def _escaped(raw: bytes) -> bool:
    return b"\\u00" in raw and any(sign in raw for sign in _ESCAPES)


def _at(value: Json, places: Sequence[Place]) -> Iterator[str]:
    for place in places:
        yield from _walk(value, place)


def _walk(value: Json, place: Place) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[Json]", value):
            yield from _walk(item, place)
    elif not place:
        if isinstance(value, str):
            yield value
    elif isinstance(value, dict):
        yield from _walk(cast("dict[str, Json]", value).get(place[0]), place[1:])


def _response(items: Sequence[Json], tools: Json, prompt: Json, conversation: Json, previous: Json) -> Iterator[str]:
    yield from _walk(previous, ())
    yield from _walk(conversation, () if isinstance(conversation, str) else ("id",))
    for several in items:
        yield from _items(several)
    yield from _tools(tools)
    yield from _walk(prompt, ("id",))
    variables = prompt.get("variables") if isinstance(prompt, dict) else None
    if isinstance(variables, dict):
        # A variable is a text, or a part of a message's content.
        yield from _walk(list(cast("dict[str, Json]", variables).values()), ("file_id",))


def _items(items: Json) -> Iterator[str]:
    for item in cast("list[Json]", items) if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield from _item(cast("dict[str, Json]", item))


def _item(item: dict[str, Json]) -> Iterator[str]:
    """Yield what an item of the input names; one that comes without its content is looked up by its id."""
    kind = item.get("type")
    if kind == "item_reference" or (kind is None and "role" not in item):
        yield from _walk(item, ("id",))
    elif kind == "reasoning":
        # What another vendor's model thought is nothing that a vendor keeps.
        if not (item.get("encrypted_content") or item.get("content") or MADE_HERE.fullmatch(str(item.get("id")))):
            yield from _walk(item, ("id",))
    elif kind == "image_generation_call":
        if not item.get("result"):
            yield from _walk(item, ("id",))
    elif kind == "code_interpreter_call":
        yield from _walk(item, ("container_id",))
    # Pictures and files in messages, and in what tools answered.
    yield from _at(item, (("content", "file_id"), ("output", "file_id")))
    yield from _tools(item.get("tools"))


def _tools(tools: Json) -> Iterator[str]:
    for tool in cast("list[Json]", tools) if isinstance(tools, list) else ():
        yield from _at(tool, (("vector_store_ids",), ("input_image_mask", "file_id")))
        for key in ("container", "environment"):
            place = tool.get(key) if isinstance(tool, dict) else None
            yield from (place,) if isinstance(place, str) else _at(place, _CONTAINER)
