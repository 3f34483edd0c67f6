"""OpenAI's document judges pictures, sounds and videos: what is sent and answered, and each event of a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deeepai.sandbox.media.sounds import sound
from tests.stack import Gateway
from tests.support.http import Got, call
from tests.support.pictures import png, png_url
from tests.support.until import until
from tests.wire import people
from tests.wire.calls import BOUNDARY, form
from tests.wire.test_specs import allows, promised, validator

IMAGE_TOKENS = 323
"""Of a picture, in the sandbox."""
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def send(wire: Gateway, path: str, fields: dict[str, Any], files: dict[str, bytes] | None = None) -> Got:
    """Post JSON, or a form where there are files."""
    if files is None:
        allows("openai", "POST", path, fields)
        got = call(wire, "POST", f"/v1{path}", fields, people.READER)
    else:
        allows("openai", "POST", path, {**fields, **dict.fromkeys(files, "bytes")}, "multipart/form-data")
        got = call(wire, "POST", f"/v1{path}", form(fields, files), people.READER, FORM)
    assert got.status == 200, got.body[:500]
    return got


def events(got: Got, schema: str) -> list[dict[str, Any]]:
    """Return a stream's events, each of them judged."""
    assert got.headers["content-type"].startswith("text/event-stream")
    found = [json.loads(line[6:]) for line in got.body.split(b"\n") if line.startswith(b"data: ")]
    checker = validator("openai", {"$ref": f"#/components/schemas/{schema}"})
    for event in found:
        checker.validate(event)
    return found


# Pictures ----------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.images.edits", "openai.images.variations")
def test_pictures_of_pictures(wire: Gateway) -> None:
    given = {"image": png(256)}
    edit = {"model": "gpt-image-1", "prompt": "a hat", "quality": "low", "output_format": "jpeg"}
    got = send(wire, "/images/edits", edit, {**given, "mask": png(256)})
    promised("openai", "POST", "/images/edits", got)
    images = [{"image_url": png_url()}] * 2
    got = send(wire, "/images/edits", {**edit, "images": images})
    promised("openai", "POST", "/images/edits", got)
    assert got.json["usage"]["input_tokens_details"]["image_tokens"] == 2 * IMAGE_TOKENS
    got = send(wire, "/images/variations", {"model": "dall-e-2", "size": "256x256"}, given)
    promised("openai", "POST", "/images/variations", got)


@pytest.mark.operation("openai.images.edits")
@pytest.mark.parametrize("names", [("image[]",), ("image[0]", "image[1]"), ("image",)])
def test_pictures_are_named_with_brackets_or_without(wire: Gateway, names: tuple[str, ...]) -> None:
    fields = {"model": "gpt-image-1", "prompt": "a hat", "quality": "low"}
    body = form(fields, dict.fromkeys(names, png()))
    got = call(wire, "POST", "/v1/images/edits", body, people.READER, FORM)
    assert got.status == 200, got.body[:500]
    assert got.json["usage"]["input_tokens_details"]["image_tokens"] == len(names) * IMAGE_TOKENS


@pytest.mark.operation("openai.images.generations", "openai.images.edits")
def test_events_of_pictures(wire: Gateway) -> None:
    body = {"model": "gpt-image-1", "prompt": "a lake", "quality": "low", "stream": True, "partial_images": 1}
    found = events(send(wire, "/images/generations", body), "ImageGenStreamEvent")
    assert [event["type"] for event in found] == ["image_generation.partial_image", "image_generation.completed"]
    edit = form({**body, "stream": "true"}, {"image": png(256)})
    got = call(wire, "POST", "/v1/images/edits", edit, people.READER, FORM)
    found = events(got, "ImageEditStreamEvent")
    assert [event["type"] for event in found] == ["image_edit.partial_image", "image_edit.completed"]


# Sounds ------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.audio.transcriptions", "openai.audio.speech")
def test_events_of_sounds(wire: Gateway) -> None:
    body = {"model": "gpt-4o-mini-tts", "input": "Hello there", "voice": "alloy", "stream_format": "sse"}
    found = events(send(wire, "/audio/speech", body), "CreateSpeechResponseStreamEvent")
    assert found[-1]["type"] == "speech.audio.done"
    fields = {"model": "gpt-4o-transcribe", "stream": "true"}
    got = call(wire, "POST", "/v1/audio/transcriptions", form(fields, {"file": sound("wav", 2)}), people.READER, FORM)
    found = events(got, "CreateTranscriptionResponseStreamEvent")
    assert found[-1]["type"] == "transcript.text.done"
    assert "".join(event.get("delta", "") for event in found) == found[-1]["text"]


@pytest.mark.operation("openai.audio.transcriptions")
@pytest.mark.parametrize("name", ["timestamp_granularities[]", "timestamp_granularities"])
def test_an_array_is_named_with_brackets_or_without(wire: Gateway, name: str) -> None:
    fields = {"model": "whisper-1", "response_format": "verbose_json", name: "word"}
    got = call(wire, "POST", "/v1/audio/transcriptions", form(fields, {"file": sound("wav", 2)}), people.READER, FORM)
    assert got.status == 200
    promised("openai", "POST", "/audio/transcriptions", got)
    assert got.json["words"]


# Videos ------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.videos.create", "openai.videos.get", "openai.videos.remix", "openai.videos.list")
def test_videos(wire: Gateway) -> None:
    body = {"model": "sora-2", "prompt": "a lake", "seconds": "4", "size": "1280x720"}
    first = send(wire, "/videos", body)
    promised("openai", "POST", "/videos", first)
    again = send(wire, "/videos", body, {"input_reference": png()})
    promised("openai", "POST", "/videos", again)

    def done(video_id: str) -> Got | None:
        got = call(wire, "GET", f"/v1/videos/{video_id}", key=people.READER)
        promised("openai", "GET", "/videos/{video_id}", got)
        return got if got.json["status"] == "completed" else None

    until(lambda: done(first.json["id"]))
    remix = {"prompt": "the same at night"}
    allows("openai", "POST", "/videos/{video_id}/remix", remix)
    got = call(wire, "POST", f"/v1/videos/{first.json['id']}/remix", remix, people.READER)
    promised("openai", "POST", "/videos/{video_id}/remix", got)
    listed = call(wire, "GET", "/v1/videos?limit=2", key=people.READER)
    promised("openai", "GET", "/videos", listed)
    failed = send(wire, "/videos", {**body, "prompt": "[sandbox:fail-midway] a lake"})

    def ended() -> Got | None:
        got = call(wire, "GET", f"/v1/videos/{failed.json['id']}", key=people.READER)
        return got if got.json["status"] == "failed" else None

    promised("openai", "GET", "/videos/{video_id}", until(ended))
    gone = call(wire, "DELETE", f"/v1/videos/{failed.json['id']}", key=people.READER)
    promised("openai", "DELETE", "/videos/{video_id}", gone)
