"""The text family: chat and completions on llama.cpp, by SmolLM2-135M-Instruct and the operator's own models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from ..families import require
from ..models.catalogue import SMOLLM2_CHAT, Model, added_models
from ..openai_wire import read
from ..runtimes.llama import Llama
from .chat import ChatRequest, complete_chat
from .completions import CompletionRequest, complete


class TextFamily:
    """Each model for both endpoints. The operator's own are loaded at their first request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.models: Sequence[Model] = (SMOLLM2_CHAT, *added_models(folder, "chat"))
        self._llamas = {model.id: Llama(model.pack.path(folder), model.context) for model in self.models if model.pack}

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [web.post("/v1/chat/completions", self._chat), web.post("/v1/completions", self._complete)]

    @property
    def state(self) -> str:
        """`ready`, `loading` or `idle`, of the model that comes with the product."""
        return self._llamas[SMOLLM2_CHAT.id].state

    def warm(self) -> None:
        """Begin to load."""
        if not SMOLLM2_CHAT.missing(self._folder):
            self._llamas[SMOLLM2_CHAT.id].warm()

    def close(self) -> None:
        """Free the models."""
        for llama in self._llamas.values():
            llama.close()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, ChatRequest)
        model = require(self.models, body.model, self._folder)
        return await complete_chat(request, body, model, self._llamas[model.id])

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, CompletionRequest)
        model = require(self.models, body.model, self._folder)
        return await complete(request, body, model, self._llamas[model.id])
