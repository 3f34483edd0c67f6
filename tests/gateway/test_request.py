"""Bodies of callers: media types, and what is wrong with a field. Limits: see `tests/server/test_bodies.py`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from deeepai.declare import AnyOperation, Failure, Reason
from deeepai.gateway.body import HttpRequest, Intake, Room, read_body
from tests.gateway.asgi import operation, receive, request

LIMIT = 1000
JSON = {"content-type": "application/json"}
NOWHERE = Path("/dev/null/spool")
"""None of these bodies may reach the disk."""


class Body(msgspec.Struct):
    model: str
    n: int = 1


class Nested(msgspec.Struct):
    model: str
    messages: list[Body] = []


async def read(
    given: AnyOperation,
    headers: dict[str, str],
    chunks: Iterable[bytes],
    *,
    cut: bool = False,
    limit: int = LIMIT,
) -> HttpRequest:
    found = request(given, headers)
    await read_body(found, given, receive(chunks, cut=cut), Intake(limit, NOWHERE, Room(1 << 30, 1.0)))
    return found


async def refused(given: AnyOperation, headers: dict[str, str], *chunks: bytes, cut: bool = False) -> Failure:
    with pytest.raises(Failure) as raised:
        await read(given, headers, chunks, cut=cut)
    return raised.value


async def test_an_operations_own_limit_counts_where_it_is_lower() -> None:
    assert (await refused(operation(max_body=10), JSON, b"x" * 11)).kind is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("media", "kind", "fine"),
    [
        ("json", "application/json; charset=utf-8", True),
        ("json", "Application/JSON", True),
        ("json", "application/vnd.api+json", True),
        ("json", "", True),
        ("json", "text/plain", False),
        ("json", "multipart/form-data; boundary=x", False),
        ("json", "multipart/form-data; boundary=json", False),
        ("multipart", "application/json", False),
        ("multipart", "", False),
        ("multipart", "application/x-www-form-urlencoded", False),
        ("either", "application/json", True),
        ("either", "text/csv", False),
        ("none", "text/plain", True),
    ],
)
async def test_media_types_are_checked(media: str, kind: str, fine: bool) -> None:
    given = operation(media=media)
    headers = {"content-type": kind} if kind else {}
    if fine:
        await read(given, headers, [b"{}"])
    else:
        assert (await refused(given, headers, b"{}")).kind is Reason.BAD_MEDIA


@pytest.mark.parametrize(
    ("raw", "param", "code"),
    [
        (b"", None, None),
        (b"{", None, None),
        (b'"\xff"', None, None),
        (b"[" * 100_000, None, None),
        (b"[]", None, None),
        (b"{}", "model", "missing"),
        (b'{"model": 1}', "model", None),
        (b'{"model": "a", "messages": [{"model": 1}]}', "messages[0].model", None),
        (b'{"model": "a", "messages": [{}]}', "messages[0].model", "missing"),
    ],
)
async def test_what_is_wrong_with_a_json_body_is_named(raw: bytes, param: str | None, code: str | None) -> None:
    given = operation(body=Nested)
    with pytest.raises(Failure) as raised:
        await read(given, JSON, [raw], limit=1_000_000)
    failure = raised.value
    assert (failure.kind, failure.param, failure.code) == (Reason.INVALID, param, code)


@pytest.mark.parametrize(
    ("raw", "model", "sent"),
    [
        (b'\xef\xbb\xbf{"model": "a"}', "a", b'{"model": "a"}'),
        (rb'{"model": "a\ud83d"}', "a\ufffd", rb'{"model": "a\ufffd"}'),
        (rb'{"model": "\uDE00 \uD83D"}', "\ufffd \ufffd", rb'{"model": "\ufffd \ufffd"}'),
        # A whole pair, and what only looks like half of one, stay.
        (rb'{"model": "\ud83d\ude00"}', "\U0001f600", rb'{"model": "\ud83d\ude00"}'),
        (rb'{"model": "\\ud83d \ude00"}', "\\ud83d \ufffd", rb'{"model": "\\ud83d \ufffd"}'),
        (rb'{"model": "\ud83d\ud83d\ude00"}', "\ufffd\U0001f600", rb'{"model": "\ufffd\ud83d\ude00"}'),
    ],
)
async def test_what_other_writers_of_json_leave_in_is_mended(raw: bytes, model: str, sent: bytes) -> None:
    found = await read(operation(body=Body), JSON, [raw])
    assert (found.body, found.raw) == (Body(model), sent)


async def test_unknown_fields_are_left_alone() -> None:
    raw = b'{"model": "a", "new_this_month": {"x": [1]}}'
    assert (await read(operation(body=Body), JSON, [raw])).raw == raw
