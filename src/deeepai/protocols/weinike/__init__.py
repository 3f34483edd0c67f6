"""韦尼克: decks by ChatPPT, the vendor YOO-AI's SaaS API.

Source: the vendor's manual (wiki.yoo-ai.com), its MCP servers and the clients of others; what is inferred is said where
it stands. Where relays have its paths is documented nowhere: they stand at all places where clients look for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...declare import (
    AnswerShape,
    AnyOperation,
    AnyRequest,
    Call,
    Failure,
    Fetch,
    Json,
    Media,
    ObjectCall,
    ObjectRules,
    Outputs,
    Protocol,
    Reason,
    Reply,
    Request,
    Submit,
    Text,
    Usage,
    whole,
)
from ..common import bearer
from ..common.bodies import one_of, origin_under
from ..common.errors import ErrorTable, with_param
from . import bodies, jobs
from .bodies import (
    ColourBody,
    CoverBody,
    CreateBody,
    EditorBody,
    FileBody,
    PageBody,
    StructureBody,
    TaskBody,
    named,
)

_PLACES = ("/weinike/apps", "/yoo/apps", "/chatppt/apps", "/apps")
_FOR_MCP = "/mcp/ppt"
_AT_BAIDU = "/api/v1/component/component/ppt/text2ppt/apps"
"""Where Baidu's AppBuilder serves it, whose SDK asks there."""
_DECK = "cuymb9QUQ6BEuPGp3FKH8ZmxQzGVVM6e"
_COVER = "DBgQNU-0"
_TITLE = "网络安全大赛"
_MOST = 8 * 1024 * 1024
"""Bytes of a body: all files are addresses."""

_ANSWER = AnswerShape(fields=("data",), refused=bodies.refused)
_OUTLINE: Json = {
    "title": _TITLE,
    "catalogs": [{"catalog": "网络安全威胁分析", "sub_catalog": ["新型网络攻击手段剖析", "勒索软件与数据保护策略"]}],
}
_COLOURS = ["#FFFFFF", "#581F00", "#FFFFFF", "#FFFDFB", "#F26C00", "#FFBC02", "#F88B36", "#FB9448", "#FE9E5B"]
_COVERS: Json = [
    {
        "cover_image": "https://…",
        "cover_id": _COVER,
        "color": "橙色",
        "color_list": [*_COLOURS, "#FFA86E", "#F26C00", "#FFBC02"],
    }
]


def _paths(name: str, *more: str) -> tuple[str, ...]:
    """Return where an operation stands: with the vendor's path at each place, and at further ones."""
    return tuple(f"{place}/{name}" for place in (*_PLACES, *more))


def _usual(name: str, *more: str, **odd: Any) -> dict[str, Any]:
    """Return the fields that most operations have alike, and those of one that are odd."""
    path, *aliases = _paths(name, *more)
    return {
        "name": name,
        "method": "POST",
        "path": path,
        "aliases": tuple(aliases),
        "upstream_template": f"/apps/{name}",
        "media": "any",
        "max_body": _MOST,
        **odd,
    }


def _answered(data: Json) -> Json:
    return {"code": 200, "msg": "success", "data": data}


def _deck(
    name: str,
    summary: Text,
    body: type[Any],
    example: dict[str, Json],
    *more: str,
    model: Callable[[Request[Any]], str] | None = None,
    **odd: Any,
) -> Submit[Any]:
    usual: dict[str, Any] = {"estimate": lambda request: Usage(calls=1), "uses": bodies.cover}
    return Submit(
        **_usual(name, *more),
        summary=summary,
        body=body,
        example=example,
        job=jobs.JOB,
        model=model or named(bodies.DECK),
        **(usual | odd),
    )


def _in_query(request: AnyRequest) -> str:
    return request.query.get("id", "")


def _of_deck(name: str, summary: Text, rows: tuple[int, ...], query: Sequence[str], **more: Any) -> Fetch[Any]:
    usual = _usual(name, _FOR_MCP, _AT_BAIDU, method="GET", media="none")
    return Fetch(**usual, summary=summary, rows=rows, task=_in_query, query=tuple(query), **more)


def _seen(name: str, summary: Text, path: str, answers: str, **more: Any) -> Media[Any]:
    """Declare what stands behind links of the gateway's own alone."""
    return Media(
        name=name,
        method="GET",
        path=path,
        summary=summary,
        media="none",
        answers=(answers,),
        task=lambda request: request.params["id"],
        **more,
    )


def _page(request: AnyRequest) -> int:
    number = whole(request.params["page"], 4)
    if number is None:
        raise Failure(Reason.NOT_FOUND, "There is no such page")
    return number


def _covers(name: str, summary: Text, row: int, body: type[Any], example: dict[str, Json]) -> AnyOperation:
    return Call(
        **_usual(name),
        summary=summary,
        rows=(row,),
        body=body,
        example=example,
        example_answer=_answered(_COVERS),
        check=bodies.check_count,
        model=named(bodies.COVER),
        estimate=bodies.covers_asked,
        usage=bodies.covers_made,
        shape=_ANSWER,
        objects=ObjectRules(uses=bodies.cover, makes=bodies.covers),
        outputs=Outputs(of=bodies.cover_images),
    )


_ERRORS: ErrorTable[int] = ErrorTable(
    rows={
        # What clients are to show to people comes with a good status, as from the vendor. What a load balancer or a
        # retry should know keeps its own.
        Reason.INVALID: (200, 400),
        Reason.UNAUTHENTICATED: (200, 401),
        Reason.UNFUNDED: (200, 402),
        Reason.FORBIDDEN: (200, 403),
        Reason.MODERATED: (200, 403),
        Reason.NOT_FOUND: (200, 404),
        Reason.NO_MODEL: (200, 404),
        # The vendor's own code of a deck that is not ready.
        Reason.CONFLICT: (200, 204),
        Reason.UNPROCESSABLE: (200, 422),
        Reason.BAD_METHOD: (405, 405),
        Reason.TOO_LARGE: (413, 413),
        Reason.BAD_MEDIA: (415, 415),
        Reason.RATE_LIMITED: (429, 429),
        Reason.INTERNAL: (500, 500),
        Reason.UPSTREAM: (502, 502),
        Reason.UNAVAILABLE: (503, 503),
        Reason.TIMEOUT: (504, 504),
    },
    caller=400,
    server=500,
    shape=lambda code, failure, request_id: {"code": code, "msg": with_param(failure), "data": {}},
)


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure: an integer code, and a message."""
    reply = _ERRORS(failure, operation, request_id)
    if operation is None:
        return Reply(reply.body, failure.kind.status, headers=reply.headers)
    return reply


weinike = Protocol(
    name="weinike",
    local=True,
    title=Text("韦尼克 (ChatPPT)", "韦尼克(官方格式)"),
    base_url="https://saas.api.yoo-ai.com",
    env_key="YOO_AI_API_KEY",
    models=("weinike-*",),
    own_paths=("/weinike/", "/yoo/", "/chatppt/", f"{_FOR_MCP}/", f"{_AT_BAIDU}/"),
    key_headers=("x-appbuilder-authorization", "accesstoken"),
    forward_headers=("clientuser",),
    authorize=bearer,
    error=error,
    channel_fault=jobs.FORMAT.channel_fault,
    operations=(
        _deck(
            "ppt-create",
            Text("Make a deck of a topic, a text or an outline", "申请PPT生成任务"),
            CreateBody,
            {"text": "生成一份网络安全PPT", "complex": 1, "color": "蓝色", "language": "zh-CN"},
            _FOR_MCP,
            _AT_BAIDU,
            rows=(175, 178),
            check=bodies.check_create,
        ),
        _of_deck(
            "ppt-result",
            Text("Get a deck's state and the pictures of its pages", "获取PPT生成状态和预览页"),
            (176, 179, 185, 186),
            ("id",),
        ),
        Call(
            **_usual("ppt-structure"),
            summary=Text("Make an outline", "通过描述生成PPT标题大纲"),
            rows=(177,),
            body=StructureBody,
            example={"title": _TITLE, "complex": 1},
            example_answer=_answered(_OUTLINE),
            check=bodies.check_structure,
            model=named(bodies.STRUCTURE),
            estimate=lambda request: Usage(calls=1),
            shape=_ANSWER,
        ),
        _covers(
            "ppt-cover",
            Text("Make covers to choose from", "根据标题生成封面预览图"),
            180,
            CoverBody,
            {"title": _TITLE, "count": 2, "user_name": "尤小优", "color": "绿色", "style": "小清新"},
        ),
        _covers(
            # Inferred: no page of the vendor's says where this stands.
            "ppt-cover-color",
            Text("Make a cover in other colours", "根据标题以及封面预览信息生成不同主题色的预览"),
            181,
            ColourBody,
            {"title": _TITLE, "cover_id": _COVER, "count": 4},
        ),
        ObjectCall(
            **_usual("ppt-cover-static", method="GET", media="none"),
            summary=Text("List templates", "获取模板"),
            query=("style", "color_style", "language", "limit"),
            example_params={"style": "商务风", "color_style": "蓝色", "language": "中文", "limit": "4"},
            example_answer=_answered(
                [
                    {
                        "style": "商务风",
                        "color_style": "蓝色",
                        "language": "中文",
                        "id": "teCgNSsX",
                        "cover_image": "https://…",
                    }
                ]
            ),
            objects=ObjectRules(),
            outputs=Outputs(of=bodies.cover_images, lasting=True),
        ),
        _deck(
            "ppt-page",
            Text("Put a page into a deck", "通过task_id增加PPT单页"),
            PageBody,
            {"id": _DECK, "text": "等级保护的五个级别", "slide_number": 3, "slide_type": "内容页"},
            rows=(182,),
            model=named(bodies.PAGE),
            origin=origin_under("id"),
            patch=bodies.paged,
        ),
        _deck(
            "ppt-create-task",
            Text(
                "Of a deck: its speaker's notes, another deck in its template, or the same in another template",
                "基于当前模板生成、更换模版、生成PPT备注",
            ),
            TaskBody,
            {"id": _DECK, "note": "1"},
            _FOR_MCP,
            rows=(183, 188, 189),
            check=bodies.check_task,
            model=bodies.task_model,
            origin=origin_under("id"),
            patch=bodies.at_vendor,
        ),
        _deck(
            "ppt-create-file",
            Text("Make a deck of a file", "短文本文件生成PPT"),
            FileBody,
            {"file_url": "https://example.com/report.md", "user_name": "尤小优"},
            _AT_BAIDU,
            rows=(184,),
            check=one_of("file_url", "file_key"),
            patch=bodies.filed("file_url"),
        ),
        _deck(
            "ppt-create-thesis",
            Text("Make a deck of a thesis or another document", "通过文件生成PPT"),
            FileBody,
            {"file_key": "https://example.com/thesis.docx", "style": "商务", "pleader": "张三", "advisor": "李四"},
            _AT_BAIDU,
            rows=(187,),
            check=one_of("file_key", "file_url"),
            patch=bodies.filed("file_key"),
        ),
        _of_deck(
            "ppt-download",
            Text("Get where a deck lies", "获取PPT下载链接"),
            (190,),
            ("id", "type"),
            render=jobs.download,
            example_params={"type": "pptx"},
            example_answer=_answered({"download_url": "https://…"}),
        ),
        Call(
            **_usual("ppt-editor", _FOR_MCP),
            summary=Text("Open a deck in the vendor's web editor", "PPT编辑器"),
            body=EditorBody,
            example={"id": _DECK, "expire": 86400},
            example_answer=_answered({"url": "https://…", "expire_time": 86400}),
            model=named(bodies.DECK),
            free=True,
            origin=origin_under("id"),
            patch=bodies.at_vendor,
            shape=_ANSWER,
        ),
        _seen(
            "ppt-preview",
            Text("Get the picture of a page", "预览页图片"),
            "/weinike/apps/ppt-preview/{id}/{page}",
            "image/*",
            number=_page,
            example_params={"page": "0"},
        ),
        _seen(
            "ppt-view",
            Text("See a deck grow, in a browser", "在浏览器中预览PPT"),
            "/weinike/apps/ppt-view/{id}",
            "text/html",
            page=jobs.view,
        ),
    ),
)
