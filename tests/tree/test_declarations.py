"""The type of a declaration says what may be said: nothing needs asserting, nothing stands where few may say it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from deeepai import declare
from deeepai.declare import AnyOperation, Call, Operation, Paid, Submit
from deeepai.declare import operations as kinds
from deeepai.protocols import PROTOCOLS

GATEWAY = Path(__file__).parents[2] / "src" / "deeepai" / "gateway"
KINDS = [kind for kind in vars(kinds).values() if inspect.isclass(kind) and issubclass(kind, Operation)]
OPERATIONS = [operation for protocol in PROTOCOLS.values() for operation in protocol.operations]
DECLARED = {
    item.name
    for name in declare.__all__
    if dataclasses.is_dataclass(value := getattr(declare, name))
    for item in dataclasses.fields(value)
}
"""Names of what can be declared."""


def asserted(source: str) -> Iterator[str]:
    """Yield what is asserted not to be None, by its last name."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Assert) or not isinstance(node.test, ast.Compare):
            continue
        if any(isinstance(operator, ast.IsNot) for operator in node.test.ops):
            yield ast.unparse(node.test.left).rpartition(".")[2]


def test_the_gateway_asserts_nothing_of_a_declaration() -> None:
    found = {
        f"{path.relative_to(GATEWAY)}: {name}"
        for path in GATEWAY.rglob("*.py")
        for name in asserted(path.read_text())
        if name in DECLARED
    }
    assert found == set()


def test_what_is_asserted_of_a_declaration_is_found() -> None:
    names = list(asserted("assert operation.objects is not None\nassert self._push is not None\nassert x == 1"))
    assert names == ["objects", "_push"]
    assert [name in DECLARED for name in names] == [True, False]


def own_fields(base: type[Operation[Any]]) -> list[dataclasses.Field[Any]]:
    return [item for item in dataclasses.fields(base) if item.name in base.__annotations__]


def only_one_kind_says(base: type[Operation[Any]], name: str, operations: Sequence[AnyOperation]) -> bool:
    """Tell whether a base class has a field that a single one of the kinds below it sets."""
    saying: set[type] = set()
    for operation in operations:
        if not isinstance(operation, base):
            continue
        (item,) = (each for each in dataclasses.fields(operation) if each.name == name)
        default = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
        if getattr(operation, name) != default:
            saying.add(type(operation))
    return len(saying - {base}) == 1 and base not in saying


@pytest.mark.parametrize(
    ("base", "name"),
    [
        pytest.param(base, item.name, id=f"{base.__name__}.{item.name}")
        for base in KINDS
        if any(base in kind.__mro__[1:] for kind in KINDS)
        for item in own_fields(base)
    ],
)
def test_what_one_kind_alone_says_is_no_field_of_its_base(base: type[Operation[Any]], name: str) -> None:
    assert not only_one_kind_says(base, name, OPERATIONS)


def test_a_field_that_one_kind_alone_says_is_found() -> None:
    submissions = [operation for operation in OPERATIONS if isinstance(operation, Submit)]
    assert only_one_kind_says(Paid, "estimate", submissions)
    assert not only_one_kind_says(Paid, "estimate", OPERATIONS)


def test_what_answers_a_call_is_known() -> None:
    """What an upstream sends with a good status is judged by it; what starts work is not, as the work may exist."""
    unknown = {
        operation.name
        for operation in OPERATIONS
        if isinstance(operation, Call)
        and operation.shape is None
        and (operation.objects is None or operation.objects.background is None)
    }
    assert unknown == set()
