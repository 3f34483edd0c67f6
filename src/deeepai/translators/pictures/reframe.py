"""OpenAI's images that came whole, as the stream that was asked for: an event for each, without partial images.

The reverse is not known: an upstream that streams unasked has failed.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...declare import MALFORMED, AnyRequest, Reframer
from ..chat.common import decode, encode, no_answer
from ..jobs.common import body_of
from .common import Body
from .openai import EDITS, GENERATIONS

_SAID = {"size": "auto", "quality": "auto", "background": "auto", "output_format": "png"}
"""What events tell of a picture, by the answer or else by what was asked for."""


def _reframer(operation: str, kind: str) -> Reframer:
    kind = f"{kind}.completed"

    def to_events(request: AnyRequest, body: bytes) -> bytes:
        try:
            events = _events(decode(body), body_of(request))
        except MALFORMED:
            raise no_answer("it is not of its format") from None
        return b"".join(
            b"event: %b\ndata: %b\n\n" % (kind.encode(), encode({"type": kind, **event})) for event in events
        )

    return Reframer(operation=operation, to_events=to_events, to_document=_to_document)


def _events(answer: Body, asked: Body) -> list[Body]:
    told: Body = {name: answer.get(name) or asked.get(name, usual) for name, usual in _SAID.items()}
    told["created_at"] = answer.get("created")
    events: list[Body] = [{**told, "b64_json": each["b64_json"]} for each in answer["data"]]
    # It is that of all.
    events[-1] |= {"usage": answer["usage"]} if answer.get("usage") else {}
    return events


def _to_document(request: AnyRequest, stream: bytes) -> bytes:
    raise no_answer("a stream where an answer was asked for")


PICTURE_REFRAMERS: Mapping[str, Reframer] = {
    GENERATIONS: _reframer(GENERATIONS, "image_generation"),
    EDITS: _reframer(EDITS, "image_edit"),
}
