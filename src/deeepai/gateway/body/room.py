"""Memory for callers' bodies: bounded in all and for each account, and counted as it is taken."""

from __future__ import annotations

from typing import Final

from ...declare import Failure, Reason

COUNTED: Final = 64 * 1024
"""Bytes of a body above which it is counted."""
_RETRY_SECONDS: Final = 1.0


class Room:
    """The memory of one process for bodies.

    Parameters
    ----------
    size : int
        Bytes, in all.
    share : float
        The part of it that one account may have.

    Attributes
    ----------
    held : int
        Bytes that are taken.
    refused : int
        Requests that were refused for want of room.
    """

    def __init__(self, size: int, share: float) -> None:
        self._size = size
        self._most = int(size * share)
        self._accounts: dict[str, int] = {}
        self.held = self.refused = 0

    def take(self, account: str, more: int, whole: int) -> None:
        """Take more for a request, which then has `whole`.

        Raises
        ------
        Failure
            TOO_LARGE, where it can never have as much; RATE_LIMITED, where the account has its share; UNAVAILABLE,
            where there is no room.
        """
        if whole > self._most:
            self.refused += 1
            raise Failure(Reason.TOO_LARGE, f"The body takes more memory than the {self._most} bytes it may have here")
        taken = self._accounts.get(account, 0) + more
        if taken > self._most:
            self.refused += 1
            message = "The bodies of this account's requests under way are too large together"
            raise Failure(Reason.RATE_LIMITED, message, retry_after=_RETRY_SECONDS)
        if self.held + more > self._size:
            self.refused += 1
            message = "The bodies of all requests under way are too large together; try again soon"
            raise Failure(Reason.UNAVAILABLE, message, retry_after=_RETRY_SECONDS, code="overloaded")
        self._accounts[account] = taken
        self.held += more

    def give(self, account: str, size: int) -> None:
        """Give back what a request took."""
        self.held -= size
        left = self._accounts[account] - size
        if left:
            self._accounts[account] = left
        else:
            del self._accounts[account]
