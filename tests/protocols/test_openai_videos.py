"""What a video costs where the vendor says little of it, or nonsense."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deeepai.declare import Answer, Json, State, Task, Usage
from deeepai.protocols.openai.video_tasks import VIDEO_JOB, length_usage, video

CREATE, REMIX = "openai.videos.create", "openai.videos.remix"
UNUSABLE: list[Json] = [None, "", "soon", "nan", "-4", 0, -1, True, [], {}, 1e9]
"""As a number of seconds."""


def answer(**fields: Json) -> Answer:
    body = {"id": "video_1", "status": "completed", **fields}
    return Answer(200, {"content-type": "application/json"}, msgspec.json.encode(body))


def usage(task: Task, **fields: Json) -> Usage | None:
    status = VIDEO_JOB.rules.read(answer(**fields), task)
    assert status.state is State.SUCCEEDED
    task.snapshot = status.snapshot
    return status.usage


def created(**asked: Json) -> Task:
    return Task("video_1", CREATE, "sora-2-pro", State.RUNNING, "video_1", request=asked)


@pytest.mark.parametrize("told", UNUSABLE)
def test_a_length_that_is_none_counts_as_what_was_asked_for(told: Json) -> None:
    task = created(seconds="12", size="1792x1024")
    found = usage(task, seconds=told, size=told)
    assert found is not None
    assert (found.seconds, found.params) == (12, {"size": "1792x1024"})
    shown: dict[str, Any] = video(task)
    assert (shown["seconds"], shown["size"]) == ("12", "1792x1024")


@pytest.mark.parametrize("told", UNUSABLE)
def test_what_follows_another_video_then_costs_as_was_held(told: Json) -> None:
    task = Task("video_2", REMIX, "sora-2-pro", State.RUNNING, "video_2", request={"prompt": "x"}, parent_id="video_1")
    assert usage(task, seconds=told) is None
    assert usage(task, seconds="8", size=told) is None
    assert usage(task, seconds="8", size="1280x720") == length_usage("8", "1280x720", told=True)


def test_what_the_vendor_tells_counts_before_what_was_asked_for() -> None:
    found = usage(created(seconds="12", size="1792x1024"), seconds=8, size="1280x720")
    assert found == length_usage("8", "1280x720", told=True)


def test_a_size_that_nobody_told_is_none_to_the_price() -> None:
    found = usage(created(seconds="8", size=None), seconds="8")
    assert found is not None
    assert not found.params
