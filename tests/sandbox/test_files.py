"""Finished files: each its own, or under load one for all of a kind."""

from __future__ import annotations

import pytest

from deeepai.sandbox.clock import Clock
from deeepai.sandbox.files import Files
from deeepai.sandbox.ids import Ids


@pytest.mark.parametrize(("drafts", "seen"), [(False, [b"1", b"2", b"3"]), (True, [b"1", b"1", b"3"])])
def test_a_draft_stands_for_all_of_its_kind(drafts: bool, seen: list[bytes]) -> None:
    files = Files(Clock(1.0), Ids(1), drafts=drafts)
    names = [
        files.add(lambda made=made: made, suffix, "video/mp4")
        for made, suffix in ((b"1", "mp4"), (b"2", "mp4"), (b"3", "png"))
    ]
    found = [files.find(name) for name in names]
    assert [stored.make() for stored in found if stored is not None] == seen
