"""韦尼克's declaration against the samples of the vendor's manual."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Answer, Facts, Failure, Part, Reason, Refused, State, Task, TaskStatus
from deeepai.protocols.weinike import bodies, error, jobs, weinike
from tests.protocols.plain import PlainLinks, PlainRequest, answered, asked, operation, sent_on

RULES, FACE = jobs.JOB.rules, jobs.JOB.face
LINKS = PlainLinks()
UPSTREAM = "nPwMzmAesETyVQrJPvb7y4Wwg6asKpMC"
OURS = "A" * 32
RUNNING: dict[str, Any] = {
    "id": UPSTREAM,
    "input_text": "生成一份网络安全PPT",
    "ppt_title": "网络安全大赛",
    "introduce": "",
    "images_url": [{"url": "https://host/p1.png", "time": 3}, {"url": "https://host/p2.png", "time": 5}],
    "page_count": 18,
    "progress": 40,
    "status": 1,
    "state_description": "正在生成第7页",
    "note_status": 0,
    "process_url": f"https://host/preview?id={UPSTREAM}",
    "preview_url": "",
    "first_image_up_at": "2024-10-08 15:00:12",
    "created_at": "2024-10-08 15:00:00",
    "updated_at": "2024-10-08 15:00:20",
}
DONE = {**RUNNING, "status": 2, "progress": 100, "state_description": "生成完成"}


def good(data: Any, code: Any = 200) -> Answer:
    return answered({"code": code, "msg": "success", "data": data})


def task(state: State = State.RUNNING, model: str = bodies.DECK, **more: Any) -> Task:
    known: dict[str, Any] = {
        "upstream_id": UPSTREAM,
        "request": {"text": "x", "title": ""},
        "submitted_at": 1_728_370_800_000,
    }
    return Task(OURS, "weinike.ppt-create", model, state, **(known | more))


def told(data: Any, of: Task | None = None) -> TaskStatus:
    return RULES.read(good(data), of or task())


# Submissions -------------------------------------------------------------------------------------------------------


def test_an_accepted_submission() -> None:
    request = asked(operation(weinike, "ppt-create"), {"text": "生成一份网络安全PPT"})
    accepted = RULES.accept(good({"id": "cuymb9QUQ6BEuPGp3FKH8ZmxQzGVVM6e"}), request)
    assert accepted == Accepted("cuymb9QUQ6BEuPGp3FKH8ZmxQzGVVM6e")
    assert RULES.accept(good({"id": "x"}, "200"), request) == Accepted("x"), "one sample has the code as a text"
    assert FACE.submitted(task(), LINKS).body == {"code": 200, "msg": "success", "data": {"id": OURS}}


@pytest.mark.parametrize(("code", "elsewhere"), [(400, False), (404, False), (429, True), (500, True), (402, True)])
def test_a_refused_submission(code: int, elsewhere: bool) -> None:
    request = asked(operation(weinike, "ppt-create"), {"text": "x"})
    answer = answered({"code": code, "msg": "no", "data": {}})
    assert RULES.accept(answer, request) == Refused(elsewhere, worded=True)
    assert weinike.channel_fault(answer) is (code == 402)


def test_ids_look_like_the_vendor_s() -> None:
    name = FACE.new_id()
    assert len(name) == 32
    assert name.isalnum()
    assert name.isascii()


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({"note": "1"}, bodies.NOTES),
        ({"note": 1, "text": "x"}, bodies.NOTES),
        ({"note": "0", "text": "x"}, bodies.DECK),
        ({"custom_data": {"title": "x"}}, bodies.DECK),
        ({"custom_data": "{}", "text": ""}, bodies.TEMPLATE),
        ({"cover_id": "v2eRnb-1"}, bodies.TEMPLATE),
        ({}, bodies.TEMPLATE),
    ],
)
def test_what_is_made_of_a_deck(body: Any, model: str) -> None:
    declared = operation(weinike, "ppt-create-task")
    assert declared.model(asked(declared, {"id": OURS, **body})) == model


@pytest.mark.parametrize(
    "body", [{}, {"text": " "}, {"custom_data": {}}, {"custom_data": "{}"}, {"custom_data": "[", "text": "x"}]
)
def test_a_deck_of_nothing(body: Any) -> None:
    with pytest.raises(Failure) as failed:
        asked(operation(weinike, "ppt-create"), body)
    assert failed.value.kind is Reason.INVALID


def test_follow_ups_name_the_vendor_s_deck() -> None:
    facts = Facts("m", "m", origin=task())
    assert sent_on(operation(weinike, "ppt-create-task"), {"id": OURS, "note": "1"}, facts) == {
        "id": UPSTREAM,
        "note": "1",
    }
    page = operation(weinike, "ppt-page")
    assert sent_on(page, {"id": OURS, "page_index": 2, "type": "内容页"}, facts) == {
        "id": UPSTREAM,
        "slide_number": 2,
        "slide_type": "内容页",
    }
    sent = {"id": OURS, "slide_number": "3", "page_index": 2, "text": "x"}
    assert sent_on(page, sent, facts) == {"id": UPSTREAM, "slide_number": "3", "text": "x"}


def test_documents_under_either_name() -> None:
    facts = Facts("m", "m")
    file, thesis = operation(weinike, "ppt-create-file"), operation(weinike, "ppt-create-thesis")
    assert sent_on(file, {"file_key": "https://a/b.md"}, facts) == {"file_url": "https://a/b.md"}
    assert sent_on(file, {"file_url": "https://a/b.md"}, facts) == {"file_url": "https://a/b.md"}
    assert sent_on(thesis, {"file_url": "https://a/b.md"}, facts) == {"file_key": "https://a/b.md"}


# Polls -------------------------------------------------------------------------------------------------------------


def test_a_deck_under_way() -> None:
    status = told(RUNNING)
    assert (status.state, status.progress, status.results) == (State.RUNNING, 40, ())
    assert RULES.poll(task()).path == f"/apps/ppt-result?id={UPSTREAM}"
    assert RULES.preview is not None
    seen = task(snapshot=status.snapshot)
    assert RULES.preview(seen, 1) == "https://host/p2.png"
    assert RULES.preview(seen, 2) is None


def test_a_deck_that_is_done_is_asked_for_once_more() -> None:
    status = told(DONE)
    assert (status.state, status.progress) == (State.RUNNING, 99)
    drawn = task(snapshot=status.snapshot)
    assert RULES.poll(drawn).path == f"/apps/ppt-download?id={UPSTREAM}"
    early = RULES.read(answered({"code": 204, "msg": "请等待PPT生成完成...", "data": {}}), drawn)
    assert (early.state, early.snapshot) == (State.RUNNING, status.snapshot)
    ended = told({"download_url": "https://host/x.pptx"}, drawn)
    assert (ended.state, ended.progress) == (State.SUCCEEDED, 100)
    assert [(one.url, one.optional) for one in ended.results] == [
        ("https://host/p1.png", True),
        ("https://host/p2.png", True),
        ("https://host/x.pptx", False),
    ]


def test_a_failed_deck_and_one_that_is_gone() -> None:
    status = told({**RUNNING, "status": 3, "state_description": "生成失败: 内容违规"})
    assert (status.state, status.error) == (State.FAILED, "生成失败: 内容违规")
    assert RULES.read(answered({"code": 404, "msg": "no", "data": {}}), task()).state is State.NOT_FOUND


@pytest.mark.parametrize(
    "answer", [good(None), good([]), answered({"code": 500, "msg": "x", "data": {}}), answered([])]
)
def test_passing_trouble_forgets_nothing(answer: Answer) -> None:
    known = task(snapshot={"data": RUNNING}, progress=40)
    assert RULES.read(answer, known) == TaskStatus(State.RUNNING, known.snapshot, progress=40)


def test_notes_have_a_state_of_their_own() -> None:
    noted = task(model=bodies.NOTES)
    writing = told({**DONE, "note_status": 1}, noted)
    assert writing.state is State.RUNNING
    still = replace(noted, snapshot=writing.snapshot)
    assert RULES.poll(still).path.startswith("/apps/ppt-result")
    assert told({**DONE, "note_status": 3}, noted).state is State.FAILED
    done = replace(noted, snapshot=told({**DONE, "note_status": 2}, noted).snapshot)
    assert RULES.poll(done).path.startswith("/apps/ppt-download")


# Shown -------------------------------------------------------------------------------------------------------------


def data(of: Task) -> Any:
    body: Any = FACE.render(of, LINKS).body
    assert (body["code"], body["msg"]) == (200, "success")
    return body["data"]


def test_a_task_before_it_is_known() -> None:
    shown = data(task(State.QUEUED, request={"text": "生成一份网络安全PPT", "title": "网络安全大赛"}))
    assert shown.keys() == RUNNING.keys()
    assert (shown["status"], shown["progress"], shown["images_url"]) == (1, 0, [])
    assert (shown["input_text"], shown["ppt_title"]) == ("生成一份网络安全PPT", "网络安全大赛")
    assert shown["created_at"] == "2024-10-08 15:00:00"
    assert shown["preview_url"], "a client hands it on at once"


def test_a_task_under_way() -> None:
    shown = data(task(snapshot={"code": 200, "data": RUNNING}, progress=40))
    assert shown["images_url"] == [
        {"url": f"https://gw/weinike/apps/ppt-preview/{OURS}/0?sig=1", "time": 3},
        {"url": f"https://gw/weinike/apps/ppt-preview/{OURS}/1?sig=1", "time": 5},
    ]
    assert (shown["id"], shown["page_count"], shown["state_description"]) == (OURS, 18, "正在生成第7页")
    assert "host" not in str(shown).replace("https://gw", "")
    assert UPSTREAM not in str(shown)


def test_what_is_being_kept_is_not_done() -> None:
    shown = data(task(snapshot={"data": DONE}, progress=99))
    assert (shown["status"], shown["progress"], shown["state_description"]) == (1, 99, "正在保存文件")


def test_a_task_that_is_done() -> None:
    ended = task(State.SUCCEEDED, snapshot={"data": DONE, "deck": "https://host/x.pptx"}, results=3, progress=100)
    shown = data(ended)
    assert [item["url"] for item in shown["images_url"]] == [f"https://gw/assets/{OURS}/{n}?sig=1" for n in (0, 1)]
    assert (shown["status"], shown["progress"], shown["state_description"]) == (2, 100, "生成完成")
    download = operation(weinike, "ppt-download")
    reply = download.render(PlainRequest(query={"id": OURS}), ended, LINKS)
    assert reply.body == {"code": 200, "msg": "success", "data": {"download_url": f"https://gw/assets/{OURS}/2?sig=1"}}
    page = jobs.view(ended, LINKS).body
    assert isinstance(page, bytes)
    assert page.count(b"<img") == 2


def test_a_task_that_failed() -> None:
    shown = data(task(State.FAILED, error="timed out", snapshot={"data": RUNNING}))
    assert (shown["status"], shown["state_description"]) == (3, "timed out")


@pytest.mark.parametrize(
    ("state", "query", "kind"),
    [
        (State.RUNNING, {}, Reason.CONFLICT),
        (State.FAILED, {}, Reason.UNPROCESSABLE),
        (State.SUCCEEDED, {"type": "pdf"}, Reason.INVALID),
    ],
)
def test_what_cannot_be_downloaded(state: State, query: Any, kind: Reason) -> None:
    with pytest.raises(Failure) as failed:
        jobs.download(PlainRequest(query=query), task(state), LINKS)
    assert failed.value.kind is kind


def test_a_page_holds_nothing_that_runs() -> None:
    page = jobs.view(task(request={"text": "<script>alert(1)</script>", "title": ""}), LINKS).body
    assert isinstance(page, bytes)
    assert b"<script" not in page
    assert b"&lt;script&gt;" in page


# Covers ------------------------------------------------------------------------------------------------------------


COVERS = {
    "code": 200,
    "msg": "success",
    "data": [
        {"cover_image": "http://host/a.png", "cover_id": "DBgQNU-0", "color": "橙色", "color_list": ["#FFFFFF"] * 12},
        {"cover_image": "http://host/b.png", "cover_id": "DBgQNU-1", "color": "橙色", "color_list": ["#FFFFFF"] * 12},
    ],
}


def test_covers_belong_to_their_caller() -> None:
    declared = operation(weinike, "ppt-cover")
    request = asked(declared, {"title": "网络安全大赛", "count": "2"})
    assert [made.id for made in declared.objects.makes(request, COVERS)] == ["DBgQNU-0", "DBgQNU-1"]
    assert declared.outputs.of(COVERS) == ["http://host/a.png", "http://host/b.png"]
    assert declared.estimate(request).images == declared.usage(request, answered(COVERS)).images == 2
    create = operation(weinike, "ppt-create")
    assert create.uses(asked(create, {"text": "x", "cover_id": "DBgQNU-0"})) == ("DBgQNU-0",)
    assert create.uses(asked(create, {"text": "x", "cover_id": "teCgNSsX"})) == (), "one of the vendor's list"
    assert create.uses(asked(create, {"text": "x"})) == ()


@pytest.mark.parametrize("count", [0, 5, "2.5", 1.5])
def test_how_many_covers(count: Any) -> None:
    with pytest.raises(Failure):
        asked(operation(weinike, "ppt-cover"), {"title": "x", "count": count})


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"code": 200}, None),
        ({"code": "200"}, None),
        ({"code": 204}, 400),
        ({"code": 401}, 401),
        ({"code": "503"}, 503),
        ({"code": -1}, 400),
        ({}, None),
        ([], None),
    ],
)
def test_refusals_with_a_good_status(said: Any, status: int | None) -> None:
    assert bodies.refused(said) == status


# Errors and bodies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (Reason.INVALID, 200, 400),
        (Reason.UNAUTHENTICATED, 200, 401),
        (Reason.UNFUNDED, 200, 402),
        (Reason.NOT_FOUND, 200, 404),
        (Reason.CONFLICT, 200, 204),
        (Reason.RATE_LIMITED, 429, 429),
        (Reason.UPSTREAM, 502, 502),
    ],
)
def test_errors(kind: Reason, status: int, code: int) -> None:
    reply = error(Failure(kind, "no", param="text"), operation(weinike, "ppt-create"), "req_1")
    assert (reply.status, reply.body) == (status, {"code": code, "msg": "text: no", "data": {}})


def test_an_unknown_path_keeps_its_status() -> None:
    assert error(Failure(Reason.NOT_FOUND, "no"), None, "req_1").status == 404


def test_forms_say_the_same() -> None:
    parts = [Part("custom_data", memoryview(b'{"title": "x"}')), Part("text", memoryview(b""))]
    body = msgspec.convert({part.name: part.text for part in parts}, bodies.CreateBody, strict=False)
    assert bodies.custom(PlainRequest(body=body, parts=parts)) == {"title": "x"}
