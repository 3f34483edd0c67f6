"""Tables of fields, and conditions between them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from deeepai.sandbox.conditions import ABSENT, GIVEN, FieldError, Rule, holds, total, value_at
from deeepai.sandbox.fields import Field, choice, group, inline, model, number, read, several, table, text, usually
from tests.support.pictures import png

IMAGE = png(8, 6)
B64 = base64.b64encode(IMAGE).decode()


def refused(fields: Any, body: Any, **how: Any) -> str:
    with pytest.raises(FieldError) as error:
        read(fields, body, **how)
    return error.value.kind


def test_short_ways_to_say_fields() -> None:
    base = table(name=text(3), size=usually("a", "b"))
    whole = table(base, size=choice("c"), model_name=model("m1", "m2"), scale=number(0, 1, 0.5), turn=group(x=number()))
    assert read(whole, {"name": "abc", "turn": {"x": 1, "y": 2}, "more": 1}) == {
        "name": "abc",
        "model_name": "m1",
        "scale": 0.5,
        "turn": {"x": 1},
    }
    assert read(base, {}) == {"size": "a"}
    assert refused(whole, {"name": "abcd"}) == "value"
    assert refused(whole, {"size": "a"}) == "value"
    assert refused(whole, {"model_name": "m3"}) == "unknown_model"
    assert refused(table(several=several(1, 2, x=number().must())), {"several": [{}]}) == "missing"
    assert refused(table(several=several(1, 2, text(1))), {"several": ["a", "bb"]}) == "value"
    assert read(table(several=several(0, 1)), {"several": [{"any": 1}]}) == {"several": [{"any": 1}]}


def test_a_single_value() -> None:
    turn = table(turn=group(single=True, x=number(), y=number()))
    assert read(turn, {"turn": {"x": "1", "y": 0}}, lenient=True) == {"turn": {"x": 1.0, "y": 0}}
    for wrong in ({"x": 1, "y": 2}, {"x": 0}, {}):
        assert refused(turn, {"turn": wrong}) == "value"


def test_leniency_of_a_whole_table() -> None:
    fields = table(text=text(), flag=Field("flag"), inner=group(list=several(0, 3, number())))
    body = {"text": 5, "flag": "true", "inner": {"list": ["1", 2]}}
    assert read(fields, body, lenient=True) == {"text": "5", "flag": True, "inner": {"list": [1.0, 2]}}
    assert refused(fields, body) == "type"
    assert refused(fields, {"flag": "perhaps"}, lenient=True) == "type"


def test_what_a_field_asks_of_its_neighbours() -> None:
    fields = table(
        mode=choice("text", "sound"),
        text=text().when(mode="text"),
        file=text().when(mode="sound", kind="file").when(kind="both").only(text=ABSENT),
        kind=text(),
    )
    for good in ({"mode": "text", "text": "x"}, {"mode": "sound"}, {"mode": "sound", "kind": "file", "file": "f"}):
        assert read(fields, good) == good
    assert refused(fields, {"mode": "text"}) == "missing"
    assert refused(fields, {"mode": "text", "text": ""}) == "missing"
    assert refused(fields, {"mode": "sound", "kind": "file"}) == "missing"
    assert refused(fields, {"kind": "both"}) == "missing"
    assert refused(fields, {"file": "f", "text": "x"}) == "value"


def test_what_a_value_asks_of_its_neighbours() -> None:
    fields = table(
        model=model("m1", "m2"),
        seconds=usually("5", "10", "15").where(("10", "15"), {"model": "m2"}).where(("15",), {"inner.sure": True}),
        inner=group(sure=Field("flag")),
    )
    for good in ({}, {"seconds": "10", "model": "m2"}, {"seconds": "15", "model": "m2", "inner": {"sure": True}}):
        assert read(fields, good)["seconds"] == good.get("seconds", "5")
    for bad in ({"seconds": "10"}, {"seconds": "15", "model": "m2"}, {"seconds": "15", "inner": {"sure": True}}):
        assert refused(fields, bad) == "value"


def test_neighbours_are_those_within_the_same_object() -> None:
    fields = table(kind=text(), camera=group(kind=text(), config=text().when(kind="simple")))
    assert read(fields, {"kind": "simple", "camera": {"kind": "other"}})["camera"] == {"kind": "other"}
    assert refused(fields, {"camera": {"kind": "simple"}}) == "missing"


@pytest.mark.parametrize(
    ("conditions", "good", "bad"),
    [
        ({"a": 1}, [{"a": 1}], [{}, {"a": 2}, {"a": None}]),
        ({"a": (1, 2)}, [{"a": 1}, {"a": 2}], [{}, {"a": 3}]),
        ({"a": range(3)}, [{"a": 0}, {"a": 2.0}], [{"a": 3}, {"a": 0.5}, {}]),
        ({"a": GIVEN}, [{"a": 1}, {"a": "x"}], [{}, {"a": ""}, {"a": []}, {"a": False}]),
        ({"a": ABSENT}, [{}, {"a": ""}, {"a": False}], [{"a": "x"}]),
        ({"a.b": 1, "c": ABSENT}, [{"a": {"b": 1}}], [{"a": {"b": 1}, "c": 1}, {"a": 1}]),
        ({"a": lambda body: body["b"] + 1}, [{"a": 3, "b": 2}], [{"a": 2, "b": 2}]),
        ({"a": total("b", "c")}, [{"a": "5", "b": [{"c": "2"}, {"c": 3}]}, {"a": "0", "b": []}], [{"a": "5", "b": []}]),
    ],
)
def test_conditions(conditions: Any, good: list[Any], bad: list[Any]) -> None:
    assert all(holds(conditions, body) for body in good)
    assert not any(holds(conditions, body) for body in bad)


def test_rules() -> None:
    rule = Rule({"model": ("m2",), "image": GIVEN}, {"sound": "on"}, unless={"test": True})
    for good in ({}, {"sound": "off"}, {"sound": "on", "model": "m2", "image": "x"}, {"sound": "on", "test": True}):
        rule.judge(good)
    with pytest.raises(FieldError, match="model must be") as wrong:
        rule.judge({"sound": "on", "model": "m1"})
    assert wrong.value.kind == "value"
    with pytest.raises(FieldError, match="image must be given with sound") as missing:
        rule.judge({"sound": "on", "model": "m2"})
    assert missing.value.kind == "missing"


def test_pictures_at_any_depth_in_the_order_of_the_fields() -> None:
    body = {
        "prompt": "abcd",
        "url": "https://a/b.png",
        "list": [{"image": f"data:image/png;base64,{B64}"}],
        "last": B64,
    }
    assert list(inline(body)) == [IMAGE, IMAGE]
    assert list(inline({"n": 1, "none": None, "text": "YWJj"})) == []
    assert value_at(body, "list.image") is None
