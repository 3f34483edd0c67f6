"""The sentence family: embeddings, rerank and moderation by multilingual-e5-small, and the operator's models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from ..families import require
from ..models.catalogue import E5_SMALL, MODERATION, Model, added_models
from ..moderation.moderation import Examples, ModerationRequest, Pictures, moderate
from ..openai_wire import read
from ..runtimes.e5 import E5
from ..runtimes.llama import Llama
from .embeddings import EmbeddingRequest, embed, embed_by
from .onnx import OnnxEmbedder
from .rerank import RerankRequest, rerank


class SentenceFamily:
    """One native model for all endpoints; the operator's own, for embeddings, are loaded at their first request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = added_models(folder, "embeddings")
        self.models: Sequence[Model] = (E5_SMALL, MODERATION, *self._own)
        self._embedders = {model.id: _embedder(model, folder) for model in self._own}
        self._e5 = E5()
        self._examples = Examples(self._e5)
        self._pictures = Pictures()

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.post("/v1/embeddings", self._embed),
            web.post("/v1/rerank", self._rerank),
            web.post("/v2/rerank", self._rerank),
            web.post("/v1/moderations", self._moderate),
        ]

    @property
    def state(self) -> str:
        """`ready`, `loading` or `idle`."""
        return self._e5.state

    def warm(self) -> None:
        """Begin to load."""
        self._e5.warm()

    def close(self) -> None:
        """Free the model."""
        self._e5.close()
        for embedder in self._embedders.values():
            embedder.close()

    async def _embed(self, request: web.Request) -> web.Response:
        body = await read(request, EmbeddingRequest)
        model = require((E5_SMALL, *self._own), body.model, self._folder)
        if model.id in self._embedders:
            return await embed_by(self._embedders[model.id], body, model)
        return await embed(body, model, self._e5)

    async def _rerank(self, request: web.Request) -> web.Response:
        body = await read(request, RerankRequest)
        return await rerank(body, require((E5_SMALL,), body.model, self._folder), self._e5)

    async def _moderate(self, request: web.Request) -> web.Response:
        body = await read(request, ModerationRequest)
        model = require((MODERATION,), body.model or MODERATION.id, self._folder)
        return await moderate(body, model, self._examples, self._pictures)


def _embedder(model: Model, folder: Path) -> Llama | OnnxEmbedder:
    assert model.pack is not None
    path = model.pack.path(folder)
    if model.package == "xllamacpp":
        return Llama(path, model.context, slots=1, embeddings=True)
    return OnnxEmbedder(path, model.context)
