"""Black Forest Labs' wire format (Flux): every model is one POST, the result is polled at an absolute address.

Source: the vendor's OpenAPI document, and its Python SDK.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..declare import (
    DROP,
    Answer,
    AnyOperation,
    AnyRequest,
    Facts,
    Failure,
    HookMessage,
    Json,
    Links,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Task,
    Text,
    UpstreamCall,
    Usage,
    View,
)
from .common.jobs import FilePath, JobFormat
from .common.operations import Paths
from .common.usage import amount

SLUGS = (
    *("flux-pro-1.1", "flux-pro", "flux-dev", "flux-pro-1.1-ultra", "flux-kontext-pro", "flux-kontext-max"),
    *("flux-pro-1.0-fill", "flux-pro-1.0-expand", "flux-pro-1.0-canny", "flux-pro-1.0-depth"),
    *("flux-pro-1.0-fill-finetuned", "flux-pro-1.1-ultra-finetuned"),
    *("flux-2-pro", "flux-2-pro-preview", "flux-2-max", "flux-2-flex"),
    *("flux-2-klein-4b", "flux-2-klein-9b", "flux-2-klein-9b-preview"),
)
AT = Paths(("/flux/v1", "/bfl/v1"), "/v1")
DEFAULT_MODEL = "flux-pro-1.1"
CREDIT = 10_000_000
"""10⁻⁹ USD: a credit is one cent."""


class GenerateBody(msgspec.Struct, omit_defaults=True):
    """Body of a generation; a model's other fields pass through."""

    prompt: Annotated[str, Meta(description="What to draw")] | None = None
    model: Annotated[str, Meta(description="Only at /flux/v1/image")] | None = None
    width: Annotated[int, Meta(ge=0, le=4096)] | None = None
    height: Annotated[int, Meta(ge=0, le=4096)] | None = None
    aspect_ratio: str | None = None
    seed: int | None = None
    output_format: Annotated[str, Meta(pattern="^(jpeg|png|webp)$")] | None = None
    input_image: str | None = None
    webhook_url: Annotated[str, Meta(min_length=1, max_length=2083)] | None = None
    webhook_secret: str | None = None


# Errors ------------------------------------------------------------------------------------------------------------


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as the vendor does: FastAPI's shape for 422, `detail` and `message` for the rest."""
    if failure.kind is Reason.UNAUTHENTICATED:
        return Reply({"detail": failure.message, "message": failure.message}, 403)
    if failure.kind is Reason.INVALID and failure.param is not None:
        where = failure.param.split(".")
        where = where if where[0] == "query" else ["body", *where]
        return Reply({"detail": [{"loc": where, "msg": failure.message, "type": "value_error"}]}, 422)
    # To clients, 403 is a bad key.
    status = 422 if failure.kind is Reason.MODERATED else failure.kind.status
    return Reply({"detail": failure.message, "message": failure.message}, status)


def channel_fault(answer: Answer) -> bool:
    """Bad key (the vendor says 403) or no credit."""
    return answer.status in (401, 402, 403)


# Submitting --------------------------------------------------------------------------------------------------------


def model(request: Request[GenerateBody]) -> str:
    """Find the model: in the path, or in the body of the generic path."""
    name = request.params.get("model", request.path.rsplit("/", 1)[-1])
    return request.body.model or DEFAULT_MODEL if name in ("", "image") else name


def estimate(request: Request[GenerateBody]) -> Usage:
    """One image, of the asked size; the vendor's default is 1024 x 1024."""
    area = (request.body.width or 1024) * (request.body.height or 1024) / 1_000_000
    return Usage(images=1, megapixels=area, input_megapixels=float(bool(request.body.input_image)), basis="estimated")


def patch(request: Request[GenerateBody], facts: Facts) -> dict[str, Any]:
    """Put the gateway's own webhook in the place of the caller's; the path names the model."""
    return JOBS.patch(request, facts) | ({} if request.body.model is None else {"model": DROP})


# Tasks -------------------------------------------------------------------------------------------------------------


def usage(job: Json, task: Task) -> Usage | None:
    """Return what the vendor says that a picture cost, at its end or else at the submission."""
    for said in (job, task.facts):
        credits = amount(said.get("cost"))
        if credits is not None:
            return Usage(
                images=1,
                cost=round(credits * CREDIT),
                megapixels=amount(said.get("output_mp")) or 0.0,
                input_megapixels=amount(said.get("input_mp")) or 0.0,
                basis="vendor",
            )
    return None


def poll(task: Task) -> UpstreamCall:
    """Ask where the vendor said to ask: a task is known in one region only."""
    url = task.facts.get("polling_url")
    return UpstreamCall(url) if isinstance(url, str) and url else JOBS.ask(task)


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission with a polling address of the gateway's own."""
    prices = {name: task.facts[name] for name in PRICES if name in task.facts}
    body: dict[str, Json] = {"id": task.id, "polling_url": links.at(f"/flux/v1/get_result?id={task.id}"), **prices}
    return Reply(body if task.hook is None else {**body, "status": "Pending", "webhook_url": task.hook.url})


def result(task: Task, links: Links) -> dict[str, Json]:
    """Return a picture's result: all that clients check, and what else the vendor tells of it."""
    told = (task.snapshot or {}).get("result")
    vendor = {name: value for name, value in told.items() if value is not None} if isinstance(told, dict) else {}
    return {"prompt": task.request["prompt"] or "", **vendor, "sample": links.asset(task)}


def show(task: Task, links: Links) -> Json:
    """Return a task in the fields that clients check, whatever the vendor tells."""
    snapshot: Mapping[str, Json] = task.snapshot or {}
    status, details = NAMES.get(task.state, "Pending"), snapshot.get("details")
    if task.state is State.FAILED:
        status = snapshot["status"] if str(snapshot.get("status")).endswith("Moderated") else status
        details = {"error": task.error} if details is None and task.error else details
    return {
        "id": task.id,
        "status": status,
        "result": result(task, links) if task.state is State.SUCCEEDED else None,
        "progress": None if task.progress is None else task.progress / 100,
        "details": details,
        "preview": None,
    }


def hook_message(task: Task, links: Links) -> HookMessage:
    """Build the vendor's webhook body, signed with the caller's secret."""
    ended = datetime.datetime.fromtimestamp((task.finished_at or 0) / 1000, datetime.UTC)
    body: dict[str, Json] = {"id": task.id, "timestamp": ended.isoformat().replace("+00:00", "Z")}
    if task.state is State.SUCCEEDED:
        body |= {"status": "Ready", "result": result(task, links)}
    else:
        body |= {"status": "Error", "error": task.error or "Error", "message": task.error or "Error"}
    if task.hook is None or not task.hook.secret:
        return HookMessage(body)
    digest = hmac.new(task.hook.secret.encode(), msgspec.json.encode(body), hashlib.sha256).hexdigest()
    return HookMessage(body, {"x-bfl-signature": f"sha256={digest}"})


PRICES = ("cost", "input_mp", "output_mp")
NAMES = {State.SUCCEEDED: "Ready", State.FAILED: "Error", State.CANCELLED: "Error"}
JOBS = JobFormat(
    id="id",
    answer_facts={name: name for name in ("polling_url", *PRICES)},
    poll="/v1/get_result?id={id}",
    states={
        "pending": State.RUNNING,
        "queued": State.QUEUED,
        "ready": State.SUCCEEDED,
        "task not found": State.NOT_FOUND,
        **dict.fromkeys(("error", "failed", "request moderated", "content moderated"), State.FAILED),
    },
    progress="progress",
    whole=1.0,
    files=(FilePath("result.sample", "image"),),
    usage=usage,
    show=show,
    keep=("prompt", "seed"),
    hook="webhook_url",
    hook_secret="webhook_secret",
    hook_id="id",
    interval=1.0,
    fresh=0.5,
    timeout=1800.0,
)
# The vendor's answers lack fields that clients check, so they are not shown as they are.
JOB = JOBS.job(
    new_id=lambda: str(uuid.uuid4()),
    poll=poll,
    submitted=submitted,
    render=lambda task, links: Reply(show(task, links)),
    hook_message=hook_message,
)


def result_id(request: AnyRequest) -> str:
    """Return the id that get_result asks for."""
    task_id = request.query.get("id")
    if not task_id:
        raise Failure(Reason.INVALID, "Field required", param="query.id")
    return task_id


async def credits_left(view: View[object]) -> Reply:
    """Tell the caller's own balance, in credits."""
    available, _, _ = await view.balance()
    return Reply({"credits": available / CREDIT})


flux = Protocol(
    name="flux",
    title=Text("Flux (Black Forest Labs)", "Flux 官方格式"),
    base_url="https://api.bfl.ai",
    env_key="BFL_API_KEY",
    env_base_url="BFL_BASE_URL",
    models=SLUGS,
    key_headers=("x-key",),
    own_paths=("/flux/", "/bfl/"),
    authorize=lambda credential: {"x-key": credential},
    error=error,
    channel_fault=channel_fault,
    probe=UpstreamCall("/v1/credits"),
    operations=(
        AT.submit(
            "{model}",
            Text("Generate an image", "生成图像(image)"),
            name="generate",
            aliases=tuple(f"/v1/{slug}" for slug in SLUGS),
            rows=(29,),
            body=GenerateBody,
            example={"prompt": "A cat in a spacesuit", "width": 1024, "height": 768},
            job=JOB,
            model=model,
            estimate=estimate,
            patch=patch,
            upstream_path=lambda request, facts: f"/v1/{facts.model}",
        ),
        AT.fetch(
            "get_result",
            Text("Get a task's result", "查询任务(get_result)"),
            name="get_result",
            aliases=("/v1/get_result",),
            rows=(30,),
            task=result_id,
            query=("id",),
        ),
        AT.own(
            "credits",
            Text("Credits left", "余额查询"),
            aliases=("/v1/credits",),
            example_answer={"credits": 1250.0},
            answer=credits_left,
        ),
    ),
)
