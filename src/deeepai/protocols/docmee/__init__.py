"""Docmee's (AiPPT) wire format: an outline, its text and a deck, step by step or at once; decks are edited as a tree.

Source: the vendor's open documents of 2024 to 2026 and its demonstration programs; relays put `/docmee/v1` before the
native paths. That failures come with HTTP status 200 is what its programs read: they look no further at any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ...declare import (
    AnyOperation,
    AnyRequest,
    Call,
    Failure,
    Json,
    Local,
    ObjectCall,
    ObjectRules,
    Protocol,
    Reason,
    Reply,
    Request,
    Stream,
    Text,
    UpstreamCall,
    Usage,
)
from ..common.bodies import one_of
from ..common.errors import ErrorTable, no_retry, with_param
from . import bodies
from .decks import (
    COVERS,
    FILES,
    address_of_text,
    deck_under,
    made,
    missing,
    names_template,
    parsed,
    renamed,
    shows_templates,
    shows_text,
    texts,
)
from .own import KEYS, api_info, create_token, list_decks
from .streams import DECK, ENDED, ENVELOPE, FILE, MODEL, NOTHING, PRESENTATION, STREAM, TREE, fault, used

PLACE = "/docmee/v1"
LARGEST = 64 * 1024 * 1024
BodyT = TypeVar("BodyT")
_DECK, _TEMPLATE = "1833839690764124160", "1815308477845987328"
_ADDRESS = f"https://example.com{PLACE}/data/6f1c4d3f9a510d1f4b1d7a11b7a1c9e2"
_OUTLINE = "# The future of AI\n## Today\n### What it can do\n#### Language"
_CONTENT = f"{_OUTLINE}\n- Models read, write and translate texts of any kind.\n"
_TREE: dict[str, Json] = {"version": "1.0", "width": 960, "height": 540, "font": [], "slideMasters": [], "pages": []}


def envelope(code: int, failure: Failure, request_id: str) -> Json:
    """Return a failure as answers have it."""
    return {"code": code, "message": with_param(failure), "data": None}


_table = ErrorTable(
    rows={
        Reason.INVALID: (200, 1010),
        Reason.UNAUTHENTICATED: (200, 98),
        Reason.UNFUNDED: (200, 88),
        Reason.FORBIDDEN: (200, 1003),
        Reason.MODERATED: (200, 1006),
        Reason.NOT_FOUND: (200, 1001),
        Reason.NO_MODEL: (200, 1009),
        Reason.CONFLICT: (200, 1010),
        Reason.UNPROCESSABLE: (200, 1010),
        Reason.RATE_LIMITED: (200, 1012),
        Reason.INTERNAL: (200, -1),
        Reason.UPSTREAM: (200, 1009),
        Reason.UNAVAILABLE: (200, 1009),
        Reason.TIMEOUT: (200, 1009),
    },
    caller=1010,
    server=-1,
    shape=envelope,
    headers=no_retry,
)


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure: with a code of the vendor's, or what HTTP itself says of a path that nobody has."""
    if operation is None and failure.kind is Reason.NOT_FOUND:
        return Reply(envelope(1001, failure, request_id), failure.kind.status)
    return _table(failure, operation, request_id)


def model(request: AnyRequest) -> str:
    """Return the one model that there is."""
    return MODEL


def _at(path: str) -> dict[str, Any]:
    return {"path": PLACE + path, "upstream_template": path}


def _good(**data: Json) -> dict[str, Json]:
    return {"code": 0, "message": "操作成功", **data}


_INFO: dict[str, Json] = {
    "id": _DECK,
    "name": "The future of AI",
    "subject": "The future of AI",
    "coverUrl": "https://…",
    "fileUrl": "https://…",
    "templateId": _TEMPLATE,
    "pptxProperty": None,
    "userId": "1",
    "userName": "",
    "companyId": 1000,
    "updateTime": None,
    "createTime": "2026-01-01 10:00:00",
}
_PICKED: dict[str, Json] = {
    "id": _TEMPLATE,
    "type": 1,
    "coverUrl": "https://…",
    "category": "年终总结",
    "style": "商务科技",
    "themeColor": "#589AFD",
    "subject": "",
    "num": 20,
    "createTime": "2026-01-01 10:00:00",
}


def _call(name: str, path: str, summary: Text, body: type[Any] | None, **more: Any) -> AnyOperation:
    """Declare a call that costs nothing."""
    usual: dict[str, Any] = {"method": "POST", "objects": ObjectRules(), "shape": ENVELOPE}
    return ObjectCall(name=name, summary=summary, body=body, **(_at(path) | usual | more))


def _of_deck(under: str, **more: Any) -> ObjectRules[Any]:
    return ObjectRules(uses=deck_under(under), missing=missing, **more)


def _writes(name: str, path: str, summary: Text, body: type[BodyT], /, *rows: int, **more: Any) -> Stream[BodyT]:
    """Declare a call that writes, in events or at once."""
    usual: dict[str, Any] = {
        "objects": ObjectRules(uses=texts, missing=missing),
        "patch": address_of_text,
        "shape": ENVELOPE,
        "usage": used,
        "example_answer": _good(data={"text": _OUTLINE, "result": {"level": 1, "name": "The future of AI"}}),
        "answers": ("application/json", "text/event-stream"),
    }
    where: dict[str, Any] = {"name": name, "method": "POST", "summary": summary, "body": body, "rows": rows}
    return Stream(model=model, rules=STREAM, **(where | _at(path) | usual | more))


_MAKES: ObjectRules[Any] = ObjectRules(
    uses=texts, makes=made, scan_for=(b'"pptId"', b'"result"'), missing=missing, at_home=names_template
)
"""Of calls that make a deck: templates are those of the channel whose lists the caller sees."""


def _one_if_deck(request: Request[bodies.ContentBody]) -> Usage:
    return DECK if request.body.asyncGenPptx else NOTHING


def _direct(request: Request[bodies.DirectBody], facts: Any) -> dict[str, Any]:
    """Say that a stream is wanted, where nothing is said: what the vendor makes of that is told nowhere."""
    changes = address_of_text(request, facts)
    return changes if request.body.stream is not None else {**changes, "stream": True}


_KEYS: tuple[AnyOperation, ...] = (
    Local(
        name="createApiToken",
        method="POST",
        path=f"{PLACE}/api/user/createApiToken",
        summary=Text("Make a key for one of your users", "创建接口token"),
        rows=(154,),
        body=bodies.TokenBody,
        example={"uid": "user-17", "limit": 10, "timeOfHours": 2},
        example_answer=_good(data={"token": "sk_…", "expireTime": 7200, "uid": "user-17"}),
        fails=(Reason.FORBIDDEN,),
        answer=create_token,
    ),
    Local(
        name="apiInfo",
        method="GET",
        path=f"{PLACE}/api/user/apiInfo",
        summary=Text("How many decks are left", "查询API信息"),
        rows=(155,),
        media="none",
        example_answer=_good(data={"availableCount": 100, "usedCount": 0}),
        answer=api_info,
    ),
    KEYS,
)
_FILTERS: Mapping[str, Json] = {"type": 1, "category": "年终总结", "style": None, "themeColor": None}
_TEMPLATES: tuple[AnyOperation, ...] = (
    _call(
        "templates",
        "/api/ppt/templates",
        Text("List templates", "分页查询 PPT 模板"),
        bodies.TemplatesBody,
        rows=(156,),
        query=("lang",),
        example={"page": 1, "size": 10, "filters": _FILTERS},
        example_params={"lang": "zh-CN"},
        example_answer=_good(total=1, data=[_PICKED]),
        objects=ObjectRules(shows=shows_templates),
        outputs=COVERS,
    ),
    _call(
        "randomTemplates",
        "/api/ppt/randomTemplates",
        Text("Some templates by chance", "随机 PPT 模板"),
        bodies.RandomBody,
        rows=(163,),
        query=("lang",),
        example={"size": 1, "filters": {"type": 1, "neq_id": []}},
        example_params={"lang": "zh-CN"},
        example_answer=_good(total=1, data=[_PICKED]),
        objects=ObjectRules(shows=shows_templates),
        outputs=COVERS,
    ),
    _call(
        "template.options",
        "/api/ppt/template/options",
        Text("What templates can be chosen by", "模板过滤选项"),
        None,
        method="GET",
        media="none",
        example_answer=_good(
            data={"category": [{"name": "年终总结", "value": "年终总结"}], "style": [], "themeColor": []}
        ),
    ),
)
_TEXTS: tuple[AnyOperation, ...] = (
    _call(
        "parseFileData",
        "/api/ppt/parseFileData",
        Text("Read a file, a text or a page", "解析文件内容"),
        bodies.ParseForm,
        rows=(160,),
        media="form",
        files={"file": False},
        max_body=LARGEST,
        check=bodies.needs("file", "content", "fileUrl", "website", "websearch"),
        objects=ObjectRules(makes=parsed, shows=shows_text),
        example={"content": "What the deck is to be about."},
        example_answer=_good(data={"dataUrl": _ADDRESS}),
    ),
    _writes(
        "generateOutline",
        "/api/ppt/generateOutline",
        Text("Write an outline", "生成大纲"),
        bodies.OutlineBody,
        161,
        check=one_of("subject", "dataUrl"),
        free=True,
        example={"subject": "The future of AI", "length": "short", "lang": "en", "dataUrl": _ADDRESS, "stream": False},
    ),
    _writes(
        "updateOutline",
        "/ppt/updateOutline",
        Text("Change an outline", "修改大纲"),
        bodies.UpdateBody,
        158,
        path=f"{PLACE}/api/ppt/updateOutline",
        aliases=(f"{PLACE}/ppt/updateOutline",),
        free=True,
        objects=None,
        patch=None,
        example={"outlineMarkdown": _OUTLINE, "question": "让大纲更专业", "stream": False},
    ),
    _writes(
        "generateContent",
        "/api/ppt/generateContent",
        Text("Fill an outline; with `asyncGenPptx` a deck is made meanwhile", "生成大纲内容，可同时异步生成PPT"),
        bodies.ContentBody,
        *(162, 171),
        objects=_MAKES,
        estimate=_one_if_deck,
        example={"outlineMarkdown": _OUTLINE, "asyncGenPptx": False, "dataUrl": _ADDRESS, "stream": False},
    ),
)
_DECKS: tuple[AnyOperation, ...] = (
    Call(
        name="generatePptx",
        method="POST",
        path=f"{PLACE}/api/ppt/generatePptx",
        upstream_template="/api/ppt/generatePptx",
        summary=Text("Make a deck", "生成PPT"),
        body=bodies.DeckBody,
        model=model,
        objects=_MAKES,
        shape=ENVELOPE,
        usage=used,
        outputs=FILES,
        example={"outlineContentMarkdown": _CONTENT, "templateId": None, "pptxProperty": False},
        example_answer=_good(data={"pptInfo": _INFO}),
    ),
    _writes(
        "directGeneratePptx",
        "/api/ppt/directGeneratePptx",
        Text("Make a deck at once", "直接生成PPT"),
        bodies.DirectBody,
        164,
        check=one_of("subject", "dataUrl"),
        objects=_MAKES,
        outputs=FILES,
        patch=_direct,
        estimate=lambda request: DECK,
        example={"subject": "The future of AI", "length": "short", "dataUrl": _ADDRESS, "stream": False},
        example_answer=_good(data={"pptInfo": _INFO}),
    ),
    _call(
        "asyncPptInfo",
        "/api/ppt/asyncPptInfo",
        Text("How far a deck is", "查询异步生成PPT信息"),
        None,
        rows=(172,),
        method="GET",
        media="none",
        query=("pptId",),
        example_params={"pptId": _DECK},
        objects=_of_deck("query.pptId"),
        example_answer=_good(data={"total": 23, "current": 8, "pptxProperty": "H4sI…"}),
    ),
    Local(
        name="listPptx",
        method="POST",
        path=f"{PLACE}/api/ppt/listPptx",
        summary=Text("List decks", "获取 PPT 列表"),
        rows=(165,),
        body=bodies.ListBody,
        example={"page": 1, "size": 10},
        example_answer=_good(total=1, data=[_INFO]),
        answer=list_decks,
    ),
    _call(
        "loadPptx",
        "/api/ppt/loadPptx",
        Text("Load a deck with its tree", "加载 PPT 数据"),
        None,
        rows=(166,),
        method="GET",
        media="none",
        query=("id",),
        example_params={"id": _DECK},
        objects=_of_deck("query.id", makes=made),
        outputs=FILES,
        example_answer=_good(data={"pptInfo": _INFO | {"pptxProperty": "H4sI…"}}),
    ),
    _call(
        "loadPptxMarkdown",
        "/api/ppt/loadPptxMarkdown",
        Text("Load a deck's text", "加载 PPT 文本"),
        bodies.MarkdownBody,
        objects=_of_deck("body.id"),
        example={"id": _DECK, "format": "text"},
        example_answer=_good(data={"markdownText": _CONTENT}),
    ),
    _call(
        "downloadPptx",
        "/api/ppt/downloadPptx",
        Text("Get a deck's file", "下载 PPT"),
        bodies.DownloadBody,
        rows=(167,),
        objects=_of_deck("body.id", makes=made),
        outputs=FILES,
        example={"id": _DECK, "refresh": False},
        example_answer=_good(
            data={"id": _DECK, "name": "The future of AI", "subject": "The future of AI", "fileUrl": "https://…"}
        ),
    ),
    _call(
        "updatePptTemplate",
        "/api/ppt/updatePptTemplate",
        Text("Change a deck's template", "更换 PPT 模板"),
        bodies.TemplateBody,
        rows=(157,),
        objects=_of_deck("body.pptId", makes=made),
        example={"pptId": _DECK, "templateId": _TEMPLATE, "sync": True},
        example_answer=_good(data={"pptId": _DECK, "templateId": _TEMPLATE, "pptxProperty": _TREE}),
    ),
    _call(
        "updatePptxAttr",
        "/api/ppt/updatePptxAttr",
        Text("Rename a deck", "更新 PPT 属性"),
        bodies.AttributesBody,
        rows=(168,),
        check=one_of("name", "subject"),
        objects=_of_deck("body.id", makes=renamed),
        example={"id": _DECK, "name": "A new name"},
        example_answer=_good(),
    ),
    _call(
        "savePptx",
        "/api/ppt/savePptx",
        Text("Save an edited deck", "保存 PPT"),
        bodies.SaveBody,
        rows=(169,),
        max_body=LARGEST,
        objects=_of_deck("body.id", makes=made),
        outputs=FILES,
        example={"id": _DECK, "drawPptx": True, "drawCover": True, "pptxProperty": _TREE},
        example_answer=_good(data={"pptInfo": _INFO}),
    ),
    _call(
        "delete",
        "/api/ppt/delete",
        Text("Delete a deck", "删除PPT"),
        bodies.IdBody,
        rows=(170,),
        shape=ENDED,
        objects=_of_deck("body.id", ends=deck_under("body.id")),
        example={"id": _DECK},
        example_answer=_good(),
    ),
)
_TREES: tuple[AnyOperation, ...] = (
    _call(
        "ppt2json",
        "/api/pptjson/ppt2json",
        Text("Turn a file into a tree", "ppt转json"),
        bodies.TreeForm,
        rows=(173,),
        media="multipart",
        files={"file": True},
        max_body=LARGEST,
        check=bodies.needs_file,
        shape=TREE,
        example={"uploadImage": "false"},
        example_answer=_TREE,
    ),
    _call(
        "json2ppt",
        "/api/pptjson/json2ppt",
        Text("Turn a tree into a file", "json转ppt"),
        bodies.TreeBody,
        rows=(174,),
        aliases=(f"{PLACE}/api/ppt/json2ppt",),
        max_body=LARGEST,
        shape=FILE,
        query=("animationType",),
        answers=(PRESENTATION,),
        example=_TREE,
        example_params={"animationType": "1"},
    ),
)

docmee = Protocol(
    name="docmee",
    local=True,
    title=Text("Docmee (official format)", "文多多(官方格式)"),
    base_url="https://open.docmee.cn",
    env_key="DOCMEE_API_KEY",
    env_base_url="DOCMEE_BASE_URL",
    models=("docmee-*",),
    own_paths=("/docmee/",),
    key_headers=("token", "api-key"),
    key_queries=("token",),
    # The vendor reads the one, other relays of its format the other.
    authorize=lambda credential: {"api-key": credential, "authorization": f"Bearer {credential}"},
    error=error,
    channel_fault=fault,
    probe=UpstreamCall("/api/ppt/template/options"),
    operations=(*_KEYS, *_TEMPLATES, *_TEXTS, *_DECKS, *_TREES),
)
