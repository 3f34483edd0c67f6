"""What Docmee's declaration reads and says, against the vendor's samples."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deeepai.declare import Answer, AnyOperation, Facts, Failure, Made, Reason
from deeepai.protocols.docmee import docmee
from deeepai.protocols.docmee.decks import made, shows_templates, shows_text
from deeepai.protocols.docmee.streams import DECK, STREAM, fault, used
from tests.protocols.plain import PlainLinks, PlainRequest, answered, asked, operation, sent_on

INFO = {"id": "1833839690764124160", "name": "A", "subject": "B", "coverUrl": "https://v/c.png", "fileUrl": None}
FACTS = Facts(model="docmee-ppt", requested_model="docmee-ppt")


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def op(name: str) -> Any:
    return operation(docmee, name)


def test_each_of_the_tree_s_rows_has_its_operation() -> None:
    rows = [row for one in docmee.operations for row in one.rows]
    assert sorted(rows) == list(range(154, 175))


def test_no_two_operations_share_a_path() -> None:
    paths = [(one.method, path) for one in docmee.operations for path in (one.path, *one.aliases)]
    assert len(set(paths)) == len(paths)
    assert ("POST", "/docmee/v1/ppt/updateOutline") in paths
    assert ("POST", "/docmee/v1/api/ppt/json2ppt") in paths


# What is charged ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "charged"),
    [
        ({"text": "# ", "status": 3}, False),
        ({"text": "", "status": 4, "result": {"level": 1, "name": "A", "children": []}}, False),
        ({"text": "", "status": 3, "pptId": "1", "total": 23, "current": 1}, True),
        ({"text": "", "status": 4, "result": INFO}, True),
        ({"status": -1, "error": "AI模型执行异常"}, False),
    ],
)
def test_an_event_costs_where_it_tells_of_a_deck(told: dict[str, Any], charged: bool) -> None:
    assert STREAM.usage(event(**told)) == (DECK if charged else None)


def test_whole_answers_cost_where_they_tell_of_a_deck() -> None:
    request = PlainRequest()
    assert used(request, answered({"code": 0, "data": {"pptInfo": INFO}})) == DECK
    assert used(request, answered({"code": 0, "data": {"text": "# A", "result": {}, "pptId": "1"}})) == DECK
    for value in (
        {"code": 1010, "message": "…"},
        {"code": 0, "data": {"text": "# A"}},
        {"code": 88, "data": {"pptId": "1"}},
    ):
        assert used(request, answered(value)) is None


def test_a_deck_while_a_text_streams_is_held_for_and_a_text_is_not() -> None:
    content = op("generateContent")
    for wanted, calls in ((True, 1), (False, 0), (None, 0)):
        assert content.estimate(asked(content, {"outlineMarkdown": "# A", "asyncGenPptx": wanted})).calls == calls


# Events ------------------------------------------------------------------------------------------------------------


def test_events_are_told_apart() -> None:
    assert STREAM.only_opens(event(text="", status=1))
    assert not STREAM.only_opens(event(text="# ", status=3))
    assert STREAM.is_last(event(text="", status=4, result={}))
    assert STREAM.failure(event(status=-1, error="x")) == {"error": "x"}
    assert STREAM.failure(event(text="-1", status=3)) is None
    said = json.loads(STREAM.error(Failure(Reason.UPSTREAM, "broken"), "r")[5:])
    assert (said["status"], said["text"], said["error"]) == (-1, "", "broken")
    assert STREAM.keep_alive is not None
    assert json.loads(STREAM.keep_alive[5:]) == {"text": "", "status": 3}


def test_a_stream_is_the_rule() -> None:
    direct = op("directGeneratePptx")
    for stream, wanted in ((None, True), (True, True), (False, False)):
        assert STREAM.wanted(asked(direct, {"subject": "A", "stream": stream})) is wanted
    assert sent_on(direct, {"subject": "A", "stream": None}, FACTS)["stream"] is True
    assert sent_on(direct, {"subject": "A", "stream": False}, FACTS)["stream"] is False


# Objects -----------------------------------------------------------------------------------------------------------


def test_decks_are_found_wherever_answers_tell_of_them() -> None:
    request = asked(op("generateContent"), {"outlineMarkdown": "# The sea\n## A", "templateId": "7"})
    facts = {"name": "A", "subject": "B", "coverUrl": "https://v/c.png"}
    for value in ({"data": {"pptInfo": INFO}}, {"status": 4, "result": INFO}, {"data": INFO}):
        assert made(request, value) == (Made(INFO["id"], "ppt", facts=facts),)
    assert made(request, {"pptId": "1"}) == (
        Made("1", "ppt", facts={"name": "The sea", "subject": "The sea", "templateId": "7"}),
    )
    assert made(request, {"status": 4, "result": {"level": 1, "name": "A"}}) == ()
    assert made(request, {"code": 1001, "data": None}) == ()


def test_a_text_has_an_address_of_ours_and_its_own_at_the_upstream() -> None:
    told = {"code": 0, "data": {"dataUrl": "https://v/secret?key=1"}}
    shown: Any = shows_text(told, PlainLinks())
    address = shown["data"]["dataUrl"]
    assert address.startswith("https://gw/docmee/v1/data/")
    assert "secret" not in address
    parse, outline = op("parseFileData"), op("generateOutline")
    (text,) = parse.objects.makes(PlainRequest(), told)
    request = asked(outline, {"dataUrl": address})
    assert list(outline.objects.uses(request)) == [text.id]
    facts = Facts(model="", requested_model="", objects={text.id: text.facts})
    assert sent_on(outline, {"dataUrl": address}, facts)["dataUrl"] == "https://v/secret?key=1"


def test_the_operator_s_own_templates_are_nobody_s() -> None:
    told = {"code": 0, "total": 9, "data": [{"id": "1", "type": 1}, {"id": "2", "type": 4}]}
    assert shows_templates(told, PlainLinks()) == {"code": 0, "total": 1, "data": [{"id": "1", "type": 1}]}
    alone = {"code": 0, "total": 9, "data": [{"id": "1", "type": 1}]}
    assert shows_templates(alone, PlainLinks()) is alone


# Failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.INVALID, 1010),
        (Reason.UNAUTHENTICATED, 98),
        (Reason.UNFUNDED, 88),
        (Reason.FORBIDDEN, 1003),
        (Reason.NOT_FOUND, 1001),
        (Reason.MODERATED, 1006),
        (Reason.RATE_LIMITED, 1012),
        (Reason.UPSTREAM, 1009),
        (Reason.UNAVAILABLE, 1009),
        (Reason.INTERNAL, -1),
    ],
)
def test_failures_have_the_vendor_s_codes(reason: Reason, code: int) -> None:
    declared: AnyOperation = op("generatePptx")
    reply = docmee.error(Failure(reason, "why", param="id"), declared, "r")
    assert (reply.status, reply.body) == (200, {"code": code, "message": "id: why", "data": None})
    assert reply.content_type == "application/json"


def test_codes_blame_the_operator_the_moment_or_the_caller() -> None:
    shape = op("generatePptx").shape
    for code in (88, 98, 99):
        assert fault(answered({"code": code, "message": "…"}))
        assert shape.failed({"code": code, "message": "…"})
    for code in (-1, 1002, 1009, 1012):
        assert not fault(answered({"code": code, "message": "…"}))
        assert shape.failed({"code": code, "message": "…"})
    for code in (0, 1001, 1003, 1006, 1010):
        assert not fault(answered({"code": code, "message": "…"}))
        assert shape.failed({"code": code, "message": "…"}) is None
    assert fault(Answer(401, {}, b""))
