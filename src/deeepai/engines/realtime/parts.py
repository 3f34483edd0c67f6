"""What a realtime session is made of: this program's own transcription, chat and speech, asked over loopback.

So a session takes its turn among all other requests, and whatever chat model the operator added can answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import aiohttp
import msgspec

from ..turns import ACCOUNT, HEADER

_NO_LIMIT: Final = aiohttp.ClientTimeout(total=None, connect=10)
_BLOCK: Final = 9_600
"""Bytes of sound that one event brings, 200 ms."""


class PartError(Exception):
    """A part that refused or failed; `error` is its error object."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("message")))
        self.error = {"type": error.get("type"), "code": error.get("code"), "message": error.get("message")}


class Parts:
    """The parts of one session.

    Parameters
    ----------
    base : str
        This program's own address.
    """

    def __init__(self, base: str) -> None:
        self._http = aiohttp.ClientSession(base, timeout=_NO_LIMIT, headers={HEADER: ACCOUNT.get()})

    async def close(self) -> None:
        """Close all connections, which stops what is still under way."""
        await self._http.close()

    async def models(self) -> set[str]:
        """Return the ids of what is installed."""
        async with self._http.get("/v1/models") as answer:
            return {model["id"] for model in (await answer.json())["data"]}

    async def hear(self, wav: bytes, model: str, language: str | None, prompt: str | None) -> tuple[str, float]:
        """Return what a recording says, and its seconds as the engine counts them."""
        form = aiohttp.FormData()
        form.add_field("file", wav, filename="turn.wav", content_type="audio/wav")
        form.add_field("model", model)
        for name, value in (("language", language), ("prompt", prompt)):
            if value:
                form.add_field(name, value)
        async with self._http.post("/v1/audio/transcriptions", data=form) as answer:
            await _check(answer)
            body = await answer.json()
            return body["text"].strip(), float(body["usage"]["seconds"])

    async def think(self, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """Yield the chunks of a chat completion; the last one brings the usage."""
        given = {**body, "stream": True, "stream_options": {"include_usage": True}}
        async with self._http.post("/v1/chat/completions", json=given) as answer:
            await _check(answer)
            async for line in answer.content:
                data = line.strip().removeprefix(b"data: ")
                if not data or data == b"[DONE]":
                    continue
                chunk = msgspec.json.decode(data)
                if "error" in chunk:
                    raise PartError(chunk["error"])
                yield chunk

    async def speak(self, model: str, text: str, voice: str, speed: float) -> AsyncGenerator[bytes]:
        """Yield 16-bit samples at 24 kHz."""
        body = {"model": model, "input": text, "voice": voice, "speed": speed, "response_format": "pcm"}
        async with self._http.post("/v1/audio/speech", json=body) as answer:
            await _check(answer)
            held = b""
            async for piece in answer.content.iter_any():
                held += piece
                while len(held) >= _BLOCK:
                    yield held[:_BLOCK]
                    held = held[_BLOCK:]
            if held:
                yield held


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status == 200:
        return
    body = await answer.read()
    try:
        error = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, KeyError, TypeError):
        error = {"type": "server_error", "code": None, "message": f"A part of the session answered {answer.status}."}
    raise PartError(error)
