"""What a Realtime session consumes, followed event by event, in the present shape and in the beta's.

Source: OpenAI's OpenAPI document 2.3.0, and its guide to Realtime costs: sound takes a token for each 100 ms in and for
each 50 ms out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec

from ...declare import Failure, Json, Reason, Spent, Usage, said_once
from ..common.usage import Amount, Count, Reader

_IN_PER_SECOND: Final = 10
_OUT_PER_SECOND: Final = 20
_PCM: Final = 48_000
"""Bytes of a second of 16-bit mono sound at 24 kHz, what is spoken unless a session says otherwise."""
_G711: Final = 8_000
_KEPT: Final = 1 << 20
"""Characters of text kept for counting."""
_DELTA = re.compile(r'"response\.([a-z_]+)\.delta"')
_DELTA_START = re.compile(r'"delta"\s*:\s*"')
_RESPONSE = re.compile(r'"response_id"\s*:\s*"([^"\\]*)"')
_SESSION = re.compile(r'"(?:transcription_)?session\.(?:created|updated)"')
_TRANSCRIBED: Final = "conversation.item.input_audio_transcription.completed"


class _Cached(msgspec.Struct):
    audio_tokens: Count = None
    image_tokens: Count = None


class _In(msgspec.Struct):
    audio_tokens: Count = None
    image_tokens: Count = None
    cached_tokens: Count = None
    cached_tokens_details: _Cached | None = None


class _Out(msgspec.Struct):
    audio_tokens: Count = None


class _Usage(msgspec.Struct):
    """Usage of a response, or of a transcription: tokens, or a duration."""

    input_tokens: Count = None
    output_tokens: Count = None
    input_token_details: _In | None = None
    output_token_details: _Out | None = None
    seconds: Amount = None


class _Came(msgspec.Struct):
    """What matters of an event of the server; no oddity in it may hide a charge."""

    type: Any = ""
    delta: Any = None
    response: Any = None
    session: Any = None
    usage: Any = None


_NONE: Final = msgspec.Raw(b"null")


class _Sent(msgspec.Struct):
    """What matters of an event of the client; large parts are not decoded."""

    type: str = ""
    session: msgspec.Raw = _NONE
    item: msgspec.Raw = _NONE
    response: msgspec.Raw = _NONE
    audio: msgspec.Raw = _NONE


_USAGE: Final = Reader(_Usage)
_came = msgspec.json.Decoder(_Came)
_sent = msgspec.json.Decoder(_Sent)


def _told(given: Json) -> Usage | None:
    """Turn usage whose parts overlap into counts that do not; None where it is none."""
    if not isinstance(given, Mapping):
        return None
    told = _USAGE.of(given)
    inputs, outputs = told.input_token_details or _In(), told.output_token_details or _Out()
    kept = inputs.cached_tokens_details or _Cached()
    cached, cached_audio = inputs.cached_tokens or 0, kept.audio_tokens or 0
    audio_in = max(0, (inputs.audio_tokens or 0) - cached_audio)
    image_in = max(0, (inputs.image_tokens or 0) - (kept.image_tokens or 0))
    audio_out = outputs.audio_tokens or 0
    usage = Usage(
        input=max(0, (told.input_tokens or 0) - cached - audio_in - image_in),
        cached=max(0, cached - cached_audio),
        cached_audio=cached_audio,
        audio_in=audio_in,
        image_in=image_in,
        output=max(0, (told.output_tokens or 0) - audio_out),
        audio_out=audio_out,
        seconds=told.seconds or 0.0,
        basis="vendor",
    )
    return usage if usage.all_input or usage.all_output or usage.seconds else None


class _Work:
    """A response under way: what has come of it."""

    __slots__ = ("sound", "text")

    def __init__(self) -> None:
        self.sound = 0.0
        self.text: list[str] = []


def _bytes_per_second(given: Json) -> int:
    """Read a sound format: a word in the beta's shape, an object in the present one."""
    if isinstance(given, Mapping):
        found = cast("Mapping[str, Any]", given)
        given = found.get("type")
        rate = found.get("rate")
        if given == "audio/pcm" and isinstance(rate, int) and rate > 0:
            return 2 * rate
    return _G711 if given in ("audio/pcmu", "audio/pcma", "g711_ulaw", "g711_alaw") else _PCM


def _at(value: Json, *names: str) -> Json:
    for name in names:
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Any]", value).get(name)
    return value


def _transcribers(session: Json) -> list[str]:
    """Return the model that a session has its caller's speech transcribed by; two, if it says it in both shapes."""
    paths = (("audio", "input", "transcription", "model"), ("input_audio_transcription", "model"))
    return [found for path in paths if isinstance(found := _at(session, *path), str) and found]


def _name(response: Json) -> str:
    return str(_at(response, "id") or "")


def _sound_bytes(base64_length: int) -> int:
    return base64_length * 3 // 4


def _said_once(event: str) -> None:
    """Refuse an event that says anything twice, however deep."""

    def members(pairs: list[tuple[str, Json]]) -> Json:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Failure(Reason.INVALID, "The event says something twice", code="invalid_value")
        return found

    json.loads(event, object_pairs_hook=members, strict=False)


class RealtimeMeter:
    """Follows one session; see `deeepai.declare.Meter`.

    Parameters
    ----------
    requested_model, model : str
        The model as the caller and as the upstream names it.
    allow : callable
        Refuses a transcription model that the caller may not use.
    """

    def __init__(self, requested_model: str, model: str, allow: Callable[[str], None]) -> None:
        self._requested_model = requested_model
        self._model = model
        self._allow = allow
        self._rate_in = self._rate_out = _PCM
        self._transcriber: str | None = None
        self._open: dict[str, _Work] = {}
        self._heard = 0.0
        """Seconds of sound since the last charge."""
        self._prompt: list[str] = []
        self._kept = 0

    @property
    def busy(self) -> bool:
        """Whether a response is under way."""
        return bool(self._open)

    # What the caller says ------------------------------------------------------------------------------------------

    def sent(self, event: str) -> str:
        """Take an event of the caller; return it as the upstream is to see it."""
        try:
            found = _sent.decode(event)
        except msgspec.ValidationError:
            raise Failure(Reason.INVALID, "The event is no object with a type", param="type") from None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise _not_json() from None
        said_once(_Sent, event)
        if found.type == "input_audio_buffer.append":
            self._heard += _sound_bytes(len(memoryview(found.audio)) - 2) / self._rate_in
        elif found.type in ("session.update", "transcription_session.update"):
            return self._update(event, found)
        elif found.type == "conversation.item.create":
            self._said(_decoded(found.item))
        elif found.type == "response.create":
            self._keep(_at(_decoded(found.response), "instructions"))
            _said_once(event)
        return event

    def _update(self, event: str, found: _Sent) -> str:
        session = _decoded(found.session)
        _said_once(event)
        model = _at(session, "model")
        if model is not None and model != self._requested_model:
            raise Failure(
                Reason.INVALID, "The model of a session cannot be changed", param="session.model", code="invalid_value"
            )
        for speech in _transcribers(session):
            self._allow(speech)
        self._learn(session)
        self._keep(_at(session, "instructions"))
        if isinstance(session, dict) and any(name.casefold() == "model" != name for name in session):
            raise Failure(Reason.INVALID, "The model of a session is written 'model'", param="session.model")
        if model is None or model == self._model:
            return event
        whole = msgspec.json.decode(event)
        whole["session"]["model"] = self._model
        return msgspec.json.encode(whole).decode()

    def _said(self, item: Json) -> None:
        """Count an item that the caller adds to the conversation."""
        self._keep(_at(item, "output"))
        content = _at(item, "content")
        for part in cast("list[Any]", content) if isinstance(content, list) else ():
            self._keep(_at(part, "text"))
            sound = _at(part, "audio")
            if isinstance(sound, str):
                self._heard += _sound_bytes(len(sound)) / self._rate_in

    def _keep(self, text: Json) -> None:
        if isinstance(text, str) and self._kept < _KEPT:
            self._prompt.append(text)
            self._kept += len(text)

    def _learn(self, session: Json) -> None:
        """Note a session's sound formats and its transcription model, as far as it says them."""
        heard = _at(session, "audio", "input", "format") or _at(session, "input_audio_format")
        spoken = _at(session, "audio", "output", "format") or _at(session, "output_audio_format")
        self._rate_in = _bytes_per_second(heard) if heard else self._rate_in
        self._rate_out = _bytes_per_second(spoken) if spoken else self._rate_out
        self._transcriber = next(iter(_transcribers(session)), self._transcriber)

    # What the upstream says ----------------------------------------------------------------------------------------

    def came(self, event: str) -> Spent | None:
        """Take an event of the upstream; return what must be charged before the caller sees it."""
        # A mark within quotes cannot be part of a text in the event: quotes are escaped there.
        if '"response.done"' in event:
            found = _read(event)
            if found is not None and found.type == "response.done":
                return self._done(found.response)
        if _TRANSCRIBED in event:
            found = _read(event)
            if found is not None and found.type == _TRANSCRIBED:
                return self._transcribed(found.usage)
        delta = _DELTA.search(event)
        if delta is not None:
            self._grew(event, delta[1])
        elif '"response.created"' in event:
            found = _read(event)
            if found is not None and found.type == "response.created":
                self._open.setdefault(_name(found.response), _Work())
        elif _SESSION.search(event) is not None:
            found = _read(event)
            if found is not None and str(found.type).endswith(("session.created", "session.updated")):
                self._learn(found.session)
        return None

    def _grew(self, event: str, kind: str) -> None:
        named = _RESPONSE.search(event)
        work = self._open.setdefault(named[1] if named is not None else "", _Work())
        start = _DELTA_START.search(event)
        if start is None:
            return
        if kind in ("audio", "output_audio"):
            work.sound += _sound_bytes(event.find('"', start.end()) - start.end()) / self._rate_out
        else:
            found = _read(event)
            if found is not None and isinstance(found.delta, str):
                work.text.append(found.delta)

    def _done(self, response: Json) -> Spent | None:
        work = self._open.pop(_name(response), None) or _Work()
        usage = _told(_at(response, "usage"))
        if usage is not None:
            self._forget()
            return Spent(usage)
        if not (work.sound or work.text or _at(response, "status") in (None, "completed")):
            return None
        return self._guessed([work], "estimated")

    def _transcribed(self, told: Json) -> Spent | None:
        usage = _told(told)
        return None if usage is None else Spent(usage, key=self._transcriber)

    def left(self) -> Spent | None:
        """Return what was under way when the session ended; nothing the second time."""
        works = list(self._open.values())
        self._open.clear()
        return self._guessed(works, "counted") if works else None

    def _guessed(self, works: list[_Work], basis: Any) -> Spent:
        """Count by the length of the sound and by the texts, in since the last charge, and out."""
        usage = Usage(
            audio_in=round(self._heard * _IN_PER_SECOND),
            audio_out=round(sum(work.sound for work in works) * _OUT_PER_SECOND),
            basis=basis,
        )
        text = "".join(piece for work in works for piece in work.text)
        prompt = "\n".join(self._prompt)
        self._forget()
        return Spent(usage, prompt, text)

    def _forget(self) -> None:
        self._heard, self._kept = 0.0, 0
        self._prompt.clear()


def _read(event: str) -> _Came | None:
    try:
        return _came.decode(event)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _decoded(raw: msgspec.Raw) -> Json:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise _not_json() from None


def _not_json() -> Failure:
    return Failure(Reason.INVALID, "The event is not valid JSON", code="invalid_json")
