"""Google's wire format (Generative Language API): Gemini, embeddings, Imagen, Veo.

Source: Google's API reference of v1beta, and its SDK `google-genai` 1.75 and 3.4 on the wire; the newer says `/v1`.
"""

from __future__ import annotations

from ...declare import (
    Protocol,
    Text,
    UpstreamCall,
)
from . import content, images, models, videos
from .errors import channel_fault, error, too_long

MODELS = (
    *("gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-flash-lite", "gemini-2.5-flash-image"),
    *("gemini-embedding-001", "imagen-4.0-generate-001", "veo-3.1-generate-preview"),
    *("gemini-*", "gemma-*", "imagen-*", "veo-*", "nano-banana-*", "text-embedding-004", "tunedModels/*"),
)

gemini = Protocol(
    name="gemini",
    title=Text("Google Gemini", "谷歌 Gemini"),
    base_url="https://generativelanguage.googleapis.com",
    env_key="GEMINI_API_KEY",
    env_key_also=("GOOGLE_API_KEY",),
    env_base_url="GOOGLE_GEMINI_BASE_URL",
    models=MODELS,
    key_headers=("x-goog-api-key",),
    mark_header="x-goog-api-key",
    key_queries=("key",),
    own_paths=("/v1beta/", "/v1alpha/", "/gemini/"),
    base_paths={"/v1alpha": "/v1beta", "/gemini": ""},
    authorize=lambda credential: {"x-goog-api-key": credential},
    error=error,
    channel_fault=channel_fault,
    too_long=too_long,
    probe=UpstreamCall("/v1beta/models?pageSize=1"),
    operations=(*content.OPERATIONS, *images.OPERATIONS, *videos.OPERATIONS, *models.OPERATIONS),
)
