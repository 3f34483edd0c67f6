"""Errors as a table: what a vendor calls each reason to fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...declare import AnyOperation, Failure, Json, Reason, Reply

CodeT = TypeVar("CodeT")


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorTable(Generic[CodeT]):
    """The `error` of a protocol whose errors differ in status and code alone.

    Attributes
    ----------
    rows : mapping
        HTTP status and code by reason.
    caller, server : code
        For the reasons that have no row, by their usual status: below 500, and from there on.
    shape : callable
        The body, from the code, the failure and the request id.
    headers : callable
        Headers that go with it.
    """

    rows: Mapping[Reason, tuple[int, CodeT]]
    caller: CodeT
    server: CodeT
    shape: Callable[[CodeT, Failure, str], Json]
    headers: Callable[[Failure], Mapping[str, str]] = lambda failure: {}

    def __call__(self, failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
        """Answer a failure."""
        usual = failure.kind.status
        status, code = self.rows.get(failure.kind, (usual, self.caller if usual < 500 else self.server))
        return Reply(self.shape(code, failure, request_id), status, headers=self.headers(failure))


def no_retry(failure: Failure) -> Mapping[str, str]:
    """Tell clients that understand it not to repeat what repeating cannot mend."""
    return {"x-should-retry": "false"} if failure.lasting else {}
