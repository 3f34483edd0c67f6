"""Films of the Veo models: long-running operations, and the files that they end in."""

from __future__ import annotations

import base64
import binascii
import secrets
import string
from collections.abc import Mapping
from typing import Final

from ...declare import (
    Accepted,
    Answer,
    AnyRequest,
    Failure,
    Fetch,
    Job,
    JobFace,
    JobRules,
    Json,
    Links,
    Reason,
    Refused,
    Repeats,
    Reply,
    Request,
    Result,
    State,
    Submit,
    Task,
    TaskStatus,
    Text,
    UpstreamCall,
    Usage,
)
from .bodies import VideoBody
from .common import count, either, model, paths, place, resource

DEFAULT_SECONDS = 8
_ANSWER = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"
_ALPHABET = string.ascii_lowercase + string.digits
_CODES = {"cancelled": 1, "internal": 13}
"""Of `google.rpc.Code`."""
_PRICED = ("durationSeconds", "sampleCount", "resolution")


def estimate(request: Request[VideoBody]) -> Usage:
    """So many seconds as are asked for."""
    return _usage(request.body.parameters, None)


def _usage(parameters: Mapping[str, Json] | None, films: int | None) -> Usage:
    each = count(either(parameters, "durationSeconds"), DEFAULT_SECONDS)
    asked = count(either(parameters, "sampleCount"), 1)
    number = asked if films is None else min(films, asked)
    resolution = either(parameters, "resolution")
    params = {"resolution": resolution if isinstance(resolution, str) else "720p"}
    return Usage(seconds=each * number, params=params, basis="estimated" if films is None else "second")


def new_id() -> str:
    """Make an id of the letters that Google's clients find in a file's address."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(24))


def accept(answer: Answer, request: Request[VideoBody]) -> Accepted | Refused:
    """Read the answer to a submission; of the request, what a film's price depends on is kept."""
    found = answer.json()
    if answer.status == 200 and isinstance(found, dict) and isinstance(found.get("name"), str):
        asked = {name: either(request.body.parameters, name) for name in _PRICED}
        return Accepted(found["name"], facts={name: value for name, value in asked.items() if value is not None})
    return Refused(retry_elsewhere=answer.status in (401, 402, 403, 429, 503))


def name_of(task: Task) -> str:
    """Return the operation's name as the caller knows it."""
    return f"{resource(task.model)}/operations/{task.id}"


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission."""
    return Reply({"name": name_of(task)})


# Polling -----------------------------------------------------------------------------------------------------------


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read an operation's state; one that ends without a film was refused, and costs nothing."""
    found = answer.json()
    if not isinstance(found, dict) or not found.get("done"):
        return TaskStatus(State.RUNNING, None)
    fault = found.get("error")
    if isinstance(fault, dict):
        return TaskStatus(State.FAILED, found, error=str(fault.get("message") or "The generation failed"))
    response = _response(found)
    results = tuple(filter(None, map(_result, response.get("generatedSamples") or ())))
    if not results:
        reasons = response.get("raiMediaFilteredReasons") or ("The generation made no video",)
        return TaskStatus(State.FAILED, found, error=str(reasons[0]))
    # Films that came with the answer are files now, and too large for a row.
    rest = {name: value for name, value in response.items() if name != "generatedSamples"}
    shown = {"response": {"generateVideoResponse": rest}}
    return TaskStatus(State.SUCCEEDED, shown, results=results, usage=_usage(task.facts, len(results)))


def _response(operation: Mapping[str, Json]) -> Mapping[str, Json]:
    holder = operation.get("response")
    response = holder.get("generateVideoResponse") if isinstance(holder, dict) else None
    return response if isinstance(response, dict) else {}


def _result(sample: Json) -> Result | None:
    film = sample.get("video") if isinstance(sample, dict) else None
    if not isinstance(film, dict):
        return None
    if isinstance(film.get("uri"), str):
        return Result(film["uri"], content_type="video/mp4", keyed=True, role="video")
    try:
        data = base64.b64decode(film["encodedVideo"])
    except (KeyError, TypeError, binascii.Error):
        return None
    return Result(data=data, content_type=film.get("encoding") or "video/mp4", role="video")


def render(task: Task, links: Links) -> Reply:
    """Answer an operation from the stored state; the films lie under the gateway's own addresses."""
    body: dict[str, Json] = {"name": name_of(task)}
    if not task.state.final:
        return Reply(body)
    body["done"] = True
    snapshot: Mapping[str, Json] = task.snapshot or {}
    response = dict(_response(snapshot))
    if task.state is State.SUCCEEDED:
        # Where another vendor did it, its files are of several roles.
        roles = snapshot.get("roles") or ["video"] * task.results
        response["generatedSamples"] = [
            {"video": {"uri": links.at(f"/v1beta/files/{task.id}{number}:download?alt=media")}}
            for number, role in enumerate(roles)
            if role == "video"
        ]
    if response:
        body["response"] = {"@type": _ANSWER, "generateVideoResponse": response}
    else:
        code = _CODES["cancelled" if task.state is State.CANCELLED else "internal"]
        body["error"] = snapshot.get("error") or {"code": code, "message": task.error or "The generation failed"}
    return Reply(body)


# Files -------------------------------------------------------------------------------------------------------------


def file_task(request: AnyRequest) -> str:
    """Return the task that a file belongs to: the file's name less the number of the film."""
    name = request.params["file"]
    if not name[-1:].isdecimal() or not name.isascii():
        raise Failure(Reason.NOT_FOUND, f"File '{name[:64]}' was not found")
    return name[:-1]


def download(request: AnyRequest, task: Task, links: Links) -> Reply:
    """Send a film."""
    return Reply(content_type="video/mp4", asset=request.params["file"][-1])


JOB: Final[Job[VideoBody]] = Job(
    rules=JobRules(
        accept=accept,
        poll=lambda task: UpstreamCall(f"/v1beta/{task.upstream_id}"),
        read=read,
        interval=4.0,
        fresh=1.0,
        timeout=3600.0,
    ),
    face=JobFace(new_id=new_id, submitted=submitted, render=render),
)

_PATH, _ALIASES = paths("predictLongRunning")
_VEO = "veo-3.1-generate-preview"

OPERATIONS = (
    Submit(
        name="predictLongRunning",
        # The Python SDK on aiohttp sends it once more, up to ten seconds after a connection that closed unanswered.
        repeats=Repeats(within=10.0),
        models=("veo-*",),
        method="POST",
        path=_PATH,
        aliases=_ALIASES,
        upstream_template=_PATH,
        summary=Text("Create a video (Veo)", "生成视频(Veo)"),
        body=VideoBody,
        example={
            "instances": [{"prompt": "A cat in a spacesuit walks on the moon"}],
            "parameters": {"aspectRatio": "16:9", "durationSeconds": 8, "resolution": "720p"},
        },
        example_params={"model": _VEO},
        model=model,
        estimate=estimate,
        upstream_path=place("predictLongRunning"),
        job=JOB,
    ),
    Fetch(
        name="operations.get",
        method="GET",
        path="/v1beta/models/{model}/operations/{id}",
        aliases=(
            "/v1/models/{model}/operations/{id}",
            *(f"{version}/models/{{owner}}/{{model}}/operations/{{id}}" for version in ("/v1beta", "/v1")),
            "/v1beta/operations/{id}",
            "/v1/operations/{id}",
        ),
        upstream_template="/v1beta/models/{model}/operations/{id}",
        summary=Text("Get a video operation", "查询视频任务"),
        media="none",
        example_params={"model": _VEO},
        task=lambda request: request.params["id"],
    ),
    Fetch(
        name="files.download",
        method="GET",
        path="/v1beta/files/{file}:download",
        # The official client makes the longer ones of an address that is not HTTPS.
        aliases=(
            "/v1/files/{file}:download",
            "/v1beta/files/http:/{host}/v1beta/files/{file}:download",
            "/v1/files/http:/{host}/v1beta/files/{file}:download",
        ),
        upstream_template="/v1beta/files/{file}:download",
        summary=Text("Download a video", "下载视频"),
        media="none",
        query=("alt",),
        answers=("video/mp4",),
        example_params={"file": "0199f3a2c4d17e6b0", "alt": "media"},
        task=file_task,
        render=download,
    ),
)
