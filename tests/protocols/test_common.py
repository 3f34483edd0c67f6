"""Pieces that several protocols are made of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import jwt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.declare import Facts, Failure, Reason, State, Task, Window
from deeepai.protocols.common import digits
from deeepai.protocols.common.bodies import (
    Flag,
    Number,
    SentAs,
    extended,
    model_under,
    one_of,
    origin_under,
    renamed,
    retyped,
    together,
)
from deeepai.protocols.common.errors import ErrorTable, with_param
from deeepai.protocols.common.lists import IdsBody, NumberedPages, list_by_ids
from deeepai.protocols.common.operations import Paths
from deeepai.protocols.common.paths import each, write
from deeepai.protocols.common.signing import key_pair
from tests.protocols.plain import PlainLinks, PlainRequest
from tests.protocols.test_job_format import FORMAT


class Inner(msgspec.Struct, omit_defaults=True):
    model: str | None = None


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    model_name: str | None = None
    model: str | None = None
    scale: Number | None = None
    loop: Flag | None = None
    seconds: Annotated[int | str, SentAs(str)] | None = None
    ids: list[str] = []
    input: Inner = msgspec.field(default_factory=Inner)


def asked(kind: Any = Body, **fields: Any) -> Any:
    raw = msgspec.json.encode(fields)
    return PlainRequest(body=msgspec.json.decode(raw, type=kind), raw=raw)


def facts(model: str = "theirs") -> Facts:
    return Facts(model=model, requested_model="ours")


# Bodies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"scale": "0.5", "loop": "true", "seconds": 5}, {"scale": 0.5, "loop": True, "seconds": "5"}),
        ({"scale": "-3", "loop": "false", "seconds": "5"}, {"scale": -3.0, "loop": False}),
        ({"scale": 1, "loop": True}, {}),
        ({"scale": None}, {}),
    ],
)
def test_values_in_the_types_that_the_vendor_takes(fields: Any, changes: Any) -> None:
    sent = retyped(asked(**fields), facts())
    assert sent == changes
    assert {name: type(value) for name, value in sent.items()} == {name: type(v) for name, v in changes.items()}


@pytest.mark.parametrize("fields", [{"scale": "much"}, {"scale": "1e9"}, {"loop": "yes"}, {"loop": 1}])
def test_other_texts_are_no_numbers(fields: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        asked(**fields)


def test_bodies_with_further_fields() -> None:
    longer = extended(Body, "Longer", seed=int, size=str | None, scale=Number)
    body = msgspec.json.decode(b'{"seed": 1, "scale": "0.5"}', type=longer)
    assert (body.seed, body.size, body.model) == (1, None, None)
    assert retyped(PlainRequest(body=body), facts()) == {"scale": 0.5}
    for wrong in (b'{"scale": 1}', b'{"seed": "x", "scale": 1}', b'{"seed": 1}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=longer)
    assert isinstance(body, Body)
    assert longer.__name__ == "Longer"


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({}, "usual"),
        ({"model": "a"}, "a"),
        ({"model_name": "b", "model": "a"}, "b"),
        ({"model_name": ""}, "usual"),
        ({"input": {"model": "c"}}, "c"),
    ],
)
def test_a_model_under_one_of_several_names(fields: Any, model: str) -> None:
    assert model_under("model_name", "model", "input.model", default="usual")(asked(**fields)) == model


def test_a_model_is_named_as_the_upstream_does() -> None:
    patch = renamed("model_name", "model", "absent.model")
    assert patch(asked(), facts()) == {"model_name": "theirs"}
    assert patch(asked(model="ours"), facts()) == {"model_name": "theirs", "model": "theirs"}
    assert patch(asked(model_name="theirs", model="theirs"), facts()) == {}
    within = renamed("absent", "input.model")
    assert within(asked(input={"model": "ours", "more": 1}), facts()) == {"input": {"model": "theirs", "more": 1}}
    assert within(asked(input={"more": 1}), facts()) == {"input": {"model": "theirs", "more": 1}}
    assert renamed("absent")(asked(), facts()) == {}


def test_several_patches() -> None:
    patch = together(retyped, renamed("model"), lambda request, facts: {"scale": 2})
    assert patch(asked(scale="1.5", model="ours"), facts()) == {"scale": 2, "model": "theirs"}


def test_one_of_some_fields() -> None:
    check = one_of("model", "input.model", "ids")
    for fields in ({"model": "a"}, {"input": {"model": "a"}}, {"ids": ["x"]}):
        check(asked(**fields))
    with pytest.raises(Failure, match=r"model or input\.model or ids is required") as missing:
        check(asked(model="", ids=[]))
    assert (missing.value.kind, missing.value.param) == (Reason.INVALID, "model")


def test_what_a_request_follows_up() -> None:
    origin = origin_under("model", "input.model")
    assert origin.ids(asked(model="1", input={"model": "2"})) == ["1", "2"]
    assert origin.ids(asked(model="")) == []


# Ids and keys ------------------------------------------------------------------------------------------------------


@given(st.integers(1, 40))
def test_ids_of_digits(length: int) -> None:
    name = digits(length)
    assert (len(name), name.isdecimal(), name[0] != "0") == (length, True, True)


def test_a_pair_signs() -> None:
    signing, secret = key_pair(seconds=1000, early=7), "s" * 32
    token = signing.headers(f"access|{secret}", 1_000_000)["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, secret, algorithms=["HS256"], options={"verify_exp": False})
    assert claims == {"iss": "access", "exp": 1_001_000, "nbf": 999_993}
    assert 0 < signing.seconds < 1000
    for key in ("plain", "sk-relay|odd"):
        assert signing.headers(key, 0) == {"authorization": f"Bearer {key}"}


# Lists -------------------------------------------------------------------------------------------------------------


def task(name: str, **changes: Any) -> Task:
    return Task(id=name, operation="x.make", model="m", state=State.QUEUED, **changes)


class Pages:
    """Two hundred and fifty tasks, told a hundred at a time."""

    def __init__(self, **query: str) -> None:
        self.request = SimpleNamespace(query=query)

    async def page(self, operations: list[str], window: Window) -> tuple[list[Task], bool]:
        first = 0 if window.after is None else int(window.after) + 1
        last = min(250, first + min(100, window.limit))
        return [task(str(number)) for number in range(first, last)], last < 250


@given(st.integers(1, 20), st.integers(1, 60))
async def test_numbered_pages(number: int, size: int) -> None:
    pages = NumberedPages(number="at", size="per", most=60, farthest=2000)
    told = await pages.tasks(Pages(at=str(number), per=str(size)), ["make"])  # type: ignore[arg-type]
    first = (number - 1) * size
    assert [item.id for item in told] == [str(at) for at in range(first, min(250, first + size))]


@pytest.mark.parametrize("query", [{"page": "0"}, {"page": "-1"}, {"page": "x"}, {"page_size": "501"}, {"page": "334"}])
async def test_pages_that_there_are_not(query: dict[str, str]) -> None:
    with pytest.raises(Failure):
        await NumberedPages().tasks(Pages(**query), ["make"])  # type: ignore[arg-type]


async def test_tasks_by_ids() -> None:
    async def tasks(ids: list[str]) -> list[Task]:
        return [task(name) for name in sorted(ids) if name != "another's"]

    view = SimpleNamespace(request=asked(IdsBody, ids=["c", "another's", "a"]), links=PlainLinks(), tasks=tasks)
    reply = await list_by_ids(FORMAT)(view)  # type: ignore[arg-type]
    assert [item["own"] for item in reply.body] == ["c", "a"]
    for wrong in ([], ["x"] * 101):
        with pytest.raises(msgspec.ValidationError):
            asked(IdsBody, ids=wrong)


# Paths and errors --------------------------------------------------------------------------------------------------

names = st.text("abc", min_size=1, max_size=3)


@given(st.lists(names, min_size=1, max_size=4), st.dictionaries(names, st.integers() | st.just({})))
def test_what_is_written_stands_there_and_nothing_else_changes(where: list[str], before: dict[str, Any]) -> None:
    path = ".".join(where)
    after = write(before, path, "new")
    assert each(after, path) == ["new"]
    assert {name: after[name] for name in before if name != where[0]} == {
        name: value for name, value in before.items() if name != where[0]
    }


def test_paths_on_the_gateway() -> None:
    at = Paths(("/a/v1", "/b"), "/v1")
    assert at.on_gateway("x") == ("/a/v1/x", "/b/x")
    assert at.on_gateway(["x", "y"]) == ("/a/v1/x", "/a/v1/y", "/b/x", "/b/y")


def test_codes_by_status() -> None:
    table = ErrorTable(
        rows={Reason.INVALID: (400, 7)},
        usual={404: 8},
        caller=1,
        server=2,
        shape=lambda code, failure, request_id: [code, with_param(failure)],
    )
    answers = {reason: table(Failure(reason, "m", param="p"), None, "r") for reason in Reason}
    codes = {reason: (reply.status, reply.body[0]) for reason, reply in answers.items()}
    assert codes[Reason.INVALID] == (400, 7)
    assert codes[Reason.NOT_FOUND] == codes[Reason.NO_MODEL] == (404, 8)
    assert (codes[Reason.CONFLICT], codes[Reason.UPSTREAM]) == ((409, 1), (502, 2))
    assert answers[Reason.INVALID].body[1] == "p: m"
