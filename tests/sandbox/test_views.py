"""Views: how a thing is told, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from deeepai.sandbox.views import flag, just, millis, of, told, words


@dataclass
class Song:
    id: str = "s1"
    at: float = 12.5
    body: dict[str, Any] = field(default_factory=dict[str, Any])
    parent: Song | None = None
    parts: list[Song] = field(default_factory=list["Song"])


def test_a_view_of_paths_functions_views_and_lists() -> None:
    view = {"id": "id", "at": millis("at"), "inner": {"length": words("body.seconds")}, "all": ["id", {"x": just(0)}]}
    assert told(view, Song(body={"seconds": 5.0})) == {
        "id": "s1",
        "at": 12500,
        "inner": {"length": "5"},
        "all": ["s1", {"x": 0}],
    }
    assert told(lambda song: [song.id], Song()) == ["s1"]


def test_what_is_not_there_is_left_out() -> None:
    view = {"name": "body.name.first", "length": words("body.seconds"), "marked": flag("body.mark.on"), "inner": {}}
    assert told(view, Song()) == {"marked": False, "inner": {}}
    assert told({"marked": flag("body.mark.on")}, Song(body={"mark": {"on": True}})) == {"marked": True}
    with pytest.raises(AttributeError):
        told({"wrong": "nmae"}, Song())


def test_views_of_what_is_within() -> None:
    view = {"parent": of("parent", {"id": "id"}), "parts": of("parts", {"id": "id"})}
    assert told(view, Song()) == {}
    whole = Song(parent=Song("s0"), parts=[Song("a"), Song("b")])
    assert told(view, whole) == {"parent": {"id": "s0"}, "parts": [{"id": "a"}, {"id": "b"}]}
