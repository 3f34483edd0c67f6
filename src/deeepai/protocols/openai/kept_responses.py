"""Responses that the gateway keeps itself: what is kept of one, how later requests name it, and calls on it.

An item's id holds its response's, so that a response is found by any of its items.

Source: OpenAI's guide to conversation state; the errors are as its API says them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from ...declare import DROP, SEALED, AnyRequest, Facts, Failure, Json, KeepingRules, KeptAnswer, Reason, Reply, Request
from .common import member, members, model_patch
from .object_calls import page, window
from .object_ids import MADE_HERE, id_made_here

MOST_ITEMS: Final = 100
"""On a page."""
_OPENAI_MODEL: Final = re.compile(r"(?:[^/]*/)?(?:gpt|chatgpt|codex|o\d)")
"""Of others, an upstream may have made what looks as if it was made here: it is a gateway, too."""


# Requests that name some -------------------------------------------------------------------------------------------


def _response_of(item_id: str) -> str | None:
    made = MADE_HERE.fullmatch(item_id)
    return None if made is None else f"resp_{made[1]}"


def _items(request: Request[Any]) -> list[dict[str, Json]]:
    said = request.body.input
    if isinstance(said, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": said}]}]
    return said or []


def _reference(item: Mapping[str, Json]) -> str | None:
    """Return the id of an item that comes without what is in it."""
    kind, name = item.get("type"), item.get("id")
    if not isinstance(name, str):
        return None
    empty = kind == "reasoning" and not (item.get("encrypted_content") or item.get("content"))
    return name if empty or kind == "item_reference" or (kind is None and "role" not in item) else None


def follows(request: Request[Any]) -> str | None:
    """Return the id of the response that a request goes on from."""
    return request.body.previous_response_id


def quotes(request: Request[Any]) -> Sequence[str]:
    """Return the ids of the responses of which a request names items."""
    if not isinstance(request.body.input, list):
        return ()
    names = (_reference(item) for item in _items(request))
    return [found for name in names if name and (found := _response_of(name))]


def turn(request: Request[Any], quoted: Mapping[str, KeptAnswer]) -> Sequence[Json]:
    """Return a request's input as items, those that it names in the place of their names."""
    known = {member(item, "id"): item for kept in quoted.values() for item in members(kept.answer, "output")}
    return [known.get(_reference(item), item) for item in _items(request)]


def whole(before: Sequence[KeptAnswer], said: Sequence[Json]) -> Mapping[str, Json]:
    """Return the input that a request stands for which goes on from some responses."""
    items = [
        item
        for kept in before
        for item in (*kept.turn, *members(kept.answer, "output"))
        # It wants something of its own turn.
        if member(item, "type") != "compaction_trigger"
    ]
    return {"input": [*items, *said]} | ({"previous_response_id": DROP, "conversation": DROP} if before else {})


def read(value: Json) -> tuple[str, Json] | None:
    """Return a response's id and the response, from an answer or a stream's event; None where it did not end well."""
    response = member(value, "response") or value
    name = member(response, "id")
    good = member(response, "store") is True and member(response, "status") in ("completed", "incomplete")
    return (name, response) if good and isinstance(name, str) else None


def within(request: Request[Any]) -> str | None:
    """Return the id of the conversation that a request is a turn of.

    Raises
    ------
    Failure
        INVALID, where it goes on from a response, too.
    """
    said = request.body.conversation
    name = said.get("id") if isinstance(said, dict) else said
    if not name or not isinstance(name, str):
        return None
    if request.body.previous_response_id:
        message = "Mutually exclusive parameters: provide either 'previous_response_id' or 'conversation', not both."
        raise Failure(Reason.INVALID, message, param="conversation", code="mutually_exclusive_parameters")
    return name


def adds(said: Sequence[Json], told: Json) -> Sequence[dict[str, Json]] | None:
    """Return what a turn and its response add to a conversation; None where the response did not end well."""
    response = member(told, "response") or told
    if member(response, "status") not in ("completed", "incomplete"):
        return None
    return [with_id(item) for item in (*said, *members(response, "output")) if isinstance(item, dict)]


def joined(told: Json, conversation: str) -> Json:
    """Return a response, or an event that holds one, as one of a conversation's."""
    if not isinstance(told, dict):
        return told
    held = told.get("response")
    return {**told, "response": joined(held, conversation)} if held else {**told, "conversation": {"id": conversation}}


NAMED: Final[KeepingRules[Any]] = KeepingRules(
    wanted=None,
    follows=follows,
    quotes=quotes,
    turn=turn,
    whole=whole,
    repeats=lambda kept: {"store": kept},
    read=read,
    within=within,
    adds=adds,
    joined=joined,
)
"""Of an operation that takes a conversation, and whose answer is none to go on from."""
KEEPING: Final = replace(NAMED, wanted=lambda request: request.body.store is not False)
"""Of creating a response."""


def missing(request: Request[Any], name: str) -> Failure | None:
    """Say what OpenAI says of a response or an item that is not there: the one is a bad request there."""
    if name == request.body.previous_response_id or name.startswith("resp_"):
        message = f"Previous response with id '{name}' not found."
        code = "previous_response_not_found"
        return Failure(Reason.INVALID, message, param="previous_response_id", code=code)
    if any(item.get("id") == name for item in _items(request)):
        return Failure(Reason.NOT_FOUND, f"Item with id '{name}' not found.", param="input")
    return None


def missing_response(request: AnyRequest, name: str) -> Failure:
    """Say what OpenAI says of a response that is not there."""
    return Failure(Reason.NOT_FOUND, f"Response with id '{name}' not found.", param="response_id")


# On their way to OpenAI ----------------------------------------------------------------------------------------------


def patch(request: Request[Any], facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does, and leave out of the input what OpenAI's models cannot know."""
    changes = model_patch(request, facts)
    said = request.body.input
    if isinstance(said, list) and _OPENAI_MODEL.match(facts.model):
        items = cast("list[dict[str, Json]]", said)
        known = [_known(item) for item in items]
        if any(one is not item for one, item in zip(known, items, strict=True)):
            changes["input"] = [item for item in known if item is not None]
    return changes


def _known(item: dict[str, Json]) -> dict[str, Json] | None:
    """Return an item as OpenAI may know it: without an id that it did not give; None for what another model thought."""
    kind, made_here = item.get("type"), MADE_HERE.fullmatch(str(item.get("id"))) is not None
    if kind == "reasoning":
        return None if made_here or str(item.get("encrypted_content")).startswith(SEALED) else item
    if not made_here or _reference(item):
        return item
    return {name: value for name, value in item.items() if name != "id"}


# Calls on one ------------------------------------------------------------------------------------------------------


def get(request: AnyRequest, kept: KeptAnswer) -> Reply:
    """Answer with a response.

    Raises
    ------
    Failure
        INVALID, where it is wanted as a stream.
    """
    if request.query.get("stream") == "true":
        message = "This response cannot be streamed because it was not created with background=true."
        raise Failure(Reason.INVALID, message, param="stream")
    return Reply(kept.answer)


def cancel(request: AnyRequest, kept: KeptAnswer) -> Reply:
    """Refuse to cancel what has ended.

    Raises
    ------
    Failure
        INVALID
    """
    raise Failure(Reason.INVALID, "Cannot cancel a synchronous response.")


def deleted(request: AnyRequest, kept: KeptAnswer) -> Reply:
    """Answer that a response is deleted."""
    return Reply({"id": kept.id, "object": "response", "deleted": True})


def input_items(request: AnyRequest, kept: KeptAnswer) -> Reply:
    """Answer with a page of what a response was asked.

    Raises
    ------
    Failure
        INVALID, for a query that is none; NOT_FOUND, where it goes on from what is not there.
    """
    items = [_listed(item, f"{kept.id.removeprefix('resp_')}_in{place}") for place, item in enumerate(kept.turn)]
    return Reply(items_page(request, items))


def items_page(request: AnyRequest, items: Sequence[dict[str, Json]]) -> Json:
    """Return the page of a list of items, the oldest first, that a query asks for.

    Raises
    ------
    Failure
        INVALID, for a query that is none; NOT_FOUND, where it goes on from what is not there.
    """
    part = window(request)
    if part.newest_first:
        items = items[::-1]
    ids = [item["id"] for item in items]
    first, end = 0, len(ids)
    if part.after is not None:
        first = _place(ids, part.after) + 1
    if part.before is not None:
        end = _place(ids, part.before)
    limit = min(part.limit, MOST_ITEMS)
    if part.before is not None and part.after is None:
        first = max(first, end - limit)
        return page(items[first:end], first > 0)
    return page(items[first : min(end, first + limit)], end - first > limit)


def _place(ids: Sequence[Json], name: str) -> int:
    try:
        return ids.index(name)
    except ValueError:
        raise Failure(Reason.NOT_FOUND, f"Item with id '{name[:128]}' not found.", param="after") from None


def with_id(item: Mapping[str, Json]) -> dict[str, Json]:
    """Return an item with an id, and text as content: an upstream's own, else one that was never given."""
    kind = str(item.get("type") or "message")
    known = item.get("id") if item.get("role") != "user" else None
    return {**_listed(dict(item), ""), "id": known or id_made_here(kind), "status": item.get("status") or "completed"}


def _listed(item: dict[str, Json], place: str) -> dict[str, Json]:
    """Return an item as a list shows it: with an id, and text as content."""
    kind = item.get("type") or "message"
    listed = {"id": f"{'msg' if kind == 'message' else 'item'}_{place}", **item, "type": kind}
    said = item.get("content")
    if kind == "message" and isinstance(said, str):
        part = "output_text" if item.get("role") == "assistant" else "input_text"
        listed["content"] = [{"type": part, "text": said}]
    return listed
