"""Spoken answers pass as they come, and are charged before their end; broken ones end as broken ones."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.operator import usage_row
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.until import PATIENCE

WORDS = "The quick brown fox jumps over the lazy dog and runs away"


@pytest.fixture(scope="module")
def gateway(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a channel that does not wait for long, for one model."""
    toml = (
        f'[[channels]]\nname = "impatient"\nprotocol = "openai"\nbase_url = "{sandbox.url}/openai/v1"\n'
        f'credential = "sk-upstream"\nmodels = ["tts-1-1106"]\npriority = 9\nsettings = {{ between = 1 }}\n'
    )
    made = Gateway(tmp_path_factory.mktemp("audio"), sandbox, toml=toml).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


def spoken(gateway: Gateway, words: str, model: str = "tts-1") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    body = {"model": model, "voice": "alloy", "input": words, "response_format": "wav"}
    head = {"authorization": f"Bearer {gateway.live}", "content-type": "application/json"}
    connection.request("POST", "/v1/audio/speech", json.dumps(body), head)
    return connection.getresponse()


def test_the_first_half_comes_while_the_second_is_awaited(gateway: Gateway) -> None:
    """Of a voice whose channel waits for longer than this caller does."""
    with spoken(gateway, f"[sandbox:stall] {WORDS}", "tts-1-hd") as answer:
        assert answer.status == 200
        length = int(answer.headers["content-length"])
        assert answer.read(length // 4)[:4] == b"RIFF"


@pytest.mark.operation("openai.audio.speech")
def test_what_stalls_upstream_is_cut_here(gateway: Gateway) -> None:
    answer = spoken(gateway, f"[sandbox:stall] {WORDS}", "tts-1-1106")
    assert answer.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    row = usage_row(gateway, answer.headers["x-request-id"])
    assert row["cost"] == (len(WORDS) + len("[sandbox:stall] ")) * 15_000, "the vendor spoke, and is paid"
    assert row["error"]


@pytest.mark.operation("openai.audio.speech")
def test_what_is_cut_upstream_is_cut_here(client: OpenAI, gateway: Gateway) -> None:
    with (
        client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input=f"[sandbox:cut-stream] {WORDS}", response_format="mp3"
        ) as answer,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        answer.read()
    assert usage_row(gateway, answer.headers["x-request-id"])["error"]


@pytest.mark.operation("openai.audio.speech")
def test_the_charge_stands_when_the_last_byte_comes(gateway: Gateway) -> None:
    answer = spoken(gateway, WORDS)
    data = answer.read()
    assert len(data) == int(answer.headers["content-length"])
    assert answer.headers["content-type"] == "audio/wav"
    assert usage_row(gateway, answer.headers["x-request-id"])["cost"] == len(WORDS) * 15_000


def test_refusals_are_json_and_cost_nothing(client: OpenAI, gateway: Gateway) -> None:
    cases: list[tuple[dict[str, Any], type[openai.APIStatusError]]] = [
        ({"input": "[sandbox:moderated] x"}, openai.BadRequestError),
        ({"input": "[sandbox:rate-limit] x"}, openai.RateLimitError),
        ({"input": "[sandbox:fail] x"}, openai.InternalServerError),
        ({"input": "x", "response_format": "midi"}, openai.BadRequestError),
        ({"input": "x", "speed": 9}, openai.BadRequestError),
        ({"input": "x", "model": "no-such-model"}, openai.NotFoundError),
        ({"input": ""}, openai.BadRequestError),
    ]
    for fields, kind in cases:
        given: dict[str, Any] = {"model": "tts-1", "voice": "alloy", **fields}
        with pytest.raises(kind) as fault:
            client.audio.speech.create(**given)
        assert fault.value.response.headers["content-type"].startswith("application/json")
        assert "message" in fault.value.response.json()["error"]


@pytest.mark.operation("openai.audio.transcriptions")
def test_a_transcription_that_breaks_off_says_so(client: OpenAI, gateway: Gateway) -> None:
    sound = client.audio.speech.create(model="tts-1", voice="nova", input=WORDS, response_format="mp3").read()
    events = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("a.mp3", sound), stream=True, prompt="[sandbox:cut-stream=3]"
    )
    with pytest.raises(openai.APIError):
        for _ in events:
            pass
    row = usage_row(gateway, events.response.headers["x-request-id"])
    assert row["error"]
    assert row["consumed"]["seconds"] == pytest.approx(4.8, abs=0.1)
    assert row["cost"] == pytest.approx(4.8 * 100_000, abs=10_000), "what was heard is paid, by its length"


@pytest.mark.operation("openai.audio.transcriptions")
def test_fields_that_are_arrays(client: OpenAI, gateway: Gateway) -> None:
    sound = client.audio.speech.create(model="tts-1", voice="nova", input=WORDS, response_format="flac").read()
    told = client.audio.transcriptions.create(
        model="whisper-1",
        file=("a.flac", sound),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        temperature=0.2,
    )
    assert told.words
    assert told.segments
    diarized = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=("a.flac", sound),
        response_format="diarized_json",
        chunking_strategy="auto",
        known_speaker_names=["agent", "caller"],
    )
    assert diarized.segments[0].speaker == "A"
