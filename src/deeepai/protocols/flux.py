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
    Accepted,
    Answer,
    Facts,
    Failure,
    Fetch,
    Hook,
    HookMessage,
    Json,
    Links,
    Local,
    Operation,
    Protocol,
    Reason,
    Refused,
    Reply,
    Request,
    Result,
    State,
    Submit,
    Task,
    TaskRules,
    TaskStatus,
    Text,
    UpstreamCall,
    Usage,
    View,
)

SLUGS = (
    "flux-pro-1.1",
    "flux-pro",
    "flux-dev",
    "flux-pro-1.1-ultra",
    "flux-kontext-pro",
    "flux-kontext-max",
    "flux-pro-1.0-fill",
    "flux-pro-1.0-expand",
    "flux-pro-1.0-canny",
    "flux-pro-1.0-depth",
    "flux-pro-1.0-fill-finetuned",
    "flux-pro-1.1-ultra-finetuned",
    "flux-2-pro",
    "flux-2-pro-preview",
    "flux-2-max",
    "flux-2-flex",
    "flux-2-klein-4b",
    "flux-2-klein-9b",
    "flux-2-klein-9b-preview",
)
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


def error(failure: Failure, operation: Operation | None, request_id: str) -> Reply:
    """Answer a failure as the vendor does: FastAPI's shape for 422, `detail` and `message` for the rest."""
    if failure.kind is Reason.UNAUTHENTICATED:
        return Reply({"detail": failure.message, "message": failure.message}, 403)
    if failure.kind is Reason.INVALID and failure.param is not None:
        where = failure.param.split(".")
        where = where if where[0] == "query" else ["body", *where]
        return Reply({"detail": [{"loc": where, "msg": failure.message, "type": "value_error"}]}, 422)
    return Reply({"detail": failure.message, "message": failure.message}, failure.kind.status)


def channel_fault(answer: Answer) -> bool:
    """Bad key (the vendor says 403) or no credit."""
    return answer.status in (401, 402, 403)


# Submitting --------------------------------------------------------------------------------------------------------


def model(request: Request) -> str:
    """Find the model: in the path, or in the body of the generic path."""
    if "model" not in request.params:
        name = request.path.rsplit("/", 1)[-1]
        return name if name in SLUGS else request.body.model or DEFAULT_MODEL
    name = request.params["model"]
    return request.body.model or DEFAULT_MODEL if name == "image" else name


def megapixels(body: GenerateBody) -> float:
    """Return the area of the picture asked for, in 10⁶ pixels; the vendor's default is 1024 x 1024."""
    return (body.width or 1024) * (body.height or 1024) / 1_000_000


def estimate(request: Request) -> Usage:
    """One image, of the asked size."""
    inputs = 1.0 if request.body.input_image else 0.0
    return Usage(images=1, megapixels=megapixels(request.body), input_megapixels=inputs, basis="estimated")


def patch(request: Request, facts: Facts) -> dict[str, Any]:
    """Put the gateway's own webhook in the place of the caller's."""
    changes: dict[str, Any] = {}
    if request.body.model is not None:
        changes["model"] = DROP
    if request.body.webhook_url is not None:
        changes["webhook_url"] = changes["webhook_secret"] = DROP
    if facts.hook_url is not None:
        changes["webhook_url"] = facts.hook_url
    return changes


def place(request: Request, facts: Facts) -> str:
    """Return the model's own path."""
    return f"/v1/{facts.model}"


def keep(request: Request) -> Json:
    """Keep what an answer repeats."""
    return {"prompt": request.body.prompt or "", "seed": request.body.seed}


def hook(request: Request) -> Hook | None:
    """Find the caller's webhook."""
    body: GenerateBody = request.body
    return Hook(body.webhook_url, body.webhook_secret) if body.webhook_url else None


def _usage(found: Mapping[str, Json]) -> Usage | None:
    cost = found.get("cost")
    if not isinstance(cost, int | float):
        return None
    return Usage(
        images=1,
        cost=round(cost * CREDIT),
        megapixels=found.get("output_mp") or 0.0,
        input_megapixels=found.get("input_mp") or 0.0,
        basis="vendor",
    )


def accept(answer: Answer, request: Request) -> Accepted | Refused:
    """Read the answer to a submission."""
    found = answer.json()
    if answer.status == 200 and isinstance(found, dict) and isinstance(found.get("id"), str):
        facts = {
            key: found[key] for key in ("polling_url", "cost", "input_mp", "output_mp") if found.get(key) is not None
        }
        return Accepted(found["id"], facts=facts)
    return Refused(retry_elsewhere=answer.status in (401, 402, 403, 429, 503))


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission with a polling address of the gateway's own."""
    body: dict[str, Json] = {"id": task.id, "polling_url": links.at(f"/flux/v1/get_result?id={task.id}")}
    for key in ("cost", "input_mp", "output_mp"):
        if key in task.facts:
            body[key] = task.facts[key]
    if task.hook is not None:
        body |= {"status": "Pending", "webhook_url": task.hook.url}
    return Reply(body)


# Polling -----------------------------------------------------------------------------------------------------------

_STATES = {
    "pending": State.RUNNING,
    "queued": State.QUEUED,
    "ready": State.SUCCEEDED,
    "error": State.FAILED,
    "failed": State.FAILED,
    "request moderated": State.FAILED,
    "content moderated": State.FAILED,
    "task not found": State.NOT_FOUND,
}
_NAMES = {State.SUCCEEDED: "Ready", State.FAILED: "Error", State.CANCELLED: "Error"}


def poll(task: Task) -> UpstreamCall:
    """UpstreamCall where the vendor said to ask: a task is known in one region only."""
    return UpstreamCall(task.facts.get("polling_url") or f"/v1/get_result?id={task.upstream_id}")


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read a task's state."""
    found = answer.json()
    if not isinstance(found, dict):
        return TaskStatus(State.RUNNING, None)
    status = str(found.get("status", ""))
    state = _STATES.get(status.lower(), State.RUNNING)
    given = found.get("result")
    result: dict[str, Json] = given if isinstance(given, dict) else {}
    progress = found.get("progress")
    return TaskStatus(
        state,
        found,
        progress=round(progress * 100) if isinstance(progress, int | float) else None,
        results=(Result(result["sample"]),) if state is State.SUCCEEDED and result.get("sample") else (),
        error=status if state is State.FAILED else None,
        usage=_usage(found) or _usage(task.facts) if state is State.SUCCEEDED else None,
    )


def _result(task: Task, links: Links) -> dict[str, Json]:
    snapshot: Mapping[str, Json] = task.snapshot or {}
    vendor = {key: value for key, value in (snapshot.get("result") or {}).items() if value is not None}
    return {"prompt": task.request["prompt"], **vendor, "sample": links.asset(task)}


def render(task: Task, links: Links) -> Reply:
    """Answer get_result from the stored state."""
    snapshot: Mapping[str, Json] = task.snapshot or {}
    status = _NAMES.get(task.state, "Pending")
    if task.state is State.FAILED and str(snapshot.get("status", "")).endswith("Moderated"):
        status = snapshot["status"]
    result = _result(task, links) if task.state is State.SUCCEEDED else None
    details = snapshot.get("details")
    if details is None and task.state is State.FAILED and task.error:
        details = {"error": task.error}
    return Reply(
        {
            "id": task.id,
            "status": status,
            "result": result,
            "progress": None if task.progress is None else task.progress / 100,
            "details": details,
            "preview": None,
        }
    )


def hook_message(task: Task, links: Links) -> HookMessage:
    """Build the vendor's webhook body, signed with the caller's secret."""
    body: dict[str, Json] = {"id": task.id, "timestamp": _iso(task.finished_at or 0)}
    if task.state is State.SUCCEEDED:
        body |= {"status": "Ready", "result": _result(task, links)}
    else:
        body |= {"status": "Error", "error": task.error or "Error", "message": task.error or "Error"}
    headers: dict[str, str] = {}
    if task.hook is not None and task.hook.secret:
        digest = hmac.new(task.hook.secret.encode(), msgspec.json.encode(body), hashlib.sha256).hexdigest()
        headers["x-bfl-signature"] = f"sha256={digest}"
    return HookMessage(body, headers)


def hook_in(body: Json) -> str | None:
    """Find the task id in the vendor's webhook."""
    found = body.get("id") if isinstance(body, dict) else None
    return found if isinstance(found, str) else None


def _iso(ms: int) -> str:
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).isoformat().replace("+00:00", "Z")


def result_id(request: Request) -> str:
    """Return the id that get_result asks for."""
    found = request.query.get("id")
    if not found:
        raise Failure(Reason.INVALID, "Field required", param="query.id")
    return found


async def credits_left(view: View) -> Reply:
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
    tasks=TaskRules(
        new_id=lambda: str(uuid.uuid4()),
        accept=accept,
        submitted=submitted,
        poll=poll,
        read=read,
        render=render,
        hook=hook,
        hook_message=hook_message,
        hook_in=hook_in,
        keep=keep,
        interval=1.0,
        fresh=0.5,
        timeout=1800.0,
    ),
    operations=(
        Submit(
            name="generate",
            method="POST",
            path="/flux/v1/{model}",
            aliases=("/bfl/v1/{model}", *(f"/v1/{slug}" for slug in SLUGS)),
            upstream_template="/v1/{model}",
            rows=(29,),
            summary=Text("Generate an image", "生成图像(image)"),
            body=GenerateBody,
            example={"prompt": "A cat in a spacesuit", "width": 1024, "height": 768},
            model=model,
            estimate=estimate,
            patch=patch,
            upstream_path=place,
        ),
        Fetch(
            name="get_result",
            method="GET",
            path="/flux/v1/get_result",
            aliases=("/bfl/v1/get_result", "/v1/get_result"),
            upstream_template="/v1/get_result",
            rows=(30,),
            summary=Text("Get a task's result", "查询任务(get_result)"),
            media="none",
            task=result_id,
            query=("id",),
        ),
        Local(
            name="credits",
            method="GET",
            path="/flux/v1/credits",
            example_answer={"credits": 1250.0},
            aliases=("/bfl/v1/credits", "/v1/credits"),
            summary=Text("Credits left", "余额查询"),
            media="none",
            answer=credits_left,
        ),
    ),
)
