"""llama.cpp in this process, through xllamacpp: a few slots, requests queue for them, and a caller's leaving frees one.

xllamacpp calls back once a chunk, from a thread of its own; a true return value ends the generation.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import secrets
import threading
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal

from ..families import THREADS
from ..openai_wire import WireError, refused
from ..packs.gguf import read_header
from ..turns import Turns

SLOTS: Final = 2
MOST_WAITING: Final = 128
"""Requests of one account."""
_log = logging.getLogger(__name__)
_PROMPT_BATCH: Final = 256

Chunk = dict[str, Any]
Operation = Literal["handle_chat_completions", "handle_completions"]


class Llama:
    """One GGUF model, loaded at the first use.

    Parameters
    ----------
    context : int
        Tokens of each slot, prompt and answer together.
    embeddings : bool
        Whether it makes vectors (with `embed`) instead of text (with `run`).
    """

    def __init__(self, gguf: Path, context: int, slots: int = SLOTS, *, embeddings: bool = False) -> None:
        self._gguf, self._context, self._slots, self._embeddings = gguf, context, slots, embeddings
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="llama")
        self._loading = threading.Lock()
        self._server: Any = None
        self._turns = Turns(slots, MOST_WAITING)

    @property
    def state(self) -> str:
        """`ready`, `loading` or `idle`."""
        if self._server is not None:
            return "ready"
        return "loading" if self._loading.locked() else "idle"

    def warm(self) -> None:
        """Begin to load in the background; requests meanwhile wait."""
        self._pool.submit(self._native)

    def close(self) -> None:
        """Let go of the threads; all runs must have ended or been left."""
        self._pool.shutdown(cancel_futures=True)
        self._server = None

    def _native(self) -> Any:
        with self._loading:
            if self._server is None:
                self._server = self._load()
            return self._server

    def _load(self) -> Any:
        native: Any = importlib.import_module("xllamacpp")
        params = native.CommonParams()
        params.model.path = str(self._gguf)
        params.n_ctx, params.n_parallel = self._context * self._slots, self._slots
        params.cpuparams.n_threads = THREADS
        # Between two batches of the prompt it is seen whether the caller has left.
        params.n_batch = params.n_ubatch = _PROMPT_BATCH
        if self._embeddings:
            params.embedding = True
            # A text must fit into one batch; how its vectors are pooled the file says, else the mean is taken.
            params.n_batch = params.n_ubatch = self._context
            if not any(name.endswith(".pooling_type") for name in read_header(self._gguf)):
                params.pooling_type = native.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        params.cache_ram_mib = 0
        params.prefill_assistant = False
        params.verbosity = -1
        # xllamacpp opens a loopback port of its own, which nobody needs.
        params.endpoint_slots = False
        params.api_keys = [secrets.token_urlsafe(32)]
        return native.Server(params)

    async def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """Return a vector of length 1 for each text, and the tokens in all.

        Raises
        ------
        WireError
            400 for a text that does not fit, 429 when too many wait.
        """

        def work() -> dict[str, Any]:
            return self._native().handle_embeddings({"input": list(texts), "encoding_format": "float"})

        async with self._turns.turn():
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        if "error" in answer:
            message = str(answer["error"].get("message", "The engine refused the request."))
            if "too large" in message or "exceed" in message:
                message = f"This model's maximum context length is {self._context} tokens: {message}."
                raise refused(message, "input", "context_length_exceeded")
            raise WireError(500, "The engine failed.")
        return [item["embedding"] for item in answer["data"]], answer["usage"]["prompt_tokens"]

    async def run(self, operation: Operation, body: dict[str, Any]) -> AsyncGenerator[Chunk]:
        """Yield the chunks of one completion, with a usage at the end; close the generator to stop the generation.

        Raises
        ------
        WireError
            400 for a prompt that does not fit or a request that llama.cpp refuses, 429 when too many wait.
        """
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[Chunk | Exception | None] = asyncio.Queue()
        left = threading.Event()

        def hand(item: Chunk | Exception | None) -> None:
            if not left.is_set():
                loop.call_soon_threadsafe(chunks.put_nowait, item)

        def on_chunk(chunk: Chunk) -> bool:
            if "prompt_progress" not in chunk:
                hand(chunk)
            return left.is_set()

        def work() -> None:
            if left.is_set():
                return
            try:
                getattr(self._native(), operation)(request, on_chunk)
            except Exception as error:
                if not isinstance(error, ValueError):
                    _log.exception("llama.cpp failed")
                hand(error)
            else:
                hand(None)

        request = {**body, "stream": True, "return_progress": True, "stream_options": {"include_usage": True}}
        await self._turns.enter()
        future = self._pool.submit(work)
        # The turn ends with the work, however slowly its chunks are read.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._turns.leave))
        try:
            while (item := await chunks.get()) is not None:
                if isinstance(item, Exception):
                    raise _refusal_of(item) from item
                if "error" in item:
                    raise _error_of(item["error"], "prompt" if operation == "handle_completions" else "messages")
                yield item
        finally:
            left.set()
            future.cancel()


def _refusal_of(error: Exception) -> WireError:
    if isinstance(error, ValueError):
        # llama.cpp wraps what is wrong with a schema in words about its parser.
        message = str(error).rpartition("failed: ")[2]
        return refused(message, "response_format" if "schema" in message.lower() else None)
    return WireError(500, f"The engine failed: {type(error).__name__}")


def _error_of(error: dict[str, Any], param: str) -> WireError:
    if error.get("type") == "exceed_context_size_error":
        length, prompt = error.get("n_ctx"), error.get("n_prompt_tokens")
        message = f"This model's maximum context length is {length} tokens. However, your prompt has {prompt} tokens."
        return refused(message, param, "context_length_exceeded")
    if error.get("code") == 400:
        return refused(str(error.get("message", "The engine refused the request.")))
    return WireError(500, "The engine failed.")
