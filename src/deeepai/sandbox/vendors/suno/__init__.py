"""Suno as the web and its relays speak it: songs, two at a time, by the ids of their clips.

Source: relays' documents of this format, and the clients that speak it; there is no document of the vendor's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ...fields import Field, table, text
from ...job_vendor import Balance, JobVendor, Lookup, Order, Task, Work, at
from ...media.sounds import MIME, sound
from ...vendor import Answer, Call, Route, digest_of, json_answer
from . import songs

START = 2500.0
"""Credits of a key."""
PARTS = ("Content-Type", "key", "AWSAccessKeyId", "policy", "signature")
"""Fields of an upload's form that must be there before its file."""


# Jobs ---------------------------------------------------------------------------------------------------------------


def accepted(task: Task) -> Any:
    """Return what a submission answers: `complete` means no more than that it was taken."""
    match task.work.name:
        case "lyrics":
            return {"id": task.id}
        case "upload":
            return {"code": "success", "message": "", "data": task.artefact_ids[0]}
        case "initialize":
            return {"clip_id": task.artefact_ids[0]}
        case "concat":
            return songs.clip(task, 0)
        case _:
            clips = songs.clips(task)
            shown = {name: clips[0][name] for name in ("metadata", "major_model_version", "created_at")}
            return {"id": task.id, "clips": clips, **shown, "status": "complete", "batch_size": len(clips)}


def told(task: Task) -> Any:
    """Return words, the only thing that is asked for by a task's own id."""
    title, words = songs.lyrics(task.body["prompt"]) if task.job.state == "done" else ("", "")
    status = {"done": "complete", "failed": "error", "moderated": "error"}.get(task.job.state, "running")
    return {"text": words, "title": title, "status": status, "error_message": task.reason}


def _initialize(order: Order) -> None:
    upload = _upload(order.call)
    if upload["status"] != "complete":
        raise order.refused("unfinished", "the upload is not finished")
    title = str(upload["filename"]).rpartition(".")[0]
    order.facts |= {"type": "upload", "song": {"title": title}, "seconds": upload["seconds"]}
    order.body["upload"] = upload["id"]


def _stems(call: Call) -> Mapping[str, Any]:
    return {"task": "gen_stem", "mv": "chirp-auk", "continue_clip_id": call.params["clip_id"]}


SONG = table(songs.SONG, mv=songs.MV.must())
WORKS = [
    Work("/generate", 120, SONG, songs.two, check=songs.check, price=songs.CREDITS, name="music"),
    Work("/generate/description-mode", 120, SONG, songs.two, check=songs.check, price=songs.CREDITS),
    Work("/act/stems/{clip_id}", 60, SONG, songs.two, check=songs.check, price=50, body=_stems, method="GET"),
    Work(
        "/generate/concat",
        20,
        table(clip_id=text().must(), is_infill=Field("flag", default=False)),
        songs.one,
        check=songs.check_concat,
        name="concat",
    ),
    Work(
        "/uploads/audio-url",
        5,
        table(url=text().must()),
        songs.one,
        check=songs.check_upload,
        name="upload",
    ),
    Work("/uploads/audio/{id}/initialize-clip", 2, {}, songs.one, check=_initialize, name="initialize"),
    Work("/generate/lyrics", 10, table(prompt=text(3000).must()), lambda order: [], name="lyrics"),
]


# Everything else ----------------------------------------------------------------------------------------------------


def _clips(call: Call) -> dict[str, dict[str, Any]]:
    """Return the caller's clips by their ids; what has none of its own is no clip."""
    works = JOBS.tasks(call)
    return {
        name: songs.clip(task, place)
        for task in works
        for place, name in enumerate(task.artefact_ids[: len(task.results) // 2])
    }


async def _feed(call: Call) -> Answer:
    wanted = call.params.get("ids") or call.request.query.get("ids") or ""
    known = _clips(call)
    return json_answer([known[name] for name in dict.fromkeys(wanted.split(",")) if name in known])


def _own(call: Call) -> tuple[Task, Any]:
    """Return the caller's own finished clip that a path names, and the task that made it."""
    order = Order(call, JOBS, WORKS[0], {})
    return order.made(call.params["clip_id"])


async def _timing(call: Call) -> Answer:
    return json_answer(songs.aligned(*_own(call)))


async def _wav(call: Call) -> Answer:
    _, made = _own(call)
    name = call.world.files.add(partial(sound, "wav", made.result.seconds), "wav", MIME["wav"])
    url = call.world.files.url(call.origin, name, JOBS.lifetime)
    return json_answer({"code": "success", "message": "", "data": {"wav_file_url": url}})


async def _mp4(call: Call) -> Answer:
    task, made = _own(call)
    url = songs.clip(task, made.index)["video_url"]
    return json_answer({"code": "success", "message": "", "data": url})


async def _midi(call: Call) -> Answer:
    _, made = _own(call)
    pitches = [48 + byte % 36 for byte in digest_of(made.id)[:16]]
    notes = [
        {"pitch": pitch, "start": place * 0.5, "end": place * 0.5 + 0.4, "velocity": 0.8}
        for place, pitch in enumerate(pitches)
    ]
    return json_answer({"state": "complete", "instruments": [{"name": "Lead", "notes": notes}]})


async def _tags(call: Call) -> Answer:
    tags = call.json.get("original_tags")
    if not isinstance(tags, str) or not tags:
        raise JOBS.refused(call, "missing", "original_tags is required")
    return json_answer({"upsampled_tags": f"{tags}, in test mode", "request_id": call.world.ids.uuid()})


async def _persona(call: Call) -> Answer:
    body = call.json
    root, name = body.get("root_clip_id"), body.get("name")
    if not isinstance(root, str) or not isinstance(name, str) or not root or not name:
        raise JOBS.refused(call, "missing", "root_clip_id and name are required")
    task, made = Order(call, JOBS, WORKS[0], {}).made(root)
    if task.facts.get("type") == "upload":
        raise JOBS.refused(call, "value", "a persona is made of no upload")
    persona, clip = call.world.ids.uuid(), songs.clip(task, made.index)
    call.world.shelves[call.owner, "suno.persona"][persona] = root
    about = {"name": name, "description": body.get("description") or "", "root_clip_id": root}
    return json_answer({"id": persona, **about, "clip": clip, "persona_clips": [{"clip": clip, "id": root}]})


# Uploads, as to the web: a form to a store of files, then a few words about it ---------------------------------------


def _shelf(call: Call) -> dict[str, Any]:
    return call.world.shelves[call.owner, "suno.upload"]


def _upload(call: Call) -> dict[str, Any]:
    upload = _shelf(call).get(call.params["id"])
    if upload is None:
        raise JOBS.refused(call, "unknown_id", "the upload is not known")
    return upload


async def _begin(call: Call) -> Answer:
    extension = str(call.json.get("extension"))
    if f".{extension}" not in songs.SOUNDS:
        raise JOBS.refused(call, "value", "extension must be one of a sound file")
    upload_id = call.world.ids.uuid()
    kind = MIME.get(extension, f"audio/{extension}")
    words = {name: call.world.ids.hex(24) for name in PARTS[2:]}
    fields = {"Content-Type": kind, "key": f"raw_uploads/{upload_id}.{extension}", **words}
    upload = {"id": upload_id, "status": "pending", "filename": "", "seconds": 0.0, "fields": fields}
    _shelf(call)[upload_id] = call.world.shelves["suno", "stored"][upload_id] = upload
    url = f"{call.base}/stored/{upload_id}"
    return json_answer({"id": upload_id, "url": url, "fields": fields, "is_file_uploaded": False})


async def _store(call: Call) -> Answer:
    """Take a file as the store of files does: whoever has the form's words may send it, without a key."""
    upload = call.world.shelves["suno", "stored"].get(call.params["id"])
    form = call.form
    # Some clients send texts as files without a name.
    sent = {name: data.decode("utf-8", "replace") for name, data in form.files.items() if name != "file"}
    sent |= form.texts
    if upload is None or any(sent.get(name) != upload["fields"][name] for name in PARTS) or "file" not in form.files:
        return Answer(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
    # At 128 kbit/s, which is what songs usually have.
    upload["seconds"] = max(1.0, len(form.files["file"]) / 16_000)
    upload["stored"] = True
    return Answer(204, content_type="application/xml")


async def _finish(call: Call) -> Answer:
    upload = _upload(call)
    if "stored" not in upload:
        raise JOBS.refused(call, "unfinished", "no file has been stored")
    upload |= {"status": "complete", "filename": str(call.json.get("upload_filename") or "upload.mp3")}
    return json_answer({})


async def _uploaded(call: Call) -> Answer:
    upload = _upload(call)
    about = {"id": upload["id"], "status": upload["status"], "error_message": None, "title": upload["filename"]}
    return json_answer(about | {"s3_id": f"m_{upload['id']}" if upload["status"] == "complete" else None})


def _check_persona(order: Order) -> None:
    songs.check(order)
    known = order.call.world.shelves[order.call.owner, "suno.persona"]
    persona = order.body.get("persona_id")
    if order.facts.get("task") == "artist_consistency" and persona not in known:
        raise order.refused("unknown_id", "the persona is not known")


def _slash(*routes: Route) -> list[Route]:
    return [replace(route, path=route.path + "{_:/?}") for route in routes]


JOBS = JobVendor(
    name="suno",
    works=[replace(work, check=_check_persona) if work.check is songs.check else work for work in WORKS],
    words=songs.WORDS,
    shown=told,
    accepted=accepted,
    lookups=[Lookup("GET", "/lyrics/{id}", of="lyrics")],
    balances=[Balance("/get_credits", START, {"credits_left": "left", "monthly_limit": "credits"})],
    errors={
        **at(400, bad_request=400, moderated=400),
        **at(401, unauthorized=401),
        **at(404, not_found=404, unknown_id=404),
        **at(429, rate_limited=429),
        **at(500, server_error=500),
    },
    error=lambda call, code, message: {"detail": message},
    lifetime=30 * 86400,
    slashes=True,
    pictures="jpeg",
    further=_slash(
        Route("GET", "/feed", _feed),
        Route("GET", "/feed/{ids}", _feed),
        Route("GET", "/act/timing/{clip_id}", _timing),
        Route("GET", "/act/wav/{clip_id}", _wav),
        Route("GET", "/act/mp4/{clip_id}", _mp4),
        Route("GET", "/act/midi/{clip_id}", _midi),
        Route("POST", "/act/tags", _tags),
        Route("POST", "/persona/create", _persona),
        Route("POST", "/uploads/audio", _begin),
        Route("POST", "/stored/{id}", _store, body_triggers=False, public=True),
        Route("POST", "/uploads/audio/{id}/upload-finish", _finish),
        Route("GET", "/uploads/audio/{id}", _uploaded),
    ),
    # `/generate` and `/feed` say nothing of whose they are.
    settings={"at_root": False},
)
VENDOR = JOBS.vendor()
