"""OpenAI's compaction of a conversation, by models that have nothing like it: they are asked for a summary.

It is asked for by an operation of its own, or by an item at the end of a response's input, as Codex does. The caller
gets the summary sealed, and sends it back in the place of the conversation; `responses` opens it.

Source: OpenAI's OpenAPI document 2.3.0; Codex 0.171 on the wire.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Final

from . import responses
from .common import Body, joined, no_answer, objects
from .model import (
    Completion,
    Conversation,
    Delta,
    Event,
    Finish,
    Part,
    PartEnd,
    PartStart,
    Signature,
    Text,
    Thinking,
    ToolChoice,
    Turn,
)

_ASK: Final = (
    "Write a summary of our conversation so far, from which someone who has not seen it can go on with it: what was "
    "asked for and decided, what was done and with which result, the names, paths and figures that matter, and what "
    "is still to be done. Answer with the summary alone."
)


def wanted(body: Body) -> bool:
    """Tell whether a response's input ends with the wish that it be compacted."""
    input = body.get("input")
    return isinstance(input, list) and bool(input) and input[-1].get("type") == "compaction_trigger"


def read_request(body: Body, stream: bool | None) -> Conversation:
    """Read a request for a compaction: the conversation, and the wish for a summary of it."""
    conversation = responses.read_request(body, stream)
    conversation.turns.append(Turn("user", [Text(_ASK)]))
    conversation.output = None
    if conversation.tools:
        # They stay, for the calls that were made.
        conversation.tool_choice = ToolChoice("none")
    return conversation


def read_response(body: Body, stream: bool | None) -> Conversation:
    """Read a request for a response, or for a compaction in the place of one."""
    return read_request(body, stream) if wanted(body) else responses.read_request(body, stream)


def _summary(text: str) -> Thinking:
    if not text:
        raise no_answer("it is no summary")
    return Thinking(origin=responses.SUMMARY, text=text, signature=responses.SUMMARY, quiet=True)


def summed(parts: Sequence[Part]) -> list[Part]:
    """Return what a model said as a summary."""
    return [_summary(joined(parts))]


class Summed:
    """Does for a stream what `summed` does for a whole answer."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._inside = False

    def filter(self, events: Sequence[Event]) -> Sequence[Event]:
        """Take out the parts; the summary comes where the answer ends."""
        kept: list[Event] = []
        for event in events:
            if isinstance(event, PartStart):
                self._inside = isinstance(event.part, Text)
            elif isinstance(event, Delta):
                self._pieces += [event.text] if self._inside else []
            elif isinstance(event, Finish):
                kept += (PartStart(_summary("".join(self._pieces))), PartEnd(), event)
            elif not isinstance(event, PartEnd | Signature):
                kept.append(event)
        return kept


def write_answer(completion: Completion, model: str, asked: Body) -> Body:
    """Write a compacted conversation: the user's own messages, and the summary."""
    name = secrets.token_hex(24)
    said = _said(asked, name)
    return {
        "id": f"resp_{name}",
        "object": "response.compaction",
        "created_at": completion.created or int(time.time()),
        "output": [*said, responses.item(summed(completion.parts)[0], f"{name}_{len(said)}", {})],
        "usage": responses.write_usage(completion.usage),
    }


def _said(asked: Body, name: str) -> list[Body]:
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
