"""Google's embeddings, pictures (Imagen) and films (Veo)."""

from __future__ import annotations

import base64
import math
import random
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

from ...jobs import Job
from ...media import video
from ...media.draw import MIME, Format, Picture, fit, from_base64, render
from ...media.words import count_of
from ...vendor import Answer, Call, Handler, RefusedError, Route, digest_of, json_answer
from .common import error, field, invalid, model_of, number, text_of

RATIOS: Mapping[str, float] = {"1:1": 1, "3:4": 3 / 4, "4:3": 4 / 3, "9:16": 9 / 16, "16:9": 16 / 9}
FORMATS: Mapping[str, Format] = {"image/png": "png", "image/jpeg": "jpeg"}
FILM_RATIOS = ("16:9", "9:16")
FILM_SIDES: Mapping[str, int] = {"720p": 720, "1080p": 1080, "4k": 2160}
JOB_SECONDS = 40.0
FILTERED = "Unable to show generated media. All of it was filtered out because of the policy on responsible AI."
RESPONSE = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"


# Embeddings --------------------------------------------------------------------------------------------------------


async def embed(call: Call) -> Answer:
    """`POST …:embedContent`."""
    name, model = model_of(call, "embedding")
    await call.work(0.2)
    return json_answer({"embedding": _embedding(name, model.dimensions, call.json)})


async def embed_many(call: Call) -> Answer:
    """`POST …:batchEmbedContents`."""
    name, model = model_of(call, "embedding")
    requests = call.json.get("requests")
    if not isinstance(requests, list) or not 1 <= len(requests) <= 100:
        raise invalid("requests", "* BatchEmbedContentsRequest.requests: 1 to 100 requests are allowed")
    for index, one in enumerate(requests):
        if field(one, "model") != f"models/{name}":
            raise invalid(f"requests[{index}].model", "The model must be the one of the batch")
    await call.work(0.2)
    return json_answer({"embeddings": [_embedding(name, model.dimensions, one) for one in requests]})


def _embedding(name: str, longest: int, body: Any) -> dict[str, Any]:
    text = text_of(field(body, "content"))
    if not text:
        raise invalid("content", "* EmbedContentRequest.content: content is empty")
    if count_of(text) > 8192:
        raise invalid("content", "The input token count exceeds the maximum number of tokens allowed 8192.")
    dimensions = number(body, "outputDimensionality", 1, longest, whole=True) or longest
    # Shorter vectors are the head of the long one; unlike the long one, they are not of unit length.
    rng = random.Random(digest_of(name, text, field(body, "taskType")))
    raw = [rng.gauss(0, 1) for _ in range(longest)]
    length = math.sqrt(sum(value * value for value in raw))
    return {"values": [value / length for value in raw[:dimensions]]}


# Pictures ----------------------------------------------------------------------------------------------------------


def _prompt(call: Call) -> tuple[dict[str, Any], str, dict[str, Any]]:
    instances = call.json.get("instances")
    if not isinstance(instances, list) or len(instances) != 1 or not isinstance(instances[0], dict):
        raise invalid("instances", "Exactly one instance is needed")
    prompt = instances[0].get("prompt", "")
    parameters = call.json.get("parameters") or {}
    if not isinstance(prompt, str) or not isinstance(parameters, dict):
        raise invalid("instances[0].prompt", "The prompt must be text")
    return instances[0], prompt, parameters


async def predict(call: Call) -> Answer:
    """`POST …:predict`: pictures, in the answer itself."""
    name, _ = model_of(call, "imagen")
    _, prompt, parameters = _prompt(call)
    if not prompt:
        raise invalid("instances[0].prompt", "The prompt must not be empty")
    count = number(parameters, "sampleCount", 1, 4, whole=True) or 4
    ratio = field(parameters, "aspectRatio", "1:1")
    if ratio not in RATIOS:
        raise invalid("parameters.aspectRatio", f"aspectRatio must be one of {', '.join(RATIOS)}")
    size = field(parameters, "imageSize") or field(parameters, "sampleImageSize", "1K")
    if size not in ("1K", "2K"):
        raise invalid("parameters.imageSize", "imageSize must be 1K or 2K")
    kind = field(field(parameters, "outputOptions"), "mimeType", "image/png")
    if kind not in FORMATS:
        raise invalid("parameters.outputOptions.mimeType", "mimeType must be image/png or image/jpeg")
    await call.work(4.0)
    if "moderated" in call.triggers or "moderated-output" in call.triggers:
        told = field(parameters, "includeRaiReason")
        return json_answer({"predictions": [{"raiFilteredReason": FILTERED}]} if told else {})
    side = 2048 if size == "2K" else 1024
    predictions: list[dict[str, Any]] = []
    for index in range(count):
        digest = digest_of(name, prompt, ratio, index)
        made = render(Picture(*fit(RATIOS[ratio], side * side), f"{prompt} ({name})", digest, FORMATS[kind]))
        predictions.append({"mimeType": MIME[FORMATS[kind]], "bytesBase64Encoded": base64.b64encode(made).decode()})
    return json_answer({"predictions": predictions})


# Films -------------------------------------------------------------------------------------------------------------


async def film(call: Call) -> Answer:
    """`POST …:predictLongRunning`: starts an operation."""
    name, _ = model_of(call, "veo")
    instance, prompt, parameters = _prompt(call)
    image = instance.get("image")
    if not prompt and not image:
        raise invalid("instances[0].prompt", "A prompt or an image is needed")
    source = from_base64(str(field(image, "bytesBase64Encoded") or field(field(image, "inlineData"), "data") or ""))
    seconds = number(parameters, "durationSeconds", 4, 8, whole=True) or 8
    count = number(parameters, "sampleCount", 1, 4, whole=True) or 1
    ratio = field(parameters, "aspectRatio", "16:9")
    if ratio not in FILM_RATIOS:
        raise invalid("parameters.aspectRatio", "aspectRatio must be 16:9 or 9:16")
    short = FILM_SIDES.get(str(field(parameters, "resolution", "720p")))
    if short is None:
        raise invalid("parameters.resolution", "resolution must be 720p, 1080p or 4k")
    size = (short * 16 // 9, short) if ratio == "16:9" else (short, short * 16 // 9)
    world = call.world
    job = world.jobs.accept(
        world.ids.hex(12),
        "gemini",
        name,
        call.owner,
        call.triggers,
        picture=Picture(*size, prompt, digest_of(name, prompt, ratio), source=source or None),
        seconds=seconds,
        count=count,
        base=call.base,
    )
    call.accepted.append(job.id)
    world.jobs.start(job, JOB_SECONDS, partial(_changed, call))
    return json_answer({"name": _name(job)})


def _changed(call: Call, job: Job) -> None:
    if job.state != "done":
        return
    picture = cast(Picture, job.data["picture"])
    job.data["files"] = [
        call.world.files.add(partial(_film, job, picture, index), "mp4", "video/mp4")
        for index in range(job.data["count"])
    ]


def _film(job: Job, picture: Picture, index: int) -> bytes:
    shown = replace(picture, digest=digest_of(picture.digest, index))
    return video.film(shown, job.data["seconds"], sound=not job.kind.startswith("veo-2"))


def _name(job: Job) -> str:
    return f"models/{job.kind}/operations/{job.id}"


def _own(call: Call, job_id: str) -> Job:
    job = call.world.jobs.find("gemini", job_id)
    if job is None or job.owner != call.owner:
        raise RefusedError(error(404, "Requested entity was not found.", "NOT_FOUND"))
    return job


async def operation(call: Call) -> Answer:
    """`GET /v1beta/models/{model}/operations/{id}`."""
    job = _own(call, call.params["id"])
    view: dict[str, Any] = {"name": _name(job)}
    if not job.is_final:
        return json_answer(view)
    view["done"] = True
    if job.state == "done":
        uris = [
            f"{job.data['base']}/v1beta/files/{job.id}{index}:download?alt=media" for index in range(job.data["count"])
        ]
        made: dict[str, Any] = {"generatedSamples": [{"video": {"uri": uri}} for uri in uris]}
    elif job.state == "moderated":
        made = {"raiMediaFilteredCount": job.data["count"], "raiMediaFilteredReasons": [FILTERED]}
    else:
        return json_answer(view | {"error": {"code": 13, "message": f"Video generation failed: {job.error}"}})
    return json_answer(view | {"response": {"@type": RESPONSE, "generateVideoResponse": made}})


async def download(call: Call) -> Answer:
    """`GET /v1beta/files/{id}:download?alt=media`: only with the key that made the film."""
    name = call.params["id"]
    job = _own(call, name[:-1])
    files = job.data.get("files", [])
    index = int(name[-1]) if name[-1:].isdigit() else -1
    if not 0 <= index < len(files):
        raise RefusedError(error(404, "Requested entity was not found.", "NOT_FOUND"))
    if "expire-url" in job.triggers:
        text = f"You do not have permission to access the File {name} or it may not exist."
        raise RefusedError(error(403, text, "PERMISSION_DENIED"))
    stored = call.world.files.find(files[index])
    assert stored is not None
    return Answer(200, stored.make(), stored.content_type)


VERBS: Mapping[str, Handler] = {
    "embedContent": embed,
    "batchEmbedContents": embed_many,
    "predict": predict,
    "predictLongRunning": film,
}
ROUTES = tuple(
    route
    for version in ("/v1beta", "/v1")
    for route in (
        Route("GET", version + "/models/{model}/operations/{id}", operation),
        Route("GET", version + "/operations/{id}", operation),
        Route("GET", version + "/files/{id}:download", download),
    )
)
