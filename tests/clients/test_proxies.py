"""Real proxies in front of the gateway, set up by the documentation's own words: nginx, HAProxy, Envoy, Caddy."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from anthropic import APIStatusError as AnthropicError
from anthropic import AsyncAnthropic
from openai import APIStatusError, AsyncOpenAI, OpenAI

from tests.gateway.test_odd_answers import FORMATS, events
from tests.operator import usage_row
from tests.stack import Gateway, Sandbox
from tests.support import proxies
from tests.support.held import HeldUpstream
from tests.support.proxies import Proxy
from tests.support.until import PATIENCE, until
from tests.wire.people import PEOPLE, POOR

KEEP_ALIVE: Final = 0.5
LIMIT: Final = 4.0
"""Seconds of silence that a proxy lets pass, where it is told to be so impatient."""
MAX_BODY: Final = 8 << 20
MB: Final = b"x" * (1 << 20)
CHAT: Final = FORMATS["chat"]
SIGN: Final = b": keep-alive\n\n"

NAMES: Final = ("nginx", "haproxy", "envoy", "caddy")
WHOLE: Final = "that takes uploads whole"
FRONTS: Final = (*NAMES, "nginx of this machine", f"nginx {WHOLE}")


@pytest.fixture(scope="module")
def upstream() -> Iterator[HeldUpstream]:
    held = HeldUpstream()
    yield held
    held.stop()


@pytest.fixture(scope="module")
def behind(sandbox: Sandbox, upstream: HeldUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The gateway; two of its channels are the test's."""
    held = "".join(
        f'[[channels]]\nname = "held-{name}"\nprotocol = "{name}"\nmodels = ["held-{name}"]\n'
        f'credential = "sk-upstream-0000"\nbase_url = "http://127.0.0.1:{upstream.port}/{name}"\n'
        "settings = { objects = false }\n"
        f'[prices.held-{name}]\nper_million = {{ input = "1", output = "1" }}\n'
        for name in ("openai", "gemini")
    )
    made = Gateway(
        Path(tmp_path_factory.mktemp("behind")),
        sandbox,
        env={
            "DEEEPAI_KEEP_ALIVE": str(KEEP_ALIVE),
            "DEEEPAI_MAX_BODY": str(MAX_BODY),
            "DEEEPAI_TRUSTED_PROXIES": "127.0.0.0/8",
        },
        toml=held + PEOPLE,
    ).start()
    yield made
    made.stop()


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest, behind: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy as the documentation says."""
    name, _, which = str(request.param).partition(" ")
    binary = proxies.program(name, machines=which == "of this machine")
    text = proxies.blocks("configuration.md")[name]
    if which == WHOLE:
        # As many are, who have not read it.
        text, once = re.subn(r"^ *proxy_request_buffering off;\n", "", text, flags=re.MULTILINE)
        assert once == 1
    made = proxies.start(name, binary, text, behind, Path(tmp_path_factory.mktemp(name)) / "run")
    yield made
    made.stop()


@pytest.fixture(scope="module", params=NAMES)
def impatient(
    request: pytest.FixtureRequest, behind: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Proxy]]:
    """A proxy that cuts what is silent, and its name."""
    name: str = request.param
    # Caddy has no such limit.
    text = re.sub(r"\b(1h|3600s)\b", f"{LIMIT:.0f}s", proxies.blocks("configuration.md")[name])
    folder = Path(tmp_path_factory.mktemp(name)) / "run"
    made = proxies.start(name, proxies.program(name), text, behind, folder)
    yield name, made
    made.stop()


class Stream:
    """A chat through a proxy, as far as it has come."""

    def __init__(self, proxy: Proxy, key: str) -> None:
        self._client = httpx.Client(verify=proxy.tls, timeout=PATIENCE)
        body = {**CHAT.body, "model": "held-openai", "stream": True, "stream_options": {"include_usage": True}}
        request = self._client.build_request(
            "POST", f"{proxy.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
        )
        self.answer = self._client.send(request, stream=True)
        self._pieces = self.answer.iter_bytes()
        self.heard = b""

    def until(self, words: bytes) -> None:
        while words not in self.heard:
            self.heard += next(self._pieces)

    def signs(self, seconds: float) -> None:
        """Hear that it goes on, for so long; nothing else may come."""
        before, end = self.heard, time.monotonic() + seconds
        while time.monotonic() < end:
            self.heard += next(self._pieces)
        assert self.heard.removeprefix(before).replace(SIGN, b"") == b""

    def rest(self) -> bytes:
        self.heard += b"".join(self._pieces)
        self._client.close()
        return self.heard.replace(SIGN, b"")


def chunk(words: str) -> bytes:
    choice = {"index": 0, "delta": {"content": words}, "finish_reason": None}
    return events(
        ("", {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "up", "choices": [choice]})
    )


def test_both_languages_set_them_up_alike() -> None:
    def plain(page: str) -> dict[str, str]:
        return {name: re.sub(r" *# .*", "", text) for name, text in proxies.blocks(page).items()}

    assert plain("configuration.md") == plain("configuration.zh.md")
    assert set(plain("configuration.md")) == set(NAMES)


def test_deltas_come_one_by_one(front: Proxy, behind: Gateway, upstream: HeldUpstream) -> None:
    stream = Stream(front, behind.live)
    call = upstream.taken("openai")
    call.begin()
    for number in range(5):
        call.say(chunk(f"word {number} "))
        # What follows is not even said yet.
        stream.until(f"word {number} ".encode())
    rest = CHAT.stream.removeprefix(CHAT.opens)
    call.say(rest)
    call.end()
    assert stream.rest().endswith(rest)
    if front.name in ("nginx", "caddy"):
        assert stream.answer.headers["content-encoding"] in ("gzip", "zstd")
    row = usage_row(behind, stream.answer.headers["x-request-id"])
    assert (row["status"], row["error"]) == (200, None)


def test_silence_is_survived_by_signs(impatient: tuple[str, Proxy], behind: Gateway, upstream: HeldUpstream) -> None:
    name, proxy = impatient
    stream = Stream(proxy, behind.live)
    call = upstream.taken("openai")
    stream.signs(LIMIT + 1)
    call.begin()
    call.say(chunk("hello "))
    stream.until(b"hello ")
    stream.signs(LIMIT + 1)
    rest = CHAT.stream.removeprefix(CHAT.opens)
    call.say(rest)
    call.end()
    assert stream.rest() == chunk("hello ") + rest
    if name == "caddy":
        return
    # Gemini's clients take no sign: the same silence is cut.
    with httpx.Client(verify=proxy.tls, timeout=PATIENCE) as client:
        path = FORMATS["gemini"].path[1].replace("gemini-2.5-flash", "held-gemini")
        cut = client.post(proxy.url + path, json=FORMATS["gemini"].body, headers={"x-goog-api-key": behind.live})
    assert cut.status_code in (408, 504), cut.text
    upstream.taken("gemini").wait_left()


# Early answers ------------------------------------------------------------------------------------------------------


def content(megabytes: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "x" * (megabytes << 20)}]}


EARLY: Final = {
    401: ("sk-live-nobody-0000000000000000000000000", 6),
    402: (POOR, 6),
    413: (None, 24),
}
"""Whose key, and how many megabytes."""


@pytest.mark.parametrize("status", EARLY)
def test_an_early_answer_to_a_large_upload_arrives(front: Proxy, behind: Gateway, status: int) -> None:
    key, size = EARLY[status]
    body = {"model": "claude-haiku-4-5", "max_tokens": 5, **content(size)}
    with httpx.Client(verify=front.tls, timeout=PATIENCE) as client:
        for _ in range(3):
            got = client.post(f"{front.url}/v1/messages", json=body, headers={"x-api-key": key or behind.live})
            assert (got.status_code, got.json()["type"]) == (status, "error"), got.text[:300]


@pytest.mark.parametrize("status", EARLY)
async def test_asynchronous_clients_see_an_early_answer(
    front: Proxy, behind: Gateway, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(front.trusts))
    key, size = EARLY[status]
    given: dict[str, Any] = {"api_key": key or behind.live, "max_retries": 0, "timeout": PATIENCE}
    async with (
        AsyncAnthropic(base_url=front.url, **given) as claude,
        AsyncOpenAI(base_url=f"{front.url}/v1", **given) as openai,
    ):
        with pytest.raises(AnthropicError) as told:
            await claude.messages.create(model="claude-haiku-4-5", max_tokens=5, **content(size))
        assert told.value.status_code == status
        with pytest.raises(APIStatusError) as refused:
            await openai.chat.completions.create(model="gpt-4o-mini", **content(size))
        # That a balance is spent, OpenAI's clients are told by 403.
        assert refused.value.status_code == (403 if status == 402 else status)
        if status == 401:
            with pytest.raises(APIStatusError) as unknown:
                await openai.files.create(file=("large.txt", MB * 32), purpose="user_data")
            assert unknown.value.status_code == 401


# All else -----------------------------------------------------------------------------------------------------------


async def test_a_session_passes(front: Proxy, behind: Gateway) -> None:
    options: Any = {"ssl": front.tls, "open_timeout": PATIENCE}
    async with (
        AsyncOpenAI(base_url=f"{front.url}/v1", api_key=behind.live) as client,
        client.realtime.connect(model="gpt-realtime", websocket_connection_options=options) as session,
    ):
        await session.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
        )
        await session.response.create(response={"output_modalities": ["text"]})
        seen = [(await session.recv()).type]
        while seen[-1] != "response.done":
            seen.append((await session.recv()).type)
    assert seen[0] == "session.created"
    assert "response.output_text.delta" in seen


def test_uploads_and_parts_of_files(front: Proxy, behind: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(front.trusts))
    with OpenAI(base_url=f"{front.url}/v1", api_key=behind.live, max_retries=0, timeout=PATIENCE) as client:
        data = b"".join(b"line %d\n" % number for number in range(1_500_000))
        kept = client.files.create(file=("large.txt", data), purpose="user_data")
        assert kept.bytes == len(data)
        assert client.files.content(kept.id).read() == data
        film = client.videos.create(model="sora-2", prompt="a mill by a river", seconds="4")
        until(lambda: client.videos.retrieve(film.id).status == "completed")
        whole = client.videos.download_content(film.id).read()
        part = client.videos.with_raw_response.download_content(film.id, extra_headers={"range": "bytes=4-7"})
        assert (part.status_code, part.http_response.read()) == (206, whole[4:8])
        assert part.headers["content-range"] == f"bytes 4-7/{len(whole)}"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_page_comes_as_an_answer(front: Proxy, behind: Gateway, method: str) -> None:
    paths = (
        "",
        "/v1",
        "/chat/completions",
        "/responses",
        "/models",
        "/messages",
        "/v1/nothing",
        "/v2/chat/completions",
    )
    with httpx.Client(verify=front.tls, timeout=PATIENCE) as client:
        for path in paths:
            got = client.request(method, front.url + path, headers={"authorization": f"Bearer {behind.live}"})
            assert got.status_code != 200 or "html" not in got.headers["content-type"], path
