"""Base URLs as people enter them: served, or refused with a hint, in the shape of the format that is meant."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from typing import Any

import openai
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from deeepai.gateway.routing import Router
from deeepai.protocols import PROTOCOLS
from tests.stack import Gateway
from tests.support.http import call, post
from tests.support.until import PATIENCE

ROUTER = Router(PROTOCOLS.values())
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
MESSAGES = {**CHAT, "model": "claude-sonnet-4-5", "max_tokens": 16}
CONTENT = {"contents": [{"parts": [{"text": "hi"}]}]}
GENERATE = "models/gemini-2.5-flash:generateContent"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *(
            (f"{base}/chat/completions", CHAT)
            for base in (
                "",
                "/v1",
                "/v1/v1",
                "//v1",
                "/V1",
                "/v1/chat/completions",
                "/openai",
                "/openai/v1",
                "/v1/openai",
                "/v1beta/openai",
                "/compatible-mode/v1",
            )
        ),
        *(
            (f"{base}/messages", MESSAGES)
            for base in (
                "",
                "/v1",
                "/anthropic/v1",
                "/anthropic",
                "/v1/anthropic/v1",
                "/v1/messages/v1",
            )
        ),
        *(
            (f"{base}/{GENERATE}", CONTENT)
            for base in (
                "",
                "/v1beta",
                "/v1",
                "/v1alpha",
                "/v1/v1beta",
                "/v1beta/v1beta",
                "/gemini/v1beta",
            )
        ),
        *((f"{base}/submit/imagine", {"prompt": "a mill"}) for base in ("/mj", "/mj/mj", "/v1/mj")),
    ],
)
def test_bases_that_are_served(gateway: Gateway, path: str, body: Mapping[str, Any]) -> None:
    answer = post(gateway, path, body)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("path", ["/openai/deployments/gpt-4o", "/deployments/gpt-4o", "/v1/engines/gpt-4o"])
def test_a_model_may_stand_in_the_path(gateway: Gateway, path: str) -> None:
    body = {"messages": CHAT["messages"]}
    answer = post(gateway, f"{path}/chat/completions?api-version=2024-10-21", body)
    assert (answer.status, answer.json["model"]) == (200, "gpt-4o")
    # What the body says counts: in the path stands the name of a deployment.
    named = post(gateway, f"{path}/chat/completions", {**body, "model": "gpt-4o-mini"})
    assert named.json["model"] == "gpt-4o-mini"
    unknown = post(gateway, f"{path.replace('gpt-4o', 'no/such-model')}/chat/completions", body)
    assert (unknown.status, unknown.json["error"]["code"]) == (404, "model_not_found")
    assert "no/such-model" in unknown.json["error"]["message"]


def test_azures_client(gateway: Gateway) -> None:
    client = openai.AzureOpenAI(
        azure_endpoint=gateway.url, api_key=gateway.live, api_version="2024-10-21", max_retries=0
    )
    chat = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    assert chat.choices[0].message.content
    events = list(
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
    )
    assert events[-1].choices[0].finish_reason == "stop"
    assert client.embeddings.create(model="text-embedding-3-small", input="hi").data
    assert client.images.generate(model="gpt-image-1", prompt="a mill").data
    assert client.audio.transcriptions.create(model="whisper-1", file=("a.wav", sound(1))).text
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-nobody").chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hi"}]
        )


@pytest.mark.parametrize("seconds", [1, 60])
def test_a_form_whose_model_stands_in_the_path(gateway: Gateway, seconds: int) -> None:
    """Held in memory, or on disk."""
    file = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + sound(seconds)
    answer = post(
        gateway,
        "/openai/deployments/whisper-1/audio/transcriptions?api-version=2024-10-21",
        file + b"\r\n--b--\r\n",
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert answer.status == 200, answer.body
    assert answer.json["text"]


def sound(seconds: int) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(b"\0\0" * 16000 * seconds)
    return made.getvalue()


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/some/prefix/v1/chat/completions", "did you mean /v1/chat/completions?"),
        ("/llm/chat/completions", "did you mean /v1/chat/completions?"),
        ("/v1", "/v1/chat/completions"),
        ("/nowhere/at/all", "Invalid URL"),
    ],
)
def test_other_bases_are_told_what_is_meant(gateway: Gateway, path: str, hint: str) -> None:
    answer = post(gateway, path, CHAT)
    assert answer.status == 404
    assert hint in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(
            ("GET", path)
            for path in ("/", "/models", "/v1", "/v1/nowhere", "/chat", "/responses", "/openai", "/anthropic")
        ),
        *(("POST", path) for path in ("/chat", "/docs/chat/completions", "/nowhere")),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/json, text/event-stream"])
def test_no_program_gets_a_page(gateway: Gateway, method: str, path: str, accept: str) -> None:
    answer = call(gateway, method, path, {} if method == "POST" else None, gateway.live, {"accept": accept})
    assert answer.headers["content-type"].startswith("application/json")
    assert isinstance(answer.json, dict)
    assert answer.status == {"/": 200, "/models": 200, "/responses": 405}.get(path, 404)


def test_people_get_the_page(gateway: Gateway) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    answer = call(gateway, "GET", "/", headers=browser)
    assert (answer.status, answer.headers["location"]) == (302, "/docs")
    for headers in ({"accept": "*/*"}, {}):
        assert call(gateway, "GET", "/", headers=headers).json["docs"] == "/docs"


@pytest.mark.parametrize(
    ("path", "headers", "protocol"),
    [
        ("/v1alpha/models", {}, "gemini"),
        ("/v1alpha/nothing", {}, "gemini"),
        ("/v1beta/openai/nothing", {}, "openai"),
        ("/anthropic/v1/nothing", {}, "anthropic"),
        ("/v1/nothing", {"anthropic-version": "2023-06-01"}, "anthropic"),
        ("/v1/nothing", {"x-goog-api-key": "k"}, "gemini"),
        ("/v1/nothing", {}, "openai"),
        ("/messages", {}, "anthropic"),
        ("/chat/completions", {}, "openai"),
        ("/v1/mj/submit/imagine", {}, "midjourney"),
    ],
)
def test_errors_have_the_shape_of_what_is_meant(path: str, headers: Mapping[str, str], protocol: str) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert ROUTER.owner(path, sent)[0].name == protocol


@pytest.mark.parametrize("headers", [{"anthropic-version": "2023-06-01"}, {}])
def test_a_key_in_another_formats_header(gateway: Gateway, headers: Mapping[str, str]) -> None:
    """Anthropic's client on a path that only OpenAI's format has."""
    answer = call(gateway, "GET", "/v1/files", headers={"x-api-key": gateway.live, **headers})
    if headers:
        assert (answer.status, answer.json["type"]) == (404, "error")
        assert "Anthropic" in answer.json["error"]["message"]
    else:
        assert (answer.status, answer.json["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions", "/nowhere", "/v1/models"])
def test_a_websocket_that_is_not_there_is_refused_so_that_clients_fall_back(gateway: Gateway, path: str) -> None:
    key = {"authorization": f"Bearer {gateway.live}"}
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{gateway.port}{path}", additional_headers=key, open_timeout=PATIENCE)
    response = refused.value.response
    assert (response.status_code, response.headers["upgrade"]) == (426, "HTTP/1.1")
    assert b"upgrade_required" in (response.body or b"")


def test_a_websockets_address_says_what_it_is(gateway: Gateway) -> None:
    answer = call(gateway, "GET", "/v1/realtime?model=gpt-realtime", key=gateway.live)
    assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")
