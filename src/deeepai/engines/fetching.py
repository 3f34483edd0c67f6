"""What engines have to do with addresses that callers name: files from there, and callbacks to there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import aiohttp
import msgspec

from ..safe_fetch import Fetched, SafeFetch, TooLarge, Unsafe

_MOST_ANSWER: Final = 1 << 16
_CALL_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


class Unfetched(Exception):
    """A file that cannot be had.

    Parameters
    ----------
    code : str
        `too_large` or `fetch`, as of a job's `Refusal`.
    message : str
        For the caller.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


async def fetched(fetch: SafeFetch, address: str, *, limit: int, seconds: float) -> Fetched:
    """Return a file of at most `limit` bytes.

    Raises
    ------
    Unfetched
    """
    try:
        found = await fetch.request("GET", address, limit=limit, seconds=seconds)
    except TooLarge as fault:
        raise Unfetched("too_large", str(fault)) from None
    except Unsafe as fault:
        raise Unfetched("fetch", str(fault)) from None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        raise Unfetched("fetch", "it cannot be fetched") from None
    if found.status != 200:
        raise Unfetched("fetch", f"it cannot be fetched: HTTP {found.status}")
    return found


class Callers:
    """Calls back those who asked for it; what is under way when the program stops is left.

    Parameters
    ----------
    fetch : SafeFetch
    waits : sequence of float
        Seconds before each try.
    taken : callable
        Whether an answer says that it was taken.
    """

    def __init__(self, fetch: SafeFetch, waits: Sequence[float], taken: Callable[[Fetched], bool]) -> None:
        self._fetch, self._waits, self._taken = fetch, waits, taken
        self._tasks: set[asyncio.Task[None]] = set()

    def promise(self, address: str, told: Callable[[], Awaitable[Any]]) -> None:
        """Call an address with what `told` returns, JSON, once it does."""
        task = asyncio.create_task(self._call(address, told))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Call nobody any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _call(self, address: str, told: Callable[[], Awaitable[Any]]) -> None:
        body = msgspec.json.encode(await told())
        headers = {"content-type": "application/json"}
        for wait in self._waits:
            await asyncio.sleep(wait)
            try:
                answer = await self._fetch.request(
                    "POST", address, headers=headers, body=body, limit=_MOST_ANSWER, seconds=_CALL_SECONDS
                )
            except Unsafe:
                # A gateway's own on this machine: it asks by itself.
                return
            except (aiohttp.ClientError, TimeoutError, OSError) as fault:
                _log.info("a callback was not taken: %s", type(fault).__name__)
                continue
            if answer.status < 300 and self._taken(answer):
                return
