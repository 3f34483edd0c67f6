"""Whole answers as streams, and streams as whole answers, within one format: for upstreams that send the other one."""

from __future__ import annotations

from collections.abc import Iterator

from ...declare import events_of
from .common import Reader, Writer, no_answer
from .model import (
    Broken,
    Completion,
    Delta,
    Done,
    Event,
    Finish,
    Media,
    Part,
    PartEnd,
    PartStart,
    Signature,
    Start,
    Text,
    Thinking,
    Tokens,
    ToolCall,
    ToolResult,
    UsageSeen,
)


def steps(completion: Completion) -> Iterator[Event]:
    """Yield the steps in which an answer would have been streamed."""
    yield Start(completion.id, completion.model, completion.usage, completion.created)
    for part in completion.parts:
        match part:
            case Text():
                yield PartStart(Text("", part.refusal))
                yield Delta(part.text)
            case Thinking():
                yield PartStart(Thinking(origin=part.origin, hidden=part.hidden, quiet=part.quiet, id=part.id))
                if part.text:
                    yield Delta(part.text)
                if part.signature:
                    yield Signature(part.signature, part.id)
            case ToolCall():
                yield PartStart(ToolCall(part.id, part.name, ""))
                yield Delta(part.arguments)
            case Media() | ToolResult():
                continue
        yield PartEnd()
    yield UsageSeen(completion.usage)
    yield Finish(completion.stop, completion.sequence)
    yield Done()


def written(writer: Writer, completion: Completion) -> bytes:
    """Return an answer as a stream."""
    return b"".join(writer.feed(step) for step in steps(completion)) + writer.end()


def gathered(reader: Reader, stream: bytes) -> Completion:
    """Return the answer that a stream adds up to.

    Raises
    ------
    Failure
        It tells of a failure, or comes to no end.
    """
    found: list[Event] = [step for event in events_of(stream) for step in reader.feed(event)]
    found += reader.close()
    # Some servers leave the beginning out.
    start = next((step for step in found if isinstance(step, Start)), None) or Start("", "")
    finish: Finish | None = None
    usage = start.usage
    parts: list[Part] = []
    for step in found:
        match step:
            case Broken():
                raise step.reason()
            case PartStart():
                parts.append(step.part)
            case Delta():
                parts[-1] = _longer(parts[-1], step.text)
            case Signature():
                if isinstance(parts[-1], Thinking):
                    parts[-1].signature = step.value
            case UsageSeen():
                usage = step.usage
            case Finish():
                finish = step
            case _:
                pass
    if finish is None:
        raise no_answer("the stream came to no end")
    return Completion(
        id=start.id,
        model=start.model,
        parts=parts,
        stop=finish.stop,
        usage=usage or Tokens(),
        sequence=finish.sequence,
        created=start.created,
    )


def _longer(part: Part, text: str) -> Part:
    match part:
        case Text():
            return Text(part.text + text, part.refusal)
        case Thinking():
            part.text += text
            return part
        case ToolCall():
            return ToolCall(part.id, part.name, part.arguments + text)
        case Media() | ToolResult():
            return part
