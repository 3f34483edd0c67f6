"""What every declared operation says to every sort of bad request; and that nothing is lost by it."""

from __future__ import annotations

import dataclasses
import gzip
import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from deeepai.declare import Submit
from deeepai.protocols import PROTOCOLS
from tests.operator import rows
from tests.stack import Gateway
from tests.support.http import Got, call, cut
from tests.support.until import until
from tests.wire import people
from tests.wire.calls import ALL, BODIED, KEYED, Good
from tests.wire.conftest import MAX_BODY, THEIRS
from tests.wire.shapes import MANNERS, job_id

KEYS = {
    "no key": None,
    "wrong key": "sk-live-nobody-knows-this-one-0000",
    "expired": people.EXPIRED,
    "disabled": people.DISABLED,
}
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


def each(items: Sequence[Good]) -> Any:
    return pytest.mark.parametrize("good", items, ids=lambda good: good.name)


def refuses(got: Got, good: Good, case: str) -> None:
    MANNERS[good.protocol.name].refuses(got, case)


def wealth(gateway: Gateway, name: str = "victim") -> tuple[Any, ...]:
    """What an account could lose: money that is its own, money spent, open holds, tasks."""
    (found,) = rows(
        gateway,
        "SELECT available + held AS own, spent, "
        "(SELECT count(*) FROM holds h WHERE h.account_id = a.id) AS holds, "
        "(SELECT count(*) FROM tasks t WHERE t.account_id = a.id) AS tasks, "
        "(SELECT count(*) FROM ledger l WHERE l.account_id = a.id AND l.kind = 'charge') AS charges "
        "FROM accounts a WHERE a.name = ?",
        name,
    )
    return tuple(found.values())


@pytest.fixture
def unharmed(wire: Gateway) -> Iterator[Gateway]:
    """The gateway; afterwards the victim has what it had."""
    before = wealth(wire)
    yield wire
    assert wealth(wire) == before


def send(gateway: Gateway, good: Good, key: str | None = people.VICTIM, **headers: str) -> Got:
    return call(gateway, good.method, good.path, good.body, key, {**good.head, **headers})


def test_every_protocol_has_its_manners() -> None:
    assert set(PROTOCOLS) == set(MANNERS)


# The caller --------------------------------------------------------------------------------------------------------


@each(KEYED)
def test_keys(unharmed: Gateway, good: Good) -> None:
    for case, key in KEYS.items():
        got = send(unharmed, good, key)
        refuses(got, good, case)
        assert got.headers["www-authenticate"] == "Bearer"
        assert key is None or key.encode() not in got.body


@each(KEYED)
def test_no_path_of_an_operation_is_open(unharmed: Gateway, good: Good) -> None:
    """Each alias under each prefix asks for a key as the canonical path does."""
    canonical = good.path.partition("?")[0]
    shown = good.operation.path
    marked = {**good.head, **({good.protocol.mark_header: ""} if good.protocol.mark_header else {})}
    for prefix in good.protocol.prefixes:
        for alias in (shown, *good.operation.aliases):
            path = prefix + alias
            for name, value in zip(_holes(shown), _values(shown, canonical), strict=False):
                path = path.replace("{" + name + "}", value)
            if "{" not in path:
                refuses(call(unharmed, good.method, path, good.body, None, marked), good, "no key")


def _holes(path: str) -> list[str]:
    return [part[1 : part.index("}")] for part in path.split("/") if part.startswith("{")]


def _values(shown: str, real: str) -> list[str]:
    pieces = real.split("/")[-len(shown.strip("/").split("/")) :]
    held = zip(shown.strip("/").split("/"), pieces, strict=True)
    return [value.removesuffix(part[part.index("}") + 1 :]) for part, value in held if part.startswith("{")]


# The body ----------------------------------------------------------------------------------------------------------


@each([good for good in BODIED if good.operation.body is not None or good.multipart])
def test_malformed(unharmed: Gateway, good: Good) -> None:
    whole = good.body
    assert whole is not None
    broken = [whole[: len(whole) * 2 // 3]]
    if not good.multipart:
        deep = 100_000
        broken += [b"", b"\xff\xfe", b'{"a": NaN}', b'{"deep":' + b"[" * deep + b"]" * deep + b"}"]
    for body in broken:
        refuses(call(unharmed, good.method, good.path, body, people.VICTIM, good.head), good, "malformed")


@each([good for good in BODIED if good.typed()])
def test_wrong_type(unharmed: Gateway, good: Good) -> None:
    found = good.typed()
    assert found is not None
    name, value = found
    got = send(unharmed, good.changed(fields={**good.fields, name: value}))
    refuses(got, good, "wrong type")
    assert name.encode() in got.body


@each([good for good in BODIED if good.required() in good.fields or good.files])
def test_missing(unharmed: Gateway, good: Good) -> None:
    missing = next(iter(good.files), None) or good.required()
    assert missing is not None
    fields = {name: value for name, value in good.fields.items() if name != missing}
    files = {name: data for name, data in good.files.items() if name != missing}
    if good.multipart and not (fields or files):
        fields = {"unknown": "field"}
    got = send(unharmed, good.changed(fields=fields, files=files))
    refuses(got, good, "missing")
    assert missing.encode() in got.body


def _chooses(good: Good) -> bool:
    """Tell whether the body says which model: a follow-up goes where its origin was made."""
    return not good.ids and "model" in getattr(good.operation.body, "__struct_fields__", ())


@each([good for good in BODIED if _chooses(good)])
def test_no_model(unharmed: Gateway, good: Good) -> None:
    path = good.path.rsplit("/", 1)[0] + "/image" if good.protocol.name == "flux" else good.path
    got = send(unharmed, good.changed(path=path, fields={**good.fields, "model": "no-such-model"}))
    refuses(got, good, "no model")
    assert b"model" in got.body


@each(BODIED)
def test_too_large(unharmed: Gateway, good: Good) -> None:
    padded = good.changed(fields={**good.fields, "padding": "x" * (MAX_BODY + 1)})
    refuses(send(unharmed, padded), good, "too large")


@each(BODIED)
def test_gzip_bomb(unharmed: Gateway, good: Good) -> None:
    bomb = good.changed(fields={**good.fields, "padding": " " * (40 * MAX_BODY)}).body
    assert bomb is not None
    small = gzip.compress(bomb)
    assert len(small) < MAX_BODY / 4
    head = {**good.head, "content-encoding": "gzip"}
    refuses(call(unharmed, good.method, good.path, small, people.VICTIM, head), good, "bomb")


@each(BODIED)
def test_encodings(unharmed: Gateway, good: Good) -> None:
    plain = good.body
    assert plain is not None
    for body, encoding, case in (
        (plain, "compress", "bad encoding"),
        (plain, "gzip", "malformed"),
        (gzip.compress(plain)[:-6], "gzip", "malformed"),
    ):
        head = {**good.head, "content-encoding": encoding}
        refuses(call(unharmed, good.method, good.path, body, people.VICTIM, head), good, case)


@each(BODIED)
def test_bad_media(unharmed: Gateway, good: Good) -> None:
    kinds = ["text/plain", "application/x-www-form-urlencoded", "application/json" if good.multipart else "image/png"]
    for kind in kinds if good.operation.media not in ("form", "any") else kinds[::2]:
        got = call(unharmed, good.method, good.path, good.body, people.VICTIM, {"content-type": kind})
        refuses(got, good, "bad media")


@each(BODIED)
def test_cut_body(unharmed: Gateway, good: Good) -> None:
    body = good.body
    assert body is not None
    head = {**good.head, "authorization": f"Bearer {people.VICTIM}"}
    answer = cut(unharmed, good.method, good.path, head, body)
    status = MANNERS[good.protocol.name].status.get("malformed", 400)
    assert not answer or answer.startswith(f"HTTP/1.1 {status} ".encode())


# Ids ---------------------------------------------------------------------------------------------------------------


@each([good for good in ALL if good.ids])
def test_unknown_and_foreign_ids(unharmed: Gateway, good: Good, foreign: dict[str, str]) -> None:
    """A stranger's task is not told from one that does not exist."""
    theirs = foreign[good.protocol.name]
    unknown = theirs[:-3] + ("111" if not theirs.endswith("111") else "222")
    answers: list[bytes] = []
    for task_id in (unknown, theirs, "no such id", "..", "x" * 3000):
        got = send(unharmed, good.with_id(task_id))
        refuses(got, good, "unknown id")
        if task_id in (unknown, theirs):
            answers.append(got.body.replace(task_id.encode(), b"ID"))
    assert _timeless(answers[0]) == _timeless(answers[1])


@each([good for good in ALL if good.objects])
def test_unknown_and_foreign_objects(unharmed: Gateway, good: Good) -> None:
    """A stranger's object is not told from one that does not exist."""
    for name in good.objects:
        answers: list[bytes] = []
        for suffix in (THEIRS, "-nobodys"):
            got = send(unharmed, dataclasses.replace(good, ids=(name,)).with_id(name + suffix))
            refuses(got, good, "unknown id")
            answers.append(got.body.replace((name + suffix).encode(), b"ID"))
        assert _timeless(answers[0]) == _timeless(answers[1])


def _timeless(body: bytes) -> Any:
    found = json.loads(body)
    if isinstance(found, dict):
        found.pop("id", None)
        found.pop("request_id", None)
    return found


@pytest.fixture(scope="session")
def foreign(wire: Gateway) -> dict[str, str]:
    """A finished task of another account, by protocol."""
    found: dict[str, str] = {}
    for good in ALL:
        if isinstance(good.operation, Submit) and not (good.ids or good.objects or good.protocol.name in found):
            got = send(wire, good, people.OTHER)
            assert got.status in (200, 201), (good.name, got.body)
            found[good.protocol.name] = job_id(got.json).rsplit("/", 1)[-1]
    assert set(found) == {
        name for name, protocol in PROTOCOLS.items() if any(isinstance(each, Submit) for each in protocol.operations)
    }
    for task in found.values():
        until(lambda task=task: _ended(wire, task))
    return found


def _ended(gateway: Gateway, task: str) -> bool:
    """Tell whether a task has ended; until it has, do as the vendor's callback would: have it looked at now."""
    (row,) = rows(gateway, "SELECT hook_key, finished_at FROM tasks WHERE id = ?", task)
    call(gateway, "POST", f"/hooks/{task}/{row['hook_key']}", {})
    return bool(row["finished_at"])


def test_a_stranger_s_file_is_not_served(unharmed: Gateway, foreign: dict[str, str]) -> None:
    task = foreign["flux"]
    assert call(unharmed, "GET", f"/assets/{task}/0", key=people.OTHER).status == 200
    for key, status in ((people.VICTIM, 404), (None, 401), ("sk-wrong", 401)):
        assert call(unharmed, "GET", f"/assets/{task}/0", key=key).status == status
    for query in ("exp=9999999999&sig=0000", "exp=1&sig=0000", "exp=&sig=x", "sig=x"):
        assert call(unharmed, "GET", f"/assets/{task}/0?{query}").status == 403
    signed = call(unharmed, "GET", f"/flux/v1/get_result?id={task}", key=people.OTHER).json["result"]["sample"]
    path = signed.removeprefix(unharmed.url)
    assert call(unharmed, "GET", path).status == 200
    other = path.replace(task, task[::-1])
    assert call(unharmed, "GET", other).status == 403
    assert call(unharmed, "GET", path.replace("/0?", "/1?")).status == 404


# Paths and methods -------------------------------------------------------------------------------------------------


@each(ALL)
def test_wrong_method(unharmed: Gateway, good: Good) -> None:
    path = good.operation.path
    allowed = {item.method for item in ALL if path in (item.operation.path, *item.operation.aliases)}
    for method in METHODS:
        if method not in allowed:
            got = call(unharmed, method, good.path, good.body, people.VICTIM, good.head)
            refuses(got, good, "bad method")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_unknown_path(unharmed: Gateway, name: str) -> None:
    for prefix in PROTOCOLS[name].own_paths or ("/v1/",):
        for rest in ("no/such/thing/at/all", "..%2f..%2fetc", "%00"):
            for method in ("GET", "POST"):
                got = call(unharmed, method, f"{prefix.rstrip('/')}/{rest}", b"{}", people.VICTIM)
                MANNERS[name].refuses(got, "no path")


# Nothing is left ---------------------------------------------------------------------------------------------------


def test_nothing_is_held_in_the_end(wire: Gateway) -> None:
    """Leases go back once they are idle; then the victim has exactly what it was granted."""
    try:
        until(lambda: rows(wire, "SELECT held FROM accounts WHERE name = 'victim'")[0]["held"] == 0)
    except sqlite3.OperationalError as fault:
        raise AssertionError("the database cannot be read") from fault
    (found,) = rows(wire, "SELECT available, held, spent FROM accounts WHERE name = 'victim'")
    assert found == {"available": 50_000_000_000, "held": 0, "spent": 0}
    proof = wire.cli("ledger", "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
