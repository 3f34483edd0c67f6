"""Has nonebot's plugin for Suno make songs, as on a command, and prints what its bot is told."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import aiohttp
import nonebot
from nonebot.drivers.none import Driver

BASE, HOST = os.environ["GATEWAY"], "https://api.bltcy.ai"
nonebot.init(driver="~none", suno_key=os.environ["TOKEN"], log_level="ERROR")
assert isinstance(nonebot.get_driver(), Driver)
plugin = nonebot.load_plugin("nonebot_plugin_sunoai")
assert plugin is not None
post, sleep = aiohttp.ClientSession.post, asyncio.sleep


def here(session: aiohttp.ClientSession, url: str, **more: Any) -> Any:
    """Its address is a constant."""
    return post(session, url.replace(HOST, BASE), **more)


async def soon(seconds: float) -> None:
    """It looks every ten seconds."""
    await sleep(seconds / 100)


aiohttp.ClientSession.post, asyncio.sleep = here, soon
told: list[Any] = []


class Matcher:
    """A bot that only listens."""

    async def send(self, message: Any, **how: Any) -> None:
        """Note what it is told."""
        told.append(
            message if isinstance(message, str) else [message.title, message.content, message.audio, message.url]
        )

    finish = send


songs = {
    "own": {"prompt": None, "tags": "folk", "mv": "chirp-v3-5", "title": "Plugged", "make_instrumental": True},
    "described": {"mv": "chirp-v3-5", "gpt_description_prompt": "rain on tin", "make_instrumental": False},
    "failed": {"mv": "chirp-v3-5", "gpt_description_prompt": "[sandbox:fail-midway] x", "make_instrumental": False},
}
lines = {}
for name, body in songs.items():
    asyncio.run(plugin.module._run(Matcher(), body))
    lines[name], told = told, []
print(json.dumps(lines))
