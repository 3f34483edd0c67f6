"""Chats between four formats: OpenAI's chat completions and responses, Anthropic's messages, Gemini.

A hub and its spokes: each format reads into the neutral `model` and writes from it. What a format cannot carry is
dropped where that does no harm, and refused with a 400 that names the field elsewhere; each format's module says
which is which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...declare import (
    MALFORMED,
    Answer,
    AnyRequest,
    CallTranslator,
    Failure,
    Json,
    Reason,
    Reframer,
    Translation,
    Usage,
)
from . import (
    anthropic,
    anthropic_stream,
    anthropic_write,
    compaction,
    gemini,
    gemini_stream,
    gemini_write,
    openai,
    openai_stream,
    openai_write,
    responses,
    responses_stream,
    responses_write,
)
from .checks import sound, sound_step
from .common import (
    Body,
    Halves,
    Quiet,
    Reader,
    Sieve,
    Writer,
    decode,
    encode,
    no_answer,
    quiet_parts,
    whole_json,
)
from .fitting import Limits, fit, name_back, name_events_back, renamed
from .model import Broken, Completion, Conversation, Delta, Done, Event, Start, UsageSeen
from .reframe import gathered, written
from .usage import tokens


def _always(asked: Body) -> bool:
    return True


def _never(asked: Body) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One chat format.

    Attributes
    ----------
    operations : mapping
        Operation names, each with whether it always streams (None: the body says).
    stream_target : str
        The operation that streams, where it is another.
    limits : callable
        What names and ids the vendor of a model takes.
    tool_names : callable
        The names in a conversation of the tools in a request of this format.
    shows_thoughts : callable
        Whether a request of this format wants thoughts among the answer.
    summarizes : callable
        Whether a request of this format wants a summary in the place of an answer.
    """

    operations: Mapping[str, bool | None]
    stream_target: str | None = None
    read_request: Callable[[Body, bool | None], Conversation]
    write_request: Callable[[Conversation, str], Body]
    limits: Callable[[str], Limits]
    tool_names: Callable[[Body], Sequence[str]]
    read_answer: Callable[[Json], Completion]
    write_answer: Callable[[Completion, str, Body], Body]
    read_error: Callable[[Answer], Failure]
    reader: Callable[[], Reader]
    writer: Callable[[str, Body], Writer]
    shows_thoughts: Callable[[Body], bool] = _always
    summarizes: Callable[[Body], bool] = _never


FORMATS: Mapping[str, Format] = {
    openai.NAME: Format(
        operations={"openai.chat.completions": None},
        read_request=openai.read_request,
        write_request=openai_write.write_request,
        limits=openai_write.limits,
        tool_names=openai.tool_names,
        read_answer=openai.read_answer,
        write_answer=openai.write_answer,
        read_error=openai.read_error,
        reader=openai_stream.Reader,
        writer=openai_stream.Writer,
    ),
    responses.NAME: Format(
        operations={"openai.responses.create": None},
        read_request=compaction.read_response,
        summarizes=compaction.wanted,
        write_request=responses_write.write_request,
        limits=responses_write.limits,
        tool_names=responses.tool_names,
        read_answer=responses.read_answer,
        write_answer=responses.write_answer,
        read_error=responses.read_error,
        reader=responses_stream.Reader,
        writer=responses_stream.Writer,
    ),
    anthropic.NAME: Format(
        operations={"anthropic.messages": None},
        read_request=anthropic.read_request,
        write_request=anthropic_write.write_request,
        limits=anthropic_write.limits,
        tool_names=anthropic.tool_names,
        read_answer=anthropic.read_answer,
        write_answer=anthropic.write_answer,
        read_error=anthropic.read_error,
        reader=anthropic_stream.Reader,
        writer=anthropic_stream.Writer,
        shows_thoughts=anthropic.shows_thoughts,
    ),
    gemini.NAME: Format(
        operations={"gemini.generateContent": False, "gemini.streamGenerateContent": True},
        stream_target="gemini.streamGenerateContent",
        read_request=gemini.read_request,
        write_request=gemini_write.write_request,
        limits=gemini_write.limits,
        tool_names=gemini.tool_names,
        read_answer=gemini.read_answer,
        write_answer=gemini.write_answer,
        read_error=gemini.read_error,
        reader=gemini_stream.Reader,
        writer=gemini_stream.Writer,
        shows_thoughts=gemini.shows_thoughts,
    ),
}


def _asked(request: AnyRequest) -> Body:
    try:
        body = decode(request.raw)
    except (RecursionError, ValueError):
        body = None
    if not isinstance(body, dict):
        raise Failure(Reason.INVALID, "The body must be a JSON object")
    return body


def _model(request: AnyRequest, asked: Body) -> str:
    """Return the model as the caller named it: in the body, or in the path, where a name may have two parts."""
    params = request.params
    if asked.get("model"):
        return asked["model"]
    if "tuned" in params:
        return f"tunedModels/{params['tuned']}"
    return "/".join(params[name] for name in ("owner", "model") if name in params)


class _Events:
    """One stream on its way from the target's format into the source's."""

    __slots__ = ("_begun", "_failed", "_halves", "_names", "_over", "_reader", "_sieve", "_usage", "_writer")

    def __init__(self, reader: Reader, writer: Writer, sieve: Sieve | None, names: Mapping[str, str]) -> None:
        self._reader = reader
        self._writer = writer
        self._sieve = sieve
        self._names = names
        self._halves = Halves()
        self._begun = self._failed = False
        self._usage: Usage | None = None
        self._over = False
        """Whether the answer has come to its end, or to an error: nothing can follow."""

    def feed(self, event: bytes) -> bytes:
        """Take one event of the upstream; return what the caller sees of it."""
        if self._over:
            return b""
        written: list[bytes] = []
        try:
            steps = self._reader.feed(event)
            if self._halves.held or b"\\u" in event:
                steps = self._halves.filter(steps)
            if self._begun and len(steps) == 1 and self._sieve is None:
                (step,) = steps
                if type(step) is Delta and type(step.text) is str:
                    return self._writer.feed(step)
            self._write(steps, written)
        except Failure as failure:
            written.append(self._break(failure))
        except MALFORMED:
            written.append(self._break(no_answer("an event is not of its format")))
        return written[0] if len(written) == 1 else b"".join(written)

    def _write(self, steps: Sequence[Event], written: list[bytes]) -> None:
        if self._names:
            name_events_back(steps, self._names)
        if self._sieve is not None:
            steps = self._sieve.filter(steps)
        for step in steps:
            if self._over:
                break
            sound_step(step)
            if not self._begun and not isinstance(step, Broken):
                self._begun = True
                if not isinstance(step, Start):
                    # Some servers leave the beginning out.
                    written.append(self._writer.feed(Start("", "")))
            if isinstance(step, Done):
                self._tell()
            written.append(self._writer.feed(step))
            if isinstance(step, Done | Broken):
                self._over = True
                self._failed = isinstance(step, Broken)

    def _tell(self) -> None:
        if self._usage is not None:
            self._writer.feed(UsageSeen(tokens(self._usage)))

    def learn(self, usage: Usage) -> None:
        """Take what is charged."""
        self._usage = usage

    def _break(self, failure: Failure) -> bytes:
        self._over = self._failed = True
        return self._writer.feed(Broken(failure))

    @property
    def whole(self) -> bool:
        """Whether the answer is whole if nothing more comes."""
        return not self._failed if self._over else self._reader.whole

    def fail(self, failure: Failure) -> bytes:
        """Return the event that tells of a failure, unless one was told or the stream has ended."""
        return b"" if self._over else self._break(failure)

    def end(self) -> bytes:
        """Return the end, whether or not the upstream said it; an error, where its answer is not whole."""
        if self._over:
            return b""
        written: list[bytes] = []
        try:
            self._write(self._halves.filter(self._reader.close()), written)
            if not self._over:
                self._tell()
                written.append(self._writer.end())
        except Failure as failure:
            written.append(self._break(failure))
        except MALFORMED:
            written.append(self._break(no_answer("its end is not of its format")))
        return b"".join(written)


def _translator(name: str, streams: bool | None, source: Format, target: Format) -> CallTranslator:
    limits = target.limits

    def request(request: AnyRequest, model: str) -> Body:
        try:
            conversation = source.read_request(_asked(request), streams)
            fit(conversation, limits(model), model)
            return target.write_request(conversation, model)
        except MALFORMED:
            raise Failure(Reason.INVALID, "The body is not of its format: a field has the wrong type") from None

    def names(asked: Body) -> Mapping[str, str]:
        # Whatever the model: the limits of names are the same for all of a vendor's.
        return renamed(source.tool_names(asked), limits("")) if asked.get("tools") else {}

    def answer(request: AnyRequest, answer: Answer, usage: Usage | None = None) -> bytes:
        asked = _asked(request)
        try:
            completion = sound(target.read_answer(whole_json(answer.body)))
            name_back(completion.parts, names(asked))
            if source.summarizes(asked):
                completion.parts = compaction.summed(completion.parts)
            elif not source.shows_thoughts(asked):
                completion.parts = quiet_parts(completion.parts)
            return encode(source.write_answer(completion, _model(request, asked), asked))
        except MALFORMED:
            raise no_answer("it is not of its format") from None
        except Failure as failure:
            # What an upstream says wrongly is no fault of the caller's.
            if failure.kind is Reason.INVALID and failure.param is not None:
                raise no_answer(failure.message) from None
            raise

    def events(request: AnyRequest) -> Translation:
        asked = _asked(request)
        sieve: Sieve | None = None if source.shows_thoughts(asked) else Quiet()
        if source.summarizes(asked):
            sieve = compaction.Summed()
        return _Events(target.reader(), source.writer(_model(request, asked), asked), sieve, names(asked))

    return CallTranslator(
        source=name,
        target=next(iter(target.operations)),
        stream_target=target.stream_target,
        request=request,
        answer=answer,
        error=target.read_error,
        events=events,
    )


_RESPONSES = FORMATS[responses.NAME]
_COMPACTION = replace(
    _RESPONSES,
    operations={"openai.responses.compact": False},
    read_request=compaction.read_request,
    summarizes=_never,
    write_answer=compaction.write_answer,
)
CHAT_TRANSLATORS: tuple[CallTranslator, ...] = tuple(
    _translator(name, streams, source, target)
    for source in (*FORMATS.values(), _COMPACTION)
    for name, streams in source.operations.items()
    for target in FORMATS.values()
    if target is not source and not (source is _COMPACTION and target is _RESPONSES)
)


def _reframer(name: str, own: Format) -> Reframer:
    def to_events(request: AnyRequest, body: bytes) -> bytes:
        asked = _asked(request)
        try:
            value = decode(body)
            if isinstance(value, list):
                # The events of a stream, in another framing.
                return b"".join(b"data: " + encode(event) + b"\n\n" for event in value)
            return written(own.writer(_model(request, asked), asked), sound(own.read_answer(value)))
        except MALFORMED:
            raise no_answer("it is not of its format") from None

    def to_document(request: AnyRequest, stream: bytes) -> bytes:
        asked = _asked(request)
        try:
            completion = sound(gathered(own.reader(), stream))
            return encode(own.write_answer(completion, _model(request, asked), asked))
        except MALFORMED:
            raise no_answer("it is not of its format") from None

    return Reframer(operation=name, to_events=to_events, to_document=to_document)


CHAT_REFRAMERS: Mapping[str, Reframer] = {
    name: _reframer(name, own) for own in FORMATS.values() for name in own.operations
}
