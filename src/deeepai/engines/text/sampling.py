"""What chat and plain completions share: sampling fields, several choices at once, usage, the stream of events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from ..models.catalogue import Model
from ..openai_wire import DONE, WireError, event, new_id
from ..runtimes.llama import Chunk, Llama, Operation

_SEEDS: Final = 2**32 - 1  # llama.cpp takes the last 32-bit number to mean a random seed

Penalty = Annotated[float, Meta(ge=-2, le=2)]


class StreamOptions(msgspec.Struct):
    """`stream_options`."""

    include_usage: bool | None = None


class Sampling(msgspec.Struct, kw_only=True):
    """Fields of both bodies; `top_k`, `min_p` and `repeat_penalty` are llama.cpp's own."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Meta(ge=0, le=2)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    seed: int | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None

    @property
    def include_usage(self) -> bool:
        """Tell whether the stream ends with a usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def to_llama(self) -> dict[str, Any]:
        """Return the sampling part of llama.cpp's request."""
        # So small a model wanders off at any temperature; several choices must differ nevertheless.
        temperature = 0.0 if (self.n or 1) == 1 else 0.7
        stop = [self.stop] if isinstance(self.stop, str) else self.stop
        fields: dict[str, Any] = {
            "temperature": temperature if self.temperature is None else self.temperature,
            "top_p": 0.9 if self.top_p is None else self.top_p,
            "top_k": self.top_k,
            "min_p": self.min_p,
            "repeat_penalty": 1.05 if self.repeat_penalty is None else self.repeat_penalty,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "logit_bias": self.logit_bias,
            "stop": [text for text in stop or () if text] or None,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def seeded(self, request: dict[str, Any], times: int) -> list[dict[str, Any]]:
        """Return the request once a choice: with a seed, each choice has its own, the same in each run."""
        if self.seed is None:
            return [request] * times
        return [{**request, "seed": (self.seed + index) % _SEEDS} for index in range(times)]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk brought.

    Attributes
    ----------
    logprobs : dict, optional
        In the chat format: `{"content": [{"token", "bytes", "logprob", "top_logprobs"}]}`.
    """

    text: str = ""
    logprobs: dict[str, Any] | None = None
    finish: str | None = None
    first: bool = False


class Counter:
    """Tokens of several runs; the same prompt is counted once for all its choices."""

    def __init__(self) -> None:
        self._prompts: dict[int, tuple[int, int]] = {}
        self._completion = 0

    def add(self, prompt: int, usage: dict[str, Any]) -> None:
        """Add a run's usage; `prompt` numbers its prompt."""
        cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
        self._prompts.setdefault(prompt, (usage["prompt_tokens"], cached))
        self._completion += usage["completion_tokens"]

    def forget_completion(self) -> None:
        """Drop the new tokens, for a run that was only made to count its prompt."""
        self._completion = 0

    def usage(self) -> dict[str, Any]:
        """Return OpenAI's usage object."""
        prompt = sum(tokens for tokens, _ in self._prompts.values())
        cached = sum(tokens for _, tokens in self._prompts.values())
        return {
            "prompt_tokens": prompt,
            "completion_tokens": self._completion,
            "total_tokens": prompt + self._completion,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


class EventStream:
    """The answer as server-sent events; begins with the first one, so that an early error is an ordinary answer."""

    def __init__(self, request: web.Request, include_usage: bool) -> None:
        self._request, self._include_usage = request, include_usage
        self._response: web.StreamResponse | None = None

    @property
    def begun(self) -> bool:
        """Tell whether the status line has been sent."""
        return self._response is not None

    async def send(self, chunk: dict[str, Any]) -> None:
        """Send a chunk."""
        await self._write(event({**chunk, "usage": None} if self._include_usage else chunk))

    async def fail(self, error: WireError) -> web.StreamResponse:
        """End a stream that has begun with an error event, and no clean end."""
        await self._write(event(error.body()))
        return await self._eof()

    async def end(self, usage: dict[str, Any]) -> web.StreamResponse:
        """Send the usage if it was asked for, and the end."""
        await self._write(event(usage) + DONE if self._include_usage else DONE)
        return await self._eof()

    async def _write(self, data: bytes) -> None:
        if self._response is None:
            headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
            self._response = web.StreamResponse(headers=headers)
            await self._response.prepare(self._request)
        await self._response.write(data)

    async def _eof(self) -> web.StreamResponse:
        assert self._response is not None
        await self._response.write_eof()
        return self._response


def head(prefix: str, model: Model) -> dict[str, Any]:
    """Return the fields that all chunks of an answer share; the fingerprint is the weights'."""
    assert model.pack is not None
    return {
        "id": new_id(prefix),
        "created": int(time.time()),
        "model": model.id,
        "system_fingerprint": f"fp_{model.pack.sha256[:10]}",
    }


Take = Callable[[int, Piece], Awaitable[None]]
"""Takes the pieces of run number so-and-so."""


async def run_all(
    llama: Llama, operation: Operation, requests: Sequence[dict[str, Any]], take: Take, counter: Counter, choices: int
) -> None:
    """Run requests side by side, `choices` in a row having the same prompt; the first error ends all.

    Raises
    ------
    WireError
        As `Llama.run`.
    """

    async def run(index: int, request: dict[str, Any]) -> None:
        first, top = True, request.pop("shown_logprobs", 0)
        async with aclosing(llama.run(operation, request)) as chunks:
            async for chunk in chunks:
                if usage := chunk.get("usage"):
                    counter.add(index // choices, usage)
                if piece := _piece_of(chunk, top, first):
                    first = False
                    await take(index, piece)

    try:
        async with asyncio.TaskGroup() as group:
            for index, request in enumerate(requests):
                group.create_task(run(index, dict(request)))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _piece_of(chunk: Chunk, top: int, first: bool) -> Piece | None:
    if not chunk["choices"]:
        return None
    choice = chunk["choices"][0]
    text = choice["text"] if "text" in choice else choice["delta"].get("content") or ""
    logprobs: dict[str, Any] | None = None
    if found := choice.get("logprobs"):
        logprobs = {"content": [_without_id(token, top) for token in found["content"]]}
    return Piece(text, logprobs, choice.get("finish_reason"), first)


def _without_id(token: dict[str, Any], top: int) -> dict[str, Any]:
    alternatives = [_without_id(other, 0) for other in token.get("top_logprobs", ())[:top]]
    plain = {"token": token["token"], "bytes": token["bytes"], "logprob": token["logprob"]}
    return {**plain, "top_logprobs": alternatives} if "top_logprobs" in token else plain
