"""The text family: chat and completions by SmolLM2-135M-Instruct on llama.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from aiohttp import web

from .catalogue import SMOLLM2_CHAT, Model
from .chat import ChatRequest, complete_chat
from .completions import CompletionRequest, complete
from .families import require
from .llama import Llama
from .packs import SMOLLM2
from .wire import read


class TextFamily:
    """One model for both endpoints."""

    models: ClassVar[Sequence[Model]] = (SMOLLM2_CHAT,)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._llama = Llama(SMOLLM2.path(folder), SMOLLM2_CHAT.context)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [web.post("/v1/chat/completions", self._chat), web.post("/v1/completions", self._complete)]

    @property
    def state(self) -> str:
        """`ready`, `loading` or `idle`."""
        return self._llama.state

    def warm(self) -> None:
        """Begin to load."""
        self._llama.warm()

    def close(self) -> None:
        """Free the model."""
        self._llama.close()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, ChatRequest)
        return await complete_chat(request, body, require(self.models, body.model, self._folder), self._llama)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, CompletionRequest)
        return await complete(request, body, require(self.models, body.model, self._folder), self._llama)
