"""Paths to operations: every declared one finds itself, and base URLs that are slightly wrong still arrive."""

from __future__ import annotations

import re

import pytest

from deeepai.declare import AnyOperation, Failure, Reason
from deeepai.gateway.routing import Router, paths
from deeepai.protocols import PROTOCOLS
from tests.gateway.asgi import operation, protocol


def router(*operations: AnyOperation, **more: object) -> Router:
    return Router([protocol(*operations, **more)])


def refused(given: Router, method: str, path: str) -> Reason:
    with pytest.raises(Failure) as raised:
        given.find(method, path)
    return raised.value.kind


def test_every_declared_path_finds_its_own_operation() -> None:
    whole = Router(PROTOCOLS.values())
    seen = 0
    for declared in PROTOCOLS.values():
        for each in declared.operations:
            for path, params in paths(declared, each):
                filled = re.sub(r"\{(\w+)\}", r"a-\1.1", path)
                route, found = whole.find(each.method, filled)
                if declared.mark_header is not None:
                    route = route.among([(declared.mark_header.encode(), b"sent")])
                route = route.among([((declared.mark_header or "none").encode(), b"x")])
                assert route.name == f"{declared.name}.{each.name}", path
                assert route.protocol is declared
                assert params.items() <= found.items()
                assert {name: found[name] for name in re.findall(r"\{(\w+)\}", path)} == {
                    name: f"a-{name}.1" for name in re.findall(r"\{(\w+)\}", path)
                }
                seen += 1
    assert seen > 100


def test_a_fixed_path_wins_over_a_placeholder() -> None:
    found = router(
        operation(name="any", path="/v1/models/{model}"),
        operation(name="one", path="/v1/models/list"),
        operation(name="below", path="/v1/models/list/{page}"),
    )
    assert found.find("POST", "/v1/models/list")[0].operation.name == "one"
    assert found.find("POST", "/v1/models/lists")[0].operation.name == "any"
    assert found.find("POST", "/v1/models/list/2")[1] == {"page": "2"}


def test_the_walk_turns_back_from_a_dead_end() -> None:
    found = router(operation(name="a", path="/x/list/{id}/open"), operation(name="b", path="/x/{name}/{id}/close"))
    assert found.find("POST", "/x/list/7/close")[1] == {"name": "list", "id": "7"}


def test_prefixes_set_parameters() -> None:
    found = router(operation(path="/go/{id}"), prefixes={"/fast": {"mode": "fast"}, "": {}})
    assert found.find("POST", "/fast/go/1")[1] == {"mode": "fast", "id": "1"}
    assert found.find("POST", "/go/1")[1] == {"id": "1"}


@pytest.mark.parametrize(
    "path", ["/v1/x", "/v1/x/", "//v1/x", "/v1//x", "/v1/v1/x", "/v1/v1//x/", "/v1/y/1/", "//v1//y/1"]
)
def test_what_base_urls_get_wrong_is_mended(path: str) -> None:
    found = router(operation(name="x", path="/v1/x"), operation(name="y", path="/v1/y/{id}"))
    assert found.find("POST", path)[0].operation.name in path


def test_values_are_taken_as_the_server_decoded_them() -> None:
    found = router(operation(path="/m/{model}"))
    assert found.find("POST", "/m/50%25 é")[1] == {"model": "50%25 é"}


@pytest.mark.parametrize(
    "path", ["/", "", "/nothing", "/v1", "/v1/x/y", "/v1/y", "/v1/y/", "/v1/y//", "/v2/x", "/x/v1", "/x" * 30_000]
)
def test_other_paths_are_not_found(path: str) -> None:
    found = router(operation(name="x", path="/v1/x"), operation(name="y", path="/v1/y/{id}"))
    assert refused(found, "POST", path) is Reason.NOT_FOUND


@pytest.mark.parametrize("path", ["/v1/x", "/v1/y/1", "/v1/x/"])
def test_another_method_is_told_apart(path: str) -> None:
    found = router(operation(name="x", path="/v1/x"), operation(name="y", path="/v1/y/{id}"))
    assert refused(found, "DELETE", path) is Reason.BAD_METHOD


@pytest.mark.parametrize("path", ["/v1/x", "/v1/x/{id}"])
def test_a_path_is_declared_once(path: str) -> None:
    with pytest.raises(ValueError, match="declared twice"):
        router(operation(name="a", path=path), operation(name="b", path=path))


def test_unknown_paths_are_answered_by_whoever_they_are_meant_for() -> None:
    first = protocol(operation(path="/first"), name="first")
    second = protocol(operation(path="/second"), name="second", own_paths=("/second/",))
    third = protocol(
        operation(path="/third"),
        name="third",
        claims=lambda path: Failure(Reason.NOT_FOUND, "mine") if path.endswith("/third") else None,
    )
    found = Router([first, second, third])
    assert found.owner("/second/x") == (second, None)
    assert found.owner("/elsewhere") == (first, None)
    assert found.owner("/second") == (second, None), "it came by a method that is not declared"
    assert found.owner("/second//") == (second, None)
    owner, failure = found.owner("/second/third")
    assert owner is third
    assert failure is not None
    assert failure.message == "mine"


def test_what_a_protocol_has_is_known_by_whatever_method() -> None:
    found = router(operation(path="/a/b"), operation(name="c", path="/a/{id}/c"), own_paths=("/own/",))
    for path in ("/a/b", "/a/b/", "//a/b", "/a/7/c", "/own/whatever"):
        assert found.has(path), path
    for path in ("/a", "/a/7", "/a/7/d", "/own", "/"):
        assert not found.has(path), path


def test_a_placeholder_may_end_in_a_verb() -> None:
    found = router(
        operation(name="get", path="/m/{model}"),
        operation(name="write", path="/m/{model}:write"),
        operation(name="below", path="/m/{model}:write/{id}"),
    )
    for path, name, params in (
        ("/m/x:write", "write", {"model": "x"}),
        ("/m/a:b:write", "write", {"model": "a:b"}),
        ("/m/x:read", "get", {"model": "x:read"}),
        ("/m/:write", "get", {"model": ":write"}),
        ("/m/x:write/7", "below", {"model": "x", "id": "7"}),
    ):
        route, values = found.find("POST", path)
        assert (route.operation.name, values) == (name, params)
    assert refused(found, "DELETE", "/m/x:write") is Reason.BAD_METHOD
    assert refused(found, "POST", "/m/x:read/7") is Reason.NOT_FOUND
