from __future__ import annotations

import os
import threading

from deeepai.storage.ids import new_id, now_ms

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def decode(ulid: str) -> int:
    value = 0
    for character in ulid:
        value = value * 32 + CROCKFORD.index(character)
    return value


def test_ids_increase_and_carry_the_time() -> None:
    before = now_ms()
    ids = [new_id() for _ in range(20_000)]
    after = now_ms()
    assert ids == sorted(set(ids))
    assert {len(ulid) for ulid in ids} == {26}
    assert before <= decode(ids[0]) >> 80 <= decode(ids[-1]) >> 80 <= after + 1
    assert new_id("task_").startswith("task_")


def test_threads_never_get_the_same_id() -> None:
    found: list[list[str]] = [[] for _ in range(4)]

    def make(own: list[str]) -> None:
        own += [new_id() for _ in range(5000)]

    threads = [threading.Thread(target=make, args=(own,)) for own in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ulid for own in found for ulid in own}) == 20_000


def test_a_forked_child_does_not_count_on_from_its_parent() -> None:
    new_id()
    source, target = os.pipe()
    if (child := os.fork()) == 0:
        os.write(target, "".join(new_id() for _ in range(100)).encode())
        os._exit(0)
    own = {new_id() for _ in range(100)}
    os.waitpid(child, 0)
    text = os.read(source, 26 * 100).decode()
    os.close(source)
    os.close(target)
    theirs = {text[start : start + 26] for start in range(0, len(text), 26)}
    assert len(theirs) == 100
    assert not own & theirs
    # The same millisecond's random half must not be shared either.
    assert not {ulid[10:20] for ulid in own} & {ulid[10:20] for ulid in theirs}
