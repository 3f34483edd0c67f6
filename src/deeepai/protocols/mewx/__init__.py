"""MewXAI's wire format: art QR codes, creative text, fusions with a style, and two families of drawn pictures.

Everything is a job: a submission answers with `img_uuid`, a GET tells of it, and a callback, which is flat, brings the
end. `code` decides whether an answer is good. Source: the vendor's pages of 2023 and 2024, and two public clients.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...declare import (
    DROP,
    Answer,
    AnyRequest,
    Failure,
    Json,
    Links,
    Local,
    ObjectCall,
    ObjectRules,
    Protocol,
    Reason,
    Reply,
    State,
    Task,
    TaskStatus,
    Text,
    UpstreamCall,
    View,
)
from ..common import bearer
from ..common.bodies import retyped, together
from ..common.errors import ErrorTable, no_retry, with_param
from ..common.jobs import FilePath, JobFormat, kept
from ..common.operations import Paths
from ..common.paths import get, is_id
from .bodies import (
    Code,
    Cute,
    Either,
    Fusion,
    Painting,
    Words,
    among,
    check_code,
    check_fusion,
    check_picture,
    check_words,
    read_either,
)
from .pages import CALLBACK
from .points import POINT, named, of_code, of_picture, one, parts

AT = Paths(("/mewx/api/v1", "/api/v1"), "/api/v1")
GOOD: dict[str, Json] = {"code": 0, "msg": "成功"}
TEMPLATE_TYPES = ("qrcode", "textart", "texthidden", "textshadow")
LARGEST = 10 * 2**20
_TASK = "5db30c80-8464-498d-8dc6-4c51320b30d6"
WORDS = {State.SUCCEEDED: 1, State.FAILED: -1, State.CANCELLED: -1}

# Jobs --------------------------------------------------------------------------------------------------------------


def duration(task: Task) -> float:
    """Return the seconds that a task has taken."""
    begun = task.started_at or task.submitted_at
    return round(max(0, (task.finished_at or begun) - begun) / 1000, 3)


JOBS = JobFormat(
    id="data.img_uuid",
    code="code",
    # Codes of errors are not published; a path without its task can mean one thing alone.
    gone=(404,),
    account=(401, 402),
    elsewhere_codes=(429, 500, 503),
    poll="/api/v1/images/detail?img_uuid={id}",
    body="data",
    states={"0": State.RUNNING, "1": State.SUCCEEDED, "-1": State.FAILED},
    error=("msg", "message"),
    files=(FilePath("urls[]", "image"),),
    show=lambda task, links: JOBS.own_answer(task, links),
    written={
        "data.status": lambda task: WORDS.get(task.state, 0),
        # The vendor's own account.
        "data.user_id": "",
    },
    beside={
        **GOOD,
        "data.urls": lambda task: DROP if task.results else [],
        "data.duration": duration,
        "data.qr_content": kept("qr_content", lambda task: ""),
    },
    keep=("qr_content",),
    hook="callback_url",
    hook_id="img_uuid",
    hook_body="data",
    interval=2.0,
    timeout=7200.0,
)


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read a poll's answer; where it says no reason, the state's number is none."""
    status = JOBS.read(answer, task)
    return replace(status, error="The vendor says no reason") if status.error == "-1" else status


def called_back(body: Json) -> str | None:
    """Return the id that a callback names: it is flat, and wrapped on one of the vendor's pages."""
    name = get(body, "img_uuid") or get(body, "data.img_uuid")
    return str(name) if is_id(name) else None


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission."""
    return Reply({**GOOD, "data": {"img_uuid": task.id}})


JOB = JOBS.job(lambda: str(uuid.uuid4()), read=read, hook_in=called_back, submitted=submitted)
PATCH = together(JOBS.patch, retyped)


def asked_id(request: AnyRequest) -> str:
    """Return the id that a detail asks for."""
    name = request.query.get("img_uuid")
    if not name:
        raise Failure(Reason.INVALID, "img_uuid is required", param="img_uuid")
    return name


# Lists -------------------------------------------------------------------------------------------------------------


def check_type(request: AnyRequest) -> None:
    """Judge which list is asked for."""
    among(request.query.get("type"), TEMPLATE_TYPES, "type")


def _list(
    rest: str, summary: Text, told: Json, *rows: int, query: Mapping[str, str] | None = None
) -> ObjectCall[object]:
    canonical, *others = AT.on_gateway(rest)
    return ObjectCall(
        name=rest.replace("/", "."),
        method="GET",
        path=canonical,
        aliases=tuple(others),
        upstream_template=f"{AT.vendor}/{rest}",
        rows=rows,
        summary=summary,
        media="none",
        query=tuple(query or ()),
        check=check_type if query else None,
        objects=ObjectRules(),
        example_params=query or {},
        example_answer={**GOOD, "data": told},
    )


# The caller's own --------------------------------------------------------------------------------------------------


async def computed(view: View[Either]) -> Reply:
    """Tell what a picture would cost."""
    found = parts(read_either(view.request))
    return Reply({**GOOD, "data": {**found, "allpoint": sum(found.values())}})


async def valid(view: View[Either]) -> Reply:
    """Tell that a picture could be submitted so."""
    read_either(view.request)
    return Reply({**GOOD, "data": True})


async def count(view: View[Any]) -> Reply:
    """Tell what the caller's key may spend, in points."""
    allowance = await view.allowance()
    return Reply({**GOOD, "data": {"count": max(0, allowance.available) // POINT}})


# The protocol ------------------------------------------------------------------------------------------------------

_CUTE: dict[str, Json] = {
    "type": "MX-CUTE",
    "args": {"prompt": "1girl, garden", "upscaler": 1, "ratio": 1, "extra_model": [], "audit": 0},
}
_PAINTING: dict[str, Json] = {
    "type": "default",
    "args": {"prompt": "a garden in the rain", "ratio": 1, "model": "76", "upscaler": 1, "extra_model": [], "audit": 0},
}
_EXTRA: dict[str, Json] = {
    "modelList": [{"name": "推荐", "list": [{"label": "动漫加强", "value": "100000", "initVal": 0.75}]}]
}
SUBMISSIONS = (
    AT.submit(
        "images/neuralstyle/generate",
        Text("Fuse a picture with a style", "生成图片融合(图片融合)"),
        name="neuralstyle",
        rows=(54, 61),
        body=Fusion,
        check=check_fusion,
        job=JOB,
        model=named("mewx-neuralstyle"),
        estimate=one,
        patch=PATCH,
        example={
            "source_img": "https://example.com/a.jpg",
            "source_mode": 1,
            "style_img": "https://example.com/style.jpg",
            "engine": 1,
            "cn_list": [{"type": 1, "weight": 60, "guidance_start": 0, "guidance_end": 1}],
            "type": "neuralstyle",
        },
    ),
    AT.submit(
        "images/generate",
        Text("Draw an art QR code", "生成图片(AI艺术二维码)"),
        name="qrcode",
        rows=(55, *range(62, 70)),
        body=Code,
        max_body=LARGEST,
        check=check_code,
        job=JOB,
        model=named("mewx-qrcode"),
        estimate=of_code,
        patch=PATCH,
        example={"prompt": "一朵花 --v 1.1", "qr_content": "https://example.com", "model": "67"},
    ),
    AT.submit(
        "images/shadow/generate",
        Text("Draw creative text", "生成创意文字(AI艺术字(艺术、光影、隐藏文字))"),
        name="shadow",
        rows=(56, 70, 71, 72),
        body=Words,
        check=check_words,
        job=JOB,
        model=lambda request: f"mewx-{request.body.type}",
        estimate=one,
        patch=PATCH,
        example={"type": "textshadow", "text": "星河", "template_id": 1, "ratio": 1},
    ),
    AT.submit(
        "mx/images/cute/generate",
        Text("Draw a Cute picture", "Cute 生成"),
        name="cute",
        rows=tuple(range(73, 79)),
        body=Cute,
        check=check_picture,
        job=JOB,
        model=named("mewx-cute"),
        estimate=of_picture,
        patch=PATCH,
        example=_CUTE,
    ),
    AT.submit(
        "mx/images/generate",
        Text("Draw an MX picture", "MX 生成"),
        name="mx",
        body=Painting,
        check=check_picture,
        job=JOB,
        model=named("mewx-mx"),
        estimate=of_picture,
        patch=PATCH,
        example=_PAINTING,
    ),
)


def _errors() -> ErrorTable[int]:
    codes = {reason.status: reason.status for reason in Reason}
    return ErrorTable(
        rows={},
        usual=codes,
        caller=400,
        server=500,
        shape=lambda code, failure, request_id: {"code": code, "msg": with_param(failure), "data": None},
        headers=no_retry,
    )


mewx = Protocol(
    name="mewx",
    local=True,
    title=Text("MewXAI (art QR codes, creative text)", "其他图像API2(星月熊)"),
    base_url="https://open-qr.mewx.art",
    env_key="MEWX_API_KEY",
    models=(
        *("mewx-qrcode", "mewx-textart", "mewx-texthidden", "mewx-textshadow"),
        *("mewx-neuralstyle", "mewx-cute", "mewx-mx"),
    ),
    own_paths=("/mewx/",),
    authorize=bearer,
    error=_errors(),
    channel_fault=JOBS.channel_fault,
    probe=UpstreamCall("/api/v1/user/count"),
    operations=(
        *SUBMISSIONS,
        CALLBACK,
        replace(
            AT.fetch(
                "images/detail",
                Text("Get a picture", "查询详情"),
                name="detail",
                rows=(58,),
                task=asked_id,
                query=("img_uuid",),
            ),
            example_params={"img_uuid": _TASK},
        ),
        _list(
            "template/list",
            Text("List templates", "获取模板列表"),
            [{"id": 1, "name": "花绘", "preview_img": "https://example.com/1.jpeg"}],
            59,
            query={"type": "qrcode"},
        ),
        _list(
            "model/list",
            Text("List models", "获取模型列表"),
            [{"name": "卡通插画", "value": "67", "label": "卡通插画"}],
            60,
            query={"type": "qrcode"},
        ),
        _list("mx/images/cute/extraList", Text("List what Cute mixes in", "Cute 融合模型列表"), _EXTRA),
        _list(
            "mx/images/modelList",
            Text("List MX models", "MX 模型列表"),
            {"modelList": [{"value": "76", "label": "真绘", "isExtra": True}]},
        ),
        _list("mx/images/extraList", Text("List what MX mixes in", "MX 融合模型列表"), _EXTRA),
        *(
            Local(
                name=name,
                method="POST",
                path=AT.on_gateway(rest)[0],
                aliases=AT.on_gateway(rest)[1:],
                summary=summary,
                body=Either,
                example=_CUTE,
                example_answer={**GOOD, "data": told},
                answer=answer,
            )
            for name, rest, summary, told, answer in (
                (
                    "computed",
                    "mx/images/computed",
                    Text("Ask what a picture costs", "计算点数"),
                    {"audit": 0, "fix_faces": 0, "upscaler": 1, "allpoint": 1},
                    computed,
                ),
                ("checkPayload", "mx/validate/checkPayload", Text("Check a submission", "校验参数"), True, valid),
            )
        ),
        AT.own(
            "user/count",
            Text("What is left, in points", "查询剩余点数"),
            name="count",
            example_answer={**GOOD, "data": {"count": 94}},
            answer=count,
        ),
    ),
)
