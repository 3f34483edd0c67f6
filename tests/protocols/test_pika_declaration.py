"""Pika's declarations against the samples of relays' documents and of ComfyUI's models."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Facts, Failure, State, Task
from deeepai.money.prices import PriceBook
from deeepai.protocols.pika import pika, pika_api, pika_web
from deeepai.protocols.pika.common import named
from tests.protocols.plain import PlainLinks, PlainRequest, answered, asked, operation, sent_on

RELAY, WEB, API = operation(pika, "generate"), operation(pika_web, "generate"), operation(pika_api, "t2v")
THEIRS, OURS = "66e0818e-05fb-454e-b246-a6f253e9ffbf", "2f68dbbf-519d-4f01-9636-e2421b68f379"
VIDEO: dict[str, Any] = {
    "id": THEIRS,
    "status": "finished",
    "progress": 100,
    "seed": 3183047765,
    "resultUrl": "https://cdn.example/plane.mp4",
    "sharingUrl": "https://cdn.example/share.mp4",
    "videoPoster": "https://cdn.example/poster.jpg",
    "imageThumb": "https://cdn.example/thumbnail.jpg",
    "duration": 5,
    "error": "",
}


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {"id": OURS, "operation": "pika_web.generate", "model": "pika-1.5", "upstream_id": THEIRS}
    return Task(state=state, submitted_at=1739427742000, **(known | changes))


def web(**changes: Any) -> Any:
    return answered({"id": THEIRS, "promptText": "Plane fly", "videos": [{**VIDEO, **changes}]})


def test_rows_and_names() -> None:
    assert {row for item in pika.operations for row in item.rows} == {127, 128, 129, 130}
    assert [named(word) for word in (None, 1.5, 2, "2.0", "pika-2.2")] == [
        *("pika-1.5", "pika-1.5", "pika-2.0"),
        *("pika-2.0", "pika-2.2"),
    ]
    for declared in (RELAY, WEB, API):
        request = asked(declared, declared.example)
        assert PriceBook.shipped().cost_of_call(declared.model(request), declared.estimate(request))


@pytest.mark.parametrize(
    ("declared", "sent", "facts", "left"),
    [
        (RELAY, {"model": 1.5}, "pika-1.5", {"model": 1.5}),
        (RELAY, {}, "pika-1.5", {}),
        (RELAY, {"model": "pika-2.0"}, "pika-2.0", {"model": 2.0}),
        (RELAY, {"model": 1.0, "key": "sk-x"}, "pika-2.0", {"model": 2.0}),
        (WEB, {"model": "2.0"}, "pika-2.0", {"model": "2.0"}),
        (WEB, {"model": 2.0}, "pika-2.0", {"model": "2.0"}),
        (WEB, {}, "pika-1.5", {}),
        (WEB, {"model": "pika-1.0"}, "pika-1.0", {"model": "1.0"}),
    ],
)
def test_models_leave_by_their_numbers(declared: Any, sent: dict[str, Any], facts: str, left: dict[str, Any]) -> None:
    words = {"prompt": "x"} if declared is RELAY else {"promptText": "x"}
    assert sent_on(declared, words | sent, Facts(facts, facts)) == words | left


def test_the_web_format() -> None:
    rules, face = WEB.job.rules, WEB.job.face
    assert rules.accept(answered({"id": THEIRS}), asked(WEB, {"promptText": "x"})) == Accepted(THEIRS)
    words = {"queued": State.QUEUED, "pending": State.RUNNING, "error": State.FAILED}
    for word, state in words.items():
        assert rules.read(web(status=word, resultUrl="", error="no"), task()).state is state
    # It may be finished for a moment before the film is there, and known before there is anything to tell.
    assert rules.read(web(resultUrl=""), task()).state is State.RUNNING
    assert rules.read(answered({"id": THEIRS, "videos": []}), task()).state is State.RUNNING
    end = rules.read(web(), task())
    assert [result.role for result in end.results] == ["video", "cover", "share", "thumb"]
    done = task(State.SUCCEEDED, snapshot=web().json(), results=4)
    (video,) = face.render(done, PlainLinks()).body["videos"]
    assert video == {
        **VIDEO,
        "id": OURS,
        **{
            name: f"https://gw/assets/{OURS}/{number}?sig=1"
            for number, name in enumerate(("resultUrl", "videoPoster", "sharingUrl", "imageThumb"))
        },
    }
    assert rules.read(web(status="error", error="why"), task()).error == "why"
    (failed,) = face.render(task(State.FAILED, error="why"), PlainLinks()).body["videos"]
    assert (failed["status"], failed["error"], failed["resultUrl"]) == ("error", "why", "")
    with pytest.raises(Failure, match="empty"):
        asked(WEB, {"promptText": "x", "image": ""})
    fetch = operation(pika_web, "feed")
    assert fetch.task(PlainRequest(params={"id": "a"})) == fetch.task(PlainRequest(query={"id": "a"})) == "a"


def test_the_vendor_s_own() -> None:
    rules, face = API.job.rules, API.job.face
    assert rules.accept(answered({"video_id": THEIRS}), asked(API, API.example)) == Accepted(THEIRS)
    assert rules.poll(task()).path == f"/videos/{THEIRS}"
    words = {"queued": State.QUEUED, "started": State.RUNNING, "failed": State.FAILED}
    for word, state in words.items():
        told = rules.read(answered({"id": THEIRS, "status": word, "progress": 40, "url": None}), task())
        assert (told.state, told.progress) == (state, 40)
    end = {"id": THEIRS, "status": "finished", "progress": 100, "url": "https://cdn.example/a.mp4"}
    assert rules.read(answered(end), task()).state is State.SUCCEEDED
    shown = face.render(task(State.SUCCEEDED, snapshot=end, results=1), PlainLinks()).body
    assert shown == {**end, "id": OURS, "url": f"https://gw/assets/{OURS}/0?sig=1"}
    prices = {("720p", 5): 0.20, ("720p", 10): 0.40, ("1080p", 5): 0.45, ("1080p", 10): 0.90}
    for (lines, seconds), usd in prices.items():
        usage = API.estimate(asked(API, {"promptText": "x", "resolution": lines, "duration": seconds}))
        assert PriceBook.shipped().cost_of_call("pika-2.2", usage) == round(usd * 10**9)
    for wrong in ({"aspectRatio": 3.0}, {"resolution": "4K"}):
        with pytest.raises(msgspec.ValidationError):
            asked(API, {"promptText": "x", **wrong})
