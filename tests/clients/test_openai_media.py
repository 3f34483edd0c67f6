"""OpenAI's own Python SDK: images, audio, moderations; and the rerank that relays serve beside them."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
import wave
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from tinytag import TinyTag

from tests.operator import usage_row
from tests.plugins import coverage_results
from tests.stack import Gateway
from tests.support.pictures import opened, png
from tests.support.until import PATIENCE

WORDS = "The quick brown fox jumps over the lazy dog and runs away"


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


def row_of(gateway: Gateway, raw: Any) -> dict[str, Any]:
    return usage_row(gateway, raw.headers["x-request-id"])


# Images ------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.images.generations")
def test_dall_e_is_priced_by_size_and_its_links_stay(client: OpenAI, gateway: Gateway) -> None:
    raw = client.images.with_raw_response.generate(
        model="dall-e-3", prompt="a lighthouse", size="1792x1024", quality="hd"
    )
    (image,) = raw.parse().data or ()
    assert image.url is not None
    assert image.url.startswith(gateway.url), "the vendor's link expires, ours does not"
    with urllib.request.urlopen(image.url, timeout=PATIENCE) as answer:
        assert opened(answer.read()).size == (1792, 1024)
    assert row_of(gateway, raw)["cost"] == 120_000_000
    inline = client.images.with_raw_response.generate(
        model="dall-e-2", prompt="two ships", n=2, size="256x256", response_format="b64_json"
    )
    images = inline.parse().data or []
    assert [opened(base64.b64decode(one.b64_json or "")).size for one in images] == [(256, 256)] * 2
    assert row_of(gateway, inline)["cost"] == 2 * 16_000_000
    default = client.images.with_raw_response.generate(prompt="no model named", size="256x256")
    assert row_of(gateway, default)["model"] == "dall-e-2"


@pytest.mark.operation("openai.images.generations")
def test_gpt_image_is_priced_by_tokens(client: OpenAI, gateway: Gateway) -> None:
    raw = client.images.with_raw_response.generate(
        model="gpt-image-1", prompt="a lighthouse", size="1024x1536", quality="low", output_format="webp"
    )
    answer = raw.parse()
    assert answer.usage is not None
    assert opened(base64.b64decode((answer.data or [])[0].b64_json or "")).format == "WEBP"
    row = row_of(gateway, raw)
    assert row["basis"] == "vendor"
    assert row["cost"] == answer.usage.input_tokens * 5000 + answer.usage.output_tokens * 40_000


@pytest.mark.operation("openai.images.generations", "openai.images.edits")
def test_partial_images_stream(client: OpenAI, gateway: Gateway) -> None:
    events = client.images.generate(
        model="gpt-image-1", prompt="a lighthouse", quality="low", stream=True, partial_images=2
    )
    seen = list(events)
    assert [one.type for one in seen] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    last = seen[-1]
    assert last.type == "image_generation.completed"
    row = usage_row(gateway, events.response.headers["x-request-id"])
    assert row["cost"] == last.usage.input_tokens * 5000 + last.usage.output_tokens * 40_000
    edited = client.images.edit(
        model="gpt-image-1",
        image=("a.png", png(64, mode="RGBA")),
        prompt="a hat",
        quality="low",
        stream=True,
        partial_images=1,
    )
    assert [one.type for one in edited] == ["image_edit.partial_image", "image_edit.completed"]


@pytest.mark.operation("openai.images.edits", "openai.images.variations")
def test_edits_and_variations(client: OpenAI, gateway: Gateway) -> None:
    one = client.images.with_raw_response.edit(
        model="gpt-image-1",
        image=[("a.png", png(64, mode="RGBA")), ("b.png", png(32, mode="RGBA"))],
        mask=("m.png", png(64, mode="RGBA")),
        prompt="x",
    )
    usage = one.parse().usage
    assert usage is not None
    assert usage.input_tokens_details.image_tokens
    row = row_of(gateway, one)
    assert row["consumed"]["image_in"] == usage.input_tokens_details.image_tokens
    varied = client.images.with_raw_response.create_variation(
        model="dall-e-2", image=("a.png", png(64, mode="RGBA")), n=2, size="512x512"
    )
    assert len(varied.parse().data or ()) == 2
    assert row_of(gateway, varied)["cost"] == 36_000_000
    with pytest.raises(openai.BadRequestError) as missing:
        client.post("/images/edits", body={"prompt": "x"}, cast_to=object)
    assert missing.value.param == "image"


# Audio -------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.audio.speech")
@pytest.mark.parametrize("kind", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_speech_in_each_format(client: OpenAI, gateway: Gateway, kind: Any) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=WORDS, response_format=kind
    ) as answer:
        data = answer.read()
        row = usage_row(gateway, answer.headers["x-request-id"])
    seconds = 0.4 * len(WORDS.split())
    if kind == "pcm":
        assert len(data) / 48_000 == pytest.approx(seconds, abs=0.1)
    elif kind == "wav":
        with wave.open(io.BytesIO(data)) as sound:
            assert sound.getnframes() / sound.getframerate() == pytest.approx(seconds, abs=0.1)
    elif kind != "aac":
        found = TinyTag.get(f"a.{kind}", file_obj=io.BytesIO(data)).duration
        assert found == pytest.approx(seconds, abs=0.2)
    else:
        assert data[:2] == b"\xff\xf1"
    assert row["consumed"]["characters"] == len(WORDS)
    assert row["cost"] == len(WORDS) * 15_000


@pytest.mark.operation("openai.audio.speech")
def test_speech_as_events(client: OpenAI, gateway: Gateway) -> None:
    sound, done = b"", {}
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="coral", input=WORDS, stream_format="sse", response_format="pcm"
    ) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                event = json.loads(line[6:])
                sound += base64.b64decode(event.get("audio", ""))
                done = event
        row = usage_row(gateway, answer.headers["x-request-id"])
    assert len(sound) > 100_000
    assert done["type"] == "speech.audio.done"
    assert row["cost"] == done["usage"]["input_tokens"] * 600 + done["usage"]["output_tokens"] * 12_000


@pytest.mark.operation("openai.audio.transcriptions", "openai.audio.translations")
def test_what_was_spoken_is_written_down(client: OpenAI, gateway: Gateway) -> None:
    sound = client.audio.speech.create(model="tts-1", voice="nova", input=WORDS, response_format="wav").read()
    file = ("speech.wav", sound)
    raw = client.audio.transcriptions.with_raw_response.create(model="whisper-1", file=file)
    assert raw.parse().text == WORDS
    row = row_of(gateway, raw)
    assert row["consumed"]["seconds"] == 5
    assert row["cost"] == 500_000
    verbose = client.audio.transcriptions.create(
        model="whisper-1", file=file, response_format="verbose_json", timestamp_granularities=["word"]
    )
    assert [word.word for word in verbose.words or ()] == WORDS.split()
    for form, start in (("srt", "1\n00:00:00,000"), ("vtt", "WEBVTT"), ("text", WORDS)):
        said = client.audio.transcriptions.with_raw_response.create(
            model="whisper-1",
            file=file,
            response_format=form,  # pyright: ignore[reportArgumentType]
        )
        assert said.text.startswith(start)
        assert row_of(gateway, said)["consumed"]["seconds"] == pytest.approx(4.8, abs=0.05), "by the file's own length"
    english = client.audio.translations.create(model="whisper-1", file=file)
    assert english.text == WORDS


@pytest.mark.operation("openai.audio.transcriptions")
def test_a_transcription_streams(client: OpenAI, gateway: Gateway) -> None:
    sound = client.audio.speech.create(model="tts-1", voice="nova", input=WORDS, response_format="mp3").read()
    events = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", sound), stream=True)
    text, done = "", None
    for event in events:
        if event.type == "transcript.text.delta":
            text += event.delta
        elif event.type == "transcript.text.done":
            done = event
    assert done is not None
    assert done.usage is not None
    assert done.text == text == WORDS
    row = usage_row(gateway, events.response.headers["x-request-id"])
    assert (row["consumed"]["audio_in"], row["consumed"]["output"]) == (
        done.usage.input_tokens,
        done.usage.output_tokens,
    )
    assert row["cost"] == done.usage.input_tokens * 6000 + done.usage.output_tokens * 10_000


def test_bad_sounds_are_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"junk and nothing else"))
    with pytest.raises(openai.BadRequestError) as missing:
        client.post(
            "/audio/transcriptions",
            body={"model": "whisper-1"},
            files=[("other", ("a", b"x"))],
            options={"headers": {"content-type": "multipart/form-data"}},
            cast_to=object,
        )
    assert missing.value.param == "file"
    with pytest.raises(openai.BadRequestError):
        client.audio.speech.create(model="tts-1", voice="alloy", input="x" * 4097)


# Moderations and rerank --------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.moderations")
def test_moderations_are_free(client: OpenAI, gateway: Gateway) -> None:
    raw = client.moderations.with_raw_response.create(input=["I will kill you", "good morning"])
    first, second = raw.parse().results
    assert (first.flagged, first.categories.violence, second.flagged) == (True, True, False)
    assert row_of(gateway, raw)["cost"] == 0


@pytest.mark.operation("openai.rerank")
@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v2/rerank"])
def test_rerank(ranking: Gateway, path: str) -> None:
    body = {
        "model": "jina-reranker-v2-base-multilingual",
        "query": "what is a cat",
        "documents": ["a dog barks", "a cat is what you think"],
        "top_n": 1,
    }
    request = urllib.request.Request(
        ranking.url + path,
        json.dumps(body).encode(),
        {"authorization": f"Bearer {ranking.live}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        found, request_id = json.load(answer), answer.headers["x-request-id"]
    assert [one["index"] for one in found["results"]] == [1]
    assert usage_row(ranking, request_id)["cost"] == found["usage"]["total_tokens"] * 50


@pytest.fixture(scope="module")
def ranking(sandbox: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    toml = (
        f'[[channels]]\nname = "jina"\nprotocol = "openai"\nbase_url = "{sandbox.url}/openai/v1"\n'
        'credential = "sk-upstream"\nmodels = ["jina-*"]\n'
    )
    made = Gateway(tmp_path_factory.mktemp("ranking"), sandbox, toml=toml).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()
