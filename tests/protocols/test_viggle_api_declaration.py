"""The declaration of Viggle's official API against the samples of the vendor's pages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Facts, Failure, Made, Part, Refused, Result, State, Task, UpstreamCall
from deeepai.money.prices import PriceBook
from deeepai.protocols.viggle_api import viggle_api
from deeepai.sandbox.media.draw import Picture
from deeepai.sandbox.media.video import film
from tests.protocols.plain import PlainLinks, PlainRequest, answered, operation

RENDER = operation(viggle_api, "render")
RULES, FACE = RENDER.job.rules, RENDER.job.face
THEIRS, OURS = "0f6cb1d2-3c4d-4e5f-8a61-1d2f3b4c5d6e", "11111111-2222-4333-8444-555555555555"
CREATED = {"job_id": THEIRS, "status": "queued", "mode": "full_pipeline", "enqueued_at": "2026-09-01T08:00:00Z"}
DONE: dict[str, Any] = {
    "job_id": THEIRS,
    "status": "complete",
    "mode": "full_pipeline",
    "checkpoint": "render_done",
    "progress_pct": 100,
    "cdn_url": "https://cdn.example/out.mp4",
    "mask_cdn_url": None,
    "error_code": None,
    "error_message": None,
    "chunks": [],
    "created_at": "2026-09-01T08:00:00Z",
    "completed_at": "2026-09-01T08:01:00Z",
}
ADDRESSES = {"ref_image_url": "https://example.com/a.png", "driving_video_url": "https://example.com/d.mp4"}


def asked(fields: dict[str, str], *files: tuple[str, bytes]) -> PlainRequest:
    parts = [Part(name, memoryview(data), f"{name}.bin") for name, data in files]
    request = PlainRequest(RENDER.path, body=msgspec.convert(fields, RENDER.body, strict=False), parts=parts)
    RENDER.check(request)
    return request


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {"id": OURS, "operation": "viggle_api.render", "model": "V4_Preview"}
    return Task(state=state, **{**known, "upstream_id": THEIRS, "submitted_at": 1788249600000, **changes})


def test_a_submission_is_taken_or_refused() -> None:
    assert RULES.accept(answered(CREATED), asked(ADDRESSES)) == Accepted(THEIRS)
    poor = {"detail": {"error_code": "CS-ORCR-001", "message": "credits insufficient", "action": ""}}
    assert RULES.accept(answered(poor, 402), asked(ADDRESSES)) == Refused(True, False)
    assert viggle_api.channel_fault(answered(poor, 402))
    assert RULES.accept(answered({"detail": "no"}, 400), asked(ADDRESSES)) == Refused(False, False)
    assert FACE.submitted(task(), PlainLinks()).body == {**CREATED, "job_id": OURS}


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("queued", State.QUEUED),
        ("processing", State.RUNNING),
        ("rendering", State.RUNNING),
        ("merging", State.RUNNING),
        ("complete", State.SUCCEEDED),
        ("failed", State.FAILED),
        ("cancelled", State.CANCELLED),
    ],
)
def test_states(word: str, state: State) -> None:
    assert RULES.read(answered({**DONE, "status": word}), task()).state is state


def test_polls_and_stops() -> None:
    assert RULES.poll(task()) == UpstreamCall(f"/api/render/{THEIRS}")
    assert RULES.cancel(task()) == UpstreamCall(f"/api/render/{THEIRS}", "DELETE")
    told = RULES.read(answered({**DONE, "mask_cdn_url": "https://cdn.example/mask.mp4"}), task())
    assert told.results == (
        Result(DONE["cdn_url"], role="video"),
        Result("https://cdn.example/mask.mp4", optional=True, role="mask"),
    )
    assert told.progress == 100
    failed = RULES.read(answered({**DONE, "status": "failed", "error_message": "no face"}), task())
    assert failed.error == "no face"


def test_callers_see_our_ids_and_links_only() -> None:
    body = FACE.render(task(State.SUCCEEDED, snapshot=DONE, results=1), PlainLinks()).body
    assert body == {**DONE, "job_id": OURS, "cdn_url": f"https://gw/assets/{OURS}/0?sig=1"}
    waiting = FACE.render(task(State.SUBMITTING), PlainLinks()).body
    assert (waiting["job_id"], waiting["status"], waiting["progress_pct"]) == (OURS, "queued", 0)
    gone = FACE.render(task(State.FAILED, error="given up"), PlainLinks()).body
    assert (gone["status"], gone["error_message"]) == ("failed", "given up")


def test_the_model_leaves_as_the_channel_names_it() -> None:
    facts = Facts(model="V3_Preview", requested_model="V4_Preview")
    assert RENDER.patch(asked(ADDRESSES), facts) == {"model": "V3_Preview"}
    assert RENDER.patch(asked({**ADDRESSES, "model": "V3_Preview"}), facts) == {}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"ref_image_url": "x"}, "driving_video"),
        ({"driving_video_url": "x"}, "ref_image"),
        ({**ADDRESSES, "scene_id": "s"}, "character_id"),
        ({**ADDRESSES, "character_id": "c"}, "character_id"),
        ({**ADDRESSES, "character_mapping": '{"a": "b"}'}, "scene_id"),
        ({**ADDRESSES, "character_mapping": "[]"}, "character_mapping"),
        ({**ADDRESSES, "bg_color": "1,2,3"}, "bg_color"),
        ({**ADDRESSES, "fast": "true"}, "fast"),
    ],
)
def test_what_does_not_go_together(fields: dict[str, str], param: str) -> None:
    with pytest.raises(Failure) as fault:
        asked(fields)
    assert fault.value.param == param


def test_what_is_prepared_is_named_and_made() -> None:
    several = asked({"scene_id": "s", "character_mapping": '{"1": "a", "2": "b"}'})
    assert RENDER.uses(several) == ["s", "a", "b"]
    assert RENDER.uses(asked({"scene_id": "s", "character_id": "c"})) == ["c", "s"]
    imported = operation(viggle_api, "scenes.import")
    told = {"id": "s1", "status": "pending", "credits_reserved": 15, "segments": []}
    assert imported.objects.makes(PlainRequest(), told) == [Made("s1", "scene")]
    assert imported.usage(PlainRequest(), answered(told)).cost == 150_000_000
    assert imported.usage(PlainRequest(), answered({"id": "s1"})).cost is None
    character = operation(viggle_api, "characters.preprocess")
    assert character.objects.makes(PlainRequest(), {"character_id": "c1"}) == [Made("c1", "character")]
    assert character.objects.makes(PlainRequest(), {"detail": "no"}) == []


def test_prices() -> None:
    book = PriceBook.shipped()
    dance = film(Picture(64, 64, "dance", b"dance"), 7.2)
    slow = asked({"ref_image_url": "https://example.com/a.png"}, ("driving_video", dance))
    quick = asked({"ref_image_url": "https://example.com/a.png", "fast": "true"}, ("driving_video", dance))
    for request, cost in ((slow, 80_000_000), (quick, 160_000_000), (asked(ADDRESSES), 100_000_000)):
        assert book.cost_of_call("V4_Preview", RENDER.estimate(request)) == cost
    assert book.cost_of_call("V3_Preview", RENDER.estimate(slow)) == 80_000_000
