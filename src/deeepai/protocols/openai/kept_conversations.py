"""Conversations that the gateway keeps itself, as OpenAI's callers use them.

Source: OpenAI's OpenAPI document 2.3.0 and its guide to conversation state.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...declare import AnyRequest, Conversation, Failure, Json, Reason, Reply, Request, Turned
from .kept_responses import items_page, with_id
from .object_calls import page

MOST_ADDED: Final = 20
"""Items in one call, as OpenAI has it."""
MOST_PAIRS: Final = 16
LONGEST_NAME, LONGEST_VALUE = 64, 512


def begin(request: Request[Any], known: Conversation | None) -> Turned:
    """Begin a conversation."""
    items = _new_items(request.body.items)
    name = f"conv_{secrets.token_hex(24)}"
    metadata = _metadata(request.body.metadata) or {}
    made = Conversation(id=name, metadata=metadata, created_at=int(time.time() * 1000), items=items)
    return Turned(reply=Reply(_shown(made)), begins=made)


def get(request: AnyRequest, known: Conversation | None) -> Turned:
    """Tell of a conversation."""
    return Turned(reply=Reply(_shown(_there(known))))


def update(request: Request[Any], known: Conversation | None) -> Turned:
    """Change a conversation's metadata."""
    there, metadata = _there(known), _metadata(request.body.metadata)
    shown = _shown(there) | ({} if metadata is None else {"metadata": metadata})
    return Turned(reply=Reply(shown), metadata=metadata)


def delete(request: AnyRequest, known: Conversation | None) -> Turned:
    """Delete a conversation."""
    shown = {"id": _there(known).id, "object": "conversation.deleted", "deleted": True}
    return Turned(reply=Reply(shown), ends=True)


def add(request: Request[Any], known: Conversation | None) -> Turned:
    """Add items to a conversation."""
    _there(known)
    items = _new_items(request.body.items)
    return Turned(reply=Reply(page(items)), adds=items)


def items(request: AnyRequest, known: Conversation | None) -> Turned:
    """Tell a page of a conversation's items."""
    return Turned(reply=Reply(items_page(request, _there(known).items)))


def item(request: AnyRequest, known: Conversation | None) -> Turned:
    """Tell of an item."""
    return Turned(reply=Reply(_item(request, _there(known))))


def remove(request: AnyRequest, known: Conversation | None) -> Turned:
    """Delete an item."""
    there = _there(known)
    return Turned(reply=Reply(_shown(there)), removes=str(_item(request, there)["id"]))


def _there(known: Conversation | None) -> Conversation:
    if known is None:
        raise TypeError("a call on no conversation")
    return known


def _shown(there: Conversation) -> dict[str, Json]:
    known = {"id": there.id, "object": "conversation", "created_at": there.created_at // 1000}
    return {**known, "metadata": there.metadata}


def _item(request: AnyRequest, there: Conversation) -> Mapping[str, Json]:
    name = request.params["item_id"]
    found = next((item for item in there.items if item["id"] == name), None)
    if found is None:
        raise Failure(Reason.NOT_FOUND, f"Item with id '{name[:128]}' not found.", param="item_id")
    return found


def _new_items(given: Sequence[dict[str, Json]] | None) -> list[dict[str, Json]]:
    given = given or ()
    if len(given) > MOST_ADDED:
        raise Failure(Reason.INVALID, f"At most {MOST_ADDED} items are added at once", param="items")
    if any(item.get("type") == "item_reference" for item in given):
        raise Failure(Reason.INVALID, "A conversation takes items themselves, no references to any", param="items")
    return [with_id(item) for item in given]


def _metadata(given: Mapping[str, Any] | None) -> dict[str, Json] | None:
    if given is None:
        return None
    words = all(
        isinstance(value, str) and len(name) <= LONGEST_NAME and len(value) <= LONGEST_VALUE
        for name, value in given.items()
    )
    if not words or len(given) > MOST_PAIRS:
        limits = f"at most {MOST_PAIRS} texts of up to {LONGEST_VALUE} characters, names up to {LONGEST_NAME}"
        raise Failure(Reason.INVALID, f"Invalid 'metadata': {limits}", param="metadata")
    return dict(given)
