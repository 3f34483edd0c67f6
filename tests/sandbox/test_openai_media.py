"""The sandbox's sounds, videos, moderations and chat with pictures, as OpenAI and relays have them."""

from __future__ import annotations

import base64
import io
import json
import re
import wave
from typing import Any

import aiohttp
import av
import pytest

from .conftest import get, picture, png, post, until

WORDS = "The quick brown fox jumps over the lazy dog"
SPEECH = {"model": "tts-1", "input": WORDS, "voice": "alloy"}


async def spoken(http: aiohttp.ClientSession, **more: Any) -> bytes:
    async with http.post("/v1/audio/speech", json={**SPEECH, **more}) as answer:
        assert answer.status == 200, await answer.read()
        return await answer.read()


async def heard(http: aiohttp.ClientSession, data: bytes, *fields: tuple[str, str], status: int = 200) -> str:
    form = aiohttp.FormData([("model", "whisper-1"), *fields])
    form.add_field("file", data, filename="a.wav", content_type="audio/wav")
    async with http.post("/v1/audio/transcriptions", data=form) as answer:
        assert answer.status == status, await answer.read()
        return await answer.text()


# Sounds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mp3", "opus", "aac", "flac", "wav"])
async def test_speech_can_be_played(http: aiohttp.ClientSession, kind: str):
    data = await spoken(http, response_format=kind)
    with av.open(io.BytesIO(data), "r") as container:
        (stream,) = container.streams.audio
        samples = sum(frame.samples for frame in container.decode(stream))
        rate = stream.rate
    assert samples / rate == pytest.approx(0.4 * len(WORDS.split()), abs=0.25)


async def test_speech_is_a_tone_and_says_that_it_is_a_test(http: aiohttp.ClientSession):
    data = await spoken(http, response_format="wav")
    with wave.open(io.BytesIO(data)) as sound:
        assert max(sound.readframes(2000)) > 0
    assert b"TEST MODE" in data
    assert data == await spoken(http, response_format="wav"), "the same words sound the same"
    assert len(await spoken(http, response_format="pcm", speed=2)) < len(await spoken(http, response_format="pcm"))


async def test_what_it_spoke_it_understands(http: aiohttp.ClientSession):
    data = await spoken(http, response_format="wav")
    assert json.loads(await heard(http, data))["text"] == WORDS
    verbose = json.loads(
        await heard(
            http,
            data,
            ("response_format", "verbose_json"),
            ("timestamp_granularities[]", "word"),
            ("timestamp_granularities[]", "segment"),
        )
    )
    assert [word["word"] for word in verbose["words"]] == WORDS.split()
    assert verbose["usage"] == {"type": "duration", "seconds": 4}
    assert (await heard(http, data, ("response_format", "vtt"))).startswith("WEBVTT")
    assert (await heard(http, data, ("response_format", "text"))).strip() == WORDS


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/audio/speech", {**SPEECH, "input": "x" * 4097}, "input"),
        ("/v1/audio/speech", {**SPEECH, "voice": None}, "voice"),
        ("/v1/audio/speech", {**SPEECH, "response_format": "midi"}, "response_format"),
        ("/v1/audio/speech", {**SPEECH, "stream_format": "sse"}, "stream_format"),
        ("/v1/audio/speech", {**SPEECH, "model": "gpt-4o"}, "model"),
        ("/v1/videos", {"prompt": ""}, "prompt"),
        ("/v1/videos", {"prompt": "x", "seconds": "5"}, "seconds"),
        ("/v1/videos", {"prompt": "x", "size": "1792x1024"}, "size"),
        ("/v1/videos", {"prompt": "x", "input_reference": "y"}, "input_reference"),
        ("/v1/moderations", {"input": []}, "input"),
        ("/v1/rerank", {"model": "jina-reranker", "query": "x", "documents": []}, "documents"),
    ],
)
async def test_mistakes_are_named(http: aiohttp.ClientSession, path: str, body: dict[str, Any], param: str):
    error = (await post(http, path, body, 400))["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


async def test_bad_sounds(http: aiohttp.ClientSession):
    for data, fields in ((b"", ()), (b"junk", ()), (b"RIFF", (("response_format", "midi"),))):
        assert "error" in json.loads(await heard(http, data, *fields, status=400))


# Videos ------------------------------------------------------------------------------------------------------------


async def finished(http: aiohttp.ClientSession, video_id: str) -> dict[str, Any]:
    return await until(
        lambda: get(http, f"/v1/videos/{video_id}"), lambda video: video["status"] in ("completed", "failed")
    )


async def file_of(http: aiohttp.ClientSession, video_id: str, variant: str = "video", status: int = 200) -> bytes:
    async with http.get(f"/v1/videos/{video_id}/content?variant={variant}") as answer:
        assert answer.status == status
        return await answer.read()


async def test_a_video_and_its_remix(http: aiohttp.ClientSession):
    image = "data:image/png;base64," + base64.b64encode(png()).decode()
    body = {"prompt": "a boat", "seconds": "8", "size": "1280x720", "input_reference": {"image_url": image}}
    made = await post(http, "/v1/videos", body)
    assert made["id"].startswith("video_")
    assert (made["status"], made["progress"], made["model"]) == ("queued", 0, "sora-2")
    done = await finished(http, made["id"])
    assert (done["status"], done["progress"], done["seconds"], done["size"]) == ("completed", 100, "8", "1280x720")
    assert done["expires_at"] > done["completed_at"]
    with av.open(io.BytesIO(await file_of(http, made["id"])), "r") as film:
        (stream,) = film.streams.video
        assert (stream.width, stream.height) == (1280, 720)
        assert film.duration is not None
        assert film.duration / av.time_base == pytest.approx(8, abs=0.1)
        assert sum(1 for _ in film.decode(stream)) == 8 * 24
        assert film.streams.audio
    assert (await file_of(http, made["id"], "thumbnail"))[8:12] == b"WEBP"
    assert (await file_of(http, made["id"], "spritesheet"))[:2] == b"\xff\xd8"
    await file_of(http, made["id"], "hologram", 400)
    remix = await post(http, f"/v1/videos/{made['id']}/remix", {"prompt": "at night"})
    assert remix["remixed_from_video_id"] == made["id"]
    assert (await finished(http, remix["id"]))["seconds"] == "8"
    listed = await get(http, "/v1/videos?limit=1")
    assert listed["has_more"] is True
    assert listed["data"][0]["id"] == remix["id"]
    after = await get(http, f"/v1/videos?after={remix['id']}")
    assert after["data"][0]["id"] == made["id"]
    async with http.delete(f"/v1/videos/{remix['id']}") as answer:
        assert (await answer.json())["deleted"] is True
    await get(http, f"/v1/videos/{remix['id']}", 404)


async def test_videos_that_fail(http: aiohttp.ClientSession):
    made = await post(http, "/v1/videos", {"prompt": "[sandbox:never-finish] x"})
    await file_of(http, made["id"], status=404)
    async with http.delete(f"/v1/videos/{made['id']}") as answer:
        assert answer.status == 409
    await post(http, f"/v1/videos/{made['id']}/remix", {"prompt": "x"}, 400)
    broken = await finished(http, (await post(http, "/v1/videos", {"prompt": "[sandbox:fail-midway] x"}))["id"])
    assert broken["error"]["code"] == "server_error"
    judged = await finished(http, (await post(http, "/v1/videos", {"prompt": "[sandbox:moderated-output] x"}))["id"])
    assert judged["error"]["code"] == "moderation_blocked"
    gone = await finished(http, (await post(http, "/v1/videos", {"prompt": "[sandbox:expire-url] x"}))["id"])
    assert gone["status"] == "completed"
    await file_of(http, gone["id"], status=404)
    await post(http, "/v1/videos", {"prompt": "x", "model": "sora-9"}, 404)
    async with http.get(f"/v1/videos/{gone['id']}", headers={"authorization": "Bearer sk-other"}) as answer:
        assert answer.status == 404


# Chat that draws, and the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["gpt-4-all", "gpt-4o-image-vip", "gpt-image-2-all", "sora_image"])
async def test_pictures_in_chat(http: aiohttp.ClientSession, model: str):
    body = {"model": model, "messages": [{"role": "user", "content": "画一只猫"}]}
    answer = await post(http, "/v1/chat/completions", body)
    content = answer["choices"][0]["message"]["content"]
    links = re.findall(r"\]\((http[^)]+)\)", content)
    assert len(set(links)) == 1
    assert (await picture(http, links[0])).size == (1024, 1024)
    assert content.count("> 进度 **") == 3
    async with http.post("/v1/chat/completions", json={**body, "stream": True}) as reply:
        chunks = [json.loads(line[6:]) for line in (await reply.text()).splitlines() if line.startswith("data: {")]
    pieces = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    assert any(piece and piece.startswith("![file_") and piece.endswith(")\n") for piece in pieces)


async def test_custom_gpts(http: aiohttp.ClientSession):
    body = {"model": "gpt-4-gizmo-g-bo0FiWLY7-researchgpt", "messages": [{"role": "user", "content": "Hello"}]}
    assert (await post(http, "/v1/chat/completions", body))["model"] == "gpt-4-gizmo"
    for name in ("gpt-4-gizmo-nothing", "g-bo0FiWLY7"):
        error = (await post(http, "/v1/chat/completions", {**body, "model": name}, 404))["error"]
        assert error["code"] == "model_not_found"


async def test_moderation_and_rerank(http: aiohttp.ClientSession):
    parts = [{"type": "text", "text": "kill"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    found = await post(http, "/v1/moderations", {"input": parts})
    assert [result["flagged"] for result in found["results"]] == [True, False]
    assert found["results"][1]["category_applied_input_types"]["violence"] == ["image"]
    body = {"query": "a cat", "documents": ["a dog", {"text": "a cat"}], "return_documents": True, "top_n": 1}
    jina = await post(http, "/v1/rerank", {**body, "model": "jina-reranker-v2-base-multilingual"})
    assert (jina["results"][0]["index"], jina["results"][0]["document"]) == (1, {"text": "a cat"})
    assert jina["usage"]["total_tokens"] > 0
    cohere = await post(http, "/v1/rerank", {**body, "model": "rerank-v3.5"})
    assert cohere["meta"]["billed_units"] == {"search_units": 1}
