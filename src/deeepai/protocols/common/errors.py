"""Errors as a table: what a vendor calls each reason to fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ...declare import Answer, AnyOperation, Failure, Json, Reason, Reply

CodeT = TypeVar("CodeT")


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorTable(Generic[CodeT]):
    """The `error` of a protocol whose errors differ in status and code alone.

    Attributes
    ----------
    rows : mapping
        HTTP status and code by reason.
    usual : mapping
        Codes by status, for the reasons that have no row and keep their usual status.
    caller, server : code
        For what is left: below 500, and from there on.
    shape : callable
        The body, from the code, the failure and the request id.
    headers : callable
        Headers that go with it.
    """

    rows: Mapping[Reason, tuple[int, CodeT]]
    caller: CodeT
    server: CodeT
    shape: Callable[[CodeT, Failure, str], Json]
    usual: Mapping[int, CodeT] = field(default_factory=dict[int, CodeT])
    headers: Callable[[Failure], Mapping[str, str]] = lambda failure: {}

    def __call__(self, failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
        """Answer a failure."""
        status = failure.kind.status
        other = self.caller if status < 500 else self.server
        status, code = self.rows.get(failure.kind, (status, self.usual.get(status, other)))
        return Reply(self.shape(code, failure, request_id), status, headers=self.headers(failure))


def error_of(answer: Answer) -> Mapping[str, Json]:
    """Return the error object in an answer; an empty one where there is none."""
    body = answer.json()
    body = body[0] if isinstance(body, list) and body else body
    error = body.get("error", body) if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def words(answer: Answer, *names: str) -> list[str]:
    """Return what an error says under some names: what a caller wrote may stand anywhere else in it."""
    error = error_of(answer)
    return [word for name in names if isinstance(word := error.get(name), str)]


def no_retry(failure: Failure) -> Mapping[str, str]:
    """Tell clients that understand it not to repeat what repeating cannot mend."""
    return {"x-should-retry": "false"} if failure.lasting else {}


def with_param(failure: Failure) -> str:
    """Return the message with the field at fault before it, for shapes that have no place for that."""
    return f"{failure.param}: {failure.message}" if failure.param else failure.message
