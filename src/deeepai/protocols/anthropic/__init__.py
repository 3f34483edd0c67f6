"""Anthropic's wire format: messages, batches of them, counting of tokens, models.

Source: Anthropic's API reference, and its Python SDK's types and requests on the wire. A channel's base URL is without
`/v1`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...declare import (
    Protocol,
    Text,
    UpstreamCall,
)
from . import batches, messages, models
from .common import VERSION
from .errors import channel_fault, error, too_long


def authorize(credential: str) -> Mapping[str, str]:
    """Return the headers that carry a channel's key."""
    return {"x-api-key": credential}


anthropic = Protocol(
    name="anthropic",
    title=Text("Anthropic", "Anthropic接口"),
    base_url="https://api.anthropic.com",
    env_key="ANTHROPIC_API_KEY",
    env_base_url="ANTHROPIC_BASE_URL",
    models=("claude-*",),
    authorize=authorize,
    error=error,
    channel_fault=channel_fault,
    too_long=too_long,
    probe=UpstreamCall("/v1/models", headers={"anthropic-version": VERSION}),
    key_headers=("x-api-key",),
    mark_header="anthropic-version",
    forward_headers=("anthropic-version", "anthropic-beta"),
    id_header="request-id",
    own_paths=("/v1/messages", "/anthropic/"),
    base_paths={"/anthropic": ""},
    operations=(*messages.OPERATIONS, *batches.OPERATIONS, *models.OPERATIONS),
)
