"""Answers that are read line by line, as they may be too large to hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from ..accounts.models import Channel
from ..declare import Answer, Task, UpstreamCall, Usage
from ..upstream import Cut, Upstreams
from .hosts import address
from .store import Stored

MOST_LINE = 64 * 1024 * 1024
"""Bytes of a line."""
MOST_REFUSAL = 1024 * 1024


class Bill:
    """What the calls of a job used and cost together, each priced by itself.

    Attributes
    ----------
    usage : Usage
    cost : int
        10⁻⁹ USD.
    """

    def __init__(
        self,
        task: Stored,
        line: Callable[[Task, bytes], Usage | None],
        price: Callable[[str, Usage, str], int | None],
    ) -> None:
        self._task = task
        self._line = line
        self._price = price
        self.usage = Usage(basis="vendor")
        self.cost = 0

    def add(self, line: bytes) -> None:
        """Take a line of the job's answers."""
        usage = self._line(self._task, line)
        if usage is not None:
            self.usage = self.usage.plus(usage)
            self.cost += self._price(self._task.price_key, usage, self._task.price_group) or 0


async def read(
    client: Upstreams, channel: Channel, ask: UpstreamCall, headers: Mapping[str, str], each: Callable[[bytes], None]
) -> Answer:
    """Ask, and hand over the lines of a good answer; return what answered, a good one without its body.

    Raises
    ------
    UpstreamError, TimeoutError
    """
    async with asyncio.timeout(channel.limits.whole):
        response = await client.send(ask.method, address(channel, ask.path), headers, None, channel.limits)
        try:
            if response.status != 200:
                body = await response.read(MOST_REFUSAL)
                response.release()
                return Answer(response.status, response.headers, body)
            rest = b""
            while chunk := await response.next():
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > MOST_LINE:
                    raise Cut("a line of the answer is too long")
                for line in lines:
                    each(line)
            each(rest)
        except BaseException:
            response.abort()
            raise
        response.release()
    return Answer(response.status, response.headers, b"")
