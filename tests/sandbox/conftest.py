"""A sandbox in its own process, and callers of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

KEYS = {"authorization": "Bearer sk-test", "x-key": "bfl-test", "mj-api-secret": "mj-test"}


@contextmanager
def sandbox(*options: str) -> Iterator[str]:
    """Run a sandbox on a free port; give its URL."""
    command = [sys.executable, "-m", "deeepai.sandbox", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://"), line
        try:
            yield line.split()[-1]
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    with sandbox("--speed", "400") as url:
        yield url


@pytest.fixture
async def http(base: str) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(base, headers=KEYS, timeout=timeout) as session:
        yield session


async def post(http: aiohttp.ClientSession, path: str, body: Any, status: int = 200, **headers: str) -> Any:
    async with http.post(path, json=body, headers=headers) as answer:
        data = await answer.read()
        assert answer.status == status, data
        return await answer.json() if data else None


async def get(http: aiohttp.ClientSession, path: str, status: int = 200) -> Any:
    async with http.get(path) as answer:
        data = await answer.read()
        assert answer.status == status, data
        return await answer.json() if data else None


async def until(ask: Callable[[], Awaitable[Any]], good: Callable[[Any], bool], seconds: float = 10) -> Any:
    """Ask again until the answer is good; fail after some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await ask()
        if good(answer):
            return answer
        assert time.monotonic() < deadline, f"still {answer}"
        await asyncio.sleep(0.01)


async def picture(http: aiohttp.ClientSession, url: str) -> Image.Image:
    async with http.get(url) as answer:
        assert answer.status == 200
        return Image.open(BytesIO(await answer.read()))


def png(width: int = 96, height: int = 64, colour: str = "teal") -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


class Hook:
    """A server that receives callbacks."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[tuple[bytes, dict[str, str]]] = []
        self.answers: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        self.received.append((await request.read(), dict(request.headers)))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_post("/hook", hook.take)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield hook
    await runner.cleanup()
