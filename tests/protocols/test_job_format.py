"""Jobs as data: paths, the mirror, parts; and formats in the shapes that vendors have."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.declare import (
    DROP,
    Accepted,
    Child,
    Facts,
    Failure,
    Hook,
    Links,
    Reason,
    Refused,
    Result,
    State,
    Task,
    UpstreamCall,
    Usage,
)
from deeepai.protocols.common.errors import ErrorTable, no_retry
from deeepai.protocols.common.jobs import ChildPath, FilePath, JobFormat, kept
from deeepai.protocols.common.paths import each, get, mirror, put
from deeepai.tasks.jobs import foreign
from tests.protocols.plain import PlainLinks, PlainRequest, answered

WORDS = {"queued": State.QUEUED, "working": State.RUNNING, "done": State.SUCCEEDED, "error": State.FAILED}
UNKNOWN = State.UNKNOWN

names = st.text("abcdefgh_", min_size=1, max_size=6)
# No text holds one of the ids below by chance.
leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.text("xyz .:/ü{}[]", max_size=8)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)
steps = st.lists(st.one_of(names, st.integers(0, 3)), min_size=1, max_size=5)


def show(task: Task, links: Links) -> Any:
    return {"own": task.id, "state": task.state, "files": dict(FORMAT.links(task, links))}


FORMAT = JobFormat(
    id="data.task_id",
    code="code",
    good=(0,),
    gone=(404,),
    elsewhere_codes=(1302,),
    answer_facts={"region": "data.region", "cost": "data.cost"},
    request_facts={"kind": "params.kind", "mode": "body.mode", "length": "body.input.length"},
    children_at_once=(ChildPath("data.clips[].id", "clip"),),
    poll="/v1/{kind}/{id}?region={region}",
    body="data",
    status="state",
    states=WORDS,
    progress="progress",
    error=("reasons[].text", "reason"),
    files=(FilePath("videos[].url", "video"), FilePath("videos[].cover", "cover", optional=True)),
    children=(ChildPath("videos[].id", "video", facts=("duration",)),),
    usage=lambda job, task: Usage(images=len(job["videos"])),
    show=show,
    written={"request_id": lambda task: f"req-{task.id}", "data.secret": lambda task: DROP},
    keep=("external_id", "input.length"),
    hook="callback_url",
    hook_secret="callback_secret",
    hook_id="task.id",
    hook_body="data",
    hook_each_change=True,
    interval=5.0,
)
JOB = FORMAT.job(new_id=lambda: "ours")


def task(state: State = State.RUNNING, **changes: Any) -> Task:
    known: dict[str, Any] = {"id": "ours-1", "operation": "x.make", "model": "m", "upstream_id": "their-task"}
    return Task(state=state, **{**known, **changes})


def request(body: Any = None, **params: str) -> PlainRequest:
    return PlainRequest(body=body, params=params)


@dataclasses.dataclass
class Input:
    length: int | None = None


@dataclasses.dataclass
class Body:
    mode: str | None = None
    input: Input = dataclasses.field(default_factory=Input)
    external_id: str | None = None
    callback_url: str | None = None
    callback_secret: str | None = None


# Paths -------------------------------------------------------------------------------------------------------------

NESTED = {"data": [{"id": 1, "clips": {"a": {"url": "A"}, "b": {"url": ""}, "c": {"url": "C"}}}, {"id": None}]}


@pytest.mark.parametrize(
    ("path", "standing"),
    [
        ("", [NESTED]),
        ("data[].id", [1]),
        ("data[0].id", [1]),
        ("data[1].id", []),
        ("data[7].id", []),
        ("data[].clips[].url", ["A", "C"]),
        ("data[0].clips[0].url", ["A"]),
        ("data.id", []),
        ("nothing.there", []),
    ],
)
def test_paths(path: str, standing: list[Any]) -> None:
    assert each(NESTED, path) == standing
    assert get(NESTED, path) == (standing[0] if standing else None)


def test_a_list_at_the_root() -> None:
    assert each([{"id": "a"}, {"id": "b"}], "[].id") == ["a", "b"]
    assert get([{"id": "a"}], "[0].id") == "a"


def at(where: list[str | int]) -> str:
    """Write steps as a path; a number stands for a list with that many items before."""
    path = ""
    for step in where:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def planted(where: list[str | int], value: Any) -> Any:
    for step in reversed(where):
        value = [*[None] * step, value] if isinstance(step, int) else {step: value}
    return value


@given(steps, st.text(min_size=1) | st.integers() | st.booleans())
def test_what_is_planted_is_read_where_it_stands(where: list[str | int], value: Any) -> None:
    tree = planted(where, value)
    assert each(tree, at(where)) == [value]
    everywhere = at(where).translate({ord(digit): None for digit in "0123"})
    assert value in each(tree, everywhere)
    assert get(put(tree, at(where), "new"), at(where)) == "new"
    assert put(tree, at(where), value) == tree
    assert each(put(tree, at(where), DROP), at(where)) == []


@given(trees, steps)
def test_paths_into_anything_are_no_fault(tree: Any, where: list[str | int]) -> None:
    before = json.dumps(tree)
    standing = each(tree, at(where))
    if not standing and put(tree, at(where), "new") != tree:
        # Null and the empty string are replaced, though nothing is said to stand there.
        assert "new" in each(put(tree, at(where), "new"), at(where))
    assert json.dumps(tree) == before


# The mirror --------------------------------------------------------------------------------------------------------

THEIRS, URL = "8319223457", "https://cdn.vendor/out/8319223457.mp4?Expires=1&Signature=a%2Fb"
FORMS: list[Any] = [
    THEIRS,
    int(THEIRS),
    URL,
    f"see {URL} and {THEIRS}.",
    {THEIRS: {"status": "done"}},
    json.dumps({"id": THEIRS, "url": URL}),
    f"task_{THEIRS}",
    f"https://api.vendor/v1/tasks/{THEIRS}?x=1",
]


@given(trees, steps, st.sampled_from(FORMS))
def test_no_word_of_the_vendor_leaks_and_nothing_else_changes(tree: Any, where: list[str | int], form: Any) -> None:
    words = {THEIRS: "1700000001", URL: "https://gw/assets/1700000001/0?sig=1"}
    assert mirror(tree, words) == tree
    whole = [tree, planted(where, form), {"beside": tree}]
    seen = mirror(whole, words)
    assert THEIRS not in json.dumps(seen)
    assert "cdn.vendor" not in json.dumps(seen)
    assert (seen[0], seen[2]) == (tree, {"beside": tree})
    assert "1700000001" in json.dumps(seen)


@given(trees)
def test_an_identifier_within_a_longer_one_is_another(tree: Any) -> None:
    value = [tree, f"1{THEIRS}", f"{THEIRS}9", f"a{THEIRS}b", int(THEIRS) * 10, True, 77]
    assert mirror(value, {THEIRS: "ours", "77": "short", "True": "no"}) == [*value[:-1], "short"]


def test_longer_addresses_count_first_and_types_stay() -> None:
    words = {"https://v/a": "https://gw/0", "https://v/a.jpg": "https://gw/1", "12345678": "87654321"}
    assert mirror("https://v/a.jpg https://v/a", words) == "https://gw/1 https://gw/0"
    assert mirror({"id": 12345678, "n": 1.5}, words) == {"id": 87654321, "n": 1.5}
    assert mirror({"id": 12345678}, {"12345678": "uuid-ours"}) == {"id": "uuid-ours"}


# Submissions -------------------------------------------------------------------------------------------------------


def test_acceptance_keeps_facts_of_the_answer_and_of_the_request() -> None:
    said = {"code": 0, "data": {"task_id": 77, "region": "eu", "clips": [{"id": "c1"}, {"id": "c2"}, {"x": 1}]}}
    body = Body(mode="pro", input=Input(5))
    verdict = JOB.rules.accept(answered(said), request(body, kind="videos"))
    facts = {"region": "eu", "kind": "videos", "mode": "pro", "length": 5}
    assert verdict == Accepted("77", facts=facts, children=(Child("c1", "clip"), Child("c2", "clip")))
    # Another protocol's request has other fields.
    verdict = JOB.rules.accept(answered(said), request({"prompt": "x"}))
    assert isinstance(verdict, Accepted)
    assert verdict.facts == {"region": "eu"}


@pytest.mark.parametrize(
    ("said", "status", "elsewhere"),
    [
        ({"code": 1302, "message": "busy"}, 200, True),
        ({"code": 1200, "message": "bad"}, 200, False),
        ({"code": 1200}, 429, True),
        ({"code": 0, "data": {}}, 200, False),
        ({"code": 0, "data": {"task_id": ""}}, 200, False),
        ({"code": 0, "data": {"task_id": True}}, 200, False),
        ({"code": [0], "data": {"task_id": "x"}}, 200, False),
        ("a page", 503, True),
        ([], 200, False),
    ],
)
def test_refusals(said: Any, status: int, elsewhere: bool) -> None:
    worded = status == 200 and isinstance(said, dict) and said["code"] in (1302, 1200)
    assert JOB.rules.accept(answered(said, status), request(Body())) == Refused(elsewhere, worded)


def test_an_id_that_comes_later() -> None:
    later = dataclasses.replace(FORMAT, id_later=True).job(new_id=str)
    verdict = later.rules.accept(answered({"code": 0, "data": {"region": "eu"}}), request(Body()))
    assert verdict == Accepted("", UNKNOWN, facts={"region": "eu"})
    assert isinstance(later.rules.accept(answered({"code": 1}), request(Body())), Refused)


def test_where_to_ask() -> None:
    known = task(facts={"region": "eu", "kind": "a/b"}, params={"kind": "images"}, upstream_id="1,2 &x")
    assert JOB.rules.poll(known) == UpstreamCall("/v1/a%2Fb/1,2%20%26x?region=eu")


def test_the_caller_s_callback_is_the_gateway_s() -> None:
    body = Body(callback_url="https://caller/hook", callback_secret="s", external_id="order-17", input=Input(5))
    assert JOB.face.hook is not None
    assert JOB.face.keep is not None
    assert JOB.face.hook(request(body)) == Hook("https://caller/hook", "s")
    assert JOB.face.hook(request(Body())) is None
    assert JOB.face.keep(request(body)) == {"external_id": "order-17", "input.length": 5}
    ours = Facts(model="m", requested_model="m", hook_url="https://gw/hooks/1")
    none = Facts(model="m", requested_model="m")
    assert FORMAT.patch(request(body), ours) == {"callback_url": "https://gw/hooks/1", "callback_secret": DROP}
    assert FORMAT.patch(request(body), none) == {"callback_url": DROP, "callback_secret": DROP}
    assert FORMAT.patch(request(Body()), none) == {}
    assert JOB.rules.hook_in is not None
    assert JOB.rules.hook_in({"task": {"id": 12}}) == "12"
    assert JOB.rules.hook_in(["x"]) is None


# Polls -------------------------------------------------------------------------------------------------------------

DONE: dict[str, Any] = {
    "code": 0,
    "request_id": "their-request",
    "data": {
        "task_id": "their-task",
        "state": "DONE",
        "secret": "s",
        "videos": [
            {"id": "v1", "url": "https://v/1.mp4", "cover": "https://v/1.jpg", "duration": "5"},
            {"id": "v2", "url": "https://v/2.mp4", "cover": "", "duration": None},
        ],
    },
}


def test_the_end() -> None:
    status = JOB.rules.read(answered(DONE), task())
    assert status.state is State.SUCCEEDED
    films = [Result(f"https://v/{number}.mp4", role="video") for number in (1, 2)]
    assert status.results == (*films, Result("https://v/1.jpg", optional=True, role="cover"))
    assert status.children == (Child("v1", "video", {"duration": "5"}), Child("v2", "video"))
    assert (status.usage, status.share) == (Usage(images=2), 1.0)


@pytest.mark.parametrize(
    ("said", "state", "progress", "error"),
    [
        ({"code": 0, "data": {"state": "queued"}}, State.QUEUED, None, None),
        ({"code": 0, "data": {"state": "Working", "progress": "46%"}}, State.RUNNING, 46, None),
        ({"code": 0, "data": {"state": "of tomorrow", "progress": 130}}, State.RUNNING, 100, None),
        ({"code": 0, "data": {"state": "working", "progress": "nan"}}, State.RUNNING, None, None),
        ({"code": 0, "data": {"progress": [1]}}, State.RUNNING, None, None),
        ({"code": 0, "data": {"state": "error", "reason": "why"}}, State.FAILED, None, "why"),
        ({"code": 0, "data": {"state": "error", "reasons": [{"text": "a"}], "reason": "b"}}, State.FAILED, None, "a"),
        ({"code": 0, "data": {"state": "ERROR"}}, State.FAILED, None, "ERROR"),
        ({"code": 404, "data": None}, State.NOT_FOUND, None, None),
        ({"code": 0}, State.RUNNING, None, None),
        ({"code": 0, "data": ["x"]}, State.RUNNING, None, None),
        ("a page", State.RUNNING, None, None),
    ],
)
def test_states(said: Any, state: State, progress: int | None, error: str | None) -> None:
    status = JOB.rules.read(answered(said), task())
    assert (status.state, status.progress, status.error) == (state, progress, error)
    assert (status.results, status.usage) == ((), None)


# Parts -------------------------------------------------------------------------------------------------------------

CLIPS = JobFormat(
    id="clips[].id",
    poll="/feed?ids={id}",
    status="",
    states=WORDS,
    parts="[]",
    error=("[].message",),
    progress="[].progress",
    files=(FilePath("[].audio", "audio"), FilePath("[].image", "image")),
    children=(ChildPath("[].id", "clip"),),
    show=lambda task, links: [],
)
CLIP_JOB = CLIPS.job(new_id=str)


def test_a_job_of_parts_has_all_their_ids() -> None:
    said = {"status": "done", "clips": [{"id": "a"}, {"id": "b"}]}
    assert CLIP_JOB.rules.accept(answered(said), request()) == Accepted("a,b")
    assert CLIP_JOB.rules.poll(task(upstream_id="a,b")) == UpstreamCall("/feed?ids=a,b")


@given(st.lists(st.sampled_from([*WORDS, "of tomorrow", None]), max_size=5), st.integers(0, 2))
def test_parts(words: list[str | None], absent: int) -> None:
    """The job is final when all parts are, has ended well when any has, and costs what went well."""
    clips = [
        {"id": f"c{n}", "status": word, "audio": f"https://v/{n}.mp3", "message": "m"} for n, word in enumerate(words)
    ]
    ids = ",".join(f"c{number}" for number in range(max(1, len(words) + absent)))
    status = CLIP_JOB.rules.read(answered(clips), task(upstream_id=ids))
    states = [WORDS.get(str(word), State.RUNNING) for word in words]
    good = [number for number, state in enumerate(states) if state is State.SUCCEEDED]
    assert len(status.children) == len(words)
    if not words or absent or not all(state.final for state in states):
        assert not status.state.final
        assert (status.state is State.QUEUED) == (bool(words) and set(states) == {State.QUEUED})
        assert status.results == ()
    elif good:
        assert status.state is State.SUCCEEDED
        assert status.share == len(good) / len(words)
        assert [result.url for result in status.results] == [f"https://v/{number}.mp3" for number in good]
    else:
        assert (status.state, status.error, status.results) == (State.FAILED, "m", ())
    assert 0.0 < status.share <= 1.0


def test_files_of_parts_stand_in_the_order_of_the_paths() -> None:
    clips = [
        {"id": "a", "status": "done", "audio": "https://v/a.mp3", "image": "https://v/a.png"},
        {"id": "b", "status": "error", "audio": "https://v/b.mp3", "image": "https://v/a.png"},
        {"id": "c", "status": "done", "audio": "https://v/c.mp3", "image": "https://v/a.png"},
    ]
    seen = task(State.SUCCEEDED, upstream_id="a,b,c", snapshot=clips, results=3)
    status = CLIP_JOB.rules.read(answered(clips), seen)
    assert [result.url for result in status.results] == ["https://v/a.mp3", "https://v/c.mp3", "https://v/a.png"]
    shown = CLIP_JOB.face.render(seen, PlainLinks()).body
    asset = "https://gw/assets/ours-1/{}?sig=1".format
    assert [clip["audio"] for clip in shown] == [asset(0), "", asset(1)]
    assert {clip["image"] for clip in shown} == {asset(2)}
    assert [clip["id"] for clip in shown] == ["a", "b", "c"]


def test_parts_beside_a_state_of_the_whole() -> None:
    """The whole may fail before its parts say so; progress is the parts' mean."""
    both = dataclasses.replace(CLIPS, id="id", body="data", status="status", parts="clips[]", progress="clips[].at")
    rules = both.job(new_id=str).rules
    clips = {"a": {"status": "done", "at": 100}, "b": {"status": "working", "at": "31"}}
    running = rules.read(answered({"data": {"status": "done", "clips": clips}}), task())
    assert (running.state, running.progress) == (State.RUNNING, 66)
    failed = rules.read(answered({"data": {"status": "error", "clips": clips}}), task())
    assert (failed.state, failed.error) == (State.FAILED, "error")
    assert rules.read(answered({"data": {"status": "queued", "clips": {}}}), task()).state is State.QUEUED


# What callers see --------------------------------------------------------------------------------------------------


def test_the_vendor_s_own_answer_with_our_id_and_links() -> None:
    seen = task(State.SUCCEEDED, snapshot=DONE, results=3)
    shown = JOB.face.render(seen, PlainLinks()).body
    asset = "https://gw/assets/ours-1/{}?sig=1".format
    assert shown == {
        "code": 0,
        "request_id": "req-ours-1",
        "data": {
            "task_id": "ours-1",
            "state": "DONE",
            "videos": [
                {"id": "v1", "url": asset(0), "cover": asset(2), "duration": "5"},
                {"id": "v2", "url": asset(1), "cover": "", "duration": None},
            ],
        },
    }
    assert JOB.face.hook_message is not None
    assert JOB.face.hook_message(seen, PlainLinks()).body == shown["data"]


@pytest.mark.parametrize(
    ("state", "snapshot"),
    [
        (State.QUEUED, None),
        (State.FAILED, {"data": {"state": "working"}}),
        (State.CANCELLED, {"data": {"state": "done"}}),
        (State.RUNNING, {"data": {"state": "done"}}),
        (State.SUCCEEDED, {"id": "x", "status": "completed"}),
        (State.SUCCEEDED, []),
    ],
)
def test_what_the_vendor_s_answer_does_not_say(state: State, snapshot: Any) -> None:
    assert JOB.face.render(task(state, snapshot=snapshot), PlainLinks()).body["own"] == "ours-1"


def test_addresses_of_a_job_under_way_are_not_told() -> None:
    early = {"data": {"task_id": "their-task", "state": "working", "videos": [{"url": "https://v/preview.mp4"}]}}
    shown = JOB.face.render(task(snapshot=early), PlainLinks()).body
    assert shown == {"data": {"task_id": "ours-1", "state": "working", "videos": [{"url": ""}]}}


def test_another_vendor_s_task_tells_the_role_of_each_file() -> None:
    rules = foreign(JOB.rules)
    status = rules.read(answered(DONE), task())
    assert (status.snapshot, status.children) == ({"roles": ["video", "video", "cover"]}, ())
    assert len(status.results) == 3
    asset = "https://gw/assets/ours-1/{}?sig=1".format
    seen = task(State.SUCCEEDED, snapshot=status.snapshot, results=3)
    assert FORMAT.links(seen, PlainLinks()) == {"video": [asset(0), asset(1)], "cover": [asset(2)]}
    assert JOB.face.render(seen, PlainLinks()).body["files"] == {"video": [asset(0), asset(1)], "cover": [asset(2)]}
    # Where nobody told, the first file is of the format's first role.
    assert FORMAT.links(task(State.SUCCEEDED, results=2), PlainLinks()) == {"video": [asset(0)]}
    assert FORMAT.links(task(State.FAILED), PlainLinks()) == {}
    assert rules.read(answered({"data": {"state": "error"}}), task()).snapshot == {"roles": []}


@given(trees, st.sampled_from(["queued", "working", "done", "error"]))
def test_no_id_or_address_leaks_whatever_else_the_answer_holds(tree: Any, word: str) -> None:
    videos = [{"id": "v1", "url": URL, "cover": f"{URL}.jpg", "more": tree}]
    said = {"code": 0, "data": {"task_id": THEIRS, "state": word, "videos": videos, "note": [tree, f"{URL} {THEIRS}"]}}
    status = JOB.rules.read(answered(said), task(upstream_id=THEIRS))
    seen = task(status.state, upstream_id=THEIRS, snapshot=status.snapshot, results=len(status.results))
    shown = json.dumps(JOB.face.render(seen, PlainLinks()).body)
    assert THEIRS not in shown
    assert "cdn.vendor" not in shown
    assert json.dumps(tree) in shown


# The gateway's own answer ------------------------------------------------------------------------------------------

OWN = JobFormat(
    id="data.id",
    reference="order",
    code="code",
    account=(1102,),
    body="data",
    states={"Waiting": State.QUEUED, "done": State.SUCCEEDED, "ready": State.SUCCEEDED, "failed": State.FAILED},
    error=("reason.text",),
    files=(
        FilePath("videos[].url", "video", beside=lambda task, at: {"index": at}),
        FilePath("videos[].cover", "cover", optional=True),
        FilePath("songs[].url", "song"),
        FilePath("sheet", "sheet"),
    ),
    hidden=("parent.url",),
    show=lambda task, links: OWN.own_answer(task, links),
    written={"request_id": lambda task: f"req-{task.id}", "data.order": kept("order")},
    beside={"code": 0, "data.note": lambda task: DROP if task.error else "fine"},
)
OWN_JOB = OWN.below("/v1/videos").job(str)


def own(state: State, **changes: Any) -> Any:
    return OWN_JOB.face.render(task(state, **changes), PlainLinks()).body


def test_id_state_error_and_words_stand_where_the_format_has_them() -> None:
    frame = {"code": 0, "request_id": "req-ours-1"}
    waiting = {"id": "ours-1", "status": "Waiting", "note": "fine", "order": "17"}
    for state in (State.SUBMITTING, State.UNKNOWN, State.WAITING, State.QUEUED, State.RUNNING):
        assert own(state, request={"order": "17"}) == {**frame, "data": waiting}
    failed = {"id": "ours-1", "status": "failed", "reason": {"text": "why"}}
    for state in (State.FAILED, State.CANCELLED):
        assert own(state, error="why", request={"order": None}) == {**frame, "data": failed}
    assert own(State.FAILED)["data"]["reason"] == {"text": "failed"}
    assert (OWN.word(State.SUCCEEDED), OWN.word(State.RUNNING)) == ("done", "Waiting")


def test_links_stand_where_the_format_has_files() -> None:
    asset = "https://gw/assets/ours-1/{}?sig=1".format
    done = own(State.SUCCEEDED, results=4, snapshot={"roles": ["video", "video", "cover", "sheet"]})["data"]
    assert done["videos"] == [
        {"url": asset(0), "index": 0, "cover": asset(2)},
        {"url": asset(1), "index": 1, "cover": ""},
    ]
    assert (done["sheet"], "songs" in done) == (asset(3), False)
    assert "videos" not in own(State.SUCCEEDED, results=1, snapshot={"roles": ["song"]})["data"]


def test_what_is_hidden_is_shown_to_nobody() -> None:
    said = {"data": {"id": "x", "status": "READY", "parent": {"url": "https://v/old.mp4"}}}
    assert own(State.SUCCEEDED, snapshot=said)["data"] == {"id": "x", "status": "READY", "parent": {"url": ""}}


def test_a_caller_s_own_name_is_the_gateway_s_at_the_vendor() -> None:
    named, nameless = request({"order": "17"}), request({"order": None})
    sent = Facts(model="m", requested_model="m", reference="req_1")
    assert OWN.patch(named, sent) == {"order": "req_1"}
    assert OWN.patch(nameless, sent) == {}
    # Where the vendor finds jobs by it, each has one.
    assert OWN.below("/v1/videos").patch(nameless, sent) == {"order": "req_1"}
    assert OWN.patch(named, Facts(model="m", requested_model="m")) == {}
    assert OWN_JOB.face.keep is not None
    assert OWN_JOB.face.keep(named) == {"order": "17"}


def test_a_lost_submission_is_found_by_its_reference() -> None:
    rules = OWN_JOB.rules
    assert rules.find_lost is not None
    assert rules.found_lost is not None
    assert rules.find_lost("req/1") == UpstreamCall("/v1/videos/req%2F1")
    assert rules.found_lost(answered({"data": {"id": 77}}), "req/1") == "77"
    assert rules.found_lost(answered({"code": 404}), "req/1") is None
    assert rules.poll(task()) == UpstreamCall("/v1/videos/their-task")
    assert JOB.rules.find_lost is None


def test_codes_that_blame_the_account() -> None:
    assert OWN.channel_fault(answered({"code": 1102}, 429))
    assert OWN.channel_fault(answered("a page", 401))
    assert not OWN.channel_fault(answered({"code": 1303}, 429))
    assert not OWN.channel_fault(answered({"code": [1102]}))
    assert OWN_JOB.rules.accept(answered({"code": 1102}, 400), request({})) == Refused(retry_elsewhere=True)


# Odd functions and errors ------------------------------------------------------------------------------------------


def test_what_is_odd_stands_beside_the_format() -> None:
    odd = FORMAT.job(
        new_id=lambda: "n",
        poll=lambda task: UpstreamCall("/odd"),
        ends=lambda answer: answer.status == 410,
        find_lost=lambda reference: UpstreamCall(f"/lost/{reference}"),
    )
    assert odd.rules.poll(task()) == UpstreamCall("/odd")
    assert odd.rules.ends is not None
    assert odd.rules.ends(answered({}, 410))
    assert odd.rules.find_lost is not None
    assert odd.rules.find_lost("r") == UpstreamCall("/lost/r")
    assert (odd.rules.interval, odd.face.new_id(), odd.face.hook_each_change) == (5.0, "n", True)


def test_error_tables() -> None:
    table = ErrorTable(
        rows={Reason.UNFUNDED: (429, 1102)},
        caller=1200,
        server=5000,
        shape=lambda code, failure, request_id: {"code": code, "message": failure.message, "request_id": request_id},
        headers=no_retry,
    )
    unfunded = table(Failure(Reason.UNFUNDED, "no money"), None, "r1")
    assert unfunded.status == 429
    assert unfunded.body == {"code": 1102, "message": "no money", "request_id": "r1"}
    assert unfunded.headers == {"x-should-retry": "false"}
    invalid = table(Failure(Reason.INVALID, "bad"), None, "r2")
    assert (invalid.status, invalid.body["code"], invalid.headers) == (400, 1200, {})
    timeout = table(Failure(Reason.TIMEOUT, "slow"), None, "r3")
    assert (timeout.status, timeout.body["code"]) == (504, 5000)


def test_files_in_a_list_of_addresses() -> None:
    plain = JobFormat(
        id="id", states=WORDS, show=show, status="state", files=(FilePath("output[]", "video"),), written={}
    )
    done = task(State.SUCCEEDED, results=2, snapshot={"roles": ["video", "video"]})
    links = [PlainLinks().asset(done, number) for number in (0, 1)]
    assert plain.own_answer(done, PlainLinks()) == {"id": "ours-1", "state": "done", "output": links}
    assert plain.own_answer(task(State.RUNNING), PlainLinks()) == {"id": "ours-1", "state": "working"}
