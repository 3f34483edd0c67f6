"""OpenAI's compaction of a conversation, by models that have nothing like it: they are asked for a summary.

The caller gets its own messages and the summary, sealed, as OpenAI gives them. It sends them back in the place of the
conversation, and `responses` opens what is sealed.

Source: OpenAI's OpenAPI document 2.3.0.
"""

from __future__ import annotations

import secrets
import time
from typing import Final

from . import responses
from .common import Body, joined, no_answer, objects, seal
from .model import Completion, Conversation, Text, Thinking, ToolChoice, Turn

_ASK: Final = (
    "Write a summary of our conversation so far, from which someone who has not seen it can go on with it: what was "
    "asked for and decided, what was done and with which result, the names, paths and figures that matter, and what "
    "is still to be done. Answer with the summary alone."
)


def read_request(body: Body, stream: bool | None) -> Conversation:
    """Read a request: the conversation, and the wish for a summary of it."""
    conversation = responses.read_request(body, stream)
    conversation.turns.append(Turn("user", [Text(_ASK)]))
    if conversation.tools:
        # They stay, for the calls that were made.
        conversation.tool_choice = ToolChoice("none")
    return conversation


def write_answer(completion: Completion, model: str, asked: Body) -> Body:
    """Write a compacted conversation."""
    summary = joined(completion.parts)
    if not summary:
        raise no_answer("it is no summary")
    name = secrets.token_hex(24)
    sealed = seal(Thinking(origin=responses.SUMMARY, text=summary, quiet=True))
    return {
        "id": f"resp_{name}",
        "object": "response.compaction",
        "created_at": completion.created or int(time.time()),
        "output": [*_said(asked, name), {"type": "compaction", "id": f"cmp_{name}", "encrypted_content": sealed}],
        "usage": responses.write_usage(completion.usage),
    }


def _said(asked: Body, name: str) -> list[Body]:
    """Return the user's own messages."""
    input = asked.get("input")
    if isinstance(input, str):
        input = [{"role": "user", "content": input}]
    said = [item for item in objects(input, "input") if item.get("role") == "user"]
    return [
        {"id": f"msg_{name}_{place}", "status": "completed", **item, "type": "message", "content": _parts(item)}
        for place, item in enumerate(said)
    ]


def _parts(item: Body) -> list[Body]:
    content = item.get("content")
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else objects(content, "input.content")
