"""A sandbox in its own process, and callers of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.support.pictures import opened
from tests.support.pictures import png as png
from tests.support.receiver import Receiver
from tests.support.until import PATIENCE, until_async

SPEED = 400
until = until_async
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
            process.wait(PATIENCE)


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    with sandbox("--speed", str(SPEED)) as url:
        yield url


@pytest.fixture
async def http(base: str) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(sock_read=PATIENCE)
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


async def picture(http: aiohttp.ClientSession, url: str) -> Image.Image:
    async with http.get(url) as answer:
        assert answer.status == 200
        return opened(await answer.read())


@asynccontextmanager
async def slowly(http: aiohttp.ClientSession) -> AsyncIterator[None]:
    """Let jobs stand still meanwhile; `advance` moves them."""
    await post(http, "/_sandbox/clock", {"speed": 0.001})
    try:
        yield
    finally:
        await post(http, "/_sandbox/clock", {"speed": SPEED})


async def advance(http: aiohttp.ClientSession, seconds: float) -> None:
    """Skip job seconds."""
    await post(http, "/_sandbox/clock", {"advance": seconds})


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
