"""`POST /v1/audio/speech`: Kokoro-82M in a process of its own.

The text is spoken a passage at a time, and each is sent as soon as it is made. The model cannot follow
`instructions`: they are taken and have no effect.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from ..families import require
from ..models.audio_models import KOKORO_SPEECH, MOST_CHARACTERS
from ..models.model import Model
from ..openai_wire import WireError, read, refused
from ..sound import Format
from ..streaming import EVENTS, StreamedAnswer
from ..worker import Worker
from .phonemes import unreadable
from .voices import voice_of

_TYPES: Final[dict[Format, str]] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg; codecs=opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm; rate=24000",
}


class CustomVoice(msgspec.Struct):
    """A voice by its id."""

    id: str


class SpeechRequest(msgspec.Struct):
    """The body; fields that are not listed are ignored."""

    model: str
    input: str
    voice: str | CustomVoice
    instructions: Annotated[str, Meta(max_length=MOST_CHARACTERS)] | None = None
    response_format: Format | None = None
    speed: Annotated[float, Meta(ge=0.25, le=4)] | None = None
    stream_format: Literal["audio", "sse"] | None = None


class SpeechFamily:
    """Kokoro in a worker process, which starts with the first request."""

    models: Sequence[Model] = (KOKORO_SPEECH,)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worker = Worker("deeepai.engines.speech.kokoro", folder)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoint."""
        return [web.post("/v1/audio/speech", self._speak)]

    @property
    def state(self) -> str:
        """`ready` or `idle`."""
        return self._worker.state

    def warm(self) -> None:
        """Do nothing: half a gigabyte that many never use is taken by the first request."""

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, SpeechRequest)
        require(self.models, body.model, self._folder)
        job = _job(body)
        as_events = body.stream_format == "sse"
        stream = StreamedAnswer(request, EVENTS if as_events else _TYPES[job["format"]])
        usage: dict[str, Any] = {}
        try:
            async with aclosing(self._worker.run(job)) as pieces:
                async for piece in pieces:
                    usage = piece.get("usage", usage)
                    if sound := piece.get("audio"):
                        shown = {"type": "speech.audio.delta", "audio": base64.b64encode(sound).decode()}
                        await (stream.send(shown) if as_events else stream.write(sound))
        except WireError as error:
            return await stream.fail(error)
        if as_events:
            total = usage["input_tokens"] + usage["output_tokens"]
            await stream.send({"type": "speech.audio.done", "usage": {**usage, "total_tokens": total}})
        return await stream.end()


def _job(body: SpeechRequest) -> dict[str, Any]:
    """Return what the worker process is asked, or refuse."""
    text = body.input
    if not text.strip():
        raise refused("'input' must not be empty.", "input", "invalid_value")
    if len(text) > MOST_CHARACTERS:
        message = f"'input' has {len(text)} characters; at most {MOST_CHARACTERS} can be spoken at once."
        raise refused(message, "input", "string_above_max_length")
    if unreadable(text):
        raise refused("This model speaks English and Mandarin alone.", "input", "invalid_value")
    name = body.voice if isinstance(body.voice, str) else body.voice.id
    return {
        "text": text,
        "voice": voice_of(name, text),
        "speed": 1.0 if body.speed is None else body.speed,
        "format": body.response_format or "mp3",
    }
