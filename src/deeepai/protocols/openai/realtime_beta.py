"""Realtime in the beta's shape and in that of today's API (GA), turned into each other: sessions, items, events.

What only one of the two can say is dropped, as the temperature is, or refused, as a format of sound; what neither
knows passes. Source: OpenAI's OpenAPI document 2.3.0, which holds the schemas of both, and its migration guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec import UNSET

from ...declare import Failure, Json, Reason, SessionTranslation
from .common import member

Fields = dict[str, Any]

# What both say, each in its own words ------------------------------------------------------------------------------

_EVENTS: Final = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "conversation.item.created": "conversation.item.added",
}
"""Types of the server's events, by the beta's."""
_PARTS: Final = {"text": "output_text", "audio": "output_audio"}
"""Types of the parts of items; those in `response.content_part.added` and `.done` have the beta's in both."""
_FORMATS: Final = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_PCM: Final = "audio/pcm"
_RATE: Final = 24_000
"""Samples a second of the beta's `pcm16`; today's API wants it said."""


def _same(given: Json) -> Json:
    return given


def _ga_format(given: Json) -> Json:
    kind = _FORMATS.get(given) if isinstance(given, str) else None
    if kind is None:
        return given
    return {"type": kind, "rate": _RATE} if kind == _PCM else {"type": kind}


def _beta_format(given: Json) -> Json:
    """Return the word for a format; one that has none stays."""
    kind, rate = member(given, "type"), member(given, "rate")
    if kind == _PCM and rate not in (_RATE, None):
        return given
    return next((word for word, known in _FORMATS.items() if known == kind), given)


def _ga_modalities(given: Json) -> Json:
    """Speech has its transcript beside it in both, but in the beta's list alone."""
    return ["audio"] if isinstance(given, list) and "audio" in given else given


def _beta_modalities(given: Json) -> Json:
    return ["audio", "text"] if isinstance(given, list) and "audio" in given else given


class _Field(NamedTuple):
    """A field: the beta's name, the GA path, and what becomes of its value."""

    beta: str
    ga: tuple[str, ...]
    to_ga: Callable[[Json], Json] = _same
    to_beta: Callable[[Json], Json] = _same


_SPOKEN: Final = (
    _Field("modalities", ("output_modalities",), _ga_modalities, _beta_modalities),
    _Field("voice", ("audio", "output", "voice")),
    _Field("output_audio_format", ("audio", "output", "format"), _ga_format, _beta_format),
)
_LIMIT: Final = _Field("max_response_output_tokens", ("max_output_tokens",))
"""Of a session. That of one response is `max_output_tokens` in both, but not in what the SDKs send to the beta."""
_SESSION: Final = (
    *_SPOKEN,
    _Field("speed", ("audio", "output", "speed")),
    _Field("input_audio_format", ("audio", "input", "format"), _ga_format, _beta_format),
    _Field("input_audio_transcription", ("audio", "input", "transcription")),
    _Field("input_audio_noise_reduction", ("audio", "input", "noise_reduction")),
    _Field("turn_detection", ("audio", "input", "turn_detection")),
    _LIMIT,
)
_ONLY_BETA: Final = frozenset({"temperature", "client_secret"})
_ONLY_GA: Final = frozenset({"reasoning", "parallel_tool_calls"})


# One object --------------------------------------------------------------------------------------------------------


def _to_ga(fields: Iterable[_Field], given: Fields) -> Fields:
    made = {name: value for name, value in given.items() if name not in _ONLY_BETA}
    for field in fields:
        if field.beta in made:
            value = field.to_ga(made.pop(field.beta))
            inner = made
            *above, last = field.ga
            for name in above:
                held = inner.get(name)
                inner[name] = inner = dict(held) if isinstance(held, dict) else {}
            inner[last] = value
    return made


def _to_beta(fields: Iterable[_Field], given: Fields) -> Fields:
    made = {name: value for name, value in given.items() if name not in _ONLY_GA}
    for field in fields:
        value = _take(made, *field.ga)
        if value is not UNSET:
            made[field.beta] = field.to_beta(value)
    return made


def _take(fields: Fields, name: str, *below: str) -> Any:
    """Remove and return what lies at a path; objects that are empty then go with it."""
    if not below:
        return fields.pop(name, UNSET)
    held = fields.get(name)
    if not isinstance(held, dict):
        return UNSET
    inner = dict(cast("Fields", held))
    value = _take(inner, *below)
    fields[name] = inner
    if not inner:
        del fields[name]
    return value


def _part(parts: Mapping[str, str], given: Fields) -> Fields:
    kind = given.get("type")
    return {**given, "type": parts.get(kind, kind)} if isinstance(kind, str) else given


def _listed(turn: Callable[[Fields], Fields], given: Json) -> Json:
    if not isinstance(given, list):
        return given
    return [turn(each) if isinstance(each, dict) else each for each in cast("list[Any]", given)]


def _item(parts: Mapping[str, str], given: Fields) -> Fields:
    return {**given, "content": _listed(partial(_part, parts), given["content"])} if "content" in given else given


def _response(turn: Callable[[Fields], Fields], parts: Mapping[str, str], given: Fields) -> Fields:
    """Turn a response, or what is asked of one: each has a list of items."""
    items = {name: _listed(partial(_item, parts), given[name]) for name in ("input", "output") if name in given}
    return {**turn(given), **items}


def _error(params: Mapping[str, str], given: Fields) -> Fields:
    """Call the field at fault as the caller does."""
    param = given.get("param")
    if isinstance(param, str):
        for theirs, ours in params.items():
            if param == theirs or param.startswith((f"{theirs}.", f"{theirs}[")):
                return {**given, "param": ours + param[len(theirs) :]}
    return given


# One event ---------------------------------------------------------------------------------------------------------


class _Way(NamedTuple):
    """From one shape to the other: types of events, what becomes of an event's fields, and what marks such events."""

    events: Mapping[str, str]
    fields: Mapping[str, Callable[[Fields], Fields]]
    mark: re.Pattern[str]


def _way(events: Mapping[str, str], fields: Mapping[str, Callable[[Fields], Fields]]) -> _Way:
    # What stands within quotes cannot be part of a text in the event: quotes are escaped there.
    words = "|".join(re.escape(word) for word in (*events, *fields))
    return _Way(events, fields, re.compile(f'"(?:{words})"'))


def _inverse(words: Mapping[str, str]) -> dict[str, str]:
    return {theirs: ours for ours, theirs in words.items()}


_PARAMS: Final = {
    f"{name}.{field.beta}": ".".join((name, *field.ga))
    for name, fields in (("session", _SESSION), ("response", _SPOKEN))
    for field in fields
}
_GA_PARTS: Final = _inverse(_PARTS)
_TO_GA: Final = _way(
    _EVENTS,
    {
        "session": partial(_to_ga, _SESSION),
        "response": partial(_response, partial(_to_ga, (*_SPOKEN, _LIMIT)), _PARTS),
        "item": partial(_item, _PARTS),
        "error": partial(_error, _PARAMS),
    },
)
_TO_BETA: Final = _way(
    _inverse(_EVENTS),
    {
        "session": partial(_to_beta, _SESSION),
        "response": partial(_response, partial(_to_beta, _SPOKEN), _GA_PARTS),
        "item": partial(_item, _GA_PARTS),
        "part": partial(_part, _GA_PARTS),
        "error": partial(_error, _inverse(_PARAMS)),
    },
)
_TRANSCRIBING: Final = "transcription_"
_OF_SESSIONS: Final = frozenset({"session.update", "session.created", "session.updated"})


def _turned(event: str, way: _Way, finish: Callable[[Fields], Sequence[Fields]]) -> Sequence[str]:
    """Return an event as the other side is to see it; what cannot be read, or has nothing to turn, stays as it is."""
    if way.mark.search(event) is None:
        return (event,)
    try:
        found = json.loads(event, strict=False)
        kind = found.get("type") if isinstance(found, dict) else None
        if not isinstance(kind, str):
            return (event,)
        made: Fields = {**found, "type": way.events.get(kind, kind)}
        for name, turn in way.fields.items():
            if isinstance(made.get(name), dict):
                made[name] = turn(made[name])
        return [_text(each) for each in finish(made)]
    except (ValueError, RecursionError):
        return (event,)


def _text(event: Fields) -> str:
    try:
        return msgspec.json.encode(event).decode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which has no bytes.
        return json.dumps(event)


def _ga_kind(event: Fields, *, transcribes: bool) -> None:
    """Say in the session of which kind it is; the beta says it in the event's type."""
    kind: str = event["type"]
    plain = kind.removeprefix(_TRANSCRIBING)
    if plain in _OF_SESSIONS and isinstance(event.get("session"), dict):
        of = "transcription" if transcribes or plain != kind else "realtime"
        event |= {"type": plain, "session": {"type": of, **event["session"]}}


def _beta_kind(event: Fields, *, transcribes: bool) -> None:
    if event["type"] in _OF_SESSIONS and isinstance(event.get("session"), dict):
        of = event["session"].pop("type", "transcription" if transcribes else None)
        if of == "transcription":
            event["type"] = _TRANSCRIBING + event["type"]


# Sessions ----------------------------------------------------------------------------------------------------------


def translation(*, caller_beta: bool, upstream_beta: bool, transcribes: bool) -> SessionTranslation | None:
    """Return what turns a session's events; None where both sides speak alike.

    Parameters
    ----------
    transcribes : bool
        Whether the session was opened as one that only transcribes.
    """
    if caller_beta == upstream_beta:
        return None
    return BetaCaller(transcribes) if caller_beta else GACaller(transcribes)


def to_ga(session: Fields) -> Fields:
    """Return the beta's session as today's, but for its type."""
    return _to_ga(_SESSION, session)


def session_update(session: Fields, *, beta: bool) -> str:
    """Return the event by which an upstream is told of a session that is given in either shape.

    Raises
    ------
    Failure
        The beta has no word for a format of sound.
    """
    event = _text({"type": "session.update", "session": session})
    between = translation(caller_beta="type" not in session, upstream_beta=beta, transcribes=False)
    return event if between is None else between.sent(event)


class BetaCaller:
    """The caller speaks the beta, the upstream today's API; see `deeepai.declare.SessionTranslation`."""

    def __init__(self, transcribes: bool) -> None:
        self._transcribes = transcribes

    def sent(self, event: str) -> str:
        """Turn an event of the caller."""

        def finish(made: Fields) -> Sequence[Fields]:
            _ga_kind(made, transcribes=self._transcribes)
            return (made,)

        return _turned(event, _TO_GA, finish)[0]

    def came(self, event: str) -> Sequence[str]:
        """Turn an event of the upstream."""

        def finish(made: Fields) -> Sequence[Fields]:
            if made["type"] == "conversation.item.done":
                return ()
            _beta_kind(made, transcribes=self._transcribes)
            return (made,)

        return _turned(event, _TO_BETA, finish)


class GACaller:
    """The caller speaks today's API, the upstream the beta; see `deeepai.declare.SessionTranslation`."""

    def __init__(self, transcribes: bool) -> None:
        self._transcribes = transcribes
        self._open: dict[str, Json] = {}
        """Items of the conversation that are not whole yet, each with the item before it."""

    def sent(self, event: str) -> str:
        """Turn an event of the caller.

        Raises
        ------
        Failure
            The beta has no word for a format of sound.
        """

        def finish(made: Fields) -> Sequence[Fields]:
            _beta_kind(made, transcribes=self._transcribes)
            _check_formats(made)
            return (made,)

        return _turned(event, _TO_BETA, finish)[0]

    def came(self, event: str) -> Sequence[str]:
        """Turn an event of the upstream; that an item is whole is an event of its own in today's API."""

        def finish(made: Fields) -> Sequence[Fields]:
            _ga_kind(made, transcribes=self._transcribes)
            identity = member(made, "item", "id")
            if not isinstance(identity, str):
                return (made,)
            if made["type"] == "conversation.item.added":
                before = made.get("previous_item_id")
                if made["item"].get("status") != "in_progress":
                    return made, _whole(made, before)
                self._open[identity] = before
            elif made["type"] == "response.output_item.done" and identity in self._open:
                return made, _whole(made, self._open.pop(identity))
            return (made,)

        return _turned(event, _TO_GA, finish)


def _check_formats(event: Fields) -> None:
    for name in ("session", "response"):
        for field in _SESSION:
            if field.to_beta is _beta_format and isinstance(member(event, name, field.beta), dict):
                raise Failure(
                    Reason.INVALID,
                    "The upstream knows no such format: it takes audio/pcm at 24000 Hz, audio/pcmu and audio/pcma",
                    param=".".join((name, *field.ga)),
                    code="invalid_value",
                )


def _whole(event: Fields, before: Json) -> Fields:
    """Return the event that tells of an item that is whole now."""
    named = {"event_id": f"{event['event_id']}_done"} if "event_id" in event else {}
    return {"type": "conversation.item.done", **named, "previous_item_id": before, "item": event["item"]}
