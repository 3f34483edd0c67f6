"""Suno's declarations, without a gateway: bodies, names of clips, states, and what each shape shows."""

from __future__ import annotations

from typing import Any

import pytest

from deeepai.declare import Accepted, Child, Facts, Failure, Hook, Reason, Refused, State, Task, UpstreamCall, Usage
from deeepai.money.prices import PriceBook
from deeepai.protocols.suno import suno, suno_goamz, suno_tasks
from deeepai.protocols.suno.songs import as_task, must_be_done, own_clips, shown_clips, theirs
from tests.protocols.plain import PlainLinks, answered, asked, operation, sent_on

GENERATE, MUSIC, GOAMZ = (
    operation(suno, "generate"),
    operation(suno_tasks, "submit.music"),
    operation(suno_goamz, "music"),
)
SONG = {"prompt": "la", "tags": "folk", "title": "Rain", "mv": "chirp-v3-5"}
FACTS = Facts(model="suno_music", requested_model="suno_music", reference="req_1")


def clip(name: str, status: str = "complete", **more: Any) -> dict[str, Any]:
    urls = {
        "audio_url": f"https://cdn1.suno.ai/{name}.mp3",
        "video_url": "",
        "image_url": f"https://cdn2.suno.ai/{name}.jpeg",
    }
    return {"id": name, "status": status, "title": "Rain", **urls, "metadata": {"tags": "folk", "prompt": "la"}, **more}


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {
        "id": "0b8f4c1e-0000-4000-8000-000000000001",
        "operation": "suno.generate",
        "model": "suno_music",
        "upstream_id": "c1,c2",
        "request": {"action": "MUSIC", "fields": {**SONG}, "input": "{}"},
        "facts": {"named": ["c1", "c2"]},
        "submitted_at": 1_726_802_000_123,
    }
    return Task(state=state, **{**known, **changes})


# Bodies ------------------------------------------------------------------------------------------------------------


def test_rows_and_places() -> None:
    rows = {
        protocol.name: {row for each in protocol.operations for row in each.rows} for protocol in (suno, suno_goamz)
    }
    assert rows == {"suno": set(range(83, 113)), "suno_goamz": {79, 80, 81, 82}}
    assert {protocol.kin for protocol in (suno, suno_goamz, suno_tasks)} == {"suno"}
    paths = {GOAMZ.path, *GOAMZ.aliases}
    assert {"/suno/v1/v3.5/music", "/suno/v1/v3.0/music", "/suno/v1/mv-5/music", "/suno/v1/music"} <= paths
    assert {"/suno/submit/MUSIC", "/task/suno/v1/submit/music"} <= set(MUSIC.aliases)


def test_what_goes_to_the_web() -> None:
    body = {
        **SONG,
        "mv": "chirp-v3.0",
        "seed": 7,
        "task_id": "t",
        "notify_hook": "https://caller/",
        "metadata": {"a": 1},
    }
    sent = sent_on(GENERATE, body, FACTS)
    assert sent == {**SONG, "mv": "chirp-v3-0", "metadata": {"a": 1}}
    assert sent_on(GENERATE, {"prompt": "x"}, FACTS) == {"prompt": "x", "mv": "chirp-v3-5"}
    assert GENERATE.job.face.hook(asked(GENERATE, body)) == Hook("https://caller/")


def test_what_goes_to_a_relay_of_tasks() -> None:
    facts = Facts(
        model="suno_music", requested_model="suno_music", origin=task(State.SUCCEEDED), hook_url="https://gw/h"
    )
    body = {
        **SONG,
        "mv": "chirp-v4",
        "continue_clip_id": "c1",
        "notify_hook": "https://caller/",
        "negative_tags": "rap",
    }
    assert sent_on(MUSIC, body, facts) == {**body, "notify_hook": "https://gw/h", "task_id": "c1,c2"}
    assert sent_on(MUSIC, {"prompt": "x", "task_id": ""}, FACTS) == {"prompt": "x", "task_id": "", "mv": "chirp-v3-0"}


def test_what_goes_to_goamz() -> None:
    flat = {"prompt": "la", "tags": "folk", "mv": "chirp-v3-0", "title": "Rain", "unknown": 1}
    whole = {"custom_mode": True, "mv": "chirp-v3-5", "input": {"prompt": "la", "tags": "folk", "title": "Rain"}}
    # By the path, which a sample of an operation has.
    assert sent_on(GOAMZ, flat, FACTS) == {**whole, "unknown": 1}
    described = sent_on(GOAMZ, {"gpt_description_prompt": "rain"}, FACTS)
    assert (described["custom_mode"], described["input"]) == (False, {"gpt_description_prompt": "rain"})
    origin = task(
        State.SUCCEEDED, facts={"named": ["ours"]}, snapshot={"clips": [clip("real")]}, upstream_id="their-task"
    )
    facts = Facts(model="m", requested_model="m", origin=origin)
    own = {
        "custom_mode": True,
        "input": {"prompt": "x", "continue_clip_id": "ours", "continue_at": 9, "task_id": "ours-t"},
    }
    assert GOAMZ.origin.ids(asked(GOAMZ, own)) == ["ours", "ours-t"]
    sent = sent_on(GOAMZ, own, facts)["input"]
    assert sent == {"prompt": "x", "continue_clip_id": "real", "continue_at": 9, "task_id": "their-task"}


@pytest.mark.parametrize(
    ("declared", "body"),
    [
        (GENERATE, {"title": "x"}),
        (GENERATE, {**SONG, "task": "cover"}),
        (GENERATE, {**SONG, "task": "gen_stem"}),
        (GENERATE, {**SONG, "task": "artist_consistency", "artist_clip_id": "c"}),
        (GENERATE, {**SONG, "task": "infill", "continue_clip_id": "c", "infill_start_s": "9", "infill_end_s": 8}),
        (MUSIC, {"make_instrumental": True}),
        (GOAMZ, {"custom_mode": False, "input": {"prompt": "x"}}),
        (GOAMZ, {"custom_mode": True, "input": {"gpt_description_prompt": "x"}}),
    ],
)
def test_what_says_too_little(declared: Any, body: Any) -> None:
    with pytest.raises(Failure) as fault:
        asked(declared, body)
    assert fault.value.kind is Reason.INVALID
    assert fault.value.param


def test_the_newer_way_to_replace_a_section() -> None:
    params = {"continue_clip_id": "ours", "infill_start_s": 5, "infill_end_s": 20}
    body = {**SONG, "task": "fixed_infill", "metadata_params": params}
    assert GENERATE.origin.ids(asked(GENERATE, body)) == ["ours"]
    origin = task(State.SUCCEEDED, facts={"named": ["ours"]}, snapshot={"clips": [clip("real")]})
    facts = Facts(model="m", requested_model="m", origin=origin)
    assert sent_on(GENERATE, body, facts)["metadata_params"] == {**params, "continue_clip_id": "real"}


@pytest.mark.parametrize(
    ("declared", "body", "usd"),
    [
        (GENERATE, SONG, 0.1),
        (GENERATE, {**SONG, "task": "infill", "continue_clip_id": "c", "infill_start_s": 1, "infill_end_s": 9}, 0.108),
        (GENERATE, {**SONG, "task": "gen_stem", "continue_clip_id": "c"}, 0.1),
        (operation(suno, "concat"), {"clip_id": "c"}, 0.05),
        (operation(suno, "upload"), {"url": "https://a/b.mp3"}, 0.002),
        (operation(suno, "lyrics"), {"prompt": "x"}, 0.01),
        (GOAMZ, {"custom_mode": True, "input": SONG}, 0.1),
    ],
)
def test_prices(declared: Any, body: Any, usd: float) -> None:
    request = asked(declared, body)
    usage = declared.estimate(request) if declared.estimate is not None else Usage(calls=1)
    assert PriceBook.shipped().cost_of_call(declared.model(request), usage) == round(usd * 10**9)


def test_an_operator_may_price_by_version() -> None:
    book = PriceBook.shipped().overridden(
        {"suno_music": {"per_call": "0.1", "by": [{"when": {"mv": "chirp-v3-5"}, "per_call": "0.07"}]}}
    )
    for mv, usd in (("chirp-v3.5", 0.07), ("chirp-crow", 0.1)):
        usage = GENERATE.estimate(asked(GENERATE, {**SONG, "mv": mv}))
        assert book.cost_of_call("suno_music", usage) == round(usd * 10**9)


# Submissions and polls ---------------------------------------------------------------------------------------------


def test_clips_that_are_named_at_once_keep_their_names() -> None:
    rules = GENERATE.job.rules
    said = {"id": "b3c1", "clips": [clip("c1", "submitted"), clip("c2", "submitted")]}
    taken = rules.accept(answered(said), asked(GENERATE, SONG))
    assert isinstance(taken, Accepted)
    assert (taken.upstream_id, taken.children) == ("c1,c2", [Child("c1", "clip"), Child("c2", "clip")])
    assert taken.facts == {"clips": said["clips"], "named": ["c1", "c2"]}
    assert rules.poll(task()) == UpstreamCall("/feed/c1,c2")
    assert rules.accept(answered({"detail": "no"}, 400), asked(GENERATE, SONG)) == Refused()
    assert rules.accept(answered({"detail": "busy"}, 429), asked(GENERATE, SONG)) == Refused(retry_elsewhere=True)


@pytest.mark.parametrize(
    ("declared", "said", "upstream_id", "count"),
    [
        (MUSIC, {"code": "success", "message": "", "data": "t1"}, "t1", 2),
        (operation(suno_tasks, "submit.concat"), {"code": "success", "data": "t1"}, "t1", 1),
        (GOAMZ, {"code": 200, "data": {"task_id": "t1"}, "message": "success"}, "t1", 2),
    ],
)
def test_clips_that_are_not_named_yet_get_names(declared: Any, said: Any, upstream_id: str, count: int) -> None:
    taken = declared.job.rules.accept(answered(said), asked(declared, declared.example))
    assert isinstance(taken, Accepted)
    assert taken.upstream_id == upstream_id
    assert len({child.id for child in taken.children}) == count
    assert taken.facts["named"] == [child.id for child in taken.children]


def web(*clips: Any) -> Any:
    return list(clips)


def of_task(status: str, *clips: Any) -> Any:
    return {"code": "success", "data": {"task_id": "t1", "status": status, "data": list(clips), "fail_reason": ""}}


def of_goamz(status: str, *clips: Any) -> Any:
    return {"code": 200, "data": {"task_id": "t1", "status": status, "clips": {each["id"]: each for each in clips}}}


@pytest.mark.parametrize(
    ("declared", "said", "state", "share"),
    [
        (GENERATE, web(clip("c1", "submitted"), clip("c2", "queued")), State.QUEUED, 1.0),
        (GENERATE, web(clip("c1", "streaming"), clip("c2", "complete")), State.RUNNING, 1.0),
        (GENERATE, web(clip("c1"), clip("c2")), State.SUCCEEDED, 1.0),
        (GENERATE, web(clip("c1"), clip("c2", "error")), State.SUCCEEDED, 0.5),
        (GENERATE, web(clip("c1", "error"), clip("c2", "error")), State.FAILED, 1.0),
        (GENERATE, web(clip("c1")), State.RUNNING, 1.0),
        (GENERATE, web(), State.RUNNING, 1.0),
        (GENERATE, web(clip("c1"), clip("c2", audio_url="")), State.RUNNING, 1.0),
        (GENERATE, {"clips": [clip("c1"), clip("c2")]}, State.SUCCEEDED, 1.0),
        (GENERATE, {"detail": "later"}, State.RUNNING, 1.0),
        (MUSIC, of_task("NOT_START"), State.QUEUED, 1.0),
        (MUSIC, of_task("IN_PROGRESS", clip("c1"), clip("c2")), State.RUNNING, 1.0),
        (MUSIC, of_task("SUCCESS", clip("c1"), clip("c2")), State.SUCCEEDED, 1.0),
        (MUSIC, of_task("SUCCESS", clip("c1"), clip("c2", "error")), State.SUCCEEDED, 0.5),
        (MUSIC, of_task("SUCCESS"), State.FAILED, 1.0),
        (MUSIC, of_task("FAILURE"), State.FAILED, 1.0),
        (MUSIC, {"code": "success", "data": [clip("c1"), clip("c2")]}, State.SUCCEEDED, 1.0),
        (MUSIC, {"code": "task_not_exist", "message": "", "data": None}, State.NOT_FOUND, 1.0),
        (GOAMZ, of_goamz("pending"), State.QUEUED, 1.0),
        (GOAMZ, of_goamz("processing", clip("c1"), clip("c2", "streaming")), State.RUNNING, 1.0),
        (GOAMZ, of_goamz("completed", clip("c1"), clip("c2")), State.SUCCEEDED, 1.0),
        (GOAMZ, of_goamz("failed"), State.FAILED, 1.0),
    ],
)
def test_states(declared: Any, said: Any, state: State, share: float) -> None:
    status = declared.job.rules.read(answered(said), task(upstream_id="c1,c2" if declared is GENERATE else "t1"))
    assert (status.state, status.share) == (state, share)
    urls = [result.url for result in status.results if result.role == "audio"]
    assert len(urls) == (0 if state is not State.SUCCEEDED else 2 if share == 1.0 else 1)


# Shown -------------------------------------------------------------------------------------------------------------


def test_nothing_is_complete_before_its_files_are_kept() -> None:
    seen = task(
        snapshot={"clips": [clip("c1"), clip("c2", "streaming", audio_url="https://audiopipe.suno.ai/?item_id=c2")]}
    )
    first, second = shown_clips(seen, PlainLinks())
    assert (first["status"], first["audio_url"], second["audio_url"]) == ("streaming", "", "")
    done = task(State.SUCCEEDED, snapshot={"clips": [clip("c1"), clip("c2", "error")]}, results=2)
    first, second = shown_clips(done, PlainLinks())
    assert (first["status"], first["audio_url"]) == ("complete", f"https://gw/assets/{done.id}/0?sig=1")
    assert (first["prompt"], first["tags"], second["audio_url"], second["image_url"]) == ("la", "folk", "", "")


def test_names_of_ours_stand_for_the_vendor_s_ids() -> None:
    seen = task(
        State.SUCCEEDED, facts={"named": ["own-1", "own-2"]}, snapshot={"clips": [clip("real-1"), clip("real-2")]}
    )
    assert [each["id"] for each in own_clips(seen)] == ["own-1", "own-2"]
    assert [theirs(seen, name) for name in ("own-1", "own-2", "other")] == ["real-1", "real-2", "other"]
    early = task(facts={"named": ["own-1", "own-2"]}, snapshot={"clips": [clip("real-1", "streaming")]})
    assert [(each["id"], each["status"]) for each in own_clips(early)] == [
        ("own-1", "streaming"),
        ("own-2", "submitted"),
    ]
    assert own_clips(early)[1]["title"] == "Rain"
    single = task(State.SUCCEEDED, facts={"named": ["own"]}, snapshot={"clips": [clip("real")]})
    assert theirs(single, single.id) == "real"


def test_what_can_be_gone_on_from() -> None:
    done = task(State.SUCCEEDED, snapshot={"clips": [clip("c1"), clip("c2", "error")]})
    must_be_done(done, "c1")
    must_be_done(done, "a-voice-of-c1")
    for seen, name, word in (
        (done, "c2", "has failed"),
        (task(snapshot={"clips": [clip("c1")]}), "c1", "not finished"),
        (task(State.FAILED, error="x"), "c1", "has failed"),
        (done, done.id, "name one of them"),
    ):
        with pytest.raises(Failure, match=word):
            must_be_done(seen, name)


def test_the_web_s_answers() -> None:
    face = GENERATE.job.face
    said = {
        "clips": [clip("c1", "submitted", audio_url=""), clip("c2", "submitted", audio_url="")],
        "named": ["c1", "c2"],
    }
    made = face.submitted(task(State.QUEUED, facts=said), PlainLinks()).body
    assert (made["id"], made["status"], made["created_at"]) == (task().id, "complete", "2024-09-20T03:13:20.123Z")
    assert [(each["id"], each["status"]) for each in made["clips"]] == [("c1", "submitted"), ("c2", "submitted")]
    lost = face.submitted(task(State.UNKNOWN, facts={}), PlainLinks()).body
    assert len({each["id"] for each in lost["clips"]}) == 2


def test_the_other_shapes_show_it() -> None:
    done = task(
        State.SUCCEEDED,
        snapshot={"clips": [clip("c1"), clip("c2")]},
        results=4,
        started_at=1_726_802_001_000,
        finished_at=1_726_802_090_000,
        hook=Hook("https://caller/"),
    )
    told = as_task(done, PlainLinks())
    assert {name: told[name] for name in told if name != "data"} == {
        "task_id": done.id,
        "notify_hook": "https://caller/",
        "action": "MUSIC",
        "status": "SUCCESS",
        "fail_reason": "",
        "submit_time": 1_726_802_000,
        "start_time": 1_726_802_001,
        "finish_time": 1_726_802_090,
        "progress": "100%",
    }
    assert [each["id"] for each in told["data"]] == ["c1", "c2"]
    goamz = operation(suno_goamz, "music.get").render(None, done, PlainLinks()).body
    assert (goamz["code"], goamz["data"]["status"], list(goamz["data"]["clips"])) == (200, "completed", ["c1", "c2"])
    early = operation(suno_goamz, "music.get").render(None, task(State.QUEUED), PlainLinks()).body
    assert (early["data"]["status"], early["data"]["clips"]) == ("pending", {})
    failed = as_task(task(State.FAILED, error="no"), PlainLinks())
    assert (failed["status"], failed["fail_reason"], failed["progress"]) == ("FAILURE", "no", "100%")


def test_errors() -> None:
    unknown = Failure(Reason.NOT_FOUND, "Task 'x' was not found", code="task_not_found")
    assert suno.error(unknown, None, "r").status == 400
    assert suno.error(unknown, None, "r").body["error"]["code"] == "task_not_found"
    goamz = suno_goamz.error(unknown, None, "r")
    assert (goamz.status, goamz.body) == (400, {"code": 400, "message": "Task 'x' was not found", "data": None})
    tasks = suno_tasks.error(unknown, None, "r")
    assert (tasks.status, tasks.body["code"]) == (400, "task_not_exist")
    key = suno_tasks.error(Failure(Reason.UNAUTHENTICATED, "no"), None, "r")
    assert (key.status, key.body["error"]) == (401, {"message": "no", "type": "new_api_error"})
    assert suno_tasks.error(Failure(Reason.UNFUNDED, "no"), None, "r").status == 403
    assert suno.error(Failure(Reason.NOT_FOUND, "no such path"), None, "r").status == 404
