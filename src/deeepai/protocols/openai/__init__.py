"""OpenAI's wire format, and what relays have added to it.

Source: OpenAI's OpenAPI document 2.3.0, and its Python SDK on the wire. A channel's base URL includes `/v1`.
"""

from __future__ import annotations

from ...declare import Protocol, Text, UpstreamCall
from ..common import bearer
from . import (
    assistants,
    audio,
    billing,
    chat,
    containers,
    files,
    fine_tuning,
    images,
    models,
    moderations,
    music,
    realtime,
    rerank,
    responses,
    stored_completions,
    tasks,
    vector_stores,
    videos,
)
from .errors import channel_fault, error, too_long

MODELS = (
    *("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*", "davinci-002", "babbage-002"),
    *("text-embedding-*", "dall-e-*", "gpt-image-*", "whisper-*", "tts-*", "omni-moderation-*", "text-moderation-*"),
    "sora-*",
)

openai = Protocol(
    name="openai",
    title=Text("OpenAI", "OpenAI接口"),
    base_url="https://api.openai.com/v1",
    env_key="OPENAI_API_KEY",
    env_base_url="OPENAI_BASE_URL",
    models=MODELS,
    authorize=bearer,
    error=error,
    channel_fault=channel_fault,
    too_long=too_long,
    key_headers=("api-key",),
    # Google's, Azure's and other vendors' addresses of this format; some clients leave the version out.
    base_paths={
        "": "/v1",
        "/openai": "/v1",
        "/openai/v1": "/v1",
        "/v1beta/openai": "/v1",
        "/compatible-mode/v1": "/v1",
    },
    model_paths={"/openai/deployments/{model}": "/v1", "/deployments/{model}": "/v1", "/v1/engines/{model}": "/v1"},
    probe=UpstreamCall("/models"),
    forward_headers=("openai-beta",),
    settings=chat.OpenAISettings,
    answer_headers=("openai-processing-ms", "openai-version"),
    operations=(
        *chat.OPERATIONS,
        *images.OPERATIONS,
        *audio.OPERATIONS,
        *moderations.OPERATIONS,
        *rerank.OPERATIONS,
        *models.OPERATIONS,
        *realtime.OPERATIONS,
        *responses.OPERATIONS,
        *stored_completions.OPERATIONS,
        *fine_tuning.OPERATIONS,
        *containers.OPERATIONS,
        *files.OPERATIONS,
        *vector_stores.OPERATIONS,
        *assistants.OPERATIONS,
        *videos.OPERATIONS,
        *music.OPERATIONS,
        *tasks.OPERATIONS,
        *billing.OPERATIONS,
    ),
)
