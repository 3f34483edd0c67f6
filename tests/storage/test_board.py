"""Counters that processes share; some of the processes are real, and die."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deeepai.storage import board
from deeepai.storage.board import CELLS, Board

OTHER = """
import sys, time
from pathlib import Path
from deeepai.storage.board import Board
board = Board(Path(sys.argv[1]))
for number in range(300):
    place = board.own(f"key {number}")
    board.words[place] = number + 1
print("ready", flush=True)
sys.stdin.read()
"""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def seen(given: Board, key: str) -> list[list[int]]:
    return [list(words[at : at + CELLS]) for words, at in given.others(key)]


def own(given: Board, key: str) -> int:
    place = given.own(key)
    assert place is not None
    return place


def test_each_sees_what_the_others_wrote(tmp_path: Path) -> None:
    clock = Clock()
    one, two, three = (Board(tmp_path / "shared", clock=clock) for _ in range(3))
    assert seen(one, "a") == []
    place = own(two, "a")
    assert seen(one, "a") == [[0, 0, 0, 0]]
    two.words[place + 3] = 7
    three.words[own(three, "a")] = 2**32 - 1
    assert sorted(seen(one, "a")) == [[0, 0, 0, 7], [2**32 - 1, 0, 0, 0]]
    assert seen(two, "a") == [[2**32 - 1, 0, 0, 0]]
    assert seen(one, "b") == []
    assert (two.known("a"), two.known("b"), one.known("a")) == (place, None, None)
    assert two.own("a") == place
    two.close()
    # Who is gone is seen to be at the next look, a second later.
    clock.now += 1
    assert seen(one, "a") == [[2**32 - 1, 0, 0, 0]]
    assert one.alive() == {one.name, three.name}
    one.close()
    three.close()
    assert list((tmp_path / "shared").iterdir()) == []


def test_a_process_that_is_killed_takes_its_numbers_along(tmp_path: Path) -> None:
    clock = Clock()
    mine = Board(tmp_path, clock=clock)
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert [seen(mine, f"key {number}")[0][0] for number in range(300)] == list(range(1, 301))
    assert len(mine.alive()) == 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    clock.now += 1
    assert seen(mine, "key 7") == []
    assert mine.alive() == {mine.name}
    assert [path.stem for path in tmp_path.glob("*.board")] == [mine.name]
    mine.close()


def test_little_room_is_taken(tmp_path: Path) -> None:
    given = Board(tmp_path)
    for number in range(1000):
        given.own(str(number))
    (file,) = tmp_path.iterdir()
    assert file.stat().st_blocks * 512 < 200_000
    given.close()


def test_no_more_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "_MOST", 2)
    given = Board(tmp_path)
    assert given.own("a") is not None
    assert given.own("b") is not None
    assert given.own("c") is None
    assert given.own("a") is not None
    assert given.known("c") is None
    given.close()
